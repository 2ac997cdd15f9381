package io.dromedary.posix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Java knows of entries is what the system calls say. */
class EntriesTest {
    @TempDir
    Path temp;

    @Test
    void linuxIsAskedBySystemCalls() {
        assertThat(Entries.bySystemCalls()).isTrue();
    }

    @Test
    void bothSayTheSameOfAnEntry() throws IOException {
        Files.writeString(temp.resolve("fäh"), "four");
        Files.createSymbolicLink(temp.resolve("link"), Path.of("none"));
        Files.createSymbolicLink(temp.resolve("to-directory"), Path.of("."));
        for (String path : new String[] {"/link", "/to-directory", "/to-directory/.", "", "/.", "/f\u00c3\u00a4h"}) {
            Stat expected = LibC.lstat(temp + path);
            Stat portable = Entries.portableLstat(temp + path);
            assertThat(portable.mode()).as(path).isEqualTo(expected.mode());
            assertThat(portable.ino()).as(path).isEqualTo(expected.ino());
            assertThat(portable.nlink()).as(path).isEqualTo(expected.nlink());
            assertThat(portable.size()).as(path).isEqualTo(expected.size());
            assertThat(portable.mtimeSeconds()).as(path).isEqualTo(expected.mtimeSeconds());
            assertThat(portable.mtimeNanos()).as(path).isEqualTo(expected.mtimeNanos());
        }
        assertThat(Entries.portableLstat(temp.toString()).isSameFile(Entries.portableLstat(temp + "/to-directory/.")))
                .isTrue();
        assertThat(Entries.portableLstat(temp.toString()).isSameFile(Entries.portableLstat(temp + "/to-directory")))
                .isFalse();
    }

    @Test
    void whatIsMissingIsNull() throws IOException {
        Files.writeString(temp.resolve("f"), "x");
        assertThat(Entries.portableLstat(temp + "/none")).isNull();
        assertThat(Entries.portableLstat(temp + "/f/below")).isNull();
        assertThat(Entries.portableLstat(temp + "/f/below/that")).isNull();
    }

    @Test
    void otherFailuresAreExceptionsOfOneLine() {
        assertThatThrownBy(() -> Entries.portableLstat(temp + "/" + "n".repeat(256)))
                .isInstanceOf(PosixException.class)
                .hasMessageStartingWith(temp + "/nnn")
                .hasMessageNotContaining("\n");
        assertThatThrownBy(() -> Entries.portableLstat(temp + "/\u00ff"))
                .isInstanceOf(PosixException.class)
                .hasMessage(temp + "/\\xff: Java cannot name it");
    }

    @Test
    void bothListTheSame() throws IOException {
        Files.writeString(temp.resolve("fäh"), "four");
        Files.createDirectory(temp.resolve("d"));
        Files.createSymbolicLink(temp.resolve("to-directory"), Path.of("d"));
        Map<String, Boolean> expected = new HashMap<>();
        assertThat(LibC.list(temp.toString(), expected::put)).isTrue();
        Map<String, Boolean> portable = new HashMap<>();
        assertThat(Entries.portableList(temp.toString(), portable::put)).isTrue();
        assertThat(portable).isEqualTo(expected).hasSize(3);
        for (String none : new String[] {"/to-directory", "/f\u00c3\u00a4h", "/none"}) {
            assertThat(Entries.portableList(temp + none, (name, directory) -> {}))
                    .as(none)
                    .isFalse();
        }
    }

    @Test
    void bothKnowAMountPoint() {
        assertThat(Entries.portableIsMountPoint("/proc")).isTrue();
        assertThat(Entries.portableIsMountPoint(temp.toString())).isFalse();
        assertThat(Entries.portableIsMountPoint("/none")).isFalse();
    }
}
