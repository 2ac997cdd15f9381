package io.dromedary.watch;

import io.dromedary.change.ChangeSet;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Following;
import io.dromedary.posix.LibC;
import io.dromedary.posix.MountTable;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.Suspendable;
import org.apache.camel.support.DefaultConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads inotify events on a thread of its own and sends on what changed. Suspended, it leaves the events to the
 * kernel's queue, so nothing is missed; stopped, it gives up the watches, and the next start takes the whole tree as
 * changed.
 */
public class InotifyConsumer extends DefaultConsumer implements Suspendable {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.watch");

    static final Path SYSCTLS = Path.of("/proc/sys/fs/inotify");
    private static final int ROOT_GONE =
            InotifyEvent.DELETE_SELF | InotifyEvent.MOVE_SELF | InotifyEvent.UNMOUNT | InotifyEvent.IGNORED;

    private static final long ROOT_RETRY = TimeUnit.SECONDS.toNanos(1);
    private static final long ROOT_CHECK = TimeUnit.SECONDS.toNanos(2);
    private static final long LIMIT_RETRY = TimeUnit.SECONDS.toNanos(30);
    /** The shortest time from one look at what is mounted to the next: elsewhere in the system there may be much of it. */
    private static final long MOUNTS_PAUSE = TimeUnit.MILLISECONDS.toNanos(100);

    private static final long OVERFLOW_TOLD = TimeUnit.MINUTES.toNanos(1);
    /** How long after its close a file gets its final name, by a program that writes it under another one. */
    private static final long RENAME_FOLLOWS = TimeUnit.MICROSECONDS.toNanos(300);
    /**
     * Events within so many lingers of the last exchange are a stream, in which to wait so many times as long for more.
     * So many such waits, in a stream or not, and what there is leaves.
     */
    private static final int STREAM = 4;

    /** Below the 16384 events a queue takes by default; each removed watch is one. */
    private static final int MOST_PRUNED = 2_000;

    private final InotifyEndpoint endpoint;
    private final Source source;
    private final Set<Switch> switches;
    private Excludes excludes;

    private ExecutorService executor;
    private int wake = -1;
    private Burst burst;
    /** Null while the root is missing. */
    private WatchedTree tree;
    /** Null while no link is followed. */
    private Links links;

    private MountTable mountTable;
    /** What is mounted below the root, by the place. */
    private Map<String, String> mounts = Map.of();

    private long mountsGeneration;
    private boolean mountsChanged;
    private long mountsNotBefore = System.nanoTime();

    private int events;
    /** The last first half of a rename: its cookie, and what the remotes know by that name; null: not known. */
    private int moved;

    private String movedFrom;
    private List<String> writtenThere = List.of();
    /** By {@link System#nanoTime}; at first long ago. */
    private long lastSent = System.nanoTime() - TimeUnit.DAYS.toNanos(1);

    private boolean rootLost;
    private boolean rescan;
    private long rescanNotBefore;
    private long overflowsTold;
    private long nextOverflowTold;
    private long nextRootCheck;
    private long nextRootRetry;
    private long nextLimitRetry;

    private final Object drains = new Object();
    private long drainsAsked;
    private long drainsDone;

    private volatile boolean stopping;
    private volatile boolean alive;
    private volatile int watches;
    private volatile long overflows;
    private volatile String problem;

    InotifyConsumer(InotifyEndpoint endpoint, Processor processor) {
        super(endpoint, processor);
        this.endpoint = endpoint;
        this.source = Source.of(endpoint.getPath());
        this.switches = endpoint.switches();
    }

    /** The number of directories watched. */
    public int watches() {
        return watches;
    }

    /** How often the kernel's event queue was full, and the whole tree was taken as changed instead. */
    public long overflows() {
        return overflows;
    }

    /** Whether the thread that reads the events is running; it is not while this is suspended. */
    public boolean isAlive() {
        return alive;
    }

    /** Why changes may go unseen just now, in one line; null when all is well. */
    public String problem() {
        return problem;
    }

    /**
     * Waits until all that had happened in the tree before this call has been sent on. Files that are still open for
     * writing are not part of that.
     *
     * @param deadline until when to wait, by {@link System#nanoTime}
     * @return whether it came to that
     */
    public boolean drain(long deadline) throws InterruptedException {
        synchronized (drains) {
            if (!alive) {
                return false;
            }
            long mine = ++drainsAsked;
            LibC.wake(wake);
            while (drainsDone < mine) {
                long left = deadline - System.nanoTime();
                if (left <= 0 || !alive) {
                    return false;
                }
                TimeUnit.NANOSECONDS.timedWait(drains, Math.min(left, TimeUnit.SECONDS.toNanos(1)));
            }
            return true;
        }
    }

