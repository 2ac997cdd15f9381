package io.dromedary.push;

import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.OwnerOnly;
import io.dromedary.push.RsyncCalls.Call;
import io.dromedary.setup.SetUpCheck;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.camel.Body;
import org.apache.camel.Header;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands before each push so that nothing is deleted by accident: the source has to be the directory that is watched,
 * a full sync does not empty the remotes because a mount is missing, and deletes no more than max-delete.
 *
 * <p>What a mirror's source was like is kept in {@code mirrors/MIRROR} below the state directory, over restarts: that
 * it had anything in it, and whether it was a mount point. A source that is empty when it is synced in full, or gets what
 * an earlier run still owed, though no event emptied it, is a mount point without its mount; and so is one that was a mount
 * point and is none now, whatever is in it. Who knows better deletes that file.
 */
public final class Guard {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");
    private static final String FILLED = "had files when it was last pushed\n";
    private static final String MOUNTED = "was a mount point\n";

    private Path marks;
    private Mirrors mirrors;
    private RsyncCalls rsyncCalls;
    private RsyncProcess rsyncProcess;
    private Receivers receivers;
    private SetUpCheck setUp;
    private String command;
    private int maxDelete;
    /** By remote, how many deletions a full sync was stopped for, and how many a person has allowed. */
    private final Map<String, Integer> refused = new ConcurrentHashMap<>();

    private final Map<String, Integer> allowed = new ConcurrentHashMap<>();
    /** Remotes that were last halted because of their source. */
    private final Set<String> halted = ConcurrentHashMap.newKeySet();

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

    public void setSetUp(SetUpCheck setUp) {
        this.setUp = setUp;
    }

    public void setReceivers(Receivers receivers) {
        this.receivers = receivers;
    }

    public void setCommand(String command) {
        this.command = command;
    }

    /** The most entries that a full sync may delete; blank: any number. */
    public void setMaxDelete(String maxDelete) {
        this.maxDelete = maxDelete.isBlank() ? Integer.MAX_VALUE : Integer.parseInt(maxDelete.strip());
    }

    /** Called with each message of a watch: a source that had files and is empty after an event was emptied by it. */
    public void seen(@Header("mirror") String mirrorId) throws IOException {
        Mirror mirror = mirrors.mirror(mirrorId);
        // First what is the case next to never: this comes with each change.
        if (!mirror.isEmpty() || !mirror.wasFilled()) {
            return;
        }
        Path mark = marks.resolve(mirrorId);
        if (mirror.problem() == null && (mirror.isMountPoint() || !belongsOnMount(read(mark)))) {
            Files.deleteIfExists(mark);
        }
    }

    /** Throws a {@link HaltedException} if this push could delete by accident. */
    public void check(@Header("remote") String remoteId, @Body Batch batch) throws IOException {
        Remote remote = mirrors.remote(remoteId);
        Mirror mirror = remote.mirror();
        String eatsItself = setUp.problem(remote);
        if (eatsItself != null) {
            throw new HaltedException(eatsItself);
        }
        try {
            checkSource(remote, batch.isEverything() || batch.isRedelivery());
            halted.remove(remoteId);
        } catch (HaltedException e) {
            halted.add(remoteId);
            throw e;
        }
        boolean anyNumber = allowed.getOrDefault(remoteId, 0) == Integer.MAX_VALUE;
        if (batch.isEverything() && remote.delete() && maxDelete < Integer.MAX_VALUE && !anyNumber) {
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

    private void checkSource(Remote remote, boolean mayNotBeEmpty) throws IOException {
        Mirror mirror = remote.mirror();
        Path mark = marks.resolve(mirror.id());
        boolean mounted = mirror.isMountPoint();
        String known = read(mark);
        checkPlace(remote, mounted, known);
        if (!mirror.isEmpty()) {
            String now = mounted ? FILLED + MOUNTED : FILLED;
            if (!now.equals(known)) {
                write(mark, now);
            }
        } else if (mayNotBeEmpty && known != null) {
            throw new HaltedException("source " + mirror.source() + " is empty and no event emptied it: is a mount"
                    + " missing? If this is right: dromedary resume " + remote.id());
        }
    }

    /** Why nothing may be pushed to this remote, or compared with it, because of its source; null: all is well. */
    public String problem(String remoteId) throws IOException {
        try {
            checkSource(mirrors.remote(remoteId), true);
            return null;
        } catch (HaltedException e) {
            return e.getMessage();
        }
    }

    /** The remotes that were halted because of their source, which is the right one again. */
    public List<String> back() throws IOException {
        List<String> back = new ArrayList<>();
        for (String remoteId : halted) {
            if (problem(remoteId) == null) {
                back.add(remoteId);
            }
        }
        return back;
    }

    /** A person says that what halts this remote is right: the next full sync does it. */
    public void allow(String remoteId) throws IOException {
        Remote remote = mirrors.remote(remoteId);
        Mirror mirror = remote.mirror();
        mirror.accept();
        mirror.behind().accept();
        Path mark = marks.resolve(mirror.id());
        boolean mountIsMissing = !mirror.isMountPoint() && belongsOnMount(read(mark));
        if (mirror.problem() == null && (mirror.isEmpty() || mountIsMissing)) {
            Files.deleteIfExists(mark);
        }
        Integer deletions = refused.get(remoteId);
        if (deletions != null) {
            allowed.put(remoteId, deletions);
        }
    }

    /** What cannot be counted is any number: only a remote that is down is tried again without a person's word. */
    private int deletions(Remote remote, Batch batch) {
        try {
            return receivers.repeated(remote, () -> {
                int deletions = 0;
                for (Call call : rsyncCalls.callsFor(remote, batch.changes())) {
                    deletions += RsyncProcess.deletions(rsyncProcess.dryRun(command, call));
                }
                return deletions;
            });
        } catch (RsyncException e) {
            if (e.getMeaning() == Meaning.AGAIN) {
                throw e;
            }
            refused.put(remote.id(), Integer.MAX_VALUE);
            throw new HaltedException("how many entries a full sync would delete cannot be counted, max-delete is "
                    + maxDelete + ": " + e.getMessage() + "; if any number is right: dromedary resume " + remote.id());
        }
    }

    private static void checkPlace(Remote remote, boolean mounted, String known) {
        Mirror mirror = remote.mirror();
        if (mounted && !mirror.wasMountPoint() && belongsOnMount(known)) {
            // What was at its place at the start was the bare mount point.
            mirror.accept();
        }
        String problem = mirror.problem();
        if (problem != null) {
            throw new HaltedException(problem);
        }
        if (!mounted && belongsOnMount(known)) {
            throw new HaltedException("source " + mirror.source() + " was a mount point and is none now: its mount is"
                    + " missing; it goes on when that is back. If this is right: dromedary resume " + remote.id());
        }
    }

    private static boolean belongsOnMount(String known) {
        return known != null && known.contains(MOUNTED);
    }

    /** What is known of a mirror's source; null: nothing. */
    private static String read(Path mark) throws IOException {
        try {
            return Files.readString(mark);
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** One at a time: the pushes to several remotes come here together. */
    private synchronized void write(Path mark, String text) {
        try {
            Files.createDirectories(marks, OwnerOnly.directory());
            Path written = mark.resolveSibling(mark.getFileName() + ".new");
            Files.deleteIfExists(written);
            Files.createFile(written, OwnerOnly.file());
            Files.writeString(written, text);
            Files.move(written, mark, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.error(
                    "{}: cannot write it, an empty source after the next start will not be noticed: {}",
                    mark,
                    e.toString());
        }
    }
}
