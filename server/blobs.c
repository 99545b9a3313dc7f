/* Answers about contents. What a record says is in the registry; what there is of its content, in
 * the folder; only who has brought or proved what stands in a table of its own. Keeps no session:
 * each answer follows from these three. */
#include "blobs.h"

#include <sodium.h>

#include "cache.h"
#include "feed.h"
#include "registry_stmts.h"
#include "rights.h"
#include "thumbs.h"

/* One request while it is being answered. */
struct asked {
    struct registry *r;
    const struct server_keys *keys;
    struct arena *a;
    struct ocop_error *err;
    struct id replica;
    struct replica_info info;
    unsigned reading;
    Ocop__Sync__FilesReply *reply;
    size_t state_room;
    uint64_t hashed; /* bytes, in this request */
    size_t thumbs_given;
};

/* A content that the request is about. */
struct subject {
    const uint8_t *hash;
    uint64_t size;
    bool named;   /* by an attachment of this officer, who may send it */
    bool removed; /* by the registry's office, of all that name it */
};

/* --- who asks -------------------------------------------------------------------------------- */

static enum ocop_status may_ask(struct asked *q, const uint8_t *sender,
                                const Ocop__Sync__FilesRequest *in)
{
    unsigned roles = 0;
    /* A copy of a store speaks with the keys of the first one and is another replica. */
    if (!in->has_replica || !id_from(span_of(in->replica.data, in->replica.len), &q->replica))
        return err_set(q->err, OCOP_EPROTO, "the request names no replica");
    enum ocop_status st = registry_replica(q->r, &q->replica, &q->info, q->err);
    if (st != OCOP_OK)
        return st;
    if (!q->info.known)
        return err_set(q->err, OCOP_ENOTENROLLED, "this device is not enrolled here");
    if (memcmp(q->info.channel_key, sender, CHANNEL_KEY_LEN) != 0)
        return err_set(q->err, OCOP_EAUTH, "this replica belongs to another device");
    if (q->info.revoked)
        return err_set(q->err, OCOP_EREVOKED, "this device was revoked");
    /* One that shall wipe its store brings what it has first. */
    if (q->info.state != DEVICE_ACTIVE && q->info.state != DEVICE_WIPE)
        return err_set(q->err, OCOP_ESUSPENDED, "this device may send and fetch no files now");
    if (in->n_asks > FILES_ASKED_MAX || in->n_chunks > FILE_CHUNKS_SENT_MAX)
        return err_set(q->err, OCOP_ELIMIT, "more files or chunks in one request than %d and %d",
                       FILES_ASKED_MAX, FILE_CHUNKS_SENT_MAX);
    st = cache_roles(q->r, &q->info.officer, env_now_ms(q->r->env), &roles, q->err);
    q->reading = rights_reading(roles);
    return st;
}

/* --- what the registry knows ------------------------------------------------------------------ */

static enum ocop_status is_named(struct asked *q, struct subject *s)
{
    sqlite3_stmt *st = registry_stmt(q->r, SQL_FILE_OF_OFFICER, q->err);
    if (!st)
        return OCOP_EDB;
    sqlite3_bind_blob(st, 1, s->hash, FILE_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(st, 2, q->info.officer.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)s->size);
    bool row;
    enum ocop_status status = registry_row(q->r, st, "looking for an attachment", &row, q->err);
    const bool any = status == OCOP_OK && row && sqlite3_column_type(st, 0) != SQLITE_NULL;
    s->named = any && sqlite3_column_int(st, 0);
    s->removed = any && !s->named;
    sqlite3_reset(st);
    return status;
}

