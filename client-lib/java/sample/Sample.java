package sample;

import com.google.protobuf.ByteString;
import vn.ocop.field.FieldStore;
import vn.ocop.field.Item;
import vn.ocop.field.ItemList;
import vn.ocop.field.Kind;
import vn.ocop.field.OcopException;
import vn.ocop.field.RecordStatus;
import vn.ocop.field.Status;
import vn.ocop.field.SyncOptions;
import vn.ocop.field.SyncSummary;
import vn.ocop.field.records.Answer;
import vn.ocop.field.records.Finding;
import vn.ocop.field.records.Inspection;

/**
 * Enrols, records an inspection as an officer would without signal, and syncs:
 *
 * <pre>java sample.Sample STORE CODE PRODUCER</pre>
 */
public final class Sample {
    public static void main(String[] args) throws Exception {
        try (FieldStore store = FieldStore.open(args[0])) {
            if (!store.storeStatus().getEnrolled()) {
                store.enrol(args[1], "Điện thoại mẫu");
            }
            sync(store); // the producers of the officer's communes come
            ByteString id = inspect(store, args[2]);
            sync(store); // the inspection goes
            RecordStatus status = store.recordStatus(id);
            Inspection there = store.load(Kind.INSPECTION, id);
            System.out.println(there.getMinutesNo() + ": " + status.getState());
        }
    }

    /** In the field: nothing here needs a network. */
    private static ByteString inspect(FieldStore store, String producerName) throws OcopException {
        ItemList found = store.find(Kind.PRODUCER.query().setText(producerName).build());
        if (found.getItemsCount() == 0) {
            throw new IllegalArgumentException("no producer here is called " + producerName);
        }
        Item producer = found.getItems(0);
        Inspection.Builder i = store.create(Kind.INSPECTION).toBuilder()
                .setProducerId(producer.getId())
                .setUnitId(store.load(Kind.PRODUCER, producer.getId()).getUnitId())
                .setInspectionType("unannounced")
                .addAnswers(Answer.newBuilder().setQuestion("NC.1").setAnswer("fail"))
                .addFindings(Finding.newBuilder()
                        .setKey(store.newKey())
                        .setDescription("Nước thải chưa có bể lắng")
                        .setSeverity("minor"));
        store.save(i.build()); // a draft: the officer may put the phone away
        i.setConclusion("conditional").setScore(74);
        try {
            store.submit(i.build()); // from here on it will reach the registry
        } catch (OcopException e) {
            if (e.getStatus() == Status.EINVAL) {
                System.err.println("please mend " + e.getField() + ": " + e.getMessage());
            }
            throw e;
        }
        return i.getId();
    }

    private static void sync(FieldStore store) throws OcopException {
        SyncOptions patient = SyncOptions.newBuilder().setPatienceMs(60_000).build();
        try {
            SyncSummary done = store.sync(patient, (soFar, doing) -> !Thread.interrupted());
            System.out.printf("%d changes sent, %d records received, %d bytes%n", done.getPushed(),
                    done.getPulled(), done.getBytesSent() + done.getBytesReceived());
        } catch (OcopException e) {
            if (e.getStatus() != Status.ENET && e.getStatus() != Status.ETIMEOUT) {
                throw e;
            }
            System.out.println("no signal; what is recorded waits: " + e.getMessage());
        }
    }
}
