package io.dromedary.push;

/** What an rsync exit code asks for; the codes are those of rsync(1), "EXIT VALUES". */
public enum Meaning {
    /** All there; also 24, a file that vanished before it was read, whose deletion is the next change. */
    DONE,
    /** Some named paths did not go through; under churn mostly files that changed while they were sent. */
    PARTIAL,
    /** The limit on deletions stopped it: a person decides. */
    LIMIT,
    /** The remote is down, full, slow or refusing, or rsync was killed: try again later. */
    AGAIN,
    /** The command line is wrong, or the two rsyncs do not understand each other: trying again soon is no use. */
    WRONG;

    /** The meaning of an exit code; those of processes that a signal ended are 128 and more: never a success. */
    public static Meaning of(int exitCode) {
        return switch (exitCode) {
            case 0, 24 -> DONE;
            case 23 -> PARTIAL;
            case 25 -> LIMIT;
            case 1, 2, 3, 4, 6 -> WRONG;
            default -> AGAIN;
        };
    }
}
