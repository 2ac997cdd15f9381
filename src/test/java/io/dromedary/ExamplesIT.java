package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.MavenBuild;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What examples/ and docs/platforms.md show, each as a process of its own with what its own pom.xml names. */
class ExamplesIT {
    private static final Duration SOON = Duration.ofMinutes(3);
    private static final Path PROJECT = DromedaryProcess.PROJECT;

    @TempDir
    static Path maven;

    @TempDir
    Path directory;

    private static Map<String, String> classpaths;

    private Path source;
    private Path target;
    private Path conf;

    @BeforeAll
    static void resolve() throws IOException {
        classpaths = new MavenBuild(maven)
                .classpaths("examples/announce", "examples/resize", "src/test/broker", "src/test/spring-boot");
    }

    @BeforeEach
    void directories() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        target = Files.createDirectory(directory.resolve("target"));
        conf = Files.createDirectories(directory.resolve("conf"));
    }

    /** @param main a class, or a file with one */
    private DromedaryProcess java(
            String project, Path resources, List<String> options, String main, String... arguments) {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin/java").toString()));
        command.addAll(options);
        command.addAll(List.of(
                "-Ddromedary.state-dir=" + directory.resolve("state"),
                "-cp",
                (resources == null ? "" : resources + ":") + classpaths.get(project),
                main));
        command.addAll(List.of(arguments));
        return DromedaryProcess.startOther(directory, Map.of(), command.toArray(String[]::new));
    }

    private static void awaitText(Path file, String text) {
        await().atMost(SOON).ignoreExceptions().untilAsserted(() -> assertThat(file)
                .hasContent(text));
    }

    @Test
    void scanLetsOutWhatTheScannerAccepts() throws Exception {
        Path incoming = Files.createDirectories(directory.resolve("incoming"));
        Path refused = Files.createDirectories(directory.resolve("refused"));
        Path scanner = Files.writeString(
                directory.resolve("scanner"),
                "#!/bin/sh\ntest -e " + directory.resolve("clamd") + " || exit 2\n! grep -q EICAR\n");
        Files.setPosixFilePermissions(scanner, PosixFilePermissions.fromString("rwx------"));
        Files.writeString(incoming.resolve("early"), "was there before the start");
        try (RsyncDaemon daemon = new RsyncDaemon().module("files", target).start()) {
            copy(PROJECT.resolve("examples/scan"), conf);
            settings(Map.of(
                    "incoming", incoming.toString(),
                    "accepted", source.toString(),
                    "refused", refused.toString(),
                    "target", daemon.url("files"),
                    "scanner", scanner.toString(),
                    "dromedary.state-dir", directory.resolve("state").toString()));
            try (DromedaryProcess dromedary =
                    DromedaryProcess.start(directory, "run", "-c", conf.toString(), "--set", "http.port=0")) {
                // As long as there is no scanner everything waits.
                dromedary.awaitLine("Failed delivery .*exit", SOON);
                assertThat(target).isEmptyDirectory();
                Files.createFile(directory.resolve("clamd"));
                awaitText(target.resolve("early"), "was there before the start");
                Files.createDirectories(incoming.resolve("a b"));
                Files.writeString(incoming.resolve("a b/it's \"bad\""), "EICAR");
                Files.writeString(incoming.resolve("a b/it's good"), "fine");
                awaitText(target.resolve("a b/it's good"), "fine");
                awaitText(refused.resolve("a b/it's \"bad\""), "EICAR");
                Trees.awaitEqual(source, target, SOON);
                assertThat(target.resolve("a b/it's \"bad\"")).doesNotExist();
            }
        }
    }

    @Test
    void announceTellsABrokerAlsoWhatHappenedWhileItWasAway() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        try (RsyncDaemon daemon = new RsyncDaemon().module("www", target).start();
                DromedaryProcess application = java(
                        "announce",
                        PROJECT.resolve("examples/announce/src/main/resources"),
                        List.of(
                                "-Dsource=" + source,
                                "-Dtarget=" + daemon.url("www"),
                                "-Dbroker=tcp://127.0.0.1:" + port,
                                "-Ddromedary.retry.cron=* * * * * ?",
                                "-Ddromedary.retry.max-backoff=1s"),
                        "org.apache.camel.main.Main")) {
            application.awaitLine("web1: .*live", SOON);
            Files.writeString(source.resolve("early"), "1");
            awaitText(target.resolve("early"), "1");
            try (DromedaryProcess broker = java(
                    "broker", null, List.of(), PROJECT + "/src/test/broker/Broker.java", "" + port, "www.changes")) {
                broker.awaitLine("heard " + source + "/early gone=false", SOON);
                Files.delete(source.resolve("early"));
                broker.awaitLine("heard " + source + "/early gone=true", SOON);
                assertThat(target.resolve("early")).doesNotExist();
            }
        }
    }

    @Test
    void resizeMirrorsSmallerPictures() throws Exception {
        Path smaller = Files.createDirectory(directory.resolve("smaller"));
        picture(source.resolve("early.png"), 800, 400);
        Files.writeString(source.resolve("notes.txt"), "no picture");
        // What is in the way is replaced, what is too much deleted.
        Files.createDirectories(smaller.resolve("notes.txt/x"));
        Files.writeString(smaller.resolve("gone.txt"), "gone");
        try (RsyncDaemon daemon = new RsyncDaemon().module("pictures", target).start();
                DromedaryProcess application = java(
                        "resize",
                        PROJECT.resolve("examples/resize/src/main/resources"),
                        List.of(
                                "-Doriginals=" + source,
                                "-Dsmaller=" + smaller,
                                "-Dpixels=100",
                                "-Dtarget=" + daemon.url("pictures")),
                        PROJECT + "/examples/resize/src/main/java/Resize.java")) {
            application.awaitLine("web1: .*live", SOON);
            awaitSize(target.resolve("early.png"), 100, 50);
            awaitText(target.resolve("notes.txt"), "no picture");
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(target.resolve("gone.txt")).doesNotExist());
            Files.createDirectories(source.resolve("new/ä"));
            picture(source.resolve("new/ä/tall.jpg"), 300, 600);
            picture(source.resolve("new/small.jpg"), 30, 20);
            awaitSize(target.resolve("new/ä/tall.jpg"), 50, 100);
            awaitSize(target.resolve("new/small.jpg"), 30, 20);
            Files.delete(source.resolve("early.png"));
            Trees.awaitEqual(smaller, target, SOON);
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(target.resolve("early.png")).doesNotExist());
            awaitSize(source.resolve("new/ä/tall.jpg"), 300, 600);
        }
    }

    @Test
    void springBootMirrorsWithOneDependencyMore() throws Exception {
        Files.writeString(source.resolve("early"), "1");
        try (RsyncDaemon daemon = new RsyncDaemon().module("copy", target).start();
                DromedaryProcess application = java(
                        "spring-boot",
                        null,
                        List.of(),
                        PROJECT + "/src/test/spring-boot/App.java",
                        "--source=" + source,
                        "--target=" + daemon.url("copy"),
                        "--dromedary.exclude=*.tmp",
                        "--camel.main.run-controller=true")) {
            awaitText(target.resolve("early"), "1");
            Files.writeString(source.resolve("left out.tmp"), "2");
            Files.writeString(source.resolve("live"), "3");
            awaitText(target.resolve("live"), "3");
            assertThat(target.resolve("left out.tmp")).doesNotExist();
            application.terminate();
            application.exitCode(SOON);
        }
    }

    private static void picture(Path file, int width, int height) throws IOException {
        String name = file.toString();
        // Elsewhere first: what is half-written is no picture yet.
        Path written = Files.createTempFile(file.getParent().getRoot().resolve("tmp"), "picture", "");
        ImageIO.write(
                new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB),
                name.substring(name.lastIndexOf('.') + 1),
                written.toFile());
        Files.move(written, file, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void awaitSize(Path file, int width, int height) {
        await().atMost(SOON).ignoreExceptions().untilAsserted(() -> {
            BufferedImage picture = ImageIO.read(file.toFile());
            assertThat(Arrays.asList(picture.getWidth(), picture.getHeight())).isEqualTo(List.of(width, height));
        });
    }

    private static void copy(Path from, Path to) throws IOException {
        try (var all = Files.walk(from)) {
            for (Path file : (Iterable<Path>) all::iterator) {
                Path copy = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(copy);
                } else {
                    Files.copy(file, copy);
                }
            }
        }
    }

    /** Puts these in place of what stands in application.properties, which has to have them. */
    private void settings(Map<String, String> values) throws IOException {
        Path file = conf.resolve("application.properties");
        String text = Files.readString(file);
        for (Map.Entry<String, String> value : values.entrySet()) {
            String line = "(?m)^" + value.getKey().replace(".", "\\.") + " = .*$";
            assertThat(text).containsPattern(line);
            text = text.replaceFirst(line, value.getKey() + " = " + value.getValue());
        }
        // The stand-in of the test takes none.
        Files.writeString(file, text.replaceFirst("(?m)^scanner\\.args = .*$", "scanner.args ="));
    }
}
