/*
 * Further ways through the runbooks, beside those of test_runbook_branches.c: other roots of a queue,
 * clients that end late, what is done by hand. Each is staged for real, and what it promises, done or
 * left alone, is looked for in the database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "care.h"
#include "daemon.h"
#include "fixture.h"
#include "play.h"
#include "scene.h"
#include "texts.h"

enum { LIVE_MS = 20000, WAIT_MS = 15000 };

#define ANSWERS_END                                                                                \
	{                                                                                          \
		NULL, NULL, NULL, false                                                            \
	}
#define WANTED_HEAD                                                                                \
	{                                                                                          \
		"See whether it arrived", "", "622dbc22743e", false                                \
	}
#define OF_APP    "usename = 'bo1' AND application_name = 'boardofone-api'"
#define IDLES     OF_APP " AND state = 'idle in transaction'"
#define WAITS     "wait_event_type = 'Lock'"
#define MIGRATION WAITS " AND query LIKE 'ALTER TABLE users%'"
#define VERSION   "SELECT version_num FROM alembic_version"

static void expect_alive(struct fixture *f, int pid, bool alive)
{
	char *sql = mem_printf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid);

	fixture_expect_rows(f, sql, alive ? "1" : "0");
	free(sql);
}

/* Nothing of the pending revision, and no row but the old one. */
static void expect_not_migrated(struct fixture *f)
{
	fixture_expect_rows(f, VERSION, "001_research_metrics");
	fixture_expect_rows(f, "SELECT to_regclass('session_events') IS NULL", "t");
}

/* Opens the runbook of the finding, its blocker filled in. */
static struct pty *open_of_finding(struct fixture *f)
{
	struct pty *p = play_armed(f);

	pty_wait_text(p, texts.any_finding, LIVE_MS);
	pty_key(p, "r");
	pty_wait_text(p, "Enter: begin", PTY_WAIT_MS);
	return p;
}

static void play_to(struct pty *p, const struct play_answer *answers, enum play_end end,
	struct strlist *visited)
{
	assert_int_equal(play_runbook(p, answers, visited), end);
}

/* --- stuck-migration: the blocker stays -------------------------------------------------------- */

#define UPGRADE_BESIDE                                                                             \
	"$RUNTIME_COMMAND exec -d $APP_CONTAINER /range/tracked spawn /range/spawned"              \
	" /proc/1/fd/1 /proc/1/fd/2 uv run alembic upgrade head"

