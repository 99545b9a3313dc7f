/* Reading and writing comma-separated files, and what their headers and cells mean. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "csvfile.h"
#include "import_columns.h"

/* What was read, as text: cells in brackets with their line, wrong rows as !LINE. */
struct seen {
    char text[2000];
    char reason[200];
};

static void add(struct seen *s, char kind, size_t line, struct span cell)
{
    const size_t at = strlen(s->text);
    const size_t room = sizeof s->text - at;

    if (kind == '!')
        snprintf(s->text + at, room, "!%zu/", line);
    else
        snprintf(s->text + at, room, "[%zu:%.*s]", line, (int)cell.len,
                 cell.len ? (const char *)cell.p : "");
}

static enum ocop_status on_row(void *self, const struct csvfile_row *row, struct ocop_error *err)
{
    struct seen *s = self;
    (void)err;
    for (size_t i = 0; i < row->count; i++)
        add(s, '[', row->lines[i], row->cells[i]);
    strcat(s->text, "/");
    return OCOP_OK;
}

static void on_wrong(void *self, size_t line, const char *reason)
{
    struct seen *s = self;
    add(s, '!', line, span_of(NULL, 0));
    snprintf(s->reason, sizeof s->reason, "%s", reason);
}

static enum ocop_status read_text(const char *text, size_t len, struct seen *s)
{
    const struct csvfile_reader reader = {on_row, on_wrong, s};
    memset(s, 0, sizeof *s);
    return csvfile_parse(span_of(text, len), &reader, NULL);
}

static void files_of_every_make_are_read(void **state)
{
    static const struct {
        const char *name, *text, *seen;
    } cases[] = {
        {"comma", "a,b\n1,2\n", "[1:a][1:b]/[2:1][2:2]/"},
        {"semicolon", "a;b\n1,5;2\n", "[1:a][1:b]/[2:1,5][2:2]/"},
        {"tab", "a\tb\n1\t\n", "[1:a][1:b]/[2:1][2:]/"},
        {"a tab keeps leading empty cells", "a\tb\n\t2\n", "[1:a][1:b]/[2:][2:2]/"},
        {"byte order mark",
         "\xef\xbb\xbf"
         "a,b\n1,2\n",
         "[1:a][1:b]/[2:1][2:2]/"},
        {"CRLF", "a,b\r\n1,2\r\n", "[1:a][1:b]/[2:1][2:2]/"},
        {"old Macintosh", "a,b\r1,2\r", "[1:a][1:b]/[2:1][2:2]/"},
        {"no line break at the end", "a,b\n1,2", "[1:a][1:b]/[2:1][2:2]/"},
        {"blank lines", "a,b\n\n  \n1,2\n", "[1:a][1:b]/[4:1][4:2]/"},
        {"blank lines first", "\n\na;b\n1;2\n", "[3:a][3:b]/[4:1][4:2]/"},
        {"quoted delimiter", "a,b\n\"1,2\",3\n", "[1:a][1:b]/[2:1,2][2:3]/"},
        {"doubled quotation mark", "a,b\n\"say \"\"x\"\"\",3\n", "[1:a][1:b]/[2:say \"x\"][2:3]/"},
        {"quoted line break", "a,b\n\"1\n2\",3\n4,5\n", "[1:a][1:b]/[2:1\n2][3:3]/[4:4][4:5]/"},
        {"quoted CRLF", "a,b\r\n\"1\r\n\r\n2\",3\r\n4,5\r\n",
         "[1:a][1:b]/[2:1\n\n2][4:3]/[5:4][5:5]/"},
        {"quoted header with the delimiter of others", "\"a;b;c\",b\n1,2\n",
         "[1:a;b;c][1:b]/[2:1][2:2]/"},
        {"spaces around", " a , b\n 1 ,\t2\n", "[1:a][1:b]/[2:1][2:2]/"},
        {"empty", "", ""},
        {"only a header", "a", "[1:a]/"},
    };
    struct seen s;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_text(cases[i].text, strlen(cases[i].text), &s), OCOP_OK);
        if (strcmp(s.text, cases[i].seen) != 0)
            fail_msg("%s: read %s", cases[i].name, s.text);
    }
}

