/* The whole use of libocop in one program: open, enrol, record, find, sync.
 *
 *     example_record field.ocop [INVITATION] */
#include <stdio.h>
#include <stdlib.h>

#include "ocop.h"

static int failed(const char *doing, const struct ocop_error *err)
{
    fprintf(stderr, "%s: %s: %s%s%s\n", doing, ocop_status_name(err->status), err->field,
            *err->field ? ": " : "", err->text);
    return EXIT_FAILURE;
}

/* Fill in an inspection and submit it: after OCOP_OK it survives anything but the loss of the
 * device. The producer is one that this device has. */
static enum ocop_status record(struct ocop_store *store, const char *producer,
                               struct ocop_error *err)
{
    static const char *const fields[] = {"inspection_type=planned", "conclusion=pass", "score=86",
                                         "answers[NC.1].answer=pass", "notes=Cơ sở sạch sẽ"};
    ProtobufCMessage *m = NULL;
    char assignment[80];
    enum ocop_status st = ocop_new(store, "inspection", &m, err);

    (void)snprintf(assignment, sizeof assignment, "producer_id=%s", producer);
    if (!st)
        st = ocop_set_text(store, &m, assignment, err);
    for (size_t i = 0; !st && i < sizeof fields / sizeof *fields; i++)
        st = ocop_set_text(store, &m, fields[i], err);
    if (!st)
        st = ocop_submit(store, m, err);
    ocop_free(m);
    return st;
}

int main(int argc, char **argv)
{
    struct ocop_store *store = NULL;
    struct ocop_list *found = NULL;
    struct ocop_sync_summary done;
    struct ocop_error err = {0};
    struct ocop_query producers = {.kind = "producer", .limit = 1};
    char producer[OCOP_ID_TEXT_LEN + 1];
    int result = EXIT_SUCCESS;

    if (argc < 2) {
        fprintf(stderr, "usage: %s STORE [INVITATION]\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (ocop_open(argv[1], NULL, &store, &err))
        return failed("open", &err);
    if (argc > 2 && ocop_enrol(store, argv[2], "example", &err))
        result = failed("enrol", &err);
    else if (ocop_sync(store, NULL, &done, &err)) /* fetches the records of the scope */
        result = failed("sync", &err);
    else if (ocop_find(store, &producers, &found, &err))
        result = failed("find", &err);
    else if (found->count == 0)
        fprintf(stderr, "no producer in the scope of this device\n");
    else if (record(store, ocop_id_text(found->items[0].id, producer), &err))
        result = failed("record", &err);
    else if (ocop_sync(store, NULL, &done, &err)) /* in the field this comes hours later */
        result = failed("sync", &err);
    else
        printf("sent %u, %u of them applied, %u in a case\n", done.pushed, done.applied,
               done.in_case);
    ocop_list_free(found);
    ocop_close(store);
    return result;
}
