package io.dromedary.push;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The name that a receiver gives a file until it has all of it: a dot, the file's name, a dot and six letters or digits, in the
 * file's directory (get_tmpname in receiver.c of rsync). Names and paths are byte strings.
 */
final class TemporaryName {
    /** What comes last, as a pattern of rsync's. */
    static final String UNIQUE = ".??????";

    /** What all of them match. */
    static final String ANY = ".*??????";

    /** Bytes of a name that are kept, so that a longer one fits. */
    private static final int KEPT = 246;

    private TemporaryName() {}

    /** Whether a path may be that of such a file at all. */
    static boolean is(String path) {
        return path.substring(path.lastIndexOf('/') + 1).matches("(?s)\\.(.*\\.)?[A-Za-z0-9]{6}");
    }

    /** Whether this path, of which {@link #is} is true, is such a file's that was to become the other. */
    static boolean isOf(String temporary, String path) {
        return RsyncCalls.parent(temporary).equals(RsyncCalls.parent(path))
                && beginnings(path.substring(path.lastIndexOf('/') + 1))
                        .contains(temporary.substring(
                                temporary.lastIndexOf('/') + 1, temporary.length() - UNIQUE.length()));
    }

    /** What may stand before the last dot; not all rsyncs make it alike. */
    static Set<String> beginnings(String name) {
        Set<String> beginnings = new LinkedHashSet<>();
        for (String one : List.of(name, name.replaceFirst("^\\.", ""))) {
            boolean cut = one.length() > KEPT;
            String kept = cut ? one.substring(0, KEPT) : one;
            beginnings.add("." + kept);
            // Newer ones cut no character in two, as far as they know them, and leave one dot out where two would meet.
            String whole = cut && one.charAt(KEPT) >= 0x80 ? kept.replaceFirst("[\\x80-\\xff]+$", "") : kept;
            beginnings.add(("." + whole).replaceFirst("\\.$", ""));
        }
        return beginnings;
    }
}
