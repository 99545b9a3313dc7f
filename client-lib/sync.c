/* ocop_sync: round trips until nothing is left. The lock is held while a request is made and while
 * a reply is taken, never while waiting. Knows neither SQL nor what a reply means (reply.c). */
#include "sync.h"

#include <inttypes.h>
#include <stdio.h>

#include "device_keys.h"
#include "files.h"
#include "frame.h"
#include "record_api.h"
#include "text.h"
#include "travel.h"

enum { CONNECT_MS = 10000, EXCHANGE_MS = 60000, REQUEST_ROOM = 1024, BUSY_DOUBLINGS = 4 };
enum { DAY_MS = 24 * 3600 * 1000 };

/* Requests are numbered, so that the registry sees which is a replay. The number is stored when a
 * sync begins and with every reply; more than so many requests are never sent in between. */
enum { UNSTORED_MAX = 4 };

/* A decoded page takes some forty times its compressed bytes: this keeps a phone's memory small. */
enum { PAGE_WANTED = 96 * 1024, PAGE_ON_BAD_LINE = 16 * 1024 };

/* What a request says of its store. Its reply is worth nothing to a store that is not so any more.
 */
struct spoken_for {
    struct id replica, lineage;
    uint64_t seq;
    uint8_t cursor[HASH_LEN], channel_key[CHANNEL_KEY_LEN];
    uint8_t next_key[CHANNEL_KEY_LEN]; /* what it is sealed by when it brings new keys */
};

/* One sync, from connecting to the last reply. */
struct run {
    struct ocop_store *s;
    const struct ocop_sync_options *options;
    struct ocop_sync_summary *sum;
    struct link *link;
    struct noise noise;
    struct buf frame, answer;
    struct arena arena;
    size_t set_bytes;        /* of change-sets in the request */
    size_t limit;            /* for them: little until something got through */
    struct spoken_for asked; /* by the request whose reply is next */
    struct spoken_for sent;  /* by the frame */
    int busy_ms;             /* the server is busy and asks to come back after this; 0: it is not */
    int patience_ms;
    bool connected;
    bool more;
    char wipe_reason[OCOP_ERROR_TEXT_MAX];
    bool wipe;        /* ordered, and no change is to be waited for ... */
    bool wipe_now;    /* ... nor a file */
    uint64_t settled; /* files that a wipe waits for in vain */
    bool wiped;       /* it was before; the server may not know yet */
    bool numbered;    /* the number of its first request is stored */
    bool show, shown; /* the certificate: in the next request; in one of this sync */
    bool ahead;       /* the frame was sent already, see run_ahead */
    bool rekeying;    /* the request brings new keys, and is sealed by them */
    bool keep_keys;   /* the server took them not, or cannot: not again in this sync */
    bool force_keys;  /* the server may have them, whatever waits */
};

static bool spent(const struct run *r)
{
    const unsigned most = r->options->max_round_trips;

    return most && r->sum->round_trips >= most;
}

/* --- the request ----------------------------------------------------------------------------- */

/* Seal what is ready until the request is full. *out: the sets to send, in order. */
static enum ocop_status gather(struct run *r, struct sealed_row **out, size_t *count,
                               struct ocop_error *err)
{
    struct ocop_store *s = r->s;
    size_t all;
    bool sealed;

    for (;;) {
        enum ocop_status st = store_sealed_unacked(s, &s->me.replica, REQUEST_SETS_MAX, r->limit,
                                                   &r->arena, out, count, err);
        if (!st)
            st = store_sealed_unacked_count(s, &s->me.replica, &all, err);
        if (st)
            return st;
        r->set_bytes = 0;
        for (size_t i = 0; i < *count; i++)
            r->set_bytes += (*out)[i].set.body.len + SIGNATURE_LEN + 16;
        if ((s->me.rekeying && !r->keep_keys) || all > *count || all >= REQUEST_SETS_MAX ||
            (all > 0 && r->set_bytes + SET_SEALED_BYTES_MIN > r->limit))
            return OCOP_OK;
        st = seal_one(s, &r->arena, &sealed, err);
        if (st || !sealed)
            return st;
    }
}

static ProtobufCBinaryData bytes_of(const void *p, size_t len)
{
    /* protobuf-c takes what it only reads as not const. */
    union {
        const void *in;
        uint8_t *out;
    } u = {p};

    return (ProtobufCBinaryData){len, u.out};
}

static enum ocop_status put_sets(struct run *r, Ocop__Sync__SyncRequest *sync,
                                 struct ocop_error *err)
{
    struct sealed_row *rows;
    size_t count;
    enum ocop_status st = gather(r, &rows, &count, err);

