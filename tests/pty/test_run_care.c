/*
 * A runbook's run on bad days: the program is killed, the link breaks in the middle of a write, the
 * disk is full, a runbook tries to get round the gate. What was written to the database and what the
 * journal says of it are compared every time.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "care.h"
#include "fixture.h"
#include "play.h"
#include "sandbox.h"
#include "texts.h"

enum { LIVE_MS = 20000, BOUNDARIES = 9 };

/* --- what the tests share -------------------------------------------------------------------- */

/* One write that leaves a row, and takes a moment. */
static const char marking[] =
	"---\nrunbook: marking\ntitle: Marking\nrequire: primary\n---\nLeaves a mark.\n\n"
	"### Look first\n```sql { name=look on=db mode=read }\nSELECT count(*) FROM marks\n```\n\n"
	"### Leave the mark\n"
	"```sql { name=mark on=db mode=write confirm=y timeout=20s undo=none }\n"
	"INSERT INTO marks SELECT now() FROM pg_sleep(%s)\n```\n\n"
	"### Look again\n```sql { name=after on=db mode=read }\nSELECT count(*) FROM marks\n```\n";

static int group_setup(void **state)
{
	struct fixture *f;
	struct err err = { 0 };

	if (fixture_group_setup(state) != 0)
		return -1;
	f = *state;
	free(range_psql(f->range, "DROP TABLE IF EXISTS marks", &err));
	free(range_psql(f->range,
		"CREATE TABLE marks (at timestamptz); ALTER TABLE marks OWNER TO bo1", &err));
	return 0;
}

static int group_teardown(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	if (f->range)
		free(range_psql(f->range, "DROP TABLE IF EXISTS marks", &err));
	return fixture_group_teardown(state);
}

static int setup(void **state)
{
	struct fixture *f;
	struct err err = { 0 };

	if (fixture_setup(state) != 0)
		return -1;
	f = *state;
	free(range_psql(f->range, "TRUNCATE marks", &err));
	return 0;
}

static int marks(struct fixture *f)
{
	return fixture_number(f, "SELECT count(*) FROM marks");
}

/* Until the mark is being left. */
static void begin_mark(struct pty *p)
{
	play_arm(p);
	play_open(p, "marking");
	play_runbook(p,
		(const struct play_answer[]){
			{ "Leave the mark", "halt", NULL, false }, { NULL, NULL, NULL, false } },
		NULL);
	pty_key(p, "Enter");
	pty_wait_text(p, "Press y to do it", PTY_WAIT_MS);
	pty_key(p, "y");
	pty_wait_text(p, "· running", PTY_WAIT_MS);
}

static bool shows(struct pty *p, void *pattern)
{
	return pty_has(p, pattern);
}

/* --- killed ---------------------------------------------------------------------------------- */

