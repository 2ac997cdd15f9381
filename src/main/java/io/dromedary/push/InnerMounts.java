package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Sample;
import io.dromedary.posix.Entries;
import io.dromedary.posix.LibC;
import io.dromedary.posix.MountTable;
import io.dromedary.posix.OwnerOnly;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file systems below one mirror's source: which are mounted, and which were and are not. One that has come to another's
 * place and is unlike it ({@link Likeness}) is missing too. All is kept over restarts, in
 * a directory of its own: {@code known} says what is known, a line each, {@code mounted disk PATH}, {@code missing bind
 * PATH} or {@code owed PATH}, and after a place what it was like; the others are filter rules for rsync, made of that. Safe for use by several threads.
 */
final class InnerMounts {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    /** How often what is mounted is looked into, in nanoseconds. */
    private static final long PAUSE = TimeUnit.SECONDS.toNanos(1);

    private enum Kind {
        /** Another file system than the source's: {@code --one-file-system} leaves it out. */
        DISK,
        /** A part of the source's own file system. */
        BIND;

        static Kind named(String word) {
            return word.equals("bind") ? BIND : DISK;
        }

        String word() {
            return this == BIND ? "bind" : "disk";
        }
    }

    /**
     * What is mounted at one place.
     *
     * @param what see {@link MountTable#below}; empty if it is known from an earlier run only
     * @param above which directory the place is in; empty likewise
     */
    private record Mounted(Kind kind, String what, String above) {
        /** A directory above was renamed, and what is mounted below it moved along; the system tells nobody. */
        boolean hasMovedTo(Mounted other) {
            return !above.isEmpty() && equals(other);
        }
    }

    private final Mirror mirror;
    private final MountTable table;
    private final Path directory;

    private Map<String, Mounted> mounted = new TreeMap<>();
    private final Map<String, Kind> missing = new TreeMap<>();
    /** What each place was like while it was right, where that is known. */
    private final Map<String, Likeness> likenesses = new TreeMap<>();
    /** Of those that are missing although something is mounted there: why that is not taken for them. */
    private final Map<String, String> doubts = new TreeMap<>();
    /** Places of which more, or others, may be known by now. */
    private final Set<String> changed = new TreeSet<>();

    private long lookedAt = System.nanoTime() - PAUSE;

    /** What the remotes are to be sent with all below it, since it came back or is right as it is. */
    private final Set<String> owed = new TreeSet<>();

    private long generation = -1;
    private String root = "";
    /** What is no directory, with a missing place below it: rsync would have to delete that to send this. */
    private Set<String> inTheWay = Set.of();

    /** Null: to be made of what is known. */
    private Parts all;

    private Parts oneFileSystem;
    /** What is in the file {@code known}; null: who knows. */
    private String saved;

    /** @param directory where it is kept, absolute */
    InnerMounts(Mirror mirror, MountTable table, Path directory) throws IOException {
        this.mirror = mirror;
        this.table = table;
        this.directory = directory;
        load();
    }

    /**
     * What a remote has to heed now; the same object as long as nothing changes.
     *
     * @throws HaltedException if the rules for it cannot be written
     */
    synchronized Parts parts(boolean ofOneFileSystem) {
        look();
        Set<String> now = inTheWay(missing.keySet());
        if (all == null || oneFileSystem == null || !now.equals(inTheWay)) {
            inTheWay = now;
            makeParts();
        }
        return ofOneFileSystem ? oneFileSystem : all;
    }

    /** Which parts are halted and why, in one line; null: none. */
    synchronized String problem(boolean ofOneFileSystem) {
        look();
        List<String> told = new ArrayList<>();
        List<String> unmounted = new ArrayList<>(missingOf(ofOneFileSystem));
        for (String place : missingOf(ofOneFileSystem)) {
            if (doubts.containsKey(place)) {
                unmounted.remove(place);
                told.add(told(place, doubts.get(place)));
            }
        }
        if (!unmounted.isEmpty()) {
            told.add(0, told(unmounted));
        }
        return told.isEmpty() ? null : String.join("; ", told);
    }

    /** What has just changed in a file system that is mounted and right is no accident. */
    synchronized void seen(ChangeSet changes) {
        likenesses.forEach((place, known) -> {
            if (!missing.containsKey(place)
                    && changes.concerns(place)
                    && (known.names().size() < Sample.MOST || hasLost(place, known, changes))) {
                changed.add(place);
            }
        });
    }

