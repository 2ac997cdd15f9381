package io.dromedary.setup;

import io.dromedary.change.Excludes;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Target;
import io.dromedary.posix.MountInfo;
import io.dromedary.posix.Tree;
import io.dromedary.posix.Tree.Overlap;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/**
 * All mirrors of one process together, and whether they can work side by side: none may feed on itself, also by way of
 * others, and no two may delete each other's files. Chains are fine: the target of one may be the source of the next. So
 * is whatever is excluded for the copy that would read it.
 */
public final class SetUp {
    /**
     * One mirror.
     *
     * @param id its name, of its route
     * @param source the directory that is mirrored
     * @param copies where to
     */
    public record Mirrored(String id, Path source, List<Copy> copies) {}

    /**
     * One remote of a mirror.
     *
     * @param remote its name
     * @param target where the copy lies
     * @param port the daemon's, where the target names none; 0: rsync's own default
     * @param ssh the ssh command
     * @param excludes what its mirror and this copy leave out
     * @param delete whether deletions are mirrored
     * @param here the directory of this machine that the target is; null: of another machine, or not known
     */
    public record Copy(
            String remote, Target target, int port, String ssh, Excludes excludes, boolean delete, Path here) {
        /** One that nobody has been asked about: an ssh server that is named as this machine is taken for it. */
        public static Copy asNamed(String remote, String target, String port, Excludes excludes) {
            Target parsed = Target.parse(target);
            Path here = parsed.kind() == Target.Kind.LOCAL
                    ? Path.of(parsed.text())
                    : parsed.kind() == Target.Kind.SSH && OwnHost.mayBeThis(parsed.host())
                            ? OwnHost.named(parsed)
                            : null;
            return new Copy(remote, parsed, port.isEmpty() ? 0 : Integer.parseInt(port), "", excludes, true, here);
        }

        String text() {
            String local = here == null || target.kind() == Target.Kind.LOCAL ? "" : " (" + here + " of this machine)";
            return target + local;
        }
    }

    private record Placed(Mirrored mirror, Copy copy, Tree tree, Address address) {}

    private final List<Mirrored> mirrors;
    private final MountInfo mounts;
    private final Map<String, Tree> sources = new HashMap<>();
    private final List<Placed> copies = new ArrayList<>();

    public SetUp(List<Mirrored> mirrors, MountInfo mounts) {
        this.mirrors = mirrors;
        this.mounts = mounts;
        for (Mirrored mirror : mirrors) {
            sources.put(mirror.id(), new Tree(mirror.source(), mounts));
            for (Copy copy : mirror.copies()) {
                Tree tree = copy.here() == null ? null : new Tree(copy.here(), mounts);
                copies.add(new Placed(mirror, copy, tree, tree == null ? Address.of(copy) : null));
            }
        }
    }

    /** What the Kamelets have told; {@code here} finds the directory of this machine that a remote's target is. */
    static SetUp of(Mirrors mirrors, Function<Remote, Path> here) {
        List<Mirrored> all = mirrors.mirrors().stream()
                .map(mirror -> new Mirrored(
                        mirror.id(),
                        mirror.source(),
                        mirrors.remotesOf(mirror.id()).stream()
                                .map(remote -> new Copy(
                                        remote.id(),
                                        remote.target(),
                                        remote.port(),
                                        remote.ssh(),
                                        remote.excludes(),
                                        remote.delete(),
                                        here.apply(remote)))
                                .toList()))
                .toList();
        return new SetUp(all, MountInfo.now());
    }

    /** What is wrong, in one line that names both paths; null: nothing that is known. */
    public String problem() {
        for (Placed placed : copies) {
            String problem = ownSource(placed);
            if (problem != null) {
                return problem;
            }
        }
        for (int i = 0; i < copies.size(); i++) {
            for (Placed other : copies.subList(i + 1, copies.size())) {
                String problem = together(copies.get(i), other);
                if (problem != null) {
                    return problem;
                }
            }
        }
        return circle();
    }

    private String ownSource(Placed placed) {
        String feeds = feeds(placed, placed);
        if (feeds == null) {
            return null;
        }
        String text = "remote " + placed.copy.remote() + ": target " + placed.copy.text() + " " + feeds + " source "
                + placed.mirror.source();
        return text
                + switch (feeds) {
                    case CONTAINS -> ": the first full sync would delete the source; name another directory";
                    case LIES_IN ->
                        ": it would be mirrored into itself for ever; name another directory, or exclude that one ("
                                + "dromedary.exclude)";
                    default -> "; name another directory";
                };
    }

