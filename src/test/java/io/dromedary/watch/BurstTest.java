package io.dromedary.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.change.ChangeSet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What leaves when, by a clock of the test's own. */
class BurstTest {
    private static final Set<Switch> DEFAULT = EnumSet.complementOf(EnumSet.of(Switch.CREATE_FILE, Switch.MODIFY));
    private static final long LINGER = TimeUnit.MILLISECONDS.toNanos(5);

    @TempDir
    Path root;

    private Burst burst;
    private long now;
    private int writer = -1;
    private final List<Map<String, Boolean>> sent = new ArrayList<>();
    /** Names that were sent while there was such a file. */
    private final Set<String> sentFiles = new HashSet<>();

    @BeforeEach
    void start() {
        Sys.write(root + "/notes", "old");
        restart();
    }

    private void restart() {
        burst = new Burst(Source.of(root.toString()), DEFAULT);
        now = 1;
        sent.clear();
        sentFiles.clear();
    }

    /** What the watch does when no event has come for the time it lingers. */
    private void split() {
        now += LINGER;
        send(false);
    }

    private void send(boolean all) {
        burst.settle(now);
        ChangeSet changes = burst.take(now, all);
        Map<String, Boolean> paths = new TreeMap<>();
        changes.visit((path, dirty, deep) -> {
            if (dirty) {
                paths.put(path, deep);
                if (Files.exists(root.resolve(path))) {
                    sentFiles.add(path);
                }
            }
            return true;
        });
        if (!paths.isEmpty()) {
            sent.add(paths);
        }
    }

    /** Until nothing is left to look at. */
    private void quiet() {
        long end = now + TimeUnit.MINUTES.toNanos(1);
        while (now - end < 0) {
            now = burst.nextCheck(end);
            send(false);
        }
    }

    // ---- what programs do, and the events of it

    private void create(String path) {
        writer = Sys.openFile(root + "/" + path, Sys.O_CREAT | Sys.O_WRONLY);
        burst.fileCreated(path);
    }

    private void lock(String path) {
        Sys.symlink("user@host.1:1", root + "/" + path);
        burst.fileCreated(path);
    }

    private void open(String path) {
        writer = Sys.openFile(root + "/" + path, Sys.O_WRONLY);
        burst.fileModified(path);
    }

    private void write(String path) {
        Sys.writeBytes(writer, "text");
        burst.fileModified(path);
    }

    private void close(String path) {
        Sys.closeFile(writer);
        burst.fileChanged(Switch.CLOSE_WRITE, path);
    }

    private void attributes(String path) {
        burst.fileAttributes(path);
    }

    private void delete(String path) {
        Sys.unlink(root + "/" + path);
        burst.fileChanged(Switch.DELETE, path);
    }

    private void move(String from, String to) {
        Sys.rename(root + "/" + from, root + "/" + to);
        burst.fileChanged(Switch.MOVE_FROM, from);
        burst.fileChanged(Switch.MOVE_TO, to);
    }

    private interface Step {
        void run(BurstTest files);
    }

    /** A save of "notes", as inotifywait has told of it. */
    enum Editor {
        VIM(
                f -> f.create("4913"),
                f -> f.close("4913"),
                f -> f.delete("4913"),
                f -> f.move("notes", "notes~"),
                f -> f.create("notes"),
                f -> f.write("notes"),
                f -> f.write("notes"),
                f -> f.close("notes"),
                f -> f.attributes("notes"),
                f -> f.delete("notes~")),
        /** With backupcopy=yes, and for links. */
        VIM_IN_PLACE(
                f -> f.create("notes~"),
                f -> f.write("notes~"),
                f -> f.close("notes~"),
                f -> f.open("notes"),
                f -> f.write("notes"),
                f -> f.close("notes"),
                f -> f.attributes("notes"),
                f -> f.delete("notes~")),
        NANO(f -> f.open("notes"), f -> f.write("notes"), f -> f.close("notes")),
        /** The first save, at which the backup is made, of a file that was changed just before. */
        EMACS(
                f -> f.lock(".#notes"),
                f -> f.move("notes", "notes~"),
                f -> f.create("notes"),
                f -> f.write("notes"),
                f -> f.close("notes"),
                f -> f.attributes("notes"),
                f -> f.delete(".#notes")),
        GEDIT(
                f -> f.create(".goutputstream-A1B2C3"),
                f -> f.write(".goutputstream-A1B2C3"),
                f -> f.close(".goutputstream-A1B2C3"),
                f -> f.attributes(".goutputstream-A1B2C3"),
                f -> f.move(".goutputstream-A1B2C3", "notes")),
        SED(
                f -> f.create("sedyo1tce"),
                f -> f.attributes("sedyo1tce"),
                f -> f.write("sedyo1tce"),
                f -> f.close("sedyo1tce"),
                f -> f.move("sedyo1tce", "notes")),
        MV(
                f -> f.create("notes.tmp"),
                f -> f.write("notes.tmp"),
                f -> f.close("notes.tmp"),
                f -> f.move("notes.tmp", "notes"));

