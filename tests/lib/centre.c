/* See centre.h. */
#include "centre.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "rights.h"
#include "test.h"

enum { HELD_MAX = 20000, PAGES_MAX = 20000 };

static int64_t now(void *self)
{
    return ((struct centre *)self)->now_ms++;
}

static void random_bytes(void *self, void *out, size_t len)
{
    struct centre *c = self;
    for (size_t i = 0; i < len; i++) { /* splitmix64, one byte at a time */
        uint64_t z = c->random += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        ((uint8_t *)out)[i] = (uint8_t)(z ^ z >> 31);
    }
}

static void quiet(void *self, enum env_level level, const char *line)
{
    (void)self;
    (void)level;
    (void)line;
}

void centre_must(struct centre *c, enum ocop_status st)
{
    if (st != OCOP_OK)
        fail_msg("%s: %s: %s", err_name(st), c->err.field, c->err.text);
}

void centre_open(struct centre *c)
{
    memset(c, 0, sizeof *c);
    c->now_ms = INT64_C(1785000000000); /* July 2026 */
    c->random = 1;
    c->env = (struct env){now, now, random_bytes, quiet, c};
    arena_init(&c->a, MIB(512));
    sign_key_new(&c->keys.root, &c->env);
    c->keys.sign = c->keys.root;
    c->keys.has_root = true;
    channel_key_new(&c->keys.channel[0], &c->env);
    invitation_sign(c->keys.root.secret, c->keys.channel[0].public_key, 0,
                    c->keys.channel_paper[0].signature);
    c->keys.channel_count = 1;
    centre_must(c, registry_open(":memory:", true, &c->env, NULL, &c->r, &c->err));
    c->r->keys = &c->keys;
    centre_must(c, genesis(c->r, &c->keys, "Sổ đăng ký thử", &c->err));
}

void centre_close(struct centre *c)
{
    registry_close(c->r);
    arena_fini(&c->a);
    keys_wipe(&c->keys);
}

/* --- changes -------------------------------------------------------------------------------------
 */

void draft(struct draft_change *d, uint32_t kind, enum verb verb, const struct id *record)
{
    memset(d, 0, sizeof *d);
    d->c.kind = kind;
    d->c.verb = (uint8_t)verb;
    d->c.record = *record;
}

static struct field *add(struct draft_change *d, uint32_t number, enum value_type type)
{
    assert_true(d->c.fields.count < sizeof d->v / sizeof *d->v);
    struct field *f = &d->v[d->c.fields.count++];
    f->number = number;
    f->op = FIELD_SET;
    f->type = (uint8_t)type;
    return f;
}

void draft_text(struct draft_change *d, uint32_t number, const char *text)
{
    add(d, number, VALUE_BYTES)->bytes = span_str(text);
}

void draft_id(struct draft_change *d, uint32_t number, const struct id *id)
{
    add(d, number, VALUE_BYTES)->bytes = id_span(id);
}

void draft_int(struct draft_change *d, uint32_t number, int64_t i)
{
    add(d, number, VALUE_INT)->i = i;
}

void draft_element(struct draft_change *d, struct centre *c, uint32_t number, struct span key,
                   const char *text)
{
    size_t len = text ? strlen(text) : 0;
    uint8_t *p = arena_alloc(&c->a, key.len + len + 4);
    assert_non_null(p);
    assert_true(key.len < 128 && len < 128);
    p[0] = 1 << 3 | 2;
    p[1] = (uint8_t)key.len;
    memcpy(p + 2, key.p, key.len);
    struct field *f = add(d, number, VALUE_ELEMENT);
    f->key = span_of(p + 2, key.len);
    f->bytes = span_of(p, key.len + 2);
    if (!text)
        return;
    p[key.len + 2] = 2 << 3 | 2;
    p[key.len + 3] = (uint8_t)len;
    memcpy(p + key.len + 4, text, len);
    f->bytes.len += len + 2;
}

