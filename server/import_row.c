/* The cells of an imported row as fields: codes and titles, names and codes of what a row refers
 * to, and what is understood where a cell is empty. Knows no SQL. */
#include "bounds.h"
#include "importer.h"
#include "text.h"

/* A product's producer and a certificate's product. */
enum { OWNER_COLUMN = 1 };

/* --- values --- */

enum ocop_status import_set_bytes(struct importer *im, struct field *f, const void *p, size_t len,
                                  struct ocop_error *err)
{
    f->op = FIELD_SET;
    f->type = VALUE_BYTES;
    f->bytes = span_of(arena_dup(&im->a, p, len), len);
    return f->bytes.p ? OCOP_OK : err_nomem(err);
}

/* What people write for a title that is longer; folded. */
static const struct {
    const char *list, *title, *code;
} short_titles[] = {
    {"producer_type", "htx", "cooperative"},
    {"producer_type", "tht", "cooperative_group"},
    {"producer_type", "lien hiep htx", "cooperative_union"},
    {"producer_type", "dn", "company"},
    {"producer_type", "cong ty", "company"},
    {"producer_type", "ho san xuat", "household"},
    {"producer_type", "ho kinh doanh", "household"},
    {"producer_type", "ho gia dinh", "household"},
};

static const char *long_code(const char *list, struct span cell)
{
    struct buf folded;
    const char *code = NULL;

    buf_init(&folded, KIB(256));
    text_fold(&folded, cell);
    for (size_t i = 0; i < sizeof short_titles / sizeof *short_titles && !code; i++)
        if (strcmp(short_titles[i].list, list) == 0 && !folded.failed &&
            span_eq(buf_span(&folded), span_str(short_titles[i].title)))
            code = short_titles[i].code;
    buf_fini(&folded);
    return code;
}

static enum ocop_status find_code(struct importer *im, const char *list, struct span cell,
                                  struct span *out, struct ocop_error *err)
{
    const struct span code = index_code_key(&im->index, list, cell);
    const struct span title = index_title_key(&im->index, list, cell);

    *out = cell;
    if (!code.p || !title.p)
        return err_nomem(err);
    if (!index_find(&im->index, INDEX_LIST, span_str(list)) ||
        index_find(&im->index, INDEX_CODE, code))
        return OCOP_OK;
    const struct index_entry *e = index_find(&im->index, INDEX_TITLE, title);
    const char *meant = e ? NULL : long_code(list, cell);
    if (meant)
        e = index_find(&im->index, INDEX_CODE, index_code_key(&im->index, list, span_str(meant)));
    if (!e)
        return err_set(err, OCOP_EINVAL, "\"%.*s\" is neither a code nor a title of the list %s",
                       (int)(cell.len > 60 ? 60 : cell.len), (const char *)cell.p, list);
    *out = e->code;
    return OCOP_OK;
}

enum code_answer import_code(void *self, const char *list, struct span code, const char *day)
{
    struct importer *im = self;
    const struct span d = span_str(day);

    if (!index_find(&im->index, INDEX_LIST, span_str(list)))
        return CODE_UNKNOWN_LIST;
    const struct index_entry *e =
        index_find(&im->index, INDEX_CODE, index_code_key(&im->index, list, code));
    for (; e; e = e->same)
        if ((e->from.len == 0 || span_cmp(e->from, d) <= 0) &&
            (e->to.len == 0 || span_cmp(e->to, d) >= 0))
            return CODE_OK;
    return CODE_WRONG;
}

/* --- rows to fields --- */

/* One list element: its key as field 1 and, unless NULL, a text as field 2. */
enum ocop_status import_set_element(struct importer *im, struct field *f, uint32_t number,
                                    struct span key, const char *second, struct ocop_error *err)
{
    struct buf b;

    buf_init(&b, KIB(4));
    buf_byte(&b, 1 << 3 | 2);
    buf_varint(&b, key.len);
    buf_put(&b, key.p, key.len);
    if (second) {
        buf_byte(&b, 2 << 3 | 2);
        buf_varint(&b, strlen(second));
        buf_str(&b, second);
    }
    *f = (struct field){.number = number, .op = FIELD_SET, .type = VALUE_ELEMENT};
    f->key = span_of(arena_dup(&im->a, key.p, key.len), key.len);
    f->bytes = span_of(b.failed ? NULL : arena_dup(&im->a, b.p, b.len), b.len);
    buf_fini(&b);
    return f->key.p && f->bytes.p ? OCOP_OK : err_nomem(err);
}