static enum ocop_status has_brought(struct asked *q, const struct subject *s, bool *out)
{
    sqlite3_stmt *st = registry_stmt(q->r, SQL_BROUGHT, q->err);
    if (!st)
        return OCOP_EDB;
    sqlite3_bind_blob(st, 1, s->hash, FILE_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(st, 2, q->info.officer.b, ID_LEN, SQLITE_STATIC);
    enum ocop_status status = registry_row(q->r, st, "looking who brought a file", out, q->err);
    sqlite3_reset(st);
    return status;
}

static enum ocop_status note_brought(struct asked *q, const struct subject *s)
{
    sqlite3_stmt *st = registry_stmt(q->r, SQL_BROUGHT_SET, q->err);
    if (!st)
        return OCOP_EDB;
    sqlite3_bind_blob(st, 1, s->hash, FILE_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(st, 2, q->info.officer.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, env_now_ms(q->r->env));
    return registry_done(q->r, st, "noting who brought a file", q->err);
}

/* Does an officer's whole say more than he may have here? */
static enum ocop_status over_budget(struct asked *q, bool *out)
{
    *out = false;
    if (!q->r->officer_blobs_max)
        return OCOP_OK;
    sqlite3_stmt *st = registry_stmt(q->r, SQL_FILE_BYTES_OF, q->err);
    bool row;
    if (!st)
        return OCOP_EDB;
    sqlite3_bind_blob(st, 1, q->info.officer.b, ID_LEN, SQLITE_STATIC);
    enum ocop_status status = registry_row(q->r, st, "adding up an officer's files", &row, q->err);
    *out =
        status == OCOP_OK && row && (uint64_t)sqlite3_column_int64(st, 0) > q->r->officer_blobs_max;
    sqlite3_reset(st);
    return status;
}

/* May the device see one of the attachments through which the content is to be had? */
static enum ocop_status is_readable(struct asked *q, const struct subject *s, bool *out)
{
    sqlite3_stmt *st = registry_stmt(q->r, SQL_FILE_READABLE, q->err);
    enum ocop_status status = st ? OCOP_OK : OCOP_EDB;
    *out = false;
    if (!st || !rights_kind_readable(kind_by_number(KIND_ATTACHMENT), q->reading))
        return status;
    sqlite3_bind_blob(st, 1, s->hash, FILE_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)s->size);
    for (bool row = true; status == OCOP_OK && row && !*out;) {
        struct id id = {{0}}, unit = {{0}}, officer = {{0}};
        status = registry_row(q->r, st, "looking for an attachment", &row, q->err);
        if (status != OCOP_OK || !row)
            break;
        (void)id_from(span_of(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0)),
                      &id);
        (void)id_from(span_of(sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1)),
                      &unit);
        (void)id_from(span_of(sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2)),
                      &officer);
        *out = id_eq(&officer, &q->info.officer);
        if (!*out)
            status = scope_has(q->r, &q->replica, &unit, out, q->err);
        if (status == OCOP_OK && !*out)
            status = scope_has_record(q->r, &q->replica, &id, out, q->err);
    }
    sqlite3_reset(st);
    return status;
}

/* --- what was here and is not any more ---------------------------------------------------------
 */

enum ocop_status blobs_lack(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                            struct ocop_error *err)
{
    sqlite3_stmt *st = registry_stmt(r, SQL_LACKING_SET, err);
    if (!st)
        return OCOP_EDB;
    sqlite3_bind_blob(st, 1, hash, FILE_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, env_now_ms(r->env));
    return registry_done(r, st, "noting what is lacking", err);
}

static enum ocop_status drop(struct registry *r, int which, const uint8_t hash[FILE_HASH_LEN],
                             struct ocop_error *err)
{
    sqlite3_stmt *st = registry_stmt(r, which, err);
    if (!st)
        return OCOP_EDB;
    sqlite3_bind_blob(st, 1, hash, FILE_HASH_LEN, SQLITE_STATIC);
    return registry_done(r, st, "forgetting what there was of a file", err);
}

enum ocop_status blobs_lack_no_more(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                                    struct ocop_error *err)
{
    return drop(r, SQL_LACKING_DROP, hash, err);
}

enum ocop_status blobs_forget(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                              struct ocop_error *err)
{
    enum ocop_status st = drop(r, SQL_BROUGHT_DROP, hash, err);
    return st == OCOP_OK ? drop(r, SQL_LACKING_DROP, hash, err) : st;
}

