package vn.ocop.field;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static vn.ocop.field.Field.fails;

import com.google.protobuf.ByteString;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.Test;
import vn.ocop.field.records.Inspection;

/** Enrolling and syncing with a real ocopd, and closing in the midst of it. */
public class SyncTest {
    @Test
    public void what_is_submitted_is_accepted_and_the_listener_hears_of_it() throws Exception {
        List<String> heard = new ArrayList<>();
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            SyncSummary done = store.sync(SyncOptions.newBuilder().setPatienceMs(1000).build(),
                    (soFar, doing) -> heard.add(doing));
            assertEquals(1, done.getPushed());
            assertEquals(1, done.getApplied());
            assertEquals(0, done.getLeft());
            assertTrue(done.getComplete());
            assertTrue(done.getBytesSent() > 0 && done.getBytesReceived() > 0);
            assertFalse(heard.isEmpty());
            assertEquals(RecordState.ACCEPTED, store.recordStatus(made.getId()).getState());
            StoreStatus status = store.storeStatus();
            assertTrue(status.getEnrolled() && status.getLastSyncMs() > 0);
            assertTrue(status.getOfficerName().startsWith("Cán bộ"));
            assertFalse(status.getEncrypted() || status.getRevoked() || status.getWiped());
            fails(Status.ESTATE, () -> store.resend(made.getId()));
        }
    }

    @Test
    public void two_contradicting_amendments_are_a_case_that_shows_both() throws Exception {
        try (FieldStore an = Field.officer();
                FieldStore binh = Field.officer()) {
            Inspection made = Field.inspection(an).build();
            an.submit(made);
            an.sync();
            binh.sync();
            an.amend(an.load(Kind.INSPECTION, made.getId()).toBuilder().setConclusion("fail").build(), "kết quả kiểm nghiệm");
            an.sync();
            binh.amend(binh.load(Kind.INSPECTION, made.getId()).toBuilder()
                    .setConclusion("conditional").build(), "xem lại");
            assertEquals(1, binh.sync().getInCase());
            RecordStatus status = binh.recordStatus(made.getId());
            assertEquals(RecordState.IN_CASE, status.getState());
            Case both = status.getCases(0);
            assertEquals("conclusion", both.getField());
            assertEquals("\"pass\"", both.getBefore());
            assertEquals("\"fail\"", both.getTheirs());
            assertEquals("\"conditional\"", both.getMine());
            assertFalse(both.getClosed());
            assertEquals("", both.getResolution());
        }
    }

    @Test
    public void what_a_sync_did_before_it_failed_comes_with_the_exception() throws Exception {
        try (FieldStore store = FieldStore.open(Field.path())) {
            OcopException e = fails(Status.ENOTENROLLED, store::sync);
            assertNotNull(e.getSummary());
            assertEquals(0, e.getSummary().getPushed());
            fails(Status.EINVAL, () -> store.enrol("không phải mã", null));
        }
    }

    @Test
    public void a_listener_that_says_stop_cancels() throws Exception {
        try (FieldStore store = Field.officer()) {
            store.submit(Field.inspection(store).build());
            fails(Status.ECANCELLED, () -> store.sync(null, (soFar, doing) -> false));
            assertEquals(1, store.storeStatus().getWaiting());
            assertEquals(1, store.sync().getPushed());
        }
    }

    @Test
    public void what_a_listener_throws_comes_out_and_the_store_goes_on() throws Exception {
        RuntimeException thrown = new RuntimeException("từ ứng dụng");
        try (FieldStore store = Field.officer()) {
            store.submit(Field.inspection(store).build());
            assertSame(thrown, assertThrows(RuntimeException.class, () -> store.sync(null,
                    (soFar, doing) -> {
                        throw thrown;
                    })));
            assertEquals(1, store.sync().getPushed());
        }
    }

    @Test
    public void a_device_changes_its_keys() throws Exception {
        try (FieldStore store = Field.officer()) {
            store.rekeyDevice();
            assertTrue(store.storeStatus().getRekeying());
            store.submit(Field.inspection(store).build());
            assertEquals(1, store.sync().getPushed());
            assertFalse(store.storeStatus().getRekeying());
            assertTrue(store.storeStatus().getKeysMadeMs() > 0);
        }
    }

    @Test
    public void a_listener_may_use_the_store_but_not_close_it() throws Exception {
        try (FieldStore store = Field.officer()) {
            store.submit(Field.inspection(store).build());
            assertThrows(IllegalStateException.class, () -> store.sync(null, (soFar, doing) -> {
                try {
                    assertTrue(store.storeStatus().getEnrolled());
                } catch (OcopException e) {
                    throw new AssertionError(e);
                }
                store.close();
                return true;
            }));
            assertEquals(1, store.sync().getPushed());
        }
    }

    @Test
    public void recording_goes_on_while_a_sync_waits_and_a_cancel_ends_it() throws Exception {
        try (Line line = new Line(Field.centre().port);
                FieldStore store = Field.officer(line.port)) {
            store.submit(Field.inspection(store).build());
            CountDownLatch swallowed = line.cut();
            FutureTask<OcopException> sync = begin(store);
            swallowed.await();
            store.submit(Field.inspection(store).build());
            fails(Status.EBUSY, store::sync);
            store.cancel();
            assertEquals(Status.ECANCELLED, sync.get().getStatus());
            assertEquals(2, store.storeStatus().getWaiting());
            line.mend();
            assertEquals(2, store.sync().getPushed());
        }
    }

    @Test
    public void closing_cancels_a_sync_and_waits_for_it() throws Exception {
        try (Line line = new Line(Field.centre().port)) {
            FieldStore store = Field.officer(line.port);
            store.submit(Field.inspection(store).build());
            CountDownLatch swallowed = line.cut();
            FutureTask<OcopException> sync = begin(store);
            swallowed.await();
            store.close();
            assertTrue(sync.isDone());
            assertEquals(Status.ECANCELLED, sync.get().getStatus());
        }
    }

    @Test
    public void closed_twice_is_closed_once_and_a_closed_store_says_so() throws Exception {
        FieldStore store = Field.officer();
        Inspection made = Field.inspection(store).build();
        store.close();
        store.close();
        store.cancel();
        fails(Status.ESTATE, () -> store.save(made));
        fails(Status.ESTATE, store::storeStatus);
        fails(Status.ESTATE, store::newKey);
        fails(Status.ESTATE, store::sync);
    }

    @Test
    public void many_threads_record_find_and_sync_side_by_side_until_it_is_closed() throws Exception {
        FieldStore store = Field.officer();
        Inspection.Builder made = Field.inspection(store);
        List<FutureTask<Integer>> threads = new ArrayList<>();
        CountDownLatch recorded = new CountDownLatch(60);
        for (int i = 0; i < 6; i++) {
            boolean syncs = i == 0;
            threads.add(start(() -> {
                int submitted = 0;
                try {
                    while (true) {
                        ByteString id = store.create(Kind.INSPECTION).getId();
                        store.submit(made.clone().setId(id).build());
                        submitted++;
                        recorded.countDown();
                        assertEquals(82, store.load(Kind.INSPECTION, id).getScore());
                        assertTrue(store.find(Kind.INSPECTION.query().setLimit(5).build()).getItemsCount() > 0);
                        if (syncs) {
                            store.sync();
                        }
                    }
                } catch (OcopException e) {
                    Status why = e.getStatus();
                    assertTrue(e.toString(), why == Status.ESTATE || (syncs && why == Status.ECANCELLED));
                }
                return submitted;
            }));
        }
        recorded.await();
        String path = store.storeStatus().getServer();
        assertFalse(path.isEmpty());
        store.close();
        int submitted = 0;
        for (FutureTask<Integer> t : threads) {
            submitted += t.get();
        }
        assertTrue(submitted >= 60);
    }

    /** A sync in a thread of its own, and how it fails. */
    private static FutureTask<OcopException> begin(FieldStore store) {
        return start(() -> assertThrows(OcopException.class, store::sync));
    }

    private static <T> FutureTask<T> start(java.util.concurrent.Callable<T> work) {
        FutureTask<T> task = new FutureTask<>(work);
        new Thread(task).start();
        return task;
    }
}
