package io.dromedary.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.NotifySocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What systemd is told by a unit of Type=notify. */
class ServiceIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration STOP = Duration.ofSeconds(30);

    @TempDir
    Path directory;

    private Path source;
    private Path copy;

    @BeforeEach
    void trees() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
    }

    private DromedaryProcess mirror(Path socket) {
        return DromedaryProcess.start(
                directory,
                Map.of("NOTIFY_SOCKET", socket.toString()),
                "mirror",
                "--port",
                "0",
                source.toString(),
                copy.toString());
    }

    @Test
    void systemdIsToldWhenItWatchesAndWhenItStops() {
        Path socket = directory.resolve("notify");
        try (NotifySocket systemd = new NotifySocket(socket.toString());
                DromedaryProcess dromedary = mirror(socket)) {
            systemd.awaitLine("READY=1", START);
            dromedary.awaitLine("watching 1 tree for 1 remote", STOP);
            assertThat(systemd.received()).containsExactly("READY=1\nSTATUS=watching 1 tree for 1 remote");
            dromedary.terminate();
            systemd.awaitLine("STOPPING=1", STOP);
            assertThat(dromedary.exitCode(STOP)).isZero();
            assertThat(systemd.received()).hasSize(2);
        }
    }

    /** Of a start that fails systemd learns by its end. */
    @Test
    void aStartThatFailsIsNeverReady() throws IOException {
        Files.delete(source);
        Path socket = directory.resolve("notify");
        try (NotifySocket systemd = new NotifySocket(socket.toString());
                DromedaryProcess dromedary = mirror(socket)) {
            assertThat(dromedary.exitCode(START)).isEqualTo(2);
            assertThat(systemd.received()).isEmpty();
        }
    }

    @Test
    void aSocketThatIsGoneIsNoReasonToStop() throws IOException {
        Files.writeString(source.resolve("file"), "x");
        try (DromedaryProcess dromedary = mirror(directory.resolve("none"))) {
            dromedary.awaitLine("systemd was not told READY=1: .*none: No such file or directory", START);
            dromedary.awaitLine("live", START);
            assertThat(copy.resolve("file")).hasContent("x");
        }
    }
}