    if (st)
        return st;
    sync->sets = arena_calloc(&r->arena, count + 1, sizeof *sync->sets);
    for (size_t i = 0; sync->sets && i < count; i++) {
        Ocop__Sync__Sealed *m = arena_alloc(&r->arena, sizeof *m);
        if (!m)
            return err_nomem(err);
        ocop__sync__sealed__init(m);
        m->has_body = m->has_signature = 1;
        m->body = bytes_of(rows[i].set.body.p, rows[i].set.body.len);
        m->signature = bytes_of(rows[i].set.signature, SIGNATURE_LEN);
        sync->sets[i] = m;
    }
    sync->n_sets = count;
    return sync->sets ? OCOP_OK : err_nomem(err);
}

static enum ocop_status put_cursor(struct run *r, Ocop__Sync__SyncRequest *sync,
                                   struct ocop_error *err)
{
    ProtobufCAllocator allocator = arena_allocator(&r->arena);
    struct span cursor;
    enum ocop_status st = store_meta(r->s, "cursor", &r->arena, &cursor, err);

    if (st || cursor.len == 0)
        return st;
    sync->cursor = ocop__sync__cursor__unpack(&allocator, cursor.len, cursor.p);
    return sync->cursor ? OCOP_OK
                        : err_set(err, OCOP_EDAMAGED, "the store is damaged: its cursor; check it");
}

/* `cursor` as it is stored. */
static void speak_for(const struct identity *me, struct span cursor, struct spoken_for *out)
{
    *out = (struct spoken_for){.replica = me->replica, .lineage = me->lineage, .seq = me->seq};
    hash_bytes(cursor, out->cursor);
    memcpy(out->channel_key, me->channel.public_key, CHANNEL_KEY_LEN);
    memcpy(out->next_key, me->next_channel.public_key, CHANNEL_KEY_LEN);
}

/* With the lock. Everything but the sets and the cursor, and the frame around it. */
static enum ocop_status seal_request(struct run *r, struct arena *a, Ocop__Sync__SyncRequest *sync,
                                     struct ocop_error *err)
{
    struct ocop_store *s = r->s;
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    unsigned count[6];
    uint8_t *packed;
    enum ocop_status st = store_outbox_count(s, count, err);

    if (st)
        return st;
    packed = arena_alloc(a, sync->cursor ? ocop__sync__cursor__get_packed_size(sync->cursor) : 1);
    if (!packed)
        return err_nomem(err);
    speak_for(&s->me,
              span_of(packed, sync->cursor ? ocop__sync__cursor__pack(sync->cursor, packed) : 0),
              &r->sent);
    request.sync = sync;
    sync->has_replica = sync->has_last_seq = sync->has_device_time_ms = sync->has_schema = 1;
    sync->replica = bytes_of(s->me.replica.b, ID_LEN);
    sync->has_lineage = !id_is_zero(&s->me.lineage);
    sync->lineage = bytes_of(s->me.lineage.b, ID_LEN);
    sync->last_seq = s->me.seq;
    sync->device_time_ms = env_now_ms(s->env);
    sync->schema = SCHEMA_VERSION;
    sync->waiting = count[OUTBOX_READY] + count[OUTBOX_SEALED] + count[OUTBOX_WAITING] +
                    (unsigned)s->me.wipe_lost;
    sync->has_waiting = sync->waiting > 0;
    sync->has_exchange = sync->has_program = 1;
    sync->exchange = ++s->me.exchange;
    sync->program = OCOP_VERSION_NUMBER;
    sync->has_certificate = s->me.certificate != 0;
    sync->certificate = s->me.certificate;
    sync->has_root = s->me.root_number > 0;
    sync->root = s->me.root_number;
    sync->has_certificate_day = s->me.certificate_until_ms > 0;
    sync->certificate_day = (uint32_t)(s->me.certificate_until_ms / DAY_MS);
    sync->has_page_bytes = 1;
    sync->page_bytes = s->me.budget < SET_SEALED_BYTES_START ? PAGE_ON_BAD_LINE : PAGE_WANTED;
    packed = arena_alloc(a, ocop__sync__request__get_packed_size(&request));
    if (!packed)
        return err_nomem(err);
    buf_clear(&r->frame);
    noise_fini(&r->noise);
    return frame_seal_request(
        &r->noise, s->env, r->rekeying ? &s->me.next_channel : &s->me.channel, s->me.server_key,
        span_of(packed, ocop__sync__request__pack(&request, packed)), &r->frame, err);
}

static enum ocop_status certificate_read(struct run *r, const char *key, Ocop__Sync__Sealed **out,
                                         struct ocop_error *err)
{
    ProtobufCAllocator allocator = arena_allocator(&r->arena);
    struct span packed;
    enum ocop_status st = store_meta(r->s, key, &r->arena, &packed, err);

    *out = NULL;
    if (st || packed.len == 0)
        return st;
    *out = ocop__sync__sealed__unpack(&allocator, packed.len, packed.p);
    return *out ? OCOP_OK
                : err_set(err, OCOP_EDAMAGED, "the store is damaged: its certificate; check it");
}

/* The one of the oldest replica of this store's line: a registry that knows that one again learns
 * of those that continue it by their sets. Its own beside it, for one that has what it continues,
 * or knows both by other keys. */
