/* Imports: reads a file, checks every line against the rules and the registry, then writes what is
 * new or changed as change-sets of an author of its own. Knows no SQL. */
#include "import.h"

#include <stdlib.h>

#include "bounds.h"
#include "importer.h"
#include "text.h"

#define IMPORT_ARENA_MAX MIB(1024)
/* Of one set: far below SET_BODY_BYTES_MAX, which counts bytes before they are columns. */
#define SET_FIELD_BYTES_MAX (SET_BODY_BYTES_MAX / 2)
enum { OFFICER_COLUMNS_MAX = 16 };

/* --- writing --- */

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
        import_complain(im, p->path, p->line, rows[i].field, text);
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
    st = author_begin(im->r, keys, "import", base_name(im->options->path), NULL, &au, err);
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

/* --- the whole --- */

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
            st = import_judge(im, row, column, fn(im, row, &e), &e, err);
    }
    return st;
}

static enum ocop_status plan_one(struct importer *im, struct row *row, struct ocop_error *err)
{
    const bool unit = im->kind->number == KIND_UNIT;

    return import_plan_row(im, row, unit ? import_unit_rank(import_value(&row->fields, 12)) : 0,
                           err);
}

static enum ocop_status plan_file(struct importer *im, enum import_what what,
                                  struct ocop_error *err)
{
    const size_t none = import_forms[what].count;
    enum ocop_status st = import_read(im, what, im->options->path, im->options->text, err);

    if (st == OCOP_OK)
        st = each_row(im, import_row_fields, none, err);
    if (st == OCOP_OK)
        st = each_row(im, import_row_defaults, none, err);
    if (st == OCOP_OK)
        st = each_row(im, import_identify, none, err);
    if (st == OCOP_OK && what == IMPORT_UNITS)
        st = each_row(im, import_unit_parent, IMPORT_UNIT_PARENT, err);
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
        st = import_plan_mapping(&im, err);
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
    const struct span cells[OFFICER_COLUMNS_MAX] = {
        span_str(name), span_str(agency ? agency : ""), [5] = span_str(roles ? roles : "")};
    size_t lines[OFFICER_COLUMNS_MAX] = {0};
    struct row row = {.cells = cells, .lines = lines};

    memset(out, 0, sizeof *out);
    arena_init(&im.a, MIB(64));
    im.now_ms = env_now_ms(r->env);
    text_day_of(im.now_ms, im.today);
    im.form = &import_forms[IMPORT_OFFICERS];
    im.kind = kind_by_number(KIND_OFFICER);
    CHECK(im.form->count <= OFFICER_COLUMNS_MAX);
    memset(im.map, IMPORT_NO_COLUMN, sizeof im.map);
    enum ocop_status st = load_index(&im, IMPORT_OFFICERS, err);
    if (st == OCOP_OK)
        st = import_row_fields(&im, &row, err);
    if (st == OCOP_OK && !row.wrong)
        st = import_identify(&im, &row, err);
    if (st == OCOP_OK && row.exists)
        st = err_set(err, OCOP_EINVAL, "there is an officer of this name; use --officer");
    if (st == OCOP_OK && !row.wrong)
        st = import_plan_row(&im, &row, 0, err);
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
