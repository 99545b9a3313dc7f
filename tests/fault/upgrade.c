/* Migrations under faults. Each is a transaction of its own, so each is a stage: a file of the
 * schema before it is opened, and what fails in that one migration must leave the file at one or
 * the other. To begin with an empty file each time would make a hundred thousand rounds of all
 * migrations. In the last stage all have run, and the file gets what makes it a registry or a
 * store. */
#include "scene.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "migrate.h"
#include "sum.h"

enum {
    STAGES_MAX = 200,
    PAST_ROUNDS = 40,  /* once the migration is committed: what follows it in its transaction */
    TO_THE_END = 16,   /* of so many rounds one goes on to the newest schema */
    STAGES_SKIPPED = 6 /* between two, where rounds grow too */
};

static unsigned stages(enum migrate_side side)
{
    unsigned n = 0;
    for (const struct migration *m = migrations; m->number; m++)
        n += (m->sides & (int)side) != 0;
    return n + 1;
}

/* A file in which the first `count` migrations of its side have run. */
static int older_file(const char *path, enum migrate_side side, unsigned count)
{
    struct ocop_error err = {0};
    sqlite3 *db = NULL;
    char stamp[96];
    int number = 0;
    must(db_open(path, true, false, NULL, &db, &err), &err);
    must(sum_open(db, &err), &err);
    must(db_exec(db, "PRAGMA journal_mode=WAL; BEGIN", &err), &err);
    for (const struct migration *m = migrations; m->number && count > 0; m++) {
        if (!(m->sides & (int)side))
            continue;
        must(db_exec(db, m->sql, &err), &err);
        number = m->number;
        count--;
    }
    snprintf(stamp, sizeof stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
             !number                    ? 0
             : side == MIGRATE_REGISTRY ? 0x4f435052
                                        : 0x4f435053,
             number);
    must(db_exec(db, stamp, &err), &err);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

void registry_put(const char *path)
{
    (void)older_file(path, MIGRATE_REGISTRY, UINT32_MAX);
}

static void names(struct scene *s, enum migrate_side side, char old[128], char new[128])
{
    snprintf(old, 128, "%s/old.%s", s->w.dir, side == MIGRATE_REGISTRY ? "db" : "ocop");
    snprintf(new, 128, "%s/new.%s", s->w.dir, side == MIGRATE_REGISTRY ? "db" : "ocop");
}

static bool begin(struct scene *s, enum migrate_side side)
{
    char old[128], new[128];
    const char *growth = getenv("FAULT_GROWTH");
    unsigned n = s->stage;
    if (growth && *growth && s->stage > 0)
        n = s->stage = s->stage + STAGES_SKIPPED;
    assert_true(n < STAGES_MAX);
    if (n >= stages(side))
        return false;
    names(s, side, old, new);
    unlink(old);
    (void)older_file(old, side, n);
    s->past = 0;
    return true;
}

static void put_older(struct scene *s, enum migrate_side side)
{
    char old[128], new[128], command[300];
    names(s, side, old, new);
    no_new_files(s);
    snprintf(command, sizeof command, "cp %s %s", old, new);
    assert_int_equal(system(command), 0);
}

/* What the header says, read by hand: opening it by SQLite would do more. */
static int version_of(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    struct ocop_error err = {0};
    must(db_open(path, false, false, NULL, &db, &err), &err);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int version = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return version;
}

/* The numbers of the last migration before this stage, and of its own. */
static void numbers(enum migrate_side side, unsigned stage, int *before, int *own)
{
    unsigned n = 0;
    *before = *own = 0;
    for (const struct migration *m = migrations; m->number && n <= stage; m++) {
        if (!(m->sides & (int)side))
            continue;
        *before = n < stage ? m->number : *before;
        *own = m->number;
        n++;
    }
}

static enum ocop_status open_registry(struct scene *s, struct ocop_error *err)
{
    struct registry *r = NULL;
    char old[128], new[128];
    names(s, MIGRATE_REGISTRY, old, new);
    enum ocop_status st = registry_open(new, true, env_system(), NULL, &r, err);
    assert_true((st == OCOP_OK) == (r != NULL));
    registry_close(r);
    return st;
}

static enum ocop_status open_store(struct scene *s, struct ocop_error *err)
{
    struct ocop_store *store = NULL;
    char old[128], new[128];
    names(s, MIGRATE_STORE, old, new);
    enum ocop_status st = ocop_open(new, NULL, &store, err);
    assert_true((st == OCOP_OK) == (store != NULL));
    ocop_close(store);
    return st;
}

static void migrated(struct scene *s, enum migrate_side side, enum ocop_status st)
{
    struct ocop_error err = {0};
    char old[128], new[128];
    int before, own;
    names(s, side, old, new);
    numbers(side, s->stage, &before, &own);
    int is = version_of(new);
    if (is < before || (st == OCOP_OK && is < own))
        fail_msg("%s: a file of schema %d is of %d, and %s", new, before, is, err_name(st));
    s->past += is >= own && s->stage + 1 < stages(side);
    if (s->number++ % TO_THE_END == 0 || st == OCOP_OK)
        must(side == MIGRATE_REGISTRY ? open_registry(s, &err) : open_store(s, &err), &err);
}

static bool over(struct scene *s)
{
    return s->past > PAST_ROUNDS;
}

static bool begin_registry(struct scene *s)
{
    return begin(s, MIGRATE_REGISTRY);
}
static bool begin_store(struct scene *s)
{
    return begin(s, MIGRATE_STORE);
}
static void older_registry(struct scene *s)
{
    put_older(s, MIGRATE_REGISTRY);
}
static void older_store(struct scene *s)
{
    put_older(s, MIGRATE_STORE);
}

static void registry_migrated(struct scene *s, enum ocop_status st)
{
    migrated(s, MIGRATE_REGISTRY, st);
}

static void store_migrated(struct scene *s, enum ocop_status st)
{
    migrated(s, MIGRATE_STORE, st);
}

const struct staged migrations_fail[2] = {
    {{"migrate a registry", older_registry, open_registry, registry_migrated},
     begin_registry,
     over},
    {{"migrate a store", older_store, open_store, store_migrated}, begin_store, over},
};
