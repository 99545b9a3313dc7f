/* The contents of a bundle: what there is of each, which are carried, and writing them behind the
 * story. Each is read twice, once before its hash is vouched for and once on its way out, and never
 * held whole. */
#include "evidence_make.h"

#include <stdlib.h>

#include "bounds.h"
#include "query.h"
#include "show_files.h"

struct taking {
    struct registry *r;
    struct arena *a;
    Ocop__Evidence__Bundle *b;
    uint64_t room; /* bytes that may still be carried */
    bool carries;
};

static int by_attachment(const void *a, const void *b)
{
    const Ocop__Evidence__EvidenceFile *x = *(Ocop__Evidence__EvidenceFile *const *)a,
                                       *y = *(Ocop__Evidence__EvidenceFile *const *)b;
    return memcmp(x->attachment.data, y->attachment.data, ID_LEN);
}

static int by_hash(const void *a, const void *b)
{
    const Ocop__Evidence__EvidenceContent *x = *(Ocop__Evidence__EvidenceContent *const *)a,
                                          *y = *(Ocop__Evidence__EvidenceContent *const *)b;
    return memcmp(x->hash.data, y->hash.data, FILE_HASH_LEN);
}

/* Another attachment may name the same: it is carried once. */
static bool is_carried(const struct taking *t, const struct query_file *f)
{
    bool found = false;
    for (size_t i = 0; i < t->b->n_contents && !found; i++)
        found = memcmp(t->b->contents[i]->hash.data, f->hash, FILE_HASH_LEN) == 0;
    return found;
}

static enum ocop_status carry(struct taking *t, const struct query_file *f, uint32_t *state,
                              struct ocop_error *err)
{
    Ocop__Evidence__EvidenceContent *c = arena_calloc(t->a, 1, sizeof *c);
    uint8_t *hash = (uint8_t *)arena_dup(t->a, f->hash, FILE_HASH_LEN);
    *state = EVIDENCE_FILE_CARRIED;
    if (is_carried(t, f))
        return OCOP_OK;
    if (f->size > t->room) {
        *state = EVIDENCE_FILE_LEFT_OUT;
        return OCOP_OK;
    }
    if (!c || !hash)
        return err_nomem(err);
    enum ocop_status st = content_check(&t->r->blobs, f->hash, f->size, err);
    if (content_fails_alone(&t->r->blobs, f->hash, st)) {
        *state = EVIDENCE_FILE_DAMAGED;
        return OCOP_OK;
    }
    if (st != OCOP_OK)
        return st;
    ocop__evidence__evidence_content__init(c);
    c->has_hash = c->has_size = 1;
    c->hash = (ProtobufCBinaryData){FILE_HASH_LEN, hash};
    c->size = f->size;
    t->b->contents[t->b->n_contents++] = c;
    t->room -= f->size;
    return OCOP_OK;
}

static enum ocop_status file_fill(void *self, const struct query_file *f, struct ocop_error *err)
{
    static const uint32_t states[] = {
        [CONTENT_WHOLE] = EVIDENCE_FILE_LEFT_OUT,  [CONTENT_COMING] = EVIDENCE_FILE_COMING,
        [CONTENT_MISSING] = EVIDENCE_FILE_MISSING, [CONTENT_LOST] = EVIDENCE_FILE_DAMAGED,
        [CONTENT_REMOVED] = EVIDENCE_FILE_REMOVED, [CONTENT_UNREAD] = EVIDENCE_FILE_DAMAGED};
    struct taking *t = self;
    struct content_found c;
    Ocop__Evidence__EvidenceFile wanted = {.attachment = {ID_LEN, (uint8_t *)(uintptr_t)f->id.b}},
                                 *key = &wanted, **at;
    at = bsearch(&key, t->b->files, t->b->n_files, sizeof *t->b->files, by_attachment);
    if (!at) /* it came behind the story's end */
        return OCOP_OK;
    enum ocop_status st = content_find(t->r, f, &c, err);
    if (st != OCOP_OK)
        return st;
    (*at)->state = states[c.state];
    if (c.state == CONTENT_COMING) {
        (*at)->has_done = (*at)->has_tried_ms = 1;
        (*at)->done = c.done;
        (*at)->tried_ms = c.tried_ms;
    }
    return c.state == CONTENT_WHOLE && t->carries ? carry(t, f, &(*at)->state, err) : OCOP_OK;
}

enum ocop_status evidence_files_take(struct registry *r, const struct id *attachments, size_t count,
                                     const struct evidence_carry *carry, struct arena *a,
                                     Ocop__Evidence__Bundle *b, struct ocop_error *err)
{
    struct taking t = {r, a, b, carry ? carry->bytes_max : 0, carry && carry->bytes_max};
    struct id record;
    b->files = arena_calloc(a, count + 1, sizeof *b->files);
    b->contents = arena_calloc(a, count + 1, sizeof *b->contents);
    if (!b->files || !b->contents)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++) {
        Ocop__Evidence__EvidenceFile *f = arena_calloc(a, 1, sizeof *f);
        uint8_t *id = (uint8_t *)arena_dup(a, attachments[i].b, ID_LEN);
        if (!f || !id)
            return err_nomem(err);
        ocop__evidence__evidence_file__init(f);
        f->has_attachment = f->has_state = 1;
        f->attachment = (ProtobufCBinaryData){ID_LEN, id};
        f->state = EVIDENCE_FILE_REFUSED; /* unless the registry holds it */
        b->files[b->n_files++] = f;
    }
    qsort(b->files, b->n_files, sizeof *b->files, by_attachment);
    enum ocop_status st = OCOP_OK;
    if (count && id_from(span_of(b->record.data, b->record.len), &record))
        st = query_files(r, &record, file_fill, &t, err);
    qsort(b->contents, b->n_contents, sizeof *b->contents, by_hash);
    return st;
}

static enum ocop_status content_write_out(struct registry *r,
                                          const Ocop__Evidence__EvidenceContent *c, uint8_t *piece,
                                          FILE *out, struct ocop_error *err)
{
    size_t got = FILE_CHUNK_BYTES;
    enum ocop_status st = OCOP_OK;
    uint64_t at = 0;
    for (; st == OCOP_OK && got == FILE_CHUNK_BYTES; at += got) {
        st = content_read(&r->blobs, c->hash.data, at, piece, FILE_CHUNK_BYTES, &got, err);
        if (st == OCOP_OK && fwrite(piece, 1, got, out) != got)
            st = err_set(err, OCOP_EIO, "the bundle cannot be written: %m");
    }
    if (st == OCOP_OK && at != c->size)
        st = err_set(err, OCOP_EDAMAGED, "a content has become another while it was written");
    return st;
}

enum ocop_status evidence_contents_write(struct registry *r, const Ocop__Evidence__Bundle *b,
                                         FILE *out, struct ocop_error *err)
{
    uint8_t *piece = malloc(FILE_CHUNK_BYTES);
    enum ocop_status st = piece ? OCOP_OK : err_nomem(err);
    for (size_t i = 0; st == OCOP_OK && i < b->n_contents; i++)
        st = content_write_out(r, b->contents[i], piece, out, err);
    free(piece);
    if (st == OCOP_OK && fflush(out) != 0)
        st = err_set(err, OCOP_EIO, "the bundle cannot be written: %m");
    return st;
}
