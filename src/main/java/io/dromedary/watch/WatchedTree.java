package io.dromedary.watch;

import static io.dromedary.posix.LibC.ELOOP;
import static io.dromedary.posix.LibC.EMFILE;
import static io.dromedary.posix.LibC.ENOENT;
import static io.dromedary.posix.LibC.ENOSPC;
import static io.dromedary.posix.LibC.ENOTDIR;
import static io.dromedary.watch.WatchTable.NONE;
import static io.dromedary.watch.WatchTable.ROOT;

import com.sun.jna.Memory;
import io.dromedary.change.Excludes;
import io.dromedary.posix.LibC;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The inotify watches of a directory tree, kept in step with what is on disk.
 *
 * <p>Events tell the past: when one is read, its directory may have moved on already. So an event about a directory is
 * only a reason to look at that name again ({@link #reconcile}). What is there is told by its watch descriptor, which
 * the kernel ties to the inode: a known one has moved here with all its watches, a new one is a new directory and is
 * listed after it is watched. If the parent itself is no longer where the table has it, another event is still to
 * come; the parent is marked incomplete, and is listed when that event has given it its new place.
 */
final class WatchedTree implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.watch");
    private static final String WATCH_LIMIT = "max_user_watches";
    private static final String INSTANCE_LIMIT = "max_user_instances";
    /**
     * Without MASK_ADD the kernel first takes all events from a watch that it is asked for once more, and gives them back
     * then: what happens in between, on another processor, it does not tell.
     */
    private static final int STRUCTURE = InotifyEvent.CREATE
            | InotifyEvent.MOVED_FROM
            | InotifyEvent.MOVED_TO
            | InotifyEvent.DELETE
            | InotifyEvent.ONLYDIR
            | InotifyEvent.DONT_FOLLOW
            | InotifyEvent.EXCL_UNLINK
            | InotifyEvent.MASK_ADD;

    private final Source source;
    private final Excludes excludes;
    private final Burst burst;
    /** {@code /proc/sys/fs/inotify}. */
    private final Path sysctls;

    private final int mask;
    private final int fd;
    private final Memory buffer = new Memory(64 * 1024);
    private final WatchTable table;

    /** Nodes still to be listed. */
    private final Deque<Integer> unlisted = new ArrayDeque<>();

    /** The tops of subtrees that left their place, with that place; they may turn up at another one. */
    private final Map<Integer, String> detached = new LinkedHashMap<>();

    /** What else these watches serve; null: nothing. */
    private Links links;

    /** Where a directory is that is watched at another place already: mounted there, or from there. */
    private final Set<String> twins = new TreeSet<>();

    /** What is mounted and not to be watched. */
    private Set<String> leftOut = Set.of();

    /** Being looked at once more; told of before. */
    private String quietTwin;

    private boolean starting = true;
    private boolean limitReached;
    private boolean limitLogged;

    /** Watches the root alone; {@link #scan} does the rest. */
    WatchedTree(Source source, Excludes excludes, Set<Switch> switches, Burst burst, Path sysctls) {
        this.sysctls = sysctls;
        this.source = source;
        this.excludes = excludes;
        this.burst = burst;
        int bits = STRUCTURE;
        bits |= switches.contains(Switch.CLOSE_WRITE) ? InotifyEvent.CLOSE_WRITE | InotifyEvent.MODIFY : 0;
        bits |= switches.contains(Switch.ATTRIB) ? InotifyEvent.ATTRIB : 0;
        bits |= switches.contains(Switch.MODIFY) ? InotifyEvent.MODIFY : 0;
        this.mask = bits;
        fd = instance();
        try {
            int wd = watch("");
            if (wd == -ENOENT || wd == -ENOTDIR) {
                throw new IllegalArgumentException("inotify: " + source.show("") + " is not a directory");
            }
            if (wd == -ENOSPC) {
                throw new IllegalStateException(limitMessage());
            }
            if (wd < 0) {
                throw new IllegalArgumentException("inotify: " + source.show("") + ": " + LibC.errorText(-wd));
            }
            table = new WatchTable(wd);
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Each tree has an instance of its own, since a queue that overflows is that tree's alone. */
    private int instance() {
        try {
            return LibC.inotifyInit();
        } catch (PosixException e) {
            if (e.errno() != EMFILE) {
                throw e;
            }
        }
        String old = read(INSTANCE_LIMIT);
        try {
            String raised = Long.toString(2 * Long.parseLong(old));
            Files.writeString(sysctls.resolve(INSTANCE_LIMIT), raised);
            try {
                int raisedFd = LibC.inotifyInit();
                LOG.info("inotify: raised fs.inotify.max_user_instances from {} to {}", old, raised);
                return raisedFd;
            } catch (PosixException e) {
                // It is another limit: a container's, or that of open files.
                Files.writeString(sysctls.resolve(INSTANCE_LIMIT), old);
            }
        } catch (IOException | NumberFormatException e) {
            LOG.debug("inotify: {}: {}", sysctls.resolve(INSTANCE_LIMIT), e.toString());
        }
        throw new IllegalStateException(
                "inotify: each source takes an instance, and there are no more for " + source.show("")
                        + ": fs.inotify.max_user_instances (in a container user.max_inotify_instances too) is " + old
                        + " for all programs of this user: raise it, for example by sysctl fs.inotify.max_user_instances=1024, or"
                        + " the limit of open files");
    }

    /** Watches all that is below the root; anew, if it was done before. */
    void scan() {
        limitReached = false;
        listLater(ROOT, node -> true);
        listAll();
        limitLogged &= limitReached;
        if (starting && limitReached) {
            throw new IllegalStateException(limitMessage());
        }
        starting = false;
    }

    void setLinks(Links links) {
        this.links = links;
    }

    /** Watches a directory anywhere, or has it watched already; the watch descriptor, or the negated errno. */
    int watchAt(String absolutePath) {
        return watch(absolutePath, mask);
    }

    /** Takes a watch away, unless the tree itself needs it. */
    void release(int wd) {
        if (table.byWd(wd) == NONE) {
            LibC.inotifyRemoveWatch(fd, wd);
        }
    }

    int descriptor() {
        return fd;
    }

    int watches() {
        return table.size();
    }

    /** Whether directories lack a watch because the user's limit is reached. */
    boolean isLimitReached() {
        return limitReached;
    }

    /** Passes on the events that are there, a buffer full at most; returns how many bytes they took. */
    int read(Consumer<InotifyEvent> events) {
        int length = LibC.read(fd, buffer);
        if (length > 0) {
            InotifyEvent.decode(buffer.getByteBuffer(0, length), events);
        }
        return length;
    }

    int node(int wd) {
        return table.byWd(wd);
    }

    /** The path of the directory, or null when it has left its place. */
    String path(int node) {
        return table.path(node);
    }

    boolean isWatched(int parent, String name) {
        return table.child(parent, name) != NONE;
    }

    /** The place of the node is not known now, so what happens in it cannot be followed. */
    void lookAgainLater(int node) {
        table.setIncomplete(node, true);
    }

    /** The kernel has dropped this watch: its directory is gone, or its file system. */
    void watchDropped(int node) {
        int parent = table.parent(node);
        if (parent == NONE) {
            return;
        }
        String name = table.name(node);
        reconcile(parent, name);
        if (table.parent(node) == parent && !table.isIncomplete(parent)) {
            detach(node);
        }
    }

    /** Whether the path of the root still leads to the directory that is watched as the root. */
    boolean isRootInPlace() {
        return isInPlace(ROOT);
    }

    /** Makes the table agree with what is at this name now. */
    void reconcile(int parent, String name) {
        if (isInPlace(parent)) {
            reconcileChild(parent, name);
            listAll();
        }
        if (!isInPlace(parent)) {
            table.setIncomplete(parent, true);
        }
    }

    /** From now on these places are not watched, with all that is below. */
    void leaveOut(Set<String> places) {
        leftOut = places;
    }

    /** Something was mounted or unmounted at these places, which gives no event. */
    void mountsChanged(Set<String> places) {
        for (String place : places) {
            reconcile(place);
        }
        reconcileTwins();
    }

    private void reconcile(String path) {
        int node = ROOT;
        int from = 0;
        for (int slash = path.indexOf('/'); slash >= 0 && node != NONE; slash = path.indexOf('/', from)) {
            node = table.child(node, path.substring(from, slash));
            from = slash + 1;
        }
        if (node != NONE) {
            reconcile(node, path.substring(from));
        }
    }

    /** One that was watched elsewhere, and is no more there, is found here. */
    private void reconcileTwins() {
        for (String twin : List.copyOf(twins)) {
            twins.remove(twin);
            quietTwin = twin;
            reconcile(twin);
        }
        quietTwin = null;
    }

    /**
     * Takes away the watches of subtrees that did not turn up again. Each makes the kernel queue an event, so only so
     * many at a time that the queue does not overflow.
     *
     * @return whether more remain
     */
    boolean prune(int most) {
        if (!detached.isEmpty()) {
            reconcileTwins();
        }
        int budget = most;
        while (budget > 0 && !detached.isEmpty()) {
            int top = detached.keySet().iterator().next();
            int node = top;
            while (budget > 0) {
                while (table.firstChild(node) != NONE) {
                    node = table.firstChild(node);
                }
                int above = table.parent(node);
                if (!isNeededElsewhere(table.wd(node))) {
                    LibC.inotifyRemoveWatch(fd, table.wd(node));
                }
                table.remove(node);
                budget--;
                if (node == top) {
                    detached.remove(top);
                    break;
                }
                table.setIncomplete(above, true);
                node = above;
            }
        }
        return !detached.isEmpty();
    }

    @Override
    public void close() {
        LibC.closeDescriptor(fd);
        buffer.close();
    }

    private void reconcileChild(int parent, String name) {
        String above = table.path(parent);
        if (above == null) {
            table.setIncomplete(parent, true);
            return;
        }
        String path = above.isEmpty() ? name : above + '/' + name;
        int child = table.child(parent, name);
        if (excludes.matches(path, true) || leftOut.contains(path)) {
            if (child != NONE) {
                detach(child);
            }
            return;
        }
        int wd = watch(path);
        if (wd < 0) {
            if (wd == -ENOENT || wd == -ENOTDIR || wd == -ELOOP) {
                if (child != NONE) {
                    detach(child);
                }
            } else if (wd != -ENOSPC) {
                LOG.warn("inotify: {} is not watched: {}", source.show(path), LibC.errorText(-wd));
            }
            return;
        }
        int owner = table.byWd(wd);
        if (owner == NONE) {
            if (child != NONE) {
                detach(child);
            }
            int node = table.add(parent, name, wd);
            unlisted.add(node);
            if (!starting) {
                burst.directoryAppeared(path);
            }
        } else if (owner != child) {
            relocate(owner, parent, name, path);
        }
    }

    /** The directory of this node was found at another place than the table has it. */
    private void relocate(int node, int parent, String name, String path) {
        String oldPath = table.path(node);
        if (oldPath != null && isSameDirectory(oldPath, path)) {
            if (twins.add(path) && !path.equals(quietTwin)) {
                LOG.warn(
                        "inotify: {} and {} are one directory (a bind mount), changes are seen at the first only",
                        source.show(oldPath),
                        source.show(path));
            }
            return;
        }
        if (table.isAtOrBelow(parent, node)) {
            // seen while its ancestors were on the move
            table.setIncomplete(parent, true);
            return;
        }
        int child = table.child(parent, name);
        if (child != NONE) {
            detach(child);
        }
        int oldParent = table.parent(node);
        String oldName = table.name(node);
        if (oldParent != NONE) {
            table.detach(node);
        } else {
            oldPath = detached.remove(node);
        }
        table.attach(node, parent, name);
        if (oldPath != null) {
            burst.directoryMoved(oldPath, path);
        }
        // Patterns may match otherwise at the new place; else only what could not be followed is listed.
        boolean hasExcludes = !excludes.isEmpty();
        listLater(node, below -> hasExcludes || table.isIncomplete(below));
        if (oldParent != NONE) {
            reconcileChild(oldParent, oldName);
        }
    }

    private boolean isSameDirectory(String path, String other) {
        Stat stat = LibC.lstat(source.absolute(path));
        Stat otherStat = LibC.lstat(source.absolute(other));
        return stat != null && otherStat != null && stat.isSameFile(otherStat);
    }

    private boolean isInPlace(int node) {
        String path = table.path(node);
        if (path == null) {
            return false;
        }
        int wd = watch(path);
        if (wd >= 0 && table.byWd(wd) == NONE && !isNeededElsewhere(wd)) {
            LibC.inotifyRemoveWatch(fd, wd);
        }
        return wd == table.wd(node);
    }

    private boolean isNeededElsewhere(int wd) {
        return links != null && links.isWatching(wd);
    }

    private void detach(int node) {
        String path = table.path(node);
        table.detach(node);
        // a path that is not known now was lost with a subtree above, and cannot have held files of its own
        detached.put(node, path == null ? "" : path);
    }

    private void listLater(int top, IntPredicate wanted) {
        int node = top;
        while (true) {
            if (wanted.test(node)) {
                unlisted.addLast(node);
            }
            if (table.firstChild(node) != NONE) {
                node = table.firstChild(node);
                continue;
            }
            while (node != top && table.nextSibling(node) == NONE) {
                node = table.parent(node);
            }
            if (node == top) {
                return;
            }
            node = table.nextSibling(node);
        }
    }

    private void listAll() {
        while (!unlisted.isEmpty()) {
            list(unlisted.removeLast());
        }
    }

    private void list(int node) {
        String path = table.path(node);
        if (path == null) {
            table.setIncomplete(node, true);
            return;
        }
        if (table.isIncomplete(node)) {
            table.setIncomplete(node, false);
            burst.directoryAppeared(path);
        }
        List<String> directories = new ArrayList<>();
        boolean collectsFiles = burst.collectsFiles();
        boolean listed;
        try {
            listed = LibC.list(source.absolute(path), (name, isDirectory) -> {
                if (isDirectory) {
                    directories.add(name);
                } else if (collectsFiles && !excludes.matches(path + '/' + name, false)) {
                    burst.fileFound(path + '/' + name);
                }
            });
        } catch (PosixException e) {
            LOG.warn("inotify: {} cannot be listed: {}", source.show(path), LibC.errorText(e.errno()));
            listed = false;
        }
        if (!listed) {
            table.setIncomplete(node, true);
            return;
        }
        detachMissing(node, directories);
        for (String name : directories) {
            reconcileChild(node, name);
        }
        if (!isInPlace(node)) {
            table.setIncomplete(node, true);
        }
    }

    private void detachMissing(int node, List<String> present) {
        if (table.firstChild(node) == NONE) {
            return;
        }
        Set<String> names = new HashSet<>(present);
        int child = table.firstChild(node);
        while (child != NONE) {
            int next = table.nextSibling(child);
            if (!names.contains(table.name(child))) {
                detach(child);
            }
            child = next;
        }
    }

    /** The watch descriptor, an existing one if the directory is watched already; or the negated errno. */
    private int watch(String path) {
        int bits = mask | (path.isEmpty() ? InotifyEvent.DELETE_SELF | InotifyEvent.MOVE_SELF : 0);
        return watch(source.absolute(path), bits);
    }

    private int watch(String absolutePath, int bits) {
        int wd = LibC.inotifyAddWatch(fd, absolutePath, bits);
        if (wd == -ENOSPC && !limitReached) {
            wd = watchWithLimitRaised(absolutePath, bits);
        }
        if (wd == -ENOSPC && !limitReached) {
            limitReached = true;
            if (!starting && !limitLogged) {
                limitLogged = true;
                LOG.error("{}", limitMessage());
            }
        }
        return wd;
    }

    private int watchWithLimitRaised(String absolutePath, int bits) {
        String old = read(WATCH_LIMIT);
        try {
            long limit = Long.parseLong(old);
            // up to the old limit may be taken by others of the same user
            String raised = Long.toString(limit + Math.max(limit, countDirectories() * 5 / 4));
            Files.writeString(sysctls.resolve(WATCH_LIMIT), raised);
            int wd = LibC.inotifyAddWatch(fd, absolutePath, bits);
            if (wd == -ENOSPC) {
                // it is the lower limit of a container, which this one does not move
                Files.writeString(sysctls.resolve(WATCH_LIMIT), old);
            } else {
                LOG.info("inotify: raised fs.inotify.max_user_watches from {} to {}", old, raised);
            }
            return wd;
        } catch (IOException | NumberFormatException e) {
            return -ENOSPC;
        }
    }

    private String limitMessage() {
        long needed = countDirectories();
        return "inotify: " + source.show("") + " has " + needed + " directories to watch, but "
                + "fs.inotify.max_user_watches (in a container user.max_inotify_watches too) is " + read(WATCH_LIMIT)
                + " for all programs of this user: raise it, for example by sysctl fs.inotify.max_user_watches="
                + Math.max(524_288, needed * 2);
    }

    private long countDirectories() {
        long count = 0;
        Deque<String> paths = new ArrayDeque<>(List.of(""));
        while (!paths.isEmpty()) {
            String path = paths.removeLast();
            count++;
            try {
                LibC.list(source.absolute(path), (name, isDirectory) -> {
                    String below = path.isEmpty() ? name : path + '/' + name;
                    if (isDirectory && !excludes.matches(below, true)) {
                        paths.addLast(below);
                    }
                });
            } catch (PosixException e) {
                // not to be listed, so nothing below is to be watched
                LOG.debug("inotify: {}", e.getMessage());
            }
        }
        return count;
    }

    private String read(String sysctl) {
        byte[] content = new byte[64];
        try (InputStream in = Files.newInputStream(sysctls.resolve(sysctl))) {
            // one read gives all and a second nothing; the methods that read to the end begin with a single byte
            int length = in.read(content);
            return new String(content, 0, Math.max(0, length), StandardCharsets.US_ASCII).strip();
        } catch (IOException e) {
            return "unknown";
        }
    }
}