    private boolean hasLost(String place, Likeness known, ChangeSet changes) {
        return known.names().stream()
                .filter(name -> changes.covers(place + "/" + name, false))
                .anyMatch(name -> Sample.present(mirror, place, List.of(name)).isEmpty());
    }

    /** A person says that what is missing is right as it is. */
    synchronized void accept() {
        look();
        if (missing.isEmpty()) {
            return;
        }
        for (String place : missing.keySet()) {
            String how = doubts.containsKey(place) ? "" : ", with nothing mounted there";
            LOG.info("{}: {} is mirrored as it is{}", mirror.id(), show(place), how);
        }
        owed.addAll(missing.keySet());
        likenesses.keySet().removeAll(missing.keySet());
        missing.clear();
        doubts.clear();
        learn();
        makeAnew();
        save();
    }

    /** What the remotes are owed, to be forgotten by {@link #paid}; empty: nothing. */
    synchronized ChangeSet owed() {
        look();
        ChangeSet changes = new ChangeSet();
        owed.forEach(place -> changes.add(place, true));
        return changes;
    }

    synchronized void paid(ChangeSet changes) {
        if (owed.removeIf(place -> changes.covers(place, true))) {
            save();
        }
    }

    private void look() {
        // First the number: what changes while the table is read is read next time.
        long now = table.generation();
        boolean due = System.nanoTime() - lookedAt > PAUSE && !(doubts.isEmpty() && changed.isEmpty());
        if (now == generation && !due && !hasMoved()) {
            return;
        }
        boolean first = generation < 0;
        // Of a source that is not in its place nothing is known; what the mirror's own guard says holds for all of it.
        if (mirror.problem() != null) {
            return;
        }
        Map<String, Mounted> places;
        try {
            places = places();
        } catch (IOException | PosixException e) {
            LOG.warn("{}: cannot tell what is mounted below its source: {}", mirror.id(), e.toString());
            return;
        }
        generation = now;
        if (!first && !due && places.equals(mounted)) {
            return;
        }
        boolean same = !first && places.equals(mounted);
        Set<String> before = Set.copyOf(missing.keySet());
        compare(places, first);
        mounted = places;
        if (!same || !before.equals(missing.keySet())) {
            makeAnew();
        }
        learn();
        save();
    }

    /** What is mounted and right now is known from now on, if it was there all the while. */
    private void learn() {
        lookedAt = System.nanoTime();
        boolean ofOneFileSystem = mirror.isOfOneFileSystem();
        Map<String, Likeness> found = new TreeMap<>();
        mounted.forEach((place, what) -> {
            boolean ask = changed.contains(place) || !likenesses.containsKey(place);
            if (ask && !missing.containsKey(place) && !(ofOneFileSystem && what.kind == Kind.DISK)) {
                Likeness now = Likeness.of(mirror, place);
                if (now != null) {
                    found.put(place, now);
                }
            }
        });
        if (table.generation() == generation) {
            likenesses.putAll(found);
            changed.clear();
        }
        likenesses.keySet().removeIf(place -> !mounted.containsKey(place) && !missing.containsKey(place));
    }

    /** Whether what is mounted at this place is not what was there. */
    private boolean isDoubted(String place, Mounted now) {
        Mounted before = mounted.get(place);
        boolean same = now.equals(before);
        if (same && !doubts.containsKey(place)) {
            return false;
        }
        Likeness known = likenesses.get(place);
        String doubt = known == null ? null : known.unlike(mirror, place, same);
        if (doubt == null) {
            return false;
        }
        if (doubts.put(place, doubt) == null || !same) {
            LOG.warn("{}: {}", mirror.id(), told(place, doubt));
        }
        return true;
    }

    private void compare(Map<String, Mounted> places, boolean first) {
        mounted.forEach((place, before) -> {
            if (places.containsKey(place) || mirror.excludes().covers(place, true)) {
                return;
            }
            boolean moved = places.entrySet().stream()
                    .anyMatch(other -> !mounted.containsKey(other.getKey()) && before.hasMovedTo(other.getValue()));
            if (!moved) {
                doubts.remove(place);
                missing.put(place, before.kind);
                LOG.warn("{}: {}", mirror.id(), told(List.of(place)));
            }
        });
        places.forEach((place, now) -> {
            if (isDoubted(place, now)) {
                missing.put(place, now.kind);
                return;
            }
            boolean back = missing.remove(place) != null;
            boolean doubted = doubts.remove(place) != null;
            boolean isNew = !back && !mounted.containsKey(place);
            if (doubted) {
                LOG.info("{}: {} is what it was", mirror.id(), show(place));
            } else if (back) {
                LOG.info("{}: {} is mounted again", mirror.id(), show(place));
            } else if (isNew && !first) {
                LOG.info("{}: something is mounted at {}", mirror.id(), show(place));
            }
            // A watch that sees mounts tells of them itself, once it watches what is there.
            if (doubted || (first ? back : (back || isNew) && !mirror.seesMounts())) {
                owed.add(place);
            }
        });
    }

