package io.dromedary.posix;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import io.dromedary.change.ByteString;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/**
 * The system calls of Linux that Java has no equivalent for. Paths are byte strings: each char is one byte of the
 * name. Layouts and numbers are those of the kernel's {@code include/uapi}.
 */
public final class LibC {
    public static final int ENOENT = 2;
    public static final int EINTR = 4;
    public static final int EAGAIN = 11;
    public static final int EACCES = 13;
    public static final int ENOTDIR = 20;
    public static final int EMFILE = 24;
    public static final int ENOSPC = 28;
    public static final int ELOOP = 40;

    private static final int ESRCH = 3;
    private static final int EBADF = 9;

    private static final int AT_FDCWD = -100;
    private static final int AT_SYMLINK_NOFOLLOW = 0x100;
    private static final int AT_NO_AUTOMOUNT = 0x800;
    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int STATX_BTIME = 0x800;
    private static final int STATX_SIZE = 256;
    private static final int STATX_ATTRIBUTES = 8;
    private static final int STATX_ATTRIBUTES_MASK = 56;
    private static final long STATX_ATTR_MOUNT_ROOT = 0x2000;

    private static final boolean OWN_OPEN_FLAGS =
            Platform.ARCH.startsWith("arm") || Platform.ARCH.startsWith("aarch64") || Platform.ARCH.startsWith("ppc");
    private static final int O_NONBLOCK = 0x800;
    private static final int O_CLOEXEC = 0x80000;
    private static final int O_NOFOLLOW = OWN_OPEN_FLAGS ? 0x8000 : 0x20000;
    private static final int O_DIRECTORY = OWN_OPEN_FLAGS ? 0x4000 : 0x10000;
    private static final int O_PATH = 0x200000;

    private static final int AF_UNIX = 1;
    private static final int SOCK_DGRAM = 2;

    private static final int IPPROTO_TCP = 6;
    private static final int TCP_QUICKACK = 12;

    private static final int F_SETSIG = 10;
    private static final int F_SETLEASE = 1024;
    private static final int F_RDLCK = 0;
    private static final int SIGURG = 23;

    /** asm-generic/signal.h, on every machine that Java runs on but MIPS. */
    private static final int SIGCONT = 18;

    private static final int SIGSTOP = 19;

    /** linux/magic.h. */
    private static final int NFS = 0x6969;

    private static final int CIFS = 0xff534d42;
    private static final int SMB2 = 0xfe534d42;

    /** More than a struct statfs has, whatever the machine. */
    private static final int STATFS_SIZE = 256;

    /** Of f_fsid in it: behind two longs, of 32 bits on s390x, and five numbers of 64. */
    private static final int STATFS_ID = Platform.ARCH.equals("s390x") ? 48 : 56;

    /** asm-generic/ioctls.h; powerpc has its own. */
    private static final long FIONREAD = Platform.ARCH.startsWith("ppc") ? 0x4004667fL : 0x541BL;

    private static final long TIOCGWINSZ = Platform.ARCH.startsWith("ppc") ? 0x40087468L : 0x5413L;

    private static final long SECOND = 1_000_000_000;

    private static final short POLLIN = 1;
    private static final short POLLPRI = 2;
    private static final byte DT_UNKNOWN = 0;
    private static final byte DT_DIR = 4;
    private static final byte DT_LNK = 10;
    private static final int DIRENT_TYPE = 18;
    private static final int DIRENT_NAME = 19;

    private static final int LISTING = 8 * 1024;

    /** limits.h, PATH_MAX. */
    private static final int LONGEST_LINK = 4096;

    /** No library function: glibc has one since 2.30 only, musl under another name. */
    private static final long GETDENTS64 = Map.of("x86-64", 217L, "ppc64", 202L, "ppc64le", 202L, "s390x", 220L)
            // the newer architectures share one table
            .getOrDefault(Platform.ARCH, 61L);

    /** These, too, have no library function, but one number everywhere; Linux since 5.3 and 5.6. */
    private static final long PIDFD_OPEN = 434;

    private static final long PIDFD_GETFD = 438;

    static {
        if (!Platform.isLinux() || Native.LONG_SIZE != Long.BYTES) {
            throw new UnsupportedOperationException("inotify: needs Linux on a 64-bit machine");
        }
        Native.register(LibC.class, Platform.C_LIBRARY_NAME);
    }

