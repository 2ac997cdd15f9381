package io.dromedary.posix;

import io.dromedary.change.ByteString;
import io.dromedary.posix.MountInfo.Mount;
import java.io.IOException;
import java.nio.file.Path;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * What is mounted below directories, and whether that has changed: {@link MountInfo}. Where the system does not tell, nothing
 * is. Safe for use by several threads.
 */
public final class MountTable implements AutoCloseable {
    /** Mounts itself what is asked for, on top of this, and takes that away again: it holds no files of its own. */
    private static final String AUTOFS = "autofs";

    private final int descriptor = Entries.bySystemCalls() ? LibC.openMounts() : -1;
    private long generation;

    /** Grows whenever something was mounted or unmounted anywhere; asking costs one system call. */
    public synchronized long generation() {
        if (descriptor >= 0 && LibC.mountsChanged(descriptor)) {
            generation++;
        }
        return generation;
    }

    /** For {@link LibC#awaitReadable}: ready once for each change; negative where there is none. */
    public int descriptor() {
        return descriptor;
    }

    /**
     * The places below this directory at which something is mounted, relative to it, each with what it is: the same text
     * means the same mount. Places that cannot be reached, since something lies over them, are left out.
     *
     * @param directory absolute and without symbolic links, a byte string
     */
    public NavigableMap<String, String> below(String directory) {
        NavigableMap<String, String> places = new TreeMap<>();
        if (descriptor < 0) {
            return places;
        }
        MountInfo mounts = MountInfo.now();
        for (Mount mount : mounts.below(directory)) {
            if (!mount.type().equals(AUTOFS) && !isOnItself(mount, mounts.parent(mount))) {
                places.put(
                        mount.point().substring(slashed(directory).length()),
                        mount.id() + ":" + mount.device() + ":" + mount.root());
            }
        }
        return places;
    }

    /** Whether it shows just what was there before: a service that is shut in by systemd has many of these. */
    private static boolean isOnItself(Mount mount, Mount above) {
        return above != null
                && above.device().equals(mount.device())
                && MountInfo.isAtOrBelow(mount.point(), above.point())
                && mount.root()
                        .equals(slashed(above.root())
                                + mount.point().substring(slashed(above.point()).length()));
    }

    private static String slashed(String directory) {
        return directory.endsWith("/") ? directory : directory + "/";
    }

    /** The way {@link #below} takes a path of Java's: without symbolic links. */
    public static String real(Path directory) throws IOException {
        return ByteString.of(directory.toRealPath().toString());
    }

    @Override
    public void close() {
        if (descriptor >= 0) {
            LibC.closeDescriptor(descriptor);
        }
    }
}
