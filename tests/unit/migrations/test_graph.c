/*
 * The graph: order, heads, where the database stands, and what is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/migrations/graph.h>

#include "graph_fixture.h"

static void expect_list(
	const struct migration_graph *graph, const struct migration_list *list, const char *want)
{
	struct buf got = BUF_INIT;

	migration_graph_add_ids(graph, list, &got);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
}

static void expect_order(const struct migration_graph *graph, const char *want)
{
	struct buf got = BUF_INIT;
	size_t i;

	for (i = 0; i < graph->n; i++)
		buf_printf(&got, "%s%s", i ? " " : "", graph->revisions[i].id);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
}

/* "id:state …", in display order. */
static void expect_states(const struct migration_graph *graph, const char *want)
{
	struct buf got = BUF_INIT;
	size_t i;

	for (i = 0; i < graph->n; i++)
		buf_printf(&got, "%s%s:%s", i ? " " : "", graph->revisions[i].id,
			migration_state_name(graph->revisions[i].state));
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
}

static void expect_problems(const struct migration_graph *graph, const char *want)
{
	struct buf got = BUF_INIT;
	size_t i;

	for (i = 0; i < graph->problems.n; i++)
		buf_printf(&got, "%s: %s\n", graph->problems.items[i].code,
			graph->problems.items[i].text);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
}

static void graph_of_the_guide_is_one_line(void **state)
{
	struct migration_graph *g = fixture_build(fixture_guide);

	(void)state;
	expect_order(g, "622dbc22743e 001_research_metrics f23423398b2a 9f3c7b8e2d1a 8a5d2f9e1b3c "
			"71a746e3c1d9 2f7e9d4c8b1a ced8f3f148bb");
	expect_list(g, &g->heads, "622dbc22743e");
	assert_true(g->revisions[0].is_head && g->revisions[0].is_real_head);
	assert_true(g->revisions[7].is_base);
	assert_false(g->marked);
	assert_int_equal(g->revisions[3].state, MIGRATION_UNKNOWN);
	assert_true(fixture_mark(g, "f23423398b2a"));
	expect_list(g, &g->current, "f23423398b2a");
	expect_list(g, &g->pending, "001_research_metrics, 622dbc22743e");
	assert_int_equal(g->revisions[2].state, MIGRATION_CURRENT);
	assert_int_equal(g->revisions[3].state, MIGRATION_APPLIED);
	assert_false(fixture_mark(g, "f23423398b2a"));
	assert_true(fixture_mark(g, "622dbc22743e"));
	assert_int_equal(g->pending.n, 0);
	expect_problems(g, "");
	migration_graph_free(g);
}

static void graph_without_rows_is_all_pending(void **state)
{
	struct migration_graph *g = fixture_build("a\nb <- a\n");

	(void)state;
	assert_true(fixture_mark(g, ""));
	expect_states(g, "b:pending a:pending");
	expect_list(g, &g->pending, "a, b");
	expect_list(g, &g->current, "");
	assert_true(fixture_mark(g, NULL));
	expect_states(g, "b:unknown a:unknown");
	assert_int_equal(g->pending.n, 0);
	assert_false(fixture_mark(g, NULL));
	migration_graph_free(g);
}

static void graph_keeps_lines_of_descent_together(void **state)
{
	struct migration_graph *g = fixture_build(fixture_graph);
	const struct migration_revision *r;

	(void)state;
	expect_order(g, "f1 f2 e0 d0 y0 x0 c1 c2 b0 a0");
	expect_list(g, &g->heads, "f1, f2, y0");
	r = migration_graph_find(g, "d0");
	assert_true(r->is_merge);
	expect_list(g, &r->parents, "c1, c2");
	expect_list(g, &r->children, "e0");
	r = migration_graph_find(g, "b0");
	assert_true(r->is_branchpoint);
	expect_list(g, &r->children, "c1, c2");
	r = migration_graph_find(g, "y0");
	expect_list(g, &r->depends, "c1");
	assert_null(migration_graph_find(g, "zz"));
	migration_graph_free(g);
}