void draft_base(struct draft_change *d, uint64_t base)
{
    d->c.base = base;
    for (size_t i = 0; i < d->c.fields.count; i++)
        d->v[i].base = base;
}

static struct changes changes_of(struct centre *c, const struct draft_change *d, size_t count)
{
    struct changes out = {arena_calloc(&c->a, count, sizeof *out.v), count};
    assert_non_null(out.v);
    for (size_t i = 0; i < count; i++) {
        out.v[i] = d[i].c;
        out.v[i].fields.v = (struct field *)(uintptr_t)d[i].v;
        out.v[i].device_time_ms = c->now_ms;
    }
    return out;
}

uint64_t centre_write(struct centre *c, const struct draft_change *d, size_t count)
{
    struct author au;
    struct changes changes = changes_of(c, d, count);
    struct outcome_row *rows;
    uint64_t version = 0;
    size_t n = 0;
    centre_must(c, registry_begin(c->r, &c->err));
    centre_must(c, author_begin(c->r, &c->keys, "import", "test", NULL, &au, &c->err));
    centre_must(c, author_write(&au, &changes, &c->a, &version, &c->err));
    author_end(&au);
    centre_must(c, outcomes_of(c->r, version, &c->a, &rows, &n, &c->err));
    for (size_t i = 0; i < n; i++)
        if (rows[i].code == OUTCOME_REFUSED)
            fail_msg("refused: %s: %s", rows[i].field, rows[i].text);
    centre_must(c, registry_commit(c->r, &c->err));
    return version;
}

struct id centre_unit(struct centre *c, const char *code, const char *level,
                      const struct id *parent)
{
    struct draft_change d;
    struct id id = id_next(&c->r->ids, &c->env);
    draft(&d, KIND_UNIT, VERB_CREATE, &id);
    draft_text(&d, 10, code);
    draft_text(&d, 11, code);
    draft_text(&d, 12, level);
    if (parent)
        draft_id(&d, 13, parent);
    draft_text(&d, 14, "2025-01-01");
    centre_write(c, &d, 1);
    return id;
}

struct id centre_officer(struct centre *c, const char *role)
{
    struct draft_change d;
    struct id id = id_next(&c->r->ids, &c->env);
    draft(&d, KIND_OFFICER, VERB_CREATE, &id);
    draft_text(&d, 10, "Nguyễn Văn Đức");
    draft_element(&d, c, 15, span_str(role), NULL);
    centre_write(c, &d, 1);
    return id;
}

struct id centre_producer(struct centre *c, const struct id *unit, const char *name)
{
    struct draft_change d;
    struct id id = id_next(&c->r->ids, &c->env);
    draft(&d, KIND_PRODUCER, VERB_CREATE, &id);
    draft_id(&d, FIELD_UNIT, unit);
    draft_text(&d, 10, name);
    draft_text(&d, 11, "cooperative");
    centre_write(c, &d, 1);
    return id;
}

/* --- devices -------------------------------------------------------------------------------------
 */

/* The token of an invitation, read back from its code. */
static void token_of(struct centre *c, const struct id *officer, const struct id *scope,
                     size_t count, struct invitation *out)
{
    struct invitation_terms terms = {*officer, scope, count, "tcp://127.0.0.1:1",
                                     c->now_ms + 86400000};
    const char *code;
    centre_must(c, invite_make(c->r, &c->keys, &terms, &c->a, &code, &c->err));
    centre_must(c, invitation_decode(code, out, &c->err));
}

