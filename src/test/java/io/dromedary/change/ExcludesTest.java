package io.dromedary.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExcludesTest {
    /** Paths here end in a slash where a directory is meant; "none" is nothing. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            textBlock =
                    """
            # pattern      | excluded              | not excluded
            foo            | foo foo/ a/b/foo      | xfoo foox a/foo/b
            foo/           | foo/ a/foo/           | foo a/foo
            /foo           | foo foo/              | a/foo
            /foo/          | foo/                  | foo a/foo/
            a/b            | a/b x/a/b a/b/        | b xa/b a/bx a/x/b
            /a/b           | a/b                   | x/a/b
            a/b/           | a/b/ x/a/b/           | a/b
            *.o            | x.o .o a/x.o x.o/     | x.oo xo
            *              | a a/b .x              | none
            a*b            | ab axxb d/ab          | a/b abx
            a?c            | abc d/a.c             | ac a/c abbc
            a/*            | a/b x/a/b a/b/        | b a/b/c ax/b a/
            /a/*           | a/b                   | x/a/b a/b/c
            *a/b           | xa/b d/a/b            | a/x/b
            a/*/c          | a/b/c x/a/b/c         | a/c a/b/b/c
            **             | a a/b a/b/            | none
            a**            | a ab a/b x/ay/z       | xa ba
            **a            | a ba x/y/a            | ab a/b
            **/a           | a x/a x/y/a           | ba a/b
            /**/a          | x/a x/y/a             | a
            a/**           | a/b a/b/c x/a/b       | a a/ xa/b
            a/**/c         | a/b/c a/b/b/c         | a/c
            a/***          | a/ a/b x/a/ x/a/b/c   | a xa/
            /a/***         | a/ a/b                | a x/a/
            a/***/         | a/ a/b/               | a a/b
            [ab]           | a b x/a               | c ab
            [!ab]          | c x/d                 | a b
            [^ab]          | c                     | a b
            [a-c]x         | ax bx cx              | dx -x
            [a-a]          | a                     | b -
            [a-]           | a -                   | b
            []a]           | ] a                   | b
            [[:digit:]_]   | 1 _                   | a
            [[:upper:]]*   | A Ab                  | a
            [[:none:]a]    | none                  | a
            [a             | none                  | a [a
            [!a]b          | xb                    | x/b ab
            [a/]b          | none                  | ab x/ab a/b
            a\\b           | a\\b                  | ab
            a\\b*          | ab abc                | a\\b
            a\\\\b*        | a\\b a\\bc            | ab
            \\*x*          | *x *xy                | ax
            x\\*           | x*                    | xy x\\*
            x*\\           | none                  | x\\ x
            é              | é a/é                 | e
            é*             | é éx                  | e
            ?              | e                     | é
            ??             | é ee                  | e
            日本/*.txt     | 日本/語.txt           | 日/語.txt
            - a            | a x/a                 | -
            - - a*         | none                  | a
            """)
    void patterns(String pattern, String excluded, String others) {
        Excludes excludes = Excludes.of(pattern, null);
        check(excludes, excluded, true);
        check(excludes, others, false);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            textBlock =
                    """
            foo            | foo foo/              | a/foo xfoo foox
            /a/foo         | a/foo a/foo/          | foo x/a/foo
            foo/           | foo/                  | foo a/foo/
            .*/            | foo/ a/foo/           | foo a/foo
            .*\\.gz        | x.gz a/x.gz é.gz …gz.gz | x.gz.tmp
            .*/tmp(/.*)?   | a/tmp a/tmp/x         | tmp tmpx
            "tmp|/a/tmp"   | tmp a/tmp             | a/b/tmp
            /a/[^/]*       | a/x                   | x a/x/y
            é.*            | é éa                  | e
            x{1\\,2}       | x xx                  | xxx
            """)
    void regexes(String regex, String excluded, String others) {
        Excludes excludes = Excludes.of(null, regex);
        assertThat(excludes.hasRegexes()).isTrue();
        check(excludes, excluded, true);
        check(excludes, others, false);
    }

    private static void check(Excludes excludes, String paths, boolean expected) {
        for (String path : paths.equals("none") ? new String[0] : paths.split(" ")) {
            boolean directory = path.endsWith("/");
            String name = directory ? path.substring(0, path.length() - 1) : path;
            assertThat(excludes.matches(ByteString.of(name), directory))
                    .as(path)
                    .isEqualTo(expected);
        }
    }

    @Test
    void namesThatAreNotUtf8() {
        assertThat(Excludes.of("a?", null).matches("a\u00ff", false)).isTrue();
        assertThat(Excludes.of("[!b]", null).matches("\u0085", false)).isTrue();
        assertThat(Excludes.of("a\u00ff", null).matches("a\u00ff", false)).isFalse();
        assertThat(Excludes.of(null, "a.b").matches("a\u0085b", false)).isTrue();
        assertThat(Excludes.of("a*b,*c", null).matches("a\nb", false)).isTrue();
        assertThat(Excludes.of(null, "a").matches("a\n", false)).isFalse();
    }

    @Test
    void whatIsBelowAnExcludedDirectoryIsCovered() {
        Excludes excludes = Excludes.of("tmp/, /a/*.o", "/log/[0-9]+");
        assertThat(excludes.covers("x/tmp/y/z", false)).isTrue();
        assertThat(excludes.matches("x/tmp/y/z", false)).isFalse();
        assertThat(excludes.covers("x/tmp", true)).isTrue();
        assertThat(excludes.covers("x/tmp", false)).isFalse();
        assertThat(excludes.covers("a/b.o/c", true)).isTrue();
        assertThat(excludes.covers("log/17/x", false)).isTrue();
        assertThat(excludes.covers("log/x/17", false)).isFalse();
    }

    @Test
    void theRootIsNeverExcluded() {
        Excludes excludes = Excludes.of("*,**,***,/,/***", ".*");
        assertThat(excludes.covers("", true)).isFalse();
        assertThat(excludes.matches("", true)).isFalse();
    }

    @Test
    void listsAsUsersWriteThem() {
        Excludes excludes = Excludes.of("  *.o ,, é , a\\,b , - x, end\\ ,", " , ");
        assertThat(excludes.patterns()).containsExactly("*.o", "é", "a,b", "- x", "end\\");
        assertThat(excludes.hasRegexes()).isFalse();
        assertThat(excludes.matches("a,b", false)).isTrue();
        assertThat(excludes.matches("end\\", false)).isTrue();
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", "  ", " , "})
    void none(String list) {
        Excludes excludes = Excludes.of(list, list);
        assertThat(excludes.patterns()).isEmpty();
        assertThat(excludes.hasRegexes()).isFalse();
        assertThat(excludes.covers("a/b", false)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"+ a", "!", ": .rules", ":n .rules", ". rules", ":C"})
    void otherFilterRulesAreRefused(String pattern) {
        assertThatThrownBy(() -> Excludes.of("ok, " + pattern, null))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("exclude pattern \"" + pattern + "\": only exclusions are possible here; rsync.args takes"
                        + " rsync's other filter rules (a name like this: \"- " + pattern + "\")");
        Excludes excludes = Excludes.of("- " + pattern, null);
        assertThat(excludes.matches(pattern, false)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"!a", "+", "+a", "-", "-a", ":a", ".a", ":a b", ".a b"})
    void namesThatOnlyLookLikeRules(String name) {
        assertThat(Excludes.of(name, null).matches(name, false)).isTrue();
    }

    @Test
    void aBadElementIsNamedInOneLine() {
        assertThatThrownBy(() -> Excludes.of(null, "ok,(é"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("exclude regex \"(é\": Unclosed group");
        assertThatThrownBy(() -> Excludes.of("a\0\nb", null))
                .hasMessage("exclude pattern \"a??b\": contains a NUL or half a surrogate pair");
        assertThatThrownBy(() -> Excludes.of("a\ud800", null)).hasMessageContaining("half a surrogate pair");
    }

    @Test
    @Timeout(5)
    void aPathOfFullLengthIsNoProblem() {
        String path = "ab/".repeat(1364) + "ab";
        assertThat(Excludes.of("a**b**a**b**c", null).matches(path, false)).isFalse();
        assertThat(Excludes.of("**/*a*/**b*/**c", null).matches(path, false)).isFalse();
        assertThat(Excludes.of("**/*a*/**b*/**b", null).matches(path, false)).isTrue();
        assertThat(Excludes.of(null, "(/|a|b)*").matches(path, false)).isFalse();
        assertThat(Excludes.of(null, "(/|a|b)*").matches("ab/ab", false)).isTrue();
    }

    @Test
    void pathsOfOurOwnAreLeftOutLiterally() {
        Excludes excludes = Excludes.of("*.tmp", "x.*").without(List.of("sta[t]e", "a\\b", "deep/st*te", "w\\[1]"));
        assertThat(excludes.patterns()).containsExactly("/sta\\[t]e", "/a\\b", "/deep/st\\*te", "/w\\\\\\[1]", "*.tmp");
        for (String own : List.of("sta[t]e", "a\\b", "deep/st*te", "w\\[1]")) {
            assertThat(excludes.covers(own, true)).as(own).isTrue();
            assertThat(excludes.covers(own + "/pid", false)).as(own).isTrue();
            assertThat(excludes.covers("deep/" + own, false)).as(own).isFalse();
        }
        assertThat(excludes.covers("state", true)).isFalse();
        assertThat(excludes.covers("deep/state", true)).isFalse();
        assertThat(excludes.covers("a.tmp", false)).isTrue();
        assertThat(excludes.covers("xy", false)).isTrue();
    }
}