/* With rows c2 and y0, `alembic current` prints three lines: y0 depends on c1. */
static void graph_current_follows_dependencies(void **state)
{
	struct migration_graph *g = fixture_build(fixture_graph);

	(void)state;
	fixture_mark(g, "c2 y0");
	expect_list(g, &g->current, "y0, c1, c2");
	expect_states(g, "f1:pending f2:pending e0:pending d0:pending y0:current x0:applied "
			 "c1:current c2:current b0:applied a0:applied");
	expect_list(g, &g->pending, "d0, e0, f2, f1");
	fixture_mark(g, "f1 f2 y0");
	expect_list(g, &g->current, "f1, f2, y0");
	assert_int_equal(g->pending.n, 0);
	expect_problems(g, "");
	migration_graph_free(g);
}

/* a2 is a head to `alembic heads`, but not a real one: b2 depends on it. */
static void graph_tells_effective_heads(void **state)
{
	struct migration_graph *g = fixture_build("a1 # core\na2 <- a1\nb1 # net\nb2 <- b1 : a2\n");
	const struct migration_revision *r;

	(void)state;
	expect_order(g, "b2 b1 a2 a1");
	expect_list(g, &g->heads, "b2, a2");
	r = migration_graph_find(g, "a2");
	assert_true(r->is_head && !r->is_real_head);
	fixture_mark(g, "b2");
	expect_list(g, &g->current, "b2, a2");
	migration_graph_free(g);
	g = fixture_build("a1 # core\nb1 : core\n");
	expect_list(g, &migration_graph_find(g, "b1")->depends, "a1");
	expect_problems(g, "");
	migration_graph_free(g);
}

static void graph_takes_siblings_in_the_order_of_files(void **state)
{
	struct migration_graph *g = fixture_build("r @2024\n"
						  "old <- r @2025-01-01\n"
						  "new <- r @2025-06-01\n"
						  "b <- r\n"
						  "a <- r\n");

	(void)state;
	expect_order(g, "old new b a r");
	migration_graph_free(g);
}

static void graph_reports_unknown_rows(void **state)
{
	struct migration_graph *g = fixture_build(fixture_guide);

	(void)state;
	fixture_mark(g, "xyz_gone_1234");
	assert_int_equal(g->unknown_rows.n, 1);
	assert_string_equal(g->unknown_rows.items[0], "xyz_gone_1234");
	assert_int_equal(g->pending.n, 0);
	assert_int_equal(g->current.n, 0);
	assert_int_equal(g->revisions[7].state, MIGRATION_UNKNOWN);
	assert_true(g->problems.items[0].fatal);
	expect_problems(g,
		"unknown-version: the version table says 'xyz_gone_1234', which no revision "
		"file here defines\n");
	fixture_mark(g, "F23423398b2a f23423398b2a");
	assert_int_equal(g->unknown_rows.n, 1);
	expect_list(g, &g->current, "f23423398b2a");
	assert_int_equal(g->revisions[0].state, MIGRATION_UNKNOWN);
	assert_int_equal(g->revisions[7].state, MIGRATION_APPLIED);
	fixture_mark(g, "f23423398b2a");
	expect_problems(g, "");
	assert_int_equal(g->unknown_rows.n, 0);
	migration_graph_free(g);
}

static void graph_reports_partial_and_overlapping_rows(void **state)
{
	struct migration_graph *g = fixture_build(fixture_guide);

	(void)state;
	fixture_mark(g, "f234");
	expect_list(g, &g->current, "f23423398b2a");
	expect_list(g, &g->pending, "001_research_metrics, 622dbc22743e");
	expect_problems(g,
		"partial-version: the version table says 'f234', which Alembic takes for "
		"f23423398b2a; the next upgrade will leave both in the table: store the "
		"full id\n");
	fixture_mark(g, "f23423398b2a 622dbc22743e");
	expect_list(g, &g->current, "622dbc22743e");
	expect_problems(g,
		"overlapping-versions: the version table holds f23423398b2a beside a later "
		"revision that includes it, so Alembic refuses to upgrade: only the later "
		"row belongs there\n");
	fixture_mark(g, "");
	expect_problems(g, "");
	migration_graph_free(g);
}

