import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** From the command to live: on an empty tree, and on a large one whose copy is empty. */
final class Start {
    private static final int STARTS = 5;
    private static final long LIMIT = SECONDS.toNanos(120);
    private static final int FILES_EACH = 10;
    private static final int BYTES = 100;
    private static final String WATCHING = " watching 1 tree";

    private final Lab lab;
    private final Report report;

    Start(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        long emptyWatching = tools.contains(Tool.DROMEDARY) ? empty() : 0;
        large(tools, 20_000, emptyWatching);
    }

    /** 1,000,000 files take minutes: for Dromedary alone. */
    void million() throws IOException, InterruptedException {
        large(List.of(Tool.DROMEDARY), 100_000, 0);
    }

    /** Returns how long after the command an empty tree is watched. */
    private long empty() throws IOException, InterruptedException {
        Lab.say("start on an empty tree, " + STARTS + " times");
        List<Long> ready = new ArrayList<>();
        List<Long> watching = new ArrayList<>();
        List<Long> memory = new ArrayList<>();
        for (int i = 0; i < STARTS; i++) {
            long begin = System.nanoTime();
            Daemon.Remote remote = lab.plain.remote("start");
            try (Running running = new Running(lab, Tool.DROMEDARY, lab.directory("start"), List.of(remote))) {
                running.awaitLog(WATCHING, begin + LIMIT);
                watching.add(System.nanoTime() - begin);
                running.awaitLog("; live", begin + LIMIT);
                ready.add(System.nanoTime() - begin);
                Thread.sleep(500);
                memory.add(running.resident());
            }
        }
        long p50 = Times.of(ready).p50();
        report.title("Dromedary's start on an empty tree");
        report.table(
                List.of("", ""),
                List.of(
                        List.of("command to live, median of " + STARTS, Times.told(p50)),
                        List.of(
                                "resident after that",
                                Times.megabytes(Times.of(memory).p50()))));
        report.target("ready on an empty tree at most 1.5 s after the command", Times.told(p50), p50 <= 1_500_000_000L);
        report.target(
                "at most 120 MB resident on a small tree",
                Times.megabytes(Times.of(memory).p50()),
                Times.of(memory).p50() <= 120_000_000);
        return Times.of(watching).p50();
    }

    private void large(List<Tool> tools, int directories, long emptyWatching) throws IOException, InterruptedException {
        String what = Times.count(directories * FILES_EACH) + " files in " + Times.count(directories) + " directories";
        Lab.say("making " + what);
        Path source = lab.directory("large");
        List<String> names = make(source, directories);
        Daemon.Remote bare = lab.plain.remote("large");
        long push = Lab.time("rsync", "-a", source + "/", bare.url());
        Lab.delete(bare.copy());
        long inotifywait = inotifywait(source);
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("bare `rsync -a`", Times.told(push), "", "", ""));
        rows.add(List.of("`inotifywait -r`, to \"Watches established\"", Times.told(inotifywait), "", "", ""));
        Plot plot = new Plot("Start on " + what + ", until all are at the remote", "s");
        plot.add("", "bare `rsync -a`", push / 1e9);
        for (Tool tool : tools) {
            Lab.say("start on " + what + ", " + tool.title);
            Daemon.Remote remote = lab.plain.remote("large");
            long begin = System.nanoTime();
            try (Running running = new Running(lab, tool, source, List.of(remote))) {
                if (tool == Tool.DROMEDARY) {
                    running.awaitLog(WATCHING, begin + LIMIT);
                    long watching = System.nanoTime() - begin - emptyWatching;
                    rows.add(List.of(
                            "Dromedary, to \"watching\"" + (emptyWatching == 0 ? "" : " beyond that of an empty tree"),
                            Times.told(watching),
                            "",
                            "",
                            ""));
                    if (emptyWatching > 0) {
                        report.target(
                                "watching 20,000 directories at most 2 × `inotifywait -r`",
                                Times.told(watching) + " to " + Times.told(inotifywait),
                                watching <= 2 * inotifywait);
                    }
                    running.awaitLog("; live", begin + 5 * LIMIT);
                }
                boolean all = Lab.awaitEach(
                        names, begin + LIMIT, name -> Files.exists(remote.copy().resolve(name)));
                long took = System.nanoTime() - begin;
                running.awaitIdle();
                rows.add(List.of(
                        tool.title,
                        all ? Times.told(took) : "not after " + Times.told(LIMIT),
                        Times.seconds(running.cpuSeconds()),
                        Times.megabytes(running.resident()),
                        Times.megabytes(running.peak())));
                plot.add("", tool.title, took / 1e9);
                if (tool == Tool.DROMEDARY) {
                    targets(running, directories, push);
                }
            }
            Lab.delete(remote.copy());
        }
        Lab.delete(source);
        report.title("Start on " + what);
        report.table(List.of("", "until all is there", "CPU", "memory after that", "peak memory"), rows);
        report.plot("start-" + directories, plot);
    }

    private void targets(Running running, int directories, long push) throws IOException {
        double sync = Double.parseDouble(running.logged("full sync done in ([0-9.]+) s"));
        report.target(
                "initial sync of " + Times.count(directories * FILES_EACH) + " files at most 1.2 × `rsync -a`",
                Times.seconds(sync) + " to " + Times.told(push) + ": " + Times.ratio(sync * 1e9, push),
                sync * 1e9 <= 1.2 * push);
        if (directories == 100_000) {
            report.target(
                    "at most 250 MB resident with 1,000,000 files in 100,000 directories",
                    Times.megabytes(running.resident()),
                    running.resident() <= 250_000_000);
        }
    }

    private List<String> make(Path source, int directories) throws IOException {
        List<String> names = new ArrayList<>();
        for (int d = 0; d < directories; d++) {
            String directory = "d" + d / 100 + "/e" + d % 100;
            Files.createDirectories(source.resolve(directory));
            for (int f = 0; f < FILES_EACH; f++) {
                String name = directory + "/f" + f;
                lab.write(source.resolve(name), BYTES);
                names.add(name);
            }
        }
        return names;
    }

    private long inotifywait(Path source) throws IOException, InterruptedException {
        long begin = System.nanoTime();
        Process process =
                lab.start(new ProcessBuilder("inotifywait", "-m", "-r", source.toString()).redirectErrorStream(true));
        BufferedReader output = process.inputReader();
        String line = output.readLine();
        while (line != null && !line.startsWith("Watches established")) {
            line = output.readLine();
        }
        long took = System.nanoTime() - begin;
        process.destroy();
        process.waitFor();
        lab.ended(process);
        return took;
    }
}
