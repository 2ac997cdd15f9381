package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Links that rsync follows: what is behind them is at the remote, and goes along with all that happens to it. */
class LinksIT {
    private static final Duration START = Duration.ofSeconds(60);
    private static final Duration SOON = Duration.ofSeconds(30);

    @TempDir
    Path directory;

    private Path source;
    private Path outside;
    private Path target;
    private int references;

    @BeforeEach
    void trees() throws IOException {
        directory = directory.toRealPath();
        source = Files.createDirectory(directory.resolve("source"));
        outside = Files.createDirectory(directory.resolve("outside"));
        target = Files.createDirectory(directory.resolve("target"));
    }

    private DromedaryProcess mirror(String remote, String... more) {
        String[] all = Stream.concat(
                        Stream.of(
                                "mirror", "--port", "0", "--set", "retry.cron=* * * * * ?", source.toString(), remote),
                        Stream.of(more))
                .toArray(String[]::new);
        DromedaryProcess dromedary = DromedaryProcess.start(directory, all);
        dromedary.awaitLine("; live", START);
        return dromedary;
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private static void replace(Path file, String text) throws IOException {
        Path written = file.resolveSibling(file.getFileName() + ".new");
        Files.writeString(written, text);
        Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
    }

    private void link(String path, String text) throws IOException {
        Files.createSymbolicLink(source.resolve(path), Path.of(text));
    }

    private void redirect(Path link, String text) throws IOException {
        Path made = Files.createSymbolicLink(link.resolveSibling("made"), Path.of(text));
        Files.move(made, link, StandardCopyOption.ATOMIC_MOVE);
    }

    private static void deleteTree(Path top) throws IOException {
        if (Files.isDirectory(top, LinkOption.NOFOLLOW_LINKS)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(top)) {
                for (Path entry : entries) {
                    deleteTree(entry);
                }
            }
        }
        Files.deleteIfExists(top);
    }

