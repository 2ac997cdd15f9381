package io.dromedary.mirror;

import java.io.File;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a remote's copy lies, as rsync takes it: a daemon's module, a path over ssh, or a local directory.
 *
 * @param kind which of the three
 * @param text the argument for rsync, without a trailing slash unless that is the whole path
 */
public record Target(Kind kind, String text) {
    /** How rsync reaches a target. */
    public enum Kind {
        DAEMON,
        SSH,
        LOCAL
    }

    private static final boolean WINDOWS = File.separatorChar == '\\';

    private static final String HOST = "(?:[^@:/\\s]+@)?(?:\\[[0-9A-Fa-f:.]+(?:%[^\\]/\\s]+)?\\]|[^@:/\\s\\[]+)";
    private static final Pattern URL = Pattern.compile("rsync://" + HOST + "(?::\\d+)?/[^/].*");
    private static final Pattern MODULE = Pattern.compile(HOST + "::[^/:].*");
    private static final Pattern SHELL = Pattern.compile(HOST + ":(?!:|//).+");

    private static final Pattern PATH =
            Pattern.compile("(?:rsync://[^/]+/[^/]+|" + HOST + "::[^/]+|" + HOST + ":(?=/))?(/.*)?", Pattern.DOTALL);

    /** rsync takes a colon before the first slash for the end of a host's name, never for a local file's. */
    private static final Pattern REMOTE = Pattern.compile("[^/]*:.*", Pattern.DOTALL);

    /** Windows' absolute paths, which rsync, a program of Cygwin's, takes as {@code /cygdrive/c/…}. */
    private static final Pattern DRIVE = Pattern.compile("([A-Za-z]):[/\\\\](.*)", Pattern.DOTALL);

    /** Reads what a user wrote; an {@link IllegalArgumentException} names the forms that are allowed. */
    public static Target parse(String written) {
        return parse(written, WINDOWS);
    }

    static Target parse(String written, boolean windows) {
        String text = written.strip();
        Kind kind;
        if (text.startsWith("-") || text.isEmpty()) {
            kind = null;
        } else if (windows && DRIVE.matcher(text).matches()) {
            kind = Kind.LOCAL;
            text = local(text, true);
        } else if (text.startsWith("rsync://")) {
            kind = URL.matcher(text).matches() ? Kind.DAEMON : null;
        } else if (MODULE.matcher(text).matches()) {
            kind = Kind.DAEMON;
        } else if (SHELL.matcher(text).matches()) {
            kind = Kind.SSH;
        } else if (REMOTE.matcher(text).matches() || text.matches("[^/.][^/]*")) {
            // A bare word is rather a host whose module was forgotten than a directory here.
            kind = null;
        } else {
            kind = Kind.LOCAL;
            text = local(text, windows);
        }
        if (kind == null) {
            throw new IllegalArgumentException("target '" + written
                    + "' is not one rsync takes; allowed: [user@]host::module/path,"
                    + " rsync://[user@]host[:port]/module/path, [user@]host:path, /local/path, ./local/path");
        }
        // The slash of "host:/" and of "/" alone is the path.
        return new Target(kind, text.replaceFirst("(?<=[^:/])/+$", ""));
    }

    /** A path of this machine, absolute, as rsync takes it. */
    static String local(String path) {
        return local(path, WINDOWS);
    }

    private static String local(String path, boolean windows) {
        if (windows && path.startsWith("/")) {
            return path;
        }
        Matcher given = DRIVE.matcher(path);
        String absolute = windows && given.matches()
                ? path
                : Path.of(path).toAbsolutePath().normalize().toString();
        Matcher drive = DRIVE.matcher(absolute);
        return windows && drive.matches()
                ? "/cygdrive/" + drive.group(1).toLowerCase(Locale.ROOT) + "/"
                        + drive.group(2).replace('\\', '/')
                : absolute;
    }

    /** The host as a name for the remote where the user gave none; a local directory's last name. */
    public String shortName() {
        if (kind == Kind.LOCAL) {
            Path name = Path.of(text).getFileName();
            return name == null ? "root" : name.toString();
        }
        Matcher host = Pattern.compile("(?:rsync://)?(?:[^@:/]+@)?(\\[[^\\]]+\\]|[^:/]+)")
                .matcher(text);
        return host.lookingAt() ? host.group(1) : text;
    }

    /** The user it names; "" if it names none. */
    public String user() {
        Matcher user = Pattern.compile("(?:rsync://)?([^@:/]+)@.*").matcher(text);
        return kind != Kind.LOCAL && user.matches() ? user.group(1) : "";
    }

    /** The host, in small letters and without the brackets of an address; "" for a local directory. */
    public String host() {
        Matcher host = Pattern.compile("(?:rsync://)?(?:[^@:/]+@)?(?:\\[([^\\]]+)\\]|([^:/]+)).*", Pattern.DOTALL)
                .matcher(text);
        if (kind == Kind.LOCAL || !host.matches()) {
            return "";
        }
        return (host.group(1) == null ? host.group(2) : host.group(1)).toLowerCase(Locale.ROOT);
    }

    /** The port it names; 0 if it names none. */
    public int port() {
        Matcher port =
                Pattern.compile("rsync://[^/]*:(\\d{1,5})/.*", Pattern.DOTALL).matcher(text);
        return port.matches() ? Integer.parseInt(port.group(1)) : 0;
    }

    /** What it names at its host: {@code module/path} of a daemon, the path over ssh, which may be relative; or the local path. */
    public String place() {
        return kind == Kind.LOCAL ? text : text.replaceFirst("(?s)^(rsync://[^/]*/|" + HOST + "::|" + HOST + ":)", "");
    }

    /**
     * The directory as rsync is told of it, ending in a slash. Of a local one rsync would make the last name if it is not
     * there, below a mount point whose file system is gone too; by this name it does not.
     */
    public String existing() {
        return (text.endsWith("/") ? text : text + "/") + (kind == Kind.LOCAL ? "./" : "");
    }

    /** The absolute path there, a daemon's below its module, empty for all there is; null if it is not known. */
    public String path() {
        Matcher parts = PATH.matcher(text);
        if (!parts.matches()) {
            return null;
        }
        return parts.group(1) == null ? "" : parts.group(1).replaceFirst("/+$", "");
    }

    @Override
    public String toString() {
        return text;
    }
}
