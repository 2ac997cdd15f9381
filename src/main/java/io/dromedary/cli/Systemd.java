package io.dromedary.cli;

import io.dromedary.change.ByteString;
import io.dromedary.posix.Entries;
import io.dromedary.posix.LibC;
import io.dromedary.posix.PosixException;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The service manager that may have started this process: a unit of {@code Type=notify} waits for {@code READY=1}. */
final class Systemd {
    private static final Logger LOG = LoggerFactory.getLogger(Systemd.class);

    private Systemd() {}

    /**
     * Tells it a state, as {@code sd_notify(3)} does; without {@code NOTIFY_SOCKET} in the environment nothing.
     *
     * @param state one or more lines {@code KEY=VALUE}
     */
    static void notify(String state) {
        String socket = System.getenv("NOTIFY_SOCKET");
        if (socket == null || socket.isEmpty()) {
            return;
        }
        if (!Entries.bySystemCalls()) {
            LOG.warn(
                    "systemd was not told {}: that needs JNA",
                    state.lines().findFirst().orElse(""));
            return;
        }
        try {
            LibC.sendDatagram(ByteString.of(socket), state.getBytes(StandardCharsets.UTF_8));
        } catch (PosixException e) {
            LOG.warn("systemd was not told {}: {}", state.lines().findFirst().orElse(""), e.getMessage());
        }
    }
}
