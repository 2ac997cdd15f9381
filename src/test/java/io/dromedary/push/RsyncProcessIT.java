package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.LibC;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Signals;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.camel.component.exec.ExecCommand;
import org.apache.camel.component.exec.ExecResult;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** An rsync that hangs, is killed or leaves something behind: noticed, ended with its children, and never a success. */
@Timeout(120)
@Execution(ExecutionMode.CONCURRENT)
class RsyncProcessIT {
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private final RsyncProcess rsync = new RsyncProcess();

    @AfterEach
    void close() {
        rsync.close();
    }

    /** A program named rsync: what the shell then does in its place. */
    private String script(String text) throws IOException {
        Path written = directory.resolve("text");
        Files.writeString(written, "#!/bin/sh\n" + text + "\n");
        // What this process has open for writing, one that starts just then has too, and Linux runs no such file.
        Path script = directory.resolve("rsync");
        assertThat(Command.run("install", "-m", "755", written.toString(), script.toString())
                        .exitCode())
                .isZero();
        return script.toString();
    }

    private ExecResult run(String program, String... arguments) {
        return run(program, new byte[0], arguments);
    }

    private ExecResult run(String program, byte[] input, String... arguments) {
        return run(program, new ByteArrayInputStream(input), arguments);
    }

    private ExecResult run(String program, InputStream input, String... arguments) {
        return rsync.execute(
                new ExecCommand(program, List.of(arguments), null, 0L, Set.of(), input, null, false, null));
    }

    private Path largeFile() throws IOException {
        return Files.write(directory.resolve("large"), new byte[4 << 20]);
    }

