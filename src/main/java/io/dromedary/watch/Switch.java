package io.dromedary.watch;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/** The kinds of events that make a path a change; the structure of the tree is followed whatever they are. */
enum Switch {
    DELETE,
    CREATE_FOLDER,
    CREATE_FILE,
    CLOSE_WRITE,
    MOVE_FROM,
    MOVE_TO,
    ATTRIB,
    MODIFY;

    static Set<Switch> parse(String list) {
        EnumSet<Switch> switches = EnumSet.noneOf(Switch.class);
        for (String item : list.split(",")) {
            if (!item.isBlank()) {
                switches.add(named(item.strip()));
            }
        }
        return switches;
    }

    private static Switch named(String name) {
        for (Switch candidate : values()) {
            if (candidate.toString().equals(name)) {
                return candidate;
            }
        }
        throw new IllegalArgumentException("events: unknown '" + name + "', allowed are "
                + Arrays.stream(values()).map(Switch::toString).collect(Collectors.joining(", ")));
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
