/* ocop_find: every question is answered through an index, and what is typed in any form is found.
 */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "records.pb-c.h"
#include "world.h"

enum { PLANS_MAX = 16, PLAN_BYTES_MAX = 4096 };

/* The store's connection, and what ocop_find asked it for. */
static sqlite3 *connection;
static char asked[PLANS_MAX][PLAN_BYTES_MAX];
static size_t asked_count;

static int on_open(sqlite3 *db, const char **message, const void *api)
{
    (void)message, (void)api;
    connection = db; /* the last one opened: the store comes after the registry */
    return SQLITE_OK;
}

static int on_statement(unsigned type, void *self, void *statement, void *text)
{
    (void)type, (void)self, (void)text;
    const char *sql = sqlite3_sql(statement);
    if (strncmp(sql, "SELECT t.n,", 11) == 0 && asked_count < PLANS_MAX)
        snprintf(asked[asked_count++], PLAN_BYTES_MAX, "%s", sql);
    return 0;
}

static int open_world(void **state)
{
    static struct world w;
    sqlite3_auto_extension((void (*)(void))on_open);
    world_open(&w);
    world_enrol(&w, 1);
    sqlite3_cancel_auto_extension((void (*)(void))on_open);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    world_close(*state);
    return 0;
}

/* The plan of a statement, one step a line. */
static void plan_of(const char *sql, char out[PLAN_BYTES_MAX])
{
    static char explain[PLAN_BYTES_MAX + 32];
    sqlite3_stmt *s = NULL;
    size_t at = 0;
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(connection, explain, -1, &s, NULL), SQLITE_OK);
    out[0] = '\0';
    while (sqlite3_step(s) == SQLITE_ROW && at < PLAN_BYTES_MAX - 1)
        at += (size_t)snprintf(out + at, PLAN_BYTES_MAX - at, "%s\n",
                               (const char *)sqlite3_column_text(s, 3));
    sqlite3_finalize(s);
}

static struct ocop_list *find(struct world *w, const struct ocop_query *q)
{
    struct ocop_error err = {0};
    struct ocop_list *list;
    if (ocop_find(w->stores[1], q, &list, &err) != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
    return list;
}

static size_t count_of(struct world *w, const struct ocop_query *q)
{
    struct ocop_list *list = find(w, q);
    const size_t n = list->count;
    ocop_list_free(list);
    return n;
}

/* None of the statements of the query reads a kind's table from end to end. */
static void expect_indexed(struct world *w, const char *what, const struct ocop_query *q)
{
    static char plan[PLAN_BYTES_MAX];
    asked_count = 0;
    sqlite3_trace_v2(connection, SQLITE_TRACE_STMT, on_statement, NULL);
    ocop_list_free(find(w, q));
    sqlite3_trace_v2(connection, 0, NULL, NULL);
    assert_true(asked_count > 0);
    for (size_t i = 0; i < asked_count; i++) {
        plan_of(asked[i], plan);
        if (strstr(plan, "SCAN t\n") || strstr(plan, "SCAN t USING") || !strstr(plan, "SEARCH t"))
            fail_msg("%s, kind %s:\n%s\n%s", what, q->kind ? q->kind : "any", asked[i], plan);
    }
}

static void no_question_reads_a_whole_table(void **state)
{
    static const char *const kinds[] = {
        "inspection", "sample", "environmental_check", "product", "certificate", "producer", NULL};
    struct world *w = *state;
    struct ocop_id id;
    memcpy(id.b, w->producer.b, sizeof id.b);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const char *kind = kinds[k];
        const bool producer = kind && strcmp(kind, "producer") == 0;
        const bool dated = !producer && !(kind && strcmp(kind, "product") == 0);
        const bool product = !producer && !(kind && strcmp(kind, "environmental_check") == 0);
        expect_indexed(w, "unit", &(struct ocop_query){.kind = kind, .unit = &id});
        expect_indexed(w, "producer", &(struct ocop_query){.kind = kind, .producer = &id});
        expect_indexed(w, "text", &(struct ocop_query){.kind = kind, .text = "ca phe"});
        if (product)
            expect_indexed(w, "product", &(struct ocop_query){.kind = kind, .product = &id});
        if (dated)
            expect_indexed(w, "dates",
                           &(struct ocop_query){
                               .kind = kind, .from_date = "2026-01-01", .to_date = "2026-12-31"});
        if (dated)
            expect_indexed(w, "from",
                           &(struct ocop_query){.kind = kind, .from_date = "2026-01-01"});
        for (int s = OCOP_DRAFT; s <= OCOP_REFUSED; s++)
            if (s != OCOP_ACCEPTED) /* nearly all records are: the newest of them are taken */
                expect_indexed(w, "state", &(struct ocop_query){.kind = kind, .state = s});
    }
}

