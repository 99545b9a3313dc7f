/* Files of every schema that a program of ours ever left behind: a registry and the stores of two
 * devices in the middle of their work, tests/data/golden/NNNN-*. Today's program opens them, finds
 * them whole, shows each officer what he saw, and syncs to the end.
 *
 * With OCOP_RECORD=1 in the environment (`make golden`) the files of the newest schema are made.
 * Those of older ones are never made anew: no program can any more.
 *
 * OCOP_GOLDEN names another directory of such files: those of today's schema alone, made by a
 * machine of another kind (`make cross`). The registry replayed here equals what that one wrote. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bounds.h"
#include "cases.h"
#include "migrate.h"
#include "past.h"
#include "replay.h"
#include "sum.h"
#include "world.h"
#include "zip.h"

static const char *golden = "tests/data/golden";

enum { DEVICES = 2, FILE_BYTES_MAX = 4 << 20, SCHEMAS_MAX = 64, SCHEMAS_TOGETHER = 20 };

static const char *const files[] = {"registry.db", "registry.db.keys", "0.ocop", "1.ocop"};

static int newest(void)
{
    int last = 0;
    for (const struct migration *m = migrations; m->number; m++)
        last = m->number;
    return last;
}

/* --- files ------------------------------------------------------------------------------------ */

static struct span file_read(const char *path, struct arena *a)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is not there; `make golden` makes it, with the program of that schema", path);
    uint8_t *p = arena_alloc(a, FILE_BYTES_MAX);
    assert_non_null(p);
    size_t len = fread(p, 1, FILE_BYTES_MAX, f);
    assert_true(len < FILE_BYTES_MAX);
    assert_int_equal(fclose(f), 0);
    return span_of(p, len);
}

static void file_write(const char *path, struct span s)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(s.p, 1, s.len, f), s.len);
    assert_int_equal(fclose(f), 0);
}

static const char *golden_path(struct world *w, int schema, const char *file, const char *ending)
{
    return arena_printf(&w->arena, "%s/%04d-%s%s", golden, schema, file, ending);
}

/* Into the world's directory, as they were. */
static void golden_unpack(struct world *w, int schema)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct ocop_error err = {0};
        struct span plain;
        struct span z = file_read(golden_path(w, schema, files[i], ".z"), &w->arena);
        must(zip_inflate(z, FILE_BYTES_MAX, &w->arena, &plain, &err), &err);
        const char *path = arena_printf(&w->arena, "%s/%s", w->dir, files[i]);
        file_write(path, plain);
        assert_int_equal(chmod(path, 0600), 0);
    }
}

/* One line for each migration: its name and the hash of its text. */
static struct span migrations_up_to(struct world *w, int schema)
{
    struct buf out;
    buf_init(&out, KIB(64));
    for (const struct migration *m = migrations; m->number && m->number <= schema; m++) {
        uint8_t hash[HASH_LEN];
        hash_bytes(span_str(m->sql), hash);
        buf_str(&out, m->name);
        for (size_t i = 0; i < 8; i++)
            buf_str(&out, arena_printf(&w->arena, "%s%02x", i ? "" : " ", hash[i]));
        buf_str(&out, "\n");
    }
    assert_false(out.failed);
    struct span copy = span_of(arena_dup(&w->arena, out.p, out.len), out.len);
    buf_fini(&out);
    return copy;
}

/* The schemas of which there are files, oldest first. */
static size_t schemas(int *out)
{
    size_t count = 0;
    for (int n = 1; n <= newest() && count < SCHEMAS_MAX; n++) {
        char path[512];
        struct stat info;
        snprintf(path, sizeof path, "%s/%04d-registry.db.z", golden, n);
        if (stat(path, &info) == 0)
            out[count++] = n;
    }
    return count;
}

/* --- what an officer sees --------------------------------------------------------------------- */

static void put_line(struct world *w, unsigned n, const struct ocop_item *item, struct buf *out)
{
    struct ocop_error err = {0};
    struct ocop_record_status *status = NULL;
    ProtobufCMessage *m = NULL;
    char *json = NULL;
    must(ocop_load(w->stores[n], &item->id, &m, &err), &err);
    must(ocop_to_json(m, false, &json, &err), &err);
    must(ocop_record_status(w->stores[n], &item->id, &status, &err), &err);
    const char *line =
        arena_printf(&w->arena, "%u\t%s\tstate %d%s, %u waiting, %zu cases\t%s\n", n, item->kind,
                     (int)item->state, status->has_draft ? ", draft" : "", status->waiting,
                     status->case_count, json);
    assert_non_null(line);
    buf_str(out, line);
    ocop_record_status_free(status);
    ocop_text_free(json);
    ocop_free(m);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(&((const struct ocop_item *)a)->id, &((const struct ocop_item *)b)->id,
                  sizeof(struct ocop_id));
}

