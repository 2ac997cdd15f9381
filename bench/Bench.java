import static java.util.Locale.ROOT;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.function.ObjLongConsumer;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * Measures latency, throughput, start-up and memory of Dromedary beside bare rsync, in one run and with one clock.
 *
 * <p>A latency is from just before close(2) of a file at the source to its final name being seen at the remote: both
 * by the monotonic clock of this process, which watches the remote's directories by inotify (the JDK's WatchService).
 * Times are nanoseconds.
 */
final class Bench {
    private static final int IDLE_FILES = 50;
    private static final int WARM_UP = 5;
    private static final int IDLE_BYTES = 10_000;
    private static final String DEEP = "1/2/3/4/5";

    private static final int LOAD_RATE = 1_000;
    private static final int LOAD_SECONDS = 12;
    private static final int LOAD_DIRECTORIES = 100;
    private static final int LOAD_LEAST_BYTES = 10_000;
    private static final int LOAD_MOST_BYTES = 100_000;

    private static final int STARTS = 5;

    /** What has not happened by then will not: a file is lost. */
    private static final long PATIENCE = SECONDS.toNanos(60);

    /** All that is written, three copies of the load at most. */
    private static final long DISK_BYTES = 3L * LOAD_RATE * LOAD_SECONDS * LOAD_MOST_BYTES;

    private final long seed = new Random().nextLong();
    private final Random random = new Random(seed);
    private final byte[] content = new byte[LOAD_MOST_BYTES];
    private final List<String> rows = new ArrayList<>();
    private final ConcurrentLinkedDeque<Process> running = new ConcurrentLinkedDeque<>();
    private final Path work = Files.createTempDirectory("dromedary-bench");
    private final long ticksPerSecond =
            Long.parseLong(output("getconf", "CLK_TCK").strip());

    private Bench() throws IOException, InterruptedException {
        random.nextBytes(content);
    }

    public static void main(String[] args) throws Exception {
        if (args.length > 0) {
            System.err.println("bench: there are no arguments");
            System.exit(2);
        }
        Bench bench = new Bench();
        Runtime.getRuntime().addShutdownHook(new Thread(bench::cleanUp, "clean-up"));
        try {
            bench.measure();
        } catch (Failure e) {
            System.err.println("bench: " + e.getMessage());
            System.exit(1);
        }
    }

    private void measure() throws IOException, InterruptedException {
        String load = loadAverage();
        if (work.toFile().getUsableSpace() < DISK_BYTES) {
            throw new Failure(work + " needs " + DISK_BYTES / 1_000_000 + " MB; set another TMPDIR or make room");
        }
        Daemon plain = new Daemon("plain", "");
        Daemon tuned = new Daemon("tuned", "socket options = TCP_NODELAY");

        say("building; a first start does not count");
        new Mirror("first", plain.directory("first"), plain.url("first")).stop();
        say("start-up, " + STARTS + " times");
        startUp(plain);

        Mirror mirror = new Mirror("mirror", plain.directory("mirror"), plain.url("mirror"));
        rows.add(row("memory after start-up", mirror.memory(), ""));
        Mirror toTuned = new Mirror("mirror-tuned", tuned.directory("mirror"), tuned.url("mirror"));
        Path localCopy = Files.createDirectories(work.resolve("local"));
        Mirror toLocal = new Mirror("mirror-local", localCopy, localCopy.toString());
        say("idle latency, " + IDLE_FILES + " files each way");
        idle(plain, tuned, mirror, toTuned, toLocal);
        toLocal.stop();

        say("load, " + LOAD_SECONDS + " s each");
        load("", plain, mirror);
        rows.add(row("memory after the load", mirror.memory(), ""));
        mirror.stop();
        load(", daemon with TCP_NODELAY", tuned, toTuned);
        toTuned.stop();
        print(load);
    }

    // ---- What is measured

