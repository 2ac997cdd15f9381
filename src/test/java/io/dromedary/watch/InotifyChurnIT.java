package io.dromedary.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.posix.LibC;
import io.dromedary.posix.Stat;
import io.dromedary.testbed.Churn;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whatever is changed, one who looks at no more than the changed paths knows the whole tree in the end. */
@Timeout(120)
class InotifyChurnIT {
    @TempDir
    Path temp;

    private String root;
    private DefaultCamelContext context;
    /** What a remote would have: it is told the paths and reads them when it is told. */
    private final TreeMap<String, String> mirrored = new TreeMap<>();

    private volatile long delay;
    private volatile int exchanges;

    @BeforeEach
    void makeRoot() throws Exception {
        root = Files.createDirectory(temp.resolve("root")).toString();
    }

    @AfterEach
    void stop() throws Exception {
        if (context != null) {
            context.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 0, 4", "20, 0, 4", "0, 0, 0", "0, 200, 4"})
    void nothingIsMissed(long delayMillis, int operationsPerSecond, int linger) throws Exception {
        delay = delayMillis;
        long seed = System.nanoTime();
        Churn churn = new Churn(Path.of(root), seed);
        if (operationsPerSecond > 0) {
            churn.pace(operationsPerSecond);
        }
        churn.run(300);
        context = new DefaultCamelContext();
        context.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                from("inotify:" + root + "?linger=" + linger).routeId("watch").process(exchange -> {
                    take(exchange.getMessage().getBody(ChangeSet.class));
                    LockSupport.parkNanos(delay * 1_000_000);
                });
            }
        });
        synchronized (mirrored) {
            context.start();
            readTree("");
        }
        InotifyConsumer consumer = (InotifyConsumer) context.getRoute("watch").getConsumer();
        churn.run(operationsPerSecond > 0 ? operationsPerSecond * 3 : 3_000);

        await().atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(20))
                .untilAsserted(() -> {
                    TreeMap<String, String> actual = new TreeMap<>();
                    read("", actual);
                    synchronized (mirrored) {
                        assertThat(differences(mirrored, actual)).isEmpty();
                    }
                });
        TreeMap<String, String> actual = new TreeMap<>();
        read("", actual);
        long directories =
                actual.values().stream().filter(entry -> entry.startsWith("4")).count();
        await().untilAsserted(() -> assertThat(consumer.watches()).isEqualTo((int) directories));
        assertThat(exchanges).isPositive();
    }

    private static List<String> differences(Map<String, String> mirrored, Map<String, String> actual) {
        Set<String> paths = new TreeSet<>(mirrored.keySet());
        paths.addAll(actual.keySet());
        return paths.stream()
                .filter(path -> !Objects.equals(mirrored.get(path), actual.get(path)))
                .map(path -> ByteString.readable(path) + ": " + mirrored.get(path) + " for " + actual.get(path))
                .toList();
    }

    private void take(ChangeSet changes) {
        synchronized (mirrored) {
            exchanges++;
            changes.visit((path, dirty, deep) -> {
                if (deep) {
                    readTree(path);
                } else if (dirty) {
                    readEntry(path);
                }
                return true;
            });
        }
    }

    private void readEntry(String path) {
        String entry = entry(path);
        if (entry == null || !entry.startsWith("4")) {
            remove(path);
        }
        if (entry != null) {
            mirrored.put(path, entry);
        }
        // as rsync, which brings the directories above as well
        for (int slash = path.lastIndexOf('/'); entry != null && slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
            String above = entry(path.substring(0, slash));
            if (above != null) {
                mirrored.put(path.substring(0, slash), above);
            }
        }
    }

    private void readTree(String path) {
        remove(path);
        readEntry(path);
        read(path, mirrored);
    }

    private void remove(String path) {
        Set<String> gone = new HashSet<>();
        for (String known : mirrored.keySet()) {
            if (path.isEmpty() || known.equals(path) || known.startsWith(path + '/')) {
                gone.add(known);
            }
        }
        mirrored.keySet().removeAll(gone);
    }

    private void read(String path, TreeMap<String, String> into) {
        String entry = entry(path);
        if (entry == null) {
            return;
        }
        into.put(path, entry);
        if (entry.startsWith("4")) {
            for (String name : LibC.names(root + (path.isEmpty() ? "" : "/" + path))) {
                read(path.isEmpty() ? name : path + '/' + name, into);
            }
        }
    }

    /** All of an entry that a change of it changes; null when there is none, or a directory above is a link now. */
    private String entry(String path) {
        for (int slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
            Stat above = LibC.lstat(root + "/" + path.substring(0, slash));
            if (above == null || !above.isDirectory()) {
                return null;
            }
        }
        Stat stat = LibC.lstat(root + (path.isEmpty() ? "" : "/" + path));
        if (stat == null) {
            return null;
        }
        // a directory's own size and time change with its entries, and need no change of their own
        return stat.isDirectory()
                ? "4 " + stat.mode()
                : "1 " + stat.mode() + ' ' + stat.ino() + ' ' + stat.size() + ' ' + stat.mtimeSeconds() + '.'
                        + stat.mtimeNanos();
    }
}
