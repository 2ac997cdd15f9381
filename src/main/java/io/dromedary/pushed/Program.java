package io.dromedary.pushed;

import io.dromedary.change.ByteString;
import io.dromedary.mirror.Remote;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.camel.Header;

/**
 * The call of {@code kamelet:command}. Java hands arguments over in the platform's charset, in which a file name need not
 * be; so all of them go to the standard input of xargs, as bytes, and xargs starts the program. Around both is timeout(1),
 * which ends them with all that they have started.
 */
public final class Program {
    private List<String> prefix;
    private List<String> suffix;
    private List<Pattern> include;
    private int timeLimit;

    /** The program and its arguments before the path, split as a shell would. */
    public void setPrefix(String prefix) {
        this.prefix = Remote.words(prefix);
        if (this.prefix.isEmpty()) {
            throw new IllegalArgumentException(
                    "kamelet:command: prefix is empty; it is the program that gets the path");
        }
    }

    public void setSuffix(String suffix) {
        this.suffix = Remote.words(suffix);
    }

    /** Regular expressions, comma separated; a comma in one is written {@code \,}. Blank: every path. */
    public void setInclude(String include) {
        this.include = List.of(include.split("(?<!\\\\),")).stream()
                .map(regex -> regex.strip().replace("\\,", ","))
                .filter(regex -> !regex.isEmpty())
                .map(regex -> Pattern.compile(ByteString.of(regex), Pattern.DOTALL | Pattern.UNIX_LINES))
                .toList();
    }

    /** In seconds; 0: none. */
    public void setTimeLimit(int timeLimit) {
        if (timeLimit < 0) {
            throw new IllegalArgumentException(
                    "kamelet:command: timeLimit = " + timeLimit + ": allowed are seconds, 0 or more");
        }
        this.timeLimit = timeLimit;
    }

    public boolean isFor(@Header("DromedaryBytes") byte[] path) {
        String name = new String(path, StandardCharsets.ISO_8859_1);
        return include.isEmpty()
                || include.stream().anyMatch(regex -> regex.matcher(name).matches());
    }

    /**
     * What stands before the arguments; with -x xargs rather fails than runs the program twice. By SIGKILL, since what
     * hangs may not heed another signal, and since the exit code is one that neither xargs nor the program gives then.
     */
    public List<String> options() {
        return List.of("-s", "KILL", Integer.toString(timeLimit), "xargs", "-0", "-x", prefix.get(0));
    }

    /** The program's arguments, each ended by NUL. */
    public byte[] arguments(@Header("DromedaryBytes") byte[] path) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (String word : prefix.subList(1, prefix.size())) {
            all.writeBytes(ByteString.bytes(ByteString.of(word)));
            all.write(0);
        }
        all.writeBytes(path);
        all.write(0);
        for (String word : suffix) {
            all.writeBytes(ByteString.bytes(ByteString.of(word)));
            all.write(0);
        }
        return all.toByteArray();
    }
}