void device_enrol(struct device *d, struct centre *c, const struct id *officer,
                  const struct id *scope, size_t count)
{
    struct invitation invitation;
    Ocop__Sync__EnrolRequest in = OCOP__SYNC__ENROL_REQUEST__INIT;
    Ocop__Sync__Enrolment *answer;
    memset(d, 0, sizeof *d);
    arena_init(&d->a, MIB(512));
    d->replica = id_next(&c->r->ids, &c->env);
    d->reading = READ_ALL;
    d->officer = *officer;
    sign_key_new(&d->sign, &c->env);
    env_random(&c->env, d->channel, sizeof d->channel);
    token_of(c, officer, scope, count, &invitation);
    in.token = (ProtobufCBinaryData){invitation.token_len, invitation.token};
    in.replica = (ProtobufCBinaryData){ID_LEN, d->replica.b};
    in.sign_key = (ProtobufCBinaryData){SIGN_PUBLIC_LEN, d->sign.public_key};
    in.has_token = in.has_replica = in.has_sign_key = 1;
    centre_must(c, registry_begin(c->r, &c->err));
    centre_must(c, enrol_answer(c->r, &c->keys, &in, d->channel, &c->a, &answer, &c->err));
    centre_must(c, registry_commit(c->r, &c->err));
    d->held = arena_calloc(&d->a, HELD_MAX, sizeof *d->held);
    d->stubs = arena_calloc(&d->a, HELD_MAX, sizeof *d->stubs);
    assert_true(d->held && d->stubs);
}

void device_close(struct device *d)
{
    sign_key_wipe(&d->sign);
    arena_fini(&d->a);
}

struct set_result device_push_bytes(struct device *d, struct centre *c, struct span body,
                                    const uint8_t signature[SIGNATURE_LEN])
{
    struct set_result result;
    centre_must(c, registry_begin(c->r, &c->err));
    centre_must(c,
                ingest_set(c->r, body, signature, d->channel, c->now_ms, &c->a, &result, &c->err));
    centre_must(c, registry_commit(c->r, &c->err));
    return result;
}

struct change_set device_set(struct device *d, struct centre *c, const struct draft_change *changes,
                             size_t count)
{
    struct change_set set = {.replica = d->replica,
                             .seq = d->seq + 1,
                             .device_time_ms = c->now_ms,
                             .schema = SCHEMA_VERSION,
                             .lineage = c->r->lineage,
                             .changes = changes_of(c, changes, count)};
    c->now_ms += 1000;
    memcpy(set.prev_hash, d->prev_hash, HASH_LEN);
    for (size_t i = 0; i < count; i++)
        set.changes.v[i].author = d->officer;
    return set;
}

struct set_result device_push(struct device *d, struct centre *c,
                              const struct draft_change *changes, size_t count)
{
    struct sealed sealed;
    struct change_set set = device_set(d, c, changes, count);
    centre_must(c, changeset_seal(&set, &d->sign, &c->a, &sealed, &c->err));
    struct set_result result = device_push_bytes(d, c, sealed.body, sealed.signature);
    if (result.code == SET_ACCEPTED) {
        d->seq = set.seq;
        memcpy(d->prev_hash, set.hash, HASH_LEN);
    }
    return result;
}

enum ocop_status device_try(struct device *d, struct centre *c, const struct draft_change *changes,
                            size_t count, struct ocop_error *err)
{
    struct set_result result;
    struct sealed sealed;
    struct change_set set = device_set(d, c, changes, count);
    centre_must(c, changeset_seal(&set, &d->sign, &c->a, &sealed, &c->err));
    centre_must(c, registry_begin(c->r, &c->err));
    enum ocop_status st =
        ingest_set(c->r, sealed.body, sealed.signature, d->channel, c->now_ms, &c->a, &result, err);
    registry_rollback(c->r);
    return st;
}

static struct held *find(struct held *v, size_t count, const struct id *id)
{
    for (size_t i = 0; i < count; i++)
        if (id_eq(&v[i].id, id))
            return &v[i];
    return NULL;
}

const struct held *device_holds(const struct device *d, const struct id *id)
{
    return find(d->held, d->held_count, id);
}

const struct held *device_stub(const struct device *d, const struct id *id)
{
    return find(d->stubs, d->stub_count, id);
}

const char *device_text(struct device *d, const struct id *id, uint32_t number)
{
    const struct held *h = device_holds(d, id);
    const struct field *f = h ? fields_find(&h->fields, number, span_of(NULL, 0)) : NULL;
    return f ? arena_dup(&d->a, f->bytes.p, f->bytes.len) : "";
}

