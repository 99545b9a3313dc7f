/* nanomsg accepts whoever comes, keeps every connection, and spins when no descriptor is free for
 * the next. It has no limit that could be set, so connections are ended here: shutdown() leaves the
 * descriptor to its owner. Knows no nanomsg. */
/* For struct tcp_info. NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#define _GNU_SOURCE
#include "idle.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int fd;
    uint32_t silent_ms;
};

size_t idle_descriptors(size_t limit)
{
    int fd = dup(STDIN_FILENO); /* takes the lowest that is free */

    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? limit : 0;
    close(fd);
    return (size_t)fd;
}

/* Is it a connection that stands? */
static int peer_of(int fd, struct peer *out)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    uint32_t heard, told;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        info.tcpi_state != TCP_ESTABLISHED)
        return 0;
    heard = info.tcpi_last_data_recv;
    told = info.tcpi_last_data_sent;
    *out = (struct peer){fd, heard < told ? heard : told};
    return 1;
}

static int longest_first(const void *a, const void *b)
{
    const struct peer *x = a, *y = b;

    return (x->silent_ms < y->silent_ms) - (x->silent_ms > y->silent_ms);
}

/* All peers, in *out, to be freed. Every number is tried: to read a folder would take a descriptor,
 * and there may be none. */
static size_t peers_find(size_t limit, struct peer **out)
{
    struct peer *all = NULL, one;
    size_t count = 0, room = 0;

    for (size_t fd = 0; fd < limit; fd++) {
        if (!peer_of((int)fd, &one))
            continue;
        if (count == room) {
            struct peer *more = realloc(all, (room * 2 + 64) * sizeof *more);
            if (!more)
                break;
            all = more;
            room = room * 2 + 64;
        }
        all[count++] = one;
    }
    *out = all;
    return count;
}

size_t idle_close(size_t count, size_t limit)
{
    struct peer *all;
    size_t found = peers_find(limit, &all), ended = 0;

    if (found)
        qsort(all, found, sizeof *all, longest_first);
    for (size_t i = 0; i < found && ended < count; i++)
        ended += shutdown(all[i].fd, SHUT_RDWR) == 0;
    free(all);
    return ended;
}
