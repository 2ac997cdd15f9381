package io.dromedary.watch;

import java.util.Map;
import org.apache.camel.Endpoint;
import org.apache.camel.spi.annotations.Component;
import org.apache.camel.support.DefaultComponent;

/** The {@code inotify:} component: routes consume from it what changes in a directory tree. Linux only. */
@Component("inotify")
public class InotifyComponent extends DefaultComponent {
    @Override
    protected Endpoint createEndpoint(String uri, String remaining, Map<String, Object> parameters) throws Exception {
        if (remaining.isEmpty()) {
            throw new IllegalArgumentException("inotify: no path in '" + uri + "', expected inotify:path");
        }
        InotifyEndpoint endpoint = new InotifyEndpoint(uri, this, remaining);
        setProperties(endpoint, parameters);
        return endpoint;
    }
}
