/* What a command gets, what it gives back, and where each is implemented. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "ocop.h"
#include "out.h"

/* In the order of --help. The two --json are one name with two meanings: a command has one. */
enum opt {
    OPT_STORE,
    OPT_KEY_FILE,
    OPT_NEW_KEY_FILE,
    OPT_NAME,
    OPT_JSON_FROM,
    OPT_SET,
    OPT_SUBMIT,
    OPT_REASON,
    OPT_KIND,
    OPT_UNIT,
    OPT_PRODUCT,
    OPT_PRODUCER,
    OPT_FROM,
    OPT_TO,
    OPT_STATE,
    OPT_TEXT,
    OPT_VOIDED,
    OPT_LIMIT,
    OPT_OFFSET,
    OPT_JSON,
    OPT_CSV,
    OPT_OUTPUT,
    OPT_STRICT,
    OPT_TIMEOUT,
    OPT_CONNECT_TIMEOUT,
    OPT_ROUND_TRIPS,
    OPT_PATIENCE,
    OPT_ROLE,
    OPT_CAPTION,
    OPT_PLACE,
    OPT_SWEEP,
    OPT_KEEP,
    OPT_NO_FILES,
    OPT_THUMBNAIL,
    OPT_STROKES,
    OPT_SIDE,
    OPT_QUALITY,
    OPT_STRIP,
    OPT_ORIGINALS,
    OPT_ROOT_KEY,
    OPT_EXTRACT,
    OPT_FORMER,
    OPT_HELP,
    OPT_COUNT
};

/* Exit codes; exit_rows in ocop.c says what each means. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_USAGE = 1,
    EXIT_INVALID = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_STATE = 4,
    EXIT_STORE = 5,
    EXIT_NETWORK = 6,
    EXIT_CANCELLED = 7,
    EXIT_REFUSED = 8,
    EXIT_UNSETTLED = 9,
    EXIT_BUSY = 10
};

struct session {
    struct ocop_store *store;  /* NULL for a command that needs none */
    struct ocop_store *former; /* of --former; its opening may fail, and nothing else for it */
    enum ocop_status former_status;
    struct ocop_error former_err;
    const char *path;
    const char *value[OPT_COUNT]; /* NULL: not given; "" for one without argument */
    const char **sets;            /* of --set, in order */
    size_t set_count;
    char **words; /* arguments that are no options, NULL behind the last */
    int word_count;
    struct out out;           /* what goes to stdout, whether the command fails or not */
    enum exit_code exit_code; /* where the status alone does not say it */
};

/** A status with its text, as the library gives them; `field` may be NULL. Returns `status`. */
enum ocop_status command_fail(struct ocop_error *err, enum ocop_status status, const char *field,
                              const char *format, ...) OCOP_PRINTF(4, 5);
/** The command was called wrongly. */
enum ocop_status command_usage(struct session *s, struct ocop_error *err, const char *format, ...)
    OCOP_PRINTF(3, 4);
/** One line on stderr beside the result, made safe for a terminal. */
void command_note(const char *format, ...) OCOP_PRINTF(1, 2);

typedef enum ocop_status command_fn(struct session *s, struct ocop_error *err);

command_fn record_new, record_edit, record_submit, record_amend, record_add, record_void,
    record_discard, record_resend;
command_fn view_show, view_list, view_status, view_check;
command_fn file_attach, file_list, file_images, file_fetch;
command_fn export_run;
command_fn evidence_run;
command_fn sync_init, sync_enrol, sync_run, sync_rekey_device;
command_fn key_change;

#endif
