package io.dromedary.status;

import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Gate;
import io.dromedary.push.Gate.Progress;
import io.dromedary.watch.InotifyConsumer;
import java.util.Date;
import javax.management.JMException;
import javax.management.ObjectName;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.api.management.ManagedAttribute;
import org.apache.camel.api.management.ManagedResource;
import org.apache.camel.spi.ManagementAgent;

/** Mirrors and remotes by JMX, beside Camel's own routes, where Camel's JMX is switched on. */
public final class ManagedBeans implements CamelContextAware {
    private CamelContext context;
    private Mirrors mirrors;
    private Gate gate;
    private Status status;

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

    public void setStatus(Status status) {
        this.status = status;
    }

    /** Mirrors and remotes are known once all routes are there. */
    public void open() throws Exception {
        context.addStartupListener((started, alreadyStarted) -> register());
    }

    private void register() throws JMException {
        ManagementAgent agent = context.getManagementStrategy().getManagementAgent();
        // Camel makes the beans of a route file twice, and the first ones are nobody's.
        if (agent == null || context.getRegistry().lookupByName("dromedary-managed-beans") != this) {
            return;
        }
        // The agent takes them away when Camel stops.
        for (Mirror mirror : mirrors.mirrors()) {
            agent.register(new ManagedMirror(mirror, status), name(agent, "mirrors", mirror.id()));
        }
        for (Remote remote : mirrors.remotes()) {
            agent.register(new ManagedRemote(remote, gate), name(agent, "remotes", remote.id()));
        }
    }

    private ObjectName name(ManagementAgent agent, String type, String id) throws JMException {
        return new ObjectName(agent.getMBeanObjectDomainName() + ":context=" + context.getManagementName() + ",type="
                + type + ",name=" + ObjectName.quote(id));
    }

    /** A mirror; its attributes are those of the API. */
    @ManagedResource(description = "A mirror: one watched tree")
    public static final class ManagedMirror {
        private final Mirror mirror;
        private final Status status;

        ManagedMirror(Mirror mirror, Status status) {
            this.mirror = mirror;
            this.status = status;
        }

        @ManagedAttribute(description = "Id of its route")
        public String getMirrorId() {
            return mirror.id();
        }

        @ManagedAttribute(description = "The directory that is mirrored")
        public String getSource() {
            return mirror.source().toString();
        }

        @ManagedAttribute(description = "Directories watched; null with file-watch")
        public Integer getWatches() {
            InotifyConsumer watch = status.watch(mirror);
            return watch == null ? null : watch.watches();
        }

        @ManagedAttribute(description = "How often the kernel's event queue was full; null with file-watch")
        public Long getOverflows() {
            InotifyConsumer watch = status.watch(mirror);
            return watch == null ? null : watch.overflows();
        }

        @ManagedAttribute(description = "Why changes may go unseen or are not pushed; null when all is well")
        public String getProblem() {
            return status.problem(mirror);
        }
    }

    /** A remote; its attributes are those of the API. */
    @ManagedResource(description = "A remote of a mirror")
    public static final class ManagedRemote {
        private final Remote remote;
        private final Gate gate;

        ManagedRemote(Remote remote, Gate gate) {
            this.remote = remote;
            this.gate = gate;
        }

        private Progress progress() {
            return gate.progress(remote.id());
        }

        @ManagedAttribute(description = "Its name")
        public String getRemoteId() {
            return remote.id();
        }

        @ManagedAttribute(description = "The mirror it belongs to")
        public String getMirrorId() {
            return remote.mirror().id();
        }

        @ManagedAttribute(description = "Where rsync pushes to")
        public String getTarget() {
            return remote.target().toString();
        }

        @ManagedAttribute(description = "syncing, live, pushing, down, paused or halted")
        public String getState() {
            return progress().state();
        }

        @ManagedAttribute(description = "Changes that wait or are being pushed")
        public long getPending() {
            return progress().pending();
        }

        @ManagedAttribute(description = "Changes in the fail queue")
        public long getFailed() {
            return progress().failed();
        }

        @ManagedAttribute(description = "Paths among these that are refused")
        public long getRefused() {
            return progress().refused();
        }

        @ManagedAttribute(description = "Which paths are refused, in one line; null: none")
        public String getRefusal() {
            return progress().refusal();
        }

        @ManagedAttribute(description = "Age of the oldest change not yet there, in seconds")
        public double getLagSeconds() {
            return progress().lagSeconds();
        }

        @ManagedAttribute(description = "When a push last went well; null: never in this run")
        public Date getLastPush() {
            Progress progress = progress();
            return progress.lastPush() == null ? null : Date.from(progress.lastPush());
        }

        @ManagedAttribute(description = "rsync's words when a push last failed; null: never in this run")
        public String getLastError() {
            return progress().lastError();
        }

        @ManagedAttribute(description = "Pushes that went well")
        public long getPushes() {
            return progress().pushes();
        }

        @ManagedAttribute(description = "Bytes sent by these")
        public long getBytesSent() {
            return progress().bytesSent();
        }
    }
}
