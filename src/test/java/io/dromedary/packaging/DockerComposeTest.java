package io.dromedary.packaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/** What can be checked of docker-compose.yml and its images without a Docker engine. */
class DockerComposeTest {

    /** The keys of a service that are in use here: a misspelt one would be an error of {@code docker compose}. */
    private static final List<String> KEYS = List.of(
            "build",
            "cap_add",
            "cap_drop",
            "command",
            "environment",
            "extends",
            "healthcheck",
            "image",
            "init",
            "ports",
            "read_only",
            "restart",
            "security_opt",
            "stop_grace_period",
            "tmpfs",
            "volumes");

    private static final Path SHIPPED = Path.of("packaging/docker");

    private final Map<String, Map<String, Object>> services = new TreeMap<>();
    private Map<String, Object> volumes;

    @BeforeEach
    void load() throws IOException {
        Map<String, Object> file = map(new Load(LoadSettings.builder().build())
                .loadFromString(Files.readString(Path.of("docker-compose.yml"), UTF_8)));
        assertThat(file).containsOnlyKeys("name", "services", "volumes");
        volumes = map(file.get("volumes"));
        map(file.get("services")).forEach((name, service) -> services.put(name, map(service)));
        services.replaceAll((name, service) -> extended(service));
    }

    private Map<String, Object> extended(Map<String, Object> service) {
        if (!service.containsKey("extends")) {
            return service;
        }
        Map<String, Object> all = new LinkedHashMap<>(
                services.get((String) map(service.get("extends")).get("service")));
        all.putAll(service);
        return all;
    }

    @Test
    void hasOneMirrorTwoRemotesAndWhatWatchesThem() {
        assertThat(services).containsOnlyKeys("mirror", "web1", "web2", "prometheus", "grafana");
    }

