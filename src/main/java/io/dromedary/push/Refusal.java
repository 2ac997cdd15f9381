package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Target;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A path that did not go through, and rsync's words about it.
 *
 * @param path byte string, relative to the mirror's root
 * @param deep whether nothing below it went through either
 * @param words one line of rsync's, in ASCII
 * @param lasting whether the next try will fail as well, unless somebody does something about it
 * @param unread whether it is the source that could not be read, which makes rsync leave out deletions
 */
record Refusal(String path, boolean deep, String words, boolean lasting, boolean unread) {
    /** All of rsync's messages that make its exit code 23 begin like this; what else is on stderr is a banner of ssh. */
    private static final Pattern ERROR = Pattern.compile(
            "^(rsync: |ERROR: |FATAL |skipping |could not make way |recv_files"
                    + "|symlink has no referent|temporary filename |receive_sums|\\(No batched)|sys_acl_|_acl |cannot convert ");

    /** What follows from another line, or is no failure. */
    private static final Pattern NO_ERROR =
            Pattern.compile("^(rsync error:|WARNING: .*\\(will try again\\)|skipped diminished)"
                    + "|has vanished: |cannot delete non-empty directory|IO error encountered|parent dir is absent|connection unexpectedly closed"
                    + "|Connection reset by peer|Broken pipe");

    private static final String CONTENTS_SKIPPED = "*** Skipping any contents from this failed directory ***";

    /** The messages that name a path without quotes. */
    private static final List<Pattern> UNQUOTED = List.of(
            Pattern.compile("delete_file: \\w+\\((.*)\\) failed"),
            Pattern.compile("could not make way for (?:new|backup) [^:]+: (.*)$"),
            Pattern.compile("^(?:ERROR|WARNING): (.*) failed verification -- "),
            Pattern.compile("cannot convert filename: (.*) \\("),
            Pattern.compile("overly long name: (.*)$"),
            Pattern.compile("sys_acl_\\w+\\((.*?)(?:, [^,]*)?\\)"));

    /** Of a directory: it is not there, so nothing in it is. */
    private static final Pattern WHOLE = Pattern.compile(
            "mkdir|opendir|readdir|change_dir|link_stat|failed to stat|directory \"" + "|new directory");

    private static final Pattern UNREAD = Pattern.compile(
            "\\[sender\\]|^symlink has no referent|^rsync: (send_files|opendir|readdir|link_stat|readlink_stat|change_dir|read errors)");

    private static final Pattern ERRNO = Pattern.compile("\\((\\d+)\\)$");

    /**
     * errno(3): EPERM, EIO, EACCES, EXDEV, EINVAL, EFBIG, ENOSPC, EROFS, EMLINK, ENAMETOOLONG, EOVERFLOW, EILSEQ,
     * EOPNOTSUPP, EDQUOT. Others, such as ENOENT, EISDIR and ELOOP, tell of a file that changed while it was sent.
     */
    private static final Set<Integer> LASTING = Set.of(1, 5, 13, 18, 22, 27, 28, 30, 31, 36, 75, 84, 95, 122);

    private static final Set<Integer> NO_ROOM = Set.of(27, 28, 122);

    private static final Pattern LASTING_WORDS =
            Pattern.compile("daemon refused|daemon-excluded|no referent|cannot convert|overly long|too long");

    /** In what the receiver writes before it gives a file its name. */
    private static final Pattern TEMPORARY = Pattern.compile("((?:.*/)?)\\.(.+)\\.[A-Za-z0-9]{6}", Pattern.DOTALL);

    /** ENOSPC, EDQUOT and EFBIG end the receiver, with the rest of its list. */
    private static final Pattern CUT =
            Pattern.compile("^rsync: .*(write failed on|ftruncate failed on|close failed on) \".*\\((27|28|122)\\)$");

    /** Of a line with more, no file name is looked for. */
    private static final int MOST_QUOTES = 12;

    /**
     * Where a call's names start.
     *
     * @param sources the names of the source, absolute byte strings
     * @param copies those of its copy as the receiver calls it; none where that is not known
     * @param above with which paths begin that are not absolute; empty or ending in a slash
     */
    record Places(Collection<String> sources, Collection<String> copies, String above) {
        /** Those of a call that works in this directory of the remote's source. */
        static Places of(Remote remote, Path directory) {
            Path source = remote.mirror().source();
            List<String> copies = new ArrayList<>();
            String path = remote.target().path();
            if (remote.target().kind() == Target.Kind.LOCAL) {
                copies.addAll(namesOf(Path.of(remote.target().text())));
            } else if (path != null) {
                copies.add(path.isEmpty() ? "/" : ByteString.of(path));
            }
            String above = directory.equals(source) ? "" : ByteString.of(source.relativize(directory) + "/");
            return new Places(namesOf(source), copies, above);
        }

        /** As it was given, and as the kernel tells it. */
        private static List<String> namesOf(Path directory) {
            List<String> names = new ArrayList<>(List.of(ByteString.of(directory.toString())));
            try {
                names.add(ByteString.of(directory.toRealPath().toString()));
            } catch (IOException e) {
                // It is gone by now.
            }
            return names;
        }
    }

    /** Whether the receiver gave up at one file that it has no room for: the others may go through without it. */
    static boolean cuts(String told) {
        return told.lines().anyMatch(line -> CUT.matcher(line.strip()).find());
    }

