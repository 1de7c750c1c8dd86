/*
 * Quoting, version tables, arrays, and what libpq's errors become. No server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/db/query.h>

#include "../../../src/db/array.h"
#include "../../../src/db/fault.h"

static void query_quotes_literals(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	db_quote_literal(&out, "it's");
	assert_string_equal(buf_str(&out), "'it''s'");
	buf_clear(&out);
	db_quote_literal(&out, "a\\'b");
	assert_string_equal(buf_str(&out), "E'a\\\\''b'");
	buf_clear(&out);
	buf_add_str(&out, "x");
	db_quote_literal(&out, "\\");
	assert_string_equal(buf_str(&out), "x E'\\\\'");
	buf_clear(&out);
	db_quote_ident(&out, "odd \"name\"");
	assert_string_equal(buf_str(&out), "\"odd \"\"name\"\"\"");
	buf_fini(&out);
}

static void query_names_version_tables(void **state)
{
	static const struct {
		const char *table, *schema, *name, *sql;
	} cases[] = {
		{ "alembic_version", "", "alembic_version", "FROM \"alembic_version\" ORDER" },
		{ "app.alembic_version", "app", "alembic_version",
			"FROM \"app\".\"alembic_version\" ORDER" },
		{ "A\"b", "", "A\"b", "FROM \"A\"\"b\" ORDER" },
	};
	struct buf sql = BUF_INIT;
	char *schema, *name;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		db_version_table_split(cases[i].table, &schema, &name);
		assert_string_equal(schema, cases[i].schema);
		assert_string_equal(name, cases[i].name);
		buf_clear(&sql);
		db_query_versions(&sql, schema, name);
		assert_non_null(strstr(buf_str(&sql), cases[i].sql));
		free(schema);
		free(name);
	}
	buf_fini(&sql);
}

static void query_locks_nothing(void **state)
{
	static const char *const dangerous[] = { "regclass", "_size(", "pg_get_", "FOR UPDATE" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(dangerous) / sizeof(dangerous[0]); i++) {
		assert_null(strstr(db_query_facts, dangerous[i]));
		assert_null(strstr(db_query_sessions, dangerous[i]));
	}
	/* What the constants of the header say. */
	assert_int_equal(DB_WAITERS_MAX, 40);
	assert_non_null(strstr(db_query_sessions, "ORDER BY r.turn, r.place LIMIT 40"));
	assert_int_equal(DB_HOLDS_MAX, 30);
	assert_non_null(strstr(db_query_sessions, "h.place <= 30"));
}

static void query_reads_arrays(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *items[4];
	} cases[] = {
		{ "", 0, { NULL } },
		{ "{}", 0, { NULL } },
		{ "{1,22,0}", 3, { "1", "22", "0" } },
		{ "{\"AccessShareLock users\",plain}", 2, { "AccessShareLock users", "plain" } },
		{ "{\"a\\\"b\\\\c\",NULL,\"NULL\"}", 3, { "a\"b\\c", "", "NULL" } },
		{ "{\"a,}\",\"{b\"}", 2, { "a,}", "{b" } },
		{ "{\"cut off", 1, { "cut off" } },
		{ "no array", 0, { NULL } },
	};
	struct strlist list;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strlist_init(&list);
		array_parse(cases[i].text, &list);
		assert_int_equal(list.n, cases[i].n);
		for (k = 0; k < list.n; k++)
			assert_string_equal(list.items[k], cases[i].items[k]);
		strlist_fini(&list);
	}
}

static void fault_finds_the_server_s_words(void **state)
{
	const struct fault_where where = { "db.example", 5432, "boardofone", "bo1", NULL, NULL, false, false };
	char sqlstate[DB_SQLSTATE_SIZE];
	struct err err;

	(void)state;
	assert_int_equal(
		fault_of_connection(&where,
			"connection to server at \"127.3.2.1\", port 5432 failed: FATAL:  57P03: "
			"the "
			"database system is starting up\nLOCATION:  ProcessStartupPacket, x.c:1\n",
			sqlstate, &err),
		DB_FAULT_STARTING);
	assert_string_equal(sqlstate, "57P03");
	assert_string_equal(err.text,
		"PostgreSQL at db.example port 5432: the server takes no connections now: the "
		"database system is starting up");
	assert_int_equal(fault_of_connection(&where,
				 "connection to server at \"127.3.2.1\", port 5432 failed: FATAL:  "
				 "53300: sorry, "
				 "too many clients already\n",
				 sqlstate, &err),
		DB_FAULT_SLOTS);
	assert_string_equal(err.text, "PostgreSQL at db.example port 5432: the server has no "
				      "connection slot left for role "
				      "bo1: sorry, too many clients already");
}

static void fault_reads_what_has_no_sqlstate(void **state)
{
	struct fault_where where = { "db.example", 5432, "boardofone", "bo1", NULL, NULL, false, false };
	char sqlstate[DB_SQLSTATE_SIZE];
	struct err err;

	(void)state;
	assert_int_equal(
		fault_of_connection(&where,
			"connection to server at \"127.3.2.1\", port 5432 failed: SSL error: "
			"certificate verify failed\n",
			sqlstate, &err),
		DB_FAULT_OTHER);
	assert_string_equal(sqlstate, "");
	assert_string_equal(err.text,
		"PostgreSQL at db.example port 5432: the server's certificate is not signed by an "
		"authority of sslrootcert (PGSSLROOTCERT, ~/.postgresql/root.crt): SSL error: "
		"certificate verify failed");
	assert_int_equal(fault_of_connection(&where, "", sqlstate, &err), DB_FAULT_UNREACHABLE);
	assert_non_null(strstr(err.text, "no reason was given"));
	where.was_up = true;
	assert_int_equal(fault_of_connection(&where,
				 "server closed the connection unexpectedly\n\tx", sqlstate, &err),
		DB_FAULT_LOST);
	assert_string_equal(err.text,
		"the connection to PostgreSQL at db.example port 5432 broke: server closed the "
		"connection unexpectedly");
	where.was_up = false;
	where.needs_password = true;
	where.host = "/run/postgresql";
	assert_int_equal(
		fault_of_connection(&where, "fe_sendauth: no password supplied\n", sqlstate, &err),
		DB_FAULT_PASSWORD_NEEDED);
	assert_string_equal(err.text, "PostgreSQL at /run/postgresql asks for a password of role "
				      "bo1: put it in ~/.pgpass "
				      "(or PGPASSFILE, PGPASSWORD)");
}

static void fault_classes_query_errors(void **state)
{
	struct err err;

	(void)state;
	fault_of_query("57014", "canceling statement due to statement timeout", NULL, &err);
	assert_int_equal(err.code, ERR_TIMEOUT);
	fault_of_query("57014", "canceling statement due to user request", NULL, &err);
	assert_int_equal(err.code, ERR_CANCELLED);
	fault_of_query("55P03", "canceling statement due to lock timeout", NULL, &err);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "blocking tree"));
	fault_of_query("23505", "duplicate key", "Key (version_num)=(a) already exists.", &err);
	assert_string_equal(err.text, "PostgreSQL: duplicate key: Key (version_num)=(a) already "
				      "exists. (SQLSTATE 23505)");
	assert_int_equal(err.code, ERR_DATABASE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_quotes_literals),
		cmocka_unit_test(query_names_version_tables),
		cmocka_unit_test(query_locks_nothing),
		cmocka_unit_test(query_reads_arrays),
		cmocka_unit_test(fault_finds_the_server_s_words),
		cmocka_unit_test(fault_reads_what_has_no_sqlstate),
		cmocka_unit_test(fault_classes_query_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
