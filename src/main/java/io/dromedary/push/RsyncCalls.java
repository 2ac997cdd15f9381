package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.posix.LibC;
import io.dromedary.posix.Stat;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangePropertyKey;
import org.apache.camel.Header;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the rsync calls of one batch, at the moment it is pushed: what a path is now decides what is asked for.
 *
 * <p>Paths that are there go as a plain list; paths that are gone go in the same list, deleted by {@code
 * --delete-missing-args}, or where the receiver refuses that in a call of their own by filter rules; deep paths that are directories take a second call with {@code -r --delete}. Three things of
 * rsync decide the details, each with a test in {@code RsyncCallsIT}: a missing path whose parent is missing too
 * deletes nothing, so the topmost missing one is sent; below a directory that has become a symlink the wrong files
 * would be touched, so the link itself is sent; and "." always brings the root's direct entries along, so a change of
 * nothing but the root's own attributes takes a call that hides them. The directories above a listed path, the root
 * included, are brought up to date with it (rsync's implied directories).
 */
public final class RsyncCalls {
    /** One run of rsync. */
    public record Call(List<String> arguments, byte[] input) {
        public List<String> getArguments() {
            return arguments;
        }

        public byte[] getInput() {
            return input;
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    /** Deletions one call is told of by rules. */
    private static final int MAX_RULED = 200;

    private Mirrors mirrors;
    private int maxPaths;
    private List<String> fullSyncExcludes;

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setMaxPaths(int maxPaths) {
        this.maxPaths = maxPaths;
    }

    /** rsync patterns, comma separated, that hold for pushes of everything only. */
    public void setFullSyncExclude(String patterns) {
        this.fullSyncExcludes = Excludes.of(patterns, null).patterns();
    }

    /** The calls for a batch, in the order they have to run; none if nothing is left to do. */
    public List<Call> calls(@Header("remote") String remoteId, Exchange exchange) {
        Remote remote = mirrors.remote(remoteId);
        Exception lastTry = exchange.getProperty(ExchangePropertyKey.EXCEPTION_CAUGHT, Exception.class);
        if (lastTry != null
                && RsyncException.in(lastTry) instanceof RsyncException refused
                && refused.isDeletionRefused()) {
            remote.deleteByRule();
        }
        return callsFor(remote, exchange.getMessage().getBody(Batch.class).changes());
    }

    /** The calls that bring these paths at that remote up to date. */
    public List<Call> callsFor(Remote remote, ChangeSet changes) {
        Mirror mirror = remote.mirror();
        Sorted sorted = new Sorted(ByteString.of(mirror.source().toString()), mirror.excludes());
        changes.visit(sorted::sort);
        List<Call> calls = new ArrayList<>();
        boolean rootDone = sorted.deep.contains("");
        List<String> options = new ArrayList<>(List.of("--no-r"));
        String missing = "--ignore-missing-args";
        if (remote.delete() && !sorted.gone.isEmpty()) {
            if (remote.deletesByRule()) {
                addDeletions(calls, remote, sorted.gone);
                rootDone = true;
            } else {
                sorted.present.addAll(sorted.gone);
                missing = "--delete-missing-args";
                // Deletes nothing more, for no listed directory's contents are; but only with it are the excludes sent
                // to a remote receiver, so that they protect what lies in a directory that is gone.
                options.addAll(List.of("--dirs", "--delete"));
            }
        }
        options.add(missing);
        add(calls, remote, sorted.present, options.toArray(String[]::new));
        if (!sorted.deep.isEmpty()) {
            List<String> deepOptions = new ArrayList<>(List.of("-r", "--ignore-missing-args"));
            if (remote.delete()) {
                deepOptions.add("--delete");
            }
            if (changes.isEverything()) {
                fullSyncExcludes.forEach(pattern -> deepOptions.add("--exclude=" + pattern));
            }
            add(calls, remote, sorted.deep, deepOptions.toArray(String[]::new));
        }
        if (sorted.rootChanged && !rootDone && sorted.present.isEmpty()) {
            add(calls, remote, List.of(""), "--no-r", "--dirs", "--exclude=/*");
        }
        return calls;
    }

    /**
     * Deletions for a receiver that takes none in the list. rsync walks the directories concerned, everything else is
     * hidden at the source and protected at the remote; where most of a directory went, it is compared as a whole, for
     * rsync tries every rule on every entry. Nothing is sent: what lies beside may be half written.
     */
    private void addDeletions(List<Call> calls, Remote remote, List<String> gone) {
        Map<String, List<String>> byDirectory = new LinkedHashMap<>();
        gone.forEach(path -> byDirectory
                .computeIfAbsent(parent(path), directory -> new ArrayList<>())
                .add(path));
        List<String> wholeDirectories = new ArrayList<>();
        List<String> single = new ArrayList<>();
        byDirectory.forEach((directory, paths) -> {
            if (paths.size() > MAX_RULED) {
                wholeDirectories.add(directory + "/");
            } else {
                single.addAll(paths);
            }
        });
        add(calls, remote, wholeDirectories, "--no-r", "--dirs", "--delete", "--existing", "--ignore-existing");
        List<String> arguments = arguments(remote, "-r", "--delete", "--filter=merge -");
        int most = Math.min(MAX_RULED, maxPaths);
        for (int from = 0; from < single.size(); from += most) {
            List<String> paths = single.subList(from, Math.min(single.size(), from + most));
            tell(remote, "delete", paths);
            calls.add(new Call(arguments, rules(paths)));
        }
    }

    /** rsync(1), "FILTER RULES": show, hide, risk, protect; the first that matches decides. */
    private static byte[] rules(List<String> paths) {
        Set<String> shown = new LinkedHashSet<>();
        for (String path : paths) {
            for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
                shown.add("S /" + literal(path.substring(0, slash)) + "/");
            }
        }
        List<String> rules = new ArrayList<>(shown);
        rules.add("H *");
        for (String path : paths) {
            rules.add("R /" + literal(path));
            rules.add("R /" + literal(path + "/") + "**");
        }
        rules.add("P *");
        return ByteString.bytes(String.join("\0", rules) + "\0");
    }

    /** A pattern that matches this path only; rsync takes a backslash for itself where no wildcard stands. */
    private static String literal(String path) {
        boolean wildcards = path.matches("(?s).*[*?\\[].*") || path.endsWith("/");
        return wildcards ? path.replaceAll("[*?\\[\\\\]", "\\\\$0") : path;
    }

    private void add(List<Call> calls, Remote remote, Collection<String> paths, String... options) {
        List<String> arguments = arguments(remote, options);
        arguments.add(arguments.indexOf("--"), "--files-from=-");
        List<String> all = List.copyOf(paths);
        tell(remote, String.join(" ", options), all);
        for (int from = 0; from < all.size(); from += maxPaths) {
            calls.add(new Call(arguments, input(all.subList(from, Math.min(all.size(), from + maxPaths)))));
        }
    }

    private static List<String> arguments(Remote remote, String... options) {
        List<String> arguments = new ArrayList<>(remote.options());
        remote.mirror().excludes().patterns().forEach(pattern -> arguments.add("--exclude=" + pattern));
        arguments.addAll(List.of("--stats", "--no-human-readable", "--from0"));
        if (remote.delete()) {
            // A directory in the way of a file is deleted with all it holds.
            arguments.add("--force");
        }
        arguments.addAll(List.of(options));
        arguments.add("--");
        arguments.add(withSlash(remote.mirror().source().toString()));
        arguments.add(withSlash(remote.target().text()));
        return arguments;
    }

    private static void tell(Remote remote, String how, List<String> paths) {
        if (LOG.isDebugEnabled()) {
            paths.forEach(path -> LOG.debug("{}: {} {}", remote.id(), how, ByteString.readable(path)));
        }
    }

    private static byte[] input(List<String> paths) {
        ByteArrayOutputStream input = new ByteArrayOutputStream(64 * paths.size());
        for (String path : paths) {
            // "./" keeps a leading dash, ';' or '#' from meaning anything.
            input.writeBytes(ByteString.bytes(path.isEmpty() ? "." : "./" + path));
            input.write(0);
        }
        return input.toByteArray();
    }

    private static String withSlash(String directory) {
        return directory.endsWith("/") ? directory : directory + "/";
    }

    private static String parent(String path) {
        int slash = path.lastIndexOf('/');
        return slash < 0 ? "" : path.substring(0, slash);
    }

    /** The batch's paths by what they are now. */
    private static final class Sorted {
        final String root;
        final Excludes excludes;
        final Set<String> present = new LinkedHashSet<>();
        final List<String> gone = new ArrayList<>();
        final List<String> deep = new ArrayList<>();
        boolean rootChanged;

        Sorted(String root, Excludes excludes) {
            this.root = root;
            this.excludes = excludes;
        }

        boolean sort(String path, boolean dirty, boolean isDeep) {
            if (path.isEmpty()) {
                rootChanged = dirty;
                if (isDeep) {
                    deep.add("");
                }
                return !isDeep;
            }
            Stat stat = LibC.lstat(root + "/" + path);
            boolean directory = stat != null && stat.isDirectory();
            if (directory && isDeep) {
                deep.add(path);
                return false;
            }
            if (!directory) {
                // Even if the change is further below: a missing or replaced directory is the topmost thing to tell.
                if (stat == null) {
                    // rsync does not apply a directory's exclusion to what it cannot see is one.
                    boolean wasDirectory = !dirty;
                    if (!excludes.covers(path, wasDirectory)) {
                        gone.add(path);
                    }
                } else {
                    present.add(path);
                }
                return false;
            }
            if (dirty) {
                present.add(path);
            }
            return true;
        }
    }

    /** Adds rsync's "Total bytes sent" to the batch's account. */
    public void account(Exchange exchange) {
        String statistics = exchange.getMessage().getBody(String.class);
        Batch batch = exchange.getProperty("batch", Batch.class);
        if (statistics == null || batch == null) {
            return;
        }
        statistics
                .lines()
                .filter(line -> line.startsWith("Total bytes sent: "))
                .map(line -> line.substring("Total bytes sent: ".length()).replace(",", ""))
                .forEach(bytes -> batch.sent(Long.parseLong(bytes.strip())));
    }
}
