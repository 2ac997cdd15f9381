package io.dromedary.packaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.cli.Dromedary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** packaging/dromedary.1 is kept by hand. */
class ManualPageTest {
    private static final Pattern SECTION = Pattern.compile("^\\.SH (.*)\\n((?:(?!\\.SH ).*\\n)*)", Pattern.MULTILINE);
    private static final Pattern ITEM = Pattern.compile("^\\.TP\\n\\.B (.*)$", Pattern.MULTILINE);

    private static List<String> items(String section) throws IOException {
        String page = Files.readString(Path.of("packaging/dromedary.1"), UTF_8);
        String text = SECTION.matcher(page)
                .results()
                .filter(found -> found.group(1).equals(section))
                .map(found -> found.group(2))
                .findFirst()
                .orElseThrow();
        return ITEM.matcher(text)
                .results()
                .map((MatchResult item) -> item.group(1))
                .toList();
    }

    @Test
    void namesEveryCommandAndNoOther() throws IOException {
        assertThat(items("COMMANDS"))
                .containsExactlyInAnyOrderElementsOf(
                        new CommandLine(Dromedary.class).getSubcommands().keySet());
    }

    @Test
    void namesEveryExitCode() throws IOException {
        assertThat(items("EXIT STATUS"))
                .containsExactlyElementsOf(new CommandLine(Dromedary.class)
                        .getCommandSpec()
                        .usageMessage()
                        .exitCodeList()
                        .keySet());
    }
}
