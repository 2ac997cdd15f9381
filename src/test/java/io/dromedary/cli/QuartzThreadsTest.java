package io.dromedary.cli;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class QuartzThreadsTest {
    private final QuartzThreads threads = new QuartzThreads();
    private final AtomicInteger running = new AtomicInteger();

    QuartzThreadsTest() {
        threads.initialize();
    }

    @Test
    void jobsRunSideBySideUpToThePoolsSize() throws InterruptedException {
        CountDownLatch all = new CountDownLatch(threads.getPoolSize());
        CountDownLatch end = new CountDownLatch(1);
        for (int left = threads.getPoolSize(); left > 0; left--) {
            assertThat(threads.blockForAvailableThreads()).isEqualTo(left);
            threads.runInThread(() -> {
                all.countDown();
                await(end);
            });
        }
        assertThat(all.await(10, SECONDS)).isTrue();
        CountDownLatch free = new CountDownLatch(1);
        Thread scheduler = new Thread(() -> {
            threads.blockForAvailableThreads();
            free.countDown();
        });
        scheduler.start();
        assertThat(free.getCount()).isEqualTo(1);
        end.countDown();
        assertThat(free.await(10, SECONDS)).isTrue();
        threads.shutdown(true);
    }

    @Test
    void aStopWaitsForTheJobsIfItIsToldTo() throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        threads.runInThread(() -> {
            running.incrementAndGet();
            begun.countDown();
            await(end);
            running.decrementAndGet();
        });
        assertThat(begun.await(10, SECONDS)).isTrue();
        threads.shutdown(false);
        assertThat(running).hasValue(1);
        end.countDown();
        threads.shutdown(true);
        assertThat(running).hasValue(0);
        assertThat(threads.runInThread(() -> {})).isFalse();
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
