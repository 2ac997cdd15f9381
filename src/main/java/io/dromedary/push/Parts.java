package io.dromedary.push;

import java.util.List;
import java.util.Set;

/**
 * What one remote has to heed of the file systems mounted below its source, at one moment: the parts that are left out of
 * its mirror, and those that are in it as long as they stay mounted. Paths are byte strings. Immutable.
 *
 * @param leftOut neither sent nor deleted, with all that is below
 * @param mounted pushed like all else
 * @param rules options for rsync that leave out what is left out; empty if nothing is
 * @param protection options for rsync that delete nothing where something is mounted; empty if nothing is
 */
record Parts(Set<String> leftOut, List<String> mounted, List<String> rules, List<String> protection) {
    static final Parts NONE = new Parts(Set.of(), List.of(), List.of(), List.of());

    /** Whether just this path is such a part; what lies below one is none. */
    boolean leavesOut(String path) {
        return !leftOut.isEmpty() && leftOut.contains(path);
    }

    /** Whether this path is such a part, or lies above or below one. */
    boolean touchesLeftOut(String path) {
        return leftOut.stream().anyMatch(part -> isAtOrBelow(path, part) || isAtOrBelow(part, path));
    }

    /** Whether something is mounted at this path, or above it but below the source. */
    boolean isInMount(String path) {
        return mounted.stream().anyMatch(mount -> isAtOrBelow(path, mount));
    }

    static boolean isAtOrBelow(String path, String other) {
        return path.equals(other) || path.startsWith(other + "/");
    }
}
