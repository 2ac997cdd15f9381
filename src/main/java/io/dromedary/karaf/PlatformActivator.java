package io.dromedary.karaf;

import org.apache.camel.CamelContext;
import org.apache.camel.karaf.core.OsgiDefaultCamelContext;
import org.osgi.framework.BundleContext;

/** The same as a small bundle among others, with the Camel of the platform. */
public final class PlatformActivator extends Activator {
    @Override
    protected CamelContext newContext(BundleContext bundleContext) {
        return new OsgiDefaultCamelContext(bundleContext);
    }
}
