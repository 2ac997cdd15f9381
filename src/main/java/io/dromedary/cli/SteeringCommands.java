package io.dromedary.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.camel.util.json.JsonObject;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The commands that steer the running Dromedary: each is one address of its API. */
public final class SteeringCommands {
    private SteeringCommands() {}

    /** What all of them have. */
    @Command(mixinStandardHelpOptions = true)
    abstract static class Steering implements Callable<Integer> {
        @Mixin
        Running running;

        @Spec
        CommandSpec spec;

        void say(String line) {
            PrintWriter out = spec.commandLine().getOut();
            out.println(line);
            out.flush();
        }

        void warn(String line) {
            PrintWriter err = spec.commandLine().getErr();
            err.println("dromedary: " + line);
            err.flush();
        }
    }

    /** What those have that are about one remote. */
    abstract static class SteeringOfOne extends Steering {
        @Parameters(paramLabel = "REMOTE", description = "Its name.")
        private String remote;

        int post(String what, String done) throws IOException {
            running.post("/api/remotes/" + Running.encoded(remote) + "/" + what);
            say(remote + " is " + done);
            return 0;
        }
    }

    /** {@code dromedary sync}. */
    @Command(
            name = "sync",
            description = {
                "Starts a full sync, of all mirrors or of the one named.",
                "On a terminal it shows how far that is; Ctrl-C ends showing it, not the sync."
            })
    static final class Sync extends Steering {
        @Parameters(arity = "0..1", paramLabel = "MIRROR", description = "Only this mirror.")
        private String mirror;

        @Option(names = "--remote", paramLabel = "REMOTE", description = "Only this remote.")
        private String remote;

        @Override
        public Integer call() throws IOException, InterruptedException {
            JsonObject answer = running.post(Running.address("/api/sync", "mirror", mirror, "remote", remote));
            List<String> names = names(answer);
            say("full sync started: " + String.join(", ", names));
            return StatusLine.isPossible() ? follow(names) : 0;
        }

        private int follow(List<String> names) throws IOException, InterruptedException {
            List<Map<String, Object>> remotes;
            try (StatusLine line = new StatusLine()) {
                for (remotes = remotes(names); syncing(remotes); remotes = remotes(names)) {
                    line.show(StatusLine.of(remotes));
                    TimeUnit.MILLISECONDS.sleep(500);
                }
            }
            boolean done = true;
            for (Map<String, Object> one : remotes) {
                boolean up = !Set.of("down", "halted", "paused").contains(String.valueOf(one.get("state")));
                done &= up;
                Object error = one.get("lastError");
                say(one.get("id")
                        + (up ? ": full sync done" : " is " + one.get("state") + (error == null ? "" : ": " + error)));
            }
            return done ? 0 : 1;
        }

        private static boolean syncing(List<Map<String, Object>> remotes) {
            return remotes.stream().anyMatch(one -> "syncing".equals(one.get("state")));
        }

        private List<Map<String, Object>> remotes(List<String> names) throws IOException {
            return StatusLine.remotes(running.get("/api/status")).stream()
                    .filter(one -> names.contains(String.valueOf(one.get("id"))))
                    .toList();
        }
    }

    /** {@code dromedary flush}. */
    @Command(
            name = "flush",
            description = "Returns when all that changed before is at every remote that is up.",
            exitCodeListHeading = "%nExit codes:%n",
            exitCodeList = {"0:it is; remotes that are not up are named", "1:it is not, within the timeout"})
    static final class Flush extends Steering {
        @Option(
                names = "--timeout",
                paramLabel = "S",
                defaultValue = "60",
                description = "Seconds to wait (default: 60).")
        private int timeout;

        @Override
        public Integer call() throws IOException {
            JsonObject answer = running.post(Running.address("/api/flush", "timeout", String.valueOf(timeout)));
            for (Map<String, Object> remote : StatusCommand.objects(answer, "notUp")) {
                warn(remote.get("remote") + " is " + remote.get("state") + ", it has not got everything");
            }
            return 0;
        }
    }

    /** {@code dromedary pause}. */
    @Command(name = "pause", description = "Pushes nothing more to a remote, over restarts too; its changes are kept.")
    static final class Pause extends SteeringOfOne {
        @Override
        public Integer call() throws IOException {
            return post("pause", "paused");
        }
    }

    /** {@code dromedary resume}. */
    @Command(
            name = "resume",
            description = "Ends a pause. Of a halted remote it says that what halted it is right, and pushes it.")
    static final class Resume extends SteeringOfOne {
        @Override
        public Integer call() throws IOException {
            return post("resume", "resumed");
        }
    }

