package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.push.FailQueue.Failure;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.IntToLongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The paths that one remote does not take although it is up, or that cannot be read at the source: each with rsync's
 * words and a pause of its own. The log tells each of them once, and again when the words change. Guarded by the
 * {@link FailQueue} it belongs to.
 */
final class RefusedPaths {
    /** Beyond, all of them wait as one: about 2 MB of heap and of disk. */
    static final int MOST = 10_000;

    /** Lines in the log, until all is through; of more paths only the number is told. */
    private static final int MOST_TOLD = 20;

    private static final long SUMMARY = TimeUnit.MINUTES.toNanos(1);

    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    private final String remote;
    private final Path file;
    private final Map<String, Refused> all = new LinkedHashMap<>();
    private List<Failure> failures = List.of();
    private boolean written;
    private int told;
    private int untold;
    private long nextSummary = System.nanoTime();

    private static final class Refused {
        final String path;
        boolean deep;
        String words = "";
        Instant since;
        /** On the clock of {@link System#nanoTime}, as is when it is due. */
        long sinceNanos;

        int tries;
        long next = System.nanoTime();
        boolean trying;

        Refused(String path) {
            this.path = path;
        }
    }

    /** @param file where they are kept; what an earlier run has left there is taken over */
    RefusedPaths(String remote, Path file) {
        this.remote = remote;
        this.file = file;
    }

    boolean isEmpty() {
        return all.isEmpty();
    }

    int size() {
        return all.size();
    }

    /** A path that an earlier run has left. */
    void restore(String path, boolean deep, String words, Instant since, int tries) {
        Refused one = all.computeIfAbsent(path, Refused::new);
        one.deep = deep;
        one.words = words;
        one.since = since;
        one.sinceNanos = System.nanoTime()
                - Math.max(0, Duration.between(since, Instant.now()).toNanos());
        one.tries = tries;
        written = true;
        refresh();
    }

    /** Whether a change is kept here already. */
    boolean holds(String path, boolean deep) {
        Refused one = all.get(path);
        return one != null && (one.deep || !deep);
    }

    /**
     * What a push has brought: those of its paths that are through, and those that are refused.
     *
     * @param pause in milliseconds, after so many tries
     * @return whether anything has changed
     */
    boolean settle(Batch batch, IntToLongFunction pause) {
        Map<String, Refusal> refused = batch.refused();
        if (all.isEmpty() && refused.isEmpty()) {
            return false;
        }
        boolean through = all.values()
                .removeIf(one -> !refused.containsKey(one.path)
                        && !batch.elsewhere().covers(one.path, false)
                        && batch.changes().covers(one.path, one.deep));
        List<Refused> news = new ArrayList<>();
        for (Refusal refusal : refused.values()) {
            Refused one = all.computeIfAbsent(refusal.path(), Refused::new);
            boolean isNew = one.tries == 0;
            if (isNew) {
                one.since = batch.since();
                one.sinceNanos = batch.sinceNanos();
            }
            if (isNew || !Refusal.same(one.words, refusal.words())) {
                news.add(one);
            }
            one.words = refusal.words();
            one.deep |= refusal.deep();
            one.tries++;
            one.trying = false;
            one.next = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(pause.applyAsLong(one.tries));
        }
        news.forEach(this::tell);
        tellUntold();
        if (through && all.isEmpty()) {
            LOG.info("{}: what it refused is through", remote);
            told = 0;
        }
        refresh();
        return through || !refused.isEmpty();
    }

    private void tell(Refused one) {
        if (told < MOST_TOLD) {
            told++;
            LOG.warn("{}: refused: {}: {}", remote, ByteString.readable(one.path), one.words);
        } else {
            untold++;
        }
    }

    private void tellUntold() {
        if (untold > 0 && nextSummary - System.nanoTime() <= 0) {
            LOG.warn("{}: refused: {} more paths, {} now; dromedary failed lists them", remote, untold, all.size());
            untold = 0;
            nextSummary = System.nanoTime() + SUMMARY;
        }
    }

    /** What is due, to be pushed again; all of it if the remote was down. */
    void addDue(Batch batch, boolean whole) {
        if (written && !Files.exists(file)) {
            LOG.info("{}: {} was deleted, what it refused is forgotten", remote, file);
            clear();
        }
        ChangeSet changes = new ChangeSet();
        Instant oldest = batch.since();
        for (Refused one : all.values()) {
            if (whole || !one.trying && one.next - System.nanoTime() <= 0) {
                one.trying = true;
                changes.add(one.path, one.deep);
                oldest = one.since.isBefore(oldest) ? one.since : oldest;
            }
        }
        batch.merge(changes);
        if (oldest.isBefore(batch.since())) {
            batch.since(oldest.truncatedTo(ChronoUnit.MILLIS));
        }
    }

    boolean isDue() {
        return all.values().stream().anyMatch(one -> !one.trying && one.next - System.nanoTime() <= 0);
    }

    /** Due now, whatever pause they have. */
    void retry() {
        all.values().forEach(one -> one.next = System.nanoTime());
    }

    /** The push that had them has failed as a whole. */
    void giveBack() {
        all.values().forEach(one -> one.trying = false);
    }

    void clear() {
        all.clear();
        written = false;
        told = 0;
        untold = 0;
        refresh();
    }

    /** Forgets this path; returns whether there was one. */
    boolean drop(String path) {
        boolean dropped = all.remove(path) != null;
        refresh();
        return dropped;
    }

    /** Each as one of the fail queue's entries. */
    Collection<Failure> failures() {
        return failures;
    }

    /** What a person is told of such entries, in one line; null: there are none. */
    static String told(Collection<Failure> failures) {
        if (failures.isEmpty()) {
            return null;
        }
        String line = failures.iterator().next().refused();
        String first = line.substring(line.indexOf(' ') + 1);
        int count = failures.size();
        return (count == 1 ? "1 path is refused: " : count + " paths are refused, the first: ")
                + (first.equals(".") ? first : ByteString.readable(ByteString.unescape(first)));
    }

    /** When the oldest of those that are being tried again just now happened; null: none is. */
    Long oldestTrying() {
        Long oldest = null;
        for (Refused one : all.values()) {
            if (one.trying && (oldest == null || one.sinceNanos - oldest < 0)) {
                oldest = one.sinceNanos;
            }
        }
        return oldest;
    }

    ChangeSet changes() {
        ChangeSet changes = new ChangeSet();
        all.values().forEach(one -> changes.add(one.path, one.deep));
        return changes;
    }

    private void refresh() {
        List<Failure> now = new ArrayList<>(all.size());
        for (Refused one : all.values()) {
            now.add(new Failure(file, 1, one.sinceNanos, one.tries, one.words, line(one)));
        }
        failures = List.copyOf(now);
    }

    private static String line(Refused one) {
        return (one.deep ? "tree " : "entry ") + (one.path.isEmpty() ? "." : ByteString.escape(one.path));
    }

    /** The file's text, a block for each, as {@link FailQueue} reads it. */
    String text() {
        written = true;
        StringBuilder text = new StringBuilder("# refused by " + remote + "; delete this file to forget it\n");
        for (Refused one : all.values()) {
            text.append(FailQueue.OLDEST).append(one.since).append('\n');
            text.append(FailQueue.TRIES).append(one.tries).append('\n');
            text.append(FailQueue.ERROR)
                    .append(ByteString.escape(ByteString.of(one.words)))
                    .append('\n');
            text.append(line(one)).append('\n');
        }
        return text.toString();
    }

    Path file() {
        return file;
    }
}
