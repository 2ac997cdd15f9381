import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/** A slow line to a daemon: all connections together send so many bytes a second, each in its turn. */
final class Line implements AutoCloseable {
    private static final int TURN = 8 * 1024;

    /** What a sender's and a receiver's kernel hold of a connection, so that the line is what is waited for. */
    private static final int BUFFER = 32 * 1024;

    /** Nanoseconds of the line that are not lost when this thread wakes up late. */
    private static final long OVERSLEPT = 5_000_000;

    private final ServerSocket server = new ServerSocket();
    private final int daemon;
    private final double nanosPerByte;
    /** Fair: a turn goes to whoever has waited longest. */
    private final ReentrantLock turn = new ReentrantLock(true);

    private long free = System.nanoTime();

    Line(int daemon, double bytesPerSecond) throws IOException {
        this.daemon = daemon;
        this.nanosPerByte = 1e9 / bytesPerSecond;
        server.setReceiveBufferSize(BUFFER);
        server.bind(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), 200);
        start("accept", this::accept);
    }

    /** The same module by this line. */
    Daemon.Remote over(Daemon.Remote remote) {
        return new Daemon.Remote(remote.host(), server.getLocalPort(), remote.module(), remote.copy());
    }

    private static void start(String name, Runnable work) {
        Thread thread = new Thread(work, "line-" + name);
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = server.accept();
                client.setTcpNoDelay(true);
                Socket there = new Socket();
                there.setSendBufferSize(BUFFER);
                there.setTcpNoDelay(true);
                there.connect(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), daemon));
                start("there", () -> copy(client, there, true));
                start("back", () -> copy(there, client, false));
            }
        } catch (IOException closed) {
            // The part is over.
        }
    }

    private void copy(Socket from, Socket to, boolean paced) {
        byte[] bytes = new byte[TURN];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int read = in.read(bytes); read >= 0; read = in.read(bytes)) {
                if (paced) {
                    pace(read);
                }
                out.write(bytes, 0, read);
            }
            to.shutdownOutput();
        } catch (IOException ended) {
            close(from);
            close(to);
        }
    }

    private void pace(int bytes) {
        turn.lock();
        try {
            free = Math.max(free, System.nanoTime() - OVERSLEPT) + (long) (bytes * nanosPerByte);
            while (free - System.nanoTime() > 0) {
                LockSupport.parkNanos(free - System.nanoTime());
            }
        } finally {
            turn.unlock();
        }
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException already) {
            // It is gone.
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
