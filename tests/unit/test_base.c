/* Memory, errors, ids, the seam to the world, text and compression. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "arena.h"
#include "bounds.h"
#include "buf.h"
#include "env.h"
#include "err.h"
#include "id.h"
#include "test.h"
#include "text.h"
#include "zip.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* --- arena --- */

/* What an arena takes for so many bytes: 8 is enough of alignment on some processors. */
static size_t arena_takes(size_t len)
{
    size_t align = _Alignof(max_align_t);
    return (len + align - 1) / align * align;
}

static void an_arena_gives_aligned_memory_up_to_its_cap(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, KIB(100));
    size_t given = 0;
    for (void *p; given < 1000 && (p = arena_alloc(&a, 1000)); given++) {
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        memset(p, 0xa5, 1000);
    }
    assert_int_equal(given, KIB(100) / arena_takes(1000));
    assert_true(a.used <= KIB(100));
    assert_non_null(arena_alloc(&a, KIB(100) - a.used));
    assert_null(arena_alloc(&a, 1));
    arena_fini(&a);
    assert_int_equal(a.used, 0);
}

/* What was too much is the asker's fault, what there is no memory for is not. */
static void an_arena_tells_a_cap_from_want_of_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100);
    assert_null(arena_alloc(&a, 200));
    assert_true(a.full && !a.failed);
    arena_fini(&a);
    arena_init(&a, SIZE_MAX);
    assert_null(arena_alloc(&a, SIZE_MAX / 2)); /* no machine gives half of all addresses */
    assert_true(a.failed && !a.full);
    arena_reset(&a);
    assert_false(a.failed);
    assert_non_null(arena_alloc(&a, 100));
    assert_false(a.failed);
    arena_fini(&a);
}

static void an_arena_refuses_sizes_that_overflow(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, SIZE_MAX);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 20));
    assert_null(arena_calloc(&a, SIZE_MAX / 2, 3));
    assert_null(arena_dup(&a, "x", SIZE_MAX));
    assert_ptr_not_equal(arena_alloc(&a, 0), arena_alloc(&a, 0));
    arena_fini(&a);
}

static void a_reset_arena_keeps_its_largest_block(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, KIB(600));
    assert_non_null(arena_alloc(&a, KIB(10)));
    char *large = arena_alloc(&a, KIB(500));
    assert_non_null(arena_alloc(&a, KIB(50))); /* in a block that the cap cuts short */
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    assert_ptr_equal(arena_alloc(&a, KIB(500)), large);
    arena_fini(&a);
}

static void an_arena_copies_prints_clears_and_trims(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, KIB(64));
    assert_string_equal(arena_dup(&a, "Đắk Mil", 8), "Đắk M");
    assert_string_equal(arena_dup(&a, NULL, 0), "");
    assert_string_equal(arena_printf(&a, "%d of %s", 3, "five"), "3 of five");
    uint8_t *p = arena_alloc(&a, 4000);
    memset(p, 0xff, 4000);
    size_t used = a.used;
    arena_trim(&a, p, 4000, 100);
    assert_int_equal(a.used, used - 4000 + arena_takes(100));
    uint8_t *q = arena_calloc(&a, 10, 20);
    assert_ptr_equal(q, p + arena_takes(100));
    for (int i = 0; i < 200; i++)
        assert_int_equal(q[i], 0);
    used = a.used;
    arena_trim(&a, p, 100, 0); /* no longer at the end */
    assert_int_equal(a.used, used);
    arena_fini(&a);
}

/* --- buf --- */

static void a_buf_holds_exactly_its_cap(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 300);
    for (int i = 0; i < 300; i++)
        buf_byte(&b, 'x');
    assert_false(b.failed);
    assert_int_equal(strlen(buf_cstr(&b)), 300); /* the NUL does not count */
    buf_byte(&b, 'y');
    assert_true(b.failed);
    assert_int_equal(b.len, 300);
    assert_string_equal(buf_cstr(&b), "");
    buf_clear(&b);
    buf_str(&b, "again");
    assert_string_equal(buf_cstr(&b), "again");
    buf_fini(&b);
}

static void a_failed_buf_takes_nothing_more(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_str(&b, "ab");
    buf_str(&b, "cde");
    buf_str(&b, "f");
    buf_printf(&b, "%d", 7);
    buf_varint(&b, 1);
    assert_true(b.failed);
    assert_true(span_eq(buf_span(&b), span_str("ab")));
    buf_fini(&b);
}

