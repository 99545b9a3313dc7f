/* Devices with photos, and the registry asked about their contents: what the tests of contents
 * share. */
#ifndef TEST_PHOTOS_H
#define TEST_PHOTOS_H

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blobs.h"
#include "records.pb-c.h"
#include "store.h"
#include "world.h"

enum { CHUNK = FILE_CHUNK_BYTES };

static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xe0};

/* Two devices that have synced; at the end the log gives what the registry is. */
static inline int open_world(void **state)
{
    int failed = world_setup_01(state);
    world_sync(*state, 0);
    world_sync(*state, 1);
    return failed;
}

/* A photo that no other seed makes, and its hash. */
struct photo {
    uint8_t bytes[40 * CHUNK];
    size_t len;
    uint8_t hash[HASH_LEN];
    struct ocop_id id, record; /* the attachment, and what it is of */
};

static inline struct photo *photo(size_t len, unsigned seed)
{
    struct photo *p = calloc(1, sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i < len; i++)
        p->bytes[i] = (uint8_t)((i + seed * 7919) * 2654435761u >> 11);
    memcpy(p->bytes, jpeg, sizeof jpeg);
    p->len = len;
    hash_bytes(span_of(p->bytes, len), p->hash);
    return p;
}

/* A photo as a program that is not ours may submit it; what it points to must live on. */
static inline void claim_is(struct world *w, Ocop__Attachment *m, struct id *id,
                            struct ocop_id *record, uint8_t *hash, int64_t size)
{
    m->has_id = m->has_unit_id = m->has_record_id = m->has_size = m->has_hash = 1;
    m->id = (ProtobufCBinaryData){ID_LEN, id->b};
    m->unit_id = (ProtobufCBinaryData){ID_LEN, w->commune.b};
    m->record_id = (ProtobufCBinaryData){ID_LEN, record->b};
    m->role = (char *)(uintptr_t) "photo";
    m->media_type = (char *)(uintptr_t) "image/jpeg";
    m->size = size;
    m->hash = (ProtobufCBinaryData){HASH_LEN, hash};
}

static inline void attach(struct world *w, unsigned n, struct ocop_id record, struct photo *p)
{
    struct ocop_error err = {0};
    struct ocop_attachment a = {.bytes = p->bytes, .len = p->len, .role = "photo"};
    p->record = record;
    must(ocop_attach(w->stores[n], &record, &a, &p->id, &err), &err);
}

static inline struct ocop_sync_summary sync(struct world *w, unsigned n,
                                            const struct ocop_sync_options *o)
{
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    must(ocop_sync(w->stores[n], o, &sum, &err), &err);
    return sum;
}

static inline const struct ocop_file *file_of(struct ocop_file_list *list, struct ocop_id id)
{
    for (size_t i = 0; i < list->count; i++)
        if (memcmp(&list->files[i].id, &id, sizeof id) == 0)
            return &list->files[i];
    fail_msg("no such attachment");
    return NULL;
}

static inline enum ocop_file_state state_of(struct world *w, unsigned n, struct ocop_id id,
                                            char text[200])
{
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    must(ocop_files(w->stores[n], NULL, &list, &err), &err);
    const struct ocop_file *f = file_of(list, id);
    enum ocop_file_state state = f->state;
    if (text)
        snprintf(text, 200, "%s", f->text);
    ocop_file_list_free(list);
    return state;
}

static inline bool at_centre(struct world *w, const struct photo *p)
{
    struct ocop_error err = {0};
    enum ocop_status st = content_check(&w->registry->blobs, p->hash, p->len, &err);
    assert_true(st == OCOP_OK || st == OCOP_ENOTFOUND);
    return st == OCOP_OK;
}

static inline void expect_here(struct world *w, unsigned n, const struct photo *p)
{
    struct ocop_error err = {0};
    uint8_t *bytes = malloc(p->len + 1);
    size_t got;
    must(ocop_file_read(w->stores[n], &p->id, 0, bytes, p->len + 1, &got, &err), &err);
    assert_int_equal(got, p->len);
    assert_memory_equal(bytes, p->bytes, p->len);
    free(bytes);
}

static inline void fetch(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_error err = {0};
    must(ocop_fetch(w->stores[n], &id, &err), &err);
}

static inline enum ocop_status ask(struct world *w, unsigned n, const Ocop__Sync__FilesRequest *in,
                                   Ocop__Sync__FilesReply **out, struct ocop_error *err)
{
    struct id me = w->stores[n]->me.replica;
    Ocop__Sync__FilesRequest whole = *in;
    whole.has_replica = 1;
    whole.replica = (ProtobufCBinaryData){ID_LEN, me.b};
    must(registry_begin(w->registry, err), err);
    enum ocop_status st = blobs_answer(w->registry, &w->keys, w->stores[n]->me.channel.public_key,
                                       &whole, &w->arena, out, err);
    must(registry_commit(w->registry, err), err);
    return st;
}

/* One chunk of one file. @return enum file_code, or minus a status */
static inline int send_chunk(struct world *w, unsigned n, const struct photo *p, uint64_t size,
                             uint32_t index, struct span data)
{
    struct ocop_error err = {0};
    Ocop__Sync__FilesRequest in = OCOP__SYNC__FILES_REQUEST__INIT;
    Ocop__Sync__FilesReply *out;
    Ocop__Sync__FileAsk a = OCOP__SYNC__FILE_ASK__INIT, *asks[] = {&a};
    Ocop__Sync__Chunk c = OCOP__SYNC__CHUNK__INIT, *chunks[] = {&c};
    a.hash = c.hash = (ProtobufCBinaryData){HASH_LEN, (uint8_t *)(uintptr_t)p->hash};
    a.size = size;
    c.index = index;
    c.data = (ProtobufCBinaryData){data.len, (uint8_t *)(uintptr_t)data.p};
    in.asks = asks;
    in.n_asks = 1;
    in.chunks = chunks;
    in.n_chunks = data.len > 0;
    enum ocop_status st = ask(w, n, &in, &out, &err);
    return st == OCOP_OK ? (int)out->states[0]->code : -(int)st;
}

#endif
