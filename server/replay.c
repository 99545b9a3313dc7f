/* Reading the whole log: to apply it anew and to check it. Knows neither sockets nor files other
 * than registries. */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "keys.h"
#include "query.h"
#include "roots.h"

enum { BATCH_SETS = 256, SIGNER_BUCKETS = 4096 };

static enum ocop_status damaged(struct ocop_error *err, uint64_t version, const char *what)
{
    return err_set(err, OCOP_EDAMAGED,
                   "log version %llu: %s; restore a backup, devices send again what it lacks",
                   (unsigned long long)version, what);
}

/* --- replay
 * ---------------------------------------------------------------------------------------- */

/* Which lineage the sets behind this one belong to. */
static void take_lineage(struct registry *to, const struct change_set *set)
{
    for (size_t i = 0; i < set->changes.count; i++) {
        const struct change *c = &set->changes.v[i];
        for (size_t f = 0; c->kind == KIND_REGISTRY && f < c->fields.count; f++)
            if (c->fields.v[f].number == 12 && c->fields.v[f].op == FIELD_SET)
                id_from(c->fields.v[f].key, &to->lineage);
    }
}

static enum ocop_status replay_entry(struct registry *to, const struct log_entry *entry,
                                     struct arena *a, struct replay_result *result,
                                     struct ocop_error *err)
{
    struct change_set set;
    struct sealed sealed = {.body = entry->body};
    enum log_answer answer;
    uint64_t version;

    enum ocop_status st = changeset_open(entry->body, a, &set, err);
    if (st != OCOP_OK)
        return st == OCOP_ENOMEM ? st : damaged(err, entry->version, "the body cannot be read");
    if (memcmp(set.hash, entry->hash, HASH_LEN) != 0)
        return damaged(err, entry->version, "the body does not have the hash it is filed under");
    memcpy(sealed.signature, entry->signature, SIGNATURE_LEN);
    memcpy(sealed.hash, entry->hash, HASH_LEN);
    st = log_append(to, &set, &sealed, entry->received_ms, &answer, &version, err);
    if (st != OCOP_OK)
        return st;
    if (answer != LOG_APPENDED || version != entry->version)
        return damaged(err, entry->version, "versions before it are missing");
    result->sets++;
    result->changes += set.changes.count;
    /* What stood in the registry when it wrote this set; a restore writes the new lineage under
     * the old one. */
    if (id_eq(&set.replica, &to->self))
        to->lineage = set.lineage;
    st = apply_set(to, &set, version, entry->received_ms, a, err);
    if (st == OCOP_OK && id_eq(&set.replica, &to->self))
        take_lineage(to, &set);
    return st;
}

static enum ocop_status copy_meta(struct registry *from, struct registry *to,
                                  struct ocop_error *err)
{
    enum ocop_status st = registry_begin(to, err);

    if (st != OCOP_OK)
        return st;
    st = registry_meta_set(to, "self", id_span(&from->self), err);
    if (st == OCOP_OK)
        st = registry_meta_set(to, "lineage", id_span(&from->lineage), err);
    if (st == OCOP_OK)
        return registry_commit(to, err);
    registry_rollback(to);
    return st;
}

static enum ocop_status replay_batch(struct registry *from, struct registry *to, uint64_t first,
                                     uint64_t last, struct arena *a, struct replay_result *result,
                                     struct ocop_error *err)
{
    struct log_entry entry;
    enum ocop_status st = registry_begin(to, err);

    if (st != OCOP_OK)
        return st;
    for (uint64_t v = first; v <= last && st == OCOP_OK; v++) {
        st = log_read(from, v, &entry, err);
        if (st == OCOP_ENOTFOUND)
            st = damaged(err, v, "is missing");
        if (st == OCOP_OK)
            st = replay_entry(to, &entry, a, result, err);
        arena_reset(a);
    }
    if (st == OCOP_OK)
        return registry_commit(to, err);
    registry_rollback(to);
    return st;
}

