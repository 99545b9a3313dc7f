/* Fields of changes that a test writes by hand. */
#ifndef TEST_VALUES_H
#define TEST_VALUES_H

#include "change.h"

static inline struct field text(uint32_t number, const char *s)
{
    return (struct field){
        .number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = span_str(s)};
}

static inline struct field ref(uint32_t number, const struct id *id)
{
    return (struct field){
        .number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = id_span(id)};
}

#endif
