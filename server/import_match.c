/* Which record a cell or a row means: by its code first, else by its name, compared whatever its
 * case, spaces, tone marks and normal form. A name that several records bear is no answer; they are
 * named instead. Knows no SQL. */
#include "bounds.h"
#include "importer.h"

enum { SHOWN_BYTES_MAX = 60, CANDIDATES_SHOWN = 3 };

/* As much of a text as an error has room for; characters stay whole. */
static struct span shown(struct span s)
{
    size_t n = s.len < SHOWN_BYTES_MAX ? s.len : SHOWN_BYTES_MAX;

    while (n > 0 && n < s.len && (s.p[n] & 0xc0) == 0x80)
        n--;
    return span_of(s.p, n);
}

#define SHOWN(s) (int)shown(s).len, (const char *)(s).p

/* --- candidates --- */

struct candidates {
    const struct index_entry *v[CANDIDATES_SHOWN];
    size_t count; /* all of them */
};

/* Does it count? The same record may stand under two names. */
static bool candidate_add(struct candidates *c, const struct index_entry *e)
{
    for (size_t i = 0; i < c->count && i < CANDIDATES_SHOWN; i++)
        if (id_eq(&c->v[i]->id, &e->id))
            return false;
    if (c->count < CANDIDATES_SHOWN)
        c->v[c->count] = e;
    c->count++;
    return true;
}

/* "HTX Sao Mai, 0101, Phường Ba Đình, line 7": what tells it from the others. */
static void put_candidate(struct importer *im, const struct index_entry *e, struct buf *b)
{
    const struct index_entry *place =
        id_is_zero(&e->unit) ? NULL : index_find(&im->index, INDEX_UNIT_ID, id_span(&e->unit));

    buf_printf(b, "%.*s, ", SHOWN(e->name));
    if (e->code.len)
        buf_printf(b, "%.*s", SHOWN(e->code));
    else
        buf_str(b, "no code");
    if (place)
        buf_printf(b, ", %.*s", SHOWN(place->name));
    if (e->line)
        buf_printf(b, ", line %zu", e->line);
}

static enum ocop_status ambiguous(struct importer *im, struct span cell, const struct candidates *c,
                                  const char *advice, struct ocop_error *err)
{
    struct buf b;
    enum ocop_status st;

    buf_init(&b, KIB(4));
    for (size_t i = 0; i < c->count && i < CANDIDATES_SHOWN; i++) {
        buf_str(&b, i ? "; " : "");
        put_candidate(im, c->v[i], &b);
    }
    if (c->count > CANDIDATES_SHOWN)
        buf_str(&b, "; and more");
    if (b.failed)
        st = err_nomem(err);
    else
        st = err_set(err, OCOP_EINVAL, "\"%.*s\" may be any of %zu: %s. %s", SHOWN(cell), c->count,
                     buf_cstr(&b), advice);
    buf_fini(&b);
    return st;
}

static const char by_code[] = "Give the code instead";

/* --- what a cell means --- */

static bool in_force(const struct index_entry *e, const char *day)
{
    const struct span d = span_str(day);

    return span_cmp(e->from, d) <= 0 && (e->to.len == 0 || span_cmp(e->to, d) >= 0);
}

static enum ocop_status no_unit(struct importer *im, struct span cell,
                                const struct index_entry *ended, struct ocop_error *err)
{
    if (!ended)
        ended = index_find(&im->index, INDEX_UNIT_CODE, cell);
    if (ended && ended->to.len)
        return err_set(err, OCOP_ENOTFOUND, "unit %.*s ended on %.*s; name the unit it went to",
                       SHOWN(cell), (int)ended->to.len, (const char *)ended->to.p);
    return err_set(err, OCOP_ENOTFOUND,
                   "no unit has the code or name \"%.*s\"; import units first, and keep leading "
                   "zeros",
                   SHOWN(cell));
}

enum ocop_status import_find_unit(struct importer *im, struct span cell,
                                  const struct index_entry **out, struct ocop_error *err)
{
    const struct span name = index_name_key(&im->index, cell);
    const struct index_entry *ended = NULL;
    struct candidates c = {.count = 0};

    *out = index_unit(&im->index, cell, im->today);
    if (*out)
        return OCOP_OK;
    if (!name.p)
        return err_nomem(err);
    for (const struct index_entry *e = index_find(&im->index, INDEX_UNIT_NAME, name); e;
         e = e->same) {
        if (in_force(e, im->today))
            (void)candidate_add(&c, e);
        else
            ended = e;
    }
    if (c.count > 1)
        return ambiguous(im, cell, &c, by_code, err);
    if (c.count == 0)
        return no_unit(im, cell, ended, err);
    *out = c.v[0];
    return OCOP_OK;
}

