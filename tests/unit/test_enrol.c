/* Keys, genesis, invitations, enrolments and what a registry begins with. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "cache.h"
#include "centre.h"

struct world {
    struct centre c;
    struct id province, commune, officer;
};

static int open_world(void **state)
{
    static struct world w;
    centre_open(&w.c);
    w.province = centre_unit(&w.c, "01", "province", NULL);
    w.commune = centre_unit(&w.c, "00001", "commune", &w.province);
    w.officer = centre_officer(&w.c, "inspector");
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    centre_close(&((struct world *)*state)->c);
    return 0;
}

/* One device that tries to enrol. */
struct attempt {
    struct invitation invitation;
    uint8_t replica[ID_LEN], sign[SIGN_PUBLIC_LEN], channel[32];
    Ocop__Sync__EnrolRequest in;
    Ocop__Sync__Enrolment *answer;
};

static void invite(struct world *w, struct attempt *t, int64_t lives_ms)
{
    struct invitation_terms terms = {w->officer, &w->commune, 1, "tcp://127.0.0.1:1",
                                     w->c.now_ms + lives_ms};
    const char *code;
    centre_must(&w->c, invite_make(w->c.r, &w->c.keys, &terms, &w->c.a, &code, &w->c.err));
    centre_must(&w->c, invitation_decode(code, &t->invitation, &w->c.err));
}

static void device_keys(struct world *w, struct attempt *t)
{
    struct id id = id_next(&w->c.r->ids, &w->c.env);
    memcpy(t->replica, id.b, ID_LEN);
    env_random(&w->c.env, t->sign, sizeof t->sign);
    env_random(&w->c.env, t->channel, sizeof t->channel);
}

static enum ocop_status enrol(struct world *w, struct attempt *t)
{
    ocop__sync__enrol_request__init(&t->in);
    t->in.has_token = t->in.has_replica = t->in.has_sign_key = 1;
    t->in.token = (ProtobufCBinaryData){t->invitation.token_len, t->invitation.token};
    t->in.replica = (ProtobufCBinaryData){ID_LEN, t->replica};
    t->in.sign_key = (ProtobufCBinaryData){SIGN_PUBLIC_LEN, t->sign};
    centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
    enum ocop_status st =
        enrol_answer(w->c.r, &w->c.keys, &t->in, t->channel, &w->c.a, &t->answer, &w->c.err);
    centre_must(&w->c, registry_commit(w->c.r, NULL));
    return st;
}

static uint64_t version_of(struct world *w)
{
    uint64_t v;
    centre_must(&w->c, registry_version(w->c.r, &v, &w->c.err));
    return v;
}

static void the_answer_names_device_officer_scope_and_lineage(void **state)
{
    struct world *w = *state;
    struct attempt t;
    invite(w, &t, 1000000);
    device_keys(w, &t);
    centre_must(&w->c, enrol(w, &t));
    assert_memory_equal(t.answer->replica.data, t.replica, ID_LEN);
    assert_int_equal(t.answer->number, 1);
    assert_memory_equal(t.answer->officer.data, w->officer.b, ID_LEN);
    assert_string_equal(t.answer->officer_name, "Nguyễn Văn Đức");
    assert_int_equal(t.answer->n_scope, 1);
    assert_memory_equal(t.answer->scope[0].data, w->commune.b, ID_LEN);
    assert_memory_equal(t.answer->lineage.data, w->c.r->lineage.b, ID_LEN);
}

static void the_same_keys_and_token_again_give_the_same_answer(void **state)
{
    struct world *w = *state;
    struct attempt t;
    invite(w, &t, 1000000);
    device_keys(w, &t);
    centre_must(&w->c, enrol(w, &t));
    uint64_t before = version_of(w);
    w->c.now_ms += 10000000; /* even after it has expired: the reply may have been lost */
    centre_must(&w->c, enrol(w, &t));
    assert_int_equal(t.answer->number, 1);
    assert_int_equal(version_of(w), before);
}

