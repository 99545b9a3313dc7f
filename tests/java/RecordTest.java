package vn.ocop.field;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static vn.ocop.field.Field.fails;

import com.google.protobuf.ByteString;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import vn.ocop.field.records.Answer;
import vn.ocop.field.records.CustodyStep;
import vn.ocop.field.records.Inspection;
import vn.ocop.field.records.Sample;

/** Records, their texts and states: what the C tests hold of the library, seen from Java. */
public class RecordTest {
    private FieldStore store;

    @Before
    public void open() throws Exception {
        store = Field.officer();
    }

    @After
    public void close() {
        store.close();
    }

    @Test
    public void a_record_comes_back_as_it_was_submitted_and_with_its_number() throws Exception {
        Inspection made = Field.inspection(store)
                .addAnswers(Answer.newBuilder().setQuestion("NC.1").setAnswer("pass"))
                .build();
        store.submit(made);
        Inspection there = store.load(Kind.INSPECTION, made.getId());
        assertEquals(made.getAnswersList(), there.getAnswersList());
        assertEquals(82, there.getScore());
        assertFalse(there.getMinutesNo().isEmpty());
        RecordStatus status = store.recordStatus(made.getId());
        assertEquals(RecordState.WAITING, status.getState());
        assertEquals(1, status.getWaiting());
        assertEquals("inspection", status.getKind());
    }

    /** Two bytes, three and four, and combining marks: JNI's own UTF-8 has the four as six. */
    @Test
    public void text_crosses_as_utf8() throws Exception {
        String notes = "Đỗ Thị Hạnh, nước thải; e\u0302\u0301 \uD83C\uDF3E\uD83D\uDC68\u200D\uD83C\uDF3E 𠀀";
        Inspection made = Field.inspection(store).setNotes(notes).build();
        store.save(made);
        assertEquals(notes, store.load(Kind.INSPECTION, made.getId()).getNotes());
        String json = FieldStore.toJson(made, false);
        assertTrue(json, json.contains(notes));
        assertEquals(notes, store.fromJson(Kind.INSPECTION, null, json).getNotes());
        assertEquals(
                made.getId(), Field.first(store, Kind.INSPECTION, "do thi hanh nuoc thai"));
    }

    @Test
    public void the_character_0_is_refused_and_cuts_no_text_short() throws Exception {
        Inspection made = Field.inspection(store).setNotes("trước\0sau").build();
        fails(Status.EINVAL, () -> store.save(made));
        fails(Status.EINVAL, () -> store.amend(made.toBuilder().clearNotes().build(), "vì\0sao"));
        fails(Status.ENOTFOUND, () -> store.load(Kind.INSPECTION, made.getId()));
        fails(Status.EINVAL, () -> FieldStore.sameName("a\0b", "a"));
    }

    @Test
    public void a_refused_field_is_named() throws Exception {
        OcopException e =
                fails(Status.EINVAL, () -> store.submit(Field.inspection(store).setScore(101).build()));
        assertEquals("score", e.getField());
        assertFalse(e.getMessage().isEmpty());
        assertNull(e.getSummary());
        assertTrue(e.toString(), e.toString().startsWith("EINVAL (score): "));
    }

    @Test
    public void a_draft_is_saved_submitted_and_discarded() throws Exception {
        Inspection one = Field.inspection(store).build();
        store.save(one);
        assertEquals(RecordState.DRAFT, store.recordStatus(one.getId()).getState());
        store.submitDraft(one.getId(), null);
        assertEquals(RecordState.WAITING, store.recordStatus(one.getId()).getState());
        Inspection two = Field.inspection(store).build();
        store.save(two);
        store.discard(two.getId());
        fails(Status.ENOTFOUND, () -> store.recordStatus(two.getId()));
        fails(Status.ENOTFOUND, () -> store.discard(two.getId()));
    }

    @Test
    public void an_amendment_is_what_differs_from_what_was_loaded() throws Exception {
        Inspection made = Field.inspection(store).build();
        store.submit(made);
        Inspection in_editor = store.load(Kind.INSPECTION, made.getId());
        store.amend(in_editor.toBuilder().setScore(70).build(), "tính lại");
        store.amend(in_editor.toBuilder().setNotes("đã đọc").build(), "thêm ghi chú");
        Inspection now = store.load(Kind.INSPECTION, made.getId());
        assertEquals(70, now.getScore());
        assertEquals("đã đọc", now.getNotes());
        fails(Status.ESTATE, () -> store.submit(now));
    }

