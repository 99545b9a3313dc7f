/* What the tests of encrypted stores do with files: read, copy, compare, search. */
#ifndef TEST_FILES_H
#define TEST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILES_MAX = 6, FILES_NAME_MAX = 64 };

struct file {
    char name[FILES_NAME_MAX];
    uint8_t *bytes;
    size_t len;
};

/* All files of a directory whose names begin with a prefix, in order. */
struct files {
    struct file v[FILES_MAX];
    size_t count;
};

void files_read(const char *dir, const char *prefix, struct files *out);
void files_free(struct files *f);
/** Are the same files there, with the same bytes? */
bool files_same(const struct files *a, const struct files *b);
/** In which file these bytes stand; NULL: in none. */
const char *files_find(const struct files *f, const void *bytes, size_t len);
/** Write them under other names: `prefix` and what followed the old prefix. */
void files_write(const struct files *f, const char *dir, const char *old, const char *prefix);

#endif
