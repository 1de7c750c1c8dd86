/*
 * Owns what a test of the console's care sets up beyond the fixture, and gives it back.
 */
#include "care.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "sandbox.h"

/* --- the range's shell ------------------------------------------------------------------------ */

/* A shell script with the range's values in its environment; what it prints, when wanted. */
static int range_shell(struct range *range, const char *script, char **output, struct err *err)
{
	char *whole = mem_printf(". '%s/env'; %s", range_dir(range), script);
	const char *argv[] = { "sh", "-ec", whole, NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	int ret = run_program(&options, &result, err);

	if (ret == 0 && result.status != 0)
		ret = err_set(err, ERR_COMMAND, "%s: %s", script, buf_str(&result.err));
	if (ret == 0 && output != NULL)
		*output = buf_steal(&result.out);
	run_result_fini(&result);
	free(whole);
	return ret;
}

int care_shell_number(struct fixture *f, const char *script)
{
	struct err err = { 0 };
	char *output = NULL;
	long number = 0;

	fixture_check(range_shell(f->range, script, &output, &err), &err);
	if (str_to_long(str_trim(output), 0, INT32_MAX, &number) < 0)
		fail_msg("%s\nprints %s", script, output);
	free(output);
	return (int)number;
}

int care_container_do(struct range *range, const char *verb, struct err *err)
{
	char *script = mem_printf("$RUNTIME_COMMAND %s \"$DB_CONTAINER\"", verb);
	int ret = range_shell(range, script, NULL, err);

	free(script);
	return ret;
}

bool care_has_containers(const struct range *range)
{
	return strcmp(range_value(range, "RANGE_FORM"), "docker") == 0;
}

void care_wait_rows(struct fixture *f, const char *sql, const char *rows, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	int64_t deadline =
		clock_monotonic() + (int64_t)timeout_ms * sandbox_slowness() * CLOCK_NS_PER_MS;
	struct err err = { 0 };
	bool same = false;

	while (!same) {
		char *got = range_psql(f->range, sql, &err);

		same = got != NULL && strcmp(got, rows) == 0;
		if (!same && clock_monotonic() > deadline)
			fail_msg("%s\nyields %s, not %s", sql, got ? got : err.text, rows);
		free(got);
		if (f->pty != NULL)
			pty_has(f->pty, "x"); /* takes its output, so that it is not held up */
		if (!same)
			nanosleep(&pause, NULL);
	}
}

/* --- the server and its sessions -------------------------------------------------------------- */

void care_hold_sessions(struct care *care, const char *conninfo, const char *name, size_t n)
{
	struct fixture *f = care->fixture;
	char *log = mem_printf("%s/psql.log", f->home);
	struct err err = { 0 };

	care->sessions = sessions_open(f->range, conninfo, name, n, log, &err);
	free(log);
	if (care->sessions == NULL)
		fail_msg("%s", err.text);
}

void care_release_sessions(struct care *care)
{
	sessions_close(care->sessions);
	care->sessions = NULL;
}

pid_t care_backend_pid(struct fixture *f, int pid)
{
	char *script;
	int found;

	if (!care_has_containers(f->range))
		return (pid_t)pid;
	/* A short-lived backend of somebody else may end between the list and the look. */
	script = mem_printf("for p in $(cat /proc/$($RUNTIME_COMMAND inspect -f '{{.State.Pid}}' "
			    "\"$DB_CONTAINER\")/task/*/children);"
			    " do awk -v p=$p '$1 == \"NSpid:\" && $NF == %d { print p }'"
			    " /proc/$p/status 2>/dev/null || :; done",
		pid);
	found = care_shell_number(f, script);
	free(script);
	assert_true(found > 1);
	return (pid_t)found;
}

void care_log_all(struct care *care, bool on)
{
	struct err err = { 0 };
	char *done = range_psql(care->fixture->range,
		on ? "ALTER ROLE bo1 SET log_statement = 'all'"
		   : "ALTER ROLE bo1 RESET log_statement",
		&err);

	if (done == NULL)
		print_error("%s\n", err.text);
	free(done);
	care->logs_all = on;
}

/* --- setting up ------------------------------------------------------------------------------- */

int care_group_setup(void **state)
{
	struct care *care = mem_calloc(1, sizeof(*care));
	void *fixture = NULL;
	int ret = fixture_group_setup(&fixture);

	care->fixture = fixture;
	*state = care;
	return ret;
}

int care_group_teardown(void **state)
{
	struct care *care = *state;
	void *fixture = care->fixture;
	int ret = fixture_group_teardown(&fixture);

	free(care);
	return ret;
}

int care_setup(void **state)
{
	struct care *care = *state;
	void *fixture = care->fixture;

	return fixture_setup(&fixture);
}

int care_teardown(void **state)
{
	struct care *care = *state;
	void *fixture = care->fixture;
	struct err err = { 0 };
	int ret = 0;

	if (care->stopped > 0)
		kill(care->stopped, SIGCONT);
	if (care->database_down)
		ret = care_container_do(care->fixture->range, "start", &err);
	if (ret < 0)
		print_error("%s\n", err.text);
	care_release_sessions(care);
	if (care->logs_all)
		care_log_all(care, false);
	standby_free(care->standby);
	pty_stop(care->fixture->pty);
	care->fixture->pty = NULL;
	netns_free(care->netns);
	care->standby = NULL;
	care->netns = NULL;
	care->stopped = 0;
	care->database_down = false;
	if (fixture_teardown(&fixture) < 0)
		ret = -1;
	return ret;
}
