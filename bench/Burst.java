import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** 20,000 files of 10 KB in 1,000 new directories, as fast as they can be written; then all of it deleted. */
final class Burst {
    private static final int DIRECTORIES = 1_000;
    private static final int FILES = 20;
    private static final int BYTES = 10_000;
    private static final long LIMIT = SECONDS.toNanos(45);

    private final Lab lab;
    private final Report report;

    Burst(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        Plot plot = new Plot("20,000 files in 1,000 new directories, until all are at the remote", "s");
        List<List<String>> rows = new ArrayList<>();
        for (Tool tool : tools) {
            Lab.say("burst, " + tool.title);
            // The measure for each, taken next to it.
            Bare bare = bare();
            Path source = lab.directory("burst");
            Daemon.Remote remote = lab.plain.remote("burst");
            try (Running running = new Running(lab, tool, source, List.of(remote))) {
                running.awaitLive(System.nanoTime() + Lab.PATIENCE);
                running.warmUp();
                double cpu = running.cpuSeconds();
                long begin = System.nanoTime();
                write(source);
                List<Path> files = files(remote.copy());
                boolean all =
                        Lab.awaitEach(files, begin + LIMIT, file -> Files.exists(file) && Files.size(file) == BYTES);
                long took = System.nanoTime() - begin;
                String there = Times.told(took);
                long deleted = -1;
                if (all) {
                    plot.add("", tool.title, took / 1e9);
                    running.awaitIdle();
                    begin = System.nanoTime();
                    Lab.output("rm", "-rf", source.resolve("burst").toString());
                    deleted = Lab.await(
                                    begin + LIMIT,
                                    () -> Files.notExists(remote.copy().resolve("burst")))
                            ? System.nanoTime() - begin
                            : -1;
                    running.awaitIdle();
                } else {
                    there = Times.count(files.stream().filter(Files::exists).count()) + " of 20,000 after "
                            + Times.told(LIMIT);
                }
                rows.add(List.of(
                        tool.title,
                        there,
                        all ? Times.ratio(took, bare.written + bare.pushed) : "",
                        deleted >= 0 ? Times.told(deleted) : all ? "not after " + Times.told(LIMIT) : "",
                        deleted >= 0 ? Times.ratio(deleted, 2 * bare.removed + bare.nothing) : "",
                        Times.seconds(running.cpuSeconds() - cpu),
                        Times.megabytes(running.peak())));
                if (tool == Tool.DROMEDARY) {
                    targets(took, deleted, bare);
                }
            }
            Lab.delete(source, remote.copy());
        }
        report.title("20,000 files of 10 KB in 1,000 new directories, then deleted");
        report.table(
                List.of(
                        "",
                        "all at the remote",
                        "to writing and one `rsync -a`",
                        "all deleted",
                        "to 2 × `rm -rf` and one push of nothing",
                        "CPU",
                        "peak memory"),
                rows);
        report.plot("burst", plot);
    }

    /**
     * What it takes without any tool, in nanoseconds.
     *
     * @param pushed by one {@code rsync -a}
     * @param listed by one rsync that is told what to send
     * @param removed at the source
     * @param deleted by one rsync after that
     * @param nothing a push that finds nothing to do
     */
    private record Bare(long written, long pushed, long listed, long removed, long deleted, long nothing) {}

    private Bare bare() throws IOException, InterruptedException {
        Path source = lab.directory("burst");
        Daemon.Remote remote = lab.plain.remote("burst");
        String[] push = {"rsync", "-a", "--delete", source + "/", remote.url()};
        long written = write(source);
        long pushed = Lab.time(push);
        Lab.delete(remote.copy().resolve("burst"));
        long listed = listed(source, remote);
        long removed = Lab.time("rm", "-rf", source.resolve("burst").toString());
        long deleted = Lab.time(push);
        long nothing = Lab.time(push);
        Lab.delete(source, remote.copy());
        return new Bare(written, pushed, listed, removed, deleted, nothing);
    }

    private void targets(long took, long deleted, Bare bare) {
        long pushed = bare.written + bare.pushed;
        report.target(
                "burst of 20,000 files at most 1.3 × (writing them and one `rsync -a`)",
                Times.told(took) + " to " + Times.told(bare.written) + " + " + Times.told(bare.pushed) + ": "
                        + Times.ratio(took, pushed)
                        + "; writing them and one rsync with a list of them: " + Times.told(bare.written) + " + "
                        + Times.told(bare.listed) + ": " + Times.ratio(bare.written + bare.listed, pushed),
                took <= 1.3 * pushed);
        long allowed = 2 * bare.removed + bare.nothing;
        report.target(
                "its deletion at most 2 × `rm -rf` and one push of nothing",
                Times.told(deleted) + " to 2 × " + Times.told(bare.removed) + " + " + Times.told(bare.nothing) + ": "
                        + Times.ratio(deleted, allowed)
                        + "; `rm -rf` and one rsync that deletes: " + Times.told(bare.removed) + " + "
                        + Times.told(bare.deleted) + ": " + Times.ratio(bare.removed + bare.deleted, allowed),
                deleted >= 0 && deleted <= allowed);
    }

    /** The same as {@code rsync -a}, but of what it is told. */
    private long listed(Path source, Daemon.Remote remote) throws IOException, InterruptedException {
        List<String> names = new ArrayList<>();
        for (Path file : files(source)) {
            names.add(source.relativize(file).toString());
        }
        Path list = Files.write(lab.directory("list").resolve("names"), names);
        return Lab.time("rsync", "-a", "--files-from=" + list, source + "/", remote.url());
    }

    private long write(Path source) throws IOException {
        long begin = System.nanoTime();
        for (int d = 0; d < DIRECTORIES; d++) {
            Files.createDirectories(source.resolve("burst/d" + d));
            for (int f = 0; f < FILES; f++) {
                lab.write(source.resolve("burst/d" + d + "/f" + f), BYTES);
            }
        }
        return System.nanoTime() - begin;
    }

    private static List<Path> files(Path root) {
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < DIRECTORIES * FILES; i++) {
            files.add(root.resolve("burst/d" + i / FILES + "/f" + i % FILES));
        }
        return files;
    }
}
