/* Records as lines of CSV. Knows no kind's fields by name. */
#include "record_csv.h"

#include <stdio.h>
#include <string.h>

#include "message.h"

enum { NAME_BYTES_MAX = 64 };

/* "inspected_date" -> "inspectedDate", its name in JSON. */
static void json_name(const char *name, char out[NAME_BYTES_MAX])
{
    size_t len = 0;

    for (const char *c = name; *c && len < NAME_BYTES_MAX - 1; c++) {
        bool raise = *c == '_' && c[1] >= 'a' && c[1] <= 'z';
        if (raise)
            c++;
        out[len++] = raise ? (char)(*c - 'a' + 'A') : *c;
    }
    out[len] = '\0';
}

/* Behind the string that begins at p. */
static const char *skip_string(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

/* Behind the value that begins at p, in compact JSON. */
static const char *skip_value(const char *p)
{
    unsigned depth = 0;

    while (*p) {
        if (depth == 0 && (*p == ',' || *p == '}' || *p == ']'))
            return p;
        if (*p == '"') {
            p = skip_string(p);
            continue;
        }
        depth += *p == '{' || *p == '[';
        depth -= *p == '}' || *p == ']';
        p++;
    }
    return p;
}

/* Append the value of a member of a compact JSON object, as it stands; nothing without one. */
static void put_member(const char *json, const char *name, struct out *o)
{
    size_t len = strlen(name);

    for (const char *p = json + 1; *p == '"';) {
        const char *end = skip_string(p), *value = end + 1;
        bool found = (size_t)(end - p) == len + 2 && strncmp(p + 1, name, len) == 0;
        p = skip_value(value);
        if (found) {
            out_put(o, value, (size_t)(p - value));
            return;
        }
        p += *p == ',';
    }
}

void record_csv_titles(const ProtobufCMessageDescriptor *kind, struct out *o)
{
    for (unsigned i = 0; i < kind->n_fields; i++) {
        out_put(o, ",", i > 0);
        out_csv(o, kind->fields[i].name, true);
    }
    out_str(o, "\r\n");
}

enum ocop_status record_csv_line(const ProtobufCMessage *m, struct out *o, struct ocop_error *err)
{
    const ProtobufCMessageDescriptor *desc = m->descriptor;
    struct out cell = {0};
    char name[NAME_BYTES_MAX], *json = NULL;
    enum ocop_status st = ocop_to_json(m, false, &json, err);

    for (unsigned i = 0; !st && i < desc->n_fields; i++) {
        const ProtobufCFieldDescriptor *d = &desc->fields[i];
        cell.len = 0;
        if (message_is_list(d)) {
            json_name(d->name, name);
            put_member(json, name, &cell);
        } else {
            message_value(m, d, false, &cell);
        }
        out_put(o, ",", i > 0);
        out_csv(o, out_text(&cell), d->type == PROTOBUF_C_TYPE_STRING);
    }
    out_str(o, "\r\n");
    o->failed = o->failed || cell.failed;
    out_fini(&cell);
    ocop_text_free(json);
    return st;
}
