/*
 * Every runbook, played to its end in the real console against its incident, staged for real. What a
 * runbook promises is looked for in the database, not on the screen alone.
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

#include "daemon.h"
#include "fixture.h"
#include "match.h"
#include "play.h"
#include "scene.h"
#include "texts.h"

enum { LIVE_MS = 20000 };

/* --- what the tests share -------------------------------------------------------------------- */

/* An armed console with lines of the configuration replaced. */
static struct pty *armed_console_of2(
	struct fixture *f, const char *key, const char *line, const char *key2, const char *line2)
{
	char *first = fixture_vary(f, "RANGE_CONFIG", "config1", key, line);
	char *config = fixture_vary_file(f, first, "config", key2, line2);
	const char *const arguments[] = { "-c", config, "prod", NULL };
	struct pty *p = fixture_open(f, 40, 120, arguments);

	play_await_and_arm(p);
	free(config);
	free(first);
	return p;
}

#define STARTED_AT "$DOCKER -H $DOCKER_HOST inspect --format '{{.State.StartedAt}}' $APP_CONTAINER"

/* --- stuck-migration ------------------------------------------------------------------------- */

static void runbook_stuck_migration_ends_the_blocker(void **state)
{
	static const struct play_answer answers[] = {
		{ "See whether it arrived", "", "622dbc22743e", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "stuck-migration");
	p = play_armed(f);
	pty_wait_text(p, texts.any_finding, LIVE_MS);
	pty_key(p, "r"); /* the finding's runbook, its blocker filled in */
	pty_wait_text(p, "Enter: begin", PTY_WAIT_MS);
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "End its session: ok"));
	assert_true(play_has_visited(&visited, "See whether it arrived: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "622dbc22743e");
	fixture_expect_rows(f,
		"SELECT count(*) FROM pg_stat_activity"
		" WHERE cardinality(pg_blocking_pids(pid)) > 0",
		"0");
	fixture_expect_rows(f,
		"SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'", "0");
	play_expect_intents(f, "terminate", 1);
	strlist_fini(&visited);
	pty_key(p, "Enter");
	fixture_quit(p);
}

static void runbook_stuck_migration_rolls_back_prepared(void **state)
{
	static const struct play_answer answers[] = {
		{ "Roll the prepared transaction back", "", "billing", false },
		{ "See whether it arrived", "", "622dbc22743e", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "prepared-transaction");
	p = play_armed(f);
	play_open(p, "stuck-migration");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Roll the prepared transaction back: ok"));
	fixture_expect_rows(f, "SELECT count(*) FROM pg_prepared_xacts", "0");
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "622dbc22743e");
	play_expect_intents(f, "rollback-prepared", 1);
	strlist_fini(&visited);
}

/* A migration that is at work is left alone. */
static void runbook_stuck_migration_leaves_work_alone(void **state)
{
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "migration-working");
	p = play_armed(f);
	play_open(p, "stuck-migration");
	assert_int_equal(play_runbook(p, NULL, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(
		&visited, "Nobody waits: see whether the migration is at work: fail"));
	fixture_expect_rows(f, "SELECT count(*) FROM pg_stat_progress_create_index", "1");
	play_expect_intents(f, "terminate", 0);
	strlist_fini(&visited);
}

/* --- applying and taking back ----------------------------------------------------------------- */

static void runbook_manual_migration_applies_one_revision(void **state)
{
	static const struct play_answer answers[] = {
		{ "See what is pending", "", "622dbc22743e", false },
		{ "Read the log since", "s", "the range logs errors of its own", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	p = play_armed(f);
	play_open(p, "manual-migration");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Apply it: ok"));
	assert_true(play_has_visited(&visited, "Read the revision back: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "622dbc22743e");
	fixture_expect_rows(f, "SELECT to_regclass('session_events') IS NOT NULL", "t");
	play_expect_intents(f, "upgrade", 1);
	strlist_fini(&visited);
}

static void runbook_rollback_goes_back_and_restarts(void **state)
{
	static const struct play_answer answers[] = {
		{ "Make sure that it goes back", "", "001_research_metrics", false },
		{ "Count what would be lost", "", "session_events", false },
		{ "Read the log", "s", "the range logs errors of its own", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	char *before, *after;
	struct pty *p;

	strlist_init(&visited);
	free(play_shell(
		f, "$DOCKER -H $DOCKER_HOST exec $APP_CONTAINER uv run alembic upgrade head"));
	before = play_shell(f, STARTED_AT);
	p = play_armed(f);
	play_open(p, "rollback-migration");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Go back: ok"));
	assert_true(play_has_visited(&visited, "Restart the application: ok"));
	assert_true(play_has_visited(&visited, "Ask the application: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "001_research_metrics");
	fixture_expect_rows(f, "SELECT to_regclass('session_events') IS NULL", "t");
	after = play_shell(f, STARTED_AT);
	assert_string_not_equal(before, after);
	play_expect_intents(f, "restart", 1);
	free(before);
	free(after);
	strlist_fini(&visited);
}

/* --- what Alembic complains about -------------------------------------------------------------- */

static void runbook_unknown_revision_stamps_with_purge(void **state)
{
	static const struct play_answer answers[] = {
		{ "Ask git", "s", "no checkout here", false },
		{ "Deploy the image that knows it", "x", NULL, false },
		{ "Print the schema as this image makes it", "", "622dbc22743e", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "unknown-revision");
	p = scene_console_of(
		f, "app", "app.blue = boardofone-api-1\napp.green = boardofone-green-api-1");
	play_open(p, "unknown-revision");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Ask every image: ok"));
	assert_true(play_has_visited(&visited, "Replace the rows: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "622dbc22743e");
	play_expect_intents(f, "stamp", 1);
	strlist_fini(&visited);
}

static void runbook_version_table_is_made_by_stamp(void **state)
{
	static const struct play_answer answers[] = {
		{ "Print the whole schema", "", "001_research_metrics", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "version-table-missing");
	p = play_armed(f);
	play_open(p, "version-table-missing");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "See whether the database is empty: fail"));
	assert_true(play_has_visited(&visited, "Record the revision: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "001_research_metrics");
	strlist_fini(&visited);
}

static void runbook_not_up_to_date_names_what_is_pending(void **state)
{
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	p = play_armed(f);
	play_open(p, "not-up-to-date");
	assert_int_equal(play_runbook(p, NULL, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Compare with the heads: fail"));
	assert_true(play_has_visited(&visited, "See what is pending: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "001_research_metrics");
	strlist_fini(&visited);
}

static void runbook_multiple_heads_shows_both(void **state)
{
	static const struct play_answer answers[] = {
		{ "See one head", "s", "the merge is not deployed here", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "multiple-heads");
	p = play_armed(f);
	play_open(p, "multiple-heads");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "See the heads: ok"));
	assert_true(play_has_visited(&visited, "See one head: fail"));
	strlist_fini(&visited);
}

static void runbook_column_exists_records_the_revision(void **state)
{
	static const struct play_answer answers[] = {
		{ "Print what the revision makes", "", "622dbc22743e", false },
		{ "See what is there: columns", "", " users", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "column-exists");
	p = play_armed(f);
	play_open(p, "column-exists");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Record the revision: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "622dbc22743e");
	play_expect_intents(f, "stamp", 1);
	strlist_fini(&visited);
}

/* What differs is never stamped: the runbook stops, and calls for help. */
static void runbook_column_exists_stops_where_it_differs(void **state)
{
	static const struct play_answer answers[] = {
		{ "Print what the revision makes", "", "622dbc22743e", false },
		{ "See what is there: columns", "", " users", false },
		{ "Judge", "x", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "column-exists");
	p = play_armed(f);
	play_open(p, "column-exists");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_STOPPED);
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "001_research_metrics");
	play_expect_intents(f, "stamp", 0);
	strlist_fini(&visited);
}

static void runbook_invalid_index_is_dropped(void **state)
{
	static const struct play_answer answers[] = {
		{ "See its size and definition", "", "idx_sessions_one_per_user", false },
		{ "Find the revision that made it", "s", "made by hand", false },
		{ "Choose", "x", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "invalid-index");
	p = play_armed(f);
	play_open(p, "invalid-index");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Drop it: ok"));
	assert_true(play_has_visited(&visited, "See that none is left: ok"));
	fixture_expect_rows(f, "SELECT to_regclass('idx_sessions_one_per_user') IS NULL", "t");
	fixture_expect_rows(f, "SELECT count(*) FROM pg_index WHERE NOT indisvalid", "0");
	play_expect_intents(f, "drop", 1);
	strlist_fini(&visited);
}

/* --- a deploy that failed --------------------------------------------------------------------- */

static void runbook_failed_deploy_left_nothing(void **state)
{
	static const struct play_answer answers[] = {
		{ "See that the database is where it was", "", "001_research_metrics", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "column-exists");
	p = play_armed(f);
	play_open(p, "migration-failed-in-deploy");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(
		&visited, "See that the database is where it was before the deploy: ok"));
	assert_true(play_has_visited(&visited, "Look for what it left: invalid indexes: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "001_research_metrics");
	strlist_fini(&visited);
}

/* Half of it was committed: the runbook stops, and the next one takes the invalid index away. */
static void runbook_failed_deploy_left_half(void **state)
{
	static const struct play_answer failed[] = {
		{ "See that the database is where it was", "", "001_research_metrics", false },
		{ "See that the database is where it was", "s", "one revision was applied", false },
		{ "Look for what it left: invalid indexes", "s", "invalid-index comes next",
			false },
		{ "Judge what it left", "x", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	static const struct play_answer index[] = {
		{ "See its size and definition", "", "idx_sessions_slug_owner", false },
		{ "Choose", "x", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "half-applied");
	p = play_armed(f);
	play_open(p, "migration-failed-in-deploy");
	assert_int_equal(play_runbook(p, failed, &visited), PLAY_STOPPED);
	assert_true(play_has_visited(
		&visited, "See that the database is where it was before the deploy: fail"));
	assert_true(play_has_visited(&visited, "Look for what it left: invalid indexes: fail"));
	play_open(p, "invalid-index");
	assert_int_equal(play_runbook(p, index, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Find the revision that made it: ok"));
	fixture_expect_rows(f, "SELECT count(*) FROM pg_index WHERE NOT indisvalid", "0");
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "622dbc22743e");
	play_expect_intents(f, "drop", 1);
	strlist_fini(&visited);
}

/* --- checks ------------------------------------------------------------------------------------ */

/* A checkout of the range's project, under git. */
static char *checkout(struct fixture *f)
{
	char *path = mem_printf("%s/checkout", f->home);
	char *script =
		mem_printf("cp -r tests/range/project %s && cd %s && git init -q -b main &&"
			   " git add -A && git -c user.name=t -c user.email=t@t commit -qm all",
			path, path);

	free(play_shell(f, script));
	free(script);
	return path;
}

/* The same from the command line, from here and from the host. */
static void expect_check_fails(struct fixture *f)
{
	char *here = mem_printf("%s/config", f->home);
	char *host = fixture_vary_file(f, here, "config-host", "health_url",
		"health_url = http://ada:hunter2@127.0.0.1:1/\nhealth_from = host");
	const char *const configs[] = { here, host };
	const char *const says[] = { "health url .*answers 503",
		"health url .*ada:[*]{3}@.*curl: .7. " };
	struct run_result result;
	size_t i;

	for (i = 0; i < 2; i++) {
		fixture_run(f, (const char *const[]){ "-c", configs[i], "check", "prod", NULL },
			&result);
		assert_int_equal(result.status, 2);
		assert_true(match_text(buf_str(&result.out), says[i]));
		assert_true(match_text(buf_str(&result.out), "health-failed"));
		assert_true(match_text(
			buf_str(&result.out), "git +the checkout ends with 622dbc22743e"));
		assert_null(strstr(buf_str(&result.out), "hunter2"));
		run_result_fini(&result);
	}
	free(host);
	free(here);
}

static void runbook_health_check_says_what_fails(void **state)
{
	static const struct play_answer answers[] = {
		{ "Current is the head", "s", "it is pending", false },
		{ "Critical tables are there", "s", "they come with the pending one", false },
		{ "No errors in the log", "s", "the range logs errors of its own", false },
		{ "The application reaches the database", "s", "that is the incident", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	pid_t server;
	char *line, *repository = checkout(f);
	struct pty *p;

	strlist_init(&visited);
	line = mem_printf("health_url = http://127.0.0.1:%d/\nrepository = %s\nalembic = alembic",
		scene_serve(f, "503", &server), repository);
	p = armed_console_of2(f, "alembic", "", "health_url", line);
	pty_wait_text(p, "The application is not well.*answers 503", LIVE_MS);
	play_open(p, "production-health-check");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	expect_check_fails(f);
	daemon_stop(server);
	assert_true(play_has_visited(&visited, "Current is the head: fail"));
	assert_true(play_has_visited(&visited, "The image is what git says: ok"));
	assert_true(play_has_visited(&visited, "The colours agree: ok"));
	assert_true(play_has_visited(&visited, "The application reaches the database: fail"));
	assert_true(play_has_visited(&visited, "There are connections left: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "001_research_metrics");
	free(line);
	free(repository);
	strlist_fini(&visited);
}

static void runbook_debugging_shows_everything(void **state)
{
	static const struct play_answer answers[] = {
		{ "One table: columns", "", " users", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	p = play_armed(f);
	play_open(p, "debugging");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "History: ok"));
	assert_true(play_has_visited(&visited, "The chain: ok"));
	assert_true(play_has_visited(&visited, "One table: columns: ok"));
	strlist_fini(&visited);
}

/* --- the ordinary way -------------------------------------------------------------------------- */

static void runbook_standard_deployment_watches_step_7(void **state)
{
	static const struct play_answer answers[] = {
		{ "Before: the SQL", "", "622dbc22743e", false },
		{ "Start the deploy", "halt", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	static const struct play_answer after[] = {
		{ "After: the log", "s", "the range logs errors of its own", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	char *repository = checkout(f), *log, *line;
	struct pty *p;

	strlist_init(&visited);
	log = fixture_write(
		f, "deploy.log", "7. run migrations\nMigrations completed successfully\n");
	line = mem_printf(
		"db_name = boardofone\nrepository = %s\ndeploy_log = cat %s", repository, log);
	p = scene_console_of(f, "db_name", line);
	play_open(p, "standard-deployment");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_HALTED);
	free(play_shell(
		f, "$DOCKER -H $DOCKER_HOST exec $APP_CONTAINER uv run alembic upgrade head"));
	assert_int_equal(play_runbook(p, after, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Watch step 7: ok"));
	assert_true(play_has_visited(&visited, "Read the deploy's log: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "622dbc22743e");
	free(line);
	free(log);
	free(repository);
	strlist_fini(&visited);
}

/* A development database of its own, and a checkout that makes it. */
static struct pty *development(struct fixture *f, const char *repository)
{
	static const char *const form =
		"[target dev]\nenvironment = development\nssh = none\nruntime = none\n"
		"db_host = %s\ndb_port = 5432\ndb_name = dev\ndb_user = bo1\napp = %s\n"
		"alembic = env DATABASE_URL=postgresql://bo1@%s:5432/dev alembic\n"
		"migrations = migrations/versions\nrepository = %s\n";
	const char *address = range_value(f->range, "DB_ADDR");
	char *text, *config, *script;
	struct err err = { 0 };
	struct pty *p;

	free(range_psql(f->range, "DROP DATABASE IF EXISTS dev WITH (FORCE)", &err));
	free(range_psql(f->range, "CREATE DATABASE dev OWNER bo1", &err));
	script = mem_printf("cd %s && printf 'test:\\n\\t@echo all pass\\n' >Makefile &&"
			    " sed -i 's/^target_metadata = None/import sqlalchemy as sa\\n"
			    "target_metadata = sa.MetaData()\\n"
			    "sa.Table(\"preferences\", target_metadata,"
			    " sa.Column(\"k\", sa.Text, primary_key=True))/;"
			    "s/connection=connection, /&include_object=lambda o, n, t, old, to:"
			    " not (old and to is None), /' migrations/env.py &&"
			    " DATABASE_URL=postgresql://bo1@%s:5432/dev alembic upgrade head",
		repository, address);
	free(play_shell(f, script));
	text = mem_printf(form, address, repository, address, repository);
	config = fixture_write(f, "config", text);
	p = fixture_open(f, 40, 120, (const char *const[]){ "-c", config, "dev", NULL });
	pty_wait_text(p, "primary +age", LIVE_MS);
	free(script);
	free(config);
	free(text);
	return p;
}

static void runbook_migration_is_created_and_tested(void **state)
{
	static const struct play_answer create[] = {
		{ "Make the revision", "", "add_user_preferences", false },
		{ NULL, NULL, NULL, false },
	};
	static const struct play_answer test[] = {
		{ "Both directions are written", "", "add_user_preferences", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct err err = { 0 };
	char *repository = checkout(f), *script, *id;
	struct pty *p;

	strlist_init(&visited);
	p = development(f, repository);
	play_open(p, "create-migration");
	assert_int_equal(play_runbook(p, create, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Make the revision: ok"));
	assert_true(play_has_visited(&visited, "Read its id: ok"));
	pty_key(p, "R");
	pty_wait_text(p, "add_user_pref", PTY_WAIT_MS);
	play_open(p, "test-migration");
	assert_int_equal(play_runbook(p, test, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "It is gone: ok"));
	assert_true(play_has_visited(&visited, "And once more: ok"));
	assert_true(play_has_visited(&visited, "The tests pass: ok"));
	script = mem_printf("cd %s && sed -n 's/^revision: str = .\\(.*\\).$/\\1/p'"
			    " $(ls -t migrations/versions/*.py | head -n 1)",
		repository);
	id = play_shell(f, script);
	id[strcspn(id, "\n")] = '\0';
	free(script);
	script = mem_printf("psql -XqAt -d 'host=%s user=bo1 dbname=dev' -c"
			    " 'SELECT version_num FROM alembic_version' | grep -qx %s",
		range_value(f->range, "DB_ADDR"), id);
	free(play_shell(f, script));
	pty_stop(p);
	f->pty = NULL;
	free(range_psql(f->range, "DROP DATABASE dev WITH (FORCE)", &err));
	free(script);
	free(id);
	free(repository);
	strlist_fini(&visited);
}

static void runbook_legacy_sql_is_applied_and_recorded(void **state)
{
	static const struct play_answer answers[] = {
		{ "Choose one that is pending", "", "003_contributions", false },
		{ "Read the log", "s", "the range logs errors of its own", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct err err = { 0 };
	struct pty *p;

	strlist_init(&visited);
	/* psql's session has the run's name, by which it is found when the link is lost. */
	free(range_psql(f->range,
		"ALTER TABLE sql_migrations ADD COLUMN applied_as text"
		" DEFAULT current_setting('application_name')",
		&err));
	p = play_armed(f);
	play_open(p, "legacy-sql-hotfix");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "See it recorded: ok"));
	fixture_expect_rows(f,
		"SELECT filename FROM sql_migrations WHERE applied_as LIKE 'pgoncall-______'",
		"003_contributions_persona_index.sql");
	play_expect_intents(f, "apply", 1);
	free(range_psql(f->range,
		"DELETE FROM sql_migrations WHERE filename LIKE '003_contributions%';"
		" DROP INDEX IF EXISTS idx_contributions_persona_code;"
		" ALTER TABLE sql_migrations DROP COLUMN applied_as",
		&err));
	strlist_fini(&visited);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			runbook_stuck_migration_ends_the_blocker, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(runbook_stuck_migration_rolls_back_prepared,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_stuck_migration_leaves_work_alone, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(runbook_manual_migration_applies_one_revision,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_rollback_goes_back_and_restarts, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(runbook_unknown_revision_stamps_with_purge,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_version_table_is_made_by_stamp, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(runbook_not_up_to_date_names_what_is_pending,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_multiple_heads_shows_both, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(runbook_column_exists_records_the_revision,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(runbook_column_exists_stops_where_it_differs,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_invalid_index_is_dropped, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_failed_deploy_left_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_failed_deploy_left_half, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_health_check_says_what_fails, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_debugging_shows_everything, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(runbook_standard_deployment_watches_step_7,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			runbook_migration_is_created_and_tested, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(runbook_legacy_sql_is_applied_and_recorded,
			fixture_setup, fixture_teardown),
	};

	/* A pattern runs some of them only. */
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
