package io.dromedary.posix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.dromedary.change.ByteString;
import io.dromedary.testbed.NotifySocket;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibCTest {
    @TempDir
    Path temp;

    @Test
    void lstatAgreesWithTheFileSystem() throws IOException {
        Path file = Files.writeString(temp.resolve("f"), "four");
        Files.createLink(temp.resolve("g"), file);
        Files.createSymbolicLink(temp.resolve("link"), Path.of("f"));
        Stat stat = LibC.lstat(file.toString());
        assertThat(stat.isRegular()).isTrue();
        assertThat(stat.isDirectory()).isFalse();
        assertThat(stat.size()).isEqualTo(4);
        assertThat(stat.nlink()).isEqualTo(2);
        assertThat(stat.ino()).isEqualTo(Files.getAttribute(file, "unix:ino"));
        assertThat(stat.mode()).isEqualTo(Files.getAttribute(file, "unix:mode"));
        assertThat(stat.mtimeSeconds())
                .isEqualTo(Files.getLastModifiedTime(file).toInstant().getEpochSecond());
        assertThat(stat.mtimeNanos())
                .isEqualTo(Files.getLastModifiedTime(file).toInstant().getNano());
        assertThat(stat.isSameFile(LibC.lstat(temp.resolve("g").toString()))).isTrue();
        assertThat(stat.isSameFile(LibC.lstat(temp.toString()))).isFalse();
        assertThat(LibC.lstat(temp.resolve("link").toString()).isSymlink()).isTrue();
        assertThat(LibC.lstat(temp.toString()).isDirectory()).isTrue();
        assertThat(LibC.lstat("/proc/self/fd").dev()).isNotEqualTo(stat.dev());
    }

    @Test
    void whatIsMissingIsNull() throws IOException {
        Files.writeString(temp.resolve("f"), "x");
        assertThat(LibC.lstat(temp + "/none")).isNull();
        assertThat(LibC.lstat(temp + "/f/below")).isNull();
    }

    @Test
    void otherFailuresAreExceptionsOfOneLine() {
        assertThatThrownBy(() -> LibC.lstat(temp + "/" + "n".repeat(256)))
                .isInstanceOfSatisfying(
                        PosixException.class, e -> assertThat(e.errno()).isEqualTo(36))
                .hasMessageStartingWith(temp + "/nnn")
                .hasMessageNotContaining("\n");
    }

    @Test
    void listNamesEveryEntryOfALargeDirectory() throws IOException {
        Map<String, Boolean> expected = new HashMap<>();
        for (int i : IntStream.range(0, 1_000).toArray()) {
            String name = i + "n".repeat(i % 200);
            expected.put(name, i % 10 == 0);
            if (i % 10 == 0) {
                Files.createDirectory(temp.resolve(name));
            } else {
                Files.createFile(temp.resolve(name));
            }
        }
        Map<String, Boolean> listed = new HashMap<>();
        assertThat(LibC.list(temp.toString(), listed::put)).isTrue();
        assertThat(listed).isEqualTo(expected);
        assertThat(LibC.names(temp.toString())).containsExactlyInAnyOrderElementsOf(expected.keySet());
    }

    @Test
    void onlyADirectoryItselfIsListed() throws IOException {
        Files.createSymbolicLink(temp.resolve("link"), temp);
        Files.writeString(temp.resolve("f"), "x");
        assertThat(LibC.list(temp + "/link", (name, directory) -> {})).isFalse();
        assertThat(LibC.list(temp + "/f", (name, directory) -> {})).isFalse();
        assertThat(LibC.list(temp + "/none", (name, directory) -> {})).isFalse();
    }

    @Test
    void aWriterIsNoticedAndNotDisturbed() throws IOException {
        Path file = temp.resolve("f");
        assertThat(LibC.isOpenForWriting(file.toString())).isFalse();
        try (OutputStream out = Files.newOutputStream(file)) {
            assertThat(LibC.isOpenForWriting(file.toString())).isTrue();
            out.write('x');
        }
        assertThat(LibC.isOpenForWriting(file.toString())).isFalse();
        assertThat(file).hasContent("x");
    }

    @Test
    void writersOpeningWhileItIsAskedGoOn() throws Exception {
        Path file = Files.writeString(temp.resolve("f"), "x");
        Thread asking = new Thread(() -> {
            while (!Thread.currentThread().isInterrupted()) {
                LibC.isOpenForWriting(file.toString());
            }
        });
        asking.start();
        // each of these may break a lease that is just held; the signal for that must not end this process
        for (int i = 0; i < 20_000; i++) {
            Files.newOutputStream(file).close();
        }
        asking.interrupt();
        asking.join();
        assertThat(file).exists();
    }

    @Test
    void aWakeIsSeenOnceUntilItIsCleared() {
        int wake = LibC.wakeDescriptor();
        try {
            assertThat(LibC.awaitReadable(-1, wake, 0)).isZero();
            LibC.wake(wake);
            assertThat(LibC.awaitReadable(-1, wake, 1_000_000_000)).isEqualTo(2);
            assertThat(LibC.awaitReadable(wake, -1, 1_000_000_000)).isEqualTo(1);
            LibC.clearWake(wake);
            assertThat(LibC.awaitReadable(-1, wake, 0)).isZero();
        } finally {
            LibC.closeDescriptor(wake);
        }
    }

    @Test
    void datagramsArriveWhole() {
        String abstractName = "@dromedary-" + ProcessHandle.current().pid();
        for (String name : List.of(temp.resolve("söcket").toString(), abstractName)) {
            try (NotifySocket socket = new NotifySocket(name)) {
                LibC.sendDatagram(ByteString.of(name), "READY=1\nSTATUS=two lines".getBytes(StandardCharsets.UTF_8));
                LibC.sendDatagram(ByteString.of(name), "STOPPING=1".getBytes(StandardCharsets.UTF_8));
                assertThat(socket.received()).containsExactly("READY=1\nSTATUS=two lines", "STOPPING=1");
            }
        }
    }

    @Test
    void aDatagramThatNobodyCanGetIsAFailure() {
        assertThatThrownBy(() -> LibC.sendDatagram(temp + "/none", new byte[1]))
                .isInstanceOfSatisfying(
                        PosixException.class, e -> assertThat(e.errno()).isEqualTo(LibC.ENOENT));
    }

    @Test
    void whatIsNoTerminalHasNoColumns() {
        assertThat(LibC.columns(-1)).isZero();
    }
}
