package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirrors;
import io.dromedary.posix.Entries;
import io.dromedary.posix.OwnerOnly;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.camel.Body;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.Exchange;
import org.apache.camel.processor.aggregate.AggregateController;
import org.apache.camel.spi.ThreadPoolProfile;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says when a remote's waiting batch may leave the aggregate: at once if no push to it is under way, else the moment
 * that push ends; so nothing is delayed on purpose but what comes in a stream, over and over or temporary ({@link Pace}), and
 * batches grow with load by themselves.
 *
 * <p>Each remote has several {@link Lane}s, with at most one push each: live changes, full syncs, and one for each large
 * file, of which some leave at once. So none of these stops another. What was pushed live while a full sync ran is pushed once more after it, since rsync may have
 * listed the tree before and undone it. All lanes together run at most max-processes pushes, waiting lanes in turn, of
 * which remotes that are down may use half. A remote that is down is tried by redelivery only.
 */
public final class Gate implements CamelContextAware, AutoCloseable {
    /** The log of what was pushed, in sums; changes of a remote's state are in the one above it. */
    public static final String SUMMARIES = "dromedary.push.summary";

    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");
    private static final Logger SUMMARY_LOG = LoggerFactory.getLogger(SUMMARIES);

    private static final int MAX_ERRORS = 20;

    /** Large files that have lanes, for each remote; more of them wait on one, so that an outage costs bounded memory. */
    static final int MOST_LARGE = 1_000;

    /** Large files that wait of which more is told than their number. */
    private static final int MOST_TOLD = 20;

    /** What a remote takes in a second, for the order of large files: a slow line's and a fast one's lie on both sides. */
    private static final long BYTES_PER_SECOND = 10_000_000;

    private static final String NEARLY_THERE = "it is nearly there, and is sent to its end";

    private static final long ORIGIN = System.nanoTime();
    private static final long SUMMARY = 10_000;

    private CamelContext context;
    private Mirrors mirrors;
    private FailQueue failQueue;
    private AggregateController aggregate;
    private LargeFiles largeFiles = new LargeFiles();
    private int maxProcesses;
    private int largePushes = 2;
    private int largeRunning;
    private long maxWait;
    private ScheduledExecutorService timer;

    private final Map<String, State> states = new HashMap<>();
    private final Set<Track> waitingForSlot = new LinkedHashSet<>();
    private final List<Consumer<Push>> listeners = new CopyOnWriteArrayList<>();
    private Path pausedDir;
    private boolean initialSync;
    private boolean stopping;
    private int running;
    private int runningDown;

    /** How one remote fares. */
    private static final class State {
        final Track live;
        final Track full;
        final Track later;
        /** Of large files that wait or are being pushed, by path. */
        final Map<String, Track> large = new LinkedHashMap<>();

        int largeRunning;
        /** Since a large file did not get there; until any push does, these are tried by redelivery only. */
        boolean largeUnreachable;
        /** Each error of large files is logged once, until one goes through. */
        final Set<String> largeErrors = new HashSet<>();

        final Pace pace = new Pace();
        /** What was pushed live since the full sync under way began. */
        Batch again = new Batch();
        /** On its way to be pushed once more. */
        final List<Batch> returning = new ArrayList<>();

        boolean down;
        boolean halted;
        boolean paused;
        boolean synced;
        int tries;
        /** Each of an outage's errors is logged once, not once a try. */
        final Set<String> errors = new HashSet<>();

        /** Null when no push was told lately. */
        Summary summary;

        Instant lastPush;
        String lastError;
        long changes;
        long pushes;
        long bytesSent;

        State(String remote) {
            live = new Track(remote, Lane.LIVE, this);
            full = new Track(remote, Lane.FULL, this);
            later = new Track(remote, Lane.LATER, this);
        }

        /** All lanes, in the order in which they may leave. */
        List<Track> tracks() {
            List<Track> all = new ArrayList<>(List.of(live, full));
            all.addAll(largeInTurn());
            all.add(later);
            return all;
        }

        List<Track> largeInTurn() {
            return large.values().stream()
                    .sorted(Comparator.comparingLong((Track lane) -> lane.deferred)
                            .thenComparingLong(Track::turn))
                    .toList();
        }
    }

