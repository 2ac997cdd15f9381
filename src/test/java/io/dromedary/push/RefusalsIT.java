package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.dromedary.testbed.Api;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Paths that a remote does not take: each waits by itself, told once; all others go on. */
@Timeout(300)
class RefusalsIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private Path source;
    private Path copy;
    private Api api;
    private Configuration configuration;

    @BeforeEach
    void directories() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        api = new Api();
        configuration = new Configuration(directory, source).set(api.setting(), "retry.max-backoff=1h");
    }

    private void write(String path) throws IOException {
        Path file = source.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, "text");
    }

    private JsonNode remote() {
        return api.get("/api/status").at("/mirrors/0/remotes/0");
    }

    /** Each with the one path that it is about. */
    private List<String> failed() {
        List<String> paths = new ArrayList<>();
        for (JsonNode one : api.get("/api/failed").get("failed")) {
            assertThat(one.get("changes").asInt()).isEqualTo(1);
            paths.add(one.at("/paths/0/path").asText() + " " + one.get("error").asText());
        }
        return paths;
    }

    private static List<String> told(DromedaryProcess dromedary) {
        return dromedary
                .output()
                .lines()
                .filter(line -> line.contains(" WARN "))
                .map(line -> line.replaceFirst(".* WARN +", ""))
                .toList();
    }

    @Test
    void whatADaemonExcludesWaitsByItselfAndNothingElseDoes() throws IOException {
        write("open");
        write("first.secret");
        try (RsyncDaemon daemon = new RsyncDaemon()
                .module("m", copy, "exclude = *.secret /closed")
                .start()) {
            configuration.remote("r", daemon.url("m")).set("max-delete=10");
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("r: full sync done .* but for what is refused.*; live", START);
                write("closed/in");
                write("new/a");
                write("new/b.secret");
                await().atMost(SOON).untilAsserted(() -> assertThat(failed())
                        .containsExactlyInAnyOrder(
                                "first.secret ERROR: daemon refused to receive file \"first.secret\"",
                                "closed ERROR: daemon refused to receive directory \"closed\"",
                                "new/b.secret ERROR: daemon refused to receive file \"new/b.secret\""));
                assertThat(copy.resolve("new/a")).hasContent("text");
                for (int i = 0; i < 5; i++) {
                    write("more" + i);
                    assertThat(copy.resolve("closed")).doesNotExist();
                }
                long begin = System.nanoTime();
                assertThatThrownBy(() -> api.post("/api/flush?timeout=60"))
                        .hasMessageContaining("409")
                        .hasMessageContaining("3 paths at r");
                assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(30));
                assertThat(copy.resolve("more4")).hasContent("text");
                assertThat(remote().get("state").asText()).isIn("live", "pushing");
                assertThat(remote().get("failed").asInt()).isEqualTo(3);
                assertThat(remote().get("lagSeconds").asDouble()).isPositive();
                assertThat(remote().get("refused").asInt()).isEqualTo(3);
                assertThat(remote().get("refusal").asText()).isEqualTo("3 paths are refused, the first: first.secret");
                JsonNode ready = api.get("/observe/health/ready");
                assertThat(ready.get("status").asText())
                        .as("what it refuses is no reason to wait for it")
                        .isEqualTo("UP");
                assertThat(ready.findValuesAsText("message"))
                        .contains("remote r: 3 paths are refused, the first: first.secret");
                assertThat(told(dromedary))
                        .as("each told once, however often it was tried")
                        .hasSize(3)
                        .allMatch(line -> line.startsWith("r: refused: "));

                Files.delete(source.resolve("new/b.secret"));
                daemon.stop();
                daemon.module("m", copy).start();
                api.post("/api/failed/retry");
                Trees.awaitEqual(source, copy, SOON);
                dromedary.awaitLine("r: what it refused is through", SOON);
                assertThat(failed()).isEmpty();
                assertThat(remote().get("refused").asInt()).isZero();
                assertThat(api.get("/observe/health/ready").toString()).doesNotContain("refused");
                api.post("/api/flush");
            }
        }
        assertThat(configuration.owed("r")).isEmpty();
    }

    @Test
    void aFileWithoutRoomKeepsNoOtherBackAndAFullDiskIsAnOutage() throws IOException {
        Command mount = Command.run("mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs", copy.toString());
        assumeTrue(mount.exitCode() == 0, "this needs to mount a small tmpfs: " + mount.errors());
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start()) {
            configuration.remote("r", daemon.url("m"));
            Files.write(source.resolve("a-large"), new byte[3 << 20]);
            write("small");
            write("tree/small");
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("r: refused: a-large: .*No space left on device", START);
                dromedary.awaitLine("r: full sync done", START);
                assertThat(copy.resolve("small")).hasContent("text");
                assertThat(copy.resolve("tree/small")).hasContent("text");
                Path made = Files.createDirectory(directory.resolve("made"));
                Files.write(made.resolve("large"), new byte[3 << 20]);
                Files.writeString(made.resolve("small"), "text");
                Files.move(made, source.resolve("live"));
                await().atMost(SOON)
                        .untilAsserted(() -> assertThat(failed()).anyMatch(one -> one.startsWith("live/large ")));
                assertThat(copy.resolve("live/small")).hasContent("text");
                assertThat(remote().get("state").asText()).isIn("live", "pushing");

                Path many = Files.createDirectory(directory.resolve("made"));
                for (int i = 0; i < 8; i++) {
                    Files.write(many.resolve("large" + i), new byte[3 << 20]);
                }
                Files.move(many, source.resolve("many"));
                dromedary.awaitLine("r: down: .*No space left on device", SOON);

                Command.run("mount", "-o", "remount,size=64m", copy.toString());
                api.post("/api/failed/retry");
                Trees.awaitEqual(source, copy, SOON);
                await().atMost(SOON)
                        .untilAsserted(() -> assertThat(configuration.owed("r")).isEmpty());
            }
        } finally {
            Command.run("umount", "-l", copy.toString());
        }
    }
}
