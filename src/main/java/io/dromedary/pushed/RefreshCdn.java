package io.dromedary.pushed;

import io.dromedary.change.ByteString;
import io.dromedary.mirror.Remote;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.camel.Header;

/** The request of {@code kamelet:refresh-cdn}: which public URL a path has, and who asks. */
public final class RefreshCdn {
    private String user;
    private String password;
    private String passwordFile;
    private String base;
    private Pattern match;

    public void setUser(String user) {
        this.user = user;
    }

    public void setPassword(String password) {
        this.password = password;
    }

    public void setPasswordFile(String passwordFile) {
        this.passwordFile = passwordFile;
    }

    /** The public URL of the source, or of what {@code match} finds; without the slash at its end. */
    public void setBase(String base) {
        this.base = base.replaceFirst("/+$", "");
    }

    /** Found in the absolute path; blank: the path below the source counts. */
    public void setMatch(String match) {
        this.match = match.isBlank() ? null : Pattern.compile(ByteString.of(match));
    }

    /** Called once all is set: a password file is read now, so that it is refused before anything is pushed. */
    public void open() throws IOException {
        if (passwordFile.isBlank() == password.isEmpty()) {
            throw new IllegalArgumentException("kamelet:refresh-cdn takes either a passwordFile or a password");
        }
        if (!passwordFile.isBlank()) {
            Path file = Path.of(passwordFile.strip());
            Remote.checkPasswordFile("kamelet:refresh-cdn", file);
            password = Files.readString(file, StandardCharsets.UTF_8).strip();
        }
    }

    /** {@code user=U&pswd=P&ok=ok&urls=URL}, {@code dirs=URL/} for a directory; null if the path has no public URL. */
    public String query(
            @Header("DromedarySource") String source,
            @Header("DromedaryBytes") byte[] path,
            @Header("DromedaryDirectory") boolean directory) {
        String name = new String(path, StandardCharsets.ISO_8859_1);
        String below;
        if (match == null) {
            below = name.substring(Math.min(name.length(), ByteString.of(source).length()));
        } else {
            Matcher found = match.matcher(name);
            if (!found.find()) {
                return null;
            }
            String group = found.groupCount() > 0 && found.group(1) != null ? found.group(1) : "";
            below = group + name.substring(found.end());
        }
        if (!below.isEmpty() && !below.startsWith("/")) {
            below = "/" + below;
        }
        if (directory) {
            below = below.replaceFirst("/?$", "/");
        }
        return "user=" + HttpForm.encoded(ByteString.of(user), "")
                + "&pswd=" + HttpForm.encoded(ByteString.of(password), "")
                + "&ok=ok&" + (directory ? "dirs=" : "urls=")
                + HttpForm.encoded(ByteString.of(base), ":/%")
                + HttpForm.encoded(below, "/");
    }
}
