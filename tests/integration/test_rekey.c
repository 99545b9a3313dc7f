/* A device changes its keys: whatever is lost on the way it has those that the registry knows, what
 * it signed before stands, and the old ones are worth nothing. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bounds.h"
#include "evidence_make.h"
#include "hand.h"
#include "office.h"
#include "rekey.h"
#include "replay.h"
#include "store.h"
#include "store_db.h"
#include "world.h"

/* Whatever happened, the log gives the same again, and each signature holds. */
static int teardown(void **state)
{
    struct world *w = *state;
    struct replay_result result;
    struct ocop_error err = {0};
    if (replay_check(w->registry, w->keys.root.public_key, &result, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    return world_teardown(state);
}

static struct replica_info info_of(struct world *w, unsigned n)
{
    struct replica_info info;
    assert_int_equal(registry_replica(w->registry, &w->stores[n]->me.replica, &info, NULL),
                     OCOP_OK);
    return info;
}

/* Does the registry hold the keys that the device has? */
static void same_keys(struct world *w, unsigned n)
{
    struct replica_info info = info_of(w, n);
    const struct identity *me = &w->stores[n]->me;
    assert_false(me->rekeying);
    assert_memory_equal(info.sign_key, me->sign.public_key, SIGN_PUBLIC_LEN);
    assert_memory_equal(info.channel_key, me->channel.public_key, CHANNEL_KEY_LEN);
}

static void ask(struct world *w, unsigned n)
{
    struct ocop_error err = {0};
    if (ocop_rekey_device(w->stores[n], &err) != OCOP_OK)
        fail_msg("%s", err.text);
}

/* What was recorded arrived, once. */
static void holds(struct world *w, int64_t inspections)
{
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), inspections);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
}

static void show_finding(void *user, const char *finding)
{
    (void)user;
    print_message("%s\n", finding);
}

static void no_findings(struct world *w, unsigned n)
{
    unsigned findings = 0;
    assert_int_equal(ocop_check(w->stores[n], show_finding, NULL, &findings, NULL), OCOP_OK);
    assert_int_equal(findings, 0);
}

