package io.dromedary.pushed;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Batch;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.Exchange;
import org.apache.camel.Header;
import org.apache.camel.StartupListener;
import org.apache.camel.util.TimeUtils;

/**
 * Tells the routes that start from {@code kamelet:pushed} what has got through. It looks on at each change's way to a
 * remote and back from it, and costs a push no more than a look at memory and a line in a file.
 */
public final class AfterPush implements CamelContextAware, StartupListener {
    /** Header of a change that is pushed once more because a full sync may have undone it: it has been told already. */
    public static final String AGAIN = "again";

    private static final String READ_FROM = "DromedaryReadFrom";

    private final List<Subscription> subscriptions = new CopyOnWriteArrayList<>();
    /** The remotes whose debts of an earlier run are known. */
    private final Set<String> remembered = ConcurrentHashMap.newKeySet();

    private CamelContext context;
    private Mirrors mirrors;
    private Path stateDir;
    private long backoff;
    private long maxBackoff;

    @Override
    public void setCamelContext(CamelContext camelContext) {
        try {
            camelContext.addStartupListener(this);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        this.context = camelContext;
    }

    @Override
    public CamelContext getCamelContext() {
        return context;
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setStateDir(String stateDir) {
        this.stateDir = Path.of(stateDir).toAbsolutePath().normalize();
    }

    /** Pause after a first failure of a step, doubled with each further one, e.g. 1s. */
    public void setBackoff(String backoff) {
        this.backoff = TimeUtils.toMilliSeconds(backoff);
    }

    /** The longest pause between two tries, e.g. 5m. */
    public void setMaxBackoff(String maxBackoff) {
        this.maxBackoff = TimeUtils.toMilliSeconds(maxBackoff);
    }

    Path directory(String route) {
        return stateDir.resolve("pushed").resolve(route);
    }

    /** In milliseconds, after so many tries. */
    long pause(int tries) {
        return Math.min(maxBackoff, backoff << Math.min(20, tries - 1));
    }

    Mirrors mirrors() {
        return mirrors;
    }

    void add(Subscription subscription) {
        subscriptions.add(subscription);
    }

    /** How the routes that are told of pushed changes fare. */
    public List<Subscription.Report> reports() {
        return subscriptions.stream().map(Subscription::report).toList();
    }

    /** What that route has failed to take is due at the next look. */
    public void retry(String route) {
        subscriptions.stream().filter(one -> one.id().equals(route)).forEach(Subscription::retry);
    }

    /** Forgets what that route has failed to take; returns how many changes that were. */
    public int drop(String route) {
        return subscriptions.stream()
                .filter(one -> one.id().equals(route))
                .mapToInt(Subscription::drop)
                .sum();
    }

    /** Refuses subscriptions to what does not exist: all routes are there, and none has started. */
    @Override
    public void onCamelContextStarting(CamelContext camelContext, boolean alreadyStarted) {
        subscriptions.forEach(Subscription::check);
    }

    @Override
    public void onCamelContextStarted(CamelContext camelContext, boolean alreadyStarted) {
        // It was the moment before that counted.
    }

    /** A change on its way to a remote; or, the first time in this run, what an earlier run still owed that remote. */
    public void owed(Exchange exchange) {
        if (subscriptions.isEmpty()) {
            return;
        }
        Object body = exchange.getMessage().getBody();
        Remote remote = mirrors.remote(exchange.getMessage().getHeader("remote", String.class));
        ChangeSet changes;
        if (body instanceof Batch batch) {
            changes = remembered.add(remote.id()) ? batch.changes() : new ChangeSet();
        } else {
            changes = (ChangeSet) body;
        }
        // A full sync names no files.
        if (!changes.isEverything() && exchange.getMessage().getHeader(AGAIN) == null) {
            subscriptions.forEach(subscription -> subscription.owed(remote, changes));
        }
    }

    /** From here on rsync reads: what changed before is in this push. */
    public void reads(Exchange exchange) {
        exchange.setProperty(READ_FROM, System.nanoTime());
    }

    /** A batch is through; returns the routes that have something to do now. */
    public Set<String> through(Exchange exchange, @Header("remote") String remote) {
        Set<String> routes = new HashSet<>();
        if (!subscriptions.isEmpty()) {
            Batch batch = exchange.getProperty("batch", Batch.class);
            ChangeSet changes = batch.through();
            ChangeSet refused = batch.notThrough();
            long readFrom = exchange.getProperty(READ_FROM, Long.class);
            for (Subscription subscription : subscriptions) {
                if (subscription.through(remote, changes, readFrom)) {
                    routes.add(subscription.id());
                }
                if (!refused.isEmpty() && !batch.isEverything()) {
                    // A directory above it may have been told of just now.
                    subscription.owed(mirrors.remote(remote), refused);
                }
            }
        }
        return routes;
    }

    /** Changes of a mirror that has no remotes; returns the routes that have something to do now. */
    public Set<String> seen(Exchange exchange, @Header("mirror") String mirror) {
        Set<String> routes = new HashSet<>();
        for (Subscription subscription : subscriptions) {
            if (subscription.isTo(mirror)) {
                subscription.add(exchange.getMessage().getBody(ChangeSet.class));
                routes.add(subscription.id());
            }
        }
        return routes;
    }

    /** The routes whose failed steps are to be tried again. */
    public Set<String> due() {
        Set<String> routes = new HashSet<>();
        for (Subscription subscription : subscriptions) {
            if (subscription.isDue()) {
                routes.add(subscription.id());
            }
        }
        return routes;
    }
}
