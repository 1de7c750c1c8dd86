/*
 * Owns the range, the home and the console of the end-to-end tests. What they look for is theirs.
 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "escapes.h"
#include "sandbox.h"

/* --- setting up ------------------------------------------------------------------------------- */

int fixture_group_setup(void **state)
{
	struct fixture *f = mem_calloc(1, sizeof(*f));
	struct err err = { 0 };

	*state = f;
	f->range = range_start(&err);
	if (f->range != NULL)
		return 0;
	print_error("%s\n", err.text);
	return -1; /* cmocka calls the teardown all the same */
}

int fixture_group_teardown(void **state)
{
	struct fixture *f = *state;

	range_stop(f->range);
	free(f);
	return 0;
}

int fixture_setup(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	f->home = sandbox_new(&err);
	if (f->home != NULL && range_clear(f->range, &err) == 0)
		return 0;
	print_error("%s\n", err.text);
	return -1;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	bool reported;
	int ret;

	pty_stop(f->pty);
	f->pty = NULL;
	reported = sandbox_has_report(f->home);
	sandbox_remove_take(f->home);
	f->home = NULL;
	ret = range_ssh_resume(f->range, &err);
	if (ret != 0)
		print_error("%s\n", err.text);
	return reported ? -1 : ret;
}

void fixture_check(int ret, const struct err *err)
{
	if (ret < 0)
		fail_msg("%s", err->text);
}

/* --- the program ------------------------------------------------------------------------------ */

/* The strings of list.items, with its NULL, are argv. */
static void command_build(struct strlist *list, const char *const *arguments)
{
	struct err err = { 0 };

	strlist_init(list);
	fixture_check(sandbox_program(list, &err), &err);
	for (size_t i = 0; arguments[i] != NULL; i++)
		strlist_add(list, arguments[i]);
}

/* env: additions to its environment, as for sandbox_env. */
static struct pty *fixture_open_env(
	struct fixture *f, int rows, int cols, const char *const *arguments, const char *const *env)
{
	struct pty_options options = { .rows = rows, .cols = cols, .home = f->home, .env = env };
	struct strlist command;
	struct err err = { 0 };

	pty_stop(f->pty);
	command_build(&command, arguments);
	options.argv = (const char *const *)command.items;
	f->pty = pty_start(&options, &err);
	strlist_fini(&command);
	if (f->pty == NULL)
		fail_msg("%s", err.text);
	return f->pty;
}

struct pty *fixture_open(struct fixture *f, int rows, int cols, const char *const *arguments)
{
	return fixture_open_env(f, rows, cols, arguments, NULL);
}

struct pty *fixture_open_machine(
	struct fixture *f, int rows, int cols, const char *const *arguments)
{
	char *library = sandbox_built("pty/machine.so");
	char *preload = mem_printf("LD_PRELOAD=%s", library);
	char *machine = mem_printf("PGONCALL_TEST_MACHINE=%s", f->home);
	const char *const env[] = { preload, machine, NULL };
	struct pty *p = fixture_open_env(f, rows, cols, arguments, env);

	free(library);
	free(preload);
	free(machine);
	return p;
}

struct pty *fixture_console(struct fixture *f, int rows, int cols)
{
	const char *const arguments[] = { "-c", range_config(f->range), "prod", NULL };

	return fixture_open(f, rows, cols, arguments);
}

void fixture_quit(struct pty *p)
{
	pty_key(p, "q");
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 0);
	pty_assert_restored(p);
	pty_assert_no_foreign(p, ESCAPES_NONE);
}

void fixture_run(struct fixture *f, const char *const *arguments, struct run_result *result)
{
	struct run_options options = { .home = f->home };
	struct strlist command;
	struct err err = { 0 };
	int ret;

	command_build(&command, arguments);
	options.argv = (const char *const *)command.items;
	ret = run_program(&options, result, &err);
	strlist_fini(&command);
	if (ret != 0) {
		run_result_fini(result);
		fail_msg("%s", err.text);
	}
}

/* --- the database ----------------------------------------------------------------------------- */

struct rows_want {
	struct fixture *f;
	const char *sql, *rows;
};

static bool database_has(struct pty *p, void *arg)
{
	const struct rows_want *want = arg;
	struct err err = { 0 };
	char *rows = range_psql(want->f->range, want->sql, &err);
	bool has = str_equal(rows, want->rows);

	(void)p;
	free(rows);
	return has;
}

