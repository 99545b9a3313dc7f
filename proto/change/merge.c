/* The merge rule of design section 7. Pure: no database, no clock, no wire. What the registry does
 * with a change is decided here and nowhere else; who may make it is decided in rules.c. */
#include "merge.h"

#include <sodium.h>

#include "bounds.h"

/* The registry's value of a path is newer than what the author had seen, and another's. */
static enum ocop_status unseen(const struct merge_in *in, const struct field *theirs, uint64_t base,
                               bool *out)
{
    bool own = false;
    *out = theirs && theirs->base > base && !field_follows(in->change->kind, theirs->number);
    enum ocop_status st = *out ? in->own(in->own_self, theirs, &own) : OCOP_OK;
    *out = *out && !own;
    return st;
}

static const struct field *voided(const struct fields *state)
{
    const struct field *f = fields_find(state, FIELD_VOIDED, span_of(NULL, 0));
    return f && f->op == FIELD_SET && f->i ? f : NULL;
}

/* Has anything changed since `base` that the author of a void had not seen? */
static enum ocop_status unseen_edit(const struct merge_in *in, uint64_t base,
                                    const struct field **out)
{
    enum ocop_status st = OCOP_OK;
    bool found = false;
    *out = NULL;
    for (size_t i = 0; st == OCOP_OK && !found && i < in->state->count; i++) {
        st = unseen(in, &in->state->v[i], base, &found);
        *out = found ? &in->state->v[i] : NULL;
    }
    return st;
}

enum verdict { TAKE, KEEP, HOLD };

/* One field of the change, `theirs` being what the registry holds (NULL: never had it). */
static enum ocop_status judge(const struct merge_in *in, const struct field *mine,
                              const struct field *theirs, enum verdict *out)
{
    bool gone = !theirs || theirs->op == FIELD_CLEAR, news;
    *out = KEEP;
    if (gone ? mine->op == FIELD_CLEAR : mine->op == FIELD_SET && field_value_equal(mine, theirs))
        return OCOP_OK;
    const struct field_rule *rule = in->kind ? kind_field(in->kind, mine->number) : NULL;
    enum merge_rule merge = rule ? rule->merge : MERGE_HOLD;
    enum ocop_status st = unseen(in, theirs, mine->base, &news);
    /* In a union, what anyone put in stays in; a removal that had not seen it is for a person. */
    bool put_in = merge == MERGE_UNION && mine->op == FIELD_SET && gone;
    *out = !news || merge == MERGE_LAST || put_in ? TAKE : HOLD;
    return st;
}

static void conflict_add(struct merge_out *out, enum case_cause cause, const struct field *mine,
                         const struct field *theirs)
{
    out->conflicts[out->conflict_count++] =
        (struct conflict){.cause = cause, .mine = *mine, .theirs = theirs};
}

/* A void meets an edit it had not seen, or an edit meets a void: one case for the whole change,
 * and what the registry holds stands. */
static enum ocop_status void_conflict(const struct merge_in *in, struct merge_out *out)
{
    const struct change *c = in->change;
    const struct field *theirs = voided(in->state);
    struct field mine = {.number = FIELD_VOIDED, .op = FIELD_SET, .type = VALUE_INT};
    enum ocop_status st = OCOP_OK;
    bool conflict = false;
    if (c->verb != VERB_VOID) {
        st = unseen(in, theirs, c->base, &conflict);
    } else if (!theirs) {
        st = unseen_edit(in, c->base, &theirs);
        conflict = theirs != NULL;
        mine.i = 1;
    }
    if (st == OCOP_OK && conflict)
        conflict_add(out, CASE_VOID, &mine, theirs);
    out->state = *in->state;
    return st;
}

enum ocop_status merge_change(const struct merge_in *in, struct arena *a, struct merge_out *out,
                              struct ocop_error *err)
{
    const struct change *c = in->change;
    *out = (struct merge_out){0};
    out->conflicts = arena_calloc(a, c->fields.count + 1, sizeof *out->conflicts);
    out->applied.v = arena_calloc(a, c->fields.count + 1, sizeof *out->applied.v);
    if (!out->conflicts || !out->applied.v)
        return err_nomem(err);
    enum ocop_status st = void_conflict(in, out);
    if (st != OCOP_OK || out->conflict_count)
        return st;
    for (size_t i = 0; i < c->fields.count; i++) {
        const struct field *mine = &c->fields.v[i];
        const struct field *theirs = fields_find(in->state, mine->number, mine->key);
        enum verdict verdict;
        st = judge(in, mine, theirs, &verdict);
        if (st != OCOP_OK)
            return st;
        if (verdict == TAKE)
            out->applied.v[out->applied.count++] = *mine;
        else if (verdict == HOLD)
            conflict_add(out, CASE_FIELD, mine, theirs);
    }
    out->equal = out->applied.count == 0 && out->conflict_count == 0;
    if (out->applied.count == 0)
        return OCOP_OK;
    return fields_apply(in->state, &out->applied, in->version, true, a, &out->state, err);
}

struct id case_id(const uint8_t set_hash[32], uint32_t index, uint32_t number, struct span key,
                  enum case_cause cause, struct id other)
{
    uint8_t head[13] = {'c',
                        (uint8_t)cause,
                        (uint8_t)(index >> 24),
                        (uint8_t)(index >> 16),
                        (uint8_t)(index >> 8),
                        (uint8_t)index,
                        (uint8_t)(number >> 24),
                        (uint8_t)(number >> 16),
                        (uint8_t)(number >> 8),
                        (uint8_t)number,
                        0,
                        0,
                        (uint8_t)key.len};
    struct id id;
    crypto_generichash_state h;
    crypto_generichash_init(&h, NULL, 0, ID_LEN);
    crypto_generichash_update(&h, set_hash, 32);
    crypto_generichash_update(&h, head, sizeof head);
    crypto_generichash_update(&h, other.b, ID_LEN);
    if (key.len)
        crypto_generichash_update(&h, key.p, key.len);
    crypto_generichash_final(&h, id.b, ID_LEN);
    id.b[6] = (uint8_t)(0x80 | (id.b[6] & 0x0f)); /* the form of every other id */
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}
