/* All contents read and held against what names them; mending; sweeping. What devices bring and
 * fetch is blobs.c's. */
#include "verify_files.h"

#include <inttypes.h>

#include "blobs.h"
#include "blobs_copy.h"
#include "query.h"
#include "show.h"

enum { BACKUPS_MAX = 64, BUCKETS = 1 << 16, DAY_MS = 86400000 };

/* A content to be had again. */
struct want {
    struct want *next, *in_bucket;
    struct id attachment;
    uint8_t hash[FILE_HASH_LEN];
    uint64_t size;
    uint32_t device;
    const char *officer;
    const char *why; /* it cannot be read; NULL: it is not what was sent */
    bool damaged;    /* else lost */
};

struct reading {
    struct registry *r;
    FILE *out;
    struct files_found *found;
    struct arena *a;
    struct want *wants, **end;
    struct want *bucket[BUCKETS]; /* by the first two bytes of the hash: several may name one */
    struct content_dir backup[BACKUPS_MAX];
    size_t backups;
};

/* Folders that hold several backups hold their contents once. */
static enum ocop_status on_backup(void *self, const char *path, struct ocop_error *err)
{
    struct reading *v = self;
    struct content_dir *d = &v->backup[v->backups];
    if (v->backups == BACKUPS_MAX)
        return OCOP_OK;
    enum ocop_status st = blobs_of_backup(path, v->r->env, d, err);
    bool known = st != OCOP_OK;
    for (size_t i = 0; i < v->backups && !known; i++)
        known = strcmp(v->backup[i].path, d->path) == 0;
    v->backups += !known;
    return st;
}

static enum ocop_status want(struct reading *v, const struct query_file *f, bool damaged,
                             const char *why, struct ocop_error *err)
{
    struct want *w, **bucket = &v->bucket[f->hash[0] << 8 | f->hash[1]];
    for (w = *bucket; w; w = w->in_bucket)
        if (memcmp(w->hash, f->hash, FILE_HASH_LEN) == 0)
            return OCOP_OK;
    w = arena_calloc(v->a, 1, sizeof *w);
    if (!w || !(w->officer = arena_dup(v->a, f->officer, strlen(f->officer))) ||
        (why && !(w->why = arena_dup(v->a, why, strlen(why)))))
        return err_nomem(err);
    w->in_bucket = *bucket;
    *bucket = w;
    w->attachment = f->id;
    memcpy(w->hash, f->hash, FILE_HASH_LEN);
    w->size = f->size;
    w->device = f->device;
    w->damaged = damaged;
    *v->end = w;
    v->end = &w->next;
    v->found->damaged += damaged;
    v->found->lost += !damaged;
    return OCOP_OK;
}

static const struct content_dir *backup_with(struct reading *v, const uint8_t hash[FILE_HASH_LEN],
                                             uint64_t size)
{
    bool there = false;
    for (size_t i = 0; i < v->backups; i++)
        if (content_there(&v->backup[i], hash, size, &there, NULL) == OCOP_OK && there)
            return &v->backup[i];
    return NULL;
}

static enum ocop_status read_one(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct reading *v = self;
    char id[ID_TEXT_LEN + 1];
    struct ocop_error why = {0};
    bool was_here = false;
    if (f->removed_ms)
        return OCOP_OK;
    uint64_t size = 0;
    enum ocop_status st = content_sound(&v->r->blobs, f->hash, &size, &why);
    v->found->read++;
    if (content_fails_alone(&v->r->blobs, f->hash, st))
        return want(v, f, true, st == OCOP_EDAMAGED ? NULL : why.text, err);
    if (st == OCOP_OK && size != f->size) { /* the attachment is wrong, and the content another's */
        fprintf(v->out, "wrong size\tattachment %s\tdevice %" PRIu32 "\t", id_text(f->id, id),
                f->device);
        show_str(v->out, f->officer);
        fprintf(v->out, "\tit says %" PRIu64 " bytes, and the content has %" PRIu64 "\n", f->size,
                size);
        return OCOP_OK;
    }
    if (st != OCOP_ENOTFOUND) {
        if (st != OCOP_OK && err)
            *err = why;
        return st;
    }
    v->found->missing++;
    st = blobs_was_here(v->r, f->hash, &was_here, err);
    /* One that a backup has was here too, and a restore forgot that. */
    if (st == OCOP_OK && (was_here || backup_with(v, f->hash, f->size)))
        return want(v, f, false, NULL, err);
    if (st != OCOP_OK)
        return st;
    fprintf(v->out, "missing\tattachment %s\tdevice %" PRIu32 "\t", id_text(f->id, id), f->device);
    show_str(v->out, f->officer);
    fputs("\tits device has not brought it yet\n", v->out);
    return OCOP_OK;
}

