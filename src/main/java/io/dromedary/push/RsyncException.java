package io.dromedary.push;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.camel.RuntimeCamelException;
import org.apache.camel.util.ObjectHelper;

/** An rsync call that did not end well; its message is rsync's own words. */
public class RsyncException extends RuntimeCamelException {
    /** What rsync and ssh say when the other side cannot be reached, lets nobody in, or is set up otherwise. */
    private static final Pattern ANOTHER_CAUSE = Pattern.compile("\\bERROR: |(?i)failed to connect|refused|timed? ?out"
            + "|getaddrinfo|resolve|no route|unreachable|ssh: |host key|permission denied|password|not found|no space"
            + "|stopped");

    private static final String INVALID_MODE = "invalid file mode 00";
    private static final String INVALID_PATH = "invalid path from sender";

    private final int exitCode;
    private final String words;
    private List<String> arguments = List.of();
    private final Told told;

    /**
     * All that a call wrote to stderr.
     *
     * @param directory where rsync worked
     * @param deletes whether rsync finds itself what is too much, and leaves that where it could not read something
     * @param list what it told of all else on stdout, where that was asked for; else its end
     */
    record Told(String text, Path directory, boolean deletes, String list) {}

    RsyncException(int exitCode, String words) {
        this(exitCode, words, null);
    }

    /** @param told null if not all of it is known */
    RsyncException(int exitCode, String words, Told told) {
        super((words.isEmpty() ? "rsync said nothing" : words) + " (rsync exit code " + exitCode + ")");
        this.exitCode = exitCode;
        this.words = words;
        this.told = told;
    }

    /** Null if not all is known that rsync said. */
    Told told() {
        return told;
    }

    /** Whether the receiver ended at a file for which it has no room. */
    boolean isCut() {
        return getMeaning() == Meaning.AGAIN && told != null && Refusal.cuts(told.text);
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
     * does when it dies. What is said of files beside it says nothing of that.
     */
    boolean isSilent() {
        return Set.of(1, 2, 4, 5, 10, 12, 255).contains(exitCode)
                && !ANOTHER_CAUSE.matcher(words).find();
    }

    public Meaning getMeaning() {
        return isOvertaken() ? Meaning.PARTIAL : Meaning.of(exitCode);
    }

    /**
     * Whether what a list names went away, with the directory it was in, while rsync was at it. A receiver before 3.2 then
     * ends the whole call, as if it had been told something unlawful; newer ones go on.
     */
    private boolean isOvertaken() {
        String all = told == null ? words : told.text;
        return exitCode == 2
                && (all.contains(INVALID_PATH) || all.contains("has vanished: ") && !all.contains(INVALID_MODE));
    }

    /**
     * rsync 3.4.3 and the security updates of distributions of May 2026 broke {@code --delete-missing-args} at the
     * receiver (RsyncProject/rsync#910, mended in 3.5.0): the receiver calls the marker of a missing file invalid. Over
     * ssh its words are sometimes lost on the way; the other way to this exit code names the protocol version.
     */
    public boolean isDeletionRefused() {
        return exitCode == 2
                && !words.contains(INVALID_PATH)
                && (words.contains(INVALID_MODE) || !words.contains("protocol version"));
    }

    /** Whether the remote was not reached at all, or took no connection: exit codes of rsync and of ssh. */
    boolean isUnreachable() {
        return exitCode == 5 || exitCode == 10 || exitCode == 35 || exitCode == 255;
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