    private LibC() {}

    private static native int inotify_init1(int flags);

    private static native int inotify_add_watch(int fd, byte[] path, int mask);

    private static native int inotify_rm_watch(int fd, int wd);

    private static native long read(int fd, Pointer buffer, long size);

    private static native long syscall(long number, long fd, byte[] buffer, long size);

    private static native long syscall(long number, long first, long second, long third);

    private static native int setsockopt(int fd, int level, int option, int[] value, int length);

    private static native int ppoll(int[] pollfds, long count, long[] timeout, Pointer signals);

    private static native int eventfd(int initial, int flags);

    private static native int eventfd_write(int fd, long value);

    private static native int eventfd_read(int fd, long[] value);

    private static native int open(byte[] path, int flags);

    private static native int close(int fd);

    private static native int ioctl(int fd, long request, int[] result);

    private static native int fcntl(int fd, int command, long argument);

    private static native int fstatfs(int fd, byte[] result);

    private static native int statfs(byte[] path, byte[] result);

    private static native int statx(int directory, byte[] path, int flags, int mask, byte[] result);

    private static native int socket(int domain, int type, int protocol);

    private static native long sendto(
            int fd, byte[] message, long length, int flags, byte[] address, int addressLength);

    private static native long readlink(byte[] path, byte[] text, long size);

    private static native int kill(int pid, int signal);

    private static native int isatty(int fd);

    private static native int ioctl(int fd, long request, short[] argument);

    private static native String strerror(int errno);

    /** What the system calls this error, in a few words. */
    public static String errorText(int errno) {
        return strerror(errno);
    }

    /** How wide the terminal behind this descriptor is; 80 where it does not tell, 0 if it is no terminal. */
    public static int columns(int fd) {
        if (isatty(fd) == 0) {
            return 0;
        }
        short[] size = new short[4];
        return ioctl(fd, TIOCGWINSZ, size) < 0 || size[1] <= 0 ? 80 : size[1];
    }

    /** A new inotify descriptor, not blocking. */
    public static int inotifyInit() {
        return checked("inotify_init1", inotify_init1(O_NONBLOCK | O_CLOEXEC));
    }

    /** The watch descriptor, the existing one if this very directory is watched already; or the negated errno. */
    public static int inotifyAddWatch(int fd, String path, int mask) {
        int wd = inotify_add_watch(fd, bytes(path), mask);
        return wd >= 0 ? wd : -Native.getLastError();
    }

    /** Takes the watch away, if there still is one. */
    public static void inotifyRemoveWatch(int fd, int wd) {
        inotify_rm_watch(fd, wd);
    }

    /** The number of bytes read; 0 when there is nothing to read from a descriptor that does not block. */
    public static int read(int fd, Memory buffer) {
        int count = (int) read(fd, buffer, buffer.size());
        if (count < 0) {
            int errno = Native.getLastError();
            if (errno == EAGAIN || errno == EINTR) {
                return 0;
            }
            throw new PosixException("read", errno);
        }
        return count;
    }

    /**
     * Waits until one of the two descriptors can be read.
     *
     * @param second none if negative
     * @param timeoutNanos how long at most; not at all if negative
     * @return bit 0 set: the first can be read; bit 1: the second
     */
    public static int awaitReadable(int first, int second, long timeoutNanos) {
        return await(new int[] {first, pollfd(POLLIN), second, pollfd(POLLIN)}, timeoutNanos);
    }

    /**
     * The same, and it ends too when the mounts of this process have changed.
     *
     * @param mounts what {@link #openMounts} has returned; none if negative
     * @return bit 2 set: since this or {@link #mountsChanged} last told
     */
    public static int awaitReadable(int first, int second, int mounts, long timeoutNanos) {
        return await(new int[] {first, pollfd(POLLIN), second, pollfd(POLLIN), mounts, pollfd(POLLPRI)}, timeoutNanos);
    }

