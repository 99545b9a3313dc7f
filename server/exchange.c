/* The server's core: request bytes in, reply bytes out. Requests that arrive together share one
 * transaction; each has its savepoint, and no reply is written before the commit. What needs no
 * database may be done by a crew of threads. Knows no socket. */
#include "exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "blobs.h"
#include "bounds.h"
#include "cache.h"
#include "certificate.h"
#include "contact.h"
#include "crew.h"
#include "enrol.h"
#include "feed.h"
#include "frame.h"
#include "ingest.h"
#include "known.h"
#include "packed.h"
#include "peers.h"
#include "registry_stmts.h"
#include "rekey.h"
#include "rights.h"
#include "states.h"
#include "tell.h"
#include "text.h"

enum { REASON_SHOWN_MAX = 120, GUESSES_EVERY_MS = 10000 };

/* One request while it is being answered. */
struct work {
    struct registry *r;
    const struct server_keys *keys;
    size_t channels; /* of the keys, that are accepted now */
    struct job *job;
    struct noise noise;
    struct arena arena;
    Ocop__Sync__Request *request;
    Ocop__Sync__Reply reply; /* until it is packed */
    struct buf packed;
    struct telling tell;
    uint8_t sender[CHANNEL_KEY_LEN], ephemeral[CHANNEL_KEY_LEN];
    bool opened, writes;
    bool heard; /* of a device: `contact` is what it told */
    struct contact contact;
    bool parted;   /* a set that does not continue its replica's chain here */
    bool enrolled; /* the sender is a device of ours */
    struct ocop_error err;
};

/* Failures of memory and disk are ours: the device is asked to come again. */
static bool is_ours(enum ocop_status st)
{
    return st == OCOP_EDB || st == OCOP_ENOMEM || st == OCOP_EIO || st == OCOP_EDAMAGED;
}

static void *take(struct work *w, size_t count, size_t size)
{
    void *p = arena_calloc(&w->arena, count ? count : 1, size);
    if (!p)
        err_nomem(&w->err);
    return p;
}

static ProtobufCBinaryData copy_bytes(struct work *w, const void *p, size_t len)
{
    ProtobufCBinaryData d = {len, (uint8_t *)arena_dup(&w->arena, p, len)};
    if (!d.data)
        d.len = 0;
    return d;
}

/* --- opening ------------------------------------------------------------------------------------
 */

/* Are there at most *left fields in the message and those within it? Counted before unpacking,
 * since two bytes of an empty message become a hundred. */
static bool few_fields(const ProtobufCMessageDescriptor *m, struct span message, size_t *left)
{
    struct field f;
    size_t at = 0;
    int more;
    while ((more = message_next(message, &at, &f)) > 0) {
        const ProtobufCFieldDescriptor *d = protobuf_c_message_descriptor_get_field(m, f.number);
        if (*left == 0)
            return false;
        --*left;
        if (d && d->type == PROTOBUF_C_TYPE_MESSAGE && f.type == VALUE_BYTES &&
            !few_fields(d->descriptor, f.bytes, left)) /* no message of a request holds its like */
            return false;
    }
    return more == 0;
}

/* Any thread: touches nothing but its own work. */
static void work_open(void *works, size_t i)
{
    struct work *w = (struct work *)works + i;
    struct frame_keys keys = {w->keys->channel, w->channels, peers_known(w->r->peers)};
    struct span message;
    ocop__sync__reply__init(&w->reply);
    enum ocop_status st = frame_open_request(&w->noise, &keys, w->job->frame, &w->arena, &message,
                                             w->sender, &w->err);
    w->job->status = st;
    if (st == OCOP_ENOTFOUND)
        frame_unknown_key(&w->job->reply);
    if (st != OCOP_OK)
        return; /* strangers get no answer */
    w->opened = true;
    if (w->job->busy_ms)
        return;
    ProtobufCAllocator from_arena = arena_allocator(&w->arena);
    size_t fields = REQUEST_FIELDS_MAX;
    if (few_fields(&ocop__sync__request__descriptor, message, &fields))
        w->request = ocop__sync__request__unpack(&from_arena, message.len, message.p);
    if (!w->request || (!w->request->enrol && !w->request->sync && !w->request->files))
        w->job->status = err_set(&w->err, OCOP_EPROTO, "the request is not well formed");
    else if (!w->request->enrol && !w->request->sync)
        w->writes = blobs_writes(w->request->files);
    else
        w->writes = w->request->enrol
                        ? enrol_well_formed(w->request->enrol)
                        : w->request->sync->n_sets > 0 || w->request->sync->enrolled ||
                              w->request->sync->rekey || w->request->sync->wiped;
}

/* Open as many as have room, whatever the last of them should hold, and leave the others for later.
 * @return how many */
