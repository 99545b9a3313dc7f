/* Replies that no honest registry gives, or that come when their time is over: a device takes from
 * them what it can, stays whole, and keeps what was not sent. Most were found by fuzz_reply. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "columns.h"
#include "frame.h"
#include "photos.h"

/* A line whose far end answers what it was told to, with the keys of the registry. */
struct forger {
    struct link link;
    struct world *world;
    Ocop__Sync__Request *asked; /* the last, in the world's arena */
    unsigned exchanges, with_sets;
    enum ocop_status to_new_keys; /* what is said to them */
    Ocop__Sync__Reply reply;
    Ocop__Sync__SyncReply sync;
};

static enum ocop_status forger_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                       struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static enum ocop_status forger_exchange(struct link *l, struct span request, int timeout_ms,
                                        const atomic_bool *cancel, struct buf *reply,
                                        struct ocop_error *err)
{
    struct forger *f = (struct forger *)l;
    struct frame_keys keys = {f->world->keys.channel, f->world->keys.channel_count, NULL};
    struct arena *a = &f->world->arena;
    uint8_t sender[CHANNEL_KEY_LEN];
    struct span message;
    struct noise n;
    (void)timeout_ms, (void)cancel;
    assert_true(++f->exchanges < 200);
    assert_int_equal(frame_open_request(&n, &keys, request, a, &message, sender, err), OCOP_OK);
    ProtobufCAllocator from_arena = arena_allocator(a);
    f->asked = ocop__sync__request__unpack(&from_arena, message.len, message.p);
    assert_non_null(f->asked);
    f->with_sets += f->asked->sync && f->asked->sync->n_sets > 0;
    if (f->to_new_keys) {
        f->reply.has_code = f->asked->sync && f->asked->sync->rekey;
        f->reply.code = f->reply.has_code ? f->to_new_keys : OCOP_OK;
    }
    uint8_t *packed = arena_alloc(a, ocop__sync__reply__get_packed_size(&f->reply) + 1);
    assert_non_null(packed);
    message = span_of(packed, ocop__sync__reply__pack(&f->reply, packed));
    assert_int_equal(frame_seal_reply(&n, env_system(), message, reply, err), OCOP_OK);
    noise_fini(&n);
    return OCOP_OK;
}

static void forger_close(struct link *l)
{
    (void)l;
}

/* Device n speaks with a forger, whose reply is yet empty. */
static struct forger *forge(struct world *w, unsigned n)
{
    static struct forger f;
    f = (struct forger){
        .link = {.connect = forger_connect, .exchange = forger_exchange, .close = forger_close},
        .world = w,
        .reply = OCOP__SYNC__REPLY__INIT,
        .sync = OCOP__SYNC__SYNC_REPLY__INIT};
    f.reply.sync = &f.sync;
    world_relink(w, n, &f.link);
    return &f;
}

static void assert_whole(struct world *w, unsigned n)
{
    unsigned findings = 99;
    assert_int_equal(ocop_check(w->stores[n], NULL, NULL, &findings, NULL), OCOP_OK);
    assert_int_equal(findings, 0);
}

static void assert_shows(struct world *w, unsigned n, struct ocop_id id, const char *text)
{
    ProtobufCMessage *m = NULL;
    char *json = NULL;
    assert_int_equal(ocop_load(w->stores[n], &id, &m, NULL), OCOP_OK);
    assert_int_equal(ocop_to_json(m, false, &json, NULL), OCOP_OK);
    if (!strstr(json, text))
        fail_msg("%s is not in %s", text, json);
    ocop_text_free(json);
    ocop_free(m);
}

static void what_stood_in_a_case_is_shown_again_when_the_registry_has_lost_it(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 0, id, "conclusion=fail");
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=conditional");
    assert_int_equal(world_sync(w, 1).in_case, 1);
    assert_shows(w, 1, id, "\"conclusion\":\"fail\"");

    struct forger *f = forge(w, 1);
    f->sync.has_acked_seq = 1;
    f->sync.acked_seq = 1; /* of two */
    struct ocop_sync_options once = {.max_round_trips = 1};
    assert_int_equal(ocop_sync(w->stores[1], &once, NULL, NULL), OCOP_OK);
    assert_shows(w, 1, id, "\"conclusion\":\"conditional\"");
    assert_whole(w, 1);
    world_relink(w, 1, &w->links[1].link);
    world_sync(w, 1);
    assert_shows(w, 1, id, "\"conclusion\":\"fail\"");
    assert_whole(w, 1);
}