    /** For each descriptor that something happens at, a bit. */
    private static int await(int[] pollfds, long timeoutNanos) {
        long nanos = Math.max(0, timeoutNanos);
        if (ppoll(pollfds, pollfds.length / 2, new long[] {nanos / SECOND, nanos % SECOND}, null) < 0) {
            int errno = Native.getLastError();
            if (errno == EINTR) {
                return 0;
            }
            throw new PosixException("ppoll", errno);
        }
        int ready = 0;
        for (int i = 0; i < pollfds.length / 2; i++) {
            ready |= isReady(pollfds[2 * i + 1]) ? 1 << i : 0;
        }
        return ready;
    }

    /** A descriptor that tells of mounts that come and go, see {@code /proc/PID/mounts} in proc(5); negative where there is none. */
    public static int openMounts() {
        return open(bytes("/proc/self/mountinfo"), O_CLOEXEC);
    }

    /** Whether that has told of a change that was not asked for yet. */
    public static boolean mountsChanged(int mounts) {
        return await(new int[] {mounts, pollfd(POLLPRI)}, 0) != 0;
    }

    /** A descriptor for nothing but keeping the file system there from being unmounted; negative where there is none. */
    public static int hold(String absolutePath) {
        return open(bytes(absolutePath), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }

    /** How many bytes wait to be read. */
    public static int available(int fd) {
        int[] bytes = new int[1];
        checked("ioctl", ioctl(fd, FIONREAD, bytes));
        return bytes[0];
    }

    /** A new event counter: readable once {@link #wake} was called, until {@link #clearWake}. */
    public static int wakeDescriptor() {
        return checked("eventfd", eventfd(0, O_NONBLOCK | O_CLOEXEC));
    }

    public static void wake(int eventfd) {
        checked("eventfd_write", eventfd_write(eventfd, 1));
    }

    public static void clearWake(int eventfd) {
        eventfd_read(eventfd, new long[1]);
    }

    public static void closeDescriptor(int fd) {
        close(fd);
    }

    /** What is at this path, symbolic links not followed; null when nothing is. */
    public static Stat lstat(String absolutePath) {
        return statx(absolutePath, AT_SYMLINK_NOFOLLOW);
    }

    /** What this path leads to, symbolic links followed; null when that is nothing, or when they lead in a circle. */
    public static Stat stat(String absolutePath) {
        return statx(absolutePath, 0);
    }

    private static Stat statx(String absolutePath, int follow) {
        byte[] result = new byte[STATX_SIZE];
        int flags = follow | AT_NO_AUTOMOUNT;
        if (statx(AT_FDCWD, bytes(absolutePath), flags, STATX_BASIC_STATS | STATX_BTIME, result) < 0) {
            int errno = Native.getLastError();
            if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP && follow == 0) {
                return null;
            }
            throw new PosixException(ByteString.readable(absolutePath), errno);
        }
        ByteBuffer statx = ByteBuffer.wrap(result).order(ByteOrder.nativeOrder());
        return new Stat(
                (long) statx.getInt(136) << 32 | statx.getInt(140) & 0xffffffffL,
                statx.getLong(32),
                statx.getShort(28) & 0xffff,
                statx.getInt(16),
                statx.getLong(40),
                statx.getLong(112),
                statx.getInt(120),
                (statx.getInt(0) & STATX_BTIME) == 0 ? 0 : statx.getLong(80) * SECOND + statx.getInt(88));
    }

    /** What the symbolic link at this path says; null when there is none. */
    public static String readlink(String absolutePath) {
        byte[] text = new byte[LONGEST_LINK];
        int length = (int) readlink(bytes(absolutePath), text, text.length);
        return length < 0 ? null : new String(text, 0, length, StandardCharsets.ISO_8859_1);
    }

    /** Whether a file system is mounted just here; false also when the system, Linux before 5.8, does not tell. */
    public static boolean isMountPoint(String absolutePath) {
        byte[] result = new byte[STATX_SIZE];
        return statx(AT_FDCWD, bytes(absolutePath), AT_NO_AUTOMOUNT, STATX_BASIC_STATS, result) == 0
                && (ByteBuffer.wrap(result).order(ByteOrder.nativeOrder()).getLong(STATX_ATTRIBUTES)
                                & STATX_ATTR_MOUNT_ROOT)
                        != 0;
    }

