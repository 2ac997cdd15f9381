package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Signals;
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Receivers that are killed in the middle of a file leave what they have written: that goes with what is pushed next. */
class LeftoversIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final int SIZE = 3 << 20;

    @TempDir
    Path directory;

    private Path source;
    private Path module;
    private Path keeping;
    private Path shell;
    private Path local;
    private RsyncDaemon daemon;
    private SshDaemon ssh;
    private Configuration configuration;

    @BeforeEach
    void remotes() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        module = Files.createDirectory(directory.resolve("module"));
        keeping = Files.createDirectory(directory.resolve("keeping"));
        shell = Files.createDirectory(directory.resolve("shell"));
        local = Files.createDirectory(directory.resolve("local"));
        daemon = new RsyncDaemon().module("m", module).module("k", keeping).start();
        ssh = new SshDaemon().start();
        String line = "bwlimit: 1500";
        configuration = new Configuration(directory, source)
                .remote("module", daemon.url("m"), line)
                .remote("keeping", daemon.url("k"), line, "delete: false")
                .remote("shell", ssh.target(shell), line, "ssh: \"" + String.join(" ", ssh.sshArguments()) + "\"")
                .remote("local", local.toString(), line);
    }

    @AfterEach
    void close() {
        daemon.close();
        ssh.close();
    }

    private static List<Path> temporaries(Path copy) {
        try (Stream<Path> all = Files.walk(copy)) {
            return all.filter(file -> file.getFileName().toString().matches("\\..+\\.[A-Za-z0-9]{6}"))
                    .filter(file -> !file.getFileName().toString().endsWith(".Abc123"))
                    .toList();
        } catch (NoSuchFileException | UncheckedIOException e) {
            return List.of();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void write(String path) throws IOException {
        byte[] content = new byte[SIZE];
        new Random(1).nextBytes(content);
        Files.write(source.resolve(path), content);
    }

    /** Waits until each has got a part of it, and kills all receivers; what they leave is what they have got. */
    private void killReceivers(DromedaryProcess dromedary) {
        List<Path> copies = List.of(module, keeping, shell, local);
        await().atMost(SOON).pollInterval(Duration.ofMillis(20)).until(() -> copies.stream()
                .noneMatch(copy -> temporaries(copy).isEmpty()));
        kill(ProcessHandle.of(ssh.pid()).orElseThrow(), "--server");
        kill(ProcessHandle.of(dromedary.pid()).orElseThrow(), local.toString());
        daemon.kill();
        assertThat(copies).as("what receivers have left").allSatisfy(copy -> assertThat(temporaries(copy))
                .isNotEmpty());
    }

    private static void kill(ProcessHandle above, String argument) {
        List<ProcessHandle> receivers = above.descendants()
                .filter(process -> process.info().command().orElse("").endsWith("/rsync"))
                .filter(process -> process.info()
                        .arguments()
                        .map(arguments -> String.join(" ", arguments).contains(argument))
                        .orElse(false))
                .toList();
        // None is to see the end of another.
        receivers.forEach(receiver -> Signals.stop(receiver.pid()));
        receivers.forEach(receiver -> Signals.kill(receiver.pid()));
        assertThat(receivers).isNotEmpty();
    }

    private void awaitEqual() throws IOException {
        for (Path copy : List.of(module, shell, local)) {
            Trees.awaitEqual(source, copy, SOON);
        }
    }

    @ParameterizedTest
    @CsvSource({"f, 16M", ".hidden, 1M"})
    void areGoneOnceTheRemoteHasCaughtUp(String name, String large) throws Exception {
        // As many large files at once as there are remotes.
        configuration.set("large-file=" + large, "max-processes=10");
        Files.createDirectory(source.resolve("d"));
        Files.writeString(source.resolve("d/.f.Abc123"), "the user's own");
        Files.writeString(source.resolve("d/.hidden.Abc123"), "the user's own");
        try (DromedaryProcess dromedary = configuration.run(Map.of("DROMEDARY_LOG", "DEBUG"))) {
            for (String remote : List.of("module", "keeping", "shell", "local")) {
                dromedary.awaitLine(remote + ": .*live", START);
            }
            write("d/" + name);
            killReceivers(dromedary);
            List<Path> kept = temporaries(keeping);
            daemon.start();
            awaitEqual();
            await().atMost(SOON).untilAsserted(() -> assertThat(configuration.owed("keeping"))
                    .as("keeping")
                    .isEmpty());
            assertThat(keeping.resolve("d").resolve(name))
                    .hasSameBinaryContentAs(source.resolve("d").resolve(name));
            assertThat(kept).as("nothing is deleted where delete is false").allSatisfy(file -> assertThat(file)
                    .exists());
            assertThat(module.resolve("d/.f.Abc123")).hasContent("the user's own");
            assertThat(dromedary.output().lines().filter(line -> line.contains("full sync done")))
                    .as("those at the start")
                    .hasSize(4);
        }
    }

    @Test
    void thoseOfAFullSyncToo() throws Exception {
        Files.createDirectory(source.resolve("d"));
        write("d/f");
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("watching", START);
            killReceivers(dromedary);
            daemon.start();
            awaitEqual();
        }
    }

    @Test
    void thoseOfAnEarlierRunToo() throws Exception {
        configuration.set("full-sync.initial=false");
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("watching", START);
            write("f");
            killReceivers(dromedary);
            dromedary.kill();
        }
        daemon.start();
        try (DromedaryProcess dromedary = configuration.run()) {
            awaitEqual();
            assertThat(dromedary.output()).doesNotContain("full sync");
        }
    }
}
