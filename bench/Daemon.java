import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** An rsync daemon on a free port of loopback, with a module for each remote. */
final class Daemon {
    private static final Pattern TRAFFIC = Pattern.compile("sent (\\d+) bytes +received (\\d+) bytes");

    private final Lab lab;
    private final Path config;
    private final Path log;
    final int port = Lab.freePort();

    /**
     * A target, and the directory that it is in truth.
     *
     * @param host empty when it is no daemon's
     * @param copy null when nothing arrives there
     */
    record Remote(String host, int port, String module, Path copy, String url) {
        Remote(String host, int port, String module, Path copy) {
            this(host, port, module, copy, "rsync://" + host + ":" + port + "/" + module + "/");
        }
    }

    /** @param option a further line for all modules */
    Daemon(Lab lab, String name, String option) throws IOException, InterruptedException {
        this.lab = lab;
        log = lab.work.resolve(name + ".log");
        boolean isRoot = System.getProperty("user.name").equals("root");
        config = Files.write(
                lab.work.resolve(name + ".conf"),
                List.of(
                        "address = 127.0.0.1",
                        "port = " + port,
                        "log file = " + log,
                        "lock file = " + lab.work.resolve(name + ".lock"),
                        "reverse lookup = no",
                        "read only = no",
                        // As most guides have it; its part of a push's start takes longer than with a chroot.
                        "use chroot = no",
                        isRoot ? "uid = root\ngid = root" : "",
                        option));
        lab.start(new ProcessBuilder("rsync", "--daemon", "--no-detach", "--config=" + config).inheritIO());
        Lab.awaitGreeting("the rsync daemon", port, '@');
    }

    /** A remote with a new, empty directory. rsync reads its configuration anew for each connection. */
    Remote remote(String name) throws IOException {
        Path copy = lab.directory(name + "-copy");
        String module = copy.getFileName().toString();
        Files.writeString(config, "[" + module + "]\npath = " + copy + "\n", java.nio.file.StandardOpenOption.APPEND);
        return new Remote("127.0.0.1", port, module, copy);
    }

    /** Bytes over the wire in both directions, of all connections that have ended. */
    long traffic() throws IOException {
        try (Stream<String> lines = Files.lines(log)) {
            return lines.flatMap(line -> TRAFFIC.matcher(line).results())
                    .mapToLong(Daemon::bytes)
                    .sum();
        }
    }

    private static long bytes(MatchResult found) {
        return Long.parseLong(found.group(1)) + Long.parseLong(found.group(2));
    }
}
