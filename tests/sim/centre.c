/* What the office does about contents: it keeps them in any event, drops those that need not be
 * kept, loses some and gets them again, makes thumbnails. Whether a removal was right is worked out
 * from the log, by what retain.h promises and by other means than retain.c has. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "blobs_copy.h"
#include "bounds.h"
#include "contents.h"
#include "folder.h"
#include "query.h"
#include "retain.h"
#include "rights.h"
#include "thumbs.h"
#include "thumbs_all.h"
#include "verify_files.h"

enum { DAY_MS = 86400000 };

/* A status must have a cause. */
static void may_be(struct sim *s, const char *what, enum ocop_status st,
                   const struct ocop_error *err)
{
    sim_trace(s, "the office %s: %s %s", what, err_name(st), st ? err->text : "");
    if (st != OCOP_OK && !s->server.disk.dead && !(s->faults & (FAULT_DISK | FAULT_CRASH)))
        sim_fail(s, "office", "it %s: %s %s", what, err_name(st), err->text);
}

static const struct attached *known_attached(struct sim *s)
{
    const struct attached *a =
        s->attached_count ? &s->attached[chance_below(&s->chance, s->attached_count)] : NULL;
    return a && !id_is_zero(&a->id) && server_up(s) ? a : NULL;
}

/* --- retention ----------------------------------------------------------------------------------
 */

/* From here on it may be gone, and rightly: the oracle says at the end whether it was right. */
static void removed_note(struct sim *s, const uint8_t hash[FILE_HASH_LEN])
{
    struct content_made *c = content_of(s, hash);
    if (c)
        c->removed = true;
}

static enum ocop_status note_named(void *self, const struct query_file *f, struct ocop_error *err)
{
    (void)err;
    removed_note(self, f->hash);
    return OCOP_OK;
}

/* Mostly after more than a year; how many days stands in the reason, where the oracle reads it. */
static void retains(struct sim *s)
{
    static const char *const roles[] = {NULL, NULL, "document", "photo"};
    char reason[24];
    struct retained found = {0};
    struct ocop_error err = {0};
    struct retain_terms t = {.days = RETAIN_DAYS_MIN + chance_below(&s->chance, 300),
                             .role = roles[chance_below(&s->chance, 4)],
                             .kind = chance_percent(&s->chance, 20) ? KIND_SAMPLE : 0,
                             .officer = s->officers[0],
                             .reason = reason};
    FILE *out = fopen("/dev/null", "w");
    CHECK(out);
    snprintf(reason, sizeof reason, "days %u", t.days);
    if (chance_percent(&s->chance, 60))
        s->now_ms += 500 * (int64_t)DAY_MS;
    if (server_up(s) && query_files(s->registry, NULL, note_named, s, NULL) == OCOP_OK) {
        enum ocop_status st = files_retain(s->registry, &s->keys, &t, out, &found, &err);
        if (st != OCOP_EPERM) /* who decides may have lost the role */
            may_be(s, "drops contents", st, &err);
        sim_trace(s,
                  "  %" PRIu64 " go; kept: %" PRIu64 " recent, %" PRIu64 " in cases, %" PRIu64
                  " held, %" PRIu64 " shared",
                  found.removed, found.recent, found.in_case, found.held, found.shared);
        s->figures.dropped += found.removed;
    }
    fclose(out);
}

static void holds(struct sim *s)
{
    const struct attached *a = known_attached(s);
    struct ocop_error err = {0};
    size_t count = 0;
    bool keeps = chance_percent(&s->chance, 65);
    if (!a)
        return;
    enum ocop_status st =
        files_hold(s->registry, &s->keys, &a->record, keeps ? "court" : NULL, &count, &err);
    if (st != OCOP_ENOTFOUND)
        may_be(s, keeps ? "holds a record's contents" : "holds them no more", st, &err);
}

/* --- losing and mending -------------------------------------------------------------------------
 */

