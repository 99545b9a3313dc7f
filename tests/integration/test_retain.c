/* Contents that the centre drops, loses and gets again: what an office that must defend a result
 * may drop, that everybody is told who did, and that what was damaged or lost comes back from a
 * backup or from a device. With a real registry, whose clock is set on, and no socket. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobs.h"
#include "blobs_copy.h"
#include "records.pb-c.h"
#include "retain.h"
#include "rights.h"
#include "show_files.h"
#include "store.h"
#include "verify_files.h"
#include "world.h"

enum { CHUNK = FILE_CHUNK_BYTES, PHOTO_BYTES = 9 * CHUNK + 100 };
#define DAY INT64_C(86400000)

struct centre {
    struct world w;
    struct env env; /* the registry's, days ahead of the devices' */
    int64_t ahead_ms;
};

static int64_t now(void *self)
{
    return env_now_ms(env_system()) + ((struct centre *)self)->ahead_ms;
}

static void set_clock(struct centre *c)
{
    c->env = *env_system();
    c->env.now_ms = now;
    c->env.self = c;
    c->w.registry->env = &c->env;
}

static int open_world(void **state)
{
    struct centre *c = calloc(1, sizeof *c);
    assert_non_null(c);
    world_open(&c->w);
    for (unsigned n = 0; n < 2; n++) {
        world_enrol(&c->w, n);
        world_sync(&c->w, n);
    }
    set_clock(c);
    *state = c;
    return 0;
}

static int close_world(void **state)
{
    struct centre *c = *state;
    c->w.registry->env = env_system();
    world_close(&c->w);
    free(c);
    return 0;
}

/* --- what the tests share --------------------------------------------------------------------- */

struct photo {
    uint8_t bytes[PHOTO_BYTES];
    uint8_t hash[HASH_LEN];
    struct ocop_id id, record;
};

static void photo_fill(struct photo *p, unsigned seed)
{
    for (size_t i = 0; i < sizeof p->bytes; i++)
        p->bytes[i] = (uint8_t)((i + seed * 7919) * 2654435761u >> 11);
    memcpy(p->bytes, "\xff\xd8\xff", 3);
    hash_bytes(span_of(p->bytes, sizeof p->bytes), p->hash);
}

static void attach(struct centre *c, unsigned n, struct ocop_id record, struct photo *p)
{
    struct ocop_error err = {0};
    struct ocop_attachment a = {.bytes = p->bytes, .len = sizeof p->bytes, .role = "photo"};
    p->record = record;
    must(ocop_attach(c->w.stores[n], &record, &a, &p->id, &err), &err);
}

/* An inspection of device n with a photo, both at the centre. */
static void brought(struct centre *c, unsigned n, unsigned seed, struct photo *p)
{
    photo_fill(p, seed);
    attach(c, n, world_inspect(&c->w, n, "pass"), p);
    assert_int_equal(world_sync(&c->w, n).files_sent, 1);
}

static enum ocop_status at_centre(struct centre *c, const struct photo *p)
{
    return content_check(&c->w.registry->blobs, p->hash, sizeof p->bytes, NULL);
}

static struct retained retain(struct centre *c, const char *role, uint32_t kind, bool dry_run,
                              char **told)
{
    struct ocop_error err = {0};
    struct retained found;
    struct retain_terms t = {.days = 400,
                             .role = role,
                             .kind = kind,
                             .dry_run = dry_run,
                             .officer = c->w.officers[0],
                             .reason = "hết thời hạn lưu"};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    must(files_retain(c->w.registry, &c->w.keys, &t, out, &found, &err), &err);
    fclose(out);
    if (told)
        *told = text;
    else
        free(text);
    return found;
}

static char *attached(struct centre *c, const struct photo *p)
{
    struct ocop_error err = {0};
    struct id record;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    memcpy(record.b, p->record.b, ID_LEN);
    must(show_attached(c->w.registry, &record, out, &err), &err);
    fclose(out);
    return text;
}

static void says(char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("\"%s\" is not in:\n%s", what, text);
    free(text);
}

static enum ocop_file_state state_of(struct centre *c, unsigned n, const struct photo *p,
                                     char text[300])
{
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    enum ocop_file_state state = 0;
    must(ocop_files(c->w.stores[n], &p->record, &list, &err), &err);
    for (size_t i = 0; i < list->count; i++)
        if (memcmp(&list->files[i].id, &p->id, sizeof p->id) == 0) {
            state = list->files[i].state;
            snprintf(text, 300, "%s", list->files[i].text);
        }
    ocop_file_list_free(list);
    return state;
}

static void fetched(struct centre *c, unsigned n, const struct photo *p)
{
    struct ocop_error err = {0};
    world_sync(&c->w, n);
    must(ocop_fetch(c->w.stores[n], &p->id, &err), &err);
    assert_int_equal(world_sync(&c->w, n).files_received, 1);
}

