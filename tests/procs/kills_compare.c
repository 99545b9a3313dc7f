/* What must be true when all is quiet: every deed that was promised stands in the log once and is
 * in effect, in a case or refused with a reason; the stores hold what the registry holds. */
#include "kills.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "cases.h"
#include "ingest.h"
#include "log.h"
#include "ocop.h"
#include "test.h"

/* The value that a record's notes must have by the log. */
struct standing {
    struct id id;
    uint32_t kind;
    char notes[64];
};

struct compare {
    struct fleet *f;
    struct registry *r;
    sqlite3 *db; /* the same, by a connection of our own */
    struct standing *records;
    size_t record_count;
    struct arena arena;
    unsigned outcomes[8];
};

static void ok(enum ocop_status st, const struct ocop_error *err)
{
    if (st != OCOP_OK)
        fail_msg("%s %s: %s", ocop_status_name(st), err->field, err->text);
}

/* --- the log --------------------------------------------------------------------------------- */

/* The deed whose token is a word of `text`. */
static bool deed_in(const struct fleet *f, struct span text, unsigned *out)
{
    for (size_t i = 0; i + TOKEN_MAX - 4 <= text.len; i++) {
        char *end, word[TOKEN_MAX] = {0}, token[TOKEN_MAX];
        if (text.p[i] != 'k')
            continue;
        memcpy(word, text.p + i, TOKEN_MAX - 4);
        *out = (unsigned)strtoul(word + 1, &end, 10);
        if (*end == '\0' && *out < f->deed_count && strcmp(kills_token(*out, token), word) == 0)
            return true;
    }
    return false;
}

static bool deed_of(const struct fleet *f, const struct change *c, unsigned *out)
{
    if (deed_in(f, c->reason, out))
        return true;
    for (size_t i = 0; i < c->fields.count; i++)
        if (c->fields.v[i].type == VALUE_BYTES && deed_in(f, c->fields.v[i].bytes, out))
            return true;
    return false;
}

static struct standing *standing_of(struct compare *c, uint32_t kind, const struct id *id)
{
    for (size_t i = 0; i < c->record_count; i++)
        if (id_eq(&c->records[i].id, id))
            return &c->records[i];
    if ((c->record_count & (c->record_count - 1)) == 0) {
        const size_t room = c->record_count ? 2 * c->record_count : 1;
        c->records = realloc(c->records, room * sizeof *c->records);
        assert_non_null(c->records);
    }
    c->records[c->record_count] = (struct standing){.id = *id, .kind = kind};
    return &c->records[c->record_count++];
}

static const struct field *notes_of(const struct change *c)
{
    const struct kind *k = kind_by_number(c->kind);
    const struct field_rule *rule = k ? kind_field_by_name(k, "notes") : NULL;
    return rule ? fields_find(&c->fields, rule->number, span_of(NULL, 0)) : NULL;
}

static void take_change(struct compare *c, const struct change *change,
                        const struct outcome_row *row, uint64_t version)
{
    const enum outcome_code code = row ? row->code : OUTCOME_APPLIED;
    const struct field *notes = notes_of(change);
    unsigned n;
    c->outcomes[code]++;
    if (code == OUTCOME_REFUSED && !(row->text && row->text[0]))
        fail_msg("refused without a reason at version %llu", (unsigned long long)version);
    if (deed_of(c->f, change, &n)) {
        c->f->deeds[n].in_log++;
        c->f->deeds[n].outcome = code;
        c->f->deeds[n].version = version;
    }
    if (notes && (code == OUTCOME_APPLIED || code == OUTCOME_DANGLING)) {
        struct standing *s = standing_of(c, change->kind, &change->record);
        snprintf(s->notes, sizeof s->notes, "%.*s", (int)notes->bytes.len,
                 (const char *)notes->bytes.p);
    }
}

static void read_log(struct compare *c)
{
    struct ocop_error err = {0};
    uint64_t end;
    ok(registry_version(c->r, &end, &err), &err);
    for (uint64_t v = 1; v <= end; v++) {
        struct log_entry entry;
        struct change_set set;
        struct outcome_row *rows;
        size_t count, next = 0;
        ok(log_read(c->r, v, &entry, &err), &err);
        ok(changeset_open(entry.body, &c->arena, &set, &err), &err);
        ok(outcomes_of(c->r, v, &c->arena, &rows, &count, &err), &err);
        for (uint32_t i = 0; i < set.changes.count; i++) {
            while (next < count && rows[next].index < i)
                next++;
            take_change(c, &set.changes.v[i],
                        next < count && rows[next].index == i ? &rows[next] : NULL, v);
        }
        arena_reset(&c->arena);
    }
}

static void deeds_stand(struct compare *c)
{
    unsigned promised = 0, unsaid = 0;
    char token[TOKEN_MAX];
    for (unsigned i = 0; i < c->f->deed_count; i++) {
        const struct deed *d = &c->f->deeds[i];
        promised += d->promised;
        unsaid += !d->promised && d->in_log;
        if (d->in_log > 1 || (d->promised && d->in_log == 0))
            fail_msg("%s of device %u stands %u times in the log; its command %s",
                     kills_token(i, token), d->device, d->in_log,
                     d->promised ? "printed success" : "was killed");
    }
    print_message("deeds: %u begun, %u printed success and stand once, %u killed but stand\n",
                  c->f->deed_count, promised, unsaid);
}

