package io.dromedary.mirror;

import io.dromedary.change.FilterList;
import io.dromedary.change.FilterRule;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The rsync arguments that a user wrote, understood option by option as rsync's popt reads them: letters in one word, values
 * behind an equals sign or in the next word, {@code --no-…}. What is asked of them is asked here, never of their text.
 *
 * <p>Of two that contradict each other the last one holds. An option that is not known here is taken for one without a
 * value, and left to rsync. Immutable.
 */
public final class RsyncArgs {
    /** rsync's options of one letter by their long names; D, F and P have none of one meaning. */
    private static final Map<String, String> LETTERS = Map.ofEntries(
            Map.entry("v", "verbose"),
            Map.entry("q", "quiet"),
            Map.entry("h", "human-readable"),
            Map.entry("n", "dry-run"),
            Map.entry("a", "archive"),
            Map.entry("r", "recursive"),
            Map.entry("d", "dirs"),
            Map.entry("p", "perms"),
            Map.entry("E", "executability"),
            Map.entry("A", "acls"),
            Map.entry("X", "xattrs"),
            Map.entry("t", "times"),
            Map.entry("U", "atimes"),
            Map.entry("N", "crtimes"),
            Map.entry("O", "omit-dir-times"),
            Map.entry("J", "omit-link-times"),
            Map.entry("@", "modify-window"),
            Map.entry("o", "owner"),
            Map.entry("g", "group"),
            Map.entry("l", "links"),
            Map.entry("L", "copy-links"),
            Map.entry("k", "copy-dirlinks"),
            Map.entry("K", "keep-dirlinks"),
            Map.entry("H", "hard-links"),
            Map.entry("R", "relative"),
            Map.entry("I", "ignore-times"),
            Map.entry("x", "one-file-system"),
            Map.entry("u", "update"),
            Map.entry("S", "sparse"),
            Map.entry("f", "filter"),
            Map.entry("C", "cvs-exclude"),
            Map.entry("W", "whole-file"),
            Map.entry("c", "checksum"),
            Map.entry("B", "block-size"),
            Map.entry("y", "fuzzy"),
            Map.entry("z", "compress"),
            Map.entry("m", "prune-empty-dirs"),
            Map.entry("i", "itemize-changes"),
            Map.entry("b", "backup"),
            Map.entry("0", "from0"),
            Map.entry("s", "secluded-args"),
            Map.entry("e", "rsh"),
            Map.entry("T", "temp-dir"),
            Map.entry("4", "ipv4"),
            Map.entry("6", "ipv6"),
            Map.entry("8", "8-bit-output"),
            Map.entry("M", "remote-option"),
            Map.entry("protect-args", "secluded-args"),
            Map.entry("ignore-non-existing", "existing"),
            Map.entry("remove-sent-files", "remove-source-files"),
            Map.entry("cc", "checksum-choice"),
            Map.entry("zc", "compress-choice"),
            Map.entry("zl", "compress-level"),
            Map.entry("zt", "compress-threads"));

    /** What stands for several. */
    private static final Map<String, List<String>> SEVERAL = Map.of(
            "archive", List.of("recursive", "links", "perms", "times", "group", "owner", "devices", "specials"),
            "D", List.of("devices", "specials"),
            "P", List.of("partial", "progress"));

    /** Those that take a value. */
    private static final Set<String> VALUED = Set.of(
            "info",
            "debug",
            "stderr",
            "modify-window",
            "confine-root",
            "chmod",
            "max-size",
            "min-size",
            "max-alloc",
            "max-delete",
            "filter",
            "exclude",
            "include",
            "exclude-from",
            "include-from",
            "checksum-choice",
            "block-size",
            "compare-dest",
            "copy-dest",
            "link-dest",
            "compress-choice",
            "skip-compress",
            "compress-level",
            "compress-threads",
            "partial-dir",
            "log-file",
            "log-file-format",
            "out-format",
            "log-format",
            "bwlimit",
            "backup-dir",
            "suffix",
            "read-batch",
            "write-batch",
            "only-write-batch",
            "files-from",
            "usermap",
            "groupmap",
            "chown",
            "timeout",
            "contimeout",
            "stop-after",
            "time-limit",
            "stop-at",
            "rsh",
            "rsync-path",
            "temp-dir",
            "iconv",
            "copy-as",
            "address",
            "port",
            "sockopts",
            "password-file",
            "early-input",
            "outbuf",
            "remote-option",
            "protocol",
            "checksum-seed",
            "config",
            "dparam");

