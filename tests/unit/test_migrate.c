/* Opening databases and migrating them: fresh, repeated, foreign, damaged, full. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migrate.h"
#include "row.h"

static char dir[] = "/tmp/ocop-test-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) && chmod(dir, 0755) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"a.db", "settings.db", "text.db", "ro.db"};
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char path[160];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t j = 0; j < sizeof ends / sizeof *ends; j++) {
            (void)snprintf(path, sizeof path, "%s/%s%s", dir, names[i], ends[j]);
            (void)unlink(path);
        }
    return rmdir(dir);
}

static sqlite3 *open_memory(void)
{
    struct ocop_error err = {0};
    sqlite3 *db = NULL;

    assert_int_equal(db_open(":memory:", true, false, NULL, &db, &err), OCOP_OK);
    return db;
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t n;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    n = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return n;
}

static int newest(enum migrate_side side, int *count)
{
    int last = 0;

    *count = 0;
    for (const struct migration *m = migrations; m->number; m++)
        if (m->sides & (int)side) {
            last = m->number;
            ++*count;
        }
    assert_true(*count > 0);
    return last;
}

static void a_fresh_file_gets_every_migration_of_its_side(void **state)
{
    static const struct {
        enum migrate_side side;
        int64_t application;
        const char *own, *other;
    } cases[] = {{MIGRATE_REGISTRY, 0x4f435052, "log", "outbox"},
                 {MIGRATE_STORE, 0x4f435053, "outbox", "log"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct ocop_error err = {0};
        sqlite3 *db = open_memory();
        int applied = -1, count, last = newest(cases[i].side, &count);
        char sql[128];
        assert_int_equal(migrate(db, cases[i].side, &applied, &err), OCOP_OK);
        assert_int_equal(applied, count);
        assert_int_equal(number(db, "PRAGMA user_version"), last);
        assert_int_equal(number(db, "PRAGMA application_id"), cases[i].application);
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name='%s'",
                       cases[i].own);
        assert_int_equal(number(db, sql), 1);
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name='%s'",
                       cases[i].other);
        assert_int_equal(number(db, sql), 0);
        (void)sqlite3_close(db);
    }
}

static void migrating_again_changes_nothing(void **state)
{
    struct ocop_error err = {0};
    sqlite3 *db = open_memory();
    int applied = -1;
    int64_t before;

    (void)state;
    assert_int_equal(migrate(db, MIGRATE_STORE, NULL, &err), OCOP_OK);
    before = number(db, "PRAGMA schema_version");
    assert_int_equal(migrate(db, MIGRATE_STORE, &applied, &err), OCOP_OK);
    assert_int_equal(applied, 0);
    assert_int_equal(number(db, "PRAGMA schema_version"), before);
    (void)sqlite3_close(db);
}

static void a_file_that_is_not_for_us_is_refused_and_kept(void **state)
{
    static const struct {
        const char *sql;
        enum ocop_status status;
        const char *says;
    } cases[] = {
        {"PRAGMA application_id=0x4f435052", OCOP_EDAMAGED, "a registry"},
        {"PRAGMA application_id=12345", OCOP_EDAMAGED, "another program"},
        {"PRAGMA user_version=1", OCOP_EDAMAGED, "another program"},
        {"CREATE TABLE theirs (x)", OCOP_EDAMAGED, "another program"},
        {"PRAGMA application_id=0x4f435053; PRAGMA user_version=9999", OCOP_EVERSION, "newer"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ocop_error err = {0};
        sqlite3 *db = open_memory();
        int64_t before;
        assert_int_equal(db_exec(db, cases[i].sql, &err), OCOP_OK);
        before = number(db, "PRAGMA schema_version");
        assert_int_equal(migrate(db, MIGRATE_STORE, NULL, &err), cases[i].status);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_int_equal(number(db, "PRAGMA schema_version"), before);
        (void)sqlite3_close(db);
    }
}

/* The disk is full after 1 page, after 2, ...: each time the file stands between migrations. */
/* The number of the n-th migration of a side, from 1; 0 before the first. */
static int nth(enum migrate_side side, int n)
{
    int number = 0;

    for (const struct migration *m = migrations; m->number && n > 0; m++)
        if (m->sides & (int)side) {
            number = m->number;
            n--;
        }
    return number;
}

