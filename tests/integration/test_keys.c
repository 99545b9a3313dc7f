/* The registry's keys: new ones in the place of old ones without enrolling anyone again, and a root
 * that is kept elsewhere. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "evidence_make.h"
#include "frame.h"
#include "invitation.h"
#include "office.h"
#include "replay.h"
#include "store.h"
#include "world.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static void check_log(struct world *w, enum ocop_status want)
{
    struct replay_result result;
    struct ocop_error err = {0};
    enum ocop_status st = replay_check(w->registry, w->keys.root.public_key, &result, &err);
    if (st != want)
        fail_msg("%s: %s", err_name(st), err.text);
}

/* Which key of the server the device's last request was for. */
static size_t asked(struct world *w, unsigned n)
{
    uint8_t id[FRAME_KEY_ID_LEN];
    for (size_t i = 0; i < w->keys.channel_count; i++) {
        frame_key_id(w->keys.channel[i].public_key, id);
        if (memcmp(w->links[n].last.p + 1, id, sizeof id) == 0)
            return (size_t)w->keys.channel_paper[i].number;
    }
    fail_msg("the request was for no key that is here");
    return 0;
}

/* --- channel keys ------------------------------------------------------------------------------
 */

static void a_device_learns_the_new_key_of_the_server_and_keeps_to_it(void **state)
{
    struct world *w = *state;
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    assert_int_equal(world_sync(w, 0).round_trips, 1);
    assert_int_equal(asked(w, 0), 0);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 1);
    w->keys.channel_paper[1].until_ms = 1; /* the old one is over */
    struct ocop_id id = world_inspect(w, 0, "pass");
    world_sync(w, 0);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"pass\"");
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    keys_new_channel(&w->keys, env_system(), DAY_MS); /* one that this device never hears of */
    world_sync(w, 0);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 3);
}

static void a_key_is_accepted_for_its_time_and_no_longer(void **state)
{
    struct world *w = *state;
    int64_t now = env_now_ms(env_system());
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    assert_int_equal(keys_live(&w->keys, now), 2);
    assert_int_equal(keys_live(&w->keys, now + 2 * (int64_t)DAY_MS), 1);
    w->keys.channel_paper[1].until_ms = now - 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_EAUTH);
    /* An older key lives no longer than the one behind it, whatever it was promised. */
    w->keys.channel_paper[1].until_ms = now + 100 * (int64_t)DAY_MS;
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    assert_true(w->keys.channel_paper[2].until_ms < now + 2 * (int64_t)DAY_MS);
    for (int i = 0; i < 2 * SERVER_CHANNEL_KEYS_MAX; i++)
        keys_new_channel(&w->keys, env_system(), DAY_MS);
    assert_int_equal(w->keys.channel_count, SERVER_CHANNEL_KEYS_MAX);
    assert_int_equal(w->keys.channel_paper[0].number, 2 + 2 * SERVER_CHANNEL_KEYS_MAX);
}

/* Who stole an old key and has the line cannot bring the device back to it, nor to one of its own.
 */
static void a_device_takes_no_key_that_is_older_or_not_the_roots(void **state)
{
    struct world *w = *state;
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    world_sync(w, 0);
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    world_sync(w, 0);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 2);
    struct server_keys good = w->keys;
    w->keys.channel[0] = good.channel[1]; /* "the newest is the old one" */
    w->keys.channel_paper[0] = good.channel_paper[1];
    w->keys.channel[1] = good.channel[0];
    w->keys.channel_paper[1] = good.channel_paper[0];
    world_sync(w, 0);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 2);
    w->keys = good;
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    w->keys.channel_paper[0].signature[7] ^= 1;
    world_sync(w, 0);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 2);
    w->keys.channel_paper[0].signature[7] ^= 1;
    w->keys.channel_paper[0].number++; /* signed under another number */
    world_sync(w, 0);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 2);
}

/* An invitation printed before the key was changed brings nobody back to it. */
static void an_old_invitation_brings_no_device_back_to_an_old_key(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    const char *code;
    struct invitation_terms terms = {.officer = w->officers[0],
                                     .scope = &w->commune,
                                     .scope_count = 1,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = env_now_ms(env_system()) + DAY_MS};
    assert_int_equal(registry_begin(w->registry, &err), OCOP_OK);
    assert_int_equal(invite_make(w->registry, &w->keys, &terms, &w->arena, &code, &err), OCOP_OK);
    assert_int_equal(registry_commit(w->registry, &err), OCOP_OK);
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    world_sync(w, 0);
    assert_int_equal(ocop_enrol(w->stores[0], code, NULL, &err), OCOP_OK);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 1);
    world_enrol(w, 1); /* and one made now names the new one */
    assert_int_equal(asked(w, 1), 1);
}

