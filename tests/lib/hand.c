#include "hand.h"

#include "test.h"

#include "bounds.h"

void hand_must(enum ocop_status st, const struct ocop_error *err)
{
    if (st != OCOP_OK)
        fail_msg("%s %s: %s", err_name(st), err->field, err->text);
}

/* Seal a request's bytes into a frame, in the world's arena. */
struct span hand_frame(struct world *w, struct hand *h, struct noise *n, struct span message)
{
    struct ocop_error err = {0};
    struct buf frame;
    buf_init(&frame, FRAME_BYTES_MAX);
    hand_must(frame_seal_request(n, env_system(), &h->channel, w->keys.channel[0].public_key,
                                 message, &frame, &err),
              &err);
    struct span out = span_of(arena_dup(&w->arena, frame.p, frame.len), frame.len);
    buf_fini(&frame);
    return out;
}

/* The reply lies in `a`; NULL when there was none. */
Ocop__Sync__Reply *hand_ask(struct world *w, struct hand *h, const Ocop__Sync__Request *request,
                            struct arena *a)
{
    struct noise n;
    struct span message;
    struct ocop_error err = {0};
    uint8_t *packed = arena_alloc(&w->arena, ocop__sync__request__get_packed_size(request) + 1);
    assert_non_null(packed);
    size_t len = ocop__sync__request__pack(request, packed);
    struct job job = {.frame = hand_frame(w, h, &n, span_of(packed, len))};
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_true(job.reply.len > 0);
    hand_must(frame_open_reply(&n, buf_span(&job.reply), a, &message, &err), &err);
    ProtobufCAllocator from_arena = arena_allocator(a);
    Ocop__Sync__Reply *reply = ocop__sync__reply__unpack(&from_arena, message.len, message.p);
    assert_non_null(reply);
    assert_int_equal(reply->code, job.status);
    buf_fini(&job.reply);
    noise_fini(&n);
    return reply;
}

void hand_new(struct world *w, struct hand *h, struct id officer)
{
    memset(h, 0, sizeof *h);
    channel_key_new(&h->channel, env_system());
    sign_key_new(&h->sign, env_system());
    h->replica = id_next(&w->registry->ids, env_system());
    h->officer = officer;
}

void hand_invite(struct world *w, struct hand *h, struct invitation *inv)
{
    struct ocop_error err = {0};
    const char *code;
    struct invitation_terms terms = {.officer = h->officer,
                                     .scope = &w->commune,
                                     .scope_count = 1,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = env_now_ms(env_system()) + 600000};
    hand_must(registry_begin(w->registry, &err), &err);
    hand_must(invite_make(w->registry, &w->keys, &terms, &w->arena, &code, &err), &err);
    hand_must(registry_commit(w->registry, &err), &err);
    hand_must(invitation_decode(code, inv, &err), &err);
}

Ocop__Sync__Reply *hand_redeem(struct world *w, struct hand *h, struct invitation *inv)
{
    Ocop__Sync__EnrolRequest enrol = OCOP__SYNC__ENROL_REQUEST__INIT;
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    request.enrol = &enrol;
    enrol.has_token = enrol.has_replica = enrol.has_sign_key = 1;
    enrol.token = (ProtobufCBinaryData){inv->token_len, inv->token};
    enrol.replica = (ProtobufCBinaryData){ID_LEN, h->replica.b};
    enrol.sign_key = (ProtobufCBinaryData){SIGN_PUBLIC_LEN, h->sign.public_key};
    return hand_ask(w, h, &request, &w->arena);
}

/* A device of the officer of the world's device `n`, enrolled for the first commune. */
void hand_enrol(struct world *w, struct hand *h, unsigned n)
{
    world_enrol(w, n);
    hand_new(w, h, w->officers[n]);
    hand_invite(w, h, &h->invitation);
    assert_int_equal(hand_redeem(w, h, &h->invitation)->code, OCOP_OK);
}

Ocop__Sync__Sealed *hand_seal(struct world *w, struct hand *h, struct change *changes, size_t count)
{
    struct ocop_error err = {0};
    struct sealed sealed;
    struct change_set set = {.replica = h->replica,
                             .seq = h->seq + 1,
                             .schema = 1,
                             .lineage = w->registry->lineage,
                             .changes = {changes, count}};
    memcpy(set.prev_hash, h->prev, HASH_LEN);
    hand_must(changeset_seal(&set, &h->sign, &w->arena, &sealed, &err), &err);
    assert_true(sealed.body.len <= SET_SEALED_BYTES_MAX);
    h->seq = set.seq;
    memcpy(h->prev, set.hash, HASH_LEN);
    Ocop__Sync__Sealed *out = arena_alloc(&w->arena, sizeof *out);
    assert_non_null(out);
    ocop__sync__sealed__init(out);
    out->has_body = out->has_signature = 1;
    out->body = (ProtobufCBinaryData){sealed.body.len, (uint8_t *)(uintptr_t)sealed.body.p};
    out->signature = (ProtobufCBinaryData){
        SIGNATURE_LEN, (uint8_t *)arena_dup(&w->arena, sealed.signature, SIGNATURE_LEN)};
    return out;
}

Ocop__Sync__Reply *hand_sync(struct world *w, struct hand *h, Ocop__Sync__Sealed **sets,
                             size_t count, Ocop__Sync__Cursor *cursor)
{
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    request.sync = &sync;
    sync.has_replica = 1;
    sync.replica = (ProtobufCBinaryData){ID_LEN, h->replica.b};
    sync.n_sets = count;
    sync.sets = sets;
    sync.cursor = cursor;
    return hand_ask(w, h, &request, &w->arena);
}

/* Push one set that must be accepted. */
Ocop__Sync__SyncReply *hand_push(struct world *w, struct hand *h, struct change *changes,
                                 size_t count)
{
    Ocop__Sync__Sealed *set = hand_seal(w, h, changes, count);
    Ocop__Sync__Reply *reply = hand_sync(w, h, &set, 1, NULL);
    if (reply->code != OCOP_OK)
        fail_msg("%s %s", err_name(reply->code), reply->text);
    assert_int_equal(reply->sync->n_sets, 1);
    assert_int_equal(reply->sync->sets[0]->code, SET_ACCEPTED);
    return reply->sync;
}

struct field hand_text(uint32_t number, const char *s)
{
    return (struct field){
        .number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = span_str(s)};
}

struct field hand_ref(uint32_t number, const struct id *id)
{
    return (struct field){
        .number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = id_span(id)};
}

void *hand_many(struct world *w, size_t count, size_t size)
{
    void *p = arena_calloc(&w->arena, count, size);
    assert_non_null(p);
    return p;
}

struct change hand_change(struct hand *h, uint32_t kind, enum verb verb, struct id id,
                          struct field *v, size_t count)
{
    return (struct change){.kind = kind,
                           .verb = (uint8_t)verb,
                           .record = id,
                           .author = h->officer,
                           .reason = span_str(verb == VERB_CREATE ? "" : "xem lại"),
                           .fields = {v, count}};
}
