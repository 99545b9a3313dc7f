/* Change-sets: what is sealed opens, and nothing else does. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "changeset.h"
#include "zip.h"

#define GOLDEN "tests/data/changeset-v1.bin"
#define GOLDEN_ZLIB "tests/data/changeset-v1-zlib.bin"

struct world {
    struct arena a;
    struct ocop_error err;
    struct sign_key key;
    uint64_t seed;
};

static uint64_t draw(struct world *w)
{
    uint64_t x = w->seed += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Keys that are the same every day: 0, 1, 2, ... */
static void counted(void *self, void *out, size_t len)
{
    (void)self;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)i;
}

static int world_open(void **state)
{
    static struct world w;
    static const struct env env = {.random = counted};

    w = (struct world){.seed = 148};
    kinds_init();
    arena_init(&w.a, ARENA_REQUEST_MAX);
    sign_key_new(&w.key, &env);
    *state = &w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;

    sign_key_wipe(&w->key);
    arena_fini(&w->a);
    return 0;
}

static void ok(struct world *w, enum ocop_status status)
{
    if (status != OCOP_OK)
        fail_msg("%s %s: %s", err_name(status), w->err.field, w->err.text);
}

static struct id make_id(uint8_t first, uint8_t last)
{
    struct id id = {{first, 2, 3, 4, 5, 6, 0x87, 8, 0x89, 10, 11, 12, 0, 0, 0, last}};

    return id;
}

/* One of each verb and each type of value. */
static struct changes golden_changes(void)
{
    static struct field fields[3][5];
    static struct change changes[3];
    static uint8_t answer[] = {0x0a, 4, 'N', 'C', '.', '1', 0x12, 4, 'p', 'a', 's', 's'};
    struct span key = span_str("NC.1"), none = {NULL, 0};
    const struct field all[3][5] = {
        {{4, FIELD_SET, VALUE_INT, none, INT64_C(1785888000000), none, 0},
         {20, FIELD_SET, VALUE_BYTES, none, 0, span_str("BB-24664-2026-017-0003"), 0},
         {23, FIELD_SET, VALUE_INT, none, -20950000, none, 0},
         {29, FIELD_SET, VALUE_ELEMENT, key, 0, span_of(answer, sizeof answer), 0},
         {34, FIELD_SET, VALUE_BYTES, none, 0, span_str("Hồ sơ còn thiếu tờ khai"), 0}},
        {{26, FIELD_SET, VALUE_BYTES, none, 0, span_str("fail"), 41},
         {27, FIELD_CLEAR, VALUE_INT, none, 0, none, 40},
         {29, FIELD_CLEAR, VALUE_ELEMENT, key, 0, none, 41}},
        {{7, FIELD_SET, VALUE_BYTES, none, 0, span_str("Trùng biên bản"), 12}}};
    static const size_t counts[] = {5, 3, 1};
    static const uint8_t verbs[] = {VERB_CREATE, VERB_AMEND, VERB_VOID};

    memcpy(fields, all, sizeof fields);
    for (size_t i = 0; i < 3; i++)
        changes[i] = (struct change){.kind = i == 2 ? KIND_SAMPLE : KIND_INSPECTION,
                                     .verb = verbs[i],
                                     .record = make_id(1, (uint8_t)(i + 1)),
                                     .author = make_id(9, 7),
                                     .device_time_ms = INT64_C(1785888000000) + (int64_t)i,
                                     .base = i == 0   ? 0
                                             : i == 1 ? 41
                                                      : 12,
                                     .fields = {fields[i], counts[i]}};
    changes[1].reason = span_str("Kết quả kiểm nghiệm đã có");
    return (struct changes){changes, 3};
}

static struct change_set golden_set(void)
{
    struct change_set set = {.replica = make_id(1, 0),
                             .seq = 2,
                             .device_time_ms = INT64_C(1785888060000),
                             .schema = 1,
                             .lineage = make_id(0xee, 1),
                             .predecessor = make_id(2, 0),
                             .predecessor_seq = 17,
                             .changes = golden_changes()};

    memset(set.prev_hash, 0xab, HASH_LEN);
    memset(set.predecessor_hash, 0xcd, HASH_LEN);
    return set;
}

