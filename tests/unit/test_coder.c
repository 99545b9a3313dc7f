/* The range coder and its models of numbers and text: what is written is read, it stays small, and
 * a stranger's bytes end somewhere. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "numbers.h"
#include "phrase.h"

struct world {
    uint64_t seed;
    struct arena a;
    struct buf out;
};

static int world_open(void **state)
{
    static struct world w;

    w = (struct world){.seed = 20261125};
    arena_init(&w.a, MIB(64));
    buf_init(&w.out, MIB(4));
    *state = &w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;

    buf_fini(&w->out);
    arena_fini(&w->a);
    return 0;
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

/* A number of any width. */
static uint64_t any_width(struct world *w)
{
    uint64_t width = below(w, 65);

    return width == 64 ? draw(w) : draw(w) & ((UINT64_C(1) << width) - 1);
}

/* --- the coder --- */

enum { STEPS = 20000 };

/* The same calls as often as one likes; reading, `values` is what must come. */
static void steps(struct coder *c, struct world *w, bool lopsided)
{
    struct odds bits[4] = {{0, 0}}, tree[32] = {{0, 0}};
    struct number number = {0};

    w->seed = lopsided ? 7 : 11;
    for (size_t i = 0; i < STEPS; i++) {
        uint64_t v, most = any_width(w), wide = any_width(w);
        bool told = c->way != CODER_READ;
        switch (below(w, 5)) {
        case 0:
            v = lopsided ? below(w, 50) == 0 : below(w, 2);
            assert_int_equal(coder_bit(c, &bits[i % 4], told ? (unsigned)v : 0), v);
            break;
        case 1:
            v = most == UINT64_MAX ? wide : wide % (most + 1);
            assert_true(coder_even(c, told ? v : 0, most) == v);
            break;
        case 2:
            assert_true(coder_number(c, &number, told ? wide : 0) == wide);
            break;
        case 3:
            v = below(w, lopsided ? 2 : 32);
            assert_int_equal(coder_tree(c, tree, 5, told ? (unsigned)v : 0), v);
            break;
        default:
            v = below(w, 1000);
            if (!told)
                assert_int_equal(coder_seek(c, 1000), v);
            coder_part(c, (uint32_t)v, 1, 1000);
        }
    }
}

static void what_is_written_is_read(void **state)
{
    struct world *w = *state;

    for (int lopsided = 0; lopsided < 2; lopsided++) {
        struct coder c, count;
        buf_clear(&w->out);
        coder_write(&c, &w->out);
        steps(&c, w, lopsided);
        coder_end(&c);
        coder_count(&count);
        steps(&count, w, lopsided);
        uint64_t bytes = count.cost / 256 / 8;
        print_message("%zu bytes written, %llu counted\n", w->out.len, (unsigned long long)bytes);
        assert_true(bytes > w->out.len * 98 / 100 && bytes < w->out.len * 102 / 100);
        coder_read(&c, buf_span(&w->out));
        steps(&c, w, lopsided);
        assert_true(coder_used_up(&c));
    }
}

/* Whatever the interval, its end finds bytes in it: also when a carry runs through many of them. */
static void every_short_message_is_read(void **state)
{
    struct world *w = *state;

    for (uint64_t round = 0; round < 200000; round++) {
        struct coder c;
        uint64_t most[4], v[4];
        size_t n = below(w, 5);
        buf_clear(&w->out);
        coder_write(&c, &w->out);
        for (size_t i = 0; i < n; i++) {
            most[i] = below(w, 3) ? any_width(w) : 255;
            v[i] = below(w, 2) || most[i] == UINT64_MAX
                       ? most[i] - below(w, 2) % (most[i] + !most[i])
                       : draw(w) % (most[i] + 1);
            assert_true(coder_even(&c, v[i], most[i]) == v[i]);
        }
        coder_end(&c);
        coder_read(&c, buf_span(&w->out));
        for (size_t i = 0; i < n; i++)
            assert_true(coder_even(&c, 0, most[i]) == v[i]);
        assert_true(coder_used_up(&c));
    }
}

