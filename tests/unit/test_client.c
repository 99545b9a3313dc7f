/* libocop against a scripted server: a link whose other end decodes requests with the same frame
 * functions and answers with replies that the test builds. */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "changeset.h"
#include "columns.h"
#include "disk.h"
#include "env.h"
#include "frame.h"
#include "invitation.h"
#include "link.h"
#include "merge.h"
#include "ocop.h"
#include "records.pb-c.h"
#include "sync.pb-c.h"

#define NOW_MS INT64_C(1785900000000) /* 2026-08-05 in Vietnam */
#define TODAY "2026-08-05"

enum { MANY = 64 };

/* --- the scripted server --------------------------------------------------------------------- */

struct told { /* one outcome to tell in the next reply */
    uint64_t seq;
    uint32_t index, code;
    const char *text, *field;
};

struct server {
    struct link link; /* first: what the store holds */
    struct channel_key channel;
    struct sign_key root;
    struct arena arena; /* of one exchange */
    struct id officer, unit, lineage, replica;
    uint8_t sign_public[SIGN_PUBLIC_LEN];
    char code[INVITATION_TEXT_MAX];
    /* what it has */
    uint64_t seq, version;
    uint8_t hash[HASH_LEN];
    struct change got[MANY]; /* changes of accepted sets */
    size_t got_count;
    struct arena kept;
    struct change_set last_set;
    /* what happened */
    unsigned connects, exchanges, sets;
    size_t request_bytes;
    uint8_t first_body[HASH_LEN]; /* hash of the first set's bytes in the last request */
    Ocop__Sync__SyncRequest *request;
    /* what it shall do next */
    bool offline, lose_request, lose_reply, cancel;
    uint32_t code_next, set_code_next;
    struct told told[8];
    size_t told_count;
    struct change feed[MANY];
    uint64_t feed_version[MANY];
    size_t feed_count, page;
    Ocop__Sync__CaseNote notes[4];
    size_t note_count;
    Ocop__Sync__Departure departures[4];
    size_t departure_count;
    uint64_t fork_seq;
    bool reread, forget_feed;
    struct id new_lineage;
    uint64_t lineage_fork;
    struct ocop_store *during; /* save here while the store waits */
    void (*meanwhile)(struct server *v);
};

struct fixture {
    struct server server;
    struct env env;
    int64_t now_ms;
    char path[64];
    struct ocop_store *store;
    struct ocop_error err;
    struct ocop_sync_summary sum;
};

static ProtobufCBinaryData data_of(const void *p, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)p};
}

static enum ocop_status fake_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                     struct ocop_error *err)
{
    struct server *v = (struct server *)l;

    (void)timeout_ms;
    (void)cancel;
    v->connects++;
    return v->offline ? err_set(err, OCOP_ENET, "no signal") : OCOP_OK;
}

static void enrol(struct server *v, const Ocop__Sync__EnrolRequest *q, Ocop__Sync__Enrolment *e)
{
    ProtobufCBinaryData *scope = arena_alloc(&v->arena, sizeof *scope);

    if (q) {
        assert_true(id_from(span_of(q->replica.data, q->replica.len), &v->replica));
        assert_int_equal(q->sign_key.len, SIGN_PUBLIC_LEN);
        memcpy(v->sign_public, q->sign_key.data, SIGN_PUBLIC_LEN);
    }
    ocop__sync__enrolment__init(e);
    e->has_replica = e->has_officer = e->has_number = e->has_lineage = 1;
    e->replica = data_of(v->replica.b, ID_LEN);
    e->officer = data_of(v->officer.b, ID_LEN);
    e->officer_name = "Nguyễn Văn A";
    e->number = q ? 7 : 8;
    e->lineage = data_of(v->lineage.b, ID_LEN);
    *scope = data_of(v->unit.b, ID_LEN);
    e->scope = scope;
    e->n_scope = 1;
}

/* Take one set as a server would; the outcome's code. */
static uint32_t take_set(struct server *v, const Ocop__Sync__Sealed *m, struct change_set *set)
{
    struct ocop_error err;
    struct id zero = {{0}};

    assert_int_equal(changeset_open(span_of(m->body.data, m->body.len), &v->kept, set, &err),
                     OCOP_OK);
    assert_int_equal(changeset_verify(set->hash, m->signature.data, v->sign_public, &err), OCOP_OK);
    if (v->set_code_next)
        return v->set_code_next;
    if (!id_eq(&set->replica, &v->replica)) { /* a fork's successor */
        assert_true(id_eq(&set->predecessor, &v->replica));
        assert_int_equal(set->seq, 1);
        v->replica = set->replica;
        v->seq = 0;
        memset(v->hash, 0, HASH_LEN);
    } else {
        assert_true(set->seq == 1 || id_eq(&set->predecessor, &zero));
    }
    if (set->seq <= v->seq)
        return SET_DUPLICATE;
    if (set->seq != v->seq + 1)
        return SET_GAP;
    assert_memory_equal(set->prev_hash, v->hash, HASH_LEN);
    v->seq = set->seq;
    memcpy(v->hash, set->hash, HASH_LEN);
    v->version++;
    for (size_t i = 0; i < set->changes.count && v->got_count < MANY; i++)
        v->got[v->got_count++] = set->changes.v[i];
    return SET_ACCEPTED;
}

static void put_feed(struct server *v, Ocop__Sync__SyncReply *r)
{
    struct changes page = {v->feed, v->feed_count};
    Ocop__Sync__Columns *columns = arena_alloc(&v->arena, sizeof *columns);
    struct ocop_error err;

    if (v->page && page.count > v->page)
        page.count = v->page;
    if (page.count == 0)
        return;
    assert_int_equal(columns_encode(&page, &v->arena, columns, &err), OCOP_OK);
    r->records = columns;
    r->versions = arena_alloc(&v->arena, page.count * 2 * sizeof *r->versions);
    r->n_versions = page.count * 2;
    for (size_t i = 0; i < page.count; i++) {
        r->versions[i * 2] = v->feed_version[i] - (i ? v->feed_version[i - 1] : 0);
        r->versions[i * 2 + 1] = 1;
    }
    memmove(v->feed, v->feed + page.count, (v->feed_count - page.count) * sizeof *v->feed);
    memmove(v->feed_version, v->feed_version + page.count,
            (v->feed_count - page.count) * sizeof *v->feed_version);
    v->feed_count -= page.count;
    r->has_more = r->more = v->feed_count > 0;
}

static void put_outcomes(struct server *v, Ocop__Sync__SyncReply *r)
{
    r->n_outcomes = v->told_count;
    r->outcomes = arena_alloc(&v->arena, (v->told_count + 1) * sizeof *r->outcomes);
    for (size_t i = 0; i < v->told_count; i++) {
        Ocop__Sync__Outcome *o = arena_alloc(&v->arena, sizeof *o);
        ocop__sync__outcome__init(o);
        o->has_seq = o->has_index = o->has_code = 1;
        o->seq = v->told[i].seq;
        o->index = v->told[i].index;
        o->code = v->told[i].code;
        o->text = (char *)(uintptr_t)v->told[i].text;
        o->field = (char *)(uintptr_t)v->told[i].field;
        if (o->code == OUTCOME_CASE) { /* names its cases, as the registry's do */
            o->cases = arena_alloc(&v->arena, (v->note_count + 1) * sizeof *o->cases);
            for (size_t n = 0; n < v->note_count; n++)
                o->cases[o->n_cases++] = v->notes[n].id;
        }
        r->outcomes[i] = o;
    }
    v->told_count = 0;
    r->n_cases = v->note_count;
    r->cases = arena_alloc(&v->arena, (v->note_count + 1) * sizeof *r->cases);
    for (size_t i = 0; i < v->note_count; i++)
        r->cases[i] = &v->notes[i];
    r->n_departures = v->departure_count;
    r->departures = arena_alloc(&v->arena, (v->departure_count + 1) * sizeof *r->departures);
    for (size_t i = 0; i < v->departure_count; i++)
        r->departures[i] = &v->departures[i];
}

