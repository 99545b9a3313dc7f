/* What closes a case and what opens one, what nobody amends, and as whom a device is taken: changes
 * that no client of ours would make, from officers who have some rights. */
#include "test.h"

#include "assign.h"
#include "bounds.h"
#include "cases.h"
#include "columns.h"
#include "hand.h"
#include "records.pb-c.h"
#include "values.h"

static struct id fresh(struct world *w)
{
    return id_next(&w->registry->ids, w->registry->env);
}

static uint64_t now_at(struct world *w)
{
    return (uint64_t)world_count(w, "SELECT max(version) FROM log");
}

static int64_t open_cases(struct world *w)
{
    return world_count(w, "SELECT count(*) FROM cases WHERE closed_version IS NULL");
}

static struct field number(uint32_t n, int64_t v)
{
    return (struct field){.number = n, .op = FIELD_SET, .type = VALUE_INT, .i = v};
}

static struct change created(uint32_t kind, const struct id *id, struct field *v, size_t n)
{
    return (struct change){.kind = kind, .verb = VERB_CREATE, .record = *id, .fields = {v, n}};
}

static void roles(struct world *w, unsigned n, const char *text)
{
    struct ocop_error err = {0};
    hand_must(assign_roles(w->registry, &w->keys, &w->officers[n], text, "thử", &err), &err);
}

static struct id import_producer(struct world *w, const struct id *unit, const char *name,
                                 const char *tax)
{
    const struct id id = fresh(w);
    struct field v[] = {ref(2, unit), text(10, name), text(11, "cooperative"), text(12, tax)};
    struct change c = created(KIND_PRODUCER, &id, v, 4);
    world_import(w, &c, 1);
    return id;
}

/* The one outcome of the changes that were pushed last. */
static const Ocop__Sync__Outcome *only(const Ocop__Sync__SyncReply *reply)
{
    assert_int_equal(reply->n_outcomes, 1);
    return reply->outcomes[0];
}

static enum ocop_status resolve(struct world *w, const struct id *of, enum case_take take)
{
    struct ocop_error err = {0};
    enum ocop_status st = case_resolve(w->registry, &w->keys, of, take, "\"ba\"", "đã xem lại",
                                       &w->officers[0], &err);
    if (st != OCOP_OK)
        print_message("%s\n", err.text);
    return st;
}

/* --- what closes a case --- */

static struct id collide_elsewhere(struct world *w)
{
    (void)import_producer(w, &w->other_commune, "HTX Một", "T1");
    (void)import_producer(w, &w->other_commune, "HTX Hai", "T1");
    return world_case(w);
}

static void a_case_is_closed_by_a_change_of_its_own_record_alone(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 0); /* a reconciler, of another commune than the case is of */
    const struct id of = collide_elsewhere(w);
    struct field v = hand_text(16, "0900");
    struct change c = hand_change(&h, KIND_PRODUCER, VERB_AMEND, w->producer, &v, 1);
    c.case_id = id_span(&of);
    assert_int_equal(only(hand_push(w, &h, &c, 1))->code, OUTCOME_REFUSED);
    assert_int_equal(open_cases(w), 1);
}

static void a_registrar_closes_no_case_of_a_producer(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    roles(w, 1, "registrar");
    const struct id of = collide_elsewhere(w);
    struct field v = hand_text(11, "Xã Đức Lập mới");
    struct change c = hand_change(&h, KIND_UNIT, VERB_AMEND, w->commune, &v, 1);
    c.case_id = id_span(&of);
    c.base = v.base = now_at(w);
    (void)hand_push(w, &h, &c, 1);
    assert_int_equal(open_cases(w), 1);
}

