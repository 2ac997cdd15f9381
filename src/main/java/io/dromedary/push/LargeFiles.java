package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * The files of each remote that are sent by pushes of their own: which are to come, and which are on their way. Whoever
 * changes such a path at the remote asks here first, for what is being sent is no more than what the path was.
 */
public final class LargeFiles {
    /** The directory beside a file where its remote keeps what it has got of it when the transfer is cut. */
    static final String PARTIAL = ".~dromedary~";

    /**
     * More than the sender's and the receiver's kernels, a remote shell and its channel hold of what was sent: a receiver
     * that lacks so much of a file cannot bring it to its end without us.
     */
    private static final long IN_BUFFERS = 32L << 20;

    /** In which a receiver puts aside what it has got when it sees that no more comes. */
    private static final long[] AFTER_CUT = {TimeUnit.SECONDS.toNanos(1), TimeUnit.SECONDS.toNanos(5)};

    /** A transfer that was ended here: when, and how often what it may have left was looked for. */
    private record Cut(long when, int looks) {}

    /** Cuts that are remembered. */
    private static final int MOST_CUT = 100;

    /** For so long, in nanoseconds, what rsync has told of its rate is believed. */
    private static final long STALLED = TimeUnit.SECONDS.toNanos(30);

    private static final String PLAIN = "[^A-Za-z0-9._/+=@,%~ -]";

