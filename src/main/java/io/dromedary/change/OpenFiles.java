package io.dromedary.change;

import java.util.concurrent.TimeUnit;
import org.apache.camel.util.TimeUtils;

/**
 * The files that are sent while a program keeps them open and writes them, and how often; all others are sent when they are
 * closed. Immutable.
 */
public final class OpenFiles {
    /** None. */
    public static final OpenFiles NONE = of(null, "10s");

    /**
     * In nanoseconds: a file that is open for writing and was not written for so long is sent as it is, once. Its program
     * may never close it, a logger or a daemon; and what takes an hour's pause in the middle of a file is rare enough for
     * the half file that it costs until the close.
     */
    public static final long IDLE = TimeUnit.HOURS.toNanos(1);

    private final Excludes patterns;
    private final long interval;

    private OpenFiles(Excludes patterns, long interval) {
        this.patterns = patterns;
        this.interval = interval;
    }

    /**
     * @param patterns rsync patterns, comma separated, null or blank for none; one that matches a directory holds for all in
     *     it
     * @param interval e.g. 10s
     * @throws IllegalArgumentException with one line that says what is wrong
     */
    public static OpenFiles of(String patterns, String interval) {
        long millis;
        try {
            millis = TimeUtils.toMilliSeconds(interval);
        } catch (RuntimeException e) {
            // Of several kinds, depending on what is wrong.
            millis = 0;
        }
        if (millis <= 0) {
            throw new IllegalArgumentException(
                    "open-files.interval = " + interval + ": allowed is a time such as 500ms, 10s or 1m");
        }
        try {
            return new OpenFiles(Excludes.of(patterns, null), TimeUnit.MILLISECONDS.toNanos(millis));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("open-files: " + e.getMessage());
        }
    }

    /** Whether that file, a byte string relative to the mirror's root, is one of them. */
    public boolean matches(String path) {
        return patterns.covers(path, false);
    }

    /** How often they are sent, in nanoseconds. */
    public long interval() {
        return interval;
    }
}
