package io.dromedary.status;

/** A request that is not answered as asked: the HTTP status and one line that says why. */
public final class Refusal extends RuntimeException {
    private final int status;

    Refusal(int status, String why) {
        super(why);
        this.status = status;
    }

    public int getStatus() {
        return status;
    }
}
