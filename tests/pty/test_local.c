/*
 * An application on this machine (ssh = none, runtime = none): its revision files are read from their
 * folder, and the timeline is the one that comes over SSH, as a tar stream, from the same files. And
 * revisions without a source, of which only Alembic itself can tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "fixture.h"
#include "match.h"

/* Several threads' worth. */
#define REVISIONS "1300"

/* In the home. */
static void shell(struct fixture *f, const char *script)
{
	char *command = mem_printf("set -e; home='%s'; %s", f->home, script);

	assert_int_equal(system(command), 0);
	free(command);
}

/* The same application as target "here", and, over SSH, as "far". Path to be freed. */
static char *write_config(struct fixture *f)
{
	char *rest = mem_printf("environment = staging\nruntime = none\napp = %s/app\n"
				"alembic = alembic\nmigrations = migrations/versions\n"
				"db_host = %s\ndb_port = %s\ndb_name = %s\ndb_user = %s\n",
		f->home, range_value(f->range, "DB_ADDR"), range_value(f->range, "DB_PORT"),
		range_value(f->range, "DB_NAME"), range_value(f->range, "DB_USER"));
	char *config = mem_printf("[target here]\nssh = none\n%s\n"
				  "[target far]\nssh = server\nssh_config = %s\n%s",
		rest, range_value(f->range, "SSH_CONFIG"), rest);
	char *path = fixture_write(f, "local.conf", config);

	free(config);
	free(rest);
	return path;
}

/* What the command prints; its status. To be freed. */
static char *output_of(
	struct fixture *f, const char *config, const char *command, const char *target, int *status)
{
	const char *arguments[] = { "-c", config, command, target, "--json", NULL };
	struct run_result result;
	char *out;

	fixture_run(f, arguments, &result);
	if (result.err.len)
		print_error("%s", result.err.data);
	assert_int_equal(result.err.len, 0);
	out = mem_strdup(buf_str(&result.out));
	*status = result.status;
	run_result_fini(&result);
	return out;
}

static void expect_both_ways(struct fixture *f, const char *command, const char *some)
{
	char *config = write_config(f), *here, *far;
	int status_here, status_far;

	here = output_of(f, config, command, "here", &status_here);
	far = output_of(f, config, command, "far", &status_far);
	assert_string_equal(here, far);
	assert_int_equal(status_here, status_far);
	assert_non_null(strstr(here, some));
	free(here);
	free(far);
	free(config);
}

static void local_files_are_those_of_the_stream(void **state)
{
	struct fixture *f = *state;

	shell(f, "/usr/bin/python3 tests/bench/revisions.py $home/app " REVISIONS " >/dev/null;"
		 "cd $home/app/migrations/versions; mkdir old __pycache__;"
		 "cp 000000000000_*.py old/moved.py; sed -i s/000000000000/0ddba11/ old/moved.py;"
		 "cp old/moved.py __pycache__/x.py; ln -s old/moved.py link.py");
	expect_both_ways(f, "history", "Add column c1299 to users");
	expect_both_ways(f, "pending", "\"heads\"");
	/* Alembic goes through folders where its settings say so. */
	shell(f, "echo 'recursive_version_locations = true' >>$home/app/alembic.ini");
	expect_both_ways(f, "history", "0ddba11");
}

static void expect_history(struct fixture *f, const char *target, const char *pattern, bool told)
{
	char *config = write_config(f), *out;
	int status;

	out = output_of(f, config, "history", target, &status);
	if (!match_text(out, pattern))
		fail_msg("%s: no %s in\n%s", target, pattern, out);
	assert_int_equal(strstr(out, "Add column c5 to users") != NULL, told);
	free(out);
	free(config);
}

static void revisions_without_a_source_are_told(void **state)
{
	static const char *const targets[] = { "here", "far" };
	struct fixture *f = *state;
	size_t i;

	shell(f, "/usr/bin/python3 tests/bench/revisions.py $home/app 6 >/dev/null;"
		 "cd $home/app/migrations/versions; /usr/bin/python3 -m compileall -q -b .; rm *.py");
	for (i = 0; i < 2; i++)
		expect_history(f, targets[i],
			"there are only 6 compiled files \\(.pyc\\) and no source, and Alembic "
			"loads none of them unless alembic.ini says sourceless = true",
			false);
	shell(f, "echo 'sourceless = true' >>$home/app/alembic.ini");
	for (i = 0; i < 2; i++)
		expect_history(f, targets[i],
			"6 revisions are here only as compiled files \\(.pyc; sourceless is set\\), "
			"which cannot be read from source: only Alembic's own history knows them; "
			"what alembic in .*/app said of 6 is shown",
			true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(local_files_are_those_of_the_stream),
		TEST(revisions_without_a_source_are_told),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
