package vn.ocop.field;

/** Java's side of the border made worse, for the thread that calls: tests/java/faults.c. */
final class Faults {
    static {
        System.loadLibrary("jni_faults");
    }

    private Faults() {}

    /** The n-th array or object that C wants from now on is not to be had. */
    static native void failAt(int n);

    /** The collector moves all before and after each thing that C asks of Java. */
    static native void moveAlways();

    /** All is as before. Returns how often it failed or moved. */
    static native int relent();

    /** Bytes that C holds. */
    static native long allocated();
}
