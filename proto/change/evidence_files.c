/* The attachments of a bundle's record: what is said of each content, against what the changes say
 * that made it. What the content is, is the device's word by its hash; what there is of it, the
 * registry's. Reads no content. */
#include "evidence.h"

#include <inttypes.h>
#include <stdlib.h>

#include "bounds.h"

enum ocop_status evidence_files_begin(struct evidence_checking *c)
{
    const Ocop__Evidence__Bundle *b = c->e->bundle;
    c->e->files = arena_calloc(c->a, b->n_files + 1, sizeof *c->e->files);
    if (!c->e->files)
        return err_nomem(c->err);
    for (size_t i = 0; i < b->n_files; i++) {
        struct evidence_file *f = &c->e->files[c->e->file_count++];
        f->in = b->files[i];
        (void)id_from(span_of(f->in->attachment.data, f->in->attachment.len), &f->id);
    }
    return OCOP_OK;
}

static int by_id(const void *id, const void *file)
{
    return memcmp(id, ((const struct evidence_file *)file)->id.b, ID_LEN);
}

static struct evidence_file *file_of(const struct evidence *e, const struct id *id)
{
    return e->file_count ? bsearch(id, e->files, e->file_count, sizeof *e->files, by_id) : NULL;
}

bool evidence_tells_of(const struct evidence *e, const struct id *id)
{
    return id_eq(id, &e->record) || file_of(e, id);
}

static bool belongs(const struct evidence *e, const struct fields *fields)
{
    const struct field *f = fields_find(fields, ATTACHMENT_RECORD, span_of(NULL, 0));
    return f && f->op == FIELD_SET && span_eq(f->bytes, id_span(&e->record));
}

void evidence_attached(struct evidence_checking *c, uint64_t version, const struct change *change)
{
    char id[ID_TEXT_LEN + 1];
    if (change->kind == KIND_ATTACHMENT && change->verb == VERB_CREATE &&
        belongs(c->e, &change->fields) && !file_of(c->e, &change->record))
        evidence_found(c, "version %" PRIu64 ": attachment %s of the record is left out", version,
                       id_text(change->record, id));
}

const struct evidence_change *evidence_made(const struct evidence *e, const struct id *attachment)
{
    for (size_t i = 0; i < e->change_count; i++) {
        const struct change *ch = &e->changes[i].c;
        if (ch->kind == KIND_ATTACHMENT && ch->verb == VERB_CREATE &&
            id_eq(&ch->record, attachment))
            return &e->changes[i];
    }
    return NULL;
}

static void file_tie(struct evidence_checking *c, struct evidence_file *f)
{
    const struct evidence_state *s = c->e->states;
    char id[ID_TEXT_LEN + 1];
    f->made = evidence_made(c->e, &f->id);
    while (s && (s->kind != KIND_ATTACHMENT || !id_eq(&s->id, &f->id)))
        s = s->next;
    const bool refused = f->in->state == EVIDENCE_FILE_REFUSED;
    if (!f->made || !belongs(c->e, &f->made->c.fields) || (!refused && (!s || !s->present))) {
        evidence_found(c, "file %s: no attachment of the record is shown that names it",
                       id_text(f->id, id));
        return;
    }
    if (refused && s && s->present)
        evidence_found(c, "file %s: it is said to be refused, and was not", id_text(f->id, id));
    const struct fields *fields = refused ? &f->made->c.fields : &s->fields;
    const struct field *hash = fields_find(fields, ATTACHMENT_HASH, span_of(NULL, 0)),
                       *size = fields_find(fields, ATTACHMENT_SIZE, span_of(NULL, 0));
    if (!hash || hash->bytes.len != FILE_HASH_LEN || !size || size->i < 1) {
        evidence_found(c, "file %s: its attachment does not say what its content is",
                       id_text(f->id, id));
        return;
    }
    const struct field *removed = fields_find(fields, ATTACHMENT_REMOVED_MS, span_of(NULL, 0));
    if ((removed && removed->op == FIELD_SET) != (f->in->state == EVIDENCE_FILE_REMOVED))
        evidence_found(c, "file %s: whether it was removed is not what its attachment says",
                       id_text(f->id, id));
    f->held = refused ? NULL : s;
    f->hash = hash->bytes;
    f->size = (uint64_t)size->i;
}

/* Either way: what is said to be carried is, and what is carried is said to be. */
static void contents_tie(struct evidence_checking *c)
{
    const Ocop__Evidence__Bundle *b = c->e->bundle;
    char id[ID_TEXT_LEN + 1];
    for (size_t i = 0; i < c->e->file_count; i++) {
        const struct evidence_file *f = &c->e->files[i];
        bool there = false;
        for (size_t n = 0; n < b->n_contents && !there; n++)
            there = f->held && b->contents[n]->size == f->size &&
                    span_eq(f->hash, span_of(b->contents[n]->hash.data, FILE_HASH_LEN));
        if (there != (f->in->state == EVIDENCE_FILE_CARRIED) && (f->held || there))
            evidence_found(c, "file %s: the bundle %s", id_text(f->id, id),
                           there ? "has its content, and says otherwise"
                                 : "is said to have its content, and does not");
    }
    for (size_t n = 0; n < b->n_contents; n++) {
        bool named = false;
        for (size_t i = 0; i < c->e->file_count && !named; i++)
            named = c->e->files[i].held && c->e->files[i].size == b->contents[n]->size &&
                    span_eq(c->e->files[i].hash, span_of(b->contents[n]->hash.data, FILE_HASH_LEN));
        if (!named)
            evidence_found(c,
                           "the bundle carries a content that no attachment of the record names");
    }
}

void evidence_files_check(struct evidence_checking *c)
{
    char id[ID_TEXT_LEN + 1];
    for (size_t i = 0; i < c->e->file_count; i++) {
        struct evidence_file *f = &c->e->files[i];
        file_tie(c, f);
        if (f->in->state < EVIDENCE_FILE_CARRIED || f->in->state > EVIDENCE_FILE_REFUSED)
            evidence_found(c, "file %s: what there is of it is not said", id_text(f->id, id));
    }
    contents_tie(c);
}