static void tell_want(struct reading *v, const struct want *w)
{
    char id[ID_TEXT_LEN + 1];
    fprintf(v->out, "%s\tattachment %s\tdevice %" PRIu32 "\t", w->damaged ? "damaged" : "lost",
            id_text(w->attachment, id), w->device);
    show_str(v->out, w->officer);
    fputc('\t', v->out);
    if (w->why)
        fprintf(v->out, "it cannot be read: %s; ", w->why);
}

/* From the first backup that has it whole and gives it; NULL: none does. Only what is ours fails.
 */
static enum ocop_status fetch(struct reading *v, const struct want *w, struct content_writer *copy,
                              const struct content_dir **from, struct ocop_error *err)
{
    struct ocop_error why = {0};
    *from = NULL;
    for (size_t i = 0; i < v->backups; i++) {
        bool there = false, theirs;
        if (content_there(&v->backup[i], w->hash, w->size, &there, NULL) != OCOP_OK || !there)
            continue;
        enum ocop_status st =
            blobs_fetch(&v->backup[i], &v->r->blobs, w->hash, w->size, copy, &theirs, &why);
        if (st == OCOP_OK) {
            *from = &v->backup[i];
            return OCOP_OK;
        }
        content_abandon(copy);
        if (!theirs) {
            if (err)
                *err = why;
            return st;
        }
    }
    return OCOP_OK;
}

/* What was seen of a content before the lock was taken, and what it is to become. */
struct mending {
    bool whole;
    struct content_stamp seen;
    struct content_writer copy;
    const struct content_dir *from; /* what the copy was made of; NULL: there is none */
};

/* What cannot even be put aside stays as it is, and is told of; the others are mended. */
static bool set_aside(struct reading *v, const struct want *w)
{
    struct ocop_error why = {0};
    if (!w->damaged || !content_stamp(&v->r->blobs, w->hash).there ||
        content_set_aside(&v->r->blobs, w->hash, &why) == OCOP_OK)
        return true;
    v->found->failed++;
    fprintf(v->out, "it cannot be put aside: %s\n", why.text);
    return false;
}

/* In a transaction, so that no device is told meanwhile that it is whole; and so with nothing in it
 * that takes long. */
static enum ocop_status mend_now(struct reading *v, const struct want *w, struct mending *m,
                                 struct ocop_error *err)
{
    struct content_stamp now = content_stamp(&v->r->blobs, w->hash);
    struct ocop_error why = {0};
    bool fresh, named;
    enum ocop_status st = query_file_named(v->r, w->hash, &named, err);
    if (st != OCOP_OK)
        return st;
    if (!named || m->whole || (now.there && !content_stamp_eq(&now, &m->seen))) {
        fputs(named ? "has come meanwhile\n" : "is not wanted any more\n", v->out);
        return blobs_lack_no_more(v->r, w->hash, err);
    }
    if (!set_aside(v, w))
        return OCOP_OK;
    if (m->from && content_place(&m->copy, &fresh, &why) != OCOP_OK) {
        v->found->failed++; /* what was here is put aside: the devices are asked meanwhile */
        fprintf(v->out, "it cannot be put in its place: %s\n", why.text);
        return blobs_lack(v->r, w->hash, err);
    }
    st = m->from ? blobs_lack_no_more(v->r, w->hash, err) : blobs_lack(v->r, w->hash, err);
    if (st != OCOP_OK)
        return st;
    v->found->from_backups += m->from != NULL;
    v->found->asked += !m->from;
    if (m->from)
        fprintf(v->out, "taken from %s\n", m->from->path);
    else
        fputs("asked of the devices that may have it\n", v->out);
    return OCOP_OK;
}