    /** Reads what the kernel had queued when this was called, and sends it on. */
    private void drain() {
        long asked;
        synchronized (drains) {
            asked = drainsAsked;
            if (asked == drainsDone) {
                return;
            }
        }
        if (tree == null) {
            // The root is gone, and with it all that could be read.
            return;
        }
        mountsChanged |= mountTable.generation() != mountsGeneration;
        if (mountsChanged) {
            lookAtMounts();
        }
        for (int left = LibC.available(tree.descriptor()); left > 0 && !rootLost; ) {
            int length = tree.read(this::handle);
            left = length <= 0 ? 0 : left - length;
        }
        if (rescan || rootLost || tree.isLimitReached()) {
            // Changes may go unseen until the tree has been scanned anew: asked again after the next step.
            return;
        }
        burst.settle(System.nanoTime());
        send();
        synchronized (drains) {
            drainsDone = asked;
            drains.notifyAll();
        }
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        burst = new Burst(source, switches, endpoint.openFiles());
        // Not before: the remotes of a mirror come up after its watch was made.
        excludes = endpoint.excludes();
        try {
            mountTable = new MountTable();
            tree = openTree();
            followLinks();
            wake = LibC.wakeDescriptor();
        } catch (RuntimeException e) {
            release();
            throw e;
        }
        if (endpoint.wasWatched()) {
            burst.mark("", true);
        }
        rootLost = false;
        rescan = false;
        long now = System.nanoTime();
        rescanNotBefore = now;
        nextOverflowTold = now;
        nextRootCheck = now + ROOT_CHECK;
        problem = null;
        startThread();
    }

    @Override
    protected void doStop() throws Exception {
        stopThread();
        release();
        super.doStop();
    }

    @Override
    protected void doSuspend() throws Exception {
        stopThread();
        super.doSuspend();
    }

    @Override
    protected void doResume() throws Exception {
        super.doResume();
        startThread();
    }

    private void startThread() {
        stopping = false;
        executor = getEndpoint()
                .getCamelContext()
                .getExecutorServiceManager()
                .newSingleThreadExecutor(this, endpoint.getEndpointUri());
        executor.execute(this::run);
    }

    private void stopThread() {
        stopping = true;
        if (executor != null) {
            LibC.wake(wake);
            // waits for the exchange under way, and interrupts it when Camel's time for that is over
            getEndpoint().getCamelContext().getExecutorServiceManager().shutdownGraceful(executor);
            executor = null;
            LibC.clearWake(wake);
        }
    }

    private void closeTree() {
        if (tree != null) {
            tree.close();
        }
        tree = null;
        links = null;
    }

    private void release() {
        closeTree();
        if (mountTable != null) {
            mountTable.close();
            mountTable = null;
        }
        if (wake >= 0) {
            LibC.closeDescriptor(wake);
            wake = -1;
        }
        watches = 0;
    }

    private WatchedTree openTree() {
        WatchedTree opened = new WatchedTree(source, excludes, switches, burst, SYSCTLS);
        try {
            readMounts(opened);
            opened.scan();
        } catch (RuntimeException e) {
            opened.close();
            throw e;
        }
        watches = opened.watches();
        return opened;
    }

    /**
     * Goes along with the links that the remotes follow: those of a route that is just coming up are not all known at once.
     *
     * @return whether links are watched now that were not before
     */
    private boolean followLinks() {
        Following now = endpoint.follow();
        if (links == null ? !now.any() : links.following().equals(now)) {
            return false;
        }
        if (links != null) {
            links.close();
        }
        links = now.any() ? new Links(source, excludes, now, burst, tree) : null;
        tree.setLinks(links);
        if (links != null) {
            links.scan();
        }
        return links != null;
    }

    private void readMounts(WatchedTree of) {
        mountsGeneration = mountTable.generation();
        mountsChanged = false;
        Map<String, String> places = source.mounts(mountTable);
        Set<String> leftOut = new HashSet<>();
        if (endpoint.isOneFileSystem()) {
            Stat root = LibC.lstat(source.absolute(""));
            for (String place : places.keySet()) {
                Stat stat = LibC.lstat(source.absolute(place));
                if (stat != null && root != null && stat.dev() != root.dev()) {
                    leftOut.add(place);
                }
            }
        }
        of.leaveOut(leftOut);
        mounts = places;
    }

    /** Whatever is there now, where something was mounted or unmounted, is watched, and then it is a change. */
    private void lookAtMounts() {
        Map<String, String> before = mounts;
        readMounts(tree);
        Set<String> changed = new TreeSet<>(before.keySet());
        changed.addAll(mounts.keySet());
        changed.removeIf(place -> Objects.equals(before.get(place), mounts.get(place)) || excludes.covers(place, true));
        tree.mountsChanged(changed);
        changed.forEach(place -> burst.mark(place, true));
        mountsNotBefore = System.nanoTime() + MOUNTS_PAUSE;
    }

