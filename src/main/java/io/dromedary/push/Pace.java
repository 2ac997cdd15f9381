package io.dromedary.push;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * How long a remote's paths that are pushed over and over, such as a log that is opened, appended to and closed a hundred
 * times a second, wait for the next push: not at all the first times, then longer and longer, up to a second. What has
 * not been pushed for two seconds is new again. Not safe for use by several threads at once.
 */
final class Pace {
    /** Changes of a batch beyond which nobody asks: a push of many costs little for each. */
    static final int MOST_ASKED = 16;

    /** Pushes of a path before the first pause: somebody who saves a file now and then never waits. */
    static final int FREE = 5;

    static final long FIRST_PAUSE = TimeUnit.MILLISECONDS.toNanos(20);
    static final long LONGEST_PAUSE = TimeUnit.SECONDS.toNanos(1);

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

    /** These leave for the remote now, by {@link System#nanoTime}. */
    void pushed(Collection<String> paths, long now) {
        for (String path : paths) {
            Pushed before = known.get(path);
            boolean again = before != null && now - before.last <= 2 * LONGEST_PAUSE;
            known.put(path, new Pushed(again ? before.times + 1 : 1, now));
        }
    }

    /** How many nanoseconds these wait together; 0 as soon as one of them need not. */
    long pause(Collection<String> paths, long now) {
        long shortest = LONGEST_PAUSE;
        for (String path : paths) {
            Pushed before = known.get(path);
            long left = before == null ? 0 : before.last + before.pause() - now;
            shortest = Math.min(shortest, Math.max(0, left));
        }
        return paths.isEmpty() ? 0 : shortest;
    }
}
