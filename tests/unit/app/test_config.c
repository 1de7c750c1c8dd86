/*
 * Reading the configuration: values, defaults, and a file:line for everything that is wrong.
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

#include <pgoncall/app/config.h>
#include <pgoncall/base/clock.h>

static char path[64];

static const char minimal[] = "[target prod]\n"
			      "environment = production\n"
			      "ssh = deploy@server\n"
			      "db_container = infrastructure-postgres-1\n"
			      "db_name = boardofone\n";

static const char *write_config(const char *text)
{
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "/tmp/pgoncall-config.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return path;
}

/* The file with `text` is refused with a sentence "PATH:line: …" that holds `want`. */
static void expect_problem(const char *text, int line, const char *want)
{
	struct config config;
	struct err err = { ERR_OK, "" };
	char prefix[96];

	assert_int_equal(config_load(&config, write_config(text), &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	snprintf(prefix, sizeof(prefix), "%s:%d: ", path, line);
	if (strncmp(err.text, prefix, strlen(prefix)) != 0)
		fail_msg("'%s' does not begin with '%s'", err.text, prefix);
	if (!strstr(err.text, want))
		fail_msg("'%s' does not hold '%s'", err.text, want);
	unlink(path);
}

static void config_reads_values_and_defaults(void **state)
{
	struct config config;
	const struct config_section *prod;
	struct err err;

	(void)state;
	assert_int_equal(config_load(&config,
				 write_config("; a comment\n[ui]\nrefresh = 500ms\n[target prod]\n"
					      "environment = production ; the real one\n"
					      "ssh = deploy@server\nssh_config =\n"
					      "db_host = 10.0.0.5\ndb_name = boardofone\n"
					      "logs = api-1\n  api-2\n"),
				 &err),
		0);
	assert_int_equal(config_get_duration(&config.ui, CONFIG_REFRESH), CLOCK_NS_PER_S / 2);
	prod = config_find(&config, "prod", &err);
	assert_non_null(prod);
	assert_string_equal(config_get(prod, CONFIG_ENVIRONMENT), "production");
	assert_int_equal(prod->values[CONFIG_ENVIRONMENT].line, 5);
	assert_false(config_is_set(prod, CONFIG_SSH_CONFIG));
	assert_int_equal(config_get_long(prod, CONFIG_DB_PORT), 5432);
	assert_int_equal(prod->values[CONFIG_DB_PORT].line, 0);
	assert_string_equal(config_get(prod, CONFIG_RUNTIME), "docker");
	assert_string_equal(config_get(prod, CONFIG_LOGS), "api-1 api-2");
	config_fini(&config);
	unlink(path);
}

/* Every target is found, and leaves nothing allocated behind (under a sanitizer). */
static void config_finds_targets_by_name(void **state)
{
	struct config config;
	struct err err;
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), "%s[target second]\n%s", minimal, strchr(minimal, '\n') + 1);
	assert_int_equal(config_load(&config, write_config(text), &err), 0);
	assert_ptr_equal(config_find(&config, "prod", &err), &config.targets[0]);
	assert_ptr_equal(config_find(&config, "second", &err), &config.targets[1]);
	assert_null(config_find(&config, "third", &err));
	assert_non_null(strstr(err.text, "are: prod, second"));
	config_fini(&config);
	unlink(path);
}

static void config_names_the_line_of_a_problem(void **state)
{
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), "%sdb_prot = 1\n", minimal);
	expect_problem(text, 6, "unknown setting 'db_prot'");
	snprintf(text, sizeof(text), "%sdb_port = 70000\n", minimal);
	expect_problem(text, 6, "is no port number");
	snprintf(text, sizeof(text), "%sruntime = lxc\n", minimal);
	expect_problem(text, 6, "must be one of: docker podman none");
	snprintf(text, sizeof(text), "%sversion_table = a b\n", minimal);
	expect_problem(text, 6, "is no table name");
	snprintf(text, sizeof(text), "%sdb_name = other\n", minimal);
	expect_problem(text, 6, "set already, at line 5");
	snprintf(text, sizeof(text), "%s[target prod]\n", minimal);
	expect_problem(text, 6, "is there already, at line 1");
	snprintf(text, sizeof(text), "%s[target empty]\n", minimal);
	expect_problem(text, 6, "target 'empty' has no 'environment'");
	expect_problem("[ui]\nrefresh = 1\n[targets x]\na = b\n", 3, "unknown section");
	expect_problem("theme = x\n", 1, "before the first section");
	expect_problem("[ui]\nrefresh 1\n", 2, "neither a [section]");
	expect_problem("[ui]\nrefresh = 1ms\n", 2, "200ms to 60s");
	expect_problem("[target a b]\nssh = x\n", 1, "is no target name");
	expect_problem("[target p]\nssh = -oProxyCommand=x\n", 2, "no host for ssh");
}

static void config_asks_for_required_settings(void **state)
{
	(void)state;
	expect_problem("\n[target p]\nenvironment = staging\nssh = h\ndb_host = x\n", 2,
		"has no 'db_name'");
	expect_problem("[target p]\nenvironment = staging\nssh = h\ndb_name = x\n", 1,
		"neither 'db_container' nor 'db_host'");
	expect_problem("[ui]\ntheme = mono\n", 1, "no target is configured");
}

static void config_refuses_a_line_too_long_and_takes_it_continued(void **state)
{
	struct config config;
	struct err err;
	char word[160], text[1024];

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	snprintf(text, sizeof(text), "%slogs = %s%s\n", minimal, word, word);
	expect_problem(text, 6, "longer than 197");
	snprintf(text, sizeof(text), "%slogs = %s\n  %s\n", minimal, word, word);
	assert_int_equal(config_load(&config, write_config(text), &err), 0);
	assert_int_equal(strlen(config_get(&config.targets[0], CONFIG_LOGS)), 2 * 159 + 1);
	config_fini(&config);
	unlink(path);
}

static void config_check_counts_every_problem(void **state)
{
	char *out = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&out, &size);

	(void)state;
	assert_int_equal(config_check(write_config("[ui]\nx = 1\ny = 2\n[target p]\nssh = h\n"),
				 stream),
		5);
	fclose(stream);
	assert_non_null(strstr(out, ":2: unknown setting 'x'"));
	assert_non_null(strstr(out, ":3: unknown setting 'y'"));
	assert_non_null(strstr(out, "has no 'environment'"));
	free(out);
	unlink(path);
}

static void config_missing_file_says_what_to_write(void **state)
{
	struct config config;
	struct err err;

	(void)state;
	assert_int_equal(config_load(&config, "/nonexistent/config", &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "/nonexistent/config: No such file"));
	assert_non_null(strstr(err.text, "[target prod]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_reads_values_and_defaults),
		cmocka_unit_test(config_finds_targets_by_name),
		cmocka_unit_test(config_names_the_line_of_a_problem),
		cmocka_unit_test(config_asks_for_required_settings),
		cmocka_unit_test(config_refuses_a_line_too_long_and_takes_it_continued),
		cmocka_unit_test(config_check_counts_every_problem),
		cmocka_unit_test(config_missing_file_says_what_to_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