    private void run() {
        alive = true;
        try {
            while (!stopping) {
                try {
                    step();
                } catch (RuntimeException e) {
                    getExceptionHandler().handleException("inotify: reading the changes of " + source.show(""), e);
                    // what was lost with it is not known
                    rescan = true;
                    LibC.awaitReadable(wake, -1, TimeUnit.SECONDS.toNanos(1));
                }
            }
        } finally {
            alive = false;
        }
    }

    private void step() {
        long now = System.nanoTime();
        long next = tree == null ? findRoot(now) : keepUp(now);
        burst.settle(now);
        send();
        if (stopping) {
            return;
        }
        LibC.clearWake(wake);
        if (stopping) {
            return;
        }
        drain();
        boolean more = tree != null && tree.prune(MOST_PRUNED);
        if (links != null) {
            more |= links.prune(MOST_PRUNED);
        }
        watches = (tree == null ? 0 : tree.watches()) + (links == null ? 0 : links.watches());
        long wait = more ? 0 : burst.nextCheck(next) - System.nanoTime();
        // Of those that are to be looked at later no more has to be told.
        int told = tree == null || mountsChanged ? -1 : mountTable.descriptor();
        int ready = LibC.awaitReadable(tree == null ? -1 : tree.descriptor(), wake, told, wait);
        mountsChanged |= (ready & 4) != 0;
        if ((ready & 1) != 0) {
            readBurst();
        }
    }

    private void readBurst() {
        long begin = System.nanoTime();
        long linger = TimeUnit.MILLISECONDS.toNanos(endpoint.getLinger());
        boolean afterPause = begin - lastSent > STREAM * linger;
        long quiet = afterPause ? linger : STREAM * linger;
        long end = begin + STREAM * quiet;
        boolean more;
        do {
            int before = events;
            tree.read(this::handle);
            // What was renamed or deleted may be about to be replaced. But of a file that was written and closed after
            // a while of nothing only the rename can follow that gives it its name.
            boolean written = afterPause && burst.isWritten();
            long left = Math.min(written ? Math.min(linger, RENAME_FOLLOWS) : quiet, end - System.nanoTime());
            if (left <= 0 || stopping || rootLost) {
                more = false;
            } else if (afterPause) {
                more = LibC.awaitReadable(tree.descriptor(), wake, left) == 1;
            } else {
                // Woken for each event of a stream, this thread would do little else.
                more = events > before && LibC.awaitReadable(-1, wake, left) == 0;
            }
        } while (more);
    }

    private void handle(InotifyEvent event) {
        events++;
        if (event.is(InotifyEvent.OVERFLOW)) {
            overflows = overflows + 1;
            rescan = true;
            burst.mark("", true);
            return;
        }
        if (links != null && !rootLost) {
            links.handle(event);
        }
        int node = tree.node(event.wd());
        if (node == WatchTable.NONE || rootLost) {
            return;
        }
        if (node == WatchTable.ROOT && event.is(ROOT_GONE)) {
            rootLost = true;
        } else if (event.is(InotifyEvent.IGNORED)) {
            // Of a file system unmounted below the root this is all there is to do: taking it as a deletion could cost
            // the remotes what is only not mounted.
            tree.watchDropped(node);
        } else if (!event.name().isEmpty()) {
            handleEntry(event, node);
        } else if (node == WatchTable.ROOT && event.is(InotifyEvent.ATTRIB)) {
            burst.mark(Switch.ATTRIB, "", false);
        }
    }

    private void handleEntry(InotifyEvent event, int node) {
        String directory = tree.path(node);
        if (directory == null) {
            tree.lookAgainLater(node);
            return;
        }
        String path = directory.isEmpty() ? event.name() : directory + '/' + event.name();
        if (excludes.matches(path, event.is(InotifyEvent.ISDIR))) {
            return;
        }
        if (event.is(InotifyEvent.MOVED_FROM)) {
            moved = event.cookie();
            movedFrom = burst.nameBefore(path);
            writtenThere = movedFrom != null && event.is(InotifyEvent.ISDIR) ? burst.writtenBelow(path) : List.of();
        }
        if (event.is(InotifyEvent.ISDIR)) {
            handleDirectory(event, node, path);
        } else {
            burst.file(event, path);
        }
        // Last, since what the name meant before is over with the mark.
        if (event.is(InotifyEvent.MOVED_TO) && event.cookie() == moved && movedFrom != null) {
            burst.moved(movedFrom, path, writtenThere);
        }
    }

