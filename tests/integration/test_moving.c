/* An attachment lies where its record lies, however that came there: at the registry, on the
 * devices that see the one or the other, and in what proves their story. */
#include "photos.h"

#include "assign.h"
#include "evidence.h"
#include "evidence_make.h"
#include "exchange.h"
#include "hand.h"
#include "log.h"
#include "registry_stmts.h"
#include "stories.h"

/* Devices, by the communes that they see. */
enum { NEAR = 0, AUTHOR = 1, FAR = 2, BOTH = 3, COPY = 4 };

static void see(struct world *w, unsigned n, const struct id *units, size_t count)
{
    struct ocop_error err = {0};
    struct id replica;
    const struct assignment to = {.units = units, .unit_count = count};
    world_replica(w, n, &replica);
    must(assign_scope(w->registry, &w->keys, &replica, &to, "thử", &err), &err);
    world_sync(w, n);
}

static void widen(struct world *w, const struct id *replica)
{
    const struct id both[] = {w->commune, w->other_commune};
    const struct assignment to = {.units = both, .unit_count = 2};
    struct ocop_error err = {0};
    must(assign_scope(w->registry, &w->keys, replica, &to, "thử", &err), &err);
}

static int open_moving(void **state)
{
    int failed = open_world(state);
    struct world *w = *state;
    const struct id both[] = {w->commune, w->other_commune};
    world_enrol(w, FAR);
    see(w, FAR, &w->other_commune, 1);
    world_enrol(w, BOTH);
    see(w, BOTH, both, 2);
    return failed;
}

/* At the registry every attachment of a record that is there must lie with it; @return how many. */
static int64_t together(struct world *w)
{
    static const char *const of_inspection =
        "SELECT count(*) FROM attachment AS a JOIN inspection AS i ON i.id = a.record_id"
        " WHERE a.unit_id IS NOT i.unit_id OR a.anchor IS NOT i.anchor";
    assert_int_equal(world_count(w, of_inspection), 0);
    return world_count(w, "SELECT count(*) FROM attachment");
}

static void lies_in(struct world *w, struct ocop_id attachment, const struct id *unit)
{
    char text[ID_TEXT_LEN + 1];
    assert_non_null(
        strstr(world_value(w, "attachment", attachment, "unit_id"), id_text(*unit, text)));
}

/* The unit that a device shows of it; false: it is not there. */
static bool shows(struct world *w, unsigned n, struct ocop_id attachment, struct id *unit)
{
    struct arena a;
    struct fields f;
    struct id id;
    uint64_t version;
    memcpy(id.b, attachment.b, ID_LEN);
    arena_init(&a, MIB(1));
    const enum ocop_status st =
        store_record(w->stores[n], KIND_ATTACHMENT, &id, &a, &f, &version, NULL);
    const struct field *of = st ? NULL : fields_find(&f, FIELD_UNIT, span_of(NULL, 0));
    assert_true(st == OCOP_OK || st == OCOP_ENOTFOUND);
    assert_true(st || (of && id_from(of->bytes, unit)));
    arena_fini(&a);
    return st == OCOP_OK;
}

static bool shows_in(struct world *w, unsigned n, struct ocop_id attachment, const struct id *unit)
{
    struct id found;
    return shows(w, n, attachment, &found) && id_eq(&found, unit);
}

/* Every story holds, and each record's bundle says what the registry has. */
static void assert_told(struct world *w)
{
    char why[400] = "";
    size_t told;
    if (!stories_hold(w->registry, SIZE_MAX, &told, why, sizeof why))
        fail_msg("%s", why);
    assert_true(told > 0);
}

