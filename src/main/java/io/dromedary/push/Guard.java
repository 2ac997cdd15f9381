package io.dromedary.push;

import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.RsyncCalls.Call;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.apache.camel.Body;
import org.apache.camel.Header;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands before each push so that nothing is deleted by accident: the source has to be the directory that is watched,
 * a full sync does not empty the remotes because a mount is missing, and deletes no more than max-delete.
 *
 * <p>Whether a mirror's source had anything in it is kept in {@code mirrors/MIRROR} below the state directory, over
 * restarts: a source that is empty when it is synced in full, though no event emptied it, is a mount point without its
 * mount. Who knows better deletes that file.
 */
public final class Guard {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");
    private static final String FILLED = "had files when it was last pushed\n";
    private static final String DELETED = "Number of deleted files: ";

    private Path marks;
    private Mirrors mirrors;
    private RsyncCalls rsyncCalls;
    private RsyncProcess rsyncProcess;
    private String command;
    private int maxDelete;
    /** By remote, how many deletions a full sync was stopped for, and how many a person has allowed. */
    private final Map<String, Integer> refused = new ConcurrentHashMap<>();

    private final Map<String, Integer> allowed = new ConcurrentHashMap<>();

    public void setStateDir(String stateDir) {
        this.marks = Path.of(stateDir).toAbsolutePath().normalize().resolve("mirrors");
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setRsyncCalls(RsyncCalls rsyncCalls) {
        this.rsyncCalls = rsyncCalls;
    }

    public void setRsyncProcess(RsyncProcess rsyncProcess) {
        this.rsyncProcess = rsyncProcess;
    }

    public void setCommand(String command) {
        this.command = command;
    }

    /** The most entries that a full sync may delete; blank: any number. */
    public void setMaxDelete(String maxDelete) {
        this.maxDelete = maxDelete.isBlank() ? Integer.MAX_VALUE : Integer.parseInt(maxDelete.strip());
    }

    /** Called with each message of a watch: a source that is empty after an event was emptied by it. */
    public void seen(@Header("mirror") String mirrorId) throws IOException {
        Mirror mirror = mirrors.mirror(mirrorId);
        mirror.seen();
        Path mark = marks.resolve(mirrorId);
        if (mirror.problem() == null && isEmpty(mirror) && Files.exists(mark)) {
            Files.delete(mark);
        }
    }

    /** Throws a {@link HaltedException} if this push could delete by accident. */
    public void check(@Header("remote") String remoteId, @Body Batch batch) throws IOException {
        Remote remote = mirrors.remote(remoteId);
        Mirror mirror = remote.mirror();
        String problem = mirror.problem();
        if (problem != null) {
            throw new HaltedException(problem);
        }
        Path mark = marks.resolve(mirror.id());
        if (!isEmpty(mirror)) {
            fill(mark);
        } else if (batch.isEverything() && Files.exists(mark)) {
            throw new HaltedException("source " + mirror.source() + " is empty and no event emptied it: is a mount"
                    + " missing? If this is right: dromedary resume " + remoteId);
        }
        if (batch.isEverything() && remote.delete() && maxDelete < Integer.MAX_VALUE) {
            int deletions = deletions(remote, batch);
            if (deletions > Math.max(maxDelete, allowed.getOrDefault(remoteId, 0))) {
                refused.put(remoteId, deletions);
                throw new HaltedException("a full sync would delete " + deletions + " entries, max-delete is "
                        + maxDelete + "; if this is right: dromedary resume " + remoteId);
            }
            if (deletions <= maxDelete) {
                allowed.remove(remoteId);
            }
            refused.remove(remoteId);
        }
    }

    /** A person says that what halts this remote is right: the next full sync does it. */
    public void allow(String remoteId) throws IOException {
        Remote remote = mirrors.remote(remoteId);
        Mirror mirror = remote.mirror();
        mirror.accept();
        if (mirror.problem() == null && isEmpty(mirror)) {
            Files.deleteIfExists(marks.resolve(mirror.id()));
        }
        Integer deletions = refused.get(remoteId);
        if (deletions != null) {
            allowed.put(remoteId, deletions);
        }
    }

    private int deletions(Remote remote, Batch batch) {
        int deletions = 0;
        for (Call call : rsyncCalls.callsFor(remote, batch.changes())) {
            deletions += rsyncProcess
                    .dryRun(command, call)
                    .lines()
                    .filter(line -> line.startsWith(DELETED))
                    .mapToInt(line ->
                            Integer.parseInt(line.substring(DELETED.length()).split(" ")[0]))
                    .sum();
        }
        return deletions;
    }

    private static boolean isEmpty(Mirror mirror) throws IOException {
        // No more than the first entry is read: this comes with each push, and a root may hold very many.
        try (Stream<Path> entries = Files.list(mirror.source())) {
            return entries.findAny().isEmpty();
        } catch (NoSuchFileException | NotDirectoryException e) {
            return true;
        }
    }

    /** One at a time: the pushes to several remotes come here together. */
    private synchronized void fill(Path mark) {
        if (Files.exists(mark)) {
            return;
        }
        try {
            Files.createDirectories(
                    marks, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            Path written = mark.resolveSibling(mark.getFileName() + ".new");
            Files.deleteIfExists(written);
            Files.createFile(
                    written, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.writeString(written, FILLED);
            Files.move(written, mark, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.error(
                    "{}: cannot write it, an empty source after the next start will not be noticed: {}",
                    mark,
                    e.toString());
        }
    }
}