static struct files_found verified(struct centre *c, bool mend, char **told)
{
    struct ocop_error err = {0};
    struct files_found found;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    must(files_verify(c->w.registry, mend, out, &found, &err), &err);
    fclose(out);
    if (told)
        *told = text;
    else
        free(text);
    return found;
}

static void spoil(struct centre *c, const struct photo *p, bool lose)
{
    char path[PATH_MAX], folder[PATH_MAX];
    content_path(&c->w.registry->blobs, p->hash, path, folder);
    if (lose) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    const int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "!", 1, 100), 1);
    close(fd);
}

/* --- retention -------------------------------------------------------------------------------- */

static void a_removed_content_is_gone_and_everybody_is_told_who_did_it(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    char *told, text[300];
    brought(c, 1, 1, &p);
    world_sync(&c->w, 0);
    c->ahead_ms = 401 * DAY;
    struct retained r = retain(c, NULL, 0, true, &told);
    assert_int_equal(r.removed, 1);
    says(told, "would go\t");
    assert_int_equal(at_centre(c, &p), OCOP_OK);
    r = retain(c, "photo", KIND_INSPECTION, false, &told);
    assert_int_equal(r.removed, 1);
    assert_int_equal(r.bytes, PHOTO_BYTES);
    says(told, "removed\t");
    assert_int_equal(at_centre(c, &p), OCOP_ENOTFOUND);
    says(attached(c, &p), ": hết thời hạn lưu");
    says(attached(c, &p), "removed on ");
    world_sync(&c->w, 0);
    assert_int_equal(state_of(c, 0, &p, text), OCOP_FILE_REMOVED);
    assert_non_null(strstr(text, ": hết thời hạn lưu (136 KiB)"));
    assert_int_equal(ocop_fetch(c->w.stores[0], &p.id, &err), OCOP_ENOTFOUND);
    assert_non_null(strstr(err.text, "hết thời hạn lưu"));
    world_sync(&c->w, 1);
    assert_int_equal(state_of(c, 1, &p, text), OCOP_FILE_REMOVED);
    assert_non_null(strstr(text, "still here"));
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 0); /* once */
    assert_int_equal(verified(c, false, NULL).missing, 0);
}

static void refuses(struct centre *c, struct id officer, bool dry_run, enum ocop_status want)
{
    struct ocop_error err = {0};
    struct retained found;
    const struct retain_terms t = {
        .days = 400, .dry_run = dry_run, .officer = officer, .reason = "hết thời hạn lưu"};
    assert_int_equal(files_retain(c->w.registry, &c->w.keys, &t, stdout, &found, &err), want);
    if (want != OCOP_OK)
        assert_int_equal(found.removed, 0);
}

static void only_who_may_decide_has_contents_removed(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    struct field voids[] = {{.number = FIELD_VOIDED, .op = FIELD_SET, .type = VALUE_INT, .i = 1},
                            {.number = FIELD_VOID_REASON,
                             .op = FIELD_SET,
                             .type = VALUE_BYTES,
                             .bytes = span_str("nghỉ hưu")}};
    struct change gone = {.verb = VERB_VOID,
                          .kind = KIND_OFFICER,
                          .record = c->w.officers[0],
                          .reason = span_str("nghỉ hưu"),
                          .fields = {voids, 2}};
    brought(c, 1, 5, &p);
    c->ahead_ms = 401 * DAY;
    refuses(c, c->w.officers[1], false, OCOP_EPERM);
    refuses(c, c->w.producer, false, OCOP_ENOTFOUND);
    refuses(c, c->w.producer, true, OCOP_OK); /* it names nobody */
    gone.base = voids[0].base = voids[1].base =
        (uint64_t)world_count(&c->w, "SELECT max(version) FROM log");
    world_import(&c->w, &gone, 1);
    refuses(c, c->w.officers[0], false, OCOP_EPERM);
    assert_int_equal(at_centre(c, &p), OCOP_OK);
}

/* Not before and not after a restore, by which each device asks for all of its files again. */
static void a_removed_content_is_not_sent_again(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    brought(c, 1, 2, &p);
    fetched(c, 0, &p);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    world_backup(&c->w);
    world_restore(&c->w);
    set_clock(c);
    for (unsigned n = 0; n < 2; n++) {
        struct ocop_sync_summary sum = world_sync(&c->w, n);
        assert_int_equal(sum.files_sent, 0);
        assert_int_equal(sum.files_left, 0);
        struct ocop_error err = {0};
        unsigned gone;
        must(ocop_files_keep(c->w.stores[n], 0, &gone, &err), &err); /* and may go there too */
        assert_int_equal(gone, 1);
    }
    assert_int_equal(at_centre(c, &p), OCOP_ENOTFOUND);
}

/* The office drops what is old between the two halves of a sync, its records and its files. */
static bool drop_meanwhile(void *self, const struct ocop_sync_summary *sum, const char *doing)
{
    (void)sum;
    if (strcmp(doing, "files") == 0)
        (void)retain(self, NULL, 0, false, NULL);
    return true;
}

