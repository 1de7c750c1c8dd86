/*
 * Looking back: pictures come out as they went in, quiet sessions cost next to nothing, and the bounds
 * hold.
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

#include <pgoncall/base/clock.h>
#include <pgoncall/db/history.h>
#include <pgoncall/db/locktree.h>

/* So many sessions at second t; the last one waits for the first from second 10 on. */
static struct db_snapshot *picture(int sessions, double t, const char *query)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *s;
	char start[64];
	int i;

	snapshot->at_monotonic = (int64_t)(t * 1e9) + 7 * CLOCK_NS_PER_S;
	snapshot->at_wall = snapshot->at_monotonic + 1000;
	db_snapshot_set(&snapshot->at, "2025-01-27 10:00:00+00");
	db_snapshot_set(&snapshot->server.role, "bo1");
	db_snapshot_set(&snapshot->server.xmin_kind, "slot");
	snapshot->server.may_signal = true;
	snapshot->server.used_connections = sessions;
	snapshot->version_table = DB_VERSION_TABLE_FOUND;
	strlist_add(&snapshot->versions, "001_research_metrics");
	for (i = 0; i < sessions; i++) {
		s = db_snapshot_add(snapshot);
		s->pid = 100 + i;
		snprintf(start, sizeof(start), "2025-01-27 09:00:%02d+00", i % 60);
		db_snapshot_set(&s->backend_start, start);
		db_snapshot_set(&s->user, "bo1");
		db_snapshot_set(&s->state, "idle");
		db_snapshot_set(&s->query, query);
		s->state_age_s = t + 20 + (i % 7) * 0.01;
	}
	if (sessions > 1 && t >= 10) {
		s = &snapshot->sessions[sessions - 1];
		db_session_add_blocker(s, 100);
		db_snapshot_set(&s->waits_for.mode, "AccessShare");
		db_snapshot_set(&s->waits_for.relation, "users");
		s->wait_age_s = t - 10;
		s->holds = calloc(1, sizeof(*s->holds));
		s->holds[0].mode = strdup("RowShare");
		s->holds[0].relation = strdup("sessions");
		s->n_holds = 1;
	}
	db_locktree_mark(snapshot);
	return snapshot;
}

static void add(struct db_history *history, int sessions, double t, const char *query)
{
	struct db_snapshot *snapshot = picture(sessions, t, query);

	db_history_add(history, snapshot);
	db_snapshot_free(snapshot);
}

static void history_gives_back_what_was_seen(void **state)
{
	struct db_history *history = db_history_new(0, 0);
	struct db_snapshot *then;
	const struct db_session *s;
	char query[3000];

	(void)state;
	memset(query, 'x', sizeof(query));
	query[sizeof(query) - 1] = '\0';
	add(history, 5, 0, query);
	add(history, 5, 2, query);
	add(history, 5, 13, query);
	assert_int_equal(db_history_count(history), 3);
	assert_int_equal(db_history_wall(history, 1), 9 * CLOCK_NS_PER_S + 1000);
	then = db_history_restore(history, 1);
	assert_int_equal(then->n_sessions, 5);
	assert_int_equal(then->sessions[4].n_blocked_by, 0);
	assert_true(fabs(then->sessions[3].state_age_s - 22.03) < 0.001);
	assert_true(isnan(then->sessions[3].xact_age_s));
	db_snapshot_free(then);
	then = db_history_restore(history, 2);
	s = &then->sessions[4];
	assert_int_equal(s->blocked_by[0], 100);
	assert_int_equal(s->depth, 1);
	assert_true(then->sessions[0].is_root);
	assert_true(fabs(s->wait_age_s - 3) < 0.001);
	assert_string_equal(s->waits_for.relation, "users");
	assert_string_equal(s->holds[0].relation, "sessions");
	assert_string_equal(s->backend_start, "2025-01-27 09:00:04+00");
	assert_int_equal(strlen(s->query), DB_HISTORY_QUERY_MAX);
	assert_string_equal(then->versions.items[0], "001_research_metrics");
	assert_true(then->server.may_signal);
	assert_false(then->server.superuser);
	assert_string_equal(then->server.xmin_kind, "slot");
	assert_int_equal(then->at_monotonic, 20 * CLOCK_NS_PER_S);
	db_snapshot_free(then);
	db_history_free(history);
	db_history_free(NULL);
}

static void history_shares_what_did_not_change(void **state)
{
	struct db_history *history = db_history_new(0, 0);
	size_t one;
	int i;

	(void)state;
	add(history, 500, 20, "SELECT 1");
	one = db_history_bytes(history);
	for (i = 1; i < 450; i++)
		add(history, 500, 20 + 2 * i, "SELECT 1");
	assert_int_equal(db_history_count(history), 450);
	/* A pointer for each session and picture, and the server's line. */
	assert_true(db_history_bytes(history) - one < 450 * (500 * sizeof(void *) + 500));
	db_history_free(history);
}

static void history_keeps_its_bounds(void **state)
{
	struct db_history *history = db_history_new(60 * CLOCK_NS_PER_S, 200000);
	char query[64];
	size_t n;
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		add(history, 1, i, "SELECT 1");
	assert_int_equal(db_history_count(history), 61);
	/* Every picture is another: bytes bound them, and the oldest moment stays reachable. */
	for (i = 100; i < 160; i++) {
		snprintf(query, sizeof(query), "SELECT %d", i);
		add(history, 40, i, query);
		assert_true(db_history_bytes(history) <= 200000);
	}
	n = db_history_count(history);
	assert_true(n >= 10 && n < 60);
	assert_true(db_history_wall(history, 0) < (int64_t)(7 + 125) * CLOCK_NS_PER_S);
	assert_int_equal(db_history_wall(history, n - 1), (7 + 159) * CLOCK_NS_PER_S + 1000);
	db_history_free(history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(history_gives_back_what_was_seen),
		cmocka_unit_test(history_shares_what_did_not_change),
		cmocka_unit_test(history_keeps_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
