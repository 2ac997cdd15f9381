package io.dromedary.change;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Decides which entries of a mirror are left out, by the same rules as rsync's {@code --exclude} and, for those who
 * come from sersync, by its filter expressions.
 *
 * <p>Both are lists as a user writes them: elements are separated by commas, blanks around an element are dropped, empty
 * elements are ignored, and a comma that belongs to an element is written {@code \,}. (Inside a {@code .properties} file
 * the backslash itself must be doubled: {@code \\,}.)
 *
 * <p><b>Patterns</b> mean what rsync(1) 3.2 says under PATTERN MATCHING RULES. One that starts with "{@code - }" is
 * taken without that prefix; what would be another filter rule ({@code + x}, {@code !}, {@code : x}, {@code . x}) is
 * refused, because only exclusions can be honoured while watching. Bytes above 127 belong to no class such as
 * {@code [:alpha:]}, as in rsync under the C and UTF-8 locales.
 *
 * <p><b>Regular expressions</b> ({@link java.util.regex.Pattern}) must match the whole of the form in which sersync
 * sees a path: the bare name at the root, {@code /dir/name} below it; a directory also as {@code dir/} and
 * {@code /a/dir/}. A dot matches any byte. One that exhausts the stack, as a repeated
 * group can on a path of thousands of bytes, counts as not matching: rather a file too many than a mirror that stops.
 *
 * <p>Paths are byte strings (one char per byte, relative to the mirror's root, no leading or trailing slash). Patterns
 * and expressions are Unicode and match as their UTF-8 bytes, so that {@code ?} or {@code .} is one byte: "é" takes two.
 * The root itself is never excluded. Immutable, for use by any number of threads.
 */
public final class Excludes {
    private final List<String> patterns;
    private final List<Rule> rules;
    private final List<Pattern> regexes;

    private Excludes(List<String> patterns, List<Rule> rules, List<Pattern> regexes) {
        this.patterns = patterns;
        this.rules = rules;
        this.regexes = regexes;
    }

    /**
     * Compiles both lists; null or blank is an empty one.
     *
     * @throws IllegalArgumentException with one line that names the element and what is wrong with it
     */
    public static Excludes of(String rsyncPatterns, String regexes) {
        List<String> patterns = split("exclude pattern", rsyncPatterns);
        return new Excludes(
                patterns,
                patterns.stream().map(Excludes::rule).toList(),
                split("exclude regex", regexes).stream().map(Excludes::regex).toList());
    }

    /**
     * The same, and before all else these very paths left out: what no rule of a user's brings back.
     *
     * @param paths byte strings, without a slash before or after
     */
    public Excludes without(Collection<String> paths) {
        List<String> all = new ArrayList<>();
        paths.forEach(path -> all.add(literal(path)));
        all.addAll(patterns);
        return new Excludes(List.copyOf(all), all.stream().map(Excludes::rule).toList(), regexes);
    }

    /** The pattern that matches this path alone; rsync takes a backslash for itself where no wildcard stands. */
    private static String literal(String path) {
        String text = new String(ByteString.bytes(path), UTF_8);
        // Bytes that are no text cannot be told in an argument.
        boolean wildcards = text.matches("(?s).*[*?\\[\uFFFD].*");
        return "/" + (wildcards ? text.replaceAll("[*?\\[\\\\]", "\\\\$0").replace('\uFFFD', '*') : text);
    }

    /** Whether this very entry is excluded, its parents being known not to be. */
    public boolean matches(String path, boolean directory) {
        if (path.isEmpty() || (rules.isEmpty() && regexes.isEmpty())) {
            return false;
        }
        String rooted = "/" + path;
        for (Rule rule : rules) {
            if (rule.matches(rooted, directory)) {
                return true;
            }
        }
        String form = path.indexOf('/') < 0 ? path : rooted;
        for (Pattern regex : regexes) {
            if (matches(regex, form) || (directory && matches(regex, form + "/"))) {
                return true;
            }
        }
        return false;
    }

    private static boolean matches(Pattern regex, String form) {
        try {
            return regex.matcher(form).matches();
        } catch (StackOverflowError e) {
            return false;
        }
    }

    /** Whether this entry or any of its parents is excluded. */
    public boolean covers(String path, boolean directory) {
        if (rules.isEmpty() && regexes.isEmpty()) {
            return false;
        }
        for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
            if (matches(path.substring(0, slash), true)) {
                return true;
            }
        }
        return matches(path, directory);
    }

    /**
     * The rsync patterns as given, in Unicode (not byte strings), each ready to follow {@code --exclude=} in an argument
     * of a {@link ProcessBuilder}. Java encodes arguments by {@code file.encoding} up to release 17 and by
     * {@code sun.jnu.encoding} since: where these are not UTF-8, a character outside ASCII would reach rsync as the
     * wildcard {@code ?}.
     */
    public List<String> patterns() {
        return patterns;
    }

    /** Whether there are exclusions that rsync cannot be told of. */
    public boolean hasRegexes() {
        return !regexes.isEmpty();
    }

    private static List<String> split(String what, String list) {
        List<String> elements = new ArrayList<>();
        for (String part : list == null ? new String[0] : list.split("(?<!\\\\),")) {
            String element = part.trim().replace("\\,", ",");
            // Either would not reach rsync as it stands here.
            if (element.indexOf('\0') >= 0 || !UTF_8.newEncoder().canEncode(element)) {
                throw invalid(what, element, "contains a NUL or half a surrogate pair");
            }
            if (!element.isEmpty()) {
                elements.add(element);
            }
        }
        return List.copyOf(elements);
    }

    private static Pattern regex(String text) {
        try {
            // Without these flags a dot would not match the byte 0x85, which Java takes for the end of a line.
            return Pattern.compile(ByteString.of(text), Pattern.DOTALL | Pattern.UNIX_LINES);
        } catch (PatternSyntaxException e) {
            throw invalid("exclude regex", text, e.getDescription());
        }
    }

    private static Rule rule(String text) {
        if (text.equals("!") || text.startsWith("+ ") || text.matches("(?s)(:[-+Cenwsr/!]*|\\.) .*|:C")) {
            throw invalid(
                    "exclude pattern",
                    text,
                    "only exclusions are supported, not rsync's other filter rules (a name like this: \"- " + text
                            + "\")");
        }
        return Rule.of(ByteString.of(text.startsWith("- ") ? text.substring(2) : text));
    }

    private static IllegalArgumentException invalid(String what, String element, String why) {
        String shown = element.replaceAll("\\p{Cntrl}", "?");
        return new IllegalArgumentException(what + " \"" + shown + "\": " + why);
    }

    /**
     * One compiled rsync pattern, matched against the path with a slash before it.
     *
     * @param literal what the path ends in, or, anchored, is; null for a pattern with wildcards
     * @param glob the wildcards; null for a literal
     * @param elements how many names from the end of the path the glob is for, 0 for all
     */
    private record Rule(
            String literal,
            boolean anchored,
            Glob glob,
            int elements,
            boolean directoriesOnly,
            boolean slashAfterDirectory) {

        static Rule of(String pattern) {
            boolean directoriesOnly = pattern.length() > 1 && pattern.endsWith("/");
            String text = directoriesOnly ? pattern.substring(0, pattern.length() - 1) : pattern;
            boolean anchored = text.startsWith("/");
            String rooted = anchored ? text : "/" + text;
            if (text.chars().noneMatch(c -> "*?[".indexOf(c) >= 0)) {
                return new Rule(rooted, anchored, null, 0, directoriesOnly, false);
            }
            int elements = 0;
            if (text.startsWith("**")) {
                rooted = text;
            } else if (!anchored && text.contains("**")) {
                rooted = "**" + rooted;
            } else if (!anchored) {
                // rsync counts a slash inside [...] too, which then can match nothing.
                elements = (int) rooted.chars().filter(c -> c == '/').count();
            }
            return new Rule(null, anchored, Glob.of(rooted), elements, directoriesOnly, text.endsWith("***"));
        }

        boolean matches(String rooted, boolean directory) {
            if (directoriesOnly && !directory) {
                return false;
            }
            if (literal != null) {
                return anchored ? rooted.equals(literal) : rooted.endsWith(literal);
            }
            int from = elements == 0 ? 0 : rooted.length();
            for (int i = 0; i < elements; i++) {
                from = rooted.lastIndexOf('/', from - 1);
                if (from < 0) {
                    return false;
                }
            }
            return glob.matches(slashAfterDirectory && directory ? rooted + "/" : rooted, from);
        }
    }

    /**
     * A sequence of wildcards and bytes. Not translated to java.util.regex, whose backtracking takes cubic time for
     * three asterisks where this needs to go back to the last one only.
     *
     * @param tokens the bytes each place takes; for the two kinds of asterisk, told by identity, what they run over
     */
    private record Glob(List<BitSet> tokens) {
        private static final BitSet NAME = without('/');
        private static final BitSet STAR = without('/');
        private static final BitSet STARS = without(-1);

        boolean matches(String text, int from) {
            int at = from;
            int token = 0;
            int star = -1; // the last STAR since the last STARS, and how far it has run
            int starEnd = 0;
            int stars = -1;
            int starsEnd = 0;
            while (at < text.length() || token < tokens.size()) {
                BitSet accepted = token < tokens.size() ? tokens.get(token) : null;
                if (accepted == STAR) {
                    star = token++;
                    starEnd = at;
                } else if (accepted == STARS) {
                    stars = token++;
                    starsEnd = at;
                    star = -1;
                } else if (accepted != null && at < text.length() && accepted.get(text.charAt(at))) {
                    token++;
                    at++;
                } else if (star >= 0 && starEnd < text.length() && STAR.get(text.charAt(starEnd))) {
                    token = star + 1;
                    at = ++starEnd;
                } else if (stars >= 0 && starsEnd < text.length()) {
                    token = stars + 1;
                    at = ++starsEnd;
                    star = -1;
                } else {
                    return false;
                }
            }
            return true;
        }

        /** Of a malformed pattern rsync says nothing, and it matches nothing. */
        static Glob of(String pattern) {
            Reader in = new Reader(pattern);
            List<BitSet> tokens = new ArrayList<>();
            while (in.at < pattern.length()) {
                char c = pattern.charAt(in.at++);
                BitSet token =
                        switch (c) {
                            case '?' -> NAME;
                            case '*' -> in.skipStars() ? STARS : STAR;
                            case '[' -> in.set();
                            default -> only(in.unescape(c));
                        };
                tokens.add(token);
            }
            return new Glob(List.copyOf(tokens));
        }

        private static BitSet only(int b) {
            BitSet set = new BitSet();
            if (b >= 0) {
                set.set(b);
            }
            return set;
        }

        private static BitSet without(int b) {
            BitSet set = new BitSet();
            set.set(0, 256);
            if (b >= 0) {
                set.clear(b);
            }
            return set;
        }
    }

    /** Reads a pattern with wildcards. Where it is malformed, the set of bytes that match is empty. */
    private static final class Reader {
        private final String glob;
        private int at;

        Reader(String glob) {
            this.glob = glob;
        }

        /** Skips the asterisks after a first one; whether there were any. */
        boolean skipStars() {
            int first = at;
            while (peek('*')) {
                at++;
            }
            return at > first;
        }

        /** Reads a set whose opening bracket is behind: the bytes it stands for. */
        BitSet set() {
            BitSet set = new BitSet(256);
            boolean negated = peek('!') || peek('^');
            if (negated) {
                at++;
            }
            int first = at;
            int before = -1; // what a range would start from
            while (at == first || !peek(']')) {
                if (at >= glob.length()) {
                    return malformed();
                }
                char c = glob.charAt(at++);
                if (c == '-' && before >= 0 && at < glob.length() && !peek(']')) {
                    int to = unescape(glob.charAt(at++));
                    if (to < 0) {
                        return malformed();
                    }
                    if (before <= to) {
                        set.set(before, to + 1);
                    }
                    before = -1;
                } else if (c == '[' && peek(':') && classEnd() > at) {
                    int end = classEnd();
                    IntPredicate members = members(glob.substring(at + 1, end));
                    if (members == null) {
                        return malformed();
                    }
                    for (int b = 0; b < 128; b++) {
                        if (members.test(b)) {
                            set.set(b);
                        }
                    }
                    at = end + 2;
                    before = -1;
                } else {
                    before = unescape(c);
                    if (before < 0) {
                        return malformed();
                    }
                    set.set(before);
                }
            }
            at++;
            if (negated) {
                set.flip(0, 256);
            }
            set.clear('/'); // only ** and a slash itself match a slash
            return set;
        }

        /** Where the ":]" of a class begins, or -1 if the next bracket is not preceded by a colon. */
        private int classEnd() {
            int bracket = glob.indexOf(']', at);
            return bracket > at + 1 && glob.charAt(bracket - 1) == ':' ? bracket - 1 : -1;
        }

        int unescape(char c) {
            if (c != '\\') {
                return c;
            }
            return at < glob.length() ? glob.charAt(at++) : -1;
        }

        private boolean peek(char c) {
            return at < glob.length() && glob.charAt(at) == c;
        }

        private BitSet malformed() {
            at = glob.length();
            return new BitSet();
        }

        private static IntPredicate members(String characterClass) {
            return switch (characterClass) {
                case "alnum" -> Character::isLetterOrDigit;
                case "alpha" -> Character::isLetter;
                case "blank" -> b -> b == ' ' || b == '\t';
                case "cntrl" -> Character::isISOControl;
                case "digit" -> Character::isDigit;
                case "graph" -> b -> b > ' ' && b < 127;
                case "lower" -> Character::isLowerCase;
                case "print" -> b -> b >= ' ' && b < 127;
                case "punct" -> b -> b > ' ' && b < 127 && !Character.isLetterOrDigit(b);
                case "space" -> b -> b == ' ' || (b >= '\t' && b <= '\r');
                case "upper" -> Character::isUpperCase;
                case "xdigit" -> b -> Character.digit(b, 16) >= 0;
                default -> null;
            };
        }
    }
}
