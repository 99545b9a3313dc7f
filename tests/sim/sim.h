/* The simulator: a registry and its devices in one process, out of one seed. Everything here is
 * the real code but for what lies behind its three seams: clock and chance
 * (machines.c), network (net.c), disk (disk.c). What must hold is asked in check.c and oracle.c. */
#ifndef SIM_H
#define SIM_H

#include "backup.h"
#include "chance.h"
#include "disk.h"
#include "enrol.h"
#include "exchange.h"
#include "link.h"
#include "ocop.h"
#include "records.pb-c.h"
#include "states.h"

enum {
    SIM_DEVICES_MAX = 8,
    SIM_OFFICERS_MAX = 5,
    SIM_UNITS_MAX = 12,
    SIM_RECORDS_MAX = 600,
    SIM_RECORDED_MAX = 24, /* exchanges kept to be repeated */
    SIM_PARKED_MAX = 4,
    SIM_COPIES_MAX = 4,
    SIM_ATTACHED_MAX = 120,
    SIM_CONTENTS_MAX = 60,
    SIM_STEPS_MAX = 1000,
};

/* What may go wrong; a run has those of its seed, less what it is told to leave out. */
enum sim_fault {
    FAULT_NET = 1,       /* messages lost, cut, corrupted, late, repeated */
    FAULT_CRASH = 2,     /* machines go down; what they wrote is on the disk */
    FAULT_POWER = 4,     /* ... and what they had not synced may not be */
    FAULT_DISK = 8,      /* an operation fails, the machine goes on */
    FAULT_CLOCK = 16,    /* clocks are wrong */
    FAULT_COPY = 32,     /* stores are copied and both copies live; old copies come back */
    FAULT_SCOPE = 64,    /* scopes and units change, records move */
    FAULT_RESTORE = 128, /* the registry is restored from a backup */
    FAULT_REVOKE = 256,
    FAULT_ALL = 511
};

struct sim_options {
    uint64_t seed;
    unsigned without;    /* faults left out */
    unsigned steps;      /* 0: as the seed says */
    const uint8_t *skip; /* steps left out: one byte each; NULL: none */
    bool trace;
    int report; /* file descriptor that a failure is told to */
};

/* What a run covered. */
struct sim_figures {
    uint64_t seeds, ms, exchanges, crashes, cases, changes, restores, forks, scopes, revoked,
        strange, suspended, wiped, rekeyed, rotated, attached, fetched, claimed, dropped, spoiled,
        mended, thumbs, thumbs_held, roots;
};

/* What a machine has of the heap, and the most it had. */
struct memory {
    int64_t live, peak;
};

struct node {
    struct env env;
    struct sim *sim;
    struct chance chance;
    int64_t skew_ms;
    struct disk disk;
    struct memory memory;
    bool newer; /* its program is a version ahead, see newer.c */
};

/* What a device submitted, as its officer knows it. */
struct submission {
    unsigned device, step;
    uint32_t kind;
    struct id record;
    uint8_t verb;
    char token[24];       /* its reason, "" for a creation */
    bool acknowledged;    /* the call returned OK and the machine was up */
    bool excused;         /* an older copy of the store came back: it may be gone */
    bool twice;           /* two copies of the store held it: it may come twice */
    bool dropped;         /* the officer may have done away with it since */
    bool clean;           /* nothing of this device was pending over the record */
    uint64_t seen;        /* version of the record that was on the screen */
    struct fields fields; /* what it changes; of a creation: the whole record */
    struct fields before; /* what was on the screen */
    unsigned found;       /* times in the log */
    uint64_t at;          /* position of its set, the last time ... */
    uint32_t index;       /* ... its place there ... */
    uint64_t version;     /* ... and when it was applied */
};

struct submissions {
    struct submission *v;
    size_t count, room;
};

/* What was on the screen when a draft's fields were first edited. */
struct draft_seen {
    struct draft_seen *next;
    struct id record;
    struct fields seen;
    uint64_t version;
    bool unsure;
};

