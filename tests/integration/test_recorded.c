/* A recorded exchange, request and reply as they were on the wire, read with the keys of its two
 * ends: to its fields and to the changes in its columns. What changes here changes the protocol.
 * With OCOP_RECORD=1 in the environment it is recorded anew. */
#include "test.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "frame.h"
#include "world.h"

#define RECORDING "tests/data/exchange-v1.json"

/* --- recording -------------------------------------------------------------------------------- */

/* Between device and server: keeps both frames of the last exchange. */
struct tap {
    struct link link;
    struct world *world;
    struct buf request, reply;
};

static enum ocop_status tap_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                    struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static enum ocop_status tap_exchange(struct link *l, struct span request, int timeout_ms,
                                     const atomic_bool *cancel, struct buf *reply,
                                     struct ocop_error *err)
{
    struct tap *t = (struct tap *)l;
    struct job job = {.frame = request};
    (void)timeout_ms, (void)cancel, (void)err;
    exchange_batch(t->world->registry, &t->world->keys, &job, 1);
    buf_clear(&t->request);
    buf_put(&t->request, request.p, request.len);
    buf_clear(&t->reply);
    buf_put(&t->reply, job.reply.p, job.reply.len);
    buf_put(reply, job.reply.p, job.reply.len);
    buf_fini(&job.reply);
    return OCOP_OK;
}

static void tap_close(struct link *l)
{
    (void)l;
}

/* The device's chance is kept, so that its ephemeral key is known: the last 32 bytes it drew. */
static uint8_t drawn[CHANNEL_KEY_LEN];

static void draw(void *self, void *out, size_t len)
{
    (void)self;
    env_random(env_system(), out, len);
    if (len == sizeof drawn)
        memcpy(drawn, out, len);
}

static json_t *hex(struct span s)
{
    char *text = calloc(2, s.len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < s.len; i++)
        snprintf(text + 2 * i, 3, "%02x", s.p[i]);
    json_t *out = json_string(text);
    free(text);
    return out;
}

static void put_hex(json_t *object, const char *name, struct span s)
{
    assert_int_equal(json_object_set_new(object, name, hex(s)), 0);
}

static struct span unhex(json_t *object, const char *name, struct arena *a)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    uint8_t *out = arena_alloc(a, strlen(text) / 2 + 1);
    assert_non_null(out);
    for (size_t i = 0; i < strlen(text) / 2; i++) {
        unsigned byte;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return span_of(out, strlen(text) / 2);
}

/* The device's channel key stands in its store. */
static struct span channel_secret(struct world *w)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    const char *path = arena_printf(&w->arena, "%s/0.ocop", w->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = 'channel_secret'", -1, &s, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(s, 0), CHANNEL_KEY_LEN);
    struct span out =
        span_of((uint8_t *)arena_dup(&w->arena, sqlite3_column_blob(s, 0), CHANNEL_KEY_LEN),
                CHANNEL_KEY_LEN);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return out;
}

/* One request that pushes a new record, an amendment that meets another's, and a void; whose reply
 * tells outcomes and a case and brings records of another device. */
static void exchange_all(struct world *w, struct tap *t)
{
    struct ocop_error err = {0};
    struct env env = *env_system();
    env.random = draw;
    struct ocop_options options = {.must_exist = true, .env = &env, .link = t};
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=fail");
    world_inspect(w, 1, "conditional");
    world_sync(w, 1);
    ocop_close(w->stores[0]);
    assert_int_equal(
        ocop_open(arena_printf(&w->arena, "%s/0.ocop", w->dir), &options, &w->stores[0], &err),
        OCOP_OK);
    world_amend(w, 0, id, "conclusion=conditional");
    struct ocop_id own = world_inspect(w, 0, "pass");
    assert_int_equal(ocop_void(w->stores[0], &own, "nhầm cơ sở", &err), OCOP_OK);
    struct ocop_sync_summary s = world_sync(w, 0);
    assert_int_equal(s.round_trips, 1);
    assert_int_equal(s.in_case, 1);
    ocop_close(w->stores[0]);
    w->stores[0] = NULL;
}

/* --- the payload of both frames, by docs/protocol.md alone -------------------------------------
 */