    /** What moves with a directory above it is no event of the table; it is looked at itself. */
    private boolean hasMoved() {
        for (String place : mounted.keySet()) {
            if (LibC.isNoMountPoint(root + "/" + place)) {
                return true;
            }
        }
        for (String place : missing.keySet()) {
            if (!doubts.containsKey(place) && LibC.isMountPoint(root + "/" + place)) {
                return true;
            }
        }
        return false;
    }

    private Map<String, Mounted> places() throws IOException {
        String real = MountTable.real(mirror.source());
        NavigableMap<String, String> below = table.below(real);
        root = real.equals("/") ? "" : real;
        Map<String, Mounted> places = new TreeMap<>();
        if (below.isEmpty()) {
            return places;
        }
        Stat source = Entries.lstat(real);
        below.forEach((place, what) -> {
            Stat stat = Entries.lstat(root + "/" + place);
            if (stat != null && source != null && !mirror.excludes().covers(place, stat.isDirectory())) {
                Kind kind = stat.dev() == source.dev() ? Kind.BIND : Kind.DISK;
                places.put(place, new Mounted(kind, what, which(root + "/" + RsyncCalls.parent(place))));
            }
        });
        return places;
    }

    private static String which(String directory) {
        Stat stat = Entries.lstat(directory + "/.");
        return stat == null ? "" : stat.dev() + ":" + stat.ino() + ":" + stat.born();
    }

    private void makeAnew() {
        all = null;
        oneFileSystem = null;
    }

    private void makeParts() {
        Set<String> shut = new TreeSet<>();
        Set<String> binds = new TreeSet<>();
        Set<String> right = new TreeSet<>(mounted.keySet());
        right.removeAll(missing.keySet());
        right.forEach(place -> (mounted.get(place).kind == Kind.DISK ? shut : binds).add(place));
        all = parts(withWhatIsInTheWay(missing.keySet()), Set.of(), right, "");
        oneFileSystem = parts(withWhatIsInTheWay(missingOf(true)), shut, binds, "-x");
    }

    private Set<String> withWhatIsInTheWay(Collection<String> places) {
        Set<String> all = new TreeSet<>(places);
        all.addAll(inTheWay(places));
        return all;
    }

    private Set<String> inTheWay(Collection<String> places) {
        Set<String> found = new TreeSet<>();
        for (String place : places) {
            for (int slash = place.indexOf('/'); slash >= 0; slash = place.indexOf('/', slash + 1)) {
                String above = place.substring(0, slash);
                Stat stat = Entries.lstat(root + "/" + above);
                if (stat == null) {
                    break;
                }
                if (!stat.isDirectory()) {
                    found.add(above);
                    break;
                }
            }
        }
        return found;
    }

    private List<String> missingOf(boolean ofOneFileSystem) {
        return missing.entrySet().stream()
                .filter(place -> !ofOneFileSystem || place.getValue() == Kind.BIND)
                .map(Map.Entry::getKey)
                .toList();
    }

    /** @param shut what is mounted and left out for it: the place itself is there at the remote, and empty */
    private Parts parts(Collection<String> gone, Collection<String> shut, Collection<String> pushed, String suffix) {
        List<String> leaving = new ArrayList<>();
        gone.forEach(place -> leaving.add("- /" + RsyncCalls.literal(place)));
        shut.forEach(place -> leaving.add("- /" + RsyncCalls.literal(place + "/") + "**"));
        Set<String> protecting = new TreeSet<>();
        for (String place : pushed) {
            for (int slash = place.indexOf('/'); slash >= 0; slash = place.indexOf('/', slash + 1)) {
                protecting.add("P /" + RsyncCalls.literal(place.substring(0, slash)));
            }
            protecting.add("P /" + RsyncCalls.literal(place));
            // Perishable: what is in the way of a file there may be deleted.
            protecting.add("Pp /" + RsyncCalls.literal(place + "/") + "**");
        }
        Set<String> leftOut = new TreeSet<>(gone);
        leftOut.addAll(shut);
        return new Parts(
                Set.copyOf(leftOut),
                List.copyOf(pushed),
                rules("left-out" + suffix, leaving),
                rules("mounted" + suffix, protecting));
    }

