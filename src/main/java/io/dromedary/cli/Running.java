package io.dromedary.cli;

import io.dromedary.routes.Settings;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.camel.util.json.DeserializationException;
import org.apache.camel.util.json.JsonObject;
import org.apache.camel.util.json.Jsoner;
import picocli.CommandLine.Option;

/** The options of the commands that talk to the running Dromedary, and the talk itself. */
final class Running {
    /** A flush or a comparison may take long; only the connection must not. */
    private static final int CONNECT_MILLIS = 5_000;

    @Option(
            names = {"-c", "--config"},
            paramLabel = "DIR",
            defaultValue = ".",
            description =
                    "Directory of the application.properties that tells port and token (default: the current one).")
    private Path directory;

    @Option(names = "--url", paramLabel = "URL", description = "Where it listens (default: http://127.0.0.1:8008).")
    private String url;

    @Option(names = "--token-file", paramLabel = "FILE", description = "Its dromedary.http.token, in a file.")
    private Path tokenFile;

    /** That nothing answers there, in one line. */
    static final class NotRunning extends IOException {
        NotRunning(String url, IOException cause) {
            super("no Dromedary is running at " + url + " (" + cause.getMessage()
                    + "); another address: --url, -c DIR or DROMEDARY_HTTP_PORT");
        }
    }

    JsonObject get(String path) throws IOException {
        return ask("GET", path);
    }

    JsonObject post(String path) throws IOException {
        return ask("POST", path);
    }

    /** An address with parameters; those that are null are left out. */
    static String address(String path, String... parameters) {
        StringBuilder address = new StringBuilder(path);
        for (int i = 0; i < parameters.length; i += 2) {
            if (parameters[i + 1] != null) {
                address.append(address.indexOf("?") < 0 ? '?' : '&')
                        .append(parameters[i])
                        .append('=')
                        .append(encoded(parameters[i + 1]));
            }
        }
        return address.toString();
    }

    static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private JsonObject ask(String method, String path) throws IOException {
        Settings settings = new Settings();
        Path file = directory.resolve("application.properties");
        if (Files.exists(file)) {
            settings.file(file);
        }
        settings.environment(System.getenv());
        String base = url == null ? url(settings) : url.replaceFirst("/+$", "");
        HttpURLConnection connection;
        try {
            connection = (HttpURLConnection) URI.create(base + path).toURL().openConnection();
        } catch (IllegalArgumentException | ClassCastException e) {
            throw new IllegalArgumentException("--url " + base + ": allowed is http://HOST:PORT", e);
        }
        connection.setConnectTimeout(CONNECT_MILLIS);
        connection.setRequestMethod(method);
        String token = tokenFile == null
                ? settings.get("http.token")
                : Files.readString(tokenFile).strip();
        if (!token.isEmpty()) {
            connection.setRequestProperty("Authorization", "Bearer " + token);
        }
        int status;
        try {
            status = connection.getResponseCode();
        } catch (IOException e) {
            throw new NotRunning(base, e);
        }
        JsonObject answer;
        try (InputStream body = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
            String text = body == null ? "" : new String(body.readAllBytes(), StandardCharsets.UTF_8);
            answer = (JsonObject) Jsoner.deserialize(text);
        } catch (DeserializationException | ClassCastException e) {
            throw new IOException(base + path + " answers " + status + ", and not as a Dromedary does", e);
        }
        if (status >= 400) {
            throw new IOException(answer.getStringOrDefault("error", base + path + " answers " + status));
        }
        return answer;
    }

    private static String url(Settings settings) {
        String port = settings.get("http.port");
        if (port.equals("0")) {
            throw new IllegalArgumentException("dromedary.http.port = 0: it listens nowhere, so it cannot be asked");
        }
        String host = settings.get("http.host");
        String reached = host.equals("0.0.0.0") ? "127.0.0.1" : host.equals("::") ? "::1" : host;
        return "http://" + (reached.contains(":") ? "[" + reached + "]" : reached) + ":" + port;
    }
}
