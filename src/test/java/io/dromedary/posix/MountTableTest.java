package io.dromedary.posix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;

class MountTableTest {
    @Test
    void whatIsMountedHereIsBelowTheRoot() {
        assumeTrue(Entries.bySystemCalls());
        try (MountTable table = new MountTable()) {
            assumeTrue(table.descriptor() >= 0);
            assertThat(table.below("/")).containsKey("proc");
            assertThat(table.below("/proc/self")).isEmpty();
            long before = table.generation();
            assertThat(table.generation()).isEqualTo(before);
        }
    }
}
