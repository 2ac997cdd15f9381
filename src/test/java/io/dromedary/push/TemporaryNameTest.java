package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.change.ByteString;
import org.junit.jupiter.api.Test;

class TemporaryNameTest {
    private static boolean isOf(String temporary, String path) {
        return TemporaryName.is(temporary) && TemporaryName.isOf(temporary, path);
    }

    @Test
    void isADotTheNameADotAndSixLettersOrDigits() {
        assertThat(isOf("d/.f.2i64cm", "d/f")).isTrue();
        assertThat(isOf(".disk.img.aZ09zA", "disk.img")).isTrue();
        assertThat(isOf(".a\nb.2i64cm", "a\nb")).isTrue();
        assertThat(isOf("d/.f.2i64cm", "f")).as("in another directory").isFalse();
        assertThat(isOf(".f.2i64cm", "d/f")).as("in another directory").isFalse();
        assertThat(isOf(".fg.2i64cm", "f")).as("of another file").isFalse();
        assertThat(isOf(".f.2i64cm", "fg")).as("of another file").isFalse();
        assertThat(isOf("f.2i64cm", "f")).as("without a dot").isFalse();
        assertThat(isOf(".f.2i64c", "f")).as("too short").isFalse();
        assertThat(isOf(".f.2i64c-", "f")).as("no letter").isFalse();
        assertThat(isOf(".bashrc", "bashrc")).as("no temporary file").isFalse();
    }

    @Test
    void twoDotsMayBeOne() {
        assertThat(isOf(".f.2i64cm", ".f")).isTrue();
        assertThat(isOf("..f.2i64cm", ".f")).isTrue();
        assertThat(isOf(".f.2i64cm", "f.")).isTrue();
        assertThat(isOf(".f..2i64cm", "f.")).isTrue();
    }

    @Test
    void longNameIsCut() {
        String ascii = "n".repeat(255);
        assertThat(isOf("." + "n".repeat(246) + ".2i64cm", ascii)).isTrue();
        assertThat(isOf("." + "n".repeat(245) + ".2i64cm", ascii)).isFalse();
        assertThat(isOf("." + "n".repeat(246) + ".2i64cm", "n".repeat(246))).isTrue();
        String umlauts = ByteString.of("n" + "ü".repeat(127));
        assertThat(isOf(".n.2i64cm", umlauts)).as("no half character is left").isTrue();
        assertThat(isOf("." + umlauts.substring(0, 246) + ".2i64cm", umlauts)).isTrue();
        assertThat(isOf(".2i64cm", ByteString.of("ü".repeat(127))))
                .as("nothing is left")
                .isTrue();
    }
}