/* The canonical body of what was sealed: a small set is sealed as it is. */
static struct span inflated(struct world *w, struct span body)
{
    struct span out;

    if (body.len && body.p[0] == 0x0a)
        return span_of(arena_dup(&w->a, body.p, body.len), body.len);
    ok(w, zip_inflate(body, SET_BODY_BYTES_MAX, &w->a, &out, &w->err));
    return out;
}

static struct span deflated(struct world *w, struct span s)
{
    struct buf b;

    buf_init(&b, MIB(16));
    ok(w, zip_deflate(s, 9, &b, &w->err));
    struct span out = span_of(arena_dup(&w->a, b.p, b.len), b.len);
    assert_non_null(out.p);
    buf_fini(&b);
    return out;
}

static void same_header(const struct change_set *a, const struct change_set *b)
{
    assert_true(id_eq(&a->replica, &b->replica));
    assert_int_equal(a->seq, b->seq);
    assert_memory_equal(a->prev_hash, b->prev_hash, HASH_LEN);
    assert_int_equal(a->device_time_ms, b->device_time_ms);
    assert_int_equal(a->schema, b->schema);
    assert_true(id_eq(&a->lineage, &b->lineage));
    assert_true(id_eq(&a->predecessor, &b->predecessor));
    assert_int_equal(a->predecessor_seq, b->predecessor_seq);
    assert_memory_equal(a->predecessor_hash, b->predecessor_hash, HASH_LEN);
    assert_true(span_eq(a->given_up, b->given_up));
    assert_memory_equal(a->hash, b->hash, HASH_LEN);
}

static void same_changes(struct world *w, struct changes a, struct changes b)
{
    struct buf x, y;

    buf_init(&x, MIB(1));
    buf_init(&y, MIB(1));
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        ok(w, change_pack(&a.v[i], &x, &w->err));
        ok(w, change_pack(&b.v[i], &y, &w->err));
    }
    assert_true(span_eq(buf_span(&x), buf_span(&y)));
    buf_fini(&x);
    buf_fini(&y);
}

static void a_sealed_set_opens_as_it_was(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set(), back, head;
    const struct id given_up[2] = {make_id(3, 0), make_id(4, 0)};
    struct sealed sealed;

    set.given_up = span_of(given_up, sizeof given_up);
    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    assert_memory_equal(set.hash, sealed.hash, HASH_LEN);
    ok(w, changeset_open(sealed.body, &w->a, &back, &w->err));
    same_header(&set, &back);
    same_changes(w, set.changes, back.changes);
    ok(w, changeset_peek(sealed.body, &w->a, &head, &w->err));
    same_header(&set, &head);
    assert_int_equal(head.changes.count, 0);
    ok(w, changeset_verify(back.hash, sealed.signature, w->key.public_key, &w->err));
}

static void a_wrong_signature_is_refused(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set();
    struct sealed sealed;
    uint8_t other[HASH_LEN];

    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    for (size_t i = 0; i < SIGNATURE_LEN; i++) {
        sealed.signature[i] ^= 1;
        assert_int_equal(changeset_verify(set.hash, sealed.signature, w->key.public_key, &w->err),
                         OCOP_EAUTH);
        sealed.signature[i] ^= 1;
    }
    memcpy(other, set.hash, HASH_LEN);
    other[31] ^= 0x80;
    assert_int_equal(changeset_verify(other, sealed.signature, w->key.public_key, NULL),
                     OCOP_EAUTH);
    other[31] ^= 0x80;
    ok(w, changeset_verify(other, sealed.signature, w->key.public_key, &w->err));
}

static void a_bomb_does_not_go_off(void **state)
{
    struct world *w = *state;
    struct change_set set;
    uint8_t *zeros = calloc(1, SET_BODY_BYTES_MAX + 1);

    assert_non_null(zeros);
    struct span bomb = deflated(w, span_of(zeros, SET_BODY_BYTES_MAX + 1));
    free(zeros);
    assert_true(bomb.len < KIB(5));
    assert_int_equal(changeset_open(bomb, &w->a, &set, &w->err), OCOP_ELIMIT);
    assert_int_equal(changeset_peek(bomb, &w->a, &set, &w->err), OCOP_ELIMIT);
    assert_true(id_is_zero(&set.replica));
}