/* An id names one record of each kind. */
static void a_record_of_another_kind_by_the_same_id_closes_no_case(void **state)
{
    struct world *w = *state;
    struct hand a, b;
    hand_enrol(w, &a, 0);
    hand_enrol(w, &b, 1);
    struct field theirs = hand_text(22, "một"), mine = hand_text(22, "hai");
    struct change c = hand_change(&a, KIND_PRODUCER, VERB_AMEND, w->producer, &theirs, 1);
    assert_int_equal(hand_push(w, &a, &c, 1)->n_outcomes, 0);
    c = hand_change(&b, KIND_PRODUCER, VERB_AMEND, w->producer, &mine, 1);
    assert_int_equal(only(hand_push(w, &b, &c, 1))->code, OUTCOME_CASE);
    struct field v[] = {ref(2, &w->commune), ref(3, &b.officer),     ref(10, &w->producer),
                        text(14, "planned"), text(17, "2026-07-01"), text(26, "pass")};
    c = hand_change(&b, KIND_INSPECTION, VERB_CREATE, w->producer, v, 6);
    assert_int_equal(hand_push(w, &b, &c, 1)->n_outcomes, 0);
    c = hand_change(&b, KIND_INSPECTION, VERB_AMEND, w->producer, &mine, 1);
    assert_int_equal(hand_push(w, &b, &c, 1)->n_outcomes, 0);
    assert_int_equal(open_cases(w), 1);
}

/* A kind of a later program: nobody here knows its rules, but its cases can be decided. */
static void a_case_of_an_unknown_kind_is_resolved(void **state)
{
    struct world *w = *state;
    struct hand a, b;
    hand_enrol(w, &a, 0);
    hand_enrol(w, &b, 1);
    const struct id id = fresh(w);
    struct field v[] = {ref(2, &w->commune), ref(3, &a.officer), text(40, "một")};
    struct change c = hand_change(&a, 99, VERB_CREATE, id, v, 3);
    (void)hand_push(w, &a, &c, 1);
    const uint64_t seen = now_at(w);
    struct field two = text(40, "hai"), three = text(40, "ba");
    c = hand_change(&a, 99, VERB_AMEND, id, &two, 1);
    (void)hand_push(w, &a, &c, 1);
    c = hand_change(&b, 99, VERB_AMEND, id, &three, 1);
    c.base = three.base = seen;
    assert_int_equal(only(hand_push(w, &b, &c, 1))->code, OUTCOME_CASE);
    const struct id of = world_case(w);
    assert_int_equal(resolve(w, &of, TAKE_THEIRS), OCOP_OK);
    assert_int_equal(open_cases(w), 0);
}

/* --- what opens one --- */

/* Voided, and meanwhile another producer takes its tax code, rightly. Who brings the first back has
 * two of them. */
static void a_record_that_comes_back_brings_its_keys(void **state)
{
    struct world *w = *state;
    struct hand h, reviewer;
    hand_enrol(w, &reviewer, 0);
    hand_enrol(w, &h, 1);
    const struct id first = import_producer(w, &w->commune, "HTX Một", "T1");
    const uint64_t seen = now_at(w);
    struct field gone[] = {number(6, 1), text(7, "giải thể")};
    struct change c = {.kind = KIND_PRODUCER,
                       .verb = VERB_VOID,
                       .record = first,
                       .base = seen,
                       .fields = {gone, 2}};
    gone[0].base = gone[1].base = seen;
    world_import(w, &c, 1);
    struct field phone = hand_text(16, "0900");
    c = hand_change(&h, KIND_PRODUCER, VERB_AMEND, first, &phone, 1);
    c.base = phone.base = seen;
    assert_int_equal(only(hand_push(w, &h, &c, 1))->code, OUTCOME_CASE);
    const struct id of = world_case(w);
    (void)import_producer(w, &w->commune, "HTX Hai", "T1");
    assert_int_equal(open_cases(w), 1); /* a voided record has no key */
    assert_int_equal(resolve(w, &of, TAKE_MINE), OCOP_OK);
    assert_int_equal(world_count(w, "SELECT count(*) FROM producer WHERE tax_code = 'T1'"
                                    " AND voided IS NOT 1"),
                     2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE closed_version IS NULL"
                                    " AND other IS NOT NULL"),
                     1);
}

static void one_key_in_two_normal_forms_is_a_collision(void **state)
{
    static const char *const forms[] = {
        "SP-Tr\xc3\xa0 \xc4\x91\xe1\xba\xad"
        "m", /* NFC */
        "SP-Tra\xcc\x80 \xc4\x91"
        "a\xcc\xa3\xcc\x82"
        "m", /* NFD */
        "SP-Tr\xc3\xa0 \xc4\x91"
        "a\xcc\xa3\xcc\x82"
        "m", /* some of each */
    };
    struct world *w = *state;
    for (size_t i = 0; i < 3; i++) {
        const struct id id = fresh(w);
        struct field v[] = {ref(2, &w->commune), text(10, "Trà"), ref(11, &w->producer),
                            text(12, forms[i])};
        struct change c = created(KIND_PRODUCT, &id, v, 4);
        world_import(w, &c, 1);
        assert_int_equal(open_cases(w), i == 0 ? 0 : i == 1 ? 1 : 3);
    }
}

