/* The handle: open, close, its lock, its transactions, enrolment. Knows no SQL and no records. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "device_keys.h"
#include "files.h"
#include "frame.h"
#include "invitation.h"
#include "record_api.h"
#include "roots.h"
#include "store.h"
#include "sync.h"
#include "sync.pb-c.h"
#include "text.h"

enum { CONNECT_MS = 10000, EXCHANGE_MS = 60000 };

_Static_assert(sizeof(struct ocop_id) == sizeof(struct id), "ids are passed on as they are");

/* kinds_init may run in one thread only; this is all that the process shares. */
static pthread_once_t kinds_once = PTHREAD_ONCE_INIT;

void client_init(void)
{
    (void)pthread_once(&kinds_once, kinds_init);
}

const char *ocop_version(void)
{
    return OCOP_VERSION_TEXT;
}

bool ocop_same_name(const char *a, const char *b)
{
    struct buf x, y;
    bool same = false;

    buf_init(&x, KIB(64));
    buf_init(&y, KIB(64));
    if (a && b) {
        text_name_key(&x, span_str(a));
        text_name_key(&y, span_str(b));
        same = !x.failed && !y.failed && span_eq(buf_span(&x), buf_span(&y));
    }
    buf_fini(&x);
    buf_fini(&y);
    return same;
}

const char *ocop_status_name(enum ocop_status status)
{
    return err_name(status);
}

const char *ocop_id_text(struct ocop_id id, char *out)
{
    struct id v;

    memcpy(v.b, id.b, ID_LEN);
    return id_text(v, out);
}

bool ocop_id_parse(const char *text, struct ocop_id *out)
{
    struct id v;

    if (!text || !id_parse(text, &v))
        return false;
    memcpy(out->b, v.b, ID_LEN);
    return true;
}

/* --- lock and transactions ------------------------------------------------------------------- */

enum ocop_status client_enter(struct ocop_store *s, struct ocop_error *err)
{
    if (!s)
        return err_set(err, OCOP_EINVAL, "no store was given; open one first");
    (void)pthread_mutex_lock(&s->lock);
    if (s->broken) {
        (void)pthread_mutex_unlock(&s->lock);
        return err_set(err, OCOP_EBROKEN,
                       "this handle met an error that it cannot undo; close it and open the store "
                       "again");
    }
    arena_reset(&s->arena);
    return OCOP_OK;
}

void client_leave(struct ocop_store *s)
{
    (void)pthread_mutex_unlock(&s->lock);
}

enum ocop_status client_broken(struct ocop_store *s, const char *what, struct ocop_error *err)
{
    s->broken = true;
    env_log(s->env, ENV_ERROR, "store_broken", "status=%s", err_name(OCOP_EBROKEN));
    return err_set(err, OCOP_EBROKEN, "%s; close the handle and open the store again", what);
}

/* Another process may have recorded, synced or forked: what was read of it before counts no more.
 */
static enum ocop_status catch_up(struct ocop_store *s, struct ocop_error *err)
{
    bool overtaken;
    enum ocop_status st = store_overtaken(s, &overtaken, err);

    if (st || (!overtaken && !s->stale))
        return st;
    device_codes_forget(s);
    device_scope_forget(s);
    s->stale = true; /* until it has been read as a whole */
    st = store_identity(s, err);
    s->stale = st != OCOP_OK;
    return st;
}

enum ocop_status client_begin(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = store_begin(s, err);

    if (!st)
        st = catch_up(s, err);
    return st ? client_end(s, st, err) : OCOP_OK;
}

enum ocop_status client_end(struct ocop_store *s, enum ocop_status st, struct ocop_error *err)
{
    if (!st)
        st = store_commit(s, err);
    if (!st)
        return OCOP_OK;
    s->broken = !store_rollback(s) || s->broken;
    s->stale = true;
    return st;
}

enum ocop_status client_read(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = client_enter(s, err);

    if (st)
        return st;
    st = store_begin_read(s, err);
    if (!st)
        st = catch_up(s, err);
    if (st)
        client_read_end(s);
    return st;
}

void client_read_end(struct ocop_store *s)
{
    s->broken = !store_rollback(s) || s->broken;
    client_leave(s);
}