/* --- the root elsewhere ------------------------------------------------------------------------
 */

static void the_registry_goes_on_without_its_root(void **state)
{
    struct world *w = *state;
    keys_detach(&w->keys, env_system());
    assert_false(w->keys.has_root);
    static const uint8_t none[SIGN_SECRET_LEN];
    assert_memory_equal(w->keys.root.secret, none, sizeof none);
    world_enrol(w, 1);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    check_log(w, OCOP_OK);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE replica_type = 'registry'"
                                    " AND json_array_length(sign_keys) = 1"),
                     1);
    keys_new_sign(&w->keys, env_system()); /* without the root it waits */
    assert_int_equal(w->keys.next_sign_number, 2);
    assert_int_equal(w->keys.sign_paper.number, 1);
}

static void what_the_root_did_not_sign_is_found_in_the_log(void **state)
{
    struct world *w = *state;
    keys_detach(&w->keys, env_system());
    w->keys.sign_paper.signature[3] ^= 1;
    world_enrol(w, 1);
    check_log(w, OCOP_EDAMAGED);
}

/* The root was moved away after the backup: the restored log does not know the key that is used. */
static void a_registry_of_before_takes_the_key_of_today(void **state)
{
    struct world *w = *state;
    char path[160];
    struct ocop_error err = {0};
    world_backup(w);
    keys_detach(&w->keys, env_system());
    snprintf(path, sizeof path, "%s/registry.db.keys", w->dir);
    assert_int_equal(keys_save(path, &w->keys, &err), OCOP_OK);
    world_enrol(w, 1);
    world_restore(w);
    world_sync(w, 1); /* by a certificate that this key signed */
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    check_log(w, OCOP_OK);
}

static void what_an_earlier_key_signed_stands(void **state)
{
    struct world *w = *state;
    char path[160];
    struct ocop_error err = {0};
    keys_new_sign(&w->keys, env_system());
    world_backup(w);
    world_enrol(w, 1); /* its certificate is signed by the first key of the registry's own */
    keys_new_sign(&w->keys, env_system());
    keys_detach(&w->keys, env_system());
    assert_int_equal(w->keys.retired_count, 1);
    snprintf(path, sizeof path, "%s/registry.db.keys", w->dir);
    assert_int_equal(keys_save(path, &w->keys, &err), OCOP_OK);
    world_restore(w);
    world_sync(w, 1);
    world_sync(w, 0);
    check_log(w, OCOP_OK);
}

static void the_root_signs_on_another_machine(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct buf request, answer;
    struct sign_key root = w->keys.root, other;
    keys_detach(&w->keys, env_system());
    buf_init(&request, KEYS_TEXT_MAX);
    buf_init(&answer, KEYS_TEXT_MAX);
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    assert_int_equal(w->keys.channel_count, 1); /* nothing has changed yet */
    world_sync(w, 0);
    keys_request(&w->keys, &request);
    sign_key_new(&other, env_system());
    assert_int_equal(keys_answer(&other, buf_cstr(&request), &answer, &err), OCOP_OK);
    assert_int_equal(keys_install(&w->keys, env_system(), buf_cstr(&answer), DAY_MS, &err),
                     OCOP_EAUTH);
    buf_clear(&answer);
    assert_int_equal(keys_answer(&root, buf_cstr(&request), &answer, &err), OCOP_OK);
    assert_int_equal(keys_install(&w->keys, env_system(), "ocop-key channel 1 00", DAY_MS, &err),
                     OCOP_EINVAL);
    assert_int_equal(keys_install(&w->keys, env_system(), buf_cstr(&answer), DAY_MS, &err),
                     OCOP_OK);
    assert_int_equal(keys_install(&w->keys, env_system(), buf_cstr(&answer), DAY_MS, &err),
                     OCOP_EINVAL); /* once */
    world_sync(w, 0);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 1);
    buf_fini(&request);
    buf_fini(&answer);
}

