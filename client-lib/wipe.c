/* A wipe ordered by the office: when, what is said of it, and the last word to the server. Knows no
 * SQL. */
#include <inttypes.h>
#include <stdio.h>

#include "files.h"
#include "record_api.h"
#include "sync.h"
#include "text.h"

/* Changes that go with the store: drafts, what was refused and, at once, what was not sent. */
static enum ocop_status lost_count(struct ocop_store *s, unsigned count[6], unsigned *lost,
                                   struct ocop_error *err)
{
    enum ocop_status st = store_outbox_count(s, count, err);

    *lost = st ? 0
               : count[OUTBOX_DRAFT] + count[OUTBOX_READY] + count[OUTBOX_SEALED] +
                     count[OUTBOX_REFUSED];
    return st;
}

/* The rows first: they can be read, and contents without their key cannot. */
enum ocop_status wipe_finish(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st;

    if (s->me.wiped != WIPED_BEGUN)
        return OCOP_OK;
    st = store_wipe_rows(s, err);
    if (st || s->me.wiped != WIPED_BEGUN) /* another process has come further meanwhile */
        return st;
    st = files_clear(s, err);
    return st ? st : store_wipe_done(s, err);
}

static enum ocop_status look(struct ocop_store *s, const struct wipe_order *order, unsigned ready,
                             struct wipe_waits *waits, struct ocop_error *err)
{
    size_t unacked = 0;
    uint64_t files = 0;
    enum ocop_status st = store_sealed_unacked_count(s, &s->me.replica, &unacked, err);

    if (!st)
        st = store_files_to_send(s, &files, err);
    waits->changes = ready > 0 || unacked > 0;
    waits->files = files > order->settled ? files - order->settled : 0;
    return st;
}

/* In the transaction that begins it: what was submitted until then is seen, and nothing is
 * submitted after it. */
static enum ocop_status begin(struct ocop_store *s, const struct wipe_order *order,
                              struct wipe_waits *waits, struct ocop_error *err)
{
    char text[OCOP_ERROR_TEXT_MAX];
    unsigned count[6], lost;
    uint64_t files = 0;
    enum ocop_status st = lost_count(s, count, &lost, err);

    if (!st && !order->now)
        st = look(s, order, count[OUTBOX_READY], waits, err);
    if (!st)
        st = store_files_never_sent(s, &files, err);
    if (st || waits->changes || waits->files)
        return st;
    (void)snprintf(text, sizeof text,
                   "wiped by the office: %.*s. Never sent: %u drafts, %u refused changes, "
                   "%u others, %" PRIu64 " files",
                   (int)text_cut(order->reason, 160), order->reason, count[OUTBOX_DRAFT],
                   count[OUTBOX_REFUSED], count[OUTBOX_READY] + count[OUTBOX_SEALED], files);
    return store_wipe_begin(s, text, lost, err);
}

enum ocop_status wipe_store(struct ocop_store *s, const struct wipe_order *order,
                            struct wipe_waits *waits, struct ocop_error *err)
{
    enum ocop_status st = client_begin(s, err);

    *waits = (struct wipe_waits){.changes = false};
    if (st)
        return st;
    st = client_end(s, begin(s, order, waits, err), err);
    if (st || waits->changes || waits->files)
        return st;
    device_codes_forget(s);
    device_scope_forget(s);
    return wipe_finish(s, err);
}

enum ocop_status wipe_status(const struct ocop_store *s, struct ocop_error *err)
{
    return err_set(err, OCOP_EWIPED, "%.280s; enrol anew to start afresh", s->me.state_reason);
}