/* The newest of a kind come off an index that is sorted by day: no table is sorted for a page. */
static void the_newest_records_come_without_sorting(void **state)
{
    static const char *const kinds[] = {"inspection", "sample",   "environmental_check",
                                        "product",    "producer", "certificate"};
    static char plan[PLAN_BYTES_MAX];
    struct world *w = *state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct ocop_query q = {.kind = kinds[k], .limit = 10};
        asked_count = 0;
        sqlite3_trace_v2(connection, SQLITE_TRACE_STMT, on_statement, NULL);
        ocop_list_free(find(w, &q));
        sqlite3_trace_v2(connection, 0, NULL, NULL);
        assert_int_equal(asked_count, 1);
        plan_of(asked[0], plan);
        if (strstr(plan, "TEMP B-TREE"))
            fail_msg("%s:\n%s", kinds[k], plan);
    }
}

static void a_unit_finds_what_lies_below_it(void **state)
{
    struct world *w = *state;
    struct ocop_id province, commune, other;
    memcpy(province.b, w->province.b, sizeof province.b);
    memcpy(commune.b, w->commune.b, sizeof commune.b);
    memcpy(other.b, w->other_commune.b, sizeof other.b);
    (void)world_inspect(w, 1, "pass");
    assert_int_equal(count_of(w, &(struct ocop_query){.kind = "inspection", .unit = &commune}), 1);
    assert_int_equal(count_of(w, &(struct ocop_query){.kind = "inspection", .unit = &province}), 1);
    assert_int_equal(count_of(w, &(struct ocop_query){.kind = "inspection", .unit = &other}), 0);
    assert_int_equal(count_of(w, &(struct ocop_query){.unit = &province}), 3);
}

static void what_is_typed_in_any_form_is_found(void **state)
{
    static const struct {
        const char *note, *finds[6], *not [3];
    } cases[] = {
        {"Đậu xanh ở Đắk Mil",
         {"dau xanh", "ĐẬU", "đậu", "dak mil", "Da\xcc\x86\xcc\x81k", "mil xanh"},
         {"daus", "xanhh", "đậu phộng"}},
        {"\xc4\x90\xe1\xba\xadu phu\xcc\xa3ng trang Hoa\xcc\x80", /* partly decomposed */
         {"phụng", "phung", "Hoà", "hòa", "TRANG", "đau"},
         {"hoan", "vang", "phuong"}},
    };
    struct world *w = *state;
    struct ocop_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ocop_id id = world_inspect(w, 1, "pass");
        ProtobufCMessage *m;
        assert_int_equal(ocop_load(w->stores[1], &id, &m, &err), OCOP_OK);
        assert_int_equal(ocop_set_text(w->stores[1], &m,
                                       arena_printf(&w->arena, "notes=%s", cases[i].note), &err),
                         OCOP_OK);
        assert_int_equal(ocop_amend(w->stores[1], m, "ghi thêm", &err), OCOP_OK);
        ocop_free(m);
        for (size_t f = 0; f < 6; f++) {
            const struct ocop_query q = {.kind = "inspection", .text = cases[i].finds[f]};
            struct ocop_list *list = find(w, &q);
            bool found = false;
            for (size_t n = 0; n < list->count; n++)
                found |= memcmp(list->items[n].id.b, id.b, sizeof id.b) == 0;
            ocop_list_free(list);
            if (!found)
                fail_msg("\"%s\" does not find \"%s\"", cases[i].finds[f], cases[i].note);
        }
        for (size_t f = 0; f < 3; f++) {
            const struct ocop_query q = {.kind = "inspection", .text = cases[i].not [f]};
            if (count_of(w, &q) != 0)
                fail_msg("\"%s\" finds something", cases[i].not [f]);
        }
    }
}

