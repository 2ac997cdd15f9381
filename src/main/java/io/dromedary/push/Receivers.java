package io.dromedary.push;

import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Receiver;
import io.dromedary.mirror.Receiver.Ability;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Target;
import io.dromedary.posix.OwnerOnly;
import io.dromedary.push.RsyncCalls.Call;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.camel.Body;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangeException;
import org.apache.camel.ExchangeProperty;
import org.apache.camel.Header;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out what each remote's rsync takes. A call that fails is looked at: where rsync names an option of ours, or an
 * earlier call has found it out meanwhile, the same push is made again at once without it. Where it names nothing, dry runs of
 * nothing decide, with the options and without: a connection that was merely lost switches nothing off. Of a remote that
 * refuses something the protocol is asked too, to be told: by it nothing is decided, for it does not tell 3.1.2 from 3.1.3.
 *
 * <p>What is not taken is kept in {@code remotes/REMOTE/receiver} below the state directory. It is asked for anew before a
 * full sync and when a remote was down: its rsync may be another one by then.
 */
public final class Receivers {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");
    private static final String REFUSES = "refuses --";
    private static final String SPEAKS = "speaks protocol ";

    private static final Pattern OLD_SENDER = Pattern.compile("^rsync +version v?(3\\.1\\.[0-2])\\b");

    private static final Pattern PROTOCOL =
            Pattern.compile("^\\(Client\\) Protocol versions: remote=(\\d+)", Pattern.MULTILINE);

    /** Asked to be deleted: nothing has such a name. */
    private static final String NOTHING = "\001.dromedary asks";

    private Path remotes;
    private Mirrors mirrors;
    private RsyncProcess rsyncProcess;
    private String command;
    private String lacking;
    /** Whether the log has it. */
    private boolean told;

    private final Set<String> known = ConcurrentHashMap.newKeySet();
    private final Set<String> returned = ConcurrentHashMap.newKeySet();

