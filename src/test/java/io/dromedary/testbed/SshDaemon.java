package io.dromedary.testbed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/**
 * A real sshd on loopback with its own host key and one client key that it lets in: the remote of pushes over ssh. The
 * remote user is the one the tests run as.
 */
public final class SshDaemon extends Daemon {

    private static final String USER = System.getProperty("user.name");

    public SshDaemon() {
        super("sshd");
        key("host_key");
        key("client_key");
    }

    private void key(String name) {
        Command keygen = Command.run(
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-f",
                directory().resolve(name).toString());
        if (keygen.exitCode() != 0) {
            throw new IllegalStateException("ssh-keygen: " + keygen.errors());
        }
    }

    /** The words of the ssh command that gets in, the program first; none needs quoting in rsync's {@code -e}. */
    public List<String> sshArguments() {
        return List.of(
                "ssh",
                "-F",
                "none",
                "-p",
                Integer.toString(port()),
                "-i",
                directory().resolve("client_key").toString(),
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "IdentityAgent=none",
                "-o",
                "UserKnownHostsFile=" + directory().resolve("known_hosts"),
                "-o",
                "GlobalKnownHostsFile=none",
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "BatchMode=yes");
    }

    /** {@code USER@127.0.0.1:PATH}, as rsync takes it. */
    public String target(Path path) {
        return USER + "@127.0.0.1:" + path.toAbsolutePath();
    }

    @Override
    public SshDaemon start() {
        super.start();
        return this;
    }

    @Override
    List<String> prepare() throws IOException {
        if (USER.equals("root")) {
            // Where sshd locks its unprivileged half in; only its boot script creates it.
            Files.createDirectories(Path.of("/run/sshd"));
        }
        Files.copy(
                directory().resolve("client_key.pub"),
                directory().resolve("authorized_keys"),
                StandardCopyOption.REPLACE_EXISTING);
        String hostKey = Files.readString(directory().resolve("host_key.pub"));
        Files.writeString(directory().resolve("known_hosts"), "[127.0.0.1]:" + port() + " " + hostKey);
        Path config = Files.write(
                directory().resolve("sshd_config"),
                List.of(
                        "ListenAddress 127.0.0.1",
                        "Port " + port(),
                        "HostKey " + directory().resolve("host_key"),
                        "AuthorizedKeysFile " + directory().resolve("authorized_keys"),
                        "AuthenticationMethods publickey",
                        "PermitRootLogin prohibit-password",
                        "StrictModes no",
                        "UsePAM no",
                        "UseDNS no",
                        "PidFile none",
                        "PrintMotd no",
                        // The default drops some of more than ten connections that are being set up.
                        "MaxStartups 100"));
        return List.of("/usr/sbin/sshd", "-D", "-e", "-f", config.toString());
    }

    @Override
    String greeting() {
        return "SSH-";
    }
}