static void a_wrong_row_is_named_and_the_next_ones_are_read(void **state)
{
    static const struct {
        const char *text, *seen, *reason;
    } cases[] = {
        {"a,b\n1,x\"y\n3,4\n", "[1:a][1:b]/!2/[3:3][3:4]/", "inside a cell"},
        {"a,b\n\"1\"x,2\n3,4\n", "[1:a][1:b]/!2/[3:3][3:4]/", "inside a cell"},
        {"a,b\n1,\"2\n3,4\n", "[1:a][1:b]/!2/", "never closed"},
        {"â,b\n1,\xff\n3,4\n", "[1:â][1:b]/!2/[3:3][3:4]/", "UTF-8"},
        {"â,b\n1\xc3,\xa9\n3,4\n", "[1:â][1:b]/!2/[3:3][3:4]/", "UTF-8"},
        {"â,b\n\"1\n\xc3\",2\n3,4\n", "[1:â][1:b]/!2/[4:3][4:4]/", "UTF-8"},
    };
    struct seen s;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_text(cases[i].text, strlen(cases[i].text), &s), OCOP_OK);
        assert_string_equal(s.text, cases[i].seen);
        assert_non_null(strstr(s.reason, cases[i].reason));
    }
}

static void a_file_that_is_not_utf8_is_refused_with_advice(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *says;
    } cases[] = {
        {"\xff\xfe"
         "a\0,\0",
         6, "UTF-16"},
        {"a\0,\0b\0\n\0", 8, "UTF-16"},
        /* Windows-1258: Tên,Xã / Hoà,1 / Mai,2 */
        {"T\xean,X\xe3\nHo\xe0,1\nMai,2\n", 19, "2 lines are not, first line 1"},
        {"name\r\nMai\r\nHo\xe0\r\n", 16, "1 lines are not, first line 3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seen s;
        struct ocop_error err = {0};
        const struct csvfile_reader reader = {on_row, on_wrong, &s};
        memset(&s, 0, sizeof s);
        assert_int_equal(csvfile_parse(span_of(cases[i].text, cases[i].len), &reader, &err),
                         OCOP_EINVAL);
        if (!strstr(err.text, cases[i].says) || !strstr(err.text, "CSV UTF-8"))
            fail_msg("%zu: %s", i, err.text);
        assert_string_equal(s.text, ""); /* nothing was read */
    }
}

static void too_many_columns_and_too_long_cells_are_wrong_rows(void **state)
{
    static char text[CSVFILE_CELL_BYTES_MAX + 1000];
    struct seen s;
    (void)state;
    memset(text, ',', CSVFILE_COLUMNS_MAX);
    strcpy(text + CSVFILE_COLUMNS_MAX, "\nx\n");
    assert_int_equal(read_text(text, strlen(text), &s), OCOP_OK);
    assert_string_equal(s.text, "!1/[2:x]/");
    memset(text, 'x', CSVFILE_CELL_BYTES_MAX + 1);
    strcpy(text + CSVFILE_CELL_BYTES_MAX + 1, "\ny\n");
    assert_int_equal(read_text(text, strlen(text), &s), OCOP_OK);
    assert_string_equal(s.text, "!1/[2:y]/");
}

static void written_cells_are_read_back_and_are_never_formulas(void **state)
{
    static const struct {
        const char *cell, *written;
    } cases[] = {
        {"plain", "plain"},
        {"Nguyễn", "Nguyễn"},
        {"a,b", "\"a,b\""},
        {"say \"x\"", "\"say \"\"x\"\"\""},
        {"two\nlines", "\"two\nlines\""},
        {"=1+1", "'=1+1"},
        {"+84", "'+84"},
        {"-5", "'-5"},
        {"@SUM(A1)", "'@SUM(A1)"},
        {"\tx", "\"'\tx\""},
        {"=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""},
        {"", ""},
    };
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&b);
        csvfile_put_cell(&b, span_str(cases[i].cell), true);
        assert_string_equal(buf_cstr(&b), cases[i].written);
    }
    buf_fini(&b);
}

