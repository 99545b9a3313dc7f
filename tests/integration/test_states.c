/* What the office lets a device do, and what a restore of the registry must not undo: suspension,
 * revocation, certificates, numbers; and when a device was last heard of. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "bounds.h"
#include "ledger.h"
#include "records.pb-c.h"
#include "replay.h"
#include "store.h"
#include "store_db.h"
#include "world.h"

/* Whatever happened, a replay of the log gives the same. */
static int teardown(void **state)
{
    struct world *w = *state;
    struct replay_result result;
    struct ocop_error err = {0};
    if (replay_compare(w->registry, ":memory:", &result, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    if (replay_check(w->registry, w->keys.root.public_key, &result, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    world_close(w);
    free(w);
    return 0;
}

static struct id replica_of(struct world *w, unsigned n)
{
    struct ocop_store_status s;
    struct id out;
    assert_int_equal(ocop_store_status(w->stores[n], &s, NULL), OCOP_OK);
    memcpy(out.b, s.replica.b, ID_LEN);
    return out;
}

static struct kept_aside judge(struct world *w, unsigned n, enum device_state state)
{
    struct ocop_error err = {0};
    struct kept_aside aside = {0};
    struct id replica = replica_of(w, n);
    w->registry->keys = &w->keys;
    assert_int_equal(registry_begin(w->registry, &err), OCOP_OK);
    if (device_state_set(w->registry, &w->keys, &replica, state, "mất máy", &err) != OCOP_OK)
        fail_msg("%s", err.text);
    if (state == DEVICE_ACTIVE)
        assert_int_equal(device_take_aside(w->registry, &replica, &aside, &err), OCOP_OK);
    assert_int_equal(registry_commit(w->registry, &err), OCOP_OK);
    return aside;
}

static enum ocop_record_state state_of(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[n], &id, &status, NULL), OCOP_OK);
    enum ocop_record_state state = status->state;
    ocop_record_status_free(status);
    return state;
}

/* --- suspended ---------------------------------------------------------------------------------
 */

static void a_suspended_device_is_told_and_reads_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    struct ocop_store_status s;
    judge(w, 1, DEVICE_SUSPENDED);
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    assert_int_equal(ocop_sync(w->stores[1], NULL, &sum, &err), OCOP_ESUSPENDED);
    assert_int_equal(sum.pulled, 0);
    assert_non_null(strstr(err.text, "mất máy"));
    assert_non_null(strstr(err.text, "ask there"));
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_true(s.suspended);
    assert_false(s.revoked);
    assert_non_null(strstr(s.state_text, "mất máy"));
    judge(w, 1, DEVICE_ACTIVE);
    sum = world_sync(w, 1);
    assert_int_equal(sum.pulled, 1); /* what it missed, and no more */
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_false(s.suspended);
    assert_string_equal(s.state_text, "");
}

static void what_a_suspended_device_sends_waits_and_is_taken_in_on_resuming(void **state)
{
    struct world *w = *state;
    struct ocop_id ids[3];
    judge(w, 1, DEVICE_SUSPENDED);
    for (int i = 0; i < 3; i++) {
        ids[i] = world_inspect(w, 1, "pass");
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ESUSPENDED);
        assert_int_equal(state_of(w, 1, ids[i]), OCOP_WAITING);
    }
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM quarantine"), 3);
    int64_t came = world_count(w, "SELECT max(received_ms) FROM quarantine");
    struct kept_aside aside = judge(w, 1, DEVICE_ACTIVE); /* even if the phone never comes back */
    assert_int_equal(aside.taken, 3);
    assert_int_equal(aside.left, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 3);
    assert_int_equal(world_count(w, "SELECT count(*) FROM quarantine"), 0);
    assert_int_equal(world_count(w, "SELECT max(received_ms) FROM log JOIN replica ON replica ="
                                    " id WHERE replica_type = 'device'"),
                     came);
    struct ocop_sync_summary sum =
        world_sync(w, 1); /* it sends them again and hears the outcomes */
    assert_int_equal(sum.applied, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(state_of(w, 1, ids[i]), OCOP_ACCEPTED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 3);
}

static void a_device_comes_only_into_states_that_follow_from_its_own(void **state)
{
    static const struct {
        enum device_state from, to;
        bool may;
    } cases[] = {
        {DEVICE_ACTIVE, DEVICE_ACTIVE, false},       {DEVICE_ACTIVE, DEVICE_SUSPENDED, true},
        {DEVICE_SUSPENDED, DEVICE_SUSPENDED, false}, {DEVICE_SUSPENDED, DEVICE_ACTIVE, true},
        {DEVICE_ACTIVE, DEVICE_REVOKED, true},       {DEVICE_REVOKED, DEVICE_ACTIVE, false},
        {DEVICE_REVOKED, DEVICE_SUSPENDED, false},   {DEVICE_REVOKED, DEVICE_WIPE, false},
        {DEVICE_REVOKED, DEVICE_WIPE_NOW, true}};
    struct world *w = *state;
    struct id replica = replica_of(w, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ocop_error err = {0};
        struct replica_info info;
        assert_int_equal(registry_replica(w->registry, &replica, &info, NULL), OCOP_OK);
        assert_int_equal(info.state, cases[i].from);
        assert_int_equal(registry_begin(w->registry, &err), OCOP_OK);
        assert_int_equal(device_state_set(w->registry, &w->keys, &replica, cases[i].to, "x", &err),
                         cases[i].may ? OCOP_OK : OCOP_ESTATE);
        assert_int_equal(registry_commit(w->registry, &err), OCOP_OK);
    }
}

/* --- after a restore ---------------------------------------------------------------------------
 */

/* What the registry was is gone but for its ledger: the restore knows of it by nothing else. */
static void lose_registry(struct world *w)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/registry.db%s", w->dir, parts[i]);
        unlink(path);
    }
}

