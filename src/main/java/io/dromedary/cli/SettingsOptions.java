package io.dromedary.cli;

import io.dromedary.routes.Settings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Option;

/** The options that {@code run} and {@code check} share. */
final class SettingsOptions {
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
        Engine engine = new Engine(settings);
        engine.file(directory.resolve("application.properties"));
        engine.routes("file:" + routes + "/*.camel.yaml");
        return engine;
    }
}
