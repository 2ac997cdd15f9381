package io.dromedary.testbed;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.stream.Stream;

/** Mounts what a test needs, and takes it away again; a test that may not mount is left out. */
public final class MountTable implements AutoCloseable {
    private final Deque<Path> mounted = new ArrayDeque<>();

    /** A new, empty file system. */
    public Path tmpfs(Path at) {
        return mount(at, "-t", "tmpfs", "tmpfs", at.toString());
    }

    /** Another name for a directory, which is a mount point like any. */
    public Path bind(Path directory, Path at) {
        return mount(at, "--bind", directory.toString(), at.toString());
    }

    private Path mount(Path at, String... words) {
        Command mount =
                Command.run(Stream.concat(Stream.of("mount"), Stream.of(words)).toArray(String[]::new));
        assumeTrue(mount.exitCode() == 0, "this needs to mount: " + mount.errors());
        mounted.push(at);
        return at;
    }

    /** Lazily: an rsync may just be looking at it. */
    public void unmount(Path at) {
        Command unmount = Command.run("umount", "-l", at.toString());
        if (unmount.exitCode() != 0) {
            throw new IllegalStateException(unmount.errors());
        }
        mounted.remove(at);
    }

    @Override
    public void close() {
        while (!mounted.isEmpty()) {
            unmount(mounted.peek());
        }
    }
}
