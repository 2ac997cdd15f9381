package io.dromedary.testbed;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * Random changes to a directory, of every kind a mirror has to cope with, under every kind of name: the load of the
 * integration tests. It must be the only writer there, and never leaves the directory or follows a symbolic link. The same
 * seed on the same tree makes the same changes; only the times differ that it does not set itself. Not thread-safe.
 */
public final class Churn {

    private static final int MOST_ENTRIES = 2_000;
    private static final int MOST_CONTENT = 100_000;
    // So that a path with all that a target or a backup puts around it stays far below the kernel's 4096 bytes.
    private static final int LONGEST_PATH = 1_500;
    private static final int DEEPEST = 8;
    private static final int REMEMBERED = 20_000;

    private static final char FILE = 'f';
    private static final char DIRECTORY = 'd';
    private static final char LINK = 'l';

    /** @param operation says what it did, for people; null when the tree offers nothing to do it to */
    private record Weighted(int weight, String name, Supplier<String> operation) {}

    private final RawFiles files;
    private final Random random;
    private final Names names;
    /** What there is, by byte string, without the root: no system call is needed to choose, and none can race. */
    private final TreeMap<String, Character> entries = new TreeMap<>(Churn::compare);

    private final List<Weighted> operations;
    private final int weights;
    private final Deque<String> history = new ArrayDeque<>();
    private long nanosPerOperation;
    private int serial;

    /** @param root exists; what is in it already takes part */
    public Churn(Path root, long seed) {
        System.out.println("churn of " + root + " with seed " + seed);
        files = new RawFiles(root);
        random = new Random(seed);
        names = new Names(random);
        entries.putAll(Trees.types(root));
        entries.remove("");
        operations = List.of(
                new Weighted(20, "create", this::create),
                new Weighted(8, "append", this::append),
                new Weighted(8, "overwrite", this::overwrite),
                new Weighted(3, "truncate", this::truncate),
                new Weighted(8, "save by rename", this::saveByRename),
                new Weighted(4, "save like vim", this::saveLikeVim),
                new Weighted(3, "save like git", this::saveLikeGit),
                new Weighted(6, "rename file", this::renameFile),
                new Weighted(6, "move file", this::moveFile),
                new Weighted(3, "rename directory", this::renameDirectory),
                new Weighted(3, "move directory", this::moveDirectory),
                new Weighted(8, "create tree", this::createTree),
                new Weighted(8, "delete file", this::deleteFile),
                new Weighted(2, "delete tree", this::deleteTree),
                new Weighted(3, "create again", this::createAgain),
                new Weighted(2, "directory becomes file", this::directoryBecomesFile),
                new Weighted(2, "file becomes directory", this::fileBecomesDirectory),
                new Weighted(3, "entry becomes link", this::entryBecomesLink),
                new Weighted(2, "link becomes entry", this::linkBecomesEntry),
                new Weighted(5, "link", this::link),
                new Weighted(3, "chmod file", this::chmodFile),
                new Weighted(3, "chmod directory", this::chmodDirectory),
                new Weighted(4, "set mtime", this::setModified));
        weights = operations.stream().mapToInt(Weighted::weight).sum();
    }

    /** From now on at most so many operations a second; without this call as many as the machine can do. */
    public Churn pace(int operationsPerSecond) {
        nanosPerOperation = Duration.ofSeconds(1).toNanos() / operationsPerSecond;
        return this;
    }

    /** @throws IllegalStateException when an operation fails: its name, the path, and the reason */
    public void run(int count) {
        long start = System.nanoTime();
        for (int done = 0; done < count; done++) {
            operate();
            keepPace(start, done + 1);
        }
    }

    /** As {@link #run(int)}, until this time is over; an interrupt ends it earlier. */
    public void run(Duration duration) {
        long start = System.nanoTime();
        for (int done = 1; System.nanoTime() - start < duration.toNanos() && !interrupted(); done++) {
            operate();
            keepPace(start, done);
        }
    }

    /** The latest operations, oldest first (the last 20,000), to find out what happened to a path that differs. */
    public List<String> history() {
        return List.copyOf(history);
    }

