/* Certificates: made of a device's record and its officer's, signed, and read again. Knows nothing
 * of requests; what follows from one is enrol.c's. */
#include "certificate.h"

#include "bounds.h"
#include "enrol.h"
#include "registry_stmts.h"

enum { OFFICER_BYTES_MAX = 16 << 10 };
#define DAY_MS (24 * 3600 * INT64_C(1000))

/* With a third of its time left it is renewed: a device that is heard of more seldom than that may
 * come when it has expired. One that ends and need not, or does not and should, is renewed too. */
bool certificate_stale(const struct registry *r, uint32_t last_day)
{
    const int64_t days = r->certificate_days, today = env_now_ms(r->env) / DAY_MS;
    return days ? last_day < today + (days + 2) / 3 || last_day > today + days : last_day != 0;
}

enum ocop_status certificate_version(struct registry *r, const struct replica_info *info,
                                     uint64_t *out, struct ocop_error *err)
{
    bool row;
    *out = info->version;
    sqlite3_stmt *s = registry_stmt(r, SQL_OFFICER_VERSION, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, info->officer.b, ID_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "reading an officer's version", &row, err);
    uint64_t officer = st == OCOP_OK && row ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    if (officer > *out)
        *out = officer;
    return st;
}

static ProtobufCBinaryData borrowed(struct span s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)(uintptr_t)s.p};
}

static struct span bytes_field(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));
    return v && v->op == FIELD_SET ? v->bytes : span_of(NULL, 0);
}

static int64_t int_field(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));
    return v && v->op == FIELD_SET ? v->i : 0;
}

/* Elements of a list as they are packed, key and all. */
static enum ocop_status list_put(const struct fields *f, uint32_t number, bool keys,
                                 struct arena *a, ProtobufCBinaryData **out, size_t *count,
                                 struct ocop_error *err)
{
    *out = arena_calloc(a, f->count + 1, sizeof **out);
    if (!*out)
        return err_nomem(err);
    for (size_t i = 0; i < f->count; i++)
        if (f->v[i].number == number && f->v[i].op == FIELD_SET && f->v[i].type == VALUE_ELEMENT)
            (*out)[(*count)++] = borrowed(keys ? f->v[i].key : f->v[i].bytes);
    return OCOP_OK;
}

/* Whoever uses the device, as a whole: a registry that does not know the device may not know the
 * officer either. One who is not there or far too large is left out. */
static enum ocop_status officer_put(struct registry *r, const struct id *officer, struct arena *a,
                                    Ocop__Sync__Certificate *c, struct ocop_error *err)
{
    struct change whole = {.kind = KIND_OFFICER, .verb = VERB_CREATE, .record = *officer};
    struct row_meta meta;
    struct buf packed;
    enum ocop_status st = row_load(r->rows, KIND_OFFICER, officer, a, &whole.fields, &meta, err);
    if (st != OCOP_OK)
        return st == OCOP_ENOTFOUND ? OCOP_OK : st;
    size_t kept = 0;
    for (size_t i = 0; i < whole.fields.count; i++) {
        whole.fields.v[i].base = 0;
        if (whole.fields.v[i].op == FIELD_SET)
            whole.fields.v[kept++] = whole.fields.v[i];
    }
    whole.fields.count = kept;
    buf_init(&packed, MIB(1));
    st = change_pack(&whole, &packed, err);
    if (st == OCOP_OK && packed.len <= OFFICER_BYTES_MAX) {
        c->officer_record = borrowed(span_of(arena_dup(a, packed.p, packed.len), packed.len));
        c->has_officer_record = c->officer_record.data != NULL;
        st = c->has_officer_record ? OCOP_OK : err_nomem(err);
    }
    buf_fini(&packed);
    return st;
}

