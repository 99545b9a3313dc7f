/* init, enrol, sync: the store's life and its exchanges, with progress on a terminal and Ctrl-C. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "input.h"
#include "key.h"
#include "members.h"
#include "table.h"

enum { SECONDS_MAX = 3600, ROUND_TRIPS_MAX = 1000000 };

/* --- Ctrl-C ---------------------------------------------------------------------------------- */

/* What a signal cancels; a signal handler gets no argument of ours. */
static struct ocop_store *volatile interruptible;

static void interrupt(int signal)
{
    (void)signal;
    ocop_cancel(interruptible);
}

/* The first signal cancels and what is done stays done; the second one ends the program. */
static void catch_signals(struct ocop_store *store)
{
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};

    interruptible = store;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static void release_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    interruptible = NULL;
}

/* --- init and enrol -------------------------------------------------------------------------- */

enum ocop_status sync_init(struct session *s, struct ocop_error *err)
{
    if (access(s->path, F_OK) == 0)
        return command_fail(err, OCOP_ESTATE, NULL, "there is a file at %s already", s->path);
    return key_open_store(s, false, err);
}

static void trim(struct out *text)
{
    size_t from = 0;

    while (text->len && strchr(" \t\r\n", text->p[text->len - 1]))
        text->len--;
    while (from < text->len && strchr(" \t\r\n", text->p[from]))
        from++;
    if (from)
        memmove(text->p, text->p + from, text->len - from);
    text->len -= from;
}

enum ocop_status sync_enrol(struct session *s, struct ocop_error *err)
{
    struct out code = {0};
    enum ocop_status st = OCOP_OK;

    if (strcmp(s->words[0], "-") == 0)
        st = input_file("-", &code, err);
    else
        out_str(&code, s->words[0]);
    trim(&code);
    if (!st) {
        catch_signals(s->store);
        st = ocop_enrol(s->store, out_text(&code), s->value[OPT_NAME], err);
        release_signals();
    }
    out_fini(&code);
    return st;
}

/* --- sync ------------------------------------------------------------------------------------ */

struct progress {
    size_t columns; /* of the line that stands on the terminal */
};

static bool show_progress(void *user, const struct ocop_sync_summary *so_far, const char *doing)
{
    struct progress *p = user;
    struct out line = {0};
    size_t columns;

    out_plain(&line, doing ? doing : "", false);
    out_printf(&line, ": %u sent, %u received, %u round trips", so_far->pushed, so_far->pulled,
               so_far->round_trips);
    columns = out_columns(out_text(&line), line.len);
    if (columns < p->columns)
        out_spaces(&line, p->columns - columns);
    (void)fprintf(stderr, "\r%s", out_text(&line));
    (void)fflush(stderr);
    p->columns = columns;
    out_fini(&line);
    return true;
}

static void clear_progress(const struct progress *p)
{
    if (p->columns)
        (void)fprintf(stderr, "\r%*s\r", (int)p->columns, "");
}

static void summary_members(const struct ocop_sync_summary *v, struct members *m)
{
    members_number(m, "pushed", v->pushed);
    members_number(m, "applied", v->applied);
    members_number(m, "equal", v->equal);
    members_number(m, "waiting", v->waiting);
    members_number(m, "refused", v->refused);
    members_number(m, "inCase", v->in_case);
    members_number(m, "pulled", v->pulled);
    members_number(m, "departed", v->departed);
    members_number(m, "left", v->left);
    members_number(m, "roundTrips", v->round_trips);
    members_number(m, "bytesSent", (int64_t)v->bytes_sent);
    members_number(m, "bytesReceived", (int64_t)v->bytes_received);
    members_truth(m, "complete", v->complete);
    members_number(m, "busy", v->busy);
    members_number(m, "retryAfterMs", v->retry_after_ms);
    members_truth(m, "forked", v->forked);
    members_number(m, "filesSent", v->files_sent);
    members_number(m, "filesReceived", v->files_received);
    members_number(m, "filesLeft", v->files_left);
    members_number(m, "thumbnailsReceived", v->thumbnails_received);
}

