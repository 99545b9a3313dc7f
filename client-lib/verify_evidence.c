/* ocop_verify_evidence: a bundle in, its story and what holds of it out. Needs no store. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "extract.h"
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
    out->files = (unsigned)e->file_count;
    for (size_t i = 0; i < e->file_count; i++) {
        out->files_whole += e->files[i].carried == CARRIED_WHOLE;
        out->files_damaged += e->files[i].carried == CARRIED_DAMAGED;
        out->files_cut += e->files[i].carried == CARRIED_CUT;
    }
}

/* What is checked, and by which key; what is told of it. */
struct verifying {
    const struct evidence_source *in;
    const uint8_t *root_key; /* NULL: that which the bundle names */
    const char *folder;      /* NULL: contents go nowhere */
    bool json;
    struct arena a;
    struct buf text;
};

static enum ocop_status contents(struct verifying *v, struct evidence *e, struct ocop_error *err)
{
    static const struct carried_sink nowhere;
    struct extract x;
    enum ocop_status st;

    if (!v->folder)
        return carried_read(e, v->in, &nowhere, &v->a, err);
    st = extract_open(&x, v->folder, &v->a, err);
    if (!st) {
        const struct carried_sink sink = extract_sink(&x);
        st = carried_read(e, v->in, &sink, &v->a, err);
    }
    extract_close(&x);
    return st;
}

static enum ocop_status verify(struct verifying *v, struct ocop_evidence *out,
                               struct ocop_error *err)
{
    uint8_t named[SIGN_PUBLIC_LEN];
    Ocop__Evidence__Bundle *bundle;
    struct evidence e;
    enum ocop_status st = evidence_open(v->in, &v->a, named, &bundle, err);

    if (!st)
        st = evidence_check(bundle, named, &v->a, &e, err);
    /* A root that took the place of the one that is trusted is as good. */
    if (!st && v->root_key && !root_chain_leads(&e.roots, v->root_key, named))
        st =
            err_set(err, OCOP_EAUTH,
                    "the bundle is whole, but signed by another registry than the one of this key");
    if (!st)
        st = contents(v, &e, err);
    if (!st)
        st = v->json ? story_json(&e, &v->text, err) : story_text(&e, &v->text, err);
    if (!st)
        summary_fill(&e, named, v->root_key != NULL, out);
    return st;
}

static enum ocop_status tell(struct verifying *v, char **story, struct ocop_evidence *out,
                             struct ocop_error *err)
{
    enum ocop_status st;

    *story = NULL;
    memset(out, 0, sizeof *out);
    client_init();
    arena_init(&v->a, EVIDENCE_ARENA_MAX);
    buf_init(&v->text, EVIDENCE_ARENA_MAX);
    st = verify(v, out, err);
    if (!st) {
        *story = strdup(buf_cstr(&v->text));
        st = *story ? OCOP_OK : err_nomem(err);
    }
    if (st)
        memset(out, 0, sizeof *out);
    buf_fini(&v->text);
    arena_fini(&v->a);
    return st;
}

enum ocop_status ocop_verify_evidence(const void *file, size_t len, const uint8_t *root_key,
                                      bool json, char **story, struct ocop_evidence *out,
                                      struct ocop_error *err)
{
    struct span left = span_of(file, len);
    const struct evidence_source in = evidence_source_of(&left);
    struct verifying v = {.in = &in, .root_key = root_key, .json = json};

    return tell(&v, story, out, err);
}

/* A pipe gives less at a time than is asked for. */
static enum ocop_status fd_read(void *self, void *out, size_t len, size_t *got,
                                struct ocop_error *err)
{
    const int *fd = self;

    *got = 0;
    while (*got < len) {
        ssize_t n = read(*fd, (char *)out + *got, len - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, OCOP_EIO, "the bundle cannot be read: %m");
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return OCOP_OK;
}

enum ocop_status ocop_verify_evidence_fd(int fd, const uint8_t *root_key, const char *folder,
                                         bool json, char **story, struct ocop_evidence *out,
                                         struct ocop_error *err)
{
    const struct evidence_source in = {fd_read, &fd};
    struct verifying v = {.in = &in, .root_key = root_key, .folder = folder, .json = json};

    return tell(&v, story, out, err);
}
