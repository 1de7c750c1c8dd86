/*
 * The snapshot as data: what looks like a migration, lock modes, and the tidying of rows as they come
 * from the server. No server.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/db/query.h>
#include <pgoncall/db/snapshot.h>

#include "../../../src/db/build.h"
#include "../../../src/db/progress.h"

static void snapshot_recognises_migrations(void **state)
{
	static const struct {
		const char *application, *version_lock, *query;
		bool migration;
	} cases[] = {
		{ "alembic", "", "", true },
		{ "boardofone-Alembic-upgrade", "", "SELECT 1", true },
		{ "api", "RowExclusive", "SELECT 1", true },
		{ "psql", "AccessExclusive", "", true },
		{ "", "", "UPDATE alembic_version SET version_num='b' WHERE version_num = 'a'",
			true },
		{ "", "", "  insert into public.alembic_version values ('a')", true },
		{ "", "AccessShare", "ALTER TABLE users ADD COLUMN x int", true },
		{ "psql", "AccessShare", "/* x */ -- y\n ALTER TABLE users ADD x int", true },
		{ "", "", "\nCREATE TABLE session_events (\n\tid BIGSERIAL", true },
		{ "", "", "CREATE INDEX CONCURRENTLY ix ON users (x)", true },
		{ "boardofone-api", "", "DROP TABLE x", true },
		/* What is none. */
		{ "psql", "", "ALTER TABLE users ADD COLUMN x int", false },
		{ "pgAdmin 4 - DB:boardofone", "", "CREATE INDEX x ON y (z)", false },
		{ "boardofone-api", "", "SELECT version_num FROM alembic_version", false },
		{ "boardofone-api", "AccessShare", "SELECT version_num FROM alembic_version",
			false },
		{ "", "", "CREATE TEMP TABLE scratch (x int)", false },
		{ "", "", "CREATE ROLE x", false },
		{ "", "", "UPDATE users SET email = 'ALTER TABLE'", false },
		{ "", "", "ALTERNATIVE", false },
		{ "", "", "<insufficient privilege>", false },
		{ "", "", "-- CREATE", false },
		{ "", "", "/* CREATE", false },
	};
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *session = db_snapshot_add(snapshot);
	size_t i;

	(void)state;
	session->pid = 7;
	db_snapshot_set(&session->backend_type, "client backend");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		db_snapshot_set(&session->application, cases[i].application);
		db_snapshot_set(&session->version_lock, cases[i].version_lock);
		db_snapshot_set(&session->query, cases[i].query);
		if (db_session_is_migration(session) != cases[i].migration)
			fail_msg("case %zu: %s", i, cases[i].query);
	}
	db_snapshot_set(&session->application, "alembic");
	db_snapshot_set(&session->backend_type, "autovacuum worker");
	assert_false(db_session_is_migration(session));
	db_snapshot_set(&session->backend_type, "");
	assert_true(db_session_is_migration(session));
	session->ours = true;
	assert_false(db_session_is_migration(session));
	db_snapshot_free(snapshot);
}

static void snapshot_knows_lock_modes(void **state)
{
	static const char *const modes[] = { "AccessShare", "RowShare", "RowExclusive",
		"ShareUpdateExclusive", "Share", "ShareRowExclusive", "Exclusive",
		"AccessExclusive" };
	size_t i, k;

	(void)state;
	for (i = 0; i < 8; i++) {
		assert_int_equal(db_lock_strength(modes[i]), i + 1);
		assert_true(db_lock_conflicts(modes[i], "AccessExclusive"));
		for (k = 0; k < 8; k++)
			assert_int_equal(db_lock_conflicts(modes[i], modes[k]),
				db_lock_conflicts(modes[k], modes[i]));
	}
	assert_false(db_lock_conflicts("AccessShare", "Exclusive"));
	assert_false(db_lock_conflicts("RowExclusive", "RowExclusive"));
	assert_false(db_lock_conflicts("Share", "Share"));
	assert_true(db_lock_conflicts("Share", "RowExclusive"));
	assert_true(db_lock_conflicts("ShareUpdateExclusive", "ShareUpdateExclusive"));
	assert_true(db_lock_conflicts("RowShare", "Exclusive"));
	assert_int_equal(db_lock_strength(""), 0);
	assert_false(db_lock_conflicts("", "AccessExclusive"));
}