static void the_file_of_keys_is_read_back_as_it_was_written(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct server_keys read;
    struct sign_key root;
    struct stat info;
    char path[160], root_path[160];
    snprintf(path, sizeof path, "%s/k", w->dir);
    snprintf(root_path, sizeof root_path, "%s/r", w->dir);
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    keys_new_sign(&w->keys, env_system());
    keys_new_sign(&w->keys, env_system());
    assert_int_equal(keys_save_root(root_path, &w->keys, &err), OCOP_OK);
    assert_int_equal(keys_save_root(root_path, &w->keys, &err), OCOP_ESTATE);
    assert_int_equal(keys_load_root(root_path, &root, &err), OCOP_OK);
    assert_memory_equal(&root, &w->keys.root, sizeof root);
    keys_detach(&w->keys, env_system());
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    keys_new_sign(&w->keys, env_system());
    assert_int_equal(keys_save(path, &w->keys, &err), OCOP_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    if (keys_load(path, &read, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    assert_memory_equal(&read, &w->keys, sizeof read);
    assert_int_equal(keys_load_root(path, &root, &err), OCOP_EDAMAGED);
    /* A key that the root has not signed makes the file one that is not believed. */
    w->keys.channel_paper[0].signature[0] ^= 1;
    assert_int_equal(keys_save(path, &w->keys, &err), OCOP_OK);
    assert_int_equal(keys_load(path, &read, &err), OCOP_EDAMAGED);
    w->keys.channel_paper[0].signature[0] ^= 1;
}

/* "root SEED" and "channel SECRET", as such files were at first. */
static void a_key_file_of_before_goes_on_working(void **state)
{
    struct world *w = *state;
    char path[160], command[400];
    struct server_keys read;
    struct ocop_error err = {0};
    snprintf(path, sizeof path, "%s/registry.db.keys", w->dir);
    snprintf(command, sizeof command, "sed -i 's/^\\(channel [0-9a-f]*\\).*/\\1/' %s", path);
    assert_int_equal(system(command), 0);
    assert_int_equal(keys_load(path, &read, &err), OCOP_OK);
    assert_memory_equal(&read, &w->keys, sizeof read);
}

/* --- another root --------------------------------------------------------------------------------
 */

/* As `ocopd keys next-root` and `take-root` do. `known`: the log is told at once. */
static void take_root(struct world *w, const struct sign_key *before)
{
    static unsigned made;
    struct ocop_error err = {0};
    char path[160];
    snprintf(path, sizeof path, "%s/root%u", w->dir, made++);
    if (keys_next_root(&w->keys, env_system(), before, path, &err) != OCOP_OK ||
        keys_take_root(&w->keys, env_system(), path, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    snprintf(path, sizeof path, "%s/registry.db.keys", w->dir);
    assert_int_equal(keys_save(path, &w->keys, &err), OCOP_OK);
}

static void trusts(struct world *w, unsigned n, const uint8_t root[SIGN_PUBLIC_LEN])
{
    struct span pinned;
    assert_int_equal(store_meta(w->stores[n], "root_key", &w->arena, &pinned, NULL), OCOP_OK);
    assert_int_equal(pinned.len, SIGN_PUBLIC_LEN);
    assert_memory_equal(pinned.p, root, SIGN_PUBLIC_LEN);
}

static void devices_trust_the_root_that_took_the_place_of_theirs(void **state)
{
    struct world *w = *state;
    struct server_keys first = w->keys;
    world_enrol(w, 1);
    take_root(w, &w->keys.root);
    keys_new_channel(&w->keys, env_system(), DAY_MS); /* signed by the new one */
    assert_int_equal(world_sync(w, 0).round_trips, 1);
    trusts(w, 0, w->keys.root.public_key);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 1);
    take_root(w, &w->keys.root);
    world_sync(w, 1); /* which was away for two of them */
    trusts(w, 1, w->keys.root.public_key);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_enrol(w, 2); /* by an invitation that names it */
    trusts(w, 2, w->keys.root.public_key);
    check_log(w, OCOP_OK);
    struct replay_result result;
    for (size_t i = 0; i < w->keys.roots.count; i++) /* whichever of them is known */
        assert_int_equal(replay_check(w->registry, w->keys.roots.key[i], &result, NULL), OCOP_OK);
    assert_memory_equal(w->keys.roots.key[0], first.root.public_key, SIGN_PUBLIC_LEN);
    assert_int_equal(replay_check(w->registry, w->keys.channel[0].public_key, &result, NULL),
                     OCOP_EDAMAGED);
}

static void a_device_trusts_no_root_that_its_own_did_not_sign(void **state)
{
    struct world *w = *state;
    const struct sign_key first = w->keys.root;
    take_root(w, &w->keys.root);
    take_root(w, &w->keys.root);
    keys_new_channel(&w->keys, env_system(), DAY_MS);
    struct server_keys good = w->keys;
    w->keys.root_signature[1][3] ^= 1;
    world_sync(w, 0);
    trusts(w, 0, first.public_key);
    w->keys = good;
    w->keys.root_signature[2][3] ^= 1; /* as far as they hold */
    world_sync(w, 0);
    trusts(w, 0, good.roots.key[1]);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 0); /* and no key of the one that does not */
    w->keys = good;
    world_sync(w, 0);
    trusts(w, 0, good.roots.key[2]);
    world_sync(w, 0);
    assert_int_equal(asked(w, 0), 1);
}

static void only_the_present_root_makes_the_next(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    const struct sign_key first = w->keys.root;
    struct server_keys copy = w->keys, read;
    struct sign_key other;
    char path[160];
    snprintf(path, sizeof path, "%s/next", w->dir);
    sign_key_new(&other, env_system());
    assert_int_equal(keys_next_root(&w->keys, env_system(), &other, path, &err), OCOP_EAUTH);
    assert_int_equal(keys_next_root(&w->keys, env_system(), &first, path, &err), OCOP_OK);
    assert_int_equal(keys_next_root(&w->keys, env_system(), &first, path, &err), OCOP_ESTATE);
    assert_int_equal(keys_take_root(&w->keys, env_system(), path, &err), OCOP_OK);
    assert_int_equal(keys_take_root(&w->keys, env_system(), path, &err), OCOP_EAUTH);
    snprintf(path, sizeof path, "%s/late", w->dir);
    assert_int_equal(keys_next_root(&w->keys, env_system(), &first, path, &err), OCOP_EAUTH);
    assert_int_equal(keys_next_root(&copy, env_system(), &first, path, &err), OCOP_OK);
    assert_int_equal(keys_take_root(&w->keys, env_system(), path, &err), OCOP_EAUTH);
    snprintf(path, sizeof path, "%s/registry.db.keys", w->dir);
    assert_int_equal(keys_save(path, &w->keys, &err), OCOP_OK);
    assert_int_equal(keys_load(path, &read, &err), OCOP_OK);
    assert_memory_equal(&read, &w->keys, sizeof read);
    w->keys.root_signature[1][0] ^= 1;
    assert_int_equal(keys_save(path, &w->keys, &err), OCOP_OK);
    assert_int_equal(keys_load(path, &read, &err), OCOP_EDAMAGED);
    w->keys.root_signature[1][0] ^= 1;
}

/* The root was lost, or is kept elsewhere: one that it signed in time is enough. */
static void a_root_made_in_time_takes_the_place_of_one_that_is_lost(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    char next[160];
    static const uint8_t none[SIGN_SECRET_LEN];
    snprintf(next, sizeof next, "%s/next", w->dir);
    assert_int_equal(keys_next_root(&w->keys, env_system(), &w->keys.root, next, &err), OCOP_OK);
    keys_detach(&w->keys, env_system());
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    assert_int_equal(keys_take_root(&w->keys, env_system(), next, &err), OCOP_OK);
    assert_false(w->keys.has_root);
    assert_memory_equal(w->keys.root.secret, none, sizeof none);
    world_enrol(w, 1);
    world_sync(w, 0);
    trusts(w, 0, w->keys.root.public_key);
    trusts(w, 1, w->keys.root.public_key);
    check_log(w, OCOP_OK);
}

/* What the first root signed of a device is not believed any more, but of devices that were heard
 * of since another has. */
static void a_certificate_of_a_root_of_before_is_worth_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    world_backup(w);
    world_enrol(w, 1);
    world_enrol(w, 2);
    take_root(w, &w->keys.root);
    world_sync(w, 1);
    world_restore(w);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_inspect(w, 2, "pass");
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, &err), OCOP_EAUTH);
    check_log(w, OCOP_OK); /* which names the new root again */
}

