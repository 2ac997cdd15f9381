package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.Entries;
import io.dromedary.posix.PosixException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangePropertyKey;

/**
 * Decides what follows when calls of a push have not got all of their paths through: the paths that rsync names wait by
 * themselves, all others are through. What may go through the next time is tried soon, and so is the rest of a list that
 * ended at one file. Where rsync's words name no path, the push as a whole has failed.
 */
public final class Partial {
    /** Tries more, 0.1, 0.3 and 0.9 s later, of what most likely changed while it was sent. */
    private static final int MOST_RETRIES = 3;

    private static final long FIRST_PAUSE = 100;

    /** One path more is left out each time. */
    private static final int MOST_WITHOUT = 5;

    /** Where more files than that have no room, one after the other, the disk is full, and the remote is down. */
    private static final int MOST_TOO_LARGE = 2;

    /** By remote: what had no room since a push, large files apart, last found room for all the rest. */
    private final Map<String, Map<String, Refusal>> withoutRoom = new ConcurrentHashMap<>();

    private Mirrors mirrors;

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    /** Notes that the call which has just run has not got all of its paths through. */
    public void remember(Exchange exchange) {
        exchange.getProperty("batch", Batch.class).partial((RsyncException)
                RsyncException.in(exchange.getProperty(ExchangePropertyKey.EXCEPTION_CAUGHT, Exception.class)));
    }

    /** Once all calls of a try have run: says what the next try is about, if there is to be one; throws if all is to wait. */
    public void settle(Exchange exchange) {
        Batch batch = exchange.getProperty("batch", Batch.class);
        List<RsyncException> failed = batch.takePartial();
        batch.finish();
        Remote remote = mirrors.remote(exchange.getMessage().getHeader("remote", String.class));
        List<Refusal> passing = new ArrayList<>();
        List<Refusal> holding = new ArrayList<>();
        Map<String, Refusal> refused = new TreeMap<>();
        RsyncException incomplete = null;
        for (RsyncException call : failed) {
            Collection<Refusal> refusals = refusals(remote, batch, call);
            if (refusals == null) {
                // Not known path by path: all of it again.
                batch.refused().clear();
                again(batch, null, call, MOST_RETRIES);
                return;
            }
            for (Refusal refusal : refusals) {
                boolean holds = isIncomplete(call, refusal);
                if (refusal.lasting() || call.isCut() || holds && batch.tries() >= MOST_RETRIES) {
                    refused.put(refusal.path(), refusal);
                    incomplete = holds ? call : incomplete;
                } else if (holds) {
                    holding.add(refusal);
                } else {
                    passing.add(refusal);
                }
            }
        }
        batch.refused().putAll(refused);
        if (!batch.lane().isLarge() && isFull(remote, batch, refused.values())) {
            batch.refused().clear();
            throw failed.get(0);
        }
        if (incomplete != null) {
            if (batch.tries() == MOST_WITHOUT) {
                batch.refused().clear();
            }
            again(batch, batch.toPush(), incomplete, MOST_WITHOUT);
        } else if (!holding.isEmpty()) {
            // Changed while it was read, and the call has deleted nothing for its sake.
            again(batch, batch.toPush(), failed.get(0), MOST_RETRIES);
        } else if (!passing.isEmpty() && batch.tries() < MOST_RETRIES) {
            ChangeSet some = new ChangeSet();
            passing.forEach(refusal -> some.add(refusal.path(), refusal.deep() || isDeep(batch, refusal)));
            again(batch, some, failed.get(0), MOST_RETRIES);
        } else {
            passing.forEach(refusal -> batch.refused().put(refusal.path(), refusal));
        }
    }

    /**
     * Whether a disk is full, rather than a few files too large for it: then nothing goes through, whatever is left out. The
     * next try leaves out all that is known to have no room, so that the rest gets through in the end.
     */
    private boolean isFull(Remote remote, Batch batch, Collection<Refusal> refused) {
        List<Refusal> now = refused.stream().filter(Refusal::hasNoRoom).toList();
        if (now.isEmpty()) {
            if (!batch.through().isEmpty()) {
                withoutRoom.remove(remote.id());
            }
            return false;
        }
        Map<String, Refusal> all = withoutRoom.computeIfAbsent(remote.id(), id -> new ConcurrentHashMap<>());
        now.forEach(refusal -> all.put(refusal.path(), refusal));
        all.forEach((path, refusal) -> {
            if (batch.changes().covers(path, refusal.deep())) {
                batch.refused().put(path, refusal);
            }
        });
        boolean nothingLeft = batch.through().isEmpty();
        return all.size() > MOST_TOO_LARGE && (nothingLeft || batch.tries() > 0);
    }

    /**
     * Lets the batch be pushed without the paths that spoilt a dry run of it.
     *
     * @return whether that may be all it needs; not if it is not known which these are
     */
    static boolean leaveOut(Remote remote, Batch batch, RsyncException call) {
        Collection<Refusal> refusals = refusals(remote, batch, call);
        if (refusals == null) {
            return false;
        }
        refusals.stream().filter(Refusal::lasting).forEach(refusal -> batch.refused()
                .put(refusal.path(), refusal));
        return true;
    }

    private static void again(Batch batch, ChangeSet some, RsyncException failure, int most) {
        if (batch.tries() >= most) {
            throw failure;
        }
        // Where one path more is left out there is nothing to wait for.
        batch.tryAgain(some, most == MOST_WITHOUT ? 0 : FIRST_PAUSE * (long) Math.pow(3, batch.tries()));
    }

    /** Whether more than that path did not go through for its sake. */
    private static boolean isIncomplete(RsyncException call, Refusal refusal) {
        return call.isCut() || call.told().deletes() && refusal.unread();
    }

    /** Null if they are not known. */
    private static Collection<Refusal> refusals(Remote remote, Batch batch, RsyncException call) {
        RsyncException.Told told = call.told();
        return told == null
                ? null
                : Refusal.in(
                        told.text(),
                        Refusal.Places.of(remote, told.directory()),
                        batch.changes(),
                        path -> exists(remote, path));
    }

    private static boolean isDeep(Batch batch, Refusal refusal) {
        return batch.changes().covers(refusal.path(), true);
    }

    private static boolean exists(Remote remote, String path) {
        try {
            return Entries.lstat(ByteString.of(remote.mirror().source().toString()) + "/" + path) != null;
        } catch (PosixException e) {
            return true;
        }
    }
}
