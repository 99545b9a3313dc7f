/* What the files of the feed share: a page while it is made. */
#ifndef SERVER_FEED_PAGE_H
#define SERVER_FEED_PAGE_H

#include "feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "cache.h"
#include "columns.h"
#include "registry_stmts.h"
#include "rights.h"

/* A page is counted before compression, which makes it several times smaller; even where it does
 * not, page and departures must fit a reply. */
enum {
    FEED_UNKNOWN = KIND_COUNT_PLUS_1, /* the table of unknown kinds; comes last */
    FEED_TABLES = FEED_UNKNOWN + 1,
    ANCHORS_FEW = 200, /* more are asked for by version, not one by one */
    SHRINKS_TO = 4,    /* bytes here for each byte of a reply */
    ROW_COST = 24,
    DEPARTURES_MAX = 4000, /* of records, in one page */
    NOTE_COST = 64,
    STUB_SLOTS = 1 << 13,
    UNKNOWN_KIND_COLUMN = 7 /* behind the columns that all tables have */
};
#define PAGE_WEIGHT_MIN KIB(1)
#define PAGE_WEIGHT_MAX KIB(384)
#define PAGE_ARENA_MAX MIB(24)
#define PAGE_CELLS_MAX 1200000 /* counted from above; one record may add many */
#define CELL_COST 12           /* bytes of the arena that one leaves to the records */
#define CASE_VALUES_MAX                                                                            \
    KIB(128) /* in the notes of one record; what finds no room is told without */

_Static_assert(PAGE_WEIGHT_MAX + RECORD_BYTES_MAX + DEPARTURES_MAX * 24 < REPLY_BYTES_MAX,
               "a page that does not compress fits a reply");

enum question {
    ASK_LAST,
    ASK_NEAR,
    ASK_WIDE,
    ASK_ONE,
    ASK_FILL,
    ASK_FILL_ONE,
    ASK_ANCHOR,
    ASK_UNTOUCHED,
    QUESTION_COUNT
};

struct feed_stmts {
    sqlite3_stmt *v[QUESTION_COUNT][FEED_TABLES];
};

struct anchor {
    struct id id;
    uint64_t since;
};

/* A record that may have to be sent. */
struct candidate {
    uint64_t version;
    uint32_t table, kind;
    struct id id, anchor;
};

/* A record and a case of it. */
struct pair {
    struct id record, id;
};
struct pairs {
    struct pair *v;
    size_t count;
    bool loaded;
};

/* Records and departures stand in one order: by version, table and id. */
struct position {
    uint64_t version;
    uint32_t table;
    struct id id;
};

struct gone {
    struct position at;
    uint32_t kind;
};

/* What the records of one kind in the page have in common. */
struct shape {
    uint64_t known;       /* columns, by number */
    size_t unknown, rows; /* unknown columns are counted again for each record */
};

struct feed {
    struct registry *r;
    const struct id *replica;
    unsigned reading; /* enum reading: what its officer may see */
    struct arena *a;
    struct ocop_error *err;
    Ocop__Sync__SyncReply *reply;
    struct {
        uint64_t version, scope, fill, fill_version;
        uint32_t after_kind, fill_kind;
        struct id after_id, fill_unit, fill_id;
        bool after;
    } cur;
    /* What the device holds is as of this version: the cursor's when its present run of pages
     * began. A record is sent at its last change, so a change before it may lie on an earlier
     * page than the record. */
    uint64_t from_version;
    uint64_t now;            /* end of the log */
    uint64_t last;           /* what follows was made by the device, and nobody touched it */
    struct position horizon; /* departures are known up to here */
    struct anchor *anchors;
    size_t anchor_count;
    struct change *changes;
    uint64_t *versions;
    size_t count, bytes, bytes_max, used_before;
    struct shape shapes[FEED_TABLES];
    size_t cells; /* of all columns, as columns.c will have them, or more */
    struct pairs news, colliding;
    bool any_open, late_any;
    const struct id **stubs; /* STUB_SLOTS: references looked at in this page */
    size_t stub_count;
    uint64_t own_version; /* the last answer of feed_own */
    bool own_answer;
};

