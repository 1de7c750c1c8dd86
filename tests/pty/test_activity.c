/*
 * Activity on a real server with real sessions: queues, who holds them up and what helps, what our
 * role may not see or do, acts on one and on several, and what must not be hit. One incident each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "escapes.h"
#include "fixture.h"
#include "texts.h"

enum { LIVE_MS = 40000 };

#define IDLE_SQL                                                                                   \
	"SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"                     \
	" AND application_name = 'boardofone-api'"

static void incident(struct fixture *f, const char *name)
{
	struct err err = { 0 };

	fixture_check(range_incident(f->range, name, &err), &err);
}

static void wait_for(struct pty *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void wait_for(struct pty *p, const char *fmt, ...)
{
	char *pattern;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&pattern, fmt, ap) < 0)
		abort();
	va_end(ap);
	pty_wait_text(p, pattern, LIVE_MS);
	free(pattern);
}

static void command(struct pty *p, const char *line)
{
	pty_key(p, ":");
	pty_type(p, line);
	pty_key(p, "Enter");
}

static void arm(struct pty *p)
{
	command(p, "arm 10m an incident");
	pty_wait_text(p, texts.armed, PTY_WAIT_MS);
	pty_key(p, "2");
	pty_key(p, "g");
}

static void answer(struct pty *p)
{
	pty_wait_text(p, "Type boardofone@prod", PTY_WAIT_MS);
	pty_type(p, "boardofone@prod");
	pty_key(p, "Enter");
}

static void sql(struct fixture *f, const char *text)
{
	struct err err = { 0 };
	char *rows = range_psql(f->range, text, &err);

	if (!rows)
		fail_msg("%s", err.text);
	free(rows);
}

/* --- incidents -------------------------------------------------------------------------------- */

/* Nearly 300 readers behind an ALTER that holds nothing: the root and both remedies are named, one
 * act frees all, and what came of it is said. */
struct queue {
	struct fixture *f;
	int root;
};

