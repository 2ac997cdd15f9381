package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.dromedary.testbed.Api;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.OldRsync;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What Dromedary asks of remotes by dry runs, with deletions in it: max-delete, check, verify, what regular expressions
 * leave, and whether a target is the one it was. The answers are the same at a daemon with and without chroot, over ssh, on
 * this machine, and at receivers that refuse what old ones do.
 */
@Timeout(300)
class DryRunsIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final List<String> REMOTES = List.of("chroot", "free", "old", "ssh", "words", "silent", "local");

    /** What is at each target before: four entries too much, and three that a filter protects. */
    private static final List<String> BEFORE =
            List.of("mine.own", "x", "x/1", "x/mine.own", "x/y", "x/y/2", "z", "z/mine.own", "extra");

    @TempDir
    Path directory;

    private Path source;
    private Api api;
    private Configuration configuration;

    @BeforeEach
    void source() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        api = new Api();
        configuration = new Configuration(directory, source).set(api.setting());
        for (String path : List.of("a", "d/b", "d/c", "z/d", "z/skipped.own")) {
            write(source.resolve(path), "text");
        }
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    /** With what is too much there. */
    private Path target(String name) throws IOException {
        Path target = Files.createDirectory(directory.resolve(name));
        for (String path : BEFORE) {
            if (BEFORE.stream().noneMatch(other -> other.startsWith(path + "/"))) {
                write(target.resolve(path), "not the source's");
            }
        }
        return target;
    }

    private static List<String> paths(Path directory) throws IOException {
        try (Stream<Path> all = Files.walk(directory)) {
            return all.skip(1)
                    .map(path -> directory.relativize(path).toString())
                    .toList();
        }
    }

    private static void empty(Path directory) throws IOException {
        try (Stream<Path> all = Files.walk(directory)) {
            for (Path path : all.skip(1).sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    private void awaitPaths(String... expected) {
        for (String remote : REMOTES) {
            await().atMost(SOON).untilAsserted(() -> assertThat(paths(directory.resolve(remote)))
                    .as(remote)
                    .containsExactlyInAnyOrder(expected));
        }
    }

    private DromedaryProcess command(String command, String... more) {
        List<String> arguments = new ArrayList<>(List.of(more));
        arguments.add(0, command);
        return DromedaryProcess.start(directory, arguments.toArray(String[]::new));
    }

    private DromedaryProcess check() {
        String[] arguments = configuration.arguments();
        arguments[0] = "check";
        return DromedaryProcess.start(directory, arguments);
    }

    private DromedaryProcess verify() {
        return command("verify", "--url", "http://127.0.0.1:" + api.setting().replaceFirst(".*=", ""));
    }

    private void remotes(RsyncDaemon daemon, SshDaemon sshd) throws IOException {
        Path shell = OldRsync.shell(directory);
        configuration
                .remote("chroot", daemon.url("chroot"))
                .remote("free", daemon.url("free"))
                .remote("old", daemon.url("old"))
                .remote("ssh", sshd.target(target("ssh")), "ssh: \"" + String.join(" ", sshd.sshArguments()) + "\"")
                .remote("local", target("local").toString());
        for (String name : List.of("words", "silent")) {
            Path rsync = OldRsync.receiver(directory.resolve(name + ".sh"), name.equals("words"));
            configuration.remote(name, "far:" + target(name), "ssh: " + shell, "args: -a --rsync-path=" + rsync);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"exclude=*.own", "exclude-regex=.*[.]own"})
    void theAnswersAreTheSameEverywhere(String filter) throws IOException {
        configuration.set(filter, "max-delete=3");
        try (RsyncDaemon daemon = new RsyncDaemon()
                        .module("chroot", target("chroot"))
                        .module("free", target("free"), "use chroot = no")
                        .module("old", target("old"), "refuse options = modify-window delete-missing-args")
                        .start();
                SshDaemon sshd = new SshDaemon().start()) {
            remotes(daemon, sshd);
            try (DromedaryProcess check = check()) {
                assertThat(check.exitCode(START)).as(check.output()).isZero();
                assertThat(check.output().lines().filter(line -> line.startsWith("  would be: ")))
                        .hasSize(2 * REMOTES.size())
                        .containsOnly(
                                "  would be: Number of regular files transferred: 4",
                                "  would be: Number of deleted files: 4");
            }
            awaitPaths(BEFORE.toArray(String[]::new));
            try (DromedaryProcess dromedary = configuration.run()) {
                for (String remote : REMOTES) {
                    assertThat(dromedary.awaitLine(remote + ": (halted|full sync)", START))
                            .contains("a full sync would delete 4 entries, max-delete is 3");
                }
                awaitPaths(BEFORE.toArray(String[]::new));
                REMOTES.forEach(remote -> api.post("/api/remotes/" + remote + "/resume"));
                awaitPaths("a", "d", "d/b", "d/c", "mine.own", "x", "x/mine.own", "z", "z/d", "z/mine.own");
                awaitLive();
                assertThat(api.post("/api/verify").findValuesAsText("path")).isEmpty();
                assertThat(api.get("/api/status").findValuesAsText("receiver"))
                        .filteredOn(told -> told.contains("does not take --modify-window"))
                        .as("old, words, silent")
                        .hasSize(3)
                        .allMatch(told -> told.startsWith("its rsync (protocol "));

                // What is deleted live leaves what is protected, too.
                Files.delete(source.resolve("z/d"));
                Files.delete(source.resolve("z/skipped.own"));
                Files.delete(source.resolve("z"));
                write(source.resolve("n/new"), "new");
                write(source.resolve("n/new.own"), "new");
                awaitPaths("a", "d", "d/b", "d/c", "mine.own", "n", "n/new", "x", "x/mine.own", "z", "z/mine.own");
                awaitLive();
                assertThat(api.post("/api/verify").findValuesAsText("path")).isEmpty();

                verifyTells();
                for (String remote : REMOTES) {
                    empty(directory.resolve(remote));
                }
            }
            configuration.set("full-sync.initial=false");
            try (DromedaryProcess dromedary = configuration.run()) {
                for (String remote : REMOTES) {
                    dromedary.awaitLine(remote + ": another target than before, ", START);
                }
                awaitPaths("a", "d", "d/b", "d/c", "n", "n/new");
            }
        }
    }

    private void awaitLive() {
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(api.get("/api/status").findValuesAsText("state"))
                        .hasSize(REMOTES.size())
                        .containsOnly("live"));
    }

    private void verifyTells() throws IOException {
        FileTime time = FileTime.from(Instant.parse("2026-01-01T00:00:00Z"));
        for (String remote : REMOTES) {
            Path copy = directory.resolve(remote);
            Files.delete(copy.resolve("d/b"));
            Files.writeString(copy.resolve("d/c"), "other");
            Files.setPosixFilePermissions(copy.resolve("a"), PosixFilePermissions.fromString("rw-rw-rw-"));
            write(copy.resolve("more/in/1"), "1");
            write(copy.resolve("more/mine.own"), "1");
            for (String path : List.of("", "d", "n", "d/c")) {
                Files.setLastModifiedTime(copy.resolve(path), time);
            }
        }
        List<String> expected = new ArrayList<>();
        for (String remote : REMOTES) {
            String sent = remote.equals("local") ? ">" : "<";
            for (String line : List.of(
                    ".d..t...... .",
                    ".d..t...... d/",
                    ".d..t...... n/",
                    ".f...p..... a",
                    sent + "f+++++++++ d/b",
                    sent + "f.st...... d/c",
                    "*deleting more/in/1",
                    "*deleting more/in/")) {
                expected.add(remote + ": " + line);
            }
        }
        try (DromedaryProcess verify = verify()) {
            assertThat(verify.exitCode(SOON)).as(verify.output()).isOne();
            assertThat(verify.output().lines()).containsExactlyInAnyOrderElementsOf(expected);
        }
        // It has changed nothing.
        for (String remote : REMOTES) {
            assertThat(paths(directory.resolve(remote))).contains("more/in/1").doesNotContain("d/b");
        }
    }

    /** A receiver that does not tell what it would do. */
    @ParameterizedTest
    @ValueSource(strings = {"exclude=*.own", "exclude-regex=.*[.]own"})
    void whatCannotBeAskedIsNotTakenForNone(String filter) throws IOException {
        configuration.set(filter, "max-delete=1000");
        Path mute = target("mute");
        try (RsyncDaemon daemon = new RsyncDaemon()
                .module("mute", mute, "refuse options = log-format")
                .start()) {
            configuration.remote("mute", daemon.url("mute"));
            try (DromedaryProcess check = check()) {
                assertThat(check.exitCode(START)).as(check.output()).isOne();
                assertThat(check.output()).contains("refuse --log-format").doesNotContain("would be");
            }
            try (DromedaryProcess dromedary = configuration.run()) {
                assertThat(dromedary.awaitLine("mute: (halted|full sync done)", START))
                        .contains("cannot be counted");
                assertThat(api.post("/api/verify").at("/remotes/0/error").asText())
                        .contains("refuse --log-format");
                JsonNode remote = api.get("/api/status").at("/mirrors/0/remotes/0");
                assertThat(remote.get("state").asText()).isEqualTo("halted");
                assertThat(paths(mute)).containsExactlyInAnyOrderElementsOf(BEFORE);
            }
        }
    }
}
