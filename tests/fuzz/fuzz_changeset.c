/* A change-set body, as sent (zlib, or plain when small) and as hashed (plain). What decodes must
 * encode again to changes that decode the same. */
#include "bounds.h"
#include "changeset.h"
#include "fuzz.h"
#include "zip.h"

static void round_trip(const struct changes *in, struct arena *a)
{
    Ocop__Sync__Columns columns;
    struct changes again;
    if (columns_encode(in, a, &columns, NULL) != OCOP_OK)
        return; /* elements that no canonical writer makes */
    CHECK(columns_decode(&columns, a, &again, NULL) == OCOP_OK);
    CHECK(again.count == in->count);
    for (size_t i = 0; i < in->count; i++)
        CHECK(again.v[i].fields.count == in->v[i].fields.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct change_set set;
    struct buf zipped;
    kinds_init();
    arena_init(&a, MIB(64));
    buf_init(&zipped, MIB(8));
    if (changeset_open(span_of(data, size), &a, &set, NULL) == OCOP_OK)
        round_trip(&set.changes, &a);
    if (zip_deflate(span_of(data, size), 1, &zipped, NULL) == OCOP_OK) {
        if (changeset_peek(buf_span(&zipped), &a, &set, NULL) == OCOP_OK)
            CHECK(set.seq > 0);
        if (changeset_open(buf_span(&zipped), &a, &set, NULL) == OCOP_OK)
            round_trip(&set.changes, &a);
    }
    buf_fini(&zipped);
    arena_fini(&a);
    return 0;
}
