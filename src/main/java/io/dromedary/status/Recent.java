package io.dromedary.status;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.read.CyclicBufferAppender;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Gate;
import io.dromedary.push.Gate.Progress;
import io.dromedary.push.RsyncCalls;
import io.dromedary.push.Transfer;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.apache.camel.util.json.JsonArray;
import org.apache.camel.util.json.JsonObject;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The last minutes, so that a page which is opened after the fact shows them: lag and rate of each remote, as
 * often as {@link #sample} is called, and the last lines of the log, which tell every change of a state.
 */
public final class Recent {
    /** At one each 5 s: 10 minutes. */
    private static final int SAMPLES = 120;

    private final Map<String, Deque<Sample>> samples = new LinkedHashMap<>();
    private Mirrors mirrors;
    private Gate gate;
    private RsyncCalls rsyncCalls;

    /** @param bytes sent up to then, those of a full sync and of large files under way included */
    private record Sample(long nanos, double lagSeconds, long bytes, double bytesPerSecond) {}

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setGate(Gate gate) {
        this.gate = gate;
    }

    public void setRsyncCalls(RsyncCalls rsyncCalls) {
        this.rsyncCalls = rsyncCalls;
    }

    /** Takes down how every remote fares now. */
    public synchronized void sample() {
        for (Remote remote : mirrors.remotes()) {
            Deque<Sample> taken = samples.computeIfAbsent(remote.id(), id -> new ArrayDeque<>(SAMPLES));
            Progress progress = gate.progress(remote.id());
            Transfer transfer = rsyncCalls.transfer(remote);
            long bytes = progress.bytesSent()
                    + (transfer == null ? 0 : transfer.bytes())
                    + gate.large(remote.id()).sent();
            long now = System.nanoTime();
            Sample last = taken.peekLast();
            // Their bytes are counted as rsync's files until its end, then as what went over the wire.
            double rate = last == null ? 0 : Math.max(0, bytes - last.bytes) / ((now - last.nanos) / 1e9);
            if (taken.size() == SAMPLES) {
                taken.removeFirst();
            }
            taken.addLast(new Sample(now, progress.lagSeconds(), bytes, rate));
        }
    }

    /** What {@code GET /api/recent} answers; the oldest first. */
    public synchronized String json() {
        JsonObject remotes = new JsonObject();
        samples.forEach((remote, taken) -> {
            JsonObject one = new JsonObject();
            one.put("lagSeconds", figures(taken, Sample::lagSeconds));
            one.put("bytesPerSecond", figures(taken, Sample::bytesPerSecond));
            remotes.put(remote, one);
        });
        JsonObject answer = new JsonObject();
        answer.put("samples", SAMPLES);
        answer.put("remotes", remotes);
        answer.put("events", events());
        return answer.toJson();
    }

    private static JsonArray figures(Deque<Sample> taken, ToDoubleFunction<Sample> figure) {
        JsonArray all = new JsonArray();
        taken.forEach(sample -> all.add(Math.round(figure.applyAsDouble(sample) * 10) / 10.0));
        return all;
    }

    /** None with a logging of the user's own that has no such appender. */
    private static JsonArray events() {
        JsonArray all = new JsonArray();
        LoggerContext logging = (LoggerContext) LoggerFactory.getILoggerFactory();
        Appender<ILoggingEvent> appender =
                logging.getLogger(Logger.ROOT_LOGGER_NAME).getAppender("recent");
        if (appender instanceof CyclicBufferAppender<ILoggingEvent> buffer) {
            for (int i = 0; i < buffer.getLength(); i++) {
                ILoggingEvent event = buffer.get(i);
                JsonObject one = new JsonObject();
                one.put("time", Instant.ofEpochMilli(event.getTimeStamp()).toString());
                one.put("level", event.getLevel().toString());
                one.put("text", event.getFormattedMessage());
                all.add(one);
            }
        }
        return all;
    }
}
