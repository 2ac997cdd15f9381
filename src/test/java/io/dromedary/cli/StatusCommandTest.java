package io.dromedary.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.camel.util.json.JsonObject;
import org.junit.jupiter.api.Test;

class StatusCommandTest {
    private static Map<String, Object> remote(String state, int failed, double lag) {
        Map<String, Object> remote = new HashMap<>();
        remote.put("id", "web1");
        remote.put("state", state);
        remote.put("pending", 1);
        remote.put("failed", failed);
        remote.put("lagSeconds", lag);
        remote.put("pushes", 3);
        remote.put("bytesSent", 1_000);
        return remote;
    }

    /** What the API answers of one mirror with this remote and one of which all is well. */
    private static JsonObject status(Map<String, Object> remote) {
        Map<String, Object> mirror = new HashMap<>();
        mirror.put("id", "www");
        mirror.put("source", "/data/www");
        mirror.put("remotes", List.of(remote, remote("live", 0, 0)));
        JsonObject status = new JsonObject();
        status.put("mirrors", new ArrayList<>(List.of(mirror)));
        return status;
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> mirror(JsonObject status) {
        return ((List<Map<String, Object>>) status.get("mirrors")).get(0);
    }

    @Test
    void exitCodeIs0WhereAllIsWellOrSoonWill() {
        assertThat(StatusCommand.exitCode(status(remote("live", 0, 0)))).isZero();
        assertThat(StatusCommand.exitCode(status(remote("pushing", 0, 9.9)))).isZero();
        assertThat(StatusCommand.exitCode(status(remote("syncing", 0, 5)))).isZero();
        assertThat(StatusCommand.exitCode(status(remote("paused", 7, 4000))))
                .as("a person's will")
                .isZero();
    }

    @Test
    void exitCodeIs1WhereSomethingLagsOrFails() {
        assertThat(StatusCommand.exitCode(status(remote("pushing", 0, 10.1)))).isEqualTo(1);
        assertThat(StatusCommand.exitCode(status(remote("live", 1, 2)))).isEqualTo(1);
        JsonObject listening = status(remote("live", 0, 0));
        Map<String, Object> listener = new HashMap<>(Map.of("id", "cdn", "failed", 2, "lastError", "404"));
        mirror(listening).put("listeners", List.of(listener));
        assertThat(StatusCommand.exitCode(listening)).isEqualTo(1);
        listener.put("lastError", null);
        assertThat(StatusCommand.exitCode(listening)).isZero();
    }

    @Test
    void exitCodeIs2WhereSomethingIsDownOrHalted() {
        assertThat(StatusCommand.exitCode(status(remote("down", 3, 60)))).isEqualTo(2);
        assertThat(StatusCommand.exitCode(status(remote("halted", 1, 1)))).isEqualTo(2);
        JsonObject missing = status(remote("live", 0, 0));
        mirror(missing).put("problem", "nothing is mounted at a any more");
        assertThat(StatusCommand.exitCode(missing)).isEqualTo(2);
    }

    @Test
    void tellsWhatIsRefused() {
        Map<String, Object> remote = remote("live", 2, 60);
        remote.put("refusal", "2 paths are refused, the first: a.secret");
        assertThat(StatusCommand.table(status(remote))).contains("  ! 2 paths are refused, the first: a.secret");
    }
}
