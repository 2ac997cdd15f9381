package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.camel.Exchange;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.processor.aggregate.DefaultAggregateController;
import org.apache.camel.support.DefaultExchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class GateTest {
    private static final String LIVE = "live";
    private static final String FULL = "full sync";
    private static final List<String> REMOTES = List.of("r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7");
    private static final Exception DOWN = new RsyncException(10, "Connection refused");
    private static final Exception PARTIAL = new RsyncException(23, "a: Permission denied");

    @TempDir
    Path directory;

    private final DefaultCamelContext context = new DefaultCamelContext();
    private final Mirrors mirrors = new Mirrors();
    private final Aggregate aggregate = new Aggregate();
    private final FailQueue failQueue = new FailQueue();
    private final Gate gate = new Gate();

    /** The aggregate of dromedary/push.camel.yaml: under its one lock it merges, asks the gate, and lets go. */
    private final class Aggregate extends DefaultAggregateController {
        private final Map<String, Exchange> waiting = new HashMap<>();
        /** What has left and not come to an end, in the order of leaving. */
        private final Map<Exchange, String> pushing = new LinkedHashMap<>();

        /** Of each full sync under way, what was pushed live meanwhile: at its end it may have undone that. */
        private final Map<Exchange, Set<String>> meanwhile = new HashMap<>();

        private Runnable beforeForced = () -> {};

        synchronized boolean arrive(String remote, String lane, Batch batch) {
            String key = remote + " " + lane;
            Exchange exchange = waiting.get(key);
            if (exchange == null) {
                exchange = new DefaultExchange(context);
                exchange.getMessage().setHeader("remote", remote);
                exchange.getMessage().setHeader("lane", lane);
                exchange.getMessage().setBody(batch);
            } else {
                exchange.getMessage().getBody(Batch.class).absorb(batch);
            }
            if (gate.mayLeave(exchange)) {
                waiting.remove(key);
                leave(key, exchange);
                return true;
            }
            waiting.put(key, exchange);
            return false;
        }

        @Override
        public int forceCompletionOfGroup(String key) {
            beforeForced.run();
            synchronized (this) {
                Exchange exchange = waiting.remove(key);
                if (exchange == null) {
                    return 0;
                }
                leave(key, exchange);
                return 1;
            }
        }

        private void leave(String key, Exchange exchange) {
            exchange.setProperty("batch", exchange.getMessage().getBody());
            pushing.put(exchange, key);
            String remote = exchange.getMessage().getHeader("remote", String.class);
            if (key.endsWith(FULL)) {
                meanwhile.put(exchange, new HashSet<>());
            }
            meanwhile.forEach((full, paths) -> {
                if (remote.equals(full.getMessage().getHeader("remote"))) {
                    pushing.keySet().stream()
                            .filter(other -> pushing.get(other).equals(remote + " " + LIVE))
                            .forEach(live -> paths.addAll(pathsOf(live)));
                }
            });
        }

        /** The end of a push at the remote; what is there now, at the worst. */
        synchronized void arrived(Exchange exchange, Set<String> through) {
            String key = pushing.remove(exchange);
            if (key.endsWith(LIVE)) {
                if (exchange.getProperty("undone") == null) {
                    through.addAll(pathsOf(exchange));
                }
                return;
            }
            through.removeAll(meanwhile.remove(exchange));
            String remote = exchange.getMessage().getHeader("remote", String.class);
            pushing.forEach((other, otherKey) -> {
                if (otherKey.equals(remote + " " + LIVE)) {
                    other.setProperty("undone", true);
                }
            });
        }

        synchronized List<String> pushing() {
            return new ArrayList<>(pushing.values());
        }

        synchronized List<String> waiting() {
            return waiting.keySet().stream().sorted().toList();
        }

        private synchronized Exchange ended(String key) {
            Exchange exchange = pushing.entrySet().stream()
                    .filter(entry -> entry.getValue().equals(key))
                    .findFirst()
                    .orElseThrow(() -> new AssertionError(key + " is not being pushed, but " + pushing()))
                    .getKey();
            pushing.remove(exchange);
            return exchange;
        }
    }

    @BeforeEach
    void remotes() throws IOException {
        Mirror mirror = new Mirror();
        mirror.setId("www");
        mirror.setSource(directory.toString());
        mirror.setMirrors(mirrors);
        mirror.register();
        for (String id : REMOTES) {
            Remote remote = new Remote();
            remote.setId(id);
            remote.setMirror("www");
            remote.setTarget(id + "::www");
            remote.setArgs("-a");
            remote.setMirrors(mirrors);
            remote.register();
        }
        failQueue.setStateDir(directory.resolve("state").toString());
        failQueue.setMirrors(mirrors);
        failQueue.setBackoff("1h");
        failQueue.setMaxBackoff("1h");
        failQueue.open();
        gate.setCamelContext(context);
        gate.setMirrors(mirrors);
        gate.setFailQueue(failQueue);
        gate.setAggregate(aggregate);
        gate.setStateDir(directory.resolve("state").toString());
        gate.setMaxProcesses(100);
    }

    @AfterEach
    void close() throws IOException {
        gate.close();
        failQueue.close();
        context.stop();
    }

    private static Batch batch(String... paths) {
        Batch batch = new Batch();
        batch.merge(changes(paths));
        return batch;
    }

    private static ChangeSet changes(String... paths) {
        ChangeSet changes = new ChangeSet();
        for (String path : paths) {
            changes.add(path, false);
        }
        return changes;
    }

    private static Set<String> paths(ChangeSet set) {
        Set<String> paths = new HashSet<>();
        set.visit((path, dirty, deep) -> {
            if (dirty) {
                paths.add(path);
            }
            return true;
        });
        return paths;
    }

    private static Set<String> pathsOf(Exchange exchange) {
        return paths(exchange.getProperty("batch", Batch.class).changes());
    }

    private boolean live(String remote, String... paths) {
        return aggregate.arrive(remote, LIVE, batch(paths));
    }

    private boolean full(String remote) {
        Batch all = new Batch();
        all.merge(ChangeSet.ofEverything());
        return aggregate.arrive(remote, FULL, all);
    }

    private boolean redeliver(String remote, String... paths) {
        Batch batch = batch(paths);
        batch.redelivered();
        return aggregate.arrive(remote, LIVE, batch);
    }

    @Test
    void aKillLosesNothingThatIsOwedOnceMore() throws IOException {
        Batch full = journalled(FULL, ChangeSet.ofEverything());
        ChangeSet changes = new ChangeSet();
        changes.add("a", false);
        Batch live = journalled(LIVE, changes);
        assertThat(gate.pushed(aggregate.ended("r0 live"))).isNull();
        assertThat(live.files()).allSatisfy(file -> assertThat(file).doesNotExist());
        List<Path> files = List.copyOf(full.files());
        Batch again = gate.pushed(aggregate.ended("r0 full sync"));
        assertThat(paths(again.changes())).containsExactly("a");
        assertThat(files).hasSize(1).allSatisfy(file -> assertThat(file).exists());
        aggregate.arrive("r0", LIVE, again);
        assertThat(gate.pushed(aggregate.ended("r0 live"))).isNull();
        assertThat(files).allSatisfy(file -> assertThat(file).doesNotExist());
    }

    private Batch journalled(String lane, ChangeSet changes) {
        Batch batch = new Batch();
        failQueue.journal("r0", batch, changes);
        batch.merge(changes);
        assertThat(aggregate.arrive("r0", lane, batch)).isTrue();
        return batch;
    }

    private ChangeSet pushed(String key) {
        Batch again = gate.pushed(aggregate.ended(key));
        return again == null ? null : again.changes();
    }

    private void failed(String key, Exception cause) {
        Exchange exchange = aggregate.ended(key);
        exchange.setProperty(Exchange.EXCEPTION_CAUGHT, cause);
        gate.failed(exchange);
    }

    /** Makes it known that the remote is down. */
    private void down(String remote) {
        assertThat(live(remote, "lost")).isTrue();
        failed(remote + " live", DOWN);
    }

    @Test
    void anIdleRemoteIsPushedToAtOnce() {
        assertThat(live("r0", "a")).isTrue();
        assertThat(pushed("r0 live")).isNull();
        assertThat(live("r0", "b")).isTrue();
        assertThat(live("r1", "a")).isTrue();
        assertThat(aggregate.pushing()).containsExactly("r0 live", "r1 live");
    }

    @Test
    void whatComesDuringAPushLeavesTogetherAtItsEnd() {
        live("r0", "a");
        assertThat(live("r0", "b")).isFalse();
        assertThat(live("r0", "c")).isFalse();
        assertThat(aggregate.pushing()).containsExactly("r0 live");
        assertThat(pushed("r0 live")).isNull();
        assertThat(aggregate.pushing()).containsExactly("r0 live");
        assertThat(aggregate.waiting()).isEmpty();
        Exchange second = aggregate.ended("r0 live");
        assertThat(pathsOf(second)).containsExactlyInAnyOrder("b", "c");
        gate.pushed(second);
        assertThat(live("r0", "d")).isTrue();
    }

    /** What a full sync may have undone is not through before it was pushed once more. */
    @Test
    void whatCameBeforeIsThroughOnlyWhenNothingOfItIsOwedAnyMore() throws InterruptedException {
        assertThat(isThrough(System.nanoTime())).as("nothing came").isTrue();
        full("r0");
        live("r0", "a");
        long mark = System.nanoTime();
        assertThat(isThrough(mark)).as("both are being pushed").isFalse();
        pushed("r0 live");
        assertThat(isThrough(mark)).as("the full sync goes on").isFalse();
        Batch again = gate.pushed(aggregate.ended("r0 full sync"));
        assertThat(isThrough(mark)).as("on its way to be pushed once more").isFalse();
        aggregate.arrive("r0", LIVE, again);
        live("r0", "later");
        assertThat(isThrough(mark)).as("being pushed once more").isFalse();
        pushed("r0 live");
        assertThat(isThrough(mark)).as("what waits now came later").isTrue();
        assertThat(isThrough(System.nanoTime())).isFalse();
        pushed("r0 live");
        assertThat(isThrough(System.nanoTime())).isTrue();
        assertThat(gate.progress("r0").lagSeconds()).isZero();
    }

    @Test
    void aRemoteThatIsDownOrPausedIsNotWaitedFor() throws IOException, InterruptedException {
        live("r0", "a");
        gate.pause("r0");
        assertThat(isThrough(System.nanoTime())).isTrue();
        assertThat(gate.progress("r0").state()).isEqualTo("paused");
        assertThat(live("r0", "b")).isFalse();
        pushed("r0 live");
        assertThat(aggregate.pushing()).isEmpty();
        gate.resume("r0");
        assertThat(aggregate.pushing()).containsExactly("r0 live");
        assertThat(isThrough(System.nanoTime())).isFalse();
        failed("r0 live", DOWN);
        assertThat(isThrough(System.nanoTime())).isTrue();
        assertThat(gate.progress("r0").state()).isEqualTo("down");
    }

    private boolean isThrough(long mark) throws InterruptedException {
        return gate.awaitThrough("r0", mark, System.nanoTime());
    }

    @Test
    void noMoreProcessesThanAllowed() {
        gate.setMaxProcesses(2);
        assertThat(live("r0", "a")).isTrue();
        assertThat(full("r0")).isTrue();
        assertThat(live("r1", "a")).isFalse();
        assertThat(full("r1")).isFalse();
        pushed("r0 live");
        assertThat(aggregate.pushing()).containsExactly("r0 full sync", "r1 live");
        pushed("r0 full sync");
        assertThat(aggregate.pushing()).containsExactly("r1 live", "r1 full sync");
    }

    /** A busy remote does not take the place of those that waited longer. */
    @Test
    void waitingRemotesTakeTurns() {
        gate.setMaxProcesses(1);
        live("r0", "a");
        for (String remote : List.of("r3", "r1", "r2", "r0")) {
            assertThat(live(remote, "b")).isFalse();
        }
        List<String> turns = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            String now = aggregate.pushing().get(0);
            turns.add(now.substring(0, 2));
            // It has more to do at once, again and again.
            live(now.substring(0, 2), "c");
            pushed(now);
            assertThat(aggregate.pushing()).hasSize(1);
        }
        assertThat(turns).containsExactly("r0", "r3", "r1", "r2", "r0", "r3", "r1", "r2", "r0", "r3", "r1", "r2");
    }

    @Test
    void aDownRemoteIsTriedByRedeliveryOnly() {
        down("r0");
        assertThat(live("r0", "a")).isFalse();
        assertThat(full("r0")).isFalse();
        live("r1", "a");
        pushed("r1 live");
        assertThat(aggregate.waiting()).containsExactly("r0 full sync", "r0 live");

        assertThat(redeliver("r0", "lost")).isTrue();
        Exchange try1 = aggregate.ended("r0 live");
        assertThat(pathsOf(try1)).containsExactlyInAnyOrder("a", "lost");
        try1.setProperty(Exchange.EXCEPTION_CAUGHT, DOWN);
        gate.failed(try1);
        assertThat(live("r0", "b")).isFalse();
        assertThat(aggregate.pushing()).isEmpty();

        assertThat(redeliver("r0", "lost")).isTrue();
        pushed("r0 live");
        assertThat(aggregate.pushing()).as("up again: what waited goes on").containsExactly("r0 full sync");
        assertThat(live("r0", "c")).isTrue();
    }

    @Test
    void downRemotesTakeHalfOfTheProcessesAtMost() {
        for (String remote : REMOTES) {
            down(remote);
        }
        gate.setMaxProcesses(4);
        assertThat(redeliver("r0", "a")).isTrue();
        assertThat(redeliver("r1", "a")).isTrue();
        assertThat(redeliver("r2", "a")).isFalse();
        assertThat(redeliver("r3", "a")).isFalse();
        failed("r0 live", DOWN);
        assertThat(aggregate.pushing()).containsExactly("r1 live", "r2 live");
        pushed("r1 live");
        assertThat(aggregate.pushing()).containsExactly("r2 live", "r3 live");
        assertThat(live("r1", "b")).as("half is left to those that are up").isTrue();
        assertThat(full("r1")).isTrue();
        assertThat(redeliver("r4", "a")).isFalse();
        assertThat(aggregate.pushing()).hasSize(4);
    }

    @Test
    void whereThereIsOneProcessOnlyADownRemoteMayTryToo() {
        down("r0");
        gate.setMaxProcesses(1);
        assertThat(redeliver("r0", "a")).isTrue();
    }

    @Test
    void liveChangesGoOnDuringAFullSyncAndComeOnceMoreAfterIt() {
        assertThat(full("r0")).isTrue();
        assertThat(live("r0", "a")).isTrue();
        assertThat(pushed("r0 live")).isNull();
        assertThat(live("r0", "b")).isTrue();
        assertThat(pushed("r0 live")).isNull();
        assertThat(paths(pushed("r0 full sync"))).containsExactlyInAnyOrder("a", "b");
        // The same once more, but no third time.
        assertThat(live("r0", "a", "b")).isTrue();
        assertThat(pushed("r0 live")).isNull();
    }

    @Test
    void aLivePushThatBeganBeforeTheFullSyncComesOnceMoreToo() {
        live("r0", "a");
        full("r0");
        assertThat(pushed("r0 live")).isNull();
        assertThat(paths(pushed("r0 full sync"))).containsExactly("a");
    }

    @Test
    void aLivePushThatOutlivesTheFullSyncComesOnceMoreItself() {
        full("r0");
        live("r0", "a");
        assertThat(pushed("r0 full sync")).isNull();
        assertThat(paths(pushed("r0 live"))).containsExactly("a");
        live("r0", "a");
        assertThat(pushed("r0 live")).isNull();
    }

    @Test
    void aFullSyncAloneAsksForNothingMore() {
        full("r0");
        live("r1", "a");
        assertThat(pushed("r1 live")).isNull();
        assertThat(pushed("r0 full sync")).isNull();
    }

    @Test
    void someChangesThatDoNotGoThroughHoldUpNoOthers() {
        live("r0", "unreadable");
        live("r0", "b");
        failed("r0 live", PARTIAL);
        assertThat(aggregate.pushing()).containsExactly("r0 live");
        pushed("r0 live");
        assertThat(live("r0", "c")).isTrue();
        assertThat(full("r0")).isTrue();
    }

    @Test
    void whatAPushOwesIsForgottenOnceItIsThrough() throws IOException {
        Batch batch = new Batch();
        failQueue.journal("r0", batch, changes("a"));
        batch.merge(changes("a"));
        Path file = batch.files().get(0);
        aggregate.arrive("r0", LIVE, batch);
        assertThat(file).exists();
        pushed("r0 live");
        assertThat(file).doesNotExist();
    }

    @Test
    void anIdleRemotesFirstChangeWaitsForCompanyIfAsked() {
        gate.setMaxWait(150);
        long start = System.nanoTime();
        assertThat(live("r0", "a")).isFalse();
        assertThat(live("r0", "b")).isFalse();
        assertThat(aggregate.pushing()).isEmpty();
        await().until(() -> !aggregate.pushing().isEmpty());
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(Duration.ofMillis(150));
        assertThat(live("r0", "c")).isFalse();
        Exchange first = aggregate.ended("r0 live");
        assertThat(pathsOf(first)).containsExactlyInAnyOrder("a", "b");
        gate.pushed(first);
        assertThat(aggregate.pushing())
                .as("a busy remote's changes have waited")
                .containsExactly("r0 live");
        assertThat(redeliver("r1", "x")).as("what failed has waited").isTrue();
    }

    /** A lane looked for a batch that had left already; meanwhile it held the only place. */
    @Test
    void aPlaceThatWasTakenInVainIsPassedOn() {
        gate.setMaxProcesses(1);
        live("r0", "a");
        live("r0", "b");
        // One more joins the batch between the gate's decision and the batch's leaving: its lane seems to wait still.
        aggregate.beforeForced = once(() -> live("r0", "c"));
        pushed("r0 live");
        // When that push ends there is nothing; just then another remote asks and finds no place.
        aggregate.beforeForced = once(() -> assertThat(live("r1", "x")).isFalse());
        pushed("r0 live");
        assertThat(aggregate.pushing()).containsExactly("r1 live");
    }

    /** Full syncs that seem to be under way, as one that had left already was looked for, keep nothing for their end. */
    @Test
    void whatAFullSyncMayHaveUndoneComesAgainThoughALaneSeemsTaken() {
        full("r0");
        full("r0");
        // One more joins the next full sync as that leaves.
        aggregate.beforeForced = once(() -> full("r0"));
        pushed("r0 full sync");
        live("r0", "a");
        List<ChangeSet> again = new ArrayList<>();
        aggregate.beforeForced = once(() -> again.add(pushed("r0 live")));
        pushed("r0 full sync");
        assertThat(again).hasSize(1).doesNotContainNull();
        assertThat(paths(again.get(0))).containsExactly("a");
    }

    private static Runnable once(Runnable action) {
        AtomicReference<Runnable> left = new AtomicReference<>(action);
        return () -> {
            Runnable now = left.getAndSet(null);
            if (now != null) {
                now.run();
            }
        };
    }

    /** Many threads add, many push, some remotes fail and come back: in the end everything added has been pushed. */
    @Test
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void nothingIsLostWhateverTheInterleaving() throws Exception {
        long seed = new Random().nextLong();
        for (int maxProcesses : new int[] {1, 2, 3, 100}) {
            interleave(seed, maxProcesses, "seed " + seed + ", max-processes " + maxProcesses);
        }
    }

    private void interleave(long seed, int maxProcesses, String description) throws Exception {
        gate.setMaxProcesses(maxProcesses);
        int adders = 4;
        int each = 500;
        AtomicInteger adding = new AtomicInteger(adders);
        Map<String, Set<String>> added = new TreeMap<>();
        Map<String, Set<String>> through = new TreeMap<>();
        Map<String, Set<String>> owed = new TreeMap<>();
        for (String remote : REMOTES) {
            added.put(remote, ConcurrentHashMap.newKeySet());
            through.put(remote, ConcurrentHashMap.newKeySet());
            owed.put(remote, ConcurrentHashMap.newKeySet());
        }
        Set<String> overrun = ConcurrentHashMap.newKeySet();
        ExecutorService threads = Executors.newCachedThreadPool();
        List<Future<?>> ends = new ArrayList<>();
        for (int i = 0; i < adders; i++) {
            Random random = new Random(seed + i);
            int adder = i;
            ends.add(threads.submit(() -> {
                for (int n = 0; n < each; n++) {
                    String remote = REMOTES.get(random.nextInt(REMOTES.size()));
                    String path = description.hashCode() + "-" + adder + "-" + n;
                    added.get(remote).add(path);
                    if (random.nextInt(50) == 0) {
                        full(remote);
                    }
                    live(remote, path);
                }
                adding.decrementAndGet();
            }));
        }
        for (int i = 0; i < 4; i++) {
            Random random = new Random(seed - i - 1);
            ends.add(threads.submit(() -> {
                while (push(random, adding.get() == 0, maxProcesses, through, owed, overrun)) {
                    Thread.onSpinWait();
                }
            }));
        }
        // Redelivery, as often as it likes.
        ends.add(threads.submit(() -> {
            while (!threads.isShutdown()) {
                owed.forEach((remote, paths) -> {
                    List<String> now = List.copyOf(paths);
                    if (!now.isEmpty()) {
                        paths.removeAll(now);
                        redeliver(remote, now.toArray(String[]::new));
                    }
                });
                Thread.onSpinWait();
            }
        }));
        try {
            await(description).atMost(Duration.ofSeconds(20)).untilAsserted(() -> assertThat(missing(added, through))
                    .isEmpty());
        } finally {
            threads.shutdown();
            finished = true;
            assertThat(threads.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
            finished = false;
        }
        for (Future<?> end : ends) {
            end.get();
        }
        assertThat(overrun).as(description).isEmpty();
        // What is pushed over and over waits for a while by itself.
        await(description).atMost(Duration.ofSeconds(10)).untilAsserted(() -> {
            while (!aggregate.pushing().isEmpty()) {
                pushed(aggregate.pushing().get(0));
            }
            assertThat(aggregate.waiting()).isEmpty();
        });
    }

    private volatile boolean finished;

    private static Map<String, Integer> missing(Map<String, Set<String>> added, Map<String, Set<String>> through) {
        Map<String, Integer> missing = new TreeMap<>();
        added.forEach((remote, paths) -> {
            Set<String> left = new HashSet<>(paths);
            left.removeAll(through.get(remote));
            if (!left.isEmpty()) {
                missing.put(remote, left.size());
            }
        });
        return missing;
    }

    /** Ends one of the pushes under way, one way or the other; false once all is over. */
    private boolean push(
            Random random,
            boolean calm,
            int maxProcesses,
            Map<String, Set<String>> through,
            Map<String, Set<String>> owed,
            Set<String> overrun) {
        Exchange exchange;
        synchronized (aggregate) {
            List<Exchange> now = List.copyOf(aggregate.pushing.keySet());
            if (now.size() > maxProcesses) {
                overrun.add(now.size() + " at once");
            }
            if (new HashSet<>(aggregate.pushing.values()).size() < now.size()) {
                overrun.add("two pushes in one lane: " + aggregate.pushing.values());
            }
            if (now.isEmpty()) {
                return !finished;
            }
            exchange = now.get(random.nextInt(now.size()));
            String remote = exchange.getMessage().getHeader("remote", String.class);
            if (!calm
                    && random.nextInt(5) == 0
                    && LIVE.equals(exchange.getMessage().getHeader("lane"))) {
                exchange.setProperty(Exchange.EXCEPTION_CAUGHT, random.nextBoolean() ? DOWN : PARTIAL);
                owed.get(remote).addAll(pathsOf(exchange));
                aggregate.pushing.remove(exchange);
            } else {
                aggregate.arrived(exchange, through.get(remote));
            }
        }
        if (exchange.getProperty(Exchange.EXCEPTION_CAUGHT) != null) {
            gate.failed(exchange);
        } else {
            Batch again = gate.pushed(exchange);
            if (again != null) {
                live(
                        exchange.getMessage().getHeader("remote", String.class),
                        paths(again.changes()).toArray(String[]::new));
            }
        }
        return true;
    }
}
