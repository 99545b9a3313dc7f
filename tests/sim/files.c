/* Photos and documents: officers attach contents, fetch and let go of those of others, claim some
 * that they never had; what was attached is known here, and at the end each must be whole at the
 * centre, or on its device and shown as on its way. */
#include <sodium.h>
#include <stdio.h>

#include "blobs_copy.h"
#include "bounds.h"
#include "contents.h"
#include "files.h"
#include "folder.h"
#include "oracle.h"
#include "query.h"
#include "rights.h"
#include "verify_files.h"

enum { CHUNKS_AT_MOST = 4 };

/* --- contents --------------------------------------------------------------------------------- */

/* The same bytes each time, so that nobody has to keep them. */
static void content_bytes(const struct content_made *c, uint8_t *out)
{
    struct chance bytes = {c->seed};
    chance_fill(&bytes, out, c->size);
    if (c->seed % 3 == 0 && c->size > 16) /* of these there are thumbnails */
        memcpy(out, "\xff\xd8\xff\xe0", 4);
}

struct content_made *content_of(struct sim *s, const uint8_t hash[FILE_HASH_LEN])
{
    for (unsigned i = 0; i < s->content_count; i++)
        if (memcmp(s->contents[i].hash, hash, FILE_HASH_LEN) == 0)
            return &s->contents[i];
    return NULL;
}

/* Mostly small; some of several chunks, of which the last may be whole. */
static size_t size_drawn(struct sim *s)
{
    unsigned what = chance_below(&s->chance, 100);
    if (what < 75)
        return 1 + chance_below(&s->chance, 1500);
    if (what < 80)
        return FILE_CHUNK_BYTES * (1 + chance_below(&s->chance, 2));
    return 1 + chance_below(&s->chance, (what < 92 ? 2 : CHUNKS_AT_MOST) * FILE_CHUNK_BYTES);
}

/* One that somebody has already, or a new one. Its bytes are in s->work. */
static struct content_made *content_drawn(struct sim *s, uint8_t **bytes)
{
    struct content_made *c;
    bool again = chance_percent(&s->chance, 25);
    if (s->content_count == SIM_CONTENTS_MAX || (s->content_count > 0 && again)) {
        c = &s->contents[chance_below(&s->chance, s->content_count)];
    } else {
        c = &s->contents[s->content_count++];
        *c = (struct content_made){.seed = chance_next(&s->chance), .size = size_drawn(s)};
    }
    *bytes = arena_alloc(&s->work, c->size);
    CHECK(*bytes);
    content_bytes(c, *bytes);
    crypto_generichash(c->hash, FILE_HASH_LEN, *bytes, c->size, NULL, 0);
    return c;
}

/* --- attaching -------------------------------------------------------------------------------- */

/* One that the device has; NULL: not found soon. */
static const struct known_record *record_here(struct device *d)
{
    for (unsigned n = 0; n < 6; n++) {
        const struct known_record *r = record_drawn(d->sim);
        bool found = false;
        if (r && store_record_exists(d->store, r->kind, &r->id, &found, NULL) == OCOP_OK && found)
            return r;
    }
    return NULL;
}

/* Looking is no act: the disk fails nothing of it. */
static bool is_draft(struct device *d, const struct id *attachment)
{
    struct disk *k = &d->node.disk;
    const struct disk was = *k;
    struct outbox_rows rows = {NULL, 0};
    bool draft = false;
    k->crash_in = k->fail_in = 0;
    if (store_outbox_of(d->store, attachment, &d->sim->work, &rows, NULL) == OCOP_OK)
        for (size_t i = 0; i < rows.count; i++)
            draft = draft || rows.v[i].state == OUTBOX_DRAFT;
    k->crash_in = was.crash_in;
    k->fail_in = was.fail_in;
    return draft;
}

static struct act act_of(struct device *d, const struct attached *a)
{
    struct act act = {.d = d};
    act.sub = (struct submission){.device = d->index,
                                  .step = d->sim->step,
                                  .kind = KIND_ATTACHMENT,
                                  .verb = VERB_CREATE,
                                  .record = a->id,
                                  .clean = true};
    if (id_is_zero(&a->id)) /* it is known by what it says */
        snprintf(act.sub.token, sizeof act.sub.token, "%s", a->caption);
    return act;
}

