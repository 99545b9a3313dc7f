/* Devices as lines and as JSON. */
#include "bounds.h"
#include "json.h"
#include "query.h"
#include "rekey.h"
#include "show.h"
#include <inttypes.h>
#include <stdlib.h>

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

/* The officer's name as a JSON string, or null. */
static enum ocop_status show_officer_json(struct registry *r, const struct id *officer, FILE *out,
                                          struct ocop_error *err)
{
    struct arena a;
    struct fields f;
    struct row_meta meta;

    arena_init(&a, MIB(4));
    enum ocop_status st = row_load(r->rows, KIND_OFFICER, officer, &a, &f, &meta, err);
    if (st == OCOP_OK)
        show_json_text(out, text_field(&f, 10));
    else if (st == OCOP_ENOTFOUND)
        fputs("null", out);
    arena_fini(&a);
    return st == OCOP_ENOTFOUND ? OCOP_OK : st;
}

struct devices {
    struct listing l;
    int64_t heard_before_ms; /* only those; INT64_MAX: all */
};

/* "0.1.0"; a dash for one that did not say. */
static void show_program(FILE *out, uint32_t program)
{
    if (program)
        fprintf(out, "%u.%u.%u", program >> 16, program >> 8 & 255, program & 255);
    else
        fputc('-', out);
}

static enum ocop_status device_json(struct listing *l, const struct query_record *d,
                                    const struct query_contact *c, struct ocop_error *err)
{
    struct id officer = {{0}};
    struct buf b;

    buf_init(&b, MIB(2));
    enum ocop_status st =
        json_from_fields(kind_by_number(KIND_REPLICA), &d->id, &d->fields, false, &b, err);
    if (st == OCOP_OK) {
        fprintf(l->out, "%s{\"replica\":", l->count > 1 ? ",\n" : "");
        show_json(l->out, &b);
        fprintf(l->out, ",\"heard\":%s", c->known ? "true" : "false");
    }
    if (st == OCOP_OK && id_from(text_field(&d->fields, FIELD_OFFICER), &officer)) {
        fputs(",\"officerName\":", l->out);
        st = show_officer_json(l->r, &officer, l->out, err);
    }
    if (st == OCOP_OK) {
        fprintf(l->out, ",\"lastMs\":%" PRId64 ",\"skewMs\":%" PRId64, c->last_ms, c->skew_ms);
        fprintf(l->out, ",\"invitationTried\":%" PRIu64, c->tried);
        fprintf(l->out, ",\"waiting\":%u,\"refused\":%" PRIu64 ",\"aside\":%" PRIu64, c->waiting,
                c->refused, c->aside);
        fputs(",\"program\":\"", l->out);
        show_program(l->out, c->program);
        fprintf(l->out, "\",\"schema\":%u,\"keysMadeMs\":%" PRId64 ",\"keysWanted\":%s}", c->schema,
                keys_made_ms(&d->fields), keys_wanted(&d->fields) ? "true" : "false");
    }
    buf_fini(&b);
    return st;
}

static enum ocop_status device_line(struct listing *l, const struct query_record *d,
                                    const struct query_contact *c, struct ocop_error *err)
{
    const struct field *number = fields_find(&d->fields, 11, span_of(NULL, 0));
    struct id officer = {{0}};
    char id[ID_TEXT_LEN + 1];

    fprintf(l->out, "%" PRId64 "\t%s\t", number ? number->i : 0, id_text(d->id, id));
    if (!id_from(text_field(&d->fields, FIELD_OFFICER), &officer))
        memset(&officer, 0, sizeof officer);
    enum ocop_status st = show_label(l->r, KIND_OFFICER, &officer, l->out, err);
    fputc('\t', l->out);
    if (st == OCOP_OK)
        st = show_scope(l->r, &d->fields, l->out, err);
    fputc('\t', l->out);
    show_text(l->out, text_field(&d->fields, 16));
    fputc('\t', l->out);
    show_moment(l->out, c->last_ms);
    fprintf(l->out, "\t%+" PRId64 " s\t%u\t%" PRIu64 "\t%" PRIu64 "\t", c->skew_ms / 1000,
            c->waiting, c->refused, c->aside);
    show_program(l->out, c->program);
    fprintf(l->out, "\t%u\t", c->schema);
    show_moment(l->out, keys_made_ms(&d->fields));
    fputs(keys_wanted(&d->fields) ? " (new ones are asked for)\t" : "\t", l->out);
    show_text(l->out, text_field(&d->fields, 12));
    if (c->tried)
        fprintf(l->out, "\tits invitation was tried by others: %" PRIu64, c->tried);
    fputc('\n', l->out);
    return st;
}

static enum ocop_status list_device(void *self, const struct query_record *d,
                                    struct ocop_error *err)
{
    struct devices *all = self;
    const struct field *enrolled = fields_find(&d->fields, FIELD_RECORDED_MS, span_of(NULL, 0));
    struct query_contact contact;

    if (!span_eq(text_field(&d->fields, 10), span_str("device")))
        return OCOP_OK;
    enum ocop_status st = query_contact(all->l.r, &d->id, &contact, err);
    if (st != OCOP_OK)
        return st;
    if ((contact.known ? contact.last_ms : enrolled ? enrolled->i : 0) >= all->heard_before_ms)
        return OCOP_OK;
    all->l.count++;
    return all->l.form == SHOW_JSON ? device_json(&all->l, d, &contact, err)
                                    : device_line(&all->l, d, &contact, err);
}

