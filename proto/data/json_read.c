/* Records as people write them in JSON, read kindly: both kinds of names, moments and degrees in
 * words, errors that name the place and the nearest name. Knows no rules and no database. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_input.h"
#include "text.h"

struct path json_path(const struct path *in, const char *name)
{
    struct path p;

    (void)snprintf(p.text, sizeof p.text, "%.40s%s%.50s", in->text, in->text[0] ? "." : "", name);
    return p;
}

static enum ocop_status bad_type(const struct input *in, const struct path *at, const char *must)
{
    return err_field(in->err, OCOP_EINVAL, at->text, "%s must be %s", at->text, must);
}

/* Levenshtein's distance, case aside. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1], n = strlen(b);

    if (n > NAME_MAX_LEN || strlen(a) > NAME_MAX_LEN)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t above = row[j + 1];
            size_t best = corner + (upper(a[i]) != upper(b[j]));
            best = best < above + 1 ? best : above + 1;
            row[j + 1] = best < row[j] + 1 ? best : row[j] + 1;
            corner = above;
        }
    }
    return row[n];
}

const ProtobufCFieldDescriptor *json_member(const ProtobufCMessageDescriptor *m, const char *name)
{
    char text[NAME_MAX_LEN];

    for (unsigned i = 0; i < m->n_fields; i++) {
        (void)camel(&m->fields[i], text);
        if (strcmp(name, text) == 0 || strcmp(name, m->fields[i].name) == 0)
            return &m->fields[i];
    }
    return NULL;
}

enum ocop_status json_unknown_name(const struct input *in, const struct path *at,
                                   const ProtobufCMessageDescriptor *m, const char *name)
{
    char text[NAME_MAX_LEN] = "", nearest[NAME_MAX_LEN] = "";
    size_t best = SIZE_MAX;
    struct path p = json_path(at, name);

    for (unsigned i = 0; i < m->n_fields; i++) {
        (void)camel(&m->fields[i], text);
        size_t d = distance(name, text);
        if (d < best) {
            best = d;
            memcpy(nearest, text, sizeof nearest);
        }
    }
    if (best == SIZE_MAX)
        return err_field(in->err, OCOP_EINVAL, p.text, "%s is not a field of %s", p.text,
                         m->short_name);
    return err_field(in->err, OCOP_EINVAL, p.text, "%s is not a field of %s; did you mean %s?",
                     p.text, m->short_name, nearest);
}

/* Every member must be known, and under one of its two names only. */
static enum ocop_status check_names(const struct input *in, const struct path *at,
                                    const ProtobufCMessageDescriptor *m, json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        const ProtobufCFieldDescriptor *d = json_member(m, name);
        char text[NAME_MAX_LEN];
        if (strcmp(name, UNKNOWN_NAME) == 0)
            continue;
        if (!d)
            return json_unknown_name(in, at, m, name);
        (void)camel(d, text);
        if (strcmp(name, text) != 0 && json_object_get(object, text))
            return err_field(in->err, OCOP_EINVAL, text, "%s stands twice, also as %s", text, name);
    }
    return OCOP_OK;
}

static json_t *member(json_t *object, const ProtobufCFieldDescriptor *d)
{
    char text[NAME_MAX_LEN];
    json_t *value;

    (void)camel(d, text);
    value = json_object_get(object, text);
    return value ? value : json_object_get(object, d->name);
}

static bool digits(const char **s, size_t count, int *out)
{
    *out = 0;
    for (size_t i = 0; i < count; i++, ++*s) {
        if (**s < '0' || **s > '9')
            return false;
        *out = 10 * *out + (**s - '0');
    }
    return true;
}

