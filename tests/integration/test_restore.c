/* Registries restored from a backup: what was submitted reaches the registry all the same, and what
 * was seen counts as seen. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bounds.h"
#include "kinds.h"
#include "records.pb-c.h"
#include "restored.h"
static void what_was_acknowledged_after_the_backup_is_sent_again(void **state)
{
    struct world *w = *state;
    struct ocop_id before = world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_backup(w);
    struct ocop_id after = world_inspect(w, 0, "fail");
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
    world_restore(w);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
    assert_int_equal(state_of(w, 0, before), OCOP_ACCEPTED);
    assert_int_equal(state_of(w, 0, after), OCOP_ACCEPTED);
    struct ocop_sync_summary s = world_sync(w, 1);
    assert_int_equal(s.departed, 0);
    assert_string_equal(world_value(w, "inspection", after, "conclusion"), "\"fail\"");
}

/* Device 0 saw the value before the backup; that the registry was restored since makes its edit no
 * contradiction. `told`: the device has heard of the new lineage before it seals the edit. */
static void edited_over_a_restore(struct world *w, bool told)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_backup(w);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    assert_int_equal(ocop_load(w->stores[0], &id, &m, &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[0], &m, "conclusion=fail", &err), OCOP_OK);
    assert_int_equal(ocop_save(w->stores[0], m, &err), OCOP_OK);
    ocop_free(m);
    world_restore(w);
    if (told)
        world_sync(w, 0);
    assert_int_equal(ocop_submit_draft(w->stores[0], &id, "xem lại", &err), OCOP_OK);
    struct ocop_sync_summary s = world_sync(w, 0);
    assert_int_equal(s.in_case, 0);
    assert_int_equal(s.applied, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
}

static void a_sealed_edit_of_what_the_backup_holds_opens_no_case(void **state)
{
    edited_over_a_restore(*state, false);
}

static void an_unsealed_edit_of_what_the_backup_holds_opens_no_case(void **state)
{
    edited_over_a_restore(*state, true);
}

/* What device 0 had seen is gone, and another value stands where it was: that it has not seen. */
static void an_edit_made_on_what_the_backup_lacks_opens_a_case(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_backup(w);
    for (int i = 0; i < 5; i++) { /* the lost history is longer than the new one */
        world_inspect(w, 0, "pass");
        world_sync(w, 0);
    }
    world_amend(w, 1, id, "score=1");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 0, id, "conclusion=fail");
    world_restore(w);
    world_amend(w, 1, id, "conclusion=conditional");
    world_sync(w, 1);
    struct ocop_sync_summary s = world_sync(w, 0);
    assert_int_equal(s.in_case, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE base = '\"pass\"' AND"
                                    " theirs = '\"conditional\"' AND mine = '\"fail\"'"),
                     1);
}

/* Put back by hand, the registry is of the same lineage; but it lacks what the devices have seen.
 */
static void a_file_that_was_put_back_by_hand_is_noticed(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    char command[640], path[128];
    world_backup(w);
    struct ocop_id gone = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_close_registry(w);
    snprintf(path, sizeof path, "%s/registry.db", w->dir);
    snprintf(command, sizeof command, "rm %s*-wal %s*-shm 2>/dev/null; cp %s/backup.db %s", path,
             path, w->dir, path);
    assert_int_equal(system(command), 0);
    assert_int_equal(registry_open(path, false, env_system(), NULL, &w->registry, &err), OCOP_OK);
    struct ocop_sync_summary s = world_sync(w, 0);
    assert_int_equal(s.departed, 1);
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[0], &gone, &status, NULL), OCOP_ENOTFOUND);
    world_sync(w, 1); /* who made it sends it again, and so it comes back */
    world_sync(w, 0);
    assert_int_equal(state_of(w, 0, gone), OCOP_ACCEPTED);
}

static void a_set_that_does_not_continue_the_chain_is_no_loss(void **state)
{
    struct world *w = *state;
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_copy(w, 0, 2);
    world_backup(w);
    world_inspect(w, 2, "conditional");
    world_sync(w, 2);
    world_restore(w);
    world_inspect(w, 0, "fail");
    world_sync(w, 0);
    world_inspect(w, 2, "pass");
    world_sync(w, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 4);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause <> 3"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE predecessor_seq = 1"), 1);
}

