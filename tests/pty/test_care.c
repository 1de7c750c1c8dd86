/*
 * What goes wrong between the console and its target, and how the console takes care of it: the cable
 * is out, the server restarts, no slot is free, the result of an act is lost, the server is a
 * standby.
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
#include <pgoncall/base/str.h>

#include "care.h"
#include "daemon.h"
#include "sandbox.h"
#include "texts.h"

enum {
	LIVE_MS = 30000,
	CABLE_MS = 13000, /* keepalives find a dead link within 10 s; then it must be said */
	SESSIONS = 62,    /* more than the range's server has slots */
};

/* --- helpers ---------------------------------------------------------------------------------- */

/* A pattern with the pid in the place of its %d. */
static void wait_for_pid(struct pty *p, const char *pattern, int pid, int timeout_ms)
{
	const char *at = strstr(pattern, "%d");
	char *text;

	assert_non_null(at);
	text = mem_printf("%.*s%d%s", (int)(at - pattern), pattern, pid, at + 2);
	pty_wait_text(p, text, timeout_ms);
	free(text);
}

static struct pty *start(struct fixture *f)
{
	struct pty *p = fixture_console(f, 36, 120);

	pty_wait_text(p, texts.current, LIVE_MS);
	pty_wait_text(p, texts.link_up, PTY_WAIT_MS);
	return p;
}

static void arm(struct pty *p)
{
	pty_type(p, ":arm 10m the link is under test\r");
	pty_wait_text(p, texts.armed, PTY_WAIT_MS);
}

/* Stages the stuck migration; the pid of the session that is to be ended. */
static int stage(struct fixture *f)
{
	struct err err = { 0 };

	fixture_check(range_incident(f->range, "stuck-migration", &err), &err);
	return fixture_number(f,
		"SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
		" AND application_name = 'boardofone-api'");
}

/* K on the root of the blocking tree, up to the question. */
static void ask_to_end(struct pty *p, int pid)
{
	wait_for_pid(p, texts.finding, pid, LIVE_MS);
	wait_for_pid(p, texts.root, pid, PTY_WAIT_MS);
	pty_key(p, "2");
	pty_key(p, "g");
	pty_key(p, "K");
	pty_wait_text(p, texts.dialog, PTY_WAIT_MS);
}

static void confirm(struct pty *p)
{
	pty_type(p, "boardofone@prod");
	pty_key(p, "Enter");
}

static void expect_there(struct fixture *f, int pid, bool there)
{
	char *sql = mem_printf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid);

	fixture_expect_rows(f, sql, there ? "1" : "0");
	free(sql);
}

/* --- the server restarts ---------------------------------------------------------------------- */

