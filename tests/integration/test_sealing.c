/* Changes that no change-set can hold: their officer is told, and nothing waits behind them. */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "sum.h"
#include "world.h"

/* The record with `count` answers of a series in place of those it has. */
static enum ocop_status answer(struct world *w, struct ocop_id id, char series, int count,
                               struct ocop_error *err)
{
    static char json[1 << 16];
    ProtobufCMessage *m = NULL, *changed = NULL;
    size_t at = (size_t)snprintf(json, sizeof json, "{\"answers\":[");
    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(json + at, sizeof json - at,
                               "%s{\"question\":\"%c%d\",\"answer\":\"pass\"}", i ? "," : "",
                               series, i);
    snprintf(json + at, sizeof json - at, "]}");
    assert_int_equal(ocop_load(w->stores[1], &id, &m, err), OCOP_OK);
    assert_int_equal(ocop_from_json(w->stores[1], "inspection", m, json, &changed, err), OCOP_OK);
    enum ocop_status st = ocop_amend(w->stores[1], changed, "làm lại", err);
    ocop_free(m);
    ocop_free(changed);
    return st;
}

static void a_change_too_large_for_any_set_is_refused_when_it_is_saved(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = world_inspect(w, 1, "pass");
    assert_int_equal(answer(w, id, 'A', 520, &err), OCOP_OK);
    world_sync(w, 1);
    assert_int_equal(answer(w, id, 'B', 520, &err), OCOP_ELIMIT);
    assert_non_null(strstr(err.text, "in several parts"));
    assert_int_equal(answer(w, id, 'B', 470, &err), OCOP_OK);
    world_sync(w, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection WHERE answers LIKE '%B469%'"
                                    " AND answers NOT LIKE '%A1%'"),
                     1);
}

/* Change one of the outbox's changes behind the library's back; `summed`: it is not what was
 * written, or else what an earlier program wrote, or a hostile server made it write. */
static void spoil(struct world *w, struct ocop_id id, void (*how)(struct change *, struct arena *),
                  bool summed)
{
    struct ocop_error err = {0};
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    struct change c;
    struct buf packed;
    snprintf(path, sizeof path, "%s/1.ocop", w->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sum_open(db, &err), OCOP_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT change FROM outbox WHERE record = ?1", -1, &s, NULL),
        SQLITE_OK);
    sqlite3_bind_blob(s, 1, id.b, sizeof id.b, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const size_t len = (size_t)sqlite3_column_bytes(s, 0);
    const char *copy = arena_dup(&w->arena, sqlite3_column_blob(s, 0), len);
    sqlite3_finalize(s);
    assert_int_equal(change_unpack(span_of(copy, len), &w->arena, &c, &err), OCOP_OK);
    how(&c, &w->arena);
    buf_init(&packed, MIB(1));
    assert_int_equal(change_pack(&c, &packed, &err), OCOP_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           summed ? "UPDATE outbox SET change = ?2 WHERE record = ?1"
                                  : "UPDATE outbox SET change = ?2, sum = row_sum(record, kind, "
                                    "state, seq, idx, ?2, reason, field) WHERE record = ?1",
                           -1, &s, NULL),
        SQLITE_OK);
    sqlite3_bind_blob(s, 1, id.b, sizeof id.b, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, packed.p, (int)packed.len, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
    buf_fini(&packed);
    sqlite3_close(db);
}

static void base_beyond_all_versions(struct change *c, struct arena *a)
{
    (void)a;
    c->fields.v[0].base = UINT64_MAX - 1;
}

static void too_many_elements(struct change *c, struct arena *a)
{
    struct fields more = {arena_calloc(a, 2 * LIST_ITEMS_MAX, sizeof *more.v), 0};
    for (unsigned i = 0; i < LIST_ITEMS_MAX + 1; i++)
        more.v[more.count++] = (struct field){.number = 29,
                                              .op = FIELD_CLEAR,
                                              .type = VALUE_ELEMENT,
                                              .key = span_str(arena_printf(a, "X%04u", i))};
    c->fields = more;
}

static void a_change_that_cannot_be_sealed_blocks_no_other(void **state)
{
    static void (*const how[])(struct change *, struct arena *) = {base_beyond_all_versions,
                                                                   too_many_elements};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        struct ocop_error err = {0};
        struct ocop_record_status *status;
        struct ocop_id before = world_inspect(w, 1, "pass"), bad = world_inspect(w, 1, "pass"),
                       after;
        world_sync(w, 1);
        const int64_t taken = world_count(w, "SELECT count(*) FROM inspection WHERE score = 71");
        world_amend(w, 1, before, "score=71");
        world_amend(w, 1, bad, "score=71");
        after = world_inspect(w, 1, "fail");
        world_amend(w, 1, after, "score=71");
        spoil(w, bad, how[i], false);
        world_sync(w, 1);
        assert_int_equal(world_count(w, "SELECT count(*) FROM inspection WHERE score = 71"),
                         taken + 2);
        assert_int_equal(ocop_record_status(w->stores[1], &bad, &status, &err), OCOP_OK);
        assert_int_equal(status->state, OCOP_REFUSED);
        assert_true(*status->reason != '\0');
        ocop_record_status_free(status);
    }
}

static void another_score(struct change *c, struct arena *a)
{
    (void)a;
    assert_int_equal(c->fields.v[0].type, VALUE_INT);
    c->fields.v[0].i ^= 1;
}

static void a_change_that_was_damaged_is_not_signed_and_blocks_no_other(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_record_status *status;
    struct ocop_id bad = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_amend(w, 1, bad, "score=74");
    spoil(w, bad, another_score, true);
    world_inspect(w, 1, "fail");
    struct ocop_sync_summary s = world_sync(w, 1);
    assert_int_equal(s.applied, 1);
    assert_string_equal(world_value(w, "inspection", bad, "score"), "70");
    assert_int_equal(ocop_record_status(w->stores[1], &bad, &status, &err), OCOP_OK);
    assert_int_equal(status->state, OCOP_REFUSED);
    assert_non_null(strstr(status->reason, "damaged"));
    ocop_record_status_free(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_1, world_teardown)
        T(a_change_too_large_for_any_set_is_refused_when_it_is_saved),
        T(a_change_that_cannot_be_sealed_blocks_no_other),
        T(a_change_that_was_damaged_is_not_signed_and_blocks_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
