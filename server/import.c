/* Imports: reads a file, checks every line against the rules and the registry, then writes what is
 * new or changed as change-sets of an author of its own. Knows no SQL. */
#include "import.h"

#include <stdlib.h>

#include "bounds.h"
#include "import_index.h"
#include "show.h"
#include "text.h"

#define IMPORT_ARENA_MAX MIB(1024)
/* Of one set: far below SET_BODY_BYTES_MAX, which counts bytes before they are columns. */
#define SET_FIELD_BYTES_MAX (SET_BODY_BYTES_MAX / 2)

enum { MAP_OLD, MAP_NEW, MAP_EXTENT, MAP_DISTRICT, MAP_PROVINCE };
/* A unit's parent; a product's producer and a certificate's product. */
enum { UNIT_PARENT_COLUMN = 3, OWNER_COLUMN = 1 };

struct row {
    struct row *next;
    const struct span *cells; /* by number of the import_column; len 0: empty or no column */
    size_t line, *lines;
    struct fields fields;
    struct id id;
    struct index_entry *entry; /* of a unit */
    bool exists, wrong;
};

/* A change and where in the files it comes from. */
struct plan {
    struct change change;
    size_t line;
    const char *path;
    int rank; /* parents before children */
};

struct old_unit;

struct importer {
    struct registry *r;
    const struct import_options *options;
    struct import_result *result;
    struct arena a;
    struct import_index index;
    const struct import_form *form;
    const struct kind *kind;
    const char *path; /* of the file being read */
    uint8_t map[CSVFILE_COLUMNS_MAX];
    struct row *first, **last;
    struct old_unit *first_old, **last_old; /* mapping */
    struct plan *plans;
    size_t plan_count, plan_room;
    int64_t now_ms;
    char today[11];
    char reason[OCOP_ERROR_TEXT_MAX]; /* the first complaint */
};

/* --- telling what is wrong ---------------------------------------------------------------------
 */

static void complain(struct importer *im, const char *path, size_t line, const char *column,
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
    complain(im, im->path, line, NULL, reason);
}

/* Is this failure the line's, so that the others can go on? */
static bool is_lines_fault(enum ocop_status st)
{
    return st == OCOP_EINVAL || st == OCOP_ELIMIT || st == OCOP_ENOTFOUND || st == OCOP_EPERM;
}

