/* A module that is called fts5 and does nothing: see past.h. Knows SQLite and no table of ours. */
#include "past.h"

#include "row.h"

/* What FTS5 makes for a table. */
#define SHADOWS                                                                                    \
    "DROP TABLE IF EXISTS \"%w_data\"; DROP TABLE IF EXISTS \"%w_idx\"; "                          \
    "DROP TABLE IF EXISTS \"%w_content\"; DROP TABLE IF EXISTS \"%w_docsize\"; "                   \
    "DROP TABLE IF EXISTS \"%w_config\""

struct past {
    sqlite3_vtab base; /* first: what SQLite holds */
    sqlite3 *db;
    char *drop;
};

static void past_free(struct past *p)
{
    sqlite3_free(p->drop);
    sqlite3_free(p);
}

static int past_disconnect(sqlite3_vtab *table)
{
    past_free((struct past *)(void *)table);
    return SQLITE_OK;
}

static int past_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message)
{
    struct past *p = sqlite3_malloc((int)sizeof *p);
    const char *name = argv[2];
    int code;

    (void)aux, (void)argc, (void)message;
    if (!p)
        return SQLITE_NOMEM;
    *p = (struct past){.db = db};
    p->drop = sqlite3_mprintf(SHADOWS, name, name, name, name, name);
    code = p->drop ? sqlite3_declare_vtab(db, "CREATE TABLE past (text)") : SQLITE_NOMEM;
    if (code != SQLITE_OK)
        past_free(p);
    else
        *out = &p->base;
    return code;
}

static int past_destroy(sqlite3_vtab *table)
{
    const struct past *p = (const struct past *)(const void *)table;
    int code = sqlite3_exec(p->db, p->drop, NULL, NULL, NULL);

    return code == SQLITE_OK ? past_disconnect(table) : code;
}

static int past_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table, (void)info;
    return SQLITE_ERROR;
}

static int past_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table, (void)out;
    return SQLITE_ERROR;
}

enum ocop_status past_open(sqlite3 *db, struct ocop_error *err)
{
    static const sqlite3_module module = {.iVersion = 1,
                                          .xCreate = past_connect,
                                          .xConnect = past_connect,
                                          .xBestIndex = past_best_index,
                                          .xDisconnect = past_disconnect,
                                          .xDestroy = past_destroy,
                                          .xOpen = past_cursor};

    if (sqlite3_create_module_v2(db, "fts5", &module, NULL, NULL) != SQLITE_OK)
        return db_error(db, err, "preparing to migrate");
    return OCOP_OK;
}