    /** What was pushed since it was last told. */
    private static final class Summary {
        long pushes;
        long changes;
        long bytes;
        long nanos;
    }

    /** What is under way and waits on one lane; its key is the aggregate's correlation key. */
    private static final class Track {
        final Lane lane;
        final String remote;
        final String key;
        final State state;
        boolean inFlight;
        /** How often it was taken, and whether what was to leave then has left; where nothing waited, it is let go at once. */
        int taken;

        boolean left;
        /** What is pushed just now, and what gathers behind it; the same one in between. */
        Batch pushing;

        Batch gathering;
        long started;
        boolean waiting;
        boolean redelivery;
        boolean probing;
        boolean delayed;
        boolean overlapped;
        /** What waits, if that is little, and until when it does although it could leave, by {@link System#nanoTime}. */
        List<String> paths = List.of();

        long pausedUntil = System.nanoTime();
        boolean pausing;

        /** Bytes of the file of a large lane, when it was last looked at. */
        long size;
        /** When, since {@link #ORIGIN}, a person has put it off, so that all others go before it; 0: nobody has. */
        long deferred;
        /** What waits is forgotten by hand: it leaves at once, and nothing is pushed of it. */
        boolean dropped;

        Track(String remote, Lane lane, State state) {
            this.lane = lane;
            this.remote = remote;
            this.key = remote + " " + lane;
            this.state = state;
        }

        /** A large file's turn: the oldest comes first, but for the time that a file takes, smaller ones go before it. */
        long turn() {
            long since = gathering == null ? started : gathering.sinceNanos();
            return since - ORIGIN + size / BYTES_PER_SECOND * 1_000_000_000L;
        }

        boolean isNext() {
            return waiting && !inFlight && !dropped;
        }
    }

    @Override
    public void setCamelContext(CamelContext camelContext) {
        this.context = camelContext;
    }

