package io.dromedary.mirror;

import java.time.DateTimeException;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;

/**
 * How much a remote may be sent in a second, by the time of day: {@code 10m, 08:00-18:00=2m}. Numbers are those of rsync's {@code
 * --bwlimit}, and none is no limit. All limits are in KiB a second, 0 is none. Immutable.
 */
public final class Bandwidth {
    /** For messages to users. */
    public static final String ALLOWED =
            "KiB a second or a number such as 512k, 2.5m or 1g, 0 for no limit; for times of the day: 10m, 08:00-18:00=2m";

    public static final Bandwidth UNLIMITED = new Bandwidth(0, List.of());

    private static final Pattern NUMBER =
            Pattern.compile("(\\d{1,9}(?:\\.\\d{1,9})?)(?:([kmg])(b|ib)?)?", Pattern.CASE_INSENSITIVE);

    private static final Pattern SPAN = Pattern.compile("(\\S+?)\\s*-\\s*(\\S+?)\\s*=\\s*(\\S+)");

    /** Through midnight, if it ends before it begins; all day if both are the same. */
    private record Span(LocalTime from, LocalTime to, long limit) {
        boolean holds(LocalTime now) {
            boolean begun = !now.isBefore(from);
            boolean ended = !now.isBefore(to);
            return from.isBefore(to) ? begun && !ended : begun || !ended;
        }
    }

    private final long otherwise;
    private final List<Span> spans;

    private Bandwidth(long otherwise, List<Span> spans) {
        this.otherwise = otherwise;
        this.spans = List.copyOf(spans);
    }

    /** An {@link IllegalArgumentException} without a message for what is not {@link #ALLOWED}; blank is no limit. */
    public static Bandwidth parse(String text) {
        Long otherwise = null;
        List<Span> spans = new ArrayList<>();
        for (String part : text.isBlank() ? new String[0] : text.split(",", -1)) {
            Matcher span = SPAN.matcher(part.strip());
            if (span.matches()) {
                spans.add(new Span(time(span.group(1)), time(span.group(2)), limit(span.group(3))));
            } else if (otherwise == null) {
                otherwise = limit(part.strip());
            } else {
                throw new IllegalArgumentException();
            }
        }
        return new Bandwidth(otherwise == null ? 0 : otherwise, spans);
    }

    private static LocalTime time(String text) {
        try {
            return text.equals("24:00") ? LocalTime.MIDNIGHT : LocalTime.parse(text);
        } catch (DateTimeException e) {
            throw new IllegalArgumentException();
        }
    }

    private static long limit(String text) {
        Matcher number = NUMBER.matcher(text);
        if (!number.matches()) {
            throw new IllegalArgumentException();
        }
        double bytes = Double.parseDouble(number.group(1));
        String suffix = number.group(2);
        int thousands = suffix == null ? 1 : 1 + "kmg".indexOf(suffix.toLowerCase(Locale.ROOT));
        bytes *= Math.pow("b".equalsIgnoreCase(number.group(3)) ? 1000 : 1024, thousands);
        // As rsync rounds.
        long limit = (long) (bytes + 512) / 1024;
        if (bytes > 0 && limit == 0 || limit > Integer.MAX_VALUE) {
            throw new IllegalArgumentException();
        }
        return limit;
    }

    /** The limit at this time of the day; of spans that overlap the last one holds. */
    public long at(LocalTime now) {
        long limit = otherwise;
        for (Span span : spans) {
            if (span.holds(now)) {
                limit = span.limit();
            }
        }
        return limit;
    }

    /** The highest limit of a day; 0: at some time there is none. */
    public long highest() {
        long[] all = LongStream.concat(LongStream.of(otherwise), spans.stream().mapToLong(Span::limit))
                .toArray();
        return LongStream.of(all).anyMatch(limit -> limit == 0)
                ? 0
                : LongStream.of(all).max().getAsLong();
    }

    /** Whether there is a limit at any time. */
    public boolean isLimited() {
        return otherwise > 0 || spans.stream().anyMatch(span -> span.limit() > 0);
    }
}