    private long from = Long.MAX_VALUE;
    private final Map<String, Map<String, Sending>> sending = new HashMap<>();
    private final Map<String, Set<String>> owed = new HashMap<>();
    private final Map<String, Cut> cut = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Cut> eldest) {
            return size() > MOST_CUT;
        }
    };
    private Partials partials = new Partials();

    /** Bytes from which on a file is large, or with a suffix K, M or G. */
    public void setFrom(String size) {
        int unit = "KMG".indexOf(Character.toUpperCase(size.charAt(size.length() - 1)));
        String number = unit < 0 ? size : size.substring(0, size.length() - 1);
        this.from = Long.parseLong(number) << 10 * (unit + 1);
    }

    /** Where it is remembered which transfers may have been cut. */
    public void setStateDir(String stateDir) {
        this.partials =
                new Partials(Path.of(stateDir).toAbsolutePath().normalize().resolve("partial"));
    }

    /** Bytes from which on a file is large. */
    long from() {
        return from;
    }

    boolean isLarge(Stat stat) {
        return stat != null && stat.isRegular() && stat.size() >= from;
    }

    Partials partials() {
        return partials;
    }

    /** A large file that one rsync sends. */
    static final class Sending {
        private final String root;
        private final String path;
        private final Stat what;
        /** Where the file is by now. */
        private String name;

        private Process process;
        private boolean ended;
        private volatile Transfer transfer = Transfer.start();
        /** When rsync last told how far it is, by {@link System#nanoTime}. */
        private volatile long told = System.nanoTime();

        private Sending(String root, String path, Stat what) {
            this.root = root;
            this.path = path;
            this.what = what;
            this.name = path;
        }

        /** Called by whoever has started its rsync. */
        synchronized void by(Process started) {
            process = started;
            if (ended) {
                RsyncProcess.end(started);
            }
        }

        void told(String text) {
            transfer = transfer.after(text);
            told = System.nanoTime();
        }

        private Progress progress() {
            Transfer now = transfer;
            long rate = System.nanoTime() - told > STALLED ? 0 : now.bytesPerSecond();
            long sent = Math.min(now.bytes(), what.size());
            return new Progress(name, what.size(), sent, rate, rate == 0 ? -1 : (what.size() - sent) / rate);
        }

        synchronized boolean isEnded() {
            return ended;
        }

        /** Ends it, if the remote cannot have all of it already; returns whether it has come to that. */
        private synchronized boolean end() {
            if (process != null && !ended) {
                if (what.size() - position(process) < IN_BUFFERS) {
                    return false;
                }
                RsyncProcess.end(process);
            }
            ended = true;
            return true;
        }

        /** How far the sender has read, at most. */
        private static long position(Process process) {
            long furthest = 0;
            Path descriptors = Path.of("/proc", Long.toString(process.pid()), "fdinfo");
            try (DirectoryStream<Path> all = Files.newDirectoryStream(descriptors)) {
                for (Path one : all) {
                    for (String line : Files.readAllLines(one)) {
                        if (line.startsWith("pos:")) {
                            furthest = Math.max(
                                    furthest, Long.parseLong(line.substring(4).strip()));
                        }
                    }
                }
            } catch (IOException e) {
                return process.isAlive() ? Long.MAX_VALUE / 2 : 0;
            }
            return furthest;
        }
    }

    /** Begins to send what is at this path now, unless that batch was withdrawn meanwhile: then it has ended. */
    synchronized Sending begin(Remote remote, String path, Stat what, Batch batch) {
        Sending begun = new Sending(root(remote), path, what);
        begun.ended = batch.isWithdrawn();
        sending.computeIfAbsent(remote.id(), id -> new LinkedHashMap<>()).put(path, begun);
        return begun;
    }

    /**
     * A large file that is on its way to a remote, or waits for that.
     *
     * @param path a byte string, below the source
     * @param size bytes of the file
     * @param sent how far into the file it is; what the remote had before counts
     * @param bytesPerSecond of the last seconds, as rsync tells
     * @param secondsLeft negative: nobody can tell
     */
    public record Progress(String path, long size, long sent, long bytesPerSecond, long secondsLeft) {}

    /** What is on its way to this remote. */
    synchronized List<Progress> sending(String remote) {
        return sending.getOrDefault(remote, Map.of()).values().stream()
                .filter(one -> !one.isEnded())
                .map(Sending::progress)
                .toList();
    }

    /**
     * Ends the push of a large file, whether it is on its way already or about to be.
     *
     * @param path of its lane
     * @return whether it has come to that: the remote may have all of it already
     */
    synchronized boolean withdraw(String remote, String path, Batch batch, Batch.Withdrawn how) {
        Sending one = sending.getOrDefault(remote, Map.of()).get(path);
        // First: whoever waits for its end asks then.
        batch.withdraw(how);
        if (one != null && !one.isEnded()) {
            if (!one.end()) {
                batch.withdraw(Batch.Withdrawn.NO);
                return false;
            }
            cut.put(remote + " " + path, new Cut(System.nanoTime(), 0));
        }
        return true;
    }

    /** How long, in nanoseconds, the remote may still be busy with what was sent of this path when that was ended. */
    synchronized long pause(String remote, String path, long now) {
        Cut ended = cut.get(remote + " " + path);
        return ended == null ? 0 : Math.max(0, ended.when + AFTER_CUT[ended.looks] - now);
    }

    /** What may be left of this path is looked for; returns whether it has to be looked for once more. */
    synchronized boolean looked(String remote, String path) {
        Cut ended = cut.remove(remote + " " + path);
        if (ended == null || ended.looks + 1 == AFTER_CUT.length) {
            return false;
        }
        cut.put(remote + " " + path, new Cut(System.nanoTime(), ended.looks + 1));
        return true;
    }

    /** The push of this path has come to its end. */
    synchronized void ended(String remote, String path) {
        Map<String, Sending> all = sending.get(remote);
        if (all != null) {
            all.remove(path);
        }
    }

    /** Remembers that this remote is to get the large file at this path. */
    synchronized void owe(String remote, String path) {
        owed.computeIfAbsent(remote, id -> new HashSet<>()).add(path);
    }

    /** What this remote was to get of this path is there, or nothing is to come any more. */
    synchronized void settle(String remote, String path) {
        Set<String> paths = owed.get(remote);
        if (paths != null) {
            paths.remove(path);
        }
    }

    /** Forgets what this remote was to get, but for these. */
    synchronized void settleAllBut(String remote, Set<String> paths) {
        owed.getOrDefault(remote, new HashSet<>()).retainAll(paths);
    }

    /** Whether this remote may not have the large file at this path, or a large file below it. */
    synchronized boolean owes(String remote, String path) {
        Set<String> paths = owed.getOrDefault(remote, Set.of());
        return paths.contains(path) || paths.stream().anyMatch(one -> one.startsWith(path + "/"));
    }

    synchronized int owed(String remote) {
        return owed.getOrDefault(remote, Set.of()).size();
    }

    synchronized boolean isSending(String remote, String path) {
        return sending.getOrDefault(remote, Map.of()).containsKey(path);
    }

    /** Whether this may be the temporary file of one that is on its way, but for the one of that path. */
    synchronized boolean isWriting(String remote, String temporary, String but) {
        return sending.getOrDefault(remote, Map.of()).keySet().stream()
                .anyMatch(path -> !path.equals(but) && TemporaryName.isOf(temporary, path));
    }

    /** The lane of this file: the one by which it is on its way, under whatever name it had then, or its own. */
    synchronized Lane lane(String remote, String path) {
        for (Sending one : sending.getOrDefault(remote, Map.of()).values()) {
            if (one.name.equals(path)) {
                return Lane.large(one.path);
            }
        }
        return Lane.large(path);
    }

    /**
     * Looks at what is on its way before changes are pushed that concern it. What is no longer the file that is sent is not
     * sent to its end, unless it has come to that. A file that was renamed is: it is renamed at the remote then.
     *
     * @param large the large files among the changes
     * @return what is not to be pushed with these changes: its file's lane has it
     */
    synchronized Set<String> meet(Remote remote, Batch batch, ChangeSet changes, Map<String, Stat> large) {
        Set<String> withheld = new HashSet<>();
        for (Sending one :
                List.copyOf(sending.getOrDefault(remote.id(), Map.of()).values())) {
            if (!changes.covers(one.name, false) || one.isEnded()) {
                continue;
            }
            Stat now = stat(remote, one.root, one.name);
            if (isLarge(now) && now.isSameFile(one.what)) {
                continue;
            }
            String to = renamed(remote, one, changes, large);
            ChangeSet after = new ChangeSet();
            after.add(one.path, false);
            after.add(one.name, false);
            if (to != null) {
                after.add(to, false);
                after.moved(one.name, to);
                withheld.addAll(List.of(one.name, to));
                one.name = to;
            } else if (one.end()) {
                cut.put(remote.id() + " " + one.path, new Cut(System.nanoTime(), 0));
            } else {
                withheld.add(one.name);
            }
            batch.defer(Lane.large(one.path), after);
        }
        return withheld;
    }

    /** The new name of what is on its way; null: there is none. */
    private static String renamed(Remote remote, Sending one, ChangeSet changes, Map<String, Stat> large) {
        for (Map.Entry<String, Stat> file : large.entrySet()) {
            if (file.getValue().isSameFile(one.what)) {
                return file.getKey();
            }
        }
        for (Map.Entry<String, String> move : changes.moves().entrySet()) {
            // Gone from there too: what became of it is the next change.
            if (move.getValue().equals(one.name) && stat(remote, one.root, move.getKey()) == null) {
                return move.getKey();
            }
        }
        return null;
    }

    /** Rules that keep what is on its way, or was cut, from being deleted as what is too much at the remote. */
    synchronized List<String> protection(Remote remote) {
        List<String> rules = new ArrayList<>();
        for (String path : sending.getOrDefault(remote.id(), Map.of()).keySet()) {
            String above = RsyncCalls.parent(path);
            String name = path.substring(path.lastIndexOf('/') + 1);
            String directory = "--filter=P /" + pattern(above.isEmpty() ? "" : above + "/");
            TemporaryName.beginnings(name)
                    .forEach(begun -> rules.add(directory + pattern(begun) + TemporaryName.UNIQUE));
        }
        Collection<String> directories = partials.directories(remote.id());
        if (directories.size() > Partials.MOST) {
            rules.add("--filter=Pp " + PARTIAL);
        } else {
            directories.forEach(directory ->
                    rules.add("--filter=Pp /" + pattern(directory.isEmpty() ? "" : directory + "/") + PARTIAL));
        }
        return rules;
    }

    /** Matches this name; Java may not be able to hand all of its bytes on. */
    private static String pattern(String path) {
        return path.replaceAll(PLAIN, "?");
    }

    /** What rsync takes the path for: behind a link that it follows, the file. */
    private static Stat stat(Remote remote, String root, String path) {
        try {
            return remote.following().look(root, path).stat();
        } catch (PosixException e) {
            return null;
        }
    }

    private static String root(Remote remote) {
        return ByteString.of(remote.mirror().source().toString());
    }
}