static enum ocop_status body_fill(struct registry *r, const struct server_keys *keys,
                                  const struct replica_info *info, const struct fields *f,
                                  struct arena *a, Ocop__Sync__Certificate *c,
                                  struct ocop_error *err)
{
    struct span name = bytes_field(f, REPLICA_NAME);
    uint64_t version;
    c->has_number = c->has_sign_key = c->has_channel_key = c->has_lineage = c->has_version = 1;
    c->has_issued_ms = c->has_signer = 1;
    c->number = info->number;
    c->has_officer = !id_is_zero(&info->officer);
    c->officer = borrowed(id_span(&info->officer));
    c->sign_key = borrowed(span_of(info->sign_key, SIGN_PUBLIC_LEN));
    c->channel_key = borrowed(span_of(info->channel_key, CHANNEL_KEY_LEN));
    c->name = name.len ? arena_dup(a, name.p, name.len) : NULL;
    c->predecessor = borrowed(bytes_field(f, REPLICA_PREDECESSOR));
    c->has_predecessor = c->predecessor.len > 0;
    c->predecessor_seq = (uint64_t)int_field(f, REPLICA_PREDECESSOR_SEQ);
    c->has_predecessor_seq = c->has_predecessor;
    c->lineage = borrowed(id_span(&r->lineage));
    c->issued_ms = env_now_ms(r->env);
    c->has_expires_ms = r->certificate_days > 0;
    c->expires_ms = c->issued_ms + r->certificate_days * DAY_MS;
    c->signer = borrowed(span_of(keys->sign.public_key, SIGN_PUBLIC_LEN));
    enum ocop_status st = certificate_version(r, info, &version, err);
    c->version = version;
    if (st == OCOP_OK)
        st = list_put(f, REPLICA_SCOPE, true, a, &c->scope, &c->n_scope, err);
    if (st == OCOP_OK)
        st = list_put(f, REPLICA_RECORDS, true, a, &c->records, &c->n_records, err);
    if (st == OCOP_OK)
        st = list_put(f, REPLICA_SIGN_KEYS, false, a, &c->sign_keys, &c->n_sign_keys, err);
    return st == OCOP_OK ? officer_put(r, &info->officer, a, c, err) : st;
}

enum ocop_status certificate_make(struct registry *r, const struct server_keys *keys,
                                  const struct id *replica, struct arena *a,
                                  Ocop__Sync__Sealed **out, struct ocop_error *err)
{
    Ocop__Sync__Certificate c = OCOP__SYNC__CERTIFICATE__INIT;
    Ocop__Sync__Sealed *sealed = arena_calloc(a, 1, sizeof *sealed);
    struct replica_info info;
    struct fields f;
    struct row_meta meta;
    *out = NULL;
    enum ocop_status st = registry_replica(r, replica, &info, err);
    if (st == OCOP_OK)
        st = row_load(r->rows, KIND_REPLICA, replica, a, &f, &meta, err);
    c.has_replica = 1;
    c.replica = borrowed(id_span(replica));
    if (st == OCOP_OK)
        st = body_fill(r, keys, &info, &f, a, &c, err);
    if (st != OCOP_OK)
        return st;
    size_t len = ocop__sync__certificate__get_packed_size(&c);
    uint8_t *body = arena_alloc(a, len), *signature = arena_alloc(a, SIGNATURE_LEN);
    if (!sealed || !body || !signature)
        return err_nomem(err);
    ocop__sync__certificate__pack(&c, body);
    keys_sign(&keys->sign, KEYS_CERTIFICATE, span_of(body, len), signature);
    ocop__sync__sealed__init(sealed);
    sealed->has_body = sealed->has_signature = 1;
    sealed->body = borrowed(span_of(body, len));
    sealed->signature = borrowed(span_of(signature, SIGNATURE_LEN));
    *out = sealed;
    return OCOP_OK;
}

static bool well_formed(const Ocop__Sync__Certificate *c)
{
    return c && c->replica.len == ID_LEN && c->officer.len == ID_LEN &&
           c->sign_key.len == SIGN_PUBLIC_LEN && c->channel_key.len == CHANNEL_KEY_LEN &&
           c->signer.len == SIGN_PUBLIC_LEN && c->n_scope <= SCOPE_UNITS_MAX &&
           c->n_records <= SCOPE_RECORDS_MAX && c->n_sign_keys <= SIGN_KEYS_MAX;
}

enum ocop_status certificate_read(const struct server_keys *keys, const Ocop__Sync__Sealed *shown,
                                  struct arena *a, Ocop__Sync__Certificate **out,
                                  struct ocop_error *err)
{
    ProtobufCAllocator from_arena = arena_allocator(a);
    struct span body = span_of(shown->body.data, shown->body.len);
    *out = body.len && body.len <= CERTIFICATE_BYTES_MAX && shown->signature.len == SIGNATURE_LEN
               ? ocop__sync__certificate__unpack(&from_arena, body.len, body.p)
               : NULL;
    if (!well_formed(*out))
        return err_set(err, OCOP_EPROTO, "the certificate cannot be read");
    if (!keys_verify(keys, KEYS_CERTIFICATE, body, (*out)->signer.data, shown->signature.data))
        return err_set(err, OCOP_EAUTH, "the certificate is not one of this registry's");
    return OCOP_OK;
}
