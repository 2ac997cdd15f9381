package io.dromedary.mirror;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.mirror.Receiver.Ability;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReceiverTest {
    /** The words of rsync 3.0.6, 3.1.2 and 3.5.0, as a daemon and behind ssh. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "rsync: on remote machine: -@-1: unknown option | NANOSECONDS",
                "rsync: on remote machine: --delete-missing-args: unknown option | DELETIONS_IN_LISTS",
                "rsync: --modify-window=-1: unknown option | NANOSECONDS",
                "rsync: The server is configured to refuse --modify-window (-@) | NANOSECONDS",
                "rsync: The server is configured to refuse --ignore-times (-I) | COMPARED",
                "rsync: The server is configured to refuse --log-format | ITEMIZED",
                "The server is configured to refuse --stats | STATISTICS",
            })
    void namesWhatIsRefused(String words, Ability ability) {
        assertThat(Receiver.refusedOption(words).flatMap(Receiver::of)).contains(ability);
    }

    @Test
    void whatAUserWroteAndWhatNothingElseDoesIsNoneOfThese() {
        assertThat(Receiver.refusedOption("rsync: The server is configured to refuse --compress (-z)")
                        .flatMap(Receiver::of))
                .isEmpty();
        assertThat(Receiver.refusedOption("rsync: The server is configured to refuse --delete"))
                .contains("delete");
        assertThat(Receiver.of("delete")).isEmpty();
        assertThat(Receiver.refusedOption("Connection reset by peer (104)")).isEmpty();
    }

    @Test
    void withoutForceWhatIsInTheWayIsDeletedByDelete() {
        Receiver receiver = new Receiver();
        List<String> options = List.of("--stats", "--force", "--no-r", "--remote-option=--timeout=0");
        assertThat(receiver.taken(options)).isEqualTo(options);
        assertThat(receiver.text()).isEmpty();
        receiver.refuse(Set.of(Ability.FORCE, Ability.TIMEOUT));
        assertThat(receiver.taken(options)).containsExactly("--stats", "--no-r", "--dirs", "--delete");
        assertThat(receiver.text())
                .isEqualTo("its rsync does not take --force, --timeout:"
                        + " what is in the way is deleted by --delete, it is told of no time limit");
        receiver.protocol(31);
        assertThat(receiver.text()).startsWith("its rsync (protocol 31: 3.1 to 3.3) does not take --force, --timeout:");
    }
}
