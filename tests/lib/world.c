#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

#include "backup.h"
#include "bounds.h"
#include "json.h"
#include "query.h"
#include "replay.h"
#include "values.h"

static void ok(enum ocop_status st, const struct ocop_error *err)
{
    if (st != OCOP_OK)
        fail_msg("%s %s: %s", err_name(st), err->field, err->text);
}

static enum ocop_status world_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                      struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static void deliver(struct world_link *l, struct span request, struct buf *reply)
{
    struct job job = {.frame = request};
    struct world *w = l->world;
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_int_equal(readback_batch(w->readback, w->registry), 0);
    l->exchanges++;
    buf_clear(reply);
    buf_put(reply, job.reply.p, job.reply.len);
    buf_fini(&job.reply);
}

static enum ocop_status world_exchange(struct link *link, struct span request, int timeout_ms,
                                       const atomic_bool *cancel, struct buf *reply,
                                       struct ocop_error *err)
{
    struct world_link *l = (struct world_link *)link;
    (void)timeout_ms, (void)cancel;
    buf_clear(&l->last);
    buf_put(&l->last, request.p, request.len);
    if (l->drop_request && --l->drop_request == 0)
        return err_set(err, OCOP_ETIMEOUT, "the request was lost");
    if (l->repeat)
        deliver(l, request, reply);
    deliver(l, request, reply);
    if (l->drop_reply && --l->drop_reply == 0)
        return err_set(err, OCOP_ETIMEOUT, "the reply was lost");
    return reply->len ? OCOP_OK : err_set(err, OCOP_ENET, "no reply");
}

/* Nothing goes anywhere before the reply is waited for: a device may take no more for granted. */
static enum ocop_status world_start(struct link *link, struct span request, struct ocop_error *err)
{
    struct world_link *l = (struct world_link *)link;
    (void)err;
    l->starts++;
    buf_clear(&l->started);
    buf_put(&l->started, request.p, request.len);
    return OCOP_OK;
}

static enum ocop_status world_finish(struct link *link, int timeout_ms, const atomic_bool *cancel,
                                     struct buf *reply, struct ocop_error *err)
{
    struct world_link *l = (struct world_link *)link;
    return world_exchange(link, buf_span(&l->started), timeout_ms, cancel, reply, err);
}

static void world_link_close(struct link *l)
{
    (void)l;
}

uint64_t world_import(struct world *w, struct change *changes, size_t count)
{
    struct ocop_error err = {0};
    struct author au;
    uint64_t version;
    struct changes set = {changes, count};
    ok(registry_begin(w->registry, &err), &err);
    ok(author_begin(w->registry, &w->keys, "import", "test", NULL, &au, &err), &err);
    ok(author_write(&au, &set, &w->arena, &version, &err), &err);
    author_end(&au);
    ok(registry_commit(w->registry, &err), &err);
    return version;
}

static struct change create(uint32_t kind, const struct id *id, struct field *v, size_t count)
{
    return (struct change){.kind = kind, .verb = VERB_CREATE, .record = *id, .fields = {v, count}};
}

static void master_data(struct world *w)
{
    struct id *ids[] = {&w->province, &w->commune, &w->other_commune, &w->producer, &w->product};
    for (size_t i = 0; i < 5; i++)
        *ids[i] = id_next(&w->registry->ids, w->registry->env);
    struct field province[] = {text(10, "68"), text(11, "Tỉnh Lâm Đồng"), text(12, "province"),
                               text(14, "2025-07-01")};
    struct field commune[] = {text(10, "24664"), text(11, "Xã Đức Lập"), text(12, "commune"),
                              ref(13, &w->province), text(14, "2025-07-01")};
    struct field other[] = {text(10, "24670"), text(11, "Xã Đắk Mil"), text(12, "commune"),
                            ref(13, &w->province), text(14, "2025-07-01")};
    struct field producer[] = {ref(2, &w->commune), text(10, "HTX Cà phê Đức Lập"),
                               text(11, "cooperative")};
    struct field product[] = {ref(2, &w->commune), text(10, "Cà phê bột"), ref(11, &w->producer)};
    struct change changes[] = {create(KIND_UNIT, &w->province, province, 4),
                               create(KIND_UNIT, &w->commune, commune, 5),
                               create(KIND_UNIT, &w->other_commune, other, 5),
                               create(KIND_PRODUCER, &w->producer, producer, 3),
                               create(KIND_PRODUCT, &w->product, product, 3)};
    world_import(w, changes, 5);
    assert_int_equal(world_count(w, "SELECT count(*) FROM outcome"), 0);
}

