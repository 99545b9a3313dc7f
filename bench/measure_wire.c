/* Bytes on the wire: new inspections and amendments of old ones. */
#include <string.h>

#include "measure.h"
#include "world.h"
#include "zip.h"

static void insert_lines(const struct changes *c, const struct prepared *p)
{
    enum { NOTES = 34 };
    struct buf notes, packed;
    size_t bytes = 0;
    buf_init(&notes, MIB(4));
    buf_init(&packed, MIB(4));
    for (size_t i = 0; i < c->count; i++) {
        struct field *f = fields_find(&c->v[i].fields, NOTES, span_of(NULL, 0));
        MUST_BE(f != NULL);
        buf_put(&notes, f->bytes.p, f->bytes.len);
    }
    MUST(zip_deflate(buf_span(&notes), 9, &packed, &err));
    for (size_t i = 0; i < p->count; i++)
        bytes += p->v[i].len;
    measure_line("wire_overhead_bytes", ((double)bytes - (double)packed.len) / (double)c->count,
                 "bytes/record", 25);
    measure_line("wire_insert_bytes", (double)bytes / (double)c->count, "bytes/record", 0);
    buf_fini(&notes);
    buf_fini(&packed);
}

void measure_insert(struct world *w)
{
    struct device d;
    struct arena a;
    struct prepared p = {0};
    arena_init(&a, MIB(64));
    device_enrol(w, &d, &w->units[0]);
    struct changes c = device_record(w, &d, 1000, &a);
    prepared_add(w, &d, &c, &a, &p);
    (void)prepared_answer(w, &p); /* they are good ones */
    insert_lines(&c, &p);
    prepared_free(&p);
    arena_fini(&a);
}

void measure_update(struct world *w)
{
    static const char *const reasons[] = {"Nhập sai điểm", "Kiểm tra lại", "Sửa kết luận"};
    struct device d;
    struct arena a;
    struct prepared p = {0};
    struct change v[100];
    device_enrol(w, &d, &w->units[30]);
    arena_init(&a, MIB(64));
    for (size_t i = 0; i < 10; i++) {
        struct changes c = device_record(w, &d, 50, &a);
        prepared_add(w, &d, &c, &a, &p);
        (void)prepared_answer(w, &p);
        prepared_free(&p);
        for (size_t k = 0; k < 10; k++) {
            static const char *const ends[] = {"pass", "conditional", "fail"};
            struct change *u = &v[i * 10 + k];
            *u = c.v[(k * 7 + i) % 50];
            const struct field *old = fields_find(&u->fields, 26, span_of(NULL, 0));
            struct span end = span_str(ends[workload_below(&w->work, 3)]);
            if (span_eq(end, old->bytes))
                end = span_str(span_eq(end, span_str("pass")) ? "conditional" : "pass");
            struct field *f = arena_calloc(&a, 2, sizeof *f);
            u->verb = VERB_AMEND;
            u->base = world_version(w);
            u->device_time_ms = d.area.now_ms + workload_below(&w->work, 86400000);
            u->reason = span_str(reasons[workload_below(&w->work, 3)]);
            f[0] = (struct field){
                .number = 26, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = end, .base = u->base};
            f[1] = (struct field){.number = 27,
                                  .op = FIELD_SET,
                                  .type = VALUE_INT,
                                  .i = workload_below(&w->work, 101),
                                  .base = u->base};
            u->fields = (struct fields){f, 2};
        }
    }
    struct changes c = {v, 100};
    d.cursor = world_version(w);
    prepared_add(w, &d, &c, &a, &p);
    MUST_BE(p.count == 1);
    measure_line("wire_update_bytes", (double)p.v[0].len / 100, "bytes/amendment", 25);
    struct job job = {.frame = buf_span(&p.v[0])};
    exchange_batch(w->r, &w->keys, &job, 1);
    MUST_BE(job.status == OCOP_OK && job.outcomes <= 3); /* some scores may be equal */
    buf_fini(&job.reply);
    prepared_free(&p);
    arena_fini(&a);
}
