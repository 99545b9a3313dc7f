/* cmocka with the headers it needs, in the order it needs them; and what nearly every test wants.
 */
#ifndef TEST_H
#define TEST_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "err.h"

static inline void must(enum ocop_status st, const struct ocop_error *err)
{
    if (st != OCOP_OK)
        fail_msg("%s %s: %s", err_name(st), err->field, err->text);
}

#endif