static void put_sets(struct server *v, const Ocop__Sync__SyncRequest *q, Ocop__Sync__SyncReply *r)
{
    r->n_sets = q->n_sets;
    r->sets = arena_alloc(&v->arena, (q->n_sets + 1) * sizeof *r->sets);
    v->sets = (unsigned)q->n_sets;
    for (size_t i = 0; i < q->n_sets; i++) {
        Ocop__Sync__SetOutcome *o = arena_alloc(&v->arena, sizeof *o);
        struct change_set set;
        if (i == 0)
            hash_bytes(span_of(q->sets[0]->body.data, q->sets[0]->body.len), v->first_body);
        ocop__sync__set_outcome__init(o);
        o->has_seq = o->has_version = o->has_code = 1;
        o->code = take_set(v, q->sets[i], &set);
        o->seq = set.seq;
        o->version = v->version;
        o->text = "the scripted server does not like it";
        r->sets[i] = o;
        v->last_set = set;
    }
    v->set_code_next = 0;
}

static void answer_sync(struct server *v, const Ocop__Sync__SyncRequest *q, Ocop__Sync__Reply *out)
{
    Ocop__Sync__SyncReply *r = arena_alloc(&v->arena, sizeof *r);
    Ocop__Sync__Cursor *cursor = arena_alloc(&v->arena, sizeof *cursor);
    bool forked = v->fork_seq != 0;

    ocop__sync__sync_reply__init(r);
    ocop__sync__cursor__init(cursor);
    put_sets(v, q, r);
    put_outcomes(v, r);
    put_feed(v, r);
    r->has_acked_seq = !forked;
    r->acked_seq = v->seq;
    r->has_fork_seq = forked;
    r->fork_seq = v->fork_seq;
    r->has_server_time_ms = 1;
    r->server_time_ms = NOW_MS - 5000;
    r->has_reread = r->reread = v->reread;
    r->has_lineage = 1;
    r->lineage = data_of(v->lineage.b, ID_LEN);
    if (!id_is_zero(&v->new_lineage)) {
        Ocop__Sync__Lineage *l = arena_alloc(&v->arena, sizeof *l);
        ocop__sync__lineage__init(l);
        l->lineage = data_of(v->new_lineage.b, ID_LEN);
        l->parent = r->lineage;
        l->has_lineage = l->has_parent = l->has_fork_version = 1;
        l->fork_version = v->lineage_fork;
        r->lineage = l->lineage;
        r->lineages = arena_alloc(&v->arena, sizeof *r->lineages);
        r->lineages[0] = l;
        r->n_lineages = 1;
    }
    cursor->has_version = 1;
    cursor->version = v->version;
    r->cursor = cursor;
    v->reread = false;
    v->fork_seq = 0;
    v->note_count = v->departure_count = 0;
    out->sync = r;
}

static enum ocop_status fake_exchange(struct link *l, struct span request, int timeout_ms,
                                      const atomic_bool *cancel, struct buf *reply,
                                      struct ocop_error *err)
{
    struct server *v = (struct server *)l;
    ProtobufCAllocator allocator = arena_allocator(&v->arena);
    uint8_t sender[CHANNEL_KEY_LEN];
    struct noise n = {0};
    struct span message;
    Ocop__Sync__Request *q;
    Ocop__Sync__Reply r = OCOP__SYNC__REPLY__INIT;
    Ocop__Sync__Enrolment e;
    uint8_t *packed;

    (void)timeout_ms;
    v->exchanges++;
    v->request_bytes = request.len;
    if (v->cancel || atomic_load(cancel))
        return err_set(err, OCOP_ECANCELLED, "cancelled");
    if (v->lose_request) {
        v->lose_request = false;
        return err_set(err, OCOP_ETIMEOUT, "no answer");
    }
    arena_reset(&v->arena);
    assert_int_equal(frame_open_request(&n, &(struct frame_keys){.v = &v->channel, .count = 1},
                                        request, &v->arena, &message, sender, err),
                     OCOP_OK);
    q = ocop__sync__request__unpack(&allocator, message.len, message.p);
    assert_non_null(q);
    v->request = q->sync;
    r.has_code = 1;
    r.code = v->code_next;
    r.text = "come back later";
    if (v->meanwhile)
        v->meanwhile(v);
    if (q->enrol) {
        enrol(v, q->enrol, &e);
        r.enrolment = &e;
    } else if (!r.code) {
        bool successor = false;
        struct id before = v->replica;
        answer_sync(v, q->sync, &r);
        successor = !id_eq(&before, &v->replica);
        if (successor) {
            enrol(v, NULL, &e);
            r.sync->enrolment = &e;
        }
    }
    v->code_next = 0;
    packed = arena_alloc(&v->arena, ocop__sync__reply__get_packed_size(&r));
    assert_non_null(packed);
    assert_int_equal(frame_seal_reply(&n, env_system(),
                                      span_of(packed, ocop__sync__reply__pack(&r, packed)), reply,
                                      err),
                     OCOP_OK);
    noise_fini(&n);
    if (v->lose_reply) {
        v->lose_reply = false;
        buf_clear(reply);
        return err_set(err, OCOP_ETIMEOUT, "no answer");
    }
    return OCOP_OK;
}

static void fake_close(struct link *l)
{
    (void)l;
}

/* --- fixtures -------------------------------------------------------------------------------- */

static int64_t fixed_now(void *self)
{
    return ((struct fixture *)self)->now_ms;
}

static void real_random(void *self, void *out, size_t len)
{
    (void)self;
    env_random(env_system(), out, len);
}

static void quiet(void *self, enum env_level level, const char *line)
{
    (void)self;
    (void)level;
    (void)line;
}

static struct id made_id(uint8_t n)
{
    struct id id = {{0}};

    id.b[0] = n;
    id.b[6] = 0x80;
    id.b[8] = 0x80;
    id.b[15] = n;
    return id;
}

static void open_store(struct fixture *f)
{
    struct ocop_options o = {.env = &f->env, .link = &f->server.link};

    assert_int_equal(ocop_open(f->path, &o, &f->store, &f->err), OCOP_OK);
}

static void reopen(struct fixture *f)
{
    ocop_close(f->store);
    open_store(f);
}

static void remove_store(struct fixture *f)
{
    char name[80];

    (void)unlink(f->path);
    (void)snprintf(name, sizeof name, "%s-wal", f->path);
    (void)unlink(name);
    (void)snprintf(name, sizeof name, "%s-shm", f->path);
    (void)unlink(name);
}

static void make_code(struct server *v)
{
    struct invitation in = {.token = "token", .token_len = 5, .expires_ms = NOW_MS};
    struct buf text;
    struct ocop_error err;

    memcpy(in.root_key, v->root.public_key, sizeof in.root_key);
    memcpy(in.channel_key, v->channel.public_key, sizeof in.channel_key);
    (void)snprintf(in.address, sizeof in.address, "tcp://registry.example:7700");
    invitation_sign(v->root.secret, v->channel.public_key, 0, in.channel_signature);
    buf_init(&text, INVITATION_TEXT_MAX);
    assert_int_equal(invitation_encode(&in, &text, &err), OCOP_OK);
    (void)snprintf(v->code, sizeof v->code, "%s", buf_cstr(&text));
    buf_fini(&text);
}

