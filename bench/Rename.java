import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A directory of 500 files of 1 MB gets another name. */
final class Rename {
    private static final int FILES = 500;
    private static final int BYTES = 1_000_000;
    private static final long LIMIT = SECONDS.toNanos(45);

    private final Lab lab;
    private final Report report;

    Rename(Lab lab, Report report) {
        this.lab = lab;
        this.report = report;
    }

    void measure(List<Tool> tools) throws IOException, InterruptedException {
        Path source = lab.directory("rename");
        Path directory = Files.createDirectory(source.resolve("name0"));
        Path one = source.resolve("one");
        lab.write(one, Lab.LEAST_BYTES);
        byte[] content = new byte[BYTES];
        for (int i = 0; i < FILES; i++) {
            new java.util.Random(lab.seed + i).nextBytes(content);
            Files.write(directory.resolve("f" + i), content);
        }
        Daemon.Remote bare = lab.plain.remote("rename");
        long push = Long.MAX_VALUE;
        for (int i = 0; i < 5; i++) {
            push = Math.min(push, Lab.time("rsync", "-a", one.toString(), bare.url()));
        }
        List<List<String>> rows = new ArrayList<>();
        int renamed = 0;
        for (Tool tool : tools) {
            Lab.say("rename, " + tool.title);
            Daemon.Remote remote = lab.plain.remote("rename");
            try (Running running = new Running(lab, tool, source, List.of(remote))) {
                running.awaitLive(System.nanoTime() + Lab.PATIENCE);
                double cpu = running.cpuSeconds();
                long traffic = lab.plain.traffic();
                long begin = System.nanoTime();
                Path from = source.resolve("name" + renamed++);
                Files.move(from, source.resolve("name" + renamed));
                Path copy = remote.copy().resolve("name" + renamed);
                Path old = remote.copy().resolve(from.getFileName());
                List<Path> files = new ArrayList<>();
                for (int i = 0; i < FILES; i++) {
                    files.add(copy.resolve("f" + i));
                }
                boolean there =
                        Lab.awaitEach(files, begin + LIMIT, file -> Files.exists(file) && Files.size(file) == BYTES)
                                && Lab.await(begin + LIMIT, () -> Files.notExists(old));
                long took = System.nanoTime() - begin;
                running.awaitIdle();
                // The daemon writes its line after the client has ended.
                Thread.sleep(500);
                traffic = lab.plain.traffic() - traffic;
                rows.add(List.of(
                        tool.title,
                        there ? Times.told(took) : "not after " + Times.told(LIMIT),
                        Times.megabytes(traffic),
                        Times.seconds(running.cpuSeconds() - cpu),
                        Times.megabytes(running.peak())));
                if (tool == Tool.DROMEDARY) {
                    report.target(
                            "rename of a directory of 500 MB: at most 1 % of its bytes on the wire",
                            Times.megabytes(traffic), there && traffic <= FILES * (long) BYTES / 100);
                    report.target(
                            "rename of a directory: at most the time of 3 pushes",
                            Times.told(took) + " to 3 × " + Times.told(push),
                            there && took <= 3 * push);
                }
            }
            Lab.delete(remote.copy());
        }
        Lab.delete(source);
        report.title("A directory of 500 MB renamed");
        report.table(List.of("", "done at the remote", "on the wire, both ways", "CPU", "peak memory"), rows);
    }
}
