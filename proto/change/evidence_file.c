/* A bundle as a file: form, signature, compression. Nothing of what it says is believed here. The
 * contents behind the signed part are not looked at: their hashes are in it. */
#include "evidence.h"

#include "bounds.h"
#include "packed.h"
#include "zip.h"

/* magic, format, root key, how long the story is; then the root key's signature over all these and
 * the story, the story (zlib of the bundle), and the contents. */
static const uint8_t magic[8] = "OCOPEVID";
enum {
    FORMAT = 2,
    LEN_AT = sizeof magic + 1 + SIGN_PUBLIC_LEN,
    HEAD_LEN = LEN_AT + 4,
    STORY_AT = HEAD_LEN + SIGNATURE_LEN,
    READ_STEP = KIB(256)
};

static void head_fill(const uint8_t root_key[SIGN_PUBLIC_LEN], size_t len, uint8_t out[HEAD_LEN])
{
    memcpy(out, magic, sizeof magic);
    out[sizeof magic] = FORMAT;
    memcpy(out + sizeof magic + 1, root_key, SIGN_PUBLIC_LEN);
    for (size_t i = 0; i < 4; i++)
        out[LEN_AT + i] = (uint8_t)(len >> 8 * i);
}

enum ocop_status evidence_seal_packed(struct span packed, const struct sign_key *root,
                                      struct buf *out, struct ocop_error *err)
{
    uint8_t head[HEAD_LEN], signature[SIGNATURE_LEN];
    struct buf story;
    buf_init(&story, EVIDENCE_BYTES_MAX);
    enum ocop_status st = zip_deflate(packed, 9, &story, err);
    if (st == OCOP_OK) {
        head_fill(root->public_key, story.len, head);
        st = statement_sign(span_of(head, sizeof head), buf_span(&story), root, signature, err);
    }
    if (st == OCOP_OK) {
        buf_put(out, head, sizeof head);
        buf_put(out, signature, sizeof signature);
        buf_put(out, story.p, story.len);
        st = out->failed ? err_nomem(err) : OCOP_OK;
    }
    buf_fini(&story);
    return st;
}

enum ocop_status evidence_seal(const Ocop__Evidence__Bundle *bundle, const struct sign_key *root,
                               struct buf *out, struct ocop_error *err)
{
    struct buf packed;
    const size_t len = ocop__evidence__bundle__get_packed_size(bundle);
    enum ocop_status st = OCOP_OK;
    buf_init(&packed, EVIDENCE_INFLATED_MAX);
    if (len > EVIDENCE_INFLATED_MAX)
        st = err_set(err, OCOP_ELIMIT, "the evidence is too large: %zu bytes", len);
    else if (!buf_reserve(&packed, len))
        st = err_nomem(err);
    if (st == OCOP_OK) {
        packed.len = ocop__evidence__bundle__pack(bundle, packed.p);
        st = evidence_seal_packed(buf_span(&packed), root, out, err);
    }
    buf_fini(&packed);
    return st;
}

static enum ocop_status span_read(void *self, void *out, size_t len, size_t *got,
                                  struct ocop_error *err)
{
    struct span *left = self;
    (void)err;
    *got = len < left->len ? len : left->len;
    if (*got)
        memcpy(out, left->p, *got);
    *left = span_of(left->p + *got, left->len - *got);
    return OCOP_OK;
}

struct evidence_source evidence_source_of(struct span *left)
{
    return (struct evidence_source){span_read, left};
}

/* Is the message one that this program knows whole, its fields in order, and not too many of them?
 * Asked before protobuf-c takes memory for what a stranger wrote. */
static bool well_formed(const ProtobufCMessageDescriptor *m, struct span in, size_t *left)
{
    struct field f;
    uint32_t last = 0;
    size_t at = 0;
    int more;
    while ((more = packed_next(in, &at, &f)) > 0) {
        const ProtobufCFieldDescriptor *d = protobuf_c_message_descriptor_get_field(m, f.number);
        if (!d || *left == 0 || f.number < last ||
            (f.number == last && d->label != PROTOBUF_C_LABEL_REPEATED))
            return false;
        --*left;
        last = f.number;
        if (d->type == PROTOBUF_C_TYPE_MESSAGE &&
            (f.type != VALUE_BYTES || !well_formed(d->descriptor, f.bytes, left)))
            return false;
    }
    return more == 0;
}

/* Rising, so that none stands there twice. */
static bool rises(const ProtobufCBinaryData *before, const ProtobufCBinaryData *b, size_t len)
{
    return b->len == len && (!before || memcmp(before->data, b->data, len) < 0);
}

