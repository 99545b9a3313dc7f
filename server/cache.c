/* Answers remembered between transactions. Only what cannot become wrong without our knowing is
 * kept: a record that exists goes on existing; codes change only through apply or another process,
 * and then the cache is told. */
#include "cache.h"

#include <stdlib.h>

#include "bounds.h"
#include "json.h"
#include "registry_stmts.h"
#include "text.h"

enum {
    SEEN_SLOTS = 1 << 15,
    PLAIN_SLOTS = 1 << 10,
    ROLE_SLOTS = 1 << 10,
    CODE_SLOTS = 1 << 12, /* at first */
    LIST_SLOTS = 1 << 6,
    CODES_ARENA = 64 << 20
};

struct code_entry {
    const char *list;
    struct span code;
    char from[11], to[11]; /* "" open */
};

struct role_entry {
    struct id officer;
    uint32_t round; /* as in `seen` */
    unsigned roles; /* on the day */
    char day[11];
};

struct registry_cache {
    struct {
        struct id id;
        uint32_t kind;  /* one id may be of several: then the last one is remembered */
        uint32_t round; /* that of the cache, else it counts as empty */
    } seen[SEEN_SLOTS];
    uint32_t round;
    uint64_t plain[PLAIN_SLOTS]; /* versions; 0: none */
    struct role_entry roles[ROLE_SLOTS];
    struct arena codes;         /* texts of the code lists */
    struct code_entry *entries; /* a power of two of slots; NULL list: empty */
    size_t entry_count, slot_count;
    bool codes_loaded;
    struct {
        const char *name; /* a rule's, so that its address tells it; NULL: empty */
        bool known;
    } lists[LIST_SLOTS];
};

enum ocop_status cache_open(struct registry *r, struct registry_cache **out, struct ocop_error *err)
{
    (void)r;
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_nomem(err);
    arena_init(&(*out)->codes, CODES_ARENA);
    (*out)->round = 1;
    return OCOP_OK;
}

void cache_close(struct registry_cache *c)
{
    if (!c)
        return;
    arena_fini(&c->codes);
    free(c);
}

/* Every set that is not taken comes here: its cost is what a device that sends rubbish can cause.
 */
void cache_forget(struct registry_cache *c)
{
    if (!c)
        return;
    if (++c->round == 0) {
        memset(c->seen, 0, sizeof c->seen);
        memset(c->roles, 0, sizeof c->roles);
        c->round = 1;
    }
    memset(c->plain, 0, sizeof c->plain);
    c->codes_loaded = false;
}

/* --- existence -----------------------------------------------------------------------------------
 */

static size_t seen_slot(const struct id *id)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < ID_LEN; i++)
        h = (h ^ id->b[i]) * 16777619u;
    return (h ^ h >> 15) % SEEN_SLOTS;
}

void cache_note(struct registry *r, uint32_t kind, const struct id *id)
{
    size_t at = seen_slot(id);
    r->cache->seen[at].id = *id;
    r->cache->seen[at].kind = kind;
    r->cache->seen[at].round = r->cache->round;
}

enum ocop_status cache_exists(struct registry *r, uint32_t kind, const struct id *id, bool *out,
                              struct ocop_error *err)
{
    size_t at = seen_slot(id);
    *out = r->cache->seen[at].round == r->cache->round && id_eq(&r->cache->seen[at].id, id) &&
           (!kind || r->cache->seen[at].kind == kind);
    if (*out)
        return OCOP_OK;
    enum ocop_status st = OCOP_OK;
    uint32_t found = kind;
    if (kind)
        st = row_exists(r->rows, kind, id, out, err);
    for (size_t i = 0; !kind && st == OCOP_OK && !*out && i < kind_count(); i++) {
        found = kind_at(i)->number;
        st = row_exists(r->rows, found, id, out, err);
    }
    if (st == OCOP_OK && *out)
        cache_note(r, found, id);
    return st;
}

void cache_note_plain(struct registry *r, uint64_t version)
{
    r->cache->plain[version % PLAIN_SLOTS] = version;
}

bool cache_plain(const struct registry *r, uint64_t version)
{
    return version && r->cache->plain[version % PLAIN_SLOTS] == version;
}

/* --- codes ---------------------------------------------------------------------------------------
 */

static size_t code_hash(const char *list, struct span code)
{
    uint32_t h = 2166136261u;
    for (; *list; list++)
        h = (h ^ (uint8_t)*list) * 16777619u;
    for (size_t i = 0; i < code.len; i++)
        h = (h ^ code.p[i]) * 16777619u;
    return h;
}

/* The slot of a code, or the free one where it would go. A list itself is the entry with code "".
 */
static struct code_entry *code_slot(struct registry_cache *c, const char *list, struct span code)
{
    for (size_t i = code_hash(list, code);; i++) {
        struct code_entry *e = &c->entries[i % c->slot_count];
        if (!e->list || (strcmp(e->list, list) == 0 && span_eq(e->code, code)))
            return e;
    }
}

static void date_copy(struct span element, uint32_t number, char *out)
{
    struct field f;
    out[0] = 0;
    if (element_get(element, number, &f) && f.bytes.len == 10) {
        memcpy(out, f.bytes.p, 10);
        out[10] = 0;
    }
}

static enum ocop_status codes_grow(struct registry_cache *c, size_t slots, struct ocop_error *err)
{
    const struct code_entry *old = c->entries;
    size_t old_count = c->slot_count;
    c->entries = arena_calloc(&c->codes, slots, sizeof *c->entries);
    c->slot_count = c->entries ? slots : 0;
    if (!c->entries)
        return err_nomem(err);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].list)
            *code_slot(c, old[i].list, old[i].code) = old[i];
    return OCOP_OK;
}