/* One line for each record, by device and id. */
static struct span seen(struct world *w)
{
    struct ocop_query all = {.limit = 1000, .voided_too = true};
    struct buf out;
    buf_init(&out, MIB(1));
    for (unsigned n = 0; n < DEVICES; n++) {
        struct ocop_error err = {0};
        struct ocop_list *list = NULL;
        must(ocop_find(w->stores[n], &all, &list, &err), &err);
        assert_false(list->more);
        qsort(list->items, list->count, sizeof *list->items, by_id);
        for (size_t i = 0; i < list->count; i++)
            put_line(w, n, &list->items[i], &out);
        ocop_list_free(list);
    }
    assert_false(out.failed);
    struct span copy = span_of(arena_dup(&w->arena, out.p, out.len), out.len);
    buf_fini(&out);
    return copy;
}

/* --- making them ------------------------------------------------------------------------------ */

static struct ocop_id record(struct world *w, unsigned n, const char *kind, bool draft,
                             const char *const *sets)
{
    struct ocop_error err = {0};
    struct ocop_id out;
    ProtobufCMessage *m = NULL;
    char *json, text[ID_TEXT_LEN + 1], id[ID_TEXT_LEN + 1];
    must(ocop_new(w->stores[n], kind, &m, &err), &err);
    const char *where = arena_printf(&w->arena, "unit_id=%s", id_text(w->commune, id));
    must(ocop_set_text(w->stores[n], &m, where, &err), &err);
    const char *whose = arena_printf(&w->arena, "producer_id=%s", id_text(w->producer, id));
    must(ocop_set_text(w->stores[n], &m, whose, &err), &err);
    for (; *sets; sets++)
        must(ocop_set_text(w->stores[n], &m, *sets, &err), &err);
    must(draft ? ocop_save(w->stores[n], m, &err) : ocop_submit(w->stores[n], m, &err), &err);
    must(ocop_to_json(m, false, &json, &err), &err);
    snprintf(text, sizeof text, "%.36s", strstr(json, "\"id\":\"") + 6);
    assert_true(ocop_id_parse(text, &out));
    ocop_text_free(json);
    ocop_free(m);
    return out;
}

static struct ocop_id inspection(struct world *w, unsigned n, bool draft, const char *notes)
{
    const char *const sets[] = {"inspection_type=unannounced",
                                "conclusion=pass",
                                "score=81",
                                "answers[NC.1].answer=pass",
                                "answers[NC.2].answer=fail",
                                "answers[NC.2].remark=Chưa có sổ theo dõi",
                                arena_printf(&w->arena, "notes=%s", notes),
                                NULL};
    return record(w, n, "inspection", draft, sets);
}

static void sample_and_check(struct world *w, unsigned n)
{
    char id[ID_TEXT_LEN + 1];
    const char *const sample[] = {arena_printf(&w->arena, "product_id=%s", id_text(w->product, id)),
                                  "quantity=2.5", "quantity_unit=kg", "lot_code=L-2026-07", NULL};
    const char *const check[] = {"inspection_type=planned", "conclusion=conditional",
                                 "treatment=bể lắng", NULL};
    record(w, n, "sample", false, sample);
    record(w, n, "environmental_check", false, check);
}

/* Fields and a kind that no program knows yet, as an import writes them. */
static void unknown_things(struct world *w)
{
    struct id id = id_next(&w->registry->ids, w->registry->env);
    struct id other = id_next(&w->registry->ids, w->registry->env);
    struct field kind[] = {{.number = 2, .op = FIELD_SET, .type = VALUE_BYTES},
                           {.number = 12, .op = FIELD_SET, .type = VALUE_BYTES}};
    struct field fields[] = {{.number = 2, .op = FIELD_SET, .type = VALUE_BYTES},
                             {.number = 10, .op = FIELD_SET, .type = VALUE_BYTES},
                             {.number = 11, .op = FIELD_SET, .type = VALUE_BYTES},
                             {.number = 900, .op = FIELD_SET, .type = VALUE_BYTES}};
    kind[0].bytes = fields[0].bytes = id_span(&w->commune);
    kind[1].bytes = fields[3].bytes = span_str("mai sau mới biết");
    fields[1].bytes = span_str("Cơ sở của bản sau");
    fields[2].bytes = span_str("cooperative");
    struct change changes[] = {
        {.kind = 77, .verb = VERB_CREATE, .record = id, .fields = {kind, 2}},
        {.kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = other, .fields = {fields, 4}}};
    world_import(w, changes, 2);
}

