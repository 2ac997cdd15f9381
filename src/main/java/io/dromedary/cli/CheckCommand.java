package io.dromedary.cli;

import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Receiver;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Difference;
import io.dromedary.push.Receivers;
import io.dromedary.push.RsyncCalls;
import io.dromedary.push.RsyncCalls.Call;
import io.dromedary.push.RsyncException;
import io.dromedary.routes.Settings;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code dromedary check}: whether a run would work, changing nothing. */
@Command(
        name = "check",
        description = "Validates the files, prints each rsync command and reaches each remote with a dry run.",
        mixinStandardHelpOptions = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:a run would work", "1:a remote cannot be reached", "2:the configuration is wrong"})
final class CheckCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        Settings settings = options.settings();
        // The real one may be in use, and a fail queue that is opened takes over what waits in it.
        Path real = Path.of(settings.get("state-dir"));
        Path state = Files.createTempDirectory("dromedary-check");
        settings.set("state-dir", state.toString(), "check");
        settings.set("http.port", "0", "check");
        Engine engine = options.engine(settings);
        engine.property("camel.main.auto-startup", "false");
        try (engine) {
            Mirrors mirrors = engine.start();
            mirrors.mirrors().forEach(mirror -> mirror.leaveOut("the state directory", real, mirror.source()));
            RsyncCalls calls = engine.rsyncCalls();
            PrintWriter out = spec.commandLine().getOut();
            boolean reached = true;
            if (!engine.receivers().lacking().isEmpty()) {
                out.println(engine.receivers().lacking());
            }
            for (Remote remote : mirrors.remotes()) {
                out.println(remote.id() + ": " + remote.mirror().source() + " to " + remote.target());
                reached &= ask(remote, engine.receivers(), out);
                for (Call call : calls.questionsFor(remote, ChangeSet.ofEverything())) {
                    reached &= dryRun(settings.get("rsync.command"), remote, call, calls, out);
                }
            }
            out.println(reached ? "all is well" : "not every remote can be reached");
            out.flush();
            return reached ? 0 : 1;
        } finally {
            try (Stream<Path> left = Files.walk(state)) {
                left.sorted(Comparator.reverseOrder())
                        .forEach(path -> path.toFile().delete());
            }
        }
    }

    /** What the remote's rsync does not take is told, and left out of the calls that follow; what is wrong those say. */
    private static boolean ask(Remote remote, Receivers receivers, PrintWriter out) {
        try {
            receivers.ask(remote);
        } catch (RsyncException e) {
            return false;
        }
        Receiver receiver = remote.receiver();
        if (!receiver.text().isEmpty()) {
            out.println("  " + receiver.text());
        } else if (!receiver.year().isEmpty()) {
            out.println("  its rsync takes all options (" + receiver.year() + ")");
        }
        return true;
    }

    private static boolean dryRun(String command, Remote remote, Call call, RsyncCalls calls, PrintWriter out)
            throws IOException {
        out.println("  cd " + quoted(call.directory()) + " && printf '"
                + new String(call.input().readAllBytes(), StandardCharsets.ISO_8859_1).replace("\0", "\\0") + "' | "
                + command + " "
                + call.arguments().stream().map(CheckCommand::quoted).collect(Collectors.joining(" ")));
        try {
            List<Difference> all = calls.differences(remote, call).toList();
            long files = all.stream().filter(Difference::sendsFile).count();
            long deleted = all.stream().filter(Difference::deleted).count();
            out.println("  would be: Number of regular files transferred: " + files);
            out.println("  would be: Number of deleted files: " + deleted);
            return true;
        } catch (RsyncException e) {
            out.println("  " + e.getMessage());
            String advice = Advice.on(e.getMessage());
            if (!advice.isEmpty()) {
                out.println("  to do: " + advice);
            }
            return false;
        }
    }

    private static String quoted(String word) {
        return word.matches("[A-Za-z0-9@%+=:,./_-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
