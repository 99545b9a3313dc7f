/* Any bytes as a comma-separated file: read, headers matched, cells converted. Nothing may crash,
 * and what is read must be UTF-8. */
#include <stdlib.h>

#include "bounds.h"
#include "import_columns.h"
#include "text.h"

struct reading {
    struct arena a;
    uint8_t map[CSVFILE_COLUMNS_MAX];
    size_t rows, wrong;
};

static enum ocop_status on_row(void *self, const struct csvfile_row *row, struct ocop_error *err)
{
    struct reading *r = self;

    CHECK(row->count > 0 && row->count <= CSVFILE_COLUMNS_MAX);
    for (size_t what = 0; row->number == 1 && what < IMPORT_COUNT; what++)
        if (import_header(&import_forms[what], row, true, r->map, err) == OCOP_EINVAL)
            continue;
    for (size_t i = 0; i < row->count; i++) {
        struct span cell;
        CHECK(text_is_utf8(row->cells[i]));
        CHECK(i == 0 || row->lines[i] >= row->lines[i - 1]);
        if (import_trim(row->cells[i], false, &r->a, &cell, err) != OCOP_OK)
            return OCOP_ENOMEM;
        CHECK(cell.len <= row->cells[i].len);
        for (int form = CELL_TEXT; form <= CELL_DEGREES && cell.len > 0; form++) {
            const struct import_column column = {10, (enum cell_form)form, false, "x", ""};
            struct field f;
            if (import_cell(&column, cell, &r->a, &f, err) == OCOP_ENOMEM)
                return OCOP_ENOMEM;
        }
    }
    r->rows++;
    arena_reset(&r->a);
    return OCOP_OK;
}

static void on_wrong(void *self, size_t line, const char *reason)
{
    struct reading *r = self;

    CHECK(line > 0 && reason[0]);
    r->wrong++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading r = {.rows = 0};
    const struct csvfile_reader reader = {on_row, on_wrong, &r};
    struct ocop_error err = {0};

    arena_init(&r.a, MIB(16));
    if (csvfile_parse(span_of(data, size), &reader, &err) == OCOP_OK)
        CHECK(r.rows + r.wrong <= size + 1);
    arena_fini(&r.a);
    return 0;
}
