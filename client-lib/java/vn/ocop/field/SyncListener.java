package vn.ocop.field;

import androidx.annotation.NonNull;

/** Hears where a sync is. */
public interface SyncListener {
    /**
     * Called on the thread that syncs, between two exchanges. It may use the store, but not close
     * it. What it throws ends the sync and comes out of {@link FieldStore#sync(SyncOptions,
     * SyncListener)}.
     *
     * @param soFar what has been done
     * @param doing what comes next, in words
     * @return false to cancel
     */
    boolean onProgress(@NonNull SyncSummary soFar, @NonNull String doing);
}
