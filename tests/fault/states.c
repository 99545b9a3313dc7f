/* Faults under what becomes of a device: its keys change, it is suspended, it is wiped. Both sides
 * take part, and the ledger beside the registry. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ledger.h"
#include "scene.h"

enum {
    OTHER = 2,
    CHANGES_OF_KEYS = 40
}; /* the device of these acts; a new one when it is used up */

static struct ocop_store_status other_status(struct scene *s)
{
    struct ocop_store_status out;
    struct ocop_error err = {0};
    must(ocop_store_status(s->w.stores[OTHER], &out, &err), &err);
    return out;
}

static void new_other(struct scene *s)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char path[128];
    ocop_close(s->w.stores[OTHER]);
    s->w.stores[OTHER] = NULL;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s/%d.ocop%s", s->w.dir, OTHER, endings[i]);
        unlink(path);
    }
    world_enrol(&s->w, OTHER);
    memcpy(s->other.b, other_status(s).replica.b, ID_LEN);
}

static void new_keys(struct scene *s)
{
    struct ocop_error err = {0};
    if (s->number++ % CHANGES_OF_KEYS == 0)
        new_other(s);
    world_inspect(&s->w, OTHER, "pass");
    s->submitted++;
    must(ocop_rekey_device(s->w.stores[OTHER], &err), &err);
}

static enum ocop_status sync_other(struct scene *s, struct ocop_error *err)
{
    enum ocop_status st = ocop_sync(s->w.stores[OTHER], NULL, NULL, err);
    return st == OCOP_EWIPED ? OCOP_OK : st;
}

/* Whichever keys the device has now, the registry has them too, and all that it signs stands. */
static void keys_changed(struct scene *s, enum ocop_status st)
{
    (void)st;
    store_open_again(s, OTHER); /* power lost: what is not stored is gone */
    world_sync(&s->w, OTHER);   /* with the next keys, if they were not taken */
    assert_false(other_status(s).rekeying);
    world_inspect(&s->w, OTHER, "pass");
    s->submitted++;
    world_sync(&s->w, OTHER);
    assert_int_equal(world_count(&s->w, "SELECT count(*) FROM inspection"), s->submitted);
}

static enum ocop_status other_set(struct scene *s, enum device_state to, struct ocop_error *err)
{
    enum ocop_status st = registry_begin(s->w.registry, err);
    if (st != OCOP_OK)
        return st;
    st = device_state_set(s->w.registry, &s->w.keys, &s->other, to, "mất máy", err);
    if (st == OCOP_OK)
        return registry_commit(s->w.registry, err);
    registry_rollback(s->w.registry);
    return st;
}

static void one_other(struct scene *s)
{
    if (!s->w.stores[OTHER])
        new_other(s);
}

static enum ocop_status suspend(struct scene *s, struct ocop_error *err)
{
    return other_set(s, DEVICE_SUSPENDED, err);
}

static struct ledger_entry last_line(struct scene *s, struct ledger *l)
{
    struct ocop_error err = {0};
    ledger_init(l);
    must(ledger_read(l, s->w.registry->ledger, NULL, &s->w.keys, &err), &err);
    const struct ledger_entry *last = ledger_last(l, &s->other);
    assert_non_null(last);
    return *last;
}

/* What the registry says, its ledger says; what did not happen there may stand in the ledger, and
 * is put right by the next change. No line hides another. */
static void suspended(struct scene *s, enum ocop_status st)
{
    struct replica_info info;
    struct ledger l;
    struct ocop_error err = {0};
    must(registry_replica(s->w.registry, &s->other, &info, &err), &err);
    if (st == OCOP_OK)
        assert_int_equal(info.state, DEVICE_SUSPENDED);
    if (info.state == DEVICE_SUSPENDED)
        assert_int_equal(last_line(s, &l).state, DEVICE_SUSPENDED);
    else
        (void)last_line(s, &l);
    ledger_fini(&l);
    if (info.state == DEVICE_ACTIVE)
        must(suspend(s, &err), &err);
    must(other_set(s, DEVICE_ACTIVE, &err), &err);
    assert_int_equal(last_line(s, &l).state, DEVICE_ACTIVE);
    ledger_fini(&l);
}

#define KNOWN "HTX Nông nghiệp Đắk Mil không được để lại"

static void one_to_wipe(struct scene *s)
{
    struct ocop_error err = {0};
    new_other(s);
    world_producer(&s->w, OTHER, KNOWN);
    must(other_set(s, DEVICE_WIPE_NOW, &err), &err);
}

static void to_be_wiped(struct scene *s)
{
    made_again(s, one_to_wipe);
    registry_open_again(s);
    store_open_again(s, OTHER);
}

static void wiped(struct scene *s, enum ocop_status st)
{
    struct ocop_store_status status;
    struct ocop_error err = {0};
    (void)st;
    store_open_again(s, OTHER);
    if (ocop_sync(s->w.stores[OTHER], NULL, NULL, &err) != OCOP_EWIPED)
        fail_msg("not wiped: %s", err.text);
    must(ocop_store_status(s->w.stores[OTHER], &status, &err), &err);
    assert_true(status.wiped && !status.enrolled && status.records == 0);
    assert_int_equal(world_count(&s->w, "SELECT count(*) FROM replica WHERE state = 'wipe_now'"),
                     0);
    ocop_close(s->w.stores[OTHER]);
    s->w.stores[OTHER] = NULL;
    char command[256];
    snprintf(command, sizeof command, "grep -lqF '" KNOWN "' %s/%d.ocop*", s->w.dir, OTHER);
    assert_int_not_equal(system(command), 0);
}

const struct act state_acts[STATE_ACTS] = {
    {"change keys", new_keys, sync_other, keys_changed},
    {"suspend", one_other, suspend, suspended},
    {"wipe", to_be_wiped, sync_other, wiped},
};
