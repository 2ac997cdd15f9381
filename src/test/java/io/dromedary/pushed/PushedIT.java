package io.dromedary.pushed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What stands behind kamelet:pushed, with what can go wrong at its other end. */
class PushedIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final String PASSWORD = "changeit";

    @TempDir
    Path directory;

    private Path source;

    @BeforeEach
    void tree() throws IOException {
        source = Files.createDirectories(directory.resolve("source"));
        Files.writeString(
                directory.resolve("application.properties"),
                "dromedary.http.port=0\ndromedary.retry.cron=* * * * * ?\ndromedary.retry.max-backoff=1s\n");
        Files.createDirectory(directory.resolve("routes"));
        route("inbox", "kamelet:watch", "source: " + source, "direct:pushed");
    }

    private void route(String id, String from, String parameter, String to, String... parameters) throws IOException {
        Files.writeString(
                directory.resolve("routes/" + id + ".camel.yaml"),
                "- route:\n    id: " + id + "\n    from:\n      uri: " + from + "\n      parameters:\n        "
                        + parameter + "\n      steps:\n        - to:\n            uri: " + to + "\n"
                        + (parameters.length == 0 ? "" : "            parameters:\n              ")
                        + String.join("\n              ", parameters) + "\n");
    }

    private DromedaryProcess run(Map<String, String> environment) {
        return DromedaryProcess.start(directory, environment, "run");
    }

    @Test
    void aCommandThatHangsIsEndedWithAllItHasStarted() throws IOException {
        Path script = Files.writeString(
                directory.resolve("script"),
                """
                #!/bin/sh
                cd "${0%/*}"
                echo "$1" >>called
                case $1 in
                  *hangs)
                    if [ ! -e once ]; then
                      sleep 600 &
                      echo $! >>pids
                      echo $$ >>pids
                      touch once
                      wait
                    fi
                    ;;
                esac
                """);
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        route("told", "kamelet:pushed", "mirror: inbox", "kamelet:command", "prefix: " + script, "timeLimit: 5");
        Path called = directory.resolve("called");
        try (DromedaryProcess dromedary = run(Map.of())) {
            dromedary.awaitLine(" watching 1 tree for 0 remotes", START);
            Files.writeString(source.resolve("hangs"), "");
            dromedary.awaitLine(
                    "told: failed, and will be tried again: .*script: ended with 137 .*not done in 5 s", SOON);
            for (String pid : Files.readAllLines(directory.resolve("pids"))) {
                // Without a parent that waits for it, it may stay as an entry without a command line.
                Path process = Path.of("/proc", pid, "cmdline");
                await().atMost(SOON)
                        .until(() -> !Files.exists(process) || readAll(process).isEmpty());
            }
            dromedary.awaitLine("told: all is through again", SOON);
            Files.writeString(source.resolve("next"), "");
            await().atMost(SOON).untilAsserted(() -> assertThat(Files.readAllLines(called))
                    .startsWith(source + "/hangs", source + "/hangs")
                    .endsWith(source + "/next"));
        }
    }

    private static String readAll(Path file) {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (IOException ended) {
            return "";
        }
    }

    @Test
    void overTlsOnlyWhomItTrustsIsTold() throws Exception {
        List<String> requests = new CopyOnWriteArrayList<>();
        HttpsServer right = web("right", "ip:127.0.0.1", requests);
        HttpsServer other = web("other", "dns:other.example.org", requests);
        String url = "url: https://127.0.0.1:";
        route("form", "kamelet:pushed/f", "mirror: inbox", "kamelet:http", url + port(right) + "/form");
        route(
                "cdn",
                "kamelet:pushed/c",
                "mirror: inbox",
                "kamelet:refresh-cdn",
                url + port(right) + "/cdn",
                "user: me",
                "password: sesame",
                "base: https://pic.example.org");
        route("wrong", "kamelet:pushed/w", "mirror: inbox", "kamelet:http", url + port(other) + "/wrong");
        try {
            try (DromedaryProcess dromedary = run(Map.of())) {
                dromedary.awaitLine(" watching 1 tree for 0 remotes", START);
                Files.writeString(source.resolve("a"), "");
                for (String route : List.of("form", "cdn", "wrong")) {
                    dromedary.awaitLine(route + ": failed, and will be tried again: .*certification path", SOON);
                }
                assertThat(requests).isEmpty();
                assertThat(dromedary.output()).doesNotContain("sesame");
                dromedary.terminate();
                assertThat(dromedary.exitCode(SOON)).isZero();
            }
            // As docs/configuration.md says. What nobody was told up to now is told then.
            String trust = "-Djavax.net.ssl.trustStore=" + directory.resolve("ca.p12")
                    + " -Djavax.net.ssl.trustStorePassword=" + PASSWORD;
            try (DromedaryProcess dromedary = run(Map.of("DROMEDARY_JAVA_OPTS", trust))) {
                dromedary.awaitLine("wrong: failed, and will be tried again: .*127.0.0.1", SOON.plus(START));
                await().atMost(SOON).untilAsserted(() -> assertThat(requests)
                        .containsExactlyInAnyOrder(
                                "POST /form watchroot=" + source + "&isdir=0&inotifyPath=" + source + "/a&mask=8",
                                "HEAD /cdn?user=me&pswd=sesame&ok=ok&urls=https://pic.example.org/a"));
                assertThat(dromedary.output()).doesNotContain("certification path");
            }
        } finally {
            right.stop(0);
            other.stop(0);
        }
    }

    private static int port(HttpsServer server) {
        return server.getAddress().getPort();
    }

    /** Its certificate is signed by nobody else, for that name, and in the trust store ca.p12. */
    private HttpsServer web(String alias, String name, List<String> requests) throws Exception {
        Path keys = directory.resolve(alias + ".p12");
        Path certificate = directory.resolve(alias + ".crt");
        keytool("-genkeypair", alias, keys, "-keyalg", "EC", "-dname", "CN=" + alias, "-ext", "SAN=" + name);
        keytool("-exportcert", alias, keys, "-file", certificate.toString());
        keytool("-importcert", alias, directory.resolve("ca.p12"), "-noprompt", "-file", certificate.toString());
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(keys)) {
            store.load(in, PASSWORD.toCharArray());
        }
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(store, PASSWORD.toCharArray());
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(managers.getKeyManagers(), null, null);
        HttpsServer server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(tls));
        server.createContext("/", exchange -> {
            String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            requests.add((exchange.getRequestMethod() + " " + exchange.getRequestURI() + " " + body).strip());
            exchange.sendResponseHeaders(200, -1);
            exchange.close();
        });
        server.start();
        return server;
    }

    private void keytool(String what, String alias, Path store, String... more) {
        List<String> words = new ArrayList<>(
                List.of(System.getProperty("java.home") + "/bin/keytool", what, "-alias", alias, "-keystore"));
        words.addAll(List.of(store.toString(), "-storepass", PASSWORD));
        words.addAll(List.of(more));
        Command command = Command.run(Map.of(), words);
        assertThat(command.exitCode()).as(command.errors()).isZero();
    }
}