struct device {
    struct link link;   /* first: the store's link is the device */
    struct buf started; /* a request that was sent ahead */
    struct sim *sim;
    unsigned index, officer;
    struct node node;
    struct ocop_store *store; /* NULL: closed */
    char path[DISK_PATH_MAX + 32];
    bool used, enrolled, busy; /* busy: a sync is on its way */
    bool unknown;              /* a restored registry said so: it is invited anew */
    unsigned scope;
    bool revoked;     /* or wiped: it comes no more */
    bool suspended;   /* it was, and perhaps is */
    unsigned family;  /* copies of one store belong together */
    bool tainted;     /* it is a copy, has one, or was an older self */
    bool rekeying;    /* its new keys are perhaps not the registry's yet */
    bool keys_unsure; /* it failed to make new ones, which may lie in its log all the same */
    bool bare;        /* its store came back without the files that belong to it */
    uint64_t rubbish; /* contents in whose place it has other bytes, a bit each */
    unsigned files_findings;
    struct draft_seen *drafts;
    /* What may never go back, see check.c. */
    struct id replica, lineage;
    struct id continues; /* the replica before that one; zero: none */
    uint64_t seq, cursor;
    uint8_t channel_key[CHANNEL_KEY_LEN];
    uint64_t looked; /* operations of its disk when it was last looked at */
    char code[600];  /* invitation */
};

struct known_record {
    uint32_t kind;
    struct id id;
};

struct parked {
    struct device *device;
    struct span request;
    struct buf *reply;
    bool answered;
};

struct recorded {
    struct buf request;
    struct buf reply;
    unsigned device;
};

/* Bytes that somebody attached, see files.c. */
struct content_made {
    uint8_t hash[FILE_HASH_LEN];
    size_t size;
    uint64_t seed;
    bool let_go;  /* perhaps by who attached it, since the registry had it */
    bool removed; /* perhaps by the office, see centre.c */
    bool spoiled; /* the centre's was damaged or lost some time */
};

struct attached {
    unsigned device, step;
    struct id id, record; /* id zero: the call told none */
    char caption[24];     /* of its own */
    unsigned content;
    bool acknowledged;  /* the call returned OK and the machine was up */
    bool drafted;       /* it was a draft, or may have been ... */
    unsigned submitted; /* ... until these devices sent it, a bit each */
    bool excused;       /* the content may be gone with an older state of the store */
    bool forged;        /* nobody here ever had it */
};

/* An old state of a store, or of the registry. */
struct copy {
    bool used;
    bool files, bare; /* with its files; its store had not all of them */
    unsigned device, attached;
    size_t submissions; /* made by then */
    uint64_t version;
    char path[DISK_PATH_MAX + 32];
};

struct sim {
    struct sim_options options;
    struct sim_figures figures;
    unsigned faults; /* on now */
    bool power;      /* losing it is among the run's faults: disks remember */
    bool long_way;   /* files are made by the program itself, machines going down meanwhile */
    unsigned newer_percent;  /* of the machines have a program that is a version ahead */
    unsigned narrow_percent; /* of pages and sets hold as little as they can, see narrow.c */
    bool files;              /* officers attach some */
    unsigned files_percent;  /* of what they do, and of what the office does, is about these */
    uint64_t officer_blobs_max;
    bool blobs_lost;     /* the registry was restored without its newest files */
    bool rights_changed; /* who may read what is not what it was at first */
    bool quiet;          /* officers have gone home: only what is left is sent */
    unsigned net_percent, step_count;
    unsigned step, depth;
    struct chance chance; /* of the step */
    struct chance sqlite;
    int64_t held; /* of the heap, before the run and after it */
    int64_t now_ms, began_ms;
    char dir[DISK_PATH_MAX];
    struct arena arena; /* of the whole run */
    struct arena work;  /* of one check */

