package io.dromedary.karaf;

import com.sun.jna.Native;
import io.dromedary.routes.Settings;
import io.dromedary.routes.ShippedRoutes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.camel.CamelContext;
import org.apache.camel.StartupSummaryLevel;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.PluginHelper;
import org.apache.camel.support.ResourceHelper;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.service.cm.ManagedService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Dromedary as a bundle of Apache Karaf, with a Camel of its own inside: mirrors what {@code etc/dromedary.cfg} and {@code
 * etc/dromedary/*.camel.yaml} describe, and starts anew when one of them has changed. If what is written there does not
 * start, the last that did goes on.
 */
public class Activator implements BundleActivator, ManagedService {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary");

    /** Name of the configuration, and of the directory beside it. */
    private static final String PID = "dromedary";

    /** What the platform writes into a configuration for itself. */
    private static final Pattern BOOKKEEPING =
            Pattern.compile("(felix\\.fileinstall|service|org\\.apache\\.karaf)\\..*");

    /** Seconds between two looks at the routes; what stays the same from one look to the next is written in full. */
    private static final int LOOK = 1;

    /** Seconds that pushes, routes and threads have to end. */
    private static final int STOP = 20;

    /** Everything a run is made of: settings by key, the text of route files by name. */
    private record Description(Map<String, String> settings, Map<String, String> routes) {}

    private BundleContext bundle;
    private ScheduledExecutorService lifecycle;

    private volatile Map<String, String> settings;
    private volatile String problem;
    private volatile CamelContext context;

    private Description seen;
    private Description tried;
    private Description good;

    @Override
    public void start(BundleContext bundleContext) {
        bundle = bundleContext;
        lifecycle = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "dromedary-lifecycle");
            // Camel and the libraries below it look for classes by the thread; their own threads inherit it.
            thread.setContextClassLoader(Activator.class.getClassLoader());
            return thread;
        });
        bundle.registerService(
                new String[] {ManagedService.class.getName(), Activator.class.getName()},
                this,
                new Hashtable<>(Map.of(Constants.SERVICE_PID, PID)));
        lifecycle.scheduleWithFixedDelay(this::look, 0, LOOK, TimeUnit.SECONDS);
    }

    @Override
    public void stop(BundleContext bundleContext) throws Exception {
        lifecycle.submit(this::end).get(STOP, TimeUnit.SECONDS);
        lifecycle.shutdownNow();
        lifecycle.awaitTermination(STOP, TimeUnit.SECONDS);
        endCleaner();
    }

    /** JNA's own thread would go on for as long as the C library is open, which nobody closes. */
    private static void endCleaner() {
        ClassLoader ours = Activator.class.getClassLoader();
        if (Native.class.getClassLoader() == ours) {
            Thread.getAllStackTraces().keySet().stream()
                    .filter(thread -> thread.getName().equals("JNA Cleaner") && thread.getContextClassLoader() == ours)
                    .forEach(Thread::interrupt);
        }
    }

    /** The configuration as it is now; null when there is none. */
    @Override
    public void updated(Dictionary<String, ?> properties) {
        if (properties == null) {
            settings = null;
            return;
        }
        Map<String, String> written = new TreeMap<>();
        for (String key : Collections.list(properties.keys())) {
            if (!BOOKKEEPING.matcher(key).matches()) {
                written.put(key, String.valueOf(properties.get(key)));
            }
        }
        settings = written;
    }

    /** Why what is configured does not run, in one line; null when it does. */
    public String problem() {
        return problem;
    }

    /** The Camel that mirrors; null when none runs. */
    public CamelContext context() {
        return context;
    }

    private void look() {
        try {
            Description now = describe();
            boolean settled = now != null && now.equals(seen);
            seen = now;
            if (now == null) {
                end();
                tried = null;
                problem = configuration() + ".cfg is missing";
            } else if (settled && !now.equals(tried)) {
                tried = now;
                take(now);
            }
        } catch (Exception e) {
            tell(e);
        }
    }

    private void take(Description now) {
        end();
        problem = null;
        try {
            context = begin(now);
            good = now;
            return;
        } catch (Exception e) {
            tell(e);
        }
        if (good != null) {
            try {
                context = begin(good);
                LOG.warn("going on with the configuration from before that");
            } catch (Exception e) {
                LOG.error("the configuration from before that does not start either: {}", ShippedRoutes.reason(e));
            }
        }
    }

    private void tell(Exception e) {
        String message = ShippedRoutes.reason(e);
        if (!message.equals(problem)) {
            problem = message;
            LOG.error("{}", message);
            LOG.debug(message, e);
        }
    }

    private Path configuration() {
        return Path.of(bundle.getProperty("karaf.etc"), PID);
    }

    private Description describe() throws IOException {
        Map<String, String> set = settings;
        if (set == null) {
            return null;
        }
        Map<String, String> routes = new TreeMap<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(configuration(), "*.camel.yaml")) {
            for (Path file : files) {
                routes.put(file.toString(), Files.readString(file, StandardCharsets.UTF_8));
            }
        } catch (NoSuchFileException e) {
            // No routes, or one that is just being replaced.
        }
        return new Description(set, routes);
    }

    private CamelContext begin(Description description) throws Exception {
        Settings all = new Settings();
        all.set("state-dir", Path.of(bundle.getProperty("karaf.data"), PID).toString(), "karaf.data");
        description.settings().forEach((key, value) -> all.set(key, value, configuration() + ".cfg"));
        all.environment(System.getenv());
        CamelContext begun = newContext(bundle);
        try {
            begun.setStartupSummaryLevel(StartupSummaryLevel.Off);
            begun.getShutdownStrategy().setTimeout(5);
            begun.getPropertiesComponent().setOverrideProperties(all.all());
            ShippedRoutes.of(begun).load();
            for (Map.Entry<String, String> file : description.routes().entrySet()) {
                PluginHelper.getRoutesLoader(begun)
                        .loadRoutes(ResourceHelper.fromString(file.getKey(), file.getValue()));
            }
            begun.start();
            LOG.info(
                    "started with {} and {}",
                    configuration() + ".cfg",
                    description.routes().keySet());
            return begun;
        } catch (Exception e) {
            begun.stop();
            throw e;
        }
    }

    /** A Camel context that is built and has no routes. */
    protected CamelContext newContext(BundleContext bundleContext) throws Exception {
        DefaultCamelContext made = new DefaultCamelContext(false);
        made.getCamelContextExtension().setName(PID);
        made.setApplicationContextClassLoader(Activator.class.getClassLoader());
        made.build();
        return made;
    }

    private void end() {
        CamelContext ended = context;
        context = null;
        if (ended != null) {
            ended.stop();
        }
    }
}
