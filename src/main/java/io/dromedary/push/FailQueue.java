package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirrors;
import io.dromedary.posix.OwnerOnly;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangeProperty;
import org.apache.camel.Header;
import org.apache.camel.util.TimeUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is not through yet, on disk below the state directory, so that it survives a kill: {@code pending/REMOTE/} holds
 * the changes of batches that wait or are being pushed, {@code failed/REMOTE/} the batches that failed and are
 * redelivered.
 *
 * <p>A file is text, one change a line: {@code entry PATH} (the entry itself), {@code tree PATH} (and everything below
 * it) or {@code attributes PATH} (the entry, its content apart), PATH relative to the mirror's root, "." the root itself; control bytes and the backslash are written {@code
 * \xHH}, {@code \\}, all other bytes as they are. {@code linked PATH} says that the remote's files there may be shared with
 * another name (see {@link Renames}). {@code failed/REMOTE/refused} holds the paths that the remote refused, one by one
 * ({@link RefusedPaths}), with what people are told of each above it. Lines starting with '#' tell people more. Deleting a file of {@code
 * failed/} forgets its changes. Files in {@code failed/} are fsynced; those in {@code pending/} are not: they outlive
 * this process, not a power failure, after which the start-up sync finds all.
 */
public final class FailQueue implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FailQueue.class);

    /**
     * A journal that grew beyond this, and to twice what it last came down to, is written anew from the merged set, so
     * that an outage's disk use is bounded.
     */
    private static final long MAX_JOURNAL = 1 << 20;

    static final String OLDEST = "# oldest change: ";
    static final String TRIES = "# tries: ";
    static final String ERROR = "# error: ";

    private Path state;
    private Mirrors mirrors;
    private RsyncProcess rsyncProcess;
    private long backoff;
    private long maxBackoff;
    private final Map<String, Outage> outages = new HashMap<>();
    private final Map<String, RefusedPaths> refused = new HashMap<>();
    /** Of large files that failed in this run, by remote and path: each waits for itself, and keeps no others. */
    private final Map<String, Map<String, Outage>> largeOutages = new HashMap<>();

    private FileChannel pid;
    private final Map<Batch, Journal> journals = new HashMap<>();
    private final Map<Path, Failure> failures = new HashMap<>();
    private long sequence;
    private boolean journalFailed;

    /** Since when, and when next: the redelivery of one remote. */
    private static final class Outage {
        int tries;
        /** A batch with all of it is on its way. */
        boolean trying;
        /** Of a large file: where it is kept. */
        Path file;

        boolean unreachable;
        /** What could not even be written to disk. */
        Batch unsaved;
        /** On the clock of {@link System#nanoTime}. */
        long next = System.nanoTime();
    }

    /** The changes of one batch; beyond the limit, in bytes, they are written anew. */
    private record Journal(Path file, FileChannel channel, long limit) {}

    public void setStateDir(String stateDir) {
        this.state = Path.of(stateDir).toAbsolutePath().normalize();
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setRsyncProcess(RsyncProcess rsyncProcess) {
        this.rsyncProcess = rsyncProcess;
    }

    /** Pause after a first failure, doubled with each further one, e.g. 1s. */
    public void setBackoff(String backoff) {
        this.backoff = TimeUtils.toMilliSeconds(backoff);
    }

    /** The longest pause between two tries, e.g. 5m. */
    public void setMaxBackoff(String maxBackoff) {
        this.maxBackoff = TimeUtils.toMilliSeconds(maxBackoff);
    }

    /** Takes over what an earlier run of this program left behind: its rsyncs are ended, its changes due at once. */
    public synchronized void open() throws IOException {
        lock();
        if (rsyncProcess != null) {
            rsyncProcess.endLeftBehind();
        }
        // The clock may have been set back since the names that are there were given.
        sequence = Math.max(System.currentTimeMillis(), Math.max(tidied("pending"), tidied("failed")));
        for (Path remote : directories(state.resolve("pending"))) {
            Path failed = directory("failed", remote.getFileName().toString());
            for (Path file : files(remote)) {
                Files.move(file, failed.resolve(file.getFileName()), StandardCopyOption.ATOMIC_MOVE);
            }
        }
        for (Path remote : directories(state.resolve("failed"))) {
            if (!files(remote).isEmpty()) {
                outages.put(remote.getFileName().toString(), new Outage());
            }
            readRefused(remote.getFileName().toString());
        }
    }

    /** What is kept of each path is what stands above it since the path before. */
    private void readRefused(String remote) throws IOException {
        RefusedPaths paths = refused(remote);
        if (!Files.isRegularFile(paths.file())) {
            return;
        }
        Instant since = Instant.now();
        int tries = 1;
        String words = "";
        for (String line :
                Files.readString(paths.file(), StandardCharsets.ISO_8859_1).split("\n")) {
            try {
                if (line.startsWith(OLDEST)) {
                    since = Instant.parse(line.substring(OLDEST.length()));
                } else if (line.matches(TRIES + "\\d{1,9}")) {
                    tries = Integer.parseInt(line.substring(TRIES.length()));
                } else if (line.startsWith(ERROR)) {
                    words = error(line);
                } else if (line.startsWith("entry ") || line.startsWith("tree ")) {
                    String path = line.substring(line.indexOf(' ') + 1);
                    paths.restore(
                            path.equals(".") ? "" : ByteString.unescape(path),
                            line.startsWith("tree "),
                            words,
                            since,
                            tries);
                }
            } catch (IllegalArgumentException | DateTimeException e) {
                LOG.warn("{}: left out: {}", paths.file(), e.getMessage());
            }
        }
    }

    private static String error(String line) {
        return new String(
                ByteString.bytes(ByteString.unescape(line.substring(ERROR.length()))), StandardCharsets.UTF_8);
    }

    private RefusedPaths refused(String remote) {
        return refused.computeIfAbsent(
                remote,
                id -> new RefusedPaths(id, state.resolve("failed").resolve(id).resolve("refused")));
    }

    /** Two processes on one state directory would take each other's changes for left behind. */
    private void lock() throws IOException {
        Files.createDirectories(state, OwnerOnly.directory());
        Path file = state.resolve("pid");
        FileChannel channel = FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
                OwnerOnly.file());
        FileLock held = null;
        try {
            held = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // by another one in this JVM
        }
        if (held == null) {
            channel.close();
            throw new IllegalStateException("state directory " + state + " is in use by process "
                    + Files.readString(file).strip() + "; every run needs one of its own (dromedary.state-dir)");
        }
        pid = channel;
        channel.truncate(0);
        write(channel, ProcessHandle.current().pid() + "\n");
    }

    /** Deletes what a kill left half written; returns the highest number that is the name of a file. */
    private long tidied(String kind) throws IOException {
        long highest = 0;
        for (Path remote : directories(state.resolve(kind))) {
            delete(files(remote, "*.new"));
            for (Path file : files(remote)) {
                String name = file.getFileName().toString();
                if (name.matches("\\d{1,18}\\.changes")) {
                    highest = Math.max(highest, Long.parseLong(name.substring(0, name.indexOf('.'))));
                }
            }
        }
        return highest;
    }

    /** Writes changes that join a waiting batch to that batch's journal. */
    synchronized void journal(String remote, Batch batch, ChangeSet changes) {
        Journal journal = journals.get(batch);
        try {
            if (journal == null) {
                Path directory = directory("pending", remote);
                Path file = directory.resolve(++sequence + ".changes");
                journal = new Journal(file, create(file, StandardOpenOption.CREATE_NEW), MAX_JOURNAL);
                journals.put(batch, journal);
                batch.keptIn(file);
                // Mostly nothing; else what could not be written when it came, or is in the fail queue already.
                write(journal.channel, text(batch.changes()));
            } else if (journal.channel.size() > journal.limit) {
                writeNew(journal.file, text(batch.changes()), false);
                FileChannel channel = FileChannel.open(journal.file, StandardOpenOption.APPEND);
                journal.channel.close();
                journal = new Journal(journal.file, channel, Math.max(MAX_JOURNAL, 2 * channel.size()));
                journals.put(batch, journal);
            }
            write(journal.channel, text(changes));
            journalFailed = false;
        } catch (IOException e) {
            if (journal != null) {
                // Part of it may have been written: the next change writes all of it anew.
                journals.put(batch, new Journal(journal.file, journal.channel, -1));
            }
            if (!journalFailed) {
                journalFailed = true;
                LOG.error("{}: cannot write what is pending, a kill would lose it: {}", state, e.toString());
            }
        }
    }

    /**
     * Writes down, before it comes to that, which names at the remote will share files with others until the batch is
     * through; see {@link Renames}.
     *
     * @return whether that could be written
     */
    synchronized boolean link(String remote, Batch batch, Collection<String> names) {
        try {
            Path file = directory("pending", remote).resolve(++sequence + ".changes");
            writeNew(file, linkedText(names), false);
            batch.keptIn(file);
            batch.linked().addAll(names);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Writes what a push leaves out for rsync to read; it is gone when the push is over, or at the next start.
     *
     * @return the file; null if it could not be written
     */
    synchronized Path leaveOut(String remote, Batch batch, String patterns) {
        try {
            Path file = directory("pending", remote).resolve(++sequence + ".left-out.new");
            writeNew(file, patterns, false);
            batch.keptIn(file);
            return file;
        } catch (IOException e) {
            LOG.warn("{}: cannot write what a push leaves out: {}", state, e.toString());
            return null;
        }
    }

    private static String linkedText(Collection<String> names) {
        StringBuilder lines = new StringBuilder();
        names.forEach(
                name -> lines.append("linked ").append(ByteString.escape(name)).append('\n'));
        return lines.toString();
    }

    /** The batch has left the aggregate: nothing joins it any more. */
    synchronized void closeJournal(Batch batch) {
        Journal journal = journals.remove(batch);
        if (journal != null) {
            try {
                journal.channel.close();
            } catch (IOException e) {
                LOG.warn("{}: {}", journal.file, e.toString());
            }
        }
    }

    /** The batch is through: nothing of it is owed any more but the paths that were refused. */
    synchronized void through(String remote, Batch batch) {
        // Before anything of it is deleted.
        settleRefused(remote, batch);
        closeJournal(batch);
        delete(batch.files());
        large(remote).values().stream().filter(one -> one.unreachable).forEach(one -> {
            one.unreachable = false;
            one.next = System.nanoTime();
        });
        if (batch.lane().isLarge()) {
            large(remote).remove(batch.lane().path());
            return;
        }
        Outage outage = outages.remove(remote);
        if (outage != null) {
            outage.trying = false;
        }
        if (outage != null && (outage.unsaved != null || !smallFiles(remote).isEmpty())) {
            outage.next = System.nanoTime();
            outages.put(remote, outage);
        }
    }

    private void settleRefused(String remote, Batch batch) {
        RefusedPaths paths = refused(remote);
        if (!paths.settle(batch, this::pause)) {
            return;
        }
        if (paths.size() > RefusedPaths.MOST) {
            Batch whole = new Batch();
            whole.merge(paths.changes());
            whole.sinceNanos(paths.failures().iterator().next().sinceNanos());
            String error = paths.size() + " paths are refused, the last one: "
                    + batch.refused().values().iterator().next().words();
            paths.clear();
            deleteRefused(paths);
            keep(remote, whole, new RsyncException(23, error));
            return;
        }
        write(remote, paths);
    }

    private void write(String remote, RefusedPaths paths) {
        try {
            if (paths.isEmpty()) {
                deleteRefused(paths);
            } else {
                directory("failed", remote);
                writeNew(paths.file(), paths.text(), true);
            }
        } catch (IOException e) {
            LOG.error("{}: cannot write it, what is refused is kept in memory: {}", paths.file(), e.toString());
        }
    }

    private static void deleteRefused(RefusedPaths paths) {
        delete(List.of(paths.file()));
    }

    /** In milliseconds, after so many tries. */
    private long pause(int tries) {
        return Math.min(maxBackoff, backoff << Math.min(20, tries - 1));
    }

    /** The paths that this remote refuses, or that cannot be read for it. */
    public synchronized Collection<Failure> refusedBy(String remote) {
        return refused(remote).failures();
    }

    /** Keeps the batch that failed for redelivery. */
    public synchronized void keep(
            @Header("remote") String remote,
            @ExchangeProperty("batch") Batch batch,
            @ExchangeProperty(Exchange.EXCEPTION_CAUGHT) Exception error) {
        closeJournal(batch);
        Lane lane = batch.lane();
        if (batch.isDropped()) {
            delete(batch.files());
            large(remote).remove(lane.path());
            return;
        }
        Outage outage = lane.isLarge()
                ? large(remote).computeIfAbsent(lane.path(), path -> new Outage())
                : outages.computeIfAbsent(remote, id -> new Outage());
        batch.keepParts();
        outage.unreachable = RsyncException.in(error) instanceof RsyncException said && said.isUnreachable();
        outage.tries++;
        outage.trying = false;
        outage.next = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(pause(outage.tries));
        keep(remote, batch, outage, String.valueOf(RsyncException.in(error).getMessage()));
    }

    private void keep(String remote, Batch batch, Outage outage, String error) {
        RefusedPaths known = refused(remote);
        known.giveBack();
        String changes = text(batch.changes(), known) + linkedText(batch.linked());
        if (changes.isEmpty()) {
            delete(batch.files());
            return;
        }
        String header = "# not yet at " + remote + " (" + mirrors.remote(remote).target()
                + "); delete this file to forget it\n"
                + OLDEST + batch.since() + "\n"
                + TRIES + outage.tries + "\n"
                + ERROR
                + ByteString.escape(ByteString.of(error)) + "\n";
        try {
            Path file = directory("failed", remote).resolve(++sequence + ".changes");
            writeNew(file, header + changes, true);
            delete(batch.files());
            outage.file = file;
        } catch (IOException e) {
            LOG.error(
                    "{}: cannot keep what {} has failed to get on disk, it is kept in memory: {}",
                    state,
                    remote,
                    e.toString());
            if (outage.unsaved == null) {
                outage.unsaved = batch;
            } else {
                outage.unsaved.absorb(batch);
            }
        }
    }

    /** What one remote has failed to get, to be pushed to it again. */
    public record Redelivery(String remote, Batch batch) {}

    /** Everything whose pause is over, merged, one batch a remote. */
    public synchronized List<Redelivery> due() {
        List<Redelivery> due = new ArrayList<>();
        for (Map.Entry<String, Outage> outage : outages.entrySet()) {
            String remote = outage.getKey();
            if (!mirrors.knows(remote) || outage.getValue().trying || outage.getValue().next - System.nanoTime() > 0) {
                continue;
            }
            outage.getValue().trying = true;
            Batch batch = read(remote, smallFiles(remote), outage.getValue());
            refused(remote).addDue(batch, true);
            due.add(new Redelivery(remote, batch));
        }
        refused.forEach((remote, paths) -> {
            if (mirrors.knows(remote) && !outages.containsKey(remote) && paths.isDue()) {
                Batch batch = new Batch();
                batch.redelivered();
                paths.addDue(batch, false);
                due.add(new Redelivery(remote, batch));
            }
        });
        largeOutages.keySet().forEach(remote -> addLarge(due, remote));
        return due;
    }

    /** A remote that is out of reach is tried with one of its files only. */
    private void addLarge(List<Redelivery> due, String remote) {
        Outage others = outages.get(remote);
        if (!mirrors.knows(remote) || others != null && others.unreachable) {
            return;
        }
        boolean unreachable = large(remote).values().stream().anyMatch(outage -> outage.unreachable);
        if (unreachable && large(remote).values().stream().anyMatch(outage -> outage.trying)) {
            return;
        }
        for (Iterator<Map.Entry<String, Outage>> all = large(remote).entrySet().iterator(); all.hasNext(); ) {
            Map.Entry<String, Outage> one = all.next();
            Outage outage = one.getValue();
            if (outage.trying || outage.next - System.nanoTime() > 0) {
                continue;
            }
            Batch batch = read(remote, outage.file == null ? List.of() : List.of(outage.file), outage);
            if (batch.changes().isEmpty()) {
                all.remove();
                continue;
            }
            outage.trying = true;
            batch.lane(Lane.large(one.getKey()));
            due.add(new Redelivery(remote, batch));
            if (unreachable) {
                return;
            }
        }
    }

    /** What this remote has failed to get is due now, whatever pause it has. */
    public synchronized void retry(String remote) {
        Outage outage = outages.get(remote);
        if (outage != null) {
            outage.next = System.nanoTime();
        }
        refused(remote).retry();
        large(remote).values().forEach(one -> one.next = System.nanoTime());
    }

    /**
     * Forgets what this remote has failed to get; what is being pushed again just now may still arrive. A remote that is
     * down is tried all the same.
     *
     * @param owesAll whether it has yet to be synced in full once, which is not forgotten
     * @return how many changes that were
     */
    public synchronized int drop(String remote, boolean owesAll) {
        int dropped = failed(remote).stream().mapToInt(Failure::changes).sum();
        List<Path> files = failedFiles(remote);
        refused(remote).clear();
        deleteRefused(refused(remote));
        Outage outage = outages.get(remote);
        if (outage != null && outage.unsaved != null) {
            dropped += outage.unsaved.changes().size();
            outage.unsaved = null;
        }
        if (dropped > 0 && owesAll) {
            dropped--;
            Batch everything = new Batch();
            everything.merge(ChangeSet.ofEverything());
            keep(remote, everything, outage, "the rest was dropped, the first full sync is owed all the same");
        }
        delete(files);
        large(remote).clear();
        return dropped;
    }

    /**
     * Forgets one path that this remote has failed to get by itself: a large file, or a path that was refused.
     *
     * @return whether there was one
     */
    synchronized boolean drop(String remote, String path) {
        Outage outage = large(remote).remove(path);
        if (outage != null && outage.file != null) {
            delete(List.of(outage.file));
        }
        boolean refusal = refused(remote).drop(path);
        if (refusal) {
            write(remote, refused(remote));
        }
        return refusal || outage != null;
    }

    /**
     * One file of the fail queue, or one path that was refused.
     *
     * @param changes how many are in it
     * @param sinceNanos when the oldest of them happened, on the clock of {@link System#nanoTime}
     * @param tries how often it was tried
     * @param error rsync's words at the last try
     * @param refused of a path that alone was refused, its line; else null
     */
    public record Failure(Path file, int changes, long sinceNanos, int tries, String error, String refused) {
        /** The changes, one a line as in the file: {@code entry PATH} and the like, PATH a byte string. */
        public List<String> lines() throws IOException {
            if (refused != null) {
                return List.of(refused);
            }
            return Files.readString(file, StandardCharsets.ISO_8859_1)
                    .lines()
                    .filter(line -> Stream.of("entry ", "tree ", "attributes ").anyMatch(line::startsWith))
                    .toList();
        }
    }

    /** What this remote has failed to get. */
    public synchronized List<Failure> failed(String remote) {
        List<Failure> all = new ArrayList<>(refused(remote).failures());
        if (!outages.containsKey(remote) && large(remote).isEmpty()) {
            return all;
        }
        List<Path> files = failedFiles(remote);
        for (Path file : files) {
            // A file never changes once it is there, and is mostly asked for many times.
            Failure known = failures.get(file);
            if (known == null) {
                try {
                    known = failure(file);
                } catch (IOException e) {
                    LOG.debug("{}: {}", file, e.toString());
                    continue;
                }
                failures.put(file, known);
            }
            all.add(known);
        }
        Path directory = state.resolve("failed").resolve(remote);
        failures.keySet().removeIf(file -> file.startsWith(directory) && !files.contains(file));
        return all;
    }

    private static Failure failure(Path file) throws IOException {
        Batch batch = new Batch();
        read(file, batch);
        int tries = 0;
        String error = "left behind by an earlier run";
        for (String line :
                Files.readString(file, StandardCharsets.ISO_8859_1).lines().toList()) {
            if (line.matches(TRIES + "\\d{1,9}")) {
                tries = Integer.parseInt(line.substring(TRIES.length()));
            } else if (line.startsWith(ERROR)) {
                error = error(line);
            }
        }
        return new Failure(file, batch.changes().size(), batch.sinceNanos(), tries, error, null);
    }

    /** When the oldest change that this remote has failed to get happened, by {@link System#nanoTime}; or null. */
    synchronized Long oldest(String remote) {
        Long oldest = null;
        for (Failure failure : failed(remote)) {
            if (oldest == null || failure.sinceNanos - oldest < 0) {
                oldest = failure.sinceNanos;
            }
        }
        return oldest;
    }

    /** The same but for what was refused and is not being tried again just now. */
    synchronized Long oldestExpected(String remote) {
        Long oldest = refused(remote).oldestTrying();
        for (Failure failure : failed(remote)) {
            if (failure.refused == null && (oldest == null || failure.sinceNanos - oldest < 0)) {
                oldest = failure.sinceNanos;
            }
        }
        return oldest;
    }

    private Map<String, Outage> large(String remote) {
        return largeOutages.computeIfAbsent(remote, id -> new HashMap<>());
    }

    /** What is not kept for a large file alone. */
    private List<Path> smallFiles(String remote) {
        List<Path> files = new ArrayList<>(failedFiles(remote));
        large(remote).values().forEach(outage -> files.remove(outage.file));
        return files;
    }

    private Batch read(String remote, List<Path> files, Outage outage) {
        Batch batch = new Batch();
        batch.redelivered();
        batch.cut();
        for (Path file : files) {
            try {
                read(file, batch);
                batch.keptIn(file);
            } catch (NoSuchFileException e) {
                LOG.info("{}: {} was deleted, its changes are forgotten", remote, file);
            } catch (IOException e) {
                LOG.warn("{}: cannot read what is to be pushed again: {}", remote, e.toString());
            }
        }
        if (outage.unsaved != null) {
            batch.absorb(outage.unsaved);
            outage.unsaved = null;
        }
        return batch;
    }

    private static void read(Path file, Batch batch) throws IOException {
        ChangeSet changes = new ChangeSet();
        Instant since = Files.getLastModifiedTime(file).toInstant();
        for (String line : Files.readString(file, StandardCharsets.ISO_8859_1).split("\n")) {
            int blank = line.indexOf(' ');
            String kind = blank < 0 ? line : line.substring(0, blank);
            try {
                if (line.startsWith(OLDEST)) {
                    since = Instant.parse(line.substring(OLDEST.length()));
                } else if (kind.equals("entry") || kind.equals("tree") || kind.equals("attributes")) {
                    String written = line.substring(blank + 1);
                    String path = written.equals(".") ? "" : ByteString.unescape(written);
                    if (kind.equals("attributes")) {
                        changes.addAttributes(path);
                    } else {
                        changes.add(path, kind.equals("tree"));
                    }
                } else if (kind.equals("linked")) {
                    batch.linked().add(ByteString.unescape(line.substring(blank + 1)));
                }
            } catch (IllegalArgumentException | DateTimeException e) {
                LOG.warn("{}: left out: {}", file, e.getMessage());
            }
            // Anything else is a remark, or a line that a kill cut short before its change was passed on.
        }
        batch.merge(changes);
        if (since.isBefore(batch.since())) {
            batch.since(since.truncatedTo(ChronoUnit.MILLIS));
        }
    }

    private static String text(ChangeSet changes) {
        return text(changes, null);
    }

    /** @param kept what need not be told, for it is kept there; or null */
    private static String text(ChangeSet changes, RefusedPaths kept) {
        StringBuilder lines = new StringBuilder();
        changes.visit((path, dirty, deep) -> {
            if (dirty && (kept == null || !kept.holds(path, deep))) {
                lines.append(deep ? "tree " : changes.isWritten(path) ? "entry " : "attributes ")
                        .append(path.isEmpty() ? "." : ByteString.escape(path))
                        .append('\n');
            }
            return true;
        });
        return lines.toString();
    }

    private static void writeNew(Path file, String byteString, boolean durable) throws IOException {
        Path written = file.resolveSibling(file.getFileName() + ".new");
        try (FileChannel channel = create(written, StandardOpenOption.CREATE)) {
            channel.truncate(0);
            write(channel, byteString);
            channel.force(durable);
        }
        Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
        if (durable) {
            try (FileChannel directory = FileChannel.open(file.getParent(), StandardOpenOption.READ)) {
                directory.force(true);
            }
        }
    }

    private static FileChannel create(Path file, StandardOpenOption how) throws IOException {
        return FileChannel.open(file, Set.of(how, StandardOpenOption.WRITE), OwnerOnly.file());
    }

    private static void write(FileChannel channel, String byteString) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(ByteString.bytes(byteString));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private Path directory(String kind, String remote) throws IOException {
        return Files.createDirectories(state.resolve(kind).resolve(remote), OwnerOnly.directory());
    }

    private List<Path> failedFiles(String remote) {
        try {
            return files(state.resolve("failed").resolve(remote));
        } catch (IOException e) {
            LOG.warn("{}: {}", state, e.toString());
            return List.of();
        }
    }

    private static List<Path> directories(Path directory) throws IOException {
        List<Path> directories = new ArrayList<>();
        if (Files.isDirectory(directory)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, Files::isDirectory)) {
                entries.forEach(directories::add);
            }
        }
        return directories;
    }

    private static List<Path> files(Path directory) throws IOException {
        return files(directory, "*.changes");
    }

    private static List<Path> files(Path directory, String pattern) throws IOException {
        List<Path> files = new ArrayList<>();
        if (Files.isDirectory(directory)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, pattern)) {
                entries.forEach(files::add);
            }
        }
        return files;
    }

    private static void delete(List<Path> files) {
        for (Path file : files) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                LOG.warn("{}: cannot delete it, its changes will be pushed again: {}", file, e.toString());
            }
        }
    }

    @Override
    public synchronized void close() throws IOException {
        List.copyOf(journals.keySet()).forEach(this::closeJournal);
        if (pid != null) {
            pid.close();
        }
    }
}
