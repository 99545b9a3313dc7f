/* Backup and restore: files, locks and lineages. The copying itself is SQL's (query.c). */
#define _XOPEN_SOURCE 700 /* realpath */
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
#include "ledger.h"
#include "own.h"
#include "query.h"
#include "registry_stmts.h"
#include "states.h"

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

static enum ocop_status copy_ledger(const char *from, const char *to, struct ocop_error *err)
{
    char source[BACKUP_PATH_MAX], target[BACKUP_PATH_MAX];

    enum ocop_status st = backup_beside(from, ".ledger", source, err);
    if (st == OCOP_OK)
        st = backup_beside(to, ".ledger", target, err);
    if (st == OCOP_OK && unlink(target) != 0 && errno != ENOENT) /* of a backup that was removed */
        st = io_error(err, "replace", target);
    return st == OCOP_OK ? ledger_merge(source, target, err) : st;
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
    char part[BACKUP_PATH_MAX], whole[PATH_MAX];

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
        st = copy_ledger(r->path, to, err);
    if (st == OCOP_OK)
        st = publish(part, to, err);
    /* Who looks for it some day may stand elsewhere. */
    if (st == OCOP_OK && !realpath(to, whole))
        st = io_error(err, "find", to);
    if (st == OCOP_OK)
        st = query_backup_made(r, env_now_ms(r->env), result->version, whole, err);
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

/* Amend the record of the registry itself by elements {lineage, parent, fork_version}. */
static enum ocop_status write_lineages(struct registry *r, const struct server_keys *keys,
                                       const struct lineage *v, size_t count,
                                       struct ocop_error *err)
{
    struct own_record own = {0};
    struct author au = {0};
    struct arena a;
    uint64_t version;

    arena_init(&a, MIB(4));
    enum ocop_status st = query_records(r, KIND_REGISTRY, on_registry, &own, err);
    struct fields f = {arena_calloc(&a, count + 1, sizeof *f.v), 0};
    if (st == OCOP_OK && !f.v)
        st = err_nomem(err);
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        struct buf packed;
        buf_init(&packed, KIB(1));
        put_bytes(&packed, 1, id_span(&v[i].id));
        if (!id_is_zero(&v[i].parent))
            put_bytes(&packed, 2, id_span(&v[i].parent));
        buf_byte(&packed, 3 << 3);
        buf_varint(&packed, v[i].fork_version);
        const char *copy = packed.failed ? NULL : arena_dup(&a, packed.p, packed.len);
        f.v[f.count++] = (struct field){.number = REGISTRY_LINEAGES,
                                        .op = FIELD_SET,
                                        .type = VALUE_ELEMENT,
                                        .key = id_span(&v[i].id),
                                        .bytes = span_of(copy, packed.len),
                                        .base = own.version};
        if (!copy)
            st = err_nomem(err);
        buf_fini(&packed);
    }
    if (st == OCOP_OK && (id_is_zero(&own.id) || !fields_sort(&f)))
        st = err_set(err, OCOP_EDAMAGED, "the backup has no sound record of the registry itself");
    struct change c = {.kind = KIND_REGISTRY,
                       .verb = VERB_AMEND,
                       .record = own.id,
                       .device_time_ms = env_now_ms(r->env),
                       .reason = span_str("restored from a backup"),
                       .base = own.version,
                       .fields = f};
    const struct changes changes = {&c, 1};
    if (st == OCOP_OK)
        st = author_registry(r, keys, &au, err);
    if (st == OCOP_OK)
        st = author_write(&au, &changes, &a, &version, err);
    author_end(&au);
    arena_fini(&a);
    return st;
}

/* --- what the registry before knew ---------------------------------------------------------------
 */

struct judged {
    struct judged *next;
    struct id id;
    enum device_state state;
    struct fields fields; /* those that say who it was */
};

/* What a restore must not undo, and what devices may have seen since the backup. */
struct heritage {
    struct arena a;
    struct ledger ledger; /* beside the registry, or beside the backup */
    struct judged *judged;
    uint32_t number; /* the highest that was given */
    struct lineage *lineages;
    size_t lineage_count;
    bool read;        /* false: nothing is known of it */
    bool invitations; /* those that it saw used are used here too */
};

static bool says_who(uint32_t number)
{
    return number == FIELD_OFFICER || number == FIELD_RECORDED_MS ||
           (number >= REPLICA_TYPE && number <= REPLICA_CHANNEL_KEY) || number == REPLICA_STATE ||
           number == REPLICA_STATE_REASON;
}