/* The disk of the centre has another bit than was written, or a file less. */
static void spoils(struct sim *s)
{
    char path[PATH_MAX], folder[PATH_MAX];
    if (!s->content_count || !server_up(s))
        return;
    struct content_made *c = &s->contents[chance_below(&s->chance, s->content_count)];
    bool there = false;
    if (content_there(&s->registry->blobs, c->hash, c->size, &there, NULL) != OCOP_OK || !there)
        return;
    content_path(&s->registry->blobs, c->hash, path, folder);
    if (chance_percent(&s->chance, 50))
        folder_remove(path);
    else if (!folder_damage(path, &s->chance))
        return;
    c->spoiled = true;
    s->figures.spoiled++;
    sim_trace(s, "content %u is damaged or lost at the centre", (unsigned)(c - s->contents));
}

bool office_mends(struct sim *s)
{
    struct files_found found = {0};
    struct ocop_error err = {0};
    FILE *out = fopen("/dev/null", "w");
    CHECK(out);
    if (s->files && server_up(s)) {
        may_be(s, "mends contents", files_verify(s->registry, true, out, &found, &err), &err);
        sim_trace(s,
                  "  %" PRIu64 " damaged, %" PRIu64 " lost: %" PRIu64 " from backups, %" PRIu64
                  " asked for",
                  found.damaged, found.lost, found.from_backups, found.asked);
        s->figures.mended += found.from_backups + found.asked;
    }
    fclose(out);
    return found.damaged || found.lost;
}

/* --- thumbnails ---------------------------------------------------------------------------------
 */

enum { THUMB_LEN = 3 + FILE_HASH_LEN + 200 };

/* What the maker might have made of it. */
static void thumb_bytes(const uint8_t hash[FILE_HASH_LEN], uint8_t out[THUMB_LEN])
{
    memset(out, 7, THUMB_LEN);
    memcpy(out, "\xff\xd8\xff", 3);
    memcpy(out + 3, hash, FILE_HASH_LEN);
}

static enum ocop_status make_thumb(struct sim *s, const struct content_dir *dir,
                                   const uint8_t hash[FILE_HASH_LEN])
{
    struct content_writer w = {.fd = -1};
    uint8_t image[THUMB_LEN], sum[THUMBS_SUM_LEN];
    bool fresh;
    thumb_bytes(hash, image);
    hash_bytes(span_of(image, sizeof image), sum);
    enum ocop_status st = content_begin(dir, &w, NULL);
    if (st == OCOP_OK)
        st = content_write(&w, span_of(image, sizeof image), NULL);
    if (st == OCOP_OK)
        st = content_write(&w, span_of(sum, sizeof sum), NULL);
    if (st == OCOP_OK)
        st = content_seal(&w, NULL);
    memcpy(w.hash, hash, FILE_HASH_LEN);
    if (st == OCOP_OK)
        st = content_place(&w, &fresh, NULL);
    content_abandon(&w);
    s->figures.thumbs += st == OCOP_OK;
    return st;
}

/* The maker is a process of its own, and is tested by itself; here its work is there at once. */
static void makes_thumbs(struct sim *s)
{
    uint8_t image[THUMBNAIL_BYTES_MAX];
    char path[PATH_MAX];
    struct content_dir dir;
    enum thumb_state state;
    size_t len;
    if (!server_up(s))
        return;
    snprintf(path, sizeof path, "%s/thumb", s->registry->blobs.path);
    CHECK(content_dir_init(&dir, path, NULL, &s->server.env, NULL) == OCOP_OK);
    for (unsigned i = 0; i < s->content_count; i++) {
        const struct content_made *c = &s->contents[i];
        bool there = false;
        if (content_there(&s->registry->blobs, c->hash, c->size, &there, NULL) != OCOP_OK ||
            !there ||
            thumbs_look(&s->registry->blobs, c->hash, &state, image, &len, NULL) != OCOP_OK ||
            state != THUMB_UNMADE || make_thumb(s, &dir, c->hash) != OCOP_OK)
            continue;
        sim_trace(s, "a thumbnail of content %u is made", i);
    }
}