/* Everybody who waits is gone, and the migration has just come back. */
static void restart_migration(struct fixture *f)
{
	scene_sql(f, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE " WAITS);
	scene_do(f, UPGRADE_BESIDE);
	care_wait_rows(f, "SELECT count(*) FROM pg_stat_activity WHERE " WAITS, "1", WAIT_MS);
}

static void expect_no_move(struct pty *p)
{
	pty_key(p, "Enter");
	pty_wait_text(p, "· (watching|judged)", PTY_WAIT_MS);
	assert_true(pty_has(p, "· watching"));
	assert_false(pty_has(p, "· judged"));
}

/* A migration that has waited for a moment only waits nevertheless: the blocker still stands. */
static void way_young_wait_is_no_move(void **state)
{
	static const struct play_answer before[] = {
		{ "End its session", "x", NULL, false },
		{ "End its session", "s", "its owner says no", false },
		{ "See whether the queue moves", "halt", NULL, false },
		ANSWERS_END,
	};
	static const struct play_answer after[] = { WANTED_HEAD, ANSWERS_END };
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "stuck-migration");
	p = open_of_finding(f);
	play_to(p, before, PLAY_HALTED, NULL);
	restart_migration(f);
	expect_no_move(p);
	scene_sql(f, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE " IDLES);
	play_to(p, after, PLAY_FINISHED, &visited);
	assert_true(play_has_visited(&visited, "See whether the queue moves: ok"));
	assert_true(play_has_visited(&visited, "See whether it arrived: ok"));
	fixture_expect_rows(f, VERSION, "622dbc22743e");
	assert_int_equal(play_intents(f), 0);
	strlist_fini(&visited);
}

/* --- stuck-migration: its client does not end ---------------------------------------------------- */

static const struct play_answer to_the_client[] = {
	{ "End its session", "x", NULL, false },
	{ "End its session", "s", "its owner says no", false },
	{ "Cancel the migration", "", "ALTER TABLE", false },
	{ "Give it 15 seconds", "halt", NULL, false },
	ANSWERS_END,
};

#define PROCESSES "grep -lsx alembic /proc/[0-9]*/comm | wc -l"

static int alembic_processes(struct fixture *f)
{
	char *n = play_shell(f, "$RUNTIME_COMMAND exec $APP_CONTAINER sh -c '" PROCESSES "'");
	int number = atoi(n);

	free(n);
	return number;
}

/* Its process is stopped, so that it neither answers the server nor hears a signal. Halts when TERM
 * was sent. */
static struct pty *signal_a_stopped_client(struct fixture *f, struct strlist *visited)
{
	struct pty *p;
	int migration;

	play_stage(f, "stuck-migration");
	scene_do_in_app(f, "pkill -STOP -x alembic");
	migration = scene_session(f, MIGRATION);
	p = open_of_finding(f);
	play_to(p, to_the_client, PLAY_HALTED, visited);
	assert_true(play_has_visited(visited, "Cancel the migration: ok"));
	assert_true(play_has_visited(visited, "See its backend go: fail"));
	assert_true(play_has_visited(visited, "End the migration's session: ok"));
	assert_true(play_has_visited(visited, "See its client go: fail"));
	assert_true(play_has_visited(visited, "Ask the client to end: ok"));
	expect_alive(f, migration, false);
	assert_int_equal(alembic_processes(f), 1);
	play_expect_intents(f, "terminate-migration", 1);
	play_expect_intents(f, "signal", 1);
	return p;
}

static void way_signal_ends_the_client(void **state)
{
	static const struct play_answer answers[] = { WANTED_HEAD, ANSWERS_END };
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	p = signal_a_stopped_client(f, &visited);
	scene_do_in_app(f, "pkill -CONT -x alembic");
	play_to(p, answers, PLAY_FINISHED, &visited);
	assert_true(play_has_visited(&visited, "Give it 15 seconds: ok"));
	assert_int_equal(alembic_processes(f), 0);
	expect_not_migrated(f);
	play_expect_intents(f, "signal", 1);
	play_expect_intents(f, "kill", 0);
	strlist_fini(&visited);
}

/* Its client is dead already: the migration's own session is what has to go. */
static void way_ends_an_orphan(void **state)
{
	static const struct play_answer answers[] = {
		{ "Cancel the migration", "", "ALTER TABLE", false },
		WANTED_HEAD,
		ANSWERS_END,
	};
	struct fixture *f = *state;
	struct strlist visited;
	int orphan;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "migration-orphaned");
	orphan = scene_session(f, MIGRATION);
	p = play_armed(f);
	play_open(p, "stuck-migration");
	play_to(p, answers, PLAY_FINISHED, &visited);
	assert_true(play_has_visited(&visited, "See whether its client still lives: fail"));
	assert_true(play_has_visited(&visited, "Cancel the migration: ok"));
	expect_alive(f, orphan, false);
	scene_session(f, IDLES);
	expect_not_migrated(f);
	assert_int_equal(play_intents(f), 1);
	strlist_fini(&visited);
}

/* --- stuck-migration: the root is active ------------------------------------------------------- */

/* The root works: a transaction that did the one statement, and is at the other. Returns once a
 * migration waits for it. */
