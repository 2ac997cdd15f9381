package io.dromedary.change;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What rsync really copies is the truth. -Ddromedary.seed=N repeats a run. */
class ExcludesIT {
    private static final int TREES = 16;
    private static final int RUNS_PER_TREE = 24;
    /** Each takes three processes. */
    private static final int ORDERED_TREES = 4;

    private static final int ORDERED_RUNS = 16;
    private static final String[] NAMES = {
        "a", "b", "ab", "ba", "aab", "a.b", "A", "1", "-", "]", "[a]", "a*", "a\\b", "\\a", "!a", "a b", "a\nb", ":",
        "é", "éa", "日", "#a", "a,b"
    };
    private static final String[] NAMES_NOT_UTF8 = {"\u00ff", "a\u0085", "\u00e9"};
    private static final String[] RULES = {
        "- ",
        "+ ",
        "+ ",
        "-_",
        "H ",
        "S ",
        "P ",
        "R ",
        "-! ",
        "+! ",
        "exclude ",
        "include_",
        "hide,! ",
        "-s ",
        "+r ",
        "risk "
    };
    private static final String[] PIECES = {
        "a",
        "b",
        "a",
        "b",
        "ab",
        "é",
        "日",
        ".",
        "*",
        "*",
        "*",
        "**",
        "**",
        "***",
        "?",
        "/",
        "/",
        "/",
        "\\",
        "\\*",
        "\\\\",
        "\\a",
        "[ab]",
        "[!a]",
        "[^b]",
        "[a-b]",
        "[",
        "]",
        "[]a]",
        "[a-]",
        "[\\]a]",
        "[a/]",
        "[!/]",
        "[é]",
        "[[:alpha:]]",
        "[![:alnum:]]",
        "[[:punct:]a]",
        "[[:x:]]",
        "[[:a]",
        "[a-",
        "[b-a]",
        "[\\a-\\b]",
        "!",
        "-",
        ",",
        " ",
        "\n",
        "A",
        "1",
        ":"
    };

    @TempDir
    Path scratch;

    private Random random;
    private String seed;
    /** Entries of the tree as byte strings, a directory with a slash at its end. */
    private final Set<String> tree = new TreeSet<>();

    @BeforeEach
    void seed() {
        long value = Long.getLong("dromedary.seed", System.nanoTime());
        seed = "dromedary.seed=" + value;
        System.out.println("ExcludesIT " + seed);
        random = new Random(value);
    }

    @Test
    void decidesLikeRsync() throws Exception {
        int excluded = 0;
        for (int i = 0; i < TREES; i++) {
            makeTree();
            List<List<String>> runs = new ArrayList<>();
            for (int j = 0; j < RUNS_PER_TREE; j++) {
                runs.add(j % 4 == 3 ? List.of(pattern(), pattern(), pattern()) : List.of(pattern()));
            }
            excluded += compare(runs);
        }
        assertThat(excluded).as("entries excluded, " + seed).isGreaterThan(TREES * RUNS_PER_TREE);
    }

    /** Patterns that random ones seldom are. */
    @Test
    void decidesLikeRsyncOnKnownCorners() throws Exception {
        makeTree();
        compare(Stream.of(
                        "/",
                        "//",
                        "a/",
                        "a//",
                        "//a",
                        "/a/",
                        ".",
                        "..",
                        "./a",
                        "*/",
                        "/*/",
                        "**/",
                        "***/",
                        "/***",
                        "/**",
                        "a/***",
                        "a/***/",
                        "/a/***",
                        "**/a",
                        "/**/a",
                        "**/a/**",
                        "a**/b",
                        "*/**",
                        "**/*",
                        "[[:]",
                        "[[:]a]",
                        "[[::]]",
                        "[a-[:alpha:]]",
                        "[[:alpha:]-a]",
                        "[",
                        "[]",
                        "[!]",
                        "[!]]",
                        "[-a]",
                        "[a\\",
                        "a*\\",
                        "\\**",
                        "[**]",
                        "?**",
                        "-",
                        "- a",
                        "- - *",
                        "- !",
                        "- + a",
                        "!a",
                        "+a",
                        ":a",
                        "#a",
                        ";",
                        "é*",
                        "[!a-z]",
                        "??",
                        "???",
                        "*[/]*",
                        "*/[/]*",
                        "a\\b",
                        "a\\\\b*",
                        "*\\b")
                .map(List::of)
                .toList());
    }