static void graph_finds_by_unique_prefix(void **state)
{
	struct migration_graph *g = fixture_build("abc1\nabc2 <- abc1\nabc <- abc2\nxy\n");
	size_t n;

	(void)state;
	assert_string_equal(migration_graph_find_prefix(g, "x", &n)->id, "xy");
	assert_int_equal(n, 1);
	assert_string_equal(migration_graph_find_prefix(g, "abc", &n)->id, "abc");
	assert_int_equal(n, 1);
	assert_null(migration_graph_find_prefix(g, "ab", &n));
	assert_int_equal(n, 3);
	assert_null(migration_graph_find_prefix(g, "zz", &n));
	assert_int_equal(n, 0);
	assert_null(migration_graph_find_prefix(g, "", NULL));
	migration_graph_free(g);
}

/* As Alembic sees them: a label is no id of another, an empty parent is none, and what a file computes
 * may be what another misses. */
static void graph_says_no_more_than_is_known(void **state)
{
	static const struct {
		const char *path, *text;
	} files[] = {
		{ "x_1.py", "revision = 'r1'\ndown_revision = ''\nbranch_labels = 'r2'\n" },
		{ "x_2.py", "revision = 'r2'\ndown_revision = 'r1'\n" },
		{ "x_3.py", "revision = make('r3')\ndown_revision = 'r2'\n" },
		{ "x_4.py", "revision = 'r4'\ndown_revision = 'r3'\n" },
	};
	struct migration_problems problems;
	struct migration_revision revisions[4];
	struct migration_graph *g;
	size_t i, n = 0;

	(void)state;
	migration_problems_init(&problems);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		n += migration_revision_parse(files[i].path, files[i].text, strlen(files[i].text),
			     &revisions[n], &problems) == 0;
	assert_int_equal(n, 3);
	g = migration_graph_new(revisions, n, &problems);
	assert_string_equal(migration_problems_find(&g->problems, "duplicate-label")->text,
		"branch label 'r2' of r1 is a revision's id, too, so no alembic command works");
	assert_int_equal(migration_problems_find(&g->problems, "duplicate-label")->line, 3);
	assert_int_equal(migration_graph_find(g, "r1")->parents.n, 0);
	assert_string_equal(migration_problems_find(&g->problems, "missing-parent")->text,
		"r4 comes after 'r3', which is in no file that could be read: perhaps in x_3.py, "
		"whose id is computed");
	assert_false(migration_problems_find(&g->problems, "missing-parent")->fatal);
	migration_graph_free(g);
}

static void graph_survives_cycles(void **state)
{
	struct migration_graph *g =
		fixture_build("cyc1 <- cyc2\ncyc2 <- cyc1\nbase\ntop <- cyc1 base\n");

	(void)state;
	expect_order(g, "top cyc1 cyc2 base");
	expect_problems(g,
		"cycle: revisions come after each other in a circle, which most alembic commands "
		"refuse: cyc1, cyc2\n");
	assert_true(migration_graph_find(g, "cyc1")->in_cycle);
	assert_false(migration_graph_find(g, "top")->in_cycle);
	assert_false(migration_graph_find(g, "base")->in_cycle);
	fixture_mark(g, "cyc1");
	assert_int_equal(migration_graph_find(g, "cyc2")->state, MIGRATION_APPLIED);
	migration_graph_free(g);
	g = fixture_build("self <- self\n");
	assert_int_equal(g->n, 1);
	assert_int_equal(g->heads.n, 0);
	assert_string_equal(g->problems.items[0].code, "cycle");
	migration_graph_free(g);
	g = fixture_build("a : b\nb : a\n");
	assert_string_equal(g->problems.items[0].code, "cycle");
	migration_graph_free(g);
}

