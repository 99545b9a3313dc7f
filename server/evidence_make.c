/* The bundle of one record: the sets that touched it or an attachment of it, those that enrolled
 * their authors, the heads of all others of their chains, and what the registry says of them. Reads
 * the sets of the record and of the replicas concerned, and never the whole log. Checks nothing:
 * evidence_check does. */
#include "evidence_make.h"

#include <stdlib.h>

#include "bounds.h"
#include "cache.h"
#include "cases.h"
#include "json.h"
#include "log.h"
#include "query.h"
#include "references.h"
#include "registry_past.h"

enum { OFFICER_NAME = 10, OFFICER_AGENCY = 11 };

struct making {
    struct registry *r;
    struct arena *a;
    struct ocop_error *err;
    struct id *told; /* whose story it is: the record, then its attachments */
    size_t told_count;
    Ocop__Evidence__Bundle *b;
    struct id
        *replicas; /* whose sets are shown, and those that they continue; the registry first */
    size_t replica_count;
    struct changes changes; /* of these, for the names of what they refer to */
    struct name_wanted *names;
    size_t name_count;
};

/* Whose name is to be said, and as of when. */
struct name_wanted {
    uint32_t kind;
    struct id id;
    uint64_t version;
};

/* --- parts ---------------------------------------------------------------------------------------
 */

static ProtobufCBinaryData keep(struct making *m, struct span s)
{
    uint8_t *p = (uint8_t *)arena_dup(m->a, s.p, s.len);
    return (ProtobufCBinaryData){p ? s.len : 0, p};
}

static enum ocop_status kept(struct making *m, const ProtobufCBinaryData *b)
{
    return b->data ? OCOP_OK : err_nomem(m->err);
}

static struct span bytes_span(const ProtobufCBinaryData *b)
{
    return span_of(b->data, b->len);
}

/* Room for one more of an array; *v stays as it is when there is none. */
static enum ocop_status more(struct making *m, void **v, size_t count, size_t size)
{
    void *grown = arena_more(m->a, *v, count, size);
    if (!grown)
        return err_nomem(m->err);
    *v = grown;
    return OCOP_OK;
}

static bool is_among(const struct id *v, size_t count, const struct id *id)
{
    bool found = false;
    for (size_t i = 0; i < count && !found; i++)
        found = id_eq(id, &v[i]);
    return found;
}

static bool is_told(const struct making *m, const struct id *id)
{
    return is_among(m->told, m->told_count, id);
}

/* One more that is not among them yet. */
static enum ocop_status id_add(struct making *m, struct id **v, size_t *count, const struct id *id)
{
    if (is_among(*v, *count, id))
        return OCOP_OK;
    enum ocop_status st = more(m, (void **)v, *count, sizeof **v);
    if (st == OCOP_OK)
        (*v)[(*count)++] = *id;
    return st;
}

static enum ocop_status replica_add(struct making *m, const struct id *id)
{
    return id_add(m, &m->replicas, &m->replica_count, id);
}

/* --- sets shown whole ----------------------------------------------------------------------------
 */

static enum ocop_status set_add(struct making *m, const struct log_entry *e, bool there)
{
    Ocop__Evidence__EvidenceSet *set = arena_calloc(m->a, 1, sizeof *set);
    enum ocop_status st = more(m, (void **)&m->b->sets, m->b->n_sets, sizeof *m->b->sets);
    if (st != OCOP_OK || !set)
        return st != OCOP_OK ? st : err_nomem(m->err);
    ocop__evidence__evidence_set__init(set);
    set->has_version = 1;
    set->version = e->version;
    if (there) {
        set->has_received_ms = set->has_body = set->has_signature = 1;
        set->received_ms = e->received_ms;
        set->body = keep(m, e->body);
        set->signature = keep(m, span_of(e->signature, SIGNATURE_LEN));
        st = kept(m, &set->body);
        if (st == OCOP_OK)
            st = kept(m, &set->signature);
    }
    m->b->sets[m->b->n_sets++] = set;
    return st;
}

static bool has_set(const struct making *m, uint64_t version)
{
    for (size_t i = 0; i < m->b->n_sets; i++)
        if (m->b->sets[i]->version == version)
            return true;
    return false;
}

