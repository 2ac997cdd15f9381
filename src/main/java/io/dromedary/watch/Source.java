package io.dromedary.watch;

import io.dromedary.change.ByteString;
import io.dromedary.posix.MountTable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;

/**
 * The directory a mirror is made of.
 *
 * @param directory its absolute path as a byte string, without a trailing slash; "" is the system's root
 */
record Source(String directory) {
    /** From a path as people write it, relative to the working directory if it is not absolute. */
    static Source of(String path) {
        String absolute = path.startsWith("/") ? path : System.getProperty("user.dir") + '/' + path;
        String bytes = ByteString.of(absolute);
        int end = bytes.length();
        while (end > 0 && bytes.charAt(end - 1) == '/') {
            end--;
        }
        return new Source(bytes.substring(0, end));
    }

    /** The path for system calls. The root may be given as a symbolic link, which "/." resolves. */
    String absolute(String path) {
        return path.isEmpty() ? directory + "/." : directory + '/' + path;
    }

    /** What is mounted below the root, by the place below it; nothing while the root is gone. */
    Map<String, String> mounts(MountTable table) {
        try {
            String root = directory.isEmpty() ? "/" : new String(ByteString.bytes(directory), StandardCharsets.UTF_8);
            return table.below(MountTable.real(Path.of(root)));
        } catch (IOException | InvalidPathException e) {
            return Map.of();
        }
    }

    /** The path below the root as people read it. */
    String show(String path) {
        return ByteString.readable(path.isEmpty() && !directory.isEmpty() ? directory : directory + '/' + path);
    }
}
