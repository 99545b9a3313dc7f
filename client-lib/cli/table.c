/* Rows of text in aligned columns, counted as a terminal shows Vietnamese. Knows no records. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

void table_cell(struct table *t, const char *text)
{
    bool last = t->count % t->columns == t->columns - 1;

    if (t->count == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        size_t *ends = realloc(t->ends, cap * sizeof *ends);
        if (!ends) {
            t->text.failed = true;
            return;
        }
        t->ends = ends;
        t->cap = cap;
    }
    out_plain(&t->text, text, t->lines && last);
    t->ends[t->count++] = t->text.len;
}

void table_row(struct table *t, const char *const *cells)
{
    for (size_t i = 0; i < t->columns; i++)
        table_cell(t, cells[i]);
}

static const char *cell(const struct table *t, size_t i, size_t *len)
{
    size_t from = i ? t->ends[i - 1] : 0;

    *len = t->ends[i] - from;
    return *len ? t->text.p + from : "";
}

/* The lines of a last cell, each under the first. */
static void put_lines(struct out *o, const char *p, size_t len, size_t indent)
{
    for (;;) {
        const char *feed = len ? memchr(p, '\n', len) : NULL;
        size_t line = feed ? (size_t)(feed - p) : len;
        out_put(o, p, line);
        out_put(o, "\n", 1);
        if (!feed)
            return;
        p += line + 1;
        len -= line + 1;
        out_spaces(o, indent);
    }
}

void table_print(const struct table *t, size_t indent, struct out *o)
{
    size_t width[TABLE_COLUMNS_MAX] = {0}, len;

    if (t->text.failed || t->columns > TABLE_COLUMNS_MAX) {
        o->failed = true;
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        const char *p = cell(t, i, &len);
        size_t columns = out_columns(p, len);
        if (columns > width[i % t->columns])
            width[i % t->columns] = columns;
    }
    for (size_t i = 0; i < t->count; i += t->columns) {
        size_t at = indent;
        out_spaces(o, indent);
        for (size_t c = 0; c + 1 < t->columns; c++) {
            const char *p = cell(t, i + c, &len);
            out_put(o, p, len);
            out_spaces(o, width[c] - out_columns(p, len) + 2);
            at += width[c] + 2;
        }
        const char *p = cell(t, i + t->columns - 1, &len);
        while (len == 0 && o->len && o->p[o->len - 1] == ' ')
            o->len--;
        put_lines(o, p, len, at);
    }
}

void table_fini(struct table *t)
{
    out_fini(&t->text);
    free(t->ends);
    *t = (struct table){0};
}
