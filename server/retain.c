/* See retain.h. Reads records, cases and the log by what registry_past.c finds. */
#include "retain.h"

#include <inttypes.h>
#include <stdlib.h>

#include "blobs.h"
#include "bounds.h"
#include "cases.h"
#include "log.h"
#include "own.h"
#include "query.h"
#include "registry_past.h"
#include "show.h"
#include "thumbs.h"

enum { CHANGES_AT_ONCE = 400, DAY_MS = 86400000 };

/* An attachment whose content goes. */
struct gone {
    struct gone *next;
    struct id id;
    uint8_t hash[FILE_HASH_LEN];
    uint64_t size;
};

enum keeping { KEEP_NOT, KEEP_RECENT, KEEP_IN_CASE, KEEP_HELD, KEEP_DANGLING };

struct retaining {
    struct registry *r;
    const struct retain_terms *terms;
    FILE *out;
    struct retained *found;
    struct arena a, scratch;
    struct gone *list, **end;
    size_t taken;
    int64_t before_ms;
};

static enum ocop_status received_ms(struct registry *r, uint64_t version, int64_t *out,
                                    struct ocop_error *err)
{
    struct log_entry e;
    enum ocop_status st = log_read(r, version, &e, err);
    *out = st == OCOP_OK ? e.received_ms : 0;
    return st;
}

static enum ocop_status any_open(struct registry *r, const struct id *record, struct arena *a,
                                 bool *out, struct ocop_error *err)
{
    struct id *ids;
    size_t count;
    struct case_row row;
    enum ocop_status st = past_cases(r, record, a, &ids, &count, err);
    for (size_t i = 0; st == OCOP_OK && i < count && !*out; i++) {
        st = case_load_row(r, &ids[i], a, &row, err);
        *out = st == OCOP_OK && row.closed_version == 0;
    }
    return st;
}

static enum ocop_status on_held(void *self, const struct query_file *f, struct ocop_error *err)
{
    (void)err;
    *(bool *)self = *(bool *)self || *f->hold_reason;
    return OCOP_OK;
}

static bool is_there(struct registry *r, const struct id *record, uint32_t kind, struct arena *a,
                     enum ocop_status *st, struct ocop_error *err)
{
    struct fields f;
    struct row_meta meta;
    enum ocop_status loaded = row_load(r->rows, kind, record, a, &f, &meta, err);
    if (loaded != OCOP_OK && loaded != OCOP_ENOTFOUND)
        *st = loaded;
    return loaded == OCOP_OK;
}

/* *kind: 0 when it is not here. */
static enum ocop_status kind_of(struct registry *r, const struct id *record, struct arena *a,
                                uint32_t *kind, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    *kind = 0;
    for (size_t i = 0; st == OCOP_OK && i < kind_count() && !*kind; i++)
        if (is_there(r, record, kind_at(i)->number, a, &st, NULL))
            *kind = kind_at(i)->number;
    return st == OCOP_OK ? st : err_set(err, st, "a record cannot be read");
}

/* When was the record, or this attachment of it, last touched by any change or case? */
static enum ocop_status touched_ms(struct registry *r, const struct query_file *f, struct arena *a,
                                   int64_t *out, struct ocop_error *err)
{
    uint64_t *versions, last = f->version;
    size_t count;
    enum ocop_status st = past_versions(r, &f->record, a, &versions, &count, err);
    if (st == OCOP_OK && count && versions[count - 1] > last)
        last = versions[count - 1];
    return st == OCOP_OK ? received_ms(r, last, out, err) : st;
}

static enum ocop_status judge(struct retaining *w, const struct query_file *f, enum keeping *out,
                              uint32_t *kind, struct ocop_error *err)
{
    bool open = false, held = false;
    int64_t last = 0;
    arena_reset(&w->scratch);
    *out = KEEP_NOT;
    enum ocop_status st = kind_of(w->r, &f->record, &w->scratch, kind, err);
    if (st == OCOP_OK && *kind)
        st = any_open(w->r, &f->record, &w->scratch, &open, err);
    if (st == OCOP_OK && *kind)
        st = any_open(w->r, &f->id, &w->scratch, &open, err);
    if (st == OCOP_OK && *kind)
        st = query_files(w->r, &f->record, on_held, &held, err);
    if (st == OCOP_OK && *kind)
        st = touched_ms(w->r, f, &w->scratch, &last, err);
    if (!*kind)
        *out = KEEP_DANGLING;
    else if (held)
        *out = KEEP_HELD;
    else if (open)
        *out = KEEP_IN_CASE;
    else if (last >= w->before_ms)
        *out = KEEP_RECENT;
    return st;
}

