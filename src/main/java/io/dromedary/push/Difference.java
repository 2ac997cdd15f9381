package io.dromedary.push;

import java.util.Objects;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * One entry in which a remote differs from its source, as rsync's dry run tells it.
 *
 * @param path byte string, relative to the mirror's root; empty for the root itself
 * @param directory whether the entry is one, at the source or, if it is to be deleted, at the remote
 * @param deleted whether the remote has too much, not too little or another
 * @param itemized what differs, in the eleven letters of rsync(1), "--itemize-changes"
 */
public record Difference(String path, boolean directory, boolean deleted, String itemized) {
    /** The option that makes rsync print the lines {@link #parse} reads. */
    static final String FORMAT = "--out-format=%i %n";

    /** The option that makes rsync print one word for each entry, {@link #DELETION} or another: the shortest list. */
    static final String KIND = "--out-format=%o";

    static final String DELETION = "del.";

    /** log.c of rsync: eleven letters, padded with blanks for a deletion; one blank; the name, a directory's with slash. */
    private static final int LETTERS = 11;

    /** Of a directory that was not there. */
    static final String MADE = "cd+++++++++";

    /** Of whatever was not there, behind the letters for what it is. */
    private static final String NEW = "+++++++++";

    private static final String DELETING = "*deleting";

    /** rsync writes bytes it does not print, and what looks like this notation, as a backslash, # and three octal digits. */
    private static final Pattern ESCAPE = Pattern.compile("\\\\#([0-3][0-7]{2})");

    /** All that is told, line by line. */
    static Stream<Difference> all(String told) {
        return told.lines().map(Difference::parse).filter(Objects::nonNull);
    }

    /** One line of output under LC_ALL=C, as a byte string; null for any other line, such as the statistics. */
    static Difference parse(String line) {
        boolean deleted = line.startsWith(DELETING);
        if (line.length() < LETTERS + 2
                || line.charAt(LETTERS) != ' '
                || !deleted && !line.matches("[<>ch.][fdLDS].{9} .*")) {
            return null;
        }
        String name = unescape(line.substring(LETTERS + 1));
        boolean directory = name.endsWith("/");
        if (directory) {
            name = name.substring(0, name.length() - 1);
        }
        return new Difference(
                name.equals(".") ? "" : name,
                directory,
                deleted,
                line.substring(0, LETTERS).strip());
    }

    /** A name in rsync's words, as a byte string. */
    static String unescape(String told) {
        return ESCAPE.matcher(told).replaceAll(Difference::unescaped);
    }

    /** Whether the remote has nothing of this name. */
    boolean isNew() {
        return itemized.endsWith(NEW);
    }

    /** Whether the content of a file would be sent. */
    public boolean sendsFile() {
        return itemized.startsWith("<f") || itemized.startsWith(">f");
    }

    private static String unescaped(MatchResult octal) {
        return Matcher.quoteReplacement(String.valueOf((char) Integer.parseInt(octal.group(1), 8)));
    }
}