    /** What rsync itself makes of the source, now that it is quiet: that, and nothing else, is to be at the target. */
    private void awaitAsByRsync(String... options) throws IOException {
        Path reference = Files.createDirectory(directory.resolve("reference" + references++));
        List<String> rsync = new ArrayList<>(List.of("rsync", "-a", "--modify-window=-1"));
        rsync.addAll(List.of(options));
        rsync.addAll(List.of(source + "/", reference + "/"));
        Command.run(rsync.toArray(String[]::new));
        Trees.awaitEqual(reference, target, SOON);
        deleteTree(reference);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-L", "-k", "--copy-unsafe-links"})
    void whatIsBehindALinkIsMirroredAndKeptUpToDate(String option) throws IOException {
        write(outside.resolve("dir/sub/file"), "1");
        write(outside.resolve("hidden/secret"), "1");
        write(outside.resolve("file"), "1");
        write(outside.resolve("second/file"), "2");
        write(source.resolve("inside/deep/file"), "1");
        write(source.resolve("plain"), "1");
        link("dir", "../outside/dir");
        link("file", "../outside/file");
        link("inside/absolute", outside.resolve("dir").toString());
        link("inner", "inside/deep");
        link("middle", "../outside/dir");
        link("chain", "middle");
        link("nowhere", "missing");
        link("outnowhere", "../outside/missing");
        link("open", "../outside/hidden");
        link("closed", "../outside/hidden");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", target).start();
                DromedaryProcess dromedary =
                        mirror(daemon.url("m"), "--rsync-args", "-a " + option, "--exclude", "/closed/secret")) {
            String[] asRsync = {option, "--exclude=/closed/secret"};
            awaitAsByRsync(asRsync);

            write(outside.resolve("dir/sub/file"), "changed");
            write(outside.resolve("dir/new"), "1");
            awaitAsByRsync(asRsync);
            write(outside.resolve("dir/a/b/c/file"), "1");
            awaitAsByRsync(asRsync);
            write(outside.resolve("dir/a/b/c/later"), "1");
            write(source.resolve("inside/deep/later"), "1");
            write(outside.resolve("hidden/secret"), "2");
            awaitAsByRsync(asRsync);
            Files.move(outside.resolve("dir/a/b"), outside.resolve("dir/moved"));
            awaitAsByRsync(asRsync);
            write(outside.resolve("dir/moved/c/after"), "1");
            deleteTree(outside.resolve("dir/sub"));
            awaitAsByRsync(asRsync);

            write(outside.resolve("file"), "in place");
            awaitAsByRsync(asRsync);
            replace(outside.resolve("file"), "replaced");
            awaitAsByRsync(asRsync);
            write(outside.resolve("file"), "and in place again");
            awaitAsByRsync(asRsync);
            Files.delete(outside.resolve("file"));
            awaitAsByRsync(asRsync);
            write(outside.resolve("file"), "back");
            awaitAsByRsync(asRsync);

            redirect(source.resolve("dir"), "../outside/second");
            redirect(source.resolve("middle"), "../outside/second");
            awaitAsByRsync(asRsync);
            write(outside.resolve("second/more"), "1");
            write(outside.resolve("dir/only by the other link"), "1");
            awaitAsByRsync(asRsync);
            Files.move(outside.resolve("second"), outside.resolve("away"));
            awaitAsByRsync(asRsync);
            Files.move(outside.resolve("away"), outside.resolve("second"));
            write(outside.resolve("second/again"), "1");
            awaitAsByRsync(asRsync);

            Files.delete(source.resolve("dir"));
            Files.delete(source.resolve("inside/absolute"));
            awaitAsByRsync(asRsync);
            write(source.resolve("dir/file"), "a directory where a link was");
            awaitAsByRsync(asRsync);
            deleteTree(source.resolve("dir"));
            link("dir", "../outside/dir");
            awaitAsByRsync(asRsync);
            Files.move(source.resolve("inside"), source.resolve("renamed"));
            link("renamed/late", "../../outside/second");
            awaitAsByRsync(asRsync);
            write(outside.resolve("second/by the late link"), "1");
            awaitAsByRsync(asRsync);
            // Links that lead nowhere are left out, and keep nothing else waiting.
            assertThat(dromedary.output()).doesNotContain("exit code", "no referent", "WARN", "ERROR");
        }
    }

    @Test
    void aDirectoryWithManyLinksToItIsAtAllOfThem() throws IOException {
        write(outside.resolve("one/file"), "1");
        for (int i = 0; i < 100; i++) {
            write(source.resolve("d" + i % 7 + "/plain"), "1");
            link("d" + i % 7 + "/link" + i, "../../outside/one");
        }
        try (DromedaryProcess dromedary = mirror(target.toString(), "--rsync-args", "-aL")) {
            write(outside.resolve("one/file"), "changed");
            write(outside.resolve("one/below/file"), "1");
            awaitAsByRsync("-L");
            write(outside.resolve("one/below/file"), "changed");
            awaitAsByRsync("-L");
            assertThat(dromedary.output()).doesNotContain("WARN", "ERROR");
        }
    }

    @Test
    void aFileBehindALinkIsSentWhenItIsClosed() throws IOException {
        Files.createDirectory(outside.resolve("dir"));
        link("dir", "../outside/dir");
        write(outside.resolve("file"), "before");
        link("file", "../outside/file");
        try (DromedaryProcess dromedary = mirror(target.toString(), "--rsync-args", "-aL")) {
            try (OutputStream below = Files.newOutputStream(outside.resolve("dir/below"));
                    OutputStream file = Files.newOutputStream(outside.resolve("file"))) {
                below.write(1);
                file.write(1);
                file.flush();
                write(outside.resolve("dir/other"), "1");
                await().atMost(SOON).until(() -> Files.exists(target.resolve("dir/other")));
                assertThat(target.resolve("dir/below")).doesNotExist();
                assertThat(target.resolve("file")).hasContent("before");
            }
            awaitAsByRsync("-L");
            assertThat(dromedary.output()).doesNotContain("WARN", "ERROR");
        }
    }

