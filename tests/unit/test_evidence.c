/* Evidence: what is altered, cut, added or left out is found, by whomever; what it must not carry
 * is not in it; and the story is told to its end when the log itself is damaged. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "centre.h"
#include "evidence_make.h"
#include "ocop.h"
#include "registry_past.h"
#include "registry_stmts.h"
#include "replay.h"
#include "show.h"
#include "shown.h"
#include "states.h"
#include "stories.h"
#include "story.h"
#include "zip.h"

enum { NAME = 10, PHONE = 16 };
#define CORPUS "tests/fuzz/corpus/evidence/"

/* Two registrars amend one producer, unseen by each other; a reviewer decides. One of them records
 * a neighbour too, and is refused once. */
struct world {
    struct centre c;
    struct id province, commune, other, officer, colleague, reviewer, producer, neighbour;
    struct device d, e;
    struct arena a;
    struct ocop_error err;
};

static void push(struct world *w, struct device *d, enum verb verb, const struct id *record,
                 uint32_t number, const char *text, uint64_t base)
{
    struct draft_change c;
    draft(&c, KIND_PRODUCER, verb, record);
    if (verb == VERB_CREATE) {
        draft_id(&c, FIELD_UNIT, &w->commune);
        draft_id(&c, FIELD_OFFICER, &d->officer);
    }
    draft_text(&c, number, text);
    if (verb == VERB_CREATE)
        draft_text(&c, 11, "cooperative");
    draft_base(&c, base);
    c.c.reason = span_str("đã kiểm tra");
    w->c.now_ms += 60000;
    assert_int_equal(device_push(d, &w->c, &c, 1).code, SET_ACCEPTED);
}

static enum ocop_status first_case(void *self, const struct case_row *c, struct ocop_error *err)
{
    (void)err;
    *(struct id *)self = c->id;
    return OCOP_OK;
}

static int open_world(void **state)
{
    static struct world w;
    struct id id = {{0}};
    uint64_t seen;
    memset(&w, 0, sizeof w);
    arena_init(&w.a, EVIDENCE_ARENA_MAX);
    centre_open(&w.c);
    w.province = centre_unit(&w.c, "01", "province", NULL);
    w.commune = centre_unit(&w.c, "00001", "commune", &w.province);
    w.other = centre_unit(&w.c, "00002", "commune", &w.province);
    w.officer = centre_officer(&w.c, "registrar");
    w.colleague = centre_officer(&w.c, "registrar");
    w.reviewer = centre_officer(&w.c, "reconciler");
    device_enrol(&w.d, &w.c, &w.officer, &w.commune, 1);
    device_enrol(&w.e, &w.c, &w.colleague, &w.commune, 1);
    w.producer = id_next(&w.c.r->ids, &w.c.env);
    w.neighbour = id_next(&w.c.r->ids, &w.c.env);
    push(&w, &w.d, VERB_CREATE, &w.producer, NAME, "HTX Đức Lập", 0);
    push(&w, &w.d, VERB_CREATE, &w.neighbour, NAME, "Người hàng xóm", 0);
    centre_must(&w.c, registry_version(w.c.r, &seen, &w.c.err));
    push(&w, &w.e, VERB_AMEND, &w.producer, NAME, "HTX Một", seen);
    push(&w, &w.d, VERB_AMEND, &w.producer, NAME, "HTX Hai", seen);
    push(&w, &w.e, VERB_AMEND, &w.producer, FIELD_UNIT, "nowhere, and refused", seen);
    centre_must(&w.c, case_each(w.c.r, true, first_case, &id, &w.c.err));
    centre_must(&w.c, case_resolve(w.c.r, &w.c.keys, &id, TAKE_MINE, NULL, "đã hỏi lại cơ sở",
                                   &w.reviewer, &w.c.err));
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    device_close(&w->d);
    device_close(&w->e);
    centre_close(&w->c);
    arena_fini(&w->a);
    return 0;
}

static Ocop__Evidence__Bundle *make(struct world *w)
{
    Ocop__Evidence__Bundle *b;
    centre_must(&w->c, evidence_make(w->c.r, &w->producer, NULL, &w->a, &b, &w->c.err));
    return b;
}

