package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DifferenceTest {
    @Test
    void linesOfRsyncAreTakenApart() {
        assertThat(Difference.parse(">f+++++++++ a/x y"))
                .isEqualTo(new Difference("a/x y", false, false, ">f+++++++++"));
        assertThat(Difference.parse("<f.st...... a")).isEqualTo(new Difference("a", false, false, "<f.st......"));
        assertThat(Difference.parse("cd+++++++++ a/b/")).isEqualTo(new Difference("a/b", true, false, "cd+++++++++"));
        assertThat(Difference.parse("cL+++++++++ link")).isEqualTo(new Difference("link", false, false, "cL+++++++++"));
        assertThat(Difference.parse("*deleting   r/q/")).isEqualTo(new Difference("r/q", true, true, "*deleting"));
        assertThat(Difference.parse("*deleting    blank"))
                .isEqualTo(new Difference(" blank", false, true, "*deleting"));
        assertThat(Difference.parse(".d..t...... ./")).isEqualTo(new Difference("", true, false, ".d..t......"));
    }

    @Test
    void escapedBytesAreThemselves() {
        assertThat(Difference.parse(">f+++++++++ we\\#012ird").path()).isEqualTo("we\nird");
        assertThat(Difference.parse(">f+++++++++ \\#376\\#3771").path()).isEqualTo("\u00fe\u00ff1");
        assertThat(Difference.parse(">f+++++++++ b\\#134#012c").path()).isEqualTo("b\\#012c");
        assertThat(Difference.parse(">f+++++++++ bs\\z").path()).isEqualTo("bs\\z");
    }

    @Test
    void otherLinesAreNone() {
        assertThat(Difference.parse("")).isNull();
        assertThat(Difference.parse("Number of files: 12 (reg: 3, dir: 9)")).isNull();
        assertThat(Difference.parse("cannot delete non-empty directory: r")).isNull();
    }
}
