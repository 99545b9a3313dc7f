/* Walks over the references of a record or a change. Knows the table of kinds; whether a target is
 * there is for those to find out who have the records. */
#include "references.h"

#include <stdio.h>

/* The next reference among the fields of the element at hand. */
static bool next_of_element(struct reference_walk *w)
{
    for (; w->item && w->item->number; w->item++) {
        struct field v;
        if (w->item->check != CHECK_REF || !element_get(w->field->bytes, w->item->number, &v) ||
            !id_from(v.bytes, &w->target))
            continue;
        w->rule = w->item++;
        return true;
    }
    w->item = NULL;
    return false;
}

bool reference_next(struct reference_walk *w)
{
    if (next_of_element(w))
        return true;
    while (w->kind && w->next < w->fields->count) {
        w->field = &w->fields->v[w->next++];
        w->rule = kind_field(w->kind, w->field->number);
        if (!w->rule || w->field->op != FIELD_SET)
            continue;
        if (w->field->type == VALUE_ELEMENT) {
            w->item = w->rule->items;
            if (next_of_element(w))
                return true;
        } else if (w->rule->check == CHECK_REF && w->field->type == VALUE_BYTES &&
                   id_from(w->field->bytes, &w->target)) {
            return true;
        }
    }
    return false;
}

const char *reference_path(const struct reference_walk *w, char *out, size_t room)
{
    field_path(w->kind, w->field, out, room);
    if (w->field->type != VALUE_ELEMENT)
        return out;
    const struct field_rule *list = kind_field(w->kind, w->field->number);
    const ProtobufCFieldDescriptor *d =
        list ? protobuf_c_message_descriptor_get_field(list->desc->descriptor, w->rule->number)
             : NULL;
    const size_t used = strlen(out);
    (void)snprintf(out + used, room - used, ".%s", d ? d->name : "?");
    return out;
}