static struct span inflated(struct span payload, struct arena *a)
{
    struct span out = span_of(payload.p + 1, payload.len - 1);
    assert_true(payload.len > 0 && payload.p[0] <= 1);
    if (payload.p[0] == 1)
        assert_int_equal(zip_inflate(out, REPLY_INFLATED_MAX, a, &out, NULL), OCOP_OK);
    return out;
}

/* Both messages of the exchange. */
static void open_frames(json_t *recording, struct arena *a, struct span *request,
                        struct span *reply)
{
    struct span frame = unhex(recording, "request", a), answer = unhex(recording, "reply", a);
    struct channel_key server, client;
    uint8_t prologue[9] = {'o', 'c', 'o', 'p'}, *payload, *again;
    struct noise opens, asks;
    struct buf all;
    size_t len, again_len;

    channel_key_from_secret(&server, unhex(recording, "server_secret", a).p);
    channel_key_from_secret(&client, unhex(recording, "client_secret", a).p);
    payload = arena_alloc(a, NOISE_MESSAGE_MAX);
    again = arena_alloc(a, NOISE_MESSAGE_MAX);
    assert_true(payload && again && frame.len > 5);
    memcpy(prologue + 4, frame.p, 5);
    assert_int_equal(frame.p[0], 1);
    noise_init(&opens, 0, &server, NULL, span_of(prologue, sizeof prologue));
    assert_int_equal(noise_read(&opens, span_of(frame.p + 5, frame.len - 5), payload, &len, NULL),
                     OCOP_OK);
    assert_memory_equal(opens.rs, client.public_key, CHANNEL_KEY_LEN);
    *request = inflated(span_of(payload, len), a);

    /* What the device kept in order to read the answer. */
    noise_init(&asks, 1, &client, server.public_key, span_of(prologue, sizeof prologue));
    noise_set_ephemeral(&asks, unhex(recording, "client_ephemeral", a).p);
    assert_int_equal(
        noise_write(&asks, env_system(), span_of(payload, len), again, &again_len, NULL), OCOP_OK);
    assert_true(span_eq(span_of(again, again_len), span_of(frame.p + 5, frame.len - 5)));

    assert_true(answer.len > 4 && answer.p[0] == 1 && answer.p[1] == 0);
    buf_init(&all, MIB(1));
    for (size_t at = 2; at < answer.len;) {
        size_t part = (size_t)answer.p[at] << 8 | answer.p[at + 1];
        assert_true(part <= answer.len - at - 2);
        assert_int_equal(noise_read(&asks, span_of(answer.p + at + 2, part), again, &len, NULL),
                         OCOP_OK);
        buf_put(&all, again, len);
        at += part + 2;
    }
    *reply = inflated(span_of((uint8_t *)arena_dup(a, all.p, all.len), all.len), a);
    buf_fini(&all);
    noise_fini(&opens);
    noise_fini(&asks);
}

/* --- messages as lines --------------------------------------------------------------------------
 */

struct page {
    json_t *lines;
    struct arena *a;
};

static void line(struct page *p, const char *path, const char *name, const char *value)
{
    const char *text = arena_printf(p->a, "%s%s = %s", path, name, value);
    assert_non_null(text);
    assert_int_equal(json_array_append_new(p->lines, json_string(text)), 0);
}

static void put_bytes(struct page *p, const char *path, const char *name, struct span s)
{
    json_t *text = hex(s);
    line(p, path, name, json_string_value(text));
    json_decref(text);
}

static void put_number(struct page *p, const char *path, const char *name, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, n);
    line(p, path, name, text);
}

static void put_changes(struct page *p, const char *path, const struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *c = &changes->v[i];
        const char *at = arena_printf(p->a, "%schange[%zu].", path, i);
        put_number(p, at, "kind", c->kind);
        put_number(p, at, "verb", c->verb);
        put_bytes(p, at, "record", id_span(&c->record));
        put_bytes(p, at, "author", id_span(&c->author));
        put_number(p, at, "device_time_ms", c->device_time_ms);
        put_number(p, at, "base", (int64_t)c->base);
        put_bytes(p, at, "reason", c->reason);
        for (size_t f = 0; f < c->fields.count; f++) {
            const struct field *v = &c->fields.v[f];
            const char *field = arena_printf(p->a, "%s%u.", at, v->number);
            put_number(p, field, v->op == FIELD_SET ? "set, type" : "clear, type", v->type);
            put_bytes(p, field, "key", v->key);
            put_number(p, field, "base", (int64_t)v->base);
            if (v->op == FIELD_SET && v->type == VALUE_INT)
                put_number(p, field, "value", v->i);
            else if (v->op == FIELD_SET)
                put_bytes(p, field, "value", v->bytes);
        }
    }
}