static int stage_root(struct fixture *f, const char *first, const char *statement)
{
	char *script = mem_printf("{ psql -Xq -c \"SET application_name = 'report'\" -c BEGIN"
				  " -c %s -c %s \"$DB_CONNINFO\""
				  " >%s/root.log 2>&1 </dev/null & }",
		first, statement, f->home);

	scene_do(f, script);
	free(script);
	care_wait_rows(f,
		"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'report'"
		" AND query LIKE '%pg_sleep%'",
		"1", WAIT_MS);
	scene_do(f, UPGRADE_BESIDE);
	care_wait_rows(f, "SELECT count(*) FROM pg_stat_activity WHERE " WAITS, "1", WAIT_MS);
	return scene_session(f, "application_name = 'report'");
}

static int stage_active_root(struct fixture *f, const char *statement)
{
	return stage_root(f, "'SELECT count(*) FROM users'", statement);
}

static const struct play_answer at_an_active_root[] = {
	{ "Choose the root", "", "report", false },
	WANTED_HEAD,
	ANSWERS_END,
};

#define BACKFILL "d0e1f2a3b4c5"

/* A revision that changes rows, not the schema, and waits for one of them. */
static void stage_backfill(struct fixture *f)
{
	static const char revision[] =
		"from alembic import op\n"
		"revision = '" BACKFILL "'\ndown_revision = '622dbc22743e'\n"
		"branch_labels = None\ndepends_on = None\n"
		"def upgrade():\n"
		"    op.execute(\"UPDATE users SET updated_at = now() WHERE id = 'usr_000042'\")\n"
		"def downgrade():\n    pass\n";
	char *path = fixture_write(f, BACKFILL ".py", revision);
	char *copy =
		mem_printf("$RUNTIME_COMMAND cp %s $APP_CONTAINER:/app/migrations/versions/", path);

	scene_do_in_app(f, "uv run alembic upgrade head");
	scene_do(f, copy);
	stage_root(f, "\"UPDATE users SET updated_at = now() WHERE id = 'usr_000042'\"",
		"'SELECT pg_sleep(600)'");
	free(copy);
	free(path);
}

/* It waits for a row, behind a session that works: no schema change, and nobody idles. */
static void way_waiting_backfill_is_no_move(void **state)
{
	static const struct play_answer before[] = {
		{ "Choose the root", "", "report", false },
		{ "Cancel its query", "!s", "it is the payroll", false },
		{ "End its session", "x", NULL, false },
		{ "End its session", "s", "it is the payroll", false },
		{ "See whether the queue moves", "halt", NULL, false },
		ANSWERS_END,
	};
	static const struct play_answer after[] = {
		{ "See whether it arrived", "", BACKFILL, false },
		ANSWERS_END,
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	stage_backfill(f);
	p = play_armed(f);
	play_open(p, "stuck-migration");
	play_to(p, before, PLAY_HALTED, NULL);
	restart_migration(f);
	expect_no_move(p);
	scene_sql(f, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
		     " WHERE application_name = 'report'");
	play_to(p, after, PLAY_FINISHED, &visited);
	assert_true(play_has_visited(&visited, "See whether the queue moves: ok"));
	fixture_expect_rows(f, VERSION, BACKFILL);
	assert_int_equal(play_intents(f), 0);
	strlist_fini(&visited);
}

static void way_cancels_an_active_root(void **state)
{
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	stage_active_root(f, "'SELECT pg_sleep(600)'");
	p = play_armed(f);
	play_open(p, "stuck-migration");
	play_to(p, at_an_active_root, PLAY_FINISHED, &visited);
	assert_true(play_has_visited(&visited, "Choose the root: ok"));
	assert_true(play_has_visited(&visited, "Cancel its query: ok"));
	assert_true(play_has_visited(&visited, "See whether it let go: ok"));
	assert_true(play_has_visited(&visited, "See whether it arrived: ok"));
	fixture_expect_rows(f, VERSION, "622dbc22743e");
	play_expect_intents(f, "cancel", 1);
	assert_int_equal(play_intents(f), 1);
	strlist_fini(&visited);
}

/* It takes no notice of a cancel. */
static void way_ends_a_root_that_goes_on(void **state)
{
	struct fixture *f = *state;
	struct strlist visited;
	int root;
	struct pty *p;

	strlist_init(&visited);
	root = stage_active_root(f,
		"'DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(600);"
		" EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$'");
	p = play_armed(f);
	play_open(p, "stuck-migration");
	play_to(p, at_an_active_root, PLAY_FINISHED, &visited);
	assert_true(play_has_visited(&visited, "Cancel its query: ok"));
	assert_true(play_has_visited(&visited, "See whether it let go: fail"));
	assert_true(play_has_visited(&visited, "End its session: ok"));
	expect_alive(f, root, false);
	fixture_expect_rows(f, VERSION, "622dbc22743e");
	play_expect_intents(f, "cancel", 1);
	play_expect_intents(f, "terminate", 1);
	strlist_fini(&visited);
}

/* No migration at all: the root of the queue is still what is to end. */
static void way_queue_without_a_migration(void **state)
{
	static const struct play_answer answers[] = {
		{ "Choose the root", "", "idle in tx", false },
		{ "See whether it arrived", "", "001_research_metrics", false },
		ANSWERS_END,
	};
	struct fixture *f = *state;
	struct strlist visited;
	int root;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "lock-queue");
	root = scene_session(f, IDLES);
	p = play_armed(f);
	play_open(p, "stuck-migration");
	play_to(p, answers, PLAY_FINISHED, &visited);
	assert_true(play_has_visited(&visited, "See what the migration does: fail"));
	assert_true(play_has_visited(&visited, "It does not wait: ok"));
	assert_true(play_has_visited(&visited, "See whether the queue moves: ok"));
	expect_alive(f, root, false);
	play_expect_intents(f, "terminate", 1);
	assert_int_equal(play_intents(f), 1);
	strlist_fini(&visited);
}

