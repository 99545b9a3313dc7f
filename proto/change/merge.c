/* The merge rule of design section 7. Pure: no database, no clock, no wire. What the registry does
 * with a change is decided here and nowhere else; who may make it is decided in rules.c. */
#include "merge.h"

#include <sodium.h>

#include "bounds.h"

/* The registry's value of a path is newer than what the author had seen, and another's. */
static bool unseen(const struct merge_in *in, const struct field *theirs, uint64_t base)
{
    return theirs && theirs->base > base && !in->own(in->own_self, theirs->base);
}

static const struct field *voided(const struct fields *state)
{
    const struct field *f = fields_find(state, FIELD_VOIDED, span_of(NULL, 0));
    return f && f->op == FIELD_SET && f->i ? f : NULL;
}

/* Has anything changed since `base` that the author of a void had not seen? */
static const struct field *unseen_edit(const struct merge_in *in, uint64_t base)
{
    for (size_t i = 0; i < in->state->count; i++)
        if (unseen(in, &in->state->v[i], base))
            return &in->state->v[i];
    return NULL;
}

enum verdict { TAKE, KEEP, HOLD };

/* One field of the change, `theirs` being what the registry holds (NULL: never had it). */
static enum verdict judge(const struct merge_in *in, const struct field *mine,
                          const struct field *theirs)
{
    bool gone = !theirs || theirs->op == FIELD_CLEAR;
    if (gone ? mine->op == FIELD_CLEAR : mine->op == FIELD_SET && field_value_equal(mine, theirs))
        return KEEP;
    if (!unseen(in, theirs, mine->base))
        return TAKE;
    const struct field_rule *rule = in->kind ? kind_field(in->kind, mine->number) : NULL;
    enum merge_rule merge = rule ? rule->merge : MERGE_HOLD;
    if (merge == MERGE_LAST)
        return TAKE;
    if (merge == MERGE_UNION && mine->op != theirs->op)
        return mine->op == FIELD_SET ? TAKE : KEEP; /* what anyone put in stays in */
    return HOLD;
}

static void conflict_add(struct merge_out *out, enum case_cause cause, const struct field *mine,
                         const struct field *theirs)
{
    out->conflicts[out->conflict_count++] =
        (struct conflict){.cause = cause, .mine = *mine, .theirs = theirs};
}

/* A void meets an edit it had not seen, or an edit meets a void: one case for the whole change,
 * and what the registry holds stands. */
static bool void_conflict(const struct merge_in *in, struct merge_out *out)
{
    const struct change *c = in->change;
    const struct field *theirs = NULL;
    struct field mine = {.number = FIELD_VOIDED, .op = FIELD_SET, .type = VALUE_INT};
    if (c->verb == VERB_VOID) {
        theirs = voided(in->state) ? NULL : unseen_edit(in, c->base);
        mine.i = 1;
    } else if (c->verb != VERB_CREATE) {
        const struct field *v = voided(in->state);
        theirs = unseen(in, v, c->base) ? v : NULL;
    }
    if (!theirs)
        return false;
    conflict_add(out, CASE_VOID, &mine, theirs);
    out->state = *in->state;
    return true;
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
    if (void_conflict(in, out))
        return OCOP_OK;
    for (size_t i = 0; i < c->fields.count; i++) {
        const struct field *mine = &c->fields.v[i];
        const struct field *theirs = fields_find(in->state, mine->number, mine->key);
        enum verdict verdict = judge(in, mine, theirs);
        if (verdict == TAKE)
            out->applied.v[out->applied.count++] = *mine;
        else if (verdict == HOLD)
            conflict_add(out, CASE_FIELD, mine, theirs);
    }
    out->equal = out->applied.count == 0 && out->conflict_count == 0;
    if (out->applied.count == 0) {
        out->state = *in->state;
        return OCOP_OK;
    }
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