static void put_set(struct page *p, const char *path, const Ocop__Sync__Sealed *sealed)
{
    struct change_set set;
    assert_int_equal(changeset_open(span_of(sealed->body.data, sealed->body.len), p->a, &set, NULL),
                     OCOP_OK);
    put_bytes(p, path, "signature", span_of(sealed->signature.data, sealed->signature.len));
    put_bytes(p, path, "hash", span_of(set.hash, HASH_LEN));
    put_bytes(p, path, "replica", id_span(&set.replica));
    put_number(p, path, "seq", (int64_t)set.seq);
    put_bytes(p, path, "prev_hash", span_of(set.prev_hash, HASH_LEN));
    put_number(p, path, "device_time_ms", set.device_time_ms);
    put_number(p, path, "schema", set.schema);
    put_bytes(p, path, "lineage", id_span(&set.lineage));
    put_changes(p, path, &set.changes);
}

static void put_message(struct page *p, const char *path, const ProtobufCMessage *m);

static void put_value(struct page *p, const char *path, const ProtobufCFieldDescriptor *d,
                      const char *name, const void *at)
{
    const ProtobufCBinaryData *bytes = at;
    ProtobufCMessage *const *message = at;
    char *const *text = at;
    switch (d->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        put_message(p, arena_printf(p->a, "%s%s.", path, name), *message);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        put_bytes(p, path, name, span_of(bytes->data, bytes->len));
        break;
    case PROTOBUF_C_TYPE_STRING:
        line(p, path, name, *text);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
        put_number(p, path, name, *(const int64_t *)at);
        break;
    default:
        put_number(p, path, name, *(const int32_t *)at);
    }
}

static size_t value_size(const ProtobufCFieldDescriptor *d)
{
    switch (d->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
        return 8;
    default:
        return 4;
    }
}

static void put_field(struct page *p, const char *path, const ProtobufCMessage *m,
                      const ProtobufCFieldDescriptor *d)
{
    const char *at = (const char *)m + d->offset;
    if (d->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)(const void *)((const char *)m + d->quantifier_offset);
        const char *items = *(const char *const *)(const void *)at;
        for (size_t i = 0; i < count; i++)
            put_value(p, path, d, arena_printf(p->a, "%s[%zu]", d->name, i),
                      items + i * value_size(d));
        return;
    }
    bool pointer = d->type == PROTOBUF_C_TYPE_MESSAGE || d->type == PROTOBUF_C_TYPE_STRING;
    bool there = pointer ? *(const void *const *)(const void *)at != NULL
                         : *(const protobuf_c_boolean *)(const void *)((const char *)m +
                                                                       d->quantifier_offset) != 0;
    if (there)
        put_value(p, path, d, d->name, at);
}

static void put_message(struct page *p, const char *path, const ProtobufCMessage *m)
{
    assert_int_equal(m->n_unknown_fields, 0);
    if (m->descriptor == &ocop__sync__columns__descriptor) {
        struct changes changes;
        assert_int_equal(
            columns_decode((const Ocop__Sync__Columns *)(const void *)m, p->a, &changes, NULL),
            OCOP_OK);
        put_changes(p, path, &changes);
    } else if (m->descriptor == &ocop__sync__sealed__descriptor) {
        put_set(p, path, (const Ocop__Sync__Sealed *)(const void *)m);
    } else {
        for (unsigned i = 0; i < m->descriptor->n_fields; i++)
            put_field(p, path, m, &m->descriptor->fields[i]);
    }
}

