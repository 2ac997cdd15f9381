package io.dromedary.watch;

import static io.dromedary.watch.WatchTable.NONE;
import static io.dromedary.watch.WatchTable.ROOT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WatchTableTest {
    private static final class Directory {
        private final int wd;
        private Directory parent;
        private String name;
        private final Map<String, Directory> children = new HashMap<>();

        Directory(int wd, Directory parent, String name) {
            this.wd = wd;
            this.parent = parent;
            this.name = name;
        }

        String path() {
            return parent == null ? "" : parent.parent == null ? name : parent.path() + "/" + name;
        }

        boolean isAtOrBelow(Directory other) {
            return this == other || parent != null && parent.isAtOrBelow(other);
        }
    }

    @Test
    void agreesWithANaiveTreeUnderRandomOperations() {
        long seed = System.nanoTime();
        System.out.println("WatchTableTest seed " + seed);
        Random random = new Random(seed);
        WatchTable table = new WatchTable(1);
        Directory root = new Directory(1, null, "");
        List<Directory> all = new ArrayList<>(List.of(root));
        Map<Directory, Integer> nodes = new HashMap<>(Map.of(root, ROOT));
        int nextWd = 2;
        for (int step = 0; step < 30_000; step++) {
            Directory at = all.get(random.nextInt(all.size()));
            String name = "n" + random.nextInt(12);
            // grows to thousands, then shrinks to some, and again
            boolean growing = step / 5_000 % 2 == 0;
            int choice = random.nextInt(10);
            if (choice < (growing ? 7 : 2)) {
                if (!at.children.containsKey(name)) {
                    Directory made = new Directory(nextWd++, at, name);
                    at.children.put(name, made);
                    all.add(made);
                    nodes.put(made, table.add(nodes.get(at), name, made.wd));
                }
            } else if (choice < 8) {
                Directory moved = all.get(random.nextInt(all.size()));
                if (moved != root && !at.isAtOrBelow(moved) && !at.children.containsKey(name)) {
                    moved.parent.children.remove(moved.name);
                    moved.parent = at;
                    moved.name = name;
                    at.children.put(name, moved);
                    table.detach(nodes.get(moved));
                    assertThat(table.path(nodes.get(moved))).isNull();
                    table.attach(nodes.get(moved), nodes.get(at), name);
                }
            } else if (at != root && at.children.isEmpty()) {
                at.parent.children.remove(at.name);
                all.remove(at);
                table.remove(nodes.remove(at));
                assertThat(table.byWd(at.wd)).isEqualTo(NONE);
            }
            if (step % 2_000 == 0) {
                assertSame(table, all, nodes);
            }
        }
        assertSame(table, all, nodes);
    }

    private static void assertSame(WatchTable table, List<Directory> all, Map<Directory, Integer> nodes) {
        assertThat(table.size()).isEqualTo(all.size());
        for (Directory directory : all) {
            int node = nodes.get(directory);
            Map<String, Integer> children = new HashMap<>();
            for (int child = table.firstChild(node); child != NONE; child = table.nextSibling(child)) {
                children.put(table.name(child), child);
            }
            Map<String, Integer> expected = new HashMap<>();
            directory.children.forEach((name, child) -> expected.put(name, nodes.get(child)));
            if (table.byWd(directory.wd) != node
                    || table.wd(node) != directory.wd
                    || !table.path(node).equals(directory.path())
                    || !children.equals(expected)
                    || table.child(node, "none") != NONE
                    || !children.keySet().stream().allMatch(name -> table.child(node, name) == children.get(name))) {
                fail("wd " + directory.wd + " of " + directory.path() + " is " + table.path(node) + ", children "
                        + children + " for " + expected);
            }
        }
    }

    @Test
    void nothingBelowADetachedNodeHasAPath() {
        WatchTable table = new WatchTable(1);
        int a = table.add(ROOT, "a", 2);
        int b = table.add(a, "b", 3);
        assertThat(table.path(b)).isEqualTo("a/b");
        table.detach(a);
        assertThat(table.path(b)).isNull();
        assertThat(table.byWd(3)).isEqualTo(b);
        assertThat(table.child(ROOT, "a")).isEqualTo(NONE);
    }

    @Test
    void aDeepPathIsBuilt() {
        WatchTable table = new WatchTable(1);
        int node = ROOT;
        for (int i = 0; i < 2_000; i++) {
            node = table.add(node, "d", i + 2);
        }
        assertThat(table.path(node)).isEqualTo("d" + "/d".repeat(1_999));
    }
}
