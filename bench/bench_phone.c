/* `make bench-phone`: what a small phone notices, with 50,000 records in its store.
 *
 *     bench_phone make FILE       fill a store, measure, and keep it in FILE
 *     bench_phone open|save|find FILE   do that a few times, for a profiler: bench/phone.sh */
#include <string.h>
#include <sys/stat.h>

#include "kinds.h"
#include "measure.h"
#include "plain.h"
#include "world.h"

enum { RECORDS = 50000, PER_SET = 1000, TURNS = 9, FINDS = 50, SAVES = 1000, PROFILED = 20 };
enum { WORDS_ROOM = 64 };

static struct world w;

/* --- what is measured, each a function that a profiler can tell by its name ------------------- */

void phone_open(const char *path, struct ocop_store **s);
void phone_save(struct ocop_store *s, const ProtobufCMessage *m);
size_t phone_find(struct ocop_store *s, const char *text);

__attribute__((noinline)) void phone_open(const char *path, struct ocop_store **s)
{
    MUST(ocop_open(path, NULL, s, &err));
}

__attribute__((noinline)) void phone_save(struct ocop_store *s, const ProtobufCMessage *m)
{
    MUST(ocop_submit(s, m, &err));
}

/* A screen of results, newest first. */
__attribute__((noinline)) size_t phone_find(struct ocop_store *s, const char *text)
{
    struct ocop_query q = {.kind = "inspection", .text = text, .limit = 20};
    struct ocop_list *list;
    MUST(ocop_find(s, &q, &list, &err));
    size_t count = list->count;
    ocop_list_free(list);
    return count;
}

/* --- a record like those that are there --------------------------------------------------------
 */

/* The n-th newest inspection; free with ocop_free. */
static Ocop__Inspection *existing(struct ocop_store *s, int n)
{
    struct ocop_query q = {.kind = "inspection", .limit = 1, .offset = n};
    struct ocop_list *list;
    ProtobufCMessage *m;
    MUST(ocop_find(s, &q, &list, &err));
    MUST_BE(list->count == 1);
    MUST(ocop_load(s, &list->items[0].id, &m, &err));
    ocop_list_free(list);
    return (Ocop__Inspection *)m;
}

/* Another one with the same contents, submitted. */
static void save_like(struct ocop_store *s, const Ocop__Inspection *old)
{
    ProtobufCMessage *m;
    MUST(ocop_new(s, "inspection", &m, &err));
    Ocop__Inspection *fresh = (Ocop__Inspection *)m, record = *fresh;
    record.has_unit_id = record.has_producer_id = record.has_product_id = 1;
    record.unit_id = old->unit_id;
    record.producer_id = old->producer_id;
    record.product_id = old->product_id;
    record.inspection_type = old->inspection_type;
    record.lot_code = old->lot_code;
    record.has_lat_e6 = record.has_lon_e6 = record.has_score = 1;
    record.lat_e6 = old->lat_e6;
    record.lon_e6 = old->lon_e6;
    record.conclusion = old->conclusion;
    record.score = old->score;
    record.n_answers = old->n_answers;
    record.answers = old->answers;
    record.notes = old->notes;
    phone_save(s, &record.base);
    ocop_free(m);
}

/* Two words of a record's notes. */
static const char *words_of(const Ocop__Inspection *m, char out[WORDS_ROOM])
{
    const char *space = strchr(m->notes, ' ');
    const char *end = space ? strchr(space + 1, ' ') : NULL;
    size_t len = end ? (size_t)(end - m->notes) : strlen(m->notes);
    MUST_BE(len < WORDS_ROOM);
    (void)snprintf(out, WORDS_ROOM, "%.*s", (int)len, m->notes);
    return out;
}

/* --- a full store ------------------------------------------------------------------------------
 */

static void fill(const char *path)
{
    struct arena a;
    struct ocop_sync_summary sum;
    arena_init(&a, MIB(64));
    for (size_t i = 0; i < RECORDS / PER_SET; i++) {
        struct device d;
        struct prepared p = {0};
        device_enrol(&w, &d, &w.units[i]);
        struct changes c = device_record(&w, &d, PER_SET, &a);
        prepared_add(&w, &d, &c, &a, &p);
        (void)prepared_answer(&w, &p);
        prepared_free(&p);
        arena_reset(&a);
    }
    struct id scope = w.province;
    struct ocop_store *s = world_store(&w, "phone.ocop", &scope, 1, NULL);
    MUST(ocop_sync(s, NULL, &sum, &err));
    MUST_BE(sum.complete && sum.pulled >= RECORDS);
    ocop_close(s);
    MUST_BE(rename(measure_path("phone.ocop"), path) == 0);
    arena_fini(&a);
}

