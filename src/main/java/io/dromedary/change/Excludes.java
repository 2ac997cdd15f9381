package io.dromedary.change;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.dromedary.change.FilterRule.Side;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;

/**
 * Decides which entries of a mirror are left out, by the same rules as rsync's filters and, for those who come from sersync,
 * by its filter expressions.
 *
 * <p>Both are lists as a user writes them: elements are separated by commas, blanks around an element are dropped, empty
 * elements are ignored, and a comma that belongs to an element is written {@code \,}. (Inside a {@code .properties} file
 * the backslash itself must be doubled: {@code \\,}.)
 *
 * <p><b>Patterns</b> are {@link FilterRule rules} that exclude. One that starts with "{@code - }" is taken without that
 * prefix; what would be another filter rule ({@code + x}, {@code !}, {@code : x}, {@code . x}) is refused here, and has its
 * place in a remote's rsync arguments ({@link #with}).
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
    private final List<FilterRule> own;
    private final List<FilterRule> rules;
    private final List<Pattern> regexes;
    /** What all of these leave out is left out too. */
    private final List<Excludes> common;

    private Excludes(
            List<String> patterns,
            List<FilterRule> own,
            List<FilterRule> rules,
            List<Pattern> regexes,
            List<Excludes> common) {
        this.patterns = patterns;
        this.own = own;
        this.rules = rules;
        this.regexes = regexes;
        this.common = common;
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
                List.of(),
                patterns.stream().map(Excludes::rule).toList(),
                split("exclude regex", regexes).stream().map(Excludes::regex).toList(),
                List.of());
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
        return new Excludes(
                List.copyOf(all), List.of(), all.stream().map(Excludes::rule).toList(), regexes, List.of());
    }

    /** The pattern that matches this path alone; rsync takes a backslash for itself where no wildcard stands. */
    private static String literal(String path) {
        String text = new String(ByteString.bytes(path), UTF_8);
        // Bytes that are no text cannot be told in an argument.
        boolean wildcards = text.matches("(?s).*[*?\\[\uFFFD].*");
        return "/" + (wildcards ? text.replaceAll("[*?\\[\\\\]", "\\\\$0").replace('\uFFFD', '*') : text);
    }

    /** The same, and a remote's own rules, which are not changed any more, after the patterns. */
    public Excludes with(List<FilterRule> rules) {
        if (rules.isEmpty()) {
            return this;
        }
        List<FilterRule> all =
                Stream.concat(this.rules.stream(), rules.stream()).toList();
        return new Excludes(patterns, rules, all, regexes, List.of());
    }

    /** What this leaves out, and what all of the remotes do; nothing more if there are none. */
    public Excludes withCommon(List<Excludes> remotes) {
        if (remotes.isEmpty() || remotes.stream().anyMatch(remote -> remote.own.isEmpty())) {
            return this;
        }
        List<List<String>> rules =
                remotes.stream().map(Excludes::ownArguments).distinct().toList();
        return rules.size() == 1
                ? with(remotes.get(0).own)
                : new Excludes(patterns, own, this.rules, regexes, List.copyOf(remotes));
    }

    /** Whether this very entry is excluded at the source, its parents being known not to be. */
    public boolean matches(String path, boolean directory) {
        return !path.isEmpty()
                && (isExcluded(path, directory, Side.SOURCE)
                        || matchesRegex(path, directory)
                        || !common.isEmpty() && common.stream().allMatch(one -> one.covers(path, directory)));
    }

    /** Whether this entry or any of its parents is excluded at the source. */
    public boolean covers(String path, boolean directory) {
        return !isEmpty() && anyAbove(path, directory, this::matches);
    }

    /** Whether this very entry is not deleted at a remote, its parents being no reason; nor what is below it, if that is gone too. */
    public boolean protects(String path, boolean directory) {
        return !path.isEmpty() && (isExcluded(path, directory, Side.REMOTE) || matchesRegex(path, directory));
    }

    /** Whether this entry or any of its parents is not deleted at a remote. */
    public boolean coversAtRemote(String path, boolean directory) {
        return anyAbove(path, directory, this::protects);
    }

    /** Whether a regular expression excludes this entry or any of its parents: what rsync does not know. */
    public boolean coversByRegex(String path, boolean directory) {
        return hasRegexes() && anyAbove(path, directory, this::matchesRegex);
    }

    private boolean isExcluded(String path, boolean directory, Side end) {
        if (rules.isEmpty()) {
            return false;
        }
        String rooted = "/" + path;
        for (FilterRule rule : rules) {
            if (rule.isFor(end) && rule.matches(rooted, directory)) {
                return !rule.isInclude();
            }
        }
        return false;
    }

    private boolean matchesRegex(String path, boolean directory) {
        if (regexes.isEmpty() || path.isEmpty()) {
            return false;
        }
        String form = path.indexOf('/') < 0 ? path : "/" + path;
        for (Pattern regex : regexes) {
            if (matches(regex, form) || (directory && matches(regex, form + "/"))) {
                return true;
            }
        }
        return false;
    }

    private interface Decision {
        boolean on(String path, boolean directory);
    }

    private static boolean anyAbove(String path, boolean directory, Decision excluded) {
        for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
            if (excluded.on(path.substring(0, slash), true)) {
                return true;
            }
        }
        return excluded.on(path, directory);
    }

    private static boolean matches(Pattern regex, String form) {
        try {
            return regex.matcher(form).matches();
        } catch (StackOverflowError e) {
            return false;
        }
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

    /** A remote's own rules as rsync's arguments, in their order; they follow the patterns. */
    public List<String> ownArguments() {
        return own.stream().map(FilterRule::argument).toList();
    }

    /** Whether any rule lets in what a later one leaves out. */
    public boolean hasIncludes() {
        return rules.stream().anyMatch(FilterRule::isInclude);
    }

    /** Whether nothing is ever left out. */
    public boolean isEmpty() {
        return rules.isEmpty() && regexes.isEmpty() && common.isEmpty();
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

    private static FilterRule rule(String text) {
        if (text.equals("!") || text.startsWith("+ ") || text.matches("(?s)(:[-+Cenwsr/!]*|\\.) .*|:C")) {
            throw invalid(
                    "exclude pattern",
                    text,
                    "only exclusions are possible here; rsync.args takes rsync's other filter rules (a name like this: \"- "
                            + text + "\")");
        }
        return FilterRule.exclude(ByteString.of(text.startsWith("- ") ? text.substring(2) : text));
    }

    private static IllegalArgumentException invalid(String what, String element, String why) {
        String shown = element.replaceAll("\\p{Cntrl}", "?");
        return new IllegalArgumentException(what + " \"" + shown + "\": " + why);
    }
}
