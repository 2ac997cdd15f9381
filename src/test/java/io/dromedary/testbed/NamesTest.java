package io.dromedary.testbed;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class NamesTest {

    private static boolean legal(byte[] name) {
        String text = new String(name, StandardCharsets.ISO_8859_1);
        return name.length >= 1
                && name.length <= 255
                && text.indexOf('/') < 0
                && text.indexOf('\0') < 0
                && !text.equals(".")
                && !text.equals("..");
    }

    @Test
    void allAreLegalAndDistinct() {
        assertThat(Names.odd()).allMatch(NamesTest::legal);
        assertThat(Names.odd().stream().map(name -> new String(name, StandardCharsets.ISO_8859_1)))
                .doesNotHaveDuplicates();
        long seed = new Random().nextLong();
        Names names = new Names(new Random(seed));
        assertThat(IntStream.range(0, 2_000).mapToObj(i -> names.next()))
                .as("seed %d", seed)
                .allMatch(NamesTest::legal);
    }

    @Test
    void readableIsOneLine() {
        assertThat(Names.readable("")).isEqualTo(".");
        assertThat(Names.readable("a b/c")).isEqualTo("a b/c");
        assertThat(Names.readable("a\nb")).isEqualTo("a\\x0ab");
        assertThat(Names.readable("\u00e6\u0096\u0087")).isEqualTo("\u6587");
        assertThat(Names.readable("a\u00ff")).isEqualTo("a\\xff");
    }
}
