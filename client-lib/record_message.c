/* Messages as fields and back. A message that ocop_load made carries what was loaded, so that an
 * edit is what differs from what its officer saw, whatever has come since. Knows no database. */
#include "record_api.h"

#include "packed.h"

/* What ocop_load gives is taken back: a record that several have made large, and over it what waits
 * here. How much one change may say of it is asked when the change is made (device_size). */
#define MESSAGE_BYTES_MAX MIB(1)
_Static_assert(MESSAGE_BYTES_MAX >= 3 * STATE_BYTES_MAX, "what was loaded can be read again");

/* --- messages and fields --------------------------------------------------------------------- */

/* A message without what ocop_load left in it, which goes to *seen; both borrow from `m`. */
static const ProtobufCMessage *take_out_seen(const ProtobufCMessage *m, struct arena *a,
                                             struct span *seen)
{
    ProtobufCMessage *rest;
    ProtobufCMessageUnknownField *kept;

    *seen = span_of(NULL, 0);
    for (unsigned i = 0; i < m->n_unknown_fields; i++)
        if (m->unknown_fields[i].tag == FIELD_SEEN)
            *seen = span_of(m->unknown_fields[i].data, m->unknown_fields[i].len);
    if (seen->len == 0)
        return m;
    rest = (ProtobufCMessage *)(void *)arena_dup(a, m, m->descriptor->sizeof_message);
    kept = arena_calloc(a, m->n_unknown_fields, sizeof *kept);
    if (!rest || !kept)
        return NULL;
    rest->unknown_fields = kept;
    rest->n_unknown_fields = 0;
    for (unsigned i = 0; i < m->n_unknown_fields; i++)
        if (m->unknown_fields[i].tag != FIELD_SEEN)
            kept[rest->n_unknown_fields++] = m->unknown_fields[i];
    return rest;
}

enum ocop_status record_read(const ProtobufCMessage *m, struct arena *a, struct record *out,
                             struct ocop_error *err)
{
    size_t size;
    uint8_t *packed;
    enum ocop_status st;

    memset(out, 0, sizeof *out);
    out->k = m ? kind_by_descriptor(m->descriptor) : NULL;
    if (!out->k || out->k->local_only)
        return err_set(err, OCOP_EINVAL, "this message is not a record of a kind");
    m = take_out_seen(m, a, &out->seen);
    if (!m)
        return err_nomem(err);
    size = protobuf_c_message_get_packed_size(m);
    if (size > MESSAGE_BYTES_MAX)
        return err_set(err, OCOP_ELIMIT, "the record has %zu bytes, the limit is %zu; shorten it",
                       size, MESSAGE_BYTES_MAX);
    packed = arena_alloc(a, size + 1);
    if (!packed)
        return err_nomem(err);
    st = record_unpack(out->k, span_of(packed, protobuf_c_message_pack(m, packed)), a, &out->id,
                       &out->f, err);
    if (st == OCOP_EPROTO) /* what cannot be packed and read again was filled in wrongly */
        return err_set(err, OCOP_EINVAL,
                       "the record is malformed: an id has not 16 bytes, or a "
                       "list names one key twice");
    if (!st && id_is_zero(&out->id))
        return err_field(err, OCOP_EINVAL, "id", "the record has no id; make it with ocop_new");
    return st;
}

enum ocop_status record_packed(const struct record *r, struct buf *out, struct ocop_error *err)
{
    enum ocop_status st;

    buf_init(out, 2 * MESSAGE_BYTES_MAX); /* the record, and what was seen of it */
    st = record_pack(&r->id, &r->f, out, err);
    if (r->seen.len) { /* its length stands before it already */
        buf_varint(out, (uint64_t)FIELD_SEEN << 3 | PACKED_BYTES);
        buf_put(out, r->seen.p, r->seen.len);
    }
    return !st && out->failed ? err_nomem(err) : st;
}

enum ocop_status record_write(const struct record *r, ProtobufCMessage **out,
                              struct ocop_error *err)
{
    struct buf packed;
    enum ocop_status st = record_packed(r, &packed, err);

    *out = st ? NULL : protobuf_c_message_unpack(r->k->desc, NULL, packed.len, packed.p);
    buf_fini(&packed);
    return st || *out ? st : err_nomem(err);
}

void ocop_free(ProtobufCMessage *m)
{
    protobuf_c_message_free_unpacked(m, NULL);
}

const ProtobufCMessageDescriptor *ocop_descriptor(const char *kind)
{
    const struct kind *k = kind_by_name(kind);

    return k && !k->local_only ? k->desc : NULL;
}

enum ocop_status record_put(struct record *r, const struct field *v, struct arena *a,
                            struct ocop_error *err)
{
    struct field one = *v;
    struct fields change = {&one, 1};

    return fields_apply(&r->f, &change, 0, false, a, &r->f, err);
}

/* --- what was loaded ------------------------------------------------------------------------- */

/* In the message: the length of all that follows, the lineage, the record as a ChangeRow. */
enum ocop_status record_see(struct record *r, const struct seen *seen, struct arena *a,
                            struct ocop_error *err)
{
    struct buf state, whole;
    const char *copy;
    enum ocop_status st;

    buf_init(&state, MESSAGE_BYTES_MAX);
    buf_init(&whole, MESSAGE_BYTES_MAX);
    st = change_pack(&seen->state, &state, err);
    buf_varint(&whole, ID_LEN + state.len);
    buf_put(&whole, seen->lineage.b, ID_LEN);
    buf_put(&whole, state.p, state.len);
    copy = st || whole.failed ? NULL : arena_dup(a, whole.p, whole.len);
    if (!st && !copy)
        st = err_nomem(err);
    r->seen = span_of(copy, copy ? whole.len : 0);
    buf_fini(&state);
    buf_fini(&whole);
    return st;
}

enum ocop_status record_seen(const struct record *r, struct arena *a, bool *known, struct seen *out,
                             struct ocop_error *err)
{
    struct span s = r->seen;
    uint64_t len;
    size_t at = 0;
    enum ocop_status st;

    *known = false;
    memset(out, 0, sizeof *out);
    if (s.len == 0)
        return OCOP_OK;
    if (!packed_varint(s, &at, &len) || len != s.len - at || len < ID_LEN ||
        !id_from(span_of(s.p + at, ID_LEN), &out->lineage))
        st = OCOP_EPROTO;
    else
        st = change_unpack(span_of(s.p + at + ID_LEN, s.len - at - ID_LEN), a, &out->state, NULL);
    if (st == OCOP_ENOMEM)
        return err_nomem(err);
    if (st || out->state.verb != VERB_STATE)
        return err_set(err, OCOP_EINVAL,
                       "what ocop_load left in the message was altered; load the record again");
    /* A copy under an id of its own is another record. */
    *known = out->state.kind == r->k->number && id_eq(&out->state.record, &r->id);
    return OCOP_OK;
}
