/* A registry in memory with devices that talk to it without a socket: what tests of the server's
 * core share. */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include "certificate.h"
#include "enrol.h"
#include "exchange.h"
#include "link.h"
#include "ocop.h"
#include "readback.h"
#include "states.h"

enum { WORLD_DEVICES_MAX = 8 };

/* What stands between a device and the server. */
struct world_link {
    struct link link;
    struct world *world;
    unsigned exchanges;                /* requests that reached the server */
    unsigned starts;                   /* requests made before their turn */
    struct buf started;                /* the last of them */
    unsigned drop_request, drop_reply; /* countdowns: 1 drops the next one */
    bool repeat;                       /* deliver every request twice */
    struct buf last;                   /* the last request, to replay */
};

struct world {
    struct registry *registry;
    struct readback *readback; /* reads back what every exchange committed; nothing may be found */
    bool damaged;              /* by the test: sums need not hold at the end */
    struct server_keys keys;
    struct id province, commune, other_commune; /* units */
    struct id officers[WORLD_DEVICES_MAX];
    struct id producer, product;
    struct ocop_store *stores[WORLD_DEVICES_MAX];
    struct world_link links[WORLD_DEVICES_MAX];
    const char *address; /* that invitations name; NULL: one where nobody listens */
    char dir[64];
    struct arena arena;
};

/** A fresh registry in a directory of its own: two communes of a province, a producer, a product.
 */
void world_open(struct world *w);
void world_close(struct world *w);

/** Fixtures of cmocka: a world with no device, with device 0 or 1, or with both. At the end what
 * the log gives must be what the registry is, unless the test has damaged it. */
int world_setup(void **state);
int world_setup_0(void **state);
int world_setup_1(void **state);
int world_setup_01(void **state);
int world_teardown(void **state);

/** Let go of the registry's file; what opens it again is the caller's. */
void world_close_registry(struct world *w);

/** A world out of the files in `w->dir`: registry.db, its keys, and 0.ocop, 1.ocop, ... of the
 * first `devices`. */
void world_reopen(struct world *w, unsigned devices);
/** Close the registry and the devices, so that the files in `w->dir` are whole. */
void world_leave(struct world *w);

/** Enrol device `n` (0..): its officer is inspector, sampler, environment officer, and reconciler
 * when n is 0; its scope is the first commune. */
void world_enrol(struct world *w, unsigned n);

/** A backup of the registry, and the registry restored from the last one: a new lineage. */
void world_backup(struct world *w);
void world_restore(struct world *w);

/** Device `to` becomes a copy of device `from`'s file, as when a phone's backup is put on another
 *  phone. */
void world_copy(struct world *w, unsigned from, unsigned to);
/** Device `n` is enrolled and has synced an inspection, and `copy` is its copy. */
void world_enrol_copied(struct world *w, unsigned n, unsigned copy);

/** Write one change-set of an import. Returns its version. */
uint64_t world_import(struct world *w, struct change *changes, size_t count);

/** Close device `n` and open it again with another link; NULL: the real one, over a socket. */
void world_relink(struct world *w, unsigned n, struct link *link);

/** Sync and expect OK. */
struct ocop_sync_summary world_sync(struct world *w, unsigned n);

/** A submitted inspection of device n with this conclusion. May run in a thread per device. */
struct ocop_id world_inspect(struct world *w, unsigned n, const char *conclusion);

/** The same, passed, as a draft. */
struct ocop_id world_draft(struct world *w, unsigned n);

/** The office moves a record to another unit. */
void world_move(struct world *w, uint32_t kind, struct ocop_id id, const struct id *unit);

/** Does the content of this hash lie in the folder of device n? */
bool world_has_content(struct world *w, unsigned n, const uint8_t hash[HASH_LEN]);

/** Is the text in any file of device n's store? */
bool world_on_disk(struct world *w, unsigned n, const char *text);

/** An invitation for officer `n`, to the first commune; in the arena. */
const char *world_invitation(struct world *w, unsigned n);

/** The office judges device n. */
void world_state(struct world *w, unsigned n, enum device_state state);

/** A submitted producer of device n with this name. */
struct ocop_id world_producer(struct world *w, unsigned n, const char *name);

/** Submit a new record of device n with these fields, "field=value" each. */
struct ocop_id world_submit(struct world *w, unsigned n, const char *kind, const char *const *sets,
                            size_t count);

/** The replica of device n, as the registry has it. */
void world_replica(struct world *w, unsigned n, struct id *out);

/** Amend one field from text. */
void world_amend(struct world *w, unsigned n, struct ocop_id id, const char *assignment);

/** The value of a field as JSON text in the registry, "null" when not set; in the arena. */
const char *world_value(struct world *w, const char *kind, struct ocop_id id, const char *field);

/** The only case that there is in the registry. */
struct id world_case(struct world *w);

/** Rows that a query counts in the registry. */
int64_t world_count(struct world *w, const char *sql);

#endif