static void attachments_move_with_their_record(void **state)
{
    struct world *w = *state;
    struct id unit;
    struct photo *p = photo(2 * CHUNK, 800);
    attach(w, AUTHOR, world_inspect(w, AUTHOR, "pass"), p);
    world_sync(w, AUTHOR);
    world_sync(w, NEAR);
    fetch(w, NEAR, p->id);
    assert_int_equal(world_sync(w, NEAR).files_received, 1);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    assert_int_equal(together(w), 1);
    assert_int_equal(world_sync(w, NEAR).departed, 2);
    assert_false(shows(w, NEAR, p->id, &unit));
    world_sync(w, NEAR);
    assert_false(world_has_content(w, NEAR, p->hash));
    world_sync(w, FAR);
    assert_true(shows_in(w, FAR, p->id, &w->other_commune));
    fetch(w, FAR, p->id);
    assert_int_equal(world_sync(w, FAR).files_received, 1);
    expect_here(w, FAR, p);
    world_sync(w, BOTH);
    assert_true(shows_in(w, BOTH, p->id, &w->other_commune));
    assert_told(w);
    free(p);
}

static void attachments_come_back_with_their_record(void **state)
{
    struct world *w = *state;
    struct id unit;
    struct photo *p = photo(CHUNK, 801);
    attach(w, AUTHOR, world_inspect(w, AUTHOR, "pass"), p);
    world_sync(w, AUTHOR);
    world_sync(w, NEAR);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    world_sync(w, FAR);
    world_move(w, KIND_INSPECTION, p->record, &w->commune);
    assert_int_equal(world_sync(w, NEAR).departed, 0);
    assert_true(shows_in(w, NEAR, p->id, &w->commune));
    assert_int_equal(world_sync(w, FAR).departed, 2);
    assert_false(shows(w, FAR, p->id, &unit));
    assert_int_equal(together(w), 1);
    assert_told(w);
    free(p);
}

/* Whoever moves it has told nothing of its attachments, and is told of them. */
static void who_moves_a_record_sees_its_attachments_follow(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    char text[ID_TEXT_LEN + 1], set[ID_TEXT_LEN + 16];
    struct photo *p = photo(CHUNK, 802);
    attach(w, BOTH, world_inspect(w, BOTH, "pass"), p);
    world_sync(w, BOTH);
    snprintf(set, sizeof set, "unit_id=%s", id_text(w->other_commune, text));
    world_amend(w, BOTH, p->record, set);
    must(ocop_void(w->stores[BOTH], &p->id, "nhầm ảnh", &err), &err);
    w->links[BOTH].drop_request = 1; /* here it arrives, and says what it cost */
    assert_int_equal(ocop_sync(w->stores[BOTH], NULL, NULL, &err), OCOP_ETIMEOUT);
    struct job job = {.frame = buf_span(&w->links[BOTH].last)};
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_int_equal(job.moved, 1);
    buf_fini(&job.reply);
    world_relink(w, BOTH, &w->links[BOTH].link);
    world_sync(w, BOTH);
    assert_true(shows_in(w, BOTH, p->id, &w->other_commune));
    assert_int_equal(together(w), 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    assert_told(w);
    free(p);
}

/* Offline, with the unit that the record had: it goes where the record has gone, and its author is
 * told. */
static void what_is_attached_meanwhile_goes_where_the_record_is(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(CHUNK, 803);
    const struct ocop_id record = world_inspect(w, BOTH, "pass");
    world_sync(w, BOTH);
    world_move(w, KIND_INSPECTION, record, &w->other_commune);
    attach(w, BOTH, record, p);
    assert_true(shows_in(w, BOTH, p->id, &w->commune));
    assert_int_equal(world_sync(w, BOTH).refused, 0);
    lies_in(w, p->id, &w->other_commune);
    assert_true(shows_in(w, BOTH, p->id, &w->other_commune));
    assert_true(at_centre(w, p));
    world_sync(w, FAR);
    assert_true(shows_in(w, FAR, p->id, &w->other_commune));
    assert_told(w);
    free(p);
}

/* As with any change of a record that has left: refused, with the reason, and the photo stays. */
static void who_sees_the_record_no_more_attaches_nothing_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_record_status *status;
    struct photo *p = photo(CHUNK, 804);
    const struct ocop_id record = world_inspect(w, AUTHOR, "pass");
    world_sync(w, AUTHOR);
    world_move(w, KIND_INSPECTION, record, &w->other_commune);
    attach(w, AUTHOR, record, p);
    assert_int_equal(world_sync(w, AUTHOR).refused, 1);
    assert_int_equal(together(w), 0);
    assert_int_equal(ocop_record_status(w->stores[AUTHOR], &p->id, &status, NULL), OCOP_OK);
    assert_int_equal(status->state, OCOP_REFUSED);
    assert_string_equal(status->reason_field, "unit_id");
    assert_non_null(strstr(status->reason, "outside the units of this device"));
    ocop_record_status_free(status);
    world_sync(w, AUTHOR);
    assert_true(world_has_content(w, AUTHOR, p->hash));
    expect_here(w, AUTHOR, p);
    assert_told(w);
    free(p);
}

