package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.change.ChangeSet;
import io.dromedary.push.Refusal.Places;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RefusalTest {
    private static final Places PLACES = new Places(List.of("/data/www"), List.of("/copy"), "");
    private static final Places MODULE = new Places(List.of("/data/www"), List.of("/"), "");

    private static ChangeSet changes(String... paths) {
        ChangeSet changes = new ChangeSet();
        for (String path : paths) {
            changes.add(path, false);
        }
        return changes;
    }

    private static Refusal one(String told, Places places, String... changed) {
        Collection<Refusal> all = Refusal.in(told, places, changes(changed), path -> true);
        assertThat(all).as(told).isNotNull().hasSize(1);
        return all.iterator().next();
    }

    /** The words of rsync 3.0.6, 3.1.2, 3.2.7 and 3.5.0. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "rsync: [sender] send_files failed to open \"/data/www/a/b\": Permission denied (13)|true|true",
                "rsync: send_files failed to open \"/data/www/a/b\": Permission denied (13)|true|true",
                "rsync: [sender] link_stat \"/data/www/a/b\" failed: Permission denied (13)|true|true",
                "rsync: [sender] readlink_stat(\"/data/www/a/b\") failed: Permission denied (13)|true|true",
                "rsync: [sender] read errors mapping \"/data/www/a/b\": Input/output error (5)|true|true",
                "symlink has no referent: \"/data/www/a/b\"|true|true",
                "ERROR: daemon refused to receive file \"a/b\"|true|false",
                "skipping daemon-excluded file \"a/b\"|true|false",
                "rsync: [generator] recv_generator: failed to stat \"/a/b\" (in m): File name too long (36)|true|false",
                "rsync: [receiver] mkstemp \"/a/.b.X2dpvf\" (in m) failed: Operation not permitted (1)|true|false",
                "rsync: [receiver] rename \"/a/.b.k9aiz9\" (in m) -> \"a/b\": Operation not permitted (1)|true|false",
                "rsync: [receiver] write failed on \"/a/b\" (in m): Disk quota exceeded (122)|true|false",
                "rsync: [generator] delete_file: unlink(a/b) failed: Operation not permitted (1)|true|false",
                "rsync: [generator] failed to set times on \"/a/b\" (in m): Operation not permitted (1)|true|false",
                "rsync: [receiver] rsync_xal_set: lsetxattr(\"/a/b\",\"user.x\") failed: Operation not supported (95)"
                        + "|true|false",
                "ERROR: a/b failed verification -- update discarded.|false|false",
                "could not make way for new regular file: a/b|false|false",
                "recv_files: \"/a/b\" (in m) is a directory|false|false",
                "rsync: [sender] send_files failed to open \"/data/www/a/b\": Not a directory (20)|false|true",
            })
    void rsyncsWordsNameThePath(String line, boolean lasting, boolean unread) {
        Refusal refusal = one(line, MODULE, "a/b", "b", "other");
        assertThat(refusal.path()).isEqualTo("a/b");
        assertThat(refusal.lasting()).isEqualTo(lasting);
        assertThat(refusal.unread()).isEqualTo(unread);
        assertThat(refusal.deep()).isFalse();
        assertThat(refusal.words()).isEqualTo(line);
    }

    /** Where all is pushed, the receiver's name for it is a path of the source as well. */
    @Test
    void theNameOfAnUnfinishedFileIsNoPathOfItsOwn() {
        String told =
                "rsync: [receiver] failed to set permissions on \"/a/.b.X2dpvf\" (in m): Operation not supported (95)";
        Collection<Refusal> all = Refusal.in(told, MODULE, ChangeSet.ofEverything(), "a/b"::equals);
        assertThat(all).extracting(Refusal::path).containsExactly("a/b");
        all = Refusal.in(told, MODULE, ChangeSet.ofEverything(), Set.of("a/b", "a/.b.X2dpvf")::contains);
        assertThat(all).extracting(Refusal::path).containsExactlyInAnyOrder("a/b", "a/.b.X2dpvf");
    }

    @Test
    void eachPathIsTakenOnceAndWhatFollowsFromItOrIsNoRsyncsIsPassedOver() {
        String told =
                """
                Warning: Permanently added 'web1' (ED25519) to the list of known hosts.
                rsync: [receiver] mkstemp "/copy/.a.X2dpvf" failed: Operation not permitted (1)
                rsync: [generator] failed to set times on "/copy/b": Operation not permitted (1)
                rsync: [generator] failed to set times on "/copy/a": Operation not permitted (1)
                file has vanished: "/data/www/c"
                WARNING: c failed verification -- update discarded (will try again).
                rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1394) [sender=3.5.0]
                """;
        assertThat(Refusal.in(told, PLACES, changes("a", "b", "c"), path -> true))
                .extracting(Refusal::path)
                .containsExactly("a", "b");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "rsync: [receiver] something new went wrong (1)",
                "rsync: [sender] send_files failed to open \"/data/www/other\": Permission denied (13)",
                "rsync: [sender] opendir \"/data/www/.\" failed: Permission denied (13)",
                "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1394)",
                ""
            })
    void whereThePathIsNotKnownNothingIs(String line) {
        String told = "rsync: [sender] send_files failed to open \"/data/www/a\": Permission denied (13)\n" + line;
        assertThat(Refusal.in(line, PLACES, changes("a"), path -> true)).isNull();
        if (line.startsWith("rsync: ")) {
            assertThat(Refusal.in(told, PLACES, changes("a"), path -> true)).isNull();
        }
    }

    @Test
    void namesOfAnyBytesAreFound() {
        Map<String, String> told = new TreeMap<>(Map.of(
                "new\\#012line", "new\nline",
                "\\#303\\#244", "\u00c3\u00a4",
                "back\\#134#012", "back\\#012",
                "quo\"te", "quo\"te",
                "x\" failed: y (2)", "x\" failed: y (2)"));
        told.forEach((shown, name) -> assertThat(one(
                                "rsync: [sender] send_files failed to open \"/data/www/d/" + shown
                                        + "\": Permission denied (13)",
                                PLACES,
                                "d/" + name,
                                "other")
                        .path())
                .isEqualTo("d/" + name));
    }

    @Test
    void ofADirectoryThatIsNotThereNothingBelowIs() {
        String told =
                """
                rsync: [generator] recv_generator: mkdir "/d" (in m) failed: File name too long (36)
                *** Skipping any contents from this failed directory ***
                """;
        Refusal refusal = one(told, MODULE, "d/a", "d/b", "other");
        assertThat(refusal.path()).isEqualTo("d");
        assertThat(refusal.deep()).isTrue();
        String times = "rsync: [generator] failed to set times on \"/d\" (in m): Operation not permitted (1)";
        assertThat(one(times, MODULE, "d/a", "d").deep()).isFalse();
    }

    @Test
    void whereTheCopysNameIsNotKnownItIsFoundByItsEnd() {
        Places unknown = new Places(List.of("/data/www"), List.of(), "");
        assertThat(one(
                                "rsync: [receiver] mkstemp \"/home/u/copy/a/.b.X2dpvf\" failed: Operation not permitted (1)",
                                unknown,
                                "a/b",
                                "c")
                        .path())
                .isEqualTo("a/b");
    }

    @Test
    void aCallThatStartsFurtherBelowNamesPathsFromThere() {
        Places below = new Places(List.of("/data/www"), List.of("/copy"), "d/");
        assertThat(one("ERROR: daemon refused to receive file \"b\"", below, "d/b", "b")
                        .path())
                .isEqualTo("d/b");
    }

    @Test
    void aFileWithoutRoomCutsItsCall() {
        String told =
                """
                rsync: [receiver] write failed on "/copy/big": No space left on device (28)
                rsync error: error in file IO (code 11) at receiver.c(657) [receiver=3.5.0]
                rsync: [sender] write error: Broken pipe (32)
                rsync: connection unexpectedly closed (54 bytes received so far) [sender]
                """;
        assertThat(Refusal.cuts(told)).isTrue();
        assertThat(one(told, PLACES, "big", "a").path()).isEqualTo("big");
        assertThat(Refusal.in(told, PLACES, ChangeSet.ofEverything(), path -> true))
                .extracting(Refusal::path)
                .containsExactly("big");
        assertThat(Refusal.cuts("rsync: [receiver] write failed on \"/copy/big\": Input/output error (5)"))
                .isFalse();
    }

    @Test
    void theReceiversNameForAnUnfinishedFileIsNoDifference() {
        assertThat(Refusal.same(
                        "rsync: mkstemp \"/.a.X2dpvf\" failed: x (1)", "rsync: mkstemp \"/.a.aaaaaa\" failed: x (1)"))
                .isTrue();
        assertThat(Refusal.same("x: Permission denied (13)", "x: Input/output error (5)"))
                .isFalse();
    }
}
