/* Records as text for people, as JSON and as CSV. Everything that others typed goes through
 * show_text: a name must not be able to move the cursor or turn the line around. Writes nothing. */
#include "show.h"

#include <inttypes.h>
#include <unistd.h>

#include "bounds.h"
#include "csvfile.h"
#include "json.h"
#include "query.h"
#include "shown.h"
#include "text.h"

static void show(FILE *out, void (*make)(struct buf *, struct span), struct span text)
{
    struct buf b;

    buf_init(&b, SIZE_MAX / 2);
    make(&b, text);
    if (b.failed)
        fputs("(out of memory)", out);
    else if (b.len)
        fwrite(b.p, 1, b.len, out);
    buf_fini(&b);
}

void show_text(FILE *out, struct span text)
{
    show(out, shown_text, text);
}

void show_json_text(FILE *out, struct span text)
{
    show(out, shown_json, text);
}

void show_json(FILE *out, const struct buf *json)
{
    show(out, shown_json_value, buf_span(json));
}

void show_str(FILE *out, const char *s)
{
    show_text(out, span_str(s ? s : ""));
}

/* "05/08/2026 14:03", or a dash. */
void show_moment(FILE *out, int64_t ms)
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
            show_json(out, &b), fputc('\n', out);
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

/* A program gets what is there; a person at a terminal is protected. */
static void show_line(FILE *out, struct buf *line)
{
    if (isatty(fileno(out)))
        show_text(out, buf_span(line));
    else
        fputs(buf_cstr(line), out);
    fputc('\n', out);
}

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
        show_line(l->out, &line);
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
        fputs(l->count > 1 ? ",\n" : "", l->out), show_json(l->out, &b);
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
