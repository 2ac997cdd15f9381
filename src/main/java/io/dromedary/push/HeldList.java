package io.dromedary.push;

import io.dromedary.posix.LibC;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * The list of one rsync call, while which is open what is mounted at some places stays so; but no longer than {@value
 * #LONGEST} s, for whoever unmounts it must not wait. After that, what is unmounted ends the call: rsync may not have looked
 * at it yet.
 */
final class HeldList extends FilterInputStream {
    /** In seconds. */
    private static final int LONGEST = 10;

    /** Between two looks after that, in milliseconds. */
    private static final long PAUSE = 10;

    private final List<Integer> descriptors;
    private final BooleanSupplier mounted;
    private final Thread watcher = new Thread(this::watch, "dromedary-held");
    private Runnable end = () -> {};
    private boolean lost;

    /**
     * @param descriptors of {@link LibC#hold}, closed with this
     * @param mounted whether all of it still is; null: once it is not held any more, that does not matter
     */
    HeldList(InputStream list, Collection<Integer> descriptors, BooleanSupplier mounted) {
        super(list);
        this.descriptors = List.copyOf(descriptors);
        this.mounted = mounted;
        watcher.setDaemon(true);
        watcher.start();
    }

    private void watch() {
        try {
            TimeUnit.SECONDS.sleep(LONGEST);
        } catch (InterruptedException closed) {
            return;
        } finally {
            release(descriptors);
        }
        try {
            while (mounted != null) {
                if (!mounted.getAsBoolean()) {
                    lose();
                    return;
                }
                TimeUnit.MILLISECONDS.sleep(PAUSE);
            }
        } catch (InterruptedException closed) {
            // The call is over.
        }
    }

    static void release(Collection<Integer> descriptors) {
        descriptors.stream().filter(descriptor -> descriptor >= 0).forEach(LibC::closeDescriptor);
    }

    private void lose() {
        Runnable now;
        synchronized (this) {
            lost = true;
            now = end;
        }
        now.run();
    }

    /** Ends the call, at once if it is too late already, when something is unmounted that is not held any more. */
    void whenLost(Runnable ending) {
        boolean late;
        synchronized (this) {
            end = ending;
            late = lost;
        }
        if (late) {
            ending.run();
        }
    }

    synchronized boolean isLost() {
        return lost;
    }

    @Override
    public void close() throws IOException {
        watcher.interrupt();
        super.close();
    }
}
