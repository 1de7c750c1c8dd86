/*
 * Ctrl-C at a step whose command runs elsewhere: its process is ended there, in the container or on
 * the host, and no other; what goes on is said. The processes are looked for on the machine itself,
 * past the program.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>

#include "fixture.h"
#include "play.h"
#include "texts.h"

enum { LIVE_MS = 20000 };

/* --- what the tests share -------------------------------------------------------------------- */

/* A step that sleeps, in the container or on the host, as a write or as a read. */
static const char sleeping[] = "---\nrunbook: sleeping\ntitle: Sleeping\n---\nTakes its time.\n\n"
			       "### Sleep there\n"
			       "```sh { name=nap on=%s mode=%s timeout=10m%s }\n"
			       "%s\n```\n";

/* Whether a process runs whose command line is exactly this, on this machine or in a container. */
static bool process_runs(const char *words)
{
	char *command = mem_printf("for d in /proc/[0-9]*; do"
				   " [ \"$(tr '\\0' ' ' 2>/dev/null <$d/cmdline)\" = '%s ' ] &&"
				   " exit 0; done 2>/dev/null; exit 1",
		words);
	const char *argv[] = { "sh", "-c", command, NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	bool runs;

	assert_int_equal(run_program(&options, &result, NULL), 0);
	runs = result.status == 0;
	run_result_fini(&result);
	free(command);
	return runs;
}

static bool process_has_begun(struct pty *p, void *words)
{
	(void)p;
	return process_runs(words);
}

static bool process_is_gone(struct pty *p, void *words)
{
	(void)p;
	return !process_runs(words);
}

/* Begins the sleep; another process of the same program runs beside it, and none of it is ours. */
static struct pty *begin_sleep(struct fixture *f, const char *place, const char *mode, char *words,
	const char *script, char **other)
{
	char *text =
		mem_printf(sleeping, place, mode, strcmp(mode, "read") ? " undo=none" : "", script);
	char *config = fixture_runbook(f, "sleeping", text), *line;
	struct pty *p = play_console(f, config);
	const char *prefix = strcmp(place, "app") == 0
				     ? "$DOCKER -H $DOCKER_HOST exec -d $APP_CONTAINER"
				     : "setsid -f";

	*other = mem_printf("sleep 87%d", (int)getpid());
	line = mem_printf(". %s/env && %s %s </dev/null >/dev/null 2>&1", range_dir(f->range),
		prefix, *other);
	assert_int_equal(system(line), 0);
	assert_true(pty_await(p, process_has_begun, *other, PTY_WAIT_MS));
	play_arm(p);
	play_open(p, "sleeping");
	pty_key(p, "Enter");
	if (strcmp(mode, "write") == 0) {
		pty_wait_text(p, "Enter: see what is sent", PTY_WAIT_MS);
		pty_key(p, "Enter");
		pty_wait_text(p, "Press y to do it", PTY_WAIT_MS);
		pty_key(p, "y");
	} else {
		pty_wait_text(p, "Enter: run it", PTY_WAIT_MS);
		pty_key(p, "Enter");
	}
	pty_wait_text(p, "· running", PTY_WAIT_MS);
	assert_true(pty_await(p, process_has_begun, words, LIVE_MS));
	free(line);
	free(config);
	free(text);
	return p;
}

/* The test's own process, known by its unique argument. */
static void end_other(char *other)
{
	char *line = mem_printf("for d in /proc/[0-9]*; do"
				" [ \"$(tr '\\0' ' ' 2>/dev/null <$d/cmdline)\" = '%s ' ] &&"
				" kill -KILL ${d#/proc/}; done 2>/dev/null; true",
		other);

	assert_true(process_runs(other));
	assert_int_equal(system(line), 0);
	free(line);
	free(other);
}

static void interrupt_there(struct pty *p)
{
	pty_key(p, "C-c");
	pty_wait_text(p, "A write is under way", PTY_WAIT_MS);
	pty_key(p, "j");
	pty_key(p, "Enter");
	pty_wait_text(p, "End the process of ", PTY_WAIT_MS);
}

/* --- ended there ----------------------------------------------------------------------------- */

/* In its container: the process is gone, the other of the same name stays. */
static void run_interrupt_ends_it_in_the_container(void **state)
{
	char words[] = "sleep 861.5";
	struct fixture *f = *state;
	char *other;
	struct pty *p = begin_sleep(f, "app", "write", words, "sleep 861.5; echo went on", &other);

	interrupt_there(p);
	pty_key(p, "Enter"); /* Enter alone is No */
	pty_wait_gone(p, "End the process of", PTY_WAIT_MS);
	assert_true(process_runs(words));
	assert_int_equal(play_intents(f), 1);
	interrupt_there(p);
	pty_type(p, "boardofone@prod\r");
	pty_wait_text(p, "TERM was sent there, and it ended: [0-9]+ ", LIVE_MS);
	assert_true(pty_await(p, process_is_gone, words, PTY_WAIT_MS));
	/* What it had begun elsewhere may go on: that is looked at. */
	pty_wait_text(p, "RESULT UNKNOWN", LIVE_MS);
	pty_wait_text(p, "got 143", PTY_WAIT_MS);
	pty_wait_text(p, "no process that it started runs there any more", LIVE_MS);
	pty_wait_text(p, "no session named pgoncall-[0-9a-f]+ is in the database", PTY_WAIT_MS);
	assert_false(pty_has(p, "│ +went on"));
	assert_int_equal(play_intents(f), 2);
	fixture_expect_records(f, "\"event\":\"result\"", 1);
	fixture_expect_records(f, "\"event\":\"unknown\"", 1);
	fixture_expect_records(f, "nap of sleeping: TERM was sent there, and it ended", 1);
	end_other(other);
}

static void run_interrupt_ends_it_on_the_host(void **state)
{
	char words[] = "sleep 862.5";
	struct fixture *f = *state;
	char *other;
	struct pty *p = begin_sleep(f, "host", "write", words, "sleep 862.5; echo went on", &other);

	interrupt_there(p);
	pty_type(p, "signal\r");
	pty_wait_text(p, "TERM was sent there, and it ended: [0-9]+ ", LIVE_MS);
	assert_true(pty_await(p, process_is_gone, words, PTY_WAIT_MS));
	pty_wait_text(p, "RESULT UNKNOWN", LIVE_MS);
	assert_false(pty_has(p, "│ +went on"));
	assert_int_equal(play_intents(f), 2);
	end_other(other);
}

/* A read is halted at once, and its process goes with it; that leaves a note. */
static void run_interrupt_ends_a_read_there(void **state)
{
	char words[] = "sleep 863.5";
	struct fixture *f = *state;
	char *other;
	struct pty *p = begin_sleep(f, "app", "read", words, "sleep 863.5", &other);

	pty_key(p, "C-c");
	pty_wait_text(p, "· judged", PTY_WAIT_MS);
	pty_wait_text(p, "TERM was sent there, and it ended: [0-9]+ ", LIVE_MS);
	assert_true(pty_await(p, process_is_gone, words, PTY_WAIT_MS));
	assert_int_equal(play_intents(f), 0);
	fixture_expect_records(f, "nap of sleeping: TERM was sent there, and it ended", 1);
	end_other(other);
}

/* Nobody waits for it any more, and so it goes as well. */
static void run_ends_a_read_that_takes_too_long(void **state)
{
	static const char text[] = "---\nrunbook: slow\ntitle: Slow\n---\nTakes its time.\n\n"
				   "### Look there\n"
				   "```sh { name=look on=app mode=read timeout=2s }\n"
				   "sleep 866.5\n```\n";
	char words[] = "sleep 866.5";
	struct fixture *f = *state;
	char *config = fixture_runbook(f, "slow", text);
	struct pty *p = play_console(f, config);

	play_open(p, "slow");
	pty_key(p, "Enter");
	pty_wait_text(p, "Enter: run it", PTY_WAIT_MS);
	pty_key(p, "Enter");
	assert_true(pty_await(p, process_has_begun, words, LIVE_MS));
	pty_wait_text(p, "no end within 2 s", LIVE_MS);
	pty_wait_text(p, "TERM was sent there, and it ended: [0-9]+ ", LIVE_MS);
	assert_true(pty_await(p, process_is_gone, words, PTY_WAIT_MS));
	assert_int_equal(play_intents(f), 0);
	fixture_expect_records(f, "look of slow: TERM was sent there, and it ended", 1);
	free(config);
}

/* The first is deaf to it, and the second does not wait for that. */
static void run_interrupts_of_two_reads_do_not_wait_for_each_other(void **state)
{
	static const char text[] = "---\nrunbook: two\ntitle: Two\n---\nTake their time.\n\n"
				   "### Look first\n"
				   "```sh { name=one on=app mode=read timeout=10m }\n"
				   "trap '' TERM; sleep 867.5\n```\n\n"
				   "### Look again\n"
				   "```sh { name=two on=app mode=read timeout=10m }\n"
				   "sleep 868.5\n```\n";
	char first[] = "sleep 867.5", second[] = "sleep 868.5";
	struct fixture *f = *state;
	char *config = fixture_runbook(f, "two", text);
	struct pty *p = play_console(f, config);

	play_open(p, "two");
	pty_key(p, "Enter");
	pty_wait_text(p, "Enter: run it", PTY_WAIT_MS);
	pty_key(p, "Enter");
	assert_true(pty_await(p, process_has_begun, first, LIVE_MS));
	pty_key(p, "C-c");
	pty_wait_text(p, "s: skip", PTY_WAIT_MS);
	pty_key(p, "s");
	pty_wait_text(p, "journal:", PTY_WAIT_MS);
	pty_type(p, "not needed\r");
	pty_wait_text(p, "Enter: run it", PTY_WAIT_MS);
	pty_key(p, "Enter");
	assert_true(pty_await(p, process_has_begun, second, LIVE_MS));
	pty_key(p, "C-c");
	pty_wait_text(p, "TERM was sent there, and it ended: [0-9]+ ", LIVE_MS);
	assert_true(pty_await(p, process_is_gone, second, PTY_WAIT_MS));
	pty_wait_text(p, "TERM was sent there, and it goes on after 5 s", LIVE_MS);
	fixture_expect_records(f, "two of two: TERM was sent there, and it ended", 1);
	fixture_expect_records(f, "one of two: TERM was sent there, and it goes on", 1);
	end_other(mem_strdup(first));
	free(config);
}

/* What ignores the signal goes on, and that is said; and what a killed console left can still be
 * ended by the next one. */
static void run_interrupt_says_what_goes_on(void **state)
{
	char words[] = "sleep 864.5";
	struct fixture *f = *state;
	char *other;
	struct pty *p = begin_sleep(f, "app", "write", words,
		"trap '' TERM; sleep 864.5; sleep 3; echo went on", &other);

	interrupt_there(p);
	pty_type(p, "boardofone@prod\r");
	pty_wait_text(p, "TERM was sent there, and it goes on after 5 s: [0-9]+ ", LIVE_MS);
	assert_true(pty_has(p, "· running"));
	assert_true(process_runs(words));
	end_other(mem_strdup(words));
	pty_wait_text(p, "OK. Enter", LIVE_MS);
	assert_true(pty_has(p, "│ +went on"));
	end_other(other);
}

static void run_killed_console_leaves_a_process_that_can_be_ended(void **state)
{
	char words[] = "sleep 865.5";
	struct fixture *f = *state;
	char *other, *config = mem_printf("%s/config", f->home);
	struct pty *p = begin_sleep(f, "app", "write", words, "sleep 865.5; echo went on", &other);

	play_kill(p);
	p = play_console(f, config);
	pty_wait_text(p, "sleeping was left at step nap .result unknown", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "still running there: [0-9]+ process", LIVE_MS);
	pty_key(p, "Enter"); /* refused: it is not forgotten what is to be ended */
	pty_wait_text(p, "is not possible now", PTY_WAIT_MS);
	play_arm(p);
	pty_key(p, "C-c");
	pty_wait_text(p, "A write of unknown result", PTY_WAIT_MS);
	pty_key(p, "j");
	pty_key(p, "Enter");
	pty_wait_text(p, "End the process of .Sleep there. there", PTY_WAIT_MS);
	pty_type(p, "boardofone@prod\r");
	pty_wait_text(p, "TERM was sent there, and it ended: [0-9]+ ", LIVE_MS);
	pty_wait_text(p, "no process that it started runs there any more", LIVE_MS);
	assert_true(pty_await(p, process_is_gone, words, PTY_WAIT_MS));
	end_other(other);
	free(config);
}

/* psql is ended; its session waits on, gets its lock, and commits. Nothing says so but the database. */
static void run_ended_client_leaves_its_session(void **state)
{
	static const char text[] =
		"---\nrunbook: alter\ntitle: Alter\n---\nAlters.\n\n"
		"### Add a column\n"
		"```sh { name=alter on=app mode=write timeout=5m undo=none }\n"
		"psql \"${DATABASE_URL}\" -c 'ALTER TABLE users ADD COLUMN late int'\n```\n";
	struct fixture *f = *state;
	char *config = fixture_runbook(f, "alter", text);
	struct err err = { 0 };
	struct pty *p;

	fixture_check(range_incident(f->range, "idle-in-transaction", &err), &err);
	p = play_console(f, config);
	play_arm(p);
	play_open(p, "alter");
	pty_key(p, "Enter");
	pty_wait_text(p, "Enter: see what is sent", PTY_WAIT_MS);
	pty_key(p, "Enter");
	pty_wait_text(p, "Press y to do it", PTY_WAIT_MS);
	pty_key(p, "y");
	pty_wait_text(p, "· running", PTY_WAIT_MS);
	fixture_await_rows(f,
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE users%'"
		" AND wait_event_type = 'Lock'",
		"1");
	interrupt_there(p);
	pty_type(p, "boardofone@prod\r");
	pty_wait_text(p, "RESULT UNKNOWN", LIVE_MS);
	pty_wait_text(p, "still in the database: pid [0-9]+", LIVE_MS);
	fixture_await_rows(f,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE state = 'idle in transaction'",
		"t");
	/* The evidence follows what is there. */
	pty_wait_text(p, "no session named pgoncall-[0-9a-f]+ is in the database", LIVE_MS);
	fixture_expect_rows(f,
		"SELECT count(*) FROM information_schema.columns WHERE column_name = 'late'", "1");
	free(range_psql(f->range, "ALTER TABLE users DROP COLUMN late", &err));
	free(config);
}

/* The server does not work on for nobody. */
static void run_interrupt_ends_a_query(void **state)
{
	static const char text[] = "---\nrunbook: slow\ntitle: Slow\n---\nAsks for long.\n\n"
				   "### Ask\n"
				   "```sql { name=ask on=db mode=read timeout=5m }\n"
				   "SELECT pg_sleep(240)\n```\n";
	static const char running[] =
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(240)%'"
		" AND state = 'active'";
	struct fixture *f = *state;
	char *config = fixture_runbook(f, "slow", text);
	struct pty *p = play_console(f, config);

	play_open(p, "slow");
	pty_key(p, "Enter");
	pty_wait_text(p, "Enter: run it", PTY_WAIT_MS);
	pty_key(p, "Enter");
	fixture_await_rows(f, running, "1");
	pty_key(p, "C-c");
	pty_wait_text(p, "ended by the operator", PTY_WAIT_MS);
	fixture_await_rows(f, running, "0");
	fixture_expect_records(f, "\"step\":\"ask\",\"command\":\"SELECT pg_sleep(240)", 1);
	free(config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(run_interrupt_ends_it_in_the_container),
		TEST(run_interrupt_ends_it_on_the_host),
		TEST(run_interrupt_ends_a_read_there),
		TEST(run_ends_a_read_that_takes_too_long),
		TEST(run_interrupts_of_two_reads_do_not_wait_for_each_other),
		TEST(run_ended_client_leaves_its_session),
		TEST(run_interrupt_ends_a_query),
		TEST(run_interrupt_says_what_goes_on),
		TEST(run_killed_console_leaves_a_process_that_can_be_ended),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