/* Device n of a new officer, invited and enrolled since the backup. */
static struct id enrol_since_backup(struct world *w, unsigned n)
{
    world_backup(w);
    world_enrol(w, n);
    return replica_of(w, n);
}

static void a_device_enrolled_since_the_backup_is_known_again_by_its_certificate(void **state)
{
    struct world *w = *state;
    struct ocop_store_status before, after;
    enrol_since_backup(w, 2);
    struct ocop_id sent = world_inspect(w, 2, "pass");
    world_sync(w, 2);
    assert_int_equal(ocop_store_status(w->stores[2], &before, NULL), OCOP_OK);
    assert_true(before.certified);
    lose_registry(w);
    world_restore(w);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE number = 3"), 0);
    struct ocop_id unsent = world_inspect(w, 2, "fail");
    struct ocop_sync_summary sum = world_sync(w, 2);
    assert_false(sum.forked);
    assert_int_equal(ocop_store_status(w->stores[2], &after, NULL), OCOP_OK);
    assert_memory_equal(before.replica.b, after.replica.b, ID_LEN);
    assert_int_equal(after.device_number, before.device_number);
    assert_int_equal(state_of(w, 2, sent), OCOP_ACCEPTED);
    assert_int_equal(state_of(w, 2, unsent), OCOP_ACCEPTED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE certificate IS NOT NULL"
                                    " AND number = 3 AND state = 'active'"),
                     1);
    sum = world_sync(w, 2);
    assert_int_equal(sum.round_trips, 1); /* and needs to show it no more */
}

static void a_device_revoked_since_the_backup_stays_revoked(void **state)
{
    struct world *w = *state;
    world_backup(w);
    judge(w, 1, DEVICE_REVOKED);
    lose_registry(w);
    world_restore(w);
    world_inspect(w, 1, "pass");
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_EREVOKED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
}

static void a_device_enrolled_and_revoked_since_the_backup_is_no_stranger_either(void **state)
{
    struct world *w = *state;
    enrol_since_backup(w, 2);
    judge(w, 2, DEVICE_REVOKED);
    lose_registry(w);
    world_restore(w);
    world_inspect(w, 2, "pass");
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, NULL), OCOP_EREVOKED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM quarantine"), 1);
}

static void a_device_suspended_since_the_backup_stays_suspended(void **state)
{
    struct world *w = *state;
    enrol_since_backup(w, 2);
    judge(w, 2, DEVICE_SUSPENDED);
    judge(w, 1, DEVICE_SUSPENDED);
    judge(w, 0, DEVICE_SUSPENDED);
    judge(w, 0, DEVICE_ACTIVE);
    lose_registry(w);
    world_restore(w);
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, NULL), OCOP_ESUSPENDED);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ESUSPENDED);
    world_sync(w, 0);
    struct ocop_id id = world_inspect(w, 2, "pass");
    judge(w, 2, DEVICE_ACTIVE);
    world_sync(w, 2);
    assert_int_equal(state_of(w, 2, id), OCOP_ACCEPTED);
}

/* --- certificates that end ------------------------------------------------------------------- */

enum { DAY_MS = 24 * 3600 * 1000 };

static int64_t days_on; /* the registry's clock stands so many days ahead */

static int64_t later_ms(void *self)
{
    (void)self;
    return env_now_ms(env_system()) + days_on * DAY_MS;
}

static struct env later;

static void days_pass(struct world *w, int64_t days)
{
    later = *env_system();
    later.now_ms = later_ms;
    days_on = days;
    w->registry->env = &later;
}

/* The last day of the certificate that the device holds, from today. */
static int64_t lasts(struct world *w, unsigned n)
{
    struct ocop_store_status s;
    assert_int_equal(ocop_store_status(w->stores[n], &s, NULL), OCOP_OK);
    assert_true(s.certified);
    return s.certificate_until_ms
               ? s.certificate_until_ms / DAY_MS - env_now_ms(env_system()) / DAY_MS
               : -1;
}