    private void startUp(Daemon daemon) throws IOException, InterruptedException {
        String java = System.getProperty("java.home") + "/bin/java";
        List<Long> live = new ArrayList<>();
        List<Long> bare = new ArrayList<>();
        for (int i = 0; i < STARTS; i++) {
            Mirror mirror = new Mirror("start-" + i, daemon.directory("start-" + i), daemon.url("start-" + i));
            mirror.stop();
            live.add(mirror.startUp);
            long begin = System.nanoTime();
            output(java, "-XX:+UseSerialGC", "-version");
            bare.add(System.nanoTime() - begin);
        }
        long median = percentile(live, 50);
        rows.add(row(
                "start-up, empty tree, to \"live\"",
                "median " + millis(median),
                ratio(median, percentile(bare, 50)) + " × `java -version`"));
    }

    /** One way from a source to its copy: a mirror's, or, with a command, a push of each file by itself. */
    private record Way(String name, Path source, Path copy, List<String> command, Arrivals arrivals, List<Long> times) {
        Way(String name, Path source, Path copy, String... command) throws IOException {
            this(name, source, copy, List.of(command), new Arrivals(List.of(copy)), new ArrayList<>());
        }
    }

    private void idle(Daemon plain, Daemon tuned, Mirror mirror, Mirror toTuned, Mirror toLocal)
            throws IOException, InterruptedException {
        Path bare = Files.createDirectories(work.resolve("bare"));
        Path bareLocal = Files.createDirectories(work.resolve("bare-local"));
        Path deep = Files.createDirectories(mirror.source.resolve(DEEP));
        mirror.awaitSynced();
        String option = "--sockopts=TCP_NODELAY";
        Way push = new Way("bare `rsync -a`", bare, plain.directory("bare"), "rsync", "-a", plain.url("bare"));
        Way pushLocal = new Way("bare `rsync -a`, local", bare, bareLocal, "rsync", "-a", bareLocal.toString());
        List<Way> ways = List.of(
                push,
                new Way(
                        "bare `rsync -a " + option + "`",
                        bare,
                        plain.directory("option"),
                        "rsync",
                        "-a",
                        option,
                        plain.url("option")),
                new Way("Dromedary", mirror.source, mirror.copy),
                new Way("Dromedary, 5 directories deep", deep, mirror.copy.resolve(DEEP)),
                new Way(
                        "bare `rsync -a " + option + "`, daemon with TCP_NODELAY",
                        bare,
                        tuned.directory("option"),
                        "rsync",
                        "-a",
                        option,
                        tuned.url("option")),
                new Way("Dromedary, daemon with TCP_NODELAY", toTuned.source, toTuned.copy),
                pushLocal,
                new Way("Dromedary, local", toLocal.source, toLocal.copy));
        List<Way> turns = new ArrayList<>(ways);
        for (int i = -WARM_UP; i < IDLE_FILES; i++) {
            Collections.shuffle(turns, random);
            for (Way way : turns) {
                Thread.sleep(200 + random.nextInt(201));
                long time = send(way, "idle-" + (i + WARM_UP));
                if (i >= 0) {
                    way.times.add(time);
                }
            }
        }
        for (Way way : ways) {
            way.arrivals.close();
            Way base = way.name.contains("local") ? pushLocal : push;
            String ratio = ratio(percentile(way.times, 50), percentile(base.times, 50)) + " × " + base.name;
            rows.add(row("one 10 KB file: " + way.name, spread(way.times), way == base ? "" : ratio));
            if (!way.command.isEmpty()) {
                compare(way.source, way.copy);
            }
        }
        mirror.awaitSynced();
        toTuned.awaitSynced();
        toLocal.awaitSynced();
    }

