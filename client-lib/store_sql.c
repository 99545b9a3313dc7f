/* All SQL of the client but for what is put together for one kind (store_records.c), the search
 * (store_search.c, store_find.c), and the check (store_check.c). */
#include "store_sql.h"

#define OUTBOX_COLUMNS                                                                             \
    "n, record, kind, state, seq, idx, change, reason, field, "                                    \
    "sum IS NOT row_sum(record, kind, state, seq, idx, change, reason, field)"

/* Each row's sum is written with it (sum.h): of the columns of store_summed in their order. */
#define OUTBOX_SUM(state, seq, idx, change, reason, field)                                         \
    "sum = row_sum(record, kind, " state ", " seq ", " idx ", " change ", " reason ", " field ")"
#define OUTBOX_SUM_READY OUTBOX_SUM("2", "NULL", "NULL", "change", "NULL", "NULL")
#define SEALED_SUM(acked) "sum = row_sum(replica, seq, hash, " acked ")"
#define BASE_SUM(version, fields, departed)                                                        \
    "sum = row_sum(record, kind, " version ", born, " fields ", " departed ")"

#define FILE_COLUMNS "hash, size, here, central, wanted, done, tried_ms"
#define ATTACHMENT_STATE STATE_OF("t.id")
#define ATTACHMENT_COLUMNS                                                                         \
    "SELECT t.id, t.record_id, t.role, t.caption, t.media_type, t.file_name, t.hash, t.size, "     \
    "coalesce(f.here, 0), coalesce(f.central, 0), coalesce(f.wanted, 0), coalesce(f.done, 0), "    \
    "coalesce(f.tried_ms, 0), " ATTACHMENT_STATE ", "                                              \
    "EXISTS (SELECT 1 FROM outbox WHERE record = t.id AND state = 1), "                            \
    "coalesce(t.removed_ms, 0), t.removed_reason "                                                 \
    "FROM attachment AS t LEFT JOIN file AS f ON f.hash = t.hash "
/* 3: THUMBNAIL_TOLD; 0: THUMBNAIL_WANTED. */
#define THUMBNAIL_AGAIN                                                                            \
    "UPDATE thumbnail SET state = 0, sum = row_sum(hash, 0, image, at_ms) WHERE state = 3 "        \
    "AND hash = "
/* A record's are looked up by their index. */
#define OF_RECORD_OR_ALL                                                                           \
    "WHERE (?1 IS NULL OR t.n IN (SELECT n FROM attachment WHERE record_id = ?1)) "                \
    "AND t.voided IS NOT 1 ORDER BY t.n DESC LIMIT ?2"

/* Of a record, or of one attachment. */
#define OF_RECORD_OR_ANY                                                                           \
    "(?1 IS NULL OR EXISTS (SELECT 1 FROM attachment AS t WHERE t.hash = f.hash "                  \
    "AND (t.record_id = ?1 OR t.id = ?1)))"
/* A record of the registry's names it, or it is owed for one that left. */
#define TO_SEND                                                                                    \
    "here = 1 AND central = 0 AND (wanted > 0 OR EXISTS (SELECT 1 FROM attachment AS t "           \
    "WHERE t.hash = f.hash AND t.removed_ms IS NULL AND (NOT EXISTS "                              \
    "(SELECT 1 FROM outbox WHERE record = t.id) OR EXISTS (SELECT 1 FROM base "                    \
    "WHERE record = t.id))))"

