/* What goes wrong between a device and the registry: keys, frames, disks, files. Each time there is
 * one clear error or an answer "busy", nothing is half done, and what was submitted arrives later.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "disk.h"
#include "records.pb-c.h"
#include "world.h"

static const char *in_dir(struct world *w, const char *name)
{
    const char *path = arena_printf(&w->arena, "%s/%s", w->dir, name);
    assert_non_null(path);
    return path;
}

static struct span load(struct world *w, const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat s;
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &s), 0);
    uint8_t *p = arena_alloc(&w->arena, (size_t)s.st_size + 1);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, (size_t)s.st_size, f), s.st_size);
    fclose(f);
    return span_of(p, (size_t)s.st_size);
}

static void store(const char *path, struct span bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.p, 1, bytes.len, f), bytes.len);
    assert_int_equal(fclose(f), 0);
}

static void dump(struct registry *r, uint8_t hash[HASH_LEN])
{
    struct ocop_error err = {0};
    must(registry_dump(r, NULL, NULL, hash, &err), &err);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void a_device_that_pins_another_server_key_is_told_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct channel_key pinned = w->keys.channel[0];
    world_inspect(w, 0, "pass");
    channel_key_new(&w->keys.channel[0], env_system());
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, &err), OCOP_EAUTH);
    assert_true(err.text[0] != '\0');
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    w->keys.channel[0] = pinned;
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

/* --- frames ----------------------------------------------------------------------------------- */

static void deliver(struct world *w, struct span frame)
{
    struct job job = {.frame = frame};
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_true(job.status == OCOP_OK);
    assert_true(job.reply.len > 0);
    buf_fini(&job.reply);
}

/* Three requests of one device, none of which arrived in time: the second repeats what the first
 * said and adds to it, and so does the third. The network delivers them in every order, some twice.
 */
static void frames_in_any_order_and_number_change_nothing(void **state)
{
    static const unsigned orders[][5] = {{0, 1, 2, 0, 1}, {2, 1, 0, 2, 0}, {1, 0, 2, 2, 1},
                                         {2, 0, 1, 1, 1}, {1, 2, 0, 0, 2}, {0, 2, 1, 0, 2}};
    for (size_t order = 0; order < sizeof orders / sizeof *orders; order++) {
        struct world *w = *state;
        struct span frames[3];
        int64_t before = world_count(w, "SELECT count(*) FROM inspection");
        for (int i = 0; i < 3; i++) {
            world_inspect(w, 0, "pass");
            w->links[0].drop_request = 1;
            assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_ETIMEOUT);
            frames[i].len = w->links[0].last.len;
            frames[i].p = (uint8_t *)arena_dup(&w->arena, w->links[0].last.p, w->links[0].last.len);
            assert_non_null(frames[i].p);
        }
        for (int i = 0; i < 5; i++)
            deliver(w, frames[orders[order][i]]);
        world_sync(w, 0);
        assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), before + 3);
        assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
        assert_int_equal(world_count(w, "SELECT count(*) FROM outcome WHERE code <> 0"), 0);
    }
}

/* --- what this program does not know ---------------------------------------------------------- */

/* Bytes that a newer device puts into a record: field 900, and field 60 of an answer. */
static ProtobufCMessage *newer_inspection(struct world *w)
{
    static const uint8_t answer[] = {0x0a, 4,   'N', 'C',  '.', '1', 0x12, 4,   'p',
                                     'a',  's', 's', 0xe2, 3,   3,   'n',  'e', 'w'};
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL, *newer;
    struct buf b;
    struct ocop_id id = world_inspect(w, 0, "pass");
    must(ocop_load(w->stores[0], &id, &m, &err), &err);
    Ocop__Inspection *old = (Ocop__Inspection *)m;
    /* What must differ in another record: its id and its number on paper. */
    struct ocop_id other = ocop_new_key(w->stores[0]);
    memcpy(old->id.data, other.b, ID_LEN);
    char *minutes_no = old->minutes_no;
    size_t n_answers = old->n_answers;
    old->minutes_no = NULL;
    old->n_answers = 0;
    buf_init(&b, KIB(64));
    assert_true(buf_reserve(&b, protobuf_c_message_get_packed_size(m)));
    b.len = protobuf_c_message_pack(m, b.p);
    old->minutes_no = minutes_no;
    old->n_answers = n_answers;
    buf_varint(&b, 29 << 3 | 2);
    buf_varint(&b, sizeof answer);
    buf_put(&b, answer, sizeof answer);
    buf_varint(&b, 900 << 3 | 2);
    buf_varint(&b, 5);
    buf_str(&b, "later");
    newer = protobuf_c_message_unpack(m->descriptor, NULL, b.len, b.p);
    assert_non_null(newer);
    buf_fini(&b);
    ocop_free(m);
    return newer;
}

