/* Blocks of memory that double in size and are freed together. Knows nothing of what lies in them.
 */
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_FIRST ((size_t)16 * 1024)
#define ALIGN _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t room, at;
    _Alignas(max_align_t) uint8_t bytes[];
};

static size_t align_up(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static void blocks_free(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_init(struct arena *a, size_t cap)
{
    *a = (struct arena){.cap = cap};
}

void arena_fini(struct arena *a)
{
    blocks_free(a->blocks);
    a->blocks = NULL;
    a->used = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_block *largest = a->blocks;
    a->used = 0;
    a->full = a->failed = false;
    if (!largest)
        return;
    /* Usually the newest, but the last block is cut to what the cap leaves. */
    for (struct arena_block *b = largest->next; b; b = b->next)
        if (b->room > largest->room)
            largest = b;
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        if (b != largest)
            free(b);
    }
    largest->next = NULL;
    largest->at = 0;
    a->blocks = largest;
}

/* A block for at least `size` bytes, of which the cap allows `left`. */
static struct arena_block *block_new(struct arena *a, size_t size, size_t left)
{
    size_t room = BLOCK_FIRST;
    if (a->blocks)
        room = a->blocks->room <= SIZE_MAX / 2 ? a->blocks->room * 2 : SIZE_MAX;
    if (room > left)
        room = left;
    if (room < size)
        room = size;
    if (room > SIZE_MAX - sizeof(struct arena_block))
        return NULL;
    struct arena_block *b = malloc(sizeof *b + room);
    if (!b)
        return NULL;
    b->room = room;
    b->at = 0;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size == 0)
        size = 1; /* so that two objects never share an address */
    if (size > SIZE_MAX - ALIGN || align_up(size) > a->cap || a->used > a->cap - align_up(size)) {
        a->full = true;
        return NULL;
    }
    size = align_up(size);
    struct arena_block *b = a->blocks;
    if (!b || b->room - b->at < size)
        b = block_new(a, size, a->cap - a->used);
    a->failed = a->failed || !b;
    if (!b)
        return NULL;
    void *p = b->bytes + b->at;
    b->at += size;
    a->used += size;
    return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    void *p = arena_alloc(a, count * size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

void *arena_more(struct arena *a, void *v, size_t count, size_t size)
{
    enum { FIRST = 8 };
    if (count != 0 && (count < FIRST || (count & (count - 1)) != 0))
        return v;
    size_t room = count < FIRST ? FIRST : count * 2;
    void *more = room <= SIZE_MAX / size ? arena_alloc(a, room * size) : NULL;
    if (more && count)
        memcpy(more, v, count * size);
    return more;
}

char *arena_dup(struct arena *a, const void *p, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(a, len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, p, len);
    copy[len] = 0;
    return copy;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return NULL;
    char *out = arena_alloc(a, (size_t)len + 1);
    if (!out)
        return NULL;
    va_start(args, format);
    vsnprintf(out, (size_t)len + 1, format, args);
    va_end(args);
    return out;
}

void arena_trim(struct arena *a, void *p, size_t old_size, size_t new_size)
{
    struct arena_block *b = a->blocks;
    if (!b || !p || new_size >= old_size || old_size > b->at)
        return;
    size_t was = align_up(old_size), now = align_up(new_size);
    if (was > b->at || (uint8_t *)p != b->bytes + b->at - was)
        return;
    b->at -= was - now;
    a->used -= was - now;
}
