/* Frames: the channel, its limits and its compression in one nanomsg message. Knows no protobuf,
 * no socket and not what a message means. */
#include "frame.h"

#include <sodium.h>

#include "bounds.h"

enum {
    KIND_SEALED = 0,
    KIND_UNKNOWN_KEY = 1,
    FLAG_PLAIN = 0,
    FLAG_ZLIB = 1,
    REQUEST_HEADER = 1 + FRAME_KEY_ID_LEN,
    REPLY_HEADER = 2,
    PART_HEADER = 2, /* the length of a Noise message inside a reply */
    PART_PLAIN_MAX = NOISE_MESSAGE_MAX - NOISE_TAG_LEN,
    FIRST_PLAIN_MAX = NOISE_MESSAGE_MAX - NOISE_MSG2_OVERHEAD,
    DEFLATE_LEVEL = 6,
    DEFLATE_BYTES_MIN = 48 /* below this zlib's own 6 bytes and its block header never pay */
};

#define PARTS_MAX (REPLY_BYTES_MAX / PART_PLAIN_MAX + 2)

_Static_assert(REQUEST_BYTES_MAX + 1 + NOISE_MSG1_OVERHEAD == NOISE_MESSAGE_MAX,
               "a full request fills one Noise message");
_Static_assert(REPLY_HEADER + REPLY_BYTES_MAX + 1 + NOISE_MSG2_OVERHEAD +
                       PARTS_MAX * (NOISE_TAG_LEN + PART_HEADER) <=
                   FRAME_BYTES_MAX,
               "a full reply fits a frame");

void frame_key_id(const uint8_t public_key[CHANNEL_KEY_LEN], uint8_t out[FRAME_KEY_ID_LEN])
{
    uint8_t hash[crypto_generichash_BYTES];

    crypto_generichash(hash, sizeof hash, public_key, CHANNEL_KEY_LEN, NULL, 0);
    memcpy(out, hash, FRAME_KEY_ID_LEN);
}

/* --- payloads --- */

/* Why `out` has no room for `more` bytes. */
static enum ocop_status buf_fault(const struct buf *out, size_t more, struct ocop_error *err)
{
    if (more > out->cap || out->len > out->cap - more)
        return err_set(err, OCOP_ELIMIT, "the frame passes the %zu bytes there is room for",
                       out->cap);
    return err_nomem(err);
}

/* The flag byte and the message behind it, deflated where that is smaller. */
static enum ocop_status pack(struct span message, size_t inflated_max, size_t packed_max,
                             struct buf *out, struct ocop_error *err)
{
    enum ocop_status st;

    if (message.len > inflated_max)
        return err_set(err, OCOP_ELIMIT, "message of %zu bytes, limit %zu; send it in parts",
                       message.len, inflated_max);
    if (message.len >= DEFLATE_BYTES_MIN) {
        buf_byte(out, FLAG_ZLIB);
        st = zip_deflate(message, DEFLATE_LEVEL, out, err);
        if (st)
            return st;
        if (out->len <= message.len && out->len - 1 <= packed_max)
            return OCOP_OK;
        buf_clear(out);
    }
    if (message.len > packed_max)
        return err_set(err, OCOP_ELIMIT,
                       "message of %zu bytes does not compress to %zu; send it in parts",
                       message.len, packed_max);
    buf_byte(out, FLAG_PLAIN);
    buf_put(out, message.p, message.len);
    return out->failed ? err_nomem(err) : OCOP_OK;
}

static enum ocop_status unpack(struct span payload, size_t inflated_max, struct arena *a,
                               struct span *message, struct ocop_error *err)
{
    if (payload.len == 0)
        return err_set(err, OCOP_EPROTO, "a payload without its flag byte");
    struct span body = span_of(payload.p + 1, payload.len - 1);
    switch (payload.p[0]) {
    case FLAG_PLAIN:
        if (body.len > inflated_max)
            return err_set(err, OCOP_ELIMIT, "message of %zu bytes, limit %zu", body.len,
                           inflated_max);
        *message = body;
        return OCOP_OK;
    case FLAG_ZLIB:
        return zip_inflate(body, inflated_max, a, message, err);
    default:
        return err_set(err, OCOP_EPROTO, "payload of unknown form %u; update this program",
                       payload.p[0]);
    }
}

/* Room for what `pack` may need: zlib's bound is below len + len / 1000 + 64. */
static size_t packed_room(size_t len)
{
    return len + len / 512 + 128;
}

/* --- requests --- */

/* "ocop", the version and the key id: bytes in clear that both ends must have seen alike. */
struct prologue {
    uint8_t b[4 + REQUEST_HEADER];
};