enum ocop_status blobs_was_here(struct registry *r, const uint8_t hash[FILE_HASH_LEN], bool *out,
                                struct ocop_error *err)
{
    sqlite3_stmt *st = registry_stmt(r, SQL_BROUGHT_ANY, err);
    if (!st)
        return OCOP_EDB;
    sqlite3_bind_blob(st, 1, hash, FILE_HASH_LEN, SQLITE_STATIC);
    enum ocop_status status = registry_row(r, st, "looking who brought a file", out, err);
    sqlite3_reset(st);
    return status;
}

/* --- what is said ----------------------------------------------------------------------------- */

static ProtobufCBinaryData copy(struct asked *q, const void *p, size_t len)
{
    ProtobufCBinaryData d = {len, (uint8_t *)arena_dup(q->a, p, len)};
    if (!d.data)
        d.len = 0;
    return d;
}

/* One state for each content: what is said last holds. */
static enum ocop_status say(struct asked *q, const struct subject *s, enum file_code code,
                            Ocop__Sync__FileState **out)
{
    Ocop__Sync__FileState *f = NULL;
    for (size_t i = 0; i < q->reply->n_states && !f; i++)
        if (memcmp(q->reply->states[i]->hash.data, s->hash, FILE_HASH_LEN) == 0)
            f = q->reply->states[i];
    if (!f) {
        CHECK(q->reply->n_states < q->state_room);
        f = arena_alloc(q->a, sizeof *f);
        if (!f)
            return err_nomem(q->err);
        ocop__sync__file_state__init(f);
        f->hash = copy(q, s->hash, FILE_HASH_LEN);
        if (!f->hash.data)
            return err_nomem(q->err);
        q->reply->states[q->reply->n_states++] = f;
    }
    f->has_hash = f->has_code = 1;
    f->code = code;
    f->has_have = f->has_nonce = f->has_thumbnail = 0;
    if (out)
        *out = f;
    return OCOP_OK;
}

static enum ocop_status say_part(struct asked *q, const struct subject *s,
                                 const struct content_part *p)
{
    Ocop__Sync__FileState *f;
    enum ocop_status st = say(q, s, FILE_PART, &f);
    if (st != OCOP_OK || p->count == 0)
        return st;
    f->has_have = 1;
    f->have = copy(q, p->have, (p->chunks + 7) / 8);
    return f->have.data ? OCOP_OK : err_nomem(q->err);
}

/* What only this device is asked with, and nobody can foresee: the same each time, so that nothing
 * is to be remembered. */
static void nonce_of(const struct asked *q, const struct subject *s, uint8_t out[FILE_HASH_LEN])
{
    static const char label[] = "ocop file nonce";
    crypto_generichash_state h;
    crypto_generichash_init(&h, q->keys->channel[0].secret, CHANNEL_KEY_LEN, FILE_HASH_LEN);
    crypto_generichash_update(&h, (const uint8_t *)label, sizeof label);
    crypto_generichash_update(&h, q->replica.b, ID_LEN);
    crypto_generichash_update(&h, s->hash, FILE_HASH_LEN);
    crypto_generichash_final(&h, out, FILE_HASH_LEN);
}

static enum ocop_status say_prove(struct asked *q, const struct subject *s)
{
    Ocop__Sync__FileState *f;
    uint8_t nonce[FILE_HASH_LEN];
    enum ocop_status st = say(q, s, FILE_PROVE, &f);
    if (st != OCOP_OK)
        return st;
    nonce_of(q, s, nonce);
    f->has_nonce = 1;
    f->nonce = copy(q, nonce, sizeof nonce);
    return f->nonce.data ? OCOP_OK : err_nomem(q->err);
}

/* --- sent up ---------------------------------------------------------------------------------- */

/* May so much more be hashed for this request? What is not is asked for again. */
static bool may_hash(struct asked *q, uint64_t size)
{
    if (q->hashed && q->hashed + size > FILES_HASHED_ENOUGH)
        return false;
    q->hashed += size;
    q->r->hashed += size;
    return true;
}

/* It may have come just before the database failed or we were killed: then it is still noted as
 * lacking, and would be asked for again and again. */
static enum ocop_status say_whole(struct asked *q, const struct subject *s)
{
    enum ocop_status st = blobs_lack_no_more(q->r, s->hash, q->err);
    return st != OCOP_OK ? st : say(q, s, FILE_WHOLE, NULL);
}