static void a_certificate_is_renewed_before_it_ends(void **state)
{
    struct world *w = *state;
    static const struct {
        int days, on, lasts;
    } cases[] = {{0, 0, -1},   {30, 0, 30}, {30, 15, 30}, {30, 20, 30},
                 {30, 21, 51}, {9, 21, 30}, {9, 40, 49},  {0, 40, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        days_pass(w, cases[i].on);
        w->registry->certificate_days = cases[i].days;
        assert_int_equal(world_sync(w, 1).round_trips, 1);
        assert_int_equal(lasts(w, 1), cases[i].lasts);
    }
    days_pass(w, 0);
}

/* It matters only where a restore lost the device: nothing is lost, and the office can invite it.
 */
static void a_certificate_that_has_ended_is_refused_and_says_so(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    w->registry->certificate_days = 30;
    world_backup(w);
    world_enrol(w, 2);
    world_sync(w, 2);
    days_pass(w, 40);
    world_inspect(w, 2, "pass");
    world_sync(w, 2); /* the registry that knows it asks for none */
    days_pass(w, 0);
    lose_registry(w);
    world_restore(w);
    days_pass(w, 80);
    struct ocop_id id = world_inspect(w, 2, "pass");
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, &err), OCOP_ENOTENROLLED);
    assert_non_null(strstr(err.text, "has expired; ask the office for a new invitation"));
    assert_int_equal(state_of(w, 2, id), OCOP_WAITING);
    days_pass(w, 60); /* one that has not ended is good */
    world_sync(w, 2);
    assert_int_equal(state_of(w, 2, id), OCOP_ACCEPTED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
}

static void spoil_certificate(struct world *w, unsigned n, const char *key)
{
    struct span packed;
    uint8_t bytes[CERTIFICATE_BYTES_MAX + KIB(1)];
    assert_int_equal(store_meta(w->stores[n], key, &w->arena, &packed, NULL), OCOP_OK);
    assert_true(packed.len > 0 && packed.len <= sizeof bytes);
    memcpy(bytes, packed.p, packed.len);
    bytes[packed.len - 1] ^= 1; /* of the signature */
    assert_int_equal(store_meta_set(w->stores[n], key, span_of(bytes, packed.len), NULL), OCOP_OK);
}

enum spoilt { HAS_ENDED, HAS_ENDED_AND_IS_THE_ONLY_ONE, IS_ANOTHERS, BOTH_ARE_ANOTHERS };

/* The registry does not know the copy's name any more, and what the device shows of it does not
 * count: it knows the one that the copy continues, and by these keys. */
static void forks_all_the_same(struct world *w, enum spoilt spoilt)
{
    struct ocop_store *s;
    w->registry->certificate_days = 30;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_copy(w, 1, 2);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_backup(w);
    world_amend(w, 2, id, "score=71");
    assert_true(world_sync(w, 2).forked);
    s = w->stores[2];
    world_restore(w);
    if (spoilt == HAS_ENDED_AND_IS_THE_ONLY_ONE)
        assert_int_equal(store_meta_set(s, "certificate_first", span_of(NULL, 0), NULL), OCOP_OK);
    if (spoilt == IS_ANOTHERS || spoilt == BOTH_ARE_ANOTHERS)
        spoil_certificate(w, 2, "certificate");
    else
        days_pass(w, 40);
    if (spoilt == BOTH_ARE_ANOTHERS)
        spoil_certificate(w, 2, "certificate_first");
    assert_true(world_sync(w, 2).forked);
    assert_string_equal(world_value(w, "inspection", id, "score"), "71");
    assert_false(world_sync(w, 2).forked);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
}

static void a_copy_whose_certificate_has_ended_forks_all_the_same(void **state)
{
    forks_all_the_same(*state, HAS_ENDED);
}

static void a_copy_whose_only_certificate_has_ended_forks_all_the_same(void **state)
{
    forks_all_the_same(*state, HAS_ENDED_AND_IS_THE_ONLY_ONE);
}

static void a_copy_whose_certificate_is_not_the_registrys_forks_all_the_same(void **state)
{
    forks_all_the_same(*state, IS_ANOTHERS);
}

static void a_copy_with_no_certificate_of_the_registrys_forks_all_the_same(void **state)
{
    forks_all_the_same(*state, BOTH_ARE_ANOTHERS);
}

/* The machine is lost, and the registry is restored on another one from what stood with the backup:
 * the revocation is there, since it was written there too. */
