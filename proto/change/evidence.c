/* What a bundle proves: signatures, keys and chains. Follows the registry's own sets as they enrol
 * who signs the others. What the changes did is evidence_replay.c's. */
#include "evidence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "bounds.h"

/* Fields of a replica's record that count here. */
enum {
    REPLICA_TYPE = 10,
    REPLICA_NUMBER,
    REPLICA_NAME,
    REPLICA_SIGN_KEY,
    REPLICA_STATE = 16,
    REPLICA_STATE_REASON,
    REPLICA_PREDECESSOR,
    REPLICA_PREDECESSOR_SEQ,
    REPLICA_SIGN_KEYS = 22
};

void evidence_found(struct evidence_checking *c, const char *format, ...)
{
    char line[320];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (c->e->finding_count < EVIDENCE_FINDINGS_MAX) {
        const char *copy = arena_dup(c->a, line, strlen(line));
        c->e->findings[c->e->finding_count] = copy ? copy : "(out of memory)";
    }
    c->e->finding_count++;
}

static enum ocop_status too_much(struct evidence_checking *c)
{
    return err_set(c->err, OCOP_ELIMIT, "the bundle holds too much");
}

static struct span span_in(const ProtobufCBinaryData *b)
{
    return span_of(b->data, b->len);
}

/* --- who signs -----------------------------------------------------------------------------------
 */

static struct evidence_replica *replica_find(struct evidence *e, const struct id *id)
{
    struct evidence_replica *r = e->replicas;
    while (r && !id_eq(&r->id, id))
        r = r->next;
    return r;
}

static enum ocop_status replica_at(struct evidence_checking *c, const struct id *id,
                                   struct evidence_replica **out)
{
    struct evidence_replica **end = &c->e->replicas;
    size_t count = 0;
    for (; *end && !id_eq(&(*end)->id, id); end = &(*end)->next)
        count++;
    if (!*end && count == EVIDENCE_PARTS_MAX)
        return too_much(c);
    if (!*end && !(*end = arena_calloc(c->a, 1, sizeof **end)))
        return err_nomem(c->err);
    *out = *end;
    (*out)->id = *id;
    return OCOP_OK;
}

static enum ocop_status key_add(struct evidence_checking *c, struct evidence_replica *r,
                                struct span key, uint64_t version, struct key_place place)
{
    struct evidence_key *k = arena_calloc(c->a, 1, sizeof *k);
    if (!k)
        return err_nomem(c->err);
    if (key.len == SIGN_PUBLIC_LEN)
        memcpy(k->key, key.p, SIGN_PUBLIC_LEN); /* else none that signs anything */
    k->version = version;
    k->place = place;
    k->before = r->keys;
    r->keys = k;
    return OCOP_OK;
}

/* A key of the registry's own: it counts with the word of the root of then. */
static enum ocop_status own_key(struct evidence_checking *c, struct evidence_replica *r,
                                const struct field *f, uint64_t version)
{
    struct field signature;
    struct key_place place;
    if (f->op != FIELD_SET || f->key.len != SIGN_PUBLIC_LEN || !key_place_read(f->bytes, &place) ||
        !element_get(f->bytes, 3, &signature) || signature.bytes.len != SIGNATURE_LEN ||
        !sign_key_vouched(root_chain_last(&c->e->roots), f->key.p, place.number, signature.bytes.p))
        return OCOP_OK;
    return key_add(c, r, f->key, version, place);
}

/* The first root signs the record's creation; others take its place. Before the keys for which they
 * vouch, in whatever order the elements stand. */
