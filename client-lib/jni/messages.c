/* The structs of ocop.h as messages of border.proto: field by field, and nothing else. */
#include "messages.h"

#include <string.h>

/* protobuf-c has no const fields; packing changes nothing. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)(s ? s : "");
}

static ProtobufCBinaryData bytes(const void *p, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)p};
}

static ProtobufCBinaryData id_bytes(const struct ocop_id *id)
{
    return bytes(id->b, sizeof id->b);
}

/* --- from Java ------------------------------------------------------------------------------- */

static const struct ocop_id *id_of(struct border *b, bool there, const ProtobufCBinaryData *bin,
                                   struct ocop_id *out)
{
    if (!there)
        return NULL;
    if (bin->len != sizeof out->b) {
        border_fail(b, OCOP_EINVAL, "an id has 16 bytes");
        return NULL;
    }
    memcpy(out->b, bin->data, sizeof out->b);
    return out;
}

void query_of(struct border *b, const Ocop__Field__Query *m, struct ocop_query *out,
              struct ocop_id ids[3])
{
    memset(out, 0, sizeof *out);
    if (!m)
        return;
    out->kind = m->kind;
    out->unit = id_of(b, m->has_unit, &m->unit, &ids[0]);
    out->product = id_of(b, m->has_product, &m->product, &ids[1]);
    out->producer = id_of(b, m->has_producer, &m->producer, &ids[2]);
    out->from_date = m->from_date;
    out->to_date = m->to_date;
    out->state = m->has_state ? (int)m->state : 0;
    out->text = m->text;
    out->voided_too = m->voided_too;
    out->limit = m->limit;
    out->offset = m->offset;
}

struct ocop_attachment attachment_of(const Ocop__Field__Attachment *m)
{
    struct ocop_attachment a = {.fd = -1};

    if (!m)
        return a;
    a.path = m->path;
    a.bytes = m->has_bytes ? m->bytes.data : NULL;
    a.len = m->bytes.len;
    a.fd = m->has_fd ? m->fd : -1;
    a.has_part = m->has_part_at && m->has_part_len;
    a.part_at = m->part_at;
    a.part_len = m->part_len;
    a.name = m->name;
    a.role = m->role;
    a.media_type = m->media_type;
    a.caption = m->caption;
    a.taken_ms = m->taken_ms;
    a.has_place = m->has_lat_e6 && m->has_lon_e6;
    a.lat_e6 = m->lat_e6;
    a.lon_e6 = m->lon_e6;
    return a;
}

/* *out is left without points when something is missing. */
static void stroke_of(struct border *b, const Ocop__Field__Stroke *m, struct ocop_stroke *out)
{
    struct ocop_point *p;

    if (m->n_y != m->n_x || m->n_t_ms != m->n_x) {
        border_fail(b, OCOP_EINVAL, "a stroke has as many x as y and times");
        return;
    }
    p = border_room(b, m->n_x, sizeof *p);
    for (size_t i = 0; p && i < m->n_x; i++)
        p[i] = (struct ocop_point){m->x[i] > INT32_MAX ? -1 : (int32_t)m->x[i],
                                   m->y[i] > INT32_MAX ? -1 : (int32_t)m->y[i], m->t_ms[i]};
    if (p)
        *out = (struct ocop_stroke){p, m->n_x};
}

struct ocop_strokes strokes_of(struct border *b, const Ocop__Field__Strokes *m)
{
    struct ocop_stroke *v = m ? border_room(b, m->n_strokes, sizeof *v) : NULL;

    if (!v)
        return (struct ocop_strokes){NULL, 0};
    for (size_t i = 0; i < m->n_strokes; i++) {
        v[i] = (struct ocop_stroke){NULL, 0};
        stroke_of(b, m->strokes[i], &v[i]);
    }
    return (struct ocop_strokes){v, m->n_strokes};
}

struct ocop_sync_options sync_options_of(struct border *b, const Ocop__Field__SyncOptions *m,
                                         struct ocop_id *files_of)
{
    struct ocop_sync_options o = {0};

