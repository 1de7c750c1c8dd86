/*
 * The blocking tree: places, counts and drawing, also of edges that contradict each other. No server.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/locktree.h>

/* Adds a session; the blockers end with -1. wait: seconds, negative: it does not wait. */
static struct db_session *tree_add(struct db_snapshot *snapshot, int pid, double wait, ...)
{
	struct db_session *session = db_snapshot_add(snapshot);
	va_list ap;
	int blocker;

	session->pid = pid;
	session->wait_age_s = wait < 0 ? NAN : wait;
	va_start(ap, wait);
	while ((blocker = va_arg(ap, int)) >= 0)
		db_session_add_blocker(session, blocker);
	va_end(ap);
	return session;
}

/* One line per row: bars, branch, pid (a prepared transaction's gid), n_behind. */
static char *tree_drawn(const struct db_snapshot *snapshot, bool all)
{
	struct db_tree_row *rows;
	struct buf out = BUF_INIT;
	size_t n, i;
	int d;

	rows = db_locktree_rows(snapshot, all, &n);
	for (i = 0; i < n; i++) {
		for (d = 1; d < rows[i].depth; d++)
			buf_add_str(&out, rows[i].bars >> d & 1 ? "| " : "  ");
		if (rows[i].depth)
			buf_add_str(&out, rows[i].last ? "` " : "+ ");
		if (rows[i].session->pid)
			buf_printf(&out, "%d", rows[i].session->pid);
		else
			buf_add_str(&out, rows[i].session->gid);
		if (rows[i].session->n_behind)
			buf_printf(&out, " (%zu)", rows[i].session->n_behind);
		assert_int_equal(rows[i].depth, rows[i].session->depth);
		buf_add_char(&out, '\n');
	}
	free(rows);
	return buf_steal(&out);
}

static void tree_expect(struct db_snapshot *snapshot, bool all, const char *expected)
{
	char *drawn;

	db_locktree_mark(snapshot);
	drawn = tree_drawn(snapshot, all);
	assert_string_equal(drawn, expected);
	free(drawn);
}

/* As captured from PostgreSQL 15: a reader idle in transaction, a waiting ALTER, two readers. */
static void locktree_draws_the_stuck_migration(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	(void)state;
	tree_add(snapshot, 19240, 1.518, 19232, -1);
	tree_add(snapshot, 19228, -1, -1);
	tree_add(snapshot, 19239, 1.519, 19232, -1);
	tree_add(snapshot, 19232, 3.353, 19228, -1);
	tree_add(snapshot, 4711, -1, -1);
	tree_expect(snapshot, true,
		"19228 (3)\n"
		"` 19232 (2)\n"
		"  + 19239\n"
		"  ` 19240\n"
		"4711\n");
	assert_true(db_snapshot_find(snapshot, 19228)->is_root);
	assert_int_equal(db_snapshot_find(snapshot, 19240)->root, 19228);
	assert_int_equal(db_snapshot_find(snapshot, 19240)->depth, 2);
	assert_int_equal(db_snapshot_find(snapshot, 4711)->root, -1);
	assert_false(db_snapshot_find(snapshot, 4711)->is_root);
	db_snapshot_free(snapshot);
}

static void locktree_orders_roots_and_victims(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	(void)state;
	tree_add(snapshot, 1, -1, -1);
	tree_add(snapshot, 2, -1, -1);
	tree_add(snapshot, 11, 5, 1, -1);
	tree_add(snapshot, 21, 1, 2, -1);
	tree_add(snapshot, 22, 9, 2, -1);
	tree_add(snapshot, 23, 4, 22, -1);
	tree_expect(snapshot, false,
		"2 (3)\n"
		"+ 22 (1)\n"
		"| ` 23\n"
		"` 21\n"
		"1 (1)\n"
		"` 11\n");
	db_snapshot_free(snapshot);
}

/* Under the first blocker; counted behind both, once. */
static void locktree_takes_several_blockers(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	(void)state;
	tree_add(snapshot, 1, -1, -1);
	tree_add(snapshot, 2, -1, -1);
	tree_add(snapshot, 3, 9, 2, 1, -1);
	tree_add(snapshot, 4, 8, 3, 1, 2, -1);
	tree_expect(snapshot, false,
		"1 (2)\n"
		"2 (2)\n"
		"` 3 (1)\n"
		"  ` 4\n");
	db_snapshot_free(snapshot);
}

static void locktree_ignores_what_cannot_be(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	(void)state;
	tree_add(snapshot, 1, 3, 1, -1);      /* itself */
	tree_add(snapshot, 2, 3, 999, -1);    /* one that is gone */
	tree_add(snapshot, 3, 3, 999, 2, -1); /* gone, or there */
	tree_expect(snapshot, true, "2 (1)\n` 3\n1\n");
	db_snapshot_free(snapshot);
}

static void locktree_breaks_cycles(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	(void)state;
	tree_add(snapshot, 1, 2, 2, -1);
	tree_add(snapshot, 2, 5, 3, -1);
	tree_add(snapshot, 3, 1, 1, -1);
	tree_add(snapshot, 4, 1, 3, -1);
	tree_expect(snapshot, true,
		"2 (3)\n"
		"` 1 (3)\n"
		"  ` 3 (3)\n"
		"    ` 4\n");
	assert_false(db_snapshot_find(snapshot, 2)->is_root);
	assert_int_equal(db_snapshot_find(snapshot, 4)->root, 2);
	db_snapshot_free(snapshot);
}

