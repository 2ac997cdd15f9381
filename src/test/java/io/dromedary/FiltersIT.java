package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.dromedary.testbed.Api;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A filter means one thing, wherever it was written: live, at the start, in full syncs, in verify, for the watch. */
class FiltersIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private Path source;

    @BeforeEach
    void source() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
    }

    private void write(String path, String text) throws IOException {
        write(source, path, text);
    }

    private static void write(Path root, String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private static Set<String> files(Path root) throws IOException {
        try (Stream<Path> all = Files.walk(root)) {
            return all.filter(Files::isRegularFile)
                    .map(file -> root.relativize(file).toString())
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static void flush(Api api) {
        assertThat(api.post("/api/flush").path("flushed").asBoolean(true)).isTrue();
    }

    private static List<String> verify(Api api, String remote) {
        JsonNode answer = api.post("/api/verify?remote=" + remote).at("/remotes/0");
        assertThat(answer.path("error").asText()).isEmpty();
        List<String> differences = new ArrayList<>();
        for (JsonNode one : answer.get("differences")) {
            differences.add(one.get("change").asText() + " " + one.get("path").asText());
        }
        return differences;
    }

    /** Most of sersync's set-ups have such a file in their commonParams. */
    @Test
    void anExcludeFileHoldsLiveAtTheStartInFullSyncsAndInVerify() throws Exception {
        Path list = Files.writeString(directory.resolve("exclude.txt"), "# not these\n/private/\n*.tmp\n");
        Path web = Files.createDirectory(directory.resolve("web"));
        Path copy = Files.createDirectory(directory.resolve("copy"));
        write("private/before", "");
        write("before", "");
        write(web, "private/theirs", "");
        Api api = new Api();
        try (RsyncDaemon daemon = new RsyncDaemon().module("web", web).start()) {
            Configuration configuration = new Configuration(directory, source)
                    .remote("web", daemon.url("web"))
                    .remote("copy", copy.toString())
                    .set(api.setting(), "rsync.args=-a --exclude-from=" + list);
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("web: .*live", START);
                dromedary.awaitLine("copy: .*live", START);
                write("private/s", "secret");
                write("private/sub/s", "secret");
                write("d/e/x.tmp", "");
                write("d/e/x", "");
                Files.move(source.resolve("before"), source.resolve("renamed"));
                flush(api);
                assertThat(files(web)).containsExactly("d/e/x", "private/theirs", "renamed");
                assertThat(files(copy)).containsExactly("d/e/x", "renamed");
                // What is excluded is neither watched ...
                assertThat(api.get("/api/status").at("/mirrors/0/watches").asInt())
                        .isEqualTo(3);
                api.post("/api/sync");
                flush(api);
                assertThat(files(web)).containsExactly("d/e/x", "private/theirs", "renamed");
                assertThat(verify(api, "web")).isEmpty();
                assertThat(verify(api, "copy")).isEmpty();
                // ... nor deleted.
                Command.run("rm", "-rf", source + "/private", source + "/d");
                flush(api);
                await().atMost(SOON)
                        .untilAsserted(() -> assertThat(files(web)).containsExactly("private/theirs", "renamed"));
            }
        }
    }

    /** What one remote leaves out is another's to get. */
    @Test
    void eachRemoteHasItsOwn() throws Exception {
        Path php = Files.createDirectory(directory.resolve("php"));
        Path all = Files.createDirectory(directory.resolve("all"));
        Path hidden = Files.createDirectory(directory.resolve("hidden"));
        for (Path target : List.of(php, all, hidden)) {
            write(target, "log/old", "");
            write(target, "a/old.php", "");
            write(target, "a/old.txt", "");
        }
        Api api = new Api();
        Configuration configuration = new Configuration(directory, source)
                .remote("php", php.toString(), "args: \"-a --include='*/' --include='*.php' --exclude='*'\"")
                .remote("all", all.toString(), "args: \"-a -f 'P old*'\"")
                .remote("hidden", hidden.toString(), "args: -a --filter=hide_/log/")
                .set(api.setting());
        try (DromedaryProcess dromedary = configuration.run()) {
            for (String name : List.of("php", "all", "hidden")) {
                dromedary.awaitLine(name + ": .*live", START);
            }
            assertThat(files(php)).containsExactly("a/old.txt", "log/old");
            assertThat(files(all)).containsExactly("a/old.php", "a/old.txt", "log/old");
            assertThat(files(hidden)).isEmpty();
            write("log/new", "");
            write("a/new.php", "");
            write("a/new.txt", "");
            flush(api);
            assertThat(files(php)).containsExactly("a/new.php", "a/old.txt", "log/old");
            assertThat(files(all))
                    .containsExactly("a/new.php", "a/new.txt", "a/old.php", "a/old.txt", "log/new", "log/old");
            assertThat(files(hidden)).containsExactly("a/new.php", "a/new.txt");
            write(hidden, "log/stray", "");
            assertThat(verify(api, "php")).isEmpty();
            assertThat(verify(api, "all")).isEmpty();
            assertThat(verify(api, "hidden")).contains("*deleting log/", "*deleting log/stray");
            api.post("/api/sync");
            flush(api);
            Files.delete(source.resolve("a/new.txt"));
            Command.run("rm", "-rf", source + "/log", source + "/a");
            flush(api);
            assertThat(files(php)).containsExactly("a/old.txt", "log/old");
            assertThat(files(all)).containsExactly("a/old.php", "a/old.txt", "log/old");
            assertThat(files(hidden)).isEmpty();
            assertThat(dromedary.output()).doesNotContain("WARN", "ERROR");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            --exclude-from=/none/x   | exclude-from /none/x: there is no file /none/x
            -aF                      | -F is not allowed; it reads a .rsync-filter in each directory
            -aC                      | -C is not allowed; it reads a .cvsignore in each directory
            -f 'dir-merge .x'        | filter rule "dir-merge .x" reads a file in each directory
            """)
    void whatCannotMeanOneThingIsOneLine(String args, String message) throws IOException {
        Files.createDirectory(directory.resolve("copy"));
        for (String command : List.of("check", "run")) {
            Configuration configuration = new Configuration(directory, source)
                    .remote(
                            "copy",
                            directory.resolve("copy").toString(),
                            "args: \"" + args.replace("\"", "\\\"") + "\"");
            String[] arguments = configuration.arguments();
            arguments[0] = command;
            try (DromedaryProcess dromedary = DromedaryProcess.start(directory, arguments)) {
                assertThat(dromedary.exitCode(START)).as(dromedary.output()).isEqualTo(2);
                // The launcher may have said what it prepares.
                assertThat(dromedary.output().lines().filter(line -> !line.contains("preparing")))
                        .singleElement()
                        .asString()
                        .startsWith("dromedary: ")
                        .contains("remote copy: rsync argument " + message);
            }
        }
    }
}