static void learn_roots(struct evidence_checking *c, const struct change *change)
{
    struct root_chain *roots = &c->e->roots;
    const struct field *first = fields_find(&change->fields, REPLICA_SIGN_KEY, span_of(NULL, 0));
    bool more = true, is_root;
    if (roots->count == 0 && first && first->bytes.len == SIGN_PUBLIC_LEN)
        root_chain_begin(roots, first->bytes.p);
    while (more) {
        const size_t before = roots->count;
        for (size_t i = 0; i < change->fields.count; i++) {
            const struct field *f = &change->fields.v[i];
            if (f->number == REPLICA_SIGN_KEYS && f->op == FIELD_SET)
                (void)root_chain_take(roots, f, &is_root);
        }
        more = roots->count > before;
    }
}

/* One that a device's own follows: from a sequence on. */
static enum ocop_status later_key(struct evidence_checking *c, struct evidence_replica *r,
                                  const struct field *f, uint64_t version)
{
    struct key_place place;
    if (f->op != FIELD_SET || !key_place_read(f->bytes, &place))
        return OCOP_OK;
    return key_add(c, r, f->key, version, place);
}

/* One change of a replica's record, by the registry itself. */
static enum ocop_status learn_change(struct evidence_checking *c, const struct change *change,
                                     const Ocop__Evidence__EvidenceSet *in)
{
    struct evidence_replica *r = NULL;
    const bool own = span_eq(id_span(&change->record), span_in(&c->e->bundle->registry));
    enum ocop_status st = replica_at(c, &change->record, &r);
    if (own)
        learn_roots(c, change);
    for (size_t i = 0; st == OCOP_OK && i < change->fields.count; i++) {
        const struct field *f = &change->fields.v[i];
        if (f->number == FIELD_OFFICER)
            id_from(f->bytes, &r->officer);
        else if (f->number == REPLICA_TYPE)
            r->type = f->bytes;
        else if (f->number == REPLICA_NUMBER)
            r->number = (uint32_t)f->i;
        else if (f->number == REPLICA_NAME)
            r->name = f->bytes;
        else if (own && f->number == REPLICA_SIGN_KEYS)
            st = own_key(c, r, f, in->version);
        else if (!own && f->number == REPLICA_SIGN_KEY && !r->keys)
            st = key_add(c, r, f->bytes, in->version,
                         (struct key_place){0}); /* later ones say from where on */
        else if (!own && f->number == REPLICA_SIGN_KEYS)
            st = later_key(c, r, f, in->version);
        else if (f->number == REPLICA_STATE_REASON)
            r->revoked_reason = f->bytes;
        else if (f->number == REPLICA_PREDECESSOR)
            id_from(f->bytes, &r->predecessor);
        else if (f->number == REPLICA_PREDECESSOR_SEQ)
            r->predecessor_seq = (uint64_t)f->i;
        else if (f->number == REPLICA_STATE) {
            /* one that is to be wiped sends first */
            const bool active =
                span_eq(f->bytes, span_str("active")) || span_eq(f->bytes, span_str("wipe"));
            r->revoked_version = active ? 0 : in->version;
            r->revoked_ms = active ? 0 : in->received_ms;
        }
    }
    if (st == OCOP_OK && !r->enrolled_version) {
        r->enrolled_version = in->version;
        r->enrolled_ms = in->received_ms;
    }
    return st;
}

/* Of those that were known by then, the one that holds for the sequence. */
static const uint8_t *key_of(const struct evidence_replica *r, uint64_t version, uint64_t seq)
{
    const struct evidence_key *best = NULL;
    for (const struct evidence_key *k = r->keys; k; k = k->before)
        if (k->version <= version && key_place_better(&k->place, seq, best ? &best->place : NULL))
            best = k;
    return best ? best->key : NULL;
}