static void no_part_of_a_set_opens(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set(), out;
    struct sealed sealed;
    struct arena a;

    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    struct span body = inflated(w, sealed.body);
    arena_init(&a, ARENA_REQUEST_MAX);
    for (size_t len = 0; len < sealed.body.len; len++, arena_reset(&a))
        assert_int_equal(changeset_open(span_of(sealed.body.p, len), &a, &out, NULL), OCOP_EPROTO);
    for (size_t len = 0; len < body.len; len++, arena_reset(&w->a)) {
        uint8_t cut[1024];
        assert_true(len < sizeof cut);
        if (len == 0)
            ok(w, changeset_seal(&set, &w->key, &a, &sealed, &w->err));
        /* The arena forgets the body, so it is inflated again. */
        struct span whole = inflated(w, sealed.body);
        memcpy(cut, whole.p, len);
        assert_int_equal(changeset_open(deflated(w, span_of(cut, len)), &w->a, &out, NULL),
                         OCOP_EPROTO);
    }
    arena_fini(&a);
}

static void mutated_sets_do_no_harm(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set(), out, head;
    struct sealed sealed;
    struct arena a;
    uint8_t body[1024], hash[HASH_LEN];
    size_t opened = 0;

    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    struct span whole = inflated(w, sealed.body);
    memcpy(hash, set.hash, HASH_LEN);
    assert_true(whole.len <= sizeof body);
    arena_init(&a, ARENA_REQUEST_MAX);
    for (unsigned round = 0; round < 20000; round++, arena_reset(&a)) {
        struct buf zip;
        memcpy(body, whole.p, whole.len);
        for (uint64_t n = 1 + draw(w) % 3; n > 0; n--)
            body[draw(w) % whole.len] ^= (uint8_t)(1 + draw(w) % 255);
        buf_init(&zip, MIB(1));
        ok(w, zip_deflate(span_of(body, whole.len), 1, &zip, &w->err));
        enum ocop_status st = changeset_open(buf_span(&zip), &a, &out, NULL);
        enum ocop_status peeked = changeset_peek(buf_span(&zip), &a, &head, NULL);
        assert_true(st == OCOP_OK || st == OCOP_EPROTO || st == OCOP_ELIMIT);
        assert_true(peeked == OCOP_OK || st != OCOP_OK);
        if (st == OCOP_OK) {
            same_header(&out, &head);
            opened += memcmp(out.hash, hash, HASH_LEN) != 0;
        }
        buf_fini(&zip);
    }
    arena_fini(&a);
    assert_true(opened > 100); /* other values, other hash: what the signature is for */
}

/* The head and the hash of the rest stand for the set, and for no other. */
static void a_link_has_the_hash_and_header_of_its_set(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set(), link;
    struct sealed sealed;
    uint8_t bytes[512];

    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    const size_t len = set.head.len;
    assert_true(len > 100 && len + HASH_LEN <= sizeof bytes);
    ok(w, changeset_link(set.head, set.changes_hash, &link, &w->err));
    assert_memory_equal(link.hash, set.hash, HASH_LEN);
    same_header(&set, &link);
    for (size_t bit = 0; bit < 8 * (len + HASH_LEN); bit++) {
        memcpy(bytes, set.head.p, len);
        memcpy(bytes + len, set.changes_hash, HASH_LEN);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (changeset_link(span_of(bytes, len), bytes + len, &link, NULL) == OCOP_OK)
            assert_memory_not_equal(link.hash, set.hash, HASH_LEN);
    }
    struct span whole = inflated(w, sealed.body);
    assert_int_equal(changeset_link(whole, set.changes_hash, &link, NULL), OCOP_EPROTO);
    assert_int_equal(changeset_link(span_of(set.head.p, len - 1), set.changes_hash, &link, NULL),
                     OCOP_EPROTO);
}

/* --- limits --- */

static void put_message(struct buf *b, uint32_t number, struct span s)
{
    buf_varint(b, (uint64_t)number << 3 | 2);
    buf_varint(b, s.len);
    buf_put(b, s.p, s.len);
}

