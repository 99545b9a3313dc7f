/* Imports: every kind of broken line, what a repeated import does, and the national lists. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enrol.h"
#include "import.h"
#include "own.h"
#include "query.h"
#include "values.h"

struct world {
    char folder[40], path[64], keys_path[80];
    struct registry *r;
    struct server_keys keys;
    struct import_result result;
    struct ocop_error err;
    char *errors;
    size_t errors_len;
};

static int world_open(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct ocop_error err = {0};
    *state = w;
    if (!w)
        return 1;
    strcpy(w->folder, "/tmp/test_import_XXXXXX");
    if (!mkdtemp(w->folder))
        return 1;
    snprintf(w->path, sizeof w->path, "%s/r.db", w->folder);
    snprintf(w->keys_path, sizeof w->keys_path, "%s.keys", w->path);
    if (keys_create(w->keys_path, env_system(), &w->keys, &err) != OCOP_OK ||
        registry_open(w->path, true, env_system(), NULL, &w->r, &err) != OCOP_OK ||
        genesis(w->r, &w->keys, "test", &err) != OCOP_OK) {
        print_error("%s\n", err.text);
        return 1;
    }
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    char name[100];
    static const char *const parts[] = {"", "-wal", "-shm", ".keys", ".map"};
    registry_close(w->r);
    keys_wipe(&w->keys);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(name, sizeof name, "%s%s", w->path, parts[i]);
        unlink(name);
    }
    rmdir(w->folder);
    free(w->errors);
    free(w);
    return 0;
}

static enum ocop_status import_with(struct world *w, enum import_what what, struct import_options o)
{
    free(w->errors);
    w->errors = NULL;
    memset(&w->err, 0, sizeof w->err);
    o.errors = open_memstream(&w->errors, &w->errors_len);
    assert_non_null(o.errors);
    const enum ocop_status st = import_run(w->r, &w->keys, what, &o, &w->result, &w->err);
    fclose(o.errors);
    return st;
}

static enum ocop_status import_text(struct world *w, enum import_what what, const char *text)
{
    return import_with(w, what,
                       (struct import_options){.path = "f.csv",
                                               .text = span_str(text),
                                               .from = what == IMPORT_UNITS ? "2025-07-01" : NULL});
}

static uint64_t count(struct world *w, uint32_t kind)
{
    uint64_t n;
    assert_int_equal(query_count(w->r, kind, &n, NULL), OCOP_OK);
    return n;
}

static uint64_t version(struct world *w)
{
    uint64_t v;
    assert_int_equal(registry_version(w->r, &v, NULL), OCOP_OK);
    return v;
}

static void imported(struct world *w, enum ocop_status st)
{
    if (st != OCOP_OK)
        fail_msg("%s\n%s", w->err.text, w->errors);
}

#define UNITS                                                                                      \
    "code,name,level,parent_code\n00004,Phường Ba Đình,commune,01\n01,Hà Nội,province,\n"  \
    "00008,Phường Ngọc Hà,commune,01\n"
#define PRODUCERS                                                                                  \
    "Tên chủ thể;Loại hình;Mã số thuế;Mã xã\nHTX Hoa Sen;HTX;0101;00004\n"          \
    "Hộ Nguyễn Văn A;Hộ sản xuất;;00008\n"
#define PRODUCTS                                                                                   \
    "Tên sản phẩm,Chủ thể,Mã sản phẩm,Bộ tiêu chí,Hạng sao,Năm\n"             \
    "Trà sen,0101,01-00004-001-2025,7,4 sao,2025\nMật ong,Hộ Nguyễn Văn A,,3,★★★,2026\n"
#define CERTIFICATES                                                                                  \
    "Số giấy chứng nhận,Sản phẩm,Hạng sao,Số quyết định,Ngày quyết định\n" \
    "01/GCN,01-00004-001-2025,4,3981/QĐ-UBND,05/8/2026\n"

static struct id only_record(struct world *w, uint32_t kind, struct arena *a, struct fields *f,
                             uint32_t number, const char *value);

struct search {
    uint32_t number;
    const char *value;
    struct id id;
    size_t found;
};

static enum ocop_status match(void *self, const struct query_record *record, struct ocop_error *err)
{
    struct search *s = self;
    const struct field *f = fields_find(&record->fields, s->number, span_of(NULL, 0));
    (void)err;
    if (f && span_eq(f->bytes, span_str(s->value))) {
        s->id = record->id;
        s->found++;
    }
    return OCOP_OK;
}

static struct id only_record(struct world *w, uint32_t kind, struct arena *a, struct fields *f,
                             uint32_t number, const char *value)
{
    struct search s = {.number = number, .value = value};
    struct row_meta meta;
    assert_int_equal(query_records(w->r, kind, match, &s, NULL), OCOP_OK);
    assert_int_equal(s.found, 1);
    assert_int_equal(row_load(w->r->rows, kind, &s.id, a, f, &meta, NULL), OCOP_OK);
    return s.id;
}

static struct span text_of(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));
    return v ? v->bytes : span_of(NULL, 0);
}

static void import_all(struct world *w)
{
    imported(w, import_text(w, IMPORT_UNITS, UNITS));
    imported(w, import_text(w, IMPORT_PRODUCERS, PRODUCERS));
    imported(w, import_text(w, IMPORT_PRODUCTS, PRODUCTS));
    imported(w, import_text(w, IMPORT_CERTIFICATES, CERTIFICATES));
}

static void master_data_comes_in_with_its_references(void **state)
{
    struct world *w = *state;
    struct arena a;
    struct fields f;
    arena_init(&a, 1 << 20);
    import_all(w);
    assert_int_equal(count(w, KIND_UNIT), 3);
    assert_int_equal(count(w, KIND_PRODUCER), 2);
    assert_int_equal(count(w, KIND_PRODUCT), 2);
    const struct id province = only_record(w, KIND_UNIT, &a, &f, 10, "01");
    const struct id unit = only_record(w, KIND_UNIT, &a, &f, 10, "00004");
    assert_true(span_eq(text_of(&f, 13), id_span(&province)));
    assert_true(span_eq(text_of(&f, 14), span_str("2025-07-01")));
    const struct id producer = only_record(w, KIND_PRODUCER, &a, &f, 12, "0101");
    assert_true(span_eq(text_of(&f, FIELD_UNIT), id_span(&unit)));
    assert_true(span_eq(text_of(&f, 11), span_str("cooperative")));
    const struct id product = only_record(w, KIND_PRODUCT, &a, &f, 10, "Trà sen");
    assert_true(span_eq(text_of(&f, 11), id_span(&producer)));
    assert_true(span_eq(text_of(&f, FIELD_UNIT), id_span(&unit)));
    assert_int_equal(fields_find(&f, 14, span_of(NULL, 0))->i, 4);
    only_record(w, KIND_CERTIFICATE, &a, &f, 10, "01/GCN");
    assert_true(span_eq(text_of(&f, 11), id_span(&product)));
    assert_true(span_eq(text_of(&f, 12), id_span(&producer)));
    assert_true(span_eq(text_of(&f, 17), span_str("2026-08-05")));
    assert_true(span_eq(text_of(&f, 18), span_str("2029-08-05")));
    assert_true(span_eq(text_of(&f, FIELD_UNIT), id_span(&unit)));
    arena_fini(&a);
}

static void importing_the_same_file_again_changes_nothing(void **state)
{
    struct world *w = *state;
    static const struct {
        enum import_what what;
        const char *text;
        size_t rows;
    } files[] = {{IMPORT_UNITS, UNITS, 3},
                 {IMPORT_PRODUCERS, PRODUCERS, 2},
                 {IMPORT_PRODUCTS, PRODUCTS, 2},
                 {IMPORT_CERTIFICATES, CERTIFICATES, 1}};
    import_all(w);
    const uint64_t before = version(w);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        imported(w, import_text(w, files[i].what, files[i].text));
        assert_int_equal(w->result.created + w->result.amended, 0);
        assert_int_equal(w->result.same, files[i].rows);
    }
    assert_int_equal(version(w), before);
}

static void a_changed_cell_amends_and_an_empty_one_leaves_alone(void **state)
{
    struct world *w = *state;
    struct arena a;
    struct fields f;
    arena_init(&a, 1 << 20);
    import_all(w);
    imported(w, import_text(w, IMPORT_PRODUCERS,
                            "name,type,tax_code,unit_code,phone\n"
                            "HTX Sen Vàng,cooperative,0101,00004,0912\n"));
    assert_int_equal(w->result.amended, 1);
    imported(w, import_text(w, IMPORT_PRODUCERS,
                            "name,type,tax_code,unit_code,phone\n"
                            "HTX Sen Vàng,cooperative,0101,00004,\n"));
    assert_int_equal(w->result.same, 1);
    only_record(w, KIND_PRODUCER, &a, &f, 12, "0101");
    assert_true(span_eq(text_of(&f, 10), span_str("HTX Sen Vàng")));
    assert_true(span_eq(text_of(&f, 16), span_str("0912")));
    assert_int_equal(count(w, KIND_PRODUCER), 2);
    arena_fini(&a);
}

static void every_wrong_line_is_named_and_nothing_is_imported(void **state)
{
    static const struct {
        enum import_what what;
        const char *text, *error;
    } cases[] = {
        {IMPORT_PRODUCERS, "name,type,unit_code\n,cooperative,00004\n", "f.csv:2:name: is empty"},
        {IMPORT_PRODUCERS, "name,type,unit_code\nX,cooperative,99999\n",
         "f.csv:2:unit_code: no unit has the code or name \"99999\""},
        {IMPORT_PRODUCERS, "name,type,unit_code\nX,spaceship,00004\n",
         "f.csv:2:type: \"spaceship\""},
        {IMPORT_PRODUCERS,
         "name,type,unit_code,email\n\"a\nb\",cooperative,00004,x\n"
         "Y,\"cooperative\n\",9,x\n",
         "f.csv:5:unit_code: no unit"},
        {IMPORT_PRODUCERS,
         "name,type,unit_code,tax_code\nX,cooperative,00004,7\n"
         "Y,cooperative,00004,7\n",
         "f.csv:3: is the same record as line 2"},
        {IMPORT_PRODUCERS, "name,type,unit_code,Ngày ĐKKD\nX,cooperative,00004,31/2/2020\n",
         "f.csv:2:registration_date: \"31/2/2020\" is not a date"},
        {IMPORT_PRODUCERS, "name,type,unit_code\nX,coop\"x,00004\n", "f.csv:2: a quotation mark"},
        {IMPORT_PRODUCERS, "name,type,unit_code\nX,\"cooperative,00004\n",
         "f.csv:2: a quotation mark that is never closed"},
        {IMPORT_PRODUCERS, "name,type,unit_code\n\xff,cooperative,00004\nÂn,cooperative,00004\n",
         "f.csv:2: is not UTF-8"},
        {IMPORT_PRODUCERS, "name,type,unit_code,lat\nX,cooperative,00004,200.5\n",
         "f.csv:2:lat_e6:"},
        {IMPORT_PRODUCTS, "name,producer,stars\nX,0101,ten\n", "f.csv:2:stars: \"ten\""},
        {IMPORT_PRODUCTS, "name,producer,stars\nX,0101,9\n", "f.csv:2:stars:"},
        {IMPORT_PRODUCTS, "name,producer,criteria_set\nX,0101,27\n", "f.csv:2:criteria_set:"},
        {IMPORT_PRODUCTS, "name,producer\nX,nobody\n", "f.csv:2:producer: nothing in the registry"},
        {IMPORT_CERTIFICATES,
         "certificate_no,product,stars,decision_no,decision_date,issue_date\n"
         "2,Trà sen,4,1,05/8/2026,04/8/2026\n",
         "f.csv:2:"},
        {IMPORT_OFFICERS, "name,roles\nA,\"inspector,pilot\"\n", "f.csv:2:roles: \"pilot\""},
        {IMPORT_UNITS, "code,name,level,parent_code\n1,X,commune,\n",
         "f.csv:2:parent_code: is empty"},
        {IMPORT_UNITS, "code,name,level,parent_code\n1,X,commune,77\n",
         "f.csv:2:parent_code: no unit"},
        {IMPORT_UNITS, "code,name,level,parent_code\n1,X,commune,1\n", "own parent"},
        {IMPORT_UNITS, "code,name,level,parent_code\n1,X,planet,01\n", "f.csv:2:level:"},
        {IMPORT_UNITS, "code,name,level,parent_code\n01,X,province,\n01,Y,province,\n",
         "f.csv:3: is the same record as line 2"},
    };
    struct world *w = *state;
    import_all(w);
    const uint64_t before = version(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const enum ocop_status st = import_text(w, cases[i].what, cases[i].text);
        if (st != OCOP_EINVAL || !strstr(w->errors, cases[i].error))
            fail_msg("%s\ngave status %d, %s\n%s\nnot %s", cases[i].text, (int)st, w->err.text,
                     w->errors, cases[i].error);
        assert_non_null(strstr(w->err.text, "nothing was imported"));
        assert_int_equal(version(w), before);
    }
}

static void a_hundred_wrong_lines_are_shown_and_all_are_counted(void **state)
{
    struct world *w = *state;
    static char text[20000];
    size_t at = 0, lines = 0;
    import_all(w);
    at += (size_t)snprintf(text, sizeof text, "name,type,unit_code\n");
    for (int i = 0; i < 250; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "N%d,cooperative,77777\n", i);
    assert_int_equal(import_text(w, IMPORT_PRODUCERS, text), OCOP_EINVAL);
    for (const char *p = w->errors; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, IMPORT_ERRORS_SHOWN);
    assert_int_equal(w->result.wrong, 250);
    assert_non_null(strstr(w->err.text, "250 lines"));
}

static void skip_bad_imports_the_rest(void **state)
{
    struct world *w = *state;
    import_all(w);
    const struct import_options o = {
        .path = "f.csv",
        .skip_bad = true,
        .text = span_str("name,type,unit_code\nX,cooperative,00004\nY,cooperative,77777\n"
                         "Z,cooperative,00008\n")};
    imported(w, import_with(w, IMPORT_PRODUCERS, o));
    assert_int_equal(w->result.created, 2);
    assert_int_equal(w->result.wrong, 1);
    assert_int_equal(count(w, KIND_PRODUCER), 4);
}

static void a_dry_run_counts_and_writes_nothing(void **state)
{
    struct world *w = *state;
    import_all(w);
    const uint64_t before = version(w);
    const struct import_options o = {.path = "f.csv",
                                     .dry_run = true,
                                     .text =
                                         span_str("name,type,unit_code\nX,cooperative,00004\n")};
    imported(w, import_with(w, IMPORT_PRODUCERS, o));
    assert_int_equal(w->result.created, 1);
    assert_int_equal(version(w), before);
    assert_int_equal(count(w, KIND_PRODUCER), 2);
}

static void a_name_of_two_producers_is_no_reference(void **state)
{
    struct world *w = *state;
    import_all(w);
    imported(w, import_text(w, IMPORT_PRODUCERS,
                            "name,type,unit_code,tax_code\nSao Mai,cooperative,00004,77\n"
                            "SAO MAI,cooperative,00008,\n"));
    assert_int_equal(import_text(w, IMPORT_PRODUCTS, "name,producer\nX,Sao Mai\n"), OCOP_EINVAL);
    if (!strstr(w->errors, "f.csv:2:producer: \"Sao Mai\" may be any of 2: SAO MAI, no code, "
                           "Phường Ngọc Hà; Sao Mai, 77, Phường Ba Đình. Give the code instead"))
        fail_msg("%s", w->errors);
    imported(w, import_text(w, IMPORT_PRODUCTS, "name,producer\nX,77\n"));
}

/* Hoà with the mark on the a, decomposed, in capitals, with spaces that nobody sees. */
#define NFD_HOA_BINH "  htx  Hoa\xcc\x80\xc2\xa0 Bi\xcc\x80nh "