static void import_anything(struct world *w)
{
    struct id id = id_next(&w->registry->ids, w->registry->env);
    struct field f[] = {{2, FIELD_SET, VALUE_BYTES, {NULL, 0}, 0, id_span(&w->commune), 0},
                        {10, FIELD_SET, VALUE_BYTES, {NULL, 0}, 0, span_str("HTX"), 0},
                        {11, FIELD_SET, VALUE_BYTES, {NULL, 0}, 0, span_str("cooperative"), 0}};
    struct change c = {.kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = id, .fields = {f, 3}};
    world_import(w, &c, 1);
}

/* What is sent again was based on versions that mean something else now: its base is where the two
 * histories parted, and what came since is unseen. */
static void what_is_sent_again_overwrites_nothing_that_it_had_not_seen(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_copy(w, 0, 2);
    world_backup(w);
    for (int i = 0; i < 9; i++)
        import_anything(w); /* nobody sends it again: the lost history is longer than the new one */
    world_amend(w, 1, id, "score=1");
    world_sync(w, 1);
    world_sync(w, 2);
    world_amend(w, 2, id, "conclusion=conditional");
    world_sync(w, 2);
    world_restore(w);
    world_inspect(w, 0, "pass"); /* takes the number of the set that was lost */
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=fail");
    world_sync(w, 1);
    for (int i = 0; i < 12; i++)
        import_anything(w); /* and now it is the shorter one */
    world_sync(w, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause = 1 AND"
                                    " theirs = '\"fail\"' AND mine = '\"conditional\"'"),
                     1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
}

/* An edit of the officer's own, made and sent before, is no news to the officer: a case shows what
 * was seen last, not what was pulled last. */
static void a_case_shows_as_base_what_the_officer_saw_last(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_amend(w, 1, id, "conclusion=fail");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 0, id, "conclusion=conditional");
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=pass");
    struct ocop_sync_summary s = world_sync(w, 1);
    assert_int_equal(s.in_case, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE base = '\"fail\"' AND"
                                    " theirs = '\"conditional\"' AND mine = '\"pass\"'"),
                     1);
}

/* One change of the lost set was refused and stands in the outbox; the other was settled. Both are
 * judged again, or the log would have no trace of the first: its officer holds the role this time.
 */
static void a_lost_set_comes_back_whole(void **state)
{
    struct world *w = *state;
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_copy(w, 1, 2);
    world_backup(w);
    struct ocop_id refused = world_inspect(w, 2, "conditional");
    struct ocop_id taken = check_environment(w, 2);
    inspector(w, 1, false);
    world_sync(w, 2);
    assert_int_equal(state_of(w, 2, refused), OCOP_REFUSED);
    assert_int_equal(state_of(w, 2, taken), OCOP_ACCEPTED);
    world_restore(w);
    world_inspect(w, 1, "fail"); /* takes the number of the lost set */
    world_sync(w, 1);
    world_sync(w, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM environmental_check"), 1);
    assert_int_equal(state_of(w, 2, taken), OCOP_ACCEPTED);
    assert_int_equal(state_of(w, 2, refused),
                     OCOP_IN_CASE); /* its paper number is the copy's too */
    assert_string_equal(world_value(w, "inspection", refused, "conclusion"), "\"conditional\"");
}

static void what_comes_back_comes_before_what_was_submitted_later(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_copy(w, 0, 2);
    world_backup(w);
    world_amend(w, 2, id, "score=11");
    world_sync(w, 2);
    world_amend(w, 2, id, "score=22"); /* not sent yet */
    world_restore(w);
    world_inspect(w, 0, "fail");
    world_sync(w, 0);
    world_sync(w, 2);
    assert_string_equal(world_value(w, "inspection", id, "score"), "22");
}

static void a_sealed_edit_of_a_lost_history_overwrites_nothing_either(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_copy(w, 0, 2);
    world_backup(w);
    for (int i = 0; i < 9; i++)
        import_anything(w);
    world_amend(w, 1, id, "score=1");
    world_sync(w, 1);
    world_sync(w, 2);
    world_amend(w, 2, id, "conclusion=conditional");
    w->links[2].drop_request = 1; /* sealed, and never arrived */
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, NULL), OCOP_ETIMEOUT);
    world_restore(w);
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=fail");
    world_sync(w, 1);
    for (int i = 0; i < 12; i++)
        import_anything(w);
    world_sync(w, 2);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause = 1"), 1);
}

