package io.dromedary.watch;

import io.dromedary.change.ChangeSet;
import io.dromedary.posix.LibC;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * The paths that became dirty since the last exchange left, and the files that are not to be sent yet because somebody
 * is still writing them.
 *
 * <p>An editor's save takes as long as the disk does, and makes files that are gone when it is over. So a change of a
 * file that has such a name waits a little: once the file is gone it leaves with the next other change, most often the
 * saved file's.
 */
final class Burst {
    static final int MOST_HELD = 10_000;

    /**
     * How long a change of a temporary file waits for that file's end, and then as long again for another change to leave
     * with; and how long a file waits for the end of its backup.
     */
    static final long TEMPORARY = TimeUnit.MILLISECONDS.toNanos(500);

    /** More of them at once are no editor's. */
    static final int MOST_TEMPORARY = 100;

    /** vim's probe, swap and backup files, emacs's locks and auto-saves; those of sed -i, GLib, mktemp and many more. */
    private static final Pattern TEMPORARY_NAME = Pattern.compile(
            "4913|.+~|\\..+\\.sw[a-z]x?|\\.#.+|#.+#|sed[A-Za-z0-9]{6}|\\.goutputstream-.+|(?:.+\\.)?te?mp|tmp\\..+",
            Pattern.DOTALL);

    private static final long FIRST_PAUSE = TimeUnit.SECONDS.toNanos(1);
    private static final long LONGEST_PAUSE = TimeUnit.SECONDS.toNanos(10);

    private final Source source;
    private final Set<Switch> switches;

    private Map<String, Boolean> dirty = new HashMap<>();
    /** What has another name now, by that name: the name before the first of these events. */
    private Map<String, String> moves = new HashMap<>();

    private boolean onlyWritten = true;
    /** Names that were created or modified without a close-write up to now. */
    private final Set<String> unsettled = new HashSet<>();

    /** The temporary files among the dirty paths: since when they wait, 0 until that is asked for the first time. */
    private final Map<String, Long> temporaries = new HashMap<>();

    private final Map<String, Held> held = new HashMap<>();
    /** No held file is due before. */
    private long nextCheck;

    /** When it was last asked what is to leave. */
    private long taken;

    private boolean collectsFiles;
    private String announced;

    private enum State {
        GONE,
        BEING_WRITTEN,
        COMPLETE
    }

    private static final class Held {
        private long pause = FIRST_PAUSE;
        private long due;
    }

    Burst(Source source, Set<Switch> switches) {
        this.source = source;
        this.switches = switches;
    }

    void mark(Switch cause, String path, boolean deep) {
        if (switches.contains(cause)) {
            boolean before = onlyWritten;
            mark(path, deep);
            onlyWritten = before && cause == Switch.CLOSE_WRITE;
        }
    }

    void mark(String path, boolean deep) {
        onlyWritten = false;
        dirty.merge(path, deep, Boolean::logicalOr);
        if (deep) {
            temporaries.remove(path);
        } else if (temporaries.size() <= MOST_TEMPORARY && isTemporary(path)) {
            temporaries.putIfAbsent(path, 0L);
        }
    }

    private static boolean isTemporary(String path) {
        return TEMPORARY_NAME
                .matcher(path)
                .region(path.lastIndexOf('/') + 1, path.length())
                .matches();
    }

    /** What that path was called before these events; null if they leave unclear what was there. */
    String nameBefore(String path) {
        String before = moves.get(path);
        if (before != null || dirty.containsKey(path)) {
            return before;
        }
        for (int slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
            if (dirty.getOrDefault(path.substring(0, slash), false)) {
                return null;
            }
        }
        return dirty.getOrDefault("", false) ? null : path;
    }

    /** What had that name before these events has this one now. */
    void moved(String before, String path) {
        moves.put(path, before);
    }

    /** A close-write will follow, but not for links, special files, and files that get their name by linking. */
    void fileCreated(String path) {
        if (switches.contains(Switch.CREATE_FILE)) {
            mark(path, false);
        } else {
            awaitCloseWrite(path);
        }
    }

    /** A close-write will follow, but not for truncate(2), nor for utimensat(2) when it sets mtime alone. */
    void fileModified(String path) {
        if (switches.contains(Switch.MODIFY)) {
            fileChanged(Switch.MODIFY, path);
        } else {
            awaitCloseWrite(path);
        }
    }

    private void awaitCloseWrite(String path) {
        if (switches.contains(Switch.CLOSE_WRITE) && !held.containsKey(path)) {
            unsettled.add(path);
        }
    }

    /** Written and closed, modified, moved or deleted: there is no close-write to wait for any more. */
    void fileChanged(Switch cause, String path) {
        unsettled.remove(path);
        held.remove(path);
        mark(cause, path, false);
    }

    void fileAttributes(String path) {
        if (!held.containsKey(path)) {
            mark(Switch.ATTRIB, path, false);
        }
    }

    /**
     * Says which directory the event now being looked at is about: it and all below
     * it appear with the event's own switch.
     *
     * @param fileByFile it is new, so its files have to be named: the directory may not be marked deep, and of what
     *     somebody is writing nothing is sent with it
     */
    void announce(String path, boolean fileByFile) {
        announced = path;
        collectsFiles = fileByFile;
    }

    /** A directory that is watched from now on: what happened in it before is not known. */
    void directoryAppeared(String path) {
        boolean isCovered = dirty.getOrDefault("", false)
                || announced != null && (path.equals(announced) || path.startsWith(announced + '/'));
        if (!isCovered && (switches.contains(Switch.CREATE_FOLDER) || switches.contains(Switch.MOVE_TO))) {
            mark(path, true);
        }
    }

