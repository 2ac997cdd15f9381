package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Churn;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.Names;
import io.dromedary.testbed.RawFiles;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The whole way, as a user goes it: the built program, real daemons, real files. */
class MirrorIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private Path source;

    @BeforeEach
    void source() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
    }

    private Path target(String name) throws IOException {
        return Files.createDirectory(directory.resolve(name));
    }

    private void write(String path, String text) throws IOException {
        Path file = source.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private DromedaryProcess mirror(String... arguments) {
        String[] all = Stream.concat(
                        Stream.of("mirror", "--port", "0", "--set", "retry.cron=* * * * * ?", source.toString()),
                        Stream.of(arguments))
                .toArray(String[]::new);
        return DromedaryProcess.start(directory, all);
    }

    private static String remote(String name, String target, String... more) {
        StringBuilder yaml = new StringBuilder("              - to:\n                  uri: kamelet:rsync\n"
                + "                  parameters:\n"
                + "                    remote: " + name + "\n"
                + "                    target: " + target + "\n");
        for (String line : more) {
            yaml.append("                    ").append(line).append('\n');
        }
        return yaml.toString();
    }

    private Path configuration(String settings, String... remotes) throws IOException {
        Path conf = Files.createDirectories(directory.resolve("conf/routes")).getParent();
        Files.writeString(conf.resolve("application.properties"), settings);
        Files.writeString(
                conf.resolve("routes/tree.camel.yaml"),
                "- route:\n    id: tree\n    from:\n      uri: kamelet:watch\n      parameters:\n        source: "
                        + source + "\n      steps:\n        - multicast:\n            steps:\n"
                        + String.join("", remotes));
        return conf;
    }

    private DromedaryProcess run(Path conf, String... arguments) {
        String[] all = Stream.concat(
                        Stream.of(
                                "run",
                                "-c",
                                conf.toString(),
                                "--set",
                                "http.port=0",
                                "--set",
                                "retry.cron=* * * * * ?"),
                        Stream.of(arguments))
                .toArray(String[]::new);
        return DromedaryProcess.start(directory, all);
    }

    @ParameterizedTest
    @ValueSource(strings = {"inotify", "file-watch"})
    void churnEndsWithEverythingEqualAtDaemonSshAndLocalTargets(String watcher) throws IOException {
        long seed = System.nanoTime();
        System.out.println("churn seed " + seed + " " + watcher);
        Path web = target("web");
        Path shell = target("shell");
        Path local = target("local");
        Churn churn = new Churn(source, seed).pace(300);
        churn.run(300);
        try (RsyncDaemon daemon = new RsyncDaemon().module("web", web).start();
                SshDaemon ssh = new SshDaemon().start()) {
            Path conf = configuration(
                    "dromedary.watcher=" + watcher,
                    remote("web", daemon.url("web")),
                    remote("shell", ssh.target(shell), "ssh: \"" + String.join(" ", ssh.sshArguments()) + "\""),
                    remote("local", local.toString()));
            int port = freePort();
            try (DromedaryProcess dromedary = run(conf, "--set", "http.port=" + port)) {
                for (String name : new String[] {"web", "shell", "local"}) {
                    dromedary.awaitLine(name + ": .*live", START);
                }
                churn.run(3000);
                Command flush = Command.run(
                        DromedaryProcess.PROJECT.resolve("bin/dromedary").toString(),
                        "flush",
                        "--url",
                        "http://127.0.0.1:" + port);
                assertThat(flush.exitCode()).as(flush.errors()).isZero();
                for (Path copy : new Path[] {web, shell, local}) {
                    if (watcher.equals("inotify")) {
                        assertThat(Trees.differences(source, copy)).isEmpty();
                    } else {
                        // Cannot be asked how far it is.
                        Trees.awaitEqual(source, copy, SOON);
                    }
                }
                // file-watch tells of a change several times, and its queue may still hold some of that.
                await().atMost(SOON).untilAsserted(() -> assertThat(pending()).isEmpty());
                dromedary.terminate();
                assertThat(dromedary.exitCode(SOON)).isZero();
            }
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return free.getLocalPort();
        }
    }

    /** What the fail queue holds; files go and come while this looks. */
    private String pending() {
        StringBuilder all = new StringBuilder();
        try (Stream<Path> files = Files.walk(directory.resolve("state"))) {
            for (Path file :
                    (Iterable<Path>) files.filter(file -> file.toString().endsWith(".changes"))::iterator) {
                all.append(Files.readString(file, StandardCharsets.ISO_8859_1));
            }
        } catch (IOException | UncheckedIOException e) {
            all.append("not to be told now: ").append(e);
        }
        return all.toString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"inotify", "file-watch"})
    void startSyncsWhatDiffersAndDeletesWhatIsTooMuchButWhatIsExcluded(String watcher) throws IOException {
        Path copy = target("copy");
        write("kept/new", "new");
        write("cache/mine", "not sent");
        Files.createDirectories(copy.resolve("extra/below"));
        Files.writeString(copy.resolve("extra/below/file"), "gone after the start");
        Files.createDirectories(copy.resolve("cache"));
        Files.writeString(copy.resolve("cache/theirs"), "stays");
        try (DromedaryProcess dromedary =
                mirror(copy.toString(), "--exclude", "/cache/", "--set", "watcher=" + watcher)) {
            dromedary.awaitLine("live", START);
            assertThat(copy.resolve("kept/new")).hasContent("new");
            assertThat(copy.resolve("extra")).doesNotExist();
            assertThat(copy.resolve("cache/theirs")).hasContent("stays");
            assertThat(copy.resolve("cache/mine")).doesNotExist();
            write("cache/later", "not sent either");
            write("kept/later", "later");
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(copy.resolve("kept/later")).hasContent("later"));
            assertThat(copy.resolve("cache/later")).doesNotExist();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"inotify", "file-watch"})
    void remoteThatIsDownDelaysNoOtherAndGetsEverythingOnceItIsBack(String watcher) throws IOException {
        Path first = target("first");
        Path second = target("second");
        try (RsyncDaemon up = new RsyncDaemon().module("m", first).start();
                RsyncDaemon down = new RsyncDaemon().module("m", second).start();
                DromedaryProcess dromedary = run(configuration(
                        "dromedary.watcher=" + watcher, remote("up", up.url("m")), remote("down", down.url("m"))))) {
            dromedary.awaitLine("up: .*live", START);
            dromedary.awaitLine("down: .*live", START);
            down.stop();
            write("while/it/was", "down");
            Trees.awaitEqual(source, first, SOON);
            dromedary.awaitLine("down: down: .*(refused|reset)", SOON);
            await().atMost(SOON).untilAsserted(() -> assertThat(pending()).contains("tree while"));
            write("more", "of it");
            Files.delete(source.resolve("while/it/was"));
            Trees.awaitEqual(source, first, SOON);
            down.start();
            Trees.awaitEqual(source, second, SOON);
            await().atMost(SOON).untilAsserted(() -> assertThat(pending()).isEmpty());
            assertThat(dromedary.output().lines().filter(line -> line.contains("down: down:")))
                    .as("told once, not once a try")
                    .hasSizeLessThanOrEqualTo(2);
        }
    }

    /** The first list of several fails, and what was to follow it is neither run nor forgotten. */
    @Test
    void treeOfSeveralListsComesAfterAnOutage() throws IOException {
        Path copy = target("copy");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary =
                        mirror(daemon.url("m"), "--set", "batch.max-paths=100", "--set", "retry.cron=* * * * * ?")) {
            dromedary.awaitLine("live", START);
            Path tree = Files.createDirectory(directory.resolve("tree"));
            for (int i = 0; i < 1_000; i++) {
                Files.writeString(
                        Files.createDirectories(tree.resolve("d" + i % 7)).resolve("f" + i), "text");
            }
            daemon.stop();
            Files.move(tree, source.resolve("tree"));
            dromedary.awaitLine("down: ", SOON);
            daemon.start();
            Trees.awaitEqual(source, copy, SOON);
            dromedary.terminate();
            assertThat(dromedary.exitCode(SOON)).isZero();
        }
    }

    @Test
    void killLosesNothingThatWasPending() throws IOException {
        Path copy = target("copy");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start()) {
            Path conf = configuration("dromedary.full-sync.initial=false", remote("web", daemon.url("m")));
            try (DromedaryProcess dromedary = run(conf)) {
                dromedary.awaitLine("watching", START);
                write("before", "the outage");
                Trees.awaitEqual(source, copy, SOON);
                daemon.stop();
                write("during", "the outage");
                await().atMost(SOON).untilAsserted(() -> assertThat(pending()).contains("entry during"));
                Files.delete(source.resolve("before"));
                await().atMost(SOON).untilAsserted(() -> assertThat(pending()).contains("entry before"));
                dromedary.kill();
            }
            daemon.start();
            try (DromedaryProcess dromedary = run(conf)) {
                Trees.awaitEqual(source, copy, START);
                assertThat(dromedary.output()).doesNotContain("full sync");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"inotify", "file-watch"})
    void oddNamesArriveInTheCLocale(String watcher) throws IOException {
        Path copy = target("copy");
        RawFiles files = new RawFiles(source);
        Map<String, String> locale = Map.of("LC_ALL", "C", "LANG", "C");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = DromedaryProcess.start(
                        directory,
                        locale,
                        "mirror",
                        "--port",
                        "0",
                        "--set",
                        "watcher=" + watcher,
                        source.toString(),
                        daemon.url("m"))) {
            dromedary.awaitLine("live", START);
            for (byte[] name : Names.odd()) {
                String text = new String(name, StandardCharsets.ISO_8859_1);
                files.write(text, name);
                files.mkdir("d-" + text.substring(0, Math.min(text.length(), 200)));
                files.write("d-" + text.substring(0, Math.min(text.length(), 200)) + "/" + text, name);
            }
            Trees.awaitEqual(source, copy, SOON);
            for (byte[] name : Names.odd()) {
                files.unlink(new String(name, StandardCharsets.ISO_8859_1));
            }
            Trees.awaitEqual(source, copy, SOON);
            assertThat(directory.resolve("x")).as("no name is ever run").doesNotExist();
        }
    }

    @Test
    void passwordReachesTheDaemonAndNothingElse() throws IOException {
        Path copy = target("copy");
        Path password = directory.resolve("secret");
        Files.writeString(password, "open sesame\n");
        Files.setPosixFilePermissions(password, PosixFilePermissions.fromString("rw-------"));
        write("file", "text");
        try (RsyncDaemon daemon = new RsyncDaemon()
                        .module("m", copy)
                        .user("bob", "open sesame")
                        .start();
                DromedaryProcess dromedary = mirror(daemon.url("bob", "m"), "--password-file", password.toString())) {
            dromedary.awaitLine("live", START);
            assertThat(copy.resolve("file")).hasContent("text");
            assertThat(dromedary.output()).doesNotContain("sesame");
        }
    }

    @Test
    void scheduledFullSyncRepairsWhatWasChangedAtTheRemoteWhileLiveChangesGoOn() throws IOException {
        Path copy = target("copy");
        write("file", "text");
        try (DromedaryProcess dromedary = mirror(copy.toString(), "--set", "full-sync.cron=0/2 * * * * ?")) {
            dromedary.awaitLine("live", START);
            Files.delete(copy.resolve("file"));
            Files.writeString(copy.resolve("extra"), "theirs");
            write("meanwhile", "live");
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    /** As file-watch's losses are: what comes out of one error handler shares that one's marks, and Camel drops what is in two. */
    @Test
    void whatAnErrorHandlerSendsGoesToTheFailQueueAsAllElse() throws IOException {
        write("file", "text");
        RsyncDaemon daemon = new RsyncDaemon();
        List<Path> copies = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            copies.add(target("copy" + i));
            daemon.module("m" + i, copies.get(i));
        }
        try (daemon) {
            daemon.start();
            Path conf = configuration(
                    "dromedary.full-sync.initial=false",
                    IntStream.range(0, 8)
                            .mapToObj(i -> remote("copy" + i, daemon.url("m" + i)))
                            .toArray(String[]::new));
            Files.writeString(
                    conf.resolve("routes/failing.camel.yaml"),
                    """
                    - onException:
                        exception: [java.lang.IllegalStateException]
                        handled:
                          constant: "true"
                        steps:
                          - to: direct:full-sync
                    - route:
                        id: failing
                        from:
                          uri: timer:failing
                          parameters:
                            repeatCount: 1
                          steps:
                            - throwException:
                                exceptionType: java.lang.IllegalStateException
                                message: once
                    """);
            daemon.stop();
            try (DromedaryProcess dromedary = run(conf)) {
                for (int i = 0; i < 8; i++) {
                    dromedary.awaitLine("copy" + i + ": down", START);
                }
                daemon.start();
                for (Path copy : copies) {
                    Trees.awaitEqual(source, copy, SOON);
                }
                await().atMost(SOON).untilAsserted(() -> assertThat(pending()).isEmpty());
            }
        }
    }

    /** That it is one push wherever the watch thinks that the save is over, BurstTest says. */
    @Test
    void anEditorsSaveIsOnePushAndItsTemporaryFilesAreNeverSent() throws IOException {
        Path copy = target("copy");
        write("notes", "first");
        RawFiles files = new RawFiles(source);
        try (RsyncDaemon daemon = new RsyncDaemon()
                        .module("m", copy, "transfer logging = yes", "log format = took <%n>")
                        .start();
                DromedaryProcess dromedary = DromedaryProcess.start(
                        directory,
                        Map.of("DROMEDARY_LOG", "DEBUG"),
                        "mirror",
                        "--port",
                        "0",
                        source.toString(),
                        daemon.url("m"))) {
            dromedary.awaitLine("live", START);
            // The first deletion finds out whether the remote takes it in the list.
            write("first", "");
            Files.delete(source.resolve("first"));
            Trees.awaitEqual(source, copy, SOON);
            // On a loaded machine everybody may stop in mid-save for any time: then a save may be more pushes than one.
            int onePush = 0;
            for (int i = 0; onePush < 3; i++) {
                assertThat(i).as("saves, of which are one push: " + onePush).isLessThan(30);
                int before = listed(dromedary).size();
                int logged = daemon.log().length();
                byte[] text = ("saved " + i).getBytes(StandardCharsets.UTF_8);
                // What vim does, on a slow disk: a probe, the old text set aside, the new one written, the old one
                // removed.
                files.write("4913", new byte[0]);
                files.unlink("4913");
                files.rename("notes", "notes~");
                try (OutputStream notes = Files.newOutputStream(source.resolve("notes"))) {
                    notes.write(text);
                    await().pollDelay(Duration.ofMillis(100)).until(() -> true);
                }
                files.chmod("notes", 0644);
                files.unlink("notes~");
                await().atMost(SOON)
                        .untilAsserted(() -> assertThat(copy.resolve("notes")).hasBinaryContent(text));
                Trees.awaitEqual(source, copy, SOON);
                // What has waited for another change has left by then.
                await().pollDelay(Duration.ofMillis(1200)).until(() -> true);
                await().atMost(SOON).untilAsserted(() -> assertThat(pending()).isEmpty());
                List<String> paths =
                        listed(dromedary).stream().skip(before).sorted().toList();
                String took = daemon.log().substring(logged);
                if (paths.equals(List.of("4913", "notes", "notes~")) && !took.contains("~") && !took.contains("4913")) {
                    onePush++;
                }
            }
        }
    }

    /** The paths of all pushes so far. */
    private static List<String> listed(DromedaryProcess dromedary) {
        return dromedary
                .output()
                .lines()
                .filter(line -> line.matches(".* DEBUG .*: (--no-r .*|delete) .*"))
                .map(line -> line.substring(line.lastIndexOf(' ') + 1))
                .toList();
    }

    @Test
    void mistakesAreOneLineAndExitCodeTwoBeforeAnythingIsTouched() throws IOException {
        Path copy = target("copy");
        write("file", "text");
        int port;
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = taken.getLocalPort();
            refused("cannot listen on 127.0.0.1", source.toString(), copy.toString(), "--port", "" + port);
        }
        refused("only loopback is allowed", source.toString(), copy.toString(), "--set", "http.host=0.0.0.0");
        refused("is not a directory", directory.resolve("none").toString(), copy.toString(), "--port", "0");
        refused(
                "password file .* is missing",
                source.toString(),
                "127.0.0.1::m",
                "--password-file",
                "none",
                "--port",
                "0");
        refused("not found", source.toString(), copy.toString(), "--port", "0", "--set", "rsync.command=/none");
        refused(
                "this is no rsync",
                source.toString(),
                copy.toString(),
                "--port",
                "0",
                "--set",
                "rsync.command=/bin/true");
        refused("allowed is a Quartz cron", source.toString(), copy.toString(), "--set", "full-sync.cron=* * *");
        refused("the nearest is dromedary.delete", source.toString(), copy.toString(), "--set", "delet=false");
        assertThat(copy).isEmptyDirectory();
        assertThat(directory.resolve("state/pending")).doesNotExist();
    }

    private void refused(String why, String... arguments) {
        String[] all = Stream.concat(Stream.of("mirror"), Stream.of(arguments)).toArray(String[]::new);
        try (DromedaryProcess dromedary = DromedaryProcess.start(directory, all)) {
            assertThat(dromedary.exitCode(START)).as(dromedary.output()).isEqualTo(2);
            assertThat(dromedary.output()).containsPattern("dromedary: .*" + why);
            // The first start of all says that it prepares the class archive.
            assertThat(dromedary.output().lines().filter(line -> !line.contains("preparing")))
                    .hasSize(1);
        }
    }
}
