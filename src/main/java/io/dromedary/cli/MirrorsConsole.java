package io.dromedary.cli;

import io.dromedary.status.Status;
import java.util.Map;
import org.apache.camel.spi.annotations.DevConsole;
import org.apache.camel.support.console.AbstractDevConsole;
import org.apache.camel.util.json.JsonObject;

/** Camel's dev console {@code dromedary}: as text what {@code dromedary status} draws, as JSON what the API answers. */
@DevConsole(name = "dromedary", displayName = "Dromedary", description = "How all mirrors and remotes fare")
public final class MirrorsConsole extends AbstractDevConsole {
    public MirrorsConsole() {
        super("dromedary", "dromedary", "Dromedary", "How all mirrors and remotes fare");
    }

    @Override
    protected String doCallText(Map<String, Object> options) {
        return String.join("\n", StatusCommand.table(doCallJson(options)));
    }

    @Override
    protected JsonObject doCallJson(Map<String, Object> options) {
        Status status = getCamelContext().getRegistry().lookupByNameAndType("dromedary-status", Status.class);
        return status == null ? new JsonObject() : status.all();
    }
}
