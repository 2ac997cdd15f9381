package io.dromedary;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The soak, shortly. */
@Timeout(600)
class SoakIT {
    @TempDir
    Path directory;

    @Test
    void endsEqualAndFlatWhateverHappens() throws Exception {
        try (Soak soak = new Soak(directory, Duration.ofSeconds(16), System.nanoTime())) {
            soak.run();
        }
    }
}
