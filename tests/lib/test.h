/* cmocka with the headers it needs, in the order it needs them. */
#ifndef TEST_H
#define TEST_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#endif
