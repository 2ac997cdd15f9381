package io.dromedary.posix;

import io.dromedary.change.ByteString;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;

/**
 * What is in the file system: by the system calls of {@link LibC} where they can be made, elsewhere by what Java itself
 * has. That knows names in the platform's charset only, and of a directory that was replaced less; whoever needs more
 * is bound to Linux. Paths are byte strings.
 */
public final class Entries {
    private static final boolean BY_SYSTEM_CALLS = canCall();

    private static final int EACCES = 13;
    private static final int EIO = 5;

    private Entries() {}

    private static boolean canCall() {
        try {
            Class.forName("io.dromedary.posix.LibC");
            return true;
        } catch (LinkageError | ClassNotFoundException e) {
            // another system, a machine of 32 bits, or no JNA
            return false;
        }
    }

    /** Whether {@link LibC} can be used: on Linux, on a 64-bit machine, and JNA is there. */
    public static boolean bySystemCalls() {
        return BY_SYSTEM_CALLS;
    }

    /** What is at this path, symbolic links not followed; null when nothing is. */
    public static Stat lstat(String absolutePath) {
        return BY_SYSTEM_CALLS ? LibC.lstat(absolutePath) : portableLstat(absolutePath);
    }

    /** What this path leads to, symbolic links followed; null when that is nothing, or when they lead in a circle. */
    public static Stat stat(String absolutePath) {
        return BY_SYSTEM_CALLS ? LibC.stat(absolutePath) : portableStat(absolutePath);
    }

    /** What the symbolic link at this path says; null when there is none. */
    public static String readlink(String absolutePath) {
        return BY_SYSTEM_CALLS ? LibC.readlink(absolutePath) : portableReadlink(absolutePath);
    }

    /**
     * Names each entry of a directory and tells of what kind it is.
     *
     * @return false when there is no directory at this path, a symbolic link to one included
     */
    public static boolean kinds(String directory, BiConsumer<String, Kind> entries) {
        return BY_SYSTEM_CALLS ? LibC.kinds(directory, entries) : portableKinds(directory, entries);
    }

    /** Whether a file system is mounted just here; false also when the system does not tell. */
    public static boolean isMountPoint(String absolutePath) {
        return BY_SYSTEM_CALLS ? LibC.isMountPoint(absolutePath) : portableIsMountPoint(absolutePath);
    }

    /**
     * Names each entry of a directory and tells whether it is itself a directory.
     *
     * @return false when there is no directory at this path, a symbolic link to one included
     */
    public static boolean list(String directory, BiConsumer<String, Boolean> entries) {
        return BY_SYSTEM_CALLS ? LibC.list(directory, entries) : portableList(directory, entries);
    }

    /** The same of no more than so many entries, for those who need to know only some. */
    public static boolean list(String directory, int most, BiConsumer<String, Boolean> entries) {
        BiConsumer<String, Kind> kinds = (name, kind) -> entries.accept(name, kind == Kind.DIRECTORY);
        return BY_SYSTEM_CALLS ? LibC.kinds(directory, most, kinds) : portableKinds(directory, most, kinds);
    }

    /** The number that the file system at this path calls itself by; 0 where it has none, or the system does not tell. */
    public static long fileSystemId(String absolutePath) {
        return BY_SYSTEM_CALLS ? LibC.fileSystemId(absolutePath) : 0;
    }

    static Stat portableLstat(String absolutePath) {
        Path path = path(absolutePath);
        try {
            if (!path.getFileSystem().supportedFileAttributeViews().contains("unix")) {
                return basic(Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
            }
            Map<String, Object> unix = Files.readAttributes(
                    path, "unix:dev,ino,mode,nlink,size,lastModifiedTime", LinkOption.NOFOLLOW_LINKS);
            FileTime mtime = (FileTime) unix.get("lastModifiedTime");
            // Where the system does not tell when it was made, Java tells when it was modified.
            return new Stat(
                    (Long) unix.get("dev"),
                    (Long) unix.get("ino"),
                    (Integer) unix.get("mode"),
                    (Integer) unix.get("nlink"),
                    (Long) unix.get("size"),
                    mtime.to(TimeUnit.SECONDS),
                    mtime.toInstant().getNano(),
                    0);
        } catch (NoSuchFileException e) {
            return null;
        } catch (IOException e) {
            if (isBelowAFile(e, path)) {
                return null;
            }
            throw failed(absolutePath, e);
        }
    }

    static Stat portableStat(String absolutePath) {
        try {
            return portableLstat(ByteString.of(path(absolutePath).toRealPath().toString()));
        } catch (IOException e) {
            return null;
        }
    }

    static String portableReadlink(String absolutePath) {
        try {
            return ByteString.of(Files.readSymbolicLink(path(absolutePath)).toString());
        } catch (IOException | UnsupportedOperationException e) {
            return null;
        }
    }

    /** Windows': neither device nor inode, so a directory is known by when it was made. */
    private static Stat basic(BasicFileAttributes basic) {
        int mode = basic.isDirectory() ? 0040755 : basic.isSymbolicLink() ? 0120777 : 0100644;
        return new Stat(
                0,
                0,
                mode,
                1,
                basic.size(),
                basic.lastModifiedTime().to(TimeUnit.SECONDS),
                basic.lastModifiedTime().toInstant().getNano(),
                basic.creationTime().to(TimeUnit.NANOSECONDS));
    }

    static boolean portableIsMountPoint(String absolutePath) {
        Stat here = portableLstat(absolutePath + "/.");
        Stat above = portableLstat(absolutePath + "/..");
        return here != null && above != null && here.dev() != above.dev();
    }

    static boolean portableList(String directory, BiConsumer<String, Boolean> entries) {
        return portableKinds(directory, (name, kind) -> entries.accept(name, kind == Kind.DIRECTORY));
    }

    static boolean portableKinds(String directory, BiConsumer<String, Kind> entries) {
        return portableKinds(directory, Integer.MAX_VALUE, entries);
    }

    private static boolean portableKinds(String directory, int most, BiConsumer<String, Kind> entries) {
        int left = most;
        Stat stat = portableLstat(directory);
        if (stat == null || !stat.isDirectory()) {
            return false;
        }
        try (DirectoryStream<Path> all = Files.newDirectoryStream(path(directory))) {
            for (Path entry : all) {
                Kind kind = Files.isSymbolicLink(entry)
                        ? Kind.LINK
                        : Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS) ? Kind.DIRECTORY : Kind.OTHER;
                entries.accept(ByteString.of(entry.getFileName().toString()), kind);
                if (--left == 0) {
                    return true;
                }
            }
            return true;
        } catch (NoSuchFileException e) {
            return false;
        } catch (IOException e) {
            throw failed(directory, e);
        }
    }

    private static boolean isBelowAFile(IOException e, Path path) {
        return !(e instanceof AccessDeniedException)
                && path.getParent() != null
                && !Files.isDirectory(path.getParent());
    }

    private static Path path(String byteString) {
        String text = new String(ByteString.bytes(byteString), StandardCharsets.UTF_8);
        if (!ByteString.of(text).equals(byteString)) {
            throw new PosixException(ByteString.readable(byteString), EIO, "Java cannot name it");
        }
        return Path.of(text);
    }

    private static PosixException failed(String path, IOException e) {
        boolean denied = e instanceof AccessDeniedException;
        return new PosixException(
                ByteString.readable(path), denied ? EACCES : EIO, denied ? "Permission denied" : e.toString());
    }
}