/* May the replica have signed at this version, and did it? */
static bool signed_by(struct evidence_checking *c, const struct evidence_replica *r,
                      uint64_t version, uint64_t seq, const uint8_t hash[HASH_LEN],
                      struct span signature)
{
    const uint8_t *key = r ? key_of(r, version, seq) : NULL;
    c->e->signatures++;
    if (!key)
        evidence_found(c, "version %" PRIu64 ": its replica was not enrolled by then", version);
    else if (r->revoked_version && r->revoked_version < version)
        evidence_found(c, "version %" PRIu64 ": its device was revoked before", version);
    else if (signature.len != SIGNATURE_LEN ||
             changeset_verify(hash, signature.p, key, NULL) != OCOP_OK)
        evidence_found(c,
                       "version %" PRIu64 ", set %" PRIu64
                       " of its replica: the signature is not its author's",
                       version, seq);
    else
        return true;
    return false;
}

/* --- sets shown whole ----------------------------------------------------------------------------
 */

/* A change kept beyond the arena in which its set was opened. */
static enum ocop_status change_keep(struct evidence_checking *c, const struct change *in,
                                    struct change *out)
{
    struct buf b;
    buf_init(&b, MIB(8));
    enum ocop_status st = change_pack(in, &b, c->err);
    const char *copy = st == OCOP_OK && !b.failed ? arena_dup(c->a, b.p, b.len) : NULL;
    if (st == OCOP_OK)
        st = copy ? change_unpack(span_of(copy, b.len), c->a, out, c->err) : err_nomem(c->err);
    buf_fini(&b);
    return st;
}

static enum ocop_status change_note(struct evidence_checking *c, struct evidence_set *set,
                                    const struct change *change, uint32_t index)
{
    struct evidence *e = c->e;
    if (e->change_count == EVIDENCE_CHANGES_MAX)
        return too_much(c);
    struct evidence_change *more =
        arena_more(c->a, e->changes, e->change_count, sizeof *e->changes);
    if (!more)
        return err_nomem(c->err);
    e->changes = more;
    struct evidence_change *out = &e->changes[e->change_count++];
    *out = (struct evidence_change){.set = set, .index = index};
    set->holds_record = true;
    return change_keep(c, change, &out->c);
}

/* What of a set's changes counts: those of the record and its attachments, and the registry's about
 * replicas. */
static enum ocop_status changes_read(struct evidence_checking *c, struct evidence_set *set,
                                     const struct changes *changes)
{
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < changes->count; i++) {
        const struct change *change = &changes->v[i];
        if (set->own && change->kind == KIND_REPLICA) {
            struct change kept;
            st = change_keep(c, change, &kept);
            if (st == OCOP_OK)
                st = learn_change(c, &kept, set->in);
        }
        evidence_attached(c, set->in->version, change);
        if (st == OCOP_OK && evidence_tells_of(c->e, &change->record))
            st = change_note(c, set, change, (uint32_t)i);
    }
    return st;
}

/* By a root, or by a key that one vouched for by then. */
static bool signed_by_registry(const struct evidence *e, const struct evidence_replica *self,
                               const uint8_t hash[HASH_LEN], const uint8_t *signature)
{
    const struct evidence_key *k = self ? self->keys : NULL;
    bool good = false;
    for (size_t i = 0; !good && i < e->roots.count; i++)
        good = changeset_verify(hash, signature, e->roots.key[i], NULL) == OCOP_OK;
    for (; !good && k; k = k->before)
        good = changeset_verify(hash, signature, k->key, NULL) == OCOP_OK;
    return good;
}

