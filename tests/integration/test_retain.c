/* Contents that the centre drops: what an office that must defend a result may drop, and that
 * everybody is told who did. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobs.h"
#include "blobs_copy.h"
#include "cabinet.h"
#include "files.h"
#include "records.pb-c.h"
#include "rights.h"
#include "show_files.h"
#include "store.h"

static void keep_line(void *self, const char *line)
{
    snprintf(self, 300, "%s", line);
}

static void spoil_device(struct cabinet *c, unsigned n, const struct photo *p)
{
    struct ocop_error err = {0};
    struct content_dir dir;
    char path[PATH_MAX], folder[PATH_MAX];
    must(client_read(c->w.stores[n], &err), &err);
    must(files_dir(c->w.stores[n], false, &dir, &err), &err);
    client_read_end(c->w.stores[n]);
    content_path(&dir, p->hash, path, folder);
    files_dir_fini(&dir);
    assert_int_equal(truncate(path, 100), 0);
}

static void a_removed_content_is_gone_and_everybody_is_told_who_did_it(void **state)
{
    struct cabinet *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    char *told, text[300];
    unsigned findings;
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
    spoil_device(c, 1, &p);
    must(ocop_check(c->w.stores[1], keep_line, text, &findings, &err), &err);
    assert_int_equal(findings, 1);
    assert_non_null(strstr(text, "the registry's office has removed it"));
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 0); /* once */
    assert_int_equal(verified(c, false, NULL).missing, 0);
}

static void refuses(struct cabinet *c, struct id officer, bool dry_run, enum ocop_status want)
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
    struct cabinet *c = *state;
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
    struct cabinet *c = *state;
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

static struct ocop_sync_summary sync_and_drop(struct cabinet *c, unsigned n)
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
    struct cabinet *c = *state;
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
static void drafted_and_dropped(struct cabinet *c, bool asked)
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

static void asks_no_more(struct cabinet *c)
{
    struct ocop_sync_summary sum = world_sync(&c->w, 1);
    assert_int_equal(sum.round_trips, 1);
    assert_int_equal(sum.files_left, 0);
}

/* Nor does it ask at each sync for what left the device, while a draft names the same. */
static void what_was_removed_is_not_owed_when_its_record_leaves(void **state)
{
    struct cabinet *c = *state;
    static struct photo p, q;
    brought(c, 1, 41, &p);
    photo_fill(&q, 41);
    attach(c, 1, world_draft(&c->w, 1), &q);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    world_sync(&c->w, 1);
    world_move(&c->w, KIND_INSPECTION, p.record, &c->w.other_commune);
    assert_int_equal(world_sync(&c->w, 1).departed, 2);
    asks_no_more(c);
}

/* Of another's content that was removed only the fetched copy is here: it is not for this device
 * to send. */
static void a_fetched_copy_of_what_was_removed_goes_with_its_record(void **state)
{
    struct cabinet *c = *state;
    static struct photo p;
    brought(c, 1, 41, &p);
    fetched(c, 0, &p);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    world_sync(&c->w, 0);
    world_move(&c->w, KIND_INSPECTION, p.record, &c->w.other_commune);
    assert_int_equal(world_sync(&c->w, 0).departed, 2);
    struct ocop_sync_summary sum = world_sync(&c->w, 0);
    assert_int_equal(sum.round_trips, 1);
    assert_int_equal(sum.files_left, 0);
    assert_false(world_has_content(&c->w, 0, p.hash));
}

/* It is at the centre by another name, and what has that name may be removed first. */
static void what_a_draft_names_is_not_let_go(void **state)
{
    struct cabinet *c = *state;
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
    struct cabinet *c = *state;
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
    struct cabinet *c = *state;
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
    world_move(&c->w, KIND_INSPECTION, p.record, &c->w.other_commune);
    must(ocop_sync(c->w.stores[1], &none, &sum, &err), &err);
    assert_int_equal(sum.departed, 2);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(sync_and_drop(c, 1).files_sent, 0);
    asks_no_more(c);
}

/* It has another name here, by which it was removed: no reason to let it go. */
static void what_a_record_that_left_owes_is_not_let_go(void **state)
{
    struct cabinet *c = *state;
    static struct photo p, q;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    unsigned gone;
    const struct ocop_sync_options none = {.files = OCOP_FILES_NONE};
    brought(c, 1, 44, &p);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    photo_fill(&q, 44);
    attach(c, 1, world_inspect(&c->w, 1, "fail"), &q);
    must(ocop_sync(c->w.stores[1], &none, &sum, &err), &err);
    world_move(&c->w, KIND_INSPECTION, q.record, &c->w.other_commune);
    must(ocop_sync(c->w.stores[1], &none, &sum, &err), &err);
    assert_int_equal(sum.departed, 2);
    must(ocop_files_keep(c->w.stores[1], 0, &gone, &err), &err);
    assert_int_equal(gone, 0);
    assert_true(world_has_content(&c->w, 1, q.hash));
    assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
}

/* It came, and the device did not hear of it: of what was removed meanwhile, and whose record left,
 * it lets go as soon as it hears that. */
