package io.dromedary.watch;

import io.dromedary.change.ChangeSet;
import io.dromedary.change.OpenFiles;
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

/**
 * The paths that became dirty since the last exchange left, and the files that are not to be sent yet because somebody
 * is still writing them.
 */
final class Burst {
    static final int MOST_HELD = 10_000;

    private static final long FIRST_PAUSE = TimeUnit.SECONDS.toNanos(1);
    private static final long LONGEST_PAUSE = TimeUnit.SECONDS.toNanos(10);

    private final Source source;
    private final Set<Switch> switches;
    private final OpenFiles openFiles;

    /** What of a path is dirty; each says all that those before it say. */
    private enum Extent {
        ATTRIBUTES,
        CONTENT,
        TREE
    }

    private Map<String, Extent> dirty = new HashMap<>();
    /** What has another name now, by that name: the name before the first of these events. */
    private Map<String, String> moves = new HashMap<>();
    /** What was written below the new name of a move, or had been below the old one. */
    private Set<String> rewritten = new HashSet<>();

    private boolean onlyWritten = true;
    /** Names that were created or modified without a close-write up to now. */
    private final Set<String> unsettled = new HashSet<>();

    /** Links that are followed and lead to no directory: what is behind them is asked about. */
    private final Set<String> followed = new HashSet<>();

    private final Map<String, Held> held = new HashMap<>();
    /** No held file is due before. */
    private long nextCheck;

    private boolean collectsFiles;
    private String announced;

    private enum State {
        GONE,
        BEING_WRITTEN,
        COMPLETE
    }

    private record Look(State state, Stat stat) {}

    private static final class Held {
        private long pause = FIRST_PAUSE;
        private long due;
        /** As it was when it was last looked at, and since when. */
        private Stat seen;

        private long since;
        /** As it was when it was sent; null: never. */
        private Stat sent;

        Held(Stat seen, long now) {
            this.seen = seen;
            this.since = now;
        }

        /** Whether it is to be sent as it is, although it is open. */
        boolean isSent(Stat now, long time, long idle) {
            if (isOther(now, seen)) {
                seen = now;
                since = time;
            }
            return (sent == null || isOther(seen, sent)) && time - since >= idle;
        }

        private static boolean isOther(Stat one, Stat other) {
            return one.size() != other.size()
                    || one.mtimeSeconds() != other.mtimeSeconds()
                    || one.mtimeNanos() != other.mtimeNanos()
                    || one.ino() != other.ino();
        }
    }

    Burst(Source source, Set<Switch> switches) {
        this(source, switches, OpenFiles.NONE);
    }

    Burst(Source source, Set<Switch> switches, OpenFiles openFiles) {
        this.openFiles = openFiles;
        this.source = source;
        this.switches = switches;
    }

    void mark(Switch cause, String path, boolean deep) {
        if (switches.contains(cause)) {
            boolean before = onlyWritten;
            mark(path, deep ? Extent.TREE : cause == Switch.ATTRIB ? Extent.ATTRIBUTES : Extent.CONTENT);
            onlyWritten = before && cause == Switch.CLOSE_WRITE;
        }
    }

    void mark(String path, boolean deep) {
        mark(path, deep ? Extent.TREE : Extent.CONTENT);
    }

    private void mark(String path, Extent extent) {
        onlyWritten = false;
        dirty.merge(path, extent, (one, other) -> one.compareTo(other) > 0 ? one : other);
        if (extent != Extent.ATTRIBUTES) {
            rewrote(path);
        }
    }

    private void rewrote(String path) {
        if (moves.isEmpty()) {
            return;
        }
        for (int end = path.length(); end > 0; end = path.lastIndexOf('/', end - 1)) {
            if (moves.containsKey(path.substring(0, end))) {
                rewritten.add(path);
                return;
            }
        }
    }

    /** What that path was called before these events; null if they leave unclear what was there. */
    String nameBefore(String path) {
        String before = moves.get(path);
        if (before != null || dirty.containsKey(path)) {
            return before;
        }
        return isBelowDeep(path) ? null : path;
    }

    /** Whether a directory above is a change with all below it. */
    boolean isBelowDeep(String path) {
        for (int slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
            if (dirty.get(path.substring(0, slash)) == Extent.TREE) {
                return true;
            }
        }
        return dirty.get("") == Extent.TREE;
    }

    /** What was written below that directory, the rest of each path: with that its name before tells nothing. */
    List<String> writtenBelow(String directory) {
        String prefix = directory + '/';
        List<String> below = new ArrayList<>();
        dirty.forEach((path, extent) -> {
            if (extent != Extent.ATTRIBUTES && path.startsWith(prefix)) {
                below.add(path.substring(prefix.length()));
            }
        });
        for (Set<String> more : List.of(rewritten, unsettled, held.keySet())) {
            for (String path : more) {
                if (path.startsWith(prefix)) {
                    below.add(path.substring(prefix.length()));
                }
            }
        }
        return below;
    }