static void a_migration_that_fails_leaves_those_before_it(void **state)
{
    enum ocop_status status = OCOP_EDB;
    bool between = false;
    int pages, count, last = newest(MIGRATE_STORE, &count);

    (void)state;
    for (pages = 2; status != OCOP_OK && pages < 1000; pages++) {
        struct ocop_error err = {0};
        sqlite3 *db = open_memory();
        int applied = -1;
        char sql[64];
        (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count=%d", pages);
        assert_int_equal(db_exec(db, sql, &err), OCOP_OK);
        status = migrate(db, MIGRATE_STORE, &applied, &err);
        if (status != OCOP_OK) {
            assert_int_equal(status, OCOP_EDB);
            assert_non_null(strstr(err.text, "disk is full"));
            assert_true(sqlite3_get_autocommit(db));
            assert_true(applied < count);
            assert_int_equal(number(db, "PRAGMA user_version"), nth(MIGRATE_STORE, applied));
            assert_int_equal(number(db, "SELECT count(*)>0 FROM sqlite_schema"), applied > 0);
            between |= applied > 0;
            assert_int_equal(db_exec(db, "PRAGMA max_page_count=1000000", &err), OCOP_OK);
            assert_int_equal(migrate(db, MIGRATE_STORE, NULL, &err), OCOP_OK);
        }
        assert_int_equal(number(db, "PRAGMA user_version"), last);
        (void)sqlite3_close(db);
    }
    assert_int_equal(status, OCOP_OK);
    assert_true(between);
}

static void a_file_is_opened_with_our_settings(void **state)
{
    struct ocop_error err = {0};
    sqlite3 *db = NULL;

    (void)state;
    assert_int_equal(db_open(path_of("settings.db"), true, false, NULL, &db, &err), OCOP_OK);
    assert_int_equal(
        number(db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode='wal'"), 0);
    assert_int_equal(migrate(db, MIGRATE_STORE, NULL, &err), OCOP_OK);
    assert_int_equal(
        number(db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode='wal'"), 1);
    assert_int_equal(number(db, "PRAGMA synchronous"), 2);
    assert_int_equal(number(db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(number(db, "PRAGMA trusted_schema"), 0);
    assert_int_equal(number(db, "PRAGMA busy_timeout"), 10000);
    assert_int_equal(number(db, "PRAGMA cache_size"), -8192);
    assert_int_equal(db_exec(db, "SELECT \"no such column\"", &err), OCOP_EDB);
    assert_int_equal(db_exec(db, "PRAGMA writable_schema=1; DELETE FROM sqlite_schema", &err),
                     OCOP_EDB);
    (void)sqlite3_close(db);
}

static void a_file_that_is_no_database_is_damaged(void **state)
{
    struct ocop_error err = {0};
    sqlite3 *db = NULL;
    FILE *f = fopen(path_of("text.db"), "w");

    (void)state;
    assert_non_null(f);
    for (int i = 0; i < 100; i++)
        (void)fputs("this is a letter and not a database\n", f);
    (void)fclose(f);
    for (int read_only = 0; read_only < 2; read_only++) {
        assert_int_equal(db_open(path_of("text.db"), true, read_only, NULL, &db, &err),
                         OCOP_EDAMAGED);
        assert_null(db);
        assert_non_null(strstr(err.text, "text.db"));
    }
}

static void a_path_that_cannot_be_opened_is_told(void **state)
{
    struct ocop_error err = {0};
    sqlite3 *db = NULL;

    (void)state;
    assert_int_equal(db_open(path_of("none.db"), false, false, NULL, &db, &err), OCOP_EDB);
    assert_non_null(strstr(err.text, "cannot be opened"));
    assert_null(db);
    assert_int_equal(db_open(path_of("no/such/dir.db"), true, false, NULL, &db, &err), OCOP_EDB);
    assert_int_equal(db_open(dir, true, false, NULL, &db, &err), OCOP_EDB);
    assert_int_equal(db_open(path_of("x.db"), true, false, "no-such-vfs", &db, &err), OCOP_EDB);
    assert_null(db);
}

/* Permissions do not bind root, so the test steps down where it is root. */
static void a_read_only_file_is_refused_for_writing_and_may_be_read(void **state)
{
    struct ocop_error err = {0};
    sqlite3 *db = NULL;
    bool root = geteuid() == 0;

    (void)state;
    assert_int_equal(db_open(path_of("ro.db"), true, false, NULL, &db, &err), OCOP_OK);
    assert_int_equal(db_exec(db, "PRAGMA journal_mode=DELETE; CREATE TABLE t (x)", &err), OCOP_OK);
    (void)sqlite3_close(db);
    assert_int_equal(chmod(path_of("ro.db"), 0444), 0);
    assert_int_equal(chmod(dir, 0555), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    assert_int_equal(db_open(path_of("ro.db"), true, false, NULL, &db, &err), OCOP_EDB);
    assert_non_null(strstr(err.text, "read-only"));
    assert_null(db);
    assert_int_equal(db_open(path_of("new.db"), true, false, NULL, &db, &err), OCOP_EDB);
    assert_null(db);
    assert_int_equal(db_open(path_of("ro.db"), false, true, NULL, &db, &err), OCOP_OK);
    assert_int_equal(db_exec(db, "DELETE FROM t", &err), OCOP_EDB);
    (void)sqlite3_close(db);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(dir, 0755), 0);
}

static void a_file_in_use_is_busy(void **state)
{
    struct ocop_error err = {0};
    sqlite3 *one = NULL, *two = NULL;

    (void)state;
    assert_int_equal(db_open(path_of("a.db"), true, false, NULL, &one, &err), OCOP_OK);
    assert_int_equal(db_open(path_of("a.db"), false, false, NULL, &two, &err), OCOP_OK);
    assert_int_equal(db_exec(one, "BEGIN IMMEDIATE", &err), OCOP_OK);
    (void)sqlite3_busy_timeout(two, 0);
    assert_int_equal(migrate(two, MIGRATE_STORE, NULL, &err), OCOP_EBUSY);
    assert_int_equal(db_exec(one, "COMMIT", &err), OCOP_OK);
    assert_int_equal(migrate(two, MIGRATE_STORE, NULL, &err), OCOP_OK);
    (void)sqlite3_close(one);
    (void)sqlite3_close(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_file_gets_every_migration_of_its_side),
        cmocka_unit_test(migrating_again_changes_nothing),
        cmocka_unit_test(a_file_that_is_not_for_us_is_refused_and_kept),
        cmocka_unit_test(a_migration_that_fails_leaves_those_before_it),
        cmocka_unit_test(a_file_is_opened_with_our_settings),
        cmocka_unit_test(a_file_that_is_no_database_is_damaged),
        cmocka_unit_test(a_path_that_cannot_be_opened_is_told),
        cmocka_unit_test(a_read_only_file_is_refused_for_writing_and_may_be_read),
        cmocka_unit_test(a_file_in_use_is_busy),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
