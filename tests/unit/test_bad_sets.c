/* Change-sets that a device should not have sent: a bad envelope is refused whole and changes
 * nothing; a bad change in a good envelope has an outcome of its own and the changes beside it
 * apply. */
#include "test.h"

#include <stdlib.h>

#include "bounds.h"
#include "centre.h"
#include "zip.h"

enum { NAME = 10, PARTNER = 11, GROUP = 13, STARS = 14 };

struct world {
    struct centre c;
    struct id commune, elsewhere, officer, partner;
    struct device d;
};

static int open_world(void **state)
{
    static struct world w;
    centre_open(&w.c);
    w.commune = centre_unit(&w.c, "00001", "commune", NULL);
    w.elsewhere = centre_unit(&w.c, "00002", "commune", NULL);
    w.officer = centre_officer(&w.c, "inspector");
    w.partner = centre_producer(&w.c, &w.commune, "HTX");
    device_enrol(&w.d, &w.c, &w.officer, &w.commune, 1);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    device_close(&w->d);
    centre_close(&w->c);
    return 0;
}

/* A product in field numbers' order; `extra` puts in what stands behind field 11. */
static struct id product(struct world *w, struct draft_change *d, struct span name,
                         const struct id *partner, const struct id *unit)
{
    struct id id = id_next(&w->c.r->ids, &w->c.env);
    draft(d, KIND_PRODUCT, VERB_CREATE, &id);
    draft_id(d, FIELD_UNIT, unit);
    draft_id(d, FIELD_OFFICER, &w->officer);
    draft_int(d, FIELD_RECORDED_MS, w->c.now_ms);
    draft_text(d, NAME, "");
    d->v[3].bytes = name;
    draft_id(d, PARTNER, partner);
    return id;
}

static struct id good(struct world *w, struct draft_change *d)
{
    return product(w, d, span_str("Cà phê"), &w->partner, &w->commune);
}

static bool stands(struct world *w, const struct id *id)
{
    struct fields f;
    struct row_meta meta;
    enum ocop_status st = row_load(w->c.r->rows, KIND_PRODUCT, id, &w->c.a, &f, &meta, &w->c.err);
    assert_true(st == OCOP_OK || st == OCOP_ENOTFOUND);
    return st == OCOP_OK;
}

/* --- envelopes -------------------------------------------------------------------------------- */

struct bytes {
    struct span body;
    uint8_t signature[SIGNATURE_LEN];
};

static struct bytes seal(struct world *w, struct change_set *set)
{
    struct sealed sealed;
    struct bytes out;
    centre_must(&w->c, changeset_seal(set, &w->d.sign, &w->c.a, &sealed, &w->c.err));
    out.body = sealed.body;
    memcpy(out.signature, sealed.signature, SIGNATURE_LEN);
    return out;
}

/* Any plain body, deflated and signed as a device would. */
static struct bytes sign_plain(struct world *w, struct span plain)
{
    struct bytes out;
    struct buf zipped;
    struct change_set none = device_set(&w->d, &w->c, NULL, 0);
    buf_init(&zipped, MIB(16));
    centre_must(&w->c, zip_deflate(plain, 9, &zipped, &w->c.err));
    out = seal(w, &none); /* a signature over something else; the body is looked at first */
    out.body = span_of(arena_dup(&w->c.a, zipped.p, zipped.len), zipped.len);
    buf_fini(&zipped);
    return out;
}

static struct bytes with_a_flipped_signature(struct world *w, struct change_set *set)
{
    struct bytes b = seal(w, set);
    b.signature[17] ^= 1;
    return b;
}

static struct bytes with_a_gap(struct world *w, struct change_set *set)
{
    set->seq++;
    return seal(w, set);
}

static struct bytes with_a_broken_chain(struct world *w, struct change_set *set)
{
    set->prev_hash[5] ^= 1;
    return seal(w, set);
}

static struct bytes of_a_stranger(struct world *w, struct change_set *set)
{
    set->replica = id_next(&w->c.r->ids, &w->c.env);
    set->seq = 1;
    memset(set->prev_hash, 0, HASH_LEN);
    return seal(w, set);
}

static struct bytes that_is_no_zlib(struct world *w, struct change_set *set)
{
    struct bytes b = seal(w, set);
    b.body = span_str("this was never deflated");
    return b;
}

