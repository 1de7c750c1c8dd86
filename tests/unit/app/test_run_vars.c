/*
 * What runbooks are told of a target: from the configuration, and from what was seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/app/run_vars.h"

static void expect_version_table(const char *setting, const char *found, const char *want)
{
	char path[] = "/tmp/pgoncall-vars-XXXXXX";
	int fd = mkstemp(path);
	struct run_seen seen = { NULL, NULL, found };
	struct runbook_vars vars = { 0 };
	struct config config;
	struct err err;

	assert_true(fd >= 0);
	dprintf(fd,
		"[target prod]\nenvironment = production\nssh = none\ndb_host = /tmp\n"
		"db_name = a\ndb_user = b\n%s\n",
		setting);
	close(fd);
	if (config_load(&config, path, &err) < 0)
		fail_msg("%s", err.text);
	run_vars_provide(&config.targets[0], &seen, &vars);
	assert_string_equal(runbook_vars_get(&vars, "version_table"), want);
	runbook_vars_fini(&vars);
	config_fini(&config);
	unlink(path);
}

static void run_vars_name_the_table_that_was_found(void **state)
{
	(void)state;
	expect_version_table("", NULL, "alembic_version");
	expect_version_table("version_table = ops.versions", NULL, "ops.versions");
	expect_version_table("", "ops.alembic_version", "ops.alembic_version");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_vars_name_the_table_that_was_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
