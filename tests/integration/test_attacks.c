/* Attacks by those who hold something: an enrolled device that lies, a server's keys in wrong
 * hands, a text that is meant for whoever reads it. Nothing is lost, nothing is learnt that was not
 * granted, and the log says who did it. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "hand.h"
#include "records.pb-c.h"
#include "rights.h"
#include "show.h"

/* --- a device that lies --- */

enum { NAME = 10, TYPE = 11, SCORE = 27 };

/* What the registry said to the one change of a set. */
static const Ocop__Sync__Outcome *outcome(const Ocop__Sync__SyncReply *reply)
{
    assert_int_equal(reply->n_outcomes, 1);
    return reply->outcomes[0];
}

static void refused(const Ocop__Sync__SyncReply *reply, const char *says)
{
    const Ocop__Sync__Outcome *o = outcome(reply);
    assert_int_equal(o->code, OUTCOME_REFUSED);
    if (!strstr(o->text, says))
        fail_msg("\"%s\" does not say \"%s\"", o->text, says);
}

static void authorship_cannot_be_forged(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    world_enrol(w, 2);
    struct field v[] = {hand_ref(FIELD_UNIT, &w->commune), hand_ref(FIELD_OFFICER, &w->officers[2]),
                        hand_text(NAME, "HTX"), hand_text(TYPE, "cooperative")};
    struct id id = id_next(&w->registry->ids, env_system());
    struct change c = hand_change(&h, KIND_PRODUCER, VERB_CREATE, id, v, 4);
    refused(hand_push(w, &h, &c, 1), "is not the officer of this device");
    v[1] = hand_ref(FIELD_OFFICER, &h.officer);
    c.author = w->officers[2];
    refused(hand_push(w, &h, &c, 1), "the author is not the officer of this device");

    /* nor may one officer's record be amended by another in the field */
    struct ocop_id theirs = world_inspect(w, 2, "pass");
    world_sync(w, 2);
    struct field score = {.number = SCORE, .op = FIELD_SET, .type = VALUE_INT, .i = 1};
    memcpy(id.b, theirs.b, ID_LEN);
    c = hand_change(&h, KIND_INSPECTION, VERB_AMEND, id, &score, 1);
    refused(hand_push(w, &h, &c, 1), "only the officer who recorded it");
    assert_string_equal(world_value(w, "inspection", theirs, "score"), "70");
}

static void a_case_is_not_closed_by_who_may_not(void **state)
{
    struct world *w = *state;
    struct hand h;
    struct id id = w->producer, some = id_next(&w->registry->ids, env_system());
    hand_enrol(w, &h, 1);
    struct field v = hand_text(16, "0900");
    struct change c = hand_change(&h, KIND_PRODUCER, VERB_AMEND, id, &v, 1);
    c.case_id = id_span(&some);
    refused(hand_push(w, &h, &c, 1), "only central staff may resolve a case");
}

/* A clock that was put back is evidence, and moves nothing: what was written later stands later. */
static void back_dating_changes_no_order(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    struct field first = hand_text(16, "0901"), second = hand_text(16, "0902");
    struct change c = hand_change(&h, KIND_PRODUCER, VERB_AMEND, w->producer, &first, 1);
    c.device_time_ms = 4102444800000; /* 2100 */
    (void)hand_push(w, &h, &c, 1);
    c = hand_change(&h, KIND_PRODUCER, VERB_AMEND, w->producer, &second, 1);
    c.device_time_ms = 1; /* 1970 */
    (void)hand_push(w, &h, &c, 1);
    struct ocop_id of;
    memcpy(of.b, w->producer.b, ID_LEN);
    assert_string_equal(world_value(w, "producer", of, "phone"), "\"0902\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM log WHERE received_ms < 1600000000000"),
                     0);
}

static bool holds(const uint8_t *p, size_t len, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(p + i, text, n) == 0)
            return true;
    return false;
}

