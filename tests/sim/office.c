/* What the office does: imports, corrections, scopes, roles, units, decisions on cases, backups and
 * restores. It writes as the commands of ocopd do. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bounds.h"
#include "cases.h"
#include "sim.h"

/* The office's change being composed. */
struct letter {
    struct sim *s;
    struct field v[16];
    struct change c;
};

static void letter_begin(struct letter *l, struct sim *s, uint32_t kind, enum verb verb,
                         const struct id *record)
{
    *l = (struct letter){.s = s};
    l->c = (struct change){.kind = kind, .verb = (uint8_t)verb, .record = *record};
    l->c.device_time_ms = s->now_ms;
    l->c.reason = span_str(verb == VERB_CREATE ? "" : "office");
}

static struct field *put(struct letter *l, uint32_t number, enum value_type type)
{
    struct field *f = &l->v[l->c.fields.count++];
    CHECK(l->c.fields.count <= 16);
    *f = (struct field){.number = number, .op = FIELD_SET, .type = (uint8_t)type};
    return f;
}

static void put_text(struct letter *l, uint32_t number, const char *text)
{
    const char *copy = arena_dup(&l->s->work, text, strlen(text));
    CHECK(copy);
    put(l, number, VALUE_BYTES)->bytes = span_str(copy);
}

static void put_ref(struct letter *l, uint32_t number, const struct id *id)
{
    put(l, number, VALUE_BYTES)->bytes = id_span(id);
}

/* An element {1: key} or {1: key, 2: text}; `clear`: its removal. */
static void put_element(struct letter *l, uint32_t number, struct span key, const char *text,
                        bool clear)
{
    struct field *f = put(l, number, VALUE_ELEMENT);
    struct buf b;
    buf_init(&b, KIB(1));
    buf_byte(&b, 1 << 3 | 2);
    buf_varint(&b, key.len);
    buf_put(&b, key.p, key.len);
    if (text) {
        buf_byte(&b, 2 << 3 | 2);
        buf_varint(&b, strlen(text));
        buf_str(&b, text);
    }
    f->bytes = span_of(arena_dup(&l->s->work, b.p, b.len), b.len);
    CHECK(f->bytes.p);
    f->key = span_of(f->bytes.p + 2, key.len);
    if (clear) {
        f->op = FIELD_CLEAR;
        f->bytes = span_of(NULL, 0);
    }
    buf_fini(&b);
}

/* The change as what the office saw at `base`. */
static struct change *letter_end(struct letter *l, uint64_t base)
{
    l->c.fields.v = l->v;
    CHECK(fields_sort(&l->c.fields));
    l->c.base = base;
    for (size_t i = 0; i < l->c.fields.count; i++)
        l->v[i].base = base;
    return &l->c;
}

static bool wrote(struct sim *s, enum ocop_status st, const struct ocop_error *err)
{
    if (st == OCOP_OK && !s->server.disk.dead)
        return true;
    if (!s->server.disk.dead && !(s->faults & (FAULT_DISK | FAULT_CRASH)))
        sim_fail(s, "office", "the office could not write: %s %s", err_name(st), err->text);
    return false;
}

bool office_write(struct sim *s, struct change *changes, size_t count)
{
    struct ocop_error err = {0};
    struct changes set = {changes, count};
    struct author au;
    uint64_t version;
    if (!server_up(s))
        return false;
    enum ocop_status st = registry_begin(s->registry, &err);
    if (st != OCOP_OK)
        return wrote(s, st, &err);
    struct call call = call_begin(&s->server);
    st = author_begin(s->registry, &s->keys, "import", "office", NULL, &au, &err);
    if (st == OCOP_OK)
        st = author_write(&au, &set, &s->work, &version, &err);
    author_end(&au);
    if (st == OCOP_OK)
        st = registry_commit(s->registry, &err);
    if (st != OCOP_OK)
        registry_rollback(s->registry);
    call_end(&s->server, &call);
    return wrote(s, st, &err);
}

/* Version of a record, 0 when it is not there; its fields in s->work. */
static uint64_t held(struct sim *s, uint32_t kind, const struct id *id, struct fields *out)
{
    struct row_meta meta = {0};
    *out = (struct fields){NULL, 0};
    if (!server_up(s) ||
        row_load(s->registry->rows, kind, id, &s->work, out, &meta, NULL) != OCOP_OK)
        return 0;
    return meta.version;
}

/* --- master data -------------------------------------------------------------------------------
 */

