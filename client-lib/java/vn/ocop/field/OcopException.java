package vn.ocop.field;

import androidx.annotation.NonNull;
import androidx.annotation.Nullable;

/**
 * Why a call failed: a {@link Status}, the field that is wrong, and one line that also says what to
 * do. What is stored is then unchanged, unless the method says otherwise.
 */
public final class OcopException extends Exception {
    private static final long serialVersionUID = 1;

    /** Number of the status. */
    private final int status;

    /** Name of the field. */
    private final String field;

    private final transient byte[] detail;

    /* Called from C. */
    OcopException(int status, byte[] field, byte[] text, byte[] detail) {
        super(Native.text(text));
        this.status = status;
        this.field = Native.text(field);
        this.detail = detail;
    }

    /**
     * What kind of failure it is.
     *
     * @return never {@link Status#OK}
     */
    @NonNull
    public Status getStatus() {
        Status known = Status.forNumber(status);
        return known == null ? Status.EBROKEN : known;
    }

    /**
     * The field that is wrong, such as {@code "findings[2].clause"}.
     *
     * @return empty where no field is at fault
     */
    @NonNull
    public String getField() {
        return field;
    }

    /**
     * What a sync had done when it failed. It stays done: the next sync goes on from there.
     *
     * @return null unless the call was a sync
     */
    @Nullable
    public SyncSummary getSummary() {
        return detail == null ? null : Native.message(SyncSummary.parser(), detail);
    }

    @Override
    @NonNull
    public String toString() {
        return getStatus() + (field.isEmpty() ? "" : " (" + field + ")") + ": " + getMessage();
    }
}
