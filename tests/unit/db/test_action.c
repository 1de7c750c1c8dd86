/*
 * Guarded acts: the pre-check and the statement shown (pure), and acts on a real server.
 */
#include "cluster.h"

static const char action_seed[] =
	"CREATE ROLE bo1 LOGIN;\n"
	"CREATE ROLE oncall LOGIN IN ROLE pg_signal_backend, pg_read_all_stats;\n"
	"CREATE ROLE viewer LOGIN IN ROLE pg_read_all_stats;\n"
	"CREATE ROLE plain LOGIN;\n"
	"CREATE DATABASE boardofone OWNER bo1;\n"
	"\\c boardofone\n"
	"SET ROLE bo1;\n"
	"CREATE TABLE users (id int PRIMARY KEY, email text);\n"
	"INSERT INTO users VALUES (1, 'x');\n";

static int action_setup(void **state)
{
	int rc = cluster_start(state);

	if (rc == 0)
		cluster_psql("postgres", action_seed);
	return rc;
}

struct outcome {
	int n;
	enum db_action_result result;
	char sentence[1024];
};

static void outcome_set(void *arg, enum db_action_result result, const char *sentence)
{
	struct outcome *outcome = arg;

	outcome->n++;
	outcome->result = result;
	snprintf(outcome->sentence, sizeof(outcome->sentence), "%s", sentence);
}

/* Prepares, runs and waits; fails unless it came out like that. */
static void action_does(struct actor *acting, enum db_action_kind kind,
	const struct db_session *target, enum db_action_result expected, const char *says)
{
	struct outcome outcome = { 0 };
	struct db_action action;

	db_action_prepare(&action, kind, target, db_conn_version_num(acting->conn));
	db_action_run(acting->conn, &action, outcome_set, &outcome);
	db_action_fini(&action);
	cluster_wait(outcome.n);
	if (outcome.result != expected || !strstr(outcome.sentence, says))
		fail_msg("%s: %s", db_action_result_name(outcome.result), outcome.sentence);
	assert_int_equal(outcome.n, 1);
}

/* A session that holds a lock and thinks. */
static void blocker_start(struct actor *actor)
{
	actor_start(actor, "bo1", "boardofone-api");
	actor_do(actor, "BEGIN");
	actor_do(actor, "SELECT count(*) FROM users");
}

static void action_terminates_exactly_one(void **state)
{
	struct actor watcher, acting, blocker, alembic;
	const struct db_session *target;
	struct db_snapshot *snapshot;
	struct err err;

	(void)state;
	actor_start(&watcher, "oncall", "pgoncall");
	actor_start(&acting, "oncall", "pgoncall");
	blocker_start(&blocker);
	actor_start(&alembic, "bo1", "alembic");
	actor_send(&alembic, "ALTER TABLE users ADD COLUMN a int");
	snapshot = picture_with_waiting(&watcher, 1);
	target = picture_session(snapshot, &blocker);
	assert_int_equal(db_action_check(&snapshot->server, target, DB_ACTION_TERMINATE, &err), 0);
	action_does(
		&acting, DB_ACTION_TERMINATE, target, DB_ACTION_ENDED, "terminated and is gone");
	cluster_wait(blocker.downs == 1 && alembic.answers == 1);
	assert_int_equal(alembic.errors, 0);
	/* Once more: it is gone, and that is said. */
	action_does(&acting, DB_ACTION_TERMINATE, target, DB_ACTION_CHANGED, "already ended");
	actor_do(&alembic, "ALTER TABLE users DROP COLUMN a");
	db_snapshot_free(snapshot);
	actor_close(&alembic);
	actor_close(&blocker);
	actor_close(&acting);
	actor_close(&watcher);
}

