package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.Excludes;
import io.dromedary.change.OpenFiles;
import io.dromedary.mirror.Following;
import io.dromedary.mirror.Following.Seen;
import io.dromedary.mirror.Following.What;
import io.dromedary.mirror.Mirror;
import io.dromedary.posix.Entries;
import io.dromedary.posix.LibC;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * Goes through whole directories, a part at a time, and leaves out the files that somebody is writing: their close is a
 * change of its own. Each file is looked at when its turn comes, so just before it is pushed. It keeps no more than the
 * names beside the way down to where it is. Not safe for use by several threads at once.
 */
final class Walk {
    private static final Seen DIRECTORY = new Seen(What.DIRECTORY, null, false);

    private final String root;
    private final Excludes excludes;
    private final Mirror mirror;
    private final Following following;
    private final Parts parts;
    private final Set<String> refused;
    private final long largest;
    /** What comes next, last first; a directory's path with a slash at its end. */
    private final Deque<String> waiting = new ArrayDeque<>();

    private boolean keepsOpen;
    private long seen;
    private List<String> directories = new ArrayList<>();
    private List<String> unread = new ArrayList<>();
    private List<String> large = new ArrayList<>();
    private LeftOut leftOut;

    /**
     * @param excludes what is left out for the remote
     * @param following the links that lead on
     * @param refused paths that are passed over with all below them
     * @param tops relative to the mirror's root; none is excluded
     * @param largest files of more bytes are kept apart, so that no others wait for them
     */
    Walk(
            Mirror mirror,
            Excludes excludes,
            Following following,
            Parts parts,
            Set<String> refused,
            Collection<String> tops,
            long largest) {
        this.root = ByteString.of(mirror.source().toString());
        this.excludes = excludes;
        this.mirror = mirror;
        this.following = following;
        this.parts = parts;
        this.refused = refused;
        this.largest = largest;
        this.leftOut = new LeftOut(mirror);
        tops.forEach(top -> waiting.addLast(top + "/"));
    }

    /** Does not leave out large files that somebody is writing. */
    void keepOpen() {
        keepsOpen = true;
    }

    boolean isDone() {
        return waiting.isEmpty();
    }

    /** How many entries it has been at. */
    long seen() {
        return seen;
    }

    /** Goes on until that many paths more are in the list. */
    void go(int most, Collection<String> paths) {
        for (int left = most; left > 0 && !waiting.isEmpty(); ) {
            String next = waiting.removeLast();
            seen++;
            if (next.endsWith("/")) {
                String directory = next.substring(0, next.length() - 1);
                Seen seen = following.any() ? look(directory) : DIRECTORY;
                if (leftOut.add(directory, seen)) {
                    continue;
                }
                paths.add(directory);
                left--;
                list(directory, seen.followed());
                continue;
            }
            Seen seen = look(next);
            if (seen.what() == What.DIRECTORY && seen.followed()) {
                if (!excludes.matches(next, true)) {
                    waiting.addLast(next + "/");
                }
            } else if (leftOut.add(next, seen)) {
                continue;
            } else if (seen.stat() != null && seen.stat().size() > largest) {
                large.add(next);
            } else if (keepsOpen || !waitsForClose(mirror, next, seen)) {
                paths.add(next);
                left--;
            }
        }
    }

    /** What was met that must not be sent, since the last time. */
    LeftOut takeLeftOut() {
        LeftOut met = leftOut;
        leftOut = new LeftOut(mirror);
        return met;
    }

    boolean hasLeftOut() {
        return !leftOut.deleted().isEmpty();
    }

    /** How many larger files were met and not taken yet. */
    int large() {
        return large.size();
    }

    /** Those of them that nobody is writing by now. */
    List<String> takeLarge() {
        List<String> met = large;
        large = new ArrayList<>();
        met.removeIf(path -> !keepsOpen && waitsForClose(mirror, path, look(path)));
        return met;
    }

    /** How many directories were met and not taken yet. */
    int directories() {
        return directories.size();
    }

    /** Those directories, each with a slash at its end. */
    List<String> takeDirectories() {
        List<String> met = directories;
        directories = new ArrayList<>();
        return met;
    }

    /** Those directories, each with a slash at its end, that were met since the last time and cannot be read. */
    List<String> takeUnread() {
        List<String> met = unread;
        unread = new ArrayList<>();
        return met;
    }

    boolean hasUnread() {
        return !unread.isEmpty();
    }

    private void list(String directory, boolean followed) {
        boolean is = false;
        String above = directory.isEmpty() ? "" : directory + "/";
        try {
            is = Entries.list(root + "/" + directory + (followed ? "/." : ""), (name, isDirectory) -> {
                String path = above + name;
                if (!excludes.matches(path, isDirectory) && !parts.leavesOut(path) && !refused.contains(path)) {
                    waiting.addLast(isDirectory ? path + "/" : path);
                }
            });
        } catch (PosixException e) {
            unread.add(directory + "/");
        }
        if (is) {
            directories.add(directory + "/");
        }
    }

    private Seen look(String path) {
        return look(mirror, path, following);
    }

    private static Seen look(Mirror mirror, String path, Following following) {
        try {
            return mirror.behind().look(following, path, true);
        } catch (PosixException e) {
            return new Seen(What.ENTRY, null, false);
        }
    }

    /** Whether somebody is writing what is at this path, so that it is not sent. */
    static boolean waitsForClose(Mirror mirror, String path, Following following) {
        return waitsForClose(mirror, path, look(mirror, path, following));
    }

    private static boolean waitsForClose(Mirror mirror, String path, Seen seen) {
        return isBeingWritten(ByteString.of(mirror.source().toString()), path, seen)
                && !mirror.openFiles().matches(path)
                && !isIdle(seen.stat());
    }

    /** By the file's own time, which is all there is to go by here; the watch knows better. */
    private static boolean isIdle(Stat stat) {
        return System.currentTimeMillis() / 1000 - stat.mtimeSeconds() > TimeUnit.NANOSECONDS.toSeconds(OpenFiles.IDLE);
    }

    /**
     * Of a file with more names than one that is not asked: it may be closed by a name that nobody watches, and would
     * wait for ever.
     */
    private static boolean isBeingWritten(String root, String path, Seen seen) {
        Stat stat = seen.stat();
        if (stat == null || !stat.isRegular() || stat.nlink() != 1) {
            return false;
        }
        String absolute = root + "/" + path;
        return seen.followed() ? LibC.isOpenForWritingBehind(absolute) : LibC.isOpenForWriting(absolute);
    }
}
