/* What the built `ocop` shows of a store: on a terminal and in a pipe, to people, as JSON and as
 * CSV.
 */
#include "device_cli.h"

#include <csv.h>
#include <unistd.h>

#include "record_api.h"

static void show_and_list_neutralise_escapes_of_the_terminal(void **state)
{
    static const char *const lines[] = {("show " EVIL_ID), "list producer",
                                        "find --text hyperlink"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        expect_exit(run_line(lines[i]), 0);
        expect_in(out, "\\u{1b}[2J");
        expect_in(out, "\\u{202e}");
        expect_in(out, "\\u{9b}");
        assert_null(strchr(out, 0x1b));
        assert_null(strstr(out, OVERRIDE));
        assert_null(strstr(out, CLEAR_C1));
    }
    expect_exit(RUN("show", ESCAPE OVERRIDE "x"), 3);
    expect_in(errors, "\\u{1b}");
    assert_null(strchr(errors, 0x1b));
}

static void no_form_of_output_brings_controls_to_a_terminal(void **state)
{
    static const char *const forms[] = {"show " EVIL_ID,          "show " EVIL_ID " --json",
                                        "show " EVIL_ID " --csv", "list producer",
                                        "list producer --json",   "list producer --csv",
                                        "export producer --csv",  "export producer --json"};

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char copy[256], name[128], *argv[ARGS_MAX] = {(char *)(uintptr_t) "ocop"}, *save = NULL;
        int argc = 1, fd = open_terminal(name, sizeof name);
        (void)snprintf(copy, sizeof copy, "%s", forms[i]);
        for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
            argv[argc++] = w;
        out[0] = '\0';
        assert_int_equal(read_terminal(fd, start_on_terminal(argv, 1, name), out), 0);
        (void)close(fd);
        expect_in(out, "HYPERLINK");
        if (strchr(out, 0x1b) || strstr(out, OVERRIDE) || strstr(out, CLEAR_C1))
            fail_msg("%s: %s", forms[i], out);
    }
    /* In a pipe they are what the record holds. */
    expect_exit(run_line("list producer --csv"), 0);
    expect_in(out, ESCAPE);
}

static void show_names_what_a_record_refers_to_and_keeps_lines(void **state)
{
    char id[OCOP_ID_TEXT_LEN + 1];

    (void)state;
    submit_sample(id);
    expect_exit(RUN("show", id), 0);
    expect_in(out, UNIT_ID " (An Khê)");
    expect_in(out, PRODUCT_ID " (Cà phê)");
    expect_in(out, " một\n");
    expect_in(out, " hai\n");
    expect_in(out, "waiting");
}

static void a_list_is_csv_without_formulas(void **state)
{
    struct csv_seen seen;

    (void)state;
    expect_exit(RUN("list", "producer", "--csv"), 0);
    seen = read_csv(out);
    assert_int_equal(seen.rows, 3);
    assert_int_equal(seen.columns, 7);
    assert_false(seen.uneven);
    assert_false(seen.formula);
    assert_string_equal(seen.evil, "'=HYPERLINK(\"x\"),a" ESCAPE OVERRIDE "b" CLEAR_C1 "c");
    assert_string_equal(out + strlen(out) - 2, "\r\n");
}

static void a_list_is_one_json_array(void **state)
{
    json_t *v, *first;

    (void)state;
    expect_exit(RUN("list", "product", "--json", "--unit", "24079", "--producer", "Hợp tác xã"), 0);
    v = parsed(out);
    assert_int_equal(json_array_size(v), 1);
    first = json_array_get(v, 0);
    assert_string_equal(json_string_value(json_object_get(first, "id")), PRODUCT_ID);
    assert_string_equal(json_string_value(json_object_get(first, "label")), "Cà phê");
    assert_string_equal(json_string_value(json_object_get(first, "unitName")), "An Khê");
    assert_string_equal(json_string_value(json_object_get(first, "state")), "accepted");
    assert_true(json_is_false(json_object_get(first, "voided")));
    json_decref(v);
    expect_exit(RUN("list", "producer", "--json"), 0);
    v = parsed(out);
    assert_int_equal(json_array_size(v), 2);
    json_decref(v);
    expect_exit(RUN("find", "--text", "ca phe", "--kind", "product", "--json"), 0);
    v = parsed(out);
    assert_int_equal(json_array_size(v), 1);
    json_decref(v);
    expect_exit(RUN("find", "--unit", "99999"), 3);
    expect_in(errors, "ocop: unit: ");
    expect_exit(RUN("list", "nothing"), 3);
    expect_exit(RUN("find", "--from", "yesterday"), 2);
    expect_exit(RUN("list", "producer", "--limit", "1"), 0);
    expect_in(errors, "--offset 1");
}

