package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Receiver.Ability;
import io.dromedary.mirror.Remote;
import io.dromedary.testbed.Churn;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.OldRsync;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Receivers that do not take all that Dromedary adds. Stand-ins for old ones: a daemon's "refuse options", and behind a
 * remote shell a script that refuses what an old rsync does, with its words or without any.
 */
class ReceiversIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    private Path source;
    private Remote remote;
    private final List<String> remotes = new ArrayList<>();

    @BeforeEach
    void source() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
    }

    private Path target(String name) throws IOException {
        return Files.createDirectories(directory.resolve(name));
    }

    private void remote(String name, String target, String... parameters) {
        remotes.add("              - to:\n                  uri: kamelet:rsync\n                  parameters:\n"
                + "                    remote: " + name + "\n                    target: " + target + "\n"
                + String.join(
                        "",
                        List.of(parameters).stream()
                                .map(line -> "                    " + line + "\n")
                                .toList()));
    }

    /** By a remote shell that leads to this machine, where the rsync is that script. */
    private void behindShell(String name, Path rsync) throws IOException {
        Path shell = OldRsync.shell(directory);
        remote(name, "far:" + target(name), "ssh: " + shell, "args: -a --rsync-path=" + rsync);
    }

    private Path configuration(String settings) throws IOException {
        Path conf = Files.createDirectories(directory.resolve("conf/routes")).getParent();
        Files.writeString(conf.resolve("application.properties"), settings);
        Files.writeString(
                conf.resolve("routes/tree.camel.yaml"),
                "- route:\n    id: tree\n    from:\n      uri: kamelet:watch\n      parameters:\n        source: "
                        + source + "\n      steps:\n        - multicast:\n            steps:\n"
                        + String.join("", remotes));
        return conf;
    }

    private DromedaryProcess dromedary(String command, Path conf) {
        return DromedaryProcess.start(
                directory, command, "-c", conf.toString(), "--set", "http.port=0", "--set", "retry.cron=* * * * * ?");
    }

    private void rewrite(String path, String text) throws IOException {
        FileTime time = Files.getLastModifiedTime(source.resolve(path));
        Files.writeString(source.resolve(path), text);
        Files.setLastModifiedTime(source.resolve(path), time);
    }

    /** Of the rsync on both sides, and of what years that is. */
    private static String protocol() {
        Matcher told = Pattern.compile("protocol version (\\d+)")
                .matcher(new String(Command.run("rsync", "--version").output(), StandardCharsets.ISO_8859_1));
        assertThat(told.find()).isTrue();
        return told.group(1).equals("31") ? "31: 3.1 to 3.3" : told.group(1) + ": 3.4 or newer";
    }

    /** But for times of directories within a second, where times are compared by the second. */
    private void awaitEqual(String name) {
        await().atMost(SOON).untilAsserted(() -> assertThat(Trees.differences(source, directory.resolve(name)))
                .as(name)
                .allMatch(line -> line.matches("(?s).*: mtime (\\d+)\\.\\d+ in source, \\1\\.\\d+ in target")));
    }

    @Test
    void churnEndsEqualWhateverTheyRefuse() throws IOException {
        long seed = System.nanoTime();
        System.out.println("churn seed " + seed);
        Churn churn = new Churn(source, seed);
        churn.run(200);
        try (RsyncDaemon daemon = new RsyncDaemon()
                .module("old", target("old"), "refuse options = modify-window delete-missing-args")
                .module(
                        "strict",
                        target("strict"),
                        "refuse options = force stats timeout ignore-times existing ignore-existing link-dest fuzzy"
                                + " log-format")
                .start()) {
            remote("old", daemon.url("old"));
            remote("strict", daemon.url("strict"));
            behindShell("words", OldRsync.receiver(directory.resolve("words.sh"), true));
            behindShell("silent", OldRsync.receiver(directory.resolve("silent.sh"), false));
            Path conf = configuration("");
            try (DromedaryProcess dromedary = dromedary("run", conf)) {
                for (String name : List.of("old", "strict", "words", "silent")) {
                    dromedary.awaitLine(name + ": full sync done", START);
                }
                churn.run(600);
                for (String name : List.of("old", "strict", "words", "silent")) {
                    awaitEqual(name);
                }
                Files.writeString(source.resolve("twice"), "1");
                Files.writeString(source.resolve("twice"), "2");
                for (String name : List.of("old", "words", "silent")) {
                    awaitEqual(name);
                }
                rewrite("twice", "3");
                for (String name : List.of("old", "words", "silent")) {
                    awaitEqual(name);
                }
                assertThat(dromedary.output())
                        .as("a refusal is no outage")
                        .doesNotContain("down:")
                        .contains("silent: its rsync (protocol " + protocol()
                                + ") does not take --modify-window, --delete-missing-args: ");
                assertThat(dromedary.output().lines().filter(line -> line.contains("words: its rsync")))
                        .as("said when it is learnt")
                        .hasSizeBetween(1, 2);
            }
            assertThat(directory.resolve("state/remotes/words/receiver"))
                    .content()
                    .contains("refuses --modify-window\nrefuses --delete-missing-args\nspeaks protocol ");
            // It cannot be asked what differs there.
            remotes.removeIf(remote -> remote.contains("remote: strict"));
            try (DromedaryProcess check = dromedary("check", configuration(""))) {
                assertThat(check.exitCode(START)).as(check.output()).isZero();
                assertThat(check.output().lines().filter(line -> line.contains("not take --modify-window, --delete-")))
                        .hasSize(3);
                assertThat(check.output())
                        .contains("its rsync (protocol " + protocol()
                                + ") does not take --modify-window, --delete-missing-args: times are compared")
                        .contains("all is well");
            }
        }
    }

    /** To rsync 3.1.2 --modify-window=-1 is a number of seconds, by which every file differs. */
    @Test
    void aSenderThatComparesByTheSecondIsToldAndMirrorsAllTheSame() throws IOException {
        long seed = System.nanoTime();
        System.out.println("churn seed " + seed);
        Path used = directory.resolve("used");
        Path sender = OldRsync.script(
                directory.resolve("rsync.sh"),
                "case \" $* \" in",
                "*' --version '*) echo 'rsync  version 3.1.2  protocol version 31'; exit;;",
                "*' --list-only '*) ;;",
                "*' --modify-window='*) echo \"$*\" >> " + used + ";;",
                "esac",
                "exec rsync \"$@\"");
        String settings = "dromedary.rsync.command=" + sender + "\n";
        String told = "this machine's rsync is 3.1.2 and knows no --modify-window=-1: times are compared by the second";
        Churn churn = new Churn(source, seed);
        churn.run(100);
        try (RsyncDaemon daemon =
                new RsyncDaemon().module("daemon", target("daemon")).start()) {
            remote("daemon", daemon.url("daemon"));
            remote("local", target("local").toString());
            behindShell("words", OldRsync.receiver(directory.resolve("words.sh"), true));
            try (DromedaryProcess check = dromedary("check", configuration(settings))) {
                assertThat(check.exitCode(START)).as(check.output()).isZero();
                assertThat(check.output().lines()).containsOnlyOnce(told);
                assertThat(check.output()).contains("not take --delete-missing-args: deletions");
            }
            try (DromedaryProcess dromedary = dromedary("run", configuration(settings))) {
                for (String name : List.of("daemon", "local", "words")) {
                    dromedary.awaitLine(name + ": full sync done", START);
                }
                churn.run(400);
                Files.writeString(source.resolve("twice"), "1");
                awaitEqual("local");
                rewrite("twice", "2");
                for (String name : List.of("daemon", "local", "words")) {
                    awaitEqual(name);
                }
                assertThat(dromedary.output().lines().filter(line -> line.endsWith(told)))
                        .hasSize(1);
                assertThat(dromedary.output())
                        .as("it is not the remote that lacks it")
                        .doesNotContain("does not take --modify-window")
                        .doesNotContain("down:");
            }
        }
        assertThat(used).doesNotExist();
    }

    /** Before 3.2 a receiver ends the whole call when a path and its directory vanish while they are sent. */
    @Test
    void whatOnlyVanishedIsNoOutageAndNoRefusal() throws IOException {
        Files.writeString(source.resolve("f"), "f");
        Path sender = OldRsync.script(
                directory.resolve("rsync.sh"),
                "case \" $* \" in",
                "*' --dry-run '*) ;;",
                "*' --delete-missing-args '*)",
                "  if mkdir " + directory.resolve("once") + " 2>/dev/null; then",
                "    echo 'file has vanished: \"/source/d\"' >&2",
                "    echo 'ABORTING due to invalid path from sender: d/f' >&2",
                "    exit 2",
                "  fi;;",
                "esac",
                "exec rsync \"$@\"");
        remote("copy", target("copy").toString());
        try (DromedaryProcess dromedary = dromedary("run", configuration("dromedary.rsync.command=" + sender + "\n"))) {
            dromedary.awaitLine("copy: full sync done", START);
            Files.delete(source.resolve("f"));
            Trees.awaitEqual(source, directory.resolve("copy"), SOON);
            assertThat(directory.resolve("once")).exists();
            assertThat(dromedary.output()).doesNotContain("WARN").doesNotContain("does not take");
        }
    }

    @Test
    void whatAUserWroteIsWrongWhereItIsRefused() throws IOException {
        Files.writeString(source.resolve("f"), "f");
        try (RsyncDaemon daemon = new RsyncDaemon()
                .module("m", target("m"), "refuse options = compress stats")
                .start()) {
            remote("m", daemon.url("m"), "args: -az");
            try (DromedaryProcess dromedary = dromedary("run", configuration(""))) {
                assertThat(dromedary.awaitLine("m: down:", START)).contains("refuse --compress");
            }
        }
    }

    @Test
    void fullSyncsThatDeleteMoreThanAllowedHaltWhereverTheyGo() throws IOException {
        Files.writeString(source.resolve("f"), "f");
        List<String> names = List.of("chroot", "free", "shell", "local", "protocol", "mute");
        for (String name : names) {
            Files.writeString(Files.createDirectories(target(name).resolve("d")).resolve("extra"), "extra");
            Files.writeString(target(name).resolve("extra"), "extra");
        }
        try (RsyncDaemon daemon = new RsyncDaemon()
                .module("chroot", target("chroot"))
                .module("free", target("free"), "use chroot = no")
                .module("protocol", target("protocol"))
                .module("mute", target("mute"), "refuse options = log-format")
                .start()) {
            remote("chroot", daemon.url("chroot"), "args: -aq");
            remote("free", daemon.url("free"));
            remote("protocol", daemon.url("protocol"), "args: -a --protocol=30");
            remote("mute", daemon.url("mute"));
            remote("local", target("local").toString());
            behindShell("shell", OldRsync.script(directory.resolve("plain.sh"), "exec rsync \"$@\""));
            Path conf = configuration("dromedary.max-delete=2\n");
            try (DromedaryProcess dromedary = dromedary("run", conf)) {
                for (String name : names) {
                    assertThat(dromedary.awaitLine(name + ": (halted|full sync done)", START))
                            .contains(
                                    name.equals("mute")
                                            ? "cannot be counted"
                                            : "a full sync would delete 3 entries, max-delete is 2");
                    assertThat(directory.resolve(name).resolve("d/extra")).exists();
                }
            }
            remotes.removeIf(remote -> remote.contains("remote: mute"));
            try (DromedaryProcess check = dromedary("check", configuration(""))) {
                assertThat(check.exitCode(START)).as(check.output()).isZero();
                assertThat(check.output().lines().filter("  would be: Number of deleted files: 3"::equals))
                        .hasSize(names.size() - 1);
            }
        }
    }

    private Receivers receivers(String target) throws IOException {
        Mirrors mirrors = new Mirrors();
        Mirror mirror = new Mirror();
        mirror.setId("tree");
        mirror.setSource(source.toString());
        mirror.setExclude("");
        mirror.setExcludeRegex("");
        mirror.setMirrors(mirrors);
        mirror.register();
        remote = new Remote();
        remote.setId("copy");
        remote.setMirror("tree");
        remote.setTarget(target);
        remote.setPasswordFile("");
        remote.setSsh("ssh");
        remote.setArgs("-a");
        remote.setTimeout(60);
        remote.setBwlimit("");
        remote.setMirrors(mirrors);
        remote.register();
        RsyncProcess rsync = new RsyncProcess();
        rsync.setMirrors(mirrors);
        Receivers receivers = new Receivers();
        receivers.setStateDir(directory.resolve("state").toString());
        receivers.setMirrors(mirrors);
        receivers.setRsyncProcess(rsync);
        receivers.setCommand("rsync");
        return receivers;
    }

    private RsyncException reset() {
        return new RsyncException(12, "rsync: connection unexpectedly closed (0 bytes received so far) [sender]")
                .of(List.of("--modify-window=-1", "--stats", "--", ".", "x"));
    }

    @Test
    void aLostConnectionSwitchesNothingOffAndWhatIsTakenAgainIsUsedAgain() throws IOException {
        Receivers receivers;
        RsyncException lost = reset().of(List.of("--modify-window=-1", "--", ".", "x"));
        try (RsyncDaemon daemon = new RsyncDaemon()
                .module("m", target("m"), "refuse options = stats")
                .start()) {
            receivers = receivers(daemon.url("m"));
            assertThat(receivers.learn("copy", lost)).isFalse();
            assertThat(remote.receiver().refused()).isEmpty();
            assertThat(receivers.learn("copy", reset())).isTrue();
            assertThat(remote.receiver().refused()).containsExactly(Ability.STATISTICS);
            assertThat(receivers.learn("copy", reset()))
                    .as("of a call made before")
                    .isTrue();
            assertThat(receivers.learn("copy", lost)).isFalse();

            // The next run, and the same daemon: it is asked again at a full sync.
            receivers = receivers(daemon.url("m"));
            Batch live = new Batch();
            receivers.recall("copy", live, null);
            assertThat(remote.receiver().refused()).isEqualTo(Set.of(Ability.STATISTICS));
            Batch full = new Batch();
            full.merge(ChangeSet.ofEverything());
            receivers.recall("copy", full, null);
            assertThat(remote.receiver().refused()).containsExactly(Ability.STATISTICS);
        }
        assertThat(receivers.learn("copy", lost)).as("it is down").isFalse();
        assertThat(remote.receiver().refused()).containsExactly(Ability.STATISTICS);
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", target("m")).start()) {
            receivers = receivers(daemon.url("m"));
            Batch full = new Batch();
            full.merge(ChangeSet.ofEverything());
            receivers.recall("copy", full, null);
            assertThat(remote.receiver().refused()).isEmpty();
            assertThat(directory.resolve("state/remotes/copy/receiver")).doesNotExist();
        }
    }
}
