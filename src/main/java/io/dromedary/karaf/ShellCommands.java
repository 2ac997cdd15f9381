package io.dromedary.karaf;

import io.dromedary.cli.StatusCommand;
import io.dromedary.cli.SteeringCommands;
import io.dromedary.status.Status;
import io.dromedary.status.Steering;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.camel.CamelContext;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.util.json.JsonObject;
import org.apache.camel.util.json.Jsoner;
import org.apache.karaf.shell.api.action.Action;
import org.apache.karaf.shell.api.action.Argument;
import org.apache.karaf.shell.api.action.Command;
import org.apache.karaf.shell.api.action.Option;
import org.apache.karaf.shell.api.action.lifecycle.Reference;
import org.apache.karaf.shell.api.action.lifecycle.Service;

/** The commands in Karaf's shell: those of the command line that talk to a running Dromedary, without the way by HTTP. */
public final class ShellCommands {
    private ShellCommands() {}

    /** What all of them have. */
    abstract static class Base implements Action {
        @Reference
        Activator activator;

        <T> T bean(String name, Class<T> type) {
            return context().getRegistry().lookupByNameAndType(name, type);
        }

        private CamelContext context() {
            CamelContext context = activator.context();
            if (context == null) {
                String problem = activator.problem();
                throw new IllegalStateException(
                        "nothing is mirrored" + (problem == null ? ", it is just starting" : ": " + problem));
            }
            return context;
        }

        Steering steering() {
            return bean("dromedary-steering", Steering.class);
        }

        void send(String endpoint, Map<String, Object> headers) throws Exception {
            try (ProducerTemplate template = context().createProducerTemplate()) {
                template.sendBodyAndHeaders(endpoint, null, headers);
            }
        }

        static JsonObject json(String text) throws Exception {
            return (JsonObject) Jsoner.deserialize(text);
        }

        static void say(List<String> lines) {
            lines.forEach(System.out::println);
        }
    }

    /** {@code dromedary:status}. */
    @Service
    @Command(scope = "dromedary", name = "status", description = "Shows mirrors and remotes")
    public static final class ShowStatus extends Base {
        @Override
        public Object execute() throws Exception {
            if (activator.context() != null) {
                say(StatusCommand.table(
                        json(bean("dromedary-status", Status.class).json())));
            }
            if (activator.problem() != null) {
                say(List.of("! " + activator.problem()));
            }
            return null;
        }
    }

    /** {@code dromedary:sync}. */
    @Service
    @Command(scope = "dromedary", name = "sync", description = "Starts a full sync, of all mirrors or of the one named")
    public static final class Sync extends Base {
        @Argument(name = "mirror", description = "Only this mirror")
        private String mirror;

        @Option(name = "--remote", description = "Only this remote")
        private String remote;

        @Override
        public Object execute() throws Exception {
            JsonObject answer = json(steering().sync(mirror, remote));
            Map<String, Object> headers = new HashMap<>();
            headers.put("mirror", mirror);
            headers.put("remote", remote);
            send("direct:full-sync", headers);
            say(List.of("full sync started: " + answer.get("remotes")));
            return null;
        }
    }

    /** {@code dromedary:flush}. */
    @Service
    @Command(
            scope = "dromedary",
            name = "flush",
            description = "Returns when all that changed before is at every remote that is up")
    public static final class Flush extends Base {
        @Option(name = "--timeout", description = "Seconds to wait")
        private int timeout = 60;

        @Override
        public Object execute() throws Exception {
            send("direct:dromedary-flush", Map.of());
            JsonObject answer = json(steering().flush(String.valueOf(timeout)));
            say(List.of("flushed in " + answer.get("seconds") + " s; not up: " + answer.get("notUp")));
            return null;
        }
    }

    /** {@code dromedary:failed}. */
    @Service
    @Command(
            scope = "dromedary",
            name = "failed",
            description =
                    "What remotes have failed to get: list, retry (now) or drop (forget); of one large file, defer or drop it")
    public static final class Failed extends Base {
        @Argument(name = "action", description = "list, retry, defer or drop")
        private String action = "list";

        @Argument(index = 1, name = "path", description = "Defer or drop this one alone")
        private String path;

        @Option(name = "--remote", description = "Only this remote")
        private String remote;

        @Override
        public Object execute() throws Exception {
            switch (action) {
                case "list" -> say(SteeringCommands.failed(json(steering().failed(null, remote, null))));
                case "retry" -> {
                    JsonObject answer = json(steering().retry(null, remote, null));
                    send("direct:dromedary-redeliver", Map.of());
                    send("direct:dromedary-pushed-again", Map.of());
                    say(List.of(answer.get("changes") + " changes are tried again"));
                }
                case "drop" -> {
                    JsonObject answer = json(steering().drop(null, remote, null, path));
                    say(List.of(answer.get("changes") + " changes are forgotten"));
                }
                case "defer" -> {
                    steering().defer(remote, path);
                    say(List.of(path + " goes after the other large files"));
                }
                default -> throw new IllegalArgumentException(action + ": allowed is list, retry, defer or drop");
            }
            return null;
        }
    }
}