/* RFC 3339 with at most milliseconds: "2026-08-05T14:03:00+07:00". */
static bool parse_moment(const char *s, int64_t *ms)
{
    int year, month, day, hour, minute, second, fraction = 0, zone_hour = 0, zone_minute = 0;
    int64_t days, y, era, of_era;
    char zone;

    if (strlen(s) < 20 || !text_is_date(span_of(s, 10)))
        return false;
    if (!digits(&s, 4, &year) || *s++ != '-' || !digits(&s, 2, &month) || *s++ != '-' ||
        !digits(&s, 2, &day) || (*s != 'T' && *s != 't' && *s != ' '))
        return false;
    s++;
    if (!digits(&s, 2, &hour) || *s++ != ':' || !digits(&s, 2, &minute) || *s++ != ':' ||
        !digits(&s, 2, &second) || hour > 23 || minute > 59 || second > 59)
        return false;
    if (*s == '.')
        for (int i = 0, scale = 100; *++s >= '0' && *s <= '9'; i++, scale /= 10)
            fraction += i < 3 ? (*s - '0') * scale : 0;
    zone = *s++;
    if (zone == '+' || zone == '-') {
        if (!digits(&s, 2, &zone_hour) || *s++ != ':' || !digits(&s, 2, &zone_minute) ||
            zone_hour > 23 || zone_minute > 59)
            return false;
    } else if (zone != 'Z' && zone != 'z') {
        return false;
    }
    /* Days since 1970 in the Gregorian calendar, years counted from March. */
    y = month <= 2 ? year - 1 : year;
    era = y / 400;
    of_era = y - era * 400;
    days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
           (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
    *ms = ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000 + fraction -
          (zone == '-' ? -1 : 1) * (zone_hour * 60 + zone_minute) * INT64_C(60000);
    return *s == '\0';
}

static bool parse_degrees(double degrees, int64_t *out)
{
    if (!(degrees >= -360.0 && degrees <= 360.0))
        return false;
    *out = (int64_t)(degrees * 1e6 + (degrees < 0 ? -0.5 : 0.5));
    return true;
}

static enum ocop_status int_from_json(const struct input *in, const struct path *at,
                                      const ProtobufCFieldDescriptor *d, json_t *v, int64_t *out)
{
    const char *text = json_string_value(v);
    bool moment = ends_with(d->name, "_ms"), degrees = ends_with(d->name, "_e6"), good;

    if (d->type == PROTOBUF_C_TYPE_BOOL) {
        *out = json_is_true(v) || (text && strcmp(text, "true") == 0);
        good = json_is_boolean(v) || *out || (text && strcmp(text, "false") == 0);
        return good ? OCOP_OK : bad_type(in, at, "true or false");
    }
    if (text)
        good =
            json_whole_number(text, out) || (moment && parse_moment(text, out)) ||
            (degrees && text_is_decimal(span_str(text)) && parse_degrees(strtod(text, NULL), out));
    else if (json_is_real(v))
        good = degrees && parse_degrees(json_real_value(v), out);
    else
        good = json_is_integer(v);
    if (good && json_is_integer(v))
        *out = json_integer_value(v);
    if (good && d->type == PROTOBUF_C_TYPE_INT32 && (*out < INT32_MIN || *out > INT32_MAX))
        return bad_type(in, at, "between -2147483648 and 2147483647");
    if (good)
        return OCOP_OK;
    return bad_type(in, at,
                    moment ? "milliseconds since 1970 or a time such as 2026-08-05T14:03:00+07:00"
                    : degrees ? "millionths of a degree, or degrees such as 21.028511"
                              : "a whole number");
}

enum ocop_status json_bytes(const struct input *in, const struct path *at,
                            const ProtobufCFieldDescriptor *d, struct span text, struct span *out)
{
    uint8_t *p;
    struct id id;

    if (d->type == PROTOBUF_C_TYPE_STRING) {
        out->p = (const uint8_t *)arena_dup(in->a, text.p ? (const char *)text.p : "", text.len);
        out->len = text.len;
        return out->p ? OCOP_OK : err_nomem(in->err);
    }
    /* Text of jansson and of arguments ends with NUL. */
    p = arena_alloc(in->a, text.len + ID_LEN);
    if (!p)
        return err_nomem(in->err);
    out->p = p;
    if (is_id(d) && text.len && id_parse((const char *)text.p, &id)) {
        memcpy(p, id.b, ID_LEN);
        out->len = ID_LEN;
    } else if (!json_base64_read(text, p, &out->len)) {
        return bad_type(in, at,
                        is_id(d) ? "an id such as 01980f3c-5a7e-8b21-9c4d-2e6f00000001" : "base64");
    }
    return OCOP_OK;
}

/* One scalar; null clears. */
enum ocop_status json_scalar(const struct input *in, const struct path *at,
                             const ProtobufCFieldDescriptor *d, json_t *v, struct field *out)
{
    *out = (struct field){
        .number = d->id, .op = FIELD_SET, .type = holds_int(d) ? VALUE_INT : VALUE_BYTES};
    if (json_is_null(v)) {
        out->op = FIELD_CLEAR;
        return OCOP_OK;
    }
    if (out->type == VALUE_INT)
        return int_from_json(in, at, d, v, &out->i);
    if (!json_is_string(v))
        return bad_type(in, at, "text");
    return json_bytes(in, at, d, span_of(json_string_value(v), json_string_length(v)), &out->bytes);
}

/* The bytes behind "_unknown": packed fields, none of which `m` knows. */
static enum ocop_status unknown_from_json(const struct input *in, const struct path *at,
                                          const ProtobufCMessageDescriptor *m, json_t *v,
                                          struct span *out)
{
    struct path p = json_path(at, UNKNOWN_NAME);
    struct packed f;
    uint8_t *bytes;
    uint32_t last = 0;

    *out = (struct span){NULL, 0};
    if (!json_is_string(v))
        return bad_type(in, &p, "base64");
    bytes = arena_alloc(in->a, json_string_length(v) + 1);
    if (!bytes)
        return err_nomem(in->err);
    if (!json_base64_read(span_of(json_string_value(v), json_string_length(v)), bytes, &out->len))
        return bad_type(in, &p, "base64");
    out->p = bytes;
    for (size_t i = 0; i < out->len; last = f.number)
        if (!next_field(*out, &i, &f) || f.number < last || (m && field_of(m, f.number)))
            return bad_type(in, &p, "packed fields that this program does not know");
    return OCOP_OK;
}

enum ocop_status json_missing_key(const struct input *in, const struct path *at,
                                  const ProtobufCFieldDescriptor *d, struct field *out)
{
    char name[NAME_MAX_LEN];
    struct id id;

    (void)camel(d, name);
    if (d->type != PROTOBUF_C_TYPE_BYTES || !in->ids || !in->env)
        return err_field(in->err, OCOP_EINVAL, at->text, "%s needs \"%s\", its key", at->text,
                         name);
    id = id_next(in->ids, in->env);
    *out = (struct field){.number = d->id, .op = FIELD_SET, .type = VALUE_BYTES};
    out->bytes = span_of(arena_dup(in->a, id.b, ID_LEN), ID_LEN);
    return out->bytes.p ? OCOP_OK : err_nomem(in->err);
}

/* An object into `out`, an element of `list`. `key`, where given, is that of an object without. */
enum ocop_status json_element(const struct input *in, const struct path *at,
                              const ProtobufCFieldDescriptor *list, json_t *object, struct span key,
                              struct field *out)
{
    const ProtobufCMessageDescriptor *m = list->descriptor;
    enum ocop_status status;
    struct span unknown;
    struct buf packed;
    struct field f;

    *out = (struct field){.number = list->id, .op = FIELD_SET, .type = VALUE_ELEMENT};
    if (!json_is_object(object))
        return bad_type(in, at, "an object");
    status = check_names(in, at, m, object);
    buf_init(&packed, JSON_BYTES_MAX);
    for (unsigned i = 0; status == OCOP_OK && i < m->n_fields; i++) {
        const ProtobufCFieldDescriptor *d = &m->fields[i];
        json_t *v = member(object, d);
        bool there = v && !json_is_null(v);
        char name[NAME_MAX_LEN];
        struct path p;
        (void)camel(d, name);
        p = json_path(at, name);
        if (there)
            status = json_scalar(in, &p, d, v, &f);
        else if (i == 0 && key.len)
            f = (struct field){.number = d->id, .type = VALUE_BYTES, .bytes = key};
        else if (i == 0)
            status = json_missing_key(in, at, d, &f);
        if (status == OCOP_OK && (there || i == 0))
            pack_field(&packed, &f);
    }
    if (status == OCOP_OK && packed.failed)
        status = packed.full
                     ? err_field(in->err, OCOP_ELIMIT, at->text, "%s is too large", at->text)
                     : err_nomem(in->err);
    if (status == OCOP_OK) {
        out->bytes = span_of(arena_dup(in->a, packed.p, packed.len), packed.len);
        if (!out->bytes.p)
            status = err_nomem(in->err);
    }
    buf_fini(&packed);
    if (status == OCOP_OK && json_object_get(object, UNKNOWN_NAME)) {
        status = unknown_from_json(in, at, m, json_object_get(object, UNKNOWN_NAME), &unknown);
        if (status == OCOP_OK)
            status = json_mix(list, out->bytes, unknown, in->a, &out->bytes, in->err);
    }
    if (status == OCOP_OK) {
        out->key = element_key(out->bytes);
        if (out->key.len == 0 || out->key.len > KEY_BYTES_MAX)
            status = err_field(in->err, OCOP_EINVAL, at->text,
                               "the key of %s must have 1 to %d bytes", at->text, KEY_BYTES_MAX);
    }
    return status;
}

enum ocop_status json_load(const struct input *in, struct span text, size_t flags, json_t **out)
{
    json_error_t e;

    *out = NULL;
    if (text.len > JSON_BYTES_MAX)
        return err_set(in->err, OCOP_ELIMIT, "JSON of %zu bytes, limit %zu", text.len,
                       JSON_BYTES_MAX);
    *out = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES | flags, &e);
    if (*out)
        return OCOP_OK;
    if (json_error_code(&e) == json_error_out_of_memory)
        return err_nomem(in->err);
    return err_set(in->err, OCOP_EINVAL, "not JSON: %s in line %d, column %d", e.text, e.line,
                   e.column);
}

