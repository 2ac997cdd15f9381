package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Churn;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Signals;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An orderly end while a remote hangs and another is served, the next start at once, and a second one at the same time. */
class ShutdownIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private Path source;
    private Path well;
    private Path sick;

    @BeforeEach
    void directories() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        well = Files.createDirectory(directory.resolve("well"));
        sick = Files.createDirectory(directory.resolve("sick"));
    }

    private static List<ProcessHandle> rsyncs(DromedaryProcess dromedary) {
        return ProcessHandle.of(dromedary.pid()).stream()
                .flatMap(ProcessHandle::descendants)
                .filter(child -> child.info().command().orElse("").endsWith("/rsync"))
                .toList();
    }

    @Test
    void endsInSecondsThoughARemoteHangsAndTheNextStartLosesNothing() throws Exception {
        try (RsyncDaemon first = new RsyncDaemon().module("m", well).start();
                RsyncDaemon second = new RsyncDaemon().module("m", sick).start()) {
            Configuration configuration = new Configuration(directory, source)
                    .remote("well", first.url("m"))
                    .remote("sick", second.url("m"))
                    .set("full-sync.initial=false");
            Churn churn = new Churn(source, System.nanoTime());
            for (int round = 0; round < 2; round++) {
                String last = "last" + round;
                try (DromedaryProcess dromedary = configuration.run()) {
                    dromedary.awaitLine("watching", START);
                    churn.run(30);
                    second.suspend();
                    churn.run(150);
                    Files.writeString(source.resolve(last), last);
                    await().atMost(SOON)
                            .until(() -> Files.exists(well.resolve(last))
                                    && configuration.owed("sick").contains("entry " + last));
                    long start = System.nanoTime();
                    dromedary.terminate();
                    assertThat(dromedary.exitCode(SOON)).isZero();
                    // Pushes have 3 s to end, and rsync 2 s to clean up; a slow machine some more.
                    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(20));
                    assertThat(rsyncs(dromedary)).noneMatch(Signals::isRunning);
                } finally {
                    second.resume();
                }
            }
            try (DromedaryProcess dromedary = configuration.run()) {
                Trees.awaitEqual(source, well, START);
                Trees.awaitEqual(source, sick, SOON);
                assertThat(dromedary.output()).doesNotContain("full sync");
            }
        }
    }

    @Test
    void secondInstanceIsRefusedAndHarmsTheFirstInNothing() throws Exception {
        Files.write(source.resolve("large"), new byte[2 << 20]);
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", well).start()) {
            Configuration configuration =
                    new Configuration(directory, source).remote("well", daemon.url("m"), "bwlimit: 400");
            try (DromedaryProcess dromedary = configuration.run()) {
                await().atMost(START).until(() -> well.toFile().list().length > 0);
                List<ProcessHandle> pushing = rsyncs(dromedary);
                assertThat(pushing).isNotEmpty();
                try (DromedaryProcess second = configuration.run()) {
                    assertThat(second.exitCode(START)).as(second.output()).isEqualTo(2);
                    assertThat(second.output())
                            .containsPattern("dromedary: .*state is in use by process " + dromedary.pid());
                    assertThat(second.output().lines()).hasSize(1);
                }
                assertThat(pushing).as("it goes on pushing").anyMatch(Signals::isRunning);
                Files.writeString(source.resolve("later"), "text");
                Trees.awaitEqual(source, well, SOON);
                assertThat(dromedary.output()).doesNotContain("down").doesNotContain("WARN");
            }
        }
    }
}
