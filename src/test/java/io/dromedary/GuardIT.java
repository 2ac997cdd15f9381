package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nothing is deleted by accident: a source that vanished or was replaced, an empty mount point, too many deletions. */
class GuardIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private Path source;
    private Path copy;

    @BeforeEach
    void oneFileMirrored() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        Files.createDirectory(source.resolve("kept"));
        Files.writeString(source.resolve("kept/file"), "kept");
    }

    private DromedaryProcess mirror(String... settings) {
        String[] all = Stream.concat(
                        Stream.of(
                                "mirror",
                                source.toString(),
                                copy.toString(),
                                "--port",
                                "0",
                                "--set",
                                "retry.cron=* * * * * ?",
                                "--set",
                                "retry.max-backoff=1s"),
                        Stream.of(settings))
                .toArray(String[]::new);
        return DromedaryProcess.start(directory, all);
    }

    @Test
    void sourceThatVanishedOrWasReplacedHaltsTheMirrorUntilItIsBack() throws IOException {
        try (DromedaryProcess dromedary = mirror()) {
            dromedary.awaitLine("live", START);
            Path away = directory.resolve("away");
            Files.move(source, away);
            dromedary.awaitLine("halted: source .* is gone", SOON);
            Files.createDirectory(source);
            dromedary.awaitLine("halted: source .* is another directory", SOON);
            assertThat(copy.resolve("kept/file")).hasContent("kept");
            Files.delete(source);
            Files.move(away, source);
            Files.writeString(source.resolve("later"), "later");
            Trees.awaitEqual(source, copy, SOON);
            assertThat(copy.resolve("kept/file")).hasContent("kept");
        }
    }

    /** Between the guard's look and rsync's another directory can come to the source's place. */
    @Test
    void whatComesToItsPlaceWhileRsyncStartsIsNotRead() throws IOException {
        Path away = directory.resolve("away");
        Path rsync = directory.resolve("rsync");
        Files.writeString(
                rsync,
                "#!/bin/sh\ncase $1 in --version) exec rsync --version ;; esac\n"
                        + "[ -e '" + away + "' ] || { mv '" + source + "' '" + away + "' && mkdir '" + source + "'; }\n"
                        + "exec rsync \"$@\"\n",
                StandardOpenOption.CREATE);
        rsync.toFile().setExecutable(true);
        Files.createDirectory(copy.resolve("kept"));
        Files.writeString(copy.resolve("kept/file"), "kept");
        try (DromedaryProcess dromedary = mirror("--set", "rsync.command=" + rsync)) {
            dromedary.awaitLine("full sync done|halted", START);
            assertThat(away).exists();
            assertThat(copy.resolve("kept/file")).hasContent("kept");
        }
    }

    @Test
    void sourceFoundEmptyAtTheNextStartHaltsTheMirror() throws IOException {
        try (DromedaryProcess dromedary = mirror()) {
            dromedary.awaitLine("live", START);
            dromedary.terminate();
            assertThat(dromedary.exitCode(SOON)).isZero();
        }
        Path mounted = directory.resolve("mounted");
        Files.move(source, mounted);
        Files.createDirectory(source);
        try (DromedaryProcess dromedary = mirror()) {
            dromedary.awaitLine("halted: source .* is empty and no event emptied it", START);
            assertThat(copy.resolve("kept/file")).hasContent("kept");
            Files.delete(directory.resolve("state/mirrors/mirror"));
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(copy.resolve("kept")).doesNotExist());
        }
    }

    @Test
    void everythingDeletedByHandIsMirroredAndStaysRightAtTheNextStart() throws IOException {
        try (DromedaryProcess dromedary = mirror()) {
            dromedary.awaitLine("live", START);
            Files.delete(source.resolve("kept/file"));
            Files.delete(source.resolve("kept"));
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(copy.resolve("kept")).doesNotExist());
            dromedary.terminate();
            assertThat(dromedary.exitCode(SOON)).isZero();
        }
        try (DromedaryProcess dromedary = mirror()) {
            dromedary.awaitLine("live", START);
            assertThat(dromedary.output()).doesNotContain("halted");
        }
    }

    @Test
    void fullSyncThatWouldDeleteMoreThanAllowedDeletesNothing() throws IOException {
        for (int i = 0; i < 3; i++) {
            Files.writeString(copy.resolve("extra" + i), "extra");
        }
        try (DromedaryProcess dromedary = mirror("--set", "max-delete=2")) {
            dromedary.awaitLine("halted: a full sync would delete 3 entries, max-delete is 2", START);
            assertThat(copy.toFile().list()).containsExactlyInAnyOrder("extra0", "extra1", "extra2");
            Files.delete(copy.resolve("extra0"));
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    @AfterEach
    void unmountAll() {
        while (Command.run("mountpoint", "-q", source.toString()).exitCode() == 0
                && Command.run("umount", "-l", source.toString()).exitCode() == 0) {
            // One mount may lie on another.
        }
    }

    private void mount(String... words) {
        Command mount =
                Command.run(Stream.concat(Stream.of("mount"), Stream.of(words)).toArray(String[]::new));
        assumeTrue(mount.exitCode() == 0, "this needs to mount: " + mount.errors());
    }

    private void unmount() {
        // Lazily: an rsync may just be looking at it.
        assertThat(Command.run("umount", "-l", source.toString()).exitCode()).isZero();
    }

    /** What is mirrored is mounted at the source from elsewhere; the directory below is empty. */
    private Path mounted() throws IOException {
        Path disk = directory.resolve("disk");
        Files.move(source, disk);
        Files.createDirectory(source);
        mount("--bind", disk.toString(), source.toString());
        return disk;
    }

    @Test
    void unmountedWhileItRunsItGoesOnWhenTheSameIsMountedAgain() throws IOException {
        Path disk = mounted();
        try (DromedaryProcess dromedary = mirror("--set", "full-sync.cron=* * * * * ?")) {
            dromedary.awaitLine("live", START);
            unmount();
            Files.writeString(source.resolve("stray"), "below the mount point");
            dromedary.awaitLine("halted: source .* is another directory", SOON);
            Files.writeString(disk.resolve("later"), "later");
            assertThat(copy.toFile().list()).containsExactly("kept");
            mount("--bind", disk.toString(), source.toString());
            dromedary.awaitLine("up again", SOON);
            Trees.awaitEqual(source, copy, SOON);
            assertThat(copy.toFile().list()).containsExactlyInAnyOrder("kept", "later");
        }
    }

    @Test
    void mountMissingAtTheStartHaltsItWhateverLiesInThatDirectoryAndItGoesOnWhenItIsMounted() throws IOException {
        Path disk = mounted();
        try (DromedaryProcess dromedary = mirror()) {
            dromedary.awaitLine("live", START);
            dromedary.terminate();
            assertThat(dromedary.exitCode(SOON)).isZero();
        }
        unmount();
        Files.writeString(source.resolve("stray"), "below the mount point");
        try (DromedaryProcess dromedary = mirror()) {
            dromedary.awaitLine("halted: source .* was a mount point and is none now", START);
            // Events that empty the wrong directory empty nothing that counts.
            Files.delete(source.resolve("stray"));
            Files.setPosixFilePermissions(source, PosixFilePermissions.fromString("rwx------"));
            Files.writeString(source.resolve("last"), "");
            Files.delete(source.resolve("last"));
            await().during(Duration.ofSeconds(3)).atMost(SOON).untilAsserted(() -> assertThat(copy.resolve("kept/file"))
                    .hasContent("kept"));
            Files.writeString(disk.resolve("later"), "later");
            mount("--bind", disk.toString(), source.toString());
            dromedary.awaitLine("full sync done", SOON);
            Trees.awaitEqual(source, copy, SOON);
            Files.delete(source.resolve("later"));
            Trees.awaitEqual(source, copy, SOON);
            assertThat(copy.toFile().list()).containsExactly("kept");
        }
    }

    @Test
    void anotherFileSystemInItsPlaceHaltsTheMirror() throws IOException {
        mount("-t", "tmpfs", "tmpfs", source.toString());
        Files.writeString(source.resolve("file"), "of the first");
        try (DromedaryProcess dromedary = mirror("--set", "full-sync.cron=* * * * * ?")) {
            dromedary.awaitLine("live", START);
            unmount();
            mount("-t", "tmpfs", "tmpfs", source.toString());
            Files.writeString(source.resolve("other"), "of the second");
            dromedary.awaitLine("halted: source .* is another directory", SOON);
            Files.writeString(source.resolve("another"), "of the second");
            await().during(Duration.ofSeconds(3))
                    .atMost(SOON)
                    .untilAsserted(() -> assertThat(copy.toFile().list()).containsExactly("file"));
        }
    }

    /** Without any full sync: that what an earlier run still owes is not there is no reason to delete it. */
    @Test
    void whatIsStillOwedIsNotDeletedWhenTheSourceIsEmptyAtTheStart() throws IOException {
        Path refused = directory.resolve("refused");
        try (DromedaryProcess dromedary = mirror()) {
            dromedary.awaitLine("live", START);
            Files.move(copy, refused);
            // What rsync cannot make a directory of.
            Files.writeString(copy, "");
            Files.writeString(source.resolve("kept/file"), "owed");
            dromedary.awaitLine("copy: down", SOON);
            dromedary.kill();
        }
        Files.delete(copy);
        Files.move(refused, copy);
        Path away = directory.resolve("away");
        Files.move(source, away);
        Files.createDirectory(source);
        try (DromedaryProcess dromedary = mirror("--no-initial-sync")) {
            dromedary.awaitLine("halted: source .* is empty and no event emptied it", START);
            assertThat(copy.resolve("kept/file")).hasContent("kept");
        }
        Files.delete(source);
        Files.move(away, source);
        try (DromedaryProcess dromedary = mirror("--no-initial-sync")) {
            Trees.awaitEqual(source, copy, START);
            assertThat(dromedary.output()).doesNotContain("full sync");
        }
    }
}