static size_t open_all(struct work *works, size_t count)
{
    size_t used = 0, done = 0;
    while (done < count && BATCH_OPENED_BYTES_MAX - used >= REQUEST_OPENED_BYTES_MAX) {
        size_t part = (BATCH_OPENED_BYTES_MAX - used) / REQUEST_OPENED_BYTES_MAX;
        if (part > count - done)
            part = count - done;
        crew_do(works[0].r->crew, work_open, works + done, part);
        for (; part > 0; part--) {
            struct work *w = &works[done++];
            used += w->arena.used;
            w->arena.cap = ARENA_REQUEST_MAX;
        }
    }
    for (size_t i = done; i < count; i++)
        works[i].job->later = true;
    return done;
}

/* What of the reply's channel does not depend on the reply. Any thread, while others read what the
 * work holds besides its handshake. */
static void work_prepare(void *works, size_t i)
{
    struct work *w = (struct work *)works + i;
    if (w->opened && noise_prepare(&w->noise, w->ephemeral, NULL) != OCOP_OK)
        noise_fini(&w->noise); /* nothing can be sealed with it: no answer */
}

/* --- sync
 * ----------------------------------------------------------------------------------------- */

static Ocop__Sync__SetOutcome *set_outcome(struct work *w, Ocop__Sync__SyncReply *reply,
                                           const struct set_result *result)
{
    Ocop__Sync__SetOutcome *o = take(w, 1, sizeof *o);
    if (!o)
        return NULL;
    ocop__sync__set_outcome__init(o);
    o->has_seq = o->has_code = 1;
    o->seq = result->seq;
    o->has_version = result->version != 0;
    o->version = result->version;
    o->code = result->code;
    if (result->text[0])
        o->text = arena_dup(&w->arena, result->text, strlen(result->text));
    reply->sets[reply->n_sets++] = o;
    return o;
}

/* Kept for a person, or until the device may go on: so are those behind it. */
static bool aside(const struct set_result *result)
{
    return result->code == SET_REVOKED || result->code == SET_SUSPENDED;
}

static bool in_log(const struct set_result *result)
{
    return result->code == SET_ACCEPTED || result->code == SET_DUPLICATE;
}

/* Take one set in, and its outcomes into the reply. What is decoded is needed no longer, so that
 * its memory is its own. @return OCOP_ELIMIT when it can never be taken in as it is */
static enum ocop_status take_in(struct work *w, const Ocop__Sync__Sealed *in, int64_t now,
                                struct set_result *result)
{
    struct arena a;
    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = ingest_set(w->r, span_of(in->body.data, in->body.len), in->signature.data,
                                     w->sender, now, &a, result, &w->err);
    if (st == OCOP_ENOMEM && a.full)
        st = err_set(&w->err, OCOP_ELIMIT, "the change-set needs too much memory; send less");
    arena_fini(&a);
    return st == OCOP_OK && in_log(result) ? tell_outcomes(&w->tell, result) : st;
}

/* Take one set in, in a savepoint of its own: when it fails by our fault, what was taken before it
 * stands and is acknowledged, and this one is to be sent again. The first has nothing before it:
 * then the whole request is. */
static enum ocop_status push_one(struct work *w, const Ocop__Sync__Sealed *in, int64_t now,
                                 Ocop__Sync__SyncReply *reply, struct set_result *result)
{
    *result = (struct set_result){.code = SET_MALFORMED};
    if (!in->has_body || in->signature.len != SIGNATURE_LEN ||
        in->body.len > SET_SEALED_BYTES_MAX + KIB(4)) {
        snprintf(result->text, sizeof result->text, "the sealed change-set is not well formed");
        return set_outcome(w, reply, result) ? OCOP_OK : OCOP_ENOMEM;
    }
    enum ocop_status st = registry_savepoint(w->r, &w->err);
    if (st != OCOP_OK)
        return st;
    struct telling before = w->tell;
    size_t outcomes = reply->n_outcomes, notes = reply->n_cases;
    st = take_in(w, in, now, result);
    if (st == OCOP_OK)
        st = registry_release(w->r, &w->err);
    if (st != OCOP_OK) {
        bool first = reply->n_sets == 0, never = first && st == OCOP_ELIMIT;
        registry_rollback_to(w->r);
        w->tell = before;
        reply->n_outcomes = outcomes;
        reply->n_cases = notes;
        if (registry_rolled_back(w->r) || (first && !never) || (!is_ours(st) && st != OCOP_ELIMIT))
            return st; /* nothing of this request stands: it is told to come again as a whole */
        env_log(w->r->env, ENV_ERROR, "set_failed", "status=%s", err_name(st));
        *result =
            (struct set_result){.code = never ? SET_TOO_LARGE : SET_RETRY, .seq = result->seq};
        snprintf(result->text, sizeof result->text, "%s",
                 never ? w->err.text : "it could not be stored now; send it again");
    }
    return set_outcome(w, reply, result) ? OCOP_OK : OCOP_ENOMEM;
}

/* A successor learns its number with the answer to its first set, however often that is asked for.
 */
