/* A bundle of evidence: as a file from a stranger, and, behind a signature that is good, its
 * content, which is then checked and told. The first 32 bytes of an input are the root key by
 * which. */
#include "bounds.h"
#include "evidence.h"
#include "fixed_env.h"
#include "fuzz.h"
#include "story.h"
#include "zip.h"

static void tell(const Ocop__Evidence__Bundle *bundle, const uint8_t *root_key, struct arena *a)
{
    struct evidence e;
    struct buf text;
    buf_init(&text, MIB(64));
    if (evidence_check(bundle, root_key, a, &e, NULL) == OCOP_OK) {
        CHECK(e.set_count == bundle->n_sets && e.case_count == bundle->n_cases);
        if (story_text(&e, &text, NULL) == OCOP_OK)
            CHECK(text.len > 0);
        if (story_json(&e, &text, NULL) == OCOP_OK)
            CHECK(text.p[text.len - 2] == '}');
    }
    buf_fini(&text);
}

/* The file of this content, signed. */
static void seal(struct span packed, struct buf *out)
{
    struct fixed_env env;
    struct sign_key key;
    uint8_t head[EVIDENCE_HEAD_LEN] = "OCOPEVID\1", signature[SIGNATURE_LEN];
    struct buf body;
    fixed_env_init(&env, 1);
    sign_key_new(&key, &env.env);
    memcpy(head + 9, key.public_key, SIGN_PUBLIC_LEN);
    buf_init(&body, MIB(8));
    CHECK(zip_deflate(packed, 1, &body, NULL) == OCOP_OK);
    CHECK(statement_sign(span_of(head, sizeof head), buf_span(&body), &key, signature, NULL) ==
          OCOP_OK);
    buf_put(out, head, sizeof head);
    buf_put(out, signature, sizeof signature);
    buf_put(out, body.p, body.len);
    buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t key[SIGN_PUBLIC_LEN], root_key[SIGN_PUBLIC_LEN] = {0};
    Ocop__Evidence__Bundle *bundle;
    struct arena a;
    struct buf file;
    const size_t at = size < SIGN_PUBLIC_LEN ? size : SIGN_PUBLIC_LEN;
    kinds_init();
    memcpy(root_key, data, at);
    arena_init(&a, MIB(128));
    if (evidence_open(span_of(data, size), &a, key, &bundle, NULL) == OCOP_OK)
        tell(bundle, key, &a);
    buf_init(&file, MIB(8));
    seal(span_of(data + at, size - at), &file);
    if (evidence_open(buf_span(&file), &a, key, &bundle, NULL) == OCOP_OK)
        tell(bundle, root_key, &a);
    buf_fini(&file);
    arena_fini(&a);
    return 0;
}
