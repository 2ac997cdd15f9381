package io.dromedary.status;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.dromedary.testbed.Browser;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.openqa.selenium.Keys;

/** The status page as a person sees and uses it, with a real daemon behind. */
@Timeout(300)
class PageIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(40);

    @TempDir
    Path directory;

    private Path source;
    private int port;

    @BeforeEach
    void createSource() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        port = RsyncDaemon.freePort();
    }

    private Path target(String name) throws IOException {
        return Files.createDirectory(directory.resolve(name));
    }

    private String url() {
        return "http://127.0.0.1:" + port + "/";
    }

    private Browser browser() throws IOException {
        return new Browser(Files.createTempDirectory(directory, "profile"));
    }

    private static void eventually(ThrowingRunnable assertion) {
        await().atMost(SOON).pollInterval(Duration.ofMillis(200)).untilAsserted(assertion);
    }

    /** What axe finds wrong for people who do not see, or see little: the rule and the elements. */
    private static List<?> barriers(Browser browser) throws IOException {
        try (InputStream axe = PageIT.class.getResourceAsStream("/axe.min.js")) {
            browser.run(new String(axe.readAllBytes(), StandardCharsets.UTF_8));
        }
        return (List<?>) browser.runAsync("const done = arguments[arguments.length - 1];"
                + "axe.run().then(found => done(found.violations.map("
                + "one => one.id + ': ' + one.nodes.map(node => node.html).join(' | '))))");
    }

    private static void isWithoutBarriers(Browser browser) throws IOException {
        assertThat(barriers(browser)).isEmpty();
        assertThat(browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
                .as("nothing to scroll sideways for")
                .isEqualTo(true);
    }

    @Test
    void remoteGoesDownAndComesBackBeforeOnesEyes() throws IOException {
        assumeTrue(Browser.isInstalled(), "needs Debian's chromium and chromium-driver");
        Path web = target("web");
        Path other = target("other");
        try (RsyncDaemon daemon = new RsyncDaemon()
                        .module("web", web, "refuse options = stats")
                        .start();
                DromedaryProcess dromedary = new Configuration(directory, source)
                        .set("http.port=" + port, "retry.max-backoff=1h", "retry.backoff=1h")
                        .remote("web", daemon.url("web"))
                        .remote("other", other.toString())
                        .run();
                Browser browser = browser()) {
            dromedary.awaitLine("web: .*live", START);
            dromedary.awaitLine("other: .*live", START);
            browser.open(url());
            String row = "[data-key='remote web'] ";
            eventually(() -> assertThat(browser.text(row + ".state")).isEqualTo("live"));
            eventually(() -> assertThat(browser.text("#summary")).isEqualTo("All 2 remotes are up"));
            assertThat(browser.text("#events")).contains("web: full sync done");
            assertThat(browser.text(row + ".receiver")).contains("does not take --stats: the bytes sent are not known");
            isWithoutBarriers(browser);

            daemon.stop();
            Files.writeString(source.resolve("<b>while it was down"), "text");
            eventually(() -> assertThat(browser.text(row + ".state")).isEqualTo("down"));
            assertThat(browser.text("[data-key='remote other'] .state")).isIn("live", "pushing");
            eventually(() -> {
                assertThat(browser.text("#summary")).isEqualTo("web is down");
                assertThat(browser.text(row + ".error")).contains("Connection refused");
                assertThat(browser.text(row + ".failures")).isEqualTo("1");
                assertThat(browser.text("#events")).contains("web: down");
                assertThat(browser.run("return document.title")).isEqualTo("\u2715 web is down \u2013 Dromedary");
            });
            browser.element("#failed summary").click();
            assertThat(browser.text("#failed details")).as("a name is text").contains("<b>while it was down");
            browser.prefers("dark");
            isWithoutBarriers(browser);

            daemon.start();
            assertThat(browser.text(row + ".state"))
                    .as("the next try is an hour away")
                    .isEqualTo("down");
            browser.element("button[aria-label='Retry what failed at web']").click();
            Trees.awaitEqual(source, web, SOON);
            eventually(() -> {
                assertThat(browser.text(row + ".state")).isEqualTo("live");
                assertThat(browser.text("#summary")).isEqualTo("All 2 remotes are up");
                assertThat(browser.text("#failed")).isEmpty();
                assertThat(browser.text("#failed-none")).isEqualTo("Nothing has failed.");
                assertThat(browser.text("#events")).contains("web: up again");
            });

            daemon.stop();
            Files.writeString(source.resolve("dropped"), "text");
            eventually(() -> assertThat(browser.text("#failed .count")).isEqualTo("1 change not there yet"));
            browser.element("button[aria-label='Drop what failed at web']").click();
            isWithoutBarriers(browser);
            browser.element("#sure .cancel").click();
            assertThat(browser.text("#failed .count")).isEqualTo("1 change not there yet");
            String drop = "button[aria-label='Drop what failed at web']";
            eventually(() -> assertThat(browser.element(drop).isEnabled()).isTrue());
            browser.element(drop).click();
            browser.element("#sure .danger").click();
            eventually(() -> assertThat(browser.text("#failed")).isEmpty());
            assertThat(browser.console()).as("the browser's console").isEmpty();

            dromedary.terminate();
            eventually(() -> assertThat(browser.text("#summary")).startsWith("No answer"));
        }
    }

    @Test
    void ofManyMirrorsWhatIsWrongComesFirstAndTheRestIsToBeFound() throws IOException {
        assumeTrue(Browser.isInstalled(), "needs Debian's chromium and chromium-driver");
        Path routes = Files.createDirectories(directory.resolve("conf/routes"));
        StringBuilder yaml = new StringBuilder();
        for (int i = 1; i <= 12; i++) {
            Path tree = Files.createDirectories(directory.resolve("trees/" + i));
            // Below a file there is no directory.
            Path copy = i == 10
                    ? Files.createFile(target("copy" + i).resolve("file")).resolve("x/y")
                    : target("copy" + i);
            yaml.append("- route:\n    id: m" + i
                    + "\n    from:\n      uri: kamelet:watch\n      parameters:\n        source: "
                    + tree + "\n      steps:\n        - to:\n            uri: kamelet:rsync\n            parameters:\n"
                    + "              remote: r" + i + "\n              target: " + copy + "\n");
        }
        yaml.append(
                "- route:\n    id: told\n    from:\n      uri: kamelet:pushed\n      parameters:\n        mirror: m3\n"
                        + "      steps:\n        - to:\n            uri: kamelet:socket\n            parameters:\n"
                        + "              host: 127.0.0.1\n              port: " + RsyncDaemon.freePort() + "\n");
        Files.writeString(routes.resolve("all.camel.yaml"), yaml);
        try (DromedaryProcess dromedary = DromedaryProcess.start(
                        directory,
                        "run",
                        "-c",
                        directory.resolve("conf").toString(),
                        "--set",
                        "http.port=" + port,
                        "--set",
                        "retry.backoff=1h",
                        "--set",
                        "retry.max-backoff=1h");
                Browser browser = browser()) {
            dromedary.awaitLine("watching 12 trees", START);
            dromedary.awaitLine("r3: .*live", START);
            Files.writeString(directory.resolve("trees/3/file"), "told");
            browser.open(url());
            eventually(() -> {
                assertThat(titles(browser))
                        .containsExactly("m3", "m10", "m1", "m2", "m4", "m5", "m6", "m7", "m8", "m9", "m11", "m12");
                assertThat(browser.text("#summary")).isEqualTo("r10 is down; told fails to take changes");
                assertThat(browser.text("[data-key='m3'] .problem"))
                        .startsWith("Route told fails to take 1 change: ")
                        .contains("refused");
                assertThat(browser.text("#failed")).contains("Route told");
            });
            isWithoutBarriers(browser);
            browser.element("#search").sendKeys("M1 live");
            assertThat(titles(browser)).containsExactly("m1", "m11", "m12");
            assertThat(browser.text("#found")).isEqualTo("3 of 12 mirrors");
            browser.element("button[aria-label='Drop what failed at told']").click();
            browser.element("#sure .danger").click();
            eventually(() -> assertThat(browser.text("#summary")).isEqualTo("r10 is down"));
            assertThat(titles(browser)).containsExactly("m1", "m11", "m12");
            assertThat(browser.console()).as("the browser's console").isEmpty();
        }
    }

    @Test
    void largeFilesAreShownWithABarAndCanBePutOffOrDropped() throws IOException {
        assumeTrue(Browser.isInstalled(), "needs Debian's chromium and chromium-driver");
        Path copy = target("copy");
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = new Configuration(directory, source)
                        .set("http.port=" + port, "large-file=1M", "large-pushes=1")
                        .remote("web", daemon.url("m"), "bwlimit: 5m")
                        .run();
                Browser browser = browser()) {
            dromedary.awaitLine("web: .*live", START);
            byte[] image = new byte[90 << 20];
            new Random(1).nextBytes(image);
            Files.write(source.resolve("disk <1>.img"), image);
            browser.open(url());
            String sending = ".remotes .large[aria-label] ";
            eventually(() -> {
                assertThat(browser.text(sending + ".path")).isEqualTo("disk <1>.img");
                assertThat(browser.text(sending + ".soft")).matches("\\d+\u202f% of 94.4\u202fMB · .*MB/s · .* left");
            });
            Files.write(source.resolve("second"), new byte[2 << 20]);
            Files.write(source.resolve("third"), new byte[3 << 20]);
            eventually(
                    () -> assertThat(browser.text(".waiting summary")).isEqualTo("2 large files waiting, 5.2\u202fMB"));
            browser.element(".waiting summary").click();
            assertThat(browser.text(".waiting ul")).contains("second", "2.1\u202fMB", "third");
            isWithoutBarriers(browser);
            browser.prefers("dark");
            browser.size(360, 740);
            isWithoutBarriers(browser);
            browser.element("button[aria-label='Drop third']").click();
            isWithoutBarriers(browser);
            browser.element("#sure .danger").click();
            eventually(() -> assertThat(browser.text(".waiting summary")).startsWith("1 large file waiting"));
            browser.element("button[aria-label='Put off disk <1>.img']").click();
            eventually(() -> assertThat(copy.resolve("second")).exists());
            eventually(
                    () -> assertThat(browser.text("#events")).contains("web: put off: disk <1>.img", "dropped: third"));
            eventually(() -> assertThat(browser.text(sending + ".path")).isEqualTo("disk <1>.img"));
            assertThat(browser.element(".waiting").isDisplayed()).isFalse();
            browser.element("button[aria-label='Drop disk <1>.img']").click();
            browser.element("#sure .danger").click();
            eventually(() -> assertThat(browser.element(".large").isDisplayed()).isFalse());
            assertThat(copy.toFile().list()).doesNotContain("third", "disk <1>.img");
            assertThat(browser.console()).as("the browser's console").isEmpty();
        }
    }

    private static List<String> titles(Browser browser) {
        return browser.elements("#mirrors h2").stream()
                .map(title -> title.getText())
                .toList();
    }

    @Test
    void tokenIsAskedForAndPauseAndSyncWorkByKeyboardOnAPhone() throws IOException {
        assumeTrue(Browser.isInstalled(), "needs Debian's chromium and chromium-driver");
        Path copy = target("copy");
        Files.write(source.resolve("large"), new byte[6 << 20]);
        for (int i = 0; i < 300; i++) {
            Files.writeString(source.resolve("small" + i), "text");
        }
        try (RsyncDaemon daemon = new RsyncDaemon().module("m", copy).start();
                DromedaryProcess dromedary = new Configuration(directory, source)
                        .set("http.port=" + port, "http.token=open sesame")
                        .remote("web", daemon.url("m"), "bwlimit: 800")
                        .run();
                Browser browser = browser()) {
            dromedary.awaitLine("watching", START);
            browser.size(360, 740);
            browser.open(url());
            eventually(() -> assertThat(browser.text(".far")).matches("(?s)Full sync: \\d+.*MB.*kB/s.*"));
            assertThat(browser.text(".remotes .state")).isEqualTo("syncing");
            isWithoutBarriers(browser);
            dromedary.awaitLine("web: .*live", START);
            eventually(() -> assertThat(browser.text(".far")).isEmpty());

            String pause = ".remotes .actions button:nth-of-type(2)";
            browser.run("document.querySelector(arguments[0]).focus()", pause);
            browser.element(pause).sendKeys(Keys.ENTER);
            eventually(() -> assertThat(browser.element("#login").isDisplayed()).isTrue());
            isWithoutBarriers(browser);
            browser.element("#token").sendKeys("open barley", Keys.ENTER);
            eventually(() ->
                    assertThat(browser.element("#login-wrong").isDisplayed()).isTrue());
            assertThat(browser.text(".remotes .state")).isEqualTo("live");
            browser.console();
            browser.element("#token").sendKeys("open sesame", Keys.ENTER);
            eventually(() -> assertThat(browser.text(".remotes .state")).isEqualTo("paused"));
            assertThat(browser.run("return document.activeElement.textContent")).isEqualTo("Resume");
            Files.writeString(source.resolve("meanwhile"), "text");
            eventually(() -> assertThat(browser.text(".pending")).isEqualTo("1"));
            isWithoutBarriers(browser);

            browser.element(pause).sendKeys(Keys.SPACE);
            Trees.awaitEqual(source, copy, SOON);
            eventually(() -> assertThat(browser.text(".remotes .state")).isEqualTo("live"));
            Files.delete(copy.resolve("small7"));
            browser.element(".remotes .actions button:nth-of-type(1)").sendKeys(Keys.ENTER);
            Trees.awaitEqual(source, copy, SOON);
            assertThat(browser.console()).as("the browser's console").isEmpty();
        }
    }

    @Test
    void nothingButTheFourFilesOfThePageIsServed() throws IOException, InterruptedException {
        Path copy = target("copy");
        try (DromedaryProcess dromedary = new Configuration(directory, source)
                .set("http.port=" + port)
                .remote("copy", copy.toString())
                .run()) {
            dromedary.awaitLine("watching", START);
            assertThat(type("")).isEqualTo("200 text/html; charset=utf-8");
            assertThat(type("page.js")).isEqualTo("200 text/javascript; charset=utf-8");
            assertThat(type("page.css")).isEqualTo("200 text/css; charset=utf-8");
            assertThat(type("icon.svg")).isEqualTo("200 image/svg+xml");
            for (String path : List.of(
                    "page.camel.yaml",
                    "..%2fpage.camel.yaml",
                    "%2e%2e/status.camel.yaml",
                    "page/index.html",
                    "index.html/../page.camel.yaml",
                    "..%5cpage.camel.yaml",
                    "dromedary.properties")) {
                assertThat(type(path)).as(path).startsWith("404 ");
            }
            HttpResponse<String> page = get("");
            assertThat(page.headers().firstValue("Content-Security-Policy").orElse(""))
                    .startsWith("default-src 'self';")
                    .doesNotContain("unsafe");
            assertThat(page.headers().firstValue("X-Content-Type-Options")).contains("nosniff");
            assertThat(page.headers().firstValue("Cache-Control")).contains("no-cache");
        }
    }

    private String type(String path) throws IOException, InterruptedException {
        HttpResponse<String> answer = get(path);
        return answer.statusCode() + " "
                + answer.headers().firstValue("Content-Type").orElse("");
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(URI.create(url() + path)).build(), HttpResponse.BodyHandlers.ofString());
    }
}
