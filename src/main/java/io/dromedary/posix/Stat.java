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
 */
public record Stat(long dev, long ino, int mode, int nlink, long size, long mtimeSeconds, int mtimeNanos) {
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

    public boolean isSameFile(Stat other) {
        return dev == other.dev && ino == other.ino;
    }
}
