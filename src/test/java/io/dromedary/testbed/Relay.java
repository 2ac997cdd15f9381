package io.dromedary.testbed;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** A line to a port on loopback that counts what goes there, and that can be cut. */
public final class Relay implements AutoCloseable {

    private final ServerSocket server;
    private final int to;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private final AtomicLong sent = new AtomicLong();

    public Relay(int to) {
        this.to = to;
        try {
            server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        start("relay", this::accept);
    }

    public int port() {
        return server.getLocalPort();
    }

    /** Bytes that have gone to that port. */
    public long sent() {
        return sent.get();
    }

    /** Ends all connections; new ones are taken. */
    public void cut() {
        sockets.forEach(Relay::close);
    }

    private void accept() {
        try {
            while (true) {
                Socket near = server.accept();
                Socket far = new Socket(InetAddress.getLoopbackAddress(), to);
                near.setTcpNoDelay(true);
                far.setTcpNoDelay(true);
                sockets.add(near);
                sockets.add(far);
                start("relay-there", () -> copy(near, far, sent));
                start("relay-back", () -> copy(far, near, new AtomicLong()));
            }
        } catch (IOException e) {
            // closed
        }
    }

    private void copy(Socket from, Socket into, AtomicLong count) {
        byte[] buffer = new byte[8192];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = into.getOutputStream();
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                count.addAndGet(n);
                out.write(buffer, 0, n);
            }
            into.shutdownOutput();
        } catch (IOException e) {
            close(from);
            close(into);
        } finally {
            if (from.isInputShutdown() || into.isClosed()) {
                sockets.remove(from);
            }
        }
    }

    private static void start(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // It has no more to say.
        }
    }

    @Override
    public void close() {
        try {
            server.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        cut();
    }
}