/* The restored registry does not know the role that the officer had been given since. */
static void what_a_restored_registry_refuses_is_said_to_be_refused(void **state)
{
    struct world *w = *state;
    inspector(w, 1, false);
    world_backup(w);
    inspector(w, 1, true);
    world_sync(w, 1);
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
    world_restore(w);
    struct ocop_sync_summary s = world_sync(w, 1);
    assert_int_equal(s.refused, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    assert_int_equal(state_of(w, 1, id), OCOP_REFUSED);
}

static void
what_was_refused_before_a_restore_and_is_taken_after_it_is_said_to_be_taken(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_amend(w, 1, id, "score=85");
    inspector(w, 1, false);
    world_backup(w);
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, id), OCOP_REFUSED);
    world_restore(w);
    inspector(w, 1, true);
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
    assert_string_equal(world_value(w, "inspection", id, "score"), "85");
}

/* The wrong backup was restored first, and what the device learned until the right one was is lost
 * with it: its sets are in both. */
static void what_an_older_backup_took_and_a_later_one_refuses_is_said_to_be_refused(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    backup_as(w, "older.db");
    inspector(w, 1, false);
    world_sync(w, 1);
    backup_as(w, "later.db");
    restore_from(w, "older.db");
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
    restore_from(w, "later.db");
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, id), OCOP_REFUSED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
}

/* More sets than one request holds: the last were not acknowledged by the wrong one when the right
 * one took its place, and stand above what is to be asked about again. */
static void what_is_to_be_judged_again_may_stand_below_what_was_not_acknowledged(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    struct ocop_id id = world_inspect(w, 1, "pass");
    backup_as(w, "older.db");
    inspector(w, 1, false);
    for (unsigned i = 0; i < REQUEST_SETS_MAX + 2; i++) {
        world_sync(w, 1);
        (void)check_environment(w, 1);
    }
    world_sync(w, 1);
    backup_as(w, "later.db");
    restore_from(w, "older.db");
    must(ocop_sync(w->stores[1], &(struct ocop_sync_options){.max_round_trips = 2}, &sum, &err),
         &err);
    assert_false(sum.complete);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
    restore_from(w, "later.db");
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, id), OCOP_REFUSED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM environmental_check"),
                     REQUEST_SETS_MAX + 2);
}

/* The new keys that the later backup has since no set, the older one took behind a set. */
static void what_was_sealed_before_the_keys_came_is_sealed_again_where_they_came_first(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_store_status now;
    backup_as(w, "older.db");
    must(ocop_rekey_device(w->stores[1], &err), &err);
    w->links[1].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_ETIMEOUT);
    world_relink(w, 1, &w->links[1].link);
    backup_as(w, "later.db");
    restore_from(w, "older.db");
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 1);
    must(ocop_store_status(w->stores[1], &now, &err), &err);
    assert_false(now.rekeying);
    restore_from(w, "later.db");
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

static const char *invite(struct world *w, unsigned officer)
{
    struct ocop_error err = {0};
    const char *code;
    struct invitation_terms terms = {.officer = w->officers[officer],
                                     .scope = &w->commune,
                                     .scope_count = 1,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = env_now_ms(env_system()) + 60000};
    assert_int_equal(registry_begin(w->registry, &err), OCOP_OK);
    assert_int_equal(invite_make(w->registry, &w->keys, &terms, &w->arena, &code, &err), OCOP_OK);
    assert_int_equal(registry_commit(w->registry, &err), OCOP_OK);
    return code;
}

