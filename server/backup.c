/* Backup and restore: files, locks and lineages. The copying itself is SQL's (query.c). */
#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "csvfile.h"
#include "enrol.h"
#include "query.h"

enum { RESTORES_MAX = 1000 };

enum ocop_status backup_beside(const char *path, const char *suffix, char out[BACKUP_PATH_MAX],
                               struct ocop_error *err)
{
    const int n = snprintf(out, BACKUP_PATH_MAX, "%s%s", path, suffix);

    if (n < 0 || n >= BACKUP_PATH_MAX)
        return err_set(err, OCOP_ELIMIT, "a path of more than %d bytes", BACKUP_PATH_MAX - 1);
    return OCOP_OK;
}

static bool exists(const char *path)
{
    struct stat s;

    return lstat(path, &s) == 0;
}

static enum ocop_status io_error(struct ocop_error *err, const char *doing, const char *path)
{
    return err_set(err, OCOP_EIO, "cannot %s %s: %m", doing, path);
}

enum ocop_status backup_lock(const char *path, int *fd, struct ocop_error *err)
{
    char lock[BACKUP_PATH_MAX], pid[24];

    *fd = -1;
    enum ocop_status st = backup_beside(path, ".lock", lock, err);
    if (st != OCOP_OK)
        return st;
    const int f = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f < 0)
        return io_error(err, "open", lock);
    if (flock(f, LOCK_EX | LOCK_NB) != 0) {
        const ssize_t n = errno == EWOULDBLOCK ? read(f, pid, sizeof pid - 1) : -1;
        pid[n > 0 ? n : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        close(f);
        return err_set(err, OCOP_EBUSY, "another ocopd serves this file (pid %s)",
                       pid[0] ? pid : "unknown");
    }
    const int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(f, 0) != 0 || pwrite(f, pid, (size_t)len, 0) != len) {
        st = io_error(err, "write", lock);
        close(f);
        return st;
    }
    *fd = f;
    return OCOP_OK;
}

/* Flush a file and the folder that names it. */
static enum ocop_status flush(const char *path, struct ocop_error *err)
{
    char folder[BACKUP_PATH_MAX];
    enum ocop_status st = OCOP_OK;

    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    const char *const both[] = {path, slash ? folder : "."};
    for (size_t i = 0; i < 2 && st == OCOP_OK; i++) {
        const int fd = open(both[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) != 0)
            st = io_error(err, "flush", both[i]);
        if (fd >= 0)
            close(fd);
    }
    return st;
}

/* A new file that only its owner may read: it holds people's names. */
static enum ocop_status create_private(const char *path, struct span content,
                                       struct ocop_error *err)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return err_set(err, OCOP_ESTATE, "%s exists; name a new file or remove it", path);
    if (fd < 0)
        return io_error(err, "create", path);
    const ssize_t n = content.len ? write(fd, content.p, content.len) : 0;
    const bool written = n == (ssize_t)content.len && fsync(fd) == 0;
    close(fd);
    if (written)
        return OCOP_OK;
    const enum ocop_status st = io_error(err, "write", path);
    unlink(path);
    return st;
}

static enum ocop_status copy_keys(const char *from, const char *to, struct ocop_error *err)
{
    char source[BACKUP_PATH_MAX], target[BACKUP_PATH_MAX];
    struct buf content;

    buf_init(&content, KIB(64));
    enum ocop_status st = backup_beside(from, ".keys", source, err);
    if (st == OCOP_OK)
        st = backup_beside(to, ".keys", target, err);
    if (st == OCOP_OK)
        st = csvfile_load(source, &content, err);
    if (st == OCOP_OK)
        st = create_private(target, buf_span(&content), err);
    /* Secrets leave no trace in memory that is given back. */
    for (volatile uint8_t *p = content.p; p && p < content.p + content.len; p++)
        *p = 0;
    buf_fini(&content);
    return st;
}

