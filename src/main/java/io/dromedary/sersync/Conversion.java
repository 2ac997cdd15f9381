package io.dromedary.sersync;

import io.dromedary.change.Excludes;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.RsyncArgs;
import io.dromedary.posix.MountInfo;
import io.dromedary.posix.OwnerOnly;
import io.dromedary.sersync.ConfXml.Element;
import io.dromedary.setup.SetUp;
import io.dromedary.setup.SetUp.Copy;
import io.dromedary.setup.SetUp.Mirrored;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What a sersync {@code confxml.xml} says, in our terms: settings, routes, and what could not be carried over. Only what
 * differs from our defaults is written, so that the files look as if a person had made them.
 */
public final class Conversion {
    /** sersync's names of the events, ours, and whether its own file has them on. */
    private enum Event {
        DELETE("delete", "delete", true),
        CREATE_FOLDER("createFolder", "create-folder", true),
        CREATE_FILE("createFile", "create-file", false),
        CLOSE_WRITE("closeWrite", "close-write", true),
        MOVE_FROM("moveFrom", "move-from", true),
        MOVE_TO("moveTo", "move-to", true),
        ATTRIB("attrib", "attrib", false),
        MODIFY("modify", "modify", false);

        final String element;
        final String ours;
        final boolean shipped;

        Event(String element, String ours, boolean shipped) {
            this.element = element;
            this.ours = ours;
            this.shipped = shipped;
        }
    }

    private static final String OUR_EVENTS = "delete,create-folder,close-write,move-from,move-to,attrib";
    private static final List<String> PLUGINS = List.of("command", "http", "socket", "refreshCDN");

    /** One key of application.properties, and what is said above it. */
    private record Setting(String value, String comment) {}

    private record Note(int line, String text) {}

    private final Path file;
    private final String plugin;
    /** Null if this is to run as it is. */
    private final Path directory;

    private final Map<String, Setting> settings = new LinkedHashMap<>();
    private final Map<String, String> routes = new LinkedHashMap<>();
    private final Map<String, String> secrets = new LinkedHashMap<>();
    private final List<Note> notes = new ArrayList<>();
    /** The route of full syncs by an interval that is no cron; most often none. */
    private String interval = "";

    private Conversion(Path file, String plugin, Path directory) {
        this.file = file;
        this.plugin = plugin;
        this.directory = directory;
    }

    /**
     * Reads a file to write it anew, by {@link #write}, to a directory.
     *
     * @throws IllegalArgumentException with one line: file, line and what is wrong
     */
    public static Conversion toDirectory(Path file, Path directory) {
        return new Conversion(file, null, directory).convert(ConfXml.read(file));
    }

    /**
     * Reads a file to run it.
     *
     * @param plugin the one plugin to run without any rsync, sersync's {@code -m}; null to mirror
     * @throws IllegalArgumentException with one line: file, line and what is wrong
     */
    public static Conversion toRun(Path file, String plugin) {
        if (plugin != null && !PLUGINS.contains(plugin)) {
            throw new IllegalArgumentException("plugin " + plugin + ": allowed are " + String.join(", ", PLUGINS));
        }
        return new Conversion(file, plugin, null).convert(ConfXml.read(file));
    }

    /** The settings that differ from the defaults, without their prefix. */
    public Map<String, String> settings() {
        Map<String, String> values = new LinkedHashMap<>();
        settings.forEach((key, setting) -> values.put(key, setting.value));
        return values;
    }

    /** The route files: name and YAML. */
    public Map<String, String> routes() {
        return routes;
    }

    /** What could not be carried over or means something else here, a line each, with file and line. */
    public List<String> notes() {
        return notes.stream()
                .sorted(Comparator.comparingInt(Note::line))
                .map(note -> file + ":" + note.line + ": " + note.text)
                .toList();
    }

