package io.dromedary.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code check} against real daemons that are set up wrongly: it names the error and what to do. */
class CheckIT {
    @TempDir
    Path directory;

    private Path target;
    private final StringBuilder remotes = new StringBuilder();
    private int names;

    @BeforeEach
    void source() throws IOException {
        Files.createFile(Files.createDirectory(directory.resolve("source")).resolve("file"));
        target = Files.createDirectory(directory.resolve("target"));
        Files.createDirectory(directory.resolve("routes"));
    }

    private void remote(String target, String... more) {
        remotes.append("              - to:\n                  uri: kamelet:rsync\n                  parameters:\n"
                + "                    remote: r" + names++ + "\n                    target: " + target + "\n");
        for (String line : more) {
            remotes.append("                    ").append(line).append('\n');
        }
    }

    /** The output of one start for all remotes of the test, "EXITCODE\n" before it. */
    private String check() throws IOException {
        Files.writeString(
                directory.resolve("routes/tree.camel.yaml"),
                "- route:\n    id: tree\n    from:\n      uri: kamelet:watch\n      parameters:\n        source: "
                        + directory.resolve("source") + "\n      steps:\n        - multicast:\n            steps:\n"
                        + remotes);
        StringWriter out = new StringWriter();
        PrintWriter writer = new PrintWriter(out, true);
        int code = Dromedary.commandLine()
                .setOut(writer)
                .setErr(writer)
                .execute("check", "-c", directory.toString(), "--set", "http.port=0");
        return code + "\n" + out;
    }

    private Path password(String text, String mode) throws IOException {
        Path file = Files.writeString(directory.resolve("secret" + names), text + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
        return file;
    }

    @Test
    void eachErrorComesWithWhatToDo() throws IOException {
        RsyncDaemon gone = new RsyncDaemon().module("m", target).start();
        remote(gone.url("m"));
        gone.close();
        SshDaemon stranger = new SshDaemon().start();
        try (RsyncDaemon open = new RsyncDaemon()
                        .module("m", target)
                        .module("readonly", target, "read only = yes")
                        .start();
                RsyncDaemon closed = new RsyncDaemon()
                        .module("m", target)
                        .user("bob", "sesame")
                        .start();
                stranger) {
            remote(open.url("none"));
            remote(open.url("readonly"));
            remote(closed.url("bob", "m"), "passwordFile: " + password("wrong", "rw-------"));
            String ssh = String.join(" ", stranger.sshArguments());
            remote(
                    stranger.target(target),
                    "ssh: \"" + ssh.replaceAll("UserKnownHostsFile=\\S+", "UserKnownHostsFile=none") + "\"");
            remote("no-such-host.invalid::m");
            remote(open.url("m"));
            String said = check();
            assertThat(said).startsWith("1\n").endsWith("not every remote can be reached\n");
            assertThat(said.lines().filter(line -> line.startsWith("  to do: ")))
                    .containsExactly(
                            "  to do: no rsync daemon listens on that host and port, or a firewall rejects",
                            "  to do: there is no [none] in the daemon's rsyncd.conf",
                            "  to do: set \"read only = no\" for the module in the daemon's rsyncd.conf",
                            "  to do: the daemon's log says which: a password mismatch, a user that is not in \"auth"
                                    + " users\" of module m, or a secrets file that others can read (chmod 600)",
                            "  to do: connect by ssh once by hand, as this user, and accept the key",
                            "  to do: no such host: no-such-host.invalid");
            assertThat(said).contains("would be: Number of regular files transferred: 1");
        }
    }

    @Test
    void passwordFilesAreRefusedBeforeAnythingIsReached() throws IOException {
        Path shown = password("sesame", "rw-r--r--");
        remote("bob@127.0.0.1::m", "passwordFile: " + shown);
        assertThat(check())
                .isEqualTo("2\ndromedary: remote r0: password file " + shown + " can be read by others; chmod 600 "
                        + shown + "\n");
        remotes.setLength(0);
        Path pair = password("bob:sesame", "rw-------");
        remote("bob@127.0.0.1::m", "passwordFile: " + pair);
        assertThat(check())
                .isEqualTo(
                        "2\ndromedary: remote r1: password file " + pair + " begins with the user, bob:; here it holds"
                                + " the password alone (USER:PASSWORD is for the daemon's secrets file)\n");
    }
}
