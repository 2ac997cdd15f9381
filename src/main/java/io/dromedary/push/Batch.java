package io.dromedary.push;

import io.dromedary.change.ChangeSet;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * What one remote gets in one push: the changes that came while the last one was under way, and where they are kept on
 * disk until they are through. Body of the messages between the aggregate and rsync.
 */
public final class Batch {
    private final ChangeSet changes = new ChangeSet();
    private final List<Path> files = new ArrayList<>();
    private Instant since = Instant.now();
    private long bytesSent;
    private boolean redelivery;

    public void merge(ChangeSet more) {
        changes.merge(more);
    }

    /** Takes over what another batch holds: its changes, its files and its age. */
    void absorb(Batch other) {
        changes.merge(other.changes);
        files.addAll(other.files);
        redelivery |= other.redelivery;
        if (other.since.isBefore(since)) {
            since = other.since;
        }
    }

    /** Some of its changes, to be pushed once more: what it is kept in goes over to them, for a kill in between. */
    Batch again(ChangeSet some) {
        Batch again = new Batch();
        again.merge(some);
        again.files.addAll(files);
        files.clear();
        return again;
    }

    /** Marks it as coming from the fail queue: it may try a remote that is down. */
    void redelivered() {
        redelivery = true;
    }

    boolean isRedelivery() {
        return redelivery;
    }

    void keptIn(Path file) {
        files.add(file);
    }

    void since(Instant earlier) {
        since = earlier;
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