    /** Writes routes/ and application.properties; a file that is there already is an error, and nothing is written. */
    public List<Path> write() throws IOException {
        Map<Path, String> files = new LinkedHashMap<>();
        files.put(directory.resolve("application.properties"), properties());
        routes.forEach((name, yaml) -> files.put(directory.resolve("routes").resolve(name), yaml));
        Map<Path, String> secretFiles = new LinkedHashMap<>();
        secrets.forEach((name, secret) -> secretFiles.put(directory.resolve(name), secret + "\n"));
        Set<Path> all = new HashSet<>(files.keySet());
        all.addAll(secretFiles.keySet());
        for (Path path : all) {
            if (Files.exists(path)) {
                throw new IllegalArgumentException(path + " exists already; name another directory with -o");
            }
        }
        Files.createDirectories(directory.resolve("routes"));
        for (Map.Entry<Path, String> text : files.entrySet()) {
            Files.writeString(text.getKey(), text.getValue());
        }
        for (Map.Entry<Path, String> secret : secretFiles.entrySet()) {
            Files.createFile(secret.getKey(), OwnerOnly.file());
            Files.writeString(secret.getKey(), secret.getValue());
        }
        List<Path> written = new ArrayList<>(files.keySet());
        written.addAll(secretFiles.keySet());
        return written;
    }

    private String properties() {
        StringBuilder text = new StringBuilder("# From " + file.getFileName()
                + ". What does not stand here has its default; all keys: docs/configuration.md.\n");
        settings.forEach((key, setting) -> text.append("\n# ")
                .append(setting.comment)
                .append("\ndromedary.")
                .append(key)
                .append('=')
                .append(setting.value.replace("\\", "\\\\"))
                .append('\n'));
        if (!settings.containsKey("delete")) {
            text.append(
                    "\n# A full sync at start, sersync's -r, is on: it deletes at the remotes what the source has not."
                            + " Those who ran\n# sersync without -r:\n#dromedary.full-sync.initial=false\n");
        }
        return text.toString();
    }

    // ---- reading

    private Conversion convert(Element root) {
        if (!root.name.equals("head")) {
            throw wrong(root, "this is no confxml.xml of sersync: its root is <head>, not <" + root.name + ">");
        }
        root.get("version");
        Element sersync = root.child("sersync");
        if (!sersync.isThere()) {
            throw wrong(root, "there is no <sersync>");
        }
        withoutEffect(root);
        filter(root.child("filter"), sersync);
        events(root.child("inotify"));
        Args args = args(sersync.child("rsync"));
        crontab(sersync.child("crontab"), root.child("filter"));
        List<Element> started = started(sersync);
        List<Element> trees = sersync.all("localpath");
        if (trees.isEmpty()) {
            throw wrong(sersync, "there is no <localpath>");
        }
        Set<String> ids = new HashSet<>();
        for (Element tree : trees) {
            String watch = tree.get("watch");
            if (!watch.startsWith("/")) {
                throw wrong(tree, "localpath watch=\"" + watch + "\": allowed is an absolute path");
            }
            String id = unique(ids, name(watch));
            if (plugin == null) {
                boolean first = tree == trees.get(0);
                String yaml = mirror(id, watch, tree, sersync, args)
                        + (first ? plugins(id, root, watch, started) + interval : "");
                routes.put(id + ".camel.yaml" + (first ? "" : ".off"), yaml);
                if (!first) {
                    note(
                            tree,
                            "localpath " + watch + ": sersync reads the first localpath only; routes/" + id
                                    + ".camel.yaml.off, without the .off, would mirror this one too");
                }
            } else {
                tree.understandAll();
            }
        }
        if (plugin != null) {
            pluginOnly(root, trees.get(0).get("watch"));
        }
        root.all("plugin").forEach(Element::understandAll);
        for (Element unknown : root.notUnderstood()) {
            note(unknown, "<" + unknown.name + "> is not known here; left out");
        }
        return this;
    }