static void a_buf_prints_text_of_any_length(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    assert_string_equal(buf_cstr(&b), "");
    buf_printf(&b, "%s-", "short");
    buf_printf(&b, "%0600d", 1);
    assert_int_equal(b.len, 606);
    assert_string_equal(buf_cstr(&b) + 600, "000001");
    buf_printf(&b, "%0394d", 2);
    assert_false(b.failed);
    assert_int_equal(b.len, 1000);
    buf_printf(&b, "%s", "z");
    assert_true(b.failed);
    buf_fini(&b);
}

static void varints_come_back_as_they_were_written(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, INT64_MAX, UINT64_MAX};
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < COUNT(values); i++)
        buf_varint(&b, values[i]);
    size_t at = 0;
    uint64_t v;
    for (size_t i = 0; i < COUNT(values); i++) {
        assert_true(span_varint(buf_span(&b), &at, &v));
        assert_true(v == values[i]);
    }
    assert_int_equal(at, b.len);
    assert_false(span_varint(buf_span(&b), &at, &v));
    buf_fini(&b);
}

static void a_bad_varint_is_refused_and_not_skipped(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "\x80", "\xff\xff",
                                      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                                      "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        size_t at = 0;
        uint64_t v = 42;
        assert_false(span_varint(span_str(bad[i]), &at, &v));
        assert_int_equal(at, 0);
        assert_true(v == 42);
    }
}

/* --- err --- */

static void an_error_carries_status_field_and_text(void **state)
{
    (void)state;
    struct ocop_error err;
    assert_int_equal(err_field(&err, OCOP_EINVAL, "findings[2].clause", "at most %d", 5),
                     OCOP_EINVAL);
    assert_int_equal(err.status, OCOP_EINVAL);
    assert_string_equal(err.field, "findings[2].clause");
    assert_string_equal(err.text, "at most 5");
    assert_int_equal(err_set(&err, OCOP_EDB, "row: %s", err.text), OCOP_EDB);
    assert_string_equal(err.field, "");
    assert_string_equal(err.text, "row: at most 5");
    assert_int_equal(err_set(NULL, OCOP_EIO, "nobody reads this"), OCOP_EIO);
    assert_int_equal(err_nomem(&err), OCOP_ENOMEM);
    assert_string_equal(err_name(OCOP_ENOTENROLLED), "ENOTENROLLED");
    assert_string_equal(err_name((enum ocop_status)99), "EUNKNOWN");
}

static void a_long_error_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[OCOP_ERROR_TEXT_MAX * 2];
    struct ocop_error err;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 3)
            memcpy(text + i, "ắ", 4);
        err_set(&err, OCOP_EIO, "%s", text);
        assert_true(strlen(err.text) > OCOP_ERROR_TEXT_MAX - 5);
        assert_true(text_is_utf8(span_str(err.text)));
    }
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    err_set(&err, OCOP_EIO, "%s", text);
    assert_int_equal(strlen(err.text), OCOP_ERROR_TEXT_MAX - 1);
}

/* --- env and id --- */

struct world {
    int64_t now;
    uint8_t next;
    char line[1100];
};

static int64_t world_now(void *self)
{
    return ((struct world *)self)->now;
}

static void world_random(void *self, void *out, size_t len)
{
    memset(out, ((struct world *)self)->next++, len);
}

static void world_log(void *self, enum env_level level, const char *line)
{
    struct world *w = self;
    snprintf(w->line, sizeof w->line, "%d %s", (int)level, line);
}

static struct env world_env(struct world *w)
{
    return (struct env){world_now, world_now, world_random, world_log, w};
}

static void a_log_line_is_logfmt_with_the_time_in_utc(void **state)
{
    (void)state;
    struct world w = {.now = INT64_C(1785888245007)};
    struct env env = world_env(&w);
    char room[40];
    env_log(&env, ENV_WARN, "exchange", "sets=%d unit=%s", 3, env_quote(room, 40, "Đắk Mil"));
    assert_string_equal(
        w.line, "2 ts=2026-08-05T00:04:05.007Z level=warn event=exchange sets=3 unit=\"Đắk Mil\"");
    w.now = -1;
    env_log(&env, ENV_INFO, "start", "%s", "");
    assert_non_null(strstr(w.line, "ts=1969-12-31T23:59:59.999Z level=info event=start"));
    env_log(&env, ENV_ERROR, "long", "%02000d", 0);
    assert_int_equal(strlen(w.line), 2 + 1023);
}