void world_open(struct world *w)
{
    struct ocop_error err = {0};
    char path[128], keys[160];
    memset(w, 0, sizeof *w);
    arena_init(&w->arena, MIB(256));
    snprintf(w->dir, sizeof w->dir, "/tmp/ocop-world-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(path, sizeof path, "%s/registry.db", w->dir);
    snprintf(keys, sizeof keys, "%s.keys", path);
    ok(keys_create(keys, env_system(), &w->keys, &err), &err);
    ok(registry_open(path, true, env_system(), NULL, &w->registry, &err), &err);
    ok(backup_beside(path, ".ledger", w->registry->ledger, &err), &err);
    ok(genesis(w->registry, &w->keys, "test", &err), &err);
    ok(readback_open(path, env_system(), 1, &w->readback, &err), &err);
    master_data(w);
}

/* Whatever a test made of the registry, each of its statements summed what it wrote. */
static void sums_hold(struct world *w)
{
    struct ocop_error err = {0};
    ok(query_sums(w->registry, QUERY_SUMS_OWN, &err), &err);
    ok(query_sums(w->registry, QUERY_SUMS_LOG, &err), &err);
}

void world_close_registry(struct world *w)
{
    readback_close(w->readback);
    registry_close(w->registry);
    w->readback = NULL;
    w->registry = NULL;
}

void world_leave(struct world *w)
{
    if (w->registry && !w->damaged)
        sums_hold(w);
    for (unsigned i = 0; i < WORLD_DEVICES_MAX; i++) {
        ocop_close(w->stores[i]);
        w->stores[i] = NULL;
        buf_fini(&w->links[i].last);
        buf_fini(&w->links[i].started);
    }
    world_close_registry(w);
}

void world_close(struct world *w)
{
    char command[96];
    world_leave(w);
    arena_fini(&w->arena);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
}

int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    *state = w;
    world_open(w);
    return 0;
}

int world_setup_0(void **state)
{
    world_setup(state);
    world_enrol(*state, 0);
    return 0;
}

int world_setup_1(void **state)
{
    world_setup(state);
    world_enrol(*state, 1);
    return 0;
}

int world_setup_01(void **state)
{
    world_setup_0(state);
    world_enrol(*state, 1);
    return 0;
}

int world_teardown(void **state)
{
    struct world *w = *state;
    struct replay_result result;
    struct ocop_error err = {0};
    if (w->registry && !w->damaged)
        ok(replay_compare(w->registry, ":memory:", &result, &err), &err);
    world_close(w);
    free(w);
    return 0;
}

void world_backup(struct world *w)
{
    struct ocop_error err = {0};
    struct backup_result result;
    char copy[128];
    snprintf(copy, sizeof copy, "%s/backup.db", w->dir);
    unlink(copy);
    ok(backup_make(w->registry, copy, false, &result, &err), &err);
}

void world_restore(struct world *w)
{
    struct ocop_error err = {0};
    struct backup_result result;
    char copy[128], path[128], moved[BACKUP_PATH_MAX];
    snprintf(copy, sizeof copy, "%s/backup.db", w->dir);
    snprintf(path, sizeof path, "%s/registry.db", w->dir);
    world_close_registry(w);
    ok(backup_restore(copy, path, true, env_system(), moved, &result, &err), &err);
    ok(registry_open(path, false, env_system(), NULL, &w->registry, &err), &err);
    ok(backup_beside(path, ".ledger", w->registry->ledger, &err), &err);
    ok(readback_open(path, env_system(), 1, &w->readback, &err), &err);
    sums_hold(w);
}

