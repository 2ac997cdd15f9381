package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.dromedary.testbed.Api;
import io.dromedary.testbed.Churn;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** File systems that are mounted and unmounted below the source; needs the right to mount. */
class MountsIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final String MISSING = "nothing is mounted at up/inner any more: that part is halted";

    @TempDir
    Path directory;

    private final Deque<Path> mounted = new ArrayDeque<>();
    private Path source;
    private Path inner;
    /** What is mounted as inner, at its own place. */
    private Path disk;

    private Path copy;
    private Api api;

    @BeforeEach
    void prepare() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        inner = Files.createDirectories(source.resolve("up/inner"));
        disk = Files.createDirectories(directory.resolve("disk"));
        copy = Files.createDirectory(directory.resolve("copy"));
        Files.writeString(source.resolve("plain"), "plain");
        Files.writeString(source.resolve("up/beside"), "beside");
        Files.createDirectory(disk.resolve("sub"));
        Files.writeString(disk.resolve("sub/file"), "on the disk");
        Files.writeString(disk.resolve("large"), "x".repeat(2_000_000));
        api = new Api();
    }

    @AfterEach
    void unmountAll() {
        while (!mounted.isEmpty()) {
            Command.run("umount", "-l", mounted.pop().toString());
        }
    }

    private void mount(Path at, String... words) {
        Command mount =
                Command.run(Stream.concat(Stream.of("mount"), Stream.concat(Stream.of(words), Stream.of(at.toString())))
                        .toArray(String[]::new));
        assumeTrue(mount.exitCode() == 0, "this needs to mount: " + mount.errors());
        mounted.push(at);
    }

    private void mountDisk() {
        mount(inner, "--bind", disk.toString());
    }

    /** As a person does it; who works there just then has to end within a while. */
    private void unmount(Path at) {
        await().atMost(Duration.ofSeconds(15)).untilAsserted(() -> assertThat(
                        Command.run("umount", at.toString()).errors())
                .isEmpty());
        mounted.remove(at);
    }

    private Configuration configuration() {
        return new Configuration(directory, source)
                .remote("copy", copy.toString())
                .set(api.setting(), "retry.cron=* * * * * ?", "retry.max-backoff=1s");
    }

    private void assertDiskIsKept(Path target) {
        assertThat(target.resolve("up/inner/sub/file")).hasContent("on the disk");
        assertThat(target.resolve("up/inner/large")).hasSize(2_000_000);
        assertThat(target.resolve("up/inner").toFile().list()).containsExactlyInAnyOrder("sub", "large");
    }

    private void flush() {
        assertThat(api.post("/api/flush").get("notUp")).isEmpty();
    }

    @Test
    void whatIsMountedWhileItIsWatchedIsThereAndFollowed() throws IOException {
        Path changes = Files.createDirectory(directory.resolve("changes"));
        Path work = Files.createDirectory(directory.resolve("work"));
        Path overlay = Files.createDirectory(source.resolve("overlay"));
        try (DromedaryProcess dromedary = configuration().run()) {
            dromedary.awaitLine("live", START);
            // Nothing but what is seen now can bring it.
            mountDisk();
            Trees.awaitEqual(source, copy, SOON);
            assertDiskIsKept(copy);
            Files.writeString(disk.resolve("sub/later"), "later");
            Trees.awaitEqual(source, copy, SOON);
            Path memory = Files.createDirectory(source.resolve("memory"));
            mount(memory, "-t", "tmpfs", "tmpfs");
            Files.writeString(Files.createDirectory(memory.resolve("a")).resolve("b"), "b");
            Trees.awaitEqual(source, copy, SOON);
            Files.writeString(memory.resolve("a/c"), "c");
            Files.delete(memory.resolve("a/b"));
            Trees.awaitEqual(source, copy, SOON);
            if (Command.run(
                                    "mount",
                                    "-t",
                                    "overlay",
                                    "overlay",
                                    "-o",
                                    "lowerdir=" + disk + ",upperdir=" + changes + ",workdir=" + work,
                                    overlay.toString())
                            .exitCode()
                    == 0) {
                mounted.push(overlay);
                Files.writeString(overlay.resolve("sub/file"), "written above");
                Trees.awaitEqual(source, copy, SOON);
                assertThat(copy.resolve("overlay/sub/file")).hasContent("written above");
            }
            assertThat(dromedary.output()).doesNotContain("halted");
            // What a full sync deletes there it deletes apart from all else.
            Files.createDirectories(copy.resolve("up/inner/sub/extra/below"));
            Files.writeString(copy.resolve("up/inner/extra"), "extra");
            Files.delete(copy.resolve("memory/a/c"));
            Files.createDirectories(copy.resolve("memory/a/c/in/the/way"));
            Files.writeString(copy.resolve("extra"), "extra");
            api.post("/api/sync");
            flush();
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    /** Not even by an rsync that does not come to its end; and what it has read by then is not taken for deleted. */
    @Test
    void anUnmountIsNotKeptWaitingForLong() throws IOException {
        mountDisk();
        Path slow = directory.resolve("slow");
        Path rsync = directory.resolve("rsync");
        Files.writeString(rsync, "#!/bin/sh\n[ -e '" + slow + "' ] && sleep 12\nexec rsync \"$@\"\n");
        rsync.toFile().setExecutable(true);
        Files.writeString(directory.resolve("left-out"), "*.never\n*.no\n");
        try (DromedaryProcess dromedary = configuration()
                .set("rsync.command=" + rsync, "rsync.args=-a --exclude-from=" + directory.resolve("left-out"))
                .run()) {
            dromedary.awaitLine("live", START);
            Files.createFile(slow);
            Files.writeString(inner.resolve("large"), "changed");
            Files.delete(inner.resolve("sub/file"));
            await().atMost(SOON).untilAsserted(() -> assertThat(
                            Command.run("umount", inner.toString()).errors())
                    .as("held while rsync is told of it")
                    .contains("busy"));
            unmount(inner);
            dromedary.awaitLine(MISSING, SOON);
            Files.delete(slow);
            Files.writeString(source.resolve("a.no"), "left out by a file of the user's");
            Files.writeString(source.resolve("last"), "last");
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(copy.resolve("last")).exists());
            assertThat(copy.resolve("up/inner/large")).exists();
            assertThat(copy.resolve("a.no")).doesNotExist();
        }
    }

    /** A daemon, a host by ssh and a directory here: none loses anything, whatever is done beside and above. */
    @Test
    void whatIsUnmountedIsKeptEverywhereAndTheRestGoesOn() throws Exception {
        Path web = Files.createDirectory(directory.resolve("web"));
        Path shell = Files.createDirectory(directory.resolve("shell"));
        mountDisk();
        try (RsyncDaemon daemon = new RsyncDaemon().module("web", web).start();
                SshDaemon ssh = new SshDaemon().start()) {
            Configuration configuration = configuration()
                    .remote("web", daemon.url("web"))
                    .remote("shell", ssh.target(shell), "ssh: \"" + String.join(" ", ssh.sshArguments()) + "\"");
            List<Path> copies = List.of(copy, web, shell);
            try (DromedaryProcess dromedary = configuration.run()) {
                for (String remote : List.of("copy", "web", "shell")) {
                    dromedary.awaitLine(remote + ": .*live", START);
                }
                unmount(inner);
                dromedary.awaitLine(MISSING, SOON);
                Files.writeString(inner.resolve("stray"), "below the mount point");
                Files.writeString(source.resolve("up/more"), "more");
                Files.delete(source.resolve("up/beside"));
                flush();
                api.post("/api/sync");
                flush();
                assertThat(api.get("/api/status").at("/mirrors/0/problem").asText())
                        .startsWith(MISSING);
                assertThatThrownBy(() -> api.get("/observe/health/ready"))
                        .hasMessageContaining("503")
                        .hasMessageContaining("nothing is mounted at up");
                assertThat(api.post("/api/verify").toString()).doesNotContain("inner");
                for (Path target : copies) {
                    assertDiskIsKept(target);
                    assertThat(target.resolve("up").toFile().list()).containsExactlyInAnyOrder("inner", "more");
                }
                // The directory itself, then what it is in: moved, deleted, another kind of thing.
                Files.delete(inner.resolve("stray"));
                Files.delete(inner);
                flush();
                Files.writeString(source.resolve("up/large"), "y".repeat(2_000_000));
                flush();
                Files.move(source.resolve("up"), source.resolve("moved"));
                flush();
                Files.writeString(source.resolve("up"), "in the way");
                Files.writeString(source.resolve("last"), "last");
                flush();
                api.post("/api/sync");
                flush();
                for (Path target : copies) {
                    assertDiskIsKept(target);
                    assertThat(target.resolve("up").toFile().list()).containsExactly("inner");
                    assertThat(target.resolve("moved").toFile().list()).containsExactlyInAnyOrder("more", "large");
                    assertThat(target.resolve("last")).hasContent("last");
                }
                Files.delete(source.resolve("up"));
                Files.createDirectories(inner);
                Files.writeString(disk.resolve("sub/later"), "later");
                Files.delete(disk.resolve("large"));
                mountDisk();
                for (Path target : copies) {
                    Trees.awaitEqual(source, target, SOON);
                }
                assertThat(api.get("/api/status").at("/mirrors/0/problem").isNull())
                        .isTrue();
                // From now on it is what it was before.
                Files.delete(disk.resolve("sub/file"));
                for (Path target : copies) {
                    Trees.awaitEqual(source, target, SOON);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "exclude-regex=.*[.]never", "watcher=file-watch"})
    void whatIsNotMountedAtTheStartIsKeptUntilItIsOrAPersonSaysThatItIsRight(String setting) throws IOException {
        Configuration configuration = configuration().set(setting.isEmpty() ? new String[0] : new String[] {setting});
        mountDisk();
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("live", START);
            flush();
            Trees.awaitEqual(source, copy, SOON);
            dromedary.kill();
        }
        unmount(inner);
        Files.writeString(inner.resolve("stray"), "below the mount point");
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine(MISSING, START);
            dromedary.awaitLine("full sync done", START);
            assertDiskIsKept(copy);
            dromedary.terminate();
            dromedary.exitCode(SOON);
        }
        // Mounted while it is down: no full sync is needed to find what was missed.
        Files.writeString(disk.resolve("sub/later"), "later");
        mountDisk();
        configuration.set("full-sync.initial=false");
        try (DromedaryProcess dromedary = configuration.run()) {
            Trees.awaitEqual(source, copy, START);
            unmount(inner);
            dromedary.awaitLine(MISSING, SOON);
            api.post("/api/remotes/copy/pause");
            api.post("/api/remotes/copy/resume");
            api.post("/api/sync");
            flush();
            assertThat(copy.resolve("up/inner/sub/later"))
                    .as("the end of a pause says nothing")
                    .exists();
            api.post("/api/remotes/copy/resume");
            Trees.awaitEqual(source, copy, SOON);
            assertThat(copy.resolve("up/inner").toFile().list()).containsExactly("stray");
            assertThat(api.get("/api/status").at("/mirrors/0/problem").isNull()).isTrue();
            dromedary.terminate();
            dromedary.exitCode(SOON);
        }
        configuration.set("full-sync.initial=true");
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("full sync done", START);
            assertThat(dromedary.output()).doesNotContain("halted");
        }
    }

    /** A fresh disk in the place of the right one, mounted before our eyes and while nobody watched. */
    @ParameterizedTest
    @ValueSource(strings = {"", "watcher=file-watch"})
    void anotherFileSystemInItsPlaceHaltsThatPart(String setting) throws IOException {
        Path fresh = Files.createDirectory(directory.resolve("fresh"));
        mount(disk, "-t", "tmpfs", "tmpfs");
        mount(fresh, "-t", "tmpfs", "tmpfs");
        Files.createDirectory(fresh.resolve("lost+found"));
        mountDisk();
        String unlike =
                "up/inner is another (file system|directory) than when it was last pushed.*: 2 of 2 names known of it are not"
                        + " there.*that part is halted";
        Configuration configuration = configuration().set(setting.isEmpty() ? new String[0] : new String[] {setting});
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("live", START);
            // Nothing was there when it was found.
            Files.createDirectory(inner.resolve("sub"));
            Files.writeString(inner.resolve("sub/file"), "on the disk");
            Trees.awaitEqual(source, copy, SOON);
            Path known = directory.resolve("state/mounts/tree/known");
            await().atMost(SOON).untilAsserted(() -> assertThat(known).content().contains("name: sub/file"));
            Command.run("umount", "-l", inner.toString());
            mount(inner, "--bind", fresh.toString());
            dromedary.awaitLine(unlike, SOON);
            Files.writeString(inner.resolve("stray"), "on the wrong disk");
            Files.writeString(source.resolve("up/beside"), "changed");
            flush();
            api.post("/api/sync");
            flush();
            assertThat(copy.resolve("up/inner/sub/file")).hasContent("on the disk");
            assertThat(copy.resolve("up/inner").toFile().list()).containsExactly("sub");
            assertThat(copy.resolve("up/beside")).hasContent("changed");
            assertThat(api.get("/api/status").at("/mirrors/0/problem").asText())
                    .containsPattern(unlike)
                    .contains("dromedary resume");
            assertThatThrownBy(() -> api.get("/observe/health/ready"))
                    .hasMessageContaining("503")
                    .hasMessageContaining("inner is another");
            Command.run("umount", "-l", inner.toString());
            Files.writeString(disk.resolve("sub/later"), "later");
            mountDisk();
            Trees.awaitEqual(source, copy, SOON);
            assertThat(api.get("/api/status").at("/mirrors/0/problem").isNull()).isTrue();
            flush();
            dromedary.terminate();
            dromedary.exitCode(SOON);
        }
        Command.run("umount", "-l", inner.toString());
        mount(inner, "--bind", fresh.toString());
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("up/inner is another .* that part is halted", START);
            dromedary.awaitLine("full sync done", START);
            flush();
            assertThat(copy.resolve("up/inner/sub/later")).hasContent("later");
            assertThat(copy.resolve("up/inner/stray")).doesNotExist();
            api.post("/api/remotes/copy/resume");
            Trees.awaitEqual(source, copy, SOON);
            assertThat(copy.resolve("up/inner").toFile().list()).containsExactlyInAnyOrder("stray", "lost+found");
        }
    }

    /** With -x what is mounted is not looked at, and what the remote has there is its own. */
    @Test
    void ofOneFileSystemOnly() throws IOException {
        mount(inner, "-t", "tmpfs", "tmpfs");
        Files.writeString(inner.resolve("file"), "of another file system");
        Files.createDirectories(copy.resolve("up/inner"));
        Files.writeString(copy.resolve("up/inner/own"), "own");
        try (DromedaryProcess dromedary =
                configuration().set("rsync.args=-a --one-file-system").run()) {
            dromedary.awaitLine("live", START);
            int watches = api.get("/api/status").at("/mirrors/0/watches").asInt();
            assertThat(watches).as("the source and up").isEqualTo(2);
            Files.writeString(inner.resolve("later"), "later");
            Path memory = Files.createDirectory(source.resolve("memory"));
            flush();
            mount(memory, "-t", "tmpfs", "tmpfs");
            Files.writeString(memory.resolve("file"), "of another file system");
            Files.writeString(source.resolve("plain"), "changed");
            flush();
            api.post("/api/sync");
            flush();
            assertThat(copy.resolve("plain")).hasContent("changed");
            assertThat(copy.resolve("up/inner").toFile().list()).containsExactly("own");
            assertThat(copy.resolve("memory").toFile().list()).isEmpty();
            unmount(memory);
            Files.writeString(memory.resolve("below"), "of the source's own");
            await().atMost(SOON).untilAsserted(() -> assertThat(copy.resolve("memory/below"))
                    .exists());
            assertThat(api.get("/api/status").at("/mirrors/0/problem").isNull()).isTrue();
        }
    }

    /** The same directory twice, and one within itself. */
    @Test
    void whatIsMountedFromTheSameTreeEnds() throws IOException {
        Path real = Files.createDirectory(source.resolve("real"));
        Files.writeString(real.resolve("file"), "file");
        Path twin = Files.createDirectory(source.resolve("another"));
        mount(twin, "--bind", real.toString());
        mount(inner, "--bind", source.toString());
        try (DromedaryProcess dromedary = configuration().run()) {
            dromedary.awaitLine("live", START);
            assertThat(copy.resolve("another/file")).hasContent("file");
            assertThat(copy.resolve("up/inner/real/file")).hasContent("file");
            assertThat(copy.resolve("up/inner/up/inner")).isEmptyDirectory();
            // Whichever of the two is watched, once the one is gone the other is.
            unmount(twin);
            unmount(inner);
            dromedary.awaitLine("nothing is mounted at up/inner", SOON);
            dromedary.awaitLine("nothing is mounted at another", SOON);
            api.post("/api/remotes/copy/resume");
            Trees.awaitEqual(source, copy, SOON);
            Files.writeString(real.resolve("file"), "changed");
            Files.writeString(source.resolve("up/beside"), "changed");
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    /** Names are bytes, for rsync's rules too. */
    @Test
    void anyNameCanBeAMountPoint() throws IOException {
        Path odd = Files.createDirectories(source.resolve("*[a]\\ \n#;é/?"));
        Path beside = Files.createDirectories(source.resolve("b[a]\\ \n#;é/?"));
        Files.writeString(beside.resolve("file"), "beside");
        mount(odd, "--bind", disk.toString());
        try (DromedaryProcess dromedary = configuration().run()) {
            dromedary.awaitLine("live", START);
            Trees.awaitEqual(source, copy, SOON);
            unmount(odd);
            dromedary.awaitLine("that part is halted", SOON);
            Files.delete(beside.resolve("file"));
            Files.delete(odd);
            Files.delete(odd.getParent());
            flush();
            api.post("/api/sync");
            flush();
            assertThat(copy.resolve(source.relativize(odd)).resolve("sub/file")).exists();
            assertThat(copy.resolve(source.relativize(beside)).resolve("file")).doesNotExist();
        }
    }

    @Test
    void churnWithMountsThatComeAndGoEndsEqual() throws IOException {
        long seed = System.nanoTime();
        System.out.println("MountsIT seed " + seed);
        Random random = new Random(seed);
        Path web = Files.createDirectory(directory.resolve("web"));
        Path beside = Files.createDirectory(source.resolve("beside"));
        Churn below = new Churn(disk, random.nextLong());
        Churn above = new Churn(beside, random.nextLong());
        below.run(200);
        above.run(100);
        try (RsyncDaemon daemon = new RsyncDaemon().module("web", web).start();
                DromedaryProcess dromedary =
                        configuration().remote("web", daemon.url("web")).run()) {
            dromedary.awaitLine("copy: .*live", START);
            dromedary.awaitLine("web: .*live", START);
            for (int round = 0; round < 12; round++) {
                below.run(random.nextInt(60));
                mountDisk();
                below.run(random.nextInt(60));
                above.run(random.nextInt(60));
                if (random.nextInt(3) == 0) {
                    api.post("/api/sync");
                }
                if (random.nextBoolean()) {
                    unmount(inner);
                } else {
                    assertThat(Command.run("umount", "-l", inner.toString()).exitCode())
                            .isZero();
                    mounted.remove(inner);
                }
            }
            mountDisk();
            below.run(50);
            Trees.awaitEqual(source, copy, SOON);
            Trees.awaitEqual(source, web, SOON);
        }
    }
}