/* The bytes of a file that holds the same rows of records and nothing else. */
static double plain_bytes(const char *path)
{
    struct stat file;
    sqlite3 *db;
    MUST_BE(sqlite3_open(measure_path("rows.db"), &db) == SQLITE_OK);
    char sql[400];
    (void)snprintf(sql, sizeof sql, "ATTACH '%s' AS store", path);
    MUST_BE(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    for (size_t i = 0; i < kind_count(); i++) {
        const char *name = kind_at(i)->table;
        (void)snprintf(sql, sizeof sql, "CREATE TABLE %s AS SELECT * FROM store.%s", name, name);
        (void)sqlite3_exec(db, sql, NULL, NULL, NULL); /* some kinds no device holds */
    }
    MUST_BE(sqlite3_close(db) == SQLITE_OK);
    MUST_BE(stat(measure_path("rows.db"), &file) == 0);
    return (double)file.st_size;
}

/* Bytes that this process has handed to write and pwrite. */
static double bytes_written(void)
{
    char line[80];
    double out = -1;
    FILE *f = fopen("/proc/self/io", "r");
    MUST_BE(f != NULL);
    while (fgets(line, sizeof line, f))
        (void)sscanf(line, "wchar: %lf", &out);
    (void)fclose(f);
    MUST_BE(out >= 0);
    return out;
}

static void measure_opening(const char *path)
{
    double took[TURNS];
    for (size_t i = 0; i < TURNS; i++) {
        struct ocop_store *s;
        double start = measure_clock_s(CLOCK_THREAD_CPUTIME_ID);
        phone_open(path, &s);
        took[i] = (measure_clock_s(CLOCK_THREAD_CPUTIME_ID) - start) * 1e3;
        ocop_close(s);
    }
    measure_line("phone_open_ms", measure_median(took, TURNS),
                 "ms of the processor, 50,000 records", 50);
}

static void measure_finding(struct ocop_store *s)
{
    double took[FINDS];
    for (int i = 0; i < FINDS; i++) {
        char words[WORDS_ROOM];
        Ocop__Inspection *m = existing(s, i * 13);
        double start = measure_clock_s(CLOCK_THREAD_CPUTIME_ID);
        size_t count = phone_find(s, words_of(m, words));
        took[i] = (measure_clock_s(CLOCK_THREAD_CPUTIME_ID) - start) * 1e3;
        MUST_BE(count > 0);
        ocop_free(&m->base);
    }
    measure_line("phone_find_ms", measure_median(took, FINDS),
                 "ms of the processor, two words, 20 results", 20);
    measure_line("phone_find_most_ms", took[FINDS - 1], "ms, the longest of 50", 0);
}

/* What saves write, to the end of what they cause: pages into the log, and from there into the
 * file. */
static void measure_saving(const char *path)
{
    static double took[SAVES];
    struct ocop_store *s;
    double row_bytes = 0;
    phone_open(path, &s);
    double before = bytes_written();
    for (size_t i = 0; i < SAVES; i++) {
        Ocop__Inspection *old = existing(s, SAVES + (int)i * 13);
        double start = measure_wall_s();
        save_like(s, old);
        took[i] = (measure_wall_s() - start) * 1e3;
        row_bytes += (double)protobuf_c_message_get_packed_size(&old->base);
        ocop_free(&old->base);
    }
    ocop_close(s);
    double each = (bytes_written() - before) / SAVES;
    row_bytes /= SAVES;
    measure_line("phone_save_ms", measure_median(took, SAVES),
                 "ms, submitted, the disk's flush included", 20);
    measure_line("phone_save_most_ms", took[SAVES - 1], "ms, the longest of 1,000", 0);
    measure_line("phone_write_bytes", each, "bytes written for a save, checkpoints too", 0);
    measure_line("phone_write_amplification", each / row_bytes, "times the record as a message", 0);
}

static void measure_all(const char *path)
{
    struct stat file;
    struct ocop_store *s;
    measure_begin();
    world_open(&w, measure_path("registry.db"), UNITS);
    fill(path);
    MUST_BE(stat(path, &file) == 0);
    double plain = plain_bytes(path);
    measure_line("phone_store_mib", (double)file.st_size / (1 << 20), "MiB", 0);
    measure_line("phone_store_ratio", (double)file.st_size / plain, "of the plain rows", 2);
    measure_opening(path);
    phone_open(path, &s);
    measure_finding(s);
    ocop_close(s);
    measure_saving(path);
    world_close(&w);
}

/* For a profiler that counts inside these functions alone. */
static void profile(const char *act, const char *path)
{
    struct ocop_store *s;
    phone_open(path, &s);
    for (int i = 0; i < PROFILED; i++) {
        char words[WORDS_ROOM];
        Ocop__Inspection *m = existing(s, i * 13);
        if (strcmp(act, "open") == 0) {
            ocop_close(s);
            phone_open(path, &s);
        } else if (strcmp(act, "save") == 0) {
            save_like(s, m);
        } else {
            MUST_BE(phone_find(s, words_of(m, words)) > 0);
        }
        ocop_free(&m->base);
    }
    ocop_close(s);
}

int main(int argc, char **argv)
{
    MUST_BE(argc == 3);
    kinds_init();
    if (strcmp(argv[1], "make") == 0)
        measure_all(argv[2]);
    else
        profile(argv[1], argv[2]);
    return 0;
}
