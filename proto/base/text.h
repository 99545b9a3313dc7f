/* Vietnamese text: checking, comparing, folding for search; dates and decimals. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "arena.h"
#include "buf.h"

/** Valid UTF-8 without NUL, surrogates and overlong forms. */
bool text_is_utf8(struct span s);

/** No control characters but tab and line feed. */
bool text_is_printable(struct span s);

/** One line that is both, of characters up to U+CFFF. Quick, and true of nearly all text; false
 *  says only that the others must be asked. */
bool text_is_plain(struct span s);

/** The longest part of at most `most` bytes that ends between two characters: its length. */
size_t text_cut(const char *s, size_t most);

/** Equal after NFC and after trimming nothing else; falls back to bytes when one is invalid. */
bool text_equal(struct span a, struct span b);

/** Append NFC, or NFD; the bytes as they are where they are no UTF-8. */
void text_form(struct buf *out, struct span s, bool composed);

/* Folded, a text has no more than so many times its bytes: U+FDFA, three of them, is four words. */
enum { FOLD_GROWTH_MAX = 11 };

/** Append the form that search compares: NFKD, case folded, marks stripped, d for đ, runs of
 *  space as one and none at the ends. Invalid bytes become spaces. */
void text_fold(struct buf *out, struct span s);

/** Append what names are compared by: NFC, case folded, the tone mark where the old style has it
 *  (hoà = hòa), runs of space as one and none at the ends, one kind of apostrophe. Diacritics
 *  count: they tell names apart. */
void text_name_key(struct buf *out, struct span s);

/** "2026-08-05"; checks month lengths and leap years; years 1900 to 2999. */
bool text_is_date(struct span s);

/** An optional minus, digits, an optional point with digits; at most 18 digits. */
bool text_is_decimal(struct span s);

/** The Vietnamese day (UTC+7) of a moment as "YYYY-MM-DD"; out has room for 11. Returns out. */
const char *text_day_of(int64_t ms, char *out);

/** "05/08/2026 14:03" in Vietnam time; out has room for 17. Returns out. */
const char *text_moment(int64_t ms, char *out);

/** The day `months` after `date`, the last of the month where the day does not exist.
 *  05/8/2026 + 36 months = 05/8/2029. out has room for 11. False if `date` is not one. */
bool text_add_months(const char *date, int months, char *out);

/** "05/8/2026", "5-8-2026" and "2026-08-05" to "2026-08-05"; false if it is no date. */
bool text_parse_date(struct span s, char *out);

#endif