static int setup_empty(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->now_ms = NOW_MS;
    f->env = (struct env){fixed_now, fixed_now, real_random, quiet, f};
    (void)snprintf(f->path, sizeof f->path, "/tmp/ocop-client-%ld.db", (long)getpid());
    remove_store(f);
    f->server.link =
        (struct link){.connect = fake_connect, .exchange = fake_exchange, .close = fake_close};
    arena_init(&f->server.arena, MIB(64));
    arena_init(&f->server.kept, MIB(64));
    channel_key_new(&f->server.channel, env_system());
    sign_key_new(&f->server.root, env_system());
    f->server.officer = made_id(1);
    f->server.unit = made_id(2);
    f->server.lineage = made_id(3);
    make_code(&f->server);
    open_store(f);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    struct fixture *f;

    setup_empty(state);
    f = *state;
    return ocop_enrol(f->store, f->server.code, "phone", &f->err) == OCOP_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ocop_close(f->store);
    arena_fini(&f->server.arena);
    arena_fini(&f->server.kept);
    remove_store(f);
    free(f);
    return 0;
}

#define OK(call) assert_int_equal((call), OCOP_OK)

static void sync_ok(struct fixture *f)
{
    enum ocop_status st = ocop_sync(f->store, NULL, &f->sum, &f->err);

    if (st)
        fail_msg("sync: %s", f->err.text);
}

static char *text(const char *s)
{
    char *copy = strdup(s);

    assert_non_null(copy);
    return copy;
}

static void set_text(char **field, const char *s)
{
    free(*field);
    *field = text(s);
}

static void set_bytes(protobuf_c_boolean *has, ProtobufCBinaryData *field, const struct id *id)
{
    free(field->data);
    field->data = malloc(ID_LEN);
    assert_non_null(field->data);
    memcpy(field->data, id->b, ID_LEN);
    field->len = ID_LEN;
    *has = 1;
}

/* An inspection that may be submitted. */
static Ocop__Inspection *inspection(struct fixture *f)
{
    ProtobufCMessage *m;
    Ocop__Inspection *i;
    struct id producer = made_id(9);

    OK(ocop_new(f->store, "inspection", &m, &f->err));
    i = (Ocop__Inspection *)m;
    set_bytes(&i->has_unit_id, &i->unit_id, &f->server.unit);
    set_bytes(&i->has_producer_id, &i->producer_id, &producer);
    set_text(&i->inspection_type, "planned");
    set_text(&i->conclusion, "pass");
    set_text(&i->notes, "Hoà Lạc: mắm ruốc ở Đắk Mil");
    i->has_score = 1;
    i->score = 80;
    return i;
}

static struct ocop_id id_of(const Ocop__Inspection *i)
{
    struct ocop_id id;

    memcpy(id.b, i->id.data, ID_LEN);
    return id;
}

static struct ocop_id submit_one(struct fixture *f)
{
    Ocop__Inspection *i = inspection(f);
    struct ocop_id id = id_of(i);

    if (ocop_submit(f->store, &i->base, &f->err) != OCOP_OK)
        fail_msg("submit: %s: %s", f->err.field, f->err.text);
    ocop_free(&i->base);
    return id;
}

static Ocop__Inspection *load(struct fixture *f, const struct ocop_id *id)
{
    ProtobufCMessage *m;

    OK(ocop_load(f->store, id, &m, &f->err));
    return (Ocop__Inspection *)m;
}

static void amend_score(struct fixture *f, const struct ocop_id *id, int score)
{
    Ocop__Inspection *i = load(f, id);

    i->has_score = 1;
    i->score = score;
    OK(ocop_amend(f->store, &i->base, "typing error", &f->err));
    ocop_free(&i->base);
}

static void assert_score(struct fixture *f, const struct ocop_id *id, int score)
{
    Ocop__Inspection *i = load(f, id);

    assert_int_equal(i->score, score);
    ocop_free(&i->base);
}

static void assert_state(struct fixture *f, const struct ocop_id *id, enum ocop_record_state state)
{
    struct ocop_record_status *s;

    OK(ocop_record_status(f->store, id, &s, &f->err));
    assert_int_equal(s->state, state);
    ocop_record_status_free(s);
}

static void assert_clean(struct fixture *f)
{
    unsigned findings = 99;

    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_int_equal(findings, 0);
}

/* Put a record into the server's feed: the message as it stands in the registry. */
static void feed(struct fixture *f, ProtobufCMessage *m, enum verb verb, uint64_t version)
{
    struct server *v = &f->server;
    struct change *c = &v->feed[v->feed_count];
    const struct kind *k = kind_by_descriptor(m->descriptor);
    uint8_t *packed = arena_alloc(&v->kept, protobuf_c_message_get_packed_size(m) + 1);

    while (m->n_unknown_fields) /* a registry has no memory of what a device loaded */
        free(m->unknown_fields[--m->n_unknown_fields].data);
    memset(c, 0, sizeof *c);
    c->kind = k->number;
    c->verb = (uint8_t)verb;
    OK(record_unpack(k, span_of(packed, protobuf_c_message_pack(m, packed)), &v->kept, &c->record,
                     &c->fields, &f->err));
    v->feed_version[v->feed_count++] = version;
    if (version > v->version)
        v->version = version;
}

/* A record as the device shows it. */
static void feed_as_shown(struct fixture *f, const struct ocop_id *id)
{
    ProtobufCMessage *m;

    OK(ocop_load(f->store, id, &m, &f->err));
    feed(f, m, VERB_STATE, f->server.version + 1);
    ocop_free(m);
}

/* One field of a record as it now stands in the registry. */
static void feed_score(struct fixture *f, const struct ocop_id *id, int score, uint64_t version)
{
    Ocop__Inspection m = OCOP__INSPECTION__INIT;

    m.has_id = m.has_score = 1;
    m.id = data_of(id->b, ID_LEN);
    m.score = score;
    feed(f, &m.base, VERB_DELTA, version);
}

static void feed_unit(struct fixture *f)
{
    Ocop__Unit u = OCOP__UNIT__INIT;

    u.has_id = 1;
    u.id = data_of(f->server.unit.b, ID_LEN);
    u.code = "00123";
    u.name = "Xã Đắk Mil";
    u.level = "commune";
    u.effective_from = "2025-07-01";
    feed(f, &u.base, VERB_STATE, 1);
}

static void feed_producer(struct fixture *f, uint8_t n, const char *name)
{
    Ocop__Producer p = OCOP__PRODUCER__INIT;
    struct id id = made_id(n);

    p.has_id = p.has_unit_id = 1;
    p.id = data_of(id.b, ID_LEN);
    p.unit_id = data_of(f->server.unit.b, ID_LEN);
    p.name = (char *)(uintptr_t)name;
    p.producer_type = "cooperative";
    feed(f, &p.base, VERB_STATE, f->server.version + 1);
}

static size_t count_found(struct fixture *f, const struct ocop_query *q)
{
    struct ocop_list *list;
    size_t n;

    OK(ocop_find(f->store, q, &list, &f->err));
    n = list->count;
    ocop_list_free(list);
    return n;
}

static void run_sql(struct fixture *f, const char *sql)
{
    sqlite3 *db;

    ocop_close(f->store);
    f->store = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Base of one field in a change that the server got. */
static uint64_t base_of(const struct change *c, uint32_t number)
{
    const struct field *v = fields_find(&c->fields, number, span_of(NULL, 0));

    assert_non_null(v);
    return v->base;
}

enum { F_SCORE = 27, F_CONCLUSION = 26, F_NOTES = 34, F_MINUTES = 20 };

/* --- enrolment ------------------------------------------------------------------------------- */

static void a_store_that_is_not_enrolled_records_nothing(void **state)
{
    struct fixture *f = *state;
    ProtobufCMessage *m;

    assert_int_equal(ocop_new(f->store, "inspection", &m, &f->err), OCOP_ENOTENROLLED);
    assert_null(m);
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ENOTENROLLED);
}

