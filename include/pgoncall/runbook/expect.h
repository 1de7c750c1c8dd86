/*
 * Whether a result is what a step expects, and a sentence that says so. Patterns are PCRE2 with
 * limits, so that none can hang or exhaust the console. Pure.
 */
#ifndef PGONCALL_RUNBOOK_EXPECT_H
#define PGONCALL_RUNBOOK_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/runbook/document.h>

#define RUNBOOK_PATTERN_MAX 1024 /* bytes of a pattern */

enum runbook_ran {
	RUNBOOK_RAN, /* to its end: a command with any exit status, a statement without error */
	RUNBOOK_RAN_ERROR,  /* the server or the system refused; nothing was changed by it */
	RUNBOOK_RAN_UNKNOWN /* the link was lost, or the time was over: it may have been done */
};

/* What came of it; strings are borrowed and may be NULL. */
struct runbook_result {
	enum runbook_ran ran;
	int exit;  /* a command's exit status */
	long rows; /* a statement's rows, returned or touched; -1: none */
	const char
		*value; /* a statement's first column of the first row; NULL: none, or SQL's NULL */
	const char *out;   /* a command's stdout; a statement's rows as text */
	const char *err;   /* a command's stderr; the server's notices */
	const char *error; /* a sentence, where ran is not RUNBOOK_RAN */
};

/* Appends one sentence to *sentence. For a command `value` is the first line of stdout, and `rows`
 * counts its lines. Without an `exit` line a command must exit with 0. */
bool runbook_expect_check(const struct runbook_step *step, const struct runbook_vars *vars,
	const struct runbook_result *result, struct buf *sentence);

/* Appends the line as it is written: "rows 1..3". */
void runbook_expect_print(const struct runbook_expect *expect, struct buf *out);

/* The value a capture= takes: of a statement its value, of a command its first line, trimmed; the
 * caller frees. NULL where there is none. */
char *runbook_result_value(const struct runbook_step *step, const struct runbook_result *result);

/* 0 when the pattern compiles; else ERR_PARSE and why. */
int runbook_pattern_check(const char *pattern, struct err *err);
/* 1 matches, 0 does not, -1 with ERR_REFUSED: bad pattern, or a limit was reached. */
int runbook_pattern_match(const char *pattern, const char *text, struct err *err);

#endif
