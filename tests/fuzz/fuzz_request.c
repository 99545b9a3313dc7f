/* What an enrolled device may send, given to the server's core: the input as the message inside a
 * frame, and as the changes of a set that is signed, numbered and chained as it should be. Each
 * input meets the same registry. */
#include <sodium.h>
#include <string.h>

#include "bounds.h"
#include "cache.h"
#include "centre.h"
#include "exchange.h"
#include "frame.h"
#include "fuzz.h"

static struct centre c;
static struct channel_key channel;
static struct sign_key sign;
static struct id replica;
static sqlite3 *as_enrolled;
static uint64_t version_enrolled;

static void copy_database(sqlite3 *to, sqlite3 *from)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    CHECK(b && sqlite3_backup_step(b, -1) == SQLITE_DONE);
    CHECK(sqlite3_backup_finish(b) == SQLITE_OK);
}

static void send_message(struct span message)
{
    struct noise n;
    struct buf frame;
    buf_init(&frame, FRAME_BYTES_MAX);
    if (frame_seal_request(&n, &c.env, &channel, c.keys.channel[0].public_key, message, &frame,
                           NULL) == OCOP_OK) {
        struct job job = {.frame = buf_span(&frame)};
        exchange_batch(c.r, &c.keys, &job, 1);
        CHECK(job.reply.len > 0); /* who is authentic is answered, whatever he says */
        CHECK(sqlite3_get_autocommit(c.r->db));
        buf_fini(&job.reply);
    }
    noise_fini(&n);
    buf_fini(&frame);
}

static void send_request(const Ocop__Sync__Request *q)
{
    uint8_t *packed = arena_alloc(&c.a, ocop__sync__request__get_packed_size(q));
    CHECK(packed);
    send_message(span_of(packed, ocop__sync__request__pack(q, packed)));
}

static ProtobufCBinaryData bytes_of(const void *p, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)p};
}

static void enrol_device(void)
{
    Ocop__Sync__Request q = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__EnrolRequest enrol = OCOP__SYNC__ENROL_REQUEST__INIT;
    struct id commune = centre_unit(&c, "24664", "commune", NULL);
    struct invitation_terms terms = {.officer = centre_officer(&c, "inspector"),
                                     .scope = &commune,
                                     .scope_count = 1,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = c.now_ms + 1000000};
    struct invitation invitation;
    const char *code;
    centre_must(&c, registry_begin(c.r, &c.err));
    centre_must(&c, invite_make(c.r, &c.keys, &terms, &c.a, &code, &c.err));
    centre_must(&c, registry_commit(c.r, &c.err));
    centre_must(&c, invitation_decode(code, &invitation, &c.err));
    channel_key_new(&channel, &c.env);
    sign_key_new(&sign, &c.env);
    replica = id_next(&c.r->ids, &c.env);
    enrol.has_token = enrol.has_replica = enrol.has_sign_key = 1;
    enrol.token = bytes_of(invitation.token, invitation.token_len);
    enrol.replica = bytes_of(replica.b, ID_LEN);
    enrol.sign_key = bytes_of(sign.public_key, SIGN_PUBLIC_LEN);
    q.enrol = &enrol;
    send_request(&q);
}

static void open_once(void)
{
    struct replica_info info;
    centre_open(&c);
    enrol_device();
    CHECK(registry_replica(c.r, &replica, &info, NULL) == OCOP_OK && info.known);
    CHECK(sqlite3_open(":memory:", &as_enrolled) == SQLITE_OK);
    copy_database(as_enrolled, c.r->db);
    CHECK(registry_version(c.r, &version_enrolled, NULL) == OCOP_OK);
}

/* As it was when the device was enrolled; copying costs the statements, so only when the log grew.
 */
static void begin_anew(void)
{
    uint64_t version;
    CHECK(registry_version(c.r, &version, NULL) == OCOP_OK);
    if (version != version_enrolled) {
        copy_database(c.r->db, as_enrolled);
        cache_forget(c.r->cache);
    }
    c.random = 1;
    c.now_ms = INT64_C(1785900000000);
    arena_reset(&c.a);
}

/* The set with these changes as the device would seal it: header, then field 10, then zlib. */
static Ocop__Sync__Sealed *seal(struct span changes, uint8_t signature[SIGNATURE_LEN],
                                struct buf *body)
{
    Ocop__Sync__ChangeSet head = OCOP__SYNC__CHANGE_SET__INIT;
    Ocop__Sync__Sealed *out = arena_alloc(&c.a, sizeof *out);
    uint8_t packed[128], hash[HASH_LEN];
    struct buf plain;
    CHECK(out);
    head.has_replica = head.has_seq = head.has_device_time_ms = head.has_schema = 1;
    head.has_lineage = 1;
    head.replica = bytes_of(replica.b, ID_LEN);
    head.seq = 1;
    head.device_time_ms = c.now_ms;
    head.schema = SCHEMA_VERSION;
    head.lineage = bytes_of(c.r->lineage.b, ID_LEN);
    CHECK(ocop__sync__change_set__get_packed_size(&head) <= sizeof packed);
    buf_init(&plain, MIB(8));
    buf_put(&plain, packed, ocop__sync__change_set__pack(&head, packed));
    buf_byte(&plain, 10 << 3 | 2);
    buf_varint(&plain, changes.len);
    buf_put(&plain, changes.p, changes.len);
    CHECK(!plain.failed && zip_deflate(buf_span(&plain), 1, body, NULL) == OCOP_OK);
    hash_bytes(buf_span(&plain), hash);
    buf_fini(&plain);
    CHECK(crypto_sign_detached(signature, NULL, hash, HASH_LEN, sign.secret) == 0);
    ocop__sync__sealed__init(out);
    out->has_body = out->has_signature = 1;
    out->body = bytes_of(body->p, body->len);
    out->signature = bytes_of(signature, SIGNATURE_LEN);
    return out;
}

/* Twice, so that what was accepted is met as a duplicate; the second time with a cursor. */
static void send_changes(struct span changes)
{
    Ocop__Sync__Request q = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    Ocop__Sync__Cursor cursor = OCOP__SYNC__CURSOR__INIT;
    uint8_t signature[SIGNATURE_LEN];
    struct buf body;
    buf_init(&body, MIB(8));
    Ocop__Sync__Sealed *sets[] = {seal(changes, signature, &body)};
    sync.has_replica = sync.has_lineage = sync.has_last_seq = 1;
    sync.replica = bytes_of(replica.b, ID_LEN);
    sync.lineage = bytes_of(c.r->lineage.b, ID_LEN);
    sync.last_seq = 1;
    sync.sets = sets;
    sync.n_sets = 1;
    q.sync = &sync;
    send_request(&q);
    cursor.has_version = 1;
    cursor.version = 2;
    sync.cursor = &cursor;
    send_request(&q);
    buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!c.r)
        open_once();
    if (size > KIB(48))
        return 0;
    begin_anew();
    send_message(span_of(data, size));
    begin_anew();
    send_changes(span_of(data, size));
    return 0;
}
