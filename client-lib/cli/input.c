/* What people give, turned into what the library takes. Knows no rule of a field: the library
 * names what is wrong. */
#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

enum { INPUT_BYTES_MAX = 1024 * 1024, CANDIDATES_MAX = 1000 };

const char *const input_kinds[] = {
    "unit",       "officer",   "producer",   "product", "certificate",
    "checklist",  "code_list", "inspection", "sample",  "environmental_check",
    "attachment", NULL};

enum ocop_status input_kind(const char *name, struct ocop_error *err)
{
    for (size_t i = 0; name && input_kinds[i]; i++)
        if (strcmp(input_kinds[i], name) == 0)
            return OCOP_OK;
    if (!name)
        return OCOP_OK;
    return command_fail(err, OCOP_ENOTFOUND, "kind",
                        "there is no kind \"%s\"; ocop find --help names them", name);
}

enum ocop_status input_file(const char *path, struct out *out, struct ocop_error *err)
{
    bool from_stdin = strcmp(path, "-") == 0;
    FILE *f = from_stdin ? stdin : fopen(path, "rb");
    enum ocop_status st = OCOP_OK;
    char part[8192];
    size_t n;

    out->len = 0;
    if (!f)
        return command_fail(err, OCOP_EIO, NULL, "%s cannot be read: %m", path);
    while ((n = fread(part, 1, sizeof part, f)) > 0 && out->len <= INPUT_BYTES_MAX)
        out_put(out, part, n);
    if (ferror(f))
        st = command_fail(err, OCOP_EIO, NULL, "%s cannot be read: %m", path);
    else if (out->len > INPUT_BYTES_MAX)
        st = command_fail(err, OCOP_ELIMIT, NULL, "%s is larger than %d bytes", path,
                          INPUT_BYTES_MAX);
    else if (out->len && memchr(out->p, '\0', out->len))
        st = command_fail(err, OCOP_EINVAL, NULL, "%s is not text: it has a zero byte", path);
    else if (out->failed)
        st = command_fail(err, OCOP_ENOMEM, NULL, "out of memory");
    if (!from_stdin)
        (void)fclose(f);
    return st;
}

enum ocop_status input_number(struct session *s, enum opt option, int min, int max, int fallback,
                              int *out, struct ocop_error *err)
{
    const char *text = s->value[option];
    char *end;
    long v;

    *out = fallback;
    if (!text)
        return OCOP_OK;
    errno = 0;
    v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < min || v > max)
        return command_usage(s, err, "\"%s\" is not a whole number from %d to %d", text, min, max);
    *out = (int)v;
    return OCOP_OK;
}

/* --- names ----------------------------------------------------------------------------------- */

static enum ocop_status find_text(struct ocop_store *store, const char *kind, const char *text,
                                  struct ocop_list **out, struct ocop_error *err)
{
    struct ocop_query q = {.kind = kind, .text = text, .voided_too = true, .limit = CANDIDATES_MAX};

    return ocop_find(store, &q, out, err);
}

enum ocop_status input_record(struct ocop_store *store, const char *kind, const char *name,
                              struct ocop_id *out, struct ocop_error *err)
{
    struct ocop_list *list;
    size_t matches = 0, exact = 0;
    enum ocop_status st;

    if (ocop_id_parse(name, out))
        return OCOP_OK;
    st = find_text(store, kind, name, &list, err);
    if (st)
        return st;
    for (size_t i = 0; i < list->count; i++) {
        const struct ocop_item *item = &list->items[i];
        const bool equal = strcmp(item->label, name) == 0;
        if (!ocop_same_name(item->label, name))
            continue;
        if (equal || exact == 0)
            *out = item->id;
        exact += equal;
        matches++;
    }
    if (exact == 1) /* typed as it stands, beside others that are typed otherwise */
        matches = 1;
    ocop_list_free(list);
    if (matches == 1)
        return OCOP_OK;
    if (matches > 1)
        return command_fail(err, OCOP_EINVAL, NULL,
                            "\"%s\" names %zu records; give the id, see ocop find", name, matches);
    return command_fail(err, OCOP_ENOTFOUND, NULL,
                        "no record here has the id, paper number or name \"%s\"; see ocop find",
                        name);
}

enum ocop_status input_unit(struct ocop_store *store, const char *name, struct ocop_id *out,
                            struct ocop_error *err)
{
    struct ocop_list *list;
    size_t in_force = 0, past = 0;
    enum ocop_status st;