/* Report a failure of one cell and go on, or pass on what is not the line's fault. */
static enum ocop_status judge(struct importer *im, struct row *row, size_t column,
                              enum ocop_status st, const struct ocop_error *e,
                              struct ocop_error *err)
{
    if (st == OCOP_OK)
        return OCOP_OK;
    if (!is_lines_fault(st))
        return err_set(err, st, "%s", e->text);
    const bool known = column < im->form->count;
    row->wrong = true;
    complain(im, im->path, known && row->lines[column] ? row->lines[column] : row->line,
             known ? im->form->columns[column].name : e->field, e->text);
    return OCOP_OK;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static enum ocop_status on_row(void *self, const struct csvfile_row *in, struct ocop_error *err)
{
    struct importer *im = self;
    const size_t count = im->form->count;
    bool empty = true;

    if (in->number == 1)
        return import_header(im->form, in, im->options->ignore_columns, im->map, err);
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

static enum ocop_status read_file(struct importer *im, enum import_what what, const char *path,
                                  struct span text, struct ocop_error *err)
{
    const struct csvfile_reader reader = {on_row, on_wrong, im};
    struct ocop_error e = {0};
    struct buf loaded;
    enum ocop_status st = OCOP_OK;

    im->form = &import_forms[what];
    im->kind = kind_by_number(im->form->kind);
    im->path = path;
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

/* --- references ----------------------------------------------------------------------------------
 */

static enum ocop_status set_bytes(struct importer *im, struct field *f, const void *p, size_t len,
                                  struct ocop_error *err)
{
    f->op = FIELD_SET;
    f->type = VALUE_BYTES;
    f->bytes = span_of(arena_dup(&im->a, p, len), len);
    return f->bytes.p ? OCOP_OK : err_nomem(err);
}

static enum ocop_status find_unit(struct importer *im, struct span code, struct id *out,
                                  struct ocop_error *err)
{
    const int n = (int)(code.len > 60 ? 60 : code.len);
    const struct index_entry *e = index_unit(&im->index, code, im->today);

    if (e) {
        *out = e->id;
        return OCOP_OK;
    }
    e = index_find(&im->index, INDEX_UNIT_CODE, code);
    if (e && e->to.len)
        return err_set(err, OCOP_ENOTFOUND, "unit %.*s ended on %.*s; name the unit it went to", n,
                       (const char *)code.p, (int)e->to.len, (const char *)e->to.p);
    return err_set(err, OCOP_ENOTFOUND,
                   "no unit has the code \"%.*s\"; import units first, and keep leading zeros", n,
                   (const char *)code.p);
}

/* By natural key, else by name; a name of two records is no answer. `owner`, unless zero, must be
 * the producer of a product. */
static enum ocop_status find_named(struct importer *im, enum index_space natural,
                                   enum index_space named, struct span cell, const struct id *owner,
                                   const struct index_entry **out, struct ocop_error *err)
{
    const int n = (int)(cell.len > 60 ? 60 : cell.len);
    const struct span name = index_name_key(&im->index, cell);
    const struct index_entry *e = index_find(&im->index, natural, cell), *found = NULL;
    size_t matches = 0;

    if (!name.p)
        return err_nomem(err);
    for (int pass = 0; pass < 2 && !found; pass++) {
        for (; e; e = e->same) {
            if (!id_is_zero(owner) && !id_eq(&e->producer, owner))
                continue;
            matches += !found || !id_eq(&found->id, &e->id);
            found = e;
        }
        e = index_find(&im->index, named, name);
    }
    if (matches > 1)
        return err_set(err, OCOP_EINVAL, "%zu records are named \"%.*s\"; give the code instead",
                       matches, n, (const char *)cell.p);
    if (!found)
        return err_set(err, OCOP_ENOTFOUND, "nothing in the registry has the code or name \"%.*s\"",
                       n, (const char *)cell.p);
    *out = found;
    return OCOP_OK;
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

static enum code_answer on_code(void *self, const char *list, struct span code, const char *day)
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

/* --- rows to fields ------------------------------------------------------------------------------
 */

/* One list element: its key as field 1 and, unless NULL, a text as field 2. */
static enum ocop_status set_element(struct importer *im, struct field *f, uint32_t number,
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
            st = set_element(im, &out->v[out->count++], 15, code, NULL, err);
    }
    return st;
}

static enum ocop_status put_reference(struct importer *im, const struct import_column *c,
                                      struct span cell, struct fields *out, struct ocop_error *err)
{
    static const struct id anyone;
    const struct index_entry *e = NULL;
    struct id id;
    enum ocop_status st;

    if (c->form == CELL_UNIT) {
        st = find_unit(im, cell, &id, err);
    } else if (c->form == CELL_PRODUCER) {
        st = find_named(im, INDEX_TAX_CODE, INDEX_PRODUCER_NAME, cell, &anyone, &e, err);
    } else {
        const struct field *producer = fields_find(out, 12, span_of(NULL, 0));
        struct id owner = anyone;
        if (producer && !id_from(producer->bytes, &owner))
            owner = anyone;
        st = find_named(im, INDEX_PRODUCT_CODE, INDEX_PRODUCT_NAME, cell, &owner, &e, err);
    }
    if (st == OCOP_OK) {
        struct field *f = &out->v[out->count++];
        *f = (struct field){.number = c->number};
        st = set_bytes(im, f, e ? e->id.b : id.b, ID_LEN, err);
    }
    return st;
}

static enum ocop_status put_cell(struct importer *im, const struct import_column *c,
                                 struct span cell, struct fields *out, struct ocop_error *err)
{
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
        st = find_code(im, kind_field(im->kind, c->number)->arg, cell, &code, err);
        if (st == OCOP_OK)
            st = import_cell(c, code, &im->a, &out->v[out->count++], err);
        return st;
    default:
        st = import_cell(c, cell, &im->a, &out->v[out->count], err);
        out->count += st == OCOP_OK;
        return st;
    }
}

/* Columns in the order in which they depend on each other: products after their producers. */
static enum ocop_status row_fields(struct importer *im, struct row *row, struct ocop_error *err)
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
            if ((column->form == CELL_PRODUCT) != (pass == 1))
                continue;
            if (row->cells[c].len > 0)
                st = put_cell(im, column, row->cells[c], &row->fields, &e);
            else if (column->required)
                st = err_set(&e, OCOP_EINVAL, "is empty");
            st = judge(im, row, c, st, &e, err);
        }
        if (st == OCOP_OK && !fields_sort(&row->fields)) {
            struct ocop_error e = {0};
            st = judge(im, row, im->form->count, err_set(&e, OCOP_EINVAL, "a role stands twice"),
                       &e, err);
        }
    }
    return st;
}