static void action_spares_what_changed(void **state)
{
	struct db_snapshot *snapshot;
	struct actor watcher, blocker;
	struct db_session target;
	struct outcome outcome = { 0 };
	struct db_action action;

	(void)state;
	actor_start(&watcher, "postgres", "pgoncall");
	blocker_start(&blocker);
	snapshot = picture_take(&watcher, NULL);
	target = *picture_session(snapshot, &blocker);

	/* The pid was given to another session. */
	target.backend_start = (char *)"2001-02-03 04:05:06.789+00";
	action_does(&watcher, DB_ACTION_TERMINATE, &target, DB_ACTION_CHANGED, "another session");
	action_does(&watcher, DB_ACTION_CANCEL, &target, DB_ACTION_CHANGED, "another session");
	/* Its beginning is not known: refused, not sent. */
	target.backend_start = (char *)"";
	action_does(&watcher, DB_ACTION_TERMINATE, &target, DB_ACTION_REFUSED, "identity");
	/* It ended its transaction and began another. */
	target = *picture_session(snapshot, &blocker);
	actor_do(&blocker, "COMMIT");
	actor_do(&blocker, "BEGIN");
	actor_do(&blocker, "SELECT 1");
	action_does(
		&watcher, DB_ACTION_TERMINATE, &target, DB_ACTION_CHANGED, "another transaction");
	/* What is no moment at all does not reach anybody. */
	target.backend_start = (char *)"' OR true --";
	db_action_prepare(&action, DB_ACTION_TERMINATE, &target, 150000);
	assert_non_null(strstr(action.shown, "= ''' OR true --'::timestamptz"));
	db_action_run(watcher.conn, &action, outcome_set, &outcome);
	db_action_fini(&action);
	cluster_wait(outcome.n);
	assert_int_equal(outcome.result, DB_ACTION_FAILED);
	assert_string_equal(actor_do(&blocker, "SELECT 7"), "7");
	assert_int_equal(blocker.downs, 0);
	db_snapshot_free(snapshot);
	actor_close(&blocker);
	actor_close(&watcher);
}

static void action_cancels_one_query(void **state)
{
	struct db_snapshot *snapshot;
	struct actor watcher, worker;
	struct db_session target;
	struct err err;

	(void)state;
	actor_start(&watcher, "postgres", "pgoncall");
	actor_start(&worker, "bo1", "worker");
	actor_do(&worker, "BEGIN");
	actor_send(&worker, "SELECT pg_sleep(600)");
	snapshot = picture_take(&watcher, NULL);
	while (strcmp(picture_session(snapshot, &worker)->wait_event, "PgSleep") != 0) {
		db_snapshot_free(snapshot);
		snapshot = picture_take(&watcher, NULL);
	}
	target = *picture_session(snapshot, &worker);
	assert_int_equal(db_action_check(&snapshot->server, &target, DB_ACTION_CANCEL, &err), 0);
	target.query_start = (char *)"2001-02-03 04:05:06.789+00";
	action_does(&watcher, DB_ACTION_CANCEL, &target, DB_ACTION_CHANGED, "another query");
	assert_int_equal(worker.errors, 0);
	target = *picture_session(snapshot, &worker);
	action_does(
		&watcher, DB_ACTION_CANCEL, &target, DB_ACTION_ENDED, "cancelled and has ended");
	cluster_wait(worker.errors == 1);
	assert_string_equal(worker.sqlstate, "57014");
	assert_int_equal(worker.downs, 0);
	db_snapshot_free(snapshot);
	actor_close(&worker);
	actor_close(&watcher);
}

/* A stopped process neither ends nor takes a signal. */
static void action_looks_whether_it_ended(void **state)
{
	struct db_snapshot *snapshot;
	struct actor watcher, blocker;
	int pid;

	(void)state;
	actor_start(&watcher, "postgres", "pgoncall");
	blocker_start(&blocker);
	pid = db_conn_backend_pid(blocker.conn);
	snapshot = picture_take(&watcher, NULL);
	assert_int_equal(cluster_shell("kill -STOP %d", pid), 0);
	action_does(&watcher, DB_ACTION_TERMINATE, picture_session(snapshot, &blocker),
		DB_ACTION_STILL_THERE, "still there");
	assert_int_equal(cluster_shell("kill -CONT %d", pid), 0);
	cluster_wait(blocker.downs == 1);
	db_snapshot_free(snapshot);
	actor_close(&blocker);
	actor_close(&watcher);
}

