package vn.ocop.field;

import com.google.protobuf.ByteString;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Locale;
import vn.ocop.field.records.Answer;
import vn.ocop.field.records.Inspection;

/**
 * What a call from Java costs beyond the C function, in processor time of the thread, C and Java by
 * turns: with a record of 300 bytes going out of C (load) and into it (an amendment that changes nothing,
 * the cheapest call that takes one). Packing and unpacking in Java are in it. A loaded record is three
 * times as long as what it says: it carries what was loaded.
 */
public final class BorderBench {
    private static final int CALLS = 10_000;
    private static final int TURNS = 9;
    private static final double BAR_US = 2.0;
    private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();

    private interface Work {
        Object call() throws OcopException;
    }

    static {
        System.loadLibrary("bench_border");
    }

    /* The same in C: ns of one ocop_load and of one ocop_amend. */
    private static native boolean inC(String path, String id, int calls, double[] ns);

    private static Object kept; // or the compiler would see that nobody wants it

    public static void main(String[] args) throws Exception {
        String path = Field.path();
        double[] java = {Double.MAX_VALUE, Double.MAX_VALUE};
        double[] c = {Double.MAX_VALUE, Double.MAX_VALUE};
        Inspection made;
        try (FieldStore store = FieldStore.open(path)) {
            store.enrol(Field.centre().invite("Nguyễn Thị An"), null);
            store.sync();
            made = record(store);
            store.submit(made);
        }
        try (FieldStore store = FieldStore.open(path)) {
            ByteString id = made.getId();
            Inspection loaded = store.load(Kind.INSPECTION, id);
            double[] inC = new double[2];
            for (int i = 0; i < TURNS; i++) {
                java[0] = Math.min(java[0], ns(() -> store.load(Kind.INSPECTION, id)));
                java[1] = Math.min(java[1], ns(() -> {
                    store.amend(loaded, "không đổi");
                    return null;
                }));
                if (!inC(path, FieldStore.idText(id), CALLS, inC)) {
                    throw new IllegalStateException("the calls fail in C");
                }
                c[0] = Math.min(c[0], inC[0]);
                c[1] = Math.min(c[1], inC[1]);
            }
        }
        Field.end();
        line("jni_out_us", (java[0] - c[0]) / 1e3, "us/load beyond C's, a record of " + made.getSerializedSize() + " bytes");
        line("jni_in_us", (java[1] - c[1]) / 1e3, "us/amend beyond C's, of the same");
        System.out.printf(Locale.ROOT, "jni_c_us\t%.3f\tus/load in C\tshown\tok%n", c[0] / 1e3);
    }

    private static Inspection record(FieldStore store) throws OcopException {
        Inspection.Builder made = Field.inspection(store);
        for (int i = 1; i <= 8; i++) {
            made.addAnswers(Answer.newBuilder().setQuestion("NC." + i).setAnswer("pass"));
        }
        StringBuilder notes = new StringBuilder("Khu rang sạch");
        while (made.setNotes(notes.toString()).build().getSerializedSize() < 300) {
            notes.append('.');
        }
        return made.build();
    }

    private static double ns(Work work) throws OcopException {
        long begin = CLOCK.getCurrentThreadCpuTime();
        for (int i = 0; i < CALLS; i++) {
            kept = work.call();
        }
        return (double) (CLOCK.getCurrentThreadCpuTime() - begin) / CALLS;
    }

    private static void line(String name, double us, String unit) {
        System.out.printf(Locale.ROOT, "%s\t%.3f\t%s\t<=%.0f\t%s%n", name, us, unit, BAR_US,
                us <= BAR_US ? "ok" : "short");
    }
}
