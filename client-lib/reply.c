/* Taking a reply, inside one transaction: outcomes settle what waits, records go under the pending
 * changes, and the cursor moves with them. Knows no SQL, no link and no request. */
#include "columns.h"
#include "device_keys.h"
#include "rights.h"
#include "taking.h"

bool taking_id(const ProtobufCBinaryData *b, struct id *out)
{
    return id_from(span_of(b->data, b->len), out);
}

const char *taking_text(const char *s)
{
    return s ? s : "";
}

enum ocop_status taking_malformed(const char *what, struct ocop_error *err)
{
    return err_set(err, OCOP_EPROTO, "the server's reply is malformed: %s; update this program",
                   what);
}

/* --- cases ----------------------------------------------------------------------------------- */

/* `again`: those whose record left with this reply, and came with it too, itself or as the other of
 * two: what stays when its unit goes comes anew. */
static enum ocop_status take_cases(struct taking *t, bool again, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (size_t i = 0; !st && i < t->reply->n_cases; i++) {
        const Ocop__Sync__CaseNote *n = t->reply->cases[i];
        struct case_row row = {.kind = n->kind, .cause = n->cause};
        if (!taking_id(&n->id, &row.id) || !taking_id(&n->record, &row.record) ||
            (n->has_other && n->other.len && !taking_id(&n->other, &row.other)))
            return taking_malformed("a case", err);
        if (again) {
            bool here = false;
            st = store_record_exists(t->s, row.kind, &row.record, &here, err);
            if (!st && !here && !id_is_zero(&row.other))
                st = store_record_exists(t->s, row.kind, &row.other, &here, err);
            if (st || !here)
                continue;
        }
        row.field = taking_text(n->field);
        row.base = taking_text(n->base_value);
        row.theirs = taking_text(n->theirs);
        row.mine = taking_text(n->mine);
        row.resolution = n->closed ? taking_text(n->resolution) : NULL;
        st = store_case_put(t->s, &row, err);
        t->result->progress = true;
    }
    return st;
}

static bool noted(const struct taking *t, const struct id *id)
{
    for (size_t i = 0; i < t->reply->n_cases; i++) {
        struct id of;
        if (taking_id(&t->reply->cases[i]->id, &of) && id_eq(&of, id))
            return true;
    }
    return false;
}

/* With a whole record come all its open cases: one that is not among them was closed while this
 * device was not told. How is not known here. */
static enum ocop_status close_others(struct taking *t, const struct id *record,
                                     struct ocop_error *err)
{
    struct case_row *rows;
    size_t count;
    enum ocop_status st;

    if (!t->cases)
        return OCOP_OK;
    st = store_cases_of(t->s, record, &t->work, &rows, &count, err);
    for (size_t i = 0; !st && i < count; i++) {
        if (rows[i].resolution || noted(t, &rows[i].id))
            continue;
        rows[i].resolution = "";
        st = store_case_put(t->s, &rows[i], err);
    }
    return st;
}

/* --- records --------------------------------------------------------------------------------- */

/* The server sent a part of a record that is not here: only reading from the start helps. */
static enum ocop_status lacking(struct taking *t, struct ocop_error *err)
{
    struct span cursor;
    enum ocop_status st = store_meta(t->s, "cursor", t->arena, &cursor, err);

    if (!st && cursor.len == 0)
        return taking_malformed("a part of a record that this store never had", err);
    t->reset = t->result->again = true;
    return st;
}

static enum ocop_status note_merged(struct taking *t, const struct id *record,
                                    const struct fields *from, const struct fields *to,
                                    struct ocop_error *err)
{
    struct fields diff;
    uint64_t version;
    bool own, merged;
    enum ocop_status st = store_own(t->s, record, &own, &merged, &version, err);

    if (st || !own || merged)
        return st;
    st = fields_diff(from, to, 0, &t->work, &diff, err);
    return st || diff.count == 0 ? st : store_own_merged(t->s, record, err);
}