    /**
     * What rsync said of single paths. A name that may mean several of them counts for each: rather one too many that is
     * pushed again.
     *
     * @param told rsync's stderr under LC_ALL=C
     * @param changes what was pushed
     * @param exists whether the source has such a path
     * @return null if not all of it is about paths among the changes
     */
    static Collection<Refusal> in(String told, Places places, ChangeSet changes, Predicate<String> exists) {
        Map<String, Refusal> refusals = new LinkedHashMap<>();
        Set<String> last = Set.of();
        for (String line : told.lines().map(String::strip).toList()) {
            if (line.equals(CONTENTS_SKIPPED)) {
                for (String path : last) {
                    refusals.computeIfPresent(path, (p, known) -> known.whole());
                }
            } else if (ERROR.matcher(line).find() && !NO_ERROR.matcher(line).find()) {
                last = paths(line, places, changes, exists);
                if (last.isEmpty()) {
                    return null;
                }
                boolean lasting = isLasting(line);
                boolean whole = WHOLE.matcher(line).find();
                boolean unread = UNREAD.matcher(line).find();
                for (String path : last) {
                    Refusal refusal = new Refusal(path, whole && changes.hasBelow(path), line, lasting, unread);
                    refusals.merge(path, refusal, Refusal::and);
                }
            }
        }
        // Of the source as a whole there is nothing that would be left.
        return refusals.isEmpty() || refusals.containsKey("") && refusals.get("").deep ? null : refusals.values();
    }

    /** Whether the remote has no room for it: EFBIG, ENOSPC and EDQUOT. */
    boolean hasNoRoom() {
        return endsIn(words, NO_ROOM);
    }

    private Refusal whole() {
        return new Refusal(path, true, words, lasting, unread);
    }

    private Refusal and(Refusal next) {
        String more = lasting || !next.lasting ? words : next.words;
        return new Refusal(path, deep || next.deep, more, lasting || next.lasting, unread || next.unread);
    }

    private static boolean isLasting(String line) {
        return endsIn(line, LASTING) || LASTING_WORDS.matcher(line).find();
    }

    private static boolean endsIn(String line, Set<Integer> numbers) {
        Matcher errno = ERRNO.matcher(line);
        return errno.find() && numbers.contains(Integer.parseInt(errno.group(1)));
    }

    /** Whether these are the same words but for the receiver's name for an unfinished file. */
    static boolean same(String words, String others) {
        return withoutTemporary(words).equals(withoutTemporary(others));
    }

    private static String withoutTemporary(String words) {
        return words.replaceAll("\\.[A-Za-z0-9]{6}\"", "\"");
    }

    private static Set<String> paths(String line, Places places, ChangeSet changes, Predicate<String> exists) {
        Set<String> found = new HashSet<>();
        boolean unread = UNREAD.matcher(line).find();
        for (String raw : names(line)) {
            String name = Difference.unescape(raw);
            Set<String> named = new HashSet<>();
            Matcher temporary = TEMPORARY.matcher(name);
            if (temporary.matches()) {
                add(named, temporary.group(1) + temporary.group(2), unread, places, changes, exists);
            }
            Set<String> literal = new HashSet<>();
            add(literal, name, unread, places, changes, exists);
            if (named.stream().anyMatch(exists)) {
                literal.removeIf(exists.negate());
            }
            found.addAll(named);
            found.addAll(literal);
        }
        return found;
    }

    /** All that may be a name in it. */
    private static List<String> names(String line) {
        List<String> names = new ArrayList<>();
        for (Pattern pattern : UNQUOTED) {
            Matcher matcher = pattern.matcher(line);
            if (matcher.find()) {
                names.add(matcher.group(1));
            }
        }
        List<Integer> quotes = new ArrayList<>();
        for (int at = line.indexOf('"'); at >= 0 && quotes.size() < MOST_QUOTES; at = line.indexOf('"', at + 1)) {
            quotes.add(at);
        }
        // Quotes within a name are not escaped.
        for (int i = 0; i < quotes.size(); i++) {
            for (int j = i + 1; j < quotes.size(); j++) {
                names.add(line.substring(quotes.get(i) + 1, quotes.get(j)));
            }
        }
        return names;
    }

    private static void add(
            Set<String> found,
            String name,
            boolean unread,
            Places places,
            ChangeSet changes,
            Predicate<String> exists) {
        String path = name.endsWith("/.") ? name.substring(0, name.length() - 1) : name;
        while (path.length() > 1 && path.endsWith("/")) {
            path = path.substring(0, path.length() - 1);
        }
        if (!path.startsWith("/")) {
            String relative = path.equals(".") ? places.above : places.above + path;
            if (changes.concerns(relative)) {
                found.add(relative);
            }
            return;
        }
        boolean known = false;
        Collection<String> roots = unread || places.copies.isEmpty() ? places.sources : places.copies;
        for (String root : roots) {
            String start = root.endsWith("/") ? root : root + "/";
            if ((path + "/").startsWith(start)) {
                known = true;
                String below = path.length() < start.length() ? "" : path.substring(start.length());
                if (changes.concerns(below)) {
                    found.add(below);
                }
            }
        }
        // Where the receiver's directory is not known by the name that it has there.
        for (int slash = path.indexOf('/'); !known && !unread && slash >= 0; slash = path.indexOf('/', slash + 1)) {
            String below = path.substring(slash + 1);
            if (!below.isEmpty() && changes.concerns(below) && exists.test(below)) {
                found.add(below);
            }
        }
    }
}