static void imports(struct sim *s)
{
    struct letter l;
    struct fields f;
    char text[24];
    if (s->record_count == 0)
        return;
    const struct known_record *r = &s->records[chance_below(&s->chance, s->record_count)];
    uint64_t base = held(s, r->kind, &r->id, &f);
    if (!base || (r->kind != KIND_PRODUCER && r->kind != KIND_PRODUCT))
        return;
    if (chance_percent(&s->chance, 40)) /* a table that lay on a desk for a while */
        base = chance_below(&s->chance, (unsigned)base + 1);
    letter_begin(&l, s, r->kind, VERB_AMEND, &r->id);
    snprintf(text, sizeof text, "v%u", ++s->token);
    if (r->kind == KIND_PRODUCT && chance_percent(&s->chance, 50)) {
        put(&l, 14, VALUE_INT)->i = 3 + chance_below(&s->chance, 3);
        put(&l, 15, VALUE_INT)->i = 2026;
    } else if (r->kind == KIND_PRODUCT) {
        put_text(&l, 16, text);
    } else {
        put_text(&l, 13, chance_percent(&s->chance, 50) ? text : "An");
        if (chance_percent(&s->chance, 40))
            put_text(&l, 12, chance_percent(&s->chance, 50) ? "4001" : "4002");
        if ((s->faults & FAULT_SCOPE) && chance_percent(&s->chance, 20))
            put_ref(&l, FIELD_UNIT, &s->units[2 + chance_below(&s->chance, s->unit_count - 2)]);
    }
    sim_trace(s, "the office amends a record of kind %u", r->kind);
    (void)office_write(s, letter_end(&l, base), 1);
}

static void makes(struct sim *s, uint32_t kind)
{
    struct letter l;
    if (!server_up(s))
        return;
    struct id id = id_next(&s->registry->ids, &s->server.env);
    const struct id *unit = &s->units[2 + chance_below(&s->chance, s->unit_count - 2)];
    const struct id *producer = NULL;
    for (unsigned i = 0; i < s->record_count; i++)
        if (s->records[i].kind == KIND_PRODUCER)
            producer = &s->records[i].id;
    if (kind == KIND_PRODUCT && !producer)
        return;
    letter_begin(&l, s, kind, VERB_CREATE, &id);
    put_ref(&l, FIELD_UNIT, unit);
    put_text(&l, 10, "HTX Cà phê");
    if (kind == KIND_PRODUCER)
        put_text(&l, 11, "cooperative");
    else
        put_ref(&l, 11, producer);
    if (office_write(s, letter_end(&l, 0), 1))
        record_note(s, kind, &id);
}

/* A registry of the next version has a kind that nobody here knows: a unit, a text, a number. */
static void strange_things(struct sim *s)
{
    enum { KIND_STRANGE = 77 };
    struct letter l;
    struct fields f;
    char text[24];
    struct known_record *r = &s->strange;
    uint64_t base = r->kind ? held(s, r->kind, &r->id, &f) : 0;
    if (!server_up(s))
        return;
    if (!base)
        *r = (struct known_record){KIND_STRANGE, id_next(&s->registry->ids, &s->server.env)};
    letter_begin(&l, s, r->kind, base ? VERB_AMEND : VERB_CREATE, &r->id);
    snprintf(text, sizeof text, "v%u", ++s->token);
    if (!base || chance_percent(&s->chance, 30))
        put_ref(&l, FIELD_UNIT, &s->units[2 + chance_below(&s->chance, s->unit_count - 2)]);
    put_text(&l, 12, text);
    put(&l, 90, VALUE_INT)->i = chance_below(&s->chance, 3);
    sim_trace(s, "the office writes a record that no program here knows");
    s->figures.strange += office_write(s, letter_end(&l, base), 1);
}

/* --- officers, scopes, units -------------------------------------------------------------------
 */

/* An officer loses a role, or has it back. */
static void changes_roles(struct sim *s)
{
    static const char *const roles[] = {"inspector", "sampler", "reconciler", "laboratory"};
    struct letter l;
    struct fields f;
    const struct id *officer = &s->officers[chance_below(&s->chance, s->officer_count)];
    const char *role = roles[chance_below(&s->chance, 4)];
    uint64_t base = held(s, KIND_OFFICER, officer, &f);
    if (!base)
        return;
    const struct field *has = fields_find(&f, 15, span_str(role));
    letter_begin(&l, s, KIND_OFFICER, VERB_AMEND, officer);
    put_element(&l, 15, span_str(role), NULL, has && has->op == FIELD_SET);
    sim_trace(s, "an officer's role %s %s", role, has && has->op == FIELD_SET ? "ends" : "begins");
    s->rights_changed = true;
    (void)office_write(s, letter_end(&l, base), 1);
}