static bool is_unsure(const struct device *d, enum ocop_status st)
{
    return d->node.disk.dead || st == OCOP_EDB || st == OCOP_EBROKEN || st == OCOP_EIO ||
           st == OCOP_ELIMIT;
}

static void noted(struct device *d, const struct attached *made, enum ocop_status st)
{
    struct sim *s = d->sim;
    struct act act = act_of(d, made);
    bool unsure = is_unsure(d, st), submits;
    if (st != OCOP_OK && !unsure)
        return;
    struct attached *a = &s->attached[s->attached_count++];
    *a = *made;
    a->acknowledged = !unsure;
    a->drafted = unsure || is_draft(d, &a->id);
    submits = unsure || !a->drafted;
    if (unsure) { /* whether a draft is there, nobody knows */
        struct draft_seen *draft = arena_calloc(&s->arena, 1, sizeof *draft);
        CHECK(draft);
        draft->unsure = true;
        draft->next = d->drafts;
        d->drafts = draft;
    }
    s->figures.attached += !unsure;
    act_end(&act, st, submits);
}

static void attaches(struct device *d)
{
    struct sim *s = d->sim;
    const struct known_record *r = record_here(d);
    struct attached made = {.device = d->index, .step = s->step};
    struct ocop_error err = {0};
    struct ocop_id record, id;
    uint8_t *bytes;
    if (!r || s->attached_count == SIM_ATTACHED_MAX)
        return;
    const struct content_made *c = content_drawn(s, &bytes);
    snprintf(made.caption, sizeof made.caption, "v%u", ++s->token);
    made.content = (unsigned)(c - s->contents);
    made.record = r->id;
    memcpy(record.b, r->id.b, ID_LEN);
    const struct ocop_attachment what = {
        .bytes = bytes, .len = c->size, .fd = -1, .role = "document", .caption = made.caption};
    enum ocop_status st = ocop_attach(d->store, &record, &what, &id, &err);
    memcpy(made.id.b, id.b, ID_LEN);
    sim_trace(s, "device %u attaches content %u of %zu bytes as %s: %s %s", d->index, made.content,
              c->size, made.caption, err_name(st), err.text);
    noted(d, &made, st);
}

void files_submitted(struct device *d, const struct id *record, bool unsure)
{
    struct sim *s = d->sim;
    for (unsigned i = 0; i < s->attached_count; i++) {
        struct attached *a = &s->attached[i];
        if (id_eq(&a->id, record) && !unsure)
            a->submitted |= 1u << d->index;
        if (!a->drafted || !id_eq(&a->record, record) || (a->submitted >> d->index & 1) ||
            s->devices[a->device].family != d->family)
            continue;
        struct outbox_rows rows = {NULL, 0};
        struct act act = act_of(d, a);
        if (unsure) {
            act_end(&act, OCOP_EDB, true);
            continue;
        }
        if (id_is_zero(&a->id) || is_draft(d, &a->id) ||
            store_outbox_of(d->store, &a->id, &s->work, &rows, NULL) != OCOP_OK || rows.count == 0)
            continue;
        act_end(&act, OCOP_OK, true);
    }
}

bool files_named(const struct submission *sub, const struct change *c)
{
    const struct field *f = fields_find(&c->fields, ATTACHMENT_CAPTION, span_of(NULL, 0));
    return c->kind == KIND_ATTACHMENT && f && span_eq(f->bytes, span_str(sub->token));
}

/* --- what else an officer does ------------------------------------------------------------------
 */

static struct attached *attached_drawn(struct sim *s)
{
    if (s->attached_count == 0)
        return NULL;
    struct attached *a = &s->attached[chance_below(&s->chance, s->attached_count)];
    return id_is_zero(&a->id) ? NULL : a;
}

static void voids_one(struct device *d)
{
    const struct attached *a = attached_drawn(d->sim);
    struct ocop_id id;
    struct act act;
    if (!a)
        return;
    memcpy(id.b, a->id.b, ID_LEN);
    act_begin(&act, d, KIND_ATTACHMENT, &a->id, VERB_VOID);
    if (act.there)
        act_end(&act, ocop_void(d->store, &id, act.sub.token, NULL), true);
}