static void an_invitation_is_for_one_device(void **state)
{
    struct world *w = *state;
    struct attempt t;
    invite(w, &t, 1000000);
    device_keys(w, &t);
    centre_must(&w->c, enrol(w, &t));
    device_keys(w, &t);
    uint64_t before = version_of(w);
    assert_int_equal(enrol(w, &t), OCOP_ESTATE);
    assert_null(t.answer);
    assert_int_equal(version_of(w), before);
}

static void an_invitation_that_expired_or_was_never_made_enrols_nobody(void **state)
{
    struct world *w = *state;
    struct attempt t;
    invite(w, &t, 1000);
    device_keys(w, &t);
    w->c.now_ms += 100000;
    assert_int_equal(enrol(w, &t), OCOP_ESTATE);
    invite(w, &t, 1000000);
    t.invitation.token[0] ^= 1;
    assert_int_equal(enrol(w, &t), OCOP_EAUTH);
    t.invitation.token[0] ^= 1;
    memset(t.replica, 0, sizeof t.replica);
    assert_int_equal(enrol(w, &t), OCOP_EINVAL);
    t.invitation.token_len = 3;
    assert_int_equal(enrol(w, &t), OCOP_EINVAL);
}

static void a_replica_cannot_be_taken_over_by_another_device(void **state)
{
    struct world *w = *state;
    struct attempt first, second;
    invite(w, &first, 1000000);
    device_keys(w, &first);
    centre_must(&w->c, enrol(w, &first));
    invite(w, &second, 1000000);
    device_keys(w, &second);
    memcpy(second.replica, first.replica, ID_LEN);
    assert_int_equal(enrol(w, &second), OCOP_EAUTH);
    memcpy(second.replica, w->c.r->self.b, ID_LEN);
    assert_int_equal(enrol(w, &second), OCOP_EAUTH);
}

static void an_invitation_needs_units(void **state)
{
    struct world *w = *state;
    struct invitation_terms terms = {w->officer, &w->commune, 0, "tcp://127.0.0.1:1", INT64_MAX};
    const char *code;
    assert_int_equal(invite_make(w->c.r, &w->c.keys, &terms, &w->c.a, &code, NULL), OCOP_EINVAL);
}

static void devices_are_numbered_one_after_the_other(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 1; i < 4; i++) {
        struct attempt t;
        invite(w, &t, 1000000);
        device_keys(w, &t);
        centre_must(&w->c, enrol(w, &t));
        assert_int_equal(t.answer->number, i);
    }
}

/* A producer by `d`, and a set of the successor of `d` with the same one under another id. */
struct successor {
    struct draft_change change;
    struct id record; /* of the first */
    struct change_set set;
    struct set_result result;
};

static void successor_make(struct world *w, struct device *d, struct successor *x)
{
    x->record = id_next(&w->c.r->ids, &w->c.env);
    draft(&x->change, KIND_PRODUCER, VERB_CREATE, &x->record);
    draft_id(&x->change, FIELD_UNIT, &w->commune);
    draft_id(&x->change, FIELD_OFFICER, &w->officer);
    draft_text(&x->change, 10, "HTX");
    draft_text(&x->change, 11, "cooperative");
    assert_int_equal(device_push(d, &w->c, &x->change, 1).code, SET_ACCEPTED);
    x->set = (struct change_set){.replica = id_next(&w->c.r->ids, &w->c.env),
                                 .seq = 1,
                                 .predecessor = d->replica,
                                 .predecessor_seq = 1,
                                 .schema = SCHEMA_VERSION,
                                 .lineage = w->c.r->lineage,
                                 .changes = {&x->change.c, 1}};
    x->change.c.record = id_next(&w->c.r->ids, &w->c.env);
    x->change.c.author = w->officer;
    x->change.c.fields.v = x->change.v;
    memcpy(x->set.predecessor_hash, d->prev_hash, HASH_LEN);
}

