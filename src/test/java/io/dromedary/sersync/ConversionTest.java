package io.dromedary.sersync;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConversionTest {
    private static final Path FILES = Path.of("src/test/resources/sersync");
    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());

    @TempDir
    Path directory;

    private Conversion convert(String file) {
        return Conversion.toDirectory(FILES.resolve(file), directory);
    }

    private Conversion convertText(String xml) throws IOException {
        return Conversion.toDirectory(Files.writeString(directory.resolve("confxml.xml"), xml), directory);
    }

    /** Around a {@code <sersync>} with one tree and one remote. */
    private Conversion convertWith(String outside, String inside) throws IOException {
        return convertText("<head version=\"2.5\">" + outside + "<sersync><localpath watch=\"/data/www\">"
                + "<remote ip=\"192.0.2.1\" name=\"www\"/></localpath>" + inside + "</sersync></head>");
    }

    @Test
    void setUpsThatWouldEatThemselvesAreSaid() throws IOException {
        assertThat(convertText("<head><sersync><localpath watch=\"/data/www\">\n<remote ip=\"192.0.2.1\" name=\"www\"/>"
                                + "<remote ip=\"192.0.2.1\" name=\"www\"/></localpath></sersync></head>")
                        .notes())
                .singleElement()
                .asString()
                .contains("confxml.xml:1: remotes 192.0.2.1-www and 192.0.2.1-www-2: target 192.0.2.1::www and target"
                        + " 192.0.2.1::www are one directory");
        assertThat(convertText("<head><sersync><localpath watch=\"/data/www\">"
                                + "<remote ip=\"localhost\" name=\"/data\"/></localpath>"
                                + "<rsync><ssh start=\"true\"/></rsync></sersync></head>")
                        .notes())
                .singleElement()
                .asString()
                .contains("target localhost:/data (/data of this machine) contains the source /data/www");
    }

    private static JsonNode parameters(JsonNode step) {
        return step.path("to").path("parameters");
    }

    static Stream<String> readable() {
        return Stream.of(
                "shipped.xml",
                "everything.xml",
                "ssh.xml",
                "utf8-in-latin1.xml",
                "gbk.xml",
                "doctype.xml",
                "entity.xml");
    }

    @ParameterizedTest
    @MethodSource("readable")
    void routesAreValidByCamelsSchema(String file) throws IOException {
        try (InputStream in = ConversionTest.class.getResourceAsStream("/schema/camelYamlDsl.json")) {
            var schema =
                    JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V4).getSchema(in);
            Map<String, String> routes = convert(file).routes();
            assertThat(routes).isNotEmpty();
            for (String yaml : routes.values()) {
                assertThat(schema.validate(YAML.readTree(yaml))).isEmpty();
            }
        }
    }

    /** The file that comes with sersync becomes what a person would have written, and no more. */
    @Test
    void theShippedFile() throws IOException {
        Conversion shipped = convert("shipped.xml");
        shipped.write();
        assertThat(directory.resolve("routes/tongbu.camel.yaml"))
                .hasContent(
                        """
                        # From shipped.xml, line 24.
                        - route:
                            id: tongbu
                            description: /opt/tongbu to one remote
                            from:
                              uri: kamelet:watch
                              parameters:
                                source: /opt/tongbu
                              steps:
                                - to:
                                    uri: kamelet:rsync
                                    parameters:
                                      remote: 127.0.0.1
                                      target: 127.0.0.1::tongbu1
                        """);
        assertThat(shipped.settings())
                .isEqualTo(
                        Map.of("events", "delete,create-folder,close-write,move-from,move-to", "rsync.args", "-artuz"));
        assertThat(shipped.notes()).hasSize(3);
        assertThat(shipped.notes().get(0)).startsWith(FILES.resolve("shipped.xml") + ":3: host: ");
    }

    @Test
    void everyElementHasItsPlace() throws IOException {
        Conversion everything = convert("everything.xml");
        assertThat(everything.settings())
                .containsEntry("exclude-regex", "(.*)\\.svn, /cache/(.*), [\\p{Digit}]{2\\,3}\\.tmp")
                .containsEntry("delete", "false")
                .containsEntry("events", "create-folder,create-file,close-write,move-from,move-to,attrib")
                .containsEntry("rsync.args", "-artz -e 'ssh -p 2222'")
                .containsEntry("exclude", "*.bak")
                .containsEntry("rsync.bwlimit", "2000")
                .containsEntry("rsync.timeout", "100")
                .containsEntry("full-sync.exclude", "*.php, info/*")
                .hasSize(8);
        assertThat(everything.routes()).containsOnlyKeys("www.camel.yaml", "img.camel.yaml.off");
        JsonNode routes = YAML.readTree(everything.routes().get("www.camel.yaml"));
        JsonNode remotes = routes.at("/0/route/from/steps/0/multicast/steps");
        assertThat(remotes).hasSize(3);
        assertThat(parameters(remotes.get(0)).toString())
                .isEqualTo("{\"remote\":\"192.0.2.11\",\"target\":\"rsync_backup@192.0.2.11::www\","
                        + "\"passwordFile\":\"/etc/rsync.password\",\"port\":874}");
        assertThat(parameters(remotes.get(1)).path("remote").asText()).isEqualTo("192.0.2.12-www");
        assertThat(parameters(remotes.get(2)).path("remote").asText()).isEqualTo("192.0.2.12-backup");
        assertThat(step(routes, 1).toString())
                .isEqualTo("{\"prefix\":\"/opt/purge.sh -v\",\"suffix\":\"RAW(>> /tmp/log & echo)\","
                        + "\"include\":\"(.*)\\\\.php, (.*)\\\\.sh\",\"ignoreError\":true}");
        assertThat(step(routes, 2).toString()).isEqualTo("{\"host\":\"192.0.2.20\",\"port\":8009}");
        assertThat(step(routes, 3).toString())
                .isEqualTo("{\"url\":\"RAW(http://192.0.2.21:8080/changed.php?site=www)\"}");
        assertThat(step(routes, 4).toString())
                .isEqualTo("{\"url\":\"http://ccms.example.com/index.jsp\",\"user\":\"me\",\"passwordFile\":\""
                        + directory.resolve("cdn.secret") + "\",\"base\":\"http://pic.example.com/cms\","
                        + "\"match\":\"site([/a-zA-Z0-9]*).example.com/images\"}");
        assertThat(routes.at("/5/route/from").toString())
                .isEqualTo(
                        "{\"uri\":\"timer:full-sync-interval\",\"parameters\":{\"delay\":\"600m\",\"period\":\"600m\"},"
                                + "\"steps\":[{\"to\":\"direct:full-sync\"}]}");
        everything.write();
        assertThat(directory.resolve("cdn.secret")).hasContent("p&ss word");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("cdn.secret"))))
                .isEqualTo("rw-------");
        assertThat(Files.readString(directory.resolve("routes/www.camel.yaml"))).doesNotContain("p&ss");
    }

    private static JsonNode step(JsonNode routes, int index) {
        JsonNode route = routes.get(index).path("route");
        assertThat(route.at("/from/parameters/mirror").asText()).isEqualTo("www");
        return parameters(route.at("/from/steps/0"));
    }

    /** What is left out or means something else is said, each with its line. */
    @Test
    void whatIsNotCarriedOverIsSaidWithItsLine() {
        Path file = FILES.resolve("everything.xml");
        assertThat(convert("everything.xml").notes())
                .extracting(note -> note.substring(file.toString().length() + 1).split(": ")[0])
                .containsExactly("5", "6", "7", "12", "15", "31", "35", "41", "52", "53", "56", "68", "70");
    }

    @Test
    void sshHasNoPasswordAndNoModule() throws IOException {
        Conversion ssh = convert("ssh.xml");
        assertThat(ssh.settings()).isEqualTo(Map.of("full-sync.cron", "0 0 0 * * ?"));
        assertThat(parameters(YAML.readTree(ssh.routes().get("upload.camel.yaml"))
                                .at("/0/route/from/steps/0"))
                        .toString())
                .isEqualTo("{\"remote\":\"192.0.2.7\",\"target\":\"root@192.0.2.7:/srv/upload\"}");
    }

    @ParameterizedTest
    @ValueSource(strings = {"utf8-in-latin1.xml", "gbk.xml"})
    void namesAreReadWhateverTheHeaderSays(String file) throws IOException {
        String yaml = convert(file).routes().get("mirror.camel.yaml");
        assertThat(YAML.readTree(yaml).at("/0/route/from/parameters/source").asText())
                .isEqualTo("/data/文档");
    }

    @Test
    void entitiesAreNeitherReadNorFetched() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            server.setSoTimeout(300);
            String url = "http://127.0.0.1:" + server.getLocalPort() + "/x";
            Path secret = Files.writeString(directory.resolve("secret"), "sesame");
            Conversion conversion = convertText("<!DOCTYPE head SYSTEM '" + url + "' [<!ENTITY % p SYSTEM '" + url
                    + "'> %p; <!ENTITY s SYSTEM '" + secret.toUri() + "'><!ENTITY u SYSTEM '" + url + "'>]>"
                    + "<head>&u;<sersync><localpath watch='/data/www'><remote ip='192.0.2.1' name='x&s;'/></localpath>"
                    + "</sersync></head>");
            assertThat(conversion.routes().toString()).contains("::x").doesNotContain("sesame");
            assertThatThrownBy(server::accept).isInstanceOf(SocketTimeoutException.class);
        }
    }

    @Test
    void brokenXmlIsOneLineWithItsPosition() {
        assertThatThrownBy(() -> convert("broken.xml"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(FILES.resolve("broken.xml") + ":5:7: this is not XML: The element type \"remote\" must be"
                        + " terminated by the matching end-tag \"</remote>\".");
        assertThatThrownBy(() -> convertText("\n\n  no XML at all"))
                .hasMessageStartingWith(directory.resolve("confxml.xml") + ":3:");
        assertThatThrownBy(() -> convertText("")).hasMessageContaining("confxml.xml:1:");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            <html/>                                                              | root is <head>
            <head/>                                                              | no <sersync>
            <head><sersync><rsync/></sersync></head>                             | no <localpath>
            <head><sersync><localpath watch='www'/></sersync></head>             | absolute path
            <head><sersync><localpath watch='/www'/></sersync></head>            | no <remote>
            <head><sersync><localpath watch='/w'><remote ip='h'/></localpath></sersync></head> | both are needed
            """)
    void aWrongFileIsToldInOneLine(String xml, String told) {
        assertThatThrownBy(() -> convertText(xml))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(directory.resolve("confxml.xml") + ":1: ")
                .hasMessageContaining(told);
    }

    @Test
    void whatSersyncsParserForgivesIsForgiven() throws IOException {
        Conversion lenient = convertText("\n\uFEFF\n<?xml version='1.0'?>\n<!-- a -- b & <c> -->\n<head>\n"
                + "# where from\n<sersync>\n<localpath watch='/data/www'> # where to & back\n"
                + "<remote ip='192.0.2.1' name='a&b'/>\n</localpath>\n<new/></sersync></head>");
        assertThat(lenient.routes().get("www.camel.yaml")).contains("target: 'RAW(192.0.2.1::a&b)'");
        assertThat(lenient.notes())
                .containsExactly(directory.resolve("confxml.xml") + ":11: <new> is not known here; left out");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            1    | 0 * * * * ?
            6    | 0 0/6 * * * ?
            30   | 0 0/30 * * * ?
            60   | 0 0 * * * ?
            720  | 0 0 0/12 * * ?
            1440 | 0 0 0 * * ?
            """)
    void minutesBecomeACron(int minutes, String cron) throws IOException {
        assertThat(convertWith("", "<crontab start='true' schedule='" + minutes + "'/>")
                        .settings())
                .containsEntry("full-sync.cron", cron);
    }

    /** Quartz has no cron for them. */
    @ParameterizedTest
    @ValueSource(ints = {7, 45, 90, 300, 600, 1500, 2880})
    void minutesBecomeATimer(int minutes) throws IOException {
        Conversion timed = convertWith("", "<crontab start='true' schedule='" + minutes + "'/>");
        assertThat(timed.settings()).doesNotContainKey("full-sync.cron");
        assertThat(timed.notes()).isEmpty();
        JsonNode from = YAML.readTree(timed.routes().get("www.camel.yaml")).at("/1/route/from");
        // The first one comes after the interval too: without -r there is none at the start.
        assertThat(from.at("/parameters/delay").asText()).isEqualTo(minutes + "m");
        assertThat(from.at("/parameters/period").asText()).isEqualTo(minutes + "m");
        assertThat(from.at("/steps/0/to").asText()).isEqualTo("direct:full-sync");
    }

    @Test
    void whatIsOffIsNotThere() throws IOException {
        Conversion off = convertWith(
                "<filter start='false'><exclude expression='x'/></filter><inotify><attrib start='true'/></inotify>",
                "<rsync><commonParams params='-a'/><auth start='false' users='u' passwordfile='/p'/>"
                        + "<userDefinedPort start='false' port='1'/><timeout start='false' time='1'/></rsync>"
                        + "<crontab start='false' schedule='1'><crontabfilter start='true'><exclude expression='x'/>"
                        + "</crontabfilter></crontab><plugin start='false' name='command'/>");
        assertThat(off.settings()).isEmpty();
        assertThat(off.notes()).isEmpty();
        assertThat(off.routes().get("www.camel.yaml")).doesNotContain("passwordFile", "port", "pushed");
    }

    /** Each of the eight, in both positions; the others as sersync ships them. */
    @ParameterizedTest
    @CsvSource({
        "createFolder, create-folder",
        "createFile, create-file",
        "closeWrite, close-write",
        "moveFrom, move-from",
        "moveTo, move-to",
        "attrib, attrib",
        "modify, modify"
    })
    void eachEventSwitchIsCarriedOver(String element, String ours) throws IOException {
        for (boolean on : new boolean[] {true, false}) {
            Map<String, String> settings = convertWith("<inotify><" + element + " start='" + on + "'/></inotify>", "")
                    .settings();
            List<String> events =
                    List.of(settings.getOrDefault("events", "delete,create-folder,close-write,move-from,move-to,attrib")
                            .split(","));
            assertThat(events.contains(ours)).isEqualTo(on);
            assertThat(events).contains("delete");
            assertThat(settings).doesNotContainKey("delete");
        }
    }

    @Test
    void withoutDeleteNothingIsDeleted() throws IOException {
        Conversion kept = convertWith("<inotify><delete start='false'/></inotify>", "");
        assertThat(kept.settings())
                .containsEntry("delete", "false")
                .containsEntry("events", "create-folder,close-write,move-from,move-to");
    }

    @Test
    void nothingIsOverwritten() throws IOException {
        convert("shipped.xml").write();
        Files.delete(directory.resolve("application.properties"));
        assertThatThrownBy(() -> convert("shipped.xml").write())
                .hasMessage(directory.resolve("routes/tongbu.camel.yaml")
                        + " exists already; name another directory with -o");
        assertThat(directory.resolve("application.properties")).doesNotExist();
    }

    @Test
    void onePluginAloneWatchesItsOwnTree() throws IOException {
        Conversion socket = Conversion.toRun(FILES.resolve("shipped.xml"), "refreshCDN");
        JsonNode routes = YAML.readTree(socket.routes().get("site.camel.yaml"));
        assertThat(routes.at("/0/route/from/parameters/source").asText()).isEqualTo("/data0/htdocs/site/");
        assertThat(routes.at("/1/route/from/parameters/mirror").asText()).isEqualTo("site");
        assertThat(socket.routes().toString()).doesNotContain("kamelet:rsync").contains("password: xxxx");
        assertThatThrownBy(() -> Conversion.toRun(FILES.resolve("shipped.xml"), "mail"))
                .hasMessage("plugin mail: allowed are command, http, socket, refreshCDN");
        assertThatThrownBy(() -> Conversion.toRun(FILES.resolve("shipped.xml"), "http"))
                .hasMessageEndingWith("there is no <plugin name=\"http\">");
    }

    @Test
    void filtersOfCommonParamsStayInTheirOrder() throws IOException {
        Conversion conversion = convertWith(
                "",
                "<rsync><commonParams params=\"-artuzC --include=*.php --exclude='*' --exclude-from=/etc/x -F --delay-updates"
                        + " --files-from=l\"/></rsync>");
        assertThat(conversion.settings())
                .doesNotContainKey("exclude")
                .containsEntry(
                        "rsync.args", "-artuz --include=*.php --exclude=* --exclude-from=/etc/x --delay-updates");
        assertThat(conversion.notes())
                .anyMatch(note ->
                        note.contains("commonParams -C is not allowed; it reads a .cvsignore in each directory"))
                .anyMatch(note -> note.contains("commonParams -F is not allowed; it reads a .rsync-filter"))
                .anyMatch(note -> note.contains("commonParams --files-from is not allowed"))
                .anyMatch(note ->
                        note.contains("commonParams --exclude-from: carried over; the file has to be there at the"
                                + " start, and is read then"));
    }
}
