/* The log as lines, and the story of one record: who changed it, when and what came of it. */
#include "bounds.h"
#include "json.h"
#include "show.h"
#include <inttypes.h>

static enum ocop_status show_entry(struct registry *r, const struct log_entry *entry,
                                   struct arena *a, FILE *out, struct ocop_error *err)
{
    struct change_set set;
    char id[ID_TEXT_LEN + 1];

    enum ocop_status st = changeset_open(entry->body, a, &set, err);
    if (st != OCOP_OK)
        return st;
    fprintf(out, "%" PRIu64 "\t", entry->version);
    show_moment(out, entry->received_ms);
    fprintf(out, "\t%s\t%" PRIu64 "\t%zu changes\t%zu bytes\t", id_text(set.replica, id), set.seq,
            set.changes.count, entry->body.len);
    st = show_label(r, KIND_REPLICA, &set.replica, out, err);
    fputc('\n', out);
    return st;
}

enum ocop_status show_log(struct registry *r, uint64_t from, uint64_t limit, FILE *out,
                          struct ocop_error *err)
{
    struct arena a;
    struct log_entry entry;
    uint64_t end;

    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = registry_version(r, &end, err);
    for (uint64_t v = from ? from : 1; st == OCOP_OK && v <= end && limit-- > 0; v++) {
        st = log_read(r, v, &entry, err);
        if (st == OCOP_OK)
            st = show_entry(r, &entry, &a, out, err);
        arena_reset(&a);
    }
    arena_fini(&a);
    return st;
}

static const char *verb_name(uint8_t verb)
{
    static const char *const names[] = {"?", "create", "amend", "add", "void"};

    return names[verb <= VERB_VOID ? verb : 0];
}

static const char *outcome_name(enum outcome_code code)
{
    static const char *const names[] = {
        "applied", "equal",    "waiting", "applied, refers to a record that is not there yet",
        "refused", "in a case"};

    return (unsigned)code < sizeof names / sizeof *names ? names[code] : "?";
}

struct telling {
    struct registry *r;
    struct id record;
    FILE *out;
    size_t count;
};

static enum ocop_status tell_outcome(struct telling *t, uint64_t version, uint32_t index,
                                     struct arena *a, struct ocop_error *err)
{
    struct outcome_row *rows;
    size_t n, i = 0;

    enum ocop_status st = outcomes_of(t->r, version, a, &rows, &n, err);
    if (st != OCOP_OK)
        return st;
    while (i < n && rows[i].index != index)
        i++;
    fprintf(t->out, "    outcome: %s", outcome_name(i < n ? rows[i].code : OUTCOME_APPLIED));
    if (i < n && rows[i].field && rows[i].field[0]) {
        fputs(", ", t->out);
        show_str(t->out, rows[i].field);
    }
    if (i < n && rows[i].text && rows[i].text[0]) {
        fputs(": ", t->out);
        show_str(t->out, rows[i].text);
    }
    fputc('\n', t->out);
    return OCOP_OK;
}

static enum ocop_status tell_change(struct telling *t, const struct log_entry *entry,
                                    const struct change *c, uint32_t index, struct arena *a,
                                    struct ocop_error *err)
{
    const struct kind *k = kind_by_number(c->kind);
    char path[160];
    struct buf value;
    enum ocop_status st;

    t->count++;
    fprintf(t->out, "version %" PRIu64 ": %s\n    by ", entry->version, verb_name(c->verb));
    st = show_label(t->r, KIND_OFFICER, &c->author, t->out, err);
    fputs(" on ", t->out);
    if (st == OCOP_OK)
        st = show_label(t->r, KIND_REPLICA, &entry->replica, t->out, err);
    fputs("; device ", t->out);
    show_moment(t->out, c->device_time_ms);
    fputs(", received ", t->out);
    show_moment(t->out, entry->received_ms);
    if (c->reason.len) {
        fputs("\n    reason: ", t->out);
        show_text(t->out, c->reason);
    }
    fputc('\n', t->out);
    buf_init(&value, MIB(1));
    for (size_t i = 0; i < c->fields.count && st == OCOP_OK; i++) {
        const struct field *f = &c->fields.v[i];
        buf_clear(&value);
        if (!k || f->op != FIELD_SET)
            buf_str(&value, f->op == FIELD_SET ? "(of a newer program)" : "(cleared)");
        else
            st = json_value(k, f, &value, err);
        fputs("    ", t->out);
        if (k)
            show_str(t->out, field_path(k, f, path, sizeof path));
        fputs(" = ", t->out);
        show_text(t->out, buf_span(&value));
        if (c->verb != VERB_CREATE)
            fprintf(t->out, " (seen at version %" PRIu64 ")", f->base);
        fputc('\n', t->out);
    }
    buf_fini(&value);
    return st == OCOP_OK ? tell_outcome(t, entry->version, index, a, err) : st;
}

static enum ocop_status tell_case(void *self, const struct case_row *c, struct ocop_error *err)
{
    struct telling *t = self;
    char id[ID_TEXT_LEN + 1];
    (void)err;

    if (!id_eq(&c->record, &t->record) && !id_eq(&c->other, &t->record))
        return OCOP_OK;
    fprintf(t->out, "case %s: opened at version %" PRIu64, id_text(c->id, id), c->opened_version);
    if (c->closed_version)
        fprintf(t->out, ", resolved at %" PRIu64 " (%s)", c->closed_version,
                c->resolution ? c->resolution : "?");
    else
        fputs(", open", t->out);
    fputc('\n', t->out);
    return OCOP_OK;
}

enum ocop_status show_story(struct registry *r, const struct id *record, FILE *out,
                            struct ocop_error *err)
{
    struct telling t = {r, *record, out, 0};
    struct arena a;
    uint64_t end;

    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = registry_version(r, &end, err);
    for (uint64_t v = 1; v <= end && st == OCOP_OK; v++) {
        struct log_entry entry;
        struct change_set set;
        st = log_read(r, v, &entry, err);
        if (st == OCOP_OK)
            st = changeset_open(entry.body, &a, &set, err);
        for (size_t i = 0; st == OCOP_OK && i < set.changes.count; i++)
            if (id_eq(&set.changes.v[i].record, record))
                st = tell_change(&t, &entry, &set.changes.v[i], (uint32_t)i, &a, err);
        arena_reset(&a);
    }
    if (st == OCOP_OK)
        st = case_each(r, false, tell_case, &t, err);
    if (st == OCOP_OK && t.count == 0)
        st = err_set(err, OCOP_ENOTFOUND, "the log has no change of this record");
    arena_fini(&a);
    return st;
}
