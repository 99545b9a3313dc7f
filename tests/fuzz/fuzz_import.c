/* A file of master data as an office may give it, to a registry that has some: the first byte says
 * of what and how, and units may have a second file, of what became of those before. Whatever is
 * wrong is said and nothing is written; what was taken is taken once. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bounds.h"
#include "fuzz.h"
#include "import.h"
#include "registry.h"
#include "scene.h"

enum { SKIP_BAD = 0x10, IGNORE_COLUMNS = 0x20, DRY_RUN = 0x40, MAPPING_BEHIND = 0x1e };

/* --- transactions within the scene's -----------------------------------------------------------
 */

enum ocop_status __wrap_registry_begin(struct registry *r, struct ocop_error *err);
enum ocop_status __wrap_registry_commit(struct registry *r, struct ocop_error *err);
void __wrap_registry_rollback(struct registry *r);

static void exec(struct registry *r, const char *sql)
{
    CHECK(sqlite3_exec(r->db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

enum ocop_status __wrap_registry_begin(struct registry *r, struct ocop_error *err)
{
    (void)err;
    exec(r, sqlite3_get_autocommit(r->db) ? "BEGIN" : "SAVEPOINT import");
    return OCOP_OK;
}

/* The scene's own writing, before it is marked, has no savepoint to release. */
enum ocop_status __wrap_registry_commit(struct registry *r, struct ocop_error *err)
{
    (void)err;
    (void)sqlite3_exec(r->db, "RELEASE import", NULL, NULL, NULL);
    return OCOP_OK;
}

void __wrap_registry_rollback(struct registry *r)
{
    exec(r, "ROLLBACK TO import; RELEASE import");
}

/* --- one import --------------------------------------------------------------------------------
 */

static uint64_t version(struct registry *r)
{
    uint64_t out = 0;
    CHECK(registry_version(r, &out, NULL) == OCOP_OK);
    return out;
}

/* The mapping is read from a path. *fd is the caller's. */
static const char *file_of(struct span text, int *fd)
{
    static char path[40];
    *fd = memfd_create("mapping", 0);
    CHECK(*fd >= 0 && write(*fd, text.p, text.len) == (ssize_t)text.len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", *fd);
    return path;
}

static struct import_options options_of(uint8_t how, enum import_what what, struct span text,
                                        int *fd)
{
    struct import_options o = {.path = "tệp.csv",
                               .text = text,
                               .from = what == IMPORT_UNITS ? "2025-07-01" : NULL,
                               .skip_bad = how & SKIP_BAD,
                               .ignore_columns = how & IGNORE_COLUMNS,
                               .dry_run = how & DRY_RUN};
    const uint8_t *end = what == IMPORT_UNITS ? memchr(text.p, MAPPING_BEHIND, text.len) : NULL;
    if (end) {
        const size_t len = (size_t)(end - text.p);
        o.text.len = len;
        o.mapping = file_of(span_of(end + 1, text.len - len - 1), fd);
    }
    return o;
}

static void import(struct registry *r, enum import_what what, const struct import_options *o)
{
    struct import_result result, again;
    struct ocop_error err = {0};
    const uint64_t before = version(r);
    enum ocop_status st = import_run(r, scene_keys(), what, o, &result, &err);
    CHECK(st == OCOP_OK || ((st == OCOP_EINVAL || st == OCOP_ELIMIT) && err.text[0]));
    if (st != OCOP_OK || o->dry_run) {
        CHECK(version(r) == before && result.version == 0);
        return;
    }
    CHECK(result.version == 0 ? version(r) == before : version(r) == result.version);
    st = import_run(r, scene_keys(), what, o, &again, &err);
    CHECK(st == OCOP_OK && again.created + again.amended == 0 && again.version == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scene s;
    int fd = -1;
    if (!s.env) {
        kinds_init();
        scene_registry_open(&s);
        scene_registry_mark();
    }
    if (size < 2 || size > KIB(48))
        return 0;
    const enum import_what what = (enum import_what)(data[0] % IMPORT_MAPPING);
    const struct import_options o = options_of(data[0], what, span_of(data + 1, size - 1), &fd);
    import(scene_registry(), what, &o);
    if (fd >= 0)
        (void)close(fd);
    scene_registry_back();
    return 0;
}