static void an_enrolment_repeated_after_a_lost_answer_has_the_same_keys(void **state)
{
    struct fixture *f = *state;
    struct id first;
    uint8_t key[SIGN_PUBLIC_LEN];
    struct ocop_store_status s;

    f->server.lose_reply = true;
    assert_int_equal(ocop_enrol(f->store, f->server.code, NULL, &f->err), OCOP_ETIMEOUT);
    first = f->server.replica;
    memcpy(key, f->server.sign_public, sizeof key);
    reopen(f);
    OK(ocop_enrol(f->store, f->server.code, NULL, &f->err));
    assert_true(id_eq(&first, &f->server.replica));
    assert_memory_equal(key, f->server.sign_public, sizeof key);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_true(s.enrolled);
    assert_int_equal(s.device_number, 7);
    assert_string_equal(s.officer_name, "Nguyễn Văn A");
    assert_string_equal(s.server, "tcp://registry.example:7700");
    OK(ocop_enrol(f->store, f->server.code, NULL, &f->err)); /* and once more changes nothing */
    assert_true(id_eq(&first, &f->server.replica));
}

static void a_mistyped_invitation_is_named_as_such(void **state)
{
    struct fixture *f = *state;
    char code[INVITATION_TEXT_MAX];

    (void)snprintf(code, sizeof code, "%s", f->server.code);
    code[20] = code[20] == 'A' ? 'C' : 'A';
    assert_int_equal(ocop_enrol(f->store, code, NULL, &f->err), OCOP_EINVAL);
    assert_int_equal(ocop_enrol(f->store, "", NULL, &f->err), OCOP_EINVAL);
    code[20] = '%';
    assert_int_equal(ocop_enrol(f->store, code, NULL, &f->err), OCOP_EINVAL);
    assert_int_equal(f->server.exchanges, 0);
}

static void an_invitation_is_read_in_any_case_and_with_likely_slips(void **state)
{
    struct fixture *f = *state;
    char code[INVITATION_TEXT_MAX];
    size_t n = 0;

    for (const char *p = f->server.code; *p; p++) {
        if (*p == '-')
            continue;
        code[n++] = *p == 'O'   ? '0'
                    : *p == 'I' ? '1'
                    : *p == 'B' ? '8'
                    : *p >= 'A' ? (char)(*p + 32)
                                : *p;
    }
    code[n] = '\0';
    OK(ocop_enrol(f->store, code, NULL, &f->err));
}

static void an_invitation_whose_server_the_root_did_not_sign_is_refused(void **state)
{
    struct fixture *f = *state;

    sign_key_new(&f->server.root, env_system());
    struct invitation in;
    struct buf t;
    OK(invitation_decode(f->server.code, &in, &f->err));
    memcpy(in.root_key, f->server.root.public_key, sizeof in.root_key);
    buf_init(&t, INVITATION_TEXT_MAX);
    OK(invitation_encode(&in, &t, &f->err));
    assert_int_equal(ocop_enrol(f->store, buf_cstr(&t), NULL, &f->err), OCOP_EAUTH);
    buf_fini(&t);
}

/* --- recording ------------------------------------------------------------------------------- */

static void a_new_record_knows_its_day_officer_and_rule_set(void **state)
{
    struct fixture *f = *state;
    ProtobufCMessage *m;
    Ocop__Inspection *i;

    OK(ocop_new(f->store, "inspection", &m, &f->err));
    i = (Ocop__Inspection *)m;
    assert_memory_equal(i->officer_id.data, f->server.officer.b, ID_LEN);
    assert_string_equal(i->inspected_date, TODAY);
    assert_true(i->recorded_ms == NOW_MS);
    assert_string_equal(i->rule_set, "ocop-26-2026");
    assert_false(i->has_unit_id); /* its unit is not known to be a commune yet */
    ocop_free(m);
    feed_unit(f);
    sync_ok(f);
    OK(ocop_new(f->store, "inspection", &m, &f->err));
    i = (Ocop__Inspection *)m;
    assert_memory_equal(i->unit_id.data, f->server.unit.b, ID_LEN);
    ocop_free(m);
    assert_int_equal(ocop_new(f->store, "replica", &m, &f->err), OCOP_ENOTFOUND);
}

static void a_draft_survives_closing_and_is_not_sent(void **state)
{
    struct fixture *f = *state;
    Ocop__Inspection *i = inspection(f), *back;
    struct ocop_id id = id_of(i);

    set_text(&i->conclusion, "");
    free(i->conclusion);
    i->conclusion = NULL; /* a draft may lack what a submission needs */
    OK(ocop_save(f->store, &i->base, &f->err));
    i->score = 70;
    OK(ocop_save(f->store, &i->base, &f->err));
    reopen(f);
    back = load(f, &id);
    assert_int_equal(back->score, 70);
    assert_string_equal(back->notes, i->notes);
    assert_null(back->minutes_no);
    assert_state(f, &id, OCOP_DRAFT);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 0);
    assert_state(f, &id, OCOP_DRAFT);
    assert_int_equal(ocop_submit_draft(f->store, &id, NULL, &f->err), OCOP_EINVAL);
    assert_string_equal(f->err.field, "conclusion");
    OK(ocop_discard(f->store, &id, &f->err));
    ProtobufCMessage *m;
    assert_int_equal(ocop_load(f->store, &id, &m, &f->err), OCOP_ENOTFOUND);
    ocop_free(&i->base);
    ocop_free(&back->base);
    assert_clean(f);
}

static void what_is_wrong_is_named_by_its_field(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *assignment, *field;
        bool at_save;
    } cases[] = {
        {"score=101", "score", true},
        {"inspected_date=2026-02-30", "inspected_date", true},
        {"conclusion=", "conclusion", false},
        {"follow_up_date=2026-08-01", "follow_up_date", true},
    };

    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        Ocop__Inspection *i = inspection(f);
        ProtobufCMessage *m = &i->base;
        OK(ocop_set_text(f->store, &m, cases[n].assignment, &f->err));
        assert_int_equal(ocop_submit(f->store, m, &f->err), OCOP_EINVAL);
        assert_string_equal(f->err.field, cases[n].field);
        assert_int_equal(ocop_save(f->store, m, &f->err), cases[n].at_save ? OCOP_EINVAL : OCOP_OK);
        ocop_free(m);
    }
    struct ocop_store_status s;
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_int_equal(s.waiting, 0);
}

static void a_submission_gets_the_next_paper_number_of_its_year(void **state)
{
    struct fixture *f = *state;
    struct ocop_id a, b, c;
    Ocop__Inspection *i;

    feed_unit(f);
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    a = submit_one(f);
    b = submit_one(f);
    f->now_ms += INT64_C(365) * 86400000;
    reopen(f);
    c = submit_one(f);
    i = load(f, &a);
    assert_string_equal(i->minutes_no, "BB-00123-2026-007-0001");
    ocop_free(&i->base);
    i = load(f, &b);
    assert_string_equal(i->minutes_no, "BB-00123-2026-007-0002");
    ocop_free(&i->base);
    i = load(f, &c);
    assert_string_equal(i->minutes_no, "BB-00123-2027-007-0001");
    i->score = 3;
    assert_int_equal(ocop_submit(f->store, &i->base, &f->err), OCOP_ESTATE);
    ocop_free(&i->base);
    i = inspection(f);
    set_text(&i->minutes_no, "BB-1");
    assert_int_equal(ocop_submit(f->store, &i->base, &f->err), OCOP_EINVAL);
    assert_string_equal(f->err.field, "minutes_no");
    ocop_free(&i->base);
}

static void a_reference_must_be_on_the_device_once_it_has_synced(void **state)
{
    struct fixture *f = *state;
    Ocop__Inspection *i = inspection(f);

    OK(ocop_submit(f->store, &i->base, &f->err)); /* before the first sync nobody can know */
    ocop_free(&i->base);
    feed_unit(f);
    sync_ok(f);
    i = inspection(f);
    assert_int_equal(ocop_submit(f->store, &i->base, &f->err), OCOP_EINVAL);
    assert_string_equal(f->err.field, "producer_id");
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    OK(ocop_submit(f->store, &i->base, &f->err));
    ocop_free(&i->base);
}