enum ocop_status client_write(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = client_enter(s, err);

    if (st)
        return st;
    st = client_begin(s, err);
    if (st)
        client_leave(s);
    return st;
}

bool client_begin_again(struct ocop_store *s, enum ocop_status *st, struct ocop_error *err)
{
    if (!*st || !store_search_again(s))
        return false;
    *st = client_end(s, *st, err); /* rolls back; the index is set aside by that */
    if (s->broken)
        return false;
    arena_reset(&s->arena);
    if (err)
        *err = (struct ocop_error){0};
    *st = client_begin(s, err);
    return !*st;
}

bool client_write_again(struct ocop_store *s, enum ocop_status *st, struct ocop_error *err)
{
    *st = client_end(s, *st, err);
    if (client_begin_again(s, st, err))
        return true;
    client_leave(s);
    return false;
}

enum ocop_status client_write_end(struct ocop_store *s, enum ocop_status st, struct ocop_error *err)
{
    st = client_end(s, st, err);
    client_leave(s);
    return st;
}

enum ocop_status client_begin_exchange(struct ocop_store *s, struct ocop_error *err)
{
    if (s->busy || s->closing)
        return err_set(err, OCOP_EBUSY, "another sync of this store is running; wait for its end");
    s->busy = true;
    atomic_store(&s->cancel, false);
    return OCOP_OK;
}

void client_end_exchange(struct ocop_store *s)
{
    s->busy = false;
    (void)pthread_cond_broadcast(&s->idle);
}

enum ocop_status client_link(struct ocop_store *s, const char *address, struct link **out,
                             struct ocop_error *err)
{
    *out = s->link;
    return s->link ? OCOP_OK : link_nn_open(address, out, err);
}

void client_unlink(struct ocop_store *s, struct link *link)
{
    if (link && link != s->link)
        link->close(link);
}

void ocop_cancel(struct ocop_store *s)
{
    if (s)
        atomic_store(&s->cancel, true);
}

/* --- open and close -------------------------------------------------------------------------- */

/* Changes nothing of a store that is there, unless it is to be upgraded or a wipe to be ended. */
static enum ocop_status open_store(const char *path, const struct ocop_options *options,
                                   struct ocop_store **out, struct ocop_error *err)
{
    static const struct ocop_options none = {.must_exist = false};
    const struct ocop_options *o = options ? options : &none;
    struct ocop_store *s;
    enum ocop_status st;

    *out = NULL;
    if (!path || !*path)
        return err_set(err, OCOP_EINVAL, "no path of a store was given");
    client_init();
    s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(err);
    s->env = o->env ? (const struct env *)o->env : env_system();
    s->link = (struct link *)o->link;
    atomic_init(&s->files_loose, false);
    atomic_init(&s->cancel, false);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->idle, NULL);
    arena_init(&s->arena, ARENA_SAVE_MAX);
    arena_init(&s->codes.arena, MIB(16));
    arena_init(&s->reach.arena, MIB(4));
    st = store_open(s, path, o->must_exist, o->vfs, span_of(o->key, o->key ? o->key_len : 0), err);
    if (!st)
        st = store_identity(s, err);
    if (!st)
        st = wipe_finish(s, err);
    if (st) {
        s->link = NULL; /* not ours unless the store is */
        ocop_close(s);
        return st;
    }
    id_source_init(&s->ids, s->env);
    *out = s;
    return OCOP_OK;
}

enum ocop_status ocop_open(const char *path, const struct ocop_options *options,
                           struct ocop_store **out, struct ocop_error *err)
{
    enum ocop_status st = open_store(path, options, out, err);

    if (!st)
        files_tidy(*out);
    return st;
}

enum ocop_status client_open_again(struct ocop_store *s, struct ocop_store **out,
                                   struct ocop_error *err)
{
    struct ocop_options o = {.must_exist = true, .env = s->env};
    enum ocop_status st = client_enter(s, err);

    *out = NULL;
    if (st)
        return st;
    o.vfs = store_vfs(s);
    o.key = store_secret(s).p;
    o.key_len = store_secret(s).len;
    st = open_store(store_path(s), &o, out, err); /* only reads: it waits for nobody */
    client_leave(s);
    return st;
}

