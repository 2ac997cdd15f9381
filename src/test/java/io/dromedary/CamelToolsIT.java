package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.tools.attach.VirtualMachine;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.MavenBuild;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Camel's own tools at a running one: JMX, the dev consoles, {@code camel get}; there only when they are asked for. */
class CamelToolsIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Path PROJECT = DromedaryProcess.PROJECT;

    @TempDir
    Path directory;

    private Path source;
    private Path copy;
    private Path home;
    private int port;

    @BeforeEach
    void prepare() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        home = Files.createDirectory(directory.resolve("home"));
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
    }

    private DromedaryProcess run(String properties) throws IOException {
        Configuration configuration = new Configuration(directory, source)
                .remote("copy", copy.toString())
                .set("http.port=" + port, "http.token=open sesame");
        Files.createDirectories(directory.resolve("conf"));
        Files.writeString(directory.resolve("conf/application.properties"), properties);
        DromedaryProcess dromedary = configuration.run(Map.of("DROMEDARY_JAVA_OPTS", "-Duser.home=" + home));
        dromedary.awaitLine("live", START);
        dromedary.awaitLine("watching", START);
        return dromedary;
    }

    private HttpResponse<String> ask(String path, String accept) throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                                .header("Accept", accept)
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
    }

    private Command camel(String classpath, String... arguments) {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-Duser.home=" + home,
                "-cp",
                classpath,
                PROJECT.resolve("src/test/jbang/Camel.java").toString()));
        words.addAll(List.of(arguments));
        return Command.run(Map.of(), words);
    }

    @Test
    void theyAreThereWhenTheyAreAskedFor() throws Exception {
        String classpath = MavenBuild.jbangClasspath(directory);
        try (DromedaryProcess dromedary = run("camel.main.jmx-enabled=true\ncamel.main.dev-console-enabled=true\n")) {
            byJmx(dromedary.pid());
            byDevConsole();
            // What camel(1) reads may hold passwords.
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(home.resolve(".camel"))))
                    .isEqualTo("rwx------");
            await().atMost(START)
                    .untilAsserted(() -> assertThat(home.resolve(".camel/" + dromedary.pid() + "-status.json"))
                            .content()
                            .contains("\"tree\""));
            Command get = camel(classpath, "get", "route", "--filter=tree");
            assertThat(new String(get.output(), StandardCharsets.UTF_8))
                    .as(get.errors())
                    .containsPattern("dromedary +tree +kamelet:watch.* Started");
            // As camel stop does; what is left would be a process that mirrors nothing.
            Files.delete(home.resolve(".camel/" + dromedary.pid()));
            assertThat(dromedary.exitCode(START)).isZero();
        }
    }

    private static void byJmx(long pid) throws Exception {
        VirtualMachine machine = VirtualMachine.attach(String.valueOf(pid));
        try (JMXConnector connector =
                JMXConnectorFactory.connect(new JMXServiceURL(machine.startLocalManagementAgent()))) {
            MBeanServerConnection beans = connector.getMBeanServerConnection();
            String camel = "org.apache.camel:context=dromedary,type=";
            assertThat(beans.getAttribute(new ObjectName(camel + "routes,name=\"tree\""), "State"))
                    .isEqualTo("Started");
            ObjectName mirror = new ObjectName(camel + "mirrors,name=\"tree\"");
            assertThat(beans.getAttribute(mirror, "Watches")).isEqualTo(1);
            assertThat(beans.getAttribute(mirror, "Problem")).isNull();
            ObjectName remote = new ObjectName(camel + "remotes,name=\"copy\"");
            assertThat(beans.getAttribute(remote, "State")).isEqualTo("live");
            assertThat(beans.getAttribute(remote, "MirrorId")).isEqualTo("tree");
            assertThat(beans.getAttribute(remote, "Pushes")).isEqualTo(1L);
            assertThat(beans.getAttribute(remote, "LagSeconds")).isEqualTo(0.0);
        } finally {
            machine.detach();
        }
    }

    private void byDevConsole() throws Exception {
        assertThat(ask("/observe/dev", "text/plain").body())
                .contains("dromedary: ")
                .doesNotContain("send:");
        HttpResponse<String> text = ask("/observe/dev/dromedary", "text/plain");
        assertThat(text.body()).containsPattern("(?m)^  copy +live ");
        assertThat(text.headers().firstValue("Content-Type")).hasValue("text/plain; charset=utf-8");
        HttpResponse<String> json = ask("/observe/dev/dromedary", "application/json");
        assertThat(json.body()).startsWith("{\"version\":").contains("\"id\":\"copy\"");
        assertThat(ask("/observe/dev/route", "text/plain").body()).contains("Id: tree");
        for (String acts : List.of("send", "receive", "properties", "endpoint", "route/tree/stop")) {
            assertThat(ask("/observe/dev/" + acts, "application/json").statusCode())
                    .as(acts)
                    .isEqualTo(404);
        }
        assertThat(ask("/observe/dev/route?command=stop", "application/json").body())
                .contains("Started");
    }

    @Test
    void theyAreNotThereByDefault() throws Exception {
        try (DromedaryProcess dromedary = run("")) {
            assertThat(ask("/observe/dev", "text/plain").statusCode()).isEqualTo(404);
            assertThat(home.resolve(".camel")).doesNotExist();
            assertThat(dromedary.output()).doesNotContain("WARN");
        }
    }
}
