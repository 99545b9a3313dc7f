/* Memory: how much each machine holds, so that limits can be asked and a leak is seen. What this
 * program takes from the heap is counted between it and the C library (the linker puts this there,
 * see SIM in the Makefile); SQLite gets a heap of its own, which is quicker too. */
#include <malloc.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "sim.h"

static struct node nobody;
static struct node *now = &nobody;

struct node *node_enter(struct node *n)
{
    struct node *before = now;
    now = n ? n : &nobody;
    return before;
}

struct node *node_working(void)
{
    return now;
}

/* Twice what any call has taken in worlds as small as these. */
enum { STORE_CALL_BYTES_MAX = 4 * 1024 * 1024, REGISTRY_CALL_BYTES_MAX = 8 * 1024 * 1024 };

struct call call_begin(struct node *n)
{
    struct call c = {node_enter(n), n->memory.live, n->memory.peak};
    n->memory.peak = n->memory.live;
    return c;
}

void call_end(struct node *n, const struct call *c)
{
    int64_t took = n->memory.peak - c->live;
    int limit = n == &n->sim->server ? REGISTRY_CALL_BYTES_MAX : STORE_CALL_BYTES_MAX;
    n->memory.peak = c->peak > n->memory.peak ? c->peak : n->memory.peak;
    node_enter(c->before);
    if (took > limit)
        sim_fail(n->sim, "memory", "a call took %lld bytes, the limit is %d", (long long)took,
                 limit);
}

static int64_t total;

int64_t memory_total(void)
{
    return total;
}

static void taken(int64_t bytes)
{
    total += bytes;
    now->memory.live += bytes;
    if (now->memory.live > now->memory.peak)
        now->memory.peak = now->memory.live;
}

/* What was taken since `before`: linked statically, a C library's functions call each other through
 * the ones below, and it has been counted. */
static void taken_since(int64_t before, int64_t bytes)
{
    if (total == before)
        taken(bytes);
}

/* --- the heap of this program ------------------------------------------------------------------
 */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);

void *__wrap_malloc(size_t size)
{
    void *p = __real_malloc(size);
    taken((int64_t)malloc_usable_size(p));
    return p;
}

void *__wrap_calloc(size_t count, size_t size)
{
    const int64_t so_far = total;
    void *p = __real_calloc(count, size);
    taken_since(so_far, (int64_t)malloc_usable_size(p));
    return p;
}

void *__wrap_realloc(void *p, size_t size)
{
    const int64_t so_far = total, before = (int64_t)malloc_usable_size(p);
    void *q = __real_realloc(p, size);
    if (q)
        taken_since(so_far, (int64_t)malloc_usable_size(q) - before);
    return q;
}

char *__wrap_strdup(const char *s)
{
    const int64_t so_far = total;
    char *p = __real_strdup(s);
    taken_since(so_far, (int64_t)malloc_usable_size(p));
    return p;
}

void __wrap_free(void *p)
{
    taken(-(int64_t)malloc_usable_size(p));
    __real_free(p);
}

/* What comes from this library is freed here. */
utf8proc_ssize_t __real_utf8proc_map(const uint8_t *in, utf8proc_ssize_t len, uint8_t **out,
                                     utf8proc_option_t options);
utf8proc_ssize_t __wrap_utf8proc_map(const uint8_t *in, utf8proc_ssize_t len, uint8_t **out,
                                     utf8proc_option_t options);

utf8proc_ssize_t __wrap_utf8proc_map(const uint8_t *in, utf8proc_ssize_t len, uint8_t **out,
                                     utf8proc_option_t options)
{
    const int64_t so_far = total;
    utf8proc_ssize_t got = __real_utf8proc_map(in, len, out, options);
    taken_since(so_far, (int64_t)malloc_usable_size(*out));
    return got;
}

/* A stream into memory, one at a time: its text is the C library's until it is closed, and then
 * whoever opened it frees it here. */
static FILE *stream;
static char **stream_text;

FILE *__real_open_memstream(char **text, size_t *len);
int __real_fclose(FILE *f);
FILE *__wrap_open_memstream(char **text, size_t *len);
int __wrap_fclose(FILE *f);

FILE *__wrap_open_memstream(char **text, size_t *len)
{
    CHECK(!stream);
    stream_text = text;
    return stream = __real_open_memstream(text, len);
}

int __wrap_fclose(FILE *f)
{
    const bool ours = f == stream;
    int rc = __real_fclose(f);
    if (ours) {
        stream = NULL;
#ifdef __GLIBC__ /* another C library, linked statically, asked through the functions above */
        taken((int64_t)malloc_usable_size(*stream_text));
#endif
    }
    return rc;
}

/* --- SQLite's ----------------------------------------------------------------------------------
 */

/* Blocks of 2^n and 3*2^n bytes, each behind its class; free ones are kept, by class. */
enum { CLASSES = 40, HEAD = 16, CHUNK = 256 * 1024 };

struct block {
    struct block *next;
};

static struct block *kept[CLASSES];
static uint8_t *chunk, *chunk_end;

static int class_of(int size)
{
    if (size <= 16)
        return 0;
    int p = 31 - __builtin_clz((unsigned)size - 1); /* 2^p < size <= 2^(p+1) */
    return size <= 3 << (p - 1) ? 2 * (p - 4) + 1 : 2 * (p - 3);
}

static int class_size(int c)
{
    return (c % 2 ? 24 : 16) << c / 2;
}

static void *heap_take(int size)
{
    int c = class_of(size), room = class_size(c);
    struct block *b = kept[c];
    taken(room);
    if (b) {
        kept[c] = b->next;
        __builtin_prefetch(b->next); /* a file that opens takes many, which lay idle for long */
        return b;
    }
    size_t need = (size_t)room + HEAD;
    if (need > (size_t)(chunk_end - chunk)) {
        size_t fresh = need > CHUNK ? need : CHUNK;
        chunk = __real_malloc(fresh);
        CHECK(chunk);
        chunk_end = chunk + fresh;
    }
    uint8_t *p = chunk + HEAD;
    memcpy(chunk, &c, sizeof c);
    memcpy(chunk + sizeof c, &room, sizeof room);
    chunk += need;
    return p;
}

static int heap_size(void *p)
{
    int size = 0;
    if (p)
        memcpy(&size, (uint8_t *)p - HEAD + sizeof size, sizeof size);
    return size;
}

static void heap_free(void *p)
{
    struct block *b = p;
    int c;
    if (!p)
        return;
    memcpy(&c, (uint8_t *)p - HEAD, sizeof c);
    taken(-heap_size(p));
    b->next = kept[c];
    kept[c] = b;
}

static void *heap_again(void *p, int size)
{
    int had = heap_size(p);
    if (size <= had && size > had / 2)
        return p;
    void *q = heap_take(size);
    memcpy(q, p, (size_t)(size < had ? size : had));
    heap_free(p);
    return q;
}

static int heap_round(int size)
{
    return class_size(class_of(size));
}

static int heap_init(void *self)
{
    (void)self;
    return SQLITE_OK;
}

static void heap_end(void *self)
{
    (void)self;
}

void memory_install(void)
{
    static const sqlite3_mem_methods heap = {heap_take,  heap_free, heap_again, heap_size,
                                             heap_round, heap_init, heap_end,   NULL};
    CHECK(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK); /* as all of this is */
#ifndef __SANITIZE_ADDRESS__ /* which is to see what becomes of each block */
    CHECK(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
    CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &heap) == SQLITE_OK);
#else
    (void)heap;
#endif
}