/* The cycle 2 <-> 3 also waits for 1: it belongs there. */
static void locktree_hangs_cycles_under_roots(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	(void)state;
	tree_add(snapshot, 1, -1, -1);
	tree_add(snapshot, 2, 5, 3, 1, -1);
	tree_add(snapshot, 3, 4, 2, -1);
	tree_expect(snapshot, true,
		"1 (2)\n"
		"` 2 (1)\n"
		"  ` 3 (1)\n");
	db_snapshot_free(snapshot);
}

static void locktree_goes_deep(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_tree_row *rows;
	size_t n, i;

	(void)state;
	for (i = 300; i > 0; i--)
		tree_add(snapshot, (int)i, i == 1 ? -1.0 : 1000.0 - (double)i,
			i == 1 ? -1 : (int)i - 1, -1);
	db_locktree_mark(snapshot);
	rows = db_locktree_rows(snapshot, true, &n);
	assert_int_equal(n, 300);
	for (i = 0; i < n; i++) {
		assert_int_equal(rows[i].session->pid, i + 1);
		assert_int_equal(rows[i].depth, i);
		assert_int_equal(rows[i].session->n_behind, 299 - i);
		assert_int_equal(rows[i].session->root, 1);
		assert_true(rows[i].last);
		assert_int_equal(rows[i].bars, 0);
	}
	free(rows);
	db_snapshot_free(snapshot);
}

/* A thousand sessions, each behind up to two hundred: a picture must not take long. */
static void locktree_is_fast(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *session;
	struct db_tree_row *rows;
	int64_t begun;
	size_t n;
	int i, k;

	(void)state;
	for (i = 1; i <= 1000; i++) {
		session = tree_add(snapshot, i, i == 1 ? -1.0 : 1000.0 - i, -1);
		for (k = i > 200 ? i - 200 : 1; k < i; k++)
			db_session_add_blocker(session, k);
	}
	begun = clock_monotonic();
	db_locktree_mark(snapshot);
	rows = db_locktree_rows(snapshot, true, &n);
	/* About 10 ms; the bound is for valgrind. */
	assert_true(clock_monotonic() - begun < 5 * CLOCK_NS_PER_S);
	assert_int_equal(n, 1000);
	assert_int_equal(rows[0].session->n_behind, 999);
	free(rows);
	db_snapshot_free(snapshot);
}

static void tree_add_prepared(struct db_snapshot *snapshot, const char *gid)
{
	db_snapshot_set(&tree_add(snapshot, 0, -1, -1)->gid, gid);
}

static void locktree_tells_prepared_transactions_apart(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *session;

	(void)state;
	tree_add_prepared(snapshot, "a");
	tree_add_prepared(snapshot, "b");
	session = tree_add(snapshot, 7, 5, 0, -1);
	strlist_add(&session->blocked_by_gids, "b");
	tree_add(snapshot, 8, 4, 7, -1);
	session = tree_add(snapshot, 9, 3, 0, -1); /* which one is not known */
	tree_expect(snapshot, true,
		"b (2)\n"
		"` 7 (1)\n"
		"  ` 8\n"
		"a\n"
		"9\n");
	assert_int_equal(db_snapshot_find(snapshot, 8)->root, 0);
	assert_int_equal(db_snapshot_find(snapshot, 8)->root_index, 1);
	db_snapshot_free(snapshot);

	/* A single one needs no name. */
	snapshot = db_snapshot_new();
	tree_add(snapshot, 7, 5, 0, -1);
	tree_add_prepared(snapshot, "only");
	tree_expect(snapshot, true, "only (1)\n` 7\n");
	db_snapshot_free(snapshot);
}

static void locktree_draws_bars(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	(void)state;
	tree_add(snapshot, 1, -1, -1);
	tree_add(snapshot, 2, 9, 1, -1);
	tree_add(snapshot, 3, 8, 1, -1);
	tree_add(snapshot, 4, 7, 2, -1);
	tree_add(snapshot, 5, 6, 4, -1);
	tree_add(snapshot, 6, 5, 2, -1);
	tree_expect(snapshot, true,
		"1 (5)\n"
		"+ 2 (3)\n"
		"| + 4 (1)\n"
		"| | ` 5\n"
		"| ` 6\n"
		"` 3\n");
	db_snapshot_free(snapshot);
}

static void locktree_of_nothing(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();

	(void)state;
	tree_expect(snapshot, true, "");
	tree_add(snapshot, 1, -1, -1);
	tree_expect(snapshot, false, "");
	db_snapshot_free(snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locktree_draws_the_stuck_migration),
		cmocka_unit_test(locktree_orders_roots_and_victims),
		cmocka_unit_test(locktree_takes_several_blockers),
		cmocka_unit_test(locktree_ignores_what_cannot_be),
		cmocka_unit_test(locktree_breaks_cycles),
		cmocka_unit_test(locktree_hangs_cycles_under_roots),
		cmocka_unit_test(locktree_goes_deep),
		cmocka_unit_test(locktree_is_fast),
		cmocka_unit_test(locktree_tells_prepared_transactions_apart),
		cmocka_unit_test(locktree_draws_bars),
		cmocka_unit_test(locktree_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