void fixture_await_rows(struct fixture *f, const char *sql, const char *rows)
{
	struct rows_want want = { f, sql, rows };

	if (!pty_await(f->pty, database_has, &want, 20000))
		fixture_expect_rows(f, sql, rows);
}

void fixture_expect_rows(struct fixture *f, const char *sql, const char *want)
{
	struct err err = { 0 };
	char *rows = range_psql(f->range, sql, &err);
	bool same = str_equal(rows, want);

	if (rows == NULL)
		fail_msg("%s", err.text);
	if (!same)
		print_error("%s\nyields %s\n", sql, rows);
	free(rows);
	assert_true(same);
}

int fixture_number(struct fixture *f, const char *sql)
{
	struct err err = { 0 };
	char *rows = range_psql(f->range, sql, &err);
	long number = 0;
	int ret;

	if (rows == NULL)
		fail_msg("%s", err.text);
	ret = str_to_long(rows, 0, INT32_MAX, &number);
	if (ret != 0)
		print_error("%s\nyields %s\n", sql, rows);
	free(rows);
	assert_int_equal(ret, 0);
	return (int)number;
}

/* --- files ------------------------------------------------------------------------------------ */

char *fixture_write(struct fixture *f, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", f->home, name);
	FILE *file = fopen(path, "we");

	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		fail_msg("cannot write %s", path);
	return path;
}

static bool first_word_is(const char *line, const char *word)
{
	size_t len = strlen(word);

	line += strspn(line, " \t");
	return strncmp(line, word, len) == 0 && strchr(" \t=\n", line[len]) != NULL;
}

char *fixture_vary(struct fixture *f, const char *key, const char *name, const char *word,
	const char *replacement)
{
	return fixture_vary_file(f, range_value(f->range, key), name, word, replacement);
}

char *fixture_vary_file(struct fixture *f, const char *from, const char *name, const char *word,
	const char *replacement)
{
	FILE *file = fopen(from, "re");
	struct buf text = BUF_INIT;
	char *line = NULL;
	size_t size = 0;
	int replaced = 0;
	char *path;

	if (file == NULL)
		fail_msg("cannot read %s", from);
	while (getline(&line, &size, file) > 0) {
		if (first_word_is(line, word)) {
			buf_printf(&text, "%s\n", replacement);
			replaced++;
		} else {
			buf_add_str(&text, line);
		}
	}
	free(line);
	fclose(file);
	path = fixture_write(f, name, buf_str(&text));
	buf_fini(&text);
	assert_true(replaced > 0);
	return path;
}

int fixture_journal_count(struct fixture *f, const char *text)
{
	char *command = mem_printf(
		"cat %s/.local/state/pgoncall/journal/*.jsonl 2>/dev/null | grep -c '%s' || true",
		f->home, text);
	const char *argv[] = { "sh", "-c", command, NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	int n;

	assert_int_equal(run_program(&options, &result, NULL), 0);
	n = atoi(buf_str(&result.out));
	run_result_fini(&result);
	free(command);
	return n;
}

struct journal_want {
	struct fixture *f;
	const char *text;
	int n;
};

static bool journal_has(struct pty *p, void *arg)
{
	const struct journal_want *want = arg;

	(void)p;
	return fixture_journal_count(want->f, want->text) == want->n;
}

void fixture_expect_records(struct fixture *f, const char *text, int n)
{
	struct journal_want want = { f, text, n };

	if (!pty_await(f->pty, journal_has, &want, PTY_WAIT_MS))
		print_error("%d records of %s\n", fixture_journal_count(f, text), text);
	assert_int_equal(fixture_journal_count(f, text), n);
}

char *fixture_runbook(struct fixture *f, const char *name, const char *text)
{
	char *directory = mem_printf("%s/runbooks", f->home);
	char *file = mem_printf("runbooks/%s.md", name);
	char *line = mem_printf("db_name = boardofone\nrunbooks = %s", directory);
	char *config;

	mkdir(directory, 0700);
	free(fixture_write(f, file, text));
	config = fixture_vary(f, "RANGE_CONFIG", "config", "db_name", line);
	free(line);
	free(file);
	free(directory);
	return config;
}