static bool concerns(const struct making *m, const struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        if (is_told(m, &changes->v[i].record) ||
            is_among(m->replicas, m->replica_count, &changes->v[i].record))
            return true;
    return false;
}

/* The attachments that a set makes of the record, one that was refused among them. */
static enum ocop_status attachments_add(struct making *m, const struct changes *changes)
{
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < changes->count; i++) {
        const struct change *c = &changes->v[i];
        const struct field *f = c->kind == KIND_ATTACHMENT && c->verb == VERB_CREATE
                                    ? fields_find(&c->fields, ATTACHMENT_RECORD, span_of(NULL, 0))
                                    : NULL;
        if (f && span_eq(f->bytes, id_span(&m->told[0])))
            st = id_add(m, &m->told, &m->told_count, &c->record);
    }
    return st;
}

/* The set at a version, if it concerns the record, an attachment or a replica of its story. One
 * that cannot be read may concern it. */
static enum ocop_status set_take(struct making *m, uint64_t version, struct arena *scratch)
{
    struct log_entry e;
    struct change_set set = {.seq = 0};
    if (has_set(m, version))
        return OCOP_OK;
    enum ocop_status st = log_read(m->r, version, &e, NULL);
    const bool there = st == OCOP_OK;
    if (!there && st != OCOP_ENOTFOUND)
        return err_set(m->err, st, "the log cannot be read at version %llu",
                       (unsigned long long)version);
    e.version = version;
    if (there) {
        st = changeset_open(e.body, scratch, &set, NULL);
        if (st == OCOP_ENOMEM && !scratch->full)
            return err_nomem(m->err);
        if (st == OCOP_OK && !concerns(m, &set.changes))
            return OCOP_OK;
    }
    st = set_add(m, &e, there);
    if (st == OCOP_OK)
        st = attachments_add(m, &set.changes);
    return st == OCOP_OK && there ? replica_add(m, &e.replica) : st;
}

static enum ocop_status sets_take(struct making *m, const struct id *record)
{
    struct arena scratch;
    uint64_t *versions;
    size_t count;
    enum ocop_status st = past_versions(m->r, record, m->a, &versions, &count, m->err);
    arena_init(&scratch, ARENA_REQUEST_MAX);
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        st = set_take(m, versions[i], &scratch);
        arena_reset(&scratch);
    }
    arena_fini(&scratch);
    return st;
}

static enum ocop_status attachment_add(void *self, const struct query_file *f,
                                       struct ocop_error *err)
{
    struct making *m = self;
    (void)err; /* m's is the same */
    return id_add(m, &m->told, &m->told_count, &f->id);
}

/* Of the record and of its attachments, of which a set may tell more. */
static enum ocop_status told_take(struct making *m)
{
    const struct id record = m->told[0];
    enum ocop_status st = query_files(m->r, &record, attachment_add, m, m->err);
    for (size_t i = 0; st == OCOP_OK && i < m->told_count; i++) {
        const struct id id = m->told[i];
        st = sets_take(m, &id);
    }
    if (st == OCOP_OK && m->told_count - 1 > EVIDENCE_FILES_MAX) /* the first is the record */
        st = err_set(m->err, OCOP_ELIMIT, "the record has more than %d attachments",
                     EVIDENCE_FILES_MAX);
    return st;
}

/* A change of the story, kept beyond its set. */
static enum ocop_status note_change(struct making *m, const struct change *change, uint64_t version)
{
    struct buf packed;
    enum ocop_status st = more(m, (void **)&m->changes.v, m->changes.count, sizeof *m->changes.v);
    if (st != OCOP_OK)
        return st;
    struct change *out = &m->changes.v[m->changes.count];
    buf_init(&packed, MIB(8));
    st = change_pack(change, &packed, m->err);
    const char *copy =
        st == OCOP_OK && !packed.failed ? arena_dup(m->a, packed.p, packed.len) : NULL;
    if (st == OCOP_OK)
        st = copy ? change_unpack(span_of(copy, packed.len), m->a, out, m->err) : err_nomem(m->err);
    if (st == OCOP_OK) {
        out->base = version; /* at which its names are to be said; nobody else asks for this base */
        m->changes.count++;
    }
    buf_fini(&packed);
    return st;
}

