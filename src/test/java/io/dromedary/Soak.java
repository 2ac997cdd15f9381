package io.dromedary;

import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Churn;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Signals;
import io.dromedary.testbed.SshDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Churn for a long time, with faults of all kinds at random moments; in the end everything is equal, and heap and file
 * descriptors are what they were. Run by {@code bench/soak [MINUTES [SEED]]}, and shortly by {@code SoakIT}.
 *
 * <p>In its first half the program itself is killed, ended and started again, too; then the same process goes on to the
 * end, and is measured.
 */
final class Soak implements AutoCloseable {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration END = Duration.ofMinutes(5);
    private static final Path QUEUE = Path.of("/proc/sys/fs/inotify/max_queued_events");
    private static final Pattern USED = Pattern.compile("\\bused (\\d+)K");
    /** Beside what a push under way takes. */
    private static final long MORE_HEAP = 16 << 10;

    private static final long MORE_DESCRIPTORS = 40;

    private final Path directory;
    private final Random random;
    private final Duration length;
    private final Path source;
    private final Path disk;
    private final Map<String, Path> copies = new LinkedHashMap<>();
    private final List<RsyncDaemon> daemons = new ArrayList<>();
    private final List<RsyncDaemon> years = new ArrayList<>();
    private final Map<String, Path> olderCopies = new LinkedHashMap<>();
    /** The copy in which links are followed; null: there is none. */
    private Path linked;

    private final Path volume;
    private final Path volumeDisk;
    /** Open all the time. */
    private final OutputStream log;

    private boolean mounts;
    private final SshDaemon ssh = new SshDaemon();
    private final Configuration configuration;
    private final Churn churn;
    /** Held by who changes the source, or takes it away. */
    private final ReentrantLock quiet = new ReentrantLock(true);

    private final Map<String, Integer> happened = new TreeMap<>();
    private DromedaryProcess dromedary;
    private volatile Throwable churnFailure;

    /** A fault, its end included. */
    private interface Fault {
        void happen() throws Exception;
    }

    Soak(Path directory, Duration length, long seed) throws IOException {
        System.out.println("soak of " + length + " with seed " + seed);
        this.directory = directory;
        this.length = length;
        random = new Random(seed);
        source = Files.createDirectory(directory.resolve("source"));
        disk = Files.createDirectory(directory.resolve("disk"));
        configuration = new Configuration(directory, source).set("rsync.timeout=4", "retry.max-backoff=2s");
        ssh.start();
        if (Command.run("mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", disk.toString())
                        .exitCode()
                != 0) {
            System.out.println("no disk gets full: this may not mount");
        }
        boolean isLong = length.toMinutes() > 0;
        if (isLong) {
            addOthersYears();
        }
        for (String id : List.of("web", "full")) {
            Path copy = Files.createDirectory((id.equals("full") ? disk : directory).resolve(id));
            RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
            daemons.add(daemon);
            copies.put(id, copy);
            configuration.remote(id, daemon.url("m"));
        }
        copies.put("shell", Files.createDirectory(directory.resolve("shell")));
        configuration.remote(
                "shell", ssh.target(copies.get("shell")), "ssh: \"" + String.join(" ", ssh.sshArguments()) + "\"");
        if (isLong) {
            // Compared by rsync itself: what is behind a link is no link there.
            linked = Files.createDirectory(directory.resolve("linked"));
            configuration.remote("linked", linked.toString(), "args: -aL");
        }
        configuration.set("open-files=*.open", "open-files.interval=1s");
        // It leaves alone what comes later.
        churn = new Churn(source, random.nextLong());
        volume = Files.createDirectory(source.resolve("volume"));
        volumeDisk = Files.createDirectory(directory.resolve("volume-disk"));
        Files.writeString(volumeDisk.resolve("file"), "on another file system");
        if (isLong) {
            mountVolume();
        }
        log = Files.newOutputStream(source.resolve("log.open"));
    }

    /** Those named by SOAK_RSYNCS, programs with a colon between; else of this year, refusing what old ones do not know. */
    private void addOthersYears() throws IOException {
        String programs = System.getenv("SOAK_RSYNCS");
        List<RsyncDaemon> others = new ArrayList<>();
        if (programs == null) {
            others.add(new RsyncDaemon().global("refuse options = modify-window delete-missing-args"));
            others.add(new RsyncDaemon().global("refuse options = modify-window"));
        } else {
            for (String program : programs.split(":")) {
                others.add(new RsyncDaemon(program));
            }
        }
        // Programs built elsewhere may not find in a chroot what they need.
        String[] options = programs == null ? new String[0] : new String[] {"use chroot = no", "munge symlinks = no"};
        for (RsyncDaemon daemon : others) {
            String id = "year" + years.size();
            Path copy = Files.createDirectory(directory.resolve(id));
            years.add(daemon.module("m", copy, options).start());
            // Old ones keep no fractions of a second, and without chroot links are made harmless.
            (programs == null ? copies : olderCopies).put(id, copy);
            configuration.remote(id, daemon.url("m"));
        }
    }