/* --- what a row leaves to be understood
 * ----------------------------------------------------------- */

static struct span value_of(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));

    return v ? v->bytes : span_of(NULL, 0);
}

static enum ocop_status put_default(struct importer *im, struct row *row, uint32_t number,
                                    const void *p, size_t len, struct ocop_error *err)
{
    struct field *f = &row->fields.v[row->fields.count];

    if (value_of(&row->fields, number).len || len == 0)
        return OCOP_OK;
    *f = (struct field){.number = number};
    row->fields.count++;
    enum ocop_status st = set_bytes(im, f, p, len, err);
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

    if (!product && !id_from(value_of(&row->fields, 12), &owner))
        owner = anyone;
    enum ocop_status st = product ? find_named(im, INDEX_TAX_CODE, INDEX_PRODUCER_NAME,
                                               row->cells[OWNER_COLUMN], &anyone, &e, err)
                                  : find_named(im, INDEX_PRODUCT_CODE, INDEX_PRODUCT_NAME,
                                               row->cells[OWNER_COLUMN], &owner, &e, err);
    if (st == OCOP_OK && !id_is_zero(&e->unit))
        st = put_default(im, row, FIELD_UNIT, e->unit.b, ID_LEN, err);
    if (st == OCOP_OK && !product && !id_is_zero(&e->producer))
        st = put_default(im, row, 12, e->producer.b, ID_LEN, err);
    return st;
}

/* A certificate runs from its decision, for 36 months (Decision 26/2026, article 4). */
static enum ocop_status default_dates(struct importer *im, struct row *row, struct ocop_error *err)
{
    char expiry[11];
    struct span issued = value_of(&row->fields, 15);

    enum ocop_status st = put_default(im, row, 17, issued.p, issued.len, err);
    issued = value_of(&row->fields, 17);
    if (st == OCOP_OK && issued.len && text_add_months((const char *)issued.p, 36, expiry))
        st = put_default(im, row, 18, expiry, strlen(expiry), err);
    return st;
}

