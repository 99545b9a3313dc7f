/* What an import must find quickly: units by code, records by natural key or name, codes by title.
 * Read once from the registry into memory; rows of the file are added as they come. */
#ifndef SERVER_IMPORT_INDEX_H
#define SERVER_IMPORT_INDEX_H

#include "registry.h"

enum index_space {
    INDEX_UNIT_CODE,
    INDEX_UNIT_NAME, /* with and without "Xã", "Phường" and the like */
    INDEX_UNIT_ID,
    INDEX_TAX_CODE,
    INDEX_PRODUCER_NAME,
    INDEX_PRODUCT_CODE,
    INDEX_PRODUCT_NAME,
    INDEX_CERTIFICATE_NO,
    INDEX_OFFICER, /* name and agency */
    INDEX_CODE,    /* list and code */
    INDEX_TITLE,   /* list and folded title */
    INDEX_LIST
};

struct index_entry {
    struct index_entry *same; /* the next one with this key */
    struct index_entry *next; /* in the bucket */
    enum index_space space;
    struct span key;
    struct id id, unit, producer; /* unit: of a unit, its parent; producer: of a certificate, what
                                     it is for */
    struct span code; /* INDEX_TITLE: the code; a record: its natural key, len 0 when it has none */
    struct span name; /* of a record, as it was typed */
    struct span from, to; /* validity; len 0: open */
    size_t line;          /* of the file; 0: in the registry already */
    void *mark;           /* the importer's own */
};

struct import_index {
    struct arena *a;
    struct index_entry **buckets;
};

OCOP_MUST_USE enum ocop_status index_init(struct import_index *x, struct arena *a,
                                          struct ocop_error *err);

/** Read all records of a kind (units, producers, products, certificates, officers, code lists). */
OCOP_MUST_USE enum ocop_status index_load(struct import_index *x, struct registry *r, uint32_t kind,
                                          struct ocop_error *err);

/** Add one record by the fields its kind is found by. `line` 0: from the registry. */
OCOP_MUST_USE enum ocop_status index_add(struct import_index *x, uint32_t kind, const struct id *id,
                                         const struct fields *f, size_t line,
                                         struct ocop_error *err);

/** The newest entry with this key, the others behind ->same; NULL when there is none. */
struct index_entry *index_find(const struct import_index *x, enum index_space space,
                               struct span key);

/** Keys: names as they are compared, list and code in one. In the arena; p NULL out of memory. */
struct span index_name_key(struct import_index *x, struct span name);
struct span index_natural_key(struct import_index *x, struct span code); /* in NFC */
struct span index_officer_key(struct import_index *x, struct span name, struct span agency);
struct span index_code_key(struct import_index *x, const char *list, struct span code);
struct span index_title_key(struct import_index *x, const char *list, struct span title);

/** The unit with this code on this day; NULL when there is none. */
struct index_entry *index_unit(const struct import_index *x, struct span code, const char *day);

#endif
