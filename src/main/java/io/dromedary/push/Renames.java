package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Target;
import io.dromedary.posix.Entries;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Which renames of a batch are worth calls of their own, in which the remote takes the files from the old name: {@code
 * --link-dest}, and {@code --fuzzy} for a file under another name. The old name is deleted after that. At a target on this
 * machine, what can be is renamed before all calls.
 *
 * <p>A rename is a hint only. What is sent is decided by what is there: a hint that is wrong costs a call in which all
 * is sent.
 *
 * <p>Until the old name is deleted, files there and under the new name are the same at the remote, and rsync would change
 * the mode of both at once. So the old name is deleted whatever the source has there by then, and what is there comes with
 * the next batch. If it does not come to that, the batch knows ({@link FailQueue#link}).
 */
final class Renames {
    /** What is smaller is sent sooner than linked. */
    private static final long WORTH_BYTES = 1 << 20;

    /** The same in entries of a directory; and no more are looked at. */
    private static final int WORTH_ENTRIES = 1_000;

    /** Calls of one batch for this; what is beyond that is sent. */
    private static final int MOST = 16;

    /** Paths of one directory that are linked; more lists than that are not kept waiting. */
    static final int MOST_PATHS = 50_000;

    /** Nothing that a remote shell, a daemon or rsync takes for anything but a name. */
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9._/+=@,%\\x80-\\xff -]*");

    private Renames() {}

    /**
     * One rename.
     *
     * @param to the new name
     * @param gone what has to be deleted for the old name to be: itself or a directory above it
     * @param directory the directory that is linked as a whole; of a file, the one it has moved to, or the root if it was
     *     there before
     * @param before the directory that these are taken from at the remote
     * @param file the file below that directory; empty for a directory
     */
    record Rename(String to, String gone, String directory, String before, String file) {
        boolean isFile() {
            return !file.isEmpty();
        }

        /** Whether files at the remote may be shared; a file that stays in its directory is copied there. */
        boolean links() {
            return !directory.equals(before);
        }

        /**
         * The directory these are taken from, as rsync's argument: by its path there if that is known, else by the way from
         * the new one. By the latter, daemons without chroot of Debian 12 and 13, with the security updates of 2026, link
         * nothing, and a file under another name fails.
         *
         * @param target the target's absolute path there, or null
         */
        String from(String target) {
            if (target != null) {
                return target + "/" + argument(before);
            }
            String[] at = directory.isEmpty() ? new String[0] : directory.split("/");
            return argument("../".repeat(at.length) + before);
        }
    }

    /**
     * Those worth it, the deepest first, so that one within another is there when that is compared.
     *
     * @param moves new name to old
     * @param gone the topmost names that are gone from the source
     */
    static List<Rename> worth(String root, Map<String, String> moves, List<String> gone) {
        Set<String> deleted = new HashSet<>(gone);
        List<Rename> renames = new ArrayList<>();
        List<String> names = moves.keySet().stream()
                .sorted(Comparator.comparingInt(String::length).reversed())
                .toList();
        for (String to : names) {
            String from = moves.get(to);
            String top = top(from, deleted);
            if (top == null || renames.size() == MOST) {
                continue;
            }
            Stat stat = stat(root, to);
            Rename rename = null;
            if (stat != null && stat.isDirectory() && isLarge(root + "/" + to)) {
                rename = new Rename(to, top, to, from, "");
            } else if (stat != null && stat.isRegular() && stat.size() >= WORTH_BYTES) {
                String directory = RsyncCalls.parent(to);
                String before = RsyncCalls.parent(from);
                rename = directory.equals(before)
                        ? new Rename(to, top, "", "", to)
                        : new Rename(to, top, directory, before, to.substring(to.lastIndexOf('/') + 1));
            }
            if (rename != null && isPlain(rename.directory) && isPlain(rename.before)) {
                renames.add(rename);
            }
        }
        return renames;
    }

    /**
     * Those left to be linked, at a target on this machine: there a rename is one, of what is there as it is, and what that
     * differs in is pushed after it. Not over anything, nor through a link.
     *
     * @param trees whether directories too
     */
    static List<Rename> rename(Path target, boolean trees, Map<String, String> moves, List<Rename> renames) {
        List<Rename> left = new ArrayList<>(renames);
        // What was taken out of a directory, before that is taken elsewhere.
        renames.stream()
                .filter(rename -> trees || rename.isFile())
                .sorted(Comparator.comparingInt(
                        rename -> -moves.get(rename.to()).length()))
                .filter(rename -> rename(target, moves.get(rename.to()), rename))
                .forEach(left::remove);
        return left;
    }

    private static boolean rename(Path target, String from, Rename rename) {
        String root = ByteString.of(target.toString());
        Stat before = stat(root, from);
        Stat above = stat(root, RsyncCalls.parent(rename.to()));
        if (before == null
                || !(rename.isFile() ? before.isRegular() : before.isDirectory())
                || above == null
                || !above.isDirectory()
                || stat(root, rename.to()) != null
                || !isPlain(from)
                || !isPlain(rename.to())) {
            return false;
        }
        try {
            Files.move(
                    target.resolve(argument(from)),
                    target.resolve(argument(rename.to())),
                    StandardCopyOption.ATOMIC_MOVE);
            return true;
        } catch (IOException e) {
            // Another file system, or not allowed: rsync says what, if it is not either.
            return false;
        }
    }

    private static String top(String path, Set<String> deleted) {
        for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
            if (deleted.contains(path.substring(0, slash))) {
                return path.substring(0, slash);
            }
        }
        return deleted.contains(path) ? path : null;
    }

    /** Null also if the way there leads through a symlink, or where it may not be looked at. */
    private static Stat stat(String root, String path) {
        try {
            for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
                Stat above = Entries.lstat(root + "/" + path.substring(0, slash));
                if (above == null || !above.isDirectory()) {
                    return null;
                }
            }
            return Entries.lstat(root + "/" + path);
        } catch (PosixException e) {
            return null;
        }
    }

    private static boolean isLarge(String directory) {
        Deque<String> directories = new ArrayDeque<>(List.of(directory));
        long[] found = new long[2];
        try {
            while (!directories.isEmpty() && found[0] < WORTH_BYTES && found[1] < WORTH_ENTRIES) {
                String path = directories.removeLast();
                Entries.list(path, (name, isDirectory) -> {
                    String below = path + "/" + name;
                    if (isDirectory) {
                        directories.add(below);
                    } else if (found[0] < WORTH_BYTES && found[1] < WORTH_ENTRIES) {
                        Stat stat = Entries.lstat(below);
                        found[0] += stat == null ? 0 : stat.size();
                    }
                    found[1]++;
                });
            }
        } catch (PosixException e) {
            return false;
        }
        return found[0] >= WORTH_BYTES || found[1] >= WORTH_ENTRIES;
    }

    /** Names of directories go to rsync as arguments here, which Java encodes. */
    static boolean isPlain(String path) {
        String text = new String(ByteString.bytes(path), StandardCharsets.UTF_8);
        boolean ascii = text.length() == path.length() && text.chars().allMatch(c -> c < 0x80);
        boolean utf8 = "UTF-8".equals(System.getProperty("sun.jnu.encoding"))
                && Charset.defaultCharset().equals(StandardCharsets.UTF_8)
                && ByteString.of(text).equals(path);
        return PLAIN.matcher(path).matches() && (ascii || utf8);
    }

    /** As Java passes it to rsync. */
    static String argument(String path) {
        return new String(ByteString.bytes(path), StandardCharsets.UTF_8);
    }

    /** Names reach the other side by rsync's protocol, not by the remote shell. */
    static List<String> protectedFromShell(Remote remote) {
        return remote.target().kind() == Target.Kind.SSH ? List.of("--protect-args") : List.of();
    }
}
