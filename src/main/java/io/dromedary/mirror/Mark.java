package io.dromedary.mirror;

import java.util.concurrent.ThreadLocalRandom;

/**
 * The name of an empty file that Dromedary puts into a source for a moment, to see whether a target shows it. It is no part
 * of what the source is: a source with nothing else is empty.
 */
public final class Mark {
    /** As an editor's temporary file: a watch of Dromedary sends none that is gone again within half a second. */
    private static final String START = ".dromedary-";

    private static final String END = ".tmp";

    /** All such names, for a directory stream. */
    public static final String GLOB = START + "*" + END;

    private Mark() {}

    /** A name that nobody has used before. */
    public static String next() {
        return START + Long.toHexString(ThreadLocalRandom.current().nextLong()) + END;
    }

    public static boolean is(String name) {
        return name.startsWith(START) && name.endsWith(END);
    }
}
