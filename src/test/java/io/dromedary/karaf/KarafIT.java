package io.dromedary.karaf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;

/** The .kar in a stock Karaf, from the drop into deploy/ to the last trace of it. */
@DisabledForJreRange(min = JRE.JAVA_24, disabledReason = "Karaf 4.4 needs Java's security manager")
class KarafIT {
    private static final Duration SOON = Duration.ofMinutes(2);
    private static final String BUNDLE = "io.dromedary.self-contained";

    /** Karaf's own watch their directories by inotify too, so this is compared with what was there before. */
    private static final Pattern OURS =
            Pattern.compile("(?i).*(camel|dromedary|quartz|jna|rsync|inotify|eventfd|watch).*");

    private static final Path KARAF = DromedaryProcess.PROJECT.resolve("target/karaf");

    @TempDir
    Path directory;

    private Path tree(String name) throws IOException {
        return Files.createDirectories(directory.resolve(name));
    }

    private static String route(String id, Path source, String target) {
        return """
                - route:
                    id: %s
                    from:
                      uri: kamelet:watch
                      parameters:
                        source: %s
                      steps:
                        - to:
                            uri: kamelet:rsync
                            parameters:
                              remote: %s-copy
                              target: %s
                """
                .formatted(id, source, id, target);
    }

    private static Path kar() throws IOException {
        try (Stream<Path> files = Files.list(DromedaryProcess.PROJECT.resolve("target"))) {
            return files.filter(file -> file.toString().endsWith(".kar"))
                    .findAny()
                    .orElseThrow();
        }
    }

    /** Moved there when it is complete: Karaf looks at what lies there at any time. */
    private void deploy(KarafProcess karaf) throws IOException {
        Path copy = Files.copy(kar(), directory.resolve("dromedary.kar"), StandardCopyOption.REPLACE_EXISTING);
        Files.move(copy, karaf.deploy().resolve("dromedary.kar"), StandardCopyOption.ATOMIC_MOVE);
    }

