package io.dromedary.mirror;

import io.dromedary.change.ByteString;
import io.dromedary.change.Excludes;
import io.dromedary.change.OpenFiles;
import io.dromedary.posix.Entries;
import io.dromedary.posix.MountInfo;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import io.dromedary.posix.Tree;
import io.dromedary.posix.Tree.Overlap;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One watched tree: what the watch Kamelet's parameters say of it, known by the id of the route it stands in. The watch asks
 * it for the links that its remotes follow: more of them come up after the watch was made.
 */
public final class Mirror implements Supplier<Following> {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary");

    /** Standard output and error, where the log goes. */
    private static final List<Path> OUTPUTS = List.of(Path.of("/proc/self/fd/1"), Path.of("/proc/self/fd/2"));

    private String id;
    private Path source;
    private String exclude;
    private String excludeRegex;
    private Path stateDir;
    /** What is left out on its own account, below the source; guarded by this. */
    private final Set<String> leftOut = new TreeSet<>();

    private volatile Excludes excludes;
    private List<String> events = List.of();
    private boolean seesMounts;
    private String openFilePatterns;
    private String openFilesInterval = "10s";
    private OpenFiles openFiles = OpenFiles.NONE;
    private Mirrors mirrors;
    private volatile Stat root;
    private volatile boolean mounted;
    private volatile boolean filled;
    private Behind behind;

    public void setId(String id) {
        this.id = id;
    }

    public void setSource(String source) {
        this.source = Path.of(source).toAbsolutePath().normalize();
    }

    public void setExclude(String exclude) {
        this.exclude = exclude;
    }

    public void setExcludeRegex(String excludeRegex) {
        this.excludeRegex = excludeRegex;
    }

    /** The events that count, comma separated, where the watch heeds that. */
    public void setEvents(String events) {
        this.events = List.of(events.strip().split("\\s*,\\s*"));
    }

    /** rsync patterns, comma separated, of files that are sent while they are open, where the watch heeds that. */
    public void setOpenFiles(String patterns) {
        this.openFilePatterns = patterns;
    }

    /** How often, e.g. 10s. */
    public void setOpenFilesInterval(String interval) {
        this.openFilesInterval = interval;
    }

    /** The state directory, which is no part of any tree. */
    public void setStateDir(String stateDir) {
        this.stateDir = Path.of(stateDir).toAbsolutePath().normalize();
    }