static struct ocop_sync_summary sync_and_drop(struct centre *c, unsigned n)
{
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    struct ocop_sync_options o = {.progress = drop_meanwhile, .user = c};
    must(ocop_sync(c->w.stores[n], &o, &sum, &err), &err);
    return sum;
}

/* A device that has not heard of it yet, and asks. */
static void a_device_that_asks_for_a_removed_content_is_told_so(void **state)
{
    struct centre *c = *state;
    static struct photo p, same;
    struct ocop_error err = {0};
    brought(c, 0, 3, &same);
    photo_fill(&p, 3);
    attach(c, 1, world_inspect(&c->w, 1, "pass"), &p);
    struct ocop_sync_summary sum;
    must(ocop_sync(c->w.stores[1], &(struct ocop_sync_options){.files = OCOP_FILES_NONE}, &sum,
                   &err),
         &err);
    c->ahead_ms = 401 * DAY;
    sum = sync_and_drop(c, 1);
    assert_int_equal(sum.files_sent, 0);
    assert_int_equal(sum.files_left, 0);
    assert_int_equal(at_centre(c, &p), OCOP_ENOTFOUND);
    assert_int_equal(world_sync(&c->w, 1).round_trips, 1); /* asked once */
}

/* What is attached to a draft is still to come, though the registry wants the same of an older
 * record no more. `asked`: the device hears it when it asks, else when it has asked already. */
static void drafted_and_dropped(struct centre *c, bool asked)
{
    static struct photo p, q;
    struct ocop_error err = {0};
    unsigned gone;
    brought(c, 1, 40, &p);
    photo_fill(&q, 40);
    const struct ocop_id record = world_draft(&c->w, 1);
    attach(c, 1, record, &q);
    c->ahead_ms = 401 * DAY;
    if (asked) {
        assert_int_equal(sync_and_drop(c, 1).files_left, 0);
        must(ocop_files_keep(c->w.stores[1], 0, &gone, &err), &err);
        assert_int_equal(gone, 0);
    } else {
        world_sync(&c->w, 1); /* it is there */
        assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    }
    assert_int_equal(at_centre(c, &p), OCOP_ENOTFOUND);
    world_sync(&c->w, 1);
    must(ocop_files_keep(c->w.stores[1], 0, &gone, &err), &err);
    assert_int_equal(gone, 0);
    must(ocop_submit_draft(c->w.stores[1], &record, NULL, &err), &err);
    assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
    assert_int_equal(at_centre(c, &q), OCOP_OK);
}

static void who_asks_for_what_was_removed_keeps_it_for_a_draft(void **state)
{
    drafted_and_dropped(*state, true);
}

static void what_was_there_and_is_removed_is_sent_anew_with_a_draft(void **state)
{
    drafted_and_dropped(*state, false);
}

static void asks_no_more(struct centre *c)
{
    struct ocop_sync_summary sum = world_sync(&c->w, 1);
    assert_int_equal(sum.round_trips, 1);
    assert_int_equal(sum.files_left, 0);
}

/* Nor does it ask at each sync for what left the device, while a draft names the same. */
static void what_was_removed_is_not_owed_when_its_record_leaves(void **state)
{
    struct centre *c = *state;
    static struct photo p, q;
    brought(c, 1, 41, &p);
    photo_fill(&q, 41);
    attach(c, 1, world_draft(&c->w, 1), &q);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    world_sync(&c->w, 1);
    world_move(&c->w, KIND_ATTACHMENT, p.id, &c->w.other_commune);
    assert_int_equal(world_sync(&c->w, 1).departed, 1);
    asks_no_more(c);
}

/* Of another's content that was removed only the fetched copy is here: it is not for this device
 * to send. */
static void a_fetched_copy_of_what_was_removed_goes_with_its_record(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    brought(c, 1, 41, &p);
    fetched(c, 0, &p);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    world_sync(&c->w, 0);
    world_move(&c->w, KIND_ATTACHMENT, p.id, &c->w.other_commune);
    assert_int_equal(world_sync(&c->w, 0).departed, 1);
    struct ocop_sync_summary sum = world_sync(&c->w, 0);
    assert_int_equal(sum.round_trips, 1);
    assert_int_equal(sum.files_left, 0);
    assert_false(world_has_content(&c->w, 0, p.hash));
}

/* It is at the centre by another name, and what has that name may be removed first. */
static void what_a_draft_names_is_not_let_go(void **state)
{
    struct centre *c = *state;
    static struct photo p, q;
    struct ocop_error err = {0};
    unsigned gone;
    brought(c, 1, 40, &p);
    photo_fill(&q, 40);
    const struct ocop_id record = world_draft(&c->w, 1);
    attach(c, 1, record, &q);
    world_sync(&c->w, 1);
    must(ocop_files_keep(c->w.stores[1], 0, &gone, &err), &err);
    assert_int_equal(gone, 0);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    must(ocop_submit_draft(c->w.stores[1], &record, NULL, &err), &err);
    assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
    assert_int_equal(at_centre(c, &q), OCOP_OK);
}

