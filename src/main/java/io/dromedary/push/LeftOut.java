package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Following.Seen;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.Entries;
import io.dromedary.posix.Kind;
import io.dromedary.posix.PosixException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What rsync must not come upon where it follows links and goes through directories by itself. After a link that leads
 * nowhere it deletes nothing at all, and ends with 23; in a link to a directory above it goes round until the path is too
 * long. So both are looked for before, and hidden from it by rules.
 *
 * <p>What the remote has by such a name is deleted: nothing is behind the link. But where it is not known that something
 * was deleted there, it stays: a file system may not be mounted.
 */
final class LeftOut {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    /** Named in the log; of more the number is told. */
    private static final int TOLD = 3;

    private final Mirror mirror;
    private final List<String> deleted = new ArrayList<>();
    private final List<String> kept = new ArrayList<>();

    LeftOut(Mirror mirror) {
        this.mirror = mirror;
    }

    /** Goes through these directories, as rsync would for that remote; where it follows no links, nothing is left out. */
    static LeftOut below(Remote remote, Collection<String> tops) {
        LeftOut left = new LeftOut(remote.mirror());
        if (!remote.following().any()) {
            return left;
        }
        String root = ByteString.of(remote.mirror().source().toString());
        Excludes excludes = remote.excludes();
        Deque<String> waiting = new ArrayDeque<>(tops);
        while (!waiting.isEmpty()) {
            String directory = waiting.removeLast();
            String prefix = directory.isEmpty() ? "" : directory + "/";
            List<String> looked = new ArrayList<>();
            try {
                Entries.kinds(root + "/" + prefix + ".", (name, kind) -> {
                    boolean link = kind == Kind.LINK;
                    if ((link || kind == Kind.DIRECTORY) && !excludes.matches(prefix + name, !link)) {
                        looked.add(prefix + name);
                    }
                });
            } catch (PosixException e) {
                // rsync says why, when it comes there.
                continue;
            }
            for (String path : looked) {
                if (left.isDirectory(remote, root, path) && !excludes.matches(path, true)) {
                    waiting.addLast(path);
                }
            }
        }
        left.tell(remote);
        return left;
    }

    private boolean isDirectory(Remote remote, String root, String path) {
        try {
            Seen seen = remote.following().look(root, path);
            return switch (seen.what()) {
                case NOWHERE, CYCLE -> {
                    add(path, seen, false);
                    yield false;
                }
                case DIRECTORY -> {
                    mirror.seen(path, seen);
                    yield true;
                }
                case ENTRY -> {
                    mirror.seen(path, seen);
                    yield false;
                }
                case GONE -> false;
            };
        } catch (PosixException e) {
            return false;
        }
    }

    /**
     * Leaves out a link that leads nowhere, or round.
     *
     * @param changed whether something has just happened to it
     */
    void add(String path, Seen seen, boolean changed) {
        (mirror.isGoneBehind(path, seen, changed) ? deleted : kept).add(path);
    }

    boolean isEmpty() {
        return deleted.isEmpty() && kept.isEmpty();
    }

    /** Those of which the remote keeps nothing. */
    List<String> deleted() {
        return deleted;
    }

    /** rsync(1), "FILTER RULES", each as the first: hide, which does not protect; exclude, which does. */
    List<String> rules() {
        List<String> rules = new ArrayList<>();
        deleted.forEach(path -> rules.add("H /" + RsyncCalls.literal(path)));
        kept.forEach(path -> rules.add("- /" + RsyncCalls.literal(path)));
        return rules;
    }

    private void tell(Remote remote) {
        if (isEmpty()) {
            return;
        }
        List<String> all = new ArrayList<>(deleted);
        all.addAll(kept);
        List<String> named = all.stream().limit(TOLD).map(ByteString::readable).toList();
        LOG.info(
                "{}: links that lead nowhere or round are left out: {}{}",
                remote.id(),
                String.join(", ", named),
                all.size() > TOLD ? " and " + (all.size() - TOLD) + " more" : "");
    }
}
