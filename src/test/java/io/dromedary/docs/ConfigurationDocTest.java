package io.dromedary.docs;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.camel.util.json.JsonObject;
import org.apache.camel.util.json.Jsoner;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/** docs/configuration.md and docs/components.md name every setting and parameter that exists, with its default, and no other. */
class ConfigurationDocTest {
    private static final Path DOCUMENT = Path.of("docs/configuration.md");
    private static final Path COMPONENTS = Path.of("docs/components.md");
    private static final Path RESOURCES = Path.of("src/main/resources");
    private static final Path COMPONENT = Path.of("src/generated/resources/META-INF/io/dromedary/watch/inotify.json");

    /** Ours that are no settings. */
    private static final Set<String> OTHER_VARIABLES =
            Set.of("DROMEDARY_LOG", "DROMEDARY_LOG_FORMAT", "DROMEDARY_JAVA_OPTS");

    @Test
    void settings() throws IOException {
        Map<String, String> expected = new TreeMap<>();
        settingsAndDefaults().forEach((key, value) -> expected.put(key, orNone(value)));
        Map<String, String> written = new TreeMap<>();
        table(DOCUMENT, "## Settings").forEach(cells -> written.put(cells.get(0), cells.get(1)));
        assertThat(written).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({
        "kamelet:watch, watch",
        "kamelet:watch, file-watch/watch",
        "kamelet:rsync, rsync",
        "kamelet:pushed, pushed",
        "kamelet:command, command",
        "kamelet:http, http",
        "kamelet:socket, socket",
        "kamelet:refresh-cdn, refresh-cdn"
    })
    void kameletParameters(String section, String kamelet) throws IOException {
        Object file = new Load(LoadSettings.builder().build())
                .loadFromString(Files.readString(RESOURCES.resolve("kamelets/" + kamelet + ".kamelet.yaml"), UTF_8));
        Map<String, Object> definition = map(map(map(file).get("spec")).get("definition"));
        Map<String, String> expected = new TreeMap<>();
        map(definition.get("properties")).forEach((name, parameter) -> {
            boolean required = ((List<?>) definition.get("required")).contains(name);
            expected.put(name, typeAndDefault(map(parameter), "default", required));
        });
        assertThat(typesAndDefaults("## " + section)).isEqualTo(expected);
    }

    @Test
    void optionsOfTheInotifyComponent() throws Exception {
        JsonObject properties;
        try (Reader reader = Files.newBufferedReader(COMPONENT, UTF_8)) {
            properties = ((JsonObject) Jsoner.deserialize(reader)).getMap("properties");
        }
        Map<String, String> expected = new TreeMap<>();
        properties.forEach((name, option) -> expected.put(
                name,
                typeAndDefault(
                        map(option),
                        "defaultValue",
                        Boolean.TRUE.equals(map(option).get("required")))));
        assertThat(typesAndDefaults("## inotify")).isEqualTo(expected);
    }

    @Test
    void headersOfTheInotifyComponent() throws Exception {
        JsonObject headers;
        try (Reader reader = Files.newBufferedReader(COMPONENT, UTF_8)) {
            headers = ((JsonObject) Jsoner.deserialize(reader)).getMap("headers");
        }
        String text = Files.readString(COMPONENTS, UTF_8);
        assertThat(headers).isNotEmpty();
        headers.forEach((name, header) ->
                assertThat(text).contains("| `" + name + "` | " + map(header).get("javaType") + " | "));
    }

    @Test
    void whateverElseTheTextMentionsExists() throws IOException {
        String text = Files.readString(DOCUMENT, UTF_8) + Files.readString(COMPONENTS, UTF_8);
        Set<String> settings = settingsAndDefaults().keySet();
        // A wrong one is shown in an error message on purpose.
        assertThat(found("(?<![\\w./-])dromedary\\.[a-z][a-z.-]*[a-z]", text.replace("dromedary.exlude;", "")))
                .isSubsetOf(settings);
        Set<String> variables = settings.stream()
                .map(key -> key.replaceAll("[.-]", "_").toUpperCase(Locale.ROOT))
                .collect(Collectors.toCollection(TreeSet::new));
        variables.addAll(OTHER_VARIABLES);
        assertThat(found("DROMEDARY_[A-Z_]*[A-Z]", text)).isSubsetOf(variables).containsAll(OTHER_VARIABLES);
    }

    private static Map<String, String> settingsAndDefaults() throws IOException {
        Properties settings = new Properties();
        try (Reader reader = Files.newBufferedReader(RESOURCES.resolve("dromedary.properties"), UTF_8)) {
            settings.load(reader);
        }
        assertThat(settings).isNotEmpty();
        Map<String, String> all = new TreeMap<>();
        settings.stringPropertyNames().forEach(key -> all.put(key, settings.getProperty(key)));
        return all;
    }

    private static String typeAndDefault(Map<String, Object> parameter, String defaultKey, boolean required) {
        Object value = parameter.getOrDefault(defaultKey, "");
        return parameter.get("type") + " " + (required ? "required" : orNone(value.toString()));
    }

    private static String orNone(String value) {
        return value.isEmpty() ? "none" : value;
    }

    private static Map<String, String> typesAndDefaults(String heading) throws IOException {
        Map<String, String> written = new TreeMap<>();
        table(COMPONENTS, heading).forEach(cells -> written.put(cells.get(0), cells.get(1) + " " + cells.get(2)));
        return written;
    }

    /** The rows of the first table below that heading, without its two lines of head; each cell without its ticks. */
    private static List<List<String>> table(Path document, String heading) throws IOException {
        List<List<String>> rows = new ArrayList<>();
        boolean inSection = false;
        for (String line : Files.readAllLines(document, UTF_8)) {
            if (line.startsWith("#")) {
                inSection = line.equals(heading);
            } else if (inSection && line.isEmpty() && rows.size() > 2) {
                break;
            } else if (inSection && line.startsWith("|")) {
                rows.add(Pattern.compile("\\|")
                        .splitAsStream(line.substring(1))
                        .map(cell -> cell.strip().replaceAll("^`|`$", ""))
                        .toList());
            }
        }
        assertThat(rows).as(heading).hasSizeGreaterThan(2);
        return rows.subList(2, rows.size());
    }

    private static Set<String> found(String regex, String text) {
        return Pattern.compile(regex)
                .matcher(text)
                .results()
                .map(MatchResult::group)
                .collect(Collectors.toSet());
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object value) {
        return (Map<String, Object>) value;
    }
}