static enum ocop_status successor_told(struct work *w, const struct id *replica,
                                       Ocop__Sync__SyncReply *reply)
{
    struct replica_info info;
    enum ocop_status st = registry_replica(w->r, replica, &info, &w->err);
    if (st != OCOP_OK || !info.known || id_is_zero(&info.predecessor))
        return st;
    return enrolment_of(w->r, w->keys, replica, &w->arena, &reply->enrolment, &w->err);
}

static enum ocop_status push(struct work *w, const Ocop__Sync__SyncRequest *in, int64_t now,
                             struct id *replica, Ocop__Sync__SyncReply *reply)
{
    enum ocop_status st = OCOP_OK;
    reply->sets = take(w, in->n_sets, sizeof *reply->sets);
    if (!reply->sets)
        return OCOP_ENOMEM;
    if (in->n_sets > REQUEST_SETS_MAX)
        return err_set(&w->err, OCOP_ELIMIT, "more than %d change-sets in one request",
                       REQUEST_SETS_MAX);
    for (size_t i = 0; st == OCOP_OK && i < in->n_sets; i++) {
        struct set_result result;
        if (tell_enough(&w->tell))
            break; /* the device sends the others again */
        st = push_one(w, in->sets[i], now, reply, &result);
        if (st != OCOP_OK)
            return st;
        w->job->sets++;
        w->contact.accepted = w->contact.accepted || result.code == SET_ACCEPTED;
        if (in_log(&result) && result.seq == 1)
            st = successor_told(w, replica, reply);
        w->parted = result.code == SET_FORK || result.code == SET_CHAIN || result.code == SET_GAP;
        if (result.code == SET_FORK) {
            reply->has_fork_seq = 1;
            reply->fork_seq = result.seq;
        }
        if (!in_log(&result) && !aside(&result))
            break; /* what follows cannot continue the chain */
    }
    return st;
}

static bool lineage_differs(const struct work *w, const Ocop__Sync__SyncRequest *in)
{
    return in->lineage.len == ID_LEN && memcmp(in->lineage.data, w->r->lineage.b, ID_LEN) != 0;
}

/* A device of another lineage learns where the histories parted: what its unsealed edits were based
 * on counts as seen up to there. */
static enum ocop_status lineages_put(struct work *w, Ocop__Sync__SyncReply *reply)
{
    struct lineage *v;
    size_t count;
    enum ocop_status st = lineages_of(w->r, &w->arena, &v, &count, &w->err);
    if (st != OCOP_OK)
        return st;
    reply->lineages = take(w, count, sizeof *reply->lineages);
    for (size_t i = 0; reply->lineages && i < count; i++) {
        Ocop__Sync__Lineage *l = take(w, 1, sizeof *l);
        if (!l)
            return OCOP_ENOMEM;
        ocop__sync__lineage__init(l);
        l->has_lineage = l->has_parent = l->has_fork_version = 1;
        l->lineage = copy_bytes(w, v[i].id.b, ID_LEN);
        l->parent = copy_bytes(w, v[i].parent.b, ID_LEN);
        l->fork_version = v[i].fork_version;
        reply->lineages[reply->n_lineages++] = l;
    }
    return reply->lineages ? OCOP_OK : OCOP_ENOMEM;
}

/* Is the cursor one of a history that was lost? Then all is read again from the start, and what was
 * not met is swept. *lost too when this registry was put back without `ocopd restore`, which would
 * have begun a lineage: it has not yet come to what the device has seen. */
static enum ocop_status cursor_lost(struct work *w, const Ocop__Sync__SyncRequest *in,
                                    Ocop__Sync__SyncReply *reply, bool *lost)
{
    uint64_t now = 0;
    *lost = lineage_differs(w, in);
    if (*lost)
        return lineages_put(w, reply);
    if (!in->cursor)
        return OCOP_OK;
    enum ocop_status st = registry_version(w->r, &now, &w->err);
    *lost = st == OCOP_OK && in->cursor->version > now;
    if (*lost)
        env_log(w->r->env, ENV_ERROR, "history_lost",
                "seen=%llu version=%llu advice=\"use ocopd restore to put a backup back\"",
                (unsigned long long)in->cursor->version, (unsigned long long)now);
    return st;
}

/* What the officer of the sender's device may read today. A stranger, who is to be told of nothing,
 * has no roles. */
static enum ocop_status reading_of(struct work *w, int64_t now, unsigned *out)
{
    struct id officer = {{0}};
    unsigned roles = 0;
    bool row;
    sqlite3_stmt *s = registry_stmt(w->r, SQL_OFFICER_OF_CHANNEL, &w->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, w->sender, CHANNEL_KEY_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(w->r, s, "looking for a device's officer", &row, &w->err);
    row = st == OCOP_OK && row &&
          id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)), &officer);
    sqlite3_reset(s);
    if (row)
        st = cache_roles(w->r, &officer, now, &roles, &w->err);
    *out = rights_reading(roles);
    return st;
}

