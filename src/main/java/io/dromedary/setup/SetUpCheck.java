package io.dromedary.setup;

import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Target;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.StartupListener;

/**
 * Refuses a set-up that eats itself, once all routes are known and before any starts; see {@link SetUp}. A server of this
 * very machine that does not answer then is asked again before each push to it, until it does.
 */
public final class SetUpCheck implements CamelContextAware, StartupListener {
    private Mirrors mirrors;
    private OwnHost ownHost;
    private Path stateDir;
    private CamelContext context;

    /** The directories of this machine that remotes' targets are, as far as known; guarded by this. */
    private final Map<Remote, Path> here = new HashMap<>();
    /** Those whose server has yet to answer; guarded by this. */
    private final Set<Remote> unanswered = new HashSet<>();
    /** What was found out after the start, until the next one; guarded by this. */
    private final Map<Remote, String> problems = new HashMap<>();

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    /** The rsync command. */
    public void setCommand(String command) {
        this.ownHost = new OwnHost(command);
    }

    public void setStateDir(String stateDir) {
        this.stateDir = Path.of(stateDir);
    }

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

    @Override
    public synchronized void onCamelContextStarting(CamelContext camelContext, boolean alreadyStarted) {
        for (Remote remote : mirrors.remotes()) {
            checkMirror(remote);
            if (remote.target().kind() == Target.Kind.LOCAL) {
                here.put(remote, Path.of(remote.target().text()));
            }
            leaveOut(remote);
        }
        // What the names alone tell first: nobody needs to be asked then.
        String problem = problem();
        for (Remote remote : mirrors.remotes()) {
            if (problem == null && mayBeHere(remote)) {
                unanswered.add(remote);
                problem = ask(remote);
            }
        }
        if (problem != null) {
            throw new IllegalArgumentException(problem);
        }
    }

    /** What Dromedary writes at a place that this remote brings up. */
    private void leaveOut(Remote remote) {
        Mirror mirror = remote.mirror();
        if (remote.target().kind() == Target.Kind.LOCAL) {
            mirror.leaveOut(
                    "the state directory", stateDir, Path.of(remote.target().text()));
        }
        String log = remote.args().value("log-file");
        if (log != null && !log.isEmpty()) {
            // rsync works in the source.
            mirror.leaveOut("rsync's log", mirror.source().resolve(log), mirror.source());
        }
    }

    private static void checkMirror(Remote remote) {
        try {
            remote.mirror();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "remote " + remote.id() + ": its route does not start from kamelet:watch");
        }
    }

    @Override
    public void onCamelContextStarted(CamelContext camelContext, boolean alreadyStarted) {
        // It was the moment before that counted.
    }

    /** What is wrong with pushing to this remote, in one line; null: nothing, or that is not known yet. */
    public synchronized String problem(Remote remote) {
        if (unanswered.contains(remote)) {
            String problem = ask(remote);
            if (problem != null) {
                problems.put(remote, problem);
            }
        }
        return problems.get(remote);
    }

    private String problem() {
        return SetUp.of(mirrors, here::get).problem();
    }

    private boolean mayBeHere(Remote remote) {
        Target target = remote.target();
        if (!OwnHost.mayBeThis(target.host())) {
            return false;
        }
        if (target.kind() == Target.Kind.DAEMON) {
            return true;
        }
        // Only what would be a problem is worth to be asked.
        Path named = OwnHost.named(target);
        return named != null
                && SetUp.of(mirrors, one -> one == remote ? named : here.get(one))
                                .problem()
                        != null;
    }

    private String ask(Remote remote) {
        Collection<Mirror> all = mirrors.mirrors();
        try {
            Path found = ownHost.find(remote, List.copyOf(all));
            unanswered.remove(remote);
            here.put(remote, found);
            return found == null ? null : problem();
        } catch (OwnHost.NoAnswer e) {
            return null;
        }
    }
}