/* The bundle of a record, checked elsewhere. */
static void evidence_holds(struct world *w, struct ocop_id id, unsigned changes)
{
    struct ocop_error err = {0};
    struct ocop_evidence out;
    struct id record;
    char *story, *file = NULL;
    size_t len;
    FILE *f = open_memstream(&file, &len);
    memcpy(record.b, id.b, ID_LEN);
    assert_int_equal(registry_begin_read(w->registry, &err), OCOP_OK);
    if (evidence_export(w->registry, &w->keys.root, &record, NULL, f, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    registry_rollback(w->registry);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(
        ocop_verify_evidence(file, len, w->keys.root.public_key, false, &story, &out, &err),
        OCOP_OK);
    if (!out.holds)
        fail_msg("%s", story);
    assert_int_equal(out.changes, changes);
    free(story);
    free(file);
}

static void a_device_has_new_keys_and_goes_on(void **state)
{
    struct world *w = *state;
    struct ocop_store_status s;
    struct replica_info before = info_of(w, 1), after;
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    ask(w, 1);
    ask(w, 1); /* once more changes nothing */
    world_inspect(w, 1, "pass");
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_true(s.rekeying);
    world_sync(w, 1);
    after = info_of(w, 1);
    assert_memory_not_equal(after.sign_key, before.sign_key, SIGN_PUBLIC_LEN);
    assert_memory_not_equal(after.channel_key, before.channel_key, CHANNEL_KEY_LEN);
    same_keys(w, 1);
    holds(w, 2);
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_false(s.rekeying);
    assert_true(s.keys_made_ms > 0);
    assert_int_equal(world_sync(w, 1).round_trips, 1); /* and that was all */
    ask(w, 1);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    same_keys(w, 1);
    holds(w, 3);
    no_findings(w, 1);
    assert_int_equal(
        world_count(w, "SELECT count(*) FROM replica_sign_keys WHERE channel_key IS NOT NULL"), 3);
}

/* The request, the reply, or both of one after the other are lost; every request comes twice. */
static void whatever_is_lost_both_sides_come_to_the_same_keys(void **state)
{
    struct world *w = *state;
    int64_t made = 0;
    for (unsigned lost = 0; lost < 2; lost++)
        for (unsigned at = 1; at <= 4; at++) {
            struct world_link *l = &w->links[1];
            world_inspect(w, 1, "pass");
            ask(w, 1);
            world_inspect(w, 1, "pass");
            made += 2;
            *(lost ? &l->drop_reply : &l->drop_request) = at;
            l->repeat = at % 2;
            for (int tries = 0; tries < 2; tries++) {
                enum ocop_status st = ocop_sync(w->stores[1], NULL, NULL, NULL);
                assert_true(st == OCOP_OK || st == OCOP_ETIMEOUT);
                world_relink(w, 1, &l->link); /* power lost: what is not stored is gone */
            }
            l->drop_reply = l->drop_request = 0;
            world_sync(w, 1);
            same_keys(w, 1);
            holds(w, made);
        }
    no_findings(w, 1);
    /* Each change of keys was taken once. */
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica_sign_keys"), 9);
}

/* Sealed by the old key and never answered: it is sent before the keys are changed. */
static void what_was_sealed_before_is_taken_in_under_the_old_key(void **state)
{
    struct world *w = *state;
    world_inspect(w, 1, "pass");
    w->links[1].drop_request = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    ask(w, 1);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    same_keys(w, 1);
    holds(w, 2);
}

/* A request that brings new keys comes late, when the device has sealed more by the old ones: it is
 * taken as nothing. */
static void a_late_request_for_new_keys_changes_nothing(void **state)
{
    struct world *w = *state;
    struct buf late;
    buf_init(&late, FRAME_BYTES_MAX);
    ask(w, 1);
    w->links[1].drop_request = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    buf_put(&late, w->links[1].last.p, w->links[1].last.len);
    w->stores[1]->me.rekeying = false; /* as if it never had asked */
    assert_int_equal(store_meta_set_int(w->stores[1], "rekeying", 0, NULL), OCOP_OK);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    struct replica_info before = info_of(w, 1);
    struct job job = {.frame = buf_span(&late)};
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_int_equal(job.status, OCOP_ESTATE);
    buf_fini(&job.reply);
    buf_fini(&late);
    struct replica_info after = info_of(w, 1);
    assert_memory_equal(&before, &after, sizeof after);
}

static void comes_once_more(struct world *w, const struct buf *request)
{
    struct job job = {.frame = buf_span(request)};
    exchange_batch(w->registry, &w->keys, &job, 1);
    buf_fini(&job.reply);
}

/* The registry knew the keys no more that these were to replace, and refused them; the device
 * sealed on by those. Another restore takes all that away, and all requests come once more. */
static void what_was_asked_of_another_history_is_never_taken_late(void **state)
{
    struct world *w = *state;
    struct buf request[2];
    world_sync(w, 1);
    world_backup(w);
    for (unsigned i = 0; i < 2; i++) {
        ask(w, 1);
        if (i == 1)
            world_restore(w);
        w->links[1].drop_request = 1;
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
        buf_init(&request[i], FRAME_BYTES_MAX);
        buf_put(&request[i], w->links[1].last.p, w->links[1].last.len);
        if (i == 1)
            world_inspect(w, 1, "pass");
        world_sync(w, 1);
    }
    world_sync(w, 1); /* asks again, and now they follow */
    same_keys(w, 1);
    world_restore(w);
    for (unsigned i = 0; i < 2; i++) {
        comes_once_more(w, &request[i]);
        buf_fini(&request[i]);
    }
    world_sync(w, 1);
    world_sync(w, 1);
    same_keys(w, 1);
    holds(w, 1);
}

/* A store went on under another name when its copy had gone on under the old one; then the registry
 * forgot both, and heard of them again. */
static void a_name_that_was_given_up_is_not_taken_late(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    struct buf request;
    world_backup(w);
    world_enrol_copied(w, 2, 3);
    world_inspect(w, 3, "fail");
    world_sync(w, 3);
    assert_true(world_sync(w, 2).forked);
    world_restore(w);
    must(ocop_sync(w->stores[2], &(struct ocop_sync_options){.max_round_trips = 2}, &sum, &err),
         &err);
    buf_init(&request, FRAME_BYTES_MAX);
    buf_put(&request, w->links[2].last.p, w->links[2].last.len);
    world_sync(w, 2);
    world_sync(w, 3);
    const int64_t sets = world_count(w, "SELECT count(*) FROM log"),
                  names = world_count(w, "SELECT count(*) FROM replica");
    comes_once_more(w, &request);
    assert_int_equal(world_count(w, "SELECT count(*) FROM log"), sets);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica"), names);
    buf_fini(&request);
}

/* It is taken, then, when the device has sealed on, and what that was sealed by is sealed again. */
static void a_set_sealed_by_the_old_key_too_late_is_sealed_again(void **state)
{
    struct world *w = *state;
    ask(w, 1);
    w->links[1].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    struct identity *me = &w->stores[1]->me;
    world_inspect(w, 1, "pass");
    me->rekeying = false; /* sealed as by a program that knew nothing of the new keys */
    assert_int_equal(store_meta_set_int(w->stores[1], "rekeying", 0, NULL), OCOP_OK);
    assert_int_not_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_OK);
    assert_int_equal(store_meta_set_int(w->stores[1], "rekeying", 1, NULL), OCOP_OK);
    world_relink(w, 1, &w->links[1].link);
    world_sync(w, 1);
    same_keys(w, 1);
    holds(w, 1);
    no_findings(w, 1);
}

/* --- the old keys --------------------------------------------------------------------------------
 */

static void who_stole_the_old_keys_can_do_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_copy(w, 1, 2); /* the thief's */
    ask(w, 1);
    world_sync(w, 1);
    int64_t sets = world_count(w, "SELECT count(*) FROM log");
    struct replica_info before = info_of(w, 1);
    world_inspect(w, 2, "fail");
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, &err), OCOP_EAUTH);
    assert_non_null(strstr(err.text, "changed its keys since"));
    ask(w, 2); /* nor replace them by his own */
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, &err), OCOP_EAUTH);
    assert_int_equal(world_count(w, "SELECT count(*) FROM log"), sets);
    struct replica_info after = info_of(w, 1);
    assert_memory_equal(&before, &after, sizeof after);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    holds(w, 2);
}