    private void mountVolume() {
        mounts = Command.run("mount", "--bind", volumeDisk.toString(), volume.toString())
                        .exitCode()
                == 0;
    }

    public static void main(String[] arguments) throws Exception {
        long minutes = arguments.length > 0 ? Long.parseLong(arguments[0]) : 30;
        long seed = arguments.length > 1 ? Long.parseLong(arguments[1]) : System.nanoTime();
        Path directory = Files.createTempDirectory("soak");
        try (Soak soak = new Soak(directory, Duration.ofMinutes(minutes), seed)) {
            soak.run();
        }
        try (Stream<Path> left = Files.walk(directory)) {
            left.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        }
        System.out.println("all is well");
        // Awaitility and the JVM's own reaper leave threads that would hold it up.
        System.exit(0);
    }

    void run() throws Exception {
        churn.run(300);
        start();
        Thread churning = new Thread(this::churn, "churn");
        churning.start();
        try {
            List<Fault> atRemotes = List.of(
                    this::daemonStops,
                    this::daemonHangs,
                    this::moduleIsReadOnly,
                    this::moduleIsGone,
                    this::passwordIsAnother,
                    this::hostIsDenied,
                    this::diskIsFull,
                    this::sshdStops,
                    this::rsyncIsKilled,
                    this::rsyncIsStopped,
                    this::programIsStopped,
                    this::sourceIsAway,
                    this::writerTakesLong,
                    this::largeAmongSmall,
                    this::logIsWritten,
                    this::volumeIsUnmounted);
            List<Fault> all = new ArrayList<>(atRemotes);
            all.addAll(List.of(this::programIsKilled, this::programIsEnded, this::programIsStartedTwice));
            if (length.toMinutes() > 0) {
                all.add(this::queueOverflows);
            }
            faults(all, length.dividedBy(2));
            Usage before = usage();
            faults(atRemotes, length.dividedBy(2));
            churning.interrupt();
            churning.join();
            if (churnFailure != null) {
                throw new IllegalStateException("the churn itself failed", churnFailure);
            }
            for (Map.Entry<String, Path> copy : copies.entrySet()) {
                Trees.awaitEqual(source, copy.getValue(), END);
                await(copy.getKey())
                        .atMost(END)
                        .until(() -> configuration.owed(copy.getKey()).isEmpty());
            }
            for (Map.Entry<String, Path> copy : olderCopies.entrySet()) {
                await(copy.getKey())
                        .atMost(END)
                        .until(() -> differences(copy.getValue(), "-rptgoDni"), String::isEmpty);
            }
            if (linked != null) {
                await("linked").atMost(END).until(() -> differences(linked, "-aLni"), String::isEmpty);
            }
            Usage after = usage();
            System.out.println("faults: " + happened + "; before: " + before + "; after: " + after);
            if (after.heap > before.heap + MORE_HEAP || after.descriptors > before.descriptors + MORE_DESCRIPTORS) {
                throw new AssertionError("not flat: from " + before + " to " + after);
            }
        } finally {
            churning.interrupt();
            churning.join();
        }
    }

    private void start() {
        dromedary = configuration.run();
        dromedary.awaitLine("watching", START);
    }

    /** One read gives all and a second nothing: Java's own methods would read the first digit. */
    private static int queue() {
        byte[] text = Command.run("cat", QUEUE.toString()).output();
        return Integer.parseInt(new String(text, StandardCharsets.US_ASCII).strip());
    }

