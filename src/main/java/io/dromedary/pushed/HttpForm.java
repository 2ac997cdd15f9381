package io.dromedary.pushed;

import io.dromedary.change.ByteString;
import java.nio.charset.StandardCharsets;
import org.apache.camel.Header;

/** The form that sersync's plugin "http" posts. */
public final class HttpForm {
    /** inotify(7): the bits that sersync would have got for what the path is now; the event itself is not kept. */
    private static final int CLOSE_WRITE = 0x8;

    private static final int CREATE = 0x100;
    private static final int DELETE = 0x200;
    private static final int ISDIR = 0x40000000;

    /** {@code watchroot=…&isdir=0|1&inotifyPath=…&mask=N}, percent-encoded by byte. */
    public String text(
            @Header("DromedarySource") String source,
            @Header("DromedaryBytes") byte[] path,
            @Header("DromedaryDirectory") boolean directory,
            @Header("DromedaryGone") boolean gone) {
        int event = gone ? DELETE : directory ? CREATE : CLOSE_WRITE;
        return "watchroot=" + encoded(ByteString.of(source), "/")
                + "&isdir=" + (directory ? 1 : 0)
                + "&inotifyPath=" + encoded(new String(path, StandardCharsets.ISO_8859_1), "/")
                + "&mask=" + (directory ? event | ISDIR : event);
    }

    /** Percent-encodes all bytes of a byte string but RFC 3986's unreserved ones and those. */
    static String encoded(String byteString, String kept) {
        StringBuilder text = new StringBuilder(byteString.length() + 16);
        for (int i = 0; i < byteString.length(); i++) {
            char c = byteString.charAt(i);
            if (c < 128 && (Character.isLetterOrDigit(c) || "-._~".indexOf(c) >= 0 || kept.indexOf(c) >= 0)) {
                text.append(c);
            } else {
                text.append(String.format("%%%02X", (int) c));
            }
        }
        return text.toString();
    }
}