/* The role of an inspector is taken from device 1's officer, so that what it sends is refused. */
static void be_inspector(struct world *w, bool yes)
{
    static const char packed[] = "\n\x09inspector";
    uint64_t version;
    assert_int_equal(registry_version(w->registry, &version, NULL), OCOP_OK);
    struct field role = {.number = 15,
                         .op = yes ? FIELD_SET : FIELD_CLEAR,
                         .type = VALUE_ELEMENT,
                         .key = span_str("inspector"),
                         .base = version};
    if (yes)
        role.bytes = span_of(packed, sizeof packed - 1);
    struct change c = {.kind = KIND_OFFICER,
                       .verb = VERB_AMEND,
                       .record = w->officers[1],
                       .base = version,
                       .fields = {&role, 1},
                       .reason = span_str("phân công")};
    world_import(w, &c, 1);
}

static enum ocop_status case_decide(void *self, const struct case_row *c, struct ocop_error *err)
{
    struct id *out = self;
    (void)err;
    *out = c->id;
    return OCOP_OK;
}

static void work_in_the_registry(struct world *w)
{
    struct ocop_error err = {0};
    struct id decided;
    struct ocop_id held = inspection(w, 1, false, "tranh chấp"),
                   closed = inspection(w, 1, false, "đã phân xử"),
                   merged = inspection(w, 1, false, "hai người ghi"),
                   refused = inspection(w, 1, false, "bị từ chối");
    sample_and_check(w, 1);
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 0, closed, "conclusion=fail");
    world_sync(w, 0);
    world_amend(w, 1, closed, "conclusion=conditional");
    world_sync(w, 1);
    must(case_each(w->registry, true, case_decide, &decided, &err), &err);
    must(case_resolve(w->registry, &w->keys, &decided, TAKE_MINE, NULL, "đã xem biên bản",
                      &w->officers[0], &err),
         &err);
    world_amend(w, 0, held, "conclusion=fail");
    world_amend(w, 0, merged, "facility=Xưởng hai");
    world_sync(w, 0);
    world_amend(w, 1, held, "conclusion=conditional");
    world_amend(w, 1, merged, "score=60");
    world_sync(w, 1);
    world_amend(w, 1, refused, "score=12");
    be_inspector(w, false);
    world_sync(w, 1);
    be_inspector(w, true);
    unknown_things(w);
    world_sync(w, 1);
    world_sync(w, 0);
}

/* A restore has lost a producer that the other device has written about: that waits. */
static void work_over_a_restore(struct world *w)
{
    world_backup(w);
    struct ocop_id lost = world_producer(w, 1, "HTX Mới lập");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 0, lost, "notes=của máy kia");
    world_restore(w);
    world_sync(w, 0);
}

/* What stands on device 1 and has not come through. */
static void work_on_the_device(struct world *w)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    struct ocop_id voided = inspection(w, 1, false, "lập trùng"),
                   edited = inspection(w, 1, false, "đang sửa");
    w->links[1].drop_reply = 1; /* taken by the registry, and the device does not know */
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    inspection(w, 1, false, "đã niêm phong");
    w->links[1].drop_request = 1; /* sealed, and not there */
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    inspection(w, 1, false, "chưa gửi");
    must(ocop_void(w->stores[1], &voided, "lập trùng", &err), &err);
    must(ocop_load(w->stores[1], &edited, &m, &err), &err);
    must(ocop_set_text(w->stores[1], &m, "score=44", &err), &err);
    must(ocop_save(w->stores[1], m, &err), &err);
    ocop_free(m);
    inspection(w, 1, true, "bản nháp");
}