static enum ocop_status put_certificate(struct run *r, Ocop__Sync__SyncRequest *sync,
                                        struct ocop_error *err)
{
    enum ocop_status st = certificate_read(r, "certificate", &sync->held, err);

    if (!st)
        st = certificate_read(r, "certificate_first", &sync->enrolled, err);
    if (!st && !sync->enrolled) {
        sync->enrolled = sync->held;
        sync->held = NULL;
    }
    return st;
}

/* Nothing sealed waits, but for what a registry that has the new keys would not take any more. */
static enum ocop_status may_rekey(struct run *r, struct ocop_error *err)
{
    size_t unacked = 0;
    enum ocop_status st = OCOP_OK;

    r->rekeying = r->s->me.rekeying && !r->keep_keys && !r->show;
    if (r->rekeying && !r->force_keys)
        st = store_sealed_unacked_count(r->s, &r->s->me.replica, &unacked, err);
    r->rekeying = r->rekeying && unacked == 0;
    return st;
}

/* With the lock. What is sealed, how far this store has come and who it is are of one moment. */
static enum ocop_status make_request(struct run *r, struct ocop_error *err)
{
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    enum ocop_status st = client_begin(r->s, err);

    if (st)
        return st;
    arena_reset(&r->arena);
    r->set_bytes = 0;
    st = may_rekey(r, err);
    if (!st)
        st = r->show       ? put_certificate(r, &sync, err)
             : r->rekeying ? device_keys_put(r->s, &r->arena, &sync, err)
                           : put_sets(r, &sync, err);
    if (!st)
        st = put_cursor(r, &sync, err);
    if (!st && !r->numbered)
        st = store_meta_set_int(r->s, "exchange", r->s->me.exchange += UNSTORED_MAX, err);
    st = client_end(r->s, st, err);
    r->numbered = r->numbered || !st;
    return st ? st : seal_request(r, &r->arena, &sync, err);
}

static bool nothing_to_push(struct run *r)
{
    unsigned count[6];
    size_t unacked;

    return !store_outbox_count(r->s, count, NULL) && count[OUTBOX_READY] == 0 &&
           !store_sealed_unacked_count(r->s, &r->s->me.replica, &unacked, NULL) && unacked == 0;
}

/* With the lock. Ask for the next page before this one is stored: the line and the server work
 * while this device writes. Only where the next request follows from the reply alone, as it does
 * while a store is filled; what goes wrong here is forgotten, and asked again in its turn. */
static void run_ahead(struct run *r, const Ocop__Sync__SyncReply *reply)
{
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    struct id *lineage = &r->s->me.lineage;
    struct arena a;

    if (r->options->send_only || r->rekeying || reply->rekey || !r->link->start || !reply->more ||
        !reply->cursor || reply->reread || reply->n_sets || reply->n_known || reply->fork_seq ||
        reply->enrolment || spent(r) || !nothing_to_push(r) ||
        (reply->has_lineage &&
         !span_eq(span_of(reply->lineage.data, reply->lineage.len), id_span(lineage))))
        return;
    arena_init(&a, KIB(64));
    sync.cursor = reply->cursor;
    r->set_bytes = 0;
    r->ahead = seal_request(r, &a, &sync, NULL) == OCOP_OK &&
               r->link->start(r->link, buf_span(&r->frame), NULL) == OCOP_OK;
    arena_fini(&a);
}

/* --- the reply ------------------------------------------------------------------------------- */

/* What befell the server's own machine; here the same status would speak of this device. */
static bool of_the_server(uint32_t code)
{
    return code == OCOP_EDB || code == OCOP_ENOMEM || code == OCOP_EIO || code == OCOP_EBROKEN ||
           code == OCOP_EDAMAGED || code == OCOP_ECANCELLED;
}

enum ocop_status sync_reply_status(const Ocop__Sync__Reply *reply, struct ocop_error *err)
{
    const char *text = reply->text && *reply->text ? reply->text : "the server gave no reason";

    if (reply->code == OCOP_OK)
        return OCOP_OK;
    if (reply->code > OCOP_EWIPED)
        return err_set(err, OCOP_EVERSION, "the server refused with code %u: %.200s", reply->code,
                       text);
    if (of_the_server(reply->code))
        return err_set(err, OCOP_EBUSY,
                       "the server has trouble of its own, sync again later; it says: %.200s",
                       text);
    return err_set(err, (enum ocop_status)reply->code, "the server says: %.240s", text);
}

/* What got through may be larger next time, but for what a server asks that serves many. */
static enum ocop_status adapt(struct ocop_store *s, bool got_through, uint32_t most,
                              struct ocop_error *err)
{
    uint64_t old = s->me.budget;
    uint64_t budget = got_through ? old * 2 : old / 2;