static enum ocop_status on_replica(void *self, const struct query_record *record,
                                   struct ocop_error *err)
{
    struct heritage *h = self;
    const struct span none = {NULL, 0};
    const struct field *state = fields_find(&record->fields, REPLICA_STATE, none);
    const struct field *type = fields_find(&record->fields, REPLICA_TYPE, none);
    const struct field *number = fields_find(&record->fields, REPLICA_NUMBER, none);

    if (number && number->i > h->number)
        h->number = (uint32_t)number->i;
    if (!state || span_eq(state->bytes, span_str("active")) || !type ||
        !span_eq(type->bytes, span_str("device")))
        return OCOP_OK;
    struct judged *r = arena_calloc(&h->a, 1, sizeof *r);
    const char *name = arena_dup(&h->a, state->bytes.p, state->bytes.len);
    struct field *v = arena_calloc(&h->a, record->fields.count + 1, sizeof *v);
    if (!r || !v || !name)
        return err_nomem(err);
    *r = (struct judged){h->judged, record->id, device_state_of(name), {v, 0}};
    for (size_t i = 0; i < record->fields.count; i++) {
        const struct field *f = &record->fields.v[i];
        if (f->op != FIELD_SET || !says_who(f->number))
            continue;
        v[r->fields.count] = *f;
        v[r->fields.count].base = 0;
        v[r->fields.count].bytes.p = (const uint8_t *)arena_dup(&h->a, f->bytes.p, f->bytes.len);
        if (!v[r->fields.count++].bytes.p)
            return err_nomem(err);
    }
    h->judged = r;
    return OCOP_OK;
}

/* One that cannot be read any more (often the reason for the restore) is no reason to fail. */
static void heritage_read(struct heritage *h, const char *before, const struct env *env)
{
    struct registry *old = NULL;

    arena_init(&h->a, MIB(64));
    h->read = exists(before) && registry_open(before, false, env, NULL, &old, NULL) == OCOP_OK &&
              query_records(old, KIND_REPLICA, on_replica, h, NULL) == OCOP_OK &&
              lineages_of(old, &h->a, &h->lineages, &h->lineage_count, NULL) == OCOP_OK;
    registry_close(old);
}

/* Devices may have seen, and sealed, in lineages that began since the backup. */
static enum ocop_status keep_lineages(const struct heritage *h, struct registry *r,
                                      const struct server_keys *keys, struct ocop_error *err)
{
    struct arena a;
    struct lineage *here, *lost;
    size_t count, lost_count = 0;

    arena_init(&a, MIB(4));
    enum ocop_status st = lineages_of(r, &a, &here, &count, err);
    lost = arena_calloc(&a, h->lineage_count + 1, sizeof *lost);
    if (st == OCOP_OK && !lost)
        st = err_nomem(err);
    for (size_t i = 0; st == OCOP_OK && h->read && i < h->lineage_count; i++) {
        bool known = false;
        for (size_t j = 0; j < count; j++)
            known = known || id_eq(&here[j].id, &h->lineages[i].id);
        if (!known)
            lost[lost_count++] = h->lineages[i];
    }
    if (st == OCOP_OK && lost_count)
        st = write_lineages(r, keys, lost, lost_count, err);
    arena_fini(&a);
    return st;
}

/* One that the backup does not know is made known, as what it was. */
static enum ocop_status make_known(struct registry *r, const struct server_keys *keys,
                                   const struct judged *d, struct ocop_error *err)
{
    struct arena a;
    struct change c = {.kind = KIND_REPLICA,
                       .verb = VERB_CREATE,
                       .record = d->id,
                       .device_time_ms = env_now_ms(r->env),
                       .fields = d->fields};

    arena_init(&a, MIB(4));
    enum ocop_status st = own_write(r, keys, &c, 1, &a, err);
    arena_fini(&a);
    return st;
}

static bool is_final(enum device_state state)
{
    return state == DEVICE_REVOKED || state == DEVICE_WIPED || state == DEVICE_WIPE_NOW;
}

/* A restore gives nobody rights back that were taken since. One that is not known here and was not
 * shut out for good comes back by its certificate, and is then what the ledger says. */
static enum ocop_status keep_one(struct registry *r, const struct server_keys *keys,
                                 const struct judged *d, struct backup_result *result,
                                 struct ocop_error *err)
{
    struct replica_info info;

