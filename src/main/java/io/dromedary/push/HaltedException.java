package io.dromedary.push;

import org.apache.camel.RuntimeCamelException;

/** The guard's no: pushing now could delete by accident. Tried again like any failure, so it ends by itself. */
public final class HaltedException extends RuntimeCamelException {
    HaltedException(String why) {
        super(why);
    }
}
