/* Files made before rows had sums: opened by this program, every row has one that holds, and what
 * is damaged from then on is found. */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "migrate.h"
#include "past.h"
#include "query.h"
#include "store_db.h"
#include "world.h"

enum { BEFORE_SUMS = 17, TEXT_BYTES = 2000 }; /* the last migration without them */

static void exec(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

/* Of each table that is there, the rows as the newer file has them. */
static const char copy_rows[] =
    "SELECT 'DELETE FROM ' || t.name || '; INSERT INTO ' || t.name || ' (' || group_concat(c.name) "
    "|| ') SELECT ' || group_concat(c.name) || ' FROM newer.' || t.name "
    "FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c WHERE t.schema = 'main' "
    "AND t.name IN (SELECT name FROM newer.sqlite_schema WHERE type = 'table' "
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\') "
    "GROUP BY t.name";

/* What the program before the sums would have made of the file: its schema with the same rows. */
static void make_older(const char *path, enum migrate_side side)
{
    char old[160], sql[300];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    size_t tables = 0;
    snprintf(old, sizeof old, "%s-older", path);
    struct ocop_error err = {0};
    assert_int_equal(sqlite3_open(old, &db), SQLITE_OK);
    must(past_open(db, &err), &err);
    for (const struct migration *m = migrations; m->number && m->number <= BEFORE_SUMS; m++)
        if (m->sides & (int)side)
            exec(db, m->sql);
    snprintf(sql, sizeof sql, "ATTACH '%s' AS newer", path);
    exec(db, sql);
    snprintf(sql, sizeof sql, "PRAGMA main.user_version=%d; PRAGMA main.application_id=%lld",
             BEFORE_SUMS, (long long)number(db, "PRAGMA newer.application_id"));
    exec(db, sql);
    assert_int_equal(sqlite3_prepare_v2(db, copy_rows, -1, &s, NULL), SQLITE_OK);
    for (; sqlite3_step(s) == SQLITE_ROW; tables++)
        exec(db, (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    assert_true(tables > 20);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(rename(old, path), 0);
}

/* Run SQL in the closed file as any program would. */
static void edit(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    exec(db, sql);
    assert_true(sqlite3_total_changes(db) > 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void remember(void *user, const char *finding)
{
    const size_t len = strlen(user);
    snprintf((char *)user + len, TEXT_BYTES - len, "%s\n", finding);
}

static const char *check(struct world *w, char findings[TEXT_BYTES])
{
    struct ocop_error err = {0};
    unsigned count = 0;
    findings[0] = '\0';
    world_relink(w, 0, &w->links[0].link);
    if (ocop_check(w->stores[0], remember, findings, &count, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    ocop_close(w->stores[0]);
    w->stores[0] = NULL;
    return findings;
}

static void a_store_from_before_the_sums_is_summed_when_it_is_opened(void **state)
{
    static const struct {
        const char *sql, *table;
    } damage[] = {
        {"UPDATE inspection SET score = 71", "inspection "},
        {"UPDATE meta SET value = zeroblob(32) WHERE key = 'prev_hash'", "meta "},
        {"UPDATE outbox SET kind = kind + 1", "outbox "},
        {"UPDATE sealed SET acked = acked + 1", "sealed "},
        {"UPDATE own SET version = version + 1", "own "},
        {"UPDATE base SET born = born + 1", "base "},
        {"UPDATE counter SET value = value + 1", "counter "},
    };
    struct world *w = *state;
    char path[128], found[TEXT_BYTES];
    struct ocop_id id = world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_amend(w, 0, id, "score=74");
    snprintf(path, sizeof path, "%s/0.ocop", w->dir);
    ocop_close(w->stores[0]);
    w->stores[0] = NULL;
    make_older(path, MIGRATE_STORE);
    assert_string_equal(check(w, found), "");
    assert_string_equal(check(w, found), "");       /* and stays so */
    edit(path, "DELETE FROM words WHERE kind = 3"); /* its words were in no index of this form */
    if (!strstr(check(w, found), "search"))
        fail_msg("%s", found);
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        edit(path, damage[i].sql);
        if (!strstr(check(w, found), damage[i].table))
            fail_msg("%s: %s", damage[i].sql, found);
    }
}

/* What `ocopd verify` says of the sums; "" when all hold. */
static const char *sums(const char *path, struct ocop_error *err)
{
    struct registry *r = NULL;
    enum ocop_status st = registry_open(path, false, env_system(), NULL, &r, err);
    err->text[0] = '\0';
    if (st == OCOP_OK)
        st = query_sums(r, QUERY_SUMS_OWN, err);
    if (st == OCOP_OK)
        st = query_sums(r, QUERY_SUMS_LOG, err);
    registry_close(r);
    assert_true(st == OCOP_OK || st == OCOP_EDAMAGED);
    return err->text;
}

static void a_registry_from_before_the_sums_is_summed_by_its_migration(void **state)
{
    static const struct {
        const char *sql, *table;
    } damage[] = {
        /* each is found before those above it */
        {"UPDATE log SET received_ms = received_ms + 1 WHERE version = 3", "log 3 "},
        {"UPDATE contact SET skew_ms = skew_ms + 1", "contact "},
        {"UPDATE invitation SET expires_ms = expires_ms + 1", "invitation "},
        {"UPDATE meta SET value = zeroblob(16) WHERE key = 'lineage'", "meta "},
    };
    struct world *w = *state;
    struct ocop_error err;
    char path[128];
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    snprintf(path, sizeof path, "%s/registry.db", w->dir);
    world_close_registry(w);
    make_older(path, MIGRATE_REGISTRY);
    assert_string_equal(sums(path, &err), "");
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        edit(path, damage[i].sql);
        if (!strstr(sums(path, &err), damage[i].table))
            fail_msg("%s: %s", damage[i].sql, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_0, world_teardown)
        T(a_store_from_before_the_sums_is_summed_when_it_is_opened),
        T(a_registry_from_before_the_sums_is_summed_by_its_migration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
