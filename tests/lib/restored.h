/* Registries that are restored from one backup or another, and what a device says of its records
 * then: what tests of restored registries and of copied stores share. */
#ifndef TEST_RESTORED_H
#define TEST_RESTORED_H

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records.pb-c.h"
#include "world.h"

static inline enum ocop_record_state state_of(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[n], &id, &status, NULL), OCOP_OK);
    enum ocop_record_state state = status->state;
    ocop_record_status_free(status);
    return state;
}

/* Make the officer of device n an inspector, or no longer one. */
static inline void inspector(struct world *w, unsigned n, bool is)
{
    static const char packed[] = "\n\tinspector"; /* OfficerRole with its key */
    struct ocop_error err = {0};
    uint64_t version;
    assert_int_equal(registry_version(w->registry, &version, &err), OCOP_OK);
    struct field f = {.number = 15,
                      .op = is ? FIELD_SET : FIELD_CLEAR,
                      .type = VALUE_ELEMENT,
                      .key = span_of(packed + 2, 9),
                      .bytes = is ? span_of(packed, 11) : span_of(NULL, 0),
                      .base = version};
    struct change c = {.kind = KIND_OFFICER,
                       .verb = VERB_AMEND,
                       .record = w->officers[n],
                       .base = version,
                       .fields = {&f, 1},
                       .reason = span_str("nhiệm vụ")};
    world_import(w, &c, 1);
}

static inline struct ocop_id check_environment(struct world *w, unsigned n)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    struct ocop_id id;
    char sets[4][80], text[ID_TEXT_LEN + 1];
    assert_int_equal(ocop_new(w->stores[n], "environmental_check", &m, &err), OCOP_OK);
    snprintf(sets[0], sizeof *sets, "unit_id=%s", id_text(w->commune, text));
    snprintf(sets[1], sizeof *sets, "producer_id=%s", id_text(w->producer, text));
    snprintf(sets[2], sizeof *sets, "inspection_type=planned");
    snprintf(sets[3], sizeof *sets, "conclusion=pass");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ocop_set_text(w->stores[n], &m, sets[i], &err), OCOP_OK);
    if (ocop_submit(w->stores[n], m, &err) != OCOP_OK)
        fail_msg("%s %s", err.field, err.text);
    memcpy(id.b, ((Ocop__EnvironmentalCheck *)m)->id.data, ID_LEN);
    ocop_free(m);
    return id;
}

static inline void backup_moves(struct world *w, const char *from, const char *to)
{
    char command[512];
    snprintf(command, sizeof command, "cd %s && mv %s %s", w->dir, from, to);
    assert_int_equal(system(command), 0);
}

static inline void backup_as(struct world *w, const char *name)
{
    world_backup(w);
    backup_moves(w, "backup.db", name);
}

static inline void restore_from(struct world *w, const char *name)
{
    backup_moves(w, name, "backup.db");
    world_restore(w);
}

/* Device 2 has a copy of device 1's store, and a name of its own by its first work, which it does
 * in a history that is lost. The registry is the one of later.db then, and older.db is the
 * caller's.
 */
static inline void a_copy_parts_in_a_lost_history(struct world *w)
{
    world_sync(w, 1);
    world_copy(w, 1, 2);
    backup_as(w, "later.db");
    restore_from(w, "older.db");
    for (unsigned n = 1; n <= 2; n++)
        world_sync(w, n);
    for (unsigned n = 1; n <= 2; n++) {
        (void)check_environment(w, n);
        assert_int_equal(world_sync(w, n).forked, n == 2);
    }
    restore_from(w, "later.db");
}

#endif
