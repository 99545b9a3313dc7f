/* ocop_verify_evidence: a bundle's file in, its story and what holds of it out. Needs no store. */
#include <stdlib.h>

#include "record_api.h"
#include "story.h"

static void summary_fill(const struct evidence *e, const uint8_t root_key[SIGN_PUBLIC_LEN],
                         bool known, struct ocop_evidence *out)
{
    const Ocop__Evidence__Bundle *b = e->bundle;

    out->holds = e->finding_count == 0;
    out->root_key_known = known;
    memcpy(out->root_key, root_key, SIGN_PUBLIC_LEN);
    memcpy(out->record.b, e->record.b, ID_LEN);
    out->made_ms = b->made_ms;
    out->head_version = b->head_version;
    out->changes = (unsigned)e->change_count;
    out->cases = (unsigned)e->case_count;
    out->signatures = (unsigned)e->signatures;
    out->links = (unsigned)e->links;
    out->findings = (unsigned)e->finding_count;
}

enum ocop_status ocop_verify_evidence(const void *file, size_t len, const uint8_t *root_key,
                                      bool json, char **story, struct ocop_evidence *out,
                                      struct ocop_error *err)
{
    uint8_t named[SIGN_PUBLIC_LEN];
    Ocop__Evidence__Bundle *bundle;
    struct evidence e;
    struct arena a;
    struct buf text;

    *story = NULL;
    memset(out, 0, sizeof *out);
    client_init();
    arena_init(&a, EVIDENCE_ARENA_MAX);
    buf_init(&text, EVIDENCE_ARENA_MAX);
    enum ocop_status st = evidence_open(span_of(file, len), &a, named, &bundle, err);
    if (!st)
        st = evidence_check(bundle, named, &a, &e, err);
    /* A root that took the place of the one that is trusted is as good. */
    if (!st && root_key && !root_chain_leads(&e.roots, root_key, named))
        st =
            err_set(err, OCOP_EAUTH,
                    "the bundle is whole, but signed by another registry than the one of this key");
    if (!st)
        st = json ? story_json(&e, &text, err) : story_text(&e, &text, err);
    if (!st) {
        *story = strdup(buf_cstr(&text));
        st = *story ? OCOP_OK : err_nomem(err);
    }
    if (!st)
        summary_fill(&e, named, root_key != NULL, out);
    buf_fini(&text);
    arena_fini(&a);
    return st;
}
