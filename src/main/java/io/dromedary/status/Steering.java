package io.dromedary.status;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Difference;
import io.dromedary.push.FailQueue;
import io.dromedary.push.FailQueue.Failure;
import io.dromedary.push.Gate;
import io.dromedary.push.Gate.Progress;
import io.dromedary.push.Guard;
import io.dromedary.push.Mounts;
import io.dromedary.push.Receivers;
import io.dromedary.push.RsyncCalls;
import io.dromedary.push.RsyncException;
import io.dromedary.pushed.AfterPush;
import io.dromedary.pushed.Subscription.Report;
import io.dromedary.watch.InotifyConsumer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BinaryOperator;
import java.util.stream.Stream;
import org.apache.camel.ExchangeException;
import org.apache.camel.Header;
import org.apache.camel.util.json.JsonArray;
import org.apache.camel.util.json.JsonObject;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The answers of the API beside the status: each method is one address, its parameters are those of the request, its
 * result is JSON. What is not known or not possible is a {@link Refusal}.
 */
public final class Steering {
    /** Of one file of the fail queue, or of the differences of a remote; the rest is counted. */
    private static final int MOST_PATHS = 1000;

    private static final Logger LOG = LoggerFactory.getLogger("dromedary");

    private final AtomicBoolean verifying = new AtomicBoolean();
    private Mirrors mirrors;
    private Gate gate;
    private Guard guard;
    private Mounts mounts;
    private FailQueue failQueue;
    private RsyncCalls rsyncCalls;
    private Receivers receivers;
    private Status status;
    private AfterPush afterPush;

    public void setAfterPush(AfterPush afterPush) {
        this.afterPush = afterPush;
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setGate(Gate gate) {
        this.gate = gate;
    }

    public void setGuard(Guard guard) {
        this.guard = guard;
    }

    public void setMounts(Mounts mounts) {
        this.mounts = mounts;
    }

    public void setFailQueue(FailQueue failQueue) {
        this.failQueue = failQueue;
    }

    public void setRsyncCalls(RsyncCalls rsyncCalls) {
        this.rsyncCalls = rsyncCalls;
    }

    public void setReceivers(Receivers receivers) {
        this.receivers = receivers;
    }

    public void setStatus(Status status) {
        this.status = status;
    }

    /** The answer to a request that is refused, or that something unforeseen went wrong with. */
    public static String error(@ExchangeException Exception e) {
        JsonObject answer = new JsonObject();
        answer.put("error", e instanceof Refusal ? e.getMessage() : e.toString().replaceAll("\\s*\\R\\s*", " "));
        return answer.toJson();
    }

    /** The remotes that a full sync is about to be started for. */
    public String sync(@Header("mirror") String mirror, @Header("remote") String remote) {
        return names(chosen(mirror, remote));
    }

    /** From now on nothing is pushed to this remote. */
    public String pause(@Header("id") String id) throws IOException {
        Remote remote = remote(id);
        gate.pause(remote.id());
        return names(List.of(remote));
    }

    /** The end of a pause; or a person's word that what halts this remote is right. */
    public String resume(@Header("id") String id) throws IOException {
        Remote remote = remote(id);
        if (!gate.progress(remote.id()).state().equals("paused")) {
            mounts.accept(remote.mirror());
        }
        guard.allow(remote.id());
        gate.resume(remote.id());
        return names(List.of(remote));
    }

    /** What has failed. */
    public String failed(
            @Header("mirror") String mirror, @Header("remote") String remote, @Header("route") String route)
            throws IOException {
        JsonArray all = new JsonArray();
        for (Remote one : chosen(mirror, remote, route)) {
            List<Failure> failures = failQueue.failed(one.id());
            for (Failure failure : failures.subList(0, Math.min(MOST_PATHS, failures.size()))) {
                all.add(json(one, failure));
            }
        }
        listeners(mirror, remote, route).filter(Report::isFailing).forEach(report -> all.add(json(report)));
        JsonObject answer = new JsonObject();
        answer.put("failed", all);
        return answer.toJson();
    }

    private static JsonObject json(Report report) {
        JsonObject one = new JsonObject();
        one.put("mirror", report.mirror());
        one.put("route", report.route());
        one.put("changes", report.failed());
        one.put("tries", report.tries());
        one.put("ageSeconds", TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - report.sinceNanos()));
        one.put("error", report.error());
        one.put("paths", new JsonArray());
        return one;
    }