static void successor_push(struct world *w, struct device *d, struct successor *x)
{
    struct sealed sealed;
    centre_must(&w->c, changeset_seal(&x->set, &d->sign, &w->c.a, &sealed, &w->c.err));
    centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
    centre_must(&w->c, ingest_set(w->c.r, sealed.body, sealed.signature, d->channel, w->c.now_ms,
                                  &w->c.a, &x->result, &w->c.err));
    centre_must(&w->c, registry_commit(w->c.r, &w->c.err));
}

static void a_forked_store_goes_on_under_a_new_number_with_the_same_scope(void **state)
{
    struct world *w = *state;
    struct device d;
    struct successor x;
    Ocop__Sync__Enrolment *answer;
    device_enrol(&d, &w->c, &w->officer, &w->commune, 1);
    successor_make(w, &d, &x);
    successor_push(w, &d, &x);
    assert_int_equal(x.result.code, SET_ACCEPTED);
    assert_true(x.result.enrolled_successor);
    centre_must(&w->c,
                enrolment_of(w->c.r, &w->c.keys, &x.set.replica, &w->c.a, &answer, &w->c.err));
    assert_int_equal(answer->number, 2);
    assert_int_equal(answer->n_scope, 1);
    assert_memory_equal(answer->scope[0].data, w->commune.b, ID_LEN);
    assert_memory_equal(answer->officer.data, w->officer.b, ID_LEN);
    d.replica = x.set.replica;
    device_pull(&d, &w->c, 100000);
    assert_non_null(device_holds(&d, &x.record));
    device_close(&d);
}

static void a_successor_continues_what_its_predecessor_really_sent(void **state)
{
    struct world *w = *state;
    struct device d;
    struct successor x;
    device_enrol(&d, &w->c, &w->officer, &w->commune, 1);
    successor_make(w, &d, &x);
    x.set.predecessor_hash[0] ^= 1;
    successor_push(w, &d, &x);
    assert_int_equal(x.result.code, SET_CHAIN);
    x.set.predecessor_hash[0] ^= 1;
    x.set.predecessor_seq = 2;
    successor_push(w, &d, &x);
    assert_int_equal(x.result.code, SET_GAP);
    assert_false(x.result.enrolled_successor);
    device_close(&d);
}

/* A registry that was restored did not know of x: its device goes on under the name of y. */
static void what_a_device_gave_up_is_not_taken_late(void **state)
{
    struct world *w = *state;
    struct device d;
    struct successor x, y;
    device_enrol(&d, &w->c, &w->officer, &w->commune, 1);
    successor_make(w, &d, &x);
    y = x;
    y.set.replica = id_next(&w->c.r->ids, &w->c.env);
    y.set.changes.v = &y.change.c;
    y.change.c.fields.v = y.change.v;
    y.set.given_up = id_span(&x.set.replica);
    successor_push(w, &d, &y);
    assert_int_equal(y.result.code, SET_ACCEPTED);
    successor_push(w, &d, &x);
    assert_int_equal(x.result.code, SET_UNKNOWN_REPLICA);
    assert_non_null(strstr(x.result.text, "goes on under another"));
    device_close(&d);
}

static void what_a_revoked_device_pushes_is_quarantined(void **state)
{
    struct world *w = *state;
    struct device d;
    struct draft_change change;
    struct id record = id_next(&w->c.r->ids, &w->c.env);
    device_enrol(&d, &w->c, &w->officer, &w->commune, 1);
    centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
    centre_must(&w->c, device_state_set(w->c.r, &w->c.keys, &d.replica, DEVICE_REVOKED, "mất máy",
                                        &w->c.err));
    assert_int_equal(device_state_set(w->c.r, &w->c.keys, &d.replica, DEVICE_REVOKED, "", NULL),
                     OCOP_ESTATE);
    assert_int_equal(device_state_set(w->c.r, &w->c.keys, &w->c.r->self, DEVICE_REVOKED, "", NULL),
                     OCOP_ENOTFOUND);
    centre_must(&w->c, registry_commit(w->c.r, &w->c.err));
    draft(&change, KIND_PRODUCER, VERB_CREATE, &record);
    draft_text(&change, 10, "HTX");
    uint64_t before = version_of(w);
    assert_int_equal(device_push(&d, &w->c, &change, 1).code, SET_REVOKED);
    assert_int_equal(version_of(w), before);
    device_close(&d);
}

