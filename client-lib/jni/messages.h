/* The structs of ocop.h as messages of border.proto. */
#ifndef JNI_MESSAGES_H
#define JNI_MESSAGES_H

#include "border.h"
#include "border.pb-c.h"

/* What came from Java; NULL is allowed: all as it is by default. `ids`: room. */
void query_of(struct border *b, const Ocop__Field__Query *m, struct ocop_query *out,
              struct ocop_id ids[3]);
struct ocop_sync_options sync_options_of(struct border *b, const Ocop__Field__SyncOptions *m,
                                         struct ocop_id *files_of);
struct ocop_attachment attachment_of(const Ocop__Field__Attachment *m);
/** In the border's room. */
struct ocop_strokes strokes_of(struct border *b, const Ocop__Field__Strokes *m);

/* What goes to Java. The message borrows all from the struct. */
Ocop__Field__SyncSummary summary_message(const struct ocop_sync_summary *s);
Ocop__Field__StoreStatus store_status_message(const struct ocop_store_status *s);
Ocop__Field__FileLimits file_limits_message(const struct ocop_file_limits *l);
Ocop__Field__ImageSettings image_settings_message(const struct ocop_image_settings *how);
Ocop__Field__Evidence evidence_message(const struct ocop_evidence *e, const char *story);

/* The same as arrays for Java; NULL where something has failed. */
jbyteArray list_out(struct border *b, const struct ocop_list *list);
jbyteArray files_out(struct border *b, const struct ocop_file_list *list);
jbyteArray record_status_out(struct border *b, const struct ocop_record_status *s);

#endif