static enum ocop_status row_defaults(struct importer *im, struct row *row, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    if (row->wrong)
        return OCOP_OK;
    switch (im->kind->number) {
    case KIND_UNIT:
        st = put_default(im, row, 14, im->options->from, strlen(im->options->from), err);
        if (st == OCOP_OK && im->options->to)
            st = put_default(im, row, 15, im->options->to, strlen(im->options->to), err);
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

/* --- is it there already?
 * -------------------------------------------------------------------------- */

/* The entry of the record that a row means, by the keys of its kind. */
static enum ocop_status row_entry(struct importer *im, const struct row *row,
                                  const struct index_entry **out, struct ocop_error *err)
{
    const struct fields *f = &row->fields;
    const struct span first = value_of(f, 10), natural = value_of(f, 12);
    const uint32_t kind = im->kind->number;
    const bool producer = kind == KIND_PRODUCER;
    struct span key = first;
    const struct index_entry *e = NULL;

    *out = NULL;
    if (kind == KIND_UNIT) {
        for (e = index_find(&im->index, INDEX_UNIT_CODE, first); e; e = e->same)
            if (span_eq(e->from, span_str(im->options->from)))
                break;
    } else if (kind == KIND_CERTIFICATE) {
        e = index_find(&im->index, INDEX_CERTIFICATE_NO, first);
    } else if (kind == KIND_OFFICER) {
        key = index_officer_key(&im->index, first, value_of(f, 11));
        e = key.p ? index_find(&im->index, INDEX_OFFICER, key) : NULL;
    } else {
        struct id place;
        key = index_name_key(&im->index, first);
        if (natural.len)
            e = index_find(&im->index, producer ? INDEX_TAX_CODE : INDEX_PRODUCT_CODE, natural);
        if (!id_from(value_of(f, producer ? FIELD_UNIT : 11), &place))
            memset(&place, 0, sizeof place);
        const struct index_entry *n = NULL;
        if (!e && key.p)
            n = index_find(&im->index, producer ? INDEX_PRODUCER_NAME : INDEX_PRODUCT_NAME, key);
        for (; n && !e; n = n->same)
            if (id_eq(producer ? &n->unit : &n->producer, &place))
                e = n;
    }
    *out = e;
    return key.p || key.len == 0 ? OCOP_OK : err_nomem(err);
}

static enum ocop_status row_identify(struct importer *im, struct row *row, struct ocop_error *err)
{
    const struct index_entry *e;

    if (row->wrong)
        return OCOP_OK;
    enum ocop_status st = row_entry(im, row, &e, err);
    if (st != OCOP_OK)
        return st;
    if (e && e->line)
        return err_set(err, OCOP_EINVAL, "is the same record as line %zu", e->line);
    row->exists = e != NULL;
    row->id = e ? e->id : id_next(&im->r->ids, im->r->env);
    st = index_add(&im->index, im->kind->number, &row->id, &row->fields, row->line, err);
    if (st == OCOP_OK && im->kind->number == KIND_UNIT)
        row->entry = index_find(&im->index, INDEX_UNIT_CODE, value_of(&row->fields, 10));
    return st;
}

/* --- planning
 * --------------------------------------------------------------------------------------- */

static enum ocop_status plan_add(struct importer *im, const struct change *c, size_t line, int rank,
                                 struct ocop_error *err)
{
    if (im->plan_count == im->plan_room) {
        const size_t room = im->plan_room ? im->plan_room * 2 : 4096;
        struct plan *grown = realloc(im->plans, room * sizeof *grown);
        if (!grown)
            return err_nomem(err);
        im->plans = grown;
        im->plan_room = room;
    }
    im->plans[im->plan_count++] = (struct plan){*c, line, im->path, rank};
    return OCOP_OK;
}

/* Only what differs from the registry's record, each based on its version. */
static enum ocop_status keep_changed(struct importer *im, const struct fields *state,
                                     const struct fields *wanted, uint64_t version,
                                     struct fields *out, struct ocop_error *err)
{
    out->count = 0;
    out->v = arena_calloc(&im->a, wanted->count, sizeof *out->v);
    if (!out->v && wanted->count)
        return err_nomem(err);
    for (size_t i = 0; i < wanted->count; i++) {
        const struct field *old = fields_find(state, wanted->v[i].number, wanted->v[i].key);
        if (old && old->op == FIELD_SET && field_value_equal(old, &wanted->v[i]))
            continue;
        out->v[out->count] = wanted->v[i];
        out->v[out->count++].base = version;
    }
    return OCOP_OK;
}

static enum ocop_status plan_amend(struct importer *im, uint32_t kind, const struct id *id,
                                   const struct fields *wanted, size_t line, int rank,
                                   struct ocop_error *err)
{
    const struct rules_lookup lookup = {on_code, im};
    struct row_meta meta;
    struct fields state, merged;
    struct change c = {.kind = kind, .verb = VERB_AMEND, .record = *id};

    enum ocop_status st = row_load(im->r->rows, kind, id, &im->a, &state, &meta, err);
    if (st == OCOP_OK)
        st = keep_changed(im, &state, wanted, meta.version, &c.fields, err);
    if (st != OCOP_OK)
        return st;
    if (c.fields.count == 0) {
        im->result->same++;
        return OCOP_OK;
    }
    st = fields_apply(&state, &c.fields, meta.version, false, &im->a, &merged, err);
    if (st == OCOP_OK)
        st = rules_check(kind_by_number(kind), &merged, RULES_SUBMIT, &lookup, err);
    if (st != OCOP_OK)
        return st;
    c.base = meta.version;
    c.device_time_ms = im->now_ms;
    c.reason = span_str("import");
    return plan_add(im, &c, line, rank, err);
}

static enum ocop_status plan_row(struct importer *im, struct row *row, int rank,
                                 struct ocop_error *err)
{
    const struct rules_lookup lookup = {on_code, im};
    const uint32_t kind = im->kind->number;

    if (row->exists)
        return plan_amend(im, kind, &row->id, &row->fields, row->line, rank, err);
    /* Units carry no time of recording: they are facts of a date, not of a visit. */
    if (kind != KIND_UNIT) {
        row->fields.v[row->fields.count++] = (struct field){
            .number = FIELD_RECORDED_MS, .op = FIELD_SET, .type = VALUE_INT, .i = im->now_ms};
        (void)fields_sort(&row->fields);
    }
    enum ocop_status st = rules_check(im->kind, &row->fields, RULES_SUBMIT, &lookup, err);
    if (st != OCOP_OK)
        return st;
    const struct change c = {.kind = kind,
                             .verb = VERB_CREATE,
                             .record = row->id,
                             .device_time_ms = im->now_ms,
                             .fields = row->fields};
    return plan_add(im, &c, row->line, rank, err);
}

/* --- units
 * -------------------------------------------------------------------------------------------- */

static int unit_rank(struct span level)
{
    if (span_eq(level, span_str("country")))
        return -1;
    if (span_eq(level, span_str("province")))
        return 0;
    return span_eq(level, span_str("district")) ? 1 : 2;
}

/* Runs when every unit of the file has its id: a parent may stand below its child. */
static enum ocop_status unit_parent(struct importer *im, struct row *row, struct ocop_error *err)
{
    const struct span code = row->cells[UNIT_PARENT_COLUMN];
    const struct index_entry *e = index_find(&im->index, INDEX_UNIT_CODE, code);
    const int rank = unit_rank(value_of(&row->fields, 12));

    if (row->wrong || (code.len == 0 && rank <= 0))
        return OCOP_OK;
    if (code.len == 0)
        return err_set(err, OCOP_EINVAL, "is empty; only a province has no parent");
    if (span_eq(code, value_of(&row->fields, 10)))
        return err_set(err, OCOP_EINVAL, "a unit cannot be its own parent");
    while (e && !span_eq(e->from, span_str(im->options->from)))
        e = e->same;
    if (!e)
        e = index_unit(&im->index, code, im->options->from);
    if (!e)
        return err_set(err, OCOP_ENOTFOUND, "no unit \"%.*s\" in this file or in force on %s",
                       (int)(code.len > 40 ? 40 : code.len), (const char *)code.p,
                       im->options->from);
    row->entry->unit = e->id;
    return put_default(im, row, 13, e->id.b, ID_LEN, err);
}

/* A unit of the list before, and what it became. */
struct old_unit {
    struct old_unit *next;
    struct id id;
    struct id successors[100];
    bool split[100];
    size_t count;
    size_t line;
    int rank;
};

static struct index_entry *unit_before(const struct importer *im, struct span code)
{
    char day[11];

    import_day_before(im->options->from, day);
    return code.len ? index_unit(&im->index, code, day) : NULL;
}

static struct old_unit *old_unit_of(struct importer *im, struct index_entry *e, size_t line,
                                    int rank)
{
    if (!e->mark) {
        struct old_unit *u = arena_calloc(&im->a, 1, sizeof *u);
        if (!u)
            return NULL;
        *u = (struct old_unit){.id = e->id, .line = line, .rank = rank};
        *im->last_old = u;
        im->last_old = &u->next;
        e->mark = u;
    }
    return e->mark;
}

static enum ocop_status old_unit_add(struct old_unit *u, const struct id *successor, bool split,
                                     struct ocop_error *err)
{
    for (size_t i = 0; i < u->count; i++)
        if (id_eq(&u->successors[i], successor))
            return OCOP_OK;
    if (u->count == sizeof u->successors / sizeof *u->successors)
        return err_set(err, OCOP_ELIMIT, "more than %zu successors of one unit", u->count);
    u->successors[u->count] = *successor;
    u->split[u->count++] = split;
    return OCOP_OK;
}

static enum ocop_status plan_old_unit(struct importer *im, const struct old_unit *u,
                                      struct ocop_error *err)
{
    struct fields wanted = {arena_calloc(&im->a, u->count + 1, sizeof(struct field)), 0};
    char day[11];

    if (!wanted.v)
        return err_nomem(err);
    import_day_before(im->options->from, day);
    wanted.v[0] = (struct field){.number = 15};
    enum ocop_status st = set_bytes(im, &wanted.v[wanted.count++], day, strlen(day), err);
    for (size_t i = 0; i < u->count && st == OCOP_OK; i++)
        st = set_element(im, &wanted.v[wanted.count++], 16, id_span(&u->successors[i]),
                         u->split[i] ? "split" : "whole", err);
    if (st == OCOP_OK && !fields_sort(&wanted))
        st = err_set(err, OCOP_EINVAL, "a successor stands twice");
    return st == OCOP_OK ? plan_amend(im, KIND_UNIT, &u->id, &wanted, u->line, 3 + u->rank, err)
                         : st;
}

static enum ocop_status mapping_row(struct importer *im, struct row *row, struct ocop_error *err)
{
    const struct span extent = row->cells[MAP_EXTENT], code = row->cells[MAP_NEW];
    struct index_entry *old = unit_before(im, row->cells[MAP_OLD]);
    struct index_entry *district = unit_before(im, row->cells[MAP_DISTRICT]);
    struct index_entry *province = unit_before(im, row->cells[MAP_PROVINCE]);
    const bool split = span_eq(extent, span_str("split"));
    struct index_entry *now = index_find(&im->index, INDEX_UNIT_CODE, code);
    struct old_unit *u;
    struct ocop_error e = {0};
    enum ocop_status st = OCOP_OK;

    while (now && !span_eq(now->from, span_str(im->options->from)))
        now = now->same;
    if (!old)
        return judge(im, row, MAP_OLD,
                     err_set(&e, OCOP_ENOTFOUND, "no unit \"%.*s\" was in force before %s",
                             (int)row->cells[MAP_OLD].len, (const char *)row->cells[MAP_OLD].p,
                             im->options->from),
                     &e, err);
    if (!now)
        return judge(im, row, MAP_NEW,
                     err_set(&e, OCOP_ENOTFOUND, "no unit \"%.*s\" begins on %s", (int)code.len,
                             (const char *)code.p, im->options->from),
                     &e, err);
    if (!split && !span_eq(extent, span_str("whole")))
        return judge(im, row, MAP_EXTENT, err_set(&e, OCOP_EINVAL, "is neither whole nor split"),
                     &e, err);
    u = old_unit_of(im, old, row->line, 2);
    st = u ? old_unit_add(u, &now->id, split, err) : err_nomem(err);
    if (st == OCOP_OK && district && !old_unit_of(im, district, row->line, 1))
        st = err_nomem(err);
    if (st == OCOP_OK && province && !id_is_zero(&now->unit)) {
        u = old_unit_of(im, province, row->line, 0);
        st = u ? old_unit_add(u, &now->unit, false, err) : err_nomem(err);
    }
    return st;
}

static enum ocop_status plan_mapping(struct importer *im, struct ocop_error *err)
{
    enum ocop_status st;

    im->first_old = NULL;
    im->last_old = &im->first_old;
    st = read_file(im, IMPORT_MAPPING, im->options->mapping, span_of(NULL, 0), err);
    for (struct row *row = im->first; row && st == OCOP_OK; row = row->next) {
        for (size_t c = MAP_OLD; c <= MAP_EXTENT && st == OCOP_OK; c++) {
            struct ocop_error e = {0};
            if (row->cells[c].len == 0)
                st = judge(im, row, c, err_set(&e, OCOP_EINVAL, "is empty"), &e, err);
        }
        if (st == OCOP_OK && !row->wrong)
            st = mapping_row(im, row, err);
    }
    for (struct old_unit *u = im->first_old; u && st == OCOP_OK; u = u->next) {
        struct ocop_error e = {0};
        /* A province that went to several was split whatever its communes say. */
        for (size_t i = 0; u->rank == 0 && u->count > 1 && i < u->count; i++)
            u->split[i] = true;
        st = plan_old_unit(im, u, &e);
        if (st != OCOP_OK && is_lines_fault(st)) {
            complain(im, im->path, u->line, e.field, e.text);
            st = OCOP_OK;
        } else if (st != OCOP_OK) {
            st = err_set(err, st, "%s", e.text);
        }
    }
    return st;
}

/* --- writing
 * ------------------------------------------------------------------------------------------ */

static size_t change_bytes(const struct change *c)
{
    size_t n = 64;

    for (size_t i = 0; i < c->fields.count; i++)
        n += 16 + c->fields.v[i].key.len + c->fields.v[i].bytes.len;
    return n;
}

static enum ocop_status set_outcomes(struct importer *im, uint64_t version,
                                     const struct plan *plans, size_t count, struct arena *a,
                                     struct ocop_error *err)
{
    struct outcome_row *rows;
    size_t n;
    char text[200];

    enum ocop_status st = outcomes_of(im->r, version, a, &rows, &n, err);
    for (size_t i = 0; i < n && st == OCOP_OK; i++) {
        if (rows[i].index >= count)
            continue;
        const struct plan *p = &plans[rows[i].index];
        if (rows[i].code == OUTCOME_CASE)
            im->result->cases++;
        if (rows[i].code != OUTCOME_REFUSED)
            continue;
        snprintf(text, sizeof text, "refused: %s", rows[i].text ? rows[i].text : "");
        complain(im, p->path, p->line, rows[i].field, text);
    }
    return st;
}

static enum ocop_status write_plans(struct importer *im, struct author *au, struct ocop_error *err)
{
    struct arena a;
    enum ocop_status st = OCOP_OK;

    arena_init(&a, ARENA_REQUEST_MAX);
    for (size_t at = 0; at < im->plan_count && st == OCOP_OK;) {
        struct changes set = {arena_calloc(&a, IMPORT_SET_CHANGES, sizeof(struct change)), 0};
        const size_t first = at;
        size_t bytes = 0;
        if (!set.v)
            st = err_nomem(err);
        while (st == OCOP_OK && at < im->plan_count && set.count < IMPORT_SET_CHANGES) {
            bytes += change_bytes(&im->plans[at].change);
            if (bytes > SET_FIELD_BYTES_MAX && set.count > 0)
                break;
            set.v[set.count] = im->plans[at++].change;
            set.v[set.count++].author = au->officer;
        }
        if (st == OCOP_OK)
            st = author_write(au, &set, &a, &im->result->version, err);
        if (st == OCOP_OK)
            st = set_outcomes(im, im->result->version, im->plans + first, set.count, &a, err);
        im->result->sets++;
        arena_reset(&a);
    }
    arena_fini(&a);
    return st;
}

static int plan_cmp(const void *a, const void *b)
{
    const struct plan *p = a, *q = b;

    if (p->rank != q->rank)
        return p->rank < q->rank ? -1 : 1;
    if (p->line != q->line)
        return p->line < q->line ? -1 : 1;
    return 0;
}

static enum ocop_status verdict(const struct importer *im, struct ocop_error *err)
{
    if (im->result->wrong == 0 || im->options->skip_bad)
        return OCOP_OK;
    return err_set(err, OCOP_EINVAL,
                   "%zu lines are wrong%s; nothing was imported (--skip-bad leaves them out)",
                   im->result->wrong,
                   im->result->wrong > IMPORT_ERRORS_SHOWN ? ", the first 100 are shown" : "");
}

/* The file's name without its folders: what the author of the import is called. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static enum ocop_status write_all(struct importer *im, const struct server_keys *keys,
                                  struct ocop_error *err)
{
    struct author au = {0};

    if (im->plan_count == 0)
        return OCOP_OK;
    qsort(im->plans, im->plan_count, sizeof *im->plans, plan_cmp);
    for (size_t i = 0; i < im->plan_count; i++)
        im->plans[i].change.verb == VERB_CREATE ? im->result->created++ : im->result->amended++;
    enum ocop_status st = registry_begin(im->r, err);
    if (st != OCOP_OK)
        return st;
    st = author_begin(im->r, &keys->root, "import", base_name(im->options->path), NULL, &au, err);
    if (st == OCOP_OK) {
        st = write_plans(im, &au, err);
        author_end(&au);
    }
    if (st == OCOP_OK)
        st = verdict(im, err);
    if (st == OCOP_OK && !im->options->dry_run)
        return registry_commit(im->r, err);
    registry_rollback(im->r);
    im->result->version = 0;
    return st;
}

/* --- the whole
 * ------------------------------------------------------------------------------------------ */

static enum ocop_status load_index(struct importer *im, enum import_what what,
                                   struct ocop_error *err)
{
    enum ocop_status st = index_init(&im->index, &im->a, err);

    if (st == OCOP_OK)
        st = index_load(&im->index, im->r, KIND_CODE_LIST, err);
    if (st == OCOP_OK)
        st = index_load(&im->index, im->r, KIND_UNIT, err);
    if (st == OCOP_OK && what == IMPORT_OFFICERS)
        st = index_load(&im->index, im->r, KIND_OFFICER, err);
    if (st == OCOP_OK && what >= IMPORT_PRODUCERS)
        st = index_load(&im->index, im->r, KIND_PRODUCER, err);
    if (st == OCOP_OK && what >= IMPORT_PRODUCTS)
        st = index_load(&im->index, im->r, KIND_PRODUCT, err);
    if (st == OCOP_OK && what == IMPORT_CERTIFICATES)
        st = index_load(&im->index, im->r, KIND_CERTIFICATE, err);
    return st;
}

typedef enum ocop_status (*row_fn)(struct importer *im, struct row *row, struct ocop_error *err);

/* One step for every row that is still right; what fails is the row's unless it is ours. */
static enum ocop_status each_row(struct importer *im, row_fn fn, size_t column,
                                 struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (struct row *row = im->first; row && st == OCOP_OK; row = row->next) {
        struct ocop_error e = {0};
        if (!row->wrong)
            st = judge(im, row, column, fn(im, row, &e), &e, err);
    }
    return st;
}

static enum ocop_status plan_one(struct importer *im, struct row *row, struct ocop_error *err)
{
    const bool unit = im->kind->number == KIND_UNIT;

    return plan_row(im, row, unit ? unit_rank(value_of(&row->fields, 12)) : 0, err);
}

static enum ocop_status plan_file(struct importer *im, enum import_what what,
                                  struct ocop_error *err)
{
    const size_t none = import_forms[what].count;
    enum ocop_status st = read_file(im, what, im->options->path, im->options->text, err);

    if (st == OCOP_OK)
        st = each_row(im, row_fields, none, err);
    if (st == OCOP_OK)
        st = each_row(im, row_defaults, none, err);
    if (st == OCOP_OK)
        st = each_row(im, row_identify, none, err);
    if (st == OCOP_OK && what == IMPORT_UNITS)
        st = each_row(im, unit_parent, UNIT_PARENT_COLUMN, err);
    if (st == OCOP_OK)
        st = each_row(im, plan_one, none, err);
    return st;
}

static enum ocop_status check_options(enum import_what what, const struct import_options *o,
                                      struct ocop_error *err)
{
    if (what != IMPORT_UNITS && (o->from || o->to || o->mapping))
        return err_set(err, OCOP_EINVAL, "--from, --to and --mapping are for units only");
    if (what == IMPORT_UNITS && (!o->from || !text_is_date(span_str(o->from))))
        return err_set(err, OCOP_EINVAL,
                       "units need --from with their first day of validity, such as 2025-07-01");
    if (o->to && (!text_is_date(span_str(o->to)) || strcmp(o->to, o->from) < 0))
        return err_set(err, OCOP_EINVAL, "--to is not a date such as 2025-06-30 after --from");
    return OCOP_OK;
}

enum ocop_status import_run(struct registry *r, const struct server_keys *keys,
                            enum import_what what, const struct import_options *options,
                            struct import_result *result, struct ocop_error *err)
{
    struct importer im = {.r = r, .options = options, .result = result};

    memset(result, 0, sizeof *result);
    enum ocop_status st = check_options(what, options, err);
    if (st != OCOP_OK)
        return st;
    arena_init(&im.a, IMPORT_ARENA_MAX);
    im.now_ms = env_now_ms(r->env);
    text_day_of(im.now_ms, im.today);
    st = load_index(&im, what, err);
    if (st == OCOP_OK)
        st = plan_file(&im, what, err);
    if (st == OCOP_OK && options->mapping)
        st = plan_mapping(&im, err);
    if (st == OCOP_OK)
        st = verdict(&im, err);
    if (st == OCOP_OK)
        st = write_all(&im, keys, err);
    free(im.plans);
    arena_fini(&im.a);
    return st;
}

enum ocop_status import_officer(struct registry *r, const struct server_keys *keys,
                                const char *name, const char *agency, const char *roles,
                                struct id *out, struct ocop_error *err)
{
    const struct import_options options = {.path = "invite"};
    struct import_result result = {0};
    struct importer im = {.r = r, .options = &options, .result = &result};
    const struct span cells[6] = {
        span_str(name), span_str(agency ? agency : ""), [5] = span_str(roles ? roles : "")};
    size_t lines[8] = {0};
    struct row row = {.lines = lines};
    struct span all[8] = {{NULL, 0}};

    memset(out, 0, sizeof *out);
    arena_init(&im.a, MIB(64));
    im.now_ms = env_now_ms(r->env);
    text_day_of(im.now_ms, im.today);
    im.form = &import_forms[IMPORT_OFFICERS];
    im.kind = kind_by_number(KIND_OFFICER);
    memcpy(all, cells, sizeof cells);
    row.cells = all;
    enum ocop_status st = load_index(&im, IMPORT_OFFICERS, err);
    if (st == OCOP_OK)
        st = row_fields(&im, &row, err);
    if (st == OCOP_OK && !row.wrong)
        st = row_identify(&im, &row, err);
    if (st == OCOP_OK && row.exists)
        st = err_set(err, OCOP_EINVAL, "there is an officer of this name; use --officer");
    if (st == OCOP_OK && !row.wrong)
        st = plan_row(&im, &row, 0, err);
    if (st == OCOP_OK && row.wrong)
        st = err_set(err, OCOP_EINVAL, "the new officer: %.250s", im.reason);
    if (st == OCOP_OK)
        st = write_all(&im, keys, err);
    if (st == OCOP_OK)
        *out = row.id;
    free(im.plans);
    arena_fini(&im.a);
    return st;
}
