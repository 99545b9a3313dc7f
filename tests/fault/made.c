/* What one round does and the next must not meet: the files of the world are kept before the first
 * and put back before each. Without it an act whose work grows with every round would never meet
 * the last of its faults. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "backup.h"
#include "readback.h"
#include "scene.h"

static void run(struct scene *s, const char *what)
{
    char command[200];
    snprintf(command, sizeof command, "cd %s && %s", s->w.dir, what);
    assert_int_equal(system(command), 0);
}

static void close_all(struct scene *s)
{
    for (unsigned n = 0; n < WORLD_DEVICES_MAX; n++) {
        ocop_close(s->w.stores[n]);
        s->w.stores[n] = NULL;
    }
    world_close_registry(&s->w);
}

void made_again(struct scene *s, void (*make)(struct scene *s))
{
    if (!s->made) {
        make(s);
        close_all(s);
        s->made_submitted = s->submitted;
        /* All that a world holds has an ending. */
        run(s, "test -z \"$(ls -A | grep -vF .)\" && mkdir made && cp -a *.* made");
        s->made = true;
        return;
    }
    close_all(s);
    run(s, "rm -rf *.* && cp -a made/. .");
    s->submitted = s->made_submitted;
}

void registry_open_again(struct scene *s)
{
    struct ocop_error err = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/registry.db", s->w.dir);
    world_close_registry(&s->w);
    must(registry_open(path, false, env_system(), NULL, &s->w.registry, &err), &err);
    must(backup_beside(path, ".ledger", s->w.registry->ledger, &err), &err);
    must(readback_open(path, env_system(), 1, &s->w.readback, &err), &err);
}

void store_open_again(struct scene *s, unsigned n)
{
    struct ocop_error err = {0};
    struct ocop_options options = {.link = &s->w.links[n]};
    char path[128];
    ocop_close(s->w.stores[n]);
    snprintf(path, sizeof path, "%s/%u.ocop", s->w.dir, n);
    must(ocop_open(path, &options, &s->w.stores[n], &err), &err);
}