/* A record with changes of this device over it: the registry's state goes under them. */
static enum ocop_status take_under(struct taking *t, const struct change *c, uint64_t version,
                                   struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    struct fields base, next = c->fields;
    uint64_t old;
    bool found;
    enum ocop_status st = store_base(s, &c->record, &t->work, &found, &base, &old, err);

    if (!st && c->verb == VERB_DELTA && !found)
        return lacking(t, err);
    if (!st && c->verb == VERB_DELTA)
        st = fields_apply(&base, &c->fields, version, false, &t->work, &next, err);
    if (!st && found)
        st = note_merged(t, &c->record, &base, &next, err);
    if (!st)
        st = store_base_depart(s, &c->record, false, err);
    if (!st)
        st = store_base_put(s, c->kind, &c->record, &next, version, err);
    return st ? st : pending_show(s, c->kind, &c->record, &t->work, err);
}

static enum ocop_status take_over(struct taking *t, struct change *c, uint64_t version,
                                  struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    struct fields old, next = c->fields;
    uint64_t own_version, old_version;
    bool own = false, merged, there = true;
    enum ocop_status st =
        t->owns ? store_own(s, &c->record, &own, &merged, &own_version, err) : OCOP_OK;

    if (!st && !own && c->verb == VERB_STATE) /* by far the most: a record of others, as a whole */
        return store_record_put(s, c->kind, &c->record, &c->fields, version, err);
    if (!st)
        st = store_record_exists(s, c->kind, &c->record, &there, err);
    if (!st && !there)
        return c->verb == VERB_DELTA
                   ? lacking(t, err)
                   : store_record_put(s, c->kind, &c->record, &c->fields, version, err);
    if (!st)
        st = store_record(s, c->kind, &c->record, &t->work, &old, &old_version, err);
    if (!st && c->verb == VERB_DELTA)
        st = fields_apply(&old, &c->fields, version, false, &t->work, &next, err);
    if (!st)
        st = note_merged(t, &c->record, &old, &next, err);
    return st ? st : store_record_put(s, c->kind, &c->record, &next, version, err);
}

static enum ocop_status take_stub(struct taking *t, const struct change *c, struct ocop_error *err)
{
    const struct kind *k = kind_by_number(c->kind);
    struct span label = {NULL, 0};

    for (size_t i = 0; k && i < c->fields.count && label.len == 0; i++) {
        const struct field_rule *r = kind_field(k, c->fields.v[i].number);
        if (r && (r->flags & FIELD_LABEL) && c->fields.v[i].type == VALUE_BYTES)
            label = c->fields.v[i].bytes;
    }
    return store_stub_put(t->s, c->kind, &c->record, label, err);
}

/* A page holds what stands: markers of removed elements mean nothing here. */
static void drop_markers(struct fields *f)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->count; i++)
        if (f->v[i].op != FIELD_CLEAR)
            f->v[kept++] = f->v[i];
    f->count = kept;
}

/* The registry has its content no more: whoever attached it anew has to send it. */
static enum ocop_status take_removal(struct taking *t, const struct change *c,
                                     struct ocop_error *err)
{
    const struct field *f = fields_find(&c->fields, ATTACHMENT_REMOVED_MS, span_of(NULL, 0));

    return f && f->op == FIELD_SET ? store_file_removed(t->s, &c->record, err) : OCOP_OK;
}

static enum ocop_status take_record(struct taking *t, struct change *c, uint64_t version,
                                    struct ocop_error *err)
{
    bool pending = false;
    enum ocop_status st = OCOP_OK;