/* Cursors that say whatever may bring more than the scope. */
static void no_cursor_opens_another_scope(void **state)
{
    struct world *w = *state;
    struct hand h;
    struct field v[] = {hand_ref(FIELD_UNIT, &w->other_commune), hand_text(NAME, "HTX bí mật"),
                        hand_text(TYPE, "cooperative")};
    struct id id = id_next(&w->registry->ids, env_system());
    struct change c = {.kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = id, .fields = {v, 3}};
    world_import(w, &c, 1);
    hand_enrol(w, &h, 1);
    for (unsigned i = 0; i < 64; i++) {
        Ocop__Sync__Cursor cursor = OCOP__SYNC__CURSOR__INIT;
        cursor.has_version = cursor.has_scope = cursor.has_fill = cursor.has_fill_unit = 1;
        cursor.has_fill_kind = cursor.has_fill_id = cursor.has_fill_version = 1;
        cursor.version = i & 1 ? UINT64_MAX : 0;
        cursor.scope = i & 2 ? UINT64_MAX : 0;
        cursor.fill = i & 4 ? UINT64_MAX : 1;
        cursor.fill_unit = (ProtobufCBinaryData){ID_LEN, w->other_commune.b};
        cursor.fill_kind = i & 8 ? KIND_PRODUCER : 1;
        cursor.fill_id = (ProtobufCBinaryData){ID_LEN, w->officers[1].b};
        cursor.has_after_id = cursor.has_after_kind = (i & 16) != 0;
        cursor.after_kind = KIND_PRODUCER;
        cursor.after_id = cursor.fill_id;
        cursor.has_reading = (i & 32) != 0;
        cursor.reading = READ_ALL;
        Ocop__Sync__Reply *reply = hand_sync(w, &h, NULL, 0, &cursor);
        assert_int_equal(reply->code, OCOP_OK);
        uint8_t *packed = arena_alloc(&w->arena, ocop__sync__reply__get_packed_size(reply) + 1);
        assert_non_null(packed);
        size_t len = ocop__sync__reply__pack(reply, packed);
        assert_false(holds(packed, len, "HTX bí mật"));
    }
}

static void invitations_are_not_guessed(void **state)
{
    struct world *w = *state;
    struct hand h;
    struct invitation real;
    world_enrol(w, 1);
    hand_new(w, &h, w->officers[1]);
    hand_invite(w, &h, &real);
    int64_t sets = world_count(w, "SELECT count(*) FROM log");
    for (unsigned i = 0; i < 200; i++) {
        struct invitation guess = real;
        guess.token[i % real.token_len] ^= (uint8_t)(1 + i / real.token_len);
        assert_int_equal(hand_redeem(w, &h, &guess)->code, OCOP_EAUTH);
    }
    assert_int_equal(world_count(w, "SELECT count(*) FROM log"), sets);
    assert_int_equal(hand_redeem(w, &h, &real)->code, OCOP_OK);
}