static void a_reference_waits_for_a_record_of_its_kind(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    const struct id p = fresh(w), lost = fresh(w);
    struct field one[] = {ref(2, &w->commune), ref(3, &h.officer), text(10, "Trà"), ref(11, &lost)};
    struct change c = hand_change(&h, KIND_PRODUCT, VERB_CREATE, p, one, 4);
    (void)hand_push(w, &h, &c, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM dangling"), 1);
    struct field two[] = {ref(2, &w->commune), ref(3, &h.officer), text(10, "Khác"),
                          ref(11, &w->producer)};
    c = hand_change(&h, KIND_PRODUCT, VERB_CREATE, lost, two, 4); /* no producer, under that id */
    (void)hand_push(w, &h, &c, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM dangling"), 1);
    struct field three[] = {ref(2, &w->commune), ref(3, &h.officer), text(10, "HTX"),
                            text(11, "cooperative")};
    c = hand_change(&h, KIND_PRODUCER, VERB_CREATE, lost, three, 4);
    (void)hand_push(w, &h, &c, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM dangling"), 0);
}

/* --- what nobody amends --- */

static void what_was_recorded_is_amended_by_nobody(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 0); /* central staff, too */
    const struct id check = fresh(w), photo = fresh(w), other = fresh(w);
    uint8_t hash[FILE_HASH_LEN] = {1};
    struct field v[] = {ref(2, &w->commune),   ref(3, &h.officer),  number(4, 1790000000000),
                        ref(10, &w->producer), text(11, "planned"), text(14, "2026-09-22"),
                        text(36, "pass")};
    struct field f[] = {
        ref(2, &w->commune),
        ref(3, &h.officer),
        number(4, 1790000000000),
        ref(10, &check),
        text(11, "photo"),
        text(16, "image/jpeg"),
        number(17, 5),
        {.number = 18, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = span_of(hash, sizeof hash)}};
    struct change both[] = {hand_change(&h, KIND_ENVIRONMENTAL_CHECK, VERB_CREATE, check, v, 7),
                            hand_change(&h, KIND_ATTACHMENT, VERB_CREATE, photo, f, 8)};
    const Ocop__Sync__SyncReply *reply = hand_push(w, &h, both, 2);
    for (size_t i = 0; i < reply->n_outcomes; i++)
        print_message("%s: %s\n", reply->outcomes[i]->field, reply->outcomes[i]->text);
    assert_int_equal(reply->n_outcomes, 0);
    struct field size = number(17, 6), when = number(4, 1600000000000), who = ref(3, &other);
    struct change c[] = {hand_change(&h, KIND_ATTACHMENT, VERB_AMEND, photo, &size, 1),
                         hand_change(&h, KIND_ENVIRONMENTAL_CHECK, VERB_AMEND, check, &when, 1),
                         hand_change(&h, KIND_ENVIRONMENTAL_CHECK, VERB_AMEND, check, &who, 1)};
    for (size_t i = 0; i < 3; i++) {
        c[i].base = c[i].fields.v->base = now_at(w);
        assert_int_equal(only(hand_push(w, &h, &c[i], 1))->code, OUTCOME_REFUSED);
    }
    assert_int_equal(world_count(w, "SELECT size FROM attachment"), 5);
}

/* --- as whom a device is taken --- */

static size_t told(struct world *w, const Ocop__Sync__Reply *reply, uint32_t kind, uint32_t field)
{
    struct changes all;
    struct ocop_error err = {0};
    size_t n = 0;
    if (!reply->sync->records)
        return 0;
    hand_must(columns_decode(reply->sync->records, &w->arena, &all, &err), &err);
    for (size_t i = 0; i < all.count; i++)
        for (size_t f = 0; f < all.v[i].fields.count; f++)
            n += all.v[i].kind == kind && all.v[i].fields.v[f].number == field;
    return n;
}

/* One channel key, two invitations: a laboratory's, and that of an inspector of another commune. */
static void a_key_of_two_officers_reads_as_each_of_them(void **state)
{
    struct world *w = *state;
    struct hand lab, other;
    struct invitation inv;
    hand_enrol(w, &lab, 1);
    roles(w, 1, "laboratory");
    const struct id s = fresh(w);
    struct field v[] = {
        ref(2, &w->commune),       number(4, 1),  ref(10, &w->producer), ref(11, &w->product),
        number(14, 1790000000000), text(23, "1"), text(24, "kg")};
    struct change c = created(KIND_SAMPLE, &s, v, 7);
    world_import(w, &c, 1);
    other = lab;
    other.officer = w->officers[2];
    other.replica = fresh(w);
    hand_invite(w, &other, &inv);
    assert_int_equal(hand_redeem(w, &other, &inv)->code, OCOP_OK);
    const Ocop__Sync__Reply *reply = hand_sync(w, &lab, NULL, 0, NULL);
    assert_int_equal(told(w, reply, KIND_SAMPLE, 24), 1);
    assert_int_equal(told(w, reply, KIND_SAMPLE, 10), 0); /* without whose it is */
}

/* The old keys could not sync any more; their old invitation still brought what an officer's record
 * holds. */
static void replaced_keys_get_no_certificate_by_their_old_invitation(void **state)
{
    struct world *w = *state;
    struct hand h, with_new;
    struct rekey k = {.from_seq = 1};
    uint8_t by_old[SIGNATURE_LEN], by_new[SIGNATURE_LEN];
    hand_enrol(w, &h, 1);
    hand_new(w, &with_new, h.officer);
    with_new.replica = k.replica = h.replica;
    memcpy(k.sign_key, with_new.sign.public_key, SIGN_PUBLIC_LEN);
    memcpy(k.channel_key, with_new.channel.public_key, CHANNEL_KEY_LEN);
    rekey_sign(&k, &h.sign, by_old);
    rekey_sign(&k, &with_new.sign, by_new);
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__Rekey in = OCOP__SYNC__REKEY__INIT;
    request.sync = &sync;
    sync.rekey = &in;
    sync.has_replica = sync.has_lineage = 1;
    sync.replica = (ProtobufCBinaryData){ID_LEN, h.replica.b};
    sync.lineage = (ProtobufCBinaryData){ID_LEN, w->registry->lineage.b};
    in.has_sign_key = in.has_from_seq = in.has_signature = in.has_proof = 1;
    in.sign_key = (ProtobufCBinaryData){SIGN_PUBLIC_LEN, k.sign_key};
    in.from_seq = 1;
    in.signature = (ProtobufCBinaryData){SIGNATURE_LEN, by_old};
    in.proof = (ProtobufCBinaryData){SIGNATURE_LEN, by_new};
    assert_int_equal(hand_ask(w, &with_new, &request, &w->arena)->code, OCOP_OK);
    assert_int_equal(hand_redeem(w, &with_new, &h.invitation)->code, OCOP_ESTATE);
    const Ocop__Sync__Reply *reply = hand_redeem(w, &h, &h.invitation);
    assert_int_equal(reply->code, OCOP_EREVOKED);
    assert_null(reply->enrolment);
}

static void a_voided_officer_has_no_rights(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 0);
    struct field v[] = {number(6, 1), text(7, "nghỉ việc")};
    struct change c = {.kind = KIND_OFFICER,
                       .verb = VERB_VOID,
                       .record = h.officer,
                       .base = now_at(w),
                       .fields = {v, 2}};
    v[0].base = v[1].base = c.base;
    world_import(w, &c, 1);
    struct field phone = hand_text(16, "0900");
    c = hand_change(&h, KIND_PRODUCER, VERB_AMEND, w->producer, &phone, 1);
    assert_int_equal(only(hand_push(w, &h, &c, 1))->code, OUTCOME_REFUSED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(a_case_is_closed_by_a_change_of_its_own_record_alone),
        T(a_registrar_closes_no_case_of_a_producer),
        T(a_record_of_another_kind_by_the_same_id_closes_no_case),
        T(a_case_of_an_unknown_kind_is_resolved),
        T(a_record_that_comes_back_brings_its_keys),
        T(one_key_in_two_normal_forms_is_a_collision),
        T(a_reference_waits_for_a_record_of_its_kind),
        T(what_was_recorded_is_amended_by_nobody),
        T(a_key_of_two_officers_reads_as_each_of_them),
        T(replaced_keys_get_no_certificate_by_their_old_invitation),
        T(a_voided_officer_has_no_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