/* --- what goes ----------------------------------------------------------------------------------
 */

struct others {
    struct retaining *w;
    const struct query_file *than;
    bool kept;
};

/* Another attachment with the same content is judged by itself, whatever its role. */
static enum ocop_status on_other(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct others *o = self;
    enum keeping k;
    uint32_t kind;
    if (f->removed_ms || id_eq(&f->id, &o->than->id) || o->kept)
        return OCOP_OK;
    enum ocop_status st = judge(o->w, f, &k, &kind, err);
    o->kept = k != KEEP_NOT || (o->w->terms->role && strcmp(f->role, o->w->terms->role) != 0) ||
              (o->w->terms->kind && kind != o->w->terms->kind);
    return st;
}

static void count_kept(struct retained *found, enum keeping why)
{
    found->recent += why == KEEP_RECENT;
    found->in_case += why == KEEP_IN_CASE;
    found->held += why == KEEP_HELD;
    found->dangling += why == KEEP_DANGLING;
}

static void tell(const struct retaining *w, const struct query_file *f)
{
    char id[ID_TEXT_LEN + 1];
    fprintf(w->out, "%s\t%s\t", w->terms->dry_run ? "would go" : "removed", id_text(f->id, id));
    fprintf(w->out, "%s\t", id_text(f->record, id));
    show_str(w->out, f->role);
    fputc('\t', w->out);
    show_str(w->out, f->officer);
    fputc('\t', w->out);
    show_moment(w->out, f->received_ms);
    fprintf(w->out, "\t%" PRIu64 " KiB\n", (f->size + 1023) / 1024);
}

/* Why it is kept; KEEP_NOT with *shared: for another attachment's sake. */
static enum ocop_status weigh(struct retaining *w, const struct query_file *f, enum keeping *keep,
                              bool *shared, uint32_t *kind, struct ocop_error *err)
{
    struct others o = {.w = w, .than = f};
    *shared = false;
    enum ocop_status st = judge(w, f, keep, kind, err);
    if (st == OCOP_OK && *keep == KEEP_NOT)
        st = query_files_of(w->r, f->hash, on_other, &o, err);
    *shared = o.kept;
    return st;
}

static void count_gone(struct retaining *w, const struct query_file *f)
{
    w->found->removed++;
    w->found->bytes += f->size;
    tell(w, f);
}

static enum ocop_status take(struct retaining *w, const struct query_file *f,
                             struct ocop_error *err)
{
    struct gone *g = arena_calloc(&w->a, 1, sizeof *g);
    if (!g)
        return err_nomem(err);
    g->id = f->id;
    g->size = f->size;
    memcpy(g->hash, f->hash, FILE_HASH_LEN);
    *w->end = g;
    w->end = &g->next;
    w->taken++;
    if (w->terms->dry_run)
        count_gone(w, f);
    return OCOP_OK;
}

static enum ocop_status on_file(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct retaining *w = self;
    enum keeping keep;
    uint32_t kind;
    bool shared;
    if (f->removed_ms || (w->terms->role && strcmp(f->role, w->terms->role) != 0))
        return OCOP_OK;
    /* What was here and is lost goes too, and is asked for no more; what never came is awaited. */
    if (!f->lacking_ms && !content_stamp(&w->r->blobs, f->hash).there)
        return OCOP_OK;
    enum ocop_status st = weigh(w, f, &keep, &shared, &kind, err);
    if (st != OCOP_OK || (w->terms->kind && kind != w->terms->kind))
        return st;
    count_kept(w->found, keep);
    w->found->shared += shared;
    if (keep != KEEP_NOT || shared)
        return OCOP_OK;
    w->found->more = w->taken == RETAIN_AT_ONCE_MAX;
    return w->found->more ? OCOP_OK : take(w, f, err);
}

/* --- writing ------------------------------------------------------------------------------------
 */

/* Some of them, in a transaction. */
struct batch {
    struct retaining *w;
    const struct gone *g;
    struct own_draft *d;
    struct change *c;
    size_t count;
    struct arena a;
};