    if (!m)
        return o;
    o.connect_timeout_ms = m->connect_timeout_ms;
    o.exchange_timeout_ms = m->exchange_timeout_ms;
    o.max_round_trips = m->max_round_trips;
    o.patience_ms = m->patience_ms;
    o.send_only = m->send_only;
    o.files = (enum ocop_files_policy)m->files;
    o.metered = m->metered;
    o.file_bytes_max = m->file_bytes_max;
    o.files_bytes_max = m->files_bytes_max;
    o.files_of = id_of(b, m->has_files_of, &m->files_of, files_of);
    return o;
}

/* --- to Java --------------------------------------------------------------------------------- */

Ocop__Field__SyncSummary summary_message(const struct ocop_sync_summary *s)
{
    Ocop__Field__SyncSummary m = OCOP__FIELD__SYNC_SUMMARY__INIT;

    m.round_trips = s->round_trips;
    m.bytes_sent = s->bytes_sent;
    m.bytes_received = s->bytes_received;
    m.pushed = s->pushed;
    m.applied = s->applied;
    m.equal = s->equal;
    m.waiting = s->waiting;
    m.refused = s->refused;
    m.in_case = s->in_case;
    m.pulled = s->pulled;
    m.departed = s->departed;
    m.left = s->left;
    m.complete = s->complete;
    m.retry_after_ms = s->retry_after_ms;
    m.busy = s->busy;
    m.forked = s->forked;
    m.files_sent = s->files_sent;
    m.files_received = s->files_received;
    m.files_left = s->files_left;
    m.thumbnails_received = s->thumbnails_received;
    return m;
}

Ocop__Field__FileLimits file_limits_message(const struct ocop_file_limits *l)
{
    Ocop__Field__FileLimits m = OCOP__FIELD__FILE_LIMITS__INIT;

    m.file_bytes = l->file_bytes;
    m.record_bytes = l->record_bytes;
    m.store_bytes = l->store_bytes;
    return m;
}

Ocop__Field__ImageSettings image_settings_message(const struct ocop_image_settings *how)
{
    Ocop__Field__ImageSettings m = OCOP__FIELD__IMAGE_SETTINGS__INIT;

    m.side_max = how->side_max;
    m.quality = how->quality;
    m.strip = how->strip;
    m.keep_original = how->keep_original;
    return m;
}

Ocop__Field__StoreStatus store_status_message(const struct ocop_store_status *s)
{
    Ocop__Field__StoreStatus m = OCOP__FIELD__STORE_STATUS__INIT;

    m.enrolled = s->enrolled;
    m.encrypted = s->encrypted;
    m.forked = s->forked;
    m.revoked = s->revoked;
    m.device_number = s->device_number;
    m.replica = id_bytes(&s->replica);
    m.officer = id_bytes(&s->officer);
    m.officer_name = text(s->officer_name);
    m.server = text(s->server);
    m.drafts = s->drafts;
    m.waiting = s->waiting;
    m.refused = s->refused;
    m.cases = s->cases;
    m.records = s->records;
    m.version = s->version;
    m.last_sync_ms = s->last_sync_ms;
    m.skew_ms = s->skew_ms;
    m.suspended = s->suspended;
    m.certified = s->certified;
    m.certificate_until_ms = s->certificate_until_ms;
    m.keys_made_ms = s->keys_made_ms;
    m.rekeying = s->rekeying;
    m.wiped = s->wiped;
    m.files_waiting = s->files_waiting;
    m.files_waiting_bytes = s->files_waiting_bytes;
    m.state_text = text(s->state_text);
    return m;
}

Ocop__Field__Evidence evidence_message(const struct ocop_evidence *e, const char *story)
{
    Ocop__Field__Evidence m = OCOP__FIELD__EVIDENCE__INIT;

    m.holds = e->holds;
    m.root_key_known = e->root_key_known;
    m.root_key = bytes(e->root_key, sizeof e->root_key);
    m.record = id_bytes(&e->record);
    m.made_ms = e->made_ms;
    m.head_version = e->head_version;
    m.changes = e->changes;
    m.cases = e->cases;
    m.signatures = e->signatures;
    m.links = e->links;
    m.findings = e->findings;
    m.files = e->files;
    m.files_whole = e->files_whole;
    m.files_damaged = e->files_damaged;
    m.files_cut = e->files_cut;
    m.story = text(story);
    return m;
}

