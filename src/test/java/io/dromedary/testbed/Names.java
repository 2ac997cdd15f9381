package io.dromedary.testbed;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;

/** File names that Linux allows and that scripts, parsers and decoders stumble over. */
public final class Names {

    private static final int LONGEST = 255;

    private static final List<byte[]> ODD = List.of(
            utf8("two words"),
            utf8("new\nline"),
            utf8("\n"),
            utf8("tab\there"),
            utf8("it's"),
            utf8("say \"hi\""),
            utf8("-"),
            utf8("-rf"),
            utf8("--rsh=x"),
            utf8(" leading"),
            utf8("trailing "),
            utf8(" "),
            utf8("*"),
            utf8("a[b]"),
            utf8("[!a"),
            utf8("what?"),
            utf8("#comment"),
            utf8(";semicolon"),
            utf8("+ plus"),
            utf8("$(touch x)"),
            utf8("`touch x`"),
            utf8("${HOME}"),
            utf8("a:b"),
            utf8("::m"),
            utf8("..x"),
            utf8("..."),
            utf8("\\"),
            utf8("a\\nb"),
            utf8("\\#012"),
            utf8("%41"),
            utf8("{a,b}"),
            utf8("~"),
            utf8("~root"),
            utf8("a~"),
            utf8(".x.swp"),
            utf8("a|b>c&d"),
            utf8("cr\r"),
            utf8("bell\007\033[31m\177"),
            utf8("文件名"),
            "文件名".getBytes(Charset.forName("GBK")),
            // One look, two names: composed and decomposed.
            utf8("\u00e9"),
            utf8("e\u0301"),
            utf8("\ud83d\udc2a"),
            utf8("right\u202eleft"),
            // Never UTF-8: a lone continuation, a start without its continuation, an encoded surrogate, no such byte.
            bytes("bad\u0080"),
            bytes("\u00c3("),
            bytes("\u00ed\u00a0\u0080"),
            bytes("\u00fe\u00ff"),
            utf8("long".repeat(64).substring(0, LONGEST)),
            bytes("\u00ff".repeat(LONGEST)));

    private final Random random;

    public Names(Random random) {
        this.random = random;
    }

    /** Every one of them, each once: all are legal, none is "." or "..". */
    public static List<byte[]> odd() {
        return ODD.stream().map(byte[]::clone).toList();
    }

    /** One of them, or one of them with a number before or behind it; 1 to 255 bytes. */
    public byte[] next() {
        byte[] name = ODD.get(random.nextInt(ODD.size()));
        byte[] number = utf8(Integer.toString(random.nextInt(100)));
        int where = random.nextInt(3);
        if (where == 0 || name.length + number.length > LONGEST) {
            return name.clone();
        }
        byte[] first = where == 1 ? number : name;
        byte[] second = where == 1 ? name : number;
        return ByteBuffer.allocate(name.length + number.length)
                .put(first)
                .put(second)
                .array();
    }

    /** A byte string for people: decoded as UTF-8, what is not printable as {@code \xHH}; the root as ".". */
    public static String readable(String path) {
        if (path.isEmpty()) {
            return ".";
        }
        byte[] raw = path.getBytes(StandardCharsets.ISO_8859_1);
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(raw))
                    .toString();
            if (text.codePoints().noneMatch(Names::unprintable)) {
                return text;
            }
        } catch (CharacterCodingException e) {
            // Not text: escaped byte by byte below.
        }
        StringBuilder escaped = new StringBuilder();
        for (byte b : raw) {
            escaped.append(b >= ' ' && b < 0x7f ? String.valueOf((char) b) : String.format("\\x%02x", b));
        }
        return escaped.toString();
    }

    private static boolean unprintable(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.UNASSIGNED -> true;
            default -> false;
        };
    }

    private static byte[] utf8(String name) {
        return name.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] bytes(String name) {
        return name.getBytes(StandardCharsets.ISO_8859_1);
    }
}