static void the_old_keys_enrol_nobody(void **state)
{
    struct world *w = *state;
    struct hand old = {.officer = w->officers[1]}, fresh;
    struct invitation inv;
    old.sign = w->stores[1]->me.sign;
    old.channel = w->stores[1]->me.channel;
    old.replica = id_next(&w->registry->ids, env_system());
    ask(w, 1);
    world_sync(w, 1);
    hand_new(w, &fresh, w->officers[1]);
    for (unsigned i = 0; i < 3; i++) { /* both, or either with another beside it */
        struct hand with = old;
        if (i == 1)
            with.sign = fresh.sign;
        if (i == 2)
            with.channel = fresh.channel;
        hand_invite(w, &with, &inv);
        Ocop__Sync__Reply *reply = hand_redeem(w, &with, &inv);
        assert_int_equal(reply->code, OCOP_EREVOKED);
        assert_non_null(strstr(reply->text, "replaced by its device"));
    }
    assert_int_equal(world_count(w, "SELECT sum(refused) FROM invitation"), 3);
    hand_invite(w, &fresh, &inv);
    assert_int_equal(hand_redeem(w, &fresh, &inv)->code, OCOP_OK);
}

static void new_keys_need_the_old_signature_and_their_own(void **state)
{
    struct world *w = *state;
    struct id replica;
    uint64_t from;
    struct replica_info info = info_of(w, 1), other = info_of(w, 0);
    struct identity *me = &w->stores[1]->me;
    struct sign_key fresh;
    struct channel_key channel;
    struct id lineage = w->registry->lineage, another = {{7}};
    uint8_t by_old[SIGNATURE_LEN], by_new[SIGNATURE_LEN];
    sign_key_new(&fresh, env_system());
    channel_key_new(&channel, env_system());
    world_replica(w, 1, &replica);
    static const struct {
        bool other_signs, no_proof, others_channel, held_key, no_lineage, other_lineage;
        int64_t from;
        enum ocop_status want;
    } cases[] = {{.from = 1, .want = OCOP_OK},
                 {.from = 1, .other_signs = true, .want = OCOP_EAUTH},
                 {.from = 1, .no_proof = true, .want = OCOP_EAUTH},
                 {.from = 1, .others_channel = true, .want = OCOP_ESTATE},
                 {.from = 1, .held_key = true, .want = OCOP_ESTATE},
                 {.from = 1, .no_lineage = true, .want = OCOP_ESTATE},
                 {.from = 1, .other_lineage = true, .want = OCOP_ESTATE},
                 {.from = 0, .want = OCOP_ESTATE},
                 {.from = 9, .want = OCOP_ESTATE}};
    for (size_t i = sizeof cases / sizeof *cases; i-- > 0;) {
        const struct sign_key *next = cases[i].held_key ? &w->stores[0]->me.sign : &fresh;
        const uint8_t *sender = cases[i].others_channel ? other.channel_key : channel.public_key;
        struct rekey k = {.replica = replica, .from_seq = (uint64_t)cases[i].from};
        memcpy(k.sign_key, next->public_key, SIGN_PUBLIC_LEN);
        memcpy(k.channel_key, sender, CHANNEL_KEY_LEN);
        rekey_sign(&k, cases[i].other_signs ? &w->stores[0]->me.sign : &me->sign, by_old);
        rekey_sign(&k, next, by_new);
        by_new[5] ^= cases[i].no_proof;
        Ocop__Sync__Rekey in = OCOP__SYNC__REKEY__INIT;
        Ocop__Sync__SyncRequest request = OCOP__SYNC__SYNC_REQUEST__INIT;
        in.sign_key = (ProtobufCBinaryData){SIGN_PUBLIC_LEN, k.sign_key};
        in.from_seq = k.from_seq;
        in.signature = (ProtobufCBinaryData){SIGNATURE_LEN, by_old};
        in.proof = (ProtobufCBinaryData){SIGNATURE_LEN, by_new};
        request.replica = (ProtobufCBinaryData){ID_LEN, replica.b};
        request.lineage = (ProtobufCBinaryData){cases[i].no_lineage ? 0 : ID_LEN,
                                                cases[i].other_lineage ? another.b : lineage.b};
        request.rekey = &in;
        assert_int_equal(registry_begin(w->registry, NULL), OCOP_OK);
        assert_int_equal(
            rekey_take(w->registry, &w->keys, &request, sender, &w->arena, &from, NULL),
            cases[i].want);
        registry_rollback(w->registry);
    }
    struct replica_info after = info_of(w, 1);
    assert_memory_equal(&info, &after, sizeof after);
}