/* --- stuck-migration: how far it came ---------------------------------------------------------- */

/* All that the revision makes is there, its record is not. */
static struct pty *open_unrecorded(struct fixture *f)
{
	struct pty *p;

	scene_do_in_app(f, "uv run alembic upgrade head");
	scene_sql(f, "UPDATE alembic_version SET version_num = '001_research_metrics'");
	p = play_armed(f);
	play_open(p, "stuck-migration");
	return p;
}

static const struct play_answer to_the_record[] = {
	WANTED_HEAD,
	{ "Judge: nothing of it is there", "x", NULL, false },
	{ "Judge: nothing of it is there", "s", "all of it is there", false },
	{ "Record what is there", "halt", NULL, false },
	ANSWERS_END,
};

static void way_records_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	p = open_unrecorded(f);
	play_to(p, to_the_record, PLAY_HALTED, &visited);
	play_to(p, NULL, PLAY_FINISHED, &visited);
	assert_true(play_has_visited(
		&visited, "Nobody waits: see whether the migration is at work: ok"));
	assert_true(play_has_visited(&visited, "Record what is there: ok"));
	assert_true(play_has_visited(&visited, "Read the revision back: ok"));
	fixture_expect_rows(f, VERSION, "622dbc22743e");
	play_expect_intents(f, "stamp", 1);
	assert_int_equal(play_intents(f), 1);
	strlist_fini(&visited);
}

/* Alembic cannot start any more; until the teardown. Halts before the version row is written. */
static struct pty *stamp_with_a_broken_alembic(struct fixture *f, struct strlist *visited)
{
	static const struct play_answer halt[] = {
		{ "Last resort: repair the version row", "halt", NULL, false },
		ANSWERS_END,
	};
	struct pty *p = open_unrecorded(f);

	play_to(p, to_the_record, PLAY_HALTED, visited);
	scene_do_in_app(f,
		"cd migrations && cp env.py env.py.kept && echo raise SystemExit\\(7\\) >env.py");
	play_to(p, halt, PLAY_HALTED, visited);
	assert_true(play_has_visited(visited, "Record what is there: fail"));
	fixture_expect_rows(f, VERSION, "001_research_metrics");
	return p;
}

