package io.dromedary.cli;

import io.dromedary.routes.Settings;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code dromedary run}: what a directory's routes and settings describe, in the foreground. */
@Command(
        name = "run",
        description = "Mirrors what DIR/application.properties and DIR/routes/*.camel.yaml describe.",
        mixinStandardHelpOptions = true)
final class RunCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Override
    public Integer call() throws Exception {
        Settings settings = options.settings();
        return options.engine(settings).run();
    }
}