static enum ocop_status code_put(struct registry_cache *c, const char *list, struct span code,
                                 struct span element, struct ocop_error *err)
{
    enum ocop_status st =
        c->entry_count + 1 < c->slot_count / 2 ? OCOP_OK : codes_grow(c, c->slot_count * 2, err);
    if (st != OCOP_OK)
        return st;
    struct code_entry *e = code_slot(c, list, code);
    c->entry_count += !e->list;
    e->list = list;
    e->code = code;
    date_copy(element, 3, e->from);
    date_copy(element, 4, e->to);
    return OCOP_OK;
}

static enum ocop_status list_load(struct registry_cache *c, const char *name, struct span json,
                                  struct ocop_error *err)
{
    const struct field_rule *rule = kind_field(kind_by_number(KIND_CODE_LIST), 12);
    struct fields items = {0};
    const char *list = arena_dup(&c->codes, name, strlen(name));
    const char *text = arena_dup(&c->codes, json.p, json.len);
    if (!list || !text)
        return err_nomem(err);
    enum ocop_status st = code_put(c, list, span_of(NULL, 0), span_of(NULL, 0), err);
    if (st == OCOP_OK && json.len)
        st = json_list_read(rule, span_of(text, json.len), &c->codes, &items, err);
    for (size_t i = 0; st == OCOP_OK && i < items.count; i++)
        st = code_put(c, list, items.v[i].key, items.v[i].bytes, err);
    return st;
}

static enum ocop_status codes_load(struct registry *r, struct ocop_error *err)
{
    struct registry_cache *c = r->cache;
    arena_reset(&c->codes);
    memset(c->lists, 0, sizeof c->lists);
    c->entry_count = c->slot_count = 0;
    enum ocop_status st = codes_grow(c, CODE_SLOTS, err);
    sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(r, SQL_CODE_LISTS, err) : NULL;
    if (!s)
        return st == OCOP_OK ? OCOP_EDB : st;
    bool row;
    while ((st = registry_row(r, s, "reading the code lists", &row, err)) == OCOP_OK && row) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        struct span json = span_of(sqlite3_column_text(s, 1), (size_t)sqlite3_column_bytes(s, 1));
        st = list_load(c, name ? name : "", json, err);
        if (st != OCOP_OK)
            break;
    }
    sqlite3_reset(s);
    c->codes_loaded = st == OCOP_OK;
    return st;
}

enum ocop_status cache_codes_load(struct registry *r, struct ocop_error *err)
{
    return r->cache->codes_loaded ? OCOP_OK : codes_load(r, err);
}

void cache_codes_changed(struct registry *r)
{
    r->cache->codes_loaded = false;
}

/* Is there such a list? */
static bool list_known(struct registry_cache *c, const char *list)
{
    size_t at = ((uintptr_t)list >> 3) % LIST_SLOTS;
    if (c->lists[at].name != list) {
        c->lists[at].name = list;
        c->lists[at].known = code_slot(c, list, span_of(NULL, 0))->list != NULL;
    }
    return c->lists[at].known;
}

enum code_answer cache_code(void *self, const char *list, struct span code, const char *day)
{
    struct registry *r = self;
    CHECK(r->cache->codes_loaded);
    if (!list_known(r->cache, list))
        return CODE_UNKNOWN_LIST;
    const struct code_entry *e = code_slot(r->cache, list, code);
    if (!e->list || code.len == 0)
        return CODE_WRONG;
    return day_within(span_str(e->from), span_str(e->to), day) ? CODE_OK : CODE_WRONG;
}

/* --- roles ---------------------------------------------------------------------------------------
 */

/* Those that are held on a day, and the day. */
enum ocop_status cache_roles(struct registry *r, const struct id *officer, int64_t at_ms,
                             unsigned *roles, struct ocop_error *err)
{
    const struct field_rule *rule = kind_field(kind_by_number(KIND_OFFICER), 15);
    struct role_entry *known = &r->cache->roles[seen_slot(officer) % ROLE_SLOTS];
    char day[11];
    struct arena a;
    struct fields list = {0};
    text_day_of(at_ms, day);
    *roles = known->roles;
    if (known->round == r->cache->round && id_eq(&known->officer, officer) &&
        strcmp(known->day, day) == 0)
        return OCOP_OK;
    *roles = 0;
    sqlite3_stmt *s = registry_stmt(r, SQL_OFFICER_ROLES, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, officer->b, ID_LEN, SQLITE_STATIC);
    arena_init(&a, KIB(256));
    bool row;
    enum ocop_status st = registry_row(r, s, "reading an officer's roles", &row, err);
    if (st == OCOP_OK && row && sqlite3_column_type(s, 0) != SQLITE_NULL)
        st = json_list_read(rule,
                            span_of(sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
                            &a, &list, err);
    for (size_t i = 0; st == OCOP_OK && i < list.count; i++)
        *roles |= role_on(list.v[i].bytes, day);
    sqlite3_reset(s);
    arena_fini(&a);
    if (st == OCOP_OK) {
        *known = (struct role_entry){*officer, r->cache->round, *roles, ""};
        memcpy(known->day, day, sizeof day);
    }
    return st;
}

void cache_officer_changed(struct registry *r, const struct id *officer)
{
    r->cache->roles[seen_slot(officer) % ROLE_SLOTS].round = 0;
}
