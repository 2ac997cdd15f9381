package io.dromedary.status;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Locale;
import org.apache.camel.Exchange;
import org.apache.camel.Header;

/**
 * Who may ask: stands before every route of the API. What changes something needs the token, if there is one; no page
 * of another site may ask through a person's browser, neither directly nor under a name it has made point here.
 */
public final class Access {
    private static final String BEARER = "Bearer ";

    private String token = "";

    /** What has to follow "Authorization: Bearer"; blank: nothing. */
    public void setToken(String token) {
        this.token = token.strip();
    }

    /** Throws a {@link Refusal} if this request is not to be answered. */
    public void check(
            @Header(Exchange.HTTP_METHOD) Object method,
            @Header(Exchange.HTTP_URL) String url,
            @Header("Origin") String origin,
            @Header("Sec-Fetch-Site") String site,
            @Header("Authorization") String authorization) {
        // Of the header Host, which Camel itself does not pass on.
        String host = authority(url);
        if (token.isEmpty() && !isLiteral(host)) {
            throw new Refusal(
                    403,
                    "without dromedary.http.token this is answered at localhost or an IP address only, not " + host);
        }
        String name = String.valueOf(method);
        if (name.equals("GET") || name.equals("HEAD")) {
            return;
        }
        boolean foreign = site != null && !site.equals("same-origin") && !site.equals("none");
        if (foreign || origin != null && !authority(origin).equalsIgnoreCase(host)) {
            throw new Refusal(403, "not from a page of another site");
        }
        if (!token.isEmpty() && !isToken(authorization)) {
            throw new Refusal(401, "needed is the header Authorization: Bearer, with dromedary.http.token");
        }
    }

    private boolean isToken(String authorization) {
        if (authorization == null || !authorization.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
            return false;
        }
        byte[] given = authorization.substring(BEARER.length()).strip().getBytes(StandardCharsets.UTF_8);
        // Takes as long whatever the difference.
        return MessageDigest.isEqual(given, token.getBytes(StandardCharsets.UTF_8));
    }

    private static String authority(String url) {
        try {
            String authority = URI.create(url).getRawAuthority();
            return authority == null ? "" : authority;
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    /** Only a name can be made to point elsewhere. */
    private static boolean isLiteral(String host) {
        String name = host.replaceFirst(":\\d*$", "").toLowerCase(Locale.ROOT);
        return name.equals("localhost") || name.matches("\\d{1,3}(\\.\\d{1,3}){3}|\\[[0-9a-f:.]+\\]");
    }
}
