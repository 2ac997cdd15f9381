package io.dromedary.push;

/**
 * An rsync call that single paths have spoilt: the calls after it, or the same without these paths, may go through. A
 * class of its own, for a route's {@code doCatch} chooses by nothing else.
 */
public final class PartialException extends RsyncException {
    private PartialException(int exitCode, String words, Told told) {
        super(exitCode, words, told);
    }

    /** One of these if it is, else an {@link RsyncException}. */
    static RsyncException of(int exitCode, String words, Told told) {
        RsyncException any = new RsyncException(exitCode, words, told);
        return any.getMeaning() == Meaning.PARTIAL || any.isCut() ? new PartialException(exitCode, words, told) : any;
    }
}