static void a_revocation_reaches_the_backups(void **state)
{
    struct world *w = *state;
    char command[640];
    world_backup(w);
    judge(w, 1, DEVICE_REVOKED);
    snprintf(command, sizeof command, "rm %s/registry.db.ledger", w->dir);
    assert_int_equal(system(command), 0);
    lose_registry(w);
    world_restore(w);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_EREVOKED);
    snprintf(command, sizeof command, "%s/registry.db.ledger", w->dir);
    struct stat s;
    assert_int_equal(stat(command, &s), 0); /* and stands beside the registry again */
    assert_int_equal(s.st_mode & 077, 0);
}

static void a_line_of_the_ledger_that_was_changed_counts_for_nothing(void **state)
{
    struct world *w = *state;
    struct ledger l;
    struct ocop_error err = {0};
    char command[640];
    judge(w, 1, DEVICE_REVOKED);
    struct id replica = replica_of(w, 1);
    ledger_init(&l);
    assert_int_equal(ledger_read(&l, w->registry->ledger, NULL, &w->keys, &err), OCOP_OK);
    assert_int_equal(l.bad, 0);
    assert_int_equal(l.number, 2);
    assert_int_equal(ledger_last(&l, &replica)->state, DEVICE_REVOKED);
    assert_string_equal(ledger_last(&l, &replica)->reason, "mất máy");
    ledger_fini(&l);
    snprintf(command, sizeof command, "sed -i 's/ revoked / active /' %s/registry.db.ledger",
             w->dir);
    assert_int_equal(system(command), 0);
    ledger_init(&l);
    assert_int_equal(ledger_read(&l, w->registry->ledger, NULL, &w->keys, &err), OCOP_OK);
    assert_int_equal(l.bad, 1);
    assert_int_equal(ledger_last(&l, &replica)->state, DEVICE_ACTIVE);
    ledger_fini(&l);
}

/* A backup that could not be reached for a while lacks a line in the middle; what it has besides is
 * not taken for newer than the rest. */
static void two_ledgers_that_grew_apart_are_put_together_line_by_line(void **state)
{
    struct world *w = *state;
    struct ledger l;
    struct ocop_error err = {0};
    char own[160], other[160], command[4096];
    snprintf(own, sizeof own, "%s/own", w->dir);
    snprintf(other, sizeof other, "%s/other", w->dir);
    judge(w, 1, DEVICE_SUSPENDED);
    judge(w, 1, DEVICE_ACTIVE);
    snprintf(command, sizeof command, "cp %s %s && sed '2d;4d' %s > %s", w->registry->ledger, own,
             own, other);
    assert_int_equal(system(command), 0);
    judge(w, 0, DEVICE_REVOKED);
    snprintf(command, sizeof command, "tail -n 1 %s >> %s", w->registry->ledger, other);
    assert_int_equal(system(command), 0);
    assert_int_equal(ledger_merge(other, own, &err), OCOP_OK);
    ledger_init(&l);
    assert_int_equal(ledger_read(&l, own, NULL, &w->keys, &err), OCOP_OK);
    struct id first = replica_of(w, 0), second = replica_of(w, 1);
    assert_int_equal(ledger_last(&l, &first)->state, DEVICE_REVOKED);
    assert_int_equal(ledger_last(&l, &second)->state, DEVICE_ACTIVE);
    ledger_fini(&l);
}

/* A restore that ends at the ledger has left nothing behind which would stop the next one. */
static void a_restore_that_cannot_read_a_ledger_can_be_made_again(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct backup_result result;
    char copy[160], path[160], ledger[200], moved[BACKUP_PATH_MAX];
    world_backup(w);
    snprintf(copy, sizeof copy, "%s/backup.db", w->dir);
    snprintf(path, sizeof path, "%s/registry.db", w->dir);
    snprintf(ledger, sizeof ledger, "%s.ledger", copy);
    (void)unlink(ledger);
    assert_int_equal(mkdir(ledger, 0700), 0);
    world_close_registry(w);
    assert_int_equal(backup_restore(copy, path, true, env_system(), moved, &result, &err),
                     OCOP_EIO);
    assert_int_equal(rmdir(ledger), 0);
    world_restore(w);
    world_sync(w, 1);
}

/* What a power cut left of a line does not spoil the next one. */
static void a_line_that_was_cut_short_spoils_no_other(void **state)
{
    struct world *w = *state;
    struct ledger l;
    struct ocop_error err = {0};
    struct stat s;
    judge(w, 1, DEVICE_SUSPENDED);
    assert_int_equal(stat(w->registry->ledger, &s), 0);
    assert_int_equal(truncate(w->registry->ledger, s.st_size - 40), 0);
    judge(w, 0, DEVICE_REVOKED);
    struct id replica = replica_of(w, 0);
    ledger_init(&l);
    assert_int_equal(ledger_read(&l, w->registry->ledger, NULL, &w->keys, &err), OCOP_OK);
    assert_int_equal(l.bad, 1);
    assert_int_equal(ledger_last(&l, &replica)->state, DEVICE_REVOKED);
    ledger_fini(&l);
}

