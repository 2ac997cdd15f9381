package io.dromedary.mirror;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Chars;
import net.jqwik.api.constraints.NotEmpty;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RemoteTest {
    private static final String SSH = "ssh -o BatchMode=yes";

    @TempDir
    Path directory;

    private final Mirrors mirrors = new Mirrors();

    @BeforeEach
    void aMirror() {
        Mirror mirror = new Mirror();
        mirror.setId("www");
        mirror.setSource(directory.toString());
        mirror.setMirrors(mirrors);
        mirror.register();
    }

    /** As the rsync Kamelet makes it from its defaults. */
    private Remote remote(String id, String target) {
        Remote remote = new Remote();
        remote.setId(id);
        remote.setMirror("www");
        remote.setTarget(target);
        remote.setPasswordFile("");
        remote.setPort(0);
        remote.setSsh(SSH);
        remote.setArgs("-a");
        remote.setTimeout(60);
        remote.setBwlimit("");
        remote.setMirrors(mirrors);
        return remote;
    }

    private Path passwordFile(String mode) throws IOException {
        Path file = Files.writeString(directory.resolve("secret"), "sesame\n");
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
    }

    @Test
    void knowsItsMirrorOnceRegistered() throws IOException {
        Remote remote = remote("web1", "web1::www");
        remote.register();
        assertThat(mirrors.remote("web1")).isSameAs(remote);
        assertThat(remote.mirror()).isSameAs(mirrors.mirror("www"));
        assertThat(mirrors.remotesOf("www")).containsExactly(remote);
        assertThat(remote.delete()).isTrue();
        assertThat(remote.deletesByRule()).isFalse();
    }

    @Test
    void twoOfOneNameAreRefused() throws IOException {
        remote("web1", "web1::www").register();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> remote("web1", "web2::www").register())
                .withMessage("remote web1: there are two of this name; each remote needs its own");
    }

    @Test
    void optionsOfADaemon() throws IOException {
        Remote remote = remote("web1", "sync@web1::www");
        assertThat(remote.options())
                .containsExactly(
                        "--modify-window=-1", "-a", "--timeout=60", "--sockopts=TCP_NODELAY", "--contimeout=5");

        Path secret = passwordFile("rw-------");
        remote.setPasswordFile(" " + secret + " ");
        remote.setPort(8873);
        remote.setTimeout(0);
        remote.setBwlimit(" 10m ");
        remote.setArgs("-az --chmod='F644,D755'");
        remote.register();
        assertThat(remote.options())
                .containsExactly(
                        "--modify-window=-1",
                        "-az",
                        "--chmod=F644,D755",
                        "--bwlimit=10240",
                        "--sockopts=TCP_NODELAY",
                        "--contimeout=5",
                        "--port=8873",
                        "--password-file=" + secret);
    }

    @Test
    void optionsOverSsh() {
        Remote remote = remote("web1", "web1:/srv/www");
        // Neither is for a remote shell: rsync would refuse --contimeout.
        remote.setPort(8873);
        assertThat(remote.options())
                .containsExactlyInAnyOrder("--modify-window=-1", "--rsh=" + SSH, "-a", "--timeout=60");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-a",
                "-az",
                "-a -e 'ssh -p 22'",
                "-aze 'ssh -i /key'",
                "-a --rsh='ssh -p 22'",
                "-a --rsh ssh",
                "-a -essh"
            })
    void renamesAreLinkedWhateverTheRemoteShell(String args) throws IOException {
        Remote remote = remote("web1", "web1:/srv/www");
        remote.setArgs(args);
        remote.register();
        assertThat(remote.linksRenames()).isTrue();
    }

    /** In a call that starts at another directory a relative path would mean another file. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "-a --exclude-from=list",
                "-a -e 'ssh -i key'",
                "-a --rsh='ssh -i key'",
                "-ae 'ssh -i key'",
                "-a -e \"ssh 'key\"",
                "-a -e 'ssh' --backup-dir=/old"
            })
    void renamesAreNotLinkedWithPathsInTheArguments(String args) throws IOException {
        Files.createFile(directory.resolve("key"));
        Files.createFile(directory.resolve("list"));
        Remote remote = remote("web1", "web1:/srv/www");
        remote.setArgs(args);
        remote.register();
        assertThat(remote.linksRenames()).isFalse();
    }

    /** Of two remote shells rsync takes the last. */
    @ParameterizedTest
    @ValueSource(
            strings = {"-e 'ssh -p 22'", "--rsh='ssh -p 22'", "--rsh 'ssh -p 22'", "-aze 'ssh -p 22'", "'-essh -p 22'"})
    void theUsersOwnRemoteShellWins(String args) {
        Remote remote = remote("web1", "web1:/srv/www");
        remote.setArgs(args);
        List<String> options = remote.options();
        assertThat(options).containsSubsequence(Remote.words(args));
        int own = options.indexOf(Remote.words(args).get(0));
        assertThat(options.indexOf("--rsh=" + SSH)).isLessThan(own);
    }

    @Test
    void optionsOfALocalDirectory() {
        assertThat(remote("copy", "/srv/copy").options()).containsExactly("--modify-window=-1", "-a", "--timeout=60");
    }

    @ParameterizedTest
    @ValueSource(strings = {"web1", "1", "Web_1.example-org"})
    void goodNames(String id) {
        assertThatCode(() -> remote(id, "web1::www").register()).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "../x", "a/b", "-x", "_x", "a b", "a\n", "é", "a:b"})
    void badNames(String id) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> remote(id, "web1::www").register())
                .withMessage("remote '" + id + "': allowed are letters, digits, '.', '_' and '-'");
        assertThat(mirrors.remotes()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"rw-------", "r--------", "rwx------"})
    void aPasswordFileForOneself(String mode) throws IOException {
        Remote remote = remote("web1", "rsync://sync@web1/www");
        remote.setPasswordFile(passwordFile(mode).toString());
        assertThatCode(remote::register).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(strings = {"rw-r--r--", "rw----r--", "rw-r-----"})
    void aPasswordFileThatOthersCanReadIsRefused(String mode) throws IOException {
        Remote remote = remote("web1", "web1::www");
        Path secret = passwordFile(mode);
        remote.setPasswordFile(secret.toString());
        assertThatIllegalArgumentException()
                .isThrownBy(remote::register)
                .withMessage("remote web1: password file " + secret + " can be read by others; chmod 600 " + secret);
        assertThat(mirrors.remotes()).isEmpty();
    }

    @Test
    void aPasswordFileThatIsNoneIsRefused() {
        for (Path none : List.of(directory.resolve("missing"), directory)) {
            Remote remote = remote("web1", "web1::www");
            remote.setPasswordFile(none.toString());
            assertThatIllegalArgumentException()
                    .isThrownBy(remote::register)
                    .withMessage("remote web1: password file " + none + " is missing or cannot be read");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"web1:/srv/www", "/srv/www"})
    void aPasswordFileIsForDaemonsOnly(String target) throws IOException {
        Remote remote = remote("web1", target);
        remote.setPasswordFile(passwordFile("rw-------").toString());
        assertThatIllegalArgumentException()
                .isThrownBy(remote::register)
                .withMessage("remote web1: passwordFile is for rsync daemons (host::module or rsync://), " + target
                        + " is none");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--delete", "--del", "--delete-after", "--delete-missing-args", "--files-from=x", "--files-from"
            })
    void argumentsThatAreNotTheUsersAreRefused(String arg) {
        Remote remote = remote("web1", "web1::www");
        remote.setArgs("-a " + arg + " -z");
        assertThatIllegalArgumentException()
                .isThrownBy(remote::register)
                .withMessageStartingWith("remote web1: rsync argument " + arg.replace("=x", "") + " is not allowed; ");
    }

    /** It would lie in the target, and be no part of the source. */
    @ParameterizedTest
    @CsvSource({
        "--temp-dir=.tmp, true",
        "-T ./.tmp/, true",
        "-T /srv/www/.tmp, true",
        "-T /srv/tmp, false",
        "-T ../tmp, false",
        "-b --backup-dir=old/files, true",
        "-b --backup-dir=old/files --exclude=/old/, false",
        "-b --backup-dir=/srv/www/old -f 'P old', false",
        "-b --backup-dir=/srv/old, false",
        "-b --backup-dir=old -f 'H old', true"
    })
    void aDirectoryOfRsyncsThatAFullSyncWouldDelete(String args, boolean refused) throws IOException {
        Remote remote = remote("web1", "web1:/srv/www");
        remote.setArgs("-a " + args);
        if (refused) {
            assertThatIllegalArgumentException()
                    .isThrownBy(remote::register)
                    .withMessageMatching(
                            "remote web1: rsync argument --(temp|backup)-dir=.*: a full sync would delete that"
                                    + " directory; exclude /(\\.tmp|old)/, or name one outside the target");
        } else {
            remote.register();
            assertThat(mirrors.remotes()).hasSize(1);
        }
    }

    @Test
    void filtersAreReadAgainWhenAsked() throws IOException {
        Path list = Files.writeString(directory.resolve("list"), "/a\n");
        Remote remote = remote("web1", "web1::www");
        remote.setArgs("-a --exclude-from=" + list);
        remote.register();
        assertThat(remote.options()).doesNotContain("--exclude-from=" + list);
        assertThat(remote.excludes().ownArguments()).containsExactly("--filter=- /a");
        Files.writeString(list, "/b\n");
        remote.readFilters();
        assertThat(remote.excludes().ownArguments()).containsExactly("--filter=- /b");
        Files.delete(list);
        assertThatIllegalArgumentException()
                .isThrownBy(remote::readFilters)
                .withMessage("remote web1: rsync argument exclude-from " + list + ": there is no file " + list);
    }

    @Test
    void splitsAsAShellWould() {
        assertThat(Remote.words("")).isEmpty();
        assertThat(Remote.words(" \t\n")).isEmpty();
        assertThat(Remote.words("-a  -z\t--x")).containsExactly("-a", "-z", "--x");
        assertThat(Remote.words("-e 'ssh -p 22' \"a b\"c")).containsExactly("-e", "ssh -p 22", "a bc");
        assertThat(Remote.words("--x='' ''")).containsExactly("--x=", "");
        assertThat(Remote.words("a\\ b 'a\\' \"a\\\"b\" \\'")).containsExactly("a b", "a\\", "a\"b", "'");
        assertThat(Remote.words("\"it's\" 'say \"hi\"'")).containsExactly("it's", "say \"hi\"");
        assertThat(Remote.words("a\\")).containsExactly("a\\");
        assertThat(Remote.words("$HOME *.o ~ `x` $(x)")).containsExactly("$HOME", "*.o", "~", "`x`", "$(x)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"'", "a \"b", "-e 'ssh", "\"a\\\""})
    void unbalancedQuotesAreRefused(String line) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Remote.words(line))
                .withMessageMatching("(?s)unbalanced ['\"] in: .*");
    }

    @Property
    void whatIsQuotedComesBackAsItWas(
            @ForAll @NotEmpty List<@Chars({' ', '\'', '"', '\\', 'a', '-', '\t', '$'}) String> words) {
        String line = String.join(
                " ",
                words.stream()
                        .map(word -> "'" + word.replace("'", "'\\''") + "'")
                        .toList());
        assertThat(Remote.words(line)).isEqualTo(words);
    }
}
