/* What a server may answer, given to a device in the middle of its work: twice in a sync, and to an
 * enrolment. However damaged or hostile, it crashes no device, leaves the store whole, and takes
 * nothing from it that was not sent: what the officer did is in the outbox, or in a sealed set that
 * the server said it has. */
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "fuzz.h"
#include "scene.h"
#include "store.h"
#include "sync.h"

/* Every reading of the store has a transaction; here one is open already. */
static struct ocop_store *store;

/* The text stands in the change as it was typed. */
static bool says(struct span where, struct span said)
{
    for (size_t i = 0; i + said.len <= where.len; i++)
        if (memcmp(where.p + i, said.p, said.len) == 0)
            return true;
    return false;
}

static bool in_outbox(const struct outbox_rows *rows, const struct scene_change *c)
{
    for (size_t i = 0; i < rows->count; i++)
        if (id_eq(&rows->v[i].record, &c->record) &&
            (rows->v[i].state == OUTBOX_DRAFT) == c->draft && says(rows->v[i].change, c->said))
            return true;
    return false;
}

struct search {
    const struct scene_change *change;
    struct arena a;
    bool found;
};

static bool says_so(const struct change *c, struct span said)
{
    for (size_t i = 0; i < c->fields.count; i++)
        if (c->fields.v[i].type != VALUE_INT && says(c->fields.v[i].bytes, said))
            return true;
    return says(c->reason, said);
}

static enum ocop_status search_set(void *self, struct id replica, const struct sealed_row *row,
                                   struct ocop_error *err)
{
    struct search *q = self;
    struct change_set set;
    (void)replica;
    if (!row->acked || q->found)
        return OCOP_OK;
    arena_reset(&q->a);
    enum ocop_status st = changeset_open(row->set.body, &q->a, &set, err);
    for (size_t i = 0; st == OCOP_OK && i < set.changes.count; i++)
        q->found = q->found || (id_eq(&set.changes.v[i].record, &q->change->record) &&
                                says_so(&set.changes.v[i], q->change->said));
    return st;
}

static void nothing_unsent_is_lost(const struct scene *s, const struct outbox_rows *rows)
{
    struct search q = {.found = false};
    arena_init(&q.a, MIB(32));
    for (size_t i = 0; i < s->unsent_count; i++) {
        q.change = &s->unsent[i];
        q.found = in_outbox(rows, q.change);
        if (!q.found && !q.change->draft)
            CHECK(store_sealed_each(store, search_set, &q, NULL) == OCOP_OK);
        if (!q.found)
            fprintf(stderr, "lost: %.*s\n", (int)q.change->said.len,
                    (const char *)q.change->said.p);
        CHECK(q.found);
    }
    arena_fini(&q.a);
}

/* Under each change of the outbox there is its record, and the row shows what both say. */
static void rows_show_what_is_pending(struct arena *a, const struct outbox_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct outbox_row *r = &rows->v[i];
        struct outbox_rows over;
        struct fields state, row, diff;
        uint64_t version;
        bool there;
        CHECK(pending_state(store, r->kind, &r->record, true, a, &over, &there, &state, &version,
                            NULL) == OCOP_OK);
        CHECK(there);
        CHECK(store_record(store, r->kind, &r->record, a, &row, &version, NULL) == OCOP_OK);
        CHECK(fields_diff(&state, &row, 0, a, &diff, NULL) == OCOP_OK && diff.count == 0);
    }
}

static void store_is_whole(const struct scene *s)
{
    struct outbox_rows rows;
    struct arena a;
    unsigned orphans = 0;
    arena_init(&a, MIB(64));
    CHECK(store_outbox_all(store, &a, &rows, NULL) == OCOP_OK);
    nothing_unsent_is_lost(s, &rows);
    rows_show_what_is_pending(&a, &rows);
    CHECK(store_base_orphans(store, &orphans, NULL) == OCOP_OK && orphans == 0);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ocop_sync_options twice = {.max_round_trips = 2};
    struct scene *s = scene();
    struct ocop_sync_summary summary;
    struct ocop_error err = {0};
    store = s->store;
    s->answer = span_of(size ? data : (const uint8_t *)"", size);
    enum ocop_status st = ocop_sync(store, &twice, &summary, &err);
    CHECK(st != OCOP_EBROKEN && st != OCOP_EDB);
    CHECK(st == OCOP_OK || err.text[0]);
    store_is_whole(s);
    st = ocop_enrol(store, s->invitation, "máy 1", &err);
    CHECK(st != OCOP_EBROKEN && st != OCOP_EDB);
    store_is_whole(s);
    scene_reset(s);
    return 0;
}