static enum ocop_status set_read(struct evidence_checking *c, struct evidence_set *set,
                                 struct arena *scratch)
{
    struct evidence *e = c->e;
    struct change_set opened;
    struct ocop_error why = {0};
    struct id registry = {{0}};
    id_from(span_in(&e->bundle->registry), &registry);
    enum ocop_status st = changeset_open(span_in(&set->in->body), scratch, &opened, &why);
    if (st == OCOP_ENOMEM && !scratch->full)
        return err_nomem(c->err);
    if (st != OCOP_OK) {
        evidence_found(c, "version %" PRIu64 ": %s", set->in->version,
                       set->in->has_body ? why.text : "it is missing in the log");
        return OCOP_OK;
    }
    set->readable = true;
    set->own = id_eq(&opened.replica, &registry);
    set->head = opened;
    set->head.changes = (struct changes){NULL, 0}; /* they and the spans end with the scratch */
    set->head.head = set->head.columns = span_of(NULL, 0);
    st = changes_read(c, set, &opened.changes);
    if (st != OCOP_OK)
        return st;
    set->replica = replica_find(e, &opened.replica);
    if (!set->own) {
        set->signature_good = signed_by(c, set->replica, set->in->version, opened.seq, opened.hash,
                                        span_in(&set->in->signature));
        return OCOP_OK;
    }
    e->signatures++;
    set->signature_good = set->in->signature.len == SIGNATURE_LEN &&
                          signed_by_registry(e, set->replica, opened.hash, set->in->signature.data);
    set->chain_good = set->signature_good; /* the registry's word, and no chain is needed for it */
    if (!set->signature_good)
        evidence_found(c, "version %" PRIu64 ": the signature is not the registry's",
                       set->in->version);
    return OCOP_OK;
}

static enum ocop_status sets_read(struct evidence_checking *c)
{
    const Ocop__Evidence__Bundle *b = c->e->bundle;
    struct arena scratch;
    enum ocop_status st = OCOP_OK;
    c->e->sets = arena_calloc(c->a, b->n_sets + 1, sizeof *c->e->sets);
    if (!c->e->sets)
        return err_nomem(c->err);
    arena_init(&scratch, ARENA_REQUEST_MAX);
    for (size_t i = 0; st == OCOP_OK && i < b->n_sets; i++) {
        struct evidence_set *set = &c->e->sets[c->e->set_count++];
        set->in = b->sets[i];
        if (i > 0 && set->in->version <= b->sets[i - 1]->version)
            evidence_found(c, "version %" PRIu64 " is out of its order", set->in->version);
        if (set->in->version == 0 || set->in->version > b->head_version)
            evidence_found(c, "version %" PRIu64 " is none of this log", set->in->version);
        st = set_read(c, set, &scratch);
        arena_reset(&scratch);
        if (st == OCOP_OK && set->readable && set->in->version == b->head_version &&
            !span_eq(span_in(&b->head_hash), span_of(set->head.hash, HASH_LEN)))
            evidence_found(c, "the end of the log has another hash than the set there");
    }
    arena_fini(&scratch);
    return st;
}

/* --- chains --------------------------------------------------------------------------------------
 */

static struct evidence_set *set_at(struct evidence *e, uint64_t version)
{
    size_t lo = 0, hi = e->set_count;
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (e->sets[mid].in->version < version)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < e->set_count && e->sets[lo].in->version == version ? &e->sets[lo] : NULL;
}

struct walk {
    struct evidence_replica *replica;
    uint64_t seq, version; /* of the link before */
    uint8_t hash[HASH_LEN];
    bool good;
};

/* The header of a link: of the set that is shown whole, or of its head. */
static bool link_read(struct evidence *e, const Ocop__Evidence__EvidenceLink *link,
                      struct evidence_set **whole, struct change_set *out)
{
    *whole = link->has_head ? NULL : set_at(e, link->version);
    if (*whole)
        *out = (*whole)->head;
    if (*whole || !link->has_head)
        return *whole && (*whole)->readable;
    return link->changes_hash.len == HASH_LEN &&
           changeset_link(span_in(&link->head), link->changes_hash.data, out, NULL) == OCOP_OK;
}

