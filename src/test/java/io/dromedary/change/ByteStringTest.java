package io.dromedary.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.dromedary.testbed.Names;
import java.nio.charset.StandardCharsets;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.Chars;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteStringTest {
    private static String byteString(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    @Property
    void everyByteStringComesBackFromItsEscapedForm(@ForAll @CharRange(from = 0, to = 255) String byteString) {
        String line = ByteString.escape(byteString);
        assertThat(line.chars()).noneMatch(c -> c < 0x20 || c == 0x7f);
        assertThat(ByteString.unescape(line)).isEqualTo(byteString);
    }

    /** Mostly what escapes are made of, so that names that look like escapes occur. */
    @Property
    void namesThatLookLikeEscapesComeBackToo(
            @ForAll @Chars({'\\', 'x', '0', 'a', '\n'}) @StringLength(max = 8) String byteString) {
        assertThat(ByteString.unescape(ByteString.escape(byteString))).isEqualTo(byteString);
    }

    @Test
    void oddNamesComeBack() {
        assertThat(Names.odd()).map(ByteStringTest::byteString).allSatisfy(name -> assertThat(
                        ByteString.unescape(ByteString.escape(name)))
                .isEqualTo(name));
    }

    @Property
    void bytesAndBack(@ForAll byte[] bytes) {
        assertThat(ByteString.bytes(byteString(bytes))).isEqualTo(bytes);
    }

    @Property
    void whatAUserWroteIsItsUtf8(@ForAll @CharRange(from = 0, to = 0xd7ff) String text) {
        assertThat(ByteString.bytes(ByteString.of(text))).isEqualTo(text.getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\\", "a\\", "\\x", "\\x1", "\\xg0", "\\x-1", "\\x+f", "\\n", "\\X00", "\\ "})
    void malformedEscapesAreRefused(String line) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ByteString.unescape(line))
                .withMessage("malformed escape in '" + line + "'; \\\\ and \\xHH are allowed");
    }

    /** The text is given as it is for people; its byte string is its UTF-8. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            a b/c         | a b/c
            文件名/é      | 文件名/é
            \ud83d\udc2a  | \ud83d\udc2a
            a\\b          | a\\\\b
            """)
    void textIsShownAsItIsButForTheBackslash(String text, String shown) {
        assertThat(ByteString.readable(ByteString.of(text))).isEqualTo(shown);
    }

    @Test
    void theRootIsADot() {
        assertThat(ByteString.readable("")).isEqualTo(".");
    }

    @Test
    void whatIsNoTextIsShownByteByByte() {
        assertThat(ByteString.readable("a\u00ff/b")).isEqualTo("a\\xff/b");
        assertThat(ByteString.readable(ByteString.of("é") + "\u00fe")).isEqualTo("\\xc3\\xa9\\xfe");
        assertThat(ByteString.readable("\u00ed\u00a0\u0080")).isEqualTo("\\xed\\xa0\\x80");
    }

    @Test
    void nothingShownCanChangeTheLineOrTheTerminal() {
        assertThat(ByteString.readable("a\nb\033[31m\u007f")).isEqualTo("a\\x0ab\\x1b[31m\\x7f");
        // CSI as one character, the line separators of Unicode, and right-to-left override.
        assertThat(ByteString.readable(ByteString.of("\u009b31m"))).isEqualTo("\\xc2\\x9b31m");
        assertThat(ByteString.readable(ByteString.of("\u0085\u2028"))).isEqualTo("\\xc2\\x85\\xe2\\x80\\xa8");
        assertThat(ByteString.readable(ByteString.of("x\u202egpj"))).isEqualTo("x\\xe2\\x80\\xaegpj");
    }

    @Property
    void whateverTheBytesTheyAreShownInOneLineWithoutControls(
            @ForAll @CharRange(from = 0, to = 255) @StringLength(min = 1) String byteString) {
        assertThat(ByteString.readable(byteString).codePoints().boxed())
                .noneMatch(Character::isISOControl)
                .noneMatch(c -> c == 0x2028 || c == 0x2029 || Character.getType(c) == Character.FORMAT);
    }

    @Property
    void whatIsShownLeadsBack(@ForAll @CharRange(from = 0, to = 255) @StringLength(min = 1) String byteString) {
        assertThat(ByteString.unescape(ByteString.of(ByteString.readable(byteString))))
                .isEqualTo(byteString);
    }

    @Property
    void whateverTheTextItIsShownInOneLineWithoutControls(
            @ForAll @CharRange(from = 0x80, to = 0x2100) @StringLength(min = 1) String text) {
        assertThat(ByteString.readable(ByteString.of(text)).codePoints().boxed())
                .noneMatch(Character::isISOControl)
                .noneMatch(c -> c == 0x2028 || c == 0x2029 || Character.getType(c) == Character.FORMAT);
    }
}
