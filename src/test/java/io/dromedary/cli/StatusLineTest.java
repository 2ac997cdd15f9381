package io.dromedary.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
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
}
