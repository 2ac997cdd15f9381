package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.dromedary.testbed.Api;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What somebody does to a copy behind our back: verify tells it, the scheduled full sync undoes it. */
class DriftIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    /** What verify tells of {@link #drift}; the directory's own time changes with its entries. */
    private static final List<String> DRIFT = List.of(
            ".d..t...... d/",
            "<f+++++++++ d/deleted",
            "<f.st...... d/longer",
            "<f..t...... d/other",
            ".f...p..... d/mode",
            "*deleting d/extra",
            "*deleting d/sub/",
            "*deleting d/sub/extra");

    @TempDir
    Path directory;

    @Test
    void isToldByVerifyAndUndoneByTheScheduledFullSync() throws Exception {
        Path source = Files.createDirectory(directory.resolve("source"));
        Path d = Files.createDirectory(source.resolve("d"));
        for (String name : List.of("deleted", "longer", "other", "mode", "hidden", "well")) {
            Files.writeString(d.resolve(name), "some text");
            Files.setLastModifiedTime(d.resolve(name), FileTime.from(Instant.parse("2026-01-01T00:00:00Z")));
        }
        Path quick = Files.createDirectory(directory.resolve("quick"));
        Path sums = Files.createDirectory(directory.resolve("sums"));
        Api api = new Api();
        try (RsyncDaemon daemon =
                new RsyncDaemon().module("quick", quick).module("sums", sums).start()) {
            Configuration configuration = new Configuration(directory, source)
                    .remote("quick", daemon.url("quick"))
                    .remote("sums", daemon.url("sums"), "args: -a --checksum")
                    .set(api.setting());
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("quick: .*live", START);
                dromedary.awaitLine("sums: .*live", START);
                assertThat(verify(api, "quick")).isEmpty();
                assertThat(verify(api, "sums")).isEmpty();
                drift(quick.resolve("d"));
                drift(sums.resolve("d"));
                assertThat(verify(api, "quick"))
                        .as("same size and time is the same to rsync")
                        .containsExactlyInAnyOrderElementsOf(DRIFT);
                assertThat(verify(api, "sums")).contains("<fc........ d/hidden").hasSize(DRIFT.size() + 1);
            }
            // Nothing but the schedule can undo it.
            configuration.set("full-sync.initial=false", "full-sync.cron=0/2 * * * * ?");
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("watching", START);
                Trees.awaitEqual(source, sums, SOON);
                await().atMost(SOON).untilAsserted(() -> assertThat(Trees.differences(source, quick))
                        .containsExactly("d/hidden: content differs"));
            }
        }
    }

    private static void drift(Path d) throws IOException {
        FileTime time = Files.getLastModifiedTime(d.resolve("hidden"));
        Files.writeString(d.resolve("hidden"), "same time");
        Files.setLastModifiedTime(d.resolve("hidden"), time);
        Files.delete(d.resolve("deleted"));
        Files.writeString(d.resolve("longer"), "some more text");
        Files.writeString(d.resolve("other"), "same size");
        Files.setPosixFilePermissions(d.resolve("mode"), PosixFilePermissions.fromString("rw-------"));
        Files.writeString(d.resolve("extra"), "");
        Files.writeString(Files.createDirectory(d.resolve("sub")).resolve("extra"), "");
    }

    private static List<String> verify(Api api, String remote) {
        JsonNode answer = api.post("/api/verify?remote=" + remote).at("/remotes/0");
        assertThat(answer.path("error").asText()).isEmpty();
        List<String> differences = new ArrayList<>();
        for (JsonNode one : answer.get("differences")) {
            differences.add(one.get("change").asText() + " " + one.get("path").asText());
        }
        return differences;
    }
}
