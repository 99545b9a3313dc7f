/* The table of rights. Knows neither who asks nor how it is found out. */
#include "rights.h"

#include "err.h"

enum {
    OFFICE = ROLE_REGISTRAR | ROLE_ADMINISTRATOR | ROLE_REGISTRY,
    SETTLE = ROLE_RECONCILER | ROLE_ADMINISTRATOR | ROLE_REGISTRY,
    FIELD = ROLE_INSPECTOR | ROLE_SAMPLER | ROLE_ENVIRONMENT,
    SAMPLING = ROLE_SAMPLER | ROLE_INSPECTOR,
    GREEN = ROLE_ENVIRONMENT | ROLE_INSPECTOR,
    SELF = ROLE_REGISTRY
};

/* Field officers amend and void only what they recorded themselves (rules_permit), but for master
 * data, which anyone in the field may correct. */
static const struct rights kinds[] = {
    /* kind, read, create, amend, add, void, resolve */
    {KIND_UNIT, READ_LISTS, OFFICE, OFFICE, OFFICE, OFFICE, OFFICE | SETTLE},
    {KIND_OFFICER, READ_LISTS, OFFICE, OFFICE, OFFICE, OFFICE, OFFICE | SETTLE},
    {KIND_PRODUCER, READ_MASTER, OFFICE | FIELD, OFFICE | SETTLE | FIELD, OFFICE, OFFICE | SETTLE,
     SETTLE},
    {KIND_PRODUCT, READ_MASTER, OFFICE | FIELD, OFFICE | SETTLE | FIELD, OFFICE, OFFICE | SETTLE,
     SETTLE},
    {KIND_CERTIFICATE, READ_MASTER, OFFICE, OFFICE | SETTLE, OFFICE, OFFICE | SETTLE, SETTLE},
    {KIND_CHECKLIST, READ_LISTS, OFFICE, OFFICE, OFFICE, OFFICE, OFFICE | SETTLE},
    {KIND_CODE_LIST, READ_LISTS, OFFICE, OFFICE, OFFICE, OFFICE, OFFICE | SETTLE},
    {KIND_INSPECTION, READ_FIELD, ROLE_INSPECTOR | SELF, ROLE_INSPECTOR | SETTLE, FIELD | SETTLE,
     ROLE_INSPECTOR | SETTLE, SETTLE},
    {KIND_SAMPLE, READ_SAMPLES, SAMPLING | SELF, SAMPLING | SETTLE,
     FIELD | ROLE_LABORATORY | SETTLE, SAMPLING | SETTLE, SETTLE},
    {KIND_ENVIRONMENTAL_CHECK, READ_FIELD, GREEN | SELF, GREEN | SETTLE, FIELD | SETTLE,
     GREEN | SETTLE, SETTLE},
    {KIND_REPLICA, 0, SELF, SELF, SELF, SELF, SELF},
    {KIND_REGISTRY, 0, SELF, SELF, SELF, SELF, SELF},
    {KIND_ATTACHMENT, READ_FIELD, FIELD | SETTLE, FIELD | SETTLE, SETTLE, FIELD | SETTLE, SETTLE},
};
enum { KINDS = sizeof kinds / sizeof *kinds };
_Static_assert(KINDS == KIND_COUNT_PLUS_1 - 1, "every kind has its row");

/* A laboratory that knows whose sample it has is no witness: it works under the sample's code. */
static const struct field_rights fields[] = {
    {KIND_OFFICER, 13, READ_CONTACTS, 0},                      /* phone */
    {KIND_OFFICER, 14, READ_CONTACTS, 0},                      /* email */
    {KIND_OFFICER, 15, 0, ROLE_ADMINISTRATOR | ROLE_REGISTRY}, /* roles */
    {KIND_SAMPLE, FIELD_OFFICER, READ_FIELD, 0},               /* who took it */
    {KIND_SAMPLE, 10, READ_FIELD, 0},                          /* producer_id */
    {KIND_SAMPLE, 11, READ_FIELD, 0},                          /* product_id */
    {KIND_SAMPLE, 12, READ_FIELD, 0},                          /* inspection_id */
    {KIND_SAMPLE, 15, READ_FIELD, 0},                          /* place */
    {KIND_SAMPLE, 16, READ_FIELD, 0},                          /* decision_no */
    {KIND_SAMPLE, 18, READ_FIELD, 0},                          /* lot_code */
    {KIND_SAMPLE, 29, READ_FIELD, 0},                          /* declaration_no */
    {KIND_SAMPLE, 33, READ_FIELD, 0},                          /* participants */
    {KIND_SAMPLE, 36, READ_FIELD, 0},                          /* lat_e6 */
    {KIND_SAMPLE, 37, READ_FIELD, 0},                          /* lon_e6 */
    {KIND_SAMPLE, 38, READ_FIELD, 0},                          /* notes */
    {KIND_SAMPLE, 39, READ_FIELD, 0},                          /* lot_origin */
    {KIND_SAMPLE, 40, READ_FIELD, 0},                          /* supplier */
    {KIND_SAMPLE, 41, READ_FIELD, 0},                          /* manufacturer */
    {KIND_SAMPLE, 42, READ_FIELD, 0},                          /* environmental_check_id */
    {KIND_ATTACHMENT, ATTACHMENT_REMOVED_MS, 0, SELF},
    {KIND_ATTACHMENT, ATTACHMENT_REMOVED_BY, 0, SELF},
    {KIND_ATTACHMENT, ATTACHMENT_REMOVED_REASON, 0, SELF},
    {KIND_ATTACHMENT, ATTACHMENT_HOLD_REASON, 0, SELF},
};
enum { FIELDS = sizeof fields / sizeof *fields };

const struct rights *rights_at(size_t i)
{
    return i < KINDS ? &kinds[i] : NULL;
}

const struct field_rights *field_rights_at(size_t i)
{
    return i < FIELDS ? &fields[i] : NULL;
}

const struct rights *rights_of(const struct kind *k)
{
    CHECK(k->number >= 1 && k->number <= KINDS && kinds[k->number - 1].kind == k->number);
    return &kinds[k->number - 1];
}

const struct field_rights *rights_of_field(const struct kind *k, uint32_t number)
{
    if (number >= 64 || !(k->guarded >> number & 1))
        return NULL;
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].kind == k->number && fields[i].number == number)
            return &fields[i];
    return NULL;
}

unsigned rights_reading(unsigned roles)
{
    unsigned reading = READ_LISTS;

    if (roles & ROLE_LABORATORY)
        reading |= READ_SAMPLES;
    if (roles & (FIELD | ROLE_EVALUATOR | ROLE_VIEWER))
        reading |= READ_USUAL;
    if (roles & (OFFICE | SETTLE))
        reading |= READ_ALL;
    return reading;
}

bool rights_kind_readable(const struct kind *k, unsigned reading)
{
    return (reading & (k ? rights_of(k)->read : READ_FIELD)) != 0;
}

bool rights_all_readable(const struct kind *k, unsigned reading)
{
    for (size_t i = 0; k && k->guarded && i < FIELDS; i++)
        if (fields[i].kind == k->number && (reading & fields[i].read) != fields[i].read)
            return false;
    return true;
}

bool rights_field_readable(const struct kind *k, uint32_t number, unsigned reading)
{
    if (!k || !k->guarded || reading == READ_ALL)
        return true;
    const struct field_rights *own = rights_of_field(k, number);
    if (own)
        return (reading & own->read) == own->read;
    return kind_field(k, number) || rights_all_readable(k, reading);
}