    /** The options for rules that are kept in a file: names are bytes, and Java would encode them. */
    private List<String> rules(String name, Iterable<String> rules) {
        String text = String.join("\0", rules);
        if (text.isEmpty()) {
            return List.of();
        }
        Path file = directory.resolve(name);
        try {
            write(file, text + "\0");
        } catch (IOException e) {
            throw new HaltedException(
                    "cannot write " + file + ", without which what is not mounted would be deleted: " + e);
        }
        // Its rules end with a NUL each; those in files of the user's, which follow, with the line.
        return List.of("--from0", "--filter=merge " + file, "--no-from0");
    }

    private void load() throws IOException {
        List<String> lines;
        try {
            lines = Files.readString(directory.resolve("known"), StandardCharsets.ISO_8859_1)
                    .lines()
                    .toList();
        } catch (NoSuchFileException e) {
            return;
        }
        String place = null;
        List<String> like = new ArrayList<>();
        for (String line : lines) {
            String[] words = line.split(" ", 3);
            try {
                if (words.length == 3 && words[0].equals("mounted")) {
                    know(place, like);
                    place = ByteString.unescape(words[2]);
                    mounted.put(place, new Mounted(Kind.named(words[1]), "", null));
                } else if (words.length == 3 && words[0].equals("missing")) {
                    know(place, like);
                    place = ByteString.unescape(words[2]);
                    missing.put(place, Kind.named(words[1]));
                } else if (words[0].equals("owed")) {
                    owed.add(ByteString.unescape(line.substring("owed ".length())));
                } else {
                    like.add(line);
                }
            } catch (IllegalArgumentException e) {
                LOG.warn("{}: left out: {}", directory.resolve("known"), e.getMessage());
            }
        }
        know(place, like);
    }

    private void know(String place, List<String> lines) {
        Likeness like = Likeness.parse(lines);
        if (place != null && like.place() != null) {
            likenesses.put(place, like);
        }
        lines.clear();
    }

    private void save() {
        StringBuilder lines = new StringBuilder();
        mounted.forEach((place, what) -> {
            if (!missing.containsKey(place)) {
                line(lines, "mounted " + what.kind.word(), place);
                like(lines, place);
            }
        });
        missing.forEach((place, kind) -> {
            line(lines, "missing " + kind.word(), place);
            like(lines, place);
        });
        owed.forEach(place -> line(lines, "owed", place));
        if (lines.toString().equals(saved)) {
            return;
        }
        try {
            write(directory.resolve("known"), lines.toString());
            saved = lines.toString();
        } catch (IOException e) {
            LOG.error(
                    "{}: cannot write it, that something is not mounted will not be noticed after the next start: {}",
                    directory,
                    e.toString());
        }
    }

    private void like(StringBuilder lines, String place) {
        Likeness like = likenesses.get(place);
        if (like != null) {
            like.lines().forEach(line -> lines.append(line).append('\n'));
        }
    }

    private static void line(StringBuilder lines, String what, String place) {
        lines.append(what).append(' ').append(ByteString.escape(place)).append('\n');
    }

    private static void write(Path file, String byteString) throws IOException {
        Files.createDirectories(file.getParent(), OwnerOnly.directory());
        Path written = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(written);
        Files.createFile(written, OwnerOnly.file());
        Files.write(written, ByteString.bytes(byteString));
        Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
    }

    private static String told(String place, String doubt) {
        return show(place) + doubt + " Until then that part is halted, nothing in it is sent or deleted."
                + " If this is right: dromedary resume REMOTE";
    }

    /** What a person is told of these places, in one line. */
    private static String told(List<String> places) {
        String more = places.size() > 1 ? " and " + (places.size() - 1) + " more places" : "";
        return "nothing is mounted at " + show(places.get(0)) + more
                + " any more: that part is halted, nothing in it is"
                + " sent or deleted; it goes on when something is mounted there. If this is right: dromedary resume REMOTE";
    }

    private static String show(String place) {
        return ByteString.readable(place);
    }
}
