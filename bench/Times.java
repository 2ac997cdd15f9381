import static java.util.Locale.ROOT;

import java.util.Arrays;
import java.util.Collection;

/** Nanoseconds, how they spread and how they are told; and other figures. */
record Times(long[] sorted) {
    static Times of(Collection<Long> nanos) {
        long[] sorted = nanos.stream().mapToLong(Long::longValue).toArray();
        Arrays.sort(sorted);
        return new Times(sorted);
    }

    boolean isEmpty() {
        return sorted.length == 0;
    }

    /** The smallest that so many percent do not exceed. */
    long percentile(int percent) {
        return sorted[(sorted.length * percent + 99) / 100 - 1];
    }

    long p50() {
        return percentile(50);
    }

    long p99() {
        return percentile(99);
    }

    static String told(double nanos) {
        double millis = nanos / 1e6;
        if (millis < 100) {
            return String.format(ROOT, "%.1f ms", millis);
        }
        return millis < 10_000 ? String.format(ROOT, "%,.0f ms", millis) : seconds(millis / 1e3);
    }

    static String seconds(double seconds) {
        return String.format(ROOT, seconds < 10 ? "%.2f s" : "%.1f s", seconds);
    }

    static String megabytes(double bytes) {
        return String.format(ROOT, bytes < 10e6 ? "%.2f MB" : "%,.0f MB", bytes / 1e6);
    }

    static String count(double figure) {
        return String.format(ROOT, "%,.0f", figure);
    }

    static String ratio(double figure, double base) {
        return String.format(ROOT, "%.2f", figure / base);
    }
}