/* Does the device not know yet how its own record stands, its units above all? It is told with the
 * first page behind what it has seen. */
static bool enrolment_is_news(const struct replica_info *info, const Ocop__Sync__Cursor *cursor)
{
    return !cursor || (!cursor->fill && cursor->scope < info->version);
}

static enum ocop_status pull(struct work *w, const struct id *replica,
                             const struct replica_info *info, const Ocop__Sync__SyncRequest *in,
                             Ocop__Sync__SyncReply *reply)
{
    bool lost;
    enum ocop_status st = cursor_lost(w, in, reply, &lost);
    lost = lost || (in->cursor && feed_read_otherwise(in->cursor, w->tell.reading));
    const Ocop__Sync__Cursor *cursor = lost ? NULL : in->cursor;
    reply->has_reread = reply->reread = lost;
    size_t page = in->has_page_bytes && in->page_bytes < PAGE_BYTES_DEFAULT ? in->page_bytes
                                                                            : PAGE_BYTES_DEFAULT;
    if (w->job->crowded && page > CROWD_PAGE_BYTES)
        page = CROWD_PAGE_BYTES;
    struct told told = told_read(cursor);
    if (st == OCOP_OK)
        st = tell_late(&w->tell, replica, &told);
    if (st == OCOP_OK)
        st = feed_page(w->r, replica, w->tell.reading, cursor, page, &w->arena, reply, &w->err);
    if (st == OCOP_OK)
        st = told_write(&w->tell, &told);
    if (st == OCOP_OK && !reply->enrolment && enrolment_is_news(info, cursor))
        st = enrolment_of(w->r, w->keys, replica, &w->arena, &reply->enrolment, &w->err);
    w->job->records = reply->records ? reply->records->count : 0;
    return st;
}