static struct bytes that_is_cut(struct world *w, struct change_set *set)
{
    struct bytes b = seal(w, set);
    b.body.len -= 7;
    return b;
}

static struct bytes that_is_a_bomb(struct world *w, struct change_set *set)
{
    (void)set;
    uint8_t *zeros = arena_calloc(&w->c.a, SET_BODY_BYTES_MAX + 1, 1);
    assert_non_null(zeros);
    return sign_plain(w, span_of(zeros, SET_BODY_BYTES_MAX + 1));
}

static struct bytes that_is_no_message(struct world *w, struct change_set *set)
{
    (void)set;
    return sign_plain(w, span_str("\xff\xff\xff\xff"));
}

/* Columns in columns: 60 are within the body's size and far beyond what lists need. */
static struct bytes that_nests_deep(struct world *w, struct change_set *set)
{
    Ocop__Sync__ChangeSet m = OCOP__SYNC__CHANGE_SET__INIT;
    Ocop__Sync__Columns columns = OCOP__SYNC__COLUMNS__INIT;
    Ocop__Sync__Column nest[60], *inner[60];
    for (size_t i = 0; i < 60; i++) {
        ocop__sync__column__init(&nest[i]);
        inner[i] = &nest[i];
        nest[i].n_columns = i + 1 < 60;
        nest[i].columns = &inner[i + 1 < 60 ? i + 1 : i];
    }
    m.has_replica = m.has_seq = 1;
    m.replica = (ProtobufCBinaryData){ID_LEN, set->replica.b};
    m.seq = set->seq;
    m.changes = &columns;
    columns.n_columns = 1;
    columns.columns = inner;
    size_t len = ocop__sync__change_set__get_packed_size(&m);
    uint8_t *plain = arena_alloc(&w->c.a, len);
    assert_non_null(plain);
    return sign_plain(w, span_of(plain, ocop__sync__change_set__pack(&m, plain)));
}

