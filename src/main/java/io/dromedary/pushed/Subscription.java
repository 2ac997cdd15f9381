package io.dromedary.pushed;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.Entries;
import io.dromedary.posix.OwnerOnly;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangeException;
import org.apache.camel.ExchangeProperty;
import org.apache.camel.Message;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One {@code kamelet:pushed}: which changes are at all the remotes it asks for, and are to be told to its route.
 *
 * <p>What is to be told waits in a {@link ChangeSet}, so it is bounded: of very many the directories are told instead.
 * It is on disk too, below the state directory, in the fail queue's format: {@code pushed/ROUTE/waiting.changes} what was
 * not told yet, {@code pushed/ROUTE/failed.changes} what the route failed to take and gets again. So a change is told
 * once, but after a kill perhaps once more.
 */
public final class Subscription implements CamelContextAware {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.pushed");

    /** What one remote may owe, some 20 MB of heap; beyond, it is told as a change of everything. */
    private static final int MAX_OWED = 100_000;

    /** After so many told changes the file of those that wait is written anew. */
    private static final int SAVED_AFTER = 500;

    private static final int MAX_ERRORS = 20;

    private CamelContext context;
    private AfterPush afterPush;
    private String id;
    private String mirror;
    private String remote;
    private boolean batches;
    private Path waitingFile;
    private Path failedFile;

    private final Map<String, Debts> debts = new HashMap<>();
    private ChangeSet waiting = new ChangeSet();
    private final Deque<Change> current = new ArrayDeque<>();
    /** Camel takes the next message before it has told the last. */
    private final Set<Told> underWay = new LinkedHashSet<>();

    private int toldSinceSaved;
    private boolean unsaved;
    private int tries;
    private boolean failing;
    private boolean hasFailed;
    /** How many changes the route has failed to take, since when, on the clock of {@link System#nanoTime}, and why. */
    private int failedChanges;

    private long failedSince;
    private String lastError;
    /** On the clock of {@link System#nanoTime}. */
    private long nextTry = System.nanoTime();

    private final Set<String> errors = new HashSet<>();

    /** What one remote owes, and since when it owes more than can be told, or 0. */
    private static final class Debts {
        Map<String, Debt> byPath = new LinkedHashMap<>();
        long lost;
    }

    /** A change of a path, when it was seen, on the clock of {@link System#nanoTime}. */
    private record Debt(boolean deep, long since) {}

    private record Change(String path, boolean deep) {}

    /** What is one message; each is itself only. */
    private static final class Told {
        final List<Change> changes;

        Told(List<Change> changes) {
            this.changes = changes;
        }
    }

    @Override
    public void setCamelContext(CamelContext camelContext) {
        this.context = camelContext;
    }

    @Override
    public CamelContext getCamelContext() {
        return context;
    }

    public void setAfterPush(AfterPush afterPush) {
        this.afterPush = afterPush;
    }

    /** The id of the route. */
    public void setId(String id) {
        this.id = id;
    }

    /** The mirror whose remotes all have to have a change; blank if it is one remote. */
    public void setMirror(String mirror) {
        this.mirror = mirror;
    }

    /** The remote that has to have a change; blank if it is all of a mirror. */
    public void setRemote(String remote) {
        this.remote = remote;
    }

    /** {@code change} or {@code batch}: what is one message. */
    public void setEach(String each) {
        if (!each.equals("change") && !each.equals("batch")) {
            throw new IllegalArgumentException("kamelet:pushed: each = " + each + ": allowed is change or batch");
        }
        batches = each.equals("batch");
    }

    /** Called once all is set; takes over what an earlier run has not told. */
    public void open() throws IOException {
        if (mirror.isBlank() == remote.isBlank()) {
            throw new IllegalArgumentException("route " + id + ": kamelet:pushed takes either a mirror or a remote");
        }
        Path directory = afterPush.directory(id);
        waitingFile = directory.resolve("waiting.changes");
        failedFile = directory.resolve("failed.changes");
        read(waitingFile);
        hasFailed = Files.exists(failedFile);
        if (hasFailed) {
            failing = true;
            failedSince = System.nanoTime();
            failedChanges = (int) Files.readString(failedFile, StandardCharsets.ISO_8859_1)
                    .lines()
                    .filter(line -> line.startsWith("entry ") || line.startsWith("tree "))
                    .count();
            lastError = "left behind by an earlier run";
        }
        afterPush.add(this);
    }

    void check() {
        LOG.debug("{} is told what is pushed from {}", id, source().source());
    }

