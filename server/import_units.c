/* Imported units: their parents, and the mapping that ends the units before and names what took
 * over from them. */
#include "importer.h"

enum { MAP_OLD, MAP_NEW, MAP_EXTENT, MAP_DISTRICT, MAP_PROVINCE, MAP_OLD_NAME, MAP_NEW_NAME };
enum { NAME_BYTES_SHOWN = 80 };

int import_unit_rank(struct span level)
{
    if (span_eq(level, span_str("country")))
        return -1;
    if (span_eq(level, span_str("province")))
        return 0;
    return span_eq(level, span_str("district")) ? 1 : 2;
}

/* Runs when every unit of the file has its id: a parent may stand below its child. */
enum ocop_status import_unit_parent(struct importer *im, struct row *row, struct ocop_error *err)
{
    const struct span code = row->cells[IMPORT_UNIT_PARENT];
    struct index_entry *e = index_find(&im->index, INDEX_UNIT_CODE, code);
    const int rank = import_unit_rank(import_value(&row->fields, 12));

    if (row->wrong || (code.len == 0 && rank <= 0))
        return OCOP_OK;
    if (code.len == 0)
        return err_set(err, OCOP_EINVAL, "is empty; only a province has no parent");
    if (span_eq(code, import_value(&row->fields, 10)))
        return err_set(err, OCOP_EINVAL, "a unit cannot be its own parent");
    while (e && !span_eq(e->from, span_str(im->options->from)))
        e = e->same;
    if (!e)
        e = index_unit(&im->index, code, im->options->from);
    if (!e)
        return err_set(err, OCOP_ENOTFOUND, "no unit \"%.*s\" in this file or in force on %s",
                       (int)(code.len > 40 ? 40 : code.len), (const char *)code.p,
                       im->options->from);
    row->parent = e;
    row->entry->unit = e->id;
    return import_put_default(im, row, 13, e->id.b, ID_LEN, err);
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
    const struct row *keeps; /* a unit of the file that lies in it, and keeps it from ending */
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
    enum ocop_status st = import_set_bytes(im, &wanted.v[wanted.count++], day, strlen(day), err);
    for (size_t i = 0; i < u->count && st == OCOP_OK; i++)
        st = import_set_element(im, &wanted.v[wanted.count++], 16, id_span(&u->successors[i]),
                                u->split[i] ? "split" : "whole", err);
    if (st == OCOP_OK && !fields_sort(&wanted))
        st = err_set(err, OCOP_EINVAL, "a successor stands twice");
    return st == OCOP_OK
               ? import_plan_amend(im, KIND_UNIT, &u->id, &wanted, u->line, 3 + u->rank, err)
               : st;
}

/* "06970 Phường Hà Tu", the name where the file has one. */
static const char *unit_of_line(struct importer *im, const struct row *row, size_t code,
                                size_t name)
{
    const struct span c = row->cells[code], n = row->cells[name];
    const size_t shown = n.len < NAME_BYTES_SHOWN ? n.len : NAME_BYTES_SHOWN;
    const char *text = arena_printf(&im->a, "%.16s%s%.*s", c.len ? (const char *)c.p : "?",
                                    n.len ? " " : "", (int)shown, n.len ? (const char *)n.p : "");

    return text ? text : "";
}

/* What the mapping names must be there: the old unit in force until now, the new one from now on.
 */
static enum ocop_status mapping_ends(struct importer *im, struct row *row,
                                     const struct index_entry *old, const struct index_entry *now,
                                     struct ocop_error *err)
{
    const char *before = unit_of_line(im, row, MAP_OLD, MAP_OLD_NAME);
    struct ocop_error e = {0};

