package io.dromedary.change;

import io.dromedary.change.FilterRule.Side;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Reads rsync's filter options, one after the other, and the files that they name, as rsync does (rsync(1), FILTER RULES). What
 * cannot mean the same for the watch, for single paths and for whole trees is refused by an {@link
 * IllegalArgumentException} in one line that says what to write instead. Not safe for use by several threads at once.
 */
public final class FilterList {
    /** rsync allows as many files that merge one another. */
    private static final int DEEPEST = 64;

    /** All rules are arguments of each rsync, which Linux allows 2 MB of. */
    private static final int MOST_BYTES = 1 << 20;

    /** What rsync's {@code -C} leaves out, by rsync(1). */
    private static final String CVS =
            "RCS SCCS CVS CVS.adm RCSLOG cvslog.* tags TAGS .make.state .nse_depinfo *~ #* .#*"
                    + " ,* _$* *$ *.old *.bak *.BAK *.orig *.rej .del-* *.a *.olb *.o *.obj *.so *.exe *.Z *.elc *.ln core"
                    + " .svn/ .git/ .hg/ .bzr/";

    private static final Map<String, Character> WORDS = Map.of(
            "clear",
            '!',
            "dir-merge",
            ':',
            "exclude",
            '-',
            "hide",
            'H',
            "include",
            '+',
            "merge",
            '.',
            "protect",
            'P',
            "risk",
            'R',
            "show",
            'S');

    private final Path directory;
    private final List<FilterRule> rules = new ArrayList<>();
    private int bytes;

    /** @param directory where relative names of files start */
    public FilterList(Path directory) {
        this.directory = directory;
    }

    /** What was read up to now, in its order. */
    public List<FilterRule> rules() {
        return List.copyOf(rules);
    }

    /** {@code --filter}. */
    public void filter(String rule) {
        add(ByteString.of(rule), new Origin("filter rule", Kind.RULES, false, Side.BOTH, "", false, 0));
    }

    /** {@code --exclude} and {@code --include}. */
    public void pattern(String pattern, boolean include) {
        String what = include ? "include" : "exclude";
        add(ByteString.of(pattern), new Origin(what, Kind.PATTERNS, include, Side.BOTH, "", false, 0));
    }

    /**
     * {@code --exclude-from} and {@code --include-from}.
     *
     * @param nul whether lines end in a NUL, as with rsync's {@code --from0} before
     */
    public void patternsFrom(String file, boolean include, boolean nul) {
        String what = include ? "include-from" : "exclude-from";
        read(file, nul, new Origin(what, Kind.PATTERNS, include, Side.BOTH, "", false, 0));
    }

    /** A directory's name that is left out wherever it is, as that of {@code --partial-dir}. */
    public void directory(String name) {
        String pattern = ByteString.of(name).replaceFirst("/+$", "") + "/";
        add(pattern, new Origin("partial-dir", Kind.BARE, false, Side.BOTH, "p", false, 0));
    }

    /** How the text of a rule begins. */
    private enum Kind {
        /** With what it does. */
        RULES,
        /** With the pattern, or with a minus or plus and a blank. */
        PATTERNS,
        /** With the pattern. */
        BARE
    }

    /**
     * Where a rule stands, and what it has from there.
     *
     * @param name begins the messages about it
     * @param further modifiers of each rule there
     * @param words whether each word is one
     * @param depth how many files lead there
     */
    private record Origin(
            String name, Kind kind, boolean include, Side side, String further, boolean words, int depth) {
        Origin at(String place) {
            return new Origin(place, kind, include, side, further, words, depth);
        }
    }

