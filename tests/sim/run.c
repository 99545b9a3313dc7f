/* One run: a world out of the seed, its steps, and the end at which everything is asked. */
#include <stdlib.h>

#include "sim.h"
#include "values.h"

/* What the office writes before the first device comes: one set. */
struct founding {
    struct sim *s;
    struct change v[24];
    size_t count;
};

static void writes(struct founding *w, uint32_t kind, const struct id *id, const struct field *v,
                   size_t count)
{
    struct field *copy = arena_calloc(&w->s->work, count, sizeof *v);
    CHECK(copy && w->count < sizeof w->v / sizeof *w->v);
    memcpy(copy, v, count * sizeof *v);
    for (size_t i = 0; i < count; i++) { /* the caller's ids do not last */
        copy[i].bytes.p = (const uint8_t *)arena_dup(&w->s->work, v[i].bytes.p, v[i].bytes.len);
        CHECK(copy[i].bytes.p);
    }
    w->v[w->count++] =
        (struct change){.kind = kind, .verb = VERB_CREATE, .record = *id, .fields = {copy, count}};
}

/* Two provinces, four communes; a few producers and products. */
static void master_data(struct founding *w)
{
    struct sim *s = w->s;
    static const char *const codes[] = {"68", "66", "24664", "24670", "24676", "24100"};
    for (unsigned i = 0; i < 6; i++) {
        struct id id = id_next(&s->registry->ids, &s->server.env);
        struct field v[] = {text(10, codes[i]), text(11, "Đơn vị"),
                            text(12, i < 2 ? "province" : "commune"), ref(13, &s->units[i == 5]),
                            text(14, "2025-07-01")};
        if (i < 2) {
            v[3] = v[4];
            writes(w, KIND_UNIT, &id, v, 4);
        } else {
            writes(w, KIND_UNIT, &id, v, 5);
        }
        s->units[s->unit_count++] = id;
    }
    for (unsigned i = 0; i < 3; i++) {
        struct id producer = id_next(&s->registry->ids, &s->server.env);
        struct id product = id_next(&s->registry->ids, &s->server.env);
        struct field p[] = {ref(2, &s->units[2 + i % 2]), text(10, "HTX"), text(11, "cooperative")};
        struct field q[] = {ref(2, &s->units[2 + i % 2]), text(10, "Cà phê"), ref(11, &producer)};
        writes(w, KIND_PRODUCER, &producer, p, 3);
        writes(w, KIND_PRODUCT, &product, q, 3);
        record_note(s, KIND_PRODUCER, &producer);
        record_note(s, KIND_PRODUCT, &product);
    }
}

static void officers(struct founding *w, struct chance *c)
{
    struct sim *s = w->s;
    static const char *const roles[] = {"inspector", "reconciler", "sampler", "laboratory"};
    s->officer_count = 2 + chance_below(c, SIM_OFFICERS_MAX - 1);
    for (unsigned n = 0; n < s->officer_count; n++) {
        struct field v[4] = {text(10, "Cán bộ")};
        size_t count = 1;
        bool laboratory = n > 1 && chance_percent(c, 25); /* which is told less than others */
        for (unsigned i = 0; i < 4; i++) {
            size_t len = strlen(roles[i]);
            char *packed = arena_printf(&s->work, "\n%c%s", (int)len, roles[i]);
            if (laboratory != (i == 3) || (i == 1 && n > 0 && !chance_percent(c, 30)))
                continue;
            v[count++] = (struct field){.number = 15,
                                        .op = FIELD_SET,
                                        .type = VALUE_ELEMENT,
                                        .key = span_of(packed + 2, len),
                                        .bytes = span_of(packed, len + 2)};
        }
        s->officers[n] = id_next(&s->registry->ids, &s->server.env);
        writes(w, KIND_OFFICER, &s->officers[n], v, count);
    }
}

static void world(struct sim *s)
{
    static const unsigned scopes[] = {1, 4, 12, 4, 8, 1, 12, 3, 36};
    struct chance c = chance_of(s->options.seed, 3);
    struct founding w = {.s = s};
    unsigned faults = s->faults, devices = 2 + chance_below(&c, 4);
    s->faults = 0; /* the beginning goes well ... */
    s->chance = chance_of(s->options.seed, 4);
    master_data(&w);
    officers(&w, &c);
    CHECK(office_write(s, w.v, w.count));
    bool early = chance_percent(&c, 70);
    for (unsigned i = 0; i < devices; i++) {
        struct device *d = device_new(s, chance_below(&c, s->officer_count),
                                      scopes[chance_below(&c, sizeof scopes / sizeof *scopes)]);
        if (early)
            (void)device_sync(s, d, NULL);
    }
    s->faults = faults; /* ... mostly as far as everyone's first sync */
    arena_reset(&s->work);
}

void sim_run(const struct sim_options *options, struct sim_figures *sum)
{
    struct sim *s = malloc(sizeof *s);
    CHECK(s);
    sim_open(s, options);
    world(s);
    for (s->step = 1; s->step <= s->step_count; s->step++) {
        if (options->skip && s->step < SIM_STEPS_MAX && options->skip[s->step])
            continue;
        s->chance = chance_of(options->seed, 100 + s->step);
        step_take(s);
        check_step(s);
        arena_reset(&s->work);
    }
    s->chance = chance_of(options->seed, 5);
    check_all(s);
    sum->seeds++;
    sum->ms += (uint64_t)(s->now_ms - s->began_ms);
    sum->exchanges += s->figures.exchanges;
    sum->crashes += s->figures.crashes;
    sum->cases += s->figures.cases;
    sum->changes += s->figures.changes;
    sum->restores += s->figures.restores;
    sum->forks += s->figures.forks;
    sum->scopes += s->figures.scopes;
    sum->revoked += s->figures.revoked;
    sum->suspended += s->figures.suspended;
    sum->wiped += s->figures.wiped;
    sum->rekeyed += s->figures.rekeyed;
    sum->rotated += s->figures.rotated;
    sum->strange += s->figures.strange;
    sum->attached += s->figures.attached;
    sum->fetched += s->figures.fetched;
    sum->claimed += s->figures.claimed;
    sum->dropped += s->figures.dropped;
    sum->spoiled += s->figures.spoiled;
    sum->mended += s->figures.mended;
    sum->thumbs += s->figures.thumbs;
    sum->thumbs_held += s->figures.thumbs_held;
    sum->roots += s->figures.roots;
    sim_close(s);
    if (memory_total() != s->held)
        sim_fail(s, "memory", "%lld bytes were not given back",
                 (long long)(memory_total() - s->held));
    free(s);
}
