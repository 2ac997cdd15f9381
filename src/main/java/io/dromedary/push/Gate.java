package io.dromedary.push;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirrors;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.Exchange;
import org.apache.camel.processor.aggregate.AggregateController;
import org.apache.camel.spi.ThreadPoolProfile;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says when a remote's waiting batch may leave the aggregate: at once if no push to it is under way, else the moment
 * that push ends; so nothing is delayed on purpose, and batches grow with load by themselves.
 *
 * <p>Each remote has two lanes, live changes and full syncs, with at most one push each, so that a full sync does not
 * stop the live part. What was pushed live while a full sync ran is pushed once more after it, since rsync may have
 * listed the tree before and undone it. All lanes together run at most max-processes pushes, waiting lanes in turn, of
 * which remotes that are down may use half. A remote that is down is tried by redelivery only.
 */
public final class Gate implements CamelContextAware, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    private static final int MAX_ERRORS = 20;

    private CamelContext context;
    private Mirrors mirrors;
    private FailQueue failQueue;
    private AggregateController aggregate;
    private int maxProcesses;
    private long maxWait;
    private ScheduledExecutorService timer;

    private final Map<String, State> states = new HashMap<>();
    private final Set<Lane> waitingForSlot = new LinkedHashSet<>();
    private boolean stopping;
    private int running;
    private int runningDown;

    /** How one remote fares. */
    private static final class State {
        final Lane live;
        final Lane full;
        /** What was pushed live since the full sync under way began. */
        ChangeSet again = new ChangeSet();

        boolean down;
        boolean synced;
        int tries;
        /** Each of an outage's errors is logged once, not once a try. */
        final Set<String> errors = new HashSet<>();

        State(String remote) {
            live = new Lane(remote + " live", this);
            full = new Lane(remote + " full sync", this);
        }
    }

    /** One of the two ways to a remote; its key is the aggregate's correlation key. */
    private static final class Lane {
        final String key;
        final State state;
        boolean inFlight;
        boolean waiting;
        boolean redelivery;
        boolean probing;
        boolean delayed;
        boolean overlapped;

        Lane(String key, State state) {
            this.key = key;
            this.state = state;
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

    /** How long, in milliseconds, an idle remote's first change waits for others to leave with it. */
    public void setMaxWait(long maxWait) {
        this.maxWait = maxWait;
    }

    /** Makes the thread pool known that pushes run on: one thread for each rsync. */
    public void open() {
        ThreadPoolProfile pushers = new ThreadPoolProfile("pushers");
        pushers.setPoolSize(maxProcesses);
        pushers.setMaxPoolSize(maxProcesses);
        pushers.setAllowCoreThreadTimeOut(true);
        context.getExecutorServiceManager().registerThreadPoolProfile(pushers);
    }

    /** Completion predicate of the aggregate: whether the batch, just added to, leaves now. */
    public synchronized boolean mayLeave(Exchange exchange) {
        Lane lane = lane(exchange);
        lane.waiting = true;
        lane.redelivery |= exchange.getMessage().getBody(Batch.class).isRedelivery();
        if (maxWait > 0 && !lane.redelivery) {
            if (!lane.delayed && !lane.inFlight) {
                lane.delayed = true;
                timer().schedule(() -> delayOver(lane), maxWait, TimeUnit.MILLISECONDS);
            }
            return false;
        }
        return take(lane);
    }

    private void delayOver(Lane lane) {
        synchronized (this) {
            lane.delayed = false;
        }
        drain(lane);
    }

    private ScheduledExecutorService timer() {
        if (timer == null) {
            timer = context.getExecutorServiceManager().newSingleThreadScheduledExecutor(this, "push-delay");
        }
        return timer;
    }

    /** After the last step of a push that went well; returns what has to be pushed once more, or null. */
    public Batch pushed(Exchange exchange) {
        Lane lane = lane(exchange);
        String remote = remote(exchange);
        Batch batch = exchange.getProperty("batch", Batch.class);
        Batch again = null;
        synchronized (this) {
            State state = lane.state;
            if (lane == state.live && lane.overlapped) {
                if (state.full.inFlight) {
                    state.again.merge(batch.changes());
                } else {
                    again = batch.again(batch.changes());
                }
            } else if (lane == state.full && !state.again.isEmpty()) {
                again = batch.again(state.again);
            }
            failQueue.through(remote, batch);
            if (state.tries > 0) {
                String now = state.down ? "up again" : "all changes are through";
                LOG.info("{}: {} after {} failed tries", remote, now, state.tries);
            }
            state.down = false;
            state.tries = 0;
            state.errors.clear();
            report(remote, lane, batch, exchange);
            // In the same step as the question what has to come again: a live push ends before this full sync or after.
            release(lane);
        }
        next(lane);
        return again;
    }

    private void report(String remote, Lane lane, Batch batch, Exchange exchange) {
        double seconds = exchange.getClock().elapsed() / 1000.0;
        if (lane == lane.state.full && !lane.state.synced) {
            lane.state.synced = true;
            LOG.info("{}: full sync done in {} s, {} bytes sent; live", remote, seconds, batch.bytesSent());
        } else if (LOG.isDebugEnabled()) {
            LOG.debug("{}: {} changes, {} bytes sent", remote, batch.changes().size(), batch.bytesSent());
        }
    }

    /** After a push that failed and whose batch is in the fail queue. */
    public void failed(Exchange exchange) {
        Lane lane = lane(exchange);
        String remote = remote(exchange);
        Exception cause = RsyncException.in(exchange.getProperty(Exchange.EXCEPTION_CAUGHT, Exception.class));
        synchronized (this) {
            State state = lane.state;
            state.tries++;
            boolean partial = cause instanceof RsyncException rsync && rsync.getMeaning() == Meaning.PARTIAL;
            String error = String.valueOf(cause.getMessage());
            // Seconds waited and positions in files differ from try to try; paths that did not go through are told
            // each.
            String known = partial ? error : error.replaceAll("\\d+", "#");
            if (!stopping && state.errors.size() < MAX_ERRORS && state.errors.add(known)) {
                String how = partial
                        ? "some changes did not go through"
                        : cause instanceof HaltedException ? "halted" : "down";
                LOG.warn("{}: {}: {}", remote, how, error);
            }
            // What one unreadable file owes is redelivered; the rest goes on meanwhile.
            state.down = !partial;
            release(lane);
        }
        next(lane);
    }

    /** After a lane's release: what waits for a slot, and what has gathered behind this lane, may leave. */
    private void next(Lane ended) {
        List<Lane> candidates;
        synchronized (this) {
            candidates = new ArrayList<>(waitingForSlot);
            waitingForSlot.clear();
            candidates.add(ended.state.live);
            candidates.add(ended.state.full);
        }
        candidates.forEach(this::drain);
    }

    /** Lets a waiting batch go if it may. */
    private void drain(Lane lane) {
        synchronized (this) {
            if (!lane.waiting || !take(lane)) {
                return;
            }
        }
        if (aggregate.forceCompletionOfGroup(lane.key) == 0) {
            // What waited has left already; but others may wait by now, for this lane or for the slot it took.
            synchronized (this) {
                release(lane);
            }
            next(lane);
        }
    }

    private boolean take(Lane lane) {
        State state = lane.state;
        if (stopping || lane.inFlight || state.down && !lane.redelivery) {
            return false;
        }
        if (running >= maxProcesses || state.down && runningDown >= Math.max(1, maxProcesses / 2)) {
            waitingForSlot.add(lane);
            return false;
        }
        running++;
        if (state.down) {
            runningDown++;
            lane.probing = true;
        }
        lane.inFlight = true;
        lane.waiting = false;
        lane.redelivery = false;
        lane.overlapped = lane == state.live && state.full.inFlight;
        if (lane == state.full) {
            state.again = new ChangeSet();
            state.live.overlapped = true;
        }
        return true;
    }

    private void release(Lane lane) {
        lane.inFlight = false;
        running--;
        notifyAll();
        if (lane.probing) {
            lane.probing = false;
            runningDown--;
        }
    }

    /**
     * Lets no more batches leave, they stay in the state directory, and waits for the pushes under way.
     *
     * @return whether all have ended within that time
     */
    public synchronized boolean stop(Duration atMost) throws InterruptedException {
        stopping = true;
        long end = System.nanoTime() + atMost.toNanos();
        for (long left = atMost.toNanos(); running > 0 && left > 0; left = end - System.nanoTime()) {
            TimeUnit.NANOSECONDS.timedWait(this, left);
        }
        return running == 0;
    }

    private synchronized Lane lane(Exchange exchange) {
        State state = states.computeIfAbsent(remote(exchange), State::new);
        return "full sync".equals(exchange.getMessage().getHeader("lane")) ? state.full : state.live;
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
