package io.dromedary.change;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * How file names are held: a byte string is a {@link String} every char of which is one byte (ISO-8859-1).
 *
 * <p>File names on Linux are bytes of no particular charset. Held this way they are lossless, compact, hashable and
 * usable with {@link java.util.regex}, and no platform charset ever touches them. A path is relative to its mirror's
 * root, its names separated by '/', without leading or trailing slash; "" is the root itself.
 */
public final class ByteString {
    private ByteString() {}

    /** The byte string of what a user wrote in a setting or on the command line: its UTF-8 bytes. */
    public static String of(String text) {
        return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    /** The way back from {@link #of}, of what is known to have come from there. */
    public static String text(String byteString) {
        return new String(bytes(byteString), StandardCharsets.UTF_8);
    }

    /** The bytes as the kernel and rsync take them. */
    public static byte[] bytes(String byteString) {
        return byteString.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** For people: decoded as UTF-8, or byte by byte where it is not UTF-8, with control and formatting characters escaped. */
    public static String readable(String byteString) {
        if (byteString.isEmpty()) {
            return ".";
        }
        String escaped = escape(byteString);
        StringBuilder shown = new StringBuilder(escaped.length() + 16);
        try {
            CharBuffer text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes(escaped)));
            text.codePoints().forEach(c -> {
                if (isUnprintable(c)) {
                    of(Character.toString(c)).chars().forEach(b -> appendHex(shown, (char) b));
                } else {
                    shown.appendCodePoint(c);
                }
            });
        } catch (CharacterCodingException notUtf8) {
            for (int i = 0; i < escaped.length(); i++) {
                char c = escaped.charAt(i);
                if (c < 0x80) {
                    shown.append(c);
                } else {
                    appendHex(shown, c);
                }
            }
        }
        return shown.toString();
    }

    /** What moves a terminal's cursor, breaks the line or turns the text around it. */
    private static boolean isUnprintable(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL, Character.FORMAT, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> true;
            default -> false;
        };
    }

    /** One line of it: control bytes and the backslash become {@code \xHH}, {@code \\}; all other bytes stay. */
    public static String escape(String byteString) {
        StringBuilder line = new StringBuilder(byteString.length());
        for (int i = 0; i < byteString.length(); i++) {
            char c = byteString.charAt(i);
            if (c == '\\') {
                line.append("\\\\");
            } else if (c < 0x20 || c == 0x7f) {
                appendHex(line, c);
            } else {
                line.append(c);
            }
        }
        return line.toString();
    }

    /** The way back from {@link #escape}; a malformed escape is an {@link IllegalArgumentException}. */
    public static String unescape(String line) {
        if (line.indexOf('\\') < 0) {
            return line;
        }
        StringBuilder bytes = new StringBuilder(line.length());
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (c != '\\') {
                bytes.append(c);
            } else if (line.startsWith("\\\\", i)) {
                bytes.append('\\');
                i++;
            } else if (line.startsWith("\\x", i) && hex(line, i + 2) >= 0 && hex(line, i + 3) >= 0) {
                bytes.append((char) (hex(line, i + 2) << 4 | hex(line, i + 3)));
                i += 3;
            } else {
                throw new IllegalArgumentException("malformed escape in '" + line + "'; \\\\ and \\xHH are allowed");
            }
        }
        return bytes.toString();
    }

    /** The value of the digit there; -1 if there is none. */
    private static int hex(String line, int at) {
        return at < line.length() ? Character.digit(line.charAt(at), 16) : -1;
    }

    private static void appendHex(StringBuilder out, char c) {
        out.append("\\x").append(Character.forDigit(c >> 4, 16)).append(Character.forDigit(c & 15, 16));
    }
}