    @Test
    public void others_add_to_an_open_list() throws Exception {
        Sample made = store.create(Kind.SAMPLE).toBuilder()
                .setUnitId(Field.first(store, Kind.UNIT, "xã Đức Lập"))
                .setProducerId(Field.first(store, Kind.PRODUCER, "ca phe duc lap"))
                .setProductId(Field.first(store, Kind.PRODUCT, "ca phe bot"))
                .setQuantity("1.5").setQuantityUnit("kg").setLotCode("CF-2611")
                .build();
        store.submit(made);
        CustodyStep step = CustodyStep.newBuilder()
                .setFromHolder("Chi cục").setToHolder("Phòng kiểm nghiệm")
                .setAtMs(made.getRecordedMs()).build();
        store.add(Kind.SAMPLE, made.getId(), "custody", step, "giao mẫu");
        CustodyStep there = store.load(Kind.SAMPLE, made.getId()).getCustody(0);
        assertEquals("Phòng kiểm nghiệm", there.getToHolder());
        assertEquals(16, there.getKey().size());
        fails(Status.EINVAL, () -> store.add(Kind.SAMPLE, made.getId(), "place", step, "giao"));
        fails(Status.EINVAL, () -> store.add(Kind.SAMPLE, made.getId(), "nowhere", step, "giao"));
    }

    @Test
    public void a_void_record_stays_marked_and_is_found_when_asked_for() throws Exception {
        Inspection made = Field.inspection(store).setLotCode("VOID-1").build();
        store.submit(made);
        fails(Status.EINVAL, () -> store.voidRecord(made.getId(), null));
        store.voidRecord(made.getId(), "nhầm cơ sở");
        assertTrue(store.load(Kind.INSPECTION, made.getId()).getVoided());
        assertEquals(0, store.find(Kind.INSPECTION.query().setState(RecordState.WAITING).build()).getItemsCount());
        Item item = store.find(Kind.INSPECTION.query().setState(RecordState.WAITING).setVoidedToo(true).build()).getItems(0);
        assertTrue(item.getVoided());
        assertEquals("inspection", item.getKind());
    }

    @Test
    public void a_query_narrows_by_all_it_names() throws Exception {
        ByteString unit = Field.first(store, Kind.UNIT, "xã Đức Lập");
        ByteString producer = Field.first(store, Kind.PRODUCER, "ca phe duc lap");
        for (String day : new String[] {"2026-03-01", "2026-03-02", "2026-03-03"}) {
            store.submit(Field.inspection(store).setInspectedDate(day).build());
        }
        Query all = Kind.INSPECTION.query().setUnit(unit).setProducer(producer)
                .setFromDate("2026-03-02").setToDate("2026-03-03").setState(RecordState.WAITING)
                .build();
        assertEquals(2, store.find(all).getItemsCount());
        assertEquals("2026-03-03", store.find(all).getItems(0).getDay());
        ItemList one = store.find(all.toBuilder().setLimit(1).build());
        assertEquals(1, one.getItemsCount());
        assertTrue(one.getMore());
        ItemList rest = store.find(all.toBuilder().setLimit(1).setOffset(1).build());
        assertEquals("2026-03-02", rest.getItems(0).getDay());
        assertFalse(rest.getMore());
        Query refused = all.toBuilder().setState(RecordState.REFUSED).build();
        assertEquals(0, store.find(refused).getItemsCount());
        ByteString nobody = store.newKey();
        assertEquals(0, store.find(all.toBuilder().setProduct(nobody).build()).getItemsCount());
        fails(Status.EINVAL, () -> store.find(all.toBuilder().setFromDate("hôm qua").build()));
        ByteString cut = unit.substring(1);
        fails(Status.EINVAL, () -> store.find(all.toBuilder().setUnit(cut).build()));
        fails(Status.EINVAL, () -> store.load(Kind.INSPECTION, cut));
    }

    @Test
    public void a_record_is_of_its_kind() throws Exception {
        Inspection made = Field.inspection(store).build();
        store.save(made);
        fails(Status.ENOTFOUND, () -> store.load(Kind.SAMPLE, made.getId()));
        fails(Status.EINVAL, () -> store.save(Answer.getDefaultInstance()));
        fails(Status.EPERM, () -> store.create(Kind.UNIT));
        assertThrows(NullPointerException.class, () -> store.load(Kind.SAMPLE, null));
        assertThrows(NullPointerException.class, () -> store.amend(made, null));
    }

