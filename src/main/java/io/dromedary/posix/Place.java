package io.dromedary.posix;

import io.dromedary.change.ByteString;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which directory a path leads to, so that it is known again after a restart of this machine too.
 *
 * @param fileSystem what its file system calls itself, {@code f_fsid} of {@code statfs(2)}; 0: it does not tell
 * @param device the number that the system gave to the file system when it was mounted
 * @param inode of the directory
 * @param born when the directory was made, in nanoseconds since 1970; 0 where the file system does not keep that
 */
public record Place(long fileSystem, long device, long inode, long born) {
    private static final Pattern LINE =
            Pattern.compile("file system ([0-9a-f]+), device ([0-9a-f]+), inode (\\d+), born (-?\\d+)");

    /** The directory at this path, symbolic links followed; null if there is none. */
    public static Place of(Path directory) {
        return of(ByteString.of(directory.toString()));
    }

    /** The same of a byte string. */
    public static Place of(String directory) {
        // The dot leads through a symlink, and has what automounts mounted.
        String there = directory + "/.";
        Stat stat = Entries.lstat(there);
        return stat == null || !stat.isDirectory()
                ? null
                : new Place(Entries.fileSystemId(there), stat.dev(), stat.ino(), stat.born());
    }

    /**
     * Whether both are the same directory for all that is known. A device's number may be another one after a restart; it
     * counts where nothing better tells two file systems apart.
     */
    public boolean isSame(Place other) {
        boolean told = fileSystem != 0 && born != 0;
        return other != null
                && fileSystem == other.fileSystem
                && inode == other.inode
                && born == other.born
                && (told || device == other.device);
    }

    /** One line, for {@link #parse}. */
    public String line() {
        return String.format("file system %x, device %x, inode %d, born %d", fileSystem, device, inode, born);
    }

    /** The way back from {@link #line}; null if that is none. */
    public static Place parse(String line) {
        Matcher parts = LINE.matcher(line);
        if (!parts.matches()) {
            return null;
        }
        try {
            return new Place(
                    Long.parseUnsignedLong(parts.group(1), 16),
                    Long.parseUnsignedLong(parts.group(2), 16),
                    Long.parseUnsignedLong(parts.group(3)),
                    Long.parseLong(parts.group(4)));
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /**
     * The file system at this path, a byte string, for people: its type and where it was mounted from; or that it is not
     * known.
     */
    public static String describe(String directory) {
        try {
            FileStore store = Files.getFileStore(Path.of(ByteString.text(directory)));
            return store.type() + " on " + store.name();
        } catch (IOException | InvalidPathException | SecurityException e) {
            return "one that is not known";
        }
    }

    /**
     * Where the file system is mounted that this directory is on, an absolute path without links; null for that of "/",
     * or if the system does not tell.
     */
    public static Path mountOf(Path directory) {
        try {
            for (Path at = directory.toRealPath(); at.getParent() != null; at = at.getParent()) {
                if (isMountPoint(at)) {
                    return at;
                }
            }
        } catch (IOException e) {
            // It is gone.
        }
        return null;
    }

    /** Whether a file system is mounted just here. */
    public static boolean isMountPoint(Path directory) {
        return Entries.isMountPoint(ByteString.of(directory.toString()) + "/.");
    }
}