static void columns_nested_without_end_are_refused_before_they_are_unpacked(void **state)
{
    struct world *w = *state;
    struct change_set out;
    struct buf inner, outer;
    struct id replica = make_id(1, 0);

    enum { DEPTH = 40000 };

    buf_init(&inner, MIB(1));
    buf_init(&outer, MIB(1));
    /* Written from the inside out it would be quadratic; lengths are known beforehand instead. */
    size_t *len = calloc(DEPTH + 1, sizeof *len);
    assert_non_null(len);
    for (size_t i = 1; i <= DEPTH; i++) {
        size_t below = len[i - 1], size = 1;
        for (size_t v = below; v >= 0x80; v >>= 7)
            size++;
        len[i] = 1 + size + below;
    }
    for (size_t i = DEPTH; i > 0; i--) {
        buf_varint(&inner, (i == DEPTH ? UINT64_C(11) : UINT64_C(8)) << 3 | 2);
        buf_varint(&inner, len[i - 1]);
    }
    put_message(&outer, 1, id_span(&replica));
    buf_varint(&outer, 2 << 3);
    buf_varint(&outer, 1);
    put_message(&outer, 10, buf_span(&inner));
    assert_false(inner.failed || outer.failed);
    assert_int_equal(changeset_open(deflated(w, buf_span(&outer)), &w->a, &out, &w->err),
                     OCOP_EPROTO);
    static const uint32_t path[] = {10};
    assert_false(columns_shallow(buf_span(&outer), path, 1));
    free(len);
    buf_fini(&inner);
    buf_fini(&outer);
}

/* What is too much of something; each is refused when sealed. */
static void what_is_beyond_a_limit_is_not_sealed(void **state)
{
    struct world *w = *state;
    struct sealed sealed;
    struct change_set set = golden_set();
    struct change *many = calloc(SET_CHANGES_MAX + 1, sizeof *many);
    struct field *fields = calloc(FIELDS_MAX + 1, sizeof *fields);
    uint8_t *big = calloc(1, RECORD_BYTES_MAX + 1);

    assert_true(many && fields && big);
    for (size_t i = 0; i <= SET_CHANGES_MAX; i++)
        many[i] = (struct change){.kind = 1, .verb = VERB_CREATE, .record = make_id(3, 3)};
    set.changes = (struct changes){many, SET_CHANGES_MAX + 1};
    assert_int_equal(changeset_seal(&set, &w->key, &w->a, &sealed, &w->err), OCOP_ELIMIT);
    set.changes.count = SET_CHANGES_MAX;
    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));

    for (uint32_t i = 0; i <= FIELDS_MAX; i++)
        fields[i] = (struct field){.number = 10 + i, .op = FIELD_SET, .type = VALUE_INT, .i = 1};
    set.changes.count = 1;
    many[0].fields = (struct fields){fields, FIELDS_MAX + 1};
    assert_int_equal(changeset_seal(&set, &w->key, &w->a, &sealed, &w->err), OCOP_ELIMIT);
    many[0].fields.count = FIELDS_MAX;
    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));

    many[0].fields.count = 1;
    fields[0] = (struct field){.number = 10,
                               .op = FIELD_SET,
                               .type = VALUE_BYTES,
                               .bytes = span_of(big, RECORD_BYTES_MAX + 1)};
    assert_int_equal(changeset_seal(&set, &w->key, &w->a, &sealed, &w->err), OCOP_ELIMIT);
    fields[0].bytes.len--;
    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    many[0].reason = span_of(big, REASON_BYTES_MAX + 1);
    assert_int_equal(changeset_seal(&set, &w->key, &w->a, &sealed, &w->err), OCOP_ELIMIT);
    free(many);
    free(fields);
    free(big);
}

