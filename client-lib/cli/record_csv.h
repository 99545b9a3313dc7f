/* A record as a line of CSV: scalars as they are, lists as JSON. */
#ifndef CLI_RECORD_CSV_H
#define CLI_RECORD_CSV_H

#include "ocop.h"
#include "out.h"

/** The names of all fields of the kind. */
void record_csv_titles(const ProtobufCMessageDescriptor *kind, struct out *o);
OCOP_MUST_USE enum ocop_status record_csv_line(const ProtobufCMessage *m, struct out *o,
                                               struct ocop_error *err);

#endif
