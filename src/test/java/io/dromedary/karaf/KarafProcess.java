package io.dromedary.karaf;

import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.MavenBuild;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.management.JMX;
import javax.management.MBeanServerConnection;
import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** A stock Apache Karaf as a process of its own, its directories below one of the test's. */
final class KarafProcess implements AutoCloseable {
    private static final Path HOME = DromedaryProcess.PROJECT.resolve(
            "target/stock-karaf/apache-karaf-" + System.getProperty("karaf.version", "4.4.10"));
    private static final Duration START = Duration.ofMinutes(3);

    private final Path base;
    private final Process process;
    private final int sshPort;
    private final JMXConnector jmx;

    /** Starts it and waits until it is up. */
    KarafProcess(Path base) throws IOException {
        this.base = base;
        List<Integer> ports = freePorts(3);
        sshPort = ports.get(0);
        Files.createDirectories(base.resolve("deploy"));
        Files.createDirectories(base.resolve("etc"));
        Files.createDirectories(base.resolve("data/log"));
        try (Stream<Path> files = Files.list(HOME.resolve("etc"))) {
            for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                Files.copy(file, etc().resolve(file.getFileName()));
            }
        }
        edit("org.apache.karaf.shell.cfg", Map.of("sshPort", "" + sshPort, "sshHost", "127.0.0.1"));
        edit(
                "org.apache.karaf.management.cfg",
                Map.of(
                        "rmiRegistryPort",
                        "" + ports.get(1),
                        "rmiRegistryHost",
                        "127.0.0.1",
                        "rmiServerPort",
                        "" + ports.get(2),
                        "rmiServerHost",
                        "127.0.0.1"));
        // What the build has fetched.
        Files.writeString(
                etc().resolve("org.ops4j.pax.url.mvn.cfg"),
                "\norg.ops4j.pax.url.mvn.repositories = " + MavenBuild.FETCHED.toUri() + "@id=fetched\n",
                StandardOpenOption.APPEND);
        Files.writeString(
                etc().resolve("users.properties"),
                "karaf = karaf,_g_:admingroup\n" + "_g_\\:admingroup = group,admin,manager,viewer,systembundles,ssh\n");
        ProcessBuilder builder = new ProcessBuilder(HOME.resolve("bin/karaf").toString(), "daemon")
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectErrorStream(true)
                .redirectOutput(base.resolve("karaf.out").toFile());
        builder.environment()
                .putAll(Map.of(
                        "JAVA_HOME", System.getProperty("java.home"),
                        "KARAF_BASE", base.toString(),
                        "KARAF_ETC", etc().toString(),
                        "KARAF_DATA", base.resolve("data").toString(),
                        "KARAF_LOG", base.resolve("data/log").toString()));
        process = builder.start();
        try {
            jmx = await().atMost(START)
                    .failFast("it has ended", () -> !process.isAlive())
                    .ignoreExceptions()
                    .until(() -> connect(ports.get(1)), connector -> true);
        } catch (RuntimeException e) {
            close();
            throw new AssertionError("Karaf does not come up:\n" + read(base.resolve("karaf.out")) + log(), e);
        }
    }

    private static List<Integer> freePorts(int count) throws IOException {
        List<ServerSocket> sockets = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            sockets.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress()));
        }
        List<Integer> ports = sockets.stream().map(ServerSocket::getLocalPort).toList();
        for (ServerSocket socket : sockets) {
            socket.close();
        }
        return ports;
    }

    private void edit(String file, Map<String, String> values) throws IOException {
        String text = Files.readString(etc().resolve(file));
        for (Map.Entry<String, String> value : new TreeMap<>(values).entrySet()) {
            text = text.replaceAll("(?m)^" + value.getKey() + "\\s*=.*$", value.getKey() + " = " + value.getValue());
        }
        Files.writeString(etc().resolve(file), text);
    }

    private static JMXConnector connect(int registry) throws Exception {
        JMXConnector connector = JMXConnectorFactory.connect(
                new JMXServiceURL("service:jmx:rmi:///jndi/rmi://127.0.0.1:" + registry + "/karaf-root"),
                Map.of(JMXConnector.CREDENTIALS, new String[] {"karaf", "karaf"}));
        connector.getMBeanServerConnection().getMBeanInfo(name("org.apache.karaf:type=bundle,name=root"));
        return connector;
    }

    static ObjectName name(String name) {
        try {
            return new ObjectName(name);
        } catch (MalformedObjectNameException e) {
            throw new IllegalArgumentException(e);
        }
    }

    Path etc() {
        return base.resolve("etc");
    }

    Path deploy() {
        return base.resolve("deploy");
    }

    String log() {
        return read(base.resolve("data/log/karaf.log"));
    }

    private static String read(Path file) {
        try {
            return Files.exists(file) ? Files.readString(file, StandardCharsets.UTF_8) : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    MBeanServerConnection management() throws IOException {
        return jmx.getMBeanServerConnection();
    }

    /** Calls an operation of Karaf's MBean for bundles: start, stop, update or uninstall. */
    void bundle(String operation, String symbolicName) throws Exception {
        management()
                .invoke(
                        name("org.apache.karaf:type=bundle,name=root"),
                        operation,
                        new Object[] {symbolicName},
                        new String[] {String.class.getName()});
    }

    /** Adds a features file and installs the feature of this name from it. */
    void install(Path features, String feature) throws Exception {
        ObjectName service = name("org.apache.karaf:type=feature,name=root");
        String[] oneString = {String.class.getName()};
        management()
                .invoke(service, "addRepository", new Object[] {features.toUri().toString()}, oneString);
        management().invoke(service, "installFeature", new Object[] {feature}, oneString);
    }

    /** What commands of its shell print. */
    String shell(String commands) {
        // In batch mode, as a script would.
        Command run = Command.run(
                Map.of("JAVA_HOME", System.getProperty("java.home")),
                List.of(
                        "sh",
                        "-c",
                        "printf '%s\\n' \"$1\" | \"$2\" -b -a \"$3\" -h 127.0.0.1 -u karaf -p karaf",
                        "client",
                        commands,
                        HOME.resolve("bin/client").toString(),
                        "" + sshPort));
        return new String(run.output(), StandardCharsets.UTF_8) + run.errors();
    }

    /** The names of its threads, a number for each of those of one name. */
    Map<String, Integer> threads() throws Exception {
        var threads = JMX.newMXBeanProxy(
                management(), name("java.lang:type=Threading"), java.lang.management.ThreadMXBean.class);
        Map<String, Integer> names = new TreeMap<>();
        Arrays.stream(threads.getThreadInfo(threads.getAllThreadIds()))
                .filter(info -> info != null)
                .forEach(info -> names.merge(info.getThreadName(), 1, Integer::sum));
        return names;
    }

    /** What its file descriptors point to, as far as the kernel names it. */
    List<String> descriptors() throws IOException {
        List<String> targets = new ArrayList<>();
        try (Stream<Path> all = Files.list(Path.of("/proc/" + process.pid() + "/fd"))) {
            for (Path descriptor : (Iterable<Path>) all::iterator) {
                try {
                    targets.add(Files.readSymbolicLink(descriptor).toString());
                } catch (IOException closed) {
                    // It was, since the list was made.
                }
            }
        }
        return targets;
    }

    /** The processes it has started. */
    Set<String> children() {
        Set<String> children = new TreeSet<>();
        process.descendants()
                .forEach(child -> children.add(child.info().commandLine().orElse("" + child.pid())));
        return children;
    }

    @Override
    public void close() {
        try {
            // Where a failed build looks for it.
            Files.writeString(DromedaryProcess.PROJECT.resolve("target/karaf.log"), log());
        } catch (IOException e) {
            System.err.println(e);
        }
        process.destroy();
        try {
            if (!process.waitFor(30, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