static void roles_of_the_officer_hold_once_they_are_known(void **state)
{
    struct fixture *f = *state;
    Ocop__Officer o = OCOP__OFFICER__INIT;
    Ocop__OfficerRole role = OCOP__OFFICER_ROLE__INIT, *roles = &role;
    ProtobufCMessage *m;

    role.role = "viewer";
    o.has_id = 1;
    o.id = data_of(f->server.officer.b, ID_LEN);
    o.name = "A";
    o.n_roles = 1;
    o.roles = &roles;
    feed(f, &o.base, VERB_STATE, 1);
    OK(ocop_new(f->store, "inspection", &m, &f->err));
    sync_ok(f);
    assert_int_equal(ocop_save(f->store, m, &f->err), OCOP_EPERM);
    ocop_free(m);
    assert_int_equal(ocop_new(f->store, "inspection", &m, &f->err), OCOP_EPERM);
}

static void an_amendment_sends_only_what_differs(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Inspection *i;

    sync_ok(f);
    i = load(f, &id);
    assert_int_equal(ocop_amend(f->store, &i->base, "", &f->err), OCOP_EINVAL);
    assert_string_equal(f->err.field, "reason");
    OK(ocop_amend(f->store, &i->base, "nothing", &f->err));
    i->score = 55;
    OK(ocop_amend(f->store, &i->base, "typing error", &f->err));
    ocop_free(&i->base);
    assert_state(f, &id, OCOP_WAITING);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 2);
    assert_int_equal(f->server.got[1].verb, VERB_AMEND);
    assert_int_equal(f->server.got[1].fields.count, 1);
    assert_int_equal(f->server.got[1].fields.v[0].number, F_SCORE);
    assert_true(span_eq(f->server.got[1].reason, span_str("typing error")));
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_clean(f);
}

static void each_submission_and_amendment_is_a_change_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);

    amend_score(f, &id, 10);
    amend_score(f, &id, 20);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 3);
    assert_int_equal(f->server.exchanges, 2); /* the enrolment and one round trip */
    assert_score(f, &id, 20);
    assert_int_equal(f->sum.pushed, 3);
    assert_true(f->sum.complete);
}

static void a_void_and_an_addition_are_changes_too(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Finding finding = OCOP__FINDING__INIT;
    Ocop__Inspection *i;

    finding.description = "Không có nhãn";
    finding.severity = "minor";
    OK(ocop_add(f->store, &id, "findings", &finding.base, "seen later", &f->err));
    assert_int_equal(ocop_add(f->store, &id, "answers", &finding.base, "x", &f->err), OCOP_EINVAL);
    i = load(f, &id);
    assert_int_equal(i->n_findings, 1);
    assert_int_equal(i->findings[0]->key.len, ID_LEN);
    ocop_free(&i->base);
    assert_int_equal(ocop_void(f->store, &id, "", &f->err), OCOP_EINVAL);
    OK(ocop_void(f->store, &id, "wrong producer", &f->err));
    i = load(f, &id);
    assert_true(i->voided);
    i->score = 1;
    assert_int_equal(ocop_save(f->store, &i->base, &f->err), OCOP_ESTATE);
    ocop_free(&i->base);
    sync_ok(f);
    assert_int_equal(f->server.got[1].verb, VERB_ADD);
    assert_int_equal(f->server.got[1].fields.count, 1);
    assert_int_equal(f->server.got[2].verb, VERB_VOID);
    assert_clean(f);
}

static void a_draft_of_an_amendment_is_discarded_to_what_was_submitted(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Inspection *i;

    sync_ok(f);
    i = load(f, &id);
    i->score = 5;
    OK(ocop_save(f->store, &i->base, &f->err));
    assert_score(f, &id, 5);
    assert_state(f, &id, OCOP_DRAFT);
    assert_clean(f);
    OK(ocop_discard(f->store, &id, &f->err));
    assert_score(f, &id, 80);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_int_equal(ocop_discard(f->store, &id, &f->err), OCOP_ENOTFOUND);
    OK(ocop_save(f->store, &i->base, &f->err));
    OK(ocop_submit_draft(f->store, &id, "typing error", &f->err));
    ocop_free(&i->base);
    assert_state(f, &id, OCOP_WAITING);
    assert_clean(f);
}

/*   saw 4, edited score; pulled 6; edited score again and notes: score is based on 4, notes on 6 */
static void each_field_keeps_the_version_at_which_it_was_first_edited(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Inspection *i;

    sync_ok(f);
    feed_score(f, &id, 81, 4);
    sync_ok(f);
    i = load(f, &id);
    i->score = 10;
    OK(ocop_save(f->store, &i->base, &f->err));
    ocop_free(&i->base);
    feed_score(f, &id, 82, 6);
    sync_ok(f);
    assert_score(f, &id, 10); /* the officer's own edit does not vanish */
    i = load(f, &id);
    i->score = 11;
    set_text(&i->notes, "khác");
    OK(ocop_save(f->store, &i->base, &f->err));
    OK(ocop_submit_draft(f->store, &id, "again", &f->err));
    ocop_free(&i->base);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 2);
    assert_int_equal(base_of(&f->server.got[1], F_SCORE), 4);
    assert_int_equal(base_of(&f->server.got[1], F_NOTES), 6);
    assert_clean(f);
}

/* --- finding --------------------------------------------------------------------------------- */

static void words_are_found_with_and_without_diacritics_in_either_form(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"Hoà Lạc", 1}, {"hoa lac", 1},     {"HOA", 1},           {"Hoa\xcc\x80", 1},
        {"dak mil", 1}, {"Đắk", 1},         {"ruo", 1},           {"ruocs", 0},
        {"mam tom", 0}, {"bb 2026 007", 1}, {"BB-00000-2026", 1},
    };
    struct ocop_id id = submit_one(f);

    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct ocop_query q = {.kind = "inspection", .text = cases[n].text};
        if (count_found(f, &q) != cases[n].count)
            fail_msg("\"%s\"", cases[n].text);
    }
    Ocop__Inspection *i = load(f, &id);
    set_text(&i->notes, "nước mắm");
    OK(ocop_amend(f->store, &i->base, "other", &f->err));
    ocop_free(&i->base);
    assert_int_equal(count_found(f, &(struct ocop_query){.text = "ruoc"}), 0);
    assert_int_equal(count_found(f, &(struct ocop_query){.text = "nuoc mam"}), 1);
    struct ocop_list *list;
    assert_int_equal(ocop_find(f->store, &(struct ocop_query){.text = "--"}, &list, &f->err),
                     OCOP_EINVAL);
    assert_string_equal(f->err.field, "text");
}

static void records_are_found_newest_first_by_unit_product_day_and_state(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id[3];
    struct ocop_list *list;
    struct ocop_id unit, other = {{7}};

    for (int n = 0; n < 3; n++) {
        Ocop__Inspection *i = inspection(f);
        static const char *const days[] = {"2026-08-01", "2026-08-03", "2026-08-02"};
        set_text(&i->inspected_date, days[n]);
        id[n] = id_of(i);
        OK(ocop_submit(f->store, &i->base, &f->err));
        ocop_free(&i->base);
    }
    memcpy(unit.b, f->server.unit.b, ID_LEN);
    OK(ocop_find(f->store, &(struct ocop_query){.unit = &unit}, &list, &f->err));
    assert_int_equal(list->count, 3);
    assert_memory_equal(list->items[0].id.b, id[1].b, ID_LEN);
    assert_memory_equal(list->items[2].id.b, id[0].b, ID_LEN);
    assert_string_equal(list->items[0].day, "2026-08-03");
    assert_string_equal(list->items[0].label, "BB-00000-2026-007-0002");
    assert_int_equal(list->items[0].state, OCOP_WAITING);
    ocop_list_free(list);
    OK(ocop_find(f->store, &(struct ocop_query){.kind = "inspection", .limit = 1, .offset = 1},
                 &list, &f->err));
    assert_int_equal(list->count, 1);
    assert_true(list->more);
    assert_memory_equal(list->items[0].id.b, id[2].b, ID_LEN);
    ocop_list_free(list);
    assert_int_equal(count_found(f, &(struct ocop_query){.unit = &other}), 0);
    assert_int_equal(
        count_found(f, &(struct ocop_query){.from_date = "2026-08-02", .to_date = "2026-08-02"}),
        1);
    assert_int_equal(count_found(f, &(struct ocop_query){.state = OCOP_WAITING}), 3);
    assert_int_equal(count_found(f, &(struct ocop_query){.state = OCOP_DRAFT}), 0);
    OK(ocop_void(f->store, &id[0], "twice", &f->err));
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "inspection"}), 2);
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "inspection", .voided_too = true}),
                     3);
    sync_ok(f);
    assert_int_equal(count_found(f, &(struct ocop_query){.state = OCOP_ACCEPTED}), 2);
    assert_int_equal(ocop_find(f->store, &(struct ocop_query){.from_date = "5/8"}, &list, &f->err),
                     OCOP_EINVAL);
    assert_string_equal(f->err.field, "from_date");
}

