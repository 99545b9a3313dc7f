/* A working fleet of real processes, and SIGKILL at random moments for server, devices and office
 * alike. CYCLES (15) and SEED (1) are taken from the environment: `make kills CYCLES=500 SEED=7`.
 * The moments are drawn from the seed, but what they meet is up to the machine. */
#define _GNU_SOURCE /* ppoll */
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kills.h"

enum {
    DEVICES_FIRST = 4,
    CYCLES_PER_DEVICE = 40,               /* after so many another device is enrolled */
    LANES = 2,                            /* processes that may use one store at a time */
    LANE_COUNT = LANES * DEVICES_MAX + 1, /* the last: the office */
    ENDINGS_MAX = 40,                     /* of commands between kills */
    MOMENT_MAX_US = 20000,
    ROUNDS = 3
};

#define DECIDER "Vũ Mai"

enum act {
    ACT_INIT,
    ACT_ENROL,
    ACT_RECORD,
    ACT_AMEND,
    ACT_SYNC,
    ACT_SHOW,
    ACT_LIST,
    ACT_CHECK,
    ACT_IMPORT,
    ACT_CASES,
    ACT_RESOLVE,
    ACT_BACKUP
};

struct lane {
    struct process process;
    unsigned device; /* DEVICES_MAX: the office */
    enum act act;
    unsigned deed;
    char name[PROCESS_PATH_MAX];
};

struct work {
    struct fleet fleet;
    struct lane lanes[LANE_COUNT];
    char cases[64][40];
    unsigned case_count, backups;
    uint64_t chance;
    char out[PROCESS_TEXT_MAX], err[PROCESS_TEXT_MAX];
};

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text && *text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