        final List<Step> steps;

        Editor(Step... steps) {
            this.steps = List.of(steps);
        }
    }

    /** Wherever the watch thinks that the burst is over: after each of the events, in all combinations. */
    @ParameterizedTest
    @EnumSource
    void aSaveLeavesOnceHoweverItIsSplit(Editor editor) throws IOException {
        for (int splits = 0; splits < 1 << editor.steps.size(); splits++) {
            Sys.write(root + "/notes", "old");
            Files.deleteIfExists(root.resolve("notes~"));
            restart();
            for (int i = 0; i < editor.steps.size(); i++) {
                editor.steps.get(i).run(this);
                if ((splits & 1 << i) != 0) {
                    split();
                }
            }
            quiet();
            assertThat(sent).as("splits " + Integer.toBinaryString(splits)).hasSize(1);
            assertThat(sent.get(0)).containsEntry("notes", false);
            // A backup that stays is a file like others.
            sentFiles.remove(editor == Editor.EMACS ? "notes~" : "");
            assertThat(sentFiles).containsExactly("notes");
        }
    }

    @Test
    void aTemporaryFileThatStaysIsSentWhenItHasWaited() {
        create("a.tmp");
        write("a.tmp");
        close("a.tmp");
        split();
        assertThat(sent).isEmpty();
        long first = now;
        now += TimeUnit.MINUTES.toNanos(1);
        now = burst.nextCheck(now);
        assertThat(now - first).isBetween(0L, Burst.TEMPORARY);
        send(false);
        assertThat(sent).containsExactly(Map.of("a.tmp", false));
        delete("a.tmp");
        quiet();
        assertThat(sent).containsExactly(Map.of("a.tmp", false), Map.of("a.tmp", false));
    }

    @Test
    void nothingWaitsWhenAllIsWanted() {
        move("notes", "notes~");
        send(true);
        assertThat(sent).containsExactly(Map.of("notes", false, "notes~", false));
    }

    @Test
    void aFileDoesNotWaitForTheTemporaryFileOfAnother() {
        create("a.tmp");
        close("a.tmp");
        create("other~");
        close("other~");
        open("notes");
        close("notes");
        split();
        assertThat(sent).containsExactly(Map.of("notes", false));
        quiet();
        assertThat(sent).hasSize(2).contains(Map.of("a.tmp", false, "other~", false));
    }

    @Test
    void aBackupDoesNotWaitForEverForAFileThatIsAlwaysOpen() {
        open("notes");
        int log = writer;
        write("notes");
        create("notes~");
        close("notes~");
        quiet();
        assertThat(sent).containsExactly(Map.of("notes~", false));
        writer = log;
        close("notes");
        quiet();
        assertThat(sent).hasSize(2);
    }

    @Test
    void whatSoManyAreOfIsNoEditor() {
        for (int i = 0; i <= Burst.MOST_TEMPORARY; i++) {
            create(i + "~");
            close(i + "~");
        }
        split();
        assertThat(sent).hasSize(1);
        assertThat(sent.get(0)).hasSize(Burst.MOST_TEMPORARY + 1);
    }
}