/* All that wait, and the one before them; the application may add one of its own meanwhile. */
static bool shows_the_queue(struct pty *p, void *arg)
{
	const struct queue *queue = arg;
	int n = fixture_number(
		queue->f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
	char *behind = mem_printf("%d\\s+sessions wait behind pid %d", n, queue->root);
	char *among = mem_printf("%d\\s+of\\s+them\\s+queue\\s+behind\\s+pid", n - 1);
	bool shows = n >= 250 && pty_has(p, behind) && pty_has(p, among);

	free(among);
	free(behind);
	return shows;
}

static void activity_shows_a_deep_queue(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);
	struct queue queue = { f, 0 };
	int root;

	pty_wait_text(p, texts.current, LIVE_MS);
	incident(f, "lock-queue");
	root = queue.root = fixture_number(f, IDLE_SQL);
	assert_true(pty_await(p, shows_the_queue, &queue, LIVE_MS));
	wait_for(p, "Ending\\s+pid\\s+%d\\s+lets\\s+all\\s+go\\s+on", root);
	arm(p);
	pty_key(p, "Enter");
	pty_wait_text(p, "Cancel does nothing to an idle session", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_gone(p, "Cancel does nothing", PTY_WAIT_MS);
	pty_key(p, "c");
	pty_wait_text(p, "cancel does nothing to an idle session", PTY_WAIT_MS);
	pty_key(p, "K");
	answer(p);
	wait_for(p, "pid %d was terminated and is gone\\. Nobody waits", root);
	pty_wait_gone(p, "sessions wait behind", LIVE_MS);
	fixture_quit(p);
}

/* Three of the readers are tagged and ended by one answer; each is reported by itself. */
static void activity_ends_tagged_sessions(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);
	int left, waiting;

	pty_wait_text(p, texts.current, LIVE_MS);
	incident(f, "stuck-migration");
	waiting = fixture_number(
		f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
	wait_for(p, "%d blocked", waiting);
	arm(p);
	pty_type(p, "jj  "); /* two of the application's sessions behind the migration */
	pty_wait_text(p, "2 tagged", PTY_WAIT_MS);
	pty_key(p, "K");
	pty_wait_text(p, "End 2 sessions, one after another: pid", PTY_WAIT_MS);
	answer(p);
	pty_wait_text(p, "What became of them", LIVE_MS);
	pty_wait_text(p, "pid [0-9]+ was terminated and is gone.*\\n.*pid [0-9]+ was terminated",
		PTY_WAIT_MS);
	pty_wait_text(p, "still wait", PTY_WAIT_MS);
	left = fixture_number(
		f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
	assert_int_equal(left, waiting - 2);
	pty_key(p, "Esc");
	pty_wait_gone(p, "What became of them", PTY_WAIT_MS);
	fixture_quit(p);
}

/* Between the question and the answer the session ends, and its pid is given to another: nothing is
 * done to that one. Pids are given out by the container's kernel namespace, which is told to; others
 * start processes there as well, so it is tried until it works. */
static void activity_spares_who_has_the_pid_now(void **state)
{
	static const char script[] =
		"h=$($1 inspect -f '{{.State.Pid}}' \"$2\")\n"
		"for try in $(seq 300); do\n"
		"nsenter -t \"$h\" -p -- sh -c \"echo $(($3 - 1)) >/proc/sys/kernel/ns_last_pid\"\n"
		"psql -XAtc \"SELECT pg_sleep(CASE pg_backend_pid() WHEN $3 THEN 60 ELSE 0 END)\" "
		"\"$4\" ||\n"
		"break\n" /* it got the pid, and was ended */
		"done\n";
	struct fixture *f = *state;
	struct pty *p;
	char *shell, *swap;
	int64_t deadline;
	int root;

	if (strcmp(range_value(f->range, "RANGE_FORM"), "docker") != 0) {
		skip();
		return;
	}
	p = fixture_console(f, 36, 120);
	pty_wait_text(p, texts.current, LIVE_MS);
	incident(f, "idle-in-transaction");
	root = fixture_number(f, IDLE_SQL);
	wait_for(p, "%d +bo1 +boardofone-api idle in tx", root);
	arm(p);
	pty_key(p, "K");
	wait_for(p, "End the session of pid %d", root);
	shell = mem_printf("SELECT pg_terminate_backend(%d, 5000)", root);
	sql(f, shell);
	free(shell);
	swap = fixture_write(f, "swap.sh", script);
	shell = mem_printf("sh %s '%s' '%s' %d '%s' >/dev/null 2>&1 &", swap,
		range_value(f->range, "RUNTIME_COMMAND"), range_value(f->range, "DB_CONTAINER"),
		root, range_value(f->range, "DB_CONNINFO"));
	assert_int_equal(system(shell), 0);
	free(shell);
	free(swap);
	shell = mem_printf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d"
			   " AND usename = 'bo1' AND query LIKE '%%WHEN %d THEN%%'",
		root, root);
	deadline = clock_monotonic() + LIVE_MS * CLOCK_NS_PER_MS;
	/* Each look is a session, too, and may take the pid itself: seldom. */
	while (fixture_number(f, shell) == 0) {
		if (clock_monotonic() > deadline)
			pty_fail(p, "no session got pid %d", root);
		usleep(500 * 1000);
	}
	answer(p);
	pty_wait_text(p,
		"[Nn]othing was done to pid [0-9]+: its pid belongs to another session now",
		LIVE_MS);
	assert_int_equal(fixture_number(f, shell), 1);
	free(shell);
	shell = mem_printf("SELECT pg_terminate_backend(%d, 5000)", root);
	sql(f, shell);
	free(shell);
	fixture_quit(p);
}

static void activity_rolls_back_a_prepared_transaction(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);

	pty_wait_text(p, texts.current, LIVE_MS);
	incident(f, "prepared-transaction");
	wait_for(p, "blocked\\s+by\\s+prepared\\s+transaction\\s+billing-");
	wait_for(p, "Rolling\\s+back\\s+prepared\\s+transaction\\s+billing-[0-9]+\\s+lets\\s+it\\s+"
		    "go\\s+on");
	arm(p);
	pty_key(p, "K");
	pty_wait_text(p, "ROLLBACK PREPARED 'billing-", PTY_WAIT_MS);
	answer(p);
	wait_for(p, "was rolled back\\. Nobody waits");
	fixture_expect_rows(f, "SELECT count(*) FROM pg_prepared_xacts", "0");
	fixture_quit(p);
}

