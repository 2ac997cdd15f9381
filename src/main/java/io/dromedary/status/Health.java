package io.dromedary.status;

import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Gate;
import io.dromedary.push.Gate.Progress;
import io.dromedary.watch.InotifyConsumer;
import java.util.Map;
import java.util.TreeMap;
import org.apache.camel.health.HealthCheckResultBuilder;
import org.apache.camel.impl.health.AbstractHealthCheck;

/**
 * The two questions of a supervisor, each a health check: is it ready, that is, does it watch, and is every remote that
 * is up synced once and none halted, does each route take what it is told; and is it alive, that is, do its watches run. A remote that is down fails neither.
 */
public final class Health {
    private Health() {}

    /** What both are: reasons for a no, by what they are about. */
    public abstract static class Question extends AbstractHealthCheck {
        Mirrors mirrors;
        Status status;

        Question(String id) {
            super("dromedary", id);
        }

        public void setMirrors(Mirrors mirrors) {
            this.mirrors = mirrors;
        }

        public void setStatus(Status status) {
            this.status = status;
        }

        @Override
        protected void doCall(HealthCheckResultBuilder builder, Map<String, Object> options) {
            Map<String, String> reasons = new TreeMap<>();
            find(reasons);
            answer(builder, reasons);
        }

        abstract void find(Map<String, String> reasons);
    }

    /** "ready": /observe/health/ready. */
    public static final class Ready extends Question {
        private Gate gate;

        public Ready() {
            super("ready");
        }

        public void setGate(Gate gate) {
            this.gate = gate;
        }

        @Override
        void find(Map<String, String> reasons) {
            for (Mirror mirror : mirrors.mirrors()) {
                String problem = status.problem(mirror);
                if (problem != null) {
                    reasons.put("mirror " + mirror.id(), problem);
                }
            }
            status.failingListeners()
                    .forEach(report ->
                            reasons.put("route " + report.route(), "fails to take changes: " + report.error()));
            for (Remote remote : mirrors.remotes()) {
                Progress progress = gate.progress(remote.id());
                if (progress.state().equals("halted")) {
                    reasons.put("remote " + remote.id(), "halted: " + progress.lastError());
                } else if (progress.isUp() && !progress.synced()) {
                    reasons.put("remote " + remote.id(), "the first full sync is not done");
                }
            }
        }
    }

    /** "alive": /observe/health/live. */
    public static final class Alive extends Question {
        public Alive() {
            super("alive");
        }

        @Override
        public boolean isReadiness() {
            return false;
        }

        @Override
        public boolean isLiveness() {
            return true;
        }

        @Override
        void find(Map<String, String> reasons) {
            for (Mirror mirror : mirrors.mirrors()) {
                InotifyConsumer watch = status.watch(mirror);
                if (watch != null && watch.isStarted() && !watch.isAlive()) {
                    reasons.put("mirror " + mirror.id(), "the watch has died");
                }
            }
        }
    }

    private static void answer(HealthCheckResultBuilder builder, Map<String, String> reasons) {
        if (reasons.isEmpty()) {
            builder.up();
        } else {
            reasons.forEach(builder::detail);
            builder.message(String.join(
                            "; ",
                            reasons.entrySet().stream()
                                    .map(reason -> reason.getKey() + ": " + reason.getValue())
                                    .toList()))
                    .down();
        }
    }
}
