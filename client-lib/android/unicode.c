/* What utf8proc makes of every character, alone between two others: of the one with narrower tables
 * (.ci/parts/parts.mk) and of Debian's it must be the same. Prints one number. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <utf8proc.h>

static uint64_t digest(uint64_t h, const void *p, size_t len)
{
    const uint8_t *byte = p;

    for (size_t i = 0; i < len; i++)
        h = (h ^ byte[i]) * UINT64_C(0x100000001b3);
    return h;
}

int main(void)
{
    static const utf8proc_option_t forms[] = {
        UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD,
        UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
            UTF8PROC_STRIPMARK,
    };
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (utf8proc_int32_t c = 1; c < 0x110000; c++) {
        utf8proc_uint8_t in[12];
        utf8proc_ssize_t len = utf8proc_encode_char('A', in);
        if (c >= 0xd800 && c < 0xe000)
            continue;
        len += utf8proc_encode_char(c, in + len);
        len += utf8proc_encode_char(0x301, in + len);
        h = digest(h, &(int){utf8proc_category(c)}, sizeof(int));
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            utf8proc_uint8_t *out = NULL;
            utf8proc_ssize_t got = utf8proc_map(in, len, &out, forms[i]);
            h = digest(h, &got, sizeof got);
            h = digest(h, out, got > 0 ? (size_t)got : 0);
            free(out);
        }
    }
    return printf("%016" PRIx64 "\n", h) > 0 ? 0 : 1;
}