static void fetches(struct device *d)
{
    const struct attached *a = attached_drawn(d->sim);
    struct ocop_error err = {0};
    struct ocop_id id;
    if (!a)
        return;
    memcpy(id.b, a->id.b, ID_LEN);
    enum ocop_status st = ocop_fetch(d->store, &id, &err);
    if (st != OCOP_ENOTFOUND)
        sim_trace(d->sim, "device %u asks for %s: %s %s", d->index, a->caption, err_name(st),
                  err.text);
    files_let_go(d);
}

void files_let_go(struct device *d)
{
    for (unsigned i = 0; i < d->sim->attached_count; i++)
        if (d->sim->devices[d->sim->attached[i].device].family == d->family)
            d->sim->contents[d->sim->attached[i].content].let_go = true;
}

static void keeps_few(struct device *d)
{
    static const uint64_t most[] = {0, 1000, 20000};
    uint64_t bytes = most[chance_below(&d->sim->chance, 3)];
    unsigned removed = 0;
    enum ocop_status st = ocop_files_keep(d->store, bytes, &removed, NULL);
    sim_trace(d->sim, "device %u keeps %llu bytes of files: %s, %u go", d->index,
              (unsigned long long)bytes, err_name(st), removed);
    if (removed || st)
        files_let_go(d);
}

static void limits_files(struct device *d)
{
    struct ocop_file_limits l = {.file_bytes = CHUNKS_AT_MOST * FILE_CHUNK_BYTES};
    l.record_bytes = l.file_bytes * (1 + chance_below(&d->sim->chance, 3));
    l.store_bytes = l.record_bytes * (1 + chance_below(&d->sim->chance, 2));
    enum ocop_status st = ocop_set_file_limits(d->store, &l, NULL);
    sim_trace(d->sim, "device %u allows %llu bytes of files: %s", d->index,
              (unsigned long long)l.store_bytes, err_name(st));
}

static void sweeps(struct device *d)
{
    unsigned removed = 0;
    enum ocop_status st = ocop_files_sweep(d->store, &removed, NULL);
    sim_trace(d->sim, "device %u sweeps its files: %s, %u go", d->index, err_name(st), removed);
}

/* --- claims -------------------------------------------------------------------------------------
 */

bool officer_attached(const struct sim *s, unsigned officer, unsigned content)
{
    for (unsigned i = 0; i < s->attached_count; i++)
        if (s->attached[i].content == content && !s->attached[i].forged &&
            s->devices[s->attached[i].device].officer == officer)
            return true;
    return false;
}

/* Who came to have what he had claimed has brought it for his claim too. */
static bool came_to_have(const struct sim *s, const struct attached *a)
{
    const unsigned officer = s->devices[a->device].officer;
    return !a->forged || officer_attached(s, officer, a->content) ||
           (s->had[officer] >> a->content & 1);
}

/* Other bytes in the place of the content, as if it were that. */
static void puts_rubbish(struct device *d, const struct content_made *c)
{
    struct content_dir dir = {.keyed = false};
    struct content_writer w = {.fd = -1};
    struct file_row row = {.size = c->size, .here = true};
    uint8_t *bytes = arena_calloc(&d->sim->work, c->size, 1);
    bool fresh;
    if (client_write(d->store, NULL) != OCOP_OK)
        return;
    enum ocop_status st = files_dir(d->store, true, &dir, NULL);
    if (st == OCOP_OK)
        st = content_begin(&dir, &w, NULL);
    if (st == OCOP_OK)
        st = content_write(&w, span_of(bytes, c->size), NULL);
    if (st == OCOP_OK)
        st = content_seal(&w, NULL);
    memcpy(w.hash, c->hash, FILE_HASH_LEN);
    memcpy(row.hash, c->hash, FILE_HASH_LEN);
    if (st == OCOP_OK)
        st = content_place(&w, &fresh, NULL);
    if (st == OCOP_OK)
        st = store_file_put(d->store, &row, NULL);
    content_abandon(&w);
    files_dir_fini(&dir);
    st = client_write_end(d->store, st, NULL);
    sim_trace(d->sim, "device %u pretends to have it: %s", d->index, err_name(st));
    d->rubbish |= UINT64_C(1) << (c - d->sim->contents);
}

