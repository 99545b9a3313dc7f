/* Every field that the minutes of an inspection, a sampling and an environmental check ask for is
 * filled in on one device, sent, merged, and read the same on another device and at the centre. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "records.pb-c.h"
#include "world.h"

static int open_world(void **state)
{
    static struct world w;
    world_open(&w);
    world_enrol(&w, 0);
    world_enrol(&w, 1);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    world_close(*state);
    return 0;
}

static const char *code_of(const char *list)
{
    static const char *const codes[][2] = {
        {"inspection_type", "appraisal"},
        {"conclusion", "conditional"},
        {"facility_grade", "B"},
        {"answer", "fail"},
        {"severity", "serious"},
        {"participant_side", "producer"},
        {"part_role", "counter"},
        {"environment_group", "II"},
        {"environment_instrument", "permit"},
        {"discharge_column", "B"},
        {"medium", "wastewater"},
        {"qualifier", "lt"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i][0], list) == 0)
            return codes[i][1];
    fail_msg("no code of list %s", list);
    return NULL;
}

/* Some record of a kind that the device has. */
static struct id some(struct world *w, const char *kind)
{
    struct ocop_error err = {0};
    struct ocop_list *list;
    struct id id;
    const struct ocop_query q = {.kind = kind, .limit = 1};
    assert_int_equal(ocop_find(w->stores[0], &q, &list, &err), OCOP_OK);
    if (list->count == 0)
        fail_msg("the device has no %s", kind);
    memcpy(id.b, list->items[0].id.b, ID_LEN);
    ocop_list_free(list);
    return id;
}

/* A value that the field may hold, as text; all days are one day, so that they are in order. */
static const char *value_of(struct world *w, const struct field_rule *r)
{
    char text[ID_TEXT_LEN + 1];
    switch (r->check) {
    case CHECK_TEXT:
        return arena_printf(&w->arena, "chữ %u", r->number);
    case CHECK_NOTE:
        return arena_printf(&w->arena, "dòng một\ndòng hai %u", r->number);
    case CHECK_CODE:
        return code_of(r->arg);
    case CHECK_DATE:
        return "2024-08-05"; /* grades were in force then */
    case CHECK_DECIMAL:
        return "1.5";
    case CHECK_RANGE:
        return r->hi == 1 ? "true" : r->hi > 1000000000000 ? "1722834000000" : "7";
    case CHECK_REF:
        return arena_printf(&w->arena, "%s",
                            id_text(some(w, kind_by_number((uint32_t)r->lo)->name), text));
    case CHECK_BYTES:
        return "01980f3c-5a7e-8b21-9c4d-2e6f000000aa";
    case CHECK_LIST:
    case CHECK_NONE:
        break;
    }
    return "";
}

static void set(struct world *w, ProtobufCMessage **m, const char *path, const struct field_rule *r)
{
    struct ocop_error err = {0};
    const char *value = value_of(w, r);
    if (ocop_set_text(w->stores[0], m, arena_printf(&w->arena, "%s=%s", path, value), &err) !=
        OCOP_OK)
        fail_msg("%s: %s: %s", path, value, err.text);
}

/* Fills in what the officer fills in; what the library gives stays. Returns how many fields. */
static size_t fill(struct world *w, const struct kind *k, ProtobufCMessage **m)
{
    size_t count = 0;
    for (size_t i = 0; i < k->field_count; i++) {
        const struct field_rule *r = &k->fields[i];
        if (r->number < FIELD_KIND_FIRST || r->flags & FIELD_PAPER)
            continue;
        if (!rule_is_list(r)) {
            set(w, m, r->desc->name, r);
            count++;
            continue;
        }
        const ProtobufCMessageDescriptor *e = r->desc->descriptor;
        const char *key = r->items->check == CHECK_BYTES ? value_of(w, r->items) : "NC.1";
        for (const struct field_rule *item = r->items + 1; item->number; item++, count++) {
            const ProtobufCFieldDescriptor *d =
                protobuf_c_message_descriptor_get_field(e, item->number);
            set(w, m, arena_printf(&w->arena, "%s[%s].%s", r->desc->name, key, d->name), item);
        }
    }
    return count;
}

static char *json_of(struct world *w, unsigned device, const struct ocop_id *id)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m;
    char *json = NULL;
    if (ocop_load(w->stores[device], id, &m, &err) != OCOP_OK ||
        ocop_to_json(m, true, &json, &err) != OCOP_OK)
        fail_msg("device %u: %s", device, err.text);
    ocop_free(m);
    return json;
}

static void every_field_reaches_the_registry_and_another_device(void **state)
{
    static const struct {
        const char *kind;
        size_t fields;
    } kinds[] = {{"inspection", 53}, {"environmental_check", 58}, {"sample", 48}};
    struct world *w = *state;
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        const struct kind *k = kind_by_name(kinds[n].kind);
        struct ocop_error err = {0};
        struct ocop_id id;
        ProtobufCMessage *m;
        char unit[ID_TEXT_LEN + 1];
        assert_int_equal(ocop_new(w->stores[0], k->name, &m, &err), OCOP_OK);
        assert_int_equal(
            ocop_set_text(w->stores[0], &m,
                          arena_printf(&w->arena, "unit_id=%s", id_text(w->commune, unit)), &err),
            OCOP_OK);
        const size_t filled = fill(w, k, &m);
        if (filled < kinds[n].fields)
            fail_msg("%s has %zu fields", k->name, filled);
        if (ocop_submit(w->stores[0], m, &err) != OCOP_OK)
            fail_msg("%s: %s: %s", k->name, err.field, err.text);
        memcpy(id.b, ((const Ocop__Inspection *)m)->id.data,
               sizeof id.b); /* field 1 of every kind */
        ocop_free(m);
        assert_int_equal(world_sync(w, 0).applied, 1);
        world_sync(w, 1);
        char *here = json_of(w, 0, &id), *there = json_of(w, 1, &id);
        assert_string_equal(here, there);
        /* The columns and lists of the registry hold each of them. */
        for (size_t i = 0; i < k->field_count; i++) {
            const struct field_rule *r = &k->fields[i];
            if (r->number < FIELD_KIND_FIRST)
                continue;
            if (strcmp(world_value(w, k->name, id, r->desc->name), "null") == 0 && !rule_is_list(r))
                fail_msg("%s.%s did not arrive", k->name, r->desc->name);
        }
        ocop_text_free(here);
        ocop_text_free(there);
    }
    assert_int_equal(world_count(w, "SELECT count(*) FROM outcome"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection_participants WHERE leader"),
                     1);
    assert_int_equal(
        world_count(w,
                    "SELECT count(*) FROM environmental_check_measurements WHERE text LIKE 'chữ%'"),
        1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_field_reaches_the_registry_and_another_device,
                                        open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
