package io.dromedary.mirror;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.LocalTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BandwidthTest {
    private static long at(String text, String time) {
        return Bandwidth.parse(text).at(LocalTime.parse(time));
    }

    @ParameterizedTest
    @CsvSource({
        "100, 100",
        "100k, 100",
        "100K, 100",
        "10m, 10240",
        "1.5m, 1536",
        "2MiB, 2048",
        "2mb, 1953",
        "1g, 1048576",
        "0.5, 1",
        "0, 0",
        "'', 0",
        "' 7 ', 7"
    })
    void numbersAreThoseOfRsync(String text, long kibibytes) {
        Bandwidth bandwidth = Bandwidth.parse(text);
        assertThat(bandwidth.at(LocalTime.NOON)).isEqualTo(kibibytes);
        assertThat(bandwidth.highest()).isEqualTo(kibibytes);
        assertThat(bandwidth.isLimited()).isEqualTo(kibibytes > 0);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "fast",
                "-1",
                "10x",
                "10 m",
                "0.1",
                "10m,",
                "10m, 5m",
                "8-18=2m",
                "08:00=2m",
                "08:00-18:00",
                "08:00-25:00=2m",
                "08:00-18:00=",
                "10m 08:00-18:00=2m",
                "9999999g"
            })
    void anythingElseIsRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> Bandwidth.parse(text));
    }

    @Test
    void changesWithTheTimeOfDay() {
        String day = "10m, 08:00-18:00=2m";
        assertThat(at(day, "07:59:59")).isEqualTo(10240);
        assertThat(at(day, "08:00")).isEqualTo(2048);
        assertThat(at(day, "17:59:59")).isEqualTo(2048);
        assertThat(at(day, "18:00")).isEqualTo(10240);
        assertThat(Bandwidth.parse(day).highest()).isEqualTo(10240);
    }

    @Test
    void spansMayCrossMidnight() {
        String night = "22:00-06:00 = 0, 1m";
        assertThat(at(night, "23:00")).isZero();
        assertThat(at(night, "05:59")).isZero();
        assertThat(at(night, "06:00")).isEqualTo(1024);
        assertThat(at(night, "21:59")).isEqualTo(1024);
        assertThat(Bandwidth.parse(night).highest()).as("none, at night").isZero();
        assertThat(Bandwidth.parse(night).isLimited()).isTrue();
        assertThat(at("1m, 18:00-24:00=2m", "23:59")).isEqualTo(2048);
        assertThat(at("1m, 18:00-24:00=2m", "00:00")).isEqualTo(1024);
        assertThat(at("1m, 00:00-24:00=2m", "12:00")).isEqualTo(2048);
    }

    @Test
    void ofSpansThatOverlapTheLastHolds() {
        String lunch = "10m, 08:00-18:00=2m, 12:00-13:00=5m";
        assertThat(at(lunch, "12:30")).isEqualTo(5120);
        assertThat(at(lunch, "13:00")).isEqualTo(2048);
    }

    @Test
    void withoutANumberOfItsOwnTheRestHasNoLimit() {
        assertThat(at("08:00-18:00=2m", "12:00")).isEqualTo(2048);
        assertThat(at("08:00-18:00=2m", "19:00")).isZero();
    }
}
