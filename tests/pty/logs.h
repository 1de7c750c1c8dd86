/*
 * What the tests of logs share: scripts on the range's machine, what the pane has, and counted lines.
 */
#ifndef PGONCALL_TESTS_PTY_LOGS_H
#define PGONCALL_TESTS_PTY_LOGS_H

#include "fixture.h"

/* Runs a script (sh) that knows the range's values as variables, $home, and $docker. */
void logs_shell(struct fixture *f, const char *script);
/* What ":write" leaves of the pane, to be freed. */
char *logs_written(struct fixture *f, struct pty *p);
/* A container that says only what a test lets it say. */
struct logs_container {
	const char *name;
	const char *make;    /* script: a new one, in place of the one before */
	const char *restart; /* script */
	bool same_stream;    /* its runtime follows on over a restart, and does not tell it */
	const char *count;   /* script: "count N" on its stdout, from $from to $to */
	struct pty *(*open)(struct fixture *f); /* a console that follows its log, in the pane */
};

/* A new one, and the console that follows it. */
struct pty *logs_follow_new(struct fixture *f, const struct logs_container *c);
/* Has it say "count FROM" to "count TO". */
void logs_count(struct fixture *f, const struct logs_container *c, int from, int to);
/* The link is cut while it counts: each line stands there once, with a mark at the gap. Leaves. */
void logs_outlive_a_cut(struct fixture *f, const struct logs_container *c);
/* It is started again, and replaced, while it counts: each line stands there once. Leaves. */
void logs_outlive_a_replacement(struct fixture *f, const struct logs_container *c);
/* Another one gets its name while it lives on under another: `rename` does that. Leaves. */
void logs_outlive_a_renaming(
	struct fixture *f, const struct logs_container *c, const char *rename, const char *clean);

/* "count 1" to "count N" stand in the text once each, in order. */
void logs_expect_counted(const char *text, int n);
/* "pgoncall ARGUMENT…" has the status, and prints what the patterns match (NULL: no matter what). */
void logs_expect_run(struct fixture *f, const char *const *arguments, int status, const char *out,
	const char *err);

#endif