    /** {@code dromedary failed}. */
    @Command(
            name = "failed",
            description = {
                "What remotes have failed to get: lists it, tries it again now, or forgets it.",
                "With PATH: a large file that waits or is on its way lets others go first (defer), or is forgotten until",
                "it changes (drop)."
            })
    static final class Failed extends Steering {
        /** What to do with it. */
        enum Action {
            list,
            retry,
            defer,
            drop
        }

        @Parameters(
                arity = "0..1",
                index = "0",
                paramLabel = "list|retry|defer|drop",
                defaultValue = "list",
                description = "list (default), retry, defer or drop.")
        private Action action;

        @Parameters(
                arity = "0..1",
                index = "1",
                paramLabel = "PATH",
                description = "Below the source, as status writes it; with --remote, for defer and drop.")
        private String path;

        @Option(names = "--remote", paramLabel = "REMOTE", description = "Only this remote.")
        private String remote;

        @Override
        public Integer call() throws IOException {
            if (path != null && action != Action.defer && action != Action.drop) {
                throw new IllegalArgumentException("PATH = " + path + ": allowed with defer and drop");
            }
            switch (action) {
                case list ->
                    failed(running.get(Running.address("/api/failed", "remote", remote)))
                            .forEach(this::say);
                case retry ->
                    say(running.post(Running.address("/api/failed/retry", "remote", remote))
                                    .get("changes") + " changes are tried again");
                case defer -> {
                    running.post(Running.address("/api/failed/defer", "remote", remote, "path", path));
                    say(path + " goes after the other large files of " + remote);
                }
                case drop -> {
                    JsonObject answer =
                            running.post(Running.address("/api/failed/drop", "remote", remote, "path", path));
                    say(answer.get("changes") + " changes are forgotten");
                    if (answer.get("owing") instanceof List<?> owing && !owing.isEmpty()) {
                        List<String> names = owing.stream().map(String::valueOf).toList();
                        say("not yet synced in full, and that is still owed: " + String.join(", ", names));
                    }
                }
            }
            return 0;
        }
    }

    /** {@code dromedary verify}. */
    @Command(
            name = "verify",
            description = "Compares source and remotes by rsync's dry run and prints the differences.",
            exitCodeListHeading = "%nExit codes:%n",
            exitCodeList = {"0:they are equal", "1:they differ, or a remote could not be compared"},
            footer = {
                "",
                "Each line: remote, rsync's itemized change, path. What waits to be pushed is a difference too;",
                "flush first."
            })
    static final class Verify extends Steering {
        @Parameters(arity = "0..1", paramLabel = "MIRROR", description = "Only this mirror.")
        private String mirror;

        @Option(names = "--remote", paramLabel = "REMOTE", description = "Only this remote.")
        private String remote;

        @Override
        public Integer call() throws IOException {
            JsonObject answer = running.post(Running.address("/api/verify", "mirror", mirror, "remote", remote));
            boolean equal = true;
            for (Map<String, Object> one : StatusCommand.objects(answer, "remotes")) {
                for (Map<String, Object> difference : StatusCommand.objects(one, "differences")) {
                    equal = false;
                    say(one.get("remote") + ": " + difference.get("change") + " " + difference.get("path"));
                }
                if (one.get("more") != null) {
                    say(one.get("remote") + ": … and " + one.get("more") + " more");
                }
                if (one.get("error") != null) {
                    equal = false;
                    warn(one.get("remote") + ": " + one.get("error"));
                }
            }
            return equal ? 0 : 1;
        }
    }

    /** The lines that tell what has failed. */
    public static List<String> failed(JsonObject answer) {
        List<String> lines = new ArrayList<>();
        for (Map<String, Object> failure : StatusCommand.objects(answer, "failed")) {
            double age = ((Number) failure.get("ageSeconds")).doubleValue();
            Object remote = failure.get("remote");
            lines.add((remote == null ? "route " + failure.get("route") : remote) + ": " + failure.get("changes")
                    + " changes, tried " + failure.get("tries") + " times, the oldest " + StatusCommand.duration(age)
                    + " old: " + failure.get("error"));
            List<Map<String, Object>> paths = StatusCommand.objects(failure, "paths");
            for (Map<String, Object> path : paths) {
                lines.add("  " + path.get("path") + (Boolean.TRUE.equals(path.get("tree")) ? " and all below" : ""));
            }
            long more = ((Number) failure.get("changes")).longValue() - paths.size();
            if (more > 0 && remote != null) {
                lines.add("  … and " + more + " more");
            }
        }
        return lines.isEmpty() ? List.of("nothing has failed") : lines;
    }

    private static List<String> names(JsonObject answer) {
        return ((List<?>) answer.get("remotes")).stream().map(String::valueOf).toList();
    }
}
