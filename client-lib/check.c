/* ocop_check: reads all that is stored and holds it against itself. Changes nothing, but for a
 * search index that is wrong, which it has made again; knows no SQL. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "device_keys.h"
#include "files.h"
#include "sync.h"

struct check {
    struct ocop_store *s;
    ocop_check_fn each;
    void *user;
    unsigned findings;
    struct arena arena; /* of one record or set */
    struct id replica;  /* of the set before */
    uint64_t seq;
    uint8_t hash[HASH_LEN];
    struct store_words words; /* of all records; of `all`, when they can be read */
    bool all;
};

static void found(struct check *c, const char *format, ...) OCOP_PRINTF(2, 3);
static void found(struct check *c, const char *format, ...)
{
    char line[320];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    c->findings++;
    if (c->each)
        c->each(c->user, line);
}

static void found_line(void *self, const char *line)
{
    found(self, "%s", line);
}

static void found_in_file(void *self, const char *line)
{
    found(self, "file: %s", line);
}

/* What can be had again, and from where. Of a table that is not here: of a kind. */
static const struct again sources[] = {
    {"meta", "who this store is stands nowhere else; go back to a copy of the file, or enrol anew"},
    {"outbox", "it was not sent yet and stands nowhere else; look at its record, discard it and "
               "make it again"},
    {"sealed", "the registry has it if it was acknowledged; else enter it again"},
    {"file", "whether its content is here and was sent is asked again by the next sync"},
    {"thumbnail", "the registry makes it again; ask for it"},
    {"searched",
     "a search may miss records; the index is made again when the store is opened next"},
    {"counter", "compare with the papers before the next number is given"},
    {"", "the registry has it; a store that is enrolled anew receives it"},
};

static void found_row(void *self, const char *row)
{
    if (!strchr(row, ' '))
        found(self,
              "%s: rows that were written are gone; a store that is enrolled anew receives what "
              "the registry has",
              row);
    else
        found(self, "%s: not what was written; %s", row, again_from(sources, row));
}

/* Damage is a finding; anything else ends the check. */
static bool is_finding(enum ocop_status st)
{
    return st == OCOP_EDAMAGED || st == OCOP_EPROTO || st == OCOP_ELIMIT || st == OCOP_EAUTH ||
           st == OCOP_EINVAL || st == OCOP_EVERSION;
}

/* --- sealed sets ----------------------------------------------------------------------------- */

static enum ocop_status check_sealed(void *self, struct id replica, const struct sealed_row *row,
                                     struct ocop_error *err)
{
    struct check *c = self;
    struct change_set set;
    struct ocop_error why = {0};
    char text[ID_TEXT_LEN + 1];
    enum ocop_status st;

    (void)err;
    arena_reset(&c->arena);
    (void)id_text(replica, text);
    st = changeset_open(row->set.body, &c->arena, &set, &why);
    if (!st && (memcmp(set.hash, row->set.hash, HASH_LEN) != 0 || set.seq != row->seq ||
                !id_eq(&set.replica, &replica)))
        st = err_set(&why, OCOP_EDAMAGED, "its bytes are not those that were sealed");
    if (!st)
        st = device_keys_signed(c->s, &set, row->set.signature, &c->arena, &why);
    if (!st && id_eq(&replica, &c->replica) && row->seq == c->seq + 1 &&
        memcmp(set.prev_hash, c->hash, HASH_LEN) != 0)
        st = err_set(&why, OCOP_EDAMAGED, "it does not continue the set before");
    if (!st && id_eq(&replica, &c->replica) && row->seq != c->seq + 1)
        st = err_set(&why, OCOP_EDAMAGED, "the set before it is missing");
    if (st && !is_finding(st)) {
        if (err)
            *err = why;
        return st;
    }
    if (st)
        found(c, "change-set %s %llu: %s; %s", text, (unsigned long long)row->seq, why.text,
              again_from(sources, "sealed"));
    c->replica = replica;
    c->seq = row->seq;
    memcpy(c->hash, row->set.hash, HASH_LEN);
    return OCOP_OK;
}

/* --- records --------------------------------------------------------------------------------- */

/* Does the row show what its base and the changes over it say? */
static enum ocop_status check_shown(struct check *c, const struct kind *k, const struct id *id,
                                    const struct fields *f, struct ocop_error *err)
{
    struct outbox_rows rows;
    struct fields state, diff;
    uint64_t version;
    bool there;
    char name[ID_TEXT_LEN + 1];
    enum ocop_status st =
        pending_state(c->s, k->number, id, true, &c->arena, &rows, &there, &state, &version, err);

    if (!st && rows.count > 0)
        st = fields_diff(&state, f, 0, &c->arena, &diff, err);
    if (!st && rows.count > 0 && (!there || diff.count > 0))
        found(c, "%s %s: the row is not what its changes say", k->name, id_text(*id, name));
    return st;
}

static enum ocop_status check_record(struct check *c, const struct kind *k, const struct id *id,
                                     struct ocop_error *err)
{
    struct ocop_error why = {0};
    struct fields f;
    uint64_t version;
    bool pending = false;
    char name[ID_TEXT_LEN + 1];
    enum ocop_status st;

