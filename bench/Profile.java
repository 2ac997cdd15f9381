import static java.util.Locale.ROOT;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedFrame;
import jdk.jfr.consumer.RecordingFile;

/** Where Dromedary's time goes at 2,000 files a second, by the kernel's account and by the JVM's flight recorder. */
final class Profile {
    private static final int RATE = 2_000;
    private static final int DURATION = 40;
    private static final String OWN = "io.dromedary.";

    private final Lab lab;
    private final Report report;

    Profile(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure() throws IOException, InterruptedException {
        Load load = new Load(lab, RATE * DURATION, 100);
        Path source = lab.directory("profile");
        load.makeDirectories(source);
        Daemon.Remote remote = lab.plain.remote("profile");
        Path recording = report.directory().resolve("profile.jfr");
        String options = System.getenv().getOrDefault("DROMEDARY_JAVA_OPTS", "")
                + " -XX:StartFlightRecording=settings=profile" + ",filename=" + recording.toAbsolutePath();
        Map<String, Double> threads;
        double jvm;
        double rsync;
        Instant begin;
        try (Running running = new Running(
                lab, Tool.DROMEDARY, source, List.of(remote), Map.of("DROMEDARY_JAVA_OPTS", options.strip()))) {
            running.awaitLive(System.nanoTime() + Lab.PATIENCE);
            running.warmUp();
            long pid = running.pid();
            threads = threads(pid, -1);
            jvm = Running.ownCpuSeconds(pid);
            rsync = Running.childrensCpuSeconds(pid);
            begin = Instant.now();
            load.write(source, RATE);
            Load.Arrived arrived = load.awaitArrival(remote.copy(), System.nanoTime() + Lab.PATIENCE);
            running.awaitIdle();
            jvm = Running.ownCpuSeconds(pid) - jvm;
            rsync = Running.childrensCpuSeconds(pid) - rsync;
            threads(pid, 1).forEach((name, seconds) -> threads.merge(name, seconds, Double::sum));
            report.title(String.format(
                    ROOT,
                    "Where the time goes: %,.0f files/s for %d s, p99 %s",
                    load.rate(),
                    DURATION,
                    Times.told(arrived.latencies().p99())));
        }
        double all = jvm + rsync;
        List<List<String>> rows = new ArrayList<>();
        rows.add(row("its rsyncs", rsync, all));
        rows.add(row("the JVM", jvm, all));
        Map<Double, String> sorted = new TreeMap<>();
        threads.forEach((name, seconds) -> sorted.put(-seconds, name));
        sorted.forEach((seconds, name) -> {
            if (-seconds > all / 200) {
                rows.add(row("– " + name, -seconds, all));
            }
        });
        report.table(List.of("CPU", "", "of all"), rows);
        samples(recording, begin, jvm, all);
    }

    private static List<String> row(String what, double seconds, double all) {
        return List.of(what, Times.seconds(seconds), percent(seconds / all));
    }

    private static String percent(double share) {
        return String.format(ROOT, "%.1f %%", 100 * share);
    }

    /** CPU seconds of a process's threads by name, which the kernel cuts to 15 characters, times the sign. */
    private static Map<String, Double> threads(long pid, int sign) throws IOException {
        Map<String, Double> seconds = new HashMap<>();
        try (Stream<Path> tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
            for (Path task : (Iterable<Path>) tasks::iterator) {
                try {
                    String name = Files.readString(task.resolve("comm")).strip().replaceAll("[ -]?[#0-9]+$", "");
                    String schedstat = Files.readString(task.resolve("schedstat"));
                    seconds.merge(
                            "thread " + name,
                            sign * Long.parseLong(schedstat.substring(0, schedstat.indexOf(' '))) / 1e9,
                            Double::sum);
                } catch (IOException ended) {
                    // What it took is in the sum of the JVM.
                }
            }
        }
        return seconds;
    }

    /** Shares of the samples taken in Java code, each counted once: for the method of ours or of Camel that was at work. */
    private void samples(Path recording, Instant begin, double jvm, double all) throws IOException {
        Map<String, Integer> methods = new HashMap<>();
        int samples = 0;
        for (RecordedEvent event : RecordingFile.readAllEvents(recording)) {
            if (!List.of("jdk.ExecutionSample", "jdk.NativeMethodSample")
                            .contains(event.getEventType().getName())
                    || event.getStartTime().isBefore(begin)
                    || event.getStackTrace() == null
                    || isWaiting(event)) {
                continue;
            }
            samples++;
            methods.merge(atWork(event.getStackTrace().getFrames()), 1, Integer::sum);
        }
        int total = Math.max(1, samples);
        List<List<String>> rows = new ArrayList<>();
        methods.entrySet().stream()
                .sorted((one, other) -> other.getValue() - one.getValue())
                .limit(20)
                .forEach(method -> rows.add(List.of(
                        method.getKey(),
                        percent((double) method.getValue() / total),
                        percent(jvm / all * method.getValue() / total))));
        report.text("");
        report.table(
                List.of(
                        "at work, with what it calls of the JDK and of JNA",
                        "of " + samples + " samples",
                        "of all CPU, at most"),
                rows);
    }

    /**
     * A call into the system that waits looks like work to the recorder; forkAndExec waits until the program runs, four fifths
     * of its time.
     */
    private static boolean isWaiting(RecordedEvent event) {
        String top = event.getStackTrace().getFrames().get(0).getMethod().getName();
        return event.getEventType().getName().equals("jdk.NativeMethodSample")
                && List.of("ppoll", "forkAndExec", "waitForProcessExit0", "readBytes", "epollWait", "accept", "wait")
                        .contains(top);
    }

    private static String atWork(List<RecordedFrame> frames) {
        for (RecordedFrame frame : frames) {
            String type = frame.getMethod().getType().getName();
            if (type.startsWith(OWN)) {
                return "`" + type.substring(OWN.length()).replaceAll("\\$\\$Lambda.*", "") + "."
                        + frame.getMethod().getName() + "`";
            }
            if (type.startsWith("org.apache.camel.")) {
                return "Camel";
            }
        }
        return "the JVM and its recorder";
    }
}
