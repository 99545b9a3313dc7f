/* SQL of log, ingest and the registry's own bookkeeping. */
#ifndef SERVER_REGISTRY_CORE_SQL_H
#define SERVER_REGISTRY_CORE_SQL_H

#define REGISTRY_CORE_SQL(X)                                                                       \
    /* transactions; prepared when the registry is opened, so that the way back never lacks memory \
     */                                                                                            \
    X(SQL_BEGIN, "BEGIN")                                                                          \
    X(SQL_BEGIN_WRITING, "BEGIN IMMEDIATE")                                                        \
    X(SQL_COMMIT, "COMMIT")                                                                        \
    X(SQL_ROLLBACK, "ROLLBACK")                                                                    \
    X(SQL_SAVEPOINT, "SAVEPOINT request")                                                          \
    X(SQL_RELEASE, "RELEASE request")                                                              \
    X(SQL_ROLLBACK_TO, "ROLLBACK TO request")                                                      \
    X(SQL_DATA_VERSION, "PRAGMA data_version")                                                     \
    /* meta */                                                                                     \
    X(SQL_META_GET, "SELECT value FROM meta WHERE key = ?1")                                       \
    X(SQL_META_SET, "INSERT INTO meta (key, value, sum) VALUES (?1, ?2, row_sum(?1, ?2))"          \
                    " ON CONFLICT (key) DO UPDATE SET value = ?2, sum = excluded.sum")             \
    /* log: ?1 version, ?2 replica, ?3 seq, ?4 received, ?5 hash, ?6 signature, ?7 body */         \
    X(SQL_LOG_LAST, "SELECT coalesce(max(version), 0) FROM log")                                   \
    X(SQL_LOG_APPEND, "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"                        \
                      " row_sum(?1, ?2, ?3, ?4, ?5, ?6))")                                         \
    X(SQL_LOG_READ, "SELECT version, replica, seq, received_ms, hash, signature, body"             \
                    " FROM log WHERE version = ?1")                                                \
    X(SQL_LOG_FIND, "SELECT version, replica, seq, received_ms, hash, signature"                   \
                    " FROM log WHERE replica = ?1 AND seq = ?2")                                   \
    X(SQL_LOG_SOUND, "SELECT sum IS row_sum(version, replica, seq, received_ms, hash, signature)"  \
                     " FROM log WHERE version = ?1")                                               \
    X(SQL_LOG_REPLICA, "SELECT replica, seq FROM log WHERE version = ?1")                          \
    X(SQL_CHAIN_GET, "SELECT seq, hash, version FROM chain WHERE replica = ?1")                    \
    X(SQL_CHAIN_SET, "INSERT INTO chain VALUES (?1, ?2, ?3, ?4) ON CONFLICT (replica)"             \
                     " DO UPDATE SET seq = ?2, hash = ?3, version = ?4")                           \
    /* replicas */                                                                                 \
    X(SQL_REPLICA, "SELECT version, replica_type, number, officer_id, sign_key, channel_key,"      \
                   " state, predecessor, predecessor_seq, sign_keys IS NOT NULL,"                  \
                   " coalesce(rekey_ms, 0) FROM replica WHERE id = ?1")                            \
    X(SQL_REPLICA_BY_CHANNEL, "SELECT id FROM replica WHERE channel_key = ?1"                      \
                              " ORDER BY born DESC, n DESC LIMIT 1")                               \
    X(SQL_OFFICER_OF_CHANNEL, "SELECT officer_id FROM replica WHERE channel_key = ?1"              \
                              " ORDER BY born DESC, n DESC LIMIT 1")                               \
    X(SQL_REPLICAS_OF_CHANNEL, "SELECT id FROM replica WHERE channel_key = ?1"                     \
                               " ORDER BY born DESC, n DESC LIMIT ?2")                             \
    X(SQL_OFFICER_VERSION, "SELECT version FROM officer WHERE id = ?1")                            \
    X(SQL_OFFICER_ROLES, "SELECT roles FROM officer WHERE id = ?1 AND voided IS NOT 1")            \
    /* outcomes, waiting and dangling */                                                           \
    X(SQL_OUTCOME_SET, "INSERT INTO outcome (version, idx, code, field, text, changed_version,"    \
                       " replica, seq, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"        \
                       " ON CONFLICT (version, idx) DO UPDATE SET code = ?3, field = ?4,"          \
                       " text = ?5, changed_version = ?6")                                         \
    X(SQL_OUTCOMES, "SELECT idx, code, field, text FROM outcome WHERE version = ?1 ORDER BY idx")  \
    X(SQL_OUTCOMES_CHANGED,                                                                        \
      "SELECT seq, idx, code, field, text, version, changed_version FROM outcome"                  \
      " WHERE replica = ?1 AND (changed_version, version, idx) > (?2, ?3, ?4)"                     \
      " AND changed_version > version ORDER BY changed_version, version, idx")                     \
    X(SQL_OUTCOME_CASES, "SELECT id FROM cases WHERE set_version = ?1 AND idx = ?2 ORDER BY id")   \
    X(SQL_APPLY_ANY, "SELECT EXISTS (SELECT 1 FROM waiting), EXISTS (SELECT 1 FROM dangling),"     \
                     " EXISTS (SELECT 1 FROM late)")                                               \
    X(SQL_WAITING_ADD, "INSERT INTO waiting (version, idx, record, kind, change)"                  \
                       " VALUES (?1, ?2, ?3, ?4, ?5)")                                             \
    X(SQL_WAITING_OF, "SELECT w.version, w.idx, w.change, l.replica, l.seq, l.hash, l.received_ms" \
                      " FROM waiting AS w JOIN log AS l ON l.version = w.version"                  \
                      " WHERE w.record = ?1 AND w.kind = ?2 ORDER BY w.version, w.idx LIMIT 1")    \
    X(SQL_WAITING_DROP, "DELETE FROM waiting WHERE version = ?1 AND idx = ?2")                     \
    X(SQL_DANGLING_ADD, "INSERT OR REPLACE INTO dangling VALUES (?1, ?2, ?3, ?4, ?5, ?6)")         \
    X(SQL_DANGLING_OF, "SELECT version, idx, field, kind FROM dangling WHERE target = ?1"          \
                       " ORDER BY version, idx, field")                                            \
    X(SQL_DANGLING_DROP,                                                                           \
      "DELETE FROM dangling WHERE target = ?1 AND version = ?2 AND idx = ?3 AND field = ?4")       \
    X(SQL_DANGLING_SETTLE, "UPDATE outcome SET code = 0, field = NULL, text = NULL,"               \
                           " changed_version = ?3 WHERE version = ?1 AND idx = ?2 AND code = 3"    \
                           " AND NOT EXISTS (SELECT 1 FROM dangling AS d"                          \
                           " WHERE d.version = ?1 AND d.idx = ?2)")                                \
    /* whose: what had waited and was applied later */                                             \
    X(SQL_LATE_GET, "SELECT set_version FROM late WHERE record = ?1 AND field = ?2"                \
                    " AND element = ?3 AND version = ?4")                                          \
    X(SQL_LATE_SET, "INSERT OR REPLACE INTO late VALUES (?1, ?2, ?3, ?4, ?5)")                     \
    X(SQL_LATE_DROP, "DELETE FROM late WHERE record = ?1 AND field = ?2 AND element = ?3"          \
                     " AND version = ?4")                                                          \
    X(SQL_LATE_ANY, "SELECT EXISTS (SELECT 1 FROM late)")                                          \
    /* what a change that had waited did to a record at this version, or its own record to an      \
     * attachment */                                                                               \
    X(SQL_LATE_AT, "SELECT 1 FROM late WHERE record = ?1 AND version = ?2 UNION ALL"               \
                   " SELECT 1 FROM cases WHERE record = ?1 AND opened_version = ?2"                \
                   " AND set_version <> ?2 UNION ALL"                                              \
                   " SELECT 1 FROM history WHERE record = ?1 AND field = 2 AND element = x''"      \
                   " AND version = ?2")                                                            \
    X(SQL_ATTACHED_ELSEWHERE, "SELECT id FROM attachment WHERE record_id = ?1"                     \
                              " AND unit_id IS NOT ?2 AND (?3 IS NULL OR unit_id = ?3)"            \
                              " ORDER BY id")                                                      \
    /* cases and history */                                                                        \
    X(SQL_CASE_OPEN, "INSERT OR IGNORE INTO cases (id, kind, record, cause, field, element,"       \
                     " other, base_version, theirs_version, base, theirs, mine, mine_value,"       \
                     " opened_version, idx, set_version) VALUES"                                   \
                     " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)")   \
    X(SQL_CASE_CLOSE, "UPDATE cases SET closed_version = ?2, resolution = ?3"                      \
                      " WHERE id = ?1 AND closed_version IS NULL")                                 \
    X(SQL_CASES_OPEN_OF, "SELECT id, cause, field, element, mine_value, other FROM cases"          \
                         " WHERE record = ?1 AND kind = ?2 AND closed_version IS NULL")            \
    X(SQL_CASES_OPEN_ABOUT, "SELECT id FROM cases WHERE record = ?1 AND closed_version IS NULL")   \
    X(SQL_CASES_OPEN_COUNT, "SELECT count(*) FROM cases WHERE record = ?1 AND kind = ?2"           \
                            " AND closed_version IS NULL")                                         \
    X(SQL_CASE_IS_OF, "SELECT 1 FROM cases WHERE id = ?1 AND record = ?2 AND kind = ?3")           \
    X(SQL_CASE_STATE, "SELECT record, mine, theirs, closed_version FROM cases WHERE id = ?1")      \
    X(SQL_HISTORY_ADD, "INSERT OR IGNORE INTO history VALUES (?1, ?2, ?3, ?4, ?5)")                \
    X(SQL_HISTORY_BETWEEN, "SELECT version FROM history WHERE record = ?1 AND field = ?2"          \
                           " AND element = ?3 AND version > ?4 AND version <= ?5"                  \
                           " ORDER BY version DESC")                                               \
    X(SQL_HISTORY_REPLACED, "SELECT value FROM history WHERE record = ?1 AND field = ?2"           \
                            " AND element = ?3 AND version = ?4")                                  \
    /* one record's story */                                                                       \
    X(SQL_PAST_VERSIONS, "SELECT version FROM history WHERE record = ?1"                           \
                         " UNION SELECT version FROM outcome WHERE record = ?1"                    \
                         " UNION SELECT set_version FROM late WHERE record = ?1"                   \
                         " UNION SELECT set_version FROM cases WHERE record = ?1"                  \
                         " UNION SELECT closed_version FROM cases WHERE record = ?1"               \
                         " AND closed_version IS NOT NULL")                                        \
    X(SQL_HISTORY_AT, "SELECT value FROM history WHERE record = ?1 AND field = ?2"                 \
                      " AND element = x'' AND version > ?3 ORDER BY version LIMIT 1")              \
    X(SQL_INVITATION_OF, "SELECT token_hash, officer, made_ms, expires_ms FROM invitation"         \
                         " WHERE replica = ?1 ORDER BY made_ms DESC LIMIT 1")                      \
    X(SQL_KIND_UNKNOWN, "SELECT kind FROM unknown_kind WHERE id = ?1")                             \
    X(SQL_OUTCOME_UNTOLD, "SELECT DISTINCT version FROM outcome WHERE record = x''")               \
    X(SQL_OUTCOME_TELL, "UPDATE outcome SET record = ?3 WHERE version = ?1 AND idx = ?2"           \
                        " AND record = x''")                                                       \
    X(SQL_PAST_CASES, "SELECT id FROM (SELECT id, opened_version, idx FROM cases"                  \
                      " WHERE record = ?1 UNION SELECT id, opened_version, idx FROM cases"         \
                      " WHERE other = ?1) ORDER BY opened_version, idx, id")                       \
    /* rules data */                                                                               \
    X(SQL_CODE_LISTS, "SELECT code, items FROM code_list WHERE voided IS NOT 1"                    \
                      " ORDER BY born, id")                                                        \
    X(SQL_EPOCH, "SELECT max(epoch) FROM registry")                                                \
    X(SQL_LINEAGES, "SELECT lineages FROM registry LIMIT 1")                                       \
    X(SQL_DEPARTURE_ADD, "INSERT OR IGNORE INTO departure VALUES (?1, ?2, ?3, ?4)")                \
    /* this node's own */                                                                          \
    X(SQL_CONTACT_SET,                                                                             \
      "INSERT INTO contact (replica, last_ms, skew_ms, waiting, schema, refused,"                  \
      " exchange, program, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, row_sum(?1, ?2, ?3, ?4, "  \
      "?5, ?6, ?7, ?8))"                                                                           \
      " ON CONFLICT (replica) DO UPDATE SET last_ms = ?2, skew_ms = ?3,"                           \
      " waiting = ?4, schema = ?5, refused = refused + ?6,"                                        \
      " exchange = max(exchange, ?7), program = ?8, sum = row_sum(replica, ?2, ?3, ?4, ?5, "       \
      "refused + ?6, max(exchange, ?7), ?8) WHERE ?9 OR ?7 > exchange")                            \
    X(SQL_CHANNEL_KNOWN, "SELECT 1 FROM replica WHERE channel_key = ?1 LIMIT 1")                   \
    X(SQL_QUARANTINE_COUNT, "SELECT count(*) FROM quarantine WHERE replica IN"                     \
                            " (SELECT id FROM replica WHERE channel_key = ?1)")                    \
    X(SQL_QUARANTINE_ADD,                                                                          \
      "INSERT OR IGNORE INTO quarantine (replica, hash, received_ms, signature,"                   \
      " body, seq, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, row_sum(?1, ?2, ?3, ?4, ?5, ?6))")         \
    X(SQL_QUARANTINE_OF, "SELECT replica, received_ms, hash, signature, body FROM quarantine"      \
                         " WHERE replica IN (SELECT id FROM replica WHERE channel_key = ?1)"       \
                         " ORDER BY replica, seq, received_ms")                                    \
    X(SQL_QUARANTINE_DROP, "DELETE FROM quarantine WHERE replica = ?1 AND hash = ?2")

#endif
