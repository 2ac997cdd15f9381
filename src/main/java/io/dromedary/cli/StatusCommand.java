package io.dromedary.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.camel.util.json.JsonObject;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code dromedary status}: how the running one fares, in 80 columns. */
@Command(
        name = "status",
        description = "Shows mirrors and remotes of the running Dromedary.",
        mixinStandardHelpOptions = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:all is well; a paused remote counts for nothing",
            "1:a remote lags by more than 10 s, or something has failed; nothing is running there",
            "2:a remote is down or halted, or a mirror has a problem"
        })
public final class StatusCommand implements Callable<Integer> {
    private static final int COLUMNS = 80;

    /** In seconds. What is pushed just now is no lag. */
    private static final int LAG = 10;

    @Mixin
    private Running running;

    @Option(names = "--json", description = "As the API gives it.")
    private boolean json;

    @Option(names = "--watch", description = "Again every two seconds, until Ctrl-C.")
    private boolean watch;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException, InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        while (true) {
            JsonObject status = running.get("/api/status");
            if (watch && !json) {
                out.print("\033[H\033[2J");
            }
            if (json) {
                out.println(status.toJson());
            } else {
                table(status).forEach(out::println);
            }
            out.flush();
            if (!watch) {
                return exitCode(status);
            }
            TimeUnit.SECONDS.sleep(2);
        }
    }

    /** What the exit codes of the command say of this. What is paused is so by a person's will. */
    static int exitCode(JsonObject status) {
        int worst = 0;
        for (Map<String, Object> mirror : objects(status, "mirrors")) {
            if (mirror.get("problem") != null) {
                return 2;
            }
            for (Map<String, Object> remote : objects(mirror, "remotes")) {
                switch (text(remote, "state")) {
                    case "paused" -> {}
                    case "down", "halted" -> {
                        return 2;
                    }
                    default -> {
                        if (number(remote, "failed") > 0 || number(remote, "lagSeconds") > LAG) {
                            worst = 1;
                        }
                    }
                }
            }
            if (objects(mirror, "listeners").stream().anyMatch(listener -> listener.get("lastError") != null)) {
                worst = 1;
            }
        }
        return worst;
    }

    /** The lines of the table; names that are too long for their column are cut. */
    public static List<String> table(JsonObject status) {
        List<String> lines = new ArrayList<>();
        for (Map<String, Object> mirror : objects(status, "mirrors")) {
            if (!lines.isEmpty()) {
                lines.add("");
            }
            Object watches = mirror.get("watches");
            lines.add(cut(
                    mirror.get("id") + ": " + mirror.get("source")
                            + (watches == null ? "" : ", " + watches + " watches")
                            + (number(mirror, "overflows") > 0 ? ", " + mirror.get("overflows") + " overflows" : ""),
                    COLUMNS));
            if (mirror.get("problem") != null) {
                lines.add(cut("  ! " + mirror.get("problem"), COLUMNS));
            }
            for (Map<String, Object> listener : objects(mirror, "listeners")) {
                if (listener.get("lastError") != null) {
                    lines.add(cut(
                            "  ! route " + listener.get("id") + " fails to take " + text(listener, "failed")
                                    + " changes: " + listener.get("lastError"),
                            COLUMNS));
                }
            }
            lines.add(row("REMOTE", "STATE", "PENDING", "FAILED", "LAG", "PUSHES", "SENT"));
            for (Map<String, Object> remote : objects(mirror, "remotes")) {
                lines.add(row(
                        text(remote, "id"),
                        text(remote, "state"),
                        text(remote, "pending"),
                        text(remote, "failed"),
                        duration(number(remote, "lagSeconds")),
                        text(remote, "pushes"),
                        bytes(number(remote, "bytesSent"))));
                if (StatusLine.transfer(remote) != null) {
                    lines.add("  " + StatusLine.progress(List.of(StatusLine.transfer(remote))));
                }
                lines.addAll(large(remote));
                if (remote.get("receiver") != null) {
                    lines.add(cut("  - " + remote.get("receiver"), COLUMNS));
                }
                if (remote.get("refusal") != null) {
                    lines.add(cut("  ! " + remote.get("refusal"), COLUMNS));
                }
                boolean wrong =
                        Set.of("down", "halted").contains(text(remote, "state")) || number(remote, "failed") > 0;
                if (wrong && remote.get("lastError") != null) {
                    lines.add(cut("  ! " + remote.get("lastError"), COLUMNS));
                }
            }
        }
        return lines.isEmpty() ? List.of("no mirror") : lines;
    }

    /** What is on its way of large files, a line for each, and what waits behind. */
    private static List<String> large(Map<String, Object> remote) {
        List<String> lines = new ArrayList<>();
        for (Map<String, Object> file : objects(remote, "large")) {
            String far = ": " + StatusLine.large(List.of(file));
            String path = text(file, "path");
            int most = COLUMNS - 4 - far.length();
            lines.add("  > " + (path.length() <= most ? path : "…" + path.substring(path.length() - most + 1)) + far);
        }
        if (remote.get("largeWaiting") instanceof Map<?, ?> map) {
            @SuppressWarnings("unchecked")
            Map<String, Object> waiting = (Map<String, Object>) map;
            long files = (long) number(waiting, "files");
            if (files > 0) {
                lines.add("  > " + files + " large file" + (files == 1 ? " waits, " : "s wait, ")
                        + bytes(number(waiting, "bytes")));
            }
        }
        return lines;
    }

    private static String row(String... cells) {
        return String.format(
                        Locale.ROOT,
                        "  %-22s %-8s %9s %8s %8s %8s %9s",
                        cut(cells[0], 22),
                        cells[1],
                        cells[2],
                        cells[3],
                        cells[4],
                        cells[5],
                        cells[6])
                .stripTrailing();
    }

    /** Two figures are enough: 0.4s, 12s, 3m10s, 5h2m, 4d7h. */
    static String duration(double seconds) {
        long whole = Math.round(seconds);
        if (seconds < 10) {
            return seconds == 0 ? "0" : String.format(Locale.ROOT, "%.1fs", seconds);
        }
        if (whole < 60) {
            return whole + "s";
        }
        if (whole < 3600) {
            return whole / 60 + "m" + whole % 60 + "s";
        }
        if (whole < 86_400) {
            return whole / 3600 + "h" + whole % 3600 / 60 + "m";
        }
        return whole / 86_400 + "d" + whole % 86_400 / 3600 + "h";
    }

    static String bytes(double bytes) {
        if (bytes < 1000) {
            return String.format(Locale.ROOT, "%.0f B", bytes);
        }
        double value = bytes;
        int unit = -1;
        while (value >= 999.95 && unit < 4) {
            value /= 1000;
            unit++;
        }
        return String.format(Locale.ROOT, "%.1f %cB", value, "kMGTP".charAt(unit));
    }

    private static String cut(String text, int columns) {
        return text.length() <= columns ? text : text.substring(0, columns - 1) + "…";
    }

    private static String text(Map<String, Object> object, String key) {
        return Objects.toString(object.get(key), "-");
    }

    static double number(Map<String, Object> object, String key) {
        return object.get(key) instanceof Number number ? number.doubleValue() : 0;
    }

    /** The objects in that list; none if there is no such list. */
    @SuppressWarnings("unchecked")
    static List<Map<String, Object>> objects(Map<String, Object> object, String key) {
        return object.get(key) instanceof List<?> list ? (List<Map<String, Object>>) list : List.of();
    }
}
