/*
 * Alembic's offline mode: how it is asked, and which part of its answer is one revision's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/migrations/offline.h>

#include "graph_fixture.h"

static void expect_args(const char *id, bool down, const char *want)
{
	struct migration_graph *graph = fixture_build(fixture_graph);
	struct buf got = BUF_INIT;
	struct strlist args;
	size_t i;

	strlist_init(&args);
	migration_offline_args(migration_graph_find(graph, id), down, &args);
	for (i = 0; i < args.n; i++)
		buf_printf(&got, "%s%s", i ? " " : "", args.items[i]);
	assert_string_equal(buf_str(&got), want);
	strlist_fini(&args);
	buf_fini(&got);
	migration_graph_free(graph);
}

static void offline_asks_for_one_revision(void **state)
{
	(void)state;
	expect_args("e0", false, "upgrade --sql -- d0:e0");
	expect_args("e0", true, "downgrade --sql -- e0:d0");
	expect_args("a0", false, "upgrade --sql -- a0");
	expect_args("a0", true, "downgrade --sql -- a0:base");
	expect_args("d0", false, "upgrade --sql -- c1:d0");
}

static void expect_part(const char *text, const char *id, bool down, bool found, const char *want)
{
	struct buf got = BUF_INIT;

	assert_int_equal(migration_offline_part(text, strlen(text), id, down, &got), found);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
}

static void offline_cuts_out_its_part(void **state)
{
	static const char up[] = "BEGIN;\n\n-- Running upgrade  -> aa\n\nCREATE TABLE a ();\n\n"
				 "-- Running upgrade aa -> aab, a second\n\nCREATE TABLE b ();\n\n"
				 "COMMIT;\n\n";
	static const char down[] = "BEGIN;\n\n-- Running downgrade aab -> aa\n\nDROP TABLE b;\n\n"
				   "-- Running downgrade aa -> \n\nDROP TABLE a;\n\nCOMMIT;\n";

	(void)state;
	expect_part(up, "aa", false, true, "-- Running upgrade  -> aa\n\nCREATE TABLE a ();");
	expect_part(up, "aab", false, true,
		"-- Running upgrade aa -> aab, a second\n\nCREATE TABLE b ();");
	expect_part(down, "aa", true, true, "-- Running downgrade aa -> \n\nDROP TABLE a;");
	expect_part(down, "aab", true, true, "-- Running downgrade aab -> aa\n\nDROP TABLE b;");
	/* What has come so far; and what is about something else. */
	expect_part("BEGIN;\n\n-- Running upgrade aa -> aab\n\nCREATE", "aab", false, true,
		"-- Running upgrade aa -> aab\n\nCREATE");
	expect_part("hello\n", "aa", false, false, "hello");
	expect_part("", "aa", false, false, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offline_asks_for_one_revision),
		cmocka_unit_test(offline_cuts_out_its_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