static void changes_scope(struct sim *s)
{
    struct device *d = device_drawn(s);
    struct letter l;
    struct fields f;
    unsigned u = 1 + chance_below(&s->chance, s->unit_count - 1);
    if (!d || id_is_zero(&d->replica))
        return;
    uint64_t base = held(s, KIND_REPLICA, &d->replica, &f);
    if (!base)
        return;
    const struct field *has = fields_find(&f, 15, id_span(&s->units[u]));
    letter_begin(&l, s, KIND_REPLICA, VERB_AMEND, &d->replica);
    put_element(&l, 15, id_span(&s->units[u]), NULL, has && has->op == FIELD_SET);
    sim_trace(s, "unit %u %s the scope of device %u", u,
              has && has->op == FIELD_SET ? "leaves" : "enters", d->index);
    s->figures.scopes += office_write(s, letter_end(&l, base), 1);
}

/* A commune comes to another province, or is merged into a new one. */
static void changes_units(struct sim *s)
{
    struct letter l[2];
    struct fields f;
    struct change both[2];
    unsigned u = 2 + chance_below(&s->chance, s->unit_count - 2);
    uint64_t base = held(s, KIND_UNIT, &s->units[u], &f);
    if (!base)
        return;
    letter_begin(&l[0], s, KIND_UNIT, VERB_AMEND, &s->units[u]);
    if (chance_percent(&s->chance, 50) || s->unit_count == SIM_UNITS_MAX) {
        put_ref(&l[0], 13, &s->units[chance_below(&s->chance, 2)]);
        sim_trace(s, "unit %u moves", u);
        (void)office_write(s, letter_end(&l[0], base), 1);
        return;
    }
    struct id fresh = id_next(&s->registry->ids, &s->server.env);
    letter_begin(&l[1], s, KIND_UNIT, VERB_CREATE, &fresh);
    put_text(&l[1], 10, "24999");
    put_text(&l[1], 11, "Xã mới");
    put_text(&l[1], 12, "commune");
    put_ref(&l[1], 13, &s->units[chance_below(&s->chance, 2)]);
    put_text(&l[1], 14, "2026-09-01");
    put_element(&l[0], 16, id_span(&fresh), "whole", false);
    both[0] = *letter_end(&l[1], 0);
    both[1] = *letter_end(&l[0], base);
    sim_trace(s, "unit %u is merged into a new one", u);
    if (office_write(s, both, 2))
        s->units[s->unit_count++] = fresh;
}

/* --- devices and keys --------------------------------------------------------------------------
 */

/* Whether or not it is known that it was written: then it may have been. */
static enum ocop_status judges(struct sim *s, struct device *d, enum device_state state)
{
    struct ocop_error err = {0};
    struct kept_aside aside;
    enum ocop_status st = registry_begin(s->registry, &err);
    if (st == OCOP_OK)
        st = device_state_set(s->registry, &s->keys, &d->replica, state, "lost", &err);
    if (st == OCOP_OK && state == DEVICE_ACTIVE)
        st = device_take_aside(s->registry, &d->replica, &aside, &err);
    if (st == OCOP_OK)
        st = registry_commit(s->registry, &err);
    if (st != OCOP_OK)
        registry_rollback(s->registry);
    sim_trace(s, "device %u is to be %s: %s", d->index, device_state_names[state], err_name(st));
    return st;
}

/* A copy may be the same replica, or one with the same keys. */
static void family_is(struct sim *s, const struct device *d, bool gone)
{
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
        struct device *of = &s->devices[i];
        if (of->family != d->family)
            continue;
        of->revoked = of->revoked || gone;
        of->suspended = true;
    }
}

static void revokes(struct sim *s)
{
    static const enum device_state ends[] = {DEVICE_REVOKED, DEVICE_WIPE, DEVICE_WIPE_NOW};
    struct device *d = device_drawn(s);
    if (!d || id_is_zero(&d->replica) || !server_up(s))
        return;
    enum device_state end = ends[chance_below(&s->chance, 3)];
    enum ocop_status st = judges(s, d, end);
    s->figures.revoked += st == OCOP_OK && end == DEVICE_REVOKED;
    s->figures.wiped += st == OCOP_OK && end != DEVICE_REVOKED;
    if (st == OCOP_OK || s->server.disk.dead || st == OCOP_EDB)
        family_is(s, d, true);
}