/* Of a creation that it refuses a registry can have taken no amendment; one that says otherwise is
 * not to be believed, but no store is the worse for it. */
static void an_amendment_taken_without_its_creation_leaves_the_row_as_what_stands_says(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    w->links[1].drop_request = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    world_amend(w, 1, id, "conclusion=fail");

    struct forger *f = forge(w, 1);
    Ocop__Sync__SetOutcome first = OCOP__SYNC__SET_OUTCOME__INIT, second = first;
    Ocop__Sync__SetOutcome *sets[] = {&first, &second};
    Ocop__Sync__Outcome refused = OCOP__SYNC__OUTCOME__INIT, *outcomes[] = {&refused};
    first.has_seq = first.has_version = second.has_seq = second.has_version = 1;
    first.seq = 1;
    first.version = 30;
    second.seq = 2;
    second.version = 31;
    refused.has_seq = refused.has_code = 1;
    refused.seq = 1;
    refused.code = 4;
    f->sync.sets = sets;
    f->sync.n_sets = 2;
    f->sync.outcomes = outcomes;
    f->sync.n_outcomes = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_OK);
    assert_whole(w, 1);
    assert_shows(w, 1, id, "\"conclusion\":\"pass\"");
}

static void numbers_beyond_all_are_refused_and_nothing_is_taken(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_amend(w, 1, id, "score=12");
    struct forger *f = forge(w, 1);
    Ocop__Sync__Cursor cursor = OCOP__SYNC__CURSOR__INIT;
    Ocop__Sync__SetOutcome set = OCOP__SYNC__SET_OUTCOME__INIT, *sets[] = {&set};
    Ocop__Sync__Outcome outcome = OCOP__SYNC__OUTCOME__INIT, *outcomes[] = {&outcome};
    Ocop__Sync__Lineage lineage = OCOP__SYNC__LINEAGE__INIT, *lineages[] = {&lineage};
    Ocop__Sync__Known known = OCOP__SYNC__KNOWN__INIT, *knowns[] = {&known};
    f->sync.cursor = &cursor;
    f->sync.sets = sets;
    f->sync.outcomes = outcomes;
    f->sync.lineages = lineages;
    f->sync.known = knowns;
    f->sync.n_sets = f->sync.n_outcomes = f->sync.n_lineages = f->sync.n_known = 1;
    f->sync.has_acked_seq = f->sync.has_fork_seq = cursor.has_version = cursor.has_scope = 1;
    set.has_seq = set.has_version = outcome.has_seq = lineage.has_fork_version = 1;
    known.has_acked_seq = known.has_chain_seq = 1;
    uint64_t *numbers[] = {&f->sync.acked_seq,   &f->sync.fork_seq, &cursor.version,
                           &cursor.scope,        &set.seq,          &set.version,
                           &outcome.seq,         &known.acked_seq,  &known.chain_seq,
                           &lineage.fork_version};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct ocop_error err = {0};
        struct ocop_store_status s;
        *numbers[i] = UINT64_MAX - i;
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EPROTO);
        assert_non_null(strstr(err.text, "beyond all"));
        *numbers[i] = 0;
        assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
        assert_int_equal(s.waiting, 1);
        assert_false(s.forked);
    }
    assert_whole(w, 1);
    world_relink(w, 1, &w->links[1].link);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "score"), "12");
}

static void a_server_clock_of_nonsense_is_only_shown(void **state)
{
    static const int64_t clocks[] = {INT64_MIN, INT64_MAX, -1, 0};
    struct world *w = *state;
    struct forger *f = forge(w, 1);
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        struct ocop_store_status s;
        f->sync.has_server_time_ms = 1;
        f->sync.server_time_ms = clocks[i];
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_OK);
        assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
        assert_int_equal(s.skew_ms > 0, clocks[i] <= 0);
    }
    assert_whole(w, 1);
}

