/* The server's core: request bytes in, reply bytes out. Requests that arrive together share one
 * transaction; each has its savepoint, and no reply is written before the commit. What needs no
 * database may be done by a crew of threads. Knows no socket. */
#include "exchange.h"

#include <inttypes.h>
#include <stdlib.h>

#include <sodium.h>

#include "answer.h"
#include "blobs.h"
#include "bounds.h"
#include "crew.h"
#include "enrol.h"
#include "frame.h"
#include "packed.h"
#include "peers.h"
#include "registry_stmts.h"

enum { GUESSES_EVERY_MS = 10000 };

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
    if (!w->request && w->arena.failed)
        w->job->status = err_nomem(&w->err); /* nobody's fault but ours */
    else if (!w->request || (!w->request->enrol && !w->request->sync && !w->request->files))
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
               ? answer_roots(w, in->root, &w->reply.enrolment->roots, &w->reply.enrolment->n_roots)
               : st;
}

/* Whether what was written stands. A refusal may write: a revoked device's set is put aside, and
 * the tries of a used invitation are counted. One that wrote nothing is not rolled back either:
 * that would cost all others what is remembered between requests. */
static bool stands(const struct work *w, enum ocop_status st)
{
    return w->request->enrol
               ? st == OCOP_OK || st == OCOP_ESTATE || st == OCOP_EAUTH || st == OCOP_EREVOKED
               : !answer_failed(st);
}

/* One savepoint for the whole answer, enrolment or sync: a request takes effect and is answered
 * so, or leaves nothing for its neighbours to commit. */
static enum ocop_status answer(struct work *w)
{
    enum ocop_status st = w->writes ? registry_savepoint(w->r, &w->err) : OCOP_OK;
    if (st != OCOP_OK)
        return st;
    st = w->request->enrol  ? enrol(w)
         : w->request->sync ? answer_sync(w, w->request->sync)
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
    if (answer_failed(job->status)) {
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
    const uint64_t hashed = r->hashed, moved = r->moved;
    for (size_t i = 0; i < count; i++)
        writes = writes || works[i].writes;
    struct ocop_error err = {0};
    enum ocop_status st = writes ? registry_begin(r, &err) : registry_begin_read(r, &err);
    for (size_t i = 0; i < count; i++) {
        struct work *w = &works[i];
        if (!w->opened)
            continue;
        bool due = w->job->status == OCOP_OK && !w->job->busy_ms;
        w->job->later = due && (bytes > BATCH_REPLY_BYTES_ENOUGH ||
                                (w->request->files && r->hashed - hashed >= FILES_HASHED_ENOUGH) ||
                                (w->writes && r->moved - moved >= MOVED_ENOUGH));
        if (w->job->later)
            continue;
        const uint64_t before = r->hashed, lay = r->moved;
        if (due)
            w->job->status = st == OCOP_OK ? answer(w) : st;
        else if (w->job->status == OCOP_OK)
            reply_busy(w, w->job->busy_ms, "the registry serves many devices now; come back later");
        w->job->hashed = r->hashed - before;
        w->job->moved = r->moved - lay;
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
