package io.dromedary.push;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How far one rsync call is, by its own {@code --info=progress2}: one line that it writes over and over.
 *
 * @param started when the call began, by {@link System#nanoTime}
 * @param files that were sent
 * @param bytes of these files, whatever of them went over the wire
 * @param share rsync's own percentage: these bytes of those of all files, sent or not
 * @param checked files and directories that are done with, sent or not
 * @param found files and directories known of
 * @param complete whether these are all there are; rsync lists a large tree while it sends
 * @param bytesPerSecond of the bytes above
 */
public record Transfer(
        long started,
        long files,
        long bytes,
        int share,
        long checked,
        long found,
        boolean complete,
        long bytesPerSecond) {
    /** What makes rsync tell; since 3.1. */
    static final String OPTION = "--info=progress2";

    /** No such line is longer. */
    static final int LONGEST = 160;

    private static final Pattern LINE = Pattern.compile("\r *(\\d+) +(\\d+)% +(\\d+\\.\\d\\d)([kMGTP])B/s +\\S+"
            + "(?: \\(xfr#(\\d+), (ir|to)-chk=(\\d+)/(\\d+)\\))?");

    static Transfer start() {
        return new Transfer(System.nanoTime(), 0, 0, 0, 0, 0, false, 0);
    }

    /** How far it is by the last such line in what rsync has written. */
    Transfer after(String text) {
        Transfer last = this;
        for (Matcher line = LINE.matcher(text); line.find(); ) {
            last = last.after(line);
        }
        return last;
    }

    /** While a file is being sent the line ends early: then the counts are those of before. */
    private Transfer after(Matcher line) {
        boolean counts = line.group(5) != null;
        long all = counts ? Long.parseLong(line.group(8)) : found;
        return new Transfer(
                started,
                counts ? Long.parseLong(line.group(5)) : files,
                Long.parseLong(line.group(1)),
                Integer.parseInt(line.group(2)),
                counts ? all - Long.parseLong(line.group(7)) : checked,
                all,
                counts ? line.group(6).equals("to") : complete,
                (long) (Double.parseDouble(line.group(3)) * Math.pow(1024, 1 + "kMGTP".indexOf(line.group(4)))));
    }

    /**
     * How much of the work is done, from 0 to 100. Of a tree that is there already rsync's own percentage stays near 0,
     * for little is sent; of one that is not, large files count for more than their number.
     */
    public int percent() {
        long done = complete && found > 0 ? checked * 100 / found : 0;
        return (int) Math.min(100, Math.max(share, done));
    }

    /** How long it will still take if it goes on like this; negative: nobody can tell yet. */
    public long secondsLeft() {
        int percent = percent();
        double seconds = (System.nanoTime() - started) / 1e9;
        return complete && percent > 0 ? Math.round(seconds * (100 - percent) / percent) : -1;
    }
}