    /**
     * What had that name before these events has this one now.
     *
     * @param written what {@link #writtenBelow} said of the name that it had just before
     */
    void moved(String before, String path, List<String> written) {
        moves.put(path, before);
        rewritten.removeIf(other -> other.equals(path) || other.startsWith(path + '/'));
        written.forEach(below -> rewritten.add(path + '/' + below));
    }

    /** An event of what is no directory. */
    void file(InotifyEvent event, String path) {
        if (event.is(InotifyEvent.CREATE)) {
            fileCreated(path);
        } else if (event.is(InotifyEvent.ATTRIB)) {
            fileAttributes(path);
        } else if (event.is(InotifyEvent.MODIFY)) {
            fileModified(path);
        } else {
            fileChanged(event.cause(), path);
        }
    }

    void follow(String link, boolean follow) {
        if (follow) {
            followed.add(link);
        } else {
            followed.remove(link);
        }
    }

    /** What has become dirty, each with whether all below it is; a copy. */
    Map<String, Boolean> marks() {
        Map<String, Boolean> marks = new HashMap<>();
        dirty.forEach((path, extent) -> marks.put(path, extent == Extent.TREE));
        return marks;
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
     * @param isNew its files have to be named, unless it is marked deep
     */
    void announce(String path, boolean isNew) {
        announced = path;
        collectsFiles = isNew && !switches.contains(Switch.CREATE_FOLDER);
    }

    /** A directory that is watched from now on: what happened in it before is not known. */
    void directoryAppeared(String path) {
        boolean isCovered = dirty.get("") == Extent.TREE
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

    /** Decides about the unsettled and the held: dirty now, or held until nobody writes them, or they may be sent open. */
    void settle(long now) {
        for (String path : unsettled) {
            if (isBelowDeep(path)) {
                // Whoever goes through that directory finds it, and its close is a change of its own.
                rewrote(path);
                continue;
            }
            Look look = look(path);
            if (look.state == State.BEING_WRITTEN && held.size() < MOST_HELD) {
                // whatever was at this name before, what is there now is half a file
                dirty.remove(path);
                if (held.isEmpty()) {
                    nextCheck = now + LONGEST_PAUSE;
                }
                hold(path, held.computeIfAbsent(path, p -> new Held(look.stat, now)), now);
            } else if (look.state != State.GONE) {
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
            if (file.due - now > 0) {
                if (file.due - nextCheck < 0) {
                    nextCheck = file.due;
                }
                continue;
            }
            String path = entry.getKey();
            Look look = look(path);
            if (look.state != State.BEING_WRITTEN) {
                all.remove();
                if (look.state == State.COMPLETE) {
                    mark(path, false);
                }
                continue;
            }
            boolean matches = openFiles.matches(path);
            // Below a new directory others go by the close alone.
            if (file.isSent(look.stat, now, matches ? 0 : OpenFiles.IDLE) && (matches || !isBelowDeep(path))) {
                file.sent = file.seen;
                mark(path, false);
            }
            hold(path, file, now);
        }
    }

    /** When {@link #settle} has to look at a held file again, at the latest {@code latest}. */
    long nextCheck(long latest) {
        return held.isEmpty() || nextCheck - latest > 0 ? latest : nextCheck;
    }

    ChangeSet take() {
        ChangeSet changes = new ChangeSet();
        dirty.forEach((path, extent) -> {
            if (extent == Extent.ATTRIBUTES) {
                changes.addAttributes(path);
            } else {
                changes.add(path, extent == Extent.TREE);
            }
        });
        moves.forEach((path, before) -> changes.moved(before, path));
        rewritten.forEach(changes::rewrote);
        // a large burst must not leave a large table behind
        dirty = new HashMap<>();
        moves = new HashMap<>();
        rewritten = new HashSet<>();
        onlyWritten = true;
        return changes;
    }

    /** The root is another directory now. */
    void clear() {
        dirty.clear();
        moves.clear();
        rewritten.clear();
        unsettled.clear();
        held.clear();
        followed.clear();
    }

    private void hold(String path, Held file, long now) {
        file.due = now + (openFiles.matches(path) ? openFiles.interval() : file.pause);
        if (file.due - nextCheck < 0) {
            nextCheck = file.due;
        }
        file.pause = Math.min(2 * file.pause, LONGEST_PAUSE);
    }

    private Look look(String path) {
        String absolute = source.absolute(path);
        boolean behind = followed.contains(path);
        try {
            Stat stat = behind ? LibC.stat(absolute) : LibC.lstat(absolute);
            if (stat == null) {
                return new Look(State.GONE, null);
            }
            // links, pipes and devices are complete at once
            if (!stat.isRegular()) {
                return new Look(State.COMPLETE, stat);
            }
            boolean open = behind ? LibC.isOpenForWritingBehind(absolute) : LibC.isOpenForWriting(absolute);
            return new Look(open ? State.BEING_WRITTEN : State.COMPLETE, stat);
        } catch (PosixException e) {
            return new Look(State.COMPLETE, null);
        }
    }
}