    if (most && budget > most)
        budget = most;
    if (budget < SET_SEALED_BYTES_MIN)
        budget = SET_SEALED_BYTES_MIN;
    if (budget > SET_SEALED_BYTES_MAX)
        budget = SET_SEALED_BYTES_MAX;
    if (budget == old)
        return OCOP_OK;
    s->me.budget = budget;
    return store_meta_set_int(s, "budget", budget, err);
}

/* The office has the say over this device: what it said stays known. */
static enum ocop_status note_state(struct ocop_store *s, enum ocop_status said, const char *text,
                                   struct ocop_error *err)
{
    enum ocop_status st = client_begin(s, err);

    if (st)
        return st;
    st = store_meta_set_int(s, said == OCOP_EREVOKED ? "revoked" : "suspended", 1, err);
    if (!st)
        st = store_meta_set(s, "state_reason", span_str(text), err);
    return client_end(s, st ? st : store_identity(s, err), err);
}

/* A registry that does not know this device may be one that was restored from a backup: it is shown
 * what the one before it had signed. Once in a sync. */
static bool may_show(struct run *r)
{
    if (r->shown || r->s->me.certificate == 0)
        return false;
    r->show = r->shown = r->more = true;
    return true;
}

/* Has the registry the set that this replica continues another behind? */
static bool has_joint(const struct identity *me, const Ocop__Sync__Known *k)
{
    const uint64_t at = k->chain_seq - me->predecessor_seq;

    return span_eq(span_of(k->replica.data, k->replica.len), id_span(&me->predecessor)) &&
           (me->predecessor_seq == 0 || (me->predecessor_seq <= k->chain_seq && at < k->n_chain &&
                                         span_eq(span_of(k->chain[at].data, k->chain[at].len),
                                                 span_of(me->predecessor_hash, HASH_LEN))));
}

/* Was this replica forgotten, and not the one that it continues? The registry is shown the
 * certificate before all is sealed again under another name: a later backup may know this one, and
 * have what it brought. */
static bool forgotten(const struct run *r, const Ocop__Sync__SyncReply *reply)
{
    const struct identity *me = &r->s->me;
    bool continues = false, known = me->seq == 0 || id_is_zero(&me->predecessor);

    for (size_t i = 0; i < reply->n_known; i++) {
        const ProtobufCBinaryData *id = &reply->known[i]->replica;
        known |= span_eq(span_of(id->data, id->len), id_span(&me->replica));
        continues |= has_joint(me, reply->known[i]);
    }
    return continues && !known;
}

/* Another process of this device sealed, was answered, forked or moved the cursor while this one
 * waited: the reply speaks to a store that is no more. It counts as lost. */
static enum ocop_status overtaken(struct run *r, bool *out, struct ocop_error *err)
{
    struct spoken_for now;
    struct span cursor;
    enum ocop_status st = store_meta(r->s, "cursor", &r->arena, &cursor, err);

    speak_for(&r->s->me, cursor, &now);
    *out = memcmp(now.channel_key, r->asked.channel_key, CHANNEL_KEY_LEN) != 0 ||
           !id_eq(&now.replica, &r->asked.replica) || !id_eq(&now.lineage, &r->asked.lineage) ||
           now.seq != r->asked.seq || memcmp(now.cursor, r->asked.cursor, HASH_LEN) != 0;
    return st;
}

/* A moment as it was told, or the nearest that is one: differences must fit. */
static int64_t moment(int64_t told_ms)
{
    const int64_t latest = INT64_C(1) << 52;

    return told_ms < 0 ? 0 : told_ms < latest ? told_ms : latest;
}

/* Inside the transaction: the reply, and what the store notes of every exchange. */
static enum ocop_status take(struct run *r, const Ocop__Sync__SyncReply *reply,
                             struct reply_result *result, struct ocop_error *err)
{
    struct ocop_store *s = r->s;
    int64_t now = env_now_ms(s->env);
    bool lost;
    enum ocop_status st = overtaken(r, &lost, err);

    if (st)
        return st;
    if (lost) {
        result->again = result->progress = true;
        return OCOP_OK;
    }
    st = reply_apply(s, reply, &r->arena, r->sum, result, err);
    r->keep_keys = r->keep_keys || (r->rekeying && !reply->rekeyed_from);
    if (!st && r->set_bytes > 0 && !result->unsealed)
        st = adapt(s, true, reply->set_bytes, err);
    if (!st && s->me.suspended && !result->failed)
        st = store_meta_set_int(s, "suspended", 0, err);
    if (!st)
        st = store_meta_set_int(s, "exchange", s->me.exchange, err);
    if (!st && reply->has_server_time_ms)
        st = store_meta_set_int(s, "skew_ms", (uint64_t)(now - moment(reply->server_time_ms)), err);
    if (!st)
        st = store_meta_set_int(s, "last_sync_ms", (uint64_t)now, err);
    if (!st && !reply->more && !result->again && !s->me.synced)
        st = store_meta_set_int(s, "synced", 1, err);
    return st ? st : store_identity(s, err);
}