/* --- syncing --------------------------------------------------------------------------------- */

static void nothing_is_sealed_without_a_connection(void **state)
{
    struct fixture *f = *state;
    struct ocop_store_status s;

    submit_one(f);
    f->server.offline = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ENET);
    assert_int_equal(f->sum.left, 1);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_int_equal(s.waiting, 1);
    f->server.offline = false;
    sync_ok(f);
    assert_int_equal(f->server.last_set.seq, 1);
    assert_int_equal(f->sum.left, 0);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.skew_ms, 5000);
    assert_true(s.last_sync_ms == NOW_MS);
}

static void a_lost_request_is_sent_again_with_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    uint8_t first[HASH_LEN];

    f->server.lose_reply = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ETIMEOUT);
    memcpy(first, f->server.first_body, HASH_LEN);
    assert_state(f, &id, OCOP_WAITING);
    submit_one(f);
    reopen(f);
    f->now_ms += 1000;
    sync_ok(f);
    assert_memory_equal(first, f->server.first_body, HASH_LEN);
    assert_int_equal(f->server.got_count, 2);
    assert_int_equal(f->sum.pushed, 2);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_clean(f);
}

static void a_repeated_exchange_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);

    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    assert_int_equal(f->server.got_count, 1);
    assert_int_equal(f->sum.pushed, 0);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "producer", .text = "mam"}), 1);
    assert_clean(f);
}

static void many_changes_travel_in_sets_within_the_budget(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 1;

    for (int n = 0; n < 60; n++) {
        Ocop__Inspection *i = inspection(f);
        char notes[2001];
        for (size_t c = 0; c < sizeof notes - 1; c++) {
            seed = seed * 1103515245u + 12345u;
            notes[c] = (char)('a' + (seed >> 16) % 26);
        }
        notes[sizeof notes - 1] = '\0';
        set_text(&i->notes, notes);
        OK(ocop_submit(f->store, &i->base, &f->err));
        ocop_free(&i->base);
    }
    f->server.lose_request = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ETIMEOUT);
    assert_true(f->server.request_bytes <= SET_SEALED_BYTES_START + 1024);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 60);
    assert_true(f->server.seq > 1);
    assert_true(f->sum.complete);
    assert_int_equal(f->sum.pushed, 60);
    assert_clean(f);
}

static void a_refused_change_is_shown_with_its_reason_and_blocks_nothing(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f), other = submit_one(f);
    struct ocop_record_status *s;
    Ocop__Inspection *i;

    f->server.told[f->server.told_count++] =
        (struct told){1, 0, OUTCOME_REFUSED, "not your unit", "unit_id"};
    sync_ok(f);
    assert_int_equal(f->sum.refused, 1);
    assert_int_equal(f->sum.applied, 1);
    OK(ocop_record_status(f->store, &id, &s, &f->err));
    assert_int_equal(s->state, OCOP_REFUSED);
    assert_string_equal(s->reason, "not your unit");
    assert_string_equal(s->reason_field, "unit_id");
    ocop_record_status_free(s);
    assert_state(f, &other, OCOP_ACCEPTED);
    assert_score(f, &id, 80); /* what the officer wrote is still there */
    assert_clean(f);
    assert_int_equal(ocop_resend(f->store, &other, &f->err), OCOP_ESTATE);
    OK(ocop_resend(f->store, &id, &f->err));
    sync_ok(f);
    assert_state(f, &id, OCOP_ACCEPTED);
    f->server.told[f->server.told_count++] = (struct told){3, 0, OUTCOME_REFUSED, "no", "score"};
    amend_score(f, &id, 1);
    sync_ok(f);
    assert_state(f, &id, OCOP_REFUSED);
    assert_score(f, &id, 80); /* the registry's value stands */
    i = load(f, &id);
    i->score = 2;
    OK(ocop_amend(f->store, &i->base, "better", &f->err));
    ocop_free(&i->base);
    sync_ok(f);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_score(f, &id, 2);
    assert_clean(f);
}

static void a_change_that_waits_at_the_registry_is_settled_by_a_later_outcome(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);

    f->server.told[f->server.told_count++] =
        (struct told){1, 0, OUTCOME_WAITING, "its producer is not there yet", "producer_id"};
    sync_ok(f);
    assert_state(f, &id, OCOP_WAITING);
    assert_int_equal(f->sum.left, 1);
    f->server.told[f->server.told_count++] = (struct told){1, 0, OUTCOME_APPLIED, NULL, NULL};
    sync_ok(f);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_clean(f);
}

static void a_case_shows_both_values_and_the_registrys_stands(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    struct id case_id = made_id(77);
    Ocop__Sync__CaseNote *n = &f->server.notes[0];
    struct ocop_record_status *s;
    Ocop__Inspection *i;

    sync_ok(f);
    feed_score(f, &id, 90, 5);
    sync_ok(f);
    assert_state(f, &id, OCOP_MERGED);
    i = load(f, &id);
    i->score = 30;
    set_text(&i->notes, "mới");
    OK(ocop_amend(f->store, &i->base, "why", &f->err));
    ocop_free(&i->base);
    ocop__sync__case_note__init(n);
    n->has_id = n->has_record = n->has_kind = n->has_cause = 1;
    n->id = data_of(case_id.b, ID_LEN);
    n->record = data_of(id.b, ID_LEN);
    n->kind = KIND_INSPECTION;
    n->cause = CASE_FIELD;
    n->field = "score";
    n->base_value = "80";
    n->theirs = "90";
    n->mine = "30";
    f->server.note_count = 1;
    f->server.told[f->server.told_count++] = (struct told){2, 0, OUTCOME_CASE, "differs", "score"};
    sync_ok(f);
    assert_int_equal(f->sum.in_case, 1);
    OK(ocop_record_status(f->store, &id, &s, &f->err));
    assert_int_equal(s->state, OCOP_IN_CASE);
    assert_int_equal(s->case_count, 1);
    assert_string_equal(s->cases[0].theirs, "90");
    assert_string_equal(s->cases[0].mine, "30");
    assert_false(s->cases[0].closed);
    ocop_record_status_free(s);
    i = load(f, &id);
    assert_int_equal(i->score, 90);
    assert_string_equal(i->notes, "mới"); /* the rest took effect */
    ocop_free(&i->base);
    n->has_closed = n->closed = 1;
    n->resolution = "theirs";
    f->server.note_count = 1;
    sync_ok(f);
    assert_state(f, &id, OCOP_MERGED);
    assert_clean(f);
}

static void pulled_state_goes_under_the_officers_own_edits(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Inspection *i;

    sync_ok(f);
    amend_score(f, &id, 33);
    f->server.lose_request = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ETIMEOUT);
    i = load(f, &id);
    set_text(&i->notes, "theirs");
    set_text(&i->conclusion, "fail");
    i->score = 70;
    feed(f, &i->base, VERB_STATE, 9);
    ocop_free(&i->base);
    f->server.set_code_next = SET_RETRY;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_OK);
    i = load(f, &id);
    assert_int_equal(i->score, 33);
    assert_string_equal(i->notes, "theirs");
    ocop_free(&i->base);
    assert_clean(f);
}

