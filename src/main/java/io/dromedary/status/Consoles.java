package io.dromedary.status;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.Exchange;
import org.apache.camel.Header;
import org.apache.camel.Message;
import org.apache.camel.console.DevConsole;
import org.apache.camel.console.DevConsole.MediaType;
import org.apache.camel.console.DevConsoleRegistry;
import org.apache.camel.util.json.JsonObject;

/** Camel's dev consoles by HTTP, those that only tell; JSON where it is accepted, else text. */
public final class Consoles implements CamelContextAware {
    /** Others act, even when nothing is asked for, such as the one that sends messages; or show passwords. */
    private static final Set<String> HARMLESS = Set.of(
            "blocked",
            "consumer",
            "context",
            "dromedary",
            "event",
            "health",
            "inflight",
            "internal-tasks",
            "memory",
            "micrometer",
            "quartz",
            "route",
            "route-group",
            "thread",
            "top");

    private CamelContext context;

    @Override
    public void setCamelContext(CamelContext camelContext) {
        this.context = camelContext;
    }

    @Override
    public CamelContext getCamelContext() {
        return context;
    }

    /** Without an id which consoles there are, else what that one says. */
    public String call(@Header("id") String id, @Header("Accept") String accept, Message answer) {
        Map<String, DevConsole> consoles = new TreeMap<>();
        context.getCamelContextExtension().getContextPlugin(DevConsoleRegistry.class).stream()
                .filter(console -> HARMLESS.contains(console.getId()))
                .forEach(console -> consoles.put(console.getId(), console));
        if (id != null && !consoles.containsKey(id)) {
            throw new Refusal(404, "no console " + id + "; there are: " + consoles.keySet());
        }
        boolean json = accept != null && accept.contains("json");
        if (!json) {
            answer.setHeader(Exchange.CONTENT_TYPE, "text/plain; charset=utf-8");
        }
        if (id == null) {
            return json ? index(consoles).toJson() : text(consoles);
        }
        // Its parameters stay here: with some of them it would act.
        Object said = consoles.get(id).call(json ? MediaType.JSON : MediaType.TEXT);
        return said instanceof JsonObject object ? object.toJson() : said + "\n";
    }

    private static JsonObject index(Map<String, DevConsole> consoles) {
        JsonObject index = new JsonObject();
        consoles.forEach((id, console) -> index.put(id, console.getDescription()));
        return index;
    }

    private static String text(Map<String, DevConsole> consoles) {
        StringBuilder lines = new StringBuilder();
        consoles.forEach((id, console) ->
                lines.append(id).append(": ").append(console.getDescription()).append('\n'));
        return lines.toString();
    }
}
