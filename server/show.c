/* Records, log and cases as text for people. Everything that others typed goes through show_text:
 * a name must not be able to move the cursor or turn the line around. Writes nothing. */
#include "show.h"

#include <inttypes.h>
#include <stdlib.h>

#include "bounds.h"
#include "csvfile.h"
#include "json.h"
#include "query.h"
#include "text.h"

/* Length of the valid UTF-8 sequence at p, 0 when there is none; *c its code point. */
static size_t decode(const uint8_t *p, size_t left, uint32_t *c)
{
    const size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;

    if (n == 0 || n > left || (n > 1 && !text_is_utf8(span_of(p, n))))
        return 0;
    *c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        *c = *c << 6 | (p[i] & 0x3f);
    return n;
}

static bool is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void show_text(FILE *out, struct span text)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c = 0;
        const size_t n = decode(text.p + i, text.len - i, &c);
        if (n > 0 && (c == '\n' || c == '\t' || c == '\r'))
            fputc(' ', out);
        else if (n == 0 || is_harmful(c))
            fputs("\xef\xbf\xbd", out);
        else
            fwrite(text.p + i, 1, n, out);
        i += n ? n : 1;
    }
}

void show_json_text(FILE *out, struct span text)
{
    fputc('"', out);
    for (size_t i = 0; i < text.len;) {
        uint32_t c = 0;
        const size_t n = decode(text.p + i, text.len - i, &c);
        if (n == 0)
            fputs("\\ufffd", out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (int)c);
        else if (is_harmful(c))
            fprintf(out, "\\u%04x", c);
        else
            fwrite(text.p + i, 1, n, out);
        i += n ? n : 1;
    }
    fputc('"', out);
}

static void show_str(FILE *out, const char *s)
{
    show_text(out, span_str(s ? s : ""));
}

/* "05/08/2026 14:03", or a dash. */
static void show_moment(FILE *out, int64_t ms)
{
    char text[17];

    fputs(ms > 0 ? text_moment(ms, text) : "-", out);
}

static struct span label_of(uint32_t kind, const struct fields *f)
{
    const struct kind *k = kind_by_number(kind);

    for (size_t i = 0; k && i < f->count; i++) {
        const struct field_rule *rule = kind_field(k, f->v[i].number);
        if (rule && (rule->flags & FIELD_LABEL) && f->v[i].op == FIELD_SET)
            return f->v[i].bytes;
    }
    return span_of(NULL, 0);
}

enum ocop_status show_label(struct registry *r, uint32_t kind, const struct id *id, FILE *out,
                            struct ocop_error *err)
{
    struct arena a;
    struct fields f;
    struct row_meta meta;
    struct span label = {NULL, 0};
    char text[ID_TEXT_LEN + 1];
    enum ocop_status st = OCOP_OK;

    if (id_is_zero(id)) {
        fputc('-', out);
        return OCOP_OK;
    }
    arena_init(&a, MIB(4));
    if (kind_by_number(kind)) {
        st = row_load(r->rows, kind, id, &a, &f, &meta, err);
        if (st == OCOP_OK)
            label = label_of(kind, &f);
        else if (st == OCOP_ENOTFOUND)
            st = OCOP_OK;
    }
    if (st == OCOP_OK && label.len)
        show_text(out, label);
    else if (st == OCOP_OK)
        fputs(id_text(*id, text), out);
    arena_fini(&a);
    return st;
}

/* --- records --- */

