import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A tool that mirrors a tree just now, and what its processes, all taken together, cost. */
final class Running implements AutoCloseable {
    private static final long SAMPLE = 500;
    private static final double TICKS = 100;
    private static final long PAGE = 4096;

    /** Pushes that the JVM needs to have all of Dromedary's way from event to rsync compiled. */
    private static final int COMPILED = 220;

    private static final int COMPILED_BYTES = 10_000;
    /** Ten files a second, which it does not gather; in milliseconds. */
    private static final int COMPILED_PAUSE = 110;

    private final Lab lab;
    private final Tool tool;
    private final Path source;
    private final List<Path> copies;
    private final Path log;
    private final Process process;
    private final ScheduledExecutorService sampler = new ScheduledThreadPoolExecutor(1);
    private volatile long peak;
    private int probes;

    /** Returns as soon as the program is started; some of the remotes may be dead. */
    Running(Lab lab, Tool tool, Path source, List<Daemon.Remote> remotes) throws IOException {
        this(lab, tool, source, remotes, Map.of());
    }

    /** @param environment what to add to its environment */
    Running(Lab lab, Tool tool, Path source, List<Daemon.Remote> remotes, Map<String, String> environment)
            throws IOException {
        this.lab = lab;
        this.tool = tool;
        this.source = source;
        this.copies = remotes.stream()
                .map(Daemon.Remote::copy)
                .filter(copy -> copy != null)
                .toList();
        Path state = lab.directory("state");
        log = state.resolve("log");
        // In a process group of its own, so that all of it can be ended.
        List<String> command = new ArrayList<>(List.of("setsid"));
        command.addAll(tool.command(source, remotes, state));
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment().putAll(environment);
        process = lab.start(builder);
        sampler.scheduleWithFixedDelay(this::sample, 0, SAMPLE, MILLISECONDS);
    }

    Path source() {
        return source;
    }

    long pid() {
        return process.pid();
    }

    /** Waits until what changes from now on is seen; as that cannot be asked, files are written until one arrives. */
    void awaitLive(long deadline) throws IOException, InterruptedException {
        boolean live = false;
        while (!live) {
            if (!process.isAlive() || System.nanoTime() - deadline > 0) {
                throw new Lab.Failure(tool.title + " does not mirror " + source + "; the end of its log:\n" + end(log));
            }
            String probe = "probe" + probes++;
            Files.writeString(source.resolve(probe), probe);
            List<Path> arriving =
                    copies.stream().map(copy -> copy.resolve(probe)).toList();
            live = Lab.awaitEach(arriving, System.nanoTime() + SECONDS.toNanos(2), Files::exists);
        }
        awaitIdle();
    }

    /** Lets a tool that gets quicker by it, which is Dromedary, do that before it is measured. */
    void warmUp() throws IOException, InterruptedException {
        if (tool != Tool.DROMEDARY) {
            return;
        }
        Lab.say(COMPILED + " pushes before it is measured");
        for (int i = 0; i < COMPILED / copies.size(); i++) {
            lab.write(source.resolve("before" + i), COMPILED_BYTES);
            Thread.sleep(COMPILED_PAUSE);
        }
        awaitIdle();
    }

    /** Waits until it has logged that. */
    void awaitLog(String words, long deadline) throws IOException, InterruptedException {
        if (!Lab.await(deadline, () -> Files.readString(log).contains(words))) {
            throw new Lab.Failure(tool.title + " has not said \"" + words + "\"; the end of its log:\n" + end(log));
        }
    }

    /** What stands for the regular expression's first group in its log. */
    String logged(String regex) throws IOException {
        Matcher found = Pattern.compile(regex).matcher(Files.readString(log));
        if (!found.find()) {
            throw new Lab.Failure(tool.title + " has not logged " + regex);
        }
        return found.group(1);
    }

    /** What its pushes have sent, in bytes, as far as it has logged them; it sums them up every ten seconds. */
    long sent() throws IOException {
        return Pattern.compile("pushed .*\\((\\d+) bytes\\)")
                .matcher(Files.readString(log))
                .results()
                .mapToLong(pushed -> Long.parseLong(pushed.group(1)))
                .sum();
    }

