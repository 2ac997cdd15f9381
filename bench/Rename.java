import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A directory of 500 files of 1 MB gets another name. */
final class Rename {
    private static final int FILES = 500;
    private static final int BYTES = 1_000_000;
    private static final long LIMIT = SECONDS.toNanos(45);
    /** After which the log has told what was sent, in milliseconds. */
    private static final long SUMMARY = 11_000;

    private final Lab lab;
    private final Report report;

    Rename(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        Path source = lab.directory("rename");
        Path directory = Files.createDirectory(source.resolve("name0"));
        Path one = source.resolve("one");
        lab.write(one, Lab.LEAST_BYTES);
        byte[] content = new byte[BYTES];
        for (int i = 0; i < FILES; i++) {
            new java.util.Random(lab.seed + i).nextBytes(content);
            Files.write(directory.resolve("f" + i), content);
        }
        long push = push(List.of("-a"), one, lab.plain.remote("rename"));
        List<List<String>> rows = new ArrayList<>();
        int renamed = 0;
        for (Tool tool : tools) {
            Lab.say("rename, " + tool.title);
            Daemon.Remote remote = lab.plain.remote("rename");
            try (Running running = new Running(lab, tool, source, List.of(remote))) {
                running.awaitLive(System.nanoTime() + Lab.PATIENCE);
                double cpu = running.cpuSeconds();
                long traffic = lab.plain.traffic();
                long begin = System.nanoTime();
                Path from = source.resolve("name" + renamed++);
                Files.move(from, source.resolve("name" + renamed));
                Path copy = remote.copy().resolve("name" + renamed);
                Path old = remote.copy().resolve(from.getFileName());
                List<Path> files = new ArrayList<>();
                for (int i = 0; i < FILES; i++) {
                    files.add(copy.resolve("f" + i));
                }
                boolean there =
                        Lab.awaitEach(files, begin + LIMIT, file -> Files.exists(file) && Files.size(file) == BYTES)
                                && Lab.await(begin + LIMIT, () -> Files.notExists(old));
                long took = System.nanoTime() - begin;
                running.awaitIdle();
                // The daemon writes its line after the client has ended.
                Thread.sleep(500);
                traffic = lab.plain.traffic() - traffic;
                rows.add(List.of(
                        tool.title,
                        there ? Times.told(took) : "not after " + Times.told(LIMIT),
                        Times.megabytes(traffic),
                        Times.seconds(running.cpuSeconds() - cpu),
                        Times.megabytes(running.peak())));
                if (tool == Tool.DROMEDARY) {
                    report.target(
                            "rename of a directory of 500 MB: at most 1 % of its bytes on the wire",
                            Times.megabytes(traffic), there && traffic <= FILES * (long) BYTES / 100);
                    report.target(
                            "rename of a directory: at most the time of 3 pushes",
                            Times.told(took) + " to 3 × " + Times.told(push),
                            there && took <= 3 * push);
                }
            }
            Lab.delete(remote.copy());
        }
        report.title("A directory of 500 MB renamed");
        report.table(List.of("", "done at the remote", "on the wire, both ways", "CPU", "peak memory"), rows);
        if (tools.contains(Tool.DROMEDARY)) {
            kinds(source, "name" + renamed, one);
        }
        Lab.delete(source);
    }