/* Stolen keys of a revoked device open nothing, whatever they say. */
static void the_keys_of_a_revoked_device_are_worth_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct hand h;
    hand_enrol(w, &h, 1);
    hand_must(registry_begin(w->registry, &err), &err);
    hand_must(device_state_set(w->registry, &w->keys, &h.replica, DEVICE_REVOKED, "mất máy", &err),
              &err);
    hand_must(registry_commit(w->registry, &err), &err);
    assert_int_equal(hand_sync(w, &h, NULL, 0, NULL)->code, OCOP_EREVOKED);
    assert_int_equal(hand_redeem(w, &h, &h.invitation)->code, OCOP_EREVOKED);
    struct field phone = hand_text(16, "0900");
    struct change c = hand_change(&h, KIND_PRODUCER, VERB_AMEND, w->producer, &phone, 1);
    Ocop__Sync__Sealed *set = hand_seal(w, &h, &c, 1);
    (void)hand_sync(w, &h, &set, 1, NULL);
    assert_int_equal(world_count(w, "SELECT count(*) FROM producer WHERE phone = '0900'"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM quarantine"), 1); /* for a person */
    h.replica = id_next(&w->registry->ids, env_system()); /* as if it were another device */
    const Ocop__Sync__Reply *reply = hand_sync(w, &h, NULL, 0, NULL);
    assert_true(reply->code != OCOP_OK || !reply->sync->records); /* and reads nothing */
}

/* --- a server in wrong hands --- */

struct evil {
    struct link link;
    struct world *world;
    void (*spoil)(struct world *w, Ocop__Sync__Reply *reply);
};

static enum ocop_status evil_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                     struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

/* Whoever has the server's keys can open a request and seal any reply to it. */
static enum ocop_status evil_exchange(struct link *l, struct span request, int timeout_ms,
                                      const atomic_bool *cancel, struct buf *out,
                                      struct ocop_error *err)
{
    struct evil *e = (struct evil *)l;
    struct frame_keys keys = {.v = e->world->keys.channel, .count = 1};
    struct noise n;
    struct span message;
    uint8_t sender[CHANNEL_KEY_LEN];
    Ocop__Sync__Reply reply = OCOP__SYNC__REPLY__INIT;
    Ocop__Sync__SyncReply sync = OCOP__SYNC__SYNC_REPLY__INIT;
    (void)timeout_ms, (void)cancel;
    hand_must(frame_open_request(&n, &keys, request, &e->world->arena, &message, sender, err), err);
    sync.has_lineage = sync.has_acked_seq = 1;
    sync.lineage = (ProtobufCBinaryData){ID_LEN, e->world->registry->lineage.b};
    reply.has_code = 1;
    reply.sync = &sync;
    e->spoil(e->world, &reply);
    uint8_t *p = arena_alloc(&e->world->arena, ocop__sync__reply__get_packed_size(&reply) + 1);
    assert_non_null(p);
    size_t len = ocop__sync__reply__pack(&reply, p);
    buf_clear(out);
    hand_must(frame_seal_reply(&n, env_system(), span_of(p, len), out, err), err);
    noise_fini(&n);
    return OCOP_OK;
}

static void evil_close(struct link *l)
{
    (void)l;
}

static void *room(struct world *w, size_t size)
{
    void *p = arena_calloc(&w->arena, 1, size);
    assert_non_null(p);
    return p;
}

static void says_that_all_has_come(struct world *w, Ocop__Sync__Reply *reply)
{
    (void)w;
    reply->sync->acked_seq = INT64_MAX;
}

static void says_that_nothing_has_come(struct world *w, Ocop__Sync__Reply *reply)
{
    (void)w;
    reply->sync->acked_seq = 0;
    reply->sync->has_fork_seq = 1;
    reply->sync->fork_seq = 1;
}

static void refuses_everything(struct world *w, Ocop__Sync__Reply *reply)
{
    Ocop__Sync__Outcome *o = room(w, sizeof *o);
    Ocop__Sync__SetOutcome *set = room(w, sizeof *set);
    ocop__sync__outcome__init(o);
    ocop__sync__set_outcome__init(set);
    o->has_seq = o->has_index = o->has_code = set->has_seq = set->has_code = set->has_version = 1;
    o->seq = set->seq = 1;
    set->version = 1;
    o->code = OUTCOME_REFUSED;
    reply->sync->outcomes = room(w, sizeof o);
    reply->sync->outcomes[0] = o;
    reply->sync->sets = room(w, sizeof set);
    reply->sync->sets[0] = set;
    reply->sync->n_outcomes = reply->sync->n_sets = 1;
    reply->sync->acked_seq = 1;
}

static void lets_every_unit_depart(struct world *w, Ocop__Sync__Reply *reply)
{
    Ocop__Sync__Departure *d = room(w, sizeof *d);
    ocop__sync__departure__init(d);
    d->has_unit = 1;
    d->unit = (ProtobufCBinaryData){ID_LEN, w->commune.b};
    reply->sync->departures = room(w, sizeof d);
    reply->sync->departures[0] = d;
    reply->sync->n_departures = 1;
}

static void lets_all_be_swept(struct world *w, Ocop__Sync__Reply *reply)
{
    Ocop__Sync__Cursor *c = room(w, sizeof *c);
    ocop__sync__cursor__init(c);
    c->has_version = c->has_scope = c->has_reading = 1;
    c->version = c->scope = 1u << 30;
    c->reading = READ_LISTS;
    reply->sync->cursor = c;
    reply->sync->has_reread = reply->sync->reread = 1;
}

static void claims_another_history(struct world *w, Ocop__Sync__Reply *reply)
{
    lets_all_be_swept(w, reply);
    reply->sync->lineage = (ProtobufCBinaryData){ID_LEN, w->product.b};
}

static void says_that_the_device_is_revoked(struct world *w, Ocop__Sync__Reply *reply)
{
    (void)w;
    reply->code = OCOP_EREVOKED;
    reply->sync = NULL;
}

static void sends_nothing_of_sense(struct world *w, Ocop__Sync__Reply *reply)
{
    reply->sync->records = room(w, sizeof *reply->sync->records);
    ocop__sync__columns__init(reply->sync->records);
    reply->sync->records->has_count = 1;
    reply->sync->records->count = UINT32_MAX;
}

static struct ocop_id recorded(struct world *w, unsigned n, struct ocop_id *draft)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    struct ocop_id sent = world_inspect(w, n, "fail");
    *draft = world_inspect(w, n, "pass");
    hand_must(ocop_load(w->stores[n], draft, &m, &err), &err);
    hand_must(ocop_set_text(w->stores[n], &m, "score=44", &err), &err);
    hand_must(ocop_save(w->stores[n], m, &err), &err); /* a draft over it */
    ocop_free(m);
    return sent;
}

