package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PaceTest {
    private static final long STEP = TimeUnit.MILLISECONDS.toNanos(10);
    private static final List<String> LOG = List.of("log");

    private final Pace pace = new Pace();

    /** How often the log is pushed that is appended to every 10 ms. */
    private int pushes(long from, int appends) {
        int pushes = 0;
        for (int i = 0; i < appends; i++) {
            long now = from + i * STEP;
            if (pace.pause(LOG, now, now) == 0) {
                pace.pushed(LOG, now);
                pushes++;
            }
        }
        return pushes;
    }

    @Test
    void whatIsPushedOverAndOverWaitsLongerAndLonger() {
        assertThat(pushes(0, 100)).isBetween(Pace.FREE + 3, 12);
        assertThat(pushes(100 * STEP, 1_000)).isBetween(9, 13);
    }

    @Test
    void theFirstTimesAreAtOnce() {
        assertThat(pushes(0, Pace.FREE)).isEqualTo(Pace.FREE);
    }

    @Test
    void whatIsNewHasNoneOfItWait() {
        pushes(0, 1_000);
        assertThat(pace.pause(LOG, 1_000 * STEP, 1_000 * STEP)).isPositive();
        assertThat(pace.pause(List.of("log", "new"), 1_000 * STEP, 1_000 * STEP))
                .isZero();
        assertThat(pace.pause(List.of(), 1_000 * STEP, 1_000 * STEP)).isZero();
    }

    @Test
    void afterAQuietTimeItIsNewAgain() {
        pushes(0, 1_000);
        long later = 1_000 * STEP + 2 * Pace.LONGEST_PAUSE;
        assertThat(pushes(later, Pace.FREE)).isEqualTo(Pace.FREE);
    }

    @Test
    void oneThatIsSavedEverySecondNeverWaits() {
        for (int i = 0; i < 100; i++) {
            assertThat(pace.pause(LOG, i * Pace.LONGEST_PAUSE, i * Pace.LONGEST_PAUSE))
                    .isZero();
            pace.pushed(LOG, i * Pace.LONGEST_PAUSE);
        }
    }

    @Test
    void howMuchItKnowsIsBounded() {
        pushes(0, 1_000);
        for (int i = 0; i < 2_000; i++) {
            pace.pushed(List.of("file" + i), 1_000 * STEP);
        }
        assertThat(pace.pause(LOG, 1_000 * STEP, 1_000 * STEP))
                .isEqualTo(pace.pause(List.of("never pushed"), 1_000 * STEP, 1_000 * STEP));
    }

    @Test
    void whatAnEditorWritesForAMomentWaitsForTheSavedFile() {
        for (String name : List.of(
                "4913", "notes~", ".notes.swp", ".#notes", "#notes#", "sedAb12Cd", ".goutputstream-X1", "notes.tmp")) {
            assertThat(pace.pause(List.of("etc/" + name), 0, 0)).as(name).isEqualTo(Pace.TEMPORARY_PAUSE);
        }
        assertThat(pace.pause(List.of("4913", "notes~"), 0, STEP)).isEqualTo(Pace.TEMPORARY_PAUSE - STEP);
        assertThat(pace.pause(List.of("4913", "notes~"), 0, Pace.TEMPORARY_PAUSE))
                .isZero();
        assertThat(pace.pause(List.of("4913", "notes", "notes~"), 0, 0)).isZero();
        assertThat(pace.pause(List.of("a~/notes"), 0, 0)).isZero();
    }

    /** How many pushes of paths never pushed before leave, when there is one to make every 10 ms. */
    private int stream(long from, int changes) {
        int pushes = 0;
        for (int i = 0; i < changes; i++) {
            long now = from + i * STEP;
            if (pace.pause(List.of(), now, now) <= 0) {
                pace.pushed(List.of(), now);
                pushes++;
            }
        }
        return pushes;
    }

    @Test
    void aStreamOfPushesIsPaced() {
        long begin = Long.MAX_VALUE - STEP;
        assertThat(stream(begin, Pace.AT_ONCE)).isEqualTo(Pace.AT_ONCE);
        long seconds = 10;
        long next = begin + Pace.AT_ONCE * STEP;
        assertThat((long) stream(next, (int) (TimeUnit.SECONDS.toNanos(seconds) / STEP)))
                .isBetween(10 * seconds - 1, 10 * seconds + Pace.AT_ONCE);
    }

    @Test
    void pushesThatComeEvenlyAtThatPaceNeverWait() {
        for (int i = 0; i < 100; i++) {
            long now = i * Pace.STREAM_PAUSE;
            assertThat(pace.pause(List.of(), now, now)).isNotPositive();
            pace.pushed(List.of(), now);
        }
    }
}
