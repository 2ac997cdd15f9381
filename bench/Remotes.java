import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Five files a second to 1, 3 and 10 remotes, and to 3 of which one takes connections and says nothing; without the 40 ms that
 * some pushes wait for a daemon and others not, as it happens.
 */
final class Remotes {
    private static final int FILES = 40;
    private static final double RATE = 5;
    private static final int DRAIN = 15;

    private final Lab lab;
    private final Report report;
    private final List<List<String>> rows = new ArrayList<>();
    private final Plot plot = new Plot("Five files a second, latency at the remotes that are well, p50", "ms");
    private final Map<String, Double> cpus = new HashMap<>();
    private final Map<String, Times> latencies = new HashMap<>();

    Remotes(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        for (int count : new int[] {1, 3, 10}) {
            bare(count);
            for (Tool tool : tools) {
                measure(tool, count, false);
            }
        }
        for (Tool tool : tools) {
            measure(tool, 3, true);
        }
        report.title("1, 3 and 10 remotes, one of them dead, daemon with TCP_NODELAY");
        report.table(List.of("remotes", "", "p50", "p99", "missing", "CPU for one file", "peak memory"), rows);
        report.plot("remotes", plot);
        targets();
    }

    private static String group(int count, boolean oneIsDead) {
        return oneIsDead ? count + ", one dead" : count == 1 ? "1 remote" : count + " remotes";
    }

    private void bare(int count) throws IOException, InterruptedException {
        List<Daemon.Remote> remotes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            remotes.add(lab.tuned.remote("bare"));
        }
        Path source = lab.directory("bare");
        List<Long> times = new ArrayList<>();
        double cpu = Running.cpuSeconds(ProcessHandle.current().pid());
        for (int i = 0; i < FILES; i++) {
            Path file = source.resolve("f" + i);
            long closed = lab.write(file, (Lab.LEAST_BYTES + Lab.MOST_BYTES) / 2);
            List<Process> pushes = new ArrayList<>();
            for (Daemon.Remote remote : remotes) {
                pushes.add(new ProcessBuilder("rsync", "-a", "--sockopts=TCP_NODELAY", file.toString(), remote.url())
                        .start());
            }
            for (Process push : pushes) {
                push.waitFor();
            }
            for (Daemon.Remote remote : remotes) {
                times.add(Math.max(0, Arrivals.changed(remote.copy().resolve("f" + i)) - closed));
            }
        }
        cpu = Running.cpuSeconds(ProcessHandle.current().pid()) - cpu;
        add("bare `rsync -a --sockopts=TCP_NODELAY`, all at once", group(count, false), Times.of(times), 0, cpu, "");
    }

    private void measure(Tool tool, int count, boolean oneIsDead) throws IOException, InterruptedException {
        String group = group(count, oneIsDead);
        Lab.say(group + ", " + tool.title);
        List<Daemon.Remote> remotes = new ArrayList<>();
        for (int i = 0; i < (oneIsDead ? count - 1 : count); i++) {
            remotes.add(lab.tuned.remote("remotes"));
        }
        List<Daemon.Remote> live = List.copyOf(remotes);
        Load load = new Load(lab, FILES, 1);
        Path source = lab.directory("remotes");
        load.makeDirectories(source);
        // On the daemon's port of another address, since sersync knows one port for all.
        try (ServerSocket silent = new ServerSocket(lab.tuned.port, 200, InetAddress.getByName("127.0.0.2"))) {
            if (oneIsDead) {
                remotes.add(1, new Daemon.Remote("127.0.0.2", silent.getLocalPort(), "dead", null));
            }
            try (Running running = new Running(lab, tool, source, remotes)) {
                if (!isLive(running)) {
                    rows.add(List.of(group, tool.title, "", "", "all", "", ""));
                    return;
                }
                running.warmUp();
                double cpu = running.cpuSeconds();
                load.write(source, RATE);
                long deadline = System.nanoTime() + SECONDS.toNanos(DRAIN);
                List<Long> times = new ArrayList<>();
                int missing = 0;
                for (Daemon.Remote remote : live) {
                    Load.Arrived arrived = load.awaitArrival(remote.copy(), deadline);
                    for (long time : arrived.latencies().sorted()) {
                        times.add(time);
                    }
                    missing += arrived.missing();
                }
                if (!oneIsDead) {
                    running.awaitIdle();
                }
                add(
                        tool.title,
                        group,
                        Times.of(times),
                        missing,
                        running.cpuSeconds() - cpu,
                        Times.megabytes(running.peak()));
            }
        }
        for (Daemon.Remote remote : live) {
            Lab.delete(remote.copy());
            Files.createDirectories(remote.copy());
        }
    }

    private static boolean isLive(Running running) throws IOException, InterruptedException {
        try {
            running.awaitLive(System.nanoTime() + SECONDS.toNanos(DRAIN));
            return true;
        } catch (Lab.Failure e) {
            Lab.say(e.getMessage());
            return false;
        }
    }

    private void add(String title, String group, Times times, int missing, double cpu, String peak) {
        double perFile = cpu / FILES;
        rows.add(List.of(
                group,
                title,
                times.isEmpty() ? "" : Times.told(times.p50()),
                times.isEmpty() ? "" : Times.told(times.p99()),
                Integer.toString(missing),
                Times.told(perFile * 1e9),
                peak));
        if (!times.isEmpty()) {
            plot.add(group, title, Math.max(1, times.p50() / 1e6));
        }
        cpus.put(title + group, perFile);
        latencies.put(title + group, times);
    }

    private void targets() {
        String own = Tool.DROMEDARY.title;
        Double one = cpus.get(own + group(1, false));
        Double ten = cpus.get(own + group(10, false));
        if (one == null || ten == null) {
            return;
        }
        report.target(
                "ten remotes at most 10 × the CPU of one",
                Times.told(ten * 1e9) + " to " + Times.told(one * 1e9) + " a file: " + Times.ratio(ten, one) + " ×",
                ten <= 10 * one);
        Times bare = latencies.get("bare `rsync -a --sockopts=TCP_NODELAY`, all at once" + group(10, false));
        Times mine = latencies.get(own + group(10, false));
        report.target(
                "ten remotes: no more latency than rsync itself makes",
                "p50 " + Times.told(mine.p50()) + " to " + Times.told(bare.p50()),
                mine.p50() <= bare.p50() + 15_000_000);
        Times well = latencies.get(own + group(3, false));
        Times beside = latencies.get(own + group(3, true));
        report.target(
                "a dead remote changes nothing for the others",
                "p50 " + Times.told(beside.p50()) + " to " + Times.told(well.p50()) + " without",
                beside.p50() <= 1.2 * well.p50() + 4_000_000);
    }
}
