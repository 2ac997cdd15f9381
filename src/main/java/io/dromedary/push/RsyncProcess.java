package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Receiver;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.Entries;
import io.dromedary.posix.LibC;
import io.dromedary.push.RsyncCalls.Call;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.camel.component.exec.ExecCommand;
import org.apache.camel.component.exec.ExecCommandExecutor;
import org.apache.camel.component.exec.ExecResult;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs one rsync for the {@code exec} component: the list on its stdin, no shell, no more than {@value #KEPT} bytes of
 * its words kept (but for errors and a list of differences), and nothing of it left behind.
 *
 * <p>Camel's own executor keeps all output, ends only the direct child at a time-out and cannot set the environment,
 * which decides the language rsync's errors come in.
 *
 * <p>rsync ends itself when nothing comes or goes for {@code --timeout}. Two things it does not notice. It may not run at
 * all: stopped, stuck in the kernel, waiting for a remote shell that does not end. And the other side may hang: while rsync
 * waits for it, it writes a sign of life every half a {@code --timeout}, and for rsync that is something that goes. So
 * one that has neither read nor written for twice that time, or not read for ten times, is ended here, with its children,
 * and its push is made again later. That is long enough for a receiver that is busy with one large file or with a deletion,
 * when it has nothing to tell. What the remote shell reads and writes does not count, ssh has signs of life of its own.
 * Without a {@code --timeout} none is ended.
 *
 * <p>A daemon without TCP_NODELAY holds a small packet back until the one before is acknowledged, which this end's system
 * puts off for 40 ms where rsync has nothing to send. So it is asked, from here, to acknowledge at once what that rsync has
 * received: every few milliseconds, as rsync cannot be told to do it, and as it holds for what has come only.
 *
 * <p>A kill of this process leaves its rsyncs behind. With a list of files made before the kill, one could delete at
 * the remote what a push of the next run has just sent there: so that run ends them first.
 */
public final class RsyncProcess implements ExecCommandExecutor, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    /** In the environment of each rsync and what it starts; its value is the state directory of who started it. */
    private static final String MARK = "PUSHED_BY_DROMEDARY_IN";

    /** Looks in one {@code --timeout}; time in which nobody looked, because this machine slept, is none. */
    private static final int LOOKS = 4;

    /** How many times the {@code --timeout} rsync may neither read nor write. */
    private static final int SILENT = 2;

    /** How many times the {@code --timeout} rsync may read nothing. */
    private static final int DEAF = 10;

    /** What rsync's connection to a daemon is, of its descriptors: the first after stdin, stdout and stderr. */
    private static final int CONNECTION = 3;

    /** The shortest time between two acknowledgements, in nanoseconds. */
    private static final long LEAST_DELAYED = TimeUnit.MILLISECONDS.toNanos(2);

    /** How long Linux itself puts one off: TCP_DELACK_MIN, in nanoseconds. */
    private static final long DELAYED = TimeUnit.MILLISECONDS.toNanos(40);

    /** How long what an rsync has left behind may hold its output open, in milliseconds. */
    private static final long AFTER_END = 2_000;

    /** Of stdout, its end: statistics stand there. A list is kept as a whole. */
    private static final int KEPT = 64 * 1024;

    /** rsync's statistics are no longer. */
    private static final int STATISTICS = 4096;

    /** Of stderr: a line for each of some thousand paths that do not go through. */
    private static final int KEPT_ERRORS = 1 << 20;

    /** What a pipe takes while nobody reads it, however short of memory for pipes the user is: pipe(7), PIPE_BUF. */
    private static final int TAKEN_UNREAD = 4096;

    /** What follows from the cause, in no fixed order and number. */
    private static final Pattern CONSEQUENCE = Pattern.compile(
            "^rsync error:|has vanished: |connection unexpectedly closed|Connection reset by peer|Broken pipe");

    private final Set<Process> running = ConcurrentHashMap.newKeySet();
    /** Of the calls under way that tell, by their arguments; but for those of large files. */
    private final Map<List<String>, Transfer> transfers = new ConcurrentHashMap<>();
    /** Of the remotes with a limit. */
    private final Map<Remote, Throttle> throttles = new ConcurrentHashMap<>();

    private volatile boolean closed;
    private Mirrors mirrors = new Mirrors();
    private String stateDir;
    /** None without a state directory. */
    private SshConnections connections;

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    /** Whose rsyncs these are, for the next run: one process at a time uses a state directory. */
    public void setStateDir(String stateDir) {
        Path directory = Path.of(stateDir).toAbsolutePath().normalize();
        this.stateDir = directory.toString();
        this.connections = new SshConnections(directory);
    }

    /** Ends what a kill of an earlier run has left running; called once the state directory is ours alone. */
    void endLeftBehind() {
        List<ProcessHandle> left =
                ProcessHandle.allProcesses().filter(this::isOurs).toList();
        if (!left.isEmpty()) {
            LOG.info("ending {} rsync processes that an earlier run has left behind", left.size());
            endAll(left);
        }
    }

    private boolean isOurs(ProcessHandle process) {
        try {
            String environment = "\0" + Files.readString(proc(process, "environ"), StandardCharsets.ISO_8859_1);
            return environment.contains("\0" + ByteString.of(MARK + "=" + stateDir) + "\0");
        } catch (IOException e) {
            // ended, of another user, or no Linux
            return false;
        }
    }

    @Override
    public ExecResult execute(ExecCommand command) {
        boolean lists = command.getArgs().contains(Difference.FORMAT)
                || command.getArgs().contains(Difference.KIND);
        int kept = lists ? Integer.MAX_VALUE : KEPT;
        List<String> line = new ArrayList<>();
        String program = command.getExecutable();
        // A relative path is meant from here, not from the directory that rsync works in.
        line.add(program.contains("/") ? Path.of(program).toAbsolutePath().toString() : program);
        ProcessBuilder builder = new ProcessBuilder(line);
        if (command.getWorkingDir() != null) {
            builder.directory(new File(command.getWorkingDir()));
        }
        // Messages in English, and bytes that are not ASCII escaped in them.
        builder.environment().put("LC_ALL", "C");
        // Without any password rsync would ask for one on the terminal, and wait; with this the daemon says no.
        builder.environment().putIfAbsent("RSYNC_PASSWORD", "none given");
        if (stateDir != null) {
            builder.environment().put(MARK, stateDir);
        }
        Consumer<String> told = null;
        LargeFiles.Sending large = command.getInput() instanceof RsyncCalls.LargeList list ? list.sending() : null;
        if (large != null) {
            told = large::told;
        } else if (command.getArgs().contains(Transfer.OPTION)) {
            transfers.put(command.getArgs(), Transfer.start());
            told = text -> transfers.computeIfPresent(command.getArgs(), (call, transfer) -> transfer.after(text));
        }
        Process process = null;
        Awaited awaited = null;
        try {
            builder.command().addAll(arguments(command));
            process = builder.start();
            running.add(process);
            if (closed) {
                end(List.of(process));
            }
            // Not before: between a look at the source and this, another one can come to its place. rsync does nothing
            // until it has read its list, and while it works there what is mounted there stays.
            checkPlace(process, command.getWorkingDir());
            if (large != null) {
                large.by(process);
            }
            HeldList held = command.getInput() instanceof HeldList list ? list : null;
            if (held != null) {
                List<Process> one = List.of(process);
                held.whenLost(() -> end(one));
            }
            Input input = new Input(process.getOutputStream(), command.getInput());
            Output errors = new Output(process.getErrorStream(), KEPT_ERRORS, "rsync-stderr", null);
            Output output = new Output(process.getInputStream(), kept, "rsync-stdout", told);
            awaited = awaited(process, command);
            int exitCode = exitCode(awaited, command.getArgs());
            RuntimeException untold = input.join();
            if (large != null && large.isEnded()) {
                // It is not what it was; as what has vanished, it is a change of its own.
                return new ExecResult(command, output.stream(), errors.stream(), 24);
            }
            if (!output.join() && kept > KEPT) {
                throw new RsyncException(30, "rsync has not told all");
            }
            awaited.ended(output.end());
            errors.join();
            if (held != null && held.isLost()) {
                throw PartialException.of(23, MountedCalls.CHANGED, null);
            }
            if (closed && Meaning.of(exitCode) != Meaning.DONE) {
                throw new RsyncException(exitCode, "stopped");
            }
            // Java adds 128 to a signal's number; 255 is ssh's own failure.
            if (exitCode > 128 && exitCode <= 128 + 64) {
                throw new RsyncException(exitCode, "rsync was ended by signal " + (exitCode - 128));
            }
            if (Meaning.of(exitCode) != Meaning.DONE) {
                throw PartialException.of(
                        exitCode, words(errors.text()), errors.isWhole() ? told(command, errors, output) : null);
            }
            if (untold != null) {
                throw untold;
            }
            return new ExecResult(command, output.stream(), errors.stream(), exitCode);
        } catch (RsyncException e) {
            if (connections != null && e.getMeaning() == Meaning.AGAIN) {
                connections.leave(command.getArgs(), command.getWorkingDir());
            }
            throw e.of(command.getArgs());
        } catch (IOException e) {
            checkPlace(null, command.getWorkingDir());
            if (command.getWorkingDir() != null && !Files.isDirectory(Path.of(command.getWorkingDir()))) {
                throw PartialException.of(23, command.getWorkingDir() + " has moved meanwhile", null);
            }
            throw new UncheckedIOException(e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RsyncException(20, "stopped");
        } finally {
            transfers.remove(command.getArgs());
            if (awaited != null) {
                awaited.close();
            }
            if (process != null) {
                end(List.of(process));
                running.remove(process);
            }
            close(command.getInput());
        }
    }

    /** The list may keep something mounted until it is closed. */
    private static void close(InputStream list) {
        try {
            if (list != null) {
                list.close();
            }
        } catch (IOException e) {
            LOG.debug("closing a list: {}", e.toString());
        }
    }

    private static RsyncException.Told told(ExecCommand command, Output errors, Output output) {
        if (command.getWorkingDir() == null) {
            return null;
        }
        List<String> arguments = command.getArgs();
        boolean deletes = arguments.contains("--delete") && !arguments.contains("--delete-missing-args");
        String list = new String(output.kept, StandardCharsets.ISO_8859_1);
        return new RsyncException.Told(errors.text(), Path.of(command.getWorkingDir()), deletes, list);
    }

    private List<String> arguments(ExecCommand command) throws IOException {
        return connections == null ? command.getArgs() : connections.over(command.getArgs(), command.getWorkingDir());
    }

    /**
     * Throws a {@link HaltedException} if that is not the source it was at the start, or the process works in another.
     *
     * @param source null for a route of a user's own that names no directory
     */
    private void checkPlace(Process process, String source) {
        if (source == null) {
            return;
        }
        for (Mirror mirror : mirrors.mirrors()) {
            if (mirror.source().toString().equals(source)) {
                String problem = process == null ? mirror.problem() : mirror.problem(process.pid());
                if (problem != null) {
                    throw new HaltedException(problem);
                }
            } else if (process != null && Path.of(source).startsWith(mirror.source())) {
                checkBelow(process, mirror, source);
            }
        }
    }

    /** A directory below the source may have become a symlink since it was looked at. */
    private static void checkBelow(Process process, Mirror mirror, String directory) {
        String problem = mirror.problem();
        if (problem != null) {
            throw new HaltedException(problem);
        }
        try {
            Path expected = mirror.source().toRealPath().resolve(mirror.source().relativize(Path.of(directory)));
            if (Files.readSymbolicLink(proc(process.toHandle(), "cwd")).equals(expected)) {
                return;
            }
        } catch (IOException e) {
            // It has ended already, or the source is gone: nothing of this is sent.
        }
        throw PartialException.of(23, directory + " has moved meanwhile", null);
    }

    private Awaited awaited(Process process, ExecCommand command) {
        List<String> arguments = command.getArgs();
        boolean limited =
                Entries.bySystemCalls() && arguments.stream().anyMatch(one -> one.startsWith(Remote.BANDWIDTH));
        Throttle throttle = limited
                ? remote(command)
                        .map(remote -> throttles.computeIfAbsent(
                                remote, one -> new Throttle(one.bandwidth(), Clock.systemDefaultZone())))
                        .orElse(null)
                : null;
        return new Awaited(process, throttle, Throttle.Kind.of(arguments), timeout(arguments));
    }

    /** The remote that a call goes to, to its target or a directory there. */
    private Optional<Remote> remote(ExecCommand command) {
        if (command.getWorkingDir() == null) {
            return Optional.empty();
        }
        Path from = Path.of(command.getWorkingDir());
        String to = command.getArgs().get(command.getArgs().size() - 1);
        return mirrors.remotes().stream()
                .filter(remote -> from.startsWith(remote.mirror().source())
                        && to.startsWith(RsyncCalls.withSlash(remote.target().text())))
                .max(Comparator.comparingInt(remote -> remote.target().text().length()));
    }

    /** Waits for the end; a process that is silent for too long has not got one, see above. */
    private static int exitCode(Awaited rsync, List<String> arguments) throws InterruptedException {
        if (arguments.contains(Remote.NO_DELAY) && Entries.bySystemCalls()) {
            acknowledge(rsync);
        }
        long timeout = timeout(arguments);
        if (timeout == 0) {
            rsync.waitFor(Long.MAX_VALUE);
            return rsync.process().exitValue();
        }
        long pause = TimeUnit.SECONDS.toNanos(timeout) / LOOKS;
        int silent = 0;
        int deaf = 0;
        for (Traffic last = Traffic.UNKNOWN; !rsync.waitFor(pause); ) {
            Traffic now = traffic(rsync.process());
            deaf = now == Traffic.UNKNOWN || now.read != last.read ? 0 : deaf + 1;
            silent = deaf == 0 || now.written != last.written ? 0 : silent + 1;
            last = now;
            if (silent == SILENT * LOOKS || deaf == DEAF * LOOKS) {
                int times = silent == SILENT * LOOKS ? SILENT : DEAF;
                throw new RsyncException(
                        30,
                        "rsync hung: it has " + (times == SILENT ? "read and written" : "read") + " nothing for "
                                + times + " times its timeout of " + timeout + " s, and was ended");
            }
        }
        return rsync.process().exitValue();
    }

    /** A tenth of the time that it runs may be lost by a delay: in the end, Linux's own is no longer than that. */
    private static void acknowledge(Awaited rsync) throws InterruptedException {
        int descriptor = LibC.processDescriptor(rsync.process().pid());
        if (descriptor < 0) {
            return;
        }
        try {
            long begin = System.nanoTime();
            long pause = LEAST_DELAYED;
            while (pause < DELAYED && !rsync.waitFor(pause) && LibC.acknowledge(descriptor, CONNECTION)) {
                pause = Math.max(LEAST_DELAYED, (System.nanoTime() - begin) / 10);
            }
        } finally {
            LibC.closeDescriptor(descriptor);
        }
    }

    /** The timeout, in seconds, that rsync has been told; 0: none. The last one counts. */
    private static long timeout(List<String> arguments) {
        return arguments.stream()
                .filter(argument -> argument.matches("--timeout=\\d{1,9}"))
                .mapToLong(argument -> Long.parseLong(argument.substring("--timeout=".length())))
                .reduce(0, (first, second) -> second);
    }

    /** The bytes that rsync has read and written, from and to wherever. */
    private record Traffic(long read, long written) {
        /** Where the system does not tell. */
        static final Traffic UNKNOWN = new Traffic(-1, -1);
    }

    private static Traffic traffic(Process process) {
        List<ProcessHandle> rsyncs = tree(process).filter(RsyncProcess::isRsync).toList();
        // rsync.command may be a script that has not come to its rsync yet.
        List<ProcessHandle> counted = rsyncs.isEmpty() ? tree(process).toList() : rsyncs;
        long read = 0;
        long written = 0;
        for (ProcessHandle one : counted) {
            try {
                for (String line : Files.readAllLines(proc(one, "io"), StandardCharsets.US_ASCII)) {
                    if (line.startsWith("rchar: ")) {
                        read += Long.parseLong(line.substring("rchar: ".length()));
                    } else if (line.startsWith("wchar: ")) {
                        written += Long.parseLong(line.substring("wchar: ".length()));
                    }
                }
            } catch (IOException e) {
                // It has just ended, or this is no Linux, or it runs as another user.
                return Traffic.UNKNOWN;
            }
        }
        return new Traffic(read, written);
    }

    static boolean isRsync(ProcessHandle process) {
        try {
            return Files.readString(proc(process, "comm"), StandardCharsets.ISO_8859_1)
                    .startsWith("rsync");
        } catch (IOException e) {
            return false;
        }
    }

    static Path proc(ProcessHandle process, String file) {
        return Path.of("/proc", Long.toString(process.pid()), file);
    }

    private static Stream<ProcessHandle> tree(Process process) {
        return Stream.concat(Stream.of(process.toHandle()), process.descendants());
    }

    /** What a call would do, in the words of rsync's statistics; {@link #deletions} are among them. */
    String dryRun(String command, Call call) {
        return dryRun(command, call, Difference.KIND);
    }

    private String dryRun(String command, Call call, String format) {
        List<String> arguments = new ArrayList<>(call.arguments());
        arguments.add(0, "--dry-run");
        // Of several the last one counts.
        arguments.add(arguments.indexOf("--"), format);
        return run(command, new Call(call.directory(), arguments, call.list()));
    }

    /**
     * How many entries a dry run says it would delete. They are counted line by line: of a dry run at another machine
     * rsync's statistics count none, and before 3.1 they do not speak of it.
     */
    static int deletions(String dryRun) {
        return (int) dryRun.lines().filter(Difference.DELETION::equals).count();
    }

    /**
     * What a call would send and delete, entry by entry and completely, about 100 bytes of heap each: on an initial sync
     * that is the whole tree.
     */
    Stream<Difference> differences(String command, Call call) {
        return Difference.all(dryRun(command, call, Difference.FORMAT));
    }

    /** Makes the call, and returns what rsync tells: all of it if that is a list, else its end. */
    String run(String command, Call call) {
        ExecCommand exec = new ExecCommand(
                command, call.arguments(), call.directory(), 0L, Set.of(), call.input(), null, false, null);
        try {
            return new String(execute(exec).getStdout().readAllBytes(), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new UncheckedIOException(e.getMessage(), e);
        }
    }

    /** rsync's own words, shortened to the cause, where there is one: the same fault is told in the same words. */
    static String words(String stderr) {
        List<String> said = stderr.lines()
                .map(String::strip)
                .filter(line -> !line.isEmpty() && !line.startsWith("rsync error: some files"))
                .toList();
        List<String> causes =
                said.stream().filter(line -> !CONSEQUENCE.matcher(line).find()).toList();
        // What is said of files beside it has nothing to do with it.
        List<String> refusals = said.stream()
                .filter(line -> Receiver.refusedOption(line).isPresent())
                .toList();
        if (!refusals.isEmpty()) {
            causes = refusals;
        }
        if (!causes.isEmpty()) {
            said = causes;
        }
        int shown = Math.min(3, said.size());
        String more = said.size() > shown ? " … and " + (said.size() - shown) + " more lines" : "";
        return String.join("; ", said.subList(0, shown)) + more;
    }

    /** Ends this one with all its children. */
    static void end(Process process) {
        end(List.of(process));
    }

    /** Ends them with all their children. */
    private static void end(Collection<Process> processes) {
        endAll(processes.stream()
                .filter(Process::isAlive)
                .flatMap(RsyncProcess::tree)
                .toList());
    }

    /** By SIGTERM, at which rsync removes what it has written half; what has not ended after 2 s by SIGKILL. */
    private static void endAll(List<ProcessHandle> processes) {
        processes.forEach(ProcessHandle::destroy);
        if (Entries.bySystemCalls()) {
            // One that is stopped does not come to it.
            processes.forEach(process -> LibC.go(process.pid()));
        }
        if (!await(processes)) {
            processes.forEach(ProcessHandle::destroyForcibly);
            await(processes);
        }
    }

    /** Waits 2 s at most; what is stuck in the kernel does not even end by a kill. */
    private static boolean await(List<ProcessHandle> processes) {
        try {
            CompletableFuture.allOf(
                            processes.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new))
                    .get(AFTER_END, TimeUnit.MILLISECONDS);
            return true;
        } catch (ExecutionException | TimeoutException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** How far the call is whose arguments are such; null: there is none that tells. */
    Transfer transfer(Predicate<List<String>> arguments) {
        return transfers.entrySet().stream()
                .filter(call -> arguments.test(call.getKey()))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElse(null);
    }

    /** Ends every rsync that runs, and the connections to remotes; their batches stay in the state directory. */
    @Override
    public void close() {
        closed = true;
        end(List.copyOf(running));
        if (connections != null) {
            connections.close();
        }
    }

    /** rsync's list, written by a thread of its own where rsync may not read at once: it may hang. */
    private static final class Input {
        private final Thread writer;
        private volatile boolean done;
        private RuntimeException failure;

        /** @param list null: empty */
        Input(OutputStream stdin, InputStream list) {
            writer = new Thread(() -> write(stdin, list), "rsync-stdin");
            if (list == null || list instanceof ByteArrayInputStream bytes && bytes.available() <= TAKEN_UNREAD) {
                write(stdin, list);
                return;
            }
            writer.setDaemon(true);
            writer.start();
        }

        private void write(OutputStream stdin, InputStream list) {
            try (stdin) {
                if (list != null) {
                    list.transferTo(stdin);
                }
            } catch (IOException brokenPipe) {
                // rsync ended before it read its list; its exit code and words say why.
            } catch (RuntimeException e) {
                failure = e;
            }
            done = true;
        }

        /** Once rsync has ended: what has kept it from being told all; null: nothing. */
        RuntimeException join() throws InterruptedException {
            writer.join(AFTER_END);
            return done ? failure : new RsyncException(30, "rsync has not read its list");
        }
    }

    /** The end of one of rsync's streams, read by a thread of its own so that rsync never waits for us. */
    private static final class Output {
        private static final int BUFFER = 16 * 1024;
        /** All that a pipe holds, pipe(7): rsync writes a line for each file, and waits for us once that is full. */
        private static final int PIPE = 64 * 1024;
        /** How long lines gather that tell how far it is, in milliseconds. */
        private static final long GATHERED = 10;

        private final Thread reader;
        private final int most;
        private final Consumer<String> told;
        private volatile byte[] kept = new byte[0];
        private volatile boolean whole;

        /** @param told gets it as it comes, each time with some of what came before; or null */
        Output(InputStream stream, int most, String name, Consumer<String> told) {
            this.most = most;
            this.told = told;
            reader = new Thread(() -> read(stream), name);
            reader.setDaemon(true);
            reader.start();
        }

        private void read(InputStream stream) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            boolean cut = false;
            byte[] buffer = new byte[told == null ? BUFFER : PIPE];
            String before = "";
            try (stream) {
                for (int n = stream.read(buffer); n >= 0; n = stream.read(buffer)) {
                    if (told != null) {
                        // Of much the end alone, with one whole line at least.
                        int from = Math.max(0, n - 2 * Transfer.LONGEST);
                        String end = new String(buffer, from, n - from, StandardCharsets.ISO_8859_1);
                        String text = from == 0 ? before + end : end;
                        told.accept(text);
                        before = text.substring(Math.max(0, text.length() - Transfer.LONGEST));
                        if (n < PIPE) {
                            // To be woken for each line would cost as much as the push itself.
                            Thread.sleep(GATHERED);
                        }
                    }
                    bytes.write(buffer, 0, n);
                    if (bytes.size() / 2 > most) {
                        byte[] all = bytes.toByteArray();
                        cut = true;
                        bytes.reset();
                        bytes.write(all, all.length - most, most);
                    }
                }
            } catch (IOException closed) {
                // The process was ended: what came before is all there is.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            kept = bytes.toByteArray();
            whole = !cut;
        }

        /** Whether nothing of it was dropped. */
        boolean isWhole() {
            return whole;
        }

        /** What rsync has started and left behind, an ssh that serves further connections, may never close the stream: whether it has ended. */
        boolean join() throws InterruptedException {
            reader.join(AFTER_END);
            return !reader.isAlive();
        }

        String text() {
            return new String(kept, StandardCharsets.UTF_8);
        }

        /** Where rsync's statistics stand. */
        String end() {
            int from = Math.max(0, kept.length - STATISTICS);
            return new String(kept, from, kept.length - from, StandardCharsets.ISO_8859_1);
        }

        InputStream stream() {
            return new ByteArrayInputStream(kept);
        }
    }
}