/* --- backup
 * -------------------------------------------------------------------------------------------- */

/* Open the copy as a registry: what cannot be opened is no backup. */
static enum ocop_status check_copy(const char *path, const struct env *env,
                                   struct backup_result *result, struct ocop_error *err)
{
    struct registry *copy = NULL;
    struct log_entry last;
    struct stat s;

    enum ocop_status st = registry_open(path, false, env, NULL, &copy, err);
    if (st == OCOP_OK)
        st = query_integrity(copy, err);
    if (st == OCOP_OK)
        st = registry_version(copy, &result->version, err);
    if (st == OCOP_OK && id_is_zero(&copy->self))
        st = err_set(err, OCOP_EDAMAGED, "%s is no registry that `ocopd init` made", path);
    if (st == OCOP_OK && result->version > 0)
        st = log_read(copy, result->version, &last, err);
    registry_close(copy);
    if (st == OCOP_OK && stat(path, &s) != 0)
        st = io_error(err, "read", path);
    if (st == OCOP_OK)
        result->bytes = s.st_size;
    return st;
}

static void remove_database(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm", "-journal"};
    char name[BACKUP_PATH_MAX];

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (backup_beside(path, parts[i], name, NULL) == OCOP_OK)
            unlink(name);
}

/* A checked copy of `from` at `part`; removed again when anything fails. */
static enum ocop_status copy_checked(const char *from, const char *part, const struct env *env,
                                     struct backup_result *result, struct ocop_error *err)
{
    enum ocop_status st = create_private(part, span_of(NULL, 0), err);

    if (st != OCOP_OK)
        return st;
    st = query_copy_file(from, part, err);
    if (st == OCOP_OK)
        st = check_copy(part, env, result, err);
    if (st == OCOP_OK)
        st = query_one_file(part, err);
    if (st == OCOP_OK)
        st = flush(part, err);
    if (st != OCOP_OK)
        remove_database(part);
    return st;
}

/* Give the finished file its name without replacing one that came there meanwhile. */
static enum ocop_status publish(const char *part, const char *path, struct ocop_error *err)
{
    if (link(part, path) != 0)
        return errno == EEXIST
                   ? err_set(err, OCOP_ESTATE, "%s exists; name a new file or remove it", path)
                   : io_error(err, "create", path);
    remove_database(part);
    return flush(path, err);
}

enum ocop_status backup_make(struct registry *r, const char *to, bool with_keys,
                             struct backup_result *result, struct ocop_error *err)
{
    char part[BACKUP_PATH_MAX];

    *result = (struct backup_result){0};
    enum ocop_status st = backup_beside(to, ".part", part, err);
    if (st == OCOP_OK && exists(to))
        st = err_set(err, OCOP_ESTATE, "%s exists; name a new file or remove it", to);
    if (st == OCOP_OK)
        st = copy_checked(r->path, part, r->env, result, err);
    if (st != OCOP_OK)
        return st;
    if (with_keys)
        st = copy_keys(r->path, to, err);
    if (st == OCOP_OK)
        st = publish(part, to, err);
    if (st == OCOP_OK)
        st = query_backup_made(r, env_now_ms(r->env), result->version, to, err);
    if (st != OCOP_OK)
        remove_database(part);
    return st;
}

/* --- restore
 * --------------------------------------------------------------------------------------------- */

/* The record of the registry itself. */
struct own_record {
    struct id id;
    uint64_t version;
};

static enum ocop_status on_registry(void *self, const struct query_record *record,
                                    struct ocop_error *err)
{
    struct own_record *own = self;
    (void)err;

    own->id = record->id;
    own->version = record->meta.version;
    return OCOP_OK;
}

static void put_bytes(struct buf *b, uint8_t number, struct span s)
{
    buf_byte(b, (uint8_t)(number << 3 | 2));
    buf_varint(b, s.len);
    buf_put(b, s.p, s.len);
}

