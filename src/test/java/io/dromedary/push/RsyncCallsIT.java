package io.dromedary.push;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.dromedary.change.ChangeSet;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Receiver.Ability;
import io.dromedary.mirror.Remote;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Names;
import io.dromedary.testbed.RawFiles;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangePropertyKey;
import org.apache.camel.component.exec.ExecCommand;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a real rsync makes of the calls, at each kind of target and for both ways to delete. Where the rsync at hand
 * refuses deletions in the list, the first way is asserted to be refused, and recognised as such, instead.
 */
@ParameterizedClass(name = "{0}, deletions by directory: {1}, whole directories file by file: {2}")
@MethodSource("ways")
class RsyncCallsIT {
    private enum Where {
        DAEMON,
        LOCAL,
        SSH
    }

    private static final CamelContext CONTEXT = new DefaultCamelContext();
    private static final Map<Where, Boolean> refusing = new EnumMap<>(Where.class);

    /** What the daemon's module is, in each test anew. */
    private static Path target;

    private static RsyncDaemon daemon;
    private static SshDaemon ssh;

    @TempDir
    Path directory;

    @Parameter(0)
    Where where;

    @Parameter(1)
    boolean byDirectory;

    @Parameter(2)
    boolean fileByFile;

    private String args = "-a";
    private Path source;
    private RawFiles files;
    private Mirrors mirrors;
    private RsyncCalls rsyncCalls;
    private Remote remote;

    /** Each run over ssh takes a second: there is one test of its own for it. */
    static Stream<Object[]> ways() {
        return Stream.of(Where.DAEMON, Where.LOCAL).flatMap(where -> Stream.of(false, true)
                .map(one -> new Object[] {where, one, one == (where == Where.LOCAL)}));
    }

    @BeforeAll
    static void start(@TempDir Path probe) throws IOException {
        target = probe.resolve("target");
        daemon = new RsyncDaemon().module("m", target).start();
        ssh = new SshDaemon().start();
        // What the rsyncs at hand do is found out without any code of ours; behind ssh it may be another one.
        boolean refused = refusesDeletions(probe.resolve("local"), "");
        refusing.put(Where.LOCAL, refused);
        refusing.put(Where.DAEMON, refused);
        String shell = "--rsh=" + String.join(" ", ssh.sshArguments());
        refusing.put(Where.SSH, refusesDeletions(probe.resolve("ssh"), ssh.target(Path.of("/")), shell));
    }

    private static boolean refusesDeletions(Path probe, String before, String... options) throws IOException {
        Path from = Files.createDirectories(probe.resolve("from/d")).getParent();
        Path to = Files.createDirectories(probe.resolve("to/d")).getParent();
        // Directly in the root none refuses.
        Path list = Files.writeString(probe.resolve("list"), "d/gone");
        Files.writeString(to.resolve("d/gone"), "");
        List<String> words = new ArrayList<>(List.of("rsync", "-a", "--delete-missing-args", "--files-from=" + list));
        words.addAll(List.of(options));
        words.addAll(List.of(from.toString(), before + to));
        Command rsync = Command.run(Map.of(), words);
        boolean refused = rsync.exitCode() != 0;
        assertThat(Files.exists(to.resolve("d/gone"))).as(rsync.errors()).isEqualTo(refused);
        return refused;
    }

    @AfterAll
    static void stop() {
        daemon.close();
        ssh.close();
    }