    if (c->kind == 0 || id_is_zero(&c->record))
        return taking_malformed("a record without a name", err);
    if (c->verb == VERB_STUB)
        return take_stub(t, c, err);
    if (c->verb != VERB_STATE && c->verb != VERB_DELTA)
        return taking_malformed("a record that is neither whole nor a part", err);
    arena_reset(&t->work);
    if (c->verb == VERB_STATE) {
        drop_markers(&c->fields);
        st = close_others(t, &c->record, err);
    }
    if (!st && t->rereading)
        st = store_unseen_met(t->s, &c->record, err);
    if (!st && t->pending)
        st = store_outbox_has(t->s, &c->record, &pending, err);
    t->sum->pulled++;
    if (!st)
        st = pending ? take_under(t, c, version, err) : take_over(t, c, version, err);
    if (!st && c->kind == KIND_ATTACHMENT)
        st = take_removal(t, c, err);
    if (!st && c->kind == KIND_ATTACHMENT)
        st = store_thumbnail_again_of(t->s, &c->record, err);
    return st;
}

static enum ocop_status take_records(struct taking *t, struct ocop_error *err)
{
    const Ocop__Sync__SyncReply *r = t->reply;
    struct changes page;
    uint64_t version = 0, run = 0;
    size_t at = 0;
    enum ocop_status st;

    if (!r->records)
        return OCOP_OK;
    st = columns_decode(r->records, t->arena, &page, err);
    if (!st && page.count > PAGE_RECORDS_MAX * 2)
        return taking_malformed("a page of too many records", err);
    store_search_expect(t->s, st ? 0 : page.count);
    for (size_t i = 0; !st && i < page.count; i++) {
        while (run == 0) {
            if (r->n_versions - at < 2)
                return taking_malformed("records without versions", err);
            version += r->versions[at];
            run = r->versions[at + 1];
            at += 2;
            if (version > INT64_MAX)
                return taking_malformed("a version beyond all", err);
        }
        run--;
        st = take_record(t, &page.v[i], version, err);
        t->result->progress = true;
    }
    return st;
}

/* --- departures ------------------------------------------------------------------------------ */

static enum ocop_status depart(struct taking *t, uint32_t kind, const struct id *id,
                               struct ocop_error *err)
{
    bool pending, there;
    enum ocop_status st = store_outbox_has(t->s, id, &pending, err);

    /* What the officer has not sent yet is never taken away: the record goes with the last of it.
     */
    if (!st && pending)
        st = store_base_depart(t->s, id, true, err);
    if (!st && !pending)
        st = store_record_exists(t->s, kind, id, &there, err);
    if (st || pending || !there)
        return st;
    t->sum->departed++;
    t->result->progress = true;
    return store_record_leave(t->s, kind, id, err);
}

/* Records of unknown kinds have no column for their unit. */
static enum ocop_status depart_unknown(struct taking *t, const struct id *unit,
                                       struct ocop_error *err)
{
    struct outbox_row *v;
    size_t count;
    enum ocop_status st = store_unknown_records(t->s, t->arena, &v, &count, err);

    for (size_t i = 0; !st && i < count; i++) {
        struct fields f;
        uint64_t version;
        const struct field *of;
        arena_reset(&t->work);
        st = store_record(t->s, v[i].kind, &v[i].record, &t->work, &f, &version, err);
        of = st ? NULL : fields_find(&f, FIELD_UNIT, span_of(NULL, 0));
        if (of && span_eq(of->bytes, id_span(unit)))
            st = depart(t, v[i].kind, &v[i].record, err);
    }
    return st;
}

/* Where the registry has the record decides: a change that waits here may show it elsewhere. */
static enum ocop_status depart_from(struct taking *t, uint32_t kind, const struct id *id,
                                    const struct id *unit, struct ocop_error *err)
{
    struct fields base;
    uint64_t version;
    bool found;
    enum ocop_status st;

    arena_reset(&t->work);
    st = store_base(t->s, id, &t->work, &found, &base, &version, err);
    if (!st && found) {
        const struct field *of = fields_find(&base, FIELD_UNIT, span_of(NULL, 0));
        if (of && !span_eq(of->bytes, id_span(unit)))
            return OCOP_OK;
    }
    return st ? st : depart(t, kind, id, err);
}