/* The one that it continues: by its enrolment, and by its first set. These may differ: a copy whose
 * registry was restored and forgot it is enrolled anew, by an invitation, and continues all the
 * same. */
static enum ocop_status predecessors_add(struct making *m, const struct id *replica,
                                         struct arena *scratch)
{
    struct replica_info info;
    struct log_entry e;
    struct change_set first;
    enum ocop_status st = registry_replica(m->r, replica, &info, m->err);
    if (st == OCOP_OK && !id_is_zero(&info.predecessor))
        st = replica_add(m, &info.predecessor);
    if (st != OCOP_OK)
        return st;
    st = log_find(m->r, replica, 1, &e, m->err);
    if (st == OCOP_OK)
        st = log_read(m->r, e.version, &e, m->err);
    if (st != OCOP_OK)
        return st == OCOP_ENOTFOUND ? OCOP_OK : st;
    st = changeset_peek(e.body, scratch, &first, NULL);
    if (st == OCOP_ENOMEM && !scratch->full)
        return err_nomem(m->err);
    return st == OCOP_OK && !id_is_zero(&first.predecessor) ? replica_add(m, &first.predecessor)
                                                            : OCOP_OK;
}

/* Who is who: the sets that enrolled the replicas, and those that they continue. */
static enum ocop_status enrolments_take(struct making *m)
{
    struct arena scratch;
    enum ocop_status st = OCOP_OK;
    arena_init(&scratch, ARENA_REQUEST_MAX);
    for (size_t i = 0; st == OCOP_OK && i < m->replica_count; i++) {
        const struct id id = m->replicas[i];
        st = predecessors_add(m, &id, &scratch);
        arena_reset(&scratch);
        if (st == OCOP_OK)
            st = sets_take(m, &id);
    }
    arena_fini(&scratch);
    return st;
}

static int by_version(const void *a, const void *b)
{
    const Ocop__Evidence__EvidenceSet *x = *(Ocop__Evidence__EvidenceSet *const *)a,
                                      *y = *(Ocop__Evidence__EvidenceSet *const *)b;
    return (x->version > y->version) - (x->version < y->version);
}

/* --- chains --------------------------------------------------------------------------------------
 */

static enum ocop_status link_fill(struct making *m, uint64_t version,
                                  Ocop__Evidence__EvidenceLink *link, struct arena *scratch)
{
    struct log_entry e;
    struct change_set set;
    enum ocop_status st = log_read(m->r, version, &e, m->err);
    if (st != OCOP_OK)
        return st;
    st = changeset_peek(e.body, scratch, &set, NULL);
    if (st == OCOP_ENOMEM && !scratch->full)
        return err_nomem(m->err);
    if (st != OCOP_OK) /* shown as it is: it has no head */
        return set_add(m, &e, true);
    link->has_received_ms = link->has_head = link->has_changes_hash = link->has_signature = 1;
    link->received_ms = e.received_ms;
    link->head = keep(m, set.head);
    link->changes_hash = keep(m, span_of(set.changes_hash, HASH_LEN));
    link->signature = keep(m, span_of(e.signature, SIGNATURE_LEN));
    return link->head.data && link->changes_hash.data && link->signature.data ? OCOP_OK
                                                                              : err_nomem(m->err);
}

static enum ocop_status link_take(struct making *m, const struct id *replica, uint64_t seq,
                                  Ocop__Evidence__EvidenceLink *link, struct arena *scratch)
{
    struct log_entry e;
    ocop__evidence__evidence_link__init(link);
    enum ocop_status st = log_find(m->r, replica, seq, &e, m->err);
    if (st == OCOP_ENOTFOUND)
        return OCOP_OK; /* a link of nothing: evidence_check tells */
    if (st != OCOP_OK)
        return st;
    link->has_version = 1;
    link->version = e.version;
    return has_set(m, e.version) ? OCOP_OK : link_fill(m, e.version, link, scratch);
}

