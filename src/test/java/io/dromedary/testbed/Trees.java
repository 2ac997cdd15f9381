package io.dromedary.testbed;

import static org.awaitility.Awaitility.await;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.awaitility.core.ConditionTimeoutException;

/** Says whether two directory trees are the same, to the byte, the nanosecond and the permission bit. */
public final class Trees {

    private static final int SHOWN = 20;

    private Trees() {}

    /**
     * All differences of existence, type, mode, modification time, symbolic link target and content, one line each,
     * ordered by path; empty when the trees are equal. The roots themselves are compared too. What could not be read,
     * because the tree is missing or just being changed, counts as a difference.
     *
     * <p>Times are compared to the nanosecond. rsync by itself ignores what is below a second, both when it decides
     * whether a file of the same size needs sending and when it sets the time of a directory or a link: only
     * {@code --modify-window=-1} makes it exact.
     */
    public static List<String> differences(Path source, Path target) {
        Sides listings = Sides.of(Trees::list, source, target);
        List<String> differences = metadata(listings);
        Sides checksums = Sides.of(Trees::checksums, source, target);
        differences.addAll(checksums.problems());
        listings.source().entries().forEach((path, entry) -> {
            Entry other = listings.target().entries().get(path);
            // Another size is a difference already.
            if (other != null && entry.file() && other.file() && entry.size().equals(other.size())) {
                Entry sum = checksums.source().entries().get(path);
                if (sum == null || !sum.equals(checksums.target().entries().get(path))) {
                    differences.add(Names.readable(path) + ": content differs");
                }
            }
        });
        return differences;
    }

    /** Waits until {@link #differences} finds none; on failure the first twenty of them are in the message. */
    public static void awaitEqual(Path source, Path target, Duration timeout) {
        AtomicReference<List<String>> last = new AtomicReference<>(List.of("not compared within " + timeout));
        try {
            await().atMost(timeout)
                    .pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> {
                        // Content is worth reading only once all that is cheap to see is equal.
                        List<String> differences = metadata(Sides.of(Trees::list, source, target));
                        if (differences.isEmpty()) {
                            differences = differences(source, target);
                        }
                        last.set(differences);
                        return differences.isEmpty();
                    });
        } catch (ConditionTimeoutException e) {
            List<String> differences = last.get();
            String rest = differences.size() > SHOWN ? "\n  ... and " + (differences.size() - SHOWN) + " more" : "";
            throw new AssertionError(
                    source + " (source) and " + target + " (target) still differ after " + timeout + ":\n  "
                            + String.join("\n  ", differences.subList(0, Math.min(SHOWN, differences.size())))
                            + rest,
                    e);
        }
    }

    /** The type of everything below a root, by byte string: find's letters, 'f', 'd', 'l' and so on. */
    public static TreeMap<String, Character> types(Path root) {
        Listing listing = list(root);
        if (!listing.problem().isEmpty()) {
            throw new IllegalStateException(listing.problem());
        }
        TreeMap<String, Character> types = new TreeMap<>();
        listing.entries().forEach((path, entry) -> types.put(path, entry.type().charAt(0)));
        return types;
    }

    private static List<String> metadata(Sides listings) {
        List<String> differences = new ArrayList<>(listings.problems());
        Map<String, Entry> sources = listings.source().entries();
        Map<String, Entry> targets = listings.target().entries();
        SortedSet<String> paths = new TreeSet<>(sources.keySet());
        paths.addAll(targets.keySet());
        for (String path : paths) {
            Entry source = sources.get(path);
            Entry target = targets.get(path);
            if (source == null || target == null) {
                differences.add(Names.readable(path) + ": only in " + (source == null ? "target" : "source"));
            } else if (!source.equals(target)) {
                compare(path, source, target, differences);
            }
        }
        return differences;
    }

    private static void compare(String path, Entry source, Entry target, List<String> differences) {
        Map<String, Function<Entry, String>> aspects = new LinkedHashMap<>();
        aspects.put("type", Entry::type);
        aspects.put("mode", Entry::mode);
        aspects.put("mtime", Entry::modified);
        aspects.put("size", Entry::size);
        aspects.put("link", entry -> Names.readable(entry.link()));
        aspects.forEach((name, aspect) -> {
            String ours = aspect.apply(source);
            String theirs = aspect.apply(target);
            if (!ours.equals(theirs)) {
                differences.add(
                        Names.readable(path) + ": " + name + " " + ours + " in source, " + theirs + " in target");
            }
        });
    }

    /** What find says: Java's own file API could not carry all names. The root may be a link to a directory. */
    private static Listing list(Path root) {
        Command find = Command.run("find", root.toAbsolutePath() + "/.", "-printf", "%P\\0%y\\0%m\\0%T@\\0%s\\0%l\\0");
        Map<String, Entry> entries = new TreeMap<>();
        List<String> fields = fields(find);
        for (int i = 0; i + 5 < fields.size(); i += 6) {
            String type = fields.get(i + 1);
            // The size of a directory is the file system's affair, that of a link is its target's length.
            String size = type.equals("f") ? fields.get(i + 4) : "";
            entries.put(fields.get(i), new Entry(type, fields.get(i + 2), fields.get(i + 3), size, fields.get(i + 5)));
        }
        return new Listing(entries, problem(find));
    }

    private static Listing checksums(Path root) {
        String start = root.toAbsolutePath() + "/.";
        Command find = Command.run("find", start, "-type", "f", "-exec", "md5sum", "-z", "--", "{}", "+");
        Map<String, Entry> entries = new TreeMap<>();
        for (String line : fields(find)) {
            // 32 hexadecimal digits, two blanks, the path as find gave it.
            String path = line.substring(34 + start.length() + 1);
            entries.put(path, new Entry("f", "", "", "", line.substring(0, 32)));
        }
        return new Listing(entries, problem(find));
    }

    private static List<String> fields(Command command) {
        String text = new String(command.output(), StandardCharsets.ISO_8859_1);
        List<String> fields = new ArrayList<>();
        int start = 0;
        for (int end = text.indexOf('\0'); end >= 0; end = text.indexOf('\0', start)) {
            fields.add(text.substring(start, end));
            start = end + 1;
        }
        return fields;
    }

    private static String problem(Command command) {
        return command.exitCode() == 0
                ? ""
                : "exit code " + command.exitCode() + ": " + command.errors().strip();
    }

    private record Entry(String type, String mode, String modified, String size, String link) {
        boolean file() {
            return type.equals("f");
        }
    }

    private record Listing(Map<String, Entry> entries, String problem) {}

    /** Both trees, asked the same at the same time. */
    private record Sides(Listing source, Listing target) {

        static Sides of(Function<Path, Listing> question, Path source, Path target) {
            CompletableFuture<Listing> first = CompletableFuture.supplyAsync(() -> question.apply(source));
            Listing second = question.apply(target);
            return new Sides(first.join(), second);
        }

        List<String> problems() {
            List<String> problems = new ArrayList<>();
            if (!source.problem().isEmpty()) {
                problems.add("source: " + source.problem());
            }
            if (!target.problem().isEmpty()) {
                problems.add("target: " + target.problem());
            }
            return problems;
        }
    }
}