static enum ocop_status take_departures(struct taking *t, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (size_t i = 0; !st && i < t->reply->n_departures; i++) {
        const Ocop__Sync__Departure *d = t->reply->departures[i];
        struct id id, unit;
        if (d->has_id && taking_id(&d->id, &id)) {
            st = depart(t, d->kind, &id, err);
            continue;
        }
        if (!d->has_unit || !taking_id(&d->unit, &unit))
            return taking_malformed("a departure", err);
        for (size_t k = 0; !st && k < kind_count(); k++) {
            struct id *ids = NULL;
            size_t count = 0;
            if (kind_at(k)->reference)
                continue;
            st = store_record_ids(t->s, kind_at(k)->number, &unit, t->arena, &ids, &count, err);
            for (size_t n = 0; !st && n < count; n++)
                st = depart_from(t, kind_at(k)->number, &ids[n], &unit, err);
        }
        if (!st)
            st = depart_unknown(t, &unit, err);
    }
    return st;
}

/* --- the cursor ------------------------------------------------------------------------------ */

/* From the start, and what is not met then goes, own records too: no name is told what left before
 * the registry knew it. */
static enum ocop_status mark_all(struct taking *t, struct ocop_error *err)
{
    enum ocop_status st = store_unseen_mark(t->s, err);

    return st ? st : store_meta_set(t->s, "rereading", span_of("\1", 1), err);
}

/* Also what came with this reply, which is why the mark is set behind it. */
static enum ocop_status read_anew(struct taking *t, struct ocop_error *err)
{
    enum ocop_status st = mark_all(t, err);

    return st ? st : store_meta_set(t->s, "cursor", span_of(NULL, 0), err);
}

static enum ocop_status take_cursor(struct taking *t, struct ocop_error *err)
{
    const Ocop__Sync__Cursor *c = t->reply->cursor;
    struct span old;
    uint8_t *p;
    size_t len;
    enum ocop_status st;

    if (t->reset)
        return read_anew(t, err);
    if (!c)
        return OCOP_OK;
    len = ocop__sync__cursor__get_packed_size(c);
    p = arena_alloc(t->arena, len + 1);
    if (!p)
        return err_nomem(err);
    ocop__sync__cursor__pack(c, p);
    st = store_meta(t->s, "cursor", t->arena, &old, err);
    if (st)
        return st;
    if (t->reply->more && !span_eq(old, span_of(p, len)))
        t->result->progress = true; /* a page may hold nothing for this device */
    st = store_meta_set(t->s, "cursor", span_of(p, len), err);
    return st ? st : store_meta_set_int(t->s, "seen", c->version, err);
}

/* The mark outlives the exchange, so that reading again may take several. */
static enum ocop_status take_mark(struct taking *t, struct ocop_error *err)
{
    struct span mark;
    enum ocop_status st = store_meta(t->s, "rereading", t->arena, &mark, err);

    t->rereading = !st && mark.len == 1 && mark.p[0] == 1;
    return st;
}

/* Everything that is here is marked when the server says so ... */
static enum ocop_status take_reread(struct taking *t, struct ocop_error *err)
{
    if (!t->reply->reread)
        return OCOP_OK;
    t->rereading = t->result->progress = true;
    return mark_all(t, err);
}

/* ... and what was not met goes when it has nothing more to tell. */
static enum ocop_status take_sweep(struct taking *t, struct ocop_error *err)
{
    unsigned swept = 0;
    enum ocop_status st;

    if (!t->rereading || t->reply->more || t->reset)
        return OCOP_OK;
    st = lost_unmet(t, err);
    if (!st)
        st = store_unseen_sweep(t->s, &t->work, &swept, err);
    t->sum->departed += swept;
    return st ? st : store_meta_set(t->s, "rereading", span_of("\0", 1), err);
}

