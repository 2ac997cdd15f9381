package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Receiver.Ability;
import io.dromedary.mirror.Remote;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.camel.CamelContext;
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
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What a rename costs on the wire at each kind of target, and that a hint about one that is wrong does no harm. */
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"DAEMON", "LOCAL"})
class RenamesIT {
    enum Where {
        DAEMON,
        LOCAL,
        SSH
    }

    private static final CamelContext CAMEL = new DefaultCamelContext();
    private static final int FILES = 4;
    private static final int SIZE = 1 << 20;

    private static Path target;
    private static RsyncDaemon daemon;
    private static SshDaemon ssh;

    @TempDir
    Path directory;

    @Parameter
    Where where;

    private Path source;
    private Remote remote;
    private RsyncCalls rsyncCalls;
    private FailQueue failQueue;
    private Batch batch;

    @BeforeAll
    static void start(@TempDir Path module) throws IOException {
        target = Files.createDirectory(module.resolve("target"));
        daemon = new RsyncDaemon().module("m", target).start();
        ssh = new SshDaemon().start();
    }

    @AfterAll
    static void stop() {
        daemon.close();
        ssh.close();
    }

    /** Two trees of 4 MB and a large file, at both sides. */
    @BeforeEach
    void prepare() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        shell(target, "find . -mindepth 1 -delete");
        Random random = new Random(1);
        for (String name : List.of("a", "b")) {
            Files.createDirectories(source.resolve(name).resolve("sub"));
            for (int i = 0; i < FILES; i++) {
                byte[] content = new byte[SIZE];
                random.nextBytes(content);
                Files.write(source.resolve(name).resolve(i == 0 ? "sub/f" : "f" + i), content);
            }
        }
        Files.createDirectories(source.resolve("p/q"));
        Files.copy(source.resolve("a/f1"), source.resolve("large"));
        mirror("", "-a");
        push(ChangeSet.ofEverything());
        assertEqual();
    }

    @AfterEach
    void close() throws IOException {
        failQueue.close();
    }

    private void mirror(String exclude, String args) throws IOException {
        Mirrors mirrors = new Mirrors();
        Mirror mirror = new Mirror();
        mirror.setId("tree");
        mirror.setSource(source.toString());
        mirror.setExclude(exclude);
        mirror.setExcludeRegex("");
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
        remote.setMirrors(mirrors);
        remote.register();
        if (failQueue != null) {
            failQueue.close();
        }
        failQueue = new FailQueue();
        failQueue.setStateDir(directory.resolve("state").toString());
        failQueue.setMirrors(mirrors);
        failQueue.setBackoff("1ms");
        failQueue.setMaxBackoff("1ms");
        failQueue.open();
        RsyncProcess rsync = new RsyncProcess();
        rsync.setMirrors(mirrors);
        rsyncCalls = new RsyncCalls();
        rsyncCalls.setMirrors(mirrors);
        rsyncCalls.setRsyncProcess(rsync);
        rsyncCalls.setFailQueue(failQueue);
        rsyncCalls.setCommand("rsync");
        rsyncCalls.setMaxPaths(5000);
        rsyncCalls.setFullSyncExclude("");
    }

    private static void shell(Path where, String script) {
        Command command = Command.run("sh", "-euc", "cd \"$0\"\n" + script, where.toString());
        assertThat(command.exitCode()).as(command.errors()).isZero();
    }

    private void assertEqual() {
        assertThat(Trees.differences(source, target)).isEmpty();
    }

    private Batch batch(ChangeSet changes) {
        batch = new Batch();
        batch.merge(changes);
        return batch;
    }

    private List<RsyncCalls.Call> calls(ChangeSet changes) {
        return calls(batch(changes));
    }

    private List<RsyncCalls.Call> calls(Batch pushed) {
        return calls(pushed, null);
    }

    private List<RsyncCalls.Call> calls(Batch pushed, RsyncException lastTry) {
        DefaultExchange exchange = new DefaultExchange(CAMEL);
        exchange.getMessage().setBody(pushed);
        exchange.setProperty(ExchangePropertyKey.EXCEPTION_CAUGHT, lastTry);
        List<RsyncCalls.Call> calls = new ArrayList<>();
        rsyncCalls.calls("copy", exchange).forEach(calls::add);
        return calls;
    }

    /** Runs it as the route does, what it tells is accounted for; returns the bytes sent. */
    private long run(RsyncCalls.Call call) {
        try (InputStream list = call.input();
                RsyncProcess rsync = new RsyncProcess()) {
            if (list == null) {
                return 0;
            }
            ExecCommand command =
                    new ExecCommand("rsync", call.arguments(), call.directory(), 0L, Set.of(), list, null, false, null);
            DefaultExchange exchange = new DefaultExchange(CAMEL);
            Batch told = new Batch();
            exchange.setProperty("batch", told);
            exchange.getMessage().setHeader("remote", "copy");
            exchange.getMessage().setBody(rsync.execute(command));
            rsyncCalls.account(exchange);
            batch.made().addAll(told.made());
            return told.bytesSent();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As the route does: once more if the rsync at hand refuses deletions in the list. Returns the bytes sent. */
    private long push(ChangeSet changes) {
        return push(batch(changes));
    }

    private long push(Batch pushed) {
        long sent = 0;
        try {
            for (RsyncCalls.Call call : calls(pushed)) {
                sent += run(call);
            }
        } catch (RsyncException e) {
            if (!e.isDeletionRefused() || remote.deletesByRule()) {
                throw e;
            }
            remote.receiver().refuse(Set.of(Ability.DELETIONS_IN_LISTS));
            for (RsyncCalls.Call call : calls(pushed, e)) {
                sent += run(call);
            }
        }
        failQueue.through("copy", pushed);
        return sent + pushed.bytesSent();
    }

    /** What the watch tells of {@code mv from to}, merged. */
    private static ChangeSet renames(String... fromTo) {
        ChangeSet all = new ChangeSet();
        for (int i = 0; i < fromTo.length; i += 2) {
            ChangeSet one = new ChangeSet();
            one.add(fromTo[i], true);
            one.add(fromTo[i + 1], true);
            one.moved(fromTo[i], fromTo[i + 1]);
            all.merge(one);
        }
        return all;
    }

    private static Object inode(Path path) throws IOException {
        return Files.getAttribute(path, "unix:ino");
    }

    @ParameterizedTest
    @CsvSource({"a, z", "a, p/z", "a, p/q/a b", "a, p/größer", "a/sub, sub"})
    void renamedDirectoryIsLinked(String from, String to) throws IOException {
        Object before = inode(target.resolve("a/sub/f"));
        long bytes = from.equals("a") ? FILES * SIZE : SIZE;
        Files.move(source.resolve(from), source.resolve(to));
        assertThat(push(renames(bytes(from), bytes(to)))).isLessThan(bytes / 100);
        assertEqual();
        assertThat(inode(target.resolve(to).resolve(from.equals("a") ? "sub/f" : "f")))
                .isEqualTo(before);
        assertThat(Files.getAttribute(target.resolve(to).resolve(from.equals("a") ? "f1" : "f"), "unix:nlink"))
                .isEqualTo(1);
    }

    private static String bytes(String name) {
        return io.dromedary.change.ByteString.of(name);
    }

    @ParameterizedTest
    @CsvSource({"large, larger", "large, p/q/large", "large, p/larger", "a/f1, large2", "a/f1, a/*?[ :"})
    void renamedFileIsNotSent(String from, String to) throws IOException {
        Files.move(source.resolve(from), source.resolve(to));
        // The sums of its blocks come from the remote; what is sent names them.
        assertThat(push(renames(from, to))).isLessThan(SIZE / 100);
        assertEqual();
    }

    /** What is excluded stays where it is, so a tree is linked then; a file is renamed all the same. */
    @Test
    void treeWithExcludesIsLinked() throws IOException {
        mirror("*.none", "-a");
        shell(target, "echo mine >a/x.none");
        Object before = inode(target.resolve("a/f1"));
        shell(source, "mv a z; mv large p/larger");
        assertThat(push(renames("a", "z", "large", "p/larger"))).isLessThan(FILES * SIZE / 100);
        assertThat(inode(target.resolve("z/f1"))).isEqualTo(before);
        assertThat(Trees.differences(source, target)).hasSize(2).allMatch(line -> line.matches("a(/x\\.none)?:.*"));
    }

    /** As it is set up almost everywhere; and a path below the module. */
    @Test
    void daemonWithoutChrootLinksToo() throws IOException {
        assumeTrue(where == Where.DAEMON);
        try (RsyncDaemon other = new RsyncDaemon()
                .module("n", target.getParent(), "use chroot = no", "munge symlinks = no")
                .start()) {
            for (String to : List.of("z", "p/q/z")) {
                mirror("", "-a");
                remote.setTarget(other.url("n") + "/" + target.getFileName());
                shell(source, "mv a " + to);
                assertThat(push(renames("a", to))).isLessThan(FILES * SIZE / 100);
                assertEqual();
                shell(source, "mv " + to + " a");
                assertThat(push(renames(to, "a"))).isLessThan(FILES * SIZE / 100);
                assertEqual();
            }
        }
    }

    /** Each call over ssh takes a second. */
    @Test
    void overSshItIsTheSame() throws IOException {
        where = Where.SSH;
        mirror("", "-a");
        shell(source, "mv a 'p/a b'; mv large p/q; mv b/f1 b/f9");
        ChangeSet changes = renames("a", "p/a b", "large", "p/q/large", "b/f1", "b/f9");
        assertThat(push(changes)).isLessThan(FILES * SIZE / 100);
        assertEqual();
    }

    @Test
    void directoryIsRenamedTwice() throws IOException {
        shell(source, "mv a y; mv y z");
        assertThat(push(renames("a", "y", "y", "z"))).isLessThan(FILES * SIZE / 100);
        assertEqual();
    }

    /** Columns: before, at both sides · the source's changes · the renames and what else is told, tree by tree. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "the remote has not got it   | :                     | mv a z; rm -r ../target/a        | a z  |",
                "changed after               | :                     | mv a z; echo 1 >z/f1; rm z/f2; echo >z/new; chmod 700 z/sub | a z |",
                "renamed twice, told once    | :                     | mv a y; mv y z                   | y z  | a",
                "renamed and back            | :                     | mv a z; mv z a                   | a z z a |",
                "swapped                     | :                     | mv a t; mv b a; mv t b           | a t b a t b |",
                "over an empty one           | mkdir z               | mv -T a z                        | a z  |",
                "over one that was deleted   | :                     | rm -r b; mv a b                  | a b  |",
                "over a link to another      | ln -s b z             | rm z; mv a z                     | a z  |",
                "over a link to nowhere      | ln -s nowhere z       | rm z; mv a z                     | a z  |",
                "over a file                 | echo >z               | rm z; mv a z                     | a z  |",
                "a new file at the old name  | :                     | mv a z; echo >a                  | a z  |",
                "a new link at the old name  | :                     | mv a z; ln -s b a                | a z  |",
                "copied back, other mode     | :                     | mv a z; cp -a z a; chmod -R go-rwx a | a z |",
                "below a link now            | mkdir p/s             | mv a p/s/z; mv p r; ln -s r p    | a p/s/z | p r",
                "the link was the old name   | mv a c; ln -s c a     | rm a; cp -a c a; mv a z; chmod -R go-rwx z | a z |",
                "the new one is gone         | :                     | mv a z; rm -r z                  | a z  |",
                "the new one is a file       | :                     | mv a z; rm -r z; echo >z         | a z  |",
                "one within the other        | :                     | mv a z; mv b z/sub/b             | a z b z/sub/b |",
                "all of it below new ones    | :                     | mkdir -p n/e; mv a n/e/w         | a n/e/w | n",
                "the old one's parent gone   | mkdir -p o/l; mv a o/l/d | mv o/l/d z; rm -r o           | o/l/d z | o",
                "file to a file over a link  | ln -s b z             | rm z; mv large z                 | large z |",
                "file, copied back           | :                     | mv large p/large; cp -p p/large large; chmod 600 large | large p/large |",
                "file to a directory         | :                     | mv large t; rm -r b; mv t b      | large b |",
                "directory to a link         | :                     | mv a y; ln -s y z                | a z  | y",
            })
    void wrongHintDoesNoHarm(String what, String before, String change, String renames, String others)
            throws IOException {
        shell(source, before);
        push(ChangeSet.ofEverything());
        assertEqual();
        shell(source, change.replace("../target", target.toString()));
        ChangeSet changes = renames(renames.strip().split(" "));
        if (others != null) {
            for (String path : others.split(" ")) {
                changes.add(path, true);
            }
        }
        push(changes);
        assertEqual();
        // Nothing is shared that is not at the source: another mode for one is none for another.
        shell(source, "find . -type f | sort | while read f; do chmod $((${n:=400} + 4 * ${n#4})) \"$f\"; done");
        shell(source, "find . -type f -name '*1' -exec chmod 606 {} +; find . -type f -name '*2' -exec chmod 660 {} +");
        push(ChangeSet.ofEverything());
        assertEqual();
        assertThat(Command.run("find", target.toString(), "-type", "f", "-links", "+1")
                        .output())
                .as(what)
                .isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "*.tmp            | x.tmp",
                "/a/x.tmp         | z/x.tmp",
                "/z/x.tmp         | z/x.tmp",
                "z/x.tmp          | z/x.tmp",
                "/**/x.tmp        | z/x.tmp",
                "sub/             | z/sub/x.tmp",
            })
    void excludesHoldAsEver(String exclude, String what) throws IOException {
        shell(target, "echo mine >a/x.tmp; mkdir p/kept; echo mine >p/kept/x.tmp");
        shell(source, "echo theirs >a/x.tmp; mv a z");
        mirror(exclude, "-a");
        push(renames("a", "z"));
        mirror(exclude, "-a");
        List<String> hinted = listing();
        shell(target, "rm -r z");
        shell(target, "find . -mindepth 1 -delete");
        // The same without a hint.
        shell(source, "mv z a");
        mirror("", "-a");
        push(ChangeSet.ofEverything());
        shell(target, "echo mine >a/x.tmp; mkdir p/kept; echo mine >p/kept/x.tmp");
        shell(source, "mv a z");
        mirror(exclude, "-a");
        ChangeSet changes = new ChangeSet();
        changes.add("a", true);
        changes.add("z", true);
        push(changes);
        assertThat(hinted).as(what).isEqualTo(listing());
    }

    private List<String> listing() {
        byte[] output =
                Command.run("find", target.toString(), "-printf", "%P %m %s\\n").output();
        return new String(output, StandardCharsets.ISO_8859_1).lines().sorted().toList();
    }

    /** Up to each of the calls, as if a kill or an outage came then; meanwhile there is something at the old name again. */
    @Test
    void whatIsSharedWhenItEndsHalfwayIsSoNoMore() throws IOException {
        // Anything excluded keeps a local one from being renamed.
        mirror("*.none", "-a");
        for (int done = 1; done <= 2; done++) {
            shell(source, "mv a z");
            List<RsyncCalls.Call> calls = calls(renames("a", "z"));
            assertThat(calls).hasSizeGreaterThanOrEqualTo(2);
            failQueue.journal("copy", batch, batch.changes());
            calls.subList(0, done).forEach(this::run);
            shell(source, "cp -a z a; chmod -R go-rwx a");
            mirror("*.none", "-a");
            FailQueue.Redelivery again = failQueue.due().get(0);
            assertThat(again.batch().linked()).containsExactly("a");
            push(again.batch());
            assertEqual();
            assertThat(Files.list(directory.resolve("state/failed/copy"))).isEmpty();
            shell(source, "rm -r a; mv z a");
            push(ChangeSet.ofEverything());
        }
    }

    /** Of the same size and time as before: what the remote has under the old name would pass for it. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "written, then renamed          | rewrite a/f1; mv a z             | a/f1 | a z  |",
                "renamed, then written          | mv a z; rewrite z/f1             |      | a z  | z/f1",
                "far down, renamed twice        | mv a y; rewrite y/sub/f; mv y z  | a y y/sub/f | y z |",
                "a file, written, then renamed  | rewrite large; mv large z        | large | large z |",
                "a file, renamed, then written  | mv large z; rewrite z            |      | large z | z",
                "over one that looks like it    | rewrite b/f1; cp -p b/f1 a/f1; rewrite a/f1; mv a/f1 b/f1 | | a/f1 b/f1 |",
            })
    void nothingStaleIsLinked(String what, String change, String before, String renames, String after)
            throws IOException {
        shell(
                source,
                "rewrite() { touch -r $1 ../time; LC_ALL=C tr a b <$1 >../content; cat ../content >$1; touch -r ../time"
                        + " $1; }; " + change);
        ChangeSet changes = new ChangeSet();
        String[] first = before == null ? new String[0] : before.split(" ");
        for (int i = 0; i < first.length; ) {
            if (Files.isDirectory(target.resolve(first[i])) && i + 1 < first.length) {
                changes.merge(renames(first[i], first[i + 1]));
                i += 2;
            } else {
                changes.merge(entry(first[i++]));
            }
        }
        changes.merge(renames(renames.strip().split(" ")));
        if (after != null) {
            changes.merge(entry(after));
        }
        push(changes);
        assertEqual();
    }

    private static ChangeSet entry(String path) {
        ChangeSet one = new ChangeSet();
        one.add(path, false);
        return one;
    }

    @Test
    void argumentsAboutPathsAndOldNamesThatStayForbidIt() throws IOException {
        for (String args : List.of("-a --inplace", "-a --exclude=/a", "-a --link-dest=/x", "-aR")) {
            mirror("", args);
            assertThat(remote.linksRenames()).as(args).isFalse();
        }
        for (String args : List.of("-a", "-az", "-avz --numeric-ids", "-rlptD --chmod=Du=rwx", "-aHAX --no-o --no-g")) {
            mirror("", args);
            assertThat(remote.linksRenames()).as(args).isTrue();
        }
        remote.setDelete(false);
        assertThat(remote.linksRenames()).isFalse();
        mirror("", "-a");
        for (int i = 0; i < 3; i++) {
            assertThat(remote.linksRenames()).isTrue();
            remote.linked(false);
        }
        assertThat(remote.linksRenames()).isFalse();
    }

    @Test
    void smallOnesAreNotWorthACall() throws IOException {
        shell(source, "rm a/sub/f a/f1 a/f2; truncate -s 1000 a/f3");
        push(ChangeSet.ofEverything());
        shell(source, "mv a z");
        List<String> arguments = new ArrayList<>();
        calls(renames("a", "z")).forEach(call -> arguments.addAll(call.arguments()));
        assertThat(arguments).noneMatch(argument -> argument.startsWith("--link-dest"));
    }
}
