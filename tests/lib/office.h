/* An office with its server and devices, each a process of the built programs, in one folder. */
#ifndef TEST_OFFICE_H
#define TEST_OFFICE_H

#include "port.h"
#include "process.h"

struct office {
    char dir[40], db[PROCESS_PATH_MAX];
    char listen[PORT_ADDRESS_MAX]; /* where the server listens; devices are told `address` */
    char address[PORT_ADDRESS_MAX];
    char code[4096]; /* of the last invitation */
    /* Of the communes, and of one producer and one product in each. */
    char unit_ids[2][40], producer_ids[2][40], product_ids[2][40];
    struct process server;
    struct process_limits device_limits;               /* of every device that is run */
    char out[PROCESS_TEXT_MAX], err[PROCESS_TEXT_MAX]; /* of what ran last */
};

enum { OFFICE_SCOPES = 3 };
/** Two communes and the province that holds them, by their code. */
extern const char *const office_units[OFFICE_SCOPES];

/** Make a registry with units and producers, in a new folder below /tmp; serves nobody yet. */
void office_open(struct office *o);
/** Ends the server and removes the folder. */
void office_close(struct office *o);

/** Start the server and wait until it listens. `more`: options up to NULL, or NULL. */
void office_serve(struct office *o, const char *const *more, const struct process_limits *limits);
/** SIGTERM, and exit code 0. */
void office_stop(struct office *o);

/** A file in the office's folder. */
const char *office_path(const struct office *o, const char *name, char out[PROCESS_PATH_MAX]);
/** Exit code of `ocopd ARGS... --db DB`, or of `ocop --store NAME ARGS...`; fills out and err. */
int office_run(struct office *o, const char *const *args);
int office_device(struct office *o, const char *name, const char *input, const char *const *args);
#define OFFICE(o, ...) office_run(o, (const char *const[]){__VA_ARGS__, NULL})
#define DEVICE(o, name, ...) office_device(o, name, NULL, (const char *const[]){__VA_ARGS__, NULL})

/** Fail unless the exit code is as wanted and `text` was printed. */
void office_expect(struct office *o, int want, int got, const char *text);

/** Fills o->code with an invitation of a new officer. */
void office_invite(struct office *o, const char *officer, const char *role, const char *unit);
/** Invite, init, enrol and sync. */
void office_enrol(struct office *o, const char *name, const char *officer, const char *unit);
/** The arguments that submit a record with all that its kind requires. */
struct office_record {
    const char *args[PROCESS_ARGS_MAX];
    char text[8][96];
};
void office_record_fill(const struct office *o, const char *kind, unsigned commune,
                        const char *notes, struct office_record *out);
/** Submit an inspection, sample or environmental check in the n-th commune; its id as text. */
void office_record(struct office *o, const char *name, const char *kind, unsigned commune,
                   const char *notes, char id[40]);

#endif
