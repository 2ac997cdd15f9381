import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.io.OutputStream;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedDeque;

/** The place where it is measured: a temporary directory, two rsync daemons, and all processes that are to be ended. */
final class Lab {
    static final int MOST_BYTES = 100_000;
    static final int LEAST_BYTES = 10_000;

    /** What has not happened by then, in nanoseconds, counts as not happening. */
    static final long PATIENCE = SECONDS.toNanos(60);

    final long seed = new Random().nextLong();
    final Path work = Files.createTempDirectory("dromedary-bench");
    final byte[] content = new byte[MOST_BYTES];
    final Daemon plain;
    final Daemon tuned;
    private final ConcurrentLinkedDeque<Process> running = new ConcurrentLinkedDeque<>();
    private int directories;

    Lab() throws IOException, InterruptedException {
        Runtime.getRuntime().addShutdownHook(new Thread(this::cleanUp, "clean-up"));
        new Random(seed).nextBytes(content);
        plain = new Daemon(this, "plain", "");
        tuned = new Daemon(this, "tuned", "socket options = TCP_NODELAY");
    }

    /** A new directory, with a number behind its name. */
    Path directory(String name) throws IOException {
        return Files.createDirectories(work.resolve(name + "-" + directories++));
    }

    static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    Process start(ProcessBuilder builder) throws IOException {
        Process process = builder.start();
        running.add(process);
        return process;
    }

    void ended(Process process) {
        running.remove(process);
    }

    /** Writes a file under its final name; returns when it was about to be closed, by {@link System#nanoTime}. */
    long write(Path file, int size) throws IOException {
        try (OutputStream out = Files.newOutputStream(file)) {
            out.write(content, 0, size);
            return System.nanoTime();
        }
    }

    /** Runs a command to its end; returns its output. */
    static String output(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new Failure(String.join(" ", command) + ": " + output.strip());
        }
        return output;
    }

    /** Runs a command to its end; returns how many nanoseconds that took. */
    static long time(String... command) throws IOException, InterruptedException {
        long begin = System.nanoTime();
        output(command);
        return System.nanoTime() - begin;
    }

    static void delete(Path... trees) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("rm", "-rf"));
        for (Path tree : trees) {
            command.add(tree.toString());
        }
        output(command.toArray(String[]::new));
    }

    interface Condition {
        boolean holds() throws IOException, InterruptedException;
    }

    /** Whether it came to hold before the deadline, by {@link System#nanoTime}. */
    static boolean await(long deadline, Condition condition) throws IOException, InterruptedException {
        while (!condition.holds()) {
            if (System.nanoTime() - deadline > 0) {
                return false;
            }
            Thread.sleep(10);
        }
        return true;
    }

    /** As {@link #await}, of things that hold one by one and then for good: each is asked until it holds, then no more. */
    static <T> boolean awaitEach(Collection<T> all, long deadline, Holds<T> holds)
            throws IOException, InterruptedException {
        for (T one : all) {
            if (!await(deadline, () -> holds.holds(one))) {
                return false;
            }
        }
        return true;
    }

    /** Until a server that has just been started says hello. */
    static void awaitGreeting(String server, int port, char first) throws IOException, InterruptedException {
        boolean up = await(System.nanoTime() + PATIENCE, () -> {
            try (Socket socket = new Socket("127.0.0.1", port)) {
                return socket.getInputStream().read() == first;
            } catch (IOException notYet) {
                return false;
            }
        });
        if (!up) {
            throw new Failure(server + " does not answer");
        }
    }

    interface Holds<T> {
        boolean holds(T one) throws IOException;
    }

    /** What is measured cannot be trusted, or not be measured at all. */
    static final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1;

        Failure(String message) {
            super(message);
        }
    }

    static void say(String what) {
        System.err.println("bench: " + what);
    }

    private void cleanUp() {
        for (Process process : running) {
            process.descendants().forEach(ProcessHandle::destroy);
            process.toHandle().destroy();
        }
        try {
            for (Process process : running) {
                process.waitFor(10, SECONDS);
            }
            delete(work);
        } catch (IOException | InterruptedException | Failure e) {
            say("cannot delete " + work + ": " + e);
        }
    }
}
