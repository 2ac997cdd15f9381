import static java.util.concurrent.TimeUnit.NANOSECONDS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.concurrent.TimeUnit;

/** The names that appear in a directory, as inotify tells; not the temporary ones of an rsync that still writes. */
final class Arrivals implements AutoCloseable {
    private final WatchService service;

    Arrivals(Path directory) throws IOException {
        service = directory.getFileSystem().newWatchService();
        directory.register(service, StandardWatchEventKinds.ENTRY_CREATE);
    }

    /** When that name appeared, by {@link System#nanoTime}; -1 if it did not in time. */
    long await(String name, long patience) throws InterruptedException {
        long end = System.nanoTime() + patience;
        while (true) {
            WatchKey key = service.poll(end - System.nanoTime(), NANOSECONDS);
            if (key == null) {
                return -1;
            }
            long now = System.nanoTime();
            boolean found = false;
            for (WatchEvent<?> event : key.pollEvents()) {
                found |= String.valueOf(event.context()).equals(name);
            }
            key.reset();
            if (found) {
                return now;
            }
        }
    }

    @Override
    public void close() throws IOException {
        service.close();
    }

    /**
     * When the file got its name, or was last changed after that, as its file system remembers: on the clock of {@link
     * System#nanoTime}, rounded down to the kernel's tick, 4 ms at most. Watching thousands a second would cost what is to
     * be measured.
     */
    static long changed(Path file) throws IOException {
        long beganNanos = System.nanoTime();
        Instant now = Instant.now();
        long offset = TimeUnit.SECONDS.toNanos(now.getEpochSecond()) + now.getNano() - beganNanos;
        return ((FileTime) Files.getAttribute(file, "unix:ctime")).to(NANOSECONDS) - offset;
    }
}
