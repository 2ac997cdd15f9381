package io.dromedary.push;

import java.util.List;
import java.util.Set;
import org.apache.camel.ExchangeException;
import org.apache.camel.RuntimeCamelException;
import org.apache.camel.util.ObjectHelper;

/** An rsync call that did not end well; its message is rsync's own words. */
public final class RsyncException extends RuntimeCamelException {
    private final int exitCode;
    private final String words;
    private List<String> arguments = List.of();

    RsyncException(int exitCode, String words) {
        super((words.isEmpty() ? "rsync said nothing" : words) + " (rsync exit code " + exitCode + ")");
        this.exitCode = exitCode;
        this.words = words;
    }

    public int getExitCode() {
        return exitCode;
    }

    String words() {
        return words;
    }

    /** The arguments of the call, as far as it came to one. */
    List<String> arguments() {
        return arguments;
    }

    /** The same of a call with these arguments. */
    RsyncException of(List<String> call) {
        arguments = List.copyOf(call);
        return this;
    }

    /**
     * Whether this is what a receiver that does not take an option may look like: it ends without a word of its own, as it
     * does when it dies.
     */
    boolean isSilent() {
        return Set.of(1, 2, 4, 5, 10, 12, 30, 255).contains(exitCode)
                && (words.isEmpty() || RsyncProcess.isConsequence(words) || words.contains("invalid rsync-command"));
    }

    public Meaning getMeaning() {
        return Meaning.of(exitCode);
    }

    /**
     * rsync 3.4.3 and the security updates of distributions of May 2026 broke {@code --delete-missing-args} at the
     * receiver (RsyncProject/rsync#910, mended in 3.5.0): the receiver calls the marker of a missing file invalid. Over
     * ssh its words are sometimes lost on the way; the other way to this exit code names the protocol version.
     */
    public boolean isDeletionRefused() {
        return exitCode == 2 && (words.contains("invalid file mode 00") || !words.contains("protocol version"));
    }

    /** Whether all but some paths went through. */
    public static boolean partial(@ExchangeException Exception caught) {
        return in(caught) instanceof RsyncException e && e.getMeaning() == Meaning.PARTIAL;
    }

    /** What rsync or the guard said, out of what Camel has wrapped around it; or the exception itself if it is neither. */
    public static Exception in(Exception caught) {
        Exception inner = ObjectHelper.getException(RsyncException.class, caught);
        if (inner == null) {
            inner = ObjectHelper.getException(HaltedException.class, caught);
        }
        return inner == null ? caught : inner;
    }
}