enum ocop_status show_record(struct registry *r, uint32_t kind, const struct id *id, bool json,
                             FILE *out, struct ocop_error *err)
{
    const struct kind *k = kind_by_number(kind);
    struct arena a;
    struct fields f;
    struct row_meta meta;
    struct buf b;
    char text[ID_TEXT_LEN + 1], path[160];

    arena_init(&a, MIB(8));
    buf_init(&b, MIB(8));
    enum ocop_status st = row_load(r->rows, kind, id, &a, &f, &meta, err);
    if (st == OCOP_ENOTFOUND)
        st = err_set(err, OCOP_ENOTFOUND, "there is no %s %s", k->name, id_text(*id, text));
    if (st == OCOP_OK && json) {
        st = json_from_fields(k, id, &f, true, &b, err);
        if (st == OCOP_OK)
            fprintf(out, "%s\n", buf_cstr(&b));
        goto out;
    }
    if (st != OCOP_OK)
        goto out;
    fprintf(out, "%s %s\nversion %" PRIu64 ", created at %" PRIu64 "\n", k->name,
            id_text(*id, text), meta.version, meta.born);
    for (size_t i = 0; i < f.count && st == OCOP_OK; i++) {
        if (f.v[i].op != FIELD_SET)
            continue;
        buf_clear(&b);
        st = json_value(k, &f.v[i], &b, err);
        if (st != OCOP_OK)
            break;
        fputs("  ", out);
        show_str(out, field_path(k, &f.v[i], path, sizeof path));
        fputs(" = ", out);
        show_text(out, buf_span(&b));
        fputc('\n', out);
    }
out:
    buf_fini(&b);
    arena_fini(&a);
    return st;
}

struct listing {
    struct registry *r;
    uint32_t kind;
    enum show_form form;
    FILE *out;
    size_t count;
};

static enum ocop_status csv_row(const struct listing *l, const struct query_record *record,
                                struct ocop_error *err)
{
    const struct kind *k = kind_by_number(l->kind);
    char text[ID_TEXT_LEN + 1];
    struct buf line, value;
    enum ocop_status st = OCOP_OK;

    buf_init(&line, MIB(8));
    buf_init(&value, MIB(4));
    csvfile_put_cell(&line, span_str(id_text(record->id, text)), true);
    for (size_t i = 1; i < k->field_count && st == OCOP_OK; i++) {
        const struct field_rule *rule = &k->fields[i];
        const struct field *f = fields_find(&record->fields, rule->number, span_of(NULL, 0));
        if (rule_is_list(rule))
            continue;
        buf_clear(&value);
        if (f && f->op == FIELD_SET && f->type == VALUE_BYTES &&
            rule->desc->type == PROTOBUF_C_TYPE_STRING)
            buf_put(&value, f->bytes.p, f->bytes.len);
        else if (f && f->op == FIELD_SET && f->type == VALUE_INT)
            buf_printf(&value, "%" PRId64, f->i);
        else if (f && f->op == FIELD_SET)
            st = json_value(k, f, &value, err);
        csvfile_put_cell(&line, buf_span(&value), false);
    }
    if (st == OCOP_OK)
        fprintf(l->out, "%s\n", buf_cstr(&line));
    buf_fini(&value);
    buf_fini(&line);
    return st;
}

static enum ocop_status list_row(void *self, const struct query_record *record,
                                 struct ocop_error *err)
{
    struct listing *l = self;
    const struct kind *k = kind_by_number(l->kind);
    char text[ID_TEXT_LEN + 1];
    struct buf b;
    enum ocop_status st = OCOP_OK;

    l->count++;
    if (l->form == SHOW_CSV)
        return csv_row(l, record, err);
    if (l->form == SHOW_LINES) {
        fprintf(l->out, "%s\t%" PRIu64 "\t", id_text(record->id, text), record->meta.version);
        show_text(l->out, label_of(l->kind, &record->fields));
        fputc('\n', l->out);
        return OCOP_OK;
    }
    buf_init(&b, MIB(8));
    st = json_from_fields(k, &record->id, &record->fields, false, &b, err);
    if (st == OCOP_OK)
        fprintf(l->out, "%s%s", l->count > 1 ? ",\n" : "", buf_cstr(&b));
    buf_fini(&b);
    return st;
}

enum ocop_status show_kind(struct registry *r, uint32_t kind, enum show_form form, FILE *out,
                           struct ocop_error *err)
{
    const struct kind *k = kind_by_number(kind);
    struct listing l = {r, kind, form, out, 0};

    if (form == SHOW_JSON)
        fputs("[", out);
    for (size_t i = 0; form == SHOW_CSV && i < k->field_count; i++)
        if (!rule_is_list(&k->fields[i]))
            fprintf(out, "%s%s", i ? "," : "", k->fields[i].desc->name);
    if (form == SHOW_CSV)
        fputc('\n', out);
    enum ocop_status st = query_records(r, kind, list_row, &l, err);
    if (form == SHOW_JSON)
        fputs("]\n", out);
    return st;
}