static void a_number_that_the_backup_does_not_know_is_given_to_nobody_else(void **state)
{
    struct world *w = *state;
    struct ocop_store_status s;
    enrol_since_backup(w, 2);
    lose_registry(w);
    world_restore(w);
    world_enrol(w, 3); /* before the lost one is back */
    assert_int_equal(ocop_store_status(w->stores[3], &s, NULL), OCOP_OK);
    assert_int_equal(s.device_number, 4);
    world_sync(w, 2);
    assert_int_equal(ocop_store_status(w->stores[2], &s, NULL), OCOP_OK);
    assert_int_equal(s.device_number, 3);
}

/* Without the ledger nobody knows of the number: then it is the lost device that gets a new one. */
static void of_two_devices_with_one_number_the_one_that_comes_back_gets_another(void **state)
{
    struct world *w = *state;
    struct ocop_store_status s;
    char command[640];
    enrol_since_backup(w, 2);
    lose_registry(w);
    snprintf(command, sizeof command, "rm %s/*.ledger", w->dir);
    assert_int_equal(system(command), 0);
    world_restore(w);
    world_enrol(w, 3);
    assert_int_equal(ocop_store_status(w->stores[3], &s, NULL), OCOP_OK);
    assert_int_equal(s.device_number, 3);
    world_sync(w, 2);
    assert_int_equal(ocop_store_status(w->stores[2], &s, NULL), OCOP_OK);
    assert_int_equal(s.device_number, 4);
}

/* Neither the replica nor the one that it continues is in the backup. */
static void a_store_that_forked_and_is_not_known_at_all_loses_nothing(void **state)
{
    struct world *w = *state;
    world_backup(w);
    world_enrol_copied(w, 2, 3);
    world_inspect(w, 2, "fail");
    world_sync(w, 2);
    world_inspect(w, 3, "conditional");
    assert_true(world_sync(w, 3).forked);
    ocop_close(w->stores[2]); /* gone for good */
    w->stores[2] = NULL;
    lose_registry(w);
    world_restore(w);
    world_sync(w, 3);
    world_inspect(w, 3, "pass");
    world_sync(w, 3);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 3);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause <> 3"), 0);
}

/* It would send its work under one name after the other, and what it sent under the first could
 * still be on its way when the office lets it go on. */
static void a_suspended_store_that_a_restore_forgot_keeps_its_name(void **state)
{
    struct world *w = *state;
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_copy(w, 1, 2);
    world_inspect(w, 1, "fail");
    world_sync(w, 1);
    world_backup(w);
    world_inspect(w, 2, "conditional");
    assert_true(world_sync(w, 2).forked);
    world_restore(w);
    world_inspect(w, 2, "pass");
    const struct id forgotten = w->stores[2]->me.replica;
    (void)judge(w, 1, DEVICE_SUSPENDED);
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, NULL), OCOP_ESUSPENDED);
    assert_memory_equal(w->stores[2]->me.replica.b, forgotten.b, ID_LEN);
    (void)judge(w, 1, DEVICE_ACTIVE);
    world_sync(w, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 4);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause <> 3"), 0);
}