/* A proof that does not hold: what lies here may not be what it is named by. Then it goes aside,
 * and its bearer brings it anew. */
static enum ocop_status look_at_own(struct asked *q, const struct subject *s, bool *damaged)
{
    char name[CONTENT_NAME_LEN + 1];
    q->hashed += s->size;
    q->r->hashed += s->size;
    enum ocop_status st = content_check(&q->r->blobs, s->hash, s->size, q->err);
    *damaged = st == OCOP_EDAMAGED;
    if (!*damaged)
        return st != OCOP_OK ? st : say_prove(q, s);
    env_log(q->r->env, ENV_ERROR, "content_damaged", "content=%s", content_name(s->hash, name));
    st = content_set_aside(&q->r->blobs, s->hash, q->err);
    return st == OCOP_OK ? blobs_lack(q->r, s->hash, q->err) : st;
}

/* The content is here; its bearer may have read its hash somewhere. *damaged: it is not, after all.
 */
static enum ocop_status whole_answer(struct asked *q, const struct subject *s,
                                     const Ocop__Sync__FileAsk *ask, bool *damaged)
{
    uint8_t nonce[FILE_HASH_LEN], right[FILE_HASH_LEN];
    bool brought;
    enum ocop_status st = has_brought(q, s, &brought);
    *damaged = false;
    if (st == OCOP_OK && brought)
        st = content_sure(&q->r->blobs, s->hash, q->err);
    if (st != OCOP_OK || brought)
        return st != OCOP_OK ? st : say_whole(q, s);
    if (!ask || ask->proof.len != FILE_HASH_LEN || !may_hash(q, s->size))
        return say_prove(q, s);
    nonce_of(q, s, nonce);
    st = content_proof(&q->r->blobs, s->hash, nonce, right, q->err);
    if (st != OCOP_OK)
        return st;
    if (sodium_memcmp(right, ask->proof.data, FILE_HASH_LEN) != 0)
        return look_at_own(q, s, damaged);
    st = content_sure(&q->r->blobs, s->hash, q->err);
    if (st == OCOP_OK)
        st = note_brought(q, s);
    const struct content_part_of own = content_part_of(s->hash, s->size, &q->info.officer);
    if (st == OCOP_OK) /* another was faster */
        st = content_part_remove(&q->r->blobs, &own, q->err);
    return st != OCOP_OK ? st : say_whole(q, s);
}

/* All chunks are there: is it what it is named by? Closes the part. */
static enum ocop_status completed(struct asked *q, const struct subject *s, struct content_part *p)
{
    if (!may_hash(q, s->size)) { /* the device asks again */
        enum ocop_status said = say_part(q, s, p);
        content_part_close(p);
        return said;
    }
    enum ocop_status st = content_part_finish(p, q->err);
    if (st == OCOP_EDAMAGED)
        return say(q, s, FILE_BAD, NULL);
    if (st == OCOP_OK)
        st = note_brought(q, s);
    if (st == OCOP_OK)
        (void)thumbs_want(q->r->thumbs, s->hash);
    return st != OCOP_OK ? st : say_whole(q, s);
}

static bool is_of(const Ocop__Sync__Chunk *c, const struct subject *s)
{
    return c->hash.len == FILE_HASH_LEN && memcmp(c->hash.data, s->hash, FILE_HASH_LEN) == 0;
}

/* Take in what chunks of it the request has, and say what is there. */
static enum ocop_status part_answer(struct asked *q, const struct subject *s,
                                    const Ocop__Sync__FilesRequest *in)
{
    const struct content_part_of of = content_part_of(s->hash, s->size, &q->info.officer);
    struct content_part p;
    bool any = false;
    for (size_t i = 0; i < in->n_chunks && !any; i++)
        any = is_of(in->chunks[i], s);
    enum ocop_status st = content_part_open(&q->r->blobs, &of, any, &p, q->err);
    if (st == OCOP_ENOTFOUND)
        return say(q, s, FILE_PART, NULL);
    for (size_t i = 0; st == OCOP_OK && i < in->n_chunks; i++) {
        const Ocop__Sync__Chunk *c = in->chunks[i];
        if (is_of(c, s))
            st = content_part_put(&p, c->index, span_of(c->data.data, c->data.len), q->err);
    }
    if (st == OCOP_OK && p.count == p.chunks)
        return completed(q, s, &p);
    if (st == OCOP_OK)
        st = say_part(q, s, &p);
    else if (st == OCOP_EINVAL)
        st = say(q, s, FILE_BAD, NULL);
    content_part_close(&p);
    return st;
}

