package io.dromedary.push;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Sample;
import io.dromedary.posix.PosixException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * What one mirror's source was like, over restarts, and whether what is there now is that source.
 *
 * <p>Remembered is its {@link Likeness}, and whether it was a mount point. What is found before the first push of a run is doubted if it is
 *
 * <ul>
 *   <li>no mount point, though it was one;
 *   <li>another directory or file system, and most of these names are gone: a fresh disk, another one, a restore under way;
 *   <li>the same one, none of these names is there, and at most a tenth as many others;
 *   <li>empty, when it is synced in full or gets what an earlier run still owes.
 * </ul>
 *
 * <p>Numbers alone are no reason: those of devices change when a machine starts, and a restored source is on another disk.
 * Nor is what an event of this run has deleted: then other names are remembered. Once doubted, a source is trusted again
 * when most of the names are there, or a person says so.
 */
final class KnownSource {
    private static final String FILLED = "had files when it was last pushed";
    private static final String MOUNTED = "was a mount point";

    /** With fewer names, and in a stream of changes, it is looked at for more after this time, in nanoseconds. */
    private static final long PAUSE = TimeUnit.SECONDS.toNanos(1);

    private final Mirror mirror;
    private final Path file;
    private Note note;
    private Likeness known;
    private Set<String> deleted = new HashSet<>();
    private boolean trusted;
    private boolean doubted;
    private long lookedAt = System.nanoTime() - PAUSE;

    KnownSource(Mirror mirror, Path file) {
        this.mirror = mirror;
        this.file = file;
        read();
    }

    private void read() {
        note = new Note(file);
        known = Likeness.parse(note.lines());
    }

    /** Before any event of this run: what is found from now on to be missing was deleted before our eyes. */
    synchronized void open() {
        try {
            place("REMOTE");
        } catch (PosixException e) {
            // The first push tells.
        }
    }

    /**
     * Why nothing may be pushed from it now, in one line; null when all is well.
     *
     * @param remote whom a person would have to resume
     * @param all whether the push takes what is missing at the source for deleted, seen or not
     */
    synchronized String problem(String remote, boolean all) {
        String problem = place(remote);
        if (problem != null) {
            return problem;
        }
        boolean empty = mirror.isEmpty();
        if (empty && all && note.exists()) {
            doubted = true;
            trusted = false;
            return "source " + mirror.source() + " is empty and no event emptied it: is a mount missing? "
                    + right(remote);
        }
        if (!empty && (all || !note.exists() || mirror.isMountPoint() != note.has(MOUNTED))) {
            remember();
        }
        return null;
    }

    /** Whether the right directory is there; where it was found to be once, it has to be the very same ever after. */
    private String place(String remote) {
        if (!trusted && note.wasDeleted()) {
            read();
        }
        boolean mounted = mirror.isMountPoint();
        boolean belongsOnMount = note.has(MOUNTED);
        if (!trusted && doubted || mounted && !mirror.wasMountPoint() && belongsOnMount) {
            // What was at its place at the start was not it.
            if (mirror.problem() != null) {
                mirror.accept();
                trusted = false;
            }
        }
        String problem = mirror.problem();
        if (problem != null) {
            return problem;
        }
        if (!mounted && belongsOnMount) {
            doubted = true;
            return "source " + mirror.source()
                    + " was a mount point and is none now: its mount is missing; it goes on when" + " that is back. "
                    + right(remote);
        }
        if (!trusted) {
            problem = unlike(remote);
            doubted = problem != null || doubted && mirror.isEmpty();
            trusted = !doubted && !(note.exists() && mirror.isEmpty());
        }
        return problem;
    }

    private String unlike(String remote) {
        String how = mirror.isEmpty() ? null : known.unlike(mirror, "", doubted);
        return how == null ? null : "source " + mirror.source() + how + " " + right(remote);
    }

    private static String right(String remote) {
        return "If this is right: dromedary resume " + remote;
    }

    /** What has just changed: what was deleted before our eyes is missed by nobody. */
    synchronized void seen(ChangeSet changes) {
        if (!trusted) {
            return;
        }
        try {
            missed(changes);
        } catch (PosixException e) {
            // The source cannot be looked at, which the next push tells. The change has to go its way.
        }
    }

    private void missed(ChangeSet changes) {
        for (String name : known.names()) {
            if (changes.covers(name, false)) {
                if (Sample.present(mirror, List.of(name)).isEmpty()) {
                    deleted.add(name);
                } else {
                    deleted.remove(name);
                }
            }
        }
        boolean empty = mirror.isEmpty();
        boolean others = deleted.size() * 4 > known.names().size();
        boolean more = known.names().size() < Sample.MOST && System.nanoTime() - lookedAt > PAUSE;
        if (empty ? !mirror.wasFilled() : !others && !more) {
            return;
        }
        // Now the right one has to be there still.
        if (place("REMOTE") != null) {
            return;
        }
        if (empty) {
            forget();
        } else {
            remember();
        }
    }

    private void remember() {
        lookedAt = System.nanoTime();
        Likeness now = Likeness.of(mirror, "");
        if (now == null) {
            return;
        }
        List<String> lines = new ArrayList<>(List.of(FILLED));
        if (mirror.isMountPoint()) {
            lines.add(MOUNTED);
        }
        lines.addAll(now.lines());
        note.write(
                "what " + mirror.source()
                        + " was like when it was last pushed; delete this file to take what is there for it",
                lines);
        known = now;
        deleted = new HashSet<>();
    }

    private void forget() {
        note.delete();
        known = Likeness.parse(List.of());
        deleted = new HashSet<>();
    }

    /**
     * A person says that what is there now is the source.
     *
     * @return whether it was doubted
     */
    synchronized boolean accept() {
        boolean another = doubted || mirror.problem() != null;
        mirror.accept();
        if (another && mirror.problem() == null) {
            forget();
            trusted = true;
            doubted = false;
        }
        return another;
    }
}
