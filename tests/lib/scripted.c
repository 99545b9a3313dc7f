/* A store whose server is scripted, and what tests put into both. */
#include "scripted.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "columns.h"

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

struct id made_id(uint8_t n)
{
    struct id id = {{0}};

    id.b[0] = n;
    id.b[6] = 0x80;
    id.b[8] = 0x80;
    id.b[15] = n;
    return id;
}

void open_store(struct fixture *f)
{
    struct ocop_options o = {.env = &f->env, .link = &f->server.link};

    assert_int_equal(ocop_open(f->path, &o, &f->store, &f->err), OCOP_OK);
}

void reopen(struct fixture *f)
{
    ocop_close(f->store);
    open_store(f);
}

void remove_store(struct fixture *f)
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

int scripted_setup_empty(void **state)
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

int scripted_setup(void **state)
{
    struct fixture *f;

    scripted_setup_empty(state);
    f = *state;
    return ocop_enrol(f->store, f->server.code, "phone", &f->err) == OCOP_OK ? 0 : -1;
}

int scripted_teardown(void **state)
{
    struct fixture *f = *state;

    ocop_close(f->store);
    arena_fini(&f->server.arena);
    arena_fini(&f->server.kept);
    remove_store(f);
    free(f);
    return 0;
}

void sync_ok(struct fixture *f)
{
    enum ocop_status st = ocop_sync(f->store, NULL, &f->sum, &f->err);

    if (st)
        fail_msg("sync: %s", f->err.text);
}

char *text_new(const char *s)
{
    char *copy = strdup(s);

    assert_non_null(copy);
    return copy;
}

void set_text(char **field, const char *s)
{
    free(*field);
    *field = text_new(s);
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
Ocop__Inspection *inspection_new(struct fixture *f)
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

struct ocop_id id_of(const Ocop__Inspection *i)
{
    struct ocop_id id;

    memcpy(id.b, i->id.data, ID_LEN);
    return id;
}

struct ocop_id submit_one(struct fixture *f)
{
    Ocop__Inspection *i = inspection_new(f);
    struct ocop_id id = id_of(i);

    if (ocop_submit(f->store, &i->base, &f->err) != OCOP_OK)
        fail_msg("submit: %s: %s", f->err.field, f->err.text);
    ocop_free(&i->base);
    return id;
}

Ocop__Inspection *inspection_load(struct fixture *f, const struct ocop_id *id)
{
    ProtobufCMessage *m;

    OK(ocop_load(f->store, id, &m, &f->err));
    return (Ocop__Inspection *)m;
}

void amend_score(struct fixture *f, const struct ocop_id *id, int score)
{
    Ocop__Inspection *i = inspection_load(f, id);

    i->has_score = 1;
    i->score = score;
    OK(ocop_amend(f->store, &i->base, "typing error", &f->err));
    ocop_free(&i->base);
}

void assert_score(struct fixture *f, const struct ocop_id *id, int score)
{
    Ocop__Inspection *i = inspection_load(f, id);

    assert_int_equal(i->score, score);
    ocop_free(&i->base);
}

void assert_state(struct fixture *f, const struct ocop_id *id, enum ocop_record_state state)
{
    struct ocop_record_status *s;

    OK(ocop_record_status(f->store, id, &s, &f->err));
    assert_int_equal(s->state, state);
    ocop_record_status_free(s);
}

void assert_clean(struct fixture *f)
{
    unsigned findings = 99;

    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_int_equal(findings, 0);
}

/* Put a record into the server's feed: the message as it stands in the registry. */
void feed_put(struct fixture *f, ProtobufCMessage *m, enum verb verb, uint64_t version)
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
void feed_as_shown(struct fixture *f, const struct ocop_id *id)
{
    ProtobufCMessage *m;

    OK(ocop_load(f->store, id, &m, &f->err));
    feed_put(f, m, VERB_STATE, f->server.version + 1);
    ocop_free(m);
}

/* One field of a record as it now stands in the registry. */
void feed_score(struct fixture *f, const struct ocop_id *id, int score, uint64_t version)
{
    Ocop__Inspection m = OCOP__INSPECTION__INIT;

    m.has_id = m.has_score = 1;
    m.id = data_of(id->b, ID_LEN);
    m.score = score;
    feed_put(f, &m.base, VERB_DELTA, version);
}

void feed_unit(struct fixture *f)
{
    Ocop__Unit u = OCOP__UNIT__INIT;

    u.has_id = 1;
    u.id = data_of(f->server.unit.b, ID_LEN);
    u.code = "00123";
    u.name = "Xã Đắk Mil";
    u.level = "commune";
    u.effective_from = "2025-07-01";
    feed_put(f, &u.base, VERB_STATE, 1);
}

void feed_producer(struct fixture *f, uint8_t n, const char *name)
{
    Ocop__Producer p = OCOP__PRODUCER__INIT;
    struct id id = made_id(n);

    p.has_id = p.has_unit_id = 1;
    p.id = data_of(id.b, ID_LEN);
    p.unit_id = data_of(f->server.unit.b, ID_LEN);
    p.name = (char *)(uintptr_t)name;
    p.producer_type = "cooperative";
    feed_put(f, &p.base, VERB_STATE, f->server.version + 1);
}

size_t count_found(struct fixture *f, const struct ocop_query *q)
{
    struct ocop_list *list;
    size_t n;

    OK(ocop_find(f->store, q, &list, &f->err));
    n = list->count;
    ocop_list_free(list);
    return n;
}

void run_sql(struct fixture *f, const char *sql)
{
    sqlite3 *db;

    ocop_close(f->store);
    f->store = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Base of one field in a change that the server got. */
uint64_t base_of(const struct change *c, uint32_t number)
{
    const struct field *v = fields_find(&c->fields, number, span_of(NULL, 0));

    assert_non_null(v);
    return v->base;
}
