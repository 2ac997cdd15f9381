package io.dromedary.pushed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.mirror.Remote;
import io.dromedary.push.Batch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.apache.camel.Exchange;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a route after the push is told, and when: the two beans, called as push.camel.yaml and the Kamelet call them. */
class AfterPushTest {
    @TempDir
    Path directory;

    private final DefaultCamelContext context = new DefaultCamelContext();
    private final Mirrors mirrors = new Mirrors();
    private AfterPush afterPush;
    private Path source;

    @BeforeEach
    void mirror() throws IOException {
        source = Files.createDirectories(directory.resolve("source"));
        Mirror mirror = new Mirror();
        mirror.setId("www");
        mirror.setSource(source.toString());
        mirror.setExclude("*.tmp");
        mirror.setExcludeRegex("");
        mirror.setMirrors(mirrors);
        mirror.register();
        remote("web1");
        remote("web2");
        afterPush = afterPush();
        context.start();
    }

    @AfterEach
    void stop() {
        context.stop();
    }

    private void remote(String id) throws IOException {
        remote(id, "-a");
    }

    private void remote(String id, String args) throws IOException {
        Remote remote = new Remote();
        remote.setId(id);
        remote.setMirror("www");
        remote.setTarget("192.0.2.1::" + id);
        remote.setPasswordFile("");
        remote.setSsh("ssh");
        remote.setArgs(args);
        remote.setBwlimit("");
        remote.setMirrors(mirrors);
        remote.register();
    }

    private AfterPush afterPush() {
        AfterPush created = new AfterPush();
        created.setMirrors(mirrors);
        created.setStateDir(directory.resolve("state").toString());
        created.setBackoff("1ms");
        created.setMaxBackoff("1ms");
        return created;
    }

    private Subscription subscribe(String mirror, String remote, String each) throws IOException {
        Subscription subscription = new Subscription();
        subscription.setCamelContext(context);
        subscription.setAfterPush(afterPush);
        subscription.setId("step");
        subscription.setMirror(mirror);
        subscription.setRemote(remote);
        subscription.setEach(each);
        subscription.open();
        return subscription;
    }

    private static ChangeSet changes(String... paths) {
        ChangeSet changes = new ChangeSet();
        for (String path : paths) {
            boolean deep = path.endsWith("/");
            changes.add(deep ? path.substring(0, path.length() - 1) : path, deep);
        }
        return changes;
    }

    private static Batch batch(ChangeSet changes) {
        Batch batch = new Batch();
        batch.merge(changes);
        return batch;
    }

    /** A change on its way to a remote. */
    private Exchange owed(String remote, Object body) {
        Exchange exchange = new DefaultExchange(context);
        exchange.getMessage().setHeader("remote", remote);
        exchange.getMessage().setBody(body);
        afterPush.owed(exchange);
        return exchange;
    }

    private Exchange reads(String remote) {
        Exchange exchange = new DefaultExchange(context);
        exchange.getMessage().setHeader("remote", remote);
        afterPush.reads(exchange);
        return exchange;
    }

    private Set<String> through(Exchange push, ChangeSet changes) {
        push.setProperty("batch", batch(changes));
        return afterPush.through(push, push.getMessage().getHeader("remote", String.class));
    }

    private Set<String> pushed(String remote, String... paths) {
        return through(reads(remote), changes(paths));
    }

    /** Takes everything as the Kamelet does, and says that it is done. */
    private List<String> told(Subscription subscription) {
        List<String> bodies = new ArrayList<>();
        for (Iterator<Object> all = subscription.untold(); all.hasNext(); ) {
            Object told = all.next();
            bodies.add(described(subscription, told).getMessage().getBody(String.class));
            subscription.done(told);
        }
        return bodies.stream().map(body -> body.replace(source + "", "")).toList();
    }