/* splitmix64 */
static unsigned draw(struct work *w, unsigned below)
{
    uint64_t z = w->chance += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

const char *kills_token(unsigned deed, char out[TOKEN_MAX])
{
    snprintf(out, TOKEN_MAX, "k%07u", deed);
    return out;
}

static unsigned deed_new(struct fleet *f, unsigned device)
{
    if ((f->deed_count & (f->deed_count - 1)) == 0) {
        const size_t room = f->deed_count ? 2 * (size_t)f->deed_count : 1;
        f->deeds = realloc(f->deeds, room * sizeof *f->deeds);
        assert_non_null(f->deeds);
    }
    f->deeds[f->deed_count] = (struct deed){.device = device};
    return f->deed_count++;
}

/* --- what is begun --------------------------------------------------------------------------- */

static void begin(struct work *w, struct lane *l, enum act act, const char *const *args,
                  const char *input)
{
    struct fleet *f = &w->fleet;
    const bool office = l->device == DEVICES_MAX;
    char store[PROCESS_PATH_MAX];
    const char *all[PROCESS_ARGS_MAX + 1];
    size_t n = 0;
    while (args[n]) {
        all[n] = args[n];
        n++;
    }
    all[n++] = office ? "--db" : "--store";
    all[n++] = office ? f->office.db : office_path(&f->office, f->devices[l->device].name, store);
    all[n] = NULL;
    l->act = act;
    f->figures.commands++;
    process_start(&l->process, l->name, office ? process_ocopd() : process_ocop(), all, input,
                  NULL);
}

#define BEGIN(w, l, act, ...) begin(w, l, act, (const char *const[]){__VA_ARGS__, NULL}, NULL)

static void begin_record(struct work *w, struct lane *l)
{
    static const char *const kinds[] = {"inspection", "inspection", "sample",
                                        "environmental_check"};
    const unsigned place = w->fleet.devices[l->device].unit;
    const unsigned commune = place < 2 ? place : draw(w, 2);
    struct office_record record;
    char token[TOKEN_MAX];
    l->deed = deed_new(&w->fleet, l->device);
    office_record_fill(&w->fleet.office, kinds[draw(w, 4)], commune, kills_token(l->deed, token),
                       &record);
    begin(w, l, ACT_RECORD, record.args, NULL);
}

/* A record that was promised, mostly one of the first, so that many amend the same. Devices of the
 * province amend what others recorded. NULL: none was found. */
static const char *some_record(struct work *w, const struct lane *l, bool own)
{
    struct fleet *f = &w->fleet;
    for (unsigned tries = 0; tries < 40 && f->deed_count; tries++) {
        const struct deed *d = &f->deeds[draw(w, draw(w, draw(w, f->deed_count) + 1) + 1)];
        if (d->promised && d->id[0] && (!own || d->device == l->device))
            return d->id;
    }
    return NULL;
}

static void begin_amend(struct work *w, struct lane *l)
{
    const char *id = some_record(w, l, w->fleet.devices[l->device].unit < 2);
    char record[40], token[TOKEN_MAX], notes[32];
    if (!id) {
        begin_record(w, l);
        return;
    }
    memcpy(record, id, sizeof record);
    l->deed = deed_new(&w->fleet, l->device);
    memcpy(w->fleet.deeds[l->deed].id, record, sizeof record);
    snprintf(notes, sizeof notes, "notes=%s", kills_token(l->deed, token));
    BEGIN(w, l, ACT_AMEND, "amend", record, "--reason", token, "--set", notes);
}

/* An own record that was promised must be there to be shown at any time. */
static void begin_show(struct work *w, struct lane *l)
{
    const char *id = some_record(w, l, true);
    if (id)
        BEGIN(w, l, ACT_SHOW, "show", id);
    else
        BEGIN(w, l, ACT_LIST, "list", "inspection", "--csv");
}

static void begin_sync(struct work *w, struct lane *l)
{
    w->fleet.figures.syncs++;
    BEGIN(w, l, ACT_SYNC, "sync", "--connect-timeout", "2", "--timeout", "30");
}

/* Before it can work a device is made, enrolled and filled, by one process at a time. */
static bool begin_life(struct work *w, struct lane *l, bool first)
{
    struct device *d = &w->fleet.devices[l->device];
    if (d->filled)
        return false;
    if (!first)
        return true;
    if (!d->made)
        BEGIN(w, l, ACT_INIT, "init");
    else if (!d->enrolled)
        begin(w, l, ACT_ENROL, (const char *const[]){"enrol", "-", NULL}, d->code);
    else
        begin_sync(w, l);
    return true;
}

static void begin_import(struct work *w, struct lane *l)
{
    char path[PROCESS_PATH_MAX], token[TOKEN_MAX];
    FILE *f = fopen(office_path(&w->fleet.office, "more.csv", path), "w");
    assert_non_null(f);
    l->deed = deed_new(&w->fleet, DEVICES_MAX);
    fprintf(f, "name,type,unit_code\nHTX %s,cooperative,24664\n", kills_token(l->deed, token));
    assert_int_equal(fclose(f), 0);
    BEGIN(w, l, ACT_IMPORT, "import", "producers", path);
}

static void begin_resolve(struct work *w, struct lane *l)
{
    char token[TOKEN_MAX];
    if (!w->case_count) {
        BEGIN(w, l, ACT_CASES, "cases");
        return;
    }
    l->deed = deed_new(&w->fleet, DEVICES_MAX);
    BEGIN(w, l, ACT_RESOLVE, "case", "resolve", w->cases[--w->case_count], "--take",
          draw(w, 2) ? "mine" : "theirs", "--reason", kills_token(l->deed, token), "--officer",
          DECIDER);
}

static void begin_office(struct work *w, struct lane *l)
{
    char name[32], path[PROCESS_PATH_MAX];
    const unsigned what = draw(w, 10);
    if (what < 3) {
        begin_import(w, l);
    } else if (what < 9) {
        begin_resolve(w, l);
    } else {
        snprintf(name, sizeof name, "backup-%u", w->backups++);
        BEGIN(w, l, ACT_BACKUP, "backup", "--to", office_path(&w->fleet.office, name, path));
    }
}

static void begin_any(struct work *w, struct lane *l)
{
    const bool first = (l - w->lanes) % LANES == 0;
    const unsigned what = draw(w, 100);
    if (l->device == DEVICES_MAX)
        begin_office(w, l);
    else if (l->device >= w->fleet.device_count || begin_life(w, l, first))
        return;
    else if (what < (first ? 15u : 60u))
        begin_sync(w, l);
    else if (what < 70)
        begin_record(w, l);
    else if (what < 90)
        begin_amend(w, l);
    else if (what < 95)
        begin_show(w, l);
    else if (what < 98)
        BEGIN(w, l, ACT_LIST, "list", "inspection", "--csv");
    else
        BEGIN(w, l, ACT_CHECK, "check");
}

/* --- what it said ---------------------------------------------------------------------------- */

static void note_record(struct work *w, struct deed *d, int code)
{
    const char *paper = strstr(w->err, "submitted as ");
    if (strlen(w->out) == 37) { /* the id is printed last, and whole: so also when killed then */
        d->promised = true;
        snprintf(d->id, sizeof d->id, "%.36s", w->out);
    }
    if (paper && strchr(paper, '\n')) { /* told to the officer: it must stand */
        paper += strlen("submitted as ");
        snprintf(d->paper, sizeof d->paper, "%.*s", (int)strcspn(paper, "\n"), paper);
        d->promised = true;
    }
    assert_true(code != 0 || d->promised);
}

static void note_cases(struct work *w)
{
    w->case_count = 0;
    for (const char *line = w->out; *line && w->case_count < 64;) {
        const char *next = strchr(line, '\n');
        if (!next)
            break;
        if (strncmp(line + 36, "\topen\t", 6) == 0)
            snprintf(w->cases[w->case_count++], 40, "%.36s", line);
        line = next + 1;
    }
}

static void note_device(struct device *d, enum act act, int code)
{
    if (act == ACT_INIT && (code == 0 || code == 4))
        d->made = true;
    if (act == ACT_ENROL && code == 0)
        d->enrolled = true;
    if (act == ACT_ENROL && code == 3)
        d->made = false;
    if (act == ACT_SYNC && code == 0)
        d->filled = true;
}

/* Codes are those of the programs' help: 3 no such record (yet), 6 no network, 10 busy. */
static bool may_end_so(const struct work *w, const struct lane *l, int code)
{
    switch (l->act) {
    case ACT_INIT:
        return code == 0 || code == 4;
    case ACT_ENROL:
        return code == 0 || code == 3 || code == 6 || code == 10;
    case ACT_SYNC: /* a server that is killed is missed soon, not when time is up */
        return code == 0 || (code == 6 && !strstr(w->err, "no reply")) || code == 10;
    case ACT_AMEND:
        return code == 0 || code == 3;
    case ACT_RESOLVE: /* the fleet may have settled it meanwhile */
        return code == 0 || (code == 1 && strstr(w->err, "resolved"));
    default:
        return code == 0;
    }
}

static void account(struct work *w, struct lane *l, int code)
{
    struct fleet *f = &w->fleet;
    process_read(l->process.out, w->out);
    process_read(l->process.err, w->err);
    if (code != -SIGKILL && !may_end_so(w, l, code))
        fail_msg("act %d of %s ended with %d: %.1000s%.1000s", l->act,
                 l->device < DEVICES_MAX ? f->devices[l->device].name : "the office", code, w->out,
                 w->err);
    if (l->act == ACT_SYNC && code != 0)
        f->figures.syncs_failed++;
    if (l->act == ACT_RECORD)
        note_record(w, &f->deeds[l->deed], code);
    if (code == 0 && (l->act == ACT_AMEND || l->act == ACT_IMPORT || l->act == ACT_RESOLVE))
        f->deeds[l->deed].promised = true;
    if (code == 0 && l->act == ACT_CASES)
        note_cases(w);
    if (code == 0 && l->act == ACT_BACKUP) {
        if (f->backup[0])
            remove(f->backup);
        snprintf(f->backup, sizeof f->backup, "%s/backup-%u", f->office.dir, w->backups - 1);
    }
    if (l->device < DEVICES_MAX)
        note_device(&f->devices[l->device], l->act, code);
}

/* --- cycles ---------------------------------------------------------------------------------- */

static void serve(struct work *w)
{
    static const char *const batches[] = {"1", "3", "256"}, *const workers[] = {"0", "1", "2"},
                             *const readback[] = {"0", "1", "7"};
    const char *more[] = {"--batch",    batches[draw(w, 3)],  "--workers", workers[draw(w, 3)],
                          "--readback", readback[draw(w, 3)], NULL};
    office_serve(&w->fleet.office, more, NULL);
}

static void server_is_well(struct work *w)
{
    process_read(w->fleet.office.server.err, w->err);
    if (strstr(w->err, "level=error"))
        fail_msg("the server complains: %.4000s", strstr(w->err, "level=error") - 40);
}

static void add_device(struct work *w)
{
    struct fleet *f = &w->fleet;
    if (f->device_count == DEVICES_MAX)
        return;
    struct device *d = &f->devices[f->device_count];
    snprintf(d->name, sizeof d->name, "d%u.ocop", f->device_count);
    d->unit = f->device_count < OFFICE_SCOPES ? f->device_count : draw(w, OFFICE_SCOPES);
    office_invite(&f->office, d->name,
                  d->unit < 2 ? "inspector,sampler,environment_officer"
                              : "inspector,sampler,environment_officer,reconciler",

                  office_units[d->unit]);
    memcpy(d->code, f->office.code, sizeof d->code);
    f->device_count++;
}

static void begin_all(struct work *w, struct pollfd look[LANE_COUNT + 1])
{
    for (int i = 0; i < LANE_COUNT; i++) {
        struct lane *l = &w->lanes[i];
        if (!l->process.pid)
            begin_any(w, l);
        look[i] = (struct pollfd){.fd = l->process.pid ? l->process.fd : -1, .events = POLLIN};
    }
    look[LANE_COUNT] = (struct pollfd){.fd = w->fleet.office.server.fd, .events = POLLIN};
}

/* Let everybody work until so many commands have ended, and then until the moment comes. */
static void work_on(struct work *w, unsigned endings, long moment_ns)
{
    struct pollfd look[LANE_COUNT + 1];
    const struct timespec patience = {.tv_sec = 60}, moment = {.tv_nsec = moment_ns};
    for (;;) {
        begin_all(w, look);
        const int n = ppoll(look, LANE_COUNT + 1, endings ? &patience : &moment, NULL);
        if (look[LANE_COUNT].revents) {
            server_is_well(w);
            fail_msg("the server ended by itself: %.2000s", w->err);
        }
        if (!endings)
            return; /* what has ended now is accounted for in its turn */
        if (n == 0)
            fail_msg("nobody ends");
        for (int i = 0; i < LANE_COUNT; i++)
            if (look[i].revents) {
                account(w, &w->lanes[i], process_finish(&w->lanes[i].process));
                endings -= endings > 0;
            }
    }
}

static void kill_lane(struct work *w, struct lane *l)
{
    struct figures *f = &w->fleet.figures;
    if (!l->process.pid)
        return;
    const int code = process_kill(&l->process);
    if (code == -SIGKILL)
        (*(l->device < DEVICES_MAX ? &f->device_kills : &f->office_kills))++;
    account(w, l, code);
}

static void kill_server(struct work *w)
{
    assert_int_equal(process_kill(&w->fleet.office.server), -SIGKILL);
    w->fleet.figures.server_kills++;
    server_is_well(w);
    serve(w);
}

static void kill_some(struct work *w)
{
    const unsigned what = draw(w, 100), lanes = LANES * w->fleet.device_count;
    if (what < 40) {
        kill_server(w);
    } else if (what < 85) {
        for (unsigned n = 1 + draw(w, 3); n > 0; n--)
            kill_lane(w, draw(w, 8) ? &w->lanes[draw(w, lanes)] : &w->lanes[LANE_COUNT - 1]);
    } else {
        for (int i = 0; i < LANE_COUNT; i++)
            kill_lane(w, &w->lanes[i]);
        kill_server(w);
    }
    w->fleet.figures.cycles++;
}

/* Nobody works any more; what waits is sent, and what the others sent is received. */
static void settle(struct work *w)
{
    struct fleet *f = &w->fleet;
    for (int i = 0; i < LANE_COUNT; i++)
        if (w->lanes[i].process.pid)
            account(w, &w->lanes[i], process_finish(&w->lanes[i].process));
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < f->device_count; i++) {
            struct device *d = &f->devices[i];
            if (!d->enrolled) {
                DEVICE(&f->office, d->name, "init");
                office_expect(&f->office, 0,
                              office_device(&f->office, d->name, d->code,
                                            (const char *const[]){"enrol", "-", NULL}),
                              "");
                d->enrolled = true;
            }
            office_expect(&f->office, 0, DEVICE(&f->office, d->name, "sync"),
                          "complete:        yes");
        }
    server_is_well(w);
    office_stop(&f->office);
}