    @Test
    void aLargeFileBehindALinkGoesByItsLane() throws IOException {
        String large = "x".repeat(200_000);
        write(outside.resolve("dir/large"), large);
        write(outside.resolve("large"), large);
        link("dir", "../outside/dir");
        link("large", "../outside/large");
        try (DromedaryProcess dromedary =
                mirror(target.toString(), "--rsync-args", "-aL", "--set", "large-file=100k")) {
            write(outside.resolve("dir/large"), large + "changed");
            write(outside.resolve("large"), large + "changed");
            write(outside.resolve("dir/new/large"), large);
            write(source.resolve("plain"), "1");
            awaitAsByRsync("-L");
            write(outside.resolve("large"), "small");
            Files.delete(source.resolve("dir"));
            awaitAsByRsync("-L");
            assertThat(dromedary.output()).doesNotContain("WARN", "ERROR");
        }
    }

    @Test
    void aLinkToADirectoryAboveEnds() throws IOException {
        write(source.resolve("a/file"), "1");
        write(source.resolve("b/file"), "1");
        link("self", ".");
        link("a/up", "..");
        link("b/toA", "../a");
        link("a/toB", "../b");
        link("a/toParentOfSource", "../..");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", target).start();
                DromedaryProcess dromedary =
                        mirror(daemon.url("m"), "--rsync-args", "-aL", "--exclude", "/a/toParent*")) {
            assertThat(target.resolve("self")).doesNotExist();
            assertThat(target.resolve("a/up")).doesNotExist();
            assertThat(target.resolve("a/toB/file")).hasContent("1");
            assertThat(target.resolve("b/toA/file")).hasContent("1");
            assertThat(target.resolve("a/toB/toA")).doesNotExist();

            write(source.resolve("b/file"), "changed");
            await().atMost(SOON).untilAsserted(() -> {
                assertThat(target.resolve("b/file")).hasContent("changed");
                assertThat(target.resolve("a/toB/file")).hasContent("changed");
            });
            // What was there before it led round is deleted with that.
            redirect(source.resolve("a/toB"), ".");
            link("b/again", "..");
            write(source.resolve("marker"), "1");
            await().atMost(SOON).until(() -> Files.exists(target.resolve("marker")));
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(target.resolve("a/toB")).doesNotExist());
            assertThat(target.resolve("b/again")).doesNotExist();
            assertThat(dromedary.output()).doesNotContain("exit code", "WARN", "ERROR");
        }
    }

    /** A link that leads to where the state directory and the target are. */
    @Test
    void whatPushesThemselvesWriteIsNotFollowed() throws IOException {
        write(outside.resolve("file"), "1");
        link("up", "..");
        try (DromedaryProcess dromedary = mirror(target.toString(), "--rsync-args", "-aL")) {
            write(outside.resolve("file"), "changed");
            await().atMost(SOON).untilAsserted(() -> assertThat(target.resolve("up/outside/file"))
                    .hasContent("changed"));
            assertThat(target.resolve("up/state")).doesNotExist();
            assertThat(target.resolve("up/target")).doesNotExist();
            assertThat(target.resolve("up/source")).doesNotExist();
            assertThat(dromedary.output()).doesNotContain("WARN", "ERROR");
        }
    }

    @Test
    void whatIsNotMountedBehindALinkStaysAtTheRemote() throws IOException {
        Path mounted = Files.createDirectory(outside.resolve("mounted"));
        assumeTrue(
                Command.run("mount", "-t", "tmpfs", "tmpfs", mounted.toString()).exitCode() == 0, "mounts need root");
        try {
            write(mounted.resolve("dir/file"), "1");
            write(source.resolve("plain"), "1");
            link("root", "../outside/mounted");
            link("below", "../outside/mounted/dir");
            try (DromedaryProcess dromedary = mirror(target.toString(), "--rsync-args", "-aL")) {
                assertThat(target.resolve("root/dir/file")).hasContent("1");
                Command.run("umount", mounted.toString());
                dromedary.awaitLine("WARN .*/mounted: nothing is mounted there any more", SOON);
                write(source.resolve("plain"), "changed");
                await().atMost(SOON)
                        .untilAsserted(() -> assertThat(target.resolve("plain")).hasContent("changed"));
            }
            // Over a restart too, and through a full sync.
            Files.createFile(target.resolve("extra"));
            try (DromedaryProcess dromedary = mirror(target.toString(), "--rsync-args", "-aL")) {
                assertThat(target.resolve("extra")).doesNotExist();
                assertThat(target.resolve("root/dir/file")).hasContent("1");
                assertThat(target.resolve("below/file")).hasContent("1");
                Command.run("mount", "-t", "tmpfs", "tmpfs", mounted.toString());
                write(mounted.resolve("dir/file"), "of another one");
                awaitAsByRsync("-L");
                assertThat(dromedary.output()).doesNotContain("ERROR");
            }
        } finally {
            Command.run("umount", mounted.toString());
        }
    }

    @Test
    void eachRemoteFollowsWhatItsOwnArgumentsSay() throws IOException {
        write(outside.resolve("dir/file"), "1");
        write(source.resolve("in/file"), "1");
        link("dir", "../outside/dir");
        link("in/link", "file");
        link("safe", "in");
        Path all = target;
        Path none = Files.createDirectory(directory.resolve("none"));
        Path directories = Files.createDirectory(directory.resolve("directories"));
        Path conf = Files.createDirectories(directory.resolve("conf/routes")).getParent();
        Files.writeString(
                conf.resolve("routes/tree.camel.yaml"),
                """
                - route:
                    id: tree
                    from:
                      uri: kamelet:watch
                      parameters: {source: %s}
                      steps:
                        - multicast:
                            steps:
                              - to: {uri: kamelet:rsync, parameters: {remote: none, target: %s}}
                              - to: {uri: kamelet:rsync, parameters: {remote: all, target: %s, args: -aL}}
                              - to: {uri: kamelet:rsync, parameters: {remote: directories, target: %s, args: -ak}}
                """
                        .formatted(source, none, all, directories));
        try (DromedaryProcess dromedary =
                DromedaryProcess.start(directory, "run", "-c", conf.toString(), "--set", "http.port=0")) {
            for (String remote : List.of("none", "all", "directories")) {
                dromedary.awaitLine(remote + ": .*; live", START);
            }
            write(outside.resolve("dir/new/file"), "1");
            write(source.resolve("in/file"), "changed");
            for (String options : List.of("-L all", "-k directories", "--links none")) {
                target = directory.resolve(options.split(" ")[1].replace("all", "target"));
                awaitAsByRsync(options.split(" ")[0]);
            }
        }
    }

    /** {@code -K}: a directory that is a link at the receiver stays one. rsync 3.5 follows none that leads out of the target. */
    @Test
    void aLinkToADirectoryAtTheReceiverIsKept() throws IOException {
        write(source.resolve("dir/file"), "1");
        Path real = Files.createDirectory(target.resolve("real"));
        Files.createSymbolicLink(target.resolve("dir"), Path.of("real"));
        try (DromedaryProcess dromedary = mirror(target.toString(), "--rsync-args", "-aK", "--exclude", "/real")) {
            assertThat(real.resolve("file")).hasContent("1");
            write(source.resolve("dir/file"), "changed");
            write(source.resolve("dir/sub/file"), "1");
            await().atMost(SOON).untilAsserted(() -> {
                assertThat(real.resolve("file")).hasContent("changed");
                assertThat(real.resolve("sub/file")).hasContent("1");
            });
            deleteTree(source.resolve("dir/sub"));
            await().atMost(SOON).until(() -> Files.notExists(real.resolve("sub")));
            assertThat(target.resolve("dir")).isSymbolicLink();
            assertThat(dromedary.output()).doesNotContain("WARN", "ERROR");
        }
    }

    @Test
    void withoutTheseOptionsNothingBehindLinksIsWatched() throws IOException {
        write(outside.resolve("dir/sub/file"), "1");
        write(source.resolve("in/file"), "1");
        link("dir", "../outside/dir");
        link("file", "../outside/dir/sub/file");
        link("inner", "in");
        try (DromedaryProcess dromedary = mirror(target.toString())) {
            link("later", "../outside");
            awaitAsByRsync();
            assertThat(watches(dromedary)).isEqualTo(2);
        }
        try (DromedaryProcess dromedary = mirror(target.toString(), "--rsync-args", "-aL")) {
            // The source and in; outside for the link "later"; dir and sub in it.
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(watches(dromedary)).isEqualTo(2 + 3 + 1));
            Files.delete(source.resolve("later"));
            Files.delete(source.resolve("dir"));
            // Left are the parent of the source, for "inner" leads no further; and sub, for "file".
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(watches(dromedary)).isEqualTo(2 + 1));
        }
    }

    private static long watches(DromedaryProcess dromedary) throws IOException {
        long count = 0;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/" + dromedary.pid() + "/fdinfo"))) {
            for (Path descriptor : all) {
                count += Files.readString(descriptor)
                        .lines()
                        .filter(line -> line.startsWith("inotify wd:"))
                        .count();
            }
        } catch (NoSuchFileException closedMeanwhile) {
            return -1;
        }
        return count;
    }

    @Test
    void churnBehindLinksEndsEqual() throws Exception {
        long seed = System.nanoTime();
        System.out.println("churn of links with seed " + seed);
        Random random = new Random(seed);
        for (String name : List.of("out0", "out1", "out2")) {
            Files.createDirectory(outside.resolve(name));
        }
        for (String name : List.of("in0", "in1")) {
            Files.createDirectory(source.resolve(name));
        }
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", target).start();
                DromedaryProcess dromedary = mirror(daemon.url("m"), "--rsync-args", "-aL")) {
            for (int i = 0; i < 400; i++) {
                change(random, i);
                if (random.nextInt(4) == 0) {
                    Thread.sleep(random.nextInt(20));
                }
            }
            awaitAsByRsync("-L");
            assertThat(dromedary.output()).doesNotContain("ERROR");
        }
    }

    /** One of everything that happens to links and to what is behind them; no link leads to where links are. */
    private void change(Random random, int i) throws IOException {
        Path out = outside.resolve("out" + random.nextInt(3));
        Path behind = random.nextBoolean() ? out : out.resolve("sub" + random.nextInt(3));
        Path in = source.resolve("in" + random.nextInt(2));
        Path file = behind.resolve("file" + random.nextInt(5));
        Path link = in.resolve("entry" + random.nextInt(6));
        switch (random.nextInt(12)) {
            case 0, 1, 2 -> {
                if (!Files.isDirectory(file)) {
                    write(file, "x".repeat(random.nextInt(3000)) + i);
                }
            }
            case 3 -> {
                write(behind.resolve("other"), "y" + i);
                if (!Files.isDirectory(file)) {
                    replace(file, "replaced " + i);
                }
            }
            case 4 -> deleteTree(file);
            case 5 -> write(behind.resolve("new" + i % 9 + "/below/file"), "z" + i);
            case 6 -> deleteTree(behind.resolve("new" + random.nextInt(9)));
            case 7 -> {
                Path from = out.resolve("sub" + random.nextInt(3));
                Path to = outside.resolve("out" + random.nextInt(3)).resolve("sub" + random.nextInt(3));
                if (Files.isDirectory(from) && Files.notExists(to)) {
                    Files.move(from, to);
                }
            }
            case 8 -> {
                deleteTree(link);
                Files.createSymbolicLink(link, Path.of("../../outside/" + outside.relativize(behind)));
            }
            case 9 -> {
                if (Files.isDirectory(link, LinkOption.NOFOLLOW_LINKS)) {
                    deleteTree(link);
                }
                redirect(link, "../../outside/" + outside.relativize(file));
            }
            case 10 -> {
                deleteTree(link);
                write(link.resolve("plain"), "p" + i);
            }
            default -> deleteTree(link);
        }
    }
}