/* --- headers and cells ------------------------------------------------------------------------ */

static enum ocop_status header(enum import_what what, const char *const *names, size_t count,
                               bool ignore, uint8_t *map, struct ocop_error *err)
{
    struct span cells[20];
    size_t lines[20] = {0};
    for (size_t i = 0; i < count; i++)
        cells[i] = span_str(names[i]);
    const struct csvfile_row row = {1, cells, lines, count};
    return import_header(&import_forms[what], &row, ignore, map, err);
}

static void headers_are_known_in_both_languages_and_both_normal_forms(void **state)
{
    static const char *const forms[][4] = {
        {"name", "type", "unit_code", "tax_code"},
        {"Tên chủ thể", "Loại hình", "Mã xã", "Mã số thuế"},
        {"TÊN CHỦ THỂ (*)", "loại  hình", "Mã xã (5 số)", "MST"},
        /* NFD: each mark a character of its own */
        {"Te\xcc\x82n chu\xcc\x89 the\xcc\x82\xcc\x89", "Loa\xcc\xa3i hi\xcc\x80nh",
         "Ma\xcc\x83 xa\xcc\x83", "Ma\xcc\x83 so\xcc\x82\xcc\x81 thue\xcc\x82\xcc\x81"},
        {"ten chu the", "loai hinh", "ma xa", "ma so thue"},
    };
    uint8_t map[CSVFILE_COLUMNS_MAX];
    struct ocop_error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (header(IMPORT_PRODUCERS, forms[i], 4, false, map, &err) != OCOP_OK)
            fail_msg("%s: %s", forms[i][0], err.text);
        for (uint8_t c = 0; c < 4; c++)
            assert_int_equal(map[c], c);
    }
}

static void unknown_missing_and_doubled_columns_are_named(void **state)
{
    static const char *const unknown[] = {"name", "type", "unit_code", "Màu sắc", "shoe size"};
    static const char *const missing[] = {"name"};
    static const char *const twice[] = {"name", "Tên chủ thể", "type", "unit_code"};
    uint8_t map[CSVFILE_COLUMNS_MAX];
    struct ocop_error err = {0};
    (void)state;
    assert_int_equal(header(IMPORT_PRODUCERS, unknown, 5, false, map, &err), OCOP_EINVAL);
    assert_non_null(strstr(err.text, "Màu sắc"));
    assert_non_null(strstr(err.text, "shoe size"));
    assert_int_equal(header(IMPORT_PRODUCERS, unknown, 5, true, map, &err), OCOP_OK);
    assert_int_equal(map[3], IMPORT_NO_COLUMN);
    assert_int_equal(header(IMPORT_PRODUCERS, missing, 1, true, map, &err), OCOP_EINVAL);
    assert_non_null(strstr(err.text, "type, unit_code"));
    assert_int_equal(header(IMPORT_PRODUCERS, twice, 4, true, map, &err), OCOP_EINVAL);
    assert_non_null(strstr(err.text, "there already"));
}

