import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.apache.camel.LoggingLevel;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.main.Main;

/** Mirrors a tree of pictures, none larger than so many pixels. */
public final class Resize extends RouteBuilder {
    public static void main(String[] args) throws Exception {
        Main main = new Main();
        main.configure().addRoutesBuilder(new Resize());
        main.run(args);
    }

    @Override
    public void configure() {
        errorHandler(defaultErrorHandler()
                .maximumRedeliveries(-1)
                .redeliveryDelay(5000)
                .retryAttemptedLogLevel(LoggingLevel.WARN));
        Path originals = Path.of(setting("originals"));
        Path smaller = Path.of(setting("smaller"));
        int pixels = Integer.parseInt(setting("pixels"));

        from("timer:start?repeatCount=1&delay=0")
                .routeId("start")
                .setBody(exchange -> ChangeSet.ofEverything())
                .to("seda:changed");
        from("kamelet:watch?source={{originals}}").routeId("originals").to("seda:changed");
        from("seda:changed").routeId("resize").process(exchange -> exchange.getMessage()
                .getBody(ChangeSet.class)
                .visit((path, dirty, deep) -> {
                    String text = new String(ByteString.bytes(path), StandardCharsets.UTF_8);
                    if (path.isEmpty() && isEmpty(originals)) {
                        throw new IllegalStateException(originals + " is empty; is it not mounted?");
                    }
                    if (dirty) {
                        bring(originals.resolve(text), smaller.resolve(text), deep, pixels);
                    }
                    return true;
                }));

        from("kamelet:watch?source={{smaller}}").routeId("smaller").to("kamelet:rsync?remote=web1&target={{target}}");
    }

    private String setting(String name) {
        return getContext().resolvePropertyPlaceholders("{{" + name + "}}");
    }

    private static boolean isEmpty(Path directory) {
        try {
            return names(directory).isEmpty();
        } catch (IOException e) {
            return true;
        }
    }

    /** Makes the second path what the first one is now; deep: with everything below it. */
    private static void bring(Path from, Path to, boolean deep, int pixels) {
        try {
            if (Files.isDirectory(from, LinkOption.NOFOLLOW_LINKS)) {
                if (!Files.isDirectory(to, LinkOption.NOFOLLOW_LINKS)) {
                    Files.deleteIfExists(to);
                    Files.createDirectories(to);
                }
                if (deep) {
                    Set<Path> names = names(from);
                    names.addAll(names(to));
                    names.forEach(name -> bring(from.resolve(name), to.resolve(name), true, pixels));
                }
            } else {
                if (Files.isDirectory(to, LinkOption.NOFOLLOW_LINKS)) {
                    names(to).forEach(name -> bring(from.resolve(name), to.resolve(name), true, pixels));
                    Files.delete(to);
                }
                if (!Files.exists(from, LinkOption.NOFOLLOW_LINKS)) {
                    Files.deleteIfExists(to);
                } else if (!isUpToDate(from, to)) {
                    Files.createDirectories(to.getParent());
                    resize(from, to, pixels);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Set<Path> names(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            Set<Path> names = new TreeSet<>();
            entries.forEach(entry -> names.add(entry.getFileName()));
            return names;
        }
    }

    private static boolean isUpToDate(Path from, Path to) throws IOException {
        return Files.isRegularFile(to, LinkOption.NOFOLLOW_LINKS)
                && Files.getLastModifiedTime(from).equals(Files.getLastModifiedTime(to));
    }

    /** Whole or not at all, by way of a name that is not mirrored; what is no picture is copied. */
    private static void resize(Path from, Path to, int pixels) throws IOException {
        Path written = to.resolveSibling("." + to.getFileName() + ".tmp");
        BufferedImage picture = Files.isRegularFile(from, LinkOption.NOFOLLOW_LINKS) ? read(from) : null;
        double scale = picture == null ? 1 : (double) pixels / Math.max(picture.getWidth(), picture.getHeight());
        if (scale >= 1) {
            Files.copy(
                    from,
                    written,
                    StandardCopyOption.REPLACE_EXISTING,
                    StandardCopyOption.COPY_ATTRIBUTES,
                    LinkOption.NOFOLLOW_LINKS);
        } else {
            int width = (int) Math.max(1, picture.getWidth() * scale);
            int height = (int) Math.max(1, picture.getHeight() * scale);
            BufferedImage scaled = new BufferedImage(
                    width,
                    height,
                    picture.getColorModel().hasAlpha() ? BufferedImage.TYPE_INT_ARGB : BufferedImage.TYPE_INT_RGB);
            var graphics = scaled.createGraphics();
            graphics.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BICUBIC);
            graphics.drawImage(picture, 0, 0, width, height, null);
            graphics.dispose();
            ImageIO.write(scaled, format(from), written.toFile());
            Files.setLastModifiedTime(written, Files.getLastModifiedTime(from));
        }
        Files.move(written, to, StandardCopyOption.ATOMIC_MOVE);
    }

    private static String format(Path file) {
        String name = file.getFileName().toString();
        return name.substring(name.lastIndexOf('.') + 1);
    }

    /** Null if it is none that can be written again. */
    private static BufferedImage read(Path file) {
        try {
            return ImageIO.getImageWritersBySuffix(format(file)).hasNext() ? ImageIO.read(file.toFile()) : null;
        } catch (IOException e) {
            // Not yet a picture, or never one.
            return null;
        }
    }
}