    private void churn() {
        try {
            while (!Thread.currentThread().isInterrupted()) {
                quiet.lock();
                try {
                    churn.run(1 + (int) (System.nanoTime() % 50));
                } finally {
                    quiet.unlock();
                }
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(System.nanoTime() % 100));
            }
        } catch (RuntimeException e) {
            churnFailure = e;
        }
    }

    private void faults(List<Fault> faults, Duration duration) throws Exception {
        long start = System.nanoTime();
        while (System.nanoTime() - start < duration.toNanos()) {
            pause(1000);
            faults.get(random.nextInt(faults.size())).happen();
        }
    }

    /** For as long as chance says, twice this many milliseconds at most; in a short soak less. */
    private void pause(int millis) {
        double share = Math.min(1, length.toSeconds() / 60.0);
        LockSupport.parkNanos((long) (share * TimeUnit.MILLISECONDS.toNanos(random.nextInt(2 * millis))));
    }

    private void count(String fault) {
        happened.merge(fault, 1, Integer::sum);
    }

    private RsyncDaemon anyDaemon() {
        List<RsyncDaemon> all = new ArrayList<>(daemons);
        all.addAll(years);
        return all.get(random.nextInt(all.size()));
    }

    private void daemonStops() {
        count("daemon stopped");
        RsyncDaemon daemon = anyDaemon();
        daemon.stop();
        pause(2000);
        daemon.start();
    }

    private void daemonHangs() {
        count("daemon hung");
        RsyncDaemon daemon = anyDaemon();
        daemon.suspend();
        pause(6000);
        daemon.resume();
    }

    private void moduleIsReadOnly() {
        count("module read only");
        reconfigured(daemons.get(0), daemon -> daemon.module("m", copies.get("web"), "read only = yes"));
    }

    private void moduleIsGone() {
        count("module gone");
        reconfigured(daemons.get(0), daemon -> daemon.withoutModule("m"));
    }

    private void passwordIsAnother() throws IOException {
        count("another password");
        Path secrets = Files.writeString(directory.resolve("secrets"), System.getProperty("user.name") + ":another");
        Files.setPosixFilePermissions(secrets, PosixFilePermissions.fromString("rw-------"));
        reconfigured(
                daemons.get(0),
                daemon -> daemon.module("m", copies.get("web"), "auth users = *", "secrets file = " + secrets));
    }

    private void hostIsDenied() {
        count("host denied");
        reconfigured(daemons.get(0), daemon -> daemon.module("m", copies.get("web"), "hosts deny = *"));
    }

    private void reconfigured(RsyncDaemon daemon, java.util.function.Consumer<RsyncDaemon> change) {
        daemon.stop();
        change.accept(daemon);
        daemon.start();
        pause(2000);
        daemon.stop();
        daemon.module("m", copies.get("web"));
        daemon.start();
    }

    private void diskIsFull() throws IOException {
        if (Command.run("mountpoint", "-q", disk.toString()).exitCode() != 0) {
            return;
        }
        count("disk full");
        Path filler = disk.resolve("filler");
        Command.run("dd", "if=/dev/zero", "of=" + filler, "bs=1M");
        pause(2000);
        Files.delete(filler);
    }

    private void sshdStops() {
        count("sshd stopped");
        ssh.stop();
        pause(2000);
        ssh.start();
    }

    private List<ProcessHandle> rsyncs() {
        return ProcessHandle.of(dromedary.pid()).stream()
                .flatMap(ProcessHandle::descendants)
                .filter(child -> child.info().command().orElse("").endsWith("/rsync"))
                .toList();
    }

    private void rsyncIsKilled() {
        for (ProcessHandle rsync : rsyncs()) {
            count("rsync killed");
            rsync.destroyForcibly();
        }
    }

    private void rsyncIsStopped() {
        for (ProcessHandle rsync : rsyncs()) {
            count("rsync stopped");
            Signals.stop(rsync.pid());
        }
    }

    private void programIsStopped() {
        count("program stopped");
        Signals.stop(dromedary.pid());
        pause(2000);
        Signals.resume(dromedary.pid());
    }

    private void queueOverflows() throws IOException {
        count("queue overflowed");
        Path many = Files.createDirectories(source.resolve("many"));
        Signals.stop(dromedary.pid());
        try {
            int queue = queue();
            for (int i = 0; i < queue; i++) {
                Files.writeString(many.resolve("f" + i % 500), "file " + i);
            }
        } finally {
            Signals.resume(dromedary.pid());
        }
    }

    private void sourceIsAway() throws IOException {
        count("source away");
        Path away = directory.resolve("away");
        quiet.lock();
        try {
            Files.move(source, away);
            pause(1500);
            if (random.nextBoolean()) {
                Files.createDirectory(source);
                pause(1500);
                Files.delete(source);
            }
            Files.move(away, source);
        } finally {
            quiet.unlock();
        }
    }

    /** In a new directory, which goes without the file until that is closed. */
    private void writerTakesLong() throws IOException {
        count("long writer");
        Path file = Files.createDirectory(source.resolve("long" + happened.get("long writer")))
                .resolve("file");
        try (OutputStream out = Files.newOutputStream(file)) {
            out.write(1);
            pause(1500);
            out.write(2);
        }
    }

    private void largeAmongSmall() throws IOException {
        count("large file");
        Path large = source.resolve("large");
        byte[] bytes = new byte[(32 << 20) + random.nextInt(1 << 20)];
        random.nextBytes(bytes);
        Files.write(large, bytes);
        pause(1000);
        if (random.nextBoolean()) {
            Files.delete(large);
        }
    }

    private void logIsWritten() throws IOException {
        count("log written");
        for (int i = 0; i < 5; i++) {
            log.write(("line " + System.nanoTime() + "\n").getBytes(StandardCharsets.US_ASCII));
            pause(300);
        }
    }

    /** What is on it stays at the remotes; it comes back with more. */
    private void volumeIsUnmounted() throws IOException {
        if (!mounts) {
            return;
        }
        count("volume unmounted");
        quiet.lock();
        try {
            unmountVolume();
            pause(2000);
            Files.writeString(volumeDisk.resolve("f" + random.nextInt(5)), "written " + System.nanoTime());
            mountVolume();
        } finally {
            quiet.unlock();
        }
        Files.writeString(volume.resolve("g" + random.nextInt(5)), "written " + System.nanoTime());
    }

    /** A push may work in it for a moment, and one that hangs for longer: then it goes as soon as that ends. */
    private void unmountVolume() {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        Command unmount = Command.run("umount", volume.toString());
        while (unmount.exitCode() != 0 && System.nanoTime() - end < 0) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
            unmount = Command.run("umount", volume.toString());
        }
        if (unmount.exitCode() != 0) {
            count("volume busy");
            String users = "ls -l /proc/[0-9]*/cwd /proc/[0-9]*/fd/* 2>/dev/null | grep -F '" + volume + "'";
            System.out.println(
                    unmount.errors() + new String(Command.run("sh", "-c", users).output(), StandardCharsets.UTF_8));
            Command.run("umount", "-l", volume.toString());
        }
    }

    /** By whole seconds, as rsync tells them; a link that leads nowhere is none of them. */
    private String differences(Path copy, String options) {
        Command command = Command.run("rsync", options, "--delete", source + "/", copy + "/");
        return new String(command.output(), StandardCharsets.UTF_8);
    }

    private void programIsStartedTwice() {
        count("program started twice");
        try (DromedaryProcess second = configuration.run()) {
            int exitCode = second.exitCode(START);
            if (exitCode != 2) {
                throw new AssertionError(
                        "a second one was not refused, exit code " + exitCode + ":\n" + second.output());
            }
        }
    }

    private void programIsKilled() {
        count("program killed");
        Signals.kill(dromedary.pid());
        dromedary.exitCode(START);
        start();
    }

    private void programIsEnded() {
        count("program ended");
        dromedary.terminate();
        int exitCode = dromedary.exitCode(START);
        if (exitCode != 0) {
            throw new AssertionError("exit code " + exitCode + ":\n" + dromedary.output());
        }
        start();
    }

    /** @param heap what is live of it, in KiB */
    private record Usage(long heap, long descriptors) {}

    /** The least of a few looks: what a push takes comes and goes. */
    private Usage usage() throws IOException {
        long heap = Long.MAX_VALUE;
        long descriptors = Long.MAX_VALUE;
        for (int i = 0; i < 3; i++) {
            jcmd("GC.run");
            Matcher used = USED.matcher(jcmd("GC.heap_info").replaceAll("(?m)^ *(Metaspace|class space).*$", ""));
            long now = 0;
            while (used.find()) {
                now += Long.parseLong(used.group(1));
            }
            heap = Math.min(heap, now);
            try (Stream<Path> open = Files.list(Path.of("/proc/" + dromedary.pid() + "/fd"))) {
                descriptors = Math.min(descriptors, open.count());
            }
        }
        return new Usage(heap, descriptors);
    }

    private String jcmd(String command) {
        Command result = Command.run(
                Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                Long.toString(dromedary.pid()),
                command);
        if (result.exitCode() != 0) {
            throw new IllegalStateException(result.errors());
        }
        return new String(result.output(), StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        if (dromedary != null) {
            dromedary.close();
        }
        daemons.forEach(RsyncDaemon::close);
        years.forEach(RsyncDaemon::close);
        ssh.close();
        try {
            log.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Command.run("umount", "-l", volume.toString());
        Command.run("umount", "-l", disk.toString());
    }
}
