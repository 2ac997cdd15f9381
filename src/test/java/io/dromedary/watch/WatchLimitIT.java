package io.dromedary.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.dromedary.change.Excludes;
import io.dromedary.posix.LibC;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The limit on watches, lowered for a process in a user namespace of its own: nothing else on this machine sees it. */
class WatchLimitIT {
    private static final int LIMIT = 20;
    private static final int DIRECTORIES = 101;

    @TempDir
    Path temp;

    private Path root;
    private Path sysctls;

    @BeforeEach
    void makeTree() throws Exception {
        assumeTrue(lowered("true").exitCode() == 0, "no user namespaces here");
        root = temp.resolve("root");
        for (int i = 1; i < DIRECTORIES; i++) {
            Files.createDirectories(root.resolve("d" + i));
        }
        sysctls = Files.createDirectory(temp.resolve("sysctls"));
    }

    @Test
    void raisedWhereThatIsAllowed() throws Exception {
        Files.createSymbolicLink(sysctls.resolve("max_user_watches"), Path.of("/proc/sys/user/max_inotify_watches"));
        Command result = probe("start");
        assertThat(result.errors()).isEmpty();
        assertThat(text(result))
                .contains("raised fs.inotify.max_user_watches from 20 to " + (LIMIT + DIRECTORIES * 5 / 4))
                .contains("watches " + DIRECTORIES);
        assertThat(result.exitCode()).isZero();
    }

    @Test
    void elseTheStartFailsWithWhatIsNeeded() throws Exception {
        // not to be written even by root
        Files.createSymbolicLink(sysctls.resolve("max_user_watches"), Path.of("/proc/sys/kernel/ngroups_max"));
        Command result = probe("start");
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(text(result))
                .contains("inotify: " + root + " has 101 directories to watch, but fs.inotify.max_user_watches (in a"
                        + " container user.max_inotify_watches too) is 65536 for all programs of this user: raise it,"
                        + " for example by sysctl fs.inotify.max_user_watches=524288");
    }

    @Test
    void whatDoesNotHelpIsPutBack() throws Exception {
        Path limit = Files.writeString(sysctls.resolve("max_user_watches"), "1000");
        Command result = probe("start");
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(text(result)).contains("fs.inotify.max_user_watches").doesNotContain("raised fs");
        assertThat(limit).hasContent("1000");
    }

    @Test
    void reachedLaterItIsSaidOnceAndMadeUpForWhenThereIsRoom() throws Exception {
        Path hidden = Files.move(root, temp.resolve("hidden"));
        Files.createDirectory(root);
        Files.createSymbolicLink(sysctls.resolve("max_user_watches"), Path.of("/proc/sys/kernel/ngroups_max"));
        Command result = probe("grow", hidden.toString());
        assertThat(result.errors()).isEmpty();
        assertThat(text(result).lines().filter(line -> line.contains("ERROR"))).hasSize(1);
        assertThat(text(result)).contains("full true", "full true", "watches 102 full false");
    }

    @Test
    void instancesAreRaisedToo() throws Exception {
        Files.createSymbolicLink(
                sysctls.resolve("max_user_instances"), Path.of("/proc/sys/user/max_inotify_instances"));
        Command result = limited("max_inotify_instances", 1, "instances");
        assertThat(result.errors()).isEmpty();
        assertThat(text(result))
                .contains("raised fs.inotify.max_user_instances from 1 to 2")
                .contains("raised fs.inotify.max_user_instances from 2 to 4")
                .contains("watches 101");
        assertThat(result.exitCode()).isZero();
    }

    @Test
    void elseTheStartFailsAndNamesTheLimit() throws Exception {
        Files.createSymbolicLink(sysctls.resolve("max_user_instances"), Path.of("/proc/sys/kernel/ngroups_max"));
        Command result = limited("max_inotify_instances", 1, "instances");
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(text(result))
                .contains("no more for " + root + ": fs.inotify.max_user_instances (in a container"
                        + " user.max_inotify_instances too) is 65536 for all programs of this user: raise it");
    }

    @ParameterizedTest
    @ValueSource(strings = {"inotify", "file-watch"})
    void aMirrorThatCannotWatchAllDoesNotStart(String watcher) throws Exception {
        Path target = Files.createDirectory(temp.resolve("target"));
        Command result = lowered(
                DromedaryProcess.PROJECT.resolve("bin/dromedary").toString(),
                "mirror",
                "--port",
                "0",
                "--set",
                "watcher=" + watcher,
                "--set",
                "state-dir=" + temp.resolve("state"),
                root.toString(),
                target.toString());
        assertThat(result.exitCode()).as(result.errors() + text(result)).isEqualTo(2);
        assertThat(result.errors().lines().filter(line -> line.contains("raise it")))
                .singleElement(InstanceOfAssertFactories.STRING)
                .contains("101 directories to watch", "sysctl fs.inotify.max_user_watches=524288");
        assertThat(target).isEmptyDirectory();
    }

    private Command probe(String what, String... more) {
        return lowered(probeCommand(what, more));
    }

    private String[] probeCommand(String what, String... more) {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Probe.class.getName(),
                what,
                root.toString(),
                sysctls.toString()));
        words.addAll(List.of(more));
        return words.toArray(String[]::new);
    }

    private static Command lowered(String... command) {
        return lowered("max_inotify_watches", LIMIT, command);
    }

    private Command limited(String limit, int to, String what) {
        return lowered(limit, to, probeCommand(what));
    }

    private static Command lowered(String limit, int to, String... command) {
        List<String> words = new ArrayList<>(List.of("unshare", "--user", "--map-root-user", "sh", "-c"));
        words.add("echo " + to + " > /proc/sys/user/" + limit + " && exec \"$@\"");
        words.add("sh");
        words.addAll(List.of(command));
        return Command.run(words.toArray(String[]::new));
    }

    private static String text(Command result) {
        return new String(result.output(), StandardCharsets.UTF_8);
    }

    /** What runs in the namespace. */
    static final class Probe {
        public static void main(String[] arguments) throws Exception {
            try {
                for (int i = 0; arguments[0].equals("instances") && i < 2; i++) {
                    // Open until the end.
                    tree(arguments).scan();
                }
                WatchedTree tree = tree(arguments);
                tree.scan();
                System.out.println("watches " + tree.watches());
                if (arguments[0].equals("grow")) {
                    Files.move(Path.of(arguments[3]), Path.of(arguments[1], "grown"));
                    LibC.awaitReadable(tree.descriptor(), -1, 10_000_000_000L);
                    tree.read(event -> tree.reconcile(tree.node(event.wd()), event.name()));
                    System.out.println("watches " + tree.watches() + " full " + tree.isLimitReached());
                    tree.scan();
                    System.out.println("watches " + tree.watches() + " full " + tree.isLimitReached());
                    Files.writeString(Path.of("/proc/sys/user/max_inotify_watches"), "1000");
                    tree.scan();
                    System.out.println("watches " + tree.watches() + " full " + tree.isLimitReached());
                }
            } catch (IllegalStateException e) {
                System.out.println(e.getMessage());
                System.exit(1);
            }
        }

        private static WatchedTree tree(String[] arguments) {
            Source source = Source.of(arguments[1]);
            Set<Switch> switches = Set.of(Switch.CREATE_FOLDER);
            return new WatchedTree(
                    source, Excludes.of("", ""), switches, new Burst(source, switches), Path.of(arguments[2]));
        }
    }
}