    /** Ordered rules that include and exclude, at both ends, as they decide what is sent and what is not deleted. */
    @Test
    void orderedRulesDecideLikeRsync() throws Exception {
        int sent = 0;
        int stayed = 0;
        for (int i = 0; i < ORDERED_TREES; i++) {
            makeTree();
            List<List<String>> runs = new ArrayList<>();
            for (int j = 0; j < ORDERED_RUNS; j++) {
                List<String> rules = new ArrayList<>();
                for (int rule = 1 + random.nextInt(5); rule > 0; rule--) {
                    rules.add(RULES[random.nextInt(RULES.length)] + pattern());
                }
                if (random.nextInt(3) == 0) {
                    rules.add(0, "+ */");
                    rules.add("- *");
                }
                if (random.nextInt(10) == 0) {
                    rules.add(random.nextInt(rules.size() + 1), "!");
                }
                runs.add(rules);
            }
            run("", "rm", "-rf", "sent", "stays", "empty");
            run("", "mkdir", "sent", "stays", "empty");
            for (int j = 0; j < runs.size(); j++) {
                StringBuilder filters = new StringBuilder();
                runs.get(j).forEach(rule -> filters.append("--filter=")
                        .append(ByteString.of(rule))
                        .append('\0'));
                run("", "cp", "-al", "src", "stays/" + j);
                run(filters + "--link-dest=../../src\0src/\0sent/" + j + "/\0", "xargs", "-0", "rsync", "-a");
                run(filters + "--delete\0empty/\0stays/" + j + "/\0", "xargs", "-0", "rsync", "-a");
            }
            Set<String> copied = list("sent");
            Set<String> left = list("stays");
            for (int j = 0; j < runs.size(); j++) {
                FilterList list = new FilterList(scratch);
                runs.get(j).forEach(list::filter);
                Excludes excludes = Excludes.of(null, null).with(list.rules());
                assertThat(kept(excludes))
                        .as("%s of %s, %s", runs.get(j), tree, seed)
                        .isEqualTo(below(copied, j));
                Set<String> stays = stays(excludes);
                assertThat(stays)
                        .as("stays: %s of %s, %s", runs.get(j), tree, seed)
                        .isEqualTo(below(left, j));
                sent += below(copied, j).size();
                stayed += stays.size();
            }
        }
        assertThat(sent).as("entries sent, " + seed).isGreaterThan(ORDERED_TREES * ORDERED_RUNS);
        assertThat(stayed).as("entries left, " + seed).isGreaterThan(ORDERED_TREES * ORDERED_RUNS);
    }

    private static Set<String> below(Set<String> entries, int run) {
        Set<String> below = new TreeSet<>();
        for (String entry : entries) {
            if (entry.startsWith(run + "/") && !entry.equals(run + "/")) {
                below.add(entry.substring(entry.indexOf('/') + 1));
            }
        }
        return below;
    }