/* In two steps, so that the restart is not faster than the eye. */
static void care_outlives_a_server_that_stops_and_starts(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct err err = { 0 };
	struct pty *p;

	if (!care_has_containers(f->range))
		skip();
	p = start(f);
	arm(p);
	care->database_down = true;
	fixture_check(care_container_do(f->range, "stop", &err), &err);
	pty_wait_text(p, "database lost [0-9]+ s", LIVE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	assert_true(pty_has(p, "3 Logs.*(following|ended)")); /* the host is there all the time */
	pty_wait_text(p, "container .* is not running \\(exited\\)", LIVE_MS);
	assert_true(pty_has(p, texts.current));
	assert_true(pty_has(p, "2 Activity.*sessions?"));
	pty_assert_alive(p);

	fixture_check(care_container_do(f->range, "start", &err), &err);
	care->database_down = false;
	pty_wait_gone(p, texts.lost, LIVE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	assert_true(pty_has(p, texts.current));
	fixture_quit(p);
}

/* The server's time as SQL; to be freed. */
static char *server_time(struct fixture *f)
{
	struct err err = { 0 };
	char *time = range_psql(f->range, "SELECT quote_literal(clock_timestamp())", &err);

	if (time == NULL)
		fail_msg("%s", err.text);
	return time;
}

/* Both connections are new since then, and the console is as before. */
static void expect_back(struct fixture *f, struct pty *p, char *since_take)
{
	char *sql = mem_printf("SELECT count(*) FROM pg_stat_activity"
			       " WHERE application_name = 'pgoncall' AND backend_start > %s",
		since_take);

	care_wait_rows(f, sql, "2", LIVE_MS);
	pty_wait_gone(p, texts.lost, LIVE_MS);
	pty_wait_text(p, texts.read_only, LIVE_MS);
	assert_true(pty_has(p, texts.current));
	arm(p); /* acting is possible again, too */
	fixture_quit(p);
	free(sql);
	free(since_take);
}

static void care_outlives_a_restart(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct err err = { 0 };
	struct pty *p;
	char *since;

	if (!care_has_containers(f->range))
		skip();
	p = start(f);
	since = server_time(f);
	fixture_check(care_container_do(f->range, "restart", &err), &err);
	expect_back(f, p, since);
}

/* A backend that is killed takes all others with it, and the server begins anew. */
static void care_outlives_a_crash(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct pty *p = start(f);
	char *since;

	care_hold_sessions(care, range_value(f->range, "DB_CONNINFO"), "victim", 1);
	care_wait_rows(f, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'victim'",
		"1", PTY_WAIT_MS);
	since = server_time(f);
	assert_int_equal(
		kill(care_backend_pid(f, fixture_number(f, "SELECT pid FROM pg_stat_activity"
							   " WHERE application_name = 'victim'")),
			SIGKILL),
		0);
	expect_back(f, p, since);
}

/* --- no slot is free -------------------------------------------------------------------------- */

static const char sql_slots_free[] =
	"SELECT current_setting('max_connections')::int"
	" - current_setting('superuser_reserved_connections')::int - count(*)"
	" FROM pg_stat_activity WHERE backend_type = 'client backend'"
	" AND pid <> pg_backend_pid()";

static void fill_all_slots(struct care *care)
{
	struct fixture *f = care->fixture;

	care_hold_sessions(care, range_value(f->range, "DB_CONNINFO"), "filler", SESSIONS);
	care_wait_rows(f, sql_slots_free, "0", LIVE_MS);
}

static void care_acts_on_a_full_server(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	int pid = stage(f);
	struct pty *p = start(f);

	arm(p);
	fill_all_slots(care);
	pty_wait_text(p, "2 Activity.*5[0-9] sessions", LIVE_MS);
	assert_false(pty_has(p, texts.lost));
	ask_to_end(p, pid);
	confirm(p);
	wait_for_pid(p, texts.ended, pid, LIVE_MS);
	expect_there(f, pid, false);
	pty_wait_text(p, texts.migrated, LIVE_MS);
	fixture_quit(p);
}

static void care_says_that_no_slot_is_free(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct pty *p;

	fill_all_slots(care);
	p = fixture_console(f, 36, 120);
	pty_wait_text(
		p, "no[ │]+\\n[ 0-9|│]*connection slot left|no connection slot left", LIVE_MS);
	pty_wait_text(p, "Trying again in", PTY_WAIT_MS);
	pty_assert_alive(p);
	care_release_sessions(care);
	pty_wait_text(p, texts.current, LIVE_MS);
	pty_wait_text(p, texts.read_only, LIVE_MS);
	fixture_quit(p);
}

/* --- the cable is out ------------------------------------------------------------------------- */

/* "pgoncall -c CONFIG prod" in the namespace. */
static struct pty *start_in_netns(struct care *care)
{
	struct fixture *f = care->fixture;
	const char *const before[] = { "ip", "netns", "exec", netns_name(care->netns) };
	struct pty_options options = { .rows = 36, .cols = 120, .home = f->home };
	struct err err = { 0 };
	struct strlist words;

	strlist_init(&words);
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		strlist_add(&words, before[i]);
	fixture_check(sandbox_program(&words, &err), &err);
	strlist_add(&words, "-c");
	strlist_add(&words, netns_config(care->netns));
	strlist_add(&words, "prod");
	options.argv = (const char *const *)words.items;
	f->pty = pty_start(&options, &err);
	strlist_fini(&words);
	if (f->pty == NULL)
		fail_msg("%s", err.text);
	pty_wait_text(f->pty, texts.current, LIVE_MS);
	pty_wait_text(f->pty, texts.link_up, PTY_WAIT_MS);
	return f->pty;
}

/* Whether the revision was drawn dim since that byte: the screen cannot tell, the bytes can. */
static bool is_drawn_dim(struct pty *p, void *arg)
{
	static const char dim[] = "\033[0;2m";
	size_t len, from = *(const size_t *)arg;
	const char *raw = pty_raw(p, &len);
	const char *at = memmem(raw + from, len - from, dim, strlen(dim));

	return at != NULL && memmem(at, (size_t)(raw + len - at), "001_research_metrics",
				     strlen("001_research_metrics")) != NULL;
}

/* The age of the picture in whole seconds. */
static int picture_age(struct pty *p)
{
	char *text = pty_match(p, " age ([0-9]+)", 1);
	long age = -1;

	if (text == NULL || str_to_long(text, 0, 3600, &age) < 0)
		pty_fail(p, "no age of the picture");
	free(text);
	return (int)age;
}

static bool is_older(struct pty *p, void *arg)
{
	return picture_age(p) > *(int *)arg;
}

static void care_outlives_a_pulled_cable(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct err err = { 0 };
	struct pty *p;
	size_t before;
	int age;

	if (geteuid() != 0)
		skip();
	care->netns = netns_new(f->range, f->home, &err);
	if (care->netns == NULL)
		fail_msg("%s", err.text);
	p = start_in_netns(care);
	arm(p);
	pty_raw(p, &before);
	fixture_check(netns_plug(care->netns, false, &err), &err);
	pty_wait_text(p, texts.lost, CABLE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	assert_true(pty_has(p, texts.current));
	if (!pty_await(p, is_drawn_dim, &before, PTY_WAIT_MS))
		pty_fail(p, "the picture is not dimmed");
	age = picture_age(p);
	if (!pty_await(p, is_older, &age, PTY_WAIT_MS))
		pty_fail(p, "the picture does not get older than %d s", age);

	fixture_check(netns_plug(care->netns, true, &err), &err);
	pty_wait_gone(p, texts.lost, LIVE_MS);
	pty_wait_text(p, texts.link_up, LIVE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	assert_true(pty_has(p, texts.current));
	fixture_quit(p);
}

/* --- the result of an act is lost ------------------------------------------------------------- */

/* How often the server was told to end a session. */
static int terminates_logged(struct fixture *f)
{
	return care_shell_number(f,
		"{ [ -n \"$DB_CONTAINER\" ] && $RUNTIME_COMMAND logs \"$DB_CONTAINER\" 2>&1 ||"
		" cat \"$POSTGRES_LOG\"; } | grep -c 'execute.*pg_terminate_backend(a' || :");
}

/* How many lines of the home's journals have both texts. */
static int journal_count(struct fixture *f, const char *event, const char *text)
{
	char *script = mem_printf("cat '%s'/.local/state/pgoncall/journal/*.jsonl |"
				  " grep '\"event\":\"%s\"' | grep -c -- '%s' || :",
		f->home, event, text);
	int n = care_shell_number(f, script);

	free(script);
	return n;
}

static void expect_unknown_once(struct fixture *f, const char *found)
{
	struct run_result run;
	static const char *const verify[] = { "journal", "verify", NULL };

	assert_int_equal(journal_count(f, "intent", "pg_terminate_backend"), 1);
	assert_int_equal(journal_count(f, "unknown", "not known whether"), 1);
	assert_int_equal(journal_count(f, "result", ""), 0);
	assert_int_equal(journal_count(f, "note", found), 1);
	fixture_run(f, verify, &run);
	assert_int_equal(run.status, 0);
	run_result_fini(&run);
}

/* An act that the server has not answered yet. */
static const char acting[] = "SELECT count(*) FROM pg_stat_activity"
			     " WHERE application_name = 'pgoncall' AND state = 'active'"
			     " AND query LIKE '%pg_terminate_backend%'";

/* Arms, and sends the end of a session that is held in its tracks: no answer can come. */
static void send_to_the_held(struct care *care, struct pty *p, int pid)
{
	arm(p);
	ask_to_end(p, pid);
	care->stopped = care_backend_pid(care->fixture, pid);
	assert_int_equal(kill(care->stopped, SIGSTOP), 0);
	confirm(p);
	care_wait_rows(care->fixture, acting, "1", PTY_WAIT_MS);
}

/* The session is held in its tracks until the statement is on its way; what the server has to say
 * of its end comes no further than a suspended SSH server. */
static void care_looks_after_an_act_without_result(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	int pid = stage(f), before = terminates_logged(f);
	struct err err = { 0 };
	struct pty *p;

	care_log_all(care, true);
	p = start(f);
	send_to_the_held(care, p, pid);
	fixture_check(range_ssh_suspend(f->range, &err), &err);
	assert_int_equal(kill(care->stopped, SIGCONT), 0);
	care->stopped = 0;
	care_wait_rows(f, acting, "0", PTY_WAIT_MS);
	expect_there(f, pid, false);
	fixture_check(range_sshd_kill_connections(f->range, &err), &err);
	pty_wait_text(p, texts.lost, LIVE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);

	fixture_check(range_ssh_resume(f->range, &err), &err);
	wait_for_pid(p, "connected again and looked: pid %d .*is gone", pid, LIVE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	fixture_quit(p);
	assert_int_equal(terminates_logged(f), before + 1);
	expect_unknown_once(f, "is gone");
}

/* Leaving while an act runs: its unknown end is still written. */
static void care_is_left_while_an_act_runs(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	int pid = stage(f), unknown = journal_count(f, "unknown", "");
	struct pty *p;

	p = start(f);
	send_to_the_held(care, p, pid);
	pty_key(p, "q");
	pty_wait_text(p, "q once more leaves", PTY_WAIT_MS);
	pty_key(p, "q");
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	pty_assert_restored(p);
	assert_int_equal(kill(care->stopped, SIGCONT), 0);
	care->stopped = 0;
	assert_int_equal(journal_count(f, "unknown", ""), unknown + 1);
	care_wait_rows(f, acting, "0", LIVE_MS);
}

/* Here the statement never gets to the server, which the console cannot know. */
static void care_repeats_no_act(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	int pid = stage(f), before = terminates_logged(f);
	struct err err = { 0 };
	struct pty *p;

	care_log_all(care, true);
	p = start(f);
	arm(p);
	ask_to_end(p, pid);
	fixture_check(range_ssh_suspend(f->range, &err), &err);
	confirm(p);
	pty_wait_text(p, "sent, looking whether it ends", PTY_WAIT_MS);
	fixture_check(range_sshd_kill_connections(f->range, &err), &err);
	pty_wait_text(p, texts.lost, LIVE_MS);

	fixture_check(range_ssh_resume(f->range, &err), &err);
	wait_for_pid(p, "connected again and looked: pid %d .*is still there", pid, LIVE_MS);
	pty_wait_text(p, texts.link_up, LIVE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	expect_there(f, pid, true);
	fixture_quit(p);
	expect_there(f, pid, true);
	assert_int_equal(terminates_logged(f), before);
	expect_unknown_once(f, "is still there");
}

/* --- the server is a standby ------------------------------------------------------------------ */

static char *standby_config(struct care *care)
{
	struct fixture *f = care->fixture;
	char *port = mem_printf("db_port = %d", standby_port(care->standby));
	char *half = fixture_vary(f, "RANGE_CONFIG", "half.conf",
		care_has_containers(f->range) ? "db_container" : "db_host", "db_host = 127.0.0.1");
	char *config = fixture_vary_file(f, half, "standby.conf", "db_port", port);

	free(half);
	free(port);
	return config;
}

static void care_refuses_to_act_on_a_standby(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct err err = { 0 };
	const char *arguments[] = { "-c", NULL, "prod", NULL };
	char *config, *where;
	struct pty *p;

	care->standby = standby_new(f->range, &err);
	if (care->standby == NULL)
		fail_msg("%s", err.text);
	where = mem_printf(
		"host=127.0.0.1 port=%d user=bo1 dbname=boardofone", standby_port(care->standby));
	care_hold_sessions(care, where, "reporting", 1);
	free(where);
	config = standby_config(care);
	arguments[1] = config;
	p = fixture_open(f, 36, 120, arguments);
	free(config);
	pty_wait_text(p, texts.current, LIVE_MS);
	pty_wait_text(p, "STANDBY", PTY_WAIT_MS);
	pty_wait_text(p, " reporting ", LIVE_MS);
	arm(p);
	pty_type(p, "2gK");
	pty_wait_text(p, "is a standby: sessions are ended on the primary", PTY_WAIT_MS);
	assert_false(pty_has(p, texts.dialog));
	assert_true(pty_has(p, " reporting "));
	fixture_quit(p);
}

static void wait_until_active(const char *where, const char *name)
{
	const char *const argv[] = { "sh", "-ec",
		"until psql -XqAtc \"SELECT application_name FROM pg_stat_activity"
		" WHERE state = 'active' AND pid <> pg_backend_pid()\" \"$1\" | grep -qx \"$2\"; do sleep 0.05; done",
		"sh", where, name, NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	struct err err = { 0 };

	fixture_check(run_program(&options, &result, &err), &err);
	run_result_fini(&result);
}

/* Nobody waits five minutes here: the transaction begins under a clock that lags. */
static void care_tells_of_a_long_transaction(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	const char *arguments[] = { "-c", NULL, "check", "prod", NULL };
	struct err err = { 0 };
	struct run_result result;
	char *config, *where, *log;
	pid_t report;
	bool found;

	care->standby = standby_new(f->range, &err);
	if (care->standby == NULL)
		fail_msg("%s", err.text);
	standby_set_clock(care->standby, 400);
	where = mem_printf(
		"host=127.0.0.1 port=%d user=bo1 dbname=boardofone application_name=report",
		standby_port(care->standby));
	log = mem_printf("%s/report.log", f->home);
	report = daemon_start(
		(const char *const[]){ "psql", "-Xqc", "SELECT pg_sleep(600)", where, NULL }, -1,
		log, &err);
	free(log);
	wait_until_active(where, "report");
	standby_set_clock(care->standby, 0);
	config = standby_config(care);
	arguments[1] = config;
	fixture_run(f, arguments, &result);
	daemon_stop(report);
	found = strstr(buf_str(&result.out), "has been in one transaction for 6 min") != NULL &&
		strstr(buf_str(&result.out), "(bo1, report, ") != NULL;
	if (!found)
		fail_msg("%s%s", buf_str(&result.out), buf_str(&result.err));
	run_result_fini(&result);
	free(config);
	free(where);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, care_setup, care_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(care_outlives_a_server_that_stops_and_starts),
		TEST(care_outlives_a_restart),
		TEST(care_outlives_a_crash),
		TEST(care_acts_on_a_full_server),
		TEST(care_says_that_no_slot_is_free),
		TEST(care_outlives_a_pulled_cable),
		TEST(care_looks_after_an_act_without_result),
		TEST(care_is_left_while_an_act_runs),
		TEST(care_repeats_no_act),
		TEST(care_refuses_to_act_on_a_standby),
		TEST(care_tells_of_a_long_transaction),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, care_group_setup, care_group_teardown);
}
