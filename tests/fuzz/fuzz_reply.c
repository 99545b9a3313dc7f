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

static bool says_so(const struct change *c, struct span said)
{
    for (size_t i = 0; i < c->fields.count; i++)
        if (c->fields.v[i].type != VALUE_INT && says(c->fields.v[i].bytes, said))
            return true;
    return says(c->reason, said);
}

/* Which of the unsent changes stand in a set, a bit for each. Sets are the same in most inputs, and
 * reading one costs more than all else. */
static uint32_t of_set(const struct scene *s, const struct sealed_row *row)
{
    static struct {
        uint8_t hash[HASH_LEN];
        uint32_t changes;
    } known[256];
    size_t at = row->set.hash[0];
    struct change_set set;
    struct arena a;
    if (memcmp(known[at].hash, row->set.hash, HASH_LEN) == 0)
        return known[at].changes;
    arena_init(&a, MIB(32));
    CHECK(changeset_open(row->set.body, &a, &set, NULL) == OCOP_OK);
    known[at].changes = 0;
    memcpy(known[at].hash, row->set.hash, HASH_LEN);
    for (size_t i = 0; i < set.changes.count; i++)
        for (size_t n = 0; n < s->unsent_count; n++)
            if (id_eq(&set.changes.v[i].record, &s->unsent[n].record) &&
                says_so(&set.changes.v[i], s->unsent[n].said))
                known[at].changes |= 1u << n;
    arena_fini(&a);
    return known[at].changes;
}

struct acknowledged {
    const struct scene *scene;
    uint32_t changes;
};

static enum ocop_status acknowledged_set(void *self, struct id replica,
                                         const struct sealed_row *row, struct ocop_error *err)
{
    struct acknowledged *a = self;
    (void)replica, (void)err;
    if (row->acked)
        a->changes |= of_set(a->scene, row);
    return OCOP_OK;
}

static void nothing_unsent_is_lost(const struct scene *s, const struct outbox_rows *rows)
{
    struct acknowledged a = {.scene = s};
    CHECK(store_sealed_each(store, acknowledged_set, &a, NULL) == OCOP_OK);
    for (size_t i = 0; i < s->unsent_count; i++) {
        const struct scene_change *c = &s->unsent[i];
        bool there = in_outbox(rows, c) || (!c->draft && a.changes & 1u << i);
        if (!there)
            fprintf(stderr, "lost: %.*s\n", (int)c->said.len, (const char *)c->said.p);
        CHECK(there);
    }
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