static enum ocop_status mend_one(struct reading *v, const struct want *w, struct ocop_error *err)
{
    struct mending m = {.seen = content_stamp(&v->r->blobs, w->hash), .copy = {.fd = -1}};
    uint64_t size;
    m.whole = content_sound(&v->r->blobs, w->hash, &size, NULL) == OCOP_OK; /* since it was read */
    enum ocop_status st = m.whole ? OCOP_OK : fetch(v, w, &m.copy, &m.from, err);
    if (st == OCOP_OK)
        st = registry_begin(v->r, err);
    if (st == OCOP_OK) {
        tell_want(v, w);
        st = mend_now(v, w, &m, err);
        if (st == OCOP_OK)
            st = registry_commit(v->r, err);
        if (st != OCOP_OK)
            registry_rollback(v->r);
    }
    content_abandon(&m.copy);
    return st;
}

static enum ocop_status mend_all(struct reading *v, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    for (const struct want *w = v->wants; st == OCOP_OK && w; w = w->next)
        st = mend_one(v, w, err);
    return st;
}

static void tell_all(struct reading *v)
{
    for (const struct want *w = v->wants; w; w = w->next) {
        const struct content_dir *backup = backup_with(v, w->hash, w->size);
        tell_want(v, w);
        if (backup)
            fprintf(v->out, "it is in %s", backup->path);
        else
            fputs("no backup has it, a device may", v->out);
        fputs("; `ocopd files verify --mend`\n", v->out);
    }
}

/* --- what nothing names -------------------------------------------------------------------------
 */

static enum ocop_status orphan(void *self, const uint8_t hash[FILE_HASH_LEN],
                               struct ocop_error *err)
{
    struct reading *v = self;
    char name[CONTENT_NAME_LEN + 1];
    bool named;
    enum ocop_status st = query_file_named(v->r, hash, &named, err);
    if (st != OCOP_OK || named)
        return st;
    v->found->orphaned++;
    fprintf(v->out, "orphaned\t%s\tno attachment names it\n", content_name(hash, name));
    return OCOP_OK;
}

enum ocop_status files_verify(struct registry *r, bool mend, FILE *out, struct files_found *found,
                              struct ocop_error *err)
{
    struct arena a;
    struct reading *v;
    *found = (struct files_found){0};
    arena_init(&a, MIB(256));
    v = arena_calloc(&a, 1, sizeof *v);
    if (!v) {
        arena_fini(&a);
        return err_nomem(err);
    }
    v->r = r;
    v->out = out;
    v->found = found;
    v->a = &a;
    v->end = &v->wants;
    enum ocop_status st = query_backups(r, on_backup, v, err);
    if (st == OCOP_OK)
        st = query_files(r, NULL, read_one, v, err);
    if (st == OCOP_OK && mend)
        st = mend_all(v, err);
    else if (st == OCOP_OK)
        tell_all(v);
    if (st == OCOP_OK)
        st = content_each(&r->blobs, orphan, v, err);
    arena_fini(&a);
    return st;
}

/* --- sweeping -----------------------------------------------------------------------------------
 */

struct sweeping {
    struct registry *r;
    FILE *out;
    int64_t before_ms; /* parts that nobody touched since; 0: none */
    bool spares;       /* what a device may name again that has not synced since a restore */
    struct files_swept *swept;
};

static enum ocop_status was_restored(struct registry *r, bool *out, struct ocop_error *err)
{
    struct lineage *v;
    struct arena a;
    size_t count;
    arena_init(&a, MIB(1));
    enum ocop_status st = lineages_of(r, &a, &v, &count, err);
    *out = false;
    for (size_t i = 0; st == OCOP_OK && i < count; i++)
        *out = *out || !id_is_zero(&v[i].parent);
    arena_fini(&a);
    return st;
}

