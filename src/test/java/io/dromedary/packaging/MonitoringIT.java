package io.dromedary.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The queries of dashboard and alerts at what a running one really tells. */
class MonitoringIT {
    private static final Pattern SAMPLE = Pattern.compile("([a-z_]+)(?:\\{([^}]*)})? (\\S+)");
    private static final Pattern LABEL = Pattern.compile("(\\w+) *=~?");
    /** A metric in a query with the labels it is asked for by. */
    private static final Pattern ASKED = Pattern.compile("(dromedary_[a-z_]+)(?:\\{([^}]*)})?");

    private static final Pattern GROUPED = Pattern.compile("by \\(([^)]*)\\)");
    private static final Pattern VARIABLE = Pattern.compile("label_values\\((\\w+), (\\w+)\\)");

    @TempDir
    Path directory;

    @Test
    void everyQueryHasAnAnswer() throws Exception {
        Path source = Files.createDirectory(directory.resolve("source"));
        Path copy = Files.createDirectory(directory.resolve("copy"));
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Map<String, Set<String>> scraped;
        try (DromedaryProcess dromedary = new Configuration(directory, source)
                .remote("copy", copy.toString())
                .set("http.port=" + port)
                .run()) {
            dromedary.awaitLine("copy: full sync done", Duration.ofMinutes(2));
            // With Prometheus' own wish for a format.
            scraped = metrics(HttpClient.newHttpClient()
                    .send(
                            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/observe/metrics"))
                                    .header("Accept", "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
                                    .build(),
                            HttpResponse.BodyHandlers.ofString())
                    .body());
        }
        assertThat(scraped)
                .containsEntry("dromedary_pushes_total", Set.of("instance", "mirror", "outcome", "remote"))
                .containsEntry("dromedary_push_seconds_bucket", Set.of("instance", "le", "mirror", "remote"));
        for (String query : MonitoringTest.queries()) {
            Matcher variable = VARIABLE.matcher(query);
            if (variable.matches()) {
                assertThat(scraped.get(variable.group(1))).as("%s", query).contains(variable.group(2));
                continue;
            }
            for (MatchResult asked : ASKED.matcher(query).results().toList()) {
                assertThat(scraped).as("%s", query).containsKey(asked.group(1));
                Set<String> labels = scraped.get(asked.group(1));
                if (asked.group(2) != null) {
                    assertThat(labels).as("%s", query).containsAll(names(asked.group(2)));
                }
                GROUPED.matcher(query).results().forEach(by -> assertThat(labels)
                        .as("%s", query)
                        .contains(by.group(1).split(", *")));
            }
        }
    }

    /** The labels of each metric that has a value, the one that Prometheus adds included. */
    private static Map<String, Set<String>> metrics(String exposed) {
        Map<String, Set<String>> metrics = new TreeMap<>();
        exposed.lines().filter(line -> line.startsWith("dromedary_")).forEach(line -> {
            Matcher sample = SAMPLE.matcher(line);
            assertThat(sample.matches()).as("%s", line).isTrue();
            if (!sample.group(3).equals("NaN")) {
                Set<String> labels = metrics.computeIfAbsent(sample.group(1), name -> new TreeSet<>());
                labels.add("instance");
                if (sample.group(2) != null) {
                    labels.addAll(names(sample.group(2)));
                }
            }
        });
        return metrics;
    }

    private static Set<String> names(String labels) {
        Set<String> names = new TreeSet<>();
        LABEL.matcher(labels).results().forEach(label -> names.add(label.group(1)));
        return names;
    }
}
