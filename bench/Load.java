import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Files of random sizes that are written at a fixed rate, and when each of them arrived. */
final class Load {
    private static final long KEPT_UP = TimeUnit.SECONDS.toNanos(2);

    private final Lab lab;
    private final List<String> names = new ArrayList<>();
    private final int[] sizes;
    private final long[] closed;

    /** The same sizes whenever it is made with these figures in one run. */
    Load(Lab lab, int count, int directories) {
        this.lab = lab;
        sizes = new Random(lab.seed)
                .ints(count, Lab.LEAST_BYTES, Lab.MOST_BYTES + 1)
                .toArray();
        closed = new long[count];
        for (int i = 0; i < count; i++) {
            names.add("d" + i % directories + "/f" + i);
        }
    }

    void makeDirectories(Path source) throws IOException {
        Set<Path> directories = new HashSet<>();
        for (String name : names) {
            directories.add(source.resolve(name).getParent());
        }
        for (Path directory : directories) {
            Files.createDirectories(directory);
        }
    }

    /** Writes them all, so many a second as long as this thread can keep up. */
    void write(Path source, double rate) throws IOException {
        long begin = System.nanoTime();
        for (int i = 0; i < sizes.length; i++) {
            for (long due = begin + (long) (i * 1e9 / rate); due - System.nanoTime() > 0; ) {
                LockSupport.parkNanos(due - System.nanoTime());
            }
            closed[i] = lab.write(source.resolve(names.get(i)), sizes[i]);
        }
    }

    /** Files a second, as they were written. */
    double rate() {
        return (closed.length - 1) * 1e9 / (closed[closed.length - 1] - closed[0]);
    }

    /**
     * How it went at one remote.
     *
     * @param latencies of what arrived, close to final name
     * @param missing how many did not arrive in time
     * @param drained how long after the last close the last one arrived, in nanoseconds
     * @param moved files a second that arrived, from the first close to the last arrival
     * @param growing whether the latencies were still growing at the end, or what waited then took over 2 s
     */
    record Arrived(Times latencies, int missing, long drained, double moved, boolean growing) {}

    /** Waits until all are there, complete, or the deadline has come. */
    Arrived awaitArrival(Path copy, long deadline) throws IOException, InterruptedException {
        List<Long> latencies = new ArrayList<>();
        List<Long> second = new ArrayList<>();
        List<Long> last = new ArrayList<>();
        long latest = closed[0];
        int missing = 0;
        for (int i = 0; i < sizes.length; i++) {
            Path file = copy.resolve(names.get(i));
            int size = sizes[i];
            boolean there = Lab.await(deadline, () -> isComplete(file, size));
            if (there) {
                long changed = Arrivals.changed(file);
                long latency = Math.max(0, changed - closed[i]);
                latencies.add(latency);
                (4 * i / sizes.length == 1 ? second : 4 * i / sizes.length == 3 ? last : new ArrayList<Long>())
                        .add(latency);
                latest = Math.max(latest, changed);
            } else {
                missing++;
            }
        }
        long drained = latest - closed[closed.length - 1];
        // A tool that keeps up is done soon after; one that does not may well arrive evenly, all the time later.
        boolean growing = missing > 0
                || drained > KEPT_UP
                || Times.of(last).p50() > 2 * Times.of(second).p50() + 200_000_000;
        return new Arrived(
                Times.of(latencies),
                missing,
                drained,
                latencies.size() * 1e9 / Math.max(1, latest - closed[0]),
                growing);
    }

    private static boolean isComplete(Path file, int size) throws IOException {
        try {
            return Files.readAttributes(file, BasicFileAttributes.class).size() == size;
        } catch (java.nio.file.NoSuchFileException notYet) {
            return false;
        }
    }
}