static enum ocop_status chain_take(struct making *m, const struct id *replica)
{
    struct replica_info info;
    struct arena scratch;
    enum ocop_status st = registry_replica(m->r, replica, &info, m->err);
    Ocop__Evidence__EvidenceChain *chain = arena_calloc(m->a, 1, sizeof *chain);
    if (st != OCOP_OK || !chain)
        return st != OCOP_OK ? st : err_nomem(m->err);
    if (info.acked_seq == 0)
        return OCOP_OK;
    ocop__evidence__evidence_chain__init(chain);
    chain->has_replica = 1;
    chain->replica = keep(m, id_span(replica));
    chain->links = arena_calloc(m->a, (size_t)info.acked_seq, sizeof(void *));
    if (!chain->replica.data || !chain->links)
        return err_nomem(m->err);
    arena_init(&scratch, ARENA_REQUEST_MAX);
    for (uint64_t seq = 1; st == OCOP_OK && seq <= info.acked_seq; seq++) {
        Ocop__Evidence__EvidenceLink *link = arena_calloc(m->a, 1, sizeof *link);
        st = link ? link_take(m, replica, seq, link, &scratch) : err_nomem(m->err);
        chain->links[chain->n_links++] = link;
        arena_reset(&scratch);
    }
    arena_fini(&scratch);
    m->b->chains[m->b->n_chains++] = chain;
    return st;
}

/* Of the registry's own sets none: the root key signs each, and the bundle with them. */
static enum ocop_status chains_take(struct making *m)
{
    enum ocop_status st = OCOP_OK;
    m->b->chains = arena_calloc(m->a, m->replica_count + 1, sizeof(void *));
    if (!m->b->chains)
        return err_nomem(m->err);
    for (size_t i = 0; st == OCOP_OK && i < m->replica_count; i++)
        if (!id_eq(&m->replicas[i], &m->r->self))
            st = chain_take(m, &m->replicas[i]);
    return st;
}

/* --- what came of the changes --------------------------------------------------------------------
 */

static enum ocop_status outcome_add(struct making *m, uint64_t version,
                                    const struct outcome_row *row)
{
    Ocop__Evidence__EvidenceOutcome *o = arena_calloc(m->a, 1, sizeof *o);
    enum ocop_status st =
        more(m, (void **)&m->b->outcomes, m->b->n_outcomes, sizeof *m->b->outcomes);
    if (st != OCOP_OK || !o)
        return st != OCOP_OK ? st : err_nomem(m->err);
    ocop__evidence__evidence_outcome__init(o);
    o->has_version = o->has_index = o->has_code = 1;
    o->version = version;
    o->index = row->index;
    o->code = row->code;
    o->text = row->text[0] ? (char *)(uintptr_t)row->text : NULL;
    o->field = row->field[0] ? (char *)(uintptr_t)row->field : NULL;
    m->b->outcomes[m->b->n_outcomes++] = o;
    return OCOP_OK;
}

/* The set's changes that belong to the story, and what came of them. */
static enum ocop_status changes_take(struct making *m, const Ocop__Evidence__EvidenceSet *in)
{
    struct arena scratch;
    struct change_set set = {.seq = 0};
    struct outcome_row *rows;
    size_t count;
    if (!in->has_body)
        return OCOP_OK;
    enum ocop_status st = outcomes_of(m->r, in->version, m->a, &rows, &count, m->err);
    arena_init(&scratch, ARENA_REQUEST_MAX);
    if (changeset_open(bytes_span(&in->body), &scratch, &set, NULL) != OCOP_OK)
        count = 0; /* evidence_check tells */
    for (size_t i = 0; st == OCOP_OK && i < set.changes.count; i++)
        if (is_told(m, &set.changes.v[i].record))
            st = note_change(m, &set.changes.v[i], in->version);
    for (size_t i = 0; st == OCOP_OK && i < count; i++)
        if (rows[i].index < set.changes.count && rows[i].code != OUTCOME_APPLIED &&
            is_told(m, &set.changes.v[rows[i].index].record))
            st = outcome_add(m, in->version, &rows[i]);
    arena_fini(&scratch);
    return st;
}