static unsigned reading_of(const Ocop__Sync__Cursor *c)
{
    return c->has_reading ? c->reading : READ_USUAL;
}

enum ocop_status reply_reading(struct ocop_store *s, struct arena *a, bool *told, unsigned *out,
                               struct ocop_error *err)
{
    struct span packed;
    Ocop__Sync__Cursor *c = NULL;
    ProtobufCAllocator allocator = arena_allocator(a);
    enum ocop_status st = store_meta(s, "cursor", a, &packed, err);

    if (!st && packed.len)
        c = ocop__sync__cursor__unpack(&allocator, packed.len, packed.p);
    *told = c != NULL;
    *out = READ_LISTS | (c ? reading_of(c) : 0);
    return st;
}

/* Is all read again because the officer may read other things now? Then of the cases too those that
 * stand are told again. */
static enum ocop_status take_reading(struct taking *t, struct ocop_error *err)
{
    unsigned reading;
    bool told;
    enum ocop_status st;

    if (!t->reply->reread || !t->reply->cursor)
        return OCOP_OK;
    st = reply_reading(t->s, t->arena, &told, &reading, err);
    return st || !told || reading == (READ_LISTS | reading_of(t->reply->cursor))
               ? st
               : store_cases_forget(t->s, err);
}

/* Versions and sequences count from 1, and no log comes to 2^63: beyond it SQLite's integers are
 * negative, and mean something else in some of the store's columns. */
static enum ocop_status check_numbers(const Ocop__Sync__SyncReply *r, struct ocop_error *err)
{
    uint64_t all = r->acked_seq | r->fork_seq | r->rekeyed_from;

    if (r->cursor)
        all |= r->cursor->version | r->cursor->scope;
    for (size_t i = 0; i < r->n_sets; i++)
        all |= r->sets[i]->seq | r->sets[i]->version;
    for (size_t i = 0; i < r->n_outcomes; i++)
        all |= r->outcomes[i]->seq;
    for (size_t i = 0; i < r->n_lineages; i++)
        all |= r->lineages[i]->fork_version;
    for (size_t i = 0; i < r->n_known; i++)
        all |= r->known[i]->acked_seq | r->known[i]->chain_seq;
    return all > INT64_MAX ? taking_malformed("a number beyond all", err) : OCOP_OK;
}

/* The registry has the keys that this device made; and what of them the office wants. What was
 * sealed by the old ones where the new ones hold already is sealed again: nobody has seen it. */
static enum ocop_status take_keys(struct taking *t, struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    enum ocop_status st = OCOP_OK;

    if (t->reply->rekeyed_from && s->me.rekeying) {
        for (uint64_t seq = s->me.seq; !st && !t->forked && seq >= t->reply->rekeyed_from; seq--)
            st = lost_unseal(t, seq, err);
        if (!st)
            st = device_keys_take(s, err);
        if (!st && t->reply->certificate_first && !t->forked)
            st = client_certificate_first(s, t->reply->certificate_first, t->arena, err);
        t->result->progress = true;
    } else if (t->reply->rekey && !t->reply->rekeyed_from) {
        st = device_keys_renew(s, err);
        t->result->progress = true;
    }
    return st;
}

/* Files that the registry had and has lost: those that are here are to be sent again, also when
 * their records leave with this very reply, or a draft alone names them. A record of this officer's
 * that leaves then owes its own as it leaves, and not only because it was asked for. */
static enum ocop_status take_wanted(struct taking *t, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (size_t i = 0; !st && i < t->reply->n_files_wanted; i++) {
        const ProtobufCBinaryData *hash = &t->reply->files_wanted[i];
        struct file_row row;
        bool found = false;
        if (hash->len == FILE_HASH_LEN)
            st = store_file(t->s, hash->data, &found, &row, err);
        if (st || !found || !row.here || (row.wanted && !row.central))
            continue;
        row.central = false;
        row.asked = !row.wanted || row.asked;
        row.wanted = true;
        row.done = 0;
        st = store_file_put(t->s, &row, err);
    }
    return st;
}

