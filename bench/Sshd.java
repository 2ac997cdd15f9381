import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** An sshd on a free port of loopback that lets in with one key, as the user who measures. */
final class Sshd {
    private final int port = Lab.freePort();
    private final Path keys;

    Sshd(Lab lab) throws IOException, InterruptedException {
        keys = lab.directory("sshd");
        for (String key : List.of("host", "client")) {
            Lab.output(
                    "ssh-keygen",
                    "-q",
                    "-t",
                    "ed25519",
                    "-N",
                    "",
                    "-f",
                    keys.resolve(key).toString());
        }
        String known = "[127.0.0.1]:" + port + " " + Files.readString(keys.resolve("host.pub"));
        Files.writeString(keys.resolve("known"), known);
        Path config = Files.write(
                keys.resolve("config"),
                List.of(
                        "ListenAddress 127.0.0.1",
                        "Port " + port,
                        "HostKey " + keys.resolve("host"),
                        "AuthorizedKeysFile " + keys.resolve("client.pub"),
                        "PermitRootLogin prohibit-password",
                        "StrictModes no",
                        "UsePAM no",
                        "UseDNS no",
                        "PidFile none"));
        if (System.getProperty("user.name").equals("root")) {
            // Where sshd locks its unprivileged half in.
            Files.createDirectories(Path.of("/run/sshd"));
        }
        lab.start(new ProcessBuilder("/usr/sbin/sshd", "-D", "-e", "-f", config.toString())
                .redirectErrorStream(true)
                .redirectOutput(keys.resolve("log").toFile()));
        Lab.awaitGreeting("sshd", port, 'S');
    }

    /** The command that gets in. */
    String command() {
        return "ssh -F none -p " + port + " -i " + keys.resolve("client") + " -o BatchMode=yes -o IdentitiesOnly=yes"
                + " -o UserKnownHostsFile=" + keys.resolve("known");
    }

    Daemon.Remote remote(Path copy) {
        return new Daemon.Remote("", 0, "", copy, System.getProperty("user.name") + "@127.0.0.1:" + copy + "/");
    }
}
