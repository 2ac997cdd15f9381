import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** What a run has found: tables in Markdown, plots beside them, and which targets were met. */
final class Report {
    private final Path directory;
    private final List<String> lines = new ArrayList<>();
    private final List<String> targets = new ArrayList<>();

    Report(Path directory) throws IOException {
        this.directory = Files.createDirectories(directory);
    }

    Path directory() {
        return directory;
    }

    void title(String title) {
        lines.addAll(List.of("", "### " + title, ""));
    }

    void text(String text) {
        lines.addAll(List.of(text, ""));
    }

    void table(List<String> head, List<List<String>> rows) {
        lines.add(row(head));
        lines.add(row(Collections.nCopies(head.size(), "---")).replace(" ", ""));
        rows.forEach(cells -> lines.add(row(cells)));
    }

    private static String row(List<String> cells) {
        return "| " + String.join(" | ", cells) + " |";
    }

    void plot(String name, Plot plot) throws IOException {
        if (!plot.isEmpty()) {
            Files.writeString(directory.resolve(name + ".svg"), plot.svg());
            lines.addAll(List.of("", "![" + plot.title() + "](" + name + ".svg)"));
        }
    }

    /** Whether a target was met, in this run. */
    void target(String target, String found, boolean met) {
        targets.add(row(List.of(target, found, met ? "met" : "**missed**")));
    }

    /** Writes all there is up to now, so that a run that breaks off leaves what it had; returns it too. */
    List<String> write(String machine) throws IOException {
        List<String> all = new ArrayList<>(List.of(machine));
        all.addAll(lines);
        if (!targets.isEmpty()) {
            all.addAll(List.of("", "### Targets", "", "| target | this run | |", "|---|---|---|"));
            all.addAll(targets);
        }
        Files.write(directory.resolve("results.md"), all);
        return all;
    }
}
