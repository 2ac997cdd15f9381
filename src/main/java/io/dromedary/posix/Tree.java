package io.dromedary.posix;

import io.dromedary.change.ByteString;
import io.dromedary.posix.MountInfo.Mount;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A directory of this machine and what is mounted below it, known by where it lies in its file systems: so links, {@code
 * ..} and bind mounts lead to the same.
 */
public final class Tree {
    private final List<Part> parts = new ArrayList<>();

    /**
     * What one file system has in this tree.
     *
     * @param at the path below the tree's root; empty for the root itself
     * @param device the file system
     * @param path the directory in that file system, absolute
     */
    private record Part(String at, String device, String path) {
        boolean contains(Part other) {
            return device.equals(other.device) && MountInfo.isAtOrBelow(other.path, path);
        }

        /** Where in the tree of this part the other one lies. */
        String at(Part other) {
            String below = other.path.substring(
                    path.equals("/") || path.equals(other.path) ? path.length() : path.length() + 1);
            return at.isEmpty() || below.isEmpty() ? at + below : at + "/" + below;
        }
    }

    public Tree(Path directory, MountInfo mounts) {
        String real = ByteString.of(real(directory).toString());
        Mount mount = mounts.of(real);
        // Where the system does not tell of its mounts, the path alone has to do.
        parts.add(mount == null ? new Part("", "", real) : new Part("", mount.device(), inside(mount, real)));
        for (Mount below : mounts.below(real)) {
            String at = below.point().substring(real.equals("/") ? 1 : real.length() + 1);
            parts.add(new Part(at, below.device(), below.root()));
        }
    }

    private static String inside(Mount mount, String path) {
        String below =
                path.substring(mount.point().equals("/") ? 0 : mount.point().length());
        return below.isEmpty() || below.equals("/")
                ? mount.root()
                : mount.root().equals("/") ? below : mount.root() + below;
    }

    /** The path without links, as far as there is anything at it. */
    public static Path real(Path path) {
        Path absolute = path.toAbsolutePath().normalize();
        for (Path at = absolute; at != null; at = at.getParent()) {
            try {
                return at.toRealPath().resolve(at.relativize(absolute)).normalize();
            } catch (IOException e) {
                // not there, so no link either
            }
        }
        return absolute;
    }

    /**
     * A directory that two trees have in common.
     *
     * @param here its path in the one that contains more of it, empty for that one's root
     * @param there its path in the other
     */
    public record Overlap(String here, String there) {}

    /** What of that tree lies in this one. */
    public List<Overlap> overlaps(Tree other) {
        List<Overlap> overlaps = new ArrayList<>();
        for (Part part : parts) {
            for (Part its : other.parts) {
                if (part.contains(its)) {
                    overlaps.add(new Overlap(part.at(its), its.at));
                }
            }
        }
        return overlaps;
    }
}