/* --- the registry ---------------------------------------------------------------------------- */

static sqlite3_stmt *ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    return s;
}

static int64_t ask_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = ask(db, sql);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void records_stand(struct compare *c)
{
    for (size_t i = 0; i < c->record_count; i++) {
        const struct standing *want = &c->records[i];
        char sql[120], id[ID_TEXT_LEN + 1];
        snprintf(sql, sizeof sql, "SELECT notes FROM \"%s\" WHERE id = ?",
                 kind_by_number(want->kind)->table);
        sqlite3_stmt *s = ask(c->db, sql);
        sqlite3_bind_blob(s, 1, want->id.b, ID_LEN, SQLITE_STATIC);
        const char *is = sqlite3_step(s) == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0)
                                                       : "(no such record)";
        if (!is || strcmp(is, want->notes) != 0)
            fail_msg("%s has notes %s, by the log %s", id_text(want->id, id), is ? is : "(none)",
                     want->notes);
        sqlite3_finalize(s);
    }
}

/* What was in a case is kept there with the value of its author, and nowhere else is it lost. */
static void cases_stand(struct compare *c)
{
    sqlite3_stmt *s =
        ask(c->db, "SELECT count(*) FROM cases WHERE mine = ? AND opened_version = ?");
    char token[TOKEN_MAX], mine[TOKEN_MAX + 4];
    for (unsigned i = 0; i < c->f->deed_count; i++) {
        const struct deed *d = &c->f->deeds[i];
        if (!d->in_log || d->outcome != OUTCOME_CASE || d->device == DEVICES_MAX)
            continue;
        snprintf(mine, sizeof mine, "\"%s\"", kills_token(i, token));
        sqlite3_reset(s);
        sqlite3_bind_text(s, 1, mine, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, (sqlite3_int64)d->version);
        assert_int_equal(sqlite3_step(s), SQLITE_ROW);
        if (sqlite3_column_int(s, 0) != 1)
            fail_msg("%s stands in %d cases", token, sqlite3_column_int(s, 0));
    }
    sqlite3_finalize(s);
}

static void papers_stand(struct compare *c)
{
    static const char numbers[] = "(SELECT id, minutes_no AS number FROM inspection UNION ALL"
                                  " SELECT id, minutes_no FROM environmental_check UNION ALL"
                                  " SELECT id, sample_code FROM sample)";
    char sql[400];
    snprintf(sql, sizeof sql, "SELECT count(*) - count(DISTINCT number) FROM %s", numbers);
    assert_int_equal(ask_number(c->db, sql), 0);
    snprintf(sql, sizeof sql, "SELECT lower(hex(id)) FROM %s WHERE number = ?", numbers);
    sqlite3_stmt *s = ask(c->db, sql);
    for (unsigned i = 0; i < c->f->deed_count; i++) {
        const struct deed *d = &c->f->deeds[i];
        if (!d->paper[0])
            continue;
        sqlite3_reset(s);
        sqlite3_bind_text(s, 1, d->paper, -1, SQLITE_STATIC);
        if (sqlite3_step(s) != SQLITE_ROW)
            fail_msg("%s was printed and is not in the registry", d->paper);
        char plain[40];
        size_t n = 0;
        for (const char *p = d->id; *p; p++)
            if (*p != '-')
                plain[n++] = *p;
        plain[n] = '\0';
        if (n)
            assert_string_equal((const char *)sqlite3_column_text(s, 0), plain);
    }
    sqlite3_finalize(s);
}

/* --- stores ---------------------------------------------------------------------------------- */

/* The records of one kind, column by column: all but the row's number and the versions, which each
 * side keeps for its own merging. */
static void columns_equal(struct compare *c, const struct device *d, const char *table)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "SELECT name FROM pragma_table_info('%s')"
             " WHERE name NOT IN ('n', 'version', 'anchor', 'versions', 'born')",
             table);
    sqlite3_stmt *names = ask(c->db, sql);
    while (sqlite3_step(names) == SQLITE_ROW) {
        const char *column = (const char *)sqlite3_column_text(names, 0);
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM main.\"%s\" AS a JOIN device.\"%s\" AS b USING (id)"
                 " WHERE a.\"%s\" IS NOT b.\"%s\"",
                 table, table, column, column);
        if (ask_number(c->db, sql) != 0)
            fail_msg("%s: %s.%s of %lld records is not as in the registry", d->name, table, column,
                     (long long)ask_number(c->db, sql));
    }
    sqlite3_finalize(names);
}