/* Who attached it, and who may have it: what was here once and was lost, by whatever came of the
 * disk, is taken from either. Its hash says that it is the same. */
static enum ocop_status may_send(struct asked *q, struct subject *s)
{
    enum ocop_status st = is_named(q, s);
    return st == OCOP_OK && !s->named ? is_readable(q, s, &s->named) : st;
}

static enum ocop_status up_answer(struct asked *q, struct subject *s,
                                  const Ocop__Sync__FileAsk *ask,
                                  const Ocop__Sync__FilesRequest *in)
{
    bool there = false, damaged = false, too_much;
    enum ocop_status st = may_send(q, s);
    if (st != OCOP_OK || !s->named)
        return st != OCOP_OK ? st : say(q, s, s->removed ? FILE_REMOVED : FILE_UNNAMED, NULL);
    st = content_there(&q->r->blobs, s->hash, s->size, &there, q->err);
    if (st == OCOP_OK && there)
        st = whole_answer(q, s, ask, &damaged);
    if (st != OCOP_OK || (there && !damaged))
        return st;
    st = over_budget(q, &too_much);
    if (st != OCOP_OK || too_much)
        return st != OCOP_OK ? st : say(q, s, FILE_NO_ROOM, NULL);
    return part_answer(q, s, in);
}

/* --- sent down -------------------------------------------------------------------------------- */

static enum ocop_status give_chunk(struct asked *q, const struct subject *s, uint32_t index)
{
    Ocop__Sync__Chunk *c = arena_alloc(q->a, sizeof *c);
    size_t len = content_chunk_len(s->size, index), got;
    uint8_t *bytes = arena_alloc(q->a, len);
    if (!c || !bytes)
        return err_nomem(q->err);
    enum ocop_status st = content_read(&q->r->blobs, s->hash, (uint64_t)index * FILE_CHUNK_BYTES,
                                       bytes, len, &got, q->err);
    if (st == OCOP_OK && got != len)
        st = err_set(q->err, OCOP_EDAMAGED, "the content is cut");
    if (st != OCOP_OK)
        return st;
    ocop__sync__chunk__init(c);
    c->has_hash = c->has_index = c->has_data = 1;
    c->hash = copy(q, s->hash, FILE_HASH_LEN);
    c->index = index;
    c->data = (ProtobufCBinaryData){got, bytes};
    q->reply->chunks[q->reply->n_chunks++] = c;
    return c->hash.data ? OCOP_OK : err_nomem(q->err);
}

static enum ocop_status down_answer(struct asked *q, const struct subject *s,
                                    const Ocop__Sync__FileAsk *ask)
{
    bool readable, there;
    enum ocop_status st = is_readable(q, s, &readable);
    readable = readable && q->info.state == DEVICE_ACTIVE;
    if (st != OCOP_OK || !readable)
        return st != OCOP_OK ? st : say(q, s, FILE_UNNAMED, NULL);
    st = content_there(&q->r->blobs, s->hash, s->size, &there, q->err);
    if (st != OCOP_OK || !there)
        return st != OCOP_OK ? st : say(q, s, FILE_ABSENT, NULL);
    /* Who begins shall not come to the end of what is worth nothing. What is large costs more. */
    if (ask->from == 0 && may_hash(q, s->size))
        st = content_check(&q->r->blobs, s->hash, s->size, q->err);
    for (uint32_t i = 0; st == OCOP_OK && i < ask->count; i++) {
        if (q->reply->n_chunks + q->thumbs_given == FILE_CHUNKS_REPLY_MAX ||
            !content_chunk_len(s->size, ask->from + i))
            break;
        st = give_chunk(q, s, ask->from + i);
    }
    return st != OCOP_OK ? st : say(q, s, FILE_WHOLE, NULL);
}