/* Somebody wrote another revision meanwhile: theirs stays. */
static void way_repair_spares_another_row(void **state)
{
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	p = stamp_with_a_broken_alembic(f, &visited);
	scene_sql(f, "UPDATE alembic_version SET version_num = 'f23423398b2a'");
	play_to(p, NULL, PLAY_STOPPED, &visited);
	assert_true(play_has_visited(&visited, "Last resort: repair the version row: fail"));
	fixture_expect_rows(f, VERSION, "f23423398b2a");
	strlist_fini(&visited);
}

/* A part was committed: neither recorded nor run again. */
static void way_half_done_stops(void **state)
{
	static const struct play_answer answers[] = {
		{ "See whether it arrived", "", "a3c5e7f9b1d2", false },
		ANSWERS_END,
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "half-applied");
	p = play_armed(f);
	play_open(p, "stuck-migration");
	play_to(p, answers, PLAY_STOPPED, &visited);
	assert_true(play_has_visited(&visited, "Look for invalid indexes: fail"));
	assert_true(play_has_visited(&visited, "Stop: it is half done: ok"));
	fixture_expect_rows(f, VERSION, "622dbc22743e");
	assert_int_equal(play_intents(f), 0);
	strlist_fini(&visited);
}

/* --- the health URL ---------------------------------------------------------------------------- */

static struct pty *open_asking(
	struct fixture *f, const char *from, const char *answers, pid_t *server)
{
	int port = scene_serve(f, answers, server);
	char *line = mem_printf("health_url = http://127.0.0.1:%d/\nhealth_from = %s", port, from);
	struct pty *p = scene_console_of(f, "health_url", line);

	free(line);
	return p;
}

/* As the console's own look: an answer is what comes after it sends elsewhere. Then it is asked until
 * the application is well again. */
static void await_health(struct fixture *f, const char *from)
{
	static const struct play_answer to_it[] = {
		{ "See that the database is where it was", "", "001_research_metrics", false },
		{ "Ask the application", "halt", NULL, false },
		ANSWERS_END,
	};
	struct strlist visited;
	pid_t server;
	struct pty *p = open_asking(f, from, "302 503", &server);

	strlist_init(&visited);
	pty_wait_text(p, "The application is not well.*answers 503", LIVE_MS);
	play_open(p, "migration-failed-in-deploy");
	play_to(p, to_it, PLAY_HALTED, NULL);
	pty_key(p, "Enter");
	pty_wait_text(p, "· (watching|judged)", PTY_WAIT_MS);
	assert_true(pty_has(p, "· watching"));
	scene_answer(f, "302 200");
	play_to(p, NULL, PLAY_FINISHED, &visited);
	assert_true(play_has_visited(&visited, "Ask the application: ok"));
	daemon_stop(server);
	strlist_fini(&visited);
}

static void way_health_is_awaited_from_here(void **state)
{
	await_health(*state, "here");
}

static void way_health_is_awaited_from_the_host(void **state)
{
	await_health(*state, "host");
}

/* --- the setting ------------------------------------------------------------------------------- */

/* What a test changed for good goes back, whatever became of it. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	pty_stop(f->pty);
	f->pty = NULL;
	scene_do_in_app(f, "rm -f migrations/versions/" BACKFILL ".py; cd migrations &&"
			   " if [ -e env.py.kept ]; then mv env.py.kept env.py; fi");
	scene_sql(f, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
		     " WHERE application_name = 'report'");
	return fixture_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(way_young_wait_is_no_move),
		TEST(way_waiting_backfill_is_no_move),
		TEST(way_signal_ends_the_client),
		TEST(way_ends_an_orphan),
		TEST(way_cancels_an_active_root),
		TEST(way_ends_a_root_that_goes_on),
		TEST(way_queue_without_a_migration),
		TEST(way_records_what_is_there),
		TEST(way_repair_spares_another_row),
		TEST(way_half_done_stops),
		TEST(way_health_is_awaited_from_here),
		TEST(way_health_is_awaited_from_the_host),
	};

	/* A pattern runs some of them only. */
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
