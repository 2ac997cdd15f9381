package io.dromedary.watch;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.charset.StandardCharsets;

/** System calls for tests, with names as byte strings: what Java's own file functions cannot do or cannot name. */
final class Sys {
    static final int O_WRONLY = 1;
    static final int O_CREAT = 0100;
    static final int O_TRUNC = 01000;
    static final int O_APPEND = 02000;
    /** As on x86 and every newer architecture but ARM. */
    static final int O_TMPFILE = 020000000
            | (System.getProperty("os.arch").startsWith("a")
                            && !System.getProperty("os.arch").equals("amd64")
                    ? 040000
                    : 0200000);

    static {
        Native.register(Sys.class, "c");
    }

    private Sys() {}

    private static native int open(byte[] path, int flags, int mode);

    private static native int openat(int directory, byte[] path, int flags, int mode);

    private static native int close(int fd);

    private static native int mkdir(byte[] path, int mode);

    private static native int rmdir(byte[] path);

    private static native int unlink(byte[] path);

    private static native int rename(byte[] from, byte[] to);

    private static native int renameat2(int fromDirectory, byte[] from, int toDirectory, byte[] to, int flags);

    private static native int link(byte[] from, byte[] to);

    private static native int linkat(int fromDirectory, byte[] from, int toDirectory, byte[] to, int flags);

    private static native int symlink(byte[] target, byte[] path);

    private static native int mkfifo(byte[] path, int mode);

    private static native int chmod(byte[] path, int mode);

    private static native int mount(byte[] what, byte[] where, byte[] type, NativeLong flags, byte[] data);

    private static native int truncate(byte[] path, NativeLong length);

    private static native int utimensat(int directory, byte[] path, long[] times, int flags);

    private static native int umount2(byte[] where, int flags);

    private static native NativeLong write(int fd, byte[] bytes, NativeLong length);

    static int openFile(String path, int flags) {
        return checked(path, open(bytes(path), flags, 0644));
    }

    static void writeBytes(int fd, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        checked(text, write(fd, bytes, new NativeLong(bytes.length)).intValue());
    }

    static void closeFile(int fd) {
        close(fd);
    }

    static void write(String path, String text) {
        int fd = openFile(path, O_WRONLY | O_CREAT | O_TRUNC);
        writeBytes(fd, text);
        close(fd);
    }

    static void append(String path, String text) {
        int fd = openFile(path, O_WRONLY | O_APPEND);
        writeBytes(fd, text);
        close(fd);
    }

    static void mkdir(String path) {
        checked(path, mkdir(bytes(path), 0755));
    }

    static void mkdirs(String path) {
        for (int at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
            mkdir(bytes(path.substring(0, at)), 0755);
        }
        mkdir(bytes(path), 0755);
    }

    static void rmdir(String path) {
        checked(path, rmdir(bytes(path)));
    }

    static void unlink(String path) {
        checked(path, unlink(bytes(path)));
    }

    static void rename(String from, String to) {
        checked(from, rename(bytes(from), bytes(to)));
    }

    static void exchange(String one, String other) {
        checked(one, renameat2(-100, bytes(one), -100, bytes(other), 2));
    }

    static void link(String from, String to) {
        checked(to, link(bytes(from), bytes(to)));
    }

    static void symlink(String target, String path) {
        checked(path, symlink(bytes(target), bytes(path)));
    }

    static void mkfifo(String path) {
        checked(path, mkfifo(bytes(path), 0644));
    }

    static void chmod(String path, int mode) {
        checked(path, chmod(bytes(path), mode));
    }

    static void truncate(String path, int length) {
        checked(path, truncate(bytes(path), new NativeLong(length)));
    }

    /** Leaves the time of the last access as it is. */
    static void setModified(String path, long seconds) {
        checked(path, utimensat(-100, bytes(path), new long[] {0, (1L << 30) - 2, seconds, 0}, 0));
    }

    static int openUnnamed(String directory) {
        return checked(directory, open(bytes(directory), O_TMPFILE | O_WRONLY, 0644));
    }

    static void name(int fd, String path) {
        checked(path, linkat(-100, bytes("/proc/self/fd/" + fd), -100, bytes(path), 0x400));
    }

    static boolean mountMemory(String path) {
        return mount(bytes("none"), bytes(path), bytes("tmpfs"), new NativeLong(0), null) == 0;
    }

    static boolean bind(String from, String to) {
        return mount(bytes(from), bytes(to), null, new NativeLong(4096), null) == 0;
    }

    static void unmount(String path) {
        checked(path, umount2(bytes(path), 0));
    }

    private static int checked(String what, int result) {
        if (result < 0) {
            throw new IllegalStateException(what + ": errno " + Native.getLastError());
        }
        return result;
    }

    private static byte[] bytes(String path) {
        return (path + '\0').getBytes(StandardCharsets.ISO_8859_1);
    }
}
