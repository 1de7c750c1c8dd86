/*
 * The lanes: what is drawn left of the timeline. The test is the picture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgoncall/base/utf8.h>
#include <pgoncall/migrations/history.h>

#include "graph_fixture.h"

static void draw(const struct migration_graph *graph, bool ascii, struct buf *out)
{
	struct migration_lanes *lanes = migration_lanes_new(graph);
	size_t i, start, columns = 0, width;

	for (i = 0; i < graph->n; i++) {
		start = out->len;
		migration_lanes_row(lanes, i, ascii, out);
		width = utf8_columns(buf_str(out) + start);
		columns = width > columns ? width : columns;
		assert_true(migration_lanes_dot(lanes, i) < width);
		buf_printf(out, " %s\n", graph->revisions[i].id);
	}
	assert_int_equal(columns, migration_lanes_columns(lanes));
	migration_lanes_free(lanes);
}

static void expect_picture(const char *text, const char *rows, bool ascii, const char *want)
{
	struct migration_graph *graph = fixture_build(text);
	struct buf got = BUF_INIT;

	fixture_mark(graph, rows);
	draw(graph, ascii, &got);
	if (strcmp(buf_str(&got), want) != 0)
		fail_msg("got\n%swant\n%s", buf_str(&got), want);
	buf_fini(&got);
	migration_graph_free(graph);
}

static void history_of_the_guide_is_one_lane(void **state)
{
	(void)state;
	expect_picture(fixture_guide, "001_research_metrics", false,
		"○ 622dbc22743e\n"
		"● 001_research_metrics\n"
		"● f23423398b2a\n"
		"● 9f3c7b8e2d1a\n"
		"● 8a5d2f9e1b3c\n"
		"● 71a746e3c1d9\n"
		"● 2f7e9d4c8b1a\n"
		"● ced8f3f148bb\n");
}

static void history_draws_branch_and_merge(void **state)
{
	(void)state;
	expect_picture(fixture_graph, "c2 y0", false,
		"○ f1\n"
		"│ ○ f2\n"
		"○─╯ e0\n"
		"○─╮ d0\n"
		"│ │ ●┄╮ y0\n"
		"│ │ ● ┊ x0\n"
		"●┄│┄┄┄╯ c1\n"
		"│ ● c2\n"
		"●─╯ b0\n"
		"● a0\n");
	expect_picture(fixture_graph, "c2 y0", true,
		"o f1\n"
		"| o f2\n"
		"o-' e0\n"
		"o-. d0\n"
		"| | *.. y0\n"
		"| | * : x0\n"
		"*.|...' c1\n"
		"| * c2\n"
		"*-' b0\n"
		"* a0\n");
}

static void history_crosses_lanes_without_linking(void **state)
{
	(void)state;
	/* The lane of m's second parent opens beyond the lane of k, which it only crosses. */
	expect_picture("r\n"
		       "p <- r\n"
		       "q <- r\n"
		       "k <- r @1\n"
		       "m <- p q @2\n"
		       "n <- m k @3\n",
		NULL, false,
		"○─╮ n\n"
		"○─│─╮ m\n"
		"○ │ │ p\n"
		"│ ○ │ k\n"
		"│ │ ○ q\n"
		"○─┴─╯ r\n");
}

static void history_draws_a_merge_of_three(void **state)
{
	(void)state;
	expect_picture("r\na <- r\nb <- r\nc <- r\nm <- a b c\n", "r", false,
		"○─┬─╮ m\n"
		"○ │ │ a\n"
		"│ ○ │ b\n"
		"│ │ ○ c\n"
		"●─┴─╯ r\n");
}

static void history_joins_a_lane_that_waits(void **state)
{
	(void)state;
	/* y merges p, for which the lane of z waits already. */
	expect_picture("z <- p\ny <- x p\np\nq\nx <- q\n", NULL, true,
		"o z\n"
		"+-o y\n"
		"| o x\n"
		"| o q\n"
		"o p\n");
}

