package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.posix.OwnerOnly;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is remembered of one thing over restarts: a small file below the state directory, for people to read and to delete.
 *
 * <p>A line is {@code KEY: VALUE}, or a key alone; the value is a byte string, escaped as in the files of {@link FailQueue}.
 * Lines starting with '#' tell people more. Not fsynced: what is lost with it is learnt anew. For one thread at a time.
 */
final class Note {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    private final Path file;
    private List<String> lines;

    /** Reads it, if it is there. */
    Note(Path file) {
        this.file = file;
        try {
            lines = Files.readAllLines(file, StandardCharsets.ISO_8859_1).stream()
                    .filter(line -> !line.startsWith("#"))
                    .toList();
        } catch (NoSuchFileException e) {
            lines = null;
        } catch (IOException e) {
            LOG.warn("{}: cannot read it, it is taken for not there: {}", file, e.toString());
            lines = null;
        }
    }

    /** Whether there is one. */
    boolean exists() {
        return lines != null;
    }

    /** Whether somebody has deleted the file since it was read or written. */
    boolean wasDeleted() {
        return lines != null && !Files.exists(file);
    }

    boolean has(String key) {
        return lines != null && lines.contains(key);
    }

    /** All of it; nothing if there is none. */
    List<String> lines() {
        return lines == null ? List.of() : lines;
    }

    /** The values of this key, in their order. */
    List<String> all(String key) {
        return all(lines(), key);
    }

    /** The first value of this key; null: none. */
    String first(String key) {
        return first(lines(), key);
    }

    /** The values of this key in such lines, in their order. */
    static List<String> all(List<String> lines, String key) {
        List<String> values = new ArrayList<>();
        for (String line : lines) {
            if (line.startsWith(key + ": ")) {
                try {
                    values.add(ByteString.unescape(line.substring(key.length() + 2)));
                } catch (IllegalArgumentException e) {
                    LOG.warn("left out of what is remembered: {}", e.getMessage());
                }
            }
        }
        return values;
    }

    static String first(List<String> lines, String key) {
        List<String> values = all(lines, key);
        return values.isEmpty() ? null : values.get(0);
    }

    static String line(String key, String value) {
        return key + ": " + ByteString.escape(value);
    }

    /** Puts this in its place, if it is anything else. */
    void write(String remark, List<String> next) {
        if (next.equals(lines) && !wasDeleted()) {
            return;
        }
        lines = List.copyOf(next);
        String text = "# " + ByteString.escape(ByteString.of(remark)) + "\n" + String.join("\n", next) + "\n";
        try {
            Files.createDirectories(file.getParent(), OwnerOnly.directory());
            Path written = file.resolveSibling(file.getFileName() + ".new");
            Files.deleteIfExists(written);
            Files.createFile(written, OwnerOnly.file());
            Files.write(written, ByteString.bytes(text));
            Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.error("{}: cannot write it, what it says is not known after the next start: {}", file, e.toString());
        }
    }

    void delete() {
        lines = null;
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            LOG.error("{}: cannot delete it, it will hold again after the next start: {}", file, e.toString());
        }
    }
}