static void is_busy(struct run *r, uint32_t ms)
{
    if (ms < BUSY_MS_MIN)
        ms = BUSY_MS_MIN;
    r->busy_ms = ms < 2 * BUSY_MS_MAX ? (int)ms : 2 * BUSY_MS_MAX;
}

/* With the lock. */
static enum ocop_status count_left(struct run *r, unsigned count[6], struct ocop_error *err)
{
    enum ocop_status st = store_outbox_count(r->s, count, err);

    if (!st)
        r->sum->left = count[OUTBOX_READY] + count[OUTBOX_SEALED] + count[OUTBOX_WAITING];
    return st;
}

/* What is left to do after a reply. */
static enum ocop_status look_on(struct run *r, const Ocop__Sync__SyncReply *reply,
                                const struct reply_result *result, struct ocop_error *err)
{
    unsigned count[6];
    size_t unacked;
    enum ocop_status st = count_left(r, count, err);

    if (!st)
        st = store_sealed_unacked_count(r->s, &r->s->me.replica, &unacked, err);
    if (st)
        return st;
    r->more = reply->more || result->again || unacked > 0 || count[OUTBOX_READY] > 0 ||
              (r->s->me.rekeying && !r->keep_keys);
    if (r->options->send_only)
        r->more = result->again || unacked > 0 || count[OUTBOX_READY] > 0;
    r->sum->complete = !r->more;
    r->limit = REQUEST_BYTES_MAX - REQUEST_ROOM;
    if (reply->set_bytes && reply->set_bytes < r->limit)
        r->limit = reply->set_bytes;
    if (reply->wipe && (reply->wipe->now || (unacked == 0 && count[OUTBOX_READY] == 0))) {
        const char *reason = reply->wipe->reason ? reply->wipe->reason : "";
        r->wipe = true;
        r->wipe_now = reply->wipe->now;
        r->more = false;
        (void)snprintf(r->wipe_reason, sizeof r->wipe_reason, "%.*s",
                       (int)text_cut(reason, sizeof r->wipe_reason - 1), reason);
        return OCOP_OK;
    }
    if (result->failed == OCOP_ENOTENROLLED && may_show(r))
        return OCOP_OK;
    if (result->failed)
        return err_set(err, result->failed, "%s", result->text);
    /* What was recorded while the request was on its way goes with the next one; so do new keys. */
    bool unsent =
        r->set_bytes == 0 && (count[OUTBOX_READY] > 0 || (r->s->me.rekeying && !r->rekeying));
    if (!r->more || result->progress || unsent)
        return OCOP_OK;
    is_busy(r, 0);
    return err_set(
        err, OCOP_EBUSY,
        "the server could not take the changes now; they stay on this device, sync again "
        "later");
}

/* The server refused, and has the new keys of this device: one that is revoked or suspended may
 * have had them taken before. Those that the request brought, that is: another process may have
 * learned the same meanwhile, and wait with others. */
static enum ocop_status keys_taken(struct run *r, const Ocop__Sync__SyncReply *reply,
                                   struct ocop_error *err)
{
    enum ocop_status st = client_begin(r->s, err);

    if (st)
        return st;
    if (memcmp(r->s->me.next_channel.public_key, r->asked.next_key, CHANNEL_KEY_LEN) == 0)
        st = reply_take_keys(r->s, reply, &r->arena, err);
    return client_end(r->s, st, err);
}

/* The server refused. By which keys does it know this device? New ones that it does not take are
 * left for another time; it may have them already, by a request whose reply was lost; and another
 * process of this device may have changed them meanwhile. @return there is something to try */
static bool other_keys(struct run *r, enum ocop_status said)
{
    struct ocop_store *s = r->s;

    if (r->rekeying) {
        r->keep_keys = true;
        env_log(s->env, ENV_WARN, "keys_not_taken", "status=%s", err_name(said));
        return true;
    }
    if (said != OCOP_ENOTENROLLED && said != OCOP_EAUTH)
        return false;
    if (client_begin(s, NULL) != OCOP_OK || client_end(s, OCOP_OK, NULL) != OCOP_OK)
        return false;
    if (memcmp(s->me.channel.public_key, r->asked.channel_key, CHANNEL_KEY_LEN) != 0)
        return true;
    if (!s->me.rekeying || r->keep_keys || r->force_keys)
        return false;
    r->force_keys = true;
    return true;
}

/* With the lock. */
static enum ocop_status take_reply(struct run *r, struct ocop_error *err)
{
    struct ocop_store *s = r->s;
    ProtobufCAllocator allocator = arena_allocator(&r->arena);
    struct ocop_sync_summary before = *r->sum;
    struct reply_result result = {0};
    struct ocop_error said = {0};
    struct span message;
    Ocop__Sync__Reply *reply;
    enum ocop_status st;

