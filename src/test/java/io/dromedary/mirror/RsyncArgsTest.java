package io.dromedary.mirror;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RsyncArgsTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "-avxL",
                "-L -x",
                "--copy-links --one-file-system",
                "-xaLe 'ssh -p 22'",
                "-k --no-x -x",
                "--copy-unsafe-links -xx",
                "--copy-dirlinks -x"
            })
    void followsLinksOnOneFileSystem(String line) {
        RsyncArgs args = RsyncArgs.parse(line);
        assertThat(args.followsLinks()).isTrue();
        assertThat(args.oneFileSystem()).isTrue();
    }

    /** What is an option's value is no option. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "-a",
                "-a -e 'ssh -x'",
                "-ae -xL",
                "-a '-essh -xLk'",
                "-aTxLk",
                "--rsh -xL",
                "--suffix -L --temp-dir -x",
                "-M-xL",
                "--rsync-path='rsync -L' -K",
                "-x --no-x",
                "-xx --no-one-file-system",
                "-B xkL"
            })
    void doesNot(String line) {
        RsyncArgs args = RsyncArgs.parse(line);
        assertThat(args.followsLinks()).isFalse();
        assertThat(args.oneFileSystem()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "-aP, true",
        "-a --partial, true",
        "--partial-dir=.p, true",
        "--inplace, true",
        "-a, false",
        "-aP --no-partial, false"
    })
    void keepsPartial(String line, boolean keeps) {
        assertThat(RsyncArgs.parse(line).keepsPartial()).isEqualTo(keeps);
    }

    @Test
    void theLastOneHolds() {
        assertThat(RsyncArgs.parse("-a --no-t").has("times")).isFalse();
        assertThat(RsyncArgs.parse("--no-times -a").has("times")).isTrue();
        assertThat(RsyncArgs.parse("-a --no-D").has("devices")).isFalse();
        assertThat(RsyncArgs.parse("-a -e ssh --rsh 'ssh -v'").shell()).isEqualTo("ssh -v");
        assertThat(RsyncArgs.parse("-aessh").shell()).isEqualTo("ssh");
        assertThat(RsyncArgs.parse("-e=ssh").shell()).isEqualTo("ssh");
        assertThat(RsyncArgs.parse("-a").shell()).isNull();
        assertThat(RsyncArgs.parse("--max-size=1m --max-size 2m").value("max-size"))
                .isEqualTo("2m");
        assertThat(RsyncArgs.parse("--zl=3").value("compress-level")).isEqualTo("3");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-az --chmod=F644,D755",
                "-aze 'ssh -p 22' -x",
                "'-essh -p 22'",
                "-a --rsh 'ssh -p 22' --no-t",
                "--partial-dir=",
                "-a --suffix '' --unheard-of=x --unheard-of"
            })
    void rsyncGetsThemAsTheyWereWritten(String line) {
        RsyncArgs args = RsyncArgs.parse(line);
        assertThat(args.words()).isEqualTo(Remote.words(line));
        assertThat(args.refusals()).isEmpty();
    }

    @Test
    void rsyncDoesNotGetWhatIsRefused() {
        RsyncArgs args = RsyncArgs.parse("-avn --delete -z x --files-from list --delay-updates --ignore-existing");
        assertThat(args.words()).containsExactly("-av", "-z", "--delay-updates");
        assertThat(args.refusals())
                .containsExactly(
                        "-n is not allowed; nothing would be sent; dromedary check makes a dry run",
                        "--delete is not allowed; deletions are mirrored anyway, delete=false turns them off",
                        "x is no option; the value of one is written --option=value",
                        "--files-from is not allowed; the list of files is Dromedary's own; exclude says what is left out",
                        "--ignore-existing is not allowed; changes of files would never be mirrored");
    }

    @ParameterizedTest
    @ValueSource(strings = {"--", "-", "x", "-a x", "-av ''"})
    void whatIsNoOptionIsRefused(String line) {
        assertThat(RsyncArgs.parse(line).refusals()).singleElement().asString().contains("is no option");
    }

    @ParameterizedTest
    @CsvSource({"--exclude, --exclude", "-ae, -e", "-a --temp-dir, --temp-dir"})
    void aMissingValueIsAnError(String line, String option) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RsyncArgs.parse(line))
                .withMessage("rsync argument " + option + " has no value");
    }

    @Test
    void noWordsAtAll() {
        RsyncArgs args = RsyncArgs.of(List.of());
        assertThat(args.words()).isEmpty();
        assertThat(args.startsAnywhere()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({
        "-aAXHSz --no-o --rsh ssh, true",
        "-a --numeric-ids --chown=www:www, true",
        "-a --temp-dir=x, false",
        "-aL, false",
        "-a --inplace, false",
        "-a --exclude=x -f '. list', true",
        "-a --link-dest ../x, false"
    })
    void startsAnywhere(String line, boolean anywhere) {
        assertThat(RsyncArgs.parse(line).startsAnywhere()).isEqualTo(anywhere);
    }
}