static struct prologue prologue_of(const uint8_t key_id[FRAME_KEY_ID_LEN])
{
    struct prologue p = {{'o', 'c', 'o', 'p', FRAME_VERSION}};

    memcpy(p.b + 5, key_id, FRAME_KEY_ID_LEN);
    return p;
}

enum ocop_status frame_seal_request(struct noise *n, const struct env *env,
                                    const struct channel_key *own,
                                    const uint8_t server[CHANNEL_KEY_LEN], struct span message,
                                    struct buf *out, struct ocop_error *err)
{
    uint8_t key_id[FRAME_KEY_ID_LEN];
    struct prologue prologue;
    struct buf payload;
    size_t start = out->len, len = 0;
    enum ocop_status st;

    frame_key_id(server, key_id);
    prologue = prologue_of(key_id);
    noise_init(n, 1, own, server, span_of(prologue.b, sizeof prologue.b));
    buf_init(&payload, packed_room(REQUEST_INFLATED_MAX));
    st = pack(message, REQUEST_INFLATED_MAX, REQUEST_BYTES_MAX, &payload, err);
    if (st)
        goto out;
    buf_byte(out, FRAME_VERSION);
    buf_put(out, key_id, sizeof key_id);
    if (!buf_reserve(out, payload.len + NOISE_MSG1_OVERHEAD)) {
        st = buf_fault(out, payload.len + NOISE_MSG1_OVERHEAD, err);
        goto out;
    }
    st = noise_write(n, env, buf_span(&payload), out->p + out->len, &len, err);
    out->len += len;
out:
    buf_fini(&payload);
    if (st) {
        out->len = start;
        noise_fini(n);
    }
    return st;
}

/* What costs nothing is looked at before the first Diffie-Hellman. */
static enum ocop_status choose_key(const struct frame_keys *keys, struct span frame,
                                   const struct channel_key **out, struct ocop_error *err)
{
    if (frame.len < 1 || frame.p[0] != FRAME_VERSION)
        return err_set(err, OCOP_EPROTO, "not a request of version %d", FRAME_VERSION);
    if (frame.len > REQUEST_HEADER + NOISE_MESSAGE_MAX)
        return err_set(err, OCOP_ELIMIT, "request of %zu bytes, limit %d", frame.len,
                       REQUEST_HEADER + NOISE_MESSAGE_MAX);
    if (frame.len < REQUEST_HEADER + NOISE_MSG1_OVERHEAD + 1)
        return err_set(err, OCOP_EPROTO, "request of %zu bytes is cut", frame.len);
    for (size_t i = 0; i < keys->count; i++) {
        uint8_t key_id[FRAME_KEY_ID_LEN];
        frame_key_id(keys->v[i].public_key, key_id);
        if (memcmp(key_id, frame.p + 1, sizeof key_id) == 0) {
            *out = &keys->v[i];
            return OCOP_OK;
        }
    }
    return err_set(err, OCOP_ENOTFOUND, "request for server key %02x%02x%02x%02x, not one of ours",
                   frame.p[1], frame.p[2], frame.p[3], frame.p[4]);
}

enum ocop_status frame_open_request(struct noise *n, const struct frame_keys *keys,
                                    struct span frame, struct arena *a, struct span *message,
                                    uint8_t sender[CHANNEL_KEY_LEN], struct ocop_error *err)
{
    const struct channel_key *key = NULL;
    struct prologue prologue;
    size_t len = 0;
    enum ocop_status st;

    noise_fini(n);
    *message = span_of(NULL, 0);
    memset(sender, 0, CHANNEL_KEY_LEN);
    st = choose_key(keys, frame, &key, err);
    if (st)
        return st;
    struct span sealed = span_of(frame.p + REQUEST_HEADER, frame.len - REQUEST_HEADER);
    uint8_t *plain = arena_alloc(a, sealed.len);
    if (!plain)
        return err_nomem(err);
    prologue = prologue_of(frame.p + 1);
    noise_init(n, 0, key, NULL, span_of(prologue.b, sizeof prologue.b));
    n->known = keys->known;
    st = noise_read(n, sealed, plain, &len, err);
    if (!st)
        st = unpack(span_of(plain, len), REQUEST_INFLATED_MAX, a, message, err);
    if (st)
        noise_fini(n);
    else
        memcpy(sender, n->rs, CHANNEL_KEY_LEN);
    return st;
}

/* --- replies --- */

void frame_unknown_key(struct buf *out)
{
    buf_byte(out, FRAME_VERSION);
    buf_byte(out, KIND_UNKNOWN_KEY);
}

