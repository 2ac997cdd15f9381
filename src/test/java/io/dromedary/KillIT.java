package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Api;
import io.dromedary.testbed.Churn;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Signals;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * kill -9 at random moments of churn, with a remote that is well, one that is slow and one that is down at times.
 * {@code -Ddromedary.kills=N} kills N times in each of the two tests, 10 by default.
 */
class KillIT {
    private static final int KILLS = Integer.getInteger("dromedary.kills", 10);
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final List<String> REMOTES = List.of("well", "slow", "down");

    @TempDir
    Path directory;

    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);
    private final List<RsyncDaemon> daemons = new ArrayList<>();
    private Path source;
    private Configuration configuration;

    @BeforeEach
    void remotes() throws IOException {
        System.out.println("kills with seed " + seed);
        source = Files.createDirectory(directory.resolve("source"));
        configuration = new Configuration(directory, source);
        for (String id : REMOTES) {
            RsyncDaemon daemon = new RsyncDaemon()
                    .module("m", Files.createDirectory(directory.resolve(id)))
                    .start();
            daemons.add(daemon);
            configuration.remote(id, daemon.url("m"), "bwlimit: " + (id.equals("slow") ? "4000" : "0"));
        }
    }

    @AfterEach
    void close() {
        daemons.forEach(RsyncDaemon::close);
    }

    private RsyncDaemon slow() {
        return daemons.get(1);
    }

    private RsyncDaemon sick() {
        return daemons.get(2);
    }

    /**
     * What was read from the kernel before the kill arrives without a full sync. That it was read is known of all that was
     * changed before the last file of the round, once each remote has that file or owes it: events come in order, and
     * those that are read go to the state directory in order. The kill comes while pushes run and another directory
     * goes on changing; what was lost of that, changes that nobody had read, is made good by a new name for that directory.
     */
    @Test
    void whatWasReadBeforeTheKillArrivesWithoutAFullSync() throws Exception {
        configuration.set("full-sync.initial=false");
        Churn churn = new Churn(Files.createDirectory(source.resolve("a")), random.nextLong());
        churn.run(50);
        for (String id : REMOTES) {
            assertThat(Command.run(
                                    "cp",
                                    "-a",
                                    source + "/.",
                                    directory.resolve(id).toString())
                            .exitCode())
                    .isZero();
        }
        int named = 0;
        for (int kill = 0; kill <= KILLS; kill++) {
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("watching", START);
                if (kill > 0) {
                    Files.move(source.resolve("b" + kill), source.resolve("c" + kill));
                    sick().stop();
                    sick().start();
                    awaitEqual("after kill " + kill);
                }
                if (kill == KILLS) {
                    assertThat(dromedary.output()).doesNotContain("full sync");
                    break;
                }
                if (random.nextBoolean()) {
                    sick().stop();
                }
                boolean hangs = random.nextBoolean();
                if (hangs) {
                    // What is on its way there now does not arrive before the kill.
                    churn.run(20);
                    slow().suspend();
                }
                Path beside = Files.createDirectory(source.resolve("b" + (kill + 1)));
                Churn another = new Churn(beside, random.nextLong()).pace(300);
                Thread churning = new Thread(() -> another.run(SOON), "churn");
                churning.start();
                try {
                    churn.run(20 + random.nextInt(150));
                    String last = "last" + kill;
                    Files.writeString(source.resolve("a").resolve(last), last);
                    for (String id : REMOTES) {
                        named += awaitKnown(id, last) ? 1 : 0;
                    }
                    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(random.nextInt(300)));
                    dromedary.kill();
                } finally {
                    churning.interrupt();
                    churning.join();
                    if (hangs) {
                        slow().resume();
                    }
                }
                if (random.nextBoolean()) {
                    sick().stop();
                    sick().start();
                }
            }
        }
        assertThat(named)
                .as("that all of it was owed as a whole is the exception")
                .isGreaterThan(KILLS);
    }

    /** Whether the file itself is known, at the remote or on disk as owed to it; false: all of the tree is owed. */
    private boolean awaitKnown(String remote, String file) {
        Path copy = directory.resolve(remote).resolve("a").resolve(file);
        return await().atMost(SOON)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(2))
                .until(
                        () -> {
                            List<String> owed = configuration.owed(remote);
                            if (owed.contains("entry a/" + file) || Files.exists(copy)) {
                                return Boolean.TRUE;
                            }
                            return owed.contains("tree .") || owed.contains("tree a") ? Boolean.FALSE : null;
                        },
                        known -> known != null);
    }

    @Test
    void whatChangedWhileItWasDeadIsFoundByTheFullSyncAtStart() throws Exception {
        Churn churn = new Churn(source, random.nextLong());
        churn.run(200);
        for (int kill = 0; kill <= KILLS; kill++) {
            try (DromedaryProcess dromedary = configuration.run()) {
                dromedary.awaitLine("watching", START);
                if (kill == KILLS) {
                    awaitEqual("at the end");
                    break;
                }
                Thread killer = new Thread(
                        () -> {
                            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(random.nextInt(900)));
                            dromedary.kill();
                        },
                        "killer");
                killer.start();
                churn.run(Duration.ofMillis(700));
                killer.join();
                churn.run(random.nextInt(100));
            }
        }
    }

    private void awaitEqual(String when) {
        for (String id : REMOTES) {
            try {
                Trees.awaitEqual(source, directory.resolve(id), SOON);
            } catch (AssertionError e) {
                throw new AssertionError(when + ", seed " + seed + ": " + e.getMessage(), e);
            }
        }
    }

    /** Its state directory is all it writes to. */
    @Test
    void nothingIsLeftInTheTemporaryDirectory() throws Exception {
        Path temporary = Files.createDirectory(directory.resolve("tmp"));
        Path near = Files.createDirectory(directory.resolve("near"));
        Configuration one = new Configuration(directory, source)
                .remote("near", near.toString())
                .set(new Api().setting());
        try (DromedaryProcess dromedary = one.run(Map.of("DROMEDARY_JAVA_OPTS", "-Djava.io.tmpdir=" + temporary))) {
            dromedary.awaitLine("near: .*live", START);
            dromedary.kill();
        }
        assertThat(temporary).isEmptyDirectory();
    }

    /** An rsync that a kill left behind works by a list that is old: it would undo what the next run pushes. */
    @Test
    void rsyncThatOutlivesTheKillDoesNotOutliveTheNextStart() throws Exception {
        Files.write(source.resolve("large"), new byte[3 << 20]);
        Configuration slow = new Configuration(directory, source)
                .remote("well", daemons.get(0).url("m"), "bwlimit: 100");
        ProcessHandle rsync;
        try (DromedaryProcess dromedary = slow.run()) {
            rsync = await().atMost(START)
                    .until(
                            () -> ProcessHandle.of(dromedary.pid()).stream()
                                    .flatMap(ProcessHandle::children)
                                    .filter(child ->
                                            child.info().command().orElse("").endsWith("/rsync"))
                                    .filter(child -> child.info()
                                            .arguments()
                                            .map(words -> List.of(words).contains("--stats"))
                                            .orElse(false))
                                    .findFirst()
                                    .orElse(null),
                            child -> child != null);
            // It may not notice by itself: its progress goes to a pipe that nobody reads any more.
            Signals.stop(rsync.pid());
            Signals.kill(dromedary.pid());
            assertThat(dromedary.exitCode(SOON)).isEqualTo(137);
            assertThat(Signals.isRunning(rsync)).isTrue();
            try (DromedaryProcess next = slow.run()) {
                next.awaitLine("watching", START);
                assertThat(Signals.isRunning(rsync)).isFalse();
            }
        }
    }
}