static void device_link(struct world *w, unsigned n)
{
    struct world_link *l = &w->links[n];
    buf_fini(&l->last); /* of an earlier device of this number */
    buf_fini(&l->started);
    *l = (struct world_link){.link = {.connect = world_connect,
                                      .exchange = world_exchange,
                                      .close = world_link_close,
                                      .start = world_start,
                                      .finish = world_finish},
                             .world = w};
    buf_init(&l->last, FRAME_BYTES_MAX);
    buf_init(&l->started, FRAME_BYTES_MAX);
}

static void device_open(struct world *w, unsigned n)
{
    struct ocop_error err = {0};
    struct ocop_options options = {.link = &w->links[n]};
    char path[128];
    snprintf(path, sizeof path, "%s/%u.ocop", w->dir, n);
    ok(ocop_open(path, &options, &w->stores[n], &err), &err);
}

void world_copy(struct world *w, unsigned from, unsigned to)
{
    char command[160];
    ocop_close(w->stores[from]); /* the last connection writes all into the one file */
    snprintf(command, sizeof command, "cp %s/%u.ocop %s/%u.ocop", w->dir, from, w->dir, to);
    assert_int_equal(system(command), 0);
    device_link(w, to);
    device_open(w, from);
    device_open(w, to);
}

static struct id named(struct world *w, const char *sql)
{
    sqlite3_stmt *s = NULL;
    struct id out = {{0}};
    assert_int_equal(sqlite3_prepare_v2(w->registry->db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(s, 0), ID_LEN);
    memcpy(out.b, sqlite3_column_blob(s, 0), ID_LEN);
    sqlite3_finalize(s);
    return out;
}

void world_reopen(struct world *w, unsigned devices)
{
    struct ocop_error err = {0};
    char path[128], keys[160];
    snprintf(path, sizeof path, "%s/registry.db", w->dir);
    snprintf(keys, sizeof keys, "%s.keys", path);
    ok(keys_load(keys, &w->keys, &err), &err);
    ok(registry_open(path, false, env_system(), NULL, &w->registry, &err), &err);
    w->province = named(w, "SELECT id FROM unit WHERE code = '68'");
    w->commune = named(w, "SELECT id FROM unit WHERE code = '24664'");
    w->other_commune = named(w, "SELECT id FROM unit WHERE code = '24670'");
    w->product = named(w, "SELECT id FROM product WHERE name = 'Cà phê bột'");
    w->producer = named(w, "SELECT producer_id FROM product WHERE name = 'Cà phê bột'");
    for (unsigned n = 0; n < devices; n++) {
        device_link(w, n);
        device_open(w, n);
    }
}

static void officer_create(struct world *w, unsigned n)
{
    static const char *const roles[] = {"environment_officer", "inspector", "reconciler",
                                        "sampler"};
    struct field v[5] = {text(10, "Cán bộ kiểm tra")};
    size_t count = 1;
    for (size_t i = 0; i < 4; i++) {
        size_t len = strlen(roles[i]);
        if (i == 2 && n != 0)
            continue;
        char *packed = arena_printf(&w->arena, "\n%c%s", (int)len, roles[i]);
        v[count++] = (struct field){.number = 15,
                                    .op = FIELD_SET,
                                    .type = VALUE_ELEMENT,
                                    .key = span_of(packed + 2, len),
                                    .bytes = span_of(packed, len + 2)};
    }
    w->officers[n] = id_next(&w->registry->ids, w->registry->env);
    struct change c = create(KIND_OFFICER, &w->officers[n], v, count);
    world_import(w, &c, 1);
}

const char *world_invitation(struct world *w, unsigned n)
{
    struct ocop_error err = {0};
    const char *code;
    struct invitation_terms terms = {.officer = w->officers[n],
                                     .scope = &w->commune,
                                     .scope_count = 1,
                                     .address = w->address ? w->address : "tcp://127.0.0.1:1",
                                     .expires_ms = env_now_ms(env_system()) + 60000};
    ok(registry_begin(w->registry, &err), &err);
    ok(invite_make(w->registry, &w->keys, &terms, &w->arena, &code, &err), &err);
    ok(registry_commit(w->registry, &err), &err);
    return code;
}

void world_enrol(struct world *w, unsigned n)
{
    struct ocop_error err = {0};
    const char *code;
    device_link(w, n);
    officer_create(w, n);
    code = world_invitation(w, n);
    device_open(w, n);
    ok(ocop_enrol(w->stores[n], code, "test", &err), &err);
    world_sync(w, n);
}

void world_relink(struct world *w, unsigned n, struct link *link)
{
    struct ocop_error err = {0};
    struct ocop_options options = {.must_exist = true, .link = link};
    char path[128];
    snprintf(path, sizeof path, "%s/%u.ocop", w->dir, n);
    ocop_close(w->stores[n]);
    ok(ocop_open(path, &options, &w->stores[n], &err), &err);
}

void world_enrol_copied(struct world *w, unsigned n, unsigned copy)
{
    world_enrol(w, n);
    world_inspect(w, n, "pass");
    world_sync(w, n);
    world_copy(w, n, copy);
}

struct ocop_sync_summary world_sync(struct world *w, unsigned n)
{
    struct ocop_error err = {0};
    struct ocop_sync_summary summary;
    ok(ocop_sync(w->stores[n], NULL, &summary, &err), &err);
    assert_true(summary.complete);
    return summary;
}

static struct ocop_id record_made(struct world *w, unsigned n, const char *kind,
                                  const char *const *sets, size_t count, bool draft)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    struct ocop_id out;
    ok(ocop_new(w->stores[n], kind, &m, &err), &err);
    for (size_t i = 0; i < count; i++)
        ok(ocop_set_text(w->stores[n], &m, sets[i], &err), &err);
    ok(draft ? ocop_save(w->stores[n], m, &err) : ocop_submit(w->stores[n], m, &err), &err);
    char *json;
    ok(ocop_to_json(m, false, &json, &err), &err);
    const char *id = strstr(json, "\"id\":\"");
    assert_non_null(id);
    char id_copy[ID_TEXT_LEN + 1];
    snprintf(id_copy, sizeof id_copy, "%.36s", id + 6);
    assert_true(ocop_id_parse(id_copy, &out));
    ocop_text_free(json);
    ocop_free(m);
    return out;
}

