/*
 * What the end-to-end tests share: a range for the whole program, a fresh home and console for each
 * test, and the configuration files they vary.
 */
#ifndef PGONCALL_TESTS_PTY_FIXTURE_H
#define PGONCALL_TESTS_PTY_FIXTURE_H

#include <pgoncall/base/err.h>

#include "pty.h"
#include "range.h"
#include "run.h"

struct fixture {
	struct range *range;
	struct pty *pty; /* of the running test, or NULL */
	char *home;      /* of the running test */
};

/* For cmocka_run_group_tests: state is a struct fixture. */
int fixture_group_setup(void **state);
int fixture_group_teardown(void **state);
/* For cmocka_unit_test_setup_teardown: the range at its baseline, an empty home; and after the test
 * no console, the link as it was, and a failure when a sanitiser or valgrind had to report. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Fails the test with the sentence when ret is negative. */
void fixture_check(int ret, const struct err *err);

/* "pgoncall ARGUMENT…" on a terminal; the arguments end with NULL. Belongs to the fixture. */
struct pty *fixture_open(struct fixture *f, int rows, int cols, const char *const *arguments);
/* On a machine whose misfortunes are files in its home: see preload/machine.c. */
struct pty *fixture_open_machine(
	struct fixture *f, int rows, int cols, const char *const *arguments);
/* "pgoncall -c CONFIG prod" on a terminal, of the range's own configuration. */
struct pty *fixture_console(struct fixture *f, int rows, int cols);
/* Leaves the console by "q": status 0, the terminal as it was, no foreign escape sequence written. */
void fixture_quit(struct pty *p);
/* "pgoncall ARGUMENT…" in pipes. The result is for run_result_fini. */
void fixture_run(struct fixture *f, const char *const *arguments, struct run_result *result);

/* Fails unless the superuser's SQL yields these rows. */
void fixture_expect_rows(struct fixture *f, const char *sql, const char *rows);
/* The same, once it is so. */
void fixture_await_rows(struct fixture *f, const char *sql, const char *rows);
/* The one number the SQL yields. */
int fixture_number(struct fixture *f, const char *sql);

/* Writes NAME in the home and returns its path, to be freed. */
char *fixture_write(struct fixture *f, const char *name, const char *text);
/* The range's file (its value of KEY) as NAME in the home, with the text in place of each line whose
 * first word is `word`; fails when there is none. Path to be freed. */
char *fixture_vary(struct fixture *f, const char *key, const char *name, const char *word,
	const char *replacement);
/* The same of any file. */
char *fixture_vary_file(struct fixture *f, const char *from, const char *name, const char *word,
	const char *replacement);

/* The range's configuration with a team's directory of runbooks that holds this one; to be freed. */
char *fixture_runbook(struct fixture *f, const char *name, const char *text);

/* Lines of the journal that hold the text, a basic regular expression. */
int fixture_journal_count(struct fixture *f, const char *text);
/* Fails unless there are n of them: a record of what is over is written beside the screen, and may
 * come a moment later. */
void fixture_expect_records(struct fixture *f, const char *text, int n);

#endif
