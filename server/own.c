/* What the registry writes by its own replica. Knows nothing of devices and invitations. */
#include "own.h"

#include "enrol.h"

static void put(struct own_draft *d, struct field f)
{
    d->f.v = d->v;
    d->v[d->f.count++] = f;
}

void own_bytes(struct own_draft *d, uint32_t number, struct span s)
{
    put(d, (struct field){.number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = s});
}

void own_int(struct own_draft *d, uint32_t number, int64_t i)
{
    put(d, (struct field){.number = number, .op = FIELD_SET, .type = VALUE_INT, .i = i});
}

void own_clear(struct own_draft *d, uint32_t number, enum value_type type)
{
    put(d, (struct field){.number = number, .op = FIELD_CLEAR, .type = (uint8_t)type});
}

enum ocop_status own_element(struct own_draft *d, uint32_t number, struct span key,
                             struct span packed, struct ocop_error *err)
{
    if (d->f.count == sizeof d->v / sizeof *d->v)
        return err_set(err, OCOP_ELIMIT, "a record of the registry's own has too many elements");
    put(d,
        (struct field){
            .number = number, .op = FIELD_SET, .type = VALUE_ELEMENT, .key = key, .bytes = packed});
    return OCOP_OK;
}

enum ocop_status own_key_element(struct own_draft *d, uint32_t number, const struct id *key,
                                 struct arena *a, struct ocop_error *err)
{
    uint8_t *packed = arena_alloc(a, 2 + ID_LEN);
    if (!packed)
        return err_nomem(err);
    packed[0] = 1 << 3 | 2;
    packed[1] = ID_LEN;
    memcpy(packed + 2, key->b, ID_LEN);
    return own_element(d, number, span_of(packed + 2, ID_LEN), span_of(packed, 2 + ID_LEN), err);
}

static void member_bytes(struct buf *b, uint32_t number, const uint8_t *p, size_t len)
{
    if (!p)
        return;
    buf_varint(b, number << 3 | 2);
    buf_varint(b, len);
    buf_put(b, p, len);
}

static void member_int(struct buf *b, uint32_t number, uint64_t i)
{
    if (i == 0)
        return;
    buf_varint(b, number << 3);
    buf_varint(b, i);
}

enum ocop_status own_sign_key(struct own_draft *d, const struct own_key *k, struct arena *a,
                              struct ocop_error *err)
{
    struct buf b;
    buf_init(&b, KIB(1));
    member_bytes(&b, 1, k->key, SIGN_PUBLIC_LEN);
    member_int(&b, 2, k->from_seq);
    member_bytes(&b, 3, k->signature, SIGNATURE_LEN);
    member_int(&b, 4, k->number);
    member_bytes(&b, 5, k->channel_key, CHANNEL_KEY_LEN);
    member_int(&b, 6, (uint64_t)k->made_ms);
    member_int(&b, 7, k->root);
    const uint8_t *copy = b.failed ? NULL : (const uint8_t *)arena_dup(a, b.p, b.len);
    const size_t len = b.len;
    buf_fini(&b);
    if (!copy)
        return err_nomem(err);
    return own_element(d, REPLICA_SIGN_KEYS, span_of(copy + 2, SIGN_PUBLIC_LEN), span_of(copy, len),
                       err);
}

struct change own_change(struct own_draft *d, uint32_t kind, enum verb verb, struct id record,
                         uint64_t base, int64_t now)
{
    d->f.v = d->v;
    fields_sort(&d->f);
    for (size_t i = 0; i < d->f.count; i++)
        d->v[i].base = base;
    return (struct change){.kind = kind,
                           .verb = (uint8_t)verb,
                           .record = record,
                           .device_time_ms = now,
                           .base = base,
                           .fields = d->f};
}

enum ocop_status own_write(struct registry *r, const struct server_keys *keys,
                           struct change *changes, size_t count, struct arena *a,
                           struct ocop_error *err)
{
    struct author au;
    uint64_t version;
    struct outcome_row *outcomes;
    size_t n = 0;
    struct changes all = {changes, count};
    enum ocop_status st = author_registry(r, keys, &au, err);
    if (st == OCOP_OK)
        st = author_write(&au, &all, a, &version, err);
    author_end(&au);
    if (st == OCOP_OK)
        st = outcomes_of(r, version, a, &outcomes, &n, err);
    for (size_t i = 0; st == OCOP_OK && i < n; i++)
        if (outcomes[i].code == OUTCOME_REFUSED)
            st = err_field(err, OCOP_EINVAL, outcomes[i].field, "%s", outcomes[i].text);
    return st;
}