    private static final String IS = "is the";
    private static final String CONTAINS = "contains the";
    private static final String LIES_IN = "lies in the";

    /** How the copy is a part of what is read for the other one; null if it is none. */
    private String feeds(Placed placed, Placed other) {
        if (placed.tree == null) {
            return null;
        }
        Tree source = sources.get(other.mirror.id());
        Excludes excludes = other.copy.excludes();
        for (Overlap overlap : source.overlaps(placed.tree)) {
            if (!isExcluded(excludes, overlap.here()) && !isExcluded(excludes, overlap.there())) {
                return overlap.here().isEmpty() && overlap.there().isEmpty() ? IS : LIES_IN;
            }
        }
        for (Overlap overlap : placed.tree.overlaps(source)) {
            if (!isExcluded(excludes, overlap.there())) {
                return CONTAINS;
            }
        }
        return null;
    }

    private static boolean isExcluded(Excludes excludes, String path) {
        return !path.isEmpty() && excludes.covers(path, true);
    }

    /** Two copies in one place delete each other's files, unless neither ever deletes any. */
    private static String together(Placed one, Placed other) {
        if (!one.copy.delete() && !other.copy.delete()) {
            return null;
        }
        if (isIn(one, other)) {
            return both(one, other);
        }
        return isIn(other, one) ? both(other, one) : null;
    }

    private static String both(Placed outer, Placed inner) {
        boolean same = isIn(inner, outer);
        String remotes = "remotes " + outer.copy.remote() + " and " + inner.copy.remote() + ": ";
        return same
                ? remotes + "target " + outer.copy.text() + " and target " + inner.copy.text()
                        + " are one directory; each copy needs its own"
                : remotes + "target " + inner.copy.text() + " lies in target " + outer.copy.text()
                        + ", where a full sync would delete it; name another directory, or exclude that one from mirror "
                        + outer.mirror.id();
    }

    /** Whether the inner copy lies in the outer one, where that does not leave it out. */
    private static boolean isIn(Placed outer, Placed inner) {
        if (outer.tree != null && inner.tree != null) {
            return outer.tree.overlaps(inner.tree).stream()
                    .anyMatch(overlap -> !isExcluded(outer.copy.excludes(), overlap.here())
                            && !isExcluded(inner.copy.excludes(), overlap.there()));
        }
        if (outer.address == null || inner.address == null) {
            return false;
        }
        String below = outer.address.below(inner.address);
        return below != null && !isExcluded(outer.copy.excludes(), below);
    }

    /** One copy is a part of what is read for another. */
    private record Feed(Placed by, String how, Placed to) {
        String text() {
            return "target " + by.copy.text() + " of remote " + by.copy.remote() + " " + how + " source "
                    + to.mirror.source() + " of mirror " + to.mirror.id();
        }
    }

    /** A copy that gets back, by way of others, what was sent to it: of other mirrors, or of its own. */
    private String circle() {
        Map<Placed, List<Feed>> feeds = new HashMap<>();
        for (Placed placed : copies) {
            for (Placed other : copies) {
                String how = placed == other ? null : feeds(placed, other);
                if (how != null) {
                    feeds.computeIfAbsent(placed, one -> new ArrayList<>()).add(new Feed(placed, how, other));
                }
            }
        }
        return feeds.keySet().stream()
                .map(start -> circle(start, feeds))
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
    }

    private static String circle(Placed start, Map<Placed, List<Feed>> feeds) {
        Map<Placed, Feed> reachedBy = new HashMap<>();
        Deque<Placed> reached = new ArrayDeque<>(List.of(start));
        while (!reached.isEmpty()) {
            for (Feed feed : feeds.getOrDefault(reached.remove(), List.of())) {
                if (reachedBy.putIfAbsent(feed.to, feed) == null) {
                    reached.add(feed.to);
                }
            }
        }
        if (!reachedBy.containsKey(start)) {
            return null;
        }
        Deque<String> way = new ArrayDeque<>();
        Placed at = start;
        do {
            Feed feed = reachedBy.get(at);
            way.addFirst(feed.text());
            at = feed.by;
        } while (at != start);
        return "mirrors feed each other in a circle: " + String.join(", ", way);
    }
}
