package io.dromedary.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.dromedary.change.ChangeSet;
import io.dromedary.change.OpenFiles;
import io.dromedary.posix.LibC;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.EnumSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that are open for writing, by a clock that the test sets. */
class BurstTest {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
    private static final long HOUR = TimeUnit.HOURS.toNanos(1);

    @TempDir
    Path directory;

    private Burst burst;
    private long now = System.nanoTime();

    @BeforeEach
    void burst() {
        burst = new Burst(
                Source.of(directory.toString()),
                EnumSet.of(Switch.CLOSE_WRITE, Switch.CREATE_FOLDER, Switch.DELETE, Switch.ATTRIB),
                OpenFiles.of("*.log, /images/", "10s"));
    }

    private OutputStream open(String name) throws IOException {
        Path file = directory.resolve(name);
        Files.createDirectories(file.getParent());
        OutputStream out = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        assumeTrue(LibC.isOpenForWriting(file.toString()), "read leases are not allowed here");
        return out;
    }

    private void write(OutputStream file, String name) throws IOException {
        file.write('x');
        burst.fileModified(name);
    }

    private Set<String> after(long nanos) {
        Set<String> sent = new TreeSet<>();
        for (long end = now + nanos; now - end < 0; ) {
            now = Math.min(end, burst.nextCheck(end));
            burst.settle(now);
            ChangeSet changes = burst.take();
            changes.visit((path, dirty, deep) -> {
                if (dirty && !sent.add(path)) {
                    throw new AssertionError(path + " comes twice within that time");
                }
                return true;
            });
        }
        return sent;
    }

    private Set<String> atOnce() {
        burst.settle(now);
        Set<String> sent = new TreeSet<>();
        burst.take().visit((path, dirty, deep) -> {
            if (dirty) {
                sent.add(path);
            }
            return true;
        });
        return sent;
    }

    @Test
    void aMatchingFileIsSentEveryIntervalWhileItIsWrittenOthersAtTheirClose() throws IOException {
        try (OutputStream log = open("a.log");
                OutputStream image = open("images/disk");
                OutputStream other = open("other")) {
            write(log, "a.log");
            write(image, "images/disk");
            write(other, "other");
            assertThat(atOnce()).isEmpty();
            assertThat(after(9 * SECOND)).isEmpty();
            assertThat(after(2 * SECOND)).containsExactly("a.log", "images/disk");
            assertThat(after(60 * SECOND)).as("not written since").isEmpty();
            write(log, "a.log");
            assertThat(after(11 * SECOND)).containsExactly("a.log");
        }
        burst.fileChanged(Switch.CLOSE_WRITE, "other");
        burst.fileChanged(Switch.CLOSE_WRITE, "a.log");
        assertThat(atOnce()).containsExactly("a.log", "other");
        assertThat(after(60 * SECOND)).containsExactly("images/disk");
        assertThat(after(HOUR)).isEmpty();
    }

    @Test
    void whatStaysOpenAndIsNotWrittenForAnHourIsSentOnce() throws IOException {
        try (OutputStream other = open("other")) {
            write(other, "other");
            assertThat(atOnce()).isEmpty();
            assertThat(after(HOUR / 2)).isEmpty();
            other.write('x');
            assertThat(after(HOUR - 30 * SECOND)).as("written half an hour ago").isEmpty();
            assertThat(after(60 * SECOND)).containsExactly("other");
            assertThat(after(3 * HOUR)).isEmpty();
            other.write('x');
            assertThat(after(HOUR + 30 * SECOND)).containsExactly("other");
        }
        assertThat(after(11 * SECOND)).as("closed").containsExactly("other");
    }
}
