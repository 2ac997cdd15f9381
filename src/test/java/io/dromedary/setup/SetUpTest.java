package io.dromedary.setup;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.change.Excludes;
import io.dromedary.mirror.Target;
import io.dromedary.posix.MountInfo;
import io.dromedary.setup.SetUp.Copy;
import io.dromedary.setup.SetUp.Mirrored;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SetUpTest {
    private static final String SSH = "ssh -o BatchMode=yes";

    @TempDir
    Path directory;

    private MountInfo mounts = MountInfo.now();
    private final List<Mirrored> mirrors = new ArrayList<>();
    private String excluded = "";
    private String ssh = SSH;
    private boolean delete = true;

    /** Names are below the temporary directory, what has a colon or starts with a slash is as it is. */
    private void mirror(String id, String source, String... targets) {
        List<Copy> copies = new ArrayList<>();
        for (String text : targets) {
            Target target = Target.parse(text.contains(":") ? text : path(text).toString());
            Path here = target.kind() == Target.Kind.LOCAL ? Path.of(target.text()) : null;
            copies.add(new Copy(id + (copies.size() + 1), target, 0, ssh, Excludes.of(excluded, ""), delete, here));
        }
        mirrors.add(new Mirrored(id, path(source), copies));
    }

    private Path path(String name) {
        return directory.resolve(name);
    }

    private String problem() {
        return new SetUp(mirrors, mounts).problem();
    }

    @ParameterizedTest
    @CsvSource({
        "src, src, is the source",
        "src, src/copy, lies in the source",
        "src, src/new/copy, lies in the source",
        "src/www, src, contains the source",
        "src, link, is the source",
        "link, src/copy, lies in the source",
        "src, link/copy, lies in the source",
        "src, src/../src/copy, lies in the source",
        "src, /, contains the source"
    })
    void aTargetThatIsContainsOrLiesInItsSourceIsRefused(String source, String target, String how) throws IOException {
        Files.createDirectories(path("src/www"));
        Files.createSymbolicLink(path("link"), path("src"));
        mirror("www", source, target);
        assertThat(problem())
                .startsWith("remote www1: target " + path(target).normalize() + " " + how + " " + path(source))
                .doesNotContain("\n");
    }

    @ParameterizedTest
    @CsvSource({"src, copy", "src, src-copy", "src/a, src/b"})
    void anyOtherDirectoryIsFine(String source, String target) throws IOException {
        Files.createDirectories(path("src/a"));
        mirror("www", source, target);
        assertThat(problem()).isNull();
    }

    @Test
    void anExcludedTargetInTheSourceIsFine() throws IOException {
        Files.createDirectories(path("src/copy"));
        excluded = "/copy/";
        mirror("www", "src", "src/copy/of/it");
        assertThat(problem()).isNull();
        mirror("other", "src", "src/copies");
        assertThat(problem()).contains("src/copies lies in the source");
    }

    /** Each leaves itself out, and gets the other with all that this got of it. */
    @Test
    void twoCopiesInTheirSourceHaveToBeExcludedForEachOther() {
        ownExcludes("src", "/a", "/b");
        assertThat(problem())
                .startsWith("mirrors feed each other in a circle: ")
                .contains("target " + path("src/a") + " of remote www1 lies in the source")
                .contains("target " + path("src/b") + " of remote www2 lies in the source");
        mirrors.clear();
        ownExcludes("src", "/a,/b", "/a,/b");
        assertThat(problem()).isNull();
        mirrors.clear();
        ownExcludes("src", "/a,/b", "/b");
        assertThat(problem()).as("one way only").isNull();
    }

    private void ownExcludes(String source, String ofA, String ofB) {
        List<Copy> copies = new ArrayList<>();
        for (String name : List.of("a", "b")) {
            Path target = path(source).resolve(name);
            Excludes excludes = Excludes.of(name.equals("a") ? ofA : ofB, "");
            copies.add(new Copy(
                    "www" + (copies.size() + 1), Target.parse(target.toString()), 0, SSH, excludes, true, target));
        }
        mirrors.add(new Mirrored("www", path(source), copies));
    }

    @Test
    void bindMountsAreSeenThrough() {
        mounts = MountInfo.parse("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                + "30 20 8:2 / /data rw - ext4 /dev/sdb1 rw\n"
                + "31 20 8:2 /www/sub /mnt/of\\040it rw - ext4 /dev/sdb1 rw\n"
                + "32 20 8:3 / /backup rw - ext4 /dev/sdc1 rw\n"
                + "33 32 8:2 /www /backup/live rw - ext4 /dev/sdb1 rw\n");
        mirror("a", "/data/www", "/mnt/of it/copy");
        assertThat(problem()).startsWith("remote a1: target /mnt/of it/copy lies in the source /data/www");
        mirrors.clear();
        mirror("a", "/data/www/sub/deep", "/mnt/of it");
        assertThat(problem()).startsWith("remote a1: target /mnt/of it contains the source /data/www/sub/deep");
        mirrors.clear();
        // What is mounted in the target is the source.
        mirror("a", "/data/www/sub", "/backup");
        assertThat(problem()).startsWith("remote a1: target /backup contains the source /data/www/sub");
        mirrors.clear();
        mirror("a", "/data/other", "/backup/copy");
        assertThat(problem()).isNull();
    }

    @Test
    void aMountThatHidesAnotherCounts() {
        mounts = MountInfo.parse("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                + "30 20 8:2 / /data/www rw - ext4 /dev/sdb1 rw\n"
                + "31 20 8:3 / /data rw - ext4 /dev/sdc1 rw\n");
        assertThat(mounts.of("/data/www/file").device()).isEqualTo("8:3");
        assertThat(mounts.below("/data")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "copy, copy/of/it",
        "copy, copy",
        "h::m/a, rsync://root@H:873/m//a/./b",
        "h::m, root@h::m",
        "h:/data, www@h:/data/../data/sub",
        "localhost::m, 127.0.0.1::m/x",
        "www@h:data, www@h:~/data/sub",
        "rsync://[::1]/m, localhost::m"
    })
    void twoTargetsThatAreOrContainEachOtherAreRefused(String one, String other) {
        mirror("a", "src", one);
        mirror("b", "src2", other);
        String there = problem();
        assertThat(there)
                .startsWith("remotes a1 and b1: ")
                .contains("target " + mirrors.get(0).copies().get(0).target())
                .contains("target " + mirrors.get(1).copies().get(0).target());
        mirrors.clear();
        mirror("b", "src2", other);
        mirror("a", "src", one);
        assertThat(problem()).contains(other.equals(one) ? "are one directory" : "target");
        mirrors.clear();
        mirror("c", "src", one, other);
        assertThat(problem()).startsWith("remotes c");
    }

    @ParameterizedTest
    @CsvSource({
        "copy, copy2",
        "h::m/a, h::m/ab",
        "h::m, h2::m",
        "h::m, rsync://h:874/m",
        "h:/data, h::data",
        "www@h:data, root@h:data",
        "h:data, h:/data",
        "127.0.0.2::m, 127.0.0.3::m"
    })
    void twoOthersAreFine(String one, String other) {
        mirror("a", "src", one);
        mirror("b", "src2", other);
        assertThat(problem()).isNull();
    }

    @Test
    void anotherSshPortIsAnotherHost() {
        mirror("a", "src", "h:/data");
        ssh = "ssh -p 2222";
        mirror("b", "src2", "h:/data");
        assertThat(problem()).isNull();
        ssh = "ssh -o Port=22 -i key";
        mirror("c", "src3", "h:/data");
        assertThat(problem()).startsWith("remotes a1 and c1: ");
    }

    @Test
    void whatDeletesNothingOrLeavesTheOtherOutMayShareATarget() {
        delete = false;
        mirror("a", "src", "copy");
        mirror("b", "src2", "copy/b", "copy");
        assertThat(problem()).isNull();
        delete = true;
        mirrors.clear();
        excluded = "/b/";
        mirror("a", "src", "copy", "h::m");
        excluded = "";
        mirror("b", "src2", "copy/b", "h::m/b");
        assertThat(problem()).isNull();
    }

    @Test
    void chainsAreFineAndCirclesRefused() {
        mirror("a", "one", "two");
        mirror("b", "two", "three/b");
        mirror("c", "three", "four");
        assertThat(problem()).isNull();
        mirror("d", "four", "one/in");
        assertThat(problem())
                .startsWith("mirrors feed each other in a circle: ")
                .contains("target " + path("two") + " of remote a1 is the source " + path("two") + " of mirror b")
                .contains(
                        "target " + path("one/in") + " of remote d1 lies in the source " + path("one") + " of mirror a")
                .doesNotContain("\n");
        mirrors.remove(3);
        mirrors.remove(0);
        excluded = "/in/";
        mirror("a", "one", "two");
        excluded = "";
        mirror("d", "four", "one/in");
        assertThat(problem()).isNull();
    }

    @Test
    void twoThatMirrorIntoEachOtherAreRefused() {
        mirror("a", "one", "two");
        mirror("b", "two", "one");
        assertThat(problem()).startsWith("mirrors feed each other in a circle: ");
    }
}