    struct node server;
    struct registry *registry; /* NULL: down */
    struct server_keys keys;
    unsigned rotations; /* of its channel key: the first is to be accepted to the end */
    char registry_path[DISK_PATH_MAX + 32];
    struct id lineage;
    uint64_t version; /* last seen: never goes back within a lineage */
    unsigned restores;
    unsigned syncs;
    unsigned said; /* by all syncs so far: grows while there is something left to say */
    struct copy backups[SIM_COPIES_MAX];

    struct id officers[SIM_OFFICERS_MAX];
    unsigned officer_count;
    struct id units[SIM_UNITS_MAX]; /* [0], [1]: provinces */
    unsigned unit_count;
    struct device devices[SIM_DEVICES_MAX];
    struct copy copies[SIM_COPIES_MAX];
    struct known_record records[SIM_RECORDS_MAX];
    unsigned record_count;
    unsigned token;
    struct known_record strange; /* of a kind that no program here knows */
    struct content_made contents[SIM_CONTENTS_MAX];
    struct attached attached[SIM_ATTACHED_MAX];
    unsigned content_count, attached_count;
    uint64_t had[SIM_OFFICERS_MAX]; /* contents that came to an officer, a bit each */

    struct submissions submissions;
    struct parked *parked[SIM_PARKED_MAX];
    unsigned parked_count;
    struct recorded recorded[SIM_RECORDED_MAX];
    unsigned recorded_next;
};

/* --- machines.c ------------------------------------------------------------------------ */

