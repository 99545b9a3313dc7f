/* Names of the server's statements, in the order of the table in registry.c. */
#ifndef SERVER_REGISTRY_STMTS_H
#define SERVER_REGISTRY_STMTS_H

#include "registry_core_sql.h"
#include "registry_sql.h"

enum registry_statement {
#define X(name, text) name,
    REGISTRY_CORE_SQL(X) REGISTRY_SQL(X)
#undef X
        SQL_COUNT
};

#endif