/* Columns before `part` in the line where it stands, as a terminal shows them. */
static size_t column_of(const char *line, const char *part)
{
    const char *end = strstr(line, part);
    size_t columns = 0;

    assert_non_null(end);
    for (const unsigned char *p = (const unsigned char *)line; (const char *)p < end; p++) {
        bool mark = p[0] == 0xcc || (p[0] == 0xcd && p[1] < 0xb0);
        columns += (*p & 0xc0) != 0x80 && !mark;
    }
    return columns;
}

static void columns_align_whether_marks_are_composed_or_not(void **state)
{
    char *save, *lines[3];

    (void)state;
    expect_exit(RUN("new", "product", "--set", "name=ca\xcc\x80 phe\xcc\x82\xcc\x81 x", "--set",
                    "unit_id=" UNIT_ID),
                0);
    expect_exit(RUN("list", "product"), 0);
    lines[0] = strtok_r(out, "\n", &save);
    lines[1] = strtok_r(NULL, "\n", &save);
    lines[2] = strtok_r(NULL, "\n", &save);
    assert_int_equal(column_of(lines[1], "An Kh"), column_of(lines[0], "unit"));
    assert_int_equal(column_of(lines[2], "An Kh"), column_of(lines[0], "unit"));
}

static void the_state_of_the_store_is_told_to_people_and_programs(void **state)
{
    json_t *v;

    (void)state;
    expect_exit(RUN("new", "inspection"), 0);
    expect_exit(RUN("status"), 0);
    expect_in(out, "officer:    Lan\n");
    expect_in(out, "drafts:     1\n");
    expect_exit(RUN("status", "--json"), 0);
    v = parsed(out);
    assert_int_equal(json_integer_value(json_object_get(v, "drafts")), 1);
    assert_int_equal(json_integer_value(json_object_get(v, "device")), 7);
    assert_string_equal(json_string_value(json_object_get(v, "officer")), OFFICER_ID);
    json_decref(v);
}

/* The cell of a CSV of one row under a title; "" when there is none. */
static void cell_under(const char *title, char cell[64])
{
    char copy[OUTPUT_MAX], *rows[2], *t = NULL, *c = NULL;

    (void)snprintf(copy, sizeof copy, "%s", out);
    rows[0] = copy;
    rows[1] = strstr(copy, "\r\n");
    assert_non_null(rows[1]);
    *rows[1] = '\0';
    rows[1] += 2;
    cell[0] = '\0';
    for (;;) {
        size_t tn = strcspn(rows[0], ","), cn = strcspn(rows[1], ",\r");
        t = rows[0];
        c = rows[1];
        if (tn == strlen(title) && strncmp(t, title, tn) == 0) {
            (void)snprintf(cell, 64, "%.*s", (int)cn, c);
            return;
        }
        if (!t[tn])
            fail_msg("no title %s in %s", title, out);
        rows[0] += tn + 1;
        rows[1] += cn + 1;
    }
}

