package io.dromedary.watch;

import io.dromedary.change.Excludes;
import io.dromedary.mirror.Following;
import io.dromedary.mirror.Following.Seen;
import io.dromedary.mirror.Following.What;
import io.dromedary.posix.Entries;
import io.dromedary.posix.Kind;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import io.dromedary.posix.Way;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What lies behind the symlinks that rsync follows. Each directory there is watched as well, and what happens in it is a
 * change of the path that leads there through the link; of all of them, if there are several.
 *
 * <p>Where a link leads is decided by entries of directories that may lie anywhere: the other links on the way, and what is
 * at its end. Those directories are watched too, for these names alone. What no event tells, a directory above that was
 * renamed or something mounted over it, is found by looking at each link now and then.
 *
 * <p>A watch belongs to a directory, so one and the same serves the tree and everything here. For use by the thread that
 * reads the events.
 */
final class Links {
    /** Links, and directories behind them: about 300 bytes each. */
    static final int MOST = 200_000;

    static final String FULL =
            "inotify: there are more than " + MOST + " links and directories behind them, not all are watched";

    /** Links that are looked at each time: about 10 ms. */
    private static final int MOST_LOOKED_AT = 2_000;

    private static final Logger LOG = LoggerFactory.getLogger("dromedary.watch");

    private final Source source;
    private final Excludes excludes;
    private final Following following;
    private final Burst burst;
    private final WatchedTree tree;

    /** All that are followed, and those that would be if they led to something else; by path. */
    private final TreeMap<String, Link> links = new TreeMap<>();
    /** The directories behind links, by path, with their watch descriptors. */
    private final TreeMap<String, Integer> directories = new TreeMap<>();

    private final Map<Integer, Set<String>> paths = new HashMap<>();
    /** By watch descriptor and name: the links whose way leads over that entry. */
    private final Map<Integer, Map<String, Set<String>>> steps = new HashMap<>();

    /** Links whose way may be another one now. */
    private final Set<String> touched = new HashSet<>();
    /** Watches that have served here and may serve nothing any more. */
    private final Set<Integer> released = new LinkedHashSet<>();

    private String lookedAt = "";
    private boolean full;
    /** Watches that serve here only; negative: to be counted. */
    private int watches = -1;

    /**
     * A link.
     *
     * @param text what it says
     * @param target what is behind it; null: nothing
     * @param steps the watch descriptors and names it depends on
     */
    private record Link(String text, Stat target, Map<Integer, Set<String>> steps) {}

    Links(Source source, Excludes excludes, Following following, Burst burst, WatchedTree tree) {
        this.source = source;
        this.excludes = excludes;
        this.following = following;
        this.burst = burst;
        this.tree = tree;
    }

    Following following() {
        return following;
    }

    /** Finds all links, anew if it was done before. */
    void scan() {
        full = false;
        forget("");
        follow("");
    }

    /** Everything behind links becomes a change. */
    void markAll() {
        links.keySet().forEach(path -> burst.mark(path, true));
    }

    boolean isWatching(int wd) {
        return paths.containsKey(wd) || steps.containsKey(wd);
    }

    /** How many directories are watched for nothing else. */
    int watches() {
        if (watches < 0) {
            Set<Integer> all = new HashSet<>(paths.keySet());
            all.addAll(steps.keySet());
            all.removeIf(wd -> tree.node(wd) != WatchTable.NONE);
            watches = all.size();
        }
        return watches;
    }

    /** Whether there is more behind links than is watched. */
    boolean isFull() {
        return full;
    }

    void handle(InotifyEvent event) {
        if (event.is(InotifyEvent.IGNORED)) {
            dropped(event.wd());
            return;
        }
        if (event.name().isEmpty()) {
            return;
        }
        Set<String> dependent = steps.getOrDefault(event.wd(), Map.of()).get(event.name());
        if (dependent != null) {
            dependent.forEach(link -> handleStep(event, link));
        }
        Set<String> here = paths.get(event.wd());
        if (here != null) {
            here.forEach(directory -> handleEntry(event, directory + '/' + event.name()));
        }
    }

    /** Something happened to an entry on a link's way. */
    private void handleStep(InotifyEvent event, String link) {
        boolean content = event.is(InotifyEvent.ATTRIB | InotifyEvent.MODIFY | InotifyEvent.CLOSE_WRITE);
        if (event.is(InotifyEvent.ISDIR)) {
            burst.mark(event.cause(), link, !content);
        } else {
            burst.file(event, link);
        }
        if (!content) {
            touched.add(link);
        }
    }

