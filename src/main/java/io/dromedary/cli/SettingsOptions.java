package io.dromedary.cli;

import io.dromedary.routes.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/** The options that {@code run} and {@code check} share. */
final class SettingsOptions {
    private static final String ENDING = ".camel.yaml";

    /** What somebody may have meant for a route file. */
    private static final Pattern NOT_READ = Pattern.compile("[^.].*(?<!\\.camel)\\.yaml|[^.].*\\.(yml|xml)");

    @Option(
            names = {"-c", "--config"},
            paramLabel = "DIR",
            defaultValue = ".",
            description = "Directory with application.properties and routes/ (default: the current one).")
    private Path directory;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "A setting, over the file and the environment, e.g. full-sync.initial=false.")
    private final Map<String, String> set = new LinkedHashMap<>();

    /** The settings of that directory, the environment and the command line, checked. */
    Settings settings() {
        Settings settings = new Settings();
        Path file = directory.resolve("application.properties");
        if (Files.exists(file)) {
            settings.file(file);
        }
        settings.environment(System.getenv());
        set.forEach((key, value) -> settings.set(key, value, "--set"));
        return settings;
    }

    /** Camel with that directory's routes, not started. */
    Engine engine(Settings settings) {
        Path routes = directory.resolve("routes");
        if (!Files.isDirectory(routes)) {
            throw new IllegalArgumentException(
                    routes + ": no such directory; it holds the routes, *.camel.yaml, of what is mirrored");
        }
        checkNames(routes);
        Engine engine = new Engine(settings);
        engine.file(directory.resolve("application.properties"));
        engine.routes("file:" + routes + "/*" + ENDING);
        return engine;
    }

    /** A route file that nobody reads would be a mirror that nobody misses. */
    private static void checkNames(Path routes) {
        List<String> names;
        try (Stream<Path> files = Files.list(routes)) {
            names = files.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new IllegalArgumentException(routes + ": cannot be read: " + e.getMessage());
        }
        for (String name : names) {
            if (NOT_READ.matcher(name).matches()) {
                throw new IllegalArgumentException(
                        routes.resolve(name) + ": is not read, only *.camel.yaml is; rename it to "
                                + name.replaceFirst("(\\.camel)?\\.(ya?ml|xml)$", "")
                                + ".camel.yaml, or out of the way to " + name
                                + ".off");
            }
        }
        if (names.stream().noneMatch(name -> name.endsWith(ENDING))) {
            throw new IllegalArgumentException(routes + ": there is no route file, *.camel.yaml, in it");
        }
    }
}
