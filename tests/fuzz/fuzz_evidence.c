/* A bundle of evidence: as a file from a stranger, and, behind a signature that is good, its
 * story, which is then checked and told with the contents that it carries. The first 32 bytes of an
 * input are the root key by which. */
#include "bounds.h"
#include "content_carried.h"
#include "fixed_env.h"
#include "fuzz.h"
#include "story.h"

static enum ocop_status count(void *self, struct span piece, struct ocop_error *err)
{
    (void)err;
    *(size_t *)self += piece.len;
    return OCOP_OK;
}

/* `in` stands behind the story. */
static void tell(const Ocop__Evidence__Bundle *bundle, const uint8_t *root_key,
                 const struct evidence_source *in, struct arena *a)
{
    struct evidence e;
    struct buf text;
    size_t written = 0, whole = 0;
    const struct carried_sink sink = {.write = count, .self = &written};
    buf_init(&text, MIB(64));
    if (evidence_check(bundle, root_key, a, &e, NULL) == OCOP_OK &&
        carried_read(&e, in, &sink, a, NULL) == OCOP_OK) {
        CHECK(e.set_count == bundle->n_sets && e.case_count == bundle->n_cases);
        for (size_t i = 0; i < e.file_count; i++)
            whole += e.files[i].carried == CARRIED_WHOLE;
        CHECK(whole == 0 || written > 0);
        if (story_text(&e, &text, NULL) == OCOP_OK)
            CHECK(text.len > 0);
        if (story_json(&e, &text, NULL) == OCOP_OK)
            CHECK(text.p[text.len - 2] == '}');
    }
    buf_fini(&text);
}

/* The file of this story, signed; behind it what a content of the corpus is. */
static void seal(struct span packed, struct buf *out)
{
    struct fixed_env env;
    struct sign_key key;
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff};
    fixed_env_init(&env, 1);
    sign_key_new(&key, &env.env);
    CHECK(evidence_seal_packed(packed, &key, out, NULL) == OCOP_OK);
    for (size_t i = 0; i < 100; i++)
        buf_byte(out, jpeg[i % sizeof jpeg]);
}

static void read(struct span file, const uint8_t *root_key)
{
    uint8_t key[SIGN_PUBLIC_LEN];
    Ocop__Evidence__Bundle *bundle;
    struct arena a;
    const struct evidence_source in = evidence_source_of(&file);
    arena_init(&a, MIB(128));
    if (evidence_open(&in, &a, key, &bundle, NULL) == OCOP_OK)
        tell(bundle, root_key ? root_key : key, &in, &a);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t root_key[SIGN_PUBLIC_LEN] = {0};
    struct buf file;
    const size_t at = size < SIGN_PUBLIC_LEN ? size : SIGN_PUBLIC_LEN;
    kinds_init();
    memcpy(root_key, data, at);
    read(span_of(data, size), NULL);
    buf_init(&file, MIB(8));
    seal(span_of(data + at, size - at), &file);
    read(buf_span(&file), root_key);
    buf_fini(&file);
    return 0;
}