    /** The same to all kinds of targets, and of one file of that size. */
    private void kinds(Path source, String directory, Path one) throws IOException, InterruptedException {
        try (OutputStream file = Files.newOutputStream(source.resolve("file"))) {
            for (int i = 0; i < FILES; i++) {
                Files.copy(source.resolve(directory + "/f" + i), file);
            }
        }
        Files.createDirectories(source.resolve("elsewhere"));
        Sshd sshd = new Sshd(lab);
        Path local = lab.directory("local-copy");
        List<List<String>> rows = new ArrayList<>();
        for (Kind kind : List.of(
                new Kind("rsync daemon", lab.plain.remote("kind"), List.of("-a")),
                new Kind("ssh", sshd.remote(lab.directory("ssh-copy")), List.of("-a", "-e", sshd.command())),
                new Kind("local directory", new Daemon.Remote("", 0, "", local, local + "/"), List.of("-a")))) {
            Lab.say("renames, " + kind.title);
            long push = push(kind.options, one, kind.remote);
            long byHand = byHand(kind, source, directory);
            String options = "'" + String.join("' '", kind.options) + "'";
            Map<String, String> settings = Map.of("DROMEDARY_RSYNC_ARGS", options);
            try (Running running = new Running(lab, Tool.DROMEDARY, source, List.of(kind.remote), settings)) {
                running.awaitLive(System.nanoTime() + Lab.PATIENCE);
                // Until what was pushed up to now is logged.
                Thread.sleep(SUMMARY);
                long before = running.sent();
                long tree = moved(kind, source, directory, "kind");
                running.awaitIdle();
                long away = moved(kind, source, "file", "elsewhere/file");
                running.awaitIdle();
                long again = moved(kind, source, "elsewhere/file", "elsewhere/other");
                Thread.sleep(SUMMARY);
                long sent = running.sent() - before;
                moved(kind, source, "kind", directory);
                moved(kind, source, "elsewhere/other", "file");
                rows.add(List.of(
                        kind.title,
                        Times.told(push),
                        Times.told(tree),
                        Times.told(away),
                        Times.told(again),
                        Times.megabytes(sent)));
                report.target(
                        "renames to a target of the kind " + kind.title + ": at most 1 % of their bytes",
                        Times.megabytes(sent) + " of 1,500",
                        sent <= 3 * FILES * (long) BYTES / 100);
                report.target(
                        "rename of a directory and of a file to another directory, " + kind.title
                                + ": at most the time of 3 pushes",
                        Times.told(tree) + " and " + Times.told(away) + " to 3 × " + Times.told(push)
                                + "; the directory by three rsyncs alone: " + Times.told(byHand),
                        tree <= 3 * push && away <= 3 * push);
            }
            Lab.delete(kind.remote.copy());
        }
        report.title("500 MB renamed, to each kind of target");
        report.table(
                List.of(
                        "",
                        "bare push of one file",
                        "directory",
                        "file, to another directory",
                        "file, to another name",
                        "sent in all three"),
                rows);
    }

    /** @param options rsync's */
    private record Kind(String title, Daemon.Remote remote, List<String> options) {}

    /** The shortest of five pushes of a file by rsync alone, in nanoseconds. */
    private static long push(List<String> options, Path file, Daemon.Remote remote)
            throws IOException, InterruptedException {
        String[] command = rsync(options, file.toString(), remote.url());
        long shortest = Long.MAX_VALUE;
        for (int i = 0; i < 5; i++) {
            shortest = Math.min(shortest, Lab.time(command));
        }
        return shortest;
    }

    /**
     * What three rsyncs take to bring a renamed directory to a remote: one makes it, one links what is in it, one deletes
     * the old name. All is there and as before in the end.
     */
    private long byHand(Kind kind, Path source, String from) throws IOException, InterruptedException {
        String url = kind.remote.url();
        String old = (kind.remote.module().isEmpty() ? kind.remote.copy() : "") + "/" + from;
        Lab.output(rsync(kind.options, source + "/", url));
        Path renamed = Files.move(source.resolve(from), source.resolve("byhand"));
        long begin = System.nanoTime();
        Lab.output(rsync(kind.options, "--no-r", "--dirs", renamed.toString(), url));
        Lab.output(rsync(kind.options, "--link-dest=" + old, renamed + "/", url + "byhand/"));
        Lab.output(rsync(
                kind.options, "--no-r", "--dirs", "--delete", "--existing", "--ignore-existing", source + "/", url));
        long took = System.nanoTime() - begin;
        Files.move(renamed, source.resolve(from));
        Files.move(kind.remote.copy().resolve("byhand"), kind.remote.copy().resolve(from));
        return took;
    }

    private static String[] rsync(List<String> options, String... arguments) {
        return Stream.of(Stream.of("rsync"), options.stream(), Stream.of(arguments))
                .flatMap(part -> part)
                .toArray(String[]::new);
    }

    /** Renames, and returns how long after that all is there and the old name gone; fails if it is not in time. */
    private long moved(Kind kind, Path source, String from, String to) throws IOException, InterruptedException {
        Path copy = kind.remote.copy().resolve(to);
        long size = Files.size(source.resolve(from));
        boolean tree = Files.isDirectory(source.resolve(from));
        long begin = System.nanoTime();
        Files.move(source.resolve(from), source.resolve(to));
        boolean there = Lab.await(
                        begin + LIMIT,
                        () -> tree
                                ? Files.exists(copy.resolve("f" + (FILES - 1)))
                                        && copy.toFile().list().length == FILES
                                : Files.exists(copy) && Files.size(copy) == size)
                && Lab.await(
                        begin + LIMIT, () -> Files.notExists(kind.remote.copy().resolve(from)));
        long took = System.nanoTime() - begin;
        if (!there) {
            throw new Lab.Failure(kind.title + ": " + from + " was not renamed at the remote in time");
        }
        return took;
    }
}
