/* The bench's world. Knows no measurement. */
#include "world.h"

#include <string.h>
#include <unistd.h>

#include "frame.h"
#include "invitation.h"
#include "measure.h"

static ProtobufCBinaryData data_of(const void *p, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)p};
}

/* --- the link -------------------------------------------------------------------------------- */

static enum ocop_status near_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                     struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static enum ocop_status near_exchange(struct link *l, struct span request, int timeout_ms,
                                      const atomic_bool *cancel, struct buf *reply,
                                      struct ocop_error *err)
{
    struct world *w = (struct world *)l;
    struct job job = {.frame = request};
    (void)timeout_ms, (void)cancel, (void)err;
    exchange_batch(w->r, &w->keys, &job, 1);
    buf_put(reply, job.reply.p, job.reply.len);
    buf_fini(&job.reply);
    return OCOP_OK;
}

static void near_close(struct link *l)
{
    (void)l;
}

void world_answer(struct world *w, struct span frame, struct job *job)
{
    *job = (struct job){.frame = frame};
    exchange_batch(w->r, &w->keys, job, 1);
    buf_fini(&job->reply);
    if (job->status != OCOP_OK)
        (void)fprintf(stderr, "bench: the server answered %s\n", ocop_status_name(job->status));
    MUST_BE(job->status == OCOP_OK && job->outcomes == 0);
}

/* --- first records --------------------------------------------------------------------------- */

static void import_units(struct world *w, size_t units, struct changes *c, struct arena *a,
                         int64_t now)
{
    char text[64];
    w->province = id_next(&w->r->ids, w->r->env);
    for (size_t i = 0; i <= units; i++) {
        Ocop__Unit m = OCOP__UNIT__INIT;
        struct id id = i ? id_next(&w->r->ids, w->r->env) : w->province;
        if (i)
            w->units[i - 1] = id;
        m.has_id = 1;
        m.id = data_of(id.b, ID_LEN);
        m.name = text;
        (void)snprintf(text, sizeof text, i ? "Xã %zu" : "Tỉnh %zu", i);
        m.code = arena_printf(a, "%05zu", i + 10000);
        m.level = i ? "commune" : "province";
        m.effective_from = "2025-07-01";
        m.has_parent_id = i > 0;
        m.parent_id = data_of(w->province.b, ID_LEN);
        c->v[c->count++] = workload_create(KIND_UNIT, &m.base, NULL, now, a);
    }
}

static void import_officer(struct world *w, struct changes *c, struct arena *a, int64_t now)
{
    Ocop__Officer m = OCOP__OFFICER__INIT;
    Ocop__OfficerRole roles[] = {OCOP__OFFICER_ROLE__INIT, OCOP__OFFICER_ROLE__INIT};
    Ocop__OfficerRole *list[] = {&roles[0], &roles[1]};
    w->officer = id_next(&w->r->ids, w->r->env);
    roles[0].role = "inspector";
    roles[1].role = "sampler";
    m.has_id = 1;
    m.id = data_of(w->officer.b, ID_LEN);
    m.name = "Nguyễn Văn An";
    m.n_roles = 2;
    m.roles = list;
    c->v[c->count++] = workload_create(KIND_OFFICER, &m.base, NULL, now, a);
}

static void import_products(struct world *w, struct changes *c, struct arena *a, int64_t now)
{
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        Ocop__Producer m = OCOP__PRODUCER__INIT;
        w->work.producers[i] = id_next(&w->r->ids, w->r->env);
        m.has_id = m.has_unit_id = 1;
        m.id = data_of(w->work.producers[i].b, ID_LEN);
        m.unit_id = data_of(w->units[0].b, ID_LEN);
        m.name = workload_words(&w->work, a, 15, 40);
        m.producer_type = "cooperative";
        m.tax_code = arena_printf(a, "%010u", 2900000000U + i);
        c->v[c->count++] = workload_create(KIND_PRODUCER, &m.base, NULL, now, a);
    }
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        Ocop__Product m = OCOP__PRODUCT__INIT;
        w->work.products[i] = id_next(&w->r->ids, w->r->env);
        m.has_id = m.has_unit_id = m.has_producer_id = m.has_stars = 1;
        m.id = data_of(w->work.products[i].b, ID_LEN);
        m.unit_id = data_of(w->units[0].b, ID_LEN);
        m.producer_id = data_of(w->work.producers[i % PRODUCERS].b, ID_LEN);
        m.name = workload_words(&w->work, a, 10, 30);
        m.product_code = arena_printf(a, "40-10001-%05u-2025", i);
        m.stars = 3 + (int32_t)workload_below(&w->work, 3);
        c->v[c->count++] = workload_create(KIND_PRODUCT, &m.base, NULL, now, a);
    }
}

