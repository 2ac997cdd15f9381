package io.dromedary.cli;

import io.dromedary.posix.OwnerOnly;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A command run by a second process in the background: a session of its own, nothing on its standard input, all it says
 * in {@code STATE-DIR/log}. The JVM itself cannot fork, so a second one is started; this one stays until that one watches,
 * and passes on why it does not.
 */
final class Detached {
    private static final int PAUSE = 100;

    private Detached() {}

    /** Returns the exit code of the command: 0 once it runs, or that of the one that ended. */
    static int start(Path stateDir, List<String> arguments, PrintWriter out, PrintWriter err)
            throws IOException, InterruptedException {
        Path state = stateDir.toAbsolutePath();
        Files.createDirectories(state, OwnerOnly.directory());
        Path log = state.resolve("log");
        long from = Files.exists(log) ? Files.size(log) : 0;
        Process process = new ProcessBuilder(command(arguments))
                .redirectInput(new File("/dev/null"))
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start();
        String said = "";
        while (!said.contains(" watching ")) {
            boolean ended = process.waitFor(PAUSE, TimeUnit.MILLISECONDS);
            said = read(log, from);
            if (ended) {
                err.print(said);
                err.flush();
                return process.exitValue();
            }
        }
        out.println("running in the background, process " + process.pid() + ", log " + log);
        out.flush();
        return 0;
    }

    private static List<String> command(List<String> arguments) {
        List<String> command = new ArrayList<>();
        // It execs the program, whose process id thereby is that of the Process.
        command.add("setsid");
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-jar", System.getProperty("java.class.path")));
        command.addAll(arguments);
        return command;
    }

    private static String read(Path log, long from) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "r")) {
            file.seek(from);
            byte[] bytes = new byte[(int) Math.min(64 * 1024, file.length() - from)];
            file.readFully(bytes);
            return new String(bytes, StandardCharsets.UTF_8);
        }
    }
}