static void history_ends_lanes_at_missing_parents_and_cycles(void **state)
{
	(void)state;
	expect_picture("a <- gone\nb <- a\n", NULL, false, "○ b\n○ a\n");
	expect_picture("a <- b\nb <- a\n", NULL, false, "○ a\n○ b\n");
	expect_picture("a <- a\n", NULL, false, "○ a\n");
	expect_picture("", NULL, false, "");
}

static void history_uses_lanes_again(void **state)
{
	(void)state;
	expect_picture("a\nb\nc\n", NULL, false, "○ a\n○ b\n○ c\n");
}

static void history_dashes_dependencies(void **state)
{
	(void)state;
	/* A base that depends on something, and two that depend on the same. */
	expect_picture("a\nb : a\n", NULL, false, "○ b\n○ a\n");
	expect_picture("a\nb <- a\nx : a\ny <- x\nz : a\n", NULL, false,
		"○ b\n"
		"│ ○ y\n"
		"│ ○ x\n"
		"│ ┊ ○ z\n"
		"○┄┴┄╯ a\n");
}

/* What a row shows does not depend on which was asked for before. */
static void history_draws_any_slice(void **state)
{
	struct buf text = BUF_INIT, whole = BUF_INIT, slice = BUF_INIT;
	struct migration_graph *graph;
	struct migration_lanes *lanes;
	size_t i;

	(void)state;
	buf_add_str(&text, "r0\n");
	for (i = 1; i < 1500; i++)
		buf_printf(
			&text, "r%zu <- r%zu\nq%zu <- r%zu\n", i, i - 1, i, i > 300 ? i - 300 : 0);
	graph = fixture_build(buf_str(&text));
	draw(graph, false, &whole);
	lanes = migration_lanes_new(graph);
	for (i = graph->n; i-- > 0;) {
		buf_clear(&slice);
		migration_lanes_row(lanes, i * 7 % graph->n, false, &slice);
		buf_printf(&slice, " %s\n", graph->revisions[i * 7 % graph->n].id);
		assert_non_null(strstr(buf_str(&whole), buf_str(&slice)));
	}
	migration_lanes_free(lanes);
	migration_graph_free(graph);
	buf_fini(&text);
	buf_fini(&whole);
	buf_fini(&slice);
}

/* A hundred heads on one base: no more lanes than the bound, and still a row each. */
static void history_is_bounded_in_width(void **state)
{
	struct buf text = BUF_INIT, out = BUF_INIT;
	struct migration_graph *graph;
	struct migration_lanes *lanes;
	size_t i;

	(void)state;
	buf_add_str(&text, "base\n");
	for (i = 0; i < 100; i++)
		buf_printf(&text, "h%03zu <- base\n", i);
	buf_add_str(&text, "merge <-");
	for (i = 0; i < 100; i++)
		buf_printf(&text, " h%03zu", i);
	graph = fixture_build(buf_str(&text));
	lanes = migration_lanes_new(graph);
	for (i = 0; i < graph->n; i++) {
		buf_clear(&out);
		migration_lanes_row(lanes, i, false, &out);
		assert_true(utf8_columns(buf_str(&out)) <= 2 * MIGRATION_LANES_MAX + 1);
		assert_true(strstr(buf_str(&out), "○") != NULL);
	}
	migration_lanes_free(lanes);
	migration_graph_free(graph);
	buf_fini(&text);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(history_of_the_guide_is_one_lane),
		cmocka_unit_test(history_draws_branch_and_merge),
		cmocka_unit_test(history_crosses_lanes_without_linking),
		cmocka_unit_test(history_draws_a_merge_of_three),
		cmocka_unit_test(history_joins_a_lane_that_waits),
		cmocka_unit_test(history_ends_lanes_at_missing_parents_and_cycles),
		cmocka_unit_test(history_uses_lanes_again),
		cmocka_unit_test(history_is_bounded_in_width),
		cmocka_unit_test(history_dashes_dependencies),
		cmocka_unit_test(history_draws_any_slice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
