/* Programs of different ages in one fleet, over the real exchange: what a newer one says in fields,
 * elements' fields and kinds that an older one does not know comes through the older one unharmed,
 * whichever of them is the server. "Newer" is whoever uses numbers that this program does not know.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "packed.h"
#include "records.pb-c.h"
#include "store.h"
#include "world.h"

enum { LATER_FIELD = 900, LATER_ITEM_FIELD = 60, LATER_KIND = 77, ANSWERS = 29, DEVICES = 3 };

static void must(enum ocop_status st, const struct ocop_error *err)
{
    if (st != OCOP_OK)
        fail_msg("%s %s: %s", err_name(st), err->field, err->text);
}

/* Devices 0 and 1 are newer, device 2 is older: what it does not know it never touches. */
static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    world_open(w);
    for (unsigned n = 0; n < DEVICES; n++)
        world_enrol(w, n);
    return 0;
}

static struct id id_of(struct ocop_id id)
{
    struct id out;
    memcpy(out.b, id.b, ID_LEN);
    return out;
}

static void sync_all(struct world *w)
{
    for (int round = 0; round < 2; round++)
        for (unsigned n = 0; n < DEVICES; n++)
            world_sync(w, n);
}

static void assert_whole(struct world *w)
{
    for (unsigned n = 0; n < DEVICES; n++) {
        unsigned findings = 99;
        assert_int_equal(ocop_check(w->stores[n], NULL, NULL, &findings, NULL), OCOP_OK);
        assert_int_equal(findings, 0);
    }
}

/* --- what a newer program does -------------------------------------------------------------------
 */

/* The message with the later field set to `value`, and an answer with a later field when asked. */
static ProtobufCMessage *said(const ProtobufCMessage *m, const char *value, bool answer)
{
    static const char later_answer[] = "\n\x04NC.9\x12\x04pass\xe2\x03\x03new";
    uint8_t bytes[4096];
    struct field f;
    struct buf b;
    size_t at = 0;
    assert_true(protobuf_c_message_get_packed_size(m) <= sizeof bytes);
    struct span packed = span_of(bytes, protobuf_c_message_pack(m, bytes));
    buf_init(&b, KIB(64));
    while (packed_next(packed, &at, &f) > 0) {
        if (f.number == LATER_FIELD)
            continue;
        assert_true(buf_reserve(&b, packed_size(&f)));
        b.len = (size_t)(packed_write(b.p + b.len, &f) - b.p);
    }
    if (answer) {
        buf_varint(&b, ANSWERS << 3 | 2);
        buf_varint(&b, sizeof later_answer - 1);
        buf_put(&b, later_answer, sizeof later_answer - 1);
    }
    buf_varint(&b, LATER_FIELD << 3 | 2);
    buf_varint(&b, strlen(value));
    buf_str(&b, value);
    ProtobufCMessage *out = protobuf_c_message_unpack(m->descriptor, NULL, b.len, b.p);
    assert_non_null(out);
    buf_fini(&b);
    return out;
}

static void amend_later(struct world *w, unsigned n, struct ocop_id id, const char *value,
                        bool answer)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    must(ocop_load(w->stores[n], &id, &m, &err), &err);
    ProtobufCMessage *newer = said(m, value, answer);
    must(ocop_amend(w->stores[n], newer, "bản mới", &err), &err);
    protobuf_c_message_free_unpacked(newer, NULL);
    ocop_free(m);
}

/* A record of a kind that only newer programs have. */
static struct id record_later(struct world *w, unsigned n, const char *value)
{
    struct ocop_store *s = w->stores[n];
    struct ocop_error err = {0};
    struct field v[] = {{.number = FIELD_UNIT, .op = FIELD_SET, .type = VALUE_BYTES},
                        {.number = FIELD_OFFICER, .op = FIELD_SET, .type = VALUE_BYTES},
                        {.number = 12, .op = FIELD_SET, .type = VALUE_BYTES}};
    v[0].bytes = id_span(&w->commune);
    v[1].bytes = id_span(&w->officers[n]);
    v[2].bytes = span_str(value);
    struct change c = {.kind = LATER_KIND,
                       .verb = VERB_CREATE,
                       .record = id_of(ocop_new_key(s)),
                       .author = w->officers[n],
                       .device_time_ms = env_now_ms(env_system()),
                       .fields = {v, 3}};
    must(client_write(s, &err), &err);
    must(store_outbox_add(s, &c, OUTBOX_READY, &err), &err);
    must(store_record_put(s, c.kind, &c.record, &c.fields, 0, &err), &err);
    must(client_write_end(s, OCOP_OK, &err), &err);
    return c.record;
}

/* --- what is seen --------------------------------------------------------------------------------
 */

static const struct field *seen_field(struct world *w, unsigned n, uint32_t kind, struct id record,
                                      uint32_t number, struct span key)
{
    struct ocop_store *s = w->stores[n];
    struct ocop_error err = {0};
    struct fields f = {NULL, 0};
    uint64_t version;
    bool there;
    must(client_read(s, &err), &err);
    must(store_record_exists(s, kind, &record, &there, &err), &err);
    if (there)
        must(store_record(s, kind, &record, &w->arena, &f, &version, &err), &err);
    client_read_end(s);
    return fields_find(&f, number, key);
}

