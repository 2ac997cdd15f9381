package io.dromedary.change;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What is dirty below one mirror's root: the body of every message from the watch to rsync.
 *
 * <p>A change is a path and two bits. Deep: this entry only, or everything below it too. Written: its content may be
 * another, or its attributes alone are. What is deep counts as written, but for the root: a full sync goes by size and time.
 * Merging keeps a path once and the stronger of its bits. A deep path swallows what lies below it; the root does not, for
 * what was written there is still to be compared. More than {@value #MAX_BELOW_ONE} dirty entries of one directory become
 * that directory, deep, and more than {@value #MAX_CHANGES} changes in all become the root, deep, which then swallows all
 * else; so a set never takes more than a few megabytes however long a remote is away. What to do with a path is not stored:
 * that is decided when rsync reads it. Merging is idempotent and, below the bound on the whole, the order of merging does
 * not matter; past that bound another order can only be coarser.
 *
 * <p>Of a rename it may know the old name beside the new one ({@link #moved}), and what was written below either
 * ({@link #rewritten}). That is a hint and no change: it makes a push cheap, and is dropped wherever it is in doubt.
 *
 * <p>Adding costs O(depth of the path), merging O(size of the smaller part that is new). Not safe for use by several
 * threads at once.
 */
public final class ChangeSet {
    /** One directory's dirty entries beyond which rsync reads the directory faster than a list of them. */
    static final int MAX_BELOW_ONE = 10_000;

    /** About 5 MB of heap: each change is a node, a name and a map entry, some 100 bytes. */
    static final int MAX_CHANGES = 50_000;

    /** Sets larger than this get no {@link #key}: comparing them would cost more than merging them. */
    private static final int MAX_KEYED = 16;

    /** Renames remembered; each may cost an rsync call of its own. */
    static final int MAX_MOVES = 1_000;

    /** Paths remembered that were written below renamed directories; with more of them no rename is remembered. */
    static final int MAX_REWRITTEN = 10_000;

    private static final AtomicLong UNKEYED = new AtomicLong();

    private final Node root = new Node();
    private final int maxBelowOne;
    private final int maxChanges;
    /** New name to old. */
    private Map<String, String> moves = Map.of();

    private Set<String> rewritten = Set.of();

    public ChangeSet() {
        this(MAX_BELOW_ONE, MAX_CHANGES);
    }

    ChangeSet(int maxBelowOne, int maxChanges) {
        this.maxBelowOne = maxBelowOne;
        this.maxChanges = maxChanges;
    }

    /** The change "everything": a full sync, a start, a queue overflow. */
    public static ChangeSet ofEverything() {
        ChangeSet all = new ChangeSet();
        all.add("", true);
        return all;
    }

    /** Marks the entry at the path, a byte string, dirty, its content too; deep: and everything below it. */
    public void add(String path, boolean deep) {
        add(path, deep, true);
    }

    /** Marks the entry at the path, a byte string, dirty, but for its content: its mode, owner or times may be others. */
    public void addAttributes(String path) {
        add(path, false, false);
    }

    private void add(String path, boolean deep, boolean written) {
        Node node = root;
        int from = 0;
        while (from < path.length()) {
            if (node.swallows()) {
                return;
            }
            int slash = path.indexOf('/', from);
            int to = slash < 0 ? path.length() : slash;
            node = node.child(path.substring(from, to));
            from = to + 1;
        }
        mark(node, deep, written);
        bound();
    }

    /** Adds all changes of the other set, which stays as it is. */
    public void merge(ChangeSet other) {
        Map<String, String> more = new HashMap<>();
        Set<String> writtenThere = new HashSet<>(other.rewritten);
        other.moves.forEach((to, from) -> {
            // What changed before the rename may be of another kind at the remote, unless that was a rename too.
            String before = covers(from, false) ? moves.get(from) : from;
            if (before != null) {
                more.put(to, before);
                writtenBelow(from).forEach(below -> writtenThere.add(to + below));
            }
        });
        if (!moves.isEmpty()) {
            other.visit((path, dirty, deep) -> {
                if (dirty && other.isWritten(path) && isRenamed(path)) {
                    writtenThere.add(path);
                }
                return true;
            });
        }
        merge(root, other.root);
        bound();
        more.forEach((to, from) -> moved(from, to));
        writtenThere.forEach(this::rewrote);
    }

    /** Whether the path, or a directory above it, is the new name of a rename. */
    private boolean isRenamed(String path) {
        for (int end = path.length(); end > 0; end = path.lastIndexOf('/', end - 1)) {
            if (moves.containsKey(path.substring(0, end))) {
                return true;
            }
        }
        return false;
    }

    /** What was written below that directory: each the rest of the path, with its slash. */
    private Set<String> writtenBelow(String directory) {
        Set<String> below = new HashSet<>();
        String prefix = directory + "/";
        visit((path, dirty, deep) -> {
            boolean isBelow = path.startsWith(prefix);
            if (isBelow && dirty && isWritten(path)) {
                below.add(path.substring(directory.length()));
            }
            return isBelow || path.isEmpty() || path.equals(directory) || prefix.startsWith(path + "/");
        });
        rewritten.stream()
                .filter(path -> path.startsWith(prefix))
                .forEach(path -> below.add(path.substring(directory.length())));
        return below;
    }

    /**
     * What the remotes have under the one name is under the other now: a hint, for both names are to be added as
     * changes too. The old name must not have been changed before within this set.
     */
    public void moved(String from, String to) {
        if (isEverything() || from.equals(to) || moves.size() >= MAX_MOVES) {
            return;
        }
        if (moves.isEmpty()) {
            moves = new HashMap<>();
        }
        moves.put(to, from);
    }

    /** The renames it knows of, new name to old; not all that there were, and things may have changed since. */
    public Map<String, String> moves() {
        return Map.copyOf(moves);
    }

    /**
     * Notes, of a path that is the new name of a rename or lies below one, that it was written within this set, before the
     * rename or after: the remotes do not have its content under the old name.
     */
    public void rewrote(String path) {
        if (moves.isEmpty()) {
            return;
        }
        if (rewritten.isEmpty()) {
            rewritten = new HashSet<>();
        }
        rewritten.add(path);
        if (rewritten.size() > MAX_REWRITTEN) {
            forgetMoves();
        }
    }

    /** What is noted by {@link #rewrote}: each path with everything below it. */
    public Set<String> rewritten() {
        return Set.copyOf(rewritten);
    }

    /** Drops the hints about renames. */
    public void forgetMoves() {
        moves = Map.of();
        rewritten = Set.of();
    }

    private void merge(Node into, Node from) {
        if (into.swallows()) {
            return;
        }
        if (from.children != null) {
            for (Map.Entry<String, Node> child : from.children.entrySet()) {
                if (into.swallows()) {
                    return;
                }
                merge(into.child(child.getKey()), child.getValue());
            }
        }
        // Last, since it may make the parent deep, and what is below a deep directory is no longer part of the set.
        if (from.dirty) {
            mark(into, from.deep, from.written);
            if (from.full) {
                collapse();
            }
        }
    }

    private void mark(Node node, boolean deep, boolean written) {
        if (node.swallows()) {
            return;
        }
        boolean isNew = !node.dirty;
        int more = isNew ? 1 : 0;
        if (deep && node != root) {
            more -= node.clear();
        }
        node.deep |= deep;
        node.dirty = true;
        node.written |= written;
        for (Node above = node.parent; above != null; above = above.parent) {
            above.dirtyBelow += more;
        }
        if (isNew && node.parent != null && ++node.parent.dirtyChildren > maxBelowOne) {
            if (node.parent == root) {
                collapse();
            } else {
                mark(node.parent, true, true);
            }
        }
    }

    /** There is more than can be told: the root takes it all in, what was written too. */
    private void collapse() {
        mark(root, true, false);
        root.clear();
        root.full = true;
    }

    private void bound() {
        if (size() > maxChanges) {
            collapse();
        }
        if (root.deep) {
            forgetMoves();
        }
    }

    /**
     * Whether that path's content may be another, not its attributes alone. Of a change of this set; the root's is not, it is
     * a directory's, and a full sync goes by size and time.
     */
    public boolean isWritten(String path) {
        Node node = root;
        int from = 0;
        while (from < path.length() && node != null && (node == root || !node.deep)) {
            int slash = path.indexOf('/', from);
            int to = slash < 0 ? path.length() : slash;
            node = node.children == null ? null : node.children.get(path.substring(from, to));
            from = to + 1;
        }
        return node != null && node != root && node.written;
    }

    /** Whether a change of that path is among these, as itself or within one of a directory above it, deep. */
    public boolean covers(String path, boolean deep) {
        Node node = deciding(path);
        return node != null && (node.deep || node.dirty && !deep);
    }

    /** Whether a change of that path, of one above it, deep, or of one below it is among these. */
    public boolean concerns(String path) {
        return covers(path, false) || hasBelow(path);
    }

    /** Whether a change of a path below that one is among these. */
    public boolean hasBelow(String path) {
        Node node = deciding(path);
        return node != null && (node.deep || node.dirtyBelow > 0);
    }

    /** The change of that path, or of a directory above it, deep; null if there is neither, nor one below it. */
    private Node deciding(String path) {
        Node node = root;
        int from = 0;
        while (from < path.length() && !node.deep) {
            int slash = path.indexOf('/', from);
            int to = slash < 0 ? path.length() : slash;
            node = node.children == null ? null : node.children.get(path.substring(from, to));
            if (node == null) {
                return null;
            }
            from = to + 1;
        }
        return node;
    }

    public boolean isEmpty() {
        return size() == 0;
    }

    /** The number of changes, each one line of the list that rsync gets. */
    public int size() {
        return root.dirtyBelow + (root.dirty ? 1 : 0);
    }

    /** Whether this is the change "everything", which covers all others. */
    public boolean isEverything() {
        return root.deep;
    }

    /**
     * Two small sets have the same key if and only if they hold the same changes; for the idempotent step. A large set's key is unique, so that
     * it is never taken for a repeat. Not for people: the names in it are byte strings.
     */
    public String key() {
        if (size() > MAX_KEYED) {
            return "#" + UNKEYED.incrementAndGet();
        }
        // Sorted, since equal sets that came about in another order may be visited in another order.
        SortedSet<String> changes = new TreeSet<>();
        visit((path, dirty, deep) -> {
            if (dirty) {
                changes.add((deep ? "tree " : isWritten(path) ? "entry " : "attributes ") + path);
            }
            return true;
        });
        return String.join("\0", changes);
    }

    /** Goes through the set from the root down: a directory before what lies below it, changed or on the way only. */
    public void visit(Visitor visitor) {
        visit(root, "", visitor);
    }

    private static void visit(Node node, String path, Visitor visitor) {
        if (visitor.visit(path, node.dirty, node.deep) && node.children != null) {
            String prefix = path.isEmpty() ? "" : path + "/";
            node.children.forEach((name, child) -> visit(child, prefix + name, visitor));
        }
    }

    /** What {@link ChangeSet#visit} calls for each entry that is dirty or lies above one that is. */
    @FunctionalInterface
    public interface Visitor {
        /** Returns whether to go on below this path. */
        boolean visit(String path, boolean dirty, boolean deep);
    }

    private static final class Node {
        Node parent;
        Map<String, Node> children;
        int dirtyChildren;
        int dirtyBelow;
        boolean dirty;
        boolean deep;
        boolean written;
        /** Of the root: it was made deep because there was too much below it. */
        boolean full;

        /** Whether what is below is no longer told apart; of the root only where that would be too much. */
        boolean swallows() {
            return full || deep && parent != null;
        }

        /** Takes away what is below; returns how many changes that were. */
        int clear() {
            int cleared = dirtyBelow;
            dirtyBelow = 0;
            dirtyChildren = 0;
            children = null;
            return cleared;
        }

        Node child(String name) {
            if (children == null) {
                // Most directories of a set have a handful of dirty entries.
                children = new HashMap<>(4);
            }
            Node child = children.get(name);
            if (child == null) {
                child = new Node();
                child.parent = this;
                children.put(name, child);
            }
            return child;
        }
    }
}
