package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RawFiles;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Names never become commands, options or addresses; passwords stay in their files; nobody else can read or call. */
class SecurityIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final String PASSWORD = "open-sesame-4711";

    private static final List<String> HOSTILE = List.of(
            "$(touch pwned)",
            "`touch pwned`",
            ";touch pwned;",
            "a\ntouch pwned\n",
            "|touch pwned",
            "&touch pwned&",
            "'; touch pwned; '",
            "\"$(touch pwned)\"",
            "--rsh=touch pwned",
            "-e touch pwned",
            "--rsync-path=touch pwned",
            "--remove-source-files",
            "--delete",
            "--log-file=pwned",
            "--files-from=pwned",
            "localhost:pwned",
            "127.0.0.1::m",
            "rsync:",
            ":pwned",
            "- *",
            "+ **",
            "P *",
            "!",
            ". pwned",
            "merge pwned",
            "# no comment",
            "@RSYNCD: EXIT",
            "*",
            "**",
            "?",
            "[a-z]",
            "\\",
            "\\*",
            "%s%n%x",
            "{{dromedary.state-dir}}",
            "${body}",
            "${bean:gate}",
            "\u001b]0;pwned\u0007");

    @TempDir
    Path directory;

    private Path source;
    private Path copy;

    @BeforeEach
    void directories() throws IOException {
        // A colon in the path of a local directory makes it no host.
        source = Files.createDirectory(directory.resolve("host:source"));
        copy = Files.createDirectory(directory.resolve("copy"));
    }

    /** Files of that name where a command would run or a path would lead: nowhere but in the trees is anything like it. */
    private List<String> pwned(Path... besides) {
        List<String> places = new ArrayList<>(List.of(
                directory.toString(), DromedaryProcess.PROJECT.toString(), System.getProperty("user.home"), "/"));
        for (Path place : besides) {
            places.add(place.toString());
        }
        List<String> found = new ArrayList<>();
        for (String place : places) {
            if (Files.exists(Path.of(place, "pwned"))) {
                found.add(place);
            }
        }
        return found;
    }

    @Test
    void namesNeverRunNorRedirectAnything() throws Exception {
        Path shell = Files.createDirectory(directory.resolve("shell"));
        Path local = Files.createDirectory(directory.resolve("local::m"));
        RawFiles files = new RawFiles(source);
        // Half of them are there at the start, all of them change live.
        for (int i = 0; i < HOSTILE.size(); i += 2) {
            files.write(bytes(HOSTILE.get(i)), new byte[] {1});
        }
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                SshDaemon ssh = new SshDaemon().start();
                DromedaryProcess dromedary = new Configuration(directory, source)
                        .remote("daemon", daemon.url("m"))
                        .remote("shell", ssh.target(shell), "ssh: \"" + String.join(" ", ssh.sshArguments()) + "\"")
                        .remote("local", local.toString())
                        .run(Map.of("DROMEDARY_LOG", "DEBUG"))) {
            for (String remote : List.of("daemon", "shell", "local")) {
                dromedary.awaitLine(remote + ": .*live", START);
            }
            for (String name : HOSTILE) {
                files.write(bytes(name), bytes(name).getBytes(StandardCharsets.ISO_8859_1));
                files.mkdir("in " + bytes(name));
                files.write("in " + bytes(name) + "/" + bytes(name), new byte[] {2});
                files.symlink(bytes(name), "link " + bytes(name));
            }
            awaitEqual(shell, local);
            for (String name : HOSTILE) {
                files.unlink("in " + bytes(name) + "/" + bytes(name));
                files.rename("in " + bytes(name), "in again " + bytes(name));
                files.unlink(bytes(name));
            }
            Files.writeString(source.resolve("bystander"), "stays");
            awaitEqual(shell, local);
            assertThat(local.resolve("bystander")).hasContent("stays");
            assertThat(pwned(source, copy, shell, local)).isEmpty();
            // A terminal that shows the log obeys no name.
            assertThat(dromedary.output()).doesNotContain("\u001b").doesNotContain("ERROR");
        }
    }

    private void awaitEqual(Path... others) {
        Trees.awaitEqual(source, copy, SOON);
        for (Path other : others) {
            Trees.awaitEqual(source, other, SOON);
        }
    }

    private static String bytes(String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    @Test
    void passwordIsInNoCommandLineLogOrStateFileAndStateIsForItsOwnerOnly() throws Exception {
        Path file = Files.writeString(directory.resolve("secret"), PASSWORD + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        Path refusing = Files.createDirectory(directory.resolve("refusing"));
        try (RsyncDaemon daemon = new RsyncDaemon()
                        .module("m", copy)
                        .user("bob", PASSWORD)
                        .start();
                RsyncDaemon other = new RsyncDaemon()
                        .module("m", refusing)
                        .user("bob", "another")
                        .start();
                DromedaryProcess dromedary = new Configuration(directory, source)
                        .remote("r", daemon.url("bob", "m"), "passwordFile: " + file)
                        .remote("refusing", other.url("bob", "m"), "passwordFile: " + file)
                        .run(Map.of("DROMEDARY_LOG", "DEBUG"))) {
            AtomicInteger rsyncsSeen = new AtomicInteger();
            Set<String> told = new TreeSet<>();
            Thread spy = new Thread(() -> spy(rsyncsSeen, told), "spy");
            spy.start();
            dromedary.awaitLine("r: .*live", START);
            for (int i = 0; i < 200 || rsyncsSeen.get() < 20; i++) {
                Path sent = Files.write(source.resolve("f" + i % 500), new byte[50_000]);
                if (i % 10 == 0) {
                    await().atMost(SOON)
                            .until(() ->
                                    Files.exists(copy.resolve(sent.getFileName().toString())));
                }
            }
            dromedary.awaitLine("refusing: down: .*auth failed", START);
            spy.interrupt();
            spy.join();
            assertThat(told).isEmpty();
            assertThat(dromedary.output()).doesNotContain(PASSWORD);
            try (Stream<Path> all = Files.walk(directory.resolve("state"))) {
                for (Path path : all.toList()) {
                    if (Files.isRegularFile(path)) {
                        assertThat(Files.readString(path, StandardCharsets.ISO_8859_1))
                                .as("%s", path)
                                .doesNotContain(PASSWORD);
                    }
                    if (Files.exists(path)) {
                        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                                .as("%s", path)
                                .isEqualTo(Files.isDirectory(path) ? "rwx------" : "rw-------");
                    }
                }
            }
        }
    }

    /** Reads all command lines there are, again and again. */
    private static void spy(AtomicInteger rsyncsSeen, Set<String> told) {
        while (!Thread.currentThread().isInterrupted()) {
            try (Stream<Path> processes = Files.list(Path.of("/proc"))) {
                processes
                        .filter(path -> path.getFileName().toString().matches("\\d+"))
                        .forEach(path -> {
                            String line = read(path.resolve("cmdline"));
                            if (line.contains("--password-file")) {
                                rsyncsSeen.incrementAndGet();
                            }
                            if (line.contains(PASSWORD)) {
                                told.add(line);
                            }
                        });
            } catch (IOException | UncheckedIOException e) {
                // A process has ended.
            }
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    @Test
    void nothingListensBeyondLoopback() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        try (DromedaryProcess dromedary = new Configuration(directory, source)
                .remote("local", copy.toString())
                .set("http.port=" + port)
                .run()) {
            dromedary.awaitLine("local: .*live", START);
            for (String address : listening(dromedary.pid())) {
                assertThat(address)
                        .matches("0100007F:.*|00000000000000000000000001000000:.*|0000000000000000FFFF00000100007F:.*");
            }
        }
    }

    /** The local addresses of its sockets that wait for anybody, as {@code proc(5)} writes them. */
    private static List<String> listening(long pid) throws IOException {
        Set<String> inodes = new TreeSet<>();
        Command links = Command.run("find", "/proc/" + pid + "/fd", "-lname", "socket:*", "-printf", "%l\n");
        new String(links.output(), StandardCharsets.US_ASCII)
                .lines()
                .forEach(link -> inodes.add(link.replaceAll("\\D", "")));
        List<String> addresses = new ArrayList<>();
        for (String protocol : List.of("tcp", "tcp6", "udp", "udp6")) {
            Path table = Path.of("/proc/" + pid + "/net/" + protocol);
            for (String line : Files.exists(table) ? Files.readAllLines(table) : List.<String>of()) {
                String[] fields = line.strip().split(" +");
                // 0A: listening; 07: a datagram socket that is not connected.
                if (fields.length > 9 && Set.of("0A", "07").contains(fields[3]) && inodes.contains(fields[9])) {
                    addresses.add(fields[1]);
                }
            }
        }
        return addresses;
    }
}
