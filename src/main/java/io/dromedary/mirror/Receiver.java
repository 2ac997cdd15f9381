package io.dromedary.mirror;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What a remote's rsync takes of the options that Dromedary adds by itself. A receiver may be too old for one, or a daemon
 * may refuse it ({@code refuse options}); then what it is for is done in another way. All are taken until one is refused.
 *
 * <p>Safe for use by several threads.
 */
public final class Receiver {
    /** An option that Dromedary adds, and what is done without it. */
    public enum Ability {
        /** Since rsync 3.1.3. */
        NANOSECONDS("modify-window", "times are compared by the second", "@"),
        /** Since rsync 3.1.0; refused by 3.4.3 and the security updates of distributions of May 2026. */
        DELETIONS_IN_LISTS("delete-missing-args", "deletions go by filter rules"),
        COMPARED("ignore-times", "what was written is compared by size and time", "I"),
        FORCE("force", "what is in the way is deleted by --delete"),
        STATISTICS("stats", "the bytes sent are not known"),
        TIMEOUT("timeout", "it is told of no time limit"),
        EXISTING("existing", "files of new directories may come half-written first"),
        IGNORE_EXISTING("ignore-existing", "files of new directories may come half-written first"),
        LINKED("link-dest", "what is renamed is sent"),
        FUZZY("fuzzy", "what is renamed is sent", "y"),
        PARTS("partial-dir", "a large file whose transfer is cut is sent anew"),
        PROTECTED("protect-args", "what is renamed is sent", "secluded-args", "s"),
        ITEMIZED("log-format", "max-delete, verify and regular expressions cannot ask it", "out-format");

        private final String option;
        private final String without;
        private final List<String> otherNames;

        Ability(String option, String without, String... otherNames) {
            this.option = option;
            this.without = without;
            this.otherNames = List.of(otherNames);
        }

        /** The option's long name, without dashes. */
        public String option() {
            return option;
        }

        private boolean isNamed(String name) {
            return option.equals(name) || otherNames.contains(name);
        }

        /** Whether a word of a command line is that option, as Dromedary writes it. */
        public boolean isIn(String argument) {
            return argument.startsWith("--") && isNamed(nameOf(argument));
        }
    }

    /** "--name=value" and "-@-1" alike. */
    private static String nameOf(String option) {
        String name = option.replaceFirst("^--remote-option=", "").replaceFirst("^--?", "");
        return name.startsWith("@") ? "@" : name.replaceFirst("=.*", "");
    }

    /** Daemons' "refuse options", and popt's words of any year. */
    private static final Pattern REFUSAL =
            Pattern.compile("configured to refuse (--?[^\\s=]+)|(?:^|: )(--?[^\\s:=]+)(?:=\\S*)?: unknown option");

    private volatile Set<Ability> refused = Set.of();
    private volatile Set<Ability> notSent = Set.of();
    private volatile int protocol;

    /** The option that rsync's words say is refused, without dashes; empty: they say nothing of one. */
    public static Optional<String> refusedOption(String words) {
        Matcher matcher = REFUSAL.matcher(words);
        return matcher.find()
                ? Optional.of(nameOf(matcher.group(1) == null ? matcher.group(2) : matcher.group(1)))
                : Optional.empty();
    }

    /** What that option is for; empty: it is none of those that can be done without. */
    public static Optional<Ability> of(String option) {
        return Arrays.stream(Ability.values())
                .filter(ability -> ability.isNamed(option))
                .findFirst();
    }

    public boolean takes(Ability ability) {
        return !refused.contains(ability) && !notSent.contains(ability);
    }

    /** What this machine's rsync lacks is asked of no remote. */
    public void neverSend(Set<Ability> lacking) {
        notSent = Set.copyOf(lacking);
    }

    public Set<Ability> refused() {
        return refused;
    }

    public synchronized void refuse(Set<Ability> more) {
        Set<Ability> all = EnumSet.noneOf(Ability.class);
        all.addAll(refused);
        all.addAll(more);
        refused = Set.copyOf(all);
    }

    /** It takes all of them again, as far as is known. */
    public void forget() {
        refused = Set.of();
    }

    /** The number of the newest protocol that it speaks; 0: not known. */
    public int protocol() {
        return protocol;
    }

    public void protocol(int number) {
        protocol = number;
    }

    /** Its protocol, and of what years it is by that, for people; empty: not known. */
    public String year() {
        if (protocol == 0) {
            return "";
        }
        String versions = protocol < 30
                ? "before 3.0"
                : switch (protocol) {
                    case 30 -> "3.0";
                    case 31 -> "3.1 to 3.3";
                    default -> "3.4 or newer";
                };
        return "protocol " + protocol + ": " + versions;
    }

    /** These options of Dromedary's own, without those that it does not take. */
    public List<String> taken(List<String> options) {
        Set<Ability> without = EnumSet.noneOf(Ability.class);
        without.addAll(refused);
        without.addAll(notSent);
        if (without.isEmpty()) {
            return options;
        }
        List<String> taken = new ArrayList<>(options);
        taken.removeIf(option -> without.stream().anyMatch(ability -> ability.isIn(option)));
        if (without.contains(Ability.FORCE)
                && options.contains("--force")
                && taken.stream().noneMatch("--delete"::equals)) {
            // Of the directories that are listed nothing is listed, so nothing more is deleted.
            taken.addAll(List.of("--dirs", "--delete"));
        }
        return taken;
    }

    /** What it does not take and what is done instead, for people; empty: it takes all. */
    public String text() {
        List<Ability> all = refused.stream().sorted().toList();
        return all.isEmpty()
                ? ""
                : "its rsync" + (year().isEmpty() ? "" : " (" + year() + ")") + " does not take "
                        + all.stream().map(ability -> "--" + ability.option).collect(Collectors.joining(", ")) + ": "
                        + all.stream()
                                .map(ability -> ability.without)
                                .distinct()
                                .collect(Collectors.joining(", "));
    }
}
