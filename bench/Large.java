import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Five small files a second, without and beside one large file, on a line that is slow for it. */
final class Large {
    private static final int FILES = 50;
    private static final double RATE = 5;
    private static final double BYTES_PER_SECOND = 20e6;
    private static final int LARGE_BYTES = 240_000_000;

    /** What has not arrived so long after the last close counts as missing. */
    private static final long DRAIN = SECONDS.toNanos(60);

    private final Lab lab;
    private final Report report;
    private final List<List<String>> rows = new ArrayList<>();
    private final Plot plot = new Plot("Small files beside a large one, latency, p50 and p99", "ms");
    private double bare;

    Large(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        bare();
        for (Tool tool : tools) {
            measure(tool);
            if (tool == Tool.LSYNCD) {
                measure(Tool.LSYNCD_MANY);
            }
        }
        report.title(Times.megabytes(LARGE_BYTES) + " on a line of " + Times.megabytes(BYTES_PER_SECOND)
                + "/s, five small files a second beside it, daemon with TCP_NODELAY");
        report.table(
                List.of(
                        "",
                        "small alone: p50",
                        "p99",
                        "beside: p50",
                        "p99",
                        "missing",
                        "the large one",
                        "to bare rsync"),
                rows);
        report.plot("large", plot);
    }

    /** By itself, over the same line. */
    private void bare() throws IOException, InterruptedException {
        try (Line line = new Line(lab.tuned.port, BYTES_PER_SECOND)) {
            Daemon.Remote remote = line.over(lab.tuned.remote("bare"));
            Path file = lab.directory("bare").resolve("large");
            long closed = writeLarge(file);
            Lab.output("rsync", "-a", "--sockopts=TCP_NODELAY", file.toString(), remote.url());
            bare = Arrivals.changed(remote.copy().resolve("large")) - closed;
            rows.add(List.of(
                    "bare `rsync -a --sockopts=TCP_NODELAY`", "", "", "", "", "", Times.told(bare), Times.ratio(1, 1)));
            Lab.delete(file.getParent(), remote.copy());
        }
    }

    private void measure(Tool tool) throws IOException, InterruptedException {
        Lab.say("a large file, " + tool.title);
        Path source = lab.directory("large");
        Load alone = new Load(lab, FILES, 1);
        Load beside = new Load(lab, FILES, 1);
        alone.makeDirectories(source);
        try (Line line = new Line(lab.tuned.port, BYTES_PER_SECOND)) {
            Daemon.Remote remote = line.over(lab.tuned.remote("large"));
            try (Running running = new Running(lab, tool, source, List.of(remote))) {
                running.awaitLive(System.nanoTime() + Lab.PATIENCE);
                running.warmUp();
                alone.write(source, RATE);
                Load.Arrived without = alone.awaitArrival(remote.copy(), System.nanoTime() + DRAIN);
                running.awaitIdle();
                Lab.delete(source.resolve("d0"));
                Lab.await(
                        System.nanoTime() + DRAIN,
                        () -> Files.notExists(remote.copy().resolve("d0")));
                beside.makeDirectories(source);
                running.awaitIdle();

                long closed = writeLarge(source.resolve("image"));
                beside.write(source, RATE);
                Load.Arrived with = beside.awaitArrival(remote.copy(), System.nanoTime() + DRAIN);
                Path arrived = remote.copy().resolve("image");
                boolean there = Lab.await(System.nanoTime() + DRAIN, () -> isWhole(arrived));
                add(tool, without, with, there ? Arrivals.changed(arrived) - closed : 0);
            }
            Lab.delete(source, remote.copy());
        }
    }

    private static boolean isWhole(Path file) throws IOException {
        try {
            return Files.size(file) == LARGE_BYTES;
        } catch (NoSuchFileException notYet) {
            return false;
        }
    }

    /** Returns when it was about to be closed. */
    private long writeLarge(Path file) throws IOException {
        try (OutputStream out = Files.newOutputStream(file)) {
            for (int left = LARGE_BYTES; left > 0; left -= lab.content.length) {
                out.write(lab.content, 0, Math.min(left, lab.content.length));
            }
            return System.nanoTime();
        }
    }

    private void add(Tool tool, Load.Arrived without, Load.Arrived with, long large) {
        Times alone = without.latencies();
        Times beside = with.latencies();
        if (alone.isEmpty() || beside.isEmpty() || large == 0) {
            rows.add(List.of(tool.title, "", "", "", "", "all", "", ""));
            return;
        }
        rows.add(List.of(
                tool.title,
                Times.told(alone.p50()),
                Times.told(alone.p99()),
                Times.told(beside.p50()),
                Times.told(beside.p99()),
                Integer.toString(with.missing()),
                Times.told(large),
                Times.ratio(large, bare)));
        plot.add("alone, p50", tool.title, Math.max(1, alone.p50() / 1e6));
        plot.add("beside, p50", tool.title, Math.max(1, beside.p50() / 1e6));
        plot.add("beside, p99", tool.title, Math.max(1, beside.p99() / 1e6));
        if (tool == Tool.DROMEDARY) {
            report.target(
                    "small files beside a large one: p99 at most 1.5 × of without",
                    Times.told(beside.p99()) + " to " + Times.told(alone.p99()) + ": "
                            + Times.ratio(beside.p99(), alone.p99()) + " ×",
                    with.missing() == 0 && beside.p99() <= 1.5 * alone.p99());
            report.target(
                    "a large file beside small ones: at most 1.05 × of `rsync` by hand",
                    Times.told(large) + " to " + Times.told(bare) + ": " + Times.ratio(large, bare) + " ×",
                    large <= 1.05 * bare);
        }
    }
}
