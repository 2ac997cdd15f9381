package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchService;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Set-ups that would eat themselves are refused before anything is touched; those that only look like it work. */
class SetUpIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private Path top;
    private Path source;

    @BeforeEach
    void aTree() throws IOException {
        top = Files.createDirectories(directory.resolve("top"));
        source = Files.createDirectories(top.resolve("www"));
        Files.createDirectories(source.resolve("deep/down"));
        Files.writeString(source.resolve("file"), "here");
    }

    private Command dromedary(String... arguments) {
        List<String> words = new ArrayList<>(
                List.of("env", "-C", directory.toString(), DromedaryProcess.PROJECT.resolve("bin/dromedary") + ""));
        words.addAll(List.of(arguments));
        return Command.run(words.toArray(String[]::new));
    }

    private static void assertRefused(Command command, String... texts) {
        assertThat(command.exitCode()).as(command.errors()).isEqualTo(2);
        assertThat(command.errors().lines().filter(line -> !line.contains("dromedary: preparing")))
                .singleElement()
                .asString()
                .startsWith("dromedary: ")
                .contains(texts);
    }

    @Test
    void mirrorRefusesATargetAboveItsSource() throws IOException {
        assertRefused(
                dromedary("mirror", source.toString(), top.toString(), "--port", "0"),
                "target " + top + " contains the source " + source);
        assertThat(source.resolve("file")).hasContent("here");
    }

    @Test
    void aDaemonOfThisMachineIsSeenThroughByCheck() throws IOException {
        FileTime before = FileTime.from(Instant.parse("2020-01-01T00:00:00.5Z"));
        Path copy = Files.createDirectory(directory.resolve("copy"));
        try (RsyncDaemon daemon = new RsyncDaemon()
                .module("top", top)
                .module("www", source)
                .module("deep", source.resolve("deep"))
                .module("blind", top, "write only = yes")
                .module("copy", copy)
                .start()) {
            Files.setLastModifiedTime(source, before);
            assertRefused(check(daemon.url("top")), "(" + top + " of this machine) contains the source " + source);
            assertRefused(check(daemon.url("www")), "(" + source + " of this machine) is the source " + source);
            assertRefused(
                    check(daemon.url("deep") + "/down"),
                    "(" + source + "/deep/down of this machine) lies in the source ");
            Files.writeString(source.resolve("deep/down/文件"), "here");
            assertRefused(
                    check(daemon.url("deep") + "/down"),
                    "(" + source + "/deep/down of this machine) lies in the source ");
            Files.writeString(copy.resolve("file"), "there");
            Files.setLastModifiedTime(copy, before);
            Files.setLastModifiedTime(source.resolve("deep"), before);
            try (WatchService watch = directory.getFileSystem().newWatchService()) {
                source.resolve("deep").register(watch, StandardWatchEventKinds.ENTRY_CREATE);
                Command fine = check(daemon.url("copy"));
                assertThat(fine.exitCode()).as(fine.errors()).isZero();
                assertThat(watch.poll())
                        .as("a mark in a directory that is as old, but another one")
                        .isNull();
            }
        }
        assertThat(new String(
                        Command.run("find", directory.toString(), "-name", ".dromedary*")
                                .output(),
                        StandardCharsets.UTF_8))
                .isEmpty();
        assertThat(Files.getLastModifiedTime(source)).isEqualTo(before);
    }

    private Command check(String target, String... parameters) {
        List<String> arguments = new ArrayList<>(List.of(new Configuration(directory, source)
                .remote("copy", target, parameters)
                .arguments()));
        arguments.set(0, "check");
        return dromedary(arguments.toArray(String[]::new));
    }

    @Test
    void anSshServerOfThisMachineIsSeenThrough() throws IOException {
        try (SshDaemon sshd = new SshDaemon().start()) {
            String ssh = "ssh: \"" + String.join(" ", sshd.sshArguments()) + "\"";
            assertRefused(
                    check(sshd.target(top), ssh),
                    "target " + sshd.target(top) + " (" + top + " of this machine) contains the source " + source);
        }
    }

    /** Nothing of the source is deleted by the first push, which comes with the daemon. */
    @Test
    void aDaemonThatComesLaterIsSeenThroughThen() throws IOException {
        RsyncDaemon daemon = new RsyncDaemon().module("top", top).start();
        daemon.stop();
        try (daemon;
                DromedaryProcess dromedary = new Configuration(directory, source)
                        .remote("copy", daemon.url("top"))
                        .run()) {
            dromedary.awaitLine("copy: down", START);
            daemon.start();
            dromedary.awaitLine("halted: remote copy: target .* contains the source " + source, SOON);
            await().during(Duration.ofSeconds(2)).atMost(SOON).untilAsserted(() -> assertThat(source.resolve("file"))
                    .hasContent("here"));
        }
    }

    @Test
    void oneRemoteInTwoRoutesIsRefused() throws IOException {
        Configuration configuration =
                new Configuration(directory, source).remote("copy", directory.resolve("copy") + "");
        String[] arguments = configuration.arguments();
        Path routes = directory.resolve("conf/routes");
        Files.writeString(
                routes.resolve("pasted.camel.yaml"),
                Files.readString(routes.resolve("tree.camel.yaml"))
                        .replace("id: tree", "id: pasted")
                        .replace("source: " + source, "source: " + source + "/deep"));
        Command run = dromedary(arguments);
        assertRefused(run, "remote copy: it is in route ", "tree", "pasted", "each remote needs its own name");
    }

    @Test
    void chainsAndExcludedTargetsWork() throws IOException {
        Path next = Files.createDirectory(directory.resolve("next"));
        Path last = Files.createDirectory(directory.resolve("last"));
        Configuration configuration = new Configuration(directory, source)
                .set("exclude=/.copies/")
                .remote("next", next.toString())
                .remote("within", source.resolve(".copies").toString());
        String[] arguments = configuration.arguments();
        Path routes = directory.resolve("conf/routes");
        String two = Files.readString(routes.resolve("tree.camel.yaml"));
        Files.writeString(
                routes.resolve("chain.camel.yaml"),
                two.substring(0, two.lastIndexOf("              - to:"))
                        .replace("id: tree", "id: chain")
                        .replace("source: " + source, "source: " + next)
                        .replace("remote: next", "remote: last")
                        .replace("target: " + next, "target: " + last));
        try (DromedaryProcess dromedary = DromedaryProcess.start(directory, arguments)) {
            dromedary.awaitLine("watching 2 trees for 3 remotes", START);
            Files.writeString(source.resolve("later"), "later");
            Trees.awaitEqual(next, last, SOON);
            await().atMost(SOON).untilAsserted(() -> {
                assertThat(last.resolve("later")).hasContent("later");
                assertThat(source.resolve(".copies/later")).hasContent("later");
            });
            assertThat(last.resolve(".copies")).doesNotExist();
            assertThat(source.resolve(".copies/.copies")).doesNotExist();
        }
    }

    /** Started where the source is, so the state directory lies in it, and the log by redirection. */
    @Test
    void whatDromedaryWritesIsNoPartOfTheTree() throws IOException {
        Path work = Files.createDirectory(source.resolve("w[o]rk *"));
        Path copy = Files.createDirectories(directory.resolve("copy"));
        Files.createDirectories(copy.resolve("w[o]rk */state"));
        Files.writeString(copy.resolve("w[o]rk */state/other"), "another's");
        Files.createDirectory(source.resolve("w"));
        try (DromedaryProcess dromedary = DromedaryProcess.start(
                work,
                "mirror",
                source.toString(),
                copy.toString(),
                "--port",
                "0",
                "--rsync-args",
                "-a --log-file=w/rsync.log")) {
            dromedary.awaitLine("full sync done", START);
            Files.writeString(source.resolve("later"), "later");
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(copy.resolve("later")).hasContent("later"));
            // What feeds itself is pushed again and again.
            await().during(Duration.ofSeconds(2)).atMost(SOON).untilAsserted(() -> assertThat(
                            dromedary.output().lines().filter(line -> line.contains("pushed")))
                    .hasSizeLessThan(2));
            assertThat(dromedary.output().lines().filter(line -> line.contains("is left out there")))
                    .hasSize(2)
                    .anyMatch(line -> line.contains("the state directory " + work + "/state lies in " + source))
                    .anyMatch(line -> line.contains("rsync's log " + source + "/w/rsync.log lies in " + source));
        }
        assertThat(work.resolve("state/pid")).exists();
        assertThat(source.resolve("w/rsync.log")).exists();
        assertThat(copy.resolve("w")).isEmptyDirectory();
        assertThat(copy.resolve("w[o]rk */state").toFile().list()).containsExactly("other");
    }

    @Test
    void theStateDirectoryInATargetIsNotDeleted() throws IOException {
        Path copy = Files.createDirectories(directory.resolve("copy"));
        Path log = Files.createFile(source.resolve("log"));
        try (DromedaryProcess dromedary = DromedaryProcess.startOther(
                copy,
                Map.of(),
                "sh",
                "-c",
                "exec " + DromedaryProcess.PROJECT.resolve("bin/dromedary") + " mirror '" + source + "' . --port 0 > '"
                        + log + "' 2>&1")) {
            await().atMost(START)
                    .untilAsserted(() ->
                            assertThat(log).as(dromedary.output()).content().contains("full sync done"));
            assertThat(log)
                    .content()
                    .contains("the state directory " + copy + "/state lies in " + copy)
                    .contains("the log " + log + " lies in " + source);
            assertThat(copy.resolve("state/pid")).exists();
            assertThat(copy.resolve("file")).exists();
            assertThat(copy.resolve("log")).doesNotExist();
        }
    }
}
