package io.dromedary.posix;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.posix.Way.Step;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WayTest {
    @TempDir
    Path directory;

    private String root;

    @BeforeEach
    void tree() throws IOException {
        root = directory.toRealPath().toString();
        Files.createDirectories(directory.resolve("a/b"));
        Files.writeString(directory.resolve("a/b/file"), "x");
    }

    private void link(String path, String text) throws IOException {
        Files.createSymbolicLink(directory.resolve(path), Path.of(text));
    }

    @Test
    void eachLinkOnTheWayAndItsEndDecideWhereItLeads() throws IOException {
        link("current", "a");
        link("link", "current/../current/./b//file");
        Way way = Way.along(root + "/link");
        assertThat(way.exists()).isTrue();
        assertThat(way.end()).isEqualTo(root + "/a/b/file");
        assertThat(way.steps())
                .containsExactly(
                        new Step(root, "link"),
                        new Step(root, "current"),
                        new Step(root, "current"),
                        new Step(root + "/a/b", "file"));
    }

    @Test
    void whereItBreaksOffTheMissingNameDecides() throws IOException {
        link("link", root + "/a/missing/further");
        Way way = Way.along(root + "/link");
        assertThat(way.exists()).isFalse();
        assertThat(way.end()).isEqualTo(root + "/a");
        assertThat(way.aim()).isEqualTo(root + "/a/missing/further");
        assertThat(way.steps()).endsWith(new Step(root + "/a", "missing"));
    }

    @Test
    void aFileOnTheWayIsItsEnd() throws IOException {
        link("link", "a/b/file/x");
        assertThat(Way.along(root + "/link").exists()).isFalse();
        assertThat(Way.along(root + "/link").steps()).endsWith(new Step(root + "/a/b", "file"));
    }

    @Test
    void aCircleEnds() throws IOException {
        link("link", "other");
        link("other", "link");
        assertThat(Way.along(root + "/link").exists()).isFalse();
    }

    @Test
    void theRootIsAnEndWithoutAStep() throws IOException {
        link("link", "/");
        Way way = Way.along(root + "/link");
        assertThat(way.end()).isEmpty();
        assertThat(way.exists()).isTrue();
        assertThat(way.steps()).containsExactly(new Step(root, "link"));
    }
}