struct counting {
    size_t open;
};

static enum ocop_status count_case(void *self, const struct case_row *c, struct ocop_error *err)
{
    (void)c;
    (void)err;
    ((struct counting *)self)->open++;
    return OCOP_OK;
}

enum ocop_status show_counts(struct registry *r, FILE *out, struct ocop_error *err)
{
    struct counting counting = {0};
    uint64_t n;

    enum ocop_status st = registry_version(r, &n, err);
    if (st == OCOP_OK)
        fprintf(out, "version\t%" PRIu64 "\n", n);
    for (size_t i = 0; i < kind_count() && st == OCOP_OK; i++) {
        st = query_count(r, kind_at(i)->number, &n, err);
        if (st == OCOP_OK)
            fprintf(out, "%s\t%" PRIu64 "\n", kind_at(i)->name, n);
    }
    if (st == OCOP_OK)
        st = case_each(r, true, count_case, &counting, err);
    if (st == OCOP_OK)
        fprintf(out, "open cases\t%zu\n", counting.open);
    return st;
}

struct finding {
    const char *text;
    uint32_t kind;
    struct id id;
    size_t count;
};

static enum ocop_status match_record(void *self, const struct query_record *record,
                                     struct ocop_error *err)
{
    struct finding *f = self;
    const struct kind *k = kind_by_number(f->kind);
    bool same = text_equal(label_of(f->kind, &record->fields), span_str(f->text));
    (void)err;

    for (size_t i = 0; i < record->fields.count && !same; i++) {
        const struct field *v = &record->fields.v[i];
        const struct field_rule *rule = kind_field(k, v->number);
        same = rule && (rule->flags & FIELD_NATURAL) && v->op == FIELD_SET &&
               text_equal(v->bytes, span_str(f->text));
    }
    if (same) {
        f->id = record->id;
        f->count++;
    }
    return OCOP_OK;
}

enum ocop_status show_find(struct registry *r, uint32_t kind, const char *text, struct id *out,
                           struct ocop_error *err)
{
    struct finding f = {.text = text, .kind = kind};
    const char *name = kind_by_number(kind)->name;

    if (id_parse(text, out))
        return OCOP_OK;
    enum ocop_status st = query_records(r, kind, match_record, &f, err);
    if (st == OCOP_OK && f.count == 0)
        st = err_set(err, OCOP_ENOTFOUND,
                     "no %s has this id, number or name; `ocopd show %s` lists "
                     "them",
                     name, name);
    if (st == OCOP_OK && f.count > 1)
        st = err_set(err, OCOP_EINVAL, "%zu records of kind %s are called so; give the id", f.count,
                     name);
    *out = f.id;
    return st;
}

/* --- the log --- */

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
    char id[ID_TEXT_LEN + 1];

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
    for (size_t c = 0; i < n && c < rows[i].case_count; c++)
        fprintf(t->out, " [case %s]", id_text(rows[i].cases[c], id));
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

/* --- cases --- */

static const char *cause_name(enum case_cause cause)
{
    static const char *const names[] = {"?", "field", "void", "collision", "invalid"};

    return names[(unsigned)cause < sizeof names / sizeof *names ? cause : 0];
}

static const char *case_field(const struct case_row *c, char *out, size_t room)
{
    const struct kind *k = kind_by_number(c->kind);
    const struct field f = {.number = c->number, .key = c->key};

    return k && c->number ? field_path(k, &f, out, room) : "-";
}