/* Another's: the backup lacks the record, and its author has the content. */
static void a_fetched_copy_of_what_a_restore_lost_is_not_owed(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    world_backup(&c->w);
    brought(c, 1, 43, &p);
    fetched(c, 0, &p);
    world_restore(&c->w);
    set_clock(c);
    world_sync(&c->w, 0);
    struct ocop_sync_summary sum = world_sync(&c->w, 0);
    assert_int_equal(sum.round_trips, 1);
    assert_int_equal(sum.files_left, 0);
    assert_false(world_has_content(&c->w, 0, p.hash));
}

static void what_a_record_that_left_owed_is_not_owed_when_it_was_removed(void **state)
{
    struct centre *c = *state;
    static struct photo p, q, same;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    const struct ocop_sync_options none = {.files = OCOP_FILES_NONE};
    brought(c, 0, 42, &same);
    photo_fill(&p, 42);
    photo_fill(&q, 42);
    attach(c, 1, world_inspect(&c->w, 1, "pass"), &p);
    must(ocop_sync(c->w.stores[1], &none, &sum, &err), &err);
    attach(c, 1, world_draft(&c->w, 1), &q);
    world_move(&c->w, KIND_ATTACHMENT, p.id, &c->w.other_commune);
    must(ocop_sync(c->w.stores[1], &none, &sum, &err), &err);
    assert_int_equal(sum.departed, 1);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(sync_and_drop(c, 1).files_sent, 0);
    asks_no_more(c);
}

static void the_same_photo_attached_again_is_wanted_again(void **state)
{
    struct centre *c = *state;
    static struct photo p, q;
    char text[300];
    brought(c, 1, 4, &p);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    world_sync(&c->w, 1);
    photo_fill(&q, 4);
    attach(c, 1, p.record, &q);
    world_sync(&c->w, 1);
    assert_int_equal(at_centre(c, &q), OCOP_OK);
    assert_int_equal(state_of(c, 1, &p, text), OCOP_FILE_REMOVED);
    assert_int_equal(state_of(c, 1, &q, text), OCOP_FILE_STORED);
}

static void open_a_case(struct centre *c, struct ocop_id record)
{
    world_sync(&c->w, 0);
    world_amend(&c->w, 0, record, "conclusion=fail");
    world_amend(&c->w, 1, record, "conclusion=conditional");
    world_sync(&c->w, 0);
    world_sync(&c->w, 1);
    assert_int_equal(world_count(&c->w, "SELECT count(*) FROM cases WHERE closed_version IS NULL"),
                     1);
}

static void what_an_office_must_be_able_to_show_is_kept(void **state)
{
    struct centre *c = *state;
    static struct photo old, recent, cased, held, shared, twin;
    struct ocop_error err = {0};
    size_t count;
    struct id record;
    brought(c, 1, 10, &old);
    brought(c, 1, 11, &cased);
    brought(c, 1, 12, &held);
    brought(c, 1, 13, &shared);
    open_a_case(c, cased.record);
    memcpy(record.b, held.record.b, ID_LEN);
    must(files_hold(c->w.registry, &c->w.keys, &record, "vụ kiện 12/2026", &count, &err), &err);
    assert_int_equal(count, 1);
    says(attached(c, &held), ", held: vụ kiện 12/2026");
    c->ahead_ms = 300 * DAY;
    brought(c, 1, 14, &recent);
    photo_fill(&twin, 13); /* the same photo, of another record, and later */
    attach(c, 1, world_inspect(&c->w, 1, "pass"), &twin);
    world_sync(&c->w, 1);
    c->ahead_ms = 500 * DAY;
    struct retained r = retain(c, NULL, 0, false, NULL);
    assert_int_equal(r.removed, 1);
    assert_int_equal(r.in_case, 1);
    assert_int_equal(r.held, 1);
    assert_int_equal(r.recent, 2);
    assert_int_equal(r.shared, 1);
    assert_int_equal(at_centre(c, &old), OCOP_ENOTFOUND);
    assert_int_equal(at_centre(c, &cased) + at_centre(c, &held) + at_centre(c, &shared) +
                         at_centre(c, &recent),
                     OCOP_OK);
    /* A change of the record begins the time anew. */
    must(files_hold(c->w.registry, &c->w.keys, &record, NULL, &count, &err), &err);
    assert_int_equal(retain(c, NULL, 0, false, NULL).held, 0);
    assert_int_equal(at_centre(c, &held), OCOP_OK);
    c->ahead_ms = 1000 * DAY;
    r = retain(c, "signature", 0, true, NULL);
    assert_int_equal(r.removed, 0);
    r = retain(c, NULL, KIND_SAMPLE, true, NULL);
    assert_int_equal(r.removed, 0);
    r = retain(c, NULL, 0, false, NULL);
    assert_int_equal(r.in_case, 1); /* as long as it is open */
    assert_int_equal(r.removed, 4);
}