    private static String end(Path log) throws IOException {
        List<String> lines = Files.readAllLines(log);
        return String.join("\n", lines.subList(Math.max(0, lines.size() - 10), lines.size()));
    }

    /** Waits, ten seconds at most, until no rsync of it has run for 0.3 s; between two of a push it may be at work itself. */
    void awaitIdle() throws IOException, InterruptedException {
        long end = System.nanoTime() + SECONDS.toNanos(10);
        for (int quiet = 0; quiet < 10 && System.nanoTime() - end < 0; ) {
            Thread.sleep(30);
            quiet = process.descendants().anyMatch(Running::isRsync) ? 0 : quiet + 1;
        }
    }

    private static boolean isRsync(ProcessHandle process) {
        try {
            return Files.readString(Path.of("/proc/" + process.pid() + "/comm")).equals("rsync\n");
        } catch (IOException ended) {
            return false;
        }
    }

    private Stream<ProcessHandle> tree() {
        return Stream.concat(Stream.of(process.toHandle()), process.descendants());
    }

    /** Of all its processes up to now, those that have ended included. */
    double cpuSeconds() {
        return tree().mapToDouble(one -> cpuSeconds(one.pid())).sum();
    }

    /** Of a process and of the children it has waited for. */
    static double cpuSeconds(long pid) {
        return ownCpuSeconds(pid) + childrensCpuSeconds(pid);
    }

    static double ownCpuSeconds(long pid) {
        return cpuSeconds(pid, 11);
    }

    static double childrensCpuSeconds(long pid) {
        return cpuSeconds(pid, 13);
    }

    /** User and system time: proc(5)'s fields, counted from the one after the command's name. */
    private static double cpuSeconds(long pid, int field) {
        try {
            String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return (Long.parseLong(fields[field]) + Long.parseLong(fields[field + 1])) / TICKS;
        } catch (IOException ended) {
            return 0;
        }
    }

    /** Of each of its threads that live, by the scheduler's own clock, which is finer than that of {@link #cpuSeconds}. */
    Map<Path, Double> threads() throws IOException {
        Map<Path, Double> seconds = new HashMap<>();
        for (ProcessHandle one : tree().toList()) {
            try (Stream<Path> threads = Files.list(Path.of("/proc/" + one.pid() + "/task"))) {
                for (Path thread : (Iterable<Path>) threads::iterator) {
                    String schedstat = Files.readString(thread.resolve("schedstat"));
                    seconds.put(thread, Long.parseLong(schedstat.substring(0, schedstat.indexOf(' '))) / 1e9);
                }
            } catch (NoSuchFileException ended) {
                // Then it was not idle.
            }
        }
        return seconds;
    }

    private void sample() {
        peak = Math.max(peak, resident());
    }

    /**
     * Of all its processes together, in bytes; a page that several share counts for each. But what the JVM's children still
     * share with it while they are being started is not there twice.
     */
    long resident() {
        long[] own = pages(process.pid());
        return PAGE
                * (own[1]
                        + process.descendants()
                                .map(child -> pages(child.pid()))
                                .filter(child -> child[0] != own[0])
                                .mapToLong(child -> child[1])
                                .sum());
    }

    /** The size and what is resident of it, as in proc(5)'s statm. */
    private static long[] pages(long pid) {
        try {
            String[] fields =
                    Files.readString(Path.of("/proc/" + pid + "/statm")).split(" ");
            return new long[] {Long.parseLong(fields[0]), Long.parseLong(fields[1])};
        } catch (IOException ended) {
            return new long[2];
        }
    }

    /** The most that was resident at a time since its start, looked at twice a second. */
    long peak() {
        return peak;
    }

    /** Ends it, and then whatever it leaves behind. */
    @Override
    public void close() throws IOException, InterruptedException {
        sampler.shutdownNow();
        process.toHandle().destroy();
        process.waitFor(10, SECONDS);
        String group = "-" + process.pid();
        signal("-KILL", group);
        Lab.await(System.nanoTime() + Lab.PATIENCE, () -> !signal("-0", group));
        lab.ended(process);
    }

    /** Whether there was anybody to get it. */
    private static boolean signal(String signal, String group) throws IOException, InterruptedException {
        return new ProcessBuilder("kill", signal, "--", group)
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor()
                == 0;
    }
}