    private void withoutEffect(Element root) {
        Element host = root.child("host");
        if (host.isThere()) {
            note(host, "host: sersync never used it; left out");
        }
        Element debug = root.child("debug");
        if (debug.isOn()) {
            note(debug, "debug: the environment variable DROMEDARY_LOG=DEBUG logs every path and every push");
        }
        Element fileSystem = root.child("fileSystem");
        if (fileSystem.get("xfs").equalsIgnoreCase("true")) {
            note(fileSystem, "fileSystem xfs: not needed here, every file system is read the same way");
        }
        Element failLog = root.child("sersync").child("failLog");
        if (failLog.isThere()) {
            note(
                    failLog,
                    "failLog: not needed; what failed is kept in dromedary.state-dir and tried again after a second, then"
                            + " ever less often, every 5 minutes at least");
        }
    }

    private void filter(Element filter, Element sersync) {
        List<String> regexes = new ArrayList<>();
        for (Element exclude : filter.all("exclude")) {
            String regex = java(exclude.get("expression"));
            if (filter.isOn() && usable(exclude, regex, () -> Excludes.of(null, escaped(regex)))) {
                regexes.add(escaped(regex));
            }
        }
        filter.isOn();
        if (!regexes.isEmpty()) {
            set(
                    "exclude-regex",
                    String.join(", ", regexes),
                    "What is neither watched nor sent: <filter>, line " + filter.line);
        }
    }

    /** Perl's regular expressions to Java's: of what is used in file names only the classes differ. */
    private static String java(String regex) {
        String java = regex;
        for (String name : new String[] {"Alpha", "Digit", "Alnum", "Upper", "Lower", "Punct", "Space", "XDigit"}) {
            java = java.replace("[:" + name.toLowerCase(Locale.ROOT) + ":]", "\\p{" + name + "}");
        }
        return java;
    }

    private static String escaped(String element) {
        return element.replace(",", "\\,");
    }

    private interface Check {
        void run();
    }

    private boolean usable(Element element, String value, Check check) {
        if (value.isEmpty()) {
            return false;
        }
        try {
            check.run();
            return true;
        } catch (IllegalArgumentException e) {
            note(element, e.getMessage() + "; left out");
            return false;
        }
    }

    private void events(Element inotify) {
        List<String> on = new ArrayList<>();
        for (Event event : Event.values()) {
            Element element = inotify.child(event.element);
            if (element.isThere() ? element.isOn() : event.shipped) {
                on.add(event.ours);
            } else if (event == Event.DELETE) {
                set("delete", "false", "Nothing is deleted at the remotes: <delete>, line " + element.line);
                note(
                        element,
                        "delete: nothing is deleted at the remotes now; sersync still deleted in full syncs and, with"
                                + " moveFrom, the old names of what was renamed");
            }
        }
        String events = String.join(",", on);
        if (on.isEmpty()) {
            note(inotify, "inotify: every event is off; that cannot be, so the defaults hold");
        } else if (!events.equals(OUR_EVENTS)) {
            String attrib =
                    on.contains("attrib") ? "" : "; by default attrib, changes of mode and times, is among them";
            set("events", events, "What makes a path a change: <inotify>, line " + inotify.line + attrib);
        }
    }

    /** What is said of rsync for all remotes alike. */
    private record Args(String user, String passwordFile, String port, boolean ssh) {}

