package io.dromedary.pushed;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import org.apache.camel.Header;

/**
 * The other end of {@code kamelet:socket}. camel-netty, asked to close a connection after each message, loses some of
 * them; and eight libraries are much for one line.
 */
public final class Listener {
    /** In milliseconds. */
    private static final int CONNECT_TIMEOUT = 5_000;

    private String host;
    private int port;

    public void setHost(String host) {
        this.host = host;
    }

    public void setPort(int port) {
        this.port = port;
    }

    /** Writes the absolute path, nothing more, to a connection of its own. */
    public void tell(@Header("DromedaryBytes") byte[] path) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host, port), CONNECT_TIMEOUT);
            socket.getOutputStream().write(path);
        } catch (IOException e) {
            throw new IOException(host + ":" + port + ": " + e.getMessage(), e);
        }
    }
}