static void a_list_beyond_its_limit_is_not_sealed(void **state)
{
    struct world *w = *state;
    static struct field items[LIST_ITEMS_MAX + 1];
    static uint8_t packed[LIST_ITEMS_MAX + 1][6];
    struct change c = {.kind = KIND_INSPECTION, .verb = VERB_CREATE, .record = make_id(3, 3)};
    struct change_set set = golden_set(), back;
    struct sealed sealed;

    for (size_t i = 0; i <= LIST_ITEMS_MAX; i++) {
        uint8_t p[6] = {0x0a, 4, 'k', '0', (uint8_t)(i >> 8), (uint8_t)i};
        memcpy(packed[i], p, sizeof p);
        items[i] = (struct field){.number = 29,
                                  .op = FIELD_SET,
                                  .type = VALUE_ELEMENT,
                                  .key = span_of(packed[i] + 2, 4),
                                  .bytes = span_of(packed[i], 6)};
    }
    c.fields = (struct fields){items, LIST_ITEMS_MAX + 1};
    set.changes = (struct changes){&c, 1};
    assert_int_equal(changeset_seal(&set, &w->key, &w->a, &sealed, &w->err), OCOP_ELIMIT);
    c.fields.count = LIST_ITEMS_MAX;
    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    ok(w, changeset_open(sealed.body, &w->a, &back, &w->err));
    assert_int_equal(back.changes.v[0].fields.count, LIST_ITEMS_MAX);
    items[1].key = span_of(packed[0] + 2, 4); /* one path twice */
    assert_int_equal(changeset_seal(&set, &w->key, &w->a, &sealed, &w->err), OCOP_EINVAL);
}

static void a_header_that_is_not_whole_is_refused(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set(), out;
    struct sealed sealed;
    static const struct {
        size_t drop, count; /* members left out, in the order of the body */
    } cases[] = {{1, 1}, {2, 1}, {3, 1}, {7, 1}, {9, 1}, {11, 1}};

    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    struct span body = inflated(w, sealed.body);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        size_t at = 0, from;
        uint64_t tag, v;
        buf_init(&b, MIB(1));
        while (from = at, span_varint(body, &at, &tag) && span_varint(body, &at, &v)) {
            at += (tag & 7) == 2 ? (size_t)v : 0;
            if (tag >> 3 != cases[i].drop)
                buf_put(&b, body.p + from, at - from);
        }
        assert_int_equal(changeset_open(deflated(w, buf_span(&b)), &w->a, &out, &w->err),
                         OCOP_EPROTO);
        assert_int_equal(changeset_peek(deflated(w, buf_span(&b)), &w->a, &out, &w->err),
                         OCOP_EPROTO);
        buf_fini(&b);
    }
}

static void members_of_a_newer_writer_do_no_harm(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set(), out;
    struct sealed sealed;
    struct buf b;

    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    struct span body = inflated(w, sealed.body);
    buf_init(&b, MIB(1));
    buf_put(&b, body.p, body.len);
    put_message(&b, 13, span_str("something new"));
    ok(w, changeset_open(deflated(w, buf_span(&b)), &w->a, &out, &w->err));
    assert_int_equal(out.seq, 2);
    assert_memory_not_equal(out.hash, set.hash, HASH_LEN);
    buf_fini(&b);
}

static void changes_in_both_forms_are_refused(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set(), out;
    struct sealed sealed;
    Ocop__Sync__Columns columns;
    struct buf b;

    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    ok(w, changeset_open(sealed.body, &w->a, &out, &w->err));
    assert_true(out.tight);
    ok(w, columns_encode(&set.changes, &w->a, &columns, &w->err));
    size_t len = ocop__sync__columns__get_packed_size(&columns);
    uint8_t *packed = arena_alloc(&w->a, len);
    assert_non_null(packed);
    ocop__sync__columns__pack(&columns, packed);
    buf_init(&b, MIB(1));
    buf_put(&b, sealed.body.p, (size_t)(out.columns.p - sealed.body.p));
    while (b.len && b.p[b.len - 1] != (11 << 3 | 2)) /* back to the tag */
        b.len--;
    b.len--;
    put_message(&b, 10, span_of(packed, len));
    ok(w, changeset_open(buf_span(&b), &w->a, &out, &w->err)); /* plain, and not under zlib */
    same_changes(w, set.changes, out.changes);
    put_message(&b, 11, out.columns);
    assert_int_equal(changeset_open(buf_span(&b), &w->a, &out, &w->err), OCOP_EPROTO);
    assert_int_equal(changeset_peek(buf_span(&b), &w->a, &out, &w->err), OCOP_EPROTO);
    buf_fini(&b);
}

/* --- the golden sets: signature, then the sealed body --- */

