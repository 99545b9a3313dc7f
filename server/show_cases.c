/* Cases as lines and as JSON, and one case with both sides. */
#include "bounds.h"
#include "show.h"
#include <inttypes.h>

const char *show_cause(enum case_cause cause)
{
    static const char *const names[] = {"?", "field", "void", "collision", "invalid"};

    return names[(unsigned)cause < sizeof names / sizeof *names ? cause : 0];
}

const char *show_case_field(const struct case_row *c, char *out, size_t room)
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
            k ? k->name : "unknown", id_text(c->record, id), show_cause(c->cause));
    show_json_text(out, span_str(show_case_field(c, path, sizeof path)));
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
            show_cause(c->cause));
    show_str(l->out, show_case_field(c, path, sizeof path));
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
    fprintf(out, " (%s)\ncause   %s, ", id_text(c.record, text), show_cause(c.cause));
    show_str(out, show_case_field(&c, path, sizeof path));
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
