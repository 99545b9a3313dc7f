/* Ids: a random prefix for one opening of a store, then a counter. Knows no database. */
#include "id.h"

/* Bits that mark a UUID of version 8, variant of RFC 9562. Both bytes lie in the prefix, so the
 * counter keeps all its 32 bits. */
static void mark_uuid(uint8_t *prefix)
{
    prefix[6] = (uint8_t)(0x80 | (prefix[6] & 0x0f));
    prefix[8] = (uint8_t)(0x80 | (prefix[8] & 0x3f));
}

void id_source_init(struct id_source *s, const struct env *env)
{
    env_random(env, s->prefix, ID_PREFIX_LEN);
    mark_uuid(s->prefix);
    s->counter = 0;
}

struct id id_next(struct id_source *s, const struct env *env)
{
    struct id id;
    if (s->counter == UINT32_MAX)
        id_source_init(s, env);
    uint32_t n = ++s->counter;
    memcpy(id.b, s->prefix, ID_PREFIX_LEN);
    for (int i = 0; i < ID_LEN - ID_PREFIX_LEN; i++) /* big-endian: ids sort as they were made */
        id.b[ID_PREFIX_LEN + i] = (uint8_t)(n >> (24 - 8 * i));
    return id;
}

static bool hyphen_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

const char *id_text(struct id id, char *out)
{
    static const char digits[] = "0123456789abcdef";
    char *p = out;
    for (size_t i = 0; i < ID_LEN; i++) {
        if (hyphen_before(i))
            *p++ = '-';
        *p++ = digits[id.b[i] >> 4];
        *p++ = digits[id.b[i] & 15];
    }
    *p = 0;
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool id_parse(const char *text, struct id *out)
{
    struct id id;
    bool hyphens = strlen(text) == ID_TEXT_LEN;
    for (size_t i = 0; i < ID_LEN; i++) {
        if (hyphens && hyphen_before(i) && *text++ != '-')
            return false;
        int high = hex_digit(text[0]);
        int low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return false;
        id.b[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text)
        return false;
    *out = id;
    return true;
}
