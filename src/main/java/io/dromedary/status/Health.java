package io.dromedary.status;

import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Gate;
import io.dromedary.push.Gate.Progress;
import io.dromedary.watch.InotifyConsumer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.camel.health.HealthCheck;
import org.apache.camel.health.HealthCheckResultBuilder;
import org.apache.camel.impl.health.AbstractHealthCheck;

/**
 * The two questions of a supervisor, each a health check: is it ready, that is, does it watch, and is every remote that
 * is up synced once and none halted, does each route take what it is told; and is it alive, that is, do its watches run. A remote that is down fails neither,
 * nor does one that refuses paths: which, is told beside.
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
            Map<String, String> beside = new TreeMap<>();
            find(reasons, beside);
            builder.state(reasons.isEmpty() ? HealthCheck.State.UP : HealthCheck.State.DOWN);
            List<String> told = new ArrayList<>();
            Stream.of(reasons, beside)
                    .forEach(all -> all.forEach((what, words) -> {
                        builder.detail(what, words);
                        told.add(what + ": " + words);
                    }));
            if (!told.isEmpty()) {
                builder.message(String.join("; ", told));
            }
        }

        /** @param beside what is told too, and is no reason for a no */
        abstract void find(Map<String, String> reasons, Map<String, String> beside);
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
        void find(Map<String, String> reasons, Map<String, String> beside) {
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
                String what = "remote " + remote.id();
                if (progress.state().equals("halted")) {
                    reasons.put(what, "halted: " + progress.lastError());
                } else if (progress.isUp() && !progress.synced()) {
                    reasons.put(what, "the first full sync is not done");
                }
                if (progress.refusal() != null) {
                    (reasons.containsKey(what) ? reasons : beside)
                            .merge(what, progress.refusal(), (reason, more) -> reason + "; " + more);
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
        void find(Map<String, String> reasons, Map<String, String> beside) {
            for (Mirror mirror : mirrors.mirrors()) {
                InotifyConsumer watch = status.watch(mirror);
                if (watch != null && watch.isStarted() && !watch.isAlive()) {
                    reasons.put("mirror " + mirror.id(), "the watch has died");
                }
            }
        }
    }
}