    private static Map<String, Integer> traces(KarafProcess karaf) throws Exception {
        Map<String, Integer> traces = new TreeMap<>(karaf.threads());
        karaf.descriptors().forEach(descriptor -> traces.merge(descriptor, 1, Integer::sum));
        karaf.children().forEach(child -> traces.merge(child, 1, Integer::sum));
        return traces.entrySet().stream()
                .filter(trace -> OURS.matcher(trace.getKey()).matches())
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, TreeMap::new));
    }

    private static void awaitText(Path file, String text) {
        await().atMost(SOON).untilAsserted(() -> assertThat(file).hasContent(text));
    }

    @Test
    void mirrorsFromDropToRemovalAndLeavesNothingBehind() throws Exception {
        Path source = tree("source");
        Path copy = tree("copy");
        Path second = tree("second");
        Path secondCopy = tree("second-copy");
        Files.writeString(source.resolve("early"), "1");
        try (RsyncDaemon daemon = new RsyncDaemon()
                        .module("copy", copy)
                        .module("second", secondCopy)
                        .start();
                KarafProcess karaf = new KarafProcess(tree("karaf"))) {
            Map<String, Integer> all = traces(karaf);
            Map<String, Integer> before = running(karaf);
            Path routes = Files.createDirectories(karaf.etc().resolve("dromedary"));
            Path settings = karaf.etc().resolve("dromedary.cfg");
            Files.writeString(routes.resolve("www.camel.yaml"), route("www", source, daemon.url("copy")));
            deploy(karaf);

            awaitText(copy.resolve("early"), "1");
            assertThat(settings).exists();
            Files.writeString(source.resolve("live"), "2");
            awaitText(copy.resolve("live"), "2");
            assertThat(karaf.management()
                            .queryNames(KarafProcess.name("org.apache.camel:context=dromedary,type=routes,*"), null))
                    .extracting(name -> name.getKeyProperty("name"))
                    .contains("\"www\"");
            assertThat(karaf.log()).containsPattern(BUNDLE + " - .* www-copy: full sync done");

            // Another route, then another setting: both are taken over.
            Files.writeString(second.resolve("there"), "3");
            Files.writeString(routes.resolve("second.camel.yaml"), route("second", second, daemon.url("second")));
            awaitText(secondCopy.resolve("there"), "3");
            Files.writeString(settings, "dromedary.exclude = *.tmp\n");
            await().atMost(SOON).untilAsserted(() -> {
                Files.writeString(second.resolve("new.tmp"), "");
                Files.deleteIfExists(secondCopy.resolve("new.tmp"));
                Files.writeString(second.resolve("new"), "" + System.nanoTime());
                Trees.awaitEqual(source, copy, SOON);
                awaitText(secondCopy.resolve("new"), Files.readString(second.resolve("new")));
                assertThat(secondCopy.resolve("new.tmp")).doesNotExist();
            });

            // What does not start is told in one line, and what ran before goes on.
            Files.writeString(settings, "dromedary.exlude = *.bak\n");
            await().atMost(SOON).untilAsserted(() -> assertThat(karaf.log())
                    .contains("there is no setting dromedary.exlude; the nearest is dromedary.exclude")
                    .contains("going on with the configuration from before that"));
            Files.writeString(source.resolve("live"), "4");
            awaitText(copy.resolve("live"), "4");
            Files.writeString(settings, "dromedary.exclude = *.tmp\n");

            // What a remote has not got is listed and tried again. While it starts anew they say so.
            daemon.stop();
            Files.writeString(source.resolve("live"), "4 at last");
            await().atMost(SOON).untilAsserted(() -> assertThat(karaf.shell("dromedary:failed list"))
                    .contains("www-copy"));
            daemon.start();
            await().atMost(SOON).untilAsserted(() -> assertThat(karaf.shell("dromedary:failed retry"))
                    .contains("are tried again"));
            awaitText(copy.resolve("live"), "4 at last");
            await().atMost(SOON).untilAsserted(() -> assertThat(
                            karaf.shell("dromedary:flush; dromedary:status; dromedary:sync www; dromedary:failed"))
                    .contains("flushed in", "full sync started: [www-copy]", "nothing has failed")
                    .containsPattern("www-copy +(live|syncing|pushing) +0 +0"));

            // Stop, start and update; what changed meanwhile arrives.
            karaf.bundle("stop", BUNDLE);
            await().atMost(SOON).untilAsserted(() -> assertThat(running(karaf)).isEqualTo(before));
            Files.writeString(source.resolve("live"), "5");
            karaf.bundle("start", BUNDLE);
            awaitText(copy.resolve("live"), "5");
            karaf.bundle("update", BUNDLE);
            Files.writeString(source.resolve("live"), "6");
            awaitText(copy.resolve("live"), "6");
            karaf.bundle("stop", BUNDLE);
            await().atMost(SOON).untilAsserted(() -> assertThat(running(karaf)).isEqualTo(before));
            karaf.bundle("start", BUNDLE);
            Files.writeString(source.resolve("live"), "7");
            awaitText(copy.resolve("live"), "7");

            Files.delete(karaf.deploy().resolve("dromedary.kar"));
            await().atMost(SOON).untilAsserted(() -> assertThat(traces(karaf)).isEqualTo(all));
        }
    }

    @Test
    void runsAsASmallBundleOnThePlatformsOlderCamel() throws Exception {
        Path source = tree("source");
        Path copy = tree("copy");
        Files.writeString(source.resolve("early"), "1");
        try (RsyncDaemon daemon = new RsyncDaemon().module("copy", copy).start();
                KarafProcess karaf = new KarafProcess(tree("karaf"))) {
            Path routes = Files.createDirectories(karaf.etc().resolve("dromedary"));
            Files.writeString(routes.resolve("www.camel.yaml"), route("www", source, daemon.url("copy")));
            karaf.install(KARAF.resolve("camel-platform.xml"), "camel-core");
            karaf.install(features(), "dromedary-platform");

            awaitText(copy.resolve("early"), "1");
            Files.writeString(source.resolve("live"), "2");
            awaitText(copy.resolve("live"), "2");
            assertThat(karaf.shell("dromedary:flush")).contains("flushed in");
            assertThat(karaf.shell("dromedary:status")).containsPattern("www-copy +live +0 +0");
            // Its own classes alone; with Camel it would be 15 MB.
            assertThat(Files.size(jar())).isLessThan(1_000_000);
        }
    }

    /** The shipped file, with our bundle from where the build has put it: it is in no repository yet. */
    private Path features() throws IOException {
        String text = Files.readString(KARAF.resolve("features-platform.xml"));
        String ours = "mvn:io.dromedary/dromedary/[^<]*";
        assertThat(text).containsPattern(ours);
        return Files.writeString(
                directory.resolve("features-platform.xml"),
                text.replaceAll(ours, jar().toUri().toString()));
    }

    private static Path jar() throws IOException {
        try (Stream<Path> files = Files.list(DromedaryProcess.PROJECT.resolve("target"))) {
            return files.filter(file -> file.getFileName().toString().matches("dromedary-[0-9.]+\\.jar"))
                    .findAny()
                    .orElseThrow();
        }
    }

    /** What a bundle has that is installed and does nothing, its jars, is left out. */
    private static Map<String, Integer> running(KarafProcess karaf) throws Exception {
        Map<String, Integer> traces = traces(karaf);
        traces.keySet().removeIf(trace -> trace.endsWith(".jar"));
        return traces;
    }
}
