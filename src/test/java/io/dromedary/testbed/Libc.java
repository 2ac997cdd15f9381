package io.dromedary.testbed;

import com.sun.jna.Native;

/** The system calls the test bed needs on names that Java's file API could not carry, or that it has no method for. */
final class Libc {

    // The values of Linux, the same on x86-64 and aarch64; O_NOFOLLOW is not, hence absent.
    static final int O_WRONLY = 01;
    static final int O_CREAT = 0100;
    static final int O_EXCL = 0200;
    static final int O_TRUNC = 01000;
    static final int O_APPEND = 02000;
    static final int O_CLOEXEC = 02000000;
    static final int AT_FDCWD = -100;
    static final int AT_SYMLINK_NOFOLLOW = 0x100;
    static final long UTIME_OMIT = (1L << 30) - 2;
    static final int SIGKILL = 9;
    static final int AF_UNIX = 1;
    static final int SOCK_DGRAM = 2;
    static final int MSG_DONTWAIT = 0x40;
    static final int SIGCONT = 18;
    static final int SIGSTOP = 19;

    static {
        Native.register(Libc.class, "c");
    }

    private Libc() {}

    static native int open(byte[] path, int flags, int mode);

    static native int close(int descriptor);

    static native long write(int descriptor, byte[] bytes, long count);

    static native long lseek(int descriptor, long offset, int whence);

    static native int truncate(byte[] path, long length);

    static native int mkdir(byte[] path, int mode);

    static native int rmdir(byte[] path);

    static native int unlink(byte[] path);

    static native int rename(byte[] from, byte[] to);

    static native int link(byte[] from, byte[] to);

    static native int symlink(byte[] target, byte[] path);

    static native int chmod(byte[] path, int mode);

    /** @param times access and modification time, seconds and nanoseconds each */
    static native int utimensat(int directory, byte[] path, long[] times, int flags);

    static native int socket(int domain, int type, int protocol);

    static native int bind(int descriptor, byte[] address, int length);

    static native long recv(int descriptor, byte[] bytes, long count, int flags);

    static native int kill(int pid, int signal);

    static native String strerror(int error);
}
