package io.dromedary.sersync;

import org.apache.camel.util.json.Jsoner;

/** Values as a person would write them in YAML: bare where that is safe. */
final class Yaml {
    private Yaml() {}

    static String text(String value) {
        if (value.matches("[A-Za-z/][A-Za-z0-9 /._@-]*")) {
            return value;
        }
        return value.chars().noneMatch(c -> c < ' ' || c == '\'')
                ? "'" + value + "'"
                : "\"" + Jsoner.escape(value) + "\"";
    }

    /** A parameter of a URI: Camel would take some characters for its own. */
    static String parameter(String value) {
        boolean safe = value.matches("[A-Za-z0-9/._@][A-Za-z0-9/._@:-]*(?<!:)");
        boolean other = value.matches("(?i)null|yes|no|on|off|\\d*\\.\\d*|\\d+e\\d+|0\\d*|\\d{10,}");
        if (safe && !other) {
            return value;
        }
        return text(value.matches("(?s).*[&%+#?].*") ? "RAW(" + value + ")" : value);
    }
}
