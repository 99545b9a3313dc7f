/* Contents are named by what they are, so a copy is what the other folder lacks, and may be cut
 * short and begun again. Knows no backup but the folder of its contents. */
#include "blobs_copy.h"

#include <stdlib.h>

#include "blobs.h"
#include "query.h"

struct copying {
    struct registry *r;
    const struct content_dir *from, *to;
    struct blobs_copied *out;
    FILE *told; /* NULL: nobody is told */
};

enum ocop_status blobs_of_backup(const char *backup, const struct env *env, struct content_dir *out,
                                 struct ocop_error *err)
{
    const char *slash = strrchr(backup, '/');
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof path, "%.*sblobs", slash ? (int)(slash - backup + 1) : 0,
                         backup) >= sizeof path)
        return err_set(err, OCOP_ELIMIT, "the path of the backup is too long");
    return content_dir_init(out, path, NULL, env, err);
}

static enum ocop_status pour(const struct content_dir *from, const uint8_t *hash,
                             struct content_writer *w, bool *theirs, struct ocop_error *err)
{
    uint8_t *part = malloc(MIB(1));
    size_t got = MIB(1);
    enum ocop_status st = part ? OCOP_OK : err_nomem(err);

    for (uint64_t at = 0; st == OCOP_OK && got == MIB(1); at += got) {
        st = content_read(from, hash, at, part, MIB(1), &got, err);
        *theirs = st != OCOP_OK && st != OCOP_ENOMEM;
        if (st == OCOP_OK)
            st = content_write(w, span_of(part, got), err);
    }
    free(part);
    return st == OCOP_OK ? content_seal(w, err) : st;
}

enum ocop_status blobs_fetch(const struct content_dir *from, const struct content_dir *to,
                             const uint8_t *hash, uint64_t size, struct content_writer *w,
                             bool *theirs, struct ocop_error *err)
{
    *theirs = false;
    enum ocop_status st = content_begin(to, w, err);
    if (st != OCOP_OK)
        return st;
    st = pour(from, hash, w, theirs, err);
    if (st == OCOP_OK && memcmp(w->hash, hash, FILE_HASH_LEN) != 0)
        st = err_set(err, OCOP_EDAMAGED, "the content is not what was written");
    else if (st == OCOP_OK &&
             w->size != size) /* the attachment is wrong, and the content another's */
        st = err_set(err, OCOP_EINVAL, "the content is not there in this size");
    else
        return st;
    *theirs = true;
    return st;
}

static void tell(const struct copying *c, const struct query_file *f, const char *why)
{
    char id[ID_TEXT_LEN + 1];
    if (c->told)
        fprintf(c->told, "left out\tattachment %s\t%s\n", id_text(f->id, id), why);
}

static enum ocop_status not_there(struct copying *c, const struct query_file *f,
                                  struct ocop_error *err)
{
    bool was_here = false;
    enum ocop_status st = blobs_was_here(c->r, f->hash, &was_here, err);
    if (st != OCOP_OK)
        return st;
    c->out->missing += !was_here;
    c->out->lost += was_here;
    if (was_here)
        tell(c, f, "it had come, and is lost");
    return OCOP_OK;
}

static enum ocop_status copy_one(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct copying *c = self;
    struct content_writer w = {.fd = -1};
    struct ocop_error why = {0};
    bool there, theirs = false, fresh;
    if (f->removed_ms)
        return OCOP_OK;
    enum ocop_status st = content_there(c->to, f->hash, f->size, &there, err);

    if (st == OCOP_OK && there)
        c->out->before++;
    if (st != OCOP_OK || there)
        return st;
    st = blobs_fetch(c->from, c->to, f->hash, f->size, &w, &theirs, &why);
    if (st == OCOP_OK)
        st = content_place(&w, &fresh, &why);
    content_abandon(&w);
    c->out->copied += st == OCOP_OK;
    c->out->bytes += st == OCOP_OK ? f->size : 0;
    if (st == OCOP_OK)
        return OCOP_OK;
    if (st == OCOP_ENOTFOUND)
        return not_there(c, f, err);
    if (theirs && st == OCOP_EINVAL) { /* nothing is lost: what it says of the size never was */
        c->out->missing++;
        return OCOP_OK;
    }
    if (theirs && content_fails_alone(c->from, f->hash, st)) {
        c->out->damaged++;
        tell(c, f, why.text);
        return OCOP_OK;
    }
    if (err)
        *err = why;
    return st;
}

enum ocop_status blobs_copy_telling(struct registry *r, const struct content_dir *from,
                                    const struct content_dir *to, FILE *told,
                                    struct blobs_copied *out, struct ocop_error *err)
{
    struct copying c = {r, from, to, out, told};

    *out = (struct blobs_copied){0};
    return query_files(r, NULL, copy_one, &c, err);
}

enum ocop_status blobs_copy(struct registry *r, const struct content_dir *from,
                            const struct content_dir *to, struct blobs_copied *out,
                            struct ocop_error *err)
{
    return blobs_copy_telling(r, from, to, NULL, out, err);
}