/* --- feed_ask.c: what is asked of the tables --- */

/** Composed once for each table; NULL, with f->err, when that fails. */
sqlite3_stmt *feed_statement(struct feed *f, enum question question, uint32_t table);
/** The status of that failure. */
OCOP_MUST_USE enum ocop_status feed_ask_failed(struct feed *f);
/** May the officer read anything of it? */
bool feed_fed(const struct feed *f, uint32_t table);
/** Kinds that are unknown here have one table. */
uint32_t feed_table_of(uint32_t kind);
/** NULL: the device has no such anchor. */
const struct anchor *feed_anchor(const struct feed *f, const struct id *id);
/** By which anchor does the device receive a record? NULL: by none. */
const struct anchor *feed_scope_find(const struct feed *f, const struct id *anchor,
                                     const struct id *record);
void feed_column_id(sqlite3_stmt *s, int column, struct id *out);
OCOP_MUST_USE enum ocop_status feed_anchors_load(struct feed *f);
/** Was the set at this version made by the device itself? */
OCOP_MUST_USE enum ocop_status feed_own(struct feed *f, uint64_t version, bool *out);
/** Was this value of a record written by the device itself? */
OCOP_MUST_USE enum ocop_status feed_own_value(struct feed *f, uint32_t kind,
                                              const struct id *record, const struct field *v,
                                              bool *out);
/** A question with one boolean column. */
OCOP_MUST_USE enum ocop_status feed_ask_any(struct feed *f, int which, bool *out);

/* --- feed_cases.c --- */

/** `news`: those opened or closed since the device's version. `whole`: those that are open. */
OCOP_MUST_USE enum ocop_status feed_record_cases(struct feed *f, const struct id *record, bool news,
                                                 bool whole);

/* --- feed_records.c: one record of a page --- */

bool feed_page_full(const struct feed *f);
/** All that stands in the record; markers of removed values are not part of a state. */
void feed_whole_state(struct fields *record);
/** Without what the officer may not read. */
void feed_readable(const struct feed *f, uint32_t kind, struct fields *record);
/** *found is false when there is no such record. */
OCOP_MUST_USE enum ocop_status feed_anchor_of(struct feed *f, uint32_t kind, const struct id *id,
                                              bool *found, struct id *out);
/** Put a record into the page, and stubs of what it refers to. */
OCOP_MUST_USE enum ocop_status feed_emit(struct feed *f, uint32_t kind, const struct id *id,
                                         enum verb verb, const struct fields *fields,
                                         uint64_t version);
/** What of a candidate is news to the device. */
OCOP_MUST_USE enum ocop_status feed_send_new(struct feed *f, const struct candidate *c);

/* --- feed_left.c: what leaves the device --- */

/** Everything up to here the device has seen. */
struct position feed_position(const struct feed *f);
int feed_position_cmp(const struct position *a, const struct position *b);
/** Records that moved out of an anchor of this device, in their order. Sets the horizon
 * behind the last version that is taken in as a whole. */
OCOP_MUST_USE enum ocop_status feed_gone_load(struct feed *f, struct gone **out, size_t *count);
/** Tell those that the page has come past, unless the record is in the scope by another way. */
OCOP_MUST_USE enum ocop_status feed_gone_tell(struct feed *f, const struct gone *gone,
                                              size_t count);
/** Tell what left the scope since the cursor. */
OCOP_MUST_USE enum ocop_status feed_units_left(struct feed *f);

/* --- feed_running.c: what changed since the cursor --- */

/** From the cursor to the end of the log, or as far as the page goes. */
OCOP_MUST_USE enum ocop_status feed_running(struct feed *f);
bool feed_running_done(const struct feed *f);

#endif
