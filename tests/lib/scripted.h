/* libocop against a scripted server: a link whose other end decodes requests with the same frame
 * functions and answers with replies that the test builds. */
#ifndef TEST_SCRIPTED_H
#define TEST_SCRIPTED_H

#include "test.h"

#include "changeset.h"
#include "env.h"
#include "frame.h"
#include "invitation.h"
#include "link.h"
#include "merge.h"
#include "ocop.h"
#include "records.pb-c.h"
#include "sync.pb-c.h"

#define NOW_MS INT64_C(1785900000000) /* 2026-08-05 in Vietnam */
#define TODAY "2026-08-05"
#define OK(call) assert_int_equal((call), OCOP_OK)

enum { MANY = 64 };
enum { F_SCORE = 27, F_CONCLUSION = 26, F_NOTES = 34, F_MINUTES = 20 };

struct told { /* one outcome to tell in the next reply */
    uint64_t seq;
    uint32_t index, code;
    const char *text, *field;
};

struct server {
    struct link link; /* first: what the store holds */
    struct channel_key channel;
    struct sign_key root;
    struct arena arena; /* of one exchange */
    struct id officer, unit, lineage, replica;
    uint8_t sign_public[SIGN_PUBLIC_LEN];
    char code[INVITATION_TEXT_MAX];
    /* what it has */
    uint64_t seq, version;
    uint8_t hash[HASH_LEN];
    struct change got[MANY]; /* changes of accepted sets */
    size_t got_count;
    struct arena kept;
    struct change_set last_set;
    /* what happened */
    unsigned connects, exchanges, sets;
    size_t request_bytes;
    uint8_t first_body[HASH_LEN]; /* hash of the first set's bytes in the last request */
    Ocop__Sync__SyncRequest *request;
    /* what it shall do next */
    bool offline, lose_request, lose_reply, cancel;
    uint32_t code_next, set_code_next;
    struct told told[8];
    size_t told_count;
    struct change feed[MANY];
    uint64_t feed_version[MANY];
    size_t feed_count, page;
    Ocop__Sync__CaseNote notes[4];
    size_t note_count;
    Ocop__Sync__Departure departures[4];
    size_t departure_count;
    uint64_t fork_seq;
    bool reread, forget_feed;
    struct id new_lineage;
    uint64_t lineage_fork;
    struct ocop_store *during; /* save here while the store waits */
    void (*meanwhile)(struct server *v);
};

struct fixture {
    struct server server;
    struct env env;
    int64_t now_ms;
    char path[64];
    struct ocop_store *store;
    struct ocop_error err;
    struct ocop_sync_summary sum;
};

/* --- the server --- */

ProtobufCBinaryData data_of(const void *p, size_t len);
enum ocop_status fake_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                              struct ocop_error *err);
enum ocop_status fake_exchange(struct link *l, struct span request, int timeout_ms,
                               const atomic_bool *cancel, struct buf *reply,
                               struct ocop_error *err);
void fake_close(struct link *l);

/* --- a store, and what it and the server hold --- */

/** Fixtures of cmocka: a store that is enrolled, or not yet. */
int scripted_setup(void **state);
int scripted_setup_empty(void **state);
int scripted_teardown(void **state);

struct id made_id(uint8_t n);
void open_store(struct fixture *f);
void reopen(struct fixture *f);
void remove_store(struct fixture *f);
void sync_ok(struct fixture *f);
char *text_new(const char *s);
void set_text(char **field, const char *s);
/** One that may be submitted. */
Ocop__Inspection *inspection_new(struct fixture *f);
struct ocop_id id_of(const Ocop__Inspection *i);
struct ocop_id submit_one(struct fixture *f);
Ocop__Inspection *inspection_load(struct fixture *f, const struct ocop_id *id);
void amend_score(struct fixture *f, const struct ocop_id *id, int score);
void assert_score(struct fixture *f, const struct ocop_id *id, int score);
void assert_state(struct fixture *f, const struct ocop_id *id, enum ocop_record_state state);
void assert_clean(struct fixture *f);

/** Put a record into the server's feed: the message as it stands in the registry; a record as the
 * device shows it; one field as it now stands in the registry. */
void feed_put(struct fixture *f, ProtobufCMessage *m, enum verb verb, uint64_t version);
void feed_as_shown(struct fixture *f, const struct ocop_id *id);
void feed_score(struct fixture *f, const struct ocop_id *id, int score, uint64_t version);
void feed_unit(struct fixture *f);
void feed_producer(struct fixture *f, uint8_t n, const char *name);

size_t count_found(struct fixture *f, const struct ocop_query *q);
/** On the store's file, which is closed for it and stays closed. */
void run_sql(struct fixture *f, const char *sql);
/** Base of one field in a change that the server got. */
uint64_t base_of(const struct change *c, uint32_t number);

#endif