    private void read(String name, boolean nul, Origin origin) {
        if (name.equals("-")) {
            throw new IllegalArgumentException(origin.name() + " -: standard input is Dromedary's own; name a file");
        }
        if (origin.depth() > DEEPEST) {
            throw new IllegalArgumentException(origin.name() + ": more than " + DEEPEST + " files merge one another");
        }
        Path file = directory.resolve(name);
        String text;
        try {
            text = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException e) {
            throw new IllegalArgumentException(origin.name() + " " + name + ": there is no file " + file);
        } catch (IOException e) {
            throw new IllegalArgumentException(origin.name() + " " + name + ": " + file + " cannot be read");
        }
        int number = 0;
        // rsync takes "\r\n" for two ends of a line, the second an empty line.
        for (String line : text.split(nul ? "\0" : "\n|\r\n?")) {
            Origin place = origin.at(file + ":" + ++number);
            if (origin.words()) {
                for (String word : line.strip().split("\\s+")) {
                    add(word, place);
                }
            } else if (!line.startsWith("#") && !line.startsWith(";")) {
                add(line, place);
            }
        }
    }

    private void add(String text, Origin origin) {
        if (text.isEmpty()) {
            return;
        }
        if (text.equals("!") && origin.kind() != Kind.BARE) {
            rules.clear();
            return;
        }
        switch (origin.kind()) {
            case BARE -> add(text, origin, origin.include(), origin.side(), false, origin.further(), text);
            case PATTERNS -> {
                boolean marked = text.startsWith("- ") || text.startsWith("+ ");
                boolean include = marked ? text.startsWith("+") : origin.include();
                String pattern = marked ? text.substring(2) : text;
                add(text, origin, include, origin.side(), false, origin.further(), pattern);
            }
            case RULES -> new Rule(text, origin).add();
        }
    }

    private void add(
            String text, Origin origin, boolean include, Side side, boolean negated, String further, String pattern) {
        if (pattern.isEmpty()) {
            throw wrong(text, origin, "has no pattern");
        }
        FilterRule rule = new FilterRule(include, side, negated, further, pattern);
        try {
            bytes += rule.argument().length() + 1;
        } catch (IllegalArgumentException e) {
            throw wrong(text, origin, "is no UTF-8; ? stands for one byte of any kind");
        }
        if (bytes > MOST_BYTES) {
            throw wrong(text, origin, "is the first of more than 1 MiB of rules; fewer patterns with wildcards do");
        }
        rules.add(rule);
    }

    private static IllegalArgumentException wrong(String text, Origin origin, String why) {
        String shown = ByteString.readable(text).replaceAll("\\p{Cntrl}", "?");
        return new IllegalArgumentException(origin.name() + " \"" + shown + "\" " + why);
    }

    /** One rule in rsync's long form: what it does, modifiers, a blank or underscore, the pattern or the file. */
    private final class Rule {
        private final String text;
        private final Origin origin;
        private char does;
        private String modifiers = "";
        private String rest = "";

        Rule(String text, Origin origin) {
            this.text = text;
            this.origin = origin;
            does = text.charAt(0);
            int at = 1;
            if (Character.isLowerCase(does)) {
                at = (int) text.chars()
                        .takeWhile(c -> c == '-' || c >= 'a' && c <= 'z')
                        .count();
                does = WORDS.getOrDefault(text.substring(0, at), '?');
            }
            if (text.startsWith(",", at)) {
                at++;
            }
            int end = at;
            while (end < text.length() && text.charAt(end) != ' ' && text.charAt(end) != '_') {
                end++;
            }
            modifiers = text.substring(at, end);
            rest = end < text.length() ? text.substring(end + 1) : "";
        }

        void add() {
            switch (does) {
                case '+', '-' -> addPattern(does == '+', Side.BOTH);
                case 'S', 'H' -> addPattern(does == 'S', Side.SOURCE);
                case 'R', 'P' -> addPattern(does == 'R', Side.REMOTE);
                case '.' -> merge();
                case '!' -> {
                    if (!modifiers.isEmpty() || !rest.isEmpty()) {
                        throw wrong(text, origin, "has something behind the !");
                    }
                    rules.clear();
                }
                case ':' ->
                    throw wrong(
                            text,
                            origin,
                            "reads a file in each directory, which the watch cannot; write its rules here, or"
                                    + " --filter='merge FILE'");
                default ->
                    throw wrong(
                            text,
                            origin,
                            "is no filter rule; it begins with +, -, H, S, P, R or . (or the word for it) and a blank");
            }
        }

