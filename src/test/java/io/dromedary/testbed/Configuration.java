package io.dromedary.testbed;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What {@code dromedary run} reads: one tree and its remotes, in a directory of its own, and the state directory beside
 * it. By default there is no status page, and what failed is tried again each second.
 */
public final class Configuration {

    private final Path directory;
    private final Path source;
    private final StringBuilder remotes = new StringBuilder();
    private final List<String> settings =
            new ArrayList<>(List.of("http.port=0", "retry.cron=* * * * * ?", "retry.max-backoff=1s"));

    /** @param directory gets {@code conf}, and {@code state} from the program */
    public Configuration(Path directory, Path source) {
        this.directory = directory;
        this.source = source;
    }

    /** @param parameters of the Kamelet, as lines of YAML: {@code "bwlimit: 100"} */
    public Configuration remote(String id, String target, String... parameters) {
        remotes.append("              - to:\n                  uri: kamelet:rsync\n                  parameters:\n")
                .append("                    remote: ")
                .append(id)
                .append('\n')
                .append("                    target: ")
                .append(target)
                .append('\n');
        for (String parameter : parameters) {
            remotes.append("                    ").append(parameter).append('\n');
        }
        return this;
    }

    /** Settings without their prefix, {@code KEY=VALUE}; of two for one key the later holds. */
    public Configuration set(String... more) {
        settings.addAll(List.of(more));
        return this;
    }

    public DromedaryProcess run() {
        return run(Map.of());
    }

    /** @param environment added to that of the tests */
    public DromedaryProcess run(Map<String, String> environment) {
        return DromedaryProcess.start(directory, environment, arguments());
    }

    /** What follows {@code bin/dromedary} on the command line. */
    public String[] arguments() {
        Path conf = directory.resolve("conf");
        try {
            Files.createDirectories(conf.resolve("routes"));
            Files.writeString(
                    conf.resolve("routes/tree.camel.yaml"),
                    "- route:\n    id: tree\n    from:\n      uri: kamelet:watch\n      parameters:\n        source: "
                            + source + "\n      steps:\n        - multicast:\n            steps:\n" + remotes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<String> arguments = new ArrayList<>(List.of("run", "-c", conf.toString()));
        settings.forEach(setting -> arguments.addAll(List.of("--set", setting)));
        return arguments.toArray(String[]::new);
    }

    /** All that is not through yet to this remote, the lines of its files below the state directory. */
    public List<String> owed(String remote) {
        List<String> lines = new ArrayList<>();
        // In this order: what fails meanwhile goes from the first to the second.
        for (String kind : List.of("pending", "failed")) {
            Path files = directory.resolve("state").resolve(kind).resolve(remote);
            try (Stream<Path> all = Files.list(files)) {
                for (Path file : (Iterable<Path>)
                        all.filter(one -> one.toString().endsWith(".changes") || one.endsWith("refused"))::iterator) {
                    try {
                        lines.addAll(Files.readAllLines(file, StandardCharsets.ISO_8859_1));
                    } catch (NoSuchFileException e) {
                        // It is through, or has gone from pending to failed.
                    }
                }
            } catch (NoSuchFileException | NotDirectoryException e) {
                // Nothing has ever been owed.
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return lines;
    }
}