/* The next console offers to go on, and goes on at the step where it stood. */
static void run_goes_on_where_it_stood(void **state)
{
	static const struct play_answer before[] = {
		{ "End its session", "halt", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	static const struct play_answer after[] = {
		{ "End its session", "", "idle in tx", false },
		{ "See whether it arrived", "", "622dbc22743e", false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	struct strlist visited;
	struct err err = { 0 };
	struct pty *p;

	strlist_init(&visited);
	fixture_check(range_incident(f->range, "stuck-migration", &err), &err);
	p = play_console(f, range_config(f->range));
	play_arm(p);
	pty_wait_text(p, texts.any_finding, LIVE_MS);
	pty_key(p, "r");
	pty_wait_text(p, "Enter: begin", PTY_WAIT_MS);
	assert_int_equal(play_runbook(p, before, NULL), PLAY_HALTED);
	/* The step is on the screen before it is on the disk. */
	fixture_expect_records(f, "\"step\":\"terminate\".*begun, after a step that failed", 1);
	play_kill(p);
	assert_int_equal(play_intents(f), 0);

	p = play_console(f, range_config(f->range));
	pty_wait_text(p, "stuck-migration was left at step", PTY_WAIT_MS);
	pty_key(p, "Enter"); /* go on where it stood */
	/* The session is to be chosen anew: it lives. */
	pty_wait_text(p, "End its session: choose for blocker", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_text(p, "▸ 13 End its session", PTY_WAIT_MS);
	play_arm(p);
	pty_key(p, "Enter");
	assert_int_equal(play_runbook(p, after, &visited), PLAY_FINISHED);
	assert_int_equal(
		fixture_journal_count(f, "\"event\":\"intent\".*\"step\":\"terminate\""), 1);
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "622dbc22743e");
	strlist_fini(&visited);
}

static const char two_steps[] = "---\nrunbook: two\ntitle: Two steps\n---\nHas two.\n\n"
				"### Look first\n"
				"```sql { name=first on=db mode=read }\nSELECT 1\n```\n\n"
				"### Look again\n"
				"```sql { name=second on=db mode=read }\nSELECT 2\n```\n";

/* Closed in the middle, it is offered by the same console, too: to go on, or to begin anew. */
static void run_that_was_left_goes_on_in_the_same_console(void **state)
{
	static const struct play_answer first[] = {
		{ "Look again", "halt", NULL, false },
		{ NULL, NULL, NULL, false },
	};
	struct fixture *f = *state;
	char *config = fixture_runbook(f, "two", two_steps);
	struct pty *p = play_console(f, config);
	struct strlist visited;

	play_open(p, "two");
	assert_int_equal(play_runbook(p, first, NULL), PLAY_HALTED);
	pty_key(p, "c");
	pty_wait_gone(p, "4 Runbook", PTY_WAIT_MS);
	play_command(p, "runbook two");
	pty_wait_text(p, "Two steps was left at .Look again.", PTY_WAIT_MS);
	pty_key(p, "Esc"); /* neither */
	pty_wait_gone(p, "was left at", PTY_WAIT_MS);
	assert_false(pty_has(p, "4 Runbook"));
	play_command(p, "runbook two");
	pty_wait_text(p, "Two steps was left at .Look again.", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "step 2 of 2 · shown", PTY_WAIT_MS);
	strlist_init(&visited);
	assert_int_equal(play_runbook(p, NULL, &visited), PLAY_FINISHED);
	assert_int_equal(visited.n, 1);
	strlist_fini(&visited);
	pty_key(p, "Enter");
	pty_wait_gone(p, "4 Runbook", PTY_WAIT_MS);

	play_open(p, "two"); /* one that is over is not asked about */
	assert_int_equal(play_runbook(p, first, NULL), PLAY_HALTED);
	play_command(p, "runbook debugging"); /* another one in its place leaves it, too */
	pty_wait_text(p, "4 Runbook.* Debugging", PTY_WAIT_MS);
	play_command(p, "runbook two");
	pty_wait_text(p, "Two steps was left at .Look again.", PTY_WAIT_MS);
	pty_key(p, "j");
	pty_key(p, "Enter");
	pty_wait_text(p, "Enter: begin", PTY_WAIT_MS);
	strlist_init(&visited);
	assert_int_equal(play_runbook(p, NULL, &visited), PLAY_FINISHED);
	assert_int_equal(visited.n, 2);
	strlist_fini(&visited);
	pty_key(p, "Enter");
	fixture_expect_records(f, "\"text\":\"resumed\"", 1);
	fixture_quit(p);
	p = play_console(f, config); /* and nothing is left for the next one */
	assert_false(pty_has(p, "was left at step"));
	free(config);
}

/* Killed while the statement runs: it goes on in the server, the next console does not know, and asks;
 * nothing is sent again. */
static void run_killed_in_a_write_is_unknown(void **state)
{
	struct fixture *f = *state;
	char *text = mem_printf(marking, "2"), *config = fixture_runbook(f, "marking", text);
	struct pty *p = play_console(f, config);

	begin_mark(p);
	while (fixture_journal_count(f, "\"event\":\"intent\"") == 0)
		;
	play_kill(p);

	p = play_console(f, config);
	pty_wait_text(p, "marking was left at step mark .result unknown", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "RESULT UNKNOWN", PTY_WAIT_MS);
	pty_wait_text(p, "version rows now: 001_research_metrics", PTY_WAIT_MS);
	pty_wait_text(p, "which session had it is not known", PTY_WAIT_MS);
	assert_false(pty_has(p, "any more"));
	pty_key(p, "d");
	pty_wait_gone(p, "RESULT UNKNOWN", PTY_WAIT_MS);
	assert_int_equal(play_runbook(p, NULL, NULL), PLAY_FINISHED);
	assert_int_equal(play_intents(f), 1);
	assert_true(marks(f) <= 1);
	assert_int_equal(fixture_journal_count(f, "looked: it was done"), 1);
	free(config);
	free(text);
}

/* Until alembic upgrades and waits for a lock. */
static void begin_upgrade(struct pty *p)
{
	static const struct play_answer before[] = {
		{ "See what is pending", "", "622dbc22743e", false },
		{ "Apply it", "halt", NULL, false },
		{ NULL, NULL, NULL, false },
	};

	play_arm(p);
	play_open(p, "manual-migration");
	assert_int_equal(play_runbook(p, before, NULL), PLAY_HALTED);
	pty_key(p, "Enter");
	pty_wait_text(p, "Type boardofone@prod", PTY_WAIT_MS);
	pty_type(p, "boardofone@prod\r");
	pty_wait_text(p, "· running", PTY_WAIT_MS);
	pty_wait_text(p, "Running upgrade", PTY_WAIT_MS);
}

#define UPGRADE "FROM pg_stat_activity WHERE application_name LIKE 'pgoncall-%'"

/* The next console looks for the session by the name that the killed one had given it. */
static void run_killed_in_an_upgrade_finds_its_session(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct pty *p;
	char *name, *seen;

	fixture_check(range_incident(f->range, "idle-in-transaction", &err), &err);
	p = play_console(f, range_config(f->range));
	begin_upgrade(p);
	name = range_psql(f->range, "SELECT application_name " UPGRADE, &err);
	seen = mem_printf("still in the database: pid %d .%s., active",
		fixture_number(f, "SELECT pid " UPGRADE), name);
	play_kill(p);

	p = play_console(f, range_config(f->range));
	pty_wait_text(p, "manual-migration was left at step .*result unknown", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "RESULT UNKNOWN", PTY_WAIT_MS);
	pty_wait_text(p, seen, LIVE_MS);
	pty_wait_text(p, "still running there: [0-9]+ process", LIVE_MS);
	assert_false(pty_has(p, "any more"));
	free(range_psql(f->range, "SELECT pg_terminate_backend(pid) " UPGRADE, &err));
	free(seen);
	free(name);
}

/* At every moment in which the journal is written: no write without its intent. */
static void run_killed_at_every_boundary(void **state)
{
	struct fixture *f = *state;
	char *text = mem_printf(marking, "0"), *config = fixture_runbook(f, "marking", text);
	char *journal = mem_printf("%s/.local/state/pgoncall/journal", f->home);
	char inject[64], *clear = mem_printf("rm -rf %s", journal);
	char *program = sandbox_built("pgoncall");
	struct pty *p;
	int when, written, planned, with_mark = 0;

	for (when = 1; when <= BOUNDARIES; when++) {
		struct pty_options options = { .rows = 40, .cols = 120, .home = f->home };
		const char *argv[] = { "strace", "-f", "-qq", "-o", "/dev/null", "-e",
			"trace=fsync", "-e", inject, program, "-c", config, "prod", NULL };
		struct err err = { 0 };
		const char *const keys[] = { "\r", "\r", "\r", "\r", "y", "\r", "\r", "\r" };
		size_t i;

		assert_int_equal(system(clear), 0);
		free(range_psql(f->range, "TRUNCATE marks", &err));
		snprintf(inject, sizeof(inject), "inject=fsync:signal=KILL:when=%d", when);
		options.argv = argv;
		pty_stop(f->pty);
		f->pty = p = pty_start(&options, &err);
		pty_wait_text(p, "primary +age", 3 * LIVE_MS);
		play_command(p, "arm 30m the test plays a runbook");
		if (pty_await(p, shows, (void *)(uintptr_t)texts.armed, 3000)) {
			play_command(p, "runbook marking");
			for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
				static const char *const waits[] = { "Enter: begin",
					"Enter: run it", "OK\\. Enter", "Enter: see what",
					"Press y", "OK\\. Enter", "Enter: run it", "OK\\. Enter" };

				if (!pty_await(p, shows, (void *)(uintptr_t)waits[i], 3000))
					break;
				pty_type(p, keys[i]);
			}
		}
		pty_stop(p);
		f->pty = NULL;
		written = marks(f);
		planned = play_intents(f);
		if (written > planned)
			print_error(
				"killed at %d: %d written, %d intents\n", when, written, planned);
		assert_true(written <= planned);
		with_mark += written;
	}
	/* The last ones came after the write: the test saw both sides of it. */
	assert_true(with_mark > 0);
	assert_true(with_mark < BOUNDARIES);
	free(program);
	free(clear);
	free(journal);
	free(config);
	free(text);
}

/* --- the link -------------------------------------------------------------------------------- */

static void run_cut_off_in_a_write_is_unknown(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct pty *p;

	fixture_check(range_incident(f->range, "idle-in-transaction", &err), &err);
	p = play_console(f, range_config(f->range));
	begin_upgrade(p);
	range_sshd_kill_connections(f->range, &err);
	pty_wait_text(p, "RESULT UNKNOWN", LIVE_MS);
	pty_wait_text(p, "version rows now: 001_research_metrics", LIVE_MS);
	pty_wait_text(p, "(no process|still running)", LIVE_MS);
	assert_int_equal(play_intents(f), 1);
	assert_int_equal(fixture_journal_count(f, "\"event\":\"unknown\""), 1);
	assert_int_equal(fixture_journal_count(f, "evidence about write"), 1);
	pty_key(p, "x");
	pty_wait_text(p, "not as expected", PTY_WAIT_MS);
	assert_int_equal(fixture_journal_count(f, "looked: it was not done"), 1);
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "001_research_metrics");
}

#define MARKING_PID "SELECT pid FROM pg_stat_activity WHERE query LIKE 'INSERT INTO marks%'"

/* Once it is there: "running" begins with the intent's way to the disk. */
static int marking_pid(struct fixture *f)
{
	care_wait_rows(f,
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO marks%'", "1",
		LIVE_MS);
	return fixture_number(f, MARKING_PID);
}

/* A statement has its server process, which is looked for, not a name. */
static void run_looks_for_the_server_process(void **state)
{
	struct fixture *f = *state;
	char *text = mem_printf(marking, "18"), *config = fixture_runbook(f, "marking", text);
	struct pty *p = play_console(f, config);
	char *seen;

	begin_mark(p);
	seen = mem_printf("still in the database: pid %d .pgoncall., active", marking_pid(f));
	pty_key(p, "C-c");
	pty_wait_text(p, "A write is under way", PTY_WAIT_MS);
	pty_key(p, "G"); /* wait no longer */
	pty_key(p, "Enter");
	pty_wait_text(p, "RESULT UNKNOWN", PTY_WAIT_MS);
	pty_wait_text(p, seen, PTY_WAIT_MS);
	assert_false(pty_has(p, "any more"));
	free(seen);
	free(config);
	free(text);
}

static void run_misses_the_server_process(void **state)
{
	struct fixture *f = *state;
	char *text = mem_printf(marking, "18"), *config = fixture_runbook(f, "marking", text);
	struct pty *p = play_console(f, config);
	struct err err = { 0 };
	int pid;
	char *seen;

	begin_mark(p);
	pid = marking_pid(f);
	seen = mem_printf("server process %d is not there any more", pid);
	fixture_check(range_ssh_suspend(f->range, &err), &err);
	free(range_psql(f->range,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
		"'INSERT INTO marks%'",
		&err));
	range_sshd_kill_connections(f->range, &err);
	fixture_check(range_ssh_resume(f->range, &err), &err);
	pty_wait_text(p, "RESULT UNKNOWN", LIVE_MS);
	pty_wait_text(p, seen, LIVE_MS);
	assert_int_equal(marks(f), 0);
	free(seen);
	free(config);
	free(text);
}

/* --- Ctrl-C ---------------------------------------------------------------------------------- */

/* Asks what to interrupt; cancelling is an act of its own, confirmed and recorded. */
static void run_interrupt_asks_what(void **state)
{
	struct fixture *f = *state;
	char *text = mem_printf(marking, "15"), *config = fixture_runbook(f, "marking", text);
	struct pty *p = play_console(f, config);

	begin_mark(p);
	pty_wait_text(p, "pgoncall +active[^│\n]*INSERT INTO marks", PTY_WAIT_MS);
	pty_key(p, "C-c");
	pty_wait_text(p, "A write is under way", PTY_WAIT_MS);
	pty_key(p, "Enter"); /* go on waiting */
	pty_wait_gone(p, "A write is under way", PTY_WAIT_MS);
	assert_true(pty_has(p, "· running"));
	pty_key(p, "C-c");
	pty_wait_text(p, "A write is under way", PTY_WAIT_MS);
	pty_key(p, "j");
	pty_key(p, "Enter");
	pty_wait_text(p, "Cancel the query of", PTY_WAIT_MS);
	pty_type(p, "cancel\r");
	pty_wait_text(p, "canceling statement", PTY_WAIT_MS);
	pty_wait_text(p, "not as expected", PTY_WAIT_MS);
	assert_int_equal(marks(f), 0);
	assert_int_equal(play_intents(f), 2);
	fixture_expect_records(f, "\"event\":\"result\"", 2);
	free(config);
	free(text);
}

/* Neither the console nor its target is left behind its back. */
static void run_is_not_left_by_accident(void **state)
{
	static const char *const ways[] = { "quit", "q", "target staging" };
	struct fixture *f = *state;
	char *text = mem_printf(marking, "15"), *config = fixture_runbook(f, "marking", text);
	struct pty *p = play_console(f, config);
	size_t i;

	begin_mark(p);
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		play_command(p, ways[i]);
		pty_wait_text(p, "a step is running: Ctrl-C interrupts it", PTY_WAIT_MS);
		pty_key(p, "Esc");
		pty_wait_gone(p, "a step is running", PTY_WAIT_MS);
	}
	pty_key(p, "@");
	pty_wait_text(p, "a step is running: Ctrl-C interrupts it", PTY_WAIT_MS);
	assert_false(pty_has(p, "staging"));
	assert_true(pty_has(p, "· running"));
	pty_wait_text(p, "OK\\. Enter", LIVE_MS);
	assert_int_equal(marks(f), 1);
	free(config);
	free(text);
}

/* Between two looks nothing runs, and yet Ctrl-C ends the watch. */
static void run_interrupt_ends_a_watch(void **state)
{
	static const char watching[] =
		"---\nrunbook: watching\ntitle: Watching\n---\nWaits.\n\n"
		"### Wait for a mark\n"
		"```sql { name=wait on=db mode=read watch=30s until=expect timeout=10m }\n"
		"SELECT at FROM marks\n```\n```expect\nrows 1\n```\n";
	struct fixture *f = *state;
	char *config = fixture_runbook(f, "watching", watching);
	struct pty *p = play_console(f, config);

	play_open(p, "watching");
	pty_key(p, "Enter");
	pty_wait_text(p, "Enter: run it", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "· watching", PTY_WAIT_MS);
	pty_key(p, "C-c");
	pty_wait_text(p, "· judged", PTY_WAIT_MS);
	assert_false(pty_has(p, "Nothing is running"));
	free(config);
}

/* --- not sent ------------------------------------------------------------------------------- */

/* No connection for the step: nothing was sent, nothing is recorded, and the whole reason is told. */
static void run_without_a_connection_sends_nothing(void **state)
{
	static const char first[] =
		"---\nrunbook: first\ntitle: First\n---\nWrites at once.\n\n### Leave the mark\n"
		"```sql { name=mark on=db mode=write confirm=y undo=none }\n"
		"INSERT INTO marks VALUES (now())\n```\n";
	struct fixture *f = *state;
	char *config = fixture_runbook(f, "first", first);
	struct pty *p = play_console(f, config);
	struct err err = { 0 };

	play_arm(p);
	play_open(p, "first");
	pty_key(p, "Enter");
	pty_wait_text(p, "Enter: see what is sent", PTY_WAIT_MS);
	free(range_psql(f->range, "ALTER ROLE bo1 NOLOGIN", &err));
	pty_key(p, "Enter");
	pty_wait_text(p, "Press y to do it", PTY_WAIT_MS);
	pty_key(p, "y");
	pty_wait_text(p, "! PostgreSQL at [^│]*: the server does not let in role bo1", PTY_WAIT_MS);
	free(range_psql(f->range, "ALTER ROLE bo1 LOGIN", &err));
	assert_int_equal(marks(f), 0);
	assert_int_equal(play_intents(f), 0);
	pty_key(p, "Enter");
	pty_wait_text(p, "Press y to do it", PTY_WAIT_MS);
	pty_key(p, "y");
	pty_wait_text(p, "OK\\. Enter", PTY_WAIT_MS);
	assert_int_equal(marks(f), 1);
	free(config);
}

/* --- choices -------------------------------------------------------------------------------- */

static bool file_is_there(struct pty *p, void *path)
{
	(void)p;
	return access(path, F_OK) == 0;
}

/* A list of files that comes after its step was skipped is none for the next step's question. */
static void run_choices_that_come_too_late(void **state)
{
	static const char asking[] =
		"---\nrunbook: asking\ntitle: Asking\nvar.file: pick=file from=sql_migrations\n"
		"var.message: type=text\n---\nAsks.\n\n"
		"### Name a file\n```sql { name=file on=db mode=read }\nSELECT $file\n```\n\n"
		"### Say something\n```sql { name=say on=db mode=read }\nSELECT $message\n```\n";
	struct fixture *f = *state;
	char *go = mem_printf("%s/go", f->home), *listed = mem_printf("%s/listed", f->home);
	char *script, *path, *line, *config;
	struct pty *p;

	script = mem_printf("case \"$*\" in *'ls -1 '*) while [ ! -e %s ]; do sleep 0.1; done;"
			    " %s \"$@\"; touch %s;; *) exec %s \"$@\";; esac\n",
		go, range_value(f->range, "RUNTIME_COMMAND"), listed,
		range_value(f->range, "RUNTIME_COMMAND"));
	path = fixture_write(f, "runtime", script);
	free(fixture_runbook(f, "asking", asking));
	line = mem_printf("runtime_command = sh %s\nrunbooks = %s/runbooks", path, f->home);
	config = fixture_vary(f, "RANGE_CONFIG", "config", "runtime_command", line);
	p = play_console(f, config);
	play_open(p, "asking");
	pty_key(p, "Enter");
	pty_wait_text(p, "· picking", PTY_WAIT_MS);
	pty_key(p, "s");
	pty_wait_text(p, "Why is this step skipped", PTY_WAIT_MS);
	pty_type(p, "the list does not come\r");
	pty_wait_text(p, "what is message", PTY_WAIT_MS);
	free(fixture_write(f, "go", ""));
	assert_true(pty_await(p, file_is_there, listed, PTY_WAIT_MS));
	play_await_pictures(p);
	assert_true(pty_has(p, "what is message"));
	pty_type(p, "all is well\r");
	pty_wait_text(p, "Enter: run it", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "OK\\. Enter", PTY_WAIT_MS);
	free(config);
	free(line);
	free(path);
	free(script);
	free(listed);
	free(go);
}

/* --- the disk -------------------------------------------------------------------------------- */

static void run_writes_nothing_on_a_full_disk(void **state)
{
	struct fixture *f = *state;
	char *text = mem_printf(marking, "0"), *config = fixture_runbook(f, "marking", text);
	char *directory = mem_printf("%s/.local", f->home);
	char note[900];
	bool full = false;
	int i;
	char *fill = mem_printf("cat /dev/zero >%s/full 2>/dev/null; true", directory);
	struct pty *p;

	mkdir(directory, 0700);
	if (mount("tmpfs", directory, "tmpfs", 0, "size=128k") != 0)
		skip();
	p = play_console(f, config);
	play_arm(p);
	play_open(p, "marking");
	play_runbook(p,
		(const struct play_answer[]){
			{ "Leave the mark", "halt", NULL, false }, { NULL, NULL, NULL, false } },
		NULL);
	assert_int_equal(system(fill), 0);
	/* A last line or two may still find room in the file's last block. */
	memset(note, 'n', sizeof(note) - 1);
	memcpy(note, "note ", 5);
	note[sizeof(note) - 1] = '\0';
	for (i = 0; i < 16 && !full; i++) {
		play_command(p, note);
		pty_await(p, shows, (void *)(uintptr_t) "noted in|No space left", PTY_WAIT_MS);
		full = pty_has(p, "No space left");
		pty_key(p, "Esc"); /* takes the message away */
		pty_wait_gone(p, "noted in", PTY_WAIT_MS);
	}
	pty_key(p, "Enter"); /* it does not even ask */
	pty_wait_text(p, "journal cannot be written", 2000);
	assert_false(pty_has(p, "Press y"));
	assert_int_equal(marks(f), 0);
	assert_int_equal(play_intents(f), 0);
	pty_wait_text(p, "primary +age 0", LIVE_MS); /* reading goes on */
	free(fill);
	free(directory);
	free(config);
	free(text);
}

/* --- the gate -------------------------------------------------------------------------------- */

/* Not armed; a read that inserts; a question that is not asked; a wrong answer. */
static void run_gate_is_not_got_round(void **state)
{
	static const char evil[] =
		"---\nrunbook: evil\ntitle: Evil\n---\nTries.\n\n"
		"### A read that writes\n```sql { name=sneak on=db mode=read fail=goto:unasked }\n"
		"WITH m AS (INSERT INTO marks VALUES (now()) RETURNING 1) SELECT * FROM m\n```\n\n"
		"### Unasked\n```sql { name=unasked on=db mode=write confirm=none undo=none }\n"
		"INSERT INTO marks VALUES (now())\n```\n";
	struct fixture *f = *state;
	char *config = fixture_runbook(f, "evil", evil);
	struct pty *p = play_console(f, config);

	play_open(p, "evil");
	pty_key(p, "Enter");
	pty_wait_text(p, "Enter: run it", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "read-only transaction", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "is production and read-only", PTY_WAIT_MS);
	pty_key(p, "Enter"); /* refused, not asked */
	pty_key(p, "Enter");
	pty_wait_text(p, "· shown", PTY_WAIT_MS);
	assert_int_equal(marks(f), 0);
	play_arm(p);
	pty_wait_text(p, "Enter: see what is sent", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "Press y to do it", PTY_WAIT_MS); /* although it asks for none */
	pty_key(p, "Enter");
	pty_wait_text(p, "nothing was sent|Nothing was sent", PTY_WAIT_MS);
	assert_int_equal(marks(f), 0);
	assert_int_equal(play_intents(f), 0);
	pty_key(p, "Enter");
	pty_wait_text(p, "Press y to do it", PTY_WAIT_MS);
	pty_key(p, "y");
	pty_wait_text(p, "OK\\. Enter", PTY_WAIT_MS);
	assert_int_equal(marks(f), 1);
	assert_int_equal(play_intents(f), 1);
	free(config);
}

/* What calls itself a read and is none is refused before anything can run. */
static void run_false_reads_are_not_loaded(void **state)
{
	static const char *const statements[] = {
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
		"BEGIN READ WRITE",
		"SET default_transaction_read_only = off",
		"SELECT set_config('default_transaction_read_only', 'off', false)",
		"DROP TABLE marks",
	};
	struct fixture *f = *state;
	struct run_result result;
	char *text, *path;
	size_t i;

	for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		text = mem_printf("---\nrunbook: false-read\ntitle: False\n---\nTries.\n\n"
				  "### Read\n```sql { name=r on=db mode=read }\n%s\n```\n",
			statements[i]);
		path = fixture_write(f, "false-read.md", text);
		fixture_run(f, (const char *const[]){ "runbook", "lint", path, NULL }, &result);
		if (result.status != 1)
			print_error("accepted: %s\n", statements[i]);
		assert_int_equal(result.status, 1);
		run_result_fini(&result);
		free(path);
		free(text);
	}
}