    @BeforeEach
    void trees() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        Files.createDirectory(target);
        files = new RawFiles(source);
        mirror("", true, 5000, "");
    }

    @AfterEach
    void clear() {
        assertThat(Command.run("rm", "-rf", target.toString()).exitCode()).isZero();
    }

    /** Makes the one mirror with its one remote anew. */
    private void mirror(String exclude, boolean delete, int maxPaths, String fullSyncExclude) throws IOException {
        mirror(exclude, "", delete, maxPaths, fullSyncExclude);
    }

    private void mirror(String exclude, String excludeRegex, boolean delete, int maxPaths, String fullSyncExclude)
            throws IOException {
        mirrors = new Mirrors();
        Mirror mirror = new Mirror();
        mirror.setId("tree");
        mirror.setSource(source.toString());
        mirror.setExclude(exclude);
        mirror.setExcludeRegex(excludeRegex);
        mirror.setEvents(fileByFile ? "delete,close-write" : "delete,modify");
        mirror.setMirrors(mirrors);
        mirror.register();
        remote = new Remote();
        remote.setId("copy");
        remote.setMirror("tree");
        remote.setTarget(
                switch (where) {
                    case DAEMON -> daemon.url("m");
                    case LOCAL -> target.toString();
                    case SSH -> ssh.target(target);
                });
        remote.setPasswordFile("");
        remote.setSsh(String.join(" ", ssh.sshArguments()));
        remote.setArgs(args);
        remote.setTimeout(60);
        remote.setBwlimit("");
        remote.setDelete(delete);
        remote.setMirrors(mirrors);
        remote.register();
        if (byDirectory) {
            remote.receiver().refuse(Set.of(Ability.DELETIONS_IN_LISTS));
        }
        rsyncCalls = new RsyncCalls();
        rsyncCalls.setMirrors(mirrors);
        rsyncCalls.setRsyncProcess(new RsyncProcess());
        rsyncCalls.setCommand("rsync");
        rsyncCalls.setMaxPaths(maxPaths);
        rsyncCalls.setFullSyncExclude(fullSyncExclude);
    }

    private void run(ChangeSet changes, List<RsyncCalls.Call> ran) {
        run(changes, ran, null);
    }

    /** @param lastTry why the try before this one failed; null: this is the first */
    private void run(ChangeSet changes, List<RsyncCalls.Call> ran, RsyncException lastTry) {
        Batch batch = new Batch();
        batch.merge(changes);
        Exchange exchange = new DefaultExchange(CONTEXT);
        exchange.setProperty("batch", batch);
        exchange.setProperty(ExchangePropertyKey.EXCEPTION_CAUGHT, lastTry);
        exchange.getMessage().setHeader("remote", "copy");
        exchange.getMessage().setBody(batch);
        for (RsyncCalls.Call call : rsyncCalls.calls("copy", exchange)) {
            InputStream input = call.input();
            if (input != null) {
                RsyncCalls.Call read = new RsyncCalls.Call(call.directory(), call.arguments(), allOf(input));
                ran.add(read);
                try (RsyncProcess rsync = new RsyncProcess()) {
                    exchange.getMessage()
                            .setBody(rsync.execute(new ExecCommand(
                                    "rsync",
                                    read.arguments(),
                                    read.directory(),
                                    0L,
                                    Set.of(),
                                    read.input(),
                                    null,
                                    false,
                                    null)));
                }
                rsyncCalls.account(exchange);
            }
        }
    }

    private static byte[] allOf(InputStream input) {
        try (input) {
            return input.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String run(RsyncCalls.Call call) {
        try (RsyncProcess rsync = new RsyncProcess()) {
            return rsync.run("rsync", call);
        }
    }

    /** Pushes as the route does: once more, by directory, when this remote's rsync refuses the deletions. */
    private List<RsyncCalls.Call> push(ChangeSet changes) {
        List<RsyncCalls.Call> calls = new ArrayList<>();
        try {
            run(changes, calls);
        } catch (RsyncException e) {
            assertThat(e.isDeletionRefused() && refusing.get(where) && !remote.deletesByRule())
                    .as(e.getMessage())
                    .isTrue();
            remote.receiver().refuse(Set.of(Ability.DELETIONS_IN_LISTS));
            calls.clear();
            run(changes, calls);
        }
        return calls;
    }

    private List<RsyncCalls.Call> pushEntries(String... paths) {
        ChangeSet changes = new ChangeSet();
        for (String path : paths) {
            changes.add(path, false);
        }
        return push(changes);
    }

    private List<RsyncCalls.Call> pushTree(String path) {
        ChangeSet changes = new ChangeSet();
        changes.add(path, true);
        return push(changes);
    }

    /** Both trees are the same from here on. */
    private void pushEverything() {
        push(ChangeSet.ofEverything());
        assertSame();
    }

    private List<String> differences() {
        return Trees.differences(source, target);
    }

    private void assertSame() {
        assertThat(differences()).isEmpty();
    }

    private void write(Path root, String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void write(String path, String text) throws IOException {
        write(source, path, text);
    }

    private void remove(String path) {
        assertThat(Command.run("rm", "-r", source.resolve(path).toString()).exitCode())
                .isZero();
    }

    private void mode(String path, String mode) throws IOException {
        Files.setPosixFilePermissions(source.resolve(path), PosixFilePermissions.fromString(mode));
    }

    /** Anything done to a file, even in vain, changes one of these. */
    private static Map<String, Object> identity(Path file) throws IOException {
        return Files.readAttributes(file, "unix:ino,ctime,nlink,size", LinkOption.NOFOLLOW_LINKS);
    }

    @Test
    void refusedDeletionIsRecognisedAndLeadsToTheOtherWay() throws IOException {
        write("d/gone", "");
        write("d/stays", "");
        pushEverything();
        remove("d/gone");
        Batch batch = new Batch();
        ChangeSet changes = new ChangeSet();
        changes.add("d/gone", false);
        batch.merge(changes);
        try (DefaultCamelContext camel = new DefaultCamelContext()) {
            Exchange everything = new DefaultExchange(camel);
            Batch full = new Batch();
            full.merge(ChangeSet.ofEverything());
            everything.getMessage().setBody(full);
            assertThat(rsyncCalls.calls("copy", everything))
                    .as("how far it is, only a full sync is asked")
                    .allMatch(call -> call.arguments().contains(Transfer.OPTION));
            Exchange exchange = new DefaultExchange(camel);
            exchange.getMessage().setBody(batch);
            List<RsyncCalls.Call> calls = new ArrayList<>();
            rsyncCalls.calls("copy", exchange).forEach(calls::add);
            assertThat(calls).hasSize(1);
            assertThat(calls.get(0).arguments()).doesNotContain(Transfer.OPTION);
            assertThat(calls.get(0).arguments().contains("--delete-missing-args"))
                    .isEqualTo(!byDirectory);
            if (refusing.get(where) && !byDirectory) {
                RsyncException refused = catchThrowableOfType(RsyncException.class, () -> run(calls.get(0)));
                assertThat(refused).isNotNull();
                assertThat(refused.isDeletionRefused()).as(refused.getMessage()).isTrue();
                assertThat(target.resolve("d/gone")).exists();
                remote.receiver().refuse(Set.of(Ability.DELETIONS_IN_LISTS));
                exchange.setProperty(Exchange.EXCEPTION_CAUGHT, refused);
                rsyncCalls.calls("copy", exchange).forEach(RsyncCallsIT::run);
                assertThat(remote.deletesByRule()).isTrue();
            } else {
                calls.forEach(RsyncCallsIT::run);
                assertThat(remote.deletesByRule()).isEqualTo(byDirectory);
            }
        }
        assertSame();
    }

    @Test
    void otherFailuresAreNoRefusedDeletion() throws IOException {
        write("file", "");
        Batch everything = new Batch();
        everything.merge(ChangeSet.ofEverything());
        RsyncCalls.Call call =
                rsyncCalls.callsFor(remote, everything).iterator().next();
        if (where == Where.DAEMON) {
            daemon.stop();
        } else {
            // A file in the place of the target.
            Files.delete(target);
            Files.writeString(target, "");
        }
        RsyncException failed = catchThrowableOfType(RsyncException.class, () -> run(call));
        if (where == Where.DAEMON) {
            daemon.start();
        }
        assertThat(failed).isNotNull();
        assertThat(failed.isDeletionRefused()).as(failed.getMessage()).isFalse();
    }

    @Test
    void directoryThatIsGoneIsDeletedThoughOnlyADeepChildIsNamed() throws IOException {
        write("gone/b/c/file", "");
        write("gone/b/other", "");
        write("stays/gone/c/file", "");
        write("stays/file", "");
        pushEverything();
        remove("gone");
        remove("stays/gone");
        pushEntries("gone/b/c/file", "stays/gone/c/file");
        assertSame();
    }

    @Test
    void missingParentsAreMadeWithTheSourcesAttributes() throws IOException {
        pushEverything();
        write("a/b/file", "text");
        mode("a", "rwxr-x--x");
        mode("a/b", "rwx------");
        mode("a/b/file", "r--r-----");
        pushEntries("a/b/file");
        assertSame();
    }

    @Test
    void deletionWhereTheRemoteHasNotEvenTheParentMakesNothing() throws IOException {
        pushEverything();
        write("new/half", "half");
        pushEntries("new/gone", "gone/too");
        assertThat(differences()).contains("new/half: only in source").doesNotContain("gone: only in target");
        assertThat(target.resolve("new/half")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"d/file", "d/gone", "d/sub/file", "d/sub/gone", "d"})
    void parentThatBecameALinkInsideTheTreeIsSentAsLink(String changed) throws IOException {
        write("d/file", "was here");
        write("d/sub/file", "was here");
        write("real/file", "text");
        write("real/sub/file", "text");
        pushEverything();
        // Behind the remote's link lies what the source would overwrite or delete, was the link followed.
        write(target, "real/file", "theirs");
        write(target, "real/gone", "theirs");
        write(target, "real/sub/gone", "theirs");
        Map<String, Object> file = identity(target.resolve("real/file"));
        List<String> before = differences();
        remove("d");
        files.symlink("real", "d");
        pushEntries(changed);
        pushTree(changed);
        assertThat(Files.readSymbolicLink(target.resolve("d"))).hasToString("real");
        assertThat(identity(target.resolve("real/file"))).isEqualTo(file);
        assertThat(differences()).isEqualTo(before).hasSizeGreaterThanOrEqualTo(4);
    }

    @ParameterizedTest
    @ValueSource(strings = {"d/file", "d/gone", "d"})
    void parentThatBecameALinkOutOfTheTreeIsSentAsLink(String changed) throws IOException {
        write("d/file", "was here");
        pushEverything();
        Path outside = Files.createDirectory(directory.resolve("outside"));
        write(outside, "file", "not ours");
        Map<String, Object> file = identity(outside.resolve("file"));
        Map<String, Object> all = identity(outside);
        remove("d");
        files.symlink(outside.toString(), "d");
        pushEntries(changed);
        pushTree(changed);
        assertSame();
        assertThat(identity(outside.resolve("file"))).isEqualTo(file);
        assertThat(identity(outside)).isEqualTo(all);
    }

    @Test
    void deletionBelowWhatIsStillALinkAtTheRemoteLeavesTheFilesBehindIt() throws IOException {
        write("real/file", "text");
        files.symlink("real", "d");
        pushEverything();
        Map<String, Object> file = identity(target.resolve("real/file"));
        remove("d");
        files.mkdir("d");
        write("d/new", "text");
        pushEntries("d", "d/new", "d/gone", "d/file");
        assertSame();
        assertThat(identity(target.resolve("real/file"))).isEqualTo(file);
    }

    @Test
    void pathsBelowADirectoryThatIsAFileNowSendTheFile() throws IOException {
        write("d/e/file", "was here");
        write("d/other", "was here");
        pushEverything();
        remove("d");
        write("d", "a file");
        pushEntries("d/e/file");
        assertSame();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void directoryAndFileReplaceEachOther(boolean deep) throws IOException {
        write("a/sub/file", "was here");
        write("b", "a file");
        write("c/file", "was here");
        files.symlink("b", "e");
        pushEverything();
        write(target, "a/extra/file", "theirs");
        remove("a");
        write("a", "a file");
        remove("b");
        write("b/new", "text");
        remove("c");
        files.symlink("nowhere", "c");
        remove("e");
        write("e/new", "text");
        ChangeSet changes = new ChangeSet();
        for (String path : new String[] {"a", "b", "c", "e", "b/new", "e/new"}) {
            changes.add(path, deep);
        }
        push(changes);
        assertSame();
    }

    @Test
    void directoryThatIsFullAtTheRemoteGoesAsAWhole() throws IOException {
        write("d/file", "");
        write("stays", "");
        pushEverything();
        write(target, "d/extra/deep/file", "theirs");
        remove("d");
        pushEntries("d");
        assertSame();
    }

    @Test
    void deletionTouchesNothingBesideWhatIsNamed() throws IOException {
        write("d/gone", "text");
        write("d/gone*[1]/below", "text");
        write("d/gone\\too", "text");
        write("d/stays", "text");
        write("root", "text");
        pushEverything();
        write(target, "d/extra", "theirs");
        write(target, "d/gone11/extra", "theirs");
        write(target, "d/sub/extra", "theirs");
        write(target, "extra", "theirs");
        remove("d/gone");
        remove("d/gone*[1]");
        remove("d/gone\\too");
        remove("root");
        write("d/stays", "half");
        pushEntries("d/gone", "d/gone*[1]", "d/gone\\too", "root");
        assertThat(differences())
                .filteredOn(line -> line.contains("only in") || line.contains("size"))
                .filteredOn(line -> !line.startsWith("d/stays"))
                .containsExactlyInAnyOrder(
                        "d/extra: only in target",
                        "d/gone11: only in target",
                        "d/gone11/extra: only in target",
                        "d/sub: only in target",
                        "d/sub/extra: only in target",
                        "extra: only in target");
        assertThat(target.resolve("d/stays")).hasContent("text");
    }

    @Test
    void shallowChangeOfADirectoryDoesNotRecurse() throws IOException {
        write("d/file", "text");
        write("d/sub/file", "text");
        pushEverything();
        write("d/file", "half-wr");
        write("d/half", "half");
        write("d/sub/half", "half");
        mode("d", "rwx------");
        pushEntries("d");
        assertThat(target.resolve("d/file")).hasContent("text");
        assertThat(Files.getPosixFilePermissions(target.resolve("d"))).hasSize(3);
        assertThat(differences()).contains("d/half: only in source", "d/sub/half: only in source");
        assertThat(differences()).noneMatch(line -> line.startsWith("d: "));
    }

    @Test
    void deepChangeMakesEqualAndRemovesWhatIsTooMuchOnlyBelowIt() throws IOException {
        write("d/sub/file", "text");
        write("other/file", "text");
        pushEverything();
        write("d/sub/file", "newer text");
        write("d/new/file", "text");
        write(target, "d/extra/file", "theirs");
        write(target, "d/sub/extra", "theirs");
        write(target, "other/extra", "theirs");
        write(target, "extra", "theirs");
        pushTree("d");
        assertThat(differences())
                .filteredOn(line -> !line.startsWith("other: mtime"))
                .containsExactly("extra: only in target", "other/extra: only in target");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "gone", "there", "tree"})
    void rootsOwnAttributesArriveAndWhatLiesHalfWrittenInItDoesNot(String company) throws IOException {
        write("file", "text");
        write("gone", "");
        write("d/file", "text");
        write("tree/file", "text");
        pushEverything();
        write("file", "half-written");
        write("half", "half");
        write("d/half", "half");
        write("there", "");
        write("tree/new", "");
        if (company.equals("gone")) {
            remove("gone");
        }
        mode("", "rwx--x---");
        files.modified("", 1_000_000_000, 123_456_789);
        ChangeSet changes = new ChangeSet();
        changes.add("", false);
        if (!company.isEmpty()) {
            changes.add(company, company.equals("tree"));
        }
        push(changes);
        assertThat(differences()).contains("half: only in source", "d/half: only in source");
        assertThat(differences()).noneMatch(line -> line.startsWith(".:"));
        assertThat(target.resolve("file")).hasContent("text");
        if (!company.isEmpty()) {
            assertThat(differences()).noneMatch(line -> line.startsWith(company));
        }
    }

    @Test
    void timesOfParentsAndRootFollowCreationAndDeletion() throws IOException {
        write("a/b/gone", "");
        write("a/b/stays", "");
        write("gone", "");
        pushEverything();
        for (String path : new String[] {"", "a", "a/b"}) {
            files.modified(path, 1_000_000_000, 1);
        }
        pushEntries("", "a", "a/b");
        assertSame();
        remove("a/b/gone");
        pushEntries("a/b/gone");
        assertSame();
        remove("gone");
        pushEntries("gone");
        assertSame();
        write("new", "");
        pushEntries("new");
        write("a/new/file", "");
        pushEntries("a/new");
        pushEntries("a/new/file");
        assertSame();
    }

    @Test
    void changeOfTheSameSizeWithinASecondIsSent() throws IOException {
        Instant second = Instant.ofEpochSecond(1_600_000_000);
        write("file", "one");
        Files.setLastModifiedTime(source.resolve("file"), FileTime.from(second.plusNanos(1_000_000)));
        pushEverything();
        write("file", "two");
        Files.setLastModifiedTime(source.resolve("file"), FileTime.from(second.plusNanos(1_000_001)));
        pushEntries("file");
        assertThat(target.resolve("file")).hasContent("two");
        assertSame();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "d/"})
    void halfWrittenSiblingIsNotSentAlongWithADeletion(String below) throws IOException {
        write(below + "gone", "");
        write(below + "goneTree/file", "");
        write(below + "grows", "text");
        write(below + "sub/grows", "text");
        pushEverything();
        remove(below + "gone");
        remove(below + "goneTree");
        write(below + "half", "half");
        write(below + "grows", "half-written");
        write(below + "sub/half", "half");
        write(below + "sub/grows", "half-written");
        write(below + "newSub/half", "half");
        files.symlink("half", below + "link");
        pushEntries(below + "gone", below + "goneTree");
        assertThat(target.resolve(below + "gone")).doesNotExist();
        assertThat(target.resolve(below + "goneTree")).doesNotExist();
        for (String path : new String[] {"half", "sub/half", "newSub", "link"}) {
            assertThat(target.resolve(below + path)).doesNotExist();
        }
        assertThat(target.resolve(below + "grows")).hasContent("text");
        assertThat(target.resolve(below + "sub/grows")).hasContent("text");
        pushTree("");
        assertSame();
    }

    @Test
    void oddNamesArriveAndAreDeleted() {
        List<String> names =
                Names.odd().stream().map(name -> new String(name, ISO_8859_1)).toList();
        pushEverything();
        ChangeSet changes = new ChangeSet();
        for (String name : names) {
            String shortened = name.substring(0, Math.min(200, name.length()));
            files.write(name, name.getBytes(ISO_8859_1));
            files.mkdir("d " + shortened);
            files.write("d " + shortened + "/" + name, new byte[1]);
            changes.add(name, false);
            changes.add("d " + shortened, true);
        }
        push(changes);
        assertSame();
        for (String name : names) {
            files.unlink(name);
            files.unlink("d " + name.substring(0, Math.min(200, name.length())) + "/" + name);
            changes.add("d " + name.substring(0, Math.min(200, name.length())) + "/" + name, false);
        }
        push(changes);
        assertSame();
        ChangeSet directories = new ChangeSet();
        for (String name : names) {
            files.rmdir("d " + name.substring(0, Math.min(200, name.length())));
            directories.add("d " + name.substring(0, Math.min(200, name.length())) + "/" + name, false);
        }
        push(directories);
        assertSame();
        assertThat(target).isEmptyDirectory();
    }

    @Test
    void withoutDeletionsNothingIsDeletedAndTheRestArrives() throws IOException {
        mirror("", false, 5000, "");
        write("gone", "text");
        write("d/gone", "text");
        write("tree/gone", "text");
        push(ChangeSet.ofEverything());
        assertSame();
        remove("gone");
        remove("d");
        remove("tree/gone");
        write("new", "text");
        write("tree/new", "text");
        ChangeSet changes = new ChangeSet();
        changes.add("gone", false);
        changes.add("d/gone", false);
        changes.add("new", false);
        changes.add("tree", true);
        push(changes);
        push(ChangeSet.ofEverything());
        assertThat(differences())
                .containsExactly(
                        "d: only in target",
                        "d/gone: only in target",
                        "gone: only in target",
                        "tree/gone: only in target");
    }

    @Test
    void whatIsExcludedIsNeitherSentNorDeleted() throws IOException {
        mirror("*.keep, /cache/, /kept/", true, 5000, "");
        write("d/gone", "");
        write("goneTree/file", "");
        write("stays", "");
        pushEverything();
        for (String path :
                new String[] {"d/a.keep", "b.keep", "cache/file", "goneTree/c.keep", "d/sub/e.keep", "kept/x"}) {
            write(target, path, "theirs");
        }
        write("kept/mine", "");
        write("mine.keep", "");
        write("d/mine.keep", "");
        remove("d/gone");
        pushEntries("d/gone");
        remove("goneTree");
        pushEntries("goneTree/file", "mine.keep", "d/mine.keep", "cache/file", "b.keep", "kept/x");
        write("d/new", "");
        pushTree("d");
        push(ChangeSet.ofEverything());
        assertThat(differences())
                .filteredOn(line -> !line.contains("mtime"))
                .containsExactly(
                        "b.keep: only in target",
                        "cache: only in target",
                        "cache/file: only in target",
                        "d/a.keep: only in target",
                        "d/mine.keep: only in source",
                        "d/sub: only in target",
                        "d/sub/e.keep: only in target",
                        "goneTree: only in target",
                        "goneTree/c.keep: only in target",
                        "kept/mine: only in source",
                        "kept/x: only in target",
                        "mine.keep: only in source");
    }

    /** What is gone is deleted, file or directory, but for what a rule protects; and nothing beside it. */
    @ParameterizedTest
    @ValueSource(strings = {"", "/never/.*"})
    void onlyWhatTheRemotesFiltersLetIn(String regex) throws IOException {
        args = "-a --include=*/ --include=*.php --exclude=*";
        mirror("", regex, true, 5000, "");
        for (String path : List.of("d/a.php", "d/b.txt", "d/e/c.php", "f/g/h.php", "i.php", "j.txt")) {
            write(path, "");
        }
        for (String path : List.of("d/theirs.txt", "d/e/theirs", "theirs")) {
            write(target, path, "");
        }
        pushEntries("d/a.php", "d/b.txt", "i.php", "j.txt");
        pushTree("d/e");
        pushTree("f");
        assertThat(there())
                .containsExactly("d/a.php", "d/e/c.php", "d/e/theirs", "d/theirs.txt", "f/g/h.php", "i.php", "theirs");
        push(ChangeSet.ofEverything());
        remove("d/a.php");
        remove("d/b.txt");
        remove("d/e");
        remove("f");
        remove("i.php");
        pushEntries("d/a.php", "d/b.txt", "i.php");
        pushTree("d/e");
        pushTree("f");
        assertThat(there()).containsExactly("d/e/theirs", "d/theirs.txt", "theirs");
        assertThat(target.resolve("f")).doesNotExist();
    }

    /** Of what is gone nobody knows whether it was a directory. */
    @ParameterizedTest
    @ValueSource(strings = {"", "/never/.*"})
    void rulesForDirectoriesAndRulesForOneEnd(String regex) throws IOException {
        args = "-a --exclude=x/ -f 'P keep' -f 'H hidden' -f 'S /shown' --exclude=/shown";
        mirror("", regex, true, 5000, "");
        for (String path : List.of("x", "y/x/ours", "y/z", "keep", "d/keep", "hidden", "d/hidden", "shown")) {
            write(path, "");
        }
        write(target, "y/x/theirs", "");
        write(target, "d/x/theirs", "");
        pushEntries("x", "y/x/ours", "y/z", "keep", "d/keep", "hidden", "d/hidden", "shown");
        List<String> all = List.of("d/keep", "d/x/theirs", "keep", "shown", "x", "y/x/theirs", "y/z");
        assertThat(there()).isEqualTo(all);
        write(target, "d/hidden", "");
        push(ChangeSet.ofEverything());
        assertThat(there()).isEqualTo(all);
        for (String path : List.of("x", "y", "keep", "d", "shown")) {
            remove(path);
        }
        pushEntries("x", "keep", "shown", "d/x");
        pushTree("y");
        pushTree("d");
        assertThat(there()).containsExactly("d/keep", "d/x/theirs", "keep", "shown", "y/x/theirs");
    }

    private List<String> there() {
        return Trees.types(target).entrySet().stream()
                .filter(entry -> entry.getValue() == 'f')
                .map(Map.Entry::getKey)
                .toList();
    }

    @Test
    void whatWasWrittenInADirectoryThatIsAFileByNowDoesNotFailAFullSync() throws IOException {
        mirror("", "", true, 5000, "");
        write("dir", "a file");
        write(target, "dir/below/file", "");
        write("other/file", "behind a link");
        Files.createSymbolicLink(source.resolve("link"), Path.of("other"));
        write(target, "link/file", "");
        ChangeSet changes = ChangeSet.ofEverything();
        changes.add("dir/below/file", false);
        changes.add("link/file", false);
        push(changes);
        assertThat(Trees.types(target).keySet()).containsExactlyInAnyOrder("", "dir", "link", "other", "other/file");
        assertThat(target.resolve("dir")).hasContent("a file");
        assertThat(target.resolve("link")).isSymbolicLink();
    }

    @Test
    void whatARegexExcludesIsNeitherSentNorDeletedByAFullSync() throws IOException {
        mirror("", ".*log\\.[0-9]+, .*/cache[0-9]+", true, 5000, "");
        write("keep/here", "new");
        write("keep/cache1/ours", "");
        write("log.1", "");
        write(target, "keep/cache1/theirs", "");
        write(target, "keep/extra", "");
        write(target, "gone/cache22/theirs", "");
        write(target, "gone/other", "");
        write(target, "gone/below/all", "");
        write(target, "log.2", "");
        write(target, "log.x", "");
        push(ChangeSet.ofEverything());
        assertThat(Trees.types(target).keySet())
                .containsExactlyInAnyOrder(
                        "",
                        "keep",
                        "keep/here",
                        "keep/cache1",
                        "keep/cache1/theirs",
                        "gone",
                        "gone/cache22",
                        "gone/cache22/theirs",
                        "log.2");
        assertThat(target.resolve("keep/here")).hasContent("new");
        // What holds something that is excluded cannot go, with or without us; rsync tells it each time, and it is no
        // difference.
        assertThat(rsyncCalls.differences(remote, ChangeSet.ofEverything())).isEmpty();
    }

    @Test
    void whatARegexExcludesIsNeitherSentNorDeletedLive() throws IOException {
        mirror("", ".*/cache[0-9]+", true, 5000, "");
        write("a/b/file", "");
        write("a/b/cache1/ours", "");
        write("c/file", "");
        push(ChangeSet.ofEverything());
        assertThat(target.resolve("a/b/cache1")).doesNotExist();
        write(target, "a/b/cache1/theirs", "");
        write(target, "c/cache2/theirs", "");
        remove("a/b");
        remove("c");
        write("new/cache3/ours", "");
        write("new/file", "");
        ChangeSet changes = new ChangeSet();
        changes.add("a/b", true);
        changes.add("c", true);
        changes.add("c/file", false);
        changes.add("new", true);
        push(changes);
        assertThat(Trees.types(target).keySet())
                .containsExactlyInAnyOrder(
                        "",
                        "a",
                        "a/b",
                        "a/b/cache1",
                        "a/b/cache1/theirs",
                        "c",
                        "c/cache2",
                        "c/cache2/theirs",
                        "new",
                        "new/file");
    }

    @Test
    void regexesHoldForTreesOfAnyShapeAndName() throws IOException {
        mirror("", ".*/(f|d)[0-9]*[05].*, d7.*", true, 7, "");
        long seed = System.nanoTime();
        System.out.println("regexes: seed " + seed);
        Random random = new Random(seed);
        Names names = new Names(random);
        for (int round = 0; round < 3; round++) {
            grow(random, names, source);
            grow(random, names, target);
            Map<String, Character> before = Trees.types(target);
            push(ChangeSet.ofEverything());
            Map<String, Character> ours = Trees.types(source);
            Map<String, Character> after = Trees.types(target);
            Excludes excludes = remote.mirror().excludes();
            ours.forEach((path, type) -> {
                if (!excludes.covers(path, type == 'd')) {
                    assertThat(after).as(Names.readable(path)).containsEntry(path, type);
                }
            });
            before.forEach((path, type) -> {
                if (excludes.covers(path, type == 'd')) {
                    assertThat(after).as(Names.readable(path)).containsEntry(path, type);
                }
            });
            after.forEach((path, type) -> {
                boolean holdsTheirs = before.keySet().stream()
                        .anyMatch(theirs ->
                                theirs.startsWith(path + "/") && excludes.covers(theirs, before.get(theirs) == 'd'));
                boolean wanted = excludes.covers(path, type == 'd') ? before.containsKey(path) : ours.containsKey(path);
                assertThat(wanted || holdsTheirs).as(Names.readable(path)).isTrue();
            });
        }
    }

    /** Directories are called d…, files f…, so that none stands in the way of another. */
    private static void grow(Random random, Names names, Path root) {
        RawFiles files = new RawFiles(root);
        Map<String, Character> there = Trees.types(root);
        List<String> directories = new ArrayList<>(
                there.keySet().stream().filter(path -> there.get(path) == 'd').toList());
        for (int i = 0; i < 40; i++) {
            String in = directories.get(random.nextInt(directories.size()));
            boolean directory = random.nextInt(3) == 0;
            String name = (directory ? "d" : "f")
                    + random.nextInt(12)
                    + (random.nextBoolean() ? "" : new String(names.next(), ISO_8859_1));
            String path = in.isEmpty() ? name : in + "/" + name;
            if (name.length() > 255 || path.length() > 2000 || there.containsKey(path)) {
                continue;
            }
            there.put(path, directory ? 'd' : 'f');
            if (directory) {
                files.mkdir(path);
                directories.add(path);
            } else {
                files.create(path, new byte[random.nextInt(100)]);
            }
        }
    }

    @Test
    void aLargeFileLeavesTheDaemonItsTimeoutAndKeepsNoOthersWaiting() throws IOException {
        write("small", "text");
        write("d/file", "text");
        write("e/a", "text");
        write("e/z", "text");
        for (String large : List.of("large", "e/large")) {
            files.create(large, new byte[0]);
            try (RandomAccessFile file =
                    new RandomAccessFile(source.resolve(large).toFile(), "rw")) {
                file.setLength((16 << 20) + 1);
            }
        }
        boolean daemon = where == Where.DAEMON;
        assertThat(farTimeoutsOff(pushEntries("small", "d"))).containsOnly(daemon);
        assertThat(farTimeoutsOff(pushEntries("small", "large"))).containsOnly(false);
        if (fileByFile) {
            // the list, and what is too much in the directory if it was there
            assertThat(farTimeoutsOff(pushTree("d"))).containsOnly(daemon);
            // the list, then the large file, then the same
            assertThat(farTimeoutsOff(pushTree("e"))).startsWith(daemon, false);
        } else {
            assertThat(farTimeoutsOff(pushTree("e"))).endsWith(false);
            pushTree("d");
        }
        assertSame();
    }

    private static List<Boolean> farTimeoutsOff(List<RsyncCalls.Call> calls) {
        return calls.stream()
                .map(call -> call.arguments().contains("--remote-option=--timeout=0"))
                .toList();
    }

    @Test
    void longListsAreSplit() throws IOException {
        mirror("", true, 3, "");
        for (int i = 0; i < 8; i++) {
            write("gone" + i + "/gone", "");
            write("gone" + i + "/stays", "");
        }
        pushEverything();
        for (int i = 0; i < 8; i++) {
            remove("gone" + i + "/gone");
            write("new" + i, "text");
        }
        String[] paths = Stream.iterate(0, i -> i + 1)
                .limit(8)
                .flatMap(i -> Stream.of("gone" + i + "/gone", "new" + i))
                .toArray(String[]::new);
        List<RsyncCalls.Call> calls = pushEntries(paths);
        // Sixteen paths in threes; by rules twice eight.
        assertThat(calls).hasSize(6);
        assertThat(calls)
                .filteredOn(call -> call.arguments().contains("--files-from=-"))
                .allMatch(call -> new String(allOf(call.input()), ISO_8859_1).split("\0").length <= 3);
        assertSame();
    }

    @Test
    void wholeDirectoriesGoInPartsAndWithoutWhatIsBeingWritten() throws IOException {
        mirror("", true, 3, "");
        write("d/sub/old", "old");
        write("d/sub/gone", "");
        pushEverything();
        write(target, "d/sub/extra/file", "");
        remove("d/sub/gone");
        for (int i = 0; i < 8; i++) {
            write("d/sub" + i % 3 + "/new" + i, "text");
        }
        write("elsewhere", "text");
        Files.createLink(source.resolve("d/linked"), source.resolve("elsewhere"));
        List<RsyncCalls.Call> calls;
        try (OutputStream made = Files.newOutputStream(source.resolve("d/made"));
                OutputStream changed = Files.newOutputStream(source.resolve("d/sub/old"));
                OutputStream linked = Files.newOutputStream(source.resolve("elsewhere"))) {
            for (OutputStream one : List.of(made, changed, linked)) {
                one.write('1');
            }
            calls = pushTree("d");
            assertThat(Files.exists(target.resolve("d/made"))).isNotEqualTo(fileByFile);
            assertThat(target.resolve("d/sub/old")).hasContent(fileByFile ? "old" : "1");
            assertThat(target.resolve("d/linked"))
                    .as("it may be closed elsewhere")
                    .hasContent("1");
            for (OutputStream one : List.of(made, changed, linked)) {
                one.write('2');
            }
        }
        assertThat(target.resolve("d/sub/extra")).doesNotExist();
        assertThat(calls)
                .allMatch(call -> new String(allOf(call.input()), ISO_8859_1).split("\0").length <= 3)
                .hasSizeGreaterThanOrEqualTo(fileByFile ? 6 : 1);
        pushEntries("d/made", "d/sub/old", "d/linked", "elsewhere");
        assertSame();
    }

    /** rsync makes two system calls for each byte of a list. */
    @Test
    void furtherListsOfATreeStartInIt() throws IOException {
        mirror("/file5, /d/tree/out/", true, 100, "");
        for (int i = 0; i < 150; i++) {
            write("d/tree/file" + i, "text");
            write("d/tree/sub" + i % 2 + "/file" + i, "text");
        }
        write("d/tree/out/file", "");
        List<RsyncCalls.Call> calls = pushTree("d/tree");
        assertThat(differences()).allMatch(difference -> difference.contains("d/tree/out"));
        assertThat(target.resolve("d/tree/out")).doesNotExist();
        if (fileByFile) {
            // None for what is too much in directories that these have made.
            assertThat(calls).hasSize(4);
            assertThat(calls.get(0).directory()).isEqualTo(source.toString());
            assertThat(calls.subList(1, 4))
                    .allMatch(call ->
                            call.directory().equals(source.resolve("d/tree").toString()))
                    .noneMatch(call -> new String(allOf(call.input()), ISO_8859_1).contains("tree/"));
        }
    }

    /** What is excluded there must not go with it: that is known in the source only. */
    @Test
    void whatIsInTheWayInATreeGoesWithTheNextTry() throws IOException {
        mirror("*.keep", true, 100, "");
        for (int i = 0; i < 150; i++) {
            write("d/file" + i, "text");
        }
        for (int i = 0; i < 150; i += 10) {
            write(target, "d/file" + i + "/x", "");
        }
        ChangeSet changes = new ChangeSet();
        changes.add("d", true);
        List<RsyncCalls.Call> calls = new ArrayList<>();
        if (fileByFile) {
            RsyncException partial = catchThrowableOfType(PartialException.class, () -> run(changes, calls));
            assertThat(partial).isNotNull();
            run(changes, calls, partial);
        } else {
            push(changes);
        }
        assertSame();
        assertThat(target.resolve("d/file0")).isRegularFile();
    }

    @Test
    void onlyWhatWasThereBeforeIsLookedThroughForWhatIsTooMuch() throws IOException {
        mirror("", true, 5, "");
        write("known/file", "");
        pushEverything();
        write(target, "known/extra", "");
        write(target, "known/sub/extra", "");
        for (int i = 0; i < 9; i++) {
            write("known/sub/new" + i % 3 + "/file" + i, "");
            write("known/made/odd\n\\#012" + i % 3 + "/file" + i, "");
        }
        List<RsyncCalls.Call> calls = pushTree("known");
        assertSame();
        if (fileByFile) {
            String looked = calls.stream()
                    .filter(call -> call.arguments().contains("--existing"))
                    .map(call -> new String(allOf(call.input()), ISO_8859_1))
                    .collect(Collectors.joining());
            assertThat(looked.split("\0")).containsExactlyInAnyOrder("./known/", "known/sub/");
        }
    }

    @Test
    void fullSyncExcludesHoldForEverythingOnly() throws IOException {
        mirror("", true, 5000, "*.iso");
        write("file", "");
        pushEverything();
        write("d/mine.iso", "");
        write(target, "theirs.iso", "");
        push(ChangeSet.ofEverything());
        assertThat(differences())
                .filteredOn(line -> !line.contains("mtime"))
                .containsExactly("d/mine.iso: only in source", "theirs.iso: only in target");
        pushTree("d");
        assertThat(target.resolve("d/mine.iso")).exists();
        remove("d/mine.iso");
        pushEntries("d/mine.iso");
        assertThat(target.resolve("d/mine.iso")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void allKindsOfChangesInOneBatchArrive(boolean overSsh) throws IOException {
        if (overSsh) {
            where = Where.SSH;
            mirror("", true, 5000, "");
        }
        write("gone", "text");
        write("d/gone", "text");
        write("d/stays", "text");
        write("goneTree/sub/file", "text");
        write("link/file", "text");
        write("file/was", "a directory");
        write("tree/gone", "text");
        pushEverything();
        remove("gone");
        remove("d/gone");
        remove("goneTree");
        remove("link");
        files.symlink("d", "link");
        remove("file");
        write("file", "text");
        remove("tree/gone");
        write("tree/new/file", "text");
        write("made/with/parents", "text");
        String odd = "it's a \"$(touch x)\" *[\n] \u00ff";
        files.mkdir(odd);
        files.write(odd + "/" + odd, new byte[100_000]);
        mode("", "rwxr-x---");
        ChangeSet changes = new ChangeSet();
        for (String path : new String[] {
            "", "gone", "d/gone", "goneTree/sub/file", "link/file", "file/was", "made/with/parents", odd + "/" + odd
        }) {
            changes.add(path, false);
        }
        changes.add("tree", true);
        push(changes);
        assertSame();
    }

    @Test
    void sameCallsAgainChangeNothing() throws IOException {
        write("d/file", "text");
        write("gone", "");
        pushEverything();
        remove("gone");
        write("d/new", "text");
        pushEntries("gone", "d", "d/new", "d/never");
        assertSame();
        Map<String, Object> file = identity(target.resolve("d/new"));
        ChangeSet again = new ChangeSet();
        List.of("gone", "d", "d/new", "d/never").forEach(again::addAttributes);
        push(again);
        assertSame();
        assertThat(identity(target.resolve("d/new"))).isEqualTo(file);
        pushEverything();
        assertThat(identity(target.resolve("d/new"))).isEqualTo(file);
    }

    /** As build tools with fixed times do it, and touch -r. */
    private void rewrite(String path, String text) throws IOException {
        FileTime time = Files.getLastModifiedTime(source.resolve(path));
        Files.writeString(source.resolve(path), text);
        Files.setLastModifiedTime(source.resolve(path), time);
    }

    @Test
    void whatWasWrittenIsComparedThoughSizeAndTimeAreWhatTheyWere() throws IOException {
        write("f", "old");
        write("d/f", "old");
        write("e/f", "old");
        write("full", "old");
        pushEverything();
        rewrite("f", "new");
        pushEntries("f");
        rewrite("d/f", "new");
        pushTree("d");
        assertSame();
        // Beside a full sync, such as a remote is owed that was down.
        rewrite("e/f", "new");
        ChangeSet both = ChangeSet.ofEverything();
        both.add("e/f", false);
        push(both);
        assertSame();
        rewrite("full", "new");
        push(ChangeSet.ofEverything());
        assertThat(differences()).as("a full sync goes by size and time").containsExactly("full: content differs");
    }

    @Test
    void aLargeFileIsNotReadForItsMode() throws IOException {
        Files.write(source.resolve("large"), new byte[2 << 20]);
        write("small", "x");
        write("written", "old");
        pushEverything();
        Map<String, Object> before = identity(target.resolve("large"));
        mode("large", "rw-------");
        mode("small", "rw-------");
        rewrite("written", "new");
        ChangeSet changes = new ChangeSet();
        changes.addAttributes("large");
        changes.addAttributes("small");
        changes.add("written", false);
        List<RsyncCalls.Call> calls = push(changes);
        assertSame();
        assertThat(identity(target.resolve("large")).get("ino")).isEqualTo(before.get("ino"));
        assertThat(calls).as("one for the large one").hasSize(2);
        mode("small", "rw-r-----");
        rewrite("written", "old");
        ChangeSet small = new ChangeSet();
        small.addAttributes("small");
        small.add("written", false);
        assertThat(push(small)).as("one for both").hasSize(1);
        assertSame();
    }
}
