/* Pages and sets that hold little: with the few records of a run, everything would fit one
 * exchange, and nothing that lies between two pages would ever be met. */
#include "sim.h"

#include "feed.h"
#include "store.h"

enum ocop_status __real_feed_page(struct registry *r, const struct id *replica, unsigned reading,
                                  const Ocop__Sync__Cursor *in, size_t page_bytes, struct arena *a,
                                  Ocop__Sync__SyncReply *reply, struct ocop_error *err);
enum ocop_status __wrap_feed_page(struct registry *r, const struct id *replica, unsigned reading,
                                  const Ocop__Sync__Cursor *in, size_t page_bytes, struct arena *a,
                                  Ocop__Sync__SyncReply *reply, struct ocop_error *err);
enum ocop_status __real_store_outbox_ready(struct ocop_store *s, size_t max, size_t bytes,
                                           struct arena *a, struct outbox_rows *out,
                                           struct ocop_error *err);
enum ocop_status __wrap_store_outbox_ready(struct ocop_store *s, size_t max, size_t bytes,
                                           struct arena *a, struct outbox_rows *out,
                                           struct ocop_error *err);

static bool narrow(void)
{
    struct node *n = node_working();
    return n && n->sim->narrow_percent && chance_percent(&n->chance, n->sim->narrow_percent);
}

enum ocop_status __wrap_feed_page(struct registry *r, const struct id *replica, unsigned reading,
                                  const Ocop__Sync__Cursor *in, size_t page_bytes, struct arena *a,
                                  Ocop__Sync__SyncReply *reply, struct ocop_error *err)
{
    return __real_feed_page(r, replica, reading, in, narrow() ? 1 : page_bytes, a, reply, err);
}

enum ocop_status __wrap_store_outbox_ready(struct ocop_store *s, size_t max, size_t bytes,
                                           struct arena *a, struct outbox_rows *out,
                                           struct ocop_error *err)
{
    return __real_store_outbox_ready(s, narrow() ? 1 : max, bytes, a, out, err);
}