static void an_invitation_goes_by_the_root_of_its_day(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    const char *old, *code;
    struct invitation_terms terms = {.officer = w->officers[0],
                                     .scope = &w->commune,
                                     .scope_count = 1,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = env_now_ms(env_system()) + DAY_MS};
    assert_int_equal(invite_make(w->registry, &w->keys, &terms, &w->arena, &old, &err), OCOP_OK);
    take_root(w, &w->keys.root);
    struct server_keys good = w->keys;
    w->keys.root_signature[1][5] ^= 1;
    assert_int_equal(invite_make(w->registry, &w->keys, &terms, &w->arena, &code, &err), OCOP_OK);
    /* A store that trusts the first root takes it when that root signed the second. */
    assert_int_equal(ocop_enrol(w->stores[0], code, NULL, &err), OCOP_ESTATE);
    w->keys = good;
    assert_int_equal(ocop_enrol(w->stores[0], code, NULL, &err), OCOP_OK);
    trusts(w, 0, w->keys.root.public_key);
    assert_int_equal(ocop_enrol(w->stores[0], old, NULL, &err), OCOP_ESTATE);
    trusts(w, 0, w->keys.root.public_key);
    world_sync(w, 0);
}

static void a_root_that_the_one_before_did_not_sign_makes_the_log_false(void **state)
{
    struct world *w = *state;
    take_root(w, &w->keys.root);
    w->keys.root_signature[1][3] ^= 1;
    world_enrol(w, 1);
    check_log(w, OCOP_EDAMAGED);
}

