/* The registry of a scene, see scene.h. Knows nothing of stores. */
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "cache.h"
#include "centre.h"
#include "exchange.h"
#include "scene.h"

static struct centre c;
static struct device other, other_then;
static uint64_t version_then;

static void exec(const char *sql)
{
    CHECK(sqlite3_exec(c.r->db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static ProtobufCBinaryData bytes_of(const void *p, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)p};
}

/* --- the scene ------------------------------------------------------------------------------- */

static void units_and_people(struct scene *s)
{
    struct draft_change d;
    struct id stranger;
    s->province = centre_unit(&c, "68", "province", NULL);
    s->commune = centre_unit(&c, "24664", "commune", &s->province);
    s->elsewhere = centre_unit(&c, "24670", "commune", &s->province);
    s->officer = centre_officer(&c, "inspector");
    stranger = centre_officer(&c, "reconciler");
    s->producer = centre_producer(&c, &s->commune, "HTX Cà phê Đức Lập");
    s->product = id_next(&c.r->ids, &c.env);
    draft(&d, KIND_PRODUCT, VERB_CREATE, &s->product);
    draft_id(&d, FIELD_UNIT, &s->commune);
    draft_text(&d, 10, "Cà phê bột");
    draft_id(&d, 11, &s->producer);
    centre_write(&c, &d, 1);
    device_enrol(&other, &c, &stranger, &s->commune, 1);
}

/* From here on the same ids are drawn, whatever genesis has drawn before: the corpora name them. */
static void draw_from(uint64_t random, uint32_t counter)
{
    c.random = random;
    c.r->ids.counter = counter;
    c.now_ms = INT64_C(1785000000000);
}

void scene_registry_open(struct scene *s)
{
    struct invitation_terms terms = {.scope_count = 1, .address = "tcp://127.0.0.1:1"};
    const char *code;
    centre_open(&c);
    draw_from(UINT64_C(0xdbefbea9bec4978d), 24);
    units_and_people(s);
    terms.officer = s->officer;
    terms.scope = &s->commune;
    terms.expires_ms = c.now_ms + INT64_C(8640000000);
    centre_must(&c, invite_make(c.r, &c.keys, &terms, &c.a, &code, &c.err));
    snprintf(s->invitation, sizeof s->invitation, "%s", code);
    CHECK(strcmp(s->invitation, code) == 0);
    draw_from(UINT64_C(0xa147e688dbdfb1cd), 39);
    s->env = &c.env;
}

void scene_registry_mark(void)
{
    exec("SAVEPOINT scene");
    other_then = other;
    CHECK(registry_version(c.r, &version_then, NULL) == OCOP_OK);
    scene_registry_back();
}

void scene_registry_back(void)
{
    for (sqlite3_stmt *st = NULL; (st = sqlite3_next_stmt(c.r->db, st)) != NULL;)
        if (sqlite3_stmt_busy(st))
            sqlite3_reset(st);
    exec("ROLLBACK TO scene");
    other = other_then;
    c.random = 7;
    c.now_ms = INT64_C(1785900000000);
    arena_reset(&c.a);
    cache_forget(c.r->cache);
}

void scene_other_says(const struct ocop_id *record, enum verb verb, const char *conclusion)
{
    struct draft_change d;
    struct id id;
    uint64_t version = 0;
    memcpy(id.b, record->b, ID_LEN);
    CHECK(registry_version(c.r, &version, NULL) == OCOP_OK);
    draft(&d, KIND_INSPECTION, verb, &id);
    if (conclusion)
        draft_text(&d, 26, conclusion);
    draft_base(&d, version);
    d.c.reason = span_str("kiểm tra lại");
    CHECK(device_push(&other, &c, &d, 1).code == SET_ACCEPTED);
}

void scene_producer_comes(const struct scene *s)
{
    centre_producer(&c, &s->commune, "HTX Mới");
}

void scene_product_leaves(const struct scene *s)
{
    struct draft_change d;
    draft(&d, KIND_PRODUCT, VERB_AMEND, &s->product);
    draft_id(&d, FIELD_UNIT, &s->elsewhere);
    draft_base(&d, 1000);
    centre_write(&c, &d, 1);
}

void scene_device_revoked(const struct scene *s)
{
    centre_must(&c, device_state_set(c.r, &c.keys, &s->replica, DEVICE_REVOKED, "mất máy", &c.err));
}

/* --- contents --------------------------------------------------------------------------------- */

struct registry *scene_registry(void)
{
    return c.r;
}

const struct server_keys *scene_keys(void)
{
    return &c.keys;
}

void scene_registry_files(const char *dir)
{
    char path[200];
    snprintf(path, sizeof path, "%s/centre", dir);
    centre_must(&c, content_dir_init(&c.r->blobs, path, NULL, &c.env, &c.err));
}

void scene_other_attaches(const struct scene *s, const struct id *unit, const uint8_t *hash,
                          size_t size)
{
    struct draft_change d;
    struct id id = id_next(&c.r->ids, &c.env), of = s->producer;
    if (!id_eq(unit, &s->commune)) /* an attachment lies where its record lies */
        of = centre_producer(&c, unit, "HTX Sầu riêng Krông Pắc");
    draft(&d, KIND_ATTACHMENT, VERB_CREATE, &id);
    draft_id(&d, FIELD_UNIT, unit);
    draft_id(&d, FIELD_OFFICER, &other.officer);
    draft_id(&d, ATTACHMENT_RECORD, &of);
    draft_text(&d, ATTACHMENT_ROLE, "document");
    draft_text(&d, ATTACHMENT_MEDIA_TYPE, "application/octet-stream");
    draft_int(&d, ATTACHMENT_SIZE, (int64_t)size);
    draft_text(&d, ATTACHMENT_HASH, "");
    d.v[d.c.fields.count - 1].bytes = span_of(hash, FILE_HASH_LEN);
    centre_write(&c, &d, 1);
    exec("INSERT OR IGNORE INTO brought SELECT hash, officer_id, 1, row_sum(hash, officer_id, 1) "
         "FROM attachment");
}

bool scene_taken(void)
{
    uint64_t version;
    CHECK(registry_version(c.r, &version, NULL) == OCOP_OK);
    return version > version_then;
}

/* --- answering ------------------------------------------------------------------------------- */

/* As reply_unpack of the client, which cannot be asked here: what is sent can be read. */
void scene_answer(struct span message, struct buf *reply)
{
    struct job job = {.frame = message};
    exchange_batch(c.r, &c.keys, &job, 1);
    CHECK(!registry_rolled_back(c.r));
    CHECK(job.reply.len > 0); /* who is authentic is answered, whatever he says */
    ProtobufCAllocator from_arena = arena_allocator(&c.a);
    CHECK(ocop__sync__reply__unpack(&from_arena, job.reply.len, job.reply.p));
    if (reply)
        buf_put(reply, job.reply.p, job.reply.len);
    buf_fini(&job.reply);
}

static void send_request(struct scene *s, const Ocop__Sync__Request *q)
{
    size_t len = ocop__sync__request__get_packed_size(q);
    uint8_t *frame = arena_alloc(&c.a, CHANNEL_KEY_LEN + len);
    CHECK(frame);
    memcpy(frame, s->channel, CHANNEL_KEY_LEN);
    ocop__sync__request__pack(q, frame + CHANNEL_KEY_LEN);
    scene_answer(span_of(frame, CHANNEL_KEY_LEN + len), NULL);
}

/* The canonical body with these changes: header, then field 10. Not under zlib, which only costs.
 */
static void set_body(struct scene *s, struct span changes, struct buf *body)
{
    Ocop__Sync__ChangeSet head = OCOP__SYNC__CHANGE_SET__INIT;
    struct replica_info info;
    uint8_t packed[256];
    CHECK(registry_replica(c.r, &s->replica, &info, NULL) == OCOP_OK && info.known);
    head.has_replica = head.has_seq = head.has_device_time_ms = head.has_schema = 1;
    head.has_prev_hash = info.acked_seq > 0;
    head.has_lineage = 1;
    head.replica = bytes_of(s->replica.b, ID_LEN);
    head.seq = info.acked_seq + 1;
    head.prev_hash = bytes_of(info.acked_hash, HASH_LEN);
    head.device_time_ms = c.now_ms;
    head.schema = SCHEMA_VERSION;
    head.lineage = bytes_of(c.r->lineage.b, ID_LEN);
    CHECK(ocop__sync__change_set__get_packed_size(&head) <= sizeof packed);
    buf_put(body, packed, ocop__sync__change_set__pack(&head, packed));
    buf_byte(body, 10 << 3 | 2);
    buf_varint(body, changes.len);
    buf_put(body, changes.p, changes.len);
    CHECK(!body->failed && body->p[0] == 0x0a);
}

void scene_push(struct scene *s, struct span changes)
{
    Ocop__Sync__Request q = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    Ocop__Sync__Sealed sealed = OCOP__SYNC__SEALED__INIT, *sets[] = {&sealed};
    Ocop__Sync__Cursor cursor = OCOP__SYNC__CURSOR__INIT;
    static const uint8_t signature[SIGNATURE_LEN];
    struct buf body;
    buf_init(&body, MIB(1));
    set_body(s, changes, &body);
    sealed.has_body = sealed.has_signature = 1;
    sealed.body = bytes_of(body.p, body.len);
    sealed.signature = bytes_of(signature, SIGNATURE_LEN);
    sync.has_replica = sync.has_lineage = 1;
    sync.replica = bytes_of(s->replica.b, ID_LEN);
    sync.lineage = bytes_of(c.r->lineage.b, ID_LEN);
    sync.sets = sets;
    sync.n_sets = 1;
    sync.cursor = &cursor;
    cursor.has_version = cursor.has_scope =
        1; /* what was there before is seen: a page costs more than all else */
    cursor.version = cursor.scope = version_then;
    q.sync = &sync;
    send_request(s, &q);
    if (scene_taken())
        send_request(s, &q);
    buf_fini(&body);
}