enum ocop_status json_found_add(const struct input *in, struct found *to, const struct field *f)
{
    if (to->count == to->room) {
        size_t room = to->room ? 2 * to->room : 64;
        struct field *v = arena_calloc(in->a, room, sizeof *v);
        if (!v)
            return err_nomem(in->err);
        if (to->count)
            memcpy(v, to->v, to->count * sizeof *v);
        *to = (struct found){v, to->count, room};
    }
    if (to->count == FIELDS_MAX)
        return err_set(in->err, OCOP_ELIMIT, "more than %d fields and elements", FIELDS_MAX);
    to->v[to->count++] = *f;
    return OCOP_OK;
}

enum ocop_status json_elements(const struct input *in, const ProtobufCFieldDescriptor *d, json_t *v,
                               struct found *to)
{
    struct path at = {""};
    enum ocop_status status = OCOP_OK;
    char name[NAME_MAX_LEN];

    (void)camel(d, name);
    at = json_path(&at, name);
    if (!json_is_array(v))
        return bad_type(in, &at, "a list");
    if (json_array_size(v) > LIST_ITEMS_MAX)
        return err_field(in->err, OCOP_ELIMIT, at.text, "%s has %zu elements, limit %d", at.text,
                         json_array_size(v), LIST_ITEMS_MAX);
    for (size_t i = 0; status == OCOP_OK && i < json_array_size(v); i++) {
        struct field f;
        (void)snprintf(at.text, sizeof at.text, "%s[%zu]", name, i);
        status = json_element(in, &at, d, json_array_get(v, i), (struct span){NULL, 0}, &f);
        if (status == OCOP_OK)
            status = json_found_add(in, to, &f);
    }
    return status;
}