/* The small disk goes, and the role may log in, whatever became of the test. */
static int teardown(void **state)
{
	struct fixture *f = *state;
	char *directory = mem_printf("%s/.local", f->home);
	struct err err = { 0 };

	pty_stop(f->pty);
	f->pty = NULL;
	free(range_psql(f->range, "ALTER ROLE bo1 LOGIN", &err));
	umount2(directory, MNT_DETACH);
	free(directory);
	return fixture_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(run_goes_on_where_it_stood),
		TEST(run_that_was_left_goes_on_in_the_same_console),
		TEST(run_killed_in_a_write_is_unknown),
		TEST(run_killed_in_an_upgrade_finds_its_session),
		TEST(run_killed_at_every_boundary),
		TEST(run_cut_off_in_a_write_is_unknown),
		TEST(run_looks_for_the_server_process),
		TEST(run_misses_the_server_process),
		TEST(run_interrupt_asks_what),
		TEST(run_is_not_left_by_accident),
		TEST(run_interrupt_ends_a_watch),
		TEST(run_without_a_connection_sends_nothing),
		TEST(run_choices_that_come_too_late),
		TEST(run_writes_nothing_on_a_full_disk),
		TEST(run_gate_is_not_got_round),
		TEST(run_false_reads_are_not_loaded),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