/* Who decided, when and why: the change that names the case. */
static enum ocop_status decision_take(struct making *m, Ocop__Evidence__EvidenceCase *c)
{
    struct arena scratch;
    struct log_entry e;
    struct change_set set;
    enum ocop_status st = OCOP_OK;
    arena_init(&scratch, ARENA_REQUEST_MAX);
    if (log_read(m->r, c->closed_version, &e, NULL) == OCOP_OK &&
        changeset_open(e.body, &scratch, &set, NULL) == OCOP_OK)
        for (size_t i = 0; st == OCOP_OK && i < set.changes.count; i++) {
            const struct change *ch = &set.changes.v[i];
            if (!span_eq(ch->case_id, bytes_span(&c->id)))
                continue;
            c->has_decided_by = c->has_decided_ms = 1;
            c->decided_by = keep(m, id_span(&ch->author));
            c->decided_ms = ch->device_time_ms;
            c->reason = arena_dup(m->a, ch->reason.p, ch->reason.len);
            st = c->reason ? kept(m, &c->decided_by) : err_nomem(m->err);
        }
    arena_fini(&scratch);
    return st;
}

static enum ocop_status case_take(struct making *m, const struct id *id)
{
    struct case_row row;
    Ocop__Evidence__EvidenceCase *c = arena_calloc(m->a, 1, sizeof *c);
    enum ocop_status st = case_load_row(m->r, id, m->a, &row, m->err);
    if (st != OCOP_OK || !c)
        return st != OCOP_OK ? st : err_nomem(m->err);
    ocop__evidence__evidence_case__init(c);
    c->has_id = c->has_kind = c->has_record = c->has_cause = c->has_number = c->has_version = 1;
    c->has_index = c->has_opened_version = 1;
    c->id = keep(m, id_span(id));
    c->kind = row.kind;
    c->record = keep(m, id_span(&row.record));
    c->cause = row.cause;
    c->number = row.cause == CASE_VOID ? FIELD_VOIDED : row.number;
    c->has_element = row.key.len > 0;
    c->element = keep(m, row.key);
    c->has_other = !id_is_zero(&row.other);
    c->other = keep(m, id_span(&row.other));
    c->version = row.set_version;
    c->index = row.change_index;
    c->opened_version = row.opened_version;
    c->base_value = (char *)(uintptr_t)row.base;
    c->theirs = (char *)(uintptr_t)row.theirs;
    c->mine = (char *)(uintptr_t)row.mine;
    m->b->cases[m->b->n_cases++] = c;
    if (!c->id.data || !c->record.data || !c->element.data || !c->other.data)
        return err_nomem(m->err);
    if (!row.closed_version)
        return OCOP_OK;
    c->has_closed_version = 1;
    c->closed_version = row.closed_version;
    c->resolution = (char *)(uintptr_t)row.resolution;
    return decision_take(m, c);
}

static enum ocop_status cases_take(struct making *m, const struct id *record)
{
    struct id *ids;
    size_t count;
    enum ocop_status st = past_cases(m->r, record, m->a, &ids, &count, m->err);
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        st = more(m, (void **)&m->b->cases, m->b->n_cases, sizeof *m->b->cases);
        if (st == OCOP_OK)
            st = case_take(m, &ids[i]);
    }
    return st;
}

static enum ocop_status state_take(struct making *m, uint32_t kind, const struct id *record)
{
    struct fields f;
    struct row_meta meta;
    struct buf b;
    size_t n = 0;
    enum ocop_status st = row_load(m->r->rows, kind, record, m->a, &f, &meta, m->err);
    if (st != OCOP_OK)
        return st == OCOP_ENOTFOUND ? OCOP_OK : st;
    for (size_t i = 0; i < f.count; i++) {
        if (f.v[i].op != FIELD_SET)
            continue;
        f.v[n] = f.v[i];
        f.v[n++].base = 0;
    }
    f.count = n;
    const struct change held = {.kind = kind, .verb = VERB_STATE, .record = *record, .fields = f};
    buf_init(&b, MIB(8));
    st = change_pack(&held, &b, m->err);
    if (st == OCOP_OK) {
        m->b->states[m->b->n_states] = keep(m, buf_span(&b));
        st = b.failed ? err_nomem(m->err) : kept(m, &m->b->states[m->b->n_states++]);
    }
    buf_fini(&b);
    return st;
}

