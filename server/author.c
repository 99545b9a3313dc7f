/* Server-side authors: imports, reviewers' sessions, and the registry itself. They write by
 * change-sets like every device, so the log stays the only way into the registry. */
#include <stdio.h>

#include "bounds.h"
#include "enrol.h"
#include "ingest.h"
#include "own.h"

static enum ocop_status field_put(struct fields *f, uint32_t number, struct span bytes, int64_t i,
                                  bool is_int)
{
    f->v[f->count++] = (struct field){.number = number,
                                      .op = FIELD_SET,
                                      .type = is_int ? VALUE_INT : VALUE_BYTES,
                                      .i = i,
                                      .bytes = bytes};
    return OCOP_OK;
}

/* The record of a new replica, written by the registry's own. */
static enum ocop_status enrol(struct registry *r, const struct server_keys *keys,
                              const struct author *au, const char *type, const char *name,
                              struct ocop_error *err)
{
    struct author registry;
    struct arena a;
    struct field v[8];
    struct fields f = {v, 0};
    uint64_t version;
    arena_init(&a, MIB(1));
    if (!id_is_zero(&au->officer))
        field_put(&f, FIELD_OFFICER, id_span(&au->officer), 0, false);
    field_put(&f, FIELD_RECORDED_MS, span_of(NULL, 0), env_now_ms(r->env), true);
    field_put(&f, 10, span_str(type), 0, false);
    field_put(&f, 12, span_str(name), 0, false);
    field_put(&f, 13, span_of(au->key.public_key, SIGN_PUBLIC_LEN), 0, false);
    field_put(&f, 16, span_str("active"), 0, false);
    struct change c = {.kind = KIND_REPLICA,
                       .verb = VERB_CREATE,
                       .record = au->replica,
                       .device_time_ms = env_now_ms(r->env),
                       .fields = f};
    struct changes changes = {&c, 1};
    enum ocop_status st = author_registry(r, keys, &registry, err);
    if (st == OCOP_OK)
        st = author_write(&registry, &changes, &a, &version, err);
    author_end(&registry);
    arena_fini(&a);
    return st;
}

enum ocop_status author_begin(struct registry *r, const struct server_keys *keys, const char *type,
                              const char *name, const struct id *officer, struct author *out,
                              struct ocop_error *err)
{
    *out = (struct author){.r = r, .replica = id_next(&r->ids, r->env)};
    if (officer)
        out->officer = *officer;
    sign_key_new(&out->key, r->env);
    return enrol(r, keys, out, type, name, err);
}

/* Roots that the log does not name yet. */
static enum ocop_status put_roots(struct author *au, const struct server_keys *keys,
                                  const struct fields *self, int64_t now, struct own_draft *d,
                                  struct arena *a, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    for (size_t i = 1; st == OCOP_OK && i < keys->roots.count; i++) {
        const struct own_key root = {.key = keys->roots.key[i],
                                     .from_seq = au->seq + 1,
                                     .signature = keys->root_signature[i],
                                     .number = i,
                                     .made_ms = now,
                                     .root = true};
        if (!fields_find(self, REPLICA_SIGN_KEYS, span_of(root.key, SIGN_PUBLIC_LEN)))
            st = own_sign_key(d, &root, a, err);
    }
    return st;
}

/* The registry signs by another key than the log knows, or has another root: it was changed, or the
 * log was restored from before. The set that says so is signed by that key already; the root's
 * signature in it vouches. */
static enum ocop_status introduce(struct author *au, const struct server_keys *keys,
                                  const struct replica_info *info, struct ocop_error *err)
{
    const bool other = memcmp(info->sign_key, keys->sign.public_key, SIGN_PUBLIC_LEN) != 0;
    const int64_t now = env_now_ms(au->r->env);
    struct own_draft d = {.f = {0}};
    struct fields self;
    struct row_meta meta;
    struct arena a;
    uint64_t at;
    arena_init(&a, MIB(1));
    const struct own_key key = {.key = keys->sign.public_key,
                                .from_seq = au->seq + 1,
                                .signature = keys->sign_paper.signature,
                                .number = keys->sign_paper.number,
                                .made_ms = now};
    enum ocop_status st = row_load(au->r->rows, KIND_REPLICA, &au->replica, &a, &self, &meta, err);
    if (st == OCOP_OK)
        st = put_roots(au, keys, &self, now, &d, &a, err);
    if (st == OCOP_OK && other)
        st = own_sign_key(&d, &key, &a, err);
    if (st != OCOP_OK || d.f.count == 0) {
        arena_fini(&a);
        return st;
    }
    own_bytes(&d, REPLICA_SIGN_KEY, span_of(key.key, SIGN_PUBLIC_LEN));
    struct change c = own_change(&d, KIND_REPLICA, VERB_AMEND, au->replica, info->version, now);
    c.reason =
        span_str(other ? "the registry signs by another key" : "the registry has another root");
    struct changes changes = {&c, 1};
    if (st == OCOP_OK)
        st = author_write(au, &changes, &a, &at, err);
    arena_fini(&a);
    return st;
}

enum ocop_status author_registry(struct registry *r, const struct server_keys *keys,
                                 struct author *out, struct ocop_error *err)
{
    struct replica_info info;
    *out = (struct author){.r = r, .replica = r->self, .key = keys->sign};
    enum ocop_status st = registry_replica(r, &r->self, &info, err);
    out->seq = info.acked_seq;
    memcpy(out->prev_hash, info.acked_hash, HASH_LEN);
    if (st == OCOP_OK && info.known &&
        (keys->roots.count > 1 ||
         memcmp(info.sign_key, keys->sign.public_key, SIGN_PUBLIC_LEN) != 0))
        st = introduce(out, keys, &info, err);
    return st;
}

enum ocop_status author_write(struct author *au, const struct changes *changes, struct arena *a,
                              uint64_t *version, struct ocop_error *err)
{
    int64_t now = env_now_ms(au->r->env);
    struct change_set set = {.replica = au->replica,
                             .seq = au->seq + 1,
                             .device_time_ms = now,
                             .schema = SCHEMA_VERSION,
                             .lineage = au->r->lineage,
                             .changes = *changes};
    struct sealed sealed;
    enum log_answer answer;
    memcpy(set.prev_hash, au->prev_hash, HASH_LEN);
    enum ocop_status st = changeset_seal(&set, &au->key, a, &sealed, err);
    if (st == OCOP_OK) /* applied as any reader of the log will: from the sealed bytes */
        st = changeset_open(sealed.body, a, &set, err);
    if (st == OCOP_OK)
        st = log_append(au->r, &set, &sealed, now, &answer, version, err);
    if (st == OCOP_OK && answer != LOG_APPENDED)
        st = err_set(err, OCOP_EDAMAGED, "the log already holds sequence %llu of this author",
                     (unsigned long long)set.seq);
    if (st == OCOP_OK)
        st = apply_set(au->r, &set, *version, now, a, err);
    if (st != OCOP_OK)
        return st;
    au->seq = set.seq;
    memcpy(au->prev_hash, set.hash, HASH_LEN);
    return OCOP_OK;
}

void author_end(struct author *au)
{
    sign_key_wipe(&au->key);
}