static void case_json(FILE *out, const struct case_row *c)
{
    char id[ID_TEXT_LEN + 1], path[160];
    const struct kind *k = kind_by_number(c->kind);

    fprintf(out, "{\"id\":\"%s\"", id_text(c->id, id));
    fprintf(out, ",\"kind\":\"%s\",\"record\":\"%s\",\"cause\":\"%s\",\"field\":",
            k ? k->name : "unknown", id_text(c->record, id), cause_name(c->cause));
    show_json_text(out, span_str(case_field(c, path, sizeof path)));
    fprintf(out, ",\"openedVersion\":%" PRIu64 ",\"closedVersion\":%" PRIu64, c->opened_version,
            c->closed_version);
    fprintf(out,
            ",\"base\":%s,\"theirs\":%s,\"mine\":%s,\"resolution\":", c->base ? c->base : "null",
            c->theirs ? c->theirs : "null", c->mine ? c->mine : "null");
    if (c->resolution)
        show_json_text(out, span_str(c->resolution));
    else
        fputs("null", out);
    fputc('}', out);
}

static enum ocop_status list_case(void *self, const struct case_row *c, struct ocop_error *err)
{
    struct listing *l = self;
    const struct kind *k = kind_by_number(c->kind);
    char id[ID_TEXT_LEN + 1], path[160];

    if (l->form == SHOW_JSON) {
        fputs(l->count++ ? ",\n" : "", l->out);
        case_json(l->out, c);
        return OCOP_OK;
    }
    l->count++;
    fprintf(l->out, "%s\t%s\t%s\t", id_text(c->id, id),
            c->closed_version ? (c->resolution ? c->resolution : "closed") : "open",
            cause_name(c->cause));
    show_str(l->out, case_field(c, path, sizeof path));
    fprintf(l->out, "\t%s ", k ? k->name : "unknown");
    enum ocop_status st = show_label(l->r, c->kind, &c->record, l->out, err);
    fputc('\n', l->out);
    return st;
}

enum ocop_status show_cases(struct registry *r, bool all, bool json, FILE *out,
                            struct ocop_error *err)
{
    struct listing l = {r, 0, json ? SHOW_JSON : SHOW_LINES, out, 0};

    if (json)
        fputc('[', out);
    enum ocop_status st = case_each(r, !all, list_case, &l, err);
    if (json)
        fputs("]\n", out);
    else if (st == OCOP_OK && l.count == 0)
        fputs(all ? "there are no cases\n" : "there are no open cases\n", out);
    return st;
}

static enum ocop_status show_side(struct registry *r, const char *side, const char *value,
                                  const struct id *author, int64_t time_ms, const char *reason,
                                  FILE *out, struct ocop_error *err)
{
    fprintf(out, "%-8s", side);
    show_str(out, value ? value : "null");
    fputs("\n        by ", out);
    enum ocop_status st = show_label(r, KIND_OFFICER, author, out, err);
    fputs(", device ", out);
    show_moment(out, time_ms);
    fputc('\n', out);
    if (reason && reason[0]) {
        fputs("        reason: ", out);
        show_str(out, reason);
        fputc('\n', out);
    }
    return st;
}

enum ocop_status show_case(struct registry *r, const struct id *id, FILE *out,
                           struct ocop_error *err)
{
    struct case_row c;
    struct arena a;
    char text[ID_TEXT_LEN + 1], path[160];

    arena_init(&a, MIB(8));
    enum ocop_status st = case_load(r, id, &a, &c, err);
    if (st != OCOP_OK)
        goto out;
    const struct kind *k = kind_by_number(c.kind);
    fprintf(out, "case %s, %s\nrecord  %s ", id_text(c.id, text),
            c.closed_version ? (c.resolution ? c.resolution : "closed") : "open",
            k ? k->name : "unknown");
    st = show_label(r, c.kind, &c.record, out, err);
    fprintf(out, " (%s)\ncause   %s, ", id_text(c.record, text), cause_name(c.cause));
    show_str(out, case_field(&c, path, sizeof path));
    if (!id_is_zero(&c.other))
        fprintf(out, ", other record %s", id_text(c.other, text));
    fprintf(out, "\nopened  version %" PRIu64 ", ", c.opened_version);
    show_moment(out, c.opened_ms);
    fputs("\nbase    ", out);
    show_str(out, c.base ? c.base : "null");
    fputc('\n', out);
    if (st == OCOP_OK)
        st = show_side(r, "theirs", c.theirs, &c.theirs_author, c.theirs_time_ms, c.theirs_reason,
                       out, err);
    if (st == OCOP_OK)
        st = show_side(r, "mine", c.mine, &c.mine_author, c.mine_time_ms, c.mine_reason, out, err);
out:
    arena_fini(&a);
    return st;
}

