#include "office.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

const char *const office_units[OFFICE_SCOPES] = {"24664", "24670", "68"};

const char *office_path(const struct office *o, const char *name, char out[PROCESS_PATH_MAX])
{
    snprintf(out, PROCESS_PATH_MAX, "%s/%s", o->dir, name);
    return out;
}

/* --- running --------------------------------------------------------------------------------- */

static int run(struct office *o, const char *program, const char *const *args, const char *input,
               const struct process_limits *limits)
{
    struct process p = {0};
    char name[PROCESS_PATH_MAX];
    process_start(&p, office_path(o, "call", name), program, args, input, limits);
    const int code = process_finish(&p);
    process_read(p.out, o->out);
    process_read(p.err, o->err);
    return code;
}

int office_run(struct office *o, const char *const *args)
{
    const char *all[PROCESS_ARGS_MAX + 1];
    size_t n = 0;
    while (args[n]) {
        assert_true(n + 3 < PROCESS_ARGS_MAX);
        all[n] = args[n];
        n++;
    }
    all[n++] = "--db";
    all[n++] = o->db;
    all[n] = NULL;
    return run(o, process_ocopd(), all, NULL, NULL);
}

int office_device(struct office *o, const char *name, const char *input, const char *const *args)
{
    char store[PROCESS_PATH_MAX];
    const char *all[PROCESS_ARGS_MAX + 1] = {"--store", office_path(o, name, store)};
    size_t n = 2;
    do {
        assert_true(n < PROCESS_ARGS_MAX);
        all[n] = args[n - 2];
    } while (all[n++]);
    return run(o, process_ocop(), all, input, &o->device_limits);
}

void office_expect(struct office *o, int want, int got, const char *text)
{
    if (want != got || (!strstr(o->out, text) && !strstr(o->err, text)))
        fail_msg("exit %d, not %d, or not \"%s\" in:\n%.2000s%.2000s", got, want, text, o->out,
                 o->err);
}

/* --- the server ------------------------------------------------------------------------------ */

void office_serve(struct office *o, const char *const *more, const struct process_limits *limits)
{
    char name[PROCESS_PATH_MAX];
    const char *args[PROCESS_ARGS_MAX + 1] = {"run", "--db", o->db, "--listen", o->listen};
    size_t n = 5;
    while (more && *more)
        args[n++] = *more++;
    process_start(&o->server, office_path(o, "server", name), process_ocopd(), args, NULL, limits);
    process_await_text(&o->server, o->server.err, "event=listening");
}

void office_stop(struct office *o)
{
    assert_int_equal(kill(o->server.pid, SIGTERM), 0);
    assert_int_equal(process_finish(&o->server), 0);
}

/* --- the world ------------------------------------------------------------------------------- */

static void import(struct office *o, const char *kind, const char *text, const char *from)
{
    char path[PROCESS_PATH_MAX];
    FILE *f = fopen(office_path(o, "import.csv", path), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    office_expect(o, 0, OFFICE(o, "import", kind, path, from ? "--from" : NULL, from), " new");
}

/* The id of the one record that is called so. */
static void id_of(struct office *o, const char *kind, const char *name, char id[40])
{
    office_expect(o, 0, OFFICE(o, "show", kind, name, "--json"), "\"id\": \"");
    snprintf(id, 40, "%.36s", strstr(o->out, "\"id\": \"") + 7);
}

void office_open(struct office *o)
{
    memset(o, 0, sizeof *o);
    strcpy(o->dir, "/tmp/ocop-office-XXXXXX");
    assert_non_null(mkdtemp(o->dir));
    office_path(o, "r.db", o->db);
    port_address(o->listen);
    strcpy(o->address, o->listen);
    office_expect(o, 0, OFFICE(o, "init", "--name", "Lâm Đồng"), "made");
    import(o, "units",
           "code,name,level,parent_code\n68,Tỉnh Lâm Đồng,province,\n"
           "24664,Xã Đức Lập,commune,68\n24670,Xã Đắk Mil,commune,68\n",
           "2025-07-01");
    import(o, "producers",
           "name,type,unit_code\nHTX Đức Lập,cooperative,24664\nHTX Đắk Mil,cooperative,24670\n",
           NULL);
    import(o, "products",
           "name,producer,stars,year\nCà phê Đức Lập,HTX Đức Lập,4,2025\n"
           "Bơ Đắk Mil,HTX Đắk Mil,3,2025\n",
           NULL);
    for (unsigned i = 0; i < 2; i++) {
        id_of(o, "unit", office_units[i], o->unit_ids[i]);
        id_of(o, "producer", i ? "HTX Đắk Mil" : "HTX Đức Lập", o->producer_ids[i]);
        id_of(o, "product", i ? "Bơ Đắk Mil" : "Cà phê Đức Lập", o->product_ids[i]);
    }
}

void office_close(struct office *o)
{
    char command[PROCESS_PATH_MAX];
    if (o->server.pid)
        office_stop(o);
    snprintf(command, sizeof command, "rm -r %s", o->dir);
    assert_int_equal(system(command), 0);
}

void office_invite(struct office *o, const char *officer, const char *role, const char *unit)
{
    office_expect(o, 0,
                  OFFICE(o, "invite", "--new-officer", officer, "--role", role, "--unit", unit,
                         "--address", o->address, "--no-qr"),
                  "");
    snprintf(o->code, sizeof o->code, "%.*s\n", (int)strcspn(o->out, "\n"), o->out);
}

void office_enrol(struct office *o, const char *name, const char *officer, const char *unit)
{
    static const char *const args[] = {"enrol", "-", NULL};
    office_invite(o, officer, "inspector,sampler", unit);
    office_expect(o, 0, DEVICE(o, name, "init"), "");
    office_expect(o, 0, office_device(o, name, o->code, args), "");
    office_expect(o, 0, DEVICE(o, name, "sync"), "complete:        yes");
}

void office_record_fill(const struct office *o, const char *kind, unsigned commune,
                        const char *notes, struct office_record *out)
{
    const bool sample = strcmp(kind, "sample") == 0;
    const char *const fields[][2] = {
        {"notes", notes},
        {"unit_id", o->unit_ids[commune]},
        {"producer_id", o->producer_ids[commune]},
        {sample ? "product_id" : "inspection_type", sample ? o->product_ids[commune] : "planned"},
        {sample ? "quantity" : "conclusion", sample ? "1.5" : "pass"},
        {sample ? "quantity_unit" : NULL, "kg"},
        {"lot_code", "CF-2611"},
        {"taken_ms", "1764000000000"},
    };
    size_t n = 0;
    out->args[n++] = "new";
    out->args[n++] = kind;
    out->args[n++] = "--submit";
    for (size_t i = 0; i < sizeof fields / sizeof *fields && fields[i][0]; i++) {
        snprintf(out->text[i], sizeof out->text[i], "%s=%s", fields[i][0], fields[i][1]);
        out->args[n++] = "--set";
        out->args[n++] = out->text[i];
    }
    out->args[n] = NULL;
}

void office_record(struct office *o, const char *name, const char *kind, unsigned commune,
                   const char *notes, char id[40])
{
    struct office_record record;
    office_record_fill(o, kind, commune, notes, &record);
    office_expect(o, 0, office_device(o, name, NULL, record.args), "submitted as ");
    snprintf(id, 40, "%.36s", o->out);
}
