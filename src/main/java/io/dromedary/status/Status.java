package io.dromedary.status;

import io.dromedary.change.ByteString;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Gate;
import io.dromedary.push.Gate.Large;
import io.dromedary.push.Gate.Progress;
import io.dromedary.push.LargeFiles;
import io.dromedary.push.Mounts;
import io.dromedary.push.RsyncCalls;
import io.dromedary.push.Transfer;
import io.dromedary.pushed.AfterPush;
import io.dromedary.pushed.Subscription.Report;
import io.dromedary.watch.InotifyConsumer;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.Route;
import org.apache.camel.ServiceStatus;
import org.apache.camel.model.ModelCamelContext;
import org.apache.camel.model.RouteDefinition;
import org.apache.camel.util.json.JsonArray;
import org.apache.camel.util.json.JsonObject;

/** How all mirrors and remotes fare, for the API, the metrics and the health checks. */
public final class Status implements CamelContextAware {
    private final long started = System.nanoTime();
    private CamelContext context;
    private Mirrors mirrors;
    private Gate gate;
    private RsyncCalls rsyncCalls;
    private Mounts mounts;
    private AfterPush afterPush;

    @Override
    public void setCamelContext(CamelContext camelContext) {
        this.context = camelContext;
    }

    @Override
    public CamelContext getCamelContext() {
        return context;
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setGate(Gate gate) {
        this.gate = gate;
    }

    public void setRsyncCalls(RsyncCalls rsyncCalls) {
        this.rsyncCalls = rsyncCalls;
    }

    public void setMounts(Mounts mounts) {
        this.mounts = mounts;
    }

    public void setAfterPush(AfterPush afterPush) {
        this.afterPush = afterPush;
    }

    /** What {@code GET /api/status} answers. */
    public String json() {
        return all().toJson();
    }

    /** Everything, as the API gives it. */
    public JsonObject all() {
        JsonArray all = new JsonArray();
        for (Mirror mirror : mirrors.mirrors()) {
            InotifyConsumer watch = watch(mirror);
            JsonArray remotes = new JsonArray();
            for (Remote remote : mirrors.remotesOf(mirror.id())) {
                JsonObject json = json(remote, gate.progress(remote.id()), rsyncCalls.transfer(remote));
                Large large = gate.large(remote.id());
                json.put("large", json(large.sending()));
                json.put("largeWaiting", waiting(large));
                remotes.add(json);
            }
            JsonObject one = new JsonObject();
            one.put("id", mirror.id());
            one.put("source", mirror.source().toString());
            // file-watch tells neither.
            one.put("watches", watch == null ? null : watch.watches());
            one.put("overflows", watch == null ? null : watch.overflows());
            one.put("problem", problem(mirror));
            one.put("remotes", remotes);
            one.put("listeners", listeners(mirror.id()));
            all.add(one);
        }
        JsonObject status = new JsonObject();
        String version = Status.class.getPackage().getImplementationVersion();
        status.put("version", version == null ? "unpackaged" : version);
        status.put("uptimeSeconds", TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - started));
        status.put("mirrors", all);
        return status;
    }

    /** The routes that are told of this mirror's pushed changes. */
    private JsonArray listeners(String mirror) {
        JsonArray listeners = new JsonArray();
        for (Report report : afterPush.reports()) {
            if (report.mirror().equals(mirror)) {
                JsonObject one = new JsonObject();
                one.put("id", report.route());
                one.put("state", report.isFailing() ? "failing" : "live");
                one.put("waiting", report.waiting());
                one.put("failed", report.failed());
                one.put("tries", report.tries());
                one.put("lastError", report.error());
                listeners.add(one);
            }
        }
        return listeners;
    }

    /** Those of these routes that do not take what they are told. */
    List<Report> failingListeners() {
        return afterPush.reports().stream().filter(Report::isFailing).toList();
    }

