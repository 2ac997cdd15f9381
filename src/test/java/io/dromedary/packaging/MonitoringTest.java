package io.dromedary.packaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Dashboard, alerts and Prometheus' settings in packaging/docker: they ask for what is there, and for all of it. */
class MonitoringTest {
    private static final Path SHIPPED = Path.of("packaging/docker");
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ObjectMapper YAML = new YAMLMapper();

    /** All the metrics that users are promised, as Prometheus names them. */
    private static final Set<String> PROMISED = Set.of(
            "dromedary_changes_total",
            "dromedary_pushes_total",
            "dromedary_push_seconds_count",
            "dromedary_push_seconds_sum",
            "dromedary_push_paths_count",
            "dromedary_push_paths_sum",
            "dromedary_bytes_sent_total",
            "dromedary_pending",
            "dromedary_failed",
            "dromedary_lag_seconds",
            "dromedary_remote_up",
            "dromedary_remote_halted",
            "dromedary_remote_paused",
            "dromedary_overflows_total",
            "dromedary_watches");

    private static final Pattern METRIC = Pattern.compile("dromedary_[a-z_]+");
    private static final Pattern LABELS = Pattern.compile("by \\(([^)]*)\\)");
    private static final Pattern LEGEND = Pattern.compile("\\{\\{ *(?:\\$labels\\.)?(\\w+) *}}");

    private static JsonNode alerts() throws IOException {
        return YAML.readTree(Files.readString(SHIPPED.resolve("prometheus/alerts.yml"), UTF_8))
                .at("/groups/0/rules");
    }

    private static JsonNode dashboard() throws IOException {
        return JSON.readTree(Files.readString(SHIPPED.resolve("grafana/dromedary.json"), UTF_8));
    }

    /** Every query of the alerts, the dashboard's panels and its variables. */
    static List<String> queries() throws IOException {
        List<String> queries = new ArrayList<>();
        alerts().forEach(alert -> queries.add(alert.get("expr").textValue()));
        dashboard().get("panels").forEach(panel -> panel.get("targets")
                .forEach(target -> queries.add(target.get("expr").textValue())));
        dashboard()
                .at("/templating/list")
                .forEach(list -> queries.add(list.get("query").textValue()));
        assertThat(queries).hasSizeGreaterThan(15);
        return queries;
    }

    @Test
    void asksForEveryMetricThatIsPromisedAndForNoOther() throws IOException {
        Set<String> asked = new TreeSet<>();
        queries()
                .forEach(query ->
                        METRIC.matcher(query).results().map(MatchResult::group).forEach(asked::add));
        assertThat(asked).containsExactlyInAnyOrderElementsOf(PROMISED);
    }

    @Test
    void asksForTagsThatAreThere() throws IOException {
        Stream<String> grouped = queries().stream()
                .flatMap(query -> LABELS.matcher(query).results())
                .flatMap(labels -> Stream.of(labels.group(1).split(", *")));
        Stream<String> legends = Stream.of(dashboard().toString(), alerts().toString())
                .flatMap(text -> LEGEND.matcher(text).results())
                .map(label -> label.group(1));
        assertThat(Stream.concat(grouped, legends)).isSubsetOf("instance", "mirror", "remote", "outcome");
    }

    @Test
    void everyAlertSaysWhatToDo() throws IOException {
        assertThat(alerts())
                .extracting(alert -> alert.get("alert").textValue())
                .containsExactlyInAnyOrder(
                        "DromedaryDown",
                        "DromedaryRemoteDown",
                        "DromedaryHalted",
                        "DromedaryLag",
                        "DromedaryFailed",
                        "DromedaryOverflow");
        assertThat(alerts()).allSatisfy(alert -> {
            assertThat(alert.at("/labels/severity").textValue()).isIn("critical", "warning");
            assertThat(alert.at("/annotations/summary").textValue()).isNotBlank();
            assertThat(alert.at("/annotations/description").textValue()).isNotBlank();
        });
    }

    @Test
    void panelsAreDistinctDescribedAndDoNotOverlap() throws IOException {
        JsonNode panels = dashboard().get("panels");
        assertThat(panels).extracting(panel -> panel.get("id").intValue()).doesNotHaveDuplicates();
        assertThat(panels).allSatisfy(panel -> {
            assertThat(panel.get("title").textValue()).isNotBlank();
            assertThat(panel.get("description").textValue()).isNotBlank();
        });
        Set<String> cells = new TreeSet<>();
        for (JsonNode panel : panels) {
            JsonNode at = panel.get("gridPos");
            for (int x = 0; x < at.get("w").intValue(); x++) {
                for (int y = 0; y < at.get("h").intValue(); y++) {
                    int column = at.get("x").intValue() + x;
                    assertThat(column).isLessThan(24);
                    assertThat(cells.add(column + "," + (at.get("y").intValue() + y)))
                            .as("%s", panel.get("title"))
                            .isTrue();
                }
            }
        }
    }

    /** What Prometheus reads is a service and a port of docker-compose.yml; Grafana asks that Prometheus. */
    @Test
    void theFilesFitTogether() throws IOException {
        JsonNode compose = YAML.readTree(Files.readString(Path.of("docker-compose.yml"), UTF_8))
                .get("services");
        JsonNode prometheus = YAML.readTree(Files.readString(SHIPPED.resolve("prometheus/prometheus.yml"), UTF_8));
        JsonNode job = prometheus.at("/scrape_configs/0");
        assertThat(job.get("job_name").textValue()).isEqualTo("dromedary");
        assertThat(job.get("metrics_path").textValue()).isEqualTo("/observe/metrics");
        String[] target = job.at("/static_configs/0/targets/0").textValue().split(":");
        assertThat(compose.has(target[0])).isTrue();
        assertThat(compose.get(target[0]).at("/ports/0").textValue()).endsWith(":" + target[1]);
        assertThat(SHIPPED.resolve("prometheus")
                        .resolve(prometheus.at("/rule_files/0").textValue()))
                .exists();

        JsonNode source = YAML.readTree(Files.readString(SHIPPED.resolve("grafana/datasource.yml"), UTF_8))
                .at("/datasources/0");
        String url = source.get("url").textValue();
        assertThat(url).isEqualTo("http://prometheus:9090");
        assertThat(compose.at("/prometheus/ports/0").textValue()).endsWith(":9090");
        String dashboards = YAML.readTree(Files.readString(SHIPPED.resolve("grafana/dashboards.yml"), UTF_8))
                .at("/providers/0/options/path")
                .textValue();
        assertThat(compose.at("/grafana/volumes"))
                .extracting(JsonNode::textValue)
                .contains("./packaging/docker/grafana/dromedary.json:" + dashboards + "/dromedary.json:ro");
    }
}