/* The element {lineage, parent, fork_version} as an amendment by the registry itself. */
static enum ocop_status write_lineage(struct registry *r, const struct server_keys *keys,
                                      const struct id *lineage, uint64_t fork,
                                      struct ocop_error *err)
{
    struct own_record own = {0};
    struct author au = {0};
    struct arena a;
    struct buf packed;
    uint64_t version;

    arena_init(&a, MIB(4));
    buf_init(&packed, KIB(1));
    put_bytes(&packed, 1, id_span(lineage));
    put_bytes(&packed, 2, id_span(&r->lineage));
    buf_byte(&packed, 3 << 3);
    buf_varint(&packed, fork);
    enum ocop_status st = query_records(r, KIND_REGISTRY, on_registry, &own, err);
    struct field f = {.number = 12,
                      .op = FIELD_SET,
                      .type = VALUE_ELEMENT,
                      .key = id_span(lineage),
                      .bytes = buf_span(&packed),
                      .base = own.version};
    struct change c = {.kind = KIND_REGISTRY,
                       .verb = VERB_AMEND,
                       .record = own.id,
                       .device_time_ms = env_now_ms(r->env),
                       .reason = span_str("restored from a backup"),
                       .base = own.version,
                       .fields = {&f, 1}};
    const struct changes changes = {&c, 1};
    if (st == OCOP_OK && id_is_zero(&own.id))
        st = err_set(err, OCOP_EDAMAGED, "the backup has no record of the registry itself");
    if (st == OCOP_OK)
        st = author_registry(r, &keys->root, &au, err);
    if (st == OCOP_OK)
        st = author_write(&au, &changes, &a, &version, err);
    author_end(&au);
    if (st == OCOP_OK)
        st = registry_meta_set(r, "lineage", id_span(lineage), err);
    buf_fini(&packed);
    arena_fini(&a);
    return st;
}

struct revoked_list {
    struct arena a;
    struct revoked {
        struct revoked *next;
        struct id id;
    } * first;
};

static enum ocop_status on_replica(void *self, const struct query_record *record,
                                   struct ocop_error *err)
{
    struct revoked_list *list = self;
    const struct field *state = fields_find(&record->fields, 16, span_of(NULL, 0));

    if (!state || !span_eq(state->bytes, span_str("revoked")))
        return OCOP_OK;
    struct revoked *r = arena_alloc(&list->a, sizeof *r);
    if (!r)
        return err_nomem(err);
    *r = (struct revoked){list->first, record->id};
    list->first = r;
    return OCOP_OK;
}

/* Devices that the registry before had revoked lose their rights here too. One that cannot be read
 * any more (often the reason for the restore) is no reason to fail. */
static enum ocop_status keep_revocations(const char *before, struct registry *r,
                                         const struct server_keys *keys,
                                         struct backup_result *result, struct ocop_error *err)
{
    struct revoked_list list = {.first = NULL};
    struct registry *old = NULL;
    enum ocop_status st = OCOP_OK;

    if (!exists(before))
        return OCOP_OK;
    arena_init(&list.a, MIB(16));
    if (registry_open(before, false, r->env, NULL, &old, NULL) != OCOP_OK ||
        query_records(old, KIND_REPLICA, on_replica, &list, NULL) != OCOP_OK)
        result->before_unread = true;
    registry_close(old);
    for (const struct revoked *d = list.first; d && st == OCOP_OK; d = d->next) {
        struct replica_info info;
        st = registry_replica(r, &d->id, &info, err);
        if (st != OCOP_OK || !info.known || info.revoked || strcmp(info.type, "device") != 0)
            continue;
        st = replica_revoke(r, keys, &d->id, "revoked before the restore", err);
        result->revoked += st == OCOP_OK;
    }
    arena_fini(&list.a);
    return st;
}

static enum ocop_status start_lineage(const char *part, const char *before,
                                      const struct server_keys *keys, const struct env *env,
                                      struct backup_result *result, struct ocop_error *err)
{
    struct registry *r = NULL;
    struct id lineage;