    String id() {
        return id;
    }

    boolean isTo(String mirrorId) {
        return mirror.equals(mirrorId);
    }

    private boolean isTo(Remote to) {
        return remote.equals(to.id()) || mirror.equals(to.mirror().id());
    }

    // ---- what is on its way

    synchronized void owed(Remote to, ChangeSet changes) {
        if (!isTo(to)) {
            return;
        }
        long now = System.nanoTime();
        Debts owes = debts.computeIfAbsent(to.id(), r -> new Debts());
        Excludes excludes = to.excludes();
        changes.visit((path, dirty, deep) -> {
            if (dirty && !isLeftOut(to, excludes, path, deep)) {
                owes.byPath.merge(path, new Debt(deep, now), (old, one) -> new Debt(old.deep || one.deep, one.since));
            }
            return !deep;
        });
        if (owes.byPath.size() > MAX_OWED) {
            owes.byPath = new LinkedHashMap<>();
            owes.lost = now;
        }
    }

    /** Whether the remote's own rules leave that path out: it never gets there. */
    private static boolean isLeftOut(Remote remote, Excludes excludes, String path, boolean deep) {
        if (excludes.ownArguments().isEmpty()) {
            return false;
        }
        boolean asDirectory = excludes.covers(path, true);
        if (excludes.covers(path, false) == asDirectory) {
            return asDirectory;
        }
        boolean directory = deep;
        try {
            Stat stat = Entries.lstat(
                    absolute(ByteString.of(remote.mirror().source().toString()), path));
            directory = stat == null ? deep : stat.isDirectory();
        } catch (PosixException e) {
            // What it was is known by its change only.
        }
        return directory == asDirectory;
    }

    /** Returns whether there is something to tell now. */
    synchronized boolean through(String from, ChangeSet changes, long readFrom) {
        Debts owes = debts.get(from);
        if (owes == null) {
            return false;
        }
        ChangeSet told = new ChangeSet();
        Iterator<Map.Entry<String, Debt>> all = owes.byPath.entrySet().iterator();
        while (all.hasNext()) {
            Map.Entry<String, Debt> entry = all.next();
            Debt debt = entry.getValue();
            if (debt.since - readFrom <= 0 && changes.covers(entry.getKey(), debt.deep)) {
                all.remove();
                if (isPaid(entry.getKey())) {
                    told.add(entry.getKey(), debt.deep);
                }
            }
        }
        if (owes.lost != 0 && owes.lost - readFrom <= 0) {
            owes.lost = 0;
            told.add("", true);
        }
        if (told.isEmpty()) {
            return false;
        }
        add(told);
        return true;
    }

    private boolean isPaid(String path) {
        return debts.values().stream().noneMatch(other -> other.byPath.containsKey(path));
    }

    // ---- what is to be told

