/* new, edit, submit, amend, add, void, discard, resend: one call of the library each. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "input.h"
#include "message.h"

/* The id on stdout; the paper number beside it, so that a script may take stdout as it is. */
static void say_id(struct session *s, const struct ocop_id *id, bool submitted)
{
    char text[OCOP_ID_TEXT_LEN + 1];
    ProtobufCMessage *m = NULL;

    out_printf(&s->out, "%s\n", ocop_id_text(*id, text));
    if (!submitted || ocop_load(s->store, id, &m, NULL) != OCOP_OK)
        return;
    if (message_paper(m))
        command_note("submitted as %s", message_paper(m));
    ocop_free(m);
}

enum ocop_status record_new(struct session *s, struct ocop_error *err)
{
    ProtobufCMessage *m = NULL;
    struct ocop_id id;
    enum ocop_status st = input_kind(s->words[0], err);

    if (!st)
        st = ocop_new(s->store, s->words[0], &m, err);
    if (!st)
        st = input_fields(s, s->words[0], &m, err);
    if (!st)
        st = s->value[OPT_SUBMIT] ? ocop_submit(s->store, m, err) : ocop_save(s->store, m, err);
    if (!st) {
        id = message_id(m);
        say_id(s, &id, s->value[OPT_SUBMIT] != NULL);
    }
    ocop_free(m);
    return st;
}

/* The record named by the first word, with --json and --set laid over it. */
static enum ocop_status load_edited(struct session *s, ProtobufCMessage **out,
                                    struct ocop_error *err)
{
    struct ocop_record_status *status = NULL;
    struct ocop_id id;
    enum ocop_status st;

    *out = NULL;
    if (!s->value[OPT_JSON_FROM] && s->set_count == 0)
        return command_usage(s, err, "say what to change with --json or --set");
    st = input_record(s->store, NULL, s->words[0], &id, err);
    if (!st)
        st = ocop_record_status(s->store, &id, &status, err);
    if (!st)
        st = ocop_load(s->store, &id, out, err);
    if (!st)
        st = input_fields(s, status->kind, out, err);
    ocop_record_status_free(status);
    return st;
}

enum ocop_status record_edit(struct session *s, struct ocop_error *err)
{
    ProtobufCMessage *m;
    enum ocop_status st = load_edited(s, &m, err);

    if (!st)
        st = ocop_save(s->store, m, err);
    ocop_free(m);
    return st;
}

enum ocop_status record_amend(struct session *s, struct ocop_error *err)
{
    ProtobufCMessage *m;
    enum ocop_status st = load_edited(s, &m, err);

    if (!st)
        st = ocop_amend(s->store, m, s->value[OPT_REASON], err);
    ocop_free(m);
    return st;
}

enum ocop_status record_submit(struct session *s, struct ocop_error *err)
{
    struct ocop_id id;
    enum ocop_status st = input_record(s->store, NULL, s->words[0], &id, err);

    if (!st)
        st = ocop_submit_draft(s->store, &id, s->value[OPT_REASON], err);
    if (!st)
        say_id(s, &id, true);
    return st;
}

enum ocop_status record_add(struct session *s, struct ocop_error *err)
{
    ProtobufCMessage *record = NULL, *made = NULL;
    struct ocop_record_status *status = NULL;
    const ProtobufCFieldDescriptor *list;
    struct ocop_id id;
    size_t count;
    enum ocop_status st;

    if (!s->value[OPT_JSON_FROM] && s->set_count == 0)
        return command_usage(s, err, "say what to add with --json or --set");
    st = input_record(s->store, NULL, s->words[0], &id, err);
    if (!st)
        st = ocop_record_status(s->store, &id, &status, err);
    if (!st)
        st = ocop_load(s->store, &id, &record, err);
    if (st)
        goto out;
    list = message_field(record, s->words[1]);
    if (!list || !message_is_list(list)) {
        st = command_fail(err, OCOP_EINVAL, s->words[1], "records of kind %s have no such list",
                          status->kind);
        goto out;
    }
    st = input_element(s, status->kind, list, &made, err);
    if (!st)
        st = ocop_add(s->store, &id, list->name, message_elements(made, list, &count)[0],
                      s->value[OPT_REASON], err);
out:
    ocop_free(made);
    ocop_free(record);
    ocop_record_status_free(status);
    return st;
}

enum ocop_status record_void(struct session *s, struct ocop_error *err)
{
    struct ocop_id id;
    enum ocop_status st = input_record(s->store, NULL, s->words[0], &id, err);

    return st ? st : ocop_void(s->store, &id, s->value[OPT_REASON], err);
}

enum ocop_status record_discard(struct session *s, struct ocop_error *err)
{
    struct ocop_id id;
    enum ocop_status st = input_record(s->store, NULL, s->words[0], &id, err);

    return st ? st : ocop_discard(s->store, &id, err);
}

enum ocop_status record_resend(struct session *s, struct ocop_error *err)
{
    struct ocop_id id;
    enum ocop_status st = input_record(s->store, NULL, s->words[0], &id, err);

    return st ? st : ocop_resend(s->store, &id, err);
}