struct ocop_id world_submit(struct world *w, unsigned n, const char *kind, const char *const *sets,
                            size_t count)
{
    return record_made(w, n, kind, sets, count, false);
}

static struct ocop_id inspection(struct world *w, unsigned n, const char *conclusion, bool draft)
{
    char id_of[ID_TEXT_LEN + 1], unit[64], producer[64], concluded[64];
    snprintf(unit, sizeof unit, "unit_id=%s", id_text(w->commune, id_of));
    snprintf(producer, sizeof producer, "producer_id=%s", id_text(w->producer, id_of));
    snprintf(concluded, sizeof concluded, "conclusion=%s", conclusion);
    const char *const sets[] = {unit,      producer,   "inspection_type=planned",
                                concluded, "score=70", "answers[NC.1].answer=pass"};
    return record_made(w, n, "inspection", sets, sizeof sets / sizeof *sets, draft);
}

struct ocop_id world_inspect(struct world *w, unsigned n, const char *conclusion)
{
    return inspection(w, n, conclusion, false);
}

struct ocop_id world_draft(struct world *w, unsigned n)
{
    return inspection(w, n, "pass", true);
}

void world_move(struct world *w, uint32_t kind, struct ocop_id id, const struct id *unit)
{
    struct ocop_error err = {0};
    struct change c = {.kind = kind, .verb = VERB_AMEND, .reason = span_str("chuyển xã")};
    memcpy(c.record.b, id.b, ID_LEN);
    ok(registry_version(w->registry, &c.base, &err), &err);
    struct field v = {.number = FIELD_UNIT,
                      .op = FIELD_SET,
                      .type = VALUE_BYTES,
                      .bytes = id_span(unit),
                      .base = c.base};
    c.fields = (struct fields){&v, 1};
    world_import(w, &c, 1);
}

