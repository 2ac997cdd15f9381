package io.dromedary.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChurnIT {

    @TempDir
    Path temp;

    private static List<String> differencesButTimes(Path one, Path other) {
        return Trees.differences(one, other).stream()
                .filter(line -> !line.contains(": mtime "))
                .toList();
    }

    private Path directory(String name) throws IOException {
        return Files.createDirectory(temp.resolve(name));
    }

    @Test
    void sameSeedSameTree() throws IOException {
        long seed = new Random().nextLong();
        Churn first = new Churn(directory("one"), seed);
        Churn second = new Churn(directory("two"), seed);
        first.run(300);
        second.run(300);
        assertThat(first.history()).isEqualTo(second.history());
        assertThat(differencesButTimes(temp.resolve("one"), temp.resolve("two")))
                .as("seed %d", seed)
                .isEmpty();

        Churn third = new Churn(directory("three"), seed + 1);
        third.run(300);
        assertThat(differencesButTimes(temp.resolve("one"), temp.resolve("three")))
                .isNotEmpty();
    }

    @Test
    void knowsTheTreeAndDoesAllItCan() throws IOException {
        long seed = new Random().nextLong();
        Path root = directory("root");
        Churn churn = new Churn(root, seed);
        churn.run(1_500);
        assertThat(churn.entries()).as("seed %d", seed).isEqualTo(below(root)).hasSizeGreaterThan(50);
        assertThat(churn.history().stream()
                        .map(line -> line.substring(0, line.indexOf(':')))
                        .distinct())
                .as("seed %d", seed)
                .hasSize(23);
        assertThat(below(temp).keySet()).allMatch(path -> path.startsWith("root"));
    }

    @Test
    void takesUpTheTreeThatIsThereAndKeepsItBounded() throws IOException {
        long seed = new Random().nextLong();
        Path root = directory("root");
        RawFiles files = new RawFiles(root);
        for (int i = 0; i < 40; i++) {
            files.mkdir("d" + i);
            for (int j = 0; j < 50; j++) {
                files.create("d" + i + "/" + j, new byte[0]);
            }
        }
        Churn churn = new Churn(root, seed);
        assertThat(churn.entries()).hasSize(2_040);
        churn.run(100);
        assertThat(churn.entries()).as("seed %d", seed).isEqualTo(below(root)).hasSizeLessThan(2_040);
    }

    private static TreeMap<String, Character> below(Path root) {
        TreeMap<String, Character> types = Trees.types(root);
        types.remove("");
        return types;
    }

    @Test
    void keepsItsPace() throws IOException {
        Churn churn = new Churn(directory("root"), 1).pace(200);
        long start = System.nanoTime();
        churn.run(100);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(Duration.ofMillis(500));
        churn.run(Duration.ofMillis(300));
        assertThat(churn.history()).hasSizeBetween(101, 161);
    }

    @Test
    void saysWhatFailed() throws IOException {
        Path root = directory("root");
        Churn churn = new Churn(root, 1);
        churn.run(200);
        Path gone = temp.resolve("gone");
        Files.move(root, gone);
        assertThatThrownBy(() -> churn.run(50))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageMatching("(?s)churn operation '.*' failed: .* of .*: No such file or directory");
    }
}
