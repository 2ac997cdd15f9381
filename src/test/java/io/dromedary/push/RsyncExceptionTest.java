package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.apache.camel.CamelExecutionException;
import org.apache.camel.RuntimeCamelException;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RsyncExceptionTest {
    private static final String REFUSAL = "ERROR: invalid file mode 00 for a/gone [receiver]";

    @Test
    void saysWhatRsyncSaid() {
        RsyncException e = new RsyncException(10, "rsync: failed to connect to web1: Connection refused (111)");
        assertThat(e).hasMessage("rsync: failed to connect to web1: Connection refused (111) (rsync exit code 10)");
        assertThat(e.getExitCode()).isEqualTo(10);
        assertThat(e.getMeaning()).isEqualTo(Meaning.AGAIN);
        assertThat(new RsyncException(12, "")).hasMessage("rsync said nothing (rsync exit code 12)");
    }

    @Test
    void aRefusedDeletionIsToldByCodeAndWords() {
        assertThat(new RsyncException(2, REFUSAL).isDeletionRefused()).isTrue();
        assertThat(new RsyncException(12, REFUSAL).isDeletionRefused()).isFalse();
        assertThat(new RsyncException(2, "protocol version mismatch -- is your shell clean?").isDeletionRefused())
                .isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "rsync error: protocol incompatibility (code 2) at flist.c(874) [Receiver=3.2.7]",
                "file has vanished: \"/data/x\""
            })
    void aRefusedDeletionIsRecognisedThoughItsWordsWereLost(String words) {
        assertThat(new RsyncException(2, words).isDeletionRefused()).isTrue();
        assertThat(new RsyncException(2, words).isDeletionRefused()).isTrue();
        assertThat(new RsyncException(12, words).isDeletionRefused()).isFalse();
    }

    /** rsync 3.1 as receiver: a path and its parent are gone by the time they are sent. */
    @Test
    void whatVanishedWithItsDirectoryIsNeitherARefusalNorAnOutage() {
        String told = "file has vanished: \"/s/d\"\n".repeat(4)
                + "ABORTING due to invalid path from sender: d/f\n"
                + "rsync error: protocol incompatibility (code 2) at generator.c(1270) [generator=3.1.2]";
        RsyncException e = PartialException.of(
                2, RsyncProcess.words(told), new RsyncException.Told(told, Path.of("/s"), false, ""));
        assertThat(e).hasMessage("ABORTING due to invalid path from sender: d/f (rsync exit code 2)");
        assertThat(e.getMeaning()).isEqualTo(Meaning.PARTIAL);
        assertThat(e.isDeletionRefused()).isFalse();
        assertThat(e).isInstanceOf(PartialException.class);
        String refused = "file has vanished: \"/s/a\"\n" + REFUSAL;
        e = PartialException.of(
                2, RsyncProcess.words(refused), new RsyncException.Told(refused, Path.of("/s"), false, ""));
        assertThat(e).isNotInstanceOf(PartialException.class);
        assertThat(e.isDeletionRefused()).isTrue();
    }

    @Test
    void othersRefuseNoDeletion() {
        assertThat(new RsyncException(2, REFUSAL).isDeletionRefused()).isTrue();
        assertThat(new RsyncException(23, "x").isDeletionRefused()).isFalse();
        for (int exitCode : new int[] {1, 5, 10, 12, 20, 25, 30, 35, 137, 255}) {
            assertThat(new RsyncException(exitCode, "x").isDeletionRefused())
                    .as("exit code %d", exitCode)
                    .isFalse();
        }
        for (Exception other : new Exception[] {new IllegalStateException("x"), null}) {
            assertThat(RsyncException.in(other)).isSameAs(other);
        }
    }

    @Test
    void isFoundInWhatCamelWrapsAroundIt() {
        RsyncException inner = new RsyncException(23, "x");
        Exception wrapped = new CamelExecutionException(
                "push", new DefaultExchange(new DefaultCamelContext()), new RuntimeCamelException(inner));
        assertThat(RsyncException.in(wrapped)).isSameAs(inner);
        assertThat(RsyncException.in(inner)).isSameAs(inner);
        Exception other = new IllegalStateException("x");
        assertThat(RsyncException.in(other)).isSameAs(other);
    }

    /** What a refusal without words looks like; what names another cause is none. */
    @Test
    void onlyWhatNamesNoOtherCauseMayBeARefusal() {
        for (String words : new String[] {
            "",
            "rsync: [sender] read error: Connection reset by peer (104)",
            "rsync error: error in rsync protocol data stream (code 12) at io.c(285)",
            "file has vanished: \"/s/a\"; file has vanished: \"/s/b\" … and 2 more lines",
            "/usr/bin/rrsync error: invalid rsync-command syntax or options",
        }) {
            assertThat(new RsyncException(12, words).isSilent()).as(words).isTrue();
            assertThat(new RsyncException(23, words).isSilent()).as(words).isFalse();
        }
        for (String words : new String[] {
            "rsync: [sender] failed to connect to h (192.0.2.1): Connection refused (111)",
            "@ERROR: auth failed on module m",
            "ERROR: module is read only",
            "ssh: connect to host h port 22: No route to host",
            "rsync: getaddrinfo: h 873: Name or service not known",
        }) {
            assertThat(new RsyncException(10, words).isSilent()).as(words).isFalse();
        }
    }

    @Test
    void aRefusalIsTheCauseWhateverIsSaidOfFiles() {
        String vanished = "file has vanished: \"/s/a\"\n".repeat(5);
        assertThat(RsyncProcess.words(vanished + "rsync: The server is configured to refuse --force\nrsync error: x"))
                .isEqualTo("rsync: The server is configured to refuse --force");
    }
}
