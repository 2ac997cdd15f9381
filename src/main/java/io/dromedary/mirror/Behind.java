package io.dromedary.mirror;

import io.dromedary.change.ByteString;
import io.dromedary.mirror.Following.Seen;
import io.dromedary.mirror.Following.What;
import io.dromedary.posix.Entries;
import io.dromedary.posix.OwnerOnly;
import io.dromedary.posix.Stat;
import io.dromedary.posix.Way;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * On which file systems lies what a mirror's followed links lead to: one that is not mounted any more is no reason to delete
 * what was behind the link. Other file systems than the source's are kept in the state directory, over restarts.
 */
public final class Behind {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary");

    /** Links of which it is known where they lead. What is behind others, and gone, stays at the remotes. */
    private static final int MOST = 50_000;

    /** No device's number: its minor part has 20 bits. */
    private static final long UNKNOWN = -1;

    private final String root;
    /** Null: nothing is kept. */
    private final Path file;

    private final Map<String, Place> places = new HashMap<>();
    /** Mount points of which it was said that nothing is mounted there. */
    private final Set<String> told = new HashSet<>();

    /**
     * Where a link has led.
     *
     * @param device {@link #UNKNOWN} if it has led nowhere since the start, or was not looked at yet
     * @param mountPoint where that is mounted; null: it is the source's own
     */
    private record Place(long device, String mountPoint) {}

    /** @param file kept in the state directory, each line a mount point, a tab and the link's path */
    Behind(String root, Path file) {
        this.root = root;
        this.file = file;
        if (file == null || !Files.exists(file)) {
            return;
        }
        try {
            Files.readString(file, StandardCharsets.ISO_8859_1).lines().forEach(line -> {
                String[] parts = line.split("\t", 2);
                if (parts.length == 2) {
                    places.put(ByteString.unescape(parts[1]), new Place(UNKNOWN, ByteString.unescape(parts[0])));
                }
            });
        } catch (IOException | IllegalArgumentException e) {
            LOG.warn("{}: cannot be read, where links lead is looked at anew: {}", file, e.toString());
        }
    }

    /**
     * What rsync takes a path for, but for what is only not mounted.
     *
     * @param changed whether something has just happened to the path; a new link that leads nowhere has nothing behind it
     */
    public Seen look(Following following, String path, boolean changed) {
        Seen seen = following.look(root, path);
        return seen.followed() && isMissing(path, seen, changed) ? new Seen(What.MISSING, seen.stat(), true) : seen;
    }

    private synchronized boolean isMissing(String path, Seen seen, boolean changed) {
        Place place = places.get(path);
        boolean nowhere = seen.what() == What.NOWHERE;
        if (place != null && !nowhere && place.device() == seen.stat().dev()) {
            return false;
        }
        if (place == null && nowhere) {
            remember(path, new Place(changed ? seen.stat().dev() : UNKNOWN, null));
            return !changed;
        }
        if (place != null && nowhere && place.mountPoint() == null) {
            return place.device() == UNKNOWN;
        }
        Way way = Way.along(root + "/" + path);
        if (place != null && place.mountPoint() != null && isAtOrBelow(way.aim(), place.mountPoint())) {
            if (!isMounted(place.mountPoint())) {
                return true;
            }
            if (nowhere) {
                return false;
            }
        }
        Stat source = Entries.stat(root + "/.");
        boolean other =
                !nowhere && source != null && source.dev() != seen.stat().dev();
        remember(path, new Place(seen.stat().dev(), other ? mountPoint(way.end()) : null));
        return false;
    }

    private boolean isMounted(String mountPoint) {
        if (Entries.isMountPoint(mountPoint + "/.")) {
            told.remove(mountPoint);
            return true;
        }
        if (told.add(mountPoint)) {
            LOG.warn(
                    "{}: nothing is mounted there any more; what links of {} lead to there stays at the remotes",
                    ByteString.readable(mountPoint),
                    ByteString.readable(root));
        }
        return false;
    }

    private static String mountPoint(String end) {
        String at = end;
        while (!at.isEmpty() && !Entries.isMountPoint(at + "/.")) {
            at = at.substring(0, at.lastIndexOf('/'));
        }
        // The system's root is always mounted; a file that is a mount point itself counts for what is above it.
        return at.isEmpty() ? null : at;
    }

    private static boolean isAtOrBelow(String path, String directory) {
        return path.equals(directory) || path.startsWith(directory + "/");
    }

    private void remember(String path, Place place) {
        Place before = places.get(path);
        if (before == null && places.size() >= MOST) {
            return;
        }
        places.put(path, place);
        String kept = before == null ? null : before.mountPoint();
        if (kept == null ? place.mountPoint() != null : !kept.equals(place.mountPoint())) {
            write();
        }
    }

    /** A person says that all is right as it is now. */
    public synchronized void accept() {
        places.clear();
        told.clear();
        write();
    }

    private void write() {
        if (file == null) {
            return;
        }
        StringBuilder lines = new StringBuilder();
        new TreeMap<>(places).forEach((path, place) -> {
            if (place.mountPoint() != null) {
                lines.append(ByteString.escape(place.mountPoint()))
                        .append('\t')
                        .append(ByteString.escape(path))
                        .append('\n');
            }
        });
        try {
            if (lines.length() == 0) {
                Files.deleteIfExists(file);
                return;
            }
            Files.createDirectories(file.getParent(), OwnerOnly.directory());
            Path written = file.resolveSibling(file.getFileName() + ".new");
            Files.deleteIfExists(written);
            Files.createFile(written, OwnerOnly.file());
            Files.writeString(written, lines, StandardCharsets.ISO_8859_1);
            Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.error(
                    "{}: cannot write it, after a restart a missing mount behind a link goes unnoticed: {}",
                    file,
                    e.toString());
        }
    }
}
