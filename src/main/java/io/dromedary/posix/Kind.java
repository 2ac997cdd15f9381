package io.dromedary.posix;

/** What a directory's entry is, as far as whoever goes through a tree has to know. */
public enum Kind {
    DIRECTORY,
    LINK,
    /** A file, a pipe, a device, a socket; or what is gone already. */
    OTHER;

    static Kind of(Stat stat) {
        if (stat == null) {
            return OTHER;
        }
        return stat.isDirectory() ? DIRECTORY : stat.isSymlink() ? LINK : OTHER;
    }
}
