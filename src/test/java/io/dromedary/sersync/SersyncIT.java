package io.dromedary.sersync;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A confxml.xml as its owner runs it, today and tomorrow. */
class SersyncIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private Path source;
    private Path first;
    private Path second;
    private RsyncDaemon daemon;

    @BeforeEach
    void trees() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        first = Files.createDirectory(directory.resolve("first"));
        second = Files.createDirectory(directory.resolve("second"));
        daemon = new RsyncDaemon()
                .module("first", first)
                .module("second", second)
                .start();
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    private Path confxml(String inside, String plugins) throws IOException {
        return Files.writeString(
                directory.resolve("confxml.xml"),
                "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<head version=\"2.5\">\n"
                        + "<inotify><attrib start=\"true\"/></inotify>\n<sersync>\n<localpath watch=\"" + source
                        + "\">\n<remote ip=\"127.0.0.1\" name=\"first\"/>\n<remote ip=\"127.0.0.1\" name=\"second\"/>\n"
                        + "</localpath>\n<rsync><commonParams params=\"-artz\"/><userDefinedPort start=\"true\" port=\""
                        + daemon.port() + "\"/></rsync>\n" + inside + "</sersync>\n" + plugins + "</head>\n");
    }

    private Path script(String text) throws IOException {
        Path script = Files.writeString(directory.resolve("script"), "#!/bin/sh\n" + text);
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        return script;
    }

    private static final String[] QUICKLY = {"--set", "http.port=0", "--set", "retry.cron=* * * * * ?"};

    private DromedaryProcess dromedary(String... arguments) {
        return DromedaryProcess.start(
                directory,
                Stream.concat(List.of(arguments).stream(), List.of(QUICKLY).stream())
                        .toArray(String[]::new));
    }

    @Test
    void runsTodayAndTomorrow() throws IOException {
        Path file = confxml("", "<filter start=\"true\"><exclude expression=\"(.*)\\.bak\"/></filter><nothing/>");
        Files.writeString(source.resolve("a"), "a");
        Files.writeString(source.resolve("a.bak"), "not sent");
        Files.writeString(first.resolve("extra"), "not at the source");
        try (DromedaryProcess today = dromedary("sersync", "-o", file.toString())) {
            today.awaitLine(" watching 1 tree for 2 remotes", START);
            assertThat(today.output()).contains(file + ":11: <nothing> is not known here");
            Files.writeString(source.resolve("b"), "b");
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(second.resolve("b")).hasContent("b"));
            assertThat(first.resolve("a")).as("no full sync without -r").doesNotExist();
            assertThat(first.resolve("extra")).exists();
            today.terminate();
            assertThat(today.exitCode(SOON)).isZero();
        }
        try (DromedaryProcess today = dromedary("sersync", "-rn", "3", "-o", file.toString())) {
            today.awaitLine("127.0.0.1-first: full sync done", START);
            today.awaitLine("127.0.0.1-second: full sync done", START);
            assertThat(first.resolve("a")).hasContent("a");
            assertThat(first.resolve("a.bak")).doesNotExist();
            assertThat(first.resolve("extra")).doesNotExist();
        }
        Path tomorrow = directory.resolve("etc");
        try (DromedaryProcess imported =
                DromedaryProcess.start(directory, "import", file.toString(), "-o", tomorrow.toString())) {
            assertThat(imported.exitCode(START)).as(imported.output()).isZero();
            assertThat(imported.output())
                    .contains("wrote " + tomorrow.resolve("routes/source.camel.yaml"), file + ":11: <nothing>");
        }
        try (DromedaryProcess checked = dromedary("check", "-c", tomorrow.toString())) {
            assertThat(checked.exitCode(START)).as(checked.output()).isZero();
        }
        try (DromedaryProcess run = dromedary("run", "-c", tomorrow.toString())) {
            run.awaitLine("127.0.0.1-first: full sync done", START);
            run.awaitLine("127.0.0.1-second: full sync done", START);
            Files.writeString(source.resolve("c.bak"), "not sent");
            Files.writeString(source.resolve("c"), "c");
            for (Path copy : List.of(first, second)) {
                await().atMost(SOON)
                        .untilAsserted(() -> assertThat(copy.resolve("c")).hasContent("c"));
                assertThat(copy.resolve("b")).hasContent("b");
                assertThat(copy.resolve("c.bak")).doesNotExist();
            }
        }
    }

    /** Whatever is posted or asked for; the first request for "/fails" is refused. */
    private HttpServer web(List<String> requests) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        List<String> refused = new CopyOnWriteArrayList<>();
        server.createContext("/", exchange -> {
            String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            String request = exchange.getRequestMethod() + " " + exchange.getRequestURI() + " " + body;
            boolean fails = request.contains("fails") && !refused.contains(request);
            if (fails) {
                refused.add(request);
            } else {
                requests.add(request.strip());
            }
            answer(exchange, fails ? 500 : 200);
        });
        server.start();
        return server;
    }

    private static void answer(HttpExchange exchange, int code) throws IOException {
        exchange.sendResponseHeaders(code, -1);
        exchange.close();
    }

    private static Thread listen(ServerSocket server, List<String> paths) {
        Thread thread = new Thread(
                () -> {
                    while (true) {
                        try (Socket socket = server.accept()) {
                            paths.add(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
                        } catch (IOException closed) {
                            return;
                        }
                    }
                },
                "socket-listener");
        thread.start();
        return thread;
    }

    @Test
    void pluginsAreToldOfEachChangeOnceItIsEverywhere() throws Exception {
        List<String> requests = new CopyOnWriteArrayList<>();
        List<String> paths = new CopyOnWriteArrayList<>();
        Path called = directory.resolve("called");
        Path go = directory.resolve("go");
        // Slow: until the test says so the first call hangs.
        Path script = script("printf '%s|%s|%s\\n' \"$1\" \"$2\" \"$3\" >>" + called + "\nwhile [ ! -e " + go
                + " ]; do sleep 0.1; done\n");
        HttpServer web = web(requests);
        ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread listener = listen(server, paths);
        String host = "127.0.0.1\" port=\"" + web.getAddress().getPort() + "\"";
        Path file = confxml(
                "<plugin start=\"true\" name=\"command\"/><plugin start=\"true\" name=\"socket\"/>"
                        + "<plugin start=\"true\" name=\"http\"/><plugin start=\"true\" name=\"refreshCDN\"/>\n",
                "<plugin name=\"command\"><param prefix=\"" + script + " -x\" suffix=\"`id`\" ignoreError=\"false\"/>"
                        + "<filter start=\"true\"><include expression=\"(.*)\\.php\"/></filter></plugin>\n"
                        + "<plugin name=\"socket\"><localpath watch=\"" + source
                        + "\"><deshost ip=\"127.0.0.1\" port=\""
                        + server.getLocalPort() + "\"/></localpath></plugin>\n"
                        + "<plugin name=\"http\"><localpath watch=\"" + source
                        + "\"><deshost url=\"http://127.0.0.1/changed.php?site=w&x=1\" port=\""
                        + web.getAddress().getPort()
                        + "\"/></localpath></plugin>\n"
                        + "<plugin name=\"refreshCDN\"><localpath watch=\"" + source + "\"><cdninfo domainname=\""
                        + host
                        + " username=\"me\" passwd=\"p&ss\"/><sendurl base=\"http://pic.example.org\"/>"
                        + "<regexurl regex=\"false\" match=\"\"/></localpath></plugin>\n");
        try (DromedaryProcess dromedary = dromedary("sersync", "-r", "-o", file.toString())) {
            dromedary.awaitLine("127.0.0.1-first: full sync done", START);
            dromedary.awaitLine("127.0.0.1-second: full sync done", START);
            Files.writeString(source.resolve("a'b $(id).php"), "a");
            await().atMost(SOON).until(() -> Files.exists(called));
            assertThat(second.resolve("a'b $(id).php"))
                    .as("told once it is everywhere")
                    .exists();
            assertThat(first.resolve("a'b $(id).php")).exists();
            // A plugin that hangs delays neither pushes nor the others.
            for (int i = 0; i < 300; i++) {
                Files.writeString(source.resolve("file" + i), "x");
            }
            Files.writeString(source.resolve("fails"), "x");
            Trees.awaitEqual(source, first, SOON);
            Trees.awaitEqual(source, second, SOON);
            await().atMost(SOON).untilAsserted(() -> assertThat(paths).hasSizeGreaterThanOrEqualTo(302));
            await().atMost(SOON).untilAsserted(() -> assertThat(requests).hasSizeGreaterThanOrEqualTo(604));
            assertThat(called).hasContent("-x|" + source + "/a'b $(id).php|`id`");
            Files.createFile(go);
            Files.writeString(source.resolve("z.php"), "z");
            await().atMost(SOON).untilAsserted(() -> assertThat(Files.readAllLines(called))
                    .containsExactly("-x|" + source + "/a'b $(id).php|`id`", "-x|" + source + "/z.php|`id`"));
            await().atMost(SOON).untilAsserted(() -> assertThat(paths).contains(source + "/z.php"));
            assertThat(paths)
                    .as("each once, in batches of any size")
                    .doesNotHaveDuplicates()
                    .hasSize(303);
            assertThat(paths).contains(source + "/file0", source + "/file299", source + "/fails");
            await().atMost(SOON).untilAsserted(() -> assertThat(requests).hasSize(606));
            assertThat(requests)
                    .doesNotHaveDuplicates()
                    .contains(
                            "POST /changed.php?site=w&x=1 watchroot=" + source + "&isdir=0&inotifyPath=" + source
                                    + "/fails&mask=8",
                            "HEAD /index.jsp?user=me&pswd=p%26ss&ok=ok&urls=http://pic.example.org/fails");
            assertThat(dromedary.output())
                    .contains("source-http: failed, and will be tried again: ", "source-http: all is through again")
                    .doesNotContain("p%26ss", "p&ss", "\tat ");
            await().atMost(SOON).untilAsserted(() -> assertThat(left()).isEmpty());
        } finally {
            web.stop(0);
            server.close();
            listener.join();
        }
    }

    /** What waits to be told, or to be told again. */
    private List<Path> left() throws IOException {
        try (Stream<Path> files = Files.walk(directory.resolve("state/pushed"))) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    @Test
    void onePluginAloneRunsWithoutRsync() throws IOException {
        Path called = directory.resolve("called");
        Path script = script("echo \"$1\" >>" + called + "\n");
        Path file = confxml("", "<plugin name=\"command\"><param prefix=\"" + script + "\" suffix=\"\"/></plugin>");
        try (DromedaryProcess dromedary =
                dromedary("sersync", "-r", "-m", "command", "--skip-hidden", "-o", file.toString())) {
            dromedary.awaitLine(" watching 1 tree for 0 remotes", START);
            Files.createDirectories(source.resolve("d"));
            for (String name : new String[] {".hidden", "old~", "4913", "d/.hidden", "d/a"}) {
                Files.writeString(source.resolve(name), "a");
            }
            await().atMost(SOON).ignoreExceptions().untilAsserted(() -> assertThat(Files.readAllLines(called))
                    .contains(source + "/d", source + "/d/a"));
            assertThat(called).content().doesNotContain("hidden", "~", "4913");
        }
        assertThat(first).isEmptyDirectory();
    }

    @Test
    void theInitScriptStartsAndStopsIt() throws IOException {
        Path file = confxml("", "");
        Path state = directory.resolve("var");
        Path defaults = Files.writeString(
                directory.resolve("defaults"),
                "DROMEDARY=" + DromedaryProcess.PROJECT.resolve("bin/dromedary") + "\nCONFXML=" + file + "\nSTATE="
                        + state + "\nOPTIONS='-r --set http.port=0'\n");
        Files.writeString(source.resolve("a"), "a");
        try {
            assertThat(init(defaults, "status").exitCode()).isEqualTo(3);
            Command started = init(defaults, "start");
            assertThat(started.exitCode()).as(started.errors()).isZero();
            long pid = pid(state);
            assertThat(text(started)).contains("running in the background, process " + pid + ", log " + state + "/log");
            Path process = Path.of("/proc/" + pid);
            assertThat(process.resolve("fd/0").toRealPath()).isEqualTo(Path.of("/dev/null"));
            assertThat(process.resolve("fd/1").toRealPath())
                    .isEqualTo(state.resolve("log").toRealPath());
            assertThat(Files.readString(process.resolve("stat"))
                            .replaceFirst(".*\\) ", "")
                            .split(" ")[3])
                    .as("a session of its own")
                    .isEqualTo("" + pid);
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(first.resolve("a")).hasContent("a"));
            assertThat(text(init(defaults, "start"))).contains("is running already, process " + pid);
            assertThat(text(init(defaults, "status"))).contains("is running, process " + pid);
            Path moved = directory.resolve("moved");
            Files.move(file, moved);
            Files.writeString(file, "<head><sersync>");
            Command refused = init(defaults, "reload");
            assertThat(refused.exitCode()).isEqualTo(2);
            assertThat(refused.errors()).contains(file + ":1:").contains("this is not XML");
            assertThat(pid(state)).as("the running one goes on").isEqualTo(pid);
            Files.delete(file);
            Files.move(moved, file);
            assertThat(init(defaults, "reload").exitCode()).isZero();
            assertThat(pid(state)).isNotEqualTo(pid);
            Files.writeString(source.resolve("b"), "b");
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(first.resolve("b")).hasContent("b"));
        } finally {
            assertThat(text(init(defaults, "stop"))).contains("has ended");
        }
        assertThat(init(defaults, "status").exitCode()).isEqualTo(3);
        assertThat(text(init(defaults, "stop"))).contains("is not running");
        // A start that fails says why, and is one for the script too.
        Files.writeString(defaults, "OPTIONS='--set delete=maybe'\n", StandardOpenOption.APPEND);
        Command failed = init(defaults, "start");
        assertThat(failed.exitCode()).isEqualTo(2);
        assertThat(failed.errors()).contains("--set: dromedary.delete = maybe: allowed is true or false");
    }

    private static Command init(Path defaults, String command) {
        return Command.run(
                Map.of("SERSYNC_DEFAULTS", defaults.toString()),
                List.of(
                        DromedaryProcess.PROJECT
                                .resolve("packaging/sersync/sersync.init")
                                .toString(),
                        command));
    }

    private static String text(Command command) {
        return new String(command.output(), StandardCharsets.UTF_8);
    }

    private static long pid(Path state) throws IOException {
        return Long.parseLong(Files.readString(state.resolve("pid")).strip());
    }
}
