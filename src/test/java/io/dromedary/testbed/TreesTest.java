package io.dromedary.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TreesTest {

    private static final byte[] HELLO = "hello".getBytes(StandardCharsets.US_ASCII);

    @TempDir
    Path temp;

    private Path source;
    private Path target;
    private RawFiles ours;
    private RawFiles theirs;

    @BeforeEach
    void equalTrees() throws IOException {
        source = Files.createDirectory(temp.resolve("source"));
        target = Files.createDirectory(temp.resolve("target"));
        ours = new RawFiles(source);
        theirs = new RawFiles(target);
        for (RawFiles tree : List.of(ours, theirs)) {
            tree.mkdir("d");
            tree.write("d/f", HELLO);
            tree.symlink("d/f", "l");
            tree.modified("d/f", 1_000_000_000, 123_456_789);
            tree.modified("l", 1_000_000_000, 1);
            settle(tree);
        }
        assertThat(Trees.differences(source, target)).isEmpty();
    }

    /** So that only what a test is about differs. */
    private static void settle(RawFiles tree) {
        tree.modified("d", 1_000_000_000, 2);
        tree.modified("", 1_000_000_000, 3);
    }

    private List<String> differences() {
        settle(ours);
        settle(theirs);
        return Trees.differences(source, target);
    }

    @Test
    void existence() {
        ours.write("d/new", HELLO);
        theirs.mkdir("old");
        assertThat(differences()).containsExactly("d/new: only in source", "old: only in target");
    }

    @Test
    void contentOfTheSameSizeAndTime() {
        theirs.write("d/f", "hallo".getBytes(StandardCharsets.US_ASCII));
        theirs.modified("d/f", 1_000_000_000, 123_456_789);
        assertThat(differences()).containsExactly("d/f: content differs");
    }

    @Test
    void size() {
        theirs.append("d/f", HELLO);
        theirs.modified("d/f", 1_000_000_000, 123_456_789);
        assertThat(differences()).containsExactly("d/f: size 5 in source, 10 in target");
    }

    @Test
    void type() {
        theirs.unlink("d/f");
        theirs.symlink("x", "d/f");
        assertThat(differences()).anyMatch(line -> line.equals("d/f: type f in source, l in target"));
    }

    @Test
    void modeOfFileDirectoryAndRoot() {
        theirs.chmod("d/f", 0600);
        theirs.chmod("d", 01755);
        theirs.chmod("", 0700);
        ours.chmod("", 0755);
        assertThat(differences())
                .containsExactly(
                        ".: mode 755 in source, 700 in target",
                        "d: mode 755 in source, 1755 in target",
                        "d/f: mode 644 in source, 600 in target");
    }

    @Test
    void modificationTimeToTheNanosecond() {
        theirs.modified("d/f", 1_000_000_000, 123_456_788);
        theirs.modified("d", 1_000_000_000, 0);
        theirs.modified("", 1_000_000_001, 3);
        theirs.modified("l", 1_000_000_000, 0);
        assertThat(Trees.differences(source, target))
                .containsExactly(
                        ".: mtime 1000000000.0000000030 in source, 1000000001.0000000030 in target",
                        "d: mtime 1000000000.0000000020 in source, 1000000000.0000000000 in target",
                        "d/f: mtime 1000000000.1234567890 in source, 1000000000.1234567880 in target",
                        "l: mtime 1000000000.0000000010 in source, 1000000000.0000000000 in target");
    }

    @Test
    void symbolicLinkTarget() {
        theirs.unlink("l");
        theirs.symlink("d\u00ff", "l");
        theirs.modified("l", 1_000_000_000, 1);
        assertThat(differences()).containsExactly("l: link d/f in source, d\\xff in target");
    }

    @Test
    void missingTree() {
        assertThat(Trees.differences(source, temp.resolve("absent")))
                .anyMatch(line -> line.startsWith("target: exit code 1: find:"));
        assertThat(Trees.differences(temp.resolve("absent"), temp.resolve("absent")))
                .isNotEmpty();
    }

    @Test
    void oddNamesAreToldApart() {
        for (byte[] name : Names.odd()) {
            String path = new String(name, StandardCharsets.ISO_8859_1);
            ours.create(path, name);
            theirs.create(path, HELLO);
        }
        int names = Names.odd().size();
        assertThat(differences())
                .filteredOn(line -> line.endsWith(": content differs") || line.contains(": size "))
                .hasSize(names);

        for (byte[] name : Names.odd()) {
            String path = new String(name, StandardCharsets.ISO_8859_1);
            theirs.write(path, name);
            ours.modified(path, 1, 2);
            theirs.modified(path, 1, 2);
        }
        assertThat(differences()).isEmpty();
    }

    @Test
    void awaitEqualNamesTheFirstTwentyDifferences() {
        Trees.awaitEqual(source, target, Duration.ofSeconds(5));
        for (int i = 10; i < 35; i++) {
            ours.write("d/" + i, HELLO);
        }
        settle(ours);
        assertThatThrownBy(() -> Trees.awaitEqual(source, target, Duration.ofMillis(300)))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("d/10: only in source")
                .hasMessageContaining("d/29: only in source")
                .hasMessageContaining("... and 5 more")
                .hasMessageNotContaining("d/30");
    }
}