static struct span sealed(struct world *w, const Ocop__Evidence__Bundle *b)
{
    struct buf file;
    buf_init(&file, MIB(4));
    centre_must(&w->c, evidence_seal(b, &w->c.keys.root, &file, &w->c.err));
    const char *copy = arena_dup(&w->a, file.p, file.len);
    const size_t len = file.len;
    assert_non_null(copy);
    buf_fini(&file);
    return span_of(copy, len);
}

static size_t findings(struct world *w, const Ocop__Evidence__Bundle *b, struct evidence *out)
{
    struct evidence own;
    struct evidence *e = out ? out : &own;
    centre_must(&w->c, evidence_check(b, w->c.keys.root.public_key, &w->a, e, &w->c.err));
    return e->finding_count;
}

static const char *story_of(struct world *w, const Ocop__Evidence__Bundle *b, bool json)
{
    struct evidence e;
    struct buf text;
    buf_init(&text, MIB(4));
    (void)findings(w, b, &e);
    centre_must(&w->c, json ? story_json(&e, &text, &w->c.err) : story_text(&e, &text, &w->c.err));
    const char *copy = arena_dup(&w->a, text.p, text.len);
    buf_fini(&text);
    assert_non_null(copy);
    return copy;
}

static void says(const char *story, const char *what)
{
    if (!strstr(story, what))
        fail_msg("\"%s\" is not in:\n%s", what, story);
}

/* --- the story --- */

static void the_story_tells_who_when_what_and_what_came_of_it(void **state)
{
    struct world *w = *state;
    const Ocop__Evidence__Bundle *b = make(w);
    const char *text = story_of(w, b, false), *json = story_of(w, b, true);
    assert_int_equal(findings(w, b, NULL), 0);
    says(text, "producer ");
    says(text, "registry \"Sổ đăng ký thử\"");
    says(text, "by Nguyễn Văn Đức on device 1, change 1 of its set 1: signature good, chain good");
    says(text, "by invitation ");
    says(text, "name: null -> \"HTX Đức Lập\"");
    says(text, "name: \"HTX Đức Lập\" -> \"HTX Một\", having seen version");
    says(text, "name: \"HTX Một\" -> \"HTX Hai\" (in a case)");
    says(text, "[registry] outcome: in a case");
    says(text, "[registry] outcome: refused");
    says(text, "(refused)");
    says(text, "[signed] reason: đã kiểm tra");
    says(text, "resolved at version");
    says(text, "reason: đã hỏi lại cơ sở; see the change that decides it");
    says(text, "name: \"HTX Một\" -> \"HTX Hai\", having seen");
    says(text, "chain of 3 sets, 2 of them shown whole: good");
    says(text, "00:21, sealed 26/07/2026 00:21"); /* Vietnam's time */
    says(text, "good: ");
    says(json, "\"good\":true}");
    says(json, "\"before\":\"HTX Một\",\"after\":\"HTX Hai\",\"fate\":\"case\"");
    says(json, "\"outcome\":\"refused\"");
}

static void other_records_of_a_chain_are_not_in_the_bundle(void **state)
{
    struct world *w = *state;
    const Ocop__Evidence__Bundle *b = make(w);
    struct buf packed;
    buf_init(&packed, MIB(4));
    assert_true(buf_reserve(&packed, ocop__evidence__bundle__get_packed_size(b)));
    packed.len = ocop__evidence__bundle__pack(b, packed.p);
    size_t found = 0;
    for (size_t i = 0; i + ID_LEN <= packed.len; i++)
        found += memcmp(packed.p + i, w->neighbour.b, ID_PREFIX_LEN) == 0 &&
                 memcmp(packed.p + i, w->neighbour.b, ID_LEN) == 0;
    assert_int_equal(found, 0);
    for (size_t i = 0; i + 8 <= packed.len; i++)
        assert_memory_not_equal(packed.p + i, "hàng xóm", 8);
    buf_fini(&packed);
    /* The set that holds it is there by its head. */
    assert_int_equal(b->n_chains, 3);
    size_t heads = 0;
    for (size_t i = 0; i < b->n_chains; i++)
        for (size_t n = 0; n < b->chains[i]->n_links; n++)
            heads += b->chains[i]->links[n]->has_head ? 1 : 0;
    assert_int_equal(heads, 1);
}