static void a_name_is_the_same_however_it_is_typed(void **state)
{
    static const char *const names[] = {"HTX Hòa Bình", "HTX HOÀ BÌNH", NFD_HOA_BINH};
    char text[200];
    struct world *w = *state;
    struct arena a;
    struct fields f;
    arena_init(&a, 1 << 20);
    import_all(w);
    imported(w, import_text(w, IMPORT_PRODUCERS,
                            "name,type,unit_code\nHTX Hoà Bình,cooperative,00004\n"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(text, sizeof text, "name,producer\nTrà %zu,%s\n", i, names[i]);
        imported(w, import_text(w, IMPORT_PRODUCTS, text));
        assert_int_equal(w->result.created, 1);
        /* The same producer again, which keeps the name it has. */
        snprintf(text, sizeof text, "name,type,unit_code\n%s,cooperative,00004\n", names[i]);
        imported(w, import_text(w, IMPORT_PRODUCERS, text));
        assert_int_equal(w->result.same, 1);
    }
    only_record(w, KIND_PRODUCER, &a, &f, 10, "HTX Hoà Bình");
    /* Other diacritics are another name. */
    assert_int_equal(import_text(w, IMPORT_PRODUCTS, "name,producer\nX,HTX Hoa Binh\n"),
                     OCOP_EINVAL);
    arena_fini(&a);
}

static void records_whose_codes_differ_are_two_whatever_their_names(void **state)
{
    struct world *w = *state;
    import_all(w);
    imported(w, import_text(w, IMPORT_PRODUCERS,
                            "name,type,unit_code,tax_code\nSao,cooperative,00004,7\n"
                            "Sao,cooperative,00004,8\n"));
    assert_int_equal(w->result.created, 2);
    /* Without a code the name is no answer; with a new one it is a third. */
    assert_int_equal(import_text(w, IMPORT_PRODUCERS, "name,type,unit_code\nsao,company,00004\n"),
                     OCOP_EINVAL);
    assert_non_null(strstr(w->errors, "may be any of 2"));
    imported(w, import_text(w, IMPORT_PRODUCERS,
                            "name,type,unit_code,tax_code\nSao,cooperative,00004,9\n"));
    assert_int_equal(w->result.created, 1);
}

/* An officer in the field recorded another producer under the same tax code: a case, which a list
 * that is imported again does not decide. */
static void of_two_with_one_code_a_list_means_the_one_it_names(void **state)
{
    static const char list[] = "name,type,unit_code,tax_code\nSao Mai,cooperative,00004,77\n";
    struct world *w = *state;
    struct id id, unit;
    struct arena a;
    struct fields f;
    arena_init(&a, 1 << 20);
    import_all(w);
    imported(w, import_text(w, IMPORT_PRODUCERS, list));
    only_record(w, KIND_PRODUCER, &a, &f, 10, "Sao Mai");
    assert_true(id_from(text_of(&f, FIELD_UNIT), &unit));
    id = id_next(&w->r->ids, w->r->env);
    struct field v[] = {ref(FIELD_UNIT, &unit), text(10, "Hộ bà Năm"), text(11, "household"),
                        text(12, "77")};
    struct change c = {.kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = id, .fields = {v, 4}};
    assert_int_equal(registry_begin(w->r, &w->err), OCOP_OK);
    assert_int_equal(own_write(w->r, &w->keys, &c, 1, &a, &w->err), OCOP_OK);
    assert_int_equal(registry_commit(w->r, &w->err), OCOP_OK);
    imported(w, import_text(w, IMPORT_PRODUCERS, list));
    assert_int_equal(w->result.same, 1);
    only_record(w, KIND_PRODUCER, &a, &f, 10, "Hộ bà Năm");
    assert_int_equal(import_text(w, IMPORT_PRODUCERS,
                                 "name,type,unit_code,tax_code\nSao Hôm,cooperative,00004,77\n"),
                     OCOP_EINVAL);
    assert_non_null(strstr(w->errors, "Resolve their case, or void one of them"));
    arena_fini(&a);
}

/* The same number, typed on two systems. */
static void a_code_is_the_same_in_either_normal_form(void **state)
{
    struct world *w = *state;
    import_all(w);
    imported(w, import_text(w, IMPORT_PRODUCERS,
                            "name,type,unit_code,tax_code\nX,cooperative,00004,Tr\xc3\xa0\n"));
    imported(w, import_text(w, IMPORT_PRODUCERS,
                            "name,type,unit_code,tax_code\nX,cooperative,00004,Tra\xcc\x80\n"));
    assert_int_equal(w->result.created, 0);
    imported(w, import_text(w, IMPORT_PRODUCTS, "name,producer\nTrà,Tra\xcc\x80\n"));
}

static void a_unit_is_found_by_code_else_by_name(void **state)
{
    static const struct {
        const char *header, *cells, *unit, *error;
    } cases[] = {
        {"unit_code", "00004", "Phường Ba Đình", NULL},
        {"Mã xã", "phường ba đình", "Phường Ba Đình", NULL},
        {"Xã", "Ba Đình", "Phường Ba Đình", NULL},
        {"Tên xã", "NGỌC HÀ", "Phường Ngọc Hà", NULL},
        {"Mã xã,Tên xã", "00008,Ba Đình", "Phường Ngọc Hà", NULL}, /* the code counts */
        {"Mã xã,Tên xã", ",Ba Đình", "Phường Ba Đình", NULL},
        {"Tên xã,Mã xã", "Tân Lập,00030", "Xã Tân Lập", NULL},
        {"Mã xã,Tên xã", ",", NULL, "f.csv:2:unit_code: is empty"},
        {"Tên xã", "", NULL, "f.csv:2:unit_name: is empty"},
        {"Tên xã", "Tân Lập", NULL,
         "f.csv:2:unit_name: \"Tân Lập\" may be any of 2: Xã Tân Lập, 00031, Huế; Xã Tân Lập, "
         "00030, Hà Nội."},
        {"Tên xã", "Nowhere", NULL, "f.csv:2:unit_name: no unit has the code or name \"Nowhere\""},
    };
    struct world *w = *state;
    char text[200];
    import_all(w);
    imported(w, import_text(w, IMPORT_UNITS,
                            "code,name,level,parent_code\n46,Huế,province,\n"
                            "00030,Xã Tân Lập,commune,01\n00031,Xã Tân Lập,commune,46\n"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        struct fields f, unit;
        struct row_meta meta;
        struct id id;
        arena_init(&a, 1 << 20);
        snprintf(text, sizeof text, "name,type,%s\nHTX %zu,cooperative,%s\n", cases[i].header, i,
                 cases[i].cells);
        const enum ocop_status st = import_text(w, IMPORT_PRODUCERS, text);
        if (cases[i].error) {
            if (st != OCOP_EINVAL || !strstr(w->errors, cases[i].error))
                fail_msg("%s\n%s", text, w->errors);
        } else {
            imported(w, st);
            snprintf(text, sizeof text, "HTX %zu", i);
            only_record(w, KIND_PRODUCER, &a, &f, 10, text);
            assert_true(id_from(text_of(&f, FIELD_UNIT), &id));
            assert_int_equal(row_load(w->r->rows, KIND_UNIT, &id, &a, &unit, &meta, NULL), OCOP_OK);
            if (!span_eq(text_of(&unit, 10 + 1), span_str(cases[i].unit)))
                fail_msg("%s: not %s", text, cases[i].unit);
        }
        arena_fini(&a);
    }
}

static void a_header_that_cannot_be_read_is_the_only_complaint(void **state)
{
    struct world *w = *state;
    import_all(w);
    assert_int_equal(import_text(w, IMPORT_PRODUCERS, "na\"me,type,unit_code\nX,company,00004\n"),
                     OCOP_EINVAL);
    assert_non_null(strstr(w->err.text, "the line of the column names cannot be read: a quot"));
    assert_string_equal(w->errors, "f.csv:1: a quotation mark inside a cell; put the cell in "
                                   "quotation marks and double those in it\n");
}

static void wrong_options_are_refused(void **state)
{
    struct world *w = *state;
    static const struct import_options cases[] = {
        {.path = "f", .text = {(const uint8_t *)UNITS, sizeof UNITS - 1}},
        {.path = "f", .text = {(const uint8_t *)UNITS, sizeof UNITS - 1}, .from = "yesterday"},
        {.path = "f",
         .text = {(const uint8_t *)UNITS, sizeof UNITS - 1},
         .from = "2025-07-01",
         .to = "2025-06-30"},
        {.path = "f", .text = {(const uint8_t *)"code\n", 5}, .from = "2025-07-01"},
        {.path = "/nowhere.csv", .from = "2025-07-01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_not_equal(import_with(w, IMPORT_UNITS, cases[i]), OCOP_OK);
    assert_int_equal(count(w, KIND_UNIT), 0);
}

static void write_mapping(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("old_commune_code,new_commune_code,whole_or_split,old_district_code,old_province_code\n"
          "00001,00004,whole,001,01\n00002,00004,split,001,01\n00002,00008,split,001,01\n",
          f);
    assert_int_equal(fclose(f), 0);
}

/* The units that the mapping, which is written to `map`, is about. */
static void import_before(struct world *w, char map[100])
{
    const struct import_options old = {
        .path = "old.csv",
        .from = "2004-01-01",
        .text = span_str("code,name,level,parent_code\n01,Hà Nội,province,\n"
                         "001,Ba Đình,district,01\n00001,Phúc Xá,commune,001\n"
                         "00002,Trúc Bạch,commune,001\n")};
    snprintf(map, 100, "%s.map", w->path);
    write_mapping(map);
    imported(w, import_with(w, IMPORT_UNITS, old));
}

static void a_mapping_ends_old_units_and_names_their_successors(void **state)
{
    struct world *w = *state;
    char map[100];
    struct arena a;
    struct fields f;
    arena_init(&a, 1 << 20);
    import_before(w, map);
    const struct import_options now = {
        .path = "new.csv", .from = "2025-07-01", .mapping = map, .text = span_str(UNITS)};
    imported(w, import_with(w, IMPORT_UNITS, now));
    assert_int_equal(w->result.created, 3);
    assert_int_equal(w->result.amended, 4);
    assert_int_equal(w->result.cases, 0);
    const struct id next = only_record(w, KIND_UNIT, &a, &f, 10, "00004");
    only_record(w, KIND_UNIT, &a, &f, 10, "00001");
    assert_true(span_eq(text_of(&f, 15), span_str("2025-06-30")));
    const struct field *successor = fields_find(&f, 16, id_span(&next));
    struct field extent;
    assert_non_null(successor);
    assert_true(element_get(successor->bytes, 2, &extent));
    assert_true(span_eq(extent.bytes, span_str("whole")));
    only_record(w, KIND_UNIT, &a, &f, 10, "00002");
    assert_true(element_get(fields_find(&f, 16, id_span(&next))->bytes, 2, &extent));
    assert_true(span_eq(extent.bytes, span_str("split")));
    const uint64_t before = version(w);
    imported(w, import_with(w, IMPORT_UNITS, now));
    assert_int_equal(version(w), before);
    /* The old unit is no place to put a producer into. */
    assert_int_equal(import_text(w, IMPORT_PRODUCERS, "name,type,unit_code\nX,cooperative,00001\n"),
                     OCOP_EINVAL);
    assert_non_null(strstr(w->errors, "ended on 2025-06-30"));
    arena_fini(&a);
}

/* Communes that changed within their province: it stays, and so does what the files say. */
static void a_mapping_ends_no_unit_that_the_list_puts_something_into(void **state)
{
    struct world *w = *state;
    char map[100];
    struct arena a;
    struct fields f;
    arena_init(&a, 1 << 20);
    import_before(w, map);
    struct import_options now = {.path = "new.csv", .from = "2025-07-01", .mapping = map};
    const uint64_t before = version(w);
    now.text = span_str("code,name,level,parent_code\n00004,Ba Đình,commune,01\n"
                        "00008,Ngọc Hà,commune,00002\n");
    assert_int_equal(import_with(w, IMPORT_UNITS, now), OCOP_EINVAL);
    if (!strstr(w->errors, ":3:old_commune_code: the unit cannot end the day before 2025-07-01: "
                           "unit 00008 of the list lies in it"))
        fail_msg("%s", w->errors);
    assert_int_equal(version(w), before);
    now.text = span_str("code,name,level,parent_code\n00004,Ba Đình,commune,01\n"
                        "00008,Ngọc Hà,commune,01\n");
    imported(w, import_with(w, IMPORT_UNITS, now));
    assert_int_equal(w->result.amended, 3);
    only_record(w, KIND_UNIT, &a, &f, 10, "01");
    assert_int_equal(text_of(&f, 15).len, 0);
    only_record(w, KIND_UNIT, &a, &f, 10, "001");
    assert_int_not_equal(text_of(&f, 15).len, 0);
    const uint64_t after = version(w);
    imported(w, import_with(w, IMPORT_UNITS, now));
    assert_int_equal(version(w), after);
    arena_fini(&a);
}

static void a_mapping_that_names_a_unit_of_no_list_says_which_went_where(void **state)
{
    static const char *const says[] = {
        ":2:new_commune_code: 00001 Xã Phúc Xá went to 06970 Phường Hà Tu, which is not in the "
        "list "
        "of units that begins on 2025-07-01; add it there, or correct the code\n",
        ":3:old_commune_code: no unit 00077 was in force before 2025-07-01; import the list of "
        "that "
        "time first, or correct the code\n"};
    struct world *w = *state;
    char map[100];
    snprintf(map, sizeof map, "%s.map", w->path);
    FILE *f = fopen(map, "w");
    assert_non_null(f);
    fputs("old_commune_code,old_commune_name,new_commune_code,new_commune_name,whole_or_split\n"
          "00001,Xã Phúc Xá,06970,Phường Hà Tu,whole\n00077,,00004,,whole\n",
          f);
    assert_int_equal(fclose(f), 0);
    const struct import_options old = {
        .path = "old.csv",
        .from = "2004-01-01",
        .text = span_str("code,name,level,parent_code\n01,Hà Nội,province,\n"
                         "00001,Phúc Xá,commune,01\n")};
    struct import_options now = {
        .path = "new.csv", .from = "2025-07-01", .mapping = map, .text = span_str(UNITS)};
    imported(w, import_with(w, IMPORT_UNITS, old));
    const uint64_t before = version(w);
    assert_int_equal(import_with(w, IMPORT_UNITS, now), OCOP_EINVAL);
    for (size_t i = 0; i < 2; i++)
        if (!strstr(w->errors, says[i]))
            fail_msg("%s\nnot %s", w->errors, says[i]);
    assert_int_equal(version(w), before);
    now.skip_bad = true;
    imported(w, import_with(w, IMPORT_UNITS, now));
    assert_int_equal(w->result.wrong, 2);
}

/* The national lists are not part of the source; where they are, they are imported whole. */
static const char *shared(char *out, size_t room, const char *name)
{
    const char *folder = getenv("OCOP_SHARED");
    snprintf(out, room, "%s/data/%s", folder ? folder : "../shared", name);
    return access(out, R_OK) == 0 ? out : NULL;
}

static void the_national_lists_import_whole(void **state)
{
    struct world *w = *state;
    char old[300], now[300], map[300];
    if (!shared(old, sizeof old, "admin-units.csv") ||
        !shared(now, sizeof now, "admin-units-2025.csv") ||
        !shared(map, sizeof map, "admin-units-mapping-2025.csv")) {
        /* Nothing to look at; what they would show is held by the tests above. */
        assert_int_equal(count(w, KIND_UNIT), 0);
        return;
    }
    const struct import_options first = {.path = old, .from = "2004-01-01", .to = "2025-06-30"};
    const struct import_options second = {
        .path = now, .from = "2025-07-01", .mapping = map, .skip_bad = true};
    int64_t began = env_mono_ms(env_system());
    imported(w, import_with(w, IMPORT_UNITS, first));
    print_message("old list: %zu units in %lld ms\n", w->result.created,
                  (long long)(env_mono_ms(env_system()) - began));
    assert_int_equal(w->result.created, 63 + 696 + 10035);
    began = env_mono_ms(env_system());
    imported(w, import_with(w, IMPORT_UNITS, second));
    print_message("new list and mapping: %zu new, %zu changed, %zu lines left out, in %lld ms\n",
                  w->result.created, w->result.amended, w->result.wrong,
                  (long long)(env_mono_ms(env_system()) - began));
    assert_int_equal(w->result.created, 34 + 3321);
    assert_int_equal(w->result.cases, 0);
    /* Five lines of the mapping name a commune that the list of 2025 has not. */
    assert_int_equal(w->result.wrong, 5);
    assert_non_null(strstr(w->errors, "06970"));
    const uint64_t before = version(w);
    began = env_mono_ms(env_system());
    imported(w, import_with(w, IMPORT_UNITS, second));
    print_message("again: %zu as they were, in %lld ms\n", w->result.same,
                  (long long)(env_mono_ms(env_system()) - began));
    assert_int_equal(version(w), before);
}

static void an_officer_made_by_hand_has_his_roles(void **state)
{
    struct world *w = *state;
    struct id id;
    struct arena a;
    struct fields f;
    struct row_meta meta;
    arena_init(&a, 1 << 20);
    assert_int_equal(
        import_officer(w->r, &w->keys, "Lê Thị B", "Chi cục", "inspector, sampler", &id, &w->err),
        OCOP_OK);
    assert_int_equal(row_load(w->r->rows, KIND_OFFICER, &id, &a, &f, &meta, NULL), OCOP_OK);
    assert_non_null(fields_find(&f, 15, span_str("inspector")));
    assert_non_null(fields_find(&f, 15, span_str("sampler")));
    assert_int_equal(
        import_officer(w->r, &w->keys, "Lê Thị B", "Chi cục", "inspector", &id, &w->err),
        OCOP_EINVAL);
    assert_int_equal(import_officer(w->r, &w->keys, "C", NULL, "astronaut", &id, &w->err),
                     OCOP_EINVAL);
    assert_non_null(strstr(w->err.text, "astronaut"));
    assert_int_equal(count(w, KIND_OFFICER), 1);
    arena_fini(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(master_data_comes_in_with_its_references),
        TEST(importing_the_same_file_again_changes_nothing),
        TEST(a_changed_cell_amends_and_an_empty_one_leaves_alone),
        TEST(every_wrong_line_is_named_and_nothing_is_imported),
        TEST(a_hundred_wrong_lines_are_shown_and_all_are_counted),
        TEST(skip_bad_imports_the_rest),
        TEST(a_dry_run_counts_and_writes_nothing),
        TEST(a_name_of_two_producers_is_no_reference),
        TEST(a_name_is_the_same_however_it_is_typed),
        TEST(records_whose_codes_differ_are_two_whatever_their_names),
        TEST(of_two_with_one_code_a_list_means_the_one_it_names),
        TEST(a_code_is_the_same_in_either_normal_form),
        TEST(a_unit_is_found_by_code_else_by_name),
        TEST(a_header_that_cannot_be_read_is_the_only_complaint),
        TEST(wrong_options_are_refused),
        TEST(a_mapping_ends_old_units_and_names_their_successors),
        TEST(a_mapping_ends_no_unit_that_the_list_puts_something_into),
        TEST(a_mapping_that_names_a_unit_of_no_list_says_which_went_where),
        TEST(the_national_lists_import_whole),
        TEST(an_officer_made_by_hand_has_his_roles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
