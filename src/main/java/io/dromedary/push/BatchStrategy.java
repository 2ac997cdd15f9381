package io.dromedary.push;

import io.dromedary.change.ChangeSet;
import org.apache.camel.AggregationStrategy;
import org.apache.camel.Exchange;

/**
 * The aggregate of each remote: merges what arrives, new changes or batches that are redelivered, into the next batch,
 * and writes it to the state directory in the same step, so that a kill loses nothing.
 */
public final class BatchStrategy implements AggregationStrategy {
    private FailQueue failQueue;

    public void setFailQueue(FailQueue failQueue) {
        this.failQueue = failQueue;
    }

    @Override
    public Exchange aggregate(Exchange waiting, Exchange arrived) {
        String remote = arrived.getMessage().getHeader("remote", String.class);
        Object body = arrived.getMessage().getBody();
        Exchange result = waiting;
        if (waiting == null) {
            // The first set is shared with the other branches of the multicast: never merged into, only copied.
            arrived.getMessage().setBody(new Batch());
            result = arrived;
        }
        Batch batch = result.getMessage().getBody(Batch.class);
        if (body instanceof Batch redelivered) {
            batch.absorb(redelivered);
        } else {
            ChangeSet changes = (ChangeSet) body;
            failQueue.journal(remote, batch, changes);
            batch.merge(changes);
        }
        return result;
    }
}
