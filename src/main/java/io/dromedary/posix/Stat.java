package io.dromedary.posix;

/**
 * What the system says about one directory entry, the entry itself and never what a symbolic link points to.
 *
 * @param dev the device, major number in the upper 32 bits
 * @param ino the inode
 * @param mode type and permissions, as in {@code inode(7)}
 * @param nlink the number of hard links
 * @param size in bytes
 * @param mtimeSeconds of the last modification, since 1970
 * @param mtimeNanos the part of it below a second
 * @param born when it was made, in nanoseconds since 1970; 0 where the file system does not keep that
 */
public record Stat(long dev, long ino, int mode, int nlink, long size, long mtimeSeconds, int mtimeNanos, long born) {
    private static final int TYPE = 0170000;

    public boolean isDirectory() {
        return (mode & TYPE) == 0040000;
    }

    public boolean isSymlink() {
        return (mode & TYPE) == 0120000;
    }

    public boolean isRegular() {
        return (mode & TYPE) == 0100000;
    }

    /** Two file systems mounted one after the other may share device and root inode, but not when that was made. */
    public boolean isSameFile(Stat other) {
        return dev == other.dev && ino == other.ino && born == other.born;
    }
}
