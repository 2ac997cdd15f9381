package io.dromedary.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TestbedIT {

    @TempDir
    Path temp;

    private Path source;
    private Path target;

    @BeforeEach
    void trees() throws IOException {
        source = Files.createDirectory(temp.resolve("source"));
        target = Files.createDirectory(temp.resolve("target"));
        Files.writeString(source.resolve("file"), "content");
        Files.createSymbolicLink(source.resolve("link"), Path.of("/etc/absolute"));
    }

    private Command push(String url, String... options) {
        List<String> words = new ArrayList<>(List.of("rsync", "-a", "--modify-window=-1"));
        words.addAll(List.of(options));
        words.addAll(List.of(source + "/", url));
        return Command.run(Map.of("RSYNC_PASSWORD", "right"), words);
    }

    @Test
    void rsyncDaemonTakesAPush() {
        try (RsyncDaemon daemon = new RsyncDaemon()
                .global("socket options = TCP_NODELAY")
                .module("m", target)
                .module("fixed", target, "read only = yes")
                .start()) {
            assertThat(push(daemon.url("m")).errors()).isEmpty();
            assertThat(Trees.differences(source, target)).isEmpty();
            assertThat(push(daemon.url("fixed")).errors()).contains("read only");
        }
    }

    @Test
    void rsyncDaemonAsksForThePassword() {
        try (RsyncDaemon daemon = new RsyncDaemon()
                .module("m", target)
                .user("eve", "wrong")
                .user("bob", "right")
                .start()) {
            Command refused = push(daemon.url("eve", "m"));
            assertThat(refused.exitCode()).isEqualTo(5);
            assertThat(refused.errors()).contains("auth failed");
            assertThat(target).isEmptyDirectory();
            assertThat(push(daemon.url("bob", "m")).errors()).isEmpty();
            assertThat(Trees.differences(source, target)).isEmpty();
        }
    }

    @Test
    void rsyncDaemonGoesAndComesBackOnTheSamePort() {
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", target).start()) {
            String url = daemon.url("m");
            daemon.stop();
            Command refused = push(url);
            assertThat(refused.exitCode()).isEqualTo(10);
            assertThat(refused.errors()).contains("Connection refused");
            daemon.start();
            assertThat(daemon.url("m")).isEqualTo(url);
            daemon.kill();
            assertThat(push(url).errors()).contains("Connection refused");
            daemon.start();
            assertThat(push(url).exitCode()).isZero();
            assertThat(Trees.differences(source, target)).isEmpty();
        }
    }

    @Test
    void rsyncDaemonHangsWhileSuspended() {
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", target).start()) {
            daemon.suspend();
            assertThat(push(daemon.url("m"), "--timeout=1").exitCode()).isEqualTo(30);
            daemon.resume();
            assertThat(push(daemon.url("m")).exitCode()).isZero();
        }
    }

    @Test
    void rsyncDaemonTakesItsRunningTransfersDownWithIt() throws Exception {
        Files.write(source.resolve("big"), new byte[2_000_000]);
        List<ProcessHandle> children;
        Process push;
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", target).start()) {
            push = new ProcessBuilder("rsync", "-a", "--bwlimit=100", source + "/", daemon.url("m"))
                    .redirectErrorStream(true)
                    .redirectOutput(temp.resolve("push").toFile())
                    .start();
            ProcessHandle listener = ProcessHandle.of(daemon.pid()).orElseThrow();
            await().atMost(Duration.ofSeconds(20))
                    .until(() -> listener.descendants().count() > 1);
            children = listener.descendants().toList();
            daemon.stop();
            assertThat(push.waitFor()).isNotZero();
        }
        assertThat(children).hasSizeGreaterThan(1).allMatch(Daemon::ended);
    }

    @Test
    void sshDaemonTakesAPush() {
        try (SshDaemon daemon = new SshDaemon().start()) {
            String shell = String.join(" ", daemon.sshArguments());
            Command push = push(daemon.target(target), "-e", shell);
            assertThat(push.errors()).isEmpty();
            assertThat(push.exitCode()).isZero();
            assertThat(Trees.differences(source, target)).isEmpty();

            daemon.stop();
            Command refused = push(daemon.target(target), "-e", shell);
            assertThat(refused.errors()).contains("Connection refused");
            // 255 is ssh's, 12 rsync's own when it sees the closed pipe before ssh's end.
            assertThat(refused.exitCode()).isIn(12, 255);

            daemon.start();
            assertThat(push(daemon.target(target), "-e", shell).exitCode()).isZero();
        }
    }

    @Test
    void sshDaemonLetsNoOtherKeyIn() {
        try (SshDaemon daemon = new SshDaemon().start();
                SshDaemon other = new SshDaemon().start()) {
            String shell = String.join(" ", daemon.sshArguments())
                    .replace(daemon.directory() + "/client_key", other.directory() + "/client_key");
            Command refused = push(daemon.target(target), "-e", shell);
            assertThat(refused.errors()).contains("Permission denied (publickey)");
            assertThat(target).isEmptyDirectory();
        }
    }

    private DromedaryProcess shell(String script) {
        return DromedaryProcess.startOther(temp, Map.of("LC_ALL", "C"), "/bin/sh", "-c", script);
    }

    @Test
    void processWaitsForALineAndForTheEnd() {
        try (DromedaryProcess process = shell("echo locale $LC_ALL; pwd; echo ready >&2; read x; exit 3")) {
            assertThat(process.awaitLine("^ready$", Duration.ofSeconds(10))).isEqualTo("ready");
            assertThat(process.exitCode(Duration.ofSeconds(10))).isEqualTo(3);
            assertThat(process.output()).isEqualTo("locale C\n" + temp + "\nready\n");
            assertThat(process.log()).hasContent(process.output());
            assertThatThrownBy(() -> process.awaitLine("never", Duration.ofMinutes(1)))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("ended with 3")
                    .hasMessageContaining("ready");
        }
    }

    @Test
    void processIsTerminatedOrKilled() {
        try (DromedaryProcess process =
                shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done")) {
            process.awaitLine("ready", Duration.ofSeconds(10));
            assertThatThrownBy(() -> process.awaitLine("bye", Duration.ofMillis(100)))
                    .hasMessageStartingWith("no line with bye within PT0.1S in:\nready");
            assertThatThrownBy(() -> process.exitCode(Duration.ofMillis(100))).hasMessageContaining("still running");
            process.terminate();
            assertThat(process.exitCode(Duration.ofSeconds(10))).isZero();
            assertThat(process.output()).endsWith("bye\n");
        }
        try (DromedaryProcess process = shell("echo ready; exec sleep 1000")) {
            process.awaitLine("ready", Duration.ofSeconds(10));
            process.kill();
            assertThat(process.exitCode(Duration.ofSeconds(10))).isEqualTo(128 + 9);
        }
    }

    @Test
    void processLeavesNoChildrenBehind() {
        ProcessHandle child;
        try (DromedaryProcess process = shell("sleep 1000 & echo ready; wait")) {
            process.awaitLine("ready", Duration.ofSeconds(10));
            child = ProcessHandle.of(process.pid())
                    .orElseThrow()
                    .descendants()
                    .findFirst()
                    .orElseThrow();
            process.kill();
            assertThat(Daemon.ended(child)).isFalse();
        }
        await().atMost(Duration.ofSeconds(10)).until(() -> Daemon.ended(child));
    }

    @Test
    void missingProgramIsNamed() {
        assertThatThrownBy(() -> Command.run("no-such-program", "x"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("no-such-program is not installed");
    }

    @Test
    void churnIsMirroredByOneRsync() {
        long seed = new Random().nextLong();
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", target).start()) {
            Churn churn = new Churn(source, seed);
            for (int round = 0; round < 3; round++) {
                churn.run(400);
                assertThat(push(daemon.url("m"), "--delete", "--force").errors())
                        .isEmpty();
                assertThat(Trees.differences(source, target))
                        .as("seed %d", seed)
                        .isEmpty();
            }
        }
    }
}
