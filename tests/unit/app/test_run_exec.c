/*
 * A step's statement and the connections it may go over: one that broke between the preparing and the
 * sending, and the one kept for acting, where the server has no other slot.
 */
#include "../db/cluster.h"

#include "../../../src/app/run_exec.h"

/* What a step sets differs from what the connection kept for acting has. */
#define STEP_TIMEOUT_NS (90 * CLOCK_NS_PER_S)
#define ACTING_TIMEOUT  "10s"

static struct {
	struct config config;
	struct target *target;
	struct actor root; /* superuser */
	bool ready, done;
	enum runbook_ran ran;
	char error[256];
} it;

/* --- what the tests share -------------------------------------------------------------------- */

static int group_setup(void **state)
{
	char path[128];
	struct err err;
	FILE *file;

	if (cluster_start(state) != 0)
		return -1;
	cluster_psql("postgres",
		"CREATE ROLE bo1 LOGIN;"
		" DO $$ BEGIN IF current_setting('server_version_num')::int >= 140000 THEN"
		" ALTER ROLE bo1 SET idle_session_timeout = '1h'; END IF; END $$;"
		" CREATE DATABASE boardofone OWNER bo1;");
	cluster_psql("boardofone", "CREATE TABLE marks (n int); ALTER TABLE marks OWNER TO bo1;");
	snprintf(path, sizeof(path), "%s/config", cluster.dir);
	file = fopen(path, "w");
	if (!file)
		return -1;
	fprintf(file,
		"[target test]\nenvironment = development\nssh = none\nruntime = none\n"
		"db_host = %s\ndb_port = %d\ndb_name = boardofone\ndb_user = bo1\n",
		cluster.dir, cluster.port);
	fclose(file);
	return config_load(&it.config, path, &err);
}

static int group_teardown(void **state)
{
	config_fini(&it.config);
	return cluster_stop(state);
}

static bool acting_is_up(void)
{
	struct db_conn *acting = target_acting_conn(it.target);

	return acting && db_conn_is_up(acting);
}

static int setup(void **state)
{
	static const struct target_events events;
	struct target_options options = { .section = &it.config.targets[0],
		.wants = TARGET_DATABASE | TARGET_ACTING,
		.refresh_ns = CLOCK_NS_PER_S,
		.retry = true };

	(void)state;
	actor_start(&it.root, "postgres", "root");
	actor_do(&it.root, "ALTER ROLE bo1 CONNECTION LIMIT -1");
	it.target = target_open(cluster.loop, &options, &events);
	cluster_wait(target_get_state(it.target) == TARGET_UP && acting_is_up());
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	target_close(it.target);
	actor_do(&it.root,
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = "
		"'bo1'");
	actor_close(&it.root);
	return 0;
}

static void on_ready(void *arg)
{
	(void)arg;
	it.ready = true;
}

static void on_output(void *arg)
{
	(void)arg;
}

static void on_done(void *arg, const struct runbook_result *result)
{
	(void)arg;
	it.done = true;
	it.ran = result->ran;
	snprintf(it.error, sizeof(it.error), "%s", result->error ? result->error : "");
}

static struct run_exec *start(const char *sql, bool writes)
{
	struct runbook_command command = { .language = RUNBOOK_SQL };
	struct run_exec_request request = { .loop = cluster.loop,
		.target = it.target,
		.command = &command,
		.writes = writes,
		.timeout_ns = STEP_TIMEOUT_NS };
	struct run_exec_events events = { on_ready, on_output, on_done, NULL };
	struct run_exec *exec;

	command.text = command.shown = mem_strdup(sql);
	it.ready = it.done = false;
	exec = run_exec_start(&request, &events);
	free(command.text);
	cluster_wait(it.ready || it.done);
	return exec;
}

/* Of the connection kept for acting, once it answers. */
static void expect_acting_timeout(const char *want)
{
	struct actor acting = { 0 };

	cluster_wait(acting_is_up());
	acting.conn = target_acting_conn(it.target);
	assert_string_equal(actor_do(&acting, "SHOW statement_timeout"), want);
	/* Not its role's: it may rest. */
	if (db_conn_version_num(acting.conn) >= 140000)
		assert_string_equal(actor_do(&acting, "SHOW idle_session_timeout"), "0");
}

