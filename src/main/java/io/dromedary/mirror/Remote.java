package io.dromedary.mirror;

import io.dromedary.change.ByteString;
import io.dromedary.change.Excludes;
import io.dromedary.change.FilterRule;
import io.dromedary.mirror.Receiver.Ability;
import io.dromedary.posix.Entries;
import io.dromedary.posix.OwnerOnly;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One remote of a mirror: what the rsync Kamelet's parameters say of it. */
public final class Remote {
    /**
     * In every call to a daemon: Nagle's algorithm and delayed acknowledgements take most of a small push's time. The
     * daemon's end has its own half, see {@code docs/performance.md}.
     */
    public static final String NO_DELAY = "--sockopts=TCP_NODELAY";

    /**
     * In every call to a remote with a limit, and followed by what rsync keeps to by itself: the day's highest one, for all calls together are kept
     * within the limit of the moment; where that cannot be, the limit at the call's start.
     */
    public static final String BANDWIDTH = "--bwlimit=";

    /** A remote's name is also a directory's below the state directory, a metric's tag and a part of an address. */
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]*");

    /** A remote that three times failed to link what was renamed is sent it instead. */
    private static final int MOST_LINKS_FAILED = 3;

    private String id;
    private String mirrorId;
    private Target target;
    private Path passwordFile;
    private int port;
    private String ssh;
    private RsyncArgs args;
    private Following following = Following.NONE;
    private int timeout;
    private String bwlimit = "";
    private Bandwidth bandwidth = Bandwidth.UNLIMITED;
    private boolean delete = true;
    private Mirrors mirrors;

    private final Receiver receiver = new Receiver();

    private volatile List<FilterRule> filters = List.of();

    /** Since one went well. */
    private volatile int linksFailed;

    public void setId(String id) {
        this.id = id;
    }

    public void setMirror(String mirror) {
        this.mirrorId = mirror;
    }

    public void setTarget(String target) {
        this.target = Target.parse(target);
    }

    public void setPasswordFile(String passwordFile) {
        this.passwordFile = passwordFile.isBlank() ? null : Path.of(passwordFile.strip());
    }

    /** The rsync daemon's port; 0: rsync's own default. */
    public void setPort(int port) {
        this.port = port;
    }

    public void setSsh(String ssh) {
        this.ssh = ssh;
    }

    public void setArgs(String args) {
        this.args = RsyncArgs.parse(args);
        this.following = Following.of(this.args);
    }

    /** Seconds without any data after which rsync gives up; 0: never. */
    public void setTimeout(int timeout) {
        this.timeout = timeout;
    }

    public void setBwlimit(String bwlimit) {
        this.bwlimit = bwlimit.strip();
    }

    public void setDelete(boolean delete) {
        this.delete = delete;
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    /** Called once all is set; refuses what rsync would refuse only later, before anything is touched. */
    public void register() throws IOException {
        if (!ID.matcher(id).matches()) {
            throw new IllegalArgumentException("remote '" + id + "': allowed are letters, digits, '.', '_' and '-'");
        }
        if (passwordFile != null) {
            if (target.kind() != Target.Kind.DAEMON) {
                throw new IllegalArgumentException("remote " + id + ": passwordFile is for rsync daemons"
                        + " (host::module or rsync://), " + target + " is none");
            }
            checkPasswordFile("remote " + id, passwordFile);
            checkPasswordAlone();
        }
        args.refusals().stream().findFirst().ifPresent(refusal -> {
            throw new IllegalArgumentException("remote " + id + ": rsync argument " + refusal);
        });
        readFilters();
        bandwidth = readBandwidth();
        if (delete) {
            checkStays("temp-dir");
            checkStays("backup-dir");
        }
        mirrors.add(this);
    }

    /** What the remote's own arguments say holds where it has no other limit. */
    private Bandwidth readBandwidth() {
        boolean own = !bwlimit.isEmpty();
        String written = own ? bwlimit : args.has("bwlimit") ? args.value("bwlimit") : "";
        try {
            return Bandwidth.parse(written);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "remote " + id + ": " + (own ? "bwlimit = " : "rsync argument --bwlimit=") + written
                            + ": allowed is " + Bandwidth.ALLOWED);
        }
    }

    /** Reads the files that the rsync arguments name for what is left out, anew; an error says what is wrong in one line. */
    public void readFilters() {
        try {
            filters = args.filters(mirror().source());
        } catch (IllegalArgumentException e) {
            // Without the cause: what is said to the user is the last one's message.
            throw new IllegalArgumentException("remote " + id + ": rsync argument " + e.getMessage());
        }
    }

    /** Refuses a directory of rsync's own at the remote that a full sync would delete. */
    private void checkStays(String option) {
        String directory = args.value(option);
        if (directory == null) {
            return;
        }
        String root = target.path();
        if (root != null && directory.startsWith(root + "/")) {
            directory = directory.substring(root.length() + 1);
        }
        String inside = ByteString.of(directory.replaceFirst("^(\\./+)+", "").replaceFirst("/+$", ""));
        boolean outside = inside.isEmpty() || inside.startsWith("/") || inside.matches("\\.\\.(/.*)?|\\.");
        if (!outside && !excludes().coversAtRemote(inside, true)) {
            throw new IllegalArgumentException(
                    "remote " + id + ": rsync argument --" + option + "=" + args.value(option)
                            + ": a full sync would delete that directory; exclude /" + inside.replaceFirst("/.*", "")
                            + "/, or name one outside the target");
        }
    }

    /** Refuses a file with a secret that is not there or that others can read; {@code whose} begins the message. */
    public static void checkPasswordFile(String whose, Path file) throws IOException {
        // Tried, not asked: access(2) knows nothing of the capabilities that a service has in place of root's rights.
        try (InputStream in = Files.newInputStream(file)) {
            in.read();
        } catch (IOException e) {
            throw new IllegalArgumentException(whose + ": password file " + file + " is missing or cannot be read");
        }
        if (!OwnerOnly.IS_KNOWN) {
            return;
        }
        Set<PosixFilePermission> mode = Files.getPosixFilePermissions(file);
        if (mode.contains(PosixFilePermission.OTHERS_READ) || mode.contains(PosixFilePermission.GROUP_READ)) {
            throw new IllegalArgumentException(
                    whose + ": password file " + file + " can be read by others; chmod 600 " + file);
        }
    }

    /** USER:PASSWORD is what the daemon's file holds; here the daemon would be sent all of it as the password. */
    private void checkPasswordAlone() throws IOException {
        String user = target.user();
        String first = Files.readString(passwordFile, StandardCharsets.ISO_8859_1)
                .lines()
                .findFirst()
                .orElse("")
                .strip();
        if (first.isEmpty()) {
            throw new IllegalArgumentException(
                    "remote " + id + ": password file " + passwordFile + " is empty; it holds the password");
        }
        if (!user.isEmpty() && first.startsWith(user + ":")) {
            throw new IllegalArgumentException(
                    "remote " + id + ": password file " + passwordFile + " begins with the user, " + user
                            + ":; here it holds the password alone (USER:PASSWORD is for the daemon's secrets file)");
        }
    }

    /** Splits as a shell would at blanks, with '…' and "…" and backslash, and expands nothing. */
    public static List<String> words(String line) {
        List<String> words = new ArrayList<>();
        StringBuilder word = null;
        char quote = 0;
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (quote == 0 && Character.isWhitespace(c)) {
                if (word != null) {
                    words.add(word.toString());
                    word = null;
                }
                continue;
            }
            if (word == null) {
                word = new StringBuilder();
            }
            if (c == quote) {
                quote = 0;
            } else if (quote == 0 && (c == '\'' || c == '"')) {
                quote = c;
            } else if (c == '\\' && quote != '\'' && i + 1 < line.length()) {
                word.append(line.charAt(++i));
            } else {
                word.append(c);
            }
        }
        if (quote != 0) {
            throw new IllegalArgumentException("unbalanced " + quote + " in: " + line);
        }
        if (word != null) {
            words.add(word.toString());
        }
        return words;
    }

    public String id() {
        return id;
    }

    /** The mirror this is a remote of. */
    public Mirror mirror() {
        return mirrors.mirror(mirrorId);
    }

    public Target target() {
        return target;
    }

    /** Whether the other end is told of the timeout too, and is a daemon. */
    public boolean timesOutFar() {
        return timeout > 0 && target.kind() == Target.Kind.DAEMON && receiver.takes(Ability.TIMEOUT);
    }

    /** The port it is set to, of its daemon; 0: its target's, or rsync's own default. */
    public int port() {
        return port;
    }

    /** The ssh command it is set to. */
    public String ssh() {
        return ssh;
    }

    /** The port that an ssh command names, else 22. */
    public static String sshPort(String ssh) {
        Matcher port =
                Pattern.compile("\\s(?:-p\\s*|-o\\s*['\"]?Port[=\\s]+)(\\d+)").matcher(ssh);
        return port.find() ? port.group(1) : "22";
    }

    public boolean delete() {
        return delete;
    }

    /** What all calls to it together may send. */
    public Bandwidth bandwidth() {
        return bandwidth;
    }

    /** What its rsync takes. */
    public Receiver receiver() {
        return receiver;
    }

    /** Whether deletions go by rules: see {@code RsyncCalls}. */
    public boolean deletesByRule() {
        return !receiver.takes(Ability.DELETIONS_IN_LISTS);
    }

    /** Whether what was renamed may be linked at this remote: not where the old name stays. */
    public boolean linksRenames() {
        return delete
                && linksFailed < MOST_LINKS_FAILED
                && receiver.takes(Ability.LINKED)
                && receiver.takes(Ability.FUZZY)
                && receiver.takes(Ability.ITEMIZED)
                && startsAnywhere()
                && !args.hasFilters();
    }

    /** What is left out for this remote: what is for its mirror, then what its rsync arguments say. */
    public Excludes excludes() {
        return mirror().excludes().with(filters);
    }

    /** The user's rsync arguments. */
    public RsyncArgs args() {
        return args;
    }

    /** The links that rsync follows for this remote. */
    public Following following() {
        return following.any() ? following.endingAt(mirrors.written()) : following;
    }

    /** Whether rsync's arguments mean the same for a call that starts at another directory than the source. */
    public boolean startsAnywhere() {
        String shell = args.shell() == null ? ssh : args.shell();
        boolean named = target.kind() != Target.Kind.SSH || receiver.takes(Ability.PROTECTED);
        return named && args.startsAnywhere() && (target.kind() != Target.Kind.SSH || !isAboutTheSource(shell));
    }

    /** Whether a word of this remote shell may be a path that starts at the source. */
    private boolean isAboutTheSource(String shell) {
        try {
            return words(shell).stream()
                    .anyMatch(word -> !word.startsWith("/")
                            && Files.exists(mirror().source().resolve(word)));
        } catch (IllegalArgumentException e) {
            // rsync has its own way of splitting it
            return true;
        }
    }

    /** What was renamed is about to be linked, or, with success, is. */
    public void linked(boolean success) {
        linksFailed = success ? 0 : linksFailed + 1;
    }

    /** The options every rsync call to this remote starts with: how to reach it, and the user's. */
    public List<String> options() {
        return options(args.words());
    }

    /** The same for a call that follows no links; only for one that sends nothing. */
    public List<String> optionsWithoutFollowing() {
        return options(args.withoutFollowing());
    }

    private List<String> options(List<String> words) {
        List<String> options = new ArrayList<>();
        // Nanoseconds count: by whole seconds a file of the same size changed twice in a second would not be sent.
        if (receiver.takes(Ability.NANOSECONDS)) {
            options.add("--modify-window=-1");
        }
        if (target.kind() == Target.Kind.SSH) {
            // Before the user's own arguments: of two remote shells rsync takes the last, however that is written.
            options.add("--rsh=" + ssh);
        }
        options.addAll(words);
        if (timeout > 0 && receiver.takes(Ability.TIMEOUT)) {
            options.add("--timeout=" + timeout);
        }
        if (bandwidth.isLimited()) {
            options.add(BANDWIDTH + (Entries.bySystemCalls() ? bandwidth.highest() : bandwidth.at(LocalTime.now())));
        }
        if (target.kind() == Target.Kind.DAEMON) {
            options.add(NO_DELAY);
            options.add("--contimeout=5");
            if (port > 0) {
                options.add("--port=" + port);
            }
            if (passwordFile != null) {
                // rsync works in the source, not here.
                options.add("--password-file=" + Target.local(passwordFile.toString()));
            }
        }
        return options;
    }
}