/* --- by imports --------------------------------------------------------------------------------
 */

static struct field value(uint32_t number, struct span bytes)
{
    return (struct field){.number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = bytes};
}

enum { ATTACHED_FIELDS = 7 };

static struct change attached_in(struct field v[ATTACHED_FIELDS], const struct world *w,
                                 const struct id *id, const struct id *record,
                                 const struct id *unit)
{
    static const uint8_t hash[HASH_LEN] = {8};
    v[0] = value(FIELD_UNIT, id_span(unit));
    v[1] = value(FIELD_OFFICER, id_span(&w->officers[AUTHOR]));
    v[2] = value(ATTACHMENT_RECORD, id_span(record));
    v[3] = value(ATTACHMENT_ROLE, span_str("photo"));
    v[4] = value(ATTACHMENT_MEDIA_TYPE, span_str("image/jpeg"));
    v[5] =
        (struct field){.number = ATTACHMENT_SIZE, .op = FIELD_SET, .type = VALUE_INT, .i = CHUNK};
    v[6] = value(ATTACHMENT_HASH, span_of(hash, HASH_LEN));
    return (struct change){.kind = KIND_ATTACHMENT,
                           .verb = VERB_CREATE,
                           .record = *id,
                           .fields = {v, ATTACHED_FIELDS}};
}

static struct ocop_id import_attached(struct world *w, const struct id *id, const struct id *record,
                                      const struct id *unit)
{
    struct field v[ATTACHED_FIELDS];
    struct change c = attached_in(v, w, id, record, unit);
    struct ocop_id out;
    world_import(w, &c, 1);
    memcpy(out.b, id->b, ID_LEN);
    return out;
}

static struct change producer_in(struct field v[3], const struct id *id, const struct id *unit)
{
    v[0] = value(FIELD_UNIT, id_span(unit));
    v[1] = value(10, span_str("HTX Đắk Mil"));
    v[2] = value(11, span_str("cooperative"));
    return (struct change){
        .kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = *id, .fields = {v, 3}};
}

static struct id fresh(struct world *w)
{
    return id_next(&w->registry->ids, w->registry->env);
}

static void an_attachment_whose_record_is_to_come_goes_where_that_comes(void **state)
{
    struct world *w = *state;
    struct field v[3];
    const struct id record = fresh(w), id = fresh(w);
    const struct ocop_id attachment = import_attached(w, &id, &record, &w->commune);
    world_sync(w, NEAR);
    assert_true(shows_in(w, NEAR, attachment, &w->commune));
    struct change c = producer_in(v, &record, &w->other_commune);
    world_import(w, &c, 1);
    lies_in(w, attachment, &w->other_commune);
    assert_int_equal(world_sync(w, NEAR).departed, 1);
    world_sync(w, FAR);
    assert_true(shows_in(w, FAR, attachment, &w->other_commune));
    assert_told(w);
}

