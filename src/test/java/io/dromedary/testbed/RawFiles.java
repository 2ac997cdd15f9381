package io.dromedary.testbed;

import com.sun.jna.Native;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * File operations below a root on names of any bytes, whatever the locale, one system call each where there is one.
 * Paths are byte strings (each char one byte, as in ISO-8859-1) relative to the root; "" is the root itself. No operation
 * follows a symbolic link in the last place, but {@link #write} and its like. Whatever fails is an
 * {@link IllegalStateException} that names operation, path and reason.
 */
public final class RawFiles {

    private final String root;

    /** @param root its own path is ASCII */
    public RawFiles(Path root) {
        this.root = root.toAbsolutePath().toString();
    }

    /** Creates the file, or replaces what is in it. */
    public void write(String path, byte[] content) {
        write(path, Libc.O_CREAT | Libc.O_TRUNC, 0, content);
    }

    /** Creates the file, which must not exist. */
    public void create(String path, byte[] content) {
        write(path, Libc.O_CREAT | Libc.O_EXCL, 0, content);
    }

    public void append(String path, byte[] content) {
        write(path, Libc.O_APPEND, 0, content);
    }

    /** Overwrites in place, from this offset on; what lies behind stays. */
    public void overwrite(String path, long offset, byte[] content) {
        write(path, 0, offset, content);
    }

    private void write(String path, int flags, long offset, byte[] content) {
        int descriptor = Libc.open(bytes(path), Libc.O_WRONLY | Libc.O_CLOEXEC | flags, 0644);
        check("open", path, descriptor >= 0);
        try {
            check("lseek", path, offset == 0 || Libc.lseek(descriptor, offset, 0) == offset);
            if (content.length > 0) {
                check("write", path, Libc.write(descriptor, content, content.length) == content.length);
            }
        } finally {
            Libc.close(descriptor);
        }
    }

    public void truncate(String path, long length) {
        check("truncate", path, Libc.truncate(bytes(path), length) == 0);
    }

    public void mkdir(String path) {
        check("mkdir", path, Libc.mkdir(bytes(path), 0755) == 0);
    }

    public void rmdir(String path) {
        check("rmdir", path, Libc.rmdir(bytes(path)) == 0);
    }

    public void unlink(String path) {
        check("unlink", path, Libc.unlink(bytes(path)) == 0);
    }

    public void rename(String from, String to) {
        check("rename to " + Names.readable(to), from, Libc.rename(bytes(from), bytes(to)) == 0);
    }

    /** A hard link. */
    public void link(String existing, String path) {
        check("link to " + Names.readable(existing), path, Libc.link(bytes(existing), bytes(path)) == 0);
    }

    /** @param target stored as it is, whether it leads somewhere or not */
    public void symlink(String target, String path) {
        check("symlink", path, Libc.symlink(terminated(target), bytes(path)) == 0);
    }

    public void chmod(String path, int mode) {
        check("chmod", path, Libc.chmod(bytes(path), mode) == 0);
    }

    /** Sets the modification time, of a symbolic link itself too. */
    public void modified(String path, long seconds, int nanoseconds) {
        long[] times = {0, Libc.UTIME_OMIT, seconds, nanoseconds};
        check("utimensat", path, Libc.utimensat(Libc.AT_FDCWD, bytes(path), times, Libc.AT_SYMLINK_NOFOLLOW) == 0);
    }

    private byte[] bytes(String path) {
        return terminated(path.isEmpty() ? root : root + "/" + path);
    }

    private static byte[] terminated(String text) {
        return (text + "\0").getBytes(StandardCharsets.ISO_8859_1);
    }

    private static void check(String operation, String path, boolean succeeded) {
        if (!succeeded) {
            String reason = Libc.strerror(Native.getLastError());
            throw new IllegalStateException(operation + " of " + Names.readable(path) + ": " + reason);
        }
    }
}
