package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.Entries;
import io.dromedary.posix.PosixException;
import io.dromedary.push.RsyncCalls.Call;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;

/**
 * The calls of one push to a remote below whose source file systems are mounted: what they are about stays mounted while rsync
 * looks at it, or the call is not made.
 */
final class MountedCalls {
    static final String CHANGED = "something was mounted or unmounted meanwhile";

    private final Mounts mounts;
    private final Remote remote;
    private final Parts parts;

    /** @param parts what the calls are made for */
    MountedCalls(Mounts mounts, Remote remote, Parts parts) {
        this.mounts = mounts;
        this.remote = remote;
        this.parts = parts;
    }

    /** The same calls; they fail, and are tried again, once something else is mounted than when they were made. */
    Iterable<Call> held(Iterable<Call> calls, ChangeSet changes) {
        List<String> places = parts.mounted().stream().filter(changes::concerns).toList();
        return () -> {
            Iterator<Call> all = calls.iterator();
            return new Iterator<>() {
                @Override
                public boolean hasNext() {
                    return all.hasNext();
                }

                @Override
                public Call next() {
                    Call call = all.next();
                    return new Call(
                            call.directory(),
                            call.arguments(),
                            () -> mounts.held(
                                    remote, places, MountedCalls.this::isUnchanged, !isProtected(call), call.list()));
                }
            };
        };
    }

    /** Whether it deletes nothing where something is mounted. */
    private boolean isProtected(Call call) {
        return !parts.protection().isEmpty() && Collections.indexOfSubList(call.arguments(), parts.protection()) >= 0;
    }

    private boolean isUnchanged() {
        if (mounts.parts(remote) != parts) {
            throw PartialException.of(23, CHANGED, null);
        }
        return true;
    }

    /**
     * First those calls, then, made one after the other, those that delete what is too much where something is mounted. What
     * is not mounted any more by then is left as it is.
     *
     * @param deep the directories that rsync has gone through by itself
     * @param most of the directories in one call
     * @param extraneous the calls that delete what is too much in these directories, and not below them
     */
    Iterable<Call> deletingApart(
            Iterable<Call> first, List<String> deep, int most, Function<List<String>, List<Call>> extraneous) {
        Deque<String> waiting = new ArrayDeque<>();
        for (String top : deep) {
            if (parts.isInMount(top)) {
                waiting.add(top);
            } else {
                parts.mounted().stream()
                        .filter(place -> top.isEmpty() || Parts.isAtOrBelow(place, top))
                        .filter(place -> !parts.isInMount(RsyncCalls.parent(place)))
                        .forEach(waiting::add);
            }
        }
        return () -> new Iterator<>() {
            private final Iterator<Call> before = first.iterator();
            private final Deque<Call> ready = new ArrayDeque<>();

            @Override
            public boolean hasNext() {
                while (!before.hasNext() && ready.isEmpty() && !waiting.isEmpty()) {
                    List<String> directories = directories(waiting, most);
                    if (!directories.isEmpty()) {
                        extraneous.apply(directories).forEach(call -> ready.add(whileMounted(call, directories)));
                    }
                }
                return before.hasNext() || !ready.isEmpty();
            }

            @Override
            public Call next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                return before.hasNext() ? before.next() : ready.removeFirst();
            }
        };
    }

    private Call whileMounted(Call call, Collection<String> directories) {
        List<String> places = parts.mounted().stream()
                .filter(place -> directories.stream().anyMatch(directory -> directory.startsWith(place + "/")))
                .toList();
        return new Call(
                call.directory(),
                call.arguments(),
                () -> mounts.held(
                        remote, places, () -> mounts.parts(remote).mounted().containsAll(places), true, call.list()));
    }

    /** The next directories, each with a slash at its end, of those that wait, with all that are below them. */
    private List<String> directories(Deque<String> waiting, int most) {
        Excludes excludes = remote.excludes();
        String root = ByteString.of(remote.mirror().source().toString());
        List<String> directories = new ArrayList<>();
        while (!waiting.isEmpty() && directories.size() < most) {
            String directory = waiting.removeLast();
            boolean is;
            try {
                is = Entries.list(root + "/" + directory, (name, isDirectory) -> {
                    String path = directory.isEmpty() ? name : directory + "/" + name;
                    if (isDirectory && !excludes.matches(path, true) && !parts.leavesOut(path)) {
                        waiting.addLast(path);
                    }
                });
            } catch (PosixException e) {
                // rsync has said why it cannot be read, and deletes nothing in it.
                is = false;
            }
            if (is) {
                directories.add(directory + "/");
            }
        }
        return directories;
    }
}
