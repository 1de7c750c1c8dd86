/*
 * What :sql takes: statements that read, and which functions they call, however these are spelled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/db/read.h>

static void read_takes_what_reads(void **state)
{
	static const struct {
		const char *sql;
		int rc;
		bool cursor;
		const char *functions; /* separated by blanks */
	} cases[] = {
		{ "SELECT 1", 0, true, "" },
		{ " /* x /* y */ */ -- z\n (select count(*) from users)", 0, true, "count" },
		{ "SHOW max_connections", 0, false, "" },
		{ "explain analyze select f (1)", 0, false, "f" },
		{ "SELECT pg_catalog . Pg_Terminate_Backend /* */ (1)", 0, true,
			"pg_terminate_backend" },
		{ "SELECT \"pg_cancel_backend\"(1), \"a\"\"b\"(2)", 0, true,
			"pg_cancel_backend a\"b" },
		{ "SELECT 'g(1)', E'it\\'s f(1)', $$h(1)$$, $t$ k(1) $t$, 'a''b(1)'", 0, true, "" },
		{ "WITH x AS (SELECT 1) SELECT now() FROM x", 0, true, "as now" },
		{ "SELECT U&\"\\0070g\"(1)", -1, true, "" },
		{ "DELETE FROM users", -1, false, "" },
		{ "SELECTS 1", -1, false, "" },
		{ "", -1, false, "" },
		{ "begin", -1, false, "" },
		{ "COPY users TO PROGRAM 'x'", -1, false, "" },
	};
	struct strlist functions;
	struct buf got = BUF_INIT;
	bool cursor = false;
	struct err err;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strlist_init(&functions);
		assert_int_equal(
			db_read_check(cases[i].sql, &cursor, &functions, &err), cases[i].rc);
		buf_clear(&got);
		for (k = 0; k < functions.n; k++)
			buf_printf(&got, "%s%s", k ? " " : "", functions.items[k]);
		if (cases[i].rc == 0) {
			assert_string_equal(buf_str(&got), cases[i].functions);
			assert_int_equal(cursor, cases[i].cursor);
		}
		strlist_fini(&functions);
	}
	buf_fini(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_takes_what_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
