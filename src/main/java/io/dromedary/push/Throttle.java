package io.dromedary.push;

import io.dromedary.mirror.Bandwidth;
import java.time.Clock;
import java.time.LocalTime;
import java.util.List;

/**
 * What the calls to one remote may send together: an account that grows by the limit, and that all they send is taken from. Small changes have
 * another one beside it, of nearly all of the limit. Each call is stopped as long as its account is empty: so full syncs
 * and large files get what small changes leave, and these wait for no more than what they send themselves.
 */
final class Throttle {
    /** What a call is. */
    enum Kind {
        /** Small changes. */
        LIVE,
        /** A full sync or a large file. */
        BEHIND,
        /** It sends no file: it is counted, and never stopped. */
        QUESTION;

        static Kind of(List<String> arguments) {
            if (arguments.contains("--dry-run")) {
                return QUESTION;
            }
            return arguments.contains(Transfer.OPTION) ? BEHIND : LIVE;
        }
    }

    /** What was not sent is made up for, in seconds of the limit: rsync, keeping to it by itself, sends by tenths of a second. */
    private static final double SAVED = 0.5;

    /** The same for small changes: of so many none is ever stopped. */
    private static final double LIVE_SAVED = 1;

    /** What is remembered of what was sent too much, in seconds of the limit. */
    private static final double OWED = 60;

    /** Of the limit, what small changes take at most from those that wait behind them. */
    private static final double LIVE_SHARE = 0.9;

    /** Bytes a second of an rsync that has no limit of its own, as long as it is not known. */
    private static final double FAST = 1e9;

    private final Bandwidth limit;
    private final Clock clock;
    private int behind;

    /** Bytes a second; 0: no limit. */
    private double rate;

    private long since;
    /** In bytes. */
    private double all;

    private double live;

    Throttle(Bandwidth limit, Clock clock) {
        this.limit = limit;
        this.clock = clock;
    }

    synchronized void begin(Kind kind) {
        behind += kind == Kind.BEHIND ? 1 : 0;
    }

    synchronized void end(Kind kind) {
        behind -= kind == Kind.BEHIND ? 1 : 0;
    }

    /**
     * The limit of this moment, in bytes a second; 0: none.
     *
     * @param now by {@link System#nanoTime}
     */
    synchronized double rate(long now) {
        double before = rate;
        rate = limit.at(LocalTime.now(clock)) * 1024.0;
        if (rate != before) {
            all = SAVED * rate;
            live = LIVE_SAVED * rate;
        } else {
            double gain = rate * (now - since) / 1e9;
            all = Math.min(SAVED * rate, all + gain);
            live = Math.min(LIVE_SAVED * rate, live + (behind == 0 ? 1 : LIVE_SHARE) * gain);
        }
        since = now;
        return rate;
    }

    /** How fast a call may be, in bytes a second: rsync itself keeps to the highest limit of a day. */
    double fastest() {
        return limit.highest() == 0 ? FAST : limit.highest() * 1024.0;
    }

    /** A call has sent these bytes. */
    synchronized void sent(Kind kind, long bytes) {
        all = Math.max(-OWED * rate, all - bytes);
        if (kind == Kind.LIVE) {
            live = Math.max(-OWED * rate, live - bytes);
        }
    }

    /** What is left for a call of this kind, in bytes; if none is, it has to be stopped. */
    synchronized double left(Kind kind) {
        if (rate == 0 || kind == Kind.QUESTION) {
            return Double.POSITIVE_INFINITY;
        }
        return kind == Kind.LIVE ? live : all;
    }
}