/* As if it were of a time before certificates, or the one that it has had expired. */
static void forget_certificate(struct world *w, unsigned n)
{
    sqlite3 *db;
    char path[128];
    snprintf(path, sizeof path, "%s/%u.ocop", w->dir, n);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "DELETE FROM meta WHERE key LIKE 'certificate%'", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void a_device_without_a_certificate_is_enrolled_again_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    world_copy(w, 0, 2); /* any file will do: it is replaced by a fresh store of officer 1 */
    ocop_close(w->stores[2]);
    w->stores[2] = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/2.ocop", w->dir);
    unlink(path);
    world_backup(w);
    struct ocop_options options = {.link = &w->links[2]};
    assert_int_equal(ocop_open(path, &options, &w->stores[2], &err), OCOP_OK);
    assert_int_equal(ocop_enrol(w->stores[2], invite(w, 1), NULL, &err), OCOP_OK);
    world_sync(w, 2);
    struct ocop_id sent = world_inspect(w, 2, "pass");
    world_sync(w, 2);
    world_restore(w);
    struct ocop_id unsent = world_inspect(w, 2, "fail");
    forget_certificate(w, 2);
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, &err), OCOP_ENOTENROLLED);
    assert_int_equal(ocop_enrol(w->stores[2], invite(w, 0), NULL, &err), OCOP_ESTATE);
    assert_int_equal(ocop_enrol(w->stores[2], invite(w, 1), NULL, &err), OCOP_EAUTH);
    world_restore(w); /* as if the wrong invitation had not been taken */
    assert_int_equal(ocop_enrol(w->stores[2], invite(w, 1), NULL, &err), OCOP_OK);
    world_sync(w, 2);
    assert_string_equal(world_value(w, "inspection", sent, "conclusion"), "\"pass\"");
    assert_string_equal(world_value(w, "inspection", unsent, "conclusion"), "\"fail\"");
}

static void a_case_of_a_lost_history_does_not_stay_for_ever(void **state)
{
    struct world *w = *state;
    struct ocop_record_status *status;
    unsigned open = 0;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_backup(w);
    world_amend(w, 1, id, "conclusion=fail");
    world_amend(w, 0, id, "conclusion=conditional");
    world_sync(w, 0);
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, id), OCOP_IN_CASE);
    world_restore(w);
    world_sync(w, 1);
    world_sync(w, 0);
    world_sync(w, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE closed_version IS NULL"), 1);
    assert_int_equal(ocop_record_status(w->stores[1], &id, &status, NULL), OCOP_OK);
    for (size_t i = 0; i < status->case_count; i++)
        open += !status->cases[i].closed;
    ocop_record_status_free(status);
    assert_int_equal(open, 1);
}

/* Device 2 notes something of a producer of device 1 that the backup does not hold; after the
 * restore its note comes first, and waits. `mine`: device 1 has a note of its own under way. */
static struct ocop_id noted_over_a_restore(struct world *w, bool mine)
{
    world_enrol(w, 2);
    world_backup(w);
    struct ocop_id id = world_producer(w, 1, "HTX Mới");
    world_sync(w, 1);
    world_sync(w, 2);
    world_amend(w, 2, id, "notes=của máy 2");
    world_sync(w, 2);
    if (mine)
        world_amend(w, 1, id, "notes=của máy 1");
    world_restore(w);
    world_sync(w, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM waiting"), 1);
    return id;
}

static void a_change_that_waited_reaches_the_device_that_made_the_record(void **state)
{
    struct world *w = *state;
    struct ocop_id id = noted_over_a_restore(w, false);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "producer", id, "notes"), "\"của máy 2\"");
    ProtobufCMessage *m = NULL;
    char *json;
    assert_int_equal(ocop_load(w->stores[1], &id, &m, NULL), OCOP_OK);
    assert_int_equal(ocop_to_json(m, false, &json, NULL), OCOP_OK);
    assert_non_null(strstr(json, "của máy 2"));
    ocop_text_free(json);
    ocop_free(m);
}

static void a_change_that_waited_is_not_overwritten_by_who_made_the_record(void **state)
{
    struct world *w = *state;
    struct ocop_id id = noted_over_a_restore(w, true);
    struct ocop_sync_summary s = world_sync(w, 1);
    assert_int_equal(s.in_case, 1);
    assert_string_equal(world_value(w, "producer", id, "notes"), "\"của máy 2\"");
}

