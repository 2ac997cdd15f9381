package io.dromedary.posix;

/** A system call that failed in a way its caller did not expect; the message is one line for a person. */
public class PosixException extends RuntimeException {
    private final int errno;

    PosixException(String what, int errno) {
        this(what, errno, LibC.errorText(errno));
    }

    PosixException(String what, int errno, String text) {
        super(what + ": " + text);
        this.errno = errno;
    }

    /** The number of the error, as in {@code errno(3)}. */
    public int errno() {
        return errno;
    }
}
