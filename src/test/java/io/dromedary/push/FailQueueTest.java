package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.testbed.Names;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class FailQueueTest {
    private static final Exception ERROR = new RsyncException(10, "Connection refused");

    @TempDir
    Path directory;

    private Path state;
    private final Mirrors mirrors = new Mirrors();
    private final List<FailQueue> opened = new ArrayList<>();

    @BeforeEach
    void twoRemotes() throws IOException {
        state = directory.resolve("state");
        Mirror mirror = new Mirror();
        mirror.setId("www");
        mirror.setSource(directory.toString());
        mirror.setMirrors(mirrors);
        mirror.register();
        for (String id : List.of("web1", "web2")) {
            Remote remote = new Remote();
            remote.setId(id);
            remote.setMirror("www");
            remote.setTarget(id + "::www");
            remote.setArgs("-a");
            remote.setMirrors(mirrors);
            remote.register();
        }
    }

    @AfterEach
    void close() throws IOException {
        for (FailQueue queue : opened) {
            queue.close();
        }
        opened.clear();
    }

    private FailQueue queue(String backoff, String maxBackoff) throws IOException {
        // A state directory serves one at a time; what an earlier one left stays as a kill would leave it.
        close();
        FailQueue queue = new FailQueue();
        queue.setStateDir(state.toString());
        queue.setMirrors(mirrors);
        queue.setBackoff(backoff);
        queue.setMaxBackoff(maxBackoff);
        queue.open();
        opened.add(queue);
        return queue;
    }

    /** Everything that failed is due at once. */
    private FailQueue queue() throws IOException {
        return queue("0", "0");
    }

    private static ChangeSet changes(String... entries) {
        ChangeSet changes = new ChangeSet();
        for (String entry : entries) {
            boolean deep = entry.endsWith("/");
            changes.add(deep ? entry.substring(0, entry.length() - 1) : entry, deep);
        }
        return changes;
    }

    /** As the aggregate does it. */
    private static void add(FailQueue queue, String remote, Batch batch, ChangeSet changes) {
        queue.journal(remote, batch, changes);
        batch.merge(changes);
    }

    private static Batch failed(FailQueue queue, String remote, ChangeSet changes) {
        Batch batch = new Batch();
        add(queue, remote, batch, changes);
        queue.keep(remote, batch, ERROR);
        return batch;
    }

    private static Map<String, Boolean> content(ChangeSet set) {
        Map<String, Boolean> content = new TreeMap<>();
        set.visit((path, dirty, deep) -> {
            if (dirty) {
                content.put(path, deep);
            }
            return true;
        });
        return content;
    }

    private static List<String> lines(FailQueue.Failure failure) {
        try {
            return failure.lines();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Batch theOneDue(FailQueue queue, String remote) {
        List<FailQueue.Redelivery> due = queue.due();
        assertThat(due).extracting(FailQueue.Redelivery::remote).containsExactly(remote);
        return due.get(0).batch();
    }

    private List<Path> files() throws IOException {
        if (!Files.exists(state)) {
            return List.of();
        }
        try (Stream<Path> all = Files.walk(state)) {
            return all.filter(Files::isRegularFile)
                    .map(state::relativize)
                    .filter(path -> !path.equals(Path.of("pid")))
                    .toList();
        }
    }

    private static String byteString(byte[] name) {
        return new String(name, StandardCharsets.ISO_8859_1);
    }

    @Test
    void nothingIsWrittenBeforeAnythingHappens() throws IOException {
        assertThat(queue().due()).isEmpty();
        assertThat(files()).isEmpty();
    }

    @Test
    void whatIsPendingIsOnDiskUntilItIsThrough() throws IOException {
        FailQueue queue = queue();
        Batch batch = new Batch();
        add(queue, "web1", batch, changes("a"));
        add(queue, "web1", batch, changes("b", "c/"));
        assertThat(files()).singleElement().matches(file -> file.startsWith("pending/web1"));
        assertThat(Files.readString(state.resolve(files().get(0))).lines())
                .containsExactlyInAnyOrder("entry a", "entry b", "tree c");
        assertThat(queue.due()).isEmpty();
        queue.through("web1", batch);
        assertThat(files()).isEmpty();
        assertThat(queue.due()).isEmpty();
    }

    @Test
    void whatFailedIsKeptAndDueOnceUntilItIsThrough() throws IOException {
        FailQueue queue = queue();
        failed(queue, "web1", changes("a", "b/"));
        assertThat(files()).singleElement().matches(file -> file.startsWith("failed/web1"));

        Batch again = theOneDue(queue, "web1");
        assertThat(content(again.changes())).isEqualTo(Map.of("a", false, "b", true));
        assertThat(again.isRedelivery()).isTrue();
        // While it is being tried, however long, it is not due once more.
        assertThat(queue.due()).isEmpty();
        assertThat(files()).hasSize(1);
        queue.through("web1", again);
        assertThat(files()).isEmpty();
        assertThat(queue.due()).isEmpty();
    }

    @Test
    void severalFailedBatchesAreMergedIntoOne() throws IOException {
        FailQueue queue = queue();
        failed(queue, "web1", changes("a", "d/1"));
        failed(queue, "web1", changes("b", "d/"));
        failed(queue, "web2", changes("c"));
        assertThat(files()).hasSize(3);
        Map<String, Map<String, Boolean>> due = new TreeMap<>();
        for (FailQueue.Redelivery one : queue.due()) {
            due.put(one.remote(), content(one.batch().changes()));
            queue.through(one.remote(), one.batch());
        }
        assertThat(due)
                .isEqualTo(Map.of("web1", Map.of("a", false, "b", false, "d", true), "web2", Map.of("c", false)));
        assertThat(files()).isEmpty();
    }

    @Test
    void aRedeliveryThatFailsReplacesItsFiles() throws IOException {
        FailQueue queue = queue();
        failed(queue, "web1", changes("a"));
        failed(queue, "web1", changes("b"));
        queue.keep("web1", theOneDue(queue, "web1"), ERROR);
        assertThat(files()).hasSize(1);
        assertThat(content(theOneDue(queue, "web1").changes())).isEqualTo(Map.of("a", false, "b", false));
    }

    /** A live push may well go through while what failed before still waits. */
    @Test
    void whatGoesThroughForgetsNothingElse() throws IOException {
        FailQueue queue = queue("1h", "1h");
        failed(queue, "web1", changes("a"));
        assertThat(queue.due()).isEmpty();
        Batch other = new Batch();
        add(queue, "web1", other, changes("b"));
        queue.through("web1", other);
        assertThat(content(theOneDue(queue, "web1").changes()))
                .as("due at once, for the remote is up")
                .isEqualTo(Map.of("a", false));
    }

    @Test
    void namesOfAnyBytesComeBack() throws IOException {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        Names names = new Names(random);
        ChangeSet changes = new ChangeSet();
        for (byte[] name : Names.odd()) {
            changes.add(byteString(name), random.nextBoolean());
        }
        for (int i = 0; i < 500; i++) {
            changes.add(byteString(names.next()) + "/" + byteString(names.next()), random.nextBoolean());
        }
        changes.add("", false);
        FailQueue queue = queue();
        Batch batch = new Batch();
        add(queue, "web1", batch, changes);
        assertThat(content(theOneDue(queue(), "web1").changes()))
                .as("journal, seed %d", seed)
                .isEqualTo(content(changes));
        queue.keep("web1", batch, ERROR);
        assertThat(content(theOneDue(queue(), "web1").changes()))
                .as("failed, seed %d", seed)
                .isEqualTo(content(changes));
    }

    @Test
    void everythingComesBackAsEverything() throws IOException {
        failed(queue(), "web1", ChangeSet.ofEverything());
        assertThat(theOneDue(queue(), "web1").isEverything()).isTrue();
    }

    @Test
    void filesAndDirectoriesAreForTheirOwnerOnly() throws IOException {
        FailQueue queue = queue();
        failed(queue, "web1", changes("a"));
        add(queue, "web1", new Batch(), changes("b"));
        try (Stream<Path> all = Files.walk(state)) {
            for (Path path : all.toList()) {
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                        .as(path.toString())
                        .isEqualTo(Files.isDirectory(path) ? "rwx------" : "rw-------");
            }
        }
        assertThat(files()).hasSize(2);
    }

    @Test
    void aFailedFileTellsPeopleWhatItIs() throws IOException {
        Batch batch = new Batch();
        batch.merge(changes("a\nb"));
        queue().keep("web1", batch, new RsyncException(12, "first line\nsecond é"));
        assertThat(Files.readString(state.resolve(files().get(0))))
                .isEqualTo(
                        """
                        # not yet at web1 (web1::www); delete this file to forget it
                        # oldest change: %s
                        # tries: 1
                        # error: first line\\x0asecond é (rsync exit code 12)
                        entry a\\x0ab
                        """
                                .formatted(batch.since()));
    }

    @Test
    void theAgeOfTheOldestChangeSurvives() throws IOException {
        Instant longAgo = Instant.now().minus(Duration.ofDays(3));
        Batch batch = new Batch();
        batch.merge(changes("a"));
        batch.since(longAgo);
        FailQueue queue = queue();
        queue.keep("web1", batch, ERROR);
        failed(queue, "web1", changes("b"));
        assertThat(Duration.between(theOneDue(queue(), "web1").since(), longAgo))
                .isBetween(Duration.ZERO, Duration.ofMillis(1));
    }

    @Test
    void whatAnEarlierRunLeftIsDueAtOnce() throws IOException {
        FailQueue killed = queue("1h", "1h");
        failed(killed, "web1", changes("failed"));
        add(killed, "web1", new Batch(), changes("pending"));
        add(killed, "web2", new Batch(), changes("other/"));
        assertThat(killed.due()).isEmpty();

        Map<String, Map<String, Boolean>> due = new TreeMap<>();
        FailQueue next = queue("1h", "1h");
        for (FailQueue.Redelivery one : next.due()) {
            due.put(one.remote(), content(one.batch().changes()));
            next.through(one.remote(), one.batch());
        }
        assertThat(due)
                .isEqualTo(Map.of("web1", Map.of("failed", false, "pending", false), "web2", Map.of("other", true)));
        assertThat(files()).isEmpty();
    }

    @Test
    void whatIsOwedToARemoteThatIsNoLongerConfiguredStays() throws IOException {
        Files.createDirectories(state.resolve("failed/web9"));
        Files.writeString(state.resolve("failed/web9/1.changes"), "entry a\n");
        assertThat(queue().due()).isEmpty();
        assertThat(files()).hasSize(1);
    }

    @Test
    void aDeletedFileIsForgotten() throws IOException {
        FailQueue queue = queue();
        failed(queue, "web1", changes("a"));
        Path first = files().get(0);
        failed(queue, "web1", changes("b"));
        Files.delete(state.resolve(first));
        Batch rest = theOneDue(queue, "web1");
        assertThat(content(rest.changes())).isEqualTo(Map.of("b", false));
        queue.keep("web1", rest, ERROR);
        Files.delete(state.resolve(files().get(0)));
        Batch nothing = theOneDue(queue, "web1");
        assertThat(nothing.changes().isEmpty()).isTrue();
        queue.through("web1", nothing);
        assertThat(queue.due()).isEmpty();
    }

    @Test
    void whatIsDroppedIsForgottenButForAFirstFullSync() throws IOException {
        FailQueue queue = queue();
        failed(queue, "web1", ChangeSet.ofEverything());
        failed(queue, "web1", changes("a"));
        failed(queue, "web2", changes("b"));
        assertThat(queue.drop("web1", true)).isEqualTo(1);
        assertThat(queue.failed("web1"))
                .singleElement()
                .extracting(failure -> lines(failure))
                .isEqualTo(List.of("tree ."));
        assertThat(queue.drop("web2", false)).isEqualTo(1);
        assertThat(queue.failed("web2")).isEmpty();
        // Nothing has failed, so nothing comes up.
        assertThat(queue.drop("web2", true)).isZero();
        assertThat(queue.failed("web2")).isEmpty();
        List<FailQueue.Redelivery> due = queue().due();
        assertThat(due).extracting(FailQueue.Redelivery::remote).containsExactly("web1");
        assertThat(due.get(0).batch().isEverything()).isTrue();
    }

    /** A kill may cut a line short, a person may edit a file. */
    @Test
    void whatCannotBeReadDelaysNothingElse() throws IOException {
        Path web1 = Files.createDirectories(state.resolve("failed/web1"));
        Path web2 = Files.createDirectories(state.resolve("failed/web2"));
        Files.writeString(web1.resolve("1.changes"), "entry a\nentry cut\\x0");
        Files.writeString(web1.resolve("2.changes"), "# oldest change: yesterday\nentry b\\q\n\nwhat\ntree c\n");
        Files.createDirectory(web1.resolve("3.changes"));
        Files.writeString(web2.resolve("1.changes"), "entry d\n");
        Map<String, Map<String, Boolean>> due = new TreeMap<>();
        queue().due().forEach(one -> due.put(one.remote(), content(one.batch().changes())));
        assertThat(due).isEqualTo(Map.of("web1", Map.of("a", false, "c", true), "web2", Map.of("d", false)));
    }

    @Test
    void whatAKillLeftHalfWrittenIsRemoved() throws IOException {
        for (String kind : List.of("pending", "failed")) {
            Path remote = Files.createDirectories(state.resolve(kind).resolve("web1"));
            Files.writeString(remote.resolve("1.changes.new"), "entry a\nent");
        }
        assertThat(queue().due()).isEmpty();
        assertThat(files()).isEmpty();
    }

    @Test
    void noNameIsUsedTwiceEvenIfTheClockWentBack() throws IOException {
        Path web1 = Files.createDirectories(state.resolve("failed/web1"));
        long future = System.currentTimeMillis() + TimeUnit.DAYS.toMillis(1);
        Files.writeString(web1.resolve(future + ".changes"), "entry a\n");
        Files.writeString(web1.resolve("mine.changes"), "entry b\n");
        failed(queue(), "web1", changes("c"));
        assertThat(files())
                .extracting(file -> file.getFileName().toString())
                .containsExactlyInAnyOrder(future + ".changes", "mine.changes", future + 2 + ".changes");
    }

    @Test
    void aLongOutageTakesBoundedDisk() throws IOException {
        FailQueue queue = queue();
        Batch batch = new Batch();
        ChangeSet some = new ChangeSet();
        for (int i = 0; i < 1000; i++) {
            some.add("directory/file " + i, false);
        }
        long largest = 0;
        for (int i = 0; i < 200; i++) {
            add(queue, "web1", batch, some);
            largest = Math.max(largest, Files.size(state.resolve(files().get(0))));
        }
        assertThat(largest).isBetween(1L << 20, (1L << 20) + 100_000);
        assertThat(files()).hasSize(1);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(state.resolve(files().get(0)))))
                .isEqualTo("rw-------");
        add(queue, "web1", batch, changes("last"));
        some.add("last", false);
        assertThat(content(theOneDue(queue(), "web1").changes())).isEqualTo(content(some));
    }

    /** Written anew for each further change it would take hours. */
    @Test
    @Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void manyChangesThatAreAllDifferentAreNotWrittenAgainAndAgain() throws IOException {
        FailQueue queue = queue();
        Batch batch = new Batch();
        String name = "/a file name of ordinary length, to get beyond the bound in reasonable time ";
        for (int i = 0; i < 30_000; i++) {
            add(queue, "web1", batch, changes(i % 10 + name + i));
        }
        assertThat(batch.changes().size()).isEqualTo(30_000);
        assertThat(Files.size(state.resolve(files().get(0)))).isGreaterThan(2L << 20);
        assertThat(theOneDue(queue(), "web1").changes().size()).isEqualTo(30_000);
    }

    @Test
    void whatCannotBeKeptOnDiskIsKeptInMemory() throws IOException {
        Files.createDirectories(state);
        Files.writeString(state.resolve("failed"), "in the way");
        FailQueue queue = queue();
        failed(queue, "web1", changes("a"));
        failed(queue, "web1", changes("b/"));
        Batch again = theOneDue(queue, "web1");
        assertThat(content(again.changes())).isEqualTo(Map.of("a", false, "b", true));
        assertThat(again.isRedelivery()).isTrue();
        assertThat(queue.due()).isEmpty();

        Files.delete(state.resolve("failed"));
        queue.keep("web1", again, ERROR);
        assertThat(files()).singleElement().matches(file -> file.startsWith("failed/web1"));
        Batch fromDisk = theOneDue(queue, "web1");
        assertThat(content(fromDisk.changes())).isEqualTo(Map.of("a", false, "b", true));
        queue.through("web1", fromDisk);
        assertThat(files()).isEmpty();
        assertThat(queue.due()).isEmpty();
    }

    @Test
    void whatIsKeptInMemoryIsNotForgottenWhenAnotherBatchGoesThrough() throws IOException {
        Files.createDirectories(state);
        Files.writeString(state.resolve("failed"), "in the way");
        FailQueue queue = queue("1h", "1h");
        failed(queue, "web1", changes("a"));
        Batch other = new Batch();
        other.merge(changes("b"));
        queue.through("web1", other);
        assertThat(content(theOneDue(queue, "web1").changes())).isEqualTo(Map.of("a", false));
    }

    @Test
    void aJournalThatCouldNotBeWrittenIsMadeUpForLater() throws IOException {
        Files.createDirectories(state);
        Files.writeString(state.resolve("pending"), "in the way");
        FailQueue queue = queue();
        Batch batch = new Batch();
        add(queue, "web1", batch, changes("a"));
        Files.delete(state.resolve("pending"));
        add(queue, "web1", batch, changes("b"));
        add(queue, "web1", batch, changes("c"));
        assertThat(content(theOneDue(queue(), "web1").changes())).isEqualTo(Map.of("a", false, "b", false, "c", false));
    }

    @Test
    void pausesDoubleUpToTheLongest() throws IOException {
        FailQueue queue = queue("60ms", "240ms");
        Batch batch = new Batch();
        batch.merge(changes("a"));
        for (int pause : new int[] {60, 120, 240, 240, 240}) {
            long start = System.nanoTime();
            queue.keep("web1", batch, ERROR);
            List<FailQueue.Redelivery> due = new ArrayList<>();
            await().pollInterval(Duration.ofMillis(5))
                    .atMost(Duration.ofSeconds(10))
                    .until(() -> due.addAll(queue.due()));
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(Duration.ofMillis(pause));
            batch = due.get(0).batch();
        }
        assertThat(Files.readString(state.resolve(files().get(0)))).contains("\n# tries: 5\n");
        for (int tries = 6; tries < 40; tries++) {
            queue.keep("web1", batch, ERROR);
        }
        // Without the bound, and without one on the doubling, it would be days or long ago.
        assertThat(queue.due()).isEmpty();
        await().atMost(Duration.ofSeconds(10)).until(() -> !queue.due().isEmpty());
    }

    @Test
    void aSuccessStartsThePausesAnew() throws IOException {
        FailQueue queue = queue("1ms", "1h");
        Batch batch = new Batch();
        batch.merge(changes("a"));
        for (int i = 0; i < 15; i++) {
            queue.keep("web1", batch, ERROR);
        }
        assertThat(queue.due()).isEmpty();
        queue.through("web1", batch);
        queue.through("web1", theOneDue(queue, "web1"));
        assertThat(files()).isEmpty();
        failed(queue, "web1", changes("b"));
        await().atMost(Duration.ofSeconds(10)).until(() -> !queue.due().isEmpty());
    }

    @Test
    void aStateDirectoryInUseIsRefusedNamingWhoUsesIt() throws IOException {
        queue();
        FailQueue second = new FailQueue();
        second.setStateDir(state.toString());
        assertThatThrownBy(second::open)
                .hasMessageContaining("state directory " + state + " is in use by process "
                        + ProcessHandle.current().pid());
    }

    @Test
    void aLargeFileThatFailsWaitsForItself() throws IOException {
        FailQueue queue = queue("1h", "1h");
        Batch large = new Batch();
        large.lane(Lane.large("a/image"));
        add(queue, "web1", large, changes("a/image"));
        queue.keep("web1", large, new RsyncException(30, "timeout in data send/receive"));
        failed(queue, "web1", changes("b"));
        assertThat(queue.failed("web1")).hasSize(2);

        Batch through = new Batch();
        add(queue, "web1", through, changes("c"));
        queue.through("web1", through);
        Batch again = theOneDue(queue, "web1");
        assertThat(content(again.changes())).containsOnlyKeys("b");
        queue.through("web1", again);
        assertThat(queue.due())
                .as("a small change that is through makes no large one due")
                .isEmpty();

        queue.retry("web1");
        Batch largeAgain = theOneDue(queue, "web1");
        assertThat(largeAgain.lane()).isEqualTo(Lane.large("a/image"));
        assertThat(content(largeAgain.changes())).containsOnlyKeys("a/image");
        queue.through("web1", largeAgain);
        assertThat(queue.failed("web1")).isEmpty();
        assertThat(queue.due()).isEmpty();
    }
}
