/* A registry and a device in the middle of their work, both in memory, the same in every run: what
 * the targets share that meet messages with a state behind them. scene.c is the device,
 * scene_registry.c the registry.
 *
 * The scene is one transaction of each database, which is rolled back after every input. What costs
 * time and lets no mutated input through stands aside: frames are the sender's key and the message
 * in clear, and every signature is good. The linker does that (scene_aside.c), for these programs
 * alone.
 */
#ifndef FUZZ_SCENE_H
#define FUZZ_SCENE_H

#include "change.h"
#include "noise.h"
#include "ocop.h"

enum { SCENE_CHANGES_MAX = 16 };

/* What the device has not got through yet. */
struct scene_change {
    struct id record;
    bool draft;
    struct span said; /* text that its author typed */
};

struct scene {
    /* the registry's */
    const struct env *env;
    struct id province, commune, elsewhere, officer, producer, product;
    char invitation[1024];
    /* the device's */
    struct ocop_store *store;
    struct id replica;
    uint8_t channel[CHANNEL_KEY_LEN];
    struct ocop_id own, shared, case_of; /* inspections that the registry has */
    struct scene_change unsent[SCENE_CHANGES_MAX];
    size_t unsent_count;
    struct span answer; /* what the device gets in place of the registry's reply; NULL: that */
    bool deaf;          /* requests are lost */
};

/** Before it is opened: the store is a file in this folder, which has room for contents, and the
 * registry's contents lie there too. Else both are in memory and there are none. */
void scene_at(const char *dir);
/** Opened once in a process. */
struct scene *scene(void);
/** What the device and the registry are now is the scene from here on. */
void scene_mark(struct scene *s);
/** Put both databases back to what they were when the scene was opened. */
void scene_reset(struct scene *s);

/** A message from the device, as the registry's core answers it. The answer, which a device can
 * read, is put to `reply` unless that is NULL. */
void scene_answer(struct span message, struct buf *reply);
/** Has the registry taken something since the mark? */
bool scene_taken(void);
/** The changes as those of the set that the device would seal next; when they were taken, again. */
void scene_push(struct scene *s, struct span changes);

/* --- for scene.c ------------------------------------------------------------------------------ */

void scene_registry_open(struct scene *s);
void scene_registry_files(const char *dir);
/** Mark what is there, and go back to it. */
void scene_registry_mark(void);
void scene_registry_back(void);
/** Another's device says something of an inspection, having seen all of it. */
void scene_other_says(const struct ocop_id *record, enum verb verb, const char *conclusion);
void scene_producer_comes(const struct scene *s);
void scene_product_leaves(const struct scene *s);
void scene_device_revoked(const struct scene *s);

/* --- for fuzz_files.c and fuzz_import.c --------------------------------------------------------
 */

struct registry *scene_registry(void);
const struct server_keys *scene_keys(void);
/** Another's officer, who has brought the content, has attached it to a producer in this unit. */
void scene_other_attaches(const struct scene *s, const struct id *unit, const uint8_t *hash,
                          size_t size);

#endif
