package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.Names;
import io.dromedary.testbed.RawFiles;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A plain user, in the C locale, whose source holds what he cannot read: that is told and kept, the rest goes on. */
class UnprivilegedIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final String NOBODY = "65534";
    private static final List<String> AS_NOBODY =
            List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups", "--no-new-privs");

    @TempDir
    Path directory;

    private Path source;
    private Path copy;

    private static int asNobody(String... command) {
        List<String> words = new ArrayList<>(AS_NOBODY);
        words.addAll(List.of(command));
        return Command.run(words.toArray(String[]::new)).exitCode();
    }

    private static void mode(Path path, String mode) throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode));
    }

    @ParameterizedTest
    @ValueSource(strings = {"max-delete=5", "exclude-regex=never"})
    void whatCannotBeReadIsToldAndKeptAndTheRestGoesOn(String setting) throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "only root can become another user");
        Path launcher = DromedaryProcess.PROJECT.resolve("bin/dromedary");
        mode(directory, "rwxr-xr-x");
        assumeTrue(asNobody("test", "-x", launcher.toString()) == 0, "others cannot reach " + launcher);
        Path home = Files.createDirectory(directory.resolve("home"));
        source = Files.createDirectory(home.resolve("source"));
        copy = Files.createDirectory(home.resolve("copy"));
        Files.writeString(source.resolve("open"), "text");
        Files.writeString(source.resolve("deleted"), "text");
        Files.writeString(copy.resolve("too much"), "text");
        Command.run("chown", "-R", NOBODY + ":" + NOBODY, home.toString());
        Path secret = Files.writeString(source.resolve("secret"), "text");
        mode(secret, "rw-------");
        Path closed = Files.createDirectory(source.resolve("closed"));
        Files.writeString(closed.resolve("in"), "text");
        mode(closed, "rwx------");

        // One path a call: none keeps the next from being made.
        Configuration configuration =
                new Configuration(home, source).remote("r", copy.toString()).set("batch.max-paths=1", setting);
        List<String> command = new ArrayList<>(AS_NOBODY);
        command.add(launcher.toString());
        command.addAll(List.of(configuration.arguments()));
        mode(home.resolve("conf"), "rwxr-xr-x");
        Map<String, String> environment = Map.of("LC_ALL", "C", "LANG", "C", "HOME", home.toString());
        try (DromedaryProcess dromedary =
                DromedaryProcess.startOther(home, environment, command.toArray(String[]::new))) {
            dromedary.awaitLine("r: full sync done .* but for what is refused.*live", START);
            assertThat(copy.resolve("open")).hasContent("text");
            assertThat(copy.resolve("too much")).doesNotExist();
            assertThat(configuration.owed("r"))
                    .filteredOn(line -> !line.startsWith("#"))
                    .containsExactlyInAnyOrder("entry secret", "tree closed");

            Path another = Files.writeString(source.resolve("another"), "text");
            mode(another, "rw-------");
            RawFiles files = new RawFiles(source);
            for (byte[] name : Names.odd()) {
                files.write(new String(name, StandardCharsets.ISO_8859_1), name);
            }
            Path made = Files.createDirectory(home.resolve("made"));
            for (int i = 0; i < 20; i++) {
                Path file = Files.writeString(made.resolve("f" + i), "text");
                mode(file, i % 10 == 5 ? "rw-------" : "rw-r--r--");
            }
            Path shut = Files.createDirectory(made.resolve("shut"));
            Files.writeString(shut.resolve("in"), "text");
            mode(shut, "rwx------");
            Files.move(made, source.resolve("made"));
            Files.writeString(source.resolve("open"), "changed");
            Files.delete(source.resolve("deleted"));
            await().atMost(SOON).untilAsserted(() -> {
                assertThat(copy.resolve("open")).hasContent("changed");
                assertThat(copy.resolve("deleted")).doesNotExist();
                assertThat(Trees.differences(source, copy))
                        .allMatch(difference -> difference.matches(
                                "(secret|another|closed|closed/in|made/f1?5|made/shut|made/shut/in|\\.): .*"));
            });
            await().atMost(SOON).untilAsserted(() -> assertThat(configuration.owed("r"))
                    .filteredOn(line -> !line.startsWith("#"))
                    .containsExactlyInAnyOrder(
                            "entry secret",
                            "tree closed",
                            "entry another",
                            "entry made/f5",
                            "entry made/f15",
                            "tree made/shut"));
            assertThat(dromedary.output().lines().filter(line -> line.contains("r: refused: ")))
                    .as("told once for each")
                    .hasSize(6)
                    .allMatch(line -> line.contains("Permission denied"));
            assertThat(copy.resolve("secret")).doesNotExist();

            mode(secret, "rw-r--r--");
            mode(another, "rw-r--r--");
            mode(closed, "rwxr-xr-x");
            mode(source.resolve("made/shut"), "rwxr-xr-x");
            mode(source.resolve("made/f5"), "rw-r--r--");
            mode(source.resolve("made/f15"), "rw-r--r--");
            Trees.awaitEqual(source, copy, SOON);
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(configuration.owed("r")).isEmpty());
        }
    }
}