    /** Whether its watch tells of what is mounted below the source while it is watched. */
    public void setSeesMounts(boolean seesMounts) {
        this.seesMounts = seesMounts;
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    /** Called once all is set; refuses a source that is not a directory, before anything is touched. */
    public void register() {
        if (!Files.isDirectory(source)) {
            throw new IllegalArgumentException("mirror " + id + ": source " + source + " is not a directory");
        }
        // Tried, not asked: access(2) knows nothing of the capabilities that a service has in place of root's rights.
        try {
            Files.newDirectoryStream(source).close();
            accept();
        } catch (IOException | PosixException e) {
            throw new IllegalArgumentException("mirror " + id + ": source " + source + " cannot be read");
        }
        excludes = Excludes.of(exclude, excludeRegex);
        openFiles = OpenFiles.of(openFilePatterns, openFilesInterval);
        if (stateDir != null) {
            leaveOut("the state directory", stateDir, source);
        }
        for (Path output : OUTPUTS) {
            if (Files.isRegularFile(output)) {
                leaveOut("the log", output, source);
            }
        }
        behind = new Behind(
                ByteString.of(source.toString()),
                stateDir == null ? null : stateDir.resolve("links").resolve(id));
        mirrors.add(this);
    }

    /**
     * Leaves out what this program itself writes, wherever it lies in that directory, the source or a copy of it: else its
     * own files would be mirrored for ever, or deleted.
     *
     * @param what it is, in words
     */
    public synchronized void leaveOut(String what, Path file, Path directory) {
        boolean more = false;
        for (Overlap overlap : new Tree(directory, MountInfo.now()).overlaps(new Tree(file, MountInfo.now()))) {
            if (overlap.here().isEmpty()) {
                throw new IllegalArgumentException("mirror " + id + ": " + directory + " is " + what
                        + " of Dromedary, name another" + (file.equals(stateDir) ? " (dromedary.state-dir)" : ""));
            }
            if (overlap.there().isEmpty() && leftOut.add(overlap.here())) {
                more = true;
                LOG.info("{}: {} {} lies in {}, and is left out there", id, what, Tree.real(file), directory);
            }
        }
        if (more) {
            excludes = Excludes.of(exclude, excludeRegex).without(leftOut);
        }
    }

    /** Whether nothing is in the source now; a source that is gone counts as empty. */
    public boolean isEmpty() {
        // No more than the first entry is read: this comes with each push, and a root may hold very many.
        try (Stream<Path> entries = Files.list(source)) {
            boolean empty =
                    entries.allMatch(entry -> Mark.is(entry.getFileName().toString()));
            filled |= !empty;
            return empty;
        } catch (IOException e) {
            return true;
        }
    }

    /** Whether this run has ever found anything in the source. */
    public boolean wasFilled() {
        return filled;
    }

    /** Whether the source is where a file system is mounted. */
    public boolean isMountPoint() {
        return Entries.isMountPoint(ByteString.of(source.toString()) + "/.");
    }

    /** Takes the directory that is now at the source's place, if there is one, for the right one from now on. */
    public void accept() {
        Stat now = root();
        if (now == null || !now.isDirectory()) {
            return;
        }
        root = now;
        mounted = isMountPoint();
        filled = false;
        isEmpty();
    }

    /** Whether a file system was mounted at the source when its directory was taken for the right one. */
    public boolean wasMountPoint() {
        return mounted;
    }

    /** Why nothing may be pushed from the source now, in one line; null when it is the directory it was at the start. */
    public String problem() {
        return problem(root());
    }

    /** The same of the directory that a process works in; null also when the system does not tell of it, or it has ended. */
    public String problem(long pid) {
        Stat there;
        try {
            there = Entries.lstat("/proc/" + pid + "/cwd/.");
        } catch (PosixException e) {
            return null;
        }
        return there == null ? null : problem(there);
    }

    private String problem(Stat now) {
        if (now == null || !now.isDirectory()) {
            return "source " + source + " is gone; it goes on when it is back";
        }
        if (!now.isSameFile(root)) {
            return "source " + source
                    + " is another directory than at the start, unmounted or replaced; it goes on when"
                    + " that one is back; if this one is right: dromedary resume REMOTE";
        }
        return null;
    }

    private Stat root() {
        // The dot leads through a source that is a symlink.
        return Entries.lstat(ByteString.of(source.toString()) + "/.");
    }

    public String id() {
        return id;
    }

    /** Whether a file is sent when its writer closes it, and not before. */
    public boolean sendsAtClose() {
        return events.contains("close-write") && !events.contains("modify") && !events.contains("create-file");
    }

    /** The state directory; null where it is not known. */
    Path stateDir() {
        return stateDir;
    }

    /** On which file systems lies what its links lead to. */
    public Behind behind() {
        return behind;
    }

    /** The links that one remote or another follows, as far as the remotes are known by now. */
    @Override
    public Following get() {
        return mirrors.following(id);
    }

    public boolean seesMounts() {
        return seesMounts;
    }

    /** Whether all its remotes leave out the file systems that are mounted below the source. */
    public boolean isOfOneFileSystem() {
        Collection<Remote> remotes = mirrors.remotesOf(id);
        return !remotes.isEmpty()
                && remotes.stream().allMatch(remote -> remote.args().oneFileSystem());
    }

    /** The root, absolute; its trailing slash is left to the caller. */
    public Path source() {
        return source;
    }

    /** The files that do not wait for their close. */
    public OpenFiles openFiles() {
        return openFiles;
    }

    public Excludes excludes() {
        return excludes;
    }

    /** What the watch may leave out: what is for the mirror, and what all of its remotes leave out by themselves. */
    public Excludes unwatched() {
        return excludes.withCommon(
                mirrors.remotesOf(id).stream().map(Remote::excludes).toList());
    }
}
