package io.dromedary.push;

import io.dromedary.push.RsyncCalls.Call;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.camel.component.exec.ExecCommand;
import org.apache.camel.component.exec.ExecCommandExecutor;
import org.apache.camel.component.exec.ExecResult;

/**
 * Runs one rsync for the {@code exec} component: the list on its stdin, no shell, no more than {@value #KEPT} bytes of
 * its words kept (but for a list of differences), and nothing of it left behind.
 *
 * <p>Camel's own executor keeps all output, ends only the direct child at a time-out and cannot set the environment,
 * which decides the language rsync's errors come in.
 */
public final class RsyncProcess implements ExecCommandExecutor, AutoCloseable {
    /** Of stdout and stderr each, its end: statistics and the last errors stand there. */
    private static final int KEPT = 64 * 1024;

    /** What follows from the cause, in no fixed order and number. */
    private static final Pattern CONSEQUENCE =
            Pattern.compile("^rsync error:|connection unexpectedly closed|Connection reset by peer|Broken pipe");

    private final Set<Process> running = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    @Override
    public ExecResult execute(ExecCommand command) {
        return execute(command, KEPT);
    }

    private ExecResult execute(ExecCommand command, int kept) {
        List<String> line = new ArrayList<>();
        line.add(command.getExecutable());
        line.addAll(command.getArgs());
        ProcessBuilder builder = new ProcessBuilder(line);
        // Messages in English, and bytes that are not ASCII escaped in them.
        builder.environment().put("LC_ALL", "C");
        // Without any password rsync would ask for one on the terminal, and wait; with this the daemon says no.
        builder.environment().putIfAbsent("RSYNC_PASSWORD", "none given");
        Process process = null;
        try {
            process = builder.start();
            running.add(process);
            if (closed) {
                end(process);
            }
            Output errors = new Output(process.getErrorStream(), KEPT, "rsync-stderr");
            Output output = new Output(process.getInputStream(), kept, "rsync-stdout");
            feed(process, command.getInput());
            int exitCode = process.waitFor();
            output.join();
            errors.join();
            if (closed && Meaning.of(exitCode) != Meaning.DONE) {
                throw new RsyncException(exitCode, "stopped");
            }
            // Java adds 128 to a signal's number; 255 is ssh's own failure.
            if (exitCode > 128 && exitCode <= 128 + 64) {
                throw new RsyncException(exitCode, "rsync was ended by signal " + (exitCode - 128));
            }
            if (Meaning.of(exitCode) != Meaning.DONE) {
                throw new RsyncException(exitCode, words(errors.text()));
            }
            return new ExecResult(command, output.stream(), errors.stream(), exitCode);
        } catch (IOException e) {
            throw new UncheckedIOException(e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RsyncException(20, "stopped");
        } finally {
            if (process != null) {
                end(process);
                running.remove(process);
            }
        }
    }

    /** What a call would do, in the words of rsync's statistics. */
    public String dryRun(String command, Call call) {
        return dryRun(command, call, KEPT);
    }

    /**
     * What a call would send and delete, entry by entry and completely, about 100 bytes of heap each: on an initial sync
     * that is the whole tree.
     */
    Stream<Difference> differences(String command, Call call) {
        List<String> arguments = new ArrayList<>(call.arguments());
        arguments.add(0, Difference.FORMAT);
        return dryRun(command, new Call(arguments, call.input()), Integer.MAX_VALUE)
                .lines()
                .map(Difference::parse)
                .filter(Objects::nonNull);
    }

    private String dryRun(String command, Call call, int kept) {
        List<String> arguments = new ArrayList<>(call.arguments());
        arguments.add(0, "--dry-run");
        ExecCommand dry = new ExecCommand(
                command, arguments, null, 0L, Set.of(), new ByteArrayInputStream(call.input()), null, false, null);
        try {
            return new String(execute(dry, kept).getStdout().readAllBytes(), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new UncheckedIOException(e.getMessage(), e);
        }
    }

    private static void feed(Process process, InputStream input) throws IOException {
        try (OutputStream stdin = process.getOutputStream()) {
            if (input != null) {
                input.transferTo(stdin);
            }
        } catch (IOException brokenPipe) {
            // rsync ended before it read its list; its exit code and words say why.
        }
    }

    /** rsync's own words, shortened to the cause, where there is one: the same fault is told in the same words. */
    static String words(String stderr) {
        List<String> said = stderr.lines()
                .map(String::strip)
                .filter(line -> !line.isEmpty() && !line.startsWith("rsync error: some files"))
                .toList();
        List<String> causes =
                said.stream().filter(line -> !CONSEQUENCE.matcher(line).find()).toList();
        if (!causes.isEmpty()) {
            said = causes;
        }
        int shown = Math.min(3, said.size());
        String more = said.size() > shown ? " … and " + (said.size() - shown) + " more lines" : "";
        return String.join("; ", said.subList(0, shown)) + more;
    }

    private static void end(Process process) {
        if (!process.isAlive()) {
            return;
        }
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroy();
        try {
            if (!process.waitFor(2, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    /** Ends every rsync that runs; their batches stay in the state directory. */
    @Override
    public void close() {
        closed = true;
        running.forEach(RsyncProcess::end);
    }

    /** The end of one of rsync's streams, read by a thread of its own so that rsync never waits for us. */
    private static final class Output {
        private final Thread reader;
        private final int most;
        private byte[] kept = new byte[0];

        Output(InputStream stream, int most, String name) {
            this.most = most;
            reader = new Thread(() -> read(stream), name);
            reader.setDaemon(true);
            reader.start();
        }

        private void read(InputStream stream) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            byte[] buffer = new byte[8192];
            try (stream) {
                for (int n = stream.read(buffer); n >= 0; n = stream.read(buffer)) {
                    bytes.write(buffer, 0, n);
                    if (bytes.size() / 2 > most) {
                        byte[] all = bytes.toByteArray();
                        bytes.reset();
                        bytes.write(all, all.length - most, most);
                    }
                }
            } catch (IOException closed) {
                // The process was ended: what came before is all there is.
            }
            kept = bytes.toByteArray();
        }

        void join() throws InterruptedException {
            reader.join();
        }

        String text() {
            return new String(kept, StandardCharsets.UTF_8);
        }

        InputStream stream() {
            return new ByteArrayInputStream(kept);
        }
    }
}
