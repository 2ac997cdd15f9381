package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Sample;
import io.dromedary.posix.Place;
import java.util.ArrayList;
import java.util.List;

/**
 * What a source, or a file system mounted below it, was like when it was known to be right: which directory it was ({@link
 * Place}), how many entries it had, and a few of their names ({@link Sample}).
 *
 * @param fileSystem which it was, in words; a byte string, null: not known
 * @param place null: not known
 * @param names byte strings, relative to it
 */
record Likeness(String fileSystem, Place place, int entries, List<String> names) {
    private static final String FILE_SYSTEM = "file system";
    private static final String PLACE = "place";
    private static final String ENTRIES = "entries";
    private static final String NAME = "name";

    /** Of what had ten times as many entries what is left is trifles. */
    private static final int TRIFLES = 10;

    /**
     * What is there now.
     *
     * @param below where, relative to the mirror's source; empty: the source itself
     * @return null if that is no directory
     */
    static Likeness of(Mirror mirror, String below) {
        Place place = place(mirror, below);
        if (place == null) {
            return null;
        }
        Sample sample = Sample.of(mirror, below);
        return new Likeness(ByteString.of(describe(mirror, below)), place, sample.entries(), sample.names());
    }

    private static Place place(Mirror mirror, String below) {
        return Place.of(ByteString.of(mirror.source().toString()) + (below.isEmpty() ? "" : "/" + below));
    }

    private static String describe(Mirror mirror, String below) {
        return Place.describe(ByteString.of(mirror.source().toString()) + (below.isEmpty() ? "" : "/" + below));
    }

    /** As {@link #lines} wrote it; what is not there is not known. */
    static Likeness parse(List<String> lines) {
        String place = Note.first(lines, PLACE);
        String entries = Note.first(lines, ENTRIES);
        return new Likeness(
                Note.first(lines, FILE_SYSTEM),
                place == null ? null : Place.parse(place),
                entries != null && entries.matches("\\d{1,9}") ? Integer.parseInt(entries) : 0,
                Note.all(lines, NAME));
    }

    /** For a {@link Note}. */
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add(Note.line(FILE_SYSTEM, fileSystem));
        lines.add(Note.line(PLACE, place.line()));
        lines.add(Note.line(ENTRIES, Integer.toString(entries)));
        names.forEach(name -> lines.add(Note.line(NAME, name)));
        return lines;
    }

    /**
     * Why what is there now is to be doubted, in words that follow its name; null if it is not. It is if it is another
     * directory or file system and most of the names are gone; or the same, all of them are, and at most a tenth as many
     * entries are there.
     *
     * @param doubted whether it was before: then most of the names have to be there again
     */
    String unlike(Mirror mirror, String below, boolean doubted) {
        if (place == null || names.isEmpty()) {
            return null;
        }
        int gone = names.size() - Sample.present(mirror, below, names).size();
        Place now = place(mirror, below);
        boolean another = !place.isSame(now);
        boolean most = gone * 2 > names.size();
        if (another || doubted
                ? !most
                : gone < names.size() || Sample.of(mirror, below).entries() * TRIFLES > entries) {
            return null;
        }
        return (another ? other(now, describe(mirror, below)) : " was emptied while nobody watched") + ": " + gone
                + " of " + names.size() + " names known of it are not there; it goes on when they are.";
    }

    private String other(Place now, String is) {
        if (fileSystem != null && !fileSystem.equals(ByteString.of(is))) {
            return " was " + ByteString.readable(fileSystem) + " when it was last pushed and is " + is;
        }
        return now != null && place.fileSystem() != now.fileSystem()
                ? " is another file system than when it was last pushed, though again " + is
                : " is another directory than when it was last pushed";
    }
}