static enum ocop_status take_all(struct taking *t, struct ocop_error *err)
{
    unsigned count[6];
    enum ocop_status st = check_numbers(t->reply, err);

    if (!st)
        st = take_reading(t, err);
    if (!st)
        st = taking_lineage(t, err);
    if (!st)
        st = take_mark(t, err);
    if (!st)
        st = taking_sets(t, err);
    if (!st)
        st = take_cases(t, false, err);
    if (!st)
        st = store_cases_any_open(t->s, &t->cases, err);
    if (!st)
        st = take_reread(t, err);
    if (!st)
        st = store_outbox_count(t->s, count, err);
    if (!st)
        st = store_own_any(t->s, &t->owns, err);
    for (int i = OUTBOX_DRAFT; !st && i <= OUTBOX_WAITING; i++)
        t->pending = t->pending || count[i] > 0;
    if (!st) /* while it is known whose they are */
        st = take_wanted(t, err);
    if (!st) /* before the records: one that stays when its unit goes comes anew */
        st = take_departures(t, err);
    if (!st)
        st = take_records(t, err);
    if (!st && t->reply->n_departures > 0)
        st = take_cases(t, true, err);
    if (!st)
        st = take_cursor(t, err);
    if (!st)
        st = take_sweep(t, err);
    if (!st && t->reply->enrolment && !t->forked)
        st = client_enrolment(t->s, t->reply->enrolment, err);
    if (!st && t->reply->certificate && !t->forked)
        st = client_certificate(t->s, t->reply->certificate, t->arena, err);
    if (!st && t->reply->n_roots) /* before the key that the last of them signed */
        st = client_roots(t->s, t->reply->roots, t->reply->n_roots, t->arena, err);
    if (!st && t->reply->channel)
        st = client_server_key(t->s, t->reply->channel, t->arena, err);
    return st ? st : take_keys(t, err);
}

enum ocop_status reply_take_keys(struct ocop_store *s, const Ocop__Sync__SyncReply *reply,
                                 struct arena *a, struct ocop_error *err)
{
    struct ocop_sync_summary sum = {0};
    struct reply_result result = {0};
    struct taking t = {.s = s, .reply = reply, .arena = a, .sum = &sum, .result = &result};
    enum ocop_status st = check_numbers(reply, err);

    arena_init(&t.work, ARENA_SAVE_MAX * 2);
    arena_init(&t.late, ARENA_SAVE_MAX);
    if (!st && reply->certificate)
        st = client_certificate(s, reply->certificate, a, err);
    if (!st)
        st = take_keys(&t, err);
    arena_fini(&t.work);
    arena_fini(&t.late);
    return st ? st : store_identity(s, err);
}

enum ocop_status reply_apply(struct ocop_store *s, const Ocop__Sync__SyncReply *reply,
                             struct arena *a, struct ocop_sync_summary *sum,
                             struct reply_result *result, struct ocop_error *err)
{
    struct taking t = {.s = s, .reply = reply, .arena = a, .sum = sum, .result = result};
    enum ocop_status st;

    arena_init(&t.work, ARENA_SAVE_MAX * 2);
    arena_init(&t.late, ARENA_SAVE_MAX);
    st = take_all(&t, err);
    arena_fini(&t.work);
    arena_fini(&t.late);
    return st;
}

Ocop__Sync__Reply *reply_unpack(struct span message, ProtobufCAllocator *allocator)
{
    static const uint32_t to_columns[] = {5, 6}; /* Reply.sync, SyncReply.records */
    if (!columns_shallow(message, to_columns, sizeof to_columns / sizeof *to_columns))
        return NULL;
    return ocop__sync__reply__unpack(allocator, message.len, message.p);
}