static void import_all(struct world *w, size_t units)
{
    struct author au;
    struct arena a;
    int64_t now = env_now_ms(w->r->env);
    struct changes c = {calloc(units + PRODUCERS + PRODUCTS + 8, sizeof *c.v), 0};
    MUST_BE(c.v != NULL);
    arena_init(&a, MIB(256));
    import_units(w, units, &c, &a, now);
    import_officer(w, &c, &a, now);
    import_products(w, &c, &a, now);
    MUST(registry_begin(w->r, &err));
    MUST(author_begin(w->r, &w->keys, "import", "bench", NULL, &au, &err));
    for (size_t at = 0; at < c.count; at += 2000) {
        struct changes part = {c.v + at, c.count - at < 2000 ? c.count - at : 2000};
        struct outcome_row *rows;
        uint64_t version;
        size_t bad;
        MUST(author_write(&au, &part, &a, &version, &err));
        MUST(outcomes_of(w->r, version, &a, &rows, &bad, &err));
        if (bad)
            (void)fprintf(stderr, "bench: import: %s %s\n", rows[0].field, rows[0].text);
        MUST_BE(bad == 0);
    }
    author_end(&au);
    MUST(registry_commit(w->r, &err));
    arena_fini(&a);
    free(c.v);
}

void world_open(struct world *w, const char *path, size_t units)
{
    char keys[160];
    memset(w, 0, sizeof *w);
    w->link =
        (struct link){.connect = near_connect, .exchange = near_exchange, .close = near_close};
    (void)snprintf(w->path, sizeof w->path, "%s", path);
    (void)snprintf(keys, sizeof keys, "%s.keys", path);
    workload_init(&w->work, 20261124);
    MUST(registry_open(path, true, env_system(), NULL, &w->r, &err));
    MUST(keys_create(keys, env_system(), &w->keys, &err));
    w->r->keys = &w->keys;
    MUST(genesis(w->r, &w->keys, "bench", &err));
    MUST_BE(units <= UNITS_MAX);
    import_all(w, units);
}

void world_close(struct world *w)
{
    registry_close(w->r);
    keys_wipe(&w->keys);
}

uint64_t world_version(struct world *w)
{
    uint64_t version = 0;
    MUST(registry_version(w->r, &version, &err));
    return version;
}

/* --- devices --------------------------------------------------------------------------------- */

const char *world_invite(struct world *w, const struct id *scope, size_t count, const char *address,
                         struct arena *a)
{
    const char *code = NULL;
    struct invitation_terms terms = {w->officer, scope, count,
                                     address ? address : "tcp://127.0.0.1:1",
                                     env_now_ms(w->r->env) + 3600000};
    MUST(registry_begin(w->r, &err));
    MUST(invite_make(w->r, &w->keys, &terms, a, &code, &err));
    MUST(registry_commit(w->r, &err));
    return code;
}

struct ocop_store *world_store(struct world *w, const char *name, const struct id *scope,
                               size_t count, const char *address)
{
    struct ocop_options options = {.link = address ? NULL : &w->link};
    struct ocop_store *s;
    struct arena a;
    arena_init(&a, MIB(1));
    MUST(ocop_open(measure_path(name), &options, &s, &err));
    MUST(ocop_enrol(s, world_invite(w, scope, count, address, &a), NULL, &err));
    arena_fini(&a);
    return s;
}

void device_enrol(struct world *w, struct device *d, const struct id *unit)
{
    struct arena a;
    struct invitation inv;
    Ocop__Sync__EnrolRequest q = OCOP__SYNC__ENROL_REQUEST__INIT;
    Ocop__Sync__Enrolment *e;
    arena_init(&a, MIB(4));
    memset(d, 0, sizeof *d);
    id_source_init(&d->ids, w->r->env);
    d->replica = id_next(&d->ids, w->r->env);
    d->unit = *unit;
    sign_key_new(&d->sign, w->r->env);
    channel_key_new(&d->channel, w->r->env);
    d->area = (struct area){18000000 + (int32_t)workload_below(&w->work, 1000000),
                            104500000 + (int32_t)workload_below(&w->work, 1000000),
                            env_now_ms(w->r->env) - INT64_C(180) * 86400000};
    MUST(invitation_decode(world_invite(w, unit, 1, NULL, &a), &inv, &err));
    q.has_token = q.has_replica = q.has_sign_key = 1;
    q.token = data_of(inv.token, inv.token_len);
    q.replica = data_of(d->replica.b, ID_LEN);
    q.sign_key = data_of(d->sign.public_key, SIGN_PUBLIC_LEN);
    MUST(registry_begin(w->r, &err));
    MUST(enrol_answer(w->r, &w->keys, &q, d->channel.public_key, &a, &e, &err));
    MUST(registry_commit(w->r, &err));
    d->number = e->number;
    d->cursor = world_version(w);
    arena_fini(&a);
}

