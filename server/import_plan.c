/* What an import is going to do: which record a row means, and the change that makes it so. Knows
 * no SQL. */
#include <stdlib.h>

#include "importer.h"

/* --- is it there already? --- */

enum ocop_status import_identify(struct importer *im, struct row *row, struct ocop_error *err)
{
    const struct index_entry *e;
    bool by_name;

    if (row->wrong)
        return OCOP_OK;
    enum ocop_status st = import_match_row(im, row, &e, &by_name, err);
    if (st != OCOP_OK)
        return st;
    if (e && e->line)
        return err_set(err, OCOP_EINVAL, "is the same record as line %zu", e->line);
    row->exists = e != NULL;
    row->by_name = by_name;
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
    const struct rules_lookup lookup = {.code = import_code, .self = im};
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

/* A record that was found by its name keeps it as it stands: the file only types it otherwise. */
static void drop_name(struct fields *f)
{
    struct field *name = fields_find(f, 10, span_of(NULL, 0));

    if (name)
        memmove(name, name + 1, (size_t)(f->v + f->count-- - name - 1) * sizeof *name);
}

enum ocop_status import_plan_row(struct importer *im, struct row *row, int rank,
                                 struct ocop_error *err)
{
    const struct rules_lookup lookup = {.code = import_code, .self = im};
    const uint32_t kind = im->kind->number;

    if (row->by_name)
        drop_name(&row->fields);
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