/* An attachment of a hash that was read somewhere, to get what it is of, or to pass for who has it.
 */
static void claims(struct device *d)
{
    struct sim *s = d->sim;
    const struct known_record *r = record_here(d);
    Ocop__Attachment m = OCOP__ATTACHMENT__INIT;
    char role[] = "document", type[] = "image/jpeg"; /* whose thumbnail may be asked for too */
    struct attached made = {.device = d->index, .step = s->step, .forged = true};
    struct act act;
    struct ocop_id id;
    struct fields f = {NULL, 0};
    uint64_t version;
    if (!r || s->content_count == 0 || s->attached_count == SIM_ATTACHED_MAX ||
        store_record(d->store, r->kind, &r->id, &s->work, &f, &version, NULL) != OCOP_OK)
        return;
    made.content = chance_below(&s->chance, s->content_count);
    for (unsigned n = 0; n < 5 && officer_attached(s, d->officer, made.content); n++)
        made.content = chance_below(&s->chance, s->content_count);
    struct content_made *c = &s->contents[made.content];
    const struct field *unit = fields_find(&f, FIELD_UNIT, span_of(NULL, 0));
    if (officer_attached(s, d->officer, made.content) || !unit)
        return;
    made.id = id_next(&d->store->ids, &d->node.env);
    made.record = r->id;
    snprintf(made.caption, sizeof made.caption, "v%u", ++s->token);
    memcpy(id.b, made.id.b, ID_LEN);
    m.has_id = m.has_record_id = m.has_unit_id = m.has_hash = m.has_size = 1;
    m.id = (ProtobufCBinaryData){ID_LEN, made.id.b};
    m.record_id = (ProtobufCBinaryData){ID_LEN, made.record.b};
    m.unit_id = (ProtobufCBinaryData){ID_LEN, (uint8_t *)(uintptr_t)unit->bytes.p};
    m.hash = (ProtobufCBinaryData){FILE_HASH_LEN, c->hash};
    m.size = (int64_t)c->size;
    m.role = role;
    m.media_type = type;
    m.caption = made.caption;
    act_begin(&act, d, KIND_ATTACHMENT, &made.id, VERB_CREATE);
    enum ocop_status st = ocop_submit(d->store, &m.base, NULL);
    sim_trace(s, "device %u claims content %u as %s: %s", d->index, made.content, made.caption,
              err_name(st));
    s->attached[s->attached_count++] = made;
    act_end(&act, st, true);
    if (st != OCOP_OK || d->node.disk.dead)
        return;
    s->figures.claimed++;
    if (chance_percent(&s->chance, 50))
        puts_rubbish(d, c);
    else if (ocop_fetch(d->store, &id, NULL) == OCOP_OK)
        sim_trace(s, "device %u asks for it", d->index);
}

void files_act(struct device *d)
{
    static void (*const acts[])(struct device *) = {attaches,
                                                    attaches,
                                                    attaches,
                                                    attaches,
                                                    attaches,
                                                    attaches,
                                                    attaches,
                                                    attaches,
                                                    fetches,
                                                    fetches,
                                                    voids_one,
                                                    limits_files,
                                                    sweeps,
                                                    claims,
                                                    claims,
                                                    keeps_few,
                                                    centre_thumbs_wanted};
    acts[chance_below(&d->sim->chance, sizeof acts / sizeof *acts)](d);
}

void files_policy(struct sim *s, struct ocop_sync_options *o)
{
    if (!s->files || s->quiet)
        return;
    unsigned what = chance_below(&s->chance, 100);
    if (what < 12)
        o->files = OCOP_FILES_NONE;
    else if (what < 18)
        o->metered = (o->files = OCOP_FILES_UNMETERED) != OCOP_FILES_ALL;
    else if (what < 30)
        o->files_bytes_max = 1 + chance_below(&s->chance, 20000);
    else if (what < 36)
        o->file_bytes_max = 1 + chance_below(&s->chance, 2000);
}

