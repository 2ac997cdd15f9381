package io.dromedary.mirror;

import io.dromedary.change.ByteString;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.camel.Header;

/** All mirrors and remotes of this process, filled by the Kamelets as the routes come up. */
public final class Mirrors {
    private static final Pattern NUMBER = Pattern.compile("\\d+");

    /** As people count: m2 before m10. */
    private static final Comparator<String> COUNTING =
            Comparator.comparing(Mirrors::withPaddedNumbers).thenComparing(Comparator.naturalOrder());

    private final Map<String, Mirror> mirrors = new TreeMap<>(COUNTING);
    private final Map<String, Remote> remotes = new TreeMap<>(COUNTING);

    private static String withPaddedNumbers(String name) {
        return NUMBER.matcher(name)
                .replaceAll(number -> "0".repeat(Math.max(0, 20 - number.group().length())) + number.group());
    }

    synchronized void add(Mirror mirror) {
        if (mirrors.putIfAbsent(mirror.id(), mirror) != null) {
            throw new IllegalArgumentException("mirror " + mirror.id() + ": there are two watches in this route");
        }
    }

    synchronized void add(Remote remote) {
        if (remotes.putIfAbsent(remote.id(), remote) != null) {
            throw new IllegalArgumentException(
                    "remote " + remote.id() + ": there are two of this name; each remote needs its own");
        }
    }

    public synchronized Collection<Mirror> mirrors() {
        return List.copyOf(mirrors.values());
    }

    public synchronized Collection<Remote> remotes() {
        return List.copyOf(remotes.values());
    }

    /** The remotes of one mirror. */
    public synchronized Collection<Remote> remotesOf(String mirror) {
        return remotes.values().stream()
                .filter(remote -> remote.mirror().id().equals(mirror))
                .toList();
    }

    /** The links that any remote of one mirror follows. */
    synchronized Following following(String mirror) {
        return remotesOf(mirror).stream().map(Remote::following).reduce(Following.NONE, Following::or);
    }

    /** What pushes write to on this machine: the state directory, and targets. */
    synchronized Set<String> written() {
        return Stream.concat(
                        mirrors.values().stream().map(Mirror::stateDir).filter(Objects::nonNull),
                        remotes.values().stream()
                                .filter(remote -> remote.target().kind() == Target.Kind.LOCAL)
                                .map(remote -> Path.of(remote.target().text())))
                .map(path -> ByteString.of(path.toString()))
                .collect(Collectors.toUnmodifiableSet());
    }

    /** The remotes of that mirror and of that name, each null for any; one that is not known is an error. */
    public synchronized Collection<Remote> chosen(@Header("mirror") String mirror, @Header("remote") String remote) {
        Mirror of = mirror == null ? null : mirror(mirror);
        Collection<Remote> chosen = remote == null ? remotes() : List.of(remote(remote));
        return chosen.stream().filter(one -> of == null || one.mirror() == of).toList();
    }

    /** The mirror of that route id. */
    public synchronized Mirror mirror(String id) {
        Mirror mirror = mirrors.get(id);
        if (mirror == null) {
            throw new IllegalArgumentException("no mirror " + id + "; there are: " + mirrors.keySet());
        }
        return mirror;
    }

    /** The remote of that name. */
    public synchronized Remote remote(String id) {
        Remote remote = remotes.get(id);
        if (remote == null) {
            throw new IllegalArgumentException("no remote " + id + "; there are: " + remotes.keySet());
        }
        return remote;
    }

    public synchronized boolean knows(String remote) {
        return remotes.containsKey(remote);
    }
}