    /** All that says nothing of paths, of other basis directories, nor of writing in place. */
    private static final Set<String> NOT_ABOUT_PATHS = Set.of(
            "archive",
            "checksum",
            "group",
            "human-readable",
            "links",
            "owner",
            "perms",
            "quiet",
            "recursive",
            "times",
            "verbose",
            "compress",
            "acls",
            "D",
            "devices",
            "specials",
            "executability",
            "hard-links",
            "omit-link-times",
            "crtimes",
            "omit-dir-times",
            "P",
            "partial",
            "progress",
            "sparse",
            "atimes",
            "whole-file",
            "xattrs",
            "compress-level",
            "compress-choice",
            "bwlimit",
            "numeric-ids",
            "chmod",
            "chown",
            "usermap",
            "groupmap",
            "rsync-path",
            "secluded-args",
            "rsh");

    /** By these rsync sends what lies behind symlinks. */
    private static final Set<String> FOLLOWING = Set.of("copy-links", "copy-dirlinks", "copy-unsafe-links");

    /** Those that say what is left out: read here, for it is not rsync alone that has to know. */
    private static final Set<String> FILTERS =
            Set.of("filter", "exclude", "include", "exclude-from", "include-from", "from0");

    /** What rsync tells, Dromedary reads; it is the same whether these are given or not. */
    private static final Set<String> IGNORED =
            Set.of("quiet", "info", "stderr", "msgs2stderr", "out-format", "log-format");

    /** What cannot be, or cannot mean the same for single changes and full syncs, and what to write instead. */
    private static final Map<String, String> REFUSED = Map.ofEntries(
            Map.entry("files-from", "the list of files is Dromedary's own; exclude says what is left out"),
            Map.entry("remove-source-files", "a mirror removes nothing at its source"),
            Map.entry("dry-run", "nothing would be sent; dromedary check makes a dry run"),
            Map.entry("list-only", "nothing would be sent; dromedary check makes a dry run"),
            Map.entry("write-batch", "a batch file has no place in a mirror"),
            Map.entry("only-write-batch", "a batch file has no place in a mirror"),
            Map.entry("read-batch", "a batch file has no place in a mirror"),
            Map.entry("daemon", "rsync is started to send"),
            Map.entry("server", "rsync is started to send"),
            Map.entry("max-delete", "dromedary.max-delete halts a full sync that would delete more"),
            Map.entry("existing", "new files would never be mirrored"),
            Map.entry("ignore-existing", "changes of files would never be mirrored"),
            Map.entry("size-only", "a change that keeps the size would never be mirrored; -c compares contents"),
            Map.entry("append", "a file that was rewritten would never be mirrored; --inplace writes in place"),
            Map.entry("append-verify", "a file that was rewritten would never be mirrored; --inplace writes in place"),
            Map.entry("ignore-times", "verify would call every file different; -c compares contents"),
            Map.entry(
                    "prune-empty-dirs",
                    "a full sync would delete the directories that single changes made; leave out directories by"
                            + " exclude"),
            Map.entry(
                    "compare-dest", "files would be missing at the remote; --copy-dest and --link-dest put them there"),
            Map.entry(
                    "F",
                    "it reads a .rsync-filter in each directory, which the watch cannot; write the rules into"
                            + " --filter, or --filter='merge FILE'"),
            Map.entry(
                    "cvs-exclude",
                    "it reads a .cvsignore in each directory, which the watch cannot; --filter=-C leaves out the same"
                            + " without them"));

    /** Negations of what each list of files needs. */
    private static final Set<String> NEEDED = Set.of("relative", "implied-dirs");

    private static final String DELETIONS = "deletions are mirrored anyway, delete=false turns them off";

    private final List<Option> options;
    private final Map<String, String> inForce;

