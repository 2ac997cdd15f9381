package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nothing is deleted by accident: a source that vanished or was replaced, an empty mount point, too many deletions. */
class GuardIT {
    private static final Duration START = Duration.ofSeconds(60);
    private static final Duration SOON = Duration.ofSeconds(30);

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
}