static void what_never_changes_costs_next_to_nothing(void **state)
{
    struct world *w = *state;
    struct coder c;
    struct odds o = {0, 0};

    coder_write(&c, &w->out);
    for (int i = 0; i < 10000; i++)
        (void)coder_bit(&c, &o, 1);
    coder_end(&c);
    assert_true(w->out.len <= 4);
}

/* --- numbers --- */

static size_t numbers_len(struct world *w, const uint64_t *v, size_t n)
{
    struct coder c;
    struct numbers *m = arena_calloc(&w->a, 1, sizeof *m);
    struct numbers_sort sort;
    uint64_t *x = arena_alloc(&w->a, (n + 1) * sizeof *x);
    uint64_t *spare = arena_alloc(&w->a, (n + 1) * sizeof *x);

    assert_true(m && x && spare);
    for (int reading = 0; reading < 2; reading++) {
        memset(m, 0, sizeof *m);
        memset(&sort, 0, sizeof sort);
        if (n)
            memcpy(x, v, n * sizeof *x);
        if (reading) {
            memset(x, 0xa5, n * sizeof *x);
            coder_read(&c, buf_span(&w->out));
        } else {
            buf_clear(&w->out);
            coder_write(&c, &w->out);
        }
        assert_true(numbers_code(m, &sort, &c, x, n, spare));
        if (!reading)
            coder_end(&c);
        assert_memory_equal(x, v, n * sizeof *x);
    }
    assert_true(coder_used_up(&c));
    return w->out.len;
}

static void numbers_come_back_in_any_layout(void **state)
{
    struct world *w = *state;
    uint64_t v[200];

    for (unsigned round = 0; round < 4000; round++, arena_reset(&w->a)) {
        size_t n = below(w, 200);
        uint64_t manner = below(w, 7), start = any_width(w), most = any_width(w) | 1;
        for (size_t i = 0; i < n; i++)
            v[i] = manner == 0   ? start
                   : manner == 1 ? draw(w)
                   : manner == 2 ? start + i * most
                   : manner == 3 ? i % 3
                   : manner == 4 ? below(w, 20) * below(w, 2)
                   : manner == 5 ? UINT64_MAX - below(w, 3)
                   : below(w, 2) ? i
                                 : below(w, i + 1);
        (void)numbers_len(w, v, n);
    }
}

static void numbers_with_an_order_cost_little(void **state)
{
    struct world *w = *state;
    uint64_t v[120];
    size_t len;

    for (size_t i = 0; i < 120; i++)
        v[i] = 1785888000000 + i * 60000; /* steps that are all alike */
    assert_true((len = numbers_len(w, v, 120)) <= 24);
    for (size_t i = 0; i < 120; i++)
        v[i] = (uint64_t)(i % 3 == 0 ? 7 : i % 3); /* a rhythm */
    assert_true((len = numbers_len(w, v, 120)) <= 8);
    for (size_t i = 0; i < 120; i++)
        v[i] = i % 3 ? i % 3 - 1
                     : 2 + i / 3; /* old entries of a dictionary, and each time a new one */
    assert_true((len = numbers_len(w, v, 120)) <= 8);
    for (size_t i = 0; i < 120; i++)
        v[i] = below(w, 40000); /* no order: 15.3 bits each */
    len = numbers_len(w, v, 120);
    assert_in_range(len, 229, 238);
}

/* --- text --- */

struct texts {
    struct span v[400];
    size_t count;
};

static size_t texts_len(struct world *w, const struct texts *t)
{
    struct coder c;
    struct phrase p;
    struct ends ends = {0};
    uint8_t *room = arena_alloc(&w->a, KIB(64));

    assert_non_null(room);
    buf_clear(&w->out);
    phrase_init(&p, &c, &w->a);
    coder_write(&c, &w->out);
    for (size_t i = 0; i < t->count; i++)
        assert_int_equal(phrase_code(&p, &ends, t->v[i], NULL, 0), t->v[i].len);
    coder_end(&c);
    assert_false(p.failed);
    phrase_init(&p, &c, &w->a);
    ends = (struct ends){0};
    coder_read(&c, buf_span(&w->out));
    for (size_t i = 0; i < t->count; i++) {
        size_t len = phrase_code(&p, &ends, span_of(NULL, 0), room, KIB(64));
        assert_true(len != SIZE_MAX);
        assert_true(span_eq(span_of(room, len), t->v[i]));
        room += len;
    }
    assert_true(coder_used_up(&c));
    return w->out.len;
}

