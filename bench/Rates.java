import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Files of 10 to 100 KB in 100 directories, so many a second for some seconds, with each tool by turns. Then with
 * Dromedary alone, at shares of what one `rsync -a` has moved just before: the same machine moves twice as much in one
 * minute as in another.
 */
final class Rates {
    private static final List<Integer> RATES = List.of(200, 500, 1_000, 2_000, 3_000, 4_000, 5_000);
    private static final List<Integer> PERCENT = List.of(55, 65, 75, 85);
    private static final int DURATION = 8;
    private static final int DIRECTORIES = 100;
    /** How long after the last close a tool may still be at work, in seconds. */
    private static final int DRAIN = 15;
    /** Files for the `rsync -a` that the shares are of: some seconds' work. */
    private static final int AT_ONCE = 40_000;

    private static final List<String> HEAD = List.of(
            "p50",
            "p99",
            "last one there after the last close",
            "files/s that arrived",
            "CPU for 1,000 files",
            "peak memory");

    private final Lab lab;
    private final Report report;
    private final Map<Tool, Double> sustained = new EnumMap<>(Tool.class);
    private final Map<Tool, Double> fastest = new EnumMap<>(Tool.class);
    private final Map<String, Outcome> ladder = new HashMap<>();

    /**
     * How a tool did at a rate.
     *
     * @param rate files a second, as they were written
     * @param cpu of the tool and its rsyncs, in seconds for 1,000 files
     * @param peak memory, in bytes
     * @param once files a second that one `rsync -a` of the same files moved right after it; 0 if not asked for
     */
    private record Outcome(double rate, Load.Arrived arrived, double cpu, long peak, double once) {
        boolean all() {
            return arrived.missing() == 0;
        }

        boolean sustained() {
            return all() && !arrived.growing();
        }

        /** As {@link #HEAD} says. */
        List<String> cells() {
            String spread = all() ? "" : " of those";
            int written = arrived.missing() + arrived.latencies().sorted().length;
            return List.of(
                    Times.told(arrived.latencies().p50()) + spread,
                    Times.told(arrived.latencies().p99()) + spread,
                    all()
                            ? Times.told(arrived.drained())
                            : Times.count(arrived.missing()) + " of " + Times.count(written) + " missing after " + DRAIN
                                    + " s",
                    Times.count(arrived.moved()),
                    Times.seconds(cpu),
                    Times.megabytes(peak));
        }
    }

    Rates(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        report.title("So many files a second, " + DURATION + " s long");
        report.text("A tool is given up after the first rate at which not all had arrived " + DRAIN
                + " s after the last close. A rate is sustained when the latencies do not grow and the last file is there"
                + " 2 s after the last close; one that is not goes once more, with any tool, as the machine may have"
                + " paused. CPU is that of the tool and its rsyncs, without the daemon.");
        climb(tools);
        if (tools.contains(Tool.DROMEDARY)) {
            report.title("Dromedary beside one `rsync -a`, " + DURATION + " s long");
            report.text(
                    "The shares are of what one `rsync -a` moved just before; after each run another one is timed, of"
                            + " just its files.");
            share();
        }
        targets();
    }

    private void climb(List<Tool> tools) throws IOException, InterruptedException {
        List<List<String>> rows = new ArrayList<>();
        Plot latencies = new Plot("Latency under load, p99", "ms");
        Plot costs = new Plot("CPU for 1,000 files, the tool and its rsyncs", "s");
        List<Tool> left = new ArrayList<>(tools);
        for (int rate : RATES) {
            for (Tool tool : List.copyOf(left)) {
                Outcome outcome = run(tool, rate, false);
                rows.add(row(outcome, tool.title));
                if (outcome.all() && !outcome.sustained()) {
                    outcome = run(tool, rate, false);
                    rows.add(row(outcome, tool.title));
                }
                ladder.put(tool + " " + rate, outcome);
                String group = rate + " files/s";
                costs.add(group, tool.title, outcome.cpu());
                if (outcome.all()) {
                    latencies.add(
                            group, tool.title, outcome.arrived().latencies().p99() / 1e6);
                } else {
                    left.remove(tool);
                }
            }
        }
        report.table(head("files/s", ""), rows);
        report.plot("rates-latency", latencies);
        report.plot("rates-cpu", costs);
    }