/* How many records the device has, which are those of its units. */
static int64_t table_equal(struct compare *c, const struct device *d, const char *table)
{
    char scope[200] = "", sql[700];
    if (d->unit < 2)
        snprintf(scope, sizeof scope, " WHERE unit_id = (SELECT id FROM unit WHERE code = '%s')",
                 office_units[d->unit]);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM (SELECT id FROM main.\"%s\"%s EXCEPT SELECT id FROM"
             " device.\"%s\")",
             table, scope, table);
    if (ask_number(c->db, sql) != 0)
        fail_msg("%s lacks %lld of its %s", d->name, (long long)ask_number(c->db, sql), table);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM (SELECT id FROM device.\"%s\" EXCEPT SELECT id FROM"
             " main.\"%s\"%s)",
             table, table, scope);
    if (ask_number(c->db, sql) != 0)
        fail_msg("%s has %lld of %s that are not its", d->name, (long long)ask_number(c->db, sql),
                 table);
    columns_equal(c, d, table);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM device.\"%s\"", table);
    return ask_number(c->db, sql);
}

static void store_equal(struct compare *c, const struct device *d)
{
    static const char *const tables[] = {"inspection", "sample", "environmental_check"};
    char path[PROCESS_PATH_MAX];
    int64_t records = 0;
    sqlite3_stmt *s = ask(c->db, "ATTACH ? AS device");
    sqlite3_bind_text(s, 1, office_path(&c->f->office, d->name, path), -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
    for (size_t i = 0; i < 3; i++)
        records += table_equal(c, d, tables[i]);
    assert_int_equal(ask_number(c->db, "SELECT count(*) FROM device.outbox WHERE state < 4"), 0);
    s = ask(c->db, "DETACH device");
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
    print_message("%s: %lld records as in the registry\n", d->name, (long long)records);
}

/* The device says of its own deeds what the registry knows. */
static void states_true(struct compare *c, const struct device *d, unsigned number)
{
    struct ocop_store *store;
    struct ocop_error err = {0};
    char path[PROCESS_PATH_MAX];
    ok(ocop_open(office_path(&c->f->office, d->name, path), NULL, &store, &err), &err);
    for (unsigned i = 0; i < c->f->deed_count; i++) {
        const struct deed *deed = &c->f->deeds[i];
        struct ocop_record_status *status;
        struct ocop_id id;
        if (deed->device != number || !deed->promised || !ocop_id_parse(deed->id, &id))
            continue;
        ok(ocop_record_status(store, &id, &status, &err), &err);
        const bool in_case = status->state == OCOP_IN_CASE;
        if (status->waiting || status->state < OCOP_ACCEPTED ||
            (status->state == OCOP_REFUSED && !status->reason[0]))
            fail_msg("%s says of %s: state %d, %u waiting", d->name, deed->id, status->state,
                     status->waiting);
        sqlite3_stmt *s = ask(c->db, "SELECT count(*) FROM cases WHERE record = ? AND"
                                     " closed_version IS NULL");
        sqlite3_bind_blob(s, 1, id.b, sizeof id.b, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(s), SQLITE_ROW);
        if (in_case && sqlite3_column_int(s, 0) == 0)
            fail_msg("%s says that %s is in a case, and there is none open", d->name, deed->id);
        if (deed->outcome == OUTCOME_CASE && status->case_count == 0)
            fail_msg("%s does not know of the case of %s", d->name, deed->id);
        sqlite3_finalize(s);
        ocop_record_status_free(status);
    }
    ocop_close(store);
}

void kills_compare(struct fleet *f)
{
    struct compare c = {.f = f};
    struct office *o = &f->office;
    struct ocop_error err = {0};
    const struct figures *n = &f->figures;
    ok(registry_open(o->db, false, env_system(), NULL, &c.r, &err), &err);
    assert_int_equal(sqlite3_open(o->db, &c.db), SQLITE_OK);
    arena_init(&c.arena, MIB(64));
    read_log(&c);
    deeds_stand(&c);
    records_stand(&c);
    cases_stand(&c);
    papers_stand(&c);
    for (unsigned i = 0; i < f->device_count; i++) {
        store_equal(&c, &f->devices[i]);
        states_true(&c, &f->devices[i], i);
        office_expect(o, 0, DEVICE(o, f->devices[i].name, "check"), "the store is sound");
    }
    print_message("log: %u applied, %u equal, %u waiting, %u refused, %u in a case\n",
                  c.outcomes[OUTCOME_APPLIED] + c.outcomes[OUTCOME_DANGLING],
                  c.outcomes[OUTCOME_EQUAL], c.outcomes[OUTCOME_WAITING],
                  c.outcomes[OUTCOME_REFUSED], c.outcomes[OUTCOME_CASE]);
    assert_int_equal(sqlite3_close(c.db), SQLITE_OK);
    registry_close(c.r);
    arena_fini(&c.arena);
    free(c.records);
    office_expect(o, 0, OFFICE(o, "verify"), "tables: equal");
    if (f->backup[0]) {
        snprintf(o->db, sizeof o->db, "%s", f->backup);
        office_expect(o, 0, OFFICE(o, "verify"), "tables: equal");
    }
    print_message(
        "cycles: %u; killed: server %u, devices %u, office %u; commands %u; syncs %u, ended "
        "early %u\n",
        n->cycles, n->server_kills, n->device_kills, n->office_kills, n->commands, n->syncs,
        n->syncs_failed);
}
