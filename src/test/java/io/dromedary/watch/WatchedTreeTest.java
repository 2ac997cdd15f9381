package io.dromedary.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.change.Excludes;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WatchedTreeTest {
    private static final int FILES = 60_000;

    @TempDir
    Path root;

    private int created;

    /** By another flag of inotify_add_watch(2) it would lose some of them, on two processors. */
    @Test
    void noEventIsLostWhileTheDirectoryIsAskedForItsWatch() {
        Source source = Source.of(root.toString());
        Burst burst = new Burst(source, EnumSet.noneOf(Switch.class));
        try (WatchedTree tree = new WatchedTree(
                source, Excludes.of("", ""), EnumSet.noneOf(Switch.class), burst, InotifyConsumer.SYSCTLS)) {
            tree.scan();
            CompletableFuture<Void> made = CompletableFuture.runAsync(this::make);
            boolean more;
            do {
                more = !made.isDone();
                assertThat(tree.isRootInPlace()).isTrue();
                more |= tree.read(this::count) > 0;
            } while (more);
            made.join();
        }
        assertThat(created).isEqualTo(FILES);
    }

    private void make() {
        for (int i = 0; i < FILES; i++) {
            Sys.write(root + "/file", "");
            Sys.unlink(root + "/file");
        }
    }

    private void count(InotifyEvent event) {
        assertThat(event.is(InotifyEvent.OVERFLOW)).isFalse();
        if (event.is(InotifyEvent.CREATE)) {
            created++;
        }
    }
}
