/* The machines of a run: the registry's and the devices', with clock, chance and disk of their own.
 * They go down and come up again here. Knows nothing of what is done on them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "kinds.h"
#include "log.h"
#include "query.h"
#include "sim.h"

/* --- telling ---------------------------------------------------------------------------------- */

void sim_trace(struct sim *s, const char *format, ...)
{
    va_list args;
    if (!s->options.trace)
        return;
    fprintf(stderr, "%4u %*s", s->step, (int)s->depth * 2, "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* The folder of a run: a folder for each machine, files in them. */
static void remove_folder(const char *path, bool outer)
{
    struct dirent *e;
    DIR *dir = opendir(path);
    while (dir && (e = readdir(dir)) != NULL) {
        char name[DISK_PATH_MAX + 300];
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (e->d_name[0] == '.')
            continue;
        if (outer)
            remove_folder(name, false);
        else
            unlink(name);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* The end of the log, one line a change: what to look at when a run has failed. */
static void log_show(struct sim *s)
{
    enum { LATEST = 40 };
    struct log_entry e;
    char author[ID_TEXT_LEN + 1], record[ID_TEXT_LEN + 1];
    for (uint64_t v = s->version > LATEST ? s->version - LATEST : 1;
         log_read(s->registry, v, &e, NULL) == OCOP_OK; v++) {
        struct change_set set;
        if (changeset_open(e.body, &s->work, &set, NULL) != OCOP_OK)
            continue;
        for (size_t i = 0; i < set.changes.count && i < 8; i++) {
            const struct change *c = &set.changes.v[i];
            sim_trace(s, "log %llu.%zu %s %llu: kind %u verb %u %s base %llu, %zu fields, %.*s",
                      (unsigned long long)v, i, id_text(set.replica, author),
                      (unsigned long long)set.seq, c->kind, c->verb, id_text(c->record, record),
                      (unsigned long long)c->base, c->fields.count, (int)c->reason.len,
                      (const char *)c->reason.p);
        }
    }
}

void sim_fail(struct sim *s, const char *what, const char *format, ...)
{
    char text[1500];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (s->options.trace && s->registry && !s->server.disk.dead)
        log_show(s);
    sim_trace(s, "FAILS %s: %s", what, text);
    dprintf(s->options.report, "F %llu %s step %u: %s\n", (unsigned long long)s->options.seed, what,
            s->step, text);
    remove_folder(s->dir, true);
    _exit(3);
}

/* --- clock, chance, log ------------------------------------------------------------------------
 */

static int64_t node_now(void *self)
{
    const struct node *n = self;
    return n->sim->now_ms + n->skew_ms;
}

static int64_t node_mono(void *self)
{
    const struct node *n = self;
    return n->sim->now_ms;
}

static void node_random(void *self, void *out, size_t len)
{
    struct node *n = self;
    chance_fill(&n->chance, out, len);
}

static void node_log(void *self, enum env_level level, const char *line)
{
    const struct node *n = self;
    if (level >= ENV_WARN)
        sim_trace(n->sim, "log %s", line);
}

static void node_init(struct node *n, struct sim *s, unsigned which)
{
    char dir[DISK_PATH_MAX];
    *n = (struct node){.sim = s, .chance = chance_of(s->options.seed, 1000 + which)};
    n->env = (struct env){node_now, node_mono, node_random, node_log, n};
    snprintf(dir, sizeof dir, "%.150s/%u", s->dir, which);
    CHECK(mkdir(dir, 0700) == 0);
    disk_mount(&n->disk, dir, s->options.seed * 64 + which);
    n->disk.tracks = s->power;
    n->newer = chance_percent(&n->chance, s->newer_percent);
}

static void path_of(const struct disk *d, const char *name, char *out, size_t room)
{
    size_t len = strlen(d->dir), more = strlen(name);
    CHECK(len + more + 2 <= room);
    memcpy(out, d->dir, len);
    out[len] = '/';
    memcpy(out + len + 1, name, more + 1);
}

/* --- files -------------------------------------------------------------------------------------
 */

static bool file_read(const char *path, struct buf *out)
{
    uint8_t part[65536];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    buf_clear(out);
    if (fd < 0)
        return false;
    while ((n = read(fd, part, sizeof part)) > 0)
        buf_put(out, part, (size_t)n);
    close(fd);
    CHECK(n == 0 && !out->failed);
    return true;
}

static void file_write(const char *path, const struct buf *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, content->p, content->len) == (ssize_t)content->len);
    close(fd);
}

void store_remove(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm", "-journal"};
    char name[DISK_PATH_MAX + 64];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(name, sizeof name, "%s%s", path, parts[i]);
        CHECK(unlink(name) == 0 || errno == ENOENT);
    }
}

void store_copy(struct sim *s, const char *from, const char *to, bool whole)
{
    static const char *const parts[] = {"", "-wal"};
    struct buf content;
    (void)s;
    store_remove(to);
    buf_init(&content, MIB(256));
    for (size_t i = 0; i < (whole ? 2u : 1u); i++) {
        char source[DISK_PATH_MAX + 64], target[DISK_PATH_MAX + 64];
        snprintf(source, sizeof source, "%s%s", from, parts[i]);
        snprintf(target, sizeof target, "%s%s", to, parts[i]);
        if (file_read(source, &content))
            file_write(target, &content);
    }
    buf_fini(&content);
}

/* Empty databases are the same in every run: made once, by the real code, before any run's disks
 * and chance are there. */
static struct buf templates[2];

static void template_make(const char *path, bool registry, const struct env *env)
{
    struct buf *t = &templates[registry];
    struct ocop_options options = {.env = env};
    struct ocop_store *store = NULL;
    struct registry *r = NULL;
    unsigned findings;
    buf_init(t, MIB(16));
    /* Both checks make the whole schema once in a process, to compare with. */
    if (registry) {
        CHECK(registry_open(path, true, env, NULL, &r, NULL) == OCOP_OK);
        CHECK(query_integrity(r, NULL) == OCOP_OK);
        registry_close(r);
    } else {
        CHECK(ocop_open(path, &options, &store, NULL) == OCOP_OK);
        CHECK(ocop_check(store, NULL, NULL, &findings, NULL) == OCOP_OK);
        ocop_close(store);
    }
    CHECK(file_read(path, t));
    store_remove(path);
}

static void folder_make(char dir[DISK_PATH_MAX])
{
    const bool memory = access("/dev/shm", W_OK) == 0;
    snprintf(dir, DISK_PATH_MAX, "%s",
             memory ? "/dev/shm/ocop-sim-XXXXXX" : "/tmp/ocop-sim-XXXXXX");
    CHECK(mkdtemp(dir));
}

void templates_make(void)
{
    static struct sim nothing;
    struct node apart = {.sim = &nothing, .chance = chance_of(0, 1)};
    const struct env env = {node_now, node_mono, node_random, node_log, &apart};
    char dir[DISK_PATH_MAX], path[DISK_PATH_MAX + 32];
    folder_make(dir);
    for (unsigned registry = 0; registry < 2; registry++) {
        snprintf(path, sizeof path, "%.150s/template-%u", dir, registry);
        template_make(path, registry, &env);
    }
    remove_folder(dir, true);
}

void template_put(const char *path, bool registry)
{
    file_write(path, &templates[registry]);
}

/* --- the registry ------------------------------------------------------------------------------
 */

bool server_up(struct sim *s)
{
    struct ocop_error err = {0};
    if (s->registry)
        return true;
    enum ocop_status st =
        registry_open(s->registry_path, false, &s->server.env, NULL, &s->registry, &err);
    if (st == OCOP_OK) {
        s->registry->keys = &s->keys;
        s->registry->officer_blobs_max = s->officer_blobs_max;
        return true;
    }
    if (!(s->faults & (FAULT_DISK | FAULT_CRASH)))
        sim_fail(s, "opening", "the registry does not open: %s %s", err_name(st), err.text);
    if (st == OCOP_EDAMAGED || st == OCOP_EVERSION)
        sim_fail(s, "opening", "the registry was damaged: %s", err.text);
    server_reap(s); /* it may have gone down while it opened */
    return false;
}

void server_down(struct sim *s, bool power)
{
    sim_trace(s, "the registry goes down%s", power ? " with its power" : "");
    s->server.disk.dead = true; /* nobody tidies up when a machine goes down */
    registry_close(s->registry);
    s->registry = NULL;
    if (power)
        disk_power_loss(&s->server.disk);
    disk_revive(&s->server.disk);
    s->figures.crashes++;
}

void server_reap(struct sim *s)
{
    if (s->server.disk.dead)
        server_down(s, (s->faults & FAULT_POWER) && chance_percent(&s->chance, 60));
}

/* --- devices -----------------------------------------------------------------------------------
 */

bool device_up(struct device *d)
{
    struct ocop_error err = {0};
    struct ocop_options options = {.env = &d->node.env, .link = d};
    if (d->store)
        return true;
    enum ocop_status st = ocop_open(d->path, &options, &d->store, &err);
    if (st == OCOP_OK)
        return true;
    if (!(d->sim->faults & (FAULT_DISK | FAULT_CRASH)))
        sim_fail(d->sim, "opening", "device %u does not open: %s %s", d->index, err_name(st),
                 err.text);
    if (st == OCOP_EDAMAGED || st == OCOP_EVERSION)
        sim_fail(d->sim, "opening", "the store of device %u was damaged: %s", d->index, err.text);
    device_reap(d); /* it may have gone down while it opened */
    return false;
}

void device_down(struct device *d, bool power)
{
    d->node.disk.dead = true;
    if (d->busy)
        return; /* device_reap closes it when its call has come back */
    sim_trace(d->sim, "device %u goes down%s", d->index, power ? " with its power" : "");
    ocop_close(d->store);
    d->store = NULL;
    if (power)
        disk_power_loss(&d->node.disk);
    disk_revive(&d->node.disk);
    d->sim->figures.crashes++;
}

void device_reap(struct device *d)
{
    struct sim *s = d->sim;
    if (d->node.disk.dead && !d->busy)
        device_down(d, (s->faults & FAULT_POWER) && chance_percent(&s->chance, 60));
}

bool device_invite(struct device *d)
{
    struct sim *s = d->sim;
    struct ocop_error err = {0};
    const char *code = NULL;
    struct id units[SIM_UNITS_MAX];
    size_t count = 0;
    for (unsigned u = 0; u < s->unit_count; u++)
        if (d->scope >> u & 1)
            units[count++] = s->units[u];
    struct invitation_terms terms = {.officer = s->officers[d->officer],
                                     .scope = units,
                                     .scope_count = count,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = INT64_MAX / 2};
    if (!server_up(s))
        return false;
    enum ocop_status st = registry_begin(s->registry, &err);
    if (st == OCOP_OK)
        st = invite_make(s->registry, &s->keys, &terms, &s->work, &code, &err);
    if (st == OCOP_OK)
        st = registry_commit(s->registry, &err);
    if (st != OCOP_OK) {
        registry_rollback(s->registry);
        return false;
    }
    snprintf(d->code, sizeof d->code, "%s", code);
    return true;
}

/* The library makes the store itself; in the middle of it the machine goes down, perhaps more than
 * once. What it leaves is a store or the beginning of one. */
static void store_made(struct device *d)
{
    struct sim *s = d->sim;
    unsigned faults = s->faults;
    s->faults = FAULT_CRASH | (s->power ? FAULT_POWER : 0);
    for (unsigned tries = chance_below(&s->chance, 4); tries > 0 && !d->store; tries--) {
        d->node.disk.crash_in = 1 + chance_below(&s->chance, 150);
        sim_trace(s, "device %u makes its store: %s", d->index, device_up(d) ? "OK" : "goes down");
    }
    s->faults = 0;
    d->node.disk.crash_in = 0;
    (void)device_up(d);
    s->faults = faults;
}

/* Scopes: bit n is unit n. */
struct device *device_new(struct sim *s, unsigned officer, unsigned scope)
{
    unsigned i = 0;
    while (i < SIM_DEVICES_MAX && s->devices[i].used)
        i++;
    if (i == SIM_DEVICES_MAX)
        return NULL;
    struct device *d = &s->devices[i];
    *d = (struct device){.sim = s, .index = i, .officer = officer, .used = true, .family = i};
    d->scope = scope;
    node_init(&d->node, s, 10 + i);
    net_init(d);
    path_of(&d->node.disk, "field.ocop", d->path, sizeof d->path);
    if (s->long_way)
        store_made(d);
    else
        template_put(d->path, false);
    CHECK(device_invite(d));
    return d;
}

struct device *device_clone(struct device *d, const char *from)
{
    struct sim *s = d->sim;
    unsigned i = 0;
    while (i < SIM_DEVICES_MAX && s->devices[i].used)
        i++;
    if (i == SIM_DEVICES_MAX)
        return NULL;
    struct device *clone = &s->devices[i];
    *clone = (struct device){.sim = s, .index = i, .used = true, .enrolled = true};
    clone->officer = d->officer;
    clone->family = d->family;
    clone->scope = d->scope;
    clone->revoked = d->revoked;
    clone->suspended = d->suspended;
    clone->rubbish = d->rubbish;
    node_init(&clone->node, s, 10 + i);
    clone->node.skew_ms = d->node.skew_ms;
    net_init(clone);
    path_of(&clone->node.disk, "field.ocop", clone->path, sizeof clone->path);
    store_copy(s, from, clone->path, true);
    model_copied(s, d);
    clone->tainted = true;
    for (struct draft_seen *at = d->drafts; at; at = at->next) {
        struct draft_seen *copy = arena_calloc(&s->arena, 1, sizeof *copy);
        CHECK(copy);
        *copy = *at;
        copy->unsure = true;
        copy->next = clone->drafts;
        clone->drafts = copy;
    }
    return clone;
}

/* --- the run -----------------------------------------------------------------------------------
 */

/* What `ocopd init` does. OCOP_ESTATE: it was done before the machine went down. */
static enum ocop_status registry_begun(struct sim *s, struct ocop_error *err)
{
    enum ocop_status st =
        registry_open(s->registry_path, true, &s->server.env, NULL, &s->registry, err);
    if (st == OCOP_OK)
        st = genesis(s->registry, &s->keys, "sim", err);
    return st == OCOP_ESTATE && !id_is_zero(&s->registry->self) ? OCOP_OK : st;
}

/* ... as often as the machine goes down meanwhile. */
static void registry_make(struct sim *s)
{
    struct ocop_error err = {0};
    char keys[DISK_PATH_MAX + 64];
    unsigned tries = s->long_way ? chance_below(&s->chance, 4) : 0;
    path_of(&s->server.disk, "registry.db", s->registry_path, sizeof s->registry_path);
    path_of(&s->server.disk, "registry.db.keys", keys, sizeof keys);
    CHECK(keys_create(keys, &s->server.env, &s->keys, &err) == OCOP_OK);
    if (!s->long_way)
        template_put(s->registry_path, true);
    for (; tries > 0; tries--) {
        s->server.disk.crash_in = 1 + chance_below(&s->chance, 250);
        enum ocop_status st = registry_begun(s, &err);
        sim_trace(s, "the registry is made: %s", err_name(st));
        if (st == OCOP_EDAMAGED || st == OCOP_EVERSION)
            sim_fail(s, "opening", "the registry was damaged while it was made: %s", err.text);
        if (st == OCOP_OK && !s->server.disk.dead)
            break;
        server_down(s, s->power && chance_percent(&s->chance, 60));
    }
    s->server.disk.crash_in = 0;
    registry_close(s->registry);
    if (registry_begun(s, &err) != OCOP_OK)
        sim_fail(s, "genesis", "%s", err.text);
    s->registry->keys = &s->keys;
    s->registry->officer_blobs_max = s->officer_blobs_max;
    s->rights_changed = s->faults & FAULT_SCOPE;
    s->lineage = s->registry->lineage;
}

void sim_open(struct sim *s, const struct sim_options *options)
{
    struct chance c = chance_of(options->seed, 1), f = chance_of(options->seed, 7);
    memset(s, 0, sizeof *s);
    s->options = *options;
    /* About a quarter of the runs lacks any one of the faults: some flaws show only where another
     * does not hide them. */
    for (unsigned fault = 1; fault <= FAULT_ALL; fault <<= 1)
        if (!chance_percent(&c, fault >= FAULT_COPY ? 55 : 25))
            s->faults |= fault;
    s->faults &= ~options->without;
    if (!(s->faults & FAULT_CRASH))
        s->faults &= ~(unsigned)FAULT_POWER;
    s->power = s->faults & FAULT_POWER;
    s->long_way = chance_percent(&c, 4);
    s->newer_percent = chance_percent(&c, 30) ? 50 : 0;
    s->narrow_percent = chance_percent(&c, 40) ? (chance_percent(&c, 50) ? 97 : 70) : 0;
    s->files = chance_percent(&f, 50);
    s->officer_blobs_max = s->files && chance_percent(&f, 15) ? 20000 : 0;
    s->files_percent = !s->files ? 0 : chance_percent(&f, 35) ? 60 : 20;
    s->net_percent = 3 + chance_below(&c, 30);
    s->step_count = options->steps ? options->steps : 60 + chance_below(&c, 160);
    s->began_ms = s->now_ms =
        INT64_C(1785000000000) + (int64_t)chance_below(&c, 1000) * 86400000; /* from July 2026 */
    curve_choose(!chance_percent(&c, 4));
    arena_init(&s->arena, MIB(256));
    arena_init(&s->work, MIB(256));
    folder_make(s->dir);
    s->held = memory_total();
    s->sqlite = chance_of(options->seed, 2);
    disk_install(&s->sqlite);
    node_init(&s->server, s, 0);
    s->chance = chance_of(options->seed, 6);
    registry_make(s);
}

void sim_close(struct sim *s)
{
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
        if (!s->devices[i].used)
            continue;
        ocop_close(s->devices[i].store);
        disk_unmount(&s->devices[i].node.disk);
    }
    registry_close(s->registry);
    s->registry = NULL;
    disk_unmount(&s->server.disk);
    keys_wipe(&s->keys);
    net_fini(s);
    free(s->submissions.v);
    arena_fini(&s->arena);
    arena_fini(&s->work);
    remove_folder(s->dir, true);
}