static void summary_text(const struct ocop_sync_summary *v, struct out *o)
{
    struct table t = {.columns = 2};
    const struct {
        const char *name;
        uint64_t n;
        bool always;
    } rows[] = {{"pushed:", v->pushed, true},
                {"  applied:", v->applied, false},
                {"  equal already:", v->equal, false},
                {"  waiting:", v->waiting, false},
                {"  refused:", v->refused, false},
                {"  in a case:", v->in_case, false},
                {"received:", v->pulled, true},
                {"departed:", v->departed, false},
                {"left to push:", v->left, false},
                {"files sent:", v->files_sent, false},
                {"files received:", v->files_received, false},
                {"files left:", v->files_left, false},
                {"thumbnails received:", v->thumbnails_received, false},
                {"round trips:", v->round_trips, true},
                {"bytes sent:", v->bytes_sent, true},
                {"bytes received:", v->bytes_received, true}};
    char text[24];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].always && rows[i].n == 0)
            continue;
        (void)snprintf(text, sizeof text, "%" PRIu64, rows[i].n);
        table_cell(&t, rows[i].name);
        table_cell(&t, text);
    }
    if (v->retry_after_ms) {
        (void)snprintf(text, sizeof text, "in %d s", v->retry_after_ms / 1000);
        table_cell(&t, "server is busy:");
        table_cell(&t, text);
    }
    table_cell(&t, "complete:");
    table_cell(&t, !v->complete    ? "no; sync again"
                   : v->files_left ? "all but files; sync again"
                                   : "yes");
    table_print(&t, 0, o);
    table_fini(&t);
    if (v->forked)
        out_str(o, "this store was a copy of one that lived on; it goes on under a new number\n");
}

/* With --strict what a person has to look at is no success. */
static enum ocop_status check_strict(struct session *s, const struct ocop_sync_summary *summary,
                                     struct ocop_error *err)
{
    struct ocop_store_status now;
    enum ocop_status st = ocop_store_status(s->store, &now, err);

    if (st || (now.refused == 0 && now.cases == 0 && summary->refused == 0 &&
               summary->in_case == 0 && summary->complete && summary->files_left == 0))
        return st;
    s->exit_code = EXIT_UNSETTLED;
    return command_fail(err, OCOP_ESTATE, NULL,
                        "synced, but %u changes are refused, %u records in a case and %u files "
                        "left; see ocop find --state refused, --state in_case, and ocop files",
                        now.refused, now.cases, summary->files_left);
}

/* What waits in the store of the officer who had this device before; nothing of it is shown but how
 * much. What this store's own sync came to is not touched by it. */
static void sync_former(struct session *s, struct ocop_sync_options options)
{
    struct ocop_sync_summary summary = {0};
    struct ocop_error err = s->former_err;
    enum ocop_status st = s->former_status;

    options.send_only = true;
    options.progress = NULL;
    if (!st)
        st = ocop_sync(s->former, &options, &summary, &err);
    (void)fprintf(stderr, "the former officer's store: %u changes sent, %u still wait%s%s\n",
                  summary.pushed, summary.left, st ? ": " : "", st ? err.text : "");
}

enum ocop_status sync_rekey_device(struct session *s, struct ocop_error *err)
{
    struct ocop_store_status now;
    enum ocop_status st = ocop_rekey_device(s->store, err);

    if (st)
        return st;
    catch_signals(s->store);
    st = ocop_sync(s->store, NULL, NULL, err);
    release_signals();
    if (!st)
        st = ocop_store_status(s->store, &now, err);
    if (st)
        return st;
    out_str(&s->out, now.rekeying ? "the registry did not take the new keys; they wait for another "
                                    "sync\n"
                                  : "this device has new keys; the old ones are worth nothing\n");
    return OCOP_OK;
}

enum ocop_status sync_run(struct session *s, struct ocop_error *err)
{
    struct ocop_sync_options options = {0};
    struct ocop_sync_summary summary = {0};
    struct progress progress = {0};
    struct members members = {0};
    int connect_s, exchange_s, round_trips, patience_s;
    enum ocop_status st = input_number(s, OPT_CONNECT_TIMEOUT, 1, SECONDS_MAX, 0, &connect_s, err);

    if (!st)
        st = input_number(s, OPT_TIMEOUT, 1, SECONDS_MAX, 0, &exchange_s, err);
    if (!st)
        st = input_number(s, OPT_ROUND_TRIPS, 1, ROUND_TRIPS_MAX, 0, &round_trips, err);
    if (!st)
        st = input_number(s, OPT_PATIENCE, 0, SECONDS_MAX, 0, &patience_s, err);
    if (st)
        return st;
    options.patience_ms = patience_s * 1000;
    options.connect_timeout_ms = connect_s * 1000;
    options.exchange_timeout_ms = exchange_s * 1000;
    options.max_round_trips = (unsigned)round_trips;
    options.files = s->value[OPT_NO_FILES] ? OCOP_FILES_NONE : OCOP_FILES_ALL;
    if (isatty(STDERR_FILENO)) {
        options.progress = show_progress;
        options.user = &progress;
    }
    catch_signals(s->store);
    st = ocop_sync(s->store, &options, &summary, err);
    release_signals();
    clear_progress(&progress);
    if (s->value[OPT_FORMER])
        sync_former(s, options);
    if (s->value[OPT_JSON] || s->value[OPT_CSV]) {
        summary_members(&summary, &members);
        members_print(&members, s->value[OPT_CSV] != NULL, &s->out);
    } else if (!st || summary.round_trips) {
        summary_text(&summary, &s->out);
    }
    return st || !s->value[OPT_STRICT] ? st : check_strict(s, &summary, err);
}
