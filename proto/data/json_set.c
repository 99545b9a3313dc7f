/* Assignments of one field, as in --set answers[NC.1].answer=fail. Knows no rules and no database.
 */
#include <stdio.h>

#include "json_input.h"
#include "text.h"

/* "answers[NC.1].answer=fail": name, key, subfield, value. */
struct assignment {
    char name[NAME_MAX_LEN], key[KEY_BYTES_MAX + 1], sub[NAME_MAX_LEN];
    bool has_key, has_sub;
    const char *value;
};

static bool copy_part(char *to, size_t room, const char *from, size_t len)
{
    if (len == 0 || len >= room)
        return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

static bool parse_assignment(const char *text, struct assignment *out)
{
    size_t len = strcspn(text, "[=");
    const char *close;

    *out = (struct assignment){.value = ""};
    if (!copy_part(out->name, sizeof out->name, text, len))
        return false;
    text += len;
    if (*text == '[') {
        close = strchr(text, ']');
        out->has_key = close != NULL;
        if (!close || !copy_part(out->key, sizeof out->key, text + 1, (size_t)(close - text - 1)))
            return false;
        text = close + 1;
    }
    if (*text == '.') {
        len = strcspn(++text, "=");
        out->has_sub = true;
        if (!out->has_key || !copy_part(out->sub, sizeof out->sub, text, len))
            return false;
        text += len;
    }
    if (*text != '=')
        return false;
    out->value = text + 1;
    return true;
}

/* Replace or add one path in sorted `f`. */
static enum ocop_status put_field(const struct input *in, struct fields *f, struct field put)
{
    struct field *there = fields_find(f, put.number, put.key);
    struct found found = {f->v, f->count, f->count};
    enum ocop_status status;

    if (there) {
        *there = put;
        return OCOP_OK;
    }
    status = json_found_add(in, &found, &put);
    if (status != OCOP_OK)
        return status;
    *f = (struct fields){found.v, found.count};
    return fields_sort(f) ? OCOP_OK
                          : err_set(in->err, OCOP_EINVAL, "two fields have the same path");
}

/* Text as a person types it: an empty one clears, braces are JSON. */
static enum ocop_status typed(const struct input *in, const char *text, json_t **out)
{
    *out = *text ? json_string(text) : json_null();
    if (*out)
        return OCOP_OK;
    return text_is_utf8(span_str(text)) ? err_nomem(in->err)
                                        : err_set(in->err, OCOP_EINVAL, "the value is not UTF-8");
}

/* One subfield set or removed in a packed element. */
static enum ocop_status set_sub(const struct input *in, const struct path *at,
                                const ProtobufCFieldDescriptor *list, const char *sub,
                                const char *value, struct field *element)
{
    const ProtobufCFieldDescriptor *d = json_member(list->descriptor, sub);
    struct path p = json_path(at, sub);
    enum ocop_status status;
    struct packed old;
    struct field put;
    struct buf packed;
    json_t *v = NULL;
    bool done = false;

    if (!d)
        return json_unknown_name(in, at, list->descriptor, sub);
    if (d->id == 1)
        return err_field(in->err, OCOP_EINVAL, p.text, "%s is the key and stands in the brackets",
                         p.text);
    status = typed(in, value, &v);
    if (status == OCOP_OK)
        status = json_scalar(in, &p, d, v, &put);
    json_decref(v);
    if (status != OCOP_OK)
        return status;
    buf_init(&packed, JSON_BYTES_MAX);
    for (size_t i = 0; i < element->bytes.len && next_field(element->bytes, &i, &old);) {
        if (!done && old.number >= d->id) {
            done = true;
            if (put.op == FIELD_SET)
                pack_field(&packed, &put);
        }
        if (old.number != d->id)
            buf_put(&packed, old.raw.p, old.raw.len);
    }
    if (!done && put.op == FIELD_SET)
        pack_field(&packed, &put);
    element->bytes = span_of(arena_dup(in->a, packed.p, packed.len), packed.len);
    if (packed.failed || !element->bytes.p)
        status = err_nomem(in->err);
    buf_fini(&packed);
    element->key = element_key(element->bytes);
    element->op = FIELD_SET;
    return status;
}

/* An element with nothing but its key; "+" asks for a new one. */
static enum ocop_status new_element(const struct input *in, const struct path *at,
                                    const ProtobufCFieldDescriptor *list, const char *key,
                                    struct field *out)
{
    const ProtobufCMessageDescriptor *m = list->descriptor;
    const ProtobufCFieldDescriptor *d = &m->fields[0];
    enum ocop_status status;
    struct field f = {.number = d->id, .type = VALUE_BYTES};
    struct buf packed;

    if (strcmp(key, "+") == 0)
        status = json_missing_key(in, at, d, &f);
    else
        status = json_bytes(in, at, d, span_str(key), &f.bytes);
    if (status != OCOP_OK)
        return status;
    buf_init(&packed, KIB(1));
    pack_field(&packed, &f);
    *out = (struct field){.number = list->id, .op = FIELD_SET, .type = VALUE_ELEMENT};
    out->bytes = span_of(arena_dup(in->a, packed.p, packed.len), packed.len);
    if (packed.failed || !out->bytes.p)
        status = err_nomem(in->err);
    buf_fini(&packed);
    out->key = element_key(out->bytes);
    return status;
}

static enum ocop_status set_element(const struct input *in, const struct field_rule *rule,
                                    const struct assignment *as, struct fields *f)
{
    struct path at;
    struct field element, *there;
    enum ocop_status status;
    json_t *v = NULL;

    (void)snprintf(at.text, sizeof at.text, "%.40s[%.50s]", rule->desc->name, as->key);
    status = new_element(in, &at, rule->desc, as->key, &element);
    if (status != OCOP_OK)
        return status;
    there = fields_find(f, element.number, element.key);
    if (as->has_sub) {
        if (there && there->op == FIELD_SET)
            element = *there;
        status = set_sub(in, &at, rule->desc, as->sub, as->value, &element);
    } else if (!*as->value) {
        element = (struct field){
            .number = element.number, .op = FIELD_CLEAR, .type = VALUE_ELEMENT, .key = element.key};
    } else {
        struct span key = element.key;
        status = json_load(in, span_str(as->value), 0, &v);
        if (status == OCOP_OK)
            status = json_element(in, &at, rule->desc, v, key, &element);
        if (status == OCOP_OK && !span_eq(element.key, key))
            status = err_field(in->err, OCOP_EINVAL, at.text, "%s has another key in its value",
                               at.text);
        json_decref(v);
    }
    if (there)
        element.base = there->base;
    return status == OCOP_OK ? put_field(in, f, element) : status;
}

/* "findings=" clears all elements, "findings=[...]" puts these in their place. */
static enum ocop_status set_list(const struct input *in, const struct field_rule *rule,
                                 const char *value, struct fields *f)
{
    struct found found = {NULL, 0, 0};
    enum ocop_status status = OCOP_OK;
    json_t *v = NULL;

    if (*value) {
        status = json_load(in, span_str(value), 0, &v);
        if (status == OCOP_OK)
            status = json_elements(in, rule->desc, v, &found);
        json_decref(v);
    }
    if (status != OCOP_OK)
        return status;
    for (size_t i = 0; i < f->count; i++)
        if (f->v[i].number == rule->number)
            f->v[i].op = FIELD_CLEAR;
    for (size_t i = 0; status == OCOP_OK && i < found.count; i++)
        status = put_field(in, f, found.v[i]);
    return status;
}

enum ocop_status json_set_text(const struct kind *k, const char *assignment, struct id_source *ids,
                               const struct env *env, struct arena *a, struct fields *f,
                               struct ocop_error *err)
{
    const struct input in = {ids, env, a, err};
    const struct path top = {""};
    const ProtobufCFieldDescriptor *d;
    const struct field_rule *rule;
    struct assignment as;
    struct path at;
    struct field put, *there;
    json_t *v = NULL;
    enum ocop_status status;

    if (!parse_assignment(assignment, &as))
        return err_set(err, OCOP_EINVAL,
                       "\"%.80s\" is no assignment; write field=value or list[key].field=value",
                       assignment);
    d = json_member(k->desc, as.name);
    if (!d)
        return json_unknown_name(&in, &top, k->desc, as.name);
    rule = kind_field(k, d->id);
    if (!rule || d->id == FIELD_ID)
        return err_field(err, OCOP_EINVAL, d->name, "%s cannot be set", d->name);
    if (rule_is_list(rule))
        return as.has_key ? set_element(&in, rule, &as, f) : set_list(&in, rule, as.value, f);
    if (as.has_key)
        return err_field(err, OCOP_EINVAL, d->name, "%s is no list", d->name);
    at = json_path(&top, as.name);
    status = typed(&in, as.value, &v);
    if (status == OCOP_OK)
        status = json_scalar(&in, &at, d, v, &put);
    json_decref(v);
    there = fields_find(f, d->id, (struct span){NULL, 0});
    if (status == OCOP_OK && there)
        put.base = there->base;
    return status == OCOP_OK ? put_field(&in, f, put) : status;
}