/* Nothing shows in the states: an idle session, no transaction, and yet somebody waits for it. */
static void activity_finds_an_idle_advisory_holder(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);
	int holder;

	pty_wait_text(p, texts.current, LIVE_MS);
	incident(f, "advisory-lock");
	holder = fixture_number(
		f, "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted");
	wait_for(p, "1 session waits behind pid %d .*idle", holder);
	wait_for(p, "Exclusive\\s+on\\s+advisory\\s+0:42");
	fixture_quit(p);
}

static void activity_says_that_a_migration_is_orphaned(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);
	int pid;

	pty_wait_text(p, texts.current, LIVE_MS);
	incident(f, "migration-orphaned");
	pid = fixture_number(f, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE "
				"users ADD COLUMN last%'"
				" AND wait_event_type = 'Lock'");
	wait_for(p, "No alembic process runs");
	wait_for(p, "Ending\\s+pid\\s+%d\\s+rolls\\s+the\\s+migration\\s+back", pid);
	fixture_quit(p);
}

static void activity_leaves_a_working_migration_alone(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);

	pty_wait_text(p, texts.read_only, LIVE_MS);
	incident(f, "migration-working");
	wait_for(p, "is\\s+at\\s+work:[\\s\\S]*CREATE\\s+INDEX");
	wait_for(p, "[0-9]+\\s+%%,\\s+about\\s+[\\s\\S]*left\\s+in\\s+this\\s+phase;\\s+leave\\s+"
		    "it\\s+alone");
	pty_key(p, "2");
	pty_type(p, "&CREATE INDEX\r");
	pty_key(p, "Enter");
	pty_wait_text(p, "progress +\\[#*-*\\] CREATE INDEX", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_gone(p, "progress +\\[", PTY_WAIT_MS);
	pty_key(p, "Esc"); /* the filter */
	pty_wait_gone(p, "showing", PTY_WAIT_MS);
	fixture_quit(p);
}

/* Whoever may see nothing is told so, and sees who waits all the same; what it may not do is said
 * before anything is sent, with the role that is missing. */
static void activity_tells_an_unprivileged_role(void **state)
{
	struct fixture *f = *state;
	char *config =
		fixture_vary(f, "RANGE_CONFIG", "reader.config", "db_user", "db_user = reader");
	const char *const arguments[] = { "-c", config, "prod", NULL };
	struct pty *p;

	incident(f, "stuck-migration");
	p = fixture_open(f, 36, 120, arguments);
	pty_wait_text(p, "[0-9]+ hidden from our role", LIVE_MS);
	pty_wait_text(p, "4 blocked", PTY_WAIT_MS);
	pty_wait_text(p, "AccessExcl users", PTY_WAIT_MS);
	arm(p);
	pty_key(p, "K");
	pty_wait_text(p, "pg_read_all_stats", PTY_WAIT_MS);
	assert_false(pty_has(p, "pg_terminate_backend"));
	fixture_quit(p);
	free(config);
}

/* Every slot is taken: who is connected already sees why, and can still act. */
static void activity_survives_full_slots(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);

	pty_wait_text(p, texts.current, LIVE_MS);
	incident(f, "slots-low");
	wait_for(p,
		"connection\\s+slots\\s+are\\s+in\\s+use[\\s\\S]*nobody\\s+else\\s+can\\s+connect");
	wait_for(p, "are\\s+bo1's\\s+\\(boardofone-api\\)");
	arm(p);
	pty_key(p, "K");
	answer(p);
	pty_wait_text(p, "was terminated and is gone", LIVE_MS);
	fixture_quit(p);
}

