package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each {@link #start} is one more run. */
class KnownTargetTest {
    private static final String FAR = "web1::www";
    private static final Set<String> ALL = Set.of("a", "b", "c");

    @TempDir
    Path directory;

    private Path source;
    private Path near;

    @BeforeEach
    void threeNames() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        near = Files.createDirectory(directory.resolve("near"));
        for (String name : ALL) {
            Files.writeString(source.resolve(name), "");
        }
    }

    private KnownTarget start(String target) {
        Mirrors mirrors = new Mirrors();
        Mirror mirror = new Mirror();
        mirror.setId("www");
        mirror.setSource(source.toString());
        mirror.setExclude("excluded");
        mirror.setMirrors(mirrors);
        mirror.register();
        Remote remote = new Remote();
        remote.setId("web1");
        remote.setMirror("www");
        remote.setTarget(target);
        remote.setArgs("-a");
        remote.setMirrors(mirrors);
        return new KnownTarget(remote, directory.resolve("state/targets/web1"));
    }

    private void replace() throws IOException {
        Files.move(near, directory.resolve("away"));
        Files.createDirectory(near);
    }

    @Test
    void whatATargetNeverToldToBeThereIsNotMissed() {
        KnownTarget target = start(FAR);
        assertThat(target.loss(ALL, ALL)).isNull();
        target.learn(ALL, Set.of("a", "b"));
        assertThat(target.loss(ALL, Set.of("a", "b"))).isNull();
    }

    @Test
    void mostOfWhatWasThereHasToBeGoneOverRestartsToo() {
        start(FAR).learn(ALL, Set.of());
        assertThat(start(FAR).loss(ALL, Set.of("a"))).isNull();
        assertThat(start(FAR).loss(ALL, Set.of("a", "b"))).isEqualTo("2 of 3 names known there are gone");
    }

    @Test
    void anotherTargetInTheRouteIsNotKnown() {
        start(FAR).learn(ALL, Set.of());
        assertThat(start("web2::www").loss(ALL, ALL)).isNull();
    }

    @Test
    void whatIsGoneAtTheSourceOrExcludedByNowIsNotAskedFor() throws IOException {
        KnownTarget target = start(FAR);
        target.learn(Set.of("a", "b", "c", "excluded"), Set.of());
        Files.writeString(source.resolve("excluded"), "");
        Files.writeString(source.resolve("new"), "");
        Files.delete(source.resolve("a"));
        assertThat(target.questions()).containsExactlyInAnyOrder("b", "c", "new");
    }

    @Test
    void afterAFullSyncNothingIsMissedUntilItIsAskedAgain() {
        KnownTarget target = start(FAR);
        target.learn(ALL, Set.of());
        assertThat(target.pushed(true, false)).isTrue();
        assertThat(target.loss(ALL, ALL)).isNull();
    }

    @Test
    void askedOnceAfterAPauseAndAfterEachOutage() {
        KnownTarget target = start(FAR);
        assertThat(target.pushed(false, false)).as("the first of this run").isTrue();
        assertThat(target.pushed(false, false)).as("one of a stream").isFalse();
        assertThat(target.pushed(false, true)).as("one that had failed").isTrue();
    }

    @Test
    void anotherDirectoryIsAnotherTargetUntilAFullSyncIsThrough() throws IOException {
        KnownTarget target = start(near.toString());
        assertThat(target.problem(true)).isNull();
        target.pushed(true, false);
        assertThat(target.takeAnother()).isFalse();
        replace();
        assertThat(target.problem(false)).isNull();
        assertThat(target.pushed(false, false)).isTrue();
        assertThat(target.takeAnother()).isTrue();
        target.problem(false);
        assertThat(target.takeAnother()).as("asked for once").isFalse();
        KnownTarget killed = start(near.toString());
        killed.problem(false);
        assertThat(killed.takeAnother()).as("after a kill again").isTrue();
        killed.problem(true);
        killed.pushed(true, false);
        KnownTarget next = start(near.toString());
        next.problem(false);
        assertThat(next.takeAnother()).isFalse();
    }

    @Test
    void replacedDuringAFullSyncItGetsOneMore() throws IOException {
        KnownTarget target = start(near.toString());
        target.problem(true);
        replace();
        assertThat(target.pushed(true, false)).isTrue();
        assertThat(target.takeAnother()).isTrue();
    }

    @Test
    void aDirectoryThatThePushItselfMadeIsTheRightOne() throws IOException {
        Files.delete(near);
        KnownTarget target = start(near.toString());
        target.problem(true);
        Files.createDirectory(near);
        target.pushed(true, false);
        target.problem(false);
        assertThat(target.takeAnother()).isFalse();
    }
}
