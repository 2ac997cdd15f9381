package io.dromedary.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import io.dromedary.mirror.Mirrors;
import io.dromedary.push.Gate;
import io.dromedary.push.Receivers;
import io.dromedary.push.RsyncCalls;
import io.dromedary.routes.Settings;
import io.dromedary.routes.ShippedRoutes;
import io.dromedary.status.Status;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.camel.CamelContext;
import org.apache.camel.main.BaseMainSupport;
import org.apache.camel.main.Main;
import org.apache.camel.main.MainListenerSupport;
import org.apache.camel.spi.CliConnectorFactory;
import org.apache.camel.support.LifecycleStrategySupport;
import org.apache.camel.support.PluginHelper;
import org.apache.camel.support.ResourceHelper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Camel with the shipped routes and the user's, from the settings to the end of the run. */
final class Engine implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary");

    /** For what is under way and for all else. */
    private static final Duration STOP = Duration.ofSeconds(9);

    private final Settings settings;
    private final Main main = new Main();
    private final List<String> locations = new ArrayList<>();

    Engine(Settings settings) {
        this.settings = settings;
        main.setOverrideProperties(settings.all());
        main.configure().setName("dromedary");
        property("camel.main.shutdown-timeout", "5");
        property("camel.main.startup-summary-level", "Off");
        property("camel.main.jmx-enabled", "false");
        property("camel.component.quartz.properties-file", "classpath:dromedary/quartz.properties");
        onceConfigured(this::tools);
        // Also without a mirror: its port answers.
        onceConfigured(() -> ShippedRoutes.of(context()).load());
        if (!settings.get("http.port").equals("0")) {
            serve();
        }
    }

    /** camel(1) may connect where Camel's dev consoles are switched on, which tell it all; it does so by files. */
    private void tools() {
        CliConnectorFactory connector =
                context().getCamelContextExtension().getContextPlugin(CliConnectorFactory.class);
        if (connector == null) {
            return;
        }
        connector.setEnabled(context().isDevConsole());
        if (connector.isEnabled()) {
            Path files = Path.of(System.getProperty("user.home"), ".camel");
            try {
                // There are passwords in them.
                Files.createDirectories(files);
                Files.setPosixFilePermissions(files, PosixFilePermissions.fromString("rwx------"));
            } catch (IOException e) {
                connector.setEnabled(false);
                LOG.warn("camel get and camel top will not work: {}", e.toString());
            }
        }
    }

    /** Status, API, health and metrics on one port. */
    private void serve() {
        // Else Vert.x makes a directory in /tmp for files of the class path, and a kill leaves it there.
        System.setProperty("vertx.disableFileCPResolving", "true");
        for (String file : List.of("status", "page")) {
            onceConfigured(() -> PluginHelper.getRoutesLoader(context())
                    .loadRoutes(ResourceHelper.resolveMandatoryResource(
                            context(), "classpath:dromedary/" + file + ".camel.yaml")));
        }
        for (String server : List.of("camel.server.", "camel.management.")) {
            property(server + "enabled", "true");
            property(server + "host", settings.get("http.host"));
            property(server + "port", settings.get("http.port"));
        }
        property("camel.server.max-body-size", "65536");
        property("camel.management.health-check-enabled", "true");
        property("camel.management.health-path", "/observe/health");
        property("camel.management.metrics-enabled", "true");
        property("camel.health.exposure-level", "full");
        property("camel.metrics.enabled", "true");
        property("camel.metrics.binders", "jvm-memory,jvm-gc,jvm-thread,processor,file-descriptor,uptime");
    }

    /** Sets one of Camel's own properties. */
    void property(String key, String value) {
        main.addInitialProperty(key, value);
    }

    /** Camel's own keys in a user's file; ours have been read from it before. */
    void file(Path file) {
        main.setPropertyPlaceholderLocations("file:" + file + ";optional=true");
    }

    /** Adds the route files of a pattern, e.g. {@code file:routes/*.camel.yaml}. */
    void routes(String pattern) {
        locations.add(pattern);
    }

    /** Adds routes given as the text of a YAML file. */
    void routes(String name, String yaml) {
        onceConfigured(() -> PluginHelper.getRoutesLoader(context())
                .loadRoutes(ResourceHelper.fromBytes(name, yaml.getBytes(StandardCharsets.UTF_8))));
    }

    private void onceConfigured(Step step) {
        main.addMainListener(new MainListenerSupport() {
            @Override
            public void afterConfigure(BaseMainSupport support) {
                try {
                    step.run();
                } catch (Exception e) {
                    throw mistake(e);
                }
            }
        });
    }

    private interface Step {
        void run() throws Exception;
    }

    /** Brings everything up, or says in one line what is in the way. */
    Mirrors start() {
        checkLog();
        if (!locations.isEmpty()) {
            property("camel.main.routes-include-pattern", String.join(",", locations));
        }
        try {
            main.start();
        } catch (Exception e) {
            throw mistake(e);
        }
        Mirrors mirrors = bean("dromedary-mirrors", Mirrors.class);
        if (mirrors.mirrors().isEmpty()) {
            close();
            throw new IllegalArgumentException("no route starts from kamelet:watch, so there is nothing to mirror");
        }
        return mirrors;
    }

    /** Runs until SIGTERM or SIGINT. */
    int run() throws InterruptedException {
        checkPort();
        StatusLine line = StatusLine.isPossible() ? new StatusLine() : null;
        if (line != null && System.getenv("DROMEDARY_LOG") == null) {
            // The line tells what they would.
            ((LoggerContext) LoggerFactory.getILoggerFactory())
                    .getLogger(Gate.SUMMARIES)
                    .setLevel(Level.WARN);
        }
        Mirrors mirrors = start();
        CountDownLatch ended = new CountDownLatch(1);
        Thread hook = new Thread(
                () -> {
                    if (line != null) {
                        line.close();
                    }
                    Systemd.notify("STOPPING=1");
                    Thread closing = new Thread(this::close, "dromedary-close");
                    closing.start();
                    try {
                        // What it may still wait for then is nothing that has to be kept.
                        closing.join(STOP.toMillis());
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    ended.countDown();
                    // A JVM that is ended by a signal would report that signal, not that all is well.
                    Runtime.getRuntime().halt(0);
                },
                "dromedary-stop");
        Runtime.getRuntime().addShutdownHook(hook);
        context().addLifecycleStrategy(new LifecycleStrategySupport() {
            @Override
            public void onContextStopped(CamelContext stopped) {
                // By JMX or camel(1): nothing would be mirrored, and nobody told.
                new Thread(() -> System.exit(0), "dromedary-exit").start();
            }
        });
        String watching = "watching " + count(mirrors.mirrors().size(), "tree") + " for "
                + count(mirrors.remotes().size(), "remote");
        LOG.info(watching);
        Systemd.notify("READY=1\nSTATUS=" + watching);
        if (line == null) {
            ended.await();
        } else {
            Status status = bean("dromedary-status", Status.class);
            do {
                line.show(StatusLine.of(StatusLine.remotes(status.all())));
            } while (!ended.await(500, TimeUnit.MILLISECONDS));
        }
        return 0;
    }

    private static String count(int number, String noun) {
        return number + " " + noun + (number == 1 ? "" : "s");
    }

    /** Ends in seconds: pushes under way are finished or put back, what waits stays in the state directory. */
    @Override
    public void close() {
        main.stop();
    }

    Receivers receivers() {
        return bean("dromedary-receivers", Receivers.class);
    }

    RsyncCalls rsyncCalls() {
        return bean("dromedary-rsync-calls", RsyncCalls.class);
    }

    private CamelContext context() {
        return main.getCamelContext();
    }

    private <T> T bean(String name, Class<T> type) {
        return context() == null ? null : context().getRegistry().lookupByNameAndType(name, type);
    }

    /** Of a format that does not exist, logback would make no log at all. */
    private static void checkLog() {
        String format = System.getenv("DROMEDARY_LOG_FORMAT");
        if (format != null && !format.isEmpty() && !format.equals("text") && !format.equals("json")) {
            throw new IllegalArgumentException(
                    "environment DROMEDARY_LOG_FORMAT = " + format + ": allowed is text or json");
        }
    }

    private void checkPort() {
        int port = Integer.parseInt(settings.get("http.port"));
        if (port == 0) {
            return;
        }
        String host = settings.get("http.host");
        try (ServerSocket socket = new ServerSocket()) {
            InetAddress address = InetAddress.getByName(host);
            if (!address.isLoopbackAddress() && settings.get("http.token").isEmpty()) {
                throw new IllegalArgumentException(
                        "dromedary.http.host = " + host + ": only loopback is allowed without dromedary.http.token");
            }
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(address, port));
        } catch (IOException e) {
            throw new IllegalArgumentException("dromedary.http.port = " + port + ": cannot listen on " + host + ": "
                    + e.getMessage() + "; another port, or 0 for none");
        }
    }

    private static IllegalArgumentException mistake(Throwable e) {
        return new IllegalArgumentException(ShippedRoutes.reason(e), e);
    }
}