/* --- the office ---------------------------------------------------------------------------------
 */

static enum ocop_status swept_at_centre(struct sim *s, bool restored, unsigned *removed)
{
    struct files_swept found = {0};
    FILE *out = fopen("/dev/null", "w");
    CHECK(out);
    enum ocop_status st = registry_begin(s->registry, NULL);
    if (st == OCOP_OK) {
        st = files_sweep(s->registry, 0, restored, out, &found, NULL);
        registry_rollback(s->registry);
    }
    fclose(out);
    *removed = (unsigned)found.removed;
    return st;
}

void office_sweeps(struct sim *s)
{
    unsigned removed = 0;
    if (!server_up(s))
        return;
    enum ocop_status st = swept_at_centre(s, false, &removed);
    sim_trace(s, "the office sweeps files: %s, %u go", err_name(st), removed);
}

void files_backed_up(struct sim *s, const char *backup)
{
    struct content_dir to;
    struct blobs_copied copied;
    CHECK(blobs_of_backup(backup, &s->server.env, &to, NULL) == OCOP_OK);
    enum ocop_status st = blobs_copy(s->registry, &s->registry->blobs, &to, &copied, NULL);
    sim_trace(s, "files are copied into it: %s, %llu go, %llu missing", err_name(st),
              (unsigned long long)copied.copied, (unsigned long long)copied.missing);
}

/* On a machine that has the contents, or on one that has what the backups hold. */
void files_restored(struct sim *s, const char *backup)
{
    struct content_dir from;
    struct blobs_copied copied = {0};
    char path[DISK_PATH_MAX + 64];
    if (!chance_percent(&s->chance, 50))
        return;
    snprintf(path, sizeof path, "%s.blobs", s->registry_path);
    folder_remove(path);
    s->blobs_lost = true;
    if (!server_up(s))
        return;
    CHECK(blobs_of_backup(backup, &s->server.env, &from, NULL) == OCOP_OK);
    enum ocop_status st = blobs_copy(s->registry, &from, &s->registry->blobs, &copied, NULL);
    sim_trace(s, "files come back from the backups: %s, %llu, %llu are missing", err_name(st),
              (unsigned long long)copied.copied, (unsigned long long)copied.missing);
}

/* --- copies of stores ---------------------------------------------------------------------------
 */

static void beside(const char *store, char out[DISK_PATH_MAX + 64])
{
    snprintf(out, DISK_PATH_MAX + 64, "%s.blobs", store);
}

void files_copied(struct sim *s, const char *from, const char *to, bool with)
{
    char source[DISK_PATH_MAX + 64], target[DISK_PATH_MAX + 64];
    if (!s->files)
        return;
    beside(from, source);
    beside(to, target);
    if (with)
        folder_copy(source, target);
    else
        folder_remove(target);
}

void files_older(struct device *d, const struct copy *c)
{
    struct sim *s = d->sim;
    if (!s->files)
        return;
    bool exact = c->files && chance_percent(&s->chance, 60);
    if (exact || chance_percent(&s->chance, 30))
        files_copied(s, c->path, d->path, c->files);
    d->bare = !exact || c->bare;
    for (unsigned i = 0; i < s->attached_count; i++)
        if (s->attached[i].device == d->index && (d->bare || i >= c->attached))
            s->attached[i].excused = true;
}

/* Through an attachment that the device has, by who had the content. */
static bool came_rightly(struct device *d, unsigned content)
{
    const struct sim *s = d->sim;
    for (unsigned i = 0; i < s->attached_count; i++) {
        const struct attached *a = &s->attached[i];
        bool there = id_is_zero(&a->id);
        if (a->content != content || !came_to_have(s, a))
            continue;
        if (!there && store_record_exists(d->store, KIND_ATTACHMENT, &a->id, &there, NULL))
            return true; /* nobody knows */
        if (there)
            return true;
    }
    return officer_attached(s, d->officer, content);
}