static void link_check(struct evidence_checking *c, const Ocop__Evidence__EvidenceLink *link,
                       struct walk *w)
{
    static const uint8_t none[HASH_LEN];
    struct evidence_set *whole;
    struct change_set head;
    bool good = link_read(c->e, link, &whole, &head);
    w->seq++;
    if (!good && !whole) /* else it was told of already */
        evidence_found(c, "set %" PRIu64 " of a replica is missing or cannot be read", w->seq);
    w->replica->links++;
    c->e->links++;
    if (good && (!id_eq(&head.replica, &w->replica->id) || head.seq != w->seq)) {
        evidence_found(c, "version %" PRIu64 ": it is not set %" PRIu64 " of its replica",
                       link->version, w->seq);
        good = false;
    }
    if (good && memcmp(head.prev_hash, w->seq == 1 ? none : w->hash, HASH_LEN) != 0) {
        evidence_found(c,
                       "version %" PRIu64 ": it does not continue set %" PRIu64 " of its replica",
                       link->version, w->seq - 1);
        good = false;
    }
    if (good && (link->version <= w->version || link->version > c->e->bundle->head_version)) {
        evidence_found(c, "version %" PRIu64 " is out of its order", link->version);
        good = false;
    }
    if (good && !whole)
        good =
            signed_by(c, w->replica, link->version, w->seq, head.hash, span_in(&link->signature));
    w->replica->shown += whole != NULL;
    if (whole)
        whole->chain_good = good;
    w->good = w->good && good;
    w->version = link->version;
    if (good)
        memcpy(w->hash, head.hash, HASH_LEN);
    else
        memset(w->hash, 0, HASH_LEN);
}

static void chain_check(struct evidence_checking *c, const Ocop__Evidence__EvidenceChain *chain)
{
    struct id id = {{0}};
    id_from(span_in(&chain->replica), &id);
    struct walk w = {.replica = replica_find(c->e, &id), .good = true};
    if (!w.replica || w.replica->links) {
        evidence_found(c, "a chain of %s is given", w.replica ? "one replica twice" : "no replica");
        return;
    }
    for (size_t i = 0; i < chain->n_links; i++)
        link_check(c, chain->links[i], &w);
    w.replica->chain_good = w.good && w.seq > 0;
}

static const Ocop__Evidence__EvidenceChain *chain_of(const struct evidence *e, const struct id *id)
{
    for (size_t i = 0; i < e->bundle->n_chains; i++)
        if (span_eq(span_in(&e->bundle->chains[i]->replica), id_span(id)))
            return e->bundle->chains[i];
    return NULL;
}

/* A store that was copied goes on under another replica: its first set names the last one that both
 * have. */
static void fork_check(struct evidence_checking *c, const Ocop__Evidence__EvidenceChain *chain)
{
    struct evidence_set *whole;
    struct change_set first, last;
    if (!chain->n_links || !link_read(c->e, chain->links[0], &whole, &first) ||
        id_is_zero(&first.predecessor) || first.predecessor_seq == 0)
        return;
    const Ocop__Evidence__EvidenceChain *before = chain_of(c->e, &first.predecessor);
    if (before && first.predecessor_seq <= before->n_links &&
        link_read(c->e, before->links[first.predecessor_seq - 1], &whole, &last) &&
        memcmp(last.hash, first.predecessor_hash, HASH_LEN) == 0)
        return;
    evidence_found(c, "version %" PRIu64 ": the set that it continues is not shown",
                   chain->links[0]->version);
    struct evidence_replica *r = replica_find(c->e, &first.replica);
    if (r)
        r->chain_good = false;
}

static void chains_check(struct evidence_checking *c)
{
    const Ocop__Evidence__Bundle *b = c->e->bundle;
    for (size_t i = 0; i < b->n_chains; i++)
        chain_check(c, b->chains[i]);
    for (size_t i = 0; i < b->n_chains; i++)
        fork_check(c, b->chains[i]);
    for (size_t i = 0; i < c->e->set_count; i++) {
        const struct evidence_set *set = &c->e->sets[i];
        if (set->readable && set->signature_good && !set->chain_good &&
            (!set->replica || !set->replica->links || set->replica->chain_good))
            evidence_found(c, "version %" PRIu64 ": its place in its replica's chain is not shown",
                           set->in->version);
    }
}