static void texts_come_back_byte_for_byte(void **state)
{
    static const char *const odd[] = {"",
                                      " ",
                                      "  hai  dấu cách  ",
                                      "a",
                                      "Cơ sở, chưa có giấy phép (số 12/GP).",
                                      "đ Đ qu Qu QUÝ q u",
                                      "dòng một\ndòng hai\r\n",
                                      "NC.1",
                                      "\xff\xfe\x80",
                                      "\xc4",
                                      "\xc4\x91",
                                      "ngang-nối_gạch",
                                      "trường hợp trường hợp trường hợp "};
    struct world *w = *state;
    struct texts t = {.count = 0};

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        t.v[t.count++] = span_str(odd[i]);
    (void)texts_len(w, &t);
    for (unsigned round = 0; round < 300; round++) {
        arena_reset(&w->a);
        t.count = below(w, 100);
        for (size_t i = 0; i < t.count; i++) {
            size_t len = below(w, 60), letters = 1 + below(w, 256);
            char *s = arena_alloc(&w->a, len + 1);
            assert_non_null(s);
            for (size_t b = 0; b < len; b++)
                s[b] = (char)(below(w, 4) ? ' ' + below(w, letters) : below(w, 256));
            t.v[i] = span_of(s, len);
        }
        (void)texts_len(w, &t);
    }
}

/* What inspectors write again and again is nearly free the second time. */
static void phrases_that_return_cost_little(void **state)
{
    static const char *const phrases[] = {
        "Khu vực sơ chế chưa tách biệt với khu vực đóng gói",
        "Chưa thực hiện tự công bố sản phẩm theo quy định",
        "Nhân viên chưa được tập huấn kiến thức an toàn thực phẩm",
        "Không có sổ ghi chép nguồn gốc nguyên liệu đầu vào"};
    struct world *w = *state;
    struct texts once = {.count = 4}, often = {.count = 400};

    for (size_t i = 0; i < 400; i++)
        often.v[i] = span_str(phrases[i < 4 ? i : below(w, 4)]);
    for (size_t i = 0; i < 4; i++)
        once.v[i] = often.v[i];
    size_t first = texts_len(w, &once), all = texts_len(w, &often);
    print_message("%zu bytes for four phrases, %zu for 400\n", first, all);
    assert_true(all - first <= 396 * 3);
}

static void foreign_bytes_end_somewhere(void **state)
{
    struct world *w = *state;
    uint8_t in[40], *room = arena_alloc(&w->a, KIB(8));
    size_t read = 0;

    assert_non_null(room);
    for (unsigned round = 0; round < 20000; round++) {
        struct coder c;
        struct phrase p;
        struct ends ends = {0};
        struct arena a;
        size_t len = below(w, sizeof in);
        for (size_t i = 0; i < len; i++)
            in[i] = below(w, 3) ? (uint8_t)draw(w) : (uint8_t)(0 - below(w, 2));
        arena_init(&a, MIB(2));
        phrase_init(&p, &c, &a);
        coder_read(&c, span_of(in, len));
        size_t got = phrase_code(&p, &ends, span_of(NULL, 0), room, KIB(4));
        assert_true(got == SIZE_MAX || got <= KIB(4));
        read += got != SIZE_MAX;
        (void)phrase_code(&p, &ends, span_of(NULL, 0), room + KIB(4), KIB(4));
        assert_false(p.failed);
        arena_fini(&a);
    }
    assert_true(read > 100 && read < 20000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(every_short_message_is_read),
        TEST(what_never_changes_costs_next_to_nothing),
        TEST(numbers_come_back_in_any_layout),
        TEST(numbers_with_an_order_cost_little),
        TEST(texts_come_back_byte_for_byte),
        TEST(phrases_that_return_cost_little),
        TEST(foreign_bytes_end_somewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
