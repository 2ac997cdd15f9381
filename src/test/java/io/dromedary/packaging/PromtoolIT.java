package io.dromedary.packaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.dromedary.testbed.Command;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Prometheus' own check of its files, where it is installed (Debian: apt-get install prometheus). */
class PromtoolIT {
    private static final Path PROMTOOL = Path.of("/usr/bin/promtool");

    private static void promtool(String... arguments) {
        assumeThat(Files.exists(PROMTOOL)).as("promtool is installed").isTrue();
        String[] words = new String[arguments.length + 1];
        words[0] = PROMTOOL.toString();
        System.arraycopy(arguments, 0, words, 1, arguments.length);
        Command command = Command.run(words);
        assertThat(command.exitCode()).as("%s", command.errors()).isZero();
    }

    @Test
    void settingsAndRulesAreValid() {
        promtool("check", "config", "packaging/docker/prometheus/prometheus.yml");
    }

    @Test
    void alertsGoOffWhenTheyShallAndOnlyThen() {
        promtool("test", "rules", "src/test/resources/prometheus/alerts.test.yml");
    }
}
