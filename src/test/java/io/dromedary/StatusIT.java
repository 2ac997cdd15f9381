package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.dromedary.testbed.Churn;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a running one tells and how it is steered: by HTTP and by the commands, with real daemons as remotes. */
class StatusIT {
    private static final Duration START = Duration.ofMinutes(3);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final String TOKEN = "open sesame";

    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @TempDir
    Path directory;

    private Path source;
    private int port;

    @BeforeEach
    void prepare() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        Files.writeString(source.resolve("first"), "first");
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
    }

    private Path target(String name) throws IOException {
        return Files.createDirectory(directory.resolve(name));
    }

    /** One mirror "tree" of the source to remotes given as name, target, name, target … */
    private DromedaryProcess run(String settings, String... remotes) throws IOException {
        Path conf = Files.createDirectories(directory.resolve("conf/routes")).getParent();
        Files.writeString(
                conf.resolve("application.properties"),
                "dromedary.http.port=" + port + "\ndromedary.retry.cron=* * * * * ?\n" + settings);
        StringBuilder yaml =
                new StringBuilder("- route:\n    id: tree\n    from:\n      uri: kamelet:watch\n      parameters:\n"
                        + "        source: " + source + "\n      steps:\n        - multicast:\n            steps:\n");
        for (int i = 0; i < remotes.length; i += 2) {
            yaml.append("              - to:\n                  uri: kamelet:rsync\n                  parameters:\n"
                    + "                    remote: " + remotes[i] + "\n                    target: " + remotes[i + 1]
                    + "\n");
        }
        Files.writeString(conf.resolve("routes/tree.camel.yaml"), yaml);
        return DromedaryProcess.start(directory, "run", "-c", "conf");
    }

    private HttpResponse<String> ask(String method, String path, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                .timeout(Duration.ofSeconds(120))
                .method(method, HttpRequest.BodyPublishers.noBody());
        if (headers.length > 0) {
            request.headers(headers);
        }
        try {
            return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw new AssertionError(method + " " + path + ": " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private JsonNode json(String method, String path, String... headers) {
        HttpResponse<String> answer = ask(method, path, headers);
        assertThat(answer.statusCode()).as(path + ": " + answer.body()).isEqualTo(200);
        try {
            return new ObjectMapper().readTree(answer.body());
        } catch (IOException e) {
            throw new AssertionError(answer.body(), e);
        }
    }

    private JsonNode remote(String id) {
        for (JsonNode remote : json("GET", "/api/status").at("/mirrors/0/remotes")) {
            if (remote.get("id").asText().equals(id)) {
                return remote;
            }
        }
        throw new AssertionError("no remote " + id);
    }

    private void awaitState(String id, String state) {
        await().atMost(SOON)
                .untilAsserted(
                        () -> assertThat(remote(id).get("state").asText()).isEqualTo(state));
    }

    private Command command(String... arguments) {
        List<String> words = new ArrayList<>(
                List.of(DromedaryProcess.PROJECT.resolve("bin/dromedary").toString()));
        words.addAll(List.of(arguments));
        words.addAll(List.of("-c", directory.resolve("conf").toString()));
        return Command.run(Map.of(), words);
    }

    private static String output(Command command) {
        return new String(command.output(), StandardCharsets.UTF_8);
    }

    private double metric(String line) {
        return ask("GET", "/observe/metrics")
                .body()
                .lines()
                .filter(one -> one.startsWith(line + " "))
                .mapToDouble(one -> Double.parseDouble(one.substring(line.length() + 1)))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no metric " + line));
    }

    /** With full syncs beside it all the time, which may undo what was pushed live until it is pushed once more. */
    @Test
    void whatWasWrittenBeforeAFlushIsThereAfterIt() throws IOException {
        long seed = System.nanoTime();
        System.out.println("flush seed " + seed);
        Path first = target("one");
        Path second = target("two");
        Churn churn = new Churn(source, seed);
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", second).start();
                DromedaryProcess dromedary = run(
                        "dromedary.full-sync.cron=0/2 * * * * ?", "one", first.toString(), "two", daemon.url("m"))) {
            dromedary.awaitLine("watching", START);
            for (int round = 0; round < 25; round++) {
                churn.run(1 + round * 7 % 60);
                assertThat(json("POST", "/api/flush?timeout=100").get("notUp")).isEmpty();
                assertThat(Trees.differences(source, first))
                        .as("round " + round)
                        .isEmpty();
                assertThat(Trees.differences(source, second))
                        .as("round " + round)
                        .isEmpty();
            }
        }
    }

    /** It cannot be asked how far it is, and an event of it may be late; those of a tree in place of the old are for sure. */
    @Test
    void aFlushIsExactWithFileWatchToo() throws IOException {
        Path copy = target("copy");
        try (DromedaryProcess dromedary = run("dromedary.watcher=file-watch\n", "copy", copy.toString())) {
            dromedary.awaitLine("live", START);
            dromedary.awaitLine("watching", START);
            for (int round = 0; round < 10; round++) {
                // It reads all of them one by one before it tells of what comes after.
                Path many = Files.createDirectory(source.resolve("many" + round));
                for (int file = 0; file < 400; file++) {
                    Files.writeString(many.resolve("file" + file), "x");
                }
                Files.writeString(source.resolve("last" + round), "x");
                assertThat(json("POST", "/api/flush?timeout=100").get("notUp")).isEmpty();
                // What it is told late it pushes once more, which changes nothing but a directory's time for a moment.
                for (int file = 0; file < 400; file++) {
                    assertThat(copy.resolve("many" + round).resolve("file" + file))
                            .hasContent("x");
                }
                assertThat(copy.resolve("last" + round)).hasContent("x");
            }
            for (int round = 0; round < 10; round++) {
                Command.run("rm", "-r", source.resolve("many" + round).toString());
                Files.delete(source.resolve("last" + round));
            }
            Files.delete(source.resolve("first"));
            assertThat(json("POST", "/api/flush?timeout=100").get("notUp"))
                    .as("what was emptied is not halted")
                    .isEmpty();
            for (int round = 0; round < 10; round++) {
                assertThat(copy.resolve("many" + round)).doesNotExist();
                assertThat(copy.resolve("last" + round)).doesNotExist();
            }
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    @Test
    void whatNobodyForesawIsToldInOneLineToo() throws IOException {
        try (DromedaryProcess dromedary = run("", "copy", target("copy").toString())) {
            dromedary.awaitLine("live", START);
            Files.writeString(directory.resolve("state/paused"), "a file where the directory should be");
            HttpResponse<String> answer = ask("POST", "/api/remotes/copy/pause");
            assertThat(answer.statusCode()).isEqualTo(500);
            assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/json");
            assertThat(answer.body()).startsWith("{\"error\":\"java.nio.file.FileAlreadyExistsException: ");
            Command pause = command("pause", "copy");
            assertThat(pause.exitCode()).isEqualTo(1);
            assertThat(pause.errors().lines()).hasSize(1).first().asString().contains("FileAlreadyExistsException");
            dromedary.awaitLine("WARN +dromedary-api-pause: .*FileAlreadyExistsException", SOON);
            assertThat(dromedary.output()).doesNotContain("\tat ");
        }
    }

    @Test
    void whatIsAppendedToAllTheTimeIsPushedNowAndThen() throws Exception {
        Path copy = target("copy");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = run("", "copy", daemon.url("m"))) {
            dromedary.awaitLine("copy: .*live", START);
            long pushes = remote("copy").get("pushes").asLong();
            long start = System.nanoTime();
            for (int i = 0; i < 400; i++) {
                Files.writeString(
                        source.resolve("log"), i + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
                TimeUnit.MILLISECONDS.sleep(10);
            }
            Trees.awaitEqual(source, copy, SOON);
            long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start);
            // 5 at once, 6 until the pause is as long as it gets, one a second from then on.
            assertThat(remote("copy").get("pushes").asLong() - pushes).isBetween(2L, 12 + seconds + 2);
        }
    }

    @Test
    void whatIsStillBeingWrittenIsPushedOnceAtItsClose() throws Exception {
        Path copy = target("copy");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = run("", "copy", daemon.url("m"))) {
            dromedary.awaitLine("copy: .*live", START);
            long pushes = remote("copy").get("pushes").asLong();
            try (FileChannel large = FileChannel.open(
                    source.resolve("large"), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                for (int i = 1; i <= 100; i++) {
                    // Sparse, but for its size as good as one of 10 GB.
                    large.write(ByteBuffer.wrap(new byte[] {1}), i * (1L << 20));
                    TimeUnit.MILLISECONDS.sleep(30);
                }
                assertThat(remote("copy").get("pushes").asLong()).isEqualTo(pushes);
            }
            Trees.awaitEqual(source, copy, SOON);
            assertThat(json("POST", "/api/flush?timeout=100").get("notUp")).isEmpty();
            assertThat(remote("copy").get("pushes").asLong()).isEqualTo(pushes + 1);
        }
    }

    @Test
    void remoteThatGoesDownAndComesBackIsToldEverywhere() throws IOException {
        Path up = target("up");
        Path down = target("down");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", down).start();
                DromedaryProcess dromedary = run("", "up", up.toString(), "down", daemon.url("m"))) {
            dromedary.awaitLine("up: .*live", START);
            dromedary.awaitLine("down: .*live", START);
            assertThat(json("GET", "/observe/health/ready").get("status").asText())
                    .isEqualTo("UP");
            assertThat(json("GET", "/observe/health/live").get("checks"))
                    .as("the watches are asked for")
                    .extracting(check -> check.get("name").asText())
                    .contains("alive");
            daemon.stop();
            Files.writeString(source.resolve("while down"), "x");
            awaitState("down", "down");
            assertThat(remote("down").get("failed").asInt()).isPositive();
            assertThat(remote("down").get("lagSeconds").asDouble()).isPositive();
            assertThat(remote("down").get("lastError").asText()).contains("rsync exit code 10");
            assertThat(remote("up").get("state").asText()).isIn("live", "pushing");
            assertThat(json("GET", "/observe/health/live").get("status").asText())
                    .isEqualTo("UP");
            assertThat(json("GET", "/observe/health/ready").get("status").asText())
                    .as("a remote that is down is no reason to restart or to wait")
                    .isEqualTo("UP");
            assertThat(metric("dromedary_remote_up{mirror=\"tree\",remote=\"down\"}"))
                    .isZero();
            assertThat(metric("dromedary_remote_up{mirror=\"tree\",remote=\"up\"}"))
                    .isEqualTo(1);
            assertThat(metric("dromedary_failed{mirror=\"tree\",remote=\"down\"}"))
                    .isPositive();
            assertThat(metric("dromedary_watches{mirror=\"tree\"}")).isEqualTo(1);

            Command flush = command("flush");
            assertThat(flush.exitCode()).isZero();
            assertThat(flush.errors()).contains("down is down");
            assertThat(up.resolve("while down")).exists();
            Command status = command("status");
            assertThat(status.exitCode()).as("down").isEqualTo(2);
            assertThat(output(status).lines())
                    .allSatisfy(line -> assertThat(line.length()).isLessThanOrEqualTo(80));
            assertThat(output(status)).containsPattern("(?m)^  down +down ").contains("failed to connect");
            assertThat(output(command("failed"))).contains("while down").contains("rsync exit code 10");
            Command verify = command("verify", "--remote", "down");
            assertThat(verify.exitCode()).isEqualTo(1);

            daemon.start();
            assertThat(ask("POST", "/api/failed/retry").statusCode()).isEqualTo(200);
            awaitState("down", "live");
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(down.resolve("while down")).exists());
            await().atMost(SOON).untilAsserted(() -> assertThat(
                            remote("down").get("lagSeconds").asDouble())
                    .isZero());
            assertThat(output(command("failed"))).contains("nothing has failed");
            Files.writeString(down.resolve("extra"), "theirs");
            verify = command("verify");
            assertThat(verify.exitCode()).isEqualTo(1);
            assertThat(output(verify)).contains("down: *deleting extra").doesNotContain("up: ");
            assertThat(command("sync", "tree").exitCode()).isZero();
            assertThat(command("flush").exitCode()).isZero();
            assertThat(command("verify").exitCode()).isZero();
            assertThat(command("status", "--json").exitCode()).as("all well").isZero();
            assertThat(metric("dromedary_pushes_total{mirror=\"tree\",outcome=\"down\",remote=\"down\"}"))
                    .isPositive();
        }
        Command nothing = command("status");
        assertThat(nothing.exitCode()).isEqualTo(1);
        assertThat(nothing.errors().lines()).hasSize(1).first().asString().contains("no Dromedary is running");
    }

    @Test
    void pauseKeepsCollectingAndOutlivesARestart() throws IOException {
        Path copy = target("copy");
        try (DromedaryProcess dromedary = run("", "copy", copy.toString())) {
            dromedary.awaitLine("live", START);
            assertThat(command("pause", "copy").exitCode()).isZero();
            Files.writeString(source.resolve("later"), "later");
            await().atMost(SOON)
                    .untilAsserted(() ->
                            assertThat(remote("copy").get("pending").asInt()).isPositive());
            assertThat(remote("copy").get("state").asText()).isEqualTo("paused");
            assertThat(command("flush").errors()).contains("copy is paused");
            dromedary.terminate();
            assertThat(dromedary.exitCode(SOON)).isZero();
        }
        try (DromedaryProcess dromedary = run("", "copy", copy.toString())) {
            dromedary.awaitLine("watching", START);
            awaitState("copy", "paused");
            await().atMost(SOON)
                    .untilAsserted(() ->
                            assertThat(remote("copy").get("pending").asInt()).isPositive());
            assertThat(copy.resolve("later")).doesNotExist();
            assertThat(command("resume", "copy").exitCode()).isZero();
            assertThat(command("flush").exitCode()).isZero();
            assertThat(copy.resolve("later")).exists();
            assertThat(command("pause", "nobody").errors()).contains("no remote nobody; there are: [copy]");
        }
    }

    @Test
    void whatFailedCanBeDroppedAndTheRemoteIsTriedAllTheSame() throws IOException {
        Path copy = target("copy");
        RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
        try (daemon;
                DromedaryProcess dromedary = run("dromedary.full-sync.initial=false", "copy", daemon.url("m"))) {
            dromedary.awaitLine("watching", START);
            daemon.stop();
            Files.writeString(source.resolve("dropped"), "x");
            awaitState("copy", "down");
            assertThat(output(command("failed", "drop"))).isEqualTo("1 changes are forgotten\n");
            daemon.start();
            awaitState("copy", "live");
            Files.writeString(source.resolve("second"), "x");
            assertThat(command("flush").exitCode()).isZero();
            assertThat(copy.resolve("second")).exists();
            assertThat(copy.resolve("dropped")).doesNotExist();
        }
    }

    @Test
    void onlyWhoHasTheTokenMayChangeAnything() throws IOException {
        Path copy = target("copy");
        String authorization = "Bearer " + TOKEN;
        try (DromedaryProcess dromedary = run("dromedary.http.token=" + TOKEN, "copy", copy.toString())) {
            dromedary.awaitLine("live", START);
            assertThat(ask("GET", "/api/status").statusCode()).isEqualTo(200);
            HttpResponse<String> refused = ask("POST", "/api/flush");
            assertThat(refused.statusCode()).isEqualTo(401);
            assertThat(refused.headers().firstValue("WWW-Authenticate")).hasValue("Bearer");
            for (String path : List.of(
                    "/api/sync",
                    "/api/verify",
                    "/api/remotes/copy/pause",
                    "/api/remotes/copy/resume",
                    "/api/failed/retry",
                    "/api/failed/drop",
                    "/api/failed/defer")) {
                assertThat(ask("POST", path, "Authorization", "Bearer wrong").statusCode())
                        .as(path)
                        .isEqualTo(401);
            }
            assertThat(ask("POST", "/api/flush", "Authorization", authorization, "Sec-Fetch-Site", "cross-site")
                            .statusCode())
                    .isEqualTo(403);
            assertThat(ask("POST", "/api/flush", "Authorization", authorization, "Origin", "http://evil.example")
                            .statusCode())
                    .isEqualTo(403);
            HttpResponse<String> flushed =
                    ask("POST", "/api/flush", "Authorization", authorization, "Origin", "http://127.0.0.1:" + port);
            assertThat(flushed.statusCode()).isEqualTo(200);
            assertThat(flushed.headers().map().toString()).doesNotContain("sesame");
            assertThat(command("flush").exitCode()).as("the token of -c DIR").isZero();
            assertThat(remote("copy").get("state").asText()).isEqualTo("live");
            assertThat(ask("POST", "/api/flush", "X-Long", "x".repeat(100_000)).statusCode())
                    .isEqualTo(431);
            assertThat(dromedary.output()).doesNotContain("sesame");
        }
    }

    /** A page whose name was made to point here would be of the same site, for the browser. */
    @Test
    void withoutATokenNothingIsToldUnderAForeignName() throws IOException {
        try (DromedaryProcess dromedary = run("", "copy", target("copy").toString())) {
            dromedary.awaitLine("live", START);
            for (Map.Entry<String, Integer> host : Map.of(
                            "localhost", 200, "127.0.0.1:8008", 200, "[::1]:8008", 200, "evil.example:8008", 403)
                    .entrySet()) {
                try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                    socket.getOutputStream()
                            .write(("GET /api/status HTTP/1.0\r\nHost: " + host.getKey() + "\r\n\r\n")
                                    .getBytes(StandardCharsets.US_ASCII));
                    assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                            .as(host.getKey())
                            .startsWith("HTTP/1.0 " + host.getValue());
                }
            }
        }
    }

    @Test
    void sourceThatIsGoneIsUnhealthyAndWhatIsHaltedGoesOnWhenAPersonSaysSo() throws IOException {
        Path copy = target("copy");
        for (String name : List.of("a", "b", "c")) {
            Files.writeString(source.resolve(name), name);
        }
        try (DromedaryProcess dromedary = run("dromedary.max-delete=1", "copy", copy.toString())) {
            dromedary.awaitLine("live", START);
            for (String name : List.of("x", "y", "z")) {
                Files.writeString(copy.resolve(name), name);
            }
            assertThat(command("sync").exitCode()).isZero();
            awaitState("copy", "halted");
            HttpResponse<String> ready = ask("GET", "/observe/health/ready");
            assertThat(ready.statusCode()).isEqualTo(503);
            assertThat(ready.body()).contains("would delete 3 entries");
            assertThat(ask("GET", "/observe/health/live").statusCode()).isEqualTo(200);
            assertThat(copy.resolve("x")).exists();
            assertThat(command("resume", "copy").exitCode()).isZero();
            await().atMost(SOON).untilAsserted(() -> assertThat(Trees.differences(source, copy))
                    .isEmpty());
            awaitState("copy", "live");
            assertThat(ask("GET", "/observe/health/ready").statusCode()).isEqualTo(200);

            Files.move(source, directory.resolve("elsewhere"));
            await().atMost(SOON).untilAsserted(() -> assertThat(
                            ask("GET", "/observe/health/ready").statusCode())
                    .isEqualTo(503));
            assertThat(ask("GET", "/observe/health").body()).contains("is gone");
            assertThat(json("GET", "/api/status").at("/mirrors/0/problem").asText())
                    .contains("is gone");
            Files.move(directory.resolve("elsewhere"), source);
            await().atMost(SOON).untilAsserted(() -> assertThat(
                            ask("GET", "/observe/health/ready").statusCode())
                    .isEqualTo(200));
            assertThat(command("flush").exitCode()).isZero();
            assertThat(Trees.differences(source, copy)).isEmpty();
        }
    }
}