    private void handleEntry(InotifyEvent event, String path) {
        boolean directory = event.is(InotifyEvent.ISDIR);
        if (excludes.matches(path, directory)) {
            return;
        }
        if (!directory) {
            burst.file(event, path);
        } else if (event.is(InotifyEvent.ATTRIB)) {
            // it may have been unreadable up to now
            burst.mark(Switch.ATTRIB, path, !directories.containsKey(path));
        } else {
            burst.mark(event.cause(), path, true);
            touched.add(path);
        }
    }

    /** The kernel has dropped this watch. What is there now is looked for with the change that goes with it. */
    private void dropped(int wd) {
        Set<String> gone = paths.remove(wd);
        if (gone != null) {
            directories.keySet().removeAll(gone);
        }
        Map<String, Set<String>> dependent = steps.remove(wd);
        if (dependent != null) {
            dependent.values().forEach(touched::addAll);
        }
        released.remove(wd);
        watches = -1;
    }

    /**
     * Follows what the burst says has changed, before it leaves: what rsync then reads is watched. A link that leads to
     * another directory is a change of all below it.
     */
    void update() {
        Map<String, Boolean> changed = burst.marks();
        if (changed.getOrDefault("", false)) {
            scan();
        } else {
            touched.forEach(path -> changed.put(path, true));
            changed.forEach((path, deep) -> {
                if (burst.isBelowDeep(path)) {
                    return;
                }
                if (deep) {
                    forget(path);
                    follow(path);
                } else {
                    look(path);
                }
            });
        }
        touched.clear();
    }

    /** Looks at some of the links, others the next time. */
    void lookAround() {
        int left = MOST_LOOKED_AT;
        String next = null;
        for (Map.Entry<String, Link> entry : links.tailMap(lookedAt).entrySet()) {
            if (left-- == 0) {
                next = entry.getKey();
                break;
            }
            if (!isAsBefore(entry.getKey(), entry.getValue())) {
                burst.mark(entry.getKey(), true);
            }
        }
        lookedAt = next == null ? "" : next;
    }

    /** Gives up watches that serve nothing any more, a number at a time; see {@link WatchedTree#prune}. */
    boolean prune(int most) {
        List<Integer> some = released.stream().limit(most).toList();
        some.forEach(wd -> {
            if (!isWatching(wd)) {
                tree.release(wd);
            }
        });
        some.forEach(released::remove);
        return !released.isEmpty();
    }

    /** Gives up all watches that serve here only. */
    void close() {
        forget("");
        prune(Integer.MAX_VALUE);
    }

    /** A change of this entry alone: it may be a link now, or none any more, or lead elsewhere. */
    private void look(String path) {
        Link known = links.get(path);
        if (known == null ? isLink(path) : !isAsBefore(path, known)) {
            forget(path);
            follow(path);
        }
    }

    private boolean isLink(String path) {
        try {
            Stat stat = Entries.lstat(source.absolute(path));
            return stat != null && stat.isSymlink();
        } catch (PosixException e) {
            return false;
        }
    }

    private boolean isAsBefore(String path, Link link) {
        if (!link.text().equals(Entries.readlink(source.absolute(path)))) {
            return false;
        }
        Stat target = target(path);
        return target == null ? link.target() == null : link.target() != null && target.isSameFile(link.target());
    }

    private Stat target(String path) {
        try {
            return Entries.stat(source.absolute(path));
        } catch (PosixException e) {
            return null;
        }
    }

    /**
     * Follows the links at this path and below it, and watches all that is behind them. A link to a directory at this very
     * path becomes a change of all below it.
     */
    private void follow(String top) {
        Deque<String> waiting = new ArrayDeque<>();
        if (top.isEmpty()) {
            waiting.add(top);
        } else {
            Stat stat;
            try {
                stat = Entries.lstat(source.absolute(top));
            } catch (PosixException e) {
                return;
            }
            if (stat != null && (stat.isDirectory() || stat.isSymlink())) {
                visit(top, stat.isSymlink() ? Kind.LINK : Kind.DIRECTORY, waiting);
                if (stat.isSymlink() && !waiting.isEmpty()) {
                    burst.mark(top, true);
                }
            }
        }
        while (!waiting.isEmpty()) {
            list(waiting.removeLast(), waiting);
        }
    }

