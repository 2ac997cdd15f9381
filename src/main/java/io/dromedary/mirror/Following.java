package io.dromedary.mirror;

import io.dromedary.posix.Entries;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Which symlinks rsync follows, by its options {@code --copy-links}, {@code --copy-dirlinks} and {@code
 * --copy-unsafe-links}: it sends what they lead to in their place. Paths are byte strings below a mirror's root.
 *
 * @param all every link
 * @param directories links that lead to directories
 * @param unsafe links that lead out of the tree
 * @param ends directories, absolute, that are taken for a cycle behind a link: what a push itself writes
 */
public record Following(boolean all, boolean directories, boolean unsafe, Set<String> ends) {
    /** rsync's own default: a link is sent as a link. */
    public static final Following NONE = new Following(false, false, false, Set.of());

    /** What a path is for rsync. */
    public enum What {
        /** Nothing. */
        GONE,
        /** Sent as it is: a file, or what a followed link to one leads to; a link that is not followed. */
        ENTRY,
        /** A directory, or a followed link to one. */
        DIRECTORY,
        /** A link that would be followed, but leads to nothing. rsync complains of it, and then deletes nothing at all. */
        NOWHERE,
        /** The same, or something else than before, for a file system is not mounted: {@link Behind}. */
        MISSING,
        /** A directory that this very path has passed before, or that a push itself writes to. rsync goes round in it. */
        CYCLE
    }

    /**
     * What was found at a path.
     *
     * @param stat of what is sent; of the link itself where it leads nowhere; null if nothing is there
     * @param followed whether the path's last name is a followed link
     */
    public record Seen(What what, Stat stat, boolean followed) {}

    static Following of(RsyncArgs args) {
        return new Following(
                args.has("copy-links"), args.has("copy-dirlinks"), args.has("copy-unsafe-links"), Set.of());
    }

    Following endingAt(Set<String> directories) {
        return any() ? new Following(all, this.directories, unsafe, directories) : this;
    }

    /** What one or the other follows. */
    Following or(Following other) {
        Set<String> both = new TreeSet<>(ends);
        both.addAll(other.ends);
        return new Following(
                all || other.all, directories || other.directories, unsafe || other.unsafe, Set.copyOf(both));
    }

    /** Whether any link may be followed. */
    public boolean any() {
        return all || directories || unsafe;
    }

    /** What rsync takes a path below this root for; a {@link PosixException} if it may not be looked at. */
    public Seen look(String root, String path) {
        String absolute = root + "/" + path;
        Stat stat = Entries.lstat(absolute);
        if (stat == null) {
            return new Seen(What.GONE, null, false);
        }
        if (stat.isSymlink() && any()) {
            String text = Entries.readlink(absolute);
            return text == null ? new Seen(What.GONE, null, false) : behind(root, path, text, stat);
        }
        boolean round = any() && stat.isDirectory() && isCycle(root, path, stat);
        return new Seen(round ? What.CYCLE : stat.isDirectory() ? What.DIRECTORY : What.ENTRY, stat, false);
    }

    private Seen behind(String root, String path, String text, Stat link) {
        Stat target = Entries.stat(root + "/" + path);
        boolean directory = target != null && target.isDirectory();
        if (!all && !(directories && directory) && !(unsafe && isUnsafe(path, text))) {
            return new Seen(What.ENTRY, link, false);
        }
        if (target == null) {
            return new Seen(What.NOWHERE, link, true);
        }
        if (directory && isCycle(root, path, target)) {
            return new Seen(What.CYCLE, target, true);
        }
        return new Seen(directory ? What.DIRECTORY : What.ENTRY, target, true);
    }

    /** Whether one of the directories above on this path, the root included, is the same; or one at which it ends. */
    private boolean isCycle(String root, String path, Stat stat) {
        for (int slash = path.lastIndexOf('/'); slash >= 0; slash = path.lastIndexOf('/', slash - 1)) {
            Stat above = Entries.stat(root + "/" + path.substring(0, slash));
            if (above != null && stat.isSameFile(above)) {
                return true;
            }
        }
        return Stream.concat(Stream.of(root), ends.stream())
                .map(end -> Entries.stat(end + "/."))
                .anyMatch(end -> end != null && stat.isSameFile(end));
    }

    /**
     * rsync's {@code unsafe_symlink} as it is since 3.4 and the security updates of 2025: absolute, or higher up than it lies
     * deep in the tree, or with a {@code ..} behind a name.
     */
    static boolean isUnsafe(String path, String text) {
        if (text.isEmpty() || text.startsWith("/")) {
            return true;
        }
        String rest = text;
        while (rest.startsWith("../")) {
            rest = rest.substring(3).replaceFirst("^/+", "");
        }
        if (rest.contains("/../") || text.length() > 3 && text.endsWith("/..")) {
            return true;
        }
        long depth = path.chars().filter(c -> c == '/').count();
        String[] names = text.split("/+", -1);
        for (int i = 0; i < names.length; i++) {
            if (names[i].equals("..")) {
                depth--;
            } else if (!names[i].equals(".") && i < names.length - 1) {
                depth++;
            }
            if (depth < 0) {
                return true;
            }
        }
        return false;
    }
}