    public void setStateDir(String stateDir) {
        this.remotes = Path.of(stateDir).toAbsolutePath().normalize().resolve("remotes");
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    public void setRsyncProcess(RsyncProcess rsyncProcess) {
        this.rsyncProcess = rsyncProcess;
    }

    public void setCommand(String command) {
        this.command = command;
    }

    /**
     * What this machine's rsync lacks, in one line; empty: nothing. Before 3.1.3 it would take -1 for a number of seconds, by which
     * every file differs at a target on this machine.
     */
    public synchronized String lacking() {
        if (lacking == null) {
            String version = "";
            try {
                Process rsync = new ProcessBuilder(command, "--version")
                        .redirectErrorStream(true)
                        .start();
                version = new String(rsync.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
            } catch (IOException e) {
                LOG.debug("{} --version", command, e);
            }
            Matcher old = OLD_SENDER.matcher(version);
            lacking = old.find()
                    ? "this machine's rsync is " + old.group(1)
                            + " and knows no --modify-window=-1: times are compared by the second"
                    : "";
        }
        return lacking;
    }

    private synchronized void tellLacking() {
        if (!told && !lacking().isEmpty()) {
            LOG.info("{}", lacking());
        }
        told = true;
    }

    /** From now on these are not taken, and all others are. */
    private static void set(Receiver receiver, Set<Ability> refused) {
        receiver.forget();
        receiver.refuse(refused);
    }

    /** Before the first call to a remote: what the last run has found out about it, and what is never sent from here. */
    private void know(Remote remote) {
        synchronized (remote.receiver()) {
            if (known.add(remote.id())) {
                if (!lacking().isEmpty()) {
                    remote.receiver().neverSend(Set.of(Ability.NANOSECONDS));
                }
                read(remote);
            }
        }
    }

    /** Before the calls of a push are made: what is known of the remote is read, or asked for anew. */
    public void recall(
            @Header("remote") String remoteId,
            @Body Batch batch,
            @ExchangeProperty(Exchange.EXCEPTION_CAUGHT) Exception lastTry) {
        Remote remote = mirrors.remote(remoteId);
        Receiver receiver = remote.receiver();
        tellLacking();
        know(remote);
        synchronized (receiver) {
            // What the last try of this push has just found out holds for this one: a dry run of nothing does not tell
            // all.
            if (lastTry == null
                    && !receiver.refused().isEmpty()
                    && (returned.remove(remoteId) || batch.isEverything())) {
                ask(remote, receiver.refused());
            }
        }
    }

    /** Whether a push that failed goes through if it is made again now, in another way. */
    public boolean learn(@Header("remote") String remoteId, @ExchangeException Exception caught) {
        return RsyncException.in(caught) instanceof RsyncException e && learn(mirrors.remote(remoteId), e);
    }

    private boolean learn(Remote remote, RsyncException failure) {
        Receiver receiver = remote.receiver();
        synchronized (receiver) {
            Set<Ability> asked = asked(remote, failure.arguments());
            if (asked.stream().anyMatch(ability -> !receiver.takes(ability))) {
                // Made before that was known.
                return true;
            }
            Optional<String> option = Receiver.refusedOption(failure.words());
            Set<Ability> refused;
            if (option.isPresent()) {
                refused = Receiver.of(option.get()).map(Set::of).orElse(Set.of());
            } else if (failure.isDeletionRefused()) {
                refused = Set.of(Ability.DELETIONS_IN_LISTS);
            } else {
                refused = failure.isSilent() ? refused(remote, asked) : Set.of();
            }
            if (refused.isEmpty() || !asked.containsAll(refused)) {
                if (failure.getMeaning() == Meaning.AGAIN) {
                    returned.add(remote.id());
                }
                return false;
            }
            receiver.refuse(refused);
            if (receiver.protocol() == 0) {
                receiver.protocol(protocol(remote));
            }
            LOG.info("{}: {}", remote.id(), receiver.text());
            write(remote);
            return true;
        }
    }

    /** Of these arguments, what can be left out: none that the user has written too, and no question what differs. */
    private static Set<Ability> asked(Remote remote, List<String> arguments) {
        Set<Ability> asked = EnumSet.noneOf(Ability.class);
        for (Ability ability : Ability.values()) {
            boolean isQuestion = ability == Ability.ITEMIZED && arguments.contains("--dry-run");
            if (!isQuestion
                    && !remote.args().has(ability.option())
                    && arguments.stream().anyMatch(ability::isIn)) {
                asked.add(ability);
            }
        }
        return asked;
    }

    /** Makes it, and once more for each refusal that is learnt by it. */
    public <T> T repeated(Remote remote, Supplier<T> calls) {
        know(remote);
        while (true) {
            try {
                return calls.get();
            } catch (RsyncException e) {
                if (!learn(remote, e)) {
                    throw e;
                }
            }
        }
    }

    /** Asks this remote for all there is, whatever is known of it; an {@link RsyncException} says why it cannot be asked. */
    public void ask(Remote remote) {
        know(remote);
        synchronized (remote.receiver()) {
            Set<Ability> all = EnumSet.allOf(Ability.class);
            // With it the other side reads all others later, and would not refuse them here.
            all.remove(Ability.PROTECTED);
            all.removeIf(ability ->
                    remote.args().has(ability.option()) || !lacking().isEmpty() && ability == Ability.NANOSECONDS);
            question(remote, Set.of());
            Set<Ability> refused = EnumSet.noneOf(Ability.class);
            refused.addAll(refused(remote, all));
            if (remote.target().kind() == Target.Kind.SSH) {
                refused.addAll(refused(remote, Set.of(Ability.PROTECTED)));
            }
            set(remote.receiver(), refused);
            remote.receiver().protocol(protocol(remote));
        }
    }

    /** Asks anew for what was refused. */
    private void ask(Remote remote, Set<Ability> before) {
        Receiver receiver = remote.receiver();
        if (!passes(remote, Set.of())) {
            return;
        }
        Set<Ability> still = passes(remote, before) ? Set.of() : refused(remote, before);
        int protocolBefore = receiver.protocol();
        set(receiver, still);
        receiver.protocol(receiver.refused().isEmpty() ? 0 : protocol(remote));
        if (!receiver.refused().equals(before) || receiver.protocol() != protocolBefore) {
            LOG.info("{}: {}", remote.id(), still.isEmpty() ? "its rsync takes all options now" : receiver.text());
            write(remote);
        }
    }

    /** Those of these that make a call fail, which without them passes; none if it cannot be told. */
    private Set<Ability> refused(Remote remote, Set<Ability> asked) {
        if (asked.isEmpty() || passes(remote, asked) || !passes(remote, Set.of())) {
            return Set.of();
        }
        Set<Ability> refused = EnumSet.noneOf(Ability.class);
        for (Ability ability : asked) {
            // Twice, and what is left passes at the end: a connection may be lost at any time.
            if (!passes(remote, Set.of(ability)) && !passes(remote, Set.of(ability))) {
                refused.add(ability);
            }
        }
        Set<Ability> left = new HashSet<>(asked);
        left.removeAll(refused);
        return passes(remote, left) ? refused : Set.of();
    }

    private boolean passes(Remote remote, Set<Ability> abilities) {
        try {
            question(remote, abilities);
            return true;
        } catch (RsyncException e) {
            LOG.debug("{}: asked for {}: {}", remote.id(), abilities, e.getMessage());
            return false;
        }
    }

    /** The newest protocol that the other side speaks; 0: it cannot be told. */
    private int protocol(Remote remote) {
        try {
            // By itself: a sender before 3.2 passes this option on, and an old receiver does not take it.
            Matcher told = PROTOCOL.matcher(question(remote, Set.of(), "--debug=PROTO"));
            return told.find() ? Integer.parseInt(told.group(1)) : 0;
        } catch (RsyncException e) {
            LOG.debug("{}: asked for its protocol: {}", remote.id(), e.getMessage());
            return 0;
        }
    }

    /** A dry run of nothing, in which the other side reads these options; returns what this side tells. */
    private String question(Remote remote, Set<Ability> abilities, String... more) {
        List<String> arguments = new ArrayList<>(List.of("--dry-run"));
        arguments.addAll(List.of(more));
        remote.options().stream()
                .filter(option -> remote.args().words().contains(option) || !isOurs(option))
                .forEach(arguments::add);
        abilities.forEach(ability -> arguments.add(
                switch (ability) {
                    case NANOSECONDS -> "--modify-window=-1";
                    case TIMEOUT -> "--timeout=60";
                    case LINKED -> "--link-dest=.";
                    case PARTS -> "--partial-dir=" + LargeFiles.PARTIAL;
                    case ITEMIZED -> Difference.FORMAT;
                    default -> "--" + ability.option();
                }));
        // rsync 3.2.7 refuses a list with what its filters exclude.
        arguments.addAll(
                List.of("--from0", "--no-r", "--include=/" + NOTHING, "--exclude=/*", "--files-from=-", "--", "."));
        arguments.add(remote.target().existing());
        String list = abilities.contains(Ability.DELETIONS_IN_LISTS) ? ".\0" + NOTHING + "\0" : ".\0";
        return rsyncProcess.run(
                command,
                new Call(remote.mirror().source().toString(), arguments, list.getBytes(StandardCharsets.ISO_8859_1)));
    }

    private static boolean isOurs(String option) {
        for (Ability ability : Ability.values()) {
            if (ability.isIn(option)) {
                return true;
            }
        }
        return false;
    }

    private void read(Remote remote) {
        Set<Ability> refused = EnumSet.noneOf(Ability.class);
        try {
            for (String line : Files.readAllLines(file(remote.id()), StandardCharsets.ISO_8859_1)) {
                if (line.startsWith(REFUSES)) {
                    Receiver.of(line.substring(REFUSES.length()).strip()).ifPresent(refused::add);
                } else if (line.matches(SPEAKS + "\\d{1,3}")) {
                    remote.receiver().protocol(Integer.parseInt(line.substring(SPEAKS.length())));
                }
            }
        } catch (NoSuchFileException e) {
            // Nothing is known yet, or it takes all.
        } catch (IOException e) {
            LOG.warn("{}: cannot read what its rsync takes, it is found out anew: {}", remote.id(), e.toString());
        }
        set(remote.receiver(), refused);
    }

    private void write(Remote remote) {
        Path file = file(remote.id());
        try {
            if (remote.receiver().refused().isEmpty()) {
                Files.deleteIfExists(file);
                return;
            }
            Files.createDirectories(file.getParent(), OwnerOnly.directory());
            int protocol = remote.receiver().protocol();
            String text = "# what the rsync of " + remote.id() + " (" + remote.target()
                    + ") does not take; without this file it is found out anew\n"
                    + remote.receiver().refused().stream()
                            .sorted()
                            .map(ability -> REFUSES + ability.option() + "\n")
                            .collect(Collectors.joining())
                    + (protocol == 0 ? "" : SPEAKS + protocol + "\n");
            Path written = file.resolveSibling(file.getFileName() + ".new");
            Files.writeString(written, text);
            Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.warn("{}: cannot write it, it is found out anew after the next start: {}", file, e.toString());
        }
    }

    private Path file(String remoteId) {
        return remotes.resolve(remoteId).resolve("receiver");
    }
}