    if (ocop_id_parse(name, out))
        return OCOP_OK;
    st = find_text(store, "unit", name, &list, err);
    if (st)
        return st;
    for (size_t i = 0; !st && i < list->count; i++) {
        ProtobufCMessage *unit = NULL;
        st = ocop_load(store, &list->items[i].id, &unit, err);
        const char *code = st ? NULL : message_string(unit, "code");
        if (code && strcmp(code, name) == 0) {
            bool ended = message_string(unit, "effective_to") != NULL;
            if (!ended || in_force == 0)
                *out = list->items[i].id;
            in_force += !ended;
            past += ended;
        }
        ocop_free(unit);
    }
    ocop_list_free(list);
    if (st || in_force == 1 || (in_force == 0 && past == 1))
        return st;
    if (in_force + past > 1)
        return command_fail(err, OCOP_EINVAL, "unit",
                            "several units had the code \"%s\"; give the id, see ocop list unit",
                            name);
    return command_fail(err, OCOP_ENOTFOUND, "unit",
                        "no unit here has the id or code \"%s\"; see ocop list unit", name);
}

/* --- fields ---------------------------------------------------------------------------------- */

enum ocop_status input_fields(struct session *s, const char *kind, ProtobufCMessage **record,
                              struct ocop_error *err)
{
    ProtobufCMessage *over = NULL;
    struct out json = {0};
    enum ocop_status st = OCOP_OK;

    if (s->value[OPT_JSON_FROM]) {
        st = input_file(s->value[OPT_JSON_FROM], &json, err);
        if (!st)
            st = ocop_from_json(s->store, kind, *record, out_text(&json), &over, err);
        if (!st) {
            ocop_free(*record);
            *record = over;
        }
    }
    for (size_t i = 0; !st && i < s->set_count; i++)
        st = ocop_set_text(s->store, record, s->sets[i], err);
    out_fini(&json);
    return st;
}

/* The key of the element that the --set make: what they set the key to, or a new id. */
static enum ocop_status element_key(struct session *s, const ProtobufCFieldDescriptor *list,
                                    struct out *key, struct ocop_error *err)
{
    const ProtobufCMessageDescriptor *m = list->descriptor;
    const ProtobufCFieldDescriptor *d = protobuf_c_message_descriptor_get_field(m, 1);
    char text[OCOP_ID_TEXT_LEN + 1];
    size_t len = strlen(d->name);

    for (size_t i = 0; i < s->set_count; i++)
        if (strncmp(s->sets[i], d->name, len) == 0 && s->sets[i][len] == '=')
            out_str(key, s->sets[i] + len + 1);
    if (key->len == 0 && d->type == PROTOBUF_C_TYPE_BYTES)
        out_str(key, ocop_id_text(ocop_new_key(s->store), text));
    if (key->len == 0)
        return command_fail(err, OCOP_EINVAL, d->name, "an element of %s needs --set %s=...",
                            list->name, d->name);
    return OCOP_OK;
}

/* "deliver=x" of an element as "custody[KEY].deliver=x" of its record. */
static enum ocop_status set_element(struct session *s, const ProtobufCFieldDescriptor *list,
                                    const char *key, ProtobufCMessage **record,
                                    struct ocop_error *err)
{
    struct out path = {0};
    enum ocop_status st = OCOP_OK;

    for (size_t i = 0; !st && i < s->set_count; i++) {
        path.len = 0;
        out_printf(&path, "%s[%s].%s", list->name, key, s->sets[i]);
        st = ocop_set_text(s->store, record, out_text(&path), err);
    }
    out_fini(&path);
    return st;
}

enum ocop_status input_element(struct session *s, const char *kind,
                               const ProtobufCFieldDescriptor *list, ProtobufCMessage **out,
                               struct ocop_error *err)
{
    struct out json = {0}, whole = {0}, key = {0};
    size_t count = 0;
    enum ocop_status st = OCOP_OK;

    *out = NULL;
    if (s->value[OPT_JSON_FROM])
        st = input_file(s->value[OPT_JSON_FROM], &json, err);
    if (!st && json.len)
        out_printf(&whole, "{\"%s\":[%s]}", list->name, out_text(&json));
    else
        out_str(&whole, "{}");
    if (!st)
        st = ocop_from_json(s->store, kind, NULL, out_text(&whole), out, err);
    if (!st && json.len) {
        const ProtobufCMessage *const *v = message_elements(*out, list, &count);
        if (count != 1)
            st = command_fail(err, OCOP_EINVAL, list->name, "the JSON must be one object");
        else
            message_value(v[0], v[0]->descriptor->fields, false, &key);
    } else if (!st) {
        st = element_key(s, list, &key, err);
    }
    if (!st)
        st = set_element(s, list, out_text(&key), out, err);
    if (!st)
        (void)message_elements(*out, list, &count);
    if (!st && count != 1)
        st = command_fail(err, OCOP_EINVAL, list->name, "give the element with --json or --set");
    out_fini(&json);
    out_fini(&whole);
    out_fini(&key);
    if (st) {
        ocop_free(*out);
        *out = NULL;
    }
    return st;
}
