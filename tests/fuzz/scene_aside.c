/* What stands aside in a scene: the linker's --wrap puts these in the place of frames, signatures
 * and transactions. With FUZZ_SEEDS=directory in the environment the messages of an honest exchange
 * in many situations are written to request/ and reply/ below it: seeds for the corpora, to be made
 * anew when the scene or the protocol changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "frame.h"
#include "registry.h"
#include "store_db.h"
#include "sync.h"

static void exec(struct ocop_store *s, const char *sql)
{
    CHECK(sqlite3_exec(s->db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK);
}

/* --- frames and signatures ------------------------------------------------------------------- */

static void seed_write(const char *kind, struct span message)
{
    static unsigned count;
    const char *dir = getenv("FUZZ_SEEDS");
    char path[1024];
    if (!dir)
        return;
    snprintf(path, sizeof path, "%s/%s/scene-%02u", dir, kind, count++);
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(message.p, 1, message.len, f) == message.len && fclose(f) == 0);
}

enum ocop_status __wrap_frame_seal_request(struct noise *n, const struct env *env,
                                           const struct channel_key *own,
                                           const uint8_t server[CHANNEL_KEY_LEN],
                                           struct span message, struct buf *out,
                                           struct ocop_error *err);
enum ocop_status __wrap_frame_open_request(struct noise *n, const struct frame_keys *keys,
                                           struct span frame, struct arena *a, struct span *message,
                                           uint8_t sender[CHANNEL_KEY_LEN], struct ocop_error *err);
enum ocop_status __wrap_noise_prepare(struct noise *n, const uint8_t ephemeral[CHANNEL_KEY_LEN],
                                      struct ocop_error *err);
enum ocop_status __wrap_frame_seal_reply(struct noise *n, const struct env *env,
                                         struct span message, struct buf *out,
                                         struct ocop_error *err);
enum ocop_status __wrap_frame_open_reply(struct noise *n, struct span frame, struct arena *a,
                                         struct span *message, struct ocop_error *err);
int __wrap_crypto_sign_detached(unsigned char *signature, unsigned long long *len,
                                const unsigned char *m, unsigned long long m_len,
                                const unsigned char *secret);
int __wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *m,
                                       unsigned long long m_len, const unsigned char *public_key);

enum ocop_status __wrap_frame_seal_request(struct noise *n, const struct env *env,
                                           const struct channel_key *own,
                                           const uint8_t server[CHANNEL_KEY_LEN],
                                           struct span message, struct buf *out,
                                           struct ocop_error *err)
{
    (void)n, (void)env, (void)server, (void)err;
    seed_write("request", message);
    buf_put(out, own->public_key, CHANNEL_KEY_LEN);
    buf_put(out, message.p, message.len);
    CHECK(!out->failed);
    return OCOP_OK;
}

/* The copies are exact, so that a sanitizer sees a read past their end. */
static enum ocop_status copy_out(struct span from, struct arena *a, struct span *out)
{
    const char *p = arena_dup(a, from.p, from.len);
    *out = span_of(p, from.len);
    return p ? OCOP_OK : OCOP_ENOMEM;
}

enum ocop_status __wrap_frame_open_request(struct noise *n, const struct frame_keys *keys,
                                           struct span frame, struct arena *a, struct span *message,
                                           uint8_t sender[CHANNEL_KEY_LEN], struct ocop_error *err)
{
    (void)n, (void)keys, (void)err;
    CHECK(frame.len >= CHANNEL_KEY_LEN);
    memcpy(sender, frame.p, CHANNEL_KEY_LEN);
    return copy_out(span_of(frame.p + CHANNEL_KEY_LEN, frame.len - CHANNEL_KEY_LEN), a, message);
}

enum ocop_status __wrap_noise_prepare(struct noise *n, const uint8_t ephemeral[CHANNEL_KEY_LEN],
                                      struct ocop_error *err)
{
    (void)n, (void)ephemeral, (void)err;
    return OCOP_OK;
}