/* Watching and acting take all that the role may have. */
static void take_all_slots(void)
{
	actor_do(&it.root, "ALTER ROLE bo1 CONNECTION LIMIT 2");
}

static void terminate(int pid)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)", pid);
	assert_string_equal(actor_do(&it.root, sql), "t");
}

/* --- the steps' own connection ---------------------------------------------------------------- */

static void run_exec_sends_only_where_prepared(void **state)
{
	struct run_exec *exec = start("INSERT INTO marks VALUES (1)", true);
	uint64_t steps = target_steps_id(it.target), all = target_connection_id(it.target);

	(void)state;
	assert_true(it.ready);
	terminate(db_conn_backend_pid(target_steps_conn(it.target)));
	cluster_wait(target_steps_id(it.target) != steps);
	assert_true(target_connection_id(it.target) != all); /* a permit is void then */
	run_exec_send(exec);
	cluster_wait(it.done);
	assert_false(run_exec_is_sent(exec));
	assert_int_equal(it.ran, RUNBOOK_RAN_ERROR);
	assert_non_null(strstr(it.error, "Nothing was sent"));
	run_exec_free(exec);
	/* The next one has a new connection. */
	exec = start("INSERT INTO marks VALUES (1)", true);
	run_exec_send(exec);
	cluster_wait(it.done);
	assert_int_equal(it.ran, RUNBOOK_RAN);
	run_exec_free(exec);
	assert_string_equal(actor_do(&it.root, "SELECT count(*) FROM marks"), "1");
}

/* --- the one kept for acting ------------------------------------------------------------------ */

static void run_exec_gives_acting_back(void **state)
{
	struct run_exec *exec;

	(void)state;
	take_all_slots();
	exec = start("SELECT current_setting('statement_timeout')", false);
	assert_true(it.ready);
	expect_acting_timeout("90s");
	run_exec_send(exec);
	cluster_wait(it.done);
	assert_int_equal(it.ran, RUNBOOK_RAN);
	expect_acting_timeout(ACTING_TIMEOUT);
	run_exec_free(exec);
	/* A slot is free again: the next step has its own. */
	actor_do(&it.root, "ALTER ROLE bo1 CONNECTION LIMIT -1");
	exec = start("SELECT 1", false);
	assert_true(it.ready);
	assert_ptr_not_equal(target_steps_conn(it.target), target_acting_conn(it.target));
	expect_acting_timeout(ACTING_TIMEOUT);
	run_exec_free(exec);
}

/* The gate refused it after it was prepared. */
static void run_exec_refused_gives_acting_back(void **state)
{
	struct run_exec *exec;

	(void)state;
	take_all_slots();
	exec = start("INSERT INTO marks VALUES (1)", true);
	assert_true(it.ready);
	expect_acting_timeout("90s");
	run_exec_free(exec);
	expect_acting_timeout(ACTING_TIMEOUT);
}

static void run_exec_halted_leaves_acting_free(void **state)
{
	struct run_exec *exec;
	uint64_t id;
	int pid;

	(void)state;
	take_all_slots();
	exec = start("SELECT pg_sleep(600)", true);
	assert_true(it.ready);
	run_exec_send(exec);
	pid = run_exec_backend(exec);
	assert_int_equal(pid, db_conn_backend_pid(target_acting_conn(it.target)));
	id = target_connection_id(it.target);
	run_exec_halt(exec, "halted");
	assert_true(target_connection_id(it.target) != id);
	cluster_wait(it.done);
	assert_int_equal(it.ran, RUNBOOK_RAN_UNKNOWN);
	assert_string_equal(it.error, "halted");
	run_exec_free(exec);
	/* The server does not notice that its client is gone; its slot is wanted. */
	terminate(pid);
	expect_acting_timeout(ACTING_TIMEOUT);
	assert_int_not_equal(db_conn_backend_pid(target_acting_conn(it.target)), pid);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(run_exec_sends_only_where_prepared),
		TEST(run_exec_gives_acting_back),
		TEST(run_exec_refused_gives_acting_back),
		TEST(run_exec_halted_leaves_acting_free),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