/* Whatever it says, what was recorded stays on the device, and reaches the true registry. */
static void a_false_server_makes_a_device_lose_nothing(void **state)
{
    static void (*const spoils[])(struct world *, Ocop__Sync__Reply *) = {
        says_that_all_has_come, says_that_nothing_has_come,
        refuses_everything,     lets_every_unit_depart,
        lets_all_be_swept,      claims_another_history,
        sends_nothing_of_sense, says_that_the_device_is_revoked};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
        struct evil evil = {
            .link = {.connect = evil_connect, .exchange = evil_exchange, .close = evil_close},
            .world = w,
            .spoil = spoils[i]};
        struct ocop_sync_summary summary;
        struct ocop_error err = {0};
        struct ocop_id draft;
        ProtobufCMessage *m = NULL;
        unsigned findings = 0;
        world_enrol(w, 1);
        struct ocop_id id = recorded(w, 1, &draft);
        world_relink(w, 1, &evil.link);
        const struct ocop_sync_options few = {.max_round_trips = 3};
        enum ocop_status st = ocop_sync(w->stores[1], &few, &summary, &err); /* whatever it says */
        hand_must(ocop_load(w->stores[1], &id, &m, &err), &err);
        ocop_free(m);
        hand_must(ocop_load(w->stores[1], &draft, &m, &err), &err);
        assert_int_equal(((const Ocop__Inspection *)m)->score, 44);
        ocop_free(m);
        assert_int_equal(ocop_check(w->stores[1], NULL, NULL, &findings, &err), OCOP_OK);
        assert_int_equal(findings, 0);

        world_relink(w, 1, &w->links[1].link);
        for (unsigned more = 0; more < 3; more++)
            st = ocop_sync(w->stores[1], NULL, &summary, &err);
        if (st != OCOP_OK)
            fail_msg("after spoil %zu: %s %s", i, err_name(st), err.text);
        if (strcmp(world_value(w, "inspection", id, "conclusion"), "\"fail\"") != 0)
            fail_msg("after spoil %zu the inspection is not in the registry: %s", i, err.text);
        ocop_close(w->stores[1]);
        w->stores[1] = NULL;
        buf_fini(&w->links[1].last); /* enrolling begins it anew */
        buf_fini(&w->links[1].started);
        char path[128];
        snprintf(path, sizeof path, "rm -f %s/1.ocop*", w->dir);
        assert_int_equal(system(path), 0);
    }
}

/* --- text that is meant for its reader --- */

static void hostile_text_harms_no_terminal(void **state)
{
    static const char hostile[] =
        "=cmd|'/C calc'!A0\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>"
        "'; DROP TABLE log;--\u202Egnp.\u2066x\u2069\u200F";
    struct world *w = *state;
    struct ocop_error err = {0};
    struct field v[8] = {hand_ref(FIELD_UNIT, &w->commune)};
    size_t n = 1, len = 0;
    char *text = NULL;
    const uint32_t numbers[] = {10, 13, 14, 15, 16, 22};
    v[n++] = hand_text(TYPE, "cooperative");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        v[n++] = hand_text(numbers[i], numbers[i] == 16 ? "=1+1" : hostile);
    struct fields f = {v, n};
    fields_sort(&f);
    struct id id = id_next(&w->registry->ids, env_system());
    struct change c = {.kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = id, .fields = f};
    struct field clean[] = {v[0], hand_text(NAME, "=HTX\u202E<b>"), hand_text(TYPE, "cooperative")};
    c.fields = (struct fields){clean, 3};
    world_import(w, &c, 1);
    c.fields = f;
    c.record = id_next(&w->registry->ids, env_system());
    world_import(w, &c, 1); /* control characters are refused by the rules: it must not be there */
    assert_int_equal(world_count(w, "SELECT count(*) FROM producer WHERE name LIKE '%DROP%'"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM outcome WHERE code = 4"), 1);

    for (int form = SHOW_LINES; form <= SHOW_CSV; form++) {
        FILE *out = open_memstream(&text, &len);
        assert_non_null(out);
        hand_must(show_kind(w->registry, KIND_PRODUCER, (enum show_form)form, out, &err), &err);
        hand_must(show_record(w->registry, KIND_PRODUCER, &id, form == SHOW_JSON, out, &err), &err);
        hand_must(show_log(w->registry, 1, 100, out, &err), &err);
        hand_must(show_story(w->registry, &id, NULL, form == SHOW_JSON, out, &err), &err);
        assert_int_equal(fclose(out), 0);
        assert_null(strchr(text, 0x1b));
        assert_true(form == SHOW_CSV || !strstr(text, "\u202E")); /* a program's file */
        assert_true(strstr(text, "<b>") != NULL);
        assert_null(strstr(text, "\n=HTX"));
        assert_null(strstr(text, ",=HTX"));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        T(authorship_cannot_be_forged),
        T(a_case_is_not_closed_by_who_may_not),
        T(back_dating_changes_no_order),
        T(no_cursor_opens_another_scope),
        T(invitations_are_not_guessed),
        T(the_keys_of_a_revoked_device_are_worth_nothing),
        T(a_false_server_makes_a_device_lose_nothing),
        T(hostile_text_harms_no_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