    private void handleDirectory(InotifyEvent event, int node, String path) {
        if (event.is(InotifyEvent.ATTRIB)) {
            burst.mark(Switch.ATTRIB, path, false);
            if (!tree.isWatched(node, event.name())) {
                // it may have been unreadable up to now
                tree.reconcile(node, event.name());
            }
            return;
        }
        Switch cause = event.cause();
        burst.mark(cause, path, true);
        burst.announce(path, cause == Switch.CREATE_FOLDER);
        tree.reconcile(node, event.name());
        burst.announce(null, false);
    }

    /** What is to be done without an event while the root is there; returns when to look again. */
    private long keepUp(long now) {
        boolean limited = tree.isLimitReached();
        if (limited && problem == null) {
            nextLimitRetry = now + LIMIT_RETRY;
        }
        boolean overflowed = rescan && rescanNotBefore - now <= 0;
        boolean scan = overflowed || limited && nextLimitRetry - now <= 0;
        if (scan || mountsChanged || nextRootCheck - now <= 0) {
            // a directory above may have been renamed, or a file system mounted over it: there is no event for that
            rootLost |= !tree.isRootInPlace();
            nextRootCheck = now + ROOT_CHECK;
            if (followLinks()) {
                links.markAll();
            } else if (links != null) {
                links.lookAround();
            }
        }
        if (rootLost) {
            rootLost = false;
            closeTree();
            burst.clear();
            burst.mark("", true);
            nextRootRetry = now;
            setProblem("inotify: " + source.show("") + " is gone, waiting for it to come back");
            return now;
        }
        if (mountsChanged && mountsNotBefore - now <= 0) {
            lookAtMounts();
        }
        if (overflows > overflowsTold && nextOverflowTold - now <= 0) {
            // under a load that overflows it again and again, one line a minute says it all
            nextOverflowTold = now + OVERFLOW_TOLD;
            LOG.warn(
                    "inotify: the kernel's event queue for {} was full ({} times up to now), all of it is taken as changed;"
                            + " a higher fs.inotify.max_queued_events avoids that",
                    source.show(""),
                    overflows);
            overflowsTold = overflows;
        }
        if (scan) {
            rescan = false;
            tree.scan();
            long end = System.nanoTime();
            // with a load that overflows the queue again and again, half of the time is left for reading
            rescanNotBefore = end + (end - now);
            nextLimitRetry = end + LIMIT_RETRY;
            if (overflowed || !tree.isLimitReached()) {
                burst.mark("", true);
            }
        }
        problem = unwatched();
        long next = nextRootCheck;
        if (rescan) {
            next = Math.min(next, rescanNotBefore);
        }
        if (mountsChanged) {
            next = Math.min(next, mountsNotBefore);
        }
        return tree.isLimitReached() ? Math.min(next, nextLimitRetry) : next;
    }

    private String unwatched() {
        if (tree.isLimitReached()) {
            return "inotify: fs.inotify.max_user_watches is reached, directories are not watched";
        }
        return links != null && links.isFull() ? Links.FULL : null;
    }

    /** Watches the root again as soon as it is there; returns when to look again. */
    private long findRoot(long now) {
        if (nextRootRetry - now > 0) {
            return nextRootRetry;
        }
        nextRootRetry = now + ROOT_RETRY;
        try {
            if (LibC.lstat(source.absolute("")) == null) {
                return nextRootRetry;
            }
            tree = openTree();
            followLinks();
        } catch (IllegalArgumentException | IllegalStateException | PosixException e) {
            // what a limit refused is as many system calls again
            nextRootRetry = now + (e instanceof IllegalStateException ? LIMIT_RETRY : ROOT_RETRY);
            setProblem(e.getMessage());
            return nextRootRetry;
        }
        LOG.info("inotify: {} is back", source.show(""));
        problem = null;
        rescan = false;
        burst.mark("", true);
        nextRootCheck = now + ROOT_CHECK;
        return now;
    }

    private void setProblem(String message) {
        if (!message.equals(problem)) {
            LOG.warn("{}", message);
            problem = message;
        }
    }

    private void send() {
        int count = events;
        events = 0;
        if (links != null) {
            links.update();
        }
        ChangeSet changes = burst.take();
        if (changes.isEmpty()) {
            return;
        }
        Exchange exchange = createExchange(false);
        try {
            exchange.getMessage().setBody(changes);
            exchange.getMessage().setHeader(InotifyEndpoint.EVENTS_HEADER, count);
            getProcessor().process(exchange);
        } catch (Exception e) {
            exchange.setException(e);
        }
        if (exchange.getException() != null) {
            getExceptionHandler()
                    .handleException(
                            "inotify: sending on the changes of " + source.show(""), exchange, exchange.getException());
        }
        releaseExchange(exchange, false);
        lastSent = System.nanoTime();
    }
}
