/*
 * The ways through the runbooks that are seldom taken, played to their end: what did not help, what was
 * declined, what Alembic cannot do itself. What each promises is looked for in the database.
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

#include "fixture.h"
#include "play.h"
#include "scene.h"
#include "texts.h"

enum { LIVE_MS = 20000 };

#define BASELINE "001_research_metrics"
#define PENDING  "622dbc22743e"

/* --- stuck-migration ------------------------------------------------------------------------- */

/* The blocker's owner does not want it ended: no is answered, and the step skipped. */
#define DECLINED                                                                                   \
	{ "End its session", "x", NULL, false },                                                   \
	{                                                                                          \
		"End its session", "s", "its owner needs it", false                                \
	}

#define BLOCKERS "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
#define MIGRATIONS                                                                                 \
	"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE%' AND"                \
	" wait_event_type = 'Lock'"

static struct pty *open_from_finding(struct fixture *f)
{
	struct pty *p = play_armed(f);

	pty_wait_text(p, texts.any_finding, LIVE_MS);
	pty_key(p, "r");
	pty_wait_text(p, "Enter: begin", PTY_WAIT_MS);
	return p;
}

/* The migration is given up: it is cancelled, and its client ends by itself. */
static void branch_migration_is_cancelled(void **state)
{
	static const struct play_answer answers[] = {
		DECLINED,
		{ "Cancel the migration", "", "ALTER TABLE", false },
		{ "See whether it arrived", "", PENDING, false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "stuck-migration");
	p = open_from_finding(f);
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "See whether the queue moves: fail"));
	assert_true(play_has_visited(&visited, "Cancel the migration: ok"));
	assert_true(play_has_visited(&visited, "See its client go: ok"));
	assert_true(play_has_visited(&visited, "See whether it arrived: fail"));
	fixture_expect_rows(f, MIGRATIONS, "0");
	fixture_expect_rows(f, BLOCKERS, "1");
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", BASELINE);
	play_expect_intents(f, "cancel-migration", 1);
	play_expect_intents(f, "terminate", 0);
	play_expect_intents(f, "terminate-migration", 0);
	strlist_fini(&visited);
}

/* Its client hangs: neither the cancel nor the signal reaches it, and it is killed. */
static void branch_hanging_client_is_killed(void **state)
{
	static const struct play_answer answers[] = {
		DECLINED,
		{ "Cancel the migration", "", "ALTER TABLE", false },
		{ "See whether it arrived", "", PENDING, false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "stuck-migration");
	free(play_shell(
		f, "$DOCKER -H $DOCKER_HOST exec -u 0 $APP_CONTAINER pkill -STOP -x alembic"));
	p = open_from_finding(f);
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "See its backend go: fail"));
	assert_true(play_has_visited(&visited, "End the migration's session: ok"));
	assert_true(play_has_visited(&visited, "See its client go: fail"));
	assert_true(play_has_visited(&visited, "Ask the client to end: ok"));
	assert_true(play_has_visited(&visited, "Give it 15 seconds: fail"));
	assert_true(play_has_visited(&visited, "Kill the client: ok"));
	fixture_expect_rows(f, MIGRATIONS, "0");
	fixture_expect_rows(f, BLOCKERS, "1");
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", BASELINE);
	free(play_shell(f, "! $DOCKER -H $DOCKER_HOST exec $APP_CONTAINER pgrep -x alembic"));
	play_expect_intents(f, "kill", 1);
	play_expect_intents(f, "terminate", 0);
	strlist_fini(&visited);
}

#define IN_DB          "$DOCKER -H $DOCKER_HOST exec $DB_CONTAINER "
#define IN_DB_DETACHED "$DOCKER -H $DOCKER_HOST exec -d $DB_CONTAINER "