bool world_has_content(struct world *w, unsigned n, const uint8_t hash[HASH_LEN])
{
    char path[512], name[CONTENT_NAME_LEN + 1];
    content_name(hash, name);
    snprintf(path, sizeof path, "%s/%u.ocop.blobs/%.2s/%s", w->dir, n, name, name);
    return access(path, F_OK) == 0;
}

bool world_on_disk(struct world *w, unsigned n, const char *text)
{
    char command[256];
    snprintf(command, sizeof command, "grep -qsaF '%s' %s/%u.ocop*", text, w->dir, n);
    return system(command) == 0;
}

void world_state(struct world *w, unsigned n, enum device_state state)
{
    struct ocop_error err = {0};
    struct id replica;
    world_replica(w, n, &replica);
    ok(registry_begin(w->registry, &err), &err);
    ok(device_state_set(w->registry, &w->keys, &replica, state, "mất máy", &err), &err);
    ok(registry_commit(w->registry, &err), &err);
}

struct ocop_id world_producer(struct world *w, unsigned n, const char *name)
{
    char id_of[ID_TEXT_LEN + 1], unit[64], named[128];
    snprintf(unit, sizeof unit, "unit_id=%s", id_text(w->commune, id_of));
    snprintf(named, sizeof named, "name=%s", name);
    const char *const sets[] = {unit, named, "producer_type=cooperative"};
    return world_submit(w, n, "producer", sets, sizeof sets / sizeof *sets);
}

void world_amend(struct world *w, unsigned n, struct ocop_id id, const char *assignment)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    ok(ocop_load(w->stores[n], &id, &m, &err), &err);
    ok(ocop_set_text(w->stores[n], &m, assignment, &err), &err);
    ok(ocop_amend(w->stores[n], m, "kiểm tra lại", &err), &err);
    ocop_free(m);
}

const char *world_value(struct world *w, const char *kind, struct ocop_id id, const char *field)
{
    struct ocop_error err = {0};
    const struct kind *k = kind_by_name(kind);
    struct fields record;
    struct row_meta meta;
    struct id record_id;
    struct buf b;
    memcpy(record_id.b, id.b, ID_LEN);
    ok(row_load(w->registry->rows, k->number, &record_id, &w->arena, &record, &meta, &err), &err);
    const struct field *f =
        fields_find(&record, kind_field_by_name(k, field)->number, span_of(NULL, 0));
    if (!f || f->op == FIELD_CLEAR)
        return "null";
    buf_init(&b, KIB(64));
    ok(json_value(k, f, &b, &err), &err);
    const char *out = arena_dup(&w->arena, b.p, b.len);
    buf_fini(&b);
    return out;
}

struct id world_case(struct world *w)
{
    struct id id = {{0}};
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(w->registry->db, "SELECT id FROM cases", -1, &s, NULL), 0);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_true(id_from(span_of(sqlite3_column_blob(s, 0), ID_LEN), &id));
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
    return id;
}

int64_t world_count(struct world *w, const char *sql)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(w->registry->db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

void world_replica(struct world *w, unsigned n, struct id *out)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(w->registry->db,
                                        "SELECT id FROM replica WHERE officer_id = ?1"
                                        " AND replica_type = 'device' ORDER BY born DESC",
                                        -1, &s, NULL),
                     SQLITE_OK);
    sqlite3_bind_blob(s, 1, w->officers[n].b, ID_LEN, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_true(id_from(span_of(sqlite3_column_blob(s, 0), ID_LEN), out));
    sqlite3_finalize(s);
}
