/* Invitations in the wrong hands: used twice, taken back, guessed; and who learns of it. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "hand.h"
#include "invitation.h"
#include "office.h"
#include "query.h"
#include "show.h"
#include "text.h"
#include "world.h"

static const char *invite(struct world *w)
{
    struct ocop_error err = {0};
    const char *code;
    struct invitation_terms terms = {.officer = w->officers[0],
                                     .scope = &w->commune,
                                     .scope_count = 1,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = env_now_ms(env_system()) + 60000};
    assert_int_equal(registry_begin(w->registry, &err), OCOP_OK);
    assert_int_equal(invite_make(w->registry, &w->keys, &terms, &w->arena, &code, &err), OCOP_OK);
    assert_int_equal(registry_commit(w->registry, &err), OCOP_OK);
    return code;
}

/* The n-th fresh store redeems the code. */
static enum ocop_status redeem(struct world *w, unsigned n, const char *code)
{
    struct ocop_error err = {0};
    struct ocop_store *store;
    struct ocop_options options = {.link = &w->links[0]};
    char path[128];
    snprintf(path, sizeof path, "%s/fresh%u.ocop", w->dir, n);
    assert_int_equal(ocop_open(path, &options, &store, &err), OCOP_OK);
    enum ocop_status st = ocop_enrol(store, code, NULL, &err);
    ocop_close(store);
    return st;
}

/* What `ocopd invitations`, or `ocopd devices`, prints. */
static const char *shown(struct world *w, bool devices)
{
    struct ocop_error err = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    assert_int_equal(devices ? show_devices(w->registry, false, INT64_MAX, f, &err)
                             : show_invitations(w->registry, false, f, &err),
                     OCOP_OK);
    assert_int_equal(fclose(f), 0);
    const char *copy = arena_dup(&w->arena, text, len);
    free(text);
    return copy;
}

static void a_second_device_with_the_same_code_is_refused_and_reported(void **state)
{
    struct world *w = *state;
    const char *code = invite(w);
    assert_null(strstr(shown(w, true), "tried by others"));
    assert_int_equal(redeem(w, 1, code), OCOP_OK);
    assert_int_equal(redeem(w, 1, code), OCOP_OK); /* the same one again is no second one */
    assert_null(strstr(shown(w, true), "tried by others"));
    assert_int_equal(redeem(w, 2, code), OCOP_ESTATE);
    assert_int_equal(redeem(w, 3, code), OCOP_ESTATE);
    assert_non_null(strstr(shown(w, true), "its invitation was tried by others: 2"));
    assert_non_null(strstr(shown(w, false), "\t2\t"));
    assert_int_equal(world_count(w, "SELECT count(*) FROM invitation WHERE refused = 2 AND"
                                    " refused_ms > 0 AND used_ms > 0"),
                     1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE replica_type = 'device'"),
                     2);
}

static enum ocop_status first_id(void *self, const struct query_invitation *v,
                                 struct ocop_error *err)
{
    (void)err;
    if (id_is_zero(&v->replica))
        memcpy(self, v->id, sizeof v->id);
    return OCOP_OK;
}

static void an_invitation_that_was_taken_back_enrols_nobody(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    const char *code = invite(w);
    char id[9] = "";
    assert_int_equal(query_invitations(w->registry, first_id, id, &err), OCOP_OK);
    assert_int_equal(query_invitation_revoke(w->registry, "00000000", 5, &err), OCOP_ENOTFOUND);
    assert_int_equal(query_invitation_revoke(w->registry, id, 5, &err), OCOP_OK);
    assert_int_equal(query_invitation_revoke(w->registry, id, 5, &err), OCOP_ESTATE);
    assert_non_null(strstr(shown(w, false), "taken back"));
    assert_int_equal(redeem(w, 1, code), OCOP_ESTATE);
    assert_int_equal(world_count(w, "SELECT count(*) FROM invitation WHERE refused = 1"), 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE replica_type = 'device'"),
                     1);
}

static void a_restore_does_not_give_a_code_back_that_was_taken_or_tried(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    const char *code = invite(w);
    char id[9] = "";
    world_backup(w);
    assert_int_equal(query_invitations(w->registry, first_id, id, &err), OCOP_OK);
    assert_int_equal(query_invitation_revoke(w->registry, id, 5, &err), OCOP_OK);
    world_restore(w);
    assert_int_equal(redeem(w, 1, code), OCOP_ESTATE);
}

