package io.dromedary.watch;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/**
 * One event as the kernel reports it, see {@code inotify(7)}.
 *
 * @param wd the watched directory
 * @param cookie the same in both halves of a rename, else 0. Only for hints: which directory moved where is told by its
 *     watch descriptor, also when the other half is never seen
 * @param name the entry in it as a byte string; empty when the event is about the directory itself
 */
record InotifyEvent(int wd, int mask, int cookie, String name) {
    static final int MODIFY = 0x2;
    static final int ATTRIB = 0x4;
    static final int CLOSE_WRITE = 0x8;
    static final int MOVED_FROM = 0x40;
    static final int MOVED_TO = 0x80;
    static final int CREATE = 0x100;
    static final int DELETE = 0x200;
    static final int DELETE_SELF = 0x400;
    static final int MOVE_SELF = 0x800;
    static final int UNMOUNT = 0x2000;
    static final int OVERFLOW = 0x4000;
    static final int IGNORED = 0x8000;
    static final int ONLYDIR = 0x1000000;
    static final int DONT_FOLLOW = 0x2000000;
    static final int EXCL_UNLINK = 0x4000000;
    static final int MASK_ADD = 0x20000000;
    static final int ISDIR = 0x40000000;

    private static final int HEADER = 16;

    boolean is(int bits) {
        return (mask & bits) != 0;
    }

    /** The kind of event that a change by this one belongs to; of a directory's creation too. */
    Switch cause() {
        if (is(CLOSE_WRITE)) {
            return Switch.CLOSE_WRITE;
        }
        if (is(DELETE)) {
            return Switch.DELETE;
        }
        if (is(ATTRIB)) {
            return Switch.ATTRIB;
        }
        if (is(CREATE)) {
            return Switch.CREATE_FOLDER;
        }
        return is(MOVED_FROM) ? Switch.MOVE_FROM : Switch.MOVE_TO;
    }

    /** Passes on the events in the buffer, which is in the machine's byte order, between its position and limit. */
    static void decode(ByteBuffer buffer, Consumer<InotifyEvent> events) {
        int at = buffer.position();
        while (at < buffer.limit()) {
            int length = buffer.getInt(at + 12);
            events.accept(new InotifyEvent(
                    buffer.getInt(at),
                    buffer.getInt(at + 4),
                    buffer.getInt(at + 8),
                    name(buffer, at + HEADER, length)));
            at += HEADER + length;
        }
    }

    /** The name is padded with one NUL at least. */
    private static String name(ByteBuffer buffer, int start, int padded) {
        int end = start;
        while (end < start + padded && buffer.get(end) != 0) {
            end++;
        }
        byte[] bytes = new byte[end - start];
        buffer.get(start, bytes);
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }
}