void centre_thumbs_wanted(struct device *d)
{
    const struct sim *s = d->sim;
    struct ocop_id of;
    unsigned wanted = 0;
    const struct attached *a =
        s->attached_count ? &s->attached[chance_below(&d->sim->chance, s->attached_count)] : NULL;
    bool all = chance_percent(&d->sim->chance, 50);
    if (!a)
        return;
    memcpy(of.b, a->record.b, ID_LEN);
    enum ocop_status st = ocop_fetch_thumbnails(d->store, all ? NULL : &of, &wanted, NULL);
    sim_trace(d->sim, "device %u wants %u thumbnails: %s", d->index, wanted, err_name(st));
}

void centre_thumbs_at_the_end(struct sim *s)
{
    if (!s->files)
        return;
    makes_thumbs(s);
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
        struct device *d = &s->devices[i];
        unsigned wanted = 0;
        if (d->used && d->store && !d->revoked && d->enrolled &&
            ocop_fetch_thumbnails(d->store, NULL, &wanted, NULL) == OCOP_OK)
            sim_trace(s, "device %u wants %u thumbnails", i, wanted);
    }
}

void office_keeps_contents(struct sim *s)
{
    unsigned what = chance_below(&s->chance, 100);
    if (what < 22)
        retains(s);
    else if (what < 40)
        holds(s);
    else if (what < 62 && (s->faults & FAULT_DISK))
        spoils(s);
    else if (what < 80)
        (void)office_mends(s);
    else
        makes_thumbs(s);
}

/* --- was a removal right? -----------------------------------------------------------------------
 */

/* What a field held before a version; NULL: nothing. */
static const struct told *told_before(const struct kept *k, uint32_t number, uint64_t version)
{
    for (const struct path *p = k->paths; p; p = p->next)
        for (const struct told *t = p->number == number ? p->now : NULL; t; t = t->before)
            if (t->version < version)
                return t->value.op == FIELD_SET ? t : NULL;
    return NULL;
}

static bool names(const struct kept *k, uint32_t number, struct span value)
{
    const struct field *f = kept_get(k, number, span_of(NULL, 0));
    return k->kind == KIND_ATTACHMENT && f && span_eq(f->bytes, value);
}

/* The last version below `version` at which the record was changed, or the attachment. */
static uint64_t touched(const struct oracle *o, const struct id *record,
                        const struct id *attachment, uint64_t version)
{
    for (uint64_t v = version - 1; v > 0; v--) {
        const struct changes *c = &o->log[v - 1].set.changes;
        for (size_t i = 0; i < c->count; i++)
            if (id_eq(&c->v[i].record, record) ||
                (id_eq(&c->v[i].record, attachment) &&
                 o->log[v - 1].decided[i].code == OUTCOME_APPLIED))
                return v;
    }
    return 0;
}

/* Why it may not go before this version, at this time; NULL: it may. */
static const char *why_kept(const struct oracle *o, const struct kept *k, uint64_t version,
                            int64_t due_ms)
{
    struct id record;
    const struct field *of = kept_get(k, ATTACHMENT_RECORD, span_of(NULL, 0));
    CHECK(of && id_from(of->bytes, &record));
    for (const struct kept *other = o->records; other; other = other->next)
        if (names(other, ATTACHMENT_RECORD, of->bytes) &&
            told_before(other, ATTACHMENT_HOLD_REASON, version))
            return "is held";
    for (const struct opened *c = o->cases; c; c = c->next)
        if ((id_eq(&c->record->id, &record) || id_eq(&c->record->id, &k->id)) &&
            c->version < version && (!c->closed || c->closed >= version))
            return "stands in an open case";
    const uint64_t last = touched(o, &record, &k->id, version);
    if (last == 0)
        return "belongs to nothing";
    return o->log[last - 1].received_ms >= due_ms ? "was changed since" : NULL;
}

