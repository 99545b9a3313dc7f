/* Records drawn from a fixed seed. Knows no database. */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "text.h"

static const char *const initials[] = {"",  "b",  "c",  "ch", "d",  "đ", "g", "h",  "kh", "l", "m",
                                       "n", "ng", "nh", "ph", "qu", "s", "t", "th", "tr", "v", "x"};
static const char *const rimes[] = {
    "a",  "á",   "à",  "ai",  "ải",  "an",  "án",  "àn", "anh", "ành",  "ao",  "ảo",
    "áp", "ạt",  "ăn", "ắng", "ặt",  "âm",  "ấp",  "ất", "ây",  "ầu",   "em",  "en",
    "eo", "ẹp",  "ê",  "ề",   "ếch", "ênh", "i",   "ì",  "ích", "iên",  "iểm", "iệt",
    "in", "ính", "o",  "ó",   "oan", "ọc",  "ong", "ổ",  "ộ",   "ông",  "ống", "ơi",
    "ờ",  "ớp",  "u",  "ú",   "ục",  "ung", "uốc", "ừ",  "ữa",  "ương", "ước", "ượng"};
enum { INITIALS = sizeof initials / sizeof *initials, RIMES = sizeof rimes / sizeof *rimes };
_Static_assert((int)INITIALS *(int)RIMES >= (int)WORDS, "combinations enough for the word list");

