package io.dromedary.setup;

import io.dromedary.change.ByteString;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Mark;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Target;
import io.dromedary.posix.Entries;
import io.dromedary.posix.OwnerOnly;
import io.dromedary.posix.PosixException;
import io.dromedary.posix.Stat;
import io.dromedary.posix.Tree;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out which directory the target at a daemon or an ssh server of this very machine is. Neither tells; but an empty
 * file that is put into a directory for a moment is to be seen at such a target. rsync lists it, nothing is transferred.
 * Where no file can be put, or nothing be listed, it is not known.
 */
final class OwnHost {
    /** That a server does not answer now; asked later, it may. */
    static final class NoAnswer extends IOException {
        NoAnswer(String words) {
            super(words);
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger("dromedary");

    private static final Set<String> NAMES = names();

    /** What goes wrong, in a line that is neither an entry nor of a daemon's greeting. */
    private static final Pattern WORDS = Pattern.compile("^(rsync|ssh|@ERROR|ERROR)");

    /** rsync's codes for a server that does not answer. */
    private static final Set<Integer> NO_ANSWER = Set.of(10, 12, 30, 35, 255);

    /** A mark so old was left behind by a kill. */
    private static final Duration STALE = Duration.ofMinutes(1);

    /** Directories that are looked at in search of one that may be the target; those that may be are few. */
    private static final int MOST_LOOKED_AT = 200_000;

    private static final int MOST_TRIED = 20;

    /** rsync's own limits are shorter. */
    private static final int SECONDS = 20;

    private static final Pattern LISTED = Pattern.compile("\\S{10,11} +\\S+ (\\S{10} \\d\\d:\\d\\d:\\d\\d) (.*)");
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("uuuu/MM/dd HH:mm:ss").withZone(ZoneOffset.UTC);

    private final String rsync;

    /** @param rsync the command */
    OwnHost(String rsync) {
        this.rsync = rsync;
    }

    /** Whether this name or address may be this machine's; the server behind it may still be another one's, by a tunnel. */
    static boolean mayBeThis(String host) {
        if (host.isEmpty()) {
            return false;
        }
        if (NAMES.contains(host) || NAMES.contains(host.replaceFirst("\\..*", "")) || host.endsWith(".localhost")) {
            return true;
        }
        return isAddress(host) && isOwnAddress(host);
    }

    private static boolean isAddress(String host) {
        return host.contains(":") || host.matches("\\d+(\\.\\d+){3}");
    }

    private static boolean isOwnAddress(String text) {
        try {
            // Of an address nobody is asked for it.
            InetAddress address = InetAddress.getByName(text);
            return address.isLoopbackAddress() || NetworkInterface.getByInetAddress(address) != null;
        } catch (UnknownHostException | SocketException e) {
            return false;
        }
    }

    /** From files alone: a name server that is down would hold up each start. */
    private static Set<String> names() {
        Set<String> names = new HashSet<>(Set.of("localhost"));
        try {
            names.add(Files.readString(Path.of("/proc/sys/kernel/hostname"))
                    .strip()
                    .toLowerCase(Locale.ROOT));
            for (String line : Files.readAllLines(Path.of("/etc/hosts"), StandardCharsets.ISO_8859_1)) {
                String[] words = line.replaceFirst("#.*", "")
                        .strip()
                        .toLowerCase(Locale.ROOT)
                        .split("\\s+");
                if (isAddress(words[0]) && isOwnAddress(words[0])) {
                    names.addAll(List.of(words).subList(1, words.length));
                }
            }
        } catch (IOException e) {
            LOG.debug("names of this machine: {}", e.toString());
        }
        return names;
    }

    /** The path that an ssh target names, if that is one of this machine; null: it cannot be told. */
    static Path named(Target target) {
        String place = target.place();
        if (place.startsWith("/")) {
            return Path.of(place);
        }
        String home = home(target.user());
        return home == null ? null : Path.of(home).resolve(place.replaceFirst("^~/+|^~$", ""));
    }

    private static String home(String user) {
        if (user.isEmpty() || user.equals(System.getProperty("user.name"))) {
            return System.getProperty("user.home");
        }
        try {
            for (String line : Files.readAllLines(Path.of("/etc/passwd"), StandardCharsets.ISO_8859_1)) {
                String[] fields = line.split(":");
                if (fields.length > 5 && fields[0].equals(user)) {
                    return fields[5];
                }
            }
        } catch (IOException e) {
            LOG.debug("home of {}: {}", user, e.toString());
        }
        return null;
    }

    /**
     * The directory that this remote's target is, if it is, contains or lies in the source of any of these mirrors; else
     * null.
     */
    Path find(Remote remote, Collection<Mirror> mirrors) throws NoAnswer {
        Target target = remote.target();
        if (target.kind() == Target.Kind.SSH) {
            Path root = holding(remote, "/", mirrors, false);
            return root == null ? null : named(target);
        }
        String place = target.place();
        int slash = place.indexOf('/');
        String module = slash < 0 ? place : place.substring(0, slash);
        Path found = holding(remote, module, mirrors, true);
        return found == null
                ? null
                : found.resolve(place.substring(module.length()).replaceFirst("^/+", ""));
    }

    /** @param place where at the server to look, with all there is below it */
    private Path holding(Remote remote, String place, Collection<Mirror> mirrors, boolean inside) throws NoAnswer {
        Map<String, Path> marks = new LinkedHashMap<>();
        List<String> asked = new ArrayList<>(List.of("."));
        List<Listed> listed;
        try {
            for (Mirror mirror : mirrors) {
                Path source = Tree.real(mirror.source());
                String mark = put(source, marks);
                if (mark != null) {
                    // The source itself, or the directory above it, and so on up to the root.
                    String path = ByteString.of(source.resolve(mark).toString());
                    for (int from = path.lastIndexOf('/'); from >= 0; from = path.lastIndexOf('/', from - 1)) {
                        asked.add(path.substring(from + 1));
                    }
                }
            }
            listed = list(remote, place, asked);
        } finally {
            remove(marks);
        }
        for (Listed entry : listed) {
            String mark = entry.path.substring(entry.path.lastIndexOf('/') + 1);
            Path at = marks.get(mark);
            for (int i = entry.path.length() - mark.length();
                    at != null && i > 0;
                    i = entry.path.lastIndexOf('/', i - 2) + 1) {
                at = at.getParent();
            }
            if (at != null) {
                return at;
            }
        }
        return inside ? inside(remote, place, listed, mirrors) : null;
    }

    /**
     * The directory in one of these sources that the place is: of those that are as old and hold what is there, the one whose
     * mark is seen there. No other gets one: it would be in the way of whoever removes that directory just then.
     */
    private Path inside(Remote remote, String place, List<Listed> listed, Collection<Mirror> mirrors) throws NoAnswer {
        Map<String, Path> marks = new LinkedHashMap<>();
        try {
            for (Listed entry : listed) {
                List<Path> candidates = new ArrayList<>();
                for (Mirror mirror : entry.path.equals(".") ? mirrors : List.<Mirror>of()) {
                    candidates.addAll(candidates(mirror, entry.time));
                }
                if (!candidates.isEmpty()) {
                    List<String> names = namesAt(remote, place);
                    candidates.stream()
                            .filter(candidate -> holds(candidate, names))
                            .forEach(candidate -> put(candidate, marks));
                }
            }
            if (!marks.isEmpty()) {
                for (Listed entry : list(remote, place, List.copyOf(marks.keySet()))) {
                    if (marks.containsKey(entry.path)) {
                        return marks.get(entry.path);
                    }
                }
            }
            return null;
        } finally {
            remove(marks);
        }
    }

    /** What is at the top there. */
    private List<String> namesAt(Remote remote, String place) throws NoAnswer {
        return list(remote, place, List.of("--dirs", "--8-bit-output"), List.of()).stream()
                .map(Listed::path)
                .filter(name -> !name.equals(".") && !Mark.is(name))
                .toList();
    }

    /** Whether a directory may be the one with these names: it has them all, and is empty if there are none. */
    private static boolean holds(Path directory, List<String> names) {
        String above = ByteString.of(directory.toString()) + "/";
        try {
            if (names.isEmpty()) {
                List<String> there = new ArrayList<>();
                Entries.list(above + ".", 1, (name, isDirectory) -> there.add(name));
                return there.isEmpty();
            }
            // Where rsync does not print a byte it writes a backslash, # and three digits.
            return names.stream()
                    .filter(name -> !name.contains("\\#"))
                    .allMatch(name -> Entries.lstat(above + name) != null);
        } catch (PosixException e) {
            return false;
        }
    }

    /** Directories below a source, not excluded, that were last changed at that time. */
    private static List<Path> candidates(Mirror mirror, String time) {
        Excludes excludes = mirror.excludes();
        List<Path> candidates = new ArrayList<>();
        String root = ByteString.of(mirror.source().toString());
        Deque<String> left = new ArrayDeque<>(List.of(""));
        for (int i = 0; i < MOST_LOOKED_AT && !left.isEmpty() && candidates.size() < MOST_TRIED; i++) {
            String at = left.remove();
            try {
                Stat stat = Entries.lstat(root + "/" + at);
                if (!at.isEmpty()
                        && stat != null
                        && TIME.format(Instant.ofEpochSecond(stat.mtimeSeconds()))
                                .equals(time)) {
                    candidates.add(mirror.source().resolve(new String(ByteString.bytes(at), StandardCharsets.UTF_8)));
                }
                Entries.list(root + "/" + (at.isEmpty() ? "." : at), (name, isDirectory) -> {
                    String below = at.isEmpty() ? name : at + "/" + name;
                    if (isDirectory && !excludes.matches(below, true)) {
                        left.add(below);
                    }
                });
            } catch (PosixException | InvalidPathException e) {
                LOG.debug("{}: {}", mirror.id(), e.getMessage());
            }
        }
        return candidates;
    }

    /** Puts an empty file there, and notes its name; returns that, or null if it cannot be put there. */
    private static String put(Path directory, Map<String, Path> marks) {
        String mark = Mark.next();
        try (DirectoryStream<Path> left = Files.newDirectoryStream(directory, Mark.GLOB)) {
            FileTime before = Files.getLastModifiedTime(directory);
            for (Path old : left) {
                if (Files.getLastModifiedTime(old)
                        .toInstant()
                        .isBefore(Instant.now().minus(STALE))) {
                    Files.deleteIfExists(old);
                }
            }
            Files.createFile(directory.resolve(mark), OwnerOnly.file());
            marks.put(mark, directory);
            Files.setLastModifiedTime(directory, before);
            return mark;
        } catch (IOException e) {
            LOG.debug("{}: {}", directory, e.toString());
            return marks.containsKey(mark) ? mark : null;
        }
    }

    private static void remove(Map<String, Path> marks) {
        marks.forEach((mark, directory) -> {
            try {
                FileTime before = Files.getLastModifiedTime(directory);
                Files.deleteIfExists(directory.resolve(mark));
                Files.setLastModifiedTime(directory, before);
            } catch (IOException e) {
                LOG.warn("{}: {}", directory.resolve(mark), e.toString());
            }
        });
    }

    private record Listed(String time, String path) {}

    /** Those of these paths that are there; none if the server does not let them be listed. */
    private List<Listed> list(Remote remote, String place, List<String> paths) throws NoAnswer {
        return list(remote, place, List.of("--from0", "--files-from=-"), paths);
    }

    private List<Listed> list(Remote remote, String place, List<String> options, List<String> paths) throws NoAnswer {
        String target = remote.target().text();
        String at =
                target.substring(0, target.length() - remote.target().place().length()) + place;
        List<String> command = new ArrayList<>(List.of(rsync, "--include=*"));
        command.addAll(remote.options());
        command.addAll(List.of("--list-only", "--no-r"));
        command.addAll(options);
        command.add("--");
        command.addAll(List.of(at.endsWith("/") ? at : at + "/", "."));
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(remote.mirror().source().toFile());
        builder.environment().putAll(Map.of("LC_ALL", "C", "TZ", "UTC"));
        try {
            return list(builder.redirectErrorStream(true).start(), paths);
        } catch (NoAnswer e) {
            throw e;
        } catch (IOException e) {
            LOG.debug("{}: {}", remote.id(), e.toString());
            return List.of();
        }
    }

    private static List<Listed> list(Process process, List<String> paths) throws IOException {
        // One that does not end would hold up the start.
        process.onExit().orTimeout(SECONDS, TimeUnit.SECONDS).exceptionally(e -> process.destroyForcibly());
        try (OutputStream list = process.getOutputStream()) {
            for (String path : paths) {
                list.write(ByteString.bytes(path.equals(".") ? "." : "./" + path));
                list.write(0);
            }
        } catch (IOException e) {
            LOG.debug("rsync has ended before its list: {}", e.toString());
        }
        List<Listed> listed = new ArrayList<>();
        String words = null;
        String told = new String(process.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        for (String line : told.split("\n")) {
            Matcher entry = LISTED.matcher(line);
            if (entry.matches()) {
                listed.add(new Listed(entry.group(1), entry.group(2)));
            } else if (words == null && WORDS.matcher(line).find() || line.contains("max connections")) {
                words = line.strip();
            }
        }
        int exitCode = process.onExit().join().exitValue();
        if (NO_ANSWER.contains(exitCode) || words != null && words.contains("max connections")) {
            throw new NoAnswer(words == null ? "rsync exit code " + exitCode : words);
        }
        return listed;
    }
}
