package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each {@link #start} is one more run; another file system is one whose numbers were others when they were written down. */
class KnownSourceTest {
    @TempDir
    Path directory;

    private Path source;
    private Path file;

    @BeforeEach
    void twentyEntriesPushed() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        file = directory.resolve("state/mirrors/www");
        for (int i = 0; i < 20; i++) {
            Files.writeString(source.resolve("file" + i), "");
        }
        assertThat(start().problem("web1", true)).isNull();
    }

    private KnownSource start() {
        Mirror mirror = new Mirror();
        mirror.setId("www");
        mirror.setSource(source.toString());
        mirror.setExclude("*.tmp");
        mirror.setMirrors(new Mirrors());
        mirror.register();
        KnownSource known = new KnownSource(mirror, file);
        known.open();
        return known;
    }

    private void delete(int from, int to) throws IOException {
        for (int i = from; i < to; i++) {
            Files.delete(source.resolve("file" + i));
        }
    }

    private void otherNumbers() throws IOException {
        String text = Files.readString(file, StandardCharsets.ISO_8859_1);
        String others = text.replaceAll(
                "place: .*", "place: file system 6623c59aaac1295c, device 70000000000, inode 2, born 1");
        assertThat(others).isNotEqualTo(text);
        Files.writeString(file, others, StandardCharsets.ISO_8859_1);
    }

    private static ChangeSet changes(String... paths) {
        ChangeSet changes = new ChangeSet();
        for (String path : paths) {
            changes.add(path, false);
        }
        return changes;
    }

    @Test
    void freshFileSystemIsDoubtedByLivePushesTooAndSaysWhatIsMissing() throws IOException {
        otherNumbers();
        delete(0, 20);
        Files.createDirectory(source.resolve("lost+found"));
        assertThat(start().problem("web1", false))
                .contains("source " + source, "is another file system than when it was last pushed", "20 of 20 names")
                .contains("dromedary resume web1");
    }

    @Test
    void otherNumbersOverTheSameContentAreNoReason() throws IOException {
        otherNumbers();
        assertThat(start().problem("web1", true)).isNull();
    }

    @Test
    void whatIsBeingRestoredIsDoubtedUntilMostIsThere() throws IOException {
        otherNumbers();
        delete(0, 12);
        KnownSource known = start();
        assertThat(known.problem("web1", true)).contains("12 of 20 names");
        for (int i = 0; i < 12; i++) {
            Files.writeString(source.resolve("file" + i), "");
        }
        assertThat(known.problem("web1", true)).isNull();
    }

    @Test
    void directoriesMadeReadyOnAFreshDiskAreNotEnough() throws IOException {
        delete(0, 20);
        Path www = Files.createDirectory(source.resolve("www"));
        for (int i = 0; i < 5; i++) {
            Files.writeString(www.resolve("page" + i), "");
        }
        Files.delete(file);
        assertThat(start().problem("web1", true)).isNull();
        otherNumbers();
        for (int i = 0; i < 5; i++) {
            Files.delete(www.resolve("page" + i));
        }
        assertThat(start().problem("web1", true)).contains("5 of 6 names");
    }

    @Test
    void theSameFileSystemEmptiedOfAllButTriflesIsDoubted() throws IOException {
        delete(0, 20);
        Files.writeString(source.resolve(".DS_Store"), "");
        Files.writeString(source.resolve("readme"), "");
        assertThat(start().problem("web1", true)).contains("was emptied", "20 of 20 names");
    }

    @Test
    void theSameFileSystemWithOtherContentIsNot() throws IOException {
        delete(0, 20);
        for (int i = 0; i < 3; i++) {
            Files.writeString(source.resolve("other" + i), "");
        }
        assertThat(start().problem("web1", true)).isNull();
    }

    @Test
    void aFewFilesMayAllBeReplaced() throws IOException {
        delete(1, 20);
        Files.delete(file);
        assertThat(start().problem("web1", true)).isNull();
        delete(0, 1);
        Files.writeString(source.resolve("other"), "");
        assertThat(start().problem("web1", true)).isNull();
    }

    @Test
    void aStrayFileInAnEmptyMountPointDoesNotEndTheDoubt() throws IOException {
        delete(0, 20);
        KnownSource known = start();
        assertThat(known.problem("web1", true)).contains("is empty and no event emptied it");
        for (int i = 0; i < 3; i++) {
            Files.writeString(source.resolve("stray" + i), "");
        }
        known.seen(changes("stray0", "stray1", "stray2"));
        assertThat(known.problem("web1", true)).contains("20 of 20 names");
    }

    @Test
    void eventsInADoubtedSourceChangeNothing() throws IOException {
        otherNumbers();
        delete(0, 20);
        Files.createDirectory(source.resolve("lost+found"));
        KnownSource known = start();
        Files.delete(source.resolve("lost+found"));
        known.seen(changes("lost+found"));
        assertThat(known.problem("web1", true)).contains("is empty");
    }

    @Test
    void whatEventsDeleteIsNoAccident() throws IOException {
        KnownSource known = start();
        delete(0, 20);
        Files.writeString(source.resolve("last"), "");
        ChangeSet changes = changes("last");
        for (int i = 0; i < 20; i++) {
            changes.add("file" + i, false);
        }
        known.seen(changes);
        // A kill before anything is pushed.
        otherNumbers();
        assertThat(start().problem("web1", true)).isNull();
    }

    @Test
    void emptiedByEventsItMayBeEmptyAtTheNextStart() throws IOException {
        KnownSource known = start();
        delete(0, 20);
        ChangeSet all = ChangeSet.ofEverything();
        known.seen(all);
        assertThat(known.problem("web1", true)).isNull();
        assertThat(start().problem("web1", true)).isNull();
    }

    @Test
    void aPersonsWordIsRemembered() throws IOException {
        otherNumbers();
        delete(0, 20);
        Files.createDirectory(source.resolve("lost+found"));
        KnownSource known = start();
        assertThat(known.problem("web1", true)).isNotNull();
        assertThat(known.accept()).isTrue();
        assertThat(known.problem("web1", true)).isNull();
        assertThat(start().problem("web1", true)).isNull();
        assertThat(known.accept()).as("nothing was doubted").isFalse();
    }

    @Test
    void namesAreBytesAndNothingExcludedIsKnown() throws IOException {
        delete(0, 20);
        Files.writeString(source.resolve("line\nfeed\\"), "");
        Files.writeString(source.resolve("passing.tmp"), "");
        Files.delete(file);
        start().problem("web1", true);
        assertThat(Files.readString(file)).contains("name: line\\x0afeed\\\\\n").doesNotContain("passing.tmp");
        Files.delete(source.resolve("line\nfeed\\"));
        assertThat(start().problem("web1", true)).contains("1 of 1 names");
    }
}
