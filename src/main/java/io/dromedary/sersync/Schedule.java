package io.dromedary.sersync;

/**
 * sersync's "every N minutes" as a Quartz cron, which knows the clock and not intervals: the nearest shorter one that
 * divides the hour or the day.
 *
 * @param minutes between two runs
 * @param words for people
 */
record Schedule(String cron, int minutes, String words) {
    static Schedule every(int wanted) {
        if (wanted >= 24 * 60) {
            int days = Math.min(31, wanted / (24 * 60));
            return days == 1
                    ? new Schedule("0 0 0 * * ?", 24 * 60, "every midnight")
                    : new Schedule("0 0 0 1/" + days + " * ?", days * 24 * 60, "every " + days + " days of a month");
        }
        if (wanted >= 60) {
            int hours = divisor(24, wanted / 60);
            return hours == 1
                    ? new Schedule("0 0 * * * ?", 60, "every hour")
                    : new Schedule("0 0 0/" + hours + " * * ?", hours * 60, "every " + hours + " hours");
        }
        int minutes = divisor(60, wanted);
        return minutes == 1
                ? new Schedule("0 * * * * ?", 1, "every minute")
                : new Schedule("0 0/" + minutes + " * * * ?", minutes, "every " + minutes + " minutes");
    }

    private static int divisor(int of, int atMost) {
        int divisor = Math.min(of, atMost);
        while (of % divisor != 0) {
            divisor--;
        }
        return divisor;
    }
}
