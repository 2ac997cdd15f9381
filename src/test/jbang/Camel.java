import org.apache.camel.dsl.jbang.core.commands.CamelJBangMain;

/** What jbang(1) starts for camel(1). */
public final class Camel {
    public static void main(String[] args) {
        CamelJBangMain.run(args);
    }
}
