package io.dromedary.push;

import io.dromedary.change.ChangeSet;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What one remote gets in one push: the changes that came while the last one was under way, and where they are kept on
 * disk until they are through. Body of the messages between the aggregate and rsync.
 */
public final class Batch {
    /** What has become, by hand, of a large file's push that waits or is under way. */
    enum Withdrawn {
        NO,
        /** It goes back to its lane. */
        PUT_BACK,
        /** It is forgotten. */
        DROPPED
    }

    private final ChangeSet changes = new ChangeSet();
    private final List<Path> files = new ArrayList<>();
    private Instant since = Instant.now();
    /** The same on the clock of {@link System#nanoTime}, which no one sets back. */
    private long sinceNanos = System.nanoTime();

    /** What an earlier try may have left at the remote with files that another name shares; see {@link Renames}. */
    private final Set<String> linked = new TreeSet<>();

    private final Set<String> made = new HashSet<>();
    private int arrived;
    private int failedBefore;
    private boolean absorbed;
    private long bytesSent;
    private boolean redelivery;
    private boolean cut;
    private final List<RsyncException> partial = new ArrayList<>();
    private final Map<String, Refusal> refused = new TreeMap<>();
    private ChangeSet pushOnly;
    private int tries;
    private boolean unfinished = true;
    private long pause;
    /** Where it goes; null: as its changes say. */
    private Lane lane;
    /** Its parts that go by another lane, until these are handed over. */
    private final Map<Lane, Batch> parts = new LinkedHashMap<>();

    private final Set<String> unneeded = new TreeSet<>();
    private boolean settled;
    private volatile Withdrawn withdrawn = Withdrawn.NO;
    /** What was in them. */
    private final ChangeSet elsewhere = new ChangeSet();

    public void merge(ChangeSet more) {
        changes.merge(more);
        arrived += more.size();
    }

    /** Adds what is to be pushed once more: nothing new. */
    void repeat(Batch other) {
        changes.merge(other.changes);
        // The remote has the new names by now.
        changes.forgetMoves();
        cut |= other.cut;
    }

    /** Takes over what another batch holds: its changes, its files and its age. */
    void absorb(Batch other) {
        boolean ordered = !other.redelivery && other.lane != null && (changes.isEmpty() || other.lane.isLarge());
        changes.merge(other.changes);
        if (!ordered) {
            // The other is older: what it changes was changed before these renames.
            changes.forgetMoves();
        }
        linked.addAll(other.linked);
        files.addAll(other.files);
        redelivery |= other.redelivery;
        cut |= other.cut;
        failedBefore += other.redelivery ? other.changes.size() : other.failedBefore;
        if (other.sinceNanos - sinceNanos < 0) {
            since = other.since;
            sinceNanos = other.sinceNanos;
        }
        other.absorbed = true;
    }

    /** Whether another batch has taken over what it holds. */
    boolean isAbsorbed() {
        return absorbed;
    }

    /** How many changes were new to this remote since this was last asked. */
    int takeArrived() {
        int count = arrived;
        arrived = 0;
        return count;
    }

    /** How many of its changes the fail queue does not count already. */
    int pending() {
        return Math.max(0, changes.size() - failedBefore);
    }

    /** Some of its changes, to be pushed once more: what it is kept in goes over to them, for a kill in between. */
    Batch again(Batch some) {
        Batch again = new Batch();
        again.repeat(some);
        again.sinceNanos(some.sinceNanos);
        again.files.addAll(files);
        files.clear();
        return again;
    }

    /** The lane it goes by. */
    Lane lane() {
        if (lane != null) {
            return lane;
        }
        return changes.isEverything() ? Lane.FULL : Lane.LIVE;
    }

    void lane(Lane on) {
        lane = on;
    }

    /** Lets some of its changes go by another lane; they stay in this batch as well, should it fail. */
    void defer(Lane to, ChangeSet some) {
        Batch part = parts.computeIfAbsent(to, key -> {
            Batch made = new Batch();
            made.lane = key;
            made.cut = cut;
            made.sinceNanos(sinceNanos);
            return made;
        });
        part.changes.merge(some);
        elsewhere.merge(some);
    }

    /** The parts that go by other lanes and were not taken before. */
    public List<Batch> takeParts() {
        List<Batch> taken = List.copyOf(parts.values());
        parts.clear();
        return taken;
    }

    /** For another try: nothing of it goes elsewhere. */
    void keepParts() {
        parts.clear();
    }

    /** What was left of this path is deleted by this batch. */
    void unneeded(String path) {
        unneeded.add(path);
    }

    Set<String> unneeded() {
        return unneeded;
    }

    /** The large file it was for is at the remote, or is none any more. */
    void settled() {
        settled = true;
    }

