#include "stories.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "evidence_make.h"
#include "log.h"
#include "registry_past.h"
#include "story.h"

/* A change of the log: its record and where it stands. */
struct mention {
    struct id record;
    uint64_t version;
};

struct reading {
    struct mention *v;
    size_t count, room;
};

static void mention(struct reading *l, const struct id *record, uint64_t version)
{
    if (l->count == l->room) {
        l->room = l->room * 2 + 256;
        l->v = realloc(l->v, l->room * sizeof *l->v);
        CHECK(l->v);
    }
    l->v[l->count++] = (struct mention){*record, version};
}

static int by_record(const void *a, const void *b)
{
    const struct mention *x = a, *y = b;
    const int c = memcmp(x->record.b, y->record.b, ID_LEN);
    return c ? c : (x->version > y->version) - (x->version < y->version);
}

static void read_all(struct registry *r, struct reading *l)
{
    struct arena a;
    uint64_t end;
    CHECK(registry_version(r, &end, NULL) == OCOP_OK);
    arena_init(&a, ARENA_REQUEST_MAX);
    for (uint64_t v = 1; v <= end; v++, arena_reset(&a)) {
        struct log_entry e;
        struct change_set set;
        CHECK(log_read(r, v, &e, NULL) == OCOP_OK);
        CHECK(changeset_open(e.body, &a, &set, NULL) == OCOP_OK);
        for (size_t i = 0; i < set.changes.count; i++)
            mention(l, &set.changes.v[i].record, v);
    }
    arena_fini(&a);
    if (l->count)
        qsort(l->v, l->count, sizeof *l->v, by_record);
}

static bool finds(struct registry *r, const struct mention *v, size_t count, char *why, size_t room)
{
    struct arena a;
    uint64_t *found;
    size_t n, at = 0;
    char id[ID_TEXT_LEN + 1];
    struct ocop_error err = {0};
    bool all = true;
    arena_init(&a, MIB(64));
    if (past_versions(r, &v->record, &a, &found, &n, &err) != OCOP_OK) {
        snprintf(why, room, "%s", err.text);
        all = false;
    }
    for (size_t i = 0; all && i < count; i++) {
        while (at < n && found[at] < v[i].version)
            at++;
        all = at < n && found[at] == v[i].version;
        if (!all)
            snprintf(why, room, "record %s: its change at version %" PRIu64 " is not found",
                     id_text(v->record, id), v[i].version);
    }
    arena_fini(&a);
    return all;
}

static bool story_holds(struct registry *r, const struct mention *v, size_t count, char *why,
                        size_t room)
{
    struct arena a;
    struct buf text;
    struct field first;
    bool found;
    struct evidence e = {.finding_count = 0};
    Ocop__Evidence__Bundle *bundle;
    char id[ID_TEXT_LEN + 1];
    struct ocop_error err = {0};
    arena_init(&a, EVIDENCE_ARENA_MAX);
    buf_init(&text, EVIDENCE_ARENA_MAX);
    enum ocop_status st = past_value(r, KIND_REPLICA, &r->self, 13, 1, &a, &first, &found, &err);
    CHECK(st != OCOP_OK || found);
    if (st == OCOP_OK)
        st = evidence_make(r, &v->record, NULL, &a, &bundle, &err);
    if (st == OCOP_OK)
        st = evidence_check(bundle, first.bytes.p, &a, &e, &err);
    if (st == OCOP_OK)
        st = story_text(&e, &text, &err);
    if (st == OCOP_OK)
        st = story_json(&e, &text, &err);
    size_t of_record = 0; /* the others are of its attachments */
    for (size_t i = 0; i < e.change_count; i++)
        of_record += id_eq(&e.changes[i].c.record, &v->record);
    const bool holds = st == OCOP_OK && e.finding_count == 0 && of_record == count;
    if (!holds)
        snprintf(why, room, "record %s: %s; %zu of %zu changes", id_text(v->record, id),
                 st != OCOP_OK         ? err.text
                 : e.finding_count > 0 ? e.findings[0]
                                       : "the story is not whole",
                 of_record, count);
    buf_fini(&text);
    arena_fini(&a);
    return holds;
}

bool stories_hold(struct registry *r, size_t stories_max, size_t *told, char *why, size_t room)
{
    struct reading l = {0};
    bool all = true;
    size_t records = 0, record = 0;
    *told = 0;
    read_all(r, &l);
    for (size_t i = 0; i < l.count; i++)
        records += i == 0 || !id_eq(&l.v[i].record, &l.v[i - 1].record);
    const size_t step = stories_max ? records / stories_max + 1 : records + 1;
    for (size_t i = 0, n; all && i < l.count; i += n, record++) {
        n = 1;
        while (i + n < l.count && id_eq(&l.v[i].record, &l.v[i + n].record))
            n++;
        all = finds(r, &l.v[i], n, why, room);
        if (!all || record % step != 0)
            continue;
        all = story_holds(r, &l.v[i], n, why, room);
        ++*told;
    }
    free(l.v);
    return all;
}