/* Weighed once more, now that nobody else writes. */
static enum ocop_status on_going(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct batch *b = self;
    struct retaining *w = b->w;
    const int64_t now = env_now_ms(w->r->env);
    enum keeping keep;
    uint32_t kind;
    bool shared;
    if (f->removed_ms || !id_eq(&f->id, &b->g->id))
        return OCOP_OK;
    enum ocop_status st = weigh(w, f, &keep, &shared, &kind, err);
    if (st != OCOP_OK || keep != KEEP_NOT || shared)
        return st;
    struct own_draft *d = &b->d[b->count];
    own_int(d, ATTACHMENT_REMOVED_MS, now);
    own_bytes(d, ATTACHMENT_REMOVED_BY, id_span(&w->terms->officer));
    own_bytes(d, ATTACHMENT_REMOVED_REASON, span_str(w->terms->reason));
    b->c[b->count] = own_change(d, KIND_ATTACHMENT, VERB_AMEND, f->id, f->version, now);
    b->c[b->count++].reason = span_str(w->terms->reason);
    count_gone(w, f);
    return OCOP_OK;
}

/* One set of changes of attachments; *from is moved behind them. */
static enum ocop_status write_some(struct batch *b, const struct server_keys *keys,
                                   const struct gone **from, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    b->d = arena_calloc(&b->a, CHANGES_AT_ONCE, sizeof *b->d);
    b->c = arena_calloc(&b->a, CHANGES_AT_ONCE, sizeof *b->c);
    if (!b->d || !b->c)
        return err_nomem(err);
    for (size_t n = 0; st == OCOP_OK && *from && n < CHANGES_AT_ONCE; *from = (*from)->next, n++) {
        b->g = *from;
        st = query_files_of(b->w->r, b->g->hash, on_going, b, err);
    }
    return st == OCOP_OK && b->count ? own_write(b->w->r, keys, b->c, b->count, &b->a, err) : st;
}

/* All that there is of it, also where it was put aside, and what of it was coming again. */
static enum ocop_status remove_all_of(struct retaining *w, const struct gone *g,
                                      struct ocop_error *err)
{
    enum ocop_status st = content_remove(&w->r->blobs, g->hash, err);
    if (st == OCOP_OK)
        st = content_parts_remove(&w->r->blobs, g->hash, err);
    return st == OCOP_OK ? thumbs_remove(&w->r->blobs, g->hash, err) : st;
}

/* Behind the commit: what a cut leaves lying here is swept (verify_files.c), and so is what cannot
 * be removed now. */
static enum ocop_status remove_some(struct retaining *w, const struct gone *g,
                                    const struct gone *end, struct ocop_error *err)
{
    char name[CONTENT_NAME_LEN + 1];
    bool named;
    /* Nobody may attach the same content anew while it is looked for and removed. */
    enum ocop_status st = registry_begin(w->r, err);
    if (st != OCOP_OK)
        return st;
    for (; st == OCOP_OK && g != end; g = g->next) {
        struct ocop_error why = {0};
        st = query_file_named(w->r, g->hash, &named, err);
        if (st != OCOP_OK || named || remove_all_of(w, g, &why) == OCOP_OK)
            continue;
        w->found->left++;
        fprintf(w->out, "left\t%s\t%s\n", content_name(g->hash, name), why.text);
    }
    registry_rollback(w->r); /* nothing was written but files */
    return st;
}

/* With the change that removes it, so that nobody is told that it is lost. */
static enum ocop_status forget_some(struct retaining *w, const struct gone *g,
                                    const struct gone *end, struct ocop_error *err)
{
    bool named;
    enum ocop_status st = OCOP_OK;
    for (; st == OCOP_OK && g != end; g = g->next) {
        st = query_file_named(w->r, g->hash, &named, err);
        if (st == OCOP_OK && !named)
            st = blobs_forget(w->r, g->hash, err);
    }
    return st;
}

static enum ocop_status write_batch(struct retaining *w, const struct server_keys *keys,
                                    const struct gone **from, struct ocop_error *err)
{
    const struct gone *first = *from;
    struct batch b = {.w = w};
    enum ocop_status st = registry_begin(w->r, err);
    if (st != OCOP_OK)
        return st;
    arena_init(&b.a, ARENA_REQUEST_MAX);
    st = write_some(&b, keys, from, err);
    if (st == OCOP_OK)
        st = forget_some(w, first, *from, err);
    if (st == OCOP_OK)
        st = registry_commit(w->r, err);
    if (st != OCOP_OK)
        registry_rollback(w->r);
    arena_fini(&b.a);
    return st;
}

