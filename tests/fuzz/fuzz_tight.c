/* Columns in their tight form, as they stand in a change-set. What is read must write again, and be
 * read to the same message. */
#include "bounds.h"
#include "fuzz.h"
#include "tight.h"

static struct span packed(const Ocop__Sync__Columns *m, struct arena *a)
{
    size_t len = ocop__sync__columns__get_packed_size(m);
    uint8_t *p = arena_alloc(a, len);
    CHECK(p);
    return span_of(p, ocop__sync__columns__pack(m, p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct changes changes;
    struct span again;
    Ocop__Sync__Columns *m, *back;
    arena_init(&a, MIB(64));
    enum ocop_status st = tight_read(span_of(data, size), &a, &m, NULL);
    CHECK(st == OCOP_OK || st == OCOP_EPROTO || st == OCOP_ELIMIT);
    if (st == OCOP_OK) {
        struct span as_read = packed(m, &a);
        st = columns_decode(m, &a, &changes, NULL);
        CHECK(st == OCOP_OK || st == OCOP_EPROTO || st == OCOP_ELIMIT);
        CHECK(tight_write(m, &a, &again, NULL) == OCOP_OK);
        CHECK(tight_read(again, &a, &back, NULL) == OCOP_OK);
        CHECK(span_eq(as_read, packed(back, &a)));
    }
    arena_fini(&a);
    return 0;
}