static enum ocop_status members_from_json(const struct input *in, const struct kind *k,
                                          json_t *object, struct id *id, struct found *to)
{
    const struct path top = {""};
    enum ocop_status status = check_names(in, &top, k->desc, object);

    for (size_t i = 0; status == OCOP_OK && i < k->field_count; i++) {
        const struct field_rule *rule = &k->fields[i];
        json_t *v = member(object, rule->desc);
        char name[NAME_MAX_LEN];
        struct path at;
        struct field f;
        if (!v)
            continue;
        (void)camel(rule->desc, name);
        at = json_path(&top, name);
        if (rule_is_list(rule)) {
            status = json_elements(in, rule->desc, v, to);
            continue;
        }
        status = json_scalar(in, &at, rule->desc, v, &f);
        if (status == OCOP_OK && rule->number != FIELD_ID)
            status = json_found_add(in, to, &f);
        else if (status == OCOP_OK && (f.op == FIELD_CLEAR || !id_from(f.bytes, id)))
            status = bad_type(in, &at, "an id such as 01980f3c-5a7e-8b21-9c4d-2e6f00000001");
    }
    return status;
}

enum ocop_status json_to_fields(const struct kind *k, struct span json, struct id_source *ids,
                                const struct env *env, struct arena *a, struct id *id,
                                struct fields *out, struct ocop_error *err)
{
    const struct input in = {ids, env, a, err};
    const struct path top = {""};
    struct found found = {NULL, 0, 0};
    struct fields extra = {NULL, 0};
    struct span unknown;
    struct id no_id;
    json_t *object = NULL;
    enum ocop_status status;

