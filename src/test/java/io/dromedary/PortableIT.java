package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.testbed.Churn;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.Names;
import io.dromedary.testbed.RawFiles;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left where there is no inotify and no JNA: Camel's file-watch, and of the file system what Java knows. */
class PortableIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    @Test
    void churnEndsWithEverythingEqualOnASystemThatIsNotLinux() throws Exception {
        long seed = System.nanoTime();
        System.out.println("churn seed " + seed);
        Path source = Files.createDirectory(directory.resolve("source"));
        Path copy = Files.createDirectory(directory.resolve("copy"));
        Churn churn = new Churn(Files.createDirectory(source.resolve("churn")), seed).pace(300);
        churn.run(300);
        // For Java's own classes one Unix is like another; JNA has nothing that could be loaded there.
        Map<String, String> elsewhere = Map.of("DROMEDARY_JAVA_OPTS", "-Dos.name=AIX");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start()) {
            String[] mirror = {
                "mirror", "--port", "0", "--set", "retry.cron=* * * * * ?", source.toString(), daemon.url("m")
            };
            try (DromedaryProcess dromedary = DromedaryProcess.start(directory, elsewhere, mirror)) {
                dromedary.awaitLine("live", START);
                churn.run(1000);
                RawFiles files = new RawFiles(Files.createDirectory(source.resolve("odd")));
                for (byte[] name : Names.odd()) {
                    files.write(new String(name, StandardCharsets.ISO_8859_1), name);
                }
                Trees.awaitEqual(source, copy, SOON);
                dromedary.kill();
            }
            churn.run(300);
            try (DromedaryProcess dromedary = DromedaryProcess.start(directory, elsewhere, mirror)) {
                dromedary.awaitLine("live", START);
                Trees.awaitEqual(source, copy, SOON);
                dromedary.terminate();
                assertThat(dromedary.exitCode(SOON)).isZero();
            }
        }
    }

    @Test
    void inotifyIsRefusedThereInOneLine() throws Exception {
        try (DromedaryProcess dromedary = DromedaryProcess.start(
                directory,
                Map.of("DROMEDARY_JAVA_OPTS", "-Dos.name=AIX"),
                "mirror",
                "--port",
                "0",
                "--set",
                "watcher=inotify",
                directory.toString(),
                directory + "/copy")) {
            assertThat(dromedary.exitCode(START)).isEqualTo(2);
            assertThat(dromedary.output())
                    .contains("dromedary.watcher = inotify: needs Linux on a 64-bit machine, and JNA")
                    .doesNotContain("\tat ");
        }
    }
}
