package io.dromedary.push;

/**
 * A way to a remote, on which one push at a time is under way. Pushes on different lanes do not wait for each other.
 *
 * @param kind what goes there
 * @param path the file, of a {@link Kind#LARGE} lane; else empty
 */
public record Lane(Kind kind, String path) {
    /** What goes by a lane. */
    public enum Kind {
        /** Changes as they come. */
        LIVE("live"),
        /** The change "everything". */
        FULL("full sync"),
        /** One large file; each has a lane of its own, and a remote a number of slots for them. */
        LARGE("large "),
        /** Large files beyond those that have lanes. They are not sent from here, but take the lanes that become free. */
        LATER("later");

        private final String word;

        Kind(String word) {
            this.word = word;
        }
    }

    static final Lane LIVE = new Lane(Kind.LIVE, "");
    static final Lane FULL = new Lane(Kind.FULL, "");
    static final Lane LATER = new Lane(Kind.LATER, "");

    static Lane large(String path) {
        return new Lane(Kind.LARGE, path);
    }

    boolean isLarge() {
        return kind == Kind.LARGE;
    }

    /** The lane that {@link #toString} is the name of; live if there is none. */
    static Lane of(String name) {
        if (name == null) {
            return LIVE;
        }
        for (Kind kind : Kind.values()) {
            if (kind != Kind.LARGE && name.equals(kind.word)) {
                return new Lane(kind, "");
            }
        }
        return name.startsWith(Kind.LARGE.word) ? large(name.substring(Kind.LARGE.word.length())) : LIVE;
    }

    /** Its name in messages' headers. */
    @Override
    public String toString() {
        return kind.word + path;
    }
}