/* Push the first set of a new replica that continues another of the device's. */
static struct set_result succeed(struct world *w, struct device *d, const struct id *before)
{
    struct sealed sealed;
    struct draft_change change;
    struct id record = id_next(&w->c.r->ids, &w->c.env);
    draft(&change, KIND_PRODUCER, VERB_CREATE, &record);
    draft_id(&change, FIELD_UNIT, &w->commune);
    draft_id(&change, FIELD_OFFICER, &w->officer);
    draft_text(&change, 10, "HTX");
    draft_text(&change, 11, "cooperative");
    d->replica = id_next(&w->c.r->ids, &w->c.env);
    d->seq = 0;
    memset(d->prev_hash, 0, HASH_LEN);
    struct change_set set = device_set(d, &w->c, &change, 1);
    set.predecessor = *before;
    centre_must(&w->c, changeset_seal(&set, &d->sign, &w->c.a, &sealed, &w->c.err));
    return device_push_bytes(d, &w->c, sealed.body, sealed.signature);
}

static void a_revocation_takes_every_replica_of_the_device(void **state)
{
    struct world *w = *state;
    struct device d;
    device_enrol(&d, &w->c, &w->officer, &w->commune, 1);
    struct id first = d.replica;
    assert_int_equal(succeed(w, &d, &first).code, SET_ACCEPTED);
    struct id spare = d.replica;
    centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
    centre_must(&w->c,
                device_state_set(w->c.r, &w->c.keys, &first, DEVICE_REVOKED, "mất máy", &w->c.err));
    centre_must(&w->c, registry_commit(w->c.r, &w->c.err));
    struct replica_info info;
    centre_must(&w->c, registry_replica(w->c.r, &spare, &info, &w->c.err));
    assert_true(info.revoked);
    assert_int_equal(succeed(w, &d, &spare).code, SET_UNKNOWN_REPLICA);
    assert_int_equal(succeed(w, &d, &first).code, SET_UNKNOWN_REPLICA);
    device_close(&d);
}

static void a_device_has_no_end_of_replicas(void **state)
{
    struct world *w = *state;
    struct device d;
    device_enrol(&d, &w->c, &w->officer, &w->commune, 1);
    struct id before = d.replica;
    for (int i = 1; i < REPLICAS_OF_DEVICE_MAX; i++) {
        assert_int_equal(succeed(w, &d, &before).code, SET_ACCEPTED);
        before = d.replica;
    }
    assert_int_equal(succeed(w, &d, &before).code, SET_UNKNOWN_REPLICA);
    device_close(&d);
}

