/* The columnar codec: what goes in comes out, it stays small, and nothing hostile gets through. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "changeset.h"
#include "tight.h"
#include "zip.h"

/* --- a world from a seed --- */

struct world {
    uint64_t seed;
    struct arena a;
    struct ocop_error err;
};

static int world_open(void **state)
{
    static struct world w;

    w = (struct world){.seed = 20260805};
    kinds_init();
    arena_init(&w.a, MIB(256));
    *state = &w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;

    arena_fini(&w->a);
    return 0;
}

static void ok(struct world *w, enum ocop_status status)
{
    if (status != OCOP_OK)
        fail_msg("%s %s: %s", err_name(status), w->err.field, w->err.text);
}

static uint64_t draw(struct world *w)
{
    uint64_t x = w->seed += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static size_t below(struct world *w, size_t n)
{
    return (size_t)(draw(w) % n);
}

static void *get(struct world *w, size_t count, size_t size)
{
    void *p = arena_calloc(&w->a, count ? count : 1, size);

    assert_non_null(p);
    return p;
}

static struct span text(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static struct span text(struct world *w, const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    char *copy = arena_dup(&w->a, line, (size_t)n);
    assert_non_null(copy);
    return span_of(copy, (size_t)n);
}

static struct id make_id(uint64_t prefix, uint32_t counter)
{
    struct id id;
    struct world w = {.seed = prefix * 7919 + 1};

    for (size_t i = 0; i < ID_LEN; i++)
        id.b[i] = (uint8_t)draw(&w);
    id.b[6] = (uint8_t)((id.b[6] & 0x0f) | 0x80);
    id.b[8] = (uint8_t)((id.b[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < 4; i++)
        id.b[ID_PREFIX_LEN + i] = (uint8_t)(counter >> (24 - 8 * i));
    return id;
}

static struct span id_bytes(struct world *w, uint64_t prefix, uint32_t counter)
{
    struct id id = make_id(prefix, counter);

    return span_of(arena_dup(&w->a, id.b, ID_LEN), ID_LEN);
}

static void add_int(struct change *c, uint32_t number, int64_t i)
{
    c->fields.v[c->fields.count++] = (struct field){
        .number = number, .op = FIELD_SET, .type = VALUE_INT, .i = i, .base = c->base};
}

static void add_bytes(struct change *c, uint32_t number, struct span bytes)
{
    c->fields.v[c->fields.count++] = (struct field){
        .number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = bytes, .base = c->base};
}

static void add_text(struct change *c, uint32_t number, const char *s)
{
    add_bytes(c, number, span_str(s));
}

/* An element whose fields 1, 2, ... are the spans that are not empty. */
static void add_element(struct world *w, struct change *c, uint32_t number, const struct span *v,
                        size_t count)
{
    struct buf b;

    buf_init(&b, RECORD_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (v[i].len == 0)
            continue;
        buf_varint(&b, (i + 1) << 3 | 2);
        buf_varint(&b, v[i].len);
        buf_put(&b, v[i].p, v[i].len);
    }
    c->fields.v[c->fields.count++] =
        (struct field){.number = number,
                       .op = FIELD_SET,
                       .type = VALUE_ELEMENT,
                       .key = v[0],
                       .bytes = span_of(arena_dup(&w->a, b.p, b.len), b.len),
                       .base = c->base};
    buf_fini(&b);
}

/* --- the workload of the bars --- */

enum { WORDS = 800, INSPECTIONS = 1000, AMENDMENTS = 100, PRODUCTS = 5000, QUESTIONS = 8 };

static const char *const onsets[] = {"b",  "c", "ch", "d", "đ",  "g",  "gi", "h",
                                     "kh", "l", "m",  "n", "ng", "nh", "p",  "ph",
                                     "qu", "r", "s",  "t", "th", "tr", "v",  "x"};
static const char *const rimes[] = {
    "à",   "ả",   "á",   "ạ",   "an",  "ản",  "ang",  "áng", "ao",  "áo",  "ấp", "ât",
    "ây",  "ẩm",  "ân",  "ắc",  "ăn",  "ằng", "e",    "ẹ",   "ên",  "ệnh", "êu", "iên",
    "iểm", "iết", "iều", "inh", "ịch", "o",   "ò",    "ong", "ông", "ộng", "ơ",  "ời",
    "ợp",  "u",   "ụ",   "ung", "ữ",   "ược", "ương", "ước", "y",   "ý"};

static const char *word(struct world *w)
{
    static char words[WORDS][24];
    static double upto[WORDS];

    if (!words[0][0])
        for (size_t i = 0; i < WORDS; i++) {
            size_t at = i * 577 % (24 * 46);
            snprintf(words[i], sizeof words[i], "%s%s", onsets[at % 24], rimes[at / 24]);
            upto[i] = (i ? upto[i - 1] : 0) + 1.0 / (double)(i + 1);
        }
    double x = (double)(draw(w) >> 11) / 9007199254740992.0 * upto[WORDS - 1];
    size_t lo = 0, hi = WORDS - 1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (upto[mid] < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return words[lo];
}

static struct span words(struct world *w, size_t least, size_t most)
{
    char line[256];
    size_t len = 0, want = least + below(w, most - least);

    while (len < want) {
        const char *s = word(w);
        len += (size_t)snprintf(line + len, sizeof line - len, "%s%s", len ? " " : "", s);
    }
    return text(w, "%s", line);
}

static void inspect(struct world *w, struct change *c, uint32_t i, int64_t now)
{
    static const char *const conclusions[] = {"pass", "pass",        "pass",
                                              "pass", "conditional", "fail"};

    c->kind = KIND_INSPECTION;
    c->verb = VERB_CREATE;
    c->record = make_id(1, i + 1);
    c->author = make_id(2, 77);
    c->device_time_ms = now;
    c->fields.v = get(w, 40, sizeof *c->fields.v);
    add_bytes(c, FIELD_UNIT, id_bytes(w, 3, 24664));
    add_bytes(c, FIELD_OFFICER, id_bytes(w, 2, 77));
    add_int(c, FIELD_RECORDED_MS, now);
    add_text(c, FIELD_RULE_SET, "QD-148-2023");
    add_bytes(c, 11, id_bytes(w, 4, (uint32_t)below(w, PRODUCTS)));
    add_text(c, 14, "periodic");
    add_bytes(c, 17, text(w, "2026-%02d-%02d", (int)(8 + i / 400), (int)(1 + i / 15 % 28)));
    add_bytes(c, 20, text(w, "BB-24664-2026-017-%04u", i + 1));
    add_bytes(c, 21, id_bytes(w, 3, 9));
    add_bytes(c, 22, text(w, "L%02d%02d-%03d", 26, (int)(1 + below(w, 12)), (int)below(w, 1000)));
    add_int(c, 23, 20950000 + (int64_t)below(w, 50000));
    add_int(c, 24, 105750000 + (int64_t)below(w, 50000));
    add_text(c, 26, conclusions[below(w, 6)]);
    add_int(c, 27, (int64_t)(60 + below(w, 41)));
    for (uint32_t q = 0; q < QUESTIONS; q++) {
        bool pass = below(w, 20) != 0;
        struct span v[] = {text(w, "NC.%u", q + 1), span_str(pass ? "pass" : "fail"),
                           pass ? span_of(NULL, 0) : words(w, 15, 30)};
        add_element(w, c, 29, v, 3);
    }
    add_bytes(c, 34, words(w, 60, 116));
}

static struct changes inspections(struct world *w)
{
    struct changes s = {get(w, INSPECTIONS, sizeof *s.v), INSPECTIONS};
    int64_t now = INT64_C(1785888000000);

    for (uint32_t i = 0; i < INSPECTIONS; i++) {
        now += 300000 + (int64_t)below(w, 1500000);
        inspect(w, &s.v[i], i, now);
    }
    return s;
}

static struct changes amendments(struct world *w)
{
    static const char *const reasons[] = {
        "Nhập nhầm điểm khi ghi tại cơ sở", "Cơ sở đã bổ sung hồ sơ còn thiếu",
        "Kết quả kiểm nghiệm đã có", "Đoàn kiểm tra thống nhất lại kết luận",
        "Sửa theo ý kiến của chủ thể"};
    static const char *const conclusions[] = {"pass", "conditional", "fail"};
    struct changes s = {get(w, AMENDMENTS, sizeof *s.v), AMENDMENTS};

    for (size_t i = 0; i < AMENDMENTS; i++) {
        struct change *c = &s.v[i];
        uint64_t of = below(w, 10);
        *c = (struct change){.kind = KIND_INSPECTION,
                             .verb = VERB_AMEND,
                             .record = make_id(100 + of, (uint32_t)(1 + below(w, 1000))),
                             .author = make_id(2, 77),
                             .device_time_ms = INT64_C(1785974400000) + (int64_t)below(w, 86400000),
                             .base = 5000 + of * 37,
                             .reason = span_str(reasons[below(w, 5)])};
        c->fields.v = get(w, 2, sizeof *c->fields.v);
        add_text(c, 26, conclusions[below(w, 3)]);
        add_int(c, 27, (int64_t)(50 + below(w, 51)));
    }
    return s;
}

static struct sealed seal(struct world *w, struct changes s)
{
    struct sign_key key = {0};
    struct sealed out;
    struct change_set set = {.replica = make_id(5, 0),
                             .seq = 2,
                             .device_time_ms = INT64_C(1785974400000),
                             .schema = 1,
                             .lineage = make_id(6, 0),
                             .changes = s};

    sign_key_new(&key, env_system());
    for (size_t i = 0; i < HASH_LEN; i++)
        set.prev_hash[i] = (uint8_t)draw(w);
    ok(w, changeset_seal(&set, &key, &w->a, &out, &w->err));
    return out;
}

static size_t zipped_notes(struct world *w, struct changes s)
{
    struct buf notes, zip;

    buf_init(&notes, MIB(4));
    buf_init(&zip, MIB(4));
    for (size_t i = 0; i < s.count; i++) {
        struct field *f = fields_find(&s.v[i].fields, 34, span_of(NULL, 0));
        buf_put(&notes, f->bytes.p, f->bytes.len);
    }
    ok(w, zip_deflate(buf_span(&notes), 9, &zip, &w->err));
    size_t len = zip.len;
    buf_fini(&notes);
    buf_fini(&zip);
    return len;
}

static void a_thousand_inspections_cost_little_beside_their_notes(void **state)
{
    struct world *w = *state;
    struct changes s = inspections(w);
    size_t sealed = seal(w, s).body.len + SIGNATURE_LEN, notes = zipped_notes(w, s);

    print_message("%zu sealed, %zu notes: %.2f bytes a record beside its notes\n", sealed, notes,
                  (double)(sealed - notes) / INSPECTIONS);
    assert_true(sealed - notes <= 25 * INSPECTIONS);
}

static void a_hundred_amendments_cost_little(void **state)
{
    struct world *w = *state;
    size_t sealed = seal(w, amendments(w)).body.len + SIGNATURE_LEN;

    print_message("%.2f bytes an amendment\n", (double)sealed / AMENDMENTS);
    assert_true(sealed <= 22 * AMENDMENTS);
}

/* --- whatever goes in comes out --- */

static struct span random_bytes(struct world *w, size_t most)
{
    size_t len = below(w, most + 1);
    uint8_t *p = get(w, len, 1);

    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)draw(w);
    return span_of(p, len);
}

static int64_t random_int(struct world *w)
{
    uint64_t x = draw(w);

    switch (below(w, 5)) {
    case 0:
        return (int64_t)x;
    case 1:
        return INT64_MIN + (int64_t)(x % 3);
    case 2:
        return INT64_MAX - (int64_t)(x % 3);
    case 3:
        return (int64_t)(x % 100) - 50;
    default:
        return INT64_C(1785888000000) + (int64_t)(x % 100000);
    }
}

/* Bytes of one manner per column, so that every form gets its turn. */
static struct span random_value(struct world *w, uint64_t manner, size_t row)
{
    static const char *const few[] = {"pass", "fail", "", "conditional", "0", "2026-13-99"};

    switch (manner % 8) {
    case 0:
        return random_bytes(w, 40);
    case 1:
        return span_str(few[below(w, 6)]);
    case 2:
        return text(w, "BB-24664-2026-017-%04u", (unsigned)row);
    case 3:
        return id_bytes(w, manner / 8 % 5, (uint32_t)row);
    case 4:
        return id_bytes(w, below(w, 9), (uint32_t)draw(w));
    case 5:
        return text(w, "%s số %u", "Hộ kinh doanh nem chua", (unsigned)below(w, 2000));
    case 6:
        return text(w, "%018llu", (unsigned long long)(draw(w) % UINT64_C(1000000000000000000)));
    default:
        return below(w, 2) ? id_bytes(w, 1, (uint32_t)below(w, 3)) : span_str("0000000000000000");
    }
}

static void put_packed(struct buf *b, uint64_t number, bool is_int, struct world *w,
                       uint64_t manner)
{
    buf_varint(b, number << 3 | (is_int ? 0 : 2));
    if (is_int) {
        buf_varint(b, (uint64_t)random_int(w));
        return;
    }
    struct span v = random_value(w, manner, below(w, 50));
    buf_varint(b, v.len);
    buf_put(b, v.p, v.len);
}

static void random_element(struct world *w, struct field *f)
{
    struct buf b;

    buf_init(&b, RECORD_BYTES_MAX);
    buf_varint(&b, 1 << 3 | 2);
    buf_varint(&b, f->key.len);
    buf_put(&b, f->key.p, f->key.len);
    for (uint64_t number = 2; number <= ELEMENT_NUMBER_MAX; number += 1 + below(w, 30)) {
        bool is_int = (number + below(w, 20) / 19) % 2;
        uint64_t times = number % 7 == 0 ? 1 + below(w, 4) : 1;
        for (uint64_t i = 0; i < times; i++)
            put_packed(&b, number, is_int, w, number);
    }
    f->bytes = span_of(arena_dup(&w->a, b.p, b.len), b.len);
    buf_fini(&b);
}

/* The id that the store gives after that of the record. */
static struct span key_beside(struct world *w, const struct id *record, uint32_t i)
{
    struct id id = *record;
    uint32_t counter = 1 + i;

    for (size_t b = 0; b < 4; b++)
        counter += (uint32_t)record->b[ID_PREFIX_LEN + b] << (24 - 8 * b);
    for (size_t b = 0; b < 4; b++)
        id.b[ID_PREFIX_LEN + b] = (uint8_t)(counter >> (24 - 8 * b));
    return span_of(arena_dup(&w->a, id.b, ID_LEN), ID_LEN);
}

static void random_field(struct world *w, struct change *c, uint32_t number, size_t row)
{
    bool list = number % 5 == 0, same_keys = number % 2;
    size_t items = list ? below(w, 4) : 1;

    for (size_t i = 0; i < items; i++) {
        struct field *f = &c->fields.v[c->fields.count++];
        *f = (struct field){.number = number, .op = below(w, 12) ? FIELD_SET : FIELD_CLEAR};
        f->base = below(w, 9) ? c->base : below(w, 1000000);
        f->type = (uint8_t)(list ? VALUE_ELEMENT : number % 3 ? VALUE_BYTES : VALUE_INT);
        if (!list && below(w, 40) == 0) /* another type than the others have */
            f->type = f->type == VALUE_INT ? VALUE_BYTES : VALUE_INT;
        if (list)
            f->key = same_keys         ? text(w, "NC.%zu", i)
                     : number % 4 == 0 ? key_beside(w, &c->record, (uint32_t)i)
                                       : id_bytes(w, row, (uint32_t)i);
        if (f->op == FIELD_CLEAR)
            continue;
        if (f->type == VALUE_INT)
            f->i = random_int(w);
        else if (f->type == VALUE_BYTES)
            f->bytes = random_value(w, number, row);
        else
            random_element(w, f);
    }
}

static struct changes random_changes(struct world *w)
{
    static const uint32_t kinds[] = {KIND_INSPECTION, KIND_SAMPLE, KIND_PRODUCT, 77, 4000000000u};
    static const uint8_t verbs[] = {VERB_CREATE, VERB_AMEND, VERB_ADD,  VERB_VOID,
                                    VERB_STATE,  VERB_DELTA, VERB_STUB, 200};
    struct changes s = {get(w, 120, sizeof *s.v), below(w, 120)};
    size_t spread = 1 + below(w, 5);

    for (size_t i = 0; i < s.count; i++) {
        struct change *c = &s.v[i];
        c->kind = kinds[below(w, spread)];
        c->verb = verbs[below(w, 8)];
        c->record = make_id(below(w, 4), (uint32_t)draw(w) / 2);
        if (below(w, 10))
            c->author = make_id(2, (uint32_t)below(w, 3));
        c->device_time_ms = below(w, 10) ? random_int(w) : 0;
        c->base = below(w, 3) ? below(w, 1000) : draw(w) >> 1;
        c->reason = below(w, 2) ? span_of(NULL, 0) : random_value(w, 5, i);
        c->case_id = below(w, 10) ? span_of(NULL, 0) : id_bytes(w, 9, (uint32_t)i);
        c->fields.v = get(w, 400, sizeof *c->fields.v);
        for (uint32_t number = 2; number < 90; number += 1 + (uint32_t)below(w, 6))
            random_field(w, c, number == 89 ? 0x1ffffffe : number, i);
    }
    return s;
}

static void same_field(const struct field *a, const struct field *b)
{
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->type, b->type);
    assert_true(span_eq(a->key, b->key));
    assert_int_equal(a->i, b->i);
    assert_true(span_eq(a->bytes, b->bytes));
    assert_int_equal(a->base, b->base);
}

static void same_changes(struct changes a, struct changes b)
{
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        const struct change *x = &a.v[i], *y = &b.v[i];
        assert_int_equal(x->kind, y->kind);
        assert_int_equal(x->verb, y->verb);
        assert_true(id_eq(&x->record, &y->record));
        assert_true(id_eq(&x->author, &y->author));
        assert_int_equal(x->device_time_ms, y->device_time_ms);
        assert_int_equal(x->base, y->base);
        assert_true(span_eq(x->reason, y->reason));
        assert_true(span_eq(x->case_id, y->case_id));
        assert_int_equal(x->fields.count, y->fields.count);
        for (size_t f = 0; f < x->fields.count; f++)
            same_field(&x->fields.v[f], &y->fields.v[f]);
    }
}

static struct span packed_columns(struct world *w, struct changes s)
{
    Ocop__Sync__Columns columns;

    ok(w, columns_encode(&s, &w->a, &columns, &w->err));
    size_t len = ocop__sync__columns__get_packed_size(&columns);
    uint8_t *p = get(w, len, 1);
    ocop__sync__columns__pack(&columns, p);
    return span_of(p, len);
}

static enum ocop_status unpack_columns(struct span packed, struct arena *a, struct changes *out,
                                       struct ocop_error *err)
{
    ProtobufCAllocator from_arena = arena_allocator(a);

    if (!columns_shallow(packed, NULL, 0))
        return OCOP_EPROTO;
    Ocop__Sync__Columns *c = ocop__sync__columns__unpack(&from_arena, packed.len, packed.p);
    return c ? columns_decode(c, a, out, err) : OCOP_EPROTO;
}

/* Tight and back, to the same message; false when it is too large for that. */
static bool tight_and_back(struct world *w, struct span packed)
{
    ProtobufCAllocator from_arena = arena_allocator(&w->a);
    Ocop__Sync__Columns *in, *back;
    struct span tight;

    if (packed.len > TIGHT_ITEMS_MAX)
        return false;
    in = ocop__sync__columns__unpack(&from_arena, packed.len, packed.p);
    assert_non_null(in);
    ok(w, tight_write(in, &w->a, &tight, &w->err));
    ok(w, tight_read(tight, &w->a, &back, &w->err));
    size_t len = ocop__sync__columns__get_packed_size(back);
    uint8_t *p = get(w, len, 1);
    ocop__sync__columns__pack(back, p);
    assert_true(span_eq(span_of(p, len), packed));
    return true;
}

static void changes_come_back_as_they_were(void **state)
{
    struct world *w = *state;
    size_t fields = 0, tight = 0;

    for (unsigned round = 0; round < 150; round++) {
        struct changes s = random_changes(w), back;
        struct span packed = packed_columns(w, s);
        ok(w, unpack_columns(packed, &w->a, &back, &w->err));
        same_changes(s, back);
        assert_true(span_eq(packed, packed_columns(w, back)));
        tight += tight_and_back(w, packed);
        for (size_t i = 0; i < s.count; i++)
            fields += s.v[i].fields.count;
        arena_reset(&w->a);
    }
    assert_true(fields > 100000);
    assert_true(tight > 10);
}

static void the_workload_comes_back_as_it_was(void **state)
{
    struct world *w = *state;
    struct changes s = inspections(w), t = amendments(w), back;

    ok(w, unpack_columns(packed_columns(w, s), &w->a, &back, &w->err));
    same_changes(s, back);
    ok(w, unpack_columns(packed_columns(w, t), &w->a, &back, &w->err));
    same_changes(t, back);
    s.count = 100;
    assert_true(tight_and_back(w, packed_columns(w, s)));
    assert_true(tight_and_back(w, packed_columns(w, t)));
}

static void no_changes_are_a_batch_too(void **state)
{
    struct world *w = *state;
    struct changes none = {NULL, 0}, back;

    ok(w, unpack_columns(packed_columns(w, none), &w->a, &back, &w->err));
    assert_int_equal(back.count, 0);
    assert_true(tight_and_back(w, packed_columns(w, none)));
}

/* --- what is hostile stays out --- */

static void mutated_columns_do_no_harm(void **state)
{
    struct world *w = *state;
    struct span packed[8];
    struct arena scratch;
    size_t taken = 0;

    arena_init(&scratch, ARENA_REQUEST_MAX);
    for (size_t i = 0; i < 8; i++) {
        struct changes s = random_changes(w);
        s.count = s.count > 12 ? 12 : s.count;
        packed[i] = packed_columns(w, s);
    }
    for (unsigned round = 0; round < 20000; round++) {
        struct span from = packed[round % 8];
        struct changes back;
        uint8_t *copy = arena_alloc(&scratch, from.len ? from.len : 1);
        assert_non_null(copy);
        memcpy(copy, from.p, from.len);
        for (uint64_t n = 1 + below(w, 3); n > 0 && from.len; n--)
            copy[below(w, from.len)] = (uint8_t)(below(w, 3) ? draw(w) : below(w, 4));
        size_t len = below(w, 10) ? from.len : below(w, from.len + 1);
        enum ocop_status st = unpack_columns(span_of(copy, len), &scratch, &back, NULL);
        assert_true(st == OCOP_OK || st == OCOP_EPROTO || st == OCOP_ELIMIT);
        if (st == OCOP_OK && back.count) {
            Ocop__Sync__Columns again; /* what was taken can be passed on */
            ok(w, columns_encode(&back, &scratch, &again, &w->err));
            taken++;
        }
        arena_reset(&scratch);
    }
    arena_fini(&scratch);
    assert_true(taken > 100);
}

static struct span tight_of(struct world *w, struct changes s)
{
    Ocop__Sync__Columns columns;
    struct span tight;

    ok(w, columns_encode(&s, &w->a, &columns, &w->err));
    ok(w, tight_write(&columns, &w->a, &tight, &w->err));
    return tight;
}

static void mutated_tight_columns_do_no_harm(void **state)
{
    struct world *w = *state;
    struct span tight[8];
    struct arena scratch;
    size_t read = 0, taken = 0;

    arena_init(&scratch, MIB(8));
    for (size_t i = 0; i < 8; i++) {
        struct changes s = random_changes(w);
        s.count = s.count > 6 ? 6 : s.count;
        tight[i] = tight_of(w, s);
    }
    for (unsigned round = 0; round < 20000; round++) {
        struct span from = tight[round % 8];
        struct changes back;
        Ocop__Sync__Columns *columns;
        uint8_t *copy = arena_alloc(&scratch, from.len + 8);
        assert_non_null(copy);
        memcpy(copy, from.p, from.len);
        for (uint64_t n = below(w, 3); n > 0 && from.len; n--)
            copy[below(w, 2) ? from.len - 1 - below(w, from.len) * below(w, 2) / 8
                             : below(w, from.len)] ^= (uint8_t)(1u << below(w, 8));
        size_t len = below(w, 10) ? from.len : below(w, from.len + 1);
        enum ocop_status st = tight_read(span_of(copy, len), &scratch, &columns, NULL);
        read += st == OCOP_OK;
        if (st == OCOP_OK)
            st = columns_decode(columns, &scratch, &back, NULL);
        assert_true(st == OCOP_OK || st == OCOP_EPROTO || st == OCOP_ELIMIT);
        taken += st == OCOP_OK;
        arena_reset(&scratch);
    }
    arena_fini(&scratch);
    print_message("%zu read, %zu decoded\n", read, taken);
    assert_true(taken > 100 && read < 20000);
}

/* The smallest stream, asking for the most: no more is given than a batch may hold. */
static void foreign_tight_columns_take_bounded_memory(void **state)
{
    struct world *w = *state;
    uint8_t in[64];
    struct arena scratch;

    arena_init(&scratch, MIB(2));
    for (unsigned round = 0; round < 20000; round++, arena_reset(&scratch)) {
        Ocop__Sync__Columns *columns;
        size_t len = below(w, sizeof in);
        for (size_t i = 0; i < len; i++)
            in[i] = (uint8_t)(round % 3 == 0 ? draw(w) : round % 3 == 1 ? 0 - below(w, 2) : 0xff);
        enum ocop_status st = tight_read(span_of(in, len), &scratch, &columns, NULL);
        assert_true(st == OCOP_OK || st == OCOP_EPROTO || st == OCOP_ELIMIT);
    }
    arena_fini(&scratch);
}

static void bytes_behind_tight_columns_are_refused(void **state)
{
    struct world *w = *state;
    struct changes s = amendments(w);
    struct span tight = tight_of(w, s);
    Ocop__Sync__Columns *columns;
    uint8_t *more = get(w, tight.len + 8, 1);

    memcpy(more, tight.p, tight.len);
    ok(w, tight_read(span_of(more, tight.len), &w->a, &columns, &w->err));
    more[tight.len + 7] = 1;
    assert_int_equal(tight_read(span_of(more, tight.len + 8), &w->a, &columns, &w->err),
                     OCOP_EPROTO);
}

/* Columns in columns, as deep as the decoder takes them and one deeper. */
static void tight_columns_nested_too_deep_are_refused(void **state)
{
    struct world *w = *state;

    for (unsigned depth = NESTING_MAX; depth <= NESTING_MAX + 1; depth++) {
        Ocop__Sync__Columns m, *back;
        Ocop__Sync__Column c[NESTING_MAX + 2], *at[NESTING_MAX + 2];
        struct span tight;
        ocop__sync__columns__init(&m);
        for (unsigned i = 0; i <= depth; i++) {
            ocop__sync__column__init(&c[i]);
            c[i].form = 7;
            at[i] = &c[i];
            c[i].columns = &at[i + 1];
            c[i].n_columns = i < depth;
        }
        m.columns = &at[0];
        m.n_columns = 1;
        enum ocop_status st = tight_write(&m, &w->a, &tight, &w->err);
        assert_int_equal(st, depth <= NESTING_MAX ? OCOP_OK : OCOP_EPROTO);
        if (st == OCOP_OK)
            ok(w, tight_read(tight, &w->a, &back, &w->err));
    }
}

/* What only a stranger sends goes through as it is, for columns_decode to refuse. */
static void lengths_that_are_not_those_of_the_bytes_come_back_too(void **state)
{
    struct world *w = *state;
    Ocop__Sync__Columns m, *back;
    Ocop__Sync__Column c, *at = &c;
    uint32_t lens[] = {5};
    uint8_t data[] = "abcdefgh";
    struct span tight;

    ocop__sync__columns__init(&m);
    ocop__sync__column__init(&c);
    c.form = 4;
    c.lens = lens;
    c.n_lens = 1;
    c.data = (ProtobufCBinaryData){3, data};
    m.columns = &at;
    m.n_columns = 1;
    ok(w, tight_write(&m, &w->a, &tight, &w->err));
    ok(w, tight_read(tight, &w->a, &back, &w->err));
    assert_int_equal(back->columns[0]->lens[0], 5);
    assert_int_equal(back->columns[0]->data.len, 3);
    assert_memory_equal(back->columns[0]->data.data, data, 3);
}

static void more_than_tight_columns_may_hold_is_refused(void **state)
{
    struct world *w = *state;
    struct changes s = inspections(w);
    Ocop__Sync__Columns columns;
    struct span tight;

    ok(w, columns_encode(&s, &w->a, &columns, &w->err));
    assert_int_equal(tight_write(&columns, &w->a, &tight, &w->err), OCOP_ELIMIT);
    assert_int_equal(tight.len, 0);
}

/* Elements get their keys from the store, as their record got its id. */
static void keys_made_with_their_records_cost_next_to_nothing(void **state)
{
    struct world *w = *state;
    struct changes s = {get(w, 50, sizeof *s.v), 50}, back;
    size_t with[2];

    for (int keys = 0; keys < 2; keys++) {
        for (uint32_t i = 0; i < 50; i++) {
            struct change *c = &s.v[i];
            *c = (struct change){.kind = KIND_INSPECTION, .verb = VERB_CREATE, .device_time_ms = 1};
            c->record = make_id(i / 4, i * 7);
            c->fields.v = get(w, 4, sizeof *c->fields.v);
            for (uint32_t k = 0; keys && k < 3; k++) {
                struct span key = key_beside(w, &c->record, k);
                add_element(w, c, 30, &key, 1);
            }
        }
        with[keys] = tight_of(w, s).len;
        ok(w, unpack_columns(packed_columns(w, s), &w->a, &back, &w->err));
        same_changes(s, back);
    }
    print_message("%zu bytes for 50 records, %zu with three keys each\n", with[0], with[1]);
    assert_true(with[1] <= with[0] + 20);
}

/* A counter that would leave its 32 bits is not one. */
static void a_key_beyond_all_counters_is_refused(void **state)
{
    struct world *w = *state;
    struct changes s = {get(w, 1, sizeof *s.v), 1}, back;
    Ocop__Sync__Columns columns;
    struct span key;

    s.v[0] = (struct change){.kind = KIND_INSPECTION, .verb = VERB_CREATE, .device_time_ms = 1};
    s.v[0].record = make_id(1, UINT32_MAX - 1);
    s.v[0].fields.v = get(w, 1, sizeof *s.v[0].fields.v);
    key = key_beside(w, &s.v[0].record, 0);
    add_element(w, &s.v[0], 30, &key, 1);
    ok(w, columns_encode(&s, &w->a, &columns, &w->err));
    ok(w, columns_decode(&columns, &w->a, &back, &w->err));
    int64_t *distance = columns.columns[0]->columns[0]->ints;
    for (int i = 0; i < 3; i++) {
        *distance = i == 0 ? 2 : i == 1 ? -INT64_C(0x100000000) : INT64_MAX;
        assert_int_equal(columns_decode(&columns, &w->a, &back, &w->err), OCOP_EPROTO);
    }
}

/* A day of one inspector: what the form is for. */
static void a_day_in_its_tight_form_is_much_smaller_than_under_zlib(void **state)
{
    struct world *w = *state;
    struct changes s = inspections(w);
    struct buf zip;

    s.count = 50;
    struct span packed = packed_columns(w, s);
    buf_init(&zip, MIB(1));
    ok(w, zip_deflate(packed, 9, &zip, &w->err));
    size_t tight = tight_of(w, s).len;
    print_message("%zu packed, %zu under zlib, %zu tight\n", packed.len, zip.len, tight);
    assert_true(tight <= zip.len * 65 / 100);
    buf_fini(&zip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thousand_inspections_cost_little_beside_their_notes,
                                        world_open, world_close),
        cmocka_unit_test_setup_teardown(a_hundred_amendments_cost_little, world_open, world_close),
        cmocka_unit_test_setup_teardown(changes_come_back_as_they_were, world_open, world_close),
        cmocka_unit_test_setup_teardown(the_workload_comes_back_as_it_was, world_open, world_close),
        cmocka_unit_test_setup_teardown(no_changes_are_a_batch_too, world_open, world_close),
        cmocka_unit_test_setup_teardown(mutated_columns_do_no_harm, world_open, world_close),
        cmocka_unit_test_setup_teardown(mutated_tight_columns_do_no_harm, world_open, world_close),
        cmocka_unit_test_setup_teardown(foreign_tight_columns_take_bounded_memory, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(bytes_behind_tight_columns_are_refused, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(tight_columns_nested_too_deep_are_refused, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(lengths_that_are_not_those_of_the_bytes_come_back_too,
                                        world_open, world_close),
        cmocka_unit_test_setup_teardown(more_than_tight_columns_may_hold_is_refused, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(keys_made_with_their_records_cost_next_to_nothing,
                                        world_open, world_close),
        cmocka_unit_test_setup_teardown(a_key_beyond_all_counters_is_refused, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_day_in_its_tight_form_is_much_smaller_than_under_zlib,
                                        world_open, world_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
