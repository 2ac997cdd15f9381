package io.dromedary.testbed;

import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.awaitility.core.ConditionTimeoutException;

/** A server program on a free loopback port, with its files in a temporary directory, that can go away and come back. */
abstract class Daemon implements AutoCloseable {

    private static final Duration READY = Duration.ofSeconds(20);
    private static final Duration GRACE = Duration.ofSeconds(2);
    private static final Duration END = Duration.ofSeconds(20);

    private final Path directory;
    private final Path log;
    private Process process;
    private int port;

    Daemon(String name) {
        try {
            directory = Files.createTempDirectory(name);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        log = directory.resolve("log");
    }

    /** Writes what the program reads at its start, and says how to start it, in the foreground, on {@link #port()}. */
    abstract List<String> prepare() throws IOException;

    /** What the program says first to whoever connects. */
    abstract String greeting();

    /** Starts it, again on the same port after a {@link #stop}; returns once it greets. */
    Daemon start() {
        if (process != null) {
            throw new IllegalStateException("already running on port " + port);
        }
        // Only the first start may choose: afterwards the port is what the tests' targets name.
        int attempts = port == 0 ? 3 : 1;
        for (int attempt = 1; ; attempt++) {
            port = port == 0 ? freePort() : port;
            try {
                launch();
                return this;
            } catch (IllegalStateException e) {
                stop();
                if (attempt == attempts) {
                    throw e;
                }
                port = 0;
            }
        }
    }

    private void launch() {
        try {
            List<String> command = prepare();
            process = Command.start(new ProcessBuilder(command)
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile())));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try {
            await().atMost(READY)
                    .pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(10))
                    .until(() -> !process.isAlive() || greets());
        } catch (ConditionTimeoutException e) {
            throw new IllegalStateException("no greeting on port " + port + ":\n" + log(), e);
        }
        if (!process.isAlive()) {
            throw new IllegalStateException("ended with " + process.exitValue() + " at its start:\n" + log());
        }
    }

    private boolean greets() {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1000);
            socket.setSoTimeout(2000);
            String line = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))
                    .readLine();
            return line != null && line.startsWith(greeting());
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * A port below the range that Linux gives to outgoing connections (32768 and up): while the daemon is stopped, no
     * client can be given it, nor connect to itself on it.
     */
    public static int freePort() {
        while (true) {
            int candidate = ThreadLocalRandom.current().nextInt(20_000, 32_000);
            try (ServerSocket socket = new ServerSocket()) {
                socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), candidate));
                return candidate;
            } catch (IOException e) {
                continue;
            }
        }
    }

    /** The port, the same over all restarts. */
    public int port() {
        return port;
    }

    /** The listening process. */
    public long pid() {
        return process.pid();
    }

    /** All that it has logged. */
    public String log() {
        return Files.exists(log) ? Command.read(log) : "";
    }

    Path directory() {
        return directory;
    }

    Path logFile() {
        return log;
    }

    /**
     * An orderly end (SIGTERM), of the running transfers too: connections are refused when this returns. What has not
     * ended after two seconds is killed: an rsync in the middle of a transfer may wait for its peer.
     */
    public void stop() {
        end(ProcessHandle::destroy);
    }

    /** A crash (SIGKILL), of the running transfers too, which leaves their temporary files behind. */
    public void kill() {
        end(ProcessHandle::destroyForcibly);
    }

    /** Makes it hang (SIGSTOP), running transfers too: the kernel still accepts connections, nobody answers them. */
    public void suspend() {
        // The listener first: it then has no more children than those that are seen.
        Libc.kill((int) pid(), Libc.SIGSTOP);
        process.descendants().forEach(child -> Libc.kill((int) child.pid(), Libc.SIGSTOP));
    }

    /** Ends {@link #suspend}. */
    public void resume() {
        process.descendants().forEach(child -> Libc.kill((int) child.pid(), Libc.SIGCONT));
        Libc.kill((int) pid(), Libc.SIGCONT);
    }

    private void end(Consumer<ProcessHandle> signal) {
        if (process == null) {
            return;
        }
        List<ProcessHandle> all = new ArrayList<>();
        all.add(process.toHandle());
        if (process.isAlive()) {
            // Otherwise it could take one more connection between the look at its children and its end.
            suspend();
            process.descendants().forEach(all::add);
        }
        all.forEach(signal);
        all.forEach(handle -> Libc.kill((int) handle.pid(), Libc.SIGCONT));
        try {
            awaitEnd(all, GRACE);
        } catch (ConditionTimeoutException e) {
            all.forEach(ProcessHandle::destroyForcibly);
            awaitEnd(all, END);
        }
        process = null;
    }

    private static void awaitEnd(List<ProcessHandle> processes, Duration timeout) {
        await("end of processes " + processes)
                .atMost(timeout)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(() -> processes.stream().allMatch(Daemon::ended));
    }

    /** A zombie has ended too: in a container nobody may reap it. */
    static boolean ended(ProcessHandle handle) {
        if (!handle.isAlive()) {
            return true;
        }
        try {
            String stat = Files.readString(Path.of("/proc/" + handle.pid() + "/stat"), StandardCharsets.ISO_8859_1);
            return stat.startsWith("Z", stat.lastIndexOf(')') + 2);
        } catch (IOException e) {
            return true;
        }
    }

    /** Ends it with all its children and deletes its files. */
    @Override
    public void close() {
        stop();
        try (Stream<Path> files = Files.walk(directory)) {
            files.sorted(Comparator.reverseOrder())
                    .forEach(file -> file.toFile().delete());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