/* A suspended device waits with its keys as with all else, and its work comes in aside. */
static void a_suspended_device_changes_no_keys(void **state)
{
    struct world *w = *state;
    struct id replica;
    struct kept_aside aside;
    world_replica(w, 1, &replica);
    ask(w, 1);
    world_inspect(w, 1, "pass");
    world_state(w, 1, DEVICE_SUSPENDED);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ESUSPENDED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM quarantine"), 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica_sign_keys"), 0);
    assert_int_equal(registry_begin(w->registry, NULL), OCOP_OK);
    assert_int_equal(
        device_state_set(w->registry, &w->keys, &replica, DEVICE_ACTIVE, "tìm thấy", NULL),
        OCOP_OK);
    assert_int_equal(device_take_aside(w->registry, &replica, &aside, NULL), OCOP_OK);
    assert_int_equal(registry_commit(w->registry, NULL), OCOP_OK);
    world_sync(w, 1);
    same_keys(w, 1);
    holds(w, 1);
}

/* Its new keys were taken, the reply was lost, and the office had its say meanwhile: it is told
 * that, by the keys that it is known by, and its work is put aside. */
static void a_device_revoked_after_its_keys_were_taken_is_told_so(void **state)
{
    struct world *w = *state;
    struct id replica;
    static const struct {
        enum device_state state;
        enum ocop_status want;
    } cases[] = {{DEVICE_SUSPENDED, OCOP_ESUSPENDED}, {DEVICE_REVOKED, OCOP_EREVOKED}};
    for (size_t i = 0; i < 2; i++) {
        ask(w, 1);
        w->links[1].drop_reply = 1;
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
        world_replica(w, 1, &replica);
        assert_int_equal(registry_begin(w->registry, NULL), OCOP_OK);
        assert_int_equal(
            device_state_set(w->registry, &w->keys, &replica, cases[i].state, "mất máy", NULL),
            OCOP_OK);
        assert_int_equal(registry_commit(w->registry, NULL), OCOP_OK);
        world_inspect(w, 1, "pass");
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), cases[i].want);
        same_keys(w, 1);
        assert_int_equal(world_count(w, "SELECT count(*) FROM quarantine"), 1);
        if (i > 0)
            continue;
        struct kept_aside aside;
        assert_int_equal(registry_begin(w->registry, NULL), OCOP_OK);
        assert_int_equal(
            device_state_set(w->registry, &w->keys, &replica, DEVICE_ACTIVE, "tìm thấy", NULL),
            OCOP_OK);
        assert_int_equal(device_take_aside(w->registry, &replica, &aside, NULL), OCOP_OK);
        assert_int_equal(registry_commit(w->registry, NULL), OCOP_OK);
        world_sync(w, 1);
        holds(w, 1);
    }
}