/* Ids are unique within a kind alone, and an attachment says no kind. */
static void nobody_takes_attachments_by_another_kind_under_the_same_id(void **state)
{
    struct world *w = *state;
    struct field v[3];
    const struct id dangling = fresh(w), nowhere = fresh(w);
    struct id same;
    struct photo *p = photo(CHUNK, 830), *q = photo(CHUNK, 831);
    struct ocop_id copy;
    attach(w, NEAR, world_inspect(w, NEAR, "pass"), p);
    world_sync(w, NEAR);
    import_attached(w, &dangling, &nowhere, &w->commune); /* so that who comes is looked for */
    memcpy(same.b, p->record.b, ID_LEN);
    copy = p->record;
    struct change c = producer_in(v, &same, &w->other_commune);
    world_import(w, &c, 1);
    lies_in(w, p->id, &w->commune);
    world_move(w, KIND_PRODUCER, copy, &w->province);
    lies_in(w, p->id, &w->commune);
    attach(w, NEAR, p->record, q); /* a producer comes first in the order of kinds */
    assert_int_equal(world_sync(w, NEAR).refused, 0);
    lies_in(w, q->id, &w->commune);
    assert_told(w);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    lies_in(w, p->id, &w->other_commune);
    lies_in(w, q->id, &w->other_commune);
    assert_told(w);
    free(p);
    free(q);
}

