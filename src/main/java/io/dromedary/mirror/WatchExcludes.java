package io.dromedary.mirror;

import io.dromedary.change.Excludes;
import java.util.function.Supplier;

/** What one mirror's watch leaves out, for the moment when it starts: by then all remotes are known. */
public final class WatchExcludes implements Supplier<Excludes> {
    private String mirror;
    private Mirrors mirrors;

    public void setMirror(String mirror) {
        this.mirror = mirror;
    }

    public void setMirrors(Mirrors mirrors) {
        this.mirrors = mirrors;
    }

    @Override
    public Excludes get() {
        return mirrors.mirror(mirror).unwatched();
    }
}
