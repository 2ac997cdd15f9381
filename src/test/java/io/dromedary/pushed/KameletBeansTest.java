package io.dromedary.pushed;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KameletBeansTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({
        "false, false, isdir=0, mask=8",
        "true, false, isdir=1, mask=1073742080",
        "false, true, isdir=0, mask=512",
        "true, true, isdir=1, mask=1073742336"
    })
    void theFormHasSersyncsFields(boolean isDirectory, boolean gone, String isdir, String mask) {
        assertThat(new HttpForm().text("/data/w w", "/data/w w/ä&\n".getBytes(UTF_8), isDirectory, gone))
                .isEqualTo("watchroot=/data/w%20w&" + isdir + "&inotifyPath=/data/w%20w/%C3%A4%26%0A&" + mask);
    }

    private static RefreshCdn cdn(String match) throws IOException {
        RefreshCdn cdn = new RefreshCdn();
        cdn.setUser("me");
        cdn.setPassword("p&s");
        cdn.setPasswordFile("");
        cdn.setBase("http://pic.example.org/cms/");
        cdn.setMatch(match);
        cdn.open();
        return cdn;
    }

    @ParameterizedTest
    @CsvSource({
        "/data/site/a.jpg, false, urls=http://pic.example.org/cms/a.jpg",
        "/data/site/d, true, dirs=http://pic.example.org/cms/d/",
        "/data/site/ä b, false, urls=http://pic.example.org/cms/%C3%A4%20b",
        "/data/site, true, dirs=http://pic.example.org/cms/"
    })
    void withoutMatchThePathBelowTheSourceIsTheUrl(String path, boolean isDirectory, String url) throws IOException {
        assertThat(cdn("").query("/data/site", path.getBytes(UTF_8), isDirectory))
                .isEqualTo("user=me&pswd=p%26s&ok=ok&" + url);
    }

    @ParameterizedTest
    @CsvSource({
        "/data/cms/site/jx3.example.org/images/a.jpg, false, urls=http://pic.example.org/cms/jx3/a.jpg",
        "/data/cms/site/jx3.example.org/images/d, true, dirs=http://pic.example.org/cms/jx3/d/",
        "/data/cms/elsewhere/a.jpg, false,"
    })
    void withMatchItsGroupAndWhatFollowsAreTheUrl(String path, boolean isDirectory, String url) throws IOException {
        assertThat(cdn("site([/a-zA-Z0-9]*).example.org/images").query("/data", path.getBytes(UTF_8), isDirectory))
                .isEqualTo(url == null ? null : "user=me&pswd=p%26s&ok=ok&" + url);
    }

    @Test
    void thePasswordComesFromAFileThatIsSecret() throws IOException {
        Path file = Files.writeString(directory.resolve("secret"), "sesame\n");
        RefreshCdn cdn = new RefreshCdn();
        cdn.setUser("me");
        cdn.setPassword("");
        cdn.setPasswordFile(file.toString());
        cdn.setBase("http://h");
        cdn.setMatch("");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        assertThatThrownBy(cdn::open).hasMessageContaining("can be read by others; chmod 600");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        cdn.open();
        assertThat(cdn.query("/", "/a".getBytes(UTF_8), false)).contains("pswd=sesame&");
        cdn.setPasswordFile("");
        cdn.setPassword("");
        assertThatThrownBy(cdn::open).hasMessageContaining("either a passwordFile or a password");
    }

    @Test
    void theProgramGetsWordsAndBytes() {
        Program program = new Program();
        program.setPrefix("/opt/x -a 'b c'");
        program.setSuffix("");
        program.setInclude("(.*)\\.php, /a{1\\,2}");
        program.setTimeLimit(9);
        byte[] path = "/data/ä;`id`\n\u00ff.php".getBytes(ISO_8859_1);
        assertThat(program.options()).containsExactly("-s", "KILL", "9", "xargs", "-0", "-x", "/opt/x");
        assertThat(new String(program.arguments(path), ISO_8859_1)).isEqualTo("-a\0b c\0/data/ä;`id`\n\u00ff.php\0");
        assertThat(program.isFor(path)).isTrue();
        assertThat(program.isFor("/aa".getBytes(UTF_8))).isTrue();
        assertThat(program.isFor("/data/x.php5".getBytes(UTF_8))).as("in full").isFalse();
        program.setSuffix("-z");
        program.setInclude("");
        assertThat(new String(program.arguments(path), ISO_8859_1)).endsWith(".php\0-z\0");
        assertThat(program.isFor("/data/x.php5".getBytes(UTF_8))).isTrue();
        assertThatThrownBy(() -> program.setPrefix(" ")).hasMessageContaining("prefix is empty");
    }
}
