/*
 * The seldom questions: the command that lists the application's processes, and reading its answer.
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

#include "../../../src/app/probe.h"

static void expect_command(const char *runtime, const char *want)
{
	char path[] = "/tmp/pgoncall-probe-XXXXXX";
	int fd = mkstemp(path);
	struct buf out = BUF_INIT;
	struct config config;
	struct err err;

	assert_true(fd >= 0);
	dprintf(fd,
		"[target prod]\nenvironment = production\nssh = none\ndb_host = /tmp\n"
		"db_name = a\ndb_user = b\n%s\n",
		runtime);
	close(fd);
	if (config_load(&config, path, &err) < 0)
		fail_msg("%s", err.text);
	probe_command(&out, &config.targets[0], "it's blue");
	assert_string_equal(buf_str(&out), want);
	config_fini(&config);
	buf_fini(&out);
	unlink(path);
}

static void probe_lists_processes(void **state)
{
	(void)state;
	expect_command("runtime = docker\nruntime_command = sudo docker",
		"sudo docker top 'it'\\''s blue' -eo pid,args");
	expect_command("runtime = none", "ps -eo pid,args");
}

static void probe_counts_alembic(void **state)
{
	(void)state;
	assert_int_equal(probe_count_migrators(""), 0);
	assert_int_equal(probe_count_migrators("PID COMMAND\n1 uvicorn bo1.main:app\n"), 0);
	assert_int_equal(
		probe_count_migrators("PID COMMAND\n1 uvicorn\n77 uv run alembic upgrade head\n"
				      "78 python /usr/bin/alembic upgrade head"),
		2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_lists_processes),
		cmocka_unit_test(probe_counts_alembic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