enum ocop_status show_devices(struct registry *r, bool json, int64_t heard_before_ms, FILE *out,
                              struct ocop_error *err)
{
    struct devices all = {{r, KIND_REPLICA, json ? SHOW_JSON : SHOW_LINES, out, 0},
                          heard_before_ms};

    fputs(
        json ? "["
             : "number\treplica\tofficer\tscope\tstate\tlast heard\tskew\twaiting\trefused\taside\t"
               "program\tschema\tkeys made\tname\n",
        out);
    enum ocop_status st = query_records(r, KIND_REPLICA, list_device, &all, err);
    if (json)
        fputs("]\n", out);
    return st;
}

/* --- invitations --------------------------------------------------------------------------------
 */

struct invitations {
    struct registry *r;
    bool json;
    FILE *out;
    int64_t now;
    size_t count;
};

static const char *invitation_state(const struct query_invitation *v, int64_t now)
{
    return !id_is_zero(&v->replica) ? "used"
           : v->revoked_ms          ? "taken back"
           : v->expires_ms < now    ? "expired"
                                    : "open";
}

static enum ocop_status units_text(struct registry *r, const struct query_invitation *v, FILE *out,
                                   struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (size_t i = 0; i < v->scope_count && st == OCOP_OK; i++) {
        if (i)
            fputc(',', out);
        st = show_label(r, KIND_UNIT, &v->scope[i], out, err);
    }
    return st;
}

static enum ocop_status invitation_json(struct invitations *l, const struct query_invitation *v,
                                        struct ocop_error *err)
{
    char replica[ID_TEXT_LEN + 1];

    fprintf(l->out, "%s{\"id\":\"%s\",\"state\":\"%s\",\"officerName\":", l->count > 1 ? ",\n" : "",
            v->id, invitation_state(v, l->now));
    enum ocop_status st = show_officer_json(l->r, &v->officer, l->out, err);
    fprintf(l->out, ",\"madeMs\":%" PRId64 ",\"expiresMs\":%" PRId64 ",\"usedMs\":%" PRId64,
            v->made_ms, v->expires_ms, v->used_ms);
    fprintf(l->out, ",\"refused\":%" PRIu64 ",\"refusedMs\":%" PRId64 ",\"replica\":", v->refused,
            v->refused_ms);
    if (id_is_zero(&v->replica))
        fputs("null}", l->out);
    else
        fprintf(l->out, "\"%s\"}", id_text(v->replica, replica));
    return st;
}

static enum ocop_status list_invitation(void *self, const struct query_invitation *v,
                                        struct ocop_error *err)
{
    struct invitations *l = self;

    l->count++;
    if (l->json)
        return invitation_json(l, v, err);
    fprintf(l->out, "%s\t", v->id);
    enum ocop_status st = show_label(l->r, KIND_OFFICER, &v->officer, l->out, err);
    fputc('\t', l->out);
    if (st == OCOP_OK)
        st = units_text(l->r, v, l->out, err);
    fputc('\t', l->out);
    show_moment(l->out, v->made_ms);
    fputc('\t', l->out);
    show_moment(l->out, v->expires_ms);
    fprintf(l->out, "\t%s\t", invitation_state(v, l->now));
    show_moment(l->out, v->used_ms);
    fprintf(l->out, "\t%" PRIu64 "\t", v->refused);
    show_moment(l->out, v->refused_ms);
    fputc('\n', l->out);
    return st;
}

/* "COUNT MOMENT", as exchange.c notes it. */
static enum ocop_status show_guesses(struct invitations *l, struct ocop_error *err)
{
    struct arena a;
    struct span text;
    char *end;

    arena_init(&a, KIB(1));
    enum ocop_status st = registry_meta_get(l->r, "guesses", &a, &text, err);
    const char *copy = st == OCOP_OK ? arena_dup(&a, text.p, text.len) : "0 0";
    const uint64_t count = strtoull(copy ? copy : "0", &end, 10);
    const int64_t last = strtoll(copy ? end : "0", NULL, 10);
    if (l->json) {
        fprintf(l->out, "],\n\"unknownTried\":%" PRIu64 ",\"unknownTriedMs\":%" PRId64 "}\n", count,
                last);
    } else if (count) {
        fprintf(l->out, "codes that were never made were tried %" PRIu64 " times, last at ", count);
        show_moment(l->out, last);
        fputc('\n', l->out);
    }
    arena_fini(&a);
    return st == OCOP_ENOTFOUND ? OCOP_OK : st;
}

enum ocop_status show_invitations(struct registry *r, bool json, FILE *out, struct ocop_error *err)
{
    struct invitations l = {r, json, out, env_now_ms(r->env), 0};

    fputs(json ? "{\"invitations\":["
               : "id\tofficer\tunits\tmade\texpires\tstate\tused\trefused\tlast refused\n",
          out);
    enum ocop_status st = query_invitations(r, list_invitation, &l, err);
    return st == OCOP_OK ? show_guesses(&l, err) : st;
}
