package io.dromedary.packaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code mvn package} makes for users, unpacked and installed as they do it, and run from there. */
class PackagesIT {
    private static final Duration START = Duration.ofSeconds(120);

    private static final Duration SOON = Duration.ofSeconds(60);

    private static final Path TARGET = DromedaryProcess.PROJECT.resolve("target");

    @TempDir
    Path temp;

    private Path source;
    private Path copy;

    @BeforeEach
    void trees() throws IOException {
        assumeThat(System.getProperty("packages.skip")).as("packages were made").isNull();
        source = Files.createDirectory(temp.resolve("source"));
        copy = Files.createDirectory(temp.resolve("copy"));
        Files.writeString(source.resolve("before"), "x");
    }

    private static Path made(String pattern) throws IOException {
        try (DirectoryStream<Path> found = Files.newDirectoryStream(TARGET, pattern)) {
            List<Path> all = new ArrayList<>();
            found.forEach(all::add);
            assertThat(all).as("target/" + pattern).hasSize(1);
            return all.get(0);
        }
    }

    private static String ok(String... words) {
        // dpkg insists on programs there; many users' PATH has none of it.
        String path = System.getenv("PATH") + ":/usr/sbin:/sbin";
        Command command = Command.run(Map.of("PATH", path), List.of(words));
        assertThat(command.exitCode())
                .as("%s: %s", String.join(" ", words), command.errors())
                .isZero();
        return new String(command.output(), UTF_8);
    }