void files_came(struct device *d, bool alone)
{
    struct sim *s = d->sim;
    struct disk *k = &d->node.disk;
    const struct disk was = *k;
    struct file_row *rows, row;
    size_t count = 0;
    k->crash_in = k->fail_in = 0;
    if (store_files_here(d->store, &s->work, &rows, &count, NULL) != OCOP_OK)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct content_made *c = content_of(s, rows[i].hash);
        unsigned n = c ? (unsigned)(c - s->contents) : 0;
        /* Who pretended to have it may come to have it all the same. */
        if (c && (d->rubbish >> n & 1) && content_on_device(d, c, &row))
            d->rubbish &= ~(UINT64_C(1) << n);
        if (!c || ((s->had[d->officer] | d->rubbish) >> n & 1))
            continue;
        if (alone && !came_rightly(d, n))
            sim_fail(s, "files", "device %u got content %u through a claim", d->index, n);
        s->had[d->officer] |= UINT64_C(1) << n;
    }
    k->crash_in = was.crash_in;
    k->fail_in = was.fail_in;
}

/* --- what must hold -----------------------------------------------------------------------------
 */

/* What is shown as here is here, what is shown as stored is at the centre. */
void files_step(struct device *d)
{
    struct sim *s = d->sim;
    struct content_dir dir = {.keyed = false};
    struct file_row *rows;
    size_t count = 0;
    bool there, central = s->registry && !s->server.disk.dead &&
                          id_eq(&d->store->me.lineage, &s->registry->lineage);
    if (!s->files || s->content_count == 0 || d->store->me.wiped != WIPED_NOT ||
        store_files_here(d->store, &s->work, &rows, &count, NULL) != OCOP_OK || count == 0)
        return;
    if (files_dir(d->store, false, &dir, NULL) != OCOP_OK)
        sim_fail(s, "files", "device %u has %zu files and no key", d->index, count);
    for (size_t i = 0; i < count; i++) {
        const struct content_made *c = content_of(s, rows[i].hash);
        unsigned n = c ? (unsigned)(c - s->contents) : SIM_CONTENTS_MAX;
        s->had[d->officer] |= c ? UINT64_C(1) << n & ~d->rubbish : 0;
        if (!d->bare && content_there(&dir, rows[i].hash, rows[i].size, &there, NULL) == OCOP_OK &&
            !there)
            sim_fail(s, "files", "device %u shows content %u as here, it is not", d->index, n);
        if (central && rows[i].central && c && !c->removed && !c->spoiled &&
            content_there(&s->registry->blobs, rows[i].hash, rows[i].size, &there, NULL) ==
                OCOP_OK &&
            !there)
            sim_fail(s, "files", "device %u shows content %u as stored, the registry lacks it",
                     d->index, n);
    }
    files_dir_fini(&dir);
}

static enum ocop_status one_at_centre(void *self, const uint8_t hash[FILE_HASH_LEN],
                                      struct ocop_error *err)
{
    struct sim *s = self;
    const struct content_made *c = content_of(s, hash);
    bool named = false;
    if (!c)
        sim_fail(s, "files", "the registry has a content that nobody attached");
    if (content_check(&s->registry->blobs, hash, c->size, err) != OCOP_OK)
        sim_fail(s, "files", "the registry has another content %u than was attached",
                 (unsigned)(c - s->contents));
    if (query_file_named(s->registry, hash, &named, err) != OCOP_OK || !named)
        sim_fail(s, "files", "content %u is still there after a sweep, and nothing names it",
                 (unsigned)(c - s->contents));
    return OCOP_OK;
}

const struct kept *attached_kept(const struct oracle *o, const struct attached *a)
{
    if (!id_is_zero(&a->id))
        return oracle_record(o, KIND_ATTACHMENT, &a->id);
    for (const struct kept *k = o->records; k; k = k->next) {
        const struct field *f = kept_get(k, ATTACHMENT_CAPTION, span_of(NULL, 0));
        if (k->kind == KIND_ATTACHMENT && f && span_eq(f->bytes, span_str(a->caption)))
            return k;
    }
    return NULL;
}

