package io.dromedary.posix;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where file systems are mounted, as {@code /proc/self/mountinfo} tells it at one moment (proc(5)). Empty where there is
 * no such file. Paths are byte strings.
 */
public final class MountInfo {
    private static final Path FILE = Path.of("/proc/self/mountinfo");
    private static final Pattern OCTAL = Pattern.compile("\\\\([0-7]{3})");

    private final List<Mount> mounts;

    /**
     * One mount.
     *
     * @param id its number
     * @param parent the number of the mount that its point lies in
     * @param device the file system, as major:minor
     * @param root which directory of that file system is mounted; a bind mount's may be any
     * @param point where
     * @param type of the file system
     */
    public record Mount(int id, int parent, String device, String root, String point, String type) {}

    private MountInfo(List<Mount> mounts) {
        this.mounts = mounts;
    }

    /** The mounts there are now. */
    public static MountInfo now() {
        try {
            return parse(Files.readString(FILE, StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            return new MountInfo(List.of());
        }
    }

    /** Reads the text of such a file; lines that are none are left out. */
    public static MountInfo parse(String text) {
        List<Mount> mounts = new ArrayList<>();
        for (String line : text.split("\n")) {
            String[] fields = line.split(" ");
            if (fields.length > 5 && fields[0].matches("\\d{1,9}") && fields[1].matches("\\d{1,9}")) {
                mounts.add(new Mount(
                        Integer.parseInt(fields[0]),
                        Integer.parseInt(fields[1]),
                        fields[2],
                        unescape(fields[3]),
                        unescape(fields[4]),
                        type(fields)));
            }
        }
        return new MountInfo(List.copyOf(mounts));
    }

    /** Behind the dash that ends the fields of which there may be any number. */
    private static String type(String[] fields) {
        int dash = Arrays.asList(fields).indexOf("-");
        return dash >= 0 && dash + 1 < fields.length ? fields[dash + 1] : "";
    }

    private static String unescape(String field) {
        return OCTAL.matcher(field)
                .replaceAll(octal ->
                        Matcher.quoteReplacement(Character.toString((char) Integer.parseInt(octal.group(1), 8))));
    }

    /** The mount that an absolute path without links leads to; null if that is not known. */
    public Mount of(String path) {
        Mount at = null;
        for (Mount next = root(); next != null; next = child(next, path)) {
            at = next;
        }
        return at;
    }

    /** The one that this is mounted on; null if it is not to be seen. */
    Mount parent(Mount mount) {
        return mounts.stream()
                .filter(other -> other.id == mount.parent)
                .findFirst()
                .orElse(null);
    }

    private Mount root() {
        return mounts.stream()
                .filter(mount -> mount.point.equals("/") && mounts.stream().noneMatch(m -> m.id == mount.parent))
                .findFirst()
                .orElse(null);
    }

    /** The first mount that the way to the path meets on that one; others further down are hidden by it. */
    private Mount child(Mount above, String path) {
        Mount first = null;
        for (Mount mount : mounts) {
            if (mount.parent == above.id
                    && mount.id != above.id
                    && isAtOrBelow(path, mount.point)
                    && (first == null || mount.point.length() <= first.point.length())) {
                first = mount;
            }
        }
        return first;
    }

    /** The mounts that are to be seen below a directory, the one it lies in not among them. */
    public List<Mount> below(String directory) {
        return mounts.stream()
                .filter(mount -> !mount.point.equals(directory) && isAtOrBelow(mount.point, directory))
                .filter(mount -> of(mount.point) == mount)
                .toList();
    }

    /** Whether one path is the other or lies below it. */
    public static boolean isAtOrBelow(String path, String directory) {
        return directory.equals("/")
                || path.startsWith(directory)
                        && (path.length() == directory.length() || path.charAt(directory.length()) == '/');
    }
}
