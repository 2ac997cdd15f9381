package io.dromedary.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What to do about rsync's usual errors, for {@code check}; more of them: docs/rsyncd.md. */
final class Advice {
    private static final Map<Pattern, String> ADVICE = new LinkedHashMap<>();

    static {
        add("Password: .*auth failed on module (\\S+)", "module $1 wants a password: name a passwordFile in the route");
        add(
                "auth failed on module (\\S+)",
                "the daemon's log says which: a password mismatch, a user that is not in \"auth users\" of module $1, or a"
                        + " secrets file that others can read (chmod 600)");
        add("Unknown module '([^']*)'", "there is no [$1] in the daemon's rsyncd.conf");
        add("module is read only", "set \"read only = no\" for the module in the daemon's rsyncd.conf");
        add("access denied to (\\S+)", "\"hosts allow\" or \"hosts deny\" of module $1 keeps this host out");
        add("chroot failed", "the module's path does not exist, or the daemon does not run as root");
        add("chdir failed", "the module's path does not exist, or the daemon's uid may not enter it");
        add("max connections", "raise \"max connections\" of the module; a remote takes two at a time");
        add(
                "refuse --delete",
                "remove delete from \"refuse options\" of the module, or set delete: false for this remote");
        add("password file must be owned by root", "chown root the password file");
        add("password file must not be other-accessible", "chmod 600 the password file");
        add(
                "ssh: connect to host (\\S+) port (\\d+): Connection refused",
                "no sshd listens on port $2 of $1, or a firewall rejects");
        add("Host key verification failed", "connect by ssh once by hand, as this user, and accept the key");
        add("Permission denied \\(publickey", "put this user's public key into the remote's authorized_keys");
        add("Could not resolve hostname ([^:]+)", "no such host: $1");
        add("getaddrinfo: (\\S+)", "no such host: $1");
        add("Connection refused", "no rsync daemon listens on that host and port, or a firewall rejects");
        add(
                "(?i)timed? ?out|No route to host",
                "the host does not answer: is it up, and does a firewall let rsync through?");
    }

    private Advice() {}

    private static void add(String error, String advice) {
        ADVICE.put(Pattern.compile(error), advice);
    }

    /** What to do about an error in rsync's words; "" if that is not known. */
    static String on(String error) {
        for (Map.Entry<Pattern, String> known : ADVICE.entrySet()) {
            Matcher matcher = known.getKey().matcher(error);
            if (matcher.find()) {
                StringBuilder text = new StringBuilder();
                matcher.appendReplacement(text, known.getValue());
                return text.substring(matcher.start());
            }
        }
        return "";
    }
}