    /** What it believes to be below the root: type (find's letter) by byte string. */
    TreeMap<String, Character> entries() {
        return new TreeMap<>(Map.copyOf(entries));
    }

    private static boolean interrupted() {
        return Thread.currentThread().isInterrupted();
    }

    private void keepPace(long start, int done) {
        long due = start + done * nanosPerOperation;
        for (long left = due - System.nanoTime(); left > 0 && !interrupted(); left = due - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    private void operate() {
        String what = null;
        while (what == null) {
            Weighted chosen = choose();
            try {
                what = chosen.operation().get();
            } catch (IllegalStateException e) {
                throw new IllegalStateException("churn operation '" + chosen.name() + "' failed: " + e.getMessage(), e);
            }
            if (what != null) {
                what = chosen.name() + ": " + what;
            }
        }
        history.add(what);
        if (history.size() > REMEMBERED) {
            history.remove();
        }
    }

    private Weighted choose() {
        if (entries.size() >= MOST_ENTRIES) {
            // Cut back well below the bound: at the bound itself every other operation would be a deletion.
            return new Weighted(0, "delete tree", this::deleteMuch);
        }
        int ticket = random.nextInt(weights);
        for (Weighted weighted : operations) {
            ticket -= weighted.weight();
            if (ticket < 0) {
                return weighted;
            }
        }
        throw new IllegalStateException("weights do not add up");
    }

    // Operations on files

    private String create() {
        String path = freshIn(anyDirectory());
        createFile(path);
        return shown(path);
    }

    private String append() {
        String path = any(FILE);
        if (path != null) {
            files.append(path, content(MOST_CONTENT / 10));
        }
        return shown(path);
    }

    private String overwrite() {
        String path = any(FILE);
        if (path == null) {
            return null;
        }
        if (random.nextBoolean()) {
            files.write(path, content(MOST_CONTENT));
        } else {
            files.overwrite(path, random.nextInt(1000), content(1000));
        }
        return shown(path);
    }

    private String truncate() {
        String path = any(FILE);
        if (path != null) {
            files.truncate(path, random.nextBoolean() ? 0 : random.nextInt(MOST_CONTENT));
        }
        return shown(path);
    }

    private String saveByRename() {
        String path = any(FILE);
        if (path == null) {
            return null;
        }
        String temporary = join(parent(path), ".tmp-" + serial++);
        files.create(temporary, content(MOST_CONTENT));
        files.rename(temporary, path);
        return shown(path);
    }

    private String saveLikeVim() {
        String path = any(FILE);
        if (path == null || name(path).length() > 250) {
            return null;
        }
        String swap = join(parent(path), "." + name(path) + ".swp");
        String probe = join(parent(path), "4913");
        String backup = path + "~";
        if (entries.containsKey(swap) || entries.containsKey(probe) || entries.containsKey(backup)) {
            return null;
        }
        files.create(swap, content(1000));
        files.create(probe, new byte[0]);
        files.unlink(probe);
        files.rename(path, backup);
        files.create(path, content(MOST_CONTENT));
        files.chmod(path, fileMode());
        files.unlink(backup);
        files.unlink(swap);
        return shown(path);
    }

    private String saveLikeGit() {
        String path = freshIn(anyDirectory());
        String temporary = join(parent(path), "tmp_obj_" + serial++);
        files.create(temporary, content(MOST_CONTENT));
        files.link(temporary, path);
        files.unlink(temporary);
        entries.put(path, FILE);
        return shown(path);
    }

    private String renameFile() {
        String path = any(FILE);
        return path == null ? null : moveTo(path, overOrFreshIn(parent(path)));
    }

    private String moveFile() {
        String path = any(random.nextInt(4) == 0 ? LINK : FILE);
        if (path == null) {
            return null;
        }
        String directory = anyDirectory();
        String sameName = join(directory, name(path));
        boolean keepsName = random.nextBoolean() && !entries.containsKey(sameName);
        return moveTo(path, keepsName ? sameName : overOrFreshIn(directory));
    }

    private String moveTo(String from, String to) {
        if (from.equals(to)) {
            return null;
        }
        files.rename(from, to);
        entries.put(to, entries.remove(from));
        return shown(from) + " -> " + shown(to);
    }

    private String deleteFile() {
        String path = any(random.nextInt(8) == 0 ? LINK : FILE);
        if (path != null) {
            remove(path);
        }
        return shown(path);
    }

    private String createAgain() {
        String path = random.nextInt(4) == 0 ? directoryToLose() : any(random.nextInt(4) == 0 ? LINK : FILE);
        return path == null ? null : become(path, entries.get(path));
    }

    // Operations on directories

    private String createTree() {
        String top = freshIn(anyDirectory());
        makeTree(top);
        return shown(top);
    }

    private String renameDirectory() {
        String path = any(DIRECTORY);
        return path == null ? null : moveDirectoryTo(path, freshIn(parent(path)));
    }

    private String moveDirectory() {
        String path = any(DIRECTORY);
        String parent = anyDirectory();
        if (path == null || parent.equals(path) || parent.startsWith(path + "/")) {
            return null;
        }
        String sameName = join(parent, name(path));
        boolean keepsName = random.nextBoolean() && !entries.containsKey(sameName);
        return moveDirectoryTo(path, keepsName ? sameName : freshIn(parent));
    }

    private String moveDirectoryTo(String from, String to) {
        TreeMap<String, Character> moved = new TreeMap<>();
        for (var entry : tree(from).entrySet()) {
            String path = to + entry.getKey().substring(from.length());
            if (path.length() > LONGEST_PATH || depth(path) > DEEPEST) {
                return null;
            }
            moved.put(path, entry.getValue());
        }
        files.rename(from, to);
        tree(from).clear();
        entries.putAll(moved);
        return shown(from) + " -> " + shown(to);
    }

    private String deleteTree() {
        String path = directoryToLose();
        if (path != null) {
            remove(path);
        }
        return shown(path);
    }

    private String deleteMuch() {
        int enough = MOST_ENTRIES * 3 / 4;
        List<String> deleted = new ArrayList<>();
        while (entries.size() > enough) {
            String path = anyEntry();
            remove(path);
            deleted.add(shown(path));
        }
        return String.join(", ", deleted);
    }

    // One type becomes another

    private String directoryBecomesFile() {
        return become(directoryToLose(), FILE);
    }

    private String fileBecomesDirectory() {
        return become(any(FILE), DIRECTORY);
    }

    private String entryBecomesLink() {
        return become(random.nextBoolean() ? any(FILE) : directoryToLose(), LINK);
    }

    private String linkBecomesEntry() {
        return become(any(LINK), random.nextBoolean() ? FILE : DIRECTORY);
    }

    private String become(String path, char type) {
        if (path != null) {
            remove(path);
            make(path, type);
        }
        return shown(path);
    }

    // Operations on anything

    private String link() {
        String path = freshIn(anyDirectory());
        makeLink(path);
        return shown(path);
    }

    private String chmodFile() {
        String path = any(FILE);
        if (path != null) {
            files.chmod(path, fileMode());
        }
        return shown(path);
    }

    private String chmodDirectory() {
        String path = anyDirectory();
        // The owner always keeps his rights: the tests need not run as root.
        int[] modes = {0755, 0700, 0750, 0711, 0775, 01777};
        files.chmod(path, modes[random.nextInt(modes.length)]);
        return shown(path);
    }

    private int fileMode() {
        int[] modes = {0644, 0600, 0640, 0664, 0755, 0666};
        return modes[random.nextInt(modes.length)];
    }

    private String setModified() {
        String path = random.nextInt(4) == 0 ? anyDirectory() : anyEntry();
        if (path != null) {
            // 1970 to 2033, so the future too.
            files.modified(path, random.nextInt(2_000_000_000), random.nextInt(1_000_000_000));
        }
        return shown(path);
    }

    // What they are made of

    private void make(String path, char type) {
        switch (type) {
            case DIRECTORY -> makeTree(path);
            case LINK -> makeLink(path);
            default -> createFile(path);
        }
    }

    private void createFile(String path) {
        files.create(path, content(MOST_CONTENT));
        entries.put(path, FILE);
    }

    private void makeLink(String path) {
        String existing = anyEntry();
        String target = existing == null || random.nextInt(3) == 0 ? name() : "../".repeat(depth(path) - 1) + existing;
        files.symlink(target, path);
        entries.put(path, LINK);
    }

    /** A directory with files and up to a few more directories below it, all at once. */
    private void makeTree(String path) {
        files.mkdir(path);
        entries.put(path, DIRECTORY);
        for (int i = random.nextInt(4); i > 0; i--) {
            createFile(freshIn(path));
        }
        if (random.nextInt(5) < 2 && roomBelow(path)) {
            makeTree(freshIn(path));
        }
    }

    private void remove(String path) {
        for (var entry : tree(path).descendingMap().entrySet()) {
            if (entry.getValue() == DIRECTORY) {
                files.rmdir(entry.getKey());
            } else {
                files.unlink(entry.getKey());
            }
        }
        tree(path).clear();
    }

    /** The entry and all below it, as a view. */
    private NavigableMap<String, Character> tree(String path) {
        return entries.subMap(path, true, path + '\1', false);
    }

    /** Byte by byte, but '/' before all others, so that what is below a directory comes right behind it. */
    private static int compare(String one, String other) {
        int length = Math.min(one.length(), other.length());
        for (int i = 0; i < length; i++) {
            char a = one.charAt(i);
            char b = other.charAt(i);
            if (a != b) {
                return a == '/' ? -1 : b == '/' ? 1 : Character.compare(a, b);
            }
        }
        return Integer.compare(one.length(), other.length());
    }

    /** Mostly small, as files are. */
    private byte[] content(int most) {
        double size = random.nextDouble();
        byte[] content = new byte[(int) (size * size * size * most)];
        random.nextBytes(content);
        return content;
    }

    // Choosing

    private String anyEntry() {
        int size = entries.size();
        return size == 0
                ? null
                : entries.keySet().stream()
                        .skip(random.nextInt(size))
                        .findFirst()
                        .orElseThrow();
    }

    private String any(char type) {
        List<String> paths = new ArrayList<>();
        entries.forEach((path, itsType) -> {
            if (itsType == type) {
                paths.add(path);
            }
        });
        return paths.isEmpty() ? null : paths.get(random.nextInt(paths.size()));
    }

    /** Seldom a big one: otherwise no tree would ever grow to any size. */
    private String directoryToLose() {
        String path = any(DIRECTORY);
        return path == null || tree(path).size() <= 20 || random.nextInt(50) == 0 ? path : null;
    }

    /** One that takes another entry; may be the root. */
    private String anyDirectory() {
        List<String> paths = new ArrayList<>(List.of(""));
        entries.forEach((path, type) -> {
            if (type == DIRECTORY && roomBelow(path)) {
                paths.add(path);
            }
        });
        return paths.get(random.nextInt(paths.size()));
    }

    private static boolean roomBelow(String directory) {
        return depth(directory) < DEEPEST && directory.length() < LONGEST_PATH - 256;
    }

    /** Sometimes a file or link that is there, for a rename to replace. */
    private String overOrFreshIn(String directory) {
        if (random.nextInt(3) == 0) {
            String existing = random.nextBoolean() ? any(FILE) : any(LINK);
            if (existing != null) {
                return existing;
            }
        }
        return freshIn(directory);
    }

    private String freshIn(String directory) {
        String path = join(directory, name());
        while (entries.containsKey(path)) {
            path = join(directory, "n" + serial++);
        }
        return path;
    }

    /** From a small supply, so that names come again after they were deleted; half of them odd. */
    private String name() {
        return random.nextBoolean() ? "f" + random.nextInt(200) : new String(names.next(), StandardCharsets.ISO_8859_1);
    }

    private static String shown(String path) {
        return path == null ? null : Names.readable(path);
    }

    private static String join(String directory, String name) {
        return directory.isEmpty() ? name : directory + "/" + name;
    }

    private static String parent(String path) {
        return path.substring(0, Math.max(0, path.lastIndexOf('/')));
    }

    private static String name(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    /** 0 for the root. */
    private static int depth(String path) {
        return path.isEmpty() ? 0 : 1 + (int) path.chars().filter(c -> c == '/').count();
    }
}