    /** 200,000 files are some 16 MB of progress. It was read by 16 KB each ten milliseconds, which took ten seconds. */
    @Test
    void progressIsReadAsFastAsItComes() throws IOException {
        String program = script("exec head -c 32M /dev/zero");
        long begin = System.nanoTime();
        run(program, Transfer.OPTION);
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(8));
    }

    /**
     * A daemon without TCP_NODELAY whose packets all go in two parts: the second waits until the first is acknowledged,
     * which Linux by itself puts off for 40 ms at least once in each push.
     */
    @Test
    void noPushWaitsForAnAcknowledgement() throws Exception {
        assumeThat(mayAcknowledge())
                .as("pidfd_getfd is allowed, which containers may forbid")
                .isTrue();
        Path copy = Files.createDirectory(directory.resolve("copy"));
        Path file = Files.createFile(directory.resolve("file"));
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                ServerSocket inTwo = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            start(() -> relay(inTwo, daemon.port()));
            String url = "rsync://127.0.0.1:" + inTwo.getLocalPort() + "/m/";
            await().atMost(SOON).until(() -> {
                long begin = System.nanoTime();
                run("rsync", Remote.NO_DELAY, file.toString(), url);
                return System.nanoTime() - begin < Duration.ofMillis(40).toNanos();
            });
        }
    }

    private static boolean mayAcknowledge() throws IOException {
        Process child = new ProcessBuilder("sleep", "60").start();
        int descriptor = LibC.processDescriptor(child.pid());
        try {
            return descriptor >= 0 && LibC.acknowledge(descriptor, 0);
        } finally {
            LibC.closeDescriptor(descriptor);
            child.destroy();
        }
    }

    private static void start(Runnable relay) {
        Thread thread = new Thread(relay, "relay");
        thread.setDaemon(true);
        thread.start();
    }

    private static void relay(ServerSocket from, int port) {
        try {
            while (true) {
                Socket near = from.accept();
                Socket far = new Socket(InetAddress.getLoopbackAddress(), port);
                far.setTcpNoDelay(true);
                start(() -> relay(near, far, 0));
                start(() -> relay(far, near, 1));
            }
        } catch (IOException closed) {
            // the test is over
        }
    }

    private static void relay(Socket from, Socket to, int first) {
        try (from;
                to) {
            byte[] buffer = new byte[64 * 1024];
            for (int n = from.getInputStream().read(buffer);
                    n >= 0;
                    n = from.getInputStream().read(buffer)) {
                to.getOutputStream().write(buffer, 0, first);
                to.getOutputStream().write(buffer, first, n - first);
            }
        } catch (IOException closed) {
            // by the other end
        }
    }

    @Test
    void anotherDirectoryInTheSourcesPlaceIsNotPushed() throws IOException {
        Path source = Files.createDirectory(directory.resolve("source"));
        Mirrors mirrors = new Mirrors();
        Mirror mirror = new Mirror();
        mirror.setId("tree");
        mirror.setSource(source.toString());
        mirror.setExclude("");
        mirror.setExcludeRegex("");
        mirror.setMirrors(mirrors);
        mirror.register();
        rsync.setMirrors(mirrors);
        String program = script("cat > '" + directory.resolve("read") + "'");
        ExecCommand command = new ExecCommand(
                program,
                List.of(),
                source.toString(),
                0L,
                Set.of(),
                new ByteArrayInputStream(new byte[] {'x'}),
                null,
                false,
                null);
        rsync.execute(command);
        assertThat(directory.resolve("read")).hasContent("x");
        Files.delete(directory.resolve("read"));
        Files.move(source, directory.resolve("away"));
        Files.createDirectory(source);
        assertThatThrownBy(() -> rsync.execute(command))
                .isInstanceOf(HaltedException.class)
                .hasMessageContaining("is another directory");
        Files.delete(source);
        assertThatThrownBy(() -> rsync.execute(command))
                .isInstanceOf(HaltedException.class)
                .hasMessageContaining("is gone");
    }

    /** The one of our children that has this among its arguments. */
    private static ProcessHandle awaitChild(String argument) {
        return await().atMost(SOON)
                .pollInterval(Duration.ofMillis(20))
                .until(
                        () -> ProcessHandle.current()
                                .children()
                                .filter(child -> List.of(
                                                child.info().arguments().orElse(new String[0]))
                                        .contains(argument))
                                .findFirst()
                                .orElse(null),
                        child -> child != null);
    }

    /** On a thread of its own: the common pool may have one for all tests. */
    private static CompletableFuture<ExecResult> pushing(Supplier<ExecResult> push) {
        return CompletableFuture.supplyAsync(push, task -> new Thread(task, "push").start());
    }

    private static RsyncException failure(CompletableFuture<?> push) {
        try {
            push.orTimeout(60, TimeUnit.SECONDS).join();
            throw new AssertionError("no failure");
        } catch (CompletionException e) {
            assertThat(e.getCause()).isInstanceOf(RsyncException.class);
            return (RsyncException) e.getCause();
        }
    }

    @Test
    void stoppedRsyncIsEndedWithItsChildrenAndTriedAgain() throws Exception {
        Path large = largeFile();
        Path copy = Files.createDirectory(directory.resolve("copy"));
        CompletableFuture<?> push =
                pushing(() -> run("rsync", "-a", "--timeout=1", "--bwlimit=200", large.toString(), copy + "/"));
        ProcessHandle child = awaitChild(large.toString());
        await().atMost(SOON)
                .until(() -> child.descendants().count() > 0 && copy.toFile().list().length > 0);
        List<ProcessHandle> all = new ArrayList<>(child.descendants().toList());
        all.add(child);
        // All of it: each of the three would else end at its own time-out, since the others do not answer.
        all.forEach(process -> Signals.stop(process.pid()));
        RsyncException failure = failure(push);
        assertThat(failure.getMeaning()).isEqualTo(Meaning.AGAIN);
        assertThat(failure).hasMessageContaining("rsync hung");
        assertThat(all).noneMatch(Signals::isRunning);
    }

    @Test
    void rsyncWhoseOtherSideHangsInMidTransferIsEndedToo() throws Exception {
        Path source = Files.createDirectory(directory.resolve("source"));
        Path copy = Files.createDirectory(directory.resolve("copy"));
        Path gone = Files.createDirectory(copy.resolve("gone"));
        for (int i = 0; i < 30_000; i++) {
            Files.createFile(gone.resolve("f" + i));
        }
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start()) {
            // While the other side deletes it says nothing, and rsync waits and sends signs of life.
            CompletableFuture<?> push = pushing(() -> run(
                    "rsync",
                    new byte[0],
                    "-a",
                    // With 1 it would not write in between.
                    "--timeout=2",
                    "--delete",
                    source + "/",
                    daemon.url("m")));
            await().atMost(SOON)
                    .pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(1))
                    .until(() -> !Files.exists(gone.resolve("f0")) || !Files.exists(gone.resolve("f29999")));
            daemon.suspend();
            try {
                assertThat(gone).exists();
                RsyncException failure = failure(push);
                assertThat(failure.getMeaning()).isEqualTo(Meaning.AGAIN);
                // On a machine so loaded that a sign of life comes too late, rsync ends itself.
                assertThat(failure.getMessage())
                        .containsAnyOf("rsync hung: it has read nothing for 10 times", "io timeout after 2 seconds");
            } finally {
                daemon.resume();
            }
        }
    }

    @Test
    void partOfAListIsNoSuccess() throws IOException {
        InputStream list = new SequenceInputStream(new ByteArrayInputStream(new byte[] {'x'}), new InputStream() {
            @Override
            public int read() {
                throw new IllegalStateException("no more of it");
            }
        });
        Path read = directory.resolve("read");
        assertThatThrownBy(() -> run(script("cat > '" + read + "'"), list)).hasMessage("no more of it");
        assertThat(read).hasContent("x");
    }

    @Test
    void rsyncThatDoesNotReadItsListIsEndedToo() throws Exception {
        String program = script("exec sleep 1000");
        CompletableFuture<?> push = pushing(() -> run(program, new byte[1 << 20], "--timeout=1"));
        assertThat(failure(push)).hasMessageContaining("rsync hung");
    }

    @Test
    void signsOfLifeOfTheRemoteShellAreNoneOfRsync() throws Exception {
        Path shell = directory.resolve("shell");
        Files.writeString(shell, "#!/bin/sh\nexec 1>&-\nwhile :; do date >/dev/null; sleep 0.1; done\n");
        shell.toFile().setExecutable(true);
        // rsync has gone silent for good; its child has not.
        String program = script(shell + " & while :; do wait; done");
        assertThat(failure(pushing(() -> run(program, "--timeout=1")))).hasMessageContaining("rsync hung");
    }

    @Test
    void slowRsyncIsLeftAlone() throws Exception {
        Path large = largeFile();
        Path copy = Files.createDirectory(directory.resolve("copy"));
        // Six seconds under a limit of four.
        run("rsync", "-a", "--timeout=2", "--bwlimit=700", large.toString(), copy + "/");
        assertThat(copy.resolve("large")).hasSameBinaryContentAs(large);
    }

    @Test
    void withoutATimeoutSilenceIsNoFault() throws Exception {
        assertThat(run(script("sleep 3; echo done"), "--timeout=1", "--timeout=0")
                        .getStdout())
                .hasContent("done");
        assertThat(run(script("sleep 3; echo done")).getStdout()).hasContent("done");
    }

    @Test
    void signalIsNeverASuccess() throws Exception {
        for (String signal : List.of("KILL", "TERM", "USR1", "SEGV")) {
            String program = script("kill -" + signal + " $$; sleep 10");
            assertThatThrownBy(() -> run(program, "--timeout=30"))
                    .isInstanceOfSatisfying(RsyncException.class, failure -> assertThat(failure.getMeaning())
                            .isEqualTo(Meaning.AGAIN))
                    .hasMessageContaining("ended by signal");
        }
    }

    @Test
    void whatRsyncLeavesBehindDoesNotHoldUpThePush() throws Exception {
        Path pid = directory.resolve("pid");
        String program = script("sleep 1000 & echo $! >" + pid + "; echo done");
        try {
            assertThat(run(program, "--timeout=30").getExitValue()).isZero();
        } finally {
            Signals.kill(Long.parseLong(Files.readString(pid).strip()));
        }
    }

    @Test
    void nextRunEndsWhatAKilledOneHasLeftBehindAndNothingElse() throws Exception {
        String state = directory.resolve("state").toString();
        String other = directory.resolve("state2").toString();
        rsync.setStateDir(state);
        String program = script("exec sleep 1234");
        CompletableFuture<?> push = pushing(() -> run(program));
        awaitChild("1234");
        RsyncProcess stranger = new RsyncProcess();
        stranger.setStateDir(other);
        stranger.endLeftBehind();
        assertThat(push).isNotDone();
        RsyncProcess next = new RsyncProcess();
        next.setStateDir(state);
        next.endLeftBehind();
        assertThat(failure(push)).hasMessageContaining("ended by signal");
    }
}