enum ocop_status import_find_named(struct importer *im, enum index_space coded,
                                   enum index_space named, struct span cell, const struct id *owner,
                                   const struct index_entry **out, struct ocop_error *err)
{
    const struct span name = index_name_key(&im->index, cell);
    const struct span code = index_natural_key(&im->index, cell);
    const struct index_entry *e = index_find(&im->index, coded, code);
    struct candidates c = {.count = 0};

    *out = NULL;
    if (!name.p || !code.p)
        return err_nomem(err);
    for (int pass = 0; pass < 2 && c.count == 0; pass++) {
        for (; e; e = e->same)
            if (id_is_zero(owner) || id_eq(&e->producer, owner))
                (void)candidate_add(&c, e);
        e = index_find(&im->index, named, name);
    }
    if (c.count > 1)
        return ambiguous(im, cell, &c, by_code, err);
    if (c.count == 0)
        return err_set(err, OCOP_ENOTFOUND, "nothing in the registry has the code or name \"%.*s\"",
                       SHOWN(cell));
    *out = c.v[0];
    return OCOP_OK;
}

/* --- what a row means --- */

/* Which record of those with one code a row means: the only one, or the only one that has its name
 * and place too. More of them are a case, which a person decides and no list. */
static enum ocop_status row_coded(struct importer *im, enum index_space space, struct span code,
                                  struct span name, const struct id *place,
                                  const struct index_entry **out, struct ocop_error *err)
{
    const struct span key = index_natural_key(&im->index, code);
    const struct span wanted = index_name_key(&im->index, name);
    struct candidates all = {.count = 0}, alike = {.count = 0};

    if (!key.p || !wanted.p)
        return err_nomem(err);
    for (const struct index_entry *e = index_find(&im->index, space, key); e; e = e->same) {
        const struct span known = index_name_key(&im->index, e->name);
        if (!known.p)
            return err_nomem(err);
        (void)candidate_add(&all, e);
        if (span_eq(known, wanted) &&
            id_eq(space == INDEX_TAX_CODE ? &e->unit : &e->producer, place))
            (void)candidate_add(&alike, e);
    }
    if (all.count > 1 && alike.count != 1)
        return ambiguous(im, code, &all, "Resolve their case, or void one of them", err);
    *out = all.count == 0 ? NULL : all.count == 1 ? all.v[0] : alike.v[0];
    return OCOP_OK;
}

/* A producer by tax code, else by name and unit; a product by its code, else by name and producer.
 * Two records whose codes differ are never one, whatever their names. */
static enum ocop_status row_named(struct importer *im, const struct row *row,
                                  const struct index_entry **out, bool *by_name,
                                  struct ocop_error *err)
{
    const bool producer = im->kind->number == KIND_PRODUCER;
    const struct span name = import_value(&row->fields, 10);
    const struct span code = import_value(&row->fields, 12);
    const struct span key = index_name_key(&im->index, name);
    struct candidates c = {.count = 0};
    enum ocop_status st = OCOP_OK;
    struct id place;

    if (!key.p)
        return err_nomem(err);
    if (!id_from(import_value(&row->fields, producer ? FIELD_UNIT : 11), &place))
        memset(&place, 0, sizeof place);
    if (code.len)
        st = row_coded(im, producer ? INDEX_TAX_CODE : INDEX_PRODUCT_CODE, code, name, &place, out,
                       err);
    if (st != OCOP_OK || *out)
        return st;
    const struct index_entry *e =
        index_find(&im->index, producer ? INDEX_PRODUCER_NAME : INDEX_PRODUCT_NAME, key);
    for (; e; e = e->same)
        if (id_eq(producer ? &e->unit : &e->producer, &place) && (!code.len || !e->code.len))
            (void)candidate_add(&c, e);
    if (c.count > 1)
        return ambiguous(im, name, &c, by_code, err);
    *by_name = c.count == 1;
    *out = c.count ? c.v[0] : NULL;
    return OCOP_OK;
}

enum ocop_status import_match_row(struct importer *im, const struct row *row,
                                  const struct index_entry **out, bool *by_name,
                                  struct ocop_error *err)
{
    const struct span first = import_value(&row->fields, 10);
    const struct index_entry *e = NULL;
    struct candidates c = {.count = 0};
    struct span key;
    struct id of;

    *out = NULL;
    *by_name = false;
    switch (im->kind->number) {
    case KIND_UNIT:
        for (e = index_find(&im->index, INDEX_UNIT_CODE, first); e; e = e->same)
            if (span_eq(e->from, span_str(im->options->from)))
                break;
        *out = e;
        return OCOP_OK;
    case KIND_CERTIFICATE:
        if (!id_from(import_value(&row->fields, 11), &of))
            memset(&of, 0, sizeof of);
        return row_coded(im, INDEX_CERTIFICATE_NO, first, first, &of, out, err);
    case KIND_OFFICER:
        key = index_officer_key(&im->index, first, import_value(&row->fields, 11));
        if (!key.p)
            return err_nomem(err);
        for (e = index_find(&im->index, INDEX_OFFICER, key); e; e = e->same)
            (void)candidate_add(&c, e);
        if (c.count > 1)
            return ambiguous(im, first, &c, "Officers of one name need different agencies", err);
        *by_name = c.count == 1;
        *out = c.count ? c.v[0] : NULL;
        return OCOP_OK;
    default:
        return row_named(im, row, out, by_name, err);
    }
}