static void expect_count(struct world *w, size_t want, const char *kind, const char *word,
                         unsigned n)
{
    char text[32];
    snprintf(text, sizeof text, "%s%03u", word, n);
    const size_t got = count_of(w, &(struct ocop_query){.kind = kind, .text = text});
    if (got != want)
        fail_msg("%s: %zu are found, not %zu", text, got, want);
}

static void expect_sound(struct world *w)
{
    struct ocop_error err = {0};
    unsigned findings = 0;
    assert_int_equal(ocop_check(w->stores[1], NULL, NULL, &findings, &err), OCOP_OK);
    assert_int_equal(findings, 0);
}

/* A draft, which goes again: its row's number is that of the next record. */
static void draft_and_discard(struct world *w, unsigned n)
{
    struct ocop_error err = {0};
    struct ocop_id id;
    ProtobufCMessage *m = NULL;
    assert_int_equal(ocop_new(w->stores[1], "producer", &m, &err), OCOP_OK);
    memcpy(id.b, ((Ocop__Producer *)m)->id.data, sizeof id.b);
    assert_int_equal(
        ocop_set_text(w->stores[1], &m, arena_printf(&w->arena, "name=nhap%03u", n), &err),
        OCOP_OK);
    if (ocop_save(w->stores[1], m, &err) != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
    ocop_free(m);
    expect_count(w, 1, "producer", "nhap", n);
    assert_int_equal(ocop_discard(w->stores[1], &id, &err), OCOP_OK);
    expect_count(w, 0, "producer", "nhap", n);
}

/* More records than may wait for the index, one by one; some amended before they are in it, some
 * after, and some gone. */
static void what_was_saved_is_found_at_once_and_what_was_changed_no_more(void **state)
{
    enum { SAVED = 160, EARLIER = 40 };
    struct world *w = *state;
    struct ocop_id ids[SAVED];
    char name[64];
    for (unsigned i = 0; i < SAVED; i++) {
        snprintf(name, sizeof name, "HTX đậu%03u lạc%03u", i, i);
        ids[i] = world_producer(w, 1, name);
        expect_count(w, 1, "producer", "dau", i);
        expect_count(w, 1, NULL, "lac", i);
        const unsigned j = i % 2 && i > EARLIER ? i - EARLIER : i;
        if (j % 3 == 0) {
            snprintf(name, sizeof name, "name=HTX chè%03u", j);
            world_amend(w, 1, ids[j], name);
            expect_count(w, 1, "producer", "che", j);
            expect_count(w, 0, "producer", "dau", j);
        }
        if (i % 5 == 0)
            draft_and_discard(w, i);
        if (i % 50 == 0)
            expect_sound(w);
    }
    for (int synced = 0; synced < 2; synced++) {
        for (unsigned i = SAVED - EARLIER; i < SAVED; i++)
            expect_count(w, 1, "producer", i % 6 == 0 ? "che" : "dau", i);
        expect_sound(w);
        if (!synced)
            world_sync(w, 1);
    }
}

static void sample_of(struct world *w, int64_t taken_ms)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    char unit[ID_TEXT_LEN + 1], producer[ID_TEXT_LEN + 1];
    assert_int_equal(ocop_new(w->stores[1], "sample", &m, &err), OCOP_OK);
    const char *sets[] = {arena_printf(&w->arena, "unit_id=%s", id_text(w->commune, unit)),
                          arena_printf(&w->arena, "producer_id=%s", id_text(w->producer, producer)),
                          arena_printf(&w->arena, "taken_ms=%lld", (long long)taken_ms)};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (ocop_set_text(w->stores[1], &m, sets[i], &err) != OCOP_OK)
            fail_msg("%s: %s", sets[i], err.text);
    if (ocop_save(w->stores[1], m, &err) != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
    ocop_free(m);
}

/* Samples of one day, recorded in another order than they were taken in, behind an inspection. */
static void every_record_stands_on_one_page_whatever_the_length_of_pages(void **state)
{
    static const int hours[] = {9, 7, 12, 8, 15, 6, 10};
    enum { SAMPLES = sizeof hours / sizeof *hours, INSPECTIONS = 1 };
    struct world *w = *state;
    const int64_t now = env_now_ms(env_system()), day = now - now % 86400000 - 86400000;
    for (int i = 0; i < SAMPLES; i++)
        sample_of(w, day + hours[i] * INT64_C(3600000));
    for (int i = 0; i < INSPECTIONS; i++)
        (void)world_inspect(w, 1, "pass");
    for (int limit = 1; limit < 6; limit++) {
        struct ocop_list *all = find(w, &(struct ocop_query){.limit = 100});
        assert_int_equal(all->count, SAMPLES + INSPECTIONS + 2); /* and a producer, a product */
        for (size_t at = 0; at < all->count; at += (size_t)limit) {
            struct ocop_list *page =
                find(w, &(struct ocop_query){.limit = limit, .offset = (int)at});
            for (size_t i = 0; i < page->count; i++)
                assert_memory_equal(page->items[i].id.b, all->items[at + i].id.b, ID_LEN);
            ocop_list_free(page);
        }
        ocop_list_free(all);
    }
}

/* --- words that stand in most records ----------------------------------------------------------
 */

enum { CROWD = 1100 }; /* more than two blocks of the index of words */

static const char *crowd_name(struct world *w, unsigned i)
{
    return arena_printf(&w->arena, "chợ%s%s số%u", i % 3 ? " chè" : "", i % 7 ? "" : " lạc", i);
}

/* The page must be the newest of them with all words, and be counted right. */
static void expect_newest(struct world *w, struct ocop_id ids[CROWD], const char *text, unsigned of,
                          unsigned but, int limit)
{
    const struct ocop_query q = {.kind = "producer", .text = text, .limit = limit};
    struct ocop_list *list = find(w, &q);
    size_t at = 0;
    for (unsigned i = CROWD; i-- > 0 && at < list->count;)
        if (i % of == 0 && (!but || i % but)) {
            if (memcmp(list->items[at].id.b, ids[i].b, ID_LEN) != 0)
                fail_msg("\"%s\", at most %d: at %zu is not record %u", text, limit, at, i);
            at++;
        }
    size_t all = 0;
    for (unsigned i = 0; i < CROWD; i++)
        all += i % of == 0 && (!but || i % but);
    assert_int_equal(at, all < (size_t)limit ? all : (size_t)limit);
    assert_int_equal(list->count, at);
    assert_int_equal(list->more, all > at);
    ocop_list_free(list);
}

static void the_newest_of_many_that_have_the_words_come_first(void **state)
{
    static struct ocop_id ids[CROWD];
    static char plan[PLAN_BYTES_MAX];
    struct world *w = *state;
    for (unsigned i = 0; i < CROWD; i++)
        ids[i] = world_producer(w, 1, crowd_name(w, i));
    for (int limit = 1; limit <= 10000; limit *= 10) {
        expect_newest(w, ids, "cho", 1, 0, limit);
        expect_newest(w, ids, "Chè", 1, 3, limit);
        expect_newest(w, ids, "lac ch", 7, 0, limit);
        expect_newest(w, ids, "lac che so", 7, 3, limit);
    }
    asked_count = 0;
    sqlite3_trace_v2(connection, SQLITE_TRACE_STMT, on_statement, NULL);
    expect_newest(w, ids, "cho che", 1, 3, 20);
    sqlite3_trace_v2(connection, 0, NULL, NULL);
    assert_int_equal(asked_count, 1);
    plan_of(asked[0], plan);
    if (strstr(plan, "TEMP B-TREE") || strstr(plan, "json_each"))
        fail_msg("hundreds are looked up for a page of 20:\n%s", plan);
    world_amend(w, 1, ids[CROWD / 2 + 1], "name=HTX đậu"); /* long since in the index */
    assert_int_equal(
        count_of(w, &(struct ocop_query){.kind = "producer", .text = "dau", .limit = 10}), 1);
    assert_int_equal(
        count_of(w, &(struct ocop_query){.kind = "producer", .text = "cho", .limit = 10000}),
        CROWD - 1);
    expect_sound(w);
}

static int64_t in_store(const char *sql)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void open_again(struct world *w)
{
    sqlite3_auto_extension((void (*)(void))on_open);
    world_relink(w, 1, &w->links[1].link);
    sqlite3_cancel_auto_extension((void (*)(void))on_open);
}

/* Whoever meets it: a save that changes the block, or a search that reads it. */
static void a_damaged_index_fails_no_save_and_no_search_and_is_made_again(void **state)
{
    enum { SOME = 130 };
    const struct ocop_query tea = {.kind = "producer", .text = "che", .limit = 1000};
    struct ocop_id ids[SOME], other;
    struct world *w = *state;
    for (unsigned i = 0; i < SOME; i++)
        ids[i] = world_producer(w, 1, "chè");
    assert_true(in_store("SELECT n FROM searched WHERE kind = 3") >= 128);
    for (unsigned search = 0; search < 2; search++) {
        struct ocop_error err = {0};
        unsigned findings = 0;
        assert_int_equal(sqlite3_exec(connection,
                                      "UPDATE words SET rows = x'0100' WHERE word = x'636865'",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_changes(connection), 1);
        assert_int_equal(ocop_check(w->stores[1], NULL, NULL, &findings, &err), OCOP_OK);
        assert_true(findings > 0);
        if (search)
            assert_int_equal(count_of(w, &tea), SOME - 1);
        world_amend(w, 1, ids[search], search ? "name=chè" : "name=cà phê");
        assert_int_equal(count_of(w, &tea), SOME - 1);
        assert_int_equal(in_store("SELECT n FROM searched WHERE kind = 3"), -1);
        /* To clear it takes room on a disk that may have none: not in a save. */
        assert_true(in_store("SELECT count(*) FROM words WHERE kind = 3") > 0);
        open_again(w);
        assert_true(in_store("SELECT n FROM searched WHERE kind = 3") >= 128);
        assert_int_equal(count_of(w, &tea), SOME - 1);
        expect_sound(w);
    }
    other = world_producer(w, 1, "chè");
    assert_int_equal(count_of(w, &tea), SOME);
    world_amend(w, 1, other, "name=cà phê");
    assert_int_equal(count_of(w, &tea), SOME - 1);
    expect_sound(w);
}

/* The root page of table words is overwritten: its header; or so that it can be read, not written.
 */
#ifdef OCOP_CIPHER
static const bool encrypted = true;
#else
static const bool encrypted = false;
#endif

static void overwrite_words(struct world *w, bool header)
{
    static uint8_t page[65536];
    const size_t size = (size_t)in_store("PRAGMA page_size");
    const int64_t at = in_store("SELECT rootpage FROM sqlite_schema WHERE name = 'words'") - 1;
    char path[256];
    FILE *file;
    assert_int_equal(in_store("PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    snprintf(path, sizeof path, "%s", sqlite3_db_filename(connection, "main"));
    ocop_close(w->stores[1]);
    w->stores[1] = NULL;
    file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)(at * (int64_t)size), SEEK_SET), 0);
    assert_int_equal(fread(page, 1, size, file), size);
    page[2] = 1; /* free room where there is none */
    if (header)
        memset(page, 0, 8);
    assert_int_equal(fseek(file, (long)(at * (int64_t)size), SEEK_SET), 0);
    assert_int_equal(fwrite(page, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    open_again(w);
}

/* It is made anew where it can be dropped; where it cannot be read at all, as no page of an
 * encrypted store that is not what was written, work goes on without. */
static void a_damaged_page_of_the_index_fails_no_search_and_no_save(void **state)
{
    enum { SOME = 130 };
    const struct ocop_query tea = {.kind = "producer", .text = "che", .limit = 1000};
    const unsigned rounds = encrypted ? 1 : 2;
    struct ocop_id ids[SOME];
    struct world *w = *state;
    struct ocop_error err = {0};
    for (unsigned i = 0; i < SOME; i++)
        ids[i] = world_producer(w, 1, "chè");
    for (unsigned header = 0; header < rounds; header++) {
        ProtobufCMessage *m = NULL;
        overwrite_words(w, header);
        assert_int_equal(ocop_load(w->stores[1], &ids[header], &m, &err), OCOP_OK);
        assert_int_equal(ocop_set_text(w->stores[1], &m, "name=cà phê", &err), OCOP_OK);
        assert_int_equal(ocop_amend(w->stores[1], m, "xem", &err), OCOP_OK);
        assert_string_equal(err.text, "");
        assert_int_equal(in_store("SELECT n FROM searched WHERE kind = 3"), -1);
        assert_int_equal(count_of(w, &tea), SOME + 99 * header - 1);
        ocop_free(m);
        for (unsigned i = 0; i < 100; i++)
            (void)world_producer(w, 1, "chè");
        open_again(w);
        assert_int_equal(count_of(w, &tea), SOME + 99 * (header + 1));
        if (!header && !encrypted) {
            assert_true(in_store("SELECT n FROM searched WHERE kind = 3") >= SOME + 100);
            expect_sound(w);
        }
    }
    world_sync(w, 1);
    (void)world_producer(w, 1, "chè");
    assert_int_equal(count_of(w, &tea), SOME + 99 * rounds + 1);
}

/* What is attached is put beside the store only when the index is known to be writable, so that
 * it is there once. */
static void a_damaged_page_of_the_index_fails_no_attachment(void **state)
{
    static const struct ocop_attachment note = {
        .bytes = "%PDF-1.7 x", .len = 10, .role = "document", .name = "giấy.pdf"};
    const struct ocop_query tea = {.kind = "producer", .text = "che", .limit = 1000};
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = world_producer(w, 1, "chè"), out;
    for (unsigned i = 0; i < 63; i++)
        must(ocop_attach(w->stores[1], &id, &note, &out, &err), &err);
    overwrite_words(w, true);
    for (unsigned i = 0; i < 3; i++)
        must(ocop_attach(w->stores[1], &id, &note, &out, &err), &err);
    assert_int_equal(in_store("SELECT n FROM searched WHERE kind = 13"), -1);
    assert_int_equal(in_store("SELECT count(*) FROM attachment"), 66);
    world_sync(w, 1);
    assert_int_equal(count_of(w, &tea), 1);
}

static void a_sync_that_meets_a_damaged_page_of_the_index_goes_on(void **state)
{
    enum { SOME = 130 };
    const struct ocop_query tea = {.kind = "producer", .text = "che", .limit = 1000};
    struct world *w = *state;
    world_enrol(w, 0);
    for (unsigned i = 0; i < 65; i++)
        (void)world_producer(w, 1, "chè");
    world_sync(w, 1);
    overwrite_words(w, true);
    for (unsigned i = 0; i < SOME; i++)
        (void)world_producer(w, 0, "chè");
    world_sync(w, 0);
    world_sync(w, 1);
    assert_int_equal(in_store("SELECT n FROM searched WHERE kind = 3"), -1);
    assert_int_equal(count_of(w, &tea), 65 + SOME);
}

/* Nothing is wrong with what can be read, but that it is not what the records say: the check alone
 * finds that, and the next opening makes the index again. An empty block says that it is damaged.
 */
static void what_the_check_finds_wrong_with_the_index_is_made_again(void **state)
{
    const struct ocop_query tea = {.kind = "producer", .text = "che", .limit = 1000};
    struct world *w = *state;
    struct ocop_error err = {0};
    unsigned findings = 0;
    for (unsigned i = 0; i < 65; i++)
        (void)world_producer(w, 1, "chè");
    assert_int_equal(sqlite3_exec(connection, "UPDATE words SET rows = x'' WHERE word = x'636865'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(count_of(w, &tea), 65);
    open_again(w);
    assert_int_equal(sqlite3_exec(connection,
                                  "UPDATE words SET rows = x'01' WHERE word = x'636865'", NULL,
                                  NULL, NULL),
                     SQLITE_OK);
    assert_true(count_of(w, &tea) < 65);
    assert_int_equal(ocop_check(w->stores[1], NULL, NULL, &findings, &err), OCOP_OK);
    assert_true(findings > 0);
    assert_int_equal(in_store("SELECT n FROM searched WHERE kind = 3"), -1);
    assert_int_equal(count_of(w, &tea), 65);
    open_again(w);
    assert_true(in_store("SELECT n FROM searched WHERE kind = 3") >= 65);
    assert_int_equal(count_of(w, &tea), 65);
    expect_sound(w);
}

/* Nobody who searches waits, and so does no save that comes after a search. */
static void a_search_that_meets_a_damaged_page_spares_the_next_save(void **state)
{
    const struct ocop_query tea = {.kind = "producer", .text = "che", .limit = 1000};
    struct world *w = *state;
    struct ocop_id id = world_producer(w, 1, "chè");
    for (unsigned i = 0; i < 64; i++)
        (void)world_producer(w, 1, "chè");
    overwrite_words(w, true);
    assert_int_equal(count_of(w, &tea), 65);
    world_amend(w, 1, id, "name=cà phê");
    assert_int_equal(count_of(w, &tea), 64);
}

/* Another program is writing all the time: the index waits. */
static void a_store_whose_index_is_to_be_made_opens_while_another_writes(void **state)
{
    const struct ocop_query tea = {.kind = "producer", .text = "che", .limit = 1000};
    struct world *w = *state;
    sqlite3 *other = NULL;
    (void)world_producer(w, 1, "chè");
    assert_int_equal(sqlite3_open(sqlite3_db_filename(connection, "main"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "INSERT INTO searched VALUES (3, -1, 0); BEGIN IMMEDIATE",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    open_again(w);
    assert_int_equal(count_of(w, &tea), 1);
    assert_int_equal(in_store("SELECT n FROM searched WHERE kind = 3"), -1);
    sqlite3_close(other);
    open_again(w);
    assert_true(in_store("SELECT n FROM searched WHERE kind = 3") > 0);
    expect_sound(w);
}

static void what_is_wrong_with_a_question_is_named(void **state)
{
    static const struct {
        struct ocop_query q;
        const char *field;
    } cases[] = {
        {{.kind = "nothing"}, "kind"},
        {{.kind = "replica"}, "kind"},
        {{.state = 7}, "state"},
        {{.limit = 10001}, "limit"},
        {{.offset = -1}, "limit"},
        {{.from_date = "2026-02-30"}, "from_date"},
        {{.to_date = "tomorrow"}, "to_date"},
        {{.text = " - "}, "text"},
        {{.kind = "product", .from_date = "2026-01-01"}, "kind"},
    };
    struct world *w = *state;
    struct ocop_list *list;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ocop_error err = {0};
        assert_int_equal(ocop_find(w->stores[1], &cases[i].q, &list, &err), OCOP_EINVAL);
        assert_string_equal(err.field, cases[i].field);
        assert_null(list);
    }
}

/* Each word counts, so one that would not be looked for is not passed over in silence. */
static void more_words_than_are_looked_for_are_refused(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_list *list;
    char text[200] = "";
    world_producer(w, 1, "Chè");
    for (unsigned i = 0; i < 32; i++)
        strcat(text, "che ");
    const struct ocop_query query = {.kind = "producer", .text = text};
    assert_int_equal(count_of(w, &query), 1);
    strcat(text, "- nowhere");
    assert_int_equal(ocop_find(w->stores[1], &query, &list, &err), OCOP_ELIMIT);
    assert_string_equal(err.field, "text");
    assert_non_null(strstr(err.text, "more than 32 words"));
    assert_null(list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_question_reads_a_whole_table),
        TEST(the_newest_records_come_without_sorting),
        TEST(a_unit_finds_what_lies_below_it),
        TEST(what_is_typed_in_any_form_is_found),
        TEST(what_was_saved_is_found_at_once_and_what_was_changed_no_more),
        TEST(the_newest_of_many_that_have_the_words_come_first),
        TEST(a_damaged_index_fails_no_save_and_no_search_and_is_made_again),
        TEST(a_damaged_page_of_the_index_fails_no_search_and_no_save),
        TEST(a_damaged_page_of_the_index_fails_no_attachment),
        TEST(a_sync_that_meets_a_damaged_page_of_the_index_goes_on),
        TEST(what_the_check_finds_wrong_with_the_index_is_made_again),
        TEST(a_search_that_meets_a_damaged_page_spares_the_next_save),
        TEST(a_store_whose_index_is_to_be_made_opens_while_another_writes),
        TEST(what_is_wrong_with_a_question_is_named),
        TEST(more_words_than_are_looked_for_are_refused),
        TEST(every_record_stands_on_one_page_whatever_the_length_of_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
