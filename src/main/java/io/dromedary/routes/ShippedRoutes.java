package io.dromedary.routes;

import io.dromedary.posix.Entries;
import io.dromedary.push.Gate;
import io.dromedary.push.RsyncProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.camel.CamelContext;
import org.apache.camel.ErrorHandlerFactory;
import org.apache.camel.LineNumberAware;
import org.apache.camel.LoggingLevel;
import org.apache.camel.RuntimeCamelException;
import org.apache.camel.VetoCamelContextStartException;
import org.apache.camel.model.EndpointRequiredDefinition;
import org.apache.camel.model.ModelCamelContext;
import org.apache.camel.model.ModelLifecycleStrategySupport;
import org.apache.camel.model.ProcessorDefinition;
import org.apache.camel.model.ProcessorDefinitionHelper;
import org.apache.camel.model.RouteDefinition;
import org.apache.camel.model.RouteTemplateParameterDefinition;
import org.apache.camel.model.errorhandler.DefaultErrorHandlerDefinition;
import org.apache.camel.model.errorhandler.RefErrorHandlerDefinition;
import org.apache.camel.spi.CamelEvent;
import org.apache.camel.spi.LifecycleStrategy;
import org.apache.camel.spi.PropertiesComponent;
import org.apache.camel.support.LifecycleStrategySupport;
import org.apache.camel.support.PluginHelper;
import org.apache.camel.support.ResourceHelper;
import org.apache.camel.support.RouteTemplateHelper;
import org.apache.camel.support.SimpleEventNotifierSupport;
import org.apache.camel.util.OrderedLocationProperties;
import org.apache.camel.util.URISupport;

/**
 * Makes {@code kamelet:watch} and {@code kamelet:rsync} work in a Camel context, whatever has made it: the first route
 * that uses one of them brings in the settings' defaults, the Kamelets and the routes behind them. A context without
 * such a route is left as it is.
 *
 * <p>Camel 4.14 and newer finds this by itself, see {@link ShippedRoutesPlugin}; with an older one, or where the class
 * loader hides our jar from Camel, {@link #of} is called before the start.
 */
public final class ShippedRoutes extends ModelLifecycleStrategySupport {
    /** For the pushes under way, and then once more for those that have to be ended. */
    private static final Duration FINISH = Duration.ofSeconds(3);

    private static final List<String> ROUTES = List.of(
            "dromedary/watch.camel.yaml",
            "dromedary/pushed.camel.yaml",
            "dromedary/push.camel.yaml",
            "dromedary/targets.camel.yaml",
            "dromedary/redelivery.camel.yaml",
            "dromedary/full-sync.camel.yaml",
            "dromedary/mounts.camel.yaml");
    /** Where Camel looks for Kamelets. */
    private static final String KAMELETS = "classpath:kamelets";

    private static final Pattern OUR_KAMELET = Pattern.compile(
            "kamelet:(?://)?(watch|rsync|pushed|command|http|socket|refresh-cdn)(?:/[^?]*)?(?:\\?(.*))?");
    private static final Pattern RSYNC_VERSION = Pattern.compile("version v?(\\d+)\\.(\\d+)");

    private final ModelCamelContext context;
    private final Map<String, String> routesOfRemotes = new ConcurrentHashMap<>();
    private boolean loaded;

    private ShippedRoutes(ModelCamelContext context) {
        this.context = context;
    }

    /** Those of this context, which must not have started yet. */
    public static ShippedRoutes of(CamelContext context) {
        for (LifecycleStrategy strategy : context.getLifecycleStrategies()) {
            if (strategy instanceof Start start) {
                return start.shipped();
            }
        }
        ShippedRoutes shipped = new ShippedRoutes((ModelCamelContext) context);
        context.addLifecycleStrategy(shipped.new Start());
        context.getManagementStrategy().addEventNotifier(shipped.new Stop());
        return shipped;
    }

    /** A parameter that a Kamelet does not know, a misspelt one too, is refused: Camel would ignore it. */
    @Override
    public void onAddRouteDefinition(RouteDefinition route) {
        endpoints(route).forEach(endpoint -> {
            Matcher ours = OUR_KAMELET.matcher(uri(endpoint));
            if (ours.matches()) {
                try {
                    load();
                    checkParameters(route, endpoint, ours.group(1), ours.group(2));
                    if (ours.group(1).equals("rsync") && ours.group(2) != null) {
                        checkName(route, ours.group(2));
                    }
                    if (ours.group(1).equals("pushed") && hasCamelsErrorHandler(route)) {
                        route.setErrorHandlerFactory(quiet());
                    }
                } catch (Exception e) {
                    throw RuntimeCamelException.wrapRuntimeException(e);
                }
            }
        });
    }