    arena_reset(&r->arena);
    st = frame_open_reply(&r->noise, buf_span(&r->answer), &r->arena, &message, err);
    if (st)
        return st;
    reply = reply_unpack(message, &allocator);
    if (!reply)
        return r->arena.failed ? err_nomem(err)
                               : err_set(err, OCOP_EPROTO, "the server's reply cannot be read");
    st = sync_reply_status(reply, &said);
    if (st == OCOP_EBUSY)
        is_busy(r, reply->retry_after_ms);
    if (st && r->rekeying && reply->sync && reply->sync->rekeyed_from)
        return keys_taken(r, reply->sync, err);
    if (st && reply->code != OCOP_EBUSY && other_keys(r, st))
        return OCOP_OK;
    if ((st == OCOP_ENOTENROLLED || st == OCOP_EAUTH) && may_show(r))
        return OCOP_OK;
    if ((st == OCOP_EREVOKED || st == OCOP_ESUSPENDED) &&
        note_state(s, st, said.text, NULL) != OCOP_OK)
        env_log(s->env, ENV_WARN, "state_not_noted", "status=%s", err_name(st));
    if (st)
        return err_set(err, st, "%s", said.text);
    r->show = false;
    if (!reply->sync)
        return err_set(err, OCOP_EPROTO, "the server's reply lacks what was asked for");
    if (forgotten(r, reply->sync) && may_show(r))
        return OCOP_OK;
    run_ahead(r, reply->sync);
    st = client_begin(s, err);
    if (st)
        return st;
    st = client_end(s, take(r, reply->sync, &result, err), err);
    if (st) {
        *r->sum = before;
        r->ahead = r->ahead && !store_search_again(s); /* it follows what was not taken */
        return store_search_again(s) ? OCOP_OK : st;   /* and is asked for once more */
    }
    if (r->ahead && (result.again || result.failed)) {
        r->sum->bytes_sent += r->frame.len; /* for nothing: another page follows this one */
        r->ahead = false;
    }
    return look_on(r, reply->sync, &result, err);
}

/* --- round trips ----------------------------------------------------------------------------- */

static enum ocop_status tell(struct run *r, const char *doing, struct ocop_error *err)
{
    const struct ocop_sync_options *o = r->options;

    if (atomic_load(&r->s->cancel) || (o->progress && !o->progress(o->user, r->sum, doing)))
        return err_set(err, OCOP_ECANCELLED,
                       "the sync was cancelled; the next one goes on from here");
    return OCOP_OK;
}

static enum ocop_status round_trip(struct run *r, struct ocop_error *err)
{
    struct ocop_store *s = r->s;
    struct link *l = r->link;
    int timeout = r->options->exchange_timeout_ms ? r->options->exchange_timeout_ms : EXCHANGE_MS;
    bool ahead = r->ahead;
    enum ocop_status st = OCOP_OK;

    r->ahead = false;
    if (!ahead) {
        (void)pthread_mutex_lock(&s->lock);
        st = make_request(r, err);
        (void)pthread_mutex_unlock(&s->lock);
    }
    if (!st)
        st = tell(r, "exchanging", err);
    if (st)
        return st;
    buf_clear(&r->answer);
    r->asked = r->sent;
    st = ahead ? l->finish(l, timeout, &s->cancel, &r->answer, err)
               : l->exchange(l, buf_span(&r->frame), timeout, &s->cancel, &r->answer, err);
    r->sum->bytes_sent += r->frame.len;
    r->sum->bytes_received += r->answer.len;
    (void)pthread_mutex_lock(&s->lock);
    if (!st) {
        r->sum->round_trips++;
        st = take_reply(r, err);
    } else if (st != OCOP_ECANCELLED && r->set_bytes > 0 && client_begin(s, NULL) == OCOP_OK &&
               client_end(s, adapt(s, false, 0, NULL), NULL) != OCOP_OK) {
        env_log(s->env, ENV_WARN, "budget_not_noted", "status=%s", err_name(OCOP_EDB));
    }
    if (s->broken)
        st = err_set(err, OCOP_EBROKEN,
                     "this handle met an error that it cannot undo; open the store again");
    (void)pthread_mutex_unlock(&s->lock);
    return st;
}

/* The server is busy: may it be asked again? The first wait is the server's own, which lets those
 * whom it turns away come one by one; whom it turns away again stays away for longer, by chance, so
 * that they do not stay together. */
static bool come_back(struct run *r, struct ocop_error *err)
{
    struct ocop_sync_summary *sum = r->sum;
    uint32_t spread = 0;
    char text[201];
    int ms = r->busy_ms, more;

    if (!ms)
        return false; /* it was not the server */
    more = ms << (sum->busy < BUSY_DOUBLINGS ? sum->busy : BUSY_DOUBLINGS);
    if (sum->busy)
        env_random(r->s->env, &spread, sizeof spread);
    ms += (int)(spread % (uint32_t)(more < 2 * BUSY_MS_MAX ? more : 2 * BUSY_MS_MAX));
    r->busy_ms = 0;
    sum->retry_after_ms = ms;
    if (!r->link->pause || ms > r->patience_ms || spent(r)) {
        (void)snprintf(text, sizeof text, "%.200s", err ? err->text : "");
        (void)err_set(err, OCOP_EBUSY, "%s (in %d s)", text, ms / 1000);
        return false;
    }
    r->patience_ms -= ms;
    return true;
}