static void a_name_is_told_as_it_was_at_the_time(void **state)
{
    struct world *w = *state;
    struct draft_change c;
    uint64_t seen;
    centre_must(&w->c, registry_version(w->c.r, &seen, &w->c.err));
    draft(&c, KIND_OFFICER, VERB_AMEND, &w->officer);
    draft_text(&c, NAME, "Nguyễn Văn Đức Anh");
    draft_base(&c, seen);
    c.c.reason = span_str("đổi tên");
    centre_write(&w->c, &c, 1);
    push(w, &w->d, VERB_AMEND, &w->producer, PHONE, "0912 345 678", seen);
    const char *text = story_of(w, make(w), false);
    says(text, "by Nguyễn Văn Đức on device 1, change 1 of its set 1");
    says(text, "by Nguyễn Văn Đức Anh on device 1, change 1 of its set 4");
}

static void a_record_that_nobody_wrote_has_no_story(void **state)
{
    struct world *w = *state;
    const struct id nobody = {{1, 2, 3}};
    Ocop__Evidence__Bundle *b;
    assert_int_equal(evidence_make(w->c.r, &nobody, NULL, &w->a, &b, &w->err), OCOP_ENOTFOUND);
    assert_null(b);
}

static void the_registry_may_sign_by_a_key_that_its_root_signed(void **state)
{
    struct world *w = *state;
    struct evidence e;
    Ocop__Evidence__Bundle *b;
    keys_new_sign(&w->c.keys, &w->c.env);
    const struct id later = centre_producer(&w->c, &w->commune, "HTX Sau");
    centre_must(&w->c, evidence_make(w->c.r, &later, NULL, &w->a, &b, &w->c.err));
    assert_int_equal(findings(w, b, &e), 0);
    /* Where no keys are, the log says which the root is: the first, not the newest. */
    FILE *out = tmpfile();
    assert_non_null(out);
    centre_must(&w->c, show_story(w->c.r, &later, NULL, false, out, &w->c.err));
    fclose(out);
    /* One that the root did not sign is none. */
    const uint8_t other[SIGN_PUBLIC_LEN] = {1};
    centre_must(&w->c, evidence_check(b, other, &w->a, &e, &w->c.err));
    assert_true(e.finding_count > 0);
}

/* --- the way to it --- */