static void graph_reports_missing_parents(void **state)
{
	struct migration_graph *g = fixture_build("a\norph1 <- missing_parent\nb <- a : nothing\n");

	(void)state;
	expect_problems(g,
		"missing-dependency: b depends on 'nothing', which no file defines, so no "
		"alembic command works: restore its file\n"
		"missing-parent: orph1 comes after 'missing_parent', which no file defines, "
		"so no alembic command works: restore its file\n");
	assert_int_equal(migration_graph_find(g, "orph1")->parents.n, 0);
	assert_false(migration_graph_find(g, "orph1")->is_base);
	fixture_mark(g, "missing_parent");
	assert_int_equal(g->unknown_rows.n, 1);
	migration_graph_free(g);
}

static void graph_keeps_one_of_duplicates(void **state)
{
	struct migration_graph *g =
		fixture_build("a /v/1_a.py\nd <- a /v/2_d.py\nd /v/3_d.py\nd <- x /v/0_d.py\n");

	(void)state;
	assert_int_equal(g->n, 2);
	assert_string_equal(migration_graph_find(g, "d")->path, "v/0_d.py");
	expect_problems(g,
		"duplicate-revision: revision 'd' is in two files; Alembic takes one of "
		"them and warns (the other is v/3_d.py)\n"
		"duplicate-revision: revision 'd' is in two files; Alembic takes one of "
		"them and warns (the other is v/0_d.py)\n"
		"missing-parent: d comes after 'x', which no file defines, so no alembic "
		"command works: restore its file\n");
	migration_graph_free(g);
	g = fixture_build("a # one\nb # one\n");
	assert_string_equal(g->problems.items[0].code, "duplicate-label");
	migration_graph_free(g);
}

static void graph_may_be_empty(void **state)
{
	struct migration_graph *g = migration_graph_new(NULL, 0, NULL);

	(void)state;
	assert_int_equal(g->n, 0);
	assert_true(fixture_mark(g, "x"));
	assert_int_equal(g->unknown_rows.n, 1);
	assert_null(migration_graph_find_prefix(g, "", NULL));
	migration_graph_free(g);
	migration_graph_free(NULL);
}

/* Built and marked in a fraction of the time a quadratic walk would take: Alembic needs seconds. */
static void graph_of_50000_revisions_is_fast(void **state)
{
	struct buf text = BUF_INIT;
	struct migration_graph *g;
	int64_t start;
	int i;

	(void)state;
	for (i = 0; i < 50000; i++) {
		if (i == 0)
			buf_add_str(&text, "r0\n");
		else if (i % 10 == 9)
			buf_printf(&text, "r%d <- r%d r%d\n", i, i - 1, i - 2);
		else
			buf_printf(&text, "r%d <- r%d\n", i, i % 10 == 8 ? i - 2 : i - 1);
	}
	start = clock_monotonic();
	g = fixture_build(buf_str(&text));
	assert_int_equal(g->n, 50000);
	for (i = 0; i < 50; i++)
		fixture_mark(g, i % 2 ? "r49999" : "r25000");
	assert_int_equal(g->pending.n, 0);
	assert_true(clock_monotonic() - start < 20 * CLOCK_NS_PER_S);
	assert_int_equal(g->problems.n, 0);
	migration_graph_free(g);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(graph_of_the_guide_is_one_line),
		cmocka_unit_test(graph_without_rows_is_all_pending),
		cmocka_unit_test(graph_keeps_lines_of_descent_together),
		cmocka_unit_test(graph_current_follows_dependencies),
		cmocka_unit_test(graph_tells_effective_heads),
		cmocka_unit_test(graph_takes_siblings_in_the_order_of_files),
		cmocka_unit_test(graph_reports_unknown_rows),
		cmocka_unit_test(graph_reports_partial_and_overlapping_rows),
		cmocka_unit_test(graph_finds_by_unique_prefix),
		cmocka_unit_test(graph_says_no_more_than_is_known),
		cmocka_unit_test(graph_survives_cycles),
		cmocka_unit_test(graph_reports_missing_parents),
		cmocka_unit_test(graph_keeps_one_of_duplicates),
		cmocka_unit_test(graph_may_be_empty),
		cmocka_unit_test(graph_of_50000_revisions_is_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