        private void addPattern(boolean include, Side side) {
            boolean negated = false;
            boolean cvs = false;
            StringBuilder further = new StringBuilder(origin.further());
            Side given = side;
            for (char modifier : modifiers.toCharArray()) {
                switch (modifier) {
                    case '!' -> negated = true;
                    case 'p', 'x' -> further.append(further.indexOf("" + modifier) < 0 ? "" + modifier : "");
                    case 's' -> given = and(given, Side.SOURCE);
                    case 'r' -> given = and(given, Side.REMOTE);
                    case 'C' -> cvs = side == Side.BOTH && !include;
                    case '/' ->
                        throw wrong(
                                text,
                                origin,
                                "is matched with the path of the file system, another at the remote; / at the beginning of a"
                                        + " pattern is the source");
                    default -> throw wrong(text, origin, "has the modifier " + modifier + ", which there is not");
                }
                if (modifier == 'C' && !cvs) {
                    throw wrong(text, origin, "has the modifier C, which only -C has");
                }
            }
            given = origin.side() == Side.BOTH ? given : and(given, origin.side());
            if (cvs) {
                addCvs(given);
            } else {
                FilterList.this.add(text, origin, include, given, negated, further.toString(), rest);
            }
        }

        private Side and(Side one, Side other) {
            if (one != Side.BOTH && one != other) {
                throw wrong(text, origin, "is for the source and for the remote at once; leave out s and r for both");
            }
            return other;
        }

        private void addCvs(Side side) {
            List<FilterRule> before = List.copyOf(rules);
            rules.clear();
            Origin list = new Origin(origin.name(), Kind.PATTERNS, false, side, "p", true, origin.depth() + 1);
            for (String pattern : CVS.split(" ")) {
                FilterList.this.add(pattern, new Origin(origin.name(), Kind.BARE, false, side, "p", true, 0));
            }
            String home = System.getenv("HOME");
            if (home != null && Files.exists(Path.of(home, ".cvsignore"))) {
                read(home + "/.cvsignore", false, list);
            }
            String further = System.getenv("CVSIGNORE");
            for (String pattern :
                    further == null ? new String[0] : further.strip().split("\\s+")) {
                FilterList.this.add(ByteString.of(pattern), list.at("CVSIGNORE"));
            }
            // An exclamation mark among them clears these only.
            rules.addAll(0, before);
        }

        private void merge() {
            Kind kind = Kind.RULES;
            boolean include = false;
            boolean words = false;
            boolean itself = false;
            Side side = origin.side();
            String further = origin.further();
            for (char modifier : modifiers.toCharArray()) {
                switch (modifier) {
                    case '-', '+' -> {
                        kind = Kind.BARE;
                        include = modifier == '+';
                    }
                    case 'w' -> words = true;
                    case 'e' -> itself = true;
                    case 's' -> side = and(side, Side.SOURCE);
                    case 'r' -> side = and(side, Side.REMOTE);
                    case 'p' -> further = "p";
                    default ->
                        throw wrong(
                                text,
                                origin,
                                "has the modifier " + modifier + ", which a merged file cannot have here");
                }
            }
            if (rest.isEmpty()) {
                throw wrong(text, origin, "names no file");
            }
            if (itself) {
                String name = rest.substring(rest.lastIndexOf('/') + 1);
                FilterList.this.add(text, origin, false, Side.BOTH, false, "", name);
            }
            String file = new String(ByteString.bytes(rest), StandardCharsets.UTF_8);
            read(file, false, new Origin(origin.name(), kind, include, side, further, words, origin.depth() + 1));
        }
    }
}