/* A client's session that waits in that mode for that relation ("": it does not wait). */
static struct db_session *fold_add(
	struct db_snapshot *snapshot, int pid, const char *mode, const char *relation)
{
	struct db_session *session = db_snapshot_add(snapshot);

	session->pid = pid;
	db_snapshot_set(&session->backend_type, "client backend");
	db_snapshot_set(&session->waits_for.mode, mode);
	db_snapshot_set(&session->waits_for.relation, relation);
	return session;
}

/* Of a phase seen once nothing is said; then its pace counts; what goes back begins anew. */
static void progress_is_estimated_from_its_pace(void **state)
{
	static const struct {
		const char *text;
		double done;
		int64_t at_s;
		double left_s; /* negative: not known */
	} steps[] = {
		{ "CREATE INDEX: building index 10 %", 100, 0, -1 },
		{ "CREATE INDEX: building index 30 %", 300, 10, 35 },
		{ "CREATE INDEX: building index 50 %", 500, 20, 25 },
		{ "CREATE INDEX: sorting 50 %", 500, 22, -1 },
		{ "CREATE INDEX: sorting 20 %", 200, 24, -1 },
		{ "CREATE INDEX: sorting 40 %", 400, 28, 12 },
	};
	struct progress_memory memory = { NULL, 0 };
	struct db_snapshot *snapshot;
	struct db_session *session;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		snapshot = db_snapshot_new();
		session = db_snapshot_add(snapshot);
		session->pid = 8140;
		db_snapshot_set(&session->progress, steps[i].text);
		session->progress_done = steps[i].done;
		session->progress_ratio = steps[i].done / 1000;
		progress_estimate(&memory, snapshot, steps[i].at_s * 1000000000);
		if (steps[i].left_s < 0)
			assert_true(isnan(session->progress_left_s));
		else
			assert_true(fabs(session->progress_left_s - steps[i].left_s) < 0.01);
		db_snapshot_free(snapshot);
	}
	progress_fini(&memory);
}

/* Beyond the cap the order of the queue tells: a second ALTER in between blocks those behind it. */
static void fold_infers_soft_blockers_from_the_queue(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *session;
	int i;

	(void)state;
	for (i = 0; i < 80; i++) {
		session = db_snapshot_add(snapshot);
		session->pid = 100 + i;
		db_snapshot_set(&session->backend_type, "client backend");
		db_snapshot_set(
			&session->waits_for.mode, i == 60 ? "AccessExclusive" : "AccessShare");
		db_snapshot_set(&session->waits_for.relation, "users");
		session->wait_age_s = 1000 - i;
		if (i < 20)
			db_session_add_blocker(session, 99);
	}
	db_snapshot_add(snapshot)->pid = 99;
	build_fold(snapshot, 0, 0);
	session = &snapshot->sessions[40];
	assert_int_equal(session->n_blocked_by, 1);
	assert_int_equal(session->blocked_by[0], 99);
	session = &snapshot->sessions[70];
	assert_int_equal(session->pid, 170);
	assert_int_equal(session->n_blocked_by, 2);
	assert_int_equal(session->blocked_by[0], 160);
	assert_int_equal(session->blocked_by[1], 99);
	db_snapshot_free(snapshot);
}