static const char *const questions[Q_COUNT] = {
    [Q_DATA_VERSION] = "PRAGMA data_version",
    [Q_META] = "SELECT value FROM meta WHERE key = ?1",
    [Q_META_ALL] = "SELECT key, value FROM meta",
    [Q_META_SET] = "INSERT INTO meta (key, value, sum) VALUES (?1, ?2, row_sum(?1, ?2)) "
                   "ON CONFLICT (key) DO UPDATE SET value = excluded.value, sum = excluded.sum",
    [Q_SUM_PUT] = "INSERT OR REPLACE INTO sums (row, sum) VALUES (?1, ?2)",
    [Q_SUM_DROP] = "DELETE FROM sums WHERE row = ?1",
    [Q_OUTBOX_ADD] = "INSERT INTO outbox (record, kind, state, change, sum) VALUES "
                     "(?1, ?2, ?3, ?4, row_sum(?1, ?2, ?3, NULL, NULL, ?4))",
    [Q_OUTBOX_OF] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE record = ?1 ORDER BY state = 1, n",
    [Q_OUTBOX_HAS] = "SELECT 1 FROM outbox WHERE record = ?1 LIMIT 1",
    [Q_OUTBOX_READY] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE state = 2 ORDER BY n LIMIT ?1",
    [Q_OUTBOX_OF_SET] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE seq = ?1 ORDER BY idx",
    [Q_OUTBOX_ONE] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE seq = ?1 AND idx = ?2 "
                     "AND (?3 IS NULL OR record = ?3)",
    [Q_OUTBOX_PUT_BACK] =
        "INSERT INTO outbox (n, record, kind, state, change, seq, idx, sum) "
        "VALUES ((SELECT min(coalesce(min(n), 1), 1) - 1 FROM outbox), ?1, ?2, 3, ?3, "
        "?4, ?5, row_sum(?1, ?2, 3, ?4, ?5, ?3))",
    [Q_OUTBOX_RESEAL] = "UPDATE outbox SET state = 2, seq = NULL, idx = NULL, reason = NULL, "
                        "field = NULL, " OUTBOX_SUM_READY " WHERE state IN (3, 5)",
    [Q_OUTBOX_ALL] = "SELECT " OUTBOX_COLUMNS " FROM outbox ORDER BY n",
    [Q_OUTBOX_SEALED] = "UPDATE outbox SET state = 3, seq = ?2, idx = ?3, " OUTBOX_SUM(
        "3", "?2", "?3", "change", "reason", "field") " WHERE n = ?1",
    [Q_OUTBOX_SETTLED] = "UPDATE outbox SET state = ?2, reason = ?3, field = ?4, " OUTBOX_SUM(
        "?2", "seq", "idx", "change", "?3", "?4") " WHERE n = ?1",
    [Q_OUTBOX_REWRITE] = "UPDATE outbox SET change = ?2, " OUTBOX_SUM(
        "state", "seq", "idx", "?2", "reason", "field") " WHERE n = ?1",
    [Q_OUTBOX_RESEND] = "UPDATE outbox SET state = 2, seq = NULL, idx = NULL, reason = NULL, "
                        "field = NULL, " OUTBOX_SUM_READY " WHERE n = ?1",
    [Q_OUTBOX_DELETE] = "DELETE FROM outbox WHERE n = ?1",
    [Q_OUTBOX_UNSEAL] = "UPDATE outbox SET state = 2, seq = NULL, idx = NULL, " OUTBOX_SUM(
        "2", "NULL", "NULL", "change", "reason", "field") " WHERE seq >= ?1 AND state = 3",
    [Q_OUTBOX_DISOWN] = "UPDATE outbox SET seq = -seq, " OUTBOX_SUM(
        "state", "-seq", "idx", "change", "reason", "field") " WHERE seq > 0 AND state = 4",
    [Q_OUTBOX_COUNT] = "SELECT state, count(*) FROM outbox GROUP BY state",
    [Q_SEALED_ADD] = "INSERT INTO sealed (replica, seq, hash, signature, body, acked, sum) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, 0, row_sum(?1, ?2, ?3, 0))",
    [Q_SEALED_UNACKED] = "SELECT replica, seq, hash, signature, body, acked FROM sealed "
                         "WHERE acked = 0 AND replica = ?1 ORDER BY seq LIMIT ?2",
    [Q_SEALED_UNACKED_COUNT] = "SELECT count(*) FROM sealed WHERE acked = 0 AND replica = ?1",
    [Q_SEALED_ONE] = "SELECT acked, hash FROM sealed WHERE replica = ?1 AND seq = ?2",
    [Q_SEALED_ACK] =
        "UPDATE sealed SET acked = ?3, " SEALED_SUM("?3") " WHERE replica = ?1 AND seq = ?2",
    [Q_SEALED_UNACK] = "UPDATE sealed SET acked = 0, " SEALED_SUM(
        "0") " WHERE replica = ?1 AND seq > ?2 AND acked > 0",
    [Q_SEALED_DROP] = "DELETE FROM sealed WHERE replica = ?1 AND seq >= ?2",
    [Q_SEALED_BELOW] = "SELECT replica, seq, hash, signature, body, acked FROM sealed "
                       "WHERE replica = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1",
    [Q_SEALED_EACH] = "SELECT replica, seq, hash, signature, body, acked FROM sealed "
                      "ORDER BY replica, seq",
    [Q_BASE] = "SELECT version, fields FROM base WHERE record = ?1",
    [Q_BASE_PUT] = "INSERT INTO base (record, kind, version, born, fields, sum) "
                   "VALUES (?1, ?2, ?3, ?3, ?4, row_sum(?1, ?2, ?3, ?3, ?4, 0)) "
                   "ON CONFLICT (record) DO UPDATE SET version = excluded.version, fields = "
                   "excluded.fields, " BASE_SUM("excluded.version", "excluded.fields", "departed"),
    [Q_BASE_DELETE] = "DELETE FROM base WHERE record = ?1",
    [Q_BASE_DEPART] =
        "UPDATE base SET departed = ?2, " BASE_SUM("version", "fields", "?2") " WHERE record = ?1",
    [Q_BASE_DEPARTED] = "SELECT kind FROM base WHERE record = ?1 AND departed = 1",
    [Q_BASE_CLAMP] = "UPDATE base SET version = min(version, ?1), departed = 0, " BASE_SUM(
        "min(version, ?1)", "fields", "0") " WHERE version > ?1 OR departed = 1",
    [Q_BASE_ORPHANS] = "SELECT count(*) FROM base WHERE NOT EXISTS "
                       "(SELECT 1 FROM outbox WHERE outbox.record = base.record)",
    [Q_OWN] = "SELECT merged, version FROM own WHERE record = ?1",
    [Q_OWN_ANY] = "SELECT 1 FROM own LIMIT 1",
    [Q_OWN_MERGED] =
        "UPDATE own SET merged = 1, sum = row_sum(record, kind, 1, version) WHERE record = ?1",
    [Q_OWN_TAKEN] = "INSERT INTO own (record, kind, merged, version, sum) VALUES (?1, ?2, 0, ?3, "
                    "row_sum(?1, ?2, 0, ?3)) "
                    "ON CONFLICT (record) DO UPDATE SET version = max(version, excluded.version), "
                    "sum = row_sum(record, kind, merged, max(version, excluded.version))",
    [Q_CASE_PUT] =
        "INSERT INTO cases (id, kind, record, cause, field, base, theirs, mine, other, resolution, "
        "sum) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, row_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
        "?9, ?10)) ON CONFLICT (id) DO UPDATE "
        "SET base = excluded.base, theirs = excluded.theirs, mine = excluded.mine, "
        "other = excluded.other, resolution = excluded.resolution, sum = row_sum(id, kind, record, "
        "cause, field, "
        "excluded.base, excluded.theirs, excluded.mine, excluded.other, excluded.resolution)",
    [Q_CASE_DELETE] = "DELETE FROM cases WHERE id = ?1",
    [Q_CASES_OF] = "SELECT id, kind, record, cause, field, base, theirs, mine, other, resolution "
                   "FROM cases WHERE record = ?1 OR other = ?1 ORDER BY resolution IS NOT NULL, id",
    [Q_CASES_FORGET] = "UPDATE cases SET resolution = '', sum = row_sum(id, kind, record, cause, "
                       "field, base, theirs, mine, other, '') WHERE resolution IS NULL",
    [Q_CASES_ANY_OPEN] = "SELECT 1 FROM cases WHERE resolution IS NULL LIMIT 1",
    [Q_STUB_PUT] =
        "INSERT INTO stub (id, kind, label, sum) VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3)) "
        "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, label = excluded.label, sum = "
        "excluded.sum",
    [Q_STUB_EXISTS] = "SELECT 1 FROM stub WHERE id = ?1",
    /* Two questions: one with RETURNING takes three times as long as both. */
    [Q_COUNTER] = "SELECT value FROM counter WHERE name = ?1",
    [Q_COUNTER_PUT] = "INSERT INTO counter (name, value, sum) VALUES (?1, ?2, row_sum(?1, ?2)) "
                      "ON CONFLICT (name) DO UPDATE SET value = excluded.value, sum = excluded.sum",
    [Q_UNSEEN_CLEAR] = "DELETE FROM unseen",
    [Q_UNSEEN_MET] = "DELETE FROM unseen WHERE record = ?1",
    [Q_UNSEEN_HAS] = "SELECT 1 FROM unseen WHERE record = ?1",
    [Q_UNSEEN_OWN] = "SELECT record, unseen.kind FROM unseen JOIN own USING (record) "
                     "WHERE version > ?1",
    [Q_UNSEEN_SOME] = "SELECT record, kind FROM unseen LIMIT 500",
    [Q_UNKNOWN_ALL] = "SELECT id, kind FROM unknown_kind",
    [Q_STATE] = "SELECT " STATE_OF("?1"),
    [Q_COUNTS] = "SELECT (SELECT count(*) FROM producer) + (SELECT count(*) FROM product) + "
                 "(SELECT count(*) FROM certificate) + (SELECT count(*) FROM inspection) + "
                 "(SELECT count(*) FROM sample) + (SELECT count(*) FROM environmental_check) + "
                 "(SELECT count(*) FROM unknown_kind), "
                 "(SELECT count(*) FROM cases WHERE resolution IS NULL)",
    [Q_FILE_GET] = "SELECT " FILE_COLUMNS " FROM file WHERE hash = ?1",
    [Q_FILE_PUT] = "INSERT INTO file (" FILE_COLUMNS ", sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
                   "row_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7)) ON CONFLICT (hash) DO UPDATE SET "
                   "size = excluded.size, here = excluded.here, central = excluded.central, "
                   "wanted = excluded.wanted, done = excluded.done, tried_ms = excluded.tried_ms, "
                   "sum = excluded.sum",
    [Q_FILE_DELETE] = "DELETE FROM file WHERE hash = ?1",
    [Q_FILES_HERE] = "SELECT " FILE_COLUMNS " FROM file WHERE here = 1 ORDER BY size, hash",
    [Q_FILES_TO_SEND] = "SELECT " FILE_COLUMNS " FROM file AS f WHERE " TO_SEND
                        " AND " OF_RECORD_OR_ANY " ORDER BY size, hash LIMIT ?2",
    [Q_FILES_TO_SEND_COUNT] = "SELECT count(*) FROM file AS f WHERE " TO_SEND,
    [Q_FILES_TO_FETCH] = "SELECT " FILE_COLUMNS " FROM file AS f WHERE here = 0 AND wanted = 1 "
                         "AND " OF_RECORD_OR_ANY " ORDER BY size, hash LIMIT ?2",
    [Q_FILES_SPARE] = /* not while a name of it is to be sent: what has it there may be removed */
    "SELECT " FILE_COLUMNS " FROM file AS f WHERE here = 1 AND ((central = 1 AND NOT EXISTS "
    "(SELECT 1 FROM attachment AS t JOIN outbox AS o ON o.record = t.id WHERE t.hash = f.hash "
    "AND NOT EXISTS (SELECT 1 FROM base WHERE record = t.id))) "
    "OR (wanted = 0 AND (SELECT max(t.removed_ms IS NULL) = 0 FROM attachment AS t "
    "WHERE t.hash = f.hash))) ORDER BY tried_ms, hash", /* what a record that left owes stays */
    [Q_FILE_OWE] =
        "UPDATE file SET wanted = 1, sum = row_sum(hash, size, here, central, 1, done, tried_ms) "
        "WHERE here = 1 AND central = 0 AND hash = (SELECT hash FROM attachment WHERE id = ?1 "
        "AND removed_ms IS NULL AND officer_id = (SELECT value FROM meta WHERE key = 'officer'))",
    [Q_FILES_LEFT] = "SELECT " FILE_COLUMNS " FROM file AS f "
                     "WHERE (central = 1 OR here = 0 OR wanted = 0) "
                     "AND NOT EXISTS (SELECT 1 FROM attachment AS t WHERE t.hash = f.hash)",
    [Q_FILES_DOUBT] = "UPDATE file SET central = 0, done = 0, sum = row_sum(hash, size, here, 0, "
                      "wanted, 0, tried_ms) WHERE here = 1 AND central = 1",
    [Q_FILE_REMOVED] = "UPDATE file SET central = 0, done = 0, sum = row_sum(hash, size, here, 0, "
                       "wanted, 0, tried_ms) WHERE central = 1 AND hash = (SELECT t.hash FROM "
                       "attachment AS t WHERE t.id = ?1)",
    [Q_FILE_NAMED] = "SELECT EXISTS (SELECT 1 FROM attachment WHERE hash = ?1)",
    [Q_FILE_OWN] = "SELECT EXISTS (SELECT 1 FROM attachment WHERE hash = ?1 AND officer_id = "
                   "(SELECT value FROM meta WHERE key = 'officer'))",
    [Q_FILE_GONE] = "SELECT coalesce(min(removed_ms IS NOT NULL), 0) FROM attachment "
                    "WHERE hash = ?1",
    [Q_FILES_OWED] = "SELECT count(*), coalesce(sum(size), 0) FROM file AS f WHERE here = 1 "
                     "AND central = 0 AND (wanted > 0 OR EXISTS (SELECT 1 FROM attachment AS t "
                     "WHERE t.hash = f.hash AND t.removed_ms IS NULL))",
    /* Here or not: one that its device cannot read any more was never sent either. */
    [Q_FILES_NEVER_SENT] =
        "SELECT count(*) FROM file AS f WHERE central = 0 AND EXISTS (SELECT 1 "
        "FROM attachment AS t WHERE t.hash = f.hash AND t.removed_ms IS NULL AND "
        "t.officer_id = (SELECT value FROM meta WHERE key = 'officer'))",
    [Q_FILE_BYTES] = "SELECT (SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT hash, size FROM "
                     "attachment WHERE record_id = ?1 AND hash <> ?2 AND voided IS NOT 1)), "
                     "(SELECT coalesce(sum(size), 0) FROM file WHERE here = 1 AND hash <> ?2), "
                     "(SELECT count(*) FROM attachment WHERE record_id = ?1 AND voided IS NOT 1)",
    [Q_ATTACHMENTS] = ATTACHMENT_COLUMNS OF_RECORD_OR_ALL,
    [Q_ATTACHMENT_ONE] = ATTACHMENT_COLUMNS "WHERE t.id = ?1",
    [Q_THUMBNAIL] = "SELECT state, image, at_ms FROM thumbnail WHERE hash = ?1",
    /* Replaced, not updated: rowids are in the order in which they were put, as no clock is. */
    [Q_THUMBNAIL_PUT] = "INSERT OR REPLACE INTO thumbnail (hash, state, image, at_ms, sum) VALUES "
                        "(?1, ?2, ?3, ?4, row_sum(?1, ?2, ?3, ?4))",
    [Q_THUMBNAIL_AGAIN] = THUMBNAIL_AGAIN "?1",
    [Q_THUMBNAIL_AGAIN_OF] = THUMBNAIL_AGAIN "(SELECT t.hash FROM attachment AS t WHERE t.id = ?1)",
    [Q_THUMBNAILS_WANTED] = "SELECT p.hash, min(t.size) FROM thumbnail AS p JOIN attachment AS t "
                            "ON t.hash = p.hash WHERE p.state = 0 OR (p.state = 3 AND "
                            "p.at_ms NOT BETWEEN ?1 - 86400000 AND ?1) GROUP BY p.hash "
                            "ORDER BY p.at_ms, p.hash",
    [Q_THUMBNAILS_LEFT] = "DELETE FROM thumbnail WHERE NOT EXISTS (SELECT 1 FROM attachment AS t "
                          "WHERE t.hash = thumbnail.hash AND t.removed_ms IS NULL)",
    [Q_THUMBNAILS_TRIM] = "DELETE FROM thumbnail WHERE rowid IN (SELECT rowid FROM thumbnail "
                          "ORDER BY rowid DESC LIMIT -1 OFFSET ?1)",
};

enum ocop_status store_ask(struct ocop_store *s, enum question q, sqlite3_stmt **out,
                           struct ocop_error *err)
{
    return prepared(s, &s->db->stmt[q], questions[q], out, err);
}

enum ocop_status store_run_int(struct ocop_store *s, enum question q, uint64_t v,
                               struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, q, &st, err);

    if (status)
        return status;
    put_int(st, 1, v);
    return run(s, st, err);
}

enum ocop_status store_run_id(struct ocop_store *s, enum question q, const struct id *id,
                              uint64_t v, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, q, &st, err);

    if (status)
        return status;
    put_id(st, 1, id);
    if (sqlite3_bind_parameter_count(st) > 1)
        put_int(st, 2, v);
    return run(s, st, err);
}

/* Is there a row at all, with `id` as the only parameter? */
enum ocop_status store_any(struct ocop_store *s, enum question q, const struct id *id, bool *out,
                           struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, q, &st, err);

    *out = false;
    if (status)
        return status;
    put_id(st, 1, id);
    status = step(s, st, out, err);
    done(st);
    return status;
}
