package io.dromedary.status;

import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Gate;
import io.dromedary.push.Gate.Large;
import io.dromedary.push.Gate.Progress;
import io.dromedary.push.Gate.Push;
import io.dromedary.watch.InotifyConsumer;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.component.micrometer.MicrometerConstants;

/** The metrics of mirrors and remotes, in the registry that Camel's own go to. */
public final class Meters implements CamelContextAware {
    /** From a single file beside us to a full sync. */
    private static final Duration[] SECONDS = {
        Duration.ofMillis(50),
        Duration.ofMillis(100),
        Duration.ofMillis(500),
        Duration.ofSeconds(1),
        Duration.ofSeconds(5),
        Duration.ofSeconds(30),
        Duration.ofMinutes(5),
        Duration.ofHours(1)
    };

    private CamelContext context;
    private MeterRegistry registry;
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

    private void register() {
        // Camel makes the beans of a route file twice, and the first ones are nobody's.
        if (context.getRegistry().lookupByName("dromedary-meters") != this) {
            return;
        }
        registry = context.getRegistry()
                .lookupByNameAndType(MicrometerConstants.METRICS_REGISTRY_NAME, MeterRegistry.class);
        if (registry == null) {
            return;
        }
        gate.listen(this::pushed);
        mirrors.mirrors().forEach(this::add);
        mirrors.remotes().forEach(this::add);
    }

    private void add(Mirror mirror) {
        Tags tags = Tags.of("mirror", mirror.id());
        Gauge.builder("dromedary.watches", mirror, one -> watch(one, InotifyConsumer::watches))
                .description("Directories that are watched")
                .tags(tags)
                .register(registry);
        FunctionCounter.builder("dromedary.overflows", mirror, one -> watch(one, InotifyConsumer::overflows))
                .description("How often the kernel's event queue was full")
                .tags(tags)
                .register(registry);
    }

    private double watch(Mirror mirror, ToDoubleFunction<InotifyConsumer> figure) {
        InotifyConsumer watch = status.watch(mirror);
        return watch == null ? Double.NaN : figure.applyAsDouble(watch);
    }

    private void add(Remote remote) {
        counter("dromedary.changes", "Changes that came for this remote", remote, Progress::changes);
        counter("dromedary.bytes.sent", "As rsync counts them", remote, Progress::bytesSent);
        gauge("dromedary.pending", "Changes that wait or are being pushed", null, remote, Progress::pending);
        gauge("dromedary.failed", "Changes in the fail queue", null, remote, Progress::failed);
        gauge("dromedary.refused", "Paths among these that are refused", null, remote, Progress::refused);
        gauge("dromedary.lag", "Age of the oldest change not yet there", "seconds", remote, Progress::lagSeconds);
        gauge("dromedary.remote.up", "1 if changes are pushed to it", null, remote, one -> one.isUp() ? 1 : 0);
        gauge("dromedary.remote.halted", "1 if a person is needed", null, remote, one -> is("halted", one));
        gauge("dromedary.remote.paused", "1 if a person has paused it", null, remote, one -> is("paused", one));
        large(
                "dromedary.large.pending",
                "Large files on their way or waiting",
                null,
                remote,
                one -> one.waiting() + one.sending().size());
        large("dromedary.large.left", "Of these, what is not there yet", "bytes", remote, Large::bytesLeft);
        for (String outcome : List.of("ok", "partial", "down", "halted")) {
            pushes(tags(remote), outcome);
        }
        seconds(tags(remote));
        paths(tags(remote));
    }

    private static int is(String state, Progress progress) {
        return progress.state().equals(state) ? 1 : 0;
    }

    private void counter(String name, String description, Remote remote, ToDoubleFunction<Progress> figure) {
        FunctionCounter.builder(name, remote, one -> figure.applyAsDouble(gate.progress(one.id())))
                .description(description)
                .tags(tags(remote))
                .register(registry);
    }

    private void gauge(String name, String description, String unit, Remote remote, ToDoubleFunction<Progress> figure) {
        Gauge.builder(name, remote, one -> figure.applyAsDouble(gate.progress(one.id())))
                .description(description)
                .baseUnit(unit)
                .tags(tags(remote))
                .register(registry);
    }

    private void large(String name, String description, String unit, Remote remote, ToDoubleFunction<Large> figure) {
        Gauge.builder(name, remote, one -> figure.applyAsDouble(gate.large(one.id())))
                .description(description)
                .baseUnit(unit)
                .tags(tags(remote))
                .register(registry);
    }

    private void pushed(Push push) {
        Tags tags = tags(mirrors.remote(push.remote()));
        pushes(tags, push.outcome()).increment();
        seconds(tags).record(Duration.ofNanos(push.nanos()));
        paths(tags).record(push.changes());
    }

    private Counter pushes(Tags tags, String outcome) {
        return Counter.builder("dromedary.pushes")
                .description("Pushes that came to an end")
                .tags(tags)
                .tag("outcome", outcome)
                .register(registry);
    }

    private Timer seconds(Tags tags) {
        return Timer.builder("dromedary.push")
                .description("How long a push took")
                .serviceLevelObjectives(SECONDS)
                .tags(tags)
                .register(registry);
    }

    private DistributionSummary paths(Tags tags) {
        return DistributionSummary.builder("dromedary.push.paths")
                .description("Changes in a push")
                .tags(tags)
                .register(registry);
    }

    private static Tags tags(Remote remote) {
        return Tags.of("mirror", remote.mirror().id(), "remote", remote.id());
    }
}
