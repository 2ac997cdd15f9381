package io.dromedary.setup;

import io.dromedary.change.ByteString;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Target;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Where the target of another machine, or of one that is not known, lies, as far as its name tells.
 *
 * @param server whom rsync asks: two of the same are one
 * @param names the path there: the module first, or from the file system's root, or from the home directory
 */
record Address(String server, List<String> names) {
    /** Names that mean the same everywhere; other addresses of this machine may belong to other servers. */
    private static final Set<String> LOCAL = Set.of("localhost", "127.0.0.1", "::1");

    static Address of(SetUp.Copy copy) {
        Target target = copy.target();
        String place = target.place();
        List<String> names = new ArrayList<>();
        for (String name : place.split("/+")) {
            if (name.equals("..")
                    && !names.isEmpty()
                    && !names.get(names.size() - 1).equals("..")) {
                names.remove(names.size() - 1);
            } else if (!name.isEmpty() && !name.equals(".")) {
                names.add(name);
            }
        }
        String host = LOCAL.contains(target.host()) ? "localhost" : target.host();
        if (target.kind() == Target.Kind.DAEMON) {
            int port = target.port() > 0 ? target.port() : copy.port() > 0 ? copy.port() : 873;
            return new Address("rsync " + host + " " + port, List.copyOf(names));
        }
        if (!names.isEmpty() && names.get(0).equals("~")) {
            names.remove(0);
        }
        // A relative path starts where that user is at home.
        String from = place.startsWith("/") ? "" : " " + target.user() + "~";
        return new Address("ssh " + host + " " + Remote.sshPort(copy.ssh()) + from, List.copyOf(names));
    }

    /** Where in this one the other lies, as a byte string, empty for the same; null if it does not. */
    String below(Address other) {
        boolean within = server.equals(other.server)
                && other.names.size() >= names.size()
                && other.names.subList(0, names.size()).equals(names);
        return within ? ByteString.of(String.join("/", other.names.subList(names.size(), other.names.size()))) : null;
    }
}
