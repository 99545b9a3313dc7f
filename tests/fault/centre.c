/* Faults at the centre: a case is resolved, a backup is made and restored, the log is replayed. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backup.h"
#include "cases.h"
#include "replay.h"
#include "scene.h"

static void contradict(struct scene *s)
{
    sqlite3_stmt *q;
    if (s->submitted == 0) {
        s->id = world_inspect(&s->w, 1, "pass");
        s->submitted++;
    }
    world_sync(&s->w, 1);
    world_sync(&s->w, 0);
    s->number++;
    world_amend(&s->w, 1, s->id, s->number % 2 ? "conclusion=fail" : "conclusion=pass");
    world_amend(&s->w, 0, s->id, "conclusion=conditional");
    world_sync(&s->w, 1);
    world_sync(&s->w, 0);
    assert_int_equal(sqlite3_prepare_v2(s->w.registry->db,
                                        "SELECT id FROM cases WHERE closed_version IS NULL", -1, &q,
                                        NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    assert_true(id_from(span_of(sqlite3_column_blob(q, 0), ID_LEN), &s->case_id));
    sqlite3_finalize(q);
}

static enum ocop_status resolve(struct scene *s, struct ocop_error *err)
{
    return case_resolve(s->w.registry, &s->w.keys, &s->case_id, TAKE_THEIRS, NULL, "hội đồng",
                        &s->w.officers[0], err);
}

static void resolved(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    const char *open = "SELECT count(*) FROM cases WHERE closed_version IS NULL";
    assert_int_equal(world_count(&s->w, open), st != OCOP_OK);
    if (st != OCOP_OK)
        must(resolve(s, &err), &err);
    assert_int_equal(world_count(&s->w, open), 0);
}

static void backup_path(struct scene *s, char out[128])
{
    snprintf(out, 128, "%s/backup.db", s->w.dir);
}

/* What a copy that was cut short is called, when what removes it fails too: its owner is told to.
 */
static void no_part(const char *of)
{
    static const char *const left[] = {"", "-wal", "-shm", "-journal"};
    char path[200];
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(path, sizeof path, "%s.part%s", of, left[i]);
        unlink(path);
    }
}

static void no_backup(struct scene *s)
{
    char path[128];
    backup_path(s, path);
    unlink(path);
    no_part(path);
}

static enum ocop_status backup(struct scene *s, struct ocop_error *err)
{
    struct backup_result result;
    char path[128];
    backup_path(s, path);
    return backup_make(s->w.registry, path, false, &result, err);
}

static void backed_up(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    struct registry *copy = NULL;
    char path[128];
    backup_path(s, path);
    /* After a failure the name is free, or it names a whole copy that was not flushed or noted. */
    if (st != OCOP_OK && access(path, F_OK) != 0)
        return;
    must(registry_open(path, false, env_system(), NULL, &copy, &err), &err);
    registry_close(copy);
}

static void one_backup(struct scene *s)
{
    world_backup(&s->w);
}

/* Every restore begins a lineage, and the next would have one more to tell of. */
static void have_backup(struct scene *s)
{
    made_again(s, one_backup);
}

static enum ocop_status restore(struct scene *s, struct ocop_error *err)
{
    struct backup_result result;
    char from[128], path[128], moved[BACKUP_PATH_MAX];
    backup_path(s, from);
    snprintf(path, sizeof path, "%s/registry.db", s->w.dir);
    return backup_restore(from, path, true, env_system(), moved, &result, err);
}

static void restored(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    char path[128];
    struct id before = {{0}};
    snprintf(path, sizeof path, "%s/registry.db", s->w.dir);
    if (access(path, F_OK) != 0) { /* it failed between moving one aside and naming the other */
        assert_int_not_equal(st, OCOP_OK);
        no_part(path);
        must(restore(s, &err), &err);
    }
    registry_open_again(s);
    assert_false(id_eq(&s->w.registry->lineage, &before));
    store_open_again(s, 0);
    world_sync(&s->w, 0);
}

void no_new_files(struct scene *s)
{
    char command[200];
    snprintf(command, sizeof command, "rm -f %s/new.*", s->w.dir);
    assert_int_equal(system(command), 0);
}

/* The registry that the log is replayed into: made by no fault, which upgrade.c is for. */
void empty_registry(struct scene *s)
{
    char empty[128], command[300];
    no_new_files(s);
    snprintf(empty, sizeof empty, "%s/empty.db", s->w.dir);
    if (access(empty, F_OK) != 0)
        registry_put(empty);
    snprintf(command, sizeof command, "cp %s %s/new.db", empty, s->w.dir);
    assert_int_equal(system(command), 0);
}

enum ocop_status verify(struct scene *s, struct ocop_error *err)
{
    struct replay_result result;
    enum ocop_status st = replay_check(s->w.registry, NULL, &result, err);
    char path[128];
    snprintf(path, sizeof path, "%s/new.db", s->w.dir);
    return st ? st : replay_compare(s->w.registry, path, &result, err);
}

static void nothing(struct scene *s, enum ocop_status st)
{
    (void)s, (void)st;
}

const struct act centre_acts[CENTRE_ACTS] = {
    {"resolve", contradict, resolve, resolved},
    {"backup", no_backup, backup, backed_up},
    {"restore", have_backup, restore, restored},
    {"verify", empty_registry, verify, nothing},
};
