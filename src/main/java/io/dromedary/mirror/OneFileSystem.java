package io.dromedary.mirror;

import java.util.function.BooleanSupplier;

/** Whether a mirror's watch leaves out what is mounted below the source, since all its remotes do; known once all routes are there. */
public final class OneFileSystem implements BooleanSupplier {
    private String mirror;
    private Mirrors mirrors;

    public void setMirror(String mirror) {
        this.mirror = mirror;
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    @Override
    public boolean getAsBoolean() {
        return mirrors.mirror(mirror).isOfOneFileSystem();
    }
}
