/* Reading imported files: rows of cells, and every complaint about them by line and column. Knows
 * no registry. */
#include "bounds.h"
#include "importer.h"
#include "show.h"

/* --- telling what is wrong --- */

void import_complain(struct importer *im, const char *path, size_t line, const char *column,
                     const char *reason)
{
    FILE *out = im->options->errors;

    if (im->result->wrong++ == 0)
        snprintf(im->reason, sizeof im->reason, "%s%s%s", column ? column : "",
                 column && column[0] ? ": " : "", reason);
    if (!out || im->result->wrong > IMPORT_ERRORS_SHOWN)
        return;
    fprintf(out, "%s:%zu:", path, line);
    if (column && column[0]) {
        show_text(out, span_str(column));
        fputc(':', out);
    }
    fputc(' ', out);
    show_text(out, span_str(reason));
    fputc('\n', out);
}

static void on_wrong(void *self, size_t line, const char *reason)
{
    struct importer *im = self;

    im->result->rows++;
    import_complain(im, im->path, line, NULL, reason);
}

/* Is this failure the line's, so that the others can go on? */
bool import_is_lines_fault(enum ocop_status st)
{
    return st == OCOP_EINVAL || st == OCOP_ELIMIT || st == OCOP_ENOTFOUND || st == OCOP_EPERM;
}

/* Report a failure of one cell and go on, or pass on what is not the line's fault. */
enum ocop_status import_judge(struct importer *im, struct row *row, size_t column,
                              enum ocop_status st, const struct ocop_error *e,
                              struct ocop_error *err)
{
    if (st == OCOP_OK)
        return OCOP_OK;
    if (!import_is_lines_fault(st))
        return err_set(err, st, "%s", e->text);
    const bool known = column < im->form->count;
    row->wrong = true;
    import_complain(im, im->path, known && row->lines[column] ? row->lines[column] : row->line,
                    known ? im->form->columns[column].name : e->field, e->text);
    return OCOP_OK;
}

/* --- reading --- */

static enum ocop_status on_row(void *self, const struct csvfile_row *in, struct ocop_error *err)
{
    struct importer *im = self;
    const size_t count = im->form->count;
    bool empty = true;

    if (in->number == 1) {
        im->header = true;
        return import_header(im->form, in, im->options->ignore_columns, im->map, err);
    }
    if (!im->header)
        return err_set(err, OCOP_EINVAL, "the line of the column names cannot be read: %.200s",
                       im->reason);
    struct row *row = arena_calloc(&im->a, 1, sizeof *row);
    struct span *cells = arena_calloc(&im->a, count, sizeof *cells);
    size_t *lines = arena_calloc(&im->a, count, sizeof *lines);
    if (!row || !cells || !lines)
        return err_nomem(err);
    row->cells = cells;
    row->lines = lines;
    row->line = in->lines[0];
    for (size_t i = 0; i < in->count; i++) {
        const uint8_t c = im->map[i];
        empty = empty && in->cells[i].len == 0;
        if (c == IMPORT_NO_COLUMN)
            continue;
        lines[c] = in->lines[i];
        enum ocop_status st = import_trim(in->cells[i], im->form->columns[c].form == CELL_NOTE,
                                          &im->a, &cells[c], err);
        if (st != OCOP_OK)
            return st;
    }
    /* Spreadsheets like to save empty rows below the last one. */
    if (empty)
        return OCOP_OK;
    im->result->rows++;
    *im->last = row;
    im->last = &row->next;
    return OCOP_OK;
}

enum ocop_status import_read(struct importer *im, enum import_what what, const char *path,
                             struct span text, struct ocop_error *err)
{
    const struct csvfile_reader reader = {on_row, on_wrong, im};
    struct ocop_error e = {0};
    struct buf loaded;
    enum ocop_status st = OCOP_OK;

    im->form = &import_forms[what];
    im->kind = kind_by_number(im->form->kind);
    im->path = path;
    im->header = false;
    im->first = NULL;
    im->last = &im->first;
    memset(im->map, IMPORT_NO_COLUMN, sizeof im->map);
    buf_init(&loaded, CSVFILE_BYTES_MAX);
    if (!text.p) {
        st = csvfile_load(path, &loaded, err);
        if (st != OCOP_OK)
            goto out;
        text = buf_span(&loaded);
    }
    st = csvfile_parse(text, &reader, &e);
    if (st != OCOP_OK)
        st = err_set(err, st, "%s: %s", path, e.text);
    else if (!im->first && im->result->wrong == 0)
        st = err_set(err, OCOP_EINVAL, "%s: no lines below the header", path);
out:
    buf_fini(&loaded);
    return st;
}