/* The bundle of a record with sets from before and after; checked by either root's key. */
static void evidence_holds_by_the_root_of_before_and_by_that_of_today(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_evidence out;
    const struct sign_key first = w->keys.root;
    char *story, *file;
    size_t len;
    struct ocop_id id = world_inspect(w, 0, "pass");
    struct id record;
    memcpy(record.b, id.b, ID_LEN);
    world_sync(w, 0);
    take_root(w, &w->keys.root);
    keys_new_sign(&w->keys, env_system());
    world_enrol(w, 1);
    world_amend(w, 0, id, "conclusion=fail");
    world_sync(w, 0);
    for (int by = 0; by < 2; by++) { /* the second as a thief of the first root would make it */
        const struct sign_key *root = by == 0 ? &w->keys.root : &first;
        FILE *f = open_memstream(&file, &len);
        if (evidence_export(w->registry, root, &record, NULL, f, &err) != OCOP_OK)
            fail_msg("%s", err.text);
        assert_int_equal(fclose(f), 0);
        enum ocop_status st =
            ocop_verify_evidence(file, len, first.public_key, false, &story, &out, &err);
        assert_int_equal(st, OCOP_OK);
        if (!out.holds)
            fail_msg("%s", story);
        free(story);
        st = ocop_verify_evidence(file, len, w->keys.root.public_key, false, &story, &out, &err);
        assert_int_equal(st, by == 0 ? OCOP_OK : OCOP_EAUTH);
        free(story);
        free(file);
    }
}

static void the_office_puts_another_root_in_place(void **state)
{
    struct office *o = calloc(1, sizeof *o);
    char root[PROCESS_PATH_MAX], next[PROCESS_PATH_MAX], file[PROCESS_PATH_MAX], key[2][65], id[40];
    (void)state;
    office_open(o);
    office_serve(o, NULL, NULL);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    office_expect(o, 0, OFFICE(o, "export", "root-key"), "");
    snprintf(key[0], sizeof key[0], "%.64s", o->out);
    office_path(o, "root.key", root);
    office_path(o, "next.key", next);
    office_path(o, "evidence", file);
    office_expect(o, 0, OFFICE(o, "keys", "detach", "--root", root), "kept elsewhere");
    office_expect(o, 1, OFFICE(o, "keys", "next-root", next), "");
    office_expect(o, 0, OFFICE(o, "keys", "next-root", next, "--root", root), "");
    office_expect(o, 0, OFFICE(o, "keys", "take-root", next), "kept elsewhere\tnumber 1");
    office_expect(o, 0, OFFICE(o, "keys", "rotate", "--root", next), "number 1\tin use");
    office_record(o, "an", "inspection", 0, "x", id);
    office_expect(o, 0, DEVICE(o, "an", "sync"), "");
    office_expect(o, 0, DEVICE(o, "an", "sync"), "");
    office_expect(o, 0, OFFICE(o, "export", "root-key"), "");
    snprintf(key[1], sizeof key[1], "%.64s", o->out);
    assert_string_not_equal(key[0], key[1]);
    office_expect(o, 0, OFFICE(o, "export", "evidence", id, "--out", file, "--root", next), "");
    for (int i = 0; i < 2; i++)
        office_expect(o, 0, DEVICE(o, "an", "verify-evidence", file, "--root-key", key[i]), "");
    office_stop(o);
    office_expect(o, 0, OFFICE(o, "verify"), "signatures hold");
    office_close(o);
    free(o);
}

/* --- the program -------------------------------------------------------------------------------
 */