/* The other attachments of the content, too, had to be without a reason to be kept. */
static void removal_right(const struct oracle *o, const struct kept *k, const struct told *gone)
{
    unsigned days = 0;
    char id[ID_TEXT_LEN + 1];
    const struct field *why = kept_get(k, ATTACHMENT_REMOVED_REASON, span_of(NULL, 0));
    const struct field *hash = kept_get(k, ATTACHMENT_HASH, span_of(NULL, 0));
    char reason[24] = "";
    if (why)
        snprintf(reason, sizeof reason, "%.*s", (int)why->bytes.len, (const char *)why->bytes.p);
    if (!id_eq(&gone->replica, &o->self) || sscanf(reason, "days %u", &days) != 1 ||
        days < RETAIN_DAYS_MIN)
        sim_fail(o->sim, "retained", "attachment %s was removed by who may not, or for \"%s\"",
                 id_text(k->id, id), reason);
    const int64_t due_ms = gone->value.i - days * (int64_t)DAY_MS;
    for (const struct kept *other = o->records; hash && other; other = other->next) {
        const struct told *too = told_before(other, ATTACHMENT_REMOVED_MS, gone->version + 1);
        if (!names(other, ATTACHMENT_HASH, hash->bytes) || other->born >= gone->version ||
            (too && too->version < gone->version))
            continue;
        const char *kept = why_kept(o, other, gone->version, due_ms);
        if (kept)
            sim_fail(o->sim, "retained",
                     "a content was removed at version %" PRIu64 ", and attachment %s of it %s",
                     gone->version, id_text(other->id, id), kept);
    }
}

/* --- at the end ---------------------------------------------------------------------------------
 */

/* Of what was removed rightly nothing is left, and nobody misses it. */
static void removals(const struct oracle *o)
{
    struct sim *s = o->sim;
    for (const struct kept *k = o->records; k; k = k->next) {
        const struct told *gone =
            k->kind == KIND_ATTACHMENT ? told_before(k, ATTACHMENT_REMOVED_MS, UINT64_MAX) : NULL;
        if (gone)
            removal_right(o, k, gone);
    }
    for (unsigned i = 0; i < s->content_count; i++) {
        bool there = false, live = false;
        for (const struct kept *k = o->records; k && !live; k = k->next)
            live = names(k, ATTACHMENT_HASH, span_of(s->contents[i].hash, FILE_HASH_LEN)) &&
                   !kept_get(k, ATTACHMENT_REMOVED_MS, span_of(NULL, 0));
        CHECK(content_there(&s->registry->blobs, s->contents[i].hash, s->contents[i].size, &there,
                            NULL) == OCOP_OK);
        if (there && !live)
            sim_fail(s, "retained", "content %u was removed and is still there", i);
    }
}

static enum ocop_status backup_has(void *self, const char *path, struct ocop_error *err)
{
    const struct content_made *c = self;
    struct content_dir from;
    enum ocop_status st = blobs_of_backup(path, env_system(), &from, err);
    return st == OCOP_OK && content_check(&from, c->hash, c->size, NULL) == OCOP_OK ? OCOP_ESTATE
                                                                                    : st;
}

static bool live_attachment(const struct oracle *o, unsigned content)
{
    const struct sim *s = o->sim;
    for (unsigned i = 0; i < s->attached_count; i++) {
        const struct attached *a = &s->attached[i];
        const struct kept *k = a->content == content && !a->forged ? attached_kept(o, a) : NULL;
        /* What only a device attached that was revoked may never have come. */
        if (k && !s->devices[a->device].revoked &&
            !kept_get(k, ATTACHMENT_REMOVED_MS, span_of(NULL, 0)))
            return true;
    }
    return false;
}

/* What the centre had and lost it has again, when any backup that it knows has it, or any device
 * that is in service, may have it and comes. */
static void mended(const struct oracle *o, unsigned content)
{
    struct sim *s = o->sim;
    const struct content_made *c = &s->contents[content];
    struct file_row row;
    if (!c->spoiled || !live_attachment(o, content) ||
        content_check(&s->registry->blobs, c->hash, c->size, NULL) == OCOP_OK)
        return;
    /* What was removed, is attached anew and has no room never came by the name that it has now. */
    if (!(c->removed && s->officer_blobs_max) &&
        query_backups(s->registry, backup_has, (void *)(uintptr_t)c, NULL) == OCOP_ESTATE)
        sim_fail(s, "mended", "content %u is lost, and a backup has it", content);
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
        struct device *d = &s->devices[i];
        if (!d->used || d->revoked || !d->enrolled || s->officer_blobs_max ||
            !content_for_device(d, o, content) || !content_on_device(d, c, &row))
            continue;
        sim_fail(s, "mended", "content %u is lost, and device %u has it", content, i);
    }
}

