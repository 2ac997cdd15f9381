package io.dromedary.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** The command line, {@code bin/dromedary}: each command is a class beside this one. */
@Command(
        name = "dromedary",
        description = "Live one-way mirroring of directories to many rsync targets.",
        mixinStandardHelpOptions = true,
        versionProvider = Dromedary.Version.class,
        subcommands = {
            MirrorCommand.class,
            RunCommand.class,
            CheckCommand.class,
            ImportCommand.class,
            SersyncCommand.class,
            StatusCommand.class,
            SteeringCommands.Sync.class,
            SteeringCommands.Flush.class,
            SteeringCommands.Pause.class,
            SteeringCommands.Resume.class,
            SteeringCommands.Failed.class,
            SteeringCommands.Verify.class
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:done, also after SIGTERM and SIGINT",
            "1:it failed",
            "2:wrong usage or configuration: one line says what, where and what is allowed"
        })
public final class Dromedary {
    private static final String LOGGING = "logback.configurationFile";

    private Dromedary() {}

    public static void main(String[] args) {
        // Not where Logback looks by itself: in somebody's application it would be that one's configuration too.
        if (System.getProperty(LOGGING) == null) {
            System.setProperty(LOGGING, "dromedary/logback.xml");
        }
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        CommandLine line = new CommandLine(new Dromedary());
        line.getSubcommands().values().forEach(command -> command.getCommandSpec()
                .versionProvider(new Version()));
        line.setExecutionExceptionHandler((e, command, parsed) -> {
            command.getErr().println(command.getColorScheme().errorText("dromedary: " + message(e)));
            return isUsersMistake(e) ? CommandLine.ExitCode.USAGE : CommandLine.ExitCode.SOFTWARE;
        });
        line.setParameterExceptionHandler((e, arguments) -> {
            e.getCommandLine().getErr().println("dromedary: " + e.getMessage() + "; see dromedary --help");
            return CommandLine.ExitCode.USAGE;
        });
        return line;
    }

    private static boolean isUsersMistake(Throwable e) {
        return e instanceof IllegalArgumentException;
    }

    private static String message(Throwable e) {
        return e.getMessage() == null ? e.toString() : e.getMessage();
    }

    /** The version the jar was built with. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Dromedary.class.getPackage().getImplementationVersion();
            return new String[] {"dromedary " + (version == null ? "unpackaged" : version)};
        }
    }
}