static const char unnamed[] = "no attachment names it";

/* One that cannot be removed now is told of, and keeps none of the others. */
static enum ocop_status swept(struct sweeping *w, const uint8_t hash[FILE_HASH_LEN],
                              const char *reason, enum ocop_status st, const struct ocop_error *why,
                              struct ocop_error *err)
{
    char name[CONTENT_NAME_LEN + 1];
    if (st == OCOP_OK) {
        w->swept->removed++;
        fprintf(w->out, "removed\t%s\t%s\n", content_name(hash, name), reason);
        return OCOP_OK;
    }
    if (!content_fails_alone(&w->r->blobs, hash, st)) {
        if (err)
            *err = *why;
        return st;
    }
    w->swept->failed++;
    fprintf(w->out, "left\t%s\t%s\n", content_name(hash, name), why->text);
    return OCOP_OK;
}

static enum ocop_status sweep_content(void *self, const uint8_t hash[FILE_HASH_LEN],
                                      struct ocop_error *err)
{
    struct sweeping *w = self;
    struct ocop_error why = {0};
    char name[CONTENT_NAME_LEN + 1];
    bool named, removed = false;
    enum ocop_status st = query_file_named(w->r, hash, &named, err);
    if (st == OCOP_OK && !named && w->spares)
        st = query_file_removed(w->r, hash, &removed, err);
    if (st != OCOP_OK || named)
        return st;
    if (w->spares && !removed) {
        w->swept->spared++;
        fprintf(w->out, "kept\t%s\tno attachment names it; since the restore a device may yet\n",
                content_name(hash, name));
        return OCOP_OK;
    }
    st = content_remove(&w->r->blobs, hash, &why);
    return swept(w, hash, unnamed, st, &why, err);
}

/* A part that is nobody's any more, or of what came whole from another, is removed; one that is old
 * is emptied. */
static enum ocop_status sweep_part(void *self, const struct content_part_of *of, int64_t tried_ms,
                                   struct ocop_error *err)
{
    struct sweeping *w = self;
    struct ocop_error why = {0};
    char name[CONTENT_NAME_LEN + 1];
    uint64_t bytes = 0;
    bool named, there = false;
    enum ocop_status st = query_file_named(w->r, of->hash, &named, err);
    if (st == OCOP_OK && named)
        st = content_there(&w->r->blobs, of->hash, of->size, &there, err);
    if (st == OCOP_OK && (!named || there)) {
        st = content_part_remove(&w->r->blobs, of, &why);
        return swept(w, of->hash,
                     there ? "a part, and all of it is here" : "a part, and no attachment names it",
                     st, &why, err);
    }
    if (st != OCOP_OK || tried_ms >= w->before_ms)
        return st;
    st = content_part_empty(&w->r->blobs, of, &bytes, &why);
    if (st != OCOP_OK)
        return swept(w, of->hash, "", st, &why, err);
    if (bytes) {
        w->swept->emptied++;
        w->swept->bytes += bytes;
        fprintf(w->out, "emptied\t%s\tits last chunk came on ", content_name(of->hash, name));
        show_moment(w->out, tried_ms);
        fputs("; it is still on its way\n", w->out);
    }
    return st;
}

enum ocop_status files_sweep(struct registry *r, unsigned days, bool restored, FILE *out,
                             struct files_swept *swept, struct ocop_error *err)
{
    struct sweeping w = {.r = r, .out = out, .swept = swept};
    enum ocop_status st = restored ? OCOP_OK : was_restored(r, &w.spares, err);
    *swept = (struct files_swept){0};
    if (days)
        w.before_ms = env_now_ms(r->env) - (int64_t)days * DAY_MS;
    if (st == OCOP_OK)
        st = content_each(&r->blobs, sweep_content, &w, err);
    if (st == OCOP_OK)
        st = content_each_aside(&r->blobs, sweep_content, &w, err);
    return st == OCOP_OK ? content_each_part(&r->blobs, sweep_part, &w, err) : st;
}
