package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Target;
import io.dromedary.posix.Entries;
import io.dromedary.push.Gate.Progress;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.ExchangeProperty;
import org.apache.camel.Header;
import org.apache.camel.spi.ThreadPoolProfile;
import org.apache.camel.util.concurrent.ThreadPoolRejectedPolicy;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Knows every remote's target again ({@link KnownTarget}), so that one that was emptied or replaced while it was down or
 * idle gets a full sync by itself, and one on a file system that is not mounted halts its remote.
 *
 * <p>A target on this machine is looked at before each push. Any target is asked what it has by one dry run, on a thread that
 * no push waits for: after a full sync, after a push that had failed before, and after the first push that follows a pause.
 */
public final class Targets implements CamelContextAware {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    /** By then the watch has told what had changed before, in milliseconds: it gathers changes for 64 ms at most. */
    private static final long TOLD = 200;

    /** How long what is under way is waited for before the target is asked again, in nanoseconds. */
    private static final long SETTLED = TimeUnit.SECONDS.toNanos(10);

    /** How many targets are asked at the same time. */
    private static final int ASKERS = 2;

    private final Map<String, KnownTarget> known = new ConcurrentHashMap<>();
    private final Mirrors mirrors;
    private final Gate gate;
    private final RsyncCalls rsyncCalls;
    private final RsyncProcess rsyncProcess;
    private final Receivers receivers;
    private final String command;
    private final Path notes;
    private CamelContext context;

    /**
     * @param command rsync's
     * @param stateDir where {@code targets/REMOTE} holds what the target is known by
     */
    public Targets(
            Mirrors mirrors,
            Gate gate,
            RsyncCalls rsyncCalls,
            RsyncProcess rsyncProcess,
            Receivers receivers,
            String command,
            String stateDir) {
        this.mirrors = mirrors;
        this.gate = gate;
        this.rsyncCalls = rsyncCalls;
        this.rsyncProcess = rsyncProcess;
        this.receivers = receivers;
        this.command = command;
        this.notes = Path.of(stateDir).toAbsolutePath().normalize().resolve("targets");
    }

    @Override
    public void setCamelContext(CamelContext camelContext) {
        this.context = camelContext;
    }

    @Override
    public CamelContext getCamelContext() {
        return context;
    }

    /** Makes the thread pool known on which targets are asked. */
    public void open() {
        ThreadPoolProfile askers = new ThreadPoolProfile("dromedary-askers");
        askers.setPoolSize(ASKERS);
        askers.setMaxPoolSize(ASKERS);
        askers.setMaxQueueSize(1000);
        askers.setRejectedPolicy(ThreadPoolRejectedPolicy.CallerRuns);
        askers.setAllowCoreThreadTimeOut(true);
        context.getExecutorServiceManager().registerThreadPoolProfile(askers);
    }

    private KnownTarget of(Remote remote) {
        return known.computeIfAbsent(remote.id(), id -> new KnownTarget(remote, notes.resolve(id)));
    }

    /** See {@link KnownTarget#problem}. */
    String problem(Remote remote, boolean everything) {
        return of(remote).problem(everything);
    }

    /** See {@link KnownTarget#make}. */
    void make(Remote remote) {
        of(remote).make();
    }

    /** A person says that it is right as it is. */
    void accept(Remote remote) {
        of(remote).accept();
    }

    /** The remote gets a full sync after its next push. */
    void owe(Remote remote) {
        of(remote).owe();
    }

    /** After a push that went well: whether it is time to ask the target. */
    public boolean isDue(@Header("remote") String remoteId, @ExchangeProperty("batch") Batch batch) {
        return of(mirrors.remote(remoteId)).pushed(batch.isEverything(), batch.isRedelivery());
    }

    /** Whether this remote's target is another one than before, for which a full sync is to be started. */
    public boolean isAnother(@Header("remote") String remoteId) throws InterruptedException {
        Remote remote = mirrors.remote(remoteId);
        KnownTarget target = of(remote);
        if (target.problem(false) != null) {
            // The next push halts the remote, and says so.
            return false;
        }
        String loss = target.takeAnother() ? "" : loss(remote, target);
        if (loss != null) {
            LOG.warn("{}: another target than before{}: full sync", remoteId, loss);
        }
        return loss != null;
    }

    private String loss(Remote remote, KnownTarget target) throws InterruptedException {
        try {
            for (boolean again = false; mayBeAsked(remote); again = true) {
                Set<String> questions = target.questions();
                Set<String> missing = missing(remote, questions);
                String loss = target.loss(questions, missing);
                if (loss == null) {
                    target.learn(questions, missing);
                    return null;
                }
                if (again) {
                    target.lost();
                    return ", " + loss;
                }
                // What was deleted and is there anew at the source may be on its way.
                TimeUnit.MILLISECONDS.sleep(TOLD);
                long now = System.nanoTime();
                gate.awaitThrough(remote.id(), now, now + SETTLED);
            }
        } catch (RsyncException | HaltedException e) {
            LOG.debug("{}: cannot be asked what is there: {}", remote.id(), e.getMessage());
        }
        return null;
    }

    /** A full sync under way makes good what is missing, and asks afterwards. */
    private boolean mayBeAsked(Remote remote) {
        Progress progress = gate.progress(remote.id());
        return progress.isUp()
                && !progress.state().equals("syncing")
                && remote.mirror().problem() == null;
    }

    /** Which of these names of the source are not at the target; those that it refuses are taken out of the question. */
    private Set<String> missing(Remote remote, Set<String> names) {
        if (names.isEmpty()) {
            return names;
        }
        if (remote.target().kind() == Target.Kind.LOCAL) {
            String directory = ByteString.of(remote.target().text()) + "/./";
            return names.stream()
                    .filter(name -> Entries.lstat(directory + name) == null)
                    .collect(Collectors.toSet());
        }
        try {
            return ask(remote, names);
        } catch (RsyncException e) {
            if (e.getMeaning() != Meaning.PARTIAL
                    || e.told() == null
                    || !names.removeAll(refused(remote, names, e.told()))) {
                throw e;
            }
            return ask(remote, names);
        }
    }

    private Set<String> ask(Remote remote, Set<String> names) {
        return receivers.repeated(remote, () -> rsyncCalls.asking(remote, names).stream()
                .flatMap(call -> rsyncProcess.differences(command, call))
                .filter(Difference::isNew)
                .map(Difference::path)
                .collect(Collectors.toSet()));
    }

    private static Set<String> refused(Remote remote, Set<String> names, RsyncException.Told told) {
        ChangeSet asked = new ChangeSet();
        names.forEach(name -> asked.add(name, false));
        Collection<Refusal> refusals =
                Refusal.in(told.text(), Refusal.Places.of(remote, told.directory()), asked, path -> true);
        return refusals == null
                ? Set.of()
                : refusals.stream().map(Refusal::path).collect(Collectors.toSet());
    }
}
