package io.dromedary.push;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * How long what changed waits for a remote's next push, though none is under way. The first pushes leave at once; in a
 * stream of them, ten a second, since each costs two processes and a connection, however little is in it. Longer pushes
 * than that are no stream: what waits for them leaves the moment they end.
 *
 * <p>Some paths wait longer, if there is nothing else to push. What is pushed over and over, such as a log that is
 * opened, appended to and closed a hundred times a second: not at all the first times, then longer and longer, up to a
 * second; what has not been pushed for two seconds is new again. What has a temporary file's name: half a second, since an editor's save
 * takes as long as the disk does, and makes files that are gone when it is over. Any other change takes them along. Not
 * safe for use by several threads at once.
 */
final class Pace {
    /** Changes of a batch beyond which nobody asks: a push of many costs little for each. */
    static final int MOST_ASKED = 16;

    /** Pushes of a path before the first pause: somebody who saves a file now and then never waits. */
    static final int FREE = 5;

    static final long FIRST_PAUSE = TimeUnit.MILLISECONDS.toNanos(20);
    static final long LONGEST_PAUSE = TimeUnit.SECONDS.toNanos(1);

    static final long TEMPORARY_PAUSE = TimeUnit.MILLISECONDS.toNanos(500);

    /** vim's probe, swap and backup files, emacs's locks and auto-saves; those of sed -i, GLib, mktemp and many more. */
    private static final Pattern TEMPORARY = Pattern.compile(
            "4913|.+~|\\..+\\.sw[a-z]x?|\\.#.+|#.+#|sed[A-Za-z0-9]{6}|\\.goutputstream-.+|(?:.+\\.)?te?mp|tmp\\..+",
            Pattern.DOTALL);

    /** Pushes that leave at once before they count as a stream. */
    static final int AT_ONCE = 10;

    /** From the start of one push of a stream to that of the next. */
    static final long STREAM_PAUSE = TimeUnit.MILLISECONDS.toNanos(100);

    private static final int MOST_KNOWN = 1_000;

    private record Pushed(int times, long last) {
        long pause() {
            return times < FREE ? 0 : Math.min(LONGEST_PAUSE, FIRST_PAUSE << Math.min(10, times - FREE));
        }
    }

    private final Map<String, Pushed> known = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Pushed> eldest) {
            return size() > MOST_KNOWN;
        }
    };

    /** How many nanoseconds of {@link #STREAM_PAUSE} there were left at the last push, which was when. */
    private long owed;

    private long last;

    /** These leave for the remote now, by {@link System#nanoTime}; empty when there are too many to ask for each. */
    void pushed(Collection<String> paths, long now) {
        owed = owed(now) + STREAM_PAUSE;
        last = now;
        for (String path : paths) {
            Pushed before = known.get(path);
            boolean again = before != null && now - before.last <= 2 * LONGEST_PAUSE;
            known.put(path, new Pushed(again ? before.times + 1 : 1, now));
        }
    }

    /**
     * How many nanoseconds these wait together, which is no longer than the one that waits least.
     *
     * @param paths empty when there are too many to ask for each
     * @param since when the oldest of these changes happened
     */
    long pause(Collection<String> paths, long since, long now) {
        long shortest = paths.isEmpty() ? 0 : LONGEST_PAUSE;
        for (String path : paths) {
            Pushed before = known.get(path);
            long left = before == null ? 0 : before.last + before.pause() - now;
            if (isTemporary(path)) {
                left = Math.max(left, since + TEMPORARY_PAUSE - now);
            }
            shortest = Math.min(shortest, Math.max(0, left));
        }
        return Math.max(shortest, owed(now) - AT_ONCE * STREAM_PAUSE);
    }

    private long owed(long now) {
        return owed == 0 ? 0 : Math.max(0, owed - (now - last));
    }

    private static boolean isTemporary(String path) {
        return TEMPORARY
                .matcher(path)
                .region(path.lastIndexOf('/') + 1, path.length())
                .matches();
    }
}