/* What there is now; what there is not is made meanwhile, for another time. */
static enum ocop_status thumb_answer(struct asked *q, const struct subject *s)
{
    Ocop__Sync__FileState *f;
    enum thumb_state state;
    uint8_t *image;
    size_t len;
    bool readable, there = false;
    enum ocop_status st = is_readable(q, s, &readable);
    readable = readable && q->info.state == DEVICE_ACTIVE;
    if (st != OCOP_OK || !readable)
        return st != OCOP_OK ? st : say(q, s, FILE_UNNAMED, NULL);
    if (q->thumbs_given + q->reply->n_chunks == FILE_CHUNKS_REPLY_MAX)
        return OCOP_OK; /* of what is not told it asks again */
    st = content_there(&q->r->blobs, s->hash, s->size, &there, q->err);
    if (st != OCOP_OK || !there)
        return st != OCOP_OK ? st : say(q, s, FILE_ABSENT, NULL);
    image = arena_alloc(q->a, THUMBNAIL_BYTES_MAX);
    if (!image)
        return err_nomem(q->err);
    st = thumbs_look(&q->r->blobs, s->hash, &state, image, &len, q->err);
    if (st == OCOP_OK && state == THUMB_UNMADE && thumbs_want(q->r->thumbs, s->hash))
        return say(q, s, FILE_PART, NULL);
    if (st != OCOP_OK || state != THUMB_HERE)
        return st != OCOP_OK ? st : say(q, s, state == THUMB_NONE ? FILE_NONE : FILE_ABSENT, NULL);
    q->thumbs_given++;
    st = say(q, s, FILE_WHOLE, &f);
    if (st == OCOP_OK) {
        f->has_thumbnail = 1;
        f->thumbnail = (ProtobufCBinaryData){len, image};
    }
    return st;
}

/* --- the whole -------------------------------------------------------------------------------- */

bool blobs_writes(const Ocop__Sync__FilesRequest *in)
{
    /* Whoever asks about a file that he has may complete it: its last chunk may have come before
     * we were killed. Meanwhile nobody may empty its part. */
    for (size_t i = 0; i < in->n_asks; i++)
        if (!in->asks[i]->count && !in->asks[i]->thumbnail)
            return true;
    return in->n_chunks > 0;
}

/* A file that cannot be read or written is this one content's misfortune, not the request's. */
static enum ocop_status failed(struct asked *q, const struct subject *s, enum ocop_status st)
{
    char name[CONTENT_NAME_LEN + 1];
    if (st != OCOP_EIO && st != OCOP_EDAMAGED && st != OCOP_ENOTFOUND && st != OCOP_ELIMIT)
        return st;
    env_log(q->r->env, ENV_ERROR, "content_failed", "status=%s content=%s", err_name(st),
            content_name(s->hash, name));
    *q->err = (struct ocop_error){0};
    return say(q, s, st == OCOP_ELIMIT ? FILE_NO_ROOM : FILE_FAILED, NULL);
}

static enum ocop_status ask_answer(struct asked *q, const Ocop__Sync__FileAsk *ask,
                                   const Ocop__Sync__FilesRequest *in)
{
    struct subject s = {.hash = ask->hash.data, .size = ask->size};
    if (ask->hash.len != FILE_HASH_LEN || ask->size == 0 || ask->size > ATTACHED_BYTES_MAX)
        return err_set(q->err, OCOP_EPROTO, "a file of no hash or size");
    size_t chunks = q->reply->n_chunks;
    enum ocop_status st = ask->thumbnail ? thumb_answer(q, &s)
                          : ask->count   ? down_answer(q, &s, ask)
                                         : up_answer(q, &s, ask, in);
    if (st == OCOP_OK)
        return st;
    q->reply->n_chunks = chunks;
    return failed(q, &s, st);
}

