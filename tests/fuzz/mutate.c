/* Mutations that keep a message one: bytes changed at random break the lengths around them, and all
 * that is found is that the message is cut. Half of the time a field somewhere within is changed,
 * doubled, moved or left out, and the lengths of what is around it are set right. For libFuzzer. */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "bounds.h"
#include "fuzz.h"
#include "packed.h"

enum { FIELDS_MAX_IN_MESSAGE = 512, DEPTH_LIMIT = 8 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

struct mutation {
    unsigned long chance;
    struct arena a;
};

static size_t below(struct mutation *m, size_t n)
{
    m->chance = m->chance * 6364136223846793005UL + 1442695040888963407UL;
    return n ? (size_t)(m->chance >> 33) % n : 0;
}

/* The fields of a message; 0 when it is none. */
static size_t split(struct mutation *m, struct span message, struct field **out)
{
    size_t count = 0, at = 0;
    int more;
    *out = arena_calloc(&m->a, FIELDS_MAX_IN_MESSAGE, sizeof **out);
    if (!*out)
        return 0;
    while (count < FIELDS_MAX_IN_MESSAGE && (more = packed_next(message, &at, &(*out)[count])) > 0)
        count++;
    return at == message.len ? count : 0;
}

static struct span join(struct mutation *m, const struct field *v, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += packed_size(&v[i]);
    uint8_t *p = arena_alloc(&m->a, len + 1), *end = p;
    for (size_t i = 0; p && i < count; i++)
        end = packed_write(end, &v[i]);
    return span_of(p, p ? len : 0);
}

static struct span mutated_bytes(struct mutation *m, struct span s)
{
    size_t room = s.len * 2 + 32;
    uint8_t *p = arena_alloc(&m->a, room);
    if (!p)
        return s;
    if (s.len)
        memcpy(p, s.p, s.len);
    return span_of(p, LLVMFuzzerMutate(p, s.len, room));
}

static int64_t mutated_number(struct mutation *m, int64_t i)
{
    static const uint64_t edges[] = {0, 1, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_C(1) << 63};
    switch (below(m, 4)) {
    case 0:
        return (int64_t)edges[below(m, sizeof edges / sizeof *edges)];
    case 1:
        return (int64_t)((uint64_t)i ^ UINT64_C(1) << below(m, 64));
    default:
        return (int64_t)((uint64_t)i + below(m, 9) - 4);
    }
}

static struct span mutated(struct mutation *m, struct span message, unsigned depth);

static void mutate_value(struct mutation *m, struct field *f, unsigned depth)
{
    if (f->type == VALUE_INT)
        f->i = mutated_number(m, f->i);
    else if (depth < DEPTH_LIMIT && below(m, 8))
        f->bytes = mutated(m, f->bytes, depth + 1);
    else
        f->bytes = mutated_bytes(m, f->bytes);
}

static struct span mutated(struct mutation *m, struct span message, unsigned depth)
{
    struct field *v;
    size_t count = split(m, message, &v);
    if (count == 0)
        return mutated_bytes(m, message);
    size_t at = below(m, count), other = below(m, count);
    struct field f = v[at];
    switch (below(m, 12)) {
    case 0: /* left out */
        memmove(v + at, v + at + 1, (count - at - 1) * sizeof *v);
        count--;
        break;
    case 1: /* doubled */
        if (count < FIELDS_MAX_IN_MESSAGE)
            v[count++] = f;
        break;
    case 2: /* the value of another */
        v[at] = v[other];
        v[at].number = f.number;
        break;
    case 3: /* under another number */
        v[at].number = (uint32_t)(1 + below(m, 20));
        break;
    case 4:
        v[at] = v[other];
        v[other] = f;
        break;
    default:
        mutate_value(m, &v[at], depth);
    }
    return join(m, v, count);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    struct mutation m = {.chance = seed};
    arena_init(&m.a, MIB(64));
    struct span out = {NULL, 0};
    if (below(&m, 2))
        out = mutated(&m, span_of(data, size), 0);
    bool taken = out.len > 0 && out.len <= max_size;
    if (taken)
        memcpy(data, out.p, out.len);
    arena_fini(&m.a);
    return taken ? out.len : LLVMFuzzerMutate(data, size, max_size);
}