struct changes device_record(struct world *w, struct device *d, size_t count, struct arena *a)
{
    struct changes c = {arena_calloc(a, count, sizeof *c.v), count};
    MUST_BE(c.v != NULL);
    for (size_t i = 0; i < count; i++) {
        Ocop__Inspection m = OCOP__INSPECTION__INIT;
        struct id id;
        if (d->made++ % 100 == 0) /* the store is opened again now and then */
            id_source_init(&d->ids, w->r->env);
        id = id_next(&d->ids, w->r->env);
        workload_inspection(&w->work, &d->area, 8, a, &m);
        m.has_id = m.has_unit_id = m.has_officer_id = m.has_recorded_ms = 1;
        m.id = data_of(id.b, ID_LEN);
        m.unit_id = data_of(d->unit.b, ID_LEN);
        m.officer_id = data_of(w->officer.b, ID_LEN);
        m.recorded_ms = d->area.now_ms;
        m.rule_set = "ocop-26-2026";
        m.minutes_no = arena_printf(a, "BB-10001-2026-%03u-%04u", d->number, d->made);
        c.v[i] = workload_create(KIND_INSPECTION, &m.base, &w->officer,
                                 d->area.now_ms + workload_below(&w->work, 600000), a);
    }
    return c;
}

struct sealed device_seal(struct world *w, struct device *d, const struct changes *in, size_t *at,
                          struct arena *a)
{
    struct change_set set = {.replica = d->replica,
                             .seq = d->seq + 1,
                             .device_time_ms = d->area.now_ms,
                             .schema = SCHEMA_VERSION,
                             .lineage = w->r->lineage};
    struct sealed out;
    memcpy(set.prev_hash, d->prev_hash, HASH_LEN);
    for (size_t count = in->count - *at;;) { /* as client-lib/seal.c does */
        set.changes = (struct changes){in->v + *at, count};
        MUST(changeset_seal(&set, &d->sign, a, &out, &err));
        if (out.body.len <= SET_SEALED_BYTES_MAX) {
            *at += count;
            break;
        }
        count = count * SET_SEALED_BYTES_MAX / out.body.len * 9 / 10;
    }
    d->seq = set.seq;
    memcpy(d->prev_hash, set.hash, HASH_LEN);
    return out;
}

void device_frame(struct world *w, struct device *d, const struct sealed *set, struct buf *out)
{
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    Ocop__Sync__Cursor cursor = OCOP__SYNC__CURSOR__INIT;
    Ocop__Sync__Sealed one = OCOP__SYNC__SEALED__INIT, *sets[] = {&one};
    struct noise n = {0};
    struct buf packed;
    buf_init(&packed, FRAME_BYTES_MAX);
    if (set) {
        one.has_body = one.has_signature = 1;
        one.body = data_of(set->body.p, set->body.len);
        one.signature = data_of(set->signature, SIGNATURE_LEN);
        sync.sets = sets;
        sync.n_sets = 1;
    }
    cursor.has_version = cursor.has_scope = 1;
    cursor.version = cursor.scope = d->cursor;
    sync.cursor = &cursor;
    sync.has_replica = sync.has_lineage = sync.has_last_seq = sync.has_device_time_ms = 1;
    sync.has_schema = 1;
    sync.replica = data_of(d->replica.b, ID_LEN);
    sync.lineage = data_of(w->r->lineage.b, ID_LEN);
    sync.last_seq = d->seq;
    sync.device_time_ms = env_now_ms(w->r->env);
    sync.schema = SCHEMA_VERSION;
    request.sync = &sync;
    MUST_BE(buf_reserve(&packed, ocop__sync__request__get_packed_size(&request)));
    packed.len = ocop__sync__request__pack(&request, packed.p);
    buf_init(out, FRAME_BYTES_MAX);
    MUST(frame_seal_request(&n, w->r->env, &d->channel, w->keys.channel[0].public_key,
                            buf_span(&packed), out, &err));
    noise_fini(&n);
    buf_fini(&packed);
}

void prepared_add(struct world *w, struct device *d, const struct changes *c, struct arena *a,
                  struct prepared *out)
{
    for (size_t i = 0; i < c->count;) {
        struct sealed set = device_seal(w, d, c, &i, a);
        if (out->count == out->room) {
            out->room = out->room * 2 + 64;
            out->v = realloc(out->v, out->room * sizeof *out->v);
            MUST_BE(out->v != NULL);
        }
        device_frame(w, d, &set, &out->v[out->count++]);
    }
    out->records += c->count;
}

void prepared_free(struct prepared *p)
{
    for (size_t i = 0; i < p->count; i++)
        buf_fini(&p->v[i]);
    free(p->v);
    *p = (struct prepared){0};
}

double prepared_answer(struct world *w, const struct prepared *p)
{
    double start = measure_wall_s();
    for (size_t i = 0; i < p->count; i++) {
        struct job job;
        world_answer(w, buf_span(&p->v[i]), &job);
    }
    return measure_wall_s() - start;
}
