/* What a device refuses when a record is saved because the registry would refuse it later: records
 * of other units, references to nowhere. With a real registry and no socket. */
#include "test.h"

#include <string.h>

#include "values.h"
#include "world.h"

static int open_world(void **state)
{
    static struct world w;
    world_open(&w);
    world_enrol(&w, 1);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    world_close(*state);
    return 0;
}

/* An inspection in `unit`, not stored yet. */
static ProtobufCMessage *inspection(struct world *w, struct id unit)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    char text[ID_TEXT_LEN + 1], producer[ID_TEXT_LEN + 1];
    const char *sets[] = {arena_printf(&w->arena, "unit_id=%s", id_text(unit, text)),
                          arena_printf(&w->arena, "producer_id=%s", id_text(w->producer, producer)),
                          "inspection_type=planned", "conclusion=pass"};
    assert_int_equal(ocop_new(w->stores[1], "inspection", &m, &err), OCOP_OK);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (ocop_set_text(w->stores[1], &m, sets[i], &err) != OCOP_OK)
            fail_msg("%s: %s", err.field, err.text);
    return m;
}

static void set(struct world *w, ProtobufCMessage **m, const char *assignment)
{
    struct ocop_error err = {0};
    if (ocop_set_text(w->stores[1], m, assignment, &err) != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
}

static void refused(enum ocop_status want, enum ocop_status got, const struct ocop_error *err,
                    const char *field, const char *text)
{
    if (want != got || strcmp(err->field, field) != 0 || !strstr(err->text, text))
        fail_msg("status %d, field \"%s\": %s", (int)got, err->field, err->text);
}

static void a_record_of_a_foreign_unit_is_refused_at_save_with_both_named(void **state)
{
    static const char *const says = "Xã Đắk Mil (24670) lies outside the units of this device: "
                                    "Xã Đức Lập (24664)";
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m = inspection(w, w->other_commune);
    refused(OCOP_EPERM, ocop_save(w->stores[1], m, &err), &err, "unit_id", says);
    refused(OCOP_EPERM, ocop_submit(w->stores[1], m, &err), &err, "unit_id", says);
    ocop_free(m);
    struct ocop_id id = world_inspect(w, 1, "pass");
    assert_int_equal(ocop_load(w->stores[1], &id, &m, &err), OCOP_OK);
    char text[ID_TEXT_LEN + 1];
    set(w, &m, arena_printf(&w->arena, "unit_id=%s", id_text(w->other_commune, text)));
    refused(OCOP_EPERM, ocop_amend(w->stores[1], m, "chuyển xã", &err), &err, "unit_id", says);
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).refused, 0);
}

static struct field took_over(struct world *w, const struct id *successor, uint64_t base)
{
    char *packed = arena_printf(&w->arena, "\n%c%16s\x12\x05whole", 16, "");
    memcpy(packed + 2, successor->b, ID_LEN);
    return (struct field){.number = 16,
                          .op = FIELD_SET,
                          .type = VALUE_ELEMENT,
                          .key = span_of(packed + 2, ID_LEN),
                          .bytes = span_of(packed, 25),
                          .base = base};
}

/* A commune below another unit, with what took over from it. */
static uint64_t import_unit(struct world *w, const struct id *id, const char *code,
                            const struct id *parent, const struct id *successor)
{
    struct field v[6] = {text(10, code), text(11, code), text(12, "commune"), ref(13, parent),
                         text(14, "2020-01-01")};
    struct change c = {.kind = KIND_UNIT, .verb = VERB_CREATE, .record = *id, .fields = {v, 5}};
    if (successor)
        v[c.fields.count++] = took_over(w, successor, 0);
    return world_import(w, &c, 1);
}

/*     elder ---> the device's commune ---> other_commune        hamlet lies below the commune
 *       `------> stranger */
static void what_lies_below_a_unit_or_is_of_its_line_may_be_written(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct id hamlet = id_next(&w->registry->ids, w->registry->env);
    struct id elder = id_next(&w->registry->ids, w->registry->env);
    struct id stranger = id_next(&w->registry->ids, w->registry->env);
    import_unit(w, &hamlet, "2466401", &w->commune, NULL);
    import_unit(w, &stranger, "24999", &w->province, NULL);
    uint64_t base = import_unit(w, &elder, "24001", &w->province, &w->commune);
    struct field heirs[] = {took_over(w, &w->other_commune, base), took_over(w, &stranger, base)};
    struct change changes[] = {{.kind = KIND_UNIT,
                                .verb = VERB_AMEND,
                                .record = w->commune,
                                .base = base,
                                .fields = {&heirs[0], 1}},
                               {.kind = KIND_UNIT,
                                .verb = VERB_AMEND,
                                .record = elder,
                                .base = base,
                                .fields = {&heirs[1], 1}}};
    world_import(w, changes, 2);
    world_sync(w, 1);
    const struct id units[] = {hamlet, w->other_commune, elder};
    for (size_t i = 0; i < 3; i++) {
        ProtobufCMessage *m = inspection(w, units[i]);
        if (ocop_submit(w->stores[1], m, &err) != OCOP_OK)
            fail_msg("%zu: %s: %s", i, err.field, err.text);
        ocop_free(m);
    }
    const struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.applied, 3); /* the registry agrees */
    const struct id others[] = {w->province, stranger};
    for (size_t i = 0; i < 2; i++) {
        ProtobufCMessage *m = inspection(w, others[i]);
        refused(OCOP_EPERM, ocop_submit(w->stores[1], m, &err), &err, "unit_id", "lies outside");
        ocop_free(m);
    }
}

static void an_element_that_refers_to_nowhere_is_refused_by_its_path(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m = inspection(w, w->commune);
    const struct ocop_id key = ocop_new_key(w->stores[1]);
    char text[ID_TEXT_LEN + 1];
    const char *path = arena_printf(&w->arena, "participants[%s]", ocop_id_text(key, text));
    set(w, &m, arena_printf(&w->arena, "%s.name=An", path));
    set(w, &m, arena_printf(&w->arena, "%s.side=team", path));
    set(w, &m,
        arena_printf(&w->arena, "%s.officer_id=%s", path, "01980f3c-5a7e-8b21-9c4d-2e6f00000099"));
    refused(OCOP_EINVAL, ocop_submit(w->stores[1], m, &err), &err,
            arena_printf(&w->arena, "%s.officer_id", path), "is not on this device");
    set(w, &m, arena_printf(&w->arena, "%s.officer_id=%s", path, id_text(w->officers[1], text)));
    assert_int_equal(ocop_submit(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).applied, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_of_a_foreign_unit_is_refused_at_save_with_both_named),
        TEST(what_lies_below_a_unit_or_is_of_its_line_may_be_written),
        TEST(an_element_that_refers_to_nowhere_is_refused_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
