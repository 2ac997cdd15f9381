package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that a program keeps open. */
@Timeout(300)
class OpenFilesIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"", "never.*"})
    void aLogThatStaysOpenArrivesInANewDirectoryTooAndOthersAtTheirClose(String regex) throws IOException {
        Path source = Files.createDirectory(directory.resolve("source"));
        Path copy = Files.createDirectory(directory.resolve("copy"));
        Configuration configuration = new Configuration(directory, source)
                .remote("r", copy.toString())
                .set("open-files=*.log", "open-files.interval=1s", "exclude-regex=" + regex);
        try (DromedaryProcess dromedary = configuration.run()) {
            dromedary.awaitLine("r: .*live", START);
            try (OutputStream log = Files.newOutputStream(source.resolve("a.log"));
                    OutputStream other = Files.newOutputStream(source.resolve("other"))) {
                log.write('1');
                other.write('1');
                arrives(copy.resolve("a.log"), "1");
                log.write('2');
                arrives(copy.resolve("a.log"), "12");
                Path made = Files.createDirectory(source.resolve("made"));
                try (OutputStream inside = Files.newOutputStream(made.resolve("b.log"));
                        OutputStream beside = Files.newOutputStream(made.resolve("beside"))) {
                    inside.write('1');
                    beside.write('1');
                    arrives(copy.resolve("made/b.log"), "1");
                    inside.write('2');
                    arrives(copy.resolve("made/b.log"), "12");
                    assertThat(copy.resolve("made/beside")).doesNotExist();
                }
                arrives(copy.resolve("made/beside"), "1");
                assertThat(copy.resolve("other")).doesNotExist();
            }
            arrives(copy.resolve("other"), "1");
        }
    }

    private static void arrives(Path file, String text) {
        await(file.toString()).atMost(SOON).untilAsserted(() -> assertThat(file).hasContent(text));
    }
}