    private void mirrorsAndEnds(DromedaryProcess dromedary) throws IOException {
        dromedary.awaitLine("live", START);
        assertThat(copy.resolve("before")).hasContent("x");
        Files.writeString(source.resolve("later"), "y");
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(copy.resolve("later")).hasContent("y"));
        dromedary.terminate();
        assertThat(dromedary.exitCode(SOON)).isZero();
    }

    @Test
    void tarGzRunsFromWhereItIsUnpacked() throws IOException {
        ok("tar", "xzf", made("dromedary-*.tar.gz").toString(), "-C", temp.toString());
        Path unpacked;
        try (Stream<Path> entries = Files.list(temp)) {
            unpacked = entries.filter(entry -> entry.getFileName().toString().matches("dromedary-[0-9].*"))
                    .findFirst()
                    .orElseThrow();
        }
        assertThat(made("dromedary-*.tar.gz").getFileName()).hasToString(unpacked.getFileName() + ".tar.gz");
        for (String file : List.of(
                "LICENSE",
                "README.md",
                "CHANGELOG.md",
                "application.properties",
                "completion/dromedary.bash",
                "docs/configuration.md",
                "man/dromedary.1",
                "routes/www.camel.yaml",
                "sersync/sersync.init",
                "systemd/dromedary.service")) {
            assertThat(unpacked.resolve(file)).isNotEmptyFile();
        }
        keepFromPreparingAnArchive(unpacked);
        // Elsewhere, by way of a link, as one in /usr/local/bin.
        Path link = Files.createSymbolicLink(temp.resolve("dromedary"), unpacked.resolve("bin/dromedary"));
        try (DromedaryProcess dromedary = DromedaryProcess.startOther(
                temp, Map.of(), link.toString(), "mirror", "--port", "0", source.toString(), copy.toString())) {
            mirrorsAndEnds(dromedary);
        }
    }

    /** In a root directory of its own: the machine has nothing of it, during the test or later. */
    @Test
    void debianPackageIsInstalledRunsAndIsRemoved() throws IOException {
        assumeThat(System.getProperty("user.name")).as("dpkg is for root").isEqualTo("root");
        Path root = Files.createDirectory(temp.resolve("root"));
        Files.createDirectories(root.resolve("var/lib/dpkg/info"));
        Files.createDirectories(root.resolve("var/lib/dpkg/updates"));
        Files.createFile(root.resolve("var/lib/dpkg/status"));
        String deb = made("dromedary_*_all.deb").toString();

        dpkg(root, "--install", deb);
        assertThat(dpkg(root, "--verify", "dromedary")).isEmpty();
        assertThat(ok("dpkg-deb", "--field", deb, "Depends")).contains("java17-runtime-headless", "rsync");
        assertThat(root.resolve("etc/passwd")).content().contains("dromedary:");
        // Enabled, but nothing is mirrored before somebody says what: no file that the unit's condition or a run finds.
        assertThat(root.resolve("etc/systemd/system/multi-user.target.wants/dromedary.service"))
                .isSymbolicLink();
        Path unit = root.resolve("usr/lib/systemd/system/dromedary.service");
        assertThat(unit).content().contains("ConditionPathExistsGlob=/etc/dromedary/routes/*.camel.yaml");
        assertThat(root.resolve("etc/dromedary/routes"))
                .isDirectoryNotContaining("glob:**.camel.yaml")
                .isDirectoryContaining("glob:**.camel.yaml.example");
        systemdFindsNoFault(root);
        bashCompletes(root.resolve("usr/share/bash-completion/completions/dromedary"));

        Path route = route(root);
        Path state = root.resolve("var/lib/dromedary");
        keepFromPreparingAnArchive(root.resolve("usr/share/dromedary"));
        try (DromedaryProcess dromedary = DromedaryProcess.startOther(
                temp,
                Map.of("DROMEDARY_STATE_DIR", state.toString(), "DROMEDARY_HTTP_PORT", "0"),
                root.resolve("usr/bin/dromedary").toString(),
                "run",
                "-c",
                root.resolve("etc/dromedary").toString())) {
            mirrorsAndEnds(dromedary);
        }
        assertThat(state).isDirectory();

        Path settings = root.resolve("etc/dromedary/application.properties");
        Files.writeString(settings, "# mine\n");
        dpkg(root, "--install", deb);
        assertThat(settings).hasContent("# mine\n");

        Path archive = Files.createFile(root.resolve("var/cache/dromedary/dromedary-17.jsa"));
        dpkg(root, "--remove", "dromedary");
        assertThat(root.resolve("usr/bin/dromedary")).doesNotExist();
        assertThat(archive).doesNotExist();
        assertThat(settings).exists();
        assertThat(state).isDirectory();

        dpkg(root, "--purge", "dromedary");
        assertThat(settings).doesNotExist();
        assertThat(state).doesNotExist();
        // What somebody else put there is not the package's to delete.
        assertThat(route).exists();
        Files.delete(route);
        try (Stream<Path> left = Files.walk(root)) {
            assertThat(left.map(root::relativize)
                            .map(Path::toString)
                            .filter(path -> path.contains("dromedary/") && !path.endsWith(".jsa")))
                    .containsExactly("etc/dromedary/routes");
        }
    }

    private static String dpkg(Path root, String... action) {
        List<String> words = new ArrayList<>(
                List.of("dpkg", "--root=" + root, "--force-script-chrootless", "--force-depends", "--log=/dev/null"));
        words.addAll(List.of(action));
        return ok(words.toArray(String[]::new));
    }

    private Path route(Path root) throws IOException {
        return Files.writeString(
                root.resolve("etc/dromedary/routes/tree.camel.yaml"),
                """
                - route:
                    id: tree
                    from:
                      uri: kamelet:watch
                      parameters:
                        source: %s
                      steps:
                        - to:
                            uri: kamelet:rsync
                            parameters:
                              remote: copy
                              target: %s
                """
                        .formatted(source, copy));
    }

    /** An empty one keeps the launcher from making one, which takes seconds. */
    private static void keepFromPreparingAnArchive(Path home) throws IOException {
        Files.createFile(home.resolve("dromedary-" + System.getProperty("java.runtime.version") + ".jsa"));
    }

    private static void systemdFindsNoFault(Path root) throws IOException {
        for (String target : List.of("sysinit", "basic", "shutdown")) {
            Files.writeString(root.resolve("usr/lib/systemd/system/" + target + ".target"), "[Unit]\n");
        }
        Command verified = Command.run("systemd-analyze", "--man=no", "--root=" + root, "verify", "dromedary.service");
        assertThat(verified.errors()).isEmpty();
        assertThat(verified.exitCode()).isZero();
        // Of 0 to 10, lower is better, here times ten: 2.2 when this was written, of it 0.2 for pidfd_getfd, as if the
        // service might make all calls that debuggers make.
        ok("systemd-analyze", "security", "--offline=true", "--root=" + root, "--threshold=22", "dromedary.service");
    }

    private static void bashCompletes(Path script) {
        assertThat(ok(
                        "bash",
                        "-c",
                        ". \"$0\"; COMP_WORDS=(dromedary mi); COMP_CWORD=1; _complete_dromedary; echo \"${COMPREPLY[@]}\"",
                        script.toString()))
                .isEqualTo("mirror\n");
    }
}