enum ocop_status ocop_rekey(struct ocop_store *s, const void *key, size_t key_len,
                            struct ocop_error *err)
{
    enum ocop_status st = client_enter(s, err);

    if (st)
        return st;
    if (!key || !key_len)
        st = err_field(err, OCOP_EINVAL, "key", "no key was given");
    else if (s->busy)
        st = err_set(err, OCOP_EBUSY, "a sync of this store is running; wait for its end");
    else
        st = store_rekey(s, span_of(key, key_len), err);
    s->broken = s->broken || !s->db;
    client_leave(s);
    return st;
}

void ocop_close(struct ocop_store *s)
{
    if (!s)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->closing = true;
    while (s->busy) {
        atomic_store(&s->cancel, true);
        (void)pthread_cond_wait(&s->idle, &s->lock);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (s->link)
        s->link->close(s->link);
    store_close(s);
    arena_fini(&s->arena);
    arena_fini(&s->codes.arena);
    arena_fini(&s->reach.arena);
    sign_key_wipe(&s->me.sign);
    channel_key_wipe(&s->me.channel);
    sign_key_wipe(&s->me.next_sign);
    channel_key_wipe(&s->me.next_channel);
    content_key_wipe(s->me.file_key);
    (void)pthread_cond_destroy(&s->idle);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

struct ocop_id ocop_new_key(struct ocop_store *s)
{
    struct ocop_id out;
    struct id id;

    (void)pthread_mutex_lock(&s->lock);
    id = id_next(&s->ids, s->env);
    (void)pthread_mutex_unlock(&s->lock);
    memcpy(out.b, id.b, ID_LEN);
    return out;
}

/* --- enrolment ------------------------------------------------------------------------------- */

/* Enrolled again, it is the same device of the same registry: one that was restored may not know
 * it. An invitation of a root that followed is held against the answer. */
static enum ocop_status same_registry(struct ocop_store *s, const struct invitation *in,
                                      struct ocop_error *err)
{
    struct span root;
    enum ocop_status st = store_meta(s, "root_key", &s->arena, &root, err);

    if (st || in->root_number > s->me.root_number ||
        span_eq(root, span_of(in->root_key, INVITATION_ROOT_LEN)))
        return st;
    return err_set(err, OCOP_ESTATE,
                   "this store is enrolled in another registry, or the invitation is older than "
                   "the registry's root key; ask for a new one, or make a new store");
}

/* Of the officer before nothing may be here any more. */
static enum ocop_status ready_to_enrol(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = client_begin(s, err); /* what another process did is known then */

    if (!st)
        st = client_end(s, OCOP_OK, err);
    return st ? st : wipe_finish(s, err);
}

/* Made once and stored before anything is sent, so that repeating an enrolment whose answer was
 * lost is the same enrolment. */
static enum ocop_status make_keys(struct ocop_store *s, const struct invitation *in,
                                  struct ocop_error *err)
{
    enum ocop_status st = client_begin(s, err);

    if (st)
        return st;
    if (s->me.enrolled)
        st = same_registry(s, in, err);
    return client_end(s, st ? st : device_keys_first(s, err), err);
}

/* What a device may see and write, as the server sent it: ids, one behind the other. */
static enum ocop_status scope_set(struct ocop_store *s, const char *key,
                                  const ProtobufCBinaryData *ids, size_t count,
                                  struct ocop_error *err)
{
    uint8_t packed[(SCOPE_UNITS_MAX + SCOPE_RECORDS_MAX) * ID_LEN];

    for (size_t i = 0; i < count; i++) {
        if (ids[i].len != ID_LEN)
            return err_set(err, OCOP_EPROTO, "the server sent a scope that is not one");
        memcpy(packed + i * ID_LEN, ids[i].data, ID_LEN);
    }
    return store_meta_set(s, key, span_of(packed, count * ID_LEN), err);
}

enum ocop_status client_certificate(struct ocop_store *s, const Ocop__Sync__Sealed *sealed,
                                    struct arena *a, struct ocop_error *err)
{
    ProtobufCAllocator allocator = arena_allocator(a);
    struct span body = span_of(sealed->body.data, sealed->body.len);
    size_t len = ocop__sync__sealed__get_packed_size(sealed);
    uint8_t *packed = len <= CERTIFICATE_BYTES_MAX + KIB(1) ? arena_alloc(a, len) : NULL;
    Ocop__Sync__Certificate *c =
        packed ? ocop__sync__certificate__unpack(&allocator, body.len, body.p) : NULL;
    enum ocop_status st;

    if (!c || !span_eq(span_of(c->replica.data, c->replica.len), id_span(&s->me.replica)) ||
        c->version == 0)
        return err_set(err, OCOP_EPROTO, "the server sent a certificate that is not this device's");
    ocop__sync__sealed__pack(sealed, packed);
    st = store_meta_set(s, "certificate", span_of(packed, len), err);
    s->me.certificate = c->version;
    s->me.certificate_until_ms = c->has_expires_ms && c->expires_ms > 0 ? c->expires_ms : 0;
    if (!st)
        st = store_meta_set_int(s, "certificate_version", c->version, err);
    return st ? st
              : store_meta_set_int(s, "certificate_until_ms", (uint64_t)s->me.certificate_until_ms,
                                   err);
}

/* Of the first replica of this store's line: only its channel key can be held against anything
 * here.
 */
enum ocop_status client_certificate_first(struct ocop_store *s, const Ocop__Sync__Sealed *sealed,
                                          struct arena *a, struct ocop_error *err)
{
    size_t len = ocop__sync__sealed__get_packed_size(sealed);
    uint8_t *packed = len <= CERTIFICATE_BYTES_MAX + KIB(1) ? arena_alloc(a, len) : NULL;
    struct span old;
    enum ocop_status st = store_meta(s, "certificate_first", a, &old, err);

    if (st || old.len == 0)
        return st;
    if (!packed)
        return err_set(err, OCOP_EPROTO, "the server sent a certificate that is too large");
    ocop__sync__sealed__pack(sealed, packed);
    return store_meta_set(s, "certificate_first", span_of(packed, len), err);
}

enum ocop_status client_enrolment(struct ocop_store *s, const Ocop__Sync__Enrolment *e,
                                  struct ocop_error *err)
{
    struct id id;
    const char *name = e->officer_name ? e->officer_name : "";
    enum ocop_status st;

    if (!e->has_replica || !id_from(span_of(e->replica.data, e->replica.len), &id) ||
        !id_eq(&id, &s->me.replica) || !e->has_officer || e->officer.len != ID_LEN ||
        e->n_scope > SCOPE_UNITS_MAX || e->n_records > SCOPE_RECORDS_MAX)
        return err_set(err, OCOP_EPROTO, "the server enrolled something else than this store");
    if (s->me.enrolled && memcmp(e->officer.data, s->me.officer.b, ID_LEN) != 0)
        return err_set(
            err, OCOP_ESTATE,
            "the invitation is for another officer; what this store holds was written by "
            "its own");
    st = store_meta_set_int(s, "number", e->number, err);
    if (!st)
        st = store_meta_set(s, "officer", span_of(e->officer.data, e->officer.len), err);
    if (!st)
        st = store_meta_set(s, "officer_name",
                            span_of(name, text_cut(name, sizeof s->me.officer_name - 1)), err);
    if (!st)
        st = scope_set(s, "scope", e->scope, e->n_scope, err);
    if (!st)
        st = scope_set(s, "assigned", e->records, e->n_records, err);
    if (!st && e->has_lineage && e->lineage.len == ID_LEN && id_is_zero(&s->me.lineage))
        st = store_meta_set(s, "lineage", span_of(e->lineage.data, e->lineage.len), err);
    if (!st)
        st = store_meta_set_int(s, "enrolled", 1, err);
    if (!st)
        st = store_meta_set_int(s, "forked", 0, err);
    if (!st && e->certificate)
        st = client_certificate(s, e->certificate, &s->arena, err);
    return st ? st : store_identity(s, err);
}

static enum ocop_status enrol_request(struct ocop_store *s, const struct invitation *in,
                                      const char *name, struct noise *n, struct buf *frame,
                                      struct ocop_error *err)
{
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__EnrolRequest enrol = OCOP__SYNC__ENROL_REQUEST__INIT;
    const bool afresh = s->me.wiped != WIPED_NOT;
    struct id replica = afresh ? s->me.next_replica : s->me.replica;
    uint8_t sign_public[SIGN_PUBLIC_LEN], token[INVITATION_TOKEN_MAX];
    char label[200];
    struct span message;
    uint8_t *packed;

    memcpy(sign_public, afresh ? s->me.next_sign.public_key : s->me.sign.public_key,
           sizeof sign_public);
    memcpy(token, in->token, sizeof token);
    enrol.has_token = enrol.has_replica = enrol.has_sign_key = enrol.has_schema = 1;
    enrol.token = (ProtobufCBinaryData){in->token_len, token};
    enrol.replica = (ProtobufCBinaryData){ID_LEN, replica.b};
    enrol.sign_key = (ProtobufCBinaryData){sizeof sign_public, sign_public};
    enrol.schema = SCHEMA_VERSION;
    enrol.has_root = s->me.enrolled;
    enrol.root = s->me.root_number;
    if (name && *name) {
        (void)snprintf(label, sizeof label, "%.*s", (int)text_cut(name, sizeof label - 1), name);
        enrol.name = label;
    }
    request.enrol = &enrol;
    packed = arena_alloc(&s->arena, ocop__sync__request__get_packed_size(&request));
    if (!packed)
        return err_nomem(err);
    message = span_of(packed, ocop__sync__request__pack(&request, packed));
    return frame_seal_request(n, s->env, afresh ? &s->me.next_channel : &s->me.channel,
                              in->channel_key, message, frame, err);
}

static enum ocop_status server_key_set(struct ocop_store *s, const uint8_t key[CHANNEL_KEY_LEN],
                                       uint64_t number, struct ocop_error *err)
{
    enum ocop_status st = store_meta_set(s, "server_key", span_of(key, CHANNEL_KEY_LEN), err);

    return st ? st : store_meta_set_int(s, "server_key_number", number, err);
}

enum ocop_status client_roots(struct ocop_store *s, Ocop__Sync__RootKey *const *roots, size_t count,
                              struct arena *a, struct ocop_error *err)
{
    struct span pinned;
    enum ocop_status st = store_meta(s, "root_key", a, &pinned, err);

    for (size_t i = 0; !st && i < count; i++) {
        const Ocop__Sync__RootKey *r = roots[i];
        if (r->number <= s->me.root_number)
            continue;
        if (pinned.len != SIGN_PUBLIC_LEN || r->key.len != SIGN_PUBLIC_LEN ||
            r->signature.len != SIGNATURE_LEN || r->number != s->me.root_number + 1 ||
            !root_vouched(pinned.p, r->key.data, r->number, r->signature.data)) {
            env_log(s->env, ENV_WARN, "root_refused", "number=%" PRIu64, r->number);
            return OCOP_OK;
        }
        pinned = span_of(r->key.data, r->key.len);
        s->me.root_number = r->number;
        st = store_meta_set(s, "root_key", pinned, err);
        if (!st)
            st = store_meta_set_int(s, "root_number", r->number, err);
    }
    return st;
}

/* Only the root's word counts, and only for a key that is newer than the one that is pinned: who
 * has an old one, leaked since, cannot bring a device back to it. */
enum ocop_status client_server_key(struct ocop_store *s, const Ocop__Sync__ChannelKey *c,
                                   struct arena *a, struct ocop_error *err)
{
    struct span root;
    enum ocop_status st = store_meta(s, "root_key", a, &root, err);

    if (st)
        return st;
    if (c->key.len != CHANNEL_KEY_LEN || c->signature.len != INVITATION_SIGNATURE_LEN ||
        root.len != INVITATION_ROOT_LEN || c->number <= s->me.server_key_number ||
        !invitation_signed(root.p, c->key.data, c->number, c->signature.data)) {
        env_log(s->env, ENV_WARN, "server_key_refused", "number=%llu",
                (unsigned long long)c->number);
        return OCOP_OK;
    }
    return server_key_set(s, c->key.data, c->number, err);
}

/* The root that the invitation pins; who trusts one already goes by those that followed it. */
static enum ocop_status enrol_root(struct ocop_store *s, const struct invitation *in,
                                   const Ocop__Sync__Enrolment *e, struct ocop_error *err)
{
    struct span root;
    enum ocop_status st;

    if (!s->me.enrolled) {
        st = store_meta_set(s, "root_key", span_of(in->root_key, INVITATION_ROOT_LEN), err);
        return st ? st : store_meta_set_int(s, "root_number", in->root_number, err);
    }
    st = client_roots(s, e->roots, e->n_roots, &s->arena, err);
    if (!st)
        st = store_meta(s, "root_key", &s->arena, &root, err);
    if (st || span_eq(root, span_of(in->root_key, INVITATION_ROOT_LEN)))
        return st;
    return err_set(err, OCOP_ESTATE,
                   "this store is enrolled in another registry; make a new store for this one");
}

static enum ocop_status enrol_apply(struct ocop_store *s, const struct invitation *in,
                                    const Ocop__Sync__Reply *reply, struct ocop_error *err)
{
    enum ocop_status st = sync_reply_status(reply, err);

    if (st)
        return st;
    if (!reply->enrolment)
        return err_set(err, OCOP_EPROTO, "the server answered without an enrolment");
    st = client_begin(s, err);
    if (st)
        return st;
    if (s->me.wiped) /* not before: its last word may still have to be said */
        st = device_keys_afresh(s, err);
    if (!st)
        st = store_meta_set(s, "server", span_str(in->address), err);
    if (!st)
        st = enrol_root(s, in, reply->enrolment, err);
    if (!st && (!s->me.enrolled || in->channel_number > s->me.server_key_number))
        st = server_key_set(s, in->channel_key, in->channel_number, err);
    if (!st)
        st = client_enrolment(s, reply->enrolment, err);
    return client_end(s, st, err);
}

/* The exchange itself, without the lock. */
static enum ocop_status enrol_exchange(struct ocop_store *s, const struct invitation *in,
                                       struct span frame, struct buf *answer,
                                       struct ocop_error *err)
{
    struct link *link = NULL;
    enum ocop_status st = client_link(s, in->address, &link, err);

    if (!st)
        st = link->connect(link, CONNECT_MS, &s->cancel, err);
    if (!st)
        st = link->exchange(link, frame, EXCHANGE_MS, &s->cancel, answer, err);
    client_unlink(s, link);
    return st;
}

enum ocop_status ocop_enrol(struct ocop_store *s, const char *code, const char *name,
                            struct ocop_error *err)
{
    struct invitation in;
    struct noise n;
    struct buf frame, answer;
    struct arena a;
    struct span message;
    Ocop__Sync__Reply *reply = NULL;
    ProtobufCAllocator allocator;
    enum ocop_status st = invitation_decode(code ? code : "", &in, err);

    if (st)
        return st;
    st = client_enter(s, err);
    if (st)
        return st;
    st = client_begin_exchange(s, err);
    if (st) {
        client_leave(s);
        return st;
    }
    memset(&n, 0, sizeof n);
    buf_init(&frame, FRAME_BYTES_MAX);
    buf_init(&answer, FRAME_BYTES_MAX);
    arena_init(&a, REPLY_INFLATED_MAX * 2);
    allocator = arena_allocator(&a);
    st = ready_to_enrol(s, err);
    if (!st)
        st = make_keys(s, &in, err);
    if (!st)
        st = enrol_request(s, &in, name, &n, &frame, err);
    if (st)
        goto out;
    client_leave(s);
    st = enrol_exchange(s, &in, buf_span(&frame), &answer, err);
    (void)pthread_mutex_lock(&s->lock);
    if (!st)
        st = frame_open_reply(&n, buf_span(&answer), &a, &message, err);
    if (st)
        goto out;
    reply = reply_unpack(message, &allocator);
    st = reply      ? enrol_apply(s, &in, reply, err)
         : a.failed ? err_nomem(err)
                    : err_set(err, OCOP_EPROTO, "the server's answer cannot be read");
out:
    client_end_exchange(s);
    client_leave(s);
    noise_fini(&n);
    buf_fini(&frame);
    buf_fini(&answer);
    arena_fini(&a);
    return st;
}
