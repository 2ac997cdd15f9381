package io.dromedary.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a person sees on a terminal: script(1) is one. */
@Timeout(240)
class TerminalIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final String ERASE = "\r\033[K";

    @TempDir
    Path directory;

    private Path source;
    private Path copy;
    private int port;

    @BeforeEach
    void createTrees() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        copy = Files.createDirectory(directory.resolve("copy"));
        port = RsyncDaemon.freePort();
        Files.write(source.resolve("large"), new byte[5 << 20]);
    }

    private DromedaryProcess onTerminal(String kind, String arguments) {
        String command = "stty cols 60 && exec " + DromedaryProcess.PROJECT.resolve("bin/dromedary") + " " + arguments;
        return DromedaryProcess.startOther(directory, Map.of("TERM", kind), "script", "-qefc", command, "/dev/null");
    }

    private String mirror(String option) {
        return "mirror --port " + port + " " + option + " " + source + " " + copy;
    }

    /** As Ctrl-C or a supervisor would; script(1) is left to end by itself. */
    private static void end(DromedaryProcess terminal) {
        ProcessHandle.of(terminal.pid()).stream()
                .flatMap(ProcessHandle::descendants)
                .filter(child -> child.info().command().orElse("").endsWith("/java"))
                .forEach(ProcessHandle::destroy);
        assertThat(terminal.exitCode(SOON)).isZero();
    }

    @Test
    void terminalShowsABarThenOneLineThatLeavesTheLogAlone() throws IOException {
        try (DromedaryProcess terminal = onTerminal("xterm", mirror("--set rsync.bwlimit=2000"))) {
            terminal.awaitLine("full sync \\[#+-*\\] [1-9]\\d?% .*MB", START);
            terminal.awaitLine("INFO .*full sync done", START);
            terminal.awaitLine("live \\| lag 0 \\| 0 pending \\| 5\\.\\d MB sent", SOON);
            for (int i = 0; i < 5; i++) {
                Path file = Path.of("file" + i);
                Files.writeString(source.resolve(file), "text");
                await().atMost(SOON)
                        .untilAsserted(
                                () -> assertThat(copy.resolve(file)).exists().hasContent("text"));
            }
            try (DromedaryProcess other = onTerminal("xterm", "sync --url http://127.0.0.1:" + port)) {
                assertThat(other.exitCode(START)).isZero();
                assertThat(other.output()).contains("full sync started: copy", "copy: full sync done");
            }
            end(terminal);
            List<String> lines = terminal.output().lines().toList();
            assertThat(lines)
                    .as("log lines stand for themselves")
                    .filteredOn(line -> line.contains(" INFO "))
                    .hasSizeGreaterThanOrEqualTo(3)
                    .allMatch(line -> line.matches("(\033\\[K)?\\d{4}-\\d\\d-\\d\\d .*"));
            assertThat(lines).as("the line tells it").noneMatch(line -> line.contains("pushed "));
            assertThat(lines)
                    .filteredOn(line -> line.contains(" | ") || line.contains("full sync ["))
                    .as("60 columns")
                    .allMatch(line -> line.replace("\033[K", "").length() < 60);
            assertThat(terminal.output()).as("nothing stays of the line").endsWith(ERASE);
        }
    }

    @Test
    void plainLinesWhereNoLineCanBeWrittenOver() throws IOException {
        try (DromedaryProcess terminal = onTerminal("dumb", mirror(""))) {
            terminal.awaitLine("INFO .*full sync done", START);
            Files.writeString(source.resolve("file"), "text");
            terminal.awaitLine("copy: pushed 1 path", SOON);
            end(terminal);
            assertThat(terminal.output()).doesNotContain("\033[", "#");
        }
        try (DromedaryProcess file = DromedaryProcess.start(
                directory,
                Map.of("TERM", "xterm"),
                "mirror",
                "--port",
                "" + port,
                source.toString(),
                copy.toString())) {
            file.awaitLine("full sync done", START);
            try (DromedaryProcess sync = DromedaryProcess.start(
                    directory, Map.of("TERM", "xterm"), "sync", "--url", "http://127.0.0.1:" + port)) {
                assertThat(sync.exitCode(SOON)).isZero();
                assertThat(sync.output()).isEqualTo("full sync started: copy\n");
            }
            assertThat(file.output()).doesNotContain("\033[", "#");
        }
    }
}
