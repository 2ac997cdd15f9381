package io.dromedary.testbed;

import static org.awaitility.Awaitility.await;

import com.sun.jna.Native;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A unix datagram socket as systemd has for its services, named by {@code NOTIFY_SOCKET}; keeps what it is told. */
public final class NotifySocket implements AutoCloseable {
    private final int descriptor;
    private final List<String> received = new ArrayList<>();

    /** @param name a path that does not exist yet, or @ and a name in the abstract namespace */
    public NotifySocket(String name) {
        byte[] path = name.getBytes(StandardCharsets.UTF_8);
        if (name.startsWith("@")) {
            path[0] = 0;
        }
        byte[] address = ByteBuffer.allocate(Short.BYTES + path.length)
                .order(ByteOrder.nativeOrder())
                .putShort((short) Libc.AF_UNIX)
                .put(path)
                .array();
        descriptor = Libc.socket(Libc.AF_UNIX, Libc.SOCK_DGRAM | Libc.O_CLOEXEC, 0);
        if (descriptor < 0 || Libc.bind(descriptor, address, address.length) < 0) {
            throw new IllegalStateException(name + ": " + Libc.strerror(Native.getLastError()));
        }
    }

    /** Each datagram so far, in the order they came. */
    public List<String> received() {
        byte[] buffer = new byte[4096];
        for (long length; (length = Libc.recv(descriptor, buffer, buffer.length, Libc.MSG_DONTWAIT)) >= 0; ) {
            received.add(new String(buffer, 0, (int) length, StandardCharsets.UTF_8));
        }
        return List.copyOf(received);
    }

    /** Waits until there is one with such a line. */
    public void awaitLine(String line, Duration timeout) {
        await(line).atMost(timeout).pollInterval(Duration.ofMillis(20)).until(() -> received().stream()
                .flatMap(String::lines)
                .anyMatch(line::equals));
    }

    @Override
    public void close() {
        Libc.close(descriptor);
    }
}