    @Override
    public CamelContext getCamelContext() {
        return context;
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setFailQueue(FailQueue failQueue) {
        this.failQueue = failQueue;
    }

    public void setAggregate(AggregateController aggregate) {
        this.aggregate = aggregate;
    }

    /** How many rsync processes at once; 0: cores × 2 + 2. */
    public void setMaxProcesses(int maxProcesses) {
        this.maxProcesses =
                maxProcesses > 0 ? maxProcesses : Runtime.getRuntime().availableProcessors() * 2 + 2;
    }

    public void setLargeFiles(LargeFiles largeFiles) {
        this.largeFiles = largeFiles;
    }

    /** How many large files at once for a remote. */
    public void setLargePushes(int largePushes) {
        this.largePushes = largePushes;
    }

    /** How long, in milliseconds, an idle remote's first change waits for others to leave with it. */
    public void setMaxWait(long maxWait) {
        this.maxWait = maxWait;
    }

    /** Whether a remote counts as synced only after a full sync in this run. */
    public void setInitialSync(boolean initialSync) {
        this.initialSync = initialSync;
    }

    /** Where it is remembered over restarts which remotes are paused. */
    public void setStateDir(String stateDir) {
        this.pausedDir = Path.of(stateDir).toAbsolutePath().normalize().resolve("paused");
    }

    /** Makes the thread pool known that pushes run on: one thread for each rsync. */
    public void open() {
        ThreadPoolProfile pushers = new ThreadPoolProfile("dromedary-pushers");
        pushers.setPoolSize(maxProcesses);
        pushers.setMaxPoolSize(maxProcesses);
        pushers.setAllowCoreThreadTimeOut(true);
        context.getExecutorServiceManager().registerThreadPoolProfile(pushers);
    }

    /** The lane that what a message carries, a change set or a batch, goes by. */
    public String lane(@Body Object changes) {
        if (changes instanceof Batch batch) {
            return batch.lane().toString();
        }
        return (changes instanceof ChangeSet set && set.isEverything() ? Lane.FULL : Lane.LIVE).toString();
    }

    /** Completion predicate of the aggregate: whether the batch, just added to, leaves now. */
    public synchronized boolean mayLeave(Exchange exchange) {
        Track lane = track(exchange);
        Batch batch = exchange.getMessage().getBody(Batch.class);
        lane.waiting = true;
        lane.gathering = batch;
        // A change that comes after that is none of what was dropped.
        lane.dropped = false;
        batch.withdraw(Batch.Withdrawn.NO);
        lane.state.changes += batch.takeArrived();
        lane.state.returning.removeIf(arrived -> arrived == batch || arrived.isAbsorbed());
        lane.redelivery |= batch.isRedelivery();
        if (lane.lane.isLarge() && batch.changes().size() == 1) {
            largeFiles.owe(remote(exchange), lane.lane.path());
            lane.size = size(remote(exchange), lane.lane.path());
        }
        pace(lane, batch);
        if (maxWait > 0 && !lane.redelivery && !lane.lane.isLarge()) {
            if (!lane.delayed && !lane.inFlight) {
                lane.delayed = true;
                later(() -> delayOver(lane), maxWait);
            }
            return false;
        }
        boolean leaves = take(lane);
        lane.left |= leaves;
        return leaves;
    }

    private long size(String remote, String path) {
        try {
            Stat stat = Entries.lstat(
                    ByteString.of(mirrors.remote(remote).mirror().source().toString()) + "/" + path);
            return stat == null ? 0 : stat.size();
        } catch (PosixException e) {
            return 0;
        }
    }

    private void pace(Track lane, Batch batch) {
        long now = System.nanoTime();
        lane.pausedUntil = now + (lane.lane.isLarge() ? largeFiles.pause(lane.remote, lane.lane.path(), now) : 0);
        lane.paths = List.of();
        if (lane != lane.state.live || lane.redelivery) {
            return;
        }
        List<String> paths = new ArrayList<>();
        if (batch.changes().size() <= Pace.MOST_ASKED) {
            batch.changes().visit((path, dirty, deep) -> {
                if (dirty) {
                    paths.add(path);
                }
                return true;
            });
        }
        lane.paths = paths;
        lane.pausedUntil = now + lane.state.pace.pause(paths, batch.sinceNanos(), now);
    }

    private void delayOver(Track lane) {
        synchronized (this) {
            lane.delayed = false;
        }
        drain(lane);
    }

    private void pauseOver(Track lane) {
        synchronized (this) {
            lane.pausing = false;
        }
        drain(lane);
    }

    private synchronized void later(Runnable task, long millis) {
        if (stopping) {
            return;
        }
        if (timer == null) {
            timer = context.getExecutorServiceManager().newSingleThreadScheduledExecutor(this, "push-timer");
        }
        timer.schedule(task, millis, TimeUnit.MILLISECONDS);
    }

    /** After the last step of a push that went well; returns what has to be pushed once more, or null. */
    public Batch pushed(Exchange exchange) {
        Track lane = track(exchange);
        String remote = remote(exchange);
        Batch batch = exchange.getProperty("batch", Batch.class);
        Batch again = null;
        Push push;
        boolean handedOver;
        synchronized (this) {
            State state = lane.state;
            if (lane == state.live && lane.overlapped) {
                // Of a full sync that has not left nobody would get back what is kept for its end.
                if (state.full.inFlight && state.full.left) {
                    if (state.again.changes().isEmpty() || batch.sinceNanos() - state.again.sinceNanos() < 0) {
                        state.again.sinceNanos(batch.sinceNanos());
                    }
                    state.again.repeat(batch);
                } else {
                    again = batch.again(batch);
                }
            } else if (lane == state.full && !state.again.changes().isEmpty()) {
                again = batch.again(state.again);
                state.again = new Batch();
            }
            if (again != null) {
                state.returning.add(again);
            }
            failQueue.through(remote, batch);
            boolean partial = !batch.refused().isEmpty();
            handedOver = batch.isHandedOver();
            batch.unneeded().forEach(path -> largeFiles.partials().end(remote, path));
            if (lane.lane.isLarge() && (batch.isSettled() || !lane.waiting)) {
                largeFiles.settle(remote, lane.lane.path());
            }
            if (state.tries > 0 && !batch.isWithdrawn()) {
                String now = state.down ? "up again" : "all changes are through";
                LOG.info("{}: {} after {} failed tries", remote, now, state.tries);
            }
            if (!batch.isWithdrawn()) {
                state.down = false;
                state.largeUnreachable = false;
                state.halted = false;
                state.tries = 0;
                state.errors.clear();
                if (lane.lane.isLarge()) {
                    state.largeErrors.clear();
                }
            }
            if (!handedOver) {
                state.lastPush = Instant.now();
                state.pushes++;
            }
            state.bytesSent += batch.bytesSent();
            if (partial) {
                state.lastError = batch.refused().values().iterator().next().words();
            }
            push = push(remote, lane, batch, partial ? "partial" : "ok");
            if (!handedOver) {
                report(push, lane);
            }
            // In the same step as the question what has to come again: a live push ends before this full sync or after.
            release(lane);
        }
        next(lane);
        if (!handedOver) {
            listeners.forEach(listener -> listener.accept(push));
        }
        return again;
    }

    /**
     * A push that came to its end.
     *
     * @param changes how many were in it
     * @param nanos how long it took, all rsync calls together
     * @param outcome ok, partial (some paths did not go through), down or halted
     */
    public record Push(String remote, boolean fullSync, int changes, long bytes, long nanos, String outcome) {}

    private static Push push(String remote, Track lane, Batch batch, String outcome) {
        return new Push(
                remote,
                lane == lane.state.full,
                batch == null ? 0 : batch.changes().size(),
                batch == null ? 0 : batch.bytesSent(),
                System.nanoTime() - lane.started,
                outcome);
    }

    /** Tells the listener of every push from now on, on the thread of the push. */
    public void listen(Consumer<Push> listener) {
        listeners.add(listener);
    }

    private void report(Push push, Track lane) {
        State state = lane.state;
        double seconds = TimeUnit.NANOSECONDS.toMillis(push.nanos()) / 1000.0;
        if (push.fullSync()) {
            String live = state.synced ? "" : "; live";
            state.synced = true;
            String but = push.outcome().equals("ok") ? "" : " but for what is refused";
            LOG.info("{}: full sync done in {} s{}, {} bytes sent{}", push.remote(), seconds, but, push.bytes(), live);
            return;
        }
        LOG.debug("{}: {} changes, {} bytes sent", push.remote(), push.changes(), push.bytes());
        if (push.changes() == 0 || !SUMMARY_LOG.isInfoEnabled()) {
            return;
        }
        if (state.summary == null) {
            SUMMARY_LOG.info(
                    "{}: pushed {} ({} bytes) in {} s", push.remote(), paths(push.changes()), push.bytes(), seconds);
            state.summary = new Summary();
            later(() -> summarize(push.remote(), state), SUMMARY);
        } else {
            state.summary.pushes++;
            state.summary.changes += push.changes();
            state.summary.bytes += push.bytes();
            state.summary.nanos += push.nanos();
        }
    }

    /** After a first push that is told at once, those of the next seconds are told together. */
    private synchronized void summarize(String remote, State state) {
        Summary summary = state.summary;
        if (summary.pushes == 0) {
            state.summary = null;
            return;
        }
        SUMMARY_LOG.info(
                "{}: pushed {} ({} bytes) in {} pushes of {} s in all",
                remote,
                paths(summary.changes),
                summary.bytes,
                summary.pushes,
                TimeUnit.NANOSECONDS.toMillis(summary.nanos) / 1000.0);
        state.summary = new Summary();
        later(() -> summarize(remote, state), SUMMARY);
    }

    private static String paths(long count) {
        return count + (count == 1 ? " path" : " paths");
    }

    /** After a push that failed and whose batch is in the fail queue. */
    public void failed(Exchange exchange) {
        Track lane = track(exchange);
        String remote = remote(exchange);
        Exception cause = RsyncException.in(exchange.getProperty(Exchange.EXCEPTION_CAUGHT, Exception.class));
        Push push;
        synchronized (this) {
            State state = lane.state;
            // A large file that does not go through, for whatever reason, keeps no others: whether the remote is down,
            // they
            // find out, and soon.
            boolean large = lane.lane.isLarge();
            boolean partial = large || cause instanceof RsyncException rsync && rsync.getMeaning() == Meaning.PARTIAL;
            Set<String> errors = large ? state.largeErrors : state.errors;
            if (large) {
                state.largeUnreachable |= cause instanceof RsyncException rsync && rsync.isUnreachable();
            } else {
                state.tries++;
                state.down = !partial;
                state.halted = cause instanceof HaltedException;
            }
            String error = String.valueOf(cause.getMessage());
            // Seconds waited and positions in files differ from try to try; paths that did not go through are told
            // each.
            String known = partial ? error : error.replaceAll("\\d+", "#");
            if (!stopping && errors.size() < MAX_ERRORS && errors.add(known)) {
                String how = large
                        ? "a large file did not go through"
                        : partial
                                ? "some changes did not go through"
                                : cause instanceof HaltedException ? "halted" : "down";
                LOG.warn("{}: {}: {}", remote, how, error);
            }
            state.lastError = error;
            push = push(remote, lane, exchange.getProperty("batch", Batch.class), partial ? "partial" : word(state));
            release(lane);
        }
        next(lane);
        listeners.forEach(listener -> listener.accept(push));
    }

    /** After a lane's release: what waits for a slot, and what has gathered behind this lane, may leave. */
    private void next(Track ended) {
        List<Track> candidates;
        synchronized (this) {
            candidates = new ArrayList<>(waitingForSlot);
            waitingForSlot.clear();
            candidates.addAll(ended.state.tracks());
        }
        candidates.forEach(this::drain);
    }

    /** Lets a waiting batch go if it may. */
    private void drain(Track lane) {
        int taken;
        synchronized (this) {
            if (!lane.waiting || !take(lane)) {
                return;
            }
            taken = lane.taken;
        }
        if (aggregate.forceCompletionOfGroup(lane.key) == 0) {
            // What waited has left already; but others may wait by now, for this lane or for the slot it took.
            synchronized (this) {
                release(lane);
            }
            next(lane);
        } else {
            synchronized (this) {
                lane.left |= lane.taken == taken;
            }
        }
    }

    /** Whether what waits on a lane on which nothing is under way may leave now. */
    private boolean isDue(Track lane) {
        State state = lane.state;
        if (state.paused || state.down && !lane.redelivery) {
            return false;
        }
        long pause = lane.pausedUntil - System.nanoTime();
        if (pause > 0) {
            if (!lane.pausing) {
                lane.pausing = true;
                later(() -> pauseOver(lane), TimeUnit.NANOSECONDS.toMillis(pause) + 1);
            }
            return false;
        }
        if (lane.lane.isLarge()
                // Where that works it would take what a large push has not finished for something too much.
                && (state.full.inFlight
                        || state.largeRunning >= largePushes
                        || state.largeUnreachable && !lane.redelivery)) {
            return false;
        }
        if (lane == state.later && largeFiles.owed(lane.remote) > MOST_LARGE / 2) {
            return false;
        }
        if (lane.lane.isLarge() && largeRunning >= Math.max(1, maxProcesses / 2)) {
            waitingForSlot.add(lane);
            return false;
        }
        if (running >= maxProcesses || state.down && runningDown >= Math.max(1, maxProcesses / 2)) {
            waitingForSlot.add(lane);
            return false;
        }
        return true;
    }

    private boolean take(Track lane) {
        State state = lane.state;
        if (stopping || lane.inFlight || !lane.dropped && !isDue(lane)) {
            return false;
        }
        if (lane.dropped) {
            lane.gathering.withdraw(Batch.Withdrawn.DROPPED);
        }
        lane.dropped = false;
        lane.deferred = 0;
        running++;
        if (lane.lane.isLarge()) {
            largeRunning++;
            state.largeRunning++;
        }
        if (state.down) {
            runningDown++;
            lane.probing = true;
        }
        lane.inFlight = true;
        lane.taken++;
        lane.left = false;
        if (lane == state.live) {
            state.pace.pushed(lane.paths, System.nanoTime());
        }
        lane.paths = List.of();
        lane.pushing = lane.gathering;
        lane.started = System.nanoTime();
        lane.waiting = false;
        lane.redelivery = false;
        lane.overlapped = lane == state.live && state.full.inFlight;
        if (lane == state.full) {
            if (!state.again.changes().isEmpty()
                    && lane.pushing != null
                    && lane.pushing.sinceNanos() - state.again.sinceNanos() > 0) {
                lane.pushing.sinceNanos(state.again.sinceNanos());
            }
            state.again = new Batch();
            state.live.overlapped = true;
        }
        return true;
    }

    private void release(Track lane) {
        lane.inFlight = false;
        if (lane.gathering == lane.pushing) {
            // It was still being added to when it was let go.
            lane.gathering = null;
        }
        lane.pushing = null;
        running--;
        if (lane.lane.isLarge()) {
            largeRunning--;
            lane.state.largeRunning--;
            largeFiles.ended(lane.remote, lane.lane.path());
            if (!lane.waiting) {
                lane.state.large.remove(lane.lane.path());
            }
        }
        notifyAll();
        if (lane.probing) {
            lane.probing = false;
            runningDown--;
        }
    }

    /**
     * Pushes nothing more to this remote, over restarts too, until it is resumed; its changes go on collecting. What is on
     * its way comes to its end, but for large files: these go on when it is resumed.
     */
    public void pause(String remote) throws IOException {
        Path mark = pausedDir.resolve(mirrors.remote(remote).id());
        Files.createDirectories(pausedDir, OwnerOnly.directory());
        Files.writeString(mark, "nothing is pushed to this remote until it is resumed\n");
        Map<Track, Batch> large = new LinkedHashMap<>();
        synchronized (this) {
            State state = state(remote);
            if (!state.paused) {
                LOG.info("{}: paused", remote);
            }
            state.paused = true;
            state.large.values().stream().filter(lane -> lane.inFlight).forEach(lane -> large.put(lane, lane.pushing));
        }
        // Any other push comes to its end soon.
        large.forEach(
                (lane, batch) -> largeFiles.withdraw(lane.remote, lane.lane.path(), batch, Batch.Withdrawn.PUT_BACK));
    }

    /** The way back from {@link #pause}; a remote that is down or halted is tried at once. */
    public void resume(String remote) throws IOException {
        Files.deleteIfExists(pausedDir.resolve(mirrors.remote(remote).id()));
        State state;
        synchronized (this) {
            state = state(remote);
            if (state.paused) {
                LOG.info("{}: resumed", remote);
            }
            state.paused = false;
        }
        failQueue.retry(remote);
        List<Track> all;
        synchronized (this) {
            all = state.tracks();
        }
        all.forEach(this::drain);
    }

    /**
     * Lets all other large files of this remote go before this one, which goes on later where it is by then.
     *
     * @param path a byte string
     * @return why it cannot be put off; null: it is
     */
    public String defer(String remote, String path) {
        Track lane;
        Batch pushing;
        synchronized (this) {
            State state = state(mirrors.remote(remote).id());
            lane = state.large.get(largeFiles.lane(remote, path).path());
            if (lane == null) {
                return "no such large file waits or is on its way";
            }
            boolean last = state.large.values().stream().noneMatch(one -> one != lane && one.isNext());
            if (last && state.later.gathering == null) {
                return "no other large file waits";
            }
            pushing = lane.inFlight ? lane.pushing : null;
            lane.deferred = System.nanoTime() - ORIGIN;
            if (waitingForSlot.remove(lane)) {
                waitingForSlot.add(lane);
            }
        }
        if (pushing != null && !largeFiles.withdraw(remote, lane.lane.path(), pushing, Batch.Withdrawn.PUT_BACK)) {
            return NEARLY_THERE;
        }
        LOG.info("{}: put off: {}", remote, ByteString.readable(path));
        return null;
    }

    /**
     * Forgets one path that is owed to this remote, until it changes or the next full sync: a large file that waits, is on
     * its way or has failed, or a path that was refused.
     *
     * @param path a byte string
     * @return why it cannot be forgotten; null: it is
     */
    public String drop(String remote, String path) {
        Track lane;
        Batch pushing;
        synchronized (this) {
            lane = state(mirrors.remote(remote).id())
                    .large
                    .get(largeFiles.lane(remote, path).path());
            pushing = lane != null && lane.inFlight ? lane.pushing : null;
        }
        if (pushing != null && !largeFiles.withdraw(remote, lane.lane.path(), pushing, Batch.Withdrawn.DROPPED)) {
            return NEARLY_THERE;
        }
        boolean failed = failQueue.drop(remote, path);
        if (lane == null && !failed) {
            return "it neither waits as a large file nor has failed by itself";
        }
        if (lane == null) {
            largeFiles.settle(remote, path);
        } else {
            synchronized (this) {
                lane.dropped = lane.waiting;
            }
            drain(lane);
        }
        LOG.info("{}: dropped: {}", remote, ByteString.readable(path));
        return null;
    }

    /**
     * Forgets what this remote has failed to get, see {@link FailQueue#drop}; but not a first full sync.
     *
     * @return how many changes that were
     */
    public int dropFailed(String remote) {
        int dropped = failQueue.drop(remote, !progress(remote).synced());
        synchronized (this) {
            largeFiles.settleAllBut(remote, state(remote).large.keySet());
        }
        return dropped;
    }

    /**
     * The large files of one remote.
     *
     * @param sending on their way, by their names of now
     * @param next the next ones that wait, 20 at most
     * @param waiting how many wait in all
     * @param bytes of these, but for those beyond 1,000
     */
    public record Large(List<LargeFiles.Progress> sending, List<LargeFiles.Progress> next, long waiting, long bytes) {
        /** Of those on their way, how far into their files they are. */
        public long sent() {
            return sending.stream().mapToLong(LargeFiles.Progress::sent).sum();
        }

        /** What is not at the remote yet. */
        public long bytesLeft() {
            return bytes
                    + sending.stream().mapToLong(one -> one.size() - one.sent()).sum();
        }
    }

    /** The large files that this remote is to get; those that have failed are in the fail queue. */
    public synchronized Large large(String remote) {
        State state = state(mirrors.remote(remote).id());
        List<Track> waiting = state.largeInTurn().stream().filter(Track::isNext).toList();
        Batch more = state.later.gathering;
        return new Large(
                largeFiles.sending(remote),
                waiting.stream()
                        .limit(MOST_TOLD)
                        .map(one -> new LargeFiles.Progress(one.lane.path(), one.size, 0, 0, -1))
                        .toList(),
                waiting.size() + (more == null ? 0 : more.changes().size()),
                waiting.stream().mapToLong(one -> one.size).sum());
    }

    /**
     * How one remote fares.
     *
     * @param state syncing, live, pushing, down, paused or halted
     * @param synced whether a full sync is through, or none was asked for
     * @param changes how many have come for it since the start
     * @param pending how many of them wait or are being pushed
     * @param failed how many are in the fail queue
     * @param refused how many of these are paths that the remote refuses, or that cannot be read for it
     * @param refusal what of these a person is told, in one line; null: none are refused
     * @param lagSeconds the age of the oldest change not yet there; 0 when there is none
     * @param lastPush when a push last went well; null: never in this run
     * @param lastError rsync's words when a push last failed; null: never in this run
     * @param pushes how many went well
     * @param bytesSent by these
     */
    public record Progress(
            String state,
            boolean synced,
            long changes,
            long pending,
            long failed,
            long refused,
            String refusal,
            double lagSeconds,
            Instant lastPush,
            String lastError,
            long pushes,
            long bytesSent) {
        /** Whether changes are pushed to it. */
        public boolean isUp() {
            return !Set.of("down", "paused", "halted").contains(state);
        }
    }

    /** How this remote fares now. */
    public synchronized Progress progress(String remote) {
        State state = state(mirrors.remote(remote).id());
        long pending = 0;
        for (Track lane : state.tracks()) {
            pending += lane.pushing == null ? 0 : lane.pushing.pending();
            pending += lane.gathering == null || lane.gathering == lane.pushing ? 0 : lane.gathering.pending();
        }
        Long oldest = oldest(remote, state, failQueue.oldest(remote));
        Collection<FailQueue.Failure> refused = failQueue.refusedBy(remote);
        return new Progress(
                word(state),
                state.synced || !initialSync,
                state.changes,
                pending,
                failQueue.failed(remote).stream()
                        .mapToLong(FailQueue.Failure::changes)
                        .sum(),
                refused.size(),
                RefusedPaths.told(refused),
                oldest == null ? 0 : Math.max(0, System.nanoTime() - oldest) / 1e9,
                state.lastPush,
                state.lastError,
                state.pushes,
                state.bytesSent);
    }

    private String word(State state) {
        if (state.paused) {
            return "paused";
        }
        if (state.down) {
            return state.halted ? "halted" : "down";
        }
        if (state.full.inFlight || state.full.waiting || initialSync && !state.synced) {
            return "syncing";
        }
        return state.live.inFlight || state.largeRunning > 0 ? "pushing" : "live";
    }

    /**
     * When the oldest change that is not yet at this remote happened, by {@link System#nanoTime}; or null.
     *
     * @param failed that of the fail queue
     */
    private Long oldest(String remote, State state, Long failed) {
        List<Batch> owed = new ArrayList<>(state.returning);
        for (Track lane : state.tracks()) {
            owed.add(lane.pushing);
            owed.add(lane.gathering);
        }
        Long oldest = failed;
        // After a full sync that failed, until the next try or until a person drops it.
        if (!state.again.changes().isEmpty() && (state.full.inFlight || state.full.waiting || oldest != null)) {
            owed.add(state.again);
        }
        for (Batch batch : owed) {
            if (batch != null && (oldest == null || batch.sinceNanos() - oldest < 0)) {
                oldest = batch.sinceNanos();
            }
        }
        return oldest;
    }

    /**
     * Waits until nothing that came before is owed to a remote any more: not waiting, not being pushed, not failed, and
     * not to be pushed once more because of a full sync. What it refuses is waited for only while it is tried again.
     *
     * @param mark what came before, on the clock of {@link System#nanoTime}
     * @param deadline until when to wait, on that clock
     * @return whether it came to that, or the remote is not up
     */
    public synchronized boolean awaitThrough(String remote, long mark, long deadline) throws InterruptedException {
        State state = state(mirrors.remote(remote).id());
        while (!state.down && !state.paused) {
            Long oldest = oldest(remote, state, failQueue.oldestExpected(remote));
            if ((oldest == null || oldest - mark > 0) && (state.synced || !initialSync)) {
                return true;
            }
            long left = deadline - System.nanoTime();
            if (left <= 0 || stopping) {
                return false;
            }
            // Each end of a push wakes this; what a person does to the fail queue's files does not.
            TimeUnit.NANOSECONDS.timedWait(this, Math.min(left, TimeUnit.MILLISECONDS.toNanos(200)));
        }
        return true;
    }

    /**
     * Lets no more batches leave, they stay in the state directory, and waits for the pushes under way.
     *
     * @return whether all have ended within that time
     */
    public synchronized boolean stop(Duration atMost) throws InterruptedException {
        stopping = true;
        // Camel's end would wait for what is still to come.
        close();
        long end = System.nanoTime() + atMost.toNanos();
        for (long left = atMost.toNanos(); running > 0 && left > 0; left = end - System.nanoTime()) {
            TimeUnit.NANOSECONDS.timedWait(this, left);
        }
        return running == 0;
    }

    private synchronized Track track(Exchange exchange) {
        State state = state(remote(exchange));
        Lane lane = Lane.of(exchange.getMessage().getHeader("lane", String.class));
        return switch (lane.kind()) {
            case LIVE -> state.live;
            case FULL -> state.full;
            case LATER -> state.later;
            case LARGE -> state.large.computeIfAbsent(lane.path(), path -> new Track(remote(exchange), lane, state));
        };
    }

    private State state(String remote) {
        return states.computeIfAbsent(remote, id -> {
            State state = new State(id);
            state.paused = pausedDir != null && Files.exists(pausedDir.resolve(id));
            return state;
        });
    }

    private String remote(Exchange exchange) {
        return mirrors.remote(exchange.getMessage().getHeader("remote", String.class))
                .id();
    }

    @Override
    public void close() {
        if (timer != null) {
            context.getExecutorServiceManager().shutdownNow(timer);
        }
    }
}
