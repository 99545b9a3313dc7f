/* Frames: what stands in one nanomsg message. Limits, compression, channel. docs/protocol.md, 2.
 *
 *   request: version(1) = 1, server key id(4), Noise message 1
 *   reply:   version(1) = 1, kind(1), then kind 0: Noise message 2 and transport messages, each
 *            with a length of 2 bytes, big-endian, before it. One of full length (65,535) is
 *            followed by another, be it empty, so that a cut reply is seen; kind 1 (in clear,
 *            believed by nobody but as a hint): "key id unknown"
 *   payload: flags(1): 0 plain, 1 zlib; then the protobuf message. */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "arena.h"
#include "buf.h"
#include "noise.h"
#include "zip.h"

enum { FRAME_VERSION = 1, FRAME_KEY_ID_LEN = 4 };

/** First 4 bytes of BLAKE2b-256 over a server's public channel key. */
void frame_key_id(const uint8_t public_key[CHANNEL_KEY_LEN], uint8_t out[FRAME_KEY_ID_LEN]);

/** Client: seal a request. Keeps the handshake in *n for the reply.
 *  @return OCOP_ELIMIT when it passes REQUEST_BYTES_MAX */
OCOP_MUST_USE enum ocop_status frame_seal_request(struct noise *n, const struct env *env,
                                                  const struct channel_key *own,
                                                  const uint8_t server[CHANNEL_KEY_LEN],
                                                  struct span message, struct buf *out,
                                                  struct ocop_error *err);

/** What a server answers with. */
struct frame_keys {
    const struct channel_key *v;
    size_t count;
    const struct noise_known *known; /* see noise.h; may be NULL */
};

/** Server: open a request with the key its id names. *sender is the client's static key.
 *  n->s.public_key tells which key it was. Any thread.
 *  @return OCOP_EPROTO, OCOP_ELIMIT, OCOP_EAUTH, OCOP_ENOTFOUND (key id unknown) */
OCOP_MUST_USE enum ocop_status frame_open_request(struct noise *n, const struct frame_keys *keys,
                                                  struct span frame, struct arena *a,
                                                  struct span *message,
                                                  uint8_t sender[CHANNEL_KEY_LEN],
                                                  struct ocop_error *err);

/** Server: seal the reply of a handshake that frame_open_request began. After noise_prepare nothing
 *  is drawn from `env`. */
OCOP_MUST_USE enum ocop_status frame_seal_reply(struct noise *n, const struct env *env,
                                                struct span message, struct buf *out,
                                                struct ocop_error *err);

/** Server: the unauthenticated hint. */
void frame_unknown_key(struct buf *out);

/** Client: open a reply. @return OCOP_EAUTH wrong server or changed bytes; OCOP_EPROTO, ELIMIT */
OCOP_MUST_USE enum ocop_status frame_open_reply(struct noise *n, struct span frame, struct arena *a,
                                                struct span *message, struct ocop_error *err);

#endif
