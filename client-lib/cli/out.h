/* Growing output text, and the three ways a value leaves this program: for people, as JSON, as a
 * cell of CSV. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ocop_status.h"

enum { OUT_MOMENT_MAX = 40 };

/** Zero is empty. A failure of memory is kept in `failed` and asked for once, at the end. */
struct out {
    char *p;
    size_t len, cap;
    bool failed;
};

void out_put(struct out *o, const char *p, size_t len);
void out_str(struct out *o, const char *text);
void out_printf(struct out *o, const char *format, ...) OCOP_PRINTF(2, 3);
void out_spaces(struct out *o, size_t count);
/** The text with its NUL; "" when empty. Valid until the next call. */
const char *out_text(struct out *o);
void out_fini(struct out *o);
/** Write all to a file. To a terminal no control reaches it, whatever the form: what out_plain
 *  escapes is escaped here too, in JSON as \u. False when it cannot be written; errno says why. */
bool out_write(struct out *o, FILE *file);

/** Text of others for a terminal: what could move the cursor, hide text or turn its direction is
 *  written as \u{...}. `lines` leaves line feeds as they are. */
void out_plain(struct out *o, const char *text, bool lines);
/** How many columns a terminal shows `len` bytes in: combining marks take none. */
size_t out_columns(const char *text, size_t len);

/** As a JSON string with its quotes. */
void out_json(struct out *o, const char *text);
/** As a cell of RFC 4180. `is_text`: what a spreadsheet would run as a formula gets an apostrophe;
 *  numbers are left alone. */
void out_csv(struct out *o, const char *text, bool is_text);

/** "2026-08-05 14:03:00+07:00", Vietnam's time; `text` has room for OUT_MOMENT_MAX. Returns it. */
const char *out_moment(int64_t ms, char *text);

#endif