static void record_while_waiting(struct server *v)
{
    ProtobufCMessage *m;

    v->meanwhile = NULL;
    OK(ocop_new(v->during, "inspection", &m, NULL));
    OK(ocop_save(v->during, m, NULL)); /* would hang if the lock were held */
    ocop_free(m);
    assert_int_equal(ocop_sync(v->during, NULL, NULL, NULL), OCOP_EBUSY);
}

static void recording_goes_on_while_a_sync_waits(void **state)
{
    struct fixture *f = *state;
    struct ocop_store_status s;

    submit_one(f);
    f->server.during = f->store;
    f->server.meanwhile = record_while_waiting;
    sync_ok(f);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_int_equal(s.drafts, 1);
}

static bool stop(void *user, const struct ocop_sync_summary *so_far, const char *doing)
{
    (void)so_far;
    return strcmp(doing, user) != 0;
}

static void a_cancelled_sync_leaves_everything_to_the_next(void **state)
{
    struct fixture *f = *state;
    char doing[] = "exchanging";
    struct ocop_sync_options o = {.progress = stop, .user = doing};
    struct ocop_id id = submit_one(f);

    assert_int_equal(ocop_sync(f->store, &o, &f->sum, &f->err), OCOP_ECANCELLED);
    f->server.cancel = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ECANCELLED);
    f->server.cancel = false;
    assert_state(f, &id, OCOP_WAITING);
    sync_ok(f);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_int_equal(f->server.got_count, 1);
}

static void a_busy_server_is_reported_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);

    f->server.code_next = OCOP_EBUSY;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_EBUSY);
    f->server.set_code_next = SET_RETRY;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_EBUSY);
    assert_state(f, &id, OCOP_WAITING);
    f->server.code_next = OCOP_EREVOKED;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_EREVOKED);
    struct ocop_store_status s;
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_true(s.revoked);
    assert_int_equal(s.waiting, 1);
}

static void pages_are_asked_for_until_there_are_no_more(void **state)
{
    struct fixture *f = *state;

    for (uint8_t n = 10; n < 20; n++)
        feed_producer(f, n, "Hộ sản xuất");
    f->server.page = 3;
    sync_ok(f);
    assert_int_equal(f->sum.pulled, 10);
    assert_int_equal(f->sum.round_trips, 4);
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "producer"}), 10);
}

static void a_departure_takes_records_away_but_never_unsent_work(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f), draft;
    Ocop__Inspection *i = inspection(f);

    draft = id_of(i);
    OK(ocop_save(f->store, &i->base, &f->err));
    ocop_free(&i->base);
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    ocop__sync__departure__init(&f->server.departures[0]);
    f->server.departures[0].has_unit = 1;
    f->server.departures[0].unit = data_of(f->server.unit.b, ID_LEN);
    f->server.departure_count = 1;
    sync_ok(f);
    assert_int_equal(f->sum.departed, 2);
    ProtobufCMessage *m;
    assert_int_equal(ocop_load(f->store, &id, &m, &f->err), OCOP_ENOTFOUND);
    assert_int_equal(count_found(f, &(struct ocop_query){.text = "mam"}), 1);
    assert_state(f, &draft, OCOP_DRAFT);
    assert_clean(f);
}

/*  registry: 1 2'      this store: 1 2 3     -> replica 2: (1 = 2) (2 = 3), after predecessor's 1
 */
static void a_fork_sends_the_same_changes_under_a_new_replica(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id, second;
    struct id old;
    struct ocop_store_status s;
    Ocop__Inspection *i;

    feed_unit(f);
    feed_producer(f, 9, "HTX Mắm");
    id = submit_one(f);
    sync_ok(f);
    old = f->server.replica;
    second = submit_one(f);
    amend_score(f, &id, 12);
    f->server.set_code_next = SET_FORK;
    f->server.fork_seq = 2;
    assert_int_equal(
        ocop_sync(f->store, &(struct ocop_sync_options){.max_round_trips = 1}, &f->sum, &f->err),
        OCOP_OK);
    assert_true(f->sum.forked);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_true(s.forked);
    assert_memory_not_equal(s.replica.b, old.b, ID_LEN);
    assert_int_equal(s.waiting, 2);
    i = inspection(f);
    assert_int_equal(ocop_submit(f->store, &i->base, &f->err), OCOP_ESTATE); /* no number yet */
    OK(ocop_save(f->store, &i->base, &f->err));
    ocop_free(&i->base);
    assert_clean(f);
    reopen(f);
    feed_unit(f); /* a new replica reads all of its scope again */
    feed_as_shown(f, &id);
    feed_as_shown(f, &second);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 3);
    assert_true(id_eq(&f->server.last_set.predecessor, &old));
    assert_int_equal(f->server.last_set.predecessor_seq, 1);
    assert_int_equal(f->server.last_set.seq, 1);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_false(s.forked);
    assert_int_equal(s.device_number, 8);
    assert_state(f, &second, OCOP_ACCEPTED);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_score(f, &id, 12);
    assert_clean(f);
}

static void
a_store_older_than_what_it_sent_takes_a_new_number_though_it_has_nothing_to_send(void **state)
{
    struct fixture *f = *state;
    struct ocop_store_status s;

    sync_ok(f);
    f->server.seq = 3; /* the registry has sets of this replica from before the restore */
    f->server.fork_seq = 1;
    sync_ok(f);
    assert_true(f->sum.forked);
    assert_true(f->sum.complete);
    assert_int_equal(f->server.got_count, 0);
    assert_int_equal(f->server.last_set.seq, 1);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_false(s.forked);
    assert_int_equal(s.device_number, 8);
    assert_clean(f);
}

static void a_set_that_the_server_cannot_take_is_split_until_one_change_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ocop_id a = submit_one(f), b = submit_one(f);

    f->server.set_code_next = SET_MALFORMED;
    assert_int_equal(
        ocop_sync(f->store, &(struct ocop_sync_options){.max_round_trips = 1}, &f->sum, &f->err),
        OCOP_OK);
    assert_state(f, &a, OCOP_WAITING);
    f->server.set_code_next = SET_MALFORMED;
    assert_int_equal(
        ocop_sync(f->store, &(struct ocop_sync_options){.max_round_trips = 1}, &f->sum, &f->err),
        OCOP_OK);
    assert_state(f, &a, OCOP_REFUSED);
    sync_ok(f);
    assert_state(f, &b, OCOP_ACCEPTED);
    assert_int_equal(f->server.got_count, 1);
    assert_clean(f);
}

static void a_restored_registry_gets_again_what_it_lost(void **state)
{
    struct fixture *f = *state;
    struct ocop_id a = submit_one(f), b;
    uint8_t hash[HASH_LEN];

    feed_unit(f);
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    memcpy(hash, f->server.hash, HASH_LEN);
    b = submit_one(f);
    feed_producer(f, 10, "HTX Cà phê");
    sync_ok(f);
    assert_int_equal(f->server.got_count, 2);
    f->server.seq = 1; /* the backup knows the first set only, and one producer */
    memcpy(f->server.hash, hash, HASH_LEN);
    f->server.new_lineage = made_id(30);
    f->server.lineage_fork = 1;
    f->server.reread = true;
    feed_unit(f);
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    assert_int_equal(f->server.got_count, 3);
    assert_int_equal(f->server.seq, 2);
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "producer"}), 1);
    assert_state(f, &a, OCOP_ACCEPTED);
    assert_state(f, &b, OCOP_ACCEPTED);
    assert_true(f->sum.complete);
    assert_clean(f);
}

