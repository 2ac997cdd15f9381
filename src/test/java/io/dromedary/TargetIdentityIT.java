package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Api;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.MountTable;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A target that was emptied, replaced or is not mounted, while it was down or nothing was pushed to it. */
class TargetIdentityIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    private static final String REPLACED = "another target than before.*: full sync";

    @TempDir
    Path directory;

    private Path source;
    private Path copy;

    @BeforeEach
    void twentyFiles() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        for (int i = 0; i < 20; i++) {
            Files.writeString(source.resolve("file" + i), "file " + i);
        }
    }

    private Configuration configuration() {
        return new Configuration(directory, source);
    }

    private void replaceCopy() throws IOException {
        Files.move(copy, directory.resolve("away"));
        Files.createDirectory(copy);
    }

    /** That a target was asked shows in what is known of it. */
    private void awaitKnown(String remote) {
        Path known = directory.resolve("state/targets").resolve(remote);
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(known).exists().content().contains("name: "));
    }

    @ParameterizedTest
    @ValueSource(strings = {"yes", "no"})
    void moduleReplacedWhileItsDaemonWasDown(String chroot) throws IOException {
        RsyncDaemon rsyncd = new RsyncDaemon().module("m", copy, "use chroot = " + chroot, "munge symlinks = no");
        try (rsyncd;
                DromedaryProcess dromedary =
                        configuration().remote("web1", rsyncd.start().url("m")).run()) {
            dromedary.awaitLine("live", START);
            awaitKnown("web1");
            rsyncd.stop();
            replaceCopy();
            Files.writeString(source.resolve("later"), "later");
            dromedary.awaitLine("web1: down", SOON);
            rsyncd.start();
            dromedary.awaitLine("web1: " + REPLACED, SOON);
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    /** The dry run fails for what a daemon excludes; the other names are known all the same. */
    @Test
    void moduleThatRefusesAName() throws IOException {
        RsyncDaemon rsyncd = new RsyncDaemon().module("m", copy, "exclude = /file3");
        try (rsyncd;
                DromedaryProcess dromedary =
                        configuration().remote("web1", rsyncd.start().url("m")).run()) {
            awaitKnown("web1");
            assertThat(directory.resolve("state/targets/web1"))
                    .content()
                    .contains("name: file2\n")
                    .doesNotContain("name: file3\n");
            rsyncd.stop();
            replaceCopy();
            Files.writeString(source.resolve("later"), "later");
            dromedary.awaitLine("web1: down", SOON);
            rsyncd.start();
            dromedary.awaitLine("web1: another target than before, 19 of 19 names", SOON);
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(copy.toFile().list()).hasSize(20));
        }
    }

    @Test
    void emptiedOverSshWhileNobodyWatchedAndNoFullSyncIsAskedForAtTheStart() throws IOException {
        try (SshDaemon sshd = new SshDaemon().start()) {
            String[] ssh = {"ssh: \"" + String.join(" ", sshd.sshArguments()) + "\""};
            try (DromedaryProcess dromedary =
                    configuration().remote("web1", sshd.target(copy), ssh).run()) {
                dromedary.awaitLine("live", START);
                awaitKnown("web1");
                dromedary.kill();
            }
            replaceCopy();
            try (DromedaryProcess dromedary = configuration()
                    .remote("web1", sshd.target(copy), ssh)
                    .set("full-sync.initial=false")
                    .run()) {
                dromedary.awaitLine("web1: another target than before, 20 of 20 names known there are gone", START);
                Trees.awaitEqual(source, copy, SOON);
            }
        }
    }

    @Test
    void localDirectoryReplacedWhileNothingWasPushed() throws IOException {
        try (DromedaryProcess dromedary =
                configuration().remote("near", copy.toString()).run()) {
            dromedary.awaitLine("live", START);
            awaitKnown("near");
            replaceCopy();
            Files.writeString(source.resolve("later"), "later");
            dromedary.awaitLine("near: " + REPLACED, SOON);
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    @Test
    void localTargetWhoseMountIsGoneHaltsItsRemoteAndNothingIsWrittenBelowTheMountPoint() throws IOException {
        try (MountTable mounts = new MountTable()) {
            Path disk = mounts.tmpfs(Files.createDirectory(directory.resolve("disk")));
            Path other = mounts.tmpfs(Files.createDirectory(directory.resolve("other")));
            Path mountPoint = Files.createDirectory(directory.resolve("backup"));
            mounts.bind(disk, mountPoint);
            Path target = Files.createDirectory(mountPoint.resolve("www"));
            Api api = new Api();
            try (DromedaryProcess dromedary = configuration()
                    .remote("near", target.toString())
                    .set(api.setting())
                    .run()) {
                dromedary.awaitLine("live", START);
                mounts.unmount(mountPoint);
                Files.writeString(source.resolve("later"), "later");
                dromedary.awaitLine(
                        "near: halted: target .*: " + mountPoint + " was a mount point and is none now", SOON);
                assertThat(api.get("/api/status")
                                .at("/mirrors/0/remotes/0/state")
                                .asText())
                        .isEqualTo("halted");
                assertThat(mountPoint).isEmptyDirectory();
                mounts.bind(disk, mountPoint);
                Trees.awaitEqual(source, target, SOON);
                assertThat(dromedary.output()).doesNotContain("another target");
                mounts.unmount(mountPoint);
                mounts.bind(other, mountPoint);
                Files.createDirectory(target);
                Files.writeString(source.resolve("last"), "last");
                dromedary.awaitLine("near: " + REPLACED, SOON);
                Trees.awaitEqual(source, target, SOON);
                // rsync goes where it is to write a moment after the last look.
                api.post("/api/flush");
                mounts.unmount(mountPoint);
                Files.createDirectory(target);
                Files.writeString(source.resolve("last"), "written anew");
                await().atMost(SOON).untilAsserted(() -> assertThat(api.get("/api/status")
                                .at("/mirrors/0/remotes/0/state")
                                .asText())
                        .isEqualTo("halted"));
                assertThat(target).isEmptyDirectory();
                api.post("/api/remotes/near/resume");
                Trees.awaitEqual(source, target, SOON);
            }
        }
    }

    /** Nobody has asked for a full sync, and the target was never told to have anything. */
    @Test
    void aTargetThatNeverHadItIsLeftAsItIs() throws IOException {
        try (RsyncDaemon rsyncd = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = configuration()
                        .remote("web1", rsyncd.url("m"))
                        .set("full-sync.initial=false")
                        .run()) {
            dromedary.awaitLine("watching", START);
            Files.writeString(source.resolve("later"), "later");
            Path later = copy.resolve("later");
            await().atMost(SOON).until(() -> Files.exists(later));
            // It is asked after this push.
            await().during(Duration.ofSeconds(2)).atMost(SOON).untilAsserted(() -> {
                assertThat(copy.toFile().list()).containsExactly("later");
                assertThat(dromedary.output()).doesNotContain("full sync");
            });
        }
    }
}