static void quoting_escapes_controls_and_never_cuts_a_character(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(env_quote(out, sizeof out, "a\"b\\c\n\x7f"), "\"a\\\"b\\\\c\\x0a\\x7f\"");
    assert_string_equal(env_quote(out, sizeof out,
                                  "\xc2\x9b"
                                  "31m \xc2\xa0"),
                        "\"\\xc2\\x9b31m \xc2\xa0\"");
    static const char *const cut[] = {"", "", "", "\"\"", "\"\"", "\"\"", "\"ắ\"", "\"ắ\""};
    for (size_t room = 0; room < COUNT(cut); room++) {
        memset(out, 0, sizeof out);
        assert_ptr_equal(env_quote(out, room, "ắắ"), out);
        assert_string_equal(out, cut[room]);
    }
}

static void the_system_has_a_clock_and_randomness(void **state)
{
    (void)state;
    const struct env *env = env_system();
    uint8_t a[32] = {0}, b[32] = {0};
    env_random(env, a, sizeof a);
    env_random(env, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(env_now_ms(env) > INT64_C(1700000000000));
    int64_t before = env_mono_ms(env);
    assert_true(env_mono_ms(env) >= before);
}

static void ids_are_uuids_of_one_prefix_counting_from_one(void **state)
{
    (void)state;
    struct world w = {.next = 0xff};
    struct env env = world_env(&w);
    struct id_source s;
    char text[ID_TEXT_LEN + 1];
    id_source_init(&s, &env);
    assert_string_equal(id_text(id_next(&s, &env), text), "ffffffff-ffff-8fff-bfff-ffff00000001");
    assert_string_equal(id_text(id_next(&s, &env), text), "ffffffff-ffff-8fff-bfff-ffff00000002");
    s.counter = 0xfffffffe;
    assert_string_equal(id_text(id_next(&s, &env), text), "ffffffff-ffff-8fff-bfff-ffffffffffff");
    w.next = 0x11; /* a new prefix when the counter is used up */
    assert_string_equal(id_text(id_next(&s, &env), text), "11111111-1111-8111-9111-111100000001");
}

static void an_id_is_read_back_in_both_forms_and_nothing_else_is(void **state)
{
    (void)state;
    static const char *const good[] = {"01980f3c-5a7e-8b21-9c4d-2e6f00000001",
                                       "01980f3c5a7e8b219c4d2e6f00000001",
                                       "01980F3C-5A7E-8B21-9C4D-2E6F00000001"};
    static const char *const bad[] = {"",
                                      "01980f3c",
                                      "01980f3c-5a7e-8b21-9c4d-2e6f0000000",
                                      "01980f3c-5a7e-8b21-9c4d-2e6f000000011",
                                      "01980f3c5a7e8b219c4d2e6f000000011",
                                      "01980f3c5a7e8b219c4d2e6f0000000",
                                      "01980f3c5-a7e-8b21-9c4d-2e6f00000001",
                                      "01980f3c-5a7e-8b21-9c4d2e6f00000001",
                                      "01980f3c-5a7e-8b21-9c4d-2e6f0000000g"};
    struct id id, untouched = {{7}};
    char text[ID_TEXT_LEN + 1];
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(id_parse(good[i], &id));
        assert_string_equal(id_text(id, text), good[0]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        id = untouched;
        assert_false(id_parse(bad[i], &id));
        assert_true(id_eq(&id, &untouched));
    }
    assert_true(id_from(id_span(&untouched), &id));
    assert_false(id_from(span_str("short"), &id));
}

/* --- text --- */

static void only_valid_utf8_is_taken_for_it(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "Đắk Mil, tỉnh Lâm Đồng",
                                       "12345678ắ2345678",
                                       "😀",
                                       "\xed\x9f\xbf\xee\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "a\xc3",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "12345678\xff",
                                      "\xe1\xba",
                                      "\xf0\x9f\x98",
                                      "1234567\xe1\xba"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(text_is_utf8(span_str(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(text_is_utf8(span_str(bad[i])));
    assert_false(text_is_utf8(span_of("1234567890\0b", 12)));
    assert_false(text_is_utf8(span_of("ắ\0", 4)));
    assert_true(text_is_utf8(span_of(NULL, 0)));
}

static void control_characters_are_not_printable(void **state)
{
    (void)state;
    assert_true(text_is_printable(span_str("Tên:\tcà phê\n\xc2\xa0ắ")));
    assert_false(text_is_printable(span_str("a\r\n")));
    assert_false(text_is_printable(span_str("\x1b[31m")));
    assert_false(text_is_printable(span_str("\x7f")));
    assert_false(text_is_printable(span_str("a\xc2\x9b")));
}

static bool is_one_good_line(struct span s)
{
    return text_is_utf8(s) && text_is_printable(s) && !memchr(s.p, '\n', s.len) &&
           !memchr(s.p, '\t', s.len);
}

/* Every pair of bytes, at the edge of a run of eight and behind a lead of three. */
static void plain_text_is_always_one_good_line(void **state)
{
    static const char *const before[] = {"", "1234567", "abcdefgh", "\xe1", "\xed", "\xf0\x9f"};
    uint8_t text[24];
    (void)state;
    assert_true(text_is_plain(span_str("Hợp tác xã Đắk N'Drót, ca cao 70%")));
    assert_true(text_is_plain(span_of(NULL, 0)));
    for (size_t i = 0; i < COUNT(before); i++)
        for (unsigned pair = 0; pair < 0x10000; pair++) {
            size_t len = strlen(before[i]);
            memcpy(text, before[i], len);
            text[len] = (uint8_t)(pair >> 8);
            text[len + 1] = (uint8_t)pair;
            memcpy(text + len + 2, "12345678", 8);
            for (size_t end = len + 2; end <= len + 10; end += 8)
                if (text_is_plain(span_of(text, end)))
                    assert_true(is_one_good_line(span_of(text, end)));
        }
}

#define NFD_HOA "hoa\xcc\x80"
#define NFD_DAK_MIL                                                                                \
    "\xc4\x90"                                                                                     \
    "a\xcc\x86\xcc\x81k Mil"

static void texts_are_equal_after_nfc(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"", "", true},
        {"Coffee", "Coffee", true},
        {"Coffee", "coffee", false},
        {"hoà", NFD_HOA, true},
        {"Đắk Mil", NFD_DAK_MIL, true},
        {"e\xcc\xa3\xcc\x82", "e\xcc\x82\xcc\xa3", true}, /* marks in either order */
        {"hoà", "hòa", false},
        {"hoà", "hoa", false},
        {"hoà ", "hoà", false},
        {"", "à", false},
        {"\xe2\x84\xab", "Å", true}, /* the ångström sign */
        {"a\xff", "a\xff", true},
        {"a\xff", "a\xfe", false},
        {NFD_HOA "\xff", "hoà\xff", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(text_equal(span_str(cases[i].a), span_str(cases[i].b)), cases[i].equal);
        assert_int_equal(text_equal(span_str(cases[i].b), span_str(cases[i].a)), cases[i].equal);
    }
}

static void assert_folds(const char *text, const char *folded)
{
    struct buf b;
    buf_init(&b, KIB(16));
    text_fold(&b, span_str(text));
    assert_string_equal(buf_cstr(&b), folded);
    assert_false(b.failed);
    buf_fini(&b);
}

static void folding_strips_case_marks_and_the_bar_of_d(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"Cà Phê  Đắk\tMil ", "ca phe dak mil"},
        {NFD_DAK_MIL, "dak mil"},
        {NFD_HOA, "hoa"},
        {"hòa hoà HOÀ", "hoa hoa hoa"},
        {"Nước mắm Phú Quốc 40°N", "nuoc mam phu quoc 40°n"},
        {"Ưu ơ Ỡ Ỵ ỷ", "uu o o y y"},
        {"u\xcc\x9b\xcc\xa3", "u"},
        {"\xef\xbc\xa1\xef\xbc\x91", "a1"}, /* full width */
        {"a\xc2\xa0\xe3\x80\x80 b", "a b"}, /* spaces of other kinds */
        {"a\xff\xfe"
         "b\xe1\xba",
         "a b"}, /* invalid bytes */
        {"Straße Æ ø", "strasse æ ø"},
        {"\xe1\xbe\xb3 \xce\xb1\xcd\x85", "α α"}, /* iota below, composed and not */
        {"\xe1\x84\x92\xe1\x85\xa1", "\xe1\x84\x92\xe1\x85\xa1"},
        {"하", "\xe1\x84\x92\xe1\x85\xa1"},
        {"\xcc\x81", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_folds(cases[i][0], cases[i][1]);
}

static void every_vietnamese_letter_folds_to_its_base(void **state)
{
    (void)state;
    static const struct {
        const char *letters;
        char folded;
    } cases[] = {{"àáảãạăằắẳẵặâầấẩẫậÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬ", 'a'},
                 {"èéẻẽẹêềếểễệÈÉẺẼẸÊỀẾỂỄỆ", 'e'},
                 {"ìíỉĩịÌÍỈĨỊ", 'i'},
                 {"òóỏõọôồốổỗộơờớởỡợÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢ", 'o'},
                 {"ùúủũụưừứửữựÙÚỦŨỤƯỪỨỬỮỰ", 'u'},
                 {"ỳýỷỹỵỲÝỶỸỴ", 'y'},
                 {"đĐ", 'd'}};
    size_t seen = 0;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *p = cases[i].letters;
        while (*p) {
            size_t n = (uint8_t)*p >= 0xe0 ? 3 : 2;
            char letter[4] = {0}, folded[2] = {cases[i].folded, 0};
            memcpy(letter, p, n);
            assert_folds(letter, folded);
            p += n;
            seen++;
        }
    }
    assert_int_equal(seen, 2 * 67);
}

/* Holds the table of letters against utf8proc's data. */
static void every_character_folds_alike_composed_and_decomposed(void **state)
{
    (void)state;
    struct buf whole, parts;
    size_t decomposed = 0;
    buf_init(&whole, 200);
    buf_init(&parts, 200);
    for (int32_t c = 0x80; c < 0x30000; c++) {
        uint8_t bytes[5] = {0}, *nfd = NULL;
        if (!utf8proc_codepoint_valid(c))
            continue;
        struct span s = span_of(bytes, (size_t)utf8proc_encode_char(c, bytes));
        utf8proc_ssize_t len =
            utf8proc_map(s.p, (utf8proc_ssize_t)s.len, &nfd, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
        assert_true(len > 0);
        buf_clear(&whole);
        buf_clear(&parts);
        text_fold(&whole, s);
        text_fold(&parts, span_of(nfd, (size_t)len));
        decomposed += !span_eq(s, span_of(nfd, (size_t)len));
        free(nfd);
        if (!span_eq(buf_span(&whole), buf_span(&parts)))
            fail_msg("U+%04X folds to %s, its parts to %s", (unsigned)c, buf_cstr(&whole),
                     buf_cstr(&parts));
    }
    assert_true(decomposed > 12000);
    buf_fini(&whole);
    buf_fini(&parts);
}

static void no_text_folds_to_more_than_is_made_room_for(void **state)
{
    (void)state;
    size_t most = 0;
    struct buf b;
    buf_init(&b, 200);
    for (int32_t c = 1; c < 0x110000; c++) {
        uint8_t bytes[5] = {0};
        if (!utf8proc_codepoint_valid(c))
            continue;
        struct span s = span_of(bytes, (size_t)utf8proc_encode_char(c, bytes));
        buf_clear(&b);
        text_fold(&b, s);
        assert_true(b.len <= FOLD_GROWTH_MAX * s.len);
        most = b.len > most ? b.len : most;
    }
    assert_int_equal(most, 3 * FOLD_GROWTH_MAX); /* U+FDFA */
    buf_fini(&b);
}

static void folding_appends_and_long_text_is_whole(void **state)
{
    (void)state;
    struct buf b, long_text;
    buf_init(&b, KIB(64));
    buf_init(&long_text, KIB(64));
    for (int i = 0; i < 2000; i++)
        buf_str(&long_text, "Ở đâu ");
    buf_str(&b, "x:");
    text_fold(&b, buf_span(&long_text));
    assert_int_equal(b.len, 2 + 2000 * 6 - 1);
    for (size_t i = 2; i + 6 <= b.len; i += 6)
        assert_memory_equal(b.p + i, "o dau ", 6);
    buf_fini(&b);
    buf_init(&b, 10);
    text_fold(&b, buf_span(&long_text));
    assert_true(b.failed);
    buf_fini(&b);
    buf_fini(&long_text);
}

static void names_typed_in_different_ways_have_one_key(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"Hoà", "hòa"},
                                           {"Hòa", "hòa"},
                                           {"HOÀ BÌNH", "hòa bình"},
                                           {NFD_HOA, "hòa"},
                                           {"khoẻ", "khỏe"},
                                           {"thuý", "thúy"},
                                           {"Thuỵ, uỷ", "thụy, ủy"},
                                           {"quý", "quý"},
                                           {"Quỳ Hợp", "quỳ hợp"},
                                           {"hoàn", "hoàn"},
                                           {"huỳnh", "huỳnh"},
                                           {"ngoài", "ngoài"},
                                           {"xoáy", "xoáy"},
                                           {"quà", "quà"},
                                           {"mùa", "mùa"},
                                           {"già", "già"},
                                           {"ĐẮK MIL", "đắk mil"},
                                           {"oà", "òa"},
                                           {"", ""},
                                           {" \t", ""},
                                           {"a", "a"},
                                           {"oa", "oa"},
                                           {"hoà\xff", "hoà\xff"},
                                           {"loà xoà", "lòa xòa"},
                                           {"tổ hoạ 2", "tổ họa 2"},
                                           {"  HTX \u00a0 Sao\n Mai\u200b ", "htx sao mai"},
                                           {"R\u2019Lấp", "r'lấp"},
                                           {"R'LẤP", "r'lấp"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b;
        buf_init(&b, 100);
        buf_byte(&b, '>');
        text_name_key(&b, span_str(cases[i][0]));
        assert_string_equal(buf_cstr(&b) + 1, cases[i][1]);
        buf_fini(&b);
    }
}

/* --- dates and decimals --- */

static void a_date_is_a_day_that_exists(void **state)
{
    (void)state;
    static const char *const good[] = {"2026-08-05", "2024-02-29", "2000-02-29", "1900-01-01",
                                       "2999-12-31"};
    static const char *const bad[] = {"",           "2026-8-05",  "2026-02-29", "2100-02-29",
                                      "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00",
                                      "1899-12-31", "3000-01-01", "2026/08/05", "2026-08-05 ",
                                      "2026-0a-05", "-026-08-05"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(text_is_date(span_str(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(text_is_date(span_str(bad[i])));
}

static void months_are_added_up_to_the_last_day_of_the_month(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        int months;
        const char *to; /* NULL: refused */
    } cases[] = {{"2026-08-05", 36, "2029-08-05"},  {"2026-01-31", 1, "2026-02-28"},
                 {"2028-01-31", 1, "2028-02-29"},   {"2024-02-29", 12, "2025-02-28"},
                 {"2026-12-31", 2, "2027-02-28"},   {"2026-03-31", -1, "2026-02-28"},
                 {"2026-01-15", -13, "2024-12-15"}, {"2026-08-05", 0, "2026-08-05"},
                 {"2999-12-01", 1, NULL},           {"1900-01-01", -1, NULL},
                 {"2026-08-05", INT_MAX, NULL},     {"2026-08-05", INT_MIN, NULL},
                 {"2026-02-30", 1, NULL},           {"", 1, NULL}};
    char out[11];
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(text_add_months(cases[i].from, cases[i].months, out), !!cases[i].to);
        if (cases[i].to)
            assert_string_equal(out, cases[i].to);
    }
}

static void dates_are_read_as_people_write_them(void **state)
{
    (void)state;
    static const char *const good[] = {"05/8/2026", "5-8-2026", "2026-08-05", "05.08.2026",
                                       "2026/8/5"};
    static const char *const bad[] = {
        "",        "5/8/26",    "31/2/2026", "5/8-2026", "5/8/2026/", "005/8/2026", "20260805",
        "5//2026", "5/8/20266", "/5/8/2026", "2026-08-", "5/8/2026 ", "2026-8-2026"};
    char out[11];
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(text_parse_date(span_str(good[i]), out));
        assert_string_equal(out, "2026-08-05");
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(text_parse_date(span_str(bad[i]), out));
}

static void moments_are_told_in_vietnam_time(void **state)
{
    (void)state;
    char out[17];
    assert_string_equal(text_day_of(INT64_C(1785888245007), out), "2026-08-05");
    assert_string_equal(text_moment(INT64_C(1785888245007), out), "05/08/2026 07:04");
    assert_string_equal(text_moment(INT64_C(1798736400000), out), "01/01/2027 00:00");
    assert_string_equal(text_day_of(INT64_C(1798736399999), out), "2026-12-31");
    assert_string_equal(text_moment(INT64_C(-25200001), out), "31/12/1969 23:59");
    assert_string_equal(text_day_of(INT64_MAX, out), "9999-12-31");
    assert_string_equal(text_moment(INT64_MIN, out), "01/01/0001 00:00");
}

static void decimals_are_plain_digits(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0", "-1", "12.50", "123456789012345678", "-0.5", "12345678.9012345678"};
    static const char *const bad[] = {"",
                                      "-",
                                      ".5",
                                      "5.",
                                      "1,5",
                                      "+1",
                                      "1e3",
                                      " 1",
                                      "1.2.3",
                                      "--1",
                                      "1234567890123456789",
                                      "123456789.0123456789"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(text_is_decimal(span_str(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(text_is_decimal(span_str(bad[i])));
}

/* --- zip --- */

static void what_is_deflated_inflates_to_the_same(void **state)
{
    (void)state;
    struct arena a;
    struct buf zipped, text;
    struct span out;
    struct ocop_error err;
    arena_init(&a, MIB(8));
    buf_init(&zipped, MIB(1));
    buf_init(&text, MIB(1));
    static const size_t sizes[] = {0, 1, 4095, 4096, 100000, 1000000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint32_t seed = 7;
        buf_clear(&text);
        while (text.len < sizes[i])
            buf_byte(&text, (uint8_t)((seed = seed * 1664525 + 1013904223) >> (i < 5 ? 24 : 30)));
        buf_clear(&zipped);
        buf_byte(&zipped, '#');
        assert_int_equal(zip_deflate(buf_span(&text), 6, &zipped, &err), OCOP_OK);
        struct span in = span_of(zipped.p + 1, zipped.len - 1);
        arena_reset(&a);
        assert_int_equal(zip_inflate(in, sizes[i], &a, &out, &err), OCOP_OK);
        assert_true(span_eq(out, buf_span(&text)));
        assert_true(a.used <= sizes[i] + 16); /* rounded up */
        if (sizes[i])
            assert_int_equal(zip_inflate(in, sizes[i] - 1, &a, &out, &err), OCOP_ELIMIT);
    }
    buf_fini(&text);
    buf_fini(&zipped);
    arena_fini(&a);
}

/* 16 MiB of zeros in some 16 KiB. */
static void bomb(struct buf *zipped)
{
    uint8_t *zeros = calloc(1, MIB(16));
    assert_non_null(zeros);
    buf_init(zipped, KIB(64));
    assert_int_equal(zip_deflate(span_of(zeros, MIB(16)), 9, zipped, NULL), OCOP_OK);
    assert_true(zipped->len < KIB(20));
    free(zeros);
}

static void a_decompression_bomb_stops_at_the_cap(void **state)
{
    (void)state;
    struct arena a;
    struct buf zipped;
    struct span out = span_str("x");
    struct ocop_error err;
    bomb(&zipped);
    arena_init(&a, MIB(64));
    assert_int_equal(zip_inflate(buf_span(&zipped), SET_BODY_BYTES_MAX, &a, &out, &err),
                     OCOP_ELIMIT);
    assert_null(out.p);
    assert_int_equal(out.len, 0);
    assert_int_equal(a.used, 0);
    arena_fini(&a);
    arena_init(&a, MIB(16) + KIB(1)); /* growing holds one copy, not all that came before */
    assert_int_equal(zip_inflate(buf_span(&zipped), MIB(16), &a, &out, &err), OCOP_OK);
    assert_int_equal(out.len, MIB(16));
    assert_true(out.p[0] == 0 && out.p[MIB(16) - 1] == 0);
    arena_fini(&a);
    arena_init(&a, KIB(200)); /* the arena's cap is a matter of memory, not of the data */
    assert_int_equal(zip_inflate(buf_span(&zipped), SET_BODY_BYTES_MAX, &a, &out, &err),
                     OCOP_ENOMEM);
    arena_fini(&a);
    buf_fini(&zipped);
}

static void damaged_cut_and_trailing_bytes_break_the_protocol(void **state)
{
    (void)state;
    struct arena a;
    struct buf zipped;
    struct span out;
    struct ocop_error err;
    char text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * i % 251);
    arena_init(&a, MIB(1));
    buf_init(&zipped, KIB(64));
    assert_int_equal(zip_deflate(span_of(text, sizeof text), 6, &zipped, &err), OCOP_OK);
    for (size_t len = 0; len < zipped.len; len++) {
        assert_int_equal(zip_inflate(span_of(zipped.p, len), KIB(8), &a, &out, &err), OCOP_EPROTO);
        assert_null(out.p);
        assert_int_equal(a.used, 0);
    }
    zipped.p[zipped.len - 1] ^= 1;
    assert_int_equal(zip_inflate(buf_span(&zipped), KIB(8), &a, &out, &err), OCOP_EPROTO);
    zipped.p[zipped.len - 1] ^= 1;
    buf_byte(&zipped, 0);
    assert_int_equal(zip_inflate(buf_span(&zipped), KIB(8), &a, &out, &err), OCOP_EPROTO);
    assert_int_equal(zip_inflate(span_of(NULL, 0), KIB(8), &a, &out, &err), OCOP_EPROTO);
    assert_int_equal(zip_inflate(span_str("not zlib"), KIB(8), &a, &out, NULL), OCOP_EPROTO);
    buf_fini(&zipped);
    arena_fini(&a);
}

static void deflating_past_the_cap_leaves_the_buf_as_it_was(void **state)
{
    (void)state;
    struct buf b;
    struct ocop_error err;
    uint8_t noise[2000];
    env_random(env_system(), noise, sizeof noise);
    buf_init(&b, 1000);
    buf_str(&b, "head");
    assert_int_equal(zip_deflate(span_of(noise, sizeof noise), 6, &b, &err), OCOP_ELIMIT);
    assert_string_equal(buf_cstr(&b), "head");
    memset(noise, 0, sizeof noise); /* now it fits, though zlib's own bound would not */
    assert_int_equal(zip_deflate(span_of(noise, sizeof noise), 6, &b, &err), OCOP_OK);
    b.failed = true;
    assert_int_equal(zip_deflate(span_str("x"), 6, &b, &err), OCOP_ENOMEM);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_gives_aligned_memory_up_to_its_cap),
        cmocka_unit_test(an_arena_refuses_sizes_that_overflow),
        cmocka_unit_test(an_arena_tells_a_cap_from_want_of_memory),
        cmocka_unit_test(a_reset_arena_keeps_its_largest_block),
        cmocka_unit_test(an_arena_copies_prints_clears_and_trims),
        cmocka_unit_test(a_buf_holds_exactly_its_cap),
        cmocka_unit_test(a_failed_buf_takes_nothing_more),
        cmocka_unit_test(a_buf_prints_text_of_any_length),
        cmocka_unit_test(varints_come_back_as_they_were_written),
        cmocka_unit_test(a_bad_varint_is_refused_and_not_skipped),
        cmocka_unit_test(an_error_carries_status_field_and_text),
        cmocka_unit_test(a_long_error_text_is_cut_between_characters),
        cmocka_unit_test(a_log_line_is_logfmt_with_the_time_in_utc),
        cmocka_unit_test(quoting_escapes_controls_and_never_cuts_a_character),
        cmocka_unit_test(the_system_has_a_clock_and_randomness),
        cmocka_unit_test(ids_are_uuids_of_one_prefix_counting_from_one),
        cmocka_unit_test(an_id_is_read_back_in_both_forms_and_nothing_else_is),
        cmocka_unit_test(only_valid_utf8_is_taken_for_it),
        cmocka_unit_test(control_characters_are_not_printable),
        cmocka_unit_test(plain_text_is_always_one_good_line),
        cmocka_unit_test(texts_are_equal_after_nfc),
        cmocka_unit_test(folding_strips_case_marks_and_the_bar_of_d),
        cmocka_unit_test(every_vietnamese_letter_folds_to_its_base),
        cmocka_unit_test(every_character_folds_alike_composed_and_decomposed),
        cmocka_unit_test(no_text_folds_to_more_than_is_made_room_for),
        cmocka_unit_test(folding_appends_and_long_text_is_whole),
        cmocka_unit_test(names_typed_in_different_ways_have_one_key),
        cmocka_unit_test(a_date_is_a_day_that_exists),
        cmocka_unit_test(months_are_added_up_to_the_last_day_of_the_month),
        cmocka_unit_test(dates_are_read_as_people_write_them),
        cmocka_unit_test(moments_are_told_in_vietnam_time),
        cmocka_unit_test(decimals_are_plain_digits),
        cmocka_unit_test(what_is_deflated_inflates_to_the_same),
        cmocka_unit_test(a_decompression_bomb_stops_at_the_cap),
        cmocka_unit_test(damaged_cut_and_trailing_bytes_break_the_protocol),
        cmocka_unit_test(deflating_past_the_cap_leaves_the_buf_as_it_was),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
