/*
 * Where the built-in runbooks stop: an operator says no, a command fails, things are not as the
 * runbook needs them. What must not have happened then is looked for in the database and the journal.
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
#include "fixture.h"
#include "play.h"
#include "scene.h"

enum { LIVE_MS = 20000 };

#define ANSWERS_END                                                                                \
	{                                                                                          \
		NULL, NULL, NULL, false                                                            \
	}
#define VERSION "SELECT version_num FROM alembic_version"
#define UPGRADE "uv run alembic upgrade head"

/* A scene, what is answered, where it ends, and what is there afterwards. */
struct stop {
	const char *runbook;
	const char *incident; /* NULL: the baseline */
	const char *in_app;   /* and a script in the application's container; or NULL */
	const char *sql;      /* and a statement; or NULL */
	bool users_held;      /* somebody holds the table users */
	struct play_answer answers[6];
	enum play_end end;
	const char *visited; /* the step that mattered, with its outcome */
	const char *intent;  /* of the only write that was sent; NULL: none was */
	const char *look, *rows;
};

static void hold_users(struct fixture *f)
{
	scene_do(f, "{ psql -Xq -c \"SET application_name = 'holder'\" -c BEGIN"
		    " -c 'LOCK TABLE users IN ACCESS SHARE MODE' -c 'SELECT pg_sleep(600)'"
		    " \"$DB_CONNINFO\" >/dev/null 2>&1 </dev/null & }");
	care_wait_rows(f,
		"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder'"
		" AND query LIKE '%pg_sleep%'",
		"1", LIVE_MS);
}

static void expect_stop(struct fixture *f, struct pty *p, const struct stop *stop)
{
	struct strlist visited;

	strlist_init(&visited);
	play_open(p, stop->runbook);
	assert_int_equal(play_runbook(p, stop->answers, &visited), stop->end);
	assert_true(play_has_visited(&visited, stop->visited));
	if (stop->intent)
		play_expect_intents(f, stop->intent, 1);
	assert_int_equal(play_intents(f), stop->intent ? 1 : 0);
	fixture_expect_rows(f, stop->look, stop->rows);
	strlist_fini(&visited);
}

static void play_stop(struct fixture *f, const struct stop *stop)
{
	if (stop->incident)
		play_stage(f, stop->incident);
	if (stop->in_app)
		scene_do_in_app(f, stop->in_app);
	if (stop->sql)
		scene_sql(f, stop->sql);
	if (stop->users_held)
		hold_users(f);
	expect_stop(f, play_armed(f), stop);
}

/* --- applying and taking back ----------------------------------------------------------------- */

static void stop_manual_migration_gives_up_its_lock(void **state)
{
	static const struct stop stop = {
		.runbook = "manual-migration",
		.users_held = true,
		.answers = { { "See what is pending", "", "622dbc22743e", false }, ANSWERS_END },
		.end = PLAY_FINISHED,
		.visited = "It failed: ok",
		.intent = "upgrade",
		.look = VERSION,
		.rows = "001_research_metrics",
	};

	play_stop(*state, &stop);
	fixture_expect_rows(*state, "SELECT to_regclass('session_events') IS NULL", "t");
}

