package io.dromedary.routes;

import org.apache.camel.CamelContext;
import org.apache.camel.spi.ContextServicePlugin;

/**
 * How Camel finds {@link ShippedRoutes} by itself: by its name under {@code META-INF/services}. A class of its own, since
 * older Camels have no such interface.
 */
public final class ShippedRoutesPlugin implements ContextServicePlugin {
    @Override
    public void load(CamelContext context) {
        ShippedRoutes.of(context);
    }
}
