package io.dromedary.watch;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class InotifyEventTest {
    @Property(tries = 200)
    void whatTheKernelWritesIsRead(@ForAll("events") List<InotifyEvent> events) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(64 * 1024).order(ByteOrder.nativeOrder());
        for (InotifyEvent event : events) {
            encode(event, buffer);
        }
        buffer.flip();
        List<InotifyEvent> read = new ArrayList<>();
        InotifyEvent.decode(buffer, read::add);
        assertThat(read).isEqualTo(events);
    }

    @Provide
    Arbitrary<List<InotifyEvent>> events() {
        Arbitrary<String> names = Arbitraries.strings()
                .withCharRange('\u0001', '\u00ff')
                .ofMinLength(0)
                .ofMaxLength(255);
        return Combinators.combine(Arbitraries.integers(), Arbitraries.integers(), Arbitraries.integers(), names)
                .as(InotifyEvent::new)
                .list()
                .ofMaxSize(100);
    }

    @Test
    void anEmptyBufferHasNoEvents() {
        List<InotifyEvent> read = new ArrayList<>();
        InotifyEvent.decode(ByteBuffer.allocate(0), read::add);
        assertThat(read).isEmpty();
    }

    /** As inotify(7) has it: a name ends with a NUL and is padded to a multiple of the header's size. */
    private static void encode(InotifyEvent event, ByteBuffer buffer) {
        byte[] name = event.name().getBytes(StandardCharsets.ISO_8859_1);
        int length = name.length == 0 ? 0 : (name.length / 16 + 1) * 16;
        buffer.putInt(event.wd()).putInt(event.mask()).putInt(event.cookie()).putInt(length);
        buffer.put(name).put(new byte[length - name.length]);
    }
}