    @Override
    public void onRemoveRouteDefinition(RouteDefinition route) {
        // Null where Camel takes away a route that it has no definition of.
        if (route != null) {
            routesOfRemotes.values().removeIf(id -> id.equals(route.getId()));
        }
    }

    /**
     * Refuses one remote in two routes. Of two that are alike in all, as after copy and paste, Camel makes one, and that
     * would get the changes of both trees.
     */
    private void checkName(RouteDefinition route, String query) throws Exception {
        String name = String.valueOf(URISupport.parseQuery(query).get("remote"));
        try {
            name = context.resolvePropertyPlaceholders(name);
        } catch (IllegalArgumentException parameterOfAKamelet) {
            return;
        }
        String other = routesOfRemotes.putIfAbsent(name, route.getId());
        if (other != null && !other.equals(route.getId())) {
            throw new IllegalArgumentException("remote " + name + ": it is in route " + other + " and in route "
                    + route.getId() + "; each remote needs its own name");
        }
    }

    private static boolean hasCamelsErrorHandler(RouteDefinition route) {
        return route.getErrorHandlerFactory() instanceof RefErrorHandlerDefinition handler
                && handler.getRef().equals(RefErrorHandlerDefinition.DEFAULT_ERROR_HANDLER_BUILDER);
    }

    /** What a route fails to take after a push its subscription tells in one line: Camel would log the stack and the URL. */
    private static ErrorHandlerFactory quiet() {
        DefaultErrorHandlerDefinition quiet = new DefaultErrorHandlerDefinition();
        quiet.setLevel(LoggingLevel.OFF.name());
        return quiet;
    }

    /** Why a start failed, in one line: the words of the first cause, since the wrappers around it only repeat where. */
    public static String reason(Throwable e) {
        Throwable cause = e;
        while (cause.getCause() != null && cause.getCause() != cause) {
            cause = cause.getCause();
        }
        String message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
        return message.strip().replaceAll("\\s*\\n\\s*", " ");
    }

    private static Stream<EndpointRequiredDefinition> endpoints(RouteDefinition route) {
        Stream<?> steps =
                ProcessorDefinitionHelper.filterTypeInOutputs(route.getOutputs(), ProcessorDefinition.class).stream();
        return Stream.concat(Stream.of(route.getInput()), steps)
                .filter(EndpointRequiredDefinition.class::isInstance)
                .map(EndpointRequiredDefinition.class::cast)
                .filter(endpoint -> endpoint.getEndpointUri() != null);
    }

    /** Only the name may hide behind a placeholder: what a parameter's stands for need not be known yet. */
    private String uri(EndpointRequiredDefinition endpoint) {
        String uri = endpoint.getEndpointUri();
        try {
            return uri.startsWith("{{") ? context.resolvePropertyPlaceholders(uri) : uri;
        } catch (IllegalArgumentException parameterOfAKamelet) {
            return uri;
        }
    }

    /** Brings them in though no route needs them yet; an {@link IllegalArgumentException} names the setting that is wrong. */
    public void load() throws Exception {
        if (loaded) {
            return;
        }
        loaded = true;
        PropertiesComponent properties = context.getPropertiesComponent();
        Settings settings = new Settings();
        Properties defaults = settings.all();
        Properties set = properties.loadProperties(key -> key.startsWith(Settings.PREFIX));
        // All of ours by name, too: not everything that has properties, Spring's environment for one, can list them.
        Set<String> keys = new TreeSet<>(defaults.stringPropertyNames());
        keys.addAll(set.stringPropertyNames());
        for (String key : keys) {
            String value = context.resolvePropertyPlaceholders("{{?" + key + "}}");
            String origin = set instanceof OrderedLocationProperties located ? located.getLocation(key) : null;
            if (value != null && !value.equals(defaults.getProperty(key))) {
                settings.set(key, value, Objects.requireNonNullElse(origin, "property"));
            }
        }
        settings.environment(System.getenv());
        // With what is set: properties that were given to Camel from the start lie below every source.
        properties.addPropertiesSource(settings.source());
        if (settings.get("watcher").equals("inotify") && !Entries.bySystemCalls()) {
            throw new IllegalArgumentException(
                    "dromedary.watcher = inotify: needs Linux on a 64-bit machine, and JNA; elsewhere it is file-watch");
        }
        checkRsync(settings.get("rsync.command"));
        // The others are found where Camel looks for any.
        RouteTemplateHelper.loadRouteTemplateFromLocation(
                context,
                null,
                "watch",
                settings.get("watcher").equals("inotify") ? KAMELETS : KAMELETS + "/" + settings.get("watcher"));
        for (String file : ROUTES) {
            PluginHelper.getRoutesLoader(context)
                    .loadRoutes(ResourceHelper.resolveMandatoryResource(context, "classpath:" + file));
        }
    }