static enum ocop_status revoke(struct world *w, unsigned n)
{
    struct id replica;
    world_replica(w, n, &replica);
    assert_int_equal(registry_begin(w->registry, NULL), OCOP_OK);
    enum ocop_status st =
        device_state_set(w->registry, &w->keys, &replica, DEVICE_REVOKED, "mất máy", NULL);
    assert_int_equal(registry_commit(w->registry, NULL), OCOP_OK);
    return st;
}

/* Each under its own replica id and under a fresh one, by both keys and by either. */
static void nobody_enrols(struct world *w, struct hand *h, int64_t refused)
{
    struct hand fresh;
    hand_new(w, &fresh, h->officer);
    for (unsigned i = 0; i < 4; i++) {
        struct hand with = i == 0 ? *h : fresh;
        struct invitation inv;
        if (i == 1 || i == 3)
            with.sign = h->sign;
        if (i == 2 || i == 3)
            with.channel = h->channel;
        hand_invite(w, &with, &inv);
        Ocop__Sync__Reply *reply = hand_redeem(w, &with, &inv);
        assert_int_equal(reply->code, OCOP_EREVOKED);
        assert_non_null(strstr(reply->text, "enrol a new store"));
    }
    assert_int_equal(world_count(w, "SELECT sum(refused) FROM invitation"), refused);
}

static void revoked_keys_are_never_enrolled_again(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    world_backup(w);
    assert_int_equal(revoke(w, 1), OCOP_OK);
    int64_t devices = world_count(w, "SELECT count(*) FROM replica");
    nobody_enrols(w, &h, 4);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica"), devices);
    assert_non_null(strstr(shown(w, false), "\topen\t"));
    world_restore(w); /* which takes the four tries with it */
    nobody_enrols(w, &h, 4);
}

/* The tables of a registry that was restored know nothing of a device; its ledger does. */
static void keys_of_which_only_the_ledger_knows_are_not_enrolled(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    assert_int_equal(revoke(w, 1), OCOP_OK);
    w->damaged = true;
    assert_int_equal(sqlite3_exec(w->registry->db, "DELETE FROM replica WHERE state = 'revoked'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    nobody_enrols(w, &h, 4);
}

static void a_new_name_under_revoked_keys_is_told_nothing(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    struct field v[] = {hand_ref(2, &w->commune), hand_text(10, "HTX"),
                        hand_text(11, "cooperative")};
    struct change c =
        hand_change(&h, KIND_PRODUCER, VERB_CREATE, id_next(&w->registry->ids, env_system()), v, 3);
    hand_push(w, &h, &c, 1);
    struct hand other = h;
    other.replica = id_next(&w->registry->ids, env_system());
    Ocop__Sync__Reply *reply = hand_sync(w, &other, NULL, 0, NULL);
    assert_int_equal(reply->code, OCOP_OK);
    assert_int_equal(reply->sync->n_known, 1); /* a copy of its own store has to know */
    assert_int_equal(revoke(w, 1), OCOP_OK);
    reply = hand_sync(w, &other, NULL, 0, NULL);
    assert_int_equal(reply->code, OCOP_EREVOKED);
    assert_true(!reply->sync || reply->sync->n_known == 0);
}

/* A code that nobody made: refused, counted, and nothing else is done for it. */
static void guesses_are_counted_and_write_nothing_to_the_log(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct invitation inv;
    struct buf text;
    uint64_t before, after;
    assert_int_equal(invitation_decode(invite(w), &inv, &err), OCOP_OK);
    assert_int_equal(registry_version(w->registry, &before, &err), OCOP_OK);
    for (unsigned i = 0; i < 5; i++) {
        inv.token[3]++;
        buf_init(&text, INVITATION_TEXT_MAX * 2);
        assert_int_equal(invitation_encode(&inv, &text, &err), OCOP_OK);
        assert_int_equal(redeem(w, 1 + i, buf_cstr(&text)), OCOP_EAUTH);
        buf_fini(&text);
        if (i == 0)
            assert_non_null(strstr(shown(w, false), "were tried 1 times"));
    }
    assert_int_equal(w->registry->guesses, 4); /* the next note tells of them */
    w->registry->guesses_noted_ms = 1;
    world_sync(w, 0);
    assert_non_null(strstr(shown(w, false), "were tried 5 times"));
    assert_int_equal(registry_version(w->registry, &after, &err), OCOP_OK);
    assert_int_equal(before, after);
    assert_int_equal(world_count(w, "SELECT count(*) FROM invitation WHERE refused > 0"), 0);
}

/* --- names that are long ------------------------------------------------------------------------
 */

/* `len` bytes of letters of two bytes each, behind one of one byte where `len` is odd. */
static const char *name_of(size_t len, char out[400])
{
    memset(out, 0, 400);
    if (len % 2)
        out[0] = 'x';
    while (strlen(out) < len)
        strcat(out, "ă");
    return out;
}

/* What a fresh store of the officer shows of him when it is enrolled under this name. */
static struct ocop_store_status enrolled_as(struct world *w, unsigned n, const char *name)
{
    const char *code = invite(w);
    struct ocop_options options = {.link = &w->links[0]};
    struct ocop_store_status status;
    struct ocop_error err = {0};
    struct ocop_store *store;
    char path[128];
    snprintf(path, sizeof path, "%s/long%u.ocop", w->dir, n);
    must(ocop_open(path, &options, &store, &err), &err);
    must(ocop_enrol(store, code, name, &err), &err);
    must(ocop_store_status(store, &status, &err), &err);
    ocop_close(store);
    return status;
}

static void a_long_name_of_a_device_is_cut_between_letters(void **state)
{
    struct world *w = *state;
    char name[400];
    for (unsigned i = 0; i < 3; i++)
        (void)enrolled_as(w, i, name_of(199 + i, name));
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE name LIKE 'xăă%ă'"), 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE name LIKE 'ăă%ă'"), 1);
    assert_int_equal(world_count(w, "SELECT sum(length(CAST(name AS BLOB))) FROM replica"
                                    " WHERE name LIKE '%ăă'"),
                     199 + 198 + 199);
}