enum { ROW_FIELDS_MAX = 64, ROLES_MAX = 20 };

static enum ocop_status put_roles(struct importer *im, struct span cell, struct fields *out,
                                  struct ocop_error *err)
{
    size_t at = 0, roles = 0;
    enum ocop_status st = OCOP_OK;

    while (at < cell.len && st == OCOP_OK) {
        struct span role, code;
        size_t end = at;
        while (end < cell.len && cell.p[end] != ',' && cell.p[end] != ';')
            end++;
        st = import_trim(span_of(cell.p + at, end - at), false, &im->a, &role, err);
        at = end + 1;
        if (st != OCOP_OK || role.len == 0)
            continue;
        if (++roles > ROLES_MAX)
            return err_set(err, OCOP_EINVAL, "more than %d roles", ROLES_MAX);
        st = find_code(im, "role", role, &code, err);
        if (st == OCOP_OK && !role_by_name(code))
            st = err_set(err, OCOP_EINVAL, "\"%.*s\" is not a role such as inspector or sampler",
                         (int)(role.len > 60 ? 60 : role.len), (const char *)role.p);
        if (st == OCOP_OK)
            st = import_set_element(im, &out->v[out->count++], 15, code, NULL, err);
    }
    return st;
}

static enum ocop_status put_reference(struct importer *im, const struct import_column *c,
                                      struct span cell, struct fields *out, struct ocop_error *err)
{
    static const struct id anyone;
    const struct index_entry *e = NULL;
    enum ocop_status st;

    if (c->form == CELL_UNIT) {
        st = import_find_unit(im, cell, &e, err);
    } else if (c->form == CELL_PRODUCER) {
        st = import_find_named(im, INDEX_TAX_CODE, INDEX_PRODUCER_NAME, cell, &anyone, &e, err);
    } else {
        const struct field *producer = fields_find(out, 12, span_of(NULL, 0));
        struct id owner = anyone;
        if (producer && !id_from(producer->bytes, &owner))
            owner = anyone;
        st = import_find_named(im, INDEX_PRODUCT_CODE, INDEX_PRODUCT_NAME, cell, &owner, &e, err);
    }
    if (st == OCOP_OK) {
        struct field *f = &out->v[out->count++];
        *f = (struct field){.number = c->number};
        st = import_set_bytes(im, f, e->id.b, ID_LEN, err);
    }
    return st;
}

static enum ocop_status put_cell(struct importer *im, const struct import_column *c,
                                 struct span cell, struct fields *out, struct ocop_error *err)
{
    const struct field_rule *rule = kind_field(im->kind, c->number);
    struct span code;
    enum ocop_status st;

    switch (c->form) {
    case CELL_KEY:
    case CELL_IGNORED:
        return OCOP_OK;
    case CELL_UNIT:
    case CELL_PRODUCER:
    case CELL_PRODUCT:
        return put_reference(im, c, cell, out, err);
    case CELL_ROLES:
        return put_roles(im, cell, out, err);
    case CELL_CODE:
        st = find_code(im, rule ? rule->arg : "", cell, &code, err);
        if (st == OCOP_OK)
            st = import_cell(c, code, &im->a, &out->v[out->count++], err);
        return st;
    default:
        st = import_cell(c, cell, &im->a, &out->v[out->count], err);
        out->count += st == OCOP_OK;
        return st;
    }
}

static bool has_value(const struct fields *f, uint32_t number)
{
    for (size_t i = 0; i < f->count; i++) /* not sorted yet */
        if (f->v[i].number == number)
            return true;
    return false;
}

/* Has another column what this one leaves open: the unit's name instead of its code? */
static bool stands_elsewhere(const struct importer *im, const struct row *row, size_t column)
{
    const uint32_t number = im->form->columns[column].number;

    for (size_t c = 0; number && c < im->form->count; c++)
        if (c != column && im->form->columns[c].number == number && row->cells[c].len > 0)
            return true;
    return false;
}

/* The column that complaints name: this one, or the one that the file has in its place. */
static size_t column_in_file(const struct importer *im, size_t column)
{
    const uint32_t number = im->form->columns[column].number;
    size_t other = column;

    for (size_t i = 0; i < CSVFILE_COLUMNS_MAX; i++) {
        if (im->map[i] == column)
            return column;
        if (number && im->map[i] < im->form->count &&
            im->form->columns[im->map[i]].number == number)
            other = im->map[i];
    }
    return other;
}

