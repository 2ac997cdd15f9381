package io.dromedary.testbed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A real rsync daemon on loopback: the remote of the integration tests. Configured first, then started:
 * {@code new RsyncDaemon().module("m", directory).start()}. What is added while it is stopped holds from the next start.
 */
public final class RsyncDaemon extends Daemon {

    private static final boolean ROOT = "root".equals(System.getProperty("user.name"));

    private final List<String> globals = new ArrayList<>();
    private final Map<String, List<String>> modules = new LinkedHashMap<>();
    private final Map<String, String> passwords = new LinkedHashMap<>();

    private final String program;

    public RsyncDaemon() {
        this("rsync");
    }

    /** @param program the rsync to run, of another year perhaps */
    public RsyncDaemon(String program) {
        super("rsyncd");
        this.program = program;
    }

    /**
     * Serves a directory, writable; naming a module again replaces it.
     *
     * @param lines more of its rsyncd.conf section, stronger than the defaults here: {@code "read only = yes"}
     */
    public RsyncDaemon module(String name, Path directory, String... lines) {
        List<String> section = new ArrayList<>();
        section.add("path = " + directory.toAbsolutePath());
        section.addAll(List.of(lines));
        modules.put(name, section);
        return this;
    }

    /** Serves it no more. */
    public RsyncDaemon withoutModule(String name) {
        modules.remove(name);
        return this;
    }

    /** Adds lines that hold for all modules: {@code "socket options = TCP_NODELAY"}. */
    public RsyncDaemon global(String... lines) {
        globals.addAll(List.of(lines));
        return this;
    }

    /** Lets only users with a password in, on all modules; another one is added by calling this again. */
    public RsyncDaemon user(String name, String password) {
        passwords.put(name, password);
        return this;
    }

    /** {@code rsync://127.0.0.1:PORT/MODULE}. */
    public String url(String module) {
        return "rsync://127.0.0.1:" + port() + "/" + module;
    }

    /** {@code rsync://USER@127.0.0.1:PORT/MODULE}. */
    public String url(String user, String module) {
        return "rsync://" + user + "@127.0.0.1:" + port() + "/" + module;
    }

    @Override
    public RsyncDaemon start() {
        super.start();
        return this;
    }

    @Override
    List<String> prepare() throws IOException {
        List<String> lines = new ArrayList<>(List.of(
                "address = 127.0.0.1",
                "port = " + port(),
                "log file = " + logFile(),
                // The default is one file for the whole machine, shared with its own daemon.
                "lock file = " + directory().resolve("lock"),
                "reverse lookup = no",
                "read only = no",
                // Without chroot a writable module rewrites symbolic links.
                "use chroot = " + (ROOT ? "yes" : "no")));
        if (ROOT) {
            lines.addAll(List.of("uid = root", "gid = root"));
        }
        if (!passwords.isEmpty()) {
            Path secrets = directory().resolve("secrets");
            Files.deleteIfExists(secrets);
            Files.createFile(
                    secrets, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            List<String> pairs = new ArrayList<>();
            passwords.forEach((name, password) -> pairs.add(name + ":" + password));
            Files.write(secrets, pairs);
            lines.add("secrets file = " + secrets);
            lines.add("auth users = " + String.join(",", passwords.keySet()));
        }
        lines.addAll(globals);
        modules.forEach((name, section) -> {
            lines.add("[" + name + "]");
            lines.addAll(section);
        });
        Path config = Files.write(directory().resolve("rsyncd.conf"), lines);
        return List.of(program, "--daemon", "--no-detach", "--config=" + config);
    }

    @Override
    String greeting() {
        return "@RSYNCD:";
    }
}
