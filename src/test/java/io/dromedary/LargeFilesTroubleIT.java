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
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Large files over ssh, to receivers of other years, without room, from a halted source, and who is told of them. */
@Timeout(240)
class LargeFilesTroubleIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final int MB = 1 << 20;

    @TempDir
    Path directory;

    private final Random random = new Random(11);
    private Path source;
    private Path copy;
    private Api api;
    private Configuration configuration;

    @BeforeEach
    void directories() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        api = new Api();
        configuration = new Configuration(directory, source).set("large-file=1M", api.setting());
    }

    private void write(String name, int bytes) throws IOException {
        byte[] content = new byte[bytes];
        random.nextBytes(content);
        Files.write(source.resolve(name), content);
    }

    private JsonNode remote() {
        return api.get("/api/status").at("/mirrors/0/remotes/0");
    }

    private void awaitSent(long bytes) {
        await().atMost(SOON).until(() -> remote().at("/large/0/sent").asLong() > bytes);
    }

    private Path script(String name, String... lines) throws IOException {
        Path script = Files.writeString(directory.resolve(name), "#!/bin/sh\n" + String.join("\n", lines) + "\n");
        return Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    @Test
    void overSshAnEndTakesSecondsAndTheNextStartGoesOnWhereItWas() throws IOException {
        try (SshDaemon sshd = new SshDaemon().start()) {
            configuration.remote(
                    "far", sshd.target(copy), "ssh: " + String.join(" ", sshd.sshArguments()), "bwlimit: 10m");
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("far: .*live", START);
                write("large", 100 * MB);
                awaitSent(40 * MB);
                Files.writeString(source.resolve("small"), "text");
                await().atMost(SOON).until(() -> Files.exists(copy.resolve("small")));
                long start = System.nanoTime();
                dromedary.terminate();
                assertThat(dromedary.exitCode(SOON)).isZero();
                // Pushes have 3 s to end; a slow machine some more.
                assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(8));
            }
            assertThat(copy.resolve("large")).doesNotExist();
            await().atMost(SOON).until(() -> Files.exists(copy.resolve(".~dromedary~/large")));
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("far: .*live", START);
                api.post("/api/flush?timeout=60");
                assertThat(Trees.differences(source, copy)).isEmpty();
                assertThat(remote().get("bytesSent").asLong()).isLessThan(70 * MB);
            }
        }
    }

    @Test
    void toReceiversOfOtherYears() throws IOException {
        String old =
                "for word; do case $word in -@*|--modify-window*|--delete-missing-args) echo \"rsync: $word: unknown"
                        + " option\" >&2; exit 1;; esac; done";
        Path shell = script("far.sh", "shift", "exec \"$@\"");
        Path strict = Files.createDirectory(directory.resolve("strict"));
        try (RsyncDaemon daemon = new RsyncDaemon()
                .module(
                        "strict",
                        strict,
                        "refuse options = modify-window delete-missing-args stats timeout ignore-times partial-dir")
                .start()) {
            configuration
                    .remote(
                            "old",
                            "far:" + copy,
                            "ssh: " + shell,
                            "args: -a --rsync-path=" + script("old.sh", old, "exec rsync \"$@\""))
                    .remote("strict", daemon.url("strict"));
            Files.write(source.resolve("before"), new byte[2 * MB]);
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("old: .*live", START);
                dromedary.awaitLine("strict: .*live", START);
                write("large", 5 * MB);
                write("gone", 5 * MB);
                Files.delete(source.resolve("gone"));
                awaitEqual(copy);
                awaitEqual(strict);
                write("large", 5 * MB);
                Files.move(source.resolve("before"), source.resolve("after"));
                awaitEqual(copy);
                awaitEqual(strict);
                assertThat(dromedary.output()).doesNotContain("down:").doesNotContain("ERROR");
            }
        }
    }

    /** But for times within a second, where they are compared by the second. */
    private void awaitEqual(Path target) {
        await().atMost(SOON).untilAsserted(() -> assertThat(Trees.differences(source, target))
                .allMatch(line -> line.matches("(?s).*: mtime (\\d+)\\.\\d+ in source, \\1\\.\\d+ in target")));
    }

    @Test
    void whatHasNoRoomTakesNoneFromTheOthersAndGoesOnWhenThereIsSome() throws IOException {
        Command mount = Command.run("mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "tmpfs", copy.toString());
        assumeTrue(mount.exitCode() == 0, "this needs to mount a small tmpfs: " + mount.errors());
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = configuration
                        .remote("far", daemon.url("m"))
                        .set("retry.backoff=4s", "retry.max-backoff=8s")
                        .run()) {
            dromedary.awaitLine("far: .*live", START);
            write("large", 20 * MB);
            dromedary.awaitLine("far: refused: large: .*No space left on device", SOON);
            for (int i = 0; i < 10; i++) {
                write("small" + i, 500_000);
            }
            await().atMost(SOON).untilAsserted(() -> assertThat(copy.toFile().list())
                    .contains("small0", "small9")
                    .hasSize(10));
            assertThat(remote().get("state").asText()).isIn("live", "pushing");
            Command.run("mount", "-o", "remount,size=64m", copy.toString());
            Trees.awaitEqual(source, copy, SOON);
            assertThat(dromedary.output()).doesNotContain("down:");
        } finally {
            Command.run("umount", "-l", copy.toString());
        }
    }

    @Test
    void whoFollowsPushesIsToldOnceWhenItIsThrough() throws IOException {
        Path told = directory.resolve("told");
        Path script = script("tell.sh", "echo \"$1\" >>" + told);
        configuration.arguments();
        Files.writeString(
                directory.resolve("conf/routes/told.camel.yaml"),
                "- route:\n    id: told\n    from:\n      uri: kamelet:pushed\n      parameters:\n        mirror: tree\n"
                        + "      steps:\n        - to:\n            uri: kamelet:command\n            parameters:\n"
                        + "              prefix: " + script + "\n");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = configuration
                        .set("large-pushes=1")
                        .remote("far", daemon.url("m"), "bwlimit: 10m")
                        .run()) {
            dromedary.awaitLine("far: .*live", START);
            write("large", 90 * MB);
            awaitSent(MB);
            write("dropped", 2 * MB);
            write("next", 2 * MB);
            Files.writeString(source.resolve("small"), "text");
            await().atMost(SOON).until(() -> remote().at("/largeWaiting/files").asInt() == 2);
            api.post("/api/failed/drop?remote=far&path=dropped");
            api.post("/api/failed/defer?remote=far&path=large");
            await().atMost(SOON).until(() -> lines(told).contains(source + "/next"));
            assertThat(copy.resolve("large")).doesNotExist();
            assertThat(lines(told)).containsExactlyInAnyOrder(source + "/small", source + "/next");
            api.post("/api/flush?timeout=60");
            await().atMost(SOON).untilAsserted(() -> assertThat(lines(told))
                    .containsExactlyInAnyOrder(source + "/small", source + "/next", source + "/large"));
        }
    }

    private static List<String> lines(Path file) throws IOException {
        return Files.exists(file) ? Files.readAllLines(file) : List.of();
    }

    @Test
    void aHaltedSourceHoldsThemBackAndHalfOfTheProcessesIsForOthers() throws IOException {
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = configuration
                        .set("large-pushes=5", "max-processes=4")
                        .remote("far", daemon.url("m"), "bwlimit: 4m")
                        .run()) {
            dromedary.awaitLine("far: .*live", START);
            for (String name : List.of("a", "b", "c", "d")) {
                write(name, 8 * MB);
            }
            await().atMost(SOON).until(() -> remote().get("large").size() == 2);
            assertThat(remote().at("/largeWaiting/files").asInt()).isEqualTo(2);
            Files.writeString(source.resolve("small"), "text");
            await().atMost(SOON).until(() -> Files.exists(copy.resolve("small")));
            assertThat(copy.toFile().list()).as("beside them").doesNotContain("c", "d");
            Files.move(source, directory.resolve("elsewhere"));
            dromedary.awaitLine("far: a large file did not go through: source .* is gone", SOON);
            assertThat(copy.toFile().list()).doesNotContain("d");
            Files.move(directory.resolve("elsewhere"), source);
            Trees.awaitEqual(source, copy, SOON);
            assertThat(dromedary.output()).doesNotContain("ERROR");
        }
    }
}