    enum ocop_status st = registry_replica(r, &d->id, &info, err);
    if (st != OCOP_OK || (info.known && (info.state == d->state || info.revoked)) ||
        (!info.known && !is_final(d->state)))
        return st;
    st = info.known ? device_state_set(r, keys, &d->id,
                                       d->state == DEVICE_WIPED ? DEVICE_REVOKED : d->state,
                                       "as before the restore", err)
                    : make_known(r, keys, d, err);
    result->revoked += st == OCOP_OK && is_final(d->state);
    return st == OCOP_ESTATE ? OCOP_OK : st; /* it has more against it here */
}

/* Who is in the ledger and not in a registry that could be read. */
static enum ocop_status keep_entry(struct registry *r, const struct server_keys *keys,
                                   const struct ledger_entry *e, struct backup_result *result,
                                   struct ocop_error *err)
{
    struct own_draft draft = {.f = {0}};
    struct judged d = {.id = e->replica, .state = e->state};

    own_int(&draft, FIELD_RECORDED_MS, e->at_ms);
    own_bytes(&draft, REPLICA_TYPE, span_str("device"));
    own_int(&draft, REPLICA_NUMBER, e->number);
    own_bytes(&draft, REPLICA_SIGN_KEY, span_of(e->sign_key, SIGN_PUBLIC_LEN));
    own_bytes(&draft, REPLICA_CHANNEL_KEY, span_of(e->channel_key, CHANNEL_KEY_LEN));
    own_bytes(&draft, REPLICA_STATE, span_str(device_state_names[e->state]));
    if (e->reason[0])
        own_bytes(&draft, REPLICA_STATE_REASON, span_str(e->reason));
    d.fields = draft.f;
    return keep_one(r, keys, &d, result, err);
}

/* Devices that the registry before had judged have no more rights here either. */
static enum ocop_status keep_states(const struct heritage *h, struct registry *r,
                                    const struct server_keys *keys, struct backup_result *result,
                                    struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    char floor[24];

    for (const struct judged *d = h->judged; d && st == OCOP_OK; d = d->next)
        st = keep_one(r, keys, d, result, err);
    for (const struct ledger_entry *e = h->ledger.first; e && st == OCOP_OK; e = e->next)
        if (e->state != DEVICE_ACTIVE && ledger_last(&h->ledger, &e->replica) == e)
            st = keep_entry(r, keys, e, result, err);
    const uint32_t number = h->number > h->ledger.number ? h->number : h->ledger.number;
    snprintf(floor, sizeof floor, "%u", number);
    if (st == OCOP_OK && number > 0)
        st = registry_meta_set(r, "number_floor", span_str(floor), err);
    return st;
}

static enum ocop_status begin_lineage(struct registry *r, const struct heritage *h,
                                      const struct server_keys *keys, struct backup_result *result,
                                      struct ocop_error *err)
{
    struct lineage fresh = {
        .id = id_next(&r->ids, r->env), .parent = r->lineage, .fork_version = result->version};

    /* First those of the past: what is written last is the present one. */
    enum ocop_status st = keep_lineages(h, r, keys, err);
    if (st == OCOP_OK)
        st = write_lineages(r, keys, &fresh, 1, err);
    if (st == OCOP_OK)
        st = registry_meta_set(r, "lineage", id_span(&fresh.id), err);
    if (st == OCOP_OK)
        st = keep_states(h, r, keys, result, err);
    /* An invitation that may have been used since the backup must not be used again. */
    const bool closes = st == OCOP_OK && !h->invitations;
    sqlite3_stmt *s = closes ? registry_stmt(r, SQL_INVITATIONS_CLOSE, err) : NULL;
    if (closes)
        st = s ? registry_done(r, s, "closing invitations", err) : OCOP_EDB;
    result->closed = closes && st == OCOP_OK ? query_changed(r) : 0;
    return st;
}

static enum ocop_status start_lineage(const char *part, const char *before,
                                      const struct server_keys *keys, const struct env *env,
                                      struct backup_result *result, struct ocop_error *err)
{
    struct registry *r = NULL;
    struct heritage h = {.read = false};
    char path[BACKUP_PATH_MAX];

    enum ocop_status st = registry_open(part, false, env, NULL, &r, err);
    if (st != OCOP_OK)
        return st;
    heritage_read(&h, before, env);
    ledger_init(&h.ledger);
    st = backup_beside(before, ".ledger", path, err);
    if (st == OCOP_OK)
        st = ledger_read(&h.ledger, path, NULL, keys, err);
    result->ledger_bad = h.ledger.bad;
    result->before_unread = exists(before) && !h.read;
    /* One table that is damaged, which may be why it is restored, is no reason to fail. */
    if (st == OCOP_OK && h.read)
        h.invitations = query_invitations_used(r, before, NULL) == OCOP_OK;
    if (st == OCOP_OK)
        st = registry_begin(r, err);
    if (st == OCOP_OK) {
        st = begin_lineage(r, &h, keys, result, err);
        if (st == OCOP_OK)
            st = registry_commit(r, err);
        else
            registry_rollback(r);
    }
    registry_close(r);
    ledger_fini(&h.ledger);
    arena_fini(&h.a);
    return st;
}

