/* Results of one row, as JSON and as CSV. Knows no records. */
#include "members.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "lastSyncMs" -> "last_sync_ms" */
static void put_title(struct out *o, const char *name)
{
    for (const char *c = name; *c; c++) {
        const bool capital = *c >= 'A' && *c <= 'Z';
        char letter = capital ? (char)(*c - 'A' + 'a') : *c;
        out_put(o, "_", capital);
        out_put(o, &letter, 1);
    }
}

/* What stands before a member's value in both forms. */
static void begin(struct members *m, const char *name)
{
    const bool first = m->titles.len == 0;

    out_printf(&m->json, "%s\"%s\":", first ? "" : ",", name);
    out_put(&m->titles, ",", !first);
    put_title(&m->titles, name);
    out_put(&m->cells, ",", !first);
}

void members_text(struct members *m, const char *name, const char *text)
{
    begin(m, name);
    out_json(&m->json, text);
    out_csv(&m->cells, text, true);
}

void members_raw(struct members *m, const char *name, const char *json)
{
    begin(m, name);
    out_str(&m->json, json);
    if (strcmp(json, "null") != 0)
        out_csv(&m->cells, json, false);
}

void members_number(struct members *m, const char *name, int64_t n)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, n);
    members_raw(m, name, text);
}

void members_truth(struct members *m, const char *name, bool b)
{
    members_raw(m, name, b ? "true" : "false");
}

void members_print(struct members *m, bool csv, struct out *o)
{
    o->failed = o->failed || m->json.failed || m->titles.failed || m->cells.failed;
    if (csv)
        out_printf(o, "%s\r\n%s\r\n", out_text(&m->titles), out_text(&m->cells));
    else
        out_printf(o, "{%s}\n", out_text(&m->json));
    out_fini(&m->json);
    out_fini(&m->titles);
    out_fini(&m->cells);
}