static void a_long_name_of_an_officer_is_cut_between_letters(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    uint64_t version;
    char name[400];
    for (unsigned i = 0; i < 3; i++) {
        must(registry_version(w->registry, &version, &err), &err);
        struct field f = {.number = 10, .op = FIELD_SET, .type = VALUE_BYTES, .base = version};
        f.bytes = span_str(name_of(127 + i, name));
        struct change c = {.kind = KIND_OFFICER,
                           .verb = VERB_AMEND,
                           .record = w->officers[0],
                           .base = version,
                           .fields = {&f, 1},
                           .reason = span_str("tên")};
        world_import(w, &c, 1);
        const struct ocop_store_status s = enrolled_as(w, i, NULL);
        assert_true(text_is_utf8(span_str(s.officer_name)));
        assert_int_equal(strlen(s.officer_name), i == 1 ? 126 : 127);
    }
}

static void the_office_sees_and_takes_back_by_command(void **state)
{
    struct office *o = calloc(1, sizeof *o);
    char id[9];
    (void)state;
    office_open(o);
    office_invite(o, "Nguyễn Thị An", "inspector", office_units[0]);
    office_expect(o, 0, OFFICE(o, "invitations"), "open");
    const char *line = strchr(o->out, '\n');
    assert_non_null(line);
    snprintf(id, sizeof id, "%.8s", line + 1);
    office_expect(o, 0, OFFICE(o, "invitations", "revoke", id), "took invitation");
    office_invite(o, "Trần Văn Bình", "inspector", office_units[0]);
    assert_non_null(strstr(o->out, "invitation "));
    snprintf(id, sizeof id, "%.8s", strstr(o->out, "invitation ") + strlen("invitation "));
    office_expect(o, 0, OFFICE(o, "invitations", "--json"), "\"unknownTried\":0");
    office_expect(o, 0, OFFICE(o, "invitations", "revoke", id), "took invitation");
    office_expect(o, 1, OFFICE(o, "invitations", "revoke", id), "");
    office_expect(o, 0, OFFICE(o, "invitations"), "taken back");
    office_expect(o, 0, OFFICE(o, "invitations", "--help"), "revoke");
    office_close(o);
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_0, world_teardown)
        T(a_second_device_with_the_same_code_is_refused_and_reported),
        T(an_invitation_that_was_taken_back_enrols_nobody),
        T(a_restore_does_not_give_a_code_back_that_was_taken_or_tried),
        T(revoked_keys_are_never_enrolled_again),
        T(keys_of_which_only_the_ledger_knows_are_not_enrolled),
        T(a_new_name_under_revoked_keys_is_told_nothing),
        T(guesses_are_counted_and_write_nothing_to_the_log),
        T(a_long_name_of_a_device_is_cut_between_letters),
        T(a_long_name_of_an_officer_is_cut_between_letters),
        cmocka_unit_test(the_office_sees_and_takes_back_by_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