    @TestFactory
    List<DynamicTest> servicesAreReadOnlyAndWithoutNeedlessRights() {
        return services.entrySet().stream()
                .map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
                    Map<String, Object> service = entry.getValue();
                    assertThat(service.keySet()).isSubsetOf(KEYS);
                    assertThat(service).containsEntry("read_only", true).containsEntry("cap_drop", List.of("ALL"));
                }))
                .toList();
    }

    @Test
    void ourOwnImagesAreChecked() {
        Map<String, String> programs = Map.of("mirror", "curl", "web1", "rsync", "web2", "rsync");
        programs.forEach((name, program) -> assertThat(
                        strings(map(services.get(name).get("healthcheck")).get("test")))
                .startsWith("CMD", program));
    }

    /** To the whole network only a person may open them. */
    @Test
    void portsAreOpenOnThisHostOnly() {
        assertThat(services.values().stream()
                        .filter(service -> service.containsKey("ports"))
                        .flatMap(service -> strings(service.get("ports")).stream()))
                .hasSize(3)
                .allMatch(port -> port.startsWith("127.0.0.1:"));
    }

    /** The page would be refused without a token, and a token that is in the repository is none. */
    @Test
    void theTokenIsTheUsersOwn() {
        assertThat((String) map(services.get("mirror").get("environment")).get("DROMEDARY_HTTP_TOKEN"))
                .startsWith("${DROMEDARY_HTTP_TOKEN:?");
    }

    @TestFactory
    List<DynamicTest> whatIsMountedIsThere() {
        return services.entrySet().stream()
                .flatMap(entry -> strings(entry.getValue().get("volumes")).stream()
                        .map(mount -> DynamicTest.dynamicTest(entry.getKey() + " " + mount, () -> {
                            String source = mount.split(":")[0];
                            if (source.startsWith("./")) {
                                assertThat(Path.of(source)).exists();
                                assertThat(mount).endsWith(":ro");
                            } else {
                                assertThat(volumes).containsKey(source);
                            }
                        })))
                .toList();
    }

    @Test
    void eachRemoteHasItsOwnVolume() {
        assertThat(services.get("web1").get("volumes"))
                .isNotEqualTo(services.get("web2").get("volumes"));
    }

    /** The mirror's command reads the directory that the shipped files are mounted into. */
    @Test
    void theMirrorReadsTheFilesShippedForIt() {
        List<String> command = strings(services.get("mirror").get("command"));
        String directory = command.get(command.indexOf("-c") + 1);
        assertThat(strings(services.get("mirror").get("volumes")))
                .contains(
                        "./" + SHIPPED + "/routes:" + directory + "/routes:ro",
                        "./" + SHIPPED + "/application.properties:" + directory + "/application.properties:ro");
    }

    @Test
    void theShippedRouteWatchesTheMountedSource() throws IOException {
        assertThat(strings(services.get("mirror").get("volumes")))
                .contains("source:" + parameters("kamelet:watch").get(0).get("source") + ":ro");
    }

    /** Every target is HOST::MODULE, the host a service, the module one of that service's daemon. */
    @Test
    void theShippedTargetsAreServicesAndModulesThatExist() throws IOException {
        List<Map<String, Object>> remotes = parameters("kamelet:rsync");
        Map<String, Object> targets = new TreeMap<>();
        remotes.forEach(remote -> targets.put((String) remote.get("remote"), remote.get("target")));
        assertThat(targets).hasSameSizeAs(remotes).containsOnlyKeys("web1", "web2");
        for (Object target : targets.values()) {
            String[] hostAndModule = ((String) target).split("::");
            assertThat(hostAndModule).as("%s", target).hasSize(2);
            assertThat(services).containsKey(hostAndModule[0]);
            Path daemon = Path.of((String) services.get(hostAndModule[0]).get("build"));
            assertThat(Files.readAllLines(daemon.resolve("rsyncd.conf"), UTF_8)).contains("[" + hostAndModule[1] + "]");
        }
        assertThat(targets.values()).doesNotHaveDuplicates();
    }

    /** The shipped settings are settings that exist. */
    @Test
    void theShippedSettingsExist() throws IOException {
        assertThat(properties(SHIPPED.resolve("application.properties")))
                .isNotEmpty()
                .isSubsetOf(properties(Path.of("src/main/resources/dromedary.properties")));
    }

    private static Set<String> properties(Path file) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file, UTF_8)) {
            properties.load(reader);
        }
        return properties.stringPropertyNames();
    }

    /** The parameters of each use of that Kamelet in the shipped routes, in the order they stand there. */
    private static List<Map<String, Object>> parameters(String kamelet) throws IOException {
        List<Map<String, Object>> found = new ArrayList<>();
        Load load = new Load(LoadSettings.builder().build());
        try (DirectoryStream<Path> routes = Files.newDirectoryStream(SHIPPED.resolve("routes"), "*.camel.yaml")) {
            for (Path route : routes) {
                collect(load.loadFromString(Files.readString(route, UTF_8)), kamelet, found);
            }
        }
        assertThat(found).as(kamelet).isNotEmpty();
        return found;
    }

    private static void collect(Object node, String kamelet, List<Map<String, Object>> found) {
        if (node instanceof List<?> list) {
            list.forEach(element -> collect(element, kamelet, found));
        } else if (node instanceof Map<?, ?> map) {
            if (kamelet.equals(map.get("uri"))) {
                found.add(map(map.get("parameters")));
            }
            map.values().forEach(value -> collect(value, kamelet, found));
        }
    }

    /** Each source of a COPY from the build context exists, and .dockerignore lets it into the context. */
    @TestFactory
    List<DynamicTest> whatImagesCopyIsThere() {
        return services.entrySet().stream()
                .filter(entry -> entry.getValue().containsKey("build"))
                .map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
                    Object build = entry.getValue().get("build");
                    Path context = Path.of(
                            build instanceof String s ? s : (String) map(build).get("context"));
                    Path dockerfile = build instanceof String
                            ? context.resolve("Dockerfile")
                            : context.resolve((String) map(build).get("dockerfile"));
                    Path ignore = context.resolve(".dockerignore");
                    List<String> copied = Files.readAllLines(dockerfile, UTF_8).stream()
                            .filter(line -> line.startsWith("COPY ") && !line.startsWith("COPY --from="))
                            .flatMap(line -> {
                                String[] words = line.split(" +");
                                return Arrays.stream(words, 1, words.length - 1);
                            })
                            .toList();
                    assertThat(copied).isNotEmpty();
                    assertThat(copied).allSatisfy(path -> assertThat(context.resolve(path))
                            .exists());
                    if (Files.exists(ignore)) {
                        assertThat(Files.readAllLines(ignore, UTF_8))
                                .containsAll(copied.stream()
                                        .map(path -> "!" + path.split("/")[0])
                                        .toList());
                    }
                }))
                .toList();
    }

    /** The daemon behind the remotes keeps what the product promises: owners, links, and a quick push. */
    @Test
    void theDaemonIsSetUpAsDocumented() throws IOException {
        assertThat(Files.readAllLines(Path.of("packaging/docker/rsyncd/rsyncd.conf"), UTF_8))
                .contains("socket options = TCP_NODELAY", "use chroot = yes", "uid = 0", "[mirror]", "read only = no");
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object value) {
        return (Map<String, Object>) value;
    }

    @SuppressWarnings("unchecked")
    private static List<String> strings(Object value) {
        return (List<String>) value;
    }
}
