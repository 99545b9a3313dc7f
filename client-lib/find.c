/* ocop_find: checks a query, folds its text into words, and puts the answers of several kinds in
 * one order. Knows no SQL. */
#include <stdlib.h>

#include "store.h"
#include "text.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 10000, WORDS_MAX = 32 };

#define DAY_MS INT64_C(86400000)
#define VIETNAM_MS INT64_C(25200000) /* UTC+7 */

/* The caller's list with the memory of all it points to. */
struct answer {
    struct ocop_list list; /* first: what the caller holds */
    struct arena arena;
};

/* --- the query ------------------------------------------------------------------------------- */

/* The moment at which a day begins in Vietnam. */
static int64_t day_begins(const char *day)
{
    int64_t y = strtol(day, NULL, 10), m = strtol(day + 5, NULL, 10), d = strtol(day + 8, NULL, 10);
    int64_t years = y - (m <= 2), era = years / 400, of_era = years - era * 400;
    int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;

    return days * DAY_MS - VIETNAM_MS;
}

/* Folded, and cut behind its last word. */
static enum ocop_status words_of(const char *text, struct arena *a, struct span *out,
                                 struct ocop_error *err)
{
    struct buf folded;
    struct span word;
    size_t words = 0, at = 0;
    enum ocop_status st = OCOP_OK;

    buf_init(&folded, KIB(16));
    text_fold(&folded, span_str(text));
    while (words <= WORDS_MAX && store_word_next(buf_span(&folded), &at, &word))
        words++;
    *out = span_of(arena_dup(a, folded.p ? (const void *)folded.p : "", at), at);
    if (folded.full)
        st = err_field(err, OCOP_ELIMIT, "text", "the text to find is too long");
    else if (words > WORDS_MAX)
        st = err_field(err, OCOP_ELIMIT, "text",
                       "the text to find has more than %d words; take some away", WORDS_MAX);
    else if (folded.failed || !out->p)
        st = err_nomem(err);
    else if (words == 0)
        st = err_field(err, OCOP_EINVAL, "text", "the text to find has no letter and no digit");
    buf_fini(&folded);
    return st;
}

static enum ocop_status check_day(const char *day, const char *name, struct ocop_error *err)
{
    if (!day || text_is_date(span_str(day)))
        return OCOP_OK;
    return err_field(err, OCOP_EINVAL, name, "%s must be a day such as 2026-08-05", name);
}

static enum ocop_status make_find(const struct ocop_query *q, struct arena *a, struct find *out,
                                  struct ocop_error *err)
{
    const struct kind *k = q->kind ? kind_by_name(q->kind) : NULL;
    enum ocop_status st;

    memset(out, 0, sizeof *out);
    if (q->kind && (!k || k->local_only))
        return err_field(err, OCOP_EINVAL, "kind", "there is no kind of record of this name");
    if (q->state < 0 || q->state > OCOP_REFUSED)
        return err_field(err, OCOP_EINVAL, "state", "there is no such state of a record");
    if (q->limit < 0 || q->limit > LIMIT_MAX || q->offset < 0 || q->offset > 1000000)
        return err_field(err, OCOP_EINVAL, "limit", "limit is 0 to %d, offset 0 to 1000000",
                         LIMIT_MAX);
    if (k && !store_find_knows(k->number, q->product, q->producer, q->from_date || q->to_date))
        return err_field(err, OCOP_EINVAL, "kind",
                         "records of kind %s cannot be asked for by product, producer or day",
                         k->name);
    st = check_day(q->from_date, "from_date", err);
    if (!st)
        st = check_day(q->to_date, "to_date", err);
    if (!st && q->text && *q->text)
        st = words_of(q->text, a, &out->words, err);
    if (st)
        return st;
    out->kind = k ? k->number : 0;
    out->unit = (const struct id *)(const void *)q->unit;
    out->product = (const struct id *)(const void *)q->product;
    out->producer = (const struct id *)(const void *)q->producer;
    out->from = q->from_date;
    out->to = q->to_date;
    out->from_ms = q->from_date ? day_begins(q->from_date) : 0;
    out->to_ms = q->to_date ? day_begins(q->to_date) + DAY_MS : 0;
    out->state = q->state;
    out->voided_too = q->voided_too;
    out->limit = q->offset + (q->limit ? q->limit : LIMIT_DEFAULT) + 1;
    return OCOP_OK;
}