/* What had waited for the record moves it as soon as it has come. */
static void a_move_that_had_waited_takes_attachments_along(void **state)
{
    struct world *w = *state;
    struct field v[3], moved = value(FIELD_UNIT, id_span(&w->other_commune));
    const struct id record = fresh(w), id = fresh(w);
    const struct ocop_id attachment = import_attached(w, &id, &record, &w->commune);
    struct change c[] = {
        {.kind = KIND_PRODUCER, .verb = VERB_AMEND, .record = record, .fields = {&moved, 1}},
        producer_in(v, &record, &w->commune)};
    world_import(w, c, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    lies_in(w, attachment, &w->other_commune);
    assert_told(w);
}

/* Neither what is attached to an attachment nor what is attached to what lies in no unit. */
static void what_has_no_record_in_a_unit_keeps_its_own(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(CHUNK, 805);
    struct id first;
    const struct id second = fresh(w), third = fresh(w);
    attach(w, AUTHOR, world_inspect(w, AUTHOR, "pass"), p);
    world_sync(w, AUTHOR);
    memcpy(first.b, p->id.b, ID_LEN);
    const struct ocop_id on_photo = import_attached(w, &second, &first, &w->commune),
                         on_officer =
                             import_attached(w, &third, &w->officers[AUTHOR], &w->other_commune);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    lies_in(w, p->id, &w->other_commune);
    lies_in(w, on_photo, &w->commune);
    lies_in(w, on_officer, &w->other_commune);
    assert_told(w);
    free(p);
}

/* The same creation again: what differs is only where its author thought that it lies. */
static void made_again_it_stays_where_its_record_is(void **state)
{
    struct world *w = *state;
    const struct id id = fresh(w);
    struct ocop_id producer;
    memcpy(producer.b, w->producer.b, ID_LEN);
    const struct ocop_id attachment = import_attached(w, &id, &w->producer, &w->commune);
    world_move(w, KIND_PRODUCER, producer, &w->other_commune);
    lies_in(w, attachment, &w->other_commune);
    import_attached(w, &id, &w->producer, &w->commune);
    lies_in(w, attachment, &w->other_commune);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM outcome WHERE code = 1"), 1);
    assert_told(w);
}

/* Two copies of a store that parted made it in a history that was lost. The second of them learns
 * that its record has moved before it hears what came of its own making: it shows where it lies. */
static void a_copy_that_made_it_too_shows_where_it_lies(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(CHUNK, 806);
    struct ocop_id inspection = world_inspect(w, BOTH, "pass");
    world_sync(w, BOTH);
    world_backup(w);
    attach(w, BOTH, inspection, p);
    world_sync(w, BOTH);
    world_copy(w, BOTH, COPY);
    world_inspect(w, BOTH, "pass");
    world_sync(w, BOTH);
    world_inspect(w, COPY, "fail");
    assert_true(world_sync(w, COPY).forked);
    world_restore(w);
    world_sync(w, COPY);
    world_move(w, KIND_INSPECTION, inspection, &w->other_commune);
    world_sync(w, BOTH);
    lies_in(w, p->id, &w->other_commune);
    assert_true(shows_in(w, BOTH, p->id, &w->other_commune));
    world_sync(w, COPY);
    assert_true(shows_in(w, COPY, p->id, &w->other_commune));
    assert_told(w);
    free(p);
}

/* --- nobody moves it by itself
 * --------------------------------------------------------------------
 */

static void nobody_moves_an_attachment_by_itself(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    struct id id;
    char text[ID_TEXT_LEN + 1], set[ID_TEXT_LEN + 16];
    struct photo *p = photo(CHUNK, 806);
    attach(w, BOTH, world_inspect(w, BOTH, "pass"), p);
    world_sync(w, BOTH);
    snprintf(set, sizeof set, "unit_id=%s", id_text(w->other_commune, text));
    must(ocop_load(w->stores[BOTH], &p->id, &m, &err), &err);
    must(ocop_set_text(w->stores[BOTH], &m, set, &err), &err);
    assert_int_equal(ocop_amend(w->stores[BOTH], m, "thử", &err), OCOP_EPERM);
    assert_string_equal(err.field, "unit_id");
    assert_non_null(strstr(err.text, "where that lies"));
    ocop_free(m);
    memcpy(id.b, p->id.b, ID_LEN);
    assert_int_equal(
        assign_unit(w->registry, &w->keys, KIND_ATTACHMENT, &id, &w->other_commune, "thử", &err),
        OCOP_EINVAL);
    assert_string_equal(err.field, "unit_id");
    world_move(w, KIND_ATTACHMENT, p->id, &w->other_commune); /* an import has rights as well */
    lies_in(w, p->id, &w->commune);
    assert_int_equal(world_count(w, "SELECT count(*) FROM outcome WHERE code = 4"), 1);
    free(p);
}

/* Who voids a photo, not knowing that its record has moved, contradicts nobody. */
/* What its officer loaded before the move, whatever of it he amends, says nothing of where it lies;
 * a message made by hand says so, and is told what is wrong. */
static void what_was_loaded_before_a_move_is_amended_after_it(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL, *by_hand = NULL;
    char *json = NULL;
    struct photo *p = photo(CHUNK, 811);
    attach(w, BOTH, world_inspect(w, BOTH, "pass"), p);
    world_sync(w, BOTH);
    must(ocop_load(w->stores[BOTH], &p->id, &m, &err), &err);
    must(ocop_to_json(m, false, &json, &err), &err);
    must(ocop_from_json(w->stores[BOTH], "attachment", NULL, json, &by_hand, &err), &err);
    must(ocop_set_text(w->stores[BOTH], &m, "caption=Khu rang", &err), &err);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    world_sync(w, BOTH);
    must(ocop_save(w->stores[BOTH], m, &err), &err);
    must(ocop_submit_draft(w->stores[BOTH], &p->id, "thiếu chú thích", &err), &err);
    must(ocop_set_text(w->stores[BOTH], &m, "caption=Khu sấy", &err), &err);
    must(ocop_amend(w->stores[BOTH], m, "nhầm khu", &err), &err);
    assert_int_equal(world_sync(w, BOTH).refused, 0);
    assert_string_equal(world_value(w, "attachment", p->id, "caption"), "\"Khu sấy\"");
    lies_in(w, p->id, &w->other_commune);
    assert_int_equal(together(w), 1);
    assert_int_equal(ocop_amend(w->stores[BOTH], by_hand, "thử", &err), OCOP_EPERM);
    assert_string_equal(err.field, "unit_id");
    assert_non_null(strstr(err.text, "load it anew"));
    assert_told(w);
    ocop_free(m);
    ocop_free(by_hand);
    ocop_text_free(json);
    free(p);
}

static void a_void_contradicts_no_move(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(CHUNK, 807);
    attach(w, BOTH, world_inspect(w, BOTH, "pass"), p);
    world_sync(w, BOTH);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    must(ocop_void(w->stores[BOTH], &p->id, "nhầm ảnh", &err), &err);
    world_sync(w, BOTH);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    assert_string_equal(world_value(w, "attachment", p->id, "voided"), "true");
    world_move(w, KIND_INSPECTION, p->record, &w->commune); /* voided ones go along as well */
    lies_in(w, p->id, &w->commune);
    assert_told(w);
    free(p);
}

/* Nor does who amends it, not knowing that, and wrongly: that is nobody else's doing. */
static void a_wrong_amendment_is_refused_whatever_moved_meanwhile(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(CHUNK, 811);
    struct field v = value(ATTACHMENT_ROLE, span_str("none such"));
    struct change c = {.kind = KIND_ATTACHMENT, .verb = VERB_AMEND, .fields = {&v, 1}};
    attach(w, BOTH, world_inspect(w, BOTH, "pass"), p);
    world_sync(w, BOTH);
    must(registry_version(w->registry, &c.base, NULL), NULL);
    v.base = c.base;
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    memcpy(c.record.b, p->id.b, ID_LEN);
    world_import(w, &c, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM outcome WHERE code = 4"), 1);
    free(p);
}

/* Two move the record, to different units. As long as that is a case, record and attachments stand
 * where the first took them; then where it is decided. */
static void what_a_case_holds_moves_nothing_and_its_end_does(void **state)
{
    struct world *w = *state;
    char text[ID_TEXT_LEN + 1], set[ID_TEXT_LEN + 16];
    struct photo *p = photo(CHUNK, 808);
    see(w, BOTH, &w->province, 1);
    attach(w, BOTH, world_inspect(w, BOTH, "pass"), p);
    world_sync(w, BOTH);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    snprintf(set, sizeof set, "unit_id=%s", id_text(w->province, text));
    world_amend(w, BOTH, p->record, set);
    world_sync(w, BOTH);
    lies_in(w, p->id, &w->other_commune);
    const struct id id = world_case(w);
    struct field v = value(FIELD_UNIT, id_span(&w->province));
    struct change c = {.kind = KIND_INSPECTION,
                       .verb = VERB_AMEND,
                       .reason = span_str("hội đồng"),
                       .case_id = id_span(&id),
                       .fields = {&v, 1}};
    memcpy(c.record.b, p->record.b, ID_LEN);
    must(registry_version(w->registry, &c.base, NULL), NULL);
    v.base = c.base;
    world_import(w, &c, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE closed_version IS NULL"), 0);
    lies_in(w, p->id, &w->province);
    assert_int_equal(together(w), 1);
    world_sync(w, BOTH);
    assert_true(shows_in(w, BOTH, p->id, &w->province));
    assert_told(w);
    free(p);
}

/* --- evidence, backups, size
 * ----------------------------------------------------------------------
 */

/* Its own story would not say why it lies where it lies. */
static void the_story_of_an_attachment_is_its_records(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct arena a;
    Ocop__Evidence__Bundle *b;
    struct evidence e;
    struct id id;
    struct photo *p = photo(CHUNK, 809);
    attach(w, AUTHOR, world_inspect(w, AUTHOR, "pass"), p);
    world_sync(w, AUTHOR);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    memcpy(id.b, p->id.b, ID_LEN);
    arena_init(&a, EVIDENCE_ARENA_MAX);
    must(evidence_make(w->registry, &id, NULL, &a, &b, &err), &err);
    assert_memory_equal(b->record.data, p->record.b, ID_LEN);
    assert_int_equal(b->n_files, 1);
    must(evidence_check(b, w->keys.root.public_key, &a, &e, &err), &err);
    assert_int_equal(e.finding_count, 0);
    arena_fini(&a);
    free(p);
}

static void a_restored_registry_has_them_together(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(CHUNK, 810);
    attach(w, BOTH, world_inspect(w, BOTH, "pass"), p);
    world_sync(w, BOTH);
    world_backup(w);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    world_sync(w, BOTH);
    assert_true(shows_in(w, BOTH, p->id, &w->other_commune));
    world_restore(w); /* and nobody has that move any more */
    world_sync(w, BOTH);
    lies_in(w, p->id, &w->commune);
    assert_true(shows_in(w, BOTH, p->id, &w->commune));
    free(p);
}

/* More than one page may hold leave with one change-set. */
static void thousands_leave_with_one_set_page_by_page(void **state)
{
    enum { RECORDS = 5, EACH = 900 };
    struct world *w = *state;
    struct field v[3], moved[RECORDS], *fields = calloc(EACH, sizeof *fields * ATTACHED_FIELDS);
    struct change *c = calloc(EACH + 1, sizeof *c);
    struct id record[RECORDS], *ids = calloc(EACH, sizeof *ids);
    assert_true(fields && c && ids);
    for (unsigned i = 0; i < RECORDS; i++) {
        record[i] = fresh(w);
        c[0] = producer_in(v, &record[i], &w->commune);
        for (unsigned n = 0; n < EACH; n++) {
            ids[n] = fresh(w);
            c[n + 1] = attached_in(fields + (size_t)n * ATTACHED_FIELDS, w, &ids[n], &record[i],
                                   &w->commune);
        }
        world_import(w, c, EACH + 1);
    }
    world_sync(w, NEAR);
    for (unsigned i = 0; i < RECORDS; i++) {
        moved[i] = value(FIELD_UNIT, id_span(&w->other_commune));
        c[i] = (struct change){.kind = KIND_PRODUCER,
                               .verb = VERB_AMEND,
                               .record = record[i],
                               .fields = {&moved[i], 1}};
        must(registry_version(w->registry, &c[i].base, NULL), NULL);
        moved[i].base = c[i].base;
    }
    world_import(w, c, RECORDS);
    const struct ocop_sync_summary sum = world_sync(w, NEAR);
    assert_int_equal(sum.departed, RECORDS * (EACH + 1));
    assert_true(sum.round_trips >= 2);
    world_sync(w, FAR);
    assert_int_equal(world_count(w, "SELECT count(*) FROM departure WHERE kind = 13"),
                     RECORDS * EACH);
    free(fields);
    free(c);
    free(ids);
}

/* Of two sets in one request the second has to come again: the first has moved enough. */
static void push_both(struct world *w, struct hand *h, struct change *c, size_t count)
{
    Ocop__Sync__Sealed *sets[] = {hand_seal(w, h, c, count), hand_seal(w, h, c + count, 1)};
    Ocop__Sync__Reply *reply = hand_sync(w, h, sets, 2, NULL);
    assert_int_equal(reply->sync->n_sets, 1);
    assert_int_equal(reply->sync->sets[0]->code, SET_ACCEPTED);
    reply = hand_sync(w, h, sets + 1, 1, NULL);
    assert_int_equal(reply->sync->n_sets, 1);
    assert_int_equal(reply->sync->sets[0]->code, SET_ACCEPTED);
}

/* To and fro within one set of a device: what would move too many is refused, and those before it
 * stand. The office may. */
static void no_set_moves_more_than_it_may(void **state)
{
    enum { EACH = 2000, MOVES = SET_FOLLOWERS_MAX / EACH + 1 };
    struct world *w = *state;
    const struct id *const units[] = {&w->other_commune, &w->commune};
    const struct ocop_id inspected = world_inspect(w, BOTH, "pass");
    struct field *fields = calloc(EACH, sizeof *fields * ATTACHED_FIELDS);
    struct change *c = calloc(EACH, sizeof *c);
    struct id *ids = calloc(EACH, sizeof *ids), record;
    struct hand h;
    assert_true(fields && c && ids);
    memcpy(record.b, inspected.b, ID_LEN);
    world_sync(w, BOTH);
    for (unsigned n = 0; n < EACH; n++) {
        ids[n] = fresh(w);
        c[n] = attached_in(fields + (size_t)n * ATTACHED_FIELDS, w, &ids[n], &record, &w->commune);
    }
    world_import(w, c, EACH);
    hand_new(w, &h, w->officers[BOTH]);
    hand_invite(w, &h, &h.invitation);
    assert_int_equal(hand_redeem(w, &h, &h.invitation)->code, OCOP_OK);
    widen(w, &h.replica);
    for (unsigned device = 2; device-- > 0;) {
        uint64_t base;
        must(registry_version(w->registry, &base, NULL), NULL);
        for (unsigned n = 0; n <= MOVES; n++) {
            fields[n] = value(FIELD_UNIT, id_span(units[n % 2]));
            c[n] = hand_change(&h, KIND_INSPECTION, VERB_AMEND, record, &fields[n], 1);
            c[n].reason = span_str("nhầm xã");
            fields[n].base = c[n].base = base;
        }
        if (device)
            push_both(w, &h, c, MOVES);
        else
            world_import(w, c, MOVES);
        assert_int_equal(world_count(w, "SELECT count(*) FROM outcome WHERE code = 4"), 1);
        assert_int_equal(world_count(w, "SELECT idx FROM outcome WHERE code = 4"), MOVES - 1);
        assert_int_equal(world_count(w, "SELECT count(DISTINCT unit_id) FROM attachment"), 1);
    }
    assert_int_equal(together(w), EACH);
    free(fields);
    free(c);
    free(ids);
}

static void what_is_attached_to_a_record_is_found_by_an_index(void **state)
{
    struct world *w = *state;
    char text[1024];
    sqlite3_stmt *plan, *s = registry_stmt(w->registry, SQL_ATTACHED_ELSEWHERE, NULL);
    assert_non_null(s);
    snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(s));
    assert_int_equal(sqlite3_prepare_v2(w->registry->db, text, -1, &plan, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(plan), SQLITE_ROW);
    assert_non_null(strstr((const char *)sqlite3_column_text(plan, 3), "attachment_record"));
    sqlite3_finalize(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, open_moving, world_teardown)
        T(attachments_move_with_their_record),
        T(attachments_come_back_with_their_record),
        T(who_moves_a_record_sees_its_attachments_follow),
        T(what_is_attached_meanwhile_goes_where_the_record_is),
        T(who_sees_the_record_no_more_attaches_nothing_and_loses_nothing),
        T(an_attachment_whose_record_is_to_come_goes_where_that_comes),
        T(nobody_takes_attachments_by_another_kind_under_the_same_id),
        T(a_move_that_had_waited_takes_attachments_along),
        T(what_has_no_record_in_a_unit_keeps_its_own),
        T(made_again_it_stays_where_its_record_is),
        T(a_copy_that_made_it_too_shows_where_it_lies),
        T(nobody_moves_an_attachment_by_itself),
        T(what_was_loaded_before_a_move_is_amended_after_it),
        T(a_void_contradicts_no_move),
        T(a_wrong_amendment_is_refused_whatever_moved_meanwhile),
        T(what_a_case_holds_moves_nothing_and_its_end_does),
        T(the_story_of_an_attachment_is_its_records),
        T(a_restored_registry_has_them_together),
        T(thousands_leave_with_one_set_page_by_page),
        T(no_set_moves_more_than_it_may),
        T(what_is_attached_to_a_record_is_found_by_an_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