/* Shown by another device, or with a changed bit, it opens no door. */
static void a_certificate_is_good_only_for_its_device_and_unchanged(void **state)
{
    struct world *w = *state;
    struct id replica = replica_of(w, 1), shown;
    struct replica_info info;
    Ocop__Sync__Sealed *c;
    struct ocop_error err = {0};
    world_backup(w);
    assert_int_equal(registry_replica(w->registry, &replica, &info, &err), OCOP_OK);
    assert_int_equal(certificate_make(w->registry, &w->keys, &replica, &w->arena, &c, &err),
                     OCOP_OK);
    assert_int_equal(registry_begin(w->registry, &err), OCOP_OK);
    assert_int_equal(
        sqlite3_exec(w->registry->db, "DELETE FROM replica WHERE number = 2", NULL, NULL, NULL),
        SQLITE_OK);
    uint8_t stranger[CHANNEL_KEY_LEN] = {1};
    assert_int_equal(
        enrol_again(w->registry, &w->keys, c, stranger, false, &w->arena, &shown, &err),
        OCOP_EAUTH);
    for (size_t bit = 0; bit < c->body.len * 8; bit++) {
        c->body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum ocop_status st =
            enrol_again(w->registry, &w->keys, c, info.channel_key, false, &w->arena, &shown, NULL);
        assert_true(st == OCOP_EAUTH || st == OCOP_EPROTO);
        c->body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    registry_rollback(w->registry);
}

static void a_certificate_that_is_out_of_date_is_replaced(void **state)
{
    struct world *w = *state;
    static const char packed[] = "\n\tregistrar";
    struct ocop_error err = {0};
    uint64_t version;
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    assert_int_equal(world_sync(w, 1).bytes_received > 400,
                     0); /* the same one does not come again */
    assert_int_equal(registry_version(w->registry, &version, &err), OCOP_OK);
    struct field f = {.number = 15,
                      .op = FIELD_SET,
                      .type = VALUE_ELEMENT,
                      .key = span_of(packed + 2, 9),
                      .bytes = span_of(packed, 11),
                      .base = version};
    struct change c = {.kind = KIND_OFFICER,
                       .verb = VERB_AMEND,
                       .record = w->officers[1],
                       .base = version,
                       .fields = {&f, 1},
                       .reason = span_str("nhiệm vụ")};
    world_import(w, &c, 1);
    assert_true(world_sync(w, 1).bytes_received > 400);
    assert_true(world_sync(w, 1).bytes_received < 400);
}

/* --- wiped -------------------------------------------------------------------------------------
 */

static const char secret_text[] = "Khu rang cà phê sạch sẽ";

static struct ocop_id inspect_with_notes(struct world *w, unsigned n)
{
    char set[64];
    struct ocop_id id = world_inspect(w, n, "pass");
    snprintf(set, sizeof set, "notes=%s", secret_text);
    world_amend(w, n, id, set);
    return id;
}

static enum device_state device_state_now(struct world *w, const struct id *replica)
{
    struct replica_info info;
    assert_int_equal(registry_replica(w->registry, replica, &info, NULL), OCOP_OK);
    return info.state;
}

static void a_wipe_waits_for_what_was_not_sent_and_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_store_status s;
    ProtobufCMessage *m = NULL;
    struct id replica = replica_of(w, 1);
    inspect_with_notes(w, 1);
    world_sync(w, 1);
    struct ocop_id unsent = inspect_with_notes(w, 1);
    assert_int_equal(ocop_new(w->stores[1], "inspection", &m, &err), OCOP_OK);
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK); /* a draft */
    ocop_free(m);
    assert_true(world_on_disk(w, 1, secret_text));
    judge(w, 1, DEVICE_WIPE);
    assert_int_equal(device_state_now(w, &replica), DEVICE_WIPE);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_non_null(strstr(err.text, "mất máy"));
    assert_non_null(strstr(err.text, "1 drafts, 0 refused changes, 0 others"));
    assert_string_equal(world_value(w, "inspection", unsent, "conclusion"), "\"pass\"");
    assert_int_equal(device_state_now(w, &replica), DEVICE_WIPED); /* it said so */
    assert_int_equal(world_count(w, "SELECT waiting FROM contact ORDER BY last_ms DESC"), 1);
    assert_false(world_on_disk(w, 1, secret_text));
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_true(s.wiped);
    assert_false(s.enrolled);
    assert_int_equal(s.records, 0);
    assert_non_null(strstr(s.state_text, "wiped by the office: mất máy"));
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_int_equal(ocop_new(w->stores[1], "inspection", &m, &err), OCOP_EWIPED);
}

static void a_wipe_at_once_waits_for_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct id replica = replica_of(w, 1);
    inspect_with_notes(w, 1);
    judge(w, 1, DEVICE_REVOKED); /* in doubt: what it sends is not taken any more */
    judge(w, 1, DEVICE_WIPE_NOW);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_non_null(strstr(err.text, "2 others"));
    assert_int_equal(device_state_now(w, &replica), DEVICE_WIPED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    assert_true(world_count(w, "SELECT count(*) FROM quarantine") > 0);
    assert_false(world_on_disk(w, 1, secret_text));
}

static bool records_meanwhile(void *user, const struct ocop_sync_summary *sum, const char *doing)
{
    struct world *w = user;
    if (strcmp(doing, "files") == 0 && sum->round_trips == 1)
        world_inspect(w, 1, "fail");
    return true;
}

/* Contents may go up for minutes, and the officer goes on working. */
static void a_wipe_waits_for_what_is_submitted_while_contents_go_up(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id record = world_inspect(w, 1, "pass"), id;
    struct ocop_sync_options o = {.progress = records_meanwhile, .user = w, .max_round_trips = 3};
    struct ocop_sync_summary sum;
    struct ocop_store_status s;
    struct ocop_attachment a = {
        .bytes = "%PDF-1.4", .len = 8, .fd = -1, .role = "document", .name = "a.pdf"};
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &id, &err), OCOP_OK);
    judge(w, 1, DEVICE_WIPE);
    assert_int_equal(ocop_sync(w->stores[1], &o, &sum, &err), OCOP_OK); /* the trips are made */
    assert_int_equal(sum.files_sent, 1);
    assert_int_equal(sum.left, 1);
    assert_false(sum.complete);
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_false(s.wiped);
    a.bytes = "%PDF-1.5";
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &id, &err), OCOP_OK);
    o.max_round_trips = 0;
    assert_int_equal(ocop_sync(w->stores[1], &o, NULL, &err), OCOP_EWIPED);
    assert_non_null(strstr(err.text, "0 others"));
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 3);
}