static uint64_t next(struct workload *w)
{
    uint64_t z = (w->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t workload_below(struct workload *w, uint32_t n)
{
    return (uint32_t)(next(w) % n);
}

void workload_init(struct workload *w, uint64_t seed)
{
    uint32_t order[INITIALS * RIMES];
    double sum = 0;
    memset(w, 0, sizeof *w);
    w->state = seed;
    for (uint32_t i = 0; i < INITIALS * RIMES; i++)
        order[i] = i;
    for (uint32_t i = INITIALS * RIMES - 1; i > 0; i--) {
        uint32_t j = workload_below(w, i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < WORDS; i++) {
        (void)snprintf(w->words[i], WORD_ROOM, "%s%s", initials[order[i] / RIMES],
                       rimes[order[i] % RIMES]);
        w->sum[i] = sum += 1.0 / (i + 1);
    }
}

static const char *word(struct workload *w)
{
    double x = (double)(next(w) >> 11) / 9007199254740992.0 * w->sum[WORDS - 1];
    size_t lo = 0, hi = WORDS - 1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (w->sum[mid] <= x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return w->words[lo];
}

char *workload_words(struct workload *w, struct arena *a, size_t low, size_t high)
{
    char text[512];
    size_t len = 0, goal = low + workload_below(w, (uint32_t)(high - low + 1));
    while (len < goal) {
        const char *next_word = word(w);
        size_t more = strlen(next_word) + (len > 0);
        if (len + more > high)
            break;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len ? " " : "", next_word);
    }
    return arena_dup(a, text, len);
}

static ProtobufCBinaryData bytes(struct arena *a, const struct id *id)
{
    return (ProtobufCBinaryData){ID_LEN, (uint8_t *)arena_dup(a, id->b, ID_LEN)};
}

static char *dup(struct arena *a, const char *s)
{
    return arena_dup(a, s, strlen(s));
}

static void answers_put(struct workload *w, size_t count, struct arena *a, Ocop__Inspection *m)
{
    static const char *const sections[] = {"NC", "TB", "VS"};
    m->n_answers = count;
    m->answers = arena_calloc(a, count, sizeof *m->answers);
    for (size_t i = 0; i < count; i++) {
        Ocop__Answer *answer = arena_alloc(a, sizeof *answer);
        uint32_t luck = workload_below(w, 100);
        ocop__answer__init(answer);
        answer->question = arena_printf(a, "%s.%zu", sections[i / 8 % 3], i % 8 + 1);
        answer->answer = dup(a, luck < 6 ? "fail" : luck < 8 ? "na" : "pass");
        if (workload_below(w, 100) < 4)
            answer->remark = workload_words(w, a, 15, 30);
        m->answers[i] = answer;
    }
}

void workload_inspection(struct workload *w, struct area *area, size_t answers, struct arena *a,
                         Ocop__Inspection *m)
{
    char day[11];
    uint32_t luck = workload_below(w, 100), product = workload_below(w, PRODUCTS);
    area->now_ms += 2400000 + workload_below(w, 2400000);
    text_day_of(area->now_ms, day);
    m->has_producer_id = m->has_product_id = m->has_lat_e6 = m->has_lon_e6 = m->has_score = 1;
    m->producer_id = bytes(a, &w->producers[product % PRODUCERS]);
    m->product_id = bytes(a, &w->products[product]);
    m->inspection_type = dup(a, "planned");
    m->inspected_date = dup(a, day);
    m->lot_code =
        arena_printf(a, "L%.2s%.2s%.2s-%02u", day + 2, day + 5, day + 8, workload_below(w, 40) + 1);
    m->lat_e6 = area->lat_e6 + (int32_t)workload_below(w, 40000) - 20000;
    m->lon_e6 = area->lon_e6 + (int32_t)workload_below(w, 40000) - 20000;
    m->conclusion = dup(a, luck < 80 ? "pass" : luck < 93 ? "conditional" : "fail");
    m->score = (int32_t)(luck < 80   ? 80 + workload_below(w, 21)
                         : luck < 93 ? 60 + workload_below(w, 20)
                                     : 30 + workload_below(w, 30));
    answers_put(w, answers, a, m);
    m->notes = workload_words(w, a, 60, 120);
}

void workload_full(struct workload *w, struct arena *a, Ocop__Inspection *m, struct id keys[6])
{
    static const char *const sides[] = {"team", "team", "producer"};
    static const char *const severities[] = {"minor", "major", "minor"};
    m->n_participants = m->n_findings = 3;
    m->participants = arena_calloc(a, 3, sizeof *m->participants);
    m->findings = arena_calloc(a, 3, sizeof *m->findings);
    for (size_t i = 0; i < 3; i++) {
        Ocop__Participant *p = m->participants[i] = arena_alloc(a, sizeof *p);
        Ocop__Finding *f = m->findings[i] = arena_alloc(a, sizeof *f);
        ocop__participant__init(p);
        ocop__finding__init(f);
        p->has_key = f->has_key = 1;
        p->key = bytes(a, &keys[i]);
        p->name = i == 2 ? workload_words(w, a, 12, 22) /* the team is the same all day */
                         : dup(a, i ? "Trần Thị Bình" : "Nguyễn Văn An");
        p->title = dup(a, i == 2 ? "Chủ cơ sở" : "Cán bộ kiểm tra");
        p->side = dup(a, sides[i]);
        f->key = bytes(a, &keys[3 + i]);
        f->description = workload_words(w, a, 30, 60);
        f->severity = dup(a, severities[i]);
        f->remedy = workload_words(w, a, 20, 40);
        f->deadline_date = dup(a, i == 0 ? "2027-01-31" : "2026-12-31");
    }
    m->producer_opinion = workload_words(w, a, 20, 40);
}

void workload_sample(struct workload *w, struct area *area, struct arena *a, Ocop__Sample *m,
                     struct id keys[3])
{
    static const char *const roles[] = {"test", "reference", "counter"};
    uint32_t product = workload_below(w, PRODUCTS);
    m->has_producer_id = m->has_product_id = m->has_lat_e6 = m->has_lon_e6 = 1;
    m->producer_id = bytes(a, &w->producers[product % PRODUCERS]);
    m->product_id = bytes(a, &w->products[product]);
    m->lat_e6 = area->lat_e6 + (int32_t)workload_below(w, 40000) - 20000;
    m->lon_e6 = area->lon_e6 + (int32_t)workload_below(w, 40000) - 20000;
    m->lot_code = arena_printf(a, "L2611%02u", workload_below(w, 28) + 1);
    m->quantity = dup(a, "1.5");
    m->quantity_unit = dup(a, "kg");
    m->place = workload_words(w, a, 15, 30);
    m->n_parts = 3;
    m->parts = arena_calloc(a, 3, sizeof *m->parts);
    for (size_t i = 0; i < 3; i++) {
        Ocop__SamplePart *p = m->parts[i] = arena_alloc(a, sizeof *p);
        ocop__sample_part__init(p);
        p->has_key = 1;
        p->key = bytes(a, &keys[i]);
        p->role = dup(a, roles[i]);
        p->seal_no = arena_printf(a, "NP%06u", workload_below(w, 1000000));
        p->quantity = dup(a, "0.5");
        p->quantity_unit = dup(a, "kg");
    }
}

struct change workload_create(uint32_t kind, const ProtobufCMessage *m, const struct id *author,
                              int64_t now_ms, struct arena *a)
{
    struct ocop_error err;
    struct change c = {.kind = kind, .verb = VERB_CREATE, .device_time_ms = now_ms};
    uint8_t *packed = arena_alloc(a, protobuf_c_message_get_packed_size(m) + 1);
    if (author)
        c.author = *author;
    if (!packed ||
        record_unpack(kind_by_number(kind), span_of(packed, protobuf_c_message_pack(m, packed)), a,
                      &c.record, &c.fields, &err) != OCOP_OK)
        abort();
    return c;
}
