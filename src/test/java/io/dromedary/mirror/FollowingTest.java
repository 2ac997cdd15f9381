package io.dromedary.mirror;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.mirror.Following.What;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FollowingTest {
    @TempDir
    Path directory;

    private Path source;

    @BeforeEach
    void tree() throws IOException {
        source = Files.createDirectories(directory.resolve("source"));
        Files.createDirectories(source.resolve("in/deep"));
        Files.createDirectories(directory.resolve("out/sub"));
        Files.writeString(directory.resolve("out/file"), "x");
        link("in/out", "../../out");
        link("in/file", "../../out/file");
        link("in/safe", "deep");
        link("in/nowhere", "missing");
        link("in/outnowhere", "../../missing");
        link("in/loop", "loop");
        link("in/self", ".");
        link("in/up", "../..");
    }

    private void link(String path, String text) throws IOException {
        Files.createSymbolicLink(source.resolve(path), Path.of(text));
    }

    private What look(String args, String path) {
        return Following.of(RsyncArgs.parse(args)).look(source.toString(), path).what();
    }

    @ParameterizedTest
    @CsvSource({
        "in/out,        ENTRY, DIRECTORY, DIRECTORY, DIRECTORY",
        "in/out/sub,    DIRECTORY, DIRECTORY, DIRECTORY, DIRECTORY",
        "in/file,       ENTRY, ENTRY,     ENTRY,     ENTRY",
        "in/safe,       ENTRY, DIRECTORY, DIRECTORY, ENTRY",
        "in/nowhere,    ENTRY, NOWHERE,   ENTRY,     ENTRY",
        "in/outnowhere, ENTRY, NOWHERE,   ENTRY,     NOWHERE",
        "in/loop,       ENTRY, NOWHERE,   ENTRY,     ENTRY",
        "in/self,       ENTRY, CYCLE,     CYCLE,     ENTRY",
        "in/up,         ENTRY, DIRECTORY, DIRECTORY, DIRECTORY",
        "in/up/source,  DIRECTORY, CYCLE, CYCLE,     CYCLE",
        "in/missing,    GONE, GONE,       GONE,      GONE"
    })
    void aLinkIsWhatRsyncTakesItFor(String path, What plain, What all, What directories, What unsafe) {
        assertThat(look("-a", path)).isEqualTo(plain);
        assertThat(look("-aL", path)).isEqualTo(all);
        assertThat(look("-a --copy-dirlinks", path)).isEqualTo(directories);
        assertThat(look("-a --copy-unsafe-links", path)).isEqualTo(unsafe);
    }

    @Test
    void ofAFollowedLinkTheFileBehindItIsSeen() {
        Following all = Following.of(RsyncArgs.parse("-rL"));
        assertThat(all.look(source.toString(), "in/file").stat().isRegular()).isTrue();
        assertThat(all.look(source.toString(), "in/file").followed()).isTrue();
        assertThat(Following.NONE.look(source.toString(), "in/file").stat().isSymlink())
                .isTrue();
    }

    /** As rsync's own {@code t_unsafe} has them, and the security update of 2025. */
    @ParameterizedTest
    @CsvSource({
        "file, false", "dir/file, false", "dir/../file, true", "/abs, true", "../outside, false",
        "../../outside, true", "./x, false", "dir/.., true", "..//../outside, true", ".., false"
    })
    void aLinkIsUnsafeWhereRsyncSaysSo(String text, boolean unsafe) {
        assertThat(Following.isUnsafe("from/link", text)).isEqualTo(unsafe);
    }
}