static void suspends(struct sim *s)
{
    struct device *d = device_drawn(s);
    if (!d || id_is_zero(&d->replica) || !server_up(s))
        return;
    enum ocop_status st = judges(s, d, d->suspended ? DEVICE_ACTIVE : DEVICE_SUSPENDED);
    s->figures.suspended += st == OCOP_OK;
    if (st == OCOP_OK || s->server.disk.dead || st == OCOP_EDB)
        family_is(s, d, false);
}

void office_resumes(struct sim *s)
{
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
        struct device *d = &s->devices[i];
        struct replica_info info;
        if (!d->used || id_is_zero(&d->replica))
            continue;
        const struct id own = d->replica;
        CHECK(registry_replica(s->registry, &d->replica, &info, NULL) == OCOP_OK);
        if (!info.known &&
            d->store) { /* a restore forgot its name: the office sees the one before */
            d->replica = d->continues;
            CHECK(registry_replica(s->registry, &d->replica, &info, NULL) == OCOP_OK);
        }
        if (info.known && info.state == DEVICE_SUSPENDED)
            CHECK(judges(s, d, DEVICE_ACTIVE) == OCOP_OK);
        d->replica = own;
        d->suspended = false;
    }
}

void office_introduces_root(struct sim *s)
{
    struct ocop_error err = {0};
    struct author self = {.r = NULL};
    if (!s->figures.roots || !server_up(s))
        return;
    enum ocop_status st = registry_begin(s->registry, &err);
    if (st == OCOP_OK)
        st = author_registry(s->registry, &s->keys, &self, &err);
    author_end(&self);
    if (st == OCOP_OK)
        st = registry_commit(s->registry, &err);
    if (st != OCOP_OK)
        registry_rollback(s->registry);
    sim_trace(s, "the log names the present root: %s", err_name(st));
    (void)wrote(s, st, &err);
}

/* As `ocopd keys next-root` and `take-root` do: devices take it over with their next sync. Not in
 * runs with restores: what a restored registry forgot of a device's new keys stands in a
 * certificate, which is worth nothing under another root; such a device needs a new store. */
static void replaces_root(struct sim *s)
{
    enum { ROOTS_ENOUGH = 4 };
    char path[DISK_PATH_MAX + 40], keys[DISK_PATH_MAX + 40];
    struct ocop_error err = {0};
    if ((s->faults & FAULT_RESTORE) || s->keys.roots.count > ROOTS_ENOUGH || !server_up(s))
        return;
    snprintf(path, sizeof path, "%s.root-%zu", s->registry_path, s->keys.roots.count);
    snprintf(keys, sizeof keys, "%s.keys", s->registry_path);
    CHECK(keys_next_root(&s->keys, &s->server.env, &s->keys.root, path, &err) == OCOP_OK);
    CHECK(keys_take_root(&s->keys, &s->server.env, path, &err) == OCOP_OK);
    CHECK(keys_save(keys, &s->keys, &err) == OCOP_OK);
    s->figures.roots++;
    office_introduces_root(s);
}

/* Keys that devices learn of as they come; none of the old ones is over before the end. */
static void rotates(struct sim *s)
{
    enum { LIFETIME_YEARS = 100 };
    const int64_t keep_ms = LIFETIME_YEARS * INT64_C(31557600000);
    char path[DISK_PATH_MAX + 40];
    struct ocop_error err = {0};
    bool channel = chance_percent(&s->chance, 50);
    if (chance_percent(&s->chance, 30)) {
        replaces_root(s);
        return;
    }
    if (channel ? s->rotations + 1 >= SERVER_CHANNEL_KEYS_MAX
                : s->keys.retired_count + 1 >= KEYS_RETIRED_MAX)
        return;
    s->rotations += channel;
    if (channel)
        keys_new_channel(&s->keys, &s->server.env, keep_ms);
    else
        keys_new_sign(&s->keys, &s->server.env);
    snprintf(path, sizeof path, "%s.keys", s->registry_path);
    CHECK(keys_save(path, &s->keys, &err) == OCOP_OK);
    s->figures.rotated++;
    sim_trace(s, "the registry has a new %s key", channel ? "channel" : "signing");
}