enum ocop_status replay(struct registry *from, struct registry *to, struct replay_result *result,
                        struct ocop_error *err)
{
    struct arena a;
    uint64_t end;

    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = registry_version(from, &end, err);
    if (st == OCOP_OK)
        st = copy_meta(from, to, err);
    for (uint64_t v = result->sets + 1; v <= end && st == OCOP_OK; v += BATCH_SETS) {
        const uint64_t last = v + BATCH_SETS - 1 < end ? v + BATCH_SETS - 1 : end;
        st = replay_batch(from, to, v, last, &a, result, err);
    }
    to->lineage = from->lineage;
    arena_fini(&a);
    return st;
}

/* First all that is there, then, while nobody writes, what came meanwhile: the registry stands
 * still for that alone. */
enum ocop_status replay_rebuild(struct registry *r, const char *into, struct replay_result *result,
                                struct ocop_error *err)
{
    struct registry *fresh = NULL;

    *result = (struct replay_result){0};
    enum ocop_status st = registry_open(into, true, r->env, NULL, &fresh, err);
    if (st == OCOP_OK)
        st = replay(r, fresh, result, err);
    if (st == OCOP_OK)
        st = registry_begin(r, err);
    if (st == OCOP_OK) {
        st = replay(r, fresh, result, err);
        if (st == OCOP_OK)
            st = query_copy_own(fresh, r->path, err);
        registry_rollback(r);
    }
    registry_close(fresh);
    return st;
}

/* --- check
 * ------------------------------------------------------------------------------------------- */

/* A replica as the log has enrolled it so far. */
struct signer {
    struct signer *next;
    struct id id;
    uint8_t key[SIGN_PUBLIC_LEN]; /* the first one */
    struct signing {
        struct signing *next;
        struct key_place place;
        uint8_t key[SIGN_PUBLIC_LEN];
    } * later;              /* the last one first */
    uint8_t hash[HASH_LEN]; /* of its last set */
    uint64_t seq;
};

struct checking {
    struct arena a;
    struct signer *buckets[SIGNER_BUCKETS];
    struct root_chain roots;
    struct id self;
    struct replay_result *result;
};

static struct signer **bucket_of(struct checking *c, const struct id *id)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < ID_LEN; i++)
        h = (h ^ id->b[i]) * 16777619u;
    return &c->buckets[h % SIGNER_BUCKETS];
}

static struct signer *signer_find(struct checking *c, const struct id *id)
{
    struct signer *s = *bucket_of(c, id);

    while (s && !id_eq(&s->id, id))
        s = s->next;
    return s;
}

static enum ocop_status signer_get(struct checking *c, const struct id *id, struct signer **out,
                                   struct ocop_error *err)
{
    struct signer *s = *out = signer_find(c, id);
    struct signer **bucket = bucket_of(c, id);
    if (s)
        return OCOP_OK;
    s = *out = arena_calloc(&c->a, 1, sizeof *s);
    if (!s)
        return err_nomem(err);
    s->id = *id;
    s->next = *bucket;
    *bucket = s;
    c->result->replicas++;
    return OCOP_OK;
}

/* A key that follows another. Those of the registry itself count only with the root's signature. */
static enum ocop_status learn_later(struct checking *c, struct signer *s, const struct field *f,
                                    uint64_t version, struct ocop_error *err)
{
    struct field signature;
    struct key_place place;
    struct signing *k = arena_calloc(&c->a, 1, sizeof *k);
    if (!k)
        return err_nomem(err);
    if (f->key.len != SIGN_PUBLIC_LEN || !key_place_read(f->bytes, &place))
        return damaged(err, version, "a signing key is none");
    if (id_eq(&s->id, &c->self) &&
        (!element_get(f->bytes, 3, &signature) || signature.bytes.len != SIGNATURE_LEN ||
         !sign_key_vouched(root_chain_last(&c->roots), f->key.p, place.number, signature.bytes.p)))
        return damaged(err, version, "the root did not sign the key that the registry signs by");
    *k = (struct signing){s->later, place, {0}};
    memcpy(k->key, f->key.p, SIGN_PUBLIC_LEN);
    s->later = k;
    return OCOP_OK;
}

static bool is_root(const struct field *f)
{
    struct field root;
    return element_get(f->bytes, 7, &root) && root.i;
}

