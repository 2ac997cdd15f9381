package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.dromedary.testbed.Api;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Signals;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** More events than the kernel's queue takes: told, made good, and over when it is over. */
class OverflowIT {
    private static final Path QUEUE = Path.of("/proc/sys/fs/inotify/max_queued_events");
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(120);

    @TempDir
    Path directory;

    private Path source;
    private Path copy;
    private Configuration configuration;
    private Api api;

    @BeforeEach
    void directories() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        api = new Api();
        for (int i = 0; i < 50; i++) {
            Files.createDirectory(source.resolve("d" + i));
        }
    }

    /** One read gives all and a second nothing: Java's own methods would read the first digit. */
    private static int queue() {
        byte[] text = Command.run("cat", QUEUE.toString()).output();
        return Integer.parseInt(new String(text, StandardCharsets.US_ASCII).strip());
    }

    private void write(int files, int names) throws IOException {
        for (int i = 0; i < files; i++) {
            Files.writeString(source.resolve("d" + i % 50).resolve("f" + i % names), "file " + i);
        }
    }

    private void assertOverflowed(DromedaryProcess dromedary) {
        // Looking at so many files again and again would only take the processors from those who work.
        await().atMost(SOON)
                .pollDelay(Duration.ofSeconds(1))
                .pollInterval(Duration.ofMillis(500))
                .untilAsserted(() -> assertThat(configuration.owed("r")).isEmpty());
        Trees.awaitEqual(source, copy, SOON);
        assertThat(status().get("overflows").asLong()).isPositive();
        // No loop: what was owed is through, and neither overflows nor pushes come of it.
        await().atMost(SOON)
                .during(Duration.ofSeconds(2))
                .until(
                        () -> status().get("overflows").asText() + " "
                                + status().at("/remotes/0/pushes").asText(),
                        new Unchanged()::still);
        dromedary.awaitLine("kernel's event queue for .* was full", START);
        assertThat(dromedary.output().lines().filter(line -> line.contains("was full")))
                .hasSizeLessThanOrEqualTo(3);
        assertThat(dromedary.output()).doesNotContain("ERROR").doesNotContain("is gone");
    }

    /** True as long as the text it is shown stays what it was. */
    private static final class Unchanged {
        private String last = "";

        boolean still(String text) {
            boolean same = text.equals(last);
            last = text;
            return same;
        }
    }

    private JsonNode status() {
        return api.get("/api/status").at("/mirrors/0");
    }

    private DromedaryProcess run(RsyncDaemon daemon, String... settings) {
        configuration = new Configuration(directory, source)
                .remote("r", daemon.url("m"))
                .set(api.setting())
                .set(settings);
        return configuration.run(Map.of("DROMEDARY_LOG", "DEBUG"));
    }

    /** As long as its queue is made, the kernel makes it for one event. */
    private DromedaryProcess runWithTheSmallestQueue(RsyncDaemon daemon, String... settings) throws IOException {
        assumeTrue(Files.isWritable(QUEUE), "needs to set " + QUEUE);
        int before = queue();
        // Others on this machine make some too.
        try {
            Files.writeString(QUEUE, "1");
            assumeTrue(queue() == 1, "this system does not take " + QUEUE);
            DromedaryProcess dromedary = run(daemon, settings);
            dromedary.awaitLine("watching", START);
            return dromedary;
        } finally {
            Files.writeString(QUEUE, Integer.toString(before));
        }
    }

    @Test
    void fiftyThousandFilesUnderTheSmallestQueue() throws Exception {
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = runWithTheSmallestQueue(daemon)) {
            write(50_000, 50_000);
            assertOverflowed(dromedary);
            Files.delete(source.resolve("d1/f1"));
            Files.writeString(source.resolve("d2/f2"), "changed");
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    /** It tells of that by an exception; what it lost then, and what comes after it, is sent. */
    @Test
    void fileWatchUnderTheSmallestQueue() throws Exception {
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = runWithTheSmallestQueue(daemon, "watcher=file-watch")) {
            dromedary.awaitLine("live", START);
            write(20_000, 20_000);
            dromedary.awaitLine("file-watch has lost events", START);
            Trees.awaitEqual(source, copy, SOON);
            Files.delete(source.resolve("d1/f1"));
            Files.writeString(source.resolve("d2/f2"), "changed");
            Trees.awaitEqual(source, copy, SOON);
            assertThat(dromedary.output()).doesNotContain("WARN").doesNotContain("ERROR");
        }
    }

    @Test
    void whileItHangs() throws Exception {
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = run(daemon)) {
            dromedary.awaitLine("live", START);
            int queue = queue();
            assumeTrue(queue <= 50_000, QUEUE + " is too large for this test");
            Signals.stop(dromedary.pid());
            try {
                write(queue, 500);
            } finally {
                Signals.resume(dromedary.pid());
            }
            assertOverflowed(dromedary);
        }
    }
}
