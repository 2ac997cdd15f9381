package io.dromedary.docs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.dromedary.testbed.DromedaryProcess;
import io.dromedary.testbed.RsyncDaemon;
import io.dromedary.testbed.SshDaemon;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The routes and settings of docs/from-sersync-lsyncd.md, taken from there, all in one process. */
class SideBySideIT {
    private static final Path DOCUMENT = Path.of("docs/from-sersync-lsyncd.md");
    private static final Duration START = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    Path directory;

    /** Of each section the block in that language. */
    private static Map<String, String> blocks(String language) throws IOException {
        Map<String, String> blocks = new LinkedHashMap<>();
        for (String section : Files.readString(DOCUMENT).split("(?m)^##+ ")) {
            Matcher block = Pattern.compile("(?s)```" + language + "\n(.*?)```").matcher(section);
            if (block.find()) {
                blocks.put(section.lines().findFirst().orElseThrow(), block.group(1));
            }
        }
        return blocks;
    }

    private Path made(String name) throws IOException {
        return Files.createDirectories(directory.resolve(name));
    }

    @Test
    void everyOneOfThemWorks() throws IOException {
        Map<String, String> routes = blocks("yaml");
        assertThat(routes)
                .containsOnlyKeys(
                        "One remote",
                        "Three remotes",
                        "Over ssh",
                        "Filters",
                        "Pull from a remote on a schedule",
                        "Something after each push",
                        "After a push");
        Path password = Files.writeString(directory.resolve("pass"), "sesame\n");
        Files.setPosixFilePermissions(password, PosixFilePermissions.fromString("rw-------"));
        Path purged = directory.resolve("purged");
        Path purge = Files.writeString(directory.resolve("purge"), "#!/bin/sh\necho \"$1\" >>" + purged + "\n");
        Files.setPosixFilePermissions(purge, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(made("at-web1").resolve("pulled"), "from there");
        Path pulled = made("pulled");
        try (RsyncDaemon open = new RsyncDaemon();
                RsyncDaemon closed = new RsyncDaemon().user("sync", "sesame");
                SshDaemon ssh = new SshDaemon()) {
            closed.module("one", made("one-copy"))
                    .module("pull", made("at-web1"))
                    .start();
            for (String name : new String[] {"web1", "web2", "web3", "filters"}) {
                open.module(name, made(name));
            }
            open.start();
            ssh.start();
            int number = 0;
            for (Map.Entry<String, String> block : routes.entrySet()) {
                String section = block.getKey();
                String module = section.startsWith("Pull") ? "pull" : "one";
                String yaml = block.getValue()
                        .replace("sync@web1.example.org::www", closed.url("sync", module))
                        .replace("root@web1.example.org:/data/www", ssh.target(made("ssh-copy")))
                        .replaceAll(
                                "(web[123])\\.example\\.org::www",
                                open.url(section.equals("Filters") ? "filters" : "$1"))
                        .replace("ssh -i /etc/dromedary/id -o BatchMode=yes", String.join(" ", ssh.sshArguments()))
                        .replace("/etc/rsync.pass", password.toString())
                        .replace("/usr/local/bin/purge", purge.toString())
                        .replace(
                                "/data/www",
                                made(section.replaceAll("\\W", "-")).toString())
                        .replace("/data/inbox", made("inbox").toString())
                        .replace("/data/pulled", pulled.toString())
                        .replace("cron: 0 0/10 * * * ?", "cron: 0/2 * * * * ?");
                // The remotes of all sections are in one process here.
                String prefix = section.equals("Something after each push") ? "s0-" : "s" + number + "-";
                yaml = yaml.replaceAll("(?m)^( *(?:id|remote|mirror): )(\\w+)$", "$1" + prefix + "$2");
                assertThat(yaml).doesNotContain("example.org").doesNotContain("/data/");
                Files.writeString(made("conf/routes").resolve("s" + number++ + ".camel.yaml"), yaml);
            }
            String settings = blocks("properties").get("A full sync every night");
            assertThat(settings).contains("dromedary.full-sync.cron=0 0 2 * * ?", "exclude=*.php");
            Files.writeString(
                    directory.resolve("conf/application.properties"),
                    settings.replace("0 0 2 * * ?", "0/2 * * * * ?") + "dromedary.http.port=0\n");
            try (DromedaryProcess dromedary =
                    DromedaryProcess.start(directory, "run", "-c", made("conf").toString())) {
                dromedary.awaitLine(" watching 5 trees for 6 remotes", START);
                for (String source : new String[] {"One-remote", "Three-remotes", "Over-ssh", "Filters", "inbox"}) {
                    Files.writeString(made(source).resolve("new"), "text");
                    Files.writeString(made(source).resolve("left.tmp"), "out");
                }
                for (String copy : new String[] {"one-copy", "web1", "web2", "web3", "ssh-copy", "filters"}) {
                    arrives(copy + "/new", "text");
                }
                arrives("pulled/pulled", "from there");
                Files.writeString(directory.resolve("at-web1/later"), "again");
                arrives("pulled/later", "again");
                arrives("one-copy/left.tmp", "out");
                assertThat(directory.resolve("filters/left.tmp")).doesNotExist();
                await().atMost(SOON).ignoreExceptions().untilAsserted(() -> assertThat(Files.readAllLines(purged))
                        .contains(made("One-remote") + "/new"));
                // Nightly: what is only at the remote goes, but for what the full sync leaves out.
                Files.writeString(directory.resolve("web2/extra"), "theirs");
                Files.writeString(directory.resolve("web2/kept.php"), "theirs");
                await().atMost(SOON).untilAsserted(() -> assertThat(directory.resolve("web2/extra"))
                        .doesNotExist());
                assertThat(directory.resolve("web2/kept.php")).exists();
                dromedary.awaitLine("inbox/new", SOON);
            }
        }
    }

    private void arrives(String file, String text) {
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(directory.resolve(file)).hasContent(text));
    }
}