static void a_record_and_its_state_and_that_of_the_store_are_rows_of_csv(void **state)
{
    char id[OCOP_ID_TEXT_LEN + 1], cell[64];

    (void)state;
    submit_sample(id);
    expect_exit(RUN("show", id, "--csv"), 0);
    assert_int_equal(read_csv(out).rows, 2);
    assert_false(read_csv(out).uneven);
    cell_under("quantity", cell);
    assert_string_equal(cell, "2.5");
    expect_exit(RUN("status", id, "--csv"), 0);
    assert_int_equal(read_csv(out).rows, 2);
    cell_under("state", cell);
    assert_string_equal(cell, "waiting");
    cell_under("reason_field", cell);
    assert_string_equal(cell, "");
    expect_exit(RUN("status", "--csv"), 0);
    assert_int_equal(read_csv(out).rows, 2);
    cell_under("officer_name", cell);
    assert_string_equal(cell, "Lan");
    cell_under("waiting", cell);
    assert_string_equal(cell, "1");
    expect_exit(RUN("sync", "--csv", "--connect-timeout", "1"), 6);
    cell_under("bytes_received", cell);
    assert_string_equal(cell, "0");
}

static void a_name_is_taken_however_it_is_typed(void **state)
{
    static const char *const names[] = {"Hợp tác xã", "HỢP TÁC XÃ", " hợp  tác xã",
                                        "Ho\xcc\x9b\xcc\xa3p ta\xcc\x81\x63 xa\xcc\x83"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        expect_exit(RUN("show", (char *)(uintptr_t)names[i], "--json"), 0);
        expect_in(out, PRODUCER_ID);
    }
    expect_exit(RUN("show", "Hop tac xa"), 3); /* other diacritics are another name */
    expect_exit(RUN("show", "Hợp tác"), 3);
}

static void a_case_is_shown_with_base_theirs_and_mine(void **state)
{
    struct case_row c = {.kind = KIND_PRODUCT,
                         .cause = 1,
                         .field = "name",
                         .base = "\"Cà\"",
                         .theirs = "\"Cà phê\"",
                         .mine = "\"" OVERRIDE "Trà\""};
    struct ocop_store *s;
    struct ocop_error err;
    json_t *v, *shown;

    (void)state;
    assert_true(id_parse(EVIL_ID, &c.id) && id_parse(PRODUCT_ID, &c.record));
    assert_int_equal(ocop_open(path_of("store"), NULL, &s, &err), OCOP_OK);
    assert_int_equal(client_enter(s, &err), OCOP_OK);
    assert_int_equal(store_case_put(s, &c, &err), OCOP_OK);
    client_leave(s);
    ocop_close(s);
    expect_exit(RUN("show", PRODUCT_ID), 0);
    expect_in(out, "in_case");
    expect_in(out, "case " EVIL_ID " (open):");
    expect_in(out, "base:    \"Cà\"");
    expect_in(out, "theirs:  \"Cà phê\"");
    expect_in(out, "mine:    \"\\u{202e}Trà\"");
    expect_exit(RUN("status", PRODUCT_ID, "--json"), 0);
    v = parsed(out);
    shown = json_array_get(json_object_get(v, "cases"), 0);
    assert_string_equal(json_string_value(json_object_get(shown, "theirs")), "Cà phê");
    assert_true(json_is_false(json_object_get(shown, "closed")));
    json_decref(v);
    expect_exit(RUN("list", "product", "--state", "in_case", "--csv"), 0);
    assert_int_equal(read_csv(out).rows, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(show_and_list_neutralise_escapes_of_the_terminal),
        WITH_STORE(no_form_of_output_brings_controls_to_a_terminal),
        WITH_STORE(a_record_and_its_state_and_that_of_the_store_are_rows_of_csv),
        WITH_STORE(a_name_is_taken_however_it_is_typed),
        WITH_STORE(show_names_what_a_record_refers_to_and_keeps_lines),
        WITH_STORE(a_list_is_csv_without_formulas),
        WITH_STORE(a_list_is_one_json_array),
        WITH_STORE(columns_align_whether_marks_are_composed_or_not),
        WITH_STORE(the_state_of_the_store_is_told_to_people_and_programs),
        WITH_STORE(a_case_is_shown_with_base_theirs_and_mine),
    };

    return cmocka_run_group_tests_name("cli output", tests, cli_make_dir, cli_remove_dir);
}
