package io.dromedary.push;

import io.dromedary.posix.LibC;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.concurrent.TimeUnit;

/**
 * An rsync that is waited for, and meanwhile kept within its remote's limit, if there is one: now and then it is counted what it has written, and
 * it is stopped for a moment when that was too much. rsync keeps to {@code --bwlimit} by itself, but each knows only of
 * itself, and of the limit at its start. Used by one thread.
 */
final class Awaited implements AutoCloseable {
    private static final long LONGEST = TimeUnit.MILLISECONDS.toNanos(50);
    private static final long SHORTEST = TimeUnit.MILLISECONDS.toNanos(1);

    /** How long one that is stopped may go on although nothing is left, lest the other side take it for dead. */
    private static final long SIGN_OF_LIFE = TimeUnit.MILLISECONDS.toNanos(5);

    /** How long it is stopped at most. */
    private static final long SILENCE = TimeUnit.SECONDS.toNanos(5);

    /** While there is no limit: when it is asked whether there is one now. */
    private static final long UNLIMITED = TimeUnit.SECONDS.toNanos(1);

    /** What one that was stopped has to have left to go on, in seconds of the limit. */
    private static final double ENOUGH = 0.05;

    private final Process process;
    private final Throttle throttle;
    private final Throttle.Kind kind;
    private final long silence;

    /** The one that sends; null until it is there. */
    private ProcessHandle sender;

    private long counted;
    private long countedOfOthers;
    private double rate;
    /** In bytes a second, when it last ran. */
    private double speed;

    private boolean stopped;
    /** When it was last looked at, and stopped or let go on. */
    private long looked = System.nanoTime();

    private long since = looked;
    private long due = looked;

    /**
     * @param throttle null: there is no limit
     * @param timeout after which the other side gives up that hears nothing, in seconds; 0: never
     */
    Awaited(Process process, Throttle throttle, Throttle.Kind kind, long timeout) {
        this.process = process;
        this.throttle = throttle;
        this.kind = kind;
        this.silence = timeout == 0 ? SILENCE : Math.min(SILENCE, TimeUnit.SECONDS.toNanos(timeout) / 4);
        if (throttle != null) {
            throttle.begin(kind);
            speed = throttle.fastest();
            rate = throttle.rate(looked);
            due = looked + pause(throttle.left(kind));
        }
    }

    Process process() {
        return process;
    }

    /** Waits for its end; returns whether that has come. */
    boolean waitFor(long nanos) throws InterruptedException {
        if (throttle == null) {
            return process.waitFor(nanos, TimeUnit.NANOSECONDS);
        }
        long begin = System.nanoTime();
        for (long now = begin; ; now = System.nanoTime()) {
            if (now - due >= 0) {
                due = now + look(now);
            }
            long left = nanos - (now - begin);
            if (process.waitFor(Math.min(left, due - now), TimeUnit.NANOSECONDS)) {
                return true;
            }
            if (left <= 0) {
                return false;
            }
        }
    }

    /** Counts, and stops it or lets it go on; returns in how many nanoseconds it has to be looked at again. */
    private long look(long now) {
        long more = written() - counted;
        counted += more;
        double before = rate;
        rate = throttle.rate(now);
        if (rate == before) {
            throttle.sent(kind, more);
        }
        if (!stopped) {
            speed = Math.max(more * 1e9 / Math.max(1, now - looked), speed / 2);
        }
        looked = now;
        double left = throttle.left(kind);
        boolean silent = stopped && now - since >= silence;
        boolean stop = stopped ? left < ENOUGH * rate && !silent : left <= 0;
        if (stop != stopped) {
            if (!signal(stop)) {
                return LONGEST;
            }
            stopped = stop;
            since = now;
        }
        if (!stopped) {
            return silent ? SIGN_OF_LIFE : pause(left);
        }
        long enough = (long) ((ENOUGH * rate - left) / rate * 1e9);
        return Math.max(SHORTEST, Math.min(enough, Math.min(UNLIMITED, since + silence - now)));
    }

    /** How long it may run with so much left. */
    private long pause(double left) {
        if (rate == 0) {
            return UNLIMITED;
        }
        return Math.max(SHORTEST, (long) Math.min(LONGEST, left / speed * 1e9));
    }

    /** What it has written, its connection above all. */
    private long written() {
        if (sender == null || !sender.isAlive()) {
            countedOfOthers = counted;
            sender = process.toHandle();
            if (!RsyncProcess.isRsync(sender)) {
                // rsync.command may be a script.
                sender = process.descendants()
                        .filter(RsyncProcess::isRsync)
                        .findFirst()
                        .orElse(null);
            }
        }
        try {
            if (sender != null) {
                for (String line : Files.readAllLines(RsyncProcess.proc(sender, "io"), StandardCharsets.US_ASCII)) {
                    if (line.startsWith("wchar: ")) {
                        return countedOfOthers + Long.parseLong(line.substring("wchar: ".length()));
                    }
                }
            }
        } catch (IOException e) {
            // It has just ended, or is another user's.
        }
        return counted;
    }

    private boolean signal(boolean stop) {
        return sender != null && (stop ? LibC.stop(sender.pid()) : LibC.go(sender.pid()));
    }

    /** It has ended, and these are its last words. */
    void ended(String told) {
        if (throttle != null) {
            long sent = told.lines().mapToLong(RsyncCalls::bytesSent).max().orElse(0);
            throttle.sent(kind, Math.max(0, sent - counted));
        }
    }

    /** It is not waited for any more. */
    @Override
    public void close() {
        if (throttle != null) {
            throttle.end(kind);
        }
    }
}