static int open_fleet(void **state)
{
    struct work *w = calloc(1, sizeof *w);
    struct office *o = &w->fleet.office;
    *state = w;
    w->chance = number_from("SEED", 1);
    office_open(o);
    office_invite(o, DECIDER, "reconciler", office_units[2]);
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        struct lane *l = &w->lanes[i];
        l->device = i / LANES;
        snprintf(l->name, sizeof l->name, "%s/lane-%u", o->dir, i);
    }
    for (unsigned i = 0; i < DEVICES_FIRST; i++)
        add_device(w);
    serve(w);
    return 0;
}

static int close_fleet(void **state)
{
    struct work *w = *state;
    for (int i = 0; i < LANE_COUNT; i++)
        if (w->lanes[i].process.pid)
            process_kill(&w->lanes[i].process);
    if (w->fleet.office.server.pid)
        process_kill(&w->fleet.office.server);
    office_close(&w->fleet.office);
    free(w->fleet.deeds);
    free(w);
    return 0;
}

static void whoever_is_killed_at_whatever_moment_nothing_is_lost_or_doubled(void **state)
{
    struct work *w = *state;
    const unsigned cycles = number_from("CYCLES", 15);
    print_message("SEED=%u CYCLES=%u\n", number_from("SEED", 1), cycles);
    for (unsigned i = 0; i < cycles; i++) {
        if (i % CYCLES_PER_DEVICE == CYCLES_PER_DEVICE - 1)
            add_device(w);
        work_on(w, draw(w, ENDINGS_MAX), (long)draw(w, MOMENT_MAX_US) * 1000);
        kill_some(w);
    }
    settle(w);
    kills_compare(&w->fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            whoever_is_killed_at_whatever_moment_nothing_is_lost_or_doubled, open_fleet,
            close_fleet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
