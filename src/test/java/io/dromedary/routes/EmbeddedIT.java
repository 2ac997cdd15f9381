package io.dromedary.routes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.dromedary.change.ChangeSet;
import io.dromedary.testbed.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.camel.CamelContext;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.main.Main;
import org.apache.camel.model.ModelCamelContext;
import org.apache.camel.model.RouteDefinition;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** In somebody's own Camel application, which does no more than have our jar and name the Kamelets. */
@SuppressWarnings("try") // closing a context may, by its signature, throw InterruptedException
class EmbeddedIT {
    private static final Duration SOON = Duration.ofMinutes(1);

    @TempDir
    Path directory;

    private Path source;
    private Path target;

    @BeforeEach
    void trees() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        target = Files.createDirectory(directory.resolve("target"));
    }

    /** A route of theirs, with a step of their own in the middle. */
    private RouteBuilder mirror(Queue<ChangeSet> seen, String parameters) {
        return new RouteBuilder() {
            @Override
            public void configure() {
                from("direct:theirs").routeId("theirs").log("${body}");
                from("kamelet:watch?source=RAW(" + source + ")")
                        .routeId("www")
                        .process(exchange -> seen.add(exchange.getMessage().getBody(ChangeSet.class)))
                        .to("kamelet:rsync?remote=copy&target=RAW(" + target + ")" + parameters);
            }
        };
    }

    private CamelContext context(String... settings) throws Exception {
        DefaultCamelContext context = new DefaultCamelContext();
        context.getPropertiesComponent().setInitialProperties(properties(settings));
        return context;
    }

    private Properties properties(String... settings) {
        Properties properties = new Properties();
        properties.setProperty("dromedary.state-dir", directory.resolve("state").toString());
        for (String setting : settings) {
            int equals = setting.indexOf('=');
            properties.setProperty(setting.substring(0, equals), setting.substring(equals + 1));
        }
        return properties;
    }

    @ParameterizedTest
    @ValueSource(strings = {"inotify", "file-watch"})
    void theKameletsWorkInAnyCamelContextAndLeaveNoThread(String watcher) throws Exception {
        Queue<ChangeSet> seen = new ConcurrentLinkedQueue<>();
        Files.writeString(source.resolve("early"), "1");
        CamelContext context = context("dromedary.watcher=" + watcher);
        context.addRoutes(mirror(seen, ""));
        context.start();
        try {
            Trees.awaitEqual(source, target, SOON);
            Files.writeString(source.resolve("live"), "2");
            Trees.awaitEqual(source, target, SOON);
            assertThat(seen).isNotEmpty();
            // What file-watch loses is made good in our routes only.
            for (RouteDefinition route : ((ModelCamelContext) context).getRouteDefinitions()) {
                boolean watches = route.getInput().getEndpointUri().startsWith("file-watch");
                Set<String> applied = route.getAppliedRouteConfigurationIds();
                assertThat(applied != null && applied.contains("dromedary-watch-lost-events"))
                        .as(route.getId())
                        .isEqualTo(watches);
            }
        } finally {
            context.stop();
        }
        String name = "(" + context.getName() + ")";
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(Thread.getAllStackTraces().keySet())
                        .extracting(Thread::getName)
                        .noneMatch(thread -> thread.contains(name)));
    }

    /** Beside routes and beans whose names are those of ours, but for the prefix. */
    @Test
    void namesOfOursDoNotClashWithTheirs() throws Exception {
        try (CamelContext context = context()) {
            for (String name : List.of("gate", "mirrors", "status", "guard", "merge", "waiting", "rsync-calls")) {
                context.getRegistry().bind(name, "theirs");
            }
            Queue<String> heard = new ConcurrentLinkedQueue<>();
            context.addRoutes(new RouteBuilder() {
                @Override
                public void configure() {
                    for (String name : List.of("push", "batch", "failed", "redeliver", "redelivery", "pushed-again")) {
                        from("direct:" + name).routeId(name).process(exchange -> heard.add(name));
                    }
                    from("quartz:redelivery?cron=0/1 * * * * ?").routeId("cron").process(e -> heard.add("cron"));
                }
            });
            context.addRoutes(mirror(new ConcurrentLinkedQueue<>(), ""));
            context.start();
            Files.writeString(source.resolve("live"), "1");
            Trees.awaitEqual(source, target, SOON);
            await().atMost(SOON).untilAsserted(() -> assertThat(heard).containsOnly("cron"));
            context.createProducerTemplate().sendBody("direct:push", "x");
            assertThat(heard).contains("push");
            assertThat(context.getRegistry().lookupByName("gate")).isEqualTo("theirs");
        }
    }

    @Test
    void theyWorkInCamelMainBesideItsOwnProperties() throws Exception {
        Main main = new Main();
        main.configure().setName("theirs");
        properties("dromedary.exclude=*.tmp")
                .forEach((key, value) -> main.addInitialProperty((String) key, (String) value));
        main.configure().addRoutesBuilder(mirror(new ConcurrentLinkedQueue<>(), ""));
        main.start();
        try {
            Files.writeString(source.resolve("left out.tmp"), "1");
            Files.writeString(source.resolve("sent"), "2");
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(target.resolve("sent")).hasContent("2"));
            assertThat(target.resolve("left out.tmp")).doesNotExist();
        } finally {
            main.stop();
        }
    }

    @Test
    void aContextThatDoesNotNameThemIsLeftAlone() throws Exception {
        try (CamelContext context = context()) {
            context.addRoutes(new RouteBuilder() {
                @Override
                public void configure() {
                    from("direct:theirs").routeId("theirs").log("${body}");
                }
            });
            context.start();
            assertThat(context.getRoutes()).extracting(route -> route.getId()).isEqualTo(List.of("theirs"));
            assertThat(directory.resolve("state")).doesNotExist();
        }
    }

    @Test
    void mistakesAreRefusedBeforeAnythingIsTouched() throws Exception {
        try (CamelContext context = context()) {
            context.addRoutes(mirror(new ConcurrentLinkedQueue<>(), "&dele=false"));
            assertThatThrownBy(context::start)
                    .hasMessageContaining("kamelet:rsync has no parameter dele; allowed are remote, target");
        }
        try (CamelContext context = context("dromedary.exlude=*.tmp")) {
            context.addRoutes(mirror(new ConcurrentLinkedQueue<>(), ""));
            assertThatThrownBy(context::start)
                    .hasMessageContaining("there is no setting dromedary.exlude; the nearest is dromedary.exclude");
        }
        assertThat(target).isEmptyDirectory();
    }
}
