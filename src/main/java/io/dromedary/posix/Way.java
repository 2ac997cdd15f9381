package io.dromedary.posix;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * The way that the system goes along a path, name by name, through the symbolic links on it. Paths are byte strings.
 *
 * @param end where it ends, without a link in it; where the way breaks off, the directory in which the next name is missing.
 *     "" is the system's root
 * @param aim where it would end if no name were missing
 * @param steps the entries that decide where it leads: each link on it, and what it ends at or lacks
 * @param exists whether there is anything at its end
 */
public record Way(String end, String aim, List<Step> steps, boolean exists) {
    /** As the kernel's MAXSYMLINKS. */
    private static final int MOST_LINKS = 40;

    /**
     * An entry of a directory.
     *
     * @param directory its path, without a link in it
     */
    public record Step(String directory, String name) {}

    /** Goes along an absolute path. What may not be looked at counts as missing. */
    public static Way along(String absolutePath) {
        List<Step> steps = new ArrayList<>();
        Deque<String> ahead = new ArrayDeque<>();
        push(ahead, absolutePath);
        String at = "";
        int links = 0;
        while (!ahead.isEmpty()) {
            String name = ahead.pop();
            if (name.isEmpty() || name.equals(".")) {
                continue;
            }
            if (name.equals("..")) {
                at = at.substring(0, Math.max(0, at.lastIndexOf('/')));
                continue;
            }
            Kind kind = kind(at + "/" + name);
            if (kind == Kind.LINK) {
                steps.add(new Step(at, name));
                String text = Entries.readlink(at + "/" + name);
                if (text == null || ++links > MOST_LINKS) {
                    return brokenOff(at, name, ahead, steps);
                }
                at = text.startsWith("/") ? "" : at;
                push(ahead, text);
            } else if (kind == null || kind == Kind.OTHER && !ahead.isEmpty()) {
                steps.add(new Step(at, name));
                return brokenOff(at, name, ahead, steps);
            } else {
                at += "/" + name;
            }
        }
        if (!at.isEmpty()) {
            int slash = at.lastIndexOf('/');
            steps.add(new Step(at.substring(0, slash), at.substring(slash + 1)));
        }
        return new Way(at, at, steps, true);
    }

    private static Way brokenOff(String at, String name, Deque<String> ahead, List<Step> steps) {
        StringBuilder aim = new StringBuilder(at).append('/').append(name);
        ahead.forEach(next -> aim.append('/').append(next));
        return new Way(at, aim.toString(), steps, false);
    }

    private static Kind kind(String absolutePath) {
        try {
            Stat stat = Entries.lstat(absolutePath);
            return stat == null ? null : Kind.of(stat);
        } catch (PosixException e) {
            return null;
        }
    }

    private static void push(Deque<String> ahead, String path) {
        String[] names = path.split("/+");
        for (int i = names.length - 1; i >= 0; i--) {
            ahead.push(names[i]);
        }
    }
}