static void a_part_of_an_unknown_record_makes_the_store_read_from_the_start(void **state)
{
    struct fixture *f = *state;
    struct ocop_id stranger = {{5}};

    sync_ok(f);
    stranger.b[6] = stranger.b[8] = 0x80;
    feed_score(f, &stranger, 5, 3);
    sync_ok(f);
    assert_int_equal(f->sum.round_trips, 2);
    assert_null(f->server.request->cursor);
}

static void a_stub_makes_a_reference_valid(void **state)
{
    struct fixture *f = *state;
    Ocop__Producer p = OCOP__PRODUCER__INIT;
    struct id id = made_id(9);

    feed_unit(f);
    p.has_id = 1;
    p.id = data_of(id.b, ID_LEN);
    p.name = "HTX xa";
    feed(f, &p.base, VERB_STUB, 2);
    sync_ok(f);
    submit_one(f);
}

/* --- files ----------------------------------------------------------------------------------- */

static void a_store_of_a_newer_program_is_not_opened(void **state)
{
    struct fixture *f = *state;

    run_sql(f, "PRAGMA user_version = 9999");
    assert_int_equal(ocop_open(f->path, NULL, &f->store, &f->err), OCOP_EVERSION);
    assert_null(f->store);
}

static void a_file_that_is_no_store_is_not_opened(void **state)
{
    struct fixture *f = *state;
    FILE *file;

    ocop_close(f->store);
    remove_store(f);
    file = fopen(f->path, "wb");
    assert_non_null(file);
    for (int n = 0; n < 500; n++)
        fputs("this is not a database ", file);
    fclose(file);
    assert_int_equal(ocop_open(f->path, NULL, &f->store, &f->err), OCOP_EDAMAGED);
    assert_null(f->store);
    (void)unlink(f->path);
    assert_int_equal(
        ocop_open(f->path, &(struct ocop_options){.must_exist = true}, &f->store, &f->err),
        OCOP_ENOTFOUND);
}

static void a_flipped_byte_in_a_sealed_set_is_found(void **state)
{
    struct fixture *f = *state;
    unsigned findings = 0;

    submit_one(f);
    sync_ok(f);
    assert_clean(f);
    run_sql(f, "UPDATE sealed SET body = CAST(substr(body, 1, 40) || "
               "iif(substr(body, 41, 1) = x'00', x'01', x'00') || substr(body, 42) AS BLOB)");
    open_store(f);
    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_int_equal(findings, 1);
}

static void use_disk(struct fixture *f)
{
    struct ocop_options o = {.env = &f->env, .vfs = DISK_VFS, .link = &f->server.link};

    disk_register();
    ocop_close(f->store);
    assert_int_equal(ocop_open(f->path, &o, &f->store, &f->err), OCOP_OK);
}

/* The disk is full at the first write, at the second, ... until the call needs no more. */
static void a_full_disk_changes_nothing_and_the_call_can_be_repeated(void **state)
{
    struct fixture *f = *state;
    struct ocop_store_status before, after;
    Ocop__Inspection *i = inspection(f);
    enum ocop_status st = OCOP_EDB;
    int failed = 0;

    use_disk(f);
    OK(ocop_store_status(f->store, &before, &f->err));
    for (int n = 0; st; n++) {
        disk_writes_left(n);
        st = ocop_submit(f->store, &i->base, &f->err);
        disk_writes_left(-1);
        failed += st != OCOP_OK;
        if (st)
            assert_int_equal(st, OCOP_EDB);
        OK(ocop_store_status(f->store, &after, &f->err));
        assert_int_equal(after.waiting, before.waiting + (st == OCOP_OK));
        assert_int_equal(after.records, before.records + (st == OCOP_OK));
    }
    assert_true(failed > 3);
    ocop_free(&i->base);
    for (st = OCOP_EDB, failed = 0; st;) {
        disk_writes_left(failed);
        st = ocop_sync(f->store, NULL, &f->sum, &f->err);
        disk_writes_left(-1);
        failed += st != OCOP_OK;
    }
    assert_true(failed > 3);
    assert_int_equal(f->server.got_count, 1);
    assert_clean(f);
    reopen(f);
    assert_clean(f);
    disk_unregister();
}

static void the_check_finds_a_row_that_is_not_what_its_changes_say(void **state)
{
    struct fixture *f = *state;
    unsigned findings = 0;

    for (int i = 0; i < 64; i++) /* so many that they are put into the search index */
        submit_one(f);
    run_sql(f, "UPDATE inspection SET score = 1 WHERE n = 9");
    open_store(f);
    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_int_equal(findings, 2); /* nor is it what was written */
    run_sql(f, "UPDATE inspection SET score = 80 WHERE n = 9");
    open_store(f);
    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_int_equal(findings, 0);
    run_sql(f, "DELETE FROM search_data WHERE id > 10");
    open_store(f);
    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_true(findings > 0);
}

int main(void)
{
    env_log_level(ENV_ERROR);
#define EMPTY(t) cmocka_unit_test_setup_teardown(t, setup_empty, teardown)
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        EMPTY(a_store_that_is_not_enrolled_records_nothing),
        EMPTY(an_enrolment_repeated_after_a_lost_answer_has_the_same_keys),
        EMPTY(a_mistyped_invitation_is_named_as_such),
        EMPTY(an_invitation_is_read_in_any_case_and_with_likely_slips),
        EMPTY(an_invitation_whose_server_the_root_did_not_sign_is_refused),
        TEST(a_new_record_knows_its_day_officer_and_rule_set),
        TEST(a_draft_survives_closing_and_is_not_sent),
        TEST(what_is_wrong_is_named_by_its_field),
        TEST(a_submission_gets_the_next_paper_number_of_its_year),
        TEST(a_reference_must_be_on_the_device_once_it_has_synced),
        TEST(roles_of_the_officer_hold_once_they_are_known),
        TEST(an_amendment_sends_only_what_differs),
        TEST(each_submission_and_amendment_is_a_change_of_its_own),
        TEST(a_void_and_an_addition_are_changes_too),
        TEST(a_draft_of_an_amendment_is_discarded_to_what_was_submitted),
        TEST(each_field_keeps_the_version_at_which_it_was_first_edited),
        TEST(words_are_found_with_and_without_diacritics_in_either_form),
        TEST(records_are_found_newest_first_by_unit_product_day_and_state),
        TEST(nothing_is_sealed_without_a_connection),
        TEST(a_lost_request_is_sent_again_with_the_same_bytes),
        TEST(a_repeated_exchange_changes_nothing),
        TEST(many_changes_travel_in_sets_within_the_budget),
        TEST(a_refused_change_is_shown_with_its_reason_and_blocks_nothing),
        TEST(a_change_that_waits_at_the_registry_is_settled_by_a_later_outcome),
        TEST(a_case_shows_both_values_and_the_registrys_stands),
        TEST(pulled_state_goes_under_the_officers_own_edits),
        TEST(recording_goes_on_while_a_sync_waits),
        TEST(a_cancelled_sync_leaves_everything_to_the_next),
        TEST(a_busy_server_is_reported_and_nothing_is_lost),
        TEST(pages_are_asked_for_until_there_are_no_more),
        TEST(a_departure_takes_records_away_but_never_unsent_work),
        TEST(a_fork_sends_the_same_changes_under_a_new_replica),
        TEST(a_store_older_than_what_it_sent_takes_a_new_number_though_it_has_nothing_to_send),
        TEST(a_set_that_the_server_cannot_take_is_split_until_one_change_is_refused),
        TEST(a_restored_registry_gets_again_what_it_lost),
        TEST(a_part_of_an_unknown_record_makes_the_store_read_from_the_start),
        TEST(a_stub_makes_a_reference_valid),
        TEST(a_store_of_a_newer_program_is_not_opened),
        TEST(a_file_that_is_no_store_is_not_opened),
        TEST(a_flipped_byte_in_a_sealed_set_is_found),
        TEST(a_full_disk_changes_nothing_and_the_call_can_be_repeated),
        TEST(the_check_finds_a_row_that_is_not_what_its_changes_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
