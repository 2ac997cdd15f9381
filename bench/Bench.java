import static java.util.Locale.ROOT;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Measures Dromedary beside other tools and bare rsync: one run, one machine, the same daemon, the same files, one clock.
 *
 * <p>A latency is from just before close(2) of a file at the source to its final name at the remote, in nanoseconds.
 */
final class Bench {
    /** What a whole run has on disk at a time. */
    private static final long DISK_BYTES = 8_000_000_000L;

    /** Not measured unless they are asked for. */
    private static final String MILLION = "million";

    private static final String PROFILE = "profile";

    private interface Part {
        void measure(Lab lab, List<Tool> tools, Report report) throws IOException, InterruptedException;
    }

    private static final Map<String, Part> PARTS = new LinkedHashMap<>();

    static {
        PARTS.put("idle", (lab, tools, report) -> new Idle(lab, report).measure(tools));
        PARTS.put("rates", (lab, tools, report) -> new Rates(lab, report).measure(tools));
        PARTS.put("burst", (lab, tools, report) -> new Burst(lab, report).measure(tools));
        PARTS.put("rename", (lab, tools, report) -> new Rename(lab, report).measure(tools));
        PARTS.put("remotes", (lab, tools, report) -> new Remotes(lab, report).measure(tools));
        PARTS.put("large", (lab, tools, report) -> new Large(lab, report).measure(tools));
        PARTS.put("start", (lab, tools, report) -> new Start(lab, report).measure(tools));
        PARTS.put(MILLION, (lab, tools, report) -> new Start(lab, report).million());
        PARTS.put(PROFILE, (lab, tools, report) -> new Profile(lab, report).measure());
    }

    private Bench() {}

    public static void main(String[] args) throws Exception {
        List<String> parts = new ArrayList<>();
        List<Tool> tools = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            if (args[i].equals("--tool") && i + 1 < args.length) {
                tools.add(tool(args[++i]));
            } else if (PARTS.containsKey(args[i])) {
                parts.add(args[i]);
            } else {
                wrong(args[i]);
            }
        }
        if (parts.isEmpty()) {
            parts.addAll(PARTS.keySet());
            parts.removeAll(List.of(MILLION, PROFILE));
        }
        if (tools.isEmpty()) {
            tools.addAll(List.of(Tool.values()));
            tools.remove(Tool.LSYNCD_MANY);
            if (System.getenv("SERSYNC_BIN") == null) {
                tools.remove(Tool.SERSYNC);
            }
        }
        try {
            measure(parts, tools);
        } catch (Lab.Failure e) {
            System.err.println("bench: " + e.getMessage());
            System.exit(1);
        }
    }

    private static Tool tool(String key) {
        for (Tool tool : Tool.values()) {
            if (tool.key().equals(key)) {
                return tool;
            }
        }
        wrong(key);
        return null;
    }

    private static void wrong(String argument) {
        String tools = Arrays.stream(Tool.values()).map(Tool::key).collect(Collectors.joining(", "));
        System.err.println("bench: '" + argument + "': allowed are the parts " + String.join(", ", PARTS.keySet())
                + ", and --tool with one of " + tools);
        System.exit(2);
    }

    private static void measure(List<String> parts, List<Tool> tools) throws IOException, InterruptedException {
        String load = loadAverage();
        Lab lab = new Lab();
        if (lab.work.toFile().getUsableSpace() < DISK_BYTES) {
            throw new Lab.Failure(
                    lab.work + " needs " + DISK_BYTES / 1_000_000_000 + " GB; set another TMPDIR or make room");
        }
        String now = LocalDateTime.now().format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"));
        Path directory = Path.of("target/bench", now);
        Report report = new Report(directory);
        if (tools.contains(Tool.DROMEDARY)) {
            Lab.say("building; a first start does not count");
            Lab.output("bin/dromedary", "check", "--help");
            try (Running first =
                    new Running(lab, Tool.DROMEDARY, lab.directory("first"), List.of(lab.plain.remote("first")))) {
                first.awaitLive(System.nanoTime() + 10 * Lab.PATIENCE);
            }
        }
        List<String> told = List.of();
        boolean failed = false;
        for (String part : parts) {
            Lab.say(part);
            long begin = System.nanoTime();
            try {
                PARTS.get(part).measure(lab, tools, report);
            } catch (Lab.Failure e) {
                failed = true;
                Lab.say(part + ": " + e.getMessage());
            }
            told = report.write(machine(lab, load));
            Lab.say(part + " took " + Times.told(System.nanoTime() - begin));
        }
        told.forEach(System.out::println);
        Lab.say("written to " + directory);
        if (failed) {
            System.exit(1);
        }
    }

    private static String machine(Lab lab, String loadBefore) throws IOException, InterruptedException {
        String settings = System.getenv().entrySet().stream()
                .filter(variable -> variable.getKey().startsWith("DROMEDARY_"))
                .map(variable -> ", " + variable.getKey() + "=" + variable.getValue())
                .collect(Collectors.joining());
        String rsync =
                Lab.output("rsync", "--version").lines().findFirst().orElse("").replaceAll(" +", " ");
        return String.format(
                ROOT,
                "%d cores (%s), %d GB, %s, Linux %s, Java %s, %s; load average %s before, %s after; seed %d%s",
                Runtime.getRuntime().availableProcessors(),
                valueIn("/proc/cpuinfo", "model name"),
                Math.round(Long.parseLong(valueIn("/proc/meminfo", "MemTotal").replaceAll("\\D", "")) / 1e6),
                Files.getFileStore(lab.work).type(),
                System.getProperty("os.version").replaceAll("^(\\d+\\.\\d+).*", "$1"),
                System.getProperty("java.version"),
                rsync.replaceAll(" protocol.*", ""),
                loadBefore,
                loadAverage(),
                lab.seed,
                settings);
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
}
