package io.dromedary.change;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What one change costs in a change set, by how many there are and how deep they lie: a million paths in directories of a
 * hundred, in an order that is none. The bounds that keep a set small are off, so that all of them
 * are kept.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 5)
@Measurement(iterations = 5)
@Fork(value = 1, jvmArgs = {"-Xmx4g", "-XX:+UseSerialGC"})
public class ChangeSetBenchmark {
    private static final int IN_ONE_DIRECTORY = 100;

    @Param({"1000", "1000000"})
    int paths;

    @Param({"3", "12"})
    int depth;

    private List<String> names;
    private ChangeSet other;
    private ChangeSet filled;

    @Setup(Level.Trial)
    public void name() {
        String above = "directory/".repeat(depth - 3);
        names = new ArrayList<>(paths);
        for (int i = 0; i < paths; i++) {
            int directory = i / IN_ONE_DIRECTORY;
            names.add(above + "d" + directory / IN_ONE_DIRECTORY + "/d" + directory + "/file" + i);
        }
        Collections.shuffle(names, new Random(1));
        other = filled();
    }

    @Setup(Level.Invocation)
    public void fill() {
        filled = filled();
    }

    private ChangeSet filled() {
        ChangeSet set = new ChangeSet(Integer.MAX_VALUE, Integer.MAX_VALUE);
        names.forEach(name -> set.add(name, false));
        return set;
    }

    /** All of them into an empty set, one by one. */
    @Benchmark
    public ChangeSet add() {
        return filled();
    }

    /** A set of all of them into an empty one, as a remote's first batch does. */
    @Benchmark
    public ChangeSet merge() {
        ChangeSet set = new ChangeSet(Integer.MAX_VALUE, Integer.MAX_VALUE);
        set.merge(other);
        return set;
    }

    /** A set of all of them into one that has them. */
    @Benchmark
    public ChangeSet mergeAgain() {
        filled.merge(other);
        return filled;
    }

    /** Each directory of a hundred becomes one deep change, then the top one with all of these below it. */
    @Benchmark
    public ChangeSet subsume() {
        for (int i = 0; i < paths; i += IN_ONE_DIRECTORY) {
            String name = names.get(i);
            filled.add(name.substring(0, name.lastIndexOf('/')), true);
        }
        filled.add("", true);
        return filled;
    }
}
