package io.dromedary.push;

import io.dromedary.mirror.Remote;
import io.dromedary.mirror.RsyncArgs;
import io.dromedary.mirror.Target;
import io.dromedary.posix.OwnerOnly;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * One connection for all live pushes to a remote over ssh, by OpenSSH's own means (ssh_config(5), ControlMaster): to set
 * one up takes longer than most pushes. It ends by itself {@value #PERSIST} s after the last push. A full sync has a connection
 * of its own, so that live changes do not wait behind what it sends.
 *
 * <p>Where the user's ssh command says anything of control connections itself, or is another program, it is left as it is.
 */
final class SshConnections {
    /** Seconds without a push. */
    private static final int PERSIST = 60;

    /**
     * What holds the connection lives on, and would keep the source from being unmounted if it went on working in it. No
     * name of a file comes by here.
     */
    private static final String ELSEWHERE = "sh -c 'cd / && exec \"$@\"' sh ";

    /** Of the digest that is a socket's name; each is two letters there. */
    private static final int NAME_BYTES = 10;

    /** For the directory: with a name, and what ssh appends to it for a moment, it fits into unix(7)'s 108 bytes. */
    private static final int LONGEST = 108 - 1 - 17 - 2 * NAME_BYTES - 1;

    /** Nothing that ssh or rsync takes for anything but a part of a path. */
    private static final String PLAIN = "[A-Za-z0-9._/+=@,-]+";

    private static final String OWN_CONTROL = "(?i:(-o)?control(master|path|persist)\\b.*)|-[MOS].*";

    /** In milliseconds, for an answer of the process that holds a connection. */
    private static final long ANSWER = 2_000;

    private final Path directory;

    /** @param stateDir absolute */
    SshConnections(Path stateDir) {
        directory = stateDir.resolve("ssh");
    }

    /** The same call by the remote's connection, which is set up if there is none. */
    List<String> over(List<String> arguments, String workingDir) throws IOException {
        String shell = shell(arguments, workingDir);
        if (shell == null) {
            return arguments;
        }
        Files.createDirectories(directory, OwnerOnly.directory());
        List<String> over = new ArrayList<>(arguments);
        // Of several remote shells rsync takes the last.
        over.add(
                over.indexOf("--"),
                "--rsh=" + ELSEWHERE + shell + " -o ControlMaster=auto -o ControlPersist=" + PERSIST
                        + " -o ControlPath=" + socket(arguments, shell));
        return over;
    }

    /** After a call that failed: the next one gets a new connection, what still runs over this one goes on. */
    void leave(List<String> arguments, String workingDir) {
        String shell = shell(arguments, workingDir);
        if (shell != null) {
            tell(socket(arguments, shell), "stop");
        }
    }

    /** Ends them all. */
    void close() {
        File[] sockets = directory.toFile().listFiles();
        for (File socket : sockets == null ? new File[0] : sockets) {
            tell(socket.toPath(), "exit");
        }
    }

    private static void tell(Path socket, String what) {
        if (!Files.exists(socket)) {
            return;
        }
        try {
            Process ssh = new ProcessBuilder("ssh", "-F", "none", "-S", socket.toString(), "-O", what, "any")
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            try {
                ssh.waitFor(ANSWER, TimeUnit.MILLISECONDS);
            } finally {
                ssh.destroyForcibly();
            }
            // Of one that does not answer: it ends by itself once nothing uses it.
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            // No ssh in PATH: the next call says so, too.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The remote shell of a call that goes by a connection of ours; null: it does not. */
    private String shell(List<String> arguments, String workingDir) {
        int end = arguments.indexOf("--");
        String shell = end < 0 ? null : RsyncArgs.of(arguments.subList(0, end)).shell();
        if (shell == null
                || arguments.contains(Transfer.OPTION)
                || Target.parse(arguments.get(arguments.size() - 1)).kind() != Target.Kind.SSH
                || !directory.toString().matches(PLAIN)
                || directory.toString().length() > LONGEST) {
            return null;
        }
        List<String> words;
        try {
            words = Remote.words(shell);
        } catch (IllegalArgumentException e) {
            return null;
        }
        boolean openSsh = !words.isEmpty() && words.get(0).matches("(/.*/)?ssh");
        return openSsh
                        && words.stream().noneMatch(word -> word.matches(OWN_CONTROL))
                        && words.stream().skip(1).noneMatch(word -> isRelative(word, workingDir))
                ? shell
                : null;
    }

    /** Whether it may be the path of a file where rsync works. */
    private static boolean isRelative(String word, String workingDir) {
        return workingDir != null && !word.startsWith("/") && Files.exists(Path.of(workingDir, word));
    }

    /** One for each host and each way to get there: with another key the same host may be another one. */
    private Path socket(List<String> arguments, String shell) {
        Target target = Target.parse(arguments.get(arguments.size() - 1));
        String way = String.join("\0", shell, target.user(), target.shortName());
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(way.getBytes(StandardCharsets.UTF_8));
            return directory.resolve(HexFormat.of().formatHex(digest, 0, NAME_BYTES));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
