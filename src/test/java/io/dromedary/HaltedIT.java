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
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One mirror without its source and one remote that is down, beside one where all is well. */
class HaltedIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private Path source;
    private Path other;
    private Path copy;
    private Path otherCopy;
    private Api api;

    private DromedaryProcess run(RsyncDaemon daemon) throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        other = Files.createDirectory(directory.resolve("other"));
        copy = Files.createDirectory(directory.resolve("copy"));
        otherCopy = Files.createDirectory(directory.resolve("other-copy"));
        Files.writeString(source.resolve("file"), "one");
        Files.writeString(other.resolve("file"), "two");
        api = new Api();
        Configuration configuration = new Configuration(directory, source)
                .set(api.setting(), "retry.backoff=1h", "retry.max-backoff=1h", "retry.cron=0 0 0 1 1 ?")
                .remote("copy", copy.toString());
        String[] arguments = configuration.arguments();
        Path tree = directory.resolve("conf/routes/tree.camel.yaml");
        String one = Files.readString(tree);
        new Configuration(directory, other)
                .remote("gone", daemon.url("gone"))
                .remote("other", otherCopy.toString())
                .arguments();
        Files.writeString(
                tree.resolveSibling("other.camel.yaml"), Files.readString(tree).replace("id: tree", "id: other"));
        Files.writeString(tree, one);
        return DromedaryProcess.start(directory, arguments);
    }

    private JsonNode remote(JsonNode answer, String id) {
        for (JsonNode remote : answer.findParents("differences")) {
            if (remote.path("remote").asText().equals(id)) {
                return remote;
            }
        }
        throw new AssertionError(id + " is not in " + answer);
    }

    @Test
    void eachRemoteIsComparedByItselfAndAHaltedOneGoesOnWhenItsSourceIsBack() throws IOException {
        RsyncDaemon daemon = new RsyncDaemon()
                .module("gone", Files.createDirectory(directory.resolve("gone")))
                .start();
        daemon.stop();
        try (daemon;
                DromedaryProcess dromedary = run(daemon)) {
            dromedary.awaitLine("gone: down", START);
            dromedary.awaitLine("other: full sync done", SOON);
            dromedary.awaitLine("copy: full sync done", SOON);
            Path away = Files.move(source, directory.resolve("away"));
            dromedary.awaitLine("copy: halted: source .* is gone", SOON);
            Files.writeString(otherCopy.resolve("extra"), "not ours");

            JsonNode answer = api.post("/api/verify");
            assertThat(remote(answer, "copy").path("error").asText()).startsWith("source " + source + " is gone");
            assertThat(remote(answer, "gone").path("error").asText()).contains("Connection refused");
            assertThat(remote(answer, "other").path("error").isMissingNode()).isTrue();
            assertThat(remote(answer, "other").path("differences").findValuesAsText("path"))
                    .containsExactly("extra");

            Files.writeString(away.resolve("later"), "later");
            Files.move(away, source);
            // Its next pause would end in an hour.
            Trees.awaitEqual(source, copy, SOON);

            JsonNode dropped = api.post("/api/failed/drop");
            assertThat(dropped.path("owing").get(0).asText()).isEqualTo("gone");
            assertThat(api.get("/api/failed").path("failed").findValuesAsText("remote"))
                    .containsExactly("gone");
            daemon.start();
            api.post("/api/failed/retry");
            Trees.awaitEqual(other, directory.resolve("gone"), SOON);
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(api.get("/api/status").findValuesAsText("state"))
                            .containsOnly("live"));
        }
    }
}