/* A good record and one that is neither whole nor a part. */
static void a_page_with_one_bad_record_is_not_taken_and_is_told(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    Ocop__Sync__Columns columns;
    Ocop__Sync__Cursor cursor = OCOP__SYNC__CURSOR__INIT;
    uint64_t versions[] = {90, 2};
    struct ocop_store_status before, after;
    struct id good = id_next(&w->registry->ids, w->registry->env);
    struct id bad = id_next(&w->registry->ids, w->registry->env);
    struct field v[] = {
        {.number = FIELD_UNIT, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = id_span(&w->commune)},
        {.number = 10, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = span_str("HTX Mới")}};
    struct change page[] = {
        {.kind = KIND_PRODUCER, .verb = VERB_STATE, .record = good, .fields = {v, 2}},
        {.kind = KIND_PRODUCER, .verb = VERB_VOID, .record = bad, .fields = {v, 2}}};
    struct ocop_id of_good;
    ProtobufCMessage *m = NULL;
    memcpy(of_good.b, good.b, ID_LEN);
    struct changes changes = {page, 2};
    assert_int_equal(columns_encode(&changes, &w->arena, &columns, &err), OCOP_OK);
    assert_int_equal(ocop_store_status(w->stores[1], &before, NULL), OCOP_OK);

    struct forger *f = forge(w, 1);
    cursor.has_version = 1;
    cursor.version = 90;
    f->sync.cursor = &cursor;
    f->sync.records = &columns;
    f->sync.versions = versions;
    f->sync.n_versions = 2;
    for (int tries = 0; tries < 2; tries++) { /* it is asked for again, and told again */
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EPROTO);
        assert_non_null(strstr(err.text, "neither whole nor a part"));
        assert_int_equal(ocop_load(w->stores[1], &of_good, &m, NULL), OCOP_ENOTFOUND);
        assert_int_equal(ocop_store_status(w->stores[1], &after, NULL), OCOP_OK);
        assert_int_equal(after.version, before.version);
    }
    page[1].verb = VERB_STATE;
    assert_int_equal(columns_encode(&changes, &w->arena, &columns, &err), OCOP_OK);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_OK);
    assert_int_equal(ocop_load(w->stores[1], &of_good, &m, NULL), OCOP_OK);
    ocop_free(m);
    assert_whole(w, 1);
}

static void a_set_is_not_acknowledged_before_the_one_that_it_follows(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id first = world_inspect(w, 1, "pass"), second;
    w->links[1].drop_request = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    second = world_inspect(w, 1, "fail");
    w->links[1].drop_request = 1; /* sealed, both, and neither is there */
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);

    struct forger *f = forge(w, 1);
    Ocop__Sync__SetOutcome never = OCOP__SYNC__SET_OUTCOME__INIT, taken = never;
    Ocop__Sync__SetOutcome *sets[] = {&taken, &never};
    never.has_seq = never.has_code = taken.has_seq = taken.has_version = 1;
    never.seq = 1;
    never.code = 6; /* malformed: its number is free again, and so are those behind it */
    taken.seq = 2;
    taken.version = 30;
    f->sync.sets = sets;
    f->sync.n_sets = 2;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EPROTO);
    assert_non_null(strstr(err.text, "without the one before it"));
    assert_whole(w, 1);
    world_relink(w, 1, &w->links[1].link);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", first, "conclusion"), "\"pass\"");
    assert_string_equal(world_value(w, "inspection", second, "conclusion"), "\"fail\"");
}

/* What a newer server adds to its messages is passed over, but in a cursor, which goes back as it
 * came: only the server knows what it means. */
static void members_of_a_newer_server_do_no_harm_and_its_cursor_comes_back_whole(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    static uint8_t text[] = "\x05later";
    ProtobufCMessageUnknownField member = {.tag = 99,
                                           .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
                                           .len = sizeof text - 1,
                                           .data = text};
    Ocop__Sync__Cursor cursor = OCOP__SYNC__CURSOR__INIT;
    struct forger *f = forge(w, 1);
    cursor.has_version = 1;
    cursor.version = 30;
    f->sync.cursor = &cursor;
    ProtobufCMessage *newer[] = {&f->reply.base, &f->sync.base, &cursor.base};
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++) {
        newer[i]->n_unknown_fields = 1;
        newer[i]->unknown_fields = &member;
    }
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_OK);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_OK);
    const ProtobufCMessage *back = &f->asked->sync->cursor->base;
    assert_int_equal(f->asked->sync->cursor->version, 30);
    assert_int_equal(back->n_unknown_fields, 1);
    assert_int_equal(back->unknown_fields[0].tag, 99);
    assert_memory_equal(back->unknown_fields[0].data, text, sizeof text - 1);
    assert_whole(w, 1);
}

