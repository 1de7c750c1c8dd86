/*
 * Asking for schema facts; the statement stands here, since nobody else sends it.
 */
#include <pgoncall/db/schema.h>

#include <stdlib.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

#include "array.h"

/*
 * Servers 13 to 17. to_regclass looks a name up without locking what it names. The scan of pg_index
 * reads some hundred rows; an index being built is invalid as well, and is left out by the progress
 * view (rows of other roles' builds show only their pid there without pg_read_all_stats, so such an
 * index is then listed).
 */
static const char schema_sql[] =
	"SELECT 'missing', t.name\n"
	"FROM pg_catalog.unnest($1::text[]) AS t(name)\n"
	"WHERE pg_catalog.to_regclass(\n"
	"	CASE WHEN pg_catalog.strpos(t.name, '.') > 0\n"
	"		THEN pg_catalog.quote_ident(pg_catalog.split_part(t.name, '.', 1)) || '.' ||\n"
	"			pg_catalog.quote_ident(pg_catalog.split_part(t.name, '.', 2))\n"
	"		ELSE pg_catalog.quote_ident(t.name) END) IS NULL\n"
	"UNION ALL\n"
	"SELECT 'invalid', n.nspname || '.' || i.relname || ' on ' || n.nspname || '.' || c.relname\n"
	"FROM pg_catalog.pg_index x\n"
	"JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid\n"
	"JOIN pg_catalog.pg_class c ON c.oid = x.indrelid\n"
	"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
	"WHERE NOT x.indisvalid AND c.relkind IN ('r', 'm', 't')\n"
	"	AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p\n"
	"		WHERE p.index_relid = x.indexrelid)";

struct schema_ask {
	db_schema_cb cb;
	void *arg;
};

static void schema_on_result(void *arg, const struct db_result *result, const struct err *err)
{
	struct schema_ask *ask = arg;
	struct db_schema_facts facts;
	size_t i;

	strlist_init(&facts.missing_tables);
	strlist_init(&facts.invalid_indexes);
	for (i = 0; result && i < db_result_rows(result); i++)
		strlist_add(db_result_value(result, i, 0)[0] == 'm' ? &facts.missing_tables
								    : &facts.invalid_indexes,
			db_result_value(result, i, 1));
	ask->cb(ask->arg, err ? NULL : &facts, err);
	strlist_fini(&facts.missing_tables);
	strlist_fini(&facts.invalid_indexes);
	free(ask);
}

void db_schema_ask(struct db_conn *conn, const struct strlist *tables, db_schema_cb cb, void *arg)
{
	struct schema_ask *ask = mem_calloc(1, sizeof(*ask));
	struct buf names = BUF_INIT;
	const char *params[1];
	struct db_query query = { schema_sql, params, 1 };

	ask->cb = cb;
	ask->arg = arg;
	array_format(tables, &names);
	params[0] = buf_str(&names);
	db_conn_query(conn, &query, schema_on_result, ask);
	buf_fini(&names);
}
