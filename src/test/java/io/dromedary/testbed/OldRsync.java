package io.dromedary.testbed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/** Scripts that stand in for rsyncs of other years: they refuse what those do not know, and are this machine's rsync else. */
public final class OldRsync {
    private OldRsync() {}

    /** A remote shell that leads to this machine, whatever host is named: for "ssh". */
    public static Path shell(Path directory) throws IOException {
        return script(directory.resolve("far.sh"), "shift", "exec \"$@\"");
    }

    /**
     * A receiver like that of rsync 3.0.6, for "--rsync-path".
     *
     * @param words whether it says what it refuses
     */
    public static Path receiver(Path script, boolean words) throws IOException {
        String said = words ? "echo \"rsync: $word: unknown option\" >&2;" : "";
        return script(
                script,
                "for word; do case $word in -@*|--modify-window*|--delete-missing-args) " + said
                        + " exit 1;; esac; done",
                "exec rsync \"$@\"");
    }

    /** @param lines of sh */
    public static Path script(Path file, String... lines) throws IOException {
        Files.writeString(file, "#!/bin/sh\n" + String.join("\n", List.of(lines)) + "\n");
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
}