void office_acts(struct sim *s)
{
    unsigned what = chance_below(&s->chance, 100);
    if (s->files && chance_percent(&s->chance, 6))
        office_sweeps(s);
    else if (s->attached_count && chance_percent(&s->chance, s->files_percent))
        office_keeps_contents(s);
    else if (what < 5 && s->server.newer)
        strange_things(s);
    else if (what < 50)
        imports(s);
    else if (what < 60)
        makes(s, chance_percent(&s->chance, 50) ? KIND_PRODUCER : KIND_PRODUCT);
    else if (what < 68)
        changes_roles(s);
    else if (what < 86 && (s->faults & FAULT_SCOPE))
        changes_scope(s);
    else if (what < 94 && (s->faults & FAULT_SCOPE))
        changes_units(s);
    else if (what < 96 && (s->faults & FAULT_REVOKE))
        revokes(s);
    else if (what < 98 && (s->faults & FAULT_REVOKE))
        suspends(s);
    else if (what < 100)
        rotates(s);
    arena_reset(&s->work);
}

/* --- cases -------------------------------------------------------------------------------------
 */

struct drawn {
    struct sim *s;
    struct id id;
    unsigned count;
};

static enum ocop_status draw(void *self, const struct case_row *c, struct ocop_error *err)
{
    struct drawn *d = self;
    (void)err;
    if (chance_below(&d->s->chance, ++d->count) == 0)
        d->id = c->id;
    return OCOP_OK;
}

void office_resolves(struct sim *s)
{
    struct drawn d = {.s = s};
    struct ocop_error err = {0};
    if (!server_up(s) || case_each(s->registry, true, draw, &d, NULL) != OCOP_OK || d.count == 0)
        return;
    enum case_take take = chance_percent(&s->chance, 50) ? TAKE_MINE : TAKE_THEIRS;
    enum ocop_status st =
        case_resolve(s->registry, &s->keys, &d.id, take, NULL, "office", &s->officers[0], &err);
    sim_trace(s, "a case is resolved (%s): %s %s", take == TAKE_MINE ? "mine" : "theirs",
              err_name(st), st ? err.text : "");
    if (st == OCOP_EPROTO || st == OCOP_EDAMAGED || st == OCOP_EBROKEN)
        sim_fail(s, "office", "a case could not be resolved: %s %s", err_name(st), err.text);
}

/* --- backups -----------------------------------------------------------------------------------
 */

void office_backs_up(struct sim *s)
{
    struct copy *c = &s->backups[chance_below(&s->chance, SIM_COPIES_MAX)];
    struct backup_result result;
    struct ocop_error err = {0};
    if (!server_up(s))
        return;
    snprintf(c->path, sizeof c->path, "%s/backup-%u", s->server.disk.dir,
             (unsigned)(c - s->backups));
    store_remove(c->path);
    c->used = false;
    enum ocop_status st = backup_make(s->registry, c->path, false, &result, &err);
    sim_trace(s, "a backup is made at version %llu: %s %s", (unsigned long long)result.version,
              err_name(st), st ? err.text : "");
    if (s->server.disk.dead || !wrote(s, st, &err))
        return;
    *c = (struct copy){.used = true, .version = result.version, .path = ""};
    snprintf(c->path, sizeof c->path, "%s/backup-%u", s->server.disk.dir,
             (unsigned)(c - s->backups));
    if (s->files)
        files_backed_up(s, c->path);
}

void office_restores(struct sim *s)
{
    struct copy *c = NULL;
    unsigned kept = 0;
    char moved[BACKUP_PATH_MAX];
    struct backup_result result;
    struct ocop_error err = {0};
    for (unsigned i = 0; i < SIM_COPIES_MAX; i++)
        if (s->backups[i].used && chance_below(&s->chance, ++kept) == 0)
            c = &s->backups[i];
    if (!c)
        return;
    if (s->registry)
        server_down(s, false);
    s->server.disk.dead = false;
    enum ocop_status st =
        backup_restore(c->path, s->registry_path, true, &s->server.env, moved, &result, &err);
    sim_trace(s, "the registry is restored at version %llu: %s %s",
              (unsigned long long)result.version, err_name(st), st ? err.text : "");
    disk_settle(&s->server.disk);
    disk_revive(&s->server.disk);
    if (st != OCOP_OK && !(s->faults & (FAULT_CRASH | FAULT_DISK)))
        sim_fail(s, "office", "the restore failed: %s %s", err_name(st), err.text);
    if (st == OCOP_OK) {
        s->restores++;
        s->figures.restores++;
        s->version = 0;
        if (s->files)
            files_restored(s, c->path);
    }
}