/* --- devices --- */

static struct span text_field(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));

    return v && v->op == FIELD_SET ? v->bytes : span_of(NULL, 0);
}

static enum ocop_status show_scope(struct registry *r, const struct fields *f, FILE *out,
                                   struct ocop_error *err)
{
    struct arena a;
    enum ocop_status st = OCOP_OK;
    bool first = true;

    arena_init(&a, MIB(4));
    for (size_t i = 0; i < f->count && st == OCOP_OK; i++) {
        struct id unit;
        struct fields u;
        struct row_meta meta;
        if (f->v[i].number != 15 || f->v[i].op != FIELD_SET || !id_from(f->v[i].key, &unit))
            continue;
        st = row_load(r->rows, KIND_UNIT, &unit, &a, &u, &meta, err);
        if (st == OCOP_OK) {
            fputs(first ? "" : ",", out);
            show_text(out, text_field(&u, 10));
            first = false;
        } else if (st == OCOP_ENOTFOUND) {
            st = OCOP_OK;
        }
        arena_reset(&a);
    }
    if (first)
        fputc('-', out);
    arena_fini(&a);
    return st;
}

static enum ocop_status device_json(struct listing *l, const struct query_record *d,
                                    const struct query_contact *contact, struct ocop_error *err)
{
    struct buf b;

    buf_init(&b, MIB(2));
    enum ocop_status st =
        json_from_fields(kind_by_number(KIND_REPLICA), &d->id, &d->fields, false, &b, err);
    if (st == OCOP_OK) {
        fprintf(l->out, "%s{\"replica\":%s,\"heard\":%s", l->count > 1 ? ",\n" : "", buf_cstr(&b),
                contact->known ? "true" : "false");
        fprintf(l->out, ",\"lastMs\":%" PRId64 ",\"skewMs\":%" PRId64, contact->last_ms,
                contact->skew_ms);
        fprintf(l->out, ",\"waiting\":%u,\"refused\":%u}", contact->waiting, contact->refused);
    }
    buf_fini(&b);
    return st;
}

static enum ocop_status list_device(void *self, const struct query_record *d,
                                    struct ocop_error *err)
{
    struct listing *l = self;
    const struct field *number = fields_find(&d->fields, 11, span_of(NULL, 0));
    struct query_contact contact;
    struct id officer = {{0}};
    char id[ID_TEXT_LEN + 1];

    if (!span_eq(text_field(&d->fields, 10), span_str("device")))
        return OCOP_OK;
    enum ocop_status st = query_contact(l->r, &d->id, &contact, err);
    if (st != OCOP_OK)
        return st;
    l->count++;
    if (l->form == SHOW_JSON)
        return device_json(l, d, &contact, err);
    fprintf(l->out, "%" PRId64 "\t%s\t", number ? number->i : 0, id_text(d->id, id));
    if (!id_from(text_field(&d->fields, FIELD_OFFICER), &officer))
        memset(&officer, 0, sizeof officer);
    st = show_label(l->r, KIND_OFFICER, &officer, l->out, err);
    fputc('\t', l->out);
    if (st == OCOP_OK)
        st = show_scope(l->r, &d->fields, l->out, err);
    fputc('\t', l->out);
    show_text(l->out, text_field(&d->fields, 16));
    fputc('\t', l->out);
    show_moment(l->out, contact.last_ms);
    fprintf(l->out, "\t%+" PRId64 " s\t%u\t%u\n", contact.skew_ms / 1000, contact.waiting,
            contact.refused);
    return st;
}

enum ocop_status show_devices(struct registry *r, bool json, FILE *out, struct ocop_error *err)
{
    struct listing l = {r, KIND_REPLICA, json ? SHOW_JSON : SHOW_LINES, out, 0};

    fputs(json ? "["
               : "number\treplica\tofficer\tscope\tstate\tlast heard\tskew\twaiting\trefused\n",
          out);
    enum ocop_status st = query_records(r, KIND_REPLICA, list_device, &l, err);
    if (json)
        fputs("]\n", out);
    return st;
}
