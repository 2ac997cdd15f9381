import static java.util.Locale.ROOT;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Bars, one row of them for each series, on a logarithmic scale, since the tools are powers of ten apart; as SVG. */
final class Plot {
    private static final List<String> COLOURS =
            List.of("#1b6ca8", "#d1495b", "#edae49", "#66a182", "#8d6a9f", "#999999");
    private static final int WIDTH = 860;
    private static final int LEFT = 330;
    private static final int RIGHT = 90;
    private static final int BAR = 16;
    private static final int TOP = 40;

    private final String title;
    private final String unit;
    private final Map<String, Map<String, Double>> groups = new LinkedHashMap<>();
    private final List<String> series = new ArrayList<>();

    Plot(String title, String unit) {
        this.title = title;
        this.unit = unit;
    }

    String title() {
        return title;
    }

    void add(String group, String name, double value) {
        groups.computeIfAbsent(group, g -> new LinkedHashMap<>()).put(name, value);
        if (!series.contains(name)) {
            series.add(name);
        }
    }

    boolean isEmpty() {
        return groups.isEmpty();
    }

    String svg() {
        TreeMap<Double, String> values = new TreeMap<>();
        groups.values().forEach(group -> group.forEach((name, value) -> values.put(value, name)));
        double least = Math.pow(10, Math.floor(Math.log10(Math.max(1e-3, values.firstKey()))));
        double most = Math.pow(10, Math.ceil(Math.log10(Math.max(least * 10, values.lastKey()))));
        StringBuilder body = new StringBuilder();
        int y = TOP;
        for (Map.Entry<String, Map<String, Double>> group : groups.entrySet()) {
            if (groups.size() > 1) {
                text(body, 10, y + 13, "start", "bold", group.getKey());
                y += BAR + 4;
            }
            for (Map.Entry<String, Double> bar : group.getValue().entrySet()) {
                double share = Math.log10(Math.max(least, bar.getValue()) / least) / Math.log10(most / least);
                double width = Math.max(2, share * (WIDTH - LEFT - RIGHT));
                text(body, LEFT - 8, y + 12, "end", "normal", bar.getKey());
                body.append(String.format(
                        ROOT,
                        "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>%n",
                        LEFT,
                        y,
                        width,
                        BAR - 3,
                        COLOURS.get(series.indexOf(bar.getKey()) % COLOURS.size())));
                text(body, LEFT + (int) width + 6, y + 12, "start", "normal", told(bar.getValue()) + " " + unit);
                y += BAR;
            }
            y += 10;
        }
        StringBuilder svg = new StringBuilder(String.format(
                ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\""
                        + " font-size=\"12\">%n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>%n",
                WIDTH,
                y + 10));
        text(svg, 10, 20, "start", "bold", title + " (" + unit + ", logarithmic)");
        for (double grid = least; grid <= most * 1.001; grid *= 10) {
            double x = LEFT + Math.log10(grid / least) / Math.log10(most / least) * (WIDTH - LEFT - RIGHT);
            svg.append(String.format(ROOT, "<path d=\"M%.1f %d V%d\" stroke=\"#dddddd\"/>%n", x, TOP - 8, y));
        }
        return svg.append(body).append("</svg>\n").toString();
    }

    private static String told(double value) {
        return String.format(ROOT, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%,.0f", value);
    }

    private static void text(StringBuilder svg, int x, int y, String anchor, String weight, String text) {
        svg.append(String.format(
                ROOT,
                "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\" font-weight=\"%s\" fill=\"#222222\">%s</text>%n",
                x,
                y,
                anchor,
                weight,
                text.replace("`", "").replace("&", "&amp;").replace("<", "&lt;")));
    }
}