static enum ocop_status wait_busy(struct run *r, struct ocop_error *err)
{
    enum ocop_status st = tell(r, "waiting for the server, which is busy", err);

    if (!st)
        st = r->link->pause(r->link, r->sum->retry_after_ms, &r->s->cancel, err);
    if (st)
        return st;
    r->sum->retry_after_ms = 0;
    r->sum->busy++;
    r->connected = false;
    return OCOP_OK;
}

/* The last word to the server: that nothing is here any more. It counts when the server's answer is
 * authentic; without one it is said again by the next sync. */
static enum ocop_status tell_wiped(struct run *r, struct ocop_error *err)
{
    struct ocop_store *s = r->s;
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    ProtobufCAllocator allocator = arena_allocator(&r->arena);
    int timeout = r->options->exchange_timeout_ms ? r->options->exchange_timeout_ms : EXCHANGE_MS;
    struct span message;
    Ocop__Sync__Reply *reply = NULL;
    enum ocop_status st;

    (void)pthread_mutex_lock(&s->lock);
    arena_reset(&r->arena);
    sync.has_wiped = sync.wiped = 1;
    r->rekeying = false;
    st = store_meta_set_int(s, "exchange", s->me.exchange += UNSTORED_MAX, err);
    if (!st)
        st = seal_request(r, &r->arena, &sync, err);
    (void)pthread_mutex_unlock(&s->lock);
    buf_clear(&r->answer);
    if (!st)
        st = r->link->exchange(r->link, buf_span(&r->frame), timeout, &s->cancel, &r->answer, err);
    (void)pthread_mutex_lock(&s->lock);
    if (!st)
        st = frame_open_reply(&r->noise, buf_span(&r->answer), &r->arena, &message, err);
    if (!st)
        reply = reply_unpack(message, &allocator);
    if (reply && reply->code == OCOP_EWIPED)
        st = store_wipe_told(s, err);
    (void)pthread_mutex_unlock(&s->lock);
    return st;
}

/* With the lock. What was submitted while contents went up makes the sync go round again, where it
 * is told anew what the office wants. Contents had their chance: what the caller's policy or the
 * registry did not let through now waits for another sync. */
static enum ocop_status wipe_waits(struct run *r, const struct wipe_waits *for_what,
                                   struct ocop_error *err)
{
    unsigned count[6];
    enum ocop_status st = count_left(r, count, err);

    r->wipe = r->connected = r->sum->complete = false;
    r->more = for_what->changes;
    if (st || for_what->changes)
        return st;
    return err_set(err, OCOP_EBUSY,
                   "the office wants this store wiped; before that %" PRIu64
                   " files are to be sent, which could not go now: sync again where they may",
                   for_what->files);
}

static enum ocop_status wipe(struct run *r, struct ocop_error *err)
{
    const struct wipe_order order = {r->wipe_reason, r->wipe_now, r->settled};
    struct wipe_waits waits = {.changes = false};
    struct ocop_store *s = r->s;
    enum ocop_status st = OCOP_OK;

    (void)pthread_mutex_lock(&s->lock);
    if (r->wipe)
        st = wipe_store(s, &order, &waits, err);
    if (!st && (waits.changes || waits.files))
        st = wipe_waits(r, &waits, err);
    (void)pthread_mutex_unlock(&s->lock);
    if (st || r->more)
        return st;
    st = tell_wiped(r, NULL);
    if (st)
        env_log(s->env, ENV_WARN, "wipe_not_told", "status=%s", err_name(st));
    (void)pthread_mutex_lock(&s->lock);
    st = wipe_status(s, err);
    (void)pthread_mutex_unlock(&s->lock);
    return st;
}

static int connect_ms(const struct ocop_sync_options *o)
{
    return o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_MS;
}

/* After the records, never before: what names a content is there when it comes. */
static enum ocop_status files(struct run *r, const char *server, struct ocop_error *err)
{
    const struct ocop_sync_options *o = r->options;
    struct travel_options t = {.server = server, .link = r->link, .sync = o, .sum = r->sum};
    enum ocop_status st = OCOP_OK;

    t.up_only = o->send_only || r->wipe;
    t.settled = r->wipe ? &r->settled : NULL;
    r->settled = 0;
    if (o->files == OCOP_FILES_NONE || (o->files == OCOP_FILES_UNMETERED && o->metered))
        return OCOP_OK;
    if (!r->connected && !travel_spent(&t)) {
        st = r->link->connect(r->link, connect_ms(o), &r->s->cancel, err);
        r->connected = true;
    }
    if (!st)
        st = travel_files(r->s, &t, err);
    if (st == OCOP_EBUSY && r->sum->retry_after_ms) /* and not another process of this device */
        is_busy(r, (uint32_t)r->sum->retry_after_ms);
    return st;
}

