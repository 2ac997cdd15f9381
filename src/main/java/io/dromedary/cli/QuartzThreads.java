package io.dromedary.cli;

import java.util.concurrent.Semaphore;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.quartz.spi.ThreadPool;

/**
 * The threads of Quartz's jobs, there only while there is something to do. Quartz's own pool keeps each of its threads
 * waking twice a second, which would be most of what this program does when nothing changes.
 */
public final class QuartzThreads implements ThreadPool {
    /** As many jobs at a time as Quartz runs by default. */
    private static final int MOST = 10;

    private static final long IDLE_SECONDS = 10;

    private final Semaphore free = new Semaphore(MOST);
    private ThreadPoolExecutor threads;

    @Override
    public void initialize() {
        threads = new ThreadPoolExecutor(
                0, Integer.MAX_VALUE, IDLE_SECONDS, TimeUnit.SECONDS, new SynchronousQueue<>(), job -> {
                    Thread thread = new Thread(job, "quartz-job");
                    thread.setDaemon(true);
                    return thread;
                });
    }

    @Override
    public int blockForAvailableThreads() {
        free.acquireUninterruptibly();
        free.release();
        return Math.max(1, free.availablePermits());
    }

    @Override
    public boolean runInThread(Runnable job) {
        if (job == null || threads.isShutdown()) {
            return false;
        }
        free.acquireUninterruptibly();
        threads.execute(() -> {
            try {
                job.run();
            } finally {
                free.release();
            }
        });
        return true;
    }

    @Override
    public void shutdown(boolean waitForJobsToComplete) {
        threads.shutdown();
        if (waitForJobsToComplete) {
            free.acquireUninterruptibly(MOST);
        }
    }

    @Override
    public int getPoolSize() {
        return MOST;
    }

    @Override
    public void setInstanceId(String id) {
        // The threads need no name of their own for each scheduler.
    }

    @Override
    public void setInstanceName(String name) {
        // As above.
    }
}