    private Args args(Element rsync) {
        Element params = rsync.child("commonParams");
        List<String> words;
        try {
            words = new ArrayList<>(Remote.words(params.get("params")));
        } catch (IllegalArgumentException e) {
            throw wrong(params, "commonParams: " + e.getMessage());
        }
        Element auth = rsync.child("auth");
        String user = auth.get("users");
        String passwordFile = taken(words, "--password-file");
        String port = taken(words, "--port");
        String timeout = taken(words, "--timeout");
        String bwlimit = taken(words, "--bwlimit");
        List<String> excludes = new ArrayList<>();
        // Among others the order counts.
        boolean ordered =
                Stream.of("filter", "include", "include-from", "exclude-from").anyMatch(RsyncArgs.of(words)::has);
        for (String pattern = ordered ? "" : taken(words, "--exclude");
                !pattern.isEmpty();
                pattern = taken(words, "--exclude")) {
            String one = pattern;
            if (usable(params, one, () -> Excludes.of(escaped(one), null))) {
                excludes.add(escaped(one));
            }
        }
        RsyncArgs given = RsyncArgs.of(words);
        given.refusals().forEach(refusal -> note(params, "commonParams " + refusal + "; left out"));
        words = new ArrayList<>(given.allowed());
        // sersync adds this itself; here paths are relative to the source anyway.
        words.removeIf(word -> word.equals("-R") || word.equals("--relative"));
        String all = String.join(" ", words.stream().map(Conversion::quoted).toList());
        if (!all.isEmpty() && !all.equals("-a")) {
            set("rsync.args", all, "How files are sent: <commonParams>, line " + params.line);
        }
        for (String option : List.of("exclude-from", "include-from")) {
            if (given.has(option)) {
                note(
                        params,
                        "commonParams --" + option
                                + ": carried over; the file has to be there at the start, and is read then");
            }
        }
        if (given.has("update")) {
            note(
                    params,
                    "commonParams -u: carried over; a file that is newer at a remote stays different there, without the u it"
                            + " would be put right");
        }
        if (!excludes.isEmpty()) {
            set("exclude", String.join(", ", excludes), "What is left out: <commonParams>, line " + params.line);
        }
        if (!bwlimit.isEmpty()) {
            set("rsync.bwlimit", bwlimit, "In KiB/s: <commonParams>, line " + params.line);
        }
        Element userPort = rsync.child("userDefinedPort");
        if (userPort.isOn()) {
            port = number(userPort, "port");
        }
        Element time = rsync.child("timeout");
        if (time.isOn()) {
            timeout = number(time, "time");
        }
        userPort.get("port");
        time.get("time");
        if (!timeout.isEmpty() && !timeout.equals("60")) {
            set("rsync.timeout", timeout, "In seconds: <timeout>, line " + (time.isOn() ? time : params).line);
        }
        boolean ssh = rsync.child("ssh").isOn();
        auth.get("passwordfile");
        if (auth.isOn()) {
            if (ssh) {
                note(auth, "auth: is for rsync daemons, over ssh there are keys; left out");
            } else {
                return new Args(user, auth.get("passwordfile"), port, false);
            }
        }
        return new Args("", ssh ? "" : passwordFile, ssh ? "" : port, ssh);
    }

