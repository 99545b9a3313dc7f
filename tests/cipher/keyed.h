/* The key that keyed.c gives to stores which a test opens without one. */
#ifndef TEST_KEYED_H
#define TEST_KEYED_H

#include "ocop.h"

enum { KEYED_LEN = 32 };

extern const uint8_t keyed_key[KEYED_LEN];

/** From now on a store is opened with the key it is given, or with none. */
void keyed_off(bool off);

#endif
