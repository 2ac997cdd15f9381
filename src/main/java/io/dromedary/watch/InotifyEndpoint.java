package io.dromedary.watch;

import io.dromedary.change.Excludes;
import io.dromedary.change.OpenFiles;
import io.dromedary.mirror.Following;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.apache.camel.Category;
import org.apache.camel.Consumer;
import org.apache.camel.Processor;
import org.apache.camel.Producer;
import org.apache.camel.spi.Metadata;
import org.apache.camel.spi.UriEndpoint;
import org.apache.camel.spi.UriParam;
import org.apache.camel.spi.UriPath;
import org.apache.camel.support.DefaultEndpoint;

/**
 * Watch a directory tree for changes by the inotify interface of Linux. Each exchange carries the set of paths that
 * changed; what belongs together, such as the files of one save, leaves as one exchange.
 */
@UriEndpoint(
        firstVersion = "0.1.0",
        scheme = "inotify",
        title = "Inotify",
        syntax = "inotify:path",
        consumerOnly = true,
        category = {Category.FILE, Category.MONITORING},
        headersClass = InotifyEndpoint.class)
public class InotifyEndpoint extends DefaultEndpoint {
    @Metadata(label = "consumer", description = "How many events were read for this exchange.", javaType = "Integer")
    public static final String EVENTS_HEADER = "DromedaryEvents";

    @UriPath(
            description = "The directory to watch, with all below it. It may be a symbolic link; links below it are"
                    + " followed as the option following says.")
    @Metadata(required = true)
    private final String path;

    @UriParam(
            defaultValue = "delete,create-folder,close-write,move-from,move-to,attrib",
            description = "Which events make a path a change, comma separated: delete, create-folder, create-file,"
                    + " close-write, move-from, move-to, attrib, modify. Without create-file, a new file is a change once"
                    + " it is complete: when it was closed, or at once if it is a link or a special file.")
    private String events = "delete,create-folder,close-write,move-from,move-to,attrib";

    @UriParam(
            description = "What not to watch and not to report: rsync patterns, comma separated. An excluded directory"
                    + " excludes all below it.")
    private String exclude;

    @UriParam(
            description =
                    "What not to watch and not to report: regular expressions, comma separated. They match the whole of a"
                            + " name at the root, of /directory/name below it; of a directory also with a slash at the end.")
    private String excludeRegex;

    @UriParam(
            description =
                    "What not to watch and not to report, in place of exclude and excludeRegex: a bean that is asked"
                            + " for it when the watch starts.")
    private Supplier<Excludes> excludes;

    @UriParam(
            description =
                    "Which files are a change while a program keeps them open and writes them: rsync patterns, comma"
                            + " separated. Others are when they are closed, or were not written for an hour.")
    private String openFiles;

    @UriParam(defaultValue = "10s", description = "How often an open file that is being written is a change.")
    private String openFilesInterval = "10s";

    @UriParam(
            defaultValue = "4",
            description = "For how many milliseconds after an event to wait for more that belong to it. While more keep"
                    + " coming the exchange leaves after four times as long, and in a stream of events it is four times"
                    + " all that; a file that was written after a while of nothing leaves after 0.3 ms.")
    private int linger = 4;

    @UriParam(
            description = "Which links to follow: a bean that says so, now and then again. By default none, and nothing"
                    + " behind them is watched.")
    private Supplier<Following> following = () -> Following.NONE;

    @UriParam(
            description = "A bean that is asked, whenever something is mounted, whether other file systems below the"
                    + " directory are left out. Without it they are watched, also what is mounted later.")
    private BooleanSupplier oneFileSystem;

    private boolean wasWatched;

    InotifyEndpoint(String uri, InotifyComponent component, String path) {
        super(uri, component);
        this.path = path;
    }

    @Override
    public Producer createProducer() {
        throw new UnsupportedOperationException("inotify: can only be consumed from");
    }

    @Override
    public Consumer createConsumer(Processor processor) throws Exception {
        InotifyConsumer consumer = new InotifyConsumer(this, processor);
        configureConsumer(consumer);
        return consumer;
    }

    @Override
    protected void doInit() throws Exception {
        super.doInit();
        if (linger < 0) {
            throw new IllegalArgumentException("linger: " + linger + " is negative, allowed are milliseconds from 0");
        }
        switches();
        openFiles();
    }

    /** False when first asked: a route that is stopped and started again gets a new consumer, but the same endpoint. */
    synchronized boolean wasWatched() {
        boolean before = wasWatched;
        wasWatched = true;
        return before;
    }

    Set<Switch> switches() {
        return Switch.parse(events);
    }

    OpenFiles openFiles() {
        return OpenFiles.of(openFiles, openFilesInterval);
    }

    Excludes excludes() {
        return excludes == null ? Excludes.of(exclude, excludeRegex) : excludes.get();
    }

    Following follow() {
        return following.get();
    }

    public String getPath() {
        return path;
    }

    public String getEvents() {
        return events;
    }

    public void setEvents(String events) {
        this.events = events;
    }

    public String getExclude() {
        return exclude;
    }

    public void setExclude(String exclude) {
        this.exclude = exclude;
    }

    public String getExcludeRegex() {
        return excludeRegex;
    }

    public void setExcludeRegex(String excludeRegex) {
        this.excludeRegex = excludeRegex;
    }

    public Supplier<Excludes> getExcludes() {
        return excludes;
    }

    public void setExcludes(Supplier<Excludes> excludes) {
        this.excludes = excludes;
    }

    boolean isOneFileSystem() {
        return oneFileSystem != null && oneFileSystem.getAsBoolean();
    }

    public BooleanSupplier getOneFileSystem() {
        return oneFileSystem;
    }

    public void setOneFileSystem(BooleanSupplier oneFileSystem) {
        this.oneFileSystem = oneFileSystem;
    }

    public String getOpenFiles() {
        return openFiles;
    }

    public void setOpenFiles(String openFiles) {
        this.openFiles = openFiles;
    }

    public String getOpenFilesInterval() {
        return openFilesInterval;
    }

    public void setOpenFilesInterval(String openFilesInterval) {
        this.openFilesInterval = openFilesInterval;
    }

    public int getLinger() {
        return linger;
    }

    public void setLinger(int linger) {
        this.linger = linger;
    }

    public Supplier<Following> getFollowing() {
        return following;
    }

    public void setFollowing(Supplier<Following> following) {
        this.following = following;
    }
}