    arena_reset(&c->arena);
    st = store_record(c->s, k->number, id, &c->arena, &f, &version, &why);
    if (st == OCOP_ENOTFOUND) /* and it was listed just now */
        st = err_set(&why, OCOP_EDAMAGED, "it cannot be found by its id; %s",
                     again_from(sources, k->name));
    if (!st)
        st = store_outbox_has(c->s, id, &pending, &why);
    /* What others changed under a draft may not fit with it: that is for the officer to see. */
    if (!st && !pending)
        st = rules_check(k, &f, RULES_DRAFT, &(struct rules_lookup){0}, &why);
    if (!st)
        st = check_shown(c, k, id, &f, &why);
    if (!st)
        return OCOP_OK;
    if (!is_finding(st)) {
        if (err)
            *err = why;
        return st;
    }
    found(c, "%s %s: %s", k->name, id_text(*id, name), why.text);
    return OCOP_OK;
}

typedef enum ocop_status record_fn(struct check *c, const struct kind *k, const struct id *id,
                                   struct ocop_error *err);

static enum ocop_status each_record(struct check *c, record_fn *fn, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (size_t k = 0; !st && k < kind_count(); k++) {
        struct arena ids_arena;
        struct id *ids = NULL;
        size_t count = 0;
        arena_init(&ids_arena, ARENA_REQUEST_MAX);
        st = store_record_ids(c->s, kind_at(k)->number, NULL, &ids_arena, &ids, &count, err);
        for (size_t i = 0; !st && i < count; i++)
            st = fn(c, kind_at(k), &ids[i], err);
        arena_fini(&ids_arena);
    }
    return st;
}

/* --- search ---------------------------------------------------------------------------------- */

static enum ocop_status check_found(struct check *c, const struct kind *k, const struct id *id,
                                    struct ocop_error *err)
{
    bool there = true;
    char name[ID_TEXT_LEN + 1];

    arena_reset(&c->arena);
    enum ocop_status st = store_words_found(c->s, k->number, id, &c->arena, &there, err);
    if (!st && !there)
        found(c, "%s %s: the search index does not find it by all its words", k->name,
              id_text(*id, name));
    return is_finding(st) ? OCOP_OK : st; /* what cannot be read was told before */
}

/* The index is made of the records and of nothing else. Which records it is wrong about is asked
 * only when it is wrong. */
static enum ocop_status check_search(struct check *c, struct ocop_error *err)
{
    struct store_words held;
    bool sound;
    enum ocop_status st = store_words_held(c->s, &held, &sound, err);

    if (st || (sound && (!c->all || (held.count == c->words.count && held.sum == c->words.sum))))
        return st;
    found(c, "search: the index is not that of the records, which are not harmed; it is made again "
             "when the store is opened next");
    store_words_wrong(c->s);
    return sound ? each_record(c, check_found, err) : OCOP_OK;
}

/* --- outbox ---------------------------------------------------------------------------------- */

static enum ocop_status check_outbox(struct check *c, struct ocop_error *err)
{
    struct arena a;
    struct outbox_rows rows;
    struct change change;
    unsigned orphans = 0;
    char name[ID_TEXT_LEN + 1];
    enum ocop_status st;

    arena_init(&a, ARENA_REQUEST_MAX);
    st = store_outbox_all(c->s, &a, &rows, err);
    for (size_t i = 0; !st && i < rows.count; i++) {
        const struct outbox_row *r = &rows.v[i];
        bool there = false;
        arena_reset(&c->arena);
        st = pending_change(r, &c->arena, &change, err);
        if (st == OCOP_EDAMAGED) {
            found(c, "outbox %lld: the change cannot be read", (long long)r->n);
            st = OCOP_OK;
            continue;
        }
        if (!st)
            st = store_record_exists(c->s, r->kind, &r->record, &there, err);
        /* What comes back after a restore, below 1, may be of a record that left the scope before.
         */
        if (!st && !there && (r->n > 0 || change.verb == VERB_CREATE))
            found(c, "outbox %lld: its record %s is not there", (long long)r->n,
                  id_text(r->record, name));
    }
    if (!st)
        st = store_base_orphans(c->s, &orphans, err);
    if (!st && orphans)
        found(c, "%u records are kept as before changes that are not there", orphans);
    arena_fini(&a);
    return st;
}

/* --- the whole ------------------------------------------------------------------------------- */

static enum ocop_status check_all(struct check *c, struct ocop_error *err)
{
    enum ocop_status st = store_integrity(c->s, found_in_file, c, err);

    if (!st)
        st = client_read(c->s, err);
    if (st)
        return st;
    st = store_sealed_each(c->s, check_sealed, c, err);
    if (!st)
        st = check_outbox(c, err);
    if (!st)
        st = each_record(c, check_record, err);
    if (!st)
        st = store_sums(c->s, found_row, c, &c->words, &c->all, err);
    if (!st)
        st = check_search(c, err);
    if (!st)
        st = files_check(c->s, found_line, c, err);
    client_read_end(c->s);
    return st;
}

/* By a handle of its own: the caller's is free all the time, for other threads and for `each`. */
enum ocop_status ocop_check(struct ocop_store *s, ocop_check_fn each, void *user,
                            unsigned *findings, struct ocop_error *err)
{
    struct check c = {.each = each, .user = user};
    struct ocop_error why = {0};
    enum ocop_status st = client_open_again(s, &c.s, &why);

    arena_init(&c.arena, ARENA_REQUEST_MAX);
    if (!st)
        st = check_all(&c, &why);
    if (st == OCOP_EDAMAGED) {
        found_in_file(&c, why.text);
        st = OCOP_OK;
    } else if (st && err) {
        *err = why;
    }
    *findings = c.findings;
    arena_fini(&c.arena);
    ocop_close(c.s);
    return st;
}