bool content_on_device(struct device *d, const struct content_made *c, struct file_row *row)
{
    struct content_dir dir = {.keyed = false};
    bool known = false;
    if (!d->store || store_file(d->store, c->hash, &known, row, NULL) != OCOP_OK || !known ||
        !row->here || files_dir(d->store, false, &dir, NULL) != OCOP_OK)
        return false;
    enum ocop_status st = content_check(&dir, c->hash, c->size, NULL);
    files_dir_fini(&dir);
    return st == OCOP_OK;
}

/* A copy of the store, without its files, brought it while this device could; from this one it was
 * refused. */
static bool refused_here(const struct device *d, const struct attached *a)
{
    struct ocop_record_status *status = NULL;
    struct ocop_id id;
    memcpy(id.b, a->id.b, ID_LEN);
    const bool refused = d->tainted &&
                         ocop_record_status(d->store, &id, &status, NULL) == OCOP_OK &&
                         status->state == OCOP_REFUSED;
    ocop_record_status_free(status);
    return refused;
}

/* The attachment is in the registry: so is its content, or it is on its way. */
static void is_whole(struct sim *s, const struct attached *a, const struct kept *k)
{
    struct content_made *c = &s->contents[a->content];
    struct device *d = &s->devices[a->device];
    struct file_row row = {.size = 0};
    bool there = false;
    CHECK(content_there(&s->registry->blobs, c->hash, c->size, &there, NULL) == OCOP_OK);
    if (kept_get(k, ATTACHMENT_REMOVED_MS, span_of(NULL, 0)) || c->spoiled ||
        (c->removed && s->restores)) /* a restore forgets the removal: see centre.c */
        return;
    if (there || a->excused || (c->let_go && s->blobs_lost) || d->store->me.wiped != WIPED_NOT)
        return;
    if (!content_on_device(d, c, &row))
        sim_fail(s, "files", "%s of device %u: content %u is neither at the centre nor on it",
                 a->caption, d->index, a->content);
    if (row.central && !(d->revoked && s->blobs_lost)) /* who is revoked hears of no restore */
        sim_fail(s, "files", "device %u shows content %u as stored, nobody has it", d->index,
                 a->content);
    if (!d->revoked && !s->officer_blobs_max && !refused_here(d, a))
        sim_fail(s, "files", "%s of device %u: content %u is still on its way", a->caption,
                 d->index, a->content);
}

bool content_for_device(struct device *d, const struct oracle *o, unsigned content)
{
    const struct sim *s = d->sim;
    for (unsigned i = 0; i < s->attached_count; i++) {
        const struct attached *a = &s->attached[i];
        const struct kept *k =
            a->content == content && came_to_have(s, a) ? attached_kept(o, a) : NULL;
        if (k &&
            (s->devices[a->device].officer == d->officer || oracle_receives(o, &d->replica, k)))
            return true;
    }
    return false;
}

/* The registry gives a content to who may read any, and sees, or made, an attachment whose maker
 * has shown to have it: no record that only a refused change keeps here, nor one of a device
 * revoked or wiped before it could. One that was removed is none, although a lost power may have
 * brought its file back. */
static bool is_for(const struct device *d, const struct oracle *o, unsigned content)
{
    const struct sim *s = d->sim;
    if (!rights_kind_readable(kind_by_number(KIND_ATTACHMENT), oracle_reading(o, &d->replica)))
        return false;
    for (unsigned i = 0; i < s->attached_count; i++) {
        const struct attached *a = &s->attached[i];
        const struct device *maker = &s->devices[a->device];
        const struct kept *k = a->content == content && !a->forged ? attached_kept(o, a) : NULL;
        if (k && !kept_get(k, ATTACHMENT_REMOVED_MS, span_of(NULL, 0)) && !maker->revoked &&
            maker->store->me.wiped == WIPED_NOT &&
            (maker->officer == d->officer || oracle_receives(o, &d->replica, k)))
            return true;
    }
    return false;
}