/* Of all commits the one that takes the keys fails. */
static int takes_no_keys(void *store)
{
    return !((struct ocop_store *)store)->me.rekeying;
}

/* Nor is it accused of using keys that it replaced, when its own disk keeps it from taking the new
 * ones. */
static void what_keeps_a_suspended_device_from_its_new_keys_is_said(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ask(w, 1);
    w->links[1].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    w->links[1].drop_reply = 0;
    world_state(w, 1, DEVICE_SUSPENDED);
    sqlite3_commit_hook(w->stores[1]->db->sqlite, takes_no_keys, w->stores[1]);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EDB);
    sqlite3_commit_hook(w->stores[1]->db->sqlite, NULL, NULL);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ESUSPENDED);
    same_keys(w, 1);
}

/* The keys are made while a sync runs: it takes them in its turn. */
static bool rekeys_meanwhile(void *user, const struct ocop_sync_summary *so_far, const char *doing)
{
    struct world *w = user;
    if (so_far->round_trips == 0 && strcmp(doing, "exchanging") == 0) /* its request is made */
        ask(w, 1);
    return true;
}

static void keys_made_during_a_sync_are_changed_by_it(void **state)
{
    struct world *w = *state;
    struct ocop_sync_options options = {.progress = rekeys_meanwhile, .user = w};
    assert_int_equal(ocop_sync(w->stores[1], &options, NULL, NULL), OCOP_OK);
    same_keys(w, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica_sign_keys"), 2);
}

/* --- restores ------------------------------------------------------------------------------------
 */

static void a_registry_of_before_knows_the_device_by_its_new_keys(void **state)
{
    struct world *w = *state;
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_backup(w);
    struct ocop_id lost = world_inspect(w, 1, "pass");
    world_sync(w, 1); /* signed by the key that the backup knows, and lost */
    ask(w, 1);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    ask(w, 1);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_restore(w);
    holds(w, 1);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    same_keys(w, 1);
    holds(w, 5);
    no_findings(w, 1);
    evidence_holds(w, lost, 1); /* it came behind the new keys, and is signed by the old one */
}

/* The backup knows nothing of the device at all; the old keys are not believed when they come. */
static void a_registry_without_the_device_takes_it_with_all_its_keys(void **state)
{
    struct world *w = *state;
    world_backup(w);
    world_enrol(w, 2);
    world_inspect(w, 2, "pass");
    world_sync(w, 2);
    world_copy(w, 2, 3); /* the thief's, with the certificate of then */
    ask(w, 2);
    world_inspect(w, 2, "pass");
    world_sync(w, 2);
    world_restore(w);
    world_sync(w, 2);
    same_keys(w, 2);
    holds(w, 2);
    assert_int_equal(ocop_sync(w->stores[3], NULL, NULL, NULL), OCOP_EAUTH);
    same_keys(w, 2);
}

/* What a copy had sealed before its keys changed is another set than the registry's of that number,
 * and nobody has told it so when it learns that there is a later one. */
static void a_copy_that_changes_its_keys_sends_its_work_once(void **state)
{
    struct world *w = *state;
    assert_int_equal(ocop_rekey_device(w->stores[1], NULL), OCOP_OK);
    world_state(w, 1, DEVICE_SUSPENDED);
    world_inspect(w, 1, "pass");
    world_copy(w, 1, 2);
    world_inspect(w, 2, "fail");
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ESUSPENDED);
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, NULL), OCOP_ESUSPENDED);
    world_state(w, 1, DEVICE_ACTIVE);
    world_sync(w, 1);
    world_inspect(w, 1, "conditional");
    world_sync(w, 1);
    assert_int_equal(world_sync(w, 2).pushed, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 3);
}

