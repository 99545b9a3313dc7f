/* What a restore must not undo: which devices lost their rights and which numbers were given. A
 * file beside the registry (FILE.ledger) and beside its backups, only ever added to; each line is
 * signed by the registry. */
#ifndef SERVER_LEDGER_H
#define SERVER_LEDGER_H

#include "keys.h"
#include "registry.h"

struct ledger_entry {
    struct ledger_entry *next;
    struct id replica;
    enum device_state state;
    uint32_t number;
    uint8_t sign_key[SIGN_PUBLIC_LEN], channel_key[CHANNEL_KEY_LEN];
    int64_t at_ms;
    const char *reason;
};

/** Add what stands of a replica now to the ledger of a registry and to those of its backups that
 *  are at hand; nothing where the registry keeps none (r->ledger). In the transaction that changed
 *  it: a line too much takes nobody's rights that was not meant to lose them.
 *  @return OCOP_EIO the registry's own could not be written: the change must not be made */
OCOP_MUST_USE enum ocop_status ledger_note(struct registry *r, const struct server_keys *keys,
                                           const struct id *replica, const char *reason,
                                           struct ocop_error *err);

struct ledger {
    struct arena a;
    struct ledger_entry *first, *last; /* in the order of the file */
    size_t bad;                        /* lines that cannot be read or are not signed by us */
    uint32_t number;                   /* the highest that was given */
};
void ledger_init(struct ledger *l);
void ledger_fini(struct ledger *l);
/** Read a file's lines behind those that were read before; `only` those that hold this text, unless
 *  it is NULL: the others cost no signature. No file: no lines. */
OCOP_MUST_USE enum ocop_status ledger_read(struct ledger *l, const char *path, const char *only,
                                           const struct server_keys *keys, struct ocop_error *err);
/** What the last line says of a replica; NULL: nothing. */
const struct ledger_entry *ledger_last(const struct ledger *l, const struct id *replica);
/** Is any device with this key gone for good by it? */
bool ledger_revoked(const struct ledger *l, const uint8_t channel_key[CHANNEL_KEY_LEN]);

/** Add the lines of the ledger `from` that `to` does not have. */
OCOP_MUST_USE enum ocop_status ledger_merge(const char *from, const char *to,
                                            struct ocop_error *err);

#endif
