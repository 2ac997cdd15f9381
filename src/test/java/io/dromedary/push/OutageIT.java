package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What goes wrong with one remote, or with a push: nothing is lost, and no other remote waits. */
class OutageIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final Duration AT_ONCE = Duration.ofSeconds(2);
    private static final int LARGE = 3 << 20;

    @TempDir
    Path directory;

    private Path source;
    private final List<RsyncDaemon> daemons = new ArrayList<>();
    private final List<Path> copies = new ArrayList<>();

    /** What happens to a remote, the words by which rsync tells, and how it comes right again. */
    private enum Fault {
        STOPPED("Connection refused") {
            @Override
            AutoCloseable happen(RsyncDaemon daemon, Path copy) {
                daemon.stop();
                return daemon::start;
            }
        },
        HANGING("timeout|timed out") {
            @Override
            AutoCloseable happen(RsyncDaemon daemon, Path copy) {
                daemon.suspend();
                return daemon::resume;
            }
        },
        READ_ONLY("module is read only") {
            @Override
            AutoCloseable happen(RsyncDaemon daemon, Path copy) {
                return restarted(daemon.module("m", copy, "read only = yes"), () -> daemon.module("m", copy));
            }
        },
        WRONG_PASSWORD("auth failed on module m") {
            @Override
            AutoCloseable happen(RsyncDaemon daemon, Path copy) {
                return restarted(daemon.user("bob", "changed"), () -> daemon.user("bob", "open sesame"));
            }
        },
        MODULE_GONE("Unknown module 'm'") {
            @Override
            AutoCloseable happen(RsyncDaemon daemon, Path copy) {
                return restarted(daemon.withoutModule("m"), () -> daemon.module("m", copy));
            }
        },
        BUSY("max connections \\(2\\) reached") {
            @Override
            AutoCloseable happen(RsyncDaemon daemon, Path copy) throws IOException {
                Socket first = occupy(daemon);
                Socket second = occupy(daemon);
                return () -> {
                    first.close();
                    second.close();
                };
            }
        };

        final String words;

        Fault(String words) {
            this.words = words;
        }

        /** Makes it happen, and returns what ends it. */
        abstract AutoCloseable happen(RsyncDaemon daemon, Path copy) throws IOException;

        private static AutoCloseable restarted(RsyncDaemon daemon, Runnable heal) {
            daemon.stop();
            daemon.start();
            return () -> {
                daemon.stop();
                heal.run();
                daemon.start();
            };
        }

        /** Takes one of the module's connections, as a client that says no more; pushes may hold it a moment longer. */
        private static Socket occupy(RsyncDaemon daemon) {
            return await().atMost(SOON).until(() -> connect(daemon), Objects::nonNull);
        }

        private static Socket connect(RsyncDaemon daemon) throws IOException {
            Socket socket = new Socket(InetAddress.getLoopbackAddress(), daemon.port());
            BufferedReader answers =
                    new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
            String greeting = answers.readLine();
            socket.getOutputStream().write((greeting + "\nm\n").getBytes(StandardCharsets.US_ASCII));
            if ("@RSYNCD: OK".equals(answers.readLine())) {
                return socket;
            }
            socket.close();
            return null;
        }
    }

    @BeforeEach
    void source() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
    }

    @AfterEach
    void close() {
        daemons.forEach(RsyncDaemon::close);
    }

    private void write(String path, String text) throws IOException {
        Path file = source.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void writeLarge(String path) throws IOException {
        Files.write(source.resolve(path), new byte[LARGE]);
    }

    private Path copy(String name) throws IOException {
        Path copy = Files.createDirectory(directory.resolve(name));
        copies.add(copy);
        return copy;
    }

    private RsyncDaemon daemon(Path copy, String... lines) {
        RsyncDaemon daemon = new RsyncDaemon().module("m", copy, lines);
        daemons.add(daemon);
        return daemon;
    }

    private static String remote(String name, String target, String... more) {
        String yaml = "              - to:\n                  uri: kamelet:rsync\n                  parameters:\n"
                + "                    remote: " + name + "\n                    target: " + target + "\n";
        for (String line : more) {
            yaml += "                    " + line + "\n";
        }
        return yaml;
    }

    private DromedaryProcess run(String remotes, String... settings) throws IOException {
        Path conf = directory.resolve("conf");
        Files.createDirectories(conf.resolve("routes"));
        Files.writeString(
                conf.resolve("routes/tree.camel.yaml"),
                "- route:\n    id: tree\n    from:\n      uri: kamelet:watch\n      parameters:\n        source: "
                        + source + "\n      steps:\n        - multicast:\n            steps:\n" + remotes);
        List<String> arguments = new ArrayList<>(List.of("run", "-c", conf.toString()));
        Stream.concat(
                        Stream.of("http.port=0", "retry.cron=* * * * * ?", "retry.max-backoff=1s", "rsync.timeout=5"),
                        Stream.of(settings))
                .forEach(setting -> arguments.addAll(List.of("--set", setting)));
        return DromedaryProcess.start(directory, arguments.toArray(String[]::new));
    }

    private List<Path> stateFiles(String below) throws IOException {
        Path state = directory.resolve("state").resolve(below);
        if (!Files.isDirectory(state)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(state)) {
            return files.filter(file -> file.toString().endsWith(".changes")).toList();
        }
    }

    private String stateText(String below) throws IOException {
        StringBuilder text = new StringBuilder();
        for (Path file : stateFiles(below)) {
            try {
                text.append(Files.readString(file, StandardCharsets.ISO_8859_1));
            } catch (NoSuchFileException e) {
                // It has just been redelivered.
            }
        }
        return text.toString();
    }

    @ParameterizedTest
    @EnumSource(Fault.class)
    void oneRemotesFaultDelaysNoOtherAndNothingIsLost(Fault fault) throws Exception {
        Path password = Files.writeString(directory.resolve("secret"), "open sesame\n");
        Files.setPosixFilePermissions(password, PosixFilePermissions.fromString("rw-------"));
        String remotes = "";
        // Each place among the three is the faulty one's in turn.
        int faulty = fault.ordinal() % 3;
        for (int i = 0; i < 3; i++) {
            RsyncDaemon daemon =
                    daemon(copy("r" + i), fault == Fault.BUSY ? new String[] {"max connections = 2"} : new String[0]);
            if (fault == Fault.WRONG_PASSWORD) {
                daemon.user("bob", "open sesame");
            }
            daemon.start();
            remotes += fault == Fault.WRONG_PASSWORD
                    ? remote("r" + i, daemon.url("bob", "m"), "passwordFile: " + password)
                    : remote("r" + i, daemon.url("m"));
        }
        String name = "r" + faulty;
        Path sick = copies.get(faulty);
        write("before", "text");
        write("changes/file", "one");
        try (DromedaryProcess dromedary = run(remotes)) {
            for (int i = 0; i < 3; i++) {
                dromedary.awaitLine("r" + i + ": .*live", START);
            }
            long pid = dromedary.pid();
            AutoCloseable end = fault.happen(daemons.get(faulty), sick);
            writeLarge("large");
            for (int i = 0; i < 5; i++) {
                write("during" + i, "text");
                write("changes/file", "during " + i);
                for (Path copy : copies) {
                    if (!copy.equals(sick)) {
                        arrives(copy, "during" + i, "text");
                        arrives(copy, "changes/file", "during " + i);
                    }
                }
            }
            Files.delete(source.resolve("before"));
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(stateText("failed/" + name)).contains("entry large", "# tries: 2"));
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(stateText("failed/" + name) + stateText("pending/" + name))
                            .contains("entry large", "entry during4", "changes", "entry before"));
            for (Path file : stateFiles("failed/" + name)) {
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                        .isEqualTo("rw-------");
            }
            assertThat(dromedary.output().lines().filter(line -> line.contains(" " + name + ": down")))
                    .as("told once, in rsync's words")
                    .hasSize(1)
                    .allSatisfy(line -> assertThat(line).containsPattern(fault.words));
            assertThat(dromedary.output()).doesNotContain("sesame");
            end.close();
            for (Path copy : copies) {
                Trees.awaitEqual(source, copy, SOON);
            }
            dromedary.awaitLine(name + ": up again", SOON);
            await().atMost(SOON).untilAsserted(() -> assertThat(stateFiles("failed/" + name))
                    .isEmpty());
            write("after", "text");
            arrives(sick, "after", "text");
            assertThat(dromedary.pid()).isEqualTo(pid);
            assertThat(ProcessHandle.of(pid)).isPresent();
        }
    }

    private static void arrives(Path copy, String path, String text) {
        await(copy + "/" + path)
                .atMost(AT_ONCE)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(20))
                .untilAsserted(() -> assertThat(copy.resolve(path)).hasContent(text));
    }

    private static Optional<ProcessHandle> rsync(DromedaryProcess dromedary) {
        return ProcessHandle.of(dromedary.pid()).stream()
                .flatMap(ProcessHandle::descendants)
                .filter(child -> child.info().command().orElse("").matches(".*/rsync[^/]*"))
                .findFirst();
    }

    /** Waits until the remote has begun to take the large file. */
    private static ProcessHandle awaitPush(DromedaryProcess dromedary, Path copy) {
        await().atMost(SOON).pollInterval(Duration.ofMillis(20)).until(() -> {
            try (Stream<Path> files = Files.list(copy)) {
                return files.anyMatch(file -> file.getFileName().toString().startsWith(".large."));
            }
        });
        return rsync(dromedary).orElseThrow();
    }

    @Test
    void pushWhoseRsyncIsKilledIsMadeAgain() throws IOException {
        Path copy = copy("copy");
        RsyncDaemon daemon = daemon(copy).start();
        try (DromedaryProcess dromedary = run(remote("r", daemon.url("m")), "rsync.bwlimit=1500")) {
            dromedary.awaitLine("r: .*live", START);
            writeLarge("large");
            ProcessHandle rsync = awaitPush(dromedary, copy);
            write("meanwhile", "text");
            rsync.destroyForcibly();
            dromedary.awaitLine("r: down: rsync was ended by signal 9", SOON);
            Trees.awaitEqual(source, copy, SOON);
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(stateFiles("failed/r")).isEmpty());
        }
    }

    @Test
    void endInMidPushIsQuickAndTheNextStartFinishesTheJob() throws IOException {
        Path copy = copy("copy");
        RsyncDaemon daemon = daemon(copy).start();
        String remote = remote("r", daemon.url("m"));
        ProcessHandle rsync;
        try (DromedaryProcess dromedary = run(remote, "full-sync.initial=false", "rsync.bwlimit=100")) {
            dromedary.awaitLine("watching", START);
            write("gone", "text");
            Trees.awaitEqual(source, copy, SOON);
            writeLarge("large");
            rsync = awaitPush(dromedary, copy);
            write("waits", "text");
            Files.delete(source.resolve("gone"));
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(stateText("pending/r")).contains("entry waits", "entry gone"));
            dromedary.terminate();
            assertThat(dromedary.exitCode(Duration.ofSeconds(8))).isZero();
            await().atMost(AT_ONCE).until(() -> !rsync.isAlive());
        }
        assertThat(stateText("pending/r") + stateText("failed/r")).contains("entry large", "entry waits", "entry gone");
        assertThat(copy.resolve("large")).doesNotExist();
        try (DromedaryProcess dromedary = run(remote, "full-sync.initial=false")) {
            Trees.awaitEqual(source, copy, START);
            assertThat(dromedary.output()).doesNotContain("full sync");
        }
    }

    @Test
    void stateDirectoryThatCannotBeWrittenDoesNotStopMirroring() throws IOException {
        RsyncDaemon well = daemon(copy("well")).start();
        RsyncDaemon sick = daemon(copy("sick")).start();
        write("before", "text");
        Path state = directory.resolve("state");
        try (DromedaryProcess dromedary = run(remote("well", well.url("m")) + remote("sick", sick.url("m")))) {
            dromedary.awaitLine("well: .*live", START);
            dromedary.awaitLine("sick: .*live", START);
            // Files in the place of directories stop root too.
            for (String name : new String[] {"pending", "failed"}) {
                assertThat(Command.run("rm", "-rf", state.resolve(name).toString())
                                .exitCode())
                        .isZero();
                Files.writeString(state.resolve(name), "");
            }
            sick.stop();
            write("first", "text");
            dromedary.awaitLine("ERROR .*" + state, START);
            dromedary.awaitLine("sick: down: .*Connection refused", START);
            write("during", "text");
            arrives(copies.get(0), "during", "text");
            sick.start();
            Trees.awaitEqual(source, copies.get(1), SOON);
            write("after", "text");
            Files.delete(source.resolve("during"));
            Trees.awaitEqual(source, copies.get(1), SOON);
            Trees.awaitEqual(source, copies.get(0), SOON);
        }
    }
}
