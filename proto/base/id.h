/* 16-byte ids in UUIDv8 form: 12 bytes drawn when a store is opened, then a counter. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "env.h"
#include "span.h"

enum { ID_LEN = 16, ID_PREFIX_LEN = 12, ID_TEXT_LEN = 36 };

struct id {
    uint8_t b[ID_LEN];
};

struct id_source {
    uint8_t prefix[ID_PREFIX_LEN]; /* with the bits of version and variant in place */
    uint32_t counter;
};

void id_source_init(struct id_source *s, const struct env *env);

/** The next id. After 2^32 ids of one prefix it draws a new one. */
struct id id_next(struct id_source *s, const struct env *env);

/** "xxxxxxxx-xxxx-8xxx-yxxx-xxxxxxxxxxxx"; out has room for ID_TEXT_LEN + 1. Returns out. */
const char *id_text(struct id id, char *out);

/** Reads it, with or without hyphens; false if it is not one. */
bool id_parse(const char *text, struct id *out);

static inline struct span id_span(const struct id *id)
{
    return (struct span){id->b, ID_LEN};
}
static inline bool id_from(struct span s, struct id *out)
{
    if (s.len != ID_LEN || !s.p) /* a column can be NULL when memory is out */
        return false;
    memcpy(out->b, s.p, ID_LEN);
    return true;
}
static inline bool id_eq(const struct id *a, const struct id *b)
{
    return memcmp(a->b, b->b, ID_LEN) == 0;
}
/* For qsort. */
static inline int id_cmp(const void *a, const void *b)
{
    return memcmp(a, b, ID_LEN);
}
static inline bool id_is_zero(const struct id *a)
{
    static const struct id zero;
    return id_eq(a, &zero);
}

#endif