static void stop_manual_migration_that_can_wait(void **state)
{
	static const struct stop stop = {
		.runbook = "manual-migration",
		.answers = { { "Decide", "x", NULL, false }, ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Decide: fail",
		.look = VERSION,
		.rows = "001_research_metrics",
	};

	play_stop(*state, &stop);
}

static void stop_manual_migration_of_dangerous_sql(void **state)
{
	static const struct stop stop = {
		.runbook = "manual-migration",
		.answers = { { "See what is pending", "", "622dbc22743e", false },
			{ "Judge the SQL", "x", NULL, false }, ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Judge the SQL: fail",
		.look = VERSION,
		.rows = "001_research_metrics",
	};

	play_stop(*state, &stop);
}

static void stop_rollback_where_nginx_helps(void **state)
{
	static const struct stop stop = {
		.runbook = "rollback-migration",
		.in_app = UPGRADE,
		.answers = { { "Try the cheap way first", "x", NULL, false }, ANSWERS_END },
		.end = PLAY_FINISHED,
		.visited = "Try the cheap way first: fail",
		.look = VERSION,
		.rows = "622dbc22743e",
	};

	play_stop(*state, &stop);
}

static void stop_rollback_without_a_backup(void **state)
{
	static const struct stop stop = {
		.runbook = "rollback-migration",
		.in_app = UPGRADE,
		.answers = { { "Make sure that it goes back at all", "", "001_research_metrics",
				     false },
			{ "Count what would be lost", "", "session_events", false },
			{ "Make sure of the backup", "x", NULL, false }, ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Make sure of the backup: fail",
		.look = VERSION,
		.rows = "622dbc22743e",
	};

	play_stop(*state, &stop);
}

static void stop_rollback_gives_up_its_lock(void **state)
{
	static const struct stop stop = {
		.runbook = "rollback-migration",
		.in_app = UPGRADE,
		.users_held = true,
		.answers = { { "Make sure that it goes back at all", "", "001_research_metrics",
				     false },
			{ "Count what would be lost", "", "session_events", false }, ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Go back: fail",
		.intent = "downgrade",
		.look = VERSION,
		.rows = "622dbc22743e",
	};

	play_stop(*state, &stop);
	fixture_expect_rows(*state, "SELECT to_regclass('session_events') IS NOT NULL", "t");
}

/* --- the version table -------------------------------------------------------------------------- */

static void stop_version_table_is_elsewhere(void **state)
{
	static const struct stop stop = {
		.runbook = "version-table-missing",
		.sql = "CREATE SCHEMA elsewhere; ALTER TABLE alembic_version SET SCHEMA elsewhere",
		.answers = { ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Look for the table in every schema: fail",
		.look = "SELECT version_num, to_regclass('public.alembic_version') IS NULL"
			" FROM elsewhere.alembic_version",
		.rows = "001_research_metrics|t",
	};

	play_stop(*state, &stop);
}

static void stop_version_table_of_another_schema(void **state)
{
	static const struct stop stop = {
		.runbook = "version-table-missing",
		.incident = "version-table-missing",
		.answers = { { "Print the whole schema", "", "622dbc22743e", false },
			{ "Judge the schema", "x", NULL, false }, ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Judge the schema: fail",
		.look = "SELECT to_regclass('alembic_version') IS NULL",
		.rows = "t",
	};

	play_stop(*state, &stop);
}

/* Nothing was ever migrated there: nothing is recorded either. */
static void stop_version_table_of_an_empty_database(void **state)
{
	static const struct stop stop = {
		.runbook = "version-table-missing",
		.answers = { ANSWERS_END },
		.end = PLAY_FINISHED,
		.visited = "The first migration: ok",
		.look = VERSION,
		.rows = "001_research_metrics",
	};
	struct fixture *f = *state;

	scene_sql(f, "CREATE DATABASE empty OWNER bo1");
	expect_stop(f, scene_console_of(f, "db_name", "db_name = empty"), &stop);
}

static void stop_unknown_revision_is_deployed(void **state)
{
	static const struct stop stop = {
		.runbook = "unknown-revision",
		.incident = "unknown-revision",
		.answers = { { "Ask every image", "s", "one image here", false },
			{ "Ask git", "s", "no checkout here", false },
			{ "Deploy the image that knows it", "d", NULL, false }, ANSWERS_END },
		.end = PLAY_FINISHED,
		.visited = "Deploy the image that knows it: ok",
		.look = "SELECT count(*) FROM alembic_version"
			" WHERE version_num IN ('001_research_metrics', '622dbc22743e')",
		.rows = "0",
	};

	play_stop(*state, &stop);
}

static void stop_unknown_revision_of_another_schema(void **state)
{
	static const struct stop stop = {
		.runbook = "unknown-revision",
		.incident = "unknown-revision",
		.answers = { { "Ask every image", "s", "one image here", false },
			{ "Ask git", "s", "no checkout here", false },
			{ "Deploy the image that knows it", "x", NULL, false },
			{ "Print the schema as this image makes it", "", "622dbc22743e", false },
			{ "Judge the schema", "x", NULL, false }, ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Judge the schema: fail",
		.look = "SELECT count(*) FROM alembic_version"
			" WHERE version_num IN ('001_research_metrics', '622dbc22743e')",
		.rows = "0",
	};

	play_stop(*state, &stop);
}

static void stop_up_to_date_is_another_database(void **state)
{
	static const struct stop stop = {
		.runbook = "not-up-to-date",
		.in_app = UPGRADE,
		.answers = { ANSWERS_END },
		.end = PLAY_FINISHED,
		.visited = "Look for the other database: ok",
		.look = VERSION,
		.rows = "622dbc22743e",
	};

	play_stop(*state, &stop);
}

/* --- the others --------------------------------------------------------------------------------- */

/* A queue that no migration has to do with, and that the operator leaves alone. */
static void stop_queue_is_left_alone(void **state)
{
	static const struct stop stop = {
		.runbook = "stuck-migration",
		.incident = "lock-queue",
		.answers = { { "It does not wait", "x", NULL, false }, ANSWERS_END },
		.end = PLAY_FINISHED,
		.visited = "It does not wait: fail",
		.look = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
			" AND application_name = 'boardofone-api'",
		.rows = "1",
	};

	play_stop(*state, &stop);
}

#define INDEX "idx_sessions_one_per_user"

/* The rows are still not unique: it fails again, and leaves what the next one drops. */
static void stop_index_fails_again(void **state)
{
	static const struct stop stop = {
		.runbook = "invalid-index",
		.incident = "invalid-index",
		.answers = { { "See its size and definition", "", INDEX, false },
			{ "Find the revision that made it", "s", "made by hand", false },
			{ "Choose", "d", NULL, false },
			{ "Build it again", "s", "it failed again", false },
			{ "See that none is left", "s", "they come next", false }, ANSWERS_END },
		.end = PLAY_FINISHED,
		.visited = "Build it again: fail",
		.intent = "rebuild",
		.look = "SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY 1)"
			" FROM pg_index WHERE NOT indisvalid",
		.rows = INDEX " " INDEX "_ccnew",
	};

	play_stop(*state, &stop);
}

#define LEGACY "bo1/database/migrations/004_broken.sql"

/* Its first statement is taken back with the one that fails. */
static void stop_legacy_sql_that_fails(void **state)
{
	static const struct stop stop = {
		.runbook = "legacy-sql-hotfix",
		.in_app = "echo \"ALTER TABLE users ADD COLUMN half text; SELECT nonsense;\" "
			  ">" LEGACY,
		.answers = { { "Choose one that is pending", "", "004_broken", false },
			ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Apply and record it: fail",
		.intent = "apply",
		.look = "SELECT (SELECT count(*) FROM sql_migrations WHERE filename LIKE '004%'),"
			" (SELECT count(*) FROM pg_attribute WHERE attname = 'half')",
		.rows = "0|0",
	};

	play_stop(*state, &stop);
}

static void stop_legacy_sql_that_is_not_right(void **state)
{
	static const struct stop stop = {
		.runbook = "legacy-sql-hotfix",
		.answers = { { "Choose one that is pending", "", "003_contributions", false },
			{ "Judge it", "x", NULL, false }, ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Judge it: fail",
		.look = "SELECT count(*) FROM sql_migrations WHERE filename LIKE '003%'",
		.rows = "0",
	};

	play_stop(*state, &stop);
}

/* Upgrades and downgrades for a test are none for production. */
static void stop_test_migration_in_production(void **state)
{
	static const struct stop stop = {
		.runbook = "test-migration",
		.answers = { ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "This is no production: fail",
		.look = VERSION,
		.rows = "001_research_metrics",
	};

	play_stop(*state, &stop);
}

static void stop_deploy_that_is_not_ready(void **state)
{
	static const struct stop stop = {
		.runbook = "standard-deployment",
		.answers = { { "Before: the revision", "x", NULL, false }, ANSWERS_END },
		.end = PLAY_STOPPED,
		.visited = "Before: the revision: fail",
		.look = VERSION,
		.rows = "001_research_metrics",
	};

	play_stop(*state, &stop);
}

/* --- the setting -------------------------------------------------------------------------------- */

/* What a scene changed for good goes back, whatever became of the test. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	pty_stop(f->pty);
	f->pty = NULL;
	scene_do_in_app(f, "rm -f " LEGACY);
	scene_sql(f, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
		     " WHERE application_name = 'holder'");
	scene_sql(f, "DROP INDEX IF EXISTS " INDEX "_ccnew");
	scene_sql(f, "DROP DATABASE IF EXISTS empty WITH (FORCE)");
	scene_sql(f, "ALTER TABLE IF EXISTS elsewhere.alembic_version SET SCHEMA public");
	scene_sql(f, "DROP SCHEMA IF EXISTS elsewhere");
	return fixture_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(stop_manual_migration_gives_up_its_lock),
		TEST(stop_manual_migration_that_can_wait),
		TEST(stop_manual_migration_of_dangerous_sql),
		TEST(stop_rollback_where_nginx_helps),
		TEST(stop_rollback_without_a_backup),
		TEST(stop_rollback_gives_up_its_lock),
		TEST(stop_version_table_is_elsewhere),
		TEST(stop_version_table_of_another_schema),
		TEST(stop_version_table_of_an_empty_database),
		TEST(stop_unknown_revision_is_deployed),
		TEST(stop_unknown_revision_of_another_schema),
		TEST(stop_up_to_date_is_another_database),
		TEST(stop_queue_is_left_alone),
		TEST(stop_index_fails_again),
		TEST(stop_legacy_sql_that_fails),
		TEST(stop_legacy_sql_that_is_not_right),
		TEST(stop_test_migration_in_production),
		TEST(stop_deploy_that_is_not_ready),
	};

	/* A pattern runs some of them only. */
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
