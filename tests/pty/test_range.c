/*
 * The range as the other tests use it: it comes up, its incidents stand, its link can be cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pty.h"
#include "range.h"

struct fixture {
	struct range *range;
	struct pty *pty; /* of the running test */
};

static void check(int ret, const struct err *err)
{
	if (ret < 0)
		fail_msg("%s", err->text);
}

static void expect_rows(struct range *r, const char *sql, const char *want)
{
	struct err err = { 0 };
	char *rows = range_psql(r, sql, &err);

	if (rows == NULL)
		fail_msg("%s", err.text);
	assert_string_equal(rows, want);
	free(rows);
}

/* cat at the other end of an SSH connection, so that what is typed comes back over the link. */
static struct pty *ssh_start(struct fixture *f)
{
	const char *argv[] = { "ssh", "-F", range_value(f->range, "SSH_CONFIG"), "server",
		"echo connected; cat", NULL };
	struct pty_options options = { .argv = argv };
	struct err err = { 0 };

	f->pty = pty_start(&options, &err);
	if (f->pty == NULL)
		fail_msg("%s", err.text);
	pty_wait_text(f->pty, "^connected$", PTY_WAIT_MS);
	return f->pty;
}

static void range_comes_up_at_the_baseline(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(access(range_config(f->range), R_OK), 0);
	assert_string_equal(range_value(f->range, "RANGE_DIR"), range_dir(f->range));
	assert_string_equal(range_value(f->range, "NO_SUCH_KEY"), "");
	assert_string_equal(range_value(f->range, "RANGE"), "");
	assert_string_equal(
		range_value(f->range, "SSH_KEY_PASSPHRASE"), "correct horse battery staple");
	expect_rows(f->range, "SELECT * FROM alembic_version", "001_research_metrics");
	assert_null(range_psql(f->range, "SELECT * FROM no_such_table", NULL));
}

static void range_stages_an_incident_and_clears_it(void **state)
{
	static const char waiting[] = "SELECT count(*) FROM pg_stat_activity"
				      " WHERE cardinality(pg_blocking_pids(pid)) > 0";
	struct fixture *f = *state;
	struct err err = { 0 };

	check(range_incident(f->range, "stuck-migration", &err), &err);
	expect_rows(f->range, waiting, "4");
	check(range_clear(f->range, &err), &err);
	expect_rows(f->range, waiting, "0");
	assert_int_equal(range_incident(f->range, "no-such-incident", &err), -1);
	assert_non_null(strstr(err.text, "no such incident"));
}

static void range_cuts_connections(void **state)
{
	struct fixture *f = *state;
	struct pty *p = ssh_start(f);
	struct err err = { 0 };
	int n = range_sshd_kill_connections(f->range, &err);

	check(n, &err);
	assert_true(n >= 1);
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 255);
	pty_stop(p);
	p = ssh_start(f);
	pty_type(p, "again\n");
	pty_wait_text(p, "^again\\nagain$", PTY_WAIT_MS);
}

static bool came_back(struct pty *p, void *arg)
{
	(void)arg;
	return pty_has(p, "^frozen\\nfrozen$");
}

static void range_freezes_the_link(void **state)
{
	struct fixture *f = *state;
	struct pty *p = ssh_start(f);
	struct err err = { 0 };

	check(range_ssh_suspend(f->range, &err), &err);
	pty_type(p, "frozen\n");
	assert_false(pty_await(p, came_back, NULL, 300));
	pty_assert_alive(p);
	check(range_ssh_resume(f->range, &err), &err);
	assert_true(pty_await(p, came_back, NULL, PTY_WAIT_MS));
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pty_stop(f->pty);
	f->pty = NULL;
	return range_ssh_resume(f->range, NULL);
}

static int group_setup(void **state)
{
	static struct fixture fixture;
	struct err err = { 0 };

	fixture.range = range_start(&err);
	if (fixture.range == NULL)
		print_error("%s\n", err.text);
	*state = &fixture;
	return fixture.range == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
	struct fixture *f = *state;

	range_stop(f->range);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(range_comes_up_at_the_baseline, teardown),
		cmocka_unit_test_teardown(range_stages_an_incident_and_clears_it, teardown),
		cmocka_unit_test_teardown(range_cuts_connections, teardown),
		cmocka_unit_test_teardown(range_freezes_the_link, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