    /** The value of the first such option, which leaves the list; "" if there is none. */
    private static String taken(List<String> words, String option) {
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            if (word.startsWith(option + "=")) {
                words.remove(i);
                return word.substring(option.length() + 1);
            }
            if (word.equals(option) && i + 1 < words.size()) {
                words.remove(i);
                return words.remove(i);
            }
        }
        return "";
    }

    private static String quoted(String word) {
        return word.matches("[^\\s'\"\\\\]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }

    private void crontab(Element crontab, Element filter) {
        Element crontabFilter = crontab.child("crontabfilter");
        List<String> patterns = new ArrayList<>();
        for (Element exclude : crontabFilter.all("exclude")) {
            String pattern = exclude.get("expression");
            if (crontabFilter.isOn() && usable(exclude, pattern, () -> Excludes.of(escaped(pattern), null))) {
                patterns.add(escaped(pattern));
            }
        }
        crontabFilter.isOn();
        crontab.get("schedule");
        if (!crontab.isOn()) {
            return;
        }
        int minutes =
                crontab.get("schedule").isEmpty() ? 600 : Math.max(1, Integer.parseInt(number(crontab, "schedule")));
        String cron = cron(minutes);
        if (cron == null) {
            interval = fullSyncs(minutes, crontab.line);
        } else {
            set("full-sync.cron", cron, "A full sync " + words(minutes) + ": <crontab>, line " + crontab.line);
        }
        if (!patterns.isEmpty()) {
            set(
                    "full-sync.exclude",
                    String.join(", ", patterns),
                    "What these full syncs leave out: <crontabfilter>, line " + crontabFilter.line);
        } else if (filter.isOn()) {
            note(
                    crontab,
                    "crontab: with a filter and no crontabfilter sersync ran no full syncs; here they run, and heed the"
                            + " filter");
        }
    }

    /** Quartz knows the clock and not intervals; null if the interval does not divide the hour or the day. */
    private static String cron(int minutes) {
        int hours = minutes / 60;
        if (60 % minutes == 0) {
            return minutes == 1 ? "0 * * * * ?" : minutes == 60 ? "0 0 * * * ?" : "0 0/" + minutes + " * * * ?";
        }
        if (minutes % 60 != 0 || hours > 24 || 24 % hours != 0) {
            return null;
        }
        return hours == 24 ? "0 0 0 * * ?" : "0 0 0/" + hours + " * * ?";
    }

    private static String words(int minutes) {
        int number = minutes % 60 == 0 ? minutes / 60 : minutes;
        String unit = minutes % 60 == 0 ? "hour" : "minute";
        return "every " + (number == 1 ? unit : number + " " + unit + "s");
    }

    private static String fullSyncs(int minutes, int line) {
        return "\n# A timer, since no Quartz cron says \"" + words(minutes) + "\": <crontab>, line " + line + ".\n"
                + "- route:\n"
                + "    id: full-sync-interval\n"
                + "    description: A full sync " + words(minutes) + ", from the start on\n"
                + "    from:\n"
                + "      uri: timer:full-sync-interval\n"
                + "      parameters:\n"
                + "        delay: " + minutes + "m\n"
                + "        period: " + minutes + "m\n"
                + "      steps:\n"
                + "        - to: direct:full-sync\n";
    }

    private String number(Element element, String attribute) {
        String value = element.get(attribute);
        if (!value.matches("\\d{1,9}")) {
            throw wrong(element, element.name + " " + attribute + "=\"" + value + "\": allowed is a number");
        }
        return value;
    }

    // ---- routes

    private String mirror(String id, String watch, Element tree, Element sersync, Args args) {
        List<Element> remotes = tree.all("remote");
        if (remotes.isEmpty()) {
            throw wrong(tree, "localpath " + watch + ": there is no <remote>");
        }
        StringBuilder yaml = new StringBuilder("# From " + file.getFileName() + ", line " + tree.line + ".\n"
                + "- route:\n"
                + "    id: " + id + "\n"
                + "    description: "
                + Yaml.text(watch + " to " + (remotes.size() == 1 ? "one remote" : remotes.size() + " remotes")) + "\n"
                + "    from:\n"
                + "      uri: kamelet:watch\n"
                + "      parameters:\n"
                + "        source: " + Yaml.parameter(watch) + "\n"
                + "      steps:\n");
        boolean one = remotes.size() == 1;
        if (!one) {
            yaml.append("        - multicast:\n            steps:\n");
        }
        String indent = one ? "        " : "              ";
        Set<String> names = new HashSet<>();
        List<Copy> copies = new ArrayList<>();
        for (Element remote : remotes) {
            String ip = remote.get("ip");
            String module = remote.get("name");
            if (ip.isEmpty() || module.isEmpty()) {
                throw wrong(remote, "remote ip=\"" + ip + "\" name=\"" + module + "\": both are needed");
            }
            boolean alone = remotes.stream().filter(r -> r.get("ip").equals(ip)).count() == 1;
            String host = ip.substring(ip.indexOf('@') + 1);
            String name = alone ? host : host + "-" + module;
            name = name.replaceAll("[^A-Za-z0-9._-]+", "-").replaceAll("^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "");
            String user = args.user.isEmpty() || ip.contains("@") ? "" : args.user + "@";
            Map<String, String> parameters = new LinkedHashMap<>();
            parameters.put("remote", unique(names, name.isEmpty() ? "remote" : name));
            parameters.put("target", user + ip + (args.ssh ? ":" : "::") + module);
            if (!args.passwordFile.isEmpty()) {
                parameters.put("passwordFile", args.passwordFile);
            }
            if (!args.port.isEmpty() && !args.port.equals("873")) {
                parameters.put("port", args.port);
            }
            yaml.append(to(indent, "rsync", parameters));
            copies.add(Copy.asNamed(parameters.get("remote"), parameters.get("target"), args.port, excludes()));
        }
        String problem = new SetUp(List.of(new Mirrored(id, Path.of(watch), copies)), MountInfo.now()).problem();
        if (problem != null) {
            note(tree, problem + "; as it is, neither check nor run takes it");
        }
        return yaml.toString();
    }

    private Excludes excludes() {
        Map<String, String> set = settings();
        return Excludes.of(set.get("exclude"), set.get("exclude-regex"));
    }

    private List<Element> started(Element sersync) {
        List<Element> started = new ArrayList<>();
        for (Element reference : sersync.all("plugin")) {
            reference.get("name");
            if (reference.isOn()) {
                started.add(reference);
            }
        }
        return started;
    }

    private String plugins(String id, Element root, String watch, List<Element> started) {
        StringBuilder yaml = new StringBuilder();
        for (Element reference : started) {
            String name = reference.get("name");
            Element section = section(root, name);
            if (section == null) {
                note(
                        reference,
                        "plugin " + name + ": there is no <plugin name=\"" + name + "\"> with what it does; left out");
                continue;
            }
            String own = section.child("localpath").get("watch");
            if (!own.isEmpty() && !Path.of(own).equals(Path.of(watch))) {
                note(
                        section,
                        "plugin " + name + ": its localpath " + own + " holds with -m only; here it is told of "
                                + watch);
            }
            for (String step : steps(section, name)) {
                yaml.append("\n# Once a change is at every remote: plugin ")
                        .append(name)
                        .append(", line ")
                        .append(section.line)
                        .append(".\n")
                        .append(pluginRoute(id, name, step));
            }
        }
        return yaml.toString();
    }

    private static Element section(Element root, String name) {
        return root.all("plugin").stream()
                .filter(candidate -> candidate.get("name").equals(name))
                .findFirst()
                .orElse(null);
    }

    private static String pluginRoute(String id, String name, String step) {
        String suffix = name.toLowerCase(Locale.ROOT);
        return "- route:\n"
                + "    id: " + id + "-" + suffix + "\n"
                + "    description: sersync's plugin " + name + "\n"
                + "    from:\n"
                + "      uri: kamelet:pushed/" + id + "-to-" + suffix + "\n"
                + "      parameters:\n"
                + "        mirror: " + id + "\n"
                + "      steps:\n"
                + step;
    }

    private void pluginOnly(Element root, String watch) {
        Element section = section(root, plugin);
        if (section == null) {
            throw wrong(root, "there is no <plugin name=\"" + plugin + "\">");
        }
        String own = section.child("localpath").get("watch");
        String source = own.isEmpty() ? watch : own;
        String id = name(source);
        StringBuilder yaml = new StringBuilder("- route:\n"
                + "    id: " + id + "\n"
                + "    description: " + Yaml.text("The changes of " + source + ", for the plugin alone") + "\n"
                + "    from:\n"
                + "      uri: kamelet:watch\n"
                + "      parameters:\n"
                + "        source: " + Yaml.parameter(source) + "\n"
                + "      steps:\n"
                + "        - to: direct:pushed\n");
        for (String step : steps(section, plugin)) {
            yaml.append(pluginRoute(id, plugin, step));
        }
        routes.put(id + ".camel.yaml", yaml.toString());
    }

    /** The step that does what the plugin does; none if something needed is missing, which is said. */
    private List<String> steps(Element section, String name) {
        Element target = section.child("localpath").child("deshost");
        section.child("localpath").get("watch");
        Map<String, String> parameters = new LinkedHashMap<>();
        String kamelet = name;
        switch (name) {
            case "command" -> command(section, parameters);
            case "socket" -> {
                parameters.put("host", target.get("ip"));
                parameters.put("port", target.get("port"));
            }
            case "http" -> parameters.put("url", url(target.get("url"), target.get("port")));
            case "refreshCDN" -> {
                kamelet = "refresh-cdn";
                cdn(section, parameters);
            }
            default -> {
                note(section, "plugin " + name + ": not known here; known are " + String.join(", ", PLUGINS));
                return List.of();
            }
        }
        return List.of(to("        ", kamelet, parameters));
    }

    private static String to(String indent, String kamelet, Map<String, String> parameters) {
        StringBuilder yaml = new StringBuilder(
                indent + "- to:\n" + indent + "    uri: kamelet:" + kamelet + "\n" + indent + "    parameters:\n");
        parameters.forEach((key, value) -> yaml.append(indent)
                .append("      ")
                .append(key)
                .append(": ")
                .append(Yaml.parameter(value))
                .append('\n'));
        return yaml.toString();
    }

    private void command(Element section, Map<String, String> parameters) {
        Element param = section.child("param");
        String prefix = param.get("prefix");
        String suffix = param.get("suffix");
        if (prefix.isEmpty()) {
            throw wrong(param, "plugin command: prefix is empty; it is the program that gets the path");
        }
        for (String words : List.of(prefix, suffix)) {
            if (words.matches(".*[|&;<>$`*?].*")) {
                note(
                        param,
                        "plugin command: \"" + words
                                + "\" was run by a shell; here no shell sees it, put such things into a" + " script");
            }
        }
        parameters.put("prefix", prefix);
        if (!suffix.isEmpty()) {
            parameters.put("suffix", suffix);
        }
        Element filter = section.child("filter");
        List<String> includes = new ArrayList<>();
        for (Element include : filter.all("include")) {
            String regex = java(include.get("expression"));
            if (filter.isOn() && usable(include, regex, () -> Excludes.of(null, escaped(regex)))) {
                includes.add(escaped(regex));
            }
        }
        if (!includes.isEmpty()) {
            parameters.put("include", String.join(", ", includes));
        }
        if (param.get("ignoreError").equalsIgnoreCase("true")) {
            parameters.put("ignoreError", "true");
        }
    }

    private void cdn(Element section, Map<String, String> parameters) {
        Element localpath = section.child("localpath");
        Element info = localpath.child("cdninfo");
        parameters.put("url", url(info.get("domainname"), info.get("port")) + "/index.jsp");
        parameters.put("user", info.get("username"));
        String password = info.get("passwd");
        if (directory != null) {
            secrets.put("cdn.secret", password);
            parameters.put(
                    "passwordFile",
                    directory.toAbsolutePath().normalize().resolve("cdn.secret").toString());
            note(info, "refreshCDN passwd: is in the file cdn.secret now, mode 600");
        } else {
            parameters.put("password", password);
        }
        parameters.put("base", localpath.child("sendurl").get("base"));
        Element regex = localpath.child("regexurl");
        String match = java(regex.get("match"));
        if (regex.get("regex").equalsIgnoreCase("true")
                && usable(regex, match, () -> Excludes.of(null, escaped(match)))) {
            parameters.put("match", match);
        }
    }

    private static String url(String url, String port) {
        String whole = url.contains("://") ? url : "http://" + url;
        if (port.isEmpty() || port.equals("80") || whole.matches("[a-z]+://[^/]*:\\d+.*")) {
            return whole;
        }
        return whole.replaceFirst("^([a-z]+://[^/]*)", "$1:" + port);
    }

    // ---- small parts

    private void set(String key, String value, String comment) {
        settings.put(key, new Setting(value, comment));
    }

    private static String name(String path) {
        Path last = Path.of(path).normalize().getFileName();
        String name =
                last == null ? "" : last.toString().toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-");
        name = name.replaceAll("^-+|-+$", "");
        return name.isEmpty() ? "mirror" : name;
    }

    private static String unique(Set<String> taken, String name) {
        String unique = name;
        for (int i = 2; !taken.add(unique); i++) {
            unique = name + "-" + i;
        }
        return unique;
    }

    private void note(Element element, String text) {
        notes.add(new Note(element.line, text));
    }

    private IllegalArgumentException wrong(Element element, String text) {
        return new IllegalArgumentException(file + ":" + element.line + ": " + text);
    }
}
