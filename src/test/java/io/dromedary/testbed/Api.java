package io.dromedary.testbed;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** The HTTP API of a program under test, on a port that was free a moment ago. */
public final class Api {

    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final int port;

    public Api() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
    }

    /** For {@link Configuration#set}. */
    public String setting() {
        return "http.port=" + port;
    }

    public JsonNode get(String path) {
        return json("GET", path);
    }

    public JsonNode post(String path) {
        return json("POST", path);
    }

    /** What {@code --url} takes. */
    public String url() {
        return "http://127.0.0.1:" + port;
    }

    /** An answer that is no JSON. */
    public String text(String path) {
        return body("GET", path);
    }

    private JsonNode json(String method, String path) {
        try {
            return new ObjectMapper().readTree(body(method, path));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String body(String method, String path) {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url() + path))
                .timeout(Duration.ofSeconds(120))
                .method(method, HttpRequest.BodyPublishers.noBody())
                .build();
        try {
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new AssertionError(method + " " + path + ": " + answer.statusCode() + " " + answer.body());
            }
            return answer.body();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