    enum ocop_status st = registry_open(part, false, env, NULL, &r, err);
    if (st != OCOP_OK)
        return st;
    lineage = id_next(&r->ids, env);
    st = registry_begin(r, err);
    if (st == OCOP_OK) {
        st = write_lineage(r, keys, &lineage, result->version, err);
        if (st == OCOP_OK)
            st = registry_commit(r, err);
        else
            registry_rollback(r);
    }
    if (st == OCOP_OK)
        st = keep_revocations(before, r, keys, result, err);
    registry_close(r);
    return st;
}

/* The registry's file and its journals, which belong to it. */
static enum ocop_status move_aside(const char *path, char moved[BACKUP_PATH_MAX],
                                   struct ocop_error *err)
{
    static const char *const parts[] = {"-wal", "-shm", ""};
    char suffix[40], from[BACKUP_PATH_MAX], to[BACKUP_PATH_MAX];
    enum ocop_status st = OCOP_OK;
    int n = 0;

    do {
        snprintf(suffix, sizeof suffix, ".before-restore-%d", ++n);
        st = backup_beside(path, suffix, moved, err);
    } while (st == OCOP_OK && exists(moved) && n < RESTORES_MAX);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && st == OCOP_OK; i++) {
        st = backup_beside(path, parts[i], from, err);
        if (st == OCOP_OK)
            st = backup_beside(moved, parts[i], to, err);
        if (st == OCOP_OK && rename(from, to) != 0 && errno != ENOENT)
            st = io_error(err, "move aside", from);
    }
    return st;
}

/* The keys beside the registry stay; a new place takes those that the backup brought. */
static enum ocop_status restore_keys(const char *from, const char *path, struct server_keys *keys,
                                     struct ocop_error *err)
{
    char name[BACKUP_PATH_MAX], other[BACKUP_PATH_MAX];

    enum ocop_status st = backup_beside(path, ".keys", name, err);
    if (st == OCOP_OK)
        st = backup_beside(from, ".keys", other, err);
    if (st != OCOP_OK)
        return st;
    if (!exists(name) && !exists(other))
        return err_set(err, OCOP_ENOTFOUND,
                       "neither %.120s nor %.120s is there; restore needs the registry's keys",
                       name, other);
    if (!exists(name))
        st = copy_keys(from, path, err);
    return st == OCOP_OK ? keys_load(name, keys, err) : st;
}

enum ocop_status backup_restore(const char *from, const char *path, bool replace,
                                const struct env *env, char moved[BACKUP_PATH_MAX],
                                struct backup_result *result, struct ocop_error *err)
{
    struct server_keys keys;
    char part[BACKUP_PATH_MAX];
    int lock = -1;

    memset(&keys, 0, sizeof keys);
    memset(result, 0, sizeof *result);
    moved[0] = '\0';
    if (!exists(from))
        return err_set(err, OCOP_ENOTFOUND, "there is no backup %s", from);
    if (exists(path) && !replace)
        return err_set(err, OCOP_ESTATE, "%s exists; --replace moves it aside", path);
    enum ocop_status st = backup_lock(path, &lock, err);
    if (st == OCOP_OK)
        st = backup_beside(path, ".part", part, err);
    if (st == OCOP_OK)
        st = restore_keys(from, path, &keys, err);
    if (st == OCOP_OK)
        st = copy_checked(from, part, env, result, err);
    if (st != OCOP_OK)
        goto out;
    st = start_lineage(part, path, &keys, env, result, err);
    if (st == OCOP_OK)
        st = flush(part, err);
    if (st == OCOP_OK && exists(path))
        st = move_aside(path, moved, err);
    if (st == OCOP_OK)
        st = publish(part, path, err);
    if (st != OCOP_OK)
        remove_database(part);
out:
    keys_wipe(&keys);
    if (lock >= 0)
        close(lock);
    return st;
}
