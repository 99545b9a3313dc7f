/* What one device is told: its change-sets are taken in, then it hears what came of them, what is
 * new in its scope, and what the office decided about the device itself. */
#include "answer.h"

#include <stdio.h>

#include "blobs.h"
#include "bounds.h"
#include "cache.h"
#include "certificate.h"
#include "enrol.h"
#include "feed.h"
#include "frame.h"
#include "ingest.h"
#include "known.h"
#include "registry_stmts.h"
#include "rekey.h"
#include "rights.h"
#include "states.h"
#include "text.h"

enum { REASON_SHOWN_MAX = 120 };

bool answer_failed(enum ocop_status st)
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
        if (registry_rolled_back(w->r) || (first && !never) ||
            (!answer_failed(st) && st != OCOP_ELIMIT))
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
    const uint64_t moved = w->r->moved;
    enum ocop_status st = OCOP_OK;
    reply->sets = take(w, in->n_sets, sizeof *reply->sets);
    if (!reply->sets)
        return OCOP_ENOMEM;
    if (in->n_sets > REQUEST_SETS_MAX)
        return err_set(&w->err, OCOP_ELIMIT, "more than %d change-sets in one request",
                       REQUEST_SETS_MAX);
    for (size_t i = 0; st == OCOP_OK && i < in->n_sets; i++) {
        struct set_result result;
        if (tell_enough(&w->tell) || w->r->moved - moved >= MOVED_ENOUGH)
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

/* The officer of the newest of the sender's replicas: of whom one is that is not known yet. */
static enum ocop_status officer_of_sender(struct work *w, struct id *officer)
{
    bool row;
    sqlite3_stmt *s = registry_stmt(w->r, SQL_OFFICER_OF_CHANNEL, &w->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, w->sender, CHANNEL_KEY_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(w->r, s, "looking for a device's officer", &row, &w->err);
    if (st == OCOP_OK && row)
        id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)), officer);
    sqlite3_reset(s);
    return st;
}

/* What the officer of the sender's device may read today. A stranger, who is to be told of nothing,
 * has no roles. */
static enum ocop_status reading_of(struct work *w, const struct id *replica, int64_t now,
                                   unsigned *out)
{
    struct replica_info info;
    struct id officer = {{0}};
    unsigned roles = 0;
    enum ocop_status st = registry_replica(w->r, replica, &info, &w->err);
    if (st == OCOP_OK && info.known && memcmp(info.channel_key, w->sender, CHANNEL_KEY_LEN) == 0)
        officer = info.officer;
    else if (st == OCOP_OK)
        st = officer_of_sender(w, &officer);
    if (st == OCOP_OK && !id_is_zero(&officer))
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
enum ocop_status answer_roots(struct work *w, uint64_t trusted, Ocop__Sync__RootKey ***out,
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
        st = answer_roots(w, in->root, &reply->roots, &reply->n_roots);
    if (st == OCOP_OK)
        st = channel_put(w, reply);
    if (st == OCOP_OK)
        st = pull(w, replica, info, in, reply);
    if (st == OCOP_OK)
        st = rekey_put(w->r, w->keys, replica, info, &w->arena, reply, &w->err);
    if (st == OCOP_OK)
        st = blobs_wanted(w->r, replica, info, w->tell.reading, &w->arena, reply, &w->err);
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

/* It hears all the same what came of new keys that were taken before; and one that may go on some
 * day gets the certificate by which another registry would know them. */
static enum ocop_status held_back(struct work *w, const struct id *replica,
                                  const struct replica_info *info, Ocop__Sync__SyncReply *reply)
{
    enum ocop_status st = OCOP_OK;
    if (reply->rekeyed_from)
        st = rekey_put(w->r, w->keys, replica, info, &w->arena, reply, &w->err);
    if (st == OCOP_OK && reply->rekeyed_from && !info->revoked)
        st = certificate_make(w->r, w->keys, replica, &w->arena, &reply->certificate, &w->err);
    return st == OCOP_OK ? state_answer(w, replica, info) : st;
}

/* Whose keys are revoked learns no more of what was sent by them under any name. Whose are
 * suspended waits under the name that it has: what it sends under another one could come late, when
 * it goes on, and be taken twice. */
static enum ocop_status check_goes_on(struct work *w)
{
    struct replica_info info;
    struct id id = {{0}};
    bool row;
    sqlite3_stmt *s = registry_stmt(w->r, SQL_KEY_STOPPED, &w->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, w->sender, CHANNEL_KEY_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(w->r, s, "looking who may not go on", &row, &w->err);
    if (st == OCOP_OK && row)
        (void)id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)), &id);
    sqlite3_reset(s);
    if (st == OCOP_OK && row)
        st = registry_replica(w->r, &id, &info, &w->err);
    return st == OCOP_OK && row ? state_answer(w, &id, &info) : st;
}

/* A replica that is not here, though another of its device may be: a restore lost it. */
static enum ocop_status unknown_answer(struct work *w, const struct id *replica,
                                       const Ocop__Sync__SyncRequest *in,
                                       Ocop__Sync__SyncReply *reply)
{
    enum ocop_status st = lineage_differs(w, in) ? lineages_put(w, reply) : OCOP_OK;
    if (st == OCOP_OK)
        st = check_goes_on(w);
    if (st == OCOP_OK)
        st = known_put(w->r, w->sender, replica, in->last_seq, &w->arena, reply, &w->err);
    if (st == OCOP_OK && reply->n_known == 0 && reply->n_sets == 0)
        st = err_set(&w->err, OCOP_ENOTENROLLED, "this device is not enrolled here");
    return st;
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

/* A certificate that does not count says nothing against the device; that it was revoked does. */
static bool not_counted(enum ocop_status st)
{
    return st == OCOP_ENOTENROLLED || st == OCOP_EAUTH || st == OCOP_EPROTO;
}

/* Does it matter that the certificate of the device's line does not count? Not where its keys are
 * known: it hears what is here of it, as without one. */
static enum ocop_status goes_without(struct work *w, enum ocop_status why)
{
    const struct ocop_error said = w->err;
    enum ocop_status st = check_sender(w);
    if (st != OCOP_ENOTENROLLED)
        return st;
    w->err = said;
    return why;
}

/* The device shows what the registry before this one had signed of it. */
static enum ocop_status known_again(struct work *w, const Ocop__Sync__SyncRequest *in,
                                    Ocop__Sync__SyncReply *reply)
{
    static const struct id none;
    struct id held = none, first = none;
    const struct span own = span_of(in->replica.data, in->replica.len);
    enum ocop_status st = OCOP_OK;
    if (in->held) /* first: it says best from where on its keys hold */
        st = enrol_again(w->r, w->keys, in->held, w->sender, true, &w->arena, &held, &w->err);
    if (not_counted(st)) {
        held = none;
        st = OCOP_OK;
    }
    if (st == OCOP_OK)
        st = enrol_again(w->r, w->keys, in->enrolled, w->sender, false, &w->arena, &first, &w->err);
    if (not_counted(st)) {
        first = none;
        st = goes_without(w, st);
    }
    if (st == OCOP_OK && (span_eq(id_span(&held), own) || span_eq(id_span(&first), own)))
        st = enrolment_of(w->r, w->keys, span_eq(id_span(&held), own) ? &held : &first, &w->arena,
                          &reply->enrolment, &w->err);
    return st;
}

enum ocop_status answer_sync(struct work *w, const Ocop__Sync__SyncRequest *in)
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
        st = reading_of(w, &replica, now, &w->tell.reading);
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
        return held_back(w, &replica, &info, reply);
    return replica_answer(w, &replica, &info, in, reply);
}