    private void checkParameters(
            RouteDefinition route, EndpointRequiredDefinition endpoint, String kamelet, String query) throws Exception {
        if (query == null) {
            return;
        }
        if (context.getRouteTemplateDefinition(kamelet) == null) {
            RouteTemplateHelper.loadRouteTemplateFromLocation(context, null, kamelet, KAMELETS);
        }
        List<String> known = context.getRouteTemplateDefinition(kamelet).getTemplateParameters().stream()
                .map(RouteTemplateParameterDefinition::getName)
                .toList();
        for (String name : URISupport.parseQuery(query).keySet()) {
            if (!known.contains(name)) {
                String where = route.getLocation() == null
                        ? "route " + route.getId()
                        : route.getLocation() + ":" + ((LineNumberAware) endpoint).getLineNumber();
                throw new IllegalArgumentException(where + ": kamelet:" + kamelet + " has no parameter " + name
                        + "; allowed are " + String.join(", ", known));
            }
        }
    }

    private static void checkRsync(String command) {
        String said;
        try {
            Process process = new ProcessBuilder(command, "--version")
                    .redirectErrorStream(true)
                    .start();
            process.getOutputStream().close();
            said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new IllegalArgumentException(
                    "dromedary.rsync.command = " + command + ": not found; install rsync 3.1 or newer");
        }
        Matcher version = RSYNC_VERSION.matcher(said);
        if (!version.find()) {
            throw new IllegalArgumentException("dromedary.rsync.command = " + command + ": this is no rsync");
        }
        int number = Integer.parseInt(version.group(1)) * 1000 + Integer.parseInt(version.group(2));
        if (number < 3001) {
            throw new IllegalArgumentException("dromedary.rsync.command = " + command + ": this is rsync "
                    + version.group(1) + "." + version.group(2) + ", needed is 3.1 or newer");
        }
    }

    /** Once all routes are known that it starts with: when Camel finds us there may be no place for routes yet. */
    private final class Start extends LifecycleStrategySupport {
        ShippedRoutes shipped() {
            return ShippedRoutes.this;
        }

        @Override
        public void onContextInitializing(CamelContext starting) throws VetoCamelContextStartException {
            if (context.getModelLifecycleStrategies().contains(ShippedRoutes.this)) {
                return;
            }
            context.addModelLifecycleStrategy(ShippedRoutes.this);
            try {
                List.copyOf(context.getRouteDefinitions()).forEach(ShippedRoutes.this::onAddRouteDefinition);
            } catch (RuntimeException e) {
                throw new VetoCamelContextStartException(reason(e), e, starting, true);
            }
        }
    }

    /** Before the routes stop: pushes under way are finished or put back, what waits stays in the state directory. */
    private final class Stop extends SimpleEventNotifierSupport {
        @Override
        public boolean isEnabled(CamelEvent event) {
            return event instanceof CamelEvent.CamelContextStoppingEvent;
        }

        @Override
        public void notify(CamelEvent event) throws Exception {
            Gate gate = context.getRegistry().lookupByNameAndType("dromedary-gate", Gate.class);
            RsyncProcess rsync =
                    context.getRegistry().lookupByNameAndType("dromedary-rsync-process", RsyncProcess.class);
            if (gate != null && !gate.stop(FINISH) && rsync != null) {
                rsync.close();
                gate.stop(FINISH);
            }
        }
    }
}
