package io.dromedary;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RawFiles;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;

/** Changes that come faster than anybody can look, and what is no plain file; each test in a directory of its own. */
class RacesIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(120);

    @TempDir
    static Path directory;

    private static Path source;
    private static Path copy;
    /** At the remote without special files. */
    private static Path plainCopy;

    private static RsyncDaemon daemon;
    private static DromedaryProcess dromedary;

    /** Where this test writes. */
    private Path here;

    @BeforeAll
    static void start() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        plainCopy = Files.createDirectory(directory.resolve("plain"));
        daemon = new RsyncDaemon()
                .module("m", copy, "transfer logging = yes", "log format = received %l %f")
                .start();
        dromedary = new Configuration(directory, source)
                .remote("daemon", daemon.url("m"))
                .remote("local", plainCopy.toString(), "args: -a --no-D")
                .run();
        dromedary.awaitLine("daemon: .*live", START);
        dromedary.awaitLine("local: .*live", START);
    }

    @AfterAll
    static void stop() {
        try {
            Trees.awaitEqual(source, copy, SOON);
            Trees.awaitEqual(source, plainCopy, SOON);
        } finally {
            dromedary.close();
            daemon.close();
        }
    }

    @BeforeEach
    void directoryOfItsOwn(TestInfo test) throws IOException {
        here = Files.createDirectory(
                source.resolve(test.getTestMethod().orElseThrow().getName()));
    }

    private void awaitEqual() {
        Trees.awaitEqual(here, original(here), SOON);
        Trees.awaitEqual(here, plainCopy.resolve(source.relativize(here)), SOON);
    }

    private void shell(String script) {
        Command command = Command.run("sh", "-euc", "cd \"$0\"\n" + script, here.toString());
        assertThat(command.exitCode()).as(command.errors()).isZero();
    }

    private Path tree(Path top, int directories, int filesEach) throws IOException {
        for (int i = 0; i < directories; i++) {
            Path below = Files.createDirectories(top.resolve("p" + i % 20).resolve("d" + i));
            for (int j = 0; j < filesEach; j++) {
                Files.writeString(below.resolve("f" + j), i + " " + j);
            }
        }
        return top;
    }

    private Path original(Path where) {
        return copy.resolve(source.relativize(where));
    }

    @Test
    void archiveWithManyNewDirectoriesIsUnpacked() throws IOException {
        Path packed = tree(directory.resolve("packed"), 2_000, 10);
        Path archive = directory.resolve("archive.tar");
        assertThat(Command.run("tar", "-C", packed.toString(), "-cf", archive.toString(), ".")
                        .exitCode())
                .isZero();
        shell("tar -xf '" + archive + "'");
        awaitEqual();
        assertThat(original(here).resolve("p19/d1999/f9")).hasContent("1999 9");
    }

    private static final Pattern SENT = Pattern.compile("(daemon|local): \\d+ changes, (\\d+) bytes sent");

    private static long sent() {
        return SENT.matcher(dromedary.output())
                .results()
                .mapToLong(push -> Long.parseLong(push.group(2)))
                .sum();
    }

    @Test
    void whatIsRenamedIsNotSent() throws IOException {
        shell("mkdir a b && for i in 1 2 3 4 5; do head -c 2000000 /dev/urandom >a/$i; done");
        awaitEqual();
        // Once more, for what came while that was sent.
        shell("echo >b/new");
        awaitEqual();
        long before = sent();
        shell("mv a b/a");
        awaitEqual();
        shell("mv b/a/1 b/1");
        awaitEqual();
        shell("mv b c");
        awaitEqual();
        assertThat(sent() - before).isLessThan(2 * 10_000_000 / 100);
    }

    @Test
    void treesAreRenamedCopiedAndReplaced() throws IOException {
        shell("mkdir a b && for i in 1 2 3; do head -c 2000000 /dev/urandom >a/$i; done; cp -r a b/x");
        awaitEqual();
        shell("mv a c; cp -a c a; chmod -R go-rwx a");
        shell("for i in 1 2 3 4 5; do mv c d; mv a c; cp -a d a; chmod -R 7${i}0 a; mv d/1 c/4; rm -r d; done");
        awaitEqual();
        shell("mv a t; mv c a; mv t c; mv b/x d; ln -s d b/x; mv b e; mkdir b; mv e/x b; mv d e/d; ln -s e d");
        awaitEqual();
        shell("chmod -R u=rwX,go= a; chmod -R u=rwX,go=r c; mv a/1 c/9; cp -p c/9 a/1; chmod 604 a/1");
        awaitEqual();
    }

    @Test
    void treeIsCopiedOverAndOverAgain() throws IOException {
        Path original = tree(directory.resolve("original"), 60, 10);
        shell("for i in 1 2 3 4 5; do cp -r '" + original + "' .; cp -r '" + original + "' copy$i; done");
        shell("rm -r copy2; cp -r copy1 copy2; mv copy3 copy4/; cp -r copy5 copy3; rm -r copy5");
        awaitEqual();
    }

    @Test
    void branchesAreCheckedOutBackAndForth() throws IOException {
        shell(
                "git='git -c user.name=a -c user.email=a@b -c gc.auto=0 -c init.defaultBranch=main -c advice.detachedHead=false'\n"
                        + "mkdir -p one/src && cd one && $git init -q\n"
                        + "for i in $(seq 60); do mkdir -p src/d$i; echo $i >src/d$i/file; done\n"
                        + "$git add . && $git commit -qm one && $git checkout -qb other\n"
                        + "for i in $(seq 1 2 60); do $git mv -k src/d$i src/moved$i; done\n"
                        + "for i in $(seq 2 2 60); do $git rm -qr src/d$i; echo $i >src/d$i; done\n"
                        + "$git add . && $git commit -qm two\n"
                        + "cd .. && $git clone -q one two && cd two && $git branch -q main origin/main\n"
                        + "for i in 1 2 3 4 5; do $git checkout -q main; $git checkout -q other; done\n"
                        + "$git checkout -q main && $git repack -qad");
        awaitEqual();
    }

    @Test
    void directoryIsRenamedWhileItIsFilled() {
        // The one who writes stands in the directory, whatever its name is.
        shell("mkdir d0; cd d0\n"
                + "(i=0; while [ $i -lt 1500 ]; do i=$((i+1)); echo $i >f$i;"
                + " [ $((i%10)) != 0 ] || { mkdir s$i; echo $i >s$i/f; }; done) & writer=$!\n"
                + "cd ..; i=0; while kill -0 $writer 2>/dev/null; do mv d$i d$((i+1)); i=$((i+1)); done; wait $writer\n"
                + "mv d$i filled");
        awaitEqual();
        assertThat(original(here).resolve("filled/s1500/f")).hasContent("1500");
        assertThat(original(here).toFile().list()).containsExactly("filled");
    }

    @Test
    void nameIsCreatedDeletedAndCreatedAgain() {
        shell("for i in $(seq 60); do\n"
                + "echo $i >x; rm x; mkdir x; echo $i >x/f; rm -r x; ln -s $i x; rm x; mkdir -p x/y/z; echo $i >x/y/z/f;"
                + " rm -r x; echo again >x; rm x\ndone\nmkdir x; echo last >x/f");
        awaitEqual();
        assertThat(original(here).resolve("x/f")).hasContent("last");
    }

    @Test
    void hardLinksArriveUnderEveryName() throws IOException {
        shell("echo one >a; ln a b; mkdir d; ln a d/c; echo two >e; ln -f e b; rm a; mv d/c a; ln e f; rm e");
        awaitEqual();
        assertThat(original(here).resolve("a")).hasContent("one");
        assertThat(original(here).resolve("b")).hasContent("two");
    }

    @Test
    void specialFilesAreMirroredOrSkippedAsRsyncsArgumentsSay() throws IOException {
        boolean root = "root".equals(System.getProperty("user.name"));
        shell(
                "mkfifo pipe\npython3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")' || mkfifo socket\n"
                        + (root ? "mknod null c 1 3\n" : "") + "echo text >file");
        Trees.awaitEqual(here, original(here), SOON);
        Path other = plainCopy.resolve(source.relativize(here));
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(other.toFile().list()).containsExactly("file"));
        assertThat(Files.readAttributes(
                                original(here).resolve("pipe"), BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                        .isOther())
                .isTrue();
        shell("rm -f pipe socket null");
        awaitEqual();
    }

    @Test
    void fileThatIsLongOpenForWritingArrivesOnceAndWhole() throws Exception {
        Path file = here.resolve("long");
        Path arrived = original(file);
        try (FileOutputStream writer = new FileOutputStream(file.toFile())) {
            for (int i = 0; i < 10; i++) {
                writer.write(("part " + i + "\n").getBytes(US_ASCII));
                // What happens beside it takes nothing of it along.
                Path beside = Files.writeString(here.resolve("beside" + i), "text");
                await().atMost(SOON)
                        .pollInterval(Duration.ofMillis(20))
                        .untilAsserted(() -> assertThat(original(beside)).hasContent("text"));
                assertThat(arrived).doesNotExist();
            }
        }
        awaitEqual();
        assertThat(received("long")).containsExactly("70 long");
    }

    @Test
    void fileThatIsBeingWrittenInANewDirectoryArrivesOnceAndWhole() throws Exception {
        Path made = Files.createDirectory(here.resolve("made"));
        Path outside =
                Files.createDirectories(directory.resolve("outside/below")).getParent();
        // One in a directory that is made, one in a directory that comes from elsewhere with all it holds.
        try (FileOutputStream first = new FileOutputStream(made.resolve("long").toFile());
                FileOutputStream second =
                        new FileOutputStream(outside.resolve("below/long").toFile())) {
            Path moved = Files.move(outside, here.resolve("moved")).resolve("below");
            for (int i = 0; i < 10; i++) {
                for (Path there : List.of(made, moved)) {
                    (there.equals(made) ? first : second).write(("part " + i + "\n").getBytes(US_ASCII));
                    Path beside =
                            Files.createDirectory(there.resolve("new" + i)).resolve("beside");
                    Files.writeString(beside, "text");
                    await().atMost(SOON)
                            .pollInterval(Duration.ofMillis(20))
                            .untilAsserted(() -> assertThat(original(beside)).hasContent("text"));
                    assertThat(original(there.resolve("long"))).doesNotExist();
                }
            }
        }
        awaitEqual();
        assertThat(received("/long")).containsExactlyInAnyOrder("70 made/long", "70 moved/below/long");
    }

    @Test
    void filesInNewDirectoriesThatAreClosedAtAnyMomentArriveWhole() {
        // Somewhere between a look at the directory and its push the writer is through, whatever the machine's speed.
        shell("for i in $(seq 200); do mkdir -p d$i/e; "
                + "(printf first; sleep 0.0$((i%20+10)); printf second) >d$i/e/f & "
                + "[ $((i%20)) != 0 ] || wait; done; wait");
        awaitEqual();
        // One that is closed between the look and the push is a change once more, and compared by content: no byte of
        // it is
        // sent again, but the daemon writes it anew.
        assertThat(received("/f")).allMatch(line -> line.startsWith("11 "));
        assertThat(Set.copyOf(received("/f"))).hasSize(200);
    }

    /** What the daemon has received in this test's directory with such an ending, each with its length. */
    private List<String> received(String ending) {
        Pattern line = Pattern.compile("received (\\d+) \\S*" + here.getFileName() + "/(\\S*" + ending + ")$");
        return daemon.log()
                .lines()
                .map(line::matcher)
                .filter(Matcher::find)
                .map(found -> found.group(1) + " " + found.group(2))
                .toList();
    }

    @Test
    void longestNamesAndPathsArrive() throws IOException {
        RawFiles files = new RawFiles(here);
        String name = "n".repeat(255);
        // The kernel takes 4095 bytes, and rsync puts a temporary name of its own behind a file's directory.
        int room = 4095
                - Math.max(here.toString().length(), original(here).toString().length())
                - 300;
        StringBuilder path = new StringBuilder(name);
        files.mkdir(path.toString());
        while (path.length() + 256 <= room) {
            path.append('/').append(name);
            files.mkdir(path.toString());
        }
        files.write(path + "/" + "f".repeat(255), new byte[] {1});
        files.write("\u00ff".repeat(255), new byte[] {2});
        awaitEqual();
        files.write(path + "/" + "f".repeat(255), new byte[] {1, 2});
        files.unlink("\u00ff".repeat(255));
        awaitEqual();
    }

    @Test
    void pathThatIsTooLongForAnyoneStopsNothingElse() throws IOException {
        try {
            shell(
                    "name=$(printf %0250d 1); path=$name; i=1; while [ $i -lt 20 ]; do path=$path/$name; i=$((i+1)); done\n"
                            + "mkdir -p $path");
            Path later = Files.writeString(here.resolve("later"), "text");
            await().atMost(SOON).untilAsserted(() -> assertThat(original(later)).hasContent("text"));
        } finally {
            Command.run("rm", "-rf", here.toString());
        }
        await().atMost(SOON).until(() -> !Files.exists(original(here)));
        await().atMost(SOON).untilAsserted(() -> assertThat(owed()).isFalse());
    }

    private static boolean owed() {
        try (Stream<Path> files = Files.walk(directory.resolve("state"))) {
            return files.anyMatch(file -> file.toString().endsWith(".changes"));
        } catch (IOException | UncheckedIOException e) {
            return true;
        }
    }
}