static void cells_become_values(void **state)
{
    static const struct {
        enum cell_form form;
        const char *cell;
        enum ocop_status status;
        int64_t i;
        const char *text;
    } cases[] = {
        {CELL_DATE, "05/8/2026", OCOP_OK, 0, "2026-08-05"},
        {CELL_DATE, "2026-08-05", OCOP_OK, 0, "2026-08-05"},
        {CELL_DATE, "31/2/2026", OCOP_EINVAL, 0, NULL},
        {CELL_DATE, "soon", OCOP_EINVAL, 0, NULL},
        {CELL_STARS, "3", OCOP_OK, 3, NULL},
        {CELL_STARS, "3 sao", OCOP_OK, 3, NULL},
        {CELL_STARS, "4 Sao", OCOP_OK, 4, NULL},
        {CELL_STARS, "5sao", OCOP_OK, 5, NULL},
        {CELL_STARS, "4 stars", OCOP_OK, 4, NULL},
        {CELL_STARS, "★★★", OCOP_OK, 3, NULL},
        {CELL_STARS, "*****", OCOP_OK, 5, NULL},
        {CELL_STARS, "ba sao", OCOP_EINVAL, 0, NULL},
        {CELL_INT, "2026", OCOP_OK, 2026, NULL},
        {CELL_INT, "-7", OCOP_OK, -7, NULL},
        {CELL_INT, "20,5", OCOP_EINVAL, 0, NULL},
        {CELL_INT, "-", OCOP_EINVAL, 0, NULL},
        {CELL_INT, "99999999999999999999", OCOP_EINVAL, 0, NULL},
        {CELL_DEGREES, "10.123456", OCOP_OK, 10123456, NULL},
        {CELL_DEGREES, "106,5", OCOP_OK, 106500000, NULL},
        {CELL_DEGREES, "-1.0000019", OCOP_OK, -1000001, NULL},
        {CELL_DEGREES, "106", OCOP_OK, 106000000, NULL},
        {CELL_DEGREES, "1.2.3", OCOP_EINVAL, 0, NULL},
        {CELL_TEXT, "Lê", OCOP_OK, 0, "Lê"},
    };
    struct arena a;
    (void)state;
    arena_init(&a, MIB(1));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct import_column column = {10, cases[i].form, false, "x", ""};
        struct field f;
        const enum ocop_status st = import_cell(&column, span_str(cases[i].cell), &a, &f, NULL);
        if (st != cases[i].status)
            fail_msg("%s: status %d", cases[i].cell, (int)st);
        if (st == OCOP_OK && cases[i].text)
            assert_memory_equal(f.bytes.p, cases[i].text, strlen(cases[i].text) + 1);
        else if (st == OCOP_OK)
            assert_int_equal(f.i, cases[i].i);
    }
    arena_fini(&a);
}

static void blanks_that_nobody_sees_are_trimmed(void **state)
{
    static const struct {
        const char *cell, *line, *note;
    } cases[] = {
        {" x ", "x", "x"},
        {"\xc2\xa0x y\xc2\xa0", "x y", "x y"},
        {"\xe2\x80\x8bx\xef\xbb\xbf", "x", "x"},
        {"x\ny\n", "x y", "x\ny"},
        {" \n\t", "", ""},
        {"", "", ""},
        {"é", "é", "é"},
    };
    struct arena a;
    struct span out;
    (void)state;
    arena_init(&a, MIB(1));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(import_trim(span_str(cases[i].cell), false, &a, &out, NULL), OCOP_OK);
        assert_string_equal((const char *)out.p, cases[i].line);
        assert_int_equal(import_trim(span_str(cases[i].cell), true, &a, &out, NULL), OCOP_OK);
        assert_string_equal((const char *)out.p, cases[i].note);
    }
    arena_fini(&a);
}

static void the_day_before_crosses_months_and_years(void **state)
{
    static const char *const cases[][2] = {
        {"2025-07-01", "2025-06-30"}, {"2025-01-01", "2024-12-31"}, {"2024-03-01", "2024-02-29"},
        {"2025-03-01", "2025-02-28"}, {"1900-03-01", "1900-02-28"}, {"2025-07-15", "2025-07-14"}};
    char day[11];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        import_day_before(cases[i][0], day);
        assert_string_equal(day, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_every_make_are_read),
        cmocka_unit_test(a_wrong_row_is_named_and_the_next_ones_are_read),
        cmocka_unit_test(a_file_that_is_not_utf8_is_refused_with_advice),
        cmocka_unit_test(too_many_columns_and_too_long_cells_are_wrong_rows),
        cmocka_unit_test(written_cells_are_read_back_and_are_never_formulas),
        cmocka_unit_test(headers_are_known_in_both_languages_and_both_normal_forms),
        cmocka_unit_test(unknown_missing_and_doubled_columns_are_named),
        cmocka_unit_test(cells_become_values),
        cmocka_unit_test(blanks_that_nobody_sees_are_trimmed),
        cmocka_unit_test(the_day_before_crosses_months_and_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