/** Once, before the first run and before there are workers. */
void templates_make(void);
void sim_open(struct sim *s, const struct sim_options *options);
void sim_close(struct sim *s);
/** The run found a flaw: tell it and end the process. `what` names the promise, in one word. */
_Noreturn void sim_fail(struct sim *s, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_trace(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Whoever is suspended goes on. */
void office_resumes(struct sim *s);

/** Bring the registry up if it is down. False when that failed (a fault met the opening). */
bool server_up(struct sim *s);
/** Take it down; with its power, when `power`. */
void server_down(struct sim *s, bool power);
/** Close and take up again what went down by itself meanwhile. */
void server_reap(struct sim *s);

struct device *device_new(struct sim *s, unsigned officer, unsigned scope);
/** A new invitation, in d->code. False when the registry could not. */
bool device_invite(struct device *d);
/** Another device whose store is the file `from`, a copy of that of `d`. */
struct device *device_clone(struct device *d, const char *from);
bool device_up(struct device *d);
void device_down(struct device *d, bool power);
void device_reap(struct device *d);
/** Copy the file of a store. `whole`: with what SQLite has not put into it yet. */
void store_copy(struct sim *s, const char *from, const char *to, bool whole);
void store_remove(const char *path);
/** An empty registry, or an empty store, at `path`: a copy of one that the real code made. */
void template_put(const char *path, bool registry);

/** Write as the office does. False when the registry could not. */
bool office_write(struct sim *s, struct change *changes, size_t count);
/** ... and as the registry itself does. */
bool registry_write(struct sim *s, struct change *change);

/* --- net.c -------------------------------------------------------------------------------------
 */

void net_init(struct device *d);
void net_fini(struct sim *s);
/** Deliver a recorded request once more; its answer goes nowhere, or waits to come to another. */
void net_repeat(struct sim *s, unsigned which);

/* --- memory.c ----------------------------------------------------------------------------------
 */

/** The machine that works from here on, NULL: none; the heap is counted for it. Returns which one
 *  did. */
struct node *node_enter(struct node *n);
struct node *node_working(void);
/** A call on this machine begins; at its end, what it took for the while must have been within the
 *  limit. */
struct call {
    struct node *before;
    int64_t live, peak;
};
struct call call_begin(struct node *n);
void call_end(struct node *n, const struct call *c);
/** All that this process holds. */
int64_t memory_total(void);
/** Before SQLite is first used: its heap is counted too, but for the address sanitizer's sake. */
void memory_install(void);

/* --- curve.c -----------------------------------------------------------------------------------
 */

/** Hashes instead of curves, or the curves. Keys made with the ones are of no use to the others. */
void curve_choose(bool of_straw);

/* --- newer.c -----------------------------------------------------------------------------------
 */

enum { SUBFIELD_NEWER = 60 };
/** Where the device's program is a version ahead, perhaps something that only it knows. */
void newer_edits(struct device *d, ProtobufCMessage **m);

/* --- steps.c -----------------------------------------------------------------------------------
 */

/** One step; what it does follows from s->chance. */
void step_take(struct sim *s);
/** What one officer does, other than to sync. */
void officer_acts(struct sim *s, struct device *d);
enum ocop_status device_sync(struct sim *s, struct device *d, struct ocop_sync_summary *sum);
struct device *device_drawn(struct sim *s);
void record_note(struct sim *s, uint32_t kind, const struct id *id);
/** Mostly one of the latest, so that several officers work on it; NULL: there is none. */
const struct known_record *record_drawn(struct sim *s);

/* --- office.c: what the office does -------------------------------------------------------------
 */

void office_acts(struct sim *s);
void office_resolves(struct sim *s);
void office_restores(struct sim *s);
/** Unless it does. What failed, or was lost in a restore, the registry's next set makes good. */
void office_introduces_root(struct sim *s);
void office_backs_up(struct sim *s);

/* --- files.c: photos and documents --------------------------------------------------------------
 */

/** What an officer does about files. */
void files_act(struct device *d);
/** Which files a sync takes along. */
void files_policy(struct sim *s, struct ocop_sync_options *o);
/** A record of this device was submitted, or perhaps: with it what was attached to its draft. */
void files_submitted(struct device *d, const struct id *record, bool unsure);
/** Is the change the attachment whose id the submission does not know? */
bool files_named(const struct submission *sub, const struct change *c);
/** Contents of this device may be gone since the registry had them. */
void files_let_go(struct device *d);
/** The store's file was copied: its files too, or none are there. */
void files_copied(struct sim *s, const char *from, const char *to, bool with);
/** The store is that of the copy: with the copy's files, or those that are there. */
void files_older(struct device *d, const struct copy *c);
void files_backed_up(struct sim *s, const char *backup);
void files_restored(struct sim *s, const char *backup);
void office_sweeps(struct sim *s);

/* --- centre.c: what the office does about contents ----------------------------------------------
 */

void office_keeps_contents(struct sim *s);
/** @return whether anything was damaged or lost */
bool office_mends(struct sim *s);
void centre_thumbs_wanted(struct device *d);
/** All are made, and everyone asks for those of all that he has attachments of. */
void centre_thumbs_at_the_end(struct sim *s);

/* --- files.c, again */

/** Contents came to this device. `alone`: with nothing else going on. */
void files_came(struct device *d, bool alone);
/** What must hold at any moment, of this device. */
void files_step(struct device *d);
/** Before ocop_check, in whose eyes what nothing names is a finding. */
void files_before_check(struct device *d);

/* --- model.c: what was acknowledged -------------------------------------------------------------
 */

/** Before a call that submits: what is on the screen. */
struct act {
    struct device *d;
    struct submission sub;
    bool there, had_draft;
    struct fields shown; /* with its draft */
};
void act_begin(struct act *a, struct device *d, uint32_t kind, const struct id *record,
               uint8_t verb);
/** After it. `submits` false: a draft was saved. */
void act_end(struct act *a, enum ocop_status st, bool submits);
void model_forget_draft(struct device *d, const struct id *record);
/** The store of `d` is what it was when `submissions` were made. */
void model_older(struct sim *s, struct device *d, size_t submissions);
/** Two copies of the store of `d` live from now on. */
void model_copied(struct sim *s, struct device *d);

/* --- run.c -------------------------------------------------------------------------------------
 */

/** A whole run. Ends the process when it fails. */
void sim_run(const struct sim_options *options, struct sim_figures *sum);

/* --- check.c ------------------------------------------------------------------------------------
 */

/** What must hold at any moment. Cheap. */
void check_step(struct sim *s);
/** All faults off, sync until quiet, and ask everything. */
void check_all(struct sim *s);

#endif