/* A store that forked has two replicas; both have the new keys, here and after a restore. */
static void all_replicas_of_a_device_have_the_new_keys(void **state)
{
    struct world *w = *state;
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_copy(w, 1, 2);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_inspect(w, 2, "pass");
    assert_true(world_sync(w, 2).forked);
    world_backup(w);
    world_inspect(w, 2, "pass");
    world_sync(w, 2);
    ask(w, 2);
    world_inspect(w, 2, "pass");
    world_sync(w, 2);
    same_keys(w, 2);
    assert_int_equal(world_count(w, "SELECT count(DISTINCT channel_key) FROM replica"
                                    " WHERE replica_type = 'device'"),
                     2);
    world_restore(w);
    world_sync(w, 2);
    same_keys(w, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 5);
    assert_int_equal(world_count(w, "SELECT count(DISTINCT channel_key) FROM replica"
                                    " WHERE replica_type = 'device'"),
                     2);
    no_findings(w, 2);
}

/* Device 2, or what was copied from it, is suspended before it hears that its keys were taken; then
 * it may go on. */
static void keys_heard_of_by_a_refusal(struct world *w, unsigned n)
{
    ask(w, n);
    w->links[n].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[n], NULL, NULL, NULL), OCOP_ETIMEOUT);
    w->links[n].drop_reply = 0;
    world_state(w, 2, DEVICE_SUSPENDED);
    assert_int_equal(ocop_sync(w->stores[n], NULL, NULL, NULL), OCOP_ESUSPENDED);
    same_keys(w, n);
    world_state(w, 2, DEVICE_ACTIVE);
}

/* It was suspended before it heard that its keys were taken; with the refusal it gets the
 * certificate of the first replica of its line too, by which a registry that lost both knows its
 * new keys. */
static void a_suspended_copy_hears_of_all_that_its_new_keys_need(void **state)
{
    struct world *w = *state;
    world_backup(w);
    world_enrol_copied(w, 2, 3);
    world_inspect(w, 2, "pass");
    world_sync(w, 2);
    world_inspect(w, 3, "pass");
    assert_true(world_sync(w, 3).forked);
    keys_heard_of_by_a_refusal(w, 3);
    world_restore(w);
    world_sync(w, 3);
    same_keys(w, 3);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
}

/* With the refusal it gets its own certificate of the new keys: a registry that lost the device
 * knows them by it. */