static bool has_bytes(struct span in, const char *what)
{
    size_t len = strlen(what);
    for (size_t i = 0; i + len <= in.len; i++)
        if (memcmp(in.p + i, what, len) == 0)
            return true;
    return false;
}

static void unknown_fields_of_records_and_elements_travel_to_another_device(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m = newer_inspection(w), *seen = NULL;
    must(ocop_submit(w->stores[0], m, &err), &err);
    struct ocop_id id;
    memcpy(id.b, ((Ocop__Inspection *)m)->id.data, ID_LEN);
    protobuf_c_message_free_unpacked(m, NULL);
    world_sync(w, 0);
    world_sync(w, 1);
    must(ocop_load(w->stores[1], &id, &seen, &err), &err);
    struct buf b;
    buf_init(&b, KIB(64));
    assert_true(buf_reserve(&b, protobuf_c_message_get_packed_size(seen)));
    b.len = protobuf_c_message_pack(seen, b.p);
    assert_true(has_bytes(buf_span(&b), "\xa2\x38\x05later"));
    assert_true(has_bytes(buf_span(&b), "\xe2\x03\x03new"));
    buf_fini(&b);
    ocop_free(seen);
    /* and what the other device then amends keeps them */
    world_sync(w, 0);
    world_amend(w, 0, id, "score=11");
    world_sync(w, 0);
    world_sync(w, 1);
    char *json = NULL;
    must(ocop_load(w->stores[1], &id, &seen, &err), &err);
    must(ocop_to_json(seen, false, &json, &err), &err);
    assert_non_null(strstr(json, "\"score\":11"));
    assert_non_null(strstr(json, "_unknown"));
    ocop_text_free(json);
    ocop_free(seen);
}

/* A kind of a newer registry is kept on the device as it came. */
static void a_kind_that_nobody_here_knows_is_kept_on_the_device(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct id id = id_next(&w->registry->ids, w->registry->env);
    struct field v[] = {{.number = 2, .op = FIELD_SET, .type = VALUE_BYTES},
                        {.number = 12, .op = FIELD_SET, .type = VALUE_BYTES}};
    v[0].bytes = id_span(&w->commune);
    v[1].bytes = span_str("what a newer registry knows");
    struct change c = {.kind = 77, .verb = VERB_CREATE, .record = id, .fields = {v, 2}};
    world_import(w, &c, 1);
    world_sync(w, 0);
    unsigned findings = 1;
    must(ocop_check(w->stores[0], NULL, NULL, &findings, &err), &err);
    assert_int_equal(findings, 0);
    world_relink(w, 0, &w->links[0].link); /* closes, so that the file is whole */
    ocop_close(w->stores[0]);
    w->stores[0] = NULL;
    assert_true(has_bytes(load(w, in_dir(w, "0.ocop")), "what a newer registry knows"));
}

/* --- disks ------------------------------------------------------------------------------------ */

/* A request that makes the registry do much: a conflicting amendment, a void, a new record. */
static struct span busy_request(struct world *w)
{
    struct ocop_error err = {0};
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=fail");
    world_amend(w, 0, id, "conclusion=conditional");
    world_sync(w, 1);
    struct ocop_id own = world_inspect(w, 0, "pass");
    world_amend(w, 0, own, "score=12");
    must(ocop_void(w->stores[0], &own, "nhầm cơ sở", &err), &err);
    w->links[0].drop_request = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_ETIMEOUT);
    return buf_span(&w->links[0].last);
}

static void reopen(struct world *w, const char *path, const char *vfs)
{
    struct ocop_error err = {0};
    world_close_registry(w);
    must(registry_open(path, false, env_system(), vfs, &w->registry, &err), &err);
    w->registry->keys = &w->keys;
}

/* Answer `frame` on a copy of the registry whose disk fails after n accesses, for n = 0, 1, 2, ...:
 * the answer is "busy" and nothing changed, until it is the one that a sound disk gives. */