    /**
     * One option as it was written.
     *
     * @param word which word it stands in, counted from 0; letters share theirs
     * @param text the option without its dashes and its value
     * @param value null if it has none
     * @param apart whether the value is the next word
     */
    private record Option(int word, boolean letter, String text, String value, boolean apart) {
        boolean isOff() {
            return !letter && text.startsWith("no-");
        }

        String name() {
            String name = isOff() ? text.substring(3) : text;
            return LETTERS.getOrDefault(name, name);
        }

        String shown() {
            return (letter ? "-" : "--") + text;
        }

        boolean isForRsync() {
            return refusal() == null
                    && !FILTERS.contains(name())
                    && !IGNORED.contains(name())
                    && !name().equals("bwlimit");
        }

        /** Why it is none for a user to set; null: it may be set. */
        String refusal() {
            if (text.isEmpty()) {
                return "is no option; the value of one is written --option=value";
            }
            boolean deletes = name().equals("del") || name().equals("delete") || name().startsWith("delete-");
            String why = deletes ? DELETIONS : REFUSED.get(name());
            if (isOff()) {
                why = NEEDED.contains(name()) ? "paths are relative to the source" : null;
            }
            return why == null ? null : "is not allowed; " + why;
        }
    }

    private RsyncArgs(List<Option> options) {
        this.options = List.copyOf(options);
        this.inForce = new HashMap<>();
        for (Option option : this.options) {
            for (String name : SEVERAL.getOrDefault(option.name(), List.of(option.name()))) {
                if (option.isOff()) {
                    inForce.remove(name);
                } else {
                    inForce.put(name, option.value() == null ? "" : option.value());
                }
            }
        }
    }

    /** Reads a line, split as a shell would; an {@link IllegalArgumentException} says what is wrong with it. */
    public static RsyncArgs parse(String line) {
        return of(Remote.words(line));
    }

    /** The same of words; a word that is no option, nor the value of one, is refused by {@link #refusals}. */
    public static RsyncArgs of(List<String> words) {
        List<Option> options = new ArrayList<>();
        for (int at = 0; at < words.size(); at++) {
            String word = words.get(at);
            if (word.startsWith("--") && word.length() > 2) {
                at += addLong(options, words, at) ? 1 : 0;
            } else if (word.startsWith("-") && word.length() > 1 && !word.equals("--")) {
                at += addLetters(options, words, at) ? 1 : 0;
            } else {
                options.add(new Option(at, false, "", word, true));
            }
        }
        return new RsyncArgs(options);
    }

    /** Whether the word after it belongs to it. */
    private static boolean addLong(List<Option> options, List<String> words, int at) {
        String text = words.get(at).substring(2);
        int equals = text.indexOf('=');
        if (equals >= 0) {
            options.add(new Option(at, false, text.substring(0, equals), text.substring(equals + 1), false));
            return false;
        }
        boolean apart = VALUED.contains(LETTERS.getOrDefault(text, text));
        options.add(new Option(at, false, text, apart ? next(words, at, words.get(at)) : null, apart));
        return apart;
    }

    private static boolean addLetters(List<Option> options, List<String> words, int at) {
        String letters = words.get(at);
        for (int i = 1; i < letters.length(); i++) {
            String letter = letters.substring(i, i + 1);
            if (VALUED.contains(LETTERS.getOrDefault(letter, letter))) {
                boolean apart = i + 1 == letters.length();
                int from = letters.startsWith("=", i + 1) ? i + 2 : i + 1;
                String value = apart ? next(words, at, "-" + letter) : letters.substring(from);
                options.add(new Option(at, true, letter, value, apart));
                return apart;
            }
            options.add(new Option(at, true, letter, null, false));
        }
        return false;
    }

    private static String next(List<String> words, int at, String option) {
        if (at + 1 == words.size()) {
            throw new IllegalArgumentException("rsync argument " + option + " has no value");
        }
        return words.get(at + 1);
    }

    /** Those that a user may not set, each in one line that begins with it and says why. */
    public List<String> refusals() {
        List<String> refusals = new ArrayList<>();
        for (Option option : options) {
            if (option.refusal() != null) {
                refusals.add((option.text().isEmpty() ? option.value() : option.shown()) + " " + option.refusal());
            }
        }
        if (has("backup") && !has("backup-dir")) {
            refusals.add(
                    "--backup is not allowed without --backup-dir; old versions would stay beside the files, and in"
                            + " the way of a deleted directory");
        }
        return refusals;
    }