/* A packed message as lines. */
static json_t *lines_of(struct span packed, const ProtobufCMessageDescriptor *d, struct arena *a)
{
    ProtobufCAllocator allocator = arena_allocator(a);
    ProtobufCMessage *m = protobuf_c_message_unpack(d, &allocator, packed.len, packed.p);
    struct page p = {json_array(), a};
    assert_non_null(m);
    put_message(&p, "", m);
    return p.lines;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void record_anew(void)
{
    struct world *w = calloc(1, sizeof *w);
    struct tap t = {.link = {.connect = tap_connect, .exchange = tap_exchange, .close = tap_close},
                    .world = w};
    json_t *out = json_object();
    struct span request, reply;

    assert_true(w && out);
    world_open(w);
    world_enrol(w, 0);
    world_enrol(w, 1);
    buf_init(&t.request, FRAME_BYTES_MAX);
    buf_init(&t.reply, FRAME_BYTES_MAX);
    exchange_all(w, &t);
    put_hex(out, "server_secret", span_of(w->keys.channel[0].secret, CHANNEL_KEY_LEN));
    put_hex(out, "client_secret", channel_secret(w));
    put_hex(out, "client_ephemeral", span_of(drawn, sizeof drawn));
    put_hex(out, "request", buf_span(&t.request));
    put_hex(out, "reply", buf_span(&t.reply));
    open_frames(out, &w->arena, &request, &reply);
    json_object_set_new(out, "request_fields",
                        lines_of(request, &ocop__sync__request__descriptor, &w->arena));
    json_object_set_new(out, "reply_fields",
                        lines_of(reply, &ocop__sync__reply__descriptor, &w->arena));
    assert_int_equal(json_dump_file(out, RECORDING, JSON_INDENT(1)), 0);
    json_decref(out);
    buf_fini(&t.request);
    buf_fini(&t.reply);
    world_close(w);
    free(w);
}

static void same_lines(json_t *recording, const char *name, json_t *lines)
{
    json_t *want = json_object_get(recording, name);
    assert_true(json_array_size(want) > 20);
    for (size_t i = 0; i < json_array_size(want) || i < json_array_size(lines); i++) {
        const char *a = json_string_value(json_array_get(want, i)),
                   *b = json_string_value(json_array_get(lines, i));
        if (!a || !b || strcmp(a, b) != 0)
            fail_msg("%s, line %zu:\nrecorded  %s\ndecoded   %s\nIf the protocol was meant to "
                     "change, record anew: OCOP_RECORD=1",
                     name, i, a ? a : "(none)", b ? b : "(none)");
    }
    json_decref(lines);
}

static void the_recorded_exchange_is_read_to_its_fields(void **state)
{
    struct arena a;
    struct span request, reply;
    json_error_t error;
    json_t *recording;

    (void)state;
    if (getenv("OCOP_RECORD"))
        record_anew();
    recording = json_load_file(RECORDING, 0, &error);
    if (!recording)
        fail_msg("%s:%d: %s", RECORDING, error.line, error.text);
    arena_init(&a, MIB(64));
    open_frames(recording, &a, &request, &reply);
    same_lines(recording, "request_fields",
               lines_of(request, &ocop__sync__request__descriptor, &a));
    same_lines(recording, "reply_fields", lines_of(reply, &ocop__sync__reply__descriptor, &a));
    json_decref(recording);
    arena_fini(&a);
}

/* The same bytes through what the programs use. */
static void the_recorded_request_opens_as_the_server_opens_it(void **state)
{
    struct arena a;
    struct span request, reply, message;
    struct channel_key server;
    struct noise n;
    uint8_t sender[CHANNEL_KEY_LEN];
    json_t *recording = json_load_file(RECORDING, 0, NULL);

    (void)state;
    assert_non_null(recording);
    arena_init(&a, MIB(64));
    open_frames(recording, &a, &request, &reply);
    channel_key_from_secret(&server, unhex(recording, "server_secret", &a).p);
    assert_int_equal(frame_open_request(&n, &(struct frame_keys){.v = &server, .count = 1},
                                        unhex(recording, "request", &a), &a, &message, sender,
                                        NULL),
                     OCOP_OK);
    assert_true(span_eq(message, request));
    noise_fini(&n);
    json_decref(recording);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recorded_exchange_is_read_to_its_fields),
        cmocka_unit_test(the_recorded_request_opens_as_the_server_opens_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