    @Test
    public void fields_are_set_by_text_and_the_record_given_stays() throws Exception {
        Inspection made = Field.inspection(store).build();
        Inspection set = store.setText(Kind.INSPECTION, made, "answers[NC.1].answer=fail");
        assertEquals("fail", set.getAnswers(0).getAnswer());
        assertEquals(0, made.getAnswersCount());
        assertEquals(82, store.fromJson(Kind.INSPECTION, made, "{\"notes\":\"x\"}").getScore());
        assertEquals(
                "score", fails(Status.EINVAL, () -> store.setText(Kind.INSPECTION, made, "score=x")).getField());
        fails(Status.EINVAL, () -> store.fromJson(Kind.INSPECTION, null, "{"));
    }

    @Test
    public void ids_names_and_versions_need_no_store() throws Exception {
        ByteString key = store.newKey();
        assertEquals(key, FieldStore.parseId(FieldStore.idText(key)));
        assertNull(FieldStore.parseId("không phải"));
        fails(Status.EINVAL, () -> FieldStore.idText(ByteString.copyFrom(new byte[3])));
        assertTrue(FieldStore.sameName("Hoà  Bình", "hòa bình"));
        assertFalse(FieldStore.sameName("Hoà", "Hoa"));
        assertFalse(FieldStore.sameName(null, null));
        assertTrue(FieldStore.version(), FieldStore.version().matches("[0-9]+\\.[0-9]+\\.[0-9]+"));
    }

    @Test
    public void the_check_finds_nothing_in_a_whole_store() throws Exception {
        store.submit(Field.inspection(store).build());
        List<String> findings = new ArrayList<>();
        assertEquals(0, store.check(findings::add));
        assertEquals(0, store.check(null));
        assertTrue(findings.isEmpty());
    }

    @Test
    public void the_check_names_what_was_altered_in_the_file_and_its_listener_may_throw() throws Exception {
        String path = Field.path();
        try (FieldStore whole = FieldStore.open(path)) {
            whole.enrol(Field.centre().invite("Cán bộ của " + path), null);
            whole.sync();
            whole.save(Field.inspection(whole).setNotes("nguyen van ban").build());
        }
        String bytes = new String(Files.readAllBytes(Paths.get(path)), StandardCharsets.ISO_8859_1);
        Files.write(Paths.get(path), bytes.replace("nguyen van ban", "nguyen van Ban")
                .getBytes(StandardCharsets.ISO_8859_1));
        try (FieldStore altered = FieldStore.open(path)) {
            List<String> findings = new ArrayList<>();
            assertEquals(altered.check(findings::add), findings.size());
            assertTrue(findings.toString(), findings.toString().contains("inspection"));
            RuntimeException thrown = new RuntimeException("từ ứng dụng");
            assertSame(thrown, assertThrows(RuntimeException.class, () -> altered.check(f -> {
                throw thrown;
            })));
        }
    }

    /** What differs between the classes here and the C library would be wrong in silence. */
    @Test
    public void every_status_and_every_kind_has_its_counterpart() throws Exception {
        for (Status s : Status.values()) {
            assertEquals("OCOP_" + s, "OCOP_" + Native.text(Native.statusName(s.getNumber())));
        }
        String header = read("proto/base/ocop_status.h");
        assertEquals(names(header, "OCOP_(E?[A-Z]+) = [0-9]+").size(), Status.values().length);
        Set<String> kinds = new HashSet<>();
        for (Kind<?> k : Kind.all()) {
            kinds.add(k.getName());
            assertSame(k, Kind.named(k.getName()));
        }
        assertEquals(names(read("proto/schema/kinds.c"), "KIND\\(KIND_[A-Z_]+, \"(\\w+)\"(?![^}]{0,160}true, ?\\s*true)"), kinds);
        assertNull(Kind.named("replica"));
    }

    @Test
    public void a_path_that_is_no_store_is_refused() throws Exception {
        fails(Status.ENOTFOUND, () -> FieldStore.open(Field.path(), true, null));
        Path other = Paths.get(Field.path());
        Files.write(other, "không phải kho".getBytes(StandardCharsets.UTF_8));
        fails(Status.EDAMAGED, () -> FieldStore.open(other.toString()));
        assertArrayEquals("không phải kho".getBytes(StandardCharsets.UTF_8), Files.readAllBytes(other));
        byte[] shortKey = new byte[3];
        fails(Status.EINVAL, () -> FieldStore.open(Field.path(), false, shortKey));
        fails(Status.EINVAL, () -> store.rekey(shortKey));
    }

    private static String read(String file) throws Exception {
        return new String(Files.readAllBytes(Paths.get(file)), StandardCharsets.UTF_8);
    }

    private static Set<String> names(String text, String pattern) {
        Set<String> found = new HashSet<>();
        for (Matcher m = Pattern.compile(pattern).matcher(text); m.find(); ) {
            found.add(m.group(1));
        }
        return found;
    }
}
