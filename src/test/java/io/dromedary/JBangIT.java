package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.MavenBuild;
import io.dromedary.testbed.RsyncDaemon;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code camel run routes/*.camel.yaml application.properties --dep=…}, as docs/platforms.md says. */
class JBangIT {
    private static final Duration START = Duration.ofMinutes(3);
    private static final Path PROJECT = DromedaryProcess.PROJECT;

    @TempDir
    Path directory;

    @Test
    void camelRunMirrors() throws Exception {
        Path source = Files.createDirectory(directory.resolve("source"));
        Path copy = Files.createDirectory(directory.resolve("copy"));
        Path routes = Files.createDirectory(directory.resolve("routes"));
        Files.writeString(source.resolve("early"), "1");
        Files.writeString(
                directory.resolve("application.properties"),
                "dromedary.state-dir=" + directory.resolve("state") + "\ndromedary.exclude=*.tmp\n");
        MavenBuild maven = new MavenBuild(directory);
        String classpath = MavenBuild.jbangClasspath(directory);
        Path log = directory.resolve("camel.log");
        try (RsyncDaemon daemon = new RsyncDaemon().module("copy", copy).start()) {
            Files.writeString(
                    routes.resolve("www.camel.yaml"),
                    """
                    - route:
                        id: www
                        from:
                          uri: kamelet:watch
                          parameters:
                            source: %s
                          steps:
                            - to:
                                uri: kamelet:rsync
                                parameters:
                                  remote: copy
                                  target: %s
                    """
                            .formatted(source, daemon.url("copy")));
            Process camel = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin/java").toString(),
                            maven.localRepository(),
                            "-cp",
                            classpath,
                            PROJECT.resolve("src/test/jbang/Camel.java").toString(),
                            "run",
                            "routes/www.camel.yaml",
                            "application.properties",
                            "--dep=io.dromedary:dromedary:" + maven.version(),
                            "--repos=" + String.join(",", maven.repositories()))
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            try {
                await().atMost(START)
                        .failFast(() -> assertThat(camel.isAlive())
                                .as(Files.readString(log))
                                .isTrue())
                        .untilAsserted(() -> assertThat(copy.resolve("early")).hasContent("1"));
                Files.writeString(source.resolve("left out.tmp"), "2");
                Files.writeString(source.resolve("live"), "3");
                await().atMost(START)
                        .untilAsserted(() -> assertThat(copy.resolve("live")).hasContent("3"));
                assertThat(copy.resolve("left out.tmp")).doesNotExist();
            } finally {
                camel.destroy();
                if (!camel.waitFor(30, TimeUnit.SECONDS)) {
                    camel.destroyForcibly();
                }
            }
        }
    }
}