/* Columns in the order in which they depend on each other: products after their producers. */
enum ocop_status import_row_fields(struct importer *im, struct row *row, struct ocop_error *err)
{
    struct field *room = arena_calloc(&im->a, ROW_FIELDS_MAX, sizeof *room);
    enum ocop_status st = OCOP_OK;

    if (!room)
        return err_nomem(err);
    row->fields = (struct fields){room, 0};
    for (int pass = 0; pass < 2; pass++) {
        for (size_t c = 0; c < im->form->count && st == OCOP_OK; c++) {
            const struct import_column *column = &im->form->columns[c];
            struct ocop_error e = {0};
            if ((column->form == CELL_PRODUCT) != (pass == 1) ||
                (column->form == CELL_UNIT && has_value(&row->fields, FIELD_UNIT)))
                continue;
            if (row->cells[c].len > 0)
                st = put_cell(im, column, row->cells[c], &row->fields, &e);
            else if (column->required && !stands_elsewhere(im, row, c))
                st = err_set(&e, OCOP_EINVAL, "is empty");
            if (st != OCOP_OK)
                st = import_judge(im, row, column_in_file(im, c), st, &e, err);
        }
        if (st == OCOP_OK && !fields_sort(&row->fields)) {
            struct ocop_error e = {0};
            st = import_judge(im, row, im->form->count,
                              err_set(&e, OCOP_EINVAL, "a role stands twice"), &e, err);
        }
    }
    return st;
}

/* --- what a row leaves to be understood --- */

struct span import_value(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));

    return v ? v->bytes : span_of(NULL, 0);
}

enum ocop_status import_put_default(struct importer *im, struct row *row, uint32_t number,
                                    const void *p, size_t len, struct ocop_error *err)
{
    struct field *f = &row->fields.v[row->fields.count];

    if (import_value(&row->fields, number).len || len == 0)
        return OCOP_OK;
    *f = (struct field){.number = number};
    row->fields.count++;
    enum ocop_status st = import_set_bytes(im, f, p, len, err);
    (void)fields_sort(&row->fields);
    return st;
}

/* A product or certificate lies where its producer or product does, unless the file says. */
static enum ocop_status default_place(struct importer *im, struct row *row, struct ocop_error *err)
{
    const bool product = im->kind->number == KIND_PRODUCT;
    static const struct id anyone;
    const struct index_entry *e = NULL;
    struct id owner = anyone;

    if (!product && !id_from(import_value(&row->fields, 12), &owner))
        owner = anyone;
    enum ocop_status st = product ? import_find_named(im, INDEX_TAX_CODE, INDEX_PRODUCER_NAME,
                                                      row->cells[OWNER_COLUMN], &anyone, &e, err)
                                  : import_find_named(im, INDEX_PRODUCT_CODE, INDEX_PRODUCT_NAME,
                                                      row->cells[OWNER_COLUMN], &owner, &e, err);
    if (st == OCOP_OK && !id_is_zero(&e->unit))
        st = import_put_default(im, row, FIELD_UNIT, e->unit.b, ID_LEN, err);
    if (st == OCOP_OK && !product && !id_is_zero(&e->producer))
        st = import_put_default(im, row, 12, e->producer.b, ID_LEN, err);
    return st;
}

/* A certificate runs from its decision, for 36 months (Decision 26/2026, article 4). */
static enum ocop_status default_dates(struct importer *im, struct row *row, struct ocop_error *err)
{
    char expiry[11];
    struct span issued = import_value(&row->fields, 15);

    enum ocop_status st = import_put_default(im, row, 17, issued.p, issued.len, err);
    issued = import_value(&row->fields, 17);
    if (st == OCOP_OK && issued.len && text_add_months((const char *)issued.p, 36, expiry))
        st = import_put_default(im, row, 18, expiry, strlen(expiry), err);
    return st;
}

enum ocop_status import_row_defaults(struct importer *im, struct row *row, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    if (row->wrong)
        return OCOP_OK;
    switch (im->kind->number) {
    case KIND_UNIT:
        st = import_put_default(im, row, 14, im->options->from, strlen(im->options->from), err);
        if (st == OCOP_OK && im->options->to)
            st = import_put_default(im, row, 15, im->options->to, strlen(im->options->to), err);
        return st;
    case KIND_CERTIFICATE:
        st = default_dates(im, row, err);
        return st == OCOP_OK ? default_place(im, row, err) : st;
    case KIND_PRODUCT:
        return default_place(im, row, err);
    default:
        return OCOP_OK;
    }
}