/* What the registry holds, for each record and kind of which a change speaks. */
static enum ocop_status states_take(struct making *m)
{
    enum ocop_status st = OCOP_OK;
    m->b->states = arena_calloc(m->a, m->changes.count + 1, sizeof *m->b->states);
    if (!m->b->states)
        return err_nomem(m->err);
    for (size_t i = 0; st == OCOP_OK && i < m->changes.count; i++) {
        bool before = false;
        for (size_t n = 0; n < i; n++)
            before = before || (m->changes.v[n].kind == m->changes.v[i].kind &&
                                id_eq(&m->changes.v[n].record, &m->changes.v[i].record));
        if (!before)
            st = state_take(m, m->changes.v[i].kind, &m->changes.v[i].record);
    }
    return st;
}

/* --- names ---------------------------------------------------------------------------------------
 */

static enum ocop_status text_at(struct making *m, uint32_t kind, const struct id *id,
                                uint32_t number, uint64_t version, char **out)
{
    struct field f;
    bool found;
    *out = NULL;
    enum ocop_status st = past_value(m->r, kind, id, number, version, m->a, &f, &found, m->err);
    if (st == OCOP_OK && found && f.type == VALUE_BYTES) {
        *out = arena_dup(m->a, f.bytes.p, f.bytes.len);
        st = *out ? OCOP_OK : err_nomem(m->err);
    }
    return st;
}

