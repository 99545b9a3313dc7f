/* Stores that are encrypted: what their files show, which key opens them, and how it is changed. */
#include "test.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "files.h"
#include "keyed.h"
#include "migrate.h"
#include "ocop.h"
#include "sum.h"
#include "world.h"

#define PASSPHRASE "cà phê sữa đá, không đường"
#define NAME "Hợp tác xã Bánh tráng mắm ruốc Cư Jút"

static const uint8_t key_a[32] = "one key, taken as it is........";
static const uint8_t key_b[32] = "another key, taken as it is....";

/* Known to stand in a store that is not encrypted. */
static const char *const known[] = {
    NAME,           "Cán bộ kiểm tra", "tcp://127.0.0.1:1", "không rõ nguồn gốc nguyên liệu",
    "CREATE TABLE", "outbox",          "SQLite format 3"};
enum { KNOWN_COUNT = sizeof known / sizeof *known };

struct place {
    char dir[32], path[64];
};

static int place_open(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    assert_non_null(p);
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/ocop-cipher-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->path, sizeof p->path, "%s/store.ocop", p->dir);
    keyed_off(true);
    disk_register();
    *state = p;
    return 0;
}

static int place_close(void **state)
{
    struct place *p = *state;
    char command[64];

    disk_writes_left(-1);
    disk_unregister();
    keyed_off(false);
    (void)snprintf(command, sizeof command, "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

static enum ocop_status open_with(const char *path, const char *vfs, const void *key, size_t len,
                                  struct ocop_store **out, struct ocop_error *err)
{
    struct ocop_options o = {.vfs = vfs, .key = key, .key_len = len};

    memset(err, 0, sizeof *err);
    return ocop_open(path, &o, out, err);
}

static struct ocop_store *must_open(const char *path, const char *vfs, const void *key, size_t len)
{
    struct ocop_store *store;
    struct ocop_error err;

    if (open_with(path, vfs, key, len, &store, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    return store;
}

/* What opening says, and that it says what to do. */
static void assert_opens_not(const char *path, const void *key, size_t len, enum ocop_status want,
                             const char *text)
{
    struct ocop_store *store;
    struct ocop_error err;

    assert_int_equal(open_with(path, NULL, key, len, &store, &err), want);
    assert_null(store);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

/* A stored value, without the roles and units that records need: what a store holds of its own. */
static void put_text(const char *path, const uint8_t *key, const char *text)
{
    struct cipher_key used;
    sqlite3 *db;
    sqlite3_stmt *st;

    assert_int_equal(
        db_open_keyed(path, false, false, NULL, span_of(key, key ? 32 : 0), &used, &db, NULL),
        OCOP_OK);
    assert_int_equal(sum_open(db, NULL), OCOP_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO stub VALUES (?1, 1, ?2, row_sum(?1, 1, ?2))",
                           -1, &st, NULL),
        SQLITE_OK);
    sqlite3_bind_blob(st, 1, "0123456789abcdef", 16, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, text, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_text(const char *path, const uint8_t *key, const char *text)
{
    struct cipher_key used;
    sqlite3 *db;
    sqlite3_stmt *st;

    assert_int_equal(
        db_open_keyed(path, false, false, NULL, span_of(key, key ? 32 : 0), &used, &db, NULL),
        OCOP_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT label FROM stub", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), text);
    sqlite3_finalize(st);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_sound(struct ocop_store *store)
{
    unsigned findings = 1;

    assert_int_equal(ocop_check(store, NULL, NULL, &findings, NULL), OCOP_OK);
    assert_int_equal(findings, 0);
}

static bool is_encrypted(struct ocop_store *store)
{
    struct ocop_store_status status;

    assert_int_equal(ocop_store_status(store, &status, NULL), OCOP_OK);
    return status.encrypted;
}

/* --- what the files show --------------------------------------------------------------------- */

/* An inspection with remarks, a draft, a producer; some synced, some not, the log not yet in the
 * file. */
static void work(struct world *w)
{
    struct ocop_id id = world_inspect(w, 0, "fail");

    world_producer(w, 0, NAME);
    world_sync(w, 0);
    world_amend(w, 0, id, "notes=không rõ nguồn gốc nguyên liệu");
    world_sync(w, 0);
    world_inspect(w, 0, "pass");
}

static void assert_shows(const struct files *f, bool plain)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        const char *where = files_find(f, known[i], strlen(known[i]));
        if (!plain && where)
            fail_msg("\"%s\" stands in %s", known[i], where);
        if (plain && !where)
            fail_msg("\"%s\" stands nowhere: the test cannot fail", known[i]);
    }
    assert_null(files_find(f, keyed_key, KEYED_LEN));
    assert_null(files_find(f, keyed_key, KEYED_LEN / 2));
}

static void nothing_that_was_saved_stands_in_the_files(void **state)
{
    (void)state;
    for (int plain = 0; plain <= 1; plain++) {
        struct world *w = calloc(1, sizeof *w);
        struct files open, closed;
        assert_non_null(w);
        keyed_off(plain);
        world_open(w);
        world_enrol(w, 0);
        work(w);
        files_read(w->dir, "0.ocop", &open);
        assert_int_equal(open.count, 3); /* the file, its log and the log's index */
        assert_shows(&open, plain);
        ocop_close(w->stores[0]);
        w->stores[0] = NULL;
        files_read(w->dir, "0.ocop", &closed);
        assert_int_equal(closed.count, 1);
        assert_shows(&closed, plain);
        /* As after a crash: the file and the log of a store that was never closed. */
        files_write(&open, w->dir, "0.ocop", "crashed.ocop");
        files_free(&open);
        files_free(&closed);
        char path[128];
        struct ocop_list *list = NULL;
        struct ocop_query all = {.kind = "inspection"};
        (void)snprintf(path, sizeof path, "%s/crashed.ocop", w->dir);
        struct ocop_store *store = must_open(path, NULL, NULL, 0); /* keyed.c gives the key */
        assert_int_equal(is_encrypted(store), !plain);
        assert_int_equal(ocop_find(store, &all, &list, NULL), OCOP_OK);
        assert_int_equal(list->count, 2);
        ocop_list_free(list);
        assert_sound(store);
        files_read(w->dir, "crashed.ocop", &open);
        assert_shows(&open, plain);
        files_free(&open);
        ocop_close(store);
        world_close(w);
        free(w);
    }
}

/* --- keys ------------------------------------------------------------------------------------ */

/* A store as a crash leaves it: all that was saved stands in the log, which whoever reads it with a
 * wrong key could take for empty, and throw away. */
static void crashed_store(struct place *p, const void *key, size_t len)
{
    struct ocop_store *store = must_open(p->path, NULL, key, len);
    struct files f;

    put_text(p->path, key, NAME);
    files_read(p->dir, "store.ocop", &f);
    assert_int_equal(f.count, 3);
    ocop_close(store);
    assert_int_equal(unlink(p->path), 0);
    files_write(&f, p->dir, "store.ocop", "store.ocop");
    files_free(&f);
}

static void a_wrong_key_opens_nothing_and_changes_nothing(void **state)
{
    struct place *p = *state;
    struct files before, after;
    uint8_t near[32];

    crashed_store(p, key_a, 32);
    memcpy(near, key_a, sizeof near);
    near[31] ^= 1;
    files_read(p->dir, "", &before);
    assert_opens_not(p->path, key_b, 32, OCOP_EAUTH, "try the right key");
    assert_opens_not(p->path, near, 32, OCOP_EAUTH, "try the right key");
    assert_opens_not(p->path, key_a, 31, OCOP_EAUTH, "try the right key"); /* a passphrase */
    assert_opens_not(p->path, NULL, 0, OCOP_EAUTH, "is encrypted");
    assert_opens_not(p->path, key_a, 15, OCOP_EINVAL, "16 to 1024 bytes");
    assert_opens_not(p->path, before.v[0].bytes, 1025, OCOP_EINVAL, "16 to 1024 bytes");
    files_read(p->dir, "", &after);
    assert_true(files_same(&before, &after));
    files_free(&before);
    files_free(&after);
    assert_text(p->path, key_a, NAME);
}

static void a_file_that_is_not_encrypted_takes_no_key(void **state)
{
    struct place *p = *state;
    struct files before, after;
    char other[64];
    FILE *f;

    crashed_store(p, NULL, 0);
    (void)snprintf(other, sizeof other, "%s/other", p->dir);
    f = fopen(other, "wb");
    assert_non_null(f);
    assert_true(fputs("this is a letter, not a store, and longer than a header\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    files_read(p->dir, "", &before);
    assert_opens_not(p->path, key_a, 32, OCOP_ESTATE, "rekey");
    assert_opens_not(other, key_a, 32, OCOP_EDAMAGED, "not a database");
    files_read(p->dir, "", &after);
    assert_true(files_same(&before, &after));
    files_free(&before);
    files_free(&after);
    assert_text(p->path, NULL, NAME);
}

static void a_passphrase_is_a_key_too(void **state)
{
    struct place *p = *state;

    ocop_close(must_open(p->path, NULL, PASSPHRASE, strlen(PASSPHRASE)));
    assert_opens_not(p->path, PASSPHRASE, strlen(PASSPHRASE) - 1, OCOP_EAUTH, "right key");
    assert_opens_not(p->path, key_a, 32, OCOP_EAUTH, "right key");
    struct ocop_store *store = must_open(p->path, NULL, PASSPHRASE, strlen(PASSPHRASE));
    assert_true(is_encrypted(store));
    assert_sound(store); /* by a handle of its own, which asks for no passphrase */
    ocop_close(store);
}

/* Migrations leave pages that hold nothing and are read by nobody. */
static void forget_free_pages(const char *path)
{
    struct cipher_key used;
    sqlite3 *db;

    assert_int_equal(db_open_keyed(path, false, false, NULL, span_of(key_a, 32), &used, &db, NULL),
                     OCOP_OK);
    assert_int_equal(sqlite3_exec(db, "VACUUM", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Every page carries its seal: a bit that was turned is found, and whatever else is there, none is
 * read as what it is not. */
static void a_changed_bit_is_found(void **state)
{
    struct place *p = *state;
    struct ocop_store *store = NULL;
    struct ocop_error err;
    struct files f;

    ocop_close(must_open(p->path, NULL, key_a, 32));
    forget_free_pages(p->path);
    files_read(p->dir, "store.ocop", &f);
    for (size_t at = 1; at < f.v[0].len; at += 2048 + 101) {
        unsigned findings = 0;
        f.v[0].bytes[at] ^= 4;
        files_write(&f, p->dir, "store.ocop", "store.ocop");
        enum ocop_status st = open_with(p->path, NULL, key_a, 32, &store, &err);
        if (st == OCOP_OK)
            st = ocop_check(store, NULL, NULL, &findings, &err);
        assert_true(findings > 0 || st == OCOP_EDAMAGED || (st == OCOP_EAUTH && at < 24));
        ocop_close(store);
        f.v[0].bytes[at] ^= 4;
    }
    files_write(&f, p->dir, "store.ocop", "store.ocop");
    files_free(&f);
    store = must_open(p->path, NULL, key_a, 32);
    assert_sound(store);
    ocop_close(store);
}

/* --- the key is changed ---------------------------------------------------------------------- */

static void assert_rekey(struct ocop_store *store, const void *key, size_t len,
                         enum ocop_status want)
{
    struct ocop_error err = {0};

    if (ocop_rekey(store, key, len, &err) != want)
        fail_msg("%s: %s", ocop_status_name(err.status), err.text);
}

static void a_changed_key_opens_what_the_old_one_did(void **state)
{
    struct place *p = *state;
    struct ocop_store *store = must_open(p->path, NULL, key_a, 32);
    struct stat info;
    struct files f;

    put_text(p->path, key_a, NAME);
    assert_int_equal(chmod(p->path, 0600), 0);
    assert_rekey(store, key_b, 32, OCOP_OK);
    assert_sound(store); /* the same handle goes on */
    ocop_close(store);
    assert_int_equal(stat(p->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    files_read(p->dir, "", &f);
    assert_int_equal(f.count, 1); /* nothing is left beside it */
    files_free(&f);
    assert_opens_not(p->path, key_a, 32, OCOP_EAUTH, "right key");
    assert_text(p->path, key_b, NAME);
    store = must_open(p->path, NULL, key_b, 32);
    assert_rekey(store, PASSPHRASE, strlen(PASSPHRASE), OCOP_OK);
    ocop_close(store);
    assert_opens_not(p->path, key_b, 32, OCOP_EAUTH, "right key");
    ocop_close(must_open(p->path, NULL, PASSPHRASE, strlen(PASSPHRASE)));
}

static void a_plain_store_is_encrypted_by_a_first_key(void **state)
{
    struct place *p = *state;
    struct ocop_store *store = must_open(p->path, NULL, NULL, 0);
    struct files f;

    put_text(p->path, NULL, NAME);
    assert_false(is_encrypted(store));
    assert_rekey(store, NULL, 0, OCOP_EINVAL);
    assert_rekey(store, key_a, 8, OCOP_EINVAL);
    assert_false(is_encrypted(store));
    assert_rekey(store, key_a, 32, OCOP_OK);
    assert_true(is_encrypted(store));
    files_read(p->dir, "", &f);
    assert_null(files_find(&f, NAME, strlen(NAME)));
    assert_null(files_find(&f, "CREATE TABLE", 12));
    files_free(&f);
    assert_rekey(store, NULL, 0, OCOP_EINVAL); /* and never made plain again */
    assert_sound(store);
    ocop_close(store);
    assert_text(p->path, key_a, NAME);
}

/* Who reads the disk's blocks finds nothing of what was plain: other names of the old file and of
 * its log stand for them here. */
static void a_first_key_leaves_no_readable_old_blocks(void **state)
{
    struct place *p = *state;
    static const char *const endings[] = {"", "-wal"};
    struct ocop_store *store = must_open(p->path, NULL, NULL, 0);
    char from[80], to[2][80];
    struct files f;

    put_text(p->path, NULL, NAME); /* in the log still, and in the file */
    for (int i = 0; i < 2; i++) {
        (void)snprintf(from, sizeof from, "%s%s", p->path, endings[i]);
        (void)snprintf(to[i], sizeof to[i], "%s/old%s", p->dir, endings[i]);
        assert_int_equal(link(from, to[i]), 0);
    }
    files_read(p->dir, "old", &f);
    assert_int_equal(f.count, 2);
    assert_non_null(files_find(&f, NAME, strlen(NAME)));
    assert_non_null(files_find(&f, "CREATE TABLE", 12));
    files_free(&f);
    assert_rekey(store, key_a, 32, OCOP_OK);
    files_read(p->dir, "", &f);
    assert_null(files_find(&f, NAME, strlen(NAME)));
    assert_null(files_find(&f, "CREATE TABLE", 12));
    assert_null(files_find(&f, "SQLite format", 13));
    files_free(&f);
    for (int i = 0; i < 2; i++)
        assert_int_equal(unlink(to[i]), 0);
    ocop_close(store);
    assert_text(p->path, key_a, NAME);
}

static void a_key_is_not_changed_while_the_store_is_open_elsewhere(void **state)
{
    struct place *p = *state;
    struct ocop_store *store = must_open(p->path, NULL, key_a, 32);
    struct ocop_store *other = must_open(p->path, NULL, key_a, 32);

    assert_rekey(store, key_b, 32, OCOP_EBUSY);
    assert_sound(store);
    assert_sound(other);
    put_text(p->path, key_a, NAME);
    ocop_close(other);
    assert_rekey(store, key_b, 32, OCOP_OK);
    ocop_close(store);
    assert_text(p->path, key_b, NAME);
}

/* From `before` (NULL: plain) to key_b on a disk whose n-th write and all after it fail. False when
 * none did. */
static bool interrupted_at(struct place *p, const uint8_t *before, int n)
{
    struct ocop_store *store = must_open(p->path, DISK_VFS, before, before ? 32 : 0);
    struct ocop_error err = {0};
    enum ocop_status st;
    char copy[80];

    disk_writes_left(n);
    st = ocop_rekey(store, key_b, 32, &err);
    disk_writes_left(-1);
    ocop_close(store);
    (void)snprintf(copy, sizeof copy, "%s-rekey", p->path);
    assert_int_equal(access(copy, F_OK), -1);
    /* One of the two keys, and which one the status says; broken may be either. */
    bool changed = open_with(p->path, NULL, key_b, 32, &store, &err) == OCOP_OK;
    assert_true(changed ? st == OCOP_OK || st == OCOP_EBROKEN : st != OCOP_OK);
    if (!changed)
        store = must_open(p->path, NULL, before, before ? 32 : 0);
    assert_sound(store);
    assert_int_equal(is_encrypted(store), changed || before);
    assert_rekey(store, before ? before : key_b, 32, OCOP_OK); /* tried again, and put back */
    ocop_close(store);
    assert_text(p->path, before ? before : key_b, NAME);
    if (!before) {
        assert_int_equal(unlink(p->path), 0);
        ocop_close(must_open(p->path, NULL, NULL, 0));
        put_text(p->path, NULL, NAME);
    }
    return st != OCOP_OK;
}

static void a_change_of_key_that_the_disk_interrupts_changes_nothing(void **state)
{
    static const uint8_t *const from[] = {NULL, key_a};
    struct place *p = *state;

    for (size_t i = 0; i < 2; i++) {
        int n = 0;
        ocop_close(must_open(p->path, NULL, from[i], from[i] ? 32 : 0));
        put_text(p->path, from[i], NAME);
        while (interrupted_at(p, from[i], n))
            n += n < 12 ? 1 : 29;
        assert_in_range(n, 50, 10000); /* every page was written at least once */
        assert_int_equal(unlink(p->path), 0);
    }
}

/* The copy cannot be made: a folder stands in its place. */
static void a_change_of_key_that_cannot_begin_leaves_the_handle_in_use(void **state)
{
    struct place *p = *state;
    struct ocop_store *store = must_open(p->path, NULL, key_a, 32);
    char copy[80];

    put_text(p->path, key_a, NAME);
    (void)snprintf(copy, sizeof copy, "%s-rekey", p->path);
    assert_int_equal(mkdir(copy, 0700), 0);
    assert_rekey(store, key_b, 32, OCOP_EDB);
    assert_sound(store);
    assert_true(is_encrypted(store));
    assert_int_equal(rmdir(copy), 0);
    assert_rekey(store, key_b, 32, OCOP_OK);
    ocop_close(store);
    assert_text(p->path, key_b, NAME);
}

/* What a program that was killed in the midst of it left is no danger, and does not stay. */
static void a_copy_that_was_left_is_removed(void **state)
{
    struct place *p = *state;
    struct files f;
    char copy[80];

    ocop_close(must_open(p->path, NULL, key_a, 32));
    files_read(p->dir, "store.ocop", &f);
    files_write(&f, p->dir, "store.ocop", "store.ocop-rekey");
    files_free(&f);
    (void)snprintf(copy, sizeof copy, "%s-rekey", p->path);
    assert_int_equal(access(copy, F_OK), 0);
    assert_opens_not(p->path, key_b, 32, OCOP_EAUTH, "right key");
    assert_int_equal(access(copy, F_OK), 0); /* who has no key changes nothing */
    ocop_close(must_open(p->path, NULL, key_a, 32));
    assert_int_equal(access(copy, F_OK), -1);
}

/* --- older stores ---------------------------------------------------------------------------- */

/* A store as the first program made it: the first migration of a store and no other. */
static void make_first(const char *path, const uint8_t *key)
{
    const struct migration *m = migrations;
    struct cipher_key used;
    char stamp[96];
    sqlite3 *db;

    while (!(m->sides & MIGRATE_STORE))
        m++;
    (void)snprintf(stamp, sizeof stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                   0x4f435053, m->number);
    assert_int_equal(db_open_keyed(path, true, false, NULL, span_of(key, 32), &used, &db, NULL),
                     OCOP_OK);
    assert_int_equal(sqlite3_exec(db, m->sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, stamp, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void an_encrypted_store_of_an_older_program_is_upgraded(void **state)
{
    struct place *p = *state;
    struct ocop_store *store;
    struct files f;

    make_first(p->path, key_a);
    store = must_open(p->path, NULL, key_a, 32);
    assert_sound(store);
    files_read(p->dir, "", &f);
    assert_null(files_find(&f, "CREATE TABLE", 12));
    files_free(&f);
    ocop_close(store);
    put_text(p->path, key_a, NAME);
    assert_text(p->path, key_a, NAME);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* How often these bytes, each turned over, stand in what this process can write. */
static unsigned in_memory(const uint8_t *turned)
{
    FILE *maps = fopen("/proc/self/maps", "r"), *memory = fopen("/proc/self/mem", "rb");
    static uint8_t part[1 << 20];
    unsigned long from, to;
    unsigned count = 0;
    char line[512];

    assert_non_null(maps);
    assert_non_null(memory);
    (void)setvbuf(memory, NULL, _IONBF, 0);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || !strstr(line, " rw") ||
            strstr(line, "[v"))
            continue;
        for (; from < to; from += sizeof part - 32) {
            size_t want = to - from < sizeof part ? to - from : sizeof part, got;
            if (from + want > (uintptr_t)part && from < (uintptr_t)part + sizeof part)
                continue; /* what is being read with */
            assert_int_equal(fseek(memory, (long)from, SEEK_SET), 0);
            got = fread(part, 1, want, memory);
            for (size_t i = 0; i + 32 <= got; i++) {
                size_t n = 0;
                while (n < 32 && (part[i + n] ^ turned[n]) == 0xff)
                    n++;
                count += n == 32;
            }
        }
    }
    (void)fclose(maps);
    (void)fclose(memory);
    sodium_memzero(part, sizeof part);
    return count;
}

static void no_key_stays_in_memory_when_the_store_is_closed(void **state)
{
    struct place *p = *state;
    struct ocop_store *store = NULL;
    uint8_t key[32], turned[2][32];

    for (int k = 0; k < 2; k++) {
        randombytes_buf(turned[k], 32);
        for (size_t i = 0; i < 32; i++)
            key[i] = (uint8_t)~turned[k][i];
        if (k == 0)
            store = must_open(p->path, NULL, key, 32);
        else
            assert_rekey(store, key, 32, OCOP_OK);
        sodium_memzero(key, sizeof key);
    }
    assert_sound(store);
    assert_int_not_equal(in_memory(turned[1]), 0); /* while it is open: the test can fail */
    ocop_close(store);
    assert_int_equal(in_memory(turned[0]), 0);
    assert_int_equal(in_memory(turned[1]), 0);
}

int main(void)
{
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_was_saved_stands_in_the_files),
        IN_PLACE(a_wrong_key_opens_nothing_and_changes_nothing),
        IN_PLACE(a_file_that_is_not_encrypted_takes_no_key),
        IN_PLACE(a_passphrase_is_a_key_too),
        IN_PLACE(a_changed_bit_is_found),
        IN_PLACE(a_changed_key_opens_what_the_old_one_did),
        IN_PLACE(a_plain_store_is_encrypted_by_a_first_key),
        IN_PLACE(a_first_key_leaves_no_readable_old_blocks),
        IN_PLACE(a_key_is_not_changed_while_the_store_is_open_elsewhere),
        IN_PLACE(a_change_of_key_that_the_disk_interrupts_changes_nothing),
        IN_PLACE(a_change_of_key_that_cannot_begin_leaves_the_handle_in_use),
        IN_PLACE(a_copy_that_was_left_is_removed),
        IN_PLACE(an_encrypted_store_of_an_older_program_is_upgraded),
        IN_PLACE(no_key_stays_in_memory_when_the_store_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