    private long send(Way way, String name) throws IOException, InterruptedException {
        Path file = way.source.resolve(name);
        long closed = write(file, IDLE_BYTES);
        Process push = null;
        if (!way.command.isEmpty()) {
            List<String> command = new ArrayList<>(way.command);
            command.add(command.size() - 1, file.toString());
            push = new ProcessBuilder(command).inheritIO().start();
        }
        long time = way.arrivals.await(name) - closed;
        if (push != null && push.waitFor() != 0) {
            throw new Failure(String.join(" ", way.command) + " failed");
        }
        return time;
    }

    private void load(String name, Daemon daemon, Mirror mirror) throws IOException, InterruptedException {
        Path source = Files.createDirectories(mirror.source.resolve("load"));
        Path copy = mirror.copy.resolve("load");
        List<Path> directories = new ArrayList<>();
        for (int i = 0; i < LOAD_DIRECTORIES; i++) {
            Files.createDirectories(source.resolve("" + i));
            directories.add(copy.resolve("" + i));
        }
        mirror.awaitSynced();
        awaitNoChildren(daemon.process);
        int runs = daemon.connections();
        double cpu = cpuSeconds(mirror.process.pid());
        double daemonCpu = cpuSeconds(daemon.process.pid());

        int count = LOAD_RATE * LOAD_SECONDS;
        long[] closed = new long[count];
        long[] arrived = new long[count];
        CountDownLatch missing = new CountDownLatch(count);
        Arrivals arrivals = new Arrivals(directories);
        Thread watcher = new Thread(
                () -> arrivals.forEach((file, time) -> {
                    int i = Integer.parseInt(file);
                    if (arrived[i] == 0) {
                        missing.countDown();
                    }
                    // A second time is a second content: the first was not all of it.
                    arrived[i] = time;
                }),
                "arrivals");
        watcher.start();
        long begin = System.nanoTime();
        for (int i = 0; i < count; i++) {
            long due = begin + i * (SECONDS.toNanos(1) / LOAD_RATE);
            for (long wait = due - System.nanoTime(); wait > 0; wait = due - System.nanoTime()) {
                LockSupport.parkNanos(wait);
            }
            int size = LOAD_LEAST_BYTES + random.nextInt(LOAD_MOST_BYTES - LOAD_LEAST_BYTES + 1);
            closed[i] = write(source.resolve(i % LOAD_DIRECTORIES + "/" + i), size);
        }
        if (!missing.await(PATIENCE, NANOSECONDS)) {
            throw new Failure(missing.getCount() + " of " + count + " files did not arrive in " + copy);
        }
        mirror.awaitSynced();
        awaitNoChildren(daemon.process);
        arrivals.close();
        watcher.join();
        runs = daemon.connections() - runs;
        cpu = cpuSeconds(mirror.process.pid()) - cpu;
        daemonCpu = cpuSeconds(daemon.process.pid()) - daemonCpu;

        // The least it could cost: the same files in one go.
        double onceDaemonCpu = cpuSeconds(daemon.process.pid());
        double onceCpu = childrensCpuSeconds();
        output("rsync", "-a", "--sockopts=TCP_NODELAY", source + "/", daemon.url("once"));
        onceCpu = childrensCpuSeconds() - onceCpu;
        awaitNoChildren(daemon.process);
        onceDaemonCpu = cpuSeconds(daemon.process.pid()) - onceDaemonCpu;

        List<Long> times = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            times.add(arrived[i] - closed[i]);
        }
        double rate = (count - 1) * 1e9 / (closed[count - 1] - closed[0]);
        String what = String.format(ROOT, "%,.0f files/s%s: ", rate, name);
        long drained = LongStream.of(arrived).max().getAsLong() - closed[count - 1];
        rows.add(row(what + "latency", spread(times), "at most " + millis(Collections.max(times))));
        rows.add(row(what + "last file there", millis(drained) + " after the last close", ""));
        rows.add(row(what + "rsync runs", String.format(ROOT, "%,d", runs), count / runs + " files each"));
        rows.add(row(
                what + "CPU, Dromedary and its rsyncs",
                seconds(cpu),
                ratio(cpu, onceCpu) + " × one `rsync -a` of all"));
        rows.add(row(
                what + "CPU, daemon",
                seconds(daemonCpu),
                ratio(daemonCpu, onceDaemonCpu) + " × one `rsync -a` of all"));
        delete(daemon.directory("once"));
    }

    // ---- With what it is measured

    /** Writes a file under its final name; returns when it was about to be closed. */
    private long write(Path file, int size) throws IOException {
        try (OutputStream out = Files.newOutputStream(file)) {
            out.write(content, 0, size);
            return System.nanoTime();
        }
    }

    /** The names that appear in some directories, and when; not the temporary ones of an rsync that still writes. */
    private static final class Arrivals implements AutoCloseable {
        private final WatchService service;

        Arrivals(List<Path> directories) throws IOException {
            service = directories.get(0).getFileSystem().newWatchService();
            for (Path directory : directories) {
                directory.register(service, StandardWatchEventKinds.ENTRY_CREATE);
            }
        }

        long await(String name) throws InterruptedException {
            long[] found = new long[1];
            for (long end = System.nanoTime() + PATIENCE; found[0] == 0; ) {
                WatchKey key = service.poll(end - System.nanoTime(), NANOSECONDS);
                if (key == null) {
                    throw new Failure(name + " did not arrive");
                }
                read(key, (seen, time) -> found[0] = seen.equals(name) ? time : found[0]);
            }
            return found[0];
        }

        /** Until this is closed. */
        void forEach(ObjLongConsumer<String> sink) {
            try {
                while (true) {
                    read(service.take(), sink);
                }
            } catch (ClosedWatchServiceException | InterruptedException end) {
                // All is seen.
            }
        }

        private static void read(WatchKey key, ObjLongConsumer<String> sink) {
            long now = System.nanoTime();
            for (WatchEvent<?> event : key.pollEvents()) {
                if (event.kind() == StandardWatchEventKinds.OVERFLOW) {
                    throw new Failure("arrivals in " + key.watchable() + " went unseen, nothing was measured");
                }
                String name = event.context().toString();
                if (!name.startsWith(".")) {
                    sink.accept(name, now);
                }
            }
            key.reset();
        }

        @Override
        public void close() throws IOException {
            service.close();
        }
    }

    /** An rsync daemon on a free port. */
    private final class Daemon {
        private final Path root;
        private final Path log;
        private final int port;
        final Process process;

        Daemon(String name, String option) throws IOException, InterruptedException {
            root = Files.createDirectories(work.resolve("daemon-" + name));
            log = work.resolve(name + ".log");
            try (ServerSocket free = new ServerSocket(0)) {
                port = free.getLocalPort();
            }
            boolean isRoot = System.getProperty("user.name").equals("root");
            Path config = Files.write(
                    work.resolve(name + ".conf"),
                    List.of(
                            "address = 127.0.0.1",
                            "port = " + port,
                            "log file = " + log,
                            "lock file = " + work.resolve(name + ".lock"),
                            "reverse lookup = no",
                            option,
                            isRoot ? "uid = root\ngid = root" : "use chroot = no",
                            "[m]",
                            "path = " + root,
                            "read only = no"));
            process = start(new ProcessBuilder("rsync", "--daemon", "--no-detach", "--config=" + config).inheritIO());
            await("the rsync daemon", () -> {
                try (Socket socket = new Socket("127.0.0.1", port)) {
                    return socket.getInputStream().read() == '@';
                } catch (IOException notYet) {
                    return false;
                }
            });
        }

        Path directory(String name) throws IOException {
            return Files.createDirectories(root.resolve(name));
        }

        String url(String name) {
            return "rsync://127.0.0.1:" + port + "/m/" + name + "/";
        }

        /** How many rsyncs have talked to it: by its log, which costs those nothing. */
        int connections() throws IOException {
            try (Stream<String> lines = Files.lines(log)) {
                return (int)
                        lines.filter(line -> line.contains("] rsync to m/")).count();
            }
        }
    }

    /** A Dromedary that mirrors one tree to one target; live when constructed. */
    private final class Mirror {
        final Path source;
        final Path copy;
        final Process process;
        final long startUp;

        Mirror(String name, Path copy, String target) throws IOException, InterruptedException {
            source = Files.createDirectories(work.resolve(name));
            this.copy = copy;
            String state = "state-dir=" + work.resolve(name + ".state");
            ProcessBuilder builder = new ProcessBuilder(
                    "bin/dromedary", "mirror", "--port", "0", "--set", state, source.toString(), target);
            builder.redirectError(ProcessBuilder.Redirect.INHERIT);
            long begin = System.nanoTime();
            process = start(builder);
            BufferedReader log = process.inputReader();
            List<String> said = new ArrayList<>();
            do {
                String line = log.readLine();
                if (line == null) {
                    throw new Failure("Dromedary ended: " + String.join("\n", said));
                }
                said.add(line);
            } while (!said.get(said.size() - 1).endsWith("; live"));
            startUp = System.nanoTime() - begin;
            Thread reader = new Thread(() -> log.lines().forEach(System.err::println), "log of " + name);
            reader.setDaemon(true);
            reader.start();
        }

        String memory() throws IOException {
            return String.format(
                    ROOT,
                    "RSS %d MB, PSS %d MB",
                    kilobytes("status", "VmRSS:") / 1024,
                    kilobytes("smaps_rollup", "Pss:") / 1024);
        }

        private long kilobytes(String file, String key) throws IOException {
            return Files.readAllLines(Path.of("/proc/" + process.pid(), file)).stream()
                    .filter(line -> line.startsWith(key))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst()
                    .orElseThrow();
        }

        void awaitSynced() throws IOException, InterruptedException {
            await(copy + " to equal " + source, () -> differences(source, copy).isEmpty());
            awaitNoChildren(process);
        }

        void stop() throws InterruptedException {
            // Not its own destroy(), which would close its log under the reader.
            process.toHandle().destroy();
            if (process.waitFor() != 0) {
                throw new Failure("Dromedary ended with exit code " + process.exitValue());
            }
            running.remove(process);
        }
    }

    private static final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1;

        Failure(String message) {
            super(message);
        }
    }

    /** By content, so a file that arrived damaged counts as lost. */
    private static String differences(Path source, Path copy) throws IOException, InterruptedException {
        return output("rsync", "-rcn", "--delete", "--out-format=%o %n", source + "/", copy + "/");
    }

    private static void compare(Path source, Path copy) throws IOException, InterruptedException {
        String differences = differences(source, copy);
        if (!differences.isEmpty()) {
            throw new Failure(copy + " is not " + source + ":\n" + differences);
        }
    }

    private interface Condition {
        boolean holds() throws IOException, InterruptedException;
    }

    private static void await(String what, Condition condition) throws IOException, InterruptedException {
        for (long end = System.nanoTime() + PATIENCE; !condition.holds(); ) {
            if (System.nanoTime() > end) {
                throw new Failure("gave up waiting for " + what);
            }
            Thread.sleep(50);
        }
    }

    /** Their CPU time is part of their parent's only when they have ended. */
    private static void awaitNoChildren(Process process) throws IOException, InterruptedException {
        await(
                "process " + process.pid() + " to be idle",
                () -> process.children().findAny().isEmpty());
    }

    /** Of a process and of the children it has waited for, and of theirs. */
    private double cpuSeconds(long pid) throws IOException {
        return cpuSeconds(pid, 11) + cpuSeconds(pid, 13);
    }

    private double childrensCpuSeconds() throws IOException {
        return cpuSeconds(ProcessHandle.current().pid(), 13);
    }

    /** User and system time of a process: proc(5)'s fields, counted from the one after the command's name. */
    private double cpuSeconds(long pid, int field) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[field]) + Long.parseLong(fields[field + 1])) / (double) ticksPerSecond;
    }

    private Process start(ProcessBuilder builder) throws IOException {
        Process process = builder.start();
        running.add(process);
        return process;
    }

    private static String output(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new Failure(String.join(" ", command) + ": " + output.strip());
        }
        return output;
    }

    private void cleanUp() {
        running.forEach(Process::destroy);
        try {
            for (Process process : running) {
                process.waitFor();
            }
            delete(work);
        } catch (IOException | InterruptedException e) {
            say("cannot delete " + work + ": " + e);
        }
    }

    private static void delete(Path tree) throws IOException {
        try (Stream<Path> all = Files.walk(tree)) {
            for (Path path : (Iterable<Path>) all.sorted(Comparator.reverseOrder())::iterator) {
                Files.delete(path);
            }
        }
    }

    // ---- How it is told

    private void print(String loadBefore) throws IOException, InterruptedException {
        String settings = System.getenv().entrySet().stream()
                .filter(variable -> variable.getKey().startsWith("DROMEDARY_"))
                .map(variable -> ", " + variable.getKey() + "=" + variable.getValue())
                .collect(Collectors.joining());
        String rsync =
                output("rsync", "--version").lines().findFirst().orElse("").replaceAll(" +", " ");
        List<String> lines = new ArrayList<>();
        lines.add(String.format(
                ROOT,
                "%d cores (%s), %d GB, %s, Linux %s, Java %s, %s; load average %s before, %s after; seed %d%s",
                Runtime.getRuntime().availableProcessors(),
                valueIn("/proc/cpuinfo", "model name"),
                Math.round(Long.parseLong(valueIn("/proc/meminfo", "MemTotal").replaceAll("\\D", "")) / 1e6),
                Files.getFileStore(work).type(),
                System.getProperty("os.version").replaceAll("^(\\d+\\.\\d+).*", "$1"),
                System.getProperty("java.version"),
                rsync.replaceAll(" protocol.*", ""),
                loadBefore,
                loadAverage(),
                seed,
                settings));
        lines.add("");
        lines.addAll(List.of("| | | ratio |", "|---|---|---|"));
        lines.addAll(rows);
        lines.forEach(System.out::println);
        String now = LocalDateTime.now().format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"));
        Path file = Files.createDirectories(Path.of("target/bench")).resolve(now + ".md");
        Files.write(file, lines);
        say("written to " + file);
    }

    private static String valueIn(String file, String key) throws IOException {
        return Files.readAllLines(Path.of(file)).stream()
                .filter(line -> line.startsWith(key))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst()
                .orElse("unknown");
    }

    private static String loadAverage() throws IOException {
        return Files.readString(Path.of("/proc/loadavg")).split(" ")[0];
    }

    private static String row(String what, String figure, String ratio) {
        return "| " + what + " | " + figure + " | " + ratio + " |";
    }

    private static String spread(List<Long> times) {
        return "p50 " + millis(percentile(times, 50)) + ", p99 " + millis(percentile(times, 99));
    }

    /** The smallest time that so many percent of all do not exceed. */
    private static long percentile(List<Long> times, int percent) {
        List<Long> sorted = times.stream().sorted().toList();
        return sorted.get((sorted.size() * percent + 99) / 100 - 1);
    }

    private static String ratio(double figure, double base) {
        return String.format(ROOT, "%.2f", figure / base);
    }

    private static String millis(long nanos) {
        return String.format(ROOT, nanos < 100e6 ? "%.1f ms" : "%,.0f ms", nanos / 1e6);
    }

    private static String seconds(double seconds) {
        return String.format(ROOT, "%.1f s", seconds);
    }

    private static void say(String what) {
        System.err.println("bench: " + what);
    }
}