    /** Whether the system says that no file system is mounted just here; before Linux 5.8 only where nothing is. */
    public static boolean isNoMountPoint(String absolutePath) {
        byte[] result = new byte[STATX_SIZE];
        int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
        if (statx(AT_FDCWD, bytes(absolutePath), flags, STATX_BASIC_STATS, result) < 0) {
            int errno = Native.getLastError();
            return errno == ENOENT || errno == ENOTDIR;
        }
        ByteBuffer statx = ByteBuffer.wrap(result).order(ByteOrder.nativeOrder());
        return (statx.getLong(STATX_ATTRIBUTES_MASK) & STATX_ATTR_MOUNT_ROOT) != 0
                && (statx.getLong(STATX_ATTRIBUTES) & STATX_ATTR_MOUNT_ROOT) == 0;
    }

    /**
     * The number that the file system at this path calls itself by, {@code f_fsid} of {@code statfs(2)}; 0 where it has
     * none, as NFS, or nothing is there. That of ext4, btrfs and ZFS stays over a restart of this machine, that of others
     * may be made of the device's number.
     */
    public static long fileSystemId(String absolutePath) {
        byte[] result = new byte[STATFS_SIZE];
        if (statfs(bytes(absolutePath), result) < 0) {
            return 0;
        }
        return ByteBuffer.wrap(result).order(ByteOrder.nativeOrder()).getLong(STATFS_ID);
    }

    /**
     * Names each entry of a directory and tells whether it is itself a directory.
     *
     * @return false when there is no directory at this path, a symbolic link to one included
     */
    public static boolean list(String directory, BiConsumer<String, Boolean> entries) {
        return kinds(directory, (name, kind) -> entries.accept(name, kind == Kind.DIRECTORY));
    }

    /**
     * Names each entry of a directory and tells of what kind it is.
     *
     * @return false when there is no directory at this path, a symbolic link to one included
     */
    public static boolean kinds(String directory, BiConsumer<String, Kind> entries) {
        return kinds(directory, Integer.MAX_VALUE, entries);
    }

