package io.dromedary.routes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {
    /** What users are promised: every key and its default. */
    private static final Map<String, String> PROMISED = new LinkedHashMap<>();

    static {
        PROMISED.put("watcher", "inotify");
        PROMISED.put("events", "delete,create-folder,close-write,move-from,move-to,attrib");
        PROMISED.put("exclude", "");
        PROMISED.put("exclude-regex", "");
        PROMISED.put("open-files", "");
        PROMISED.put("open-files.interval", "10s");
        PROMISED.put("rsync.command", "rsync");
        PROMISED.put("rsync.args", "-a");
        PROMISED.put("rsync.timeout", "60");
        PROMISED.put("rsync.bwlimit", "");
        PROMISED.put("delete", "true");
        PROMISED.put("max-delete", "");
        PROMISED.put("full-sync.initial", "true");
        PROMISED.put("full-sync.cron", "");
        PROMISED.put("full-sync.exclude", "");
        PROMISED.put("batch.max-paths", "5000");
        PROMISED.put("batch.max-wait", "0");
        PROMISED.put("retry.cron", "0/10 * * * * ?");
        PROMISED.put("retry.backoff", "1s");
        PROMISED.put("retry.max-backoff", "5m");
        PROMISED.put("max-processes", "");
        PROMISED.put("large-file", "16M");
        PROMISED.put("large-pushes", "2");
        PROMISED.put("http.port", "8008");
        PROMISED.put("http.host", "127.0.0.1");
        PROMISED.put("http.token", "");
        PROMISED.put("state-dir", "state");
    }

    @TempDir
    Path directory;

    private Path file(String text) throws IOException {
        return Files.writeString(directory.resolve("application.properties"), text);
    }

    @Test
    void keysAndDefaultsAreThosePromised() {
        Settings settings = new Settings();
        Map<String, String> shipped = settings.all().stringPropertyNames().stream()
                .map(key -> key.substring(Settings.PREFIX.length()))
                .collect(Collectors.toMap(key -> key, settings::get));
        assertThat(shipped).isEqualTo(PROMISED);
    }

    @Test
    void everyDefaultIsAllowed() {
        Settings settings = new Settings();
        PROMISED.forEach((key, value) ->
                assertThatCode(() -> settings.set(key, value, "test")).as(key).doesNotThrowAnyException());
    }

    @Test
    void theRoutesGetANumberOfProcessesEvenIfNoneIsSet() {
        Settings settings = new Settings();
        assertThat(settings.all()).containsEntry("dromedary.max-processes", "0");
        settings.set("max-processes", "3", "test");
        assertThat(settings.all()).containsEntry("dromedary.max-processes", "3");
    }

    @Test
    void anUnknownKeyIsToldWithFileLineAndNearestName() throws IOException {
        Path file = file(
                """
                # dromedary.full-sync.corn is not here
                camel.main.name = x

                  dromedary.full-sync.corn=0 30 3 * * ?
                """);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Settings().file(file))
                .withMessage(file + ":4: there is no setting dromedary.full-sync.corn;"
                        + " the nearest is dromedary.full-sync.cron");
    }

    @Test
    void anUnknownKeyOfTheCommandLineIsTold() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Settings().set("http-port", "1", "--set"))
                .withMessage("--set: there is no setting dromedary.http-port; the nearest is dromedary.http.port");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            watcher            | fanotify    | inotify or file-watch
            delete             | yes         | true or false
            delete             | TRUE        | true or false
            delete             | ''          | true or false
            full-sync.initial  | 1           | true or false
            rsync.timeout      | 1m          | a number from 0 to 2147483647
            rsync.timeout      | -1          | a number from 0 to 2147483647
            rsync.timeout      | ''          | a number from 0 to 2147483647
            batch.max-wait     | 2147483648  | a number from 0 to 2147483647
            batch.max-paths    | 0           | a number from 1 to 1000000
            batch.max-paths    | 1000001     | a number from 1 to 1000000
            max-processes      | 0           | a number from 1 to 10000
            large-file         | huge        | a size such as 512K, 16M or 1G
            large-file         | 0           | a size such as 512K, 16M or 1G
            large-pushes       | 0           | a number from 1 to 100
            max-processes      | many        | a number from 1 to 10000
            max-delete         | -1          | a number from 0 to 2147483647
            http.port          | 65536       | a number from 0 to 65535
            http.port          | http        | a number from 0 to 65535
            retry.backoff      | soon        | a time such as 500ms, 1s or 5m
            retry.backoff      | 0           | a time such as 500ms, 1s or 5m
            retry.max-backoff  | ''          | a time such as 500ms, 1s or 5m
            retry.max-backoff  | -5m         | a time such as 500ms, 1s or 5m
            rsync.command      | ''          | a path
            state-dir          | ''          | a path
            """)
    void aWrongValueIsToldWithWhatIsAllowed(String key, String value, String allowed) throws IOException {
        String full = "dromedary." + key;
        Path file = file("# " + full + "\n" + full + " = " + value + "\n");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Settings().file(file))
                .withMessage(file + ":2: " + full + " = " + value + ": allowed is " + allowed);
    }

    @Test
    void aWrongEventIsToldWithAllThereAre() {
        for (String events : new String[] {"", "delete,", "delete;modify", "delete,close_write"}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> new Settings().set("events", events, "--set"))
                    .withMessage("--set: dromedary.events = " + events + ": allowed is a comma separated list of"
                            + " delete, create-folder, create-file, close-write, move-from, move-to, attrib, modify");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            retry.cron     | ''
            retry.cron     | every minute
            retry.cron     | * * * * *
            full-sync.cron | 30 3 * * *
            full-sync.cron | 0 61 3 * * ?
            """)
    void aWrongCronIsToldWithWhatItIsMadeOf(String key, String value) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Settings().set(key, value, "--set"))
                .withMessageStartingWith("--set: dromedary." + key + " = " + value
                        + ": allowed is a Quartz cron: second minute hour day month weekday, e.g. 0 30 3 * * ? (")
                .extracting(Throwable::getMessage)
                .satisfies(message -> assertThat(message.toString()).doesNotContain("\n"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            watcher            | file-watch
            events             | delete, create-file ,modify
            delete             | false
            max-delete         | 0
            max-processes      | 1
            max-processes      | ''
            http.port          | 0
            retry.backoff      | 500ms
            retry.max-backoff  | 1h
            full-sync.cron     | 0 30 3 ? * MON-FRI
            full-sync.cron     | ''
            http.token         | a=b:c
            """)
    void rightValuesAreTaken(String key, String value) {
        Settings settings = new Settings();
        settings.set(key, "  " + value + " ", "test");
        assertThat(settings.get(key)).isEqualTo(value);
    }

    /** The three spellings that java.util.Properties knows. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "dromedary.http.port=x",
                "\"dromedary.http.port:x\"",
                "dromedary.http.port x",
                "dromedary.http.port\tx"
            })
    void theLineIsFoundHoweverItIsSpelt(String line) throws IOException {
        Path file = file("dromedary.http.host=::1\n\n" + line + "\n");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Settings().file(file))
                .withMessageStartingWith(file + ":3: dromedary.http.port = x: allowed is ");
    }

    @Test
    void aFileIsUtf8AndLeavesCamelsKeysAlone() throws IOException {
        Settings settings = new Settings();
        settings.file(file("dromedary.exclude=é/\ncamel.main.name=x\nother.key=y\n"));
        assertThat(settings.get("exclude")).isEqualTo("é/");
        assertThat(settings.all().stringPropertyNames()).allMatch(key -> key.startsWith(Settings.PREFIX));
    }

    @Test
    void aFileThatCannotBeReadIsToldInOneLine() throws IOException {
        Path latin1 = directory.resolve("latin1.properties");
        Files.write(latin1, new byte[] {'d', '=', (byte) 0xe9});
        Path malformed = Files.writeString(directory.resolve("malformed.properties"), "dromedary.exclude=\\u00g0\n");
        for (Path file : new Path[] {latin1, malformed, directory, directory.resolve("missing")}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> new Settings().file(file))
                    .withMessageStartingWith(file + ": cannot be read: ")
                    .extracting(Throwable::getMessage)
                    .satisfies(message -> assertThat(message.toString()).doesNotContain("\n"));
        }
    }

    @Test
    void theEnvironmentLiesOverTheFileAndTheCommandLineOverBoth() throws IOException {
        Settings settings = new Settings();
        settings.file(file("dromedary.http.port=1\ndromedary.rsync.args=-a1\ndromedary.max-delete=1\n"));
        settings.environment(Map.of("DROMEDARY_HTTP_PORT", "2", "DROMEDARY_RSYNC_ARGS", "-a2", "HOME", "/root"));
        settings.set("http.port", "3", "--set");
        assertThat(settings.get("http.port")).isEqualTo("3");
        assertThat(settings.get("rsync.args")).isEqualTo("-a2");
        assertThat(settings.get("max-delete")).isEqualTo("1");
        assertThat(settings.get("rsync.timeout")).isEqualTo("60");
    }

    @Test
    void everyKeyHasItsNameInTheEnvironment() {
        for (String key : PROMISED.keySet()) {
            String name = "DROMEDARY_" + key.toUpperCase(Locale.ROOT).replaceAll("[.-]", "_");
            String value = PROMISED.get(key).isEmpty() ? "7" : PROMISED.get(key);
            if (!key.endsWith("cron")) {
                Settings settings = new Settings();
                settings.environment(Map.of(name, value));
                assertThat(settings.get(key)).as(name).isEqualTo(value);
            }
        }
        Settings settings = new Settings();
        settings.environment(Map.of("DROMEDARY_FULL_SYNC_CRON", "0 30 3 * * ?"));
        assertThat(settings.get("full-sync.cron")).isEqualTo("0 30 3 * * ?");
    }

    @Test
    void aWrongValueOfTheEnvironmentIsToldWithItsName() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Settings().environment(Map.of("DROMEDARY_HTTP_PORT", "http")))
                .withMessage("environment DROMEDARY_HTTP_PORT: dromedary.http.port = http:"
                        + " allowed is a number from 0 to 65535");
    }

    @Test
    void thePrefixMayBeLeftOut() {
        Settings settings = new Settings();
        settings.set("http.port", "1", "--set");
        settings.set("dromedary.http.host", "::1", "--set");
        assertThat(settings.all())
                .containsEntry("dromedary.http.port", "1")
                .containsEntry("dromedary.http.host", "::1");
    }

    @Test
    void elsewhereThanOnLinuxTheWatcherIsFileWatch() {
        String here = System.setProperty("os.name", "Mac OS X");
        try {
            assertThat(new Settings().get("watcher")).isEqualTo("file-watch");
        } finally {
            System.setProperty("os.name", here);
        }
        assertThat(new Settings().get("watcher")).isEqualTo("inotify");
    }
}
