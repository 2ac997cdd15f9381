package io.dromedary.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class DromedaryTest {
    @TempDir
    Path directory;

    private record Ended(int exitCode, String out, String err) {}

    private static Ended dromedary(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line =
                Dromedary.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        int exitCode = line.execute(arguments);
        return new Ended(exitCode, out.toString(), err.toString());
    }

    private static void isUsersMistake(Ended ended, String... told) {
        assertThat(ended.err()).startsWith("dromedary: ").contains(told).endsWith("\n");
        assertThat(ended.err().lines()).hasSize(1);
        assertThat(ended.out()).isEmpty();
        assertThat(ended.exitCode()).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            ''                          | subcommand
            mirorr /a /b                | mirorr
            --frobnicate                | --frobnicate
            mirror                      | SOURCE
            mirror /a                   | TARGET
            mirror --frobnicate /a /b   | --frobnicate
            mirror --set x /a /b        | KEY=VALUE
            mirror --port               | --port
            run -c                      | --config
            run extra                   | extra
            check extra                 | extra
            """)
    void wrongUsageIsToldInOneLine(String arguments, String told) {
        isUsersMistake(dromedary(arguments.isEmpty() ? new String[0] : arguments.split(" +")), told, "--help");
    }

    @Test
    void aWrongSettingIsToldInOneLine() {
        isUsersMistake(
                dromedary("mirror", "--set", "http.prot=1", "/a", "/b"),
                "--set: there is no setting dromedary.http.prot; the nearest is dromedary.http.port");
        isUsersMistake(dromedary("mirror", "--port", "x", "/a", "/b"), "--port: dromedary.http.port = x: allowed is ");
        isUsersMistake(
                dromedary("run", "-c", directory.toString(), "--set", "delete=maybe"),
                "--set: dromedary.delete = maybe: allowed is true or false");
    }

    @Test
    void aWrongTargetIsToldInOneLine() {
        isUsersMistake(dromedary("mirror", directory.toString(), "web1::"), "target 'web1::' is not one rsync takes");
    }

    @Test
    void aWrongFileIsToldInOneLine() throws IOException {
        Path file = Files.writeString(directory.resolve("application.properties"), "\ndromedary.watcher=fanotify\n");
        isUsersMistake(
                dromedary("run", "-c", directory.toString()),
                file + ":2: dromedary.watcher = fanotify: allowed is inotify or file-watch");
    }

    @Test
    void aDirectoryWithoutRoutesIsToldInOneLine() {
        isUsersMistake(
                dromedary("run", "--config", directory.toString()),
                directory.resolve("routes") + ": no such directory");
    }

    @Test
    void routeFilesThatWouldNotBeReadAreToldInOneLine() throws IOException {
        Path routes = Files.createDirectory(directory.resolve("routes"));
        for (String ignored : List.of("www.camel.yaml.off", "README.md", ".www.yaml", "www.camel.yaml~")) {
            Files.writeString(routes.resolve(ignored), "");
        }
        isUsersMistake(
                dromedary("run", "-c", directory.toString()), routes + ": there is no route file, *.camel.yaml, in it");
        Path route = Files.writeString(routes.resolve("none.camel.yaml"), "[]");
        isUsersMistake(
                dromedary("check", "-c", directory.toString()),
                "no route starts from kamelet:watch, so there is nothing to mirror");
        for (String name : List.of("www.yaml", "www.yml", "www.camel.yml", "www.xml")) {
            Path file = Files.writeString(routes.resolve(name), "");
            isUsersMistake(
                    dromedary("run", "-c", directory.toString()),
                    file + ": is not read, only *.camel.yaml is; rename it to www.camel.yaml, or out of the way to "
                            + name + ".off");
            Files.delete(file);
        }
        Files.delete(route);
    }

    @ParameterizedTest
    @ValueSource(strings = {"--help", "-h"})
    void helpNamesTheCommandsAndTheExitCodes(String option) {
        Ended ended = dromedary(option);
        assertThat(ended.exitCode()).isZero();
        assertThat(ended.err()).isEmpty();
        assertThat(ended.out()).startsWith("Usage: dromedary ").contains("mirror", "run", "check", "Exit codes:");
    }

    @ParameterizedTest
    @ValueSource(strings = {"mirror", "run", "check"})
    void everyCommandHasItsHelp(String command) {
        Ended ended = dromedary(command, "--help");
        assertThat(ended.exitCode()).isZero();
        assertThat(ended.err()).isEmpty();
        assertThat(ended.out()).startsWith("Usage: dromedary " + command);
    }

    /** Also of the commands, where people look for it as well. */
    @ParameterizedTest
    @ValueSource(strings = {"--version", "-V", "mirror --version", "run --version", "check --version"})
    void tellsItsVersion(String arguments) {
        Ended ended = dromedary(arguments.split(" "));
        assertThat(ended.exitCode()).isZero();
        assertThat(ended.err()).isEmpty();
        assertThat(ended.out()).matches("dromedary \\S+\\R");
    }

    @Test
    void optionsOfMirrorMayBeRepeated() {
        CommandLine.ParseResult mirror = Dromedary.commandLine()
                .parseArgs(
                        "mirror",
                        "--exclude",
                        "*.tmp",
                        "--exclude",
                        "a,b",
                        "--set",
                        "delete=false",
                        "--set",
                        "http.port=0",
                        "/a",
                        "web1::www",
                        "web2:/www")
                .subcommand();
        assertThat(mirror.<List<String>>matchedOptionValue("--exclude", List.of()))
                .containsExactly("*.tmp", "a,b");
        assertThat(mirror.<Map<String, String>>matchedOptionValue("--set", Map.of()))
                .hasToString("{delete=false, http.port=0}");
        assertThat(mirror.<List<String>>matchedPositionalValue(1, List.of())).containsExactly("web1::www", "web2:/www");
    }
}
