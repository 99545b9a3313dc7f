/* Errors: set once, where they arise, in memory of the caller. Knows no library and no log. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef err_set /* defined here; what analysers are told is for the callers */
#undef err_field
#undef err_nomem

/* A text that was cut must not end within a character: JNI and JSON refuse such bytes. */
static void trim_utf8(char *text, size_t room)
{
    size_t len = strlen(text), at = len;
    if (len + 1 < room)
        return; /* not cut */
    while (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
        at--;
    if (at == 0 || (unsigned char)text[at - 1] < 0xc0)
        return;
    unsigned char lead = (unsigned char)text[at - 1];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (len - (at - 1) < wanted)
        text[at - 1] = 0;
}

static void fill(struct ocop_error *err, enum ocop_status status, const char *field,
                 const char *format, va_list args) OCOP_PRINTF(4, 0);

/* Made aside first, since an argument may be the text of *err itself. */
static void fill(struct ocop_error *err, enum ocop_status status, const char *field,
                 const char *format, va_list args)
{
    struct ocop_error made = {.status = status};
    if (!err)
        return;
    snprintf(made.field, sizeof made.field, "%s", field ? field : "");
    vsnprintf(made.text, sizeof made.text, format, args);
    trim_utf8(made.field, sizeof made.field);
    trim_utf8(made.text, sizeof made.text);
    *err = made;
}

enum ocop_status err_set(struct ocop_error *err, enum ocop_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, NULL, format, args);
    va_end(args);
    return status;
}

enum ocop_status err_field(struct ocop_error *err, enum ocop_status status, const char *field,
                           const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, field, format, args);
    va_end(args);
    return status;
}

enum ocop_status err_nomem(struct ocop_error *err)
{
    return err_set(err, OCOP_ENOMEM, "out of memory; nothing was changed, try again");
}

const char *err_name(enum ocop_status status)
{
    static const char *const names[] = {
        "OK",       "EINVAL", "ENOTFOUND",    "ESTATE",     "EDB",    "ENOMEM",
        "EIO",      "ENET",   "ETIMEOUT",     "ECANCELLED", "EPROTO", "EAUTH",
        "EREVOKED", "EBUSY",  "ELIMIT",       "EVERSION",   "EPERM",  "EBROKEN",
        "EDAMAGED", "EFORK",  "ENOTENROLLED", "ESUSPENDED", "EWIPED"};
    _Static_assert(sizeof names / sizeof *names == OCOP_EWIPED + 1, "a name for each");
    return (size_t)status < sizeof names / sizeof *names ? names[status] : "EUNKNOWN";
}

void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: invariant failed: %s\n", file, line, condition);
    abort();
}
