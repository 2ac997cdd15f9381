package io.dromedary.testbed;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.awaitility.core.ConditionTimeoutException;

/**
 * The built program, run as a user runs it: {@code bin/dromedary} with arguments, in a working directory of its own. What
 * it writes (stdout and stderr in one) stays in {@link #log()} after the test.
 */
public final class DromedaryProcess implements AutoCloseable {

    /** The root of the project. */
    public static final Path PROJECT = Path.of(System.getProperty("basedir", System.getProperty("user.dir")))
            .toAbsolutePath();

    private final Process process;
    private final Path log;
    /** All that were seen below it: after a crash they are nobody's children, and {@link #close} could not find them. */
    private final Set<ProcessHandle> children = new HashSet<>();

    private DromedaryProcess(Path directory, Map<String, String> environment, List<String> command) {
        try {
            Path logs = Files.createDirectories(PROJECT.resolve("target/testbed"));
            log = Files.createTempFile(logs, "dromedary-", ".log");
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile());
            builder.environment().putAll(environment);
            process = Command.start(builder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Starts {@code bin/dromedary ARGUMENTS…}; what it keeps by default below the current directory goes to this one. */
    public static DromedaryProcess start(Path directory, String... arguments) {
        return start(directory, Map.of(), arguments);
    }

    /** @param environment added to that of the tests: {@code Map.of("LC_ALL", "C")} */
    public static DromedaryProcess start(Path directory, Map<String, String> environment, String... arguments) {
        List<String> command =
                new ArrayList<>(List.of(PROJECT.resolve("bin/dromedary").toString()));
        command.addAll(List.of(arguments));
        return new DromedaryProcess(directory, environment, command);
    }

    /** Another program in its place: an installed one, or any, for the test of this class. */
    public static DromedaryProcess startOther(Path directory, Map<String, String> environment, String... command) {
        return new DromedaryProcess(directory, environment, List.of(command));
    }

    /** The launcher's, and the JVM's from the moment that it takes the launcher's place. */
    public long pid() {
        return process.pid();
    }

    /** Where all that it writes goes. */
    public Path log() {
        return log;
    }

    /** All that it has written so far. */
    public String output() {
        return Command.read(log);
    }

    /**
     * Waits for a line in which the regular expression is found, among those written already too, and returns the first
     * such line. Fails at once when the process has ended without it, with all its output in the message.
     */
    public String awaitLine(String regex, Duration timeout) {
        Pattern pattern = Pattern.compile(regex);
        try {
            await().atMost(timeout)
                    .pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(20))
                    .until(() -> {
                        // In this order: what it wrote last must not be missed.
                        boolean ended = !process.isAlive();
                        return line(pattern).isPresent() || ended;
                    });
        } catch (ConditionTimeoutException e) {
            throw new AssertionError("no line with " + regex + " within " + timeout + " in:\n" + output(), e);
        }
        return line(pattern)
                .orElseThrow(() -> new AssertionError(
                        "ended with " + process.exitValue() + " and no line with " + regex + " in:\n" + output()));
    }

    private Optional<String> line(Pattern pattern) {
        return output().lines().filter(line -> pattern.matcher(line).find()).findFirst();
    }

    /** Waits for its end; 128 + the signal when one ended it. */
    public int exitCode(Duration timeout) {
        try {
            if (process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                return process.exitValue();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
        throw new AssertionError("still running after " + timeout + ":\n" + output());
    }

    /** Asks it to end (SIGTERM), and does not wait: {@link #exitCode} does. */
    public void terminate() {
        process.destroy();
    }

    /** Crashes it (SIGKILL) and waits for the end. Its children live on, as after a real crash. */
    public void kill() {
        remember();
        process.destroyForcibly();
        exitCode(Duration.ofSeconds(10));
    }

    private void remember() {
        process.descendants().forEach(children::add);
    }

    /** Ends it, without grace, with all its children. */
    @Override
    public void close() {
        kill();
        children.forEach(ProcessHandle::destroyForcibly);
    }
}
