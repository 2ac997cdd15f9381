package io.dromedary.mirror;

import io.dromedary.change.ByteString;
import io.dromedary.posix.Entries;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Set;

/**
 * A few names of a source, or of a part of it, by which it, or a copy of it, is known again. The topmost come first, and of one directory those
 * that have been there longest, for they are likely to stay.
 *
 * @param entries how many there are at the top, {@value #LISTED} at most; those do not count that a file system or a desktop
 *     makes by itself
 * @param names byte strings, relative to the source, or to that part; none is excluded, none on a file system that is
 *     mounted below
 */
public record Sample(int entries, List<String> names) {
    /** As many are asked for in one call, and looked at before a first push. */
    public static final int MOST = 20;

    /** Entries of one directory that are looked at. */
    static final int LISTED = 200;

    /** What mkfs makes. */
    private static final Set<String> OF_THE_FILE_SYSTEM = Set.of("lost+found");

    private record Entry(String path, Stat stat) {
        long since() {
            return stat.born() != 0 ? stat.born() : stat.mtimeSeconds() * 1_000_000_000 + stat.mtimeNanos();
        }
    }

    /** What is in the source now. */
    public static Sample of(Mirror mirror) {
        return of(mirror, "");
    }

    /**
     * What is in a part of the source now.
     *
     * @param part a directory, relative to the source; empty: the source
     */
    public static Sample of(Mirror mirror, String part) {
        String root = root(mirror, part);
        List<String> names = new ArrayList<>();
        int[] entries = {0};
        Stat top = stat(root);
        Deque<String> directories = new ArrayDeque<>();
        if (top != null && top.isDirectory()) {
            directories.add("");
        }
        while (!directories.isEmpty() && names.size() < MOST) {
            String directory = directories.removeFirst();
            List<Entry> here = entries(mirror, part, directory, top.dev());
            if (directory.isEmpty()) {
                entries[0] = (int) here.stream()
                        .filter(entry -> !entry.path().startsWith("."))
                        .count();
            }
            here.stream()
                    .sorted(Comparator.comparingLong(Entry::since))
                    .limit(MOST - names.size())
                    .forEach(entry -> {
                        names.add(entry.path());
                        if (entry.stat().isDirectory()) {
                            directories.add(entry.path());
                        }
                    });
        }
        return new Sample(entries[0], List.copyOf(names));
    }

    private static String root(Mirror mirror, String part) {
        return ByteString.of(mirror.source().toString()) + "/" + (part.isEmpty() ? "" : part + "/") + ".";
    }

    private static List<Entry> entries(Mirror mirror, String part, String directory, long device) {
        String root = root(mirror, part);
        String above = part.isEmpty() ? "" : part + "/";
        List<Entry> entries = new ArrayList<>();
        try {
            Entries.list(directory.isEmpty() ? root : root + "/" + directory, LISTED, (name, isDirectory) -> {
                String path = directory.isEmpty() ? name : directory + "/" + name;
                if (OF_THE_FILE_SYSTEM.contains(path)
                        || Mark.is(name)
                        || mirror.excludes().matches(above + path, isDirectory)) {
                    return;
                }
                Stat stat = stat(root + "/" + path);
                if (stat != null && stat.dev() == device) {
                    entries.add(new Entry(path, stat));
                }
            });
        } catch (PosixException e) {
            // It cannot be read: others tell.
        }
        return entries;
    }

    /** Null also if it cannot be looked at. */
    private static Stat stat(String path) {
        try {
            return Entries.lstat(path);
        } catch (PosixException e) {
            return null;
        }
    }

    /** Which of these names are in the source now. */
    public static List<String> present(Mirror mirror, List<String> names) {
        return present(mirror, "", names);
    }

    /** Which of these names are in that part of the source now. */
    public static List<String> present(Mirror mirror, String part, List<String> names) {
        String root = root(mirror, part) + "/";
        return names.stream().filter(name -> exists(root + name)).toList();
    }

    private static boolean exists(String path) {
        try {
            return Entries.lstat(path) != null;
        } catch (PosixException e) {
            // There is something, or there would be no word on it.
            return true;
        }
    }
}
