package io.dromedary.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FilterListTest {
    @TempDir
    Path source;

    private List<String> filters(String... rules) {
        FilterList list = new FilterList(source);
        Stream.of(rules).forEach(list::filter);
        return arguments(list);
    }

    private static List<String> arguments(FilterList list) {
        return list.rules().stream()
                .map(FilterRule::argument)
                .map(argument -> argument.substring("--filter=".length()))
                .toList();
    }

    private void file(String name, String content) throws IOException {
        Files.writeString(source.resolve(name), content, StandardCharsets.ISO_8859_1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            ignoreLeadingAndTrailingWhitespace = true,
            textBlock =
                    """
            - x             | - x
            -_x             | - x
            -,_x            | - x
            + /a/***        | + /a/***
            include *.php   | + *.php
            exclude,! a b   | -! a b
            hide x          | -s x
            H x             | -s x
            show x/         | +s x/
            P *.log         | -r *.log
            protect,p x     | -rp x
            risk_x          | +r x
            -s x            | -s x
            +rp x           | +rp x
            -x user.*       | -x user.*
            """)
    void oneRule(String rule, String expected) {
        assertThat(filters(rule)).containsExactly(expected);
    }

    @Test
    void anExclamationMarkClearsWhatCameBefore() {
        assertThat(filters("- a", "!", "- b")).containsExactly("- b");
        assertThat(filters("- a", "clear", "- b")).containsExactly("- b");
        FilterList list = new FilterList(source);
        list.pattern("a", false);
        list.pattern("!", false);
        list.pattern("!b", false);
        assertThat(arguments(list)).containsExactly("- !b");
    }

    @Test
    void excludeAndIncludeTakeTheOtherByItsSign() {
        FilterList list = new FilterList(source);
        list.pattern("a", false);
        list.pattern("+ b", false);
        list.pattern("- c", true);
        list.pattern("d", true);
        list.pattern("", true);
        list.pattern("-e", false);
        assertThat(arguments(list)).containsExactly("- a", "+ b", "- c", "+ d", "- -e");
    }

    /** Our own calls have --from0, which does not hold for a user's files. */
    @Test
    void files() throws IOException {
        file("list", "# a comment\n; another\n\n/private/\n+ keep\r\n  blanks \nlast");
        file("nul", "a\nb\0#c\0d");
        FilterList list = new FilterList(source);
        list.patternsFrom("list", false, false);
        list.patternsFrom(source + "/nul", true, true);
        assertThat(arguments(list)).containsExactly("- /private/", "+ keep", "-   blanks ", "- last", "+ a\nb", "+ d");
    }

    @Test
    void mergedFiles() throws IOException {
        file("rules", "- a\nmerge more\n. more\n+ z\n");
        file("more", "P b\n");
        file("words", " x\ty\n#z ");
        assertThat(filters("merge rules")).containsExactly("- a", "-r b", "-r b", "+ z");
        assertThat(filters(".-w words", ".+se words")).containsExactly("- x", "- y", "- #z", "- words", "+s  x\ty");
    }

    @Test
    void theListOfCvs() {
        assertThat(filters("- a", "-C", "- z"))
                .startsWith("- a", "-p RCS", "-p SCCS")
                .contains("-p *.o", "-p .git/")
                .endsWith("-p core", "-p .svn/", "-p .git/", "-p .hg/", "-p .bzr/", "- z");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            textBlock =
                    """
            : .rules    | filter rule ": .rules" reads a file in each directory, which the watch cannot; write its rules here, or --filter='merge FILE'
            dir-merge x | filter rule "dir-merge x" reads a file in each directory, which the watch cannot; write its rules here, or --filter='merge FILE'
            :C          | filter rule ":C" reads a file in each directory, which the watch cannot; write its rules here, or --filter='merge FILE'
            -/ /srv/x   | filter rule "-/ /srv/x" is matched with the path of the file system, another at the remote; / at the beginning of a pattern is the source
            -           | filter rule "-" has no pattern
            x           | filter rule "x" is no filter rule; it begins with +, -, H, S, P, R or . (or the word for it) and a blank
            -q x        | filter rule "-q x" has the modifier q, which there is not
            -sr x       | filter rule "-sr x" is for the source and for the remote at once; leave out s and r for both
            ! x         | filter rule "! x" has something behind the !
            .           | filter rule "." names no file
            . -         | filter rule -: standard input is Dromedary's own; name a file
            """)
    void whatCannotBeIsRefused(String rule, String message) {
        assertThatIllegalArgumentException().isThrownBy(() -> filters(rule)).withMessage(message);
    }

    @Test
    void whatIsWrongInAFileIsNamedWithItsLine() throws IOException {
        file("rules", "- a\n\n: x\n");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> filters("merge rules"))
                .withMessageStartingWith(source + "/rules:3 \": x\" reads a file in each directory");
        file("gbk", "a\n\u00c4\u00e3*\n");
        FilterList list = new FilterList(source);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> list.patternsFrom("gbk", false, false))
                .withMessageStartingWith(source + "/gbk:2 ")
                .withMessageEndingWith("is no UTF-8; ? stands for one byte of any kind");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> list.patternsFrom("none", false, false))
                .withMessage("exclude-from none: there is no file " + source + "/none");
        file("loop", ". loop\n");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> filters(". loop"))
                .withMessageEndingWith("more than 64 files merge one another");
    }

    @Test
    void theFirstRuleThatMatchesDecides() {
        FilterList list = new FilterList(source);
        List.of("+ */", "+ *.php", "P *.log", "H h", "S s", "- *").forEach(list::filter);
        Excludes excludes = Excludes.of("no*", null).with(list.rules());
        assertThat(excludes.matches("a/x.php", false)).isFalse();
        assertThat(excludes.matches("a/no.php", false)).isTrue();
        assertThat(excludes.matches("a/x", false)).isTrue();
        assertThat(excludes.matches("x", true)).isFalse();
        assertThat(excludes.matches("h", false)).isTrue();
        assertThat(excludes.protects("h", false)).isTrue();
        assertThat(excludes.matches("s", false)).isFalse();
        assertThat(excludes.protects("s", false)).isTrue();
        assertThat(excludes.protects("x.log", false)).isTrue();
        assertThat(excludes.hasIncludes()).isTrue();
    }

    @Test
    void theWatchLeavesOutOnlyWhatAllRemotesDo() {
        FilterList one = new FilterList(source);
        one.filter("- /a/");
        one.filter("- /b");
        FilterList other = new FilterList(source);
        other.filter("- b");
        Excludes mirror = Excludes.of("tmp", null);
        Excludes both = mirror.withCommon(List.of(mirror.with(one.rules()), mirror.with(other.rules())));
        assertThat(both.covers("b", false)).isTrue();
        assertThat(both.matches("a", true)).isFalse();
        assertThat(both.matches("a/b", false)).isTrue();
        assertThat(both.matches("x/b", false)).isFalse();
        assertThat(both.matches("tmp", false)).isTrue();
        Excludes same = mirror.withCommon(List.of(mirror.with(one.rules()), mirror.with(one.rules())));
        assertThat(same.matches("a", true)).isTrue();
        assertThat(mirror.withCommon(List.of(mirror.with(one.rules()), mirror)).matches("b", false))
                .isFalse();
        assertThat(mirror.withCommon(List.of()).matches("b", false)).isFalse();
    }
}