enum ocop_status __wrap_frame_seal_reply(struct noise *n, const struct env *env,
                                         struct span message, struct buf *out,
                                         struct ocop_error *err)
{
    (void)n, (void)env, (void)err;
    CHECK(message.len <= REPLY_INFLATED_MAX);
    buf_put(out, message.p, message.len);
    CHECK(!out->failed);
    return OCOP_OK;
}

enum ocop_status __wrap_frame_open_reply(struct noise *n, struct span frame, struct arena *a,
                                         struct span *message, struct ocop_error *err)
{
    (void)n, (void)err;
    seed_write("reply", frame);
    return copy_out(frame, a, message);
}

int __wrap_crypto_sign_detached(unsigned char *signature, unsigned long long *len,
                                const unsigned char *m, unsigned long long m_len,
                                const unsigned char *secret)
{
    (void)len, (void)m, (void)m_len, (void)secret;
    memset(signature, 0, SIGNATURE_LEN);
    return 0;
}

int __wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *m,
                                       unsigned long long m_len, const unsigned char *public_key)
{
    (void)signature, (void)m, (void)m_len, (void)public_key;
    return 0;
}

/* --- a wipe ---------------------------------------------------------------------------------- */

enum ocop_status __wrap_wipe_store(struct ocop_store *s, const struct wipe_order *order,
                                   struct wipe_waits *waits, struct ocop_error *err);

/* It is no transaction, and takes the files of the scene with it. */
enum ocop_status __wrap_wipe_store(struct ocop_store *s, const struct wipe_order *order,
                                   struct wipe_waits *waits, struct ocop_error *err)
{
    (void)s;
    *waits = (struct wipe_waits){.changes = false};
    return err_set(err, OCOP_EWIPED, "wiped: %.200s", order->reason);
}

/* --- transactions within the scene's ---------------------------------------------------------- */

enum ocop_status __wrap_registry_begin(struct registry *r, struct ocop_error *err);
enum ocop_status __wrap_registry_begin_soon(struct registry *r, struct ocop_error *err);
enum ocop_status __wrap_registry_begin_read(struct registry *r, struct ocop_error *err);
enum ocop_status __wrap_registry_commit(struct registry *r, struct ocop_error *err);
enum ocop_status __wrap_store_begin(struct ocop_store *s, struct ocop_error *err);
enum ocop_status __wrap_store_begin_read(struct ocop_store *s, struct ocop_error *err);
enum ocop_status __wrap_store_commit(struct ocop_store *s, struct ocop_error *err);
bool __wrap_store_rollback(struct ocop_store *s);

/* The registry takes none of them back as a whole: each request has a savepoint. */
enum ocop_status __wrap_registry_begin(struct registry *r, struct ocop_error *err)
{
    (void)err;
    if (sqlite3_get_autocommit(r->db)) /* the first, which is the scene's */
        CHECK(sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
    return OCOP_OK;
}

enum ocop_status __wrap_registry_begin_soon(struct registry *r, struct ocop_error *err)
{
    return __wrap_registry_begin(r, err);
}

enum ocop_status __wrap_registry_begin_read(struct registry *r, struct ocop_error *err)
{
    return __wrap_registry_begin(r, err);
}

enum ocop_status __wrap_registry_commit(struct registry *r, struct ocop_error *err)
{
    (void)r, (void)err;
    return OCOP_OK;
}

enum ocop_status __wrap_store_begin(struct ocop_store *s, struct ocop_error *err)
{
    (void)err;
    exec(s, "SAVEPOINT call");
    return OCOP_OK;
}

enum ocop_status __wrap_store_begin_read(struct ocop_store *s, struct ocop_error *err)
{
    return __wrap_store_begin(s, err);
}

enum ocop_status __wrap_store_commit(struct ocop_store *s, struct ocop_error *err)
{
    (void)err;
    exec(s, "RELEASE call");
    return OCOP_OK;
}

bool __wrap_store_rollback(struct ocop_store *s)
{
    exec(s, "ROLLBACK TO call; RELEASE call");
    return true;
}