    private static JsonObject json(Remote remote, Progress progress, Transfer transfer) {
        JsonObject one = new JsonObject();
        one.put("id", remote.id());
        one.put("target", remote.target().toString());
        one.put("state", progress.state());
        one.put("pending", progress.pending());
        one.put("failed", progress.failed());
        one.put("refused", progress.refused());
        one.put("refusal", progress.refusal());
        one.put("lagSeconds", Math.round(progress.lagSeconds() * 1000) / 1000.0);
        Instant last = progress.lastPush();
        one.put(
                "lastPush",
                last == null ? null : last.truncatedTo(ChronoUnit.MILLIS).toString());
        one.put("lastError", progress.lastError());
        String receiver = remote.receiver().text();
        one.put("receiver", receiver.isEmpty() ? null : receiver);
        one.put("pushes", progress.pushes());
        one.put("bytesSent", progress.bytesSent());
        one.put("progress", transfer == null ? null : json(transfer));
        return one;
    }

    private static JsonArray json(List<LargeFiles.Progress> files) {
        JsonArray all = new JsonArray();
        for (LargeFiles.Progress file : files) {
            JsonObject one = named(file);
            one.put("sent", file.sent());
            one.put("bytesPerSecond", file.bytesPerSecond());
            one.put("secondsLeft", file.secondsLeft() < 0 ? null : file.secondsLeft());
            all.add(one);
        }
        return all;
    }

    private static JsonObject waiting(Large large) {
        JsonArray next = new JsonArray();
        large.next().forEach(file -> next.add(named(file)));
        JsonObject waiting = new JsonObject();
        waiting.put("files", large.waiting());
        waiting.put("bytes", large.bytes());
        waiting.put("next", next);
        return waiting;
    }

    private static JsonObject named(LargeFiles.Progress file) {
        JsonObject one = new JsonObject();
        one.put("path", ByteString.readable(file.path()));
        one.put("size", file.size());
        return one;
    }

    private static JsonObject json(Transfer transfer) {
        JsonObject one = new JsonObject();
        one.put("percent", transfer.percent());
        one.put("files", transfer.files());
        one.put("bytes", transfer.bytes());
        one.put("bytesPerSecond", transfer.bytesPerSecond());
        one.put("checked", transfer.checked());
        one.put("found", transfer.found());
        one.put("complete", transfer.complete());
        one.put("secondsLeft", transfer.secondsLeft() < 0 ? null : transfer.secondsLeft());
        return one;
    }

    /** Why changes of this mirror may go unseen or are not pushed, in one line; null when all is well. */
    String problem(Mirror mirror) {
        Route route = route(mirror);
        if (route == null || context.getRouteController().getRouteStatus(route.getRouteId()) != ServiceStatus.Started) {
            return "the watch is not running";
        }
        if (mirror.problem() != null) {
            return mirror.problem();
        }
        if (route.getConsumer() instanceof InotifyConsumer watch) {
            if (!watch.isAlive()) {
                return "the watch has died";
            }
            if (watch.watches() == 0 && watch.problem() == null) {
                return "nothing is watched";
            }
            if (watch.problem() != null) {
                return watch.problem();
            }
        }
        return mounts.problem(mirror);
    }

    /** What watches this mirror's source; null if it is not inotify. */
    InotifyConsumer watch(Mirror mirror) {
        Route route = route(mirror);
        return route != null && route.getConsumer() instanceof InotifyConsumer watch ? watch : null;
    }

    /** The route that the watch Kamelet has become for this mirror. */
    private Route route(Mirror mirror) {
        ModelCamelContext model = (ModelCamelContext) context;
        for (Route route : context.getRoutes()) {
            RouteDefinition definition = model.getRouteDefinition(route.getRouteId());
            if (definition != null
                    && definition.getTemplateParameters() != null
                    && definition.getTemplateParameters().containsKey("source")
                    && mirror.id().equals(definition.getTemplateParameters().get("parentRouteId"))) {
                return route;
            }
        }
        return null;
    }
}