/* The second restore starts from the backup of the first, and knows of the lineage between only by
 * what the file that it replaces says. */
static void an_edit_sealed_between_two_restores_of_one_backup_opens_no_case(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_backup(w);
    world_restore(w);
    world_sync(w, 0);
    world_sync(w, 1);
    world_amend(w, 0, id, "conclusion=fail"); /* seen in all three histories alike */
    w->links[0].drop_request = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_ETIMEOUT);
    world_restore(w);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT json_array_length(lineages) FROM registry"), 3);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
}

/* The case is of the other device's change, opened by the creation that this one sends. */
static void a_case_of_a_change_that_waited_reaches_the_device_that_made_the_record(void **state)
{
    struct world *w = *state;
    struct ocop_record_status *status;
    world_backup(w);
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 0, id, "conclusion=fail");
    world_restore(w);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM waiting"), 1);
    world_sync(w, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 1);
    assert_int_equal(ocop_record_status(w->stores[1], &id, &status, NULL), OCOP_OK);
    assert_int_equal(status->case_count, 1);
    ocop_record_status_free(status);
}

/* Nothing of the record will come from the registry before its author syncs. */
static void an_edit_of_a_record_that_the_restore_lost_is_shown(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    unsigned findings = 1;
    world_backup(w);
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=conditional");
    world_amend(w, 0, id, "conclusion=fail");
    world_sync(w, 1);
    assert_int_equal(world_sync(w, 0).in_case, 1);
    world_restore(w);
    world_sync(w, 0);
    assert_int_equal(ocop_check(w->stores[0], NULL, NULL, &findings, &err), OCOP_OK);
    assert_int_equal(findings, 0);
    assert_int_equal(ocop_load(w->stores[0], &id, &m, &err), OCOP_OK);
    assert_string_equal(((Ocop__Inspection *)m)->conclusion, "fail");
    ocop_free(m);
    world_sync(w, 1);
    world_sync(w, 0);
    assert_int_equal(ocop_check(w->stores[0], NULL, NULL, &findings, &err), OCOP_OK);
    assert_int_equal(findings, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

static void a_record_of_an_unknown_kind_that_the_restore_lost_leaves_the_device(void **state)
{
    struct world *w = *state;
    struct ocop_store_status before, after;
    struct id id = id_next(&w->registry->ids, w->registry->env);
    struct field v[] = {{.number = 2, .op = FIELD_SET, .type = VALUE_BYTES},
                        {.number = 12, .op = FIELD_SET, .type = VALUE_BYTES}};
    v[0].bytes = id_span(&w->commune);
    v[1].bytes = span_str("what a newer registry knows");
    struct change c = {.kind = 77, .verb = VERB_CREATE, .record = id, .fields = {v, 2}};
    world_sync(w, 0);
    assert_int_equal(ocop_store_status(w->stores[0], &before, NULL), OCOP_OK);
    world_backup(w);
    world_import(w, &c, 1);
    world_sync(w, 0);
    assert_int_equal(ocop_store_status(w->stores[0], &after, NULL), OCOP_OK);
    assert_int_equal(after.records, before.records + 1);
    world_restore(w);
    assert_int_equal(world_sync(w, 0).departed, 1);
    assert_int_equal(ocop_store_status(w->stores[0], &after, NULL), OCOP_OK);
    assert_int_equal(after.records, before.records);
}

static uint64_t moves(struct world *w, const struct id *record, uint64_t base,
                      const struct id *unit)
{
    struct field v = {.number = 2, .op = FIELD_SET, .type = VALUE_BYTES, .base = base};
    v.bytes = id_span(unit);
    struct change c = {.kind = KIND_PRODUCER, .verb = VERB_AMEND, .record = *record, .base = base};
    c.reason = span_str("chuyển xã");
    c.fields = (struct fields){&v, 1};
    return world_import(w, &c, 1);
}

/* In the backup the record lies outside the device's units; and the device has let it go since. */
static void an_edit_of_a_record_that_left_is_refused_and_no_damage(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id of;
    unsigned findings = 1;
    uint64_t version;
    assert_int_equal(registry_version(w->registry, &version, &err), OCOP_OK);
    version = moves(w, &w->producer, version, &w->other_commune);
    memcpy(of.b, w->producer.b, ID_LEN);
    world_backup(w);
    version = moves(w, &w->producer, version, &w->commune);
    world_sync(w, 0);
    world_amend(w, 0, of, "representative=An");
    world_sync(w, 0);
    moves(w, &w->producer, version, &w->other_commune);
    assert_int_equal(world_sync(w, 0).departed, 1);
    world_restore(w);
    assert_int_equal(world_sync(w, 0).refused, 1);
    assert_int_equal(state_of(w, 0, of), OCOP_REFUSED);
    assert_int_equal(ocop_check(w->stores[0], NULL, NULL, &findings, &err), OCOP_OK);
    assert_int_equal(findings, 0);
}

/* By now its device may have sealed the same changes anew; it sends what is missing when it has
 * read that the registry was restored. */
static void a_request_from_before_the_restore_brings_nothing(void **state)
{
    struct world *w = *state;
    struct buf request;
    world_backup(w);
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    buf_init(&request, FRAME_BYTES_MAX);
    buf_put(&request, w->links[0].last.p, w->links[0].last.len);
    world_restore(w);
    struct job job = {.frame = buf_span(&request)};
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_true(job.reply.len > 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
    buf_fini(&job.reply);
    buf_fini(&request);
}

static void a_registry_of_a_later_epoch_is_not_opened(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct registry *again;
    assert_int_equal(
        sqlite3_exec(w->registry->db, "UPDATE registry SET epoch = 2", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(registry_open(w->registry->path, false, w->registry->env, NULL, &again, &err),
                     OCOP_EVERSION);
    assert_null(again);
    assert_non_null(strstr(err.text, "epoch 2"));
    w->damaged = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, world_teardown)
        T(what_was_acknowledged_after_the_backup_is_sent_again),
        T(a_sealed_edit_of_what_the_backup_holds_opens_no_case),
        T(an_unsealed_edit_of_what_the_backup_holds_opens_no_case),
        T(an_edit_made_on_what_the_backup_lacks_opens_a_case),
        T(a_file_that_was_put_back_by_hand_is_noticed),
        T(a_set_that_does_not_continue_the_chain_is_no_loss),
        T(what_is_sent_again_overwrites_nothing_that_it_had_not_seen),
        T(a_case_shows_as_base_what_the_officer_saw_last),
        T(a_lost_set_comes_back_whole),
        T(what_comes_back_comes_before_what_was_submitted_later),
        T(a_sealed_edit_of_a_lost_history_overwrites_nothing_either),
        T(what_a_restored_registry_refuses_is_said_to_be_refused),
        T(what_was_refused_before_a_restore_and_is_taken_after_it_is_said_to_be_taken),
        T(what_an_older_backup_took_and_a_later_one_refuses_is_said_to_be_refused),
        T(what_is_to_be_judged_again_may_stand_below_what_was_not_acknowledged),
        T(what_was_sealed_before_the_keys_came_is_sealed_again_where_they_came_first),
        T(a_device_without_a_certificate_is_enrolled_again_and_loses_nothing),
        T(a_case_of_a_lost_history_does_not_stay_for_ever),
        T(a_change_that_waited_reaches_the_device_that_made_the_record),
        T(a_change_that_waited_is_not_overwritten_by_who_made_the_record),
        T(an_edit_sealed_between_two_restores_of_one_backup_opens_no_case),
        T(a_case_of_a_change_that_waited_reaches_the_device_that_made_the_record),
        T(an_edit_of_a_record_that_the_restore_lost_is_shown),
        T(a_record_of_an_unknown_kind_that_the_restore_lost_leaves_the_device),
        T(an_edit_of_a_record_that_left_is_refused_and_no_damage),
        T(a_request_from_before_the_restore_brings_nothing),
        T(a_registry_of_a_later_epoch_is_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