    /** What is protected, with all below it, and the directories that it lies in. */
    private Set<String> stays(Excludes excludes) {
        Set<String> stays = new TreeSet<>();
        for (String entry : tree) {
            boolean directory = entry.endsWith("/");
            String path = directory ? entry.substring(0, entry.length() - 1) : entry;
            if (excludes.coversAtRemote(path, directory)) {
                stays.add(entry);
                for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
                    stays.add(path.substring(0, slash + 1));
                }
            }
        }
        return stays;
    }

    /** The arguments as a caller would give them, through Java's own encoding. */
    @Test
    void patternsAreArguments() throws Exception {
        assumeTrue(Charset.defaultCharset().equals(UTF_8) && "UTF-8".equals(System.getProperty("sun.jnu.encoding")));
        makeTree();
        Excludes excludes = Excludes.of("é*, /日/, - a\\,b", null);
        List<String> command = new ArrayList<>(List.of("rsync", "-a"));
        excludes.patterns().forEach(pattern -> command.add("--exclude=" + pattern));
        command.addAll(List.of(scratch + "/src/", scratch + "/arguments/"));
        run("", command.toArray(String[]::new));
        assertThat(list("arguments")).isEqualTo(kept(excludes)).isNotEqualTo(tree);
    }

    /** Lets rsync copy the tree once for each list of patterns; how many entries were excluded. */
    private int compare(List<List<String>> runs) throws Exception {
        run("", "rm", "-rf", "dst");
        for (int i = 0; i < runs.size(); i++) {
            // xargs, for its input is bytes whatever the locale of this JVM is; hard links, for they are quick.
            StringBuilder arguments = new StringBuilder();
            runs.get(i).forEach(pattern -> arguments
                    .append("--exclude=")
                    .append(ByteString.of(pattern))
                    .append('\0'));
            run(arguments + "--mkpath\0--link-dest=../../src\0src/\0dst/" + i + "/\0", "xargs", "-0", "rsync", "-a");
        }
        Set<String> copied = list("dst");
        int excluded = 0;
        for (int i = 0; i < runs.size(); i++) {
            List<String> patterns = runs.get(i);
            String list = String.join(
                    ",", patterns.stream().map(p -> p.replace(",", "\\,")).toList());
            Excludes excludes = Excludes.of(list, null);
            assertThat(excludes.patterns()).isEqualTo(patterns);
            Set<String> expected = below(copied, i);
            assertThat(kept(excludes)).as("%s of %s, %s", patterns, tree, seed).isEqualTo(expected);
            excluded += tree.size() - expected.size();
        }
        return excluded;
    }

    private Set<String> kept(Excludes excludes) {
        Set<String> kept = new TreeSet<>(tree);
        kept.removeIf(entry -> {
            boolean directory = entry.endsWith("/");
            return excludes.covers(directory ? entry.substring(0, entry.length() - 1) : entry, directory);
        });
        return kept;
    }

    private String pattern() {
        while (true) {
            StringBuilder pattern = new StringBuilder(random.nextInt(4) == 0 ? "/" : "");
            for (int pieces = 1 + random.nextInt(6); pieces > 0; pieces--) {
                pattern.append(PIECES[random.nextInt(PIECES.length)]);
            }
            if (random.nextInt(5) == 0) {
                pattern.append('/');
            }
            String text = pattern.toString();
            // What a list cannot hold: blanks at either end, a backslash before a comma; and other filter rules.
            if (text.equals(text.trim())
                    && !text.contains("\\,")
                    && !text.matches("(?s)!|(:[^ ]*|\\.) .*")
                    && !text.endsWith("\\")) {
                return text;
            }
        }
    }

    private void makeTree() throws Exception {
        run("", "rm", "-rf", "src");
        tree.clear();
        StringBuilder directories = new StringBuilder("src\0");
        StringBuilder files = new StringBuilder();
        List<String> parents = new ArrayList<>(List.of(""));
        for (int i = 0; i < 70; i++) {
            String parent = parents.get(random.nextInt(parents.size()));
            boolean foreign = random.nextInt(12) == 0;
            String name = parent
                    + (foreign
                            ? NAMES_NOT_UTF8[random.nextInt(NAMES_NOT_UTF8.length)]
                            : ByteString.of(NAMES[random.nextInt(NAMES.length)]));
            if (tree.contains(name) || tree.contains(name + "/")) {
                continue;
            }
            if (random.nextInt(5) < 2 && parent.chars().filter(c -> c == '/').count() < 4) {
                tree.add(name + "/");
                parents.add(name + "/");
                directories.append("src/").append(name).append('\0');
            } else {
                tree.add(name);
                files.append("src/").append(name).append('\0');
            }
        }
        run(directories.toString(), "xargs", "-0", "mkdir");
        run(files.toString(), "xargs", "-0", "touch");
        assertThat(list("src")).isEqualTo(tree);
    }

    private Set<String> list(String directory) throws Exception {
        Set<String> entries = new TreeSet<>();
        for (String entry : run("", "find", directory, "-mindepth", "1", "-printf", "%y%P\\0")
                .split("\0")) {
            if (!entry.isEmpty()) {
                entries.add(entry.substring(1) + (entry.startsWith("d") ? "/" : ""));
            }
        }
        return entries;
    }

    private String run(String input, String... command) throws Exception {
        Process process = new ProcessBuilder(command)
                .directory(scratch.toFile())
                .redirectErrorStream(true)
                .start();
        try (var out = process.getOutputStream()) {
            out.write(input.getBytes(ISO_8859_1));
        }
        String output = new String(process.getInputStream().readAllBytes(), ISO_8859_1);
        assertThat(process.waitFor()).as("%s: %s", List.of(command), output).isZero();
        return output;
    }
}