static void action_names_the_missing_role(void **state)
{
	struct actor viewer, plain, blocker, boss;
	const struct db_session *target;
	struct db_snapshot *snapshot;
	struct err err;

	(void)state;
	actor_start(&viewer, "viewer", "pgoncall");
	actor_start(&plain, "plain", "pgoncall");
	actor_start(&boss, "postgres", "boss");
	actor_do(&boss, "SELECT 1");
	blocker_start(&blocker);
	snapshot = picture_take(&viewer, NULL);
	target = picture_session(snapshot, &blocker);
	assert_int_equal(db_action_check(&snapshot->server, target, DB_ACTION_TERMINATE, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	assert_non_null(strstr(err.text, "GRANT pg_signal_backend TO viewer"));
	action_does(&viewer, DB_ACTION_TERMINATE, target, DB_ACTION_REFUSED, "viewer");
	/* A superuser's session. */
	snapshot->server.may_signal = true;
	target = picture_session(snapshot, &boss);
	assert_int_equal(db_action_check(&snapshot->server, target, DB_ACTION_CANCEL, &err), -1);
	db_snapshot_free(snapshot);

	/* To whom the server hides the beginning, nothing is offered. */
	snapshot = picture_take(&plain, NULL);
	assert_int_equal(db_action_check(&snapshot->server, picture_session(snapshot, &blocker),
				 DB_ACTION_TERMINATE, &err),
		-1);
	assert_non_null(strstr(err.text, "pg_read_all_stats"));
	db_snapshot_free(snapshot);
	assert_int_equal(blocker.downs + boss.downs, 0);
	actor_close(&blocker);
	actor_close(&boss);
	actor_close(&plain);
	actor_close(&viewer);
}

static void action_rolls_prepared_back(void **state)
{
	const struct db_session *target = NULL;
	struct db_snapshot *snapshot;
	struct actor acting, waiter;
	struct db_action action;
	struct err err;
	size_t i;

	(void)state;
	actor_start(&acting, "postgres", "pgoncall");
	actor_do(&acting, "BEGIN");
	actor_do(&acting, "UPDATE users SET email = 'y'");
	actor_do(&acting, "PREPARE TRANSACTION 'it''s \\ mine'");
	actor_start(&waiter, "bo1", "waiter");
	actor_send(&waiter, "UPDATE users SET email = 'z'");
	snapshot = picture_with_waiting(&acting, 1);
	for (i = 0; i < snapshot->n_sessions; i++)
		if (snapshot->sessions[i].pid == 0)
			target = &snapshot->sessions[i];
	assert_non_null(target);
	assert_int_equal(db_action_check(&snapshot->server, target, DB_ACTION_TERMINATE, &err), -1);
	assert_non_null(strstr(err.text, "ROLLBACK PREPARED"));
	assert_int_equal(
		db_action_check(&snapshot->server, target, DB_ACTION_ROLLBACK_PREPARED, &err), 0);
	db_action_prepare(&action, DB_ACTION_ROLLBACK_PREPARED, target, 150000);
	assert_string_equal(action.shown, "ROLLBACK PREPARED E'it''s \\\\ mine';");
	db_action_fini(&action);
	action_does(&acting, DB_ACTION_ROLLBACK_PREPARED, target, DB_ACTION_ENDED, "rolled back");
	cluster_wait(waiter.answers == 1);
	assert_int_equal(waiter.errors, 0);
	action_does(&acting, DB_ACTION_ROLLBACK_PREPARED, target, DB_ACTION_CHANGED, "not there");
	db_snapshot_free(snapshot);
	actor_close(&waiter);
	actor_close(&acting);
}

static void action_is_unknown_when_the_link_breaks(void **state)
{
	struct outcome outcome = { 0 };
	struct actor acting, watcher, blocker;
	struct db_snapshot *snapshot;
	struct db_action action;
	int pid;

	(void)state;
	actor_start(&watcher, "postgres", "pgoncall");
	actor_start(&acting, "postgres", "pgoncall");
	blocker_start(&blocker);
	pid = db_conn_backend_pid(blocker.conn);
	snapshot = picture_take(&watcher, NULL);
	db_action_prepare(&action, DB_ACTION_TERMINATE, picture_session(snapshot, &blocker),
		db_conn_version_num(acting.conn));
	/* So that the act is still under way. */
	assert_int_equal(cluster_shell("kill -STOP %d", pid), 0);
	db_action_run(acting.conn, &action, outcome_set, &outcome);
	loop_run_once(cluster.loop, 100);
	actor_close(&acting);
	assert_int_equal(outcome.n, 1);
	assert_int_equal(outcome.result, DB_ACTION_UNKNOWN);
	assert_int_equal(cluster_shell("kill -CONT %d", pid), 0);
	db_action_fini(&action);
	db_snapshot_free(snapshot);
	actor_close(&blocker);
	actor_close(&watcher);
}

static void action_shows_what_it_sends(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *target = db_snapshot_add(snapshot);
	struct db_action action;

	(void)state;
	target->pid = 8123;
	db_snapshot_set(&target->backend_start, "2025-01-27 10:00:00.123456+00");
	db_snapshot_set(&target->query_start, "2025-01-27 11:00:00+00");
	db_action_prepare(&action, DB_ACTION_CANCEL, target, 150000);
	assert_string_equal(action.shown,
		"SELECT pg_catalog.pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a "
		"WHERE a.pid = 8123 AND a.backend_start = '2025-01-27 "
		"10:00:00.123456+00'::timestamptz "
		"AND a.xact_start IS NOT DISTINCT FROM NULL "
		"AND a.query_start IS NOT DISTINCT FROM '2025-01-27 11:00:00+00'::timestamptz "
		"AND a.backend_type IN ('client backend', 'autovacuum worker') AND a.pid <> pg_catalog.pg_backend_pid();");
	db_action_fini(&action);
	db_action_prepare(&action, DB_ACTION_TERMINATE, target, 150000);
	assert_non_null(strstr(action.shown, "pg_terminate_backend(a.pid, 5000)"));
	db_action_fini(&action);
	db_action_prepare(&action, DB_ACTION_TERMINATE, target, 130000);
	assert_non_null(strstr(action.shown, "pg_terminate_backend(a.pid) "));
	db_action_fini(&action);
	db_snapshot_free(snapshot);
}

static void action_checks_before(void **state)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct db_session *target = db_snapshot_add(snapshot);
	struct db_server *server = &snapshot->server;
	struct err err;

	(void)state;
	server->superuser = true;
	target->pid = 8123;
	db_snapshot_set(&target->backend_start, "2025-01-27 10:00:00+00");
	db_snapshot_set(&target->backend_type, "client backend");
	db_snapshot_set(&target->state, "idle in transaction");
	assert_int_equal(db_action_check(server, target, DB_ACTION_TERMINATE, &err), 0);
	assert_int_equal(db_action_check(server, target, DB_ACTION_CANCEL, &err), -1);
	assert_non_null(strstr(err.text, "cancel does nothing to an idle session"));
	db_snapshot_set(&target->state, "active");
	assert_int_equal(db_action_check(server, target, DB_ACTION_CANCEL, &err), 0);
	assert_int_equal(db_action_check(server, target, DB_ACTION_ROLLBACK_PREPARED, &err), -1);
	db_snapshot_set(&target->backend_type, "autovacuum worker");
	assert_int_equal(db_action_check(server, target, DB_ACTION_TERMINATE, &err), -1);
	db_snapshot_set(&target->backend_type, "client backend");
	target->ours = true;
	assert_int_equal(db_action_check(server, target, DB_ACTION_TERMINATE, &err), -1);
	target->ours = false;
	/* Without superuser: the privileges of the role, or pg_signal_backend. */
	server->superuser = false;
	assert_int_equal(db_action_check(server, target, DB_ACTION_TERMINATE, &err), -1);
	target->member = true;
	assert_int_equal(db_action_check(server, target, DB_ACTION_TERMINATE, &err), 0);
	target->member = false;
	server->may_signal = true;
	assert_int_equal(db_action_check(server, target, DB_ACTION_TERMINATE, &err), 0);
	target->superuser = true;
	assert_int_equal(db_action_check(server, target, DB_ACTION_TERMINATE, &err), -1);
	assert_non_null(strstr(err.text, "only a superuser"));
	server->superuser = true;
	server->standby = true;
	assert_int_equal(db_action_check(server, target, DB_ACTION_TERMINATE, &err), -1);
	assert_non_null(strstr(err.text, "standby"));
	assert_string_equal(db_action_verb(DB_ACTION_TERMINATE), "terminate");
	assert_string_equal(db_action_result_name(DB_ACTION_STILL_THERE), "still-there");
	db_snapshot_free(snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(action_terminates_exactly_one),
		cmocka_unit_test(action_spares_what_changed),
		cmocka_unit_test(action_cancels_one_query),
		cmocka_unit_test(action_looks_whether_it_ended),
		cmocka_unit_test(action_names_the_missing_role),
		cmocka_unit_test(action_rolls_prepared_back),
		cmocka_unit_test(action_is_unknown_when_the_link_breaks),
		cmocka_unit_test(action_shows_what_it_sends),
		cmocka_unit_test(action_checks_before),
	};

	return cmocka_run_group_tests(tests, action_setup, cluster_stop);
}
