package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class LaneTest {
    @Test
    void eachHasANameOfItsOwn() {
        for (Lane lane : List.of(Lane.LIVE, Lane.FULL, Lane.LATER, Lane.large("live"), Lane.large("a b/c\nd"))) {
            assertThat(Lane.of(lane.toString())).isEqualTo(lane);
        }
        assertThat(Lane.of(null)).isEqualTo(Lane.LIVE);
    }
}
