import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** 20,000 files of 10 KB in 1,000 new directories, as fast as they can be written; then all of it deleted. */
final class Burst {
    private static final int DIRECTORIES = 1_000;
    private static final int FILES = 20;
    private static final int BYTES = 10_000;
    /** Of which the one with the median ratio is told. */
    private static final int ROUNDS = 3;

    private static final long LIMIT = SECONDS.toNanos(45);

    private static final String TOP = "burst";
    private static final String FURTHER_DOWN = TOP + "/releases/20261128123000/public/node_modules";

    private final Lab lab;
    private final Report report;
    /** Where the new directories come. */
    private String top = TOP;

    Burst(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        Plot plot = new Plot("20,000 files in 1,000 new directories, until all are at the remote", "s");
        List<List<String>> rows = new ArrayList<>();
        List<Tool> runs = new ArrayList<>(tools);
        if (tools.contains(Tool.DROMEDARY)) {
            runs.add(Tool.DROMEDARY);
        }
        for (int i = 0; i < runs.size(); i++) {
            Tool tool = runs.get(i);
            top = i < tools.size() ? TOP : FURTHER_DOWN;
            String title = tool.title + (i < tools.size() ? "" : ", five directories further down");
            Lab.say("burst, " + title);
            Path source = lab.directory("burst");
            Daemon.Remote remote = lab.plain.remote("burst");
            List<Round> rounds = new ArrayList<>();
            double cpu;
            String peak;
            try (Running running = new Running(lab, tool, source, List.of(remote))) {
                running.awaitLive(System.nanoTime() + Lab.PATIENCE);
                running.warmUp();
                cpu = running.cpuSeconds();
                do {
                    rounds.add(round(running, remote.copy(), bare()));
                } while (rounds.size() < ROUNDS && rounds.get(rounds.size() - 1).deleted >= 0);
                cpu = running.cpuSeconds() - cpu;
                peak = Times.megabytes(running.peak());
            }
            Round burst = middle(rounds, Round::ratio);
            Round deletion = middle(rounds, Round::deletionRatio);
            boolean all = burst.there == DIRECTORIES * FILES;
            rows.add(List.of(
                    title,
                    all ? Times.told(burst.took) : Times.count(burst.there) + " of 20,000 after " + Times.told(LIMIT),
                    all ? Times.ratio(burst.took, burst.bare.there()) : "",
                    all ? Times.ratio(burst.took, burst.bare.written + burst.bare.listed) : "",
                    deletion.deleted >= 0 ? Times.told(deletion.deleted) : all ? "not after " + Times.told(LIMIT) : "",
                    deletion.deleted >= 0 ? Times.ratio(deletion.deleted, deletion.bare.gone()) : "",
                    Times.seconds(cpu / rounds.size()),
                    peak));
            if (all && top.equals(TOP)) {
                plot.add("", tool.title, burst.took / 1e9);
            }
            if (tool == Tool.DROMEDARY && top.equals(TOP)) {
                targets(burst, deletion);
            }
            Lab.delete(source, remote.copy());
        }
        report.title("20,000 files of 10 KB in 1,000 new directories, then deleted");
        report.table(
                List.of(
                        "",
                        "all at the remote",
                        "to writing and one `rsync -a`",
                        "to writing and one rsync with a list",
                        "all deleted",
                        "to 2 × `rm -rf` and one push of nothing",
                        "CPU",
                        "peak memory"),
                rows);
        report.plot("burst", plot);
    }

    /**
     * One burst and its deletion.
     *
     * @param there how many files came to the remote in time
     * @param took until the last of them was there, in nanoseconds
     * @param deleted until all was gone again; negative if it was not in time
     */
    private record Round(Bare bare, int there, long took, long deleted) {
        double ratio() {
            return (double) took / bare.there();
        }

        double deletionRatio() {
            return (double) deleted / bare.gone();
        }
    }

    private static Round middle(List<Round> rounds, ToDoubleFunction<Round> by) {
        return rounds.stream().sorted(Comparator.comparingDouble(by)).toList().get(rounds.size() / 2);
    }

    private Round round(Running running, Path copy, Bare bare) throws IOException, InterruptedException {
        long begin = System.nanoTime();
        write(running.source());
        List<Path> files = files(copy);
        if (!Lab.awaitEach(files, begin + LIMIT, file -> Files.exists(file) && Files.size(file) == BYTES)) {
            return new Round(bare, (int) files.stream().filter(Files::exists).count(), LIMIT, -1);
        }
        long last = begin;
        for (Path file : files) {
            last = Math.max(last, Arrivals.changed(file));
        }
        running.awaitIdle();
        long removing = System.nanoTime();
        Lab.output("rm", "-rf", running.source().resolve(TOP).toString());
        boolean deleted = Lab.await(removing + LIMIT, () -> Files.notExists(copy.resolve(TOP)));
        long took = System.nanoTime() - removing;
        running.awaitIdle();
        return new Round(bare, files.size(), last - begin, deleted ? took : -1);
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
    private record Bare(long written, long pushed, long listed, long removed, long deleted, long nothing) {
        long there() {
            return written + pushed;
        }

        long gone() {
            return 2 * removed + nothing;
        }
    }

    private Bare bare() throws IOException, InterruptedException {
        Path source = lab.directory("burst");
        Daemon.Remote remote = lab.plain.remote("burst");
        String[] push = {"rsync", "-a", "--delete", source + "/", remote.url()};
        long written = write(source);
        long pushed = Lab.time(push);
        Lab.delete(remote.copy().resolve(TOP));
        long listed = listed(source, remote);
        long removed = Lab.time("rm", "-rf", source.resolve(TOP).toString());
        long deleted = Lab.time(push);
        long nothing = Lab.time(push);
        Lab.delete(source, remote.copy());
        return new Bare(written, pushed, listed, removed, deleted, nothing);
    }

    private void targets(Round burst, Round deletion) {
        Bare bare = burst.bare;
        report.target(
                "burst of 20,000 files at most 1.3 × (writing them and one `rsync -a`)",
                Times.told(burst.took) + " to " + Times.told(bare.written) + " + " + Times.told(bare.pushed) + ": "
                        + Times.ratio(burst.took, bare.there())
                        + "; writing them and one rsync with a list of them: " + Times.told(bare.written) + " + "
                        + Times.told(bare.listed) + ": " + Times.ratio(bare.written + bare.listed, bare.there()),
                burst.took <= 1.3 * bare.there());
        bare = deletion.bare;
        report.target(
                "its deletion at most 2 × `rm -rf` and one push of nothing",
                Times.told(deletion.deleted) + " to 2 × " + Times.told(bare.removed) + " + "
                        + Times.told(bare.nothing) + ": " + Times.ratio(deletion.deleted, bare.gone())
                        + "; `rm -rf` and one rsync that deletes: " + Times.told(bare.removed) + " + "
                        + Times.told(bare.deleted) + ": " + Times.ratio(bare.removed + bare.deleted, bare.gone()),
                deletion.deleted >= 0 && deletion.deleted <= bare.gone());
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
            Files.createDirectories(source.resolve(top + "/d" + d));
            for (int f = 0; f < FILES; f++) {
                lab.write(source.resolve(top + "/d" + d + "/f" + f), BYTES);
            }
        }
        return System.nanoTime() - begin;
    }

    private List<Path> files(Path root) {
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < DIRECTORIES * FILES; i++) {
            files.add(root.resolve(top + "/d" + i / FILES + "/f" + i % FILES));
        }
        return files;
    }
}