static void damage(struct world *w, const char *sql)
{
    assert_int_equal(sqlite3_exec(w->c.r->db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(w->c.r->db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_commit_hook(w->c.r->db, NULL, NULL);
    assert_int_equal(sqlite3_exec(w->c.r->db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
}

/* A log of a million sets is not read for one record. */
static void what_touched_a_record_is_found_by_indexes(void **state)
{
    static const int questions[] = {SQL_PAST_VERSIONS, SQL_PAST_CASES,   SQL_HISTORY_AT,
                                    SQL_INVITATION_OF, SQL_KIND_UNKNOWN, SQL_OUTCOME_UNTOLD,
                                    SQL_LOG_FIND,      SQL_LOG_READ,     SQL_OUTCOMES};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        char text[2048];
        sqlite3_stmt *plan, *s = registry_stmt(w->c.r, questions[i], &w->c.err);
        size_t searches = 0;
        assert_non_null(s);
        snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(s));
        assert_int_equal(sqlite3_prepare_v2(w->c.r->db, text, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(plan, 3);
            if (strncmp(step, "SCAN", 4) == 0 && !strstr(step, "SUBQUERY") && !strchr(step, '('))
                fail_msg("%s: %s", step, text);
            searches += strncmp(step, "SEARCH", 6) == 0;
        }
        sqlite3_finalize(plan);
        assert_true(searches > 0);
    }
}

/* Outcomes that were stored before they named their record get it from the log. */
static void outcomes_of_before_are_told_their_record_when_the_registry_is_opened(void **state)
{
    struct world *w = *state;
    struct replay_result result;
    char why[400];
    size_t told;
    damage(w, "UPDATE outcome SET record = x''");
    assert_int_not_equal(replay_compare(w->c.r, ":memory:", &result, &w->c.err), OCOP_OK);
    centre_must(&w->c, past_fill(w->c.r, &w->c.err));
    centre_must(&w->c, replay_compare(w->c.r, ":memory:", &result, &w->c.err));
    assert_true(stories_hold(w->c.r, SIZE_MAX, &told, why, sizeof why));
    centre_must(&w->c, past_fill(w->c.r, &w->c.err)); /* again: nothing is left to do */
}

/* A copy that a restored registry forgot is enrolled anew, by an invitation: nobody's successor to
 * the registry. Its first set says whose it is, and that one is shown with it. */
static void what_a_first_set_continues_is_shown_whoever_was_enrolled_how(void **state)
{
    struct world *w = *state;
    struct device copy;
    struct draft_change c;
    struct sealed set;
    struct id record = id_next(&w->c.r->ids, &w->c.env);
    Ocop__Evidence__Bundle *b;
    device_enrol(&copy, &w->c, &w->officer, &w->commune, 1);
    draft(&c, KIND_PRODUCER, VERB_CREATE, &record);
    draft_id(&c, FIELD_UNIT, &w->commune);
    draft_id(&c, FIELD_OFFICER, &w->officer);
    draft_text(&c, NAME, "HTX của máy chép");
    draft_text(&c, 11, "cooperative");
    struct change_set first = device_set(&copy, &w->c, &c, 1);
    first.predecessor = w->d.replica;
    first.predecessor_seq = w->d.seq;
    memcpy(first.predecessor_hash, w->d.prev_hash, HASH_LEN);
    centre_must(&w->c, changeset_seal(&first, &copy.sign, &w->c.a, &set, &w->c.err));
    assert_int_equal(device_push_bytes(&copy, &w->c, set.body, set.signature).code, SET_ACCEPTED);
    centre_must(&w->c, evidence_make(w->c.r, &record, NULL, &w->a, &b, &w->c.err));
    assert_int_equal(findings(w, b, NULL), 0);
    assert_int_equal(b->n_chains, 2);
    device_close(&copy);
}

/* --- the file --- */

static enum ocop_status verify(struct span file, const uint8_t *root_key, struct ocop_evidence *out)
{
    char *story;
    struct ocop_error err;
    enum ocop_status st =
        ocop_verify_evidence(file.p, file.len, root_key, false, &story, out, &err);
    assert_true((st == OCOP_OK) == (story != NULL));
    if (st != OCOP_OK)
        assert_true(err.text[0]);
    ocop_text_free(story);
    return st;
}

static void a_bundle_is_checked_without_a_registry(void **state)
{
    struct world *w = *state;
    const struct span file = sealed(w, make(w));
    struct ocop_evidence found;
    uint8_t other[SIGN_PUBLIC_LEN] = {1};
    assert_int_equal(verify(file, w->c.keys.root.public_key, &found), OCOP_OK);
    assert_true(found.holds && found.root_key_known);
    assert_int_equal(found.changes, 5);
    assert_int_equal(found.cases, 1);
    assert_int_equal(found.findings, 0);
    assert_int_equal(verify(file, NULL, &found), OCOP_OK);
    assert_true(found.holds && !found.root_key_known);
    assert_memory_equal(found.root_key, w->c.keys.root.public_key, SIGN_PUBLIC_LEN);
    assert_int_equal(verify(file, other, &found), OCOP_EAUTH);
    assert_false(found.holds);
}

static void no_bit_of_the_file_can_be_flipped(void **state)
{
    struct world *w = *state;
    const struct span file = sealed(w, make(w));
    uint8_t *copy = (uint8_t *)arena_dup(&w->a, file.p, file.len);
    struct ocop_evidence found;
    assert_in_range(file.len, 1000, 8000);
    for (size_t bit = 0; bit < 8 * file.len; bit++) {
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (verify(span_of(copy, file.len), NULL, &found) == OCOP_OK)
            fail_msg("bit %zu of %zu can be flipped", bit, 8 * file.len);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(verify(span_of(copy, file.len), NULL, &found), OCOP_OK);
}

static void no_part_no_longer_and_no_reordered_file_is_taken(void **state)
{
    struct world *w = *state;
    const struct span file = sealed(w, make(w));
    uint8_t *longer = arena_alloc(&w->a, file.len + 64);
    struct ocop_evidence found;
    assert_non_null(longer);
    for (size_t len = 0; len < file.len; len++)
        assert_int_not_equal(verify(span_of(file.p, len), NULL, &found), OCOP_OK);
    memcpy(longer, file.p, file.len);
    memset(longer + file.len, 0, 64);
    for (size_t more = 1; more <= 64; more++)
        assert_int_not_equal(verify(span_of(longer, file.len + more), NULL, &found), OCOP_OK);
    for (size_t at = 0; at + 32 <= file.len; at += 16) { /* two runs of 16 bytes change places */
        memcpy(longer, file.p, file.len);
        memcpy(longer + at, file.p + at + 16, 16);
        memcpy(longer + at + 16, file.p + at, 16);
        if (memcmp(longer, file.p, file.len) != 0)
            assert_int_not_equal(verify(span_of(longer, file.len), NULL, &found), OCOP_OK);
    }
}

/* --- who has the root key, too --- */

static size_t flips(struct world *w, const Ocop__Evidence__Bundle *b, ProtobufCBinaryData *part)
{
    size_t bits = 0;
    for (; bits < 8 * part->len; bits++) {
        struct arena a;
        struct evidence e;
        part->data[bits / 8] ^= (uint8_t)(1 << bits % 8);
        arena_init(&a, MIB(64));
        centre_must(&w->c, evidence_check(b, w->c.keys.root.public_key, &a, &e, &w->c.err));
        if (e.finding_count == 0)
            fail_msg("bit %zu of %zu of what a device signed can be flipped", bits, 8 * part->len);
        arena_fini(&a);
        part->data[bits / 8] ^= (uint8_t)(1 << bits % 8);
    }
    return bits;
}

/* The registry itself cannot alter what was signed, though it signs the bundle anew. */
static void no_bit_that_a_device_signed_can_be_flipped_by_the_registry(void **state)
{
    struct world *w = *state;
    Ocop__Evidence__Bundle *b = make(w);
    size_t bits = 0;
    assert_int_equal(findings(w, b, NULL), 0);
    for (size_t i = 0; i < b->n_sets; i++) {
        bits += flips(w, b, &b->sets[i]->body);
        bits += flips(w, b, &b->sets[i]->signature);
    }
    for (size_t i = 0; i < b->n_chains; i++) {
        for (size_t n = 0; n < b->chains[i]->n_links; n++) {
            Ocop__Evidence__EvidenceLink *l = b->chains[i]->links[n];
            bits +=
                flips(w, b, &l->head) + flips(w, b, &l->changes_hash) + flips(w, b, &l->signature);
        }
        bits += flips(w, b, &b->chains[i]->replica);
    }
    bits += flips(w, b, &b->record);
    for (size_t i = 0; i < b->n_states; i++)
        bits += flips(w, b, &b->states[i]);
    assert_true(bits > 10000);
    assert_int_equal(findings(w, b, NULL), 0);
}

static void remove_at(void **v, size_t *count, size_t at)
{
    memmove(v + at, v + at + 1, (--*count - at) * sizeof *v);
}

/* Each of these is a bundle that its own root key would sign. */
static void what_is_left_out_inserted_or_reordered_is_found(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < make(w)->n_sets; i++) {
        Ocop__Evidence__Bundle *b = make(w);
        remove_at((void **)b->sets, &b->n_sets, i);
        if (findings(w, b, NULL) == 0 && i > 0) /* the first enrols the registry itself */
            fail_msg("set %zu can be left out", i);
    }
    for (size_t i = 0; i + 1 < make(w)->n_sets; i++) {
        Ocop__Evidence__Bundle *b = make(w);
        Ocop__Evidence__EvidenceSet *first = b->sets[i];
        b->sets[i] = b->sets[i + 1];
        b->sets[i + 1] = first;
        assert_true(findings(w, b, NULL) > 0);
        b = make(w);
        const uint64_t version = b->sets[i]->version; /* in the order of versions, but exchanged */
        b->sets[i]->version = b->sets[i + 1]->version;
        b->sets[i + 1]->version = version;
        assert_true(findings(w, b, NULL) > 0);
    }
    for (size_t i = 0; i < make(w)->n_chains; i++) {
        Ocop__Evidence__Bundle *b = make(w);
        for (size_t n = 0; n + 1 < b->chains[i]->n_links; n++) {
            b = make(w);
            remove_at((void **)b->chains[i]->links, &b->chains[i]->n_links, n);
            assert_true(findings(w, b, NULL) > 0);
        }
        b = make(w);
        remove_at((void **)b->chains, &b->n_chains, i);
        assert_true(findings(w, b, NULL) > 0);
        b = make(w);
        b->chains[i]->links[b->chains[i]->n_links++] = b->chains[i]->links[0];
        assert_true(findings(w, b, NULL) > 0);
    }
    Ocop__Evidence__Bundle *b = make(w);
    remove_at((void **)b->cases, &b->n_cases, 0);
    assert_true(findings(w, b, NULL) > 0);
    for (size_t i = 0; i < make(w)->n_outcomes; i++) {
        b = make(w);
        remove_at((void **)b->outcomes, &b->n_outcomes, i);
        assert_true(findings(w, b, NULL) > 0);
    }
    b = make(w);
    b->n_states = 0;
    assert_true(findings(w, b, NULL) > 0);
}

static void a_set_of_a_stranger_or_of_a_revoked_device_is_no_evidence(void **state)
{
    struct world *w = *state;
    struct evidence e;
    Ocop__Evidence__Bundle *b = make(w);
    struct sign_key stranger;
    struct change_set set;
    sign_key_new(&stranger, &w->c.env);
    Ocop__Evidence__EvidenceSet *last = b->sets[b->n_sets - 1];
    centre_must(&w->c,
                changeset_open(span_of(last->body.data, last->body.len), &w->a, &set, &w->c.err));
    struct sealed again;
    centre_must(&w->c, changeset_seal(&set, &stranger, &w->a, &again, &w->c.err));
    memcpy(last->signature.data, again.signature, SIGNATURE_LEN);
    assert_true(findings(w, b, &e) > 0);
    assert_non_null(strstr(e.findings[0], "the signature is not its author's"));
    says(story_of(w, b, false), "signature BAD");

    centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
    centre_must(&w->c, device_state_set(w->c.r, &w->c.keys, &w->d.replica, DEVICE_REVOKED,
                                        "mất máy", &w->c.err));
    centre_must(&w->c, registry_commit(w->c.r, &w->c.err));
    b = make(w);
    assert_int_equal(findings(w, b, NULL), 0); /* what it sent before stays evidence */
    says(story_of(w, b, false), "mất máy");
    for (size_t i = 0; i < b->n_sets; i++) { /* had it been revoked before its last set */
        struct change_set head;
        centre_must(&w->c, changeset_peek(span_of(b->sets[i]->body.data, b->sets[i]->body.len),
                                          &w->a, &head, &w->c.err));
        if (!id_eq(&head.replica, &w->d.replica) || head.seq != 3)
            continue;
        for (size_t c = 0; c < b->n_chains; c++)
            for (size_t n = 0; n < b->chains[c]->n_links; n++)
                if (b->chains[c]->links[n]->version == b->sets[i]->version)
                    b->chains[c]->links[n]->version += 100;
        b->sets[i]->version += 100;
        b->head_version += 100;
        Ocop__Evidence__EvidenceSet *moved = b->sets[i];
        remove_at((void **)b->sets, &b->n_sets, i);
        b->sets[b->n_sets++] = moved;
        break;
    }
    bool told = false;
    (void)findings(w, b, &e);
    for (size_t i = 0; i < e.finding_count; i++)
        told = told || strstr(e.findings[i], "revoked before") != NULL;
    assert_true(told);
}

/* --- a damaged log --- */

static void a_damaged_log_is_told_loudly_and_to_its_end(void **state)
{
    static const struct {
        const char *sql, *says;
    } table[] = {
        {"UPDATE log SET signature = zeroblob(64) WHERE version = (SELECT max(version) FROM log)",
         "signature BAD"},
        {"UPDATE log SET body = x'0a10' WHERE version = (SELECT max(version) - 2 FROM log)",
         "BAD: "},
        {"DELETE FROM log WHERE version = (SELECT max(version) - 3 FROM log)",
         "missing in the log"},
        {"UPDATE producer SET name = 'HTX Ba'", "is not what these changes give"},
        {"UPDATE outcome SET code = 0", "is not what these changes give"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct world *w = *state;
        char *text = NULL;
        size_t len = 0;
        if (i > 0) {
            close_world(state);
            open_world(state);
        }
        damage(w, table[i].sql);
        FILE *out = open_memstream(&text, &len);
        assert_non_null(out);
        assert_int_equal(
            show_story(w->c.r, &w->producer, w->c.keys.root.public_key, false, out, &w->err),
            OCOP_EDAMAGED);
        fclose(out);
        says(text, table[i].says);
        says(text, "BAD: ");
        says(text, "things do not hold");
        says(text, "HTX Đức Lập"); /* what can be told is */
        free(text);
        out = tmpfile();
        assert_non_null(out);
        assert_int_equal(evidence_export(w->c.r, &w->c.keys.root, &w->producer, NULL, out, &w->err),
                         OCOP_EDAMAGED);
        assert_int_equal(ftell(out), 0);
        fclose(out);
    }
}

/* --- strangers --- */

static struct span stranger_file(struct world *w, struct span packed)
{
    struct buf file;
    buf_init(&file, MIB(4));
    centre_must(&w->c, evidence_seal_packed(packed, &w->c.keys.root, &file, &w->c.err));
    const char *copy = arena_dup(&w->a, file.p, file.len);
    const struct span out = span_of(copy, file.len);
    assert_non_null(copy);
    buf_fini(&file);
    return out;
}

static void bombs_and_junk_are_refused(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    struct buf b;
    /* It would inflate beyond the cap. */
    uint8_t *zeros = calloc(1, EVIDENCE_INFLATED_MAX + 1);
    assert_non_null(zeros);
    assert_int_equal(
        verify(stranger_file(w, span_of(zeros, EVIDENCE_INFLATED_MAX + 1)), NULL, &found),
        OCOP_ELIMIT);
    free(zeros);
    /* More messages than any bundle has: two bytes each here, a hundred in memory. */
    buf_init(&b, MIB(64));
    for (size_t i = 0; i < EVIDENCE_FIELDS_MAX + 1; i++)
        buf_put(&b, "\x4a", 2); /* sets: empty */
    assert_int_equal(verify(stranger_file(w, buf_span(&b)), NULL, &found), OCOP_EPROTO);
    /* As many sets as the count of fields allows are too many still. */
    b.len = 2 * (EVIDENCE_PARTS_MAX + 1);
    assert_int_equal(verify(stranger_file(w, buf_span(&b)), NULL, &found), OCOP_ELIMIT);
    /* Messages within messages where none belong, unknown fields, fields out of order or twice. */
    static const char *const junk[] = {"\x4a\x04\x4a\x02\x4a", "\xfa\x01", "\x28\x01\x08\x01",
                                       "\x08\x01\x08\x01",     "\x4a\x7f", "\x0a\x01\x41"};
    static const size_t lens[] = {6, 3, 4, 4, 2, 3};
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++)
        assert_int_equal(verify(stranger_file(w, span_of(junk[i], lens[i])), NULL, &found),
                         OCOP_EPROTO);
    /* A bundle of nothing is whole, and proves nothing. */
    assert_int_equal(verify(stranger_file(w, span_of("", 0)), NULL, &found), OCOP_OK);
    assert_false(found.holds);
    buf_fini(&b);
}

static void hostile_text_cannot_steer_the_terminal(void **state)
{
    struct world *w = *state;
    uint64_t seen;
    centre_must(&w->c, registry_version(w->c.r, &seen, &w->c.err));
    push(w, &w->d, VERB_AMEND, &w->producer, NAME, "a\x1b[2Jb\u202e<script>\n\"c", seen);
    const Ocop__Evidence__Bundle *b = make(w);
    for (int json = 0; json < 2; json++) {
        const char *story = story_of(w, b, json);
        assert_null(strchr(story, '\x1b'));
        assert_null(strstr(story, "\u202e"));
    }
}

/* --- the corpus of the fuzzer --- */

static void corpus_write(struct world *w, const Ocop__Evidence__Bundle *b)
{
    FILE *f = fopen(CORPUS "bundle", "wb");
    struct buf packed;
    assert_non_null(f);
    buf_init(&packed, MIB(4));
    assert_true(buf_reserve(&packed, ocop__evidence__bundle__get_packed_size(b)));
    packed.len = ocop__evidence__bundle__pack(b, packed.p);
    fwrite(w->c.keys.root.public_key, 1, SIGN_PUBLIC_LEN, f);
    fwrite(packed.p, 1, packed.len, f);
    fclose(f);
    const struct span file = sealed(w, b);
    f = fopen(CORPUS "file", "wb");
    assert_non_null(f);
    fwrite(file.p, 1, file.len, f);
    fclose(f);
    buf_fini(&packed);
}

/* One that no longer reads would fuzz nothing but the first check. */
static void the_corpus_of_the_fuzzer_is_of_this_format(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    struct evidence e;
    uint8_t bytes[8192];
    if (getenv("OCOP_WRITE_GOLDEN"))
        corpus_write(w, make(w));
    FILE *f = fopen(CORPUS "file", "rb");
    assert_non_null(f);
    size_t len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_int_equal(verify(span_of(bytes, len), NULL, &found), OCOP_OK);
    assert_true(found.holds && found.changes == 5);
    f = fopen(CORPUS "bundle", "rb");
    assert_non_null(f);
    len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(len > SIGN_PUBLIC_LEN && len < sizeof bytes);
    ProtobufCAllocator from_arena = arena_allocator(&w->a);
    Ocop__Evidence__Bundle *b =
        ocop__evidence__bundle__unpack(&from_arena, len - SIGN_PUBLIC_LEN, bytes + SIGN_PUBLIC_LEN);
    assert_non_null(b);
    centre_must(&w->c, evidence_check(b, bytes, &w->a, &e, &w->c.err));
    assert_int_equal(e.finding_count, 0);
    assert_int_equal(e.change_count, 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(the_story_tells_who_when_what_and_what_came_of_it),
        TEST(other_records_of_a_chain_are_not_in_the_bundle),
        TEST(a_name_is_told_as_it_was_at_the_time),
        TEST(a_record_that_nobody_wrote_has_no_story),
        TEST(the_registry_may_sign_by_a_key_that_its_root_signed),
        TEST(what_touched_a_record_is_found_by_indexes),
        TEST(outcomes_of_before_are_told_their_record_when_the_registry_is_opened),
        TEST(what_a_first_set_continues_is_shown_whoever_was_enrolled_how),
        TEST(a_bundle_is_checked_without_a_registry),
        TEST(no_bit_of_the_file_can_be_flipped),
        TEST(no_part_no_longer_and_no_reordered_file_is_taken),
        TEST(no_bit_that_a_device_signed_can_be_flipped_by_the_registry),
        TEST(what_is_left_out_inserted_or_reordered_is_found),
        TEST(a_set_of_a_stranger_or_of_a_revoked_device_is_no_evidence),
        TEST(a_damaged_log_is_told_loudly_and_to_its_end),
        TEST(bombs_and_junk_are_refused),
        TEST(hostile_text_cannot_steer_the_terminal),
        TEST(the_corpus_of_the_fuzzer_is_of_this_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
