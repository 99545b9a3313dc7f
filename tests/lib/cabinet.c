#include "cabinet.h"

#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "show_files.h"
#include "store.h"

static int64_t now(void *self)
{
    return env_now_ms(env_system()) + ((struct cabinet *)self)->ahead_ms;
}

void set_clock(struct cabinet *c)
{
    c->env = *env_system();
    c->env.now_ms = now;
    c->env.self = c;
    c->w.registry->env = &c->env;
}

int cabinet_open(void **state)
{
    struct cabinet *c = calloc(1, sizeof *c);
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

int cabinet_close(void **state)
{
    struct cabinet *c = *state;
    c->w.registry->env = env_system();
    world_close(&c->w);
    free(c);
    return 0;
}

void photo_fill(struct photo *p, unsigned seed)
{
    for (size_t i = 0; i < sizeof p->bytes; i++)
        p->bytes[i] = (uint8_t)((i + seed * 7919) * 2654435761u >> 11);
    memcpy(p->bytes, "\xff\xd8\xff", 3);
    hash_bytes(span_of(p->bytes, sizeof p->bytes), p->hash);
}

void attach(struct cabinet *c, unsigned n, struct ocop_id record, struct photo *p)
{
    struct ocop_error err = {0};
    struct ocop_attachment a = {.bytes = p->bytes, .len = sizeof p->bytes, .role = "photo"};
    p->record = record;
    must(ocop_attach(c->w.stores[n], &record, &a, &p->id, &err), &err);
}

void brought(struct cabinet *c, unsigned n, unsigned seed, struct photo *p)
{
    photo_fill(p, seed);
    attach(c, n, world_inspect(&c->w, n, "pass"), p);
    assert_int_equal(world_sync(&c->w, n).files_sent, 1);
}

enum ocop_status at_centre(struct cabinet *c, const struct photo *p)
{
    return content_check(&c->w.registry->blobs, p->hash, sizeof p->bytes, NULL);
}

/* What is printed; the caller's to free. */
struct told {
    FILE *out;
    char *text;
    size_t len;
};

static void told_begin(struct told *t)
{
    t->out = open_memstream(&t->text, &t->len);
    assert_non_null(t->out);
}

static void told_end(struct told *t, char **told)
{
    fclose(t->out);
    if (told)
        *told = t->text;
    else
        free(t->text);
}

struct retained retain(struct cabinet *c, const char *role, uint32_t kind, bool dry_run,
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
    struct told said;
    told_begin(&said);
    must(files_retain(c->w.registry, &c->w.keys, &t, said.out, &found, &err), &err);
    told_end(&said, told);
    return found;
}

char *attached(struct cabinet *c, const struct photo *p)
{
    struct ocop_error err = {0};
    struct id record;
    char *text;
    struct told said;
    told_begin(&said);
    memcpy(record.b, p->record.b, ID_LEN);
    must(show_attached(c->w.registry, &record, said.out, &err), &err);
    told_end(&said, &text);
    return text;
}

void says(char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("\"%s\" is not in:\n%s", what, text);
    free(text);
}

enum ocop_file_state state_of(struct cabinet *c, unsigned n, const struct photo *p, char text[300])
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

void fetched(struct cabinet *c, unsigned n, const struct photo *p)
{
    struct ocop_error err = {0};
    world_sync(&c->w, n);
    must(ocop_fetch(c->w.stores[n], &p->id, &err), &err);
    assert_int_equal(world_sync(&c->w, n).files_received, 1);
}

struct files_found verified(struct cabinet *c, bool mend, char **told)
{
    struct ocop_error err = {0};
    struct files_found found;
    struct told said;
    told_begin(&said);
    must(files_verify(c->w.registry, mend, said.out, &found, &err), &err);
    told_end(&said, told);
    return found;
}

void spoil(struct cabinet *c, const struct photo *p, bool lose)
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
