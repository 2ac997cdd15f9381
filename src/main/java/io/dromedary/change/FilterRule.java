package io.dromedary.change;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * One of rsync's filter rules: what it includes or excludes, and at which end. A list of them is ordered, and the first that
 * matches an entry decides.
 *
 * <p>Paths and patterns are byte strings. A pattern means what rsync(1) says under PATTERN MATCHING RULES; bytes above 127
 * belong to no class such as {@code [:alpha:]}, as in rsync under the C and UTF-8 locales. Immutable.
 */
public final class FilterRule {
    /** Where a rule counts. At the source it decides what is sent, at the remote what may be deleted. */
    public enum Side {
        BOTH,
        SOURCE,
        REMOTE
    }

    private final boolean include;
    private final Side side;
    /** Modifiers that rsync alone has to know: perishable, xattr. */
    private final String further;

    private final boolean negated;
    private final String pattern;
    private final Matcher matcher;

    /**
     * @param negated whether it matches what the pattern does not
     * @param further rsync's modifiers p and x, as far as they are there; a rule with x is about attributes, no paths
     */
    public FilterRule(boolean include, Side side, boolean negated, String further, String pattern) {
        this.include = include;
        this.side = side;
        this.negated = negated;
        this.further = further;
        this.pattern = pattern;
        this.matcher = Matcher.of(pattern);
    }

    /** What {@code --exclude} makes of a pattern. */
    static FilterRule exclude(String pattern) {
        return new FilterRule(false, Side.BOTH, false, "", pattern);
    }

    boolean isInclude() {
        return include;
    }

    /** Whether it counts at that end, which is not {@link Side#BOTH}. */
    boolean isFor(Side end) {
        return side == Side.BOTH || side == end;
    }

    /** @param rooted the path with a slash before it */
    boolean matches(String rooted, boolean directory) {
        return !further.contains("x") && matcher.matches(rooted, directory) != negated;
    }

    /**
     * As rsync's argument, in Unicode, ready for a {@link ProcessBuilder} where Java encodes arguments as UTF-8.
     *
     * @throws IllegalArgumentException if the pattern is no UTF-8
     */
    public String argument() {
        String end =
                switch (side) {
                    case BOTH -> "";
                    case SOURCE -> "s";
                    case REMOTE -> "r";
                };
        String text;
        try {
            text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(ByteString.bytes(pattern)))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException(ByteString.readable(pattern) + " is no UTF-8", e);
        }
        return "--filter=" + (include ? "+" : "-") + (negated ? "!" : "") + end + further + " " + text;
    }

    @Override
    public String toString() {
        return (include ? "+ " : "- ") + pattern;
    }

    /**
     * One compiled rsync pattern, matched against the path with a slash before it.
     *
     * @param literal what the path ends in, or, anchored, is; null for a pattern with wildcards
     * @param glob the wildcards; null for a literal
     * @param elements how many names from the end of the path the glob is for, 0 for all
     */
    private record Matcher(
            String literal,
            boolean anchored,
            Glob glob,
            int elements,
            boolean directoriesOnly,
            boolean slashAfterDirectory) {

        static Matcher of(String pattern) {
            boolean directoriesOnly = pattern.length() > 1 && pattern.endsWith("/");
            String text = directoriesOnly ? pattern.substring(0, pattern.length() - 1) : pattern;
            boolean anchored = text.startsWith("/");
            String rooted = anchored ? text : "/" + text;
            if (text.chars().noneMatch(c -> "*?[".indexOf(c) >= 0)) {
                return new Matcher(rooted, anchored, null, 0, directoriesOnly, false);
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
            return new Matcher(null, anchored, Glob.of(rooted), elements, directoriesOnly, text.endsWith("***"));
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
}