/* Told when it is committed, and not before. */
static enum ocop_status remove_batch(struct retaining *w, const struct server_keys *keys,
                                     const struct gone **from, struct ocop_error *err)
{
    const struct gone *first = *from;
    FILE *out = w->out;
    char *text = NULL;
    size_t len = 0;
    w->out = open_memstream(&text, &len);
    enum ocop_status st = w->out ? write_batch(w, keys, from, err) : err_nomem(err);
    if (w->out && fclose(w->out) != 0 && st == OCOP_OK)
        len = 0; /* no memory to tell it: it is in the log */
    w->out = out;
    if (st == OCOP_OK)
        fwrite(text, 1, len, out);
    free(text);
    return st == OCOP_OK ? remove_some(w, first, *from, err) : st;
}

/* Looked through beside whoever writes, and written in small pieces: no device waits for it. */
static enum ocop_status retain(struct retaining *w, const struct server_keys *keys,
                               struct ocop_error *err)
{
    enum ocop_status st = query_files(w->r, NULL, on_file, w, err);
    for (const struct gone *g = w->list; st == OCOP_OK && g && !w->terms->dry_run;)
        st = remove_batch(w, keys, &g, err);
    return st;
}

enum ocop_status files_retain(struct registry *r, const struct server_keys *keys,
                              const struct retain_terms *terms, FILE *out, struct retained *found,
                              struct ocop_error *err)
{
    struct retaining w = {.r = r, .terms = terms, .out = out, .found = found};
    *found = (struct retained){0};
    if (terms->days < RETAIN_DAYS_MIN)
        return err_set(err, OCOP_EINVAL,
                       "a result can be brought to court for a year: contents are kept for %d days "
                       "at least",
                       RETAIN_DAYS_MIN);
    enum ocop_status st = terms->dry_run ? OCOP_OK : case_may_decide(r, &terms->officer, err);
    if (st != OCOP_OK)
        return st;
    w.before_ms = env_now_ms(r->env) - (int64_t)terms->days * DAY_MS;
    w.end = &w.list;
    arena_init(&w.a, MIB(64));
    arena_init(&w.scratch, ARENA_REQUEST_MAX);
    st = retain(&w, keys, err);
    arena_fini(&w.a);
    arena_fini(&w.scratch);
    return st;
}

/* --- holding ------------------------------------------------------------------------------------
 */

struct holding {
    struct own_draft *d;
    struct change *c;
    size_t count, room;
    struct arena a;
    const char *reason;
    int64_t now;
};

static enum ocop_status on_hold(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct holding *h = self;
    struct own_draft *d = arena_calloc(&h->a, 1, sizeof *d);
    h->c = arena_more(&h->a, h->c, h->count, sizeof *h->c);
    if (!d || !h->c)
        return err_nomem(err);
    if (h->reason)
        own_bytes(d, ATTACHMENT_HOLD_REASON, span_str(h->reason));
    else
        own_clear(d, ATTACHMENT_HOLD_REASON, VALUE_BYTES);
    struct change *c = &h->c[h->count++];
    *c = own_change(d, KIND_ATTACHMENT, VERB_AMEND, f->id, f->version, h->now);
    c->reason = span_str(h->reason ? h->reason : "thôi giữ lại");
    return OCOP_OK;
}

enum ocop_status files_hold(struct registry *r, const struct server_keys *keys,
                            const struct id *record, const char *reason, size_t *count,
                            struct ocop_error *err)
{
    struct holding h = {.reason = reason, .now = env_now_ms(r->env)};
    *count = 0;
    enum ocop_status st = registry_begin(r, err);
    if (st != OCOP_OK)
        return st;
    arena_init(&h.a, MIB(64));
    st = query_files(r, record, on_hold, &h, err);
    if (st == OCOP_OK && h.count == 0)
        st = err_set(err, OCOP_ENOTFOUND, "this record has no attachments");
    if (st == OCOP_OK)
        st = own_write(r, keys, h.c, h.count, &h.a, err);
    if (st == OCOP_OK)
        st = registry_commit(r, err);
    if (st != OCOP_OK)
        registry_rollback(r);
    *count = st == OCOP_OK ? h.count : 0;
    arena_fini(&h.a);
    return st;
}
