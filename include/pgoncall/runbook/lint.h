/*
 * Runbooks in print: what is wrong with a file, and what a run would do.
 */
#ifndef PGONCALL_RUNBOOK_LINT_H
#define PGONCALL_RUNBOOK_LINT_H

#include <stddef.h>
#include <stdio.h>

#include <pgoncall/runbook/document.h>
#include <pgoncall/runbook/engine.h>

/* Prints "path:line: sentence" for each problem; returns their number. */
size_t runbook_lint(const char *path, FILE *out);

/* Prints every step with what it would send, the confirmation it would ask for there, and what it
 * expects. Variables without a value are named. Runs nothing. */
void runbook_plan(const struct runbook *runbook, const struct runbook_options *options,
	const struct runbook_vars *vars, FILE *out);

/* Prints the runbook as text: intro, steps, checks, blocks as written. */
void runbook_show(const struct runbook *runbook, FILE *out);

#endif