static void a_server_takes_new_keys_while_it_runs(void **state)
{
    struct office *o = calloc(1, sizeof *o);
    char root[PROCESS_PATH_MAX], file[PROCESS_PATH_MAX], id[40];
    (void)state;
    office_open(o);
    office_serve(o, NULL, NULL);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    office_path(o, "root.key", root);
    office_expect(o, 0, OFFICE(o, "keys", "detach", "--root", root), "kept elsewhere");
    office_expect(o, 0, OFFICE(o, "keys", "rotate"), "waits for the root");
    char line[400], answer[600];
    assert_non_null(strstr(o->out, "ocop-key channel 1 "));
    snprintf(line, sizeof line, "%.*s", (int)strcspn(strstr(o->out, "ocop-key"), "\n"),
             strstr(o->out, "ocop-key"));
    office_expect(o, 0, OFFICE(o, "keys", "sign", line, "--root", root), "ocop-key channel 1 ");
    snprintf(answer, sizeof answer, "%.*s", (int)strcspn(o->out, "\n"), o->out);
    office_expect(o, 0, OFFICE(o, "keys", "install", answer, "--keep", "1"), "accepted until");
    office_expect(o, 0, DEVICE(o, "an", "sync"), "");
    office_expect(o, 0, OFFICE(o, "keys", "rotate", "--root", root), "number 2\tin use");
    office_expect(o, 0, OFFICE(o, "keys", "rotate-sign", "--root", root), "number 2\n");
    office_expect(o, 0, DEVICE(o, "an", "sync"), "");
    office_expect(o, 0, DEVICE(o, "an", "sync"), "");
    office_expect(o, 0, OFFICE(o, "suspend", "1", "--reason", "x"), "suspended device 1");
    office_expect(o, 8, DEVICE(o, "an", "sync"), "suspended");
    office_expect(o, 0, DEVICE(o, "an", "status"), "suspended by the office");
    office_expect(o, 0, OFFICE(o, "devices"), "suspended");
    office_expect(o, 0, OFFICE(o, "resume", "1", "--reason", "x"), "resumed device 1");
    office_expect(o, 0, OFFICE(o, "devices", "--silent", "1", "--json"), "[]");
    office_record(o, "an", "inspection", 0, "x", id);
    office_expect(o, 0, DEVICE(o, "an", "sync"), "");
    office_path(o, "evidence", file);
    office_expect(o, 1, OFFICE(o, "export", "evidence", id), "");
    assert_non_null(strstr(o->err, "kept elsewhere"));
    office_expect(o, 0, OFFICE(o, "export", "evidence", id, "--out", file, "--root", root), "");
    office_expect(o, 0, OFFICE(o, "export", "root-key"), "");
    snprintf(line, sizeof line, "%.64s", o->out);
    office_expect(o, 0, DEVICE(o, "an", "verify-evidence", file, "--root-key", line), "");
    office_stop(o);
    office_expect(o, 0, OFFICE(o, "verify"), "signatures hold");
    office_expect(o, 0, OFFICE(o, "keys", "--help"), "rotate");
    office_close(o);
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_0, world_teardown)
        T(a_device_learns_the_new_key_of_the_server_and_keeps_to_it),
        T(a_key_is_accepted_for_its_time_and_no_longer),
        T(a_device_takes_no_key_that_is_older_or_not_the_roots),
        T(an_old_invitation_brings_no_device_back_to_an_old_key),
        T(the_registry_goes_on_without_its_root),
        T(what_the_root_did_not_sign_is_found_in_the_log),
        T(a_registry_of_before_takes_the_key_of_today),
        T(what_an_earlier_key_signed_stands),
        T(the_root_signs_on_another_machine),
        T(the_file_of_keys_is_read_back_as_it_was_written),
        T(a_key_file_of_before_goes_on_working),
        T(devices_trust_the_root_that_took_the_place_of_theirs),
        T(a_device_trusts_no_root_that_its_own_did_not_sign),
        T(only_the_present_root_makes_the_next),
        T(a_root_made_in_time_takes_the_place_of_one_that_is_lost),
        T(a_certificate_of_a_root_of_before_is_worth_nothing),
        T(an_invitation_goes_by_the_root_of_its_day),
        T(a_root_that_the_one_before_did_not_sign_makes_the_log_false),
        T(evidence_holds_by_the_root_of_before_and_by_that_of_today),
        cmocka_unit_test(the_office_puts_another_root_in_place),
        cmocka_unit_test(a_server_takes_new_keys_while_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
