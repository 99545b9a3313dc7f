package vn.ocop.field;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;

import com.google.protobuf.ByteString;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.function.ThrowingRunnable;
import vn.ocop.field.records.Inspection;

/** What the tests share: one centre for all of them, and officers in the field. */
final class Field {
    private static Centre centre;
    private static final AtomicInteger officers = new AtomicInteger();

    private Field() {}

    static synchronized Centre centre() throws Exception {
        if (centre == null) {
            centre = new Centre();
        }
        return centre;
    }

    static synchronized void end() throws Exception {
        if (centre != null) {
            centre.close();
        }
    }

    /** A new path of a store. */
    static String path() throws Exception {
        return centre().file("field" + officers.incrementAndGet() + ".ocop");
    }

    /** A store of an officer of her own, synced once. */
    static FieldStore officer() throws Exception {
        return officer(centre().port);
    }

    static FieldStore officer(int through) throws Exception {
        FieldStore store = FieldStore.open(path());
        store.enrol(centre().invite("Cán bộ " + officers.incrementAndGet(), through), "Điện thoại");
        store.sync();
        return store;
    }

    /** An inspection that may be submitted. */
    static Inspection.Builder inspection(FieldStore store) throws OcopException {
        return store.create(Kind.INSPECTION).toBuilder()
                .setUnitId(first(store, Kind.UNIT, "xã Đức Lập"))
                .setProducerId(first(store, Kind.PRODUCER, "ca phe duc lap"))
                .setInspectionType("unannounced")
                .setConclusion("pass")
                .setScore(82);
    }

    static ByteString first(FieldStore store, Kind<?> kind, String text) throws OcopException {
        return store.find(kind.query().setText(text).build()).getItems(0).getId();
    }

    static OcopException fails(Status status, ThrowingRunnable call) {
        OcopException e = assertThrows(OcopException.class, call);
        assertEquals(e.toString(), status, e.getStatus());
        return e;
    }
}
