package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.dromedary.testbed.Api;
import io.dromedary.testbed.Configuration;
import io.dromedary.testbed.DromedaryProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What docs/configuration.md says of rsync's options, row by row: one remote for each that is allowed. */
class RsyncOptionsIT {
    private static final Duration START = Duration.ofSeconds(120);
    private static final Instant LONG_AGO = Instant.parse("2026-01-01T00:00:00Z");

    @TempDir
    Path directory;

    @Test
    void meanTheSameLiveInFullSyncsAndInVerify() throws Exception {
        Path source = Files.createDirectory(directory.resolve("source"));
        Path kept = Files.createDirectory(directory.resolve("kept"));
        Path temporary = Files.createDirectory(directory.resolve("temporary"));
        Path basis = Files.createDirectory(directory.resolve("basis"));
        Map<String, String> options = new LinkedHashMap<>();
        options.put("max", "--max-size=10");
        options.put("min", "--min-size=10");
        options.put("update", "-u");
        options.put("checksum", "-c");
        options.put("delay", "--delay-updates");
        options.put("partial", "--partial");
        options.put("partial-dir", "--partial-dir=.part");
        options.put("temp", "-T " + temporary);
        options.put("backup", "-b --suffix=.old --backup-dir=" + kept);
        options.put("inplace", "--inplace");
        options.put("copy-dest", "--copy-dest=" + basis);
        options.put("link-dest", "--link-dest=" + basis);
        options.put("quiet", "-q");
        Map<String, Path> targets = new LinkedHashMap<>();
        Api api = new Api();
        Configuration configuration = new Configuration(directory, source).set(api.setting());
        for (Map.Entry<String, String> option : options.entrySet()) {
            Path target = Files.createDirectory(directory.resolve(option.getKey()));
            targets.put(option.getKey(), target);
            configuration.remote(option.getKey(), target.toString(), "args: -a " + option.getValue());
            Files.writeString(target.resolve("newer"), "at the remote");
        }
        old(source.resolve("newer"), "newer");
        old(source.resolve("same"), "the same text");
        Files.copy(source.resolve("same"), basis.resolve("same"));
        Files.setLastModifiedTime(basis.resolve("same"), FileTime.from(LONG_AGO));
        old(source.resolve("small"), "small");
        old(source.resolve("large"), "a large file");
        for (String name : Set.of(".part", ".~tmp~")) {
            Files.writeString(Files.createDirectory(source.resolve(name)).resolve("x"), "as text");
        }
        try (DromedaryProcess dromedary = configuration.run()) {
            for (String name : targets.keySet()) {
                dromedary.awaitLine(name + ": .*live", START);
            }
            long inode = inode(targets.get("inplace").resolve("small"));
            Files.writeString(source.resolve("small"), "SMALL");
            Files.writeString(source.resolve("grows"), "grows");
            Files.writeString(source.resolve("deleted"), "deleted");
            flush(api);
            Files.writeString(source.resolve("grows"), "grows and grows");
            Files.delete(source.resolve("deleted"));
            flush(api);
            for (Map.Entry<String, Path> target : targets.entrySet()) {
                check(api, target.getKey(), target.getValue());
            }
            assertThat(kept.resolve("small.old")).hasContent("small");
            assertThat(kept.resolve("deleted.old")).hasContent("deleted");
            assertThat(inode(targets.get("inplace").resolve("small"))).isEqualTo(inode);
            assertThat(inode(targets.get("link-dest").resolve("same"))).isEqualTo(inode(basis.resolve("same")));
            assertThat(inode(targets.get("copy-dest").resolve("same"))).isNotEqualTo(inode(basis.resolve("same")));
            for (String name : Set.of("checksum", "quiet")) {
                Path small = targets.get(name).resolve("small");
                FileTime time = Files.getLastModifiedTime(small);
                Files.writeString(small, name.equals("quiet") ? "longer" : "drift");
                Files.setLastModifiedTime(small, time);
                assertThat(verify(api, name)).as(name).isEqualTo(Set.of("small"));
            }
            api.post("/api/sync");
            flush(api);
            for (Map.Entry<String, Path> target : targets.entrySet()) {
                check(api, target.getKey(), target.getValue());
            }
            assertThat(temporary).isEmptyDirectory();
        }
    }

    private static void old(Path file, String text) throws IOException {
        Files.writeString(file, text);
        Files.setLastModifiedTime(file, FileTime.from(LONG_AGO));
    }

    private static void check(Api api, String remote, Path target) throws IOException {
        Set<String> expected = new TreeSet<>(Set.of("newer", "same", "small", "large", "grows", ".part/x", ".~tmp~/x"));
        switch (remote) {
            case "max" -> expected.removeAll(Set.of("same", "large"));
            case "min" -> expected.removeAll(Set.of("small", ".part/x", ".~tmp~/x"));
            case "delay" -> expected.remove(".~tmp~/x");
            case "partial-dir" -> expected.remove(".part/x");
            default -> {
                // All there is.
            }
        }
        assertThat(files(target)).as(remote).isEqualTo(expected);
        if (expected.contains("small")) {
            assertThat(target.resolve("small")).as(remote).hasContent("SMALL");
        }
        assertThat(target.resolve("grows")).as(remote).hasContent(remote.equals("max") ? "grows" : "grows and grows");
        assertThat(target.resolve("newer"))
                .as(remote)
                .hasContent(Set.of("update", "min").contains(remote) ? "at the remote" : "newer");
        assertThat(verify(api, remote)).as(remote).isEmpty();
    }

    private static Set<String> files(Path root) throws IOException {
        try (Stream<Path> all = Files.walk(root)) {
            return all.filter(Files::isRegularFile)
                    .map(file -> root.relativize(file).toString())
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static long inode(Path file) throws IOException {
        return (Long) Files.getAttribute(file, "unix:ino");
    }

    private static void flush(Api api) {
        api.post("/api/flush");
    }

    private static Set<String> verify(Api api, String remote) {
        JsonNode answer = api.post("/api/verify?remote=" + remote).at("/remotes/0");
        assertThat(answer.path("error").asText()).isEmpty();
        Set<String> differences = new TreeSet<>();
        answer.get("differences").forEach(one -> differences.add(one.get("path").asText()));
        return differences;
    }
}
