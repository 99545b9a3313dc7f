/* The log as lines, and the story of one record. */
#include <inttypes.h>

#include "bounds.h"
#include "enrol.h"
#include "evidence_make.h"
#include "registry_past.h"
#include "show.h"
#include "story.h"

static enum ocop_status show_entry(struct registry *r, const struct log_entry *entry,
                                   struct arena *a, FILE *out, struct ocop_error *err)
{
    struct change_set set;
    char id[ID_TEXT_LEN + 1];

    enum ocop_status st = changeset_open(entry->body, a, &set, err);
    if (st != OCOP_OK)
        return st;
    fprintf(out, "%" PRIu64 "\t", entry->version);
    show_moment(out, entry->received_ms);
    fprintf(out, "\t%s\t%" PRIu64 "\t%zu changes\t%zu bytes\t", id_text(set.replica, id), set.seq,
            set.changes.count, entry->body.len);
    st = show_label(r, KIND_REPLICA, &set.replica, out, err);
    fputc('\n', out);
    return st;
}

enum ocop_status show_log(struct registry *r, uint64_t from, uint64_t limit, FILE *out,
                          struct ocop_error *err)
{
    struct arena a;
    struct log_entry entry;
    uint64_t end;

    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = registry_version(r, &end, err);
    for (uint64_t v = from ? from : 1; st == OCOP_OK && v <= end && limit-- > 0; v++) {
        st = log_read(r, v, &entry, err);
        if (st == OCOP_OK)
            st = show_entry(r, &entry, &a, out, err);
        arena_reset(&a);
    }
    arena_fini(&a);
    return st;
}

enum ocop_status show_story(struct registry *r, const struct id *record, const uint8_t *root_key,
                            bool json, FILE *out, struct ocop_error *err)
{
    struct arena a;
    struct buf text;
    struct field first;
    bool found = false;
    Ocop__Evidence__Bundle *bundle;
    struct evidence e;

    arena_init(&a, EVIDENCE_ARENA_MAX);
    buf_init(&text, EVIDENCE_ARENA_MAX);
    /* The key of the registry's first set is the root. */
    enum ocop_status st =
        past_value(r, KIND_REPLICA, &r->self, REPLICA_SIGN_KEY, 1, &a, &first, &found, err);
    if (st == OCOP_OK && !root_key && (!found || first.bytes.len != SIGN_PUBLIC_LEN))
        st = err_set(err, OCOP_EDAMAGED, "the registry does not name its root key");
    if (st == OCOP_OK)
        st = evidence_make(r, record, NULL, &a, &bundle, err);
    if (st == OCOP_OK)
        st = evidence_check(bundle, root_key ? root_key : first.bytes.p, &a, &e, err);
    if (st == OCOP_OK)
        st = json ? story_json(&e, &text, err) : story_text(&e, &text, err);
    if (st == OCOP_OK)
        fwrite(text.p, 1, text.len, out);
    if (st == OCOP_OK && e.finding_count)
        st = err_set(err, OCOP_EDAMAGED, "the story of this record does not hold: %s",
                     e.findings[0]);
    buf_fini(&text);
    arena_fini(&a);
    return st;
}