/* One Noise message with its length before it. */
static enum ocop_status put_part(struct noise *n, const struct env *env, struct span plain,
                                 struct buf *out, struct ocop_error *err)
{
    size_t len = 0;

    size_t most = PART_HEADER + plain.len + NOISE_MSG2_OVERHEAD;

    if (!buf_reserve(out, most))
        return buf_fault(out, most, err);
    enum ocop_status st = noise_write(n, env, plain, out->p + out->len + PART_HEADER, &len, err);
    if (st)
        return st;
    out->p[out->len] = (uint8_t)(len >> 8);
    out->p[out->len + 1] = (uint8_t)len;
    out->len += PART_HEADER + len;
    return OCOP_OK;
}

/* A full part says that another follows, be it an empty one: so a reply cut between two parts is
 * seen to be cut. */
static enum ocop_status put_parts(struct noise *n, const struct env *env, struct span payload,
                                  struct buf *out, struct ocop_error *err)
{
    size_t room = FIRST_PLAIN_MAX;

    for (;;) {
        size_t len = payload.len < room ? payload.len : room;
        enum ocop_status st = put_part(n, env, span_of(payload.p, len), out, err);
        if (st || len < room)
            return st;
        payload = span_of(payload.p + len, payload.len - len);
        room = PART_PLAIN_MAX;
    }
}

enum ocop_status frame_seal_reply(struct noise *n, const struct env *env, struct span message,
                                  struct buf *out, struct ocop_error *err)
{
    struct buf payload;
    size_t start = out->len;
    enum ocop_status st;

    buf_init(&payload, packed_room(REPLY_INFLATED_MAX));
    st = pack(message, REPLY_INFLATED_MAX, REPLY_BYTES_MAX, &payload, err);
    if (st)
        goto out;
    buf_byte(out, FRAME_VERSION);
    buf_byte(out, KIND_SEALED);
    st = put_parts(n, env, buf_span(&payload), out, err);
out:
    buf_fini(&payload);
    if (st)
        out->len = start;
    return st;
}

/* The payload of all parts of `in`, in a run. */
static enum ocop_status read_parts(struct noise *n, struct span in, uint8_t *plain, size_t *out_len,
                                   struct ocop_error *err)
{
    size_t at = 0, used = 0, part, got;

    do {
        if (in.len - at < PART_HEADER)
            return err_set(err, OCOP_EPROTO, "the reply is cut; send the request again");
        part = (size_t)in.p[at] << 8 | in.p[at + 1];
        at += PART_HEADER;
        if (part > in.len - at)
            return err_set(err, OCOP_EPROTO, "the reply is cut; send the request again");
        enum ocop_status st = noise_read(n, span_of(in.p + at, part), plain + used, &got, err);
        if (st)
            return st;
        at += part;
        used += got;
    } while (part == NOISE_MESSAGE_MAX);
    if (at != in.len)
        return err_set(err, OCOP_EPROTO, "bytes follow the end of the reply");
    *out_len = used;
    return OCOP_OK;
}

enum ocop_status frame_open_reply(struct noise *n, struct span frame, struct arena *a,
                                  struct span *message, struct ocop_error *err)
{
    size_t len = 0;
    enum ocop_status st;

    *message = span_of(NULL, 0);
    if (frame.len > FRAME_BYTES_MAX)
        return err_set(err, OCOP_ELIMIT, "reply of %zu bytes, limit %zu", frame.len,
                       FRAME_BYTES_MAX);
    if (frame.len < REPLY_HEADER || frame.p[0] != FRAME_VERSION)
        return err_set(err, OCOP_EPROTO,
                       "the answer is not a reply of version %d; is the address "
                       "that of a registry, and this program up to date?",
                       FRAME_VERSION);
    if (frame.p[1] == KIND_UNKNOWN_KEY)
        return err_set(err, OCOP_EAUTH,
                       "the server does not know the key it was enrolled with; "
                       "ask for a new invitation");
    if (frame.p[1] != KIND_SEALED)
        return err_set(err, OCOP_EPROTO, "reply of unknown kind %u; update this program",
                       frame.p[1]);
    uint8_t *plain = arena_alloc(a, frame.len);
    if (!plain)
        return err_nomem(err);
    st = read_parts(n, span_of(frame.p + REPLY_HEADER, frame.len - REPLY_HEADER), plain, &len, err);
    if (!st)
        st = unpack(span_of(plain, len), REPLY_INFLATED_MAX, a, message, err);
    if (st)
        noise_fini(n);
    return st;
}
