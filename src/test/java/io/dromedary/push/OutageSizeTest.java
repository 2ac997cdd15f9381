package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A remote that is down while a million different paths change, one in twenty tries failing: memory and disk. */
class OutageSizeTest {
    private static final int CHANGES = 1_000_000;
    private static final int BURST = 500;
    private static final int BURSTS_BETWEEN_TRIES = 100;
    /** About twice of what 50,000 changes with names of 60 bytes take, in heap and in a journal before it is written anew. */
    private static final long MOST = 32 << 20;

    @TempDir
    Path directory;

    private final DefaultCamelContext context = new DefaultCamelContext();
    private final FailQueue failQueue = new FailQueue();
    private final BatchStrategy merge = new BatchStrategy();

    @BeforeEach
    void remote() throws IOException {
        Mirrors mirrors = new Mirrors();
        Mirror mirror = new Mirror();
        mirror.setId("tree");
        mirror.setSource(Files.createDirectory(directory.resolve("source")).toString());
        mirror.setMirrors(mirrors);
        mirror.register();
        Remote remote = new Remote();
        remote.setId("r");
        remote.setMirror("tree");
        remote.setTarget("r::m");
        remote.setArgs("-a");
        remote.setMirrors(mirrors);
        remote.register();
        failQueue.setStateDir(directory.resolve("state").toString());
        failQueue.setMirrors(mirrors);
        failQueue.setBackoff("0");
        failQueue.setMaxBackoff("0");
        failQueue.open();
        merge.setFailQueue(failQueue);
    }

    @AfterEach
    void close() throws IOException {
        failQueue.close();
        context.close();
    }

    @Test
    void allInOneDirectory() {
        outage(i -> "directory/" + name(i));
    }

    @Test
    void spreadOverAThousandDirectories() {
        outage(i -> "d" + i % 1_000 + "/" + name(i));
    }

    private static String name(int number) {
        return "a-name-that-is-as-long-as-those-of-pictures-and-mails-" + number;
    }

    private void outage(IntFunction<String> paths) {
        long heapBefore = heap();
        long mostHeap = 0;
        long mostDisk = 0;
        DefaultExchange waiting = null;
        for (int i = 0, burst = 0; i < CHANGES; burst++) {
            ChangeSet changes = new ChangeSet();
            for (int end = i + BURST; i < end; i++) {
                changes.add(paths.apply(i), false);
            }
            waiting = arrive(waiting, changes);
            if (burst % BURSTS_BETWEEN_TRIES == BURSTS_BETWEEN_TRIES - 1) {
                mostHeap = Math.max(mostHeap, heap() - heapBefore);
                mostDisk = Math.max(mostDisk, disk());
                for (FailQueue.Redelivery due : failQueue.due()) {
                    waiting = arrive(waiting, due.batch());
                }
                failQueue.keep("r", waiting.getMessage().getBody(Batch.class), new RsyncException(10, "refused"));
                waiting = null;
                mostDisk = Math.max(mostDisk, disk());
            }
        }
        System.out.println("an outage of " + CHANGES + " changes: " + mostHeap / 1024 + " KiB of heap, "
                + mostDisk / 1024 + " KiB on disk");
        assertThat(mostHeap).as("heap").isLessThan(MOST);
        assertThat(mostDisk).as("disk").isLessThan(MOST);
        // Bounded, and still complete: past the bound all is owed as a whole.
        Batch owed = failQueue.due().get(0).batch();
        assertThat(owed.changes().isEverything() || owed.changes().size() == 1).isTrue();
    }

    private DefaultExchange arrive(DefaultExchange waiting, Object body) {
        DefaultExchange arrived = new DefaultExchange(context);
        arrived.getMessage().setHeader("remote", "r");
        arrived.getMessage().setBody(body);
        return (DefaultExchange) merge.aggregate(waiting, arrived);
    }

    private static long heap() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    private long disk() {
        try (Stream<Path> files = Files.walk(directory.resolve("state"))) {
            return files.mapToLong(file -> file.toFile().length()).sum();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
