/* Walks any record by its descriptor and writes it for people. Knows no kind by name, no database
 * and no rule of a field. */
#include "message.h"

#include <inttypes.h>
#include <string.h>

#include "table.h"

static const void *member(const ProtobufCMessage *m, size_t offset)
{
    return (const char *)m + offset;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);

    return n >= e && strcmp(name + n - e, end) == 0;
}

bool message_is_list(const ProtobufCFieldDescriptor *d)
{
    return d->label == PROTOBUF_C_LABEL_REPEATED;
}

bool message_has(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *d)
{
    if (d->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)member(m, d->offset);
        return text && text != d->default_value;
    }
    return *(const protobuf_c_boolean *)member(m, d->quantifier_offset) != 0;
}

const ProtobufCFieldDescriptor *message_field(const ProtobufCMessage *m, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
}

const char *message_string(const ProtobufCMessage *m, const char *name)
{
    const ProtobufCFieldDescriptor *d = message_field(m, name);

    if (!d || d->type != PROTOBUF_C_TYPE_STRING || message_is_list(d) || !message_has(m, d))
        return NULL;
    return *(char *const *)member(m, d->offset);
}

bool message_ref(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *d, struct ocop_id *out)
{
    const ProtobufCBinaryData *data;

    if (!d || d->type != PROTOBUF_C_TYPE_BYTES || message_is_list(d) || !message_has(m, d))
        return false;
    data = member(m, d->offset);
    if (data->len != sizeof out->b)
        return false;
    memcpy(out->b, data->data, sizeof out->b);
    return true;
}

struct ocop_id message_id(const ProtobufCMessage *m)
{
    struct ocop_id id = {{0}};

    (void)message_ref(m, message_field(m, "id"), &id);
    return id;
}

const ProtobufCMessage *const *message_elements(const ProtobufCMessage *m,
                                                const ProtobufCFieldDescriptor *list, size_t *count)
{
    *count = *(const size_t *)member(m, list->quantifier_offset);
    return *(const ProtobufCMessage *const *const *)member(m, list->offset);
}

static const char *first_of(const ProtobufCMessage *m, const char *const *names)
{
    const char *text = NULL;

    for (; !text && *names; names++)
        text = message_string(m, *names);
    return text;
}

const char *message_paper(const ProtobufCMessage *m)
{
    static const char *const names[] = {"minutes_no", "sample_code", NULL};

    return first_of(m, names);
}

const char *message_label(const ProtobufCMessage *m)
{
    static const char *const names[] = {"name", "certificate_no", "title", "code", NULL};
    const char *paper = message_paper(m);

    return paper ? paper : first_of(m, names);
}

/* --- values ---------------------------------------------------------------------------------- */

static void put_bytes(const ProtobufCBinaryData *data, struct out *o)
{
    char text[OCOP_ID_TEXT_LEN + 1];
    struct ocop_id id;

    if (data->len == sizeof id.b) {
        memcpy(id.b, data->data, sizeof id.b);
        out_str(o, ocop_id_text(id, text));
        return;
    }
    for (size_t i = 0; i < data->len; i++)
        out_printf(o, "%02x", data->data[i]);
}

static void put_int(const char *name, int64_t v, bool human, struct out *o)
{
    char text[OUT_MOMENT_MAX];
    int64_t positive = v < 0 && v != INT64_MIN ? -v : v;

    if (human && ends_with(name, "_ms"))
        out_str(o, out_moment(v, text));
    else if (human && ends_with(name, "_e6"))
        out_printf(o, "%s%" PRId64 ".%06" PRId64, v < 0 ? "-" : "", positive / 1000000,
                   positive % 1000000);
    else
        out_printf(o, "%" PRId64, v);
}

void message_value(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *d, bool human,
                   struct out *o)
{
    const void *v = member(m, d->offset);

    if (!message_has(m, d))
        return;
    switch (d->type) {
    case PROTOBUF_C_TYPE_STRING:
        out_str(o, *(char *const *)v);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        put_bytes(v, o);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        out_str(o, *(const protobuf_c_boolean *)v ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_INT64:
        put_int(d->name, *(const int64_t *)v, human, o);
        break;
    default: /* records.proto has no other type than int32 */
        put_int(d->name, *(const int32_t *)v, human, o);
        break;
    }
}

/* --- the whole record ------------------------------------------------------------------------ */

/* " (An Khê)" behind the id of a record that is here. */
static void put_ref_label(struct ocop_store *store, const ProtobufCMessage *m,
                          const ProtobufCFieldDescriptor *d, struct out *o)
{
    ProtobufCMessage *to = NULL;
    struct ocop_id id;
    const char *label;

    if (strcmp(d->name, "id") == 0 || !message_ref(m, d, &id) ||
        ocop_load(store, &id, &to, NULL) != OCOP_OK)
        return;
    label = message_label(to);
    if (label)
        out_printf(o, " (%s)", label);
    ocop_free(to);
}

static void show_scalars(struct ocop_store *store, const ProtobufCMessage *m, struct out *o)
{
    struct table t = {.columns = 2, .lines = true};
    struct out text = {0};

    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *d = &m->descriptor->fields[i];
        if (message_is_list(d) || !message_has(m, d))
            continue;
        text.len = 0;
        out_printf(&text, "%s:", d->name);
        table_cell(&t, out_text(&text));
        text.len = 0;
        message_value(m, d, true, &text);
        put_ref_label(store, m, d, &text);
        table_cell(&t, out_text(&text));
    }
    o->failed = o->failed || text.failed;
    table_print(&t, 0, o);
    table_fini(&t);
    out_fini(&text);
}

/* The fields that any element has, in `out`; returns how many. */
static size_t columns_in_use(const ProtobufCMessageDescriptor *desc,
                             const ProtobufCMessage *const *v, size_t count,
                             const ProtobufCFieldDescriptor **out)
{
    size_t columns = 0;

    for (unsigned f = 0; f < desc->n_fields && columns < TABLE_COLUMNS_MAX; f++) {
        const ProtobufCFieldDescriptor *d = &desc->fields[f];
        bool used = false;
        for (size_t i = 0; !used && i < count; i++)
            used = !message_is_list(d) && message_has(v[i], d);
        if (used)
            out[columns++] = d;
    }
    return columns;
}

static void show_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *list,
                      struct out *o)
{
    const ProtobufCFieldDescriptor *d[TABLE_COLUMNS_MAX];
    size_t count;
    const ProtobufCMessage *const *v = message_elements(m, list, &count);
    const size_t columns = columns_in_use(list->descriptor, v, count, d);
    struct table t = {.columns = columns};
    struct out text = {0};

    if (count == 0 || columns == 0)
        return;
    out_printf(o, "\n%s (%zu):\n", list->name, count);
    for (size_t c = 0; c < columns; c++)
        table_cell(&t, d[c]->name);
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < columns; c++) {
            text.len = 0;
            message_value(v[i], d[c], true, &text);
            table_cell(&t, out_text(&text));
        }
    }
    o->failed = o->failed || text.failed;
    table_print(&t, 2, o);
    table_fini(&t);
    out_fini(&text);
}

void message_show(struct ocop_store *store, const ProtobufCMessage *m, struct out *o)
{
    show_scalars(store, m, o);
    for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        if (message_is_list(&m->descriptor->fields[i]))
            show_list(m, &m->descriptor->fields[i], o);
}