static void assert_later(struct world *w, unsigned n, struct ocop_id id, const char *value)
{
    const struct field *f =
        seen_field(w, n, KIND_INSPECTION, id_of(id), LATER_FIELD, span_of(NULL, 0));
    assert_non_null(f);
    assert_true(span_eq(f->bytes, span_str(value)));
}

static void assert_later_item(struct world *w, unsigned n, struct ocop_id id)
{
    struct field item;
    const struct field *f = seen_field(w, n, KIND_INSPECTION, id_of(id), ANSWERS, span_str("NC.9"));
    assert_non_null(f);
    assert_true(element_get(f->bytes, LATER_ITEM_FIELD, &item));
    assert_true(span_eq(item.bytes, span_str("new")));
}

/* --- newer devices, an older registry ------------------------------------------------------------
 */

static void fields_of_a_newer_device_come_through_older_ones_and_back(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    amend_later(w, 1, id, "của bản mới", true);
    sync_all(w);
    for (unsigned n = 0; n < DEVICES; n++) {
        assert_later(w, n, id, "của bản mới");
        assert_later_item(w, n, id);
    }
    /* the newer device forgets all, and reads it from the older registry again */
    struct ocop_error err = {0};
    must(client_write(w->stores[1], &err), &err);
    must(store_meta_set(w->stores[1], "cursor", span_of(NULL, 0), &err), &err);
    struct id record = id_of(id);
    must(store_record_delete(w->stores[1], KIND_INSPECTION, &record, &err), &err);
    must(client_write_end(w->stores[1], OCOP_OK, &err), &err);
    world_sync(w, 1);
    assert_later(w, 1, id, "của bản mới");
    assert_later_item(w, 1, id);
    assert_whole(w);
}

static void an_edit_by_an_older_device_keeps_what_it_does_not_know(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 2, "pass");
    sync_all(w);
    amend_later(w, 0, id, "của bản mới", true); /* a reconciler may */
    sync_all(w);
    world_amend(w, 2, id, "score=33");
    world_amend(w, 2, id, "answers[NC.9].remark=ghi thêm");
    sync_all(w);
    for (unsigned n = 0; n < DEVICES; n++) {
        assert_later(w, n, id, "của bản mới");
        assert_later_item(w, n, id);
    }
    assert_string_equal(world_value(w, "inspection", id, "score"), "33");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    assert_whole(w);
}

static void fields_that_nobody_here_knows_are_merged_like_others(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    amend_later(w, 1, id, "lúc đầu", false);
    sync_all(w);
    amend_later(w, 0, id, "người này", false);
    amend_later(w, 1, id, "người kia", false);
    world_sync(w, 0);
    assert_int_equal(world_sync(w, 1).in_case, 1);
    sync_all(w);
    for (unsigned n = 0; n < DEVICES; n++)
        assert_later(w, n, id, "người này");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE closed_version IS NULL"), 1);
    assert_whole(w);
}

static void a_kind_of_a_newer_device_comes_through_older_ones_to_another_newer_one(void **state)
{
    struct world *w = *state;
    struct id id = record_later(w, 1, "loại mới");
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.refused, 0);
    sync_all(w);
    for (unsigned n = 0; n < DEVICES; n++) {
        const struct field *f = seen_field(w, n, LATER_KIND, id, 12, span_of(NULL, 0));
        assert_non_null(f);
        assert_true(span_eq(f->bytes, span_str("loại mới")));
    }
    assert_int_equal(world_count(w, "SELECT count(*) FROM unknown_kind"), 1);
    assert_whole(w);
}

/* --- older devices, a newer registry -------------------------------------------------------------
 */

static void what_a_newer_registry_sends_outlives_an_older_devices_edits_and_its_fork(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = world_inspect(w, 2, "pass");
    sync_all(w);
    struct id record = id_of(id);
    uint64_t version;
    must(registry_version(w->registry, &version, &err), &err);
    struct field v[] = {{.number = LATER_FIELD, .op = FIELD_SET, .type = VALUE_BYTES}};
    v[0].bytes = span_str("của sổ mới");
    v[0].base = version;
    struct change c = {.kind = KIND_INSPECTION,
                       .verb = VERB_AMEND,
                       .record = record,
                       .base = version,
                       .reason = span_str("bản mới"),
                       .fields = {v, 1}};
    world_amend(w, 2, id, "score=55"); /* under a pending change */
    world_import(w, &c, 1);
    world_sync(w, 2);
    assert_later(w, 2, id, "của sổ mới");
    world_copy(w, 2, 3); /* the older device's store is copied; the copy goes on as a new replica */
    world_amend(w, 2, id, "score=56");
    world_sync(w, 2);
    world_amend(w, 3, id, "facility=xưởng");
    assert_true(world_sync(w, 3).forked);
    world_sync(w, 2);
    assert_later(w, 2, id, "của sổ mới");
    assert_later(w, 3, id, "của sổ mới");
    sync_all(w);
    for (unsigned n = 0; n < DEVICES; n++)
        assert_later(w, n, id, "của sổ mới");
    assert_whole(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)
        T(fields_of_a_newer_device_come_through_older_ones_and_back),
        T(an_edit_by_an_older_device_keeps_what_it_does_not_know),
        T(fields_that_nobody_here_knows_are_merged_like_others),
        T(a_kind_of_a_newer_device_comes_through_older_ones_to_another_newer_one),
        T(what_a_newer_registry_sends_outlives_an_older_devices_edits_and_its_fork),
    };
    env_log_level((enum env_level)(ENV_ERROR + 1));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
