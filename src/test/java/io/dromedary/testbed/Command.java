package io.dromedary.testbed;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Runs an external program to its end and keeps what it wrote, as bytes: the tests' way to rsync, find and their like.
 *
 * @param exitCode the program's, or 128 + the signal that ended it
 * @param output what it wrote to stdout
 * @param errors what it wrote to stderr, for people
 */
public record Command(int exitCode, byte[] output, String errors) {

    /** Far above what any of the tests' programs needs: it only ends a run that hangs. */
    private static final Duration LIMIT = Duration.ofMinutes(3);

    /** Runs in the C locale, with an empty stdin. The exit code is the caller's to judge. */
    public static Command run(String... words) {
        return run(Map.of(), List.of(words));
    }

    /**
     * As {@link #run(String...)}, with these environment variables added.
     *
     * @throws IllegalStateException when the program is not installed, or has not ended within three minutes
     */
    public static Command run(Map<String, String> environment, List<String> words) {
        Path output = null;
        Path errors = null;
        try {
            output = Files.createTempFile("command", ".out");
            errors = Files.createTempFile("command", ".err");
            ProcessBuilder builder = new ProcessBuilder(words)
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectOutput(output.toFile())
                    .redirectError(errors.toFile());
            builder.environment().put("LC_ALL", "C");
            builder.environment().putAll(environment);
            Process process = start(builder);
            if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IllegalStateException("not ended after " + LIMIT + ": " + words);
            }
            return new Command(process.exitValue(), Files.readAllBytes(output), read(errors));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while running " + words, e);
        } finally {
            delete(output);
            delete(errors);
        }
    }

    /** Starts a process; a program that is missing is named, because ENOENT could as well be the directory. */
    static Process start(ProcessBuilder builder) throws IOException {
        String program = builder.command().get(0);
        try {
            return builder.start();
        } catch (IOException e) {
            if (!installed(program)) {
                throw new IllegalStateException(program + " is not installed", e);
            }
            throw e;
        }
    }

    private static boolean installed(String program) {
        if (program.contains("/")) {
            return Files.isExecutable(Path.of(program));
        }
        return List.of(System.getenv().getOrDefault("PATH", "").split(":")).stream()
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    }

    /** The whole text of a log; bytes that are not UTF-8 are replaced, they are for people only. */
    static String read(Path file) {
        try {
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void delete(Path file) {
        try {
            if (file != null) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