static void a_revoked_device_fills_no_disk(void **state)
{
    struct world *w = *state;
    struct device d;
    struct draft_change change;
    sqlite3_stmt *s;
    device_enrol(&d, &w->c, &w->officer, &w->commune, 1);
    centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
    centre_must(&w->c, device_state_set(w->c.r, &w->c.keys, &d.replica, DEVICE_REVOKED, "mất máy",
                                        &w->c.err));
    centre_must(&w->c, registry_commit(w->c.r, &w->c.err));
    for (int i = 0; i < QUARANTINE_SETS_MAX + 3; i++) {
        struct id record = id_next(&w->c.r->ids, &w->c.env);
        draft(&change, KIND_PRODUCER, VERB_CREATE, &record);
        draft_text(&change, 10, "HTX");
        assert_int_equal(device_push(&d, &w->c, &change, 1).code, SET_REVOKED);
    }
    assert_int_equal(
        sqlite3_prepare_v2(w->c.r->db, "SELECT count(*) FROM quarantine", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(s, 0), QUARANTINE_SETS_MAX);
    sqlite3_finalize(s);
    device_close(&d);
}

static void check_codes(struct world *w, const struct field_rule *rules, size_t *count)
{
    for (const struct field_rule *r = rules; r->number; r++) {
        if (r->items)
            check_codes(w, r->items, count);
        if (r->check != CHECK_CODE)
            continue;
        ++*count;
        if (cache_code(w->c.r, r->arg, span_str("no such code"), "2026-08-05") != CODE_WRONG)
            fail_msg("there is no code list %s", r->arg);
    }
}

static void every_code_list_that_the_rules_name_is_there_from_the_start(void **state)
{
    struct world *w = *state;
    size_t count = 0;
    for (size_t i = 0; i < kind_count(); i++)
        check_codes(w, kind_at(i)->fields, &count);
    assert_true(count > 15);
}

static void codes_hold_on_the_days_that_the_law_gives_them(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *list, *code, *day;
        enum code_answer answer;
    } cases[] = {
        {"facility_grade", "A", "2025-01-14", CODE_OK},
        {"facility_grade", "A", "2025-01-15", CODE_WRONG},
        {"discharge_column", "C", "2025-08-31", CODE_WRONG},
        {"discharge_column", "C", "2025-09-01", CODE_OK},
        {"unit_level", "district", "2025-06-30", CODE_OK},
        {"unit_level", "district", "2025-07-01", CODE_WRONG},
        {"conclusion", "pass", "2026-08-05", CODE_OK},
        {"severity", "serious", "2026-08-05", CODE_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(cache_code(w->c.r, cases[i].list, span_str(cases[i].code), cases[i].day),
                         cases[i].answer);
}

static void a_registry_begins_once(void **state)
{
    struct world *w = *state;
    uint64_t before = version_of(w);
    assert_int_equal(genesis(w->c.r, &w->c.keys, "x", NULL), OCOP_ESTATE);
    assert_int_equal(version_of(w), before);
}

static void keys_are_read_back_and_never_overwritten(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_enrol_XXXXXX", path[64];
    struct server_keys made, read;
    struct stat info;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/r.keys", folder);
    assert_int_equal(keys_load(path, &read, NULL), OCOP_ENOTFOUND);
    assert_int_equal(keys_create(path, env_system(), &made, NULL), OCOP_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(keys_load(path, &read, NULL), OCOP_OK);
    assert_memory_equal(&made.root, &read.root, sizeof made.root);
    assert_int_equal(read.channel_count, 1);
    assert_memory_equal(&made.channel[0], &read.channel[0], sizeof made.channel[0]);
    assert_int_equal(keys_create(path, env_system(), &read, NULL), OCOP_ESTATE);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(keys_load(path, &read, NULL), OCOP_EPERM);
    assert_int_equal(chmod(path, 0600), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("root 00\n", f);
    fclose(f);
    assert_int_equal(keys_load(path, &read, NULL), OCOP_EDAMAGED);
    keys_wipe(&made);
    unlink(path);
    rmdir(folder);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_answer_names_device_officer_scope_and_lineage),
        T(the_same_keys_and_token_again_give_the_same_answer),
        T(an_invitation_is_for_one_device),
        T(an_invitation_that_expired_or_was_never_made_enrols_nobody),
        T(a_replica_cannot_be_taken_over_by_another_device),
        T(an_invitation_needs_units),
        T(devices_are_numbered_one_after_the_other),
        T(a_forked_store_goes_on_under_a_new_number_with_the_same_scope),
        T(a_successor_continues_what_its_predecessor_really_sent),
        T(what_a_device_gave_up_is_not_taken_late),
        T(what_a_revoked_device_pushes_is_quarantined),
        T(a_revocation_takes_every_replica_of_the_device),
        T(a_device_has_no_end_of_replicas),
        T(a_revoked_device_fills_no_disk),
        T(every_code_list_that_the_rules_name_is_there_from_the_start),
        T(codes_hold_on_the_days_that_the_law_gives_them),
        T(a_registry_begins_once),
        cmocka_unit_test(keys_are_read_back_and_never_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
