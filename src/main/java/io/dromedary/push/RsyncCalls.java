package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Following;
import io.dromedary.mirror.Following.Seen;
import io.dromedary.mirror.Following.What;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Receiver;
import io.dromedary.mirror.Receiver.Ability;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Target;
import io.dromedary.posix.Entries;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import io.dromedary.push.Renames.Rename;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangePropertyKey;
import org.apache.camel.Header;
import org.apache.camel.component.exec.ExecResult;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the rsync calls of one batch, at the moment it is pushed: what a path is now decides what is asked for.
 *
 * <p>Paths that are there go as a plain list; paths that are gone go in the same list, deleted by {@code
 * --delete-missing-args}, or where the receiver refuses that in a call of their own by filter rules; deep paths that
 * are directories take a second call with {@code -r --delete}, or go file by file where files have to be closed before
 * they are sent. Three things of rsync decide the details, each with a test in {@code RsyncCallsIT}: a missing path whose parent is missing too
 * deletes nothing, so the topmost missing one is sent; below a directory that has become a symlink the wrong files
 * would be touched, so the link itself is sent, unless rsync follows it ({@link Following}); and "." always brings the root's direct entries along, so a change of
 * nothing but the root's own attributes takes a call that hides them. The directories above a listed path, the root
 * included, are brought up to date with it (rsync's implied directories).
 */
public final class RsyncCalls {
    /**
     * One run of rsync.
     *
     * @param directory the mirror's root. rsync works in it and names it ".": so what it reads is what was looked at
     *     when it started, whatever is mounted at that path or moved there meanwhile
     * @param list what it reads from its stdin, for the moment when the calls before it have run; null if they have left
     *     nothing to do
     */
    // No getters: beside the record's own methods Camel would find two for one name, now and then.
    public record Call(String directory, List<String> arguments, Supplier<InputStream> list) {
        Call(String directory, List<String> arguments, byte[] list) {
            this(directory, arguments, () -> new ByteArrayInputStream(list));
        }

        /** The same with an option more. */
        Call with(String option) {
            List<String> more = new ArrayList<>(arguments);
            more.add(more.indexOf("--"), option);
            return new Call(directory, more, list);
        }

        /** The list, to be asked for and read once. */
        public InputStream input() {
            return list.get();
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    /**
     * A file with which no receiver is busy for so long that it would need to give signs of life. With {@code --timeout} a
     * daemon sends one small packet more at the start, and without TCP_NODELAY at its end holds the next, for 40 ms where
     * {@link RsyncProcess} may not have the first acknowledged at once (docs/performance.md): pushes without a larger file
     * ask for none. This end of them keeps its time limit.
     */
    private static final long LARGE_BYTES = 16 << 20;

    /**
     * A file of which attributes alone have changed is not read for that, but for one that is smaller: in the same call as
     * those that were written it costs less than a call of its own.
     */
    private static final int LIGHT_BYTES = 1 << 20;

    /** Of what was written the content is compared: it may have the size and time that it had before. */
    private static final String COMPARED = "--ignore-times";

    /** Deletions, each of a whole tree maybe, that take no receiver so long. */
    private static final int FEW_GONE = 100;

    /** Paths that are looked at, one after the other, before they are told to rsync together. */
    private static final int LOOKED_AT = 100;

    private static final String SENT = "Total bytes sent: ";

    /** Deletions one call is told of by rules. */
    private static final int MAX_RULED = 200;

    /** Filter rules by which a call with {@code --delete} sees directories, and what may be a temporary file. */
    private static final List<String> TEMPORARY_ONLY = Stream.of(
                    "S */", "S " + TemporaryName.ANY, "H *", "R " + TemporaryName.ANY, "P *")
            .map(rule -> "--filter=" + rule)
            .toList();

    /** Pushes in a row that fail because the remote cannot be asked what is left of cut transfers; then it is left there. */
    private static final int MOST_NOT_ASKED = 3;

    private Mirrors mirrors;
    private RsyncProcess rsyncProcess;
    private FailQueue failQueue;
    private Mounts mounts = new Mounts();
    private LargeFiles largeFiles = new LargeFiles();
    private String command;
    private int maxPaths;
    private List<String> fullSyncExcludes;
    private final Map<String, Integer> notAsked = new ConcurrentHashMap<>();

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setRsyncProcess(RsyncProcess rsyncProcess) {
        this.rsyncProcess = rsyncProcess;
    }

    public void setFailQueue(FailQueue failQueue) {
        this.failQueue = failQueue;
    }

    public void setMounts(Mounts mounts) {
        this.mounts = mounts;
    }

    public void setLargeFiles(LargeFiles largeFiles) {
        this.largeFiles = largeFiles;
    }

    public void setCommand(String command) {
        this.command = command;
    }

    public void setMaxPaths(int maxPaths) {
        this.maxPaths = maxPaths;
    }

    /** rsync patterns, comma separated, that hold for pushes of everything only. */
    public void setFullSyncExclude(String patterns) {
        this.fullSyncExcludes = Excludes.of(patterns, null).patterns();
    }

    /** The calls for a batch, in the order they have to run, each made when its turn comes; none if nothing is left to do. */
    public Iterable<Call> calls(@Header("remote") String remoteId, Exchange exchange) {
        Remote remote = mirrors.remote(remoteId);
        Exception lastTry = exchange.getProperty(ExchangePropertyKey.EXCEPTION_CAUGHT, Exception.class);
        Batch batch = exchange.getMessage().getBody(Batch.class);
        boolean isFirstTry = lastTry == null && batch.tries() == 0;
        batch.made().clear();
        batch.keepParts();
        if (batch.lane().isLarge() || batch.lane().equals(Lane.LATER)) {
            return largeCalls(remote, batch);
        }
        ChangeSet changes = batch.toPush();
        List<Call> first = new ArrayList<>();
        if (!batch.linked().isEmpty()) {
            changes = new ChangeSet();
            changes.merge(batch.toPush());
            for (String name : batch.linked()) {
                changes.add(name, true);
            }
            addRules(first, remote, List.copyOf(batch.linked()), Set.of());
        }
        Sorted sorted = sortedWithoutRefused(remote, batch, changes);
        boolean apart = !remote.excludes().hasRegexes();
        sorted.protection = apart ? sorted.parts.protection() : List.of();
        for (String path : largeFiles.meet(remote, batch, changes, sorted.stats)) {
            sorted.large.remove(path);
            sorted.present.remove(path);
            sorted.light.remove(path);
            sorted.heavy.remove(path);
            sorted.gone.remove(path);
        }
        addLeftovers(first, remote, batch, sorted);
        if (isFirstTry && batch.linked().isEmpty()) {
            addRenamed(first, remote, batch, sorted);
        }
        sorted.large.forEach((path, written) -> defer(remote, batch, List.of(path), written));
        Iterable<Call> rest = callsFor(remote, changes, sorted, batch, isFirstTry);
        Iterable<Call> calls = first.isEmpty() ? rest : joined(first, rest);
        sorted.cut.removeIf(path -> !batch.isCut() && !batch.unneeded().contains(path));
        if (!sorted.cut.isEmpty() && batch.lane().equals(Lane.LIVE) && remote.delete()) {
            calls = joined(calls, List.of(leftBehind(remote, batch, sorted.cut)));
        }
        if (batch.isCut() && changes.isEverything()) {
            deferExcluded(batch, sorted.cut);
        }
        // What is gone, is gone from the path where the source was a moment ago: only if it still is there.
        String problem = remote.mirror().problem();
        if (problem != null) {
            throw new HaltedException(problem);
        }
        Iterable<Call> told = calls;
        if (changes.isEverything()) {
            List<Call> telling = new ArrayList<>();
            boolean largeApart = sendsLargeApart(remote);
            String most = "--max-size=" + (largeFiles.from() - 1);
            calls.forEach(call -> telling.add(telling(largeApart ? call.with(most) : call)));
            if (largeApart) {
                telling.add(new Call(directory(remote), arguments(remote, "--no-r"), () -> deferLarge(remote, batch)));
            }
            told = telling;
        }
        return sorted.parts.mounted().isEmpty() ? told : mounted(remote, changes, sorted, told);
    }

    private Iterable<Call> mounted(Remote remote, ChangeSet changes, Sorted sorted, Iterable<Call> calls) {
        MountedCalls mounted = new MountedCalls(mounts, remote, sorted.parts);
        Iterable<Call> held = mounted.held(calls, changes);
        if (sorted.protection.isEmpty() || !remote.delete()) {
            return held;
        }
        List<String> walkedByRsync = new ArrayList<>(sorted.deep);
        walkedByRsync.addAll(sorted.deepByTime);
        return mounted.deletingApart(held, walkedByRsync, maxPaths, directories -> {
            List<Call> extraneous = new ArrayList<>();
            addExtraneous(extraneous, remote, directories, Set.of(), largeFiles.protection(remote));
            if (changes.isEverything()) {
                extraneous.replaceAll(call -> preceded(call, excluding(fullSyncExcludes)));
            }
            return extraneous;
        });
    }

    private static List<String> excluding(List<String> patterns) {
        return patterns.stream().map(pattern -> "--exclude=" + pattern).toList();
    }

    /** The same call with these options before the user's: of filter rules the first that matches counts. */
    private static Call preceded(Call call, List<String> options) {
        List<String> arguments = new ArrayList<>(options);
        arguments.addAll(call.arguments());
        return new Call(call.directory(), arguments, call.list());
    }

    /** Whether a full sync leaves large files to their lanes: not those that are one with others, which it alone sees. */
    private boolean sendsLargeApart(Remote remote) {
        return largeFiles.from() < Long.MAX_VALUE
                && !remote.args().has("hard-links")
                && !remote.args().has("max-size")
                && !remote.args().followsLinks();
    }

    private void defer(Remote remote, Batch batch, Collection<String> large, boolean written) {
        for (String path : large) {
            ChangeSet one = new ChangeSet();
            if (written) {
                one.add(path, false);
            } else {
                one.addAttributes(path);
            }
            if (largeFiles.owed(remote.id()) < Gate.MOST_LARGE) {
                largeFiles.owe(remote.id(), path);
                batch.defer(largeFiles.lane(remote.id(), path), one);
            } else {
                batch.defer(Lane.LATER, one);
            }
        }
    }

    /** What was written where a full sync deletes nothing, once more by the live lane: an earlier try of it was cut. */
    private void deferExcluded(Batch batch, Set<String> written) {
        Excludes more = Excludes.of(String.join(",", fullSyncExcludes), null);
        ChangeSet excluded = new ChangeSet();
        written.stream().filter(path -> more.covers(path, false)).forEach(path -> excluded.add(path, false));
        if (!excluded.isEmpty()) {
            batch.defer(Lane.LIVE, excluded);
        }
    }

    /** The large files of which a remote's copies differ, each for its lane, once a full sync is through with all others. */
    private InputStream deferLarge(Remote remote, Batch batch) {
        Mirror mirror = remote.mirror();
        Excludes more = Excludes.of(String.join(",", fullSyncExcludes), null);
        Walk walk = new Walk(
                mirror,
                remote.excludes(),
                Following.NONE,
                mounts.parts(remote),
                batch.refused().keySet(),
                List.of(""),
                largeFiles.from() - 1);
        walk.keepOpen();
        List<String> others = new ArrayList<>();
        while (!walk.isDone()) {
            walk.go(maxPaths, others);
            others.clear();
            walk.takeDirectories();
            List<String> met = walk.takeLarge();
            met.removeIf(path -> more.covers(path, false));
            if (met.isEmpty()) {
                continue;
            }
            List<Call> questions = new ArrayList<>();
            add(questions, remote, met, "--no-r", "--ignore-missing-args");
            for (Call question : questions) {
                asked(batch, question)
                        .filter(difference -> !difference.directory() && !difference.deleted())
                        .forEach(difference -> defer(
                                remote,
                                batch,
                                List.of(difference.path()),
                                !difference.itemized().startsWith(".")));
            }
        }
        return null;
    }

    /**
     * The call that sends a large file by its lane. If it is none any more, the live lane has to do with it; what was
     * renamed while it was on its way is renamed at the remote, if it has arrived there.
     */
    private Iterable<Call> largeCalls(Remote remote, Batch batch) {
        String path = batch.lane().path();
        ChangeSet changes = batch.changes();
        Sorted sorted = sorted(remote, changes, Map.of());
        if (batch.isDropped()) {
            return List.of();
        }
        if (batch.refused().containsKey(path)) {
            // There was no room for it, and what it has left takes the room of others.
            List<Call> deletion = new ArrayList<>();
            if (!writesInPlace(remote)) {
                addLeftover(deletion, remote, path);
            }
            return deletion;
        }
        if (changes.size() == 1 && sorted.large.containsKey(path)) {
            boolean keepsParts = !writesInPlace(remote) && remote.receiver().takes(Ability.PARTS);
            boolean known = keepsParts && largeFiles.partials().begin(remote.id(), path);
            List<String> options = new ArrayList<>(List.of("--no-r", "--ignore-missing-args"));
            if (keepsParts) {
                options.add("--partial-dir=" + LargeFiles.PARTIAL);
            }
            if (sorted.large.get(path)) {
                options.add(COMPARED);
            }
            if (known) {
                // Even on this machine: what was cut goes on where it was.
                options.add("--no-whole-file");
            }
            List<Call> calls = new ArrayList<>();
            add(calls, remote, List.of(path), options.toArray(String[]::new));
            LargeFiles.Sending sending = largeFiles.begin(remote, path, sorted.stats.get(path), batch);
            calls.set(
                    0,
                    telling(new Call(
                            calls.get(0).directory(),
                            calls.get(0).arguments(),
                            () -> sending.isEnded() ? null : new LargeList(input(List.of(path), Set.of()), sending))));
            if (known) {
                // Nothing was sent if the file is what the remote had before it was cut.
                List<Call> deletion = new ArrayList<>();
                addLeftover(deletion, remote, path);
                deletion.forEach(call -> calls.add(
                        new Call(call.directory(), call.arguments(), () -> batch.isWithdrawn() ? null : call.input())));
            }
            if ((known || batch.isCut()) && remote.delete()) {
                Call leftBehind = leftBehind(remote, batch, Set.of(path));
                // The receiver of what was ended here is still at it, perhaps.
                calls.add(new Call(
                        leftBehind.directory(),
                        leftBehind.arguments(),
                        () -> sending.isEnded() ? null : leftBehind.input()));
            }
            calls.add(new Call(directory(remote), List.of(), () -> putBack(batch)));
            return calls;
        }
        batch.settled();
        ChangeSet others = new ChangeSet();
        others.merge(changes);
        if (others.moves().isEmpty() || largeFiles.owes(remote.id(), path)) {
            others = new ChangeSet();
            ChangeSet small = others;
            changes.visit((one, dirty, deep) -> {
                if (dirty && !sorted.large.containsKey(one)) {
                    if (changes.isWritten(one) || deep) {
                        small.add(one, deep);
                    } else {
                        small.addAttributes(one);
                    }
                }
                return true;
            });
            sorted.large.forEach((one, written) -> defer(remote, batch, List.of(one), written));
        }
        if (!others.isEmpty()) {
            batch.defer(Lane.LIVE, others);
        }
        return List.of();
    }

    /** After what was sent until it was withdrawn, if it was: the rest waits. */
    private static InputStream putBack(Batch batch) {
        if (batch.isWithdrawn() && !batch.isDropped()) {
            batch.defer(batch.lane(), batch.changes());
        }
        return null;
    }

    /** Whether what is cut stays where it is, as the user wants it; rsync takes no other place beside that. */
    private static boolean writesInPlace(Remote remote) {
        return remote.args().keepsPartial() && !remote.args().has("partial")
                || remote.args().has("inplace");
    }

    /** The list of a call that sends one large file. */
    static final class LargeList extends ByteArrayInputStream {
        private final LargeFiles.Sending sending;

        private LargeList(byte[] list, LargeFiles.Sending sending) {
            super(list);
            this.sending = sending;
        }

        LargeFiles.Sending sending() {
            return sending;
        }
    }

    /** Deletes what a cut transfer has left of what is no large file any more. */
    private void addLeftovers(List<Call> calls, Remote remote, Batch batch, Sorted sorted) {
        Set<String> others = new HashSet<>(largeFiles.partials().paths(remote.id()));
        List<String> ended = others.stream()
                .filter(path -> batch.changes().covers(path, false)
                        && !largeFiles.isSending(remote.id(), path)
                        && !largeFiles.isLarge(stat(remote, sorted.root, path)))
                .toList();
        ended.forEach(others::remove);
        Set<String> left = new LinkedHashSet<>();
        for (String path : ended) {
            left.add(leftOver(path, others));
            if (largeFiles.looked(remote.id(), path)) {
                ChangeSet once = new ChangeSet();
                once.add(path, false);
                batch.defer(Lane.large(path), once);
            } else {
                batch.unneeded(path);
            }
        }
        addRules(calls, remote, List.copyOf(left), Set.of());
    }

    private void addLeftover(List<Call> calls, Remote remote, String path) {
        addRules(calls, remote, List.of(leftOver(path, largeFiles.partials().paths(remote.id()))), Set.of());
    }

    /**
     * Deletes the temporary files that receivers which died have left of these paths. They are asked for when the call's
     * turn comes, and deleted by their full names: beside this push others may be under way.
     */
    private Call leftBehind(Remote remote, Batch batch, Set<String> paths) {
        return new Call(directory(remote), ruled(remote), () -> {
            List<String> left = batch.hasNoRoom() ? List.of() : askForLeftBehind(remote, batch.lane(), paths);
            tell(remote, "delete, left by a receiver that died,", left);
            return left.isEmpty() ? null : new ByteArrayInputStream(rules(left, Set.of()));
        });
    }

    private List<String> askForLeftBehind(Remote remote, Lane lane, Set<String> paths) {
        if (!remote.receiver().takes(Ability.ITEMIZED)) {
            return List.of();
        }
        Set<String> directories = new TreeSet<>();
        paths.forEach(path -> directories.add(path.substring(0, path.lastIndexOf('/') + 1)));
        List<Call> questions = new ArrayList<>();
        addExtraneous(questions, remote, directories, Set.of(), TEMPORARY_ONLY);
        List<String> left;
        try {
            left = questions.stream()
                    .flatMap(question -> rsyncProcess.differences(command, question))
                    .filter(difference -> difference.deleted() && !difference.directory())
                    .map(Difference::path)
                    .filter(TemporaryName::is)
                    .collect(Collectors.toCollection(ArrayList::new));
            notAsked.remove(remote.id());
        } catch (RsyncException e) {
            boolean askedOtherwise = Receiver.refusedOption(e.words())
                    .flatMap(Receiver::of)
                    .filter(ability -> ability != Ability.ITEMIZED)
                    .isPresent();
            if ((askedOtherwise || e.getMeaning() == Meaning.AGAIN)
                    && notAsked.merge(remote.id(), 1, Integer::sum) < MOST_NOT_ASKED) {
                throw e;
            }
            notAsked.remove(remote.id());
            LOG.debug("{}: cannot be asked what is left of cut transfers: {}", remote.id(), e.getMessage());
            return List.of();
        }
        left.removeIf(temporary -> !isLeftBehind(remote, lane, paths, temporary));
        return left.subList(0, Math.min(left.size(), MAX_RULED));
    }

    /** Whether a temporary file was to become one of these paths, and nobody writes it any more. */
    private boolean isLeftBehind(Remote remote, Lane lane, Set<String> paths, String temporary) {
        String root = ByteString.of(directory(remote));
        List<String> owners = paths.stream()
                .filter(path -> TemporaryName.isOf(temporary, path))
                .toList();
        // After a full sync what was pushed beside it is pushed once more: there is time enough.
        boolean mayBeSynced = transfer(remote) != null
                && !(sendsLargeApart(remote)
                        && owners.stream().allMatch(path -> largeFiles.isLarge(stat(remote, root, path))));
        return !owners.isEmpty()
                && !mayBeSynced
                && !largeFiles.isWriting(remote.id(), temporary, lane.path())
                && !remote.excludes().coversByRegex(temporary, false)
                && isGone(root + "/" + temporary);
    }

    private static boolean isGone(String path) {
        try {
            return Entries.lstat(path) == null;
        } catch (PosixException e) {
            return false;
        }
    }

    /** Where the remote keeps what was sent of this path: its directory for that, unless others have something there. */
    private static String leftOver(String path, Set<String> begun) {
        String directory = parent(path);
        String kept = (directory.isEmpty() ? "" : directory + "/") + LargeFiles.PARTIAL;
        boolean alone = begun.stream()
                .noneMatch(other -> !other.equals(path) && parent(other).equals(directory));
        return alone ? kept : kept + "/" + path.substring(path.lastIndexOf('/') + 1);
    }

    private static Stat stat(Remote remote, String root, String path) {
        try {
            return remote.following().look(root, path).stat();
        } catch (PosixException e) {
            return null;
        }
    }

    private static Call telling(Call call) {
        return call.with(Transfer.OPTION);
    }

    /** How far the full sync to this remote is; null while there is none. */
    public Transfer transfer(Remote remote) {
        List<String> options = remote.options();
        List<String> ends = ends(remote);
        return rsyncProcess.transfer(arguments -> arguments.size() > options.size()
                && Collections.indexOfSubList(arguments, options) >= 0
                && arguments
                        .subList(arguments.size() - ends.size(), arguments.size())
                        .equals(ends));
    }

    /**
     * The calls that bring all of this batch but what was refused up to date at that remote, to be gone through once and
     * not to be made.
     *
     * @throws PartialException if not all of them are known, since something could not be read
     */
    Iterable<Call> callsFor(Remote remote, Batch batch) {
        Sorted sorted = sortedWithoutRefused(remote, batch, batch.changes());
        Batch asked = new Batch();
        Iterable<Call> calls = callsFor(remote, batch.changes(), sorted, asked, false);
        for (RsyncException untold : asked.takePartial()) {
            throw untold;
        }
        return calls;
    }

    private Sorted sortedWithoutRefused(Remote remote, Batch batch, ChangeSet changes) {
        Sorted sorted = sorted(remote, changes, batch.refused());
        if (!batch.refused().isEmpty()) {
            sorted.refusedFile = failQueue.leaveOut(remote.id(), batch, patterns(batch.refused()));
        }
        return sorted;
    }

    /**
     * @param batch what is pushed: it knows which directories its calls have made, and gets what goes by another lane
     * @param shortNames whether calls may start further below, {@link #below}
     */
    private Iterable<Call> callsFor(Remote remote, ChangeSet changes, Sorted sorted, Batch batch, boolean shortNames) {
        boolean hasTrees = !sorted.deep.isEmpty() || !sorted.deepByTime.isEmpty();
        if (remote.excludes().hasRegexes() && (hasTrees || !sorted.gone.isEmpty() || !sorted.unsure.isEmpty())) {
            return callsUnderRegexes(remote, sorted, changes, batch);
        }
        if (!sendsAtClose(remote, changes) || !hasTrees) {
            return callsFor(remote, sorted, changes, batch.made());
        }
        List<String> byTime = List.copyOf(sorted.deepByTime);
        sorted.deepByTime.clear();
        if (byTime.isEmpty()) {
            return callsFileByFile(remote, sorted, changes, batch, shortNames);
        }
        Sorted others = new Sorted(
                remote.mirror(),
                remote.excludes(),
                remote.following(),
                sorted.parts,
                changes,
                sorted.refused,
                largeFiles);
        others.deepByTime.addAll(byTime);
        Iterable<Call> first = sorted.deep.isEmpty()
                ? callsFor(remote, sorted, changes, batch.made())
                : callsFileByFile(remote, sorted, changes, batch, shortNames);
        return joined(first, callsFileByFile(remote, others, changes, batch, shortNames));
    }

    /** First those, then the rest; none is made before its turn. */
    private static Iterable<Call> joined(Iterable<Call> first, Iterable<Call> rest) {
        return () -> new Iterator<>() {
            private final Iterator<Call> before = first.iterator();
            private final Iterator<Call> after = rest.iterator();

            @Override
            public boolean hasNext() {
                return before.hasNext() || after.hasNext();
            }

            @Override
            public Call next() {
                return before.hasNext() ? before.next() : after.next();
            }
        };
    }

    /** Whether a file that is being written has to wait; one that a full sync sends too early is sent once more. */
    private static boolean sendsAtClose(Remote remote, ChangeSet changes) {
        return remote.mirror().sendsAtClose() && !changes.isEverything();
    }

    /**
     * Whole directories as lists. What rsync goes through by itself it sends as it finds it, at a time nobody knows
     * before: files that are being written, or come up meanwhile, too. Only what is too much at the remote it finds
     * by itself, in the directories listed, which are directories there too by then; but for those that were not there
     * before, since looking into many is as much work as sending what is in them.
     *
     * @param sorted with whole directories whose content is compared, or with such that go by size and time, not both
     */
    private Iterable<Call> callsFileByFile(
            Remote remote, Sorted sorted, ChangeSet changes, Batch batch, boolean shortNames) {
        List<String> tops = new ArrayList<>(sorted.deep);
        tops.addAll(sorted.deepByTime);
        boolean compared = sorted.deepByTime.isEmpty();
        String common = common(tops);
        // Working in what is mounted, rsync would keep it from being unmounted.
        boolean below = shortNames
                && !common.isEmpty()
                && Renames.isPlain(common)
                && remote.startsAnywhere()
                && !sorted.parts.isInMount(common);
        Walk walk = new Walk(
                remote.mirror(),
                remote.excludes(),
                remote.following(),
                sorted.parts,
                sorted.refused.keySet(),
                tops,
                Math.min(LARGE_BYTES, largeFiles.from() - 1));
        sorted.deep.clear();
        sorted.deepByTime.clear();
        // Mostly that is all; the rest is looked at while rsync reads the list.
        walk.go(LOOKED_AT, compared ? sorted.present : sorted.light);
        sorted.walk = walk;
        sorted.comparesWalk = compared;
        Deque<Call> ready = new ArrayDeque<>(callsFor(remote, sorted, changes, batch.made()));
        return () -> new Iterator<>() {
            private long seen;
            private boolean over;

            @Override
            public boolean hasNext() {
                return !over
                        && (!ready.isEmpty()
                                || !walk.isDone()
                                || walk.large() > 0
                                || walk.hasUnread()
                                || remote.delete() && (walk.directories() > 0 || walk.hasLeftOut()));
            }

            @Override
            public Call next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                if (ready.isEmpty() && (walk.isDone() || walk.large() >= maxPaths)) {
                    List<String> large = walk.takeLarge();
                    if (largeFiles.from() <= LARGE_BYTES + 1) {
                        defer(remote, batch, large, compared);
                    } else {
                        List<String> options = new ArrayList<>(List.of("--no-r", "--ignore-missing-args"));
                        if (compared) {
                            options.add(COMPARED);
                        }
                        add(ready, remote, large, options.toArray(String[]::new));
                    }
                }
                if (ready.isEmpty() && walk.hasUnread()) {
                    addUnread(ready, remote, walk.takeUnread());
                }
                if (ready.isEmpty() && (walk.isDone() || walk.directories() >= maxPaths)) {
                    List<String> directories = walk.takeDirectories();
                    if (remote.delete()) {
                        addExtraneous(ready, remote, directories, batch.made(), largeFiles.protection(remote));
                        addRules(ready, remote, walk.takeLeftOut().deleted(), Set.of());
                    }
                }
                if (ready.isEmpty()) {
                    // The walk goes on as lists are read. After a call that failed Camel's splitter goes through all
                    // that is
                    // left and runs none of it: that would never end.
                    over = walk.seen() == seen;
                    seen = walk.seen();
                    if (below) {
                        ready.add(below(remote, common, walk, compared));
                    } else {
                        Sorted more = new Sorted(
                                remote.mirror(),
                                remote.excludes(),
                                remote.following(),
                                sorted.parts,
                                changes,
                                sorted.refused,
                                largeFiles);
                        more.walk = walk;
                        more.comparesWalk = compared;
                        ready.addAll(callsFor(remote, more, changes, batch.made()));
                    }
                }
                return ready.removeFirst();
            }
        };
    }

    /** The directory that all of these are below, or are. */
    private static String common(List<String> paths) {
        String common = paths.get(0);
        for (String path : paths) {
            while (!common.isEmpty() && !(path + "/").startsWith(common + "/")) {
                common = parent(common);
            }
        }
        return common;
    }

    /**
     * What a walk goes on with, rsync working in the directory that all of it is below: what it need not read of each name
     * is worth more than the file's way, for it makes two system calls for every byte. The list before has seen to it that
     * this is a directory at the remote, and no symlink. Nothing is excluded or deleted here: excludes start at the source,
     * and what is in the way of a file makes this fail, and comes with the next try.
     */
    private Call below(Remote remote, String directory, Walk walk, boolean compared) {
        List<String> options = new ArrayList<>(quickly(remote));
        if (compared) {
            options.add(COMPARED);
        }
        if (remote.delete()) {
            options.add(Difference.FORMAT);
        }
        return below(remote, directory, options, () -> list(remote, List.of(), Set.of(), walk, directory + "/"));
    }

    private static Call below(Remote remote, String directory, List<String> options, Supplier<InputStream> list) {
        List<String> arguments = new ArrayList<>(remote.options());
        List<String> ours = new ArrayList<>(
                List.of("--stats", "--no-human-readable", "--from0", "--no-r", "--ignore-missing-args"));
        ours.addAll(Renames.protectedFromShell(remote));
        ours.addAll(options);
        arguments.addAll(remote.receiver().taken(ours));
        String name = Renames.argument(directory);
        arguments.addAll(
                List.of("--files-from=-", "--", ".", withSlash(remote.target().existing() + name)));
        return new Call(remote.mirror().source().resolve(name).toString(), arguments, list);
    }

    /**
     * Deletes what is in these directories, their paths ending in a slash, at the remote only; sends nothing.
     *
     * @param made those that turn out to need none of it
     * @param rules of filters, for what stays most often
     */
    private void addExtraneous(
            Collection<Call> calls,
            Remote remote,
            Collection<String> directories,
            Set<String> made,
            List<String> rules) {
        List<String> options = new ArrayList<>(List.of("--no-r", "--dirs", "--delete"));
        options.addAll(List.of("--existing", "--ignore-existing", "--ignore-missing-args"));
        options.addAll(rules);
        if (directories.size() <= FEW_GONE) {
            options.addAll(quickly(remote));
        }
        // A call that sends nothing needs no link followed: that a name is there is enough. A single one in a directory
        // that leads nowhere would keep all else in it from being deleted.
        List<String> start = remote.following().any() ? remote.optionsWithoutFollowing() : remote.options();
        add(calls, remote, start, directories, made, null, options.toArray(String[]::new));
    }

    /** Lets rsync say why these directories, their paths ending in a slash, cannot be read; sends nothing. */
    private void addUnread(Collection<Call> calls, Remote remote, Collection<String> directories) {
        add(calls, remote, directories, "--no-r", "--dirs", "--existing", "--ignore-existing", "--ignore-missing-args");
    }

    private static List<String> quickly(Remote remote) {
        return remote.timesOutFar() ? List.of("--remote-option=--timeout=0") : List.of();
    }

    /** What a try of a push leaves out, for it was refused in the one before. */
    private static String patterns(Map<String, Refusal> refused) {
        StringBuilder patterns = new StringBuilder();
        refused.keySet().stream()
                .filter(path -> !path.isEmpty())
                .forEach(path -> patterns.append('/').append(literal(path)).append('\0'));
        return patterns.toString();
    }

    /** The calls that, run dry, tell which of these paths the remote has not got. */
    List<Call> asking(Remote remote, Collection<String> paths) {
        List<Call> calls = new ArrayList<>();
        add(calls, remote, paths, "--no-r", "--ignore-missing-args");
        return calls;
    }

    private Sorted sorted(Remote remote, ChangeSet changes, Map<String, Refusal> refused) {
        Mirror mirror = remote.mirror();
        // Before the look at each path: what is unmounted then is known to have been mounted.
        Parts parts = mounts.parts(remote);
        Sorted sorted = new Sorted(mirror, remote.excludes(), remote.following(), parts, changes, refused, largeFiles);
        changes.visit(sorted::sort);
        return sorted;
    }

    /** @param made what the calls before have brought there already, when a call is asked for its list */
    private List<Call> callsFor(Remote remote, Sorted sorted, ChangeSet changes, Set<String> made) {
        List<Call> calls = new ArrayList<>();
        boolean rootDone = sorted.deepByTime.contains("");
        if (remote.delete()) {
            addDeletions(calls, remote, sorted.unsure);
        }
        List<String> options = new ArrayList<>(List.of("--no-r"));
        String missing = "--ignore-missing-args";
        Set<String> listed = new LinkedHashSet<>(sorted.present);
        if (remote.delete() && !sorted.gone.isEmpty()) {
            if (remote.deletesByRule()) {
                addDeletions(calls, remote, sorted.gone);
                rootDone = true;
            } else {
                listed.addAll(sorted.gone);
                missing = "--delete-missing-args";
                // Deletes nothing more, for no listed directory's contents are; but only with it are the excludes sent
                // to a remote receiver, so that they protect what lies in a directory that is gone.
                options.addAll(List.of("--dirs", "--delete"));
            }
        }
        options.add(missing);
        if (!sorted.slow && sorted.gone.size() <= FEW_GONE) {
            options.addAll(quickly(remote));
        }
        if (sorted.walk != null && remote.delete()) {
            options.add(Difference.FORMAT);
        }
        listed.addAll(sorted.light);
        if (!sorted.present.isEmpty() || sorted.comparesWalk) {
            // By itself, so that it is not read.
            add(calls, remote, sorted.heavy, options.toArray(String[]::new));
            options.add(COMPARED);
        } else {
            listed.addAll(sorted.heavy);
        }
        add(calls, remote, listed, made, sorted.walk, options.toArray(String[]::new));
        if (remote.delete()) {
            addRules(calls, remote, sorted.leftOut.deleted(), Set.of());
        }
        addDeep(calls, remote, sorted, changes);
        addRoot(calls, remote, sorted, rootDone || listed.size() > sorted.renamed);
        return calls;
    }

    /** Before all else: from where these calls take the files, the others delete them. */
    private void addRenamed(List<Call> calls, Remote remote, Batch batch, Sorted sorted) {
        ChangeSet changes = batch.changes();
        if (changes.moves().isEmpty()
                || sorted.gone.isEmpty()
                || !remote.linksRenames()
                || remote.excludes().hasRegexes()
                // A full sync may bring back what was at the new name before; and what failed, who knows what is there.
                || transfer(remote) != null
                || !failQueue.failed(remote.id()).isEmpty()) {
            return;
        }
        List<Rename> all = Renames.worth(sorted.root, changes.moves(), sorted.gone);
        Set<String> rewritten = changes.rewritten();
        all.removeIf(rename -> isAmong(rename.to(), rewritten)
                || sorted.parts.touchesLeftOut(rename.to())
                || sorted.parts.touchesLeftOut(rename.gone()));
        List<Rename> renames = all;
        if (remote.target().kind() == Target.Kind.LOCAL) {
            // What is excluded in a directory stays where it is, and it is not known what that is there.
            boolean trees = remote.excludes().isEmpty();
            renames = Renames.rename(Path.of(remote.target().text()), trees, changes.moves(), renames);
        }
        // What the remote renamed has the content that it had.
        List<Rename> toLink = renames;
        all.stream().filter(rename -> !toLink.contains(rename)).forEach(rename -> sorted.known(rename, rewritten));
        // What has not arrived is not there to be linked.
        renames = new ArrayList<>(renames);
        renames.removeIf(rename ->
                rename.isFile() && largeFiles.owes(remote.id(), changes.moves().get(rename.to())));
        renames = inPlace(remote, batch, renames);
        Set<String> gone = new TreeSet<>();
        renames.stream().filter(Rename::links).forEach(rename -> gone.add(rename.gone()));
        if (!gone.isEmpty()) {
            if (!failQueue.link(remote.id(), batch, gone)) {
                return;
            }
            remote.linked(false);
        }
        for (Rename rename : renames) {
            tell(remote, "from " + rename.before(), List.of(rename.to()));
            if (rename.isFile()) {
                calls.add(renamed(remote, rename, List.of(rename.file())));
                // Listed all the same, but for that call saying that it has brought it: what has that name there may
                // look
                // like it.
                sorted.renamed++;
                sorted.large.remove(rename.to());
            } else if (addRenamedTree(calls, remote, rename, sorted, rewritten)
                    && batch.made().contains(rename.to() + "/")) {
                sorted.known(rename, rewritten);
                sorted.deepByTime.remove(rename.to());
            }
        }
        addRules(calls, remote, List.copyOf(gone), Set.of());
        sorted.gone.removeAll(gone);
    }

    /** What lies below the new name, but for what is being written; returns whether that is all. */
    private boolean addRenamedTree(
            List<Call> calls, Remote remote, Rename rename, Sorted sorted, Set<String> rewritten) {
        Walk walk = new Walk(
                remote.mirror(),
                remote.excludes(),
                Following.NONE,
                sorted.parts,
                Set.of(),
                List.of(rename.to()),
                Long.MAX_VALUE);
        boolean complete = true;
        for (int part = 0; !walk.isDone() && part * maxPaths < Renames.MOST_PATHS; part++) {
            List<String> paths = new ArrayList<>();
            walk.go(maxPaths, paths);
            // Listed, it would bring along all that is directly in it; so it comes as what is above these.
            paths.remove(rename.to());
            paths.removeIf(path -> isAmong(path, rewritten));
            paths.replaceAll(path -> path.substring(rename.to().length() + 1));
            complete &= !paths.removeIf(path -> {
                String before = rename.before() + "/" + path;
                return largeFiles.owes(remote.id(), before)
                        && largeFiles.isLarge(stat(remote, sorted.root, rename.to() + "/" + path));
            });
            calls.add(renamed(remote, rename, paths));
        }
        return complete && walk.isDone() && !walk.hasUnread();
    }

    private static boolean isAmong(String path, Set<String> trees) {
        if (trees.isEmpty()) {
            return false;
        }
        for (int end = path.length(); end > 0; end = path.lastIndexOf('/', end - 1)) {
            if (trees.contains(path.substring(0, end))) {
                return true;
            }
        }
        return false;
    }

    private static Call renamed(Remote remote, Rename rename, List<String> paths) {
        List<String> options = new ArrayList<>(List.of("--force"));
        if (rename.links()) {
            options.add("--link-dest=" + rename.from(remote.target().path()));
        }
        if (rename.isFile()) {
            options.addAll(List.of("--fuzzy", "--fuzzy", "--no-whole-file", Difference.FORMAT));
        }
        byte[] list = input(paths, Set.of());
        return below(remote, rename.directory(), options, () -> new ByteArrayInputStream(list));
    }

    /**
     * Makes the directories at the remote that the renamed lies in; those of the renames whose directories rsync then
     * says are directories, on both sides. Else a call that starts there could write through a symlink. In those that were
     * not there before there is nothing to delete: the batch knows them.
     */
    private List<Rename> inPlace(Remote remote, Batch batch, List<Rename> renames) {
        if (renames.isEmpty()) {
            return renames;
        }
        Set<String> directories = new TreeSet<>();
        renames.forEach(rename -> directories.add(rename.directory()));
        directories.remove("");
        Set<String> inPlace = new HashSet<>(Set.of(""));
        List<Call> calls = new ArrayList<>();
        add(calls, remote, directories, "--no-r", "--ignore-missing-args", "-ii", Difference.FORMAT);
        for (Call call : calls) {
            String told = rsyncProcess.run(command, call);
            account(told, batch, "", false);
            told.lines()
                    .map(Difference::parse)
                    .filter(entry -> entry != null && entry.directory() && !entry.deleted())
                    .forEach(entry -> inPlace.add(entry.path()));
        }
        return renames.stream()
                .filter(rename -> inPlace.contains(rename.directory()))
                .toList();
    }

    private void addDeep(List<Call> calls, Remote remote, Sorted sorted, ChangeSet changes) {
        List<String> options = new ArrayList<>(List.of("-r", "--ignore-missing-args"));
        if (remote.delete()) {
            options.add("--delete");
            options.addAll(largeFiles.protection(remote));
        }
        if (changes.isEverything()) {
            fullSyncExcludes.forEach(pattern -> options.add("--exclude=" + pattern));
        }
        if (sorted.refusedFile != null) {
            options.add("--exclude-from=" + sorted.refusedFile);
        }
        List<Call> deep = new ArrayList<>();
        addDeep(deep, remote, sorted.deepByTime, options);
        options.add(COMPARED);
        addDeep(deep, remote, sorted.deep, options);
        deep.forEach(call -> calls.add(preceded(call, sorted.protection)));
    }

    private void addDeep(List<Call> calls, Remote remote, List<String> directories, List<String> options) {
        LeftOut leftOut = LeftOut.below(remote, directories);
        if (leftOut.isEmpty()) {
            add(calls, remote, directories, options.toArray(String[]::new));
            return;
        }
        // A list of files and rules cannot both come by standard input.
        List<String> ruled = new ArrayList<>(options);
        ruled.remove("--ignore-missing-args");
        ruled.add("--filter=merge -");
        tell(remote, String.join(" ", ruled), directories);
        byte[] rules = rules(leftOut.rules(), directories);
        calls.add(new Call(directory(remote), arguments(remote, ruled.toArray(String[]::new)), rules));
    }

    private void addRoot(List<Call> calls, Remote remote, Sorted sorted, boolean done) {
        if (sorted.rootChanged && !done) {
            add(calls, remote, List.of(""), "--no-r", "--dirs", "--exclude=/*");
        }
    }

    /**
     * rsync cannot be told of regular expressions. So it says what it would do to whole directories and to what is gone,
     * and what no expression excludes is asked for entry by entry.
     */
    private List<Call> callsUnderRegexes(Remote remote, Sorted sorted, ChangeSet changes, Batch batch) {
        boolean sendsAtClose = sendsAtClose(remote, changes);
        SortedSet<String> gone = new TreeSet<>();
        Set<String> inTheWay = new HashSet<>();
        for (Call call : questions(remote, sorted, changes)) {
            asked(batch, call).forEach(difference -> {
                String path = difference.path();
                boolean excluded = remote.excludes().coversByRegex(path, difference.directory());
                if (excluded && difference.deleted()) {
                    keepAbove(inTheWay, path);
                } else if (difference.deleted()) {
                    gone.add(path);
                } else if (path.isEmpty()) {
                    sorted.rootChanged = true;
                } else if (!excluded
                        && !(sendsAtClose && Walk.waitsForClose(remote.mirror(), path, remote.following()))
                        && !sorted.refused.containsKey(path)) {
                    // Of what differs in attributes alone the content was looked at already, where it had to be.
                    boolean same = difference.itemized().startsWith(".");
                    if (largeFiles.isLarge(stat(remote, sorted.root, path))) {
                        defer(remote, batch, List.of(path), !same);
                    } else {
                        (same ? sorted.heavy : sorted.present).add(path);
                    }
                }
            });
        }
        for (String path : gone) {
            String above = parent(path);
            while (!above.isEmpty() && !gone.contains(above) && inTheWay.add(above)) {
                // Gone too, maybe, but not to be deleted: it holds what a rule protects.
                above = parent(above);
            }
        }
        List<Call> calls = new ArrayList<>();
        Set<String> whole = new HashSet<>();
        List<String> topmost = new ArrayList<>();
        for (String path : gone) {
            if (whole.contains(parent(path))) {
                whole.add(path);
            } else if (!inTheWay.contains(path)) {
                whole.add(path);
                topmost.add(path);
            }
        }
        addRules(calls, remote, topmost, inTheWay);
        sorted.heavy.removeAll(sorted.present);
        sorted.gone.clear();
        sorted.unsure.clear();
        sorted.deep.clear();
        sorted.deepByTime.clear();
        calls.addAll(callsFor(remote, sorted, changes, Set.of()));
        return calls;
    }

    /** What a dry run tells; of what it cannot tell the batch takes note, as of what does not go through. */
    private Stream<Difference> asked(Batch batch, Call question) {
        try {
            return rsyncProcess.differences(command, question);
        } catch (PartialException e) {
            batch.partial(e);
            return e.told() == null ? Stream.of() : Difference.all(e.told().list());
        }
    }

    /**
     * The calls whose dry run tells all the differences there are below these paths, those that a regular expression
     * excludes among them.
     */
    public List<Call> questionsFor(Remote remote, ChangeSet changes) {
        Sorted sorted = sorted(remote, changes, Map.of());
        return remote.excludes().hasRegexes()
                ? questions(remote, sorted, changes)
                : callsFor(remote, sorted, changes, Set.of());
    }

    private List<Call> questions(Remote remote, Sorted sorted, ChangeSet changes) {
        List<Call> questions = new ArrayList<>();
        if (remote.delete()) {
            sorted.gone.addAll(sorted.unsure);
            if (remote.excludes().hasIncludes()) {
                addDeletions(questions, remote, sorted.gone);
            } else {
                addRules(questions, remote, sorted.gone, Set.of());
            }
            addRules(questions, remote, sorted.leftOut.deleted(), Set.of());
        }
        addDeep(questions, remote, sorted, changes);
        return questions;
    }

    /** What that remote's copy of these paths differs in, but for what is excluded. */
    public Stream<Difference> differences(Remote remote, ChangeSet changes) {
        return questionsFor(remote, changes).stream().flatMap(call -> differences(remote, call));
    }

    /** The same by one of these calls. */
    public Stream<Difference> differences(Remote remote, Call call) {
        Excludes excludes = remote.excludes();
        // What a directory holds is told before the directory.
        Set<String> holding = new HashSet<>();
        return rsyncProcess.differences(command, call).filter(difference -> {
            boolean excluded = excludes.coversByRegex(difference.path(), difference.directory());
            if (excluded && difference.deleted()) {
                keepAbove(holding, difference.path());
            }
            return !excluded && !(difference.deleted() && holding.contains(difference.path()));
        });
    }

    /** All directories above what is protected stay too. */
    private static void keepAbove(Set<String> kept, String path) {
        for (String above = parent(path); kept.add(above) && !above.isEmpty(); above = parent(above)) {
            // Those above it are kept already, if it is.
        }
    }

    /**
     * Deletions for a receiver that takes none in the list. rsync walks the directories concerned, everything else is
     * hidden at the source and protected at the remote; where most of a directory went, it is compared as a whole, for
     * rsync tries every rule on every entry, and where filters include something, for one list of rules cannot hold both. Nothing is sent: what lies beside may be half written.
     */
    private void addDeletions(List<Call> calls, Remote remote, List<String> gone) {
        Map<String, List<String>> byDirectory = new LinkedHashMap<>();
        gone.forEach(path -> byDirectory
                .computeIfAbsent(parent(path), directory -> new ArrayList<>())
                .add(path));
        List<String> wholeDirectories = new ArrayList<>();
        List<String> single = new ArrayList<>();
        byDirectory.forEach((directory, paths) -> {
            if (paths.size() > MAX_RULED || remote.excludes().hasIncludes()) {
                wholeDirectories.add(directory.isEmpty() ? "" : directory + "/");
            } else {
                single.addAll(paths);
            }
        });
        addExtraneous(calls, remote, wholeDirectories, Set.of(), largeFiles.protection(remote));
        addRules(calls, remote, single, Set.of());
    }

    /** @param opened directories that are gone but hold what stays: gone through, without success deleted */
    private void addRules(Collection<Call> calls, Remote remote, List<String> gone, Set<String> opened) {
        List<String> arguments = ruled(remote);
        int most = Math.min(MAX_RULED, maxPaths);
        for (int from = 0; from < gone.size(); from += most) {
            List<String> paths = gone.subList(from, Math.min(gone.size(), from + most));
            tell(remote, "delete", paths);
            calls.add(new Call(directory(remote), arguments, rules(paths, opened)));
        }
    }

    /** The arguments of a call that deletes by rules. */
    private List<String> ruled(Remote remote) {
        List<String> options = new ArrayList<>(List.of("-r", "--delete"));
        if (!remote.excludes().hasIncludes()) {
            // With includes among them they would give free what lies beside.
            options.addAll(remote.excludes().ownArguments());
        }
        options.add("--filter=merge -");
        return arguments(remote, options.toArray(String[]::new));
    }

    /** rsync(1), "FILTER RULES": show, hide, risk, protect; the first that matches decides. */
    private static byte[] rules(List<String> paths, Set<String> opened) {
        Set<String> shown = new LinkedHashSet<>();
        for (String path : paths) {
            for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
                String above = path.substring(0, slash);
                shown.add("S /" + literal(above) + "/");
                if (opened.contains(above)) {
                    shown.add("R /" + literal(above) + "/");
                }
            }
        }
        List<String> rules = new ArrayList<>(shown);
        rules.add("H *");
        for (String path : paths) {
            rules.add("R /" + literal(path));
            rules.add("R /" + literal(path + "/") + "**");
        }
        rules.add("P *");
        return ByteString.bytes(String.join("\0", rules) + "\0");
    }

    /** Nothing but these directories, with all below them; as the last rules, after others. */
    private static byte[] rules(List<String> first, List<String> directories) {
        Set<String> rules = new LinkedHashSet<>(first);
        if (!directories.contains("")) {
            for (String path : directories) {
                for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
                    rules.add("S /" + literal(path.substring(0, slash)) + "/");
                }
                rules.add("+ /" + literal(path));
                rules.add("+ /" + literal(path + "/") + "**");
            }
            rules.add("- *");
        }
        return ByteString.bytes(String.join("\0", rules) + "\0");
    }

    /** A pattern that matches this path only; rsync takes a backslash for itself where no wildcard stands. */
    static String literal(String path) {
        boolean wildcards = path.matches("(?s).*[*?\\[].*") || path.endsWith("/");
        return wildcards ? path.replaceAll("[*?\\[\\\\]", "\\\\$0") : path;
    }

    private void add(Collection<Call> calls, Remote remote, Collection<String> paths, String... options) {
        add(calls, remote, paths, Set.of(), null, options);
    }

    /**
     * @param done of these paths, what the calls before may find to be done
     * @param walk what the last list goes on with as long as there is room in it; null: with nothing
     */
    private void add(
            Collection<Call> calls,
            Remote remote,
            Collection<String> paths,
            Set<String> done,
            Walk walk,
            String... options) {
        add(calls, remote, remote.options(), paths, done, walk, options);
    }

    private void add(
            Collection<Call> calls,
            Remote remote,
            List<String> start,
            Collection<String> paths,
            Set<String> done,
            Walk walk,
            String... options) {
        List<String> arguments = arguments(remote, start, options);
        arguments.add(arguments.indexOf("--"), "--files-from=-");
        List<String> all = List.copyOf(paths);
        tell(remote, String.join(" ", options), all);
        for (int from = 0; from < all.size() || from == 0 && walk != null; from += maxPaths) {
            List<String> part = all.subList(from, Math.min(all.size(), from + maxPaths));
            Walk rest = from + maxPaths >= all.size() ? walk : null;
            calls.add(new Call(directory(remote), arguments, () -> list(remote, part, done, rest, "")));
        }
    }

    private List<String> arguments(Remote remote, String... options) {
        return arguments(remote, remote.options(), options);
    }

    private List<String> arguments(Remote remote, List<String> start, String... options) {
        List<String> arguments = new ArrayList<>(mounts.parts(remote).rules());
        arguments.addAll(start);
        remote.excludes().patterns().forEach(pattern -> arguments.add("--exclude=" + pattern));
        List<String> ours = new ArrayList<>(List.of("--stats", "--no-human-readable", "--from0"));
        if (remote.delete()) {
            // A directory in the way of a file is deleted with all it holds.
            ours.add("--force");
        }
        ours.addAll(List.of(options));
        arguments.addAll(remote.receiver().taken(ours));
        // After what a call has of these: the first rule that matches decides.
        arguments.addAll(remote.excludes().ownArguments());
        arguments.addAll(ends(remote));
        return arguments;
    }

    private static List<String> ends(Remote remote) {
        // Not "./": of all directories that alone is one that rsync does not change to, by the path it once had.
        return List.of("--", ".", remote.target().existing());
    }

    private static String directory(Remote remote) {
        return remote.mirror().source().toString();
    }

    private static void tell(Remote remote, String how, List<String> paths) {
        if (LOG.isDebugEnabled()) {
            paths.forEach(path -> LOG.debug("{}: {} {}", remote.id(), how, ByteString.readable(path)));
        }
    }

    /**
     * What rsync reads; what the walk adds, it looks at while rsync is at what came before. Null if it is nothing.
     *
     * @param above with which all that the walk adds begins, and which rsync is not told
     */
    private InputStream list(Remote remote, List<String> paths, Set<String> done, Walk walk, String above) {
        byte[] list = input(paths, done);
        if (walk == null || walk.isDone()) {
            return list.length == 0 ? null : new ByteArrayInputStream(list);
        }
        return new SequenceInputStream(new Enumeration<>() {
            private byte[] next = list;
            private int left = maxPaths - paths.size();

            @Override
            public boolean hasMoreElements() {
                return next != null;
            }

            @Override
            public InputStream nextElement() {
                InputStream now = new ByteArrayInputStream(next);
                List<String> more = new ArrayList<>();
                walk.go(Math.min(left, LOOKED_AT), more);
                tell(remote, "list", more);
                left -= more.size();
                more.replaceAll(path -> path.substring(above.length()));
                next = more.isEmpty() ? null : input(more, Set.of());
                return now;
            }
        });
    }

    private static byte[] input(List<String> paths, Set<String> done) {
        ByteArrayOutputStream input = new ByteArrayOutputStream(64 * paths.size());
        for (String path : paths) {
            if (done.contains(path)) {
                continue;
            }
            // The first "./" brings the root up to date too, others keep a name from being a comment. Not each has one:
            // rsync makes two system calls for every byte.
            boolean marked = input.size() == 0 || path.startsWith("#") || path.startsWith(";");
            input.writeBytes(ByteString.bytes(path.isEmpty() ? "." : marked ? "./" + path : path));
            input.write(0);
        }
        return input.toByteArray();
    }

    static String withSlash(String directory) {
        return directory.endsWith("/") ? directory : directory + "/";
    }

    static String parent(String path) {
        int slash = path.lastIndexOf('/');
        return slash < 0 ? "" : path.substring(0, slash);
    }

    /** The batch's paths by what they are now. */
    private static final class Sorted {
        final String root;
        final Mirror mirror;
        final Excludes excludes;
        final Following following;
        final Parts parts;
        final Map<String, Refusal> refused;
        /** The file that tells rsync of these; null: none is needed. */
        Path refusedFile;

        final ChangeSet changes;
        /** What was written, its content to be compared. */
        final Set<String> present = new LinkedHashSet<>();
        /** Of what attributes alone may differ, or is nothing with a content: what may be read, and what may not. */
        final Set<String> light = new LinkedHashSet<>();

        final Set<String> heavy = new LinkedHashSet<>();
        final List<String> gone = new ArrayList<>();
        /** Gone too, but one rule is for directories only: rsync takes what it cannot see for a file. */
        final List<String> unsure = new ArrayList<>();

        /** Whole directories whose files were written. */
        final List<String> deep = new ArrayList<>();
        /** Whole directories that go by size and time. */
        final List<String> deepByTime = new ArrayList<>();

        final LeftOut leftOut;
        /** Whether the watch follows links that rsync does not: then what changes behind them is nothing to tell. */
        final boolean watchFollowsMore;
        /** What is listed after those that are present, as it is come upon; or null. */
        Walk walk;

        boolean comparesWalk;
        boolean rootChanged;
        /** Whether one of the files that are listed is. */
        boolean slow;
        /** How many of those that are present other calls may have brought by then. */
        int renamed;
        /** Of what is mounted, from the deletions of calls in which rsync goes through directories by itself. */
        List<String> protection = List.of();

        /** Files that go by lanes of their own, and whether their content is to be compared. */
        final Map<String, Boolean> large = new LinkedHashMap<>();

        final Map<String, Stat> stats = new HashMap<>();
        /** Paths of which there may be temporary files at the remote, if an earlier try was cut. */
        final Set<String> cut = new LinkedHashSet<>();

        private final LargeFiles largeFiles;

        Sorted(
                Mirror mirror,
                Excludes excludes,
                Following following,
                Parts parts,
                ChangeSet changes,
                Map<String, Refusal> refused,
                LargeFiles largeFiles) {
            this.largeFiles = largeFiles;
            this.root = ByteString.of(mirror.source().toString());
            this.mirror = mirror;
            this.excludes = excludes;
            this.following = following;
            this.parts = parts;
            this.changes = changes;
            this.refused = refused;
            this.leftOut = new LeftOut(mirror);
            this.watchFollowsMore = !mirror.get().equals(following);
        }

        /** What is there by this rename is what it was at the remote, but for what was written since. */
        void known(Rename rename, Set<String> rewritten) {
            if (rename.isFile()) {
                large.computeIfPresent(rename.to(), (path, written) -> false);
                if (present.remove(rename.to())) {
                    heavy.add(rename.to());
                }
            } else if (deep.remove(rename.to())) {
                deepByTime.add(rename.to());
                rewritten.stream()
                        .filter(path -> path.startsWith(rename.to() + "/"))
                        .forEach(this::addWritten);
            }
        }

        private void addWritten(String path) {
            Stat stat = Entries.lstat(root + "/" + path);
            if (stat != null && !excludes.covers(path, stat.isDirectory())) {
                if (stat.isDirectory()) {
                    deep.add(path);
                } else if (largeFiles.isLarge(stat)) {
                    large.put(path, true);
                } else {
                    present.add(path);
                }
            }
        }

        /** @param wasDirectory that it was one is known, of others it is not known what they were */
        private void addGone(String path, boolean wasDirectory) {
            boolean directoryStays = excludes.protects(path, true);
            boolean fileStays = excludes.protects(path, false);
            if (directoryStays != fileStays && !(wasDirectory && directoryStays)) {
                unsure.add(path);
            } else if (!directoryStays) {
                gone.add(path);
            }
        }

        private boolean isDirectory(String path, boolean dirty) {
            try {
                return mirror.behind().look(following, path, dirty).what() == What.DIRECTORY;
            } catch (PosixException e) {
                return false;
            }
        }

        boolean sort(String path, boolean dirty, boolean isDeep) {
            if (path.isEmpty()) {
                rootChanged = dirty;
                if (isDeep) {
                    deepByTime.add("");
                }
                return true;
            }
            if (parts.leavesOut(path)) {
                return false;
            }
            if (changes.isEverything() && !changes.isWritten(path)) {
                // It comes with the whole. What lies below it is of interest where it is a directory that is not left
                // out: by a name below a file or a link rsync fails.
                return !excludes.matches(path, true) && isDirectory(path, dirty);
            }
            Seen seen;
            try {
                seen = mirror.behind().look(following, path, dirty);
            } catch (PosixException e) {
                // In a directory that may not be entered: rsync says so.
                if (!refused.containsKey(path) && !excludes.matches(path, false)) {
                    present.add(path);
                }
                return false;
            }
            Stat stat = seen.stat();
            boolean directory = seen.what() == What.DIRECTORY;
            if (stat != null && excludes.matches(path, directory)) {
                // For another remote the same may be a change.
                return false;
            }
            Refusal refusal = refused.get(path);
            if (refusal != null && (refusal.deep() || !directory)) {
                return false;
            }
            if (leftOut.add(path, seen)) {
                return false;
            }
            if (dirty) {
                cut.add(path);
            }
            if (directory && isDeep) {
                deep.add(path);
                return false;
            }
            if (!directory) {
                // Even if the change is further below: a missing or replaced directory is the topmost thing to tell.
                if (stat == null) {
                    addGone(path, !dirty);
                } else if (largeFiles.isLarge(stat)) {
                    large.put(path, !dirty || changes.isWritten(path));
                    stats.put(path, stat);
                } else if (dirty || !stat.isSymlink() || !watchFollowsMore) {
                    boolean read = stat.isRegular() && (!dirty || changes.isWritten(path));
                    Set<String> list = read ? present : stat.isRegular() && stat.size() >= LIGHT_BYTES ? heavy : light;
                    list.add(path);
                    slow |= stat.size() > LARGE_BYTES;
                }
                return false;
            }
            if (dirty) {
                light.add(path);
            }
            return true;
        }
    }

    /** Adds rsync's "Total bytes sent" to the batch's account, and the directories it has made, if it tells. */
    public void account(Exchange exchange) {
        String statistics = exchange.getMessage().getBody(String.class);
        Batch batch = exchange.getProperty("batch", Batch.class);
        ExecResult result = exchange.getMessage().getBody(ExecResult.class);
        if (statistics == null || batch == null || result == null) {
            return;
        }
        Remote remote = mirrors.remote(exchange.getMessage().getHeader("remote", String.class));
        Path source = remote.mirror().source();
        Path at = Path.of(result.getCommand().getWorkingDir());
        boolean ofOneFile = result.getCommand().getArgs().contains("--fuzzy");
        account(statistics, batch, at.equals(source) ? "" : ByteString.of(source.relativize(at) + "/"), ofOneFile);
        if (batch.lane().isLarge() && result.getExitValue() == 0) {
            largeFiles.partials().end(remote.id(), batch.lane().path());
            batch.settled();
        }
        if (result.getCommand().getArgs().stream().anyMatch(argument -> argument.startsWith("--link-dest="))) {
            remote.linked(true);
        }
    }

    /** What this line of rsync's statistics says that it has sent; 0 if it is another line. */
    static long bytesSent(String line) {
        return line.startsWith(SENT)
                ? Long.parseLong(line.substring(SENT.length()).replace(",", "").strip())
                : 0;
    }

    /**
     * @param above where rsync worked, below the source, ending in a slash; empty in the source
     * @param files whether files too are noted as made
     */
    private static void account(String told, Batch batch, String above, boolean files) {
        told.lines().forEach(line -> {
            if (line.startsWith(SENT)) {
                batch.sent(bytesSent(line));
            } else if (line.startsWith(Difference.MADE)) {
                batch.made().add(above + Difference.parse(line).path() + "/");
            } else if (files && line.length() > 1 && line.charAt(1) == 'f' && line.charAt(0) != '.') {
                batch.made().add(above + Difference.parse(line).path());
            }
        });
    }
}
