package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MeaningTest {
    /** All that rsync(1) lists under "EXIT VALUES". */
    @ParameterizedTest
    @CsvSource({
        "0, DONE",
        "1, WRONG",
        "2, WRONG",
        "3, WRONG",
        "4, WRONG",
        "5, AGAIN",
        "6, WRONG",
        "10, AGAIN",
        "11, AGAIN",
        "12, AGAIN",
        "13, AGAIN",
        "14, AGAIN",
        "20, AGAIN",
        "21, AGAIN",
        "22, AGAIN",
        "23, PARTIAL",
        "24, DONE",
        "25, LIMIT",
        "30, AGAIN",
        "35, AGAIN"
    })
    void whatAnExitCodeAsksFor(int exitCode, Meaning meaning) {
        assertThat(Meaning.of(exitCode)).isEqualTo(meaning);
    }

    @ParameterizedTest
    @ValueSource(ints = {-9, -1, 126, 127, 128, 129, 130, 137, 143, 255, 256, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void signalsAndTheRemoteShellsOwnErrorsAreTriedAgain(int exitCode) {
        assertThat(Meaning.of(exitCode)).isEqualTo(Meaning.AGAIN);
    }

    @Test
    void nothingButZeroAndVanishedFilesIsASuccess() {
        for (int exitCode = -256; exitCode <= 512; exitCode++) {
            assertThat(Meaning.of(exitCode) == Meaning.DONE)
                    .as("exit code %d", exitCode)
                    .isEqualTo(exitCode == 0 || exitCode == 24);
        }
    }
}
