import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Files of 10 to 100 KB in 100 directories, so many a second for some seconds, with each tool by turns. */
final class Rates {
    private static final List<Integer> RATES = List.of(200, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_500, 8_000);
    private static final int DURATION = 8;
    private static final int DIRECTORIES = 100;
    /** How long after the last close a tool may still be at work, in seconds. */
    private static final int DRAIN = 15;

    private final Lab lab;
    private final Report report;
    private final List<List<String>> rows = new ArrayList<>();
    private final Plot latencies = new Plot("Latency under load, p99", "ms");
    private final Plot costs = new Plot("CPU for 1,000 files, the tool and its rsyncs", "s");
    private final Map<Tool, Double> sustained = new EnumMap<>(Tool.class);
    private final Map<Tool, Double> fastest = new EnumMap<>(Tool.class);
    private final Map<String, Double> costOf = new HashMap<>();
    /** What one push moves, in files a second, of those that Dromedary sustained last. */
    private double bare;

    Rates(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        List<Tool> left = new ArrayList<>(tools);
        for (int rate : RATES) {
            for (Tool tool : List.copyOf(left)) {
                if (!keepsUp(tool, rate)) {
                    left.remove(tool);
                }
            }
        }
        report.title("So many files a second, " + DURATION + " s long");
        report.text("A tool is given up after the first rate at which not all had arrived " + DRAIN
                + " s after the last close. A rate is sustained when the latencies do not grow and the last file is there"
                + " 2 s after the last close. CPU is that of the tool and its rsyncs, without the daemon.");
        report.table(
                List.of(
                        "files/s",
                        "",
                        "p50",
                        "p99",
                        "last one there after the last close",
                        "files/s that arrived",
                        "CPU for 1,000 files",
                        "peak memory"),
                rows);
        report.plot("rates-latency", latencies);
        report.plot("rates-cpu", costs);
        targets();
    }

    private boolean keepsUp(Tool tool, int rate) throws IOException, InterruptedException {
        Lab.say(rate + " files/s, " + tool.title);
        Load load = new Load(lab, rate * DURATION, DIRECTORIES);
        Path source = lab.directory("rate");
        load.makeDirectories(source);
        Daemon.Remote remote = lab.plain.remote("rate");
        Load.Arrived arrived;
        double cpu;
        long peak;
        try (Running running = new Running(lab, tool, source, List.of(remote))) {
            running.awaitLive(System.nanoTime() + Lab.PATIENCE);
            running.warmUp();
            cpu = running.cpuSeconds();
            load.write(source, rate);
            arrived = load.awaitArrival(remote.copy(), System.nanoTime() + SECONDS.toNanos(DRAIN));
            if (arrived.missing() == 0) {
                running.awaitIdle();
            }
            cpu = running.cpuSeconds() - cpu;
            peak = running.peak();
        }
        double perThousand = cpu * 1_000 / arrived.latencies().sorted().length;
        boolean all = arrived.missing() == 0;
        String spread = all ? "" : " of those";
        rows.add(List.of(
                Times.count(load.rate()),
                tool.title,
                Times.told(arrived.latencies().p50()) + spread,
                Times.told(arrived.latencies().p99()) + spread,
                all
                        ? Times.told(arrived.drained())
                        : Times.count(arrived.missing()) + " of " + Times.count(rate * DURATION) + " missing after "
                                + DRAIN + " s",
                Times.count(arrived.moved()),
                Times.seconds(perThousand),
                Times.megabytes(peak)));
        String group = rate + " files/s";
        if (all) {
            latencies.add(group, tool.title, arrived.latencies().p99() / 1e6);
            compare(tool, remote, source);
            if (!arrived.growing()) {
                sustained.merge(tool, load.rate(), Math::max);
            }
        }
        costs.add(group, tool.title, perThousand);
        costOf.put(tool + " " + rate, perThousand);
        fastest.merge(tool, arrived.moved(), Math::max);
        if (tool == Tool.DROMEDARY) {
            if (rate == 2_000) {
                report.target(
                        "2,000 files/s: p99 below 1 s and no growing backlog",
                        "p99 " + Times.told(arrived.latencies().p99()) + (arrived.growing() ? ", growing" : ""),
                        arrived.latencies().p99() < SECONDS.toNanos(1) && !arrived.growing());
            }
            double once = bare(source, rate * DURATION);
            rows.add(
                    List.of(Times.count(load.rate()), "one `rsync -a` of them", "", "", "", Times.count(once), "", ""));
            if (all && !arrived.growing()) {
                bare = once;
            }
        }
        Lab.delete(source, remote.copy());
        return all;
    }

    private static void compare(Tool tool, Daemon.Remote remote, Path source) throws IOException, InterruptedException {
        String differences =
                Lab.output("rsync", "-an", "--delete", "--out-format=%o %n", source + "/", remote.copy() + "/");
        long files = differences.lines().filter(line -> !line.endsWith("/")).count();
        if (files > 0) {
            throw new Lab.Failure(tool.title + ": the copy is not equal:\n" + differences);
        }
    }

    /** What one push of everything moves, on the same tree at the same time. */
    private double bare(Path source, int files) throws IOException, InterruptedException {
        Daemon.Remote remote = lab.plain.remote("once");
        long time = Lab.time("rsync", "-a", source + "/", remote.url());
        Lab.delete(remote.copy());
        Files.createDirectories(remote.copy());
        return files * 1e9 / time;
    }

    private void targets() {
        Double own = sustained.get(Tool.DROMEDARY);
        if (own == null) {
            return;
        }
        Tool sersync = fastest.containsKey(Tool.SERSYNC) ? Tool.SERSYNC : Tool.PER_EVENT;
        if (fastest.containsKey(sersync)) {
            against(own, 20, fastest.get(sersync), sersync.title);
        }
        if (sustained.containsKey(Tool.LSYNCD)) {
            against(own, 4, sustained.get(Tool.LSYNCD), "lsyncd's");
        }
        against(own, 0.5, bare, "what one `rsync -a` moves of the same files");
        Double cost = costOf.get(Tool.DROMEDARY + " 500");
        Double lsyncd = costOf.get(Tool.LSYNCD + " 500");
        if (cost != null && lsyncd != null) {
            report.target(
                    "CPU for 1,000 files at 500/s at most lsyncd's",
                    Times.seconds(cost) + " to " + Times.seconds(lsyncd),
                    cost <= lsyncd);
        }
    }

    private void against(double own, double least, double other, String whose) {
        report.target(
                "highest sustained rate at least " + least + " × " + whose,
                Times.count(own) + "/s to " + Times.count(other) + "/s: " + Times.ratio(own, other) + " ×",
                own >= least * other);
    }
}
