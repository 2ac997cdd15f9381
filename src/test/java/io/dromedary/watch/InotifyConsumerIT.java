package io.dromedary.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.dromedary.change.ChangeSet;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The component in a real context over real files. After every step "quiet" says that all events were seen. */
@Timeout(60)
class InotifyConsumerIT {
    private static final boolean SHALLOW = false;
    private static final boolean DEEP = true;

    @TempDir
    Path temp;

    private String base;
    private String root;
    private DefaultCamelContext context;
    private InotifyConsumer consumer;
    private final List<Map<String, Boolean>> exchanges = new CopyOnWriteArrayList<>();
    private final List<Integer> eventCounts = new CopyOnWriteArrayList<>();
    private volatile CountDownLatch gate = new CountDownLatch(0);
    private volatile boolean atGate;
    private volatile boolean failing;
    private int marks;

    @BeforeEach
    void makeRoot() {
        base = temp.toString();
        root = base + "/root";
        Sys.mkdir(root);
    }

    @AfterEach
    void stop() throws Exception {
        gate.countDown();
        if (context != null) {
            context.close();
        }
    }

    private void start(String options) throws Exception {
        context = new DefaultCamelContext();
        context.getShutdownStrategy().setTimeout(5);
        context.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                errorHandler(noErrorHandler());
                from("inotify:" + root + (options.isEmpty() ? "" : "?" + options))
                        .routeId("watch")
                        .process(exchange -> {
                            atGate = true;
                            gate.await();
                            if (failing) {
                                failing = false;
                                throw new IllegalStateException("on purpose");
                            }
                            synchronized (exchanges) {
                                exchanges.add(paths(exchange.getMessage().getBody(ChangeSet.class)));
                                eventCounts.add(exchange.getMessage().getHeader("DromedaryEvents", Integer.class));
                            }
                        });
            }
        });
        context.start();
        consumer = (InotifyConsumer) context.getRoute("watch").getConsumer();
    }

    private static Map<String, Boolean> paths(ChangeSet changes) {
        Map<String, Boolean> paths = new TreeMap<>();
        changes.visit((path, dirty, deep) -> {
            if (dirty) {
                paths.put(path, deep);
            }
            return true;
        });
        return paths;
    }

    private Map<String, Boolean> seen() {
        synchronized (exchanges) {
            Map<String, Boolean> all = new TreeMap<>();
            for (Map<String, Boolean> exchange : exchanges) {
                exchange.forEach((path, deep) -> all.merge(path, deep, Boolean::logicalOr));
            }
            all.keySet().removeIf(path -> path.startsWith(".quiet"));
            return all;
        }
    }

    private void forget() {
        synchronized (exchanges) {
            exchanges.clear();
            eventCounts.clear();
        }
    }

    /** Events arrive in order, so once this file was reported all before it were. */
    private Map<String, Boolean> quiet() {
        String mark = ".quiet" + marks++;
        Sys.write(base + "/" + mark, "x");
        Sys.rename(base + "/" + mark, root + "/" + mark);
        awaitPath(mark);
        return seen();
    }

    private void awaitPath(String path) {
        await().pollInterval(Duration.ofMillis(2)).until(() -> {
            synchronized (exchanges) {
                return exchanges.stream().anyMatch(exchange -> exchange.containsKey(path));
            }
        });
    }

    /** They are counted a moment after what they have seen was sent on. */
    private void awaitWatches(int count) {
        await().untilAsserted(() -> assertThat(consumer.watches()).isEqualTo(count));
    }

    private Map<String, Boolean> changesOf(Runnable work) {
        quiet();
        forget();
        work.run();
        return quiet();
    }

    // ---- each kind of event, on and off

    @ParameterizedTest
    @ValueSource(
            strings = {
                "delete",
                "create-folder",
                "create-file",
                "close-write",
                "move-from",
                "move-to",
                "attrib",
                "modify"
            })
    void eachSwitchAlone(String on) throws Exception {
        Sys.mkdir(root + "/olddir");
        Sys.mkdir(root + "/gonedir");
        Sys.write(root + "/old", "x");
        Sys.write(root + "/gone", "x");
        Sys.write(root + "/moved", "x");
        Sys.write(base + "/came", "x");
        Sys.write(root + "/appended", "x");
        Sys.write(root + "/chmodded", "x");
        int writer = Sys.openFile(root + "/appended", Sys.O_WRONLY | Sys.O_APPEND);
        int other = Sys.openFile(root + "/old", Sys.O_WRONLY | Sys.O_APPEND);
        // a file outside is created in a second watched place to know when all was read
        start("events=" + on);
        Sys.unlink(root + "/gone");
        Sys.rmdir(root + "/gonedir");
        Sys.mkdir(root + "/newdir");
        Sys.closeFile(Sys.openFile(root + "/newfile", Sys.O_CREAT));
        Sys.closeFile(other);
        Sys.rename(root + "/moved", base + "/left");
        Sys.rename(base + "/came", root + "/came");
        Sys.chmod(root + "/chmodded", 0600);
        Sys.writeBytes(writer, "more");

        Map<String, Map<String, Boolean>> expected = Map.of(
                "delete", Map.of("gone", SHALLOW, "gonedir", DEEP),
                "create-folder", Map.of("newdir", DEEP),
                "create-file", Map.of("newfile", SHALLOW),
                "close-write", Map.of("old", SHALLOW, "newfile", SHALLOW),
                "move-from", Map.of("moved", SHALLOW),
                "move-to", Map.of("came", SHALLOW),
                "attrib", Map.of("chmodded", SHALLOW),
                "modify", Map.of("appended", SHALLOW));
        await().untilAsserted(() -> assertThat(seen()).isEqualTo(expected.get(on)));
        // what comes after all of them shows that nothing else is to come
        last(on);
        Map<String, Boolean> all = new TreeMap<>(expected.get(on));
        awaitPath("last");
        assertThat(seen()).containsKey("last");
        Map<String, Boolean> rest = seen();
        rest.remove("last");
        assertThat(rest).isEqualTo(all);
        Sys.closeFile(writer);
    }

    /** Causes an event of that kind and no other one of the eight, but those off. */
    private void last(String on) {
        String last = root + "/last";
        switch (on) {
            case "delete" -> {
                Sys.write(last, "x");
                Sys.unlink(last);
            }
            case "create-folder" -> Sys.mkdir(last);
            case "create-file", "close-write" -> Sys.write(last, "x");
            case "move-from" -> {
                Sys.write(last, "x");
                Sys.rename(last, base + "/last");
            }
            case "move-to" -> {
                Sys.write(base + "/last", "x");
                Sys.rename(base + "/last", last);
            }
            case "attrib" -> {
                Sys.write(last, "x");
                Sys.chmod(last, 0600);
            }
            case "modify" -> Sys.write(last, "x");
            default -> throw new IllegalArgumentException(on);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"delete", "create-folder", "close-write", "move-from", "move-to", "attrib"})
    void eachDefaultSwitchOffLeavesTheOthers(String off) throws Exception {
        List<String> all =
                new ArrayList<>(List.of("delete", "create-folder", "close-write", "move-from", "move-to", "attrib"));
        all.remove(off);
        Sys.write(root + "/gone", "x");
        Sys.write(root + "/moved", "x");
        Sys.write(base + "/came", "x");
        Sys.write(root + "/chmodded", "x");
        start("events=" + String.join(",", all));
        Sys.unlink(root + "/gone");
        Sys.mkdir(root + "/newdir");
        Sys.write(root + "/newfile", "x");
        Sys.rename(root + "/moved", base + "/left");
        Sys.rename(base + "/came", root + "/came");
        Sys.chmod(root + "/chmodded", 0600);
        Map<String, Boolean> expected = new TreeMap<>(Map.of(
                "gone", SHALLOW,
                "newdir", DEEP,
                "newfile", SHALLOW,
                "moved", SHALLOW,
                "came", SHALLOW,
                "chmodded", SHALLOW));
        expected.remove(Map.of(
                        "delete", "gone",
                        "create-folder", "newdir",
                        "close-write", "newfile",
                        "move-from", "moved",
                        "move-to", "came",
                        "attrib", "chmodded")
                .get(off));
        String sign = off.equals("create-folder") ? "close-write" : "create-folder";
        last(sign);
        expected.put("last", sign.equals("create-folder"));
        awaitPath("last");
        assertThat(seen()).isEqualTo(expected);
    }

    /** With all eight on, each one off: only what no other one tells of is missing. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "none",
                "delete",
                "create-folder",
                "create-file",
                "close-write",
                "move-from",
                "move-to",
                "attrib",
                "modify"
            })
    void allTogetherAndEachOneOff(String off) throws Exception {
        List<String> all = new ArrayList<>(List.of(
                "delete", "create-folder", "create-file", "close-write", "move-from", "move-to", "attrib", "modify"));
        all.remove(off);
        Sys.write(root + "/gone", "x");
        Sys.write(root + "/moved", "x");
        Sys.write(base + "/came", "x");
        Sys.write(root + "/chmodded", "x");
        Sys.write(root + "/appended", "x");
        int writer = Sys.openFile(root + "/appended", Sys.O_WRONLY | Sys.O_APPEND);
        Sys.write(root + "/closed", "x");
        int closed = Sys.openFile(root + "/closed", Sys.O_WRONLY | Sys.O_APPEND);
        start("events=" + String.join(",", all));
        Sys.unlink(root + "/gone");
        Sys.mkdir(root + "/newdir");
        // a new name of a file outside: there is no close-write to come
        Sys.link(base + "/came", root + "/newfile");
        Sys.rename(root + "/moved", base + "/left");
        Sys.rename(base + "/came", root + "/came");
        Sys.chmod(root + "/chmodded", 0600);
        Sys.writeBytes(writer, "more");
        Sys.closeFile(closed);
        Map<String, Boolean> expected = new TreeMap<>(Map.of(
                "gone", SHALLOW,
                "newdir", DEEP,
                "newfile", SHALLOW,
                "moved", SHALLOW,
                "came", SHALLOW,
                "chmodded", SHALLOW,
                "appended", SHALLOW,
                "closed", SHALLOW));
        Map<String, String> missing = Map.of(
                "delete", "gone",
                "create-folder", "newdir",
                "move-from", "moved",
                "move-to", "came",
                "attrib", "chmodded",
                "close-write", "closed",
                // written, and not closed: half a file
                "modify", "appended");
        // Without create-file the link is told all the same: it is complete at once.
        if (missing.containsKey(off)) {
            expected.remove(missing.get(off));
        }
        String sign = off.equals("create-folder") ? "delete" : "create-folder";
        last(sign);
        awaitPath("last");
        Map<String, Boolean> seen = seen();
        seen.remove("last");
        assertThat(seen).isEqualTo(expected);
        Sys.closeFile(writer);
    }

    @Test
    void unknownEventNamesTheAllowed() {
        assertThatThrownBy(() -> start("events=delete,create"))
                .hasStackTraceContaining("events: unknown 'create', allowed are delete, create-folder, create-file,"
                        + " close-write, move-from, move-to, attrib, modify");
    }

    @Test
    void missingSourceFailsTheStart() {
        root = base + "/none";
        assertThatThrownBy(() -> start(""))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("inotify: " + root + " is not a directory");
    }

    @Test
    void fileAsSourceFailsTheStart() {
        Sys.write(base + "/file", "x");
        root = base + "/file";
        assertThatThrownBy(() -> start(""))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("inotify: " + root + " is not a directory");
    }

    @Test
    void rootMayBeASymlink() throws Exception {
        Sys.symlink(root, base + "/link");
        root = base + "/link";
        start("");
        Sys.mkdir(root + "/d");
        Sys.write(root + "/d/f", "x");
        assertThat(quiet()).containsEntry("d", DEEP);
        assertThat(changesOf(() -> Sys.append(root + "/d/f", "y"))).isEqualTo(Map.of("d/f", SHALLOW));
    }

    @Test
    void rootsOwnAttributesAreTheRootShallow() throws Exception {
        start("");
        assertThat(changesOf(() -> Sys.chmod(root, 0700))).isEqualTo(Map.of("", SHALLOW));
    }

    // ---- bursts

    @Test
    void whatBelongsTogetherLeavesTogether() throws Exception {
        Sys.write(root + "/f", "x");
        start("linger=200");
        // as vim saves
        Sys.rename(root + "/f", root + "/f~");
        Sys.write(root + "/f", "xy");
        Sys.chmod(root + "/f", 0600);
        Sys.unlink(root + "/f~");
        await().until(() -> !seen().isEmpty());
        assertThat(exchanges).containsExactly(Map.of("f", SHALLOW, "f~", SHALLOW));
        // from, to, create, modify, close-write, attrib, delete; the unlink may add an attrib
        assertThat(eventCounts.get(0)).isBetween(7, 8);
    }

    @Test
    void aFileThatIsWrittenAfterAWhileOfNothingLeavesAtOnce() throws Exception {
        start("linger=300000");
        Sys.write(root + "/f", "x");
        await().atMost(Duration.ofSeconds(60)).until(() -> seen().containsKey("f"));
    }

    @Test
    void lingeringEndsThoughMoreKeepsComing() throws Exception {
        start("linger=50");
        Thread busy = new Thread(() -> {
            for (int i = 0; !Thread.currentThread().isInterrupted(); i++) {
                Sys.write(root + "/f" + i % 10, "x");
            }
        });
        busy.start();
        try {
            await().until(() -> {
                synchronized (exchanges) {
                    return exchanges.size() >= 3;
                }
            });
        } finally {
            busy.interrupt();
            busy.join();
        }
        assertThat(eventCounts).allMatch(count -> count > 0);
    }

    @Test
    void nothingIsSentForWhatIsSwitchedOff() throws Exception {
        start("events=close-write");
        Sys.mkdir(root + "/d");
        Sys.rmdir(root + "/d");
        Sys.write(root + "/f", "x");
        awaitPath("f");
        assertThat(exchanges).allMatch(exchange -> exchange.equals(Map.of("f", SHALLOW)));
    }

    // ---- structure

    @Test
    void deepTreeMadeAtOnceIsWatchedToTheBottom() throws Exception {
        start("");
        for (int round = 0; round < 20; round++) {
            String top = "t" + round;
            String bottom = top + "/a/b/c/d/e/f/g";
            assertThat(changesOf(() -> {
                        Sys.mkdirs(root + "/" + bottom);
                        Sys.write(root + "/" + bottom + "/early", "x");
                    }))
                    .containsEntry(top, DEEP);
            assertThat(changesOf(() -> Sys.write(root + "/" + bottom + "/late", "x")))
                    .isEqualTo(Map.of(bottom + "/late", SHALLOW));
        }
        awaitWatches(1 + 20 * 8);
    }

    @Test
    void directoryMovedInIsDeepAndWatched() throws Exception {
        Sys.mkdirs(base + "/out/a/b");
        start("");
        assertThat(changesOf(() -> Sys.rename(base + "/out", root + "/in"))).isEqualTo(Map.of("in", DEEP));
        assertThat(changesOf(() -> Sys.write(root + "/in/a/b/f", "x"))).isEqualTo(Map.of("in/a/b/f", SHALLOW));
        awaitWatches(4);
    }

    @Test
    void directoryMovedOutIsNotWatchedAnyMore() throws Exception {
        Sys.mkdirs(root + "/in/a/b");
        start("");
        assertThat(changesOf(() -> Sys.rename(root + "/in", base + "/out"))).isEqualTo(Map.of("in", DEEP));
        await().until(() -> consumer.watches() == 1);
        assertThat(changesOf(() -> Sys.write(base + "/out/a/b/f", "x"))).isEmpty();
        assertThat(changesOf(() -> Sys.rename(base + "/out", root + "/in"))).isEqualTo(Map.of("in", DEEP));
        assertThat(changesOf(() -> Sys.write(root + "/in/a/b/f", "y"))).isEqualTo(Map.of("in/a/b/f", SHALLOW));
    }

    @Test
    void renamedDirectoryKeepsItsWatchesUnderTheNewName() throws Exception {
        Sys.mkdirs(root + "/old/a/b");
        Sys.mkdir(root + "/other");
        start("");
        assertThat(changesOf(() -> Sys.rename(root + "/old", root + "/other/new")))
                .isEqualTo(Map.of("old", DEEP, "other/new", DEEP));
        assertThat(changesOf(() -> {
                    Sys.write(root + "/other/new/a/b/f", "x");
                    Sys.mkdir(root + "/other/new/a/c");
                }))
                .isEqualTo(Map.of("other/new/a/b/f", SHALLOW, "other/new/a/c", DEEP));
        awaitWatches(6);
    }

    @Test
    void renamesRightAfterOneAnother() throws Exception {
        Sys.mkdirs(root + "/d0/x");
        start("");
        for (int round = 0; round < 10; round++) {
            String last = "d" + (round * 10 + 10);
            for (int i = 0; i < 10; i++) {
                int from = round * 10 + i;
                Sys.mkdir(root + "/d" + from + "/x/n" + from);
                Sys.rename(root + "/d" + from, root + "/d" + (from + 1));
                // another one takes the name at once
                Sys.mkdirs(root + "/d" + from + "/x/n" + from);
            }
            quiet();
            for (int i = 0; i < 10; i++) {
                int n = round * 10 + i;
                String moved = last + "/x/n" + n + "/f";
                assertThat(changesOf(() -> Sys.write(root + "/" + moved, "x"))).isEqualTo(Map.of(moved, SHALLOW));
                String made = "d" + n + "/x/n" + n + "/f";
                assertThat(changesOf(() -> Sys.write(root + "/" + made, "x"))).isEqualTo(Map.of(made, SHALLOW));
            }
        }
    }

    @Test
    void exchangedDirectories() throws Exception {
        Sys.mkdirs(root + "/one/a");
        Sys.mkdirs(root + "/two/b");
        start("");
        assertThat(changesOf(() -> Sys.exchange(root + "/one", root + "/two")))
                .isEqualTo(Map.of("one", DEEP, "two", DEEP));
        assertThat(changesOf(() -> {
                    Sys.write(root + "/two/a/f", "x");
                    Sys.write(root + "/one/b/f", "x");
                }))
                .isEqualTo(Map.of("two/a/f", SHALLOW, "one/b/f", SHALLOW));
    }

    @Test
    void deletedAndMadeAgain() throws Exception {
        Sys.mkdirs(root + "/d/e");
        start("");
        for (int round = 0; round < 20; round++) {
            assertThat(changesOf(() -> {
                        Sys.rmdir(root + "/d/e");
                        Sys.rmdir(root + "/d");
                        Sys.mkdirs(root + "/d/e");
                    }))
                    .containsEntry("d", DEEP);
            assertThat(changesOf(() -> {
                        Sys.write(root + "/d/e/f", "x");
                        Sys.unlink(root + "/d/e/f");
                    }))
                    .isEqualTo(Map.of("d/e/f", SHALLOW));
            awaitWatches(3);
        }
    }

    @Test
    void directoryReplacedByAFileAndBack() throws Exception {
        Sys.mkdirs(root + "/d/e");
        start("");
        assertThat(changesOf(() -> {
                    Sys.rmdir(root + "/d/e");
                    Sys.rmdir(root + "/d");
                    Sys.write(root + "/d", "x");
                }))
                .containsEntry("d", DEEP);
        assertThat(changesOf(() -> {
                    Sys.unlink(root + "/d");
                    Sys.mkdirs(root + "/d/e");
                }))
                .containsEntry("d", DEEP);
        assertThat(changesOf(() -> Sys.write(root + "/d/e/f", "x"))).isEqualTo(Map.of("d/e/f", SHALLOW));
    }

    @Test
    void newFolderSwitchedOffStillHasItsFilesFollowed() throws Exception {
        start("events=close-write,move-to");
        for (int round = 0; round < 20; round++) {
            String file = "d" + round + "/e/f";
            assertThat(changesOf(() -> {
                        Sys.mkdirs(root + "/" + file.substring(0, file.length() - 2));
                        Sys.write(root + "/" + file, "x");
                    }))
                    .isEqualTo(Map.of(file, SHALLOW));
        }
    }

    @Test
    void manyDirectoriesLeavingAtOnce() throws Exception {
        for (int i = 0; i < 60; i++) {
            for (int j = 0; j < 60; j++) {
                Sys.mkdirs(root + "/big/" + i + "/" + j);
            }
        }
        start("");
        assertThat(consumer.watches()).isEqualTo(2 + 60 + 3600);
        Sys.rename(root + "/big", base + "/big");
        await().until(() -> consumer.watches() == 1);
        assertThat(consumer.overflows()).isZero();
    }

    // ---- excludes

    @Test
    void excludedIsNeitherWatchedNorReported() throws Exception {
        Sys.mkdirs(root + "/cache/a");
        Sys.mkdirs(root + "/d/cache/a");
        start("exclude=cache,skip&excludeRegex=.*[.]tmp");
        assertThat(consumer.watches()).isEqualTo(2);
        assertThat(changesOf(() -> {
                    Sys.write(root + "/cache/f", "x");
                    Sys.write(root + "/d/skip", "x");
                    Sys.write(root + "/d/f.tmp", "x");
                    Sys.mkdirs(root + "/new/cache/b");
                    Sys.write(root + "/d/f", "x");
                }))
                .isEqualTo(Map.of("new", DEEP, "d/f", SHALLOW));
        awaitWatches(3);
    }

    @Test
    void excludesHoldForTheNewPlaceOfAMovedDirectory() throws Exception {
        Sys.mkdirs(root + "/a/cache");
        Sys.mkdirs(root + "/b");
        start("excludeRegex=/a/cache|skipped");
        assertThat(consumer.watches()).isEqualTo(3);
        changesOf(() -> Sys.rename(root + "/a", root + "/c"));
        assertThat(changesOf(() -> Sys.write(root + "/c/cache/f", "x"))).isEqualTo(Map.of("c/cache/f", SHALLOW));
        changesOf(() -> Sys.rename(root + "/c", root + "/a"));
        assertThat(changesOf(() -> Sys.write(root + "/a/cache/f", "x"))).isEmpty();
        assertThat(changesOf(() -> Sys.rename(root + "/b", root + "/skipped"))).isEqualTo(Map.of("b", DEEP));
        assertThat(changesOf(() -> Sys.write(root + "/skipped/f", "x"))).isEmpty();
        awaitWatches(2);
    }

    // ---- names

    @Test
    void anyNameIsKept() throws Exception {
        List<String> names = List.of(
                "new\nline",
                "\\backslash\"quote'`$(x)",
                " blanks ",
                "-dash",
                "*[?#;",
                "\u00ff\u00fe\u0080 not UTF-8",
                "\u00e6\u0097\u00a5", // UTF-8 of one character
                "n".repeat(255));
        start("");
        for (String name : names) {
            assertThat(changesOf(() -> {
                        Sys.mkdir(root + "/" + name);
                        Sys.write(root + "/f" + name.substring(1), "x");
                    }))
                    .isEqualTo(Map.of(name, DEEP, "f" + name.substring(1), SHALLOW));
            assertThat(changesOf(() -> Sys.write(root + "/" + name + "/" + name, "x")))
                    .isEqualTo(Map.of(name + "/" + name, SHALLOW));
        }
    }

    // ---- files created without a close-write, or held

    @Test
    void fileBeingWrittenIsHeldUntilItIsClosed() throws Exception {
        Sys.write(root + "/f", "old");
        start("");
        changesOf(() -> {});
        int[] fd = new int[1];
        assertThat(changesOf(() -> {
                    Sys.rename(root + "/f", root + "/f.old");
                    fd[0] = Sys.openFile(root + "/f", Sys.O_CREAT | Sys.O_WRONLY);
                    Sys.writeBytes(fd[0], "half");
                    Sys.chmod(root + "/f", 0600);
                }))
                .isEqualTo(Map.of("f.old", SHALLOW));
        assertThat(changesOf(() -> Sys.chmod(root + "/f", 0640))).isEmpty();
        assertThat(changesOf(() -> {
                    Sys.writeBytes(fd[0], " and half");
                    Sys.closeFile(fd[0]);
                }))
                .isEqualTo(Map.of("f", SHALLOW));
    }

    @Test
    void heldFileMovedWithItsDirectory() throws Exception {
        Sys.mkdirs(root + "/d/e");
        start("");
        int[] fd = new int[1];
        assertThat(changesOf(() -> fd[0] = Sys.openFile(root + "/d/e/f", Sys.O_CREAT | Sys.O_WRONLY)))
                .isEmpty();
        changesOf(() -> Sys.rename(root + "/d", root + "/g"));
        assertThat(changesOf(() -> Sys.chmod(root + "/g/e/f", 0600))).isEmpty();
        assertThat(changesOf(() -> Sys.closeFile(fd[0]))).isEqualTo(Map.of("g/e/f", SHALLOW));
    }

    @Test
    void deletingAHeldFileIsSent() throws Exception {
        start("");
        int[] fd = new int[1];
        assertThat(changesOf(() -> fd[0] = Sys.openFile(root + "/f", Sys.O_CREAT | Sys.O_WRONLY)))
                .isEmpty();
        assertThat(changesOf(() -> Sys.unlink(root + "/f"))).isEqualTo(Map.of("f", SHALLOW));
        Sys.closeFile(fd[0]);
    }

    @Test
    void changesWithoutACloseWriteAreSeen() throws Exception {
        Sys.write(root + "/f", "long");
        start("");
        assertThat(changesOf(() -> Sys.truncate(root + "/f", 1))).isEqualTo(Map.of("f", SHALLOW));
        assertThat(changesOf(() -> Sys.setModified(root + "/f", 1_000))).isEqualTo(Map.of("f", SHALLOW));
    }

    @Test
    void overwrittenFileIsHeldUntilItIsClosed() throws Exception {
        Sys.write(root + "/f", "old");
        start("");
        int[] fd = new int[1];
        assertThat(changesOf(() -> {
                    fd[0] = Sys.openFile(root + "/f", Sys.O_WRONLY | Sys.O_TRUNC);
                    Sys.writeBytes(fd[0], "half");
                }))
                .isEmpty();
        assertThat(changesOf(() -> Sys.writeBytes(fd[0], "half"))).isEmpty();
        assertThat(changesOf(() -> Sys.closeFile(fd[0]))).isEqualTo(Map.of("f", SHALLOW));
    }

    @Test
    void linkedAndUnlinked() throws Exception {
        start("");
        // as git writes an object
        assertThat(changesOf(() -> {
                    Sys.write(root + "/tmp_obj", "x");
                    Sys.link(root + "/tmp_obj", root + "/object");
                    Sys.unlink(root + "/tmp_obj");
                }))
                .containsEntry("object", SHALLOW);
        assertThat(changesOf(() -> Sys.link(root + "/object", root + "/second")))
                .containsEntry("second", SHALLOW);
    }

    @Test
    void linksAndSpecialFilesAreSentAtOnce() throws Exception {
        start("");
        assertThat(changesOf(() -> {
                    Sys.symlink("nowhere", root + "/symlink");
                    Sys.mkfifo(root + "/fifo");
                }))
                .isEqualTo(Map.of("symlink", SHALLOW, "fifo", SHALLOW));
    }

    @Test
    void unnamedFileThatGetsAName() throws Exception {
        start("");
        int closed = Sys.openUnnamed(root);
        Sys.writeBytes(closed, "x");
        // still open for writing when it gets its name, and its close is then not reported for the name
        assertThat(changesOf(() -> Sys.name(closed, root + "/named"))).doesNotContainKey("named");
        Sys.closeFile(closed);
        await().atMost(5, TimeUnit.SECONDS).until(() -> seen().containsKey("named"));
    }

    // ---- overflow, limits, the root

    @Test
    void overflowIsTheRootDeepAndNothingIsLostAfterwards() throws Exception {
        start("");
        for (int i = 0; i < 7; i++) {
            Sys.write(root + "/f" + i, "x");
        }
        quiet();
        atGate = false;
        gate = new CountDownLatch(1);
        Sys.write(root + "/first", "x");
        await().until(() -> atGate);
        int most = maxQueuedEvents();
        for (int i = 0; i < most + 100; i++) {
            Sys.chmod(root + "/f" + i % 7, 0600 + i % 8);
        }
        Sys.mkdirs(root + "/unseen/a/b");
        gate.countDown();
        awaitPath("");
        assertThat(consumer.overflows()).isEqualTo(1);
        assertThat(seen()).containsEntry("", DEEP);
        assertThat(changesOf(() -> Sys.write(root + "/unseen/a/b/f", "x"))).isEqualTo(Map.of("unseen/a/b/f", SHALLOW));
        assertThat(consumer.overflows()).isEqualTo(1);
        awaitWatches(4);
    }

    private static int maxQueuedEvents() throws IOException {
        byte[] content = new byte[64];
        try (InputStream in = Files.newInputStream(Path.of("/proc/sys/fs/inotify/max_queued_events"))) {
            // one read gives all and a second nothing
            return Integer.parseInt(new String(content, 0, in.read(content), StandardCharsets.US_ASCII).strip());
        }
    }

    @Test
    void rootRenamedAwayAndBack() throws Exception {
        Sys.mkdir(root + "/d");
        start("");
        Sys.rename(root, base + "/away");
        awaitPath("");
        await().until(() -> consumer.problem() != null);
        assertThat(consumer.problem()).contains(root + " is gone");
        awaitWatches(0);
        Sys.write(base + "/away/d/unseen", "x");
        forget();
        Sys.rename(base + "/away", root);
        awaitPath("");
        assertThat(seen()).containsEntry("", DEEP);
        assertThat(consumer.problem()).isNull();
        assertThat(changesOf(() -> Sys.write(root + "/d/f", "x"))).isEqualTo(Map.of("d/f", SHALLOW));
    }

    @Test
    void rootDeletedAndMadeAgain() throws Exception {
        start("");
        Sys.rmdir(root);
        awaitPath("");
        forget();
        Sys.mkdirs(root + "/d");
        awaitPath("");
        assertThat(changesOf(() -> Sys.write(root + "/d/f", "x"))).isEqualTo(Map.of("d/f", SHALLOW));
    }

    @Test
    void directoryAboveTheRootRenamed() throws Exception {
        root = base + "/above/root";
        Sys.mkdirs(root);
        start("");
        Sys.rename(base + "/above", base + "/elsewhere");
        await().atMost(15, TimeUnit.SECONDS).until(() -> seen().containsKey(""));
        assertThat(consumer.problem()).isNotNull();
    }

    @Test
    void rootUnmounted() throws Exception {
        assumeTrue(Sys.mountMemory(root), "needs root");
        boolean mounted = true;
        try {
            Sys.mkdir(root + "/d");
            start("");
            assertThat(consumer.watches()).isEqualTo(2);
            forget();
            Sys.unmount(root);
            mounted = false;
            awaitPath("");
            // the directory below the mount is a directory too
            await().until(() -> consumer.problem() == null && consumer.watches() == 1);
            assertThat(changesOf(() -> Sys.write(root + "/f", "x"))).isEqualTo(Map.of("f", SHALLOW));
        } finally {
            if (mounted) {
                Sys.unmount(root);
            }
        }
    }

    @Test
    void fileSystemUnmountedInsideTheTree() throws Exception {
        Sys.mkdir(root + "/m");
        assumeTrue(Sys.mountMemory(root + "/m"), "needs root");
        boolean mounted = true;
        try {
            Sys.mkdirs(root + "/m/a/b");
            start("");
            assertThat(consumer.watches()).isEqualTo(4);
            assertThat(changesOf(() -> Sys.write(root + "/m/a/b/f", "x"))).isEqualTo(Map.of("m/a/b/f", SHALLOW));
            Sys.unmount(root + "/m");
            mounted = false;
            await().until(() -> consumer.watches() == 2);
            assertThat(changesOf(() -> Sys.write(root + "/m/f", "x"))).isEqualTo(Map.of("m/f", SHALLOW));
        } finally {
            if (mounted) {
                Sys.unmount(root + "/m");
            }
        }
    }

    @Test
    void directoryBoundAtASecondPlace() throws Exception {
        Sys.mkdirs(root + "/a/x");
        Sys.mkdir(root + "/b");
        assumeTrue(Sys.bind(root + "/a", root + "/b"), "needs root");
        try {
            start("");
            assertThat(consumer.watches()).isEqualTo(3);
            Sys.write(root + "/a/x/f", "x");
            await().until(() -> seen().keySet().stream().anyMatch(path -> path.endsWith("/x/f")));
        } finally {
            Sys.unmount(root + "/b");
        }
    }

    // ---- life cycle

    @Test
    void failureInTheRouteDoesNotEndTheWatch() throws Exception {
        start("");
        quiet();
        failing = true;
        Sys.write(root + "/lost", "x");
        await().until(() -> !failing);
        assertThat(changesOf(() -> Sys.write(root + "/f", "x"))).isEqualTo(Map.of("f", SHALLOW));
        assertThat(consumer.isAlive()).isTrue();
    }

    @Test
    void suspendedItMissesNothing() throws Exception {
        start("");
        quiet();
        forget();
        context.getRouteController().suspendRoute("watch");
        assertThat(consumer.isAlive()).isFalse();
        Sys.mkdirs(root + "/d/e");
        Sys.write(root + "/d/e/f", "x");
        context.getRouteController().resumeRoute("watch");
        assertThat(quiet()).isEqualTo(Map.of("d", DEEP));
        assertThat(changesOf(() -> Sys.write(root + "/d/e/f", "y"))).isEqualTo(Map.of("d/e/f", SHALLOW));
    }

    @Test
    void startedAgainTheWholeTreeIsTakenAsChanged() throws Exception {
        start("");
        context.getRouteController().stopRoute("watch");
        Sys.mkdirs(root + "/d/e");
        context.getRouteController().startRoute("watch");
        consumer = (InotifyConsumer) context.getRoute("watch").getConsumer();
        awaitPath("");
        assertThat(changesOf(() -> Sys.write(root + "/d/e/f", "y"))).isEqualTo(Map.of("d/e/f", SHALLOW));
    }

    @Test
    void stopLeavesNoDescriptorAndNoThread() throws Exception {
        start("");
        quiet();
        long with = inotifyDescriptors();
        assertThat(with).isPositive();
        for (int i = 0; i < 3; i++) {
            context.getRouteController().stopRoute("watch");
            assertThat(inotifyDescriptors()).isEqualTo(with - 2);
            context.getRouteController().startRoute("watch");
            assertThat(inotifyDescriptors()).isEqualTo(with);
        }
        consumer = (InotifyConsumer) context.getRoute("watch").getConsumer();
        context.getRouteController().suspendRoute("watch");
        context.close();
        assertThat(inotifyDescriptors()).isEqualTo(with - 2);
        assertThat(consumer.isAlive()).isFalse();
        assertThat(Thread.getAllStackTraces().keySet())
                .noneMatch(thread -> thread.getName().contains("inotify"));
    }

    private static long inotifyDescriptors() throws IOException {
        try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"))) {
            return fds.filter(fd -> {
                        try {
                            String target = Files.readSymbolicLink(fd).toString();
                            return target.contains("inotify") || target.contains("[eventfd]");
                        } catch (IOException e) {
                            return false;
                        }
                    })
                    .count();
        }
    }

    @Test
    void theThreadIsNamedAfterTheEndpoint() throws Exception {
        start("");
        assertThat(Thread.getAllStackTraces().keySet())
                .anyMatch(thread -> thread.getName().contains("inotify")
                        && thread.getName()
                                .contains(new String(root.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8)));
    }
}