static struct span golden_file(struct world *w, const char *path, uint8_t signature[SIGNATURE_LEN])
{
    uint8_t file[2048];
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    size_t len = fread(file, 1, sizeof file, f);
    fclose(f);
    assert_true(len > SIGNATURE_LEN && len < sizeof file);
    memcpy(signature, file, SIGNATURE_LEN);
    len -= SIGNATURE_LEN;
    return span_of(arena_dup(&w->a, file + SIGNATURE_LEN, len), len);
}

static void the_golden_set_opens_and_seals_to_the_same_bytes(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set(), back;
    struct sealed sealed;
    uint8_t signature[SIGNATURE_LEN];

    ok(w, changeset_seal(&set, &w->key, &w->a, &sealed, &w->err));
    if (getenv("OCOP_WRITE_GOLDEN")) {
        FILE *f = fopen(GOLDEN, "wb");
        assert_non_null(f);
        (void)fwrite(sealed.signature, 1, SIGNATURE_LEN, f);
        (void)fwrite(sealed.body.p, 1, sealed.body.len, f);
        (void)fclose(f);
    }
    struct span body = golden_file(w, GOLDEN, signature);
    if (!span_eq(body, sealed.body))
        fail_msg("the golden set is not sealed to %s; if that is meant, run this test with "
                 "OCOP_WRITE_GOLDEN=1 and describe the new bytes in docs/protocol.md",
                 GOLDEN);
    ok(w, changeset_open(body, &w->a, &back, &w->err));
    ok(w, changeset_verify(back.hash, signature, w->key.public_key, &w->err));
    same_changes(w, set.changes, back.changes);
    ok(w, changeset_seal(&back, &w->key, &w->a, &sealed, &w->err));
    assert_true(span_eq(body, sealed.body));
    memcpy(set.hash, back.hash, HASH_LEN);
    same_header(&set, &back);
    assert_memory_equal(sealed.signature, signature, SIGNATURE_LEN);
}

/* The same set as a large one is sealed, so that what was once accepted stays readable. */
static void the_golden_set_under_zlib_opens(void **state)
{
    struct world *w = *state;
    struct change_set set = golden_set(), back;
    uint8_t signature[SIGNATURE_LEN];

    struct span body = golden_file(w, GOLDEN_ZLIB, signature);
    ok(w, changeset_open(body, &w->a, &back, &w->err));
    assert_false(back.tight);
    ok(w, changeset_verify(back.hash, signature, w->key.public_key, &w->err));
    same_changes(w, set.changes, back.changes);
    memcpy(set.hash, back.hash, HASH_LEN);
    same_header(&set, &back);
}

/* A corpus that no longer opens would fuzz nothing but the first check. */
static void the_corpus_of_the_fuzzer_is_of_this_format(void **state)
{
    static const char *const names[] = {"genesis", "inspection", "sample", "verbs"};
    static const char *const forms[] = {"", ".plain", ".tight"};
    struct world *w = *state;

    for (size_t i = 0; i < 4 * 3; i++) {
        struct change_set set;
        char path[100];
        uint8_t body[4096];
        snprintf(path, sizeof path, "tests/fuzz/corpus/changeset/%s%s", names[i / 3], forms[i % 3]);
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        size_t len = fread(body, 1, sizeof body, f);
        fclose(f);
        ok(w, changeset_open(span_of(body, len), &w->a, &set, &w->err));
        assert_true(set.changes.count > 0);
        assert_int_equal(set.tight, i % 3 == 2);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(a_sealed_set_opens_as_it_was),
        TEST(a_wrong_signature_is_refused),
        TEST(a_bomb_does_not_go_off),
        TEST(no_part_of_a_set_opens),
        TEST(mutated_sets_do_no_harm),
        TEST(a_link_has_the_hash_and_header_of_its_set),
        TEST(columns_nested_without_end_are_refused_before_they_are_unpacked),
        TEST(what_is_beyond_a_limit_is_not_sealed),
        TEST(a_list_beyond_its_limit_is_not_sealed),
        TEST(a_header_that_is_not_whole_is_refused),
        TEST(members_of_a_newer_writer_do_no_harm),
        TEST(changes_in_both_forms_are_refused),
        TEST(the_corpus_of_the_fuzzer_is_of_this_format),
        TEST(the_golden_set_under_zlib_opens),
        TEST(the_golden_set_opens_and_seals_to_the_same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
