package io.dromedary.push;

import io.dromedary.change.ChangeSet;
import org.apache.camel.AggregationStrategy;
import org.apache.camel.Exchange;
import org.apache.camel.support.DefaultExchange;

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
            // A push is a message of its own: one that came out of an error handler would otherwise carry its marks on,
            // and Camel would stop it half way. And the set is shared with the other branches of the multicast.
            result = new DefaultExchange(arrived.getContext());
            result.getMessage().setHeader("remote", remote);
            result.getMessage().setHeader("lane", arrived.getMessage().getHeader("lane"));
            Batch begun = new Batch();
            begun.lane(Lane.of(arrived.getMessage().getHeader("lane", String.class)));
            result.getMessage().setBody(begun);
        }
        Batch batch = result.getMessage().getBody(Batch.class);
        if (body instanceof Batch redelivered) {
            if (redelivered.files().isEmpty() && !redelivered.changes().isEmpty()) {
                // What a full sync may have undone is on disk nowhere else.
                failQueue.journal(remote, batch, redelivered.changes());
            }
            batch.absorb(redelivered);
        } else {
            ChangeSet changes = (ChangeSet) body;
            failQueue.journal(remote, batch, changes);
            batch.merge(changes);
        }
        return result;
    }
}
