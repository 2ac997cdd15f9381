package io.dromedary;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import io.dromedary.push.Gate;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.camel.catalog.DefaultCamelCatalog;
import org.apache.camel.catalog.EndpointValidationResult;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The YAML files say what they mean to Camel, to visual editors and to people, before any of them runs. */
class RoutesTest {
    private static final Path RESOURCES = Path.of("src/main/resources");
    private static final Pattern PLACEHOLDER = Pattern.compile("\\{\\{([^{}]+)}}");
    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());

    private static final Path COMPONENT = Path.of("src/generated/resources/META-INF");

    private static JsonSchema schema;

    @BeforeAll
    static void camelsSchema() throws IOException {
        try (InputStream in = RoutesTest.class.getResourceAsStream("/schema/camelYamlDsl.json")) {
            schema = JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V4).getSchema(in);
        }
    }

    private static List<Path> files(String suffix, String... directories) throws IOException {
        List<Path> files = new ArrayList<>();
        for (String directory : directories) {
            if (Files.isDirectory(Path.of(directory))) {
                try (Stream<Path> all = Files.walk(Path.of(directory))) {
                    all.filter(file -> file.toString().endsWith(suffix))
                            .sorted()
                            .forEach(files::add);
                }
            }
        }
        return files;
    }

    static List<Path> routes() throws IOException {
        return files(".camel.yaml", RESOURCES.toString(), "routes", "examples");
    }

    static List<Path> shippedRoutes() throws IOException {
        return files(".camel.yaml", RESOURCES.toString());
    }

    static List<Path> kamelets() throws IOException {
        return files(".kamelet.yaml", RESOURCES.toString(), "routes", "examples");
    }

    private static JsonNode read(Path file) throws IOException {
        return YAML.readTree(Files.readString(file));
    }

    /** All objects in it, from the outside in. */
    private static void visit(JsonNode node, Consumer<JsonNode> visitor) {
        if (node.isObject()) {
            visitor.accept(node);
        }
        node.forEach(child -> visit(child, visitor));
    }

    private static Set<String> names(JsonNode object) {
        Set<String> names = new LinkedHashSet<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }

    @Test
    void thereAreFilesToCheck() throws IOException {
        assertThat(shippedRoutes()).isNotEmpty();
        assertThat(kamelets())
                .extracting(file -> RESOURCES.relativize(file).toString())
                .contains(
                        "kamelets/rsync.kamelet.yaml",
                        "kamelets/watch.kamelet.yaml",
                        "kamelets/file-watch/watch.kamelet.yaml");
    }

    @Test
    void theSchemaTellsWrongFromRight() throws IOException {
        assertThat(schema.validate(YAML.readTree("- from: {uri: 'direct:a', steps: [{too: 'direct:b'}]}")))
                .isNotEmpty();
        assertThat(schema.validate(YAML.readTree("- from: {uri: 'direct:a', steps: [{to: 'direct:b'}]}")))
                .isEmpty();
    }

    @ParameterizedTest
    @MethodSource("routes")
    void isValidByCamelsSchema(Path file) throws IOException {
        assertThat(schema.validate(read(file))).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("routes")
    void everyRouteHasAnIdAndSaysWhatItDoes(Path file) throws IOException {
        for (JsonNode item : read(file)) {
            assertThat(item.has("from")).as("a from without a route has no id").isFalse();
            if (item.has("route")) {
                assertThat(item.path("route").path("id").asText()).matches("[a-z0-9-]+");
                assertThat(item.path("route").path("description").asText()).isNotBlank();
            }
        }
    }

    /** They stand in one Camel context with the user's. */
    @Test
    void idsOfShippedRoutesAndNamesOfBeansAreUniqueAndOurs() throws IOException {
        List<String> ids = new ArrayList<>();
        for (Path file : shippedRoutes()) {
            for (JsonNode item : read(file)) {
                if (item.has("route")) {
                    ids.add("route " + ours(item.path("route").path("id").asText()));
                }
                item.path("beans")
                        .forEach(
                                bean -> ids.add("bean " + ours(bean.path("name").asText())));
            }
        }
        assertThat(ids).doesNotHaveDuplicates();
    }

    private static String ours(String name) {
        assertThat(name).startsWith("dromedary-");
        return name;
    }

    @ParameterizedTest
    @MethodSource("kamelets")
    void aKameletIsAForm(Path file) throws IOException {
        JsonNode kamelet = read(file);
        assertThat(kamelet.path("apiVersion").asText()).isEqualTo("camel.apache.org/v1");
        assertThat(kamelet.path("kind").asText()).isEqualTo("Kamelet");
        assertThat(kamelet.path("metadata").path("name").asText() + ".kamelet.yaml")
                .isEqualTo(file.getFileName().toString());
        assertThat(kamelet.path("metadata")
                        .path("labels")
                        .path("camel.apache.org/kamelet.type")
                        .asText())
                .isIn("source", "sink", "action");
        for (String annotation : new String[] {"provider", "kamelet.group", "kamelet.icon"}) {
            assertThat(kamelet.path("metadata")
                            .path("annotations")
                            .path("camel.apache.org/" + annotation)
                            .asText())
                    .as(annotation)
                    .isNotBlank();
        }
        JsonNode definition = kamelet.path("spec").path("definition");
        assertThat(definition.path("title").asText()).isNotBlank();
        assertThat(definition.path("description").asText()).isNotBlank();
        assertThat(definition.path("type").asText()).isEqualTo("object");
        JsonNode properties = definition.path("properties");
        for (String name : names(properties)) {
            JsonNode property = properties.path(name);
            assertThat(property.path("title").asText()).as(name).isNotBlank();
            assertThat(property.path("description").asText()).as(name).isNotBlank();
            assertThat(property.path("type").asText()).as(name).isIn("string", "integer", "number", "boolean");
        }
        Set<String> required = new HashSet<>();
        definition.path("required").forEach(name -> required.add(name.asText()));
        assertThat(names(properties)).containsAll(required);
        assertThat(names(properties)).allSatisfy(name -> assertThat(
                        required.contains(name) || properties.path(name).has("default"))
                .as("%s is required or has a default", name)
                .isTrue());
    }

    @ParameterizedTest
    @MethodSource("kamelets")
    void aKameletsTemplateIsValidByCamelsSchema(Path file) throws IOException {
        JsonNode template = read(file).path("spec").path("template");
        assertThat(names(template)).containsAnyOf("from", "route").isSubsetOf("beans", "from", "id", "route");
        var route = YAML.createArrayNode();
        route.addObject()
                .set(template.has("route") ? "route" : "from", template.path(template.has("route") ? "route" : "from"));
        assertThat(schema.validate(route)).isEmpty();
        if (template.has("beans")) {
            // A template's bean may be given as "#class:…", which is a string like any other type.
            var beans = YAML.createArrayNode();
            beans.addObject().set("beans", template.path("beans"));
            assertThat(schema.validate(beans)).isEmpty();
        }
    }

    @ParameterizedTest
    @MethodSource("kamelets")
    void aKameletUsesWhatItDeclaresAndDeclaresWhatItUses(Path file) throws IOException {
        JsonNode spec = read(file).path("spec");
        Set<String> used = new TreeSet<>();
        Matcher matcher = PLACEHOLDER.matcher(spec.path("template").toString());
        while (matcher.find()) {
            used.add(matcher.group(1));
        }
        used.removeIf(name -> name.startsWith("dromedary."));
        used.remove("parentRouteId");
        spec.path("template")
                .path("beans")
                .forEach(bean -> used.remove(bean.path("name").asText()));
        Set<String> declared = names(spec.path("definition").path("properties"));
        assertThat(declared).containsAll(used);
        if (file.toString().contains("file-watch")) {
            // file-watch knows no such kinds of events, nor a close; they stand there for the form to be the same.
            used.addAll(Set.of("events", "openFiles", "openFilesInterval"));
        }
        assertThat(used).containsAll(declared);
    }

    @Test
    void everySettingThatIsUsedExists() throws IOException {
        Properties settings = new Properties();
        try (InputStream in = RoutesTest.class.getResourceAsStream("/dromedary.properties")) {
            settings.load(in);
        }
        for (String suffix : new String[] {".camel.yaml", ".kamelet.yaml"}) {
            for (Path file : files(suffix, RESOURCES.toString(), "routes", "examples")) {
                Matcher matcher = PLACEHOLDER.matcher(Files.readString(file));
                while (matcher.find()) {
                    if (matcher.group(1).startsWith("dromedary.")) {
                        assertThat(settings.stringPropertyNames())
                                .as(file.toString())
                                .contains(matcher.group(1));
                    }
                }
            }
        }
    }

    /** So that a route written for one of them works with the other. */
    /** Camel's component would take them for itself, and the template get its default whatever a user writes. */
    @Test
    void noParameterHasTheNameOfAnOptionOfCamelsKameletComponent() throws IOException {
        Set<String> taken;
        try (InputStream in =
                RoutesTest.class.getResourceAsStream("/META-INF/org/apache/camel/component/kamelet/kamelet.json")) {
            taken = names(new ObjectMapper().readTree(in).path("properties"));
        }
        assertThat(taken).contains("timeout");
        for (Path file : kamelets()) {
            assertThat(names(read(file).at("/spec/definition/properties")))
                    .as(file.toString())
                    .doesNotContainAnyElementsOf(taken);
        }
    }

    @Test
    void bothWatchKameletsDeclareTheSame() throws IOException {
        JsonNode inotify = read(RESOURCES.resolve("kamelets/watch.kamelet.yaml"));
        JsonNode fileWatch = read(RESOURCES.resolve("kamelets/file-watch/watch.kamelet.yaml"));
        assertThat(fileWatch.path("spec").path("definition"))
                .isEqualTo(inotify.path("spec").path("definition"));
        assertThat(fileWatch.path("metadata")).isEqualTo(inotify.path("metadata"));
    }

    /** Every method of a bean of ours that the YAML names exists, and every property has its setter. */
    @Test
    void beansHaveWhatTheYamlSaysOfThem() throws Exception {
        Map<String, Class<?>> types = new HashMap<>();
        List<JsonNode> all = new ArrayList<>();
        for (Path file : shippedRoutes()) {
            all.add(read(file));
        }
        for (Path file : kamelets()) {
            all.add(read(file).path("spec").path("template"));
        }
        for (JsonNode file : all) {
            for (JsonNode beans : file.findValues("beans")) {
                for (JsonNode bean : beans) {
                    Class<?> type = Class.forName(bean.path("type").asText().replaceFirst("^#class:", ""));
                    types.put(bean.path("name").asText(), type);
                    Set<String> methods = methods(type);
                    for (String property : names(bean.path("properties"))) {
                        assertThat(methods)
                                .as(type + "")
                                .contains("set" + property.substring(0, 1).toUpperCase(Locale.ROOT)
                                        + property.substring(1));
                    }
                    for (String life : new String[] {"initMethod", "destroyMethod"}) {
                        if (bean.has(life)) {
                            assertThat(methods)
                                    .as(type + "")
                                    .contains(bean.path(life).asText());
                        }
                    }
                }
            }
        }
        assertThat(types).containsValue(Gate.class);
        List<String> calls = new ArrayList<>();
        for (JsonNode file : all) {
            visit(file, node -> {
                if (node.has("method") && node.path("method").isTextual()) {
                    String ref = node.path("ref").asText().replaceAll("[{}]", "");
                    Class<?> type = types.get(ref);
                    if (node.has("beanType")) {
                        try {
                            type = Class.forName(node.path("beanType").asText());
                        } catch (ClassNotFoundException e) {
                            throw new AssertionError(node.toString(), e);
                        }
                    }
                    assertThat(type).as(node.toString()).isNotNull();
                    assertThat(methods(type))
                            .as(node.toString())
                            .contains(node.path("method").asText());
                    calls.add(node.toString());
                }
            });
        }
        assertThat(calls).isNotEmpty();
    }

    private static Set<String> methods(Class<?> type) {
        Set<String> names = new TreeSet<>();
        Arrays.stream(type.getMethods()).map(Method::getName).forEach(names::add);
        return names;
    }

    @Test
    void endpointsAreValidByCamelsCatalogue() throws IOException {
        DefaultCamelCatalog catalog = new DefaultCamelCatalog();
        catalog.setSuggestionStrategy(null);
        catalog.addComponent(
                "inotify",
                "io.dromedary.watch.InotifyComponent",
                Files.readString(COMPONENT.resolve("io/dromedary/watch/inotify.json")));
        assertThat(catalog.validateEndpointProperties("inotify:/x?lingr=1").isSuccess())
                .isFalse();
        assertThat(catalog.validateEndpointProperties("quartz:x?corn=1").isSuccess())
                .isFalse();
        List<String> checked = new ArrayList<>();
        for (String suffix : new String[] {".camel.yaml", ".kamelet.yaml"}) {
            for (Path file : files(suffix, RESOURCES.toString(), "routes", "examples")) {
                visit(read(file), node -> {
                    for (String uri : uris(node)) {
                        if (!uri.startsWith("kamelet:")) {
                            EndpointValidationResult result = catalog.validateEndpointProperties(uri);
                            assertThat(result.summaryErrorMessage(true))
                                    .as(file + ": " + uri)
                                    .isNull();
                            assertThat(result.isSuccess()).as(file + ": " + uri).isTrue();
                            checked.add(uri.split("[:?]")[0]);
                        }
                    }
                });
            }
        }
        assertThat(checked).contains("direct", "exec", "file-watch", "inotify", "quartz", "timer");
    }

    /** How catalogues find a component that is not Camel's own. */
    @Test
    void theJarTellsOfItsComponent() throws IOException {
        Properties told = new Properties();
        try (InputStream in =
                Files.newInputStream(COMPONENT.resolve("services/org/apache/camel/component.properties"))) {
            told.load(in);
        }
        JsonNode component = new ObjectMapper()
                .readTree(Files.readString(COMPONENT.resolve("io/dromedary/watch/inotify.json")))
                .path("component");
        assertThat(told.getProperty("components"))
                .isEqualTo(component.path("name").asText());
        for (String key : new String[] {"groupId", "artifactId", "version"}) {
            assertThat(told.getProperty(key))
                    .as(key)
                    .isEqualTo(component.path(key).asText());
        }
    }

    /** The endpoints an object names, each as one URI; its placeholders are kept. */
    private static List<String> uris(JsonNode node) {
        List<String> uris = new ArrayList<>();
        if (node.path("uri").isTextual()) {
            List<String> options = new ArrayList<>();
            String uri = node.path("uri").asText();
            JsonNode parameters = node.path("parameters");
            for (String name : names(parameters)) {
                if (name.equals("path") && !uri.contains(":")) {
                    // file-watch and inotify take their one path as a parameter too; the catalogue wants it in its
                    // place.
                    uri += ":" + parameters.path(name).asText();
                } else {
                    options.add(name + "=" + parameters.path(name).asText().replace("&", "%26"));
                }
            }
            uris.add(uri + (options.isEmpty() ? "" : "?" + String.join("&", options)));
        }
        for (String step : new String[] {"to", "toD", "wireTap", "deadLetterUri"}) {
            if (node.path(step).isTextual()) {
                uris.add(node.path(step).asText());
            }
        }
        return uris;
    }
}
