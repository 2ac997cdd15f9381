package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.LibC;
import io.dromedary.posix.MountTable;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.apache.camel.Body;
import org.apache.camel.Header;

/**
 * The file systems that are mounted below the sources, so that one that is not mounted any more is no reason to delete
 * anything: it halts that part of its mirror, over restarts too, and nothing else. It goes on when something is mounted there again, or
 * a person says that it is right.
 *
 * <p>Between a look and rsync's own a file system could be unmounted. So it is held while rsync is told of paths in it, but no
 * longer than some seconds, for whoever unmounts it must not wait: all calls but those of full syncs look at
 * the source in their first moments. Those delete nothing where something is mounted; that comes after them, in calls of its
 * own.
 */
public final class Mounts implements AutoCloseable {
    private final Map<String, InnerMounts> known = new TreeMap<>();
    private Mirrors mirrors = new Mirrors();
    /** Null: nothing is known of any. */
    private Path directory;

    private MountTable table;

    public void setStateDir(String stateDir) {
        this.directory = Path.of(stateDir).toAbsolutePath().normalize().resolve("mounts");
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    /** What this remote has to heed now; the same object as long as nothing changes. */
    Parts parts(Remote remote) {
        return directory == null
                ? Parts.NONE
                : of(remote.mirror()).parts(remote.args().oneFileSystem());
    }

    private synchronized InnerMounts of(Mirror mirror) {
        if (table == null) {
            table = new MountTable();
        }
        return known.computeIfAbsent(mirror.id(), id -> {
            try {
                return new InnerMounts(mirror, table, directory.resolve(id));
            } catch (IOException e) {
                throw new UncheckedIOException(directory.resolve(id) + " cannot be read", e);
            }
        });
    }

    /** Which parts of the mirror are halted, in one line; null: none. */
    public String problem(Mirror mirror) {
        Collection<Remote> remotes = mirrors.remotesOf(mirror.id());
        return directory == null || remotes.isEmpty() ? null : of(mirror).problem(mirror.isOfOneFileSystem());
    }

    /** Called with each message of a watch: what was deleted before our eyes is no accident. */
    public void seen(@Header("mirror") String mirror, @Body ChangeSet changes) {
        InnerMounts looked;
        synchronized (this) {
            looked = known.get(mirrors.mirror(mirror).id());
        }
        if (looked != null) {
            looked.seen(changes);
        }
    }

    /** A person says that what is not mounted any more is right as it is: it is mirrored like all else. */
    public void accept(Mirror mirror) {
        if (directory != null) {
            of(mirror).accept();
        }
    }

    /** What a remote is to be sent, for it was mounted again or is right without. */
    public record Owed(Mirror mirror, Remote remote, ChangeSet changes) {}

    /** All that is owed, remote by remote. */
    public List<Owed> owed() {
        List<Owed> owed = new ArrayList<>();
        for (Mirror mirror : directory == null ? List.<Mirror>of() : mirrors.mirrors()) {
            ChangeSet changes = of(mirror).owed();
            if (!changes.isEmpty()) {
                mirrors.remotesOf(mirror.id()).forEach(remote -> owed.add(new Owed(mirror, remote, changes)));
            }
        }
        return owed;
    }

    /** All of that is on its way. */
    public void paid(List<Owed> owed) {
        owed.forEach(one -> of(one.mirror()).paid(one.changes()));
    }

    /**
     * The list for a call, for the moment before rsync starts; what is mounted there stays so until it is closed, or for as
     * long as is bearable.
     *
     * @param places what is mounted and the call is about
     * @param right asked once they are held: whether the call may still be made
     * @param looksAtOnce whether rsync looks at the source in its first moments, and must not do so once these are not
     *     mounted any more
     * @return null: it may not, or there is nothing to do
     */
    InputStream held(
            Remote remote,
            Collection<String> places,
            BooleanSupplier right,
            boolean looksAtOnce,
            Supplier<InputStream> list) {
        if (places.isEmpty()) {
            return right.getAsBoolean() ? list.get() : null;
        }
        String root = ByteString.of(remote.mirror().source().toString());
        List<Integer> descriptors =
                places.stream().map(place -> LibC.hold(root + "/" + place)).toList();
        InputStream told = null;
        try {
            told = right.getAsBoolean() ? list.get() : null;
        } finally {
            if (told == null) {
                HeldList.release(descriptors);
            }
        }
        BooleanSupplier mounted = () -> parts(remote).mounted().containsAll(places);
        return told == null ? null : new HeldList(told, descriptors, looksAtOnce ? mounted : null);
    }

    @Override
    public synchronized void close() {
        if (table != null) {
            table.close();
            table = null;
        }
    }
}
