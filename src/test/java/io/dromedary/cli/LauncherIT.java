package io.dromedary.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.testbed.DromedaryProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The launcher as root on a Debian machine without rsync: the machine is a PATH, its apt-get only tells that it was run. */
@Timeout(240)
class LauncherIT {
    private static final Duration SOON = Duration.ofSeconds(120);

    /** What the launcher itself runs where all is built, and the terminal. */
    private static final List<String> USED =
            List.of("dirname", "find", "flock", "grep", "locale", "mkdir", "readlink", "script", "sed", "sh");

    @TempDir
    Path directory;

    private Path bin;

    @BeforeEach
    void machineWithoutRsync() throws IOException {
        bin = Files.createDirectory(directory.resolve("bin"));
        for (String usual : USED) {
            program(usual, "exec " + installed(usual) + " \"$@\"");
        }
        program("id", "echo 0");
        program("apt-get", "echo \"$@\" >>" + directory.resolve("installed"));
    }

    private static Path installed(String program) {
        return Stream.of(System.getenv("PATH").split(":"))
                .map(directory -> Path.of(directory, program))
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow();
    }

    private void program(String name, String line) throws IOException {
        Path file = bin.resolve(name);
        Files.writeString(file, "#!/bin/sh\n" + line + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private String check(String input, String arguments) {
        String launcher = DromedaryProcess.PROJECT.resolve("bin/dromedary") + " " + arguments;
        String command =
                input == null ? launcher : "printf '" + input + "' | script -qefc '" + launcher + "' /dev/null";
        try (DromedaryProcess process = DromedaryProcess.startOther(
                directory,
                Map.of("PATH", bin.toString(), "JAVA_HOME", System.getProperty("java.home")),
                "/bin/sh",
                "-c",
                command)) {
            assertThat(process.exitCode(SOON))
                    .as("rsync is not there after that either")
                    .isEqualTo(2);
            return process.output();
        }
    }

    @Test
    void onATerminalAPersonIsAskedBeforeRsyncIsInstalled() {
        assertThat(check("n\\n", "check"))
                .contains("Install it by apt-get now? [Y/n]", "install it (Debian: apt-get install rsync)")
                .doesNotContain("installing rsync");
        assertThat(directory.resolve("installed")).doesNotExist();
        assertThat(check("\\n", "check")).contains("[Y/n]", "installing rsync");
        assertThat(directory.resolve("installed")).content().contains("install -y -q --no-install-recommends rsync");
    }

    @Test
    void nobodyIsAskedByYesOrWithoutATerminal() {
        assertThat(check("n\\n", "--yes check")).contains("installing rsync").doesNotContain("[Y/n]");
        assertThat(directory.resolve("installed")).exists();
        assertThat(check(null, "check")).contains("installing rsync").doesNotContain("[Y/n]");
    }
}