static void answers_on_a_failing_disk(struct world *w, void (*left)(int))
{
    struct span frame = busy_request(w);
    const char *path = in_dir(w, "registry.db"), *copy = in_dir(w, "copy.db");
    uint8_t before[HASH_LEN], want[HASH_LEN], after[HASH_LEN];
    unsigned failed = 0;

    world_close_registry(w);
    struct span sound = load(w, path);
    store(copy, sound);
    reopen(w, copy, NULL);
    dump(w->registry, before);
    deliver(w, frame);
    dump(w->registry, want);
    assert_memory_not_equal(before, want, HASH_LEN);
    disk_register();
    for (enum ocop_status st = OCOP_EBUSY; st != OCOP_OK; failed++) {
        struct job job = {.frame = frame};
        world_close_registry(w);
        store(copy, sound);
        reopen(w, copy, DISK_VFS);
        left((int)failed);
        exchange_batch(w->registry, &w->keys, &job, 1);
        left(-1);
        st = job.status;
        if (st != OCOP_OK && st != OCOP_EBUSY)
            fail_msg("after %u accesses: %s", failed, err_name(st));
        assert_true(job.reply.len > 0);
        buf_fini(&job.reply);
        assert_true(sqlite3_get_autocommit(w->registry->db));
        dump(w->registry, after);
        assert_memory_equal(after, st == OCOP_OK ? want : before, HASH_LEN);
    }
    assert_true(failed > 5);
    reopen(w, path, NULL);
    disk_unregister();
    world_sync(w, 0);
}

static void a_full_disk_at_any_write_of_the_registry_is_busy_and_changes_nothing(void **state)
{
    answers_on_a_failing_disk(*state, disk_writes_left);
}

static void a_read_that_fails_in_the_registry_is_never_an_outcome(void **state)
{
    answers_on_a_failing_disk(*state, disk_reads_left);
}

static void a_read_only_store_says_so_and_is_left_as_it_is(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_store *s = NULL;
    const char *path = in_dir(w, "1.ocop");
    bool root = geteuid() == 0;
    ocop_close(w->stores[1]);
    w->stores[1] = NULL;
    struct span before = load(w, path);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(w->dir, 0555), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    enum ocop_status st = ocop_open(path, NULL, &s, &err);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(w->dir, 0755), 0);
    assert_int_equal(st, OCOP_EDB);
    assert_null(s);
    assert_non_null(strstr(err.text, "read-only"));
    assert_true(span_eq(before, load(w, path)));
}

/* --- files ------------------------------------------------------------------------------------ */

/* Use a store for all it is for; whatever happens, no call may crash or hang. */
static bool use_store(struct world *w, const char *path)
{
    struct ocop_error err = {0};
    struct ocop_options options = {.must_exist = true, .link = &w->links[1].link};
    struct ocop_store *s = NULL;
    struct ocop_query query = {.text = "duc lap"};
    struct ocop_list *list = NULL;
    struct ocop_store_status status;
    unsigned findings = 0;
    bool told = ocop_open(path, &options, &s, &err) != OCOP_OK;
    if (told) {
        assert_null(s);
        assert_true(err.text[0] != '\0');
        return true;
    }
    told |= ocop_store_status(s, &status, &err) != OCOP_OK;
    told |= ocop_find(s, &query, &list, &err) != OCOP_OK;
    for (size_t i = 0; list && i < list->count; i++) {
        ProtobufCMessage *m = NULL;
        told |= ocop_load(s, &list->items[i].id, &m, &err) != OCOP_OK;
        ocop_free(m);
    }
    ocop_list_free(list);
    told |= ocop_check(s, NULL, NULL, &findings, &err) != OCOP_OK || findings > 0;
    told |= ocop_sync(s, NULL, NULL, &err) != OCOP_OK;
    ocop_close(s);
    return told;
}