/* Without this nobody could tell where one content ends and the next begins. */
static enum ocop_status contents_check(const Ocop__Evidence__Bundle *b, struct ocop_error *err)
{
    if (b->n_files > EVIDENCE_FILES_MAX || b->n_contents > b->n_files)
        return err_set(err, OCOP_ELIMIT, "the bundle has %zu files and %zu contents, most are %d",
                       b->n_files, b->n_contents, EVIDENCE_FILES_MAX);
    for (size_t i = 0; i < b->n_files; i++)
        if (!rises(i ? &b->files[i - 1]->attachment : NULL, &b->files[i]->attachment, ID_LEN))
            return err_set(err, OCOP_EPROTO, "the bundle names a file twice, or out of order");
    for (size_t i = 0; i < b->n_contents; i++) {
        const Ocop__Evidence__EvidenceContent *c = b->contents[i];
        if (!rises(i ? &b->contents[i - 1]->hash : NULL, &c->hash, FILE_HASH_LEN))
            return err_set(err, OCOP_EPROTO, "the bundle has a content twice, or out of order");
        if (c->size == 0 || c->size > ATTACHED_BYTES_MAX)
            return err_set(err, OCOP_EPROTO, "the bundle has a content of a size that none has");
    }
    return OCOP_OK;
}

static enum ocop_status head_read(const struct evidence_source *in, uint8_t head[STORY_AT],
                                  size_t *len, struct ocop_error *err)
{
    size_t got;
    enum ocop_status st = in->read(in->self, head, STORY_AT, &got, err);
    if (st != OCOP_OK)
        return st;
    if (got < STORY_AT || memcmp(head, magic, sizeof magic) != 0)
        return err_set(err, OCOP_EPROTO, "this is no bundle of evidence, or only a piece of one");
    if (head[sizeof magic] != FORMAT)
        return err_set(err, OCOP_EVERSION, "the bundle has format %d, this program knows %d",
                       head[sizeof magic], FORMAT);
    *len = 0;
    for (size_t i = 0; i < 4; i++)
        *len |= (size_t)head[LEN_AT + i] << 8 * i;
    if (*len > EVIDENCE_BYTES_MAX)
        return err_set(err, OCOP_ELIMIT, "a bundle with a story of %zu bytes is too large", *len);
    return OCOP_OK;
}

/* Memory is taken for what comes, not for what is announced. */
static enum ocop_status story_read(const struct evidence_source *in, size_t len, struct buf *out,
                                   struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    while (st == OCOP_OK && out->len < len) {
        const size_t want = len - out->len < READ_STEP ? len - out->len : READ_STEP;
        size_t got = 0;
        if (!buf_reserve(out, want))
            return err_nomem(err);
        st = in->read(in->self, out->p + out->len, want, &got, err);
        out->len += got;
        if (st == OCOP_OK && got < want)
            st = err_set(err, OCOP_EPROTO, "this is only a piece of a bundle of evidence");
    }
    return st;
}

static enum ocop_status unpack(struct span packed, struct arena *a, Ocop__Evidence__Bundle **out,
                               struct ocop_error *err)
{
    size_t left = EVIDENCE_FIELDS_MAX;
    ProtobufCAllocator from_arena = arena_allocator(a);
    if (!well_formed(&ocop__evidence__bundle__descriptor, packed, &left))
        return err_set(err, OCOP_EPROTO,
                       "the bundle is malformed, or has parts of a newer program");
    *out = ocop__evidence__bundle__unpack(&from_arena, packed.len, packed.p);
    if (*out)
        return contents_check(*out, err);
    return a->full ? err_set(err, OCOP_ELIMIT, "the bundle holds too much")
                   : err_set(err, OCOP_EPROTO, "the bundle is malformed");
}

enum ocop_status evidence_open(const struct evidence_source *in, struct arena *a,
                               uint8_t root_key[SIGN_PUBLIC_LEN], Ocop__Evidence__Bundle **bundle,
                               struct ocop_error *err)
{
    uint8_t head[STORY_AT];
    struct span packed;
    struct buf story;
    size_t len = 0;
    *bundle = NULL;
    memset(root_key, 0, SIGN_PUBLIC_LEN);
    enum ocop_status st = head_read(in, head, &len, err);
    if (st != OCOP_OK)
        return st;
    memcpy(root_key, head + sizeof magic + 1, SIGN_PUBLIC_LEN);
    buf_init(&story, EVIDENCE_BYTES_MAX + READ_STEP);
    st = story_read(in, len, &story, err);
    if (st == OCOP_OK)
        st = statement_verify(span_of(head, HEAD_LEN), buf_span(&story), root_key, head + HEAD_LEN,
                              err);
    if (st == OCOP_OK)
        st = zip_inflate(buf_span(&story), EVIDENCE_INFLATED_MAX, a, &packed, err);
    buf_fini(&story);
    if (st == OCOP_OK)
        st = unpack(packed, a, bundle, err);
    if (st != OCOP_OK)
        *bundle = NULL;
    return st;
}
