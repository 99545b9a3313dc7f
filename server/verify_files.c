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
    bool damaged; /* else lost */
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
                             struct ocop_error *err)
{
    struct want *w, **bucket = &v->bucket[f->hash[0] << 8 | f->hash[1]];
    for (w = *bucket; w; w = w->in_bucket)
        if (memcmp(w->hash, f->hash, FILE_HASH_LEN) == 0)
            return OCOP_OK;
    w = arena_calloc(v->a, 1, sizeof *w);
    if (!w || !(w->officer = arena_dup(v->a, f->officer, strlen(f->officer))))
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
    if (st == OCOP_EDAMAGED)
        return want(v, f, true, err);
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
    if (st != OCOP_OK || was_here)
        return st != OCOP_OK ? st : want(v, f, false, err);
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
}

static const struct content_dir *backup_with(struct reading *v, const struct want *w)
{
    bool there = false;
    for (size_t i = 0; i < v->backups; i++)
        if (content_there(&v->backup[i], w->hash, w->size, &there, NULL) == OCOP_OK && there)
            return &v->backup[i];
    return NULL;
}

/* In a transaction, so that no device is told meanwhile that it is whole. */
static enum ocop_status mend_one(struct reading *v, const struct want *w, struct ocop_error *err)
{
    const struct content_dir *backup = backup_with(v, w);
    struct ocop_error why = {0};
    enum ocop_status st = OCOP_OK;
    uint64_t size;
    if (content_sound(&v->r->blobs, w->hash, &size, NULL) == OCOP_OK) {
        fputs("has come meanwhile\n", v->out); /* since it was read */
        return blobs_lack_no_more(v->r, w->hash, err);
    }
    if (w->damaged)
        st = content_set_aside(&v->r->blobs, w->hash, err);
    if (st == OCOP_OK && backup &&
        blobs_take(backup, &v->r->blobs, w->hash, w->size, &why) == OCOP_OK) {
        v->found->from_backups++;
        fprintf(v->out, "taken from %s\n", backup->path);
        return blobs_lack_no_more(v->r, w->hash, err);
    }
    if (st == OCOP_OK)
        st = blobs_lack(v->r, w->hash, w->size, err);
    v->found->asked += st == OCOP_OK;
    if (st == OCOP_OK)
        fputs("asked of the devices that may have it\n", v->out);
    return st;
}

static enum ocop_status mend_all(struct reading *v, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    for (const struct want *w = v->wants; st == OCOP_OK && w; w = w->next) {
        st = registry_begin(v->r, err);
        if (st != OCOP_OK)
            return st;
        tell_want(v, w);
        st = mend_one(v, w, err);
        if (st == OCOP_OK)
            st = registry_commit(v->r, err);
        if (st != OCOP_OK)
            registry_rollback(v->r);
    }
    return st;
}

static void tell_all(struct reading *v)
{
    for (const struct want *w = v->wants; w; w = w->next) {
        const struct content_dir *backup = backup_with(v, w);
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
    struct files_swept *swept;
};

static enum ocop_status sweep_content(void *self, const uint8_t hash[FILE_HASH_LEN],
                                      struct ocop_error *err)
{
    struct sweeping *w = self;
    char name[CONTENT_NAME_LEN + 1];
    bool named;
    enum ocop_status st = query_file_named(w->r, hash, &named, err);
    if (st != OCOP_OK || named)
        return st;
    w->swept->removed++;
    fprintf(w->out, "removed\t%s\tno attachment names it\n", content_name(hash, name));
    return content_remove(&w->r->blobs, hash, err);
}

static enum ocop_status sweep_part(void *self, const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                   int64_t tried_ms, struct ocop_error *err)
{
    struct sweeping *w = self;
    char name[CONTENT_NAME_LEN + 1];
    uint64_t bytes = 0;
    bool named;
    enum ocop_status st = query_file_named(w->r, hash, &named, err);
    if (st == OCOP_OK && !named) {
        w->swept->removed++;
        fprintf(w->out, "removed\t%s\ta part, and no attachment names it\n",
                content_name(hash, name));
        return content_part_remove(&w->r->blobs, hash, size, err);
    }
    if (st != OCOP_OK || tried_ms >= w->before_ms)
        return st;
    st = content_part_empty(&w->r->blobs, hash, size, &bytes, err);
    if (bytes) {
        w->swept->emptied++;
        w->swept->bytes += bytes;
        fprintf(w->out, "emptied\t%s\tits last chunk came on ", content_name(hash, name));
        show_moment(w->out, tried_ms);
        fputs("; it is still on its way\n", w->out);
    }
    return st;
}

enum ocop_status files_sweep(struct registry *r, unsigned days, FILE *out,
                             struct files_swept *swept, struct ocop_error *err)
{
    struct sweeping w = {.r = r, .out = out, .swept = swept};
    *swept = (struct files_swept){0};
    if (days)
        w.before_ms = env_now_ms(r->env) - (int64_t)days * DAY_MS;
    enum ocop_status st = content_each(&r->blobs, sweep_content, &w, err);
    return st == OCOP_OK ? content_each_part(&r->blobs, sweep_part, &w, err) : st;
}
