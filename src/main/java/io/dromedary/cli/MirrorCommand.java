package io.dromedary.cli;

import io.dromedary.mirror.Target;
import io.dromedary.routes.Settings;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.apache.camel.util.json.Jsoner;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code dromedary mirror}: one tree from the command line, by the same routes as from files. */
@Command(
        name = "mirror",
        description = "Mirrors SOURCE to every TARGET: a full sync, then live, in the foreground.",
        mixinStandardHelpOptions = true)
final class MirrorCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "SOURCE", description = "The directory that is mirrored.")
    private String source;

    @Parameters(
            index = "1..*",
            arity = "1..*",
            paramLabel = "TARGET",
            description = "[user@]host::module/path, rsync://[user@]host[:port]/module/path, [user@]host:path, /path")
    private List<String> targets;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "Any setting, e.g. full-sync.cron='0 30 3 * * ?'.")
    private final Map<String, String> set = new LinkedHashMap<>();

    @Option(names = "--password-file", paramLabel = "FILE", description = "The rsync daemons' password, mode 600.")
    private Path passwordFile;

    @Option(names = "--rsync-args", paramLabel = "ARGS", description = "How files are sent (default: -a).")
    private String rsyncArgs;

    @Option(names = "--exclude", paramLabel = "PATTERN", description = "An rsync pattern to leave out; repeatable.")
    private final List<String> exclude = List.of();

    @Option(names = "--no-initial-sync", description = "Do not sync everything at start.")
    private boolean noInitialSync;

    @Option(names = "--no-delete", description = "Never delete at a target.")
    private boolean noDelete;

    @Option(names = "--port", paramLabel = "N", description = "Port of the status page, 0 for none (default: 8008).")
    private String port;

    @Override
    public Integer call() throws Exception {
        Settings settings = new Settings();
        settings.environment(System.getenv());
        set.forEach((key, value) -> settings.set(key, value, "--set"));
        option(settings, "rsync.args", rsyncArgs, "--rsync-args");
        option(settings, "http.port", port, "--port");
        option(settings, "full-sync.initial", noInitialSync ? "false" : null, "--no-initial-sync");
        option(settings, "delete", noDelete ? "false" : null, "--no-delete");
        if (!exclude.isEmpty()) {
            String patterns = String.join(
                    ",", exclude.stream().map(p -> p.replace(",", "\\,")).toList());
            option(settings, "exclude", patterns, "--exclude");
        }
        Engine engine = new Engine(settings);
        engine.routes("mirror.camel.yaml", yaml());
        return engine.run();
    }

    private static void option(Settings settings, String key, String value, String origin) {
        if (value != null) {
            settings.set(key, value, origin);
        }
    }

    /** The same route as a person would write into routes/. */
    private String yaml() {
        StringBuilder yaml = new StringBuilder("- route:\n"
                + "    id: mirror\n"
                + "    from:\n"
                + "      uri: kamelet:watch\n"
                + "      parameters:\n"
                + "        source: " + quoted(source) + "\n"
                + "      steps:\n"
                + "        - multicast:\n"
                + "            steps:\n");
        Set<String> names = new TreeSet<>();
        for (String target : targets) {
            Target parsed = Target.parse(target);
            String name = parsed.shortName().replaceAll("[^A-Za-z0-9._-]", "_").replaceAll("^[^A-Za-z0-9]+", "");
            String unique = name.isEmpty() ? "remote" : name;
            for (int i = 2; !names.add(unique); i++) {
                unique = name + "-" + i;
            }
            yaml.append("              - to:\n"
                    + "                  uri: kamelet:rsync\n"
                    + "                  parameters:\n"
                    + "                    remote: " + quoted(unique) + "\n"
                    + "                    target: " + quoted(parsed.text()) + "\n");
            if (passwordFile != null && parsed.kind() == Target.Kind.DAEMON) {
                yaml.append("                    passwordFile: ")
                        .append(quoted(passwordFile.toString()))
                        .append('\n');
            }
        }
        return yaml.toString();
    }

    private static String quoted(String text) {
        return "\"" + Jsoner.escape("RAW(" + text + ")") + "\"";
    }
}
