package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.mirror.Bandwidth;
import io.dromedary.push.Throttle.Kind;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

class ThrottleTest {
    private static final long STEP = TimeUnit.MILLISECONDS.toNanos(10);
    private static final double LIMIT = 1024 * 1024;

    private final DayClock clock = new DayClock();
    private final Throttle throttle = new Throttle(Bandwidth.parse("1m, 18:00-20:00=4m, 22:00-06:00=0"), clock);
    private long now;

    private static final class DayClock extends Clock {
        private String time = "12:00:00";

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }

        @Override
        public Instant instant() {
            return Instant.parse("2026-11-29T" + time + "Z");
        }
    }

    /** What each of these sends that would send so much, in seconds of the limit for each second. */
    private double[] sent(int seconds, Kind[] kinds, double[] wants) {
        double[] sent = new double[kinds.length];
        for (long end = now + TimeUnit.SECONDS.toNanos(seconds); now < end; now += STEP) {
            for (int i = 0; i < kinds.length; i++) {
                throttle.rate(now);
                if (throttle.left(kinds[i]) > 0) {
                    double bytes = wants[i] * LIMIT * STEP / 1e9;
                    throttle.sent(kinds[i], (long) bytes);
                    sent[i] += bytes / LIMIT / seconds;
                }
            }
        }
        return sent;
    }

    @Test
    void whatIsBehindSharesTheLimit() {
        throttle.begin(Kind.BEHIND);
        throttle.begin(Kind.BEHIND);
        double[] sent = sent(100, new Kind[] {Kind.BEHIND, Kind.BEHIND}, new double[] {1, 1});
        assertThat(sent[0] + sent[1]).isCloseTo(1, Percentage.withPercentage(2));
    }

    @Test
    void smallChangesGoFirst() {
        throttle.begin(Kind.BEHIND);
        double[] sent = sent(100, new Kind[] {Kind.BEHIND, Kind.LIVE}, new double[] {5, 0.5});
        assertThat(sent[1]).as("all that they want").isCloseTo(0.5, Percentage.withPercentage(1));
        assertThat(sent[0]).isCloseTo(0.5, Percentage.withPercentage(10));
    }

    @Test
    void smallChangesLeaveATenth() {
        throttle.begin(Kind.BEHIND);
        double[] sent = sent(300, new Kind[] {Kind.BEHIND, Kind.LIVE}, new double[] {5, 5});
        assertThat(sent[0]).isCloseTo(0.1, Percentage.withPercentage(20));
        assertThat(sent[0] + sent[1]).isCloseTo(1, Percentage.withPercentage(2));
        throttle.end(Kind.BEHIND);
        assertThat(sent(100, new Kind[] {Kind.LIVE}, new double[] {5})[0])
                .as("with nothing behind them")
                .isCloseTo(1, Percentage.withPercentage(2));
    }

    @Test
    void questionsAreCountedAndNeverStopped() {
        double[] sent = sent(100, new Kind[] {Kind.BEHIND, Kind.QUESTION}, new double[] {5, 0.7});
        assertThat(sent[1]).isCloseTo(0.7, Percentage.withPercentage(1));
        assertThat(sent[0]).isCloseTo(0.3, Percentage.withPercentage(10));
    }

    @Test
    void theLimitIsThatOfTheTimeOfDay() {
        Kind[] one = {Kind.BEHIND};
        double[] much = {100};
        assertThat(sent(50, one, much)[0]).isCloseTo(1, Percentage.withPercentage(4));
        clock.time = "18:00:00";
        assertThat(sent(50, one, much)[0]).isCloseTo(4, Percentage.withPercentage(4));
        clock.time = "22:00:00";
        assertThat(sent(50, one, much)[0]).isCloseTo(100, Percentage.withPercentage(1));
        clock.time = "06:00:00";
        assertThat(sent(50, one, much)[0])
                .as("nothing is owed of a time without a limit")
                .isCloseTo(1, Percentage.withPercentage(4));
    }

    @Test
    void callsAreToldApart() {
        assertThat(Kind.of(List.of("-a", "--", ".", "b/"))).isEqualTo(Kind.LIVE);
        assertThat(Kind.of(List.of("-a", Transfer.OPTION, "--", ".", "b/"))).isEqualTo(Kind.BEHIND);
        assertThat(Kind.of(List.of("--dry-run", "-a", Transfer.OPTION, "--", ".", "b/")))
                .isEqualTo(Kind.QUESTION);
    }
}