static void a_bad_envelope_is_refused_whole_and_changes_nothing(void **state)
{
    static const struct {
        const char *what;
        struct bytes (*make)(struct world *w, struct change_set *set);
        enum set_code code;
    } cases[] = {
        {"signature", with_a_flipped_signature, SET_SIGNATURE},
        {"gap", with_a_gap, SET_GAP},
        {"chain", with_a_broken_chain, SET_CHAIN},
        {"stranger", of_a_stranger, SET_UNKNOWN_REPLICA},
        {"no zlib", that_is_no_zlib, SET_MALFORMED},
        {"cut", that_is_cut, SET_MALFORMED},
        {"bomb", that_is_a_bomb, SET_TOO_LARGE},
        {"no message", that_is_no_message, SET_MALFORMED},
        {"nested", that_nests_deep, SET_MALFORMED},
    };
    struct world *w = *state;
    struct draft_change d;
    uint8_t before[HASH_LEN], after[HASH_LEN];
    uint64_t log_before, log_after;

    good(w, &d);
    assert_int_equal(device_push(&w->d, &w->c, &d, 1).code, SET_ACCEPTED);
    centre_must(&w->c, registry_dump(w->c.r, NULL, NULL, before, &w->c.err));
    centre_must(&w->c, registry_version(w->c.r, &log_before, &w->c.err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        good(w, &d);
        struct change_set set = device_set(&w->d, &w->c, &d, 1);
        struct bytes b = cases[i].make(w, &set);
        struct set_result result = device_push_bytes(&w->d, &w->c, b.body, b.signature);
        if (result.code != cases[i].code || !result.text[0])
            fail_msg("%s: code %d, not %d: \"%s\"", cases[i].what, (int)result.code,
                     (int)cases[i].code, result.text);
        centre_must(&w->c, registry_dump(w->c.r, NULL, NULL, after, &w->c.err));
        centre_must(&w->c, registry_version(w->c.r, &log_after, &w->c.err));
        assert_memory_equal(before, after, HASH_LEN);
        assert_int_equal(log_before, log_after);
    }
    struct id id = good(w, &d);
    assert_int_equal(device_push(&w->d, &w->c, &d, 1).code, SET_ACCEPTED);
    assert_true(stands(w, &id));
}

/* --- changes ---------------------------------------------------------------------------------- */

static struct id with_invalid_utf8(struct world *w, struct draft_change *d)
{
    return product(w, d, span_str("C\xc3\x28 ph\xff"), &w->partner, &w->commune);
}

static struct id with_a_number_out_of_range(struct world *w, struct draft_change *d)
{
    struct id id = good(w, d);
    draft_int(d, GROUP, 27); /* product groups are 1 to 26 */
    return id;
}

static struct id with_a_field_of_central_staff(struct world *w, struct draft_change *d)
{
    struct id id = good(w, d);
    draft_int(d, STARS, 5);
    return id;
}

static struct id with_a_text_for_a_number(struct world *w, struct draft_change *d)
{
    struct id id = good(w, d);
    draft_text(d, GROUP, "7");
    return id;
}

static struct id without_a_required_field(struct world *w, struct draft_change *d)
{
    struct id id = good(w, d);
    d->c.fields.count--; /* the producer */
    return id;
}

static struct id with_a_reference_that_is_no_id(struct world *w, struct draft_change *d)
{
    struct id id = good(w, d);
    d->v[4].bytes = span_str("HTX");
    return id;
}

static struct id in_a_unit_of_others(struct world *w, struct draft_change *d)
{
    return product(w, d, span_str("Trà"), &w->partner, &w->elsewhere);
}

static struct id with_a_reference_to_nowhere(struct world *w, struct draft_change *d)
{
    struct id *nowhere = arena_alloc(&w->c.a, sizeof *nowhere); /* the draft points to it */
    assert_non_null(nowhere);
    *nowhere = id_next(&w->c.r->ids, &w->c.env);
    return product(w, d, span_str("Trà"), nowhere, &w->commune);
}

static struct id of_a_record_that_is_nowhere(struct world *w, struct draft_change *d)
{
    struct id id = id_next(&w->c.r->ids, &w->c.env);
    draft(d, KIND_PRODUCT, VERB_AMEND, &id);
    draft_text(d, NAME, "Trà");
    d->c.reason = span_str("đổi tên");
    return id;
}

/* A kind that the officer's role may not create at all. */
static struct id of_a_kind_for_the_office(struct world *w, struct draft_change *d)
{
    struct id id = id_next(&w->c.r->ids, &w->c.env);
    draft(d, KIND_OFFICER, VERB_CREATE, &id);
    draft_id(d, FIELD_OFFICER, &w->officer);
    draft_text(d, 10, "Mình");
    draft_element(d, &w->c, 15, span_str("administrator"), NULL);
    return id;
}

static struct id with_an_unknown_verb(struct world *w, struct draft_change *d)
{
    struct id id = good(w, d);
    d->c.verb = 9;
    return id;
}

static void a_bad_change_has_its_own_outcome_and_its_neighbours_apply(void **state)
{
    static const struct {
        const char *what;
        struct id (*make)(struct world *w, struct draft_change *d);
        enum outcome_code code;
        const char *field;
    } cases[] = {
        {"UTF-8", with_invalid_utf8, OUTCOME_REFUSED, "name"},
        {"range", with_a_number_out_of_range, OUTCOME_REFUSED, "criteria_set"},
        {"central", with_a_field_of_central_staff, OUTCOME_REFUSED, "stars"},
        {"type", with_a_text_for_a_number, OUTCOME_REFUSED, "criteria_set"},
        {"missing", without_a_required_field, OUTCOME_REFUSED, "producer_id"},
        {"no id", with_a_reference_that_is_no_id, OUTCOME_REFUSED, "producer_id"},
        {"scope", in_a_unit_of_others, OUTCOME_REFUSED, "unit_id"},
        {"role", of_a_kind_for_the_office, OUTCOME_REFUSED, ""},
        {"verb", with_an_unknown_verb, OUTCOME_REFUSED, ""},
        {"reference", with_a_reference_to_nowhere, OUTCOME_DANGLING, "producer_id"},
        {"record", of_a_record_that_is_nowhere, OUTCOME_WAITING, ""},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct draft_change d[3];
        struct outcome_row *rows;
        size_t count;
        struct id first = good(w, &d[0]), bad = cases[i].make(w, &d[1]), last = good(w, &d[2]);
        struct set_result result = device_push(&w->d, &w->c, d, 3);
        assert_int_equal(result.code, SET_ACCEPTED);
        centre_must(&w->c, outcomes_of(w->c.r, result.version, &w->c.a, &rows, &count, &w->c.err));
        if (count != 1 || rows[0].index != 1 || rows[0].code != cases[i].code ||
            strcmp(rows[0].field, cases[i].field) != 0 || !rows[0].text[0])
            fail_msg("%s: %zu outcomes; of change %u: %d %s \"%s\"", cases[i].what, count,
                     count ? rows[0].index : 0, count ? (int)rows[0].code : 0,
                     count ? rows[0].field : "", count ? rows[0].text : "");
        assert_true(stands(w, &first) && stands(w, &last));
        assert_int_equal(stands(w, &bad), cases[i].code == OUTCOME_DANGLING);
    }
}

/* A list of 101 participants where the rule allows 100, in a set that is within every limit. */
static void a_list_beyond_its_rule_is_refused_and_its_neighbours_apply(void **state)
{
    enum { PARTICIPANTS = 31, ALLOWED = 100, OTHERS = 7 };
    struct world *w = *state;
    struct draft_change d[2], inspection;
    struct field v[OTHERS + ALLOWED + 1];
    struct id neighbour = good(w, &d[1]), id = id_next(&w->c.r->ids, &w->c.env);
    struct outcome_row *rows;
    size_t count;

    draft(&inspection, KIND_INSPECTION, VERB_CREATE, &id);
    draft_id(&inspection, FIELD_UNIT, &w->commune);
    draft_id(&inspection, FIELD_OFFICER, &w->officer);
    draft_int(&inspection, FIELD_RECORDED_MS, w->c.now_ms);
    draft_id(&inspection, 10, &w->partner);
    draft_text(&inspection, 14, "planned");
    draft_text(&inspection, 17, "2026-08-05");
    draft_text(&inspection, 26, "pass");
    memcpy(v, inspection.v, OTHERS * sizeof *v);
    for (size_t i = 0; i <= ALLOWED; i++) {
        struct draft_change one;
        const char *key = arena_printf(&w->c.a, "%015zu!", i);
        draft(&one, KIND_INSPECTION, VERB_CREATE, &id);
        draft_element(&one, &w->c, PARTICIPANTS, span_str(key), "Nguyễn Văn A");
        v[OTHERS + i] = one.v[0];
        const char *side = arena_printf(&w->c.a, "%.*s\x22\x08producer", (int)one.v[0].bytes.len,
                                        (const char *)one.v[0].bytes.p);
        v[OTHERS + i].bytes = span_str(side);
        v[OTHERS + i].key = span_of(side + 2, one.v[0].key.len);
    }
    for (size_t extra = 0; extra <= 1; extra++) {
        d[0] = inspection;
        d[0].c.record = id_next(&w->c.r->ids, &w->c.env);
        d[1].c.record = neighbour = id_next(&w->c.r->ids, &w->c.env);
        struct change_set set = device_set(&w->d, &w->c, d, 2);
        set.changes.v[0].fields = (struct fields){v, OTHERS + ALLOWED + extra};
        struct bytes b = seal(w, &set);
        struct set_result result = device_push_bytes(&w->d, &w->c, b.body, b.signature);
        assert_int_equal(result.code, SET_ACCEPTED);
        w->d.seq = set.seq;
        memcpy(w->d.prev_hash, set.hash, HASH_LEN);
        centre_must(&w->c, outcomes_of(w->c.r, result.version, &w->c.a, &rows, &count, &w->c.err));
        if (count != extra)
            fail_msg("%s %s", count ? rows[0].field : "", count ? rows[0].text : "");
        assert_true(stands(w, &neighbour));
    }
    assert_int_equal(rows[0].index, 0);
    assert_int_equal(rows[0].code, OUTCOME_REFUSED);
    assert_string_equal(rows[0].field, "participants");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
        T(a_bad_envelope_is_refused_whole_and_changes_nothing),
        T(a_list_beyond_its_rule_is_refused_and_its_neighbours_apply),
        T(a_bad_change_has_its_own_outcome_and_its_neighbours_apply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
