/* Programs of different ages in one fleet, over the real exchange: what a newer one says in fields,
 * elements' fields and kinds that an older one does not know comes through the older one unharmed,
 * whichever of them is the server. "Newer" is whoever uses numbers that this program does not know.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "hand.h"
#include "packed.h"
#include "records.pb-c.h"
#include "store.h"
#include "sync.h"
#include "world.h"

enum { LATER_FIELD = 900, LATER_ITEM_FIELD = 60, LATER_KIND = 77, ANSWERS = 29, DEVICES = 3 };

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

/* --- members of messages -------------------------------------------------------------------------
 */

/* Member 900 of eight bytes and 901 of four, as no program writes them yet. */
static const uint8_t widths[] = {0xa1, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0xad, 0x38, 1, 2, 3, 4};

/* The bytes, in the arena, with `cut` of the last ones missing. */
static struct span with_widths(struct world *w, struct span in, size_t cut)
{
    uint8_t *p = arena_alloc(&w->arena, in.len + sizeof widths);
    assert_non_null(p);
    memcpy(p, in.p, in.len);
    memcpy(p + in.len, widths, sizeof widths);
    return span_of(p, in.len + sizeof widths - cut);
}

/* The message as member `number` of another. */
static struct span within(struct world *w, uint32_t number, struct span in)
{
    struct field f = {.number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = in};
    uint8_t *p = arena_alloc(&w->arena, packed_size(&f));
    assert_non_null(p);
    packed_write(p, &f);
    return span_of(p, packed_size(&f));
}

static void a_request_of_a_newer_device_may_have_members_of_any_width(void **state)
{
    struct world *w = *state;
    struct hand h;
    struct noise n;
    uint8_t packed[256];
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    hand_enrol(w, &h, 3);
    sync.has_replica = 1;
    sync.replica = (ProtobufCBinaryData){ID_LEN, h.replica.b};
    const size_t len = ocop__sync__sync_request__pack(&sync, packed);
    for (size_t cut = 0; cut < 3; cut++) {
        struct span in = within(w, 2, with_widths(w, span_of(packed, len), cut == 2));
        struct job job = {.frame = hand_frame(w, &h, &n, with_widths(w, in, cut == 1))};
        exchange_batch(w->registry, &w->keys, &job, 1);
        assert_int_equal(job.status, cut ? OCOP_EPROTO : OCOP_OK);
        buf_fini(&job.reply);
        noise_fini(&n);
    }
}

static void a_reply_of_a_newer_registry_may_have_members_of_any_width(void **state)
{
    struct world *w = *state;
    ProtobufCAllocator allocator = arena_allocator(&w->arena);
    uint8_t packed[64];
    Ocop__Sync__SyncReply sync = OCOP__SYNC__SYNC_REPLY__INIT;
    sync.has_acked_seq = 1;
    sync.acked_seq = 7;
    const size_t len = ocop__sync__sync_reply__pack(&sync, packed);
    for (size_t cut = 0; cut < 3; cut++) {
        struct span in = within(w, 5, with_widths(w, span_of(packed, len), cut == 2));
        Ocop__Sync__Reply *reply = reply_unpack(with_widths(w, in, cut == 1), &allocator);
        assert_int_equal(reply == NULL, cut > 0);
        if (reply)
            assert_int_equal(reply->sync->acked_seq, 7);
    }
}

static void a_change_set_of_a_newer_device_may_have_members_of_any_width(void **state)
{
    struct world *w = *state;
    struct hand h;
    struct change_set set;
    hand_enrol(w, &h, 3);
    struct field v[] = {hand_ref(2, &w->commune), hand_text(10, "HTX")};
    struct change c =
        hand_change(&h, KIND_PRODUCER, VERB_CREATE, id_next(&w->registry->ids, env_system()), v, 2);
    Ocop__Sync__Sealed *sealed = hand_seal(w, &h, &c, 1);
    struct span body = span_of(sealed->body.data, sealed->body.len);
    assert_int_equal(body.p[0], 0x0a); /* as it is, not deflated */
    for (size_t cut = 0; cut < 2; cut++)
        assert_int_equal(changeset_open(with_widths(w, body, cut), &w->arena, &set, NULL),
                         cut ? OCOP_EPROTO : OCOP_OK);
    /* But no member that is known comes in another width than its own. */
    static const uint8_t wide[] = {0x29, 1, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(changeset_open(span_of(wide, sizeof wide), &w->arena, &set, NULL),
                     OCOP_EPROTO);
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
        T(a_request_of_a_newer_device_may_have_members_of_any_width),
        T(a_reply_of_a_newer_registry_may_have_members_of_any_width),
        T(a_change_set_of_a_newer_device_may_have_members_of_any_width),
    };
    env_log_level((enum env_level)(ENV_ERROR + 1));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
