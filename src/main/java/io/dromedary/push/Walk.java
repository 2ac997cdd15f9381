package io.dromedary.push;

import io.dromedary.change.Excludes;
import io.dromedary.posix.Entries;
import io.dromedary.posix.LibC;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;

/**
 * Goes through whole directories, a part at a time, and leaves out the files that somebody is writing: their close is a
 * change of its own. Each file is looked at when its turn comes, so just before it is pushed. It keeps no more than the
 * names beside the way down to where it is. Not safe for use by several threads at once.
 */
final class Walk {
    private final String root;
    private final Excludes excludes;
    private final long largest;
    /** What comes next, last first; a directory's path with a slash at its end. */
    private final Deque<String> waiting = new ArrayDeque<>();

    private long seen;
    private List<String> directories = new ArrayList<>();
    private List<String> large = new ArrayList<>();

    /**
     * @param root absolute, a byte string; the tops are relative to it, and none is excluded
     * @param largest files of more bytes are kept apart, so that no others wait for them
     */
    Walk(String root, Excludes excludes, Collection<String> tops, long largest) {
        this.root = root;
        this.excludes = excludes;
        this.largest = largest;
        tops.forEach(top -> waiting.addLast(top + "/"));
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
                paths.add(directory);
                left--;
                list(directory);
                continue;
            }
            String absolute = root + "/" + next;
            Stat stat = stat(absolute);
            if (stat != null && stat.size() > largest) {
                large.add(next);
            } else if (!isBeingWritten(stat, absolute)) {
                paths.add(next);
                left--;
            }
        }
    }

    /** How many larger files were met and not taken yet. */
    int large() {
        return large.size();
    }

    /** Those of them that nobody is writing by now. */
    List<String> takeLarge() {
        List<String> met = large;
        large = new ArrayList<>();
        met.removeIf(path -> isBeingWritten(root + "/" + path));
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

    private void list(String directory) {
        boolean is;
        try {
            is = Entries.list(root + "/" + directory, (name, isDirectory) -> {
                String path = directory + "/" + name;
                if (!excludes.matches(path, isDirectory)) {
                    waiting.addLast(isDirectory ? path + "/" : path);
                }
            });
        } catch (PosixException e) {
            // rsync says why it cannot be read, when it comes to what is to be deleted in it.
            is = true;
        }
        if (is) {
            directories.add(directory + "/");
        }
    }

    private static Stat stat(String absolutePath) {
        try {
            return Entries.lstat(absolutePath);
        } catch (PosixException e) {
            return null;
        }
    }

    /** Whether somebody is writing what is at this path. */
    static boolean isBeingWritten(String absolutePath) {
        return isBeingWritten(stat(absolutePath), absolutePath);
    }

    /**
     * Of a file with more names than one that is not asked: it may be closed by a name that nobody watches, and would
     * wait for ever.
     */
    private static boolean isBeingWritten(Stat stat, String absolutePath) {
        return stat != null && stat.isRegular() && stat.nlink() == 1 && LibC.isOpenForWriting(absolutePath);
    }
}
