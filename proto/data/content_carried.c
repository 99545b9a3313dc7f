/* Contents out of a bundle. Knows no folder and no name: where they go is the sink's. */
#include "content_carried.h"

#include <sodium.h>

#include "bounds.h"

enum { PIECE = KIB(64) };

struct carrying {
    struct evidence_checking c;
    const struct evidence_source *in;
    const struct carried_sink *sink;
    uint8_t *piece;
};

static struct evidence_file *named_by(struct evidence *e, struct evidence_file *from,
                                      const Ocop__Evidence__EvidenceContent *content)
{
    for (; from < e->files + e->file_count; from++)
        if (from->held && from->in->state == EVIDENCE_FILE_CARRIED && from->size == content->size &&
            span_eq(from->hash, span_of(content->hash.data, content->hash.len)))
            return from;
    return NULL;
}

/* The bytes of one content. The hash is told of those that came. */
static enum ocop_status pour(struct carrying *r, uint64_t size, const struct carried_sink *sink,
                             uint64_t *came, uint8_t hash[FILE_HASH_LEN])
{
    crypto_generichash_state state;
    size_t got = PIECE;
    enum ocop_status st = OCOP_OK;
    *came = 0;
    (void)crypto_generichash_init(&state, NULL, 0, FILE_HASH_LEN);
    while (st == OCOP_OK && *came < size && got) {
        const size_t want = size - *came < PIECE ? (size_t)(size - *came) : PIECE;
        st = r->in->read(r->in->self, r->piece, want, &got, r->c.err);
        if (st != OCOP_OK)
            break;
        (void)crypto_generichash_update(&state, r->piece, got);
        *came += got;
        if (sink->write && got)
            st = sink->write(sink->self, span_of(r->piece, got), r->c.err);
    }
    (void)crypto_generichash_final(&state, hash, FILE_HASH_LEN);
    return st;
}

static void found(struct carrying *r, struct evidence_file *f, enum evidence_carried what)
{
    char id[ID_TEXT_LEN + 1];
    f->carried = what;
    if (what != CARRIED_WHOLE)
        evidence_found(&r->c, "file %s: %s", id_text(f->id, id),
                       what == CARRIED_CUT
                           ? "the bundle ends before its content does"
                           : "the content in the bundle is not the one that was attached");
}

static enum ocop_status one(struct carrying *r, const Ocop__Evidence__EvidenceContent *content)
{
    static const struct carried_sink nowhere;
    struct evidence_file *f = named_by(r->c.e, r->c.e->files, content);
    /* One that nobody names is read over: it is a finding already. */
    const struct carried_sink *sink = f ? r->sink : &nowhere;
    uint8_t hash[FILE_HASH_LEN];
    uint64_t came = 0;
    const char *name = NULL;
    enum ocop_status st = sink->begin ? sink->begin(sink->self, f, r->c.err) : OCOP_OK;
    if (st != OCOP_OK)
        return st;
    st = pour(r, content->size, sink, &came, hash);
    const bool whole = st == OCOP_OK && came == content->size &&
                       memcmp(hash, content->hash.data, sizeof hash) == 0;
    if (sink->end) {
        enum ocop_status ended =
            sink->end(sink->self, whole, &name, st == OCOP_OK ? r->c.err : NULL);
        st = st == OCOP_OK ? ended : st;
    }
    for (; st == OCOP_OK && f; f = named_by(r->c.e, f + 1, content)) {
        f->written = name;
        found(r, f, whole ? CARRIED_WHOLE : came < content->size ? CARRIED_CUT : CARRIED_DAMAGED);
    }
    return st;
}

enum ocop_status carried_read(struct evidence *e, const struct evidence_source *in,
                              const struct carried_sink *sink, struct arena *a,
                              struct ocop_error *err)
{
    struct carrying r = {{e, a, err}, in, sink, arena_alloc(a, PIECE)};
    size_t got = 0;
    if (!r.piece)
        return err_nomem(err);
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < e->bundle->n_contents; i++)
        st = one(&r, e->bundle->contents[i]);
    if (st == OCOP_OK)
        st = in->read(in->self, r.piece, 1, &got, err);
    if (st == OCOP_OK && got)
        st = err_set(err, OCOP_EPROTO, "the bundle has something behind its last content");
    return st;
}
