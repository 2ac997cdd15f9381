package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.dromedary.testbed.Api;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.Relay;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is told of large files on their way, and what a person may do about them. */
@Timeout(240)
class LargeFilesSteeringIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final int MB = 1 << 20;

    /** What is this large is not nearly there as soon as it is on its way. */
    private static final int HUGE = 96 * MB;

    private static final String ODD = "b\\ack\nsl\u00e4sh";
    private static final String ODD_AS_TOLD = "b\\\\ack\\x0asl\u00e4sh";

    @TempDir
    Path directory;

    private final Random random = new Random(7);
    private Path source;
    private Path copy;
    private RsyncDaemon daemon;
    private Relay line;
    private Api api;
    private Configuration configuration;

    @BeforeEach
    void remote() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        daemon = new RsyncDaemon().module("m", copy).start();
        line = new Relay(daemon.port());
        api = new Api();
        configuration = new Configuration(directory, source)
                .set("large-file=1M", "large-pushes=1", api.setting())
                .remote("far", "rsync://127.0.0.1:" + line.port() + "/m", "bwlimit: 6m");
    }

    @AfterEach
    void close() {
        line.close();
        daemon.close();
    }

    private void write(String name, int bytes) throws IOException {
        byte[] content = new byte[bytes];
        random.nextBytes(content);
        Files.write(source.resolve(name), content);
    }

    private JsonNode remoteNow() {
        return api.get("/api/status").at("/mirrors/0/remotes/0");
    }

    private List<String> sending() {
        return paths(remoteNow().get("large"));
    }

    private List<String> waiting() {
        return paths(remoteNow().at("/largeWaiting/next"));
    }

    private static List<String> paths(JsonNode files) {
        return StreamSupport.stream(files.spliterator(), false)
                .map(file -> file.get("path").asText())
                .toList();
    }

    private void awaitSending(String path) {
        await().atMost(SOON).until(() -> {
            JsonNode large = remoteNow().get("large");
            return paths(large).equals(List.of(path))
                    && large.get(0).get("bytesPerSecond").asLong() > 0;
        });
    }

    private Command command(String... arguments) {
        List<String> words = new ArrayList<>(
                List.of(DromedaryProcess.PROJECT.resolve("bin/dromedary").toString()));
        words.addAll(List.of(arguments));
        words.addAll(List.of("--url", api.url()));
        return Command.run(Map.of("LC_ALL", "C.UTF-8"), words);
    }

    private static String output(Command command) {
        return new String(command.output(), StandardCharsets.UTF_8);
    }

    private String metric(String name) {
        return api.text("/observe/metrics")
                .lines()
                .filter(one -> one.startsWith(name + "{mirror=\"tree\",remote=\"far\"} "))
                .map(one -> one.substring(one.indexOf(' ') + 1))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no metric " + name));
    }

    @Test
    void isToldHowFarTheyAreAndWhoIsPutOffOrPausedGoesOnWhereItWas() throws Exception {
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("far: .*live", START);
            assertThat(metric("dromedary_large_pending")).isEqualTo("0.0");
            write("huge", HUGE);
            awaitSending("huge");
            write(ODD, 2 * MB);
            write("third", 3 * MB);
            await().atMost(SOON).until(() -> waiting().size() == 2);
            JsonNode remote = remoteNow();
            assertThat(remote.get("state").asText()).isEqualTo("pushing");
            JsonNode huge = remote.get("large").get(0);
            assertThat(huge.get("size").asLong()).isEqualTo(HUGE);
            assertThat(huge.get("sent").asLong()).isBetween(1L, (long) HUGE);
            assertThat(huge.get("bytesPerSecond").asLong()).isBetween(2L * MB, 40L * MB);
            assertThat(huge.get("secondsLeft").asLong()).isBetween(1L, 40L);
            assertThat(paths(remote.at("/largeWaiting/next"))).containsExactly(ODD_AS_TOLD, "third");
            assertThat(remote.at("/largeWaiting/files").asInt()).isEqualTo(2);
            assertThat(remote.at("/largeWaiting/bytes").asLong()).isEqualTo(5 * MB);
            assertThat(metric("dromedary_large_pending")).isEqualTo("3.0");
            assertThat(Double.parseDouble(metric("dromedary_large_left_bytes"))).isBetween(5.0 * MB, HUGE + 5.0 * MB);

            api.post("/api/failed/defer?remote=far&path=huge");
            dromedary.awaitLine("far: put off: huge", SOON);
            await().atMost(SOON).until(() -> Files.exists(copy.resolve("third")) && Files.exists(copy.resolve(ODD)));
            assertThat(copy.resolve("huge")).doesNotExist();
            awaitSending("huge");
            assertThatThrownBy(() -> api.post("/api/failed/defer?remote=far&path=huge"))
                    .hasMessageContaining("409")
                    .hasMessageContaining("far: huge: no other large file waits");

            api.post("/api/remotes/far/pause");
            await().atMost(SOON).until(() -> sending().isEmpty());
            assertThat(waiting()).containsExactly("huge");
            // What is in the line's buffers still arrives.
            await().atMost(SOON).until(this::isQuiet);
            write("meanwhile", 2 * MB);
            await().atMost(SOON).until(() -> remoteNow().get("pending").asInt() == 2);
            assertThat(isQuiet()).as("nothing is sent").isTrue();
            assertThat(copy.resolve("huge")).doesNotExist();

            api.post("/api/remotes/far/resume");
            awaitSending("huge");
            await().atMost(SOON).until(() -> waiting().size() == 1);
            assertThat(output(command("status")).lines())
                    .anyMatch(line -> line.matches("  > huge: \\d+% of 100\\.7 MB, \\d+\\.\\d MB/s(, [\\d.]+s left)?"))
                    .contains("  > 1 large file waits, 2.1 MB")
                    .allMatch(line -> line.length() <= 80);
            api.post("/api/flush?timeout=100");
            assertThat(Trees.differences(source, copy))
                    .as("a flush waits for them")
                    .isEmpty();
            assertThat(line.sent()).as("once in all").isLessThan(HUGE * 120L / 100 + 7 * MB);
            assertThat(remoteNow().at("/largeWaiting/files").asInt()).isZero();
            assertThat(configuration.owed("far")).isEmpty();
            assertThat(dromedary.output()).doesNotContain("WARN").doesNotContain("ERROR");
        }
    }

    private boolean isQuiet() throws InterruptedException {
        long before = line.sent();
        Thread.sleep(700);
        return line.sent() == before;
    }

    @Test
    void whatIsDroppedIsForgottenUntilItChanges() throws Exception {
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("far: .*live", START);
            write("huge", 60 * MB);
            awaitSending("huge");
            write(ODD, 2 * MB);
            write("third", 3 * MB);
            await().atMost(SOON).until(() -> waiting().size() == 2);
            drop(ODD_AS_TOLD);
            await().atMost(SOON).until(() -> waiting().equals(List.of("third")));
            assertThat(sending()).as("the one on its way goes on").containsExactly("huge");
            drop("huge");
            api.post("/api/flush");
            assertThat(copy.toFile().list()).contains("third").doesNotContain("huge", ODD);
            assertThat(configuration.owed("far")).isEmpty();
            assertThat(remoteNow().get("pending").asInt()).isZero();
            Files.setLastModifiedTime(source.resolve(ODD), FileTime.fromMillis(1_000_000));
            Files.setLastModifiedTime(source.resolve("huge"), FileTime.fromMillis(1_000_000));
            Trees.awaitEqual(source, copy, SOON);
            assertThat(line.sent()).as("it goes on where it was").isLessThan(60 * MB * 120L / 100 + 5 * MB);

            // And while nothing can leave.
            daemon.suspend();
            write("fourth", 40 * MB);
            await().atMost(SOON).until(() -> sending().equals(List.of("fourth")));
            write("fifth", 2 * MB);
            await().atMost(SOON).until(() -> waiting().equals(List.of("fifth")));
            api.post("/api/remotes/far/pause");
            daemon.resume();
            await().atMost(SOON).until(() -> waiting().size() == 2);
            assertThat(done("failed", "defer", "--remote", "far", waiting().get(0)))
                    .endsWith(" goes after the other large files of far");
            assertThat(done("failed", "drop", "--remote", "far", "fifth")).isEqualTo("1 changes are forgotten");
            drop("fourth");
            await().atMost(SOON).until(() -> configuration.owed("far").isEmpty());
            assertThat(remoteNow().get("state").asText()).isEqualTo("paused");
            api.post("/api/remotes/far/resume");
            api.post("/api/flush");
            assertThat(copy.toFile().list()).doesNotContain("fourth", "fifth");
            api.post("/api/sync");
            Trees.awaitEqual(source, copy, SOON);

            Command nothing = command("failed", "drop", "--remote", "far", "huge");
            assertThat(nothing.exitCode()).isEqualTo(1);
            assertThat(nothing.errors()).contains("far: huge: it neither waits").hasLineCount(1);
            assertThat(command("failed", "retry", "huge").exitCode()).isEqualTo(2);
            assertThatThrownBy(() -> drop("b\\ack")).hasMessageContaining("400");
            assertThatThrownBy(() -> api.post("/api/failed/defer?path=huge")).hasMessageContaining("remote is missing");
            assertThat(dromedary.output().lines().filter(line -> line.contains("far: dropped: ")))
                    .as("told once each")
                    .hasSize(4);
            assertThat(dromedary.output()).doesNotContain("ERROR");
        }
    }

    private void drop(String path) {
        api.post("/api/failed/drop?remote=far&path=" + URLEncoder.encode(path, StandardCharsets.UTF_8));
    }

    private String done(String... arguments) {
        Command command = command(arguments);
        assertThat(command.exitCode()).as(command.errors()).isZero();
        return output(command).strip();
    }
}