    /** Camel asks for the next message before it has told the last, and once more after the end. */
    @Test
    void theLastOneToldLeavesNothingOnDisk() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        owed("web1", changes("a"));
        pushed("web1", "a");
        Iterator<Object> all = step.untold();
        Object told = all.next();
        assertThat(all.hasNext()).isFalse();
        assertThat(directory.resolve("state/pushed/step/waiting.changes")).hasContent("entry a");
        step.done(told);
        assertThat(directory.resolve("state/pushed/step/waiting.changes")).doesNotExist();
        owed("web1", changes("b"));
        pushed("web1", "b");
        assertThat(all.hasNext()).as("what comes later is for the next one").isFalse();
        assertThat(told(step)).containsExactly("/b");
    }

    private Exchange described(Subscription subscription, Object told) {
        Exchange exchange = new DefaultExchange(context);
        exchange.getMessage().setBody(told);
        subscription.describe(exchange);
        return exchange;
    }

    @Test
    void oneRemoteIsToldOnceItIsThrough() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        owed("web1", changes("a"));
        owed("web2", changes("a"));
        assertThat(pushed("web2", "a")).isEmpty();
        assertThat(told(step)).isEmpty();
        assertThat(pushed("web1", "a")).containsExactly("step");
        assertThat(told(step)).containsExactly("/a");
        assertThat(pushed("web1", "a")).as("nobody owes it any more").isEmpty();
        assertThat(told(step)).isEmpty();
    }

    @Test
    void aMirrorIsToldWhenTheLastRemoteHasIt() throws IOException {
        Subscription step = subscribe("www", "", "change");
        owed("web1", changes("a", "b"));
        owed("web2", changes("a", "b"));
        assertThat(pushed("web1", "a", "b")).isEmpty();
        assertThat(pushed("web2", "a")).containsExactly("step");
        assertThat(told(step)).containsExactly("/a");
        assertThat(pushed("web2", "b")).containsExactly("step");
        assertThat(told(step)).containsExactly("/b");
    }

    @Test
    void whatARemoteLeavesOutIsNotToldAsThere() throws IOException {
        remote("web3", "-a --exclude=*.log --exclude=cache/");
        Files.createDirectory(source.resolve("cache"));
        Files.createDirectories(source.resolve("made/cache"));
        Files.writeString(source.resolve("made/page"), "");
        Files.writeString(source.resolve("made/a.log"), "");
        Subscription step = subscribe("", "web3", "change");
        owed("web3", changes("a.log", "cache/in", "cache", "page", "gone.log"));
        pushed("web3", "a.log", "cache/in", "cache", "page", "gone.log");
        assertThat(told(step)).containsExactly("/page");
        owed("web3", changes("made/"));
        pushed("web3", "made/");
        assertThat(told(step)).containsExactlyInAnyOrder("/made", "/made/page");
    }

    @Test
    void whatOneOfSeveralRemotesLeavesOutIsToldWhenTheOthersHaveIt() throws IOException {
        remote("web3", "-a --exclude=*.log");
        Subscription step = subscribe("www", "", "change");
        for (String remote : List.of("web1", "web2", "web3")) {
            owed(remote, changes("a.log"));
        }
        assertThat(pushed("web1", "a.log")).isEmpty();
        assertThat(pushed("web3", "a.log")).isEmpty();
        assertThat(pushed("web2", "a.log")).containsExactly("step");
        assertThat(told(step)).containsExactly("/a.log");
    }

    @Test
    void aPushThatBeganBeforeTheChangeDoesNotCount() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        owed("web1", changes("a"));
        Exchange push = reads("web1");
        owed("web1", changes("a"));
        assertThat(through(push, changes("a"))).isEmpty();
        assertThat(pushed("web1", "a")).containsExactly("step");
        assertThat(told(step)).containsExactly("/a");
    }

    @Test
    void aDirectoryPushedAsAWholeCoversWhatIsBelow() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        owed("web1", changes("d/a", "e/"));
        assertThat(pushed("web1", "e", "d/")).containsExactly("step");
        assertThat(told(step)).as("of e not all was pushed").containsExactly("/d/a");
        pushed("web1", "e/");
        assertThat(told(step)).containsExactly("/e");
    }

    @Test
    void aFullSyncTellsOfNothingButWhatChangedBeside() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        owed("web1", ChangeSet.ofEverything());
        owed("web1", changes("a"));
        through(reads("web1"), ChangeSet.ofEverything());
        assertThat(told(step)).containsExactly("/a");
    }

    @Test
    void whatIsPushedOnceMoreIsNotToldOnceMore() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        Exchange again = new DefaultExchange(context);
        again.getMessage().setHeader("remote", "web1");
        again.getMessage().setHeader(AfterPush.AGAIN, "true");
        again.getMessage().setBody(changes("a"));
        afterPush.owed(again);
        pushed("web1", "a");
        assertThat(told(step)).isEmpty();
    }

    @Test
    void whatAnEarlierRunOwedIsToldWhenItIsThrough() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        owed("web1", batch(changes("a")));
        pushed("web1", "a");
        assertThat(told(step)).containsExactly("/a");
        owed("web1", batch(changes("b")));
        pushed("web1", "b");
        assertThat(told(step))
                .as("a redelivery within this run is known already")
                .isEmpty();
    }

    @Test
    void aNewDirectoryIsToldWithItsFiles() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        Files.createDirectories(source.resolve("d/sub"));
        Files.createFile(source.resolve("d/a"));
        Files.createFile(source.resolve("d/x.tmp"));
        Files.createFile(source.resolve("d/sub/b"));
        owed("web1", changes("d/"));
        pushed("web1", "d/");
        assertThat(told(step)).containsExactlyInAnyOrder("/d", "/d/a", "/d/sub", "/d/sub/b");
    }

    @Test
    void aBatchIsOneMessage() throws IOException {
        Subscription step = subscribe("www", "", "batch");
        owed("web1", changes("a", "b\n", "d/"));
        owed("web2", changes("a", "b\n", "d/"));
        pushed("web1", "a", "b\n", "d/");
        pushed("web2", "a", "b\n", "d/");
        List<String> told = told(step);
        assertThat(told).hasSize(1);
        assertThat(told.get(0).split("\n")).containsExactlyInAnyOrder("/a", "/b\\x0a", "/d/");
    }

    @Test
    void aMessageSaysWhatThePathIsNow() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        Files.createFile(source.resolve("é"));
        owed("web1", changes(ByteString.of("é"), "gone/"));
        pushed("web1", ByteString.of("é"), "gone/");
        for (Iterator<Object> all = step.untold(); all.hasNext(); ) {
            var message = described(step, all.next()).getMessage();
            boolean gone = message.getHeader("DromedaryPath").equals("gone");
            assertThat(message.getHeader("DromedaryGone")).isEqualTo(gone);
            assertThat(message.getHeader("DromedaryDirectory")).isEqualTo(gone);
            assertThat(message.getHeader("DromedaryMirror")).isEqualTo("www");
            assertThat(message.getHeader("DromedaryRemote")).isEqualTo("web1");
            assertThat(message.getHeader("DromedarySource")).isEqualTo(source.toString());
            assertThat(message.getBody()).isEqualTo(source + "/" + (gone ? "gone" : "é"));
            assertThat((byte[]) message.getHeader("DromedaryBytes"))
                    .isEqualTo(ByteString.bytes(ByteString.of(message.getBody(String.class))));
        }
    }

    @Test
    void whatFailsIsKeptAndComesAgainAndTheRestGoesOn() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        Path failed = directory.resolve("state/pushed/step/failed.changes");
        owed("web1", changes("a", "b"));
        pushed("web1", "a", "b");
        Iterator<Object> all = step.untold();
        Object first = all.next();
        String bad = described(step, first).getMessage().getHeader("DromedaryPath", String.class);
        step.failed(first, new IOException("http://h/x?user=u&pswd=secret said no"));
        assertThat(failed).content().contains("entry " + bad, "# error: http://h/x?… said no");
        assertThat(failed).content().doesNotContain("secret");
        List<String> told = new ArrayList<>();
        await().until(() -> {
            told.addAll(told(step));
            return told.size() >= 2;
        });
        assertThat(told).containsExactlyInAnyOrder("/a", "/b");
        assertThat(failed).doesNotExist();
        assertThat(directory.resolve("state/pushed/step/waiting.changes")).doesNotExist();
    }

    @Test
    void whatWasNotToldSurvivesAKill() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        owed("web1", changes("a", "b", "c\n"));
        pushed("web1", "a", "b", "c\n");
        Iterator<Object> all = step.untold();
        step.failed(all.next(), new IOException("no"));
        all.next();
        afterPush = afterPush();
        Subscription next = subscribe("", "web1", "change");
        assertThat(afterPush.due()).containsExactly("step");
        assertThat(told(next)).containsExactlyInAnyOrder("/a", "/b", "/c\n");
        assertThat(afterPush.due()).isEmpty();
    }

    @Test
    void aDeletedFileIsForgotten() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        owed("web1", changes("a"));
        pushed("web1", "a");
        step.failed(step.untold().next(), new IOException("no"));
        Files.delete(directory.resolve("state/pushed/step/failed.changes"));
        await().until(step::isDue);
        assertThat(told(step)).isEmpty();
    }

    @Test
    void veryManyAreToldAsDirectories() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        for (int i = 0; i < 12_000; i++) {
            step.add(changes("d/" + i));
        }
        assertThat(told(step)).hasSize(1).containsExactly("/d");
    }

    @Test
    void whatARemoteOwesIsBounded() throws IOException {
        Subscription step = subscribe("", "web1", "change");
        for (int from = 0; from < 110_000; from += 10_000) {
            ChangeSet some = new ChangeSet();
            for (int i = from; i < from + 10_000; i++) {
                some.add("d" + i % 100 + "/" + i, false);
            }
            owed("web1", some);
        }
        pushed("web1", "d1/");
        assertThat(told(step)).contains("");
    }

    @Test
    void wrongParametersAreTold() {
        assertThatThrownBy(() -> subscribe("www", "web1", "change"))
                .hasMessage("route step: kamelet:pushed takes either a mirror or a remote");
        assertThatThrownBy(() -> subscribe("", "", "change"))
                .hasMessage("route step: kamelet:pushed takes either a mirror or a remote");
        assertThatThrownBy(() -> subscribe("www", "", "all"))
                .hasMessage("kamelet:pushed: each = all: allowed is change or batch");
        assertThatThrownBy(() -> {
                    subscribe("ww", "", "change");
                    afterPush.onCamelContextStarting(context, false);
                })
                .hasMessage("no mirror ww; there are: [www]");
    }

    @Test
    void tellsOfARouteThatTakesNothing() throws IOException {
        Subscription step = subscribe("www", "", "change");
        for (String remote : List.of("web1", "web2")) {
            owed(remote, changes("a", "b"));
            pushed(remote, "a", "b");
        }
        assertThat(afterPush.reports()).containsExactly(new Subscription.Report("step", "www", 2, 0, 0, 0, null));
        step.untold().forEachRemaining(told -> step.failed(told, new IOException("nobody listens")));
        Subscription.Report failing = afterPush.reports().get(0);
        assertThat(failing.isFailing()).isTrue();
        assertThat(failing.failed()).isEqualTo(2);
        assertThat(failing.error()).isEqualTo("nobody listens");

        // Over a restart too, until it has taken all.
        afterPush = afterPush();
        Subscription next = subscribe("www", "", "change");
        assertThat(afterPush.reports().get(0).failed()).isEqualTo(2);
        assertThat(afterPush.reports().get(0).isFailing()).isTrue();
        next.untold().forEachRemaining(next::done);
        assertThat(afterPush.reports()).singleElement().matches(report -> !report.isFailing() && report.failed() == 0);

        owed("web1", changes("c"));
        owed("web2", changes("c"));
        pushed("web1", "c");
        pushed("web2", "c");
        next.untold().forEachRemaining(told -> next.failed(told, new IOException("nobody listens")));
        assertThat(afterPush.drop("another")).isZero();
        assertThat(afterPush.drop("step")).isEqualTo(1);
        assertThat(afterPush.reports()).singleElement().matches(report -> !report.isFailing());
    }
}