/* --- the answer ------------------------------------------------------------------------------ */

/* Newest day first, what has no day last; then by kind; then what came last first. Within a kind it
 * is the order in which its rows were asked for and cut off, or pages would overlap. */
static int compare(const void *a, const void *b)
{
    const struct find_row *x = a, *y = b;
    int c = strcmp(y->day, x->day);

    if (c == 0 && x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (c == 0 && x->moment != y->moment)
        return x->moment < y->moment ? 1 : -1;
    return c ? c : (x->n < y->n) - (x->n > y->n);
}

/* Rows of one kind behind those found before. */
static enum ocop_status append(struct ocop_store *s, const struct find *f, struct arena *a,
                               struct find_row **rows, size_t *count, struct ocop_error *err)
{
    struct find_row *more, *all;
    size_t n;
    enum ocop_status st = store_find(s, f, a, &more, &n, err);

    if (st || n == 0)
        return st;
    all = arena_alloc(a, (*count + n) * sizeof *all);
    if (!all)
        return err_nomem(err);
    if (*count)
        memcpy(all, *rows, *count * sizeof *all);
    memcpy(all + *count, more, n * sizeof *all);
    *rows = all;
    *count += n;
    return OCOP_OK;
}

static enum ocop_status find_all(struct ocop_store *s, struct find *f, struct arena *a,
                                 struct find_row **rows, size_t *count, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    *rows = NULL;
    *count = 0;
    if (f->kind)
        return append(s, f, a, rows, count, err);
    for (size_t i = 0; !st && i < kind_count(); i++) {
        const struct kind *k = kind_at(i);
        if (k->reference || !store_find_knows(k->number, f->product, f->producer, f->from || f->to))
            continue;
        f->kind = k->number;
        st = append(s, f, a, rows, count, err);
    }
    if (!st && *count)
        qsort(*rows, *count, sizeof **rows, compare);
    return st;
}

static enum ocop_status fill(struct answer *out, const struct find_row *rows, size_t count,
                             const struct ocop_query *q, struct ocop_error *err)
{
    size_t offset = (size_t)q->offset, limit = (size_t)(q->limit ? q->limit : LIMIT_DEFAULT);
    size_t n = count > offset ? count - offset : 0;

    out->list.more = n > limit;
    if (n > limit)
        n = limit;
    out->list.items = arena_calloc(&out->arena, n + 1, sizeof *out->list.items);
    if (!out->list.items)
        return err_nomem(err);
    out->list.count = n;
    for (size_t i = 0; i < n; i++) {
        const struct find_row *r = &rows[offset + i];
        struct ocop_item *item = &out->list.items[i];
        memcpy(item->id.b, r->id.b, ID_LEN);
        item->kind = kind_by_number(r->kind)->name;
        item->state = (enum ocop_record_state)r->state;
        item->voided = r->voided;
        item->day = r->day;
        item->label = r->label;
        item->unit_name = r->unit_name;
    }
    return OCOP_OK;
}

enum ocop_status ocop_find(struct ocop_store *s, const struct ocop_query *query,
                           struct ocop_list **out, struct ocop_error *err)
{
    struct find f;
    struct find_row *rows;
    size_t count;
    struct answer *answer;
    bool again = true;
    enum ocop_status st;

    *out = NULL;
    if (!query)
        return err_set(err, OCOP_EINVAL, "no query was given");
    answer = calloc(1, sizeof *answer);
    if (!answer)
        return err_nomem(err);
    arena_init(&answer->arena, ARENA_REQUEST_MAX);
    st = make_find(query, &answer->arena, &f, err);
    while (!st && again) {
        const uint32_t kind = f.kind;
        st = client_read(s, err);
        if (st)
            break;
        st = find_all(s, &f, &answer->arena, &rows, &count, err);
        again = st && store_search_again(s); /* in an encrypted file nothing more can be read */
        client_read_end(s);
        if (again) {
            st = OCOP_OK;
            if (err)
                *err = (struct ocop_error){0};
        }
        f.kind = kind;
    }
    if (!st)
        st = fill(answer, rows, count, query, err);
    if (st)
        ocop_list_free(&answer->list);
    else
        *out = &answer->list;
    return st;
}

void ocop_list_free(struct ocop_list *list)
{
    struct answer *answer = (struct answer *)(void *)list;

    if (!answer)
        return;
    arena_fini(&answer->arena);
    free(answer);
}