    boolean collectsFiles() {
        return collectsFiles;
    }

    /** A file in a new directory; whether it was there before the watch or not. */
    void fileFound(String path) {
        if (unsettled.size() < MOST_HELD) {
            fileCreated(path);
        } else if (switches.contains(Switch.CLOSE_WRITE) || switches.contains(Switch.CREATE_FILE)) {
            mark(path.substring(0, path.lastIndexOf('/')), true);
        }
    }

    void directoryMoved(String from, String to) {
        String below = from + '/';
        List<String> moved = new ArrayList<>();
        for (String path : unsettled) {
            if (path.startsWith(below)) {
                moved.add(path);
            }
        }
        for (String path : moved) {
            unsettled.remove(path);
            unsettled.add(to + path.substring(from.length()));
        }
        moved.clear();
        for (String path : held.keySet()) {
            if (path.startsWith(below)) {
                moved.add(path);
            }
        }
        for (String path : moved) {
            held.put(to + path.substring(from.length()), held.remove(path));
        }
    }

    /** Whether all there is are files that were written and closed. */
    boolean isWritten() {
        return onlyWritten && unsettled.isEmpty() && !dirty.isEmpty();
    }

    /** Decides about the unsettled and the held: dirty now, or held until nobody writes them. */
    void settle(long now) {
        for (String path : unsettled) {
            State state = state(path);
            if (state == State.BEING_WRITTEN && held.size() < MOST_HELD) {
                // whatever was at this name before, what is there now is half a file
                dirty.remove(path);
                temporaries.remove(path);
                if (held.isEmpty()) {
                    nextCheck = now + LONGEST_PAUSE;
                }
                hold(held.computeIfAbsent(path, p -> new Held()), now);
            } else if (state != State.GONE) {
                mark(path, false);
            }
        }
        unsettled.clear();
        if (held.isEmpty() || nextCheck - now > 0) {
            return;
        }
        nextCheck = now + LONGEST_PAUSE;
        for (Iterator<Map.Entry<String, Held>> all = held.entrySet().iterator(); all.hasNext(); ) {
            Map.Entry<String, Held> entry = all.next();
            Held file = entry.getValue();
            State state = file.due - now > 0 ? State.BEING_WRITTEN : state(entry.getKey());
            if (state != State.BEING_WRITTEN) {
                all.remove();
                if (state == State.COMPLETE) {
                    mark(entry.getKey(), false);
                }
            } else if (file.due - now <= 0) {
                hold(file, now);
            } else if (file.due - nextCheck < 0) {
                nextCheck = file.due;
            }
        }
    }

    /** When a held or a temporary file has to be looked at again, at the latest {@code latest}. */
    long nextCheck(long latest) {
        long next = held.isEmpty() || nextCheck - latest > 0 ? latest : nextCheck;
        for (long since : temporaries.values()) {
            long due = since + TEMPORARY - taken > 0 ? since + TEMPORARY : since + 2 * TEMPORARY;
            next = due - next < 0 ? due : next;
        }
        return next;
    }

    /** What is to leave now; what waits for the end of a temporary file stays, unless all is wanted. */
    ChangeSet take(long now, boolean all) {
        taken = now;
        Map<String, Boolean> staying = all || temporaries.size() > MOST_TEMPORARY ? new HashMap<>() : staying(now);
        if (dirty.size() == staying.size()) {
            return new ChangeSet();
        }
        staying.keySet().removeIf(path -> temporaries.containsKey(path) && state(path) == State.GONE);
        dirty.keySet().removeAll(staying.keySet());
        ChangeSet changes = new ChangeSet();
        dirty.forEach(changes::add);
        // one that stays leaves without the name it had, which is a hint only
        moves.keySet().removeAll(staying.keySet());
        moves.forEach((path, before) -> changes.moved(before, path));
        // a large burst must not leave a large table behind
        dirty = staying;
        temporaries.keySet().retainAll(staying.keySet());
        moves = new HashMap<>();
        onlyWritten = staying.isEmpty();
        return changes;
    }

    private Map<String, Boolean> staying(long now) {
        Map<String, Boolean> staying = new HashMap<>();
        temporaries.replaceAll((path, since) -> {
            String original = path.endsWith("~") ? path.substring(0, path.length() - 1) : "";
            Held written = held.get(original);
            // A disk may take its time. A file that is always open must not hold up another for ever.
            long from = since == 0 || written != null && written.pause < LONGEST_PAUSE ? now : since;
            boolean isGone = state(path) == State.GONE;
            if (now - from < (isGone ? 2 * TEMPORARY : TEMPORARY)) {
                staying.put(path, false);
                if (!isGone && Boolean.FALSE.equals(dirty.get(original))) {
                    staying.put(original, false);
                }
            }
            return from;
        });
        return staying;
    }

    /** The root is another directory now. */
    void clear() {
        dirty.clear();
        temporaries.clear();
        moves.clear();
        unsettled.clear();
        held.clear();
    }

    private void hold(Held file, long now) {
        file.due = now + file.pause;
        if (file.due - nextCheck < 0) {
            nextCheck = file.due;
        }
        file.pause = Math.min(2 * file.pause, LONGEST_PAUSE);
    }

    private State state(String path) {
        String absolute = source.absolute(path);
        try {
            Stat stat = LibC.lstat(absolute);
            if (stat == null) {
                return State.GONE;
            }
            // links, pipes and devices are complete at once
            return stat.isRegular() && LibC.isOpenForWriting(absolute) ? State.BEING_WRITTEN : State.COMPLETE;
        } catch (PosixException e) {
            return State.COMPLETE;
        }
    }
}