    boolean isSettled() {
        return settled;
    }

    /** Called on any thread. */
    void withdraw(Withdrawn how) {
        withdrawn = how;
    }

    /** Whether it is to be ended before it has come to its end. */
    boolean isWithdrawn() {
        return withdrawn != Withdrawn.NO;
    }

    boolean isDropped() {
        return withdrawn == Withdrawn.DROPPED;
    }

    /** Those of its changes that are not through with it, but go by other lanes. */
    public ChangeSet elsewhere() {
        return elsewhere;
    }

    /** Whether all of it goes by other lanes, or is forgotten, so that nothing was pushed. */
    boolean isHandedOver() {
        return isDropped()
                || !elsewhere.isEmpty() && refused.isEmpty() && through().isEmpty();
    }

    /** Marks it as coming from the fail queue: it may try a remote that is down. */
    void redelivered() {
        redelivery = true;
    }

    boolean isRedelivery() {
        return redelivery;
    }

    /** Marks it as one that was cut, perhaps: its receiver may have left temporary files behind. */
    void cut() {
        cut = true;
    }

    boolean isCut() {
        return cut;
    }

    void keptIn(Path file) {
        files.add(file);
    }

    void since(Instant earlier) {
        since = earlier;
        sinceNanos = System.nanoTime()
                - Math.max(0, Duration.between(earlier, Instant.now()).toNanos());
    }

    /** When the oldest of these changes happened, on the clock of {@link System#nanoTime}. */
    long sinceNanos() {
        return sinceNanos;
    }

    void sinceNanos(long earlier) {
        since = Instant.now().minusNanos(System.nanoTime() - earlier);
        sinceNanos = earlier;
    }

    Set<String> linked() {
        return linked;
    }

    /**
     * The directories, each with a slash at its end, that were not at the remote before this push, as far as it has told;
     * and the files that calls for renames have brought.
     */
    Set<String> made() {
        return made;
    }

    void partial(RsyncException call) {
        partial.add(call);
    }

    /** Whether in this try the receiver gave up for want of room: the rest comes in another. */
    boolean hasNoRoom() {
        return partial.stream().anyMatch(RsyncException::isCut);
    }

    /** The calls that have not got all of their paths through, told once. */
    List<RsyncException> takePartial() {
        List<RsyncException> taken = List.copyOf(partial);
        partial.clear();
        return taken;
    }

    /** What of it is not through, path by path; a further try leaves these out. */
    Map<String, Refusal> refused() {
        return refused;
    }

    /** The try under way is the last. */
    void finish() {
        unfinished = false;
        pause = 0;
    }

    /** There is to be another try, of some of its changes, or of all if that is null, after so many milliseconds. */
    void tryAgain(ChangeSet some, long milliseconds) {
        pushOnly = some;
        pause = milliseconds;
        unfinished = true;
        tries++;
    }

    /** Whether there is to be a try, or another one. */
    public boolean isUnfinished() {
        return unfinished;
    }

    /** How long to wait before that, in milliseconds. */
    public long getPause() {
        return pause;
    }

    /** How many tries there were before this one. */
    int tries() {
        return tries;
    }

    /** What is to be pushed. */
    ChangeSet toPush() {
        return pushOnly == null ? changes : pushOnly;
    }

    /** Its changes but for what was refused, for whoever is told of what got through. */
    public ChangeSet through() {
        if (isDropped()) {
            return new ChangeSet();
        }
        if (refused.isEmpty() && elsewhere.isEmpty()) {
            return changes;
        }
        ChangeSet through = new ChangeSet();
        changes.visit((path, dirty, deep) -> {
            Refusal refusal = refused.get(path);
            if (dirty && (deep || !elsewhere.covers(path, false)) && (refusal == null || deep && !refusal.deep())) {
                through.add(path, deep);
            }
            return refusal == null || !refusal.deep();
        });
        return through;
    }

    /** What of it was refused. */
    public ChangeSet notThrough() {
        ChangeSet not = new ChangeSet();
        refused.values().forEach(refusal -> not.add(refusal.path(), refusal.deep()));
        return not;
    }

    void sent(long bytes) {
        bytesSent += bytes;
    }

    public ChangeSet changes() {
        return changes;
    }

    /** The files below the state directory that hold these changes; deleted once they are through. */
    List<Path> files() {
        return files;
    }

    /** When the oldest of these changes happened. */
    public Instant since() {
        return since;
    }

    long bytesSent() {
        return bytesSent;
    }

    public boolean isEverything() {
        return changes.isEverything();
    }

    /** Never a repeat: what comes back from disk has to get through. */
    public String getKey() {
        return "redelivered " + System.identityHashCode(this) + " " + System.nanoTime();
    }
}
