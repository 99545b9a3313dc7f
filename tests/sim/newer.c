/* Machines whose program is a version ahead: their officers fill in fields, and fields of elements,
 * that nobody else's program knows; a registry of the next version writes records of a kind that no
 * program here knows. All others must keep these, pass them on and not touch them. */
#include <stdio.h>

#include "bounds.h"
#include "kinds.h"
#include "sim.h"

enum { FIELD_NEWER = 70 };

/* A copy of a message, all of it but its head borrowed, with an unknown field put in or replaced.
 */
static ProtobufCMessage *with_field(struct arena *a, const ProtobufCMessage *m,
                                    const ProtobufCMessageUnknownField *f)
{
    unsigned n = 0;
    ProtobufCMessage *out =
        (ProtobufCMessage *)(void *)arena_dup(a, m, m->descriptor->sizeof_message);
    ProtobufCMessageUnknownField *v = arena_calloc(a, m->n_unknown_fields + 1, sizeof *v);
    CHECK(out && v);
    v[n++] = *f;
    for (unsigned i = 0; i < m->n_unknown_fields; i++)
        if (m->unknown_fields[i].tag != f->tag)
            v[n++] = m->unknown_fields[i];
    out->unknown_fields = v;
    out->n_unknown_fields = n;
    return out;
}

/* Text of its own or one of two, or a number. */
static ProtobufCMessageUnknownField value_drawn(struct sim *s, uint32_t tag, uint8_t room[16])
{
    ProtobufCMessageUnknownField f = {.tag = tag, .data = room};
    unsigned what = chance_below(&s->chance, 3);
    if (what == 0) {
        f.wire_type = PROTOBUF_C_WIRE_TYPE_VARINT;
        f.len = 1;
        room[0] = (uint8_t)(1 + chance_below(&s->chance, 3));
        f.tag += 1;
        return f;
    }
    f.wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    if (what == 1)
        snprintf((char *)room + 1, 15, "n%u", ++s->token);
    else
        snprintf((char *)room + 1, 15, "%s", chance_percent(&s->chance, 50) ? "x" : "y");
    room[0] = (uint8_t)strlen((char *)room + 1);
    f.len = room[0] + 1u;
    return f;
}

static void repack(const ProtobufCMessage *from, ProtobufCMessage **m)
{
    struct buf b;
    buf_init(&b, MIB(1));
    CHECK(buf_reserve(&b, protobuf_c_message_get_packed_size(from)));
    b.len = protobuf_c_message_pack(from, b.p);
    ProtobufCMessage *made = protobuf_c_message_unpack(from->descriptor, NULL, b.len, b.p);
    CHECK(made);
    buf_fini(&b);
    ocop_free(*m);
    *m = made;
}

void newer_edits(struct device *d, ProtobufCMessage **m)
{
    struct sim *s = d->sim;
    uint8_t room[16] = {0};
    if (!d->node.newer || !chance_percent(&s->chance, 40))
        return;
    sim_trace(s, "device %u fills in what only its program knows", d->index);
    s->figures.strange++;
    const Ocop__Inspection *is =
        (*m)->descriptor == &ocop__inspection__descriptor ? (const Ocop__Inspection *)*m : NULL;
    if (!is || is->n_answers == 0 || chance_percent(&s->chance, 50)) {
        const ProtobufCMessageUnknownField f = value_drawn(s, FIELD_NEWER, room);
        repack(with_field(&s->work, *m, &f), m);
        return;
    }
    const ProtobufCMessageUnknownField f = value_drawn(s, SUBFIELD_NEWER, room);
    Ocop__Inspection copy = *is;
    Ocop__Answer **answers = arena_calloc(&s->work, is->n_answers, sizeof *answers);
    CHECK(answers);
    memcpy(answers, is->answers, is->n_answers * sizeof *answers);
    unsigned i = chance_below(&s->chance, (unsigned)is->n_answers);
    answers[i] = (Ocop__Answer *)with_field(&s->work, &answers[i]->base, &f);
    copy.answers = answers;
    repack(&copy.base, m);
}

/* --- what is sealed there names the next version -------------------------------------------------
 */

enum ocop_status __real_changeset_seal(struct change_set *set, const struct sign_key *key,
                                       struct arena *a, struct sealed *out, struct ocop_error *err);
enum ocop_status __wrap_changeset_seal(struct change_set *set, const struct sign_key *key,
                                       struct arena *a, struct sealed *out, struct ocop_error *err);

enum ocop_status __wrap_changeset_seal(struct change_set *set, const struct sign_key *key,
                                       struct arena *a, struct sealed *out, struct ocop_error *err)
{
    const struct node *n = node_working();
    set->schema += n && n->newer;
    return __real_changeset_seal(set, key, a, out, err);
}