/* Roots that took the place of others, before the keys for which they vouch: elements stand in the
 * order of their keys. */
static enum ocop_status learn_roots(struct checking *c, const struct fields *fields,
                                    uint64_t version, struct ocop_error *err)
{
    size_t roots = 0, before = c->roots.count;
    for (size_t round = 0; round < ROOTS_MAX; round++)
        for (size_t i = 0; i < fields->count; i++) {
            const struct field *f = &fields->v[i];
            bool is_root = false;
            if (f->number == 22 && f->op == FIELD_SET)
                (void)root_chain_take(&c->roots, f, &is_root);
            roots += is_root && round == 0;
        }
    return c->roots.count == before + roots
               ? OCOP_OK
               : damaged(err, version, "a root is not signed by the one before it");
}

/* Take the keys that a set of the registry's own enrols. */
static enum ocop_status learn(struct checking *c, const struct change_set *set, uint64_t version,
                              struct ocop_error *err)
{
    for (size_t i = 0; i < set->changes.count; i++) {
        const struct change *ch = &set->changes.v[i];
        const struct field *key = fields_find(&ch->fields, 13, span_of(NULL, 0));
        if (ch->kind != KIND_REPLICA || !key || key->bytes.len != SIGN_PUBLIC_LEN)
            continue;
        struct signer *s;
        const bool known = signer_find(c, &ch->record) != NULL;
        enum ocop_status st = signer_get(c, &ch->record, &s, err);
        if (st == OCOP_OK && !known)
            memcpy(s->key, key->bytes.p, SIGN_PUBLIC_LEN);
        const bool own = id_eq(&ch->record, &c->self);
        if (st == OCOP_OK && own && !known)
            root_chain_begin(&c->roots, s->key);
        if (st == OCOP_OK && own)
            st = learn_roots(c, &ch->fields, version, err);
        for (size_t f = 0; st == OCOP_OK && f < ch->fields.count; f++)
            if (ch->fields.v[f].number == 22 && ch->fields.v[f].op == FIELD_SET &&
                !(own && is_root(&ch->fields.v[f])))
                st = learn_later(c, s, &ch->fields.v[f], version, err);
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}

/* The key that was valid for this sequence. */
static const uint8_t *key_at(const struct signer *s, uint64_t seq)
{
    const struct signing *best = NULL;
    for (const struct signing *k = s->later; k; k = k->next)
        if (key_place_better(&k->place, seq, best ? &best->place : NULL))
            best = k;
    return best ? best->key : s->key;
}

static enum ocop_status check_set(struct checking *c, const struct log_entry *entry,
                                  const struct change_set *set, struct ocop_error *err)
{
    const uint64_t v = entry->version;
    const bool own = id_eq(&set->replica, &c->self);
    char what[120];

    if (memcmp(set->hash, entry->hash, HASH_LEN) != 0)
        return damaged(err, v, "the body does not have the hash it is filed under");
    if (!id_eq(&set->replica, &entry->replica) || set->seq != entry->seq)
        return damaged(err, v, "the body is of another replica or sequence than it is filed under");
    /* The registry enrols itself by the set that it signs first. */
    enum ocop_status st = own ? learn(c, set, v, err) : OCOP_OK;
    if (st != OCOP_OK)
        return st;
    struct signer *s = signer_find(c, &set->replica);
    if (!s)
        return damaged(err, v, "its replica was not enrolled by then");
    if (set->seq != s->seq + 1) {
        snprintf(what, sizeof what, "sequence %llu follows %llu", (unsigned long long)set->seq,
                 (unsigned long long)s->seq);
        return damaged(err, v, what);
    }
    if (memcmp(set->prev_hash, s->hash, HASH_LEN) != 0)
        return damaged(err, v, "does not continue the set before it");
    if (changeset_verify(set->hash, entry->signature, key_at(s, set->seq), NULL) != OCOP_OK)
        return damaged(err, v, "the signature is not that of its replica");
    s->seq = set->seq;
    memcpy(s->hash, set->hash, HASH_LEN);
    c->result->sets++;
    c->result->changes += set->changes.count;
    return OCOP_OK;
}

enum ocop_status replay_check(struct registry *r, const uint8_t *root, struct replay_result *result,
                              struct ocop_error *err)
{
    struct arena a;
    uint64_t end;
    struct checking *c = calloc(1, sizeof *c);

