package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.dromedary.testbed.Api;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.MountTable;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Another file system in the source's place, mounted while nobody watched. */
class SourceIdentityIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private final MountTable mounts = new MountTable();
    private Path source;
    private Path copy;
    private Path disk;
    private Path fresh;

    @BeforeEach
    void twoDisksTheFirstMirrored() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        disk = mounts.tmpfs(Files.createDirectory(directory.resolve("disk")));
        fresh = mounts.tmpfs(Files.createDirectory(directory.resolve("fresh")));
        Files.createDirectory(fresh.resolve("lost+found"));
        for (int i = 0; i < 20; i++) {
            Files.createDirectory(disk.resolve("www" + i));
            Files.writeString(disk.resolve("www" + i + "/page"), "page " + i);
        }
        mounts.bind(disk, source);
        try (DromedaryProcess dromedary = configuration().run()) {
            dromedary.awaitLine("live", START);
            dromedary.terminate();
            assertThat(dromedary.exitCode(SOON)).isZero();
        }
    }

    @AfterEach
    void unmount() {
        mounts.close();
    }

    private Configuration configuration(String... settings) {
        return new Configuration(directory, source)
                .remote("copy", copy.toString())
                .set(settings);
    }

    private void mountInItsPlace(Path other) {
        mounts.unmount(source);
        mounts.bind(other, source);
    }

    private static JsonNode remote(Api api) {
        return api.get("/api/status").at("/mirrors/0/remotes/0");
    }

    @Test
    void freshDiskHaltsTheMirrorWhichGoesOnWhenTheRightOneIsBack() throws IOException {
        mountInItsPlace(fresh);
        Api api = new Api();
        try (DromedaryProcess dromedary = configuration(api.setting()).run()) {
            dromedary.awaitLine("copy: halted: source .*: 20 of 20 names known of it are not there", START);
            assertThat(remote(api).path("state").asText()).isEqualTo("halted");
            assertThat(remote(api).path("lastError").asText()).contains("dromedary resume copy");
            Files.writeString(source.resolve("stray"), "on the wrong disk");
            await().during(Duration.ofSeconds(2))
                    .atMost(SOON)
                    .untilAsserted(() -> assertThat(copy.toFile().list()).hasSize(20));
            Files.writeString(disk.resolve("later"), "later");
            mountInItsPlace(disk);
            Trees.awaitEqual(source, copy, SOON);
            assertThat(copy.resolve("later")).hasContent("later");
        }
    }

    @Test
    void whatWasRestoredOnANewDiskIsTheSource() throws IOException {
        assertThat(Command.run("cp", "-a", disk + "/.", fresh.toString()).exitCode())
                .isZero();
        mountInItsPlace(fresh);
        try (DromedaryProcess dromedary = configuration().run()) {
            dromedary.awaitLine("live", START);
            assertThat(dromedary.output()).doesNotContain("halted");
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    /** Without a full sync at the start a person's word starts one. */
    @Test
    void whoSaysThatItIsRightGetsAFullSync() throws IOException {
        mountInItsPlace(fresh);
        Api api = new Api();
        try (DromedaryProcess dromedary =
                configuration("full-sync.initial=false", api.setting()).run()) {
            dromedary.awaitLine("watching", START);
            Files.writeString(source.resolve("new"), "new");
            dromedary.awaitLine("copy: halted: source .*: 20 of 20 names", SOON);
            assertThat(copy.toFile().list()).hasSize(20);
            api.post("/api/remotes/copy/resume");
            Trees.awaitEqual(source, copy, SOON);
        }
    }
}
