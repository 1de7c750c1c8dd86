/*
 * What the tests of logs share: scripts on the range's machine, what the pane has, and counted lines.
 */
#ifndef PGONCALL_TESTS_PTY_LOGS_H
#define PGONCALL_TESTS_PTY_LOGS_H

#include "fixture.h"

/* Runs a script (sh) that knows the range's values as variables, $home, and $docker. */
void logs_shell(struct fixture *f, const char *script);
/* Types a command line of the console. */
void logs_command(struct pty *p, const char *line);
/* What ":write" leaves of the pane, to be freed. */
char *logs_written(struct fixture *f, struct pty *p);
/* "count 1" to "count N" stand in the text once each, in order. */
void logs_expect_counted(const char *text, int n);
/* "pgoncall ARGUMENT…" has the status, and prints what the patterns match (NULL: no matter what). */
void logs_expect_run(struct fixture *f, const char *const *arguments, int status, const char *out,
	const char *err);

#endif