static void golden_make(void)
{
    struct world w;
    world_open(&w);
    world_enrol(&w, 0);
    world_enrol(&w, 1);
    work_in_the_registry(&w);
    work_over_a_restore(&w);
    work_on_the_device(&w);
    file_write(golden_path(&w, newest(), "seen", ".txt"), seen(&w));
    file_write(golden_path(&w, newest(), "migrations", ".txt"), migrations_up_to(&w, newest()));
    world_leave(&w);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct ocop_error err = {0};
        struct buf z;
        const char *path = arena_printf(&w.arena, "%s/%s", w.dir, files[i]);
        buf_init(&z, FILE_BYTES_MAX);
        must(zip_deflate(file_read(path, &w.arena), 9, &z, &err), &err);
        file_write(golden_path(&w, newest(), files[i], ".z"), buf_span(&z));
        buf_fini(&z);
    }
    world_close(&w);
}

/* --- opening them ----------------------------------------------------------------------------- */

static void world_of(struct world *w)
{
    memset(w, 0, sizeof *w);
    arena_init(&w->arena, MIB(256));
    snprintf(w->dir, sizeof w->dir, "/tmp/ocop-upgrade-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
}

static int64_t user_version(struct world *w, const char *file)
{
    const char *path = arena_printf(&w->arena, "%s/%s", w->dir, file);
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t version = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return version;
}

static int newest_of(enum migrate_side side, int up_to)
{
    int last = 0;
    for (const struct migration *m = migrations; m->number && m->number <= up_to; m++)
        if (m->sides & (int)side)
            last = m->number;
    return last;
}

static void assert_whole(struct world *w)
{
    struct ocop_error err = {0};
    struct replay_result result;
    static unsigned count;
    for (unsigned n = 0; n < DEVICES; n++) {
        unsigned findings = 99;
        must(ocop_check(w->stores[n], NULL, NULL, &findings, &err), &err);
        assert_int_equal(findings, 0);
    }
    const char *scratch = arena_printf(&w->arena, "%s/scratch-%u.db", w->dir, count++);
    must(replay_check(w->registry, NULL, &result, &err), &err);
    assert_true(result.sets > 20);
    must(replay_compare(w->registry, scratch, &result, &err), &err);
}

static void same_lines(struct span was, struct span is)
{
    size_t at = 0, line = 0;
    while (at < was.len && at < is.len && was.p[at] == is.p[at])
        line = was.p[at++] == '\n' ? at : line;
    if (at < was.len || at < is.len)
        fail_msg("was: %.*s\nis:  %.*s", (int)strcspn((const char *)was.p + line, "\n"),
                 (const char *)was.p + line, (int)strcspn((const char *)is.p + line, "\n"),
                 (const char *)is.p + line);
}

/* Everything gets through: each of the changes that waited is in the registry. */
static void assert_synced(struct world *w)
{
    for (int round = 0; round < 3; round++)
        for (unsigned n = 0; n < DEVICES; n++)
            world_sync(w, n);
    struct ocop_store_status s;
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.drafts, 2);
    assert_int_equal(s.refused, 1);
    assert_true(s.cases >= 1);
    static const char *const notes[] = {"tranh chấp", "đã phân xử", "hai người ghi",
                                        "bị từ chối", "đang sửa",   "đã niêm phong",
                                        "chưa gửi",   "của máy kia"};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        const char *sql = arena_printf(&w->arena,
                                       "SELECT (SELECT count(*) FROM inspection WHERE notes = '%s')"
                                       " + (SELECT count(*) FROM producer WHERE notes = '%s')",
                                       notes[i], notes[i]);
        if (world_count(w, sql) != 1)
            fail_msg("%s: not in the registry once", notes[i]);
    }
    assert_int_equal(
        world_count(w, "SELECT count(*) FROM inspection WHERE notes = 'lập trùng' AND voided"), 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM unknown_kind WHERE kind = 77"), 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM waiting"), 0);
}

/* A device that begins today holds what the registry has, what nobody knows among it. */
static void assert_served_anew(struct world *w)
{
    world_enrol(w, DEVICES);
    struct ocop_store_status old, fresh;
    assert_int_equal(ocop_store_status(w->stores[0], &old, NULL), OCOP_OK);
    assert_int_equal(ocop_store_status(w->stores[DEVICES], &fresh, NULL), OCOP_OK);
    world_sync(w, 0);
    assert_int_equal(fresh.records, old.records);
}