static struct held *slot(struct held *v, size_t *count, const struct id *id)
{
    struct held *h = find(v, *count, id);
    assert_true(h || *count < HELD_MAX);
    return h ? h : &v[(*count)++];
}

static void take(struct device *d, const struct change *c, uint64_t version)
{
    struct held *h;
    struct fields next = c->fields;
    if (c->verb == VERB_STUB) {
        h = slot(d->stubs, &d->stub_count, &c->record);
    } else if (c->verb == VERB_DELTA) {
        h = find(d->held, d->held_count, &c->record);
        assert_non_null(h); /* a part of a record that the device does not hold */
        assert_int_equal(fields_apply(&h->fields, &c->fields, version, false, &d->a, &next, NULL),
                         OCOP_OK);
        d->deltas++;
    } else {
        assert_int_equal(c->verb, VERB_STATE);
        h = slot(d->held, &d->held_count, &c->record);
        d->states++;
    }
    *h = (struct held){c->kind, c->record, next, version};
}

static void drop(struct device *d, struct held *h)
{
    *h = d->held[--d->held_count];
    d->departures++;
}

static void depart(struct device *d, const Ocop__Sync__Departure *gone)
{
    struct id id;
    if (gone->has_id) {
        assert_true(id_from(span_of(gone->id.data, gone->id.len), &id));
        struct held *h = find(d->held, d->held_count, &id);
        if (h)
            drop(d, h);
        return;
    }
    for (size_t i = d->held_count; i-- > 0;) {
        const struct field *f = fields_find(&d->held[i].fields, FIELD_UNIT, span_of(NULL, 0));
        if (f && span_eq(f->bytes, span_of(gone->unit.data, gone->unit.len)))
            drop(d, &d->held[i]);
    }
}

static void take_reply(struct device *d, const Ocop__Sync__SyncReply *reply)
{
    struct changes page = {NULL, 0};
    uint64_t version = 0, run = 0;
    size_t at = 0;
    if (reply->records)
        assert_int_equal(columns_decode(reply->records, &d->a, &page, NULL), OCOP_OK);
    for (size_t i = 0; i < page.count; i++, run--) {
        if (run == 0) {
            assert_true(at + 1 < reply->n_versions);
            version += reply->versions[at];
            run = reply->versions[at + 1];
            at += 2;
        }
        take(d, &page.v[i], version);
    }
    assert_int_equal(at, reply->n_versions);
    for (size_t i = 0; i < reply->n_departures; i++)
        depart(d, reply->departures[i]);
    for (size_t i = 0; i < reply->n_cases && d->notes < 64; i++)
        d->note[d->notes++] = reply->cases[i];
}

bool device_pull_page(struct device *d, struct centre *c, size_t page_bytes)
{
    Ocop__Sync__SyncReply reply = OCOP__SYNC__SYNC_REPLY__INIT;
    /* Packed and unpacked, as the wire would. */
    centre_must(c, registry_begin(c->r, &c->err));
    centre_must(
        c, feed_page(c->r, &d->replica, d->reading, d->cursor, page_bytes, &d->a, &reply, &c->err));
    centre_must(c, registry_commit(c->r, &c->err));
    uint8_t *p = arena_alloc(&d->a, ocop__sync__sync_reply__get_packed_size(&reply) + 1);
    assert_non_null(p);
    size_t len = ocop__sync__sync_reply__pack(&reply, p);
    ProtobufCAllocator from_arena = arena_allocator(&d->a);
    Ocop__Sync__SyncReply *got = ocop__sync__sync_reply__unpack(&from_arena, len, p);
    assert_non_null(got);
    take_reply(d, got);
    d->cursor = got->cursor;
    d->pages++;
    return got->more;
}

void device_pull(struct device *d, struct centre *c, size_t page_bytes)
{
    d->pages = d->states = d->deltas = d->departures = d->notes = 0;
    while (device_pull_page(d, c, page_bytes))
        assert_true(d->pages < PAGES_MAX);
}
