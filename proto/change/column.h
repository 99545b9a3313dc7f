/* What the two halves of the columnar codec share: the forms, docs/protocol.md, 4. */
#ifndef CHANGE_COLUMN_H
#define CHANGE_COLUMN_H

#include "bounds.h"
#include "columns.h"

/* The numbers are on the wire. `planes` is the data of integers that are not negative: all their
 * lowest bytes, then all their second bytes, as many as the largest needs. */
enum column_form {
    COLUMN_OFFSET = 1, /* ints: the least value; data: planes of the distances from it */
    COLUMN_STEP = 2,   /* ints: first value, least step; data: planes of steps beyond that */
    COLUMN_SINCE = 3,  /* as OFFSET, of the distance from the change's device time */
    COLUMN_PLAIN = 4,  /* lens, data */
    COLUMN_FRONT = 5,  /* index: bytes shared with the value before; lens, data: the rest */
    COLUMN_DIGITS = 6, /* data: a value with 0 for each digit; columns[0]: the digits as integers */
    COLUMN_DICT = 7,   /* lens: how many entries; columns[0]: the entries; index: one per value */
    COLUMN_ID = 8,     /* index: prefixes; ints: the least counter; data: planes */
    COLUMN_ID_STEP = 9, /* the same of steps from the last counter with the same prefix */
    COLUMN_LIST = 10,   /* lens: elements per row; index: 1 where a row repeats the keys before;
                           columns[0]: keys; the others: fields of the elements */
    COLUMN_REPEAT = 11, /* in elements. lens: how often the field stands; columns[0]: the values */
    COLUMN_ID_NEAR = 12 /* keys of elements, ids made with their record's: ints: the least distance
                           from its counter; data: planes of the distances beyond that */
};

enum { CELL_ABSENT = 0, CELL_SET = FIELD_SET, CELL_CLEAR = FIELD_CLEAR };

/* One value of a column. */
struct cell {
    union {
        int64_t i;
        const uint8_t *p;
    } v;
    uint32_t len;
    uint8_t state;
};

enum {
    DIGITS_MAX = 18,                      /* that fit an integer */
    SUBS_MAX = 2 * ELEMENT_NUMBER_MAX + 2 /* columns of a list's elements: number and type */
};

/* What one value per change is called, in the order of Columns. */
enum column_head { HEAD_ID, HEAD_AUTHOR, HEAD_TIME, HEAD_REASON, HEAD_BASE, HEAD_CASE, HEADS };

static inline size_t verb_bytes_max(uint8_t verb)
{
    return verb >= VERB_STATE ? STATE_BYTES_MAX : RECORD_BYTES_MAX;
}

static inline int64_t wrap_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static inline int64_t wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline uint32_t id_counter(const uint8_t *id)
{
    const uint8_t *p = id + ID_PREFIX_LEN;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif
