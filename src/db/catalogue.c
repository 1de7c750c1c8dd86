/*
 * Asking the catalogue which tables keep book of migrations; the statements stand here, since nobody
 * else sends them. Only the one that reads a book touches a table of the user.
 */
#include <pgoncall/db/catalogue.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/query.h>

/* The SQL keeps its own shape. */
/* clang-format off */

/*
 * Alembic's table has one column, version_num, of characters; where somebody added columns, its name
 * must tell. Servers 13 to 17; one pass over pg_class, no lock on what it names.
 */
static const char version_tables_sql[] =
	"SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname::text\n"
	"	ELSE n.nspname || '.' || c.relname END\n"
	"FROM pg_catalog.pg_class c\n"
	"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
	"JOIN pg_catalog.pg_attribute v ON v.attrelid = c.oid AND v.attname = 'version_num'\n"
	"	AND v.attnum > 0 AND NOT v.attisdropped AND v.atttypid IN (25, 1042, 1043)\n"
	"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')\n"
	"AND n.nspname <> 'information_schema' AND pg_catalog.left(n.nspname, 3) <> 'pg_'\n"
	"AND pg_catalog.strpos(c.relname, '.') = 0 AND pg_catalog.strpos(n.nspname, '.') = 0\n"
	"AND (c.relname ~* 'alembic' OR 1 = (SELECT pg_catalog.count(*)\n"
	"	FROM pg_catalog.pg_attribute a\n"
	"	WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))\n"
	"ORDER BY c.relname <> 'alembic_version', NOT pg_catalog.pg_table_is_visible(c.oid), 1\n"
	"LIMIT 20";

/*
 * Columns of a table of this name that may name a file: characters or whole numbers. Those that a
 * unique index keeps come first, then those with a telling name. Servers 13 to 17.
 */
static const char book_columns_sql[] =
	"WITH book AS MATERIALIZED (\n"
	"	SELECT c.oid, n.nspname, c.relname\n"
	"	FROM pg_catalog.pg_class c\n"
	"	JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
	"	WHERE c.relname = $1::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')\n"
	"	AND n.nspname <> 'information_schema' AND pg_catalog.left(n.nspname, 3) <> 'pg_'\n"
	"	ORDER BY NOT pg_catalog.pg_table_is_visible(c.oid), n.nspname LIMIT 1\n"
	")\n"
	"SELECT b.nspname, b.relname, a.attname\n"
	"FROM book b JOIN pg_catalog.pg_attribute a ON a.attrelid = b.oid\n"
	"WHERE a.attnum > 0 AND NOT a.attisdropped\n"
	"AND a.atttypid IN (19, 20, 21, 23, 25, 1042, 1043)\n"
	"ORDER BY a.attname !~* 'file|name|script|migration|version|path',\n"
	"	NOT EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid = b.oid\n"
	"		AND x.indisunique AND x.indnatts = 1 AND x.indkey[0] = a.attnum),\n"
	"	a.atttypid IN (20, 21, 23), a.attnum\n"
	"LIMIT 16";

/* clang-format on */

/* --- version tables -------------------------------------------------------------------------- */

struct tables_ask {
	db_version_tables_cb cb;
	void *arg;
};

static void tables_on_result(void *arg, const struct db_result *result, const struct err *err)
{
	struct tables_ask *ask = arg;
	struct strlist names;
	size_t i;

	strlist_init(&names);
	for (i = 0; result && i < db_result_rows(result); i++)
		strlist_add(&names, db_result_value(result, i, 0));
	ask->cb(ask->arg, err ? NULL : &names, err);
	strlist_fini(&names);
	free(ask);
}

void db_version_tables_ask(struct db_conn *conn, db_version_tables_cb cb, void *arg)
{
	struct tables_ask *ask = mem_calloc(1, sizeof(*ask));
	struct db_query query = { version_tables_sql, NULL, 0 };

	ask->cb = cb;
	ask->arg = arg;
	db_conn_query(conn, &query, tables_on_result, ask);
}

/* --- a book of files ------------------------------------------------------------------------- */

struct book_ask {
	struct db_conn *conn;
	db_book_cb cb;
	void *arg;
	struct db_book book;
};

static void book_end(struct book_ask *ask, const struct err *err)
{
	size_t i;

	ask->cb(ask->arg, err ? NULL : &ask->book, err);
	for (i = 0; i < ask->book.n; i++) {
		free(ask->book.columns[i].name);
		strlist_fini(&ask->book.columns[i].values);
	}
	free(ask->book.table);
	free(ask);
}

static void book_on_rows(void *arg, const struct db_result *result, const struct err *err)
{
	struct book_ask *ask = arg;
	size_t i, k;

	for (i = 0; result && i < db_result_rows(result); i++)
		for (k = 0; k < ask->book.n; k++)
			strlist_add(&ask->book.columns[k].values, db_result_value(result, i, k));
	book_end(ask, err);
}

/* Reads a user's table: it may queue behind AccessExclusive, for lock_timeout at most. Any server. */
static void book_read(struct book_ask *ask, const char *schema, const char *table)
{
	struct buf sql = BUF_INIT;
	struct db_query query = { NULL, NULL, 0 };
	size_t k;

	buf_add_str(&sql, "SELECT ");
	for (k = 0; k < ask->book.n; k++) {
		buf_add_str(&sql, k ? ", " : "");
		db_quote_ident(&sql, ask->book.columns[k].name);
		buf_add_str(&sql, "::text");
	}
	buf_add_str(&sql, " FROM ");
	db_quote_ident(&sql, schema);
	buf_add_char(&sql, '.');
	db_quote_ident(&sql, table);
	buf_add_str(&sql, " LIMIT 20000");
	query.sql = buf_str(&sql);
	db_conn_query(ask->conn, &query, book_on_rows, ask);
	buf_fini(&sql);
}

static void book_on_columns(void *arg, const struct db_result *result, const struct err *err)
{
	struct book_ask *ask = arg;
	size_t i, n = result ? db_result_rows(result) : 0;

	if (err || !n) {
		book_end(ask, err);
		return;
	}
	free(ask->book.table);
	ask->book.table =
		mem_printf("%s.%s", db_result_value(result, 0, 0), db_result_value(result, 0, 1));
	for (i = 0; i < n && i < DB_BOOK_COLUMNS_MAX; i++)
		ask->book.columns[ask->book.n++].name = mem_strdup(db_result_value(result, i, 2));
	book_read(ask, db_result_value(result, 0, 0), db_result_value(result, 0, 1));
}

void db_book_ask(struct db_conn *conn, const char *table, db_book_cb cb, void *arg)
{
	struct book_ask *ask = mem_calloc(1, sizeof(*ask));
	const char *params[1] = { table };
	struct db_query query = { book_columns_sql, params, 1 };

	ask->conn = conn;
	ask->cb = cb;
	ask->arg = arg;
	ask->book.table = mem_strdup("");
	db_conn_query(conn, &query, book_on_columns, ask);
}
