package io.dromedary.watch;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

/** What it costs to read one event out of a buffer as the kernel fills it, by the length of the name in it. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgs = "-XX:+UseSerialGC")
public class InotifyDecodeBenchmark {
    private static final int EVENTS = 1_000;

    /** The longest name a file can have. */
    @Param({"12", "255"})
    int name;

    private ByteBuffer events;

    @Setup
    public void fill() {
        // struct inotify_event: wd, mask, cookie, len; the name is padded with NUL to a multiple of 16, see inotify(7)
        int padded = (name + 16) / 16 * 16;
        events = ByteBuffer.allocateDirect(EVENTS * (16 + padded)).order(ByteOrder.nativeOrder());
        byte[] bytes = "n".repeat(name).getBytes(StandardCharsets.US_ASCII);
        for (int i = 0; i < EVENTS; i++) {
            events.putInt(i).putInt(InotifyEvent.CLOSE_WRITE).putInt(0).putInt(padded);
            events.put(bytes).put(new byte[padded - name]);
        }
        events.flip();
    }

    @Benchmark
    @OperationsPerInvocation(EVENTS)
    public void decode(Blackhole seen) {
        InotifyEvent.decode(events, seen::consume);
    }
}