/* Everybody gives up before 3 s and tries again: nobody waits for long, and yet nothing moves. */
static void branch_short_waits_are_no_movement(void **state)
{
	static const struct play_answer answers[] = {
		{ "Nobody waits", "S", "it was a moment without a wait", false },
		{ "It does not wait", "d", NULL, false },
		{ "Choose the root", "", "idle in tx", false },
		DECLINED,
		{ "See whether the queue moves", "!Enter", NULL, false },
		{ "See whether the queue moves", "halt", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct pty *p;
	int i;

	strlist_init(&visited);
	play_stage(f, "idle-in-transaction");
	free(play_shell(f, IN_DB "sh -c 'touch /tmp/short-waits'"));
	for (i = 0; i < 3; i++)
		free(play_shell(f, IN_DB_DETACHED
			"sh -c 'i=0; while [ -e /tmp/short-waits ] && [ $((i+=1)) -lt 60 ]; do"
			" psql -U bo1 -d boardofone -c \"SET lock_timeout = 1500\""
			" -c \"BEGIN; LOCK TABLE users; ROLLBACK\"; done'"));
	p = play_armed(f);
	play_open(p, "stuck-migration");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_HALTED);
	free(play_shell(f, IN_DB "rm /tmp/short-waits"));
	assert_true(play_has_visited(&visited, "See whether the queue moves: fail"));
	strlist_fini(&visited);
}

/* Alembic cannot start: the row is written by hand, and only as it was read. */
static void branch_version_row_is_repaired(void **state)
{
	static const struct play_answer before[] = {
		{ "See whether it arrived", "", PENDING, false },
		{ "Judge: nothing of it is there", "x", NULL, false },
		{ "Judge: nothing of it is there", "s", "it is all there", false },
		{ "Record what is there", "halt", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	enum play_end end;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "column-exists");
	p = play_armed(f);
	play_open(p, "stuck-migration");
	assert_int_equal(play_runbook(p, before, &visited), PLAY_HALTED);
	free(play_shell(f, "$DOCKER -H $DOCKER_HOST exec -u 0 $APP_CONTAINER sh -c '"
			   "cp migrations/env.py /tmp/env.py && sed -i \"1i raise SystemExit(3)\" "
			   "migrations/env.py'"));
	end = play_runbook(p, NULL, &visited);
	free(play_shell(f, "$DOCKER -H $DOCKER_HOST exec -u 0 $APP_CONTAINER cp /tmp/env.py "
			   "migrations/env.py"));
	assert_true(play_has_visited(&visited, "Record what is there: fail"));
	assert_true(play_has_visited(&visited, "Last resort: repair the version row: ok"));
	assert_int_equal(end, PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Read the revision back: ok"));
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", PENDING);
	play_expect_intents(f, "stamp", 1);
	play_expect_intents(f, "repair", 1);
	strlist_fini(&visited);
}

/* --- rollback-migration ---------------------------------------------------------------------- */

/* Back to where it is already: everything would look right, and nothing would be done. */
static void branch_rollback_to_the_current_revision_stops(void **state)
{
	static const struct play_answer answers[] = {
		{ "Make sure that it goes back", "", BASELINE, false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct pty *p = play_armed(f);

	play_open(p, "rollback-migration");
	assert_int_equal(play_runbook(p, answers, NULL), PLAY_STOPPED);
	assert_int_equal(play_intents(f), 0);
}

/* --- invalid-index --------------------------------------------------------------------------- */

#define INDEX "'idx_sessions_one_per_user'::regclass"

/* Rows that are not unique go, to a place of their own, until the teardown. */
static const char rows_away[] =
	"CREATE SCHEMA kept; CREATE TABLE kept.sessions (LIKE sessions);"
	"SET session_replication_role = replica;"
	"WITH gone AS (DELETE FROM sessions AS s WHERE EXISTS (SELECT FROM sessions AS o"
	" WHERE o.user_id = s.user_id AND o.ctid < s.ctid) RETURNING s.*)"
	" INSERT INTO kept.sessions SELECT * FROM gone";

static int give_rows_back(void **state)
{
	struct fixture *f = *state;

	pty_stop(f->pty);
	f->pty = NULL;
	scene_sql(f, "DROP INDEX IF EXISTS idx_sessions_one_per_user;"
		     "SET session_replication_role = replica;"
		     "INSERT INTO sessions SELECT * FROM kept.sessions; DROP SCHEMA kept CASCADE");
	return fixture_teardown(state);
}

/* The rows are mended, so it can be built again; the old one is gone with its leftovers. */
static void branch_index_is_built_again(void **state)
{
	static const struct play_answer answers[] = {
		{ "List them", "", "idx_sessions_one_per_user", false },
		{ "See its size and definition", "", "idx_sessions_one_per_user", false },
		{ "Find the revision that made it", "s", "it was made by hand", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct err err = { 0 };
	struct strlist visited;
	char *before, *after;
	struct pty *p;

	strlist_init(&visited);
	play_stage(f, "invalid-index");
	scene_sql(f, rows_away);
	before = range_psql(f->range, "SELECT " INDEX "::oid", &err);
	p = play_armed(f);
	play_open(p, "invalid-index");
	assert_int_equal(play_runbook(p, answers, &visited), PLAY_FINISHED);
	assert_true(play_has_visited(&visited, "Build it again: ok"));
	assert_true(play_has_visited(&visited, "See that none is left: ok"));
	fixture_expect_rows(f,
		"SELECT indisvalid AND indisready AND indisunique FROM pg_index"
		" WHERE indexrelid = " INDEX,
		"t");
	after = range_psql(f->range, "SELECT " INDEX "::oid", &err);
	assert_string_not_equal(before, after);
	fixture_expect_rows(
		f, "SELECT count(*) FROM pg_class WHERE relname ~ '_cc(new|old)[0-9]*$'", "0");
	play_expect_intents(f, "rebuild", 1);
	play_expect_intents(f, "drop", 0);
	free(after);
	free(before);
	strlist_fini(&visited);
}

/* --- where the health URL is asked ----------------------------------------------------------- */

static void expect_asked(struct fixture *f, const char *from, const char *got)
{
	static const char text[] = "---\nrunbook: place\ntitle: Place\n---\nSays where it is.\n\n"
				   "### Say it\n"
				   "```sh { name=say on=health mode=read }\n"
				   "printf 'ssh=%s.\\n' \"${SSH_CONNECTION:-none}\"\n```\n"
				   "```expect\nmatch ^ssh=\n```\n";
	static const struct play_answer answers[] = {
		{ "Say it", "!Enter", NULL, false },
		{ "Say it", "halt", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	char *first = fixture_runbook(f, "place", text);
	char *line = mem_printf("db_user = bo1\nhealth_from = %s", from);
	char *config = fixture_vary_file(f, first, "config-place", "db_user", line);
	struct pty *p = play_console(f, config);

	play_open(p, "place");
	assert_int_equal(play_runbook(p, answers, NULL), PLAY_HALTED);
	pty_wait_text(p, got, PTY_WAIT_MS);
	assert_int_equal(play_runbook(p, NULL, NULL), PLAY_FINISHED);
	pty_key(p, "Enter");
	fixture_quit(p);
	free(config);
	free(line);
	free(first);
}

static void branch_health_is_asked_where_it_is_configured(void **state)
{
	expect_asked(*state, "here", "ssh=none[.]");
	expect_asked(*state, "host", "ssh=127[.]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(branch_migration_is_cancelled),
		TEST(branch_hanging_client_is_killed),
		TEST(branch_short_waits_are_no_movement),
		TEST(branch_version_row_is_repaired),
		TEST(branch_rollback_to_the_current_revision_stops),
		cmocka_unit_test_setup_teardown(
			branch_index_is_built_again, fixture_setup, give_rows_back),
		TEST(branch_health_is_asked_where_it_is_configured),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
