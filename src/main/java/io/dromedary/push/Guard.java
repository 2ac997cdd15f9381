package io.dromedary.push;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.PosixException;
import io.dromedary.push.RsyncCalls.Call;
import io.dromedary.setup.SetUpCheck;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.camel.Body;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangeProperty;
import org.apache.camel.Header;

/**
 * Stands before each push so that nothing is deleted by accident: the source has to be the one it was ({@link
 * KnownSource}), a local target's file system has to be mounted ({@link Targets}), and a full sync deletes no more than
 * max-delete.
 */
public final class Guard {
    /** Each leaves out what the one before could not read. */
    private static final int MOST_COUNTS = 3;

    private final Map<String, KnownSource> sources = new ConcurrentHashMap<>();
    private Path directory;
    private Mirrors mirrors;
    private Targets targets;
    private RsyncCalls rsyncCalls;
    private RsyncProcess rsyncProcess;
    private Receivers receivers;
    private SetUpCheck setUp;
    private String command;
    private int maxDelete;
    /** By remote, how many deletions a full sync was stopped for, and how many a person has allowed. */
    private final Map<String, Integer> refused = new ConcurrentHashMap<>();

    private final Map<String, Integer> allowed = new ConcurrentHashMap<>();
    /** Remotes that were last halted because of their source or target. */
    private final Set<String> halted = ConcurrentHashMap.newKeySet();

    public void setStateDir(String stateDir) {
        this.directory = Path.of(stateDir).toAbsolutePath().normalize().resolve("mirrors");
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setTargets(Targets targets) {
        this.targets = targets;
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

    /** Looks at all sources, once they are watched and before anything is told of them. */
    public void open() {
        mirrors.mirrors().forEach(mirror -> source(mirror).open());
    }

    /** Called with each message of a watch: what was deleted before our eyes is no accident. */
    public void seen(@Header("mirror") String mirrorId, @Body ChangeSet changes) {
        source(mirrors.mirror(mirrorId)).seen(changes);
    }

    private KnownSource source(Mirror mirror) {
        return sources.computeIfAbsent(mirror.id(), id -> new KnownSource(mirror, directory.resolve(id)));
    }

    /** Throws a {@link HaltedException} if this push could delete by accident. */
    public void check(@Header("remote") String remoteId, @Body Batch batch) {
        if (batch.isDropped()) {
            return;
        }
        Remote remote = mirrors.remote(remoteId);
        String problem = problem(remote, batch.isEverything(), batch.isRedelivery());
        if (problem == null) {
            halted.remove(remoteId);
        } else {
            halted.add(remoteId);
            throw new HaltedException(problem);
        }
        targets.make(remote);
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

    /** Throws a {@link HaltedException} if the target, once all was pushed, is not the one it was. */
    public void checkTarget(@Header("remote") String remoteId) {
        String problem = targets.problem(mirrors.remote(remoteId), false);
        if (problem != null) {
            throw new HaltedException(problem);
        }
    }

    private String problem(Remote remote, boolean everything, boolean redelivery) {
        String eatsItself = setUp.problem(remote);
        if (eatsItself != null) {
            return eatsItself;
        }
        try {
            String problem = source(remote.mirror()).problem(remote.id(), everything || redelivery);
            return problem == null ? targets.problem(remote, everything) : problem;
        } catch (PosixException e) {
            return "source or target cannot be looked at: " + e.getMessage();
        }
    }

    /**
     * Why nothing may be pushed to this remote, or compared with it, because of its source or target; null: all is well.
     */
    public String problem(String remoteId) {
        return problem(mirrors.remote(remoteId), false, true);
    }

    /** After a push that failed. It may have been halted later than here: the source is looked at until rsync has its list. */
    public void failed(
            @Header("remote") String remoteId, @ExchangeProperty(Exchange.EXCEPTION_CAUGHT) Exception error) {
        if (RsyncException.in(error) instanceof HaltedException && !refused.containsKey(remoteId)) {
            halted.add(remoteId);
        }
    }

    /** The remotes that were halted because of their source or target, which is the right one again. */
    public List<String> back() {
        return halted.stream().filter(remote -> problem(remote) == null).toList();
    }

    /** A person says that what halts this remote is right: the next full sync does it. */
    public void allow(String remoteId) {
        Remote remote = mirrors.remote(remoteId);
        remote.mirror().behind().accept();
        targets.accept(remote);
        if (source(remote.mirror()).accept()) {
            mirrors.remotesOf(remote.mirror().id()).forEach(targets::owe);
        }
        Integer deletions = refused.get(remoteId);
        if (deletions != null) {
            allowed.put(remoteId, deletions);
        }
    }

    /** What cannot be counted is any number: only a remote that is down is tried again without a person's word. */
    private int deletions(Remote remote, Batch batch) {
        try {
            return receivers.repeated(remote, () -> counted(remote, batch));
        } catch (RsyncException e) {
            if (e.getMeaning() == Meaning.AGAIN) {
                throw e;
            }
            refused.put(remote.id(), Integer.MAX_VALUE);
            throw new HaltedException("how many entries a full sync would delete cannot be counted, max-delete is "
                    + maxDelete + ": " + e.getMessage() + "; if any number is right: dromedary resume " + remote.id());
        }
    }

    /** Where something cannot be read rsync deletes nothing, so it is counted without, as it is pushed without. */
    private int counted(Remote remote, Batch batch) {
        for (int tries = 1; ; tries++) {
            try {
                int deletions = 0;
                for (Call call : rsyncCalls.callsFor(remote, batch)) {
                    deletions += RsyncProcess.deletions(rsyncProcess.dryRun(command, call));
                }
                return deletions;
            } catch (PartialException e) {
                if (tries == MOST_COUNTS || !Partial.leaveOut(remote, batch, e)) {
                    throw e;
                }
            }
        }
    }
}
