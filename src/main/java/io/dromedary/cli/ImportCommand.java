package io.dromedary.cli;

import io.dromedary.sersync.Conversion;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code dromedary import}: from sersync's one file to routes and settings. */
@Command(
        name = "import",
        description = "Writes routes/ and application.properties from a sersync confxml.xml, and says what it could not"
                + " carry over.",
        mixinStandardHelpOptions = true)
final class ImportCommand implements Callable<Integer> {
    @Parameters(paramLabel = "CONFXML", description = "The confxml.xml.")
    private Path file;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "DIR",
            defaultValue = ".",
            description = "Where to write; nothing that is there is overwritten (default: the current directory).")
    private Path directory;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        Conversion conversion = Conversion.toDirectory(file, directory);
        PrintWriter out = spec.commandLine().getOut();
        for (Path written : conversion.write()) {
            out.println("wrote " + written);
        }
        conversion.notes().forEach(out::println);
        out.println("next: dromedary check -c " + directory + ", then dromedary run -c " + directory);
        out.flush();
        return 0;
    }
}