static uint32_t label_number(uint32_t kind)
{
    const struct kind *k = kind_by_number(kind);
    for (const struct field_rule *f = k ? k->fields : NULL; f && f->number; f++)
        if (f->flags & FIELD_LABEL)
            return f->number;
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* What the record was called at `version`, unless that was said of an earlier one. */
static enum ocop_status name_add(struct making *m, uint32_t kind, const struct id *id,
                                 uint64_t version)
{
    const uint32_t number = label_number(kind);
    const Ocop__Evidence__EvidenceName *before = NULL;
    Ocop__Evidence__EvidenceName *n = arena_calloc(m->a, 1, sizeof *n);
    if (!n)
        return err_nomem(m->err);
    if (!number || id_is_zero(id))
        return OCOP_OK;
    ocop__evidence__evidence_name__init(n);
    for (size_t i = 0; i < m->b->n_names; i++)
        if (span_eq(bytes_span(&m->b->names[i]->id), id_span(id)) &&
            m->b->names[i]->version <= version &&
            (!before || m->b->names[i]->version >= before->version))
            before = m->b->names[i];
    enum ocop_status st = text_at(m, kind, id, number, version, &n->label);
    if (st == OCOP_OK && kind == KIND_OFFICER)
        st = text_at(m, kind, id, OFFICER_AGENCY, version, &n->agency);
    if (st != OCOP_OK || !n->label ||
        (before && same_text(before->label, n->label) && same_text(before->agency, n->agency)))
        return st;
    n->has_kind = n->has_id = n->has_version = 1;
    n->kind = kind;
    n->id = keep(m, id_span(id));
    n->version = version;
    st = more(m, (void **)&m->b->names, m->b->n_names, sizeof *m->b->names);
    if (st == OCOP_OK)
        m->b->names[m->b->n_names++] = n;
    return st == OCOP_OK ? kept(m, &n->id) : st;
}

static enum ocop_status want(struct making *m, uint32_t kind, const struct id *id, uint64_t version)
{
    enum ocop_status st = more(m, (void **)&m->names, m->name_count, sizeof *m->names);
    if (st != OCOP_OK)
        return st;
    m->names[m->name_count++] = (struct name_wanted){kind, *id, version};
    return OCOP_OK;
}

static int by_wanted_version(const void *a, const void *b)
{
    const struct name_wanted *x = a, *y = b;
    return (x->version > y->version) - (x->version < y->version);
}

static enum ocop_status names_take(struct making *m)
{
    enum ocop_status st = OCOP_OK;
    if (m->name_count)
        qsort(m->names, m->name_count, sizeof *m->names, by_wanted_version);
    for (size_t i = 0; st == OCOP_OK && i < m->name_count; i++)
        st = name_add(m, m->names[i].kind, &m->names[i].id, m->names[i].version);
    return st;
}

static enum ocop_status want_of_change(struct making *m, const struct change *c)
{
    struct reference_walk w = {.kind = kind_by_number(c->kind), .fields = &c->fields};
    enum ocop_status st = want(m, KIND_OFFICER, &c->author, c->base);
    while (w.kind && st == OCOP_OK && reference_next(&w))
        if (w.rule->lo > 0)
            st = want(m, (uint32_t)w.rule->lo, &w.target, c->base);
    return st;
}

static enum ocop_status invitation_take(struct making *m, const struct id *replica)
{
    struct past_invitation p;
    enum ocop_status st = past_invitation(m->r, replica, m->a, &p, m->err);
    if (st != OCOP_OK || !p.token_hash.len)
        return st;
    Ocop__Evidence__EvidenceInvitation *in = arena_calloc(m->a, 1, sizeof *in);
    if (!in)
        return err_nomem(m->err);
    ocop__evidence__evidence_invitation__init(in);
    in->has_replica = in->has_token_hash = in->has_officer = in->has_made_ms = 1;
    in->has_expires_ms = 1;
    in->replica = keep(m, id_span(replica));
    in->token_hash = (ProtobufCBinaryData){p.token_hash.len, (uint8_t *)(uintptr_t)p.token_hash.p};
    in->officer = keep(m, id_span(&p.officer));
    in->made_ms = p.made_ms;
    in->expires_ms = p.expires_ms;
    m->b->invitations[m->b->n_invitations++] = in;
    return in->replica.data && in->officer.data ? OCOP_OK : err_nomem(m->err);
}

/* A replica's officer, as named when it was enrolled. */
static enum ocop_status replica_people(struct making *m, const struct id *replica)
{
    struct replica_info info;
    uint64_t *versions;
    size_t count;
    enum ocop_status st = registry_replica(m->r, replica, &info, m->err);
    if (st == OCOP_OK)
        st = past_versions(m->r, replica, m->a, &versions, &count, m->err);
    if (st == OCOP_OK && count)
        st = want(m, KIND_OFFICER, &info.officer, versions[0]);
    return st == OCOP_OK ? invitation_take(m, replica) : st;
}

static enum ocop_status people_take(struct making *m)
{
    struct id id;
    enum ocop_status st = OCOP_OK;
    m->b->invitations = arena_calloc(m->a, m->replica_count + 1, sizeof(void *));
    if (!m->b->invitations)
        return err_nomem(m->err);
    for (size_t i = 0; st == OCOP_OK && i < m->replica_count; i++)
        st = replica_people(m, &m->replicas[i]);
    for (size_t i = 0; st == OCOP_OK && i < m->b->n_invitations; i++)
        if (id_from(bytes_span(&m->b->invitations[i]->officer), &id))
            st = want(m, KIND_OFFICER, &id, 0);
    for (size_t i = 0; st == OCOP_OK && i < m->changes.count; i++)
        st = want_of_change(m, &m->changes.v[i]);
    for (size_t i = 0; st == OCOP_OK && i < m->b->n_cases; i++)
        if (id_from(bytes_span(&m->b->cases[i]->decided_by), &id))
            st = want(m, KIND_OFFICER, &id, m->b->cases[i]->closed_version);
    return st == OCOP_OK ? names_take(m) : st;
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static enum ocop_status head_fill(struct making *m)
{
    Ocop__Evidence__Bundle *b = m->b;
    struct replica_info self;
    struct log_entry e = {.version = 0};
    enum ocop_status st = registry_version(m->r, &b->head_version, m->err);
    if (st == OCOP_OK)
        st = registry_replica(m->r, &m->r->self, &self, m->err);
    if (st == OCOP_OK)
        st = text_at(m, KIND_REPLICA, &m->r->self, 12, self.version, &b->registry_name);
    if (st == OCOP_OK && b->head_version)
        st = log_read(m->r, b->head_version, &e, m->err);
    b->has_made_ms = b->has_registry = b->has_lineage = b->has_head_version = b->has_head_hash = 1;
    b->has_epoch = b->has_record = 1;
    b->made_ms = env_now_ms(m->r->env);
    b->registry = keep(m, id_span(&m->r->self));
    b->lineage = keep(m, id_span(&m->r->lineage));
    b->head_hash = keep(m, span_of(e.hash, HASH_LEN));
    b->epoch = EPOCH;
    b->record = keep(m, id_span(&m->told[0]));
    if (st == OCOP_OK &&
        (!b->registry.data || !b->lineage.data || !b->head_hash.data || !b->record.data))
        st = err_nomem(m->err);
    return st;
}

static enum ocop_status gather(struct making *m)
{
    enum ocop_status st = head_fill(m);
    if (st == OCOP_OK)
        st = replica_add(m, &m->r->self);
    if (st == OCOP_OK)
        st = told_take(m);
    if (st == OCOP_OK && m->b->n_sets == 0)
        st = err_set(m->err, OCOP_ENOTFOUND, "the log has no change of this record");
    if (st == OCOP_OK)
        st = enrolments_take(m);
    if (st == OCOP_OK)
        st = chains_take(m);
    if (st != OCOP_OK)
        return st;
    qsort(m->b->sets, m->b->n_sets, sizeof(void *), by_version);
    for (size_t i = 0; st == OCOP_OK && i < m->b->n_sets; i++)
        st = changes_take(m, m->b->sets[i]);
    for (size_t i = 0; st == OCOP_OK && i < m->told_count; i++)
        st = cases_take(m, &m->told[i]);
    if (st == OCOP_OK)
        st = states_take(m);
    return st == OCOP_OK ? people_take(m) : st;
}

/* The story of an attachment is part of its record's, which says where both lie. */
static enum ocop_status subject_take(struct making *m, const struct id *asked)
{
    struct fields f = {NULL, 0};
    struct row_meta meta;
    struct id of;
    bool there = false;
    enum ocop_status st = row_load(m->r->rows, KIND_ATTACHMENT, asked, m->a, &f, &meta, m->err);
    const struct field *record = fields_find(&f, ATTACHMENT_RECORD, span_of(NULL, 0));
    if (st == OCOP_ENOTFOUND || (st == OCOP_OK && !(record && id_from(record->bytes, &of))))
        return id_add(m, &m->told, &m->told_count, asked);
    for (size_t i = 0; st == OCOP_OK && !there && i < kind_count(); i++)
        if (kind_attachable(kind_at(i)))
            st = cache_exists(m->r, kind_at(i)->number, &of, &there, m->err);
    return st == OCOP_OK ? id_add(m, &m->told, &m->told_count, there ? &of : asked) : st;
}

enum ocop_status evidence_make(struct registry *r, const struct id *record,
                               const struct evidence_carry *carry, struct arena *a,
                               Ocop__Evidence__Bundle **out, struct ocop_error *err)
{
    struct making m = {.r = r, .a = a, .err = err};
    *out = NULL;
    m.b = arena_calloc(a, 1, sizeof *m.b);
    if (!m.b)
        return err_nomem(err);
    ocop__evidence__bundle__init(m.b);
    enum ocop_status st = registry_begin_read(r, err);
    if (st != OCOP_OK)
        return st;
    st = subject_take(&m, record);
    if (st == OCOP_OK)
        st = gather(&m);
    registry_rollback(r);
    if (st == OCOP_OK)
        st = evidence_files_take(r, m.told + 1, m.told_count - 1, carry, a, m.b, err);
    if (st == OCOP_OK)
        *out = m.b;
    return st;
}

enum ocop_status evidence_export(struct registry *r, const struct sign_key *root,
                                 const struct id *record, const struct evidence_carry *carry,
                                 FILE *out, struct ocop_error *err)
{
    struct arena a;
    struct buf file;
    Ocop__Evidence__Bundle *bundle;
    struct evidence e;
    arena_init(&a, EVIDENCE_ARENA_MAX);
    buf_init(&file, EVIDENCE_BYTES_MAX + KIB(1));
    enum ocop_status st = evidence_make(r, record, carry, &a, &bundle, err);
    if (st == OCOP_OK)
        st = evidence_check(bundle, root->public_key, &a, &e, err);
    if (st == OCOP_OK && e.finding_count)
        st = err_set(err, OCOP_EDAMAGED, "the story does not hold, see `ocopd log show`: %s",
                     e.findings[0]);
    if (st == OCOP_OK)
        st = evidence_seal(bundle, root, &file, err);
    if (st == OCOP_OK && fwrite(file.p, 1, file.len, out) != file.len)
        st = err_set(err, OCOP_EIO, "the bundle cannot be written: %m");
    if (st == OCOP_OK)
        st = evidence_contents_write(r, bundle, out, err);
    buf_fini(&file);
    arena_fini(&a);
    return st;
}
