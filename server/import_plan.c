/* What an import is going to do: which record a row means, and the change that makes it so. Knows
 * no SQL. */
#include <stdlib.h>

#include "importer.h"

/* --- is it there already? --- */

/* The entry of the record that a row means, by the keys of its kind. */
static enum ocop_status row_entry(struct importer *im, const struct row *row,
                                  const struct index_entry **out, struct ocop_error *err)
{
    const struct fields *f = &row->fields;
    const struct span first = import_value(f, 10), natural = import_value(f, 12);
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
        key = index_officer_key(&im->index, first, import_value(f, 11));
        e = key.p ? index_find(&im->index, INDEX_OFFICER, key) : NULL;
    } else {
        struct id place;
        key = index_name_key(&im->index, first);
        if (natural.len)
            e = index_find(&im->index, producer ? INDEX_TAX_CODE : INDEX_PRODUCT_CODE, natural);
        if (!id_from(import_value(f, producer ? FIELD_UNIT : 11), &place))
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

enum ocop_status import_identify(struct importer *im, struct row *row, struct ocop_error *err)
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
        row->entry = index_find(&im->index, INDEX_UNIT_CODE, import_value(&row->fields, 10));
    return st;
}

/* --- planning --- */

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

enum ocop_status import_plan_amend(struct importer *im, uint32_t kind, const struct id *id,
                                   const struct fields *wanted, size_t line, int rank,
                                   struct ocop_error *err)
{
    const struct rules_lookup lookup = {import_code, im};
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

enum ocop_status import_plan_row(struct importer *im, struct row *row, int rank,
                                 struct ocop_error *err)
{
    const struct rules_lookup lookup = {import_code, im};
    const uint32_t kind = im->kind->number;

    if (row->exists)
        return import_plan_amend(im, kind, &row->id, &row->fields, row->line, rank, err);
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
