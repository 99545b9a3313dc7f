/* A registry with the contents of two devices' records, and a clock that is set on. What its tests
 * share; no socket. */
#ifndef TESTS_CABINET_H
#define TESTS_CABINET_H

#include "content.h"
#include "retain.h"
#include "verify_files.h"
#include "world.h"

enum { CHUNK = FILE_CHUNK_BYTES, PHOTO_BYTES = 9 * CHUNK + 100 };
#define DAY INT64_C(86400000)

struct cabinet {
    struct world w;
    struct env env; /* the registry's, days ahead of the devices' */
    int64_t ahead_ms;
};

struct photo {
    uint8_t bytes[PHOTO_BYTES];
    uint8_t hash[HASH_LEN];
    struct ocop_id id, record;
};

/** Fixtures of cmocka. */
int cabinet_open(void **state);
int cabinet_close(void **state);
/** Give the registry the clock that is set on: after a restore it is another. */
void set_clock(struct cabinet *c);

void photo_fill(struct photo *p, unsigned seed);
void attach(struct cabinet *c, unsigned n, struct ocop_id record, struct photo *p);
/** An inspection of device n with a photo, both at the centre. */
void brought(struct cabinet *c, unsigned n, unsigned seed, struct photo *p);
/** Device n gets another's. */
void fetched(struct cabinet *c, unsigned n, const struct photo *p);
/** OCOP_OK: whole. */
enum ocop_status at_centre(struct cabinet *c, const struct photo *p);
/** Damage it at the centre, or lose it. */
void spoil(struct cabinet *c, const struct photo *p, bool lose);

/** Remove what is older than 400 days. *told: the caller's to free; may be NULL. */
struct retained retain(struct cabinet *c, const char *role, uint32_t kind, bool dry_run,
                       char **told);
struct files_found verified(struct cabinet *c, bool mend, char **told);
/** What the registry shows of the attachments of its record; the caller's to free. */
char *attached(struct cabinet *c, const struct photo *p);
/** Fails unless it stands in the text, which is freed. */
void says(char *text, const char *what);
enum ocop_file_state state_of(struct cabinet *c, unsigned n, const struct photo *p, char text[300]);

#endif