static void nothing_is_dropped_within_the_year_that_a_result_can_be_contested_in(void **state)
{
    struct centre *c = *state;
    struct ocop_error err = {0};
    struct retained found;
    struct retain_terms t = {.days = 365, .officer = c->w.officers[0], .reason = "x"};
    assert_int_equal(files_retain(c->w.registry, &c->w.keys, &t, stdout, &found, &err),
                     OCOP_EINVAL);
    t.days = 366;
    must(files_retain(c->w.registry, &c->w.keys, &t, stdout, &found, &err), &err);
}

/* Between the commit and the removal: what is left lying is no content of anybody's. */
static void put_back(struct centre *c, const struct photo *p)
{
    struct ocop_error err = {0};
    struct content_writer out;
    bool fresh;
    must(content_begin(&c->w.registry->blobs, &out, &err), &err);
    must(content_write(&out, span_of(p->bytes, sizeof p->bytes), &err), &err);
    must(content_seal(&out, &err), &err);
    must(content_place(&out, &fresh, &err), &err);
}

static void a_removal_that_was_cut_short_is_finished_by_a_sweep(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    struct files_swept swept;
    brought(c, 1, 5, &p);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    put_back(c, &p);
    says(attached(c, &p), "removed on ");
    assert_int_equal(verified(c, false, NULL).orphaned, 1);
    must(files_sweep(c->w.registry, 0, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.removed, 1);
    assert_int_equal(at_centre(c, &p), OCOP_ENOTFOUND);
}

/* What is lost need not be looked for when its time is over, and what was put aside is no less the
 * person's on it. */
static void what_is_lost_or_was_put_aside_goes_too(void **state)
{
    struct centre *c = *state;
    static struct photo p[2], coming;
    char path[PATH_MAX], name[CONTENT_NAME_LEN + 1];
    for (unsigned i = 0; i < 2; i++) {
        brought(c, 1, 70 + i, &p[i]);
        spoil(c, &p[i], i);
    }
    photo_fill(&coming, 72);
    attach(c, 1, p[0].record, &coming);
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    must(ocop_sync(c->w.stores[1], &(struct ocop_sync_options){.files = OCOP_FILES_NONE}, &sum,
                   &err),
         &err);
    assert_int_equal(verified(c, true, NULL).asked, 2);
    snprintf(path, sizeof path, "%s/damaged/%s", c->w.registry->blobs.path,
             content_name(p[0].hash, name));
    assert_int_equal(access(path, F_OK), 0);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 2); /* and not what never came */
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(world_count(&c->w, "SELECT count(*) FROM lacking"), 0);
    assert_int_equal(world_count(&c->w, "SELECT count(*) FROM brought"), 0);
    assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
    assert_int_equal(at_centre(c, &coming), OCOP_OK);
}

