import static java.util.Locale.ROOT;
import static java.util.stream.Collectors.joining;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A program that mirrors a tree to rsync remotes, and how it is started with the quickest settings it has. */
enum Tool {
    DROMEDARY("Dromedary") {
        @Override
        List<String> command(Path source, List<Daemon.Remote> remotes, Path state) {
            return plus(
                    List.of("bin/dromedary", "mirror", "--port", "0", "--set", "state-dir=" + state, source.toString()),
                    remotes);
        }
    },
    LSYNCD("lsyncd, delay 1 s") {
        @Override
        List<String> command(Path source, List<Daemon.Remote> remotes, Path state) throws IOException {
            return lsyncd(source, remotes, state, "");
        }
    },
    /** Only where one push could wait for another. Of its two settings for that Debian's 2.2.3 knows this one. */
    LSYNCD_MANY("lsyncd, delay 1 s, maxProcesses 10") {
        @Override
        List<String> command(Path source, List<Daemon.Remote> remotes, Path state) throws IOException {
            return lsyncd(source, remotes, state, "maxProcesses = 10, ");
        }
    },
    LOOP("inotifywait, one `rsync -a` of all per event") {
        @Override
        List<String> command(Path source, List<Daemon.Remote> remotes, Path state) {
            return plus(List.of("bench/inotify-loop", source.toString()), remotes);
        }
    },
    PER_EVENT("one rsync per event, 10 at a time (sersync's way)") {
        @Override
        List<String> command(Path source, List<Daemon.Remote> remotes, Path state) {
            return plus(List.of("bench/rsync-per-event", source.toString()), remotes);
        }
    },
    SERSYNC("SERSYNC_BIN") {
        @Override
        List<String> command(Path source, List<Daemon.Remote> remotes, Path state) throws IOException {
            String names = remotes.stream()
                    .map(remote -> "<remote ip=\"" + remote.host() + "\" name=\"" + remote.module() + "\"/>\n")
                    .collect(joining());
            Path config = Files.writeString(
                    state.resolve("confxml.xml"),
                    """
                    <?xml version="1.0" encoding="ISO-8859-1"?>
                    <head version="2.5">
                    <host hostip="localhost" port="8008"></host>
                    <debug start="false"/>
                    <fileSystem xfs="false"/>
                    <filter start="false"></filter>
                    <inotify>
                    <delete start="true"/><createFolder start="true"/><createFile start="false"/>
                    <closeWrite start="true"/><moveFrom start="true"/><moveTo start="true"/>
                    <attrib start="false"/><modify start="false"/>
                    </inotify>
                    <sersync>
                    <localpath watch="%s">
                    %s</localpath>
                    <rsync>
                    <commonParams params="-a"/>
                    <auth start="false" users="root" passwordfile="/etc/rsync.pas"/>
                    <userDefinedPort start="true" port="%d"/>
                    <timeout start="false" time="100"/>
                    <ssh start="false"/>
                    </rsync>
                    <failLog path="%s/fail.sh" timeToExecute="60"/>
                    <crontab start="false" schedule="600"></crontab>
                    <plugin start="false" name="command"/>
                    </sersync>
                    </head>
                    """
                            .formatted(source, names, remotes.get(0).port(), state));
            return List.of(System.getenv("SERSYNC_BIN"), "-r", "-n", "10", "-o", config.toString());
        }
    };

    final String title;

    Tool(String title) {
        this.title = title;
    }

    /** The command that mirrors this tree to these remotes in the foreground; its own files go to {@code state}. */
    abstract List<String> command(Path source, List<Daemon.Remote> remotes, Path state) throws IOException;

    /** As it is named on the command line. */
    String key() {
        return name().toLowerCase(ROOT).replace('_', '-');
    }

    private static List<String> lsyncd(Path source, List<Daemon.Remote> remotes, Path state, String more)
            throws IOException {
        String syncs = remotes.stream()
                .map(remote -> "sync { default.rsync, source = '" + source + "', target = '" + remote.url()
                        + "', delay = 1, " + more + "rsync = { archive = true } }\n")
                .collect(joining());
        Path config =
                Files.writeString(state.resolve("lsyncd.lua"), "settings { nodaemon = true, insist = true }\n" + syncs);
        return List.of("lsyncd", config.toString());
    }

    private static List<String> plus(List<String> command, List<Daemon.Remote> remotes) {
        List<String> all = new ArrayList<>(command);
        remotes.forEach(remote -> all.add(remote.url()));
        return all;
    }
}
