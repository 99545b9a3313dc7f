/* Devices as lines and as JSON. */
#include "bounds.h"
#include "json.h"
#include "query.h"
#include "show.h"
#include <inttypes.h>

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
        fprintf(l->out, "%s{\"replica\":", l->count > 1 ? ",\n" : "");
        show_json(l->out, &b);
        fprintf(l->out, ",\"heard\":%s", contact->known ? "true" : "false");
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
