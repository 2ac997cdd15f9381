package io.dromedary.watch;

import io.dromedary.change.ByteString;
import io.dromedary.change.ChangeSet;
import io.dromedary.change.Excludes;
import io.dromedary.mirror.Mirror;
import io.dromedary.mirror.Mirrors;
import io.dromedary.posix.Entries;
import java.io.File;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import org.apache.camel.Body;
import org.apache.camel.Header;
import org.apache.camel.component.file.watch.FileWatchConstants;
import org.apache.camel.component.file.watch.constants.FileEventEnum;

/**
 * What an event of the stock {@code file-watch} component says has changed.
 *
 * <p>Its names have been through the platform's charset: from the first name on that did not survive this, the directory
 * above is taken as dirty with everything below it. A new directory is deep, and so is whatever was deleted, for it may
 * have been one.
 */
public final class FileWatchEvent {
    /** What the JDK puts where bytes are no text in the platform's charset. */
    private static final char UNDECODABLE = '\uFFFD';

    private String source;
    private Mirrors mirrors;

    public void setSource(String source) {
        this.source = source;
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    /**
     * On Linux the JDK watches by inotify too, but says nothing when the user's limit keeps it from doing so. So all
     * directories, excluded ones too, are watched once here: where that is too many the limit is raised or the start
     * fails.
     */
    public void checkLimit() {
        if (Entries.bySystemCalls()) {
            Source directory = Source.of(source);
            Set<Switch> switches = EnumSet.of(Switch.CREATE_FOLDER);
            try (WatchedTree tree = new WatchedTree(
                    directory,
                    Excludes.of(null, null),
                    switches,
                    new Burst(directory, switches),
                    InotifyConsumer.SYSCTLS)) {
                tree.scan();
            }
        }
    }

    /** The event's changes; empty if it is excluded. */
    public ChangeSet changes(
            @Header("mirror") String mirrorId,
            @Body File file,
            @Header(FileWatchConstants.EVENT_TYPE_HEADER) FileEventEnum type) {
        Mirror mirror = mirrors.mirror(mirrorId);
        ChangeSet changes = new ChangeSet();
        Path relative =
                mirror.source().relativize(file.toPath().toAbsolutePath().normalize());
        boolean directory = type != FileEventEnum.DELETE && file.isDirectory();
        boolean deep = type == FileEventEnum.DELETE || type == FileEventEnum.CREATE && directory;
        StringBuilder path = new StringBuilder();
        for (Path name : relative) {
            String text = name.toString();
            if (text.indexOf(UNDECODABLE) >= 0) {
                deep = true;
                directory = true;
                break;
            }
            path.append(path.length() == 0 ? "" : "/").append(ByteString.of(text));
        }
        Excludes excludes = mirror.unwatched();
        if (!excludes.covers(path.toString(), directory)) {
            changes.add(path.toString(), deep);
        }
        return changes;
    }

    /** The changes of several events as one set. */
    public ChangeSet merge(ChangeSet waiting, ChangeSet arrived) {
        waiting.merge(arrived);
        return waiting;
    }
}
