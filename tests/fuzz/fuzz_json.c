/* A record as a person or a program writes it. What is read must be written, and read again. */
#include "bounds.h"
#include "fuzz.h"
#include "json.h"
#include "rules.h"

static void round_trip(const struct kind *k, const struct id *id, const struct fields *f,
                       struct arena *a)
{
    struct buf text;
    struct fields again;
    struct id id_again;
    size_t set = 0; /* what is cleared is not in the record */
    for (size_t i = 0; i < f->count; i++)
        set += f->v[i].op == FIELD_SET;
    buf_init(&text, MIB(4));
    if (json_from_fields(k, id, f, false, &text, NULL) == OCOP_OK) {
        CHECK(json_to_fields(k, buf_span(&text), NULL, NULL, a, &id_again, &again, NULL) ==
              OCOP_OK);
        CHECK(again.count == set);
    }
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kinds_init();
    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *k = kind_at(i);
        struct arena a;
        struct fields f;
        struct id id;
        arena_init(&a, MIB(16));
        if (json_to_fields(k, span_of(data, size), NULL, NULL, &a, &id, &f, NULL) == OCOP_OK &&
            rules_check(k, &f, RULES_DRAFT, NULL, NULL) == OCOP_OK)
            round_trip(k, &id, &f, &a);
        arena_fini(&a);
    }
    return 0;
}