    *out = (struct fields){NULL, 0};
    *id = (struct id){{0}};
    status = json_load(&in, json, 0, &object);
    if (status == OCOP_OK && !json_is_object(object))
        status =
            err_set(err, OCOP_EINVAL, "a record must be a JSON object, {\"name\": value, ...}");
    if (status == OCOP_OK)
        status = members_from_json(&in, k, object, id, &found);
    if (status == OCOP_OK && json_object_get(object, UNKNOWN_NAME)) {
        status =
            unknown_from_json(&in, &top, k->desc, json_object_get(object, UNKNOWN_NAME), &unknown);
        if (status == OCOP_OK)
            status = record_unpack(k, unknown, a, &no_id, &extra, err);
    }
    for (size_t i = 0; status == OCOP_OK && i < extra.count; i++)
        status = json_found_add(&in, &found, &extra.v[i]);
    if (status == OCOP_OK) {
        *out = (struct fields){found.v, found.count};
        if (!fields_sort(out))
            status = err_set(err, OCOP_EINVAL, "two elements of one list have the same key");
    }
    if (status != OCOP_OK) {
        *out = (struct fields){NULL, 0};
        *id = (struct id){{0}};
    }
    json_decref(object);
    return status;
}

enum ocop_status json_value_read(const struct kind *k, uint32_t number, struct span key,
                                 struct span json, struct arena *a, struct field *out,
                                 struct ocop_error *err)
{
    const struct input in = {NULL, NULL, a, err};
    const struct field_rule *rule = k ? kind_field(k, number) : NULL;
    struct path at = {""};
    json_t *v = NULL;
    enum ocop_status status;

    *out = (struct field){.number = number};
    if (!rule || number == FIELD_ID)
        return err_set(err, OCOP_EINVAL, "field %" PRIu32 " is not one that can be set here",
                       number);
    if (rule_is_list(rule) != (key.len != 0))
        return err_field(err, OCOP_EINVAL, rule->desc->name, "%s %s", rule->desc->name,
                         key.len ? "is no list" : "is a list; name the element");
    status = json_load(&in, json, JSON_DECODE_ANY, &v);
    if (status != OCOP_OK)
        return status;
    at = json_path(&at, rule->desc->name);
    if (!rule_is_list(rule))
        status = json_scalar(&in, &at, rule->desc, v, out);
    else if (json_is_null(v))
        *out =
            (struct field){.number = number, .op = FIELD_CLEAR, .type = VALUE_ELEMENT, .key = key};
    else
        status = json_element(&in, &at, rule->desc, v, key, out);
    if (status == OCOP_OK && !span_eq(out->key, key))
        status = err_field(err, OCOP_EINVAL, at.text, "the element of %s has another key", at.text);
    json_decref(v);
    return status;
}
