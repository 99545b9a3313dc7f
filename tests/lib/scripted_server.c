/* The other end of the link. */
#include "scripted.h"

#include <string.h>

#include "bounds.h"
#include "columns.h"

ProtobufCBinaryData data_of(const void *p, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)p};
}

enum ocop_status fake_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
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
        Ocop__Sync__Lineage *l = arena_alloc(&v->arena, 2 * sizeof *l);
        r->lineages = arena_alloc(&v->arena, 2 * sizeof *r->lineages);
        for (size_t i = 0; i < 2; i++) {
            ocop__sync__lineage__init(&l[i]);
            r->lineages[r->n_lineages++] = &l[i];
            l[i].has_lineage = 1;
        }
        l[0].lineage = l[1].parent = r->lineage; /* the first has no parent */
        r->lineage = l[1].lineage = data_of(v->new_lineage.b, ID_LEN);
        l[1].has_parent = l[1].has_fork_version = 1;
        l[1].fork_version = v->lineage_fork;
    }
    cursor->has_version = 1;
    cursor->version = v->version;
    r->cursor = cursor;
    v->reread = false;
    v->fork_seq = 0;
    v->note_count = v->departure_count = 0;
    out->sync = r;
}

enum ocop_status fake_exchange(struct link *l, struct span request, int timeout_ms,
                               const atomic_bool *cancel, struct buf *reply, struct ocop_error *err)
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

void fake_close(struct link *l)
{
    (void)l;
}
