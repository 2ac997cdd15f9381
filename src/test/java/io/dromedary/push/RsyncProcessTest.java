package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RsyncProcessTest {
    @Test
    void sameFaultIsToldInTheSameWordsWhateverFollowsFromIt() {
        String cause = "rsync: [receiver] write failed on \"/large\" (in m): No space left on device (28)";
        String receiver = "rsync error: error in file IO (code 11) at receiver.c(401) [receiver=3.2.7]";
        String generator = "rsync error: error in file IO (code 11) at io.c(1704) [generator=3.2.7]";
        String reset = "rsync: [sender] read error: Connection reset by peer (104)";
        assertThat(RsyncProcess.words(cause + "\n" + receiver + "\n")).isEqualTo(cause);
        assertThat(RsyncProcess.words(cause + "\n\n" + receiver + "\n" + generator + "\n" + reset))
                .isEqualTo(cause);
    }

    @Test
    void consequencesAreToldWhereTheyAreAllThatIsKnown() {
        assertThat(RsyncProcess.words("rsync: connection unexpectedly closed (0 bytes received so far) [sender]"))
                .isEqualTo("rsync: connection unexpectedly closed (0 bytes received so far) [sender]");
        assertThat(RsyncProcess.words("")).isEmpty();
    }

    @Test
    void noMoreThanThreeLinesAreShown() {
        assertThat(RsyncProcess.words("a\nb\nc\nd\ne\n")).isEqualTo("a; b; c … and 2 more lines");
    }
}