/* --- cases ---------------------------------------------------------------------------------------
 */

static const struct evidence_change *decision_of(const struct evidence *e, struct span id)
{
    for (size_t i = 0; i < e->change_count; i++)
        if (span_eq(e->changes[i].c.case_id, id))
            return &e->changes[i];
    return NULL;
}

static enum ocop_status cases_read(struct evidence_checking *c)
{
    struct evidence *e = c->e;
    const Ocop__Evidence__Bundle *b = e->bundle;
    e->cases = arena_calloc(c->a, b->n_cases + 1, sizeof *e->cases);
    if (!e->cases)
        return err_nomem(c->err);
    for (size_t i = 0; i < b->n_cases; i++) {
        const Ocop__Evidence__EvidenceCase *in = b->cases[i];
        const struct evidence_set *set = set_at(e, in->version);
        struct id other = {{0}};
        id_from(span_in(&in->other), &other);
        struct evidence_case *out = &e->cases[e->case_count++];
        *out = (struct evidence_case){.in = in, .decision = decision_of(e, span_in(&in->id))};
        if (!set || !set->readable)
            continue; /* of another record: the registry's word */
        const struct id id = case_id(set->head.hash, in->index, in->number, span_in(&in->element),
                                     (enum case_cause)in->cause, other);
        out->id_good = span_eq(id_span(&id), span_in(&in->id));
        if (!out->id_good)
            evidence_found(c, "a case of version %" PRIu64 " does not follow from it", in->version);
    }
    return OCOP_OK;
}

/* --- all of it -----------------------------------------------------------------------------------
 */

const Ocop__Evidence__EvidenceName *evidence_name(const struct evidence *e, const struct id *id,
                                                  uint64_t version)
{
    const Ocop__Evidence__EvidenceName *found = NULL;
    for (size_t i = 0; i < e->bundle->n_names; i++) {
        const Ocop__Evidence__EvidenceName *n = e->bundle->names[i];
        if (span_eq(span_in(&n->id), id_span(id)) && n->version <= version &&
            (!found || n->version >= found->version))
            found = n;
    }
    return found;
}

enum ocop_status evidence_check(const Ocop__Evidence__Bundle *bundle,
                                const uint8_t root_key[SIGN_PUBLIC_LEN], struct arena *a,
                                struct evidence *out, struct ocop_error *err)
{
    struct evidence_checking c = {out, a, err};
    struct id registry;
    *out = (struct evidence){.bundle = bundle, .root_key = root_key};
    out->findings = arena_calloc(a, EVIDENCE_FINDINGS_MAX, sizeof *out->findings);
    if (!out->findings)
        return err_nomem(err);
    if (!id_from(span_in(&bundle->record), &out->record) ||
        !id_from(span_in(&bundle->registry), &registry))
        evidence_found(&c, "the bundle does not say of which record or registry it is");
    if (bundle->n_sets > EVIDENCE_PARTS_MAX || bundle->n_names > EVIDENCE_PARTS_MAX ||
        bundle->n_chains > EVIDENCE_PARTS_MAX || bundle->n_cases > EVIDENCE_CASES_MAX)
        return too_much(&c);
    enum ocop_status st = evidence_files_begin(&c);
    if (st == OCOP_OK)
        st = sets_read(&c);
    if (st != OCOP_OK)
        return st;
    if (!root_chain_leads(&out->roots, root_key, root_key))
        evidence_found(&c, "the registry of this record is not that of the root key");
    chains_check(&c);
    st = cases_read(&c);
    if (st == OCOP_OK)
        st = evidence_replay(&c);
    if (st == OCOP_OK)
        evidence_files_check(&c);
    if (st == OCOP_OK && out->change_count == 0)
        evidence_found(&c, "no change-set of the bundle has a change of the record");
    return st == OCOP_ENOMEM && a->full ? too_much(&c) : st;
}
