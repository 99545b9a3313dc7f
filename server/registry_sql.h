/* SQL of enrolment, cases, scope and feed. */
#ifndef SERVER_REGISTRY_SQL_H
#define SERVER_REGISTRY_SQL_H

#define REGISTRY_SQL(X)                                                                            \
    /* invitations */                                                                              \
    X(SQL_INVITATION_ADD, "INSERT INTO invitation (token_hash, officer, scope, made_ms,"           \
                          " expires_ms, sum) VALUES (?1, ?2, ?3, ?4, ?5, row_sum(?1, ?2, ?3, ?4, " \
                          "?5, NULL, NULL, NULL, 0, 0, 0, 0))")                                    \
    X(SQL_INVITATION, "SELECT officer, scope, expires_ms, replica, sign_key, channel_key,"         \
                      " revoked_ms > 0 FROM invitation WHERE token_hash = ?1")                     \
    X(SQL_INVITATION_USE,                                                                          \
      "UPDATE invitation SET replica = ?2, sign_key = ?3, channel_key = ?4,"                       \
      " used_ms = ?5, sum = row_sum(token_hash, officer, scope, made_ms, expires_ms, ?2, ?3, ?4, " \
      "refused, ?5, refused_ms, revoked_ms) WHERE token_hash = ?1")                                \
    X(SQL_INVITATION_REFUSE,                                                                       \
      "UPDATE invitation SET refused = refused + 1, refused_ms = ?2, sum = row_sum(token_hash, "   \
      "officer, scope, made_ms, expires_ms, replica, sign_key, channel_key, refused + 1, "         \
      "used_ms, ?2, revoked_ms)"                                                                   \
      " WHERE token_hash = ?1")                                                                    \
    X(SQL_REPLICA_NUMBER, "SELECT 1 + max(coalesce(max(number), 0),"                               \
                          " coalesce((SELECT CAST(value AS INTEGER) FROM meta"                     \
                          " WHERE key = 'number_floor'), 0)) FROM replica")                        \
    X(SQL_NUMBER_USED, "SELECT 1 FROM replica WHERE number = ?1 LIMIT 1")                          \
    X(SQL_REPLICAS_OF_KEYS, "SELECT id, version, state FROM replica"                               \
                            " WHERE replica_type = 'device'"                                       \
                            " AND (channel_key = ?1 OR sign_key = ?2) ORDER BY id")                \
    X(SQL_REPLICA_SIGN_KEYS, "SELECT sign_keys FROM replica WHERE id = ?1")                        \
    /* channel key ?1, signing key ?2; the same as they stand in a list, ?3 and ?4: is one of */   \
    /* them revoked; and was it replaced, or is it held, by others than ?5? */                     \
    X(SQL_KEYS_STANDING,                                                                           \
      "SELECT coalesce(max(state IN ('revoked', 'wiped')), 0), coalesce(max(id IS NOT ?5"          \
      " AND ((channel_key IS NOT ?1 AND instr(sign_keys, ?3) > 0)"                                 \
      " OR (sign_key IS NOT ?2 AND instr(sign_keys, ?4) > 0))), 0),"                               \
      " coalesce(max(id IS NOT ?5), 0) FROM replica WHERE channel_key = ?1 OR sign_key = ?2"       \
      " OR instr(sign_keys, ?3) > 0 OR instr(sign_keys, ?4) > 0")                                  \
    X(SQL_REPLICA_REASON, "SELECT coalesce(state_reason, '') FROM replica WHERE id = ?1")          \
    X(SQL_KEY_STOPPED, "SELECT id, state = 'suspended' FROM replica WHERE channel_key = ?1 AND"    \
                       " state IN ('revoked', 'wiped', 'suspended') ORDER BY 2 LIMIT 1")           \
    X(SQL_KEY_USES, "SELECT count(*), coalesce(sum(state IS NOT 'active'), 0) FROM replica"        \
                    " WHERE channel_key = ?1")                                                     \
    X(SQL_FIRST_SETS, "SELECT l.version FROM replica AS p JOIN log AS l ON l.replica = p.id"       \
                      " AND l.seq = 1 WHERE p.channel_key = ?1")                                   \
    X(SQL_INVITATIONS_CLOSE, "UPDATE invitation SET expires_ms = 0, sum = row_sum(token_hash, "    \
                             "officer, scope, made_ms, 0, replica, sign_key, channel_key, "        \
                             "refused, used_ms, refused_ms, revoked_ms) WHERE replica IS NULL")    \
    X(SQL_REPLICA_SCOPE, "SELECT scope, records FROM replica WHERE id = ?1")                       \
    X(SQL_OFFICER_NAME, "SELECT name FROM officer WHERE id = ?1")                                  \
    /* cases */                                                                                    \
    X(SQL_CASE_LOAD, "SELECT id, kind, record, cause, field, element, other, base_version,"        \
                     " theirs_version, base, theirs, mine, opened_version, idx,"                   \
                     " coalesce(closed_version, 0), coalesce(resolution, ''), mine_value,"         \
                     " set_version"                                                                \
                     " FROM cases WHERE id = ?1")                                                  \
    X(SQL_CASE_IDS, "SELECT id FROM cases WHERE ?1 = 0 OR closed_version IS NULL"                  \
                    " ORDER BY opened_version, idx, id")                                           \
    X(SQL_CASES_NEWS, "SELECT id, record, other FROM cases WHERE opened_version > ?1"              \
                      " UNION SELECT id, record, other FROM cases WHERE closed_version > ?1")      \
    /* "record > x''" is always true; with it the index of open cases is used */                   \
    X(SQL_CASES_COLLIDING, "SELECT id, other, NULL FROM cases WHERE record > x''"                  \
                           " AND closed_version IS NULL AND other IS NOT NULL")                    \
    X(SQL_CASES_ANY_OPEN, "SELECT EXISTS (SELECT 1 FROM cases WHERE record > x''"                  \
                          " AND closed_version IS NULL)")                                          \
    /* scope */                                                                                    \
    X(SQL_SCOPE_HAS, "SELECT since FROM scope WHERE replica = ?1 AND anchor = ?2")                 \
    X(SQL_SCOPE_OF, "SELECT anchor, since FROM scope WHERE replica = ?1 ORDER BY anchor")          \
    X(SQL_SCOPE_ADD, "INSERT OR IGNORE INTO scope VALUES (?1, ?2, ?3)")                            \
    X(SQL_SCOPE_DROP, "DELETE FROM scope WHERE replica = ?1 AND anchor = ?2")                      \
    X(SQL_SCOPE_LEFT_ADD, "INSERT OR REPLACE INTO scope_left VALUES (?1, ?2, ?3)")                 \
    X(SQL_SCOPE_LEFT_DROP, "DELETE FROM scope_left WHERE replica = ?1 AND anchor = ?2")            \
    X(SQL_SCOPE_LEFT_SINCE, "SELECT anchor FROM scope_left WHERE replica = ?1 AND version > ?2")   \
    X(SQL_DEVICES,                                                                                 \
      "SELECT id, scope, state IN ('active', 'suspended', 'wipe'), records FROM replica"           \
      " WHERE replica_type = 'device' ORDER BY id")                                                \
    X(SQL_DEVICES_AT,                                                                              \
      "SELECT id, scope, state IN ('active', 'suspended', 'wipe'), records FROM replica"           \
      " WHERE version = ?1 AND replica_type = 'device' ORDER BY id")                               \
    X(SQL_UNITS, "SELECT id, parent_id, successors, anchor, level, version FROM unit"              \
                 " ORDER BY id")                                                                   \
    X(SQL_UNIT_PARENT, "SELECT p.id FROM unit AS u JOIN unit AS p ON p.id = u.parent_id"           \
                       " WHERE u.id = ?1 AND p.level IS NOT 'country'")                            \
    X(SQL_DEPARTURE_DROP, "DELETE FROM departure WHERE anchor = ?1 AND version = ?2"               \
                          " AND kind = ?3 AND id = ?4")                                            \
    X(SQL_UNIT_ANCHOR, "UPDATE unit SET anchor = ?2, version = ?3 WHERE id = ?1")                  \
    /* contents of attachments: ?1 hash, ?2 officer, ?3 size */                                    \
    /* NULL: none; 0: the contents of all were removed */                                          \
    X(SQL_FILE_OF_OFFICER, "SELECT max(removed_ms IS NULL) FROM attachment WHERE hash = ?1"        \
                           " AND officer_id = ?2 AND size = ?3")                                   \
    X(SQL_FILE_READABLE,                                                                           \
      "SELECT t.id, t.unit_id, t.officer_id FROM attachment AS t WHERE t.hash = ?1"                \
      " AND t.size = ?2 AND t.removed_ms IS NULL AND EXISTS (SELECT 1 FROM brought AS b WHERE "    \
      "b.hash = ?1"                                                                                \
      " AND b.officer = t.officer_id) ORDER BY t.n")                                               \
    X(SQL_BROUGHT, "SELECT 1 FROM brought WHERE hash = ?1 AND officer = ?2")                       \
    X(SQL_BROUGHT_SET, "INSERT OR IGNORE INTO brought VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))")   \
    X(SQL_FILE_BYTES_OF, "SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT hash, size"          \
                         " FROM attachment WHERE officer_id = ?1 AND removed_ms IS NULL)")         \
    X(SQL_LACKING, "SELECT DISTINCT l.hash, a.size FROM lacking AS l JOIN attachment AS a"         \
                   " ON a.hash = l.hash WHERE l.hash >= ?1 AND a.removed_ms IS NULL"               \
                   " ORDER BY l.hash, a.size LIMIT ?2")                                            \
    X(SQL_LACKING_SET, "INSERT INTO lacking VALUES (?1, ?2, row_sum(?1, ?2)) "                     \
                       "ON CONFLICT (hash) DO UPDATE SET "                                         \
                       "since_ms = excluded.since_ms, sum = excluded.sum")                         \
    X(SQL_LACKING_DROP, "DELETE FROM lacking WHERE hash = ?1")                                     \
    X(SQL_BROUGHT_DROP, "DELETE FROM brought WHERE hash = ?1")                                     \
    X(SQL_BROUGHT_ANY, "SELECT 1 FROM brought WHERE hash = ?1 LIMIT 1")                            \
    /* feed */                                                                                     \
    /* ... and those that moved out of it since version ?3 to where device ?2 does not follow */   \
    X(SQL_UNITS_AT, "SELECT id FROM unit WHERE anchor = ?1 UNION SELECT u.id"                      \
                    " FROM departure AS d JOIN unit AS u ON u.id = d.id"                           \
                    " WHERE d.anchor = ?1 AND d.version > ?3 AND NOT EXISTS (SELECT 1"             \
                    " FROM scope AS s WHERE s.replica = ?2 AND s.anchor = u.anchor) ORDER BY 1")   \
    /* told up to version ?2, table ?3 and id ?4; ?5 is the table of unknown kinds */              \
    X(SQL_DEPARTURES, "SELECT d.version, d.kind, d.id FROM scope AS s CROSS JOIN departure AS d"   \
                      " WHERE s.replica = ?1 AND d.anchor = s.anchor AND d.version >= ?2"          \
                      " AND (d.version, min(d.kind, ?5), d.id) > (?2, ?3, ?4)"                     \
                      " ORDER BY d.version, min(d.kind, ?5), d.id LIMIT ?6")

#endif