    synchronized void add(ChangeSet changes) {
        waiting.merge(changes);
        unsaved |= !write(waitingFile, text(changes), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /** Whether the file of failed changes is to be read again; that it is gone means that a person wants it forgotten. */
    synchronized boolean isDue() {
        boolean failedAreDue = hasFailed && current.isEmpty() && nextTry - System.nanoTime() <= 0;
        return failedAreDue || !waiting.isEmpty() || !current.isEmpty();
    }

    /** What is to be told now, body of one message each; ends when nothing is left, for now. */
    public Iterator<Object> untold() {
        return new Iterator<>() {
            private Told next;
            private boolean ended;

            @Override
            public boolean hasNext() {
                // What comes after its end is for the next one: Camel asks once more, and would drop it.
                if (next == null && !ended) {
                    next = take();
                    ended = next == null;
                }
                return next != null;
            }

            @Override
            public Object next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                Told told = next;
                next = null;
                return told;
            }
        };
    }

    private synchronized Told take() {
        if (context.isStopping() || context.isStopped()) {
            save();
            return null;
        }
        if (current.isEmpty()) {
            save();
            if (hasFailed && nextTry - System.nanoTime() <= 0) {
                takeFailed();
            }
            waiting.visit((path, dirty, deep) -> {
                if (dirty) {
                    current.add(new Change(path, deep));
                }
                return !deep;
            });
            waiting = new ChangeSet();
        }
        if (current.isEmpty()) {
            return null;
        }
        Told told;
        if (batches) {
            told = new Told(List.copyOf(current));
            current.clear();
        } else {
            Change change = current.remove();
            told = new Told(List.of(change));
            if (change.deep) {
                addBelow(change.path);
            }
        }
        underWay.add(told);
        return told;
    }

    /** A new directory is one change, but whoever is told of it wants to know of its files. */
    private void addBelow(String path) {
        Mirror source = source();
        Excludes excludes = remote.isBlank()
                ? source.unwatched()
                : afterPush.mirrors().remote(remote).excludes();
        String directory = absolute(ByteString.of(source.source().toString()), path);
        if (path.isEmpty()) {
            return;
        }
        try {
            Entries.list(directory, (name, isDirectory) -> {
                String entry = path + "/" + name;
                if (!excludes.matches(entry, isDirectory)) {
                    current.addFirst(new Change(entry, isDirectory));
                }
            });
        } catch (PosixException e) {
            LOG.debug("{}: {}", id, e.getMessage());
        }
    }

    private Mirror source() {
        return remote.isBlank()
                ? afterPush.mirrors().mirror(mirror)
                : afterPush.mirrors().remote(remote).mirror();
    }

    /**
     * How this route fares.
     *
     * @param route its id
     * @param mirror whose changes it is told
     * @param waiting changes that are at the remotes and are not told yet
     * @param failed changes that it has failed to take, and gets again
     * @param tries how often, since it last took all
     * @param sinceNanos when it first failed to take one of these, on the clock of {@link System#nanoTime}
     * @param error why it failed last; null: it takes what it is told
     */
    public record Report(
            String route, String mirror, int waiting, int failed, int tries, long sinceNanos, String error) {
        public boolean isFailing() {
            return error != null;
        }
    }

    synchronized Report report() {
        int untold = waiting.size() + current.size() + underWay.size();
        return new Report(
                id, source().id(), untold, failedChanges, tries, failedSince, failing || hasFailed ? lastError : null);
    }

    /** What the route has failed to take is due now; the next look at what is due takes it. */
    synchronized void retry() {
        nextTry = System.nanoTime();
    }

    /** Forgets what the route has failed to take; returns how many changes that were. */
    synchronized int drop() {
        int dropped = hasFailed ? failedChanges : 0;
        if (hasFailed && delete(failedFile)) {
            recovered();
        }
        return dropped;
    }

    private void recovered() {
        hasFailed = false;
        failing = false;
        failedChanges = 0;
        tries = 0;
        errors.clear();
    }

    private void takeFailed() {
        hasFailed = false;
        failing = true;
        failedChanges = 0;
        try {
            read(failedFile);
            unsaved = true;
            if (save()) {
                Files.deleteIfExists(failedFile);
            }
        } catch (IOException e) {
            LOG.warn("{}: cannot read what failed: {}", id, e.toString());
        }
    }

    /** The route has taken the message. */
    public synchronized void done(@ExchangeProperty("told") Object message) {
        Told told = (Told) message;
        underWay.remove(told);
        toldSinceSaved += told.changes.size();
        if (toldSinceSaved >= SAVED_AFTER || underWay.isEmpty() && current.isEmpty()) {
            save();
        }
        if (failing && current.isEmpty() && underWay.isEmpty() && !hasFailed) {
            recovered();
            LOG.info("{}: all is through again", id);
        }
    }

    /** The route has thrown: its message comes again after a pause. */
    public synchronized void failed(@ExchangeProperty("told") Object message, @ExchangeException Exception error) {
        List<Change> changes = ((Told) message).changes;
        String said = withoutQueries(error.getMessage() == null ? error.toString() : error.getMessage());
        lastError = said;
        if (!failing && !hasFailed) {
            failedSince = System.nanoTime();
        }
        failedChanges += changes.size();
        if (!hasFailed) {
            hasFailed = true;
            failing = true;
            tries++;
            nextTry = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(afterPush.pause(tries));
        }
        String comment = Files.exists(failedFile)
                ? ""
                : "# what route " + id + " has failed to take; delete this file to forget it\n# error: "
                        + ByteString.escape(ByteString.of(said)) + "\n";
        if (!write(failedFile, comment + text(changes), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            changes.forEach(change -> waiting.add(change.path, change.deep));
        }
        // Paths and numbers differ from change to change.
        if (errors.size() < MAX_ERRORS && errors.add(said.replaceAll("\\d+|/\\S*", "#"))) {
            LOG.warn("{}: failed, and will be tried again: {}", id, said);
        }
        done(message);
    }

    /** What stands behind the question mark of an address may be a password. */
    private static String withoutQueries(String message) {
        return message.replaceAll("(://[^\\s?]*\\?)\\S*", "$1…").strip().replaceAll("\\s+", " ");
    }

    /** Makes what was taken a message that says what it means. */
    public void describe(Exchange exchange) {
        List<Change> changes = ((Told) exchange.getMessage().getBody()).changes;
        Message message = exchange.getMessage();
        Mirror source = source();
        String root = ByteString.of(source.source().toString());
        message.setHeader("DromedaryMirror", source.id());
        message.setHeader("DromedarySource", source.source().toString());
        if (!remote.isBlank()) {
            message.setHeader("DromedaryRemote", remote);
        }
        if (batches) {
            message.setHeader("DromedaryChanges", changes.size());
            StringBuilder lines = new StringBuilder();
            changes.forEach(change ->
                    lines.append(ByteString.escape(absolute(root, change.path))).append(change.deep ? "/\n" : "\n"));
            message.setBody(decoded(lines.toString()));
        } else {
            Change change = changes.get(0);
            String absolute = absolute(root, change.path);
            Stat stat = Entries.lstat(absolute);
            message.setBody(decoded(absolute));
            message.setHeader("DromedaryPath", decoded(change.path));
            message.setHeader("DromedaryBytes", ByteString.bytes(absolute));
            message.setHeader("DromedaryGone", stat == null);
            message.setHeader("DromedaryDirectory", stat == null ? change.deep : stat.isDirectory());
        }
    }

    private static String absolute(String root, String path) {
        String below = root.equals("/") ? "" : root;
        return path.isEmpty() ? root : below + "/" + path;
    }

    private static String decoded(String byteString) {
        return new String(ByteString.bytes(byteString), StandardCharsets.UTF_8);
    }

    // ---- on disk

    /** Writes what is not told yet anew, if that is less than what stands there. */
    private boolean save() {
        if (toldSinceSaved == 0 && !unsaved) {
            return true;
        }
        StringBuilder told = new StringBuilder();
        underWay.forEach(one -> told.append(text(one.changes)));
        String all = told + text(current) + text(waiting);
        boolean saved = all.isEmpty() ? delete(waitingFile) : writeNew(waitingFile, all);
        if (saved) {
            toldSinceSaved = 0;
            unsaved = false;
        }
        return saved;
    }

    private void read(Path file) throws IOException {
        try {
            for (String line :
                    Files.readString(file, StandardCharsets.ISO_8859_1).split("\n")) {
                int blank = line.indexOf(' ');
                String kind = blank < 0 ? "" : line.substring(0, blank);
                if (kind.equals("entry") || kind.equals("tree")) {
                    String path = line.substring(blank + 1);
                    waiting.add(path.equals(".") ? "" : ByteString.unescape(path), kind.equals("tree"));
                }
            }
        } catch (NoSuchFileException e) {
            // Nothing was left over, or a person has deleted it.
        } catch (IllegalArgumentException e) {
            LOG.warn("{}: left out: {}", file, e.getMessage());
        }
    }

    private static String text(ChangeSet changes) {
        List<Change> all = new ArrayList<>();
        changes.visit((path, dirty, deep) -> {
            if (dirty) {
                all.add(new Change(path, deep));
            }
            return !deep;
        });
        return text(all);
    }

    private static String text(Collection<Change> changes) {
        StringBuilder lines = new StringBuilder();
        changes.forEach(change -> lines.append(change.deep ? "tree " : "entry ")
                .append(change.path.isEmpty() ? "." : ByteString.escape(change.path))
                .append('\n'));
        return lines.toString();
    }

    private boolean writeNew(Path file, String byteString) {
        Path written = file.resolveSibling(file.getFileName() + ".new");
        if (!write(written, byteString, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING)) {
            return false;
        }
        try {
            Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
            return true;
        } catch (IOException e) {
            LOG.error("{}: {}", file, e.toString());
            return false;
        }
    }

    private boolean write(Path file, String byteString, StandardOpenOption... how) {
        try {
            Files.createDirectories(file.getParent(), OwnerOnly.directory());
            List<StandardOpenOption> options = new ArrayList<>(List.of(how));
            options.add(StandardOpenOption.WRITE);
            Files.write(file, ByteString.bytes(byteString), options.toArray(StandardOpenOption[]::new));
            return true;
        } catch (IOException e) {
            LOG.error("{}: cannot write it, a kill would lose what is to be told: {}", file, e.toString());
            return false;
        }
    }

    private static boolean delete(Path file) {
        try {
            Files.deleteIfExists(file);
            return true;
        } catch (IOException e) {
            LOG.warn("{}: cannot delete it: {}", file, e.toString());
            return false;
        }
    }
}