/* A cut between the commit and the removal leaves what was put aside to the sweep. */
static void what_was_put_aside_is_swept_when_nobody_names_it(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    struct files_swept swept;
    struct content_writer out;
    bool fresh;
    photo_fill(&p, 73);
    must(content_begin(&c->w.registry->blobs, &out, &err), &err);
    must(content_write(&out, span_of(p.bytes, sizeof p.bytes), &err), &err);
    must(content_seal(&out, &err), &err);
    must(content_place(&out, &fresh, &err), &err);
    must(content_set_aside(&c->w.registry->blobs, p.hash, &err), &err);
    must(files_sweep(c->w.registry, 0, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.removed, 1);
    must(files_sweep(c->w.registry, 0, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.removed, 0);
}

/* One that was rightly removed was not lost, when its content is attached anew. */
/* The backup lacks the record, the office sweeps, and then a device sends the record again whose
 * content it has let go of. */
static void what_came_after_the_backup_outlives_a_sweep(void **state)
{
    struct centre *c = *state;
    static struct photo p[2];
    struct ocop_error err = {0};
    struct files_swept swept;
    unsigned gone;
    world_backup(&c->w);
    for (unsigned i = 0; i < 2; i++)
        brought(c, 1, 71 + i, &p[i]);
    must(ocop_files_keep(c->w.stores[1], 0, &gone, &err), &err);
    assert_int_equal(gone, 2);
    world_restore(&c->w);
    set_clock(c);
    must(files_sweep(c->w.registry, 0, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.removed, 0);
    assert_int_equal(swept.spared, 2);
    world_sync(&c->w, 1);
    assert_int_equal(at_centre(c, &p[0]), OCOP_OK);
    must(files_sweep(c->w.registry, 0, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.spared, 0);
    /* What the office had removed is no such thing. */
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 2);
    put_back(c, &p[0]);
    must(files_sweep(c->w.registry, 0, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.removed, 1);
}

static void what_is_attached_anew_after_its_removal_is_on_its_way_and_not_lost(void **state)
{
    struct centre *c = *state;
    static struct photo p, again;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    brought(c, 1, 74, &p);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    photo_fill(&again, 74);
    attach(c, 1, world_inspect(&c->w, 1, "pass"), &again);
    must(ocop_sync(c->w.stores[1], &(struct ocop_sync_options){.files = OCOP_FILES_NONE}, &sum,
                   &err),
         &err);
    struct files_found f = verified(c, true, NULL);
    assert_int_equal(f.missing, 1);
    assert_int_equal(f.lost + f.asked, 0);
    assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
    assert_int_equal(at_centre(c, &again), OCOP_OK);
}

/* What the disk does not let go of is told of, and the others go. */
static void one_that_cannot_be_removed_holds_up_no_other(void **state)
{
    struct centre *c = *state;
    static struct photo p[2];
    char path[PATH_MAX], folder[PATH_MAX], *told;
    for (unsigned i = 0; i < 2; i++)
        brought(c, 1, 75 + i, &p[i]);
    content_path(&c->w.registry->blobs, p[0].hash, path, folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    c->ahead_ms = 401 * DAY;
    struct retained found = retain(c, NULL, 0, false, &told);
    assert_int_equal(found.removed, 2);
    assert_int_equal(found.left, 1);
    says(told, "left\t");
    assert_int_equal(at_centre(c, &p[1]), OCOP_ENOTFOUND);
}

/* --- damaged and lost ------------------------------------------------------------------------- */

static void what_is_damaged_or_lost_is_asked_of_its_device_again(void **state)
{
    struct centre *c = *state;
    static struct photo p[2];
    char *told, text[300];
    for (unsigned i = 0; i < 2; i++) {
        brought(c, 1, 20 + i, &p[i]);
        spoil(c, &p[i], i);
        struct files_found f = verified(c, false, &told);
        assert_int_equal(f.damaged, !i);
        assert_int_equal(f.lost, i);
        says(told, "no backup has it, a device may; `ocopd files verify --mend`");
        assert_int_equal(world_sync(&c->w, 1).files_sent, 0); /* nobody has said so yet */
        f = verified(c, true, &told);
        assert_int_equal(f.asked, 1);
        says(told, "asked of the devices that may have it");
        says(attached(c, &p[i]), "0 of 136 KiB, lost here and asked of devices since ");
        assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
        assert_int_equal(at_centre(c, &p[i]), OCOP_OK);
        assert_int_equal(state_of(c, 1, &p[i], text), OCOP_FILE_STORED);
        assert_int_equal(world_count(&c->w, "SELECT count(*) FROM lacking"), 0);
        assert_int_equal(world_sync(&c->w, 1).round_trips, 1);
    }
}

/* Its record leaves the device in the same sync, and at most a draft names it there. */
static void what_is_lost_is_asked_of_who_is_about_to_let_go_of_it(void **state)
{
    struct centre *c = *state;
    static struct photo p[2], q;
    for (unsigned drafted = 0; drafted < 2; drafted++) {
        brought(c, 1, 26 + drafted, &p[drafted]);
        photo_fill(&q, 26 + drafted);
        if (drafted)
            attach(c, 1, world_draft(&c->w, 1), &q);
        spoil(c, &p[drafted], true);
        assert_int_equal(verified(c, true, NULL).asked, 1);
        world_move(&c->w, KIND_ATTACHMENT, p[drafted].id, &c->w.other_commune);
        struct ocop_sync_summary sum = world_sync(&c->w, 1);
        assert_int_equal(sum.departed, 1);
        assert_int_equal(sum.files_sent, 1);
        assert_int_equal(at_centre(c, &p[drafted]), OCOP_OK);
        world_sync(&c->w, 1);
        assert_int_equal(world_has_content(&c->w, 1, p[drafted].hash), drafted);
    }
}

/* A restored registry has the file, knows of nobody who brought it, and was never told to read it.
 */
static void what_is_damaged_unnoticed_comes_anew_from_who_would_prove_to_have_it(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    char text[300];
    world_backup(&c->w);
    brought(c, 1, 28, &p);
    spoil(c, &p, false);
    world_restore(&c->w);
    set_clock(c);
    assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
    assert_int_equal(at_centre(c, &p), OCOP_OK);
    assert_int_equal(state_of(c, 1, &p, text), OCOP_FILE_STORED);
    assert_int_equal(world_count(&c->w, "SELECT count(*) FROM lacking"), 0);
}

/* It came, and then its commit failed. */
static void what_came_before_a_failed_commit_is_asked_of_nobody_any_more(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    char path[PATH_MAX], folder[PATH_MAX], away[PATH_MAX + 8];
    brought(c, 1, 25, &p);
    content_path(&c->w.registry->blobs, p.hash, path, folder);
    snprintf(away, sizeof away, "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(verified(c, true, NULL).asked, 1);
    assert_int_equal(rename(away, path), 0);
    world_sync(&c->w, 1);
    assert_int_equal(world_count(&c->w, "SELECT count(*) FROM lacking"), 0);
    struct ocop_sync_summary sum = world_sync(&c->w, 1);
    assert_int_equal(sum.round_trips, 1);
    assert_int_equal(sum.files_sent, 0);
}

/* An attachment may say anything of the size: the content that it names is another's, and good. */
static void a_content_is_not_put_aside_for_an_attachment_that_lies_about_it(void **state)
{
    struct centre *c = *state;
    static struct photo p, q;
    char *told;
    brought(c, 1, 60, &p);
    photo_fill(&q, 60);
    attach(c, 1, p.record, &q);
    world_sync(&c->w, 1);
    c->w.damaged = true; /* so that no device has to lie */
    assert_int_equal(sqlite3_exec(c->w.registry->db,
                                  "UPDATE attachment SET size = size + 1 WHERE n = "
                                  "(SELECT max(n) FROM attachment)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    struct files_found f = verified(c, true, &told);
    assert_int_equal(f.damaged, 0);
    assert_int_equal(f.asked, 0);
    says(told, "wrong size");
    assert_int_equal(at_centre(c, &p), OCOP_OK);
}

/* Its own device has let go of it; another has it in its cache. */
static void another_device_that_has_it_brings_it_back(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    unsigned gone;
    brought(c, 1, 30, &p);
    fetched(c, 0, &p);
    must(ocop_files_keep(c->w.stores[1], 0, &gone, &err), &err);
    assert_int_equal(gone, 1);
    spoil(c, &p, false);
    assert_int_equal(verified(c, true, NULL).asked, 1);
    assert_int_equal(world_sync(&c->w, 1).files_sent, 0);
    assert_int_equal(world_sync(&c->w, 0).files_sent, 1);
    assert_int_equal(at_centre(c, &p), OCOP_OK);
}

/* Who may not see it is not asked, and what he sends is not taken. */
static void who_may_not_have_it_is_not_asked(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    Ocop__Sync__SyncReply reply = OCOP__SYNC__SYNC_REPLY__INIT;
    struct ocop_error err = {0};
    struct replica_info info;
    struct id replica;
    struct arena a;
    brought(c, 1, 31, &p);
    spoil(c, &p, true);
    assert_int_equal(verified(c, true, NULL).asked, 1);
    arena_init(&a, MIB(1));
    world_replica(&c->w, 0, &replica);
    must(registry_begin_read(c->w.registry, &err), &err);
    must(registry_replica(c->w.registry, &replica, &info, &err), &err);
    must(blobs_wanted(c->w.registry, &replica, &info, READ_SAMPLES, &a, &reply, &err), &err);
    assert_int_equal(reply.n_files_wanted, 0);
    must(blobs_wanted(c->w.registry, &replica, &info, READ_ALL, &a, &reply, &err), &err);
    assert_int_equal(reply.n_files_wanted, 1);
    registry_rollback(c->w.registry);
    arena_fini(&a);
}

/* After a loss of many: each sync asks for some, and those that nobody has hide none for ever. */
static void of_many_that_are_lost_each_is_asked_for_some_time(void **state)
{
    enum { MANY = 100, HERE = 45 };
    struct centre *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    struct ocop_id record = world_inspect(&c->w, 1, "pass");
    unsigned gone, syncs = 0, sent = 0;
    for (unsigned i = 0; i < MANY; i++) {
        photo_fill(&p, 100 + i);
        attach(c, 1, record, &p);
    }
    assert_int_equal(world_sync(&c->w, 1).files_sent, MANY);
    must(ocop_files_keep(c->w.stores[1], HERE * PHOTO_BYTES, &gone, &err), &err);
    assert_int_equal(gone, MANY - HERE);
    must(content_clear(&c->w.registry->blobs, &err), &err);
    assert_int_equal(verified(c, true, NULL).asked, MANY);
    for (; sent < HERE; syncs++) {
        const unsigned n = world_sync(&c->w, 1).files_sent;
        assert_true(n <= FILES_WANTED_MAX && syncs < 1000);
        sent += n;
    }
    assert_int_equal(verified(c, false, NULL).lost, MANY - HERE);
}

static void a_backup_is_asked_before_any_device(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    struct content_dir files;
    struct blobs_copied copied;
    char backup[128], *told;
    brought(c, 1, 40, &p);
    world_backup(&c->w);
    snprintf(backup, sizeof backup, "%s/backup.db", c->w.dir);
    must(blobs_of_backup(backup, &c->env, &files, &err), &err);
    must(blobs_copy(c->w.registry, &c->w.registry->blobs, &files, &copied, &err), &err);
    assert_int_equal(copied.copied, 1);
    spoil(c, &p, false);
    assert_int_equal(verified(c, false, &told).damaged, 1);
    says(told, "/blobs; `ocopd files verify --mend`");
    struct files_found f = verified(c, true, NULL);
    assert_int_equal(f.from_backups, 1);
    assert_int_equal(f.asked, 0);
    assert_int_equal(at_centre(c, &p), OCOP_OK);
    /* What was removed goes into no backup, and comes back from none. */
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    must(blobs_copy(c->w.registry, &files, &c->w.registry->blobs, &copied, &err), &err);
    assert_int_equal(copied.copied + copied.missing, 0);
    assert_int_equal(at_centre(c, &p), OCOP_ENOTFOUND);
}

/* --- parts ------------------------------------------------------------------------------------ */

static void a_part_that_nobody_went_on_with_is_emptied_and_stays_on_its_way(void **state)
{
    struct centre *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    struct files_swept swept;
    char *before, *after;
    photo_fill(&p, 50);
    attach(c, 1, world_inspect(&c->w, 1, "pass"), &p);
    must(ocop_sync(c->w.stores[1],
                   &(struct ocop_sync_options){.files_bytes_max = CHUNK, .max_round_trips = 3},
                   &sum, &err),
         &err);
    char path[PATH_MAX], name[CONTENT_NAME_LEN + 1];
    const struct timespec then[2] = {{.tv_sec = 1785000000}, {.tv_sec = 1785000000}};
    snprintf(path, sizeof path, "%s/part/%s-%d", c->w.registry->blobs.path,
             content_name(p.hash, name), PHOTO_BYTES);
    before = attached(c, &p);
    assert_non_null(strstr(before, " of 136 KiB, last tried "));
    assert_int_equal(files_sweep(c->w.registry, 30, false, stdout, &swept, &err), OCOP_OK);
    assert_int_equal(swept.emptied, 0);
    free(before);
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
    before = attached(c, &p);
    assert_null(strstr(before, ": 0 of 136 KiB"));
    must(files_sweep(c->w.registry, 0, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.emptied, 0);
    must(files_sweep(c->w.registry, 30, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.emptied, 1);
    assert_true(swept.bytes >= CHUNK);
    after = attached(c, &p);
    assert_non_null(strstr(after, ": 0 of 136 KiB, last tried "));
    /* The day is still the one on which a chunk last came. */
    assert_string_equal(strstr(before, "last tried "), strstr(after, "last tried "));
    must(files_sweep(c->w.registry, 30, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.emptied, 0);
    assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
    assert_int_equal(at_centre(c, &p), OCOP_OK);
    free(before);
    free(after);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(a_removed_content_is_gone_and_everybody_is_told_who_did_it),
        TEST(only_who_may_decide_has_contents_removed),
        TEST(a_removed_content_is_not_sent_again),
        TEST(a_device_that_asks_for_a_removed_content_is_told_so),
        TEST(who_asks_for_what_was_removed_keeps_it_for_a_draft),
        TEST(what_was_there_and_is_removed_is_sent_anew_with_a_draft),
        TEST(what_was_removed_is_not_owed_when_its_record_leaves),
        TEST(a_fetched_copy_of_what_was_removed_goes_with_its_record),
        TEST(what_a_draft_names_is_not_let_go),
        TEST(a_fetched_copy_of_what_a_restore_lost_is_not_owed),
        TEST(what_a_record_that_left_owed_is_not_owed_when_it_was_removed),
        TEST(the_same_photo_attached_again_is_wanted_again),
        TEST(what_an_office_must_be_able_to_show_is_kept),
        TEST(nothing_is_dropped_within_the_year_that_a_result_can_be_contested_in),
        TEST(a_removal_that_was_cut_short_is_finished_by_a_sweep),
        TEST(what_is_lost_or_was_put_aside_goes_too),
        TEST(what_was_put_aside_is_swept_when_nobody_names_it),
        TEST(what_came_after_the_backup_outlives_a_sweep),
        TEST(what_is_attached_anew_after_its_removal_is_on_its_way_and_not_lost),
        TEST(one_that_cannot_be_removed_holds_up_no_other),
        TEST(what_is_damaged_or_lost_is_asked_of_its_device_again),
        TEST(what_is_lost_is_asked_of_who_is_about_to_let_go_of_it),
        TEST(what_is_damaged_unnoticed_comes_anew_from_who_would_prove_to_have_it),
        TEST(what_came_before_a_failed_commit_is_asked_of_nobody_any_more),
        TEST(a_content_is_not_put_aside_for_an_attachment_that_lies_about_it),
        TEST(another_device_that_has_it_brings_it_back),
        TEST(who_may_not_have_it_is_not_asked),
        TEST(of_many_that_are_lost_each_is_asked_for_some_time),
        TEST(a_backup_is_asked_before_any_device),
        TEST(a_part_that_nobody_went_on_with_is_emptied_and_stays_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
