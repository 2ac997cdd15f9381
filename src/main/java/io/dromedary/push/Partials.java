package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.posix.OwnerOnly;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The large files of which a remote may hold a part, because their transfers were cut: {@code partial/REMOTE} below the
 * state directory, a path a line as in the fail queue. A path is there before its transfer begins. Without the file, what
 * is left over at the remote is deleted by a full sync.
 */
final class Partials {
    /** Directories beyond which one rule stands for all. */
    static final int MOST = 100;

    private static final Logger LOG = LoggerFactory.getLogger(Partials.class);

    private final Path directory;
    private final Map<String, Set<String>> paths = new HashMap<>();

    /** Remembers nothing over restarts. */
    Partials() {
        this(null);
    }

    Partials(Path directory) {
        this.directory = directory;
    }

    /** Remembers this path; returns whether it was known, so that there may be something to go on with. */
    synchronized boolean begin(String remote, String path) {
        if (!of(remote).add(path)) {
            return true;
        }
        write(remote, ByteString.escape(path) + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        return false;
    }

    /** Nothing of this path is left over. */
    synchronized void end(String remote, String path) {
        if (of(remote).remove(path)) {
            StringBuilder left = new StringBuilder();
            of(remote).forEach(one -> left.append(ByteString.escape(one)).append('\n'));
            write(remote, left.toString(), StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING);
        }
    }

    /** The paths that were begun. */
    synchronized Set<String> paths(String remote) {
        return Set.copyOf(of(remote));
    }

    /** The directories they lie in. */
    synchronized Collection<String> directories(String remote) {
        Set<String> directories = new TreeSet<>();
        of(remote).forEach(path -> directories.add(RsyncCalls.parent(path)));
        return directories;
    }

    private Set<String> of(String remote) {
        return paths.computeIfAbsent(remote, id -> {
            Set<String> known = new TreeSet<>();
            try {
                if (directory != null && Files.exists(directory.resolve(id))) {
                    Files.readString(directory.resolve(id), StandardCharsets.ISO_8859_1)
                            .lines()
                            .forEach(line -> known.add(ByteString.unescape(line)));
                }
            } catch (IOException | IllegalArgumentException e) {
                LOG.warn("{}: {}", directory.resolve(id), e.getMessage());
            }
            return known;
        });
    }

    private void write(String remote, String lines, StandardOpenOption... how) {
        if (directory == null) {
            return;
        }
        Path file = directory.resolve(remote);
        try {
            Files.createDirectories(directory, OwnerOnly.directory());
            if (lines.isEmpty()) {
                Files.deleteIfExists(file);
                return;
            }
            if (!Files.exists(file)) {
                Files.createFile(file, OwnerOnly.file());
            }
            Files.write(file, ByteString.bytes(lines), how);
        } catch (IOException e) {
            LOG.warn("{}: cannot write it, after a kill a transfer begins anew: {}", file, e.toString());
        }
    }
}
