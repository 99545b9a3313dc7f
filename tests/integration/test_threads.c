/* Where threads meet: a store that several threads use while one of them syncs, and the socket loop
 * with clients of its own. ThreadSanitizer runs this and looks for races; without it the tests
 * still ask that nothing is lost and that nobody waits for ever. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "bounds.h"
#include "port.h"
#include "serve.h"
#include "world.h"

enum { RECORDS = 24, SYNCS = 12, LOOKS = 60, CLIENTS = 4, ROUNDS = 5 };

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    world_open(w);
    world_enrol(w, 0);
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* --- one store, several threads --------------------------------------------------------------- */

struct party {
    struct ocop_store *store;
    enum ocop_status status; /* of the thread's last call; read after it was joined */
};

static void *sync_on(void *self)
{
    struct party *p = self;
    for (int i = 0; i < SYNCS && p->status == OCOP_OK; i++)
        p->status = ocop_sync(p->store, NULL, NULL, NULL);
    return NULL;
}

static void *look_on(void *self)
{
    static const struct ocop_query query = {.kind = "inspection", .text = "duc lap"};
    struct party *p = self;
    for (int i = 0; i < LOOKS && p->status == OCOP_OK; i++) {
        struct ocop_list *list = NULL;
        struct ocop_store_status s;
        p->status = ocop_find(p->store, &query, &list, NULL);
        ocop_list_free(list);
        if (p->status == OCOP_OK)
            p->status = ocop_store_status(p->store, &s, NULL);
    }
    return NULL;
}

static void recording_and_reading_go_on_while_another_thread_syncs(void **state)
{
    struct world *w = *state;
    struct party syncing = {.store = w->stores[0]}, looking = {.store = w->stores[0]};
    pthread_t threads[2];
    struct ocop_store_status s;

    assert_int_equal(pthread_create(&threads[0], NULL, sync_on, &syncing), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, look_on, &looking), 0);
    for (int i = 0; i < RECORDS; i++)
        world_inspect(w, 0, "pass");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(syncing.status, OCOP_OK);
    assert_int_equal(looking.status, OCOP_OK);
    world_sync(w, 0);
    assert_int_equal(ocop_store_status(w->stores[0], &s, NULL), OCOP_OK);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), RECORDS);
}

/* --- cancelling and closing ------------------------------------------------------------------- */

/* A server that never answers; `asked` tells that the store waits for it. */
struct silent_link {
    struct link link;
    atomic_bool asked;
};

static enum ocop_status silent_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                       struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static enum ocop_status silent_exchange(struct link *l, struct span request, int timeout_ms,
                                        const atomic_bool *cancel, struct buf *reply,
                                        struct ocop_error *err)
{
    (void)request, (void)timeout_ms, (void)reply;
    atomic_store(&((struct silent_link *)l)->asked, true);
    while (!atomic_load(cancel))
        sched_yield();
    return err_set(err, OCOP_ECANCELLED, "cancelled");
}

static void silent_close(struct link *l)
{
    (void)l;
}

static struct silent_link silent(void)
{
    return (struct silent_link){.link = {silent_connect, silent_exchange, silent_close}};
}

static void *sync_once(void *self)
{
    struct party *p = self;
    p->status = ocop_sync(p->store, NULL, NULL, NULL);
    return NULL;
}

/* Begin a sync in a thread and wait until it waits for the server. */
static pthread_t begin_sync(struct party *p, struct silent_link *l)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sync_once, p), 0);
    while (!atomic_load(&l->asked))
        sched_yield();
    return thread;
}

static void a_waiting_sync_is_cancelled_by_another_thread_and_recording_goes_on(void **state)
{
    struct world *w = *state;
    struct silent_link l = silent();
    world_relink(w, 0, &l.link);
    struct party p = {.store = w->stores[0]};
    world_inspect(w, 0, "pass");
    pthread_t thread = begin_sync(&p, &l);

    world_inspect(w, 0, "fail"); /* waits for nobody */
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_EBUSY);
    ocop_cancel(w->stores[0]);
    pthread_join(thread, NULL);
    assert_int_equal(p.status, OCOP_ECANCELLED);
    world_relink(w, 0, &w->links[0].link);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
}

static void closing_a_store_ends_its_sync_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct silent_link l = silent();
    world_relink(w, 0, &l.link);
    struct party p = {.store = w->stores[0]};
    world_inspect(w, 0, "pass");
    pthread_t thread = begin_sync(&p, &l);

    world_relink(w, 0, &w->links[0].link); /* closes */
    pthread_join(thread, NULL);
    assert_int_equal(p.status, OCOP_ECANCELLED);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

/* --- the socket loop -------------------------------------------------------------------------- */

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
}

struct serving {
    struct world *world;
    atomic_bool ready;
    enum ocop_status status;
    struct ocop_error err;
};

static void on_ready(void *self, const char *address)
{
    struct serving *s = self;
    (void)address;
    atomic_store(&s->ready, true);
}

static void *serve_on(void *self)
{
    struct serving *s = self;
    const struct serve_options options = {
        .listen = {s->world->address}, .batch_max = 64, .ready = on_ready, .self = s};
    s->status = serve(s->world->registry, &s->world->keys, &options, &stop, &s->err);
    return NULL;
}

struct client {
    struct world *world;
    unsigned n;
    enum ocop_status status;
    struct ocop_error err;
};

static void *work_on(void *self)
{
    struct client *c = self;
    for (int i = 0; i < ROUNDS && c->status == OCOP_OK; i++) {
        world_inspect(c->world, c->n, "pass");
        c->status = ocop_sync(c->world->stores[c->n], NULL, NULL, &c->err);
    }
    return NULL;
}

static void clients_in_threads_are_served_over_sockets_until_the_signal(void **state)
{
    char address[PORT_ADDRESS_MAX];
    struct world *w = *state;
    struct serving serving = {.world = w};
    struct client clients[CLIENTS];
    pthread_t server, threads[CLIENTS];
    struct sigaction action = {.sa_handler = on_signal};

    w->address = port_address(address);
    for (unsigned n = 1; n <= CLIENTS; n++) {
        world_enrol(w, n);
        world_relink(w, n, NULL);
    }
    stop = 0;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&server, NULL, serve_on, &serving), 0);
    while (!atomic_load(&serving.ready))
        sched_yield();
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.world = w, .n = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, work_on, &clients[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(pthread_kill(server, SIGUSR1), 0);
    pthread_join(server, NULL);
    assert_int_equal(serving.status, OCOP_OK);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (clients[i].status != OCOP_OK)
            fail_msg("client %u: %s", i, clients[i].err.text);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), CLIENTS * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(recording_and_reading_go_on_while_another_thread_syncs),
        T(a_waiting_sync_is_cancelled_by_another_thread_and_recording_goes_on),
        T(closing_a_store_ends_its_sync_and_loses_nothing),
        T(clients_in_threads_are_served_over_sockets_until_the_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