/* What a device shows of each attachment is what the registry says of it; what it shows as here is
 * its content, and no thumbnail of it. */
static void shown(struct device *d, const struct oracle *o)
{
    struct sim *s = d->sim;
    struct ocop_file_list *list;
    unsigned reading = oracle_reading(o, &d->replica);
    const struct kind *kind = kind_by_number(KIND_ATTACHMENT);
    CHECK(ocop_files(d->store, NULL, &list, NULL) == OCOP_OK);
    for (size_t i = 0; i < list->count; i++) {
        const struct ocop_file *f = &list->files[i];
        struct id id;
        struct file_row row;
        memcpy(id.b, f->id.b, ID_LEN);
        const struct content_made *c = content_of(s, f->hash);
        const struct kept *k = oracle_record(o, KIND_ATTACHMENT, &id);
        bool gone = k && kept_get(k, ATTACHMENT_REMOVED_MS, span_of(NULL, 0)),
             told = rights_field_readable(kind, ATTACHMENT_REMOVED_MS, reading);
        if (k && oracle_receives(o, &d->replica, k) && told &&
            gone != (f->state == OCOP_FILE_REMOVED))
            sim_fail(s, "retained", "device %u shows \"%s\" of a content that was %sremoved",
                     d->index, f->text, gone ? "" : "not ");
        if (c && f->here && !d->bare && !(d->rubbish >> (c - s->contents) & 1) &&
            !content_on_device(d, c, &row))
            sim_fail(s, "thumbs", "device %u shows content %u as here, it is not", d->index,
                     (unsigned)(c - s->contents));
    }
    ocop_file_list_free(list);
}

/* Thumbnails are for who may have the content, and of it. */
static void thumbs_held(struct device *d, const struct oracle *o)
{
    struct sim *s = d->sim;
    uint8_t image[THUMB_LEN];
    for (unsigned i = 0; i < s->content_count; i++) {
        struct thumbnail_row row;
        CHECK(store_thumbnail(d->store, s->contents[i].hash, &s->work, &row, NULL) == OCOP_OK);
        if (row.state != THUMBNAIL_HERE)
            continue;
        s->figures.thumbs_held++;
        thumb_bytes(s->contents[i].hash, image);
        if (!span_eq(row.image, span_of(image, sizeof image)))
            sim_fail(s, "thumbs", "device %u has another thumbnail of content %u than was made",
                     d->index, i);
        if (!s->rights_changed && !content_for_device(d, o, i) &&
            !officer_attached(s, d->officer, i))
            sim_fail(s, "thumbs", "device %u has a thumbnail of content %u, which is not for it",
                     d->index, i);
    }
}

void centre_check_all(struct oracle *o)
{
    struct sim *s = o->sim;
    struct files_found found;
    struct thumbs_found thumbs;
    FILE *out = fopen("/dev/null", "w");
    CHECK(out);
    removals(o);
    for (unsigned i = 0; i < s->content_count; i++)
        mended(o, i);
    CHECK(files_verify(s->registry, false, out, &found, NULL) == OCOP_OK);
    if (found.damaged || found.orphaned)
        sim_fail(s, "mended", "%" PRIu64 " contents are damaged yet, %" PRIu64 " are nobody's",
                 found.damaged, found.orphaned);
    CHECK(thumbs_verify(s->registry, true, &thumbs, NULL) == OCOP_OK);
    fclose(out);
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
        struct device *d = &s->devices[i];
        if (!d->used || d->revoked || !d->enrolled)
            continue;
        shown(d, o);
        thumbs_held(d, o);
        arena_reset(&s->work);
    }
}
