package io.dromedary.status;

import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.Browser;
import io.dromedary.testbed.Command;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Takes the pictures of the status page in the README, docs/images: run by bench/screenshots, by no build. */
class Screenshots {
    private static final Duration SOON = Duration.ofSeconds(90);
    private static final Path IMAGES = DromedaryProcess.PROJECT.resolve("docs/images");

    /** Its name is seen in the pictures. */
    private final Path directory = Path.of("/tmp/srv");

    @AfterEach
    void delete() {
        Command.run("rm", "-r", directory.toString());
    }

    @Test
    void take() throws IOException {
        Files.createDirectory(directory);
        Path www = Files.createDirectories(directory.resolve("www"));
        Path media = Files.createDirectories(directory.resolve("media"));
        Random random = new Random(1);
        byte[] block = new byte[1 << 20];
        for (int i = 0; i < 300; i++) {
            random.nextBytes(block);
            Files.write(Files.createDirectories(media.resolve("clip" + i / 10)).resolve(i + ".mp4"), block);
        }
        RsyncDaemon daemon = new RsyncDaemon();
        for (String module : new String[] {"www1", "www3", "media"}) {
            daemon.module(module, Files.createDirectories(directory.resolve("copies/" + module)));
        }
        RsyncDaemon other = new RsyncDaemon().module("www2", Files.createDirectories(directory.resolve("copies/www2")));
        int port = RsyncDaemon.freePort();
        Path routes = Files.createDirectories(directory.resolve("routes"));
        ScheduledExecutorService writer = Executors.newSingleThreadScheduledExecutor();
        try (daemon;
                other) {
            daemon.start();
            other.start();
            Files.writeString(
                    routes.resolve("www.camel.yaml"),
                    route("www", www)
                            + remote("web1", daemon.url("www1"), "")
                            + remote("web2", other.url("www2"), "")
                            + remote("backup", daemon.url("www3"), ""));
            Files.writeString(
                    routes.resolve("media.camel.yaml"),
                    route("media", media) + remote("archive", daemon.url("media"), "bwlimit: 2500"));
            try (DromedaryProcess dromedary = DromedaryProcess.start(
                            directory, "run", "--set", "http.port=" + port, "--set", "retry.max-backoff=2s");
                    Browser browser = new Browser(Files.createDirectory(directory.resolve("profile")))) {
                dromedary.awaitLine("web2: full sync done", SOON);
                writer.scheduleWithFixedDelay(() -> write(www, random), 0, 150, TimeUnit.MILLISECONDS);
                browser.open("http://127.0.0.1:" + port + "/");
                browser.size(1240, 860);
                hold(Duration.ofSeconds(40));
                other.stop();
                hold(Duration.ofSeconds(30));
                Files.createDirectories(IMAGES);
                browser.prefers("light");
                picture(browser, "page-light.png");
                browser.prefers("dark");
                browser.size(360, 720);
                picture(browser, "page-phone-dark.png");
            }
        } finally {
            writer.shutdownNow();
        }
    }

    private static void hold(Duration time) {
        long end = System.nanoTime() + time.toNanos();
        await().atMost(time.plusSeconds(9)).until(() -> System.nanoTime() - end > 0);
    }

    private static void picture(Browser browser, String name) {
        // two refreshes of the page
        hold(Duration.ofSeconds(4));
        browser.screenshot(IMAGES.resolve(name));
    }

    private static void write(Path tree, Random random) {
        try {
            byte[] page = new byte[1000 + random.nextInt(60_000)];
            random.nextBytes(page);
            Path folder = Files.createDirectories(tree.resolve("articles/" + random.nextInt(20)));
            Files.write(folder.resolve(random.nextInt(500) + ".html"), page);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String route(String id, Path source) {
        return "- route:\n    id: " + id + "\n    from:\n      uri: kamelet:watch\n      parameters:\n        source: "
                + source + "\n      steps:\n        - multicast:\n            steps:\n";
    }

    private static String remote(String id, String target, String parameter) {
        return "              - to:\n                  uri: kamelet:rsync\n                  parameters:\n"
                + "                    remote: " + id + "\n                    target: " + target + "\n"
                + (parameter.isEmpty() ? "" : "                    " + parameter + "\n");
    }
}
