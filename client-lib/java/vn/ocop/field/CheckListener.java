package vn.ocop.field;

import androidx.annotation.NonNull;

/** Hears what {@link FieldStore#check} finds. */
public interface CheckListener {
    /**
     * Called on the thread that checks. What it throws comes out of {@link FieldStore#check}.
     *
     * @param finding names the row and says from what it can be had again
     */
    void onFinding(@NonNull String finding);
}