    /** The same of no more than so many entries; of a large directory no more than that is read. */
    public static boolean kinds(String directory, int most, BiConsumer<String, Kind> entries) {
        int fd = open(bytes(directory), O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) {
            int errno = Native.getLastError();
            if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) {
                return false;
            }
            throw new PosixException(ByteString.readable(directory), errno);
        }
        try {
            byte[] buffer = new byte[LISTING];
            ByteBuffer dirents = ByteBuffer.wrap(buffer).order(ByteOrder.nativeOrder());
            int left = most;
            while (true) {
                int length = (int) syscall(GETDENTS64, fd, buffer, LISTING);
                if (length < 0) {
                    int errno = Native.getLastError();
                    if (errno == ENOENT) {
                        return false;
                    }
                    throw new PosixException(ByteString.readable(directory), errno);
                }
                if (length == 0) {
                    return true;
                }
                for (int at = 0; at < length; at += dirents.getShort(at + 16) & 0xffff) {
                    if (entry(directory, buffer, at, entries) && --left == 0) {
                        return true;
                    }
                }
            }
        } finally {
            close(fd);
        }
    }

    /** The names in a directory, in no order; empty when there is no directory. */
    public static List<String> names(String directory) {
        List<String> names = new ArrayList<>();
        list(directory, (name, isDirectory) -> names.add(name));
        return names;
    }

    /**
     * Whether a process has this regular file open for writing; asked by way of a read lease, see {@code fcntl(2)},
     * which is refused in just that case. False also when the system cannot tell, as on network file systems.
     */
    public static boolean isOpenForWriting(String absolutePath) {
        return isOpenForWriting(absolutePath, O_NOFOLLOW);
    }

    /** The same of the file that this symbolic link leads to. */
    public static boolean isOpenForWritingBehind(String absolutePath) {
        return isOpenForWriting(absolutePath, 0);
    }

    private static boolean isOpenForWriting(String absolutePath, int follow) {
        int fd = open(bytes(absolutePath), follow | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) {
            return false;
        }
        try {
            // A writer that opens the file right now breaks the lease, and the default signal for that, SIGIO, would
            // end this process. SIGURG is ignored by default.
            if (fcntl(fd, F_SETSIG, SIGURG) < 0) {
                return false;
            }
            if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
                return Native.getLastError() == EAGAIN && !isOfAnotherHost(fd);
            }
            // The close ends the lease.
            return false;
        } finally {
            close(fd);
        }
    }

    /** Whether the file is on NFS or SMB, which refuse a lease with the same word also where nobody is writing. */
    private static boolean isOfAnotherHost(int fd) {
        byte[] result = new byte[STATFS_SIZE];
        if (fstatfs(fd, result) < 0) {
            return false;
        }
        ByteBuffer statfs = ByteBuffer.wrap(result).order(ByteOrder.nativeOrder());
        // A long everywhere but on s390x.
        int type = Platform.ARCH.equals("s390x") ? statfs.getInt(0) : (int) statfs.getLong(0);
        return type == NFS || type == CIFS || type == SMB2;
    }

    /**
     * Sends one datagram to a unix socket, for which Java has stream sockets only; see {@code unix(7)}.
     *
     * @param socket its path; one that starts with {@code @} is not in the file system but in the abstract namespace
     */
    public static void sendDatagram(String socket, byte[] message) {
        byte[] path = ByteString.bytes(socket);
        ByteBuffer address = ByteBuffer.allocate(Short.BYTES + path.length).order(ByteOrder.nativeOrder());
        address.putShort((short) AF_UNIX).put(path);
        if (socket.startsWith("@")) {
            address.put(Short.BYTES, (byte) 0);
        }
        int fd = checked("socket", socket(AF_UNIX, SOCK_DGRAM | O_CLOEXEC, 0));
        try {
            if (sendto(fd, message, message.length, 0, address.array(), address.capacity()) < 0) {
                throw new PosixException(ByteString.readable(socket), Native.getLastError());
            }
        } finally {
            close(fd);
        }
    }

    /** Has a process pause until {@link #go}; returns false where that is not allowed. */
    public static boolean stop(long pid) {
        return kill((int) pid, SIGSTOP) == 0;
    }

    /** Has a process that was stopped go on. */
    public static boolean go(long pid) {
        return kill((int) pid, SIGCONT) == 0;
    }

    /** A descriptor for a process, see {@code pidfd_open(2)}; negative where there is none. */
    public static int processDescriptor(long pid) {
        return (int) syscall(PIDFD_OPEN, pid, 0, 0);
    }

    /**
     * Has the system acknowledge now what another process has received over TCP, in place of up to 40 ms later, see
     * {@code TCP_QUICKACK} in {@code tcp(7)}. Nothing happens while it has no such connection.
     *
     * @param process what {@link #processDescriptor} has returned
     * @param connection the number that the connection has there
     * @return false where that is not allowed, see {@code pidfd_getfd(2)}
     */
    public static boolean acknowledge(int process, int connection) {
        int fd = (int) syscall(PIDFD_GETFD, process, connection, 0);
        if (fd < 0) {
            int errno = Native.getLastError();
            return errno == EBADF || errno == ESRCH;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, new int[] {1}, Integer.BYTES);
        close(fd);
        return true;
    }

    /** Returns whether it was one: a directory itself and the one above are not. */
    private static boolean entry(String directory, byte[] dirents, int at, BiConsumer<String, Kind> entries) {
        int start = at + DIRENT_NAME;
        int end = start;
        while (dirents[end] != 0) {
            end++;
        }
        String name = new String(dirents, start, end - start, StandardCharsets.ISO_8859_1);
        if (name.equals(".") || name.equals("..")) {
            return false;
        }
        byte type = dirents[at + DIRENT_TYPE];
        Kind kind = type == DT_DIR ? Kind.DIRECTORY : type == DT_LNK ? Kind.LINK : Kind.OTHER;
        if (type == DT_UNKNOWN) {
            kind = Kind.of(lstat(directory + "/" + name));
        }
        entries.accept(name, kind);
        return true;
    }

    private static int pollfd(short events) {
        return ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN ? events : events << 16;
    }

    /** Also true for an error or a hang-up: the read that follows says which. */
    private static boolean isReady(int eventsAndResult) {
        return (ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN ? eventsAndResult >>> 16 : eventsAndResult & 0xffff)
                != 0;
    }

    private static int checked(String call, int result) {
        if (result < 0) {
            throw new PosixException(call, Native.getLastError());
        }
        return result;
    }

    private static byte[] bytes(String path) {
        byte[] bytes = new byte[path.length() + 1];
        byte[] source = ByteString.bytes(path);
        System.arraycopy(source, 0, bytes, 0, source.length);
        return bytes;
    }
}