/* Are the keys that stand here those of the registry in this file? Its first set enrols itself,
 * under its first root. */
static enum ocop_status same_registry(const char *part, const struct server_keys *keys,
                                      const struct env *env, struct ocop_error *err)
{
    struct registry *r = NULL;
    struct arena a;
    struct log_entry first;
    struct change_set set = {.changes = {NULL, 0}};
    bool same = false;

    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = registry_open(part, false, env, NULL, &r, err);
    if (st == OCOP_OK)
        st = log_read(r, 1, &first, err);
    if (st == OCOP_OK)
        st = changeset_open(first.body, &a, &set, err);
    for (size_t i = 0; st == OCOP_OK && i < set.changes.count; i++) {
        const struct change *c = &set.changes.v[i];
        const struct field *key = fields_find(&c->fields, REPLICA_SIGN_KEY, span_of(NULL, 0));
        same = same || (c->kind == KIND_REPLICA && id_eq(&c->record, &r->self) && key &&
                        span_eq(key->bytes, span_of(keys->roots.key[0], SIGN_PUBLIC_LEN)));
    }
    registry_close(r);
    arena_fini(&a);
    return st != OCOP_OK || same
               ? st
               : err_set(err, OCOP_EAUTH,
                         "the backup is of another registry than the keys that stand here; restore "
                         "it at a place of its own, by --db");
}

/* The first free name for what is moved aside; or, for a log that was left behind when its file was
 * moved, the name of that. */
static enum ocop_status name_aside(const char *path, bool behind, char moved[BACKUP_PATH_MAX],
                                   struct ocop_error *err)
{
    char suffix[40];
    int n = 0;
    enum ocop_status st;

    do {
        snprintf(suffix, sizeof suffix, ".before-restore-%d", ++n);
        st = backup_beside(path, suffix, moved, err);
    } while (st == OCOP_OK && exists(moved) && n < RESTORES_MAX);
    if (st != OCOP_OK || !behind || n == 1)
        return st;
    snprintf(suffix, sizeof suffix, ".before-restore-%d", n - 1);
    return backup_beside(path, suffix, moved, err);
}

static enum ocop_status rename_if_there(const char *from, const char *to, struct ocop_error *err)
{
    return rename(from, to) != 0 && errno != ENOENT ? io_error(err, "move aside", from) : OCOP_OK;
}

/* The file, then the log that belongs to it: wherever this ends, no file stands without its log but
 * that the log stands where the next restore finds it. The index of the log is made anew. */
static enum ocop_status move_aside(const char *path, char moved[BACKUP_PATH_MAX],
                                   struct ocop_error *err)
{
    char index[BACKUP_PATH_MAX], log[BACKUP_PATH_MAX], to[BACKUP_PATH_MAX];

    enum ocop_status st = backup_beside(path, "-shm", index, err);
    if (st == OCOP_OK)
        st = backup_beside(path, "-wal", log, err);
    if (st != OCOP_OK || (!exists(path) && !exists(log)))
        return st;
    st = name_aside(path, !exists(path), moved, err);
    if (st == OCOP_OK)
        st = backup_beside(moved, "-wal", to, err);
    if (st == OCOP_OK && unlink(index) != 0 && errno != ENOENT)
        st = io_error(err, "remove", index);
    if (st == OCOP_OK)
        st = rename_if_there(path, moved, err);
    return st == OCOP_OK ? rename_if_there(log, to, err) : st;
}

static enum ocop_status merge_ledgers(const char *from, const char *path, struct ocop_error *err)
{
    char own[BACKUP_PATH_MAX], other[BACKUP_PATH_MAX];

    enum ocop_status st = backup_beside(path, ".ledger", own, err);
    if (st == OCOP_OK)
        st = backup_beside(from, ".ledger", other, err);
    return st == OCOP_OK ? ledger_merge(other, own, err) : st;
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
    st = same_registry(part, &keys, env, err);
    if (st == OCOP_OK)
        st = merge_ledgers(from, path, err);
    if (st == OCOP_OK)
        st = start_lineage(part, path, &keys, env, result, err);
    if (st == OCOP_OK)
        st = flush(part, err);
    if (st == OCOP_OK)
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