static void a_suspended_device_is_known_again_by_its_new_keys(void **state)
{
    struct world *w = *state;
    world_backup(w);
    world_enrol(w, 2);
    keys_heard_of_by_a_refusal(w, 2);
    world_restore(w);
    world_inspect(w, 2, "pass");
    world_sync(w, 2);
    same_keys(w, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

/* --- the office, and evidence --------------------------------------------------------------------
 */

static void the_office_asks_for_new_keys(void **state)
{
    struct world *w = *state;
    struct id replica;
    struct replica_info before = info_of(w, 1), after;
    world_replica(w, 1, &replica);
    assert_int_equal(registry_begin(w->registry, NULL), OCOP_OK);
    assert_int_equal(rekey_ask(w->registry, &w->keys, &replica, "mỗi năm", NULL), OCOP_OK);
    assert_int_equal(registry_commit(w->registry, NULL), OCOP_OK);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    after = info_of(w, 1);
    same_keys(w, 1);
    assert_memory_not_equal(after.sign_key, before.sign_key, SIGN_PUBLIC_LEN);
    world_sync(w, 1); /* once */
    before = info_of(w, 1);
    assert_memory_equal(after.sign_key, before.sign_key, SIGN_PUBLIC_LEN);
    holds(w, 1);
}

static void evidence_holds_under_each_key_for_its_sets(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    ask(w, 1);
    world_amend(w, 1, id, "conclusion=fail");
    world_sync(w, 1);
    ask(w, 1);
    world_amend(w, 1, id, "conclusion=pass");
    world_sync(w, 1);
    evidence_holds(w, id, 3);
}

static void the_programs_do_it_too(void **state)
{
    struct office *o = calloc(1, sizeof *o);
    char id[40];
    (void)state;
    office_open(o);
    office_serve(o, NULL, NULL);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    office_record(o, "an", "inspection", 0, "x", id);
    office_expect(o, 0, DEVICE(o, "an", "rekey-device"), "new keys");
    office_expect(o, 0, OFFICE(o, "rekey-device", "1", "--reason", "x"), "asked for new keys");
    office_expect(o, 0, OFFICE(o, "devices"), "(new ones are asked for)");
    office_expect(o, 0, DEVICE(o, "an", "sync"), "complete:");
    office_expect(o, 0, DEVICE(o, "an", "status", "--json"), "\"rekeying\":false");
    office_expect(o, 0, OFFICE(o, "devices", "--json"), "\"keysWanted\":false");
    office_expect(o, 0, DEVICE(o, "an", "check"), "");
    office_stop(o);
    office_expect(o, 0, OFFICE(o, "verify"), "signatures hold");
    office_close(o);
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, teardown)
        T(a_device_has_new_keys_and_goes_on),
        T(whatever_is_lost_both_sides_come_to_the_same_keys),
        T(what_was_sealed_before_is_taken_in_under_the_old_key),
        T(a_late_request_for_new_keys_changes_nothing),
        T(what_was_asked_of_another_history_is_never_taken_late),
        T(a_name_that_was_given_up_is_not_taken_late),
        T(a_set_sealed_by_the_old_key_too_late_is_sealed_again),
        T(who_stole_the_old_keys_can_do_nothing),
        T(the_old_keys_enrol_nobody),
        T(new_keys_need_the_old_signature_and_their_own),
        T(a_suspended_device_changes_no_keys),
        T(a_device_revoked_after_its_keys_were_taken_is_told_so),
        T(what_keeps_a_suspended_device_from_its_new_keys_is_said),
        T(keys_made_during_a_sync_are_changed_by_it),
        T(a_registry_of_before_knows_the_device_by_its_new_keys),
        T(a_registry_without_the_device_takes_it_with_all_its_keys),
        T(a_copy_that_changes_its_keys_sends_its_work_once),
        T(all_replicas_of_a_device_have_the_new_keys),
        T(a_suspended_copy_hears_of_all_that_its_new_keys_need),
        T(a_suspended_device_is_known_again_by_its_new_keys),
        T(the_office_asks_for_new_keys),
        T(evidence_holds_under_each_key_for_its_sets),
        cmocka_unit_test(the_programs_do_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