/* What cannot be taken now keeps the store whole. */
static void a_wipe_that_cannot_get_its_work_through_does_not_begin(void **state)
{
    struct world *w = *state;
    struct ocop_store_status s;
    inspect_with_notes(w, 1);
    judge(w, 1, DEVICE_WIPE);
    w->links[1].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_false(s.wiped);
    assert_true(world_on_disk(w, 1, secret_text));
    w->links[1].drop_reply = 2; /* the second is the answer to its last word */
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_EWIPED);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_EWIPED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE state = 'wiped'"), 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

static void set_wiped(struct world *w, unsigned n, unsigned wiped)
{
    sqlite3 *db;
    char path[128], sql[160];
    snprintf(path, sizeof path, "%s/%u.ocop", w->dir, n);
    snprintf(sql, sizeof sql,
             "INSERT INTO meta (key, value, sum) VALUES ('wiped', x'00000000000000%02x', 0)",
             wiped);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* The power went when only the mark had been set. */
static void a_wipe_that_was_cut_short_is_finished_when_the_store_is_opened(void **state)
{
    struct world *w = *state;
    struct ocop_store_status s;
    inspect_with_notes(w, 1);
    judge(w, 1, DEVICE_WIPE_NOW);
    set_wiped(w, 1, WIPED_BEGUN);
    world_relink(w, 1, &w->links[1].link);
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_true(s.wiped);
    assert_false(world_on_disk(w, 1, secret_text));
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_EWIPED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE state = 'wiped'"), 1);
}

static void enrolling_a_wiped_store_starts_afresh(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct id before = replica_of(w, 1), after;
    const char *code;
    struct invitation_terms terms = {.officer = w->officers[0], /* another one, too */
                                     .scope = &w->commune,
                                     .scope_count = 1,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = env_now_ms(env_system()) + 60000};
    world_inspect(w, 1, "pass");
    judge(w, 1, DEVICE_WIPE);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_EWIPED);
    assert_int_equal(registry_begin(w->registry, &err), OCOP_OK);
    assert_int_equal(invite_make(w->registry, &w->keys, &terms, &w->arena, &code, &err), OCOP_OK);
    assert_int_equal(registry_commit(w->registry, &err), OCOP_OK);
    if (ocop_enrol(w->stores[1], code, NULL, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    world_sync(w, 1);
    after = replica_of(w, 1);
    assert_memory_not_equal(before.b, after.b, ID_LEN);
    struct ocop_id id = world_inspect(w, 1, "fail");
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
}

/* --- handed over -------------------------------------------------------------------------------
 */

/* Device 1 is the phone under its former officer, device 2 the same phone under the new one: a
 * store for each. */
static void the_work_of_a_former_officer_is_sent_and_not_shown(void **state)
{
    struct world *w = *state;
    struct ocop_sync_options former = {.send_only = true};
    struct ocop_sync_summary sum;
    struct ocop_record_status *status;
    struct ocop_error err = {0};
    struct ocop_store_status s;
    ProtobufCMessage *m = NULL;
    struct ocop_id unsent = world_inspect(w, 1, "pass");
    assert_int_equal(ocop_new(w->stores[1], "inspection", &m, &err), OCOP_OK);
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    world_enrol(w, 2);
    assert_int_equal(ocop_record_status(w->stores[2], &unsent, &status, NULL), OCOP_ENOTFOUND);
    assert_int_equal(ocop_sync(w->stores[1], &former, &sum, &err), OCOP_OK);
    assert_true(sum.complete);
    assert_int_equal(sum.pushed, 1);
    assert_string_equal(world_value(w, "inspection", unsent, "conclusion"), "\"pass\"");
    assert_int_equal(world_count(w, "SELECT count(DISTINCT officer_id) FROM inspection AS i WHERE"
                                    " officer_id = (SELECT officer_id FROM replica WHERE number"
                                    " = 2)"),
                     1);
    world_inspect(w, 0, "fail");
    world_sync(w, 0);
    assert_int_equal(ocop_sync(w->stores[1], &former, &sum, &err), OCOP_OK);
    assert_int_equal(sum.round_trips, 0); /* it asks for nothing where it has nothing to say */
    assert_int_equal(sum.pulled, 0);
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_int_equal(s.drafts, 1); /* that was the officer's own */
    world_sync(w, 2);
    assert_int_equal(ocop_record_status(w->stores[2], &unsent, &status, NULL), OCOP_OK);
    ocop_record_status_free(status); /* by way of the registry, like anybody's in this commune */
}

/* --- last contact ------------------------------------------------------------------------------
 */

static void make_contacts_older(struct world *w)
{
    assert_int_equal(sqlite3_exec(w->registry->db,
                                  "UPDATE contact SET last_ms = 5, sum = row_sum(replica, 5, "
                                  "skew_ms, waiting, schema, refused, exchange, program)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
}

static void replay_last(struct world *w, unsigned n)
{
    struct job job = {.frame = buf_span(&w->links[n].last)};
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_true(job.reply.len > 0);
    buf_fini(&job.reply);
}

static void every_exchange_moves_the_last_contact_and_no_replay_does(void **state)
{
    struct world *w = *state;
    static const char moved[] = "SELECT count(*) FROM contact WHERE last_ms > 5";
    make_contacts_older(w);
    replay_last(w, 1);
    assert_int_equal(world_count(w, moved), 0);
    world_sync(w, 1); /* brings nothing and takes nothing */
    assert_int_equal(world_count(w, moved), 1);
    make_contacts_older(w);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    assert_int_equal(world_count(w, moved), 1);
    make_contacts_older(w);
    replay_last(w, 1);
    assert_int_equal(world_count(w, moved), 0);
    judge(w, 1, DEVICE_SUSPENDED); /* one that may not go on is heard of all the same */
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ESUSPENDED);
    assert_int_equal(world_count(w, moved), 1);
}

/* Its process died between sending and storing: the number of the lost request is not used again.
 */
static void the_number_of_a_request_survives_a_crash(void **state)
{
    struct world *w = *state;
    world_relink(w, 1, NULL);
    ocop_close(w->stores[1]);
    w->stores[1] = NULL;
    int64_t last = world_count(w, "SELECT exchange FROM contact ORDER BY exchange DESC LIMIT 1");
    for (int i = 0; i < 3; i++) {
        struct ocop_error err = {0};
        struct ocop_options options = {.must_exist = true, .link = &w->links[1]};
        char path[128];
        snprintf(path, sizeof path, "%s/1.ocop", w->dir);
        assert_int_equal(ocop_open(path, &options, &w->stores[1], &err), OCOP_OK);
        w->links[1].drop_reply = 1; /* and the process ends without it */
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_ETIMEOUT);
        ocop_close(w->stores[1]);
        w->stores[1] = NULL;
        int64_t now = world_count(w, "SELECT max(exchange) FROM contact");
        assert_true(now > last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, teardown)
        T(a_suspended_device_is_told_and_reads_nothing),
        T(what_a_suspended_device_sends_waits_and_is_taken_in_on_resuming),
        T(a_device_comes_only_into_states_that_follow_from_its_own),
        T(a_device_enrolled_since_the_backup_is_known_again_by_its_certificate),
        T(a_device_revoked_since_the_backup_stays_revoked),
        T(a_device_enrolled_and_revoked_since_the_backup_is_no_stranger_either),
        T(a_device_suspended_since_the_backup_stays_suspended),
        T(a_certificate_is_renewed_before_it_ends),
        T(a_certificate_that_has_ended_is_refused_and_says_so),
        T(a_copy_whose_certificate_has_ended_forks_all_the_same),
        T(a_copy_whose_only_certificate_has_ended_forks_all_the_same),
        T(a_copy_whose_certificate_is_not_the_registrys_forks_all_the_same),
        T(a_copy_with_no_certificate_of_the_registrys_forks_all_the_same),
        T(a_revocation_reaches_the_backups),
        T(a_line_of_the_ledger_that_was_changed_counts_for_nothing),
        T(two_ledgers_that_grew_apart_are_put_together_line_by_line),
        T(a_restore_that_cannot_read_a_ledger_can_be_made_again),
        T(a_line_that_was_cut_short_spoils_no_other),
        T(a_number_that_the_backup_does_not_know_is_given_to_nobody_else),
        T(of_two_devices_with_one_number_the_one_that_comes_back_gets_another),
        T(a_store_that_forked_and_is_not_known_at_all_loses_nothing),
        T(a_suspended_store_that_a_restore_forgot_keeps_its_name),
        T(a_certificate_is_good_only_for_its_device_and_unchanged),
        T(a_certificate_that_is_out_of_date_is_replaced),
        T(a_wipe_waits_for_what_was_not_sent_and_leaves_nothing),
        T(a_wipe_waits_for_what_is_submitted_while_contents_go_up),
        T(a_wipe_at_once_waits_for_nothing),
        T(a_wipe_that_cannot_get_its_work_through_does_not_begin),
        T(a_wipe_that_was_cut_short_is_finished_when_the_store_is_opened),
        T(enrolling_a_wiped_store_starts_afresh),
        T(the_work_of_a_former_officer_is_sent_and_not_shown),
        T(every_exchange_moves_the_last_contact_and_no_replay_does),
        T(the_number_of_a_request_survives_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
