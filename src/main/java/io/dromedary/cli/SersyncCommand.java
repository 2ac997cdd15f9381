package io.dromedary.cli;

import io.dromedary.routes.Settings;
import io.dromedary.sersync.Conversion;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code dromedary sersync}: a confxml.xml run by our routes, with sersync's own options. */
@Command(
        name = "sersync",
        description = "Runs a sersync confxml.xml as sersync would. Without -r there is no full sync at start.",
        mixinStandardHelpOptions = true)
final class SersyncCommand implements Callable<Integer> {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary");

    @Option(names = "-d", description = "Runs in the background: its log is STATE-DIR/log, its pid in STATE-DIR/pid.")
    private boolean detach;

    @Option(names = "-r", description = "A full sync at start, which deletes at the remotes what the source has not.")
    private boolean initialSync;

    @Option(names = "-n", paramLabel = "N", description = "rsync processes at once, all remotes together.")
    private String threads;

    @Option(names = "-o", paramLabel = "FILE", defaultValue = "confxml.xml", description = "Default: ${DEFAULT-VALUE}.")
    private Path file;

    @Option(
            names = "-m",
            paramLabel = "PLUGIN",
            description = "That plugin alone, no rsync: command, http, socket, refreshCDN.")
    private String plugin;

    @Option(
            names = "--skip-hidden",
            description = "As sersync, leaves out names that start with '.' or end in '~', and 4913; directories too.")
    private boolean skipHidden;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "Any setting, e.g. state-dir=/var/lib/dromedary.")
    private final Map<String, String> set = new LinkedHashMap<>();

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        Conversion conversion = Conversion.toRun(file, plugin);
        Settings settings = new Settings();
        conversion.settings().forEach((key, value) -> settings.set(key, value, file.toString()));
        settings.set("full-sync.initial", Boolean.toString(initialSync && plugin == null), "-r");
        if (threads != null) {
            settings.set("max-processes", threads, "-n");
        }
        if (skipHidden) {
            settings.set("exclude", settings.get("exclude") + ",.*,*~,4913", "--skip-hidden");
        }
        settings.environment(System.getenv());
        set.forEach((key, value) -> settings.set(key, value, "--set"));
        if (detach) {
            return Detached.start(
                    Path.of(settings.get("state-dir")),
                    inForeground(),
                    spec.commandLine().getOut(),
                    spec.commandLine().getErr());
        }
        conversion.notes().forEach(LOG::info);
        Engine engine = new Engine(settings);
        conversion.routes().forEach((name, yaml) -> {
            if (name.endsWith(".yaml")) {
                engine.routes(name, yaml);
            }
        });
        return engine.run();
    }

    /** The same without -d, which may have been written together with others: -rd. */
    private List<String> inForeground() {
        List<String> arguments = new ArrayList<>(List.of("sersync", "-o", file.toString()));
        if (initialSync) {
            arguments.add("-r");
        }
        if (threads != null) {
            arguments.addAll(List.of("-n", threads));
        }
        if (plugin != null) {
            arguments.addAll(List.of("-m", plugin));
        }
        if (skipHidden) {
            arguments.add("--skip-hidden");
        }
        set.forEach((key, value) -> arguments.addAll(List.of("--set", key + "=" + value)));
        return arguments;
    }
}