/* Only who had a content is taken for one who has it. */
static void brought_it(struct sim *s)
{
    sqlite3_stmt *st;
    CHECK(sqlite3_prepare_v2(s->registry->db, "SELECT hash, officer FROM brought", -1, &st, NULL) ==
          SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const struct content_made *c = content_of(s, sqlite3_column_blob(st, 0));
        unsigned content = c ? (unsigned)(c - s->contents) : SIM_CONTENTS_MAX, officer = 0;
        while (memcmp(s->officers[officer].b, sqlite3_column_blob(st, 1), ID_LEN) != 0)
            CHECK(++officer < s->officer_count);
        if (c && !(s->had[officer] >> content & 1) && !officer_attached(s, officer, content))
            sim_fail(s, "files", "officer %u is taken to have content %u, and never had it",
                     officer, content);
    }
    sqlite3_finalize(st);
}

/* Nobody keeps, or got, what is not for him. */
static void has_no_other(struct device *d, const struct oracle *o)
{
    struct sim *s = d->sim;
    for (unsigned i = 0; i < s->content_count; i++) {
        struct file_row row;
        bool named = false;
        if (!content_on_device(d, &s->contents[i], &row) || !row.central)
            continue;
        CHECK(store_file_named(d->store, s->contents[i].hash, &named, NULL) == OCOP_OK);
        if (!named)
            sim_fail(s, "files", "device %u keeps content %u, of which it has no record", d->index,
                     i);
        if (!s->rights_changed && !content_for_device(d, o, i) &&
            !officer_attached(s, d->officer, i))
            sim_fail(s, "files", "device %u has content %u, which is not for it", d->index, i);
    }
}

/* Who reads a record gets its contents. */
static void fetch_some(struct device *d, const struct oracle *o)
{
    enum { SOME = 3 };
    struct sim *s = d->sim;
    struct ocop_file_list *list;
    struct ocop_id asked[SOME];
    uint8_t hashes[SOME][FILE_HASH_LEN];
    size_t count = 0;
    CHECK(ocop_files(d->store, NULL, &list, NULL) == OCOP_OK);
    for (size_t i = 0; i < list->count && count < SOME; i++) {
        const struct ocop_file *f = &list->files[i];
        bool there = false;
        CHECK(content_there(&s->registry->blobs, f->hash, f->size, &there, NULL) == OCOP_OK);
        if (f->here || !there || ocop_fetch(d->store, &f->id, NULL) != OCOP_OK)
            continue;
        asked[count] = f->id;
        memcpy(hashes[count++], f->hash, FILE_HASH_LEN);
    }
    ocop_file_list_free(list);
    if (count == 0)
        return;
    (void)device_sync(s, d, NULL);
    for (size_t i = 0; i < count; i++) {
        const struct content_made *c = content_of(s, hashes[i]);
        const struct attached *a = s->attached;
        struct file_row row;
        while (a < s->attached + s->attached_count && memcmp(a->id.b, asked[i].b, ID_LEN) != 0)
            a++;
        const unsigned content = (unsigned)(c - s->contents);
        bool honest = a < s->attached + s->attached_count && !a->forged && !a->excused;
        if (content_on_device(d, c, &row))
            s->figures.fetched++;
        else if (honest && s->restores == 0 && is_for(d, o, content))
            sim_fail(s, "files", "device %u may read %s and does not get content %u", d->index,
                     a->caption, content);
    }
}

void files_check_all(struct oracle *o)
{
    struct sim *s = o->sim;
    unsigned removed;
    if (!s->files)
        return;
    CHECK(swept_at_centre(s, true, &removed) == OCOP_OK);
    CHECK(content_each(&s->registry->blobs, one_at_centre, s, NULL) == OCOP_OK);
    for (unsigned i = 0; i < s->attached_count; i++) {
        const struct attached *a = &s->attached[i];
        const struct kept *k = a->forged ? NULL : attached_kept(o, a);
        if (k)
            is_whole(s, a, k);
    }
    brought_it(s);
    centre_check_all(o);
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
        struct device *d = &s->devices[i];
        if (d->used && !d->revoked && d->enrolled) {
            has_no_other(d, o);
            fetch_some(d, o);
            files_step(d);
        }
        arena_reset(&s->work);
    }
}

void files_before_check(struct device *d)
{
    unsigned removed;
    if (d->sim->files)
        CHECK(ocop_files_sweep(d->store, &removed, NULL) == OCOP_OK);
}
