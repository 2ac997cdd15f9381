package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Following.Seen;
import io.dromedary.mirror.Following.What;
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
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What rsync must not come upon where it follows links and goes through directories by itself. After a link that leads
 * nowhere it deletes nothing at all, and ends with 23; in a link to a directory above it goes round until the path is too
 * long. So both are looked for before, and hidden from it by rules.
 *
 * <p>What the remote has by such a name is deleted: nothing is behind the link. But it stays where a file system is not
 * mounted, or may not be.
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
                if (left.isDirectory(remote, path) && !excludes.matches(path, true)) {
                    waiting.addLast(path);
                }
            }
        }
        left.tell(remote);
        return left;
    }

    private boolean isDirectory(Remote remote, String path) {
        try {
            Seen seen = mirror.behind().look(remote.following(), path, false);
            return !add(path, seen) && seen.what() == What.DIRECTORY;
        } catch (PosixException e) {
            return false;
        }
    }

    /** Leaves out a link that leads nowhere, or round; returns whether it is one. */
    boolean add(String path, Seen seen) {
        switch (seen.what()) {
            case NOWHERE, CYCLE -> deleted.add(path);
            case MISSING -> kept.add(path);
            default -> {
                return false;
            }
        }
        return true;
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
        if (!isEmpty()) {
            List<String> all = new ArrayList<>(deleted);
            all.addAll(kept);
            LOG.info("{}: links that lead nowhere or round are left out: {}", remote.id(), some(all));
        }
    }

    private static String some(List<String> paths) {
        String named = paths.stream().limit(TOLD).map(ByteString::readable).collect(Collectors.joining(", "));
        return paths.size() > TOLD ? named + " and " + (paths.size() - TOLD) + " more" : named;
    }
}
