/* A registry in memory with a clock and randomness of its own, and devices that push to it and pull
 * from it without a network: what tests of the server's parts share. */
#ifndef TESTS_CENTRE_H
#define TESTS_CENTRE_H

#include "buf.h"
#include "cases.h"
#include "enrol.h"
#include "feed.h"
#include "ingest.h"
#include "invitation.h"
#include "states.h"

struct centre {
    struct env env;
    uint64_t random;
    int64_t now_ms;
    struct server_keys keys;
    struct registry *r;
    struct arena a;
    struct ocop_error err;
};

void centre_open(struct centre *c);
void centre_close(struct centre *c);
/** Fails the test with the error's text unless `st` is OCOP_OK. */
void centre_must(struct centre *c, enum ocop_status st);

/* A change being composed; fields in the order of their numbers. */
struct draft_change {
    struct field v[24];
    struct change c;
};
void draft(struct draft_change *d, uint32_t kind, enum verb verb, const struct id *record);
void draft_text(struct draft_change *d, uint32_t number, const char *text);
void draft_id(struct draft_change *d, uint32_t number, const struct id *id);
void draft_int(struct draft_change *d, uint32_t number, int64_t i);
/** An element whose field 1 is `key` and field 2, when not NULL, `text`. */
void draft_element(struct draft_change *d, struct centre *c, uint32_t number, struct span key,
                   const char *text);
/** Give the change and its fields the version they are based on. */
void draft_base(struct draft_change *d, uint64_t base);

/** Write as an import does; returns the version. Any refusal fails the test. */
uint64_t centre_write(struct centre *c, const struct draft_change *d, size_t count);
struct id centre_unit(struct centre *c, const char *code, const char *level,
                      const struct id *parent);
struct id centre_officer(struct centre *c, const char *role);
struct id centre_producer(struct centre *c, const struct id *unit, const char *name);

struct held {
    uint32_t kind;
    struct id id;
    struct fields fields;
    uint64_t version;
};

/* A device and what it has been told. */
struct device {
    struct id replica, officer;
    struct sign_key sign;
    uint8_t channel[32];
    uint64_t seq;
    uint8_t prev_hash[HASH_LEN];
    struct arena a;
    struct held *held;
    size_t held_count;
    struct held *stubs;
    size_t stub_count;
    Ocop__Sync__Cursor *cursor;
    unsigned reading; /* READ_ALL unless a test says otherwise */
    /* of the last pull */
    size_t pages, states, deltas, departures, notes;
    Ocop__Sync__CaseNote *note[64];
};

void device_enrol(struct device *d, struct centre *c, const struct id *officer,
                  const struct id *scope, size_t count);
void device_close(struct device *d);
/** Seal and ingest; *version may be NULL. */
struct set_result device_push(struct device *d, struct centre *c,
                              const struct draft_change *changes, size_t count);
/** What device_push would seal next, to be spoilt. */
struct change_set device_set(struct device *d, struct centre *c, const struct draft_change *changes,
                             size_t count);
/** Ingest any bytes as this device's. */
struct set_result device_push_bytes(struct device *d, struct centre *c, struct span body,
                                    const uint8_t signature[SIGNATURE_LEN]);
/** What a push would answer, for a registry that fails: nothing of it stays. */
enum ocop_status device_try(struct device *d, struct centre *c, const struct draft_change *changes,
                            size_t count, struct ocop_error *err);
/** Pull until nothing more comes and take it in. A DELTA of a record that is not held fails the
 *  test. */
void device_pull(struct device *d, struct centre *c, size_t page_bytes);
/** One page; returns whether there is more. */
bool device_pull_page(struct device *d, struct centre *c, size_t page_bytes);
const struct held *device_holds(const struct device *d, const struct id *id);
const struct held *device_stub(const struct device *d, const struct id *id);
/** The text of a held record's field; "" when it has none. */
const char *device_text(struct device *d, const struct id *id, uint32_t number);

#endif
