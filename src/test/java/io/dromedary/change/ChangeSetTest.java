package io.dromedary.change;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class ChangeSetTest {
    private static final int FAR = 1_000_000;

    record Change(String path, boolean deep) {}

    /** The documented rules over a plain map, path to deep, as slow as they are written. */
    private static final class Model {
        final Map<String, Boolean> changes = new TreeMap<>();
        final int maxBelowOne;
        final int maxChanges;
        boolean full;

        Model(int maxBelowOne, int maxChanges) {
            this.maxBelowOne = maxBelowOne;
            this.maxChanges = maxChanges;
        }

        void add(Change change) {
            mark(change.path(), change.deep());
            bound();
        }

        void merge(Model other) {
            other.changes.forEach(this::mark);
            if (other.full) {
                collapse();
            }
            bound();
        }

        private void mark(String path, boolean deep) {
            if (full || swallowed(path)) {
                return;
            }
            if (deep && !path.isEmpty()) {
                changes.keySet().removeIf(other -> isBelow(other, path));
            }
            changes.merge(path, deep, Boolean::logicalOr);
            if (!path.isEmpty() && dirtyIn(parent(path)) > maxBelowOne) {
                if (parent(path).isEmpty()) {
                    collapse();
                } else {
                    mark(parent(path), true);
                }
            }
        }

        private void bound() {
            if (changes.size() > maxChanges) {
                collapse();
            }
        }

        private void collapse() {
            changes.clear();
            changes.put("", true);
            full = true;
        }

        /** By what is deep at or above the path; the root swallows nothing but what is too much. */
        private boolean swallowed(String path) {
            return changes.entrySet().stream()
                    .anyMatch(e -> e.getValue()
                            && !e.getKey().isEmpty()
                            && (e.getKey().equals(path) || isBelow(path, e.getKey())));
        }

        private long dirtyIn(String directory) {
            return changes.keySet().stream()
                    .filter(path -> !path.isEmpty() && parent(path).equals(directory))
                    .count();
        }

        private boolean covered(String path) {
            return changes.entrySet().stream()
                    .anyMatch(e -> e.getValue() && (e.getKey().equals(path) || isBelow(path, e.getKey())));
        }

        boolean covers(Change change) {
            return covered(change.path()) || !change.deep() && changes.containsKey(change.path());
        }
    }

    private static boolean isBelow(String path, String directory) {
        return directory.isEmpty() ? !path.isEmpty() : path.startsWith(directory + "/");
    }

    private static String parent(String path) {
        int slash = path.lastIndexOf('/');
        return slash < 0 ? "" : path.substring(0, slash);
    }

    private static Map<String, Boolean> content(ChangeSet set) {
        Map<String, Boolean> content = new TreeMap<>();
        set.visit((path, dirty, deep) -> {
            if (dirty) {
                assertThat(content.put(path, deep))
                        .as("second visit of %s", path)
                        .isNull();
            }
            return true;
        });
        return content;
    }

    private static ChangeSet set(int maxBelowOne, int maxChanges, List<Change> changes) {
        ChangeSet set = new ChangeSet(maxBelowOne, maxChanges);
        changes.forEach(change -> set.add(change.path(), change.deep()));
        return set;
    }

    private static ChangeSet set(int maxBelowOne, List<Change> changes) {
        return set(maxBelowOne, FAR, changes);
    }

    private static Model model(int maxBelowOne, int maxChanges, List<Change> changes) {
        Model model = new Model(maxBelowOne, maxChanges);
        changes.forEach(model::add);
        return model;
    }

    private static ChangeSet merged(ChangeSet... sets) {
        ChangeSet into = sets[0];
        for (int i = 1; i < sets.length; i++) {
            into.merge(sets[i]);
        }
        return into;
    }

    /** Few names and little depth, so that paths meet; "Aa" and "BB" share a hash code. */
    @Provide
    Arbitrary<List<Change>> changes() {
        Arbitrary<String> path = Arbitraries.of("a", "b", "Aa", "BB", "\u00ff", ".. ")
                .list()
                .ofMaxSize(4)
                .map(names -> String.join("/", names));
        Arbitrary<Boolean> deep = Arbitraries.frequency(Tuple.of(4, false), Tuple.of(1, true));
        return Combinators.combine(path, deep).as(Change::new).list().ofMaxSize(40);
    }

    @Property
    void addDoesWhatIsDocumented(
            @ForAll("changes") List<Change> changes,
            @ForAll @IntRange(min = 1, max = 6) int maxBelowOne,
            @ForAll @IntRange(min = 1, max = 40) int maxChanges) {
        ChangeSet set = new ChangeSet(maxBelowOne, maxChanges);
        Model model = new Model(maxBelowOne, maxChanges);
        for (Change change : changes) {
            set.add(change.path(), change.deep());
            model.add(change);
            assertThat(content(set)).isEqualTo(model.changes);
            assertThat(set.size()).isEqualTo(model.changes.size()).isLessThanOrEqualTo(maxChanges);
        }
        assertThat(set.isEmpty()).isEqualTo(changes.isEmpty());
        assertThat(set.isEverything()).isEqualTo(model.covered(""));
    }

    @Property
    void mergeDoesWhatIsDocumented(
            @ForAll("changes") List<Change> first,
            @ForAll("changes") List<Change> second,
            @ForAll @IntRange(min = 1, max = 6) int maxBelowOne,
            @ForAll @IntRange(min = 1, max = 40) int maxChanges) {
        ChangeSet set = set(maxBelowOne, maxChanges, first);
        Model model = model(maxBelowOne, maxChanges, first);
        // The other set has bounds of its own: this one's have to hold all the same.
        set.merge(set(FAR, second));
        model.merge(model(FAR, FAR, second));
        assertThat(content(set)).isEqualTo(model.changes);
        assertThat(set.size()).isEqualTo(model.changes.size()).isLessThanOrEqualTo(maxChanges);
    }

    /** A directory that is changed itself and below, merged where its parent has just reached the bound. */
    @Test
    void countsRightWhenMergingMakesTheParentDeep() {
        ChangeSet set = set(2, List.of(new Change("d/x", false), new Change("d/y", false)));
        set.merge(set(2, List.of(new Change("d/z", false), new Change("d/z/1", false), new Change("d/z/2", true))));
        assertThat(content(set)).isEqualTo(Map.of("d", true));
        assertThat(set.size()).isEqualTo(1);
    }

    @Property
    void theOrderOfAddingDoesNotMatter(
            @ForAll("changes") List<Change> changes,
            @ForAll @IntRange(min = 1, max = 6) int maxBelowOne,
            @ForAll Random random) {
        List<Change> shuffled = new ArrayList<>(changes);
        Collections.shuffle(shuffled, random);
        shuffled.addAll(changes.subList(0, changes.size() / 2));
        assertThat(content(set(maxBelowOne, shuffled))).isEqualTo(content(set(maxBelowOne, changes)));
    }

    @Property
    void mergingIsCommutative(
            @ForAll("changes") List<Change> a,
            @ForAll("changes") List<Change> b,
            @ForAll @IntRange(min = 1, max = 6) int bound) {
        assertThat(content(merged(set(bound, a), set(bound, b))))
                .isEqualTo(content(merged(set(bound, b), set(bound, a))));
    }

    @Property
    void mergingIsAssociative(
            @ForAll("changes") List<Change> a,
            @ForAll("changes") List<Change> b,
            @ForAll("changes") List<Change> c,
            @ForAll @IntRange(min = 1, max = 6) int bound) {
        ChangeSet leftFirst = merged(merged(set(bound, a), set(bound, b)), set(bound, c));
        ChangeSet rightFirst = merged(set(bound, a), merged(set(bound, b), set(bound, c)));
        assertThat(content(leftFirst)).isEqualTo(content(rightFirst));
        assertThat(leftFirst.size()).isEqualTo(rightFirst.size());
    }

    @Property
    void mergingIsIdempotent(
            @ForAll("changes") List<Change> a,
            @ForAll("changes") List<Change> b,
            @ForAll @IntRange(min = 1, max = 6) int maxBelowOne,
            @ForAll @IntRange(min = 1, max = 40) int maxChanges) {
        ChangeSet set = merged(set(maxBelowOne, maxChanges, a), set(maxBelowOne, maxChanges, b));
        Map<String, Boolean> once = content(set);
        set.merge(set(maxBelowOne, maxChanges, b));
        set.merge(set);
        assertThat(content(set)).isEqualTo(once);
        assertThat(set.size()).isEqualTo(once.size());
    }

    @Property
    void whateverTheBoundsAllThatWasAddedIsCovered(
            @ForAll("changes") List<Change> a,
            @ForAll("changes") List<Change> b,
            @ForAll @IntRange(min = 1, max = 6) int maxBelowOne,
            @ForAll @IntRange(min = 1, max = 10) int maxChanges) {
        ChangeSet set = merged(set(maxBelowOne, maxChanges, a), set(maxBelowOne, maxChanges, b));
        assertThat(set.size()).isLessThanOrEqualTo(maxChanges);
        Model content = new Model(FAR, FAR);
        content.changes.putAll(content(set));
        assertThat(a).allMatch(content::covers);
        assertThat(b).allMatch(content::covers);
    }

    @Property
    void aDeepPathSwallowsWhatIsBelow(@ForAll("changes") List<Change> changes, @ForAll("changes") List<Change> below) {
        ChangeSet set = set(FAR, changes);
        set.add("a/b", true);
        Map<String, Boolean> before = content(set);
        assertThat(before.keySet()).noneMatch(path -> isBelow(path, "a/b"));
        for (Change change : below) {
            set.add(change.path().isEmpty() ? "a/b" : "a/b/" + change.path(), change.deep());
        }
        assertThat(content(set)).isEqualTo(before);
        assertThat(set.size()).isEqualTo(before.size());
    }

    @Property
    void smallSetsHaveTheSameKeyIfAndOnlyIfTheyAreTheSame(
            @ForAll("changes") List<Change> a, @ForAll("changes") List<Change> b, @ForAll Random random) {
        List<Change> few = a.subList(0, Math.min(16, a.size()));
        List<Change> others = b.subList(0, Math.min(16, b.size()));
        List<Change> shuffled = new ArrayList<>(few);
        Collections.shuffle(shuffled, random);
        ChangeSet set = set(FAR, few);
        assertThat(set(FAR, shuffled).key()).isEqualTo(set.key());
        ChangeSet other = set(FAR, others);
        assertThat(other.key().equals(set.key())).isEqualTo(content(other).equals(content(set)));
    }

    @Test
    void theKeyDoesNotDependOnHashCollisions() {
        assertThat("Aa").hasSameHashCodeAs("BB");
        List<Change> changes = List.of(new Change("Aa", false), new Change("BB", false));
        List<Change> reversed = List.of(changes.get(1), changes.get(0));
        assertThat(set(FAR, changes).key()).isEqualTo(set(FAR, reversed).key());
    }

    @Test
    void theKeyOfALargeSetIsUnique() {
        ChangeSet large = new ChangeSet();
        for (int i = 0; i < 17; i++) {
            large.add("f" + i, false);
        }
        Set<String> keys = new HashSet<>(
                List.of(large.key(), large.key(), ChangeSet.ofEverything().key()));
        assertThat(keys).hasSize(3);
    }

    @Property
    void visitsADirectoryBeforeWhatIsBelowAndOnlyWhatLeadsToAChange(@ForAll("changes") List<Change> changes) {
        ChangeSet set = set(FAR, changes);
        Map<String, Boolean> seen = new LinkedHashMap<>();
        set.visit((path, dirty, deep) -> {
            if (!path.isEmpty()) {
                assertThat(seen).containsKey(parent(path));
            }
            assertThat(deep && !dirty).isFalse();
            seen.put(path, dirty);
            return true;
        });
        assertThat(seen).containsKey("");
        assertThat(seen.keySet())
                .allMatch(path -> path.isEmpty()
                        || content(set).keySet().stream().anyMatch(p -> p.equals(path) || isBelow(p, path)));
    }

    @Property
    void doesNotGoOnBelowWhereTheVisitorStops(@ForAll("changes") List<Change> changes) {
        List<String> seen = new ArrayList<>();
        set(FAR, changes).visit((path, dirty, deep) -> {
            seen.add(path);
            return !path.equals("a");
        });
        assertThat(seen).noneMatch(path -> path.startsWith("a/"));
    }

    @Property
    void mergingLeavesTheOtherSetAsItIsAndSharesNothingWithIt(
            @ForAll("changes") List<Change> a,
            @ForAll("changes") List<Change> b,
            @ForAll("changes") List<Change> later,
            @ForAll @IntRange(min = 1, max = 6) int bound) {
        ChangeSet into = set(bound, a);
        ChangeSet other = set(bound, b);
        Map<String, Boolean> otherBefore = content(other);
        into.merge(other);
        assertThat(content(other)).isEqualTo(otherBefore);
        Map<String, Boolean> intoBefore = content(into);
        later.forEach(change -> other.add(change.path(), change.deep()));
        assertThat(content(into)).isEqualTo(intoBefore);
        Map<String, Boolean> otherAfter = content(other);
        later.forEach(change -> into.add(change.path(), change.deep()));
        into.add("", true);
        assertThat(content(other)).isEqualTo(otherAfter);
        assertThat(other.size()).isEqualTo(otherAfter.size());
    }

    private static ChangeSet rename(Change from, Change to) {
        ChangeSet set = new ChangeSet();
        set.add(from.path(), true);
        set.add(to.path(), true);
        set.moved(from.path(), to.path());
        return set;
    }

    @Property
    void renamesChangeNothingElse(@ForAll("changes") List<Change> changes, @ForAll("changes") List<Change> targets) {
        ChangeSet with = new ChangeSet();
        ChangeSet without = new ChangeSet();
        for (int i = 0; i < Math.min(changes.size(), targets.size()); i++) {
            ChangeSet rename = rename(changes.get(i), targets.get(i));
            with.merge(rename);
            rename.forgetMoves();
            without.merge(rename);
        }
        assertThat(content(with)).isEqualTo(content(without));
        // The key of a large set is like no other.
        assertThat(with.key().startsWith("#") || with.key().equals(without.key()))
                .isTrue();
        assertThat(without.moves()).isEmpty();
        with.add("", true);
        assertThat(with.moves()).isEmpty();
        assertThat(with.rewritten()).isEmpty();
    }

    /** Of each path below a deep one, and of each that is told, the last word is the strongest that was said. */
    @Property
    void whatWasWrittenStaysSoHoweverItIsMerged(
            @ForAll("changes") List<Change> written,
            @ForAll("changes") List<Change> attributes,
            @ForAll @IntRange(min = 1, max = 6) int bound,
            @ForAll Random random) {
        List<Runnable> steps = new ArrayList<>();
        ChangeSet set = new ChangeSet(bound, FAR);
        ChangeSet other = new ChangeSet(bound, FAR);
        written.forEach(
                change -> steps.add(() -> (random.nextBoolean() ? set : other).add(change.path(), change.deep())));
        attributes.forEach(
                change -> steps.add(() -> (random.nextBoolean() ? set : other).addAttributes(change.path())));
        Collections.shuffle(steps, random);
        steps.forEach(Runnable::run);
        set.merge(other);
        Map<String, Boolean> content = content(set);
        boolean told = content.keySet().stream().anyMatch(path -> !path.isEmpty());
        for (Change change : written) {
            // A full sync keeps what was written beside it, unless that is more than is told of the root.
            if (!change.path().isEmpty() && told) {
                assertThat(set.isWritten(change.path()))
                        .as("%s of %s", change, content)
                        .isTrue();
            }
        }
        for (String path : content.keySet()) {
            boolean none = written.stream().noneMatch(change -> change.path().equals(path));
            if (none && !content.get(path)) {
                assertThat(set.isWritten(path)).as(path).isFalse();
            }
        }
    }

    @Test
    void aFullSyncKeepsWhatWasWrittenBesideIt() {
        ChangeSet set = ChangeSet.ofEverything();
        set.add("d/f", false);
        set.addAttributes("d/g");
        ChangeSet later = new ChangeSet();
        later.add("h", false);
        later.merge(set);
        assertThat(later.isEverything()).isTrue();
        assertThat(content(later)).containsKeys("", "d/f", "h");
        assertThat(later.isWritten("d/f")).isTrue();
        assertThat(later.isWritten("h")).isTrue();
        assertThat(later.isWritten("d/g")).isFalse();
        assertThat(later.isWritten("")).isFalse();
        later.addAttributes("h");
        assertThat(later.isWritten("h")).isTrue();
    }

    /** What a link to the old name's file must not stand for. */
    @Test
    void whatIsWrittenBeforeOrAfterARenameIsKnownToBeOther() {
        ChangeSet set = new ChangeSet();
        set.add("a/written before", false);
        set.addAttributes("a/touched before");
        set.merge(rename(new Change("a", true), new Change("b", true)));
        ChangeSet after = new ChangeSet();
        after.add("b/d/written after", false);
        after.addAttributes("b/touched after");
        set.merge(after);
        assertThat(set.moves()).containsEntry("b", "a");
        assertThat(set.rewritten()).containsExactlyInAnyOrder("b/written before", "b/d/written after");
        set.merge(rename(new Change("b", true), new Change("c", true)));
        assertThat(set.moves()).containsEntry("c", "a");
        assertThat(set.rewritten()).contains("c/written before", "c/d/written after");
    }

    @Test
    void withTooMuchWrittenNoRenameIsRemembered() {
        ChangeSet set = rename(new Change("a", true), new Change("b", true));
        for (int i = 0; i <= ChangeSet.MAX_REWRITTEN; i++) {
            ChangeSet one = new ChangeSet();
            one.add("b/" + i, false);
            set.merge(one);
        }
        assertThat(set.moves()).isEmpty();
        assertThat(set.rewritten()).isEmpty();
    }

    /** What is changed first and renamed then may be anything at the remote; however the sets are grouped. */
    @Property
    void oldNamesOfRenamesAreThoseThatNothingHadChangedBefore(
            @ForAll("changes") List<Change> changes,
            @ForAll("changes") List<Change> targets,
            @ForAll @IntRange(min = 1, max = 6) int group) {
        ChangeSet all = new ChangeSet();
        ChangeSet some = new ChangeSet();
        ChangeSet changed = new ChangeSet();
        Set<String> clean = new HashSet<>();
        for (int i = 0; i < changes.size(); i++) {
            Change change = changes.get(i);
            boolean renamed = i < targets.size() && change.deep();
            if (renamed && !changed.covers(change.path(), false)) {
                clean.add(change.path());
            }
            ChangeSet one = renamed ? rename(change, targets.get(i)) : set(FAR, List.of(change));
            changed.merge(one);
            some.merge(one);
            if (i % group == 0) {
                all.merge(some);
                some = new ChangeSet();
            }
        }
        all.merge(some);
        assertThat(clean).containsAll(all.moves().values());
    }

    @Test
    void ofTwoRenamesOneAfterTheOtherTheFirstNameIsKnown() {
        ChangeSet set = merged(rename(new Change("a", true), new Change("b", true)));
        set.merge(rename(new Change("b", true), new Change("c/d", true)));
        assertThat(set.moves()).containsEntry("c/d", "a");
    }

    @Test
    void renamesAreBounded() {
        ChangeSet set = new ChangeSet();
        for (int i = 0; i <= ChangeSet.MAX_MOVES; i++) {
            set.merge(rename(new Change("from" + i, true), new Change("to" + i, true)));
        }
        assertThat(set.moves()).hasSize(ChangeSet.MAX_MOVES);
    }

    @Test
    void theShippedBoundsHold() {
        ChangeSet oneDirectory = new ChangeSet();
        for (int i = 0; i < ChangeSet.MAX_BELOW_ONE; i++) {
            oneDirectory.add("d/" + i, false);
        }
        assertThat(oneDirectory.size()).isEqualTo(ChangeSet.MAX_BELOW_ONE);
        oneDirectory.add("d/one more", false);
        assertThat(content(oneDirectory)).isEqualTo(Map.of("d", true));

        ChangeSet all = new ChangeSet();
        for (int i = 0; i < ChangeSet.MAX_CHANGES; i++) {
            all.add(i % 100 + "/" + i, false);
        }
        assertThat(all.size()).isEqualTo(ChangeSet.MAX_CHANGES);
        all.add("one more", false);
        assertThat(content(all)).isEqualTo(content(ChangeSet.ofEverything())).isEqualTo(Map.of("", true));
        assertThat(all.isEverything()).isTrue();
    }
}