static enum ocop_status round_trips(struct run *r, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    while (!st && r->more && !spent(r)) {
        if (!r->connected)
            st = r->link->connect(r->link, connect_ms(r->options), &r->s->cancel, err);
        r->connected = true;
        if (!st)
            st = round_trip(r, err);
        if (st == OCOP_EBUSY && come_back(r, err))
            st = wait_busy(r, err);
    }
    return st;
}

/* Contents may have gone up for minutes, and the officer has gone on working. Whatever came of
 * them, what the summary says is true when the sync ends. */
static enum ocop_status count_again(struct run *r, enum ocop_status st, struct ocop_error *err)
{
    unsigned count[6];
    enum ocop_status counted;

    (void)pthread_mutex_lock(&r->s->lock);
    counted = count_left(r, count, st ? NULL : err);
    (void)pthread_mutex_unlock(&r->s->lock);
    if (!counted && count[OUTBOX_READY] + count[OUTBOX_SEALED] > 0)
        r->sum->complete = false;
    return st ? st : counted;
}

/* Records, then contents, then the wipe that waited for both. */
static enum ocop_status go_round(struct run *r, const char *server, struct ocop_error *err)
{
    enum ocop_status st = round_trips(r, err);

    for (bool again = true; !st && again && !r->more && !r->wipe_now && !r->wiped;) {
        st = files(r, server, err);
        again = st == OCOP_EBUSY && come_back(r, err);
        if (again)
            st = wait_busy(r, err);
    }
    if (!r->more && !r->wiped)
        st = count_again(r, st, err);
    if (!st && r->wiped)
        st = r->link->connect(r->link, connect_ms(r->options), &r->s->cancel, err);
    if (!st && (r->wipe || r->wiped))
        st = wipe(r, err);
    return st;
}

/* Without the lock; `busy` is set. */
static enum ocop_status exchange(struct run *r, const char *server, struct ocop_error *err)
{
    enum ocop_status st = tell(r, "connecting", err);

    (void)pthread_mutex_lock(&r->s->lock);
    if (!st)
        st = wipe_finish(r->s, err); /* before the server is told that it is done */
    r->sum->complete =
        r->options->send_only && !r->wiped && nothing_to_push(r) && !travel_waits(r->s);
    (void)pthread_mutex_unlock(&r->s->lock);
    if (st || r->sum->complete)
        return st;
    if (!st)
        st = client_link(r->s, server, &r->link, err);
    r->more = !r->wiped;
    for (bool again = true; !st && again; again = r->more && !spent(r))
        st = go_round(r, server, err);
    client_unlink(r->s, r->link);
    return st;
}

static enum ocop_status begin(struct ocop_store *s, char server[256], size_t *limit, unsigned *left,
                              bool *wiped, struct ocop_error *err)
{
    struct store_counts counts;
    enum ocop_status st = client_read(s, err);

    if (st)
        return st;
    if (s->me.wiped == WIPED_TOLD)
        st = wipe_status(s, err);
    else if (!s->me.enrolled && !s->me.wiped)
        st = err_set(err, OCOP_ENOTENROLLED,
                     "this store is not enrolled; enrol it with an invitation first");
    if (!st)
        st = store_counts(s, &counts, err);
    if (!st) {
        *left = counts.waiting;
        st = client_begin_exchange(s, err);
    }
    memcpy(server, s->me.server, sizeof s->me.server);
    *limit = (size_t)s->me.budget;
    *wiped = s->me.wiped != WIPED_NOT;
    client_read_end(s);
    return st;
}

enum ocop_status ocop_sync(struct ocop_store *s, const struct ocop_sync_options *options,
                           struct ocop_sync_summary *summary, struct ocop_error *err)
{
    static const struct ocop_sync_options none = {0};
    struct ocop_sync_summary mine;
    struct run r = {.s = s, .options = options ? options : &none};
    char server[256];
    enum ocop_status st;

    r.sum = summary ? summary : &mine;
    memset(r.sum, 0, sizeof *r.sum);
    r.patience_ms = r.options->patience_ms;
    st = begin(s, server, &r.limit, &r.sum->left, &r.wiped, err);
    if (st)
        return st;
    buf_init(&r.frame, FRAME_BYTES_MAX);
    buf_init(&r.answer, FRAME_BYTES_MAX);
    arena_init(&r.arena, ARENA_REQUEST_MAX);
    st = exchange(&r, server, err);
    files_follow(s, r.sum->departed + r.sum->pushed + r.sum->pulled + r.sum->files_sent > 0);
    (void)pthread_mutex_lock(&s->lock);
    device_codes_forget(s);
    device_scope_forget(s);
    client_end_exchange(s); /* who waits to close the store does so now: it is touched no more */
    (void)pthread_mutex_unlock(&s->lock);
    noise_fini(&r.noise);
    buf_fini(&r.frame);
    buf_fini(&r.answer);
    arena_fini(&r.arena);
    return st;
}
