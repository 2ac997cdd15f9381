package io.dromedary.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class SwitchTest {
    @Test
    void listIsRead() {
        assertThat(Switch.parse(" delete, create-folder,,move-to "))
                .containsExactlyInAnyOrder(Switch.DELETE, Switch.CREATE_FOLDER, Switch.MOVE_TO);
        assertThat(Switch.parse("")).isEmpty();
    }

    @Test
    void otherSpellingsAreRefused() {
        assertThatThrownBy(() -> Switch.parse("delete,closeWrite"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "events: unknown 'closeWrite', allowed are delete, create-folder, create-file,");
    }
}