static void fold_joins_workers_to_their_leader(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *session;
	const struct db_session *leader, *other;

	(void)state;
	fold_add(snapshot, 10, "", "");
	session = fold_add(snapshot, 11, "AccessShare", "users");
	session->leader_pid = 10;
	session->wait_age_s = 3;
	db_snapshot_set(&session->backend_type, "parallel worker");
	db_session_add_blocker(session, 20);
	db_session_add_blocker(session, 10); /* its own leader */
	session = fold_add(snapshot, 12, "", "");
	session->leader_pid = 10;
	db_snapshot_set(&session->backend_type, "parallel worker");
	fold_add(snapshot, 20, "", "");
	session = fold_add(snapshot, 30, "AccessExclusive", "users");
	db_session_add_blocker(session, 12);
	db_session_add_blocker(session, 11);
	db_session_add_blocker(session, 10);
	/* The leader is not in the list: the worker stays for itself. */
	session = fold_add(snapshot, 40, "", "");
	session->leader_pid = 99;
	build_fold(snapshot, 0, 0);
	assert_int_equal(snapshot->n_sessions, 4);
	leader = db_snapshot_find(snapshot, 10);
	assert_int_equal(leader->n_blocked_by, 1);
	assert_int_equal(leader->blocked_by[0], 20);
	assert_string_equal(leader->waits_for.mode, "AccessShare");
	assert_true(leader->wait_age_s > 2.9);
	other = db_snapshot_find(snapshot, 30);
	assert_int_equal(other->n_blocked_by, 1);
	assert_int_equal(other->blocked_by[0], 10);
	assert_int_equal(other->root, 20);
	assert_non_null(db_snapshot_find(snapshot, 40));
	db_snapshot_free(snapshot);
}

static void fold_leaves_out_what_is_of_no_interest(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *session;

	(void)state;
	fold_add(snapshot, 1, "", ""); /* we, watching */
	fold_add(snapshot, 2, "", ""); /* we, acting */
	session = fold_add(snapshot, 3, "", "");
	db_snapshot_set(&session->backend_type, "autovacuum worker"); /* in a tree */
	session = fold_add(snapshot, 4, "ShareUpdateExclusive", "users");
	db_session_add_blocker(session, 3);
	db_session_add_blocker(session, 1);
	session = fold_add(snapshot, 5, "", "");
	db_snapshot_set(&session->backend_type, "autovacuum worker"); /* in none */
	session = fold_add(snapshot, 6, "", "");
	db_snapshot_set(&session->backend_type, "");
	session->hidden = true;
	session = fold_add(snapshot, 0, "", "");
	db_snapshot_set(&session->gid, "prepared");
	build_fold(snapshot, 1, 2);
	assert_int_equal(snapshot->n_sessions, 4);
	assert_null(db_snapshot_find(snapshot, 1));
	assert_null(db_snapshot_find(snapshot, 2));
	assert_true(db_snapshot_find(snapshot, 3)->is_root);
	assert_int_equal(db_snapshot_find(snapshot, 4)->n_blocked_by, 1);
	assert_null(db_snapshot_find(snapshot, 5));
	assert_int_equal(snapshot->n_hidden, 1);
	db_snapshot_free(snapshot);
}

/* The server was asked for the blockers of DB_WAITERS_MAX waiters only. */
static void fold_completes_edges_beyond_the_cap(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *session;
	int i;

	(void)state;
	fold_add(snapshot, 1, "", "");
	session = fold_add(snapshot, 2, "AccessExclusive", "users");
	db_session_add_blocker(session, 1);
	for (i = 0; i < 400; i++) {
		session = fold_add(snapshot, 10 + i, "AccessShare", "users");
		if (i < DB_WAITERS_MAX - 1)
			db_session_add_blocker(session, 2);
	}
	fold_add(snapshot, 900, "AccessShare", "elsewhere"); /* nobody like it was asked for */
	build_fold(snapshot, 0, 0);
	assert_int_equal(db_snapshot_find(snapshot, 1)->n_behind, 401);
	assert_int_equal(db_snapshot_find(snapshot, 409)->blocked_by[0], 2);
	assert_int_equal(db_snapshot_find(snapshot, 900)->n_blocked_by, 0);
	db_snapshot_free(snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshot_recognises_migrations),
		cmocka_unit_test(snapshot_knows_lock_modes),
		cmocka_unit_test(progress_is_estimated_from_its_pace),
		cmocka_unit_test(fold_infers_soft_blockers_from_the_queue),
		cmocka_unit_test(fold_joins_workers_to_their_leader),
		cmocka_unit_test(fold_leaves_out_what_is_of_no_interest),
		cmocka_unit_test(fold_completes_edges_beyond_the_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