    if (!old)
        return import_judge(im, row, MAP_OLD,
                            err_set(&e, OCOP_ENOTFOUND,
                                    "no unit %s was in force before %s; import the list of that "
                                    "time first, or correct the code",
                                    before, im->options->from),
                            &e, err);
    if (!now)
        return import_judge(
            im, row, MAP_NEW,
            err_set(&e, OCOP_ENOTFOUND,
                    "%s went to %s, which is not in the list of units that begins on %s; add it "
                    "there, or correct the code",
                    before, unit_of_line(im, row, MAP_NEW, MAP_NEW_NAME), im->options->from),
            &e, err);
    return OCOP_OK;
}

static enum ocop_status mapping_row(struct importer *im, struct row *row, struct ocop_error *err)
{
    const struct span extent = row->cells[MAP_EXTENT];
    struct index_entry *old = unit_before(im, row->cells[MAP_OLD]);
    struct index_entry *district = unit_before(im, row->cells[MAP_DISTRICT]);
    struct index_entry *province = unit_before(im, row->cells[MAP_PROVINCE]);
    const bool split = span_eq(extent, span_str("split"));
    struct index_entry *now = index_find(&im->index, INDEX_UNIT_CODE, row->cells[MAP_NEW]);
    struct old_unit *u;
    struct ocop_error e = {0};
    enum ocop_status st;

    while (now && !span_eq(now->from, span_str(im->options->from)))
        now = now->same;
    if (!old || !now)
        return mapping_ends(im, row, old, now, err);
    if (!split && !span_eq(extent, span_str("whole")))
        return import_judge(im, row, MAP_EXTENT,
                            err_set(&e, OCOP_EINVAL, "is neither whole nor split"), &e, err);
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

/* What is in force lies in what is in force: a unit that the file puts something into stays. */
static void keep_parents(const struct row *units)
{
    for (const struct row *row = units; row; row = row->next) {
        struct old_unit *u = row->wrong || !row->parent ? NULL : row->parent->mark;
        if (u && !u->keeps)
            u->keeps = row;
    }
}

/* A commune ends because its line says so; a district or a province because its communes did,
 * unless some begin in it: then they changed within it. */
static enum ocop_status end_unit(struct importer *im, const struct old_unit *u,
                                 struct ocop_error *err)
{
    if (!u->keeps)
        return plan_old_unit(im, u, err);
    if (u->rank < 2)
        return OCOP_OK;
    const struct span code = u->keeps->cells[0];
    return err_field(err, OCOP_EINVAL, im->form->columns[MAP_OLD].name,
                     "the unit cannot end the day before %s: unit %.*s of the list lies in it from "
                     "then on; correct the parent_code there",
                     im->options->from, (int)(code.len > 40 ? 40 : code.len), (const char *)code.p);
}

enum ocop_status import_plan_mapping(struct importer *im, struct ocop_error *err)
{
    const struct row *units = im->first;
    enum ocop_status st;

    im->first_old = NULL;
    im->last_old = &im->first_old;
    st = import_read(im, IMPORT_MAPPING, im->options->mapping, span_of(NULL, 0), err);
    for (struct row *row = im->first; row && st == OCOP_OK; row = row->next) {
        for (size_t c = MAP_OLD; c <= MAP_EXTENT && st == OCOP_OK; c++) {
            struct ocop_error e = {0};
            if (row->cells[c].len == 0)
                st = import_judge(im, row, c, err_set(&e, OCOP_EINVAL, "is empty"), &e, err);
        }
        if (st == OCOP_OK && !row->wrong)
            st = mapping_row(im, row, err);
    }
    keep_parents(units);
    for (struct old_unit *u = im->first_old; u && st == OCOP_OK; u = u->next) {
        struct ocop_error e = {0};
        /* A province that went to several was split whatever its communes say. */
        for (size_t i = 0; u->rank == 0 && u->count > 1 && i < u->count; i++)
            u->split[i] = true;
        st = end_unit(im, u, &e);
        if (st != OCOP_OK && import_is_lines_fault(st)) {
            import_complain(im, im->path, u->line, e.field, e.text);
            st = OCOP_OK;
        } else if (st != OCOP_OK) {
            st = err_set(err, st, "%s", e.text);
        }
    }
    return st;
}
