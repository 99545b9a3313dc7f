package vn.ocop.field;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import com.google.protobuf.ByteString;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import vn.ocop.field.records.Inspection;

/** The border where Java has no memory, moves all it has, and is crossed very often. */
public class BorderTest {
    private static final int CALLS = 100_000;
    private static final int OPENINGS = 1000;
    private static final int WINDOWS = 10;
    /** Half of the least that malloc gives, in one call of the ten. */
    private static final long LEAK_BYTES_MAX = CALLS / WINDOWS / 10 * 16;
    private static final long RSS_KIB_MAX = 16 << 10;

    private FieldStore store;
    private Inspection made;

    private interface Call {
        void on() throws OcopException;
    }

    @Before
    public void open() throws Exception {
        store = Field.officer();
        made = Field.inspection(store).setNotes("Đã xem").build();
        store.submit(made);
    }

    @After
    public void close() {
        store.close();
    }

    /** Each call of each kind: text and records in, records and lists out, exceptions, listeners. */
    private List<Call> calls() {
        ByteString id = made.getId();
        Query mine = Kind.INSPECTION.query().setText("da xem").setState(RecordState.WAITING).build();
        Inspection bad = made.toBuilder().setScore(101).build();
        return Arrays.asList(
                () -> assertEquals(made.getNotes(), store.load(Kind.INSPECTION, id).getNotes()),
                () -> assertTrue(FieldStore.toJson(made, false).contains("Đã xem")),
                () -> assertEquals(1, store.find(mine).getItemsCount()),
                () -> assertEquals(RecordState.WAITING, store.recordStatus(id).getState()),
                () -> assertTrue(store.storeStatus().getEnrolled()),
                () -> store.amend(store.load(Kind.INSPECTION, id), "không đổi"),
                () -> assertEquals("score", Field.fails(Status.EINVAL, () -> store.save(bad)).getField()),
                () -> Field.fails(Status.ENOTFOUND, () -> store.load(Kind.SAMPLE, id)),
                () -> Field.fails(Status.ECANCELLED, () -> store.sync(null, (soFar, doing) -> false)),
                () -> assertEquals(16, store.newKey().size()));
    }

    @Test
    public void whatever_java_has_no_memory_for_the_call_fails_alone() throws Exception {
        int planted = 0;
        for (Call call : calls()) {
            boolean failed = true;
            for (int n = 1; failed; n++) {
                Faults.failAt(n);
                try {
                    call.on();
                } catch (OutOfMemoryError | AssertionError e) {
                    assertTrue(e.toString(), e.toString().contains("OutOfMemoryError"));
                } finally {
                    failed = Faults.relent() > 0;
                }
                planted += failed ? 1 : 0;
                call.on();
            }
        }
        assertTrue(planted + " planted", planted > 2 * calls().size() - 5);
    }

    @Test
    public void a_heap_that_is_full_is_an_error_and_the_store_goes_on() throws Exception {
        List<byte[]> full = new ArrayList<>();
        byte[] query = Query.newBuilder().setLimit(1000).build().toByteArray();
        java.lang.reflect.Field handle = FieldStore.class.getDeclaredField("store");
        handle.setAccessible(true);
        long h = handle.getLong(store);
        boolean threw = false;
        try {
            for (int size = 1 << 20; size >= 1 << 9; ) {
                try {
                    full.add(new byte[size]);
                } catch (OutOfMemoryError e) {
                    size /= 2;
                }
            }
            full.add(Native.find(h, query));
        } catch (OutOfMemoryError e) {
            threw = true;
        } finally {
            full.clear();
        }
        assertTrue("it was not full", threw);
        for (Call call : calls()) {
            call.on();
        }
    }

    @Test
    public void the_collector_may_move_all_at_every_step() throws Exception {
        int moved;
        Faults.moveAlways();
        try {
            for (Call call : calls()) {
                call.on();
            }
            assertEquals(1, store.sync(null, (soFar, doing) -> true).getPushed());
        } finally {
            moved = Faults.relent();
        }
        assertTrue(moved + " moves", moved > 10 * calls().size());
    }

    @Test
    public void threads_cross_while_another_collects_all_the_time() throws Exception {
        AtomicBoolean done = new AtomicBoolean();
        Thread collects = new Thread(() -> {
            while (!done.get()) {
                System.gc();
            }
        });
        collects.start();
        List<FutureTask<Object>> threads = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            FutureTask<Object> t = new FutureTask<>(() -> {
                for (int n = 0; n < 100; n++) {
                    assertEquals(made.getNotes(), store.load(Kind.INSPECTION, made.getId()).getNotes());
                    store.save(store.create(Kind.INSPECTION));
                    Field.fails(Status.ENOTFOUND, () -> store.load(Kind.SAMPLE, made.getId()));
                }
                return null;
            });
            threads.add(t);
            new Thread(t).start();
        }
        for (FutureTask<Object> t : threads) {
            t.get();
        }
        done.set(true);
        collects.join();
        assertEquals(400, store.storeStatus().getDrafts());
    }

    @Test
    public void a_hundred_thousand_calls_leak_nothing() throws Exception {
        long[] grown = new long[WINDOWS];
        repeat(CALLS / WINDOWS); // caches fill, compilers have begun
        long rss = rssKib();
        for (int i = 0; i < WINDOWS; i++) {
            long before = Faults.allocated();
            repeat(CALLS / WINDOWS);
            grown[i] = Faults.allocated() - before;
        }
        rss = rssKib() - rss;
        Arrays.sort(grown); // the compilers of Java take and give back in the midst of it
        long median = grown[WINDOWS / 2];
        System.out.printf("%d calls: in %d of them C came to hold %d bytes more; RSS %d KiB more%n",
                CALLS, CALLS / WINDOWS, median, rss);
        assertTrue(median + " bytes more", median < LEAK_BYTES_MAX);
        assertTrue(rss + " KiB more", rss < RSS_KIB_MAX);
    }

    @Test
    public void what_is_opened_and_closed_leaves_nothing_behind() throws Exception {
        String path = Field.path();
        long[] grown = new long[WINDOWS];
        openAndClose(path, OPENINGS / WINDOWS);
        int files = files();
        for (int i = 0; i < WINDOWS; i++) {
            long before = Faults.allocated();
            openAndClose(path, OPENINGS / WINDOWS);
            grown[i] = Faults.allocated() - before;
        }
        assertEquals("files", files, files());
        Arrays.sort(grown);
        assertTrue(grown[WINDOWS / 2] + " bytes more", grown[WINDOWS / 2] < LEAK_BYTES_MAX);
    }

    private void repeat(int count) throws OcopException {
        List<Call> calls = calls();
        for (int i = 0; i < count; i++) {
            calls.get(i % calls.size()).on();
        }
    }

    private static void openAndClose(String path, int count) throws OcopException {
        for (int i = 0; i < count; i++) {
            try (FieldStore s = FieldStore.open(path)) {
                assertFalse(s.storeStatus().getEnrolled());
                Field.fails(Status.EINVAL, () -> FieldStore.open(path, false, new byte[1]));
            }
        }
    }

    private static int files() {
        return new File("/proc/self/fd").list().length;
    }

    private static long rssKib() throws Exception {
        for (String line : Files.readAllLines(Paths.get("/proc/self/status"), StandardCharsets.UTF_8)) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        throw new AssertionError("no VmRSS");
    }
}