static void every_file_left_behind_opens_and_syncs(void **state)
{
    int v[SCHEMAS_MAX];
    size_t count = schemas(v);
    (void)state;
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        struct world w;
        world_of(&w);
        golden_unpack(&w, v[i]);
        assert_int_equal(user_version(&w, "registry.db"), newest_of(MIGRATE_REGISTRY, v[i]));
        assert_int_equal(user_version(&w, "1.ocop"), newest_of(MIGRATE_STORE, v[i]));
        world_reopen(&w, DEVICES);
        assert_int_equal(user_version(&w, "registry.db"), newest_of(MIGRATE_REGISTRY, newest()));
        assert_int_equal(user_version(&w, "1.ocop"), newest_of(MIGRATE_STORE, newest()));
        assert_whole(&w);
        same_lines(file_read(golden_path(&w, v[i], "seen", ".txt"), &w.arena), seen(&w));
        assert_synced(&w);
        assert_whole(&w);
        assert_served_anew(&w);
        print_message("schema %d: opened, whole, synced\n", v[i]);
        world_close(&w);
    }
}

/* Run the migrations of one side up to `up_to`, as a program of that time would have. */
static void migrate_up_to(struct world *w, const char *file, enum migrate_side side, int up_to)
{
    const char *path = arena_printf(&w->arena, "%s/%s", w->dir, file);
    int from = (int)user_version(w, file);
    struct ocop_error err = {0};
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    must(sum_open(db, &err), &err);
    must(past_open(db, &err), &err);
    for (const struct migration *m = migrations; m->number; m++) {
        if (!(m->sides & (int)side) || m->number <= from || m->number > up_to)
            continue;
        const char *sql = arena_printf(&w->arena, "BEGIN; %s; PRAGMA user_version = %d; COMMIT",
                                       m->sql, m->number);
        assert_non_null(sql);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Power fails between two migrations, or only some of the machines were upgraded: from each schema
 * between the file's and today's the rest is done. */
static void an_upgrade_that_was_cut_between_two_migrations_goes_on(void **state)
{
    int v[SCHEMAS_MAX];
    size_t count = schemas(v);
    (void)state;
    assert_true(count > 0);
    for (const struct migration *m = migrations; m->number; m++) {
        struct world w;
        int at = m->number;
        if (at < v[0])
            continue;
        world_of(&w);
        golden_unpack(&w, v[0]);
        migrate_up_to(&w, "registry.db", MIGRATE_REGISTRY, at);
        migrate_up_to(&w, "1.ocop", MIGRATE_STORE, at);
        world_reopen(&w, DEVICES);
        assert_whole(&w);
        same_lines(file_read(golden_path(&w, v[0], "seen", ".txt"), &w.arena), seen(&w));
        assert_synced(&w);
        world_close(&w);
    }
}

/* Files are made before the next migration is written, since afterwards no program can. Those up to
 * SCHEMAS_TOGETHER were landed together and have one set of files, or none. */
static void the_schema_before_the_newest_has_its_files(void **state)
{
    struct arena a;
    int before = 0;
    (void)state;
    arena_init(&a, MIB(64));
    for (const struct migration *m = migrations; m->number; m++)
        before = m->number < newest() ? m->number : before;
    for (size_t i = 0; i < sizeof files / sizeof *files && newest() > SCHEMAS_TOGETHER; i++)
        assert_true(file_read(arena_printf(&a, "%s/%04d-%s.z", golden, before, files[i]), &a).len >
                    0);
    arena_fini(&a);
}

/* Each line of NNNN-migrations.txt: a migration as it was when the files were made. */
static void a_migration_is_never_edited_and_none_comes_before_one_that_files_have(void **state)
{
    struct world w;
    int v[SCHEMAS_MAX];
    size_t count = schemas(v);
    (void)state;
    world_of(&w);
    for (size_t i = 0; i < count; i++) {
        struct span was = file_read(golden_path(&w, v[i], "migrations", ".txt"), &w.arena);
        struct span is = migrations_up_to(&w, v[i]);
        same_lines(was, is);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_before_the_newest_has_its_files),
        cmocka_unit_test(a_migration_is_never_edited_and_none_comes_before_one_that_files_have),
        cmocka_unit_test(every_file_left_behind_opens_and_syncs),
        cmocka_unit_test(an_upgrade_that_was_cut_between_two_migrations_goes_on),
    };
    const struct CMUnitTest foreign[] = {
        cmocka_unit_test(every_file_left_behind_opens_and_syncs),
    };
    const char *other = getenv("OCOP_GOLDEN");
    env_log_level((enum env_level)(ENV_ERROR + 1));
    golden = other ? other : golden;
    if (getenv("OCOP_RECORD"))
        golden_make();
    if (other)
        return cmocka_run_group_tests(foreign, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
