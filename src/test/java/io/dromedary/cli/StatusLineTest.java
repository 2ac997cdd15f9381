package io.dromedary.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.camel.util.json.JsonObject;
import org.junit.jupiter.api.Test;

class StatusLineTest {
    private static Map<String, Object> remote(String state, int pending, int failed, double lag) {
        Map<String, Object> remote = new HashMap<>();
        remote.put("state", state);
        remote.put("pending", pending);
        remote.put("failed", failed);
        remote.put("lagSeconds", lag);
        remote.put("bytesSent", 1_000_000);
        return remote;
    }

    private static Map<String, Object> syncing(int percent, Integer secondsLeft) {
        Map<String, Object> transfer = new HashMap<>();
        transfer.put("percent", percent);
        transfer.put("files", 10);
        transfer.put("bytes", 5_000_000);
        transfer.put("bytesPerSecond", 2_000_000);
        transfer.put("secondsLeft", secondsLeft);
        Map<String, Object> remote = remote("syncing", 1, 0, 3);
        remote.put("progress", transfer);
        return remote;
    }

    @Test
    void tellsHowAllRemotesFare() {
        assertThat(StatusLine.of(List.of(remote("live", 0, 0, 0)))).isEqualTo("live | lag 0 | 0 pending | 1.0 MB sent");
        assertThat(StatusLine.of(List.of(remote("live", 2, 0, 0.2), remote("live", 0, 0, 0), remote("down", 5, 7, 75))))
                .isEqualTo("2 live, 1 down | lag 1m15s | 7 pending | 3.0 MB sent | 7 failed");
    }

    @Test
    void showsABarDuringAFullSync() {
        assertThat(StatusLine.of(List.of(syncing(50, 12))))
                .isEqualTo("full sync [##########----------] 50% 10 files, 5.0 MB, 2.0 MB/s, 12s left | syncing");
    }

    @Test
    void severalFullSyncsAreOneThatTakesAsLongAsTheLongest() {
        assertThat(StatusLine.of(List.of(syncing(100, 0), syncing(50, 40), remote("live", 0, 0, 0))))
                .startsWith("full sync [###############-----] 75% 20 files, 10.0 MB, 4.0 MB/s, 40s left")
                .endsWith(" | 2 syncing, 1 live");
        assertThat(StatusLine.of(List.of(syncing(10, null), syncing(50, 40)))).doesNotContain("left");
    }

    private static Map<String, Object> large(String path, long size, long sent, Integer secondsLeft) {
        Map<String, Object> file = new HashMap<>();
        file.put("path", path);
        file.put("size", size);
        file.put("sent", sent);
        file.put("bytesPerSecond", secondsLeft == null ? 0 : 10_000_000);
        file.put("secondsLeft", secondsLeft);
        return file;
    }

    private static Map<String, Object> sending(long waiting, List<Map<String, Object>> files) {
        Map<String, Object> remote = remote("pushing", 2, 0, 3);
        remote.put("id", "far");
        remote.put("large", files);
        remote.put("largeWaiting", Map.of("files", waiting, "bytes", waiting * 1_000_000));
        return remote;
    }

    @Test
    void tellsHowFarLargeFilesAre() {
        Map<String, Object> first = large("a", 1_000_000_000, 250_000_000, 75);
        assertThat(StatusLine.of(List.of(sending(0, List.of(first)))))
                .startsWith("1 large file 25% of 1.0 GB, 10.0 MB/s, 1m15s left | pushing | lag 3.0s");
        assertThat(StatusLine.of(List.of(sending(0, List.of(first, large("b", 1_000_000_000, 0, null))))))
                .startsWith("2 large files 12% of 2.0 GB, 10.0 MB/s | pushing");
    }

    @Test
    void statusHasALineForEachLargeFileAndOneForThoseThatWait() {
        String path = "x".repeat(100) + "/images/disk.qcow2";
        JsonObject status = new JsonObject(Map.of(
                "mirrors",
                List.of(Map.of(
                        "id",
                        "m",
                        "source",
                        "/m",
                        "remotes",
                        List.of(sending(
                                1, List.of(large("b", 0, 0, null), large(path, 4_000_000_000L, 1 << 30, 273))))))));
        List<String> lines = StatusCommand.table(status);
        assertThat(lines).contains("  > b: 0% of 0 B, 0 B/s", "  > 1 large file waits, 1.0 MB");
        assertThat(lines.get(4))
                .hasSize(80)
                .startsWith("  > …x")
                .endsWith("x/images/disk.qcow2: 26% of 4.0 GB, 10.0 MB/s, 4m33s left");
    }
}