/* Who has revoked keys learns no more of what was sent by them under any name. */
static enum ocop_status check_not_revoked(struct work *w)
{
    bool row;
    sqlite3_stmt *s = registry_stmt(w->r, SQL_KEY_REVOKED, &w->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, w->sender, CHANNEL_KEY_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(w->r, s, "looking for a revocation", &row, &w->err);
    sqlite3_reset(s);
    return st == OCOP_OK && row ? err_set(&w->err, OCOP_EREVOKED, "this device was revoked") : st;
}

/* A replica that is not here, though another of its device may be: a restore lost it. */
static enum ocop_status unknown_answer(struct work *w, const struct id *replica,
                                       const Ocop__Sync__SyncRequest *in,
                                       Ocop__Sync__SyncReply *reply)
{
    enum ocop_status st = lineage_differs(w, in) ? lineages_put(w, reply) : OCOP_OK;
    if (st == OCOP_OK)
        st = check_not_revoked(w);
    if (st == OCOP_OK)
        st = known_put(w->r, w->sender, replica, in->last_seq, &w->arena, reply, &w->err);
    if (st == OCOP_OK && reply->n_known == 0 && reply->n_sets == 0)
        st = err_set(&w->err, OCOP_ENOTENROLLED, "this device is not enrolled here");
    return st;
}

/* Who speaks to an older key of the server learns the present one. */
static enum ocop_status channel_put(struct work *w, Ocop__Sync__SyncReply *reply)
{
    const struct key_paper *paper = &w->keys->channel_paper[0];
    const uint8_t *newest = w->keys->channel[0].public_key;
    if (memcmp(w->noise.s.public_key, newest, CHANNEL_KEY_LEN) == 0)
        return OCOP_OK;
    Ocop__Sync__ChannelKey *c = take(w, 1, sizeof *c);
    if (!c)
        return OCOP_ENOMEM;
    ocop__sync__channel_key__init(c);
    c->has_key = c->has_number = c->has_signature = 1;
    c->key = copy_bytes(w, newest, CHANNEL_KEY_LEN);
    c->number = paper->number;
    c->signature = copy_bytes(w, paper->signature, SIGNATURE_LEN);
    reply->channel = c;
    return c->key.data && c->signature.data ? OCOP_OK : err_nomem(&w->err);
}

/* Who trusts an earlier root of this registry is told of those that followed. */
static enum ocop_status roots_put(struct work *w, uint64_t trusted, Ocop__Sync__RootKey ***out,
                                  size_t *count)
{
    const struct root_chain *roots = &w->keys->roots;
    *count = 0;
    if (trusted >= ROOTS_MAX || trusted + 1 >= roots->count)
        return OCOP_OK;
    *out = take(w, roots->count, sizeof **out);
    for (size_t i = (size_t)trusted + 1; *out && i < roots->count; i++) {
        Ocop__Sync__RootKey *k = take(w, 1, sizeof *k);
        if (!k)
            return OCOP_ENOMEM;
        ocop__sync__root_key__init(k);
        k->has_key = k->has_number = k->has_signature = 1;
        k->key = copy_bytes(w, roots->key[i], SIGN_PUBLIC_LEN);
        k->number = i;
        k->signature = copy_bytes(w, w->keys->root_signature[i], SIGNATURE_LEN);
        (*out)[(*count)++] = k;
    }
    return *out ? OCOP_OK : OCOP_ENOMEM;
}

/* The certificate that the device holds may be of what stood before. */
static enum ocop_status certificate_put(struct work *w, const struct id *replica,
                                        const struct replica_info *info,
                                        const Ocop__Sync__SyncRequest *in,
                                        Ocop__Sync__SyncReply *reply)
{
    uint64_t version;
    enum ocop_status st = certificate_version(w->r, info, &version, &w->err);
    if (st != OCOP_OK ||
        (in->has_certificate && in->certificate == version && !lineage_differs(w, in) &&
         !certificate_stale(w->r, in->certificate_day) && in->root + 1 >= w->keys->roots.count))
        return st;
    return certificate_make(w->r, w->keys, replica, &w->arena, &reply->certificate, &w->err);
}

static enum ocop_status replica_answer(struct work *w, const struct id *replica,
                                       const struct replica_info *info,
                                       const Ocop__Sync__SyncRequest *in,
                                       Ocop__Sync__SyncReply *reply)
{
    enum ocop_status st = OCOP_OK;
    reply->has_acked_seq = 1;
    reply->acked_seq = info->acked_seq;
    if (in->has_last_seq && in->last_seq < info->acked_seq && !reply->has_fork_seq) {
        reply->has_fork_seq = 1; /* we hold sets that this store does not know: it is a copy */
        reply->fork_seq = in->last_seq + 1;
    }
    if (w->parted || lineage_differs(w, in))
        st = known_put(w->r, w->sender, replica, in->last_seq, &w->arena, reply, &w->err);
    if (st == OCOP_OK)
        st = roots_put(w, in->root, &reply->roots, &reply->n_roots);
    if (st == OCOP_OK)
        st = channel_put(w, reply);
    if (st == OCOP_OK)
        st = pull(w, replica, info, in, reply);
    if (st == OCOP_OK)
        st = rekey_put(w->r, w->keys, replica, info, &w->arena, reply, &w->err);
    return st == OCOP_OK && !reply->enrolment ? certificate_put(w, replica, info, in, reply) : st;
}

/* What the device told of itself; noted with what else this request writes, or after the commit. */
static void hear(struct work *w, const struct id *replica, const Ocop__Sync__SyncRequest *in,
                 int64_t now)
{
    w->heard = true;
    w->contact.replica = *replica;
    w->contact.now_ms = now;
    w->contact.device_ms = in->device_time_ms;
    w->contact.waiting = in->waiting;
    w->contact.schema = in->schema;
    w->contact.program = in->program;
    w->contact.exchange = in->exchange;
    w->contact.unsettled = w->tell.outcomes;
}

/* What a device that may not go on is told. */
static enum ocop_status state_answer(struct work *w, const struct id *replica,
                                     const struct replica_info *info)
{
    const char *reason;
    if (info->revoked)
        return err_set(&w->err, OCOP_EREVOKED, "this device was revoked");
    enum ocop_status st = device_reason(w->r, replica, &w->arena, &reason, &w->err);
    if (st != OCOP_OK)
        return st;
    return err_set(
        &w->err, OCOP_ESUSPENDED,
        "the office suspended this device (%.*s); what is recorded waits on it until the "
        "office lets it go on: ask there",
        (int)text_cut(reason, REASON_SHOWN_MAX), reason);
}

/* What it pushed is answered; nothing else is told to it but that it shall wipe its store, until it
 * says that it has. */
static enum ocop_status wipe_answer(struct work *w, const struct id *replica,
                                    const struct replica_info *info,
                                    const Ocop__Sync__SyncRequest *in, Ocop__Sync__SyncReply *reply)
{
    const char *reason;
    enum ocop_status st = device_reason(w->r, replica, &w->arena, &reason, &w->err);
    if (st == OCOP_OK && in->wiped && info->state != DEVICE_WIPED)
        st = device_state_set(w->r, w->keys, replica, DEVICE_WIPED, reason, &w->err);
    if (st != OCOP_OK)
        return st;
    if (in->wiped || info->state == DEVICE_WIPED)
        return err_set(&w->err, OCOP_EWIPED, "this device was wiped");
    Ocop__Sync__Wipe *wipe = take(w, 1, sizeof *wipe);
    if (!wipe)
        return OCOP_ENOMEM;
    ocop__sync__wipe__init(wipe);
    wipe->has_now = wipe->now = info->state == DEVICE_WIPE_NOW;
    wipe->reason = (char *)(uintptr_t)reason;
    reply->wipe = wipe;
    reply->has_acked_seq = 1;
    reply->acked_seq = info->acked_seq;
    return OCOP_OK;
}

/* Only enrolling is for strangers: what they send is not even looked at. */
static enum ocop_status check_sender(struct work *w)
{
    bool known;
    sqlite3_stmt *s = registry_stmt(w->r, SQL_CHANNEL_KNOWN, &w->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, w->sender, CHANNEL_KEY_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(w->r, s, "looking for a device", &known, &w->err);
    sqlite3_reset(s);
    if (st == OCOP_OK && !known)
        st = err_set(&w->err, OCOP_ENOTENROLLED, "this device is not enrolled here");
    return st;
}

/* Are the sets of a request to be taken in? Not those of one that does not know the present
 * lineage: it may have been on its way since before the restore, and its device may have sealed the
 * same changes anew by now. A device that means it sends them again when it has read the reply;
 * only one that is revoked never will. */
static enum ocop_status takes_sets(struct work *w, const struct id *replica,
                                   const Ocop__Sync__SyncRequest *in, bool *takes)
{
    struct replica_info info;
    enum ocop_status st = in->n_sets ? check_sender(w) : OCOP_OK;
    *takes = st == OCOP_OK && in->n_sets > 0;
    if (!*takes || !lineage_differs(w, in))
        return st;
    st = registry_replica(w->r, replica, &info, &w->err);
    *takes = st == OCOP_OK && info.known && info.revoked;
    return st;
}

/* The device shows what the registry before this one had signed of it. */
static enum ocop_status known_again(struct work *w, const Ocop__Sync__SyncRequest *in,
                                    Ocop__Sync__SyncReply *reply)
{
    struct id replica;
    enum ocop_status st = OCOP_OK;
    if (in->held) /* first: it says best from where on its keys hold */
        st = enrol_again(w->r, w->keys, in->held, w->sender, true, &w->arena, &replica, &w->err);
    if (st == OCOP_OK)
        st = enrol_again(w->r, w->keys, in->enrolled, w->sender, false, &w->arena, &replica,
                         &w->err);
    if (st == OCOP_OK && span_eq(id_span(&replica), span_of(in->replica.data, in->replica.len)))
        st = enrolment_of(w->r, w->keys, &replica, &w->arena, &reply->enrolment, &w->err);
    return st;
}

static enum ocop_status sync_answer(struct work *w, const Ocop__Sync__SyncRequest *in)
{
    int64_t now = env_now_ms(w->r->env);
    struct id replica;
    struct replica_info info;
    bool takes;
    Ocop__Sync__SyncReply *reply = take(w, 1, sizeof *reply);
    if (!reply)
        return OCOP_ENOMEM;
    ocop__sync__sync_reply__init(reply);
    w->tell = (struct telling){.r = w->r,
                               .a = &w->arena,
                               .reply = reply,
                               .err = &w->err,
                               .value_room = REPLY_CASE_VALUES_MAX};
    if (!in->has_replica || !id_from(span_of(in->replica.data, in->replica.len), &replica))
        return err_set(&w->err, OCOP_EPROTO, "the request names no replica");
    w->job->replica = replica;
    uint64_t from_seq = 0;
    enum ocop_status st =
        in->enrolled ? known_again(w, in, reply)
        : in->rekey  ? rekey_take(w->r, w->keys, in, w->sender, &w->arena, &from_seq, &w->err)
                     : OCOP_OK;
    reply->has_rekeyed_from = from_seq > 0;
    reply->rekeyed_from = from_seq;
    if (st == OCOP_OK)
        st = takes_sets(w, &replica, in, &takes);
    if (st == OCOP_OK)
        st = reading_of(w, now, &w->tell.reading);
    if (st == OCOP_OK && takes)
        st = push(w, in, now, &replica, reply);
    if (st == OCOP_OK)
        st = registry_replica(w->r, &replica, &info, &w->err);
    if (st != OCOP_OK)
        return st;
    reply->has_server_time_ms = 1;
    reply->server_time_ms = now;
    /* What got through makes a device send twice as much. */
    reply->has_set_bytes = w->job->crowded && w->job->frame.len > CROWD_SET_BYTES / 2;
    reply->set_bytes = CROWD_SET_BYTES;
    reply->has_lineage = !in->has_lineage || lineage_differs(w, in);
    if (reply->has_lineage) /* else it is the one that the device named */
        reply->lineage = copy_bytes(w, w->r->lineage.b, ID_LEN);
    w->reply.sync = reply;
    w->job->outcomes = w->tell.outcomes;
    if (info.known && memcmp(info.channel_key, w->sender, 32) != 0)
        return err_set(&w->err, OCOP_EAUTH, "this replica belongs to another device");
    w->enrolled = info.known;
    if (!info.known)
        return unknown_answer(w, &replica, in, reply);
    hear(w, &replica, in, now);
    if (info.state >= DEVICE_WIPE && info.state <= DEVICE_WIPED)
        return wipe_answer(w, &replica, &info, in, reply);
    if (info.revoked || info.state == DEVICE_SUSPENDED)
        return state_answer(w, &replica, &info);
    return replica_answer(w, &replica, &info, in, reply);
}

static enum ocop_status files_answer(struct work *w)
{
    return blobs_answer(w->r, w->keys, w->sender, w->request->files, &w->arena, &w->reply.files,
                        &w->err);
}

static enum ocop_status enrol(struct work *w)
{
    const Ocop__Sync__EnrolRequest *in = w->request->enrol;
    enum ocop_status st =
        enrol_answer(w->r, w->keys, in, w->sender, &w->arena, &w->reply.enrolment, &w->err);
    return st == OCOP_OK && in->has_root
               ? roots_put(w, in->root, &w->reply.enrolment->roots, &w->reply.enrolment->n_roots)
               : st;
}

/* Whether what was written stands. A refusal may write: a revoked device's set is put aside, and
 * the tries of a used invitation are counted. One that wrote nothing is not rolled back either:
 * that would cost all others what is remembered between requests. */
static bool stands(const struct work *w, enum ocop_status st)
{
    return w->request->enrol
               ? st == OCOP_OK || st == OCOP_ESTATE || st == OCOP_EAUTH || st == OCOP_EREVOKED
               : !is_ours(st);
}

/* One savepoint for the whole answer, enrolment or sync: a request takes effect and is answered
 * so, or leaves nothing for its neighbours to commit. */
static enum ocop_status answer(struct work *w)
{
    enum ocop_status st = w->writes ? registry_savepoint(w->r, &w->err) : OCOP_OK;
    if (st != OCOP_OK)
        return st;
    st = w->request->enrol  ? enrol(w)
         : w->request->sync ? sync_answer(w, w->request->sync)
                            : files_answer(w);
    if (w->writes && w->heard && stands(w, st)) {
        enum ocop_status noted = contact_write(w->r, &w->contact, &w->err);
        st = noted != OCOP_OK ? noted : st;
    }
    if (w->writes && stands(w, st)) {
        enum ocop_status kept = registry_release(w->r, &w->err);
        st = kept != OCOP_OK ? kept : st;
    }
    if (w->writes && !stands(w, st))
        registry_rollback_to(w->r);
    return st;
}

/* --- replying
 * ------------------------------------------------------------------------------------- */

/* Come back in this time or up to twice as long: who was turned away together comes one by one. */
static void reply_busy(struct work *w, uint32_t ms, const char *text)
{
    uint32_t spread;
    env_random(w->r->env, &spread, sizeof spread);
    ocop__sync__reply__init(&w->reply);
    w->job->status = err_set(&w->err, OCOP_EBUSY, "%s", text);
    w->reply.has_retry_after_ms = 1;
    w->reply.retry_after_ms = ms + spread % ms;
}

/* The reply's bytes; what it was made of is given back, since a batch may be of hundreds. */
static void work_pack(struct work *w)
{
    struct job *job = w->job;
    if (is_ours(job->status)) {
        env_log(w->r->env, ENV_ERROR, "failure", "status=%s", err_name(job->status));
        reply_busy(w, BUSY_MS_MIN, "the registry could not store this now; send it again later");
    }
    w->reply.has_code = job->status != OCOP_OK;
    w->reply.code = job->status;
    w->reply.text = job->status != OCOP_OK ? w->err.text : NULL;
    size_t len = ocop__sync__reply__get_packed_size(&w->reply);
    buf_clear(&w->packed);
    if (buf_reserve(&w->packed, len))
        w->packed.len = ocop__sync__reply__pack(&w->reply, w->packed.p);
    else
        env_log(w->r->env, ENV_ERROR, "reply_too_large", "bytes=%zu", len);
    w->request = NULL;
    arena_fini(&w->arena);
}

/* What the reply says, now that it is known whether it is committed. */
static void work_conclude(struct work *w, bool committed)
{
    if (!w->opened || w->job->later)
        return;
    if (!committed) { /* what was read with it was never there either */
        reply_busy(w, BUSY_MS_MIN, "the registry could not commit; send it again later");
        work_pack(w);
    }
    if (w->enrolled)
        peers_note(w->r->peers, w->noise.s.public_key, w->sender, w->noise.ss);
}

/* Any thread: touches nothing but its own work. */
static void work_seal(void *works, size_t i)
{
    struct work *w = (struct work *)works + i;
    if (!w->opened || w->packed.len == 0)
        return;
    if (frame_seal_reply(&w->noise, w->r->env, buf_span(&w->packed), &w->job->reply, NULL) !=
        OCOP_OK)
        buf_clear(&w->job->reply);
    buf_fini(&w->packed);
}

/* How often somebody tried a code that is none; noted now and then, since a try is cheap. */
static enum ocop_status note_guesses(struct registry *r, int64_t now)
{
    struct arena a;
    struct span before;
    char text[64];
    arena_init(&a, KIB(1));
    enum ocop_status st = registry_meta_get(r, "guesses", &a, &before, NULL);
    uint64_t count = st == OCOP_OK && before.len < sizeof text
                         ? strtoull(memcpy(text, before.p, before.len), NULL, 10)
                         : 0;
    snprintf(text, sizeof text, "%" PRIu64 " %" PRId64, count + r->guesses, now);
    st = registry_meta_set(r, "guesses", span_str(text), NULL);
    arena_fini(&a);
    if (st == OCOP_OK) {
        r->guesses = 0;
        r->guesses_noted_ms = now;
    }
    return st;
}

/* The contacts of those that wrote nothing else, in a transaction of their own: who only reads
 * waits for nobody who writes, and is answered on a full disk. A contact that cannot be noted now
 * is noted with the device's next. */
static void note_contacts(struct work *works, size_t count)
{
    struct registry *r = works[0].r;
    enum ocop_status st = OCOP_OK;
    size_t i = 0;
    int64_t now = env_now_ms(r->env);
    bool guessed = r->guesses > 0 &&
                   (now - r->guesses_noted_ms >= GUESSES_EVERY_MS || now < r->guesses_noted_ms);
    while (i < count && (works[i].writes || !works[i].heard))
        i++;
    if (i == count && !guessed)
        return;
    st = registry_begin_soon(r, NULL);
    if (st != OCOP_OK)
        return;
    if (guessed)
        st = note_guesses(r, now);
    for (; st == OCOP_OK && i < count; i++)
        if (!works[i].writes && works[i].heard)
            st = contact_write(r, &works[i].contact, NULL);
    if (st == OCOP_OK)
        st = registry_commit(r, NULL);
    else
        registry_rollback(r);
    if (st != OCOP_OK)
        env_log(r->env, ENV_WARN, "contacts_not_noted", "status=%s", err_name(st));
}

/* All requests in one transaction. */
static void answer_all(struct work *works, size_t count, bool *committed)
{
    struct registry *r = works[0].r;
    bool writes = false;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        writes = writes || works[i].writes;
    struct ocop_error err = {0};
    enum ocop_status st = writes ? registry_begin(r, &err) : registry_begin_read(r, &err);
    for (size_t i = 0; i < count; i++) {
        struct work *w = &works[i];
        if (!w->opened)
            continue;
        bool due = w->job->status == OCOP_OK && !w->job->busy_ms;
        w->job->later = due && bytes > BATCH_REPLY_BYTES_ENOUGH;
        if (w->job->later)
            continue;
        if (due)
            w->job->status = st == OCOP_OK ? answer(w) : st;
        else if (w->job->status == OCOP_OK)
            reply_busy(w, w->job->busy_ms, "the registry serves many devices now; come back later");
        work_pack(w);
        bytes += w->packed.len;
    }
    *committed = st == OCOP_OK && registry_commit(r, &err) == OCOP_OK;
    if (!*committed)
        env_log(r->env, ENV_ERROR, "commit_failed", "status=%s", err_name(err.status));
    if (*committed)
        note_contacts(works, count);
}

static void work_init(struct work *w, struct registry *r, const struct server_keys *keys,
                      struct job *job)
{
    *w = (struct work){
        .r = r, .keys = keys, .channels = keys_live(keys, env_now_ms(r->env)), .job = job};
    arena_init(&w->arena, REQUEST_OPENED_BYTES_MAX);
    buf_init(&w->packed, REPLY_INFLATED_MAX);
    env_random(r->env, w->ephemeral, sizeof w->ephemeral); /* here, so that threads draw nothing */
}

static void work_fini(struct work *w)
{
    sodium_memzero(w->ephemeral, sizeof w->ephemeral);
    noise_fini(&w->noise);
    arena_fini(&w->arena);
    buf_fini(&w->packed);
}

void exchange_batch(struct registry *r, const struct server_keys *keys, struct job *jobs,
                    size_t count)
{
    bool committed = false;
    struct work *works = calloc(count ? count : 1, sizeof *works);
    for (size_t i = 0; i < count; i++) {
        buf_init(&jobs[i].reply, FRAME_BYTES_MAX);
        jobs[i].status = OCOP_ENOMEM;
        jobs[i].later = false;
    }
    if (!works)
        return; /* no answers: the devices send again */
    r->keys = keys;
    for (size_t i = 0; i < count; i++)
        work_init(&works[i], r, keys, &jobs[i]);
    size_t opened = count ? open_all(works, count) : 0;
    crew_begin(r->crew, work_prepare, works, opened);
    if (opened)
        answer_all(works, opened, &committed);
    crew_end(r->crew);
    for (size_t i = 0; i < opened; i++)
        work_conclude(&works[i], committed);
    crew_do(r->crew, work_seal, works, opened);
    for (size_t i = 0; i < count; i++)
        work_fini(&works[i]);
    free(works);
}
