import static java.util.Locale.ROOT;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** One 10 KB file at a time, all ways by turns, so that what else the machine does hits all alike; then nothing at all. */
final class Idle {
    private static final int FILES = 60;
    /** The way that takes a second for each. */
    private static final int FILES_DELAYED = 15;

    private static final int WARM_UP = 5;
    private static final int BYTES = 10_000;
    private static final int QUIET_SECONDS = 30;

    private final Lab lab;
    private final Report report;
    private final List<Way> ways = new ArrayList<>();

    /** From a source to its copy: by a tool that runs, or by a command for each file. */
    private record Way(
            String title, Path source, Arrivals arrivals, Running tool, List<String> push, List<Long> times) {}

    Idle(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        String option = "--sockopts=TCP_NODELAY";
        Way bare = push("bare `rsync -a`", lab.plain);
        Way quick = push("bare `rsync -a " + option + "`", lab.plain, option);
        try {
            Way dromedary = null;
            Way tuned = null;
            Way lsyncd = null;
            Way perEvent = null;
            for (Tool tool : tools) {
                Way way = tool(tool.title, tool, lab.plain);
                dromedary = tool == Tool.DROMEDARY ? way : dromedary;
                lsyncd = tool == Tool.LSYNCD ? way : lsyncd;
                perEvent = tool == Tool.SERSYNC || tool == Tool.PER_EVENT ? way : perEvent;
            }
            push(quick.title + ", daemon with TCP_NODELAY", lab.tuned, option);
            if (dromedary != null) {
                tuned = tool(dromedary.title + ", daemon with TCP_NODELAY", Tool.DROMEDARY, lab.tuned);
            }
            for (Way way : ways) {
                if (way.tool != null) {
                    way.tool.warmUp();
                }
            }
            Random random = new Random(lab.seed);
            for (int i = -WARM_UP; i < FILES; i++) {
                for (Way way : ways) {
                    if (way != lsyncd || i >= 0 && i % (FILES / FILES_DELAYED) == 0) {
                        Thread.sleep(random.nextInt(50));
                        once(way, i);
                    }
                }
            }
            tell(bare);
            if (dromedary != null) {
                targets(dromedary, bare, perEvent, quick);
                even(tuned, "p99 at most 2 × p50, daemon with TCP_NODELAY", "");
            }
            quiet();
        } finally {
            for (Way way : ways) {
                way.arrivals.close();
                if (way.tool != null) {
                    way.tool.close();
                }
            }
        }
    }

    private Way push(String title, Daemon daemon, String... options) throws IOException {
        Daemon.Remote remote = daemon.remote("bare");
        List<String> command = new ArrayList<>(List.of("rsync", "-a"));
        command.addAll(List.of(options));
        command.add(remote.url());
        Way way = new Way(title, lab.directory("bare"), new Arrivals(remote.copy()), null, command, new ArrayList<>());
        ways.add(way);
        return way;
    }

    private Way tool(String title, Tool tool, Daemon daemon) throws IOException, InterruptedException {
        Daemon.Remote remote = daemon.remote(tool.key());
        Running running = new Running(lab, tool, lab.directory(tool.key()), List.of(remote));
        Way way = new Way(title, running.source(), new Arrivals(remote.copy()), running, List.of(), new ArrayList<>());
        ways.add(way);
        running.awaitLive(System.nanoTime() + Lab.PATIENCE);
        return way;
    }

    private void once(Way way, int i) throws IOException, InterruptedException {
        String name = "file" + i;
        Path file = way.source.resolve(name);
        long closed = lab.write(file, BYTES);
        Process push = null;
        if (way.tool == null) {
            List<String> command = new ArrayList<>(way.push);
            command.add(command.size() - 1, file.toString());
            push = new ProcessBuilder(command).start();
        }
        long seen = way.arrivals.await(name, Lab.PATIENCE);
        if (seen < 0) {
            throw new Lab.Failure(way.title + ": " + file + " did not arrive");
        }
        if (i >= 0) {
            way.times.add(seen - closed);
        }
        if (push != null) {
            push.waitFor();
        } else {
            way.tool.awaitIdle();
        }
    }

    private void tell(Way bare) throws IOException {
        report.title("One file of 10 KB at a time");
        Plot plot = new Plot("One file of 10 KB: close to final name, p50", "ms");
        List<List<String>> rows = new ArrayList<>();
        for (Way way : ways) {
            Times times = Times.of(way.times);
            rows.add(List.of(
                    way.title,
                    Times.told(times.p50()),
                    Times.told(times.p99()),
                    Times.ratio(times.p50(), Times.of(bare.times).p50())));
            plot.add("", way.title, times.p50() / 1e6);
        }
        report.table(List.of("", "p50", "p99", "p50 to bare `rsync -a`"), rows);
        report.plot("idle", plot);
    }

    private void targets(Way dromedary, Way bare, Way perEvent, Way quick) {
        Times times = Times.of(dromedary.times);
        report.target("one file: p50 at most 25 ms", Times.told(times.p50()), times.p50() <= 25_000_000);
        double base = Times.of(bare.times).p50();
        String compared = Times.ratio(times.p50(), base) + " of bare `rsync -a`";
        if (perEvent != null) {
            double other = Times.of(perEvent.times).p50();
            compared += ", " + Times.ratio(times.p50(), other) + " of " + perEvent.title;
            base = Math.max(base, other);
        }
        report.target(
                "one file: p50 at most 1/4 of sersync's way or of a default rsync push",
                compared,
                times.p50() <= base / 4);
        Times floor = Times.of(quick.times);
        even(
                dromedary,
                "p99 at most 2 × p50",
                "; the bare push that it makes: p99 " + Times.told(floor.p99()) + ", "
                        + Times.ratio(floor.p99(), floor.p50()) + " × p50");
    }

    private void even(Way way, String target, String floor) {
        Times times = Times.of(way.times);
        report.target(
                "one file: " + target,
                Times.ratio(times.p99(), times.p50()) + " × p50" + floor,
                times.p99() <= 2 * times.p50());
    }

    private void quiet() throws IOException, InterruptedException {
        Lab.say("nothing at all, " + QUIET_SECONDS + " s");
        List<Way> running = ways.stream().filter(way -> way.tool != null).toList();
        List<Map<Path, Double>> before = new ArrayList<>();
        for (Way way : running) {
            before.add(way.tool.threads());
        }
        SECONDS.sleep(QUIET_SECONDS);
        List<List<String>> rows = new ArrayList<>();
        for (int i = 0; i < running.size(); i++) {
            Way way = running.get(i);
            double share = 0;
            for (Map.Entry<Path, Double> thread : way.tool.threads().entrySet()) {
                share += (thread.getValue() - before.get(i).getOrDefault(thread.getKey(), 0.0)) / QUIET_SECONDS;
            }
            String told = String.format(ROOT, "%.3f %%", 100 * share);
            rows.add(List.of(way.title, told, Times.megabytes(way.tool.resident()), Times.megabytes(way.tool.peak())));
            if (i == 0 && way.title.equals(Tool.DROMEDARY.title)) {
                report.target("idle CPU at most 0.1 % of a core", told, share <= 0.001);
            }
        }
        report.title("Nothing to do");
        report.table(List.of("", "CPU, of one core", "memory, all its processes", "peak until then"), rows);
    }
}
