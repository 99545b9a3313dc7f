/* Linked into every test of a build with CIPHER=1: a store that a test opens without a key gets
 * one, and so does a test that looks into a store's file. So the tests of stores that know nothing
 * of encryption run on encrypted ones. */
#include "keyed.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "cipher.h"

const uint8_t keyed_key[KEYED_LEN] = "the key that all stores have....";

static bool without;

enum ocop_status __real_ocop_open(const char *path, const struct ocop_options *options,
                                  struct ocop_store **out, struct ocop_error *err);
enum ocop_status __wrap_ocop_open(const char *path, const struct ocop_options *options,
                                  struct ocop_store **out, struct ocop_error *err);
int __real_sqlite3_open(const char *path, sqlite3 **out);
int __wrap_sqlite3_open(const char *path, sqlite3 **out);

void keyed_off(bool off)
{
    without = off;
}

enum ocop_status __wrap_ocop_open(const char *path, const struct ocop_options *options,
                                  struct ocop_store **out, struct ocop_error *err)
{
    struct ocop_options o = {0};

    if (without)
        return __real_ocop_open(path, options, out, err);
    if (options)
        o = *options;
    if (!o.key) {
        o.key = keyed_key;
        o.key_len = KEYED_LEN;
    }
    return __real_ocop_open(path, &o, out, err);
}

int __wrap_sqlite3_open(const char *path, sqlite3 **out)
{
    struct cipher_key key;
    int code = __real_sqlite3_open(path, out);

    if (code != SQLITE_OK || cipher_unlock(*out, path, span_of(NULL, 0), &key, NULL) != OCOP_EAUTH)
        return code;
    return cipher_unlock(*out, path, span_of(keyed_key, KEYED_LEN), &key, NULL) == OCOP_OK
               ? SQLITE_OK
               : SQLITE_NOTADB;
}
