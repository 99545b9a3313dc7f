/* One request about files and its reply, as messages. Knows neither what they hold nor what becomes
 * of it. */
#include "frame.h"
#include "travel.h"

enum { EXCHANGE_MS = 60000 };

enum ocop_status travel_seal(struct ocop_store *s, Ocop__Sync__FilesRequest *files, struct arena *a,
                             struct noise *noise, struct buf *frame, struct ocop_error *err)
{
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    struct id replica;
    uint8_t *packed;
    enum ocop_status st = client_enter(s, err);

    if (st)
        return st;
    replica = s->me.replica;
    files->has_replica = 1;
    files->replica = (ProtobufCBinaryData){ID_LEN, replica.b};
    request.files = files;
    packed = arena_alloc(a, ocop__sync__request__get_packed_size(&request));
    buf_clear(frame);
    noise_fini(noise);
    st = packed ? frame_seal_request(noise, s->env, &s->me.channel, s->me.server_key,
                                     span_of(packed, ocop__sync__request__pack(&request, packed)),
                                     frame, err)
                : err_nomem(err);
    client_leave(s);
    return st;
}

enum ocop_status travel_opened(const struct travel_options *o, struct noise *noise,
                               struct span answer, struct arena *a, Ocop__Sync__FilesReply **out,
                               struct ocop_error *err)
{
    ProtobufCAllocator allocator = arena_allocator(a);
    struct span message;
    Ocop__Sync__Reply *reply = NULL;
    enum ocop_status st = frame_open_reply(noise, answer, a, &message, err);

    if (!st)
        reply = reply_unpack(message, &allocator);
    if (st)
        return st;
    if (!reply)
        return a->failed ? err_nomem(err)
                         : err_set(err, OCOP_EPROTO, "the server's reply cannot be read");
    st = sync_reply_status(reply, err);
    if (st == OCOP_EBUSY)
        o->sum->retry_after_ms = (int)(reply->retry_after_ms & INT32_MAX);
    if (st)
        return st;
    if (!reply->files)
        return err_set(err, OCOP_EPROTO, "the server's reply lacks what was asked for");
    *out = reply->files;
    return OCOP_OK;
}

int travel_timeout_ms(const struct travel_options *o)
{
    return o->sync->exchange_timeout_ms ? o->sync->exchange_timeout_ms : EXCHANGE_MS;
}

enum ocop_status travel_tell(struct ocop_store *s, const struct travel_options *t,
                             const char *doing, struct ocop_error *err)
{
    const struct ocop_sync_options *o = t->sync;

    if (atomic_load(&s->cancel) || (o->progress && !o->progress(o->user, t->sum, doing)))
        return err_set(err, OCOP_ECANCELLED,
                       "the sync was cancelled; the next one goes on from here");
    return OCOP_OK;
}