/* A code of a set that only newer servers have: it is not acknowledged, and sent again. */
static void a_set_code_of_a_newer_server_loses_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    Ocop__Sync__SetOutcome set = OCOP__SYNC__SET_OUTCOME__INIT, *sets[] = {&set};
    struct forger *f = forge(w, 1);
    struct ocop_store_status s;
    set.has_seq = set.has_code = 1;
    set.seq = 1;
    set.code = 42;
    f->sync.sets = sets;
    f->sync.n_sets = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_EBUSY);
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_int_equal(s.waiting, 1);
    world_relink(w, 1, &w->links[1].link);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"pass\"");
}

/* Nobody is told that his phone is full or broken because the server is. */
static void what_befell_the_server_is_not_said_of_the_device(void **state)
{
    struct world *w = *state;
    const enum ocop_status own[] = {OCOP_EDB,     OCOP_ENOMEM,   OCOP_EIO,
                                    OCOP_EBROKEN, OCOP_EDAMAGED, OCOP_ECANCELLED};
    struct forger *f = forge(w, 1);
    f->reply.has_code = 1;
    f->reply.text = (char *)"the disk is full";
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        struct ocop_error err = {0};
        f->reply.code = own[i];
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EBUSY);
        assert_non_null(strstr(err.text, "the server"));
        assert_non_null(strstr(err.text, "the disk is full"));
    }
    assert_whole(w, 1);
}

/* They wait; the old ones, which it has, do for what is recorded. */
static void new_keys_that_a_server_cannot_take_hold_up_no_record(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct forger *f = forge(w, 1);
    f->to_new_keys = OCOP_EDAMAGED;
    must(ocop_rekey_device(w->stores[1], &err), &err);
    world_inspect(w, 1, "pass");
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EBUSY); /* it took no set */
    assert_int_equal(f->with_sets, 1);
    assert_whole(w, 1);
}

/* Both in one reply, again and again: each alone is a reason to go on. */
static void who_asks_for_a_proof_and_for_chunks_for_ever_is_left(void **state)
{
    struct world *w = *state;
    const struct ocop_sync_options records = {.files = OCOP_FILES_NONE};
    struct ocop_sync_summary sum;
    struct photo *p = photo(3 * CHUNK, 1);
    uint8_t nonce[HASH_LEN] = {7};
    Ocop__Sync__FilesReply files = OCOP__SYNC__FILES_REPLY__INIT;
    Ocop__Sync__FileState prove = OCOP__SYNC__FILE_STATE__INIT, part = OCOP__SYNC__FILE_STATE__INIT;
    Ocop__Sync__FileState *states[] = {&prove, &part};
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    sync(w, 1, &records);
    struct forger *f = forge(w, 1);
    prove.has_hash = prove.has_code = prove.has_nonce = part.has_hash = part.has_code = 1;
    prove.hash = part.hash = (ProtobufCBinaryData){HASH_LEN, p->hash};
    prove.code = FILE_PROVE;
    prove.nonce = (ProtobufCBinaryData){HASH_LEN, nonce};
    part.code = FILE_PART;
    files.states = states;
    files.n_states = 2;
    f->reply.files = &files;
    assert_int_equal(ocop_sync(w->stores[1], NULL, &sum, NULL), OCOP_OK);
    assert_int_equal(sum.files_left, 1);
    world_relink(w, 1, &w->links[1].link);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_true(at_centre(w, p));
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, world_teardown)
        T(what_stood_in_a_case_is_shown_again_when_the_registry_has_lost_it),
        T(an_amendment_taken_without_its_creation_leaves_the_row_as_what_stands_says),
        T(numbers_beyond_all_are_refused_and_nothing_is_taken),
        T(a_server_clock_of_nonsense_is_only_shown),
        T(a_page_with_one_bad_record_is_not_taken_and_is_told),
        T(a_set_is_not_acknowledged_before_the_one_that_it_follows),
        T(members_of_a_newer_server_do_no_harm_and_its_cursor_comes_back_whole),
        T(a_set_code_of_a_newer_server_loses_nothing),
        T(what_befell_the_server_is_not_said_of_the_device),
        T(new_keys_that_a_server_cannot_take_hold_up_no_record),
        T(who_asks_for_a_proof_and_for_chunks_for_ever_is_left),
    };
    env_log_level((enum env_level)(ENV_ERROR + 1));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