/* The queue is gone, and can be looked back at; nothing can be done to it there. */
static void activity_looks_back(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 24, 80);
	struct err err = { 0 };
	int i;

	pty_wait_text(p, texts.current, LIVE_MS);
	incident(f, "stuck-migration");
	wait_for(p, "4 blocked");
	fixture_check(range_clear(f->range, &err), &err);
	pty_wait_gone(p, "blocked", LIVE_MS);
	for (i = 0; i < 200 && !pty_has(p, "4 blocked"); i++) {
		pty_key(p, "<");
		pty_wait_text(p, " PAST [0-9:]+", PTY_WAIT_MS);
	}
	pty_wait_text(p, "4 blocked", PTY_WAIT_MS);
	pty_wait_text(p, texts.any_finding, PTY_WAIT_MS);
	pty_key(p, "2");
	pty_key(p, "g");
	pty_key(p, "K");
	pty_wait_text(p, "picture of the past", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_gone(p, " PAST ", PTY_WAIT_MS);
	assert_false(pty_has(p, "4 blocked"));
	fixture_quit(p);
}

/* The database is read from the ":" line; what might do more is refused before it is sent. */
static void activity_reads_tables(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);

	pty_wait_text(p, texts.current, LIVE_MS);
	command(p, "tables");
	pty_wait_text(p, "users +table +4000", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_gone(p, "rows, about", PTY_WAIT_MS);
	command(p, "d users");
	pty_wait_text(p, "primary key \\(id\\)", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_gone(p, "primary key", PTY_WAIT_MS);
	command(p, "sql SELECT id, email FROM users ORDER BY id");
	pty_wait_text(p, "usr_000001", PTY_WAIT_MS);
	pty_key(p, "G");
	pty_wait_text(p, "200 rows shown; there are more", PTY_WAIT_MS);
	pty_key(p, "Esc");
	command(p, "sql SELECT pg_terminate_backend(1)");
	pty_wait_text(p, "pg_terminate_backend\\(\\) may do more", PTY_WAIT_MS);
	command(p, "sql DELETE FROM users");
	pty_wait_text(p, ":sql only reads", PTY_WAIT_MS);
	command(p, "sql SELECT nothing FROM users");
	pty_wait_text(p, "column \"nothing\" does not exist", PTY_WAIT_MS);
	command(p, "sql SELECT 1; DELETE FROM users");
	pty_wait_text(p, "cannot insert multiple commands", PTY_WAIT_MS);
	command(p, "d no_such_table");
	pty_wait_text(p, "there is none", PTY_WAIT_MS);
	fixture_expect_rows(f, "SELECT count(*) FROM users", "4000");
	/* The picture goes on. */
	pty_wait_text(p, "age [01]\\.[0-9] s", LIVE_MS);
	fixture_quit(p);
}

/* Room for a queue 300 deep. */
static int group_setup(void **state)
{
	setenv("RANGE_MAX_CONNECTIONS", "400", 1);
	return fixture_group_setup(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(activity_shows_a_deep_queue),
		TEST(activity_ends_tagged_sessions),
		TEST(activity_spares_who_has_the_pid_now),
		TEST(activity_rolls_back_a_prepared_transaction),
		TEST(activity_finds_an_idle_advisory_holder),
		TEST(activity_says_that_a_migration_is_orphaned),
		TEST(activity_leaves_a_working_migration_alone),
		TEST(activity_tells_an_unprivileged_role),
		TEST(activity_survives_full_slots),
		TEST(activity_looks_back),
		TEST(activity_reads_tables),
	};

	return cmocka_run_group_tests(tests, group_setup, fixture_group_teardown);
}
