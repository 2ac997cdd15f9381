package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.Relay;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A remote's limit holds for all calls to it together, and as it is at that time of the day. */
class BandwidthIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(90);
    private static final int MB = 1 << 20;

    /** Bytes a second. */
    private static final long LIMIT = 4L * MB;

    /** Half a second that was not used may be made up for within each window. */
    private static final double MOST = 1.15 * LIMIT;

    @TempDir
    Path directory;

    private Path source;
    private Path copy;
    private RsyncDaemon daemon;
    private Relay line;
    private int written;

    @BeforeEach
    void remote() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        daemon = new RsyncDaemon().module("m", copy).start();
        line = new Relay(daemon.port());
    }

    @AfterEach
    void close() {
        line.close();
        daemon.close();
    }

    private DromedaryProcess run(String bwlimit) {
        return new Configuration(directory, source)
                .set("large-file=5M")
                .remote("far", "rsync://127.0.0.1:" + line.port() + "/m", "bwlimit: " + bwlimit)
                .run(Map.of("DROMEDARY_LOG", "DEBUG"));
    }

    private void write(String name, long bytes) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(source.resolve(name).toFile(), "rw")) {
            file.setLength(bytes);
        }
    }

    private long temporaries() {
        try (Stream<Path> all = Files.list(copy)) {
            return all.filter(file -> file.getFileName().toString().matches("\\..+\\.[A-Za-z0-9]{6}"))
                    .count();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Bytes a second over the line, while for so long small files are written, and each is waited for. */
    private double rate(String what, Duration length, int small, List<Long> latencies) throws IOException {
        long before = line.sent();
        long begin = System.nanoTime();
        while (System.nanoTime() - begin < length.toNanos()) {
            String name = "small" + ++written;
            long start = System.nanoTime();
            write(name, small);
            while (!Files.exists(copy.resolve(name))) {
                assertThat(System.nanoTime() - start).isLessThan(SOON.toNanos());
                LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(300));
            }
            latencies.add(System.nanoTime() - start);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
        }
        double rate = (line.sent() - before) * 1e9 / (System.nanoTime() - begin);
        System.out.printf(
                "%s: %.2f MB/s, small ones of %d bytes: median %.0f ms, slowest of %d %.0f ms%n",
                what, rate / MB, small, quantile(latencies, 0.5) / 1e6, latencies.size(), quantile(latencies, 1) / 1e6);
        return rate;
    }

    private static long quantile(List<Long> values, double share) {
        long[] sorted = values.stream().mapToLong(Long::longValue).sorted().toArray();
        return sorted[(int) Math.min(sorted.length - 1, Math.round(sorted.length * share))];
    }

    @Test
    void allTogetherKeepWithinIt() throws Exception {
        for (int i = 0; i < 40; i++) {
            write("before" + i, MB);
        }
        Duration window = Duration.ofSeconds(4);
        List<Long> beside = new ArrayList<>();
        try (DromedaryProcess dromedary = run("4m")) {
            await().atMost(START).until(() -> line.sent() > 4 * MB);
            write("large1", 70 * MB);
            write("large2", 70 * MB);
            double full = rate("beside a full sync", window, 200, beside);
            assertThat(Files.exists(copy.resolve("before39")) && Files.exists(copy.resolve("before0")))
                    .as("the full sync takes longer than that")
                    .isFalse();
            assertThat(full).isBetween(0.7 * LIMIT, MOST);
            dromedary.awaitLine("far: .*live", SOON);
            await().atMost(SOON).until(() -> temporaries() >= 2);
            double large = rate("beside two large files", window, 200, beside);
            List<Long> ofMore = new ArrayList<>();
            // 2.4 MB/s at most, each push small enough for rsync to send it at once
            double more = rate("beside two large files", window, 300_000, ofMore);
            assertThat(temporaries()).as("large files under way").isEqualTo(2);
            assertThat(large).isBetween(0.7 * LIMIT, MOST);
            assertThat(more).isBetween(0.7 * LIMIT, MOST);
            Files.delete(source.resolve("large1"));
            Files.delete(source.resolve("large2"));
            await().atMost(SOON).until(() -> temporaries() == 0);
            List<Long> alone = new ArrayList<>();
            rate("alone", window, 200, alone);
            assertThat(quantile(beside, 0.95))
                    .as("small files' time beside others; alone %d ns", quantile(alone, 0.95))
                    .isLessThan(Math.max(3 * quantile(alone, 0.95), TimeUnit.MILLISECONDS.toNanos(250)));
            Trees.awaitEqual(source, copy, SOON);
            assertThat(dromedary.output()).doesNotContain("WARN").doesNotContain("ERROR");
        }
    }

    @Test
    void transfersUnderWayFollowTheTimeOfDay() throws Exception {
        LocalTime start = LocalTime.now().truncatedTo(ChronoUnit.SECONDS);
        LocalTime from = start.plusSeconds(12);
        LocalTime to = start.plusSeconds(19);
        write("large", 250L * MB);
        String slow = time(from) + "-" + time(to) + "=1m";
        try (DromedaryProcess dromedary = run("'8m, " + slow + "'")) {
            dromedary.awaitLine("far: .*live", START);
            await().atMost(SOON).until(() -> temporaries() == 1);
            double before = rate(from.minusSeconds(1));
            double within = rate(from.plusSeconds(2), to.minusSeconds(1));
            double after = rate(to.plusSeconds(2), to.plusSeconds(5));
            System.out.printf(
                    "8m: %.2f MB/s, then 1m: %.2f MB/s, then 8m: %.2f MB/s%n", before / MB, within / MB, after / MB);
            assertThat(within).isBetween(0.7 * MB, 1.1 * MB);
            assertThat(after).isBetween(4.0 * MB, 8.8 * MB);
            assertThat(before).isBetween(4.0 * MB, 8.8 * MB);
            assertThat(temporaries()).as("one and the same transfer").isEqualTo(1);
            assertThat(dromedary.output()).doesNotContain("WARN").doesNotContain("ERROR");
        }
    }

    private static String time(LocalTime time) {
        return time.toString();
    }

    private double rate(LocalTime until) {
        return rate(LocalTime.now(), until);
    }

    private double rate(LocalTime from, LocalTime to) {
        sleepUntil(from);
        long before = line.sent();
        long begin = System.nanoTime();
        sleepUntil(to);
        return (line.sent() - before) * 1e9 / (System.nanoTime() - begin);
    }

    private static void sleepUntil(LocalTime time) {
        // Within a few seconds, also past midnight.
        long nanos = Math.floorMod(time.toNanoOfDay() - LocalTime.now().toNanoOfDay(), TimeUnit.DAYS.toNanos(1));
        if (nanos < TimeUnit.HOURS.toNanos(1)) {
            LockSupport.parkNanos(nanos);
        }
    }
}
