package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.SshDaemon;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.camel.component.exec.ExecCommand;
import org.apache.camel.component.exec.ExecResult;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Live pushes over ssh share a connection; a real sshd counts them. */
@Timeout(120)
class SshConnectionsIT {
    private static final Duration SOON = Duration.ofSeconds(30);

    private static SshDaemon sshd;

    @TempDir
    Path directory;

    private Path source;
    private Path copy;
    private long before;
    private final RsyncProcess rsync = new RsyncProcess();

    @BeforeAll
    static void startSshd() {
        sshd = new SshDaemon().start();
    }

    @AfterAll
    static void stopSshd() {
        sshd.close();
    }

    @BeforeEach
    void trees() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        rsync.setStateDir(directory.resolve("state").toString());
        before = accepted();
    }

    @AfterEach
    void close() {
        rsync.close();
    }

    private static long accepted() {
        return sshd.log().lines().filter(line -> line.startsWith("Accepted ")).count();
    }

    private long connections() {
        return accepted() - before;
    }

    private List<Path> sockets() throws IOException {
        Path sockets = directory.resolve("state/ssh");
        if (Files.notExists(sockets)) {
            return List.of();
        }
        try (Stream<Path> found = Files.list(sockets)) {
            return found.toList();
        }
    }

    private ExecResult push(String... more) {
        return pushBy(String.join(" ", sshd.sshArguments()), more);
    }

    private ExecResult pushBy(String ssh, String... more) {
        List<String> arguments = new ArrayList<>(List.of("--rsh=" + ssh, "-a", "--timeout=60"));
        arguments.addAll(List.of(more));
        arguments.addAll(List.of("--", ".", sshd.target(copy) + "/"));
        return rsync.execute(new ExecCommand(
                "rsync",
                arguments,
                source.toString(),
                0L,
                Set.of(),
                new ByteArrayInputStream(new byte[0]),
                null,
                false,
                null));
    }

    @Test
    void livePushesShareOneAndTheEndEndsIt() throws IOException {
        for (String name : List.of("a", "b", "c")) {
            Files.writeString(source.resolve(name), name);
            push();
            assertThat(copy.resolve(name)).hasContent(name);
        }
        assertThat(connections()).isEqualTo(1);
        assertThat(sockets()).hasSize(1);
        ProcessHandle holder = holder(sockets().get(0));
        // Whoever works in the source keeps it from being unmounted.
        assertThat(Files.readSymbolicLink(Path.of("/proc/" + holder.pid() + "/cwd")))
                .isEqualTo(Path.of("/"));

        rsync.close();
        assertThat(sockets()).isEmpty();
        await().atMost(SOON).until(() -> !holder.isAlive());
    }

    private static ProcessHandle holder(Path socket) {
        return ProcessHandle.allProcesses()
                .filter(process -> {
                    try {
                        return Files.readString(
                                        Path.of("/proc/" + process.pid() + "/cmdline"), StandardCharsets.ISO_8859_1)
                                .startsWith("ssh: " + socket + " [mux]");
                    } catch (IOException ended) {
                        return false;
                    }
                })
                .findFirst()
                .orElseThrow();
    }

    @Test
    void fullSyncHasOneOfItsOwn() throws IOException {
        push();
        push(Transfer.OPTION);
        push();
        assertThat(connections()).isEqualTo(2);
    }

    /** What runs over the old one at that moment goes on. */
    @Test
    void afterAFailureTheNextPushHasANewOne() throws Exception {
        push();
        Path running = directory.resolve("running");
        Path go = directory.resolve("go");
        Path slow = Files.writeString(
                directory.resolve("slow"),
                "#!/bin/sh\ntouch '" + running + "'\nuntil [ -e '" + go
                        + "' ]; do sleep 0.05; done\nexec rsync \"$@\"\n");
        assertThat(slow.toFile().setExecutable(true)).isTrue();
        Files.writeString(source.resolve("file"), "x");
        CompletableFuture<ExecResult> other = CompletableFuture.supplyAsync(() -> push("--rsync-path=" + slow));
        await().atMost(SOON).until(() -> Files.exists(running));

        assertThatThrownBy(() -> push("--rsync-path=false")).isInstanceOf(RsyncException.class);
        push();
        assertThat(connections()).isEqualTo(2);
        Files.createFile(go);
        assertThat(other.get(SOON.toSeconds(), TimeUnit.SECONDS).getExitValue()).isZero();
    }

    @Test
    void connectionThatIsLostIsMadeAnew() throws IOException {
        push();
        // Without a farewell.
        holder(sockets().get(0)).destroyForcibly();
        Files.writeString(source.resolve("file"), "x");
        try {
            push();
        } catch (RsyncException lost) {
            push();
        }
        assertThat(copy.resolve("file")).hasContent("x");
    }

    @Test
    void anotherWayToTheSameHostIsAnotherConnection() {
        push();
        pushBy(String.join(" ", sshd.sshArguments()) + " -o Compression=yes");
        assertThat(connections()).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-o ControlMaster=no", "-S none", "-oControlPath=none", "-o controlpersist=5"})
    void whatTheUserSaysOfItHolds(String option) throws IOException {
        pushBy(String.join(" ", sshd.sshArguments()) + " " + option);
        assertThat(sockets()).isEmpty();
    }

    /** A socket's path has 108 bytes at most. */
    @Test
    void stateDirectoryTooFarDownIsNoError() throws IOException {
        Path deep = directory.resolve("d".repeat(100));
        rsync.setStateDir(deep.toString());
        push();
        assertThat(deep).doesNotExist();
        assertThat(connections()).isEqualTo(1);
    }
}