    private static JsonObject json(Remote remote, Failure failure) throws IOException {
        JsonArray paths = new JsonArray();
        for (String line : failure.lines()) {
            if (paths.size() == MOST_PATHS) {
                break;
            }
            int blank = line.indexOf(' ');
            JsonObject path = new JsonObject();
            String name = line.substring(blank + 1);
            path.put("path", name.equals(".") ? "." : ByteString.readable(ByteString.unescape(name)));
            path.put("tree", line.startsWith("tree"));
            paths.add(path);
        }
        JsonObject one = new JsonObject();
        one.put("mirror", remote.mirror().id());
        one.put("remote", remote.id());
        one.put("changes", failure.changes());
        one.put("tries", failure.tries());
        one.put("ageSeconds", TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - failure.sinceNanos()));
        one.put("error", failure.error());
        one.put("paths", paths);
        return one;
    }

    /** What has failed is due now. */
    public String retry(
            @Header("mirror") String mirror, @Header("remote") String remote, @Header("route") String route) {
        int changes = 0;
        for (Report report : listeners(mirror, remote, route).toList()) {
            changes += report.failed();
            afterPush.retry(report.route());
        }
        for (Remote one : chosen(mirror, remote, route)) {
            changes += failQueue.failed(one.id()).stream()
                    .mapToInt(Failure::changes)
                    .sum();
            failQueue.retry(one.id());
        }
        return count(changes);
    }

    /** What has failed is forgotten, but for the full sync of remotes that have had none; or one path, see {@link #defer}. */
    public String drop(
            @Header("mirror") String mirror,
            @Header("remote") String remote,
            @Header("route") String route,
            @Header("path") String path) {
        if (path != null) {
            return done(remote, path, gate::drop);
        }
        int changes = listeners(mirror, remote, route)
                .mapToInt(report -> afterPush.drop(report.route()))
                .sum();
        JsonArray owing = new JsonArray();
        for (Remote one : chosen(mirror, remote, route)) {
            boolean owesAll = !gate.progress(one.id()).synced();
            changes += gate.dropFailed(one.id());
            if (owesAll) {
                owing.add(one.id());
            }
        }
        JsonObject answer = new JsonObject();
        answer.put("changes", changes);
        answer.put("owing", owing);
        return answer.toJson();
    }

    /** A large file lets all others of its remote go first; its path is written as the status gives it. */
    public String defer(@Header("remote") String remote, @Header("path") String path) {
        if (path == null) {
            throw new Refusal(400, "path is missing: the large file to be put off");
        }
        return done(remote, path, gate::defer);
    }

    /** @param action tells why it was not done; null: it was */
    private String done(String remote, String path, BinaryOperator<String> action) {
        if (remote == null) {
            throw new Refusal(400, "remote is missing: a path is one of a remote");
        }
        String id = remote(remote).id();
        String problem;
        try {
            problem = action.apply(id, ByteString.unescape(ByteString.of(path)));
        } catch (IllegalArgumentException e) {
            throw new Refusal(400, e.getMessage());
        }
        if (problem != null) {
            throw new Refusal(409, id + ": " + path + ": " + problem);
        }
        JsonObject answer = new JsonObject();
        answer.put("changes", 1);
        answer.put("owing", new JsonArray());
        return answer.toJson();
    }

    /** What a remote that is up has failed to get is due now, for a flush waits for it. */
    public void beforeFlush() {
        for (Remote remote : mirrors.remotes()) {
            if (gate.progress(remote.id()).isUp()) {
                failQueue.retry(remote.id());
            }
        }
    }

    /**
     * The remotes that a flush syncs as a whole, since file-watch cannot be asked how far it is: what was changed before
     * may not be told for long.
     */
    public Collection<Remote> toldLate() throws InterruptedException {
        List<Remote> late = mirrors.remotes().stream()
                .filter(remote -> status.watch(remote.mirror()) == null
                        && gate.progress(remote.id()).isUp())
                .toList();
        if (late.stream().anyMatch(remote -> remote.mirror().isEmpty())) {
            // Without the event that emptied it, the guard would take it for a mount that is missing.
            TimeUnit.SECONDS.sleep(1);
        }
        return late;
    }

    /** Returns when every change made at the sources before is at every remote that is up; direct:dromedary-flush stands before it. */
    public String flush(@Header("timeout") String timeout) throws InterruptedException {
        long start = System.nanoTime();
        long deadline = start + TimeUnit.SECONDS.toNanos(seconds(timeout));
        for (Mirror mirror : mirrors.mirrors()) {
            InotifyConsumer watch = status.watch(mirror);
            if (watch != null && !watch.drain(deadline)) {
                String problem = status.problem(mirror);
                throw new Refusal(
                        504,
                        "mirror " + mirror.id() + ": "
                                + (problem == null ? "its events could not be read in time" : problem));
            }
        }
        long mark = System.nanoTime();
        List<String> late = new ArrayList<>();
        JsonArray notUp = new JsonArray();
        for (Remote remote : mirrors.remotes()) {
            if (!gate.awaitThrough(remote.id(), mark, deadline)) {
                late.add(remote.id());
            }
        }
        for (Remote remote : mirrors.remotes()) {
            Progress progress = gate.progress(remote.id());
            if (!progress.isUp()) {
                JsonObject one = new JsonObject();
                one.put("remote", remote.id());
                one.put("state", progress.state());
                notUp.add(one);
            }
        }
        if (!late.isEmpty()) {
            throw new Refusal(504, "not everything is through yet at " + String.join(", ", late));
        }
        String refusing = refusing(mark);
        if (!refusing.isEmpty()) {
            throw new Refusal(
                    409, "all is through but for what is refused: " + refusing + "; dromedary failed tells why");
        }
        JsonObject answer = new JsonObject();
        answer.put("seconds", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start) / 1000.0);
        answer.put("notUp", notUp);
        return answer.toJson();
    }

    /** What the remotes that are up refused of what came before. */
    private String refusing(long mark) {
        List<String> all = new ArrayList<>();
        for (Remote remote : mirrors.remotes()) {
            long count = !gate.progress(remote.id()).isUp()
                    ? 0
                    : failQueue.refusedBy(remote.id()).stream()
                            .filter(refused -> refused.sinceNanos() - mark <= 0)
                            .count();
            if (count > 0) {
                all.add(count + (count == 1 ? " path at " : " paths at ") + remote.id());
            }
        }
        return String.join(", ", all);
    }

    private static int seconds(String timeout) {
        if (timeout == null) {
            return 60;
        }
        try {
            int seconds = Integer.parseInt(timeout);
            if (seconds >= 0 && seconds <= 86_400) {
                return seconds;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new Refusal(400, "timeout = " + timeout + ": allowed are seconds from 0 to 86400");
    }

    /** Compares sources and remotes by rsync's dry run. */
    public String verify(@Header("mirror") String mirror, @Header("remote") String remote) {
        Collection<Remote> chosen = chosen(mirror, remote);
        if (!verifying.compareAndSet(false, true)) {
            throw new Refusal(409, "a comparison is under way already");
        }
        try {
            JsonArray all = new JsonArray();
            chosen.forEach(one -> all.add(verify(one)));
            JsonObject answer = new JsonObject();
            answer.put("remotes", all);
            return answer.toJson();
        } finally {
            verifying.set(false);
        }
    }

    private JsonObject verify(Remote remote) {
        JsonObject one = new JsonObject();
        one.put("mirror", remote.mirror().id());
        one.put("remote", remote.id());
        JsonArray differences = new JsonArray();
        one.put("differences", differences);
        String problem = guard.problem(remote.id());
        if (problem != null) {
            // What is at its place now would be compared.
            one.put("error", problem);
            return one;
        }
        try {
            List<Difference> all = receivers.repeated(remote, () -> rsyncCalls
                    .differences(remote, ChangeSet.ofEverything())
                    .toList());
            all.forEach(difference -> {
                if (differences.size() == MOST_PATHS) {
                    one.merge("more", 1, (sum, plus) -> (Integer) sum + (Integer) plus);
                    return;
                }
                JsonObject entry = new JsonObject();
                entry.put("change", difference.itemized());
                entry.put(
                        "path",
                        ByteString.readable(difference.path())
                                + (difference.directory() && !difference.path().isEmpty() ? "/" : ""));
                differences.add(entry);
            });
        } catch (RuntimeException e) {
            // Whatever it is, the others are compared.
            LOG.debug("verify {}", remote.id(), e);
            Exception cause = RsyncException.in(e);
            one.put("error", cause.getMessage() == null ? cause.toString() : cause.getMessage());
        }
        return one;
    }

    private Collection<Remote> chosen(String mirror, String remote, String route) {
        return route == null ? chosen(mirror, remote) : List.of();
    }

    /** The routes that are told of pushed changes, of one mirror, or the one named; none where a remote is. */
    private Stream<Report> listeners(String mirror, String remote, String route) {
        return afterPush.reports().stream()
                .filter(report -> remote == null && (mirror == null || mirror.equals(report.mirror())))
                .filter(report -> route == null || route.equals(report.route()));
    }

    private Collection<Remote> chosen(String mirror, String remote) {
        try {
            return mirrors.chosen(mirror, remote);
        } catch (IllegalArgumentException e) {
            throw new Refusal(404, e.getMessage());
        }
    }

    private Remote remote(String id) {
        return chosen(null, id).iterator().next();
    }

    private static String names(Collection<Remote> remotes) {
        JsonArray names = new JsonArray();
        remotes.forEach(remote -> names.add(remote.id()));
        JsonObject answer = new JsonObject();
        answer.put("remotes", names);
        return answer.toJson();
    }

    private static String count(int changes) {
        JsonObject answer = new JsonObject();
        answer.put("changes", changes);
        return answer.toJson();
    }
}
