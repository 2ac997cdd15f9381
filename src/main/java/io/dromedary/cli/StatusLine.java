package io.dromedary.cli;

import io.dromedary.posix.Entries;
import io.dromedary.posix.LibC;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.camel.util.json.JsonObject;

/**
 * The last line of a terminal, written over in place: a bar while a full sync runs, then how all remotes fare. What else
 * goes to standard output meanwhile, the log, stands above it. It has no colours.
 */
final class StatusLine implements AutoCloseable {
    private static final int STDOUT = 1;
    private static final int BAR = 20;

    /** To the line's first column, and away with what stood there. */
    private static final byte[] ERASE = "\r\033[K".getBytes(StandardCharsets.US_ASCII);

    private final PrintStream before = System.out;
    private final OutputStream terminal = new FileOutputStream(FileDescriptor.out);
    private byte[] line = new byte[0];
    private boolean midLine;
    private boolean closed;

    StatusLine() {
        System.setOut(new PrintStream(new Above(), true, Charset.defaultCharset()));
    }

    /** Whether standard output is a terminal that can write over a line. */
    static boolean isPossible() {
        String kind = System.getenv("TERM");
        return kind != null
                && !kind.equals("dumb")
                && !kind.isEmpty()
                && Entries.bySystemCalls()
                && LibC.columns(STDOUT) > 0;
    }

    /** Shows this in place of what it showed before; what is too long is cut. */
    synchronized void show(String text) {
        int most = Math.max(1, LibC.columns(STDOUT) - 1);
        byte[] shown = text.substring(0, Math.min(most, text.length())).getBytes(Charset.defaultCharset());
        if (!closed && !Arrays.equals(shown, line)) {
            line = shown;
            if (!midLine) {
                write(ERASE, line);
            }
        }
    }

    /** Nothing of it stays. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            line = new byte[0];
            if (!midLine) {
                write(ERASE);
            }
            System.setOut(before);
        }
    }

    private void write(byte[]... parts) {
        try {
            for (byte[] part : parts) {
                terminal.write(part);
            }
        } catch (IOException e) {
            // The terminal has gone; who is left to tell?
        }
    }

    /** Standard output meanwhile. */
    private final class Above extends OutputStream {
        @Override
        public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int from, int count) {
            if (count == 0) {
                return;
            }
            synchronized (StatusLine.this) {
                if (!midLine && line.length > 0) {
                    StatusLine.this.write(ERASE);
                }
                StatusLine.this.write(Arrays.copyOfRange(bytes, from, from + count));
                midLine = bytes[from + count - 1] != '\n';
                if (!midLine) {
                    StatusLine.this.write(line);
                }
            }
        }
    }

    /** One line of it, from what the API says of these remotes. */
    static String of(List<Map<String, Object>> remotes) {
        List<Map<String, Object>> transfers = remotes.stream()
                .map(StatusLine::transfer)
                .filter(transfer -> transfer != null)
                .toList();
        List<String> told = new ArrayList<>();
        if (!transfers.isEmpty()) {
            told.add("full sync " + progress(transfers));
        }
        List<Map<String, Object>> large = remotes.stream()
                .flatMap(remote -> StatusCommand.objects(remote, "large").stream())
                .toList();
        if (!large.isEmpty()) {
            told.add((large.size() == 1 ? "1 large file " : large.size() + " large files ") + large(large));
        }
        Map<String, Integer> states = new TreeMap<>(Collections.reverseOrder());
        remotes.forEach(remote -> states.merge(String.valueOf(remote.get("state")), 1, Integer::sum));
        List<String> counts = new ArrayList<>();
        states.forEach((state, count) -> counts.add((remotes.size() == 1 ? "" : count + " ") + state));
        told.add(String.join(", ", counts));
        double lag = remotes.stream()
                .mapToDouble(remote -> StatusCommand.number(remote, "lagSeconds"))
                .max()
                .orElse(0);
        long pending = (long) sum(remotes, "pending");
        long failed = (long) sum(remotes, "failed");
        if (transfers.isEmpty()) {
            told.add("lag " + StatusCommand.duration(lag));
            told.add(pending + " pending");
            told.add(StatusCommand.bytes(sum(remotes, "bytesSent")) + " sent");
        }
        if (failed > 0) {
            told.add(failed + " failed");
        }
        return String.join(" | ", told);
    }

    /** A bar and figures; of several at once the sums, and the time of the one that takes longest. */
    static String progress(List<Map<String, Object>> transfers) {
        int percent = (int) (sum(transfers, "percent") / transfers.size());
        int full = percent * BAR / 100;
        double left = longest(transfers);
        return "[" + "#".repeat(full) + "-".repeat(BAR - full) + "] " + percent + "% "
                + (long) sum(transfers, "files") + " files, "
                + StatusCommand.bytes(sum(transfers, "bytes")) + ", "
                + StatusCommand.bytes(sum(transfers, "bytesPerSecond")) + "/s"
                + (left < 0 ? "" : ", " + StatusCommand.duration(left) + " left");
    }

    /** How far large files are; of several the sums, and the time of the one that takes longest. */
    static String large(List<Map<String, Object>> files) {
        double size = sum(files, "size");
        double left = longest(files);
        return (size == 0 ? 0 : (int) (100 * sum(files, "sent") / size)) + "% of " + StatusCommand.bytes(size) + ", "
                + StatusCommand.bytes(sum(files, "bytesPerSecond")) + "/s"
                + (left < 0 ? "" : ", " + StatusCommand.duration(left) + " left");
    }

    /** Negative if of one nobody can tell. */
    private static double longest(List<Map<String, Object>> transfers) {
        return transfers.stream()
                .mapToDouble(transfer ->
                        transfer.get("secondsLeft") == null ? -1 : StatusCommand.number(transfer, "secondsLeft"))
                .reduce(0, (a, b) -> a < 0 || b < 0 ? -1 : Math.max(a, b));
    }

    /** How far the full sync of this remote is; null if there is none. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> transfer(Map<String, Object> remote) {
        return (Map<String, Object>) remote.get("progress");
    }

    private static double sum(List<Map<String, Object>> objects, String key) {
        return objects.stream()
                .mapToDouble(object -> StatusCommand.number(object, key))
                .sum();
    }

    /** All remotes of all mirrors. */
    static List<Map<String, Object>> remotes(JsonObject status) {
        return StatusCommand.objects(status, "mirrors").stream()
                .flatMap(mirror -> StatusCommand.objects(mirror, "remotes").stream())
                .toList();
    }
}
