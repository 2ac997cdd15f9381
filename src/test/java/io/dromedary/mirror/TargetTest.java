package io.dromedary.mirror;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TargetTest {
    @ParameterizedTest
    @CsvSource(
            textBlock =
                    """
            web1::www,                               DAEMON, web1
            web1::www/htdocs/a b,                    DAEMON, web1
            sync@web1.example.org::www,              DAEMON, web1.example.org
            10.0.0.7::www,                           DAEMON, 10.0.0.7
            [2001:db8::7]::www/a,                    DAEMON, [2001:db8::7]
            sync@[fe80::1%eth0]::www,                DAEMON, [fe80::1%eth0]
            rsync://web1/www,                        DAEMON, web1
            rsync://web1:8873/www/a,                 DAEMON, web1
            rsync://sync@web1/www,                   DAEMON, web1
            rsync://sync@web1:8873/www/htdocs,       DAEMON, web1
            rsync://[2001:db8::7]:8873/www,          DAEMON, [2001:db8::7]
            rsync://sync@[::1]/www,                  DAEMON, [::1]
            web1:/srv/www,                           SSH,    web1
            web1:www,                                SSH,    web1
            web1:~/www,                              SSH,    web1
            web1:www/a@b/c,                          SSH,    web1
            web1:/,                                  SSH,    web1
            deploy@web1:/srv/www,                    SSH,    web1
            deploy@[2001:db8::7]:/srv/www,           SSH,    [2001:db8::7]
            [::1]:www,                               SSH,    [::1]
            web1:/srv/a::b,                          SSH,    web1
            /srv/www,                                LOCAL,  www
            /,                                       LOCAL,  root
            /srv/a:b,                                LOCAL,  a:b
            /srv/a::b,                               LOCAL,  a::b
            /srv/www@2,                              LOCAL,  www@2
            """)
    void takesWhatRsyncTakes(String written, Target.Kind kind, String shortName) {
        Target target = Target.parse(written);
        assertThat(target).isEqualTo(new Target(kind, written));
        assertThat(target).hasToString(written);
        assertThat(target.shortName()).isEqualTo(shortName);
        // The mirror command writes the text into a route, from which it is read again.
        assertThat(Target.parse(target.text())).isEqualTo(target);
        assertThat(Target.parse("  " + written + "\t")).isEqualTo(target);
    }

    @ParameterizedTest
    @CsvSource({
        "web1::www/, web1::www",
        "web1::www/a//, web1::www/a",
        "rsync://web1/www/, rsync://web1/www",
        "web1:/srv/www/, web1:/srv/www",
        "/srv/www/, /srv/www",
        "/srv/../srv/./www, /srv/www"
    })
    void aSlashAtTheEndMakesNoDifference(String written, String text) {
        assertThat(Target.parse(written).text()).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({
        "web1::www, ''",
        "sync@web1::www/a/b/, /a/b",
        "[2001:db8::7]::www/a, /a",
        "rsync://web1/www, ''",
        "rsync://sync@[::1]:8873/www/a:b, /a:b",
        "web1:/, ''",
        "deploy@web1:/srv/www, /srv/www",
        "[::1]:/srv/a::b, /srv/a::b",
        "web1:www/a,",
        "web1:~/www,",
        "/, ''",
        "/srv/a::b, /srv/a::b"
    })
    void pathIsThatAtTheOtherSide(String written, String path) {
        assertThat(Target.parse(written).path()).isEqualTo(path);
    }

    @Test
    void aRelativePathIsLocalAndMadeAbsolute() {
        assertThat(Target.parse("mirror/www"))
                .isEqualTo(new Target(
                        Target.Kind.LOCAL,
                        Path.of("mirror/www").toAbsolutePath().toString()));
        assertThat(Target.parse("./a:b").kind()).isEqualTo(Target.Kind.LOCAL);
        assertThat(Target.parse("./web1").kind()).isEqualTo(Target.Kind.LOCAL);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "  ",
                "-a",
                "--rsh=x:y",
                "web1::",
                "web1::/www",
                "web1:::www",
                "::www",
                "::1::www",
                "user@::www",
                "we b1::www",
                "web1:",
                "deploy@web1:",
                ":/srv/www",
                "[::1]",
                "web1",
                "rsync://",
                "rsync://web1",
                "rsync://web1/",
                "rsync://web1//www",
                "rsync://web1:port/www",
                "rsync:///www",
                "http://web1/www"
            })
    void allElseIsRefusedNamingWhatIsAllowed(String written) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Target.parse(written))
                .withMessage("target '" + written + "' is not one rsync takes; allowed: [user@]host::module/path,"
                        + " rsync://[user@]host[:port]/module/path, [user@]host:path, /local/path, ./local/path");
    }

    /** There rsync is a program of Cygwin's, to which C: would be a host. */
    @ParameterizedTest
    @CsvSource({
        "C:/backup/www, LOCAL, /cygdrive/c/backup/www, www",
        "'d:\\backup\\www x\\', LOCAL, '/cygdrive/d/backup/www x', www x",
        "/cygdrive/c/backup, LOCAL, /cygdrive/c/backup, backup",
        "web1:/srv/www, SSH, web1:/srv/www, web1",
        "web1::www, DAEMON, web1::www, web1",
        "c::www, DAEMON, c::www, c"
    })
    void onWindowsADriveIsNoHost(String written, Target.Kind kind, String text, String shortName) {
        Target target = Target.parse(written, true);
        assertThat(target).isEqualTo(new Target(kind, text));
        assertThat(target.shortName()).isEqualTo(shortName);
        assertThat(Target.parse(text, true)).isEqualTo(target);
    }
}