    /** The words for rsync, as they were written, without those that are refused, the {@link #filters} and {@code bwlimit}, which is the remote's. */
    public List<String> words() {
        return words(Option::isForRsync);
    }

    /** The same words without the options that follow links. */
    List<String> withoutFollowing() {
        return words(option -> option.isForRsync() && !FOLLOWING.contains(option.name()));
    }

    /** The words as they were written, without those that are refused. */
    public List<String> allowed() {
        return words(option -> option.refusal() == null);
    }

    private List<String> words(Predicate<Option> wanted) {
        Map<Integer, StringBuilder> firsts = new LinkedHashMap<>();
        Map<Integer, String> values = new HashMap<>();
        for (Option option : options) {
            if (!wanted.test(option)) {
                continue;
            }
            StringBuilder first =
                    firsts.computeIfAbsent(option.word(), word -> new StringBuilder(option.letter() ? "-" : "--"));
            first.append(option.text());
            if (option.apart()) {
                values.put(option.word(), option.value());
            } else if (option.value() != null) {
                first.append(option.letter() ? "" : "=").append(option.value());
            }
        }
        List<String> words = new ArrayList<>();
        firsts.forEach((word, first) -> {
            words.add(first.toString());
            if (values.containsKey(word)) {
                words.add(values.get(word));
            }
        });
        return words;
    }

    /**
     * The rules of what is left out, in their order. Reads the files that the options name, each time anew; an {@link
     * IllegalArgumentException} says in one line what is wrong with an option or a file.
     *
     * @param source where relative names of files start
     */
    public List<FilterRule> filters(Path source) {
        FilterList list = new FilterList(source);
        boolean nul = false;
        for (Option option : options) {
            switch (option.name()) {
                case "filter" -> list.filter(option.value());
                case "exclude", "include" ->
                    list.pattern(option.value(), option.name().equals("include"));
                case "exclude-from", "include-from" ->
                    list.patternsFrom(option.value(), option.name().equals("include-from"), nul);
                case "from0" -> nul = !option.isOff();
                default -> {
                    // It is not about what is left out.
                }
            }
        }
        String partial = partialDir();
        if (partial != null && !partial.startsWith("/")) {
            list.directory(partial);
        }
        return list.rules();
    }

    /** Whether any option says what is left out. */
    public boolean hasFilters() {
        return partialDir() != null || options.stream().anyMatch(option -> FILTERS.contains(option.name()));
    }

    /** The directory at the remote for what has not arrived as a whole, which rsync leaves out by itself; null: none. */
    public String partialDir() {
        String named = value("partial-dir");
        boolean none = named == null || named.isEmpty() || named.equals(".");
        return !none ? named.replaceFirst("^(\\./+)+", "") : has("delay-updates") ? ".~tmp~" : null;
    }

    /** Whether this option, by its long name, is in force. {@code archive} is what it stands for. */
    public boolean has(String option) {
        return inForce.containsKey(option);
    }

    /** The value of this option, by its long name; null if it is not given. */
    public String value(String option) {
        return inForce.get(option);
    }

    /** Whether what lies behind some or all symlinks is sent in their place. */
    public boolean followsLinks() {
        return FOLLOWING.stream().anyMatch(this::has);
    }

    /** Whether what is mounted below the source is left out. */
    public boolean oneFileSystem() {
        return has("one-file-system");
    }

    /** Whether a transfer that was cut leaves what it has got at the remote. */
    public boolean keepsPartial() {
        return has("partial") || has("partial-dir") || has("inplace") || has("append") || has("append-verify");
    }

    /** The remote shell; null: they name none. */
    public String shell() {
        return value("rsh");
    }

    /** Whether they mean the same for a call that starts at another directory than the source; of a shell it is not known. */
    public boolean startsAnywhere() {
        return options.stream()
                .map(Option::name)
                .allMatch(option -> NOT_ABOUT_PATHS.contains(option) || FILTERS.contains(option));
    }
}