static Ocop__Field__Item item_message(const struct ocop_item *i)
{
    Ocop__Field__Item m = OCOP__FIELD__ITEM__INIT;

    m.id = id_bytes(&i->id);
    m.kind = text(i->kind);
    m.state = (Ocop__Field__RecordState)i->state;
    m.voided = i->voided;
    m.day = text(i->day);
    m.label = text(i->label);
    m.unit_name = text(i->unit_name);
    return m;
}

static Ocop__Field__Case case_message(const struct ocop_case *c)
{
    Ocop__Field__Case m = OCOP__FIELD__CASE__INIT;

    m.id = id_bytes(&c->id);
    m.field = text(c->field);
    m.before = text(c->base);
    m.theirs = text(c->theirs);
    m.mine = text(c->mine);
    m.closed = c->closed;
    m.resolution = text(c->resolution);
    return m;
}

jbyteArray list_out(struct border *b, const struct ocop_list *list)
{
    Ocop__Field__ItemList m = OCOP__FIELD__ITEM_LIST__INIT;
    Ocop__Field__Item *items;

    if (b->st)
        return NULL;
    items = border_room(b, list->count, sizeof *items);
    m.items = border_room(b, list->count, sizeof *m.items);
    if (b->st)
        return NULL;
    for (size_t i = 0; i < list->count; i++) {
        items[i] = item_message(&list->items[i]);
        m.items[i] = &items[i];
    }
    m.n_items = list->count;
    m.more = list->more;
    return border_message_out(b, &m.base);
}

static Ocop__Field__FileItem file_message(const struct ocop_file *f)
{
    Ocop__Field__FileItem m = OCOP__FIELD__FILE_ITEM__INIT;

    m.id = id_bytes(&f->id);
    m.record = id_bytes(&f->record);
    m.role = text(f->role);
    m.caption = text(f->caption);
    m.media_type = text(f->media_type);
    m.name = text(f->name);
    m.size = f->size;
    m.hash = bytes(f->hash, sizeof f->hash);
    m.state = (Ocop__Field__FileState)f->state;
    m.here = f->here;
    m.done = f->done;
    m.tried_ms = f->tried_ms;
    m.text = text(f->text);
    return m;
}

jbyteArray files_out(struct border *b, const struct ocop_file_list *list)
{
    Ocop__Field__FileList m = OCOP__FIELD__FILE_LIST__INIT;
    Ocop__Field__FileItem *files;

    if (b->st)
        return NULL;
    files = border_room(b, list->count, sizeof *files);
    m.files = border_room(b, list->count, sizeof *m.files);
    if (b->st)
        return NULL;
    for (size_t i = 0; i < list->count; i++) {
        files[i] = file_message(&list->files[i]);
        m.files[i] = &files[i];
    }
    m.n_files = list->count;
    m.more = list->more;
    return border_message_out(b, &m.base);
}

jbyteArray record_status_out(struct border *b, const struct ocop_record_status *s)
{
    Ocop__Field__RecordStatus m = OCOP__FIELD__RECORD_STATUS__INIT;
    Ocop__Field__Case *cases;

    if (b->st)
        return NULL;
    cases = border_room(b, s->case_count, sizeof *cases);
    m.cases = border_room(b, s->case_count, sizeof *m.cases);
    if (b->st)
        return NULL;
    for (size_t i = 0; i < s->case_count; i++) {
        cases[i] = case_message(&s->cases[i]);
        m.cases[i] = &cases[i];
    }
    m.n_cases = s->case_count;
    m.id = id_bytes(&s->id);
    m.kind = text(s->kind);
    m.state = (Ocop__Field__RecordState)s->state;
    m.has_draft = s->has_draft;
    m.version = s->version;
    m.waiting = s->waiting;
    m.reason = text(s->reason);
    m.reason_field = text(s->reason_field);
    return border_message_out(b, &m.base);
}
