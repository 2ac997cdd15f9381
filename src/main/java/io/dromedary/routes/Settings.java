package io.dromedary.routes;

import io.dromedary.mirror.Bandwidth;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.camel.Ordered;
import org.apache.camel.spi.PropertiesSource;
import org.apache.camel.util.TimeUtils;
import org.quartz.CronExpression;

/**
 * The settings of one run: {@code dromedary.properties} in the jar names every key and its default, over it lie the
 * user's file, the environment and the command line, in that order; all are checked before anything is touched.
 */
public final class Settings {
    public static final String PREFIX = "dromedary.";
    private static final List<String> EVENTS = List.of(
            "delete", "create-folder", "create-file", "close-write", "move-from", "move-to", "attrib", "modify");

    private final Properties values = new Properties();
    private final Map<String, String> origins = new TreeMap<>();

    /** The defaults. */
    public Settings() {
        try (InputStream defaults = Settings.class.getResourceAsStream("/dromedary.properties")) {
            values.load(defaults);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        if (!System.getProperty("os.name").equals("Linux")) {
            values.setProperty(PREFIX + "watcher", "file-watch");
        }
    }

    /** Lays a user's file over what is set so far; its {@code camel.*} keys stay with Camel. */
    public void file(Path file) {
        Properties written = new Properties();
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            written.load(reader);
        } catch (IOException | IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": cannot be read: " + e.getMessage());
        }
        for (String key : new TreeMap<>(written).keySet().toArray(String[]::new)) {
            if (key.startsWith(PREFIX)) {
                set(key, written.getProperty(key), file + line(file, key));
            }
        }
    }

    /** Lays the environment over what is set so far: DROMEDARY_FULL_SYNC_CRON is dromedary.full-sync.cron. */
    public void environment(Map<String, String> environment) {
        for (String key : values.stringPropertyNames()) {
            String name = key.replace('.', '_').replace('-', '_').toUpperCase(Locale.ROOT);
            if (environment.containsKey(name)) {
                set(key, environment.get(name), "environment " + name);
            }
        }
    }

    /** Sets one key, with or without its prefix, as the command line does. */
    public void set(String key, String value, String origin) {
        String full = key.startsWith(PREFIX) ? key : PREFIX + key;
        if (!values.containsKey(full)) {
            throw new IllegalArgumentException(
                    origin + ": there is no setting " + full + "; the nearest is " + nearest(full));
        }
        values.setProperty(full, value.strip());
        origins.put(full, origin);
        check(full);
    }

    public String get(String key) {
        return values.getProperty(PREFIX + key);
    }

    /** All of them, for Camel's property placeholders. */
    public Properties all() {
        Properties all = new Properties();
        all.putAll(values);
        if (get("max-processes").isEmpty()) {
            all.setProperty(PREFIX + "max-processes", "0");
        }
        return all;
    }

    /** What is set so far, for Camel's property placeholders to fall back on. */
    PropertiesSource source() {
        return new Source(all());
    }

    /** The last place Camel looks in, and none of those whose keys are checked. */
    private record Source(Properties values) implements PropertiesSource, Ordered {
        @Override
        public String getName() {
            return "dromedary.properties";
        }

        @Override
        public String getProperty(String name) {
            return values.getProperty(name);
        }

        @Override
        public int getOrder() {
            return Ordered.LOWEST;
        }
    }

    private void check(String full) {
        String key = full.substring(PREFIX.length());
        String value = values.getProperty(full);
        switch (key) {
            case "watcher" -> oneOf(full, value, "inotify", "file-watch");
            case "delete", "full-sync.initial" -> oneOf(full, value, "true", "false");
            case "events" -> {
                for (String event : value.split(",", -1)) {
                    if (!EVENTS.contains(event.strip())) {
                        throw wrong(full, value, "a comma separated list of " + String.join(", ", EVENTS));
                    }
                }
            }
            case "rsync.timeout", "batch.max-wait" -> number(full, value, 0, Integer.MAX_VALUE);
            case "batch.max-paths" -> number(full, value, 1, 1_000_000);
            case "max-processes" -> optionalNumber(full, value, 1, 10_000);
            case "max-delete" -> optionalNumber(full, value, 0, Integer.MAX_VALUE);
            case "large-file" -> {
                if (!value.matches("0*[1-9]\\d{0,14}[KMGkmg]?")) {
                    throw wrong(full, value, "a size such as 512K, 16M or 1G");
                }
            }
            case "rsync.bwlimit" -> {
                try {
                    Bandwidth.parse(value);
                } catch (IllegalArgumentException e) {
                    throw wrong(full, value, Bandwidth.ALLOWED);
                }
            }
            case "large-pushes" -> number(full, value, 1, 100);
            case "http.port" -> number(full, value, 0, 65535);
            case "retry.backoff", "retry.max-backoff", "open-files.interval" -> duration(full, value);
            case "retry.cron" -> cron(full, value);
            case "full-sync.cron" -> {
                if (!value.isEmpty()) {
                    cron(full, value);
                }
            }
            case "rsync.command", "state-dir" -> {
                if (value.isEmpty()) {
                    throw wrong(full, value, "a path");
                }
            }
            default -> {
                // Free text; patterns and rsync arguments are checked where they are used.
            }
        }
    }

    private void oneOf(String key, String value, String... allowed) {
        if (!Arrays.asList(allowed).contains(value)) {
            throw wrong(key, value, String.join(" or ", allowed));
        }
    }

    private void optionalNumber(String key, String value, int min, int max) {
        if (!value.isEmpty()) {
            number(key, value, min, max);
        }
    }

    private void number(String key, String value, int min, int max) {
        try {
            int number = Integer.parseInt(value);
            if (number >= min && number <= max) {
                return;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw wrong(key, value, "a number from " + min + " to " + max);
    }

    private void duration(String key, String value) {
        try {
            if (TimeUtils.toMilliSeconds(value) > 0) {
                return;
            }
        } catch (RuntimeException e) {
            // Of several kinds, depending on what is wrong; told below.
        }
        throw wrong(key, value, "a time such as 500ms, 1s or 5m");
    }

    private void cron(String key, String value) {
        try {
            CronExpression.validateExpression(value);
        } catch (java.text.ParseException e) {
            throw wrong(
                    key,
                    value,
                    "a Quartz cron: second minute hour day month weekday, e.g. 0 30 3 * * ? (" + e.getMessage() + ")");
        }
    }

    private IllegalArgumentException wrong(String key, String value, String allowed) {
        return new IllegalArgumentException(origins.get(key) + ": " + key + " = " + value + ": allowed is " + allowed);
    }

    private static String line(Path file, String key) {
        try {
            List<String> lines = Files.readAllLines(file);
            for (int i = 0; i < lines.size(); i++) {
                String line = lines.get(i).strip();
                if (line.startsWith(key) && line.substring(key.length()).matches("[=:\\s].*|")) {
                    return ":" + (i + 1);
                }
            }
        } catch (IOException e) {
            // The file could be read a moment ago; the number is a courtesy.
        }
        return "";
    }

    private String nearest(String wanted) {
        List<String> keys = new ArrayList<>(values.stringPropertyNames());
        keys.sort((a, b) -> distance(wanted, a) - distance(wanted, b));
        return keys.get(0);
    }

    /** Levenshtein's: how many letters have to change. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(substituted, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }
}