    private void list(String directory, Deque<String> waiting) {
        String prefix = directory.isEmpty() ? "" : directory + '/';
        Map<String, Kind> found = new HashMap<>();
        try {
            Entries.kinds(source.absolute(prefix + "."), (name, kind) -> {
                if (kind != Kind.OTHER) {
                    found.put(prefix + name, kind);
                }
            });
        } catch (PosixException e) {
            LOG.warn("inotify: {} cannot be listed: {}", source.show(directory), e.getMessage());
        }
        found.forEach((path, kind) -> visit(path, kind, waiting));
    }

    /** Watches a directory that is behind a link; a link, what is behind it. What is to be listed is added. */
    private void visit(String path, Kind kind, Deque<String> waiting) {
        boolean directory = kind == Kind.DIRECTORY;
        if (excludes.matches(path, directory)) {
            return;
        }
        if (directory && !isBehind(path)) {
            waiting.addLast(path);
            return;
        }
        if (links.size() + directories.size() >= MOST) {
            if (!full) {
                full = true;
                LOG.error("{}", FULL);
            }
            return;
        }
        Seen seen;
        try {
            seen = following.look(source.directory(), path);
        } catch (PosixException e) {
            return;
        }
        if (!directory) {
            addLink(path, seen);
        }
        boolean toDirectory = seen.what() == What.DIRECTORY && (directory || seen.followed());
        if (toDirectory && !excludes.matches(path, true) && watch(path)) {
            waiting.addLast(path);
        }
    }

    private boolean isBehind(String path) {
        int slash = path.lastIndexOf('/');
        return slash > 0 && directories.containsKey(path.substring(0, slash));
    }

    private void addLink(String path, Seen seen) {
        String text = Entries.readlink(source.absolute(path));
        if (text == null || !seen.followed() && !following.all() && !following.directories()) {
            return;
        }
        Map<Integer, Set<String>> on = new HashMap<>();
        if (seen.followed()) {
            int slash = path.lastIndexOf('/');
            String above = source.absolute(slash < 0 ? "" : path.substring(0, slash));
            Way way = Way.along(Way.along(above).end() + '/' + path.substring(slash + 1));
            // The link itself is an entry of a directory that is watched anyway.
            for (Way.Step step : way.steps().stream().skip(1).toList()) {
                int wd = tree.watchAt(step.directory() + "/.");
                if (wd >= 0) {
                    on.computeIfAbsent(wd, w -> new HashSet<>()).add(step.name());
                }
            }
        }
        on.forEach((wd, names) -> names.forEach(name -> steps.computeIfAbsent(wd, w -> new HashMap<>())
                .computeIfAbsent(name, n -> new HashSet<>())
                .add(path)));
        links.put(path, new Link(text, target(path), on));
        if (seen.followed() && (seen.what() == What.ENTRY || seen.what() == What.NOWHERE)) {
            burst.follow(path, true);
        }
        watches = -1;
    }

    private boolean watch(String path) {
        int wd = tree.watchAt(source.absolute(path) + "/.");
        if (wd < 0) {
            return false;
        }
        directories.put(path, wd);
        paths.computeIfAbsent(wd, w -> new HashSet<>()).add(path);
        watches = -1;
        return true;
    }

    /** Forgets the links and directories at this path and below it. */
    private void forget(String path) {
        List<String> gone = new ArrayList<>(atOrBelow(directories, path));
        for (String directory : gone) {
            int wd = directories.remove(directory);
            Set<String> same = paths.get(wd);
            if (same != null && same.remove(directory) && same.isEmpty()) {
                paths.remove(wd);
                released.add(wd);
            }
        }
        for (String link : new ArrayList<>(atOrBelow(links, path))) {
            burst.follow(link, false);
            links.remove(link).steps().forEach((wd, names) -> {
                Map<String, Set<String>> all = steps.get(wd);
                if (all == null) {
                    return;
                }
                for (String name : names) {
                    all.computeIfPresent(name, (n, on) -> on.remove(link) && on.isEmpty() ? null : on);
                }
                if (all.isEmpty()) {
                    steps.remove(wd);
                    released.add(wd);
                }
            });
        }
        watches = -1;
    }

    private static <T> Set<String> atOrBelow(TreeMap<String, T> map, String path) {
        if (path.isEmpty()) {
            return map.keySet();
        }
        Set<String> all = new LinkedHashSet<>();
        if (map.containsKey(path)) {
            all.add(path);
        }
        // '0' is what comes after the slash
        all.addAll(map.subMap(path + '/', path + '0').keySet());
        return all;
    }
}
