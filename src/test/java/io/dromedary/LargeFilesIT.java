package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Churn;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.Relay;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Large files in lanes of their own: what they cost the small ones, and what becomes of them while they wait or are sent. */
class LargeFilesIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(90);
    private static final int MB = 1 << 20;
    private static final int SAMPLES = 40;
    /** A machine that others use too may spoil a comparison; what is really in the way spoils every one. */
    private static final int COMPARISONS = 4;

    @TempDir
    Path directory;

    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);
    private Path source;
    private Path copy;
    private RsyncDaemon daemon;
    private Relay line;
    private Configuration configuration;
    private int written;

    @BeforeEach
    void remote() throws IOException {
        System.out.println("large files with seed " + seed);
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        daemon = new RsyncDaemon().module("m", copy).start();
        line = new Relay(daemon.port());
        configuration = new Configuration(directory, source).set("large-file=1M");
    }

    @AfterEach
    void close() {
        line.close();
        daemon.close();
    }

    private DromedaryProcess run(String bwlimit) {
        DromedaryProcess dromedary = configuration
                .remote("far", "rsync://127.0.0.1:" + line.port() + "/m", "bwlimit: " + bwlimit)
                .run(Map.of("DROMEDARY_LOG", "DEBUG"));
        dromedary.awaitLine("far: .*live", START);
        return dromedary;
    }

    private void write(String name, int bytes) throws IOException {
        byte[] content = new byte[bytes];
        random.nextBytes(content);
        Files.write(source.resolve(name), content);
    }

    private List<Path> temporaries() {
        try (Stream<Path> all = Files.walk(copy)) {
            return all.filter(file -> file.getFileName().toString().matches("\\..+\\.[A-Za-z0-9]{6}"))
                    .toList();
        } catch (NoSuchFileException | UncheckedIOException e) {
            return List.of();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void awaitSending(int files) {
        await().atMost(SOON).until(() -> temporaries().size() >= files);
    }

    @Test
    void smallFilesKeepTheirTime() throws Exception {
        try (DromedaryProcess dromedary = run("4m")) {
            phase();
            double[] ratios = new double[COMPARISONS];
            int done = 0;
            do {
                double without = quantile(phase(), 0.99);
                write("large" + done, 120 * MB);
                awaitSending(1);
                double with = quantile(phase(), 0.99);
                assertThat(temporaries())
                        .as("the large file takes longer than that")
                        .isNotEmpty();
                Files.delete(source.resolve("large" + done));
                await().atMost(SOON).until(() -> temporaries().isEmpty());
                ratios[done] = with / without;
                System.out.printf("p99 in ms without a large file %.1f, with %.1f%n", without, with);
            } while (ratios[done++] > 1.5 && done < COMPARISONS);
            assertThat(ratios[done - 1])
                    .as("p99 beside a large file to p99 without, each time: " + Arrays.toString(ratios))
                    .isLessThanOrEqualTo(1.5);
            Trees.awaitEqual(source, copy, SOON);
            assertThat(dromedary.output()).doesNotContain("WARN").doesNotContain("ERROR");
        }
    }

    private List<Long> phase() throws IOException {
        List<Long> latencies = new ArrayList<>();
        for (int i = 0; i < SAMPLES; i++) {
            byte[] text = ("sample " + ++written).getBytes(StandardCharsets.US_ASCII);
            String name = "file" + written % 100;
            Files.write(source.resolve(name), text);
            long start = System.nanoTime();
            while (!hasArrived(copy.resolve(name), text)) {
                assertThat(System.nanoTime() - start).isLessThan(SOON.toNanos());
                LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(300));
            }
            latencies.add(System.nanoTime() - start);
        }
        return latencies;
    }

    private static boolean hasArrived(Path file, byte[] text) throws IOException {
        try {
            return Arrays.equals(Files.readAllBytes(file), text);
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private static double quantile(List<Long> nanos, double share) {
        long[] sorted = nanos.stream().mapToLong(Long::longValue).sorted().toArray();
        return sorted[(int) Math.min(sorted.length - 1, Math.round(sorted.length * share))] / 1e6;
    }

    /** What may happen to a file; each has a directory of its own. */
    private interface Event {
        void happens(Path directory, Path file) throws IOException;
    }

    private Map<String, Event> events() {
        Map<String, Event> events = new LinkedHashMap<>();
        events.put("nothing", (directory, file) -> {});
        events.put("written again", (directory, file) -> Files.write(file, new byte[3 * MB]));
        events.put("made small", (directory, file) -> Files.writeString(file, "small"));
        events.put("deleted", (directory, file) -> Files.delete(file));
        events.put("renamed", (directory, file) -> Files.move(file, file.resolveSibling("other")));
        events.put("renamed twice", (directory, file) -> {
            Files.move(file, file.resolveSibling("second"));
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(300));
            Files.move(file.resolveSibling("second"), file.resolveSibling("third"));
        });
        events.put("renamed and deleted", (directory, file) -> {
            Files.move(file, file.resolveSibling("other"));
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(300));
            Files.delete(file.resolveSibling("other"));
        });
        events.put("replaced", (directory, file) -> {
            Files.write(file.resolveSibling("new"), new byte[2 * MB]);
            Files.move(file.resolveSibling("new"), file, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
        });
        events.put("directory renamed", (directory, file) -> {
            Files.move(directory, directory.resolveSibling(directory.getFileName() + " renamed"));
        });
        events.put("directory deleted", (directory, file) -> {
            Files.delete(file);
            Files.delete(directory);
        });
        events.put("a directory now", (directory, file) -> {
            Files.delete(file);
            Files.createDirectory(file);
            Files.writeString(file.resolve("in it"), "small");
        });
        events.put("a link now", (directory, file) -> {
            Files.delete(file);
            Files.createSymbolicLink(file, Path.of("elsewhere"));
        });
        return events;
    }

    private void rightWhateverHappens(int megabytes, int atOnce, String bwlimit) throws Exception {
        configuration.set("large-pushes=" + atOnce, "max-processes=40");
        try (DromedaryProcess dromedary = run(bwlimit)) {
            Map<String, Event> events = events();
            for (String name : events.keySet()) {
                Files.createDirectory(source.resolve(name));
            }
            for (String name : events.keySet()) {
                write(name + "/large", megabytes * MB);
            }
            awaitSending(Math.min(atOnce, events.size()));
            for (Map.Entry<String, Event> event : events.entrySet()) {
                Path directory = source.resolve(event.getKey());
                event.getValue().happens(directory, directory.resolve("large"));
            }
            Trees.awaitEqual(source, copy, SOON);
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(configuration.owed("far")).isEmpty());
            assertThat(Trees.differences(source, copy)).isEmpty();
            assertThat(dromedary.output()).doesNotContain("ERROR");
        }
    }

    @Test
    void rightWhateverHappensToWhatIsSent() throws Exception {
        rightWhateverHappens(6, 20, "6m");
    }

    @Test
    void rightWhateverHappensToWhatIsSentForLong() throws Exception {
        rightWhateverHappens(44, 20, "12m");
    }

    @Test
    void rightWhateverHappensToWhatWaits() throws Exception {
        rightWhateverHappens(4, 1, "2m");
    }

    @Test
    void whatIsRenamedOnItsWayIsSentOnce() throws Exception {
        try (DromedaryProcess dromedary = run("4m")) {
            write("large", 16 * MB);
            awaitSending(1);
            Files.move(source.resolve("large"), source.resolve("new name"));
            Trees.awaitEqual(source, copy, SOON);
            assertThat(line.sent()).as(dromedary.output()).isBetween(16L * MB, 17L * MB);
        }
    }

    @Test
    void goesOnWhereTheLineWasCut() throws Exception {
        try (DromedaryProcess dromedary = run("8m")) {
            write("large", 32 * MB);
            await().atMost(SOON).until(() -> line.sent() > 16 * MB);
            line.cut();
            Trees.awaitEqual(source, copy, SOON);
            System.out.println("sent " + line.sent());
            assertThat(line.sent()).as(dromedary.output()).isLessThan(32L * MB * 155 / 100);
        }
    }

    @Test
    void goesOnAfterAKill() throws Exception {
        try (DromedaryProcess dromedary = run("8m")) {
            Files.createDirectory(source.resolve("below"));
            write("below/large", 32 * MB);
            await().atMost(SOON).until(() -> line.sent() > 16 * MB);
            dromedary.kill();
        }
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("far: .*live", START);
            Trees.awaitEqual(source, copy, SOON);
            System.out.println("sent " + line.sent());
            assertThat(line.sent()).as(dromedary.output()).isLessThan(32L * MB * 155 / 100);
        }
    }

    @Test
    void churnAmongFullSyncsEndsEqual() throws Exception {
        configuration.set("large-file=3K", "full-sync.cron=0/3 * * * * ?");
        Path other = Files.createDirectory(directory.resolve("other"));
        configuration.remote("here", other.toString());
        try (DromedaryProcess dromedary = run("0")) {
            Churn churn = new Churn(source, seed).pace(400);
            churn.run(Duration.ofSeconds(8));
            Trees.awaitEqual(source, copy, SOON);
            Trees.awaitEqual(source, other, SOON);
            assertThat(dromedary.output()).doesNotContain("ERROR");
        }
    }
}