    private void share() throws IOException, InterruptedException {
        List<List<String>> rows = new ArrayList<>();
        double own = 0;
        double beside = 0;
        for (int percent : PERCENT) {
            Outcome outcome = null;
            for (int attempt = 0; attempt < 2 && (outcome == null || !outcome.sustained()); attempt++) {
                double before = atOnce();
                int rate = (int) (before * percent / 100);
                outcome = run(Tool.DROMEDARY, rate, true);
                double once = Math.max(before, outcome.once());
                rows.add(row(outcome, Times.count(before), Times.count(outcome.once())));
                double kept = outcome.sustained() ? outcome.rate() : 0;
                if (beside == 0 || kept / once > own / beside) {
                    own = kept;
                    beside = once;
                }
            }
            if (!outcome.sustained()) {
                break;
            }
        }
        report.table(head("files/s", "`rsync -a` before", "`rsync -a` after"), rows);
        against(own, 0.5, beside, "what one `rsync -a` moves of the same files, the faster of before and after");
    }

    private static List<String> head(String... first) {
        List<String> head = new ArrayList<>(List.of(first));
        head.addAll(HEAD);
        return head;
    }

    private static List<String> row(Outcome outcome, String... beside) {
        List<String> row = new ArrayList<>(List.of(Times.count(outcome.rate())));
        row.addAll(List.of(beside));
        row.addAll(outcome.cells());
        return row;
    }

    private Outcome run(Tool tool, int rate, boolean thenOnce) throws IOException, InterruptedException {
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
        if (arrived.missing() == 0) {
            compare(tool, remote, source);
        }
        double once = thenOnce ? once(source, rate * DURATION) : 0;
        Lab.delete(source, remote.copy());
        Outcome outcome = new Outcome(
                load.rate(), arrived, cpu * 1_000 / arrived.latencies().sorted().length, peak, once);
        if (outcome.sustained()) {
            sustained.merge(tool, outcome.rate(), Math::max);
        }
        fastest.merge(tool, arrived.moved(), Math::max);
        return outcome;
    }

    private static void compare(Tool tool, Daemon.Remote remote, Path source) throws IOException, InterruptedException {
        String differences =
                Lab.output("rsync", "-an", "--delete", "--out-format=%o %n", source + "/", remote.copy() + "/");
        long files = differences.lines().filter(line -> !line.endsWith("/")).count();
        if (files > 0) {
            throw new Lab.Failure(tool.title + ": the copy is not equal:\n" + differences);
        }
    }

    /** Files a second that one `rsync -a` moves of some that were written as fast as that goes. */
    private double atOnce() throws IOException, InterruptedException {
        Path source = lab.directory("once");
        Load load = new Load(lab, AT_ONCE, DIRECTORIES);
        load.makeDirectories(source);
        load.write(source, Double.POSITIVE_INFINITY);
        double once = once(source, AT_ONCE);
        Lab.delete(source);
        return once;
    }

    private double once(Path source, int files) throws IOException, InterruptedException {
        Daemon.Remote remote = lab.plain.remote("once");
        long time = Lab.time("rsync", "-a", source + "/", remote.url());
        Lab.delete(remote.copy());
        Files.createDirectories(remote.copy());
        return files * 1e9 / time;
    }

    private void targets() {
        Outcome at2000 = ladder.get(Tool.DROMEDARY + " 2000");
        if (at2000 == null) {
            return;
        }
        report.target(
                "2,000 files/s: p99 below 1 s and no growing backlog",
                "p99 " + Times.told(at2000.arrived().latencies().p99()) + (at2000.sustained() ? "" : ", growing"),
                at2000.sustained() && at2000.arrived().latencies().p99() < SECONDS.toNanos(1));
        double own = sustained.getOrDefault(Tool.DROMEDARY, 0.0);
        Tool sersync = fastest.containsKey(Tool.SERSYNC) ? Tool.SERSYNC : Tool.PER_EVENT;
        if (fastest.containsKey(sersync)) {
            against(own, 20, fastest.get(sersync), sersync.title);
        }
        if (sustained.containsKey(Tool.LSYNCD)) {
            against(own, 4, sustained.get(Tool.LSYNCD), "lsyncd's");
        }
        Outcome at500 = ladder.get(Tool.DROMEDARY + " 500");
        Outcome lsyncd = ladder.get(Tool.LSYNCD + " 500");
        if (lsyncd != null) {
            report.target(
                    "CPU for 1,000 files at 500/s at most lsyncd's",
                    Times.seconds(at500.cpu()) + " to " + Times.seconds(lsyncd.cpu()),
                    at500.cpu() <= lsyncd.cpu());
        }
    }

    private void against(double own, double least, double other, String whose) {
        report.target(
                "highest sustained rate at least " + least + " × " + whose,
                Times.count(own) + "/s to " + Times.count(other) + "/s: " + Times.ratio(own, other) + " ×",
                own >= least * other);
    }
}
