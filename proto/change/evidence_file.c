/* A bundle as a file: form, signature, compression. Nothing of what it says is believed here. */
#include "evidence.h"

#include "bounds.h"
#include "packed.h"
#include "zip.h"

/* magic, format; then the root key, its signature over all else, and zlib of the bundle. */
static const uint8_t magic[8] = "OCOPEVID";
enum { FORMAT = 1, BODY_AT = EVIDENCE_HEAD_LEN + SIGNATURE_LEN };

static void head_fill(const uint8_t root_key[SIGN_PUBLIC_LEN], uint8_t out[EVIDENCE_HEAD_LEN])
{
    memcpy(out, magic, sizeof magic);
    out[sizeof magic] = FORMAT;
    memcpy(out + sizeof magic + 1, root_key, SIGN_PUBLIC_LEN);
}

enum ocop_status evidence_seal(const Ocop__Evidence__Bundle *bundle, const struct sign_key *root,
                               struct buf *out, struct ocop_error *err)
{
    uint8_t head[EVIDENCE_HEAD_LEN], signature[SIGNATURE_LEN];
    struct buf packed, body;
    const size_t len = ocop__evidence__bundle__get_packed_size(bundle);
    enum ocop_status st = OCOP_OK;

    buf_init(&packed, EVIDENCE_INFLATED_MAX);
    buf_init(&body, EVIDENCE_BYTES_MAX - BODY_AT);
    if (len > EVIDENCE_INFLATED_MAX)
        st = err_set(err, OCOP_ELIMIT, "the evidence is too large: %zu bytes", len);
    else if (!buf_reserve(&packed, len))
        st = err_nomem(err);
    if (st == OCOP_OK) {
        packed.len = ocop__evidence__bundle__pack(bundle, packed.p);
        st = zip_deflate(buf_span(&packed), 9, &body, err);
    }
    head_fill(root->public_key, head);
    if (st == OCOP_OK)
        st = statement_sign(span_of(head, sizeof head), buf_span(&body), root, signature, err);
    if (st == OCOP_OK) {
        buf_put(out, head, sizeof head);
        buf_put(out, signature, sizeof signature);
        buf_put(out, body.p, body.len);
        st = out->failed ? err_nomem(err) : OCOP_OK;
    }
    buf_fini(&packed);
    buf_fini(&body);
    return st;
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

enum ocop_status evidence_open(struct span file, struct arena *a, uint8_t root_key[SIGN_PUBLIC_LEN],
                               Ocop__Evidence__Bundle **bundle, struct ocop_error *err)
{
    struct span packed;
    size_t left = EVIDENCE_FIELDS_MAX;

    *bundle = NULL;
    memset(root_key, 0, SIGN_PUBLIC_LEN);
    if (file.len < BODY_AT || memcmp(file.p, magic, sizeof magic) != 0)
        return err_set(err, OCOP_EPROTO, "this is no bundle of evidence, or only a piece of one");
    if (file.p[sizeof magic] != FORMAT)
        return err_set(err, OCOP_EVERSION, "the bundle has format %d, this program knows %d",
                       file.p[sizeof magic], FORMAT);
    if (file.len > EVIDENCE_BYTES_MAX)
        return err_set(err, OCOP_ELIMIT, "a bundle of %zu bytes is too large", file.len);
    memcpy(root_key, file.p + sizeof magic + 1, SIGN_PUBLIC_LEN);
    const struct span body = span_of(file.p + BODY_AT, file.len - BODY_AT);
    enum ocop_status st = statement_verify(span_of(file.p, EVIDENCE_HEAD_LEN), body, root_key,
                                           file.p + EVIDENCE_HEAD_LEN, err);
    if (st == OCOP_OK)
        st = zip_inflate(body, EVIDENCE_INFLATED_MAX, a, &packed, err);
    if (st != OCOP_OK)
        return st;
    if (!well_formed(&ocop__evidence__bundle__descriptor, packed, &left))
        return err_set(err, OCOP_EPROTO,
                       "the bundle is malformed, or has parts of a newer program");
    ProtobufCAllocator from_arena = arena_allocator(a);
    *bundle = ocop__evidence__bundle__unpack(&from_arena, packed.len, packed.p);
    if (*bundle)
        return OCOP_OK;
    return a->full ? err_set(err, OCOP_ELIMIT, "the bundle holds too much")
                   : err_set(err, OCOP_EPROTO, "the bundle is malformed");
}