enum ocop_status blobs_answer(struct registry *r, const struct server_keys *keys,
                              const uint8_t *sender, const Ocop__Sync__FilesRequest *in,
                              struct arena *a, Ocop__Sync__FilesReply **out, struct ocop_error *err)
{
    struct asked q = {.r = r, .keys = keys, .a = a, .err = err};
    enum ocop_status st = may_ask(&q, sender, in);
    *out = NULL;
    if (st != OCOP_OK)
        return st;
    q.state_room = in->n_asks;
    q.reply = arena_alloc(a, sizeof *q.reply);
    if (!q.reply)
        return err_nomem(err);
    ocop__sync__files_reply__init(q.reply);
    q.reply->states = arena_calloc(a, in->n_asks + 1, sizeof *q.reply->states);
    q.reply->chunks = arena_calloc(a, FILE_CHUNKS_REPLY_MAX, sizeof *q.reply->chunks);
    if (!q.reply->states || !q.reply->chunks)
        return err_nomem(err);
    for (size_t i = 0; st == OCOP_OK && i < in->n_asks; i++)
        st = ask_answer(&q, in->asks[i], in);
    if (st == OCOP_OK)
        *out = q.reply;
    return st;
}

/* --- what devices are asked for -----------------------------------------------------------------
 */

struct lacking {
    uint8_t hash[FILES_WANTED_MAX][FILE_HASH_LEN];
    uint64_t size[FILES_WANTED_MAX];
    size_t count;
};

/* From a hash on, as many as there is room for, with each size that one says of it. */
static enum ocop_status lacking_read(struct registry *r, const uint8_t from[FILE_HASH_LEN],
                                     struct lacking *l, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_LACKING, err);
    bool row = true;
    enum ocop_status st = OCOP_OK;
    if (!s)
        return OCOP_EDB;
    l->count = 0;
    sqlite3_bind_blob(s, 1, from, FILE_HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, FILES_WANTED_MAX);
    while ((st = registry_row(r, s, "reading what is lacking", &row, err)) == OCOP_OK && row) {
        if (sqlite3_column_bytes(s, 0) != FILE_HASH_LEN)
            continue;
        memcpy(l->hash[l->count], sqlite3_column_blob(s, 0), FILE_HASH_LEN);
        l->size[l->count++] = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    return st;
}

/* Of many those behind a hash that is drawn each time, so that none is passed over for ever. */
static enum ocop_status lacking_some(struct registry *r, struct lacking *l, struct ocop_error *err)
{
    uint8_t from[FILE_HASH_LEN] = {0};
    enum ocop_status st = lacking_read(r, from, l, err);
    if (st != OCOP_OK || l->count < FILES_WANTED_MAX)
        return st;
    env_random(r->env, from, sizeof from);
    st = lacking_read(r, from, l, err);
    memset(from, 0, sizeof from);
    return st == OCOP_OK && l->count == 0 ? lacking_read(r, from, l, err) : st;
}

enum ocop_status blobs_wanted(struct registry *r, const struct id *replica,
                              const struct replica_info *info, unsigned reading, struct arena *a,
                              Ocop__Sync__SyncReply *reply, struct ocop_error *err)
{
    struct asked q = {
        .r = r, .a = a, .err = err, .replica = *replica, .info = *info, .reading = reading};
    struct lacking l;
    enum ocop_status st = lacking_some(r, &l, err);
    if (st != OCOP_OK || l.count == 0)
        return st;
    reply->files_wanted = arena_calloc(a, l.count, sizeof *reply->files_wanted);
    if (!reply->files_wanted)
        return err_nomem(err);
    for (size_t i = 0, told = l.count; st == OCOP_OK && i < l.count; i++) {
        struct subject s = {.hash = l.hash[i], .size = l.size[i]};
        st = may_send(&q, &s);
        if (st != OCOP_OK || !s.named ||
            (told < i && memcmp(l.hash[told], s.hash, FILE_HASH_LEN) == 0))
            continue;
        told = i;
        ProtobufCBinaryData hash = copy(&q, s.hash, FILE_HASH_LEN);
        if (!hash.data)
            return err_nomem(err);
        reply->files_wanted[reply->n_files_wanted++] = hash;
    }
    return st;
}