/* Pages of a file overwritten one after the other with what is no page. */
static void a_store_with_a_damaged_page_is_told_as_such_and_never_crashes(void **state)
{
    enum { PAGE = 4096 };
    struct world *w = *state;
    unsigned told = 0, pages;
    for (int i = 0; i < 3; i++)
        world_inspect(w, 1, "pass");
    world_sync(w, 1);
    ocop_close(w->stores[1]);
    w->stores[1] = NULL;
    struct span sound = load(w, in_dir(w, "1.ocop"));
    const char *copy = in_dir(w, "copy.ocop");
    pages = (unsigned)(sound.len / PAGE);
    assert_true(pages > 10);
    for (unsigned page = 0; page < pages; page++) {
        uint8_t *bytes = (uint8_t *)arena_dup(&w->arena, sound.p, sound.len);
        assert_non_null(bytes);
        for (size_t i = 16; i < PAGE; i++) /* the magic of the first page stays */
            bytes[page * PAGE + i] = (uint8_t)(0xa5 ^ i * 7);
        store(copy, span_of(bytes, sound.len));
        told += use_store(w, copy);
        (void)unlink(in_dir(w, "copy.ocop-wal"));
        (void)unlink(in_dir(w, "copy.ocop-shm"));
    }
    /* free pages and those of kinds that hold nothing may be damaged without harm */
    assert_in_range(told, pages / 4, pages);
}

static void a_registry_with_a_damaged_page_answers_busy_and_never_crashes(void **state)
{
    enum { PAGE = 4096 };
    struct world *w = *state;
    struct span frame = busy_request(w);
    unsigned told = 0, pages;
    world_close_registry(w);
    struct span sound = load(w, in_dir(w, "registry.db"));
    const char *copy = in_dir(w, "copy.db");
    pages = (unsigned)(sound.len / PAGE);
    assert_true(pages > 10);
    for (unsigned page = 0; page < pages; page++) {
        struct ocop_error err = {0};
        struct registry *r = NULL;
        uint8_t *bytes = (uint8_t *)arena_dup(&w->arena, sound.p, sound.len);
        assert_non_null(bytes);
        for (size_t i = 16; i < PAGE; i++)
            bytes[page * PAGE + i] = (uint8_t)(0xa5 ^ i * 7);
        store(copy, span_of(bytes, sound.len));
        if (registry_open(copy, false, env_system(), NULL, &r, &err) != OCOP_OK) {
            assert_null(r);
            assert_true(err.text[0] != '\0');
            told++;
        } else {
            struct job job = {.frame = frame};
            exchange_batch(r, &w->keys, &job, 1);
            told += job.status != OCOP_OK;
            assert_true(job.status == OCOP_OK || job.status == OCOP_EBUSY);
            buf_fini(&job.reply);
            registry_close(r);
        }
        (void)unlink(in_dir(w, "copy.db-wal"));
        (void)unlink(in_dir(w, "copy.db-shm"));
    }
    assert_in_range(told, 5, pages);
    struct ocop_error err = {0};
    must(registry_open(in_dir(w, "registry.db"), false, env_system(), NULL, &w->registry, &err),
         &err);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void files_of_a_newer_program_are_refused_and_not_touched(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    const char *store_path = in_dir(w, "1.ocop"), *path = in_dir(w, "registry.db");
    struct ocop_store *s = NULL;
    ocop_close(w->stores[1]);
    w->stores[1] = NULL;
    world_close_registry(w);
    sql(store_path, "PRAGMA journal_mode = DELETE; PRAGMA user_version = 9999");
    sql(path, "PRAGMA journal_mode = DELETE; PRAGMA user_version = 9999");
    struct span store_before = load(w, store_path), before = load(w, path);
    assert_int_equal(ocop_open(store_path, NULL, &s, &err), OCOP_EVERSION);
    assert_null(s);
    assert_non_null(strstr(err.text, "newer"));
    assert_int_equal(registry_open(path, false, env_system(), NULL, &w->registry, &err),
                     OCOP_EVERSION);
    assert_null(w->registry);
    assert_non_null(strstr(err.text, "newer"));
    assert_true(span_eq(store_before, load(w, store_path)));
    assert_true(span_eq(before, load(w, path)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, world_teardown)
        T(a_device_that_pins_another_server_key_is_told_and_loses_nothing),
        T(frames_in_any_order_and_number_change_nothing),
        T(unknown_fields_of_records_and_elements_travel_to_another_device),
        T(a_kind_that_nobody_here_knows_is_kept_on_the_device),
        T(a_full_disk_at_any_write_of_the_registry_is_busy_and_changes_nothing),
        T(a_read_that_fails_in_the_registry_is_never_an_outcome),
        T(a_read_only_store_says_so_and_is_left_as_it_is),
        T(a_store_with_a_damaged_page_is_told_as_such_and_never_crashes),
        T(a_registry_with_a_damaged_page_answers_busy_and_never_crashes),
        T(files_of_a_newer_program_are_refused_and_not_touched),
    };
    env_log_level((enum env_level)(ENV_ERROR + 1)); /* the failures are meant */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
