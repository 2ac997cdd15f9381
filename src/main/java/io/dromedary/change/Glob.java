package io.dromedary.change;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * A sequence of wildcards and bytes. Not translated to java.util.regex, whose backtracking takes cubic time for
 * three asterisks where this needs to go back to the last one only.
 *
 * @param tokens the bytes each place takes; for the two kinds of asterisk, told by identity, what they run over
 */
record Glob(List<BitSet> tokens) {
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