    *result = (struct replay_result){0};
    if (!c)
        return err_nomem(err);
    c->self = r->self;
    c->result = result;
    arena_init(&c->a, MIB(256));
    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = registry_version(r, &end, err);
    for (uint64_t v = 1; v <= end && st == OCOP_OK; v++) {
        struct log_entry entry;
        struct change_set set;
        st = log_read(r, v, &entry, err);
        if (st == OCOP_ENOTFOUND)
            st = damaged(err, v, "is missing");
        if (st == OCOP_OK && changeset_open(entry.body, &a, &set, NULL) != OCOP_OK)
            st = damaged(err, v, "the body cannot be read");
        if (st == OCOP_OK)
            st = check_set(c, &entry, &set, err);
        arena_reset(&a);
    }
    if (st == OCOP_OK && root && !root_chain_leads(&c->roots, root, root))
        st = damaged(err, 1, "the registry is not the one of this root key");
    arena_fini(&a);
    arena_fini(&c->a);
    free(c);
    return st;
}

/* --- compare
 * ------------------------------------------------------------------------------------------ */

/* Dumps are compared by hash first; only when they differ, line by line, by the hashes of lines. */
struct lines {
    struct buf hashes;
    size_t at; /* second dump: the line being compared */
    bool differs;
    size_t first; /* line that differs */
    char text[120];
};

static void keep_line(void *self, struct span line)
{
    struct lines *l = self;
    uint8_t h[HASH_LEN];

    hash_bytes(line, h);
    buf_put(&l->hashes, h, 8);
}

static void compare_line(void *self, struct span line)
{
    struct lines *l = self;
    uint8_t h[HASH_LEN];

    hash_bytes(line, h);
    if (!l->differs && (l->at + 8 > l->hashes.len || memcmp(l->hashes.p + l->at, h, 8) != 0)) {
        l->differs = true;
        l->first = l->at / 8 + 1;
        /* The table and the id alone: contents do not belong into messages. */
        snprintf(l->text, sizeof l->text, "%.*s", (int)(line.len < 60 ? line.len : 60),
                 (const char *)line.p);
    }
    l->at += 8;
}

static enum ocop_status compare_dumps(struct registry *r, struct registry *again,
                                      struct ocop_error *err)
{
    uint8_t one[HASH_LEN], two[HASH_LEN];
    struct lines l = {.differs = false};

    buf_init(&l.hashes, MIB(512));
    enum ocop_status st = registry_dump(r, NULL, NULL, one, err);
    if (st == OCOP_OK)
        st = registry_dump(again, NULL, NULL, two, err);
    if (st != OCOP_OK || memcmp(one, two, HASH_LEN) == 0)
        goto out;
    st = registry_dump(again, keep_line, &l, two, err);
    if (st == OCOP_OK)
        st = registry_dump(r, compare_line, &l, one, err);
    if (st == OCOP_OK)
        st = err_set(err, OCOP_EDAMAGED,
                     "the tables are not what the log gives, from line %zu of the dump (%s); "
                     "`ocopd rebuild` makes them anew",
                     l.differs ? l.first : l.at / 8 + 1, l.differs ? l.text : "rows are missing");
out:
    buf_fini(&l.hashes);
    return st;
}

enum ocop_status replay_compare(struct registry *r, const char *scratch,
                                struct replay_result *result, struct ocop_error *err)
{
    struct registry *again = NULL;

    *result = (struct replay_result){0};
    enum ocop_status st = registry_open(scratch, true, r->env, NULL, &again, err);
    if (st == OCOP_OK)
        st = registry_begin_read(r, err);
    if (st == OCOP_OK) {
        st = replay(r, again, result, err);
        if (st == OCOP_OK)
            st = compare_dumps(r, again, err);
        registry_rollback(r);
    }
    registry_close(again);
    return st;
}