static void what_is_removed_when_its_record_has_left_is_let_go(void **state)
{
    struct cabinet *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    photo_fill(&p, 43);
    attach(c, 1, world_inspect(&c->w, 1, "pass"), &p);
    c->w.links[1].drop_reply = 5; /* to the last of its chunks */
    assert_int_equal(ocop_sync(c->w.stores[1], NULL, &sum, &err), OCOP_ETIMEOUT);
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    world_move(&c->w, KIND_INSPECTION, p.record, &c->w.other_commune);
    must(ocop_sync(c->w.stores[1], &(struct ocop_sync_options){.files = OCOP_FILES_NONE}, &sum,
                   &err),
         &err);
    assert_int_equal(sum.departed, 2);
    assert_true(world_has_content(&c->w, 1, p.hash));
    world_sync(&c->w, 1);
    assert_false(world_has_content(&c->w, 1, p.hash));
}

static void the_same_photo_attached_again_is_wanted_again(void **state)
{
    struct cabinet *c = *state;
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

static void open_a_case(struct cabinet *c, struct ocop_id record)
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
    struct cabinet *c = *state;
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
    struct cabinet *c = *state;
    struct ocop_error err = {0};
    struct retained found;
    struct retain_terms t = {.days = 365, .officer = c->w.officers[0], .reason = "x"};
    assert_int_equal(files_retain(c->w.registry, &c->w.keys, &t, stdout, &found, &err),
                     OCOP_EINVAL);
    t.days = 366;
    must(files_retain(c->w.registry, &c->w.keys, &t, stdout, &found, &err), &err);
}

/* Between the commit and the removal: what is left lying is no content of anybody's. */
static void put_back(struct cabinet *c, const struct photo *p)
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
    struct cabinet *c = *state;
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
    struct cabinet *c = *state;
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
    struct cabinet *c = *state;
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
    struct cabinet *c = *state;
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
    struct cabinet *c = *state;
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
    struct cabinet *c = *state;
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

/* --- parts ------------------------------------------------------------------------------------ */

static void a_part_that_nobody_went_on_with_is_emptied_and_stays_on_its_way(void **state)
{
    struct cabinet *c = *state;
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
    char path[PATH_MAX], name[CONTENT_NAME_LEN + 1], by[ID_TEXT_LEN + 1];
    const struct timespec then[2] = {{.tv_sec = 1785000000}, {.tv_sec = 1785000000}};
    snprintf(path, sizeof path, "%s/part/%s-%d-%s", c->w.registry->blobs.path,
             content_name(p.hash, name), PHOTO_BYTES, id_text(c->w.officers[1], by));
    before = attached(c, &p);
    assert_non_null(strstr(before, " of 136 KiB, last tried "));
    assert_int_equal(files_sweep(c->w.registry, 30, false, stdout, &swept, &err), OCOP_OK);
    assert_int_equal(swept.emptied, 0);
    free(before);
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
    before = attached(c, &p);
    assert_null(strstr(before, ": 0 of 136 KiB"));
    assert_non_null(strstr(before, " of 136 KiB, last tried 26/07/2026 00:20"));
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

static char *listed(struct cabinet *c, bool by_device)
{
    struct ocop_error err = {0};
    const struct show_files what = {.missing = true, .by_device = by_device};
    static char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    must(show_files(c->w.registry, &what, out, &err), &err);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* The second device's wait for longer. */
static void what_is_waited_for_longest_is_listed_first(void **state)
{
    static const struct {
        bool by_device;
        const char *first, *second;
    } cases[] = {{true, "device 2\t", "device 1\t"}, {false, "\tdevice 2\t", "\tdevice 1\t"}};
    struct cabinet *c = *state;
    static struct photo p[2];
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    for (unsigned n = 2; n-- > 0;) {
        photo_fill(&p[n], 56 + n);
        attach(c, n, world_inspect(&c->w, n, "pass"), &p[n]);
        must(ocop_sync(c->w.stores[n], &(struct ocop_sync_options){.files = OCOP_FILES_NONE}, &sum,
                       &err),
             &err);
        c->ahead_ms += 3 * DAY;
    }
    for (unsigned i = 0; i < 2; i++) {
        char *text = listed(c, cases[i].by_device);
        const char *first = strstr(text, cases[i].first), *second = strstr(text, cases[i].second);
        assert_true(first && second && first < second);
        assert_non_null(strstr(first, "\t6 days\t"));
        assert_non_null(strstr(second, "\t3 days\t"));
        free(text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cabinet_open, cabinet_close)
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
        TEST(what_a_record_that_left_owes_is_not_let_go),
        TEST(what_is_removed_when_its_record_has_left_is_let_go),
        TEST(the_same_photo_attached_again_is_wanted_again),
        TEST(what_an_office_must_be_able_to_show_is_kept),
        TEST(nothing_is_dropped_within_the_year_that_a_result_can_be_contested_in),
        TEST(a_removal_that_was_cut_short_is_finished_by_a_sweep),
        TEST(what_is_lost_or_was_put_aside_goes_too),
        TEST(what_was_put_aside_is_swept_when_nobody_names_it),
        TEST(what_came_after_the_backup_outlives_a_sweep),
        TEST(what_is_attached_anew_after_its_removal_is_on_its_way_and_not_lost),
        TEST(one_that_cannot_be_removed_holds_up_no_other),
        TEST(a_part_that_nobody_went_on_with_is_emptied_and_stays_on_its_way),
        TEST(what_is_waited_for_longest_is_listed_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
