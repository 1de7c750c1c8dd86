/*
 * Facts about the schema that are asked for on request, not every second: tables that must be there,
 * and indexes that a failed build left invalid. Names come from the catalogue; no lock on a user's
 * table is taken.
 */
#ifndef PGONCALL_DB_SCHEMA_H
#define PGONCALL_DB_SCHEMA_H

#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>
#include <pgoncall/db/conn.h>

struct db_schema_facts {
	struct strlist missing_tables;  /* of those asked for, as asked */
	struct strlist invalid_indexes; /* "schema.index on schema.table"; none that is being built */
};

/* Exactly one of facts (valid until the callback returns) and err is given. */
typedef void (*db_schema_cb)(void *arg, const struct db_schema_facts *facts, const struct err *err);

/* tables: NAME (found by search_path) or SCHEMA.NAME each. One round trip. */
void db_schema_ask(
	struct db_conn *conn, const struct strlist *tables, db_schema_cb cb, void *arg);

#endif
