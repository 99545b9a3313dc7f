package vn.ocop.field;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static vn.ocop.field.Field.fails;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;
import org.junit.Test;
import vn.ocop.field.records.Inspection;

/** Encrypted stores: of the build that can. */
public class KeyTest {
    private static final byte[] ONE = key(1);
    private static final byte[] OTHER = key(2);

    @Test
    public void a_store_opens_with_its_key_only() throws Exception {
        String path = Field.path();
        try (FieldStore store = FieldStore.open(path, false, ONE)) {
            assertTrue(store.storeStatus().getEncrypted());
        }
        fails(Status.EAUTH, () -> FieldStore.open(path));
        fails(Status.EAUTH, () -> FieldStore.open(path, true, OTHER));
        byte[] mine = ONE.clone();
        FieldStore.open(path, true, mine).close();
        assertTrue("what the caller gave is his to wipe", Arrays.equals(ONE, mine));
    }

    @Test
    public void a_plain_store_takes_a_key_and_its_text_is_gone_from_the_file() throws Exception {
        String path = Field.path();
        Inspection made;
        try (FieldStore store = FieldStore.open(path)) {
            store.enrol(Field.centre().invite("Cán bộ " + path), null);
            store.sync();
            made = Field.inspection(store).setNotes("in plain sight").build();
            store.submit(made);
        }
        assertTrue(text(path).contains("in plain sight"));
        fails(Status.ESTATE, () -> FieldStore.open(path, true, ONE));
        try (FieldStore store = FieldStore.open(path)) {
            store.rekey(ONE);
            store.rekey(OTHER);
            store.sync();
            assertEquals(RecordState.ACCEPTED, store.recordStatus(made.getId()).getState());
        }
        assertFalse(text(path).contains("in plain sight"));
        try (FieldStore store = FieldStore.open(path, true, OTHER)) {
            assertEquals(made.getNotes(), store.load(Kind.INSPECTION, made.getId()).getNotes());
        }
    }

    @Test
    public void a_key_of_a_wrong_length_is_refused_by_name() throws Exception {
        String path = Field.path();
        assertEquals("key", fails(Status.EINVAL, () -> FieldStore.open(path, false, new byte[15])).getField());
        assertFalse(Files.exists(Paths.get(path)));
    }

    private static byte[] key(int fill) {
        byte[] key = new byte[32];
        Arrays.fill(key, (byte) fill);
        return key;
    }

    private static String text(String path) throws Exception {
        return new String(Files.readAllBytes(Paths.get(path)), StandardCharsets.ISO_8859_1);
    }
}
