#define _GNU_SOURCE /* memmem */
#include "files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void read_file(const char *dir, struct file *out)
{
    char path[256];
    long len;
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", dir, out->name);
    f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    len = ftell(f);
    assert_true(len >= 0);
    rewind(f);
    out->len = (size_t)len;
    out->bytes = malloc(out->len + 1);
    assert_non_null(out->bytes);
    assert_int_equal(fread(out->bytes, 1, out->len, f), out->len);
    (void)fclose(f);
}

void files_read(const char *dir, const char *prefix, struct files *out)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;

    assert_non_null(d);
    out->count = 0;
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        assert_in_range(out->count, 0, FILES_MAX - 1);
        (void)snprintf(out->v[out->count].name, FILES_NAME_MAX, "%.*s", FILES_NAME_MAX - 1,
                       entry->d_name);
        read_file(dir, &out->v[out->count++]);
    }
    (void)closedir(d);
    qsort(out->v, out->count, sizeof *out->v, by_name);
}

void files_free(struct files *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->v[i].bytes);
    f->count = 0;
}

bool files_same(const struct files *a, const struct files *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->v[i].name, b->v[i].name) == 0 && a->v[i].len == b->v[i].len &&
               memcmp(a->v[i].bytes, b->v[i].bytes, a->v[i].len) == 0;
    return same;
}

const char *files_find(const struct files *f, const void *bytes, size_t len)
{
    for (size_t i = 0; i < f->count; i++)
        if (memmem(f->v[i].bytes, f->v[i].len, bytes, len))
            return f->v[i].name;
    return NULL;
}

void files_write(const struct files *f, const char *dir, const char *old, const char *prefix)
{
    for (size_t i = 0; i < f->count; i++) {
        char path[256];
        FILE *out;
        (void)snprintf(path, sizeof path, "%s/%s%s", dir, prefix, f->v[i].name + strlen(old));
        out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(f->v[i].bytes, 1, f->v[i].len, out), f->v[i].len);
        assert_int_equal(fclose(out), 0);
    }
}
